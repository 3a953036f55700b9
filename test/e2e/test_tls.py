"""TLS: who gets in how, tickets that every worker takes, certificates that change, and what goes wrong."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl

import pytest
import websockets

from certificates import Authority
from gateway import HELLO, PATIENCE, Gateway, authority, connect, tls_settings, wait_for
from rawws import TEXT, Raw, TlsPipe, frame
from test_reload import reload, write

pytestmark = pytest.mark.san


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A gateway that speaks TLS, for the tests that do not change it."""
    gateway = Gateway(tmp_path_factory.mktemp("tls") / "home", **tls_settings()).start()
    yield gateway
    gateway.stop()
    gateway.check_clean()


@pytest.fixture
def files(tmp_path):
    """A function that puts a certificate of the name, and its key, where the gateway looks for them."""
    folder = tmp_path / "tls"
    folder.mkdir()

    def put(name, **options):
        cert, key = authority()[0].issue(name, **options)
        shutil.copy(cert, folder / "cert.pem")
        shutil.copy(key, folder / "key.pem")
        return {"tls_enabled": True, "tls_cert": str(folder / "cert.pem"),
                "tls_key": str(folder / "key.pem")}

    return put


def dial(gateway, context=None, session=None, name="localhost"):
    """A TLS connection, handshake and all."""
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
    return (context or gateway.ssl).wrap_socket(raw, server_hostname=name, session=session,
                                                suppress_ragged_eofs=False)


def ask(connection, path="/live", more="Connection: close\r\n"):
    """One request, to the end that the gateway makes of it; a ragged end raises."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def name_of(connection):
    return dict(field[0] for field in connection.getpeercert()["subject"])["commonName"]


# --- what it costs ------------------------------------------------------------------------------

IDLE_BYTES = 16 * 1024  # of user space, that an idle connection may cost at most


def own_bytes(pid):
    """What the process alone has, of what is not mapped from files."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Anonymous: +(\d+) kB$", f.read(), re.M).group(1)) * 1024


def settle(gateway, count, context):
    """As many clients that have said hello and are silent."""
    clients = []
    for _ in range(count):
        plain = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
        raw = Raw(gateway.port, "/", over=TlsPipe(plain, context))
        raw.send(frame(TEXT, json.dumps(HELLO).encode()))
        assert json.loads(raw.receive()[1])["type"] == "hello-ok"
        clients.append(raw)
    return clients


@pytest.mark.skipif("LURKBOT_TEST_SLOW" in os.environ, reason="a sanitizer has memory of its own")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_idle_connection_costs_at_most_16_kib(start, version):
    gateway = start(**tls_settings(), workers=1)
    context = authority()[0].context()
    context.minimum_version = context.maximum_version = version
    pid = gateway.workers()[0]
    # What is made once is there after the first of them; they stay, lest their memory be used again.
    clients = settle(gateway, 20, context)
    before = own_bytes(pid)
    clients += settle(gateway, 400, context)
    each = (own_bytes(pid) - before) / 400
    assert 1024 < each <= IDLE_BYTES, f"{each:.0f} bytes for each connection"
    for raw in clients:
        raw.socket.close()


# --- speaking it --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_carry_all(secure, version):
    context = authority()[0].context()
    context.minimum_version = context.maximum_version = version

    async def scenario():
        ws = await websockets.connect(secure.url, ssl=context, max_size=None)
        await ws.send(json.dumps({**HELLO, "subscribe": {"events": ["load.*"]}}))
        assert json.loads(await ws.recv())["type"] == "hello-ok"
        payload = {"x": "y" * 400000}
        for i in range(3):  # longer than many records, and than what one read takes
            await ws.send(json.dumps({"id": f"r{i}", "type": "request", "method": "events.publish",
                                      "params": {"event": "load.x", "payload": payload}}))
        frames = [json.loads(await asyncio.wait_for(ws.recv(), PATIENCE)) for _ in range(6)]
        assert [f["payload"] for f in frames if f["type"] == "event"] == [payload] * 3
        await ws.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("version,offered,chosen", [
    (ssl.TLSVersion.TLSv1_3, None, "TLS_AES_128_GCM_SHA256"),
    (ssl.TLSVersion.TLSv1_2, None, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (ssl.TLSVersion.TLSv1_2, "ECDHE+AES256", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (ssl.TLSVersion.TLSv1_2, "ECDHE+CHACHA20:ECDHE+AES128", "ECDHE-ECDSA-CHACHA20-POLY1305")])
def test_the_cheapest_cipher_is_chosen(secure, version, offered, chosen):
    """Of those that the client has; one that wants ChaCha first has no AES of its processor's."""
    context = authority()[0].context()
    context.minimum_version = context.maximum_version = version
    if offered:
        context.set_ciphers(offered)
    with dial(secure, context) as connection:
        assert connection.cipher()[0] == chosen


def test_only_http_1_1_is_negotiated(secure):
    with dial(secure) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        assert connection.version() == "TLSv1.3"
    context = authority()[0].context()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        dial(secure, context)


def test_the_end_is_told(secure):
    with dial(secure) as connection:
        assert ask(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("asked", [b"", b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                   b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200],
                         ids=["nothing", "one", "many"])
def test_the_end_is_heard_without_that_of_the_socket(secure, asked):
    """All that was asked before is answered, and then the gateway ends, too."""
    plain = socket.create_connection(("127.0.0.1", secure.port), timeout=PATIENCE)
    pipe = TlsPipe(plain, secure.ssl)
    if asked:
        pipe.tls.write(asked)  # goes out together with the end
    pipe.end()
    while chunk := plain.recv(65536):
        pipe.incoming.write(chunk)
    plain.close()
    answer = b""
    with pytest.raises(ssl.SSLZeroReturnError):
        while True:
            answer += pipe.tls.read(65536)
    assert answer.count(b"HTTP/1.1 200 ") == asked.count(b"GET")


def test_an_older_version_is_refused(start):
    gateway = start(**tls_settings(), tls_min_version="1.3")
    context = authority()[0].context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        dial(gateway, context)
    with dial(gateway) as connection:
        assert connection.version() == "TLSv1.3"
    assert gateway.metrics()['lurkbot_tls_handshakes_total{result="failed"}'] == 1


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_the_own_origin_is_https(secure, path):
    own = f"https://127.0.0.1:{secure.port}"
    assert secure.http(path, headers={"Origin": own})[0] == 200
    assert secure.http(path, headers={"Origin": own.replace("https", "http")})[0] == 403


# --- who does not speak it ----------------------------------------------------------------------


def test_plain_http_is_told_in_one_line(secure):
    with socket.create_connection(("127.0.0.1", secure.port), timeout=PATIENCE) as connection:
        answer = ask(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["message"] == (
        "This port speaks TLS; connect by https:// or wss://")
    assert body.count(b"\n") == 1
    assert secure.metrics()['lurkbot_tls_handshakes_total{result="cleartext"}'] >= 1
    done = secure.cli("gateway", "call", "health", "--port", str(secure.port), check=False)
    assert "This port speaks TLS" in done.stderr


def test_noise_in_a_record_ends_the_connection(secure):
    before = secure.metrics()['lurkbot_tls_handshakes_total{result="failed"}']
    for noise in (b"\x16" * 64, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" + b"x" * 20,
                  b"\x16\x03\x01\xff\xff" + b"y" * 1000):
        with socket.create_connection(("127.0.0.1", secure.port), timeout=PATIENCE) as connection:
            connection.sendall(noise)
            try:
                while connection.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert secure.metrics()['lurkbot_tls_handshakes_total{result="failed"}'] == before + 3


def test_slow_bytes_do_not_extend_the_time(start):
    """Slowloris in the handshake, and in a request inside of TLS: both end when the time is up."""
    gateway = start(**tls_settings(), handshake_timeout_ms=400)
    client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)

    def trickle(connection, data, pause=0.05):
        """Sends byte by byte until the gateway ends it; whether it did before all was sent."""
        connection.settimeout(pause)
        for byte in data:
            try:
                connection.sendall(bytes([byte]))
                if connection.recv(4096) == b"":
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
        return False

    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
    with raw:
        assert trickle(raw, client_hello * 4)
    with dial(gateway) as connection:
        assert trickle(connection, b"GET / HTTP/1.1\r\nX-Slow: " + b"x" * 400)
    counts = gateway.metrics()
    assert counts['lurkbot_handshakes_total{outcome="timeout"}'] == 2


def test_a_full_gateway_says_so(start):
    gateway = start(**tls_settings(), max_connections=1)

    async def scenario():
        held = await connect(gateway)
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await connect(gateway)
        assert refused.value.status_code == 503
        await held.close()

    asyncio.run(scenario())


# --- sessions -----------------------------------------------------------------------------------


def spread(gateway, session, count=60):
    """So many connections at a time that no worker has none; whether each of them resumed."""
    held = [dial(gateway, session=session) for _ in range(count)]
    try:
        resumed = {connection.session_reused for connection in held}
        shares = [value for name, value in gateway.metrics().items()
                  if name.startswith("lurkbot_connections{")]
        assert min(shares) > 0, shares
        return resumed
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_go_on_at_every_worker_and_its_successor(start, version):
    gateway = start(workers=3, **tls_settings())
    gateway.ssl.minimum_version = gateway.ssl.maximum_version = version
    with dial(gateway) as first:
        assert ask(first).startswith(b"HTTP/1.1 200 ") and not first.session_reused
        session = first.session
    assert spread(gateway, session) == {True}
    for number, pid in gateway.workers().items():
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: gateway.workers().get(number, pid) != pid, "another worker")
    assert spread(gateway, session) == {True}
    assert gateway.metrics()['lurkbot_tls_handshakes_total{result="resumed"}'] >= 60


def test_sessions_of_another_gateway_begin_anew(start, secure):
    gateway = start(**tls_settings())
    with dial(gateway) as first:
        ask(first)
        session = first.session
    context = gateway.ssl  # a session belongs to the context that it was made with
    with dial(secure, context, session) as other:
        assert not other.session_reused
        assert ask(other).startswith(b"HTTP/1.1 200 ")


# --- certificates -------------------------------------------------------------------------------


def test_a_new_certificate_serves_new_connections_and_nobody_is_dropped(start, files):
    gateway = start(**files("old"))

    async def scenario():
        client = await connect(gateway)
        with dial(gateway) as before:
            assert name_of(before) == "old"
            files("new", days=10)
            answer = await asyncio.to_thread(reload, gateway)
            assert answer == {"changed": ["gateway.tls_cert", "gateway.tls_key"]}
            for _ in range(8):  # whichever worker it is
                with dial(gateway) as after:
                    assert name_of(after) == "new"
            assert ask(before).startswith(b"HTTP/1.1 200 ")
        await client.call("health")
        await client.close()

    asyncio.run(scenario())
    days = gateway.metrics()["lurkbot_tls_certificate_expiry_seconds"] / 86400
    assert 9 < days <= 10
    assert gateway.status()["certificateDaysLeft"] in (9, 10)
    gateway.wait_line(r"the certificate \S+ expires in (9|10) days")


def refused(gateway):
    done = reload(gateway, check=False)
    assert done.returncode == 1
    return json.loads(done.stderr)["message"]


def test_a_bad_pair_is_refused_by_name_and_changes_nothing(start, files, tmp_path):
    settings = files("good")
    gateway = start(**settings)
    cert, key = settings["tls_cert"], settings["tls_key"]
    other_cert, other_key = authority()[0].issue("other")
    shutil.copy(other_key, key)
    assert f"{key}: gateway.tls_key: does not belong to the certificate" in refused(gateway)
    shutil.copyfile(other_cert, key)
    assert f"{key}: gateway.tls_key: must hold a private key in PEM form" in refused(gateway)
    shutil.copy(other_key, key)
    with open(cert, "w") as f:
        f.write("no certificate\n")
    assert f"{cert}: gateway.tls_cert: must hold a certificate in PEM form" in refused(gateway)
    open(cert, "w").close()
    assert f"{cert}: gateway.tls_cert: is empty" in refused(gateway)
    shutil.copy(other_cert, cert)
    os.chmod(key, 0o640)
    assert f"{key}: gateway.tls_key: others may read or write it: chmod 600 it" in refused(gateway)
    os.chmod(key, 0o600)
    os.rename(key, key + ".away")
    assert f"{key}: gateway.tls_key: cannot be read: No such file" in refused(gateway)
    os.rename(key + ".away", key)
    weak = authority()[0].issue("weak", algorithm=("rsa", "rsa_keygen_bits:1024"))
    shutil.copy(weak[0], cert)
    shutil.copy(weak[1], key)
    assert "gateway.tls_cert: holds a certificate that cannot be used (ee key too small)" in (
        refused(gateway))
    with dial(gateway) as connection:
        assert name_of(connection) == "good"
    files("better")
    assert reload(gateway)["changed"] == ["gateway.tls_cert", "gateway.tls_key"]


def test_what_is_missing_is_named_before_the_start(tmp_path):
    gateway = Gateway(tmp_path / "home", tls_enabled=True, tls_cert="", tls_key="")
    os.makedirs(gateway.home)
    with open(os.path.join(gateway.home, "config.json"), "w") as f:
        json.dump({"gateway": gateway.settings}, f)
    done = gateway.cli("gateway", "config", "check", check=False)
    assert done.returncode == 2
    for key in "tls_cert", "tls_key":
        assert f"gateway.{key}: must be set, since gateway.tls_enabled is true" in (
            done.stdout + done.stderr)


def test_tls_begins_and_ends_with_a_reload(start, files):
    gateway = start(tls_enabled=False)
    assert gateway.address.startswith("ws://")
    assert gateway.http("/live")[0] == 200

    async def scenario():
        plain = await connect(gateway)
        write(gateway, **files("begins"))
        del gateway.__dict__["ssl"]
        changed = (await asyncio.to_thread(reload, gateway))["changed"]
        assert set(changed) == {f"gateway.tls_{key}" for key in ("enabled", "cert", "key")}
        assert gateway.address.startswith("wss://")
        encrypted = await connect(gateway)
        write(gateway, tls_enabled=False)
        del gateway.__dict__["ssl"]
        await asyncio.to_thread(reload, gateway)
        assert gateway.http("/live")[0] == 200
        for client in plain, encrypted:
            await client.call("health")
            await client.close()

    asyncio.run(scenario())


# --- the command line ---------------------------------------------------------------------------


def test_the_command_line_trusts_whom_it_is_told(secure, tmp_path):
    port, ca = str(secure.port), str(authority()[0].cert)

    def call(*options, check=True):
        return secure.cli("gateway", "call", "health", "--json", *options, check=check)

    assert json.loads(call("--tls", "--port", port, "--cacert", ca).stdout)["status"] == "healthy"
    assert call("--url", f"wss://localhost:{port}/ws", "--cacert", ca).returncode == 0
    assert call("--tls", "--port", port, "--insecure").returncode == 0
    assert call().returncode == 0  # by run/gateway.sock, without TLS
    done = call("--tls", "--port", port, check=False)
    assert done.returncode == 3 and "unable to get local issuer certificate" in done.stderr
    other = Authority(tmp_path)
    done = call("--tls", "--port", port, "--cacert", str(other.cert), check=False)
    assert done.returncode == 3 and "No TLS connection to wss://127.0.0.1" in done.stderr


def test_the_command_line_wants_the_right_name(start, files):
    gateway = start(**files("elsewhere", names="DNS:elsewhere.example"))
    done = gateway.cli("gateway", "call", "health", "--tls", "--port", str(gateway.port), "--cacert",
                       str(authority()[0].cert), check=False)
    assert done.returncode == 3 and "IP address mismatch" in done.stderr
    done = gateway.cli("gateway", "call", "health", "--url", f"wss://localhost:{gateway.port}",
                       "--cacert", str(authority()[0].cert), check=False)
    assert done.returncode == 3 and "hostname mismatch" in done.stderr


def test_tail_and_publish_over_tls(secure):
    async def scenario():
        options = ["--tls", "--port", str(secure.port), "--cacert", str(authority()[0].cert)]
        tail = asyncio.ensure_future(asyncio.to_thread(
            secure.cli, "gateway", "tail", "--events", "load.tail", "--count", "3", "--json", *options))
        while not tail.done():  # until the last one has come
            await asyncio.to_thread(secure.cli, "gateway", "publish", "load.tail", "--payload",
                                    json.dumps({"x": "y" * 50000}), *options)
        lines = (await tail).stdout.splitlines()
        assert [len(json.loads(line)["payload"]["x"]) for line in lines] == [50000] * 3

    asyncio.run(scenario())
