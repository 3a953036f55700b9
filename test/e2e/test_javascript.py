"""JavaScript clients on Node's `ws`: the document's examples as they stand, and a fan-out."""

import json
import pathlib
import subprocess

from gateway import PATIENCE

HERE = pathlib.Path(__file__).parent
MODULES = HERE.parents[1] / "build" / "node_modules"


def node(script, gateway):
    done = subprocess.run(["node", HERE / "javascript" / script, str(gateway.port), str(MODULES)],
                          capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_examples_of_the_document(session_gateway):
    lines = [json.loads(line) for line in node("document.mjs", session_gateway).splitlines()]
    said = {line[1]: line[2] for line in lines}
    assert [line[0] for line in lines] == ["log"] * 3
    assert len(said["Connected:"]["connId"]) == 8
    assert "sessions.list" in said["Features:"]["methods"]
    assert said["Result:"] == {"sessions": []}


def test_fanout_to_node_clients(session_gateway):
    assert node("fanout.mjs", session_gateway).strip() == "ok"
