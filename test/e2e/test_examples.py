"""The agents and chats of contrib, and what the README says of them, typed as it stands there."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import textwrap
import time

import pytest

from gateway import PATIENCE, wait_for
from peers import LIBRARIES, MODULES, ROOT

SECTION = "Write a client, write an agent"
AGENTS = {"python": "python3 contrib/python/agent.py", "javascript": "node contrib/javascript/agent.mjs"}
CHATS = {"python": "python3 contrib/python/chat.py", "javascript": "node contrib/javascript/chat.mjs"}
ANSWER = 'You said "one two  three": 3 words.'
READY = "agent.run is there for all clients of the gateway; Ctrl-C ends it\n"


class Terminal:
    """A command typed into a terminal, in the folder of the README."""

    def __init__(self, command, gateway, cwd=ROOT):
        env = {**os.environ, "NODE_PATH": str(MODULES), "PATH": f"/usr/bin:{os.environ['PATH']}",
               "LURKBOT_GATEWAY_URL": gateway.url, "TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1",
               "PYTHONPATH": ""}
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=cwd, env=env, stdin=slave,
                                        stdout=slave, stderr=slave, start_new_session=True,
                                        preexec_fn=self._take_terminal)
        os.close(slave)
        self.text = ""

    @staticmethod
    def _take_terminal():
        """Ctrl-C and Ctrl-D reach it as they do from a keyboard."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _read(self, patience):
        """Takes what it shows next; False at its end."""
        if not select.select([self.master], [], [], patience)[0]:
            raise AssertionError(f"nothing more is shown after: {self.text!r}")
        with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
            data = os.read(self.master, 65536)
            self.text += data.decode().replace("\r\n", "\n")
            return bool(data)
        return False

    def wait(self, ending):
        """Waits until what is shown ends so."""
        deadline = time.monotonic() + PATIENCE
        while not self.text.endswith(ending):
            assert self._read(max(0, deadline - time.monotonic())), f"it ended with {self.text!r}"

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, key):
        """Types the key that ends it; returns its exit status."""
        try:
            self.type(key)
            while self._read(PATIENCE):
                pass
            return self.process.wait(PATIENCE)
        finally:
            self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.master)


CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture
def terminal(start):
    """A function that types a command; the gateway is `terminal.gateway`."""
    opened = contextlib.ExitStack()
    gateway = start()

    def type_command(command, **more):
        one = Terminal(command, gateway, **more)
        opened.callback(one.close)
        return one

    type_command.gateway = gateway
    with opened:
        yield type_command


# --- the README -----------------------------------------------------------------------------------


def section():
    text = (ROOT / "README").read_text()
    body = re.search(rf"^{SECTION}\n-+\n(.*?)\n\n\n", text, re.M | re.S)[1]
    return [textwrap.dedent(block) for block in re.findall(r"(?:^\t.*\n)+", body + "\n", re.M)]


def test_the_readme_as_typed(terminal):
    """Each command shows what the README shows, and takes what is typed there."""
    blocks = [block for block in section() if block.startswith("$ ")]
    assert len(blocks) == 4
    running = []
    for block in blocks:
        command, _, shown = block[2:].partition("\n")
        one = terminal(command)
        running.append(one)
        for line in shown.splitlines():
            if line.startswith("you: "):
                one.wait("you: ")
                one.type(line[len("you: "):] + "\n")
        if "you: " in shown:
            one.wait(shown + "you: ")
            assert one.text == shown + "you: "
            assert one.end(CTRL_D) == 0 and one.text == shown + "you: \n"
            assert running.pop(0).end(CTRL_C) == 0
            running.clear()
        else:
            one.wait(shown)
            assert one.text == shown


def test_the_readmes_client(terminal):
    """The code in it, within a function, from a folder that has the library."""
    code = next(block for block in section() if "import Gateway" in block)
    first, _, rest = code.partition("\n")
    program = f"import asyncio, os\n{first}\nasync def main():\n{textwrap.indent(rest, '    ')}\n\n"
    program = program.replace("Gateway(", "Gateway(os.environ['LURKBOT_GATEWAY_URL'], ")
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", f"{program}asyncio.run(main())"],
                          cwd=LIBRARIES["python"], capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, "LURKBOT_GATEWAY_URL": terminal.gateway.url})
    assert done.returncode == 0 and "'status': 'healthy'" in done.stdout, done.stderr


# --- agents and chats -----------------------------------------------------------------------------


@pytest.mark.parametrize("agent, chat", [("python", "javascript"), ("javascript", "python")])
def test_any_chat_with_any_agent(terminal, agent, chat):
    """The pieces and the messages are events, too; a chat in the same session sees what is said."""
    terminal(AGENTS[agent]).wait(READY)
    first, second = (terminal(f"{CHATS[language]} test:1:main") for language in (chat, agent))
    for one in (first, second):
        one.wait("you: ")
    first.type("one two  three\n")
    first.wait(f"you: one two  three\nagent: {ANSWER}\nyou: ")
    second.wait(f"{ANSWER}\nyou: ")
    assert re.fullmatch(r"you: \rchat-\d+: one two  three\nyou: \ragent: " + re.escape(ANSWER) + r"\nyou: ",
                        second.text)
    history = terminal.gateway.cli("gateway", "call", "events.history", "--params", '{"events":["agent.*","session.*"]}')
    events = json.loads(history.stdout)["events"]
    assert {e["sessionKey"] for e in events} == {"test:1:main"}
    question, *pieces, answer = (e["payload"] for e in events)
    assert (question["role"], question["content"]) == ("user", "one two  three")
    assert (answer["role"], answer["content"]) == ("assistant", ANSWER)
    assert len(pieces) > 5 and "".join(p["text"] for p in pieces) == ANSWER
    assert first.end(CTRL_D) == second.end(CTRL_D) == 0


@pytest.mark.parametrize("chat", CHATS)
def test_a_chat_without_an_agent_says_so(terminal, chat):
    one = terminal(CHATS[chat])
    one.wait("you: ")
    one.type("hello\n")
    one.wait("you: hello\nagent: (Method not found: agent.run)\nyou: ")
    assert one.end(CTRL_D) == 0


@pytest.mark.parametrize("program", [*AGENTS.values(), *CHATS.values()])
def test_a_token_that_is_refused_ends_it(start, program):
    gateway = start(auth_enabled=True, auth_tokens=["x" * 32])
    one = Terminal(program, gateway)
    assert one.end("") == 1
    assert "Authentication failed" in one.text and len(one.text.splitlines()) == 1


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_waits_for_its_gateway(tmp_path, start, agent):
    """Started before it, and when it starts again, it is there by itself."""
    gateway = start()
    address = {"port": gateway.port}
    gateway.stop()
    one = Terminal(AGENTS[agent], type("Down", (), {"url": f"ws://127.0.0.1:{address['port']}/"}))
    try:
        wait_for(lambda: one._read(PATIENCE) and "again in" in one.text, "the first attempt to fail")
        gateway.settings.update(address)
        gateway.start()
        one.wait(READY)
        gateway.stop()
        gateway.start()
        wait_for(lambda: "agent.run" in gateway.cli("gateway", "call", "methods.list").stdout, "the method")
        assert one.end(CTRL_C) == 0
    finally:
        one.close()
