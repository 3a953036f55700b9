"""Whoever dies, everybody who lives gets exactly one answer, and nothing is left behind."""

import asyncio
import json
import os
import signal
import socket

import pytest

from gateway import PATIENCE, wait_for
from provider import Provider, connect_on, echo, until

WORKERS = 3
pytestmark = pytest.mark.san
IN_FLIGHT = 100


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 6 * PATIENCE))


@pytest.fixture
def three(start):
    return start(workers=WORKERS)


class Counting:
    """A caller whose every answer is counted by the id of its request: more than one shows."""

    def __init__(self, client):
        self.client = client
        self.asked, self.answers = [], {}
        self.pump = asyncio.ensure_future(self._pump())

    async def _pump(self):
        while True:
            frame = await self.client.events.get()
            if frame["type"] == "response":
                self.answers.setdefault(frame["id"], []).append(frame)

    async def ask(self, method, count, **more):
        for n in range(count):
            self.asked.append(f"q{len(self.asked)}")
            await self.client.ws.send(json.dumps({"type": "request", "id": self.asked[-1], "method": method,
                                                  "params": {"n": n}, **more}))

    async def all_answered(self):
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while len(self.answers) < len(self.asked):
            assert asyncio.get_running_loop().time() < deadline, (len(self.answers), len(self.asked))
            await asyncio.sleep(0.01)
        await self.client.call("health")  # whatever came twice came before this
        assert {key: len(found) for key, found in self.answers.items()} == {key: 1 for key in self.asked}
        return [found[0] for found in self.answers.values()]

    async def close(self):
        self.pump.cancel()
        await self.client.close()


async def nothing_left(gateway, providers):
    """The directory has those that live, and nobody has a seat, a job, mail, or room kept for it."""
    def left():
        metrics = gateway.metrics()
        names = ("lurkbot_provider_calls_waiting", "lurkbot_provider_jobs", "lurkbot_mailbox_used_bytes",
                 "lurkbot_mailbox_reserved_bytes", "lurkbot_idempotency_running")
        bad = {key: value for key, value in metrics.items() if key.startswith(names) and value != 0}
        if metrics["lurkbot_providers"] != len(providers):
            bad["providers"] = metrics["lurkbot_providers"]
        status = gateway.status()
        if any(p["inFlight"] for p in status["providers"]):
            bad["inFlight"] = status["providers"]
        if sorted(p["connId"] for p in status["providers"]) != sorted(p.conn_id for p in providers):
            bad["who"] = status["providers"]
        return bad
    found = {}

    def is_clean():
        nonlocal found
        found = left()
        return not found
    try:
        await asyncio.to_thread(wait_for, is_clean, "nothing to be left")
    except AssertionError:
        raise AssertionError(found) from None


async def scene(gateway, provider_worker=0):
    """A provider that answers nothing, with 100 requests in flight from two clients on each worker."""
    provider = await Provider.start(gateway, ["held"], None, provider_worker, concurrency=IN_FLIGHT)
    callers = [Counting(await connect_on(gateway, i % WORKERS)) for i in range(2 * WORKERS)]
    for caller in callers:
        await until(caller.client, lambda s: s["providers"], "the provider")
    for i, caller in enumerate(callers):
        await caller.ask("held", IN_FLIGHT // len(callers) + (i < IN_FLIGHT % len(callers)))
    await provider.given(IN_FLIGHT)
    return provider, callers


def reasons(answers):
    return {answer["error"]["details"]["reason"] for answer in answers}


def test_the_provider_is_killed(three):
    async def main():
        provider, callers = await scene(three)
        raw = provider.client.ws.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        provider.client.ws.transport.abort()
        for caller in callers:
            assert reasons(await caller.all_answered()) == {"provider-gone"}
        await nothing_left(three, [])
        await asyncio.gather(*(caller.close() for caller in callers))
        provider.pump.cancel()
    run(main())


def test_the_providers_worker_is_killed(three):
    async def main():
        provider, callers = await scene(three)
        pid = three.workers()[0]
        os.kill(pid, signal.SIGKILL)
        living = [caller for i, caller in enumerate(callers) if i % WORKERS != 0]
        for caller in living:
            assert reasons(await caller.all_answered()) == {"provider-gone"}
        await asyncio.to_thread(wait_for, lambda: three.workers().get(0) not in (None, pid), "a new worker")
        await nothing_left(three, [])
        # A provider that comes back to the new worker serves as the old one did.
        again = await Provider.start(three, ["held"], echo, 0)
        await until(living[0].client, lambda s: s["providers"], "the provider")
        assert (await living[0].client.call("held", {"x": 1}))["params"] == {"x": 1}
        await nothing_left(three, [again])
        await asyncio.gather(again.close(), *(caller.close() for caller in living))
        provider.pump.cancel()
        for caller in callers:
            caller.pump.cancel()
    run(main())


def test_the_callers_worker_is_killed(three):
    async def main():
        provider, callers = await scene(three)
        pid = three.workers()[1]
        dead = [caller for i, caller in enumerate(callers) if i % WORKERS == 1]
        lost = sum(len(caller.asked) for caller in dead)
        os.kill(pid, signal.SIGKILL)
        await provider.until(lambda: len(provider.cancelled) == lost)
        # Those of the living go on, and are answered.
        for request in provider.requests:
            provider.release(request, request["params"])
        for caller in callers:
            if caller not in dead:
                answers = await caller.all_answered()
                assert [a["result"]["n"] for a in answers] == list(range(len(answers)))
        await asyncio.to_thread(wait_for, lambda: three.workers().get(1) not in (None, pid), "a new worker")
        await nothing_left(three, [provider])
        await asyncio.gather(provider.close(), *(c.close() for c in callers if c not in dead))
        for caller in dead:
            caller.pump.cancel()
    run(main())


def test_seats_that_the_dead_had_are_given_to_those_who_wait(three):
    async def main():
        provider = await Provider.start(three, ["held"], None, 0, concurrency=2)
        dead, living = [Counting(await connect_on(three, worker)) for worker in (1, 2)]
        for caller in (dead, living):
            await until(caller.client, lambda s: s["providers"], "the provider")
        await dead.ask("held", 2)
        await provider.given(2)
        await living.ask("held", 2)
        os.kill(three.workers()[1], signal.SIGKILL)
        requests = await provider.given(4)
        for request in requests[2:]:
            provider.release(request, "served")
        assert {a["result"] for a in await living.all_answered()} == {"served"}
        await nothing_left(three, [provider])
        await asyncio.gather(provider.close(), living.close())
        dead.pump.cancel()
    run(main())


def test_waiting_requests_survive_the_death_of_the_providers_worker(three):
    async def main():
        gone = await Provider.start(three, ["shared"], None, 0, concurrency=1)
        left = await Provider.start(three, ["shared"], None, 1, concurrency=1)
        caller = Counting(await connect_on(three, 2))
        await until(caller.client, lambda s: len(s["providers"]) == 2, "both providers")
        await caller.ask("shared", 8)
        await asyncio.gather(gone.given(1), left.given(1))
        os.kill(three.workers()[0], signal.SIGKILL)
        left.handle = echo
        left.release(left.requests[0], {"by": left.conn_id})
        answers = await caller.all_answered()
        assert [a["error"]["details"]["reason"] for a in answers if "error" in a] == ["provider-gone"]
        assert {a["result"]["by"] for a in answers if "result" in a} == {left.conn_id}
        await nothing_left(three, [left])
        await asyncio.gather(left.close(), caller.close())
        gone.pump.cancel()
    run(main())


def test_what_the_dead_offered_is_announced_as_gone_once(three):
    async def main():
        watchers = [await connect_on(three, i) for i in (1, 2)]
        provider = await Provider.start(three, ["some.method"], echo, 0, channels=["telegram"])
        for watcher in watchers:
            assert {(await watcher.event())["event"] for _ in range(2)} == {
                "gateway.methods", "channel.connected"}
        os.kill(three.workers()[0], signal.SIGKILL)
        for watcher in watchers:
            frames = {f["event"]: f["payload"] for f in [await watcher.event() for _ in range(2)]}
            assert frames["gateway.methods"] == {"added": [], "removed": ["some.method"]}
            assert frames["channel.disconnected"]["id"] == "telegram"
            assert frames["channel.disconnected"]["provider"] == provider.conn_id
            assert (await watcher.call("channels.list"))["channels"] == []
            await watcher.call("health")
            assert watcher.events.empty()
        await asyncio.gather(*(watcher.close() for watcher in watchers))
        provider.pump.cancel()
    run(main())


def test_a_stopped_workers_mailbox_fills_and_every_request_is_answered(three):
    """A worker that stands still takes no mail: what finds no room is refused at once, and the rest, with the
    worker's death, is told so."""
    async def main():
        provider = await Provider.start(three, ["held"], None, 0, concurrency=1000)
        caller = Counting(await connect_on(three, 1))
        await until(caller.client, lambda s: s["providers"], "the provider")
        pid = three.workers()[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(8):
                await caller.ask("held", 1, params={"x": "x" * 900_000})
            await wait_for_refusals(caller, 4)  # four fit
        finally:
            os.kill(pid, signal.SIGKILL)
        answers = await caller.all_answered()
        assert reasons(answers) == {"overloaded", "provider-gone"}
        await nothing_left(three, [])
        await caller.close()
        provider.pump.cancel()
    run(main())


async def wait_for_refusals(caller, count):
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while len(caller.answers) < count:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def test_a_drain_answers_what_is_in_flight(start):
    gateway = start(workers=WORKERS)

    async def main():
        provider = await Provider.start(gateway, ["held"], None, 0)
        caller = await connect_on(gateway, 1)
        await until(caller, lambda s: s["providers"], "the provider")
        asked = asyncio.ensure_future(caller.call("held"))
        request, = await provider.given(1)
        gateway.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(gateway.wait_line, "stopping gracefully")
        provider.release(request, "in time")
        assert await asked == "in time"
        await asyncio.wait_for(caller.closed, PATIENCE)
        provider.pump.cancel()
    run(main())
    gateway.stop(sig=0)
