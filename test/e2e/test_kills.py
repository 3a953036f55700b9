"""A few of the kills of kills.py: enough to see that it works, and that the gateway does."""

import asyncio

from kills import Kills


def test_no_death_loses_or_doubles_an_event(tmp_path):
    chaos = Kills(tmp_path / "home", seed=1, followers=8, publishers=4)
    asyncio.run(chaos.run(kills=6, every_s=0.3, whole=2))
    assert chaos.stream.faults == []
    assert chaos.kills == 6 and chaos.deaths == 2
    assert all(f.sessions > chaos.deaths for f in chaos.returners)
