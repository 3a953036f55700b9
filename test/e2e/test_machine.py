"""What the machine gives, and what it does not: shared memory, memory, the log's place."""

import asyncio
import errno
import json
import os
import re
import signal
import subprocess

import pytest

from faults import STARTED, FaultyGateway
from gateway import LURKBOT, PATIENCE, SLOW, Gateway, connect, wait_for


def run(coroutine, patience=3 * PATIENCE):
    return asyncio.run(asyncio.wait_for(coroutine, patience))


# --- shared memory --------------------------------------------------------------------------------

def in_small_shm(gateway, mib):
    """Starts it where /dev/shm has so many MiB: in a mount namespace of its own."""
    os.makedirs(gateway.home, exist_ok=True)
    gateway.write_settings()
    return subprocess.Popen(
        ["unshare", "--mount", "--map-root-user", "sh", "-c",
         f'mount -t tmpfs -o size={mib}m none /dev/shm && exec "$0" gateway start', LURKBOT],
        env={**gateway.environment(), "LURKBOT_GATEWAY__USER": "root"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def can_mount():
    return subprocess.run(["unshare", "--mount", "--map-root-user", "true"],
                          capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no namespaces here")
@pytest.mark.parametrize("mib", [4, 40])
def test_a_full_dev_shm_is_one_clear_line(tmp_path, mib):
    gateway = Gateway(tmp_path / "home", workers=2, ring_bytes=32 << 20)
    process = in_small_shm(gateway, mib)
    lines = process.communicate(timeout=PATIENCE)[1].strip().splitlines()
    assert process.returncode == 1
    told = [line for line in lines if not re.search(r"Z (info |warning) ", line)]
    assert len(told) == 1, lines
    found = re.search(r"No room in /dev/shm for the shared segment \S+: it takes (\d+) MiB, and (\d+) MiB "
                      "are free; make it larger, or lower gateway.ring_bytes", told[0])
    assert 50 < int(found[1]) < 80 and mib - 1 <= int(found[2]) <= mib


@pytest.mark.skipif(not can_mount(), reason="no namespaces here")
def test_two_workers_have_room_where_a_container_has_64_mb(tmp_path):
    """README says so: the segment with half of the default ring and two workers fits."""
    gateway = Gateway(tmp_path / "home", workers=2, ring_bytes=16 << 20)
    process = in_small_shm(gateway, 64)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "the gateway is ready" in line:
            process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0, lines
    process.stderr.close()


# --- memory of a worker ---------------------------------------------------------------------------

@pytest.mark.skipif(SLOW > 1, reason="it waits for a worker's first 10 s, and for /proc")
def test_a_worker_with_too_much_memory_is_relieved(start):
    """A new one serves first; the clients of the old one come back to it, and miss nothing."""
    gateway = start(workers=1, worker_max_rss=1 << 20)  # less than any worker has
    before = gateway.workers()

    async def scenario():
        follower = await connect(gateway, {"events": ["load.*"]})
        assert (await asyncio.wait_for(follower.closed, 6 * PATIENCE))[0] == 1012
        events = []
        while not follower.events.empty():
            events.append(follower.events.get_nowait())
        assert events[-1]["payload"]["reason"] == "retiring"
    run(scenario(), 6 * PATIENCE)
    found = gateway.wait_line(r"warning supervisor worker 0 \(pid (\d+)\) has (\d+) bytes of memory of its own, "
                              r"more than worker_max_rss \(1048576\): it retires, when another one serves")
    assert int(found[1]) == before[0] and int(found[2]) > 1 << 20
    log = gateway.log()
    assert log.index("worker 1 is ready") < log.index("worker 0 retires")
    gateway.settings["worker_max_rss"] = 0
    gateway.write_settings()
    gateway.cli("gateway", "reload")
    wait_for(lambda: len(gateway.workers()) == 1, "one worker to serve")
    after = gateway.workers()
    assert list(after.values()) != list(before.values())
    assert gateway.metrics()["lurkbot_workers_relieved_total"] >= 1
    # Where it stands makes no difference to a reload that wants more.
    gateway.settings["workers"] = 3
    gateway.write_settings()
    gateway.cli("gateway", "reload")
    wait_for(lambda: len(gateway.workers()) == 3, "three workers to serve")
    assert set(after.items()) <= set(gateway.workers().items())


# --- the log --------------------------------------------------------------------------------------

def log_files(gateway):
    folder = os.path.join(gateway.home, "logs")
    return sorted(os.listdir(folder), key=lambda name: int(name.rpartition(".")[2])
                  if name.rpartition(".")[2].isdigit() else 0)


def read_all(gateway):
    """The lines of all files, the oldest first."""
    text = ""
    for name in reversed(log_files(gateway)):
        with open(os.path.join(gateway.home, "logs", name)) as f:
            text += f.read()
    return text


async def chatter(gateway, calls):
    """Lines of both workers."""
    for _ in range(calls):
        clients = [await connect(gateway, {"events": []}) for _ in range(4)]
        for client in clients:
            await client.close()


@pytest.mark.san
def test_the_log_is_begun_anew_when_it_is_long(start):
    """No line is lost or torn: the files together hold what standard error was told."""
    gateway = start(log_level="debug", log_max_bytes=20000, log_keep=1000)
    while len(log_files(gateway)) < 4:
        run(chatter(gateway, 10))
    gateway.stop()
    assert log_files(gateway)[0] == "gateway.log"
    text = read_all(gateway)
    assert text.endswith("\n")
    lines, told = text.splitlines(), [line.rstrip("\n") for line in gateway.lines if line]
    assert sorted(lines) == sorted(told)
    assert sum("was begun anew" in line for line in lines) == len(log_files(gateway)) - 1
    for name in log_files(gateway)[1:]:
        assert os.stat(os.path.join(gateway.home, "logs", name)).st_size >= 20000


def test_no_more_logs_are_kept_than_asked_for(start):
    gateway = start(log_level="debug", log_max_bytes=5000, log_keep=2)
    while gateway.metrics()["lurkbot_log_rotations_total"] < 4:
        run(chatter(gateway, 5))
    assert log_files(gateway) == ["gateway.log", "gateway.log.1", "gateway.log.2"]


def test_a_log_that_cannot_be_moved_is_used_on(start):
    gateway = start(log_level="debug", log_max_bytes=2000, log_keep=1)
    blocked = os.path.join(gateway.home, "logs", "gateway.log.1")
    os.makedirs(os.path.join(blocked, "full"))
    run(chatter(gateway, 10))
    gateway.wait_line(r"error supervisor the log file .* cannot be moved aside: ")
    run(chatter(gateway, 1))
    with open(os.path.join(gateway.home, "logs", "gateway.log")) as f:
        assert "cannot be moved aside" in f.read()
    assert gateway.metrics()["lurkbot_log_rotations_total"] == 0


def test_a_log_that_cannot_be_begun_anew_is_begun_later(tmp_path):
    """The disk is full when the old file was moved aside already: what is logged goes on in that."""
    gateway = FaultyGateway(tmp_path / "home", log_level="debug", log_max_bytes=5000, log_keep=3)
    gateway.start()
    gateway.shim.rule("open", STARTED, error=errno.ENOSPC)
    run(chatter(gateway, 10))
    gateway.wait_line(r"error supervisor Cannot open the log file .*: No space left on device")
    run(chatter(gateway, 1))
    gateway.shim.lift("open")
    gateway.wait_line(r"the log file had become long, and was begun anew")
    run(chatter(gateway, 1))
    gateway.stop()
    gateway.check_clean()
    assert len(gateway.lines_with("Cannot open the log file")) == 1
    lines, told = read_all(gateway).splitlines(), [line.rstrip("\n") for line in gateway.lines if line]
    assert sorted(lines) == sorted(told)


# --- logs.tail ------------------------------------------------------------------------------------

def test_the_last_lines_are_told(start):
    gateway = start(log_level="debug")

    async def scenario():
        client = await connect(gateway, {"events": []})
        first = await client.call("logs.tail", {"lines": 1000})
        with open(os.path.join(gateway.home, "logs", "gateway.log")) as f:
            file = f.read().splitlines()
        # From when the segment is there: what stands before was told of the start alone.
        assert len(first["lines"]) > 5 and first["lines"] == [x for x in file if x in first["lines"]]
        assert any(" supervisor " in line for line in first["lines"])
        assert len((await client.call("logs.tail", {"lines": 3}))["lines"]) == 3
        others = [await connect(gateway, {"events": []}) for _ in range(6)]
        more = await client.call("logs.tail", {"cursor": first["cursor"], "lines": 1000})
        hellos = [line for line in more["lines"] if "hello from test" in line]
        assert len(hellos) == 6 and not set(more["lines"]) & set(first["lines"])
        one = await client.call("logs.tail", {"cursor": first["cursor"], "lines": 1})
        assert one["lines"] == more["lines"][:1]
        warnings = (await client.call("logs.tail", {"level": "warning", "lines": 1000}))["lines"]
        assert warnings and all(" warning " in line or " error " in line for line in warnings)
        for wrong in ({"level": "loud"}, {"cursor": "x" * 16}, {"lines": 0}):
            answer = await client.request("logs.tail", wrong)
            assert answer["error"]["details"]["field"] == f"params.{next(iter(wrong))}"
        for each in (client, *others):
            await each.close()
    run(scenario())


def test_only_an_administrator_is_told_and_no_secret_is(start):
    secret = "a-token-that-nobody-may-see"
    gateway = start(log_level="debug", auth_enabled=True, metrics_public=True, auth_tokens=[
        {"name": "reader", "token": secret, "scopes": ["read", "write"]}])

    def ask(method):
        return gateway.cli("gateway", "call", method, "--port", str(gateway.port), "--token", secret,
                           check=False)
    assert ask("health").returncode == 0
    assert ask("logs.tail").returncode == 4
    gateway.cli("gateway", "call", "health", "--port", str(gateway.port), "--token", "a-wrong-secret",
                check=False)
    told = gateway.cli("gateway", "call", "logs.tail", "--params", '{"lines":1000}').stdout
    assert "reader" in told and secret not in told and "a-wrong-secret" not in told


def test_the_command_asks_the_gateway_where_there_is_no_file(start):
    gateway = start()
    by_port = gateway.cli("gateway", "logs", "--port", str(gateway.port), "-n", "2").stdout.splitlines()
    assert len(by_port) == 2 and "the gateway is ready" in by_port[-1]
    path = os.path.join(gateway.home, "logs", "gateway.log")
    os.rename(path, path + ".moved")
    assert "the gateway is ready" in gateway.cli("gateway", "logs").stdout
    as_json = gateway.cli("gateway", "logs", "--json", "-n", "1").stdout
    assert "line" in json.loads(as_json)
    follower = subprocess.Popen([LURKBOT, "gateway", "logs", "-f", "--port", str(gateway.port), "-n", "1"],
                                env=gateway.environment(), stdout=subprocess.PIPE, text=True)
    assert "the gateway is ready" in follower.stdout.readline()
    gateway.process.send_signal(signal.SIGHUP)
    assert "configuration" in follower.stdout.readline().lower()
    follower.terminate()
    assert follower.wait(PATIENCE) == 0
    follower.stdout.close()
    gateway.stop()
    done = gateway.cli("gateway", "logs", check=False)
    assert done.returncode == 1 and "No such file" in done.stderr


def test_the_last_words_of_one_that_died_are_told_by_the_next(start):
    gateway = start(workers=1)
    pid = gateway.process.pid
    gateway.process.kill()
    gateway.stop(expect=-signal.SIGKILL)
    gateway.start()
    told = gateway.cli("gateway", "call", "logs.tail", "--params", '{"lines":1000}').stdout
    assert told.count("the gateway is ready") == 2 and gateway.process.pid != pid
