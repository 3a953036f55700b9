"""A few of the changes of resize.py: enough to see that it works, and that the gateway does."""

import asyncio

from resize import Resize


def test_every_client_of_a_worker_that_goes_comes_back_and_misses_nothing(tmp_path):
    storm = Resize(tmp_path / "home", seed=1, followers=16, rate=200)
    asyncio.run(storm.run(reloads=4, each_s=0.1, warm_up=2))
    assert storm.faults == []
    assert storm.resumed > 0
