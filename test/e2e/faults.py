"""A gateway whose system calls can be made to fail: test/shim is preloaded into it, and the rules
stand in a file that all its processes and the test have mapped (struct control in shim.c)."""

import contextlib
import mmap
import os
import pathlib
import re
import socket
import struct

from gateway import LURKBOT, PATIENCE, Gateway, wait_for

SHIM = os.environ.get("SHIM", str(pathlib.Path(LURKBOT).parent / "shim.so"))

STARTED, FORKED, ALL = 1, 2, 3  # the process that was started, its children, both
ANY, STREAM_SOCKET, REGULAR_FILE = 0, 1, 2
FOR_EVER = 0xffffffff

CALLS = """accept4 bind epoll_create1 epoll_ctl epoll_wait eventfd flock fork ftruncate listen mkdir
    mmap open pipe2 posix_fallocate pread pwrite read recv recvmsg rename send sendmsg setsockopt
    shm_open signalfd socket socketpair timerfd_create write""".split()

MAGIC = 0x6d696873
HEADER = struct.Struct("=IIII16s32x")
RULE = struct.Struct("=16sIIIIiIIII12x")
RULES_MAX = 64
WHO, KIND, SKIP, TIMES, ERROR, LIMIT, RANDOM, SEEN, MET = range(16, 52, 4)


class Shim:
    """The file of rules."""

    def __init__(self, path):
        self.path = str(path)
        with open(self.path, "wb") as f:
            f.write(HEADER.pack(MAGIC, 0, 0, 0, b""))
            for name in CALLS:
                f.write(RULE.pack(name.encode(), *[0] * 9))
            f.write(bytes(RULE.size * (RULES_MAX - len(CALLS))))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def close(self):
        self.map.close()

    def _word(self, at):
        return struct.unpack_from("=I", self.map, at)[0]

    def _set(self, at, value):
        struct.pack_into("=I", self.map, at, value & 0xffffffff)

    @staticmethod
    def _at(name):
        return HEADER.size + RULE.size * CALLS.index(name)

    def watch(self, name, who, kind=ANY):
        """Counts the calls from now on."""
        self.rule(name, who, kind, times=0)

    def rule(self, name, who, kind=ANY, error=0, times=FOR_EVER, skip=0, limit=0, random=False):
        """Lets calls fail with an errno (its number), or move at most `limit` bytes."""
        at = self._at(name)
        self._set(at + WHO, 0)  # off while it is changed
        for field, value in ((KIND, kind), (SKIP, skip), (TIMES, times), (ERROR, error),
                             (LIMIT, limit), (RANDOM, random), (SEEN, 0), (MET, 0)):
            self._set(at + field, value)
        self._set(at + WHO, who)

    def lift(self, name):
        """Lets no more calls fail; they are still counted."""
        self._set(self._at(name) + TIMES, 0)

    def seen(self, name):
        """How many calls matched the rule, also those that it did not change."""
        return self._word(self._at(name) + SEEN)

    def met(self, name):
        """How many calls the rule changed."""
        return self._word(self._at(name) + MET)

    def walk(self, who, number):
        """Lets call `number` of these processes fail, whichever it is."""
        self._set(4, 0)
        self._set(12, 0)
        self.map[16:32] = bytes(16)
        self._set(8, number)
        self._set(4, who)

    def walked(self):
        """The name of the call that the walk let fail; None: there were not so many."""
        return self.map[16:32].rstrip(b"\0").decode() or None


class KeepAlive:
    """An HTTP connection that was accepted before anything failed."""

    def __init__(self, gateway):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")

    def metrics(self):
        self.socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        length = 0
        while (line := self.file.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        lines = self.file.read(length).decode().splitlines()
        return {name: float(value) for name, _, value in
                (line.rpartition(" ") for line in lines if line and not line.startswith("#"))}

    def is_alone(self):
        """Whether the gateway has no other connection."""
        metrics = self.metrics()
        return metrics["lurkbot_connections_accepted_total"] == \
            metrics["lurkbot_connections_closed_total"] + 1

    def paused(self):
        return self.metrics()["lurkbot_accept_pauses_total"]

    def close(self):
        self.file.close()
        self.socket.close()


def count_descriptors(gateway):
    """How many all processes have open, while there is one connection and no more."""
    pids = [gateway.process.pid, *gateway.workers().values()]
    alone = KeepAlive(gateway)
    wait_for(alone.is_alone, "all other connections to be closed")
    count = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
    alone.close()
    return count


class FaultyGateway(Gateway):
    """A gateway with the shim preloaded, from its start."""

    def __init__(self, home, **settings):
        super().__init__(home, **settings)
        os.makedirs(self.home, exist_ok=True)
        self.shim = Shim(os.path.join(self.home, "shim"))

    def start_environment(self):
        return {**self.environment(), "LD_PRELOAD": SHIM, "LURKBOT_SHIM": self.shim.path}

    def log_file(self):
        with contextlib.suppress(FileNotFoundError), \
                open(os.path.join(self.home, "logs", "gateway.log"), errors="replace") as f:
            return f.read()
        return ""

    def await_outcome(self):
        """True: it is ready. False: it has ended instead."""
        def outcome():
            # The line that says so may be the very write that failed, but only in one of the two.
            if "the gateway is ready" in self.log() + self.log_file():
                return "ready"
            return self.process.poll() is not None and "ended"
        return wait_for(outcome, "a gateway that is ready, or has ended") == "ready"

    def lines_with(self, pattern):
        return [line for line in self.lines if line and re.search(pattern, line)]

    def descriptors(self):
        return count_descriptors(self)
