"""Hello, requests and events: every malformed hello and frame gets its named answer."""

import asyncio
import json

import pytest
import websockets

from gateway import HELLO, PATIENCE, Client, connect

pytestmark = [pytest.mark.san, pytest.mark.valgrind]


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 3 * PATIENCE))


async def open_socket(gateway):
    return await websockets.connect(gateway.url, ssl=gateway.ssl, compression=None, ping_interval=None,
                                    max_size=None)


async def receive(ws):
    return json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))


async def closed(ws):
    """The code with which the server closes."""
    await asyncio.wait_for(ws.wait_closed(), PATIENCE)
    return ws.close_code


def hello(**changes):
    return {**HELLO, **changes}


def hello_client(**changes):
    return hello(client={**HELLO["client"], **changes})


def without(frame, *path):
    copy = json.loads(json.dumps(frame))
    at = copy
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return copy


def test_hello_ok(gateway):
    async def scenario():
        client = await connect(gateway)
        ok = client.hello_ok
        assert ok["protocol"] == 1
        assert ok["server"]["version"] == "0.1.0"
        assert len(ok["server"]["connId"]) == 8 and int(ok["server"]["connId"], 16)
        assert ok["features"]["methods"] == sorted(ok["features"]["methods"])
        assert {"health", "sessions.list", "events.publish"} <= set(ok["features"]["methods"])
        assert ok["features"]["events"] == ["agent.*", "session.*", "cron.*", "config.*", "channel.*",
                                            "skill.*", "hook.*", "gateway.*"]
        assert ok["snapshot"] == {"sessions": [], "cronJobs": [], "channels": []}
        assert ok["policy"] == {"maxPayload": 1048576, "maxBufferedBytes": 1048576, "maxInFlight": 64,
                                "pingIntervalMs": 30000, "pongTimeoutMs": 10000}
        assert ok["resume"]["seq"] == 0
        await client.close()
    run(scenario())


BAD_HELLOS = [
    ("not json", "this is not JSON", None, None),
    ("array", "[]", None, None),
    ("empty", "", None, None),
    ("request first", json.dumps({"id": "1", "type": "request", "method": "health"}), None, None),
    ("no type", json.dumps(without(HELLO, "type")), None, None),
    ("no minProtocol", json.dumps(without(HELLO, "minProtocol")), None, "minProtocol"),
    ("no maxProtocol", json.dumps(without(HELLO, "maxProtocol")), None, "maxProtocol"),
    ("string minProtocol", json.dumps(hello(minProtocol="1")), None, "minProtocol"),
    ("fraction", json.dumps(hello(minProtocol=1.5)), None, "minProtocol"),
    ("no client", json.dumps(without(HELLO, "client")), None, "client"),
    ("client no object", json.dumps(hello(client=[])), None, "client"),
    ("no client.id", json.dumps(without(HELLO, "client", "id")), None, "client.id"),
    ("null client.id", json.dumps(hello_client(id=None)), None, "client.id"),
    ("empty client.id", json.dumps(hello_client(id="")), None, "client.id"),
    ("long client.id", json.dumps(hello_client(id="x" * 129)), None, "client.id"),
    ("no client.version", json.dumps(without(HELLO, "client", "version")), None, "client.version"),
    ("no client.platform", json.dumps(without(HELLO, "client", "platform")), None, "client.platform"),
    ("no client.mode", json.dumps(without(HELLO, "client", "mode")), None, "client.mode"),
    ("bad client.mode", json.dumps(hello_client(mode="robot")), None, "client.mode"),
    ("caps no array", json.dumps(hello(caps="x")), None, "caps"),
    ("caps of numbers", json.dumps(hello(caps=[1])), None, "caps[0]"),
    ("auth no object", json.dumps(hello(auth="secret")), None, "auth"),
    ("bad pattern", json.dumps(hello(subscribe={"events": ["a..b"]})), None, "subscribe.events[0]"),
    ("bad keys", json.dumps(hello(subscribe={"sessionKeys": [""]})), None, "subscribe.sessionKeys[0]"),
    ("bad resume", json.dumps(hello(resume={"epoch": 1, "seq": 1})), None, "resume.epoch"),
    ("too new", json.dumps(hello(minProtocol=2, maxProtocol=9)), "protocol-mismatch", None),
    ("too old", json.dumps(hello(minProtocol=0, maxProtocol=0)), "protocol-mismatch", None),
    ("duplicate key", json.dumps(HELLO)[:-1] + ',"type":"hello"}', "duplicate-key", "type"),
    ("escaped duplicate", json.dumps(HELLO)[:-1] + ',"\\u0074ype":"hello"}', "duplicate-key", None),
    ("both spellings", json.dumps(hello(min_protocol=1)), "duplicate-key", None),
    ("deep", '{"type":"hello","x":' + "[" * 65 + "]" * 65 + "}", "invalid-json", None),
    ("trailing", json.dumps(HELLO) + "x", "invalid-json", None),
]


@pytest.mark.parametrize("text, reason, field", [b[1:] for b in BAD_HELLOS],
                         ids=[b[0] for b in BAD_HELLOS])
def test_bad_hello(session_gateway, text, reason, field):
    async def scenario():
        ws = await open_socket(session_gateway)
        await ws.send(text)
        answer = await receive(ws)
        assert answer["type"] == "hello-error"
        error = answer["error"]
        assert error["code"] == "INVALID_REQUEST" and error["message"]
        if reason:
            assert error["details"]["reason"] == reason
        if field:
            assert error["details"]["field"] == field
        if reason == "protocol-mismatch":
            assert error["details"]["supported"] == [1, 1]
        assert await closed(ws) == 1008
    run(scenario())


def test_hello_spellings_and_unknown_fields(session_gateway):
    async def scenario():
        frame = {"type": "hello", "min_protocol": 1, "max_protocol": 3, "future": {"a": [1, 1e300]},
                 "client": {"id": "c", "display_name": "Name", "version": "1", "platform": "p",
                            "mode": "app", "color": "red"},
                 "caps": None, "auth": None, "subscribe": None, "resume": None}
        ws = await open_socket(session_gateway)
        await ws.send(json.dumps(frame))
        answer = await receive(ws)
        assert answer["type"] == "hello-ok"
        client = Client(ws, answer)
        listed = await client.call("connections.list", {"limit": 200})
        mine = [c for c in listed["connections"] if c["connId"] == client.conn_id]
        assert mine[0]["client"]["displayName"] == "Name"
        await client.close()
    run(scenario())


def test_late_hello(start):
    gateway = start(handshake_timeout_ms=300)

    async def scenario():
        ws = await open_socket(gateway)
        answer = await receive(ws)
        assert answer["type"] == "hello-error"
        assert answer["error"]["details"]["reason"] == "hello-timeout"
        assert await closed(ws) == 1008
    run(scenario())


BAD_FRAMES = [
    ("not json", "nope", "", "invalid-json"),
    ("array", "[1]", "", "not-an-object"),
    ("string", '"x"', "", "not-an-object"),
    ("no type", '{"id":"a"}', "a", None),
    ("unknown type", '{"id":"a","type":"bogus"}', "a", "unknown-type"),
    ("type no string", '{"id":"a","type":7}', "a", None),
    ("no id", '{"type":"request","method":"health"}', "", None),
    ("id number", '{"id":1,"type":"request","method":"health"}', "", None),
    ("empty id", '{"id":"","type":"request","method":"health"}', "", None),
    ("long id", '{"id":"%s","type":"request","method":"health"}' % ("x" * 129), "", None),
    ("no method", '{"id":"a","type":"request"}', "a", None),
    ("bad method", '{"id":"a","type":"request","method":"a..b"}', "a", None),
    ("long method", '{"id":"a","type":"request","method":"%s"}' % ("x" * 129), "a", None),
    ("params array", '{"id":"a","type":"request","method":"health","params":[]}', "a", None),
    ("timeout zero", '{"id":"a","type":"request","method":"health","timeoutMs":0}', "a", None),
    ("timeout long", '{"id":"a","type":"request","method":"health","timeoutMs":600001}', "a", None),
    ("session key", '{"id":"a","type":"request","method":"health","sessionKey":5}', "a", None),
    ("duplicate", '{"id":"a","type":"request","method":"health","x":1,"x":2}', "a", "duplicate-key"),
    ("second hello", json.dumps(HELLO), "", None),
    ("response", '{"id":"a","type":"response","result":{}}', "a", None),
    ("deep", '{"id":"a","type":"request","method":"health","params":{"x":' + "[" * 64 + "]" * 64 + "}}",
     None, "invalid-json"),
    ("control character", '{"id":"a\n","type":"request","method":"health"}', "", "invalid-json"),
]


@pytest.mark.parametrize("text, id, reason", [b[1:] for b in BAD_FRAMES], ids=[b[0] for b in BAD_FRAMES])
def test_bad_frame(session_gateway, text, id, reason):
    async def scenario():
        client = await connect(session_gateway)
        await client.ws.send(text)
        answer = await client.event()
        assert answer["type"] == "response"
        assert answer["error"]["code"] == "INVALID_REQUEST"
        if id is not None:
            assert answer["id"] == id
        if reason:
            assert answer["error"]["details"]["reason"] == reason
        assert (await client.call("health"))["status"] == "healthy"
        await client.close()
    run(scenario())


def test_twenty_bad_frames_in_a_row_close(session_gateway):
    async def scenario():
        client = await connect(session_gateway)
        for i in range(19):
            await client.ws.send("bad")
        await client.call("health")
        for i in range(20):
            assert not client.closed.done()
            await client.ws.send("bad")
        assert (await asyncio.wait_for(client.closed, PATIENCE))[0] == 1008
    run(scenario())


def test_unknown_method_and_unknown_fields(session_gateway):
    async def scenario():
        client = await connect(session_gateway)
        answer = await client.request("no.such.method", {}, future=[1, {"a": None}])
        assert answer["error"]["code"] == "METHOD_NOT_FOUND"
        assert answer["error"]["message"] == "Method not found: no.such.method"
        answer = await client.request("health", None, sessionKey=None, timeoutMs=None, color="red")
        assert answer["result"]["status"] == "healthy"
        await client.close()
    run(scenario())


def test_binary_invalid_utf8_and_too_big(session_gateway):
    async def scenario():
        client = await connect(session_gateway)
        await client.ws.send(b"\x00\x01")
        assert (await client.closed)[0] == 1003
        client = await connect(session_gateway)
        await client.ws.send("x" * (1048576 + 1))
        assert (await client.closed)[0] == 1009
        ws = await open_socket(session_gateway)
        await ws.send("x" * (64 * 1024 + 1))
        assert await closed(ws) == 1009
    run(scenario())


def test_subprotocol(session_gateway):
    async def scenario():
        ws = await websockets.connect(session_gateway.url, ssl=session_gateway.ssl,
                                      subprotocols=["other", "lurkbot.v1"])
        assert ws.subprotocol == "lurkbot.v1"
        await ws.close()
        ws = await websockets.connect(session_gateway.url + "ws", ssl=session_gateway.ssl)
        assert ws.subprotocol is None
        await ws.close()
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(session_gateway.url + "elsewhere", ssl=session_gateway.ssl)
        assert refused.value.status_code == 404
    run(scenario())


def test_publish_payload_survives_byte_for_byte(session_gateway):
    payload = '{"b":1,"a":[9007199254740993,1e300,-0.0],"b":2,"n":"\\u0000\\ud83d\\ude00","z":{}}'

    async def scenario():
        sender = await connect(session_gateway)
        ws = await open_socket(session_gateway)
        await ws.send(json.dumps(hello(subscribe={"events": ["exact.test"]})))
        await receive(ws)
        await sender.ws.send('{"id":"p","type":"request","method":"events.publish","params":'
                             '{"event":"exact.test","payload":%s,"sessionKey":"k\\u00e9"}}' % payload)
        text = await asyncio.wait_for(ws.recv(), PATIENCE)
        assert f'"payload":{payload}' in text
        event = json.loads(text)
        assert event["sessionKey"] == "ké" and event["event"] == "exact.test"
        assert event["id"] == "evt_%08x" % event["seq"]
        await ws.close()
        await sender.close()
    run(scenario())


PUBLISH_FAULTS = [
    ({}, "params.event"), ({"event": 1}, "params.event"), ({"event": ""}, "params.event"),
    ({"event": "a..b"}, "params.event"), ({"event": "a b"}, "params.event"),
    ({"event": "x" * 129}, "params.event"), ({"event": "a.*"}, "params.event"),
    ({"event": "a", "payload": 5}, "params.payload"), ({"event": "a", "payload": []}, "params.payload"),
    ({"event": "a", "sessionKey": ""}, "params.sessionKey"),
    ({"event": "gateway.shutdown"}, "params.event"), ({"event": "config.x"}, "params.event"),
    ({"event": "cron.x"}, "params.event"), ({"event": "skill.x"}, "params.event"),
    ({"event": "hook.x"}, "params.event"), ({"event": "session.created"}, "params.event"),
]


def test_publish_faults(session_gateway):
    async def scenario():
        client = await connect(session_gateway)
        for params, field in PUBLISH_FAULTS:
            error = (await client.request("events.publish", params))["error"]
            assert error["code"] == "INVALID_REQUEST", params
            assert error["details"]["field"] == field, params
        for event in ("agent.x", "channel.x", "session.message", "mine", "mine.own.x"):
            assert "seq" in await client.call("events.publish", {"event": event})
        await client.close()
    run(scenario())


def test_filters(session_gateway):
    async def scenario():
        everything = await connect(session_gateway)
        some = await connect(session_gateway, {"events": ["a.*", "b.x"], "sessionKeys": ["k1"]})
        nothing = await connect(session_gateway, {"events": []})
        last = None
        for event, key in [("a.x", "k1"), ("a.x", "k2"), ("a", "k1"), ("a.y.z", "k1"), ("b.x", "k1"),
                           ("b.y", "k1"), ("b.x", None), ("c", None)]:
            params = {"event": event, "payload": {"k": key}}
            if key:
                params["sessionKey"] = key
            last = await everything.call("events.publish", params)
        seen = []
        while not seen or seen[-1]["seq"] != last["seq"]:
            seen.append(await everything.event())
        assert [e["event"] for e in seen] == ["a.x", "a.x", "a", "a.y.z", "b.x", "b.y", "b.x", "c"]
        assert [(await some.event())["event"] for _ in range(3)] == ["a.x", "a.y.z", "b.x"]
        changed = await nothing.call("events.subscribe", {"events": ["c.*", "c"]})
        assert changed["seq"] == last["seq"] and sorted(changed["events"]) == ["c", "c.*"]
        await everything.call("events.publish", {"event": "c.d"})
        assert (await nothing.event())["event"] == "c.d"
        assert some.events.empty()
        for client in (everything, some, nothing):
            await client.close()
    run(scenario())


def test_presence_only_by_name(session_gateway):
    async def scenario():
        watcher = await connect(session_gateway, {"events": ["gateway.*"]})
        star = await connect(session_gateway, {"events": ["*"]})
        plain = await connect(session_gateway)
        ids = {}
        for _ in range(3):
            event = await watcher.event()
            assert event["event"] == "gateway.connected"
            ids[event["payload"]["connId"]] = event["payload"]["client"]["id"]
        assert ids == {c.conn_id: "test" for c in (watcher, star, plain)}
        await plain.close()
        event = await watcher.event()
        assert event["event"] == "gateway.disconnected"
        assert event["payload"]["connId"] == plain.conn_id
        await watcher.call("events.publish", {"event": "mark"})
        assert (await star.event())["event"] == "mark"
        await watcher.close()
        await star.close()
    run(scenario())


def test_sessions_list(start):
    gateway = start(workers=1)

    async def scenario():
        client = await connect(gateway)
        for i in range(5):
            await client.call("events.publish", {
                "event": "session.message", "sessionKey": f"telegram:{i}:main",
                "payload": {"role": "user", "content": "é" * 300 + str(i)}})
        await client.call("events.publish", {
            "event": "session.message", "sessionKey": "web:1", "payload": {"content": "Hi", "role": "user"}})
        page = await client.call("sessions.list", {"limit": 2})
        assert [s["sessionKey"] for s in page["sessions"]] == ["web:1", "telegram:4:main"]
        assert page["sessions"][0]["channel"] == "web"
        assert page["sessions"][0]["lastMessage"]["preview"] == "Hi"
        assert page["sessions"][1]["lastMessage"]["preview"] == "é" * 200
        rest = await client.call("sessions.list", {"cursor": page["nextCursor"]})
        assert len(rest["sessions"]) == 4 and "nextCursor" not in rest
        found = await client.call("sessions.list", {"channel": "web"})
        assert [s["messageCount"] for s in found["sessions"]] == [1]
        assert (await client.call("sessions.list", {"search": "nothing"}))["sessions"] == []
        for bad in ({"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"limit": "5"}):
            assert (await client.request("sessions.list", bad))["error"]["code"] == "INVALID_REQUEST"
        newcomer = await connect(gateway)
        assert [s["sessionKey"] for s in newcomer.hello_ok["snapshot"]["sessions"]][0] == "web:1"
        await client.close()
        await newcomer.close()
    run(scenario())


def test_connections_list_and_close_over_workers(start):
    gateway = start(workers=4)

    async def scenario():
        clients = [await connect(gateway, client={"id": f"c{i}"}) for i in range(60)]
        found, cursor = {}, None
        while True:
            params = {"limit": 7, **({"cursor": cursor} if cursor else {})}
            page = await clients[0].call("connections.list", params)
            assert len(page["connections"]) <= 7
            for c in page["connections"]:
                assert c["connId"] not in found
                found[c["connId"]] = c
            cursor = page.get("nextCursor")
            if not cursor:
                break
        assert set(found) == {c.conn_id for c in clients}
        assert {c["worker"] for c in found.values()} == {0, 1, 2, 3}
        here = found[clients[0].conn_id]["worker"]
        other = next(c for c in clients if found[c.conn_id]["worker"] != here)
        assert await clients[0].call("connections.close", {"connId": other.conn_id, "reason": "go"}) == {
            "closed": True}
        assert await asyncio.wait_for(other.closed, PATIENCE) == (1000, "go")
        error = (await clients[0].request("connections.close", {"connId": other.conn_id}))["error"]
        assert error["details"]["reason"] == "not-found"
        for client in clients:
            await client.close()
    run(scenario())


def test_in_flight_limit_duplicate_id_and_cancel(start):
    gateway = start(workers=2, max_in_flight=2)

    async def scenario():
        client = await connect(gateway)
        # Another worker that stands still keeps a connections.list waiting.
        import os
        import signal
        listed = await client.call("connections.list")
        here = listed["connections"][0]["worker"]
        other = next(pid for index, pid in gateway.workers().items() if index != here)
        os.kill(other, signal.SIGSTOP)
        try:
            for id in ("a", "a", "b", "c"):
                await client.ws.send(json.dumps(
                    {"id": id, "type": "request", "method": "connections.list"}))
            refused = [await client.event() for _ in range(2)]
            assert refused[0]["id"] == "a"
            assert refused[0]["error"]["details"]["reason"] == "duplicate-id"
            assert refused[1]["id"] == "c"
            assert refused[1]["error"]["details"] == {"reason": "too-many-in-flight", "retryable": True}
            await client.ws.send(json.dumps({"id": "a", "type": "cancel"}))
            answer = await client.event()
            assert answer["id"] == "a" and answer["error"]["details"]["reason"] == "cancelled"
            answer = await client.event()
            assert answer["id"] == "b" and answer["error"]["details"]["reason"] == "worker-busy"
        finally:
            os.kill(other, signal.SIGCONT)
        await client.close()
    run(scenario())


def test_no_event_is_longer_than_a_client_may_send(gateway):
    async def scenario():
        client = await connect(gateway, {"events": ["long"]})
        # With a seq of some digits the event around a payload is longer than the shortest request.
        for _ in range(1000):
            await client.call("events.publish", {"event": "short"})
        head, tail = '{"id":"r","type":"request","method":"events.publish","params":{"event":"long",' \
            '"payload":{"x":"', '"}}}'
        room = 1048576 - len(head) - len(tail)
        for size, fits in ((room, False), (room - 100, True)):
            future = client.answers["r"] = asyncio.get_running_loop().create_future()
            await client.ws.send(head + "y" * size + tail)
            answer = await asyncio.wait_for(future, PATIENCE)
            if fits:
                assert "result" in answer
                assert (await client.event())["payload"]["x"] == "y" * size
            else:
                assert answer["error"]["details"]["reason"] == "too-large"
        await client.close()
    run(scenario())
