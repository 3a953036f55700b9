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


# --- descriptors --------------------------------------------------------------------------------

class KeepAlive:
    """An HTTP connection that was accepted before anything failed."""

    def __init__(self, gateway):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")

    def metrics(self):
        self.socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        length = 0
        while (line := self.file.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        lines = self.file.read(length).decode().splitlines()
        return {name: float(value) for name, _, value in
                (line.rpartition(" ") for line in lines if line and not line.startswith("#"))}

    def paused(self):
        return self.metrics()["lurkbot_accept_pauses_total"]

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_accepting_pauses_while_it_fails(faulty, error):
    gateway = faulty()
    before = gateway.descriptors()
    watcher = KeepAlive(gateway)
    watcher.metrics()
    gateway.shim.rule("accept4", FORKED, error=error)
    waiting = [socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) for _ in range(4)]
    wait_for(lambda: watcher.paused() >= 8, "accepting to pause again and again")
    # Each pause costs a call that fails, and the one that is made with the spare descriptor.
    earlier = watcher.paused()
    calls = gateway.shim.seen("accept4")
    later = watcher.paused()
    per_pause = 2 if error in (errno.EMFILE, errno.ENFILE) else 1
    assert per_pause * earlier <= calls <= per_pause * (later + 1)
    gateway.shim.lift("accept4")
    for client in waiting:
        client.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
        client.close()
    watcher.close()
    serves(gateway)
    assert 1 <= len(gateway.lines_with("accepting pauses")) <= 2, gateway.log()
    wait_for(lambda: gateway.descriptors() == before, "all descriptors to be closed")


def test_one_who_finds_no_descriptor_is_told(faulty):
    """The spare descriptor takes the connection, which is closed instead of left waiting."""
    gateway = faulty(workers=1)
    gateway.shim.rule("accept4", FORKED, error=errno.EMFILE, times=1)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as client:
        assert client.recv(1) == b""
    serves(gateway)


@pytest.mark.parametrize("error", [errno.EINTR, errno.EAGAIN, errno.ECONNABORTED, errno.EPROTO])
def test_accepting_goes_on(faulty, error):
    gateway = faulty()
    gateway.shim.rule("accept4", FORKED, error=error, times=5)
    for _ in range(5):
        serves(gateway)
    assert gateway.shim.met("accept4") == 5
    assert not gateway.lines_with("accepting pauses")


def test_a_socket_that_cannot_be_watched(faulty):
    """epoll_ctl fails for new connections, and for the listeners after a pause."""
    gateway = faulty()
    before = gateway.descriptors()
    watcher = KeepAlive(gateway)
    watcher.metrics()
    gateway.shim.rule("epoll_ctl", FORKED, error=errno.ENOSPC, times=1)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as client:
        assert client.recv(1) == b""
    gateway.shim.rule("accept4", FORKED, error=errno.EMFILE, times=4)
    socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE).close()
    wait_for(lambda: watcher.paused() >= 1, "accepting to pause")
    gateway.shim.rule("epoll_ctl", FORKED, error=errno.ENOSPC)
    wait_for(lambda: gateway.shim.met("epoll_ctl") >= 20, "listeners that cannot be watched")
    gateway.shim.lift("epoll_ctl")
    gateway.shim.lift("accept4")
    watcher.close()
    serves(gateway)
    # One line for each worker, not one for each time.
    assert 1 <= len(gateway.lines_with("epoll_ctl on a listener")) <= 2, gateway.log()
    wait_for(lambda: gateway.descriptors() == before, "all descriptors to be closed")
