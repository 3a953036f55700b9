"""Providers and callers for the tests of routing: who sits on which worker, who was given what."""

import asyncio
import contextlib
import json

import websockets

from gateway import PATIENCE, Client, connect


async def worker_of(client, conn_id=None):
    """The worker that a connection is on, as connections.list says."""
    wanted, cursor = conn_id or client.conn_id, {}
    while True:
        page = await client.call("connections.list", {"limit": 200, **cursor})
        for connection in page["connections"]:
            if connection["connId"] == wanted:
                return connection["worker"]
        cursor = {"cursor": page["nextCursor"]}


async def connect_on(gateway, worker, attempts=200, **options):
    """A client on this worker: who of them accepts is not ours to say, so others are tried and let go."""
    tried = []
    try:
        for _ in range(attempts):
            client = await connect(gateway, **options)
            if await worker_of(client) == worker:
                return client
            tried.append(client)
        raise AssertionError(f"no connection of {attempts} came to worker {worker}")
    finally:
        await asyncio.gather(*(client.close() for client in tried))


class Provider:
    """A connection that registered, and what it was given. `handle` is a coroutine (provider, request)
    that returns a result, raises Refusal, or awaits for ever."""

    def __init__(self, client, handle=None):
        self.client = client
        self.conn_id = client.conn_id
        self.handle = handle or self.hold
        self.requests = []
        self.cancelled = []
        self.answers = []
        self.held = {}
        self.running = self.most = 0
        self.more = asyncio.Condition()
        self.tasks = set()
        self.pump = asyncio.ensure_future(self._pump())

    @classmethod
    async def start(cls, gateway, methods, handle=None, worker=None, **more):
        client = await (connect(gateway) if worker is None else connect_on(gateway, worker))
        provider = cls(client, handle)
        await client.call("provider.register", {"methods": methods, **more})
        return provider

    async def _pump(self):
        while True:
            frame = await self.client.events.get()
            if frame["type"] == "request":
                self.requests.append(frame)
                task = asyncio.ensure_future(self._serve(frame))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            elif frame["type"] == "cancel":
                self.cancelled.append(frame["id"])
            elif frame["type"] == "response":
                self.answers.append(frame)
            async with self.more:
                self.more.notify_all()

    async def _serve(self, frame):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            answer = {"result": await self.handle(self, frame)}
        except Refusal as refusal:
            answer = {"error": refusal.error}
        finally:
            self.running -= 1
        with contextlib.suppress(websockets.ConnectionClosed):
            await self.send({"type": "response", "id": frame["id"], **answer})

    async def hold(self, provider, frame):
        """Answers when the test says so, by release()."""
        future = self.held[frame["id"]] = asyncio.get_running_loop().create_future()
        return await future

    def release(self, frame, result=None):
        self.held.pop(frame["id"]).set_result(result)

    async def send(self, frame):
        await self.client.ws.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def until(self, condition):
        async with self.more:
            await asyncio.wait_for(self.more.wait_for(condition), PATIENCE)

    async def given(self, count):
        await self.until(lambda: len(self.requests) >= count)
        return self.requests

    async def close(self):
        self.pump.cancel()
        for task in self.tasks:
            task.cancel()
        await self.client.close()


class Refusal(Exception):
    def __init__(self, code, message, **details):
        super().__init__(message)
        self.error = {"code": code, "message": message, "details": details}


async def echo(provider, request):
    """Says who answered, and what was asked."""
    return {"by": provider.conn_id, "params": request.get("params"), "request": request}


async def until(client, condition, what):
    """Asks status until the condition holds of it."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        status = await client.call("status")
        if condition(status):
            return status
        assert asyncio.get_running_loop().time() < deadline, f"in vain: {what}: {status}"
        await asyncio.sleep(0.02)


class RawClient(Client):
    """A client that also keeps the text of what it is sent."""

    def __init__(self, ws, hello_ok):
        self.texts = asyncio.Queue()
        super().__init__(ws, hello_ok)

    async def _read(self):
        try:
            async for text in self.ws:
                self.texts.put_nowait(text)
        except websockets.ConnectionClosed:
            pass
        self.closed.set_result((self.ws.close_code, self.ws.close_reason))

    async def text(self):
        return await asyncio.wait_for(self.texts.get(), PATIENCE)
