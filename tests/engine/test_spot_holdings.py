"""What we hold of spot: our own trades since the symbol was followed, whatever others trade by hand."""

from dataclasses import replace

import pytest

from executor.domain.commands import PlaceOrder, Reconcile, RefuseOrder
from executor.domain.events import InstrumentLoaded, OrderFilled, RearmRequested
from executor.domain.orders import Category, Side, StrategyParams
from executor.engine.moment import gate_view
from tests.builders import D, fill, instrument, submitted
from tests.engine.rig import Rig

LEDGER = "spot:BTCUSDT:0"
SIDES = pytest.mark.parametrize("side", list(Side))


def by_hand(side, exec_id="h1", qty=5):
    execution = fill(
        category=Category.SPOT,
        exec_id=exec_id,
        client_order_id="",
        venue_order_id=f"by-hand-{exec_id}",
        side=side,
        last_qty=D(qty),
    )
    return OrderFilled(at_ns=0, fill=execution)


def rig_of_spot():
    rig = Rig(rules=instrument(category=Category.SPOT))
    rig.streams_live()
    return rig


def follow(rig):
    rig.send(InstrumentLoaded(at_ns=0, instrument=rig.rules))
    rig.settle()
    for _ in range(14):
        rig.tick(1)
        rig.settle()


def buy(rig, **over):
    rig.send(submitted(category=Category.SPOT, params=StrategyParams(interval_s=60), **over))
    rig.tick(1)


def ledger(rig):
    return rig.engine.state.ledgers[LEDGER]


def rearm(rig):
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="I did that by hand"))


def lose(rig):
    """The day's loss is far beyond its limit."""
    ledger(rig).day_payments = rig.limits.day_loss_max + D(1_000_000)


@SIDES
def test_what_others_traded_before_the_symbol_was_followed_is_not_held_by_us(side):
    rig = rig_of_spot()
    rig.send(by_hand(side))
    follow(rig)
    assert ledger(rig).position_qty == 0
    assert rig.engine.state.markets["spot:BTCUSDT"].blocked == ""
    assert "EXECUTION_UNEXPLAINED" not in rig.alerts()


@SIDES
def test_what_others_trade_afterwards_blocks_and_a_rearm_counts_from_zero(side):
    rig = rig_of_spot()
    follow(rig)
    rig.send(by_hand(side))
    assert "EXECUTION_UNEXPLAINED" in rig.alerts()
    buy(rig)
    assert not rig.commands(PlaceOrder)
    assert {code for each in rig.commands(RefuseOrder) for code in each.codes} == {"SYMBOL_BLOCKED"}
    rearm(rig)
    assert ledger(rig).position_qty == 0
    assert f"held in {LEDGER}: it counts from zero again" in rig.last_reply().text
    assert rig.engine.state.markets["spot:BTCUSDT"].blocked == ""


def test_a_rearm_leaves_what_we_hold_where_nothing_is_blocked():
    rig = rig_of_spot()
    follow(rig)
    buy(rig)
    rig.settle()
    (entry,) = rig.venue.orders.values()
    rig.venue.fill(entry, entry.order.qty)
    rig.settle()
    held = ledger(rig).position_qty
    assert held == entry.order.qty
    rearm(rig)
    assert ledger(rig).position_qty == held


@pytest.mark.parametrize("when", ["before it is followed", "before a re-arm", "by us"])
def test_a_sale_exempts_no_purchase_from_the_loss_of_the_day(when):
    rig = rig_of_spot()
    if when == "before it is followed":
        rig.send(by_hand(Side.SELL))
    follow(rig)
    if when == "before a re-arm":
        rig.send(by_hand(Side.SELL))
        rearm(rig)
    if when == "by us":
        buy(rig, side=Side.SELL, order_qty=D(5), idempotency_key="sale", duration_s=60)
        rig.settle()
        for entry in list(rig.venue.orders.values()):
            rig.venue.fill(entry, entry.order.qty)
        rig.settle()
        for _ in range(400):
            for entry in list(rig.venue.orders.values()):
                rig.venue.fill(entry, entry.order.qty)
            rig.settle()
            rig.tick(1)
        assert rig.parent().is_final
        assert ledger(rig).position_qty < 0
    lose(rig)
    sent = len(rig.commands(PlaceOrder))
    buy(rig, idempotency_key="purchase", order_qty=D("0.1"))
    assert len(rig.commands(PlaceOrder)) == sent
    assert "DAY_LOSS" in {code for each in rig.commands(RefuseOrder) for code in each.codes}


def test_the_model_of_the_venue_reports_no_spot_position():
    rig = rig_of_spot()
    follow(rig)
    buy(rig)
    view = gate_view(rig.engine.state, rig.parent())
    assert view.position_qty == 0
    assert view.hedged is False


def test_a_symbol_that_comes_during_a_read_waits_for_one_of_its_own():
    rig = rig_of_spot()
    follow(rig)
    rules = replace(rig.rules, symbol="ETHUSDT")
    rig.send(submitted(category=Category.SPOT, symbol="ETHUSDT"))
    rig.settle()  # a read of the other symbol alone
    market = rig.engine.state.markets["spot:ETHUSDT"]
    assert not market.compared
    assert "spot:ETHUSDT:0" not in rig.engine.state.ledgers
    rig.send(InstrumentLoaded(at_ns=0, instrument=rules))
    (read,) = [command for command in rig.pending if isinstance(command, Reconcile)]
    assert read.symbols == ("BTCUSDT", "ETHUSDT")
    rig.send(replace(by_hand(Side.BUY), fill=replace(by_hand(Side.BUY).fill, symbol="ETHUSDT")))
    rig.settle()
    assert market.compared
    assert market.blocked == "", "what was traded by hand before is part of what we began with"
    assert rig.engine.state.ledgers["spot:ETHUSDT:0"].position_qty == 0
