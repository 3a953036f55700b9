"""A machine of its own for units: systemd-nspawn boots the systemd of this machine on its own /usr, with
everything else empty and in memory. Needs root; nothing of it is seen by the machine itself."""

import contextlib
import ctypes
import glob
import os
import subprocess
import time

CLONE_NEWNET = 0x40000000


class Container:
    """binds: {path inside: path outside}, read-only."""

    def __init__(self, binds):
        self.name = f"lurkbot-test-{os.getpid()}"
        self.binds = binds
        self.nspawn = self.leader = None
        self.cgroups = set(self._payloads())

    @staticmethod
    def _payloads():
        return [path for kind in ("systemd", "unified") for name in ("payload", "supervisor")
                for path in glob.glob(f"/sys/fs/cgroup/{kind}/{name}")]

    def __enter__(self):
        began = time.monotonic()
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "-D", "/", "--volatile=yes", "--register=no", "--keep-unit",
             "--private-network", "--console=pipe", f"--machine={self.name}",
             *(f"--bind-ro={outside}:{inside}" for inside, outside in self.binds.items()),
             "--boot", "--", "systemd.unit=basic.target"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            self.leader = self._await(self._find_leader, "the container's systemd", 30)
            self._await(lambda: self.run("systemctl", "is-active", "basic.target",
                                         check=False).stdout.strip() == "active",
                        "basic.target", 60)
        except BaseException:
            self.nspawn.kill()
            print(self.nspawn.communicate()[0].decode(errors="replace"))
            raise
        self.boot_s = time.monotonic() - began
        self.run("ip", "link", "set", "lo", "up")
        return self

    def _await(self, condition, what, patience):
        deadline = time.monotonic() + patience
        while not (value := condition()):
            assert self.nspawn.poll() is None, "the container has ended"
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.02)
        return value

    def _find_leader(self):
        for path in glob.glob(f"/proc/{self.nspawn.pid}/task/*/children"):
            with open(path) as f:
                for pid in f.read().split():
                    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as comm:
                        if comm.read().strip() == "systemd":
                            return int(pid)
        return None

    def __exit__(self, *_):
        self.run("systemctl", "poweroff", check=False)
        try:
            self.nspawn.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.communicate()
        # nspawn leaves these behind, empty.
        for path in set(self._payloads()) - self.cgroups:
            for folder, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)

    def run(self, *command, check=True, input=None, timeout=120, environment=()):
        """Runs a command inside."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--",
             "env", *environment, *command],
            input=input, capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def out(self, *command, **options):
        return self.run(*command, **options).stdout.strip()

    def write(self, path, text):
        self.run("mkdir", "-p", os.path.dirname(path))
        self.run("tee", path, input=text)

    def add_user(self, name, uid):
        """A user who has a service manager of his own; returns what begins a command of his."""
        run, home = f"/run/user/{uid}", f"/home/{name}"
        self.write("/etc/pam.d/systemd-user",
                   "account required pam_permit.so\nsession required pam_permit.so\n")
        self.run("tee", "-a", "/etc/passwd", input=f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n")
        self.run("tee", "-a", "/etc/group", input=f"{name}:x:{uid}:\n")
        self.run("install", "-d", "-m", "700", "-o", str(uid), "-g", str(uid), home, run)
        # There is no logind to make that folder, and to say so.
        self.write(f"/etc/systemd/system/user@{uid}.service.d/test.conf",
                   f"[Service]\nEnvironment=XDG_RUNTIME_DIR={run}\n")
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "start", f"user@{uid}.service")
        return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "env", f"HOME={home}",
                f"XDG_RUNTIME_DIR={run}"]

    def join_network(self):
        """This process has the container's network from now on, and no other."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{self.leader}/ns/net") as net:
            if libc.setns(net.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
