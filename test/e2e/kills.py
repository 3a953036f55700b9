"""Kills: workers, and whole gateways, die under clients that come back at once with their position.

As a program (`make kills`): KILLS (25) workers are killed, one each KILL_EVERY_S (0.6), then WHOLE (5)
times all processes at once, and the gateway is started again. test_kills.py runs fewer of both.

What is held against the gateway, by the accounts of chaos.py:
 - each resume is `recovered`;
 - each event that was acknowledged reaches each follower, once, under the seq that was answered, in
   order; one that was not acknowledged reaches all of them once, or none.
"""

import asyncio
import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import time

from chaos import PATIENCE, Chaos, Follower
from gateway import processes_of, wait_for

EVERYTHING = {"events": ["chaos.*"]}


class Returner(Follower):
    """A follower that takes everything, is never lazy, and waits only for a gateway to be there."""

    def __init__(self, chaos, number):
        super().__init__(chaos, number)
        self.subscription, self.is_lazy = EVERYTHING, False

    async def hello(self):
        await self.chaos.is_up.wait()
        return await super().hello()


class Kills(Chaos):
    """Publishers and followers of one gateway, and the ways in which it dies under them."""

    def __init__(self, home, seed, followers=20, publishers=4):
        super().__init__(home, seed, followers=followers, publishers=publishers)
        self.returners = []
        self.is_up = None
        self.deaths = 0

    async def dial(self):
        await self.is_up.wait()
        return await super().dial()

    # --- deaths -------------------------------------------------------------------------------

    def kill_worker(self):
        """One worker, picked at random of those that are there."""
        victim = self.random.choice(wait_for(self.workers, "a worker to be there", PATIENCE))
        os.kill(victim, signal.SIGKILL)
        self.kills += 1

    def kill_everything(self):
        """The supervisor and all workers, in any order; then it is started again."""
        pids = [self.gateway.process.pid, *self.workers()]
        self.random.shuffle(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it died with its supervisor
                os.kill(pid, signal.SIGKILL)
        self.gateway.stop(signal.SIGKILL, expect=-signal.SIGKILL)
        wait_for(lambda: not processes_of(self.gateway.home), "all processes to be gone", PATIENCE)
        self.gateway.start()
        self.deaths += 1

    async def all_follow(self):
        """Until each follower has seen an event that was published after now."""
        def position():
            return max(self.stream.acknowledged, default=0)
        goal = position()
        await self.until(lambda: position() > goal, "an event to be acknowledged")
        goal = position()
        await self.until(lambda: all(f.position >= goal for f in self.returners),
                         f"all followers to be at {goal}")

    @staticmethod
    async def until(condition, what):
        await asyncio.to_thread(wait_for, condition, what, PATIENCE)

    async def kill_workers(self, count, every_s):
        for _ in range(count):
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.kill_worker)

    async def kill_all(self, count):
        for _ in range(count):
            await self.all_follow()
            self.is_up.clear()
            await asyncio.to_thread(self.kill_everything)
            self.is_up.set()

    # --- the run ------------------------------------------------------------------------------

    async def run(self, kills, every_s, whole):
        """Kills so many workers, then so often everything; returns a report of one line."""
        self.is_up = asyncio.Event()
        self.gateway.start()
        self.is_up.set()
        try:
            self.epoch, self.first_seq = await self.position()
            self.returners = [Returner(self, n) for n in range(self.counts["followers"])]
            following = [asyncio.ensure_future(f.run()) for f in self.returners]
            publishing = [asyncio.ensure_future(self.publish(n))
                          for n in range(self.counts["publishers"])]
            await self.all_follow()
            await self.kill_workers(kills, every_s)
            await self.kill_all(whole)
            await self.all_follow()
            self.stopping = True
            await asyncio.wait_for(asyncio.gather(*publishing), PATIENCE)
            _, self.end = await self.position()
            await asyncio.wait_for(asyncio.gather(*following), PATIENCE)
            self.stream.check(self.returners, self.end)
            return self.account()
        finally:
            self.gateway.stop()
            self.gateway.check_clean()
            self.check_log()

    def account(self):
        seen = sum(len(f.seen) for f in self.returners)
        resumed = sum(f.sessions - 1 for f in self.returners)
        return (f"{self.kills} workers killed, {self.deaths} times everything; "
                f"{len(self.stream.acknowledged)} events acknowledged, "
                f"{len(self.stream.events)} in the stream, {seen} deliveries to "
                f"{len(self.returners)} followers, which resumed {resumed} times")


def main():
    kills = int(os.environ.get("KILLS", "25"))
    every_s = float(os.environ.get("KILL_EVERY_S", "0.6"))
    whole = int(os.environ.get("WHOLE", "5"))
    seed = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 10**9)))
    print(f"seed {seed}, {kills} workers, one each {every_s} s, and {whole} times everything",
          flush=True)
    with tempfile.TemporaryDirectory() as folder:
        chaos = Kills(pathlib.Path(folder) / "home", seed)
        print(asyncio.run(chaos.run(kills, every_s, whole)))
    for fault in chaos.stream.faults[:20]:
        print(f"FAULT: {fault}")
    print(f"{len(chaos.stream.faults)} faults")
    return 1 if chaos.stream.faults else 0


if __name__ == "__main__":
    sys.exit(main())
