"""Events across workers: one order for all, nothing lost when a process is killed."""

import asyncio
import contextlib
import os
import signal

import pytest
import websockets

from gateway import PATIENCE, connect, processes_of, wait_for


def run(coroutine, patience=3 * PATIENCE):
    return asyncio.run(asyncio.wait_for(coroutine, patience))


async def publish_many(client, name, count):
    """Publishes count events, some requests under way at a time; returns their seqs."""
    seqs = []
    window = asyncio.Semaphore(16)

    async def one(i):
        async with window:
            result = await client.call("events.publish", {"event": "load.x", "payload": {"p": name, "i": i}})
            seqs.append(result["seq"])

    await asyncio.gather(*(one(i) for i in range(count)))
    return seqs


def of_load(events):
    return [e for e in events if e.get("event") == "load.x"]


async def collect(client, count):
    """The next count load events."""
    events = []
    while len(events) < count:
        event = await client.event()
        if event.get("event") == "load.x":
            events.append(event)
    return events


@pytest.mark.san
@pytest.mark.valgrind
def test_four_workers_one_order(start):
    # It may take longer than half a minute, and nobody is to be told a position meanwhile.
    gateway = start(workers=4, position_interval_ms=600000)
    publishers, subscribers, each = 8, 40, 500

    async def scenario():
        clients = [await connect(gateway, client={"id": f"s{i}"}) for i in range(subscribers)]
        senders = [await connect(gateway, {"events": []}) for _ in range(publishers)]
        page = await senders[0].call("connections.list", {"limit": 200})
        assert {c["worker"] for c in page["connections"]} == {0, 1, 2, 3}
        readers = [asyncio.ensure_future(collect(c, publishers * each)) for c in clients]
        seqs = await asyncio.gather(*(publish_many(s, n, each) for n, s in enumerate(senders)))
        streams = await asyncio.gather(*readers)
        order = [e["seq"] for e in streams[0]]
        assert order == sorted(set(order)) and set(order) == {s for part in seqs for s in part}
        first = [(e["seq"], e["id"], e["at"], e["payload"]["p"], e["payload"]["i"]) for e in streams[0]]
        for stream in streams[1:]:
            assert [(e["seq"], e["id"], e["at"], e["payload"]["p"], e["payload"]["i"])
                    for e in stream] == first
        assert len({(p, i) for _, _, _, p, i in first}) == publishers * each
        assert [at for _, _, at, _, _ in first] == sorted(at for _, _, at, _, _ in first)
        for client in clients + senders:
            assert client.events.empty()
            await client.close()
    run(scenario(), 6 * PATIENCE)


@pytest.mark.san
def test_worker_killed_under_load(start):
    gateway = start(workers=4)

    async def scenario():
        clients = [await connect(gateway) for _ in range(24)]
        senders = [await connect(gateway, {"events": []}) for _ in range(8)]
        page = await senders[0].call("connections.list", {"limit": 200})
        worker_of = {c["connId"]: c["worker"] for c in page["connections"]}
        # One that has clients: connections are spread evenly only within the gate's slack.
        victim = next(w for w in (worker_of[c.conn_id] for c in clients)
                      if w != worker_of[senders[0].conn_id])
        pid = gateway.workers()[victim]
        acknowledged = set()

        async def load(sender, name):
            for i in range(400):
                try:
                    result = await sender.call(
                        "events.publish", {"event": "load.x", "payload": {"p": name, "i": i}})
                except (ConnectionError, websockets.ConnectionClosed):
                    return
                acknowledged.add(result["seq"])
                if name == 0 and i == 100:
                    os.kill(pid, signal.SIGKILL)

        await asyncio.gather(*(load(s, n) for n, s in enumerate(senders)))
        last = await senders[0].call("events.publish", {"event": "load.x", "payload": {"last": True}})
        survivors = [c for c in clients if worker_of[c.conn_id] != victim]
        assert 0 < len(survivors) < len(clients)
        streams = []
        for client in survivors:
            events = []
            while not events or events[-1]["seq"] != last["seq"]:
                events.append(await client.event())
            streams.append(of_load(events))
        order = [e["seq"] for e in streams[0]]
        assert order == sorted(set(order))
        assert acknowledged <= set(order)
        for stream in streams[1:]:
            assert [e["seq"] for e in stream] == order
        for client in clients:
            if worker_of[client.conn_id] == victim:
                await asyncio.wait_for(client.closed, PATIENCE)
        wait_for(lambda: len(gateway.workers()) == 4, "the killed worker to be replaced")
        assert gateway.workers()[victim] != pid
        for client in survivors + [senders[0]]:
            await client.close()
    run(scenario(), 6 * PATIENCE)
    assert gateway.http("/ready")[0] == 200


def test_supervisor_killed_and_segment_adopted(start, tmp_path):
    gateway = start(workers=2)

    async def publish(count):
        client = await connect(gateway)
        for i in range(count):
            await client.call("events.publish", {"event": "session.message", "sessionKey": f"s:{i}",
                                                 "payload": {"role": "user", "content": str(i)}})
        await client.close()

    run(publish(10))
    before = gateway.status()["ring"]
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()
    wait_for(lambda: not processes_of(gateway.home), "the orphans to end", 1.0 * PATIENCE)
    gateway.process = None
    gateway.start()
    after = gateway.status()["ring"]
    assert after["epoch"] == before["epoch"] and after["seq"] == before["seq"] == 10

    async def look():
        client = await connect(gateway)
        assert client.hello_ok["resume"] == {"epoch": before["epoch"], "seq": 10}
        assert len(client.hello_ok["snapshot"]["sessions"]) == 10
        result = await client.call("events.publish", {"event": "again"})
        assert result["seq"] == 11
        await client.close()
    run(look())


def test_stop_tells_clients(start):
    gateway = start(workers=2)

    async def scenario():
        clients = [await connect(gateway, {"events": []}) for _ in range(4)]
        gateway.process.send_signal(signal.SIGTERM)
        for client in clients:
            event = await client.event()
            assert event["event"] == "gateway.shutdown" and event["payload"]["reason"] == "stopping"
            assert (await asyncio.wait_for(client.closed, PATIENCE))[0] == 1001
    run(scenario())
    assert gateway.process.wait(PATIENCE) == 0


def test_a_clean_stop_begins_a_new_epoch(start):
    gateway = start(workers=1)
    epoch = gateway.status()["ring"]["epoch"]
    gateway.stop()
    gateway.check_clean()
    gateway.start()
    assert gateway.status()["ring"]["epoch"] != epoch


def test_stopped_worker_is_replaced(start):
    """A worker that stands still is killed by the supervisor, and its clients can come back."""
    gateway = start(workers=2)
    before = gateway.workers()
    os.kill(before[1], signal.SIGSTOP)
    wait_for(lambda: gateway.workers().get(1) not in (None, before[1]), "the stopped worker to be replaced",
             4 * PATIENCE)
    assert gateway.workers()[0] == before[0]


def test_shares_of_a_thousand_connections(start):
    gateway = start(workers=4)

    async def scenario():
        clients = []
        for _ in range(10):
            clients += await asyncio.gather(*(connect(gateway) for _ in range(100)))
        shares = {w["id"]: w["connections"] for w in gateway.status()["workers"]}
        assert sum(shares.values()) == 1000
        for share in shares.values():
            assert abs(share - 250) <= 25, shares
        await asyncio.gather(*(c.close() for c in clients))
    run(scenario(), 6 * PATIENCE)


def test_two_gateways_never_share_a_segment(start, tmp_path):
    """Not even when somebody removes run/, and with it the lock file, under the first."""
    import shutil
    import subprocess
    from gateway import LURKBOT
    first = start(workers=2)
    port = first.port
    shutil.rmtree(f"{first.home}/run")
    second = subprocess.run([LURKBOT, "gateway", "start", "--port", "0"], env=first.environment(),
                            capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 1 and "still runs" in second.stderr, second.stderr

    async def scenario():
        import json
        import websockets
        from gateway import HELLO
        async with websockets.connect(f"ws://127.0.0.1:{port}/") as ws:
            await ws.send(json.dumps(HELLO))
            assert json.loads(await ws.recv())["type"] == "hello-ok"
    run(scenario())


def test_others_accept_while_the_emptiest_worker_stands_still(start):
    """A worker that was stopped with next to no connections holds nobody off."""
    gateway = start(workers=2)

    async def scenario():
        clients = [await connect(gateway) for _ in range(40)]
        victim = gateway.workers()[0]
        os.kill(victim, signal.SIGKILL)  # its clients are gone, and its successor has none
        wait_for(lambda: gateway.workers().get(0, victim) != victim, "the successor to serve")
        successor = gateway.workers()[0]
        os.kill(successor, signal.SIGSTOP)
        try:
            # The supervisor kills it after 5 s, so these 30 are the other's, or come too late.
            more = [await connect(gateway) for _ in range(30)]
            assert gateway.workers().get(0) == successor
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(successor, signal.SIGCONT)
        await asyncio.gather(*(c.close() for c in clients + more), return_exceptions=True)

    asyncio.run(asyncio.wait_for(scenario(), 3 * PATIENCE))
