"""Every verb of the command line, typed for real: what it prints, where, and its exit status."""

import asyncio
import contextlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest
import websockets

from gateway import LURKBOT, PATIENCE, RING_BYTES, Gateway, processes_of, wait_for

OK, FAILED, USAGE, UNREACHABLE, UNAUTHORIZED = range(5)
SMALL = ["--port", "0", "--workers", "1", "--ring-bytes", str(RING_BYTES)]


@pytest.fixture
def home(tmp_path):
    """A home in which nothing runs yet; whatever a test leaves running there is ended."""
    gateway = Gateway(tmp_path / "home")
    os.makedirs(gateway.home)
    yield gateway
    gateway.cli("gateway", "stop", check=False)
    gateway.check_clean()


def run(gateway, line, status=OK, **options):
    done = gateway.cli("gateway", *line.split(), check=False, **options)
    assert done.returncode == status, f"{line}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def start_daemon(home, *flags):
    done = home.cli("gateway", "start", "--daemon", *SMALL, *flags)
    found = re.fullmatch(r"Gateway started \(pid (\d+)\), (ws://127\.0\.0\.1:\d+)\n", done.stdout)
    assert found, done.stdout
    return int(found[1]), found[2]


class Running:
    """A verb that goes on until it is told to end; its lines are collected."""

    def __init__(self, gateway, *arguments):
        self.process = subprocess.Popen(
            [LURKBOT, "gateway", *arguments], env=gateway.environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def wait_line(self, pattern):
        return wait_for(lambda: next((m for line in list(self.lines)
                                      if (m := re.search(pattern, line))), None),
                        f"{pattern} among {self.lines}")

    def finish(self, send=None):
        if send:
            self.process.send_signal(send)
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, errors


@contextlib.contextmanager
def running(gateway, *arguments):
    verb = Running(gateway, *arguments)
    try:
        yield verb
    finally:
        if verb.process.poll() is None:
            verb.finish(signal.SIGKILL)


def wait_for_clients(gateway, count):
    """Until so many clients of the command line beside this one have said hello."""
    def clients():
        result = json.loads(run(gateway, "call connections.list --json").stdout)
        return sum(c["client"]["id"] == "lurkbot-cli" for c in result["connections"]) > count
    wait_for(clients, f"{count} clients")


# --- help and usage -----------------------------------------------------------------------------

def test_version_and_help(home):
    assert re.fullmatch(r"lurkbot \d+\.\d+\.\d+\n", home.cli("--version").stdout)
    listed = home.cli("--help").stdout
    verbs = re.findall(r"^  (gateway (?:config )?[a-z]+)  ", listed, re.M)
    assert len(verbs) == len(set(verbs)) >= 15
    for verb in verbs:
        shown = home.cli(*verb.split(), "--help").stdout
        assert shown.startswith(f"Usage: lurkbot {verb} [OPTION]...")
    assert "gateway config path" in home.cli("gateway", "config", "--help").stdout


@pytest.mark.parametrize("line, says", [
    ("", "Usage: lurkbot VERB"),
    ("gateway", "Usage: lurkbot gateway VERB"),
    ("gateway config", "gateway config check"),
    ("gateway strat", 'Did you mean "lurkbot gateway start"?'),
    ("status", 'Did you mean "lurkbot gateway status"?'),
    ("--daemon gateway start", "options follow the verb"),
    ("gateway status --jsn", "did you mean --json?"),
    ("gateway start --prot 1", "did you mean --port?"),
    ("gateway status --port 0", "--port: must be a number from 1 to 65535"),
    ("gateway status --port", "--port needs a value"),
    ("gateway status extra", 'unexpected argument "extra"'),
    ("gateway call", "METHOD is missing"),
    ("gateway call status --params [1]", "--params: must be a JSON object"),
    ("gateway call status --params {]", "--params: is not valid JSON, at byte 2"),
    ("gateway publish a --payload 1", "--payload: must be a JSON object"),
    ("gateway status --url https://h", "must be ws://HOST[:PORT][/PATH], or wss://"),
    ("gateway status --tls --url ws://h", "goes not together with a ws:// URL"),
    ("gateway status --cacert x", "goes together with --tls or a wss:// URL"),
    ("gateway status --insecure --host h", "goes together with --tls or a wss:// URL"),
    ("gateway status --tls --insecure --cacert x", "goes not together with --cacert"),
    ("gateway status --tls --cacert /dev/null", "must be a file of certificates in PEM form"),
    ("gateway status --url ws://h --port 1", "says host and port already"),
    ("gateway status --host a/b", "--host: must be a host name or an address"),
    ("gateway status --port 1 --token-file /dev/null", "/dev/null: is empty"),
    ("gateway status --port 1 --token a --token-file b", "goes not together with --token-file"),
    ("gateway logs -n many", "--lines: must be a number"),
])
def test_usage_errors(home, line, says):
    done = home.cli(*line.split(), check=False)
    assert done.returncode == USAGE
    assert says in done.stderr
    assert done.stdout == ""


# --- status and health --------------------------------------------------------------------------

@pytest.mark.san
@pytest.mark.valgrind
def test_status_of_a_running_gateway(session_gateway):
    shown = run(session_gateway, "status").stdout
    assert re.fullmatch(
        r"Gateway Status: Running\n"
        rf"  PID: {session_gateway.process.pid}\n"
        rf"  Address: ws://127\.0\.0\.1:{session_gateway.port}\n"
        r"  Uptime: (\d+m )?\d+s\n"
        r"  Connections: \d+\n"
        r"  Workers: 2\n", shown), shown
    told = json.loads(run(session_gateway, "status --json").stdout)
    assert told["running"] is True and told["pid"] == session_gateway.process.pid


def test_status_when_nothing_runs(home):
    assert run(home, "status", UNREACHABLE).stdout == "Gateway Status: Stopped\n"
    assert json.loads(run(home, "status --json", UNREACHABLE).stdout) == {"running": False}
    assert "Gateway is not running" in run(home, "health", UNREACHABLE).stderr
    assert "Gateway is not running" in run(home, "call status", UNREACHABLE).stderr


def test_health(session_gateway):
    shown = run(session_gateway, "health").stdout
    assert re.match(r"Gateway Health: healthy\n  Version: \d+\.\d+\.\d+\n  Uptime: ", shown)
    assert json.loads(run(session_gateway, "health --json").stdout)["status"] == "healthy"


# --- start, stop, restart -----------------------------------------------------------------------

@pytest.mark.san
def test_life_of_a_daemon(home):
    pid, address = start_daemon(home)
    assert f"PID: {pid}\n  Address: {address}\n" in run(home, "status").stdout
    assert os.getsid(pid) not in (pid, os.getsid(0))
    for again in ("start --port 0", "start --daemon --port 0"):
        done = run(home, again, FAILED)
        assert f"Already running: the gateway with pid {pid}" in done.stderr
    assert run(home, "stop").stdout == f"Gateway stopped (pid {pid})\n"
    assert not processes_of(home.home)
    assert run(home, "stop", UNREACHABLE).stderr == "lurkbot: Gateway is not running\n"
    assert json.loads(run(home, "stop --json", UNREACHABLE).stdout) == {"stopped": False}


def test_daemon_holds_no_descriptor_of_its_caller(home):
    """Were one end of these pipes still open in the daemon, reading to the end would hang."""
    reader, writer = os.pipe()
    done = subprocess.run([LURKBOT, "gateway", "start", "-d", *SMALL],
                          env=home.environment(), capture_output=True, pass_fds=[writer],
                          timeout=PATIENCE)
    os.close(writer)
    assert done.returncode == OK
    with os.fdopen(reader, "rb") as f:
        assert f.read() == b""
    pid = int(re.search(rb"pid (\d+)", done.stdout)[1])
    for fd in range(3):
        assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"


def test_address_in_use(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for line in (f"start --port {port}", f"start --daemon --port {port}"):
            done = run(home, line, FAILED)
            assert f"Address already in use: 127.0.0.1:{port}" in done.stderr
    assert not processes_of(home.home)


def test_bad_configuration_starts_nothing_and_stops_nothing(home):
    pid, _ = start_daemon(home)
    wrong = "--port 99999 --log-level loud"
    for verb in ("start", "start --daemon", "restart"):
        done = run(home, f"{verb} {wrong}", USAGE)
        assert "--port: gateway.port: must be" in done.stderr
        assert "--log-level: gateway.log_level: must be" in done.stderr
    assert f"PID: {pid}\n" in run(home, "status").stdout


def test_restart(home):
    done = run(home, " ".join(["restart", *SMALL]))
    first = int(re.fullmatch(r"Gateway started \(pid (\d+)\), .*\n", done.stdout)[1])
    done = run(home, " ".join(["restart", *SMALL, "--workers", "2"]))
    found = re.fullmatch(r"Gateway stopped \(pid (\d+)\)\nGateway started \(pid (\d+)\), .*\n",
                         done.stdout)
    assert int(found[1]) == first != int(found[2])
    assert "Workers: 2\n" in run(home, "status").stdout


def test_stop_tells_when_it_takes_too_long(home):
    pid, _ = start_daemon(home)
    os.kill(pid, signal.SIGSTOP)
    done = run(home, "stop --timeout-ms 100", FAILED)
    os.kill(pid, signal.SIGCONT)
    assert f"Gateway (pid {pid}) has not ended yet: it is still stopping" in done.stderr
    wait_for(lambda: not processes_of(home.home), "the end of the gateway")


def test_a_long_home(tmp_path):
    gateway = Gateway(tmp_path / ("x" * 120) / ("y" * 120))
    os.makedirs(gateway.home)
    pid, _ = start_daemon(gateway)
    assert f"PID: {pid}\n" in run(gateway, "status").stdout
    run(gateway, "stop")
    gateway.check_clean()


# --- call and publish ---------------------------------------------------------------------------

@pytest.mark.san
@pytest.mark.valgrind
def test_call(session_gateway):
    shown = run(session_gateway, "call connections.list --params {\"limit\":1}").stdout
    assert shown.startswith('{\n  "connections": [\n    {\n      "connId": "')
    line = run(session_gateway, "call connections.list --params - --json", input=' {"limit":1} ')
    assert line.stdout.count("\n") == 1 and len(json.loads(line.stdout)["connections"]) == 1


def test_call_that_is_answered_by_an_error(session_gateway):
    done = run(session_gateway, "call nope", FAILED)
    assert done.stderr == "METHOD_NOT_FOUND: Method not found: nope\n" and done.stdout == ""
    done = run(session_gateway, "call nope --json", FAILED)
    assert json.loads(done.stderr)["code"] == "METHOD_NOT_FOUND"
    done = run(session_gateway, "call connections.list --params {\"limit\":0}", FAILED)
    assert done.stderr.startswith("INVALID_REQUEST: ")


def test_publish(session_gateway):
    shown = run(session_gateway, "publish test.cli --payload {}").stdout
    found = re.fullmatch(r"Published evt_([0-9a-f]{8}) \(seq (\d+)\)\n", shown)
    assert int(found[1], 16) == int(found[2])
    told = json.loads(run(session_gateway, "publish test.cli --json").stdout)
    assert told["seq"] > int(found[2])
    assert "INVALID_REQUEST" in run(session_gateway, "publish cron.added", FAILED).stderr


# --- tail ---------------------------------------------------------------------------------------

@pytest.mark.san
@pytest.mark.valgrind
def test_tail(gateway):
    with running(gateway, "tail") as every, \
         running(gateway, "tail", "--events", "a.*", "--events", "b", "--session-key", "k:1",
                 "--count", "2", "--json") as some:
        wait_for_clients(gateway, 2)
        payload = '{ "big": 123456789012345678901, "real": 1.0, "text": "\\u001b[31m\u0085" }'
        gateway.cli("gateway", "publish", "a.b", "--payload", payload, "--session-key", "k:1")
        gateway.cli("gateway", "publish", "b", "--session-key", "k:2")
        gateway.cli("gateway", "publish", "c", "--session-key", "k:1")
        gateway.cli("gateway", "publish", "b", "--session-key", "k:1")
        assert some.finish() == (OK, "")
        assert [json.loads(line)["event"] for line in some.lines] == ["a.b", "b"]
        assert '"payload":{"big":123456789012345678901,"real":1.0,"text":"\\u001b[31m\\u0085"}' \
            in some.lines[0]
        every.wait_line(r" b \[k:1\]$")
        assert every.finish(signal.SIGINT) == (OK, "")
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z a\.b \[k:1\] \{\"big\":123456789012345678901,"
            r"\"real\":1\.0,\"text\":\"\\u001b\[31m\\u0085\"\}\n", every.lines[0]), every.lines[0]
        assert [line.split()[1] for line in every.lines] == ["a.b", "b", "c", "b"]


def test_tail_shows_no_control_characters_of_session_keys(gateway):
    with running(gateway, "tail", "--count", "1") as tail:
        wait_for_clients(gateway, 1)
        gateway.cli("gateway", "publish", "a", "--session-key", "k\x1b[2J\u009b")
        assert tail.finish() == (OK, "")
        assert tail.lines[0].endswith(" a [k\\u001b[2J\\u009b]\n")


def test_tail_ends_with_the_gateway(start):
    gateway = start()
    with running(gateway, "tail") as tail:
        wait_for_clients(gateway, 1)
        gateway.stop()
        status, errors = tail.finish()
        assert status == UNREACHABLE
        assert errors.startswith("lurkbot: Connection closed by the gateway: 1001 ")
        assert tail.lines[-1].endswith(' gateway.shutdown {"reason":"stopping"}\n')


def test_tail_ends_when_nobody_reads(gateway):
    reader, writer = os.pipe()
    tail = subprocess.Popen([LURKBOT, "gateway", "tail"], env=gateway.environment(),
                            stdin=subprocess.DEVNULL, stdout=writer)
    os.close(writer)
    try:
        wait_for_clients(gateway, 1)
        os.close(reader)
        assert tail.wait(PATIENCE) == OK
    finally:
        tail.kill()
        tail.wait()


def test_tail_refused(session_gateway):
    done = run(session_gateway, "tail --events a..b", FAILED)
    assert "events" in done.stderr


# --- other addresses ----------------------------------------------------------------------------

def test_by_tcp(session_gateway):
    port = session_gateway.port
    for where in (f"--port {port}", f"--host localhost --port {port}",
                  f"--url ws://127.0.0.1:{port}", f"--url=ws://127.0.0.1:{port}/ws"):
        assert "Status: Running" in run(session_gateway, f"status {where}").stdout
    done = run(session_gateway, f"call status --url ws://127.0.0.1:{port}/nowhere", UNREACHABLE)
    assert "404" in done.stderr


def test_nobody_listens(home):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    done = run(home, f"status --port {port}", UNREACHABLE)
    assert done.stdout == "Gateway Status: Stopped\n"
    assert done.stderr == f"lurkbot: Connection refused: ws://127.0.0.1:{port}\n"
    done = run(home, "call status --host no.such.host.invalid", UNREACHABLE)
    assert done.stderr == "lurkbot: Unknown host: no.such.host.invalid\n"


@contextlib.contextmanager
def http_server(status, body):
    """Answers every request in the same way; yields its port and the tokens that it was sent."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


def test_tokens(home, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text("from-file\nsecond line\n")
    body = b'{"error":{"code":"INVALID_REQUEST","message":"Authentication failed: who?"}}'
    with http_server(401, body) as (port, seen):
        def attempt(*flags, **variables):
            done = subprocess.run(
                [LURKBOT, "gateway", "call", "status", "--port", str(port), *flags],
                env={**home.environment(), **variables}, capture_output=True, text=True,
                timeout=PATIENCE)
            assert done.returncode == UNAUTHORIZED
            assert done.stderr == "lurkbot: Authentication failed: who?\n"

        attempt()
        attempt("--token", "from-flag", LURKBOT_GATEWAY_TOKEN="from-environment")
        attempt("--token-file", str(token_file))
        attempt(LURKBOT_GATEWAY_TOKEN="from-environment")
        attempt(LURKBOT_GATEWAY_TOKEN="")
    assert seen == [None, "Bearer from-flag", "Bearer from-file", "Bearer from-environment", None]


def test_a_token_cannot_smuggle_headers(home):
    done = home.cli("gateway", "status", "--port", "1", "--token", "a\r\nX: y", check=False)
    assert done.returncode == USAGE and "visible ASCII" in done.stderr


@contextlib.contextmanager
def stub_gateway(answers):
    """A server that says what the test wants: {"hello": frame, METHOD: response members}."""
    loop = asyncio.new_event_loop()

    async def serve(ws):
        json.loads(await ws.recv())
        await ws.send(json.dumps(answers["hello"]))
        async for text in ws:
            request = json.loads(text)
            await ws.send(json.dumps(
                {"id": request["id"], "type": "response", **answers[request["method"]]}))

    async def begin():
        return await websockets.serve(serve, "127.0.0.1", 0)

    server = loop.run_until_complete(begin())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        async def end():
            server.close()
            await server.wait_closed()
        asyncio.run_coroutine_threadsafe(end(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_refused_hello(home):
    error = {"code": "INVALID_REQUEST", "message": "Authentication failed: bad token",
             "details": {"reason": "unauthorized"}}
    with stub_gateway({"hello": {"type": "hello-error", "error": error}}) as port:
        done = run(home, f"health --port {port}", UNAUTHORIZED)
        assert done.stderr == "lurkbot: Authentication failed: bad token\n"


def test_missing_scope(home):
    error = {"code": "INVALID_REQUEST", "message": "This needs the scope admin",
             "details": {"reason": "forbidden"}}
    with stub_gateway({"hello": {"type": "hello-ok"}, "x": {"error": error}}) as port:
        done = run(home, f"call x --port {port}", UNAUTHORIZED)
        assert done.stderr == "INVALID_REQUEST: This needs the scope admin\n"


def test_a_gateway_that_is_not_well(home):
    members = {"status": "degraded", "version": "0.1.0", "uptimeMs": 8100000, "connections": 7}
    workers = [{"id": 0, "state": "serving"}, {"id": 1, "state": "starting"}]
    with stub_gateway({
        "hello": {"type": "hello-ok"},
        "health": {"result": {**members, "workers": 1}},
        "status": {"result": {**members, "pid": 5, "workers": workers,
                              "listeners": ["ws://a:1", "ws://b:2"]}},
    }) as port:
        done = run(home, f"health --port {port}", FAILED)
        assert done.stdout.startswith("Gateway Health: degraded\n")
        assert run(home, f"status --port {port}").stdout == (
            "Gateway Status: Running\n  PID: 5\n  Address: ws://a:1, ws://b:2\n"
            "  Uptime: 2h 15m\n  Connections: 7\n  Workers: 1 of 2 serving\n")


# --- logs ---------------------------------------------------------------------------------------

def write_log(home, text, mode="a"):
    path = os.path.join(home.home, "logs", "gateway.log")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode) as f:
        f.write(text)
    return path


def test_logs_when_nothing_runs(home):
    path = os.path.join(home.home, "logs", "gateway.log")
    assert run(home, "logs", FAILED).stderr == f"lurkbot: {path}: No such file or directory\n"
    write_log(home, "".join(f"line {i}\n" for i in range(100)))
    assert run(home, "logs").stdout == "".join(f"line {i}\n" for i in range(50, 100))
    assert run(home, "logs -n 2").stdout == "line 98\nline 99\n"
    assert run(home, "logs -n0").stdout == ""
    write_log(home, '{"level":"info"}\nunfinished')
    assert run(home, "logs -n 2 --json").stdout == '{"level":"info"}\n{"line":"unfinished"}\n'


def test_logs_follow_across_rotation(home):
    with running(home, "logs", "-fn1") as logs:
        path = write_log(home, "first\n")
        logs.wait_line("^first$")
        os.rename(path, path + ".1")
        with open(path + ".1", "a") as f:
            f.write("late\n")
        logs.wait_line("^late$")
        write_log(home, "second\n")
        logs.wait_line("^second$")
        write_log(home, "cut\n", mode="w")
        logs.wait_line("^cut$")
        assert logs.finish(signal.SIGTERM) == (OK, "")
        assert logs.lines == ["first\n", "late\n", "second\n", "cut\n"]


def test_logs_of_the_configured_file(home, tmp_path):
    (tmp_path / "other.log").write_text("elsewhere\n")
    (tmp_path / "conf.json").write_text(
        json.dumps({"gateway": {"log_file": str(tmp_path / "other.log")}}))
    assert run(home, f"logs --config {tmp_path}/conf.json").stdout == "elsewhere\n"
    assert run(home, f"logs --log-file {tmp_path}/other.log").stdout == "elsewhere\n"


# --- config -------------------------------------------------------------------------------------

def test_config_check(home, tmp_path):
    assert run(home, "config check").stdout == "Configuration is valid\n"
    assert json.loads(run(home, "config check --json").stdout) == {"valid": True, "errors": []}
    file = tmp_path / "bad.json"
    file.write_text('{"gateway":\n {"port": "x",\n  "prot": 1}}')
    done = run(home, f"config check --config {file} --workers many", USAGE)
    assert f"{file}:2: gateway.port: " in done.stderr
    assert f"{file}:3: gateway.prot: " in done.stderr
    assert "--workers: gateway.workers: " in done.stderr
    assert done.stderr.endswith("lurkbot: 3 errors in the configuration\n")
    told = json.loads(run(home, f"config check --config {file} --json", USAGE).stdout)
    assert told["valid"] is False and len(told["errors"]) == 2


def test_config_show(home):
    shown = json.loads(run(home, "config show --port 8080 --echo").stdout)
    assert shown["gateway"]["port"] == 8080 and shown["gateway"]["echo"] is True
    done = run(home, "config show --port 8080 --sources --json")
    told = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert told["sources"]["gateway.port"] == "--port"
    assert told["sources"]["gateway.host"] == "built-in"
    assert "gateway.port: must be" in run(home, "config show --port x", USAGE).stderr


def test_config_path(home, tmp_path):
    file = os.path.join(home.home, "config.json")
    with open(file, "w") as f:
        f.write("{}")
    lines = run(home, "config path").stdout.splitlines()
    assert lines[0].endswith(" /etc/lurkbot/config.json")
    assert lines[1:] == [f"read       {file}", f"missing    {home.home}/.env"]
    told = json.loads(run(home, f"config path --config {tmp_path}/c --json").stdout)
    assert told == {"home": home.home, "files": [
        {"path": f"{tmp_path}/c", "state": "missing"},
        {"path": f"{home.home}/.env", "state": "missing"}]}


# --- output -------------------------------------------------------------------------------------

def test_output_that_cannot_be_written(home):
    with open("/dev/full", "w") as full:
        done = subprocess.run([LURKBOT, "--help"], env=home.environment(), stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert done.returncode == FAILED
    assert "cannot write to standard output: No space left on device" in done.stderr
