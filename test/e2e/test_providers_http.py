"""Providers that are called by HTTP: the same way, another form of the answer (PROTOCOL section 9)."""

import asyncio
import json
import socket

import pytest

from gateway import PATIENCE
from provider import Provider, Refusal, until

JSON = {"Content-Type": "application/json"}


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 6 * PATIENCE))


@pytest.fixture
def two(start):
    return start(workers=2)


async def post(gateway, path, body, **headers):
    more = {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await asyncio.to_thread(gateway.http, path, "POST", more, body)


async def provider_that(gateway, handle, **more):
    provider = await Provider.start(gateway, ["agent.run"], handle, **more)
    await until(provider.client, lambda s: s["providers"], "the provider")
    return provider


def test_the_result_is_the_body_byte_for_byte(two):
    """Also where the provider sits on another worker: of some connections, half are on each."""
    params = '{"a":1.0e2,"a":9007199254740993,"b":"\\u0000\\ud83d\\ude00"}'

    async def main():
        async def back(_, request):
            return {"got": request["params"], "key": request.get("sessionKey"),
                    "client": request["caller"]}
        provider = await provider_that(two, back)
        for _ in range(8):
            status, head, text = await post(
                two, "/api/v1/rpc/agent.run?sessionKey=telegram:1:main&timeoutMs=9000", params)
            assert (status, head["Content-Type"]) == (200, "application/json")
            answer = json.loads(text)["result"]
            assert answer["got"] == json.loads(params)
            assert answer["key"] == "telegram:1:main"
        assert all(r["timeoutMs"] <= 9000 for r in provider.requests)
        await provider.close()
    run(main())


def test_what_goes_wrong_has_its_status(two):
    async def main():
        async def refuse(_, request):
            raise Refusal("UNAVAILABLE", "Full.", reason="full")
        provider = await provider_that(two, refuse)
        status, _, text = await post(two, "/api/v1/rpc/agent.run", "{}")
        assert status == 503
        assert json.loads(text)["error"] == {"code": "UNAVAILABLE", "message": "Full.",
                                             "details": {"reason": "full"}}
        provider.handle = provider.hold
        status, _, text = await post(two, "/api/v1/rpc/agent.run?timeoutMs=50", "{}")
        assert (status, json.loads(text)["error"]["code"]) == (504, "AGENT_TIMEOUT")
        await provider.close()
        await gone(two)
    run(main())


async def gone(gateway):
    """No provider is left, and says so to the next who calls."""
    while True:
        status, _, text = await post(gateway, "/api/v1/rpc/agent.run", "{}")
        if status == 404:
            assert json.loads(text)["error"]["code"] == "METHOD_NOT_FOUND"
            return


def test_who_hangs_up_gives_the_request_up(two):
    async def main():
        provider = await provider_that(two, None)
        with socket.create_connection(("127.0.0.1", two.port), timeout=PATIENCE) as s:
            s.sendall(b"POST /api/v1/rpc/agent.run HTTP/1.1\r\nHost: localhost\r\n"
                      b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            async with provider.more:
                await provider.more.wait_for(lambda: provider.requests)
        async with provider.more:
            await provider.more.wait_for(lambda: provider.cancelled)
        assert provider.cancelled == [provider.requests[0]["id"]]
        await provider.close()
    run(main())


def test_progress_has_no_place_in_a_response(two):
    async def main():
        async def tell(provider, request):
            for n in range(3):
                await provider.client.ws.send(json.dumps(
                    {"type": "progress", "id": request["id"], "payload": {"n": n}}))
            return {"done": True}
        provider = await provider_that(two, tell)
        status, _, text = await post(two, "/api/v1/rpc/agent.run", "{}")
        assert (status, json.loads(text)) == (200, {"result": {"done": True}})
        await provider.close()
    run(main())
