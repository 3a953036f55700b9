"""Slow clients, and clients that come back: what they get is complete, or they are told of the gap."""

import asyncio
import json
import os
import signal
import socket
import zlib

import pytest
import websockets

from gateway import HELLO, PATIENCE, Client, connect, tls_settings, wait_for
from rawws import TEXT, Raw, TlsPipe, frame

RING = 1024 * 1024
PAYLOAD = 128 * 1024  # policy.maxPayload of these gateways; an event of BIG bytes fits
BIG = 60000


def run(coroutine, patience=3 * PATIENCE):
    return asyncio.run(asyncio.wait_for(coroutine, patience))


def filled(i, size):
    """A payload that carries its own checksum."""
    text = (f"{i}." * (size // 2))[:size]
    return {"i": i, "x": text, "crc": zlib.crc32(text.encode())}


def assert_whole(event):
    assert zlib.crc32(event["payload"]["x"].encode()) == event["payload"]["crc"], event["seq"]


async def publish(client, count, size=10, name="load.x", first=0):
    """Publishes count events one after the other; returns their seqs."""
    return [(await client.call("events.publish", {"event": name, "payload": filled(i, size)}))["seq"]
            for i in range(first, first + count)]


async def come_back(gateway, epoch, seq, subscribe=None, client="resumer"):
    """Says hello with a position; returns the client and what hello-ok says of it."""
    ws = await websockets.connect(gateway.url, ssl=gateway.ssl, max_size=None, compression=None,
                                  open_timeout=PATIENCE, ping_interval=None)
    hello = {**HELLO, "client": {**HELLO["client"], "id": client},
             "resume": {"epoch": epoch, "seq": seq}}
    if subscribe is not None:
        hello["subscribe"] = subscribe
    await ws.send(json.dumps(hello))
    answer = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
    assert answer["type"] == "hello-ok", answer
    return Client(ws, answer), answer["resume"]


async def mute(gateway, subscribe=None):
    """A client with a small receive buffer that has said hello and reads nothing more yet."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", gateway.port))
    ws = await websockets.connect(gateway.url, **gateway.over(raw), compression=None,
                                  ping_interval=None, max_size=None, max_queue=1, read_limit=1024)
    hello = dict(HELLO, subscribe=subscribe) if subscribe else HELLO
    await ws.send(json.dumps(hello))
    answer = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
    return ws, answer["resume"]["seq"]


async def take(ws):
    """The next message."""
    return json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))


async def flood(sender, gateway, until, size=BIG, most=3000):
    """Publishes until a condition on the metrics holds; returns the last seq."""
    seq = 0
    for _ in range(most // 10):
        seq = (await publish(sender, 10, size))[-1]
        if until(gateway.metrics()):
            return seq
    raise AssertionError(f"{most} events, and still not")


def gaps(metrics):
    return metrics["lurkbot_gaps_total"]


def catching_up(metrics):
    return sum(v for k, v in metrics.items() if k.startswith("lurkbot_catching_up"))


# --- slow clients -------------------------------------------------------------------------------


async def read_stream(ws, position, last):
    """Reads events up to seq `last`; every number is either an event's or inside a gap."""
    lost, others = 0, []
    while position < last:
        frame = await take(ws)
        if frame["type"] != "event":
            others.append(frame)
        elif frame["event"] == "gateway.gap":
            assert frame["payload"]["from"] == position + 1, frame
            assert frame["seq"] == frame["payload"]["to"] > position
            lost += frame["seq"] - position
            position = frame["seq"]
        else:
            assert frame["seq"] == position + 1, (position, frame["seq"])
            assert_whole(frame)
            position = frame["seq"]
    return lost, others


@pytest.mark.san
def test_slow_client_gets_all_or_a_gap(start):
    """It stops reading until the ring has overtaken it; then it is told what it lost, gets the rest
    whole, is level again, and its question was answered between the events."""
    gateway = start(workers=1, ring_bytes=RING, max_payload=PAYLOAD)

    async def scenario():
        slow, position = await mute(gateway)
        fast = await connect(gateway)
        sender = await connect(gateway, {"events": []})
        await flood(sender, gateway, lambda m: catching_up(m) == 1)
        await slow.send(json.dumps({"id": "q", "type": "request", "method": "health"}))
        last = (await publish(sender, 60, BIG))[-1]  # three rings full
        for _ in range(last - position):
            assert_whole(await fast.event())
        lost, others = await read_stream(slow, position, last)
        assert lost > 0 and gaps(gateway.metrics()) >= 1
        assert [o["id"] for o in others] == ["q"] and "result" in others[0]
        wait_for(lambda: catching_up(gateway.metrics()) == 0, "the slow client to be level")
        again = (await publish(sender, 3))[-1]
        assert await read_stream(slow, last, again) == (0, [])
        for client in (slow, fast, sender):
            await client.close()
    run(scenario())


def test_slow_client_loses_nothing_that_the_ring_holds(start):
    gateway = start(workers=1, ring_bytes=64 * RING, max_payload=PAYLOAD)

    async def scenario():
        slow, position = await mute(gateway)
        sender = await connect(gateway, {"events": []})
        await flood(sender, gateway, lambda m: catching_up(m) == 1)
        last = (await publish(sender, 40, BIG))[-1]
        assert await read_stream(slow, position, last) == (0, [])
        assert gaps(gateway.metrics()) == 0
        await slow.close()
        await sender.close()
    run(scenario())


@pytest.mark.san
@pytest.mark.valgrind
def test_slow_clients_with_small_and_large_events(start):
    """Each is stuck somewhere else, in frames of all sizes; every stream is whole."""
    count = 20
    gateway = start(workers=2, ring_bytes=64 * RING, max_payload=PAYLOAD)

    async def scenario():
        clients = [await mute(gateway) for _ in range(count)]
        sender = await connect(gateway, {"events": []})
        position = clients[0][1]
        last = position
        while catching_up(gateway.metrics()) < count:
            for size in (1, 60, 125, 126, 4000, 65000, 65535, 66000):
                last = (await publish(sender, 1, size))[-1]
        results = await asyncio.gather(*(read_stream(ws, at, last) for ws, at in clients))
        assert results == [(0, [])] * count
        wait_for(lambda: catching_up(gateway.metrics()) == 0, "all to be level")
        last = (await publish(sender, 2))[-1]
        assert (await asyncio.gather(*(read_stream(ws, last - 2, last) for ws, _ in clients))
                == [(0, [])] * count)
        await asyncio.gather(*(ws.close() for ws, _ in clients))
        await sender.close()
    run(scenario(), 6 * PATIENCE)


def test_client_that_stays_behind_is_closed(start):
    gateway = start(workers=1, slow_consumer_timeout_ms=500)

    async def scenario():
        slow, _ = await mute(gateway)
        fast = await connect(gateway)
        sender = await connect(gateway, {"events": []})
        last = await flood(sender, gateway, lambda m: m["lurkbot_slow_clients_closed_total"] == 1)
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await take(slow)
        while (await fast.event())["seq"] < last:
            pass
        assert catching_up(gateway.metrics()) == 0
        await fast.close()
        await sender.close()
    run(scenario())


def silent(gateway, events):
    """A client with a small receive buffer, of whose socket nothing is read that is not asked for: the
    TLS of asyncio reads on into a quarter of a megabyte of its own when its reader has stopped, so
    that such a client is behind only in passing."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(PATIENCE)
    plain.connect(("127.0.0.1", gateway.port))
    raw = Raw(gateway.port, "/", over=TlsPipe(plain, gateway.ssl) if gateway.ssl else plain)
    raw.send(frame(TEXT, json.dumps({**HELLO, "subscribe": {"events": events}}).encode()))
    assert json.loads(raw.receive()[1])["type"] == "hello-ok"
    return raw


RECORD = 16384  # bytes that one record of TLS has room for


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_held_frames_are_bounded(start, tls):
    """Clients that are stuck in different frames: when the ring goes over these, there is room for one.

    By TLS one that is stuck in the last record of a frame has that whole, as bytes of the wire, and
    needs no copy. So the frames here have a last record of a few bytes: who is stuck is stuck before.
    """
    gateway = start(workers=1, stuck_bytes=65536, ring_bytes=RING, max_payload=PAYLOAD,
                    **(tls_settings() if tls else {"tls_enabled": False}))

    async def scenario():
        sender = await connect(gateway, {"events": []})
        slow = []
        for i in range(4):
            slow.append(silent(gateway, [f"n{i}.*"]))
            await publish(sender, 1, 3 * RECORD - 60, name=f"n{i}.x")
            assert 0 < len(slow[i].receive()[1]) + 4 - 3 * RECORD < 200
            for _ in range(400):
                await publish(sender, 5, 3 * RECORD - 60, name=f"n{i}.x")
                metrics = gateway.metrics()
                if catching_up(metrics) + metrics["lurkbot_slow_clients_closed_total"] == i + 1:
                    break
        await publish(sender, 2 * RING // BIG, BIG, name="nobody.x")
        metrics = gateway.metrics()
        assert metrics["lurkbot_slow_clients_closed_total"] >= 2
        assert metrics['lurkbot_closes_total{code="1013"}'] \
            == metrics["lurkbot_slow_clients_closed_total"]
        assert catching_up(metrics) == 4 - metrics["lurkbot_slow_clients_closed_total"]
        for raw in slow:
            raw.socket.close()
        await sender.close()
    run(scenario(), 6 * PATIENCE)


def test_the_rest_of_a_frame_outlives_the_ring(start):
    """What was begun is finished, and what is lost besides is told, though the ring went on."""
    gateway = start(workers=1, ring_bytes=RING, max_payload=PAYLOAD)

    async def scenario():
        slow, position = await mute(gateway)
        sender = await connect(gateway, {"events": []})
        await flood(sender, gateway, lambda m: catching_up(m) == 1)
        last = (await publish(sender, 4 * RING // BIG, BIG))[-1]
        assert gateway.metrics()["lurkbot_slow_clients_closed_total"] == 0
        lost, others = await read_stream(slow, position, last)
        assert lost > 0 and others == [] and gaps(gateway.metrics()) == 1
        await slow.close()
        await sender.close()
    run(scenario())


def test_subscribing_while_behind_counts_from_the_own_position(start):
    gateway = start(workers=1, ring_bytes=64 * RING, max_payload=PAYLOAD)

    async def scenario():
        slow, _ = await mute(gateway, {"events": ["load.*"]})
        sender = await connect(gateway, {"events": []})
        await flood(sender, gateway, lambda m: catching_up(m) == 1)
        other = (await publish(sender, 1, name="other.x"))[0]
        ask = {"id": "s", "type": "request", "method": "events.subscribe",
               "params": {"events": ["other.*"]}}
        await slow.send(json.dumps(ask))
        frames = []
        while not frames or frames[-1].get("event") != "other.x":
            frames.append(await take(slow))
        answer = next(f for f in frames if f.get("id") == "s")["result"]
        loads = [f["seq"] for f in frames if f.get("event") == "load.x"]
        assert loads == list(range(1, answer["seq"] + 1)), answer
        assert answer["seq"] < other == frames[-1]["seq"]
        await slow.close()
        await sender.close()
    run(scenario())


# --- resume -------------------------------------------------------------------------------------


@pytest.mark.san
@pytest.mark.valgrind
def test_resume_gets_what_was_missed(start):
    gateway = start(workers=2)

    async def scenario():
        sender = await connect(gateway, {"events": []})
        seqs = await publish(sender, 20)
        epoch = sender.hello_ok["resume"]["epoch"]
        for position in (0, seqs[0], seqs[9], seqs[-1]):
            client, resume = await come_back(gateway, epoch, position)
            assert resume["recovered"] is True and resume["epoch"] == epoch
            missed = [s for s in seqs if s > position]
            assert [(await client.event())["seq"] for _ in missed] == missed
            new = await publish(sender, 1)
            assert (await client.event())["seq"] == new[0]
            seqs += new
            await client.close()
        await sender.close()
    run(scenario())


def test_resume_keeps_to_the_subscription(start):
    gateway = start(workers=1)

    async def scenario():
        sender = await connect(gateway, {"events": []})
        for i in range(40):
            await publish(sender, 1, name="even.x" if i % 2 == 0 else "odd.x")
        epoch = sender.hello_ok["resume"]["epoch"]
        client, resume = await come_back(gateway, epoch, 10, {"events": ["odd.*"]})
        assert resume["recovered"] is True
        assert [(await client.event())["seq"] for _ in range(15)] == list(range(12, 41, 2))
        await client.close()
        await sender.close()
    run(scenario())


@pytest.mark.san
@pytest.mark.valgrind
def test_resume_is_refused_where_it_would_not_be_exact(start):
    gateway = start(workers=1, ring_bytes=65536, max_payload=8192)

    async def scenario():
        sender = await connect(gateway, {"events": []})
        last = (await publish(sender, 100, 4000))[-1]
        ring = gateway.status()["ring"]
        assert ring["oldestSeq"] > 2
        epoch = ring["epoch"]
        for wanted, position, recovered in [
                ("0123456789abcdef", lambda: last, False), (epoch, lambda: last + 1, False),
                (epoch, lambda: ring["oldestSeq"] - 2, False),
                (epoch, lambda: ring["oldestSeq"] - 1, True), (epoch, lambda: last, True)]:
            seq = position()
            client, resume = await come_back(gateway, wanted, seq)
            assert resume == {"epoch": epoch, "seq": last, "recovered": recovered}, seq
            new = (await publish(sender, 1, 4000))[0]
            first = seq + 1 if recovered else new
            assert [(await client.event())["seq"] for _ in range(first, new + 1)] \
                == list(range(first, new + 1))
            last = new
            ring = gateway.status()["ring"]
            await client.close()
        await sender.close()
    run(scenario())


class Follower:
    """A client that comes back whenever it is cut off, and remembers what it saw."""

    def __init__(self, gateway, epoch, seq):
        self.gateway, self.epoch, self.seq = gateway, epoch, seq
        self.seen = []
        self.refused = 0
        self.client = None

    async def follow(self, done):
        while not done(self):
            try:
                self.client, resume = await come_back(self.gateway, self.epoch, self.seq)
            except (OSError, websockets.WebSocketException):
                continue
            self.refused += not resume["recovered"]
            await self.listen(done)
        await self.client.close()

    async def listen(self, done):
        while not done(self):
            if self.client.closed.done() and self.client.events.empty():
                return
            try:
                event = await asyncio.wait_for(self.client.events.get(), 0.1)
            except asyncio.TimeoutError:
                continue
            assert event["event"] == "load.x" and event["seq"] == self.seq + 1, (self.seq, event)
            self.seq = event["seq"]
            self.seen.append((event["payload"]["p"], event["payload"]["i"]))


async def publish_through(gateway, name, count):
    """Publishes count events, coming back when cut off; returns those that were acknowledged."""
    acknowledged, client = set(), None
    for i in range(count):
        while True:
            try:
                client = client or await connect(gateway, {"events": []})
                await client.call("events.publish",
                                  {"event": "load.x", "payload": {"p": name, "i": i}})
                acknowledged.add((name, i))
                break
            except (OSError, websockets.WebSocketException):
                client = None
                if (name, i) not in acknowledged:
                    break  # it may stand in the stream, or not: the next number is the next event
    await client.close()
    return acknowledged


def test_resume_across_killed_workers(start):
    """Random workers die under load: each follower sees each acknowledged event once, in order."""
    gateway = start(workers=3)

    async def scenario():
        epoch = gateway.status()["ring"]["epoch"]
        followers = [Follower(gateway, epoch, 0) for _ in range(12)]
        end = asyncio.get_running_loop().create_future()
        tasks = [asyncio.ensure_future(f.follow(lambda f: end.done() and f.seq >= end.result()))
                 for f in followers]
        publishers = [asyncio.ensure_future(publish_through(gateway, n, 600)) for n in range(4)]
        for i in range(8):
            workers = await asyncio.to_thread(
                wait_for, lambda: len(w := gateway.workers()) == 3 and w, "three workers")
            head = gateway.status()["ring"]["seq"]
            os.kill(list(workers.values())[i % 3], signal.SIGKILL)
            await asyncio.to_thread(
                wait_for, lambda h=head: all(p.done() for p in publishers)
                or gateway.status()["ring"]["seq"] > h + 20, "publishing to go on")
        acknowledged = set().union(*await asyncio.gather(*publishers))
        end.set_result(gateway.status()["ring"]["seq"])
        await asyncio.gather(*tasks)
        for follower in followers:
            assert follower.refused == 0
            assert len(follower.seen) == len(set(follower.seen)), "an event came twice"
            assert acknowledged <= set(follower.seen), "an acknowledged event was lost"
        assert all(f.seen == followers[0].seen for f in followers)
    run(scenario(), 6 * PATIENCE)


def test_resume_across_the_death_of_everything(start):
    gateway = start(workers=2)

    async def scenario():
        sender = await connect(gateway, {"events": []})
        last = (await publish(sender, 30))[-1]
        epoch = sender.hello_ok["resume"]["epoch"]
        gateway.stop(signal.SIGKILL, expect=None)
        gateway.start()
        client, resume = await come_back(gateway, epoch, 10)
        assert resume["recovered"] is True
        assert [(await client.event())["seq"] for _ in range(11, last + 1)] \
            == list(range(11, last + 1))
        await client.close()
    run(scenario())


# --- positions ----------------------------------------------------------------------------------


def test_a_client_with_a_rare_subscription_is_told_its_position(start):
    gateway = start(workers=1, position_interval_ms=100)

    async def scenario():
        rare = await connect(gateway, {"events": ["rare.*"]})
        sender = await connect(gateway, {"events": []})
        seqs = await publish(sender, 5)
        position = await rare.event()
        while position["seq"] < seqs[-1]:
            position = await rare.event()
        assert position["event"] == "gateway.position" and "payload" not in position
        new = (await publish(sender, 1, name="rare.x"))[0]
        event = await rare.event()
        assert (event["event"], event["seq"]) == ("rare.x", new) and event["at"] >= position["at"]
        client, resume = await come_back(gateway, rare.hello_ok["resume"]["epoch"],
                                         position["seq"], {"events": ["rare.*"]})
        assert resume["recovered"] is True and (await client.event())["seq"] == new
        for c in (rare, sender, client):
            await c.close()
    run(scenario())


# --- history ------------------------------------------------------------------------------------


@pytest.mark.san
@pytest.mark.valgrind
def test_history_page_by_page(start):
    gateway = start(workers=1)

    async def scenario():
        client = await connect(gateway)
        for i in range(120):
            await publish(client, 1, name="even.x" if i % 2 == 0 else "odd.x", first=i)
        live = [await client.event() for _ in range(120)]
        page = await client.call("events.history")
        assert page["events"] == live[:50] and page["seq"] == 50 and page["oldestSeq"] == 1
        seen, after = [], 0
        while after < 120:
            page = await client.call("events.history",
                                     {"afterSeq": after, "limit": 7, "events": ["odd.*"]})
            seen += page["events"]
            assert page["seq"] > after and len(page["events"]) <= 7
            after = page["seq"]
        assert seen == live[1::2]
        page = await client.call("events.history", {"afterSeq": 120})
        assert page == {"events": [], "oldestSeq": 1, "seq": 120}
        await client.close()
    run(scenario())


def test_history_pages_keep_to_max_payload(start):
    gateway = start(workers=1, max_payload=65536)

    async def scenario():
        client = await connect(gateway, {"events": []})
        await publish(client, 10, 20000)
        page = await client.call("events.history")
        assert len(page["events"]) == 3 and page["seq"] == 3
        assert len(json.dumps(page)) <= 65536
        await client.close()
    run(scenario())


@pytest.mark.parametrize("params, field", [
    ({"afterSeq": 6}, "params.afterSeq"), ({"afterSeq": -1}, "params.afterSeq"),
    ({"limit": 0}, "params.limit"), ({"limit": 201}, "params.limit"),
    ({"events": ["*x"]}, "params.events[0]"), ({"sessionKeys": "k"}, "params.sessionKeys"),
])
def test_bad_history_is_refused_by_name(start, params, field):
    gateway = start(workers=1)

    async def scenario():
        client = await connect(gateway)
        await publish(client, 5)
        answer = await client.request("events.history", params)
        assert answer["error"]["code"] == "INVALID_REQUEST"
        assert answer["error"]["details"]["field"] == field
        await client.close()
    run(scenario())
