"""Events for one connection alone, and one publisher that streams."""

import asyncio
import os
import re
import signal

import pytest
import websockets

from gateway import connect, wait_for
from sse import open_stream
from test_api import call, holder
from test_resume import mute, run, take

pytestmark = pytest.mark.san

READER, SILENT = "reader-" + "b" * 20, "silent-" + "c" * 20


def worker_of(gateway, client):
    return holder(gateway, client.ws.transport.get_extra_info("socket"))


async def send(sender, to, n, **more):
    return await sender.call("events.publish", {"event": "agent.delta", "payload": {"n": n}, "to": to, **more})


async def on_each_worker(gateway, **options):
    """One client on each of two workers."""
    found = {}
    while len(found) < 2:
        client = await connect(gateway, **options)
        if found.setdefault(worker_of(gateway, client), client) is not client:
            await client.close()
    return found


def test_only_that_connection_gets_it(gateway):
    """Whatever its filter, on any worker, in order; and no number is taken from the stream."""
    async def scenario():
        here = await on_each_worker(gateway, subscribe={"events": []})
        others = await on_each_worker(gateway)
        stream = await open_stream(gateway, "?events=none")
        before = stream.last_id
        ids = set()
        for sender in (here[0], others[1]):
            for target in (here[0], here[1], others[0]):
                for n in range(5):
                    answer = await send(sender, target.conn_id, n, sessionKey="k\n")
                    assert set(answer) == {"id"} and re.fullmatch(r"dir_[0-9a-f]{18,}", answer["id"])
                    ids.add(answer["id"])
                for n in range(5):
                    frame = await target.event()
                    assert frame.pop("at") > 1.7e12 and frame.pop("id") in ids
                    assert frame == {"type": "event", "event": "agent.delta", "payload": {"n": n},
                                     "sessionKey": "k\n"}
        assert len(ids) == 30
        for n in range(3):
            await send(here[0], stream.hello["server"]["connId"], n)
            assert (await stream.event())["payload"] == {"n": n}
        assert stream.last_id == before  # it resumes from where the stream of all was
        seq = (await here[0].call("events.publish", {"event": "agent.all"}))["seq"]
        assert f":{seq - 1}" in before
        for client in others.values():
            assert (await client.event())["event"] == "agent.all"
        assert gateway.metrics()["lurkbot_events_directed_total"] == 33
        assert gateway.metrics()["lurkbot_events_directed_lost_total"] == 0
        stream.close()
        for client in (*here.values(), *others.values()):
            await client.close()
    run(scenario())


def test_what_cannot_be_sent(gateway):
    async def scenario():
        clients = await on_each_worker(gateway)
        sender, gone = clients[0], clients[1]
        await gone.close()
        wait_for(lambda: gateway.metrics()["lurkbot_connections_closed_total"] > 0, "the end to be seen")

        async def error(to, **more):
            answer = await sender.request("events.publish", {"event": "agent.x", "to": to, **more})
            return answer["error"]["code"], answer["error"]["details"]["reason"], answer["error"]["details"]["field"]
        assert await error(gone.conn_id) == ("INVALID_REQUEST", "not-found", "params.to")
        assert await error("00000000") == ("INVALID_REQUEST", "not-found", "params.to")
        for wrong in ("xyzxyzxy", "1234567", "123456789", 7, ["00000001"], {}):
            assert await error(wrong) == ("INVALID_REQUEST", "invalid-field", "params.to")
        own = sender.conn_id
        assert await error(own, event="gateway.x") == ("INVALID_REQUEST", "reserved-event", "params.event")
        # As long as a client may send: the longest that fits arrives, and one more does not.
        await sender.call("events.publish", {"event": "agent.x", "to": None})
        await sender.event()
        assert call(gateway, "events.publish", {"event": "agent.x", "to": "00000000"})[0] == 404
        assert call(gateway, "events.publish", {"event": "agent.x", "to": own})[2]["result"]["id"][:4] == "dir_"
        assert (await sender.event())["event"] == "agent.x"
        await sender.close()
    run(scenario())


@pytest.mark.parametrize("workers", [1, 2])
def test_large_ones(start, workers):
    gateway = start(workers=workers)

    async def scenario():
        target = await connect(gateway)
        while True:
            sender = await connect(gateway)
            if workers == 1 or worker_of(gateway, sender) != worker_of(gateway, target):
                break
            await sender.close()
        for size in (1, 1000, 70000, 1048576 - 400):
            await sender.call("events.publish", {"event": "agent.x", "to": target.conn_id, "payload": {"x": "y" * size}})
            assert (await target.event())["payload"] == {"x": "y" * size}
        # No event is longer than its receiver could send; only a request without an envelope can ask for one.
        answer = await asyncio.to_thread(call, gateway, "events.publish", {
            "event": "agent.x", "payload": {"x": "y" * (1048576 - 70)}, "to": target.conn_id})
        assert answer[0] == 413 and answer[2]["error"]["details"]["reason"] == "too-large"
        await sender.close()
        await target.close()
    run(scenario())


def test_without_read_no_event_comes(start):
    gateway = start(workers=1, auth_enabled=True, auth_tokens=[
        {"name": "all", "token": READER, "scopes": ["admin"]},
        {"name": "silent", "token": SILENT, "scopes": ["provider"]}])

    async def scenario():
        silent = await connect(gateway, extra_headers={"Authorization": f"Bearer {SILENT}"})
        sender = await connect(gateway, extra_headers={"Authorization": f"Bearer {READER}"})
        await send(sender, silent.conn_id, 1)
        status, _, _ = call(gateway, "health", Authorization=f"Bearer {READER}")
        assert status == 200
        metrics = gateway.http("/metrics", headers={"Authorization": f"Bearer {READER}"})[2].decode()
        assert "lurkbot_events_directed_lost_total 1\n" in metrics
        await sender.close()
        await silent.close()
        assert silent.events.empty()
    run(scenario())


@pytest.mark.parametrize("workers", [1, 2])
def test_who_does_not_take_them_is_closed(start, workers):
    """Nothing heaps up for a client that does not read, and the publisher is not held up by it."""
    gateway = start(workers=workers, max_buffered_bytes=262144)

    async def scenario():
        slow, _ = await mute(gateway, {"events": []})
        listed = call(gateway, "connections.list")[2]["result"]["connections"]
        to = listed[0]["connId"]
        sender = await connect(gateway, {"events": []})
        for _ in range(2000):
            answer = await sender.request(
                "events.publish", {"event": "agent.x", "to": to, "payload": {"x": "y" * 60000}})
            if "error" in answer:
                break
        assert answer["error"]["details"]["reason"] == "not-found"
        assert gateway.metrics()["lurkbot_slow_clients_closed_total"] == 1
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await take(slow)
        await sender.close()
    run(scenario())


def test_a_worker_that_stands_still_is_told_of(start):
    """Its mailbox is full in the end: the publisher learns it, and nothing that was taken is lost."""
    gateway = start(workers=2, mailbox_bytes=4194304, max_buffered_bytes=67108864)

    async def scenario():
        clients = await on_each_worker(gateway, subscribe={"events": []})
        sender, target = clients[0], clients[1]
        pid = gateway.workers()[1]
        os.kill(pid, signal.SIGSTOP)
        sent = 0
        try:
            for _ in range(500):
                answer = await sender.request("events.publish", {
                    "event": "agent.x", "to": target.conn_id, "payload": {"n": sent, "x": "y" * 50000}})
                if "error" in answer:
                    break
                sent += 1
        finally:
            os.kill(pid, signal.SIGCONT)
        assert answer["error"]["code"] == "UNAVAILABLE" and answer["error"]["details"] == {
            "reason": "worker-busy", "retryable": True}
        assert [(await target.event())["payload"]["n"] for _ in range(sent)] == list(range(sent))
        for client in clients.values():
            await client.close()
    run(scenario())


@pytest.mark.parametrize("directed", [False, True])
def test_a_model_that_streams(gateway, directed):
    """Thousands of small events, sent as fast as they go: all arrive, in order, on both workers."""
    count = 5000

    async def scenario():
        clients = await on_each_worker(gateway, subscribe={"events": ["agent.*"]})
        sender = await connect(gateway, {"events": []})
        targets = list(clients.values())

        async def pour():
            waiting = []
            for n in range(count):
                params = {"event": "agent.delta", "payload": {"n": n, "text": "token "}, "sessionKey": "s"}
                if directed:
                    params["to"] = targets[n % 2].conn_id
                waiting.append(asyncio.ensure_future(sender.call("events.publish", params)))
                if len(waiting) >= 32:
                    await waiting.pop(0)
            await asyncio.gather(*waiting)

        async def drink(client, expected):
            for n in expected:
                assert (await client.event())["payload"]["n"] == n
        wanted = [range(i, count, 2) if directed else range(count) for i in range(2)]
        await asyncio.gather(pour(), *(drink(c, w) for c, w in zip(targets, wanted)))
        for client in (*targets, sender):
            await client.close()
    run(scenario())
