"""Parameters that nobody would read, starts that are yet to come, and journals from before there were any of them."""

import json
from dataclasses import replace

import pytest

from executor.advice.band import Directive
from executor.domain.advice import Action
from executor.domain.advice_terms import Band
from executor.domain.commands import Outcome, PlaceOrder
from executor.domain.events import AmendRequested, CancelRequested
from executor.domain.orders import Side, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from executor.engine.steering import steer
from executor.runtime import record
from strategies.pov import Pov
from tests.builders import T0, D, instrument, parent_order, submitted, view
from tests.engine.rig import Rig


@pytest.fixture
def rig():
    rig = Rig()
    rig.open_market()
    return rig


def amend(**over):
    usual = dict(
        at_ns=0, request_id="a", parent_id="P1", order_qty=None, limit_px=None, clear_limit_px=False,
        deadline_ns=None, urgency=None, strategy=None, params=None, expected_version=None,
    )  # fmt: skip
    return AmendRequested(**{**usual, **over})


def answer(rig):
    said = rig.last_reply()
    return said.outcome, said.code


def test_a_parameter_that_nobody_would_read_is_refused(rig):
    rig.send(submitted(params=StrategyParams(participation=D("0.1"))))
    assert answer(rig) == (Outcome.INVALID, "PARAMS")
    assert "pov" in rig.last_reply().text
    rig.send(submitted(strategy="sniper"))
    assert answer(rig) == (Outcome.INVALID, "PARAMS")
    rig.send(submitted(strategy="pov", params=StrategyParams(participation=D("0.1"))))
    assert rig.last_reply().outcome is Outcome.ACCEPTED


def test_an_amendment_is_held_against_what_the_parent_would_be(rig):
    rig.send(submitted())
    rig.send(amend(params=StrategyParams(display_qty=D("0.1"))))
    assert answer(rig) == (Outcome.INVALID, "PARAMS")
    rig.send(amend(strategy="iceberg", params=StrategyParams(display_qty=D("0.1"))))
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    rig.settle()
    assert rig.parent().order.strategy == "iceberg"
    rig.send(amend(strategy="twap"))
    assert answer(rig) == (Outcome.INVALID, "PARAMS")


def test_what_a_switch_left_behind_does_not_keep_other_things_from_being_amended(rig):
    """A model may switch a parent to a strategy that reads less; its deadline can still be moved."""
    rig.send(submitted(strategy="pov", params=StrategyParams(participation=D("0.1"))))
    parent = rig.parent()
    parent.order = replace(parent.order, strategy="twap")
    rig.send(amend(deadline_ns=rig.now_ns + 300 * NS_PER_S))
    assert rig.last_reply().outcome is Outcome.ACCEPTED


def test_before_its_start_a_parent_waits_and_can_be_cancelled(rig):
    start_ns = rig.now_ns + 60 * NS_PER_S
    rig.send(submitted(start_ns=start_ns, duration_s=120))
    parent = rig.parent()
    assert (parent.status, parent.waiting) == (ParentStatus.INITIALIZED, ("BEFORE_START",))
    assert (parent.order.start_ns, parent.order.deadline_ns) == (start_ns, start_ns + 120 * NS_PER_S)
    for _ in range(30):
        rig.tick(1)
    assert not rig.commands(PlaceOrder)
    rig.send(amend(deadline_ns=start_ns))
    assert answer(rig) == (Outcome.INVALID, "TIME")
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    rig.settle()
    assert rig.parent().status is ParentStatus.CANCELED


def test_at_its_start_it_takes_the_price_of_then_as_arrival(rig):
    start_ns = rig.now_ns + 20 * NS_PER_S
    rig.send(submitted(start_ns=start_ns))
    early = rig.mid
    for number in range(25):
        rig.mid = early + number
        rig.tick(1)
    parent = rig.parent()
    assert parent.started_ns >= start_ns
    assert parent.arrival_px - early >= 18
    assert abs(parent.decision_px - early) < 1, "it was decided on at once"
    assert rig.commands(PlaceOrder)


def test_a_start_that_is_over_is_at_once(rig):
    rig.send(submitted(start_ns=rig.now_ns - 60 * NS_PER_S))
    assert rig.parent().order.start_ns == rig.now_ns


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("offset", ["-1", "1"])
def test_advice_leaves_the_volume_of_others_what_it_is(side, offset):
    """Hurried or slowed, an order that follows the volume is moved by the offset and by nothing else."""
    params = StrategyParams(participation=D("0.2"), catch_up_max=D(10))
    order = parent_order(order_qty=D(20), side=side, params=params, strategy="pov")
    strategy = Pov()
    schedule = strategy.plan(
        order=order, instrument=instrument(), reference_px=D(50_000), start_ns=T0, end_ns=order.deadline_ns,
        cum_qty=D(0),
    )  # fmt: skip
    look = view(
        schedule, order=order, now_ns=T0 + 61 * NS_PER_S, cum="1", base="1",
        market_qty=D(17), plan_market_qty=D(17), slice_market_qty=D(0), last_slice_market_qty=D(17),
    )  # fmt: skip
    assert strategy.decide(look).qty == D(3)
    directive = Directive(
        decision_id="d", action=Action.ACCELERATE, rate=D(1), start_ns=look.now_ns, until_ns=look.now_ns + NS_PER_S,
        offset_qty=D(offset), child_qty_max=None, limit_px=None, style=None, strategy=None,
        impact_adjustment=D(1), confidence=D(1),
    )  # fmt: skip
    steered, _ = steer(look, strategy, directive, Band(slice_times_max=D(100)))
    assert steered.qty == D(3) + D(offset)


def test_a_journal_from_before_these_fields_is_read_as_it_was_meant():
    event = submitted()
    body = json.loads(record.encode_event(event))
    del body["start_ns"]
    kept = (
        "interval_s",
        "randomize_size_pct",
        "randomize_timing_pct",
        "catch_up",
        "catch_up_max",
        "passiveness",
        "reprice_ticks",
    )
    body["params"] = {name: body["params"][name] for name in kept}
    assert record.decode_event("ParentSubmitted", json.dumps(body).encode()) == event


def test_a_checkpoint_from_before_these_fields_is_read(rig):
    rig.send(submitted())
    rig.tick(1)
    state = json.loads(record.encode_state(rig.engine.state))
    parent = state["parents"]["P1"]
    for name in ("plan_market_base_qty", "slice_market_base_qty", "last_slice_market_qty", "reprices"):
        del parent[name]
    again = record.decode_state(json.dumps(state).encode())
    assert again.parents["P1"].order == rig.parent().order
    assert again.parents["P1"].reprices == 0
