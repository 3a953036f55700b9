"""The steps of test_clients.py with the Python library; scenarios.mjs does the same in JavaScript.

Each line that goes out is {"say": [...]}, a line of the transcript, or {"ask": WHAT, ...}, which the test
answers by a line on the standard input. scenario.py LIBRARY URL NAME"""

import asyncio
import json
import sys

sys.path.insert(0, sys.argv[1])

from lurkbot_gateway import Gateway, GatewayError  # noqa: E402 (the path comes first)


def say(*what):
    print(json.dumps({"say": what}), flush=True)


async def ask(what, **more):
    print(json.dumps({"ask": what, **more}), flush=True)
    return json.loads(await asyncio.to_thread(sys.stdin.readline))


async def error_of(call):
    try:
        return ["no error", await call]
    except GatewayError as error:
        return [error.code, error.reason, error.field, error.retryable, error.retry_after_ms]


async def take(stream, count):
    """The next things of it."""
    things = []
    while len(things) < count:
        things.append(await stream.__anext__())
    return things


# --- against the real gateway -------------------------------------------------------------------

AWKWARD = {"text": "ü€😀\u2028\\\"", "n": 9007199254740991, "list": [1.5, None, True, {}], "": ""}


async def talk(url):
    """Subscribe, publish, receive, ask, fail."""
    gateway = Gateway(url, client_id="scenario")
    await gateway.connect()
    say("connected", len(gateway.conn_id), "health" in gateway.hello["features"]["methods"])
    events = gateway.subscribe("count.*", "agent.delta")
    keyed = gateway.subscribe("note.*", session_keys=["k:1"])
    await events.ready()
    await keyed.ready()
    for name, payload, key in [("count.a", AWKWARD, "a:b"), ("note.a", {}, "k:2"), ("note.b", {"x": 1}, "k:1"),
                               ("counter", {}, None), ("count.b.c", None, None), ("agent.delta", {}, "k:1")]:
        seq = (await gateway.publish(name, payload, session_key=key))["seq"]
        if name == "count.a":
            first = (await take(events, 1))[0]
            say("event", first.name, first.payload, first.session_key, first.seq == seq)
    say("others", [[e.name, e.payload] for e in await take(events, 2)])
    say("keyed", [[e.name, e.payload, e.session_key] for e in await take(keyed, 1)])
    say("health", (await gateway.request("health"))["status"])
    say("unknown", await error_of(gateway.request("nope")))
    say("reserved", await error_of(gateway.publish("gateway.x")))
    say("bad", await error_of(gateway.request("events.history", {"limit": 0})))
    say("pattern", await error_of(gateway.subscribe("*x").ready()))
    many = await asyncio.gather(*(gateway.publish("count.many", {"i": i}) for i in range(200)))
    seen = await take(events, 200)
    say("many", [e.payload["i"] for e in seen] == list(range(200)), [e.seq for e in seen] == [a["seq"] for a in many])
    seen = []
    called = gateway.subscribe("call.*", on_event=lambda e: seen.append(e.payload["n"]))
    await called.ready()
    await gateway.publish("call.x", {"n": 1})
    await gateway.publish("count.after")
    await take(events, 1)
    called.close()
    await gateway.publish("call.x", {"n": 2})
    await gateway.publish("count.last")
    say("called", seen, (await take(events, 1))[0].name)
    await gateway.close()
    say("closed", [e async for e in events], await error_of(gateway.request("health")))
    await gateway.wait_closed()


async def killed(url):
    """The worker dies under the client, several times; every event comes once."""
    connects = []
    gateway = Gateway(url, client_id="scenario", on_connect=lambda hello: connects.append(hello["resume"]))
    await gateway.connect()
    events = gateway.subscribe("count.*")
    await events.ready()
    total = await ask("publish and kill")
    seen = [e.payload["i"] for e in await take(events, total)]
    say("seen", seen == list(range(total)), len(connects) > 3,
        [r["recovered"] for r in connects[1:]] == [True] * (len(connects) - 1))
    await gateway.publish("count.last", {"end": True})
    say("last", [(e.name, e.payload) for e in await take(events, 1)])
    await gateway.close()


class Agent:
    """A provider whose handlers do what the steps need."""

    def __init__(self, url):
        self.gateway = Gateway(url, client_id="agent")
        self.given_up = asyncio.Queue()
        self.runs = 0
        self.go = asyncio.Event()

    async def start(self):
        await self.gateway.connect()
        await self.gateway.register({"test.count": self.count, "test.fail": self.fail, "test.crash": self.crash,
                                     "test.who": self.who, "test.hang": self.hang, "test.once": self.once,
                                     "test.slowly": self.slowly},
                                    description="for a test")

    async def count(self, params, request):
        for i in range(params["to"]):
            await request.progress({"i": i})
        return {"counted": params["to"]}

    async def fail(self, params, request):
        raise GatewayError("INVALID_REQUEST", "No such thing.", {"reason": "no-thing", "field": "params.thing"})

    async def crash(self, params, request):
        raise ValueError("a defect of the test's")

    async def who(self, params, request):
        return [request.method, request.caller["clientId"], request.session_key, params]

    async def hang(self, params, request):
        await request.progress("hanging")
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.put_nowait(params)

    async def once(self, params, request):
        self.runs += 1
        return self.runs

    async def slowly(self, params, request):
        await request.progress({})
        await self.go.wait()
        return await self.once(params, request)


async def provide(url):
    """A provider, and a client that calls it."""
    agent = Agent(url)
    await agent.start()
    gateway = Gateway(url, client_id="scenario")
    await gateway.connect()
    methods = gateway.subscribe("gateway.methods")
    await methods.ready()
    call = gateway.request("test.count", {"to": 3})
    say("progress", [part["i"] async for part in call], await call)
    say("unseen progress", await gateway.request("test.count", {"to": 100}))
    say("fail", await error_of(gateway.request("test.fail")))
    say("crash", await error_of(gateway.request("test.crash")))
    say("who", await gateway.request("test.who", {"x": AWKWARD}, session_key="k:1"))
    call = gateway.request("test.hang", {"n": 1})
    await take(call, 1)
    call.cancel()
    say("cancelled", (await error_of(call))[:2], await agent.given_up.get())
    say("timeout", (await error_of(gateway.request("test.hang", {"n": 2}, timeout=0.2)))[0], await agent.given_up.get())
    await ask("kill", connId=agent.gateway.conn_id)
    while "test.count" not in (await take(methods, 1))[0].payload.get("added", []):
        pass
    say("again", await gateway.request("test.count", {"to": 1}))
    await agent.gateway.register({})
    say("gone", await error_of(gateway.request("test.count", {"to": 1})))
    await agent.gateway.close()
    await gateway.close()
    say("closed")


async def once(url):
    """What has an idempotency key runs once, though the caller's worker dies and the request is sent again."""
    agent = Agent(url)
    await agent.start()
    gateway = await Gateway(url, client_id="scenario").connect()
    while await ask("same worker", connIds=[agent.gateway.conn_id, gateway.conn_id]):
        await gateway.close()
        gateway = await Gateway(url, client_id="scenario").connect()
    published = [await gateway.publish("test.once", idempotency_key="p") for _ in range(2)]
    say("published", published[0] == published[1])
    say("answers", [await gateway.request("test.once", {}, idempotency_key="k") for _ in range(2)])
    call = gateway.request("test.slowly", {}, idempotency_key=True)
    await take(call, 1)
    await ask("kill", connId=gateway.conn_id)
    agent.go.set()
    say("answer", await call, agent.runs)
    await agent.gateway.close()
    await gateway.close()


# --- against a gateway that does as it is told ----------------------------------------------------

async def refused(url):
    """A hello that is refused for good, and one that may be said again."""
    say("refused", await error_of(Gateway(url, client_id="a", token="bad").connect()))
    say("not yet", await error_of(Gateway(url, client_id="a", token="not-yet").connect()))
    patient = Gateway(url, client_id="a", token="not-yet")
    await patient.connect(wait=True)
    say("patient", patient.conn_id)
    await patient.close()
    say("http", (await error_of(Gateway(url + "forbidden", client_id="a").connect()))[0])


async def endings(url):
    """What a client does after each close code."""
    delays = asyncio.Queue()
    gateway = Gateway(url, client_id="a", on_disconnect=lambda error, delay: delays.put_nowait(delay * 1000))
    await gateway.connect()
    for code, longest in ((1012, 0), (1011, 500), (1012, 1000)):
        first = gateway.conn_id
        await gateway.request("close", {"code": code}, idempotency_key=True)
        say(code, gateway.conn_id != first, 0 <= await delays.get() <= longest)
    say("lost", await error_of(gateway.request("close", {"code": 1001})), await delays.get() <= 2000)
    await gateway.request("echo")
    say("1013", await error_of(gateway.request("close", {"code": 1013})), await delays.get() >= 2500)
    await gateway.close()
    for code in (1008, 1000):
        gateway = Gateway(url, client_id="a")
        await gateway.connect()
        events = gateway.subscribe("*")
        say(code, await error_of(gateway.request("close", {"code": code})), await error_of(gateway.wait_closed()),
            await error_of(events.__anext__()), await error_of(gateway.request("echo")))
        await gateway.close()


async def positions(url):
    """What the hello after a reconnect says, and what is lost is told."""
    gateway = Gateway(url, client_id="a", longest_delay_s=0.05)
    await gateway.connect()
    events = gateway.subscribe("x.*", "y")
    await events.ready()
    say("hello", await gateway.request("last hello"))

    async def after(*frames, **options):
        """Has events sent, then the connection closed; what the next hello says."""
        await gateway.request("close", {"code": 1011, "events": frames, **options}, idempotency_key=True)
        return await gateway.request("last hello")

    say("event", await after({"event": "x.a", "seq": 50, "payload": 1}))
    say("position", await after({"event": "gateway.position", "seq": 60}))
    say("gap", await after({"event": "gateway.gap", "seq": 70, "payload": {"from": 61, "to": 70}}))
    say("directed", await after({"event": "x.b", "payload": 2}))
    say("not recovered", await after({"event": "other", "seq": 71}, forget=True))
    say("told", [[e.name, e.payload, e.seq] for e in await take(events, 4)])
    small = gateway.subscribe("many", limit=3)
    await small.ready()
    say("narrow", await after(*({"event": "many", "seq": 1000 + i, "payload": i} for i in range(5))))
    say("overflow", [[e.name, e.payload, e.seq] for e in await take(small, 3)])
    await gateway.close()


async def lines(url):
    """More requests than the gateway takes at a time; one that is too large; one that nobody answers."""
    gateway = Gateway(url, client_id="a")
    await gateway.connect()
    results = await asyncio.gather(*(gateway.request("slow", {"i": i}) for i in range(30)))
    say("line", [r["i"] for r in results] == list(range(30)), max(r["unanswered"] for r in results))
    say("large", await error_of(gateway.request("echo", {"x": "é" * 100000})))
    silent = gateway.request("silent")
    await gateway.request("echo")
    silent.cancel()
    say("cancel", await error_of(silent))
    given = asyncio.ensure_future(asyncio.wait_for(gateway.request("silent"), 100))
    await gateway.request("echo")
    given.cancel()
    await asyncio.gather(given, return_exceptions=True)
    say("given up", await gateway.request("cancels"))
    await gateway.close()


async def main():
    await globals()[sys.argv[3]](sys.argv[2])

asyncio.run(main())
