"""Who gets in, and as what: a table of attacks on a gateway that asks for tokens."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import time

import pytest
import websockets

from gateway import HELLO, PATIENCE, Client, Gateway, wait_for

pytestmark = pytest.mark.san

ALL, READER, WRITER, NOTHING, OLD, HASHED, FILED = (
    "all-" + "a" * 20, "reader-" + "b" * 20, "writer-" + "c" * 20, "provider-" + "d" * 20,
    "old-" + "e" * 20, "hashed-" + "f" * 20, "filed-" + "g" * 20)
PASSWORD = "a-password-" + "h" * 20
KEY = b"i" * 40
SECRETS = [ALL, READER, WRITER, NOTHING, OLD, HASHED, FILED, PASSWORD]


def token(name, scopes, secret, **more):
    return {"name": name, "token": secret, "scopes": scopes, **more}


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims=None, header=None, key=KEY, **more):
    """A signed token; claims and header replace the usual ones."""
    parts = [header or {"alg": "HS256", "typ": "JWT"},
             claims or {"sub": "somebody", "exp": int(time.time()) + 3600, "scopes": ["read"], **more}]
    signed = ".".join(encode(json.dumps(part).encode()) for part in parts)
    return signed + "." + encode(hmac.new(key, signed.encode(), hashlib.sha256).digest())


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    gateway = Gateway(
        folder / "home", auth_enabled=True, auth_password=PASSWORD, echo=True, log_level="debug",
        auth_tokens=[
            ALL, token("reader", ["read"], READER), token("nothing", ["provider"], NOTHING),
            token("writer", ["write"], WRITER, events=["agent.*"]),
            token("old", ["admin"], OLD, expires="2020-01-01"),
            "sha256:" + hashlib.sha256(HASHED.encode()).hexdigest()],
        auth_tokens_file=private(folder / "tokens", f"# more\n{FILED} name=filed scopes=read\n"),
        auth_jwt_secret_file=private(folder / "key", KEY.decode() + "\n"))
    gateway.start()
    yield gateway
    gateway.stop()
    gateway.check_clean()


async def open_with(gateway, auth=None, bearer=None, path=""):
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else None
    ws = await websockets.connect(gateway.url + path, compression=None, ping_interval=None,
                                  open_timeout=PATIENCE, extra_headers=headers)
    await ws.send(json.dumps({**HELLO, **({} if auth is None else {"auth": auth})}))
    return ws, json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))


def answer(gateway, **options):
    """What the hello is answered with, and how the connection ended, if it did."""
    async def run():
        ws, first = await open_with(gateway, **options)
        if first["type"] == "hello-error":
            await asyncio.wait_for(ws.wait_closed(), PATIENCE)
        code = ws.close_code
        await ws.close()
        return first, code
    return asyncio.run(run())


# --- the hello ----------------------------------------------------------------------------------

LET_IN = {
    "token": {"auth": {"token": ALL}},
    "digest": {"auth": {"token": HASHED}},
    "file": {"auth": {"token": FILED}},
    "password": {"auth": {"password": PASSWORD}},
    "jwt": {"auth": {"token": jwt()}},
    "bearer": {"bearer": READER},
    "bearer-jwt": {"bearer": jwt()},
    "both": {"bearer": READER, "auth": {"token": ALL}},
    "empty-beside-bearer": {"bearer": READER, "auth": {"token": ""}},
}

NOW = int(time.time())
CLAIMS = {"sub": "x", "exp": NOW + 3600}
REFUSED = {
    "nothing": {},
    "empty": {"auth": {}},
    "wrong": {"auth": {"token": ALL[:-1] + "b"}},
    "prefix": {"auth": {"token": ALL[:-1]}},
    "longer": {"auth": {"token": ALL + "a"}},
    "case": {"auth": {"token": ALL.upper()}},
    "space": {"auth": {"token": ALL + " "}},
    "nul": {"auth": {"token": ALL + "\0"}},
    "name": {"auth": {"token": "reader"}},
    "hash": {"auth": {"token": "sha256:" + hashlib.sha256(ALL.encode()).hexdigest()}},
    "masked": {"auth": {"token": "***"}},
    "expired": {"auth": {"token": OLD}},
    "password-as-token": {"auth": {"token": PASSWORD}},
    "token-as-password": {"auth": {"password": ALL}},
    "hello-before-bearer": {"bearer": ALL, "auth": {"token": "wrong"}},
    "token-before-password": {"auth": {"token": "wrong", "password": PASSWORD}},
    "url-query": {"path": f"?token={ALL}"},
    "url-access-token": {"path": f"ws?access_token={ALL}"},
    "jwt-none": {"auth": {"token": jwt(header={"alg": "none"}).rsplit(".", 1)[0] + "."}},
    "jwt-none-signed": {"auth": {"token": jwt(header={"alg": "none"})}},
    "jwt-other-key": {"auth": {"token": jwt(key=b"j" * 40)}},
    "jwt-empty-key": {"auth": {"token": jwt(key=b"")}},
    "jwt-other-alg": {"auth": {"token": jwt(header={"alg": "HS512"})}},
    "jwt-eddsa": {"auth": {"token": jwt(header={"alg": "EdDSA"})}},
    "jwt-crit": {"auth": {"token": jwt(header={"alg": "HS256", "crit": ["x"]})}},
    "jwt-typ": {"auth": {"token": jwt(header={"alg": "HS256", "typ": "dpop+jwt"})}},
    "jwt-jwk": {"auth": {"token": jwt(header={"alg": "HS256", "jwk": {"k": "aa"}}, key=b"\x69")}},
    "jwt-expired": {"auth": {"token": jwt({**CLAIMS, "exp": NOW - 1})}},
    "jwt-no-exp": {"auth": {"token": jwt({"sub": "x"})}},
    "jwt-no-sub": {"auth": {"token": jwt({"exp": NOW + 3600})}},
    "jwt-exp-text": {"auth": {"token": jwt({**CLAIMS, "exp": str(NOW + 3600)})}},
    "jwt-early": {"auth": {"token": jwt({**CLAIMS, "nbf": NOW + 1800})}},
    "jwt-audience": {"auth": {"token": jwt({**CLAIMS, "aud": "others"})}},
    "jwt-cut": {"auth": {"token": jwt()[:-1]}},
    "jwt-claims-changed": {"auth": {"token": jwt().replace(".", ".e30", 1)}},
    "jwt-padded": {"auth": {"token": jwt() + "="}},
}


@pytest.mark.parametrize("options", LET_IN.values(), ids=LET_IN)
def test_let_in(guarded, options):
    assert answer(guarded, **options)[0]["type"] == "hello-ok"


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
def test_refused(guarded, options):
    first, code = answer(guarded, **options)
    assert first["type"] == "hello-error" and code == 1008, first
    assert first["error"]["code"] == "INVALID_REQUEST"
    assert first["error"]["details"]["reason"] == "unauthorized"
    assert first["error"]["message"].startswith("Authentication failed")


def test_scopes_are_not_taken_from_the_frame(guarded):
    async def run():
        ws, first = await open_with(guarded, {"token": READER, "scopes": ["admin"], "role": "admin"})
        client = Client(ws, first)
        refused = await client.request("connections.close", {"connId": client.conn_id})
        await client.close()
        return first, refused
    first, refused = asyncio.run(run())
    assert first["features"]["methods"] == [
        "channels.list", "connections.list", "events.history", "events.subscribe", "health", "methods.list",
        "sessions.list", "status"]
    assert refused["error"]["details"]["reason"] == "forbidden"


def test_events_that_may_be_published(guarded):
    async def run():
        client = Client(*await open_with(guarded, {"token": WRITER}))
        good = await client.request("events.publish", {"event": "agent.delta"})
        bad = await client.request("events.publish", {"event": "channel.connected"})
        await client.close()
        reader = Client(*await open_with(guarded, {"token": READER}))
        none = await reader.request("events.publish", {"event": "agent.delta"})
        await reader.close()
        return good, bad, none
    good, bad, none = asyncio.run(run())
    assert "result" in good
    for refused in bad, none:
        assert refused["error"]["details"]["reason"] == "forbidden"


def test_nothing_is_told_to_who_may_not_read(guarded):
    first, _ = answer(guarded, auth={"token": NOTHING})
    assert first["features"]["methods"] == ["provider.register"]
    assert first["snapshot"] == {"sessions": [], "cronJobs": [], "channels": []}


@pytest.mark.parametrize("bearer", [NOTHING, jwt(CLAIMS)], ids=["provider", "jwt-without-scopes"])
def test_no_event_comes_to_who_may_not_read(guarded, bearer):
    """Neither one that is published, nor what a resume would bring: the hello is no way around."""
    async def run():
        writer = Client(*await open_with(guarded, {"token": ALL}))
        before = writer.hello_ok["resume"]
        await writer.call("events.publish", {"event": "agent.secret"})
        ws = await websockets.connect(guarded.url, compression=None, ping_interval=None)
        await ws.send(json.dumps({**HELLO, "auth": {"token": bearer}, "resume": before,
                                  "subscribe": {"events": ["*", "agent.secret"]}}))
        client = Client(ws, json.loads(await asyncio.wait_for(ws.recv(), PATIENCE)))
        reader = Client(*await open_with(guarded, {"token": READER}))
        await writer.call("events.publish", {"event": "agent.secret"})
        await reader.event()  # so it was given out
        refused = await client.request("events.subscribe", {"events": ["*"]})
        seen = client.events.qsize()
        for c in writer, client, reader:
            await c.close()
        return client.hello_ok, refused, seen
    first, refused, seen = asyncio.run(run())
    assert first["type"] == "hello-ok" and seen == 0
    assert refused["error"]["details"]["reason"] == "forbidden"


# --- HTTP ---------------------------------------------------------------------------------------

HTTP = {
    "none": ({}, 401),
    "wrong": ({"Authorization": "Bearer wrong"}, 401),
    "expired": ({"Authorization": f"Bearer {OLD}"}, 401),
    "basic": ({"Authorization": f"Basic {ALL}"}, 401),
    "bare": ({"Authorization": ALL}, 401),
    "two-words": ({"Authorization": f"Bearer {ALL} {ALL}"}, 401),
    "empty": ({"Authorization": "Bearer "}, 401),
    "cookie": ({"Cookie": f"token={ALL}"}, 401),
    "other-field": ({"X-Auth-Token": ALL}, 401),
    "proxy-field": ({"Proxy-Authorization": f"Bearer {ALL}"}, 401),
    "no-scope": ({"Authorization": f"Bearer {NOTHING}"}, 403),
    "reader": ({"Authorization": f"Bearer {READER}"}, 200),
    "lower-case": ({"authorization": f"bearer {READER}"}, 200),
    "jwt": ({"Authorization": f"Bearer {jwt()}"}, 200),
}


@pytest.mark.parametrize("path", ["/", "/info", "/metrics"])
@pytest.mark.parametrize("headers,status", HTTP.values(), ids=HTTP)
def test_http(guarded, path, headers, status):
    got, fields, body = guarded.http(path, headers=headers)
    assert got == status
    if status != 200:
        error = json.loads(body)["error"]
        assert error["details"]["reason"] == ("unauthorized" if status == 401 else "forbidden")
        assert (fields["WWW-Authenticate"] == "Bearer") == (status == 401)


def test_probes_need_no_token(guarded):
    for path in "/health", "/live", "/ready":
        assert guarded.http(path)[0] == 200


def test_token_in_the_url_is_none(guarded):
    assert guarded.http(f"/info?token={ALL}")[0] == 401


@pytest.mark.parametrize("path", ["", "ws", "echo"])
def test_wrong_token_in_the_upgrade(guarded, path):
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        answer(guarded, bearer="wrong", path=path)
    assert caught.value.status_code == 401


def test_echo_needs_a_token_in_the_upgrade(guarded):
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        answer(guarded, path="echo")
    assert caught.value.status_code == 401


# --- the end of a token ---------------------------------------------------------------------------

def test_connection_ends_with_its_token(guarded):
    async def run():
        ws, first = await open_with(guarded, {"token": jwt(exp=int(time.time()) + 2)})
        assert first["type"] == "hello-ok"
        client = Client(ws, first)
        return await asyncio.wait_for(client.closed, PATIENCE)
    code, reason = asyncio.run(run())
    assert code == 1008 and "expired" in reason


def test_token_that_is_taken_away_ends_its_connections(start, tmp_path):
    file = tmp_path / "tokens"
    gateway = start(auth_enabled=True, workers=2, auth_tokens=[ALL, READER],
                    auth_tokens_file=private(file, f"{FILED} name=filed\n"))

    async def run():
        clients = [Client(*await open_with(gateway, {"token": secret}))
                   for secret in [READER, FILED] * 5 + [ALL]]
        gateway.settings["auth_tokens"] = [ALL]
        with open(os.path.join(gateway.home, "config.json"), "w") as f:
            json.dump({"gateway": gateway.settings}, f)
        private(file, "# gone\n")
        changed = await clients[-1].call("config.reload")
        ends = [await asyncio.wait_for(client.closed, PATIENCE) for client in clients[:-1]]
        await clients[-1].call("health")
        await clients[-1].close()
        return changed["changed"], ends
    changed, ends = asyncio.run(run())
    assert changed == ["gateway.auth_tokens", "gateway.auth_tokens_file"]
    assert {code for code, _ in ends} == {1008}
    for secret in READER, FILED:
        assert answer(gateway, auth={"token": secret})[0]["type"] == "hello-error"
    assert answer(gateway, auth={"token": ALL})[0]["type"] == "hello-ok"


def test_authentication_switched_on_by_a_reload(start):
    gateway = start()

    async def run():
        client = Client(*await open_with(gateway))
        gateway.settings.update(auth_enabled=True, auth_tokens=[ALL])
        with open(os.path.join(gateway.home, "config.json"), "w") as f:
            json.dump({"gateway": gateway.settings}, f)
        gateway.cli("gateway", "reload")
        return await asyncio.wait_for(client.closed, PATIENCE)
    assert asyncio.run(run())[0] == 1008
    for pid in gateway.process.pid, *gateway.workers().values():
        with open(f"/proc/{pid}/limits") as f:
            assert re.search(r"Max core file size +1 +1 ", f.read())


# --- secrets stay secret ------------------------------------------------------------------------

def memory_of(pid):
    """All that can be read of the process."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            begin, end, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if mode[:2] != "rw" or "/dev/shm/" in line:
                continue
            try:
                mem.seek(int(begin, 16))
                found.append(mem.read(int(end, 16) - int(begin, 16)))
            except OSError:
                pass
    return b"".join(found)


def test_tokens_of_the_environment_stay(tmp_path):
    """They win over those of a file, so that who takes one out there has to be told."""
    class Fed(Gateway):
        def environment(self):
            return {**super().environment(), "LURKBOT_GATEWAY__AUTH_TOKENS": ALL}
    gateway = Fed(tmp_path / "home", auth_enabled=True, auth_tokens=[READER])
    try:
        gateway.start()
        told = r"warning .*gateway\.auth_tokens comes from the environment"
        gateway.wait_line(told)
        gateway.settings["auth_tokens"] = [WRITER]
        with open(os.path.join(gateway.home, "config.json"), "w") as f:
            json.dump({"gateway": gateway.settings}, f)
        gateway.cli("gateway", "reload")
        wait_for(lambda: len(re.findall(told, gateway.log())) == 2, "the warning at the reload")
        assert answer(gateway, auth={"token": ALL})[0]["type"] == "hello-ok"
        assert answer(gateway, auth={"token": WRITER})[0]["type"] == "hello-error"
    finally:
        gateway.stop()
        gateway.check_clean()


def test_no_secret_is_told(guarded):
    for secret in SECRETS:
        answer(guarded, auth={"token": secret})
        guarded.http("/info", headers={"Authorization": f"Bearer {secret}"})
    told = guarded.log() + guarded.http("/metrics", headers={
        "Authorization": f"Bearer {READER}"})[2].decode()
    for verb in ["config", "show", "--sources"], ["config", "show", "--json"], ["token", "list"], [
            "token", "list", "--json"], ["status", "--json"], ["call", "config.get"]:
        told += guarded.cli("gateway", *verb).stdout
    for pid in [guarded.process.pid, *guarded.workers().values()]:
        for name in "cmdline", "environ":
            with open(f"/proc/{pid}/{name}") as f:
                told += f.read()
    for secret in SECRETS:
        assert secret not in told
        assert hashlib.sha256(secret.encode()).hexdigest() not in told


@pytest.mark.skipif("LURKBOT_TEST_SLOW" in os.environ, reason="a sanitizer keeps what was freed")
def test_no_secret_stays_in_memory(tmp_path):
    class Fed(Gateway):
        def environment(self):
            return {**super().environment(), "LURKBOT_GATEWAY__AUTH_TOKENS": f"{ALL},{READER}",
                    "LURKBOT_GATEWAY__AUTH_PASSWORD": PASSWORD, "LURKBOT_GATEWAY_TOKEN": WRITER}
    home = tmp_path / "home"
    home.mkdir()
    (home / ".env").write_text(f"OTHER=x\nLURKBOT_GATEWAY__AUTH_TOKENS={HASHED}\n")
    gateway = Fed(home, auth_enabled=True, auth_tokens=[FILED, token("old", ["read"], OLD)])
    try:
        gateway.start()
        answer(gateway, auth={"token": ALL})
        answer(gateway, bearer=READER)
        answer(gateway, auth={"password": PASSWORD})
        for pid in [gateway.process.pid, *gateway.workers().values()]:
            memory = memory_of(pid)
            assert str(home).encode() in memory  # it can be looked into
            for secret in SECRETS:
                assert secret.encode() not in memory, (pid, secret)
            with open(f"/proc/{pid}/limits") as f:
                assert re.search(r"Max core file size +1 +1 ", f.read())
    finally:
        gateway.stop(expect=None)
        gateway.check_clean()


# --- the whole gateway --------------------------------------------------------------------------

def test_empty_token_file_lets_in_nobody(start, tmp_path):
    gateway = start(auth_enabled=True, auth_tokens_file=private(tmp_path / "tokens", "# none\n"))
    gateway.wait_line(r"there is no token: all clients are turned away")
    for options in REFUSED["nothing"], {"auth": {"token": ""}}, {"auth": {"token": "x"}}:
        assert answer(gateway, **options)[0]["type"] == "hello-error"
    assert gateway.http("/info")[0] == 401
    assert gateway.status()["status"] == "healthy"  # the operator gets in by the socket


def test_token_file_of_others_is_refused(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"{ALL}\n")
    path.chmod(0o644)
    gateway = Gateway(tmp_path / "home", auth_enabled=True, auth_tokens_file=str(path))
    gateway.launch()
    gateway.process.wait(PATIENCE)
    gateway.stop(expect=2)
    assert "chmod 600" in gateway.log() and ALL not in gateway.log()


def test_open_metrics(start):
    gateway = start(auth_enabled=True, auth_tokens=[ALL], metrics_public=True)
    assert gateway.http("/metrics")[0] == 200 and gateway.http("/info")[0] == 401


def test_verdicts_are_counted(start):
    gateway = start(auth_enabled=True, auth_tokens=[ALL], metrics_public=True)
    answer(gateway, auth={"token": ALL})
    answer(gateway, bearer=ALL)
    answer(gateway, auth={"token": "wrong"})
    answer(gateway)
    samples = gateway.metrics()
    counted = {name: samples[f'lurkbot_authentications_total{{verdict="{name}"}}']
               for name in ("token", "bad-token", "missing", "jwt")}
    assert counted == {"token": 2, "bad-token": 1, "missing": 1, "jwt": 0}
    assert samples['lurkbot_handshakes_total{outcome="unauthorized"}'] == 2


# --- the command line ---------------------------------------------------------------------------

def test_verbs(guarded):
    made = json.loads(guarded.cli("gateway", "token", "generate", "--json").stdout)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made["token"])
    assert made["hash"] == "sha256:" + hashlib.sha256(made["token"].encode()).hexdigest()
    short = guarded.cli("gateway", "token", "generate", "--bytes", "16").stdout
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}\n", short)
    hashed = guarded.cli("gateway", "token", "hash", input=ALL + "\n").stdout
    assert hashed == "sha256:" + hashlib.sha256(ALL.encode()).hexdigest() + "\n"
    listed = guarded.cli("gateway", "token", "list").stdout
    assert re.search(r"^reader +read$", listed, re.M)
    assert re.search(r"^writer +read,write  events agent\.\*$", listed, re.M)
    assert re.search(r"^old .*  expired 2020-01-01T", listed, re.M)
    assert re.search(r"^filed +read$", listed, re.M)


def test_check_tells_whose_a_token_is(guarded):
    def check(secret, status, *more):
        done = guarded.cli("gateway", "token", "check", *more, input=secret, check=False)
        assert done.returncode == status, done
        return done
    assert check(READER + "\n", 0).stdout == "reader read\n"
    assert json.loads(check(FILED, 0, "--json").stdout) == {
        "name": "filed", "scopes": ["read"], "expiresAtMs": None}
    assert check(jwt(), 0).stdout.startswith("somebody read  until ")
    assert "expired" in check(OLD, 4).stderr
    wrong = check("no-such-token", 4)
    assert wrong.stderr.startswith("lurkbot: Authentication failed") and "no-such" not in wrong.stderr
    check("", 2)
    check("two words", 2)


def test_verbs_authenticate(guarded, tmp_path):
    address = ["--port", str(guarded.port)]
    file = private(tmp_path / "token", READER + "\n")
    assert guarded.cli("gateway", "call", "health", *address, "--token-file", file).returncode == 0
    for more in [], ["--token", "wrong"]:
        done = guarded.cli("gateway", "call", "health", *address, *more, check=False)
        assert done.returncode == 4 and "Authentication failed" in done.stderr
