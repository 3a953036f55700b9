"""Programs that play a scenario of test/e2e/clients: each gives lines, and takes answers."""

import json
import os
import pathlib
import queue
import subprocess
import threading

from gateway import PATIENCE

ROOT = pathlib.Path(__file__).parents[2]
CLIENTS = pathlib.Path(__file__).parent / "clients"
LIBRARIES = {"python": ROOT / "contrib" / "python", "javascript": ROOT / "contrib" / "javascript"}
COMMANDS = {"python": ["/usr/bin/python3", "-B", "-W", "error", CLIENTS / "scenario.py"],
            "javascript": ["node", CLIENTS / "node.mjs"]}
MODULES = ROOT / "build" / "node_modules"


class Program:
    """A program with lines on its standard input and output. What it says on standard error is a failure."""

    def __init__(self, command, **more):
        env = {**os.environ, "NODE_PATH": str(MODULES), **more}
        self.process = subprocess.Popen(command, env=env, text=True, encoding="utf-8", stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1)
        self.lines = queue.Queue()
        self.errors = []
        self._threads = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _read_errors(self):
        self.errors.extend(self.process.stderr)

    def readline(self):
        """The next line, or "" at the end."""
        try:
            return self.lines.get(timeout=2 * PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no line within {2 * PATIENCE:.0f} s: {''.join(self.errors)}") from None

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def close(self):
        """Ends it; returns its exit status, and what it said on standard error."""
        self.process.stdin.close()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        for thread in self._threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, "".join(self.errors)


def play(peer, asks):
    """Lets it say its lines; what it asks is answered by the function of this name. Returns the transcript."""
    transcript = []
    while line := peer.readline():
        line = json.loads(line)
        if "say" in line:
            transcript.append(line["say"])
        else:
            peer.write(json.dumps(asks[line["ask"]](line)))
    return transcript


def play_program(language, url, scenario, asks=None, **environment):
    """The transcript of a scenario by one of the libraries; errors that it logs, and must not, show up in it."""
    program = Program([*COMMANDS[language], LIBRARIES[language], url, scenario], **environment)
    try:
        transcript = play(program, asks or {})
    finally:
        status, errors = program.close()
    assert status == 0, errors
    return transcript, errors
