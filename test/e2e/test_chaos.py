"""A little of the chaos of chaos.py: enough to see that it works, and that the gateway does."""

import asyncio

import pytest

from chaos import Chaos, Stream, takes


@pytest.mark.parametrize("seed", [1, 2])
def test_every_event_is_accounted_for(tmp_path, seed):
    chaos = Chaos(tmp_path / "home", seed, followers=12, publishers=4)
    asyncio.run(chaos.run(faults=12, every_s=0.4, warm_up_s=1))
    assert chaos.stream.faults == []
    assert chaos.kills > 0 and chaos.calls > 0


# --- the accounts themselves ---------------------------------------------------------------------


class Seen:
    """A follower as the accounts see it."""

    def __init__(self, seen, events=("*",)):
        self.number, self.first, self.seen = 0, 0, list(seen)
        self.subscription = {"events": list(events)}


def stream(*names):
    """A stream of events of these names, all acknowledged."""
    made = Stream()
    for seq, name in enumerate(names, 1):
        made.saw({"seq": seq, "event": name, "payload": {"p": 0, "i": seq}})
        made.acknowledged[seq] = (name, None, 0, seq)
    return made


def test_the_accounts_find_what_is_wrong():
    right = stream("a.x", "b.x", "a.y")
    right.check([Seen([1, 2, 3]), Seen([1, 3], ["a.*"])], 3)
    assert right.faults == []
    for wrong in (Seen([1, 3]), Seen([1, 2, 2, 3]), Seen([2, 1, 3]), Seen([1, 2, 3], ["a.*"])):
        made = stream("a.x", "b.x", "a.y")
        made.check([wrong], 3)
        assert len(made.faults) == 1, wrong.seen
    lost = stream("a.x", "b.x")
    lost.acknowledged[3] = ("a.y", None, 0, 3)
    lost.check([Seen([1, 2])], 3)
    assert len(lost.faults) == 1
    double = stream("a.x")
    double.saw({"seq": 2, "event": "a.x", "payload": {"p": 0, "i": 1}})
    double.check([Seen([1, 2])], 2)
    assert len(double.faults) == 1
    torn = stream("a.x")
    torn.saw({"seq": 1, "event": "a.y", "payload": {"p": 0, "i": 1}})
    assert len(torn.faults) == 1


def test_the_accounts_know_what_a_filter_takes():
    event = {"event": "chaos.c.d", "sessionKey": "k:1"}
    assert takes({"events": ["chaos.*"]}, event) and takes({"events": ["*"]}, event)
    assert takes({"events": ["chaos.c.*"], "sessionKeys": ["k:1"]}, event)
    assert not takes({"events": ["chaos.c"]}, event)
    assert not takes({"events": ["chaos.*"], "sessionKeys": ["k:2"]}, event)
