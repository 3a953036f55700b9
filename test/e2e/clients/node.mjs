// Runs a scenario in Node: node node.mjs LIBRARY URL NAME
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

import { scenarios } from './scenarios.mjs';

const [library, url, name] = process.argv.slice(2);
const { Gateway, GatewayError } = await import(path.resolve(library, 'lurkbot-gateway.mjs'));
const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)('ws');

const put = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const lines = readline.createInterface({ input: process.stdin });
const ask = (what, more) => new Promise((resolve) => {
  lines.once('line', (line) => resolve(JSON.parse(line)));
  put({ ask: what, ...more });
});
await scenarios({ Gateway, GatewayError, WebSocket, url, ask, say: (...what) => put({ say: what }) })[name]();
lines.close();
