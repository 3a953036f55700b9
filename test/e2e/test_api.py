"""Methods over plain HTTP: bodies, statuses, who may, and what a browser is told."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from gateway import PATIENCE, Gateway, wait_for

pytestmark = pytest.mark.san

JSON = {"Content-Type": "application/json"}
READER, WRITER = "reader-" + "b" * 20, "writer-" + "c" * 20


def call(gateway, method, params=None, query="", path=None, **headers):
    """(status, headers, body as JSON) of one call."""
    body = None if params is None else json.dumps(params)
    more = {**(JSON if body else {}), **{k.replace("_", "-"): v for k, v in headers.items()}}
    status, answered, text = gateway.http(path or f"/api/v1/rpc/{method}{query}", "POST", more, body)
    assert answered["Content-Type"] == "application/json"
    return status, answered, json.loads(text)


def error_of(answer):
    """(status, code, reason, field)."""
    status, _, body = answer
    details = body["error"].get("details", {})
    return status, body["error"]["code"], details.get("reason"), details.get("field")


def raw(gateway, data, until=None):
    """Sends bytes; returns what comes, up to the end or to `until` responses."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        s.sendall(data)
        answer = b""
        while (until is None or answer.count(b"HTTP/1.1 ") < until or not answer.endswith(b"\n")) \
                and (chunk := s.recv(65536)):
            answer += chunk
        return answer


def statuses(answer):
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def post(path, body=b"", *lines):
    head = [f"POST /api/v1/{path} HTTP/1.1", "Host: localhost", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def chunked(*chunks, tail=b"\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + tail


TYPE = "Content-Type: application/json"
TE = "Transfer-Encoding: chunked"


# --- calls --------------------------------------------------------------------------------------


def test_results_and_errors(session_gateway):
    g = session_gateway
    status, headers, body = call(g, "health")
    assert status == 200 and body["result"]["status"] == "healthy"
    assert headers["Cache-Control"] == "no-store"
    assert call(g, "he%61lth", {})[2]["result"]["workers"] == 2
    assert call(g, "connections.list", {"limit": 3})[2] == {"result": {"connections": []}}
    assert call(g, "health", query="?timeoutMs=100&sessionKey=a%20b+c%2Bd&other=1")[0] == 200
    assert error_of(call(g, "nope")) == (404, "METHOD_NOT_FOUND", None, "method")
    for answer, expected in [
            (call(g, "he%2Flth"), (400, "INVALID_REQUEST", "invalid-field", "method")),
            (call(g, ""), (400, "INVALID_REQUEST", "invalid-field", "method")),
            (call(g, "a" * 129), (400, "INVALID_REQUEST", "invalid-field", "method")),
            (call(g, "health", query="?timeoutMs=0"), (400, "INVALID_REQUEST", "invalid-field", "timeoutMs")),
            (call(g, "health", query="?timeoutMs=600001"), (400, "INVALID_REQUEST", "invalid-field", "timeoutMs")),
            (call(g, "health", query="?sessionKey="), (400, "INVALID_REQUEST", "invalid-field", "sessionKey")),
            (call(g, "health", query="?sessionKey=%ff"), (400, "INVALID_REQUEST", "invalid-field", "sessionKey")),
            (call(g, "health", query="?sessionKey=" + "k" * 257), (400, "INVALID_REQUEST", "invalid-field", "sessionKey")),
            (call(g, "health", query="?sessionKey=a&sessionKey=a"), (400, "INVALID_REQUEST", "invalid-field", "sessionKey")),
            (call(g, "health", Idempotency_Key="k" * 129), (400, "INVALID_REQUEST", "invalid-field", "idempotencyKey")),
            (call(g, "connections.list", {"limit": "3"}), (400, "INVALID_REQUEST", "invalid-field", "params.limit")),
            (call(g, "connections.close", {"connId": "00000000"}), (404, "INVALID_REQUEST", "not-found", "params.connId")),
            (call(g, "events.subscribe", {}), (400, "INVALID_REQUEST", "unsupported", "method")),
            (call(g, "provider.register", {"methods": ["http.echo"]}), (400, "INVALID_REQUEST", "unsupported", "method")),
            (call(g, "provider.register"), (400, "INVALID_REQUEST", "unsupported", "method"))]:
        assert error_of(answer) == expected
    assert "http.echo" not in [m["name"] for m in call(g, "methods.list")[2]["result"]["methods"]]


def test_publishing(session_gateway):
    g = session_gateway
    first = call(g, "events.publish", {"event": "agent.x", "payload": {"a": 1}})[2]["result"]
    status, _, body = call(g, None, {"event": "agent.x", "sessionKey": "s"}, path="/api/v1/events")
    assert status == 200 and body["result"]["seq"] == first["seq"] + 1
    assert error_of(call(g, None, {"event": "gateway.x"}, path="/api/v1/events")) == \
        (400, "INVALID_REQUEST", "reserved-event", "params.event")
    events = call(g, "events.history", {"afterSeq": first["seq"] - 1})[2]["result"]["events"]
    assert [e["seq"] for e in events][:2] == [first["seq"], first["seq"] + 1]
    assert events[0]["payload"] == {"a": 1} and events[1]["sessionKey"] == "s"


@pytest.mark.parametrize("body,reason", [
    (b"{", "invalid-json"), (b"[]", "not-an-object"), (b"null", "not-an-object"),
    (b"\xff{}", "invalid-json"), (b'{"a":"\xff"}', "invalid-json"), (b"{} {}", "invalid-json"),
    (b" \r\n", "invalid-json"), (b"[" * 65 + b"]" * 65, "invalid-json"),
    (b'{"limit":1,"limit":1}', "duplicate-key"), (b'{"\xc3\xa4":1}\x00', "invalid-json")])
def test_bodies_that_are_no_params(session_gateway, body, reason):
    status, _, text = session_gateway.http("/api/v1/rpc/connections.list", "POST", JSON, body)
    assert (status, json.loads(text)["error"]["details"]["reason"]) == (400, reason)


def test_content_types(session_gateway):
    g = session_gateway
    for type, status in [("application/json", 200), ("Application/JSON ; charset=utf-8", 200),
                         ("text/plain", 415), ("application/x-www-form-urlencoded", 415),
                         ("application/jsonx", 415), ("multipart/form-data; boundary=x", 415)]:
        assert g.http("/api/v1/rpc/health", "POST", {"Content-Type": type}, b"{}")[0] == status, type
    answer = raw(g, post("rpc/health", b"{}", "Content-Length: 2"))
    assert statuses(answer) == [415] and b"Connection: close" in answer
    assert g.http("/api/v1/rpc/health", "POST", {**JSON, "Content-Encoding": "gzip"}, b"{}")[0] == 415


def test_methods_and_paths(session_gateway):
    g = session_gateway
    for method, path, status, allow in [
            ("GET", "/api/v1/rpc/health", 405, "POST, OPTIONS"), ("PUT", "/api/v1/events", 405, "GET, POST, OPTIONS"),
            ("HEAD", "/api/v1/events", 405, "GET, POST, OPTIONS"), ("DELETE", "/api/v1/rpc/health", 405, "POST, OPTIONS"),
            ("GET", "/api/v1/nope", 404, None), ("POST", "/api/v1/", 404, None), ("POST", "/api/v1/rpc", 404, None),
            ("OPTIONS", "/api/v1/events", 204, "GET, POST, OPTIONS"), ("OPTIONS", "/health", 204, "GET, HEAD, OPTIONS")]:
        got, headers, _ = g.http(path, method)
        assert (got, headers["Allow"]) == (status, allow), (method, path)


# --- bodies as they come ------------------------------------------------------------------------


def test_too_large(start):
    gateway = start(workers=1, max_payload=4096)
    body = b'{"x":"' + b"y" * 4088 + b'"}'
    assert len(body) == 4096
    assert gateway.http("/api/v1/rpc/health", "POST", JSON, body)[0] == 200
    assert gateway.http("/api/v1/rpc/health", "POST", JSON, body + b" ")[0] == 413
    assert gateway.http("/api/v1/rpc/health", "POST", JSON, iter([body]))[0] == 200
    answer = raw(gateway, post("rpc/health", chunked(body, b" "), TYPE, TE))
    assert statuses(answer) == [413] and b"Connection: close" in answer
    answer = raw(gateway, post("rpc/health", b"ffffffffffffffff\r\n", TYPE, TE))
    assert statuses(answer) == [413]
    assert call(gateway, "events.publish", {"event": "agent.x", "payload": {"x": "y" * 4000}})[0] == 413


@pytest.mark.parametrize("size", [1, 7, 100000])
def test_chunks_however_they_come(session_gateway, size):
    """Cut anywhere, with extensions and trailer fields, and another request right behind."""
    body = b'{"limit":1 ,"cursor":null}'
    text = b"5;a=b\r\n" + body[:5] + b"\r\n" + b"000%x ; x=\"y;z\"\r\n" % len(body[5:]) + body[5:] + \
        b"\r\n0;last\r\nX-Sum: abc\r\nContent-Length: 7\r\n\r\n"
    request = post("rpc/connections.list", text, TYPE, TE) * 2 + \
        b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".replace(b"x\r", b"localhost\r")
    with socket.create_connection(("127.0.0.1", session_gateway.port), timeout=PATIENCE) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(request), size):
            s.sendall(request[at:at + size])
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    assert statuses(answer) == [200, 200, 200] and answer.count(b'{"result":{"connections":[]}}') == 2
    assert answer.endswith(b'{"alive":true}\n')


SMUGGLED = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("lines,body", [
    (["Content-Length: 2", TE], b"{}" + SMUGGLED),
    ([TE, TE], chunked(b"{}") + SMUGGLED),
    (["Transfer-Encoding: chunked, chunked"], chunked(b"{}") + SMUGGLED),
    (["Transfer-Encoding: gzip, chunked"], chunked(b"{}") + SMUGGLED),
    (["Transfer-Encoding: identity"], b"{}" + SMUGGLED),
    (["Transfer-Encoding : chunked"], chunked(b"{}") + SMUGGLED),
    (["Transfer-Encoding: \x0bchunked"], chunked(b"{}") + SMUGGLED),
    (["Content-Length: 2", "Content-Length: 2"], b"{}" + SMUGGLED),
    (["Content-Length: +2"], b"{}" + SMUGGLED),
    (["Content-Length: 2, 2"], b"{}" + SMUGGLED),
    (["Content-Length: -1"], b"{}" + SMUGGLED),
    ([TE], b"2\n{}\n0\n\n" + SMUGGLED),
    ([TE], b"2\r\n{}\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"2\r\n{}0\r\n\r\n" + SMUGGLED),
    ([TE], b"0x2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"+2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b" 2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"\r\n2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"2 \x0b\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"2;a\nb\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"2;a\rb\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"00000000000000002\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"2\r\n{}\r\n0\r\nbad\r\n\r\n" + SMUGGLED),
    ([TE], b"2\r\n{}\r\n0\r\n a: b\r\n\r\n" + SMUGGLED),
    ([TE], b"2\r\n{}\r\n0\r\na: b\n\r\n" + SMUGGLED),
    ([TE], b"2\r\n{}\r\n0\r\n\n" + SMUGGLED),
    ([TE], b"2;" + b"x" * 5000 + b"\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ([TE], b"2\r\n{}\r\n0\r\nx: " + b"y" * 5000 + b"\r\n\r\n" + SMUGGLED)])
def test_request_smuggling(session_gateway, lines, body):
    """Where two servers could disagree about the end of a body there is one refusal and the end."""
    answer = raw(session_gateway, post("rpc/health", body, TYPE, *lines))
    assert len(statuses(answer)) == 1 and statuses(answer)[0] in (400, 501), answer
    assert b"Connection: close" in answer and b"alive" not in answer


def test_a_refused_body_is_not_taken_for_a_request(session_gateway):
    for request in (post("rpc/health", SMUGGLED, f"Content-Length: {len(SMUGGLED)}", "Content-Type: text/plain"),
                    post("nope", SMUGGLED, f"Content-Length: {len(SMUGGLED)}", TYPE),
                    SMUGGLED.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)) + SMUGGLED):
        assert len(statuses(raw(session_gateway, request))) == 1


def test_a_body_behind_http_1_0_and_its_end(session_gateway):
    request = post("rpc/health", b"{}", TYPE, "Content-Length: 2").replace(b"HTTP/1.1", b"HTTP/1.0")
    answer = raw(session_gateway, request + SMUGGLED)
    assert statuses(answer) == [200] and b"Connection: close" in answer


def test_expect(session_gateway):
    """100 comes once, before the body, and only where the rest of the head was right."""
    with socket.create_connection(("127.0.0.1", session_gateway.port), timeout=PATIENCE) as s:
        s.sendall(post("rpc/health", b"", TYPE, "Content-Length: 2", "Expect: 100-continue"))
        assert s.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"{}")
        assert statuses(s.recv(65536)) == [200]
        s.sendall(post("rpc/health", b"", "Content-Type: text/plain", "Content-Length: 2", "Expect: 100-continue"))
        assert statuses(s.recv(65536)) == [415]
    assert statuses(raw(session_gateway, post("rpc/health", b"", TYPE, "Content-Length: 2", "Expect: tea"))) == [417]


def test_pipelined_answers_keep_their_order(session_gateway):
    """Those that wait for another worker, those that are answered at once, and those of endpoints."""
    slow = post("rpc/connections.list", b"{}", TYPE, "Content-Length: 2")
    quick = post("rpc/methods.list", b"")
    wrong = post("rpc/nope", b"{}", TYPE, "Content-Length: 2")
    last = b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(session_gateway, (slow + quick + wrong + SMUGGLED) * 100 + last)
    assert statuses(answer) == [200, 200, 404, 200] * 100 + [200]
    marks = re.findall(rb'"connections":\[|"methods":\[|Method not found|alive', answer)
    assert marks == [b'"connections":[', b'"methods":[', b"Method not found", b"alive"] * 100 + [b"alive"]


def test_a_body_that_does_not_end_in_time(start):
    gateway = start(workers=1, message_timeout_ms=200)
    answer = raw(gateway, post("rpc/health", b"{", TYPE, "Content-Length: 2"))
    assert statuses(answer) == [408]
    assert gateway.metrics()['lurkbot_limits_reached_total{limit="message_time"}'] == 1


# --- answers that come later ----------------------------------------------------------------------


def holder(gateway, sock):
    """The index of the worker that holds the other end of a connection."""
    wanted = f"0100007F:{sock.getsockname()[1]:04X}"
    with open("/proc/net/tcp") as f:
        inode = next(row[9] for row in map(str.split, f) if row[2] == wanted and row[9] != "0")
    for index, pid in gateway.workers().items():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                    return index
    raise AssertionError("nobody holds it")


@contextlib.contextmanager
def one_worker_stands_still(gateway):
    """A keep-alive connection to one worker, while the other one does not answer it."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    connection.request("POST", "/api/v1/rpc/health")
    connection.getresponse().read()
    other = gateway.workers()[1 - holder(gateway, connection.sock)]
    os.kill(other, signal.SIGSTOP)
    try:
        yield connection
    finally:
        os.kill(other, signal.SIGCONT)
        connection.close()


def ask_list(connection, timeout=None):
    query = f"?timeoutMs={timeout}" if timeout else ""
    connection.request("POST", "/api/v1/rpc/connections.list" + query, "{}", JSON)
    response = connection.getresponse()
    return response.status, json.loads(response.read())["error"]


def test_late_busy_and_given_up(start):
    gateway = start(workers=2)
    with one_worker_stands_still(gateway) as connection:
        status, error = ask_list(connection, timeout=200)
        assert (status, error["code"]) == (504, "AGENT_TIMEOUT")
        status, error = ask_list(connection)
        assert (status, error["code"], error["details"]["reason"]) == (503, "UNAVAILABLE", "worker-busy")
        # Who closes gives up; a flood behind a request that waits is not read without bound.
        with socket.create_connection(connection.sock.getpeername(), timeout=PATIENCE) as s:
            s.sendall(post("rpc/connections.list", b""))
        connection.sock.sendall(post("rpc/connections.list", b"") + SMUGGLED * 4000)
        answer = b""
        while answer.count(b"alive") < 4000:
            answer += connection.sock.recv(1 << 20)
        assert statuses(answer) == [503] + [200] * 4000
    wait_for(lambda: call(gateway, "connections.list")[0] == 200, "both workers to answer")


def test_a_drain_answers_what_is_in_flight(start):
    gateway = start(workers=2)
    with one_worker_stands_still(gateway) as connection:
        connection.request("POST", "/api/v1/rpc/connections.list", "{}", JSON)
        gateway.process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert response.status in (200, 503) and response.read()


def test_rates(start):
    gateway = start(workers=1, max_requests_per_s=3)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    answers = []
    for _ in range(20):
        connection.request("POST", "/api/v1/rpc/health")
        response = connection.getresponse()
        answers.append((response.status, response.headers["Retry-After"], response.read()))
    connection.close()
    late = [a for a in answers if a[0] == 429]
    assert late and all(retry == "1" and b"rate-limited" in body for _, retry, body in late)


# --- who may ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    gateway = Gateway(
        tmp_path_factory.mktemp("guarded") / "home", auth_enabled=True,
        allowed_origins=["https://app.example.com"], trusted_proxies=["127.0.0.1"], auth_failures=3,
        auth_tokens=[{"name": "reader", "token": READER, "scopes": ["read"]},
                     {"name": "writer", "token": WRITER, "scopes": ["write"], "events": ["agent.*"]}])
    gateway.start()
    yield gateway
    gateway.stop()
    gateway.check_clean()


def test_tokens_and_scopes(guarded):
    def status(method, params=None, token=None, **headers):
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return error_of(call(guarded, method, params, **headers))[:3]
    event = {"event": "agent.x"}
    assert status("health") == (401, "INVALID_REQUEST", "unauthorized")
    assert call(guarded, "health")[1]["WWW-Authenticate"] == "Bearer"
    assert status("health", token="wrong") == (401, "INVALID_REQUEST", "unauthorized")
    assert call(guarded, "health", Authorization=f"Bearer {READER}")[0] == 200
    assert status("events.publish", event, READER) == (403, "INVALID_REQUEST", "forbidden")
    assert status("config.get", {}, WRITER) == (403, "INVALID_REQUEST", "forbidden")
    assert call(guarded, "events.publish", event, Authorization=f"Bearer {WRITER}")[0] == 200
    assert status("events.publish", {"event": "channel.x"}, WRITER) == (403, "INVALID_REQUEST", "forbidden")
    # Nobody keeps us reading a body without credentials.
    assert statuses(raw(guarded, post("rpc/health", b"", TYPE, "Content-Length: 1000"))) == [401]
    # One request's token is not the next one's.
    answer = raw(guarded, post("rpc/health", b"", f"Authorization: Bearer {READER}") + post("rpc/health") +
                 b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [200, 401, 200]


def test_guessing_is_locked_out(guarded):
    address = {"X_Forwarded_For": "192.0.2.7"}
    got = [call(guarded, "health", Authorization=f"Bearer guess-{i}", **address)[0] for i in range(5)]
    assert got == [401] * 3 + [429] * 2
    status, headers, _ = call(guarded, "health", Authorization=f"Bearer {READER}", **address)
    assert status == 429 and int(headers["Retry-After"]) > 0


def test_a_token_that_is_taken_away_ends_its_calls(start):
    token = {"name": "reader", "token": READER, "scopes": ["read"]}
    gateway = start(workers=2, auth_enabled=True, auth_tokens=[token])
    assert call(gateway, "health", Authorization=f"Bearer {READER}")[0] == 200
    gateway.settings["auth_tokens"] = [{**token, "token": READER + "x"}]
    gateway.write_settings()
    gateway.cli("gateway", "reload")
    assert call(gateway, "health", Authorization=f"Bearer {READER}")[0] == 401


# --- other sites' pages -----------------------------------------------------------------------------


def test_preflight(guarded):
    listed = {"Origin": "https://app.example.com"}
    status, headers, body = guarded.http("/api/v1/rpc/health", "OPTIONS", {
        **listed, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        "Access-Control-Request-Private-Network": "true"})
    assert status == 204 and not body  # without a token: browsers send none
    assert headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    allowed = headers["Access-Control-Allow-Headers"].lower()
    assert all(h in allowed for h in ("authorization", "content-type", "idempotency-key", "last-event-id"))
    assert headers["Access-Control-Allow-Private-Network"] == "true"
    assert int(headers["Access-Control-Max-Age"]) > 0 and headers["Vary"] == "Origin"
    status, headers, _ = call(guarded, "health", **listed, Authorization=f"Bearer {READER}")
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Retry-After" in headers["Access-Control-Expose-Headers"]
    # A page may read why it was turned away, and an answer that came later.
    assert call(guarded, "health", **listed)[1]["Access-Control-Allow-Origin"] == "https://app.example.com"
    status, headers, _ = call(guarded, "nope", **listed, Authorization=f"Bearer {READER}")
    assert status == 404 and headers["Access-Control-Allow-Origin"] == "https://app.example.com"


def test_pages_that_are_not_listed(guarded):
    for origin in ("https://evil.example.com", "null", "https://app.example.com.evil.org"):
        for method in ("OPTIONS", "POST"):
            status, headers, _ = guarded.http(
                "/api/v1/rpc/health", method, {"Origin": origin, "Authorization": f"Bearer {READER}",
                                               "Access-Control-Request-Method": "POST"})
            assert status == 403 and "Access-Control-Allow-Origin" not in headers
    own = {"Origin": f"http://127.0.0.1:{guarded.port}", "Authorization": f"Bearer {READER}"}
    status, headers, _ = guarded.http("/api/v1/rpc/health", "POST", own)
    assert status == 200 and "Access-Control-Allow-Origin" not in headers
    # What one page was told is not told the next.
    answer = raw(guarded, post("rpc/health", b"", "Origin: https://app.example.com") + post("rpc/health") +
                 b"garbage\r\n\r\n")
    assert answer.count(b"Access-Control-Allow-Origin") == 1 and statuses(answer) == [401, 401, 400]
    status, _, _ = guarded.http("/api/v1/rpc/health", "POST", {"Host": "evil.example.com"})
    assert status == 403


# --- curl ---------------------------------------------------------------------------------------


def test_curl(session_gateway):
    """As the README has it, and with a body that curl announces by Expect."""
    curl = shutil.which("curl")
    assert curl, "curl is missing: make deps installs it"
    base = f"http://127.0.0.1:{session_gateway.port}/api/v1"

    def run(*arguments, data=None):
        done = subprocess.run([curl, "-sS", "--max-time", str(PATIENCE), *arguments], input=data,
                              capture_output=True, check=True)
        return json.loads(done.stdout)
    assert run("--json", '{"event":"agent.x","payload":{"text":"Hi"}}', f"{base}/events")["result"]["seq"] > 0
    assert run("-X", "POST", f"{base}/rpc/health")["result"]["status"] == "healthy"
    big = json.dumps({"event": "agent.big", "payload": {"x": "y" * 900000}}).encode()
    for more in ([], ["-H", "Transfer-Encoding: chunked"]):
        assert "result" in run("--json", "@-", *more, f"{base}/events", data=big)
