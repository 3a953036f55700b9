"""Idempotency keys: one call, one answer, however often and wherever it is asked for."""

import asyncio
import os
import signal

import pytest

from gateway import PATIENCE, connect
from provider import Provider, Refusal, connect_on, until
from test_providers_deaths import Counting, nothing_left

WORKERS = 3


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 6 * PATIENCE))


@pytest.fixture
def three(start):
    return start(workers=WORKERS)


async def numbered(provider, request):
    """Each call has an answer of its own."""
    return {"call": len(provider.requests), "params": request.get("params")}


async def scene(gateway, handle=numbered, **more):
    provider = await Provider.start(gateway, ["pay"], handle, 0, **more)
    callers = [await connect_on(gateway, worker) for worker in range(WORKERS)]
    for caller in callers:
        await until(caller, lambda s: s["providers"], "the provider")
    return provider, callers


async def end(*peers):
    await asyncio.gather(*(peer.close() for peer in peers))


def test_a_key_that_comes_again_is_given_the_first_answer(three):
    async def main():
        provider, callers = await scene(three)
        answers = [await caller.call("pay", {"n": 1}, idempotencyKey="k1") for caller in callers]
        assert answers == [{"call": 1, "params": {"n": 1}}] * WORKERS
        assert len(provider.requests) == 1
        # Another key, and none, are calls of their own.
        assert (await callers[1].call("pay", {"n": 1}, idempotencyKey="k2"))["call"] == 2
        assert (await callers[1].call("pay", {"n": 1}))["call"] == 3
        assert three.metrics()["lurkbot_idempotency_kept"] == 2
        await nothing_left(three, [provider])
        await end(provider, *callers)
    run(main())


def test_a_key_belongs_to_its_caller_and_its_method(three):
    async def main():
        provider, callers = await scene(three)
        await provider.client.call("provider.register", {"methods": ["pay", "refund"]})
        await until(callers[0], lambda s: s["providers"][0]["methods"] == ["pay", "refund"], "both")
        other = await connect(three, client={"id": "somebody-else"})
        calls = [await callers[0].call("pay", {}, idempotencyKey="k"),
                 await callers[0].call("refund", {}, idempotencyKey="k"),
                 await other.call("pay", {}, idempotencyKey="k")]
        assert [c["call"] for c in calls] == [1, 2, 3]
        await end(provider, other, *callers)
    run(main())


def test_the_same_key_with_other_params_is_a_mismatch(three):
    async def main():
        provider, callers = await scene(three)
        await callers[0].call("pay", {"n": 1}, idempotencyKey="k")
        answer = await callers[1].request("pay", {"n": 2}, idempotencyKey="k")
        assert answer["error"]["code"] == "INVALID_REQUEST"
        assert answer["error"]["details"]["reason"] == "idempotency-mismatch"
        assert len(provider.requests) == 1
        await end(provider, *callers)
    run(main())


def test_those_who_ask_while_it_runs_wait_for_the_first_answer(three):
    async def main():
        provider, callers = await scene(three, None)
        first = asyncio.ensure_future(callers[0].call("pay", {}, idempotencyKey="k"))
        request, = await provider.given(1)
        later = [asyncio.ensure_future(c.call("pay", {}, idempotencyKey="k")) for c in callers]
        hasty = await callers[1].request("pay", {}, idempotencyKey="k", timeoutMs=50)
        assert hasty["error"]["code"] == "AGENT_TIMEOUT"
        for caller in callers:
            await caller.call("health")  # what was asked before has been read
        provider.release(request, {"paid": 1e300})
        assert await first == {"paid": 1e300}
        assert await asyncio.gather(*later) == [{"paid": 1e300}] * WORKERS
        assert len(provider.requests) == 1
        await nothing_left(three, [provider])
        await end(provider, *callers)
    run(main())


def test_errors_are_answers_too(three):
    async def handle(provider, request):
        raise Refusal("INVALID_REQUEST", "No money", call=len(provider.requests))

    async def main():
        provider, callers = await scene(three, handle)
        answers = [await c.request("pay", {}, idempotencyKey="k") for c in callers]
        assert [a["error"]["details"] for a in answers] == [{"call": 1}] * WORKERS
        await end(provider, *callers)
    run(main())


def test_an_answer_that_is_too_long_is_not_kept(three):
    async def handle(provider, request):
        return "x" * request["params"]["n"]

    async def main():
        provider, callers = await scene(three, handle)
        for n, is_kept in ((65534, True), (65535, False)):
            first = await callers[0].call("pay", {"n": n}, idempotencyKey=f"k{n}")
            assert len(first) == n
            again = await callers[1].request("pay", {"n": n}, idempotencyKey=f"k{n}")
            if is_kept:
                assert again["result"] == first
            else:
                assert again["error"]["code"] == "UNAVAILABLE"
                assert again["error"]["details"]["reason"] == "result-not-kept"
        assert len(provider.requests) == 2
        await end(provider, *callers)
    run(main())


def test_a_client_that_goes_leaves_its_call_running(three):
    async def main():
        provider, callers = await scene(three, None)
        leaver = await connect_on(three, 1)
        asked = asyncio.ensure_future(leaver.request("pay", {}, idempotencyKey="k"))
        request, = await provider.given(1)
        await leaver.close()
        with pytest.raises(ConnectionError):
            await asked
        # It comes back on another worker, and waits for the same call.
        again = asyncio.ensure_future(callers[2].call("pay", {}, idempotencyKey="k"))
        await callers[2].call("health")
        provider.release(request, "paid")
        assert await again == "paid"
        assert provider.cancelled == [] and len(provider.requests) == 1
        await nothing_left(three, [provider])
        await end(provider, *callers)
    run(main())


def test_a_call_outlives_the_worker_of_its_caller(three):
    async def main():
        provider, callers = await scene(three, None)
        dead = Counting(await connect_on(three, 1))
        await dead.ask("pay", 1, idempotencyKey="k", params={})
        request, = await provider.given(1)
        os.kill(three.workers()[1], signal.SIGKILL)
        await asyncio.wait_for(dead.client.closed, PATIENCE)
        again = asyncio.ensure_future(callers[2].call("pay", {}, idempotencyKey="k"))
        await callers[2].call("health")
        provider.release(request, "paid once")
        assert await again == "paid once"
        assert provider.cancelled == [] and len(provider.requests) == 1
        await nothing_left(three, [provider])
        await end(provider, callers[0], callers[2])
        dead.pump.cancel()
    run(main())


def test_those_who_wait_are_told_when_the_provider_or_its_worker_goes(three):
    async def main():
        provider, callers = await scene(three, None)
        first = asyncio.ensure_future(callers[1].request("pay", {}, idempotencyKey="k"))
        await provider.given(1)
        second = asyncio.ensure_future(callers[2].request("pay", {}, idempotencyKey="k"))
        await callers[2].call("health")
        os.kill(three.workers()[0], signal.SIGKILL)
        answers = await asyncio.gather(first, second)
        assert [a["error"]["details"]["reason"] for a in answers] == ["provider-gone"] * 2
        await nothing_left(three, [])
        provider.pump.cancel()
        await end(callers[1], callers[2])
    run(main())


def test_what_never_reached_a_provider_may_be_asked_again(three):
    async def main():
        provider, callers = await scene(three, None, concurrency=1)
        blocker = asyncio.ensure_future(callers[0].call("pay", {"n": 0}))
        request, = await provider.given(1)
        answer = await callers[1].request("pay", {"n": 1}, idempotencyKey="k", timeoutMs=50)
        assert answer["error"]["code"] == "AGENT_TIMEOUT"
        provider.handle = numbered
        provider.release(request)
        await blocker
        assert await callers[1].call("pay", {"n": 1}, idempotencyKey="k") == {"call": 2, "params": {"n": 1}}
        await nothing_left(three, [provider])
        await end(provider, *callers)
    run(main())


def test_built_in_methods_have_keys_too(three):
    async def main():
        callers = [await connect_on(three, worker) for worker in range(WORKERS)]
        params = {"event": "test.paid", "payload": {"n": 1}}
        receipts = [await c.call("events.publish", params, idempotencyKey="k") for c in callers]
        assert receipts == [receipts[0]] * WORKERS
        for caller in callers:
            assert (await caller.event())["payload"] == {"n": 1}
            await caller.call("health")
            assert caller.events.empty()
        await end(*callers)
    run(main())


def test_more_keys_than_the_table_holds(start):
    """The oldest answers make room: those who ask with new keys are always served."""
    gateway = start(workers=WORKERS)

    async def main():
        provider, callers = await scene(gateway, concurrency=64)
        for wave in range(0, 12000, 60):
            await asyncio.gather(*(callers[n % WORKERS].call("pay", {"n": n}, idempotencyKey=f"k{n}")
                                   for n in range(wave, wave + 60)))
        assert len(provider.requests) == 12000
        answer = await callers[0].call("pay", {"n": 11999}, idempotencyKey="k11999")
        assert answer["params"] == {"n": 11999} and len(provider.requests) == 12000
        metrics = gateway.metrics()
        assert 4000 < metrics["lurkbot_idempotency_kept"] <= 8192
        assert metrics["lurkbot_idempotency_running"] == 0
        await end(provider, *callers)
    run(main())
