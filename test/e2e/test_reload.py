"""Reloads of the configuration: by signal, by `gateway reload` and by config.reload."""

import asyncio
import json
import os
import signal
import subprocess

import pytest

from gateway import LURKBOT, PATIENCE, Gateway, connect, wait_for
from reload import Storm

pytestmark = pytest.mark.san


def write(gateway, **settings):
    """Changes the file of a running gateway."""
    gateway.settings.update(settings)
    raw(gateway, json.dumps({"gateway": gateway.settings}))


def raw(gateway, text):
    path = os.path.join(gateway.home, "config.json")
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def reload(gateway, check=True):
    done = gateway.cli("gateway", "reload", "--json", check=check)
    return json.loads(done.stdout) if done.returncode == 0 else done


def call(gateway, method, **params):
    return json.loads(gateway.cli("gateway", "call", method, "--params", json.dumps(params),
                                  "--json").stdout)


def get(gateway, key):
    return call(gateway, "config.get", path=f"gateway.{key}")["config"]["gateway"][key]


def test_a_good_one_says_what_changed(gateway):
    write(gateway, log_level="debug", max_in_flight=7)
    assert reload(gateway) == {"changed": ["gateway.max_in_flight", "gateway.log_level"]}
    assert get(gateway, "max_in_flight") == 7 and get(gateway, "log_level") == "debug"
    gateway.wait_line(r"configuration reloaded: gateway.max_in_flight gateway.log_level")
    assert reload(gateway) == {"changed": []}
    assert "Configuration reloaded\n" == gateway.cli("gateway", "reload").stdout


def test_a_bad_one_changes_nothing_and_says_why(gateway):
    write(gateway, log_level="loud", max_in_flight=7, nonsense=1)
    done = reload(gateway, check=False)
    assert done.returncode == 1
    error = json.loads(done.stderr)
    assert error["code"] == "INVALID_REQUEST" and "(and 1 more)" in error["message"]
    assert "config.json:1: gateway.log_level: must be" in error["message"]
    assert error["details"]["reason"] == "bad-configuration"
    gateway.wait_line(r"gateway\.nonsense: unknown setting")
    assert get(gateway, "max_in_flight") == 64
    # What is quoted may be a secret.
    raw(gateway, '{"gateway":{"log_level":"hush-hush" "b"}}')
    stderr = gateway.cli("gateway", "reload", check=False).stderr
    assert "config.json:1: no valid JSON: " in stderr and "hush" not in stderr + gateway.log()


def test_what_needs_a_restart_is_named_and_stays(gateway):
    before = get(gateway, "ring_bytes")
    # The longer message needs the larger ring, so it has to wait as well.
    write(gateway, ring_bytes=before * 4, max_payload=before // 2, mailbox_bytes=before * 4,
          host="::1", listen_backlog=7, ping_interval_ms=5000)
    assert reload(gateway) == {
        "changed": ["gateway.ping_interval_ms"],
        "waiting": ["gateway.host", "gateway.max_payload", "gateway.listen_backlog",
                    "gateway.ring_bytes", "gateway.mailbox_bytes"]}
    gateway.wait_line(r"a restart is needed for changes of: gateway.host gateway.max_payload ")
    assert get(gateway, "ring_bytes") == before and get(gateway, "host") == "127.0.0.1"
    assert "A restart is needed for: gateway.host, " in gateway.cli("gateway", "reload").stdout
    write(gateway, workers=100)
    assert "gateway.workers" in reload(gateway)["waiting"]


def test_environment_and_flags_still_win(tmp_path, start):
    class Surrounded(Gateway):
        def start_environment(self):
            return {**self.environment(), "LURKBOT_GATEWAY__MAX_IN_FLIGHT": "9"}
    gateway = Surrounded(tmp_path / "home")
    gateway.start("--max-fragments", "77")
    try:
        write(gateway, max_in_flight=3, max_fragments=4, echo=True)
        assert reload(gateway) == {"changed": ["gateway.echo"]}
        assert get(gateway, "max_in_flight") == 9 and get(gateway, "max_fragments") == 77
        told = call(gateway, "config.get")
        assert told["sources"]["gateway.max_fragments"] == "--max-fragments"
        assert told["sources"]["gateway.max_in_flight"] == "LURKBOT_GATEWAY__MAX_IN_FLIGHT"
        assert told["changedBy"]["gateway.echo"] == "reload, for new connections"
    finally:
        gateway.stop()
        gateway.check_clean()


def test_a_given_file_is_found_again_by_a_daemon(tmp_path):
    gateway = Gateway(tmp_path / "home")
    os.makedirs(gateway.home)
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"gateway": gateway.settings}))
    subprocess.run([LURKBOT, "gateway", "start", "--daemon", "--config", "own.json"], cwd=tmp_path,
                   env=gateway.environment(), check=True, timeout=PATIENCE)
    try:
        own.write_text(json.dumps({"gateway": {**gateway.settings, "echo": True}}))
        assert reload(gateway) == {"changed": ["gateway.echo"]}
        own.unlink()
        assert "cannot be read" in reload(gateway, check=False).stderr
    finally:
        gateway.cli("gateway", "stop")
        gateway.check_clean()


def test_unknown_paths_are_refused(gateway):
    done = gateway.cli("gateway", "call", "config.get", "--params", '{"path":"gateway.por"}',
                       check=False)
    assert done.returncode != 0 and "no setting gateway.por" in done.stderr
    assert list(call(gateway, "config.get", path="gateway")["config"]) == ["gateway"]


def test_a_signal_is_enough_and_everybody_is_told_once(gateway):
    async def run():
        client = await connect(gateway, {"events": ["config.*"]})
        write(gateway, echo=True)
        gateway.process.send_signal(signal.SIGHUP)
        event = await client.event()
        assert event["event"] == "config.reloaded"
        assert event["payload"] == {"changed": ["gateway.echo"]}
        write(gateway, echo="maybe")
        gateway.process.send_signal(signal.SIGHUP)
        event = await client.event()
        assert event["event"] == "config.failed"
        assert "gateway.echo: must be true or false" in event["payload"]["message"]
        write(gateway, echo=False)
        assert await client.call("config.reload") == {"changed": ["gateway.echo"]}
        assert (await client.event())["payload"] == {"changed": ["gateway.echo"]}
        assert client.events.empty()
        await client.close()
    asyncio.run(run())


def test_connections_feel_it(gateway):
    async def deaf(*_):
        pass

    async def run():
        chatty, silent = [await connect(gateway, {"events": []}) for _ in range(2)]
        silent.ws.pong = deaf
        write(gateway, max_payload=2000, ping_interval_ms=100, pong_timeout_ms=100)
        await chatty.call("config.reload")
        # It was to be pinged 30 s after its hello.
        assert (await asyncio.wait_for(silent.closed, PATIENCE))[0] == 1008
        await chatty.ws.send("x" * 3000)
        assert (await asyncio.wait_for(chatty.closed, PATIENCE))[0] == 1009
        fresh = await connect(gateway, {"events": []})
        assert fresh.hello_ok["policy"]["maxPayload"] == 2000
        await fresh.close()
    asyncio.run(run())


def test_many_askers_and_signals_at_once(gateway):
    async def run():
        clients = [await connect(gateway, {"events": ["config.*"]}) for _ in range(6)]
        write(gateway, echo=True)
        for _ in range(20):
            gateway.process.send_signal(signal.SIGHUP)
        results = await asyncio.gather(*(c.call("config.reload") for c in clients
                                         for _ in range(5)))
        assert len(results) == 30 and all("changed" in r for r in results)
        # However many asked, nobody's reload began before the question; most were answered together.
        last = await clients[0].call("config.reload")
        assert last == {"changed": []}
        told = [await clients[0].event()]
        while not clients[0].events.empty():
            told.append(clients[0].events.get_nowait())
        assert sum(e["payload"]["changed"] == ["gateway.echo"] for e in told) == 1
        for c in clients:
            await c.close()
    asyncio.run(run())


def test_a_worker_that_stands_still_or_dies_does_not_hold_it_up(gateway):
    workers = gateway.workers()
    write(gateway, echo=True)
    os.kill(workers[0], signal.SIGSTOP)

    async def run():
        async def killer():
            await asyncio.to_thread(gateway.wait_line, r"configuration reloaded: gateway.echo")
            os.kill(workers[0], signal.SIGKILL)
        killing = asyncio.ensure_future(killer())
        client = None
        while client is None:  # the one that stands still may have taken it off the queue
            try:
                client = await connect(gateway, {"events": []})
            except (OSError, asyncio.TimeoutError):
                pass
        gateway.process.send_signal(signal.SIGHUP)
        await killing
        await client.close()
    asyncio.run(run())
    wait_for(lambda: len(gateway.workers()) == 2, "two workers to serve")
    assert gateway.workers()[0] != workers[0]
    assert reload(gateway) == {"changed": []}
    assert get(gateway, "echo") is True


def test_a_worker_that_stands_still_is_killed(gateway):
    workers = gateway.workers()
    os.kill(workers[1], signal.SIGSTOP)
    write(gateway, echo=True)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_line(r"worker 1 .*(did not take the configuration|has stood still).*: killed")
    wait_for(lambda: len(gateway.workers()) == 2, "two workers to serve")
    assert get(gateway, "echo") is True


@pytest.mark.parametrize("seed", [1])
def test_a_storm(tmp_path, seed):
    storm = Storm(tmp_path / "home", seed, followers=20, rate=200)
    asyncio.run(storm.run(reloads=60, each_s=0.05))
    assert storm.faults == []


def test_workers_come_and_go_and_clients_miss_nothing(tmp_path):
    storm = Storm(tmp_path / "home", 2, followers=20, rate=200, resize=True)
    asyncio.run(storm.run(reloads=12, each_s=0.3, warm_up=4))
    assert storm.faults == []
    assert storm.resumed > 0
