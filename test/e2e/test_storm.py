"""A short storm; `make provider-storm` is the long one."""

import asyncio
import random

from storm import Storm

DEATHS = 25


def test_a_short_storm(tmp_path):
    storm = Storm(tmp_path / "home", random.randrange(1 << 32), clients=6)
    try:
        asyncio.run(storm.run(lambda: sum(storm.deaths.values()) >= DEATHS, 0.2))
        assert not storm.faults, (storm.seed, storm.faults)
        assert storm.results > 100
    finally:
        if storm.gateway.process is not None:
            storm.gateway.stop(expect=None)
