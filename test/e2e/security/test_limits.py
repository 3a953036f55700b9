"""Too much of anything: guesses, connections, bytes, time. Clients of other addresses come through a
proxy on this machine that the gateway trusts."""

import asyncio
import concurrent.futures
import json
import os
import signal
import socket

import pytest
import websockets

from gateway import HELLO, PATIENCE, Client, Gateway, wait_for
from rawws import CONT, PING, PONG, TEXT, Raw, frame

pytestmark = pytest.mark.san

TOKEN = "a-token-of-ours"
PROXY = {"trusted_proxies": ["127.0.0.1"]}


def via(address):
    return f"X-Forwarded-For: {address}\r\n"


def exchange(gateway, lines="", path="/info", host=None):
    """Status and JSON of one request."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or 'localhost'}\r\nConnection: close\r\n"
                  f"{lines}\r\n".encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body), head.decode()


def say_hello(gateway, lines="", auth=None):
    """The answer to a hello by hand."""
    with Raw(gateway.port, "/", lines) as raw:
        raw.send(frame(TEXT, json.dumps({**HELLO, **({"auth": auth} if auth else {})}).encode()))
        return json.loads(raw.receive()[1])


def bearer(token):
    return f"Authorization: Bearer {token}\r\n"


def limit(gateway, name):
    return gateway.metrics()[f'lurkbot_limits_reached_total{{limit="{name}"}}']


# --- guesses --------------------------------------------------------------------------------------

@pytest.fixture
def guarded(start):
    return start(auth_enabled=True, auth_tokens=[TOKEN], metrics_public=True, **PROXY)


def test_ten_guesses_lock_an_address_out(guarded):
    for i in range(5):
        assert exchange(guarded, via("192.0.2.1") + bearer(f"wrong{i}"))[0] == 401
        assert say_hello(guarded, via("192.0.2.1"), {"token": f"w{i}"})["type"] == "hello-error"
    status, body, head = exchange(guarded, via("192.0.2.1") + bearer(TOKEN))
    assert status == 429 and "Retry-After: " in head
    error = body["error"]
    assert error["code"] == "UNAVAILABLE" and error["details"]["reason"] == "rate-limited"
    assert error["message"].startswith("Authentication failed")
    assert 0 < error["details"]["retryAfterMs"] <= 300001
    # The upgrade is refused as well, unless the hello was still to come: then that is.
    with pytest.raises(AssertionError, match="429"):
        Raw(guarded.port, "/", via("192.0.2.1") + bearer(TOKEN))
    # Probes and other addresses are served, and so is this machine.
    assert exchange(guarded, via("192.0.2.1"), path="/live")[0] == 200
    assert exchange(guarded, via("192.0.2.2") + bearer(TOKEN))[0] == 200
    assert exchange(guarded, bearer(TOKEN))[0] == 200
    assert limit(guarded, "auth_failures") == 1
    guarded.wait_line(r"refused 192\.0\.2\.1\b.*its address is refused for 300 s")


def test_a_hello_that_is_on_its_way_is_locked_out_too(guarded):
    with Raw(guarded.port, "/", via("192.0.2.1")) as raw:
        for i in range(10):
            exchange(guarded, via("192.0.2.1") + bearer(f"wrong{i}"))
        raw.send(frame(TEXT, json.dumps({**HELLO, "auth": {"token": TOKEN}}).encode()))
        error = json.loads(raw.receive()[1])["error"]
        assert error["code"] == "UNAVAILABLE" and error["details"]["reason"] == "rate-limited"
        assert error["details"]["retryAfterMs"] > 0 and raw.close_code() == 1008


def test_one_ipv6_network_is_one_address(guarded):
    for i in range(10):
        assert exchange(guarded, via(f"2001:db8::{i + 1}") + bearer("wrong"))[0] == 401
    assert exchange(guarded, via("2001:db8::ffff") + bearer(TOKEN))[0] == 429
    assert exchange(guarded, via("2001:db8:0:1::1") + bearer(TOKEN))[0] == 200


def test_no_token_and_an_expired_one_are_no_guesses(start):
    old = {"name": "old", "token": "old-token", "scopes": ["read"], "expires": "2020-01-01"}
    gateway = start(auth_enabled=True, auth_tokens=[TOKEN, old], **PROXY)
    for _ in range(12):
        assert exchange(gateway, via("192.0.2.1"))[0] == 401
        assert exchange(gateway, via("192.0.2.1") + bearer("old-token"))[0] == 401
    assert exchange(gateway, via("192.0.2.1") + bearer(TOKEN))[0] == 200


def test_this_machine_and_the_proxy_are_never_locked_out(guarded):
    for _ in range(15):
        assert exchange(guarded, bearer("wrong"))[0] == 401
        assert exchange(guarded, via("127.0.0.1") + bearer("wrong"))[0] == 401
    assert exchange(guarded, bearer(TOKEN))[0] == 200


def test_forwarded_addresses_are_not_believed_from_others(start):
    gateway = start(auth_enabled=True, auth_tokens=[TOKEN], trusted_proxies=["192.0.2.99"])
    for _ in range(12):
        assert exchange(gateway, via("192.0.2.1") + bearer("wrong"))[0] == 401
    assert exchange(gateway, via("192.0.2.1") + bearer(TOKEN))[0] == 200


def test_without_authentication_a_proxy_brings_foreigners(start):
    gateway = start(**PROXY)
    assert exchange(gateway, via("192.0.2.1"))[0] == 403
    assert exchange(gateway, via("127.0.0.1, 192.0.2.1"))[0] == 403
    assert exchange(gateway, via("192.0.2.1, 127.0.0.1"))[0] == 403
    assert say_hello(gateway, via("192.0.2.1"))["error"]["details"]["reason"] == "unauthorized"
    assert exchange(gateway, via("unknown"))[0] == 400
    assert exchange(gateway, via("127.0.0.1"))[0] == 200
    assert exchange(gateway)[0] == 200


def test_by_default_no_proxy_is_believed(start):
    gateway = start()
    assert exchange(gateway, via("192.0.2.1"))[0] == 200
    assert say_hello(gateway, via("192.0.2.1"))["type"] == "hello-ok"


def test_a_lock_out_survives_the_worker_that_saw_it(guarded):
    for _ in range(10):
        exchange(guarded, via("192.0.2.1") + bearer("wrong"))
    pids = guarded.workers()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not set(guarded.workers().values()) & set(pids.values()) and
             guarded.http("/ready")[0] == 200, "new workers")
    assert exchange(guarded, via("192.0.2.1") + bearer(TOKEN))[0] == 429


def test_a_flood_of_guesses(guarded):
    """A thousand of them: most are not even looked at, the log stays small, others are served."""
    def guess(i):
        return exchange(guarded, via("192.0.2.1") + bearer(f"guess-{i}"))[0]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(guess, range(1000)))
        assert exchange(guarded, via("192.0.2.2") + bearer(TOKEN))[0] == 200
    # As many as were judged at the same time may be let through beside the ten.
    assert 10 <= statuses.count(401) <= 10 + 8 and set(statuses) == {401, 429}
    assert len(guarded.log()) < 100_000
    assert "guess-" not in guarded.log()


# --- connections of one address -------------------------------------------------------------------

def count_open(gateway, address, most, path="/"):
    """As many connections as are let in, which stay open."""
    held = []
    for _ in range(most):
        try:
            held.append(Raw(gateway.port, path, via(address)))
        except AssertionError as refused:
            assert "429" in str(refused)
            break
    return held


def test_connections_that_do_not_say_hello(start):
    gateway = start(max_handshakes_per_ip=5, allow_unauthenticated=True, **PROXY)
    held = count_open(gateway, "192.0.2.1", 8)
    assert len(held) == 5
    status, body, _ = exchange(gateway, via("192.0.2.1"))
    assert status == 429 and body["error"]["details"]["reason"] == "rate-limited"
    # Who said hello makes room for one more; other addresses have room of their own.
    held[0].send(frame(TEXT, json.dumps(HELLO).encode()))
    assert json.loads(held[0].receive()[1])["type"] == "hello-ok"
    more = count_open(gateway, "192.0.2.1", 3)
    assert len(more) == 1
    assert exchange(gateway, via("192.0.2.2"))[0] == 200
    assert limit(gateway, "handshakes_per_ip") >= 3
    for raw in held + more:
        raw.socket.close()
    wait_for(lambda: exchange(gateway, via("192.0.2.1"))[0] == 200, "room again")


def test_by_default_256_may_not_have_said_hello(start):
    gateway = start(allow_unauthenticated=True, **PROXY)
    held = count_open(gateway, "192.0.2.1", 300)
    assert len(held) == 256
    # Neither this machine nor the proxy itself is counted.
    ours = [Raw(gateway.port, "/") for _ in range(300)]
    for raw in held + ours:
        raw.socket.close()


def test_connections_of_one_address(start):
    gateway = start(max_connections_per_ip=3, allow_unauthenticated=True, **PROXY)
    held = []
    for _ in range(3):
        held.append(Raw(gateway.port, "/", via("192.0.2.1")))
        held[-1].send(frame(TEXT, json.dumps(HELLO).encode()))
        held[-1].receive()
    assert not count_open(gateway, "192.0.2.1", 1)
    assert limit(gateway, "connections_per_ip") == 1
    # A worker that dies takes its connections along, and no more than those.
    for pid in gateway.workers().values():
        os.kill(pid, signal.SIGKILL)
    for raw in held:
        raw.socket.close()
    wait_for(lambda: exchange(gateway, via("192.0.2.1"))[0] == 200, "room again")


def test_more_addresses_than_can_be_kept(start):
    """None is turned away for that, and it is told how many had no limits."""
    gateway = start(max_connections=512, max_handshakes_per_ip=1, allow_unauthenticated=True, **PROXY)
    held = [Raw(gateway.port, "/", via(f"198.18.{i // 256}.{i % 256}")) for i in range(500)]
    assert 0 < limit(gateway, "addresses") < 500
    assert limit(gateway, "handshakes_per_ip") == 0
    for raw in held:
        raw.socket.close()


# --- before the hello -----------------------------------------------------------------------------

def test_one_time_for_head_and_hello(start):
    """Bytes that trickle in do not extend it, wherever they belong."""
    gateway = start(handshake_timeout_ms=500)
    with Raw(gateway.port, "/", "".join(f"X-{i}: y\r\n" for i in range(3))) as raw:
        data = frame(TEXT, json.dumps(HELLO).encode())
        with pytest.raises((EOFError, OSError)):
            raw.socket.settimeout(0.05)
            for byte in data * 100:
                raw.send(bytes([byte]))
                try:
                    raw.fill()
                except socket.timeout:
                    pass


def test_bytes_before_the_hello(start):
    gateway = start(max_hello_bytes=1024)
    with Raw(gateway.port, "/") as raw:
        raw.send(*[frame(PING, b"x" * 100)] * 20)
        assert raw.close_code() == 1009
    with Raw(gateway.port, "/") as raw:
        raw.send(frame(TEXT, b"x" * 1025))
        assert raw.close_code() == 1009
    assert limit(gateway, "hello") == 2
    assert say_hello(gateway)["type"] == "hello-ok"


@pytest.mark.parametrize("lines,status", [
    ("A: b\r\n" * 7, 200), ("A: b\r\n" * 9, 431), ("A: " + "b" * 600 + "\r\n", 431)])
def test_heads(start, lines, status):
    gateway = start(max_header_lines=10, max_header_bytes=512)
    assert exchange(gateway, lines)[0] == status
    assert limit(gateway, "header") == (status == 431)


def test_a_hundred_lines_are_enough(session_gateway):
    assert exchange(session_gateway, "A: b\r\n" * 98)[0] == 200
    assert exchange(session_gateway, "A: b\r\n" * 99)[0] == 431


# --- after it -------------------------------------------------------------------------------------

def run(gateway, scenario):
    async def main():
        ws = await websockets.connect(gateway.url, compression=None, ping_interval=None)
        await ws.send(json.dumps(HELLO))
        client = Client(ws, json.loads(await ws.recv()))
        try:
            return await scenario(client)
        finally:
            await client.close()
    return asyncio.run(asyncio.wait_for(main(), 3 * PATIENCE))


def test_requests_in_a_second(start):
    gateway = start(max_requests_per_s=5)

    async def scenario(client):
        answers = [await client.request("health") for _ in range(40)]
        bad = [a["error"] for a in answers if "error" in a]
        assert len(answers) - len(bad) >= 5 and bad
        assert all(e["code"] == "UNAVAILABLE" and e["details"]["reason"] == "rate-limited" and
                   0 < e["details"]["retryAfterMs"] <= 1000 for e in bad)
        await asyncio.sleep(bad[-1]["details"]["retryAfterMs"] / 1000)
        return await client.request("health"), len(bad)
    answer, refused = run(gateway, scenario)
    assert "result" in answer and limit(gateway, "requests") == refused


def test_published_bytes_in_a_second(start):
    gateway = start(max_published_bytes_per_s=1000)

    async def scenario(client):
        event = {"event": "agent.x", "payload": {"y": "y" * 3000}}
        first = await client.request("events.publish", event)
        return first, await client.request("events.publish", event), await client.request("health")
    first, second, other = run(gateway, scenario)
    assert "result" in first and "result" in other
    assert second["error"]["details"]["reason"] == "rate-limited"
    assert 1000 < second["error"]["details"]["retryAfterMs"] <= 3100
    assert limit(gateway, "published_bytes") == 1


def test_by_default_requests_are_not_limited(session_gateway):
    async def scenario(client):
        return [await client.request("health") for _ in range(300)]
    assert all("result" in answer for answer in run(session_gateway, scenario))


def test_pings_are_answered_at_a_bounded_rate(start):
    gateway = start(max_pings_per_s=5, echo=True)
    with Raw(gateway.port) as raw:
        raw.send(*[frame(PING, b"x")] * 200, frame(TEXT, b"end"))
        answers = []
        while (received := raw.receive())[0] != TEXT:
            answers.append(received)
    assert 5 <= len(answers) < 100 and set(answers) == {(PONG, b"x")}
    assert limit(gateway, "pings") == 200 - len(answers)


def test_a_message_that_was_begun_has_to_end(start):
    gateway = start(message_timeout_ms=500, echo=True)
    with Raw(gateway.port) as raw:
        raw.send(frame(TEXT, b"begun", fin=False))
        raw.socket.settimeout(0.05)
        for _ in range(200):  # what trickles in does not extend the time
            try:
                raw.send(frame(CONT, b"x", fin=False))
                raw.fill()
                break
            except socket.timeout:
                pass
        raw.socket.settimeout(PATIENCE)
        assert raw.close_code() == 1008
    with Raw(gateway.port) as raw:  # nor does a header that never ends
        raw.send(frame(TEXT, b"begun")[:3])
        assert raw.close_code() == 1008
    with Raw(gateway.port) as raw:
        for _ in range(3):
            raw.send(frame(TEXT, b"a", fin=False), frame(CONT, b"b"))
            assert raw.receive() == (TEXT, b"ab")
    assert limit(gateway, "message_time") == 2


# --- Host -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("host,status", [
    ("127.0.0.1", 200), ("127.0.0.1:80", 200), ("localhost", 200), ("LOCALHOST:1", 200),
    ("localhost.", 200), ("[::1]", 200), (socket.gethostname(), 200),
    ("listed.example", 200), ("Listed.Example:8080", 200),
    ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403),
    ("192.0.2.1", 403), ("[2001:db8::1]", 403), ("evil-listed.example", 403),
    ("0x7f000001", 403), ("2130706433", 403), ("127.1", 403), ("user@localhost", 400)])
def test_host(session_rebinding, host, status):
    assert exchange(session_rebinding, host=host)[0] == status
    assert exchange(session_rebinding, host=host, path="/live")[0] == status


@pytest.fixture(scope="module")
def session_rebinding(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("hosts") / "home", allowed_hosts=["listed.example"])
    gateway.start()
    yield gateway
    gateway.stop()
    gateway.check_clean()


def test_a_page_that_rebinds_its_name(session_rebinding):
    """To the browser it is one site: its Origin is the Host that it asks for."""
    status, body, _ = exchange(session_rebinding, "Origin: http://evil.example:18789\r\n",
                               host="evil.example:18789")
    assert status == 403 and "allowed_hosts" in body["error"]["message"]
    assert session_rebinding.metrics()[
        'lurkbot_handshakes_total{outcome="bad-host"}'] >= 1
