"""Workers that go and come under load: 4, 1, 4 and so on, each time to the end, while clients publish and
follow. As a program (`make workers-storm`) it does so ROUNDS times (20); test_resize.py a few times.

What is held against the gateway, beside what reload.py holds:
 - nobody is closed but with 1012 by a worker that retires, and everybody comes back with `recovered`;
 - each event that was acknowledged reaches each follower, once and in order;
 - each time there are as many workers as were asked for, and those that went have ended with 0.
"""

import asyncio
import json
import os
import pathlib
import re
import resource
import sys
import tempfile
import time

from gateway import wait_for
from reload import PATIENCE, Storm

SIZES = (1, 4)


class Resize(Storm):
    """The storm of reload.py, of which each reload changes the number of workers."""

    def __init__(self, home, seed, **options):
        super().__init__(home, seed, resize=True, **options)
        self.gateway.settings["workers"] = SIZES[-1]
        self.longest_change_s = 0.0

    def write_good(self, number):
        settings = super().write_good(number)
        settings["workers"] = SIZES[number % len(SIZES)]
        self.write_all(settings)
        return settings

    def write_all(self, settings):

        self.write(json.dumps({"gateway": settings}))

    async def reload(self, number, watcher):
        """One, until as many workers serve as were asked for, and no other is left."""
        began = time.monotonic()
        settings = await super().reload(number, watcher)
        await asyncio.to_thread(wait_for, lambda: self.are(settings["workers"]),
                                f"{settings['workers']} workers", PATIENCE)
        self.longest_change_s = max(self.longest_change_s, time.monotonic() - began)
        if settings["workers"] > 1:
            await self.spread()
        return settings

    async def spread(self):
        """All clients are with the worker that stayed: most of them go, and come back to the others."""
        movers = [f for f in self.random.sample(self.followers, len(self.followers) * 3 // 4)
                  if f.upgraded and not f.transport.is_closing()]
        sessions = {f: f.sessions for f in movers}
        for f in movers:
            f.moves = True
            f.transport.abort()
        deadline = time.monotonic() + PATIENCE
        while not all(f.sessions > sessions[f] for f in movers):
            if time.monotonic() > deadline:
                self.fault("some followers did not come back")
                return
            await asyncio.sleep(0.01)

    def are(self, wanted):
        states = [w["state"] for w in self.gateway.status()["workers"]]
        return states == ["serving"] * wanted

    def check_log(self):
        super().check_log()
        for line in self.gateway.log().splitlines():
            if re.search(r"has not retired in time|ended with status [^0]", line):
                self.fault(f"in the log: {line}")

    def report(self, followers, before, after, took_s):
        retired = [f.retirements for f in followers]
        if sum(retired) < self.told["good"] // 2 * len(followers) // 4:
            self.fault(f"only {sum(retired)} connections ended with 1012")
        return (f"{self.told['good']} changes, longest {self.longest_change_s:.2f} s; {sum(retired)} "
                f"connections ended with 1012, {min(retired)} to {max(retired)} of each follower\n" +
                super().report(followers, before, after, took_s))


def main():
    rounds = int(os.environ.get("ROUNDS", "20"))
    seed = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 10**9)))
    print(f"seed {seed}, {rounds} times 4 workers, 1 and 4 again", flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        storm = Resize(pathlib.Path(folder) / "home", seed)
        print(asyncio.run(storm.run(rounds * len(SIZES), each_s=0.1, warm_up=len(SIZES))))
    for fault in storm.faults[:20]:
        print(f"FAULT: {fault}")
    print(f"{len(storm.faults)} faults")
    return 1 if storm.faults else 0


if __name__ == "__main__":
    sys.exit(main())
