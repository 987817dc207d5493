"""Sums the limits stand on: position, result of the day, open value; and what every child must carry."""

import pytest

from executor.domain.events import (
    CancelRequested,
    InstrumentLoaded,
    OrderFilled,
    OrderRejected,
    PauseRequested,
    VenueStatus,
)
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_S
from executor.engine.ledger import day_notional, day_pnl, open_notional, same_side_open_qty
from tests.builders import D, fill, instrument, submitted
from tests.engine.one_child import NAME, OneChild
from tests.engine.rig import Rig
from tests.engine.test_scenarios import run

LINEAR = "linear:BTCUSDT:0"
DAY_S = 86_400
SIDES = pytest.mark.parametrize("side", list(Side))


def filled(rig, **over):
    rig.send(
        OrderFilled(at_ns=0, fill=fill(**{"client_order_id": NAME, "side": rig.only.order.side, **over}))
    )


@SIDES
def test_a_fill_moves_position_and_cash_by_its_side(side):
    rig = OneChild(side)
    filled(rig, last_qty=D("0.1"), last_px=D(50_100), fee=D(2))
    ledger = rig.engine.state.ledgers[LINEAR]
    assert ledger.net_qty == ledger.position_qty == ledger.day_qty == side.sign * D("0.1")
    assert ledger.day_cash == -side.sign * D(5_010)
    assert ledger.day_fees == D(2)
    assert ledger.day_notional == day_notional(rig.engine.state) == D(5_010)


@SIDES
def test_the_result_of_the_day_has_fees_in_it_and_marks_what_is_left_at_mid(side):
    rig = OneChild(side)
    filled(rig, last_qty=D("0.1"), last_px=D(50_000), fee=D(2))
    rig.mid = D(51_000)
    rig.book()
    mid = rig.engine.state.markets["linear:BTCUSDT"].snapshot.mid_px
    assert day_pnl(rig.engine.state) == side.sign * D("0.1") * (mid - D(50_000)) - D(2)


@SIDES
def test_a_closed_trade_leaves_its_difference_whatever_the_mid_is(side):
    rig = OneChild(side)
    filled(rig, last_qty=D("0.1"), last_px=D(50_000), fee=D(1))
    other = Side(-side)
    filled(rig, exec_id="e2", client_order_id="a-person", side=other, last_px=D(50_500), fee=D(1))
    rig.mid = D(10_000)
    rig.book()
    assert day_pnl(rig.engine.state) == side.sign * D(50) - D(2)


def test_a_new_utc_day_begins_with_empty_sums_and_the_old_position():
    rig = OneChild()
    filled(rig, last_qty=D("0.1"), last_px=D(40_000))
    assert day_pnl(rig.engine.state) > 900
    rig.now_ns += DAY_S * NS_PER_S
    rig.book()
    assert day_pnl(rig.engine.state) == day_notional(rig.engine.state) == 0
    filled(rig, exec_id="e2", last_qty=D("0.01"), last_px=D(50_000), fee=D(3))
    ledger = rig.engine.state.ledgers[LINEAR]
    assert (ledger.day_qty, ledger.day_cash, ledger.day_fees) == (D("0.01"), D(-500), D(3))
    assert ledger.net_qty == D("0.11")


@pytest.mark.parametrize(
    ("coin", "in_quote"), [("BTC", D(50)), ("USDT", D("0.001")), ("", D("0.001")), ("BNB", D(0))]
)
def test_a_fee_is_counted_in_quote_units(coin, in_quote):
    rig = Rig()
    rig.open_market()
    rig.send(InstrumentLoaded(at_ns=0, instrument=instrument(category=Category.SPOT)))
    execution = fill(
        category=Category.SPOT, client_order_id="a-person", last_px=D(50_000), fee=D("0.001"), fee_coin=coin
    )
    rig.send(OrderFilled(at_ns=0, fill=execution))
    assert rig.engine.state.ledgers["spot:BTCUSDT:0"].day_fees == in_quote


@SIDES
@pytest.mark.parametrize(
    "status", [ChildStatus.PENDING_NEW, ChildStatus.NEW, ChildStatus.UNKNOWN, ChildStatus.PENDING_CANCEL]
)
def test_open_value_counts_a_child_until_its_end_is_proved(side, status):
    rig = OneChild(side)
    if status is ChildStatus.UNKNOWN:
        rig.doubted()
    elif status is not ChildStatus.PENDING_NEW:
        rig.shown()
    if status is ChildStatus.PENDING_CANCEL:
        rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    assert rig.only.status is status
    order = rig.only.order
    assert open_notional(rig.engine.state) == order.qty * order.px
    assert same_side_open_qty(rig.engine.state, rig.parent().order) == order.qty


def test_open_value_counts_what_a_final_status_says_and_no_fill_has_shown():
    rig = OneChild()
    entry = rig.shown()
    rig.venue.fill(entry, D("0.05"))
    rig.venue.end(entry, VenueStatus.CANCELED)
    rig.tell(entry)
    assert open_notional(rig.engine.state) == D("0.05") * entry.order.px


@pytest.mark.parametrize("position_idx", [1, 2])
def test_reduce_only_and_position_index_reach_every_child_and_the_ledger(position_idx):
    side = Side.SELL if position_idx == 1 else Side.BUY
    rig = Rig(position_idx=position_idx)
    rig.venue.opening["BTCUSDT", position_idx] = -side.sign * D(5)
    rig.open_market()
    name = f"linear:BTCUSDT:{position_idx}"
    rig.send(submitted(side=side, reduce_only=True, position_idx=position_idx))
    run(rig, 125)
    orders = [entry.order for entry in rig.venue.orders.values()]
    assert len(orders) > 2
    assert {(order.reduce_only, order.position_idx) for order in orders} == {(True, position_idx)}
    assert rig.parent().cum_qty == D(1)
    assert rig.engine.state.ledgers[name].net_qty == side.sign * D(1)


def test_plain_children_are_not_reduce_only():
    rig = OneChild()
    order = rig.create.approved.order
    assert (order.reduce_only, order.position_idx) == (False, 0)


def test_a_trade_of_a_person_in_a_symbol_we_do_not_follow_stops_nothing():
    rig = Rig()
    rig.open_market()
    execution = fill(symbol="DOGEUSDT", client_order_id="", last_qty=D(10), last_px=D("0.1"), fee=D("0.01"))
    rig.send(OrderFilled(at_ns=0, fill=execution))
    assert day_pnl(rig.engine.state) == D("-0.01")
    rig.send(submitted())
    run(rig, 30)
    assert rig.venue.orders


def test_an_order_of_an_ended_parent_that_revived_counts_on_its_side():
    rig = OneChild()
    rig.send(OrderRejected(at_ns=0, client_order_id=NAME, code=10006, text="busy", fatal=False))
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    assert rig.parent().is_final
    entry = rig.shown()
    assert same_side_open_qty(rig.engine.state, rig.parent().order) == entry.order.qty
