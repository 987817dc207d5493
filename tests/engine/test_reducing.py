"""An order that may only reduce, and a position that is not there, is smaller, or goes away: said at once."""

import pytest

from executor.domain.commands import Outcome, PlaceOrder, RaiseAlert
from executor.domain.events import AmendRequested, ExecutionUnexplained, RearmRequested
from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from tests.builders import D, fill, submitted
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))
LEDGER = "linear:BTCUSDT:0"


def holding(qty, *, open_market=True):
    rig = Rig()
    rig.venue.opening["BTCUSDT", 0] = D(qty)
    if open_market:
        rig.open_market()
    return rig


def reduce(rig, side, qty="1", **over):
    usual = dict(duration_s=600, params=StrategyParams(interval_s=60, passiveness=D(0)))
    rig.send(submitted(**{**usual, "side": side, "reduce_only": True, "order_qty": D(qty), **over}))
    return rig.last_reply()


def run(rig, seconds, *, fill_all=True):
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()
        for entry in list(rig.venue.orders.values()) if fill_all else ():
            rig.venue.fill(entry, entry.order.qty)
        rig.settle()


@SIDES
@pytest.mark.parametrize(
    ("held", "words"),
    [
        ("0", "the position in BTCUSDT is 0: a reduce-only {side} has nothing to reduce"),
        ("2", "the position in BTCUSDT is {held}: a reduce-only {side} has nothing to reduce"),
        ("-0.999", "the position in BTCUSDT is {held}: a reduce-only {side} of 1 is more than that"),
        ("-1", ""),
        ("-2", ""),
    ],
)
def test_a_known_position_is_looked_at_when_the_order_is_submitted(side, held, words):
    """`held` is meant for a buy, which reduces a short position; for a sell it is turned round."""
    held_qty = D(held) * side.sign
    reply = reduce(holding(held_qty), side)
    if not words:
        assert reply.outcome is Outcome.ACCEPTED
        return
    assert (reply.outcome, reply.code) == (Outcome.INVALID, "REDUCE_ONLY")
    assert reply.text == words.format(side=side.name.lower(), held=held_qty)


@SIDES
def test_what_is_too_small_for_an_order_can_not_be_reduced(side):
    reply = reduce(holding(D("-0.00005") * side.sign), side, "0.00005")
    assert "less than is sent in one order" in reply.text


@SIDES
@pytest.mark.parametrize("held", ["0", "-0.5"])
def test_a_position_read_later_fails_the_order_before_anything_is_sent(side, held):
    rig = holding(D(held) * side.sign, open_market=False)
    assert reduce(rig, side).outcome is Outcome.ACCEPTED
    rig.open_market()
    run(rig, 3)
    assert rig.parent().status is ParentStatus.FAILED
    assert rig.parent().reason is Reason.NOTHING_TO_REDUCE
    assert rig.parent().detail.startswith("the position in BTCUSDT is ")
    assert "NOTHING_TO_REDUCE" in rig.alerts()
    assert rig.commands(PlaceOrder) == []


@SIDES
def test_two_that_reduce_the_same_position_end_when_it_is_gone_and_say_so(side):
    rig = holding(-side.sign)
    for key in ("one", "two"):
        assert reduce(rig, side, idempotency_key=key).outcome is Outcome.ACCEPTED
    run(rig, 660)
    assert rig.engine.state.ledgers[LEDGER].position_qty == 0
    assert sum(rig.parent(name).cum_qty for name in ("P1", "P2")) == 1
    failed = [rig.parent(name) for name in ("P1", "P2") if rig.parent(name).status is ParentStatus.FAILED]
    assert failed
    for parent in failed:
        assert parent.reason is Reason.NOTHING_TO_REDUCE
        assert parent.finished_ns < parent.order.deadline_ns
        assert parent.detail == (
            f"the position in BTCUSDT is 0: a reduce-only {side.name.lower()} has nothing to reduce"
        )


@SIDES
def test_a_position_in_doubt_fails_nobody(side):
    """It was liquidated: the symbol is blocked, and what is held is known again once a person has looked."""
    rig = holding(-side.sign * 2)
    assert reduce(rig, side).outcome is Outcome.ACCEPTED
    run(rig, 2)
    gone = fill(client_order_id="", exec_id="adl", side=side, last_qty=D(2) - rig.parent().cum_qty)
    rig.send(
        ExecutionUnexplained(
            at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", exec_id="adl", kind="AdlTrade", fill=gone
        )
    )
    rig.venue.opening["BTCUSDT", 0] += side.sign * gone.last_qty
    assert rig.engine.state.ledgers[LEDGER].position_qty == 0
    run(rig, 60)
    assert not rig.parent().is_final
    assert reduce(rig, side, idempotency_key="k2").outcome is Outcome.ACCEPTED
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="liquidated"))
    run(rig, 60)
    assert rig.parent().status is ParentStatus.FAILED
    assert rig.parent().reason is Reason.NOTHING_TO_REDUCE
    details = [command.detail for command in rig.commands(RaiseAlert)]
    assert "the position in BTCUSDT is 0: a reduce-only" in " ".join(details)


@SIDES
def test_a_position_not_compared_since_the_start_refuses_nobody_and_is_looked_at_once_it_is(side):
    rig = holding(-side.sign)
    rig.restart()
    assert reduce(rig, side, "2").outcome is Outcome.ACCEPTED
    rig.tick(1)
    rig.streams_live()
    run(rig, 2)
    assert rig.parent().status is ParentStatus.FAILED
    assert rig.parent().reason is Reason.NOTHING_TO_REDUCE


@SIDES
@pytest.mark.parametrize(("qty", "fits"), [("2", True), ("2.001", False)])
def test_an_amendment_may_not_ask_for_more_than_is_held(side, qty, fits):
    rig = holding(-side.sign * 2)
    reduce(rig, side)
    run(rig, 2)
    assert rig.parent().cum_qty
    rig.send(
        AmendRequested(
            at_ns=0,
            request_id="a",
            parent_id="P1",
            order_qty=D(qty),
            limit_px=None,
            clear_limit_px=False,
            deadline_ns=None,
            urgency=None,
            strategy=None,
            params=None,
            expected_version=None,
        )
    )
    reply = rig.last_reply()
    assert (reply.outcome is Outcome.ACCEPTED) is fits
    assert fits or reply.code == "REDUCE_ONLY"
