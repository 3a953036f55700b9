"""What workers may: who they are, and which system calls they make and can make."""

import asyncio
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import stat
import subprocess

import pytest

from gateway import LURKBOT, PATIENCE, Gateway, can_become_nobody, connect, tls_settings, wait_for

# Of the build that is tested; where the program stands elsewhere it is one with all that it can have.
CONFIG = pathlib.Path(LURKBOT).parent / "config.h"
HAS_SANDBOX = not CONFIG.exists() or "#define LURKBOT_SECCOMP 1" in CONFIG.read_text()

needs_sandbox = pytest.mark.skipif(not HAS_SANDBOX, reason="built without seccomp")
needs_root = pytest.mark.skipif(
    os.getuid() != 0 or not can_become_nobody(),
    reason="only root, of a namespace with other users, has workers become somebody else")

# What a worker makes none of once it is ready, in the words of strace.
FORBIDDEN = re.compile(
    r"open|creat|stat|access|readlink|unlink|rename|link|mkdir|chmod|chown|exec|fork|clone|socket"
    r"|connect|bind|listen|pipe|dup|memfd|ptrace|pidfd|prctl|io_uring_setup|set.*id|unshare|mount")
# fstat, by which glibc means something that it calls otherwise, and getsockname: of what is open already.
ALLOWED = {"fstat", "getsockopt", "setsockopt", "getsockname"}


def status_of(pid):
    """/proc/PID/status, as a dictionary of texts."""
    with open(f"/proc/{pid}/status") as f:
        return dict(map(str.strip, line.split(":", 1)) for line in f)


def filters_of(pid):
    return int(status_of(pid)["Seccomp_filters"])


def check_rights(gateway, pid):
    """The process has none, and a filter more than the supervisor (which a container may have given one)."""
    status = status_of(pid)
    assert status["NoNewPrivs"] == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["Umask"] == "0077"
    if os.getuid() == 0:
        assert int(status["CapBnd"], 16) == 0
    if HAS_SANDBOX:
        assert status["Seccomp"] == "2"
        assert filters_of(pid) == filters_of(gateway.process.pid) + 1


def owner(*parts):
    found = os.stat(os.path.join(*map(str, parts)))
    return found.st_uid, found.st_gid


# --- who they are ---------------------------------------------------------------------------------


@pytest.mark.san
def test_workers_have_no_rights(gateway):
    for pid in gateway.workers().values():
        check_rights(gateway, pid)


@pytest.mark.san
def test_nor_have_those_that_come_later(gateway):
    first = gateway.workers()
    os.kill(first[0], signal.SIGKILL)
    gateway.settings["workers"] = 3
    gateway.write_settings()
    gateway.cli("gateway", "reload")
    later = wait_for(lambda: len(now := gateway.workers()) == 3 and now[0] != first[0] and now,
                     "another worker in place of the first, and a third")
    for pid in later.values():
        check_rights(gateway, pid)


def default_user():
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("lurkbot")
    return pwd.getpwnam("nobody")


@needs_root
def test_workers_of_root_are_somebody_else(gateway):
    them = default_user()
    assert f"the workers run as {them.pw_name} ({them.pw_uid}:{them.pw_gid})" in gateway.log()
    for pid in gateway.workers().values():
        status = status_of(pid)
        assert status["Uid"].split() == [str(them.pw_uid)] * 4
        assert status["Gid"].split() == [str(them.pw_gid)] * 4
        assert status["Groups"] == ""
    assert status_of(gateway.process.pid)["Uid"].split() == ["0"] * 4
    for name in ("data", "run", "logs", "logs/gateway.log"):
        assert owner(gateway.home, name) == (them.pw_uid, them.pw_gid), name
        assert stat.S_IMODE(os.stat(os.path.join(gateway.home, name)).st_mode) & 0o077 == 0, name
    # By these two root is told whom to signal and whom to trust.
    for name in ("run/gateway.lock", "run/gateway.sock"):
        assert owner(gateway.home, name)[0] == 0, name


@needs_root
def test_a_user_and_group_that_are_named(start):
    gateway = start(user="daemon", group="65533")
    them = pwd.getpwnam("daemon")
    for pid in gateway.workers().values():
        assert status_of(pid)["Uid"].split() == [str(them.pw_uid)] * 4
        assert status_of(pid)["Gid"].split() == ["65533"] * 4
        check_rights(gateway, pid)
    assert owner(gateway.home, "data") == (them.pw_uid, 65533)
    # The next start may be with somebody else; what lies there follows.
    gateway.stop()
    gateway.settings.update(user="65534", group="")
    gateway.start()
    assert owner(gateway.home, "data")[0] == 65534


@pytest.mark.skipif(os.getuid() != 0, reason="only root has workers be root")
@pytest.mark.san
def test_root_has_to_be_named_and_is_warned(start):
    gateway = start(user="root", group="")
    assert "warning supervisor the workers run as root, by gateway.user" in gateway.log()
    for pid in gateway.workers().values():
        assert status_of(pid)["Uid"].split() == ["0"] * 4
        check_rights(gateway, pid)


@pytest.mark.skipif(os.getuid() == 0, reason="root can become somebody else")
def test_an_ordinary_user_stays_who_it_is(start):
    gateway = start(user="root", group="")
    assert "only root can become somebody else" in gateway.log()
    for pid in gateway.workers().values():
        assert status_of(pid)["Uid"].split() == [str(os.getuid())] * 4


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize("settings, what", [
    ({"user": "no-such-user"}, "gateway.user: this machine knows no no-such-user"),
    ({"user": "root", "group": "no-such-group"}, "gateway.group: this machine knows no no-such-group"),
])
def test_nobody_of_that_name(tmp_path, settings, what):
    gateway = Gateway(tmp_path / "home", **settings)
    gateway.launch()
    assert gateway.process.wait(PATIENCE) == 1
    gateway.stop(expect=1)
    assert what in gateway.log()
    assert not os.path.exists(os.path.join(gateway.home, "run"))
    gateway.check_clean()


@needs_root
def test_a_link_in_a_folder_that_was_given_away(start, tmp_path):
    """Whoever the workers are could put it there, to have root write somewhere else."""
    gateway = start()
    gateway.stop()
    prey = tmp_path / "prey"
    prey.write_text("precious")
    log = os.path.join(gateway.home, "logs", "gateway.log")
    os.unlink(log)
    os.symlink(prey, log)
    gateway.launch()
    assert gateway.process.wait(PATIENCE) == 1
    gateway.stop(expect=1)
    assert f"Cannot open the log file {log}: Too many levels of symbolic links" in gateway.log()
    os.unlink(log)
    lock = os.path.join(gateway.home, "run", "gateway.lock")
    os.unlink(lock)
    os.link(prey, lock)
    gateway.launch()
    assert gateway.process.wait(PATIENCE) == 1
    gateway.stop(expect=1)
    assert f"Cannot lock {lock}: Operation not permitted" in gateway.log()
    assert prey.read_text() == "precious"


# --- what they can do -----------------------------------------------------------------------------


@needs_sandbox
def test_it_can_be_turned_off(start):
    gateway = start(sandbox=False)
    assert "without their sandbox" in gateway.log()
    for pid in gateway.workers().values():
        assert filters_of(pid) == filters_of(gateway.process.pid)
        assert status_of(pid)["NoNewPrivs"] == "1"


class Strace:
    """Writes down all system calls of processes that run already."""

    def __init__(self, pids, path):
        self.path = path
        self.process = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", path, *(f"-p{pid}" for pid in pids)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.pids = pids

    def attached(self):
        """Whether all are traced; skips the test where the machine refuses that."""
        if self.process.poll() is not None:
            said = self.process.stderr.read()
            self.process.stderr.close()
            pytest.skip(f"strace may not trace here: {said.strip()}")
        return all(status_of(pid)["TracerPid"] == str(self.process.pid) for pid in self.pids)

    def calls(self):
        """{name: an example} once all that was traced has ended."""
        self.process.wait(PATIENCE)
        self.process.stderr.close()
        calls = {}
        with open(self.path, errors="replace") as f:
            for line in f:
                if found := re.match(r"\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>)", line):
                    calls.setdefault(found[1], line.strip())
        return calls


async def traffic(gateway, **options):
    clients = [await connect(gateway, subscribe={"events": ["*"]}, **options) for _ in range(8)]
    for i in range(4):
        await clients[0].call("events.publish", {"event": "test.x", "payload": {"text": "x" * 5000 * i}})
        for client in clients:
            await client.event()
    for method in ("gateway.status", "connections.list", "sessions.list", "logs.tail"):
        await clients[1].request(method)
    clients[2].ws.transport.abort()
    await clients[3].ws.send("this is no JSON, and gets into the log")
    for client in clients:
        await client.close()


@needs_sandbox
@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
@pytest.mark.parametrize("sender", ["send", "auto"])
def test_no_call_that_opens_or_starts_anything(start, tmp_path, sender):
    gateway = start(sender=sender, compression_min_bytes=64)
    trace = Strace(list(gateway.workers().values()), tmp_path / "trace")
    wait_for(trace.attached, "strace to attach to the workers")
    asyncio.run(traffic(gateway))
    for path in ("/health", "/live", "/ready", "/info", "/metrics", "/nothing"):
        gateway.http(path)
    gateway.settings.update(log_level="debug", max_in_flight=10, workers=3)
    gateway.write_settings()
    assert "Configuration reloaded" in gateway.cli("gateway", "reload").stdout
    asyncio.run(traffic(gateway))
    gateway.settings.update(tls_settings(), auth_enabled=True, auth_tokens=["one", "another"])
    gateway.write_settings()
    assert "Configuration reloaded" in gateway.cli("gateway", "reload").stdout
    vars(gateway).pop("ssl", None)  # what its clients need now
    asyncio.run(traffic(gateway, extra_headers={"Authorization": "Bearer one"}))
    gateway.settings.update(auth_tokens=["another"])
    gateway.write_settings()
    assert "Configuration reloaded" in gateway.cli("gateway", "reload").stdout
    asyncio.run(traffic(gateway, extra_headers={"Authorization": "Bearer another"}))
    os.rename(log := os.path.join(gateway.home, "logs", "gateway.log"), f"{log}.1")
    gateway.process.send_signal(signal.SIGUSR1)
    gateway.wait_line("the log file was opened again")
    gateway.cli("gateway", "status")
    gateway.stop()
    calls = trace.calls()
    assert {"accept4", "recvfrom", "sendto", "recvmsg", "sendmsg", "epoll_wait"} <= calls.keys()
    if sender == "auto" and "io_uring is not to be had" not in gateway.log():
        assert {"io_uring_enter", "io_uring_register"} <= calls.keys()
    made = {name: line for name, line in calls.items()
            if FORBIDDEN.search(name) and name not in ALLOWED}
    assert not made
    refused = [line for line in calls.values() if "EPERM" in line]
    assert not refused
