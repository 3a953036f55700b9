"""A client of the LurkBot gateway for asyncio, in one file: copy it, or put its folder in PYTHONPATH.

It needs Python 3.10 and the package `websockets`, 10 or later (Debian: python3-websockets).

    import asyncio
    from lurkbot_gateway import Gateway

    async def main():
        async with Gateway("ws://127.0.0.1:18789", client_id="my-client") as gateway:
            print(await gateway.request("health"))
            await gateway.publish("agent.note", {"text": "Hello!"}, session_key="telegram:1:main")
            async for event in gateway.subscribe("session.*"):
                print(event.seq, event.name, event.payload)

    asyncio.run(main())

Requests.  `request()` starts one at once and returns a Call. `await` it for the result, or iterate over
it for the progress that the other side reports meanwhile, and await it then:

    call = gateway.request("agent.run", {"message": "Hi"}, timeout=120)
    async for part in call:
        print(part["text"], end="")
    print(await call)

`call.cancel()` gives up on it, as does cancelling the task that awaits it. What goes wrong is raised as a
GatewayError, which has `code`, `message`, `details`, `reason`, `retryable` and `retry_after_ms`. A request
waits for the connection where it is away, and in line where the gateway's limit of unanswered requests
(policy.maxInFlight) is reached; its timeout counts from the call on. When the connection is lost it fails
with reason `connection-lost`, since nobody knows whether it ran; with `idempotency_key` (True, or a text of
your own) it is sent again after the reconnect, and the gateway sees to it that it runs once.

Events.  A client gets only what it subscribed to; several subscriptions may overlap. Iterate over one, or
give it `on_event`, a function that must not wait. `async with gateway.subscribe(...) as events:` begins when
the gateway has taken the subscription, and ends it. What could not be delivered is told in its place, by an
event named `gateway.gap`: its payload has `from` and `to` (numbers of lost events), or `recovered: False`
where the gateway no longer knows this client's position; then start over from `gateway.snapshot`. So does a
subscription that is not read until `limit` events wait in it: these are dropped, and told as a gap.

Providers.  `register()` offers methods to all clients of the gateway. A handler gets `params`, a dict, and a
ProviderRequest with `caller`, `session_key`, `timeout_ms`, `progress()`; what it returns (a JSON value) is
the result, a GatewayError that it raises is the error. When nobody wants the answer any more its task is
cancelled: asyncio.CancelledError is raised where it waits.

    async def run(params, request):
        await request.progress({"text": "thinking"})
        return {"text": params["message"].upper()}

    await gateway.register({"agent.run": run})
    await gateway.wait_closed()

Reconnecting.  A lost connection comes back by itself, at once where the gateway says that it restarts (close
code 1012), later where it has no room (1013), else after a random time that grows to 30 s; methods and
subscriptions are there again, and the missed events are sent. It does not come back where that is in vain
(1008: bad hello or token) or unwanted (1000): then everything raises, `wait_closed()` too. Pings are answered
and sent by `websockets`. The protocol: lurkbot-protocol(7).
"""

from __future__ import annotations

import asyncio
import collections
import json
import logging
import random
import sys
import uuid
from dataclasses import dataclass
from typing import Any, AsyncIterator, Awaitable, Callable, Iterable, Mapping

import websockets

__all__ = ["Call", "Event", "Gateway", "GatewayError", "ProviderRequest", "Subscription"]

log = logging.getLogger("lurkbot_gateway")

DEFAULT_URL = "ws://127.0.0.1:18789"
TIMEOUT_S = 30.0  # of a request, as in the protocol
GRACE_S = 5.0  # the gateway's own answer to a timeout comes first
HELLO_S = 10.0
FIRST_DELAY_S, LATER_DELAY_S, LONGEST_DELAY_S = 0.25, 5.0, 30.0
STEADY_S = 5.0  # a connection that lived so long was a good one
LARGEST_BYTES = 64 * 1024 * 1024  # of a frame that is taken

Handler = Callable[[Any, "ProviderRequest"], Awaitable[Any]]


class GatewayError(Exception):
    """What went wrong, in the gateway's words (lurkbot-protocol(7), Errors)."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = dict(details or {})

    @property
    def reason(self) -> str | None:
        """A stable word, such as `forbidden` or `provider-gone`."""
        return self.details.get("reason")

    @property
    def field(self) -> str | None:
        """The parameter that was wrong, such as `params.limit`."""
        return self.details.get("field")

    @property
    def retryable(self) -> bool:
        return bool(self.details.get("retryable"))

    @property
    def retry_after_ms(self) -> int | None:
        return self.details.get("retryAfterMs")

    @classmethod
    def from_wire(cls, error: Mapping[str, Any]) -> "GatewayError":
        return cls(error.get("code", "INTERNAL_ERROR"), error.get("message", ""), error.get("details"))

    def to_wire(self) -> dict:
        return {"code": self.code, "message": self.message, "details": self.details}


def _unavailable(message: str, reason: str, retryable: bool, **details: Any) -> GatewayError:
    return GatewayError("UNAVAILABLE", message, {"reason": reason, "retryable": retryable, **details})


@dataclass(frozen=True)
class Event:
    """One event. `seq` is its place in the order of all, None where it was sent to this client alone."""

    name: str
    payload: Any = None
    session_key: str | None = None
    seq: int | None = None
    at: int | None = None
    id: str | None = None


class _Stream:
    """Things that arrive, for one reader, and then an end: None, or an error that is raised there."""

    def __init__(self) -> None:
        self._things: collections.deque = collections.deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._end: Exception | None = None

    def _put(self, thing: Any) -> None:
        self._things.append(thing)
        self._changed.set()

    def _finish(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended, self._end = True, error
            self._changed.set()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._things:
            if self._ended:
                if self._end:
                    raise self._end
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._things.popleft()


class Call(_Stream):
    """A request under way: await it for the result, iterate over it for its progress."""

    def __init__(self, gateway: "Gateway", frame: dict):
        super().__init__()
        self.id: str = frame["id"]
        self._gateway = gateway
        self._frame = frame
        self._lost = asyncio.Event()  # the connection that it was sent on is gone
        self._result: asyncio.Future = asyncio.get_running_loop().create_future()
        self._result.add_done_callback(lambda f: f.cancelled() or f.exception())  # looked at or not

    def done(self) -> bool:
        return self._result.done()

    def cancel(self) -> None:
        """Gives up: the call then fails with the reason `cancelled`, unless it was answered meanwhile."""
        if not self.done():
            self._gateway._cancel(self)

    def __await__(self):
        return self._wait().__await__()

    async def _wait(self) -> Any:
        try:
            return await asyncio.shield(self._result)
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _settle(self, result: Any = None, error: Exception | None = None) -> None:
        if self.done():
            return
        if error:
            self._result.set_exception(error)
        else:
            self._result.set_result(result)
        self._finish(error)
        self._lost.set()


class Subscription(_Stream):
    """Events that match; iterate over it. It ends with close(), or with the client."""

    def __init__(self, gateway: "Gateway", patterns: Iterable[str], session_keys: Iterable[str],
                 on_event: Callable[[Event], Any] | None, limit: int):
        super().__init__()
        self.patterns = tuple(patterns)
        self.session_keys = frozenset(session_keys)
        self._gateway = gateway
        self._on_event = on_event
        self._limit = limit
        self._taken = gateway._spawn(gateway._refilter(self))

    async def ready(self) -> "Subscription":
        """Waits until the gateway has taken the subscription; raises what it has against it."""
        await asyncio.shield(self._taken)
        return self

    def close(self) -> None:
        self._gateway._unsubscribe(self)
        self._finish(None)

    async def __aenter__(self) -> "Subscription":
        return await self.ready()

    async def __aexit__(self, *_: Any) -> None:
        self.close()

    def _takes(self, event: Event) -> bool:
        if event.name == "gateway.gap":
            return True
        if self.session_keys and event.session_key not in self.session_keys:
            return False
        return any(pattern in ("*", event.name) or
                   pattern.endswith(".*") and event.name.startswith(pattern[:-1])
                   for pattern in self.patterns)

    def _offer(self, event: Event) -> None:
        if self._ended or not self._takes(event):
            return
        if self._on_event:
            try:
                self._on_event(event)
            except Exception:
                log.exception("on_event failed at %s", event.name)
            return
        if len(self._things) >= self._limit:
            lost = [e.seq for e in self._things if e.seq is not None]
            self._things.clear()
            if lost:
                self._put(Event("gateway.gap", {"from": lost[0], "to": lost[-1]}, seq=lost[-1]))
        self._put(event)


class ProviderRequest:
    """What a handler is told of the request that it answers, besides its params."""

    def __init__(self, gateway: "Gateway", ws: Any, frame: Mapping[str, Any]):
        self.id: str = frame["id"]
        self.method: str = frame["method"]
        self.session_key: str | None = frame.get("sessionKey")
        self.timeout_ms: int | None = frame.get("timeoutMs")
        self.caller: dict = frame.get("caller") or {}
        self._gateway = gateway
        self._ws = ws

    async def progress(self, payload: Any) -> None:
        """Tells the caller something before the answer."""
        await self._gateway._send(self._ws, {"id": self.id, "type": "progress", "payload": payload})


class Gateway:
    """A connection to the gateway that comes back. Options that are not named here go to websockets.connect
    (`ssl`, `compression`, `origin`, …). `on_connect(hello_ok)` is called after each hello,
    `on_disconnect(error, delay_s)` when the connection is lost and comes back after delay_s, which is
    `longest_delay_s` at most."""

    def __init__(self, url: str = DEFAULT_URL, *, client_id: str, display_name: str | None = None,
                 version: str = "1.0.0", platform: str = sys.platform, mode: str = "app",
                 caps: Iterable[str] = (), token: str | None = None, password: str | None = None,
                 on_connect: Callable[[dict], Any] | None = None,
                 on_disconnect: Callable[[GatewayError, float], Any] | None = None,
                 longest_delay_s: float = LONGEST_DELAY_S,
                 **websocket_options: Any):
        self.url = url
        self.hello: dict = {}  # the last hello-ok
        client = {"id": client_id, "displayName": display_name, "version": version,
                  "platform": platform, "mode": mode}
        self._client = {k: v for k, v in client.items() if v is not None}
        self._caps = list(caps)
        self._auth = {k: v for k, v in (("token", token), ("password", password)) if v}
        self._on_connect, self._on_disconnect = on_connect, on_disconnect
        self._longest_delay_s = longest_delay_s
        self._options = {"subprotocols": ["lurkbot.v1"], "max_size": LARGEST_BYTES, **websocket_options}
        self._ws: Any = None  # while hello-ok holds
        self._epoch: str | None = None
        self._position = 0
        self._calls: dict[str, Call] = {}
        self._count = 0
        self._slots: asyncio.Semaphore | None = None
        self._subscriptions: list[Subscription] = []
        self._methods: dict[str, Handler] = {}
        self._registration: dict | None = None
        self._running: dict[str, asyncio.Task] = {}  # of handlers
        self._tasks: set[asyncio.Task] = set()
        self._task: asyncio.Task | None = None
        self._error: GatewayError | None = None  # why it is over
        self._up = asyncio.Event()  # there is a connection, or there will be none
        self._over = asyncio.Event()
        self._since: float | None = None  # of the last hello-ok

    # --- life -------------------------------------------------------------------------------------

    async def connect(self, wait: bool = False) -> "Gateway":
        """Connects and says hello; raises a GatewayError where that fails. With `wait` it goes on trying as
        long as that makes sense, for a program that may be started before the gateway."""
        self._task = asyncio.ensure_future(self._run(wait))
        await self._connected()
        return self

    async def close(self) -> None:
        """Ends everything: what waits for an answer fails, subscriptions end."""
        self._end(_unavailable("This client was closed.", "closed", False))
        if self._ws:
            await self._ws.close()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait_closed(self) -> None:
        """Returns when close() was called; raises when the connection has ended and does not come back."""
        await self._over.wait()
        if self._error and self._error.reason != "closed":
            raise self._error

    async def __aenter__(self) -> "Gateway":
        return self if self._task else await self.connect()

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    @property
    def conn_id(self) -> str:
        return self.hello["server"]["connId"]

    @property
    def snapshot(self) -> dict:
        """Sessions, cron jobs and channels as of the last hello."""
        return self.hello["snapshot"]

    # --- what a client does -----------------------------------------------------------------------

    def request(self, method: str, params: Mapping[str, Any] | None = None, *,
                session_key: str | None = None, timeout: float = TIMEOUT_S,
                idempotency_key: str | bool | None = None) -> Call:
        """Starts a request. `timeout` is in seconds, up to 600."""
        key = uuid.uuid4().hex if idempotency_key is True else idempotency_key or None
        frame = {"method": method, "params": params, "sessionKey": session_key,
                 "timeoutMs": max(1, round(timeout * 1000)), "idempotencyKey": key}
        return self._start(frame)

    def publish(self, event: str, payload: Mapping[str, Any] | None = None, *, session_key: str | None = None,
                to: str | None = None, idempotency_key: str | bool | None = None) -> Call:
        """Publishes an event; await it to know its `id` and `seq`. With `to` only that connection gets it."""
        params = {"event": event, "payload": payload, "sessionKey": session_key, "to": to}
        return self.request("events.publish", {k: v for k, v in params.items() if v is not None},
                            idempotency_key=idempotency_key)

    def subscribe(self, *patterns: str, session_keys: Iterable[str] = (),
                  on_event: Callable[[Event], Any] | None = None, limit: int = 10000) -> Subscription:
        """Subscribes to events by name, `prefix.*` or `*`, of all sessions or of those named."""
        subscription = Subscription(self, patterns or ("*",), session_keys, on_event, limit)
        self._subscriptions.append(subscription)
        return subscription

    async def register(self, methods: Mapping[str, Handler], *, channels: Iterable[str] = (),
                       concurrency: int | None = None, description: str | None = None) -> None:
        """Offers these methods, and no longer those of an earlier call: none at all ends it."""
        params = {"methods": list(methods), "channels": list(channels) or None,
                  "concurrency": concurrency, "description": description}
        before = self._methods, self._registration
        self._methods = dict(methods)
        self._registration = {k: v for k, v in params.items() if v is not None}
        try:
            await self._register()
        except GatewayError as error:
            if error.reason != "connection-lost":  # else it is made up for after the reconnect
                self._methods, self._registration = before
                raise

    # --- the connection ---------------------------------------------------------------------------

    async def _run(self, patient: bool) -> None:
        """Connects again and again, until that is in vain."""
        loop, failures = asyncio.get_running_loop(), 0
        while not self._error:
            self._since = None
            try:
                error = await self._session()
            except Exception as defect:  # of this file, or of a callback
                log.exception("the client failed")
                error = GatewayError("INTERNAL_ERROR", f"The client failed: {defect!r}")
            if self._error:
                return
            if not error.retryable or not (patient or self.hello):
                self._end(error)
                return
            if self._since and loop.time() - self._since > STEADY_S:
                failures = 0
            delay = self._delay_s(error, failures)
            failures += 1
            if self._on_disconnect:
                self._on_disconnect(error, delay)
            await asyncio.sleep(delay)

    def _delay_s(self, error: GatewayError, failures: int) -> float:
        """Spread at random, so that the clients of a gateway that was restarted do not come all at once."""
        code = error.details.get("closeCode")
        if code == 1012 and failures == 0:
            return 0.0
        first = LATER_DELAY_S if code == 1013 else FIRST_DELAY_S
        longest = min(self._longest_delay_s, first * 2 ** min(failures, 16))
        shortest = longest / 2 if code == 1013 else 0.0
        return max(random.uniform(shortest, longest), (error.retry_after_ms or 0) / 1000)

    async def _session(self) -> GatewayError:
        """One connection from beginning to end; returns why it ended."""
        try:
            ws = await websockets.connect(self.url, **self._options)
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            return _refused(self.url, error)
        try:
            await self._say_hello(ws)
            while True:
                self._take(ws, json.loads(await ws.recv()))
        except GatewayError as error:  # of the hello
            return error
        except asyncio.TimeoutError:
            return _unavailable("The gateway does not answer the hello.", "connection-lost", True)
        except websockets.ConnectionClosed:
            return _unavailable(
                f"The connection was closed with {ws.close_code}: {ws.close_reason or 'no reason given'}",
                "connection-lost", ws.close_code not in (1000, 1008), closeCode=ws.close_code)
        finally:
            self._lose()
            await ws.close()

    async def _say_hello(self, ws: Any) -> None:
        hello = {"type": "hello", "minProtocol": 1, "maxProtocol": 1, "client": self._client,
                 "caps": self._caps, "subscribe": self._filter()}
        if self._auth:
            hello["auth"] = self._auth
        if self._epoch:
            hello["resume"] = {"epoch": self._epoch, "seq": self._position}
        await self._send(ws, hello)
        answer = json.loads(await asyncio.wait_for(ws.recv(), HELLO_S))
        if answer.get("type") != "hello-ok":
            raise GatewayError.from_wire(answer.get("error") or {})
        self._welcome(ws, answer)

    def _welcome(self, ws: Any, answer: dict) -> None:
        resume, came_back = answer["resume"], self._epoch is not None
        self.hello = answer
        self._slots = self._slots or asyncio.Semaphore(max(1, answer["policy"]["maxInFlight"] - 2))
        self._ws, self._since = ws, asyncio.get_running_loop().time()
        if not (came_back and resume.get("recovered")):
            self._epoch, self._position = resume["epoch"], resume["seq"]
        if came_back and not resume.get("recovered"):
            self._deliver(Event("gateway.gap", {"recovered": False}, seq=resume["seq"]))
        if self._registration:
            self._spawn(self._register_again())
        self._up.set()
        if self._on_connect:
            self._on_connect(answer)

    def _lose(self) -> None:
        """Whatever depends on the connection learns that it is gone."""
        self._ws = None
        if not self._error:
            self._up.clear()
        for task in self._running.values():
            task.cancel()
        self._running.clear()
        for call in list(self._calls.values()):
            if call._frame.get("idempotencyKey"):
                call._lost.set()
            else:
                call._settle(error=_unavailable("The connection was lost before the answer came.",
                                                "connection-lost", True))
        self._calls.clear()

    def _end(self, error: GatewayError) -> None:
        """It is over: nobody waits any longer."""
        if self._error:
            return
        self._error = error
        for call in list(self._calls.values()):
            call._settle(error=error)
        for subscription in self._subscriptions:
            subscription._finish(None if error.reason == "closed" else error)
        for task in self._running.values():
            task.cancel()
        self._up.set()
        self._over.set()

    async def _connected(self) -> Any:
        """The connection, as soon as there is one; raises where there will be none."""
        while True:
            await self._up.wait()
            if self._error:
                raise self._error
            if self._ws:
                return self._ws

    async def _send(self, ws: Any, frame: Mapping[str, Any]) -> None:
        text = json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        largest = self.hello["policy"]["maxPayload"] if self.hello else LARGEST_BYTES
        if len(text) > largest // 4 and len(text.encode()) > largest:
            raise GatewayError("INVALID_REQUEST", f"This is larger than the gateway takes ({largest} bytes).",
                               {"reason": "too-large"})
        try:
            await ws.send(text)
        except websockets.ConnectionClosed:
            pass  # whoever reads from it finds out, and says why

    def _spawn(self, coroutine: Any) -> asyncio.Task:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)  # or it could be collected while it runs
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        return task

    # --- frames -----------------------------------------------------------------------------------

    def _take(self, ws: Any, frame: dict) -> None:
        kind, id = frame.get("type"), frame.get("id")
        if kind == "event":
            if frame.get("seq") is not None:
                self._position = frame["seq"]
            if frame["event"] != "gateway.position":
                self._deliver(Event(frame["event"], frame.get("payload"), frame.get("sessionKey"),
                                    frame.get("seq"), frame.get("at"), id))
        elif kind == "progress" and id in self._calls:
            self._calls[id]._put(frame.get("payload"))
        elif kind == "response" and id in self._calls:
            error = frame.get("error")
            self._calls.pop(id)._settle(frame.get("result"), GatewayError.from_wire(error) if error else None)
        elif kind == "request":
            self._running[id] = self._spawn(self._handle(ws, frame))
            self._spawn(self._answer(ws, frame, self._running[id]))
        elif kind == "cancel" and id in self._running:
            self._running.pop(id).cancel()

    def _deliver(self, event: Event) -> None:
        for subscription in list(self._subscriptions):
            subscription._offer(event)

    # --- requests ---------------------------------------------------------------------------------

    def _start(self, frame: dict, urgent: bool = False) -> Call:
        self._count += 1
        frame = {"id": f"r{self._count}", "type": "request", **frame}
        call = Call(self, {k: v for k, v in frame.items() if v is not None})
        self._spawn(self._perform(call, urgent))
        return call

    async def _perform(self, call: Call, urgent: bool) -> None:
        timeout = call._frame.get("timeoutMs", TIMEOUT_S * 1000) / 1000
        try:
            await asyncio.wait_for(self._exchange(call, urgent), timeout + GRACE_S)
        except asyncio.TimeoutError:
            call.cancel()
            call._settle(error=GatewayError("AGENT_TIMEOUT", f"No answer came within {timeout:g} s.",
                                            {"reason": "no-answer", "retryable": True}))
        except Exception as error:
            call._settle(error=error)
        finally:
            self._calls.pop(call.id, None)

    async def _exchange(self, call: Call, urgent: bool) -> None:
        await self._connected()
        if urgent:
            await self._ask(call)
        else:
            async with self._slots:
                await self._ask(call)

    async def _ask(self, call: Call) -> None:
        """Sends the request, and again after a reconnect, until it is settled."""
        while not call.done():
            ws = await self._connected()
            if call.done():  # cancelled meanwhile
                return
            call._lost.clear()
            self._calls[call.id] = call
            await self._send(ws, call._frame)
            await call._lost.wait()

    def _cancel(self, call: Call) -> None:
        if call.id in self._calls and self._ws:
            self._spawn(self._send(self._ws, {"id": call.id, "type": "cancel"}))
        else:  # it was not sent yet, or its connection is gone
            call._settle(error=_unavailable("The request was cancelled.", "cancelled", True))

    # --- subscriptions ----------------------------------------------------------------------------

    def _filter(self) -> dict:
        """What all subscriptions together take; each looks for itself what is its own."""
        events = sorted({p for s in self._subscriptions for p in s.patterns})
        keys = [s.session_keys for s in self._subscriptions]
        if keys and all(keys):
            return {"events": events, "sessionKeys": sorted(frozenset().union(*keys))}
        return {"events": events}

    async def _refilter(self, new: Subscription | None = None) -> None:
        try:
            await self._connected()
            epoch = self._epoch
            answer = await self._start({"method": "events.subscribe", "params": self._filter()}, urgent=True)
            if epoch == self._epoch:
                self._position = max(self._position, answer["seq"])  # all before was sent, or not wanted
        except GatewayError as error:
            if error.reason == "connection-lost":
                return  # the next hello says it
            if new in self._subscriptions:
                self._subscriptions.remove(new)
                new._finish(error)
            raise

    def _unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            if self._ws and not self._error:  # else the next hello says it
                self._spawn(self._refilter())

    # --- methods of one's own ---------------------------------------------------------------------

    async def _register(self) -> None:
        await self._start({"method": "provider.register", "params": self._registration}, urgent=True)
        if not self._methods:
            self._registration = None

    async def _register_again(self) -> None:
        """After a reconnect; the gateway may have no room for a moment, or still know the old connection."""
        delay_s = FIRST_DELAY_S
        while self._registration:
            try:
                return await self._register()
            except GatewayError as error:
                log.warning("the methods were not registered again: %s", error)
                if not error.retryable or error.reason == "connection-lost":
                    return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _handle(self, ws: Any, frame: dict) -> Any:
        handler = self._methods.get(frame["method"])
        if not handler:
            raise GatewayError("METHOD_NOT_FOUND", f"Method not found: {frame['method']}")
        return await handler(frame.get("params", {}), ProviderRequest(self, ws, frame))

    async def _answer(self, ws: Any, frame: dict, handling: asyncio.Task) -> None:
        """Sends what becomes of a handler: one answer, whatever it did."""
        answer: dict = {"id": frame["id"], "type": "response"}
        failed = GatewayError("INTERNAL_ERROR", f"The provider of {frame['method']} failed.",
                              {"reason": "provider-failed"}).to_wire()
        try:
            answer["result"] = await handling
        except asyncio.CancelledError:
            answer["error"] = _unavailable("The request was cancelled.", "cancelled", True).to_wire()
        except GatewayError as error:
            answer["error"] = error.to_wire()
        except Exception:
            log.exception("the handler of %s failed", frame["method"])
            answer["error"] = failed
        if self._ws is not ws or not self._running.pop(frame["id"], None):
            return  # the caller was told already that the provider is gone, or wanted no answer
        try:
            await self._send(ws, answer)
        except (GatewayError, TypeError, ValueError) as error:  # too large, or no JSON
            log.error("the answer of %s cannot be sent: %s", frame["method"], error)
            await self._send(ws, {"id": frame["id"], "type": "response", "error": failed})


def _refused(url: str, error: Exception) -> GatewayError:
    """Why there is no connection, and whether another attempt makes sense."""
    status = getattr(error, "status_code", None)  # websockets 10
    status = status or getattr(getattr(error, "response", None), "status_code", None)
    if status:
        why = {401: "the token is not known", 403: "this origin or address may not connect"}.get(status)
        return _unavailable(f"{url} refused the connection: HTTP {status}" + (f", {why}" if why else ""),
                            "refused", status == 429 or status >= 500, httpStatus=status)
    retryable = isinstance(error, (OSError, asyncio.TimeoutError, websockets.InvalidHandshake))
    return _unavailable(f"{url} cannot be reached: {error}", "unreachable", retryable)
