"""The daemon is killed at random moments of a running parent and started again, against a real exchange process.

Afterwards the exchange's own truth is compared with what the daemon believes: executions set-equal,
quantities equal to the last digit, nothing ordered beyond the parent, nothing sent twice, and the journal
replays byte for byte.
"""

import json
import os
from collections import Counter
from decimal import Decimal
from random import Random

import apsw
import pytest

from executor.runtime.audit import audit
from tests.process.processes import Daemon, Exchange, wait_until

KILLS = 200 if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else 5
KILLS_PER_PARENT = 10 if KILLS > 5 else 5
QTY = Decimal("0.9")

FAST = {
    "EXECUTOR_LIMITS__ORDER_GAP_S_MIN": "0.1",
    "EXECUTOR_LIMITS__ORDERS_PER_S_MAX": "20",
    "EXECUTOR_LIMITS__ORDERS_PER_MIN_MAX": "1200",
    "EXECUTOR_LIMITS__CHILDREN_PER_HOUR_MAX": "100000",
    "EXECUTOR_LIMITS__PARTICIPATION_PCT_MAX": "100",
    "EXECUTOR_LIMITS__VOLATILITY_HOURLY_PCT_MAX": "50",
    "EXECUTOR_TIMINGS__RECV_WINDOW_MS": "1000",
    "EXECUTOR_TIMINGS__ABSENCE_MARGIN_S": "1",
    "EXECUTOR_TIMINGS__ABSENCE_ROUNDS": "2",
    "EXECUTOR_TIMINGS__QUERY_GAP_S": "1",
    "EXECUTOR_TIMINGS__VOLATILITY_WARMUP_S": "2",
    "EXECUTOR_TIMINGS__RESIDUAL_WINDOW_S": "120",
    # What is tested here is the daemon alone: its sentinel must not take a slow restart for its end.
    "EXECUTOR_SENTINEL__SILENCE_S_MAX": "60",
}


@pytest.fixture
def exchange(tmp_path):
    exchange = Exchange.start(tmp_path, "--seed", "11", "--intensity", "2")
    yield exchange
    exchange.close()


def submit(daemon, number):
    body = {
        "symbol": "BTCUSDT",
        "category": "linear",
        "side": "buy",
        "qty": str(QTY),
        "duration": "25s",
        "residual": "cross",
        "interval": "1s",
        "passiveness": "0.4",
    }
    answer = daemon.ask("POST", "/v1/parents", body, **{"Idempotency-Key": f"kill-{number}"})
    return answer["parent_id"]


def parent_of(daemon, parent_id):
    return daemon.ask("GET", f"/v1/parents/{parent_id}")


def is_working(daemon, parent_id):
    view = parent_of(daemon, parent_id)
    return view["final"] or view["status"] in {"ACTIVE", "EXECUTING"}


@pytest.mark.process
@pytest.mark.timeout(7_200)
def test_kill_at_random_moments_loses_and_doubles_nothing(exchange, tmp_path):
    random = Random(5)
    daemon = Daemon(tmp_path, exchange, FAST)
    daemon.start()
    parents = []
    kills = 0
    while kills < KILLS:
        parent_id = submit(daemon, len(parents))
        parents.append(parent_id)
        for _ in range(KILLS_PER_PARENT):
            wait_until(lambda name=parent_id: is_working(daemon, name), "work")
            if parent_of(daemon, parent_id)["final"]:
                break
            daemon.let_run(random.uniform(0.0, 1.5))
            daemon.kill()
            kills += 1
            daemon.start()
        wait_until(
            lambda name=parent_id: parent_of(daemon, name)["final"], f"the end of {parent_id}", deadline_s=200
        )
    assert daemon.stop() == 0, daemon.log_tail()
    assert kills >= KILLS
    check_truth(exchange, tmp_path / "journal.db", parents)


def check_truth(exchange, path, parents):
    account = exchange.truth()
    orders = {row["orderLinkId"]: row for row in account["orders"]}
    executions = account["executions"]
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    ours = {
        row[0]: (row[1], Decimal(row[2]))
        for row in db.execute("SELECT exec_id, client_order_id, last_qty FROM fills")
    }
    theirs = {row["execId"]: (row["orderLinkId"], Decimal(row["qty"])) for row in executions}
    assert ours == theirs
    assert all(row["status"] in {"Filled", "Cancelled", "Rejected"} for row in orders.values())
    children = {
        name: (parent, Decimal(qty), Decimal(cum), status)
        for name, parent, qty, cum, status in db.execute(
            "SELECT client_order_id, parent_id, qty, cum_qty, status FROM children"
        )
    }
    assert set(orders) <= set(children)
    for name, (_, qty, cum, status) in children.items():
        row = orders.get(name)
        assert cum == (Decimal(row["cumExecQty"]) if row else 0), name
        assert row is None or Decimal(row["qty"]) == qty
        assert (row is None) <= (status == "REJECTED"), name
    for parent_id in parents:
        (status, cum), *_ = db.execute("SELECT status, cum_qty FROM parents WHERE parent_id=?", (parent_id,))
        executed = sum(cum for parent, _, cum, _ in children.values() if parent == parent_id)
        assert executed == Decimal(cum) <= QTY
        assert status == ("COMPLETE" if executed == QTY else "EXPIRED")
    requests = exchange.get("/_wire")["requests"]
    sent = Counter(
        json.loads(one["raw"])["orderLinkId"] for one in requests if one["path"] == "/v5/order/create"
    )
    assert set(sent.values()) <= {1}
    db.close()
    result = audit(path)
    assert result.identical, result.first_difference


@pytest.mark.process
def test_second_daemon_for_the_same_directory_or_account_is_refused(exchange, tmp_path):
    daemon = Daemon(tmp_path, exchange, FAST)
    daemon.start()
    second = daemon.spawn()
    assert second.wait(20) == 5
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    third = Daemon(elsewhere, exchange, {**FAST, "EXECUTOR_EXECUTOR__DATA_DIR": str(elsewhere)}).spawn()
    assert third.wait(20) == 5
    assert str(daemon.process.pid) in daemon.log_tail()
    assert daemon.stop() == 0


@pytest.mark.process
def test_term_drains_and_the_parent_goes_on_after_the_next_start(exchange, tmp_path):
    daemon = Daemon(tmp_path, exchange, FAST)
    daemon.start()
    parent_id = submit(daemon, 0)
    wait_until(lambda: Decimal(parent_of(daemon, parent_id)["filled"]) > 0, "a fill")
    assert daemon.stop() == 0, daemon.log_tail()
    assert not [row for row in exchange.truth()["orders"] if row["status"] in {"New", "PartiallyFilled"}]
    said = daemon.log_tail()
    assert f"1 parent left open: {parent_id} buy {QTY} BTCUSDT" in said
    assert "resuming" not in said
    daemon.start()
    wait_until(
        lambda: f"resuming 1 parent: {parent_id} buy {QTY} BTCUSDT" in daemon.log_tail(),
        "the word",
        deadline_s=20,
    )
    wait_until(lambda: parent_of(daemon, parent_id)["final"], "the end", deadline_s=180)
    assert daemon.stop() == 0
    check_truth(exchange, tmp_path / "journal.db", [parent_id])
