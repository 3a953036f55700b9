"""Clients of other machines: a network namespace of its own is one, at the other end of a cable."""

import json
import os
import subprocess
import sys

import pytest

from gateway import HELLO, PATIENCE

pytestmark = pytest.mark.san

HERE, THERE = "198.18.213.1", "198.18.213.2"  # RFC 2544: of no real network

# What runs over there: one hello, and one request for each path.
FOREIGNER = """
import asyncio, http.client, json, sys, websockets
host, port, hello, headers = sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
told = {}
for path in "/health", "/live", "/ready", "/info", "/metrics", "/":
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    told[path] = response.status
    if path == "/info":
        told["body"] = response.read().decode()
    connection.close()

async def run():
    ws = await websockets.connect(f"ws://{host}:{port}/", compression=None, extra_headers=headers)
    await ws.send(hello)
    told["hello"] = json.loads(await ws.recv())
    await ws.close()

asyncio.run(run())
print(json.dumps(told))
"""


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


@pytest.fixture(scope="module")
def elsewhere():
    """The name of a network namespace from which HERE can be reached."""
    name = f"lurkbot-{os.getpid()}"
    ours, theirs = f"lb{os.getpid()}a", f"lb{os.getpid()}b"
    if os.geteuid() != 0 or ip("netns", "add", name).returncode != 0:
        pytest.skip("network namespaces are not to be had")
    try:
        for step in (
                ["link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name],
                ["addr", "add", f"{HERE}/30", "dev", ours], ["link", "set", ours, "up"],
                ["-n", name, "addr", "add", f"{THERE}/30", "dev", theirs],
                ["-n", name, "link", "set", theirs, "up"]):
            done = ip(*step)
            if done.returncode != 0:
                pytest.skip(f"no cable between namespaces: {done.stderr}")
        yield name
    finally:
        ip("link", "del", ours)
        ip("netns", "del", name)


def foreigner(name, gateway, auth=None, headers=None, host=HERE):
    hello = {**HELLO, **({"auth": auth} if auth else {})}
    prefix = ["ip", "netns", "exec", name] if name else []
    done = subprocess.run(
        [*prefix, sys.executable, "-c", FOREIGNER, host, str(gateway.port), json.dumps(hello),
         json.dumps(headers or {})], capture_output=True, text=True, timeout=3 * PATIENCE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def expect_open(told):
    assert told["hello"]["type"] == "hello-ok"
    assert {status for path, status in told.items() if path.startswith("/")} == {200}


def test_without_authentication_only_this_machine_is_served(start, elsewhere):
    gateway = start(host="0.0.0.0")
    gateway.wait_line(r"authentication is off: .* other machines are turned away")
    told = foreigner(elsewhere, gateway)
    error = told["hello"]["error"]
    assert told["hello"]["type"] == "hello-error" and error["details"]["reason"] == "unauthorized"
    assert error["message"].startswith("Authentication failed: ")
    assert "gateway.auth_enabled" in error["message"]
    assert "--allow-unauthenticated" in error["message"]
    for path in "/health", "/live", "/ready":
        assert told[path] == 200
    for path in "/info", "/metrics", "/":
        assert told[path] == 403
    assert json.loads(told["body"])["error"]["message"] == error["message"]
    expect_open(foreigner(None, gateway, host="127.0.0.1"))
    # An address of this machine that is not a loopback address counts as one of the network.
    assert foreigner(None, gateway)["hello"]["type"] == "hello-error"


def test_ipv4_in_ipv6_counts_as_ipv4(start, elsewhere):
    gateway = start(host="::")
    assert foreigner(elsewhere, gateway)["hello"]["type"] == "hello-error"
    expect_open(foreigner(None, gateway, host="127.0.0.1"))


def test_allow_unauthenticated(start, elsewhere):
    gateway = start("--allow-unauthenticated", host="0.0.0.0")
    gateway.wait_line(r"warning .*allow_unauthenticated")
    expect_open(foreigner(elsewhere, gateway))


def test_a_token_is_the_other_way_out(start, elsewhere):
    gateway = start(host="0.0.0.0", auth_enabled=True, auth_tokens=["a-token-of-ours"])
    expect_open(foreigner(elsewhere, gateway, headers={"Authorization": "Bearer a-token-of-ours"}))
    told = foreigner(elsewhere, gateway, auth={"token": "a-token-of-ours"})
    assert told["hello"]["type"] == "hello-ok" and told["/info"] == 401


def test_metrics_can_be_opened(start, elsewhere):
    told = foreigner(elsewhere, start(host="0.0.0.0", metrics_public=True))
    assert told["/metrics"] == 200 and told["/info"] == 403
