"""One drive: the same from the same seed, nothing lost and nothing double, and audited as a live run is."""

import sqlite3
from collections import Counter
from dataclasses import replace

import pytest

from backtest import scripted
from backtest.run import DriveError, Scene, drive
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.limits import Limits
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.runtime.audit import audit
from executor.runtime.journal import Journal
from simulation.walk_market import Walk
from tests.builders import D, instrument, submitted

TERMS = AdviserTerms(
    model="wise",
    interval_s=20,
    deadline_ms=4_000,
    caps=Caps(
        parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
        parent_calls_max=100, hour_calls_max=200, day_calls_max=300,
    ),
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
)  # fmt: skip
WALK = Walk(
    instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S, touch_qty=D("0.05"), trade_qty=D("0.1")
)
ORDER = submitted(order_qty=D("0.4"), duration_s=120, params=StrategyParams(interval_s=20))
SCENE = Scene(walk=WALK, parents=(ORDER, replace(ORDER, order_qty=D("0.3"))), terms=TERMS)


def chance(_drift, seed):
    return scripted.uninformed("wise", seed)


def journaled(path, seed=1):
    with Journal.open(path, create=True, instance="sim") as journal:
        return drive(SCENE, seed, chance, journal)


def rows(path, query):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_the_same_seed_is_the_same_drive_to_the_last_byte(tmp_path):
    first, second, other = tmp_path / "1.db", tmp_path / "2.db", tmp_path / "3.db"
    assert journaled(first) == journaled(second) != journaled(other, seed=2)
    for table in ("journal", "fills", "children", "parents", "decisions", "reports", "checkpoints"):
        query = f"SELECT * FROM {table}"
        assert rows(first, query) == rows(second, query)
        assert rows(first, query)
    assert rows(first, "SELECT hash FROM journal") != rows(other, "SELECT hash FROM journal")


def test_an_audit_finds_nothing(tmp_path):
    done = journaled(tmp_path / "a.db")
    result = audit(tmp_path / "a.db")
    assert result.identical, result.first_difference
    assert result.events == done.events > 200


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_fill_is_booked_once_and_nothing_fills_beyond_its_order(tmp_path, seed):
    path = tmp_path / "a.db"
    done = journaled(path, seed)
    booked = Counter()
    fills = rows(path, "SELECT client_order_id, exec_id, last_qty FROM fills")
    assert len({exec_id for _, exec_id, _ in fills}) == len(fills) > 10
    for name, _, qty in fills:
        booked[name] += D(qty)
    children = rows(path, "SELECT client_order_id, parent_id, qty, cum_qty FROM children")
    by_parent = Counter()
    for name, parent_id, qty, cum_qty in children:
        assert booked[name] == D(cum_qty) <= D(qty)
        by_parent[parent_id] += booked[name]
    for report in done.reports:
        assert by_parent[report.facts.parent_id] == report.facts.cum_qty <= report.facts.order_qty
    assert {report.fill_rate for report in done.reports} == {1}


def test_the_cost_of_several_parents_is_weighted_by_their_value():
    done = drive(SCENE, 4)
    assert len(done.reports) == 2
    values = [report.facts.order_qty * report.facts.arrival_px for report in done.reports]
    cost = sum(
        value * report.arrival_shortfall_bps for value, report in zip(values, done.reports, strict=True)
    )
    assert done.cost_bps == pytest.approx(cost / sum(values))
    assert done.paper_notional == sum(values)
    assert (done.bill, done.calls, done.outcomes) == (0, 0, {})


def test_the_bill_is_that_of_the_decisions(tmp_path):
    done = journaled(tmp_path / "a.db")
    assert done.calls == sum(done.outcomes.values()) - done.outcomes.get("NOT_ASKED", 0) > 5
    with Journal.open(tmp_path / "a.db", create=False) as journal:
        journal.recover()
        records = [one for parent in ("P1", "P2") for one in journal.decisions(parent)]
    latest = {one.decision_id: one.cost for one in records}
    assert done.bill == sum(latest.values()) > 0


def test_fees_are_part_of_the_cost():
    free = replace(SCENE.charges, maker_fee_rate=D(0), taker_fee_rate=D(0))
    dear = replace(SCENE.charges, maker_fee_rate=D("0.0003"), taker_fee_rate=D("0.0003"))
    without = drive(replace(SCENE, charges=free), 5).cost_bps
    with_fees = drive(replace(SCENE, charges=dear), 5).cost_bps
    assert with_fees - without == pytest.approx(D(3), abs=D("0.02"))


def test_an_order_that_is_refused_is_no_drive():
    with pytest.raises(DriveError, match="refused"):
        drive(replace(SCENE, parents=(replace(ORDER, order_qty=D("0.0001")),)), 1)


def test_an_order_without_an_end_in_time_is_no_drive():
    endless = replace(ORDER, residual=ResidualRule.CROSS, limit_px=D(10))
    with pytest.raises(DriveError, match="ACTIVE without a cost"):
        drive(replace(SCENE, parents=(endless,), grace_s=0), 1)


@pytest.mark.parametrize("over", [dict(parents=()), dict(warmup_s=-1), dict(limits=Limits())])
def test_a_scene_in_which_nothing_can_be_measured_is_refused(over):
    with pytest.raises(ValueError, match=r"scene needs|second opinions"):
        replace(SCENE, **over)
