"""A few seconds of soak.py: enough to see that it works, and that the gateway does."""

import asyncio

import pytest

from soak import Soak

pytestmark = pytest.mark.san


def test_a_short_soak(tmp_path):
    soak = Soak(tmp_path / "home", seed=1, clients=16)
    asyncio.run(soak.run(seconds=5, round_s=1))
    assert soak.faults == []
    assert soak.did["resumed"] > 0 and soak.did["wrong"] > 0
