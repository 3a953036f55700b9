"""`gateway why` and `gateway connections --closed`: each kind of end is told as what it was."""

import asyncio
import contextlib
import errno
import json
import os
import re
import signal
import socket
import struct
import time

import pytest

from faults import FORKED, STREAM_SOCKET, FaultyGateway
from gateway import HELLO, PATIENCE, connect, connect_narrow, processes_of, wait_for
from rawws import CONT, TEXT, Raw, close_frame, frame

TOKEN = "a-token-of-ours"
PROXY = {"trusted_proxies": ["127.0.0.1"]}
MEGA = 1024 * 1024


def run(coroutine, patience=3 * PATIENCE):
    return asyncio.run(asyncio.wait_for(coroutine, patience))


def closed(gateway):
    """The connections that have ended, the newest first."""
    out = gateway.cli("gateway", "connections", "--closed", "--json", "--limit", "1000").stdout
    return [json.loads(line) for line in out.splitlines()]


def ended(gateway, cause, conn_id=None, counted=True):
    """The line about a connection that ended by this cause, once there is one; and what why says."""
    def find():
        return [c for c in closed(gateway) if c["cause"] == cause and conn_id in (None, c["connId"])]
    line = wait_for(find, f"a connection to end by {cause}")[0]
    told = gateway.cli("gateway", "why", line["connId"]).stdout
    assert told.startswith(f"Connection {line['connId']} ") and told.count("\n") == 1
    as_json = json.loads(gateway.cli("gateway", "why", line["connId"], "--json").stdout)
    assert as_json == {"open": False, **line}
    assert f'"{line["reason"]}"' in told and ("limit" not in line or line["limit"] in told)
    # A gateway that was started since has counters of its own.
    assert gateway.metrics()[f'lurkbot_connections_ended_total{{cause="{cause}"}}'] >= counted
    return line, told


def hello_raw(gateway, **more):
    """A WebSocket by hand that has said hello, and its connId."""
    raw = Raw(gateway.port, "/")
    raw.send(frame(TEXT, json.dumps({**HELLO, **more}).encode()))
    return raw, json.loads(raw.receive()[1])["server"]["connId"]


def via(address):
    return f"X-Forwarded-For: {address}\r\n"


# --- by the client --------------------------------------------------------------------------------

def test_one_that_is_open(gateway):
    async def scenario():
        client = await connect(gateway, client={"displayName": "My client"})
        told = gateway.cli("gateway", "why", client.conn_id).stdout
        assert re.match(f"Connection {client.conn_id} of test \\(My client\\) from 127.0.0.1:\\d+ is open: "
                        "it has been connected to worker [01] for ", told)
        as_json = json.loads(gateway.cli("gateway", "why", client.conn_id, "--json").stdout)
        assert as_json["open"] is True and as_json["lag"] == 0
        table = gateway.cli("gateway", "connections").stdout.splitlines()
        assert table[0].split() == ["CONN", "CLIENT", "FROM", "WORKER", "FOR", "BEHIND"]
        assert any(line.split()[0] == client.conn_id for line in table[1:])
        await client.close()
    run(scenario())


def test_one_that_never_was(gateway):
    done = gateway.cli("gateway", "why", "12345678", check=False)
    assert done.returncode == 1 and "no connection that is open, nor one of the last 10000" in done.stderr
    for wrong in ("1234567", "1234567g", "123456789"):
        done = gateway.cli("gateway", "why", wrong, check=False)
        assert done.returncode == 2 and "8 hexadecimal digits" in done.stderr


def test_the_client_closed_it(gateway):
    async def scenario():
        client = await connect(gateway, client={"displayName": "Ä" * 64})
        for _ in range(3):
            await client.call("health")
        await client.close()
        return client.conn_id
    before = time.time() * 1000
    line, told = ended(gateway, "client", run(scenario()))
    assert line["client"] == {"id": "test", "displayName": "Ä" * 15} and line["code"] == 1000
    assert line["messages"] == 4 and line["bytesIn"] > 400 and line["bytesOut"] > 400 and line["lag"] == 0
    assert 0 <= line["closedAt"] - line["connectedAt"] == line["ageMs"]
    assert before - 1000 < line["closedAt"] < time.time() * 1000 + 1000
    assert re.match(r"127\.0\.0\.1:\d+", line["remote"])
    assert "was closed by the client" in told and "It sent 4 messages" in told
    table = gateway.cli("gateway", "connections", "--closed").stdout.splitlines()
    assert table[0].split() == ["CONN", "CLIENT", "FROM", "ENDED", "LASTED", "CODE", "CAUSE"]
    assert table[1].split()[0] == line["connId"] and table[1].split()[-1] == "client"


@pytest.mark.parametrize("how", ["end", "reset"])
def test_the_client_vanished(gateway, how):
    raw, conn_id = hello_raw(gateway)
    if how == "reset":
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.socket.close()
    line, told = ended(gateway, "vanished", conn_id)
    assert "code" not in line and "without a Close frame" in told


def test_http_that_went_well_and_the_operators_tools_are_no_lines(gateway):
    assert gateway.http("/health")[0] == 200
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        s.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert s.recv(4096)
    gateway.status()
    assert closed(gateway) == []


# --- by whoever may -------------------------------------------------------------------------------

def test_an_administrator_closed_it(gateway):
    async def scenario():
        client, admin = await connect(gateway), await connect(gateway)
        await admin.call("connections.close", {"connId": client.conn_id, "reason": "Too loud, my friend"})
        await asyncio.wait_for(client.closed, PATIENCE)
        await admin.close()
        return client.conn_id
    line, told = ended(gateway, "admin", run(scenario()))
    assert line["reason"] == "Too loud, my friend" and line["code"] == 1000
    assert "by an administrator" in told


def change(gateway, **settings):
    gateway.settings.update(settings)
    gateway.write_settings()
    gateway.cli("gateway", "reload")


def test_its_token_was_revoked(start):
    gateway = start(auth_enabled=True, auth_tokens=[TOKEN], metrics_public=True)
    raw, conn_id = hello_raw(gateway, auth={"token": TOKEN})
    change(gateway, auth_tokens=["another-token-of-ours"])
    assert raw.close_code() == 1008
    assert "took its token away" in ended(gateway, "token-revoked", conn_id)[1]
    raw.socket.close()


def test_its_token_expired(start):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    gateway = start(auth_enabled=True, metrics_public=True, auth_tokens=[
        {"name": "short", "token": TOKEN, "scopes": ["read"], "expires": end}])
    raw, conn_id = hello_raw(gateway, auth={"token": TOKEN})
    assert raw.close_code() == 1008
    assert "its token expired" in ended(gateway, "token-expired", conn_id)[1]
    raw.socket.close()


# --- limits ---------------------------------------------------------------------------------------

async def stuck(gateway, name):
    """A client that has said hello and reads no more, and its connId."""
    ws = await connect_narrow(gateway, compression=None)
    await ws.send(json.dumps({**HELLO, "subscribe": {"events": [name]}}))
    answer = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
    return ws, answer["server"]["connId"]


async def publish_until(sender, name, size, done):
    while not done():
        for _ in range(20):
            await sender.call("events.publish", {"event": name, "payload": {"x": "x" * size}})


def slow_closed(gateway):
    return gateway.metrics()["lurkbot_slow_clients_closed_total"]


def test_it_was_a_slow_consumer(start):
    gateway = start(workers=1, slow_consumer_timeout_ms=500, ring_bytes=16 * MEGA)

    async def scenario():
        sender = await connect(gateway, {"events": []})
        ws, conn_id = await stuck(gateway, "load.*")
        await publish_until(sender, "load.x", 20000, lambda: slow_closed(gateway) == 1)
        ws.transport.abort()
        await sender.close()
        return conn_id
    line, told = ended(gateway, "slow-consumer", run(scenario()))
    assert line["code"] == 1013 and line["lag"] > 0
    assert f"{line['lag']} event" in told and "gateway.slow_consumer_timeout_ms" in told


def test_what_it_was_stuck_in_was_given_up(start):
    """Two are stuck in large events when the ring comes round, and there is room for one."""
    gateway = start(workers=1, ring_bytes=2 * MEGA, stuck_bytes=65536, max_payload=MEGA // 4,
                    tls_enabled=False)

    def behind():
        metrics = gateway.metrics()
        return metrics['lurkbot_catching_up{worker="0"}'] + metrics["lurkbot_slow_clients_closed_total"]

    async def scenario():
        sender, held = await connect(gateway, {"events": []}), []
        for i in range(3):
            held.append(await stuck(gateway, f"n{i}.*"))
            await publish_until(sender, f"n{i}.x", 60000, lambda: behind() > i)
        await publish_until(sender, "nobody.x", 60000, lambda: slow_closed(gateway) >= 1)
        for ws, _ in held:
            ws.transport.abort()
        await sender.close()
    run(scenario(), 6 * PATIENCE)
    line, _ = ended(gateway, "stuck-bytes")
    assert line["limit"] == "gateway.stuck_bytes"


def test_it_left_its_answers_unread(start):
    gateway = start(workers=1, max_buffered_bytes=65536, ping_interval_ms=500, pong_timeout_ms=500)
    raw, conn_id = hello_raw(gateway, subscribe={"events": []})
    raw.socket.settimeout(0.5)
    ask = frame(TEXT, b'{"id":"a","type":"request","method":"status"}')
    with contextlib.suppress(OSError):
        for _ in range(100000):
            raw.socket.sendall(ask * 1000)
    line, told = ended(gateway, "unread", conn_id)
    assert line["code"] == 1013 and line["messages"] > 100 and "unread" in told
    raw.socket.close()


def test_no_hello_came_in_time(start):
    gateway = start(handshake_timeout_ms=300)
    with Raw(gateway.port, "/") as raw:
        assert raw.close_code() == 1008
    line, told = ended(gateway, "handshake-timeout")
    assert "client" not in line and line["code"] == 1008 and "in time" in told
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        assert s.recv(1) == b""
    wait_for(lambda: [c["cause"] for c in closed(gateway)] == ["handshake-timeout"] * 2,
             "a connection that never spoke")


def test_it_did_not_answer_a_ping(start):
    gateway = start(ping_interval_ms=300, pong_timeout_ms=300)
    raw, conn_id = hello_raw(gateway)
    assert raw.receive()[0] == 9 and raw.close_code() == 1008
    assert "did not answer a ping" in ended(gateway, "pong-timeout", conn_id)[1]
    raw.socket.close()


def test_a_message_did_not_end_in_time(start):
    gateway = start(message_timeout_ms=300)
    raw, conn_id = hello_raw(gateway)
    raw.send(frame(TEXT, b"x" * 100)[:50])
    assert raw.close_code() == 1008
    ended(gateway, "message-timeout", conn_id)
    raw.socket.close()


def test_its_message_was_too_big(start):
    gateway = start(max_payload=65536)
    raw, conn_id = hello_raw(gateway)
    raw.send(frame(TEXT, b"", length=70000))
    assert raw.close_code() == 1009
    assert "longer than accepted" in ended(gateway, "too-big", conn_id)[1]
    raw.socket.close()


def test_its_hello_was_too_big(start):
    gateway = start(max_hello_bytes=1024)
    with Raw(gateway.port, "/") as raw:
        raw.send(frame(TEXT, b"", length=5000))
        assert raw.close_code() == 1009
    assert ended(gateway, "hello-too-big")[0]["limit"] == "gateway.max_hello_bytes"


def test_the_head_of_its_request_was_too_big(start):
    gateway = start(max_header_bytes=1024)
    with pytest.raises(AssertionError, match="431"):
        Raw(gateway.port, "/", f"X-Long: {'x' * 2000}\r\n")
    assert ended(gateway, "head-too-big")[0]["limit"] == "gateway.max_header_bytes"


def test_the_gateway_was_full(start):
    gateway = start(max_connections=2, metrics_public=True)
    held = [hello_raw(gateway)[0] for _ in range(2)]
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as s:
        assert s.recv(4096).startswith(b"HTTP/1.1 503 ")
    for raw in held:
        raw.socket.close()
    wait_for(lambda: len(closed(gateway)) == 3, "three lines")
    line = [c for c in closed(gateway) if c["cause"] == "max-connections"][0]
    assert line["connId"] == "00000000" and line["limit"] == "gateway.max_connections"


def test_its_address_had_too_many(start):
    gateway = start(max_connections_per_ip=1, auth_enabled=True, auth_tokens=[TOKEN],
                    metrics_public=True, **PROXY)
    with Raw(gateway.port, "/", via("192.0.2.1")):
        with pytest.raises(AssertionError, match="429"):
            Raw(gateway.port, "/", via("192.0.2.1"))
        line, _ = ended(gateway, "max-per-ip")
        assert line["remote"].startswith("192.0.2.1")


def test_its_address_had_too_many_that_said_no_hello(start):
    gateway = start(max_handshakes_per_ip=1, auth_enabled=True, auth_tokens=[TOKEN],
                    metrics_public=True, **PROXY)
    with Raw(gateway.port, "/", via("192.0.2.1")):
        with pytest.raises(AssertionError, match="429"):
            Raw(gateway.port, "/", via("192.0.2.1"))
        line, _ = ended(gateway, "max-handshakes")
        assert line["limit"] == "gateway.max_handshakes_per_ip"


def test_its_address_was_locked_out(start):
    gateway = start(auth_failures=1, auth_enabled=True, auth_tokens=[TOKEN], metrics_public=True, **PROXY)
    lines = via("192.0.2.1") + "Authorization: Bearer {}\r\n"
    with pytest.raises(AssertionError, match="401"):
        Raw(gateway.port, "/", lines.format("wrong"))
    with pytest.raises(AssertionError, match="429"):
        Raw(gateway.port, "/", lines.format(TOKEN))
    assert ended(gateway, "unauthorized")[0]["reason"] == "Unauthorized"
    assert ended(gateway, "rate")[0]["limit"] == "gateway.auth_failures"


# --- faults of the client -------------------------------------------------------------------------

def test_its_token_was_wrong(start):
    gateway = start(auth_enabled=True, auth_tokens=[TOKEN], metrics_public=True)
    with Raw(gateway.port, "/") as raw:
        raw.send(frame(TEXT, json.dumps({**HELLO, "auth": {"token": "a-wrong-one"}}).encode()))
        raw.receive()
        assert raw.close_code() == 1008
    line, told = ended(gateway, "unauthorized")
    assert line["code"] == 1008 and "a-wrong-one" not in told + json.dumps(line)


def test_its_hello_was_refused(gateway):
    with Raw(gateway.port, "/") as raw:
        raw.send(frame(TEXT, json.dumps({**HELLO, "minProtocol": 7, "maxProtocol": 9}).encode()))
        raw.receive()
        assert raw.close_code() == 1008
    assert "its hello was refused" in ended(gateway, "hello-refused")[1]


def test_it_broke_the_protocol(gateway):
    raw, conn_id = hello_raw(gateway)
    raw.send(frame(CONT, b"x"))
    assert raw.close_code() == 1002
    assert "broke the WebSocket protocol" in ended(gateway, "protocol-error", conn_id)[1]
    raw.socket.close()


def test_it_sent_too_many_bad_frames(gateway):
    raw, conn_id = hello_raw(gateway)
    raw.send(frame(TEXT, b"{}") * 20)
    assert raw.close_code() == 1008
    ended(gateway, "bad-frames", conn_id)
    raw.socket.close()


def test_it_was_refused_before_it_was_a_websocket(gateway):
    with pytest.raises(AssertionError, match="403"):
        Raw(gateway.port, "/", "Origin: https://elsewhere.example\r\n")
    line, told = ended(gateway, "http-refused")
    assert line["reason"] == "Forbidden" and "gateway.allowed_origins" in told


# --- what happens to the gateway ------------------------------------------------------------------

def test_its_worker_retired(start):
    gateway = start(workers=2)

    async def scenario():
        clients = [await connect(gateway) for _ in range(30)]
        change(gateway, workers=1)
        done, _ = await asyncio.wait([c.closed for c in clients], timeout=PATIENCE,
                                     return_when=asyncio.FIRST_COMPLETED)
        gone = next(c for c in clients if c.closed in done)
        assert gone.closed.result()[0] == 1012
        for client in clients:
            await client.close()
        return gone.conn_id
    line, told = ended(gateway, "retire", run(scenario()))
    assert line["worker"] == 1 and "its worker retired" in told


def test_its_worker_died(start):
    gateway = start(workers=1)
    raw, conn_id = hello_raw(gateway)
    os.kill(gateway.workers()[0], signal.SIGKILL)
    line, told = ended(gateway, "worker-died", conn_id)
    assert "killed by signal 9" in line["reason"] and line["worker"] == 0
    assert "connectedAt" not in line and "client" not in line and "its worker, which died" in told
    raw.socket.close()


def kill_all(gateway):
    """SIGKILL for all of it at once."""
    workers = processes_of(gateway.home)
    gateway.process.kill()
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    gateway.stop(expect=-signal.SIGKILL)
    wait_for(lambda: not processes_of(gateway.home), "all to be gone")


def test_the_whole_gateway_died(start):
    """The next one finds the ledger, and whose connections were open."""
    gateway = start(workers=1)
    left, left_id = hello_raw(gateway)
    left.send(close_frame(1000))
    assert left.close_code() == 1000
    raw, conn_id = hello_raw(gateway)
    kill_all(gateway)
    gateway.start()
    assert "the whole gateway, which died" in ended(gateway, "gateway-died", conn_id)[1]
    assert "by the client" in gateway.cli("gateway", "why", left_id).stdout
    for each in (raw, left):
        each.socket.close()


def test_the_gateway_stopped(start):
    """Where the memory outlives the stop the next one knows it; here it is killed when the client is gone."""
    gateway = start(workers=2)
    stopped = gateway.workers()
    raw, conn_id = hello_raw(gateway)
    worker = next(c["worker"] for c in json.loads(gateway.cli(
        "gateway", "call", "connections.list", "--json").stdout)["connections"] if c["connId"] == conn_id)
    os.kill(stopped[1 - worker], signal.SIGSTOP)  # so that the stop does not end
    gateway.process.send_signal(signal.SIGTERM)
    assert raw.close_code() == 1001
    kill_all(gateway)
    gateway.start()
    line, told = ended(gateway, "drain", conn_id, counted=False)
    assert line["code"] == 1001 and "the gateway stopped" in told
    raw.socket.close()


def test_its_socket_failed(tmp_path):
    gateway = FaultyGateway(tmp_path / "home", workers=1)
    gateway.start()
    raw, conn_id = hello_raw(gateway)
    gateway.shim.rule("recv", FORKED, kind=STREAM_SOCKET, error=errno.EIO, times=1)
    raw.send(frame(9))
    assert raw.at_end()
    assert "Input/output error" in ended(gateway, "socket-error", conn_id)[1]
    raw.socket.close()
    gateway.stop()
    gateway.check_clean()


# --- the list -------------------------------------------------------------------------------------

def test_pages_of_those_that_have_ended(gateway):
    async def scenario():
        ids = []
        for i in range(25):
            client = await connect(gateway, {"events": []}, client={"id": f"client-{i}"})
            ids.append(client.conn_id)
            await client.close()
        asks, seen, params = await connect(gateway), [], {"closed": True, "limit": 7}
        while True:
            page = await asks.call("connections.list", params)
            assert len(page["connections"]) == 7 or "nextCursor" not in page
            seen += [c["connId"] for c in page["connections"]]
            if "nextCursor" not in page:
                break
            params["cursor"] = page["nextCursor"]
        assert seen == ids[::-1]
        one = await asks.call("connections.list", {"closed": True, "connId": ids[3]})
        assert [c["client"]["id"] for c in one["connections"]] == ["client-3"]
        assert (await asks.call("connections.list", {"connId": ids[3]}))["connections"] == []
        mine = (await asks.call("connections.list", {"connId": asks.conn_id}))["connections"]
        assert [c["connId"] for c in mine] == [asks.conn_id]
        for wrong in ({"cursor": "nonsense"}, {"connId": "nonsense"}):
            answer = await asks.request("connections.list", {"closed": True, **wrong})
            assert answer["error"]["details"]["field"] == f"params.{next(iter(wrong))}"
        await asks.close()
    run(scenario())
    lines = gateway.cli("gateway", "connections", "--closed", "--json", "--limit", "3").stdout.splitlines()
    assert len(lines) == 3
