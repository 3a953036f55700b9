"""The table of attacks: what has brought other gateways down, or let others in, tried here. The
numbers are those of the lessons, which `lessons` maps to their tests, here and elsewhere."""

import asyncio
import json
import os
import pathlib
import re
import resource
import signal
import socket
import stat
import subprocess
import zlib

import pytest

from gateway import HELLO, LURKBOT, PATIENCE, Gateway, connect, segment_of, wait_for
from rawws import CLOSE, CONT, PING, PONG, TEXT, Raw, close_frame, frame

pytestmark = pytest.mark.san

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("target") / "home", echo=True,
                      allowed_origins=["https://chat.example.org"])
    gateway.start()
    pids = gateway.workers()
    yield gateway
    assert gateway.workers() == pids, "no attack costs a process"
    gateway.stop()
    gateway.check_clean()


def send(gateway, data):
    """What is answered to these bytes, up to the end."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
        return answer


def statuses(answer):
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def upgrade(lines=""):
    return (f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}"
            "\r\n").encode()


def known(gateway, lines=""):
    """A connection by hand that has said hello."""
    raw = Raw(gateway.port, "/", lines)
    raw.send(frame(TEXT, json.dumps(HELLO).encode()))
    assert json.loads(raw.receive()[1])["type"] == "hello-ok"
    return raw


def request(raw, params, method="events.publish"):
    raw.send(frame(TEXT, b'{"id":"1","type":"request","method":"%s","params":%s}' % (
        method.encode(), params)))
    while (answer := json.loads(raw.receive()[1]))["type"] != "response":
        pass
    return answer


# --- pages of others (1, 12) ----------------------------------------------------------------------

@pytest.mark.parametrize("origin", [
    "http://evil.example", "null", "", "http://localhost.evil.example", "http://127.0.0.1:1",
    "http://evil.example/http://localhost", "https://chat.example.org.evil.example",
    "https://evilchat.example.org", "http://chat.example.org", "https://chat.example.org:444",
    "https://chat.example.org@evil.example", "file://", "chrome-extension://abcdef", "*",
    "https://chat.example.org, http://evil.example"])
def test_pages_of_others(target, origin):
    assert statuses(send(target, upgrade(f"Origin: {origin}\r\n"))) == [403]
    assert statuses(send(target, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                         b"Origin: %s\r\n\r\n" % origin.encode())) == [403]


def test_two_origins(target):
    both = f"Origin: http://localhost:{target.port}\r\nOrigin: http://evil.example\r\n"
    assert statuses(send(target, upgrade(both))) == [403]


# --- what nobody may call (4, 21) -----------------------------------------------------------------

def test_no_method_writes_the_configuration(target):
    with known(target) as raw:
        raw.send(frame(TEXT, b'{"id":"1","type":"request","method":"methods.list"}'))
        methods = {m["name"]: m["scope"] for m in json.loads(raw.receive()[1])["result"]["methods"]}
        for name in "config.apply", "config.set", "config.patch", "exec", "system.run":
            assert name not in methods
            answer = request(raw, b'{"path":"gateway.hooks"}', name)
            assert answer["error"]["code"] == "METHOD_NOT_FOUND"
    assert all(scope == "admin" for name, scope in methods.items() if name.startswith("config."))


def test_no_address_of_a_frame_is_dialled(target):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        url = f"ws://127.0.0.1:{trap.getsockname()[1]}/"
        with Raw(target.port, "/", f"X-Forwarded-Host: {url}\r\n") as raw:
            hello = {**HELLO, "gatewayUrl": url, "auth": {"gatewayUrl": url, "url": url}}
            raw.send(frame(TEXT, json.dumps(hello).encode()))
            raw.receive()
            request(raw, json.dumps({"event": "agent.x", "payload": {"gatewayUrl": url}}).encode())
        with pytest.raises(BlockingIOError):
            trap.accept()


# --- compression (5, 20) --------------------------------------------------------------------------

def deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_compression_bomb(target):
    bomb = deflate(b"\0" * (64 << 20))
    assert len(bomb) < 70_000
    with Raw(target.port, "/echo", DEFLATE) as raw:
        raw.send(frame(TEXT, bomb, rsv=4))
        assert raw.close_code() == 1009


def test_compression_bomb_before_the_hello(target):
    with Raw(target.port, "/", DEFLATE) as raw:
        raw.send(frame(TEXT, deflate(b" " * (1 << 20)), rsv=4))
        assert raw.close_code() == 1009


@pytest.mark.parametrize("data", [
    b"\x07", b"\x03\xff\xff", b"\x4b\x04\x33\x00", b"\xff" * 100, b"\x01\x00\x10\x00\x00"])
def test_no_deflate_data(target, data):
    """Among it references to bytes before the first."""
    with Raw(target.port, "/echo", DEFLATE) as raw:
        raw.send(frame(TEXT, data, rsv=4))
        assert raw.close_code() in (1007, 1002)


@pytest.mark.parametrize("bits", ["0", "7", "16", "08", "-9", "99999999999", "8"])
def test_windows_that_are_none(target, bits):
    """The one that is, 8, would have to be kept by the server, and is declined, too."""
    with Raw(target.port, "/echo", DEFLATE.replace("\r\n", f"; server_max_window_bits={bits}\r\n")
             ) as raw:
        assert b"Sec-WebSocket-Extensions" not in raw.head


# --- frames (6, 8, 10, 11, 23) --------------------------------------------------------------------

@pytest.mark.parametrize("length,code", [
    (2**63, 1002), (2**64 - 1, 1002), (2**63 + 5, 1002), (2**63 - 1, 1009), (2**62, 1009),
    (2**32, 1009), (2**32 - 1, 1009), (2**31, 1009), (2**64 - 4, 1002)])
@pytest.mark.parametrize("begun", [False, True])
def test_frame_lengths(target, length, code, begun):
    with Raw(target.port) as raw:
        if begun:
            raw.send(frame(TEXT, b"begun", fin=False))
        raw.send(frame(CONT if begun else TEXT, b"x", length=length, length_bytes=8))
        assert raw.close_code() == code


def test_frame_lengths_before_the_hello(target):
    for length, code in (2**63, 1002), (2**63 - 1, 1009), (65537, 1009):
        with Raw(target.port, "/") as raw:
            raw.send(frame(TEXT, b"x", length=length, length_bytes=8))
            assert raw.close_code() == code


@pytest.mark.parametrize("path", ["/echo", "/"])
def test_masks_that_are_missing(target, path):
    for opcode in TEXT, PING, CLOSE:
        with Raw(target.port, path) as raw:
            raw.send(frame(opcode, b"", mask=False))
            assert raw.close_code() == 1002


def test_tiny_fragments(target):
    with Raw(target.port) as raw:
        raw.send(frame(TEXT, b"a", fin=False), *[frame(CONT, b"", fin=False)] * 1100)
        assert raw.close_code() == 1009


@pytest.mark.skipif("LURKBOT_TEST_SLOW" in os.environ, reason="a sanitizer has memory of its own")
def test_fragments_are_no_more_than_their_bytes(start):
    """A thousand of one byte each, of a message that does not end, from many at once."""
    gateway = start(workers=1, echo=True)
    pid = gateway.workers()[0]

    def own_bytes():
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return int(re.search(r"^Anonymous: +(\d+) kB$", f.read(), re.M).group(1)) * 1024

    def pin(count):
        held = [Raw(gateway.port) for _ in range(count)]
        data = frame(TEXT, b"a", fin=False) + frame(CONT, b"a", fin=False) * 1000
        for raw in held:
            raw.send(data, frame(PING, b"all taken"))
        for raw in held:
            assert raw.receive() == (PONG, b"all taken")
        return held
    held = pin(20)
    before = own_bytes()
    held += pin(200)
    # An object for each fragment, of 16 bytes or more, would be seen.
    grown = own_bytes() - before
    assert grown < 200 * 4096, f"{grown / 200:.0f} bytes for each"
    for raw in held:
        raw.socket.close()


def test_a_close_frame_has_nothing_but_what_is_said(target):
    for sent, payload in (close_frame(1000), b"\x03\xe8"), (close_frame(), b""), (
            close_frame(3456, b"why"), b"\x0d\x80"):
        with Raw(target.port) as raw:
            raw.send(sent)
            opcode, body = raw.receive()
            assert opcode == CLOSE and body[:2] == (payload or b"\x03\xe8")[:2]
            body[2:].decode("ascii")
            assert b"\0" not in body[2:]


@pytest.mark.parametrize("bad", [
    frame(PING, b"x" * 126), frame(PING, b"x", fin=False), frame(PONG, b"x" * 200),
    frame(CLOSE, b"x"), frame(CLOSE, b"\x03\xe8\xff"), frame(CLOSE, b"\x03\xed"), frame(11, b"")])
def test_control_frames(target, bad):
    with Raw(target.port) as raw:
        raw.send(bad)
        assert raw.close_code() in (1002, 1007)


def test_utf8_fails_at_the_first_bad_byte(target):
    """Before the frame that it stands in has ended."""
    with Raw(target.port) as raw:
        raw.send(frame(TEXT, b"ab\xf4\x90", length=1000, length_bytes=2, key=bytes(4)))
        assert raw.close_code() == 1007


# --- JSON (13, 14) --------------------------------------------------------------------------------

@pytest.mark.parametrize("payload", [
    b'{"a":' * 65 + b"0" + b"}" * 65, b'{"a":' + b"[" * 100_000, b'{"a":' * 100_000,
    b'{"a":' + b"9" * 65 + b"}", b'{"a":1e' + b"9" * 100_000 + b"}", b'{"a":' + b"1" * 100_000 + b"}"],
    ids=["deep", "arrays", "objects", "long", "exponent", "digits"])
def test_json_that_is_too_much(target, payload):
    with known(target) as raw:
        answer = request(raw, b'{"event":"agent.x","payload":%s}' % payload)
        assert answer["error"]["code"] == "INVALID_REQUEST"
        assert "result" in request(raw, b"{}", "health")


def test_wide_json(target):
    """Many keys are passed on in a payload; where they are compared there may be 1024."""
    wide = b"{%s}" % b",".join(b'"k%d":0' % i for i in range(20_000))
    with known(target) as raw:
        assert "result" in request(raw, b'{"event":"agent.x","payload":%s}' % wide)
        more = b'{"event":"agent.x",%s' % wide[1:]
        assert request(raw, more)["error"]["details"]["reason"] == "too-many-keys"


def test_keys_that_collide(target):
    blocks = [b"Aa", b"BB"]
    keys = [b"".join(blocks[i >> bit & 1] for bit in range(10)) for i in range(1000)]
    with known(target) as raw:
        params = b'{"event":"agent.x",%s}' % b",".join(b'"%s":0' % key for key in keys)
        assert "result" in request(raw, params)
        twice = params[:-1] + b',"%s":1}' % keys[500]
        assert request(raw, twice)["error"]["details"]["reason"] == "duplicate-key"


def test_no_worker_hands_json_to_a_library():
    """What clients send is read by the gateway's own scanner alone, within its bounds."""
    source = pathlib.Path(__file__).parents[3] / "src"
    for layer in "proto", "gateway", "worker", "bus":
        files = list((source / layer).glob("*.c"))
        assert files
        for file in files:
            assert not re.search(r"#include [<\"](jansson|conf/jsontree)\.h", file.read_text()), file


# --- HTTP (9, 18, 19) -----------------------------------------------------------------------------

SMUGGLED = b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("head", [
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    POST + b"Content-Length: 0, 44\r\n\r\n",
    POST + b"Content-Length: 0\r\n Content-Length: 44\r\n\r\n",
    POST + b"Content-Length :0\r\n\r\n",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 0x2c\r\n\r\n",
    POST + b"Content-Length:\r\n\r\n",
    POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding\r\n: chunked\r\n\r\n",
    POST + b"X: y\nContent-Length: 44\r\n\r\n",
    POST + b"X: y\rContent-Length: 44\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\tfolded\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX\0: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: " + b"b" * 20_000 + b"\r\n\r\n"])
def test_smuggled_requests(target, head):
    """One answer, which refuses, and the end: what follows is never a request."""
    got = statuses(send(target, head + SMUGGLED))
    assert len(got) == 1 and 400 <= got[0] < 600


def test_a_body_is_never_a_request(target):
    for head in POST + b"Content-Length: 44\r\n\r\n", POST + b"Transfer-Encoding: chunked\r\n\r\n", (
            b"GET /live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 44\r\n\r\n"):
        assert len(statuses(send(target, head + SMUGGLED))) == 1


def test_no_parser_of_others_sees_a_byte_of_a_client():
    linked = subprocess.run(["ldd", LURKBOT], capture_output=True, text=True, check=True).stdout
    assert "libevent_core" in linked
    for library in "libevent_extra", "libevent-2", "libwebsockets", "libmicrohttpd":
        assert library not in linked


# --- time and numbers -----------------------------------------------------------------------------

def test_slow_heads(start):
    """A byte now and then does not keep a head alive; whoever sends one at once is served meanwhile."""
    gateway = start(handshake_timeout_ms=600)
    slow = [socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
            for _ in range(200)]
    ended = set()
    while len(ended) < len(slow):
        for s in slow:
            if s in ended:
                continue
            try:
                s.send(b"G")
                s.settimeout(0.001)
                if not s.recv(4096):
                    ended.add(s)
            except socket.timeout:
                pass
            except OSError:
                ended.add(s)
        assert gateway.http("/live")[0] == 200
    for s in slow:
        s.close()


def test_ten_thousand_that_never_say_hello(start):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if hard < 11_000:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gateway = start(handshake_timeout_ms=30_000)
    silent = []
    try:
        for i in range(10_000):
            s = socket.socket()
            s.bind((f"127.0.1.{i % 10 + 1}", 0))
            s.connect(("127.0.0.1", gateway.port))
            silent.append(s)
        assert gateway.http("/live")[0] == 200

        async def others():
            client = await connect(gateway)
            await client.call("events.publish", {"event": "agent.x"})
            assert (await client.event())["event"] == "agent.x"
            await client.close()
        asyncio.run(asyncio.wait_for(others(), PATIENCE))
        # They end by themselves when their time is over.
        gateway.settings["handshake_timeout_ms"] = 200
        with open(os.path.join(gateway.home, "config.json"), "w") as f:
            json.dump({"gateway": gateway.settings}, f)
        gateway.cli("gateway", "reload")
        for s in silent:
            s.settimeout(PATIENCE)
            assert s.recv(1) == b""
    finally:
        for s in silent:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- the machine (15, 16, 17) ---------------------------------------------------------------------

@pytest.mark.skipif("LURKBOT_TEST_SLOW" in os.environ, reason="sanitizers catch faults")
def test_no_signal_has_a_handler(target):
    for pid in target.process.pid, *target.workers().values():
        with open(f"/proc/{pid}/status") as f:
            assert re.search(r"^SigCgt:\t(\w+)$", f.read(), re.M).group(1) == "0" * 16


def test_a_storm_of_signals(start):
    gateway = start()
    pids = gateway.workers()
    for _ in range(200):
        os.kill(gateway.process.pid, signal.SIGHUP)
        os.kill(gateway.process.pid, signal.SIGUSR1)
        os.kill(gateway.process.pid, signal.SIGCHLD)
    assert gateway.http("/live")[0] == 200
    gateway.cli("gateway", "reload")
    assert gateway.workers() == pids


def test_a_reload_that_cannot_be_read_changes_nothing(start, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("a-token-of-ours\n")
    tokens.chmod(0o600)
    gateway = start(auth_enabled=True, auth_tokens_file=str(tokens))
    headers = {"Authorization": "Bearer a-token-of-ours"}
    for spoil in (lambda: tokens.chmod(0o644), lambda: tokens.write_text("bad line with words\n"),
                  tokens.unlink):
        spoil()
        assert gateway.cli("gateway", "reload", check=False).returncode != 0
        assert gateway.http("/info", headers=headers)[0] == 200
        assert gateway.http("/info")[0] == 401
    # An empty file is a good one, in which nobody is let in.
    tokens.touch(0o600)
    gateway.cli("gateway", "reload")
    assert gateway.http("/info", headers=headers)[0] == 401


def test_a_reload_without_descriptors_changes_nothing(start, tmp_path):
    """A configuration that cannot be opened is no empty one."""
    tokens = tmp_path / "tokens"
    tokens.write_text("a-token-of-ours\n")
    tokens.chmod(0o600)
    gateway = start(auth_enabled=True, auth_tokens_file=str(tokens), metrics_public=True)
    pid = gateway.process.pid
    headers = {"Authorization": "Bearer a-token-of-ours"}
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        refused = gateway.cli("gateway", "reload", check=False)
        assert refused.returncode != 0 and "Too many open files" in refused.stderr
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: gateway.log().count("Too many open files") >= 2, "the signal's to fail, too")
        assert gateway.http("/info", headers=headers)[0] == 200
        assert gateway.http("/info")[0] == 401
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    gateway.cli("gateway", "reload")
    assert gateway.http("/info", headers=headers)[0] == 200
    assert gateway.http("/info")[0] == 401


def test_nothing_is_readable_for_others(target):
    home = os.fspath(target.home)
    paths = [segment_of(home), os.path.join(home, "run/gateway.sock"),
             os.path.join(home, "run/gateway.lock"), os.path.join(home, "logs/gateway.log")]
    for path in paths:
        assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path
