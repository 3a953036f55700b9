"""Authentication by a provider: gateway.auth_provider."""

import asyncio
import json
import time

import pytest
import websockets

from gateway import HELLO, PATIENCE, Client
from provider import Provider, Refusal

OURS = "a-token-of-the-gateways-own"


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 6 * PATIENCE))


@pytest.fixture
def guarded(start):
    return start(workers=3, auth_enabled=True, auth_provider="auth.check", auth_failures=0,
                 auth_tokens=[{"name": "operator", "token": OURS, "scopes": ["admin", "provider"]}])


async def greet(gateway, **auth):
    """(WebSocket, the answer to a hello with these credentials)."""
    ws = await websockets.connect(gateway.url, ssl=gateway.ssl, open_timeout=PATIENCE, ping_interval=None)
    await ws.send(json.dumps({**HELLO, "auth": auth}))
    return ws, json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))


async def provide(gateway, handle):
    """A provider of auth.check."""
    ws, answer = await greet(gateway, token=OURS)
    assert answer["type"] == "hello-ok"
    client = Client(ws, answer)
    provider = Provider(client, handle)
    await client.call("provider.register", {"methods": ["auth.check"]})
    return provider


async def close(*sockets):
    for ws in sockets:
        await ws.close()


def test_a_provider_lets_in_and_turns_away(guarded):
    async def handle(provider, request):
        params = request["params"]
        if params.get("token") == "good":
            return {"name": "alice", "scopes": ["read"]}
        if params.get("password") == "word":
            return {"name": "bob", "scopes": ["write"], "expiresAtMs": int(time.time() * 1000) + 600_000}
        raise Refusal("INVALID_REQUEST", "Never heard of it")

    async def main():
        provider = await provide(guarded, handle)
        ws, answer = await greet(guarded, token="good")
        assert answer["type"] == "hello-ok", answer
        assert "health" in answer["features"]["methods"]
        assert "events.publish" not in answer["features"]["methods"]
        asked, = provider.requests
        assert asked["params"]["token"] == "good" and "password" not in asked["params"]
        assert asked["params"]["client"] == HELLO["client"]
        assert asked["params"]["remote"].startswith("127.0.0.1")
        client = Client(ws, answer)
        assert (await client.call("health"))["status"]
        assert (await client.request("events.publish", {"event": "x"}))["error"]["details"]["reason"] == "forbidden"
        other, answer = await greet(guarded, password="word")
        assert answer["type"] == "hello-ok" and "events.publish" in answer["features"]["methods"]
        bad, answer = await greet(guarded, token="bad")
        assert answer["type"] == "hello-error"
        assert answer["error"]["code"] == "INVALID_REQUEST"
        assert answer["error"]["details"]["reason"] == "unauthorized"
        # The gateway's own are not put to anybody.
        mine, answer = await greet(guarded, token=OURS)
        assert answer["type"] == "hello-ok" and len(provider.requests) == 3
        metrics = guarded.cli("gateway", "call", "status").returncode
        assert metrics == 0
        await close(other, bad, mine)
        await client.close()
        await provider.close()
    run(main())


def test_without_a_provider_it_is_not_linked(guarded):
    async def main():
        ws, answer = await greet(guarded, token="whatever")
        assert answer["type"] == "hello-error"
        assert answer["error"]["code"] == "NOT_LINKED"
        await asyncio.wait_for(ws.wait_closed(), PATIENCE)
        assert ws.close_code == 1008
    run(main())


def test_what_ends_is_remembered_until_then(guarded):
    async def handle(provider, request):
        lasting = request["params"]["token"] == "lasting"
        return {"name": "carol", "scopes": ["read"],
                **({"expiresAtMs": int(time.time() * 1000) + 600_000} if lasting else {})}

    async def main():
        provider = await provide(guarded, handle)
        for token, most in (("lasting", 3), ("fleeting", 1000)):
            before = len(provider.requests)
            sockets = []
            for _ in range(12):
                ws, answer = await greet(guarded, token=token)
                assert answer["type"] == "hello-ok"
                sockets.append(ws)
            asked = len(provider.requests) - before
            assert asked <= most if token == "lasting" else asked == 12
            await close(*sockets)
        await provider.close()
    run(main())


@pytest.mark.parametrize("result", [{}, [], {"name": "x"}, {"name": 7, "scopes": []},
                                    {"name": "x", "scopes": ["read"], "expiresAtMs": 1}])
def test_a_strange_answer_lets_in_nobody(guarded, result):
    async def handle(provider, request):
        return result

    async def main():
        provider = await provide(guarded, handle)
        ws, answer = await greet(guarded, token="x")
        assert answer["type"] == "hello-error"
        assert answer["error"]["details"]["reason"] == "unauthorized"
        await ws.close()
        await provider.close()
    run(main())


def test_a_client_that_does_not_wait_and_a_provider_that_goes(guarded):
    async def main():
        provider = await provide(guarded, None)
        hasty = await websockets.connect(guarded.url, ssl=guarded.ssl, ping_interval=None)
        await hasty.send(json.dumps({**HELLO, "auth": {"token": "x"}}))
        await provider.given(1)
        await hasty.close()
        await provider.until(lambda: provider.cancelled == [provider.requests[0]["id"]])
        waiting = asyncio.ensure_future(greet(guarded, token="y"))
        await provider.given(2)
        await provider.close()
        ws, answer = await waiting
        assert answer["error"]["code"] == "NOT_LINKED"
        await ws.close()
    run(main())
