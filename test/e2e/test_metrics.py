"""The counters add up to what a test did."""

import asyncio

from gateway import PATIENCE, connect


def test_counters_add_up(start):
    gateway = start(workers=3)

    async def scenario():
        clients = [await connect(gateway) for _ in range(6)]
        for i in range(50):
            await clients[i % 6].call("events.publish", {"event": "agent.delta", "payload": {"i": i}})
        await clients[0].call("events.publish", {"event": "session.message", "sessionKey": "a:b"})
        for client in clients:
            for _ in range(51):
                await client.event()
        for _ in range(7):
            await clients[0].call("health")
        await clients[0].request("nope")
        await clients[1].request("events.publish", {"event": "bad name"})
        m = await asyncio.get_running_loop().run_in_executor(None, gateway.metrics)
        assert m['lurkbot_handshakes_total{outcome="ok"}'] == 6
        assert m['lurkbot_events_published_total{namespace="agent"}'] == 50
        assert m['lurkbot_events_published_total{namespace="session"}'] == 1
        assert m["lurkbot_deliveries_total"] == 51 * 6
        assert m['lurkbot_requests_total{method="events.publish",code="OK"}'] == 51
        assert m['lurkbot_requests_total{method="events.publish",code="INVALID_REQUEST"}'] == 1
        assert m['lurkbot_requests_total{method="health",code="OK"}'] == 7
        assert m['lurkbot_requests_total{method="other",code="METHOD_NOT_FOUND"}'] == 1
        assert m['lurkbot_request_duration_seconds_count{method="health"}'] == 7
        assert m["lurkbot_ring_seq"] == 51 and m["lurkbot_ring_oldest_seq"] == 1
        assert sum(v for k, v in m.items() if k.startswith("lurkbot_websockets{")) == 6
        assert sum(v for k, v in m.items() if k.startswith("lurkbot_connections{")) == 7
        assert m["lurkbot_workers"] == m["lurkbot_workers_configured"] == 3
        assert m['lurkbot_build_info{version="0.1.0"}'] == 1
        assert m["lurkbot_delivery_latency_seconds_count"] >= 51
        for client in clients:
            await client.close()
        m = await asyncio.get_running_loop().run_in_executor(None, gateway.metrics)
        assert sum(v for k, v in m.items() if k.startswith("lurkbot_websockets{")) == 0
        assert m['lurkbot_closes_total{code="1000"}'] == 6
        return m

    asyncio.run(asyncio.wait_for(scenario(), 4 * PATIENCE))


def test_bad_hellos_are_counted(start):
    gateway = start(workers=1)

    async def scenario():
        import websockets
        for _ in range(3):
            ws = await websockets.connect(gateway.url)
            await ws.send("nonsense")
            await ws.wait_closed()
    asyncio.run(scenario())
    m = gateway.metrics()
    assert m['lurkbot_handshakes_total{outcome="bad-hello"}'] == 3
    assert m['lurkbot_closes_total{code="1008"}'] == 3


def test_sockets_of_a_killed_worker_count_as_closed(start):
    import os
    import signal
    from gateway import wait_for
    gateway = start(workers=2)

    async def scenario():
        clients = [await connect(gateway) for _ in range(20)]
        os.kill(gateway.workers()[1], signal.SIGKILL)
        wait_for(lambda: len(gateway.workers()) == 2, "the worker to be replaced")
        for client in clients:
            await client.close()
    asyncio.run(asyncio.wait_for(scenario(), 4 * PATIENCE))

    def balance():
        m = gateway.metrics()
        return m["lurkbot_connections_accepted_total"] - m["lurkbot_connections_closed_total"]
    wait_for(lambda: balance() == 1, "all sockets but the asking one to be counted as closed")
