// Ten clients on Node's ws: each sees every event of one publisher once and in order, answers pings, and learns
// close code and reason. node fanout.mjs PORT NODE_MODULES
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
import path from 'node:path';

const [port, modules] = process.argv.slice(2);
const WS = createRequire(path.join(modules, 'x'))('ws');
const hello = (id) => JSON.stringify({
  type: 'hello', minProtocol: 1, maxProtocol: 1,
  client: { id, version: '1', platform: 'node', mode: 'app' },
  subscribe: { events: ['agent.*'] },
});

const connect = (id) => new Promise((resolve, reject) => {
  const ws = new WS(`ws://127.0.0.1:${port}/ws`, 'lurkbot.v1');
  const client = { ws, events: [], waiting: null };
  ws.on('open', () => ws.send(hello(id)));
  ws.on('error', reject);
  ws.on('message', (data, binary) => {
    assert.equal(binary, false);
    const frame = JSON.parse(data);
    if (frame.type === 'hello-ok') {
      assert.equal(ws.protocol, 'lurkbot.v1');
      client.connId = frame.server.connId;
      resolve(client);
    } else if (frame.type === 'event') {
      client.events.push(frame);
      client.check?.();
    } else {
      client.answer(frame);
    }
  });
});

const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => connect(`n${i}`)));
const total = 200;
const all = clients.map((c) => new Promise((resolve) => {
  c.check = () => c.events.length >= total && resolve();
}));
const sender = clients[0];
for (let i = 0; i < total; i++) {
  const answered = new Promise((resolve) => { sender.answer = resolve; });
  sender.ws.send(JSON.stringify({
    id: `p${i}`, type: 'request', method: 'events.publish',
    params: { event: 'agent.delta', payload: { i, text: 'ü€😀' }, sessionKey: 'a:b' },
  }));
  const frame = await answered;
  assert.equal(frame.id, `p${i}`);
  assert.ok(frame.result.seq > 0, JSON.stringify(frame));
}
await Promise.all(all);
for (const c of clients) {
  assert.deepEqual(c.events.map((e) => e.payload.i), Array.from({ length: total }, (_, i) => i));
  assert.equal(c.events[0].payload.text, 'ü€😀');
}
const closed = new Promise((resolve) => clients[9].ws.on('close', (code, reason) => resolve([code, `${reason}`])));
sender.answer = (frame) => assert.deepEqual(frame.result, { closed: true });
sender.ws.send(JSON.stringify({
  id: 'c', type: 'request', method: 'connections.close', params: { connId: clients[9].connId, reason: 'bye' },
}));
assert.deepEqual(await closed, [1000, 'bye']);
await Promise.all(clients.slice(0, 9).map((c) => new Promise((resolve) => {
  c.ws.on('close', resolve);
  c.ws.close(1000, 'done');
})));
console.log('ok');
