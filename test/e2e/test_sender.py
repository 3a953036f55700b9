"""The two ways out, send and io_uring: clients see no difference."""

import asyncio
import json
import random
import zlib

import pytest

from gateway import HELLO, PATIENCE, Gateway, connect, connect_narrow, follow

KILO = 1024


def grants_io_uring(folder):
    """Whether a gateway that asks for io_uring by name starts here."""
    gateway = Gateway(folder / "probe", workers=1, sender="io_uring")
    try:
        gateway.start()
    except AssertionError:
        assert "io_uring is not to be had here" in gateway.log()
        return False
    gateway.stop()
    return True


@pytest.fixture(scope="module")
def has_io_uring(tmp_path_factory):
    return grants_io_uring(tmp_path_factory.mktemp("sender"))


@pytest.fixture(params=["send", "io_uring"])
def sender(request, has_io_uring):
    if request.param == "io_uring" and not has_io_uring:
        pytest.skip("the kernel grants no io_uring")
    return request.param


async def greeted(gateway):
    """A client whose socket holds next to nothing, and which reads only when it is asked to."""
    ws = await connect_narrow(gateway, compression=None)
    await ws.send(json.dumps(HELLO))
    return ws, json.loads(await ws.recv())["resume"]["seq"]


@pytest.mark.san
def test_streams_are_whole_whatever_the_sockets_take(start, sender):
    clients, events = 12, 400
    gateway = start(workers=2, sender=sender)
    dice = random.Random(7)
    texts = [chr(97 + i % 26) * dice.choice((1, 100, 3000, 20000)) for i in range(events)]

    async def scenario():
        followers = [await greeted(gateway) for _ in range(clients)]
        publisher = await connect(gateway, {"events": []})
        first = followers[0][1]
        reading = [asyncio.ensure_future(follow(ws, at, first + events, random.Random(n)))
                   for n, (ws, at) in enumerate(followers)]
        for text in texts:
            await publisher.call("events.publish", {"event": "load.x", "payload": {"x": text}})
        assert set(await asyncio.gather(*reading)) == {zlib.crc32("".join(texts).encode())}
        await asyncio.gather(*(ws.close() for ws, _ in followers), publisher.close())

    asyncio.run(asyncio.wait_for(scenario(), 6 * PATIENCE))


@pytest.mark.san
def test_answers_are_whole_whatever_the_sockets_take(start, sender):
    """Many clients ask for more than their sockets hold, in the same turns, and read at random."""
    clients, requests = 12, 60
    gateway = start(workers=1, sender=sender)

    async def ask(ws, stall):
        for i in range(requests):
            await ws.send(json.dumps({"id": str(i), "type": "request", "method": "config.get", "params": {}}))
            if i % 8 == 0:
                await asyncio.sleep(0)  # lets the others ask
        first = None
        for i in range(requests):
            answer = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
            assert answer["id"] == str(i)
            first = first or answer["result"]
            assert answer["result"] == first
            if stall.random() < 0.05:
                await asyncio.sleep(stall.random() * 0.05)  # a client that does something else
        return len(json.dumps(first))

    async def scenario():
        hello = {**HELLO, "subscribe": {"events": []}}
        asking = []
        for _ in range(clients):
            ws = await connect_narrow(gateway, compression=None)
            await ws.send(json.dumps(hello))
            await ws.recv()
            asking.append(ws)
        sizes = await asyncio.gather(*(ask(ws, random.Random(n)) for n, ws in enumerate(asking)))
        assert sum(sizes) * requests > 20 * clients * 4 * KILO  # far more than the sockets hold
        await asyncio.gather(*(ws.close() for ws in asking))

    asyncio.run(asyncio.wait_for(scenario(), 3 * PATIENCE))


@pytest.mark.san
def test_what_was_sent_is_counted(start, sender):
    """Every byte that leaves is in lurkbot_sent_bytes_total, whichever way it went."""
    gateway = start(workers=1, sender=sender)
    size = 50 * KILO

    def sent():
        return gateway.metrics()["lurkbot_sent_bytes_total"]

    async def scenario():
        clients = [await connect(gateway) for _ in range(8)]
        before = sent()
        seq = (await clients[0].call(
            "events.publish", {"event": "load.x", "payload": {"x": "x" * size}}))["seq"]
        for client in clients:
            assert (await client.event())["seq"] == seq
        assert 8 * size <= sent() - before < 9 * size  # an answer of /metrics is among it
        for client in clients:
            await client.close()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE))


def test_status_says_which(start, sender):
    assert start(workers=1, sender=sender).status()["sender"] == sender


def test_auto_is_the_better_one(start, has_io_uring):
    gateway = start(workers=1, sender="auto")
    assert gateway.status()["sender"] == ("io_uring" if has_io_uring else "send")


@pytest.mark.san
def test_connections_come_and_go_while_events_flow(start, sender):
    """Descriptors are reused at once: an event never goes to who has the number now."""
    gateway = start(workers=1, sender=sender)

    async def scenario():
        publisher = await connect(gateway, {"events": []})
        stop = asyncio.Event()

        async def publish():
            while not stop.is_set():
                await publisher.call("events.publish", {"event": "load.x", "payload": {"x": "y"}})

        async def come_and_go(n):
            for _ in range(15):
                client = await connect(gateway)
                seqs = [(await client.event())["seq"] for _ in range(3)]
                assert seqs == list(range(seqs[0], seqs[0] + 3))
                if n % 2:
                    client.ws.transport.abort()
                else:
                    await client.close()

        publishing = asyncio.ensure_future(publish())
        await asyncio.gather(*(come_and_go(n) for n in range(8)))
        stop.set()
        await publishing
        await publisher.close()

    asyncio.run(asyncio.wait_for(scenario(), 3 * PATIENCE))
    assert "io_uring failed" not in gateway.log()
