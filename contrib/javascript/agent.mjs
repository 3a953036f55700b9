/**
 * An agent: it offers the method agent.run, and streams its answers. Here it tells how many words it was
 * sent; a model would be asked in answer(). chat.mjs talks to it, and so does chat.py, through the gateway.
 *
 * usage: node agent.mjs; the gateway's address and token may stand in LURKBOT_GATEWAY_URL and
 * LURKBOT_GATEWAY_TOKEN. Before version 22, node needs the package `ws` (Debian: node-ws).
 */
import { createRequire } from 'node:module';
import process from 'node:process';

import { Gateway, GatewayError } from './lurkbot-gateway.mjs';

/** The answer, piece by piece. */
async function* answer(message) {
  const count = message.split(/\s+/).filter((word) => word !== '').length;
  const text = `You said "${message}": ${count} ${count === 1 ? 'word' : 'words'}.`;
  for (const piece of text.match(/\S+\s*/g)) {
    yield piece;
    await new Promise((resolve) => { setTimeout(resolve, 30); });
  }
}

const gateway = new Gateway(process.env.LURKBOT_GATEWAY_URL, {
  clientId: 'agent',
  displayName: 'Agent that counts',
  token: process.env.LURKBOT_GATEWAY_TOKEN,
  WebSocket: globalThis.WebSocket ?? createRequire(import.meta.url)('ws'),
  onDisconnect: (error, delayMs) => console.log(`${error.message}; again in ${(delayMs / 1000).toFixed(1)} s`),
});

/**
 * agent.run {message}: each piece goes to the caller as progress, and to whoever else listens as agent.delta;
 * the whole is one more message of the session.
 */
async function run({ message }, { sessionKey, caller, progress, signal }) {
  if (typeof message !== 'string') {
    throw new GatewayError('INVALID_REQUEST', 'params.message must be a text.', { field: 'params.message' });
  }
  let content = '';
  for await (const text of answer(message)) {
    signal.throwIfAborted();
    content += text;
    await progress({ text });
    gateway.publish('agent.delta', { text }, { sessionKey });
  }
  await gateway.publish('session.message', { role: 'assistant', content, to: caller.clientId }, { sessionKey });
  return { text: content };
}

process.once('SIGINT', () => gateway.close());
try {
  await gateway.connect({ wait: true });
  await gateway.register({ 'agent.run': run }, { description: 'counts words' });
  console.log('agent.run is there for all clients of the gateway; Ctrl-C ends it');
  await gateway.closed;
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  console.error(`agent: ${error.message}`);
  process.exitCode = 1;
}
