"""contrib/prometheus is right: promtool takes it, its metrics are the gateway's, and Debian's
Prometheus itself scrapes a gateway and raises an alert when its workers are killed."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import urllib.request

import pytest

from gateway import PATIENCE, tls_settings, wait_for

TREE = pathlib.Path(__file__).parents[2]
FILES = TREE / "contrib" / "prometheus"
METRIC = re.compile(r"\blurkbot_[a-z_]+")


def promtool(*arguments, cwd=FILES):
    done = subprocess.run(["promtool", *map(str, arguments)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_all():
    promtool("check", "rules", "lurkbot-alerts.yml")
    promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "alerts.yml", cwd=TREE / "test" / "prometheus")


def expressions():
    """Of the dashboard's panels and variables, and of the alerts: (where, expression)."""
    board = json.loads((FILES / "lurkbot-dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        yield variable["name"], variable["query"]
    rules = (FILES / "lurkbot-alerts.yml").read_text()
    for alert in rules.split("- alert: ")[1:]:
        name, _, rest = alert.partition("\n")
        yield name, rest.partition("expr:")[2].partition("labels:")[0]


def test_every_metric_is_one_of_the_gateway(start):
    gateway = start(**tls_settings())
    exposed = {sample.partition("{")[0] for sample in gateway.metrics()}
    asked = [(where, metric) for where, text in expressions() for metric in METRIC.findall(text)]
    assert len(asked) > 40
    assert [(where, metric) for where, metric in asked if metric not in exposed] == []


def test_dashboard_is_whole():
    board = json.loads((FILES / "lurkbot-dashboard.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.fixture
def prometheus(tmp_path):
    """Starts Debian's prometheus on the sample configuration, faster and for this port."""
    started = []

    def start_one(target):
        folder = tmp_path / "prometheus"
        folder.mkdir()
        sample = (FILES / "prometheus.yml").read_text()
        assert '"127.0.0.1:18789"' in sample and "lurkbot-alerts.yml" in sample
        sample = sample.replace("127.0.0.1:18789", target).replace(": 15s", ": 200ms")
        (folder / "prometheus.yml").write_text(
            sample.replace("- lurkbot-alerts.yml", f"- {FILES / 'lurkbot-alerts.yml'}"))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{s.getsockname()[1]}"
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}", "--log.level=error",
             f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)

        def ask(path):
            if process.poll() is not None:
                raise AssertionError("prometheus has ended")
            try:
                with urllib.request.urlopen(f"http://{address}/api/v1/{path}", timeout=PATIENCE) as f:
                    return json.load(f)["data"]
            except OSError:
                return None
        return ask

    yield start_one
    for process in started:
        process.terminate()
        process.wait(PATIENCE)


def test_prometheus_scrapes_and_tells(start, prometheus):
    gateway = start(workers=2)
    ask = prometheus(f"127.0.0.1:{gateway.port}")

    def value(query):
        found = ask(f"query?query={query}")
        return float(found["result"][0]["value"][1]) if found and found["result"] else None

    def firing():
        found = ask("alerts")
        return {a["labels"]["alertname"] for a in found["alerts"] if a["state"] == "firing"} \
            if found else set()

    wait_for(lambda: value("lurkbot_workers") == 2, "a scrape", 3 * PATIENCE)
    assert value("up") == 1 and "LurkBotWorkersDie" not in firing()
    targets = ask("targets")["activeTargets"]
    assert [t["health"] for t in targets] == ["up"] and not targets[0]["lastError"]

    for kill in range(1, 6):
        workers = gateway.workers()
        os.kill(workers[max(workers)], signal.SIGKILL)
        wait_for(lambda: set(gateway.workers()) == {0, 1} and gateway.workers() != workers,
                 "the worker to be replaced")
        # Each has to be seen: what happened between two scrapes counts as one increase.
        wait_for(lambda: value("sum(lurkbot_worker_restarts_total)") == kill, "the restart's scrape")
    wait_for(lambda: "LurkBotWorkersDie" in firing(), "the alert", 3 * PATIENCE)
