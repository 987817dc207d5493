"""`executor simulate --distributed`: agents in processes of their own, then the same report as of any run.

Method: the market is closed as soon as enough has been traded, and never by the clock.
"""

import json
import os
import signal
import threading

import pytest

from backtest.market.network import hosting
from backtest.market.network.hosting import check, read_status
from executor.domain.errors import ConfigError
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from tests.process.processes import wait_until

SCENARIO = """
name = "wire"
title = "A market over a wire"
expects = "Little."
[run]
steps = 100
step_s = 0.05
[value]
px = 10_000.0
[[agents]]
name = "makers"
kind = "market-maker"
count = 1
cash = 20_000_000
position_qty = 2_000
params = { base_spread_bps = 20.0, every_s = 0.1 }
[[agents]]
name = "noise"
kind = "noise"
count = 3
cash = 10_000_000
position_qty = 1_000
params = { mean_wait_s = 0.05, market_bps = 4_000 }
"""


def close_when_traded(folder, trades):
    """Do what an operator does who has seen enough since everybody was there: trades, and forty steps."""
    begun = []

    def has_traded():
        status = folder / "status.json"
        said = read_status(folder) if status.exists() else None
        if said is not None and not begun and all(seat["present"] for seat in said["seats"]):
            begun.append((said["trades"][0], said["now_s"]))
        if said is None or not begun:
            return False
        return said["trades"][0] >= begun[0][0] + trades and said["now_s"] >= begun[0][1] + 2.0

    wait_until(has_traded, "trades between processes")
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "wire.toml"
    path.write_text(SCENARIO)
    return str(path)


@pytest.mark.process
@pytest.mark.timeout(180)
def test_a_scenario_is_run_by_processes_and_told_like_any_run(tmp_path, capsys, scenario):
    folder = tmp_path / "market"
    closer = threading.Thread(target=close_when_traded, args=(folder, 30))
    closer.start()
    words = ["--distributed", "--processes", "2", "--duration-s", "3600", "--record", str(folder)]
    code = cli.main(["simulate", "--scenario", scenario, "--seed", "4", *words, "--json"])
    closer.join()
    out = capsys.readouterr()
    assert code == ExitCode.OK, out.out
    told = json.loads(out.out)
    assert (told["engine"], told["seed"], told["wire"]["processes"]) == ("distributed", 4, 2)
    assert told["trades"] >= 30
    assert told["measures"]["conserved"] == 1.0
    assert [one["kind"] for one in told["performance"]] == ["market-maker", "noise", "noise", "noise"]
    assert (told["wire"]["problems"], told["wire"]["never_came"]) == ([], [])
    assert told["wire"]["everybody_there_s"] < told["wire"]["open_s"]
    assert told["event_hash"] == told["wire"]["event_hash"]
    outcome, problems = check(folder)
    assert (outcome.event_hash, problems) == (told["event_hash"], [])
    for seat in range(4):
        assert json.loads((folder / f"agent-{seat:03}.json").read_text())["why"] == "CLOSED"


@pytest.mark.process
@pytest.mark.timeout(180)
def test_processes_that_end_before_their_agents_sit_down_end_the_market(
    tmp_path, capsys, scenario, monkeypatch
):
    start = hosting._start
    monkeypatch.setattr(hosting, "_start", lambda _files: start([tmp_path / "nothing.json"]))
    words = ["--distributed", "--processes", "1", "--duration-s", "3600"]
    assert cli.main(["simulate", "--scenario", scenario, *words]) == ExitCode.REFUSED
    assert "ended before their agents sat down" in capsys.readouterr().err


@pytest.mark.process
def test_a_folder_that_is_in_use_is_refused(tmp_path, capsys, scenario):
    words = ["--distributed", "--processes", "1", "--record", str(tmp_path)]
    assert cli.main(["simulate", "--scenario", scenario, *words]) == ExitCode.USAGE
    assert "is not empty" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="holds no market that has closed"):
        hosting.replayed(tmp_path)
