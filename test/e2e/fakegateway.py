"""A gateway that does as its client tells it: it closes with any code, forgets positions, leaves requests
unanswered. What it shows is how a client library takes that; it runs in a thread of its own."""

import asyncio
import http
import json
import threading

import websockets

MAX_IN_FLIGHT = 4
MAX_PAYLOAD = 65536


class FakeGateway:
    def __init__(self):
        self.hellos = []
        self.unanswered = 0
        self.cancels = 0
        self._not_yet = 2  # hellos to be refused
        self._held = []
        self._keys = set()
        self._epoch, self._seq, self._forget = 1, 7, False
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set_result, None)
        self._thread.join()

    def _run(self):
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._stop = self._loop.create_future()
        async with websockets.serve(self._client, "127.0.0.1", 0, subprotocols=["lurkbot.v1"],
                                    process_request=self._upgrade) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            self._ready.set()
            await self._stop

    async def _upgrade(self, path, headers):
        return (http.HTTPStatus.FORBIDDEN, [], b"no\n") if path == "/forbidden" else None

    # --- one client ---------------------------------------------------------------------------------

    async def _client(self, ws):
        hello = json.loads(await ws.recv())
        self.hellos.append(hello)
        error = self._refusal(hello.get("auth", {}).get("token"))
        if error:
            await ws.send(json.dumps({"type": "hello-error", "error": error}))
            await ws.close(1008, "hello refused")
            return
        await ws.send(json.dumps(self._hello_ok(hello)))
        asks = {"events.subscribe": self._on_subscribe, "close": self._on_close, "slow": self._on_slow,
                "last hello": self._on_last_hello}
        try:
            async for text in ws:
                frame = json.loads(text)
                if frame["type"] == "cancel":
                    self.cancels += 1
                    await self._answer(ws, frame, error={"code": "UNAVAILABLE", "message": "Cancelled.", "details": {
                        "reason": "cancelled", "retryable": True}})
                elif frame["method"] in asks:
                    await asks[frame["method"]](ws, frame)
                elif frame["method"] != "silent":
                    await self._answer(ws, frame, result=self.cancels)
        except websockets.ConnectionClosed:
            pass

    def _refusal(self, token):
        if token == "bad":
            return {"code": "INVALID_REQUEST", "message": "Authentication failed: this token is unknown",
                    "details": {"reason": "unauthorized", "field": "auth.token"}}
        if token == "not-yet" and self._not_yet > 0:
            self._not_yet -= 1
            return {"code": "NOT_LINKED", "message": "Nobody is there yet.",
                    "details": {"retryable": True, "retryAfterMs": 10}}
        return None

    def _hello_ok(self, hello):
        resume = {}
        if "resume" in hello:
            resume["recovered"] = not self._forget
        if self._forget:
            self._epoch, self._seq, self._forget = self._epoch + 1, 900, False
        return {"type": "hello-ok", "protocol": 1, "features": {"methods": [], "events": []},
                "server": {"version": "0", "host": "fake", "connId": f"{len(self.hellos):08x}"},
                "snapshot": {"sessions": [], "cronJobs": [], "channels": []},
                "policy": {"maxPayload": MAX_PAYLOAD, "maxBufferedBytes": 1048576, "maxInFlight": MAX_IN_FLIGHT,
                           "pingIntervalMs": 30000, "pongTimeoutMs": 10000},
                "resume": {"epoch": f"e{self._epoch}", "seq": self._seq, **resume}}

    @staticmethod
    async def _answer(ws, frame, **answer):
        await ws.send(json.dumps({"id": frame["id"], "type": "response", **answer}))

    async def _on_subscribe(self, ws, frame):
        await self._answer(ws, frame, result={**frame["params"], "seq": self._seq})

    async def _on_last_hello(self, ws, frame):
        hello = self.hellos[-1]
        await self._answer(ws, frame, result=[hello.get("resume"), hello["subscribe"]])

    async def _on_close(self, ws, frame):
        """Sends the events, and closes without an answer; who comes back with the same key is answered."""
        key, params = frame.get("idempotencyKey"), frame["params"]
        if key in self._keys:
            await self._answer(ws, frame, result={})
            return
        if key:
            self._keys.add(key)
        for event in params.get("events", []):
            self._seq = event.get("seq", self._seq)
            await ws.send(json.dumps({"id": "evt_1", "type": "event", "at": 1, **event}))
        self._forget = params.get("forget", False)
        await ws.close(params["code"], "as asked")

    async def _on_slow(self, ws, frame):
        """Answers when as many are there as may be, and whatever the client had sent has been read."""
        self._held.append((frame, len(self._held) + 1))
        if len(self._held) == MAX_IN_FLIGHT - 2:
            asyncio.ensure_future(self._answer_held(ws, await ws.ping()))

    async def _answer_held(self, ws, pong):
        await pong
        held, self._held = self._held, []
        for frame, unanswered in held:
            await self._answer(ws, frame, result={"i": frame["params"]["i"], "unanswered": unanswered})
