"""Plain HTTP: endpoints, errors, keep-alive, origins, and what must be refused."""

import json
import re
import shutil
import socket
import subprocess

import pytest

from gateway import PATIENCE

pytestmark = [pytest.mark.san, pytest.mark.valgrind]


def exchange(gateway, request, expect_close=True):
    """Sends raw bytes; returns all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        s.sendall(request)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
        return answer


def status_of(answer):
    return int(re.match(rb"HTTP/1\.1 (\d{3}) ", answer).group(1))


def test_health(session_gateway):
    status, headers, body = session_gateway.http("/health")
    health = json.loads(body)
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert health["status"] == "healthy" and health["version"] == "0.1.0"
    assert health["workers"] == 2 and health["connections"] == 0 and health["uptime_seconds"] >= 0


def test_live_ready_info(session_gateway):
    assert session_gateway.http_json("/live") == {"alive": True}
    assert session_gateway.http_json("/ready")["ready"] is True
    info = session_gateway.http_json("/info")
    assert info["name"] == "LurkBot Gateway" and info["protocol_version"] == 1
    assert session_gateway.http_json("/") == session_gateway.http_json("/info")


def test_errors(session_gateway):
    assert session_gateway.http("/nowhere")[0] == 404
    status, headers, _ = session_gateway.http("/ws")
    assert status == 426 and headers["Upgrade"] == "websocket"
    assert "Date" in headers
    status, headers, _ = session_gateway.http("/health", "POST", body=b"{}")
    assert status == 405 and headers["Allow"] == "GET, HEAD, OPTIONS"
    status, headers, body = session_gateway.http("/health", "HEAD")
    assert status == 200 and body == b"" and int(headers["Content-Length"]) > 0


def test_keep_alive_and_pipelining(session_gateway):
    answer = exchange(session_gateway, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3 +
                      b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 4


def test_head_byte_by_byte(session_gateway):
    with socket.create_connection(("127.0.0.1", session_gateway.port), timeout=PATIENCE) as s:
        for byte in b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":
            s.sendall(bytes([byte]))
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    assert status_of(answer) == 200


REFUSED = [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n", 400),
]


@pytest.mark.parametrize("request_bytes, status", REFUSED)
def test_refused(session_gateway, request_bytes, status):
    assert status_of(exchange(session_gateway, request_bytes)) == status


UPGRADE = ("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {version}\r\n{more}\r\n")


def upgrade(gateway, path="/", version="13", more="", drop=None):
    text = UPGRADE.format(path=path, port=gateway.port, version=version, more=more)
    if drop:
        text = "".join(line + "\r\n" for line in text.split("\r\n")[:-1] if not line.startswith(drop))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        s.sendall(text.encode())
        answer = s.recv(65536)
    return answer


def test_upgrade(session_gateway):
    answer = upgrade(session_gateway)
    assert status_of(answer) == 101
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    assert b"Sec-WebSocket-Extensions" not in answer
    assert status_of(upgrade(session_gateway, version="8")) == 426
    assert b"Sec-WebSocket-Version: 13" in upgrade(session_gateway, version="8")
    assert status_of(upgrade(session_gateway, drop="Sec-WebSocket-Key")) == 400
    assert status_of(upgrade(session_gateway, path="/health")) == 404
    assert status_of(upgrade(session_gateway, path="/echo")) == 404


def test_origin(start):
    gateway = start(allowed_origins=["https://app.example.com"])
    port = gateway.port
    for origin, status in [
            (f"http://127.0.0.1:{port}", 101), ("https://app.example.com", 101),
            ("https://app.example.com:443", 101), ("http://app.example.com", 403),
            ("https://app.example.com.evil.org", 403), (f"http://127.0.0.1:{port + 1}", 403),
            (f"http://localhost:{port}", 403), ("null", 403), ("http://evil.org", 403)]:
        assert status_of(upgrade(gateway, more=f"Origin: {origin}\r\n")) == status, origin
    status, _, body = gateway.http("/metrics", headers={"Origin": "http://evil.org"})
    assert status == 403 and b"Origin" in body


def test_too_many_connections(start):
    gateway = start(workers=2, max_connections=5)
    held = []
    try:
        for _ in range(5):
            s = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
            s.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert s.recv(65536).startswith(b"HTTP/1.1 200")
            held.append(s)
        answer = exchange(gateway, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status_of(answer) == 503 and b"max_connections" in answer
    finally:
        for s in held:
            s.close()
    from gateway import wait_for
    wait_for(lambda: gateway.http("/live")[0] == 200, "a place to become free")


def test_metrics_are_valid(session_gateway):
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: make deps installs it"
    text = session_gateway.http("/metrics")[2]
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert done.returncode == 0 and not done.stdout + done.stderr, (done.stdout + done.stderr).decode()
    status, headers, body = session_gateway.http(
        "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})
    assert headers["Content-Type"].startswith("application/openmetrics-text") and body.endswith(b"# EOF\n")
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        return
    assert len(list(text_string_to_metric_families(body.decode()))) > 20
