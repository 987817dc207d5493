"""The demonstration ends as a whole, and says how to go on in words that can be typed."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from executor.advice.reply import parse_reply
from executor.domain.advice import Advice
from executor.domain.advice_terms import Band
from executor.interfaces.demo import arranged, own_command
from executor.interfaces.demo_orders import BASKET, ROUTE, SINGLE, all_words, place_beside, place_route
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from sandbox.llm_server.fault_form import put_up
from sandbox.llm_server.faults import FaultBoard

ROOT = Path(__file__).parents[2]
SILENT_S_MAX = 60
"""Patience of the test, on a machine that does much else; the demo needs a few seconds."""


def test_the_hint_names_the_command_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    assert own_command() == "venv/bin/executor"
    monkeypatch.setattr(sys, "executable", "/opt/a b/bin/python")
    assert own_command() == "'/opt/a b/bin/executor'"


def test_what_is_arranged_is_an_answer_beyond_the_band_one_too_late_and_one_that_is_not_sure():
    board, band = FaultBoard(Random(1)), Band()
    rules = [put_up(board, fields) for fields in arranged("P1")]
    assert [rule.match.decision_id for rule in rules] == ["P1-2", "P1-3", "P1-4"]
    assert [rule.act for rule in rules] == ["edit", "delay", "edit"]
    assert rules[1].number("delay_ms") > 10_000
    usual = dict(
        decision_id="P1-2", snapshot_hash="ab", action="WAIT", strategy=None, quantity=None, order_type=None,
        limit_price=None, rate=None, wait_seconds="10", confidence="0.6", impact_adjustment="1", reasoning="because",
        risk_assessment="small",
    )  # fmt: skip
    edited = [
        parse_reply(
            json.dumps(usual | rule.members("set")).encode(),
            decision_id="P1-2",
            snapshot_hash="ab",
            strategies=frozenset(),
        )
        for rule in (rules[0], rules[2])
    ]
    assert all(isinstance(each, Advice) for each in edited), edited
    assert edited[0].rate > band.rate_max
    assert edited[0].confidence >= band.confidence_min > edited[1].confidence
    assert all("Arranged" in each.reasoning for each in edited)


class Asked:
    """What is asked of a daemon; it refuses what bears a key of `refused`."""

    url = "http://127.0.0.1:1"

    def __init__(self, refused=""):
        self.refused = refused
        self.asked = []

    def post(self, path, body, headers=None):
        key = (headers or {}).get("Idempotency-Key", "")
        if self.refused and key == self.refused:
            raise failed(ExitCode.REFUSED, "HALTED", path, "the stop", "none", "rearm")
        self.asked.append((path, body, key))
        return {"parent_id": f"P{len(self.asked)}"}


def test_orders_of_every_kind_are_handed_in_once_and_one_is_paused():
    daemon, said = Asked(), []
    place_beside(daemon, said.append)
    place_route(daemon, said.append)
    assert said == []
    bodies = [body for path, body, _ in daemon.asked if path == "/v1/parents"]
    assert bodies == [dict(body) for _, body, _ in SINGLE]
    assert [path for path, _, _ in daemon.asked if path.endswith("/pause")] == ["/v1/parents/P3/pause"]
    assert [(path, body) for path, body, _ in daemon.asked[-2:]] == [
        ("/v1/baskets", BASKET),
        ("/v1/routes", ROUTE),
    ]
    keys = [key for _, _, key in daemon.asked if key]
    assert len(set(keys)) == len(keys) == len(all_words())


def test_an_order_that_is_refused_is_said_and_the_others_are_handed_in():
    daemon, said = Asked(refused="demo-1"), []
    place_beside(daemon, said.append)
    assert len(daemon.asked) == len(SINGLE) - 1 + 2
    assert len(said) == 1
    assert "XRPUSDT" in said[0]
    assert "rearm" in said[0]


def end(demo):
    """Let it take down what it started: that would be in the way of all tests that follow."""
    if demo.poll() is not None:
        return
    os.killpg(demo.pid, signal.SIGINT)
    try:
        demo.communicate(timeout=SILENT_S_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(demo.pid, signal.SIGKILL)
        demo.communicate()


@pytest.mark.process
@pytest.mark.timeout(180)
def test_the_address_of_the_board_comes_first_and_everything_stays_until_ctrl_c(tmp_path: Path):
    demo = subprocess.Popen(
        [sys.executable, "-m", "executor.interfaces.cli", "demo", "--seconds", "2", "--stay"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert demo.stderr is not None
    said = b""
    try:
        while b"Ctrl-C ends everything.\nboard    http://127.0.0.1:" not in said:
            assert select.select([demo.stderr], [], [], SILENT_S_MAX)[0], said
            piece = os.read(demo.stderr.fileno(), 4_096)
            assert piece, said
            said += piece
        os.killpg(demo.pid, signal.SIGINT)
        _, rest = demo.communicate(timeout=SILENT_S_MAX)
    finally:
        end(demo)
    assert said.startswith(b"board    http://127.0.0.1:")
    assert b"left out" not in said
    assert demo.returncode in {ExitCode.OK, ExitCode.REFUSED}, "as the order that was followed ended"
    assert b"stopping" in rest
    with pytest.raises(ProcessLookupError):
        os.kill(_pid_of_daemon(tmp_path), 0)


@pytest.mark.process
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_says_that_everything_ended(tmp_path: Path, number: int):
    demo = subprocess.Popen(
        [sys.executable, "-m", "executor.interfaces.cli", "demo", "--seconds", "60"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert demo.stderr is not None
    said = b""
    try:
        while b"accepted as" not in said:
            assert select.select([demo.stderr], [], [], SILENT_S_MAX)[0], said
            piece = os.read(demo.stderr.fileno(), 4_096)
            assert piece, said
            said += piece
        os.killpg(demo.pid, number)
        _, rest = demo.communicate(timeout=SILENT_S_MAX)
    finally:
        end(demo)
    assert demo.returncode == 130
    assert b"stopped; exchange, model and daemon are ended" in rest
    assert b"goes on" not in rest
    assert b"until the next demo replaces it" in rest
    with pytest.raises(ProcessLookupError):
        os.kill(_pid_of_daemon(tmp_path), 0)


def _pid_of_daemon(home: Path) -> int:
    return int((home / "var" / "sample-run" / "executor.lock").read_text())
