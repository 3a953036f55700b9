"""Peers that misbehave on purpose: they get what they deserve, and nobody else notices."""

import asyncio
import json
import socket

import pytest

from gateway import HELLO, PATIENCE, connect, wait_for
from rawws import PING, Raw, frame

pytestmark = [pytest.mark.san, pytest.mark.valgrind]


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 3 * PATIENCE))


def everybody_answers(gateway, workers=2):
    """Health of enough fresh connections that each worker has had one."""
    held = [socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
            for _ in range(40 * workers)]
    try:
        for s in held:
            s.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for s in held:
            assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        for s in held:
            s.close()


def test_frames_behind_http_that_is_not_read(start):
    """Unsent HTTP in front of frames must not be taken for frames."""
    gateway = start(workers=2, echo=True)
    upgrade = (b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    evil = frame(PING, b"\x81\xff" + b"\xff" * 8 + b"\x81\xff" * 50)
    for gets in (1000, 2500, 5000):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(PATIENCE)
        s.connect(("127.0.0.1", gateway.port))
        s.sendall(b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n" * gets + upgrade + evil * 200)
        for _ in range(50):
            s.recv(1000)
        everybody_answers(gateway)
        s.close()
    assert sorted(gateway.workers()) == [0, 1]
    assert not [line for line in gateway.lines if "killed" in line or "stands still" in line]


def test_requests_that_cost_more_to_answer_than_to_send(start):
    gateway = start(workers=2)
    pids = gateway.workers()

    async def scenario():
        clients = [await connect(gateway, {"events": []}) for _ in range(30)]
        for i, client in enumerate(clients):
            batch = [json.dumps({"id": f"{i}-{n}", "type": "request", "method": "connections.list",
                                 "params": {"limit": 200}}) for n in range(200)]
            for text in batch:
                await client.ws.send(text)
        answered = 0
        codes = set()
        for client in clients:
            for _ in range(200):
                frame_ = await client.event()
                assert frame_["type"] == "response"
                codes.add(frame_.get("error", {}).get("details", {}).get("reason", "ok"))
                answered += 1
        assert answered == 6000
        assert codes <= {"ok", "overloaded", "too-many-in-flight", "too-much-unread", "worker-busy"}
        for client in clients:
            await client.close()
    run(scenario())
    assert gateway.workers() == pids


def test_valid_frames_with_bad_parameters_never_close(session_gateway):
    async def scenario():
        client = await connect(session_gateway)
        for _ in range(25):
            answer = await client.request("health", [])
            assert answer["error"]["code"] == "INVALID_REQUEST"
        for text in (json.dumps(HELLO), '{"id":"x","type":"response","result":{}}') * 15:
            await client.ws.send(text)
            assert (await client.event())["error"]["code"] == "INVALID_REQUEST"
        await client.call("health")
        await client.close()
    run(scenario())


def test_the_operator_gets_in_when_the_gateway_is_full(start):
    gateway = start(workers=2, max_connections=4)
    held = []
    for _ in range(4):
        s = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
        s.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
        held.append(s)
    silent = [socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) for _ in range(50)]
    for s in silent:
        assert s.recv(4096).startswith(b"HTTP/1.1 503 ")
    assert gateway.status()["status"] == "healthy"
    for s in held:
        s.close()
    # Those that were refused hold no place, though they are still here.
    wait_for(lambda: gateway.http("/live")[0] == 200, "the places to become free")
    for s in silent:
        s.close()


def test_a_client_that_never_reads_its_answers(start):
    gateway = start(workers=1, max_buffered_bytes=65536)
    with Raw(gateway.port, "/") as ws:
        ws.send(frame(1, json.dumps({**HELLO, "subscribe": {"events": []}}).encode()))
        ws.receive()
        ask = frame(1, b'{"id":"a","type":"request","method":"status"}')
        ws.send(ask)
        answer_bytes = len(ws.receive()[1])
        ws.socket.settimeout(0.5)
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                ws.socket.sendall(ask * 1000)
                sent += len(ask) * 1000
        except TimeoutError:
            pass
        assert sent < 64 * 1024 * 1024, "the gateway took requests without end"
        # Sending may also have stalled because the machine did: what was answered must fit into
        # max_buffered_bytes and what the kernel keeps for a socket on loopback.
        answered = gateway.metrics()['lurkbot_requests_total{method="status",code="OK"}']
        assert answered * answer_bytes < 16 * 1024 * 1024, "answers pile up without end"
        everybody_answers(gateway, 1)
