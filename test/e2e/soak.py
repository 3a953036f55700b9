"""A soak: clients connect, say hello, publish, subscribe, resume, ask and go, all at random, hour after
hour if need be, and what the gateway uses stays what it was. As a program (`make soak`) it runs for
SOAK_S seconds with SOAK_CLIENTS clients at a time; test_soak.py runs a few seconds of the same code.

The time is cut into rounds. At the end of each all clients go, and what the processes have is
written down; the first rounds warm up. What is held against the gateway:
 - own memory and descriptors of each process, and shared memory, are flat from round to round;
 - who resumes where the events are still there recovers, and sees each event once and in order;
 - each request is answered, and nobody is closed who did nothing wrong;
 - no process dies, and at the end nothing is left.
"""

import asyncio
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import socket
import struct
import sys
import tempfile
import time

import websockets

from chaos import LEEWAY_KB, LOST, Chaos
from gateway import HELLO, SLOW, Client, Gateway, wait_for

NAMES = ("soak.a", "soak.b.c", "session.message")
FILTERS = (None, {"events": ["soak.*"]}, {"events": ["soak.b.*"]}, {"events": []},
           {"events": ["session.*"], "sessionKeys": ["soak:1:main"]})
METHODS = ("health", "status", "connections.list", "events.history", "sessions.list", "methods.list",
           "config.get", "logs.tail")
UPGRADE = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
PATIENCE = 60.0


class Soak:
    """One gateway, and clients without end."""

    def __init__(self, home, seed, clients=40, workers=2, **settings):
        self.random = random.Random(seed)
        # The clients share one process, which a busy machine may hold up for longer than one would be.
        self.gateway = Gateway(home, workers=workers, ring_bytes=32 * 1024 * 1024, **{
            "handshake_timeout_ms": 60000, "pong_timeout_ms": 60000,
            **settings})
        self.clients = clients
        self.faults = []
        self.did = collections.Counter()
        self.positions = []  # (epoch, seq) that somebody may resume from
        self.rounds = []  # what was used at the end of each
        self.ends = 0.0

    def fault(self, text):
        self.faults.append(text)

    def over(self):
        return time.monotonic() >= self.ends

    # --- what a client does -------------------------------------------------------------------

    async def publish(self, client):
        name = self.random.choice(NAMES)
        params = {"event": name, "payload": {"x": "x" * int(10 ** self.random.uniform(0, 4))}}
        if self.random.random() < 0.5:
            params["sessionKey"] = f"soak:{self.random.randrange(200)}:main"
        await client.call("events.publish", params)

    async def subscribe(self, client):
        await client.call("events.subscribe", self.random.choice(FILTERS) or {})

    async def ask(self, client):
        method = self.random.choice(METHODS)
        answer = await client.request(method)
        # Four listings at a time are the limit of a worker.
        if "error" in answer and answer["error"]["code"] not in ("UNAVAILABLE", "METHOD_NOT_FOUND"):
            self.fault(f"{method}: {answer}")

    async def ask_much(self, client):
        await asyncio.gather(*(client.call("health") for _ in range(20)))

    async def ask_nonsense(self, client):
        if (await client.request("no.such.method"))["error"]["code"] != "METHOD_NOT_FOUND":
            self.fault("a method that there is not was found")

    async def wait(self, client):
        await asyncio.sleep(self.random.random() * 0.3)

    async def act(self, client):
        for _ in range(self.random.randrange(1, 15)):
            if self.over():
                return
            what = self.random.choice((self.publish, self.publish, self.subscribe, self.ask,
                                       self.ask_much, self.ask_nonsense, self.wait, self.wait))
            await what(client)
            self.did[what.__name__] += 1

    def check_events(self, client, since):
        """In order, none twice; returns the last position."""
        while not client.events.empty():
            event = client.events.get_nowait()
            if event["event"] == "gateway.gap":
                self.fault(f"a gap: {event}")
            elif event["seq"] < since or (event["seq"] == since and event["event"] !=
                                          "gateway.position"):
                self.fault(f"{event['seq']} after {since}")
            since = max(since, event["seq"])
        return since

    async def leave(self, client):
        how = self.random.choice(("close", "close", "abort", "reset"))
        self.did[how] += 1
        if how == "reset":
            client.ws.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how != "close":
            client.ws.transport.abort()
        await client.close()

    async def session(self):
        """Connects, perhaps where somebody else was, does this and that, and goes."""
        resume = self.random.choice(self.positions) if self.positions and \
            self.random.random() < 0.5 else None
        client = await self.hello(resume)
        before = dict(client.hello_ok["resume"])
        if resume and not before["recovered"]:
            self.fault(f"could not resume at {resume}: {before}")
        await self.act(client)
        if client.closed.done():
            self.fault(f"closed: {client.closed.result()}")
        seq = self.check_events(client, resume[1] if resume else before["seq"])
        self.positions = [*self.positions[-20:], (before["epoch"], seq)]
        await self.leave(client)
        self.did["resumed" if resume else "connected"] += 1

    async def hello(self, resume):
        ws = await websockets.connect(
            self.gateway.url, ssl=self.gateway.ssl, max_size=None, open_timeout=PATIENCE,
            ping_interval=None, close_timeout=1,
            compression=self.random.choice((None, "deflate")))
        hello = {**HELLO, "client": {**HELLO["client"], "id": f"soak-{self.random.randrange(10)}"}}
        if (subscribe := self.random.choice(FILTERS)) is not None:
            hello["subscribe"] = subscribe
        if resume:
            hello["resume"] = {"epoch": resume[0], "seq": resume[1]}
        await ws.send(json.dumps(hello))
        answer = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
        if answer["type"] != "hello-ok":
            raise ConnectionError(f"not welcome: {answer}")
        return Client(ws, answer)

    async def wrong(self):
        """One that never says hello: half a head, nonsense, or a WebSocket that says nothing."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        writer.write(self.random.choice((
            b"GET / HT", self.random.randbytes(100), UPGRADE, UPGRADE + b"\x81\x80\0\0\0\0",
            UPGRADE + b"\x81\xfe\x10", b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")))
        with contextlib.suppress(asyncio.TimeoutError, OSError):
            await asyncio.wait_for(reader.read(65536), 0.2)
        writer.close()
        self.did["wrong"] += 1

    async def client(self):
        while not self.over():
            try:
                await (self.wrong() if self.random.random() < 0.2 else self.session())
            except LOST as error:
                self.fault(f"a client that did nothing wrong: {error!r}")

    # --- rounds -------------------------------------------------------------------------------

    usage, own_memory = Chaos.usage, staticmethod(Chaos.own_memory)

    def workers(self):
        return list(self.gateway.workers().values())

    def quiet(self):
        """No connection but the one that asks."""
        metrics = self.gateway.metrics()
        return sum(v for k, v in metrics.items() if k.startswith("lurkbot_connections{")) <= 1

    async def round(self, seconds):
        self.ends = time.monotonic() + seconds
        await asyncio.wait_for(asyncio.gather(*(self.client() for _ in range(self.clients))),
                               seconds + PATIENCE)
        await asyncio.to_thread(wait_for, self.quiet, "the clients to be gone", PATIENCE)
        self.rounds.append(await asyncio.to_thread(self.usage))

    def judge(self):
        """The last third of the rounds against the first third, of those after the warm-up."""
        rounds = self.rounds[max(1, len(self.rounds) // 10):]
        third = max(1, len(rounds) // 3)
        lines = []
        for what in rounds[0]:
            values = [used[what] for used in rounds]
            early, late = max(values[:third]), max(values[-third:])
            lines.append(f"{what[0]}: {what[1]} {early} at most in the first third, {late} in the last")
            leeway = LEEWAY_KB if what[1] == "own kB" else 0
            if late > early + leeway and (what[1] != "own kB" or SLOW == 1):
                self.fault(f"grown: {lines[-1]}")
        return lines

    async def run(self, seconds, round_s):
        self.gateway.start()
        pids = self.gateway.workers()
        try:
            began = time.monotonic()
            while time.monotonic() - began < seconds:
                await self.round(min(round_s, seconds))
                self.tell(time.monotonic() - began)
            if self.gateway.workers() != pids:
                self.fault("workers were started again")
        finally:
            self.gateway.stop()
            self.gateway.check_clean()
        for line in self.gateway.log().splitlines():
            if re.search(r"killed|Sanitizer|signal \d+ \(|out of memory", line):
                self.fault(f"in the log: {line}")
        return "\n".join([f"{len(self.rounds)} rounds, " + ", ".join(
            f"{count} x {what}" for what, count in sorted(self.did.items())), *self.judge()])

    def tell(self, since_s):
        """A line for who watches."""
        used = self.rounds[-1]
        if os.environ.get("SOAK_TELL"):
            print(f"{since_s:.0f} s: " + ", ".join(f"{k[0]} {k[1]} {v}" for k, v in used.items()) +
                  f"; {len(self.faults)} faults", flush=True)


def main():
    seconds = float(os.environ.get("SOAK_S", "1800"))
    seed = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 10**9)))
    print(f"seed {seed}, {seconds:.0f} s", flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.environ.setdefault("SOAK_TELL", "1")
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(pathlib.Path(folder) / "home", seed,
                    clients=int(os.environ.get("SOAK_CLIENTS", "60")))
        print(asyncio.run(soak.run(seconds, round_s=max(5.0, seconds / 60))))
    for fault in soak.faults[:20]:
        print(f"FAULT: {fault}")
    print(f"{len(soak.faults)} faults")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
