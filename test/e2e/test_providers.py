"""Providers: 3 workers, 3 providers, 12 clients, and what goes between them (PROTOCOL sections 4, 7)."""

import asyncio
import contextlib
import json

import pytest

from gateway import PATIENCE, connect
from provider import Provider, Refusal, connect_on, echo, until, worker_of

WORKERS = 3
pytestmark = pytest.mark.san


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 6 * PATIENCE))


@pytest.fixture
def three(start):
    return start(workers=WORKERS)


@contextlib.asynccontextmanager
async def stage(gateway, methods=("agent.run",), handle=echo, clients=12, **more):
    """A provider on each worker, and clients on all of them."""
    providers = [await Provider.start(gateway, list(methods), handle, worker, **more)
                 for worker in range(WORKERS)]
    callers = [await connect_on(gateway, i % WORKERS) for i in range(clients)]
    try:
        for caller in callers:
            await until(caller, lambda s: len(s["providers"]) == WORKERS, "three providers")
        yield providers, callers
    finally:
        await asyncio.gather(*(peer.close() for peer in [*providers, *callers]))


def test_every_client_reaches_a_provider_on_every_worker(three):
    async def main():
        async with stage(three) as (providers, callers):
            methods = [f"tool.{i}" for i in range(WORKERS)]
            for provider, method in zip(providers, methods):
                await provider.client.call("provider.register", {"methods": [method]})
            for caller in callers:
                for provider, method in zip(providers, methods):
                    await until(caller, lambda s: any(method in p["methods"] for p in s["providers"]),
                                method)
                    answer = await caller.call(method, {"n": caller.conn_id})
                    assert answer["by"] == provider.conn_id
                    assert answer["params"] == {"n": caller.conn_id}
    run(main())


def test_a_provider_is_told_who_asks_and_for_how_long(three):
    async def main():
        async with stage(three) as (_, callers):
            answer = await callers[0].call("agent.run", {"a": 1}, sessionKey="s:1", timeoutMs=12345)
            request = answer["request"]
            assert request["type"] == "request" and request["id"].startswith("gw-")
            assert request["method"] == "agent.run" and request["sessionKey"] == "s:1"
            assert 12000 < request["timeoutMs"] <= 12345
            assert request["caller"] == {"connId": callers[0].conn_id, "clientId": "test"}
            answer = await callers[0].call("agent.run")
            assert "params" not in answer["request"] and "sessionKey" not in answer["request"]
    run(main())


def test_requests_of_a_session_go_to_one_provider_from_whatever_worker(three):
    async def main():
        async with stage(three) as (providers, callers):
            served = {}
            for key in (f"session:{i}" for i in range(30)):
                answers = await asyncio.gather(
                    *(caller.call("agent.run", {}, sessionKey=key) for caller in callers))
                by = {answer["by"] for answer in answers}
                assert len(by) == 1, (key, by)
                served[key] = by.pop()
            assert set(served.values()) == {provider.conn_id for provider in providers}
            # One goes: its sessions find others, and those of the others stay where they are.
            gone = providers[0]
            await gone.close()
            for caller in callers:
                await until(caller, lambda s: len(s["providers"]) == WORKERS - 1, "one fewer")
            for key, by in served.items():
                answer = await callers[0].call("agent.run", {}, sessionKey=key)
                assert answer["by"] != gone.conn_id
                assert by in (gone.conn_id, answer["by"])
    run(main())


def test_requests_without_a_session_go_to_whom_has_the_fewest(three):
    async def main():
        async with stage(three, handle=None) as (providers, callers):
            asked = [asyncio.ensure_future(caller.call("agent.run")) for caller in callers]
            for provider in providers:
                await provider.given(len(callers) // WORKERS)
            assert [len(provider.requests) for provider in providers] == [4, 4, 4]
            for provider in providers:
                for request in provider.requests:
                    provider.release(request)
            await asyncio.gather(*asked)
    run(main())


def test_progress_comes_before_the_answer_and_in_order(three):
    async def handle(provider, request):
        for n in range(50):
            await provider.send({"type": "progress", "id": request["id"], "payload": {"n": n}})
        return "done"

    async def main():
        async with stage(three, handle=handle) as (_, callers):
            answers = await asyncio.gather(*(caller.call("agent.run") for caller in callers))
            assert answers == ["done"] * len(callers)
            for caller in callers:
                frames = [caller.events.get_nowait() for _ in range(caller.events.qsize())]
                got = [f for f in frames if f["type"] == "progress"]
                assert [f["payload"]["n"] for f in got] == list(range(50))
    run(main())


def test_a_cancel_reaches_the_provider_and_answers_the_client(three):
    async def main():
        async with stage(three, handle=None) as (providers, callers):
            for caller in callers[:WORKERS]:
                asked = asyncio.ensure_future(caller.request("agent.run", {}, sessionKey="one"))
            provider = await served_by(providers)
            await provider.given(WORKERS)
            for caller in callers[:WORKERS]:
                request_id = f"req-{caller.count}"
                await caller.ws.send(json.dumps({"type": "cancel", "id": request_id}))
            answer = await asyncio.wait_for(asked, PATIENCE)
            assert answer["error"]["code"] == "UNAVAILABLE"
            assert answer["error"]["details"]["reason"] == "cancelled"
            await provider.until(lambda: len(provider.cancelled) == WORKERS)
            assert sorted(provider.cancelled) == sorted(r["id"] for r in provider.requests)
            # The answer that comes all the same is ignored: the next one is the next request's.
            for request in list(provider.requests):
                provider.release(request, "late")
            provider.handle = echo
            assert (await callers[0].call("agent.run", {"x": 1}, sessionKey="one"))["params"] == {"x": 1}
            assert three.metrics()["lurkbot_provider_strays_total"] >= WORKERS
    run(main())


async def served_by(providers):
    """The first provider that was given something."""
    done, waiting = await asyncio.wait([asyncio.ensure_future(p.given(1)) for p in providers],
                                       return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    return next(p for p in providers if p.requests)


def test_a_provider_that_does_not_answer_in_time(three):
    async def main():
        async with stage(three, handle=None) as (providers, callers):
            answers = await asyncio.gather(
                *(caller.request("agent.run", {}, timeoutMs=200) for caller in callers))
            assert {a["error"]["code"] for a in answers} == {"AGENT_TIMEOUT"}
            for provider in providers:
                await provider.until(lambda: len(provider.cancelled) == len(provider.requests))
            await until(callers[0], lambda s: all(p["inFlight"] == 0 for p in s["providers"]), "no seat taken")
    run(main())


def test_a_client_that_goes_cancels_what_it_asked(three):
    async def main():
        async with stage(three, handle=None) as (providers, callers):
            leaver = await connect_on(three, 0)
            futures = [asyncio.ensure_future(leaver.request("agent.run")) for _ in range(6)]
            for provider in providers:
                await provider.given(2)
            await leaver.close()
            for provider in providers:
                await provider.until(lambda: len(provider.cancelled) == 2)
            for future in futures:
                with pytest.raises(ConnectionError):
                    await future
            await until(callers[0], lambda s: all(p["inFlight"] == 0 for p in s["providers"]), "no seat taken")
    run(main())


def test_concurrency_is_kept_over_all_workers(three):
    async def handle(provider, request):
        await asyncio.sleep(0.005)
        return provider.conn_id

    async def main():
        async with stage(three, handle=handle, concurrency=3) as (providers, callers):
            answers = await asyncio.gather(
                *(caller.call("agent.run") for caller in callers for _ in range(40)))
            assert len(answers) == 40 * len(callers)
            assert all(1 <= provider.most <= 3 for provider in providers), [p.most for p in providers]
            # By one session all go to one of them, which still has no more than three at a time.
            for provider in providers:
                provider.most = 0
            await asyncio.gather(*(caller.call("agent.run", {}, sessionKey="only")
                                   for caller in callers for _ in range(10)))
            assert sorted(p.most for p in providers) == [0, 0, 3]
            await until(callers[0], lambda s: all(p["inFlight"] == 0 for p in s["providers"]), "no seat taken")
    run(main())


def test_no_worker_starves_in_the_line(three):
    """One request at a time: those that wait on other workers have their turn beside a long line."""
    async def main():
        provider = await Provider.start(three, ["one.by.one"], None, 0, concurrency=1)
        crowd, single = await connect_on(three, 1), await connect_on(three, 2)
        for caller in (crowd, single):
            await until(caller, lambda s: s["providers"], "a provider")
        many = [asyncio.ensure_future(crowd.call("one.by.one", {"of": "crowd"})) for _ in range(50)]
        await provider.given(1)
        await wait_for_metric(three, 49)
        one = asyncio.ensure_future(single.call("one.by.one", {"of": "single"}))
        await wait_for_metric(three, 50)
        order = []
        for n in range(1, 52):
            requests = await provider.given(n)
            order.append(requests[-1]["params"]["of"])
            provider.release(requests[-1], "served")
        assert await one == "served"
        assert "single" in order[:4], order
        await asyncio.gather(*many)
        await asyncio.gather(*(peer.close() for peer in (provider, crowd, single)))
    run(main())


async def wait_for_metric(gateway, count, name="lurkbot_provider_calls_waiting"):
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        metrics = await asyncio.to_thread(gateway.metrics)
        found = sum(value for key, value in metrics.items() if key.startswith(name + "{"))
        if found == count:
            return
        assert asyncio.get_running_loop().time() < deadline, (name, found, count)
        await asyncio.sleep(0.02)


def test_the_line_of_a_method_is_bounded_over_all_workers(start):
    gateway = start(workers=WORKERS, max_in_flight=512)

    async def main():
        provider = await Provider.start(gateway, ["slow.one"], None, 0, concurrency=1)
        callers = [await connect_on(gateway, i) for i in range(WORKERS)]
        for caller in callers:
            await until(caller, lambda s: s["providers"], "a provider")
        asked = [asyncio.ensure_future(callers[i % WORKERS].request("slow.one")) for i in range(1025)]
        await wait_for_metric(gateway, 1024)
        refused = await callers[0].request("slow.one")
        assert refused["error"]["code"] == "UNAVAILABLE"
        assert refused["error"]["details"]["reason"] == "provider-busy"
        assert refused["error"]["details"]["retryable"] is True
        # Who waits and has no time left is answered like anybody else.
        provider.handle = echo
        provider.release(provider.requests[0])
        answers = await asyncio.gather(*asked)
        assert all("result" in answer for answer in answers)
        await wait_for_metric(gateway, 0)
        await asyncio.gather(*(peer.close() for peer in [provider, *callers]))
    run(main())


def test_waiting_requests_go_to_another_provider_and_those_in_flight_are_told(three):
    async def main():
        async with stage(three, handle=None, concurrency=1) as (providers, callers):
            asked = [asyncio.ensure_future(caller.request("agent.run")) for caller in callers]
            for provider in providers:
                await provider.given(1)
            await wait_for_metric(three, len(callers) - WORKERS)
            gone, *left = providers
            await gone.close()
            for provider in left:
                provider.handle = echo
                provider.release(provider.requests[0], {"by": provider.conn_id})
            answers = await asyncio.gather(*asked)
            told = [a for a in answers if "error" in a]
            assert [a["error"]["details"]["reason"] for a in told] == ["provider-gone"]
            assert {a["result"]["by"] for a in answers if "result" in a} == {p.conn_id for p in left}
    run(main())


def test_the_last_provider_goes_while_requests_wait(three):
    async def main():
        provider = await Provider.start(three, ["only.one"], None, 0, concurrency=1)
        caller = await connect_on(three, 1)
        await until(caller, lambda s: s["providers"], "a provider")
        asked = [asyncio.ensure_future(caller.request("only.one")) for _ in range(5)]
        await provider.given(1)
        await wait_for_metric(three, 4)
        await provider.close()
        answers = await asyncio.gather(*asked)
        assert {a["error"]["details"]["reason"] for a in answers} == {"provider-gone"}
        await caller.close()
    run(main())


def test_a_providers_error_reaches_the_client(three):
    async def handle(provider, request):
        raise Refusal("UNAVAILABLE", "Not today", reason="closed", shade=["of", "meaning"])

    async def main():
        async with stage(three, handle=handle, clients=3) as (_, callers):
            for caller in callers:
                answer = await caller.request("agent.run")
                assert answer["error"] == {"code": "UNAVAILABLE", "message": "Not today",
                                           "details": {"reason": "closed", "shade": ["of", "meaning"]}}
    run(main())


@pytest.mark.parametrize("answer, field", [
    ('"error":{"code":"NO_SUCH_CODE","message":"x"}', "error.code"),
    ('"error":{"code":"UNAVAILABLE"}', "error.message"),
    ('"error":{"code":"UNAVAILABLE","message":"x","details":[]}', "error.details"),
    ('"error":"because"', "error"),
    ('"error":{},"result":1', "error"),
])
def test_a_malformed_answer_is_refused_and_the_right_one_may_follow(three, answer, field):
    async def main():
        provider = await Provider.start(three, ["odd.one"], None, 0)
        caller = await connect_on(three, 1)
        await until(caller, lambda s: s["providers"], "a provider")
        asked = asyncio.ensure_future(caller.call("odd.one"))
        request, = await provider.given(1)
        await provider.send('{"type":"response","id":"%s",%s}' % (request["id"], answer))
        await provider.until(lambda: provider.answers)
        error = provider.answers[0]["error"]
        assert (error["code"], error["details"]["field"]) == ("INVALID_REQUEST", field)
        assert provider.answers[0]["id"] == request["id"]
        provider.release(request, "well")
        assert await asked == "well"
        await asyncio.gather(provider.close(), caller.close())
    run(main())


def test_answers_nobody_asked_for_are_ignored_and_counted(three):
    async def main():
        async with stage(three, clients=3) as (providers, callers):
            answer = await callers[0].call("agent.run", {"a": 1})
            request = answer["request"]
            for provider in providers:
                # Twice; to another provider's id; to one that never was; to what is no id of ours.
                for wrong in (request["id"], "gw-ffff", "gw-", "nonsense"):
                    await provider.send({"type": "response", "id": wrong, "result": "wrong"})
                    await provider.send({"type": "progress", "id": wrong, "payload": "wrong"})
                # It is served on: none of that closes it, and nothing is said.
                await provider.client.call("health")
            assert three.metrics()["lurkbot_provider_strays_total"] == 8 * WORKERS
            assert (await callers[0].call("agent.run", {"a": 2}))["params"] == {"a": 2}
            assert not any(provider.answers for provider in providers)
            # Who never registered is told that nobody asked it.
            await callers[1].ws.send(json.dumps({"type": "response", "id": "gw-1", "result": 1}))
            frame = await callers[1].event()
            while frame["type"] == "event":
                frame = await callers[1].event()
            assert frame["error"]["details"]["reason"] == "unknown-request"
    run(main())


def test_another_providers_request_cannot_be_answered(three):
    async def main():
        victim = await Provider.start(three, ["mine"], None, 0)
        thief = await Provider.start(three, ["other"], None, 0)
        caller = await connect_on(three, 1)
        await until(caller, lambda s: len(s["providers"]) == 2, "both")
        asked = asyncio.ensure_future(caller.call("mine"))
        request, = await victim.given(1)
        await thief.send({"type": "response", "id": request["id"], "result": "stolen"})
        await thief.client.call("health")
        victim.release(request, "mine")
        assert await asked == "mine"
        await asyncio.gather(*(peer.close() for peer in (victim, thief, caller)))
    run(main())


# --- the directory --------------------------------------------------------------------------------

def test_what_is_registered_is_seen_everywhere_and_announced_once(three):
    async def main():
        watchers = [await connect_on(three, i) for i in range(WORKERS)]
        provider = await Provider.start(three, ["b.two", "a.one", "a.one"], echo, 0,
                                        channels=["telegram", "irc"], description="An agent")
        for watcher in watchers:
            frames = [await watcher.event() for _ in range(3)]
            assert sorted(f["event"] for f in frames) == ["channel.connected"] * 2 + ["gateway.methods"]
            by_name = {f["event"]: f["payload"] for f in frames}
            assert by_name["gateway.methods"]["removed"] == []
            assert sorted(by_name["gateway.methods"]["added"]) == ["a.one", "b.two"]
            listed = (await watcher.call("methods.list"))["methods"]
            assert listed == sorted(listed, key=lambda m: m["name"])
            ours = [m for m in listed if not m["builtin"]]
            assert ours == [{"name": n, "builtin": False, "scope": "write", "providers": 1}
                            for n in ("a.one", "b.two")]
            channels = (await watcher.call("channels.list"))["channels"]
            assert sorted(c["id"] for c in channels) == ["irc", "telegram"]
            assert {c["provider"] for c in channels} == {provider.conn_id}
            late = await connect_on(three, await worker_of(watcher))
            assert sorted(late.hello_ok["features"]["methods"]) == late.hello_ok["features"]["methods"]
            assert {"a.one", "b.two", "health"} <= set(late.hello_ok["features"]["methods"])
            assert late.hello_ok["snapshot"]["channels"] == channels
            await late.close()
            status = (await watcher.call("status"))["providers"]
            assert [(p["connId"], p["worker"], sorted(p["methods"]), p["description"]) for p in status] == [
                (provider.conn_id, 0, ["a.one", "b.two"], "An agent")]
        entries = (await watchers[1].call("connections.list"))["connections"]
        assert [sorted(e["provides"]) for e in entries if e["connId"] == provider.conn_id] == [["a.one", "b.two"]]
        # Again: one goes, one comes, one stays; and the channel that stays is not connected anew.
        await provider.client.call("provider.register", {"methods": ["a.one", "c.three"],
                                                         "channels": ["irc", "matrix"]})
        for watcher in watchers:
            frames = [await watcher.event() for _ in range(3)]
            by_name = {f["event"]: f["payload"] for f in frames}
            assert by_name["gateway.methods"] == {"added": ["c.three"], "removed": ["b.two"]}
            assert by_name["channel.connected"]["id"] == "matrix"
            assert by_name["channel.disconnected"]["id"] == "telegram"
        # Empty: it leaves, and stays connected.
        assert await provider.client.call("provider.register", {"methods": []}) == {"methods": []}
        for watcher in watchers:
            frames = [await watcher.event() for _ in range(3)]
            assert sorted(f["event"] for f in frames) == ["channel.disconnected"] * 2 + ["gateway.methods"]
            assert await watcher.request("a.one") | {"id": ""} == {
                "id": "", "type": "response", "error": {
                    "code": "METHOD_NOT_FOUND", "message": "Method not found: a.one",
                    "details": {"field": "method"}}}
            assert (await watcher.call("status"))["providers"] == []
            assert watcher.events.empty()
        await asyncio.gather(provider.close(), *(w.close() for w in watchers))
    run(main())


@pytest.mark.parametrize("params, field, reason", [
    ({}, "params.methods", "missing-field"),
    ({"methods": "agent.run"}, "params.methods", "invalid-field"),
    ({"methods": ["health"]}, "params.methods", "builtin-method"),
    ({"methods": ["a..b"]}, "params.methods", "invalid-field"),
    ({"methods": ["a b"]}, "params.methods", "invalid-field"),
    ({"methods": ["a"], "channels": ["a:b"]}, "params.channels", "invalid-field"),
    ({"methods": ["a"], "concurrency": 0}, "params.concurrency", "invalid-field"),
    ({"methods": ["a"], "concurrency": 1025}, "params.concurrency", "invalid-field"),
    ({"methods": ["a"], "description": "x" * 256}, "params.description", "invalid-field"),
    ({"methods": [f"m{i}" for i in range(65)]}, "params.methods", "invalid-field"),
])
def test_bad_registrations_are_refused(session_gateway, params, field, reason):
    async def main():
        client = await connect(session_gateway)
        answer = await client.request("provider.register", params)
        assert answer["error"]["code"] == "INVALID_REQUEST", answer
        assert answer["error"]["details"]["field"].startswith(field), answer
        assert answer["error"]["details"]["reason"] == reason
        assert (await client.call("status"))["providers"] == []
        await client.close()
    run(main())


def test_too_many_methods_are_refused_and_nothing_changes(session_gateway):
    async def main():
        clients = [await connect(session_gateway) for _ in range(17)]
        for i, client in enumerate(clients[:16]):
            await client.call("provider.register", {"methods": [f"m{i}.{k}" for k in range(64)]})
        answer = await clients[16].request("provider.register", {"methods": ["one.more"]})
        assert answer["error"]["details"]["reason"] == "too-many-providers"
        await clients[16].call("provider.register", {"methods": ["m0.0"]})
        # There is room again when one has gone.
        await clients[0].close()
        await until(clients[16], lambda s: len(s["providers"]) == 16, "one fewer")
        await clients[16].call("provider.register", {"methods": ["one.more"]})
        await asyncio.gather(*(client.close() for client in clients[1:]))
    run(main())


# --- the command line -----------------------------------------------------------------------------

def test_the_command_line_shows_providers_progress_and_results(start):
    gateway = start(workers=WORKERS)

    async def handle(provider, request):
        for n in range(3):
            await provider.send({"type": "progress", "id": request["id"], "payload": {"step": n}})
        return {"sum": sum(request["params"]["of"])}

    async def main():
        listed = await asyncio.to_thread(gateway.cli, "gateway", "providers")
        assert listed.stdout == "No providers are registered\n"
        provider = await Provider.start(gateway, ["sum.up", "b"], handle, 0, description="Adds", concurrency=7)
        asked = await asyncio.to_thread(gateway.cli, "gateway", "call", "sum.up", "--params", '{"of":[1,2,3]}',
                                        "--json")
        assert json.loads(asked.stdout) == {"sum": 6}
        assert asked.stderr == "".join('Progress: {"step": %d}\n' % n for n in range(3))
        listed = await asyncio.to_thread(gateway.cli, "gateway", "providers")
        words = listed.stdout.split()
        assert words == [provider.conn_id, "worker", "0", "0/7", "sum.up", "b", "(Adds)"]
        as_json = json.loads((await asyncio.to_thread(gateway.cli, "gateway", "providers", "--json")).stdout)
        assert [(p["connId"], p["inFlight"], p["concurrency"]) for p in as_json] == [(provider.conn_id, 0, 7)]
        await provider.close()
    run(main())
