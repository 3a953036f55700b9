"""A storm of reloads under load: good and bad files, by signal and by `gateway reload`, while clients
publish and follow. As a program (`make reload-storm`) it does RELOADS of them, 20 a second;
test_reload.py runs a short one of the same code.

What is held against the gateway:
 - no connection is closed (where the number of workers changes: none but with 1012, and it resumes);
 - each event that was acknowledged reaches each follower, once and in order;
 - each good reload is told as config.reloaded, says what changed, and acts, whichever worker is asked;
 - each bad one is told as config.failed, and to whoever asked; nothing changes;
 - at the end descriptors, memory and shared memory are what they were before.
"""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import signal
import struct
import sys
import tempfile
import time

import websockets

from chaos import LOST, Chaos
from gateway import HELLO, LURKBOT, SLOW, Gateway, connect, wait_for

PATIENCE = 60.0
SEQ = re.compile(rb'\{"id":"evt_[0-9a-f]+","type":"event","seq":(\d+),"at":\d+,"event":"([^"]+)"')
BURSTS_A_SECOND = 20


def masked(opcode, payload):
    """A frame as a client sends it, with a mask that changes nothing."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else (
        b"\xfe" + struct.pack(">H", len(payload)))
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


class Follower(asyncio.Protocol):
    """A client that only listens, and costs so little that there may be many of them. It resumes."""

    def __init__(self, storm, number):
        self.storm, self.number = storm, number
        self.seen, self.sessions, self.position, self.epoch = [], 0, None, None
        self.first = None
        self.moves, self.retirements = False, 0  # whether it goes by itself; closed with 1012 so often
        self.reset()

    def reset(self):
        self.data, self.upgraded, self.transport, self.code = bytearray(), False, None, None
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write((f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{self.storm.port}\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         f"Sec-WebSocket-Key: {key}\r\n\r\n").encode())
        hello = {**HELLO, "subscribe": {"events": ["storm.*"]}}
        if self.position is not None:
            hello["resume"] = {"epoch": self.epoch, "seq": self.position}
        transport.write(masked(1, json.dumps(hello).encode()))

    def data_received(self, data):
        self.data += data
        if not self.upgraded:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            del self.data[:end + 4]
            self.upgraded = True
        while self.take_frame():
            pass

    def take_frame(self):
        """Takes one frame off the data. False: it is not all there."""
        data = self.data
        if len(data) < 2:
            return False
        length, head = data[1], 2
        if length == 126:
            head = 4
            if len(data) < 4:
                return False
            length = int.from_bytes(data[2:4], "big")
        elif length == 127:
            head = 10
            if len(data) < 10:
                return False
            length = int.from_bytes(data[2:10], "big")
        if len(data) < head + length:
            return False
        self.on_frame(data[0] & 15, bytes(data[head:head + length]))
        del data[:head + length]
        return True

    def on_frame(self, opcode, payload):
        if opcode == 8:
            self.code = int.from_bytes(payload[:2], "big")
            self.transport.write(masked(8, payload[:2]))
        elif opcode == 9:
            self.transport.write(masked(10, payload))
        elif opcode == 1 and (found := SEQ.match(payload)):
            if found[2].startswith(b"storm."):
                self.seen.append(int(found[1]))
            elif found[2] not in (b"gateway.position", b"gateway.shutdown"):
                self.storm.fault(f"follower {self.number}: {payload}")
            self.position = int(found[1])
        elif opcode == 1:
            self.on_hello(json.loads(payload))

    def on_hello(self, answer):
        if answer["type"] != "hello-ok":
            self.storm.fault(f"follower {self.number}: {answer}")
            return
        if self.position is not None and not answer["resume"]["recovered"]:
            self.storm.fault(f"follower {self.number} could not resume")
        if self.first is None:
            self.first = self.position = answer["resume"]["seq"]
        self.epoch = answer["resume"]["epoch"]
        self.sessions += 1

    def connection_lost(self, error):
        if not self.gone.done():
            self.gone.set_result(self.code)

    async def run(self):
        while not self.storm.stopping:
            self.reset()
            await asyncio.get_running_loop().create_connection(
                lambda: self, "127.0.0.1", self.storm.port, ssl=self.storm.gateway.ssl)
            code = await self.gone
            self.retirements += code == 1012
            if not self.storm.stopping and not self.moves and not (self.storm.resize and code == 1012):
                self.storm.fault(f"follower {self.number} was closed: {code}")
            self.moves = False


class Watcher:
    """Hears config.*, and resumes when its worker retires."""

    def __init__(self, storm):
        self.storm, self.events, self.position, self.epoch = storm, asyncio.Queue(), None, None
        self.here = asyncio.Event()
        self.running = asyncio.ensure_future(self.run())

    async def run(self):
        while True:
            hello = {**HELLO, "subscribe": {"events": ["config.*"]}}
            if self.position is not None:
                hello["resume"] = {"epoch": self.epoch, "seq": self.position}
            async with websockets.connect(self.storm.gateway.url, ssl=self.storm.gateway.ssl, ping_interval=None) as ws:
                await ws.send(json.dumps(hello))
                with contextlib.suppress(websockets.ConnectionClosed):
                    await self.listen(ws)
            if not (self.storm.resize and ws.close_code == 1012):
                self.storm.fault(f"the watcher was closed: {ws.close_code}")

    async def listen(self, ws):
        async for text in ws:
            frame = json.loads(text)
            if frame["type"] == "hello-ok":
                self.epoch = frame["resume"]["epoch"]
                self.position = self.position or frame["resume"]["seq"]
                self.here.set()
                continue
            self.position = frame["seq"]
            if frame["event"].startswith("config."):
                self.events.put_nowait(frame)

    async def close(self):
        self.running.cancel()
        await asyncio.wait([self.running])


class Storm:
    workers, usage, grown = Chaos.workers, Chaos.usage, Chaos.grown
    own_memory = staticmethod(Chaos.own_memory)

    def __init__(self, home, seed, followers=50, rate=1000, resize=False):
        self.random = random.Random(seed)
        self.gateway = Gateway(home, workers=4)
        self.counts, self.rate, self.resize = followers, rate, resize
        self.faults, self.acknowledged, self.stopping = [], set(), False
        self.told = {"good": 0, "bad": 0}
        self.resumed, self.longest_s = 0, 0.0
        self.port = None

    def fault(self, text):
        self.faults.append(text)

    # --- load ---------------------------------------------------------------------------------

    async def publish(self, number, each_burst):
        """Publishes in bursts; what is not answered for a closed connection may stand there or not."""
        client, i = None, 0
        while not self.stopping:
            try:
                client = client or await connect(self.gateway, {"events": []})
                began = time.monotonic()
                results = await asyncio.gather(*(
                    client.call("events.publish", {"event": f"storm.{number}",
                                                   "payload": {"i": i + j, "x": "x" * 50}})
                    for j in range(each_burst)))
                self.acknowledged.update(r["seq"] for r in results)
                i += each_burst
                await asyncio.sleep(max(0, 1 / BURSTS_A_SECOND - (time.monotonic() - began)))
            except LOST as error:
                if not self.resize:
                    self.fault(f"publisher {number}: {error!r}")
                client = None
        if client:
            await client.close()

    def check(self, followers):
        seen_by_all = set().union(*(set(f.seen) for f in followers))
        missing = {s for s in self.acknowledged if s > max(f.first for f in followers)} - seen_by_all
        if missing:
            self.fault(f"{len(missing)} acknowledged events were seen by nobody")
        end = max(self.acknowledged)
        for f in followers:
            wanted = sorted(s for s in seen_by_all if f.first < s <= end)
            if [s for s in f.seen if s <= end] != wanted:
                self.fault(f"follower {f.number} saw {len(f.seen)} of {len(wanted)} events, "
                           f"{len(f.seen) - len(set(f.seen))} of them twice")

    # --- reloads ------------------------------------------------------------------------------

    def write(self, text):
        path = os.path.join(self.gateway.home, "config.json")
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def write_good(self, number):
        """Another value for something that can be asked for; returns what is to be told of it."""
        settings = {**self.gateway.settings, "max_in_flight": 65 + number % 900,
                    "ping_interval_ms": 30000 + number, "echo": number % 2 == 0}
        if self.resize:
            settings["workers"] = (1, 4, 2, 3)[number % 4]
        self.write(json.dumps({"gateway": settings}))
        return settings

    def write_bad(self, number):
        self.write(self.random.choice((
            "{", '{"gateway":{"log_level":"loud"}}', '{"gateway":{"max_in_flight":0}}',
            '{"gateway":{"nonsense":%d}}' % number, '{"gateway":[]}', "")))

    async def ask(self):
        """gateway reload: its status and what it says."""
        process = await asyncio.create_subprocess_exec(
            LURKBOT, "gateway", "reload", "--json", env=self.gateway.environment(),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        return process.returncode, (out or err).decode()

    async def reload(self, number, watcher):
        """One, to its outcome."""
        is_good = self.resize or self.random.random() < 0.6
        wanted = self.write_good(number) if is_good else self.write_bad(number)
        began, by_signal = time.monotonic(), self.random.random() < 0.5
        if by_signal:
            self.gateway.process.send_signal(signal.SIGHUP)
        else:
            status, text = await self.ask()
            if (status == 0) != is_good or ("changed" if is_good else "INVALID_REQUEST") not in text:
                self.fault(f"reload {number}: {status}, {text}")
        event = await asyncio.wait_for(watcher.events.get(), PATIENCE)
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        if event["event"] != ("config.reloaded" if is_good else "config.failed"):
            self.fault(f"reload {number}, a {'good' if is_good else 'bad'} one: {event}")
        elif is_good and "gateway.max_in_flight" not in event["payload"]["changed"]:
            self.fault(f"reload {number} told {event['payload']}")
        self.told["good" if is_good else "bad"] += 1
        return wanted if is_good else None

    async def check_acts(self, number, wanted, probes):
        for probe in probes:
            told = (await probe.call("config.get"))["config"]["gateway"]
            for key in ("max_in_flight", "ping_interval_ms", "echo"):
                if told[key] != wanted[key]:
                    self.fault(f"reload {number}: {key} is {told[key]}, not {wanted[key]}")

    async def storm(self, first, reloads, each_s):
        """The reloads, one after the other; clients of their own ask what is in force."""
        watcher = Watcher(self)
        await asyncio.wait_for(watcher.here.wait(), PATIENCE)
        probes = [] if self.resize else [
            await connect(self.gateway, {"events": []}) for _ in range(8)]
        wanted = None
        for number in range(first, first + reloads):
            began = time.monotonic()
            wanted = await self.reload(number, watcher) or wanted
            if wanted:
                await self.check_acts(number, wanted, self.random.sample(probes, len(probes) // 4))
            await asyncio.sleep(max(0, each_s - (time.monotonic() - began)))
        if not watcher.events.empty():
            self.fault(f"told once too often: {watcher.events.get_nowait()}")
        await watcher.close()
        for client in probes:
            if client.closed.done():
                self.fault(f"a client was closed: {client.closed.result()}")
            await client.close()

    # --- the run ------------------------------------------------------------------------------

    async def keep_alive(self, followers):
        """A word now and then, so that nobody has to be pinged."""
        while not self.stopping:
            for f in followers:
                if f.upgraded and not f.transport.is_closing():
                    f.transport.write(masked(10, b""))
            await asyncio.sleep(5)

    async def run(self, reloads, each_s, warm_up=20):
        self.gateway.start()
        self.port = self.gateway.port
        try:
            followers = self.followers = [Follower(self, n) for n in range(self.counts)]
            following = [asyncio.ensure_future(f.run()) for f in followers]
            while not all(f.first is not None for f in followers):
                await asyncio.sleep(0.01)
            publishers = [asyncio.ensure_future(self.publish(n, self.rate // 5 // BURSTS_A_SECOND))
                          for n in range(5)]
            keeping = asyncio.ensure_future(self.keep_alive(followers))
            await self.storm(0, warm_up, each_s)
            before = self.usage()
            began = time.monotonic()
            await self.storm(warm_up, reloads, each_s)
            took_s = time.monotonic() - began
            if not self.resize:
                await asyncio.to_thread(self.compare, before)
            return await self.finish(followers, following, publishers, keeping,
                                     (before, self.usage(), took_s))
        finally:
            self.gateway.stop()
            self.gateway.check_clean()
            self.check_log()

    async def finish(self, followers, following, publishers, keeping, figures):
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*publishers), PATIENCE)
        end, deadline = max(self.acknowledged), time.monotonic() + PATIENCE
        while not all(f.seen and f.seen[-1] >= end for f in followers):
            if time.monotonic() > deadline:
                self.fault("some followers did not get to the end")
                break
            await asyncio.sleep(0.01)
        for f in followers:
            f.transport.abort()
        keeping.cancel()
        await asyncio.wait_for(asyncio.gather(*following), PATIENCE)
        self.check(followers)
        self.resumed = sum(f.sessions - 1 for f in followers)
        return self.report(followers, *figures)

    def compare(self, before):
        """Sanitizers keep what was freed, so there memory grows by what is loaded."""
        before = {what: value for what, value in before.items()
                  if what[1] != "own kB" or SLOW == 1}
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.grown(before), "all to be as before")
        self.faults += self.grown(before)

    def check_log(self):
        for line in self.gateway.log().splitlines():
            if re.search(r"killed|Sanitizer|signal \d+ \(|came to nothing", line):
                self.fault(f"in the log: {line}")

    def report(self, followers, before, after, took_s):
        lines = [f"{self.told['good']} good and {self.told['bad']} bad reloads, "
                 f"{took_s:.1f} s for those that count, longest {self.longest_s:.3f} s",
                 f"{len(self.acknowledged)} events to {len(followers)} followers, "
                 f"{self.resumed} resumed"]
        lines += [f"{what[0]}: {what[1]} {value} before, {after[what]} after"
                  for what, value in before.items()]
        return "\n".join(lines)


def main():
    reloads = int(os.environ.get("RELOADS", "1000"))
    seed = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 10**9)))
    print(f"seed {seed}, {reloads} reloads", flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(pathlib.Path(folder) / "home", seed)
        print(asyncio.run(storm.run(reloads, each_s=0.05)))
    for fault in storm.faults[:20]:
        print(f"FAULT: {fault}")
    print(f"{len(storm.faults)} faults")
    return 1 if storm.faults else 0


if __name__ == "__main__":
    sys.exit(main())
