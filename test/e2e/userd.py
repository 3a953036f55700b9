"""A systemctl and a journalctl of a test's own, put first on PATH: enough of `--user` to install, start,
stop and ask about one unit, by the words of its ExecStart. What it was asked stands in calls.txt, and
what it is to say of the unit can be planted in plant.json."""

import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

SCRIPT = """#!/bin/sh
exec /usr/bin/python3 {program} {folder} "$0" "$@"
"""


def install(folder):
    """Makes FOLDER/bin with both commands; returns it."""
    commands = pathlib.Path(folder) / "bin"
    commands.mkdir(parents=True)
    for name in ("systemctl", "journalctl"):
        path = commands / name
        path.write_text(SCRIPT.format(program=__file__, folder=folder))
        path.chmod(0o755)
    return commands


class Manager:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.environ["HOME"], ".config")
        self.unit = pathlib.Path(config) / "systemd" / "user" / "lurkbot-gateway.service"

    def load(self, name):
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else {}

    def pid(self):
        pid = self.load("state.json").get("pid", 0)
        try:
            os.kill(pid, 0) if pid else None
        except ProcessLookupError:
            return 0
        return pid

    def lines(self):
        """The unit's [Service] section, quotes and doubled characters undone."""
        for line in self.unit.read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals:
                yield name, [word.replace("%%", "%") for word in shlex.split(value)]

    def start(self):
        if self.pid():
            return 0
        environment, command = dict(os.environ), None
        for name, words in self.lines():
            if name == "Environment":
                environment.update(word.split("=", 1) for word in words)
            elif name == "ExecStart":
                command = [word.replace("$$", "$") for word in words]
        process = subprocess.Popen([*command, "--daemon"], env=environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate()
        if process.returncode:
            print(f"Job for lurkbot-gateway.service failed. {err}", file=sys.stderr)
            return 1
        pid = int(out.split("pid ")[1].split(")")[0])
        (self.folder / "state.json").write_text(json.dumps({"pid": pid, "environment": environment}))
        return 0

    def stop(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
        while self.pid():
            time.sleep(0.01)
        return 0

    def enable(self, on):
        (self.folder / "enabled.json").write_text(json.dumps({"enabled": on}))
        return 0

    def show(self, unit):
        if unit is None:
            print("Version=252")
            return 0
        pid = self.pid()
        enabled = self.load("enabled.json").get("enabled")
        state = {"ActiveState": "active" if pid else "inactive", "MainPID": pid,
                 "UnitFileState": "" if not self.unit.exists() else
                 "enabled" if enabled else "disabled",
                 "Result": "success", "ExecMainStatus": 0, "NRestarts": 0,
                 **self.load("plant.json")}
        for name, value in state.items():
            print(f"{name}={value}")
        return 0

    def run(self, words):
        planted = self.load("plant.json").pop("fails", None)
        verb, *rest = [word for word in words if not word.startswith("-")]
        if planted == verb:
            print(f"planted: {verb} does not work", file=sys.stderr)
            return 1
        if verb == "show":
            return self.show(rest[0] if rest else None)
        actions = {"daemon-reload": lambda: 0, "enable": lambda: self.enable(True),
                   "disable": lambda: self.enable(False), "start": self.start, "stop": self.stop,
                   "restart": lambda: self.stop() or self.start()}
        return actions[verb]()


def main():
    folder, name, words = pathlib.Path(sys.argv[1]), os.path.basename(sys.argv[2]), sys.argv[3:]
    if name == "journalctl":
        print(Manager(folder).load("plant.json").get("journal", ""), end="")
        return 0
    with open(folder / "calls.txt", "a") as calls:
        calls.write(" ".join(words) + "\n")
    return Manager(folder).run(words)


if __name__ == "__main__":
    sys.exit(main())
