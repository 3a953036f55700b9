"""Many clients that stop reading: nobody waits for them, they cost no memory, and each is told."""

import asyncio
import contextlib
import json
import re

import pytest
import websockets

from gateway import HELLO, PATIENCE, connect, connect_narrow, processes_of, wait_for

MEGA = 1024 * 1024
STOPPED, READERS = 48, 4


def private_bytes(gateway):
    """What all processes have for themselves: Pss without files and shared memory."""
    total = 0
    for pid in processes_of(gateway.home):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += int(re.search(r"^Pss_Anon: +(\d+) kB", f.read(), re.M)[1]) * 1024
    return total


def behind(gateway):
    return sum(v for k, v in gateway.metrics().items() if k.startswith("lurkbot_catching_up{"))


async def greeted(gateway, name):
    """A client that wants these events, has said hello, and reads no more unless it is asked to."""
    ws = await connect_narrow(gateway, compression=None)
    await ws.send(json.dumps({**HELLO, "subscribe": {"events": [name]}}))
    assert json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))["type"] == "hello-ok"
    return ws


async def publish(sender, readers, name, payload):
    """Publishes, and waits until all readers have it."""
    seq = (await sender.call("events.publish", {"event": name, "payload": payload}))["seq"]
    for reader in readers:
        assert (await reader.event())["seq"] == seq
    return seq


async def is_told(ws, position, last):
    """Reads again: whether the client is told of a gap or closed, before it had all up to `last`."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while position < last:
            event = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
            if event["event"] == "gateway.gap":
                return event["payload"] == {"from": position + 1, "to": event["seq"]}
            assert event["seq"] == position + 1
            position += 1
        return False
    return True


def settled(gateway):
    """How many the gateway says that it told of a gap, or closed."""
    metrics = gateway.metrics()
    closed = metrics["lurkbot_slow_clients_closed_total"]
    assert closed == metrics.get('lurkbot_closes_total{code="1013"}', 0)
    return metrics["lurkbot_gaps_total"] + closed


@pytest.mark.parametrize("size", [20_000, 1_000_000])
def test_stopped_clients_are_waited_for_by_nobody_and_told(start, size):
    """Each event is published when all readers have the last one, until the ring has gone over all."""
    gateway = start(workers=2, ring_bytes=16 * MEGA)
    payload = {"x": "x" * size}

    async def scenario():
        sender = await connect(gateway, {"events": []})
        readers = [await connect(gateway) for _ in range(READERS)]
        clients = [await greeted(gateway, "load.*") for _ in range(STOPPED)]
        first = await publish(sender, readers, "load.x", payload)
        while behind(gateway) < STOPPED:
            await publish(sender, readers, "load.x", payload)
        for _ in range(20 * MEGA // size):
            last = await publish(sender, readers, "load.x", payload)
        told = await asyncio.gather(*(is_told(ws, first - 1, last) for ws in clients))
        assert told == [True] * STOPPED
        wait_for(lambda: settled(gateway) >= STOPPED, "all to be counted")
        for ws in clients:
            ws.transport.abort()
        for client in (sender, *readers):
            await client.close()
    asyncio.run(asyncio.wait_for(scenario(), 6 * PATIENCE))


def test_what_the_ring_has_is_not_copied(start):
    """Each is stuck in a large event of its own; copies would be as many megabytes."""
    gateway = start(workers=1, ring_bytes=128 * MEGA)
    count, each, payload = 12, 5, {"x": "x" * 1_000_000}

    async def scenario():
        sender = await connect(gateway, {"events": ["load.*"]})
        await publish(sender, [sender], "load.x", payload)
        before = private_bytes(gateway)
        clients = []
        for i in range(count):
            clients.append(await greeted(gateway, f"n{i}.*"))
            for _ in range(each):  # the first is read ahead of being asked to
                await publish(sender, [], f"n{i}.x", payload)
        wait_for(lambda: behind(gateway) == count, "all to be stuck")
        wait_for(lambda: private_bytes(gateway) - before < count // 2 * MEGA, "no more memory to be held")
        for ws in clients:
            for _ in range(each):
                assert json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))["payload"] == payload
            ws.transport.abort()
        await sender.close()
    asyncio.run(asyncio.wait_for(scenario(), 3 * PATIENCE))
