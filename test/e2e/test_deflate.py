"""permessage-deflate (RFC 7692): what is negotiated, what is taken and refused, and what clients are sent."""

import asyncio
import json
import os
import random
import zlib

import pytest
import websockets

from gateway import HELLO, PATIENCE, Gateway, connect, connect_narrow, follow
from rawws import BINARY, CLOSE, CONT, PING, PONG, TEXT, Raw, close_frame, frame

pytestmark = pytest.mark.san

KILO = 1024
MAX = 64 * KILO
RSV1 = 4
TAIL = b"\0\0\xff\xff"
OFFER = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
GRANT = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


def deflate(data, strategy=zlib.Z_DEFAULT_STRATEGY):
    codec = zlib.compressobj(6, zlib.DEFLATED, -15, 8, strategy)
    packed = codec.compress(data) + codec.flush(zlib.Z_SYNC_FLUSH)
    assert packed.endswith(TAIL)
    return packed[:-4]


def inflate(data):
    return zlib.decompressobj(-15).decompress(data + TAIL)


def prose(n, seed=1):
    """Text of n bytes that compresses to half and not to nothing."""
    dice = random.Random(seed)
    return "".join(dice.choice("0123456789abcdef") for _ in range(n))


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("echo") / "home", echo=True, workers=1, max_payload=MAX)
    yield gateway.start()
    gateway.stop()
    gateway.check_clean()


def open_echo(gateway):
    ws = Raw(gateway.port, lines=OFFER)
    assert granted(ws) == GRANT
    return ws


# --- negotiation ----------------------------------------------------------------------------------


def granted(ws):
    fields = [line.partition(b": ")[2].decode() for line in ws.head.split(b"\r\n")
              if line.lower().startswith(b"sec-websocket-extensions:")]
    assert len(fields) <= 1
    return fields[0] if fields else None


OFFERS = [
    (["permessage-deflate"], GRANT),
    (["permessage-deflate; client_max_window_bits"], GRANT),
    (["permessage-deflate; server_max_window_bits=15"], GRANT + "; server_max_window_bits=15"),
    (["permessage-deflate; server_max_window_bits=10"], None),
    (["permessage-deflate; server_max_window_bits=10, permessage-deflate"], GRANT),
    (["permessage-deflate; server_max_window_bits=10", "permessage-deflate"], GRANT),
    (["x; y=1", "permessage-deflate; z, permessage-deflate; client_max_window_bits=9"], GRANT),
    (["permessage-deflate; client_no_context_takeover; client_no_context_takeover"], None),
    (["permessage-deflate; client_max_window_bits=16"], None),
    (["x-webkit-deflate-frame"], None),
    ([], None),
]


@pytest.mark.parametrize("offers, answer", OFFERS)
def test_offers(echo, offers, answer):
    lines = "".join(f"Sec-WebSocket-Extensions: {offer}\r\n" for offer in offers)
    with Raw(echo.port, lines=lines) as ws:
        assert granted(ws) == answer


def test_not_negotiated(start):
    """Where it is off, or was not asked for, RSV1 is an error."""
    gateway = start(workers=1, echo=True, compression=False)
    with Raw(gateway.port, lines=OFFER) as ws:
        assert granted(ws) is None
        ws.send(frame(TEXT, deflate(b"x"), rsv=RSV1))
        assert ws.close_code() == 1002


def test_browsers_are_granted_it(echo):
    lines = f"Origin: http://127.0.0.1:{echo.port}\r\n" + OFFER
    for path in ("/ws", "/echo"):
        with Raw(echo.port, path, lines) as ws:
            assert granted(ws) == GRANT


# --- what is taken --------------------------------------------------------------------------------

HALVES = deflate(b"Hello")[:3], deflate(b"Hello")[3:]

# name, frames sent, messages that come back
TAKEN = [
    ("7.2.3.1 one block", [frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=RSV1)], [(TEXT, b"Hello")]),
    ("7.2.3.1 two fragments", [frame(TEXT, b"\xf2\x48\xcd", rsv=RSV1, fin=False),
                               frame(CONT, b"\xc9\xc9\x07\x00")], [(TEXT, b"Hello")]),
    ("7.2.3.3 not compressed", [frame(TEXT, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", rsv=RSV1)],
     [(TEXT, b"Hello")]),
    ("7.2.3.4 a last block", [frame(TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", rsv=RSV1)],
     [(TEXT, b"Hello")]),
    ("7.2.3.5 two blocks", [frame(TEXT, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", rsv=RSV1)],
     [(TEXT, b"Hello")]),
    ("7.2.3.6 empty", [frame(TEXT, b"\x00", rsv=RSV1)], [(TEXT, b"")]),
    ("no payload at all", [frame(BINARY, b"", rsv=RSV1)], [(BINARY, b"")]),
    ("empty fragments", [frame(TEXT, b"", rsv=RSV1, fin=False), frame(CONT, HALVES[0], fin=False),
                         frame(CONT, b"", fin=False), frame(CONT, HALVES[1])], [(TEXT, b"Hello")]),
    ("a ping between", [frame(TEXT, HALVES[0], rsv=RSV1, fin=False), frame(PING, b"p"),
                        frame(CONT, HALVES[1])], [(PONG, b"p"), (TEXT, b"Hello")]),
    ("plain between compressed", [frame(TEXT, deflate(b"1"), rsv=RSV1), frame(TEXT, b"2"),
                                  frame(BINARY, deflate(b"3"), rsv=RSV1)],
     [(TEXT, b"1"), (TEXT, b"2"), (BINARY, b"3")]),
    ("a character over fragments", [frame(TEXT, deflate("𝄞".encode())[:3], rsv=RSV1, fin=False),
                                    frame(CONT, deflate("𝄞".encode())[3:])], [(TEXT, "𝄞".encode())]),
    ("binary that is no text", [frame(BINARY, deflate(b"\xff\xfe"), rsv=RSV1)], [(BINARY, b"\xff\xfe")]),
    ("fixed codes", [frame(TEXT, deflate(b"fixed" * 9, zlib.Z_FIXED), rsv=RSV1)], [(TEXT, b"fixed" * 9)]),
]


@pytest.mark.parametrize("pieces", ["whole", "bytewise"])
@pytest.mark.parametrize("sent, back", [c[1:] for c in TAKEN], ids=[c[0] for c in TAKEN])
def test_taken(echo, sent, back, pieces):
    with open_echo(echo) as ws:
        ws.send(*sent, one_at_a_time=pieces == "bytewise")
        assert [ws.receive() for _ in back] == back
        ws.send(close_frame(1000))
        assert ws.close_code() == 1000


@pytest.mark.parametrize("size", [1, 511, 512, 513, 5000, MAX])
@pytest.mark.parametrize("compressed", [True, False])
def test_sizes(echo, size, compressed):
    """An echo of 512 bytes and more is compressed, however it came."""
    text = prose(size).encode()
    with open_echo(echo) as ws:
        ws.send(frame(TEXT, deflate(text), rsv=RSV1) if compressed else frame(TEXT, text))
        opcode, payload, is_compressed = ws.receive_any()
        assert (opcode, is_compressed) == (TEXT, size >= 512)
        assert (inflate(payload) if is_compressed else payload) == text
        assert len(payload) < size or size < 512


def test_what_does_not_shrink_is_sent_plain(echo):
    noise = os.urandom(2000)
    with open_echo(echo) as ws:
        ws.send(frame(BINARY, deflate(noise), rsv=RSV1))
        assert ws.receive() == (BINARY, noise)


# --- what is refused ------------------------------------------------------------------------------

REFUSED = [
    ("rsv1 on a ping", [frame(PING, b"", rsv=RSV1)], 1002),
    ("rsv1 on a close", [frame(CLOSE, b"", rsv=RSV1)], 1002),
    ("rsv1 on a continuation", [frame(TEXT, b"\xf2", rsv=RSV1, fin=False), frame(CONT, b"", rsv=RSV1)], 1002),
    ("rsv1 on a continuation of plain text", [frame(TEXT, b"a", fin=False), frame(CONT, b"", rsv=RSV1)], 1002),
    ("rsv1 and rsv2", [frame(TEXT, b"\x00", rsv=RSV1 | 2)], 1002),
    ("rsv3", [frame(TEXT, b"\x00", rsv=1)], 1002),
    ("a block type that is none", [frame(TEXT, b"\x07\x00", rsv=RSV1)], 1007),
    ("plain text", [frame(TEXT, b"Hello", rsv=RSV1)], 1007),
    ("cut off", [frame(BINARY, deflate(prose(400).encode())[:100], rsv=RSV1)], 1007),
    ("the tail is data", [frame(BINARY, b"\x00\x05\x00\xfa\xff\x48", rsv=RSV1)], 1007),
    ("a reference to the message before", [frame(TEXT, deflate(b"Hello"), rsv=RSV1),
                                           frame(TEXT, b"\xf2\x00\x11\x00\x00", rsv=RSV1)], 1007),
    ("no UTF-8", [frame(TEXT, deflate(b"caf\xe9"), rsv=RSV1)], 1007),
    ("a bomb", [frame(BINARY, deflate(bytes(100 * MAX)), rsv=RSV1)], 1009),
    ("a byte too much", [frame(TEXT, deflate(b"a" * (MAX + 1)), rsv=RSV1)], 1009),
    ("too long as it comes", [frame(TEXT, b"", length=MAX + 1, rsv=RSV1)], 1009),
]


@pytest.mark.parametrize("sent, code", [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(echo, sent, code):
    with open_echo(echo) as ws:
        ws.send(*sent)
        assert ws.close_code() == code
        ws.send(close_frame(code))
        assert ws.at_end()


def test_a_compressed_hello(echo):
    """Most libraries compress whatever they send. A stranger's bound holds for what it inflates to."""
    with Raw(echo.port, "/ws", OFFER) as ws:
        ws.send(frame(TEXT, deflate(json.dumps(HELLO).encode()), rsv=RSV1))
        assert json.loads(ws.receive()[1])["type"] == "hello-ok"
    before = echo.metrics()['lurkbot_handshakes_total{outcome="bad-hello"}']
    bad = ((b"no deflate", 1007), (deflate(b"\xff" * 200), 1007),
           (deflate(b" " * (64 * 1024 + 1)), 1009), (deflate(bytes(100 * MAX)), 1009))
    for payload, code in bad:
        with Raw(echo.port, "/ws", OFFER) as ws:
            ws.send(frame(TEXT, payload, rsv=RSV1))
            assert ws.close_code() == code
    assert echo.metrics()['lurkbot_handshakes_total{outcome="bad-hello"}'] == before + len(bad)


# --- what clients are sent ------------------------------------------------------------------------


async def greet(ws, **hello):
    """Says hello without compression, so that only what follows is counted; the rest is up to the library."""
    extensions, ws.extensions = ws.extensions, []
    await ws.send(json.dumps({**HELLO, **hello}))
    ws.extensions = extensions
    return json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))


async def connect_deflated(gateway, **hello):
    ws = await websockets.connect(gateway.url, compression="deflate", max_size=None, ping_interval=None)
    assert [e.name for e in ws.extensions] == ["permessage-deflate"]
    return ws, await greet(ws, **hello)


async def event_of(ws):
    return json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))


def test_all_see_the_same_events(start):
    gateway = start(workers=2)
    texts = [prose(n) for n in (1, 300, 600, 3000, 50000)]

    async def scenario():
        deflated = [await connect_deflated(gateway) for _ in range(4)]
        plain = [await connect(gateway) for _ in range(4)]
        sender = deflated[0][0]
        for i, text in enumerate(texts):  # requests of this client come compressed, too
            await sender.send(json.dumps({"id": str(i), "type": "request", "method": "events.publish",
                                          "params": {"event": "load.x", "payload": {"x": text}}}))
        should = [[await client.event() for _ in texts] for client in plain]
        assert [event["payload"]["x"] for event in should[0]] == texts
        assert all(events == should[0] for events in should)
        for ws, _ in deflated:
            heard = []
            while len(heard) < len(texts):
                message = await event_of(ws)
                heard += [message] if message["type"] == "event" else []
            assert heard == should[0]
        assert gateway.metrics()["lurkbot_messages_inflated_total"] == len(texts)
        await asyncio.gather(*(ws.close() for ws, _ in deflated), *(client.close() for client in plain))

    asyncio.run(asyncio.wait_for(scenario(), 2 * PATIENCE))


def raw_subscriber(gateway, events):
    ws = Raw(gateway.port, "/ws", OFFER)
    ws.send(frame(TEXT, json.dumps({**HELLO, "subscribe": {"events": events}}).encode()))
    opcode, hello_ok = ws.receive()
    assert opcode == TEXT and json.loads(hello_ok)["type"] == "hello-ok"
    return ws


def test_an_event_is_compressed_once(start):
    """For all audiences together, and only where somebody takes it."""
    gateway = start(workers=1)

    def compressed():
        return gateway.metrics()["lurkbot_events_compressed_total"]

    def publish(name, size):
        gateway.cli("gateway", "publish", name, "--payload", json.dumps({"x": prose(size)}))

    takers = [raw_subscriber(gateway, events) for events in (["a.*"], ["a.*"], ["a.b"], ["a.b", "z"])]
    publish("b.a", 2000)  # nobody takes it
    publish("a.b", 20)    # not worth it
    assert [ws.receive_any()[2] for ws in takers] == [False] * 4
    assert compressed() == 0
    publish("a.b", 2000)
    frames = [ws.receive_any() for ws in takers]
    assert all(f == frames[0] for f in frames) and frames[0][2]
    assert json.loads(inflate(frames[0][1]))["payload"]["x"] == prose(2000)
    assert compressed() == 1
    assert gateway.metrics()["lurkbot_compression_saved_bytes_total"] > 4 * 500
    for ws in takers:
        ws.socket.close()


def test_an_event_of_a_kilobyte_takes_less_than_a_third(start):
    """As a page of sessions or jobs is: records with the same keys."""
    gateway = start(workers=1)
    channels = ["discord", "telegram", "slack", "web", "signal"]
    sessions = [{"sessionKey": f"agent:main:channel:{channel}", "agent": "main", "channel": channel,
                 "model": "claude-opus", "state": "idle", "messages": 12 + 7 * i, "tokensIn": 1203 + 311 * i,
                 "tokensOut": 881 + 97 * i, "updatedAt": f"2026-01-31T09:2{i}:11.482Z"}
                for i, channel in enumerate(channels)]
    with raw_subscriber(gateway, ["load.*"]) as ws:
        gateway.cli("gateway", "publish", "load.x", "--payload", json.dumps({"sessions": sessions}))
        opcode, payload, is_compressed = ws.receive_any()
    whole = inflate(payload)
    assert (opcode, is_compressed) == (TEXT, True)
    assert json.loads(whole)["payload"] == {"sessions": sessions}
    assert 900 < len(whole) < 1300
    assert len(payload) < len(whole) / 3


def test_answers_are_compressed(gateway):
    with raw_subscriber(gateway, []) as ws:
        ws.send(frame(TEXT, b'{"id":"1","type":"request","method":"health"}'))
        assert b'"id":"1"' in ws.receive()[1]
        ws.send(frame(TEXT, deflate(b'{"id":"2","type":"request","method":"methods.list"}'), rsv=RSV1))
        _, payload, compressed = ws.receive_any()
        assert compressed and json.loads(inflate(payload))["id"] == "2"


def test_what_was_missed_comes_plain(start):
    gateway = start(workers=1)
    for i in range(3):
        gateway.cli("gateway", "publish", "a.b", "--payload", json.dumps({"x": prose(2000, i)}))
    ring = gateway.status()["ring"]
    with Raw(gateway.port, "/ws", OFFER) as ws:
        resume = {"epoch": ring["epoch"], "seq": ring["seq"] - 3}
        ws.send(frame(TEXT, json.dumps({**HELLO, "subscribe": {"events": ["a.*"]}, "resume": resume}).encode()))
        assert json.loads(ws.receive()[1])["resume"]["recovered"]
        assert [json.loads(ws.receive()[1])["payload"]["x"] for _ in range(3)] == [prose(2000, i) for i in range(3)]
        gateway.cli("gateway", "publish", "a.b", "--payload", json.dumps({"x": prose(2000, 9)}))
        payload = ws.receive_any()
        assert payload[2] and json.loads(inflate(payload[1]))["payload"]["x"] == prose(2000, 9)


# --- slow clients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["send", "auto"])
def test_streams_are_whole_whatever_the_sockets_take(start, sender):
    """Compressed and plain clients are stuck in the same events, and in others."""
    clients, events = 12, 400
    gateway = start(workers=2, sender=sender)
    dice = random.Random(7)
    texts = [prose(dice.choice((1, 100, 3000, 30000)), i) for i in range(events)]

    async def scenario():
        followers = []
        for n in range(clients):
            ws = await connect_narrow(gateway, compression="deflate" if n % 3 else None)
            followers.append((ws, (await greet(ws))["resume"]["seq"]))
        publisher = await connect(gateway, {"events": []})
        first = followers[0][1]
        reading = [asyncio.ensure_future(follow(ws, at, first + events, random.Random(n)))
                   for n, (ws, at) in enumerate(followers)]
        for text in texts:
            await publisher.call("events.publish", {"event": "load.x", "payload": {"x": text}})
        assert set(await asyncio.gather(*reading)) == {zlib.crc32("".join(texts).encode())}
        assert gateway.metrics()["lurkbot_events_compressed_total"] > 0
        await asyncio.gather(*(ws.close() for ws, _ in followers), publisher.close())

    asyncio.run(asyncio.wait_for(scenario(), 6 * PATIENCE))
