"""A stop, sentence by sentence: nobody is accepted, everybody is told, what is in flight is answered, the
connections are closed with 1001, and the status is 0; a second signal stops it at once."""

import asyncio
import os
import signal
import socket

import pytest

from gateway import PATIENCE, connect, wait_for

pytestmark = pytest.mark.san


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 3 * PATIENCE))


async def worker_of(gateway, client):
    listed = await client.call("connections.list", {"connId": client.conn_id})
    return listed["connections"][0]["worker"]


async def ask_for_what_takes_time(gateway, client):
    """A listing waits for the other worker, which stands still: up to a second."""
    worker = await worker_of(gateway, client)
    still = gateway.workers()[1 - worker]
    os.kill(still, signal.SIGSTOP)
    asked = asyncio.ensure_future(client.request("connections.list"))
    await client.ws.ping()  # behind the question: when this is out, so is that
    await asyncio.sleep(0)
    return still, asked


def test_what_is_in_flight_is_answered_before_the_end(start):
    gateway = start(workers=2, drain_timeout_ms=8000)

    async def scenario():
        client = await connect(gateway)
        # The request has arrived when the pong that was asked for behind it has come.
        still, asked = await ask_for_what_takes_time(gateway, client)
        await (await client.ws.ping())
        gateway.process.send_signal(signal.SIGTERM)
        told = await client.event()
        assert told["event"] == "gateway.shutdown" and told["payload"] == {"reason": "stopping"}
        answer = await asyncio.wait_for(asked, PATIENCE)
        assert answer["error"]["details"]["reason"] == "worker-busy"
        assert (await asyncio.wait_for(client.closed, PATIENCE))[0] == 1001
        os.kill(still, signal.SIGCONT)
    run(scenario())
    gateway.stop(expect=0)


def test_what_takes_too_long_is_not_waited_for(start):
    gateway = start(workers=2, drain_timeout_ms=100)

    async def scenario():
        client = await connect(gateway)
        still, asked = await ask_for_what_takes_time(gateway, client)
        await (await client.ws.ping())
        gateway.process.send_signal(signal.SIGTERM)
        assert (await asyncio.wait_for(client.closed, PATIENCE))[0] in (1001, 1006)
        os.kill(still, signal.SIGCONT)
        with pytest.raises(ConnectionError):
            await asked
    run(scenario())
    gateway.stop(expect=0)


def unanswered(new):
    """Whether the connection ends without a byte."""
    try:
        return new.recv(1) == b""
    except ConnectionResetError:
        return True


def test_nobody_is_accepted_and_nothing_new_is_taken(start):
    gateway = start(workers=2, drain_timeout_ms=8000)

    async def scenario():
        client = await connect(gateway)
        still, asked = await ask_for_what_takes_time(gateway, client)
        await (await client.ws.ping())
        gateway.process.send_signal(signal.SIGTERM)
        await client.event()
        # The kernel still takes it, for whoever has the listening socket after us; nobody answers.
        new = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
        new.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # The stop is announced before the workers are told to drain: until then one still answers.
        while "error" not in (late := await client.request("health")):
            pass
        assert late["error"]["code"] == "UNAVAILABLE" and late["error"]["details"]["retryable"] is True
        await asked
        assert (await asyncio.wait_for(client.closed, PATIENCE))[0] == 1001
        os.kill(still, signal.SIGKILL)  # it does not know yet that nobody is to be accepted
        return new
    with run(scenario()) as new:
        gateway.stop(expect=0)
        assert unanswered(new)


@pytest.mark.parametrize("first,second", [
    (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGQUIT)])
def test_the_second_signal_stops_it_at_once(start, first, second):
    gateway = start(workers=2, drain_timeout_ms=600000)

    async def scenario():
        client = await connect(gateway)
        still, asked = await ask_for_what_takes_time(gateway, client)
        await (await client.ws.ping())
        gateway.process.send_signal(first)
        await client.event()
        assert gateway.process.poll() is None
        gateway.process.send_signal(second)
        await asyncio.wait_for(client.closed, PATIENCE)
        with pytest.raises(ConnectionError):
            await asked
    run(scenario())
    gateway.stop(expect=0)
    assert "stopping at once" in gateway.log()


def test_sigquit_waits_for_nobody(start):
    gateway = start(workers=2, drain_timeout_ms=600000)

    async def scenario():
        client = await connect(gateway)
        _, asked = await ask_for_what_takes_time(gateway, client)
        await (await client.ws.ping())
        gateway.process.send_signal(signal.SIGQUIT)
        await asyncio.wait_for(client.closed, PATIENCE)
        with pytest.raises(ConnectionError):
            await asked
    run(scenario())
    gateway.stop(expect=0)


def test_a_restart_says_that_it_is_one(start):
    """`gateway restart` stops the old one by a signal that brings the news along."""
    gateway = start()

    async def scenario():
        client = await connect(gateway)
        restart = asyncio.ensure_future(asyncio.to_thread(
            gateway.cli, "gateway", "restart", timeout=3 * PATIENCE))
        event = await client.event()
        assert event["event"] == "gateway.shutdown"
        assert event["payload"] == {"reason": "restarting", "restartExpectedMs": 3000}
        assert (await asyncio.wait_for(client.closed, PATIENCE))[0] == 1001
        await restart
    run(scenario())
    gateway.cli("gateway", "stop", timeout=3 * PATIENCE)
    wait_for(lambda: gateway.process.poll() is not None, "the old one to end")
    gateway.stop(expect=0)


def test_a_worker_that_retires_says_so(start):
    gateway = start(workers=2)

    async def scenario():
        clients = [await connect(gateway) for _ in range(20)]
        gateway.settings["workers"] = 1
        gateway.write_settings()
        gateway.cli("gateway", "reload")
        done, _ = await asyncio.wait([c.closed for c in clients], timeout=PATIENCE,
                                     return_when=asyncio.FIRST_COMPLETED)
        gone = next(c for c in clients if c.closed in done)
        assert gone.closed.result()[0] == 1012
        events = []
        while not gone.events.empty():
            events.append(gone.events.get_nowait())
        assert events[-1]["event"] == "gateway.shutdown"
        assert events[-1]["payload"] == {"reason": "retiring", "restartExpectedMs": 0}
        for client in clients:
            await client.close()
    run(scenario())
