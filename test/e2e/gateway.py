"""A gateway of a test's own: the real binary, a folder of its own, a free port, and proof that
nothing is left behind when it has stopped."""

import asyncio
import atexit
import contextlib
import functools
import glob
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import zlib

import websockets

from certificates import Authority

LURKBOT = os.environ.get("LURKBOT", str(pathlib.Path(__file__).parents[2] / "build" / "lurkbot"))
SENDER = os.environ.get("LURKBOT_TEST_SENDER")  # gateway.sender of all that say nothing of it
TLS = os.environ.get("LURKBOT_TEST_TLS") == "1"  # all that say nothing of it speak TLS
SLOW = float(os.environ.get("LURKBOT_TEST_SLOW", "1"))  # sanitizer builds need more patience
PATIENCE = 20.0 * SLOW
# So that two gateways have room in the 64 MB of /dev/shm that a container is given.
RING_BYTES = 8 * 1024 * 1024


def wait_for(condition, what, patience=PATIENCE):
    """Polls until condition() is true; returns its value. Fails with `what` after the patience."""
    deadline = time.monotonic() + patience
    tick = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain: {what}")
        tick.wait(0.01)


def segment_of(home):
    """The shared memory of a gateway with this LURKBOT_HOME (lurkbot-internals(7))."""
    digest = hashlib.sha256(os.path.realpath(home).encode()).hexdigest()[:8]
    return f"/dev/shm/lurkbot-{os.getuid()}-{digest}"


def processes_of(home):
    """Pids of living processes that have this gateway's segment mapped (zombies have nothing)."""
    wanted = segment_of(home).encode()
    found = []
    for path in glob.glob("/proc/[0-9]*/maps"):
        with contextlib.suppress(OSError), open(path, "rb") as f:
            if wanted in f.read():
                found.append(int(path.split("/")[2]))
    return found


def can_become_nobody():
    """Whether the workers of a gateway of root's can be somebody else: not in a namespace that knows
    root alone, nor with tools that write reports or trace themselves as whoever the process is."""
    with open("/proc/self/uid_map") as f:
        ranges = [list(map(int, line.split())) for line in f]
    return SLOW == 1 and any(first <= 65534 < first + count for first, _, count in ranges)

_folders = contextlib.ExitStack()
atexit.register(_folders.close)


@functools.cache
def authority():
    """Whom the tests of this process trust, and (certificate, key) of a gateway."""
    signs = Authority(_folders.enter_context(tempfile.TemporaryDirectory(prefix="lurkbot-test-")))
    return signs, signs.issue()


def tls_settings():
    cert, key = authority()[1]
    return {"tls_enabled": True, "tls_cert": cert, "tls_key": key}


class Gateway:
    """Starts `lurkbot gateway start` in the foreground. Settings are those under `gateway`."""

    def __init__(self, home, **settings):
        self.home = str(home)
        self.settings = {"port": 0, "workers": 2, "ring_bytes": RING_BYTES, **settings}
        if SENDER:
            self.settings.setdefault("sender", SENDER)
        if TLS and "tls_enabled" not in self.settings:
            self.settings.update(tls_settings())
        self.process = None
        self.lines = []
        self._more = threading.Condition()
        self._reader = None
        self._shm_before = set(glob.glob("/dev/shm/lurkbot-*"))

    # --- life ---------------------------------------------------------------------------------

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("LURKBOT_")}
        env["LURKBOT_HOME"] = self.home
        if os.getuid() == 0 and not can_become_nobody() and "user" not in self.settings:
            env["LURKBOT_GATEWAY__USER"] = "root"
        return env

    def start_environment(self):
        return self.environment()

    def start(self, *arguments):
        self.launch(*arguments)
        self.wait_line(r"the gateway is ready")
        return self

    def launch(self, *arguments):
        """Starts it, and does not wait for what becomes of it."""
        if self._reader:
            self._reader.join(PATIENCE)  # the end of an earlier process belongs to its own log
        os.makedirs(self.home, exist_ok=True)
        self.write_settings()
        self.lines = []
        self.process = subprocess.Popen(
            [LURKBOT, "gateway", "start", *arguments],
            env=self.start_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace")
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def write_settings(self):
        with open(os.path.join(self.home, "config.json"), "w") as f:
            json.dump({"gateway": self.settings}, f)

    def _read(self, stream):
        for line in stream:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()
        with self._more:
            self.lines.append(None)
            self._more.notify_all()

    def log(self):
        return "".join(line for line in self.lines if line)

    def wait_line(self, pattern, patience=PATIENCE):
        """Waits until the log has a line that matches; returns the match."""
        def matching():
            for line in self.lines:
                if line and (found := re.search(pattern, line)):
                    return found
            return None
        deadline = time.monotonic() + patience
        with self._more:
            while not (found := matching()):
                left = deadline - time.monotonic()
                if None in self.lines or left <= 0:
                    raise AssertionError(f"no line matches {pattern!r}:\n{self.log()}")
                self._more.wait(left)
        return found

    def stop(self, sig=signal.SIGTERM, expect=0):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(sig)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self.process.stderr.close()
        self.process = None
        assert expect is None or status == expect, f"exit status {status}:\n{self.log()}"

    def check_clean(self):
        """After the end: no process, no shared memory, no socket file."""
        wait_for(lambda: not processes_of(self.home), "the gateway's processes to end")
        left = set(glob.glob("/dev/shm/lurkbot-*")) & self.segments()
        assert not left, f"shared memory left behind: {left}"

    def segments(self):
        return {segment_of(self.home)}

    # --- where it is --------------------------------------------------------------------------

    @property
    def address(self):
        with open(os.path.join(self.home, "run", "gateway.lock")) as f:
            lines = f.read().split("\n")
        if len(lines) < 3:
            raise ConnectionError("a gateway is about to start, and has not said where it listens")
        return lines[2].strip()

    @property
    def port(self):
        return int(self.address.rpartition(":")[2])

    @property
    def url(self):
        return f"{'wss' if self.ssl else 'ws'}://127.0.0.1:{self.port}/"

    @functools.cached_property
    def ssl(self):
        """What its clients need, where it speaks TLS; else None."""
        return authority()[0].context() if self.settings.get("tls_enabled") else None

    def over(self, raw):
        """Options of websockets.connect for a socket that is connected already."""
        return {"sock": raw, **({"ssl": self.ssl, "server_hostname": "127.0.0.1"} if self.ssl else {})}

    # --- talking to it ------------------------------------------------------------------------

    def http(self, path, method="GET", headers=None, body=None):
        """One request on a connection of its own: (status, headers, body)."""
        if self.ssl:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE,
                                                     context=self.ssl)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def http_json(self, path):
        return json.loads(self.http(path)[2])

    def metrics(self):
        """{name{labels}: value} of /metrics."""
        samples = {}
        for line in self.http("/metrics")[2].decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def cli(self, *arguments, check=True, input=None, timeout=PATIENCE):
        done = subprocess.run([LURKBOT, *arguments], env=self.environment(), input=input,
                              capture_output=True, text=True, timeout=timeout)
        if check:
            assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def status(self):
        return json.loads(self.cli("gateway", "status", "--json").stdout)

    def workers(self):
        """{index: pid} of the workers that serve."""
        return {w["id"]: w["pid"] for w in self.status()["workers"] if w["state"] == "serving"}


# --- clients ------------------------------------------------------------------------------------

HELLO = {
    "type": "hello", "minProtocol": 1, "maxProtocol": 1,
    "client": {"id": "test", "version": "1.0.0", "platform": "linux", "mode": "cli"},
}


class Client:
    """A WebSocket client that has said hello. Keeps events and answers apart."""

    def __init__(self, ws, hello_ok):
        self.ws = ws
        self.hello_ok = hello_ok
        self.conn_id = hello_ok["server"]["connId"]
        self.events = asyncio.Queue()
        self.answers = {}
        self.count = 0
        self.closed = asyncio.get_running_loop().create_future()
        self.reader = asyncio.ensure_future(self._read())

    async def _read(self):
        try:
            async for text in self.ws:
                frame = json.loads(text)
                if frame["type"] == "event":
                    self.events.put_nowait(frame)
                elif frame["type"] != "progress" and frame["id"] in self.answers:
                    self.answers.pop(frame["id"]).set_result(frame)
                else:
                    self.events.put_nowait(frame)
        except websockets.ConnectionClosed:
            pass
        for future in self.answers.values():
            if not future.done():
                future.set_exception(ConnectionError("closed"))
                future.exception()  # seen, also where nobody waits for it any more
        self.closed.set_result((self.ws.close_code, self.ws.close_reason))

    async def request(self, method, params=None, **more):
        """Sends a request; returns the response frame."""
        self.count += 1
        frame = {"id": f"req-{self.count}", "type": "request", "method": method, **more}
        if params is not None:
            frame["params"] = params
        future = self.answers[frame["id"]] = asyncio.get_running_loop().create_future()
        await self.ws.send(json.dumps(frame))
        return await asyncio.wait_for(future, PATIENCE)

    async def call(self, method, params=None, **more):
        """As request; returns the result, and fails on an error."""
        frame = await self.request(method, params, **more)
        assert "error" not in frame, frame
        return frame["result"]

    async def event(self):
        """The next event."""
        return await asyncio.wait_for(self.events.get(), PATIENCE)

    async def close(self):
        await self.ws.close()
        await self.reader


async def connect(gateway, subscribe=None, client=None, kind=Client, **options):
    """Connects and says hello."""
    ws = await websockets.connect(gateway.url, ssl=gateway.ssl, max_size=None, compression=None,
                                  open_timeout=PATIENCE, ping_interval=None, **options)
    hello = dict(HELLO)
    if client:
        hello["client"] = {**HELLO["client"], **client}
    if subscribe is not None:
        hello["subscribe"] = subscribe
    await ws.send(json.dumps(hello))
    answer = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
    assert answer["type"] == "hello-ok", answer
    return kind(ws, answer)


async def connect_narrow(gateway, **options):
    """A WebSocket that holds next to nothing, and reads only when it is asked to."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", gateway.port))
    return await websockets.connect(gateway.url, **gateway.over(raw), ping_interval=None,
                                    max_size=None, max_queue=1, read_limit=1024, **options)


async def follow(ws, position, last, stall):
    """Reads up to seq `last`, stalling at random; returns the checksum of all payloads."""
    crc = 0
    while position < last:
        event = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))
        assert event["seq"] == position + 1, (position, event["seq"])
        position += 1
        crc = zlib.crc32(event["payload"]["x"].encode(), crc)
        if stall.random() < 0.02:
            await asyncio.sleep(stall.random() * 0.05)  # a client that does something else
    return crc
