"""The gateway under a service manager: what it says, what it is passed, and what is kept for it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import pytest
import websockets

from gateway import (HELLO, LURKBOT, PATIENCE, TLS, Client, Gateway, connect, processes_of, segment_of,
                     wait_for)
from service import Manager, Service, listen, stopped

def knows_systemd():
    with open(LURKBOT, "rb") as f:
        program = f.read()
    return not program.startswith(b"\x7fELF") or b"sd_listen_fds_with_names" in program


pytestmark = pytest.mark.skipif(not knows_systemd(), reason="built without systemd")
BARE = {"tls_enabled": False} if TLS else {}  # where the wire is of no interest


def run(coroutine, patience=3 * PATIENCE):
    return asyncio.run(asyncio.wait_for(coroutine, patience))


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.close()


@pytest.fixture
def service(tmp_path, manager):
    """A function that makes services; all are stopped, and nothing is kept for them in the end."""
    made = []

    def make(home="home", **options):
        options = {"manager": manager, **BARE, **options}
        made.append(Service(tmp_path / home, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop(expect=None)
        manager.forget_all()
        one.check_clean()


async def hello(raw, **more):
    """A client over a socket that is connected already; what hello-ok says of resuming comes too."""
    ws = await websockets.connect("ws://localhost/", sock=raw, compression=None, max_size=None,
                                  ping_interval=None, open_timeout=PATIENCE)
    await ws.send(json.dumps({**HELLO, **more}))
    answer = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
    assert answer["type"] == "hello-ok", answer
    return Client(ws, answer), answer.get("resume")


def reach(address, family=socket.AF_INET):
    raw = socket.socket(family, socket.SOCK_STREAM)
    raw.connect(address)
    raw.setblocking(False)
    return raw


def is_refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- what it says -------------------------------------------------------------------------------


@pytest.mark.san
def test_ready_status_and_stopping(service, manager):
    gateway = service(drain_timeout_ms=4000).start()
    ready = manager.wait(READY="1")
    assert ready["MAINPID"] == str(gateway.process.pid)
    assert ready["STATUS"] == "Serving: 2 workers, 0 connections"
    assert not manager.having(WATCHDOG="1"), "nobody asked for it"

    async def scenario():
        client = await connect(gateway)
        manager.wait_status("2 workers, 1 connection")
        await client.close()
    run(scenario())
    manager.wait_status("2 workers, 0 connections")
    gateway.stop()
    stopping = manager.wait(STOPPING="1")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) == (4000 + 2000 + 3000) * 1000
    assert len(manager.having(READY="1")) == 1


def test_status_tells_of_a_missing_worker(service, manager):
    gateway = service().start()
    with stopped([gateway.workers()[0]]):
        manager.wait_status("1 of 2 workers")
    wait_for(lambda: manager.having(STATUS=True)[-1]["STATUS"].startswith("Serving: 2 workers"),
             "both to serve again")


@pytest.mark.san
def test_reload_is_told(service, manager):
    gateway = service().start()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    gateway.process.send_signal(signal.SIGHUP)
    reloading = manager.wait(RELOADING="1")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.wait(2, READY="1")
    order = [next(k for k in ("RELOADING", "READY") if k in m) for m in manager.messages
             if "RELOADING" in m or "READY" in m]
    assert order == ["READY", "RELOADING", "READY"]

    with open(os.path.join(gateway.home, "config.json"), "w") as f:
        f.write('{"gateway": {"workers": "many"}}')
    gateway.process.send_signal(signal.SIGHUP)
    ready = manager.wait(3, READY="1")
    assert "the last reload failed: " in ready["STATUS"] and "gateway.workers" in ready["STATUS"]
    gateway.write_settings()
    gateway.process.send_signal(signal.SIGHUP)
    assert "failed" not in manager.wait(4, READY="1")["STATUS"]
    assert len(manager.having(RELOADING="1")) == 3


def test_watchdog_is_petted_while_somebody_serves(service, manager):
    """With one worker of two that stands still, too; with none not even once; then again."""
    gateway = service(watchdog_us=800_000).start()
    manager.wait(3, WATCHDOG="1")
    pids = list(gateway.workers().values())
    with stopped(pids[:1]):
        manager.wait_status("1 of 2 workers")
        manager.wait(len(manager.having(WATCHDOG="1")) + 2, WATCHDOG="1")
        with stopped(pids[1:]):
            manager.wait_status("0 of 2 workers")
            pets = len(manager.having(WATCHDOG="1"))
            gateway.wait_line(r"worker \d .*stood still")
            assert len(manager.having(WATCHDOG="1")) == pets
            manager.wait(pets + 3, WATCHDOG="1")  # the new ones serve


def test_watchdog_of_another_process(service, manager):
    gateway = service(announce={"WATCHDOG_PID": "1", "WATCHDOG_USEC": "1000"}).start()
    manager.wait(READY="1")
    gateway.stop()
    assert not manager.having(WATCHDOG=True)


def test_failure_is_told(service, manager):
    other = service(home="other", manager=None).start()
    gateway = service(port=other.port)
    gateway.launch()
    failed = manager.wait(ERRNO=True)
    assert failed["ERRNO"] == "98" and "Address already in use" in failed["STATUS"]
    gateway.has_failed()
    assert not manager.having(READY=True)
    assert not manager.having(FDSTORE=True)


def test_bad_configuration_is_told(service, manager):
    """To the service manager, and to the journal as errors."""
    gateway = service(announce={"JOURNAL_STREAM": "$(stat -Lc %d:%i /dev/stderr)"}, workers="many")
    gateway.launch()
    assert "configuration" in manager.wait(ERRNO="22")["STATUS"]
    gateway.wait_line(r"^<3>.*gateway.workers: must be an integer")
    gateway.has_failed(2)


def test_a_daemon_says_who_it_is(service, manager, tmp_path):
    gateway = service()
    os.makedirs(gateway.home)
    gateway.write_settings()
    subprocess.run([LURKBOT, "gateway", "start", "--daemon"], timeout=PATIENCE, check=True,
                   env={**gateway.environment(), "NOTIFY_SOCKET": manager.path})
    with open(os.path.join(gateway.home, "run", "gateway.lock")) as f:
        pid = f.readline().strip()
    assert manager.wait(READY="1")["MAINPID"] == pid
    gateway.cli("gateway", "stop")


def test_priority_of_lines_in_the_journal(service):
    gateway = service(announce={"JOURNAL_STREAM": "$(stat -Lc %d:%i /dev/stderr)"}, port=0).start()
    gateway.wait_line(r"^<6>\d{4}-\S+ info  supervisor the gateway is ready")
    gateway.wait_line(r"^<6>\S+ info  supervisor listening on")
    assert not os.path.exists(os.path.join(gateway.home, "logs", "gateway.log"))
    with open(os.path.join(gateway.home, "config.json"), "w") as f:
        f.write("{")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_line(r"^<3>\S+ error supervisor the configuration was not reloaded")


# --- what it is passed --------------------------------------------------------------------------


def passed_sockets(folder):
    """{name: (listener, address, family, what status says of it)}"""
    path, abstract = os.path.join(str(folder), "clients.sock"), f"\0lurkbot-test-{os.getpid()}"
    sockets = {}
    for name, address, family in (("four", ("127.0.0.1", 0), socket.AF_INET),
                                  ("six", ("::1", 0), socket.AF_INET6),
                                  ("path", path, socket.AF_UNIX),
                                  ("abstract", abstract, socket.AF_UNIX)):
        listener = listen(address, family)
        url = {"four": lambda: "ws://127.0.0.1:%d" % listener.getsockname()[1],
               "six": lambda: "ws://[::1]:%d" % listener.getsockname()[1],
               "path": lambda: "ws+unix:" + path,
               "abstract": lambda: "ws+unix:@" + abstract[1:]}[name]()
        reached = listener.getsockname()
        sockets[name] = (listener, abstract if name == "abstract" else reached, family, url)
    return sockets


@pytest.mark.san
@pytest.mark.parametrize("names", [["four"], ["six"], ["path"], ["abstract"],
                                   ["path", "six", "four", "abstract"]], ids="-".join)
def test_passed_listeners_are_served(service, manager, tmp_path, names):
    """Each of them, by all workers; the configured port is not bound; nothing of them is stored."""
    sockets = passed_sockets(tmp_path)
    port = free_port()
    gateway = service(passed=[(name, sockets[name][0].fileno()) for name in names], port=port).start()
    assert gateway.status()["listeners"] == [sockets[name][3] for name in names]
    assert is_refused(port)

    async def scenario():
        for name in names:
            _, address, family, _ = sockets[name]
            clients = [(await hello(reach(address, family)))[0] for _ in range(4)]
            listed = (await clients[0].call("connections.list"))["connections"]
            assert len(listed) == 4
            await clients[0].call("events.publish", {"event": "a.b", "payload": {}})
            for client in clients:
                assert (await client.event())["event"] == "a.b"
                await client.close()
            wait_for(lambda: gateway.status()["connections"] == 0, "all to be gone")
    run(scenario())
    first = next((n for n in names if n in ("four", "six")), names[0])
    assert gateway.address == sockets[first][3]
    assert not manager.kept("stored-listener")
    assert len(manager.kept("stored-segment")) == 1
    for listener, *_ in sockets.values():
        listener.close()


def test_connection_made_before_the_start_is_served(service):
    listener = listen(("127.0.0.1", 0))
    early = reach(listener.getsockname())
    gateway = service(passed=[("unknown", listener.fileno())])
    gateway.start()
    listener.close()

    async def scenario():
        client, _ = await hello(early)
        await client.close()
    run(scenario())


def test_control_socket_may_be_passed(service):
    gateway = service()
    path = os.path.join(gateway.home, "run", "gateway.sock")
    os.makedirs(os.path.dirname(path))
    control = listen(path, socket.AF_UNIX)
    inode = os.stat(path).st_ino
    gateway.passed = [("control", control.fileno())]
    gateway.start()
    assert gateway.status()["running"]
    gateway.wait_line(r"listening on 127.0.0.1:\d+ and unix:" + path)
    assert "commands look for" not in gateway.log()
    gateway.stop()
    assert os.stat(path).st_ino == inode, "it belongs to the service manager"
    control.close()


def test_control_socket_in_another_place(service, tmp_path):
    control = listen(str(tmp_path / "elsewhere"), socket.AF_UNIX)
    gateway = service(passed=[("control", control.fileno())]).start()
    gateway.wait_line(r"warning supervisor the control socket that was passed is unix:.*elsewhere")
    control.close()


def faulty(kind, folder):
    if kind == "datagram":
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if kind == "deaf":
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        return bound
    if kind == "file":
        return open(os.path.join(str(folder), "file"), "w+")
    if kind == "connected":
        return socket.socketpair()[0]
    return open("/dev/null")


@pytest.mark.parametrize("name,kind,reason", [
    ("clients", "datagram", "a socket, but none of streams: a TCP or Unix stream socket that listens"),
    ("clients", "deaf", "a stream socket that does not listen"),
    ("clients", "file", "a file: a TCP or Unix stream socket"),
    ("clients", "connected", "a stream socket that does not listen"),
    ("clients", "device", "neither a socket nor a file"),
    ("control", "tcp", "a TCP socket that listens: a Unix socket that listens is wanted"),
])
def test_wrong_descriptors_are_named(service, tmp_path, name, kind, reason):
    good = listen(("127.0.0.1", 0))
    bad = listen(("127.0.0.1", 0)) if kind == "tcp" else faulty(kind, tmp_path)
    gateway = service(passed=[("good", good.fileno()), (name, bad.fileno())])
    gateway.launch()
    gateway.wait_line(f'Descriptor 4, passed by the service manager as "{name}", is {reason}')
    gateway.has_failed()
    bad.close()
    good.close()


def test_descriptors_that_are_not_there(service):
    gateway = service(announce={"LISTEN_FDS": "2"})
    listener = listen(("127.0.0.1", 0))
    gateway.passed = [("clients", listener.fileno())]
    gateway.announce["LISTEN_FDNAMES"] = "clients:more"
    gateway.launch()
    gateway.wait_line(r"LISTEN_FDS\) are no good: descriptor 4 is not open")
    gateway.has_failed()
    listener.close()


def test_too_many_listeners(service):
    listeners = [listen(("127.0.0.1", 0)) for _ in range(9)]
    gateway = service(passed=[("clients", l.fileno()) for l in listeners])
    gateway.launch()
    gateway.wait_line(r"Descriptor 11, .* is one too many")
    gateway.has_failed()
    for listener in listeners:
        listener.close()


def test_descriptors_of_another_process(service):
    """Then it binds, as without."""
    listener = listen(("127.0.0.1", 0))
    gateway = service(passed=[("clients", listener.fileno())], announce={"LISTEN_PID": "1"}).start()
    assert gateway.port != listener.getsockname()[1]
    assert gateway.http("/live")[0] == 200
    listener.close()


# --- systemd-socket-activate --------------------------------------------------------------------


@contextlib.contextmanager
def activated(gateway, *options):
    """systemd-socket-activate with this gateway, which starts at the first connection."""
    os.makedirs(gateway.home, exist_ok=True)
    gateway.write_settings()
    env = gateway.environment()
    passed_on = [f"--setenv={k}={v}" for k, v in env.items() if k.startswith("LURKBOT_")]
    with open(os.path.join(gateway.home, "activate.log"), "w+") as log:
        process = subprocess.Popen(
            ["systemd-socket-activate", *options, *passed_on, LURKBOT, "gateway", "start"], env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            status = process.wait(PATIENCE)
            log.seek(0)
            text = log.read()
        assert status == 0, text


@pytest.mark.parametrize("several", [False, True])
def test_socket_activation(tmp_path, several):
    gateway = Gateway(tmp_path / "home", port=free_port(), **BARE)
    port, path = free_port(), str(tmp_path / "clients.sock")
    options = ["-l", f"127.0.0.1:{port}"]
    places = [(("127.0.0.1", port), socket.AF_INET)]
    if several:
        options += ["-l", f"[::1]:{port}", "-l", path, "--fdname=four:six:unix"]
        places += [(("::1", port), socket.AF_INET6), (path, socket.AF_UNIX)]

    async def scenario():
        for address, family in places:
            client, _ = await hello(reach(address, family))
            assert "result" in await client.request("health")
            await client.close()
    with activated(gateway, *options):
        wait_for(lambda: not is_listening_refused(*places[-1]), "systemd-socket-activate to listen")
        run(scenario())
        status = gateway.status()
        assert len(status["listeners"]) == len(places)
        assert status["listeners"][0] == f"ws://127.0.0.1:{port}"
        assert is_refused(gateway.settings["port"])
    gateway.check_clean()


def is_listening_refused(address, family):
    with socket.socket(family) as probe:
        return probe.connect_ex(address) != 0


# --- what is kept for it ------------------------------------------------------------------------


def end(gateway, how):
    """A restart's first half: a clean stop, or the death of all at once."""
    if how == "killed":
        pids = processes_of(gateway.home)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        gateway.stop(sig=signal.SIGKILL, expect=-signal.SIGKILL)
        wait_for(lambda: not processes_of(gateway.home), "all to be dead")
    else:
        gateway.stop()
        assert not os.path.exists(segment_of(gateway.home)), "its name is gone; a descriptor is kept"


@pytest.mark.san
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_history_outlives_restarts(service, manager, how):
    """Three times: the port and the history are the old ones, a client that resumes misses nothing,
    one that connects while nothing runs is served, and what is kept does not become more."""
    gateway = service().start()
    port, epoch = gateway.port, None

    async def publish(first):
        sender, _ = await hello(reach(("127.0.0.1", port)), subscribe={"events": []})
        seqs = [(await sender.call("events.publish", {"event": "a.b", "payload": {"i": i}}))["seq"]
                for i in range(first, first + 5)]
        await sender.close()
        return seqs

    async def position():
        client, resume = await hello(reach(("127.0.0.1", port)))
        await client.close()
        return resume

    async def resume_early(raw, at, first):
        client, resume = await hello(raw, resume={"epoch": at["epoch"], "seq": at["seq"]})
        assert resume["recovered"] is True, resume
        events, seq = [], at["seq"]
        while len(events) < 5:
            event = await client.event()
            assert event["seq"] == seq + 1 and event["event"] != "gateway.gap", event
            seq = event["seq"]
            if event["event"] == "a.b":
                events.append(event["payload"]["i"])
        assert events == list(range(first, first + 5))
        await client.close()
    for turn in range(3):
        at = run(position())
        assert epoch in (None, at["epoch"])
        epoch = at["epoch"]
        run(publish(10 * turn))
        end(gateway, how)
        assert sorted(name for name, _ in manager.store) == ["stored-listener", "stored-segment"]
        early = reach(("127.0.0.1", port))
        gateway.start()
        assert gateway.port == port
        gateway.wait_line(r"shared segment \S+ adopted: epoch " + epoch)
        run(resume_early(early, at, 10 * turn))
    assert len(manager.having(FDSTORE="1")) == 2


def test_nothing_is_left_after_a_stop(service, manager):
    """The store is emptied by `systemctl stop`, and with it the memory goes."""
    gateway = service().start()
    kept = os.fstat(manager.kept("stored-segment")[0])
    assert kept.st_ino == os.stat(segment_of(gateway.home)).st_ino
    gateway.stop()
    assert os.fstat(manager.kept("stored-segment")[0]).st_nlink == 0
    manager.forget_all()
    gateway.start()
    gateway.wait_line("shared segment .* created")


def test_segment_of_another_layout_is_replaced(service, manager):
    gateway = service().start()
    epoch = gateway.status()["ring"]["epoch"]
    before = os.fstat(manager.kept("stored-segment")[0]).st_ino
    gateway.stop()
    gateway.settings["ring_bytes"] *= 2
    gateway.start()
    gateway.wait_line("warning supervisor the segment that the service manager kept is of no use")
    ring = gateway.status()["ring"]
    assert ring["epoch"] != epoch and ring["capacity"] == gateway.settings["ring_bytes"]
    wait_for(lambda: [os.fstat(fd).st_ino for fd in manager.kept("stored-segment")] != [before],
             "the new one to be kept")
    assert len(manager.kept("stored-segment")) == 1


def test_kept_listener_of_another_address_is_given_up(service, manager):
    """Also where the new one cannot be bound before the old one is gone."""
    port = free_port()
    gateway = service(port=port, host="0.0.0.0").start()
    gateway.stop()
    gateway.settings["host"] = "127.0.0.1"
    gateway.start()
    assert gateway.status()["listeners"] == [f"ws://127.0.0.1:{port}"]
    names = [sock.getsockname()[0] for sock in
             (socket.socket(fileno=os.dup(fd)) for fd in manager.kept("stored-listener"))]
    assert names == ["127.0.0.1"]
    epoch = gateway.status()["ring"]["epoch"]
    gateway.stop()
    listener = listen(("127.0.0.1", 0))
    gateway.passed = [("clients", listener.fileno())]
    gateway.start()
    assert gateway.status()["ring"]["epoch"] == epoch
    wait_for(lambda: not manager.kept("stored-listener"), "what a socket unit replaces to be given up")
    listener.close()


def test_segment_that_somebody_else_started(service, manager):
    """A gateway that was started by hand in between, and killed: its segment goes."""
    gateway = service().start()
    epoch = gateway.status()["ring"]["epoch"]
    gateway.stop()
    by_hand = Gateway(gateway.home, **BARE).start()
    assert by_hand.status()["ring"]["epoch"] != epoch
    end(by_hand, "killed")
    gateway.start()
    assert gateway.status()["ring"]["epoch"] == epoch
    assert not os.path.exists(segment_of(gateway.home))
