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
from faults import ALL, FORKED, REGULAR_FILE, STARTED, STREAM_SOCKET, FaultyGateway, KeepAlive
from gateway import HELLO, PATIENCE, connect, wait_for

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

@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_accepting_pauses_while_it_fails(faulty, error):
    gateway = faulty()
    before = gateway.descriptors()
    watcher = KeepAlive(gateway)
    watcher.metrics()
    gateway.shim.rule("accept4", FORKED, error=error)
    waiting = [socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) for _ in range(4)]
    wait_for(lambda: watcher.paused() >= 8, "accepting to pause again and again")
    # Each pause costs a call that fails, and the one that is made with the spare descriptor; each of
    # the two workers may have made its calls and not counted the pause yet.
    earlier = watcher.paused()
    calls = gateway.shim.seen("accept4")
    later = watcher.paused()
    per_pause = 2 if error in (errno.EMFILE, errno.ENFILE) else 1
    assert per_pause * earlier <= calls <= per_pause * (later + 2)
    gateway.shim.lift("accept4")
    for client in waiting:
        client.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
        client.close()
    watcher.close()
    serves(gateway)
    assert 1 <= len(gateway.lines_with("accepting pauses")) <= 2, gateway.log()
    assert gateway.descriptors() == before


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
    assert gateway.descriptors() == before


# --- streams ------------------------------------------------------------------------------------

class Reader:
    """Everything that a WebSocket is sent, frame by frame, from a thread of its own if need be."""

    def __init__(self, gateway, resume=None):
        self.raw = rawws.Raw(gateway.port, "/ws")
        hello = {**HELLO, **({"resume": resume} if resume else {})}
        self.raw.send(rawws.frame(rawws.TEXT, json.dumps(hello).encode()))
        self.hello_ok = json.loads(self.text())
        assert self.hello_ok["type"] == "hello-ok", self.hello_ok

    @property
    def position(self):
        return {key: self.hello_ok["resume"][key] for key in ("epoch", "seq")}

    def text(self):
        opcode, payload = self.raw.receive()
        assert opcode == rawws.TEXT, (opcode, payload)
        return payload

    def events(self, last):
        """The texts of all events up to the one with the seq `last`."""
        texts = []
        while not texts or json.loads(texts[-1])["seq"] != last:
            texts.append(self.text())
        return texts

    def close(self):
        self.raw.socket.close()


def publish_all(gateway, sizes):
    """Publishes an event of each size, many requests under way at a time; returns the last seq."""
    async def scenario():
        client = await connect(gateway, {"events": []})
        answers = await asyncio.gather(*(client.call(
            "events.publish", {"event": "load.x", "payload": {"i": i, "text": "x" * size}})
            for i, size in enumerate(sizes)))
        await client.close()
        assert len({answer["seq"] for answer in answers}) == len(sizes)
        return max(answer["seq"] for answer in answers)
    return run(scenario(), 6 * PATIENCE)


def digest(texts):
    return hashlib.sha256(b"\n".join(texts)).hexdigest()


MOVING = ("recv", "send", "sendmsg")  # what moves the bytes of clients
SHORT = {
    "byte_for_byte": {"limit": 1},
    "random": {"limit": 700, "random": True},
}
FAILING = {
    "EINTR": errno.EINTR,
    "EAGAIN": errno.EAGAIN,
    "ENOBUFS": errno.ENOBUFS,
}


def streams_are_intact(gateway, sizes, rules):
    """Requests, answers and events with the rules in force, held against the same events without."""
    readers = [Reader(gateway) for _ in range(4)]
    for call, rule in rules.items():
        gateway.shim.rule(call, FORKED, kind=STREAM_SOCKET, **rule)
    readers += [Reader(gateway) for _ in range(2)]
    last = publish_all(gateway, sizes)
    streams = [reader.events(last) for reader in readers]
    assert gateway.http_json("/health")["status"] == "healthy"
    for call in rules:
        assert gateway.shim.met(call) > 0 or call == "sendmsg", f"no {call} was changed"
        gateway.shim.lift(call)
    again = Reader(gateway, resume=readers[0].position)
    assert again.hello_ok["resume"]["recovered"]
    right = digest(again.events(last))
    assert len(streams[0]) >= len(sizes)
    for stream in streams:
        assert digest(stream) == right
    for reader in [*readers, again]:
        reader.close()
    serves(gateway)


@pytest.mark.parametrize("how", SHORT)
def test_short_reads_and_writes_of_clients(faulty, how):
    gateway = faulty()
    before = gateway.descriptors()
    streams_are_intact(gateway, [i * 37 % 1500 for i in range(60)], {call: SHORT[how] for call in MOVING})
    assert gateway.descriptors() == before


@pytest.mark.parametrize("how", FAILING)
def test_interrupted_reads_and_writes_of_clients(faulty, how):
    """Every call fails some hundred times, before it may go on."""
    gateway = faulty()
    calls = ("send", "sendmsg") if how == "ENOBUFS" else MOVING
    streams_are_intact(gateway, [i * 37 % 1500 for i in range(300)],
                       {call: {"error": FAILING[how], "times": 300} for call in calls})


def test_a_socket_that_breaks_costs_one_client(faulty):
    gateway = faulty(workers=1)
    before = gateway.descriptors()
    first, second = Reader(gateway), Reader(gateway)
    gateway.shim.rule("send", FORKED, kind=STREAM_SOCKET, error=errno.ECONNRESET, times=1)
    first.raw.send(rawws.frame(rawws.PING))
    with pytest.raises((EOFError, ConnectionResetError)):
        first.raw.fill()
    first.close()
    assert gateway.shim.met("send") == 1
    assert len(second.events(publish_all(gateway, [10] * 20))) == 20
    second.close()
    serves(gateway)
    assert gateway.descriptors() == before


# --- between the processes, and the loop --------------------------------------------------------

@pytest.mark.parametrize("call,error", [
    ("epoll_wait", errno.EINTR), ("read", errno.EINTR), ("read", errno.EAGAIN),
    ("write", errno.EINTR), ("write", errno.EAGAIN)])
def test_bells_and_loops_are_interrupted(faulty, call, error):
    """Workers wake each other by eventfd: what is not written or read is not lost, nor does it spin."""
    gateway = faulty()
    reader = Reader(gateway)
    gateway.shim.rule(call, ALL, error=error, times=200)
    last = publish_all(gateway, [10] * 100)
    assert len(reader.events(last)) == 100
    reader.close()
    gateway.shim.lift(call)
    serves(gateway)


def test_an_idle_gateway_does_not_spin_after_faults(faulty):
    """A bell that cannot be read once is read again, and then it is quiet."""
    gateway = faulty()
    for call in ("read", "recv", "send", "write", "accept4", "epoll_wait"):
        gateway.shim.rule(call, FORKED, error=errno.EAGAIN if call != "epoll_wait" else errno.EINTR,
                          times=20)
    serves(gateway)
    gateway.shim.watch("epoll_wait", FORKED)
    gateway.shim.watch("recvmsg", STARTED)
    idle = gateway.shim.seen("epoll_wait")
    ticks = len(gateway.status()["workers"])
    wait_for(lambda: gateway.shim.seen("epoll_wait") >= idle + 5 * ticks, "workers to tick")
    calls = sum(gateway.shim.seen(call) for call in ("read", "recv", "send", "write"))
    wait_for(lambda: gateway.shim.seen("epoll_wait") >= idle + 20 * ticks, "workers to tick")
    # Two workers that tick and do nothing else: no call but those of the loop itself.
    assert sum(gateway.shim.seen(call) for call in ("read", "recv", "send", "write")) - calls <= 20


# --- files --------------------------------------------------------------------------------------

@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_log_that_cannot_be_written(faulty, error):
    """The gateway serves, and says afterwards how much is missing."""
    gateway = faulty(log_level="debug", workers=1)  # or another one could write what comes next

    def told():
        serves(gateway)
        return sum(int(n) for n in re.findall(
            r"warning worker \d lines that could not be written here: (\d+)", gateway.log_file()))

    gateway.shim.rule("write", ALL, kind=REGULAR_FILE, error=error)
    serves(gateway)
    missing = gateway.shim.met("write")
    assert missing > 0
    gateway.shim.lift("write")
    wait_for(lambda: told() >= missing, "the log to say how much is missing")
    wait_for(lambda: gateway.metrics()["lurkbot_log_lines_lost_total"] >= missing, "them to be counted")
    # Standard error was another sink, which took all of them.
    assert not gateway.lines_with("could not be written")


def test_a_log_that_takes_lines_in_part(faulty):
    gateway = faulty(log_level="debug")
    gateway.shim.rule("write", ALL, kind=REGULAR_FILE, limit=20, times=10)
    for _ in range(3):
        serves(gateway)
    assert gateway.shim.met("write") == 10
    serves(gateway)
    lines = gateway.log_file().splitlines()
    # A line that was torn ends there, and none begins behind it.
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in lines if len(line) >= 20)
    assert all("Z " not in line[30:] or not re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d", line[30:])
               for line in lines)


# --- the supervisor -----------------------------------------------------------------------------

def restarted(gateway, before):
    """Whether another process stands in each place."""
    now = gateway.workers()
    return len(now) == len(before) and not set(now.values()) & set(before.values())


@pytest.mark.parametrize("call,error,times", [
    ("fork", errno.EAGAIN, 3), ("socketpair", errno.EMFILE, 3), ("epoll_ctl", errno.ENOSPC, 2),
    ("read", errno.EINTR, 20), ("recvmsg", errno.EINTR, 20), ("epoll_wait", errno.EINTR, 20),
    ("open", errno.EMFILE, 20)])
def test_workers_are_started_again_in_spite_of(faulty, call, error, times):
    gateway = faulty()
    before = gateway.workers()
    gateway.shim.rule(call, STARTED, error=error, times=times)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: restarted(gateway, before), "other workers")
    if call != "open":
        assert gateway.shim.met(call) > 0
    if call in ("fork", "socketpair"):
        assert len(gateway.lines_with("cannot be started")) == times
    serves(gateway)


def test_each_call_of_a_stop_fails_once(tmp_path):
    """However the supervisor is disturbed while it stops, nothing is left."""
    calls, number = [], 0
    while True:
        # The bells of all slots are rung in a loop at the end: not each of them has to fail.
        number += 10 if len(calls) >= 10 and set(calls[-10:]) == {"write"} else 1
        gateway = FaultyGateway(tmp_path / str(number), **SMALL)
        gateway.start()
        gateway.shim.walk(STARTED, number)
        gateway.stop()
        gateway.check_clean()
        if gateway.shim.walked() is None:
            break
        calls.append(gateway.shim.walked())
    # Which ones they are depends on whether a tick comes in between.
    assert len(calls) >= 15, calls


@pytest.mark.parametrize("call,error", [
    ("sendmsg", errno.EINTR), ("sendmsg", errno.ENOBUFS), ("recvmsg", errno.EINTR),
    ("read", errno.EINTR), ("epoll_wait", errno.EINTR), ("epoll_ctl", errno.ENOSPC)])
def test_a_stop_in_spite_of(faulty, call, error):
    gateway = faulty(workers=1)
    gateway.shim.rule(call, STARTED, error=error, times=1)
    gateway.stop()
    gateway.check_clean()
    assert gateway.shim.met(call) == 1
