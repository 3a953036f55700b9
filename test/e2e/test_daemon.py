"""`lurkbot daemon`: with a systemctl of the test's own, and where there is none; and that diagnose
finds each fault that is planted."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess

import pytest

import userd
from certificates import Authority
from gateway import LURKBOT, Gateway, processes_of, wait_for

OK, FAILED, USAGE, UNREACHABLE = range(4)


class Daemon(Gateway):
    """A home with a user's folders beside it. Nothing on PATH knows systemd unless it has a manager."""

    def __init__(self, folder, has_manager):
        super().__init__(folder / "home", max_connections=1000)
        self.folder = folder
        os.makedirs(self.home)
        self.write_settings()
        self.manager = folder / "manager"
        commands = userd.install(self.manager) if has_manager else folder / "nothing"
        commands.mkdir(exist_ok=True)
        self.path = str(commands)
        if not has_manager:
            for name in ("systemctl", "journalctl"):
                (commands / name).write_text("#!/bin/sh\necho no bus here >&2\nexit 1\n")
                (commands / name).chmod(0o755)

    @property
    def unit(self):
        return self.folder / "config" / "systemd" / "user" / "lurkbot-gateway.service"

    def environment(self):
        return {**super().environment(), "HOME": str(self.folder),
                "XDG_CONFIG_HOME": str(self.folder / "config"),
                "PATH": f"{self.path}:{os.environ['PATH']}"}

    def run(self, line, status=OK, **options):
        done = self.cli("daemon", *line.split(), check=False, **options)
        assert done.returncode == status, f"{line}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def state(self, status=OK):
        return json.loads(self.run("status --json", status).stdout)

    def plant(self, **what):
        (self.manager / "plant.json").write_text(json.dumps(what))

    def calls(self):
        calls = (self.manager / "calls.txt").read_text().splitlines()
        return [call.removeprefix("--user ") for call in calls if " show" not in call]

    def diagnose(self, check, verdict, says, status=None):
        """The finding of this check has that verdict, and says that; it is an error or it is not."""
        status = FAILED if verdict == "error" else status
        done = self.cli("daemon", "diagnose", "--json", check=False)
        answer = json.loads(done.stdout)
        found = {c["check"]: c for c in answer["checks"]}[check]
        assert found["verdict"] == verdict and says in found["message"], found
        assert ("suggestion" in found) == (verdict != "ok"), found
        verdicts = [c["verdict"] for c in answer["checks"]]
        assert answer["errors"] == verdicts.count("error")
        assert answer["warnings"] == verdicts.count("warning")
        assert done.returncode == (FAILED if answer["errors"] else OK)
        assert status is None or done.returncode == status, done.stdout
        return found


def make(tmp_path, has_manager):
    daemon = Daemon(tmp_path / "user", has_manager)
    yield daemon
    daemon.cli("gateway", "stop", check=False)
    daemon.check_clean()


@pytest.fixture
def managed(tmp_path):
    yield from make(tmp_path, True)


@pytest.fixture
def alone(tmp_path):
    yield from make(tmp_path, False)


@pytest.fixture(params=[True, False], ids=["systemd", "alone"])
def either(tmp_path, request):
    yield from make(tmp_path, request.param)


# --- driving ------------------------------------------------------------------------------------

def test_life_with_a_manager(managed):
    assert managed.state(UNREACHABLE)["installed"] is False
    assert "Not installed" in managed.run("start", FAILED).stderr
    assert f"Installed {managed.unit}" in managed.run("install").stdout
    assert managed.calls() == ["daemon-reload", "enable lurkbot-gateway.service"]
    state = managed.state(UNREACHABLE)
    assert state["installed"] and state["enabled"] and not state["running"]
    assert state["manager"] == "systemd" and state["state"] == "inactive"
    managed.run("start")
    first = managed.state()
    assert first["running"] and first["pid"] in processes_of(managed.home)
    managed.diagnose("running", "ok", f"pid {first['pid']}", OK)
    managed.run("restart")
    assert managed.state()["pid"] != first["pid"]
    shown = managed.run("status").stdout
    assert "Daemon Status: Running" in shown and "systemd (active, enabled" in shown
    managed.run("stop")
    assert not managed.state(UNREACHABLE)["running"]
    managed.run("start")
    managed.run("uninstall")
    assert managed.calls()[-3:] == ["stop lurkbot-gateway.service",
                                    "disable lurkbot-gateway.service", "daemon-reload"]
    assert not managed.unit.exists() and not processes_of(managed.home)
    assert "Not installed" in managed.run("uninstall", FAILED).stderr


def test_life_without_a_manager(alone):
    says = "no systemd of this user"
    assert says in alone.run("install").stderr
    assert says in alone.run("start").stderr
    state = alone.state()
    assert state["manager"] == "none" and state["pid"] in processes_of(alone.home)
    alone.diagnose("running", "ok", "answers", OK)
    alone.run("restart")
    assert alone.state()["pid"] != state["pid"]
    assert "Manager: none" in alone.run("status").stdout
    assert says in alone.run("stop").stderr
    assert not processes_of(alone.home)
    assert "not running" in alone.run("stop", UNREACHABLE).stderr
    alone.run("start")
    alone.run("uninstall")
    assert not processes_of(alone.home) and not alone.unit.exists()
    alone.run("start")  # also without a unit, by the configuration alone
    assert processes_of(alone.home)


def test_options_reach_the_gateway(either, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    workspace = tmp_path / "work $HOME 100% \"of\" it"
    workspace.mkdir()
    done = either.cli("daemon", "install", "--port", str(port), "--bind", "lan",
                      "--workspace", str(workspace))
    assert "needs authentication" in done.stderr and "auth_enabled" in done.stderr
    either.run("start")
    assert either.address == f"ws://0.0.0.0:{port}"
    if either.state()["manager"] == "systemd":
        given = json.loads((either.manager / "state.json").read_text())["environment"]
        assert given["LURKBOT_WORKSPACE"] == str(workspace) and given["LURKBOT_HOME"] == either.home
    assert f"WorkingDirectory={workspace}".replace("%", "%%") in either.unit.read_text()
    either.diagnose("configuration", "warning", "other machines are turned away", OK)
    either.run("install --bind loopback --port 1")
    assert '"--host" "127.0.0.1"' in either.unit.read_text()
    assert "LURKBOT_WORKSPACE" not in either.unit.read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(alone, tmp_path):
    workspace = tmp_path / "work $HOME 100% \"of\" it"
    workspace.mkdir()
    alone.cli("daemon", "install", "--port", "8080", "--bind", "lan", "--workspace", str(workspace))
    done = subprocess.run(["systemd-analyze", "--man=no", "verify", alone.unit],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("line, says", [
    ("install --bind world", "--bind: must be loopback or lan"),
    ("install --port 0", "--port: must be a number from 1 to 65535"),
    ("install --workspace /nonexistent", "--workspace: /nonexistent is no folder"),
    ("install --config /nonexistent.json", "/nonexistent.json"),
    ("install extra", "unexpected argument"),
])
def test_install_refuses(alone, line, says):
    assert says in alone.run(line, USAGE).stderr
    assert not alone.unit.exists()


def test_install_leaves_a_stranger_alone(either):
    either.unit.parent.mkdir(parents=True)
    either.unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert "not written by" in either.run("install", FAILED).stderr
    assert either.unit.read_text() == "[Service]\nExecStart=/bin/true\n"
    either.diagnose("installed", "error", "does not start a gateway")


def test_what_systemctl_says_is_shown(managed):
    managed.plant(fails="enable")
    done = managed.run("install", FAILED)
    assert "systemctl --user enable failed (status 1): planted: enable does not work" in done.stderr
    managed.plant(fails="start")
    done = managed.run("start", FAILED)
    assert "planted: start does not work" in done.stderr and "daemon diagnose" in done.stderr


def test_a_gateway_started_by_hand_is_in_the_way(managed):
    managed.run("install")
    managed.cli("gateway", "start", "--daemon")
    assert "started by hand" in managed.run("start", FAILED).stderr
    managed.diagnose("running", "warning", "started by hand", OK)


# --- diagnosis: each fault is planted, and found --------------------------------------------------

def test_nothing_is_wrong(either):
    either.run("install")
    either.run("start")
    done = either.run("diagnose")
    assert "\n0 errors, " in done.stdout
    lines = [line for line in done.stdout.splitlines() if line[:1] not in ("", " ")]
    expected = ["ok"] * 9 if either.state()["manager"] == "systemd" else ["warning"] + ["ok"] * 8
    assert [line.split()[0] for line in lines[:-1]] == expected, done.stdout


def test_not_installed(either):
    has_manager = (either.manager / "bin").exists()
    either.diagnose("installed", "error" if has_manager else "warning", "there is no")


def test_program_is_gone(either):
    program = either.folder / "copy"
    shutil.copy(LURKBOT, program)
    subprocess.run([program, "daemon", "install"], env=either.environment(), check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    program.unlink()
    either.diagnose("installed", "error", "cannot be run: No such file or directory")


def test_unit_is_broken(either):
    either.run("install")
    either.unit.write_text(either.unit.read_text().replace("gateway", "gatewax"))
    either.diagnose("installed", "error", "does not start a gateway")
    assert "does not start a gateway" in either.run("start", FAILED).stderr


def test_not_enabled(managed):
    managed.run("install")
    managed.plant(UnitFileState="disabled")
    managed.diagnose("installed", "warning", "is not enabled")


def test_not_running(either):
    either.run("install")
    found = either.diagnose("running", "error", "no gateway of")
    assert found["suggestion"] == "lurkbot daemon start"


def test_not_answering(either):
    either.run("install")
    either.run("start")
    pid = either.state()["pid"]
    workers = [p for p in processes_of(either.home) if p != pid]
    for process in [pid, *workers]:
        os.kill(process, signal.SIGSTOP)
    try:
        either.diagnose("running", "error", "does not answer")
    finally:
        for process in [pid, *workers]:
            os.kill(process, signal.SIGCONT)


def test_starts_again_and_again(managed):
    managed.run("install")
    managed.plant(ActiveState="activating", NRestarts=17, Result="exit-code", ExecMainStatus=2)
    managed.diagnose("running", "error", "again and again")
    found = managed.diagnose("last exit", "error", "exit-code, status 2, after 17 restarts")
    assert found["suggestion"] == "lurkbot gateway config check"


def test_was_restarted(managed):
    managed.run("install")
    managed.run("start")
    managed.plant(NRestarts=3)
    managed.diagnose("last exit", "warning", "3 times", OK)


def test_was_killed(alone):
    alone.run("install")
    alone.run("start")
    os.kill(alone.state()["pid"], signal.SIGKILL)
    wait_for(lambda: not processes_of(alone.home), "the workers to end")
    alone.diagnose("last exit", "error", "killed, or it crashed")
    alone.run("start")
    alone.diagnose("last exit", "ok", "nothing went wrong", OK)


def test_configuration_is_wrong(either):
    either.run("install")
    with open(os.path.join(either.home, "config.json"), "w") as f:
        f.write('{"gateway": {"port": 70000, "worker": 1}}')
    found = either.diagnose("configuration", "error", "2 errors, the first: ")
    assert "config.json" in found["message"] and "config check" in found["suggestion"]
    either.diagnose("certificate", "warning", "not valid")


def test_port_is_taken(either):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        either.run(f"install --port {port}")
        either.diagnose("port", "error", f"another program listens at ws://127.0.0.1:{port}")
    either.diagnose("port", "warning", "since the gateway does not run")


def test_log_is_large_and_full_of_errors(alone):
    alone.run("install")
    alone.run("start")
    log = os.path.join(alone.home, "logs", "gateway.log")
    alone.diagnose("log size", "ok", "KiB", OK)
    with open(log, "r+b") as f:
        now = f.readline().split(b" ")[0].decode()
        f.truncate(300 << 20)
        f.seek(0, os.SEEK_END)
        f.write(b"\n2001-01-01T00:00:00.000Z error supervisor ancient\n")
    alone.diagnose("log size", "warning", "300 MiB", OK)
    alone.diagnose("error log", "ok", "no error", OK)
    with open(log, "a") as f:
        f.write(f'{now} error worker 0 first \n')
        f.write(f'{{"time":"{now}","level":"error","process":"worker 1","message":"second"}}\n')
        f.write(f"{now} info  worker 0 error in the message alone\n")
    alone.diagnose("error log", "warning", "2 errors within a day, the last: {")


def test_log_cannot_be_read(alone):
    alone.run("install")
    log = os.path.join(alone.home, "logs", "gateway.log")
    os.makedirs(log)  # root reads every file, but no folder
    alone.diagnose("error log", "error", "Is a directory")
    os.rmdir(log)


def test_error_in_the_journal(managed):
    managed.run("install")
    managed.diagnose("error log", "ok", "no error")
    managed.plant(journal="something \x1b[31m broke\n")
    found = managed.diagnose("error log", "warning", "something")
    assert "\x1b" not in found["message"] and "journalctl" in found["suggestion"]


@pytest.mark.parametrize("days, verdict, says", [
    (-1, "error", "has expired"), (3, "warning", "expires in"), (90, "ok", "is good for")])
def test_certificate(alone, tmp_path, days, verdict, says):
    authority = Authority(str(tmp_path))
    cert, key = authority.issue(days=days)
    alone.settings.update(tls_enabled=True, tls_cert=cert, tls_key=key)
    alone.write_settings()
    alone.run("install")
    alone.diagnose("certificate", verdict, says)


def test_few_descriptors(alone):
    alone.settings["max_connections"] = 100000
    alone.write_settings()
    alone.run("install")

    def diagnose(limit):
        done = subprocess.run(
            [LURKBOT, "daemon", "diagnose", "--json"], env=alone.environment(), text=True,
            capture_output=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        return next(c for c in json.loads(done.stdout)["checks"] if c["check"] == "descriptors")

    assert diagnose(1000)["verdict"] == "warning"
    assert "not the 100000 allowed" in diagnose(1000)["message"]
    assert diagnose(100)["verdict"] == "error"
