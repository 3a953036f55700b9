"""Storm: workers, providers and clients die at random while requests of all sizes are under way.

As a program (`make provider-storm`) it runs for STORM_S seconds (600) with a death each KILL_EVERY_S (0.5);
test_storm.py runs a number of deaths of the same code.

What is held against the gateway:
 - each answer is that of its request: it carries its number, and a check of what was sent;
 - each request is answered once while its connection lives, and nothing comes behind its answer;
 - answers are results, or errors of the reasons that deaths, cancels and time-outs explain;
 - all results of one idempotency key are one and the same;
 - at the end nobody has a seat, a job, mail or a key under way, and descriptors, memory and shared memory are
   what they were.
"""

import asyncio
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import zlib

import websockets

from chaos import LOST
from gateway import HELLO, Gateway, wait_for

PATIENCE = 90.0
LARGEST = 1_047_000  # of the text in a request, so that the frame is within policy.maxPayload
LEEWAY_KB = 24 * 1024  # of a worker: buffers that have held the largest messages
EXPLAINED = {"provider-gone", "provider-busy", "overloaded", "cancelled", "timeout", "bus-busy", "result-not-kept",
             None}  # None: METHOD_NOT_FOUND has no reason


class Peer:
    """A connection that has said hello, or raises one of LOST."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.ws = None

    async def open(self):
        self.ws = await asyncio.wait_for(websockets.connect(
            self.gateway.url, ssl=self.gateway.ssl, max_size=None, compression=None, ping_interval=None,
            open_timeout=5, close_timeout=1), 5)
        await self.ws.send(json.dumps({**HELLO, "subscribe": {"events": ["no.such.event"]}}))
        answer = json.loads(await asyncio.wait_for(self.ws.recv(), 5))
        if answer["type"] != "hello-ok":
            raise ConnectionError(answer)

    def abort(self):
        if self.ws is not None and self.ws.transport is not None:
            self.ws.transport.abort()


def check(text):
    return zlib.crc32(text.encode())


class StormProvider(Peer):
    """Registers, and answers after a moment, or never; comes back when it was lost."""

    def __init__(self, storm, number):
        super().__init__(storm.gateway)
        self.storm, self.number = storm, number
        self.random = random.Random(f"{storm.seed}/provider/{number}")

    async def run(self):
        while not self.storm.is_over:
            with contextlib.suppress(*LOST):
                await self.open()
                await self.ws.send(json.dumps({"id": "r", "type": "request", "method": "provider.register",
                                               "params": {"methods": ["storm.echo", f"storm.{self.number}"],
                                                          "concurrency": 8}}))
                async for text in self.ws:
                    frame = json.loads(text)
                    if frame["type"] == "request":
                        self.storm.background(self.serve(self.ws, frame))
            self.abort()
            await asyncio.sleep(0.02)

    async def serve(self, ws, frame):
        params = frame["params"]
        if self.random.random() < 0.3:
            await asyncio.sleep(self.random.random() * 0.05)
        if self.random.random() < 0.01:
            return  # never
        self.storm.executions += 1
        result = {"n": params["n"], "check": check(params["x"]), "by": self.storm.executions,
                  "x": params["x"] if params["back"] else ""}
        with contextlib.suppress(*LOST):
            if self.random.random() < 0.2:
                await ws.send(json.dumps({"type": "progress", "id": frame["id"], "payload": {"n": params["n"]}}))
            await ws.send(json.dumps({"type": "response", "id": frame["id"], "result": result}))


class StormClient(Peer):
    """Keeps some requests under way, and checks each answer."""

    def __init__(self, storm, number, window=6):
        super().__init__(storm.gateway)
        self.storm, self.number, self.window = storm, number, window
        self.random = random.Random(f"{storm.seed}/client/{number}")
        self.asked = {}
        self.count = 0

    async def run(self):
        while not self.storm.is_over or self.asked:
            self.asked = {}
            with contextlib.suppress(*LOST):
                await self.open()
                await self.converse()
                return
            self.abort()
            await asyncio.sleep(0.02)

    async def converse(self):
        while not self.storm.is_over or self.asked:
            while not self.storm.is_over and len(self.asked) < self.window:
                await self.ask()
            text = await asyncio.wait_for(self.ws.recv(), PATIENCE)
            self.take(json.loads(text))
        await self.ws.close()

    def text(self):
        kind = self.random.random()
        if kind < 0.03:
            size = LARGEST - self.random.randrange(1000)
        else:
            size = self.random.randrange(64 if kind < 0.9 else 40_000)
        letter = chr(ord("a") + self.random.randrange(26))
        return f"{self.number}/{self.count}/" + letter * size

    async def ask(self):
        self.count += 1
        n = f"{self.number}.{self.count}"
        frame = {"id": n, "type": "request", "method": "storm.echo", "timeoutMs": 20_000,
                 "params": {"n": n, "x": self.text(), "back": self.random.random() < 0.2}}
        kind = self.random.random()
        if kind < 0.2:
            frame["sessionKey"] = f"s:{self.random.randrange(50)}"
        elif kind < 0.3:
            frame["timeoutMs"] = self.random.randrange(1, 60)
        elif kind < 0.45:
            key = self.random.randrange(self.storm.keys, self.storm.keys + 20)
            # The same params for all of a key; all clients have one client.id, so they are one caller.
            frame["params"] = {"n": f"key{key}", "x": f"of {key}", "back": True}
            frame["idempotencyKey"] = f"key{key}"
        self.asked[n] = frame["params"], frame.get("idempotencyKey")
        await self.ws.send(json.dumps(frame))
        if self.random.random() < 0.03:
            await self.ws.send(json.dumps({"type": "cancel", "id": n}))

    def take(self, frame):
        storm = self.storm
        if frame["id"] not in self.asked:
            storm.fault(f"{frame['type']} for what was not asked, or was answered before: {frame['id']}")
            return
        if frame["type"] == "progress":
            if frame["payload"]["n"] != self.asked[frame["id"]][0]["n"]:
                storm.fault(f"progress of another: {frame}")
            return
        params, key = self.asked.pop(frame["id"])
        if "error" in frame:
            reason = frame["error"].get("details", {}).get("reason")
            storm.reasons[reason or frame["error"]["code"]] += 1
            if reason not in EXPLAINED:
                storm.fault(f"an error that nothing explains: {frame}")
            return
        result = frame["result"]
        storm.results += 1
        storm.bytes += len(params["x"])
        if result["n"] != params["n"] or result["check"] != check(params["x"]) or (
                params["back"] and result["x"] != params["x"]):
            storm.fault(f"the answer of another request: {params['n']}: {str(result)[:200]}")
        if key is not None and storm.by_key.setdefault(key, result) != result:
            storm.fault(f"two results of one key: {key}: {result} {storm.by_key[key]}")


class Storm:
    def __init__(self, home, seed, providers=5, clients=10, workers=3):
        self.gateway = Gateway(home, workers=workers)
        self.seed = seed
        self.random = random.Random(seed)
        self.counts = providers, clients
        self.is_over = False
        self.faults, self.tasks = [], set()
        self.reasons, self.deaths = collections.Counter(), collections.Counter()
        self.by_key = {}
        self.results = self.executions = self.bytes = self.keys = 0

    def fault(self, text):
        self.faults.append(text)
        print("FAULT", text, file=sys.stderr, flush=True)

    def background(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # --- deaths ---------------------------------------------------------------------------------

    def kill(self):
        kind = self.random.random()
        if kind < 0.5:
            workers = self.workers()
            if workers:
                os.kill(self.random.choice(workers), signal.SIGKILL)
                self.deaths["worker"] += 1
        elif kind < 0.8:
            self.random.choice(self.providers).abort()
            self.deaths["provider"] += 1
        else:
            self.random.choice(self.clients).abort()
            self.deaths["client"] += 1

    def workers(self):
        supervisor = self.gateway.process.pid
        with contextlib.suppress(OSError):
            with open(f"/proc/{supervisor}/task/{supervisor}/children") as f:
                return [int(pid) for pid in f.read().split()]
        return []

    # --- leaks ----------------------------------------------------------------------------------

    def measure(self):
        """(descriptors, resident memory but for shared memory) of each process; bytes of shared memory."""
        def of(pid):
            with open(f"/proc/{pid}/status") as f:
                fields = dict(line.split(":", 1) for line in f)
            return len(os.listdir(f"/proc/{pid}/fd")), int(fields["RssAnon"].split()[0])
        shm = os.stat(self.gateway.segments().copy().pop())
        return {"supervisor": of(self.gateway.process.pid),
                **{f"worker {i}": of(pid) for i, pid in self.gateway.workers().items()}}, shm.st_blocks

    def left(self):
        metrics = self.gateway.metrics()
        names = ("lurkbot_provider_calls_waiting", "lurkbot_provider_jobs", "lurkbot_mailbox_used_bytes",
                 "lurkbot_mailbox_reserved_bytes", "lurkbot_providers", "lurkbot_websockets")
        left = {k: v for k, v in metrics.items()
                if k.startswith(names) and not k.startswith("lurkbot_providers_mutex") and v}
        status = self.gateway.status()
        if status["providers"]:
            left["providers"] = status["providers"]
        return left

    def compare(self, before, after):
        for name, (fds, rss) in after[0].items():
            if fds > before[0][name][0]:
                self.fault(f"{name} has {fds} descriptors, and had {before[0][name][0]}")
            if rss > before[0][name][1] + LEEWAY_KB:
                self.fault(f"{name} has {rss} kB, and had {before[0][name][1]}")
        if after[1] > before[1]:
            self.fault(f"shared memory has {after[1]} blocks, and had {before[1]}")

    # --- the whole ------------------------------------------------------------------------------

    async def run(self, is_enough, every_s):
        self.gateway.start()
        await asyncio.to_thread(wait_for, lambda: len(self.gateway.workers()) == 3, "all workers")
        before = await asyncio.to_thread(self.measure)
        self.providers = [StormProvider(self, i) for i in range(self.counts[0])]
        self.clients = [StormClient(self, i) for i in range(self.counts[1])]
        serving = [asyncio.ensure_future(p.run()) for p in self.providers]
        asking = [asyncio.ensure_future(c.run()) for c in self.clients]
        while not is_enough() and not self.faults:
            await asyncio.sleep(every_s)
            self.kill()
            self.keys += 1
        self.is_over = True
        await asyncio.wait_for(asyncio.gather(*asking), 2 * PATIENCE)
        for provider, task in zip(self.providers, serving):
            task.cancel()
            provider.abort()
        await asyncio.to_thread(wait_for, lambda: len(self.gateway.workers()) == 3, "all workers", PATIENCE)
        with contextlib.suppress(AssertionError):
            await asyncio.to_thread(wait_for, lambda: not self.left(), "nothing to be left", PATIENCE)
        if left := await asyncio.to_thread(self.left):
            self.fault(f"left behind: {left}")
        # Keys under way end by the time-out of their calls, where nobody lives who would end them sooner.
        running = await asyncio.to_thread(self.running_keys)
        self.compare(before, await asyncio.to_thread(self.measure))
        self.gateway.stop()
        self.gateway.check_clean()
        return running

    def running_keys(self):
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.gateway.metrics()["lurkbot_idempotency_running"], "no key to run", PATIENCE)
        left = self.gateway.metrics()["lurkbot_idempotency_running"]
        if left:
            self.fault(f"{left} keys are still under way")
        return left


def main():
    seconds = float(os.environ.get("STORM_S", "600"))
    every = float(os.environ.get("KILL_EVERY_S", "0.5"))
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"seed {seed}, {seconds:.0f} s", flush=True)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="lurkbot-storm-") as home:
        storm = Storm(pathlib.Path(home) / "home", seed)
        try:
            asyncio.run(storm.run(lambda: time.monotonic() > end, every))
        finally:
            if storm.gateway.process is not None:
                storm.gateway.stop(signal.SIGKILL, expect=None)
        print(f"{storm.results} results ({storm.bytes / 1e6:.0f} MB), errors {dict(storm.reasons)}, "
              f"{len(storm.by_key)} keys, deaths {dict(storm.deaths)}, {len(storm.faults)} faults")
    return 1 if storm.faults else 0


if __name__ == "__main__":
    sys.exit(main())
