"""The client libraries of contrib: the same steps by each of them, with the same outcome, against the real
gateway, and against one that closes, forgets and keeps silent as it is told."""

import asyncio
import os
import re
import signal

import pytest

from fakegateway import FakeGateway
from gateway import authority, connect, tls_settings, wait_for
from peers import COMMANDS, play_program

LANGUAGES = sorted(COMMANDS)
AWKWARD = {"text": "ü€😀\u2028\\\"", "n": 9007199254740991, "list": [1.5, None, True, {}], "": ""}
CLOSED = ["UNAVAILABLE", "closed", None, False, None]
LOST = ["UNAVAILABLE", "connection-lost", None, True, None]
OVER = ["UNAVAILABLE", "connection-lost", None, False, None]

REAL = {
    "talk": [
        ["connected", 8, True],
        ["event", "count.a", AWKWARD, "a:b", True],
        ["others", [["count.b.c", None], ["agent.delta", {}]]],
        ["keyed", [["note.b", {"x": 1}, "k:1"]]],
        ["health", "healthy"],
        ["unknown", ["METHOD_NOT_FOUND", None, "method", False, None]],
        ["reserved", ["INVALID_REQUEST", "reserved-event", "params.event", False, None]],
        ["bad", ["INVALID_REQUEST", "invalid-field", "params.limit", False, None]],
        ["pattern", ["INVALID_REQUEST", "invalid-field", "params.events[0]", False, None]],
        ["many", True, True],
        ["called", [1], "count.last"],
        ["closed", [], CLOSED],
    ],
    "killed": [
        ["seen", True, True, True],
        ["last", [["count.last", {"end": True}]]],
    ],
    "provide": [
        ["progress", [0, 1, 2], {"counted": 3}],
        ["unseen progress", {"counted": 100}],
        ["fail", ["INVALID_REQUEST", "no-thing", "params.thing", False, None]],
        ["crash", ["INTERNAL_ERROR", "provider-failed", None, False, None]],
        ["who", ["test.who", "scenario", "k:1", {"x": AWKWARD}]],
        ["cancelled", ["UNAVAILABLE", "cancelled"], {"n": 1}],
        ["timeout", "AGENT_TIMEOUT", {"n": 2}],
        ["again", {"counted": 1}],
        ["gone", ["METHOD_NOT_FOUND", None, "method", False, None]],
        ["closed"],
    ],
    "once": [
        ["published", True],
        ["answers", [1, 1]],
        ["answer", 2, 2],
    ],
}

FAKE = {
    "refused": [
        ["refused", ["INVALID_REQUEST", "unauthorized", "auth.token", False, None]],
        ["not yet", ["NOT_LINKED", None, None, True, 10]],
        ["patient", "00000004"],
        ["http", "UNAVAILABLE"],
    ],
    "endings": [
        [1012, True, True],
        [1011, True, True],
        [1012, True, True],
        ["lost", LOST, True],
        ["1013", LOST, True],
        [1008, LOST, OVER, OVER, OVER],
        [1000, LOST, OVER, OVER, OVER],
    ],
    "positions": [
        ["hello", [None, {"events": []}]],
        ["event", [{"epoch": "e1", "seq": 50}, {"events": ["x.*", "y"]}]],
        ["position", [{"epoch": "e1", "seq": 60}, {"events": ["x.*", "y"]}]],
        ["gap", [{"epoch": "e1", "seq": 70}, {"events": ["x.*", "y"]}]],
        ["directed", [{"epoch": "e1", "seq": 70}, {"events": ["x.*", "y"]}]],
        ["not recovered", [{"epoch": "e1", "seq": 71}, {"events": ["x.*", "y"]}]],
        ["told", [["x.a", 1, 50], ["gateway.gap", {"from": 61, "to": 70}, 70], ["x.b", 2, None],
                  ["gateway.gap", {"recovered": False}, 900]]],
        ["narrow", [{"epoch": "e2", "seq": 1004}, {"events": ["many", "x.*", "y"]}]],
        ["overflow", [["gateway.gap", {"from": 1000, "to": 1002}, 1002], ["many", 3, 1003],
                      ["many", 4, 1004]]],
    ],
    "lines": [
        ["line", True, 2],
        ["large", ["INVALID_REQUEST", "too-large", None, False, None]],
        ["cancel", ["UNAVAILABLE", "cancelled", None, True, None]],
        ["given up", 2],
    ],
}


# --- what the test does when it is asked ----------------------------------------------------------


class Killer:
    """Kills the worker that a client sits on."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.asks = {"publish and kill": lambda _: asyncio.run(self.publish_and_kill()),
                     "same worker": lambda line: asyncio.run(self.share(line["connIds"])),
                     "kill": lambda line: asyncio.run(self.kill_by_id(line["connId"]))}

    async def find(self, client, **wanted):
        """The connection of which this holds, once it is there."""
        while True:
            listed = (await client.call("connections.list", {"limit": 200}))["connections"]
            for c in listed:
                if all(c[k] == v for k, v in wanted.items()):
                    return c

    async def share(self, conn_ids):
        """Whether these two sit on the same worker."""
        probe = await connect(self.gateway, {"events": []})
        first, second = [(await self.find(probe, connId=c))["worker"] for c in conn_ids]
        await probe.close()
        return first == second

    async def kill(self, index):
        def served():
            return len(workers := self.gateway.workers()) == 3 and workers
        workers = await asyncio.to_thread(wait_for, served, "three workers")
        os.kill(workers[index], signal.SIGKILL)

    async def elsewhere(self, index):
        """A client on another worker than this one, which publishes and is not killed."""
        while True:
            client = await connect(self.gateway, {"events": []}, client={"id": "publisher"})
            if (await self.find(client, connId=client.conn_id))["worker"] != index:
                return client
            await client.close()

    async def publish_and_kill(self, rounds=4, each=100):
        """Publishes numbers while the client's worker is killed again and again; returns how many."""
        count, last = 0, None
        for _ in range(rounds):
            probe = await connect(self.gateway, {"events": []})
            victim = await self.wait_connection(probe, "scenario", last)
            await probe.close()
            publisher = await self.elsewhere(victim["worker"])
            for i in range(each):
                if i == each // 3:
                    await self.kill(victim["worker"])
                await publisher.call("events.publish", {"event": "count.x", "payload": {"i": count}})
                count += 1
            last = victim["connId"]
            await publisher.close()
        probe = await connect(self.gateway, {"events": []})
        await self.wait_connection(probe, "scenario", last)
        await probe.close()
        return count

    async def wait_connection(self, probe, client_id, but):
        """The connection of this client that is not the one which was killed."""
        while True:
            listed = (await probe.call("connections.list", {"limit": 200}))["connections"]
            for c in listed:
                if c["client"]["id"] == client_id and c["connId"] != but:
                    return c

    async def kill_by_id(self, conn_id):
        probe = await connect(self.gateway, {"events": []})
        index = (await self.find(probe, connId=conn_id))["worker"]
        await probe.close()
        await self.kill(index)
        return index


def assert_logged(errors, scenario):
    """A handler's defect is told where it happened, and nothing else is."""
    if scenario == "provide":
        assert re.findall(r"^the handler of (\S+) failed", errors, re.M) == ["test.crash"], errors
        assert "a defect of the test's" in errors
    else:
        assert errors == ""


def play_real(start, scenario, play, **settings):
    gateway = start(workers=3, **settings)
    return play(gateway.url, scenario, Killer(gateway).asks)


@pytest.mark.parametrize("scenario", REAL)
@pytest.mark.parametrize("language", LANGUAGES)
def test_with_the_gateway(start, language, scenario):
    transcript, errors = play_real(start, scenario, lambda *a: play_program(language, *a))
    assert transcript == REAL[scenario]
    assert_logged(errors, scenario)


@pytest.mark.parametrize("language", LANGUAGES)
def test_over_tls(start, language):
    """Each trusts whom its platform is told to trust."""
    gateway = start(**tls_settings())
    signer = str(authority()[0].cert)
    transcript, errors = play_program(language, gateway.url, "talk", SSL_CERT_FILE=signer,
                                      NODE_EXTRA_CA_CERTS=signer)
    assert transcript == REAL["talk"]
    assert errors == ""


@pytest.mark.parametrize("scenario", FAKE)
@pytest.mark.parametrize("language", LANGUAGES)
def test_with_a_gateway_that_does_as_it_is_told(language, scenario):
    with FakeGateway() as fake:
        transcript, errors = play_program(language, fake.url, scenario)
        assert transcript == FAKE[scenario]
        assert errors == ""
        bad = [h for h in fake.hellos if h.get("auth", {}).get("token") == "bad"]
        assert len(bad) == (scenario == "refused"), "a token that is refused for good is not sent again"
