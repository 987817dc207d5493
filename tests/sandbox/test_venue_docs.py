"""The page about the sandbox is true: its code runs, its requests are understood, and it leaves no act out."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sandbox.bybit_server import Credentials, SandboxOptions
from sandbox.bybit_server.faults import ACTS
from sandbox.bybit_server.operations import Operator
from tests.sandbox.venue_support import Bench, RawClient, venue_in_thread

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sandbox.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CONTROL = re.findall(r"^```control\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = [line.split(" ", 2) for block in CONTROL for line in block.splitlines()]
BODIES = [json.loads(line[2]) for line in LINES if line[0] == "POST"]


@pytest.fixture(scope="module")
def lab():
    with venue_in_thread(SandboxOptions(address_requests_max=0)) as server:
        yield server


@pytest.fixture
def call(lab):
    def send(method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(lab.control_url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"{body}: {error.read().decode()}")

    yield send
    send("DELETE", "/_fault")


@pytest.mark.parametrize("code", PYTHON, ids=[block.split("\n", 1)[0] for block in PYTHON])
def test_code_runs_as_it_stands_but_for_the_ports(lab, call, code):
    here = code.replace("http://127.0.0.1:8766", lab.control_url)
    here = here.replace("127.0.0.1:8765", lab.rest_url.removeprefix("http://"))
    assert here != code
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", here],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout


@pytest.mark.parametrize("number", range(len(CONTROL)))
def test_control_requests_are_understood(lab, call, number):
    client = RawClient(lab.rest_url, Credentials())
    for line in CONTROL[number].splitlines():
        method, path, *rest = line.split(" ", 2)
        if method == "ORDER":
            order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
            body = {**order, "qty": "0.010", "price": "64500", "orderLinkId": path}
            assert client.post("/v5/order/create", body)["retCode"] == 0
        else:
            assert "error" not in call(method, path, json.loads(rest[0]))


def test_every_act_has_an_example():
    rules = {(body.get("on", "rest"), body["act"]) for body in BODIES if "act" in body}
    assert rules >= {(place, act) for place, acts in ACTS.items() for act in acts}
    assert {act for _, act in rules} >= {"stall", "resume", "inject", "cut"}


def test_every_intervention_has_an_example(lab):
    shown = {body["do"] for body in BODIES if "do" in body}
    body = json.dumps({"do": "?"}).encode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(lab.control_url + "/_ex", data=body, timeout=30)
    with caught.value as error:
        known = set(json.loads(error.read())["known"])
    assert set(Operator(Bench().exchange).table()) < known
    assert shown == known


def test_the_help_of_the_command_agrees_with_the_page():
    run = subprocess.run(
        [sys.executable, "-m", "sandbox", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in ("PUBLIC_WSS", "PRIVATE_WSS", "TRADE_WSS"):
        (line,) = (line.strip() for line in run.stdout.splitlines() if f".{name} = " in line)
        place = line.partition("127.0.0.1")[2]
        assert f"{name} = " in PAGE
        assert place in PAGE
    assert "docs/sandbox.md" in run.stdout
