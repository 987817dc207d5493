"""A plan by a recording at an instant: what the engine would have known by then, and nothing of what came after."""

import json

import pytest
from builders import T0

from executor.domain.timeline import NS_PER_S, iso_utc
from executor.interfaces.cli import main
from tests.backtest.recorded_days import store, wander

WORDS = ["--symbol", "BTCUSDT", "--side", "buy", "--qty", "0.06", "--residual", "cross", "--duration", "5m"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return store(tmp_path_factory.mktemp("market"), wander(200, trades=True))


@pytest.fixture
def plan(capsys, data, tmp_path, monkeypatch):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))

    def told(*words, root=data):
        code = main(["plan", *WORDS, "--from-store", str(root), "--json", *words])
        return code, json.loads(capsys.readouterr().out)

    return told


def at(seconds):
    return iso_utc(T0 + seconds * NS_PER_S)


def test_a_recording_tells_a_whole_plan(plan):
    code, told = plan("--at", at(120))
    assert code == 0
    assert told["figures"]["source"] == "recording of bybit/linear/BTCUSDT"
    assert told["order"]["start"] == at(120)
    assert told["figures"]["volume_hourly"] > 0
    assert told["figures"]["volatility_hourly_pct"] > 0
    assert told["cost"]["expected_bps"] > 0


def test_what_comes_after_the_instant_changes_nothing(plan, tmp_path):
    shorter = store(tmp_path / "short", wander(130, trades=True))
    assert plan("--at", at(120)) == plan("--at", at(120), root=shorter)


def test_its_end_is_taken_where_no_instant_is_named(plan):
    _, last = plan()
    _, earlier = plan("--at", at(60))
    assert last["order"]["start"] > earlier["order"]["start"]
    assert last["figures"]["price"] != earlier["figures"]["price"]


def test_an_instant_outside_the_recording_is_refused(plan):
    code, told = plan("--at", at(10_000))
    assert code == 1
    assert "no recording at" in told["error"][0]["got"]


def test_what_the_recording_does_not_tell_is_asked_for(plan, tmp_path):
    untraded = store(tmp_path / "untraded", wander(60, trades=False))
    code, told = plan(root=untraded)
    assert (code, told["error"][0]["code"]) == (1, "FIGURES")
    assert told["error"][0]["got"] == "not known: volume"
    assert plan("--volume", "100", root=untraded)[0] == 0
