"""etc/lurkbot.logrotate, given to logrotate itself: no line is lost, and the gateway goes on in a new file."""

import os
import pathlib
import subprocess

import pytest

from gateway import wait_for

SAMPLE = pathlib.Path(__file__).parents[2] / "etc" / "lurkbot.logrotate"
LOGROTATE = "/usr/sbin/logrotate"


@pytest.mark.skipif(not os.access(LOGROTATE, os.X_OK), reason="there is no logrotate")
def test_rotation(start, tmp_path):
    gateway = start()
    text = SAMPLE.read_text()
    assert text.count("/var/lib/lurkbot/") == 2  # log and lock
    config = tmp_path / "logrotate.conf"
    config.write_text(text.replace("/var/lib/lurkbot", gateway.home))
    config.chmod(0o644)
    log = pathlib.Path(gateway.home) / "logs" / "gateway.log"
    before = log.read_text()
    assert "the gateway is ready" in before
    for turn in range(1, 3):
        subprocess.run([LOGROTATE, "--force", "--state", tmp_path / "state", config], check=True,
                       stdin=subprocess.DEVNULL)
        wait_for(log.exists, "the gateway to begin a new log")
        wait_for(lambda: not gateway.cli("gateway", "reload").returncode and
                 "reload" in log.read_text(), "a line in the new log")
    # The second turn compresses what the first had moved away.
    assert {p.name for p in log.parent.iterdir()} == {
        "gateway.log", "gateway.log.1", "gateway.log.2.gz"}
    done = subprocess.run(["gzip", "-dc", f"{log}.2.gz"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(before)
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not os.access(LOGROTATE, os.X_OK), reason="there is no logrotate")
def test_nothing_to_rotate(tmp_path):
    config = tmp_path / "logrotate.conf"
    config.write_text(SAMPLE.read_text().replace("/var/lib/lurkbot", str(tmp_path / "nowhere")))
    config.chmod(0o644)
    done = subprocess.run([LOGROTATE, "--force", "--state", tmp_path / "state", config],
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
