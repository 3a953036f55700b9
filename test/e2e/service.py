"""A service manager of a test's own, as far as a service can tell: a notify socket, the store of
descriptors behind it, and the start with descriptors that are passed."""

import array
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from gateway import LURKBOT, PATIENCE, Gateway, wait_for

FIRST = 3  # SD_LISTEN_FDS_START


class Manager:
    """Reads what services say: each message as {name: value} in `messages`, stored descriptors in
    `store` as [(name, fd)]."""

    def __init__(self, folder):
        self.path = os.path.join(str(folder), "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []
        self.store = []
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            data, control, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64 * 4))
            fds = []
            for level, kind, body in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds += array.array("i", body[:len(body) // 4 * 4]).tolist()
            if data == b"end":
                return
            self._take(dict(line.split("=", 1) for line in data.decode().split("\n") if line), fds)

    def _take(self, message, fds):
        with self._lock:
            name = message.get("FDNAME", "stored")
            if message.get("FDSTOREREMOVE") == "1":
                for kept in [k for k in self.store if k[0] == name]:
                    self.store.remove(kept)
                    os.close(kept[1])
            if message.get("FDSTORE") == "1":
                self.store += [(name, fd) for fd in fds]
            elif message.get("BARRIER") == "1" or fds:
                for fd in fds:
                    os.close(fd)
            self.messages.append({**message, "at": time.time()})

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", self.path)
        self._reader.join(PATIENCE)
        self.socket.close()
        self.forget_all()

    def forget_all(self):
        """As after `systemctl stop`: nothing is kept."""
        with self._lock:
            for _, fd in self.store:
                os.close(fd)
            self.store = []

    def kept(self, name):
        with self._lock:
            return [fd for kept, fd in self.store if kept == name]

    def having(self, **wanted):
        """The messages that have these assignments; True stands for any value."""
        return [m for m in list(self.messages)
                if all(k in m if v is True else m.get(k) == v for k, v in wanted.items())]

    def wait(self, count=1, **wanted):
        """Waits for so many messages with these assignments, and returns the last of them."""
        return wait_for(lambda: len(found := self.having(**wanted)) >= count and found,
                        f"{count} messages with {wanted} in {self.messages}")[-1]

    def wait_status(self, text, since=0):
        """The last message with this text in its status, and that came after a moment (time.time())."""
        return wait_for(lambda: [m for m in self.having(STATUS=True)
                                 if text in m["STATUS"] and m["at"] > since],
                        f"the status {text!r}; {self.having(STATUS=True)[-3:]}")[-1]


class Service(Gateway):
    """A gateway that is told of a notify socket, and is passed descriptors."""

    def __init__(self, home, manager=None, passed=(), watchdog_us=0, announce=None, **settings):
        super().__init__(home, **settings)
        self.manager = manager
        self.passed = list(passed)  # [(name, fd)]; what the manager's store has comes behind
        self.watchdog_us = watchdog_us
        self.announce = announce or {}  # variables that stand in place of the right ones

    def launch(self, *arguments):
        self._reader and self._reader.join(PATIENCE)
        os.makedirs(self.home, exist_ok=True)
        self.write_settings()
        self.lines = []
        passed = self.passed + (list(self.manager.store) if self.manager else [])
        names = ":".join(name for name, _ in passed)
        env = self.start_environment()
        if self.manager:
            env["NOTIFY_SOCKET"] = self.manager.path
        if passed:
            env["LISTEN_FDS"], env["LISTEN_FDNAMES"] = str(len(passed)), names
        # Beyond reach of the numbers that they get; then as a service manager has it, in one process.
        high = [os.dup(fd) for _, fd in passed]
        script = "".join(f"exec {FIRST + i}<&{fd} {fd}<&-; " for i, fd in enumerate(high))
        announce = {"LISTEN_PID": "$$", **self.announce} if passed or self.announce else {}
        if self.watchdog_us:
            announce.update(WATCHDOG_PID="$$", WATCHDOG_USEC=str(self.watchdog_us))
        script += "".join(f"export {name}={value}; " for name, value in announce.items())
        script += 'exec "$@"'
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", script, "start", LURKBOT, "gateway", "start", *arguments], env=env,
            pass_fds=high, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace")
        for fd in high:
            os.close(fd)
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()


    def has_failed(self, status=1):
        """Waits for the end of a start that fails."""
        self.process.wait(PATIENCE)
        self.stop(expect=status)


def listen(address, family=socket.AF_INET):
    """A socket that listens, as a .socket unit makes it."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(address)
    listener.listen(128)
    return listener


@contextlib.contextmanager
def stopped(pids):
    """These processes stand still meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
