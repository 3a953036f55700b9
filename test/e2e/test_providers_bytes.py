"""What is passed on between clients and providers is passed byte for byte, whatever JSON it is."""

import asyncio
import json

import pytest

from gateway import PATIENCE, connect
from provider import RawClient, connect_on, until, worker_of

# Values of the kinds that parsers differ about. Each is valid by RFC 8259.
VALUES = [
    # objects
    '{}', '{ }', '{"a":"b"}', '{"":0}', '{"a":"b","a":"c"}', '{"a":"b","a":"b"}', '{"a":{"b":1,"b":2}}',
    '{"a":[]}', '{"a\\u0000b":42}', '{"min":-1.0e+28,"max":1.0e+28}', '{"\\u0061":1,"a":2}',
    '{"x":[{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}],"id":"aaaaaaaaaaaaaaaaaaaa"}',
    '{"title":"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430"}', '{\n"a":"b"\n}', '{"id":"x","type":"request"}',
    '{"z":1,"y":2,"a":3}', '{"code":"UNAVAILABLE","error":{},"result":null}',
    # arrays
    '[]', '[ ]', '[[]   ]', '[""]', '[false]', '[null]', '[null, 1, "1", {}]', '[1\n]', ' [1]', '[1,null,null,null,2]',
    '[2] ', '["a"]', '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]',
    # numbers
    '0', '-0', '-1', '123', '123.456789', '1e1', '1E22', '1E-2', '1E+2', '123e45', '123e65', '0e+1', '0e1', '20e1',
    '-0.000000000000000000000000000000000000000000000000000000000001', '1e300', '1e-300', '1e400',
    '9007199254740993', '18446744073709551616', '-9223372036854775809', '0.1', '1.0', '1.10', '0.30000000000000004',
    '100000000000000000000000000000000000000000000000000000000000', '4', ' 4',
    # strings
    '""', '"asd"', '" "', '"a/*b*/c/*d//e"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\\\a"', '"\\\\n"', '"\\u0012"', '"\\u0000"',
    '"\\u002c"', '"\\uD801\\udc37"', '"\\ud83d\\ude39\\ud83d\\udc8d"', '"\\uDBFF\\uDFFF"', '"\\uD834\\uDd1e"', '"\\u0821"',
    '"\\uFFFF"', '"\\uFDD0"', '"\\u00A0"', '"\\u200B"', '"\\u2064"', '"\\uA66D"', '"\\u005C"', '"\\u0022"', '"\\ud800"',
    '"\\udc00\\ud800"', '"new\\u000Aline"', '"\x7f"', '"a\x7fa"', '"\u00e9"', '"e\u0301"', '"\u20ac\U0001d11e"',
    '"\u2028"', '"\u2029"', '"\ufeff"', '"\uffff"', '"\U0010ffff"', '"\u202e"', '"/"', '"\\/"', '"\\u002F"',
    # literals, and white space around and inside
    'true', 'false', 'null', ' true ', '\t\n\r {"a"\t:\n[\r1 ,2 ] }\n', '{"a" : "b" , "c" : [ 1 , { } ] }',
]
DEEP = "[" * 60 + "]" * 60
MANY_KEYS = "{" + ",".join(f'"k{i % 700}":{i}' for i in range(1400)) + "}"


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 6 * PATIENCE))


async def pair(gateway, method="echo.bytes"):
    """A caller and a provider on two workers, both of which keep the text of what they are sent."""
    provider = await connect(gateway, kind=RawClient, subscribe={"events": ["no.such.event"]})
    await provider.ws.send(json.dumps({"type": "request", "id": "r", "method": "provider.register",
                                       "params": {"methods": [method]}}))
    assert json.loads(await provider.text())["result"] == {"methods": [method]}
    while True:
        looker = await connect(gateway)
        await until(looker, lambda s: s["providers"], "the provider")
        caller = await connect(gateway, kind=RawClient, subscribe={"events": ["no.such.event"]})
        page = await looker.call("connections.list", {"limit": 200})
        workers = {c["connId"]: c["worker"] for c in page["connections"]}
        await looker.close()
        if workers[caller.conn_id] != workers[provider.conn_id]:
            return caller, provider
        await caller.close()


def part_of(text, before, after):
    """What stands between the two, where the text has them."""
    start = text.index(before) + len(before)
    return text[start:text.rindex(after)]


async def exchange(caller, provider, params, progress, last):
    """One request with all that can be passed on; the parts as they came out at the other end."""
    await caller.ws.send('{"id":"q","type":"request","method":"echo.bytes","params":%s}' % params)
    request = await provider.text()
    job = json.loads(request)["id"]
    await provider.ws.send('{"type":"progress","id":"%s","payload":%s}' % (job, progress))
    await provider.ws.send('{"type":"response","id":"%s",%s}' % (job, last))
    return (part_of(request, '"params":', ',"caller":'),
            part_of(await caller.text(), '"type":"progress","payload":', "}"),
            part_of(await caller.text(), '"type":"response",', "}"))


def test_every_value_passes_as_it_was_written(start):
    gateway = start(workers=3)

    async def main():
        caller, provider = await pair(gateway)
        for value in [*VALUES, DEEP, MANY_KEYS]:
            wrapped = value if value.strip().startswith("{") else '{"v":%s}' % value
            got = await exchange(caller, provider, wrapped, value, '"result":%s' % value)
            assert got == (wrapped.strip(" \t\r\n"), value.strip(" \t\r\n"),
                           '"result":%s' % value.strip(" \t\r\n")), value
        await asyncio.gather(caller.close(), provider.close())
    run(main())


def test_an_errors_details_pass_as_they_were_written(start):
    gateway = start(workers=3)

    async def main():
        caller, provider = await pair(gateway)
        for value in [*VALUES, MANY_KEYS]:
            details = value.strip() if value.strip().startswith("{") else '{ "v" : %s }' % value
            error = '{ "message":"caf\\u00e9","details":%s,\n"code":"UNAVAILABLE","more":1e400 }' % details
            got = await exchange(caller, provider, "{}", "0", '"error":%s' % error)
            assert got == ("{}", "0", '"error":%s' % error), value
        await asyncio.gather(caller.close(), provider.close())
    run(main())


@pytest.mark.parametrize("workers", [1, 3])
def test_messages_as_long_as_they_may_be(start, workers):
    """Requests and answers of policy.maxPayload, through mailboxes that hold four of them."""
    gateway = start(workers=workers)

    async def main():
        caller = await connect(gateway)
        provider = await connect(gateway) if workers == 1 else await connect_on(
            gateway, (await worker_of_other(caller, workers)))
        await provider.call("provider.register", {"methods": ["big"], "concurrency": 64})
        await until(caller, lambda s: s["providers"], "the provider")
        longest = caller.hello_ok["policy"]["maxPayload"]

        async def serve():
            while True:
                frame = await provider.event()
                if frame["type"] != "request":
                    continue
                head = '{"type":"response","id":"%s","result":"' % frame["id"]
                fill = chr(ord("a") + frame["params"]["n"]) * (longest - len(head) - 2)
                await provider.ws.send(head + fill + '"}')
        server = asyncio.ensure_future(serve())
        count = 12
        room = longest - 700  # the provider's frame has more around it than the client's
        answers = []
        for wave in range(0, count, 3):  # as many as a mailbox has room for
            answers += await asyncio.gather(*(caller.call("big", {"n": n, "x": "x" * room})
                                              for n in range(wave, wave + 3)))
        assert [set(answer) for answer in answers] == [{chr(ord("a") + n)} for n in range(count)]
        assert all(len(answer) > longest - 100 for answer in answers)
        # A frame that the provider might not take is not passed on.
        frame = {"id": "t", "type": "request", "method": "big", "params": {"x": ""}}
        frame["params"]["x"] = "x" * (longest - len(json.dumps(frame)))
        future = caller.answers["t"] = asyncio.get_running_loop().create_future()
        await caller.ws.send(json.dumps(frame))
        refused = await asyncio.wait_for(future, PATIENCE)
        assert refused["error"]["code"] == "INVALID_REQUEST"
        assert refused["error"]["details"]["reason"] == "too-large"
        server.cancel()
        await asyncio.gather(caller.close(), provider.close())
    run(main())


async def worker_of_other(client, workers):

    return (await worker_of(client) + 1) % workers
