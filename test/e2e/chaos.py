"""Chaos: workers are killed and stopped all the time, clients come and go, and every event is
accounted for. As a program (`make chaos`) it runs for CHAOS_S seconds with a fault each
KILL_EVERY_S; test_chaos.py runs a number of faults of the same code.

What is held against the gateway:
 - each event that was acknowledged stands in the stream, once, under the seq that was answered;
 - each follower, whatever its subscription, sees exactly what it takes of the stream, in order,
   nothing missing and nothing twice, however often its worker dies: it resumes;
 - an event that was not acknowledged stands there once or not at all;
 - some worker answers throughout, and nobody dies but those that were killed;
 - at the end shared memory, descriptors and memory are what they were before.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import signal
import socket
import struct
import sys
import tempfile
import time

import websockets

from gateway import HELLO, Gateway, connect, processes_of, wait_for

NAMES = ["chaos.a", "chaos.b", "chaos.c.d"]
KEYS = [None, "k:1", "k:2"]
SUBSCRIPTIONS = [
    {"events": ["chaos.*"]},
    {"events": ["chaos.a"]},
    {"events": ["chaos.c.*", "chaos.b"]},
    {"events": ["chaos.*"], "sessionKeys": ["k:1"]},
]
LOST = (OSError, ConnectionError, websockets.WebSocketException, asyncio.TimeoutError, EOFError)
PATIENCE = 60.0
LEEWAY_KB = 5 * 1024  # that a worker's buffers may keep of the largest batch and answer so far


def takes(subscription, event):
    """Whether the event passes the filter (PROTOCOL section 5)."""
    name, key = event["event"], event.get("sessionKey")
    if subscription.get("sessionKeys") and key not in subscription["sessionKeys"]:
        return False
    return any(p == name or p == "*" or p.endswith(".*") and name.startswith(p[:-1])
               for p in subscription["events"])


class Stream:
    """What is known of the stream: the content of each seq, from whoever saw it first."""

    def __init__(self):
        self.events = {}
        self.acknowledged = {}
        self.faults = []

    def fault(self, text):
        self.faults.append(text)

    def saw(self, event):
        content = (event["event"], event.get("sessionKey"), event["payload"]["p"],
                   event["payload"]["i"])
        if self.events.setdefault(event["seq"], content) != content:
            self.fault(f"seq {event['seq']} is {content} and {self.events[event['seq']]}")

    def check(self, followers, end):
        """Holds what the followers saw against each other and against the answers."""
        for seq, content in self.acknowledged.items():
            if self.events.get(seq) != content:
                self.fault(f"acknowledged {content} as {seq}, which is {self.events.get(seq)}")
        if len(set(self.events.values())) != len(self.events):
            self.fault("an event stands in the stream twice")
        for f in followers:
            wanted = [s for s in sorted(self.events) if f.first < s <= end and
                      takes(f.subscription, {"event": self.events[s][0],
                                             "sessionKey": self.events[s][1]})]
            if f.seen != wanted:
                missing, more = set(wanted) - set(f.seen), set(f.seen) - set(wanted)
                self.fault(f"follower {f.number} {f.subscription}: missing {sorted(missing)[:5]}, "
                           f"beyond {sorted(more)[:5]}, of {len(wanted)}")


class Follower:
    """A subscriber that comes back with its position whenever it is cut off."""

    def __init__(self, chaos, number):
        self.chaos, self.number = chaos, number
        self.subscription = SUBSCRIPTIONS[number % len(SUBSCRIPTIONS)]
        self.first = self.position = chaos.first_seq
        self.seen = []
        self.sessions = 0
        self.is_lazy = number % 8 == 7
        self.told = asyncio.Event()

    async def hello(self):
        ws = await websockets.connect(self.chaos.gateway.url, ssl=self.chaos.gateway.ssl, compression=None,
                                      max_size=None, open_timeout=10, ping_interval=None, close_timeout=1)
        await ws.send(json.dumps({
            **HELLO, "client": {**HELLO["client"], "id": f"follower-{self.number}"},
            "subscribe": self.subscription,
            "resume": {"epoch": self.chaos.epoch, "seq": self.position}}))
        answer = json.loads(await asyncio.wait_for(ws.recv(), 10))
        if answer["type"] != "hello-ok" or not answer["resume"]["recovered"]:
            self.chaos.stream.fault(f"follower {self.number} at {self.position}: {answer}")
        return ws

    def take(self, event):
        if event["event"] == "gateway.position":
            self.position = max(self.position, event["seq"])
        elif event["event"] == "gateway.gap":
            self.chaos.stream.fault(f"follower {self.number} was told of a gap: {event}")
        elif event["seq"] <= self.position:
            self.chaos.stream.fault(f"follower {self.number}: {event['seq']} after {self.position}")
        else:
            self.chaos.stream.saw(event)
            self.seen.append(event["seq"])
            self.position = event["seq"]

    def is_done(self):
        return self.chaos.end is not None and self.position >= self.chaos.end

    async def run(self):
        while not self.is_done():
            with contextlib.suppress(*LOST):
                ws = await self.hello()
                self.sessions += 1
                await self.listen(ws)
                await ws.close()

    async def listen(self, ws):
        """Until it is cut off, or has seen all; one that is lazy looks away at times."""
        while not self.is_done():
            try:
                frame = json.loads(await asyncio.wait_for(ws.recv(), 0.5))
            except asyncio.TimeoutError:
                if time.monotonic() > self.chaos.stopped_until:
                    continue
                with contextlib.suppress(*LOST):  # its worker may stand still: who knows
                    await asyncio.wait_for(await ws.ping(), 10)
                continue
            self.take(frame)
            if self.is_lazy and self.chaos.random.random() < 0.002:
                await asyncio.sleep(self.chaos.random.random())


class Chaos:
    """One gateway, its clients, and what happens to them."""

    def __init__(self, home, seed, followers=24, publishers=6, pause=0.02):
        self.random = random.Random(seed)
        self.gateway = Gateway(home, workers=4, ring_bytes=32 * 1024 * 1024,
                               position_interval_ms=1000)
        self.counts = {"followers": followers, "publishers": publishers}
        self.pause = pause
        self.stream = Stream()
        self.end = None
        self.stopping = False
        self.stopped = {}  # pid: when it goes on, None for never
        self.stopped_until = 0.0
        self.kills = self.stops = self.pauses = self.spared = self.probes = self.failed_probes = 0
        self.longest_silence = 0.0
        self.calls = 0

    # --- clients ------------------------------------------------------------------------------

    async def dial(self):
        """A client that is sent no events."""
        return await connect(self.gateway, {"events": []})

    async def publish(self, number):
        """Publishes one event after the other; what is not answered may stand there or not."""
        client, i = None, 0
        while not self.stopping:
            name, key = self.random.choice(NAMES), self.random.choice(KEYS)
            params = {"event": name, "payload": {"p": number, "i": i,
                                                 "x": "x" * self.random.choice((1, 60, 300, 5000))}}
            if key:
                params["sessionKey"] = key
            try:
                client = client or await self.dial()
                result = await client.call("events.publish", params)
                self.stream.acknowledged[result["seq"]] = (name, key, number, i)
                await asyncio.sleep(self.pause * self.random.random() * 2)
            except LOST:
                if client:
                    client.ws.transport.abort()
                client = None
            i += 1
        if client:
            await client.close()

    async def call(self):
        """Asks this and that on a connection that lives for some calls."""
        while not self.stopping:
            with contextlib.suppress(*LOST):
                client = await connect(self.gateway, {"events": []})
                for _ in range(self.random.randrange(1, 20)):
                    method = self.random.choice(("health", "status", "connections.list",
                                                 "events.history", "sessions.list"))
                    answer = await client.request(method)
                    self.calls += 1
                    if "error" in answer and answer["error"]["code"] != "UNAVAILABLE":
                        self.stream.fault(f"{method}: {answer}")
                await client.close()

    async def annoy(self):
        """Garbage, half a head, half a frame, and a reset."""
        while not self.stopping:
            with contextlib.suppress(*LOST):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
                writer.write(self.random.choice((
                    self.random.randbytes(200), b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgr",
                    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    b"\r\n\x81\xfe\x01")))
                await writer.drain()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(reader.read(100), 0.2)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.close()

    async def probe(self):
        """A fresh connection and a question, again and again: how long was there no answer?"""
        last = time.monotonic()
        while not self.stopping:
            self.probes += 1
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
                writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                status = await asyncio.wait_for(reader.readline(), 1)
                writer.close()
                if b" 200 " not in status:
                    raise ConnectionError(status)
                now = time.monotonic()
                self.longest_silence = max(self.longest_silence, now - last)
                last = now
            except LOST:
                self.failed_probes += 1
            await asyncio.sleep(0.02)

    # --- faults -------------------------------------------------------------------------------

    def workers(self):
        """Pids of the supervisor's children that are there now."""
        pid = self.gateway.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]

    def strike(self):
        """One fault, now. At most two workers stand still at a time."""
        workers = self.workers()
        self.stopped = {p: t for p, t in self.stopped.items() if p in workers}
        awake = [p for p in workers if p not in self.stopped]
        if not awake:
            self.spared += 1
            return
        victim, dice = self.random.choice(awake), self.random.random()
        with contextlib.suppress(ProcessLookupError):
            if dice < 0.75 or len(self.stopped) >= 2:
                os.kill(victim, signal.SIGKILL)
                self.kills += 1
            elif dice < 0.85:
                os.kill(victim, signal.SIGSTOP)  # for good: the supervisor has to see it
                self.stopped[victim] = None
                self.stopped_until = time.monotonic() + 10
                self.stops += 1
            else:
                os.kill(victim, signal.SIGSTOP)
                asyncio.get_running_loop().call_later(
                    self.random.random(), self.go_on, victim)
                self.pauses += 1

    @staticmethod
    def go_on(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    # --- what it uses -------------------------------------------------------------------------

    def usage(self):
        """Descriptors and own memory of each kind of process; shared memory."""
        pids = {"supervisor": [self.gateway.process.pid], "worker": self.workers()}
        used = {}
        for kind, of_kind in pids.items():
            used[kind, "descriptors"] = max(len(os.listdir(f"/proc/{p}/fd")) for p in of_kind)
            used[kind, "own kB"] = max(self.own_memory(p) for p in of_kind)
        used["gateway", "processes"] = len(processes_of(self.gateway.home))
        for path in self.gateway.segments():
            stat = os.stat(path)
            used["shared", "bytes"], used["shared", "blocks"] = stat.st_size, stat.st_blocks
        return used

    @staticmethod
    def own_memory(pid):
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))

    def grown(self, before):
        """What is used more of than before, as sentences."""
        after = self.usage()
        return [f"{what[0]}: {what[1]} were {value}, are {after[what]}"
                for what, value in before.items()
                if after[what] > value + (LEEWAY_KB if what[1] == "own kB" else 0)]

    def compare(self, before):
        """The last connection of all, which asked for the metrics, may still be closing."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.grown(before), "all to be as before", PATIENCE)
        for sentence in self.grown(before):
            self.stream.fault(sentence)

    def quiet(self):
        """Four workers serve, and no connection but the one that asks is there."""
        if len(self.gateway.workers()) != 4:
            return False
        metrics = self.gateway.metrics()
        open_now = sum(v for k, v in metrics.items() if k.startswith("lurkbot_connections{"))
        behind = sum(v for k, v in metrics.items() if k.startswith("lurkbot_catching_up{"))
        return open_now <= 1 and behind == 0

    # --- the run ------------------------------------------------------------------------------

    async def load(self, strike):
        """All clients at once, while strike() runs; then the accounts are closed."""
        self.epoch, self.first_seq = await self.position()
        self.end, self.stopping = None, False
        followers = [Follower(self, n) for n in range(self.counts["followers"])]
        following = [asyncio.ensure_future(f.run()) for f in followers]
        others = [asyncio.ensure_future(self.publish(n + self.first_seq * 1000))
                  for n in range(self.counts["publishers"])]
        others += [asyncio.ensure_future(task()) for task in
                   (self.call, self.call, self.annoy, self.annoy, self.probe)]
        await strike()
        await asyncio.to_thread(wait_for, lambda: len(self.gateway.workers()) == 4,
                                "four workers to serve", PATIENCE)
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*others), PATIENCE)
        # Each gets there by an event, or is told its position.
        _, self.end = await self.position()
        await asyncio.wait_for(asyncio.gather(*following), PATIENCE)
        self.stream.check(followers, self.end)
        self.stream.events.clear()
        self.stream.acknowledged.clear()
        return sum(f.sessions for f in followers)

    async def position(self):
        client = await connect(self.gateway, {"events": []})
        resume = client.hello_ok["resume"]
        await client.close()
        return resume["epoch"], self.gateway.status()["ring"]["seq"]

    async def run(self, faults, every_s, warm_up_s):
        """Warms up, strikes so many times, and returns a report; faults are in stream.faults."""
        async def warm_up():
            await asyncio.sleep(warm_up_s)

        async def strikes():
            for _ in range(faults):
                await asyncio.sleep(every_s * (0.5 + self.random.random()))
                self.strike()

        self.gateway.start()
        try:
            await self.load(warm_up)
            await asyncio.to_thread(wait_for, self.quiet, "the clients to be gone", PATIENCE)
            before = self.usage()
            self.longest_silence = 0.0
            sessions = await self.load(strikes)
            await asyncio.to_thread(wait_for, self.quiet, "the clients to be gone", PATIENCE)
            await asyncio.to_thread(self.compare, before)
            return self.report(sessions, before, self.usage())
        finally:
            for pid in self.stopped:
                self.go_on(pid)
            self.gateway.stop()
            self.gateway.check_clean()
            self.check_log()

    def check_log(self):
        """Nobody died but by our hand, or by the supervisor's."""
        for line in self.gateway.log().splitlines():
            if re.search(r"signal (?!9\b)\d+", line) or "Sanitizer" in line:
                self.stream.fault(f"in the log: {line}")

    def report(self, sessions, before, after):
        seq = self.gateway.status()["ring"]["seq"]
        lines = [
            f"{self.kills} kills, {self.stops} stops for good, {self.pauses} stops for a moment, "
            f"{self.spared} times nobody was awake to be struck",
            f"{seq} events, {self.counts['followers']} followers in {sessions} sessions, "
            f"{self.calls} calls",
            f"{self.probes} probes, {self.failed_probes} failed, "
            f"longest time without an answer {self.longest_silence:.2f} s"]
        lines += [f"{what[0]}: {what[1]} {value} before, {after[what]} after"
                  for what, value in before.items()]
        return "\n".join(lines)


def main():
    seconds = float(os.environ.get("CHAOS_S", "600"))
    every_s = float(os.environ.get("KILL_EVERY_S", "0.6"))
    seed = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 10**9)))
    print(f"seed {seed}, {seconds:.0f} s, a fault each {every_s} s", flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(pathlib.Path(folder) / "home", seed)
        print(asyncio.run(chaos.run(int(seconds / every_s), every_s, warm_up_s=5)))
    if chaos.longest_silence > 5:
        chaos.stream.fault(f"no answer for {chaos.longest_silence:.2f} s")
    for fault in chaos.stream.faults[:20]:
        print(f"FAULT: {fault}")
    print(f"{len(chaos.stream.faults)} faults")
    return 1 if chaos.stream.faults else 0


if __name__ == "__main__":
    sys.exit(main())
