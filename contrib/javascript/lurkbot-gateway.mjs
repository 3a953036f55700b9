/**
 * A client of the LurkBot gateway for browsers and Node, in one file without dependencies: copy it.
 *
 * It uses the WebSocket that is there; where there is none (Node before version 22), give it that of the
 * package `ws`: new Gateway(url, { clientId, WebSocket }).
 *
 *     import { Gateway } from './lurkbot-gateway.mjs';
 *
 *     const gateway = new Gateway('ws://127.0.0.1:18789', { clientId: 'my-client' });
 *     await gateway.connect();
 *     console.log(await gateway.request('health'));
 *     await gateway.publish('agent.note', { text: 'Hello!' }, { sessionKey: 'telegram:1:main' });
 *     for await (const event of gateway.subscribe('session.*')) {
 *       console.log(event.seq, event.event, event.payload);
 *     }
 *
 * Requests. `request()` starts one at once and returns a Call. `await` it for the result, or iterate over it
 * for the progress that the other side reports meanwhile, and await it then:
 *
 *     const call = gateway.request('agent.run', { message: 'Hi' }, { timeoutMs: 120000 });
 *     for await (const part of call) console.log(part.text);
 *     console.log(await call);
 *
 * `call.cancel()` gives up on it, as does the option `signal` (an AbortSignal). What goes wrong is thrown as a
 * GatewayError, which has `code`, `message`, `details`, `reason`, `retryable` and `retryAfterMs`. A request
 * waits for the connection where it is away, and in line where the gateway's limit of unanswered requests
 * (policy.maxInFlight) is reached; its timeout counts from the call on. When the connection is lost it fails
 * with reason `connection-lost`, since nobody knows whether it ran; with `idempotencyKey` (true, or a text of
 * your own) it is sent again after the reconnect, and the gateway sees to it that it runs once.
 *
 * Events. A client gets only what it subscribed to; several subscriptions may overlap. Iterate over one, or
 * give it `onEvent`, a function. `await subscription.ready` waits until the gateway has taken it,
 * `subscription.close()` ends it. What could not be delivered is told in its place, by an event named
 * `gateway.gap`: its payload has `from` and `to` (numbers of lost events), or `recovered: false` where the
 * gateway no longer knows this client's position; then start over from `gateway.snapshot`. So does a
 * subscription that is not read until `limit` events wait in it: these are dropped, and told as a gap.
 *
 * Providers. `register()` offers methods to all clients of the gateway. A handler gets `params`, and a request
 * with `caller`, `sessionKey`, `timeoutMs`, `progress()` and `signal`, which is aborted when nobody wants the
 * answer any more. What it returns (a JSON value) is the result, a GatewayError that it throws is the error.
 *
 *     await gateway.register({
 *       'agent.run': async (params, request) => {
 *         await request.progress({ text: 'thinking' });
 *         return { text: params.message.toUpperCase() };
 *       },
 *     });
 *     await gateway.closed;
 *
 * Reconnecting. A lost connection comes back by itself, at once where the gateway says that it restarts (close
 * code 1012), later where it has no room (1013), else after a random time that grows to 30 s; methods and
 * subscriptions are there again, and the missed events are sent. It does not come back where that is in vain
 * (1008: bad hello or token) or unwanted (1000): then everything throws, `gateway.closed` too. Pings are
 * answered by the WebSocket. The protocol: lurkbot-protocol(7).
 *
 * @typedef {{event: string, payload?: any, sessionKey?: string, seq?: number, at?: number, id?: string}} Event
 *     `seq` is its place in the order of all; an event that was sent to this client alone has none.
 * @typedef {{method: string, sessionKey?: string, timeoutMs?: number, signal: AbortSignal,
 *     caller: {connId?: string, clientId?: string}, progress: (payload: any) => Promise<void>}} ProviderRequest
 * @typedef {(params: any, request: ProviderRequest) => any} Handler
 */

const DEFAULT_URL = 'ws://127.0.0.1:18789';
const TIMEOUT_MS = 30000; // of a request, as in the protocol
const GRACE_MS = 5000; // the gateway's own answer to a timeout comes first
const HELLO_MS = 10000;
const FIRST_DELAY_MS = 250;
const LATER_DELAY_MS = 5000;
const LONGEST_DELAY_MS = 30000;
const STEADY_MS = 5000; // a connection that lived so long was a good one
const BUFFERED_BYTES = 1024 * 1024; // past it progress() waits until the network has taken some

/** What went wrong, in the gateway's words (lurkbot-protocol(7), Errors). */
export class GatewayError extends Error {
  /** @param {string} code @param {string} message @param {object} [details] */
  constructor(code, message, details = {}) {
    super(message);
    this.name = 'GatewayError';
    this.code = code;
    this.details = details;
  }

  /** A stable word, such as `forbidden` or `provider-gone`. */
  get reason() { return this.details.reason; }

  /** The parameter that was wrong, such as `params.limit`. */
  get field() { return this.details.field; }

  get retryable() { return Boolean(this.details.retryable); }

  get retryAfterMs() { return this.details.retryAfterMs; }

  static fromWire(error) {
    return new GatewayError(error?.code ?? 'INTERNAL_ERROR', error?.message ?? '', error?.details);
  }

  toWire() { return { code: this.code, message: this.message, details: this.details }; }
}

const unavailable = (message, reason, retryable, more) =>
  new GatewayError('UNAVAILABLE', message, { reason, retryable, ...more });

const cancelled = () => unavailable('The request was cancelled.', 'cancelled', true);

/** A promise, and what settles it; nobody need look at it. */
const deferred = () => {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  d.promise.catch(() => {});
  return d;
};

/** Things that arrive, for one reader, and then an end, or an error that is thrown there. */
class Stream {
  _things = [];
  _ended = false;
  #end = null;
  #wake = null;

  _put(thing) {
    this._things.push(thing);
    this.#wake?.();
  }

  _finish(error) {
    if (this._ended) return;
    this._ended = true;
    this.#end = error;
    this.#wake?.();
  }

  async* [Symbol.asyncIterator]() {
    for (;;) {
      while (this._things.length > 0) yield this._things.shift();
      if (this.#end) throw this.#end;
      if (this._ended) return;
      await new Promise((resolve) => { this.#wake = resolve; });
    }
  }
}

/** A request under way: await it for the result, iterate over it for its progress. */
export class Call extends Stream {
  #answer = deferred();
  #gateway;

  constructor(gateway, frame, urgent) {
    super();
    this.#gateway = gateway;
    this.done = false;
    this._frame = frame;
    this._urgent = urgent;
  }

  then(onResult, onError) { return this.#answer.promise.then(onResult, onError); }

  catch(onError) { return this.#answer.promise.catch(onError); }

  finally(onEnd) { return this.#answer.promise.finally(onEnd); }

  /** Gives up: the call then fails with the reason `cancelled`, unless it was answered meanwhile. */
  cancel() {
    if (!this.done) this.#gateway._cancel(this);
  }

  _settle(error, result) {
    if (this.done) return;
    this.done = true;
    clearTimeout(this._timer);
    if (error) this.#answer.reject(error);
    else this.#answer.resolve(result);
    this._finish(error);
  }
}

/** Events that match; iterate over it. It ends with close(), or with the client. */
export class Subscription extends Stream {
  #gateway;

  constructor(gateway, patterns, { sessionKeys = [], onEvent, limit = 10000 }) {
    super();
    this.#gateway = gateway;
    this.patterns = patterns;
    this.sessionKeys = sessionKeys;
    this._onEvent = onEvent;
    this._limit = limit;
    /** @type {Promise<void>} the gateway has taken it; rejected with what it has against it */
    this.ready = null;
  }

  close() {
    this.#gateway._unsubscribe(this);
    this._finish(null);
  }

  #takes({ event, sessionKey }) {
    if (event === 'gateway.gap') return true;
    if (this.sessionKeys.length > 0 && !this.sessionKeys.includes(sessionKey)) return false;
    return this.patterns.some((p) => p === '*' || p === event
      || (p.endsWith('.*') && event.startsWith(p.slice(0, -1))));
  }

  _offer(event) {
    if (this._ended || !this.#takes(event)) return;
    if (this._onEvent) {
      try {
        this._onEvent(event);
      } catch (error) {
        console.error(`onEvent failed at ${event.event}:`, error);
      }
      return;
    }
    if (this._things.length >= this._limit) {
      const lost = this._things.map((e) => e.seq).filter((seq) => seq !== undefined);
      this._things.length = 0;
      if (lost.length > 0) this._put(gap(lost.at(-1), { from: lost[0], to: lost.at(-1) }));
    }
    this._put(event);
  }
}

const gap = (seq, payload) => ({ type: 'event', event: 'gateway.gap', seq, payload });

/** A connection to the gateway that comes back. */
export class Gateway {
  #options;
  #client;
  #ws = null; // while hello-ok holds
  #socket = null; // also before
  #position = null; // {epoch, seq}
  #count = 0;
  #line = []; // calls that wait for the connection or a place
  #calls = new Map(); // sent ones
  #subscriptions = [];
  #methods = {};
  #registration = null;
  #running = new Map(); // AbortControllers of handlers
  #failures = 0;
  #since = 0; // of the last hello-ok
  #retry = null;
  #wait = false;
  #first = deferred();
  #over = deferred();
  #error = null; // why it is over

  /**
   * @param {string} url
   * @param {object} options
   * @param {string} options.clientId
   * @param {string} [options.displayName]
   * @param {string} [options.version]
   * @param {string} [options.platform]
   * @param {'app'|'web'|'cli'} [options.mode]
   * @param {string[]} [options.caps]
   * @param {string} [options.token]
   * @param {string} [options.password]
   * @param {Function} [options.WebSocket] a constructor, where globalThis has none
   * @param {(helloOk: object) => void} [options.onConnect] after each hello
   * @param {(error: GatewayError, delayMs: number) => void} [options.onDisconnect] it comes back after delayMs
   * @param {number} [options.longestDelayMs] 30000
   */
  constructor(url = DEFAULT_URL, options = {}) {
    const { clientId, displayName, version = '1.0.0' } = options;
    const web = typeof window !== 'undefined';
    this.url = url;
    /** The last hello-ok. @type {any} */
    this.hello = null;
    /** Resolves after close(); rejected when the connection has ended and does not come back. */
    this.closed = this.#over.promise;
    this.#options = {
      ...options,
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      longestDelayMs: options.longestDelayMs ?? LONGEST_DELAY_MS,
    };
    this.#client = {
      id: clientId, displayName, version,
      platform: options.platform ?? (web ? 'web' : globalThis.process?.platform ?? 'unknown'),
      mode: options.mode ?? (web ? 'web' : 'app'),
    };
    if (!this.#options.WebSocket) throw new TypeError('there is no WebSocket here: pass that of the package ws');
  }

  get connId() { return this.hello.server.connId; }

  /** Sessions, cron jobs and channels as of the last hello. */
  get snapshot() { return this.hello.snapshot; }

  /**
   * Connects and says hello; throws a GatewayError where that fails. With `wait` it goes on trying as long as
   * that makes sense, for a program that may be started before the gateway.
   * @returns {Promise<Gateway>}
   */
  connect({ wait = false } = {}) {
    this.#wait = wait;
    this.#open();
    return this.#first.promise;
  }

  /** Ends everything: what waits for an answer fails, subscriptions end. */
  async close() {
    const socket = this.#socket;
    this.#end(unavailable('This client was closed.', 'closed', false));
    if (!socket) return;
    const gone = new Promise((resolve) => socket.addEventListener('close', resolve));
    socket.close(1000);
    await gone;
  }

  /**
   * Starts a request.
   * @param {string} method
   * @param {object} [params]
   * @param {{sessionKey?: string, timeoutMs?: number, idempotencyKey?: string|boolean, signal?: AbortSignal}}
   *     [options] timeoutMs: up to 600000
   * @returns {Call}
   */
  request(method, params, { sessionKey, timeoutMs = TIMEOUT_MS, idempotencyKey, signal } = {}) {
    const key = idempotencyKey === true ? randomKey() : idempotencyKey || undefined;
    const call = this.#start({ method, params, sessionKey, timeoutMs, idempotencyKey: key });
    if (signal) {
      const abort = () => call.cancel();
      signal.addEventListener('abort', abort);
      call.finally(() => signal.removeEventListener('abort', abort)).catch(() => {});
      if (signal.aborted) abort();
    }
    return call;
  }

  /**
   * Publishes an event; await it to know its `id` and `seq`. With `to` only that connection gets it.
   * @param {string} event
   * @param {object} [payload]
   * @param {{sessionKey?: string, to?: string, idempotencyKey?: string|boolean}} [options]
   * @returns {Call}
   */
  publish(event, payload, { sessionKey, to, idempotencyKey } = {}) {
    return this.request('events.publish', { event, payload, sessionKey, to }, { idempotencyKey });
  }

  /**
   * Subscribes to events by name, `prefix.*` or `*`, of all sessions or of those named.
   * @param {string|string[]} patterns
   * @param {{sessionKeys?: string[], onEvent?: (event: Event) => void, limit?: number}} [options]
   * @returns {Subscription}
   */
  subscribe(patterns = '*', options = {}) {
    const subscription = new Subscription(this, [patterns].flat(), options);
    this.#subscriptions.push(subscription);
    subscription.ready = this.#refilter(subscription);
    subscription.ready.catch(() => {});
    return subscription;
  }

  /**
   * Offers these methods, and no longer those of an earlier call: none at all ends it.
   * @param {Object<string, Handler>} methods
   * @param {{channels?: string[], concurrency?: number, description?: string}} [options]
   */
  async register(methods, { channels, concurrency, description } = {}) {
    const before = [this.#methods, this.#registration];
    this.#methods = methods;
    this.#registration = { methods: Object.keys(methods), channels, concurrency, description };
    try {
      await this.#register();
    } catch (error) {
      if (error.reason === 'connection-lost') return; // it is made up for after the reconnect
      [this.#methods, this.#registration] = before;
      throw error;
    }
  }

  // --- the connection ---------------------------------------------------------------------------

  #open() {
    const { WebSocket, token, password, caps } = this.#options;
    let refused = null;
    let socket;
    try {
      socket = this.#socket = new WebSocket(this.url, 'lurkbot.v1');
    } catch (error) {
      this.#end(unavailable(`${this.url} cannot be reached: ${error.message}`, 'unreachable', false));
      return;
    }
    const timer = setTimeout(() => socket.close(), HELLO_MS);
    socket.addEventListener('open', () => this.#send(socket, {
      type: 'hello', minProtocol: 1, maxProtocol: 1, client: this.#client, caps,
      auth: token || password ? { token, password } : undefined,
      subscribe: this.#filter(), resume: this.#position ?? undefined,
    }));
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(data);
      if (this.#ws === socket) {
        this.#take(frame);
      } else if (frame.type === 'hello-ok') {
        clearTimeout(timer);
        this.#welcome(socket, frame);
      } else {
        refused = GatewayError.fromWire(frame.error);
      }
    });
    // What went wrong, a browser does not tell; `ws` does.
    socket.addEventListener('error', ({ message }) => {
      if (this.#ws === socket) return;
      const status = Number(/server response: (\d+)/.exec(message ?? '')?.[1]);
      refused ??= unavailable(`${this.url} cannot be reached: ${message || 'no reason given'}`, 'unreachable',
        !status || status === 429 || status >= 500);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      clearTimeout(timer);
      if (this.#socket === socket) this.#socket = null;
      this.#lose(refused ?? unavailable(`The connection was closed with ${code}: ${reason || 'no reason given'}`,
        'connection-lost', code !== 1000 && code !== 1008, { closeCode: code }));
    });
  }

  #welcome(socket, answer) {
    const before = this.#position;
    const { epoch, seq, recovered } = answer.resume;
    this.hello = answer;
    this.#ws = socket;
    this.#since = Date.now();
    if (!before || !recovered) this.#position = { epoch, seq };
    if (before && !recovered) this.#deliver(gap(seq, { recovered: false }));
    for (const call of this.#calls.values()) this.#send(socket, call._frame); // those with a key
    if (this.#registration) this.#registerAgain();
    this.#pump();
    this.#first.resolve(this);
    this.#options.onConnect?.(answer);
  }

  /** Whatever depends on the connection learns that it is gone; then it comes back, or is over. */
  #lose(error) {
    this.#ws = null;
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
    for (const call of this.#calls.values()) {
      if (call._frame.idempotencyKey) continue;
      this.#calls.delete(call._frame.id);
      call._settle(unavailable('The connection was lost before the answer came.', 'connection-lost', true));
    }
    if (this.#error) return;
    if (!error.retryable || !(this.#wait || this.hello)) {
      this.#end(error);
      return;
    }
    if (this.#since && Date.now() - this.#since > STEADY_MS) this.#failures = 0;
    const delay = this.#delay(error);
    this.#since = 0;
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#open(), delay);
    this.#options.onDisconnect?.(error, delay);
  }

  /** Spread at random, so that the clients of a gateway that was restarted do not come all at once. */
  #delay(error) {
    const code = error.details.closeCode;
    if (code === 1012 && this.#failures === 0) return 0;
    const first = code === 1013 ? LATER_DELAY_MS : FIRST_DELAY_MS;
    const longest = Math.min(this.#options.longestDelayMs, first * 2 ** Math.min(this.#failures, 16));
    const shortest = code === 1013 ? longest / 2 : 0;
    return Math.max(shortest + Math.random() * (longest - shortest), error.retryAfterMs ?? 0);
  }

  /** It is over: nobody waits any longer. */
  #end(error) {
    if (this.#error) return;
    this.#error = error;
    clearTimeout(this.#retry);
    for (const call of [...this.#calls.values(), ...this.#line]) call._settle(error);
    this.#calls.clear();
    this.#line = [];
    const asked = error.reason === 'closed';
    for (const subscription of this.#subscriptions) subscription._finish(asked ? null : error);
    for (const running of this.#running.values()) running.abort();
    this.#first.reject(error);
    if (asked) this.#over.resolve();
    else this.#over.reject(error);
  }

  #send(socket, frame) {
    const text = JSON.stringify(frame);
    const largest = this.hello?.policy.maxPayload ?? Infinity;
    if (text.length * 3 > largest && new TextEncoder().encode(text).length > largest) {
      throw new GatewayError('INVALID_REQUEST', `This is larger than the gateway takes (${largest} bytes).`,
        { reason: 'too-large' });
    }
    if (socket.readyState === 1) socket.send(text); // else the event `close` follows
  }

  // --- frames -----------------------------------------------------------------------------------

  #take(frame) {
    const call = this.#calls.get(frame.id);
    if (frame.type === 'event') {
      if (frame.seq !== undefined) this.#position.seq = frame.seq;
      if (frame.event !== 'gateway.position') this.#deliver(frame);
    } else if (frame.type === 'progress') {
      call?._put(frame.payload);
    } else if (frame.type === 'response' && call) {
      this.#calls.delete(frame.id);
      call._settle(frame.error ? GatewayError.fromWire(frame.error) : null, frame.result);
      this.#pump();
    } else if (frame.type === 'request') {
      this.#provide(this.#ws, frame);
    } else if (frame.type === 'cancel') {
      this.#running.get(frame.id)?.abort();
      this.#running.delete(frame.id);
    }
  }

  #deliver(event) {
    for (const subscription of [...this.#subscriptions]) subscription._offer(event);
  }

  // --- requests ---------------------------------------------------------------------------------

  #start(frame, urgent = false) {
    this.#count += 1;
    const call = new Call(this, { id: `r${this.#count}`, type: 'request', ...frame }, urgent);
    if (this.#error) {
      call._settle(this.#error);
      return call;
    }
    const timeoutMs = frame.timeoutMs ?? TIMEOUT_MS;
    call._timer = setTimeout(() => {
      this._cancel(call);
      this.#forget(call, new GatewayError('AGENT_TIMEOUT', `No answer came within ${timeoutMs / 1000} s.`,
        { reason: 'no-answer', retryable: true }));
    }, timeoutMs + GRACE_MS);
    const others = this.#line.findIndex((waiting) => !waiting._urgent);
    this.#line.splice(urgent && others >= 0 ? others : this.#line.length, 0, call);
    this.#pump();
    return call;
  }

  /** Sends what waits, as long as there is a place; two are left to what this file itself has to ask. */
  #pump() {
    while (this.#ws && this.#line.length > 0) {
      const places = Math.max(1, this.hello.policy.maxInFlight - 2);
      if (!this.#line[0]._urgent && this.#calls.size >= places) return;
      const call = this.#line.shift();
      this.#calls.set(call._frame.id, call);
      try {
        this.#send(this.#ws, call._frame);
      } catch (error) { // too large, or no JSON
        this.#forget(call, error);
      }
    }
  }

  #forget(call, error) {
    this.#calls.delete(call._frame.id);
    this.#line = this.#line.filter((other) => other !== call);
    call._settle(error);
    this.#pump();
  }

  _cancel(call) {
    if (this.#ws && this.#calls.has(call._frame.id)) this.#send(this.#ws, { id: call._frame.id, type: 'cancel' });
    else this.#forget(call, cancelled());
  }

  // --- subscriptions ----------------------------------------------------------------------------

  /** What all subscriptions together take; each looks for itself what is its own. */
  #filter() {
    const union = (lists) => [...new Set(lists.flat())].sort();
    const keys = this.#subscriptions.map((s) => s.sessionKeys);
    const all = keys.length === 0 || keys.some((k) => k.length === 0);
    return { events: union(this.#subscriptions.map((s) => s.patterns)), sessionKeys: all ? undefined : union(keys) };
  }

  async #refilter(added) {
    try {
      await this.#first.promise;
      const asked = this.#position.epoch;
      const { seq } = await this.#start({ method: 'events.subscribe', params: this.#filter() }, true);
      const { epoch, seq: own } = this.#position;
      if (asked === epoch) this.#position.seq = Math.max(own, seq); // all before was sent, or not wanted
    } catch (error) {
      if (error.reason === 'connection-lost') return; // the next hello says it
      this.#subscriptions = this.#subscriptions.filter((s) => s !== added);
      added?._finish(error);
      throw error;
    }
  }

  _unsubscribe(subscription) {
    const before = this.#subscriptions.length;
    this.#subscriptions = this.#subscriptions.filter((s) => s !== subscription);
    if (this.#ws && !this.#error && this.#subscriptions.length < before) this.#refilter().catch(() => {});
  }

  // --- methods of one's own ---------------------------------------------------------------------

  async #register() {
    await this.#start({ method: 'provider.register', params: this.#registration }, true);
    if (Object.keys(this.#methods).length === 0) this.#registration = null;
  }

  /** After a reconnect; the gateway may have no room for a moment, or still know the old connection. */
  async #registerAgain() {
    for (let delay = FIRST_DELAY_MS; this.#registration; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
      try {
        await this.#register();
        return;
      } catch (error) {
        if (error.reason === 'connection-lost' || error.reason === 'closed') return;
        console.warn(`the methods were not registered again: ${error.message}`);
        if (!error.retryable) return;
      }
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }

  /** Calls the handler, and sends what becomes of it: one answer, whatever it did. */
  async #provide(socket, { id, method, params = {}, sessionKey, timeoutMs, caller = {} }) {
    const running = new AbortController();
    const say = (frame) => (this.#ws === socket ? this.#send(socket, { id, ...frame }) : undefined);
    const progress = async (payload) => {
      say({ type: 'progress', payload });
      while (this.#ws === socket && socket.bufferedAmount > BUFFERED_BYTES) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const failed = (error) => {
      console.error(`the handler of ${method} failed:`, error);
      return new GatewayError('INTERNAL_ERROR', `The provider of ${method} failed.`, { reason: 'provider-failed' });
    };
    this.#running.set(id, running);
    const answer = { type: 'response' };
    try {
      const handler = Object.hasOwn(this.#methods, method) && this.#methods[method];
      if (!handler) throw new GatewayError('METHOD_NOT_FOUND', `Method not found: ${method}`);
      const result = await handler(params, { method, sessionKey, timeoutMs, caller, progress, signal: running.signal });
      answer.result = result ?? null;
    } catch (error) {
      if (running.signal.aborted) return;
      answer.error = (error instanceof GatewayError ? error : failed(error)).toWire();
    }
    // The caller was told already that the provider is gone, or wanted no answer.
    if (this.#running.get(id) !== running) return;
    this.#running.delete(id);
    try {
      say(answer);
    } catch (error) { // too large, or no JSON
      say({ type: 'response', error: failed(error).toWire() });
    }
  }
}

function randomKey() {
  return Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join('');
}
