/**
 * A chat on the terminal, with whatever offers agent.run: agent.mjs or agent.py. Several chats may share a
 * session, and see each other's messages.
 *
 * usage: node chat.mjs [SESSION-KEY]; the gateway's address and token may stand in LURKBOT_GATEWAY_URL and
 * LURKBOT_GATEWAY_TOKEN. Before version 22, node needs the package `ws` (Debian: node-ws).
 */
import { createRequire } from 'node:module';
import process from 'node:process';
import readline from 'node:readline';

import { Gateway, GatewayError } from './lurkbot-gateway.mjs';

const me = `chat-${process.pid}`;
const sessionKey = process.argv[2] ?? 'chat:demo:main';
const prompt = 'you: ';
const say = (text) => process.stdout.write(text);

const gateway = new Gateway(process.env.LURKBOT_GATEWAY_URL, {
  clientId: me,
  mode: 'cli',
  token: process.env.LURKBOT_GATEWAY_TOKEN,
  WebSocket: globalThis.WebSocket ?? createRequire(import.meta.url)('ws'),
});

/** A message of somebody else's in this session, or an answer to them. */
function onEvent({ event, payload }) {
  if (event === 'gateway.gap') say(`\r(some messages were missed)\n${prompt}`);
  else if (![payload.from, payload.to].includes(me)) say(`\r${payload.from ?? 'agent'}: ${payload.content}\n${prompt}`);
}

/** Posts a message, and shows the answer as it comes. */
async function ask(message) {
  await gateway.publish('session.message', { role: 'user', content: message, from: me }, { sessionKey });
  const answer = gateway.request('agent.run', { message }, { sessionKey, timeoutMs: 120000 });
  say('agent: ');
  for await (const piece of answer) say(piece.text);
  await answer;
}

try {
  await gateway.connect();
  await gateway.subscribe('session.message', { sessionKeys: [sessionKey], onEvent }).ready;
  say(prompt);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      if (line.trim() !== '') {
        await ask(line.trim());
        say('\n');
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      say(`(${error.message})\n`);
    }
    say(prompt);
  }
  say('\n');
  await gateway.close();
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  console.error(`chat: ${error.message}`);
  process.exitCode = 1;
}
