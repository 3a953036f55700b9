"""The log: whole lines in file and on stderr, text or JSON, and no flood from hostile clients."""

import json
import os
import re
import signal
import stat
import subprocess

import pytest

from faults import count_descriptors
from gateway import LURKBOT, PATIENCE, Gateway, wait_for
from rawws import Raw


def log_lines(gateway):
    with open(os.path.join(gateway.home, "logs", "gateway.log")) as f:
        return f.read().splitlines()


def test_text_lines_and_modes(start):
    gateway = start(log_level="debug")
    with Raw(gateway.port, "/") as ws:
        ws.send(b"\x81\x80\0\0\0\0")
        assert ws.receive()[0] == 1
    gateway.stop()
    for line in log_lines(gateway):
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) +"
                        r"(supervisor|worker \d)( \[[0-9a-f]{8}\])? \S", line), line
    assert any(re.search(r"worker \d \[[0-9a-f]{8}\] refused 127\.0\.0\.1:\d+: ", line)
               for line in log_lines(gateway))
    assert [line + "\n" for line in log_lines(gateway)] == [line for line in gateway.lines if line]
    logs = os.path.join(gateway.home, "logs")
    assert stat.S_IMODE(os.stat(logs).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.join(logs, "gateway.log")).st_mode) == 0o600


def test_json_lines(start):
    gateway = start(log_format="json")
    with Raw(gateway.port, "/") as ws:
        ws.send(b"\x81\x80\0\0\0\0")
        assert ws.receive()[0] == 1
    gateway.stop()
    lines = [json.loads(line) for line in log_lines(gateway)]
    assert all({"time", "level", "process", "message"} <= set(line) for line in lines)
    assert any(re.fullmatch("[0-9a-f]{8}", line.get("conn", "")) for line in lines)


@pytest.mark.san
def test_the_log_is_opened_again(start):
    """Its name leads to another file once somebody has moved it, for all processes."""
    gateway = start(log_level="debug")
    name = os.path.join(gateway.home, "logs", "gateway.log")
    workers = gateway.workers()

    def writers():
        """Who has written to the file, with one more line of some worker."""
        with Raw(gateway.port, "/") as ws:
            ws.send(b"\x81\x80\0\0\0\0")
            ws.receive()
        return set(re.findall(r" (worker \d) ", "\n".join(log_lines(gateway))))

    before = count_descriptors(gateway)
    for number in range(3):
        os.rename(name, f"{name}.{number}")
        gateway.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(name) and "the log file was opened again" in
                 "\n".join(log_lines(gateway)), "another file")
        wait_for(lambda: writers() == {"worker 0", "worker 1"}, "a line of each worker")
        size = os.stat(f"{name}.{number}").st_size
        writers()
        assert os.stat(f"{name}.{number}").st_size == size
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600
        assert os.stat(name).st_uid == os.stat(f"{name}.{number}").st_uid
    assert gateway.workers() == workers
    assert count_descriptors(gateway) == before


def test_a_log_that_cannot_be_opened_again_is_used_on(gateway):
    logs = os.path.join(gateway.home, "logs")
    os.rename(logs, logs + ".old")
    with open(logs, "w") as f:
        f.write("a file where the folder should be")
    gateway.process.send_signal(signal.SIGUSR1)
    gateway.wait_line(r"error supervisor Cannot open the log file .*gateway\.log: Not a directory")
    with open(os.path.join(logs + ".old", "gateway.log")) as f:
        assert "Cannot open the log file" in f.read()


def test_hostile_clients_do_not_flood_the_log(start):
    gateway = start(workers=1)
    for _ in range(300):
        with Raw(gateway.port, "/") as ws:
            ws.send(b"\x81\x80\0\0\0\0")
            ws.receive()
    refused = [line for line in log_lines(gateway) if " refused " in line]
    assert 0 < len(refused) <= 120  # 60 a minute, and a minute may end in between


def test_a_log_file_that_cannot_be_opened_is_one_clear_line(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "logs").write_text("a file where the folder should be")
    done = subprocess.run([LURKBOT, "gateway", "start", "--port", "0"], capture_output=True, text=True,
                          env=Gateway(home).environment(), timeout=PATIENCE)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1 and "logs" in done.stderr
