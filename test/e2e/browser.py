"""Chromium without a window, driven by its DevTools protocol, and a web server for the pages it opens."""

import asyncio
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading

import websockets

from gateway import PATIENCE

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--disable-extensions", "--no-proxy-server"]


class Pages(contextlib.ExitStack):
    """A web server on loopback that has the files named: {path: file}."""

    TYPES = {".html": "text/html", ".mjs": "text/javascript"}

    def __init__(self, files):
        super().__init__()
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = files.get(self.path)
                self.send_response(200 if path else 404)
                if path:
                    self.send_header("Content-Type", pages.TYPES[path.suffix])
                self.end_headers()
                self.wfile.write(path.read_bytes() if path else b"")

            def log_message(self, *_):
                pass

        server = self.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.callback(thread.join)
        self.callback(server.shutdown)
        self.origin = f"http://127.0.0.1:{server.server_port}"


class Browser:
    """A Chromium of a test's own, with a profile in `folder`."""

    def __init__(self, folder):
        self.loop = asyncio.new_event_loop()
        self.count = 0
        self.answers, self.events = {}, asyncio.Queue()
        env = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            [CHROMIUM, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={folder}/profile", "about:blank"],
            env=env, start_new_session=True, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        try:
            self.loop.run_until_complete(asyncio.wait_for(self._attach(self._address()), PATIENCE))
        except BaseException:
            self.close()
            raise

    def _address(self):
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                # It goes on saying things, which nobody needs, and has to be listened to.
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return found[1]
        raise AssertionError(f"chromium did not start: {''.join(said)}")

    async def _attach(self, address):
        self.ws = await websockets.connect(address, max_size=None, ping_interval=None, compression=None)
        self.reader = asyncio.ensure_future(self._read())
        target = await self._call("Target.createTarget", url="about:blank")
        attached = await self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for method, params in [("Runtime.enable", {}), ("Page.enable", {}), ("Runtime.addBinding", {"name": "put"})]:
            await self._call(method, self.session, **params)

    async def _read(self):
        async for text in self.ws:
            message = json.loads(text)
            if "id" in message:
                self.answers.pop(message["id"]).set_result(message)
            elif message["method"] in ("Runtime.bindingCalled", "Runtime.exceptionThrown"):
                self.events.put_nowait(message)

    async def _call(self, method, session=None, **params):
        self.count += 1
        future = self.answers[self.count] = self.loop.create_future()
        message = {"id": self.count, "method": method, "params": params}
        await self.ws.send(json.dumps({**message, "sessionId": session} if session else message))
        answer = await future
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def call(self, method, **params):
        """A command to the page."""
        return self.loop.run_until_complete(asyncio.wait_for(self._call(method, self.session, **params), PATIENCE))

    def open(self, url):
        """Opens a page, and waits until it has said that it is ready."""
        self.call("Page.navigate", url=url)
        assert self.readline() == '{"ready":true}'

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression)
        assert "exceptionDetails" not in answer, answer

    def readline(self):
        """What the page puts next."""
        message = self.loop.run_until_complete(asyncio.wait_for(self.events.get(), 2 * PATIENCE))
        assert message["method"] == "Runtime.bindingCalled", message
        return message["params"]["payload"]

    def close(self):
        """Ends it, and all processes that it started."""
        with contextlib.suppress(Exception):
            self.loop.run_until_complete(asyncio.wait_for(self._call("Browser.close"), 5))
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if hasattr(self, "reader"):
            self.loop.run_until_complete(asyncio.gather(self.reader, return_exceptions=True))
        self.loop.close()


class Page:
    """A scenario that runs in a page, as test/e2e/peers.py's `play` wants it."""

    def __init__(self, browser, url, scenario):
        self.browser = browser
        self.browser.evaluate(f"run({json.dumps(url)}, {json.dumps(scenario)})")

    def readline(self):
        line = self.browser.readline()
        end = json.loads(line)
        if "end" not in end:
            return line
        assert end["end"] is None, end["end"]
        return ""

    def write(self, line):
        self.browser.evaluate(f"answer({line})")
