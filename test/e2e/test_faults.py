"""System calls that fail or do less than they were asked for: at the start, where one that fails
ends it with one clear line or is survived, and while the gateway serves, which then goes on."""

import asyncio
import errno
import hashlib
import json
import os
import re
import signal
import socket

import pytest

import rawws
from faults import ALL, FORKED, REGULAR_FILE, STARTED, STREAM_SOCKET, FaultyGateway
from gateway import HELLO, PATIENCE, connect, processes_of, wait_for

SMALL = {"workers": 1, "ring_bytes": 1 << 20, "mailbox_bytes": 1 << 20, "max_payload": 1 << 16}


def run(coroutine, patience=3 * PATIENCE):
    return asyncio.run(asyncio.wait_for(coroutine, patience))


@pytest.fixture
def faulty(tmp_path):
    """A function that starts a gateway with the shim; at the end it must stop as if nothing had been."""
    started = []

    def start_one(**settings):
        started.append(FaultyGateway(tmp_path / f"home{len(started)}", **settings))
        return started[-1].start()

    yield start_one
    for gateway in started:
        gateway.stop()
        gateway.check_clean()


def serves(gateway):
    """New clients are let in, by HTTP and WebSocket, and the CLI too."""
    async def scenario():
        client = await connect(gateway)
        result = await client.call("events.publish", {"event": "test.serves"})
        while (await client.event())["seq"] != result["seq"]:
            pass
        await client.close()
    run(scenario())
    assert gateway.http("/ready")[0] == 200
    assert gateway.status()["workers"]


# --- the start, and the end ---------------------------------------------------------------------

def errors(gateway):
    """What was said that is no information and no warning."""
    return [line for line in gateway.lines if line and not re.search(r"Z (debug|info |warning) ", line)]


def start_with_fault(gateway, who, number):
    """Starts with one call failing; returns its name, None for none, and whether the gateway serves."""
    gateway.shim.walk(who, number)
    gateway.launch()
    ready = gateway.await_outcome()
    call = gateway.shim.walked()
    if ready:
        assert gateway.http("/ready")[0] == 200
        gateway.stop()
    else:
        status = gateway.process.wait(PATIENCE)
        gateway.stop(expect=status)
        assert status in (1, 2), f"{call}: {gateway.log()}"
        assert len(errors(gateway)) == 1, f"{call}: {gateway.log()}"
    gateway.check_clean()
    return call, ready


def walk_start(tmp_path, who):
    """Lets each call up to READY fail once: (name, whether the gateway served) of all of them."""
    outcomes = []
    while True:
        number = len(outcomes) + 1
        gateway = FaultyGateway(tmp_path / str(number), **SMALL)
        call, ready = start_with_fault(gateway, who, number)
        if call is None:
            assert ready
            return outcomes
        outcomes.append((call, ready))


def test_each_call_of_the_supervisors_start_fails_once(tmp_path):
    outcomes = walk_start(tmp_path, STARTED)
    assert {"bind", "eventfd", "flock", "fork", "ftruncate", "listen", "mkdir", "mmap", "open",
            "posix_fallocate", "pwrite", "rename", "shm_open", "signalfd", "socket", "socketpair",
            "write"} <= {call for call, _ in outcomes}
    # One that is not the gateway's last chance is made again, or was not needed.
    assert {"epoll_wait", "fork", "socketpair", "write"} <= {call for call, ready in outcomes if ready}
    assert not [call for call, ready in outcomes if ready and call in (
        "shm_open", "ftruncate", "posix_fallocate", "bind", "pwrite", "mkdir", "rename")]


def test_each_call_of_a_workers_start_fails_once(tmp_path):
    """The supervisor starts it again, so the gateway serves in any case."""
    outcomes = walk_start(tmp_path, FORKED)
    assert {"epoll_create1", "epoll_ctl", "sendmsg"} <= {call for call, _ in outcomes}
    assert all(ready for _, ready in outcomes), outcomes
