"""Server-Sent Events: the same stream as on a WebSocket, for who has only HTTP."""

import asyncio
import contextlib
import json
import os
import signal

import pytest

from gateway import PATIENCE, connect, tls_settings, wait_for
from sse import Refused, open_stream
from test_api import call, holder
from test_resume import BIG, PAYLOAD, RING, assert_whole, catching_up, flood, gaps, publish, run

pytestmark = pytest.mark.san

READER, WRITER = "reader-" + "b" * 20, "writer-" + "c" * 20


async def read_until(stream, last):
    """Every number up to `last` is an event's or inside a gap; returns how many were lost."""
    lost, position = 0, stream.position
    while position < last:
        frame = await stream.event()
        assert frame is not None, f"it ended at {position}"
        if frame["event"] == "gateway.gap":
            assert frame["payload"] == {"from": position + 1, "to": frame["seq"]}
            lost += frame["seq"] - position
        else:
            assert frame["seq"] == position + 1, (position, frame["seq"])
            assert_whole(frame)
        position = frame["seq"]
    return lost


async def refused(gateway, query, **more):
    with pytest.raises(Refused) as caught:
        await open_stream(gateway, query, **more)
    return caught.value.args[0]


# --- what comes -----------------------------------------------------------------------------------


def test_hello_filters_and_text(gateway):
    """As written, line breaks between tokens included; what the query does not take does not come."""
    async def scenario():
        every = await open_stream(gateway)
        some = await open_stream(
            gateway, "?events=agent.*,other.one&sessionKeys=a%2Cb&sessionKeys=c+%26d&events=third")
        assert every.hello["events"] == ["*"] and every.retry == 1000
        assert some.hello["events"] == ["other.one", "third", "agent.*"]
        assert some.hello["sessionKeys"] == ["a,b", "c &d"]
        assert len(some.hello["server"]["connId"]) == 8 and "recovered" not in some.hello["resume"]
        sender = await connect(gateway, {"events": []})
        start = every.position
        assert every.last_id == f"{every.hello['resume']['epoch']}:{start}"
        sent = [("agent.x", "a,b"), ("agent.x", None), ("other.two", "a,b"), ("third", "c &d"), ("agent", "a,b")]
        for name, key in sent:
            params = {"event": name, "payload": {"n": name}, **({"sessionKey": key} if key else {})}
            await sender.call("events.publish", params)
        for text in ('{"a":\n1}', '{"a"\r\n:\r2\n\n}', '{"a":"\\n\\u2028\u2028"}'):
            future = sender.answers["raw"] = asyncio.get_running_loop().create_future()
            await sender.ws.send('{"id":"raw","type":"request","method":"events.publish","params":'
                                 '{"event":"third","sessionKey":"a,b","payload":%s}}' % text)
            assert "result" in await asyncio.wait_for(future, PATIENCE)
        got = [await every.event() for _ in range(8)]
        assert [e["seq"] for e in got] == list(range(start + 1, start + 9))
        assert [(e["event"], e.get("sessionKey")) for e in got[:5]] == sent
        assert [e["payload"]["a"] for e in got[5:]] == [1, 2, "\n\u2028\u2028"]
        assert [await some.event() for _ in range(5)] == [e for i, e in enumerate(got) if i in (0, 3, 5, 6, 7)]
        for client in (every, some):
            client.close()
        await sender.close()
    run(scenario())


def test_bad_queries(session_gateway):
    async def scenario():
        for query in ("?events=", "?events=a..b", "?events=a,,b", "?events=%ff", "?events=a&events=",
                      "?sessionKeys=", "?sessionKeys=" + "k" * 257, "?sessionKeys=%00", "?sessionKeys=%ff",
                      "?lastEventId=%00", "?events=" + ",".join(["a"] * 257)):
            assert await refused(session_gateway, query) == 400, query
        stream = await open_stream(session_gateway, "?events=" + ",".join(["a"] * 256) + "&other=%20&&x")
        stream.close()
    run(scenario())


def test_streams_are_counted_and_closed(gateway):
    def count():
        return sum(v for k, v in gateway.metrics().items() if k.startswith("lurkbot_event_streams{"))

    async def scenario():
        streams = [await open_stream(gateway) for _ in range(3)]
        assert count() == 3
        streams[0].close()
        await asyncio.to_thread(wait_for, lambda: count() == 2, "the end of one to be seen")
        answer = call(gateway, "connections.close", {"connId": streams[1].hello["server"]["connId"]})
        assert answer[2] == {"result": {"closed": True}}
        assert await streams[1].event() is None
        assert count() == 1 and gateway.metrics()['lurkbot_handshakes_total{outcome="stream"}'] == 3
        streams[2].close()
    run(scenario())


def test_comments_keep_it_alive(start):
    gateway = start(workers=1, ping_interval_ms=100)

    async def scenario():
        stream = await open_stream(gateway)
        waiting = asyncio.ensure_future(stream.event())
        while stream.comments < 3:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(call, gateway, "events.publish", {"event": "agent.x"})
        assert (await waiting)["event"] == "agent.x"
        stream.close()
    run(scenario())


def test_a_rare_filter_is_told_its_position(start):
    gateway = start(workers=2, position_interval_ms=200)

    async def scenario():
        stream = await open_stream(gateway, "?events=rare")
        sender = await connect(gateway, {"events": []})
        last = (await publish(sender, 5))[-1]
        frame = await stream.event()
        while frame["seq"] < last:
            frame = await stream.event()
        assert frame["event"] == "gateway.position" and stream.position == last
        await sender.call("events.publish", {"event": "rare"})
        stream.close()
        again = await open_stream(gateway, "?events=rare", stream.last_id)
        assert again.hello["resume"]["recovered"] is True
        assert (await again.event())["event"] == "rare"
        again.close()
        await sender.close()
    run(scenario())


# --- coming back ------------------------------------------------------------------------------------


def test_resume(gateway):
    async def scenario():
        sender = await connect(gateway, {"events": []})
        stream = await open_stream(gateway)
        epoch, first = stream.last_id.split(":")
        last = (await publish(sender, 300, 2000))[-1]
        stream.close()
        for _ in range(8):  # on both workers
            for at in (int(first), int(first) + 150, last - 1, last):
                again = await open_stream(gateway, last_id=f"{epoch}:{at}")
                assert again.hello["resume"]["recovered"] is True and again.position == at
                assert await read_until(again, last) == 0
                again.close()
        again = await open_stream(gateway, f"?lastEventId={epoch}%3A{last - 2}")
        assert again.hello["resume"]["recovered"] is True and (await again.event())["seq"] == last - 1
        again.close()
        # The field of a browser that lost its connection is newer than the page's address.
        again = await open_stream(gateway, f"?lastEventId={epoch}%3A{first}", last_id=f"{epoch}:{last - 1}")
        assert (await again.event())["seq"] == last
        again.close()
        for wrong in (f"{epoch}:{last + 1}", f"{epoch[::-1]}x:{last}", epoch, f"{epoch}:", f"{epoch}:-1", ":",
                      f"{epoch}:1e3", "nonsense", f"{epoch}:99999999999999999999", ":" * 200):
            again = await open_stream(gateway, last_id=wrong)
            assert again.hello["resume"]["recovered"] is False, wrong
            assert again.position == last
            again.close()
        await sender.close()
    run(scenario())


def test_nothing_is_lost_or_sent_twice_when_workers_are_killed(start):
    """Streams come back by Last-Event-ID, wherever that is, while events go on."""
    gateway = start(workers=3)
    kills, count = 6, 12

    async def follow(done):
        """Every event in its place; returns how often it came back."""
        stream, back = await open_stream(gateway), 0
        position = stream.position
        while position < await done(position):
            try:
                frame = await stream.event()
            except ConnectionError:
                frame = None
            if frame is not None:
                assert frame["seq"] == position + 1, (position, frame)
                assert_whole(frame)
                position += 1
                continue
            id = stream.last_id
            stream.close()
            while True:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    stream = await open_stream(gateway, last_id=id)
                    break
            assert stream.hello["resume"]["recovered"] is True and stream.position == position
            back += 1
        stream.close()
        return back

    async def scenario():
        finished = asyncio.get_running_loop().create_future()
        last = 1 << 60

        async def done(position):
            if finished.done():
                return finished.result()
            return last

        followers = [asyncio.ensure_future(follow(done)) for _ in range(count)]
        sender = await connect(gateway, {"events": []})
        here = holder(gateway, sender.ws.transport.get_extra_info("socket"))
        await publish(sender, 20, 300)
        for i in range(kills):
            workers = await asyncio.to_thread(gateway.workers)
            victim = [pid for index, pid in workers.items() if index != here][i % 2]
            os.kill(victim, signal.SIGKILL)
            await publish(sender, 100, 300)
            await asyncio.to_thread(
                wait_for, lambda: len(gateway.workers()) == 3 and victim not in gateway.workers().values(),
                "its successor")
        seq = (await publish(sender, 20, 300))[-1]
        finished.set_result(seq)
        # One more, for those who wait for an event already.
        await publish(sender, 1, 300)
        backs = await asyncio.wait_for(asyncio.gather(*followers), PATIENCE)
        assert sum(backs) >= kills / 2
        await sender.close()
    run(scenario(), 6 * PATIENCE)


# --- slow ones --------------------------------------------------------------------------------------


def test_slow_streams_get_all_or_a_gap(start):
    gateway = start(workers=1, ring_bytes=RING, max_payload=PAYLOAD)

    async def scenario():
        slow = await open_stream(gateway, narrow=True)
        fast = await open_stream(gateway)
        sender = await connect(gateway, {"events": []})
        reading = asyncio.ensure_future(read_until(fast, 60))
        await flood(sender, gateway, lambda m: catching_up(m) == 1)
        last = (await publish(sender, 60, BIG))[-1]
        await reading
        assert await read_until(fast, last) == 0
        assert await read_until(slow, last) > 0 and gaps(gateway.metrics()) >= 1
        wait_for(lambda: catching_up(gateway.metrics()) == 0, "the slow one to be level")
        again = (await publish(sender, 3))[-1]
        assert await read_until(slow, again) == 0
        slow.close()
        fast.close()
        await sender.close()
    run(scenario())


@pytest.mark.valgrind
@pytest.mark.parametrize("tls", [False, True])
def test_slow_streams_with_small_and_large_events(start, tls):
    """Each is stuck somewhere else; every stream is whole."""
    count = 12
    gateway = start(workers=2, ring_bytes=64 * RING, max_payload=PAYLOAD,
                    **(tls_settings() if tls else {"tls_enabled": False}))

    async def scenario():
        slow = [await open_stream(gateway, narrow=True) for _ in range(count)]
        sender = await connect(gateway, {"events": []})
        while catching_up(gateway.metrics()) < count:
            for size in (1, 60, 125, 126, 4000, 65000, 65535, 66000):
                last = (await publish(sender, 1, size))[-1]
        assert await asyncio.gather(*(read_until(s, last) for s in slow)) == [0] * count
        wait_for(lambda: catching_up(gateway.metrics()) == 0, "all to be level")
        last = (await publish(sender, 2))[-1]
        assert await asyncio.gather(*(read_until(s, last) for s in slow)) == [0] * count
        for stream in slow:
            stream.close()
        await sender.close()
    run(scenario(), 6 * PATIENCE)


def test_a_stream_that_stays_behind_is_closed(start):
    gateway = start(workers=1, slow_consumer_timeout_ms=500, ping_interval_ms=100)

    async def scenario():
        slow = await open_stream(gateway, narrow=True)
        sender = await connect(gateway, {"events": []})
        await flood(sender, gateway, lambda m: m["lurkbot_slow_clients_closed_total"] == 1)
        with contextlib.suppress(ConnectionError):
            while await slow.event() is not None:
                pass
        assert catching_up(gateway.metrics()) == 0
        slow.close()
        await sender.close()
    run(scenario())


def test_a_thousand_streams(start):
    """Beside WebSocket clients; all are sent the same, and nobody's bytes are another one's."""
    gateway = start(workers=2, max_connections=3000)
    count = 1000

    async def scenario():
        streams = await asyncio.gather(*(open_stream(gateway, "?events=load.*") for _ in range(count)))
        others = [await open_stream(gateway, "?events=load.x") for _ in range(10)]
        client = await connect(gateway, {"events": ["load.*"]})
        sender = await connect(gateway, {"events": []})
        before = gateway.metrics()["lurkbot_deliveries_total"]
        seqs = await publish(sender, 20, 500)
        await publish(sender, 1, 500, name="load.y")
        expected = [await client.event() for _ in range(21)]

        async def take(stream, n):
            got = [await stream.event() for _ in range(n)]
            stream.close()
            return got
        for got in await asyncio.gather(*(take(s, 21) for s in streams)):
            assert got == expected
        for got in await asyncio.gather(*(take(s, 20) for s in others)):
            assert got == expected[:20]
        assert expected[19]["seq"] == seqs[-1]
        assert gateway.metrics()["lurkbot_deliveries_total"] - before == 21 * (count + 1) + 20 * 10
        await client.close()
        await sender.close()
    run(scenario(), 6 * PATIENCE)


# --- ends, and who may ----------------------------------------------------------------------------


def test_a_stop_is_announced(start):
    gateway = start(workers=2)

    async def scenario():
        streams = [await open_stream(gateway, "?events=none") for _ in range(4)]
        gateway.process.send_signal(signal.SIGTERM)
        for stream in streams:
            frame = await stream.event()
            assert (frame["event"], frame["payload"]["reason"]) == ("gateway.shutdown", "stopping")
            assert await stream.event() is None
            stream.close()
    run(scenario())


def test_a_worker_that_retires_tells_its_streams(start):
    gateway = start(workers=2)

    async def scenario():
        streams = [await open_stream(gateway) for _ in range(6)]
        of_last = [s for s in streams if holder(gateway, s.writer.get_extra_info("socket")) == 1]
        assert of_last
        gateway.settings["workers"] = 1
        gateway.write_settings()
        await asyncio.to_thread(gateway.cli, "gateway", "reload")
        for stream in of_last:
            while (frame := await stream.event())["event"] != "gateway.shutdown":
                pass
            assert frame["payload"]["reason"] == "retiring"
            assert await stream.event() is None
            again = await open_stream(gateway, last_id=stream.last_id)
            assert again.hello["resume"]["recovered"] is True
            again.close()
        for stream in streams:
            stream.close()
    run(scenario())


def test_tokens(start):
    tokens = [{"name": "reader", "token": READER, "scopes": ["read"]},
              {"name": "admin", "token": "admin-" + "d" * 20, "scopes": ["admin"]},
              {"name": "provider", "token": WRITER, "scopes": ["provider"]}]
    gateway = start(workers=2, auth_enabled=True, auth_tokens=tokens)

    def bearer(secret):
        return {"headers": [f"Authorization: Bearer {secret}"]}

    async def scenario():
        assert await refused(gateway, "") == 401
        assert await refused(gateway, f"?token={READER}") == 401
        assert await refused(gateway, "", **bearer("wrong")) == 401
        assert await refused(gateway, "", **bearer(WRITER)) == 403
        query = "?events=gateway.*"
        reader = await open_stream(gateway, query, **bearer(READER))
        admin = await open_stream(gateway, query, **bearer(tokens[1]["token"]))
        # Administrators' events are for them alone.
        ws = await connect(gateway, extra_headers={"Authorization": f"Bearer {READER}"})
        frame = await admin.event()
        assert (frame["event"], frame["payload"]["connId"]) == ("gateway.connected", ws.conn_id)
        await ws.close()
        gateway.settings["auth_tokens"] = tokens[1:]
        gateway.write_settings()
        await asyncio.to_thread(gateway.cli, "gateway", "reload", "--token", tokens[1]["token"])
        assert await reader.event() is None  # its token was taken away
        reader.close()
        admin.close()
    run(scenario())


def test_addresses_have_their_limits(start):
    gateway = start(workers=2, trusted_proxies=["127.0.0.1"], max_connections_per_ip=3, max_handshakes_per_ip=2,
                    allow_unauthenticated=True)

    async def scenario():
        via = {"headers": ["X-Forwarded-For: 192.0.2.9"]}
        # Streams said what they have to say: they are no strangers.
        streams = [await open_stream(gateway, **via) for _ in range(3)]
        assert await refused(gateway, "", **via) == 429
        streams.append(await open_stream(gateway, headers=["X-Forwarded-For: 192.0.2.10"]))
        streams[0].close()
        while True:
            with contextlib.suppress(Refused):
                streams.append(await open_stream(gateway, **via))
                break
        for stream in streams:
            stream.close()
    run(scenario())


def test_other_sites(start):
    gateway = start(allowed_origins=["https://app.example.com"])
    status, headers, _ = gateway.http("/api/v1/events", "GET", {"Origin": "https://evil.example.com"})
    assert status == 403 and "Access-Control-Allow-Origin" not in headers
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    connection.request("GET", "/api/v1/events", headers={"Origin": "https://app.example.com"})
    response = connection.getresponse()
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert json.loads([response.readline() for _ in range(4)][3][6:])["type"] == "hello"
    connection.sock.close() if connection.sock else response.close()
