// The steps of test_clients.py with the JavaScript library; scenario.py does the same in Python. `say` takes a
// line of the transcript, `ask` asks the test for something; node.mjs and page.html bring them along.

export function scenarios({ Gateway, GatewayError, WebSocket, url, say, ask }) {
  const open = (clientId, options = {}) => new Gateway(options.url ?? url, { clientId, WebSocket, ...options });
  const orNull = (value) => value ?? null;

  async function errorOf(promise) {
    try {
      return ['no error', orNull(await promise)];
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return [error.code, orNull(error.reason), orNull(error.field), error.retryable, orNull(error.retryAfterMs)];
    }
  }

  /** The next things of it. */
  async function take(stream, count) {
    const things = [];
    if (count === 0) return things;
    for await (const thing of stream) {
      things.push(thing);
      if (things.length === count) return things;
    }
    throw new Error('the stream ended');
  }

  const all = async (stream) => {
    const things = [];
    for await (const thing of stream) things.push(thing);
    return things;
  };

  /** A line of things that arrive. */
  function queue() {
    const things = [];
    const readers = [];
    return {
      put: (thing) => (readers.length > 0 ? readers.shift()(thing) : things.push(thing)),
      get: () => (things.length > 0 ? Promise.resolve(things.shift())
        : new Promise((resolve) => { readers.push(resolve); })),
    };
  }

  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  // --- against the real gateway -----------------------------------------------------------------

  const AWKWARD = { text: 'ü€😀\u2028\\"', n: 9007199254740991, list: [1.5, null, true, {}], '': '' };

  /** Subscribe, publish, receive, ask, fail. */
  async function talk() {
    const gateway = open('scenario');
    await gateway.connect();
    say('connected', gateway.connId.length, gateway.hello.features.methods.includes('health'));
    const events = gateway.subscribe(['count.*', 'agent.delta']);
    const keyed = gateway.subscribe('note.*', { sessionKeys: ['k:1'] });
    await events.ready;
    await keyed.ready;
    for (const [name, payload, sessionKey] of [['count.a', AWKWARD, 'a:b'], ['note.a', {}, 'k:2'], ['note.b', { x: 1 }, 'k:1'],
      ['counter', {}], ['count.b.c'], ['agent.delta', {}, 'k:1']]) {
      const { seq } = await gateway.publish(name, payload, { sessionKey });
      if (name === 'count.a') {
        const [first] = await take(events, 1);
        say('event', first.event, first.payload, first.sessionKey, first.seq === seq);
      }
    }
    say('others', (await take(events, 2)).map((e) => [e.event, orNull(e.payload)]));
    say('keyed', (await take(keyed, 1)).map((e) => [e.event, e.payload, e.sessionKey]));
    say('health', (await gateway.request('health')).status);
    say('unknown', await errorOf(gateway.request('nope')));
    say('reserved', await errorOf(gateway.publish('gateway.x')));
    say('bad', await errorOf(gateway.request('events.history', { limit: 0 })));
    say('pattern', await errorOf(gateway.subscribe('*x').ready));
    const many = await Promise.all(range(200).map((i) => gateway.publish('count.many', { i })));
    let seen = await take(events, 200);
    say('many', same(seen.map((e) => e.payload.i), range(200)), same(seen.map((e) => e.seq), many.map((a) => a.seq)));
    seen = [];
    const called = gateway.subscribe('call.*', { onEvent: (e) => seen.push(e.payload.n) });
    await called.ready;
    await gateway.publish('call.x', { n: 1 });
    await gateway.publish('count.after');
    await take(events, 1);
    called.close();
    await gateway.publish('call.x', { n: 2 });
    await gateway.publish('count.last');
    say('called', seen, (await take(events, 1))[0].event);
    await gateway.close();
    say('closed', await all(events), await errorOf(gateway.request('health')));
    await gateway.closed;
  }

  /** The worker dies under the client, several times; every event comes once. */
  async function killed() {
    const connects = [];
    const gateway = open('scenario', { onConnect: (hello) => connects.push(hello.resume) });
    await gateway.connect();
    const events = gateway.subscribe('count.*');
    await events.ready;
    const total = await ask('publish and kill');
    const seen = (await take(events, total)).map((e) => e.payload.i);
    say('seen', same(seen, range(total)), connects.length > 3, connects.slice(1).every((r) => r.recovered === true));
    await gateway.publish('count.last', { end: true });
    say('last', (await take(events, 1)).map((e) => [e.event, e.payload]));
    await gateway.close();
  }

  /** A provider whose handlers do what the steps need. */
  async function agent() {
    const self = { gateway: open('agent'), givenUp: queue(), go: queue(), runs: 0 };
    await self.gateway.connect();
    await self.gateway.register({
      'test.count': async (params, request) => {
        for (let i = 0; i < params.to; i++) await request.progress({ i });
        return { counted: params.to };
      },
      'test.fail': () => {
        throw new GatewayError('INVALID_REQUEST', 'No such thing.', { reason: 'no-thing', field: 'params.thing' });
      },
      'test.crash': () => { throw new TypeError('a defect of the test\'s'); },
      'test.who': (params, request) => [request.method, request.caller.clientId, orNull(request.sessionKey), params],
      'test.hang': async (params, request) => {
        await request.progress('hanging');
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
        self.givenUp.put(params);
        request.signal.throwIfAborted();
      },
      'test.once': () => {
        self.runs += 1;
        return self.runs;
      },
      'test.slowly': async (params, request) => {
        await request.progress({});
        await self.go.get();
        self.runs += 1;
        return self.runs;
      },
    }, { description: 'for a test' });
    return self;
  }

  /** A provider, and a client that calls it. */
  async function provide() {
    const provider = await agent();
    const gateway = open('scenario');
    await gateway.connect();
    const methods = gateway.subscribe('gateway.methods');
    await methods.ready;
    let call = gateway.request('test.count', { to: 3 });
    say('progress', (await all(call)).map((part) => part.i), await call);
    say('unseen progress', await gateway.request('test.count', { to: 100 }));
    say('fail', await errorOf(gateway.request('test.fail')));
    say('crash', await errorOf(gateway.request('test.crash')));
    say('who', await gateway.request('test.who', { x: AWKWARD }, { sessionKey: 'k:1' }));
    call = gateway.request('test.hang', { n: 1 });
    await take(call, 1);
    call.cancel();
    say('cancelled', (await errorOf(call)).slice(0, 2), await provider.givenUp.get());
    say('timeout', (await errorOf(gateway.request('test.hang', { n: 2 }, { timeoutMs: 200 })))[0], await provider.givenUp.get());
    await ask('kill', { connId: provider.gateway.connId });
    while (!(await take(methods, 1))[0].payload.added?.includes('test.count'));
    say('again', await gateway.request('test.count', { to: 1 }));
    await provider.gateway.register({});
    say('gone', await errorOf(gateway.request('test.count', { to: 1 })));
    await provider.gateway.close();
    await gateway.close();
    say('closed');
  }

  /** What has an idempotency key runs once, though the caller's worker dies and the request is sent again. */
  async function once() {
    const provider = await agent();
    let gateway = await open('scenario').connect();
    while (await ask('same worker', { connIds: [provider.gateway.connId, gateway.connId] })) {
      await gateway.close();
      gateway = await open('scenario').connect();
    }
    const published = [];
    for (let i = 0; i < 2; i++) published.push(await gateway.publish('test.once', undefined, { idempotencyKey: 'p' }));
    say('published', same(...published));
    const answers = [];
    for (let i = 0; i < 2; i++) answers.push(await gateway.request('test.once', {}, { idempotencyKey: 'k' }));
    say('answers', answers);
    const call = gateway.request('test.slowly', {}, { idempotencyKey: true });
    await take(call, 1);
    await ask('kill', { connId: gateway.connId });
    provider.go.put();
    say('answer', await call, provider.runs);
    await provider.gateway.close();
    await gateway.close();
  }

  // --- against a gateway that does as it is told ------------------------------------------------

  /** A hello that is refused for good, and one that may be said again. */
  async function refused() {
    say('refused', await errorOf(open('a', { token: 'bad' }).connect()));
    say('not yet', await errorOf(open('a', { token: 'not-yet' }).connect()));
    const patient = open('a', { token: 'not-yet' });
    await patient.connect({ wait: true });
    say('patient', patient.connId);
    await patient.close();
    say('http', (await errorOf(open('a', { url: `${url}forbidden` }).connect()))[0]);
  }

  /** What a client does after each close code. */
  async function endings() {
    const delays = queue();
    let gateway = open('a', { onDisconnect: (error, delay) => delays.put(delay) });
    await gateway.connect();
    for (const [code, longest] of [[1012, 0], [1011, 500], [1012, 1000]]) {
      const first = gateway.connId;
      await gateway.request('close', { code }, { idempotencyKey: true });
      const delay = await delays.get();
      say(code, gateway.connId !== first, delay >= 0 && delay <= longest);
    }
    say('lost', await errorOf(gateway.request('close', { code: 1001 })), await delays.get() <= 2000);
    await gateway.request('echo');
    say('1013', await errorOf(gateway.request('close', { code: 1013 })), await delays.get() >= 2500);
    await gateway.close();
    for (const code of [1008, 1000]) {
      gateway = open('a');
      await gateway.connect();
      const events = gateway.subscribe('*');
      say(code, await errorOf(gateway.request('close', { code })), await errorOf(gateway.closed),
        await errorOf(take(events, 1)), await errorOf(gateway.request('echo')));
      await gateway.close();
    }
  }

  /** What the hello after a reconnect says, and what is lost is told. */
  async function positions() {
    const gateway = open('a', { longestDelayMs: 50 });
    await gateway.connect();
    const events = gateway.subscribe(['x.*', 'y']);
    await events.ready;
    say('hello', await gateway.request('last hello'));

    // Has events sent, then the connection closed; what the next hello says.
    const after = async (frames, options = {}) => {
      await gateway.request('close', { code: 1011, events: frames, ...options }, { idempotencyKey: true });
      return gateway.request('last hello');
    };

    say('event', await after([{ event: 'x.a', seq: 50, payload: 1 }]));
    say('position', await after([{ event: 'gateway.position', seq: 60 }]));
    say('gap', await after([{ event: 'gateway.gap', seq: 70, payload: { from: 61, to: 70 } }]));
    say('directed', await after([{ event: 'x.b', payload: 2 }]));
    say('not recovered', await after([{ event: 'other', seq: 71 }], { forget: true }));
    say('told', (await take(events, 4)).map((e) => [e.event, e.payload, orNull(e.seq)]));
    const small = gateway.subscribe('many', { limit: 3 });
    await small.ready;
    say('narrow', await after(range(5).map((i) => ({ event: 'many', seq: 1000 + i, payload: i }))));
    say('overflow', (await take(small, 3)).map((e) => [e.event, e.payload, e.seq]));
    await gateway.close();
  }

  /** More requests than the gateway takes at a time; one that is too large; one that nobody answers. */
  async function lines() {
    const gateway = open('a');
    await gateway.connect();
    const results = await Promise.all(range(30).map((i) => gateway.request('slow', { i })));
    say('line', same(results.map((r) => r.i), range(30)), Math.max(...results.map((r) => r.unanswered)));
    say('large', await errorOf(gateway.request('echo', { x: 'é'.repeat(100000) })));
    const silent = gateway.request('silent');
    await gateway.request('echo');
    silent.cancel();
    say('cancel', await errorOf(silent));
    const giveUp = new AbortController();
    const given = gateway.request('silent', {}, { signal: giveUp.signal });
    await gateway.request('echo');
    giveUp.abort();
    await errorOf(given);
    say('given up', await gateway.request('cancels'));
    await gateway.close();
  }

  return { talk, killed, provide, once, refused, endings, positions, lines };
}
