"""A parent worked against agents who react: the daemon, the exchange and its agents, each a process of its own."""

import json
import subprocess
import sys
import urllib.request
from decimal import Decimal

import pytest

from executor.runtime.audit import audit
from tests.process.processes import Daemon, Exchange, wait_until

START = ["--market", "agents", "--scenario", "execution", "--seed", "5", "--pace", "2", "--port", "0"]


@pytest.mark.process
@pytest.mark.timeout(180)
def test_the_daemon_works_a_parent_against_agents(tmp_path):
    ready = tmp_path / "exchange.json"
    command = [sys.executable, "-m", "executor.interfaces.cli", "sandbox", *START, "--control-port", "0"]
    with (tmp_path / "exchange.log").open("wb") as output:
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready)], stdout=output, stderr=subprocess.STDOUT
        )
    wait_until(ready.is_file, "the exchange's start")
    exchange = Exchange(process, json.loads(ready.read_text()))

    def agents():
        request = urllib.request.Request(
            f"{exchange.addresses['control']}/_ex", data=b'{"do": "agents"}', method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["agents"][0]

    daemon = Daemon(
        tmp_path,
        exchange,
        {
            "EXECUTOR_TIMINGS__VOLATILITY_WARMUP_S": "2",
            "EXECUTOR_LIMITS__PARTICIPATION_PCT_MAX": "100",
            "EXECUTOR_LIMITS__VOLATILITY_HOURLY_PCT_MAX": "50",
        },
    )
    try:
        daemon.start()
        order = {"symbol": "BTCUSDT", "side": "buy", "qty": "0.03", "duration": "6s", "interval": "2s"}
        parent = daemon.ask(
            "POST", "/v1/parents", {**order, "residual": "cross"}, **{"Idempotency-Key": "one"}
        )["parent_id"]
        view = wait_until(
            lambda: (seen := daemon.ask("GET", f"/v1/parents/{parent}"))["final"] and seen, "its end"
        )
        assert (view["status"], Decimal(view["filled"])) == ("COMPLETE", Decimal("0.03")), daemon.log_tail()
        truth = exchange.truth()
        assert sum(Decimal(fill["qty"]) for fill in truth["executions"]) == Decimal("0.03")
        assert [place["size"] for place in truth["positions"]] == ["0.03"]
        assert {Decimal(fill["price"]) % 5 for fill in truth["executions"]} == {0}
        state = agents()
        assert state["ended"] == ""
        assert state["messages"] > 500
        assert daemon.stop() == 0
    finally:
        daemon.close()
        exchange.close()
    assert audit(tmp_path / "journal.db").identical
    assert (tmp_path / "exchange.log").read_text().count("\n") == 1, "nothing but that it is ready"
