// Runs the gateway document's two examples as they stand, one after the other in one scope: what they log is
// printed as JSON lines. Only the port is another one: node document.mjs PORT NODE_MODULES
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const [port, modules] = process.argv.slice(2);
const WS = createRequire(path.join(modules, 'x'))('ws');
const here = path.dirname(fileURLToPath(import.meta.url));

class OnOurPort extends WS {
  constructor(url, ...rest) {
    super(url.replace(':18789', `:${port}`), ...rest);
  }
}

let logged;
const seen = [];
const say = (level) => (...values) => {
  console.log(JSON.stringify([level, ...values]));
  seen.push(values[0]);
  logged();
};
const until = (text) => new Promise((resolve) => {
  logged = () => seen.includes(text) && resolve();
  logged();
});
logged = () => {};
const context = vm.createContext({
  WebSocket: OnOurPort, JSON, console: { log: say('log'), error: say('error') },
});
const run = (name) => vm.runInContext(readFileSync(path.join(here, name), 'utf8'), context);

run('connect.js');
await until('Features:');
run('request.js');
await until('Result:');
vm.runInContext('ws.close()', context);
