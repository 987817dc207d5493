"""A daemon goes on from a backup that was taken while it worked: what has happened since is found, and traded once."""

import json
import subprocess
import sys
from collections import Counter
from decimal import Decimal

import pytest

from executor.runtime.audit import audit
from tests.process.processes import Daemon, Exchange, wait_until
from tests.process.test_kill import FAST, parent_of, submit

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]
QTY = Decimal("0.9")
NOBODY = Exchange(None, {"rest": "http://127.0.0.1:1", "ws": "ws://127.0.0.1:1"})
"""Addresses for a command that asks no venue."""


@pytest.fixture
def exchange(tmp_path):
    exchange = Exchange.start(tmp_path, "--seed", "21", "--intensity", "2")
    yield exchange
    exchange.close()


def command(home, *words):
    done = subprocess.run(
        [sys.executable, "-m", "executor.interfaces.cli", *words, "--json"],
        env=Daemon(home, NOBODY, {}).environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def filled(daemon, parent):
    return Decimal(parent_of(daemon, parent)["filled"])


def executed(exchange):
    return sum(Decimal(row["qty"]) for row in exchange.truth()["executions"])


def test_a_backup_of_a_working_order_is_gone_on_from_and_nothing_is_traded_twice(exchange, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    first, second = Daemon(old, exchange, FAST), Daemon(new, exchange, FAST)
    try:
        first.start()
        parent = submit(first, 0)
        wait_until(lambda: filled(first, parent) > 0, "a fill")
        taken = command(old, "backup", str(tmp_path / "kept"))
        known = filled(first, parent)
        wait_until(lambda: filled(first, parent) > known or parent_of(first, parent)["final"], "a later fill")
        first.kill()
        first.close()
        assert audit(tmp_path / "kept" / taken["folder"].rpartition("/")[2] / "journal.db").identical
        at_the_fall = executed(exchange)

        assert command(new, "restore", taken["folder"])["head_seq"] == taken["head_seq"]
        second.start()
        blocked = wait_until(lambda: parent_of(second, parent)["blocked"], "the block of the symbol")
        assert "BTCUSDT" in blocked or "order" in blocked, blocked
        second.let_run(3)
        view = parent_of(second, parent)
        assert not view["final"]
        assert executed(exchange) == at_the_fall, "nothing is opened while what happened is not explained"
        second.ask("POST", f"/v1/parents/{parent}/cancel", {})
        wait_until(lambda: parent_of(second, parent)["final"], "the end")
        assert second.stop() == 0, second.log_tail()
    finally:
        first.close()
        second.close()
    assert executed(exchange) == at_the_fall <= QTY
    requests = exchange.get("/_wire")["requests"]
    sent = Counter(
        json.loads(one["raw"])["orderLinkId"] for one in requests if one["path"] == "/v5/order/create"
    )
    assert set(sent.values()) == {1}
    assert all(row["status"] in {"Filled", "Cancelled", "Rejected"} for row in exchange.truth()["orders"])
    found = audit(new / "journal.db")
    assert found.identical, found.first_difference
