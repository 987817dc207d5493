"""Long and short kept apart: ledgers by position index, what cannot be attributed, and the account's mode."""

import pytest

from executor.domain.commands import AlertCode, Outcome, RaiseAlert, Reconcile, RefuseOrder
from executor.domain.events import (
    CancelRequested,
    OrderAcked,
    OrderFilled,
    PositionReport,
    PositionUpdated,
    RearmRequested,
)
from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from tests.builders import D, fill, submitted
from tests.engine.rig import Rig

INDEX = {Side.BUY: 1, Side.SELL: 2}
SIDES = pytest.mark.parametrize("side", list(Side))
RESTING = StrategyParams(interval_s=60, passiveness=D(1))


def run(rig, seconds, *, fill_all=False):
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()
        if fill_all:
            for entry in list(rig.venue.orders.values()):
                rig.venue.fill(entry, entry.order.qty)
            rig.settle()


@pytest.fixture
def rig():
    rig = Rig(position_idx=1)
    rig.open_market()
    assert rig.engine.state.markets["linear:BTCUSDT"].hedged
    return rig


def ledger(rig, index):
    return rig.engine.state.ledgers[f"linear:BTCUSDT:{index}"]


@SIDES
def test_each_position_has_its_own_ledger_and_is_opened_and_reduced(rig, side):
    index = INDEX[side]
    rig.send(submitted(side=side, position_idx=index))
    run(rig, 130, fill_all=True)
    assert ledger(rig, index).position_qty == side.sign * D(1)
    assert ledger(rig, 3 - index).position_qty == 0
    back = Side(-side)
    rig.send(
        submitted(idempotency_key="k2", side=back, position_idx=index, reduce_only=True, order_qty=D("0.5"))
    )
    run(rig, 130, fill_all=True)
    assert ledger(rig, index).position_qty == side.sign * D("0.5")
    assert "linear:BTCUSDT:0" not in rig.engine.state.ledgers
    assert rig.commands(RefuseOrder) == []


@SIDES
@pytest.mark.parametrize("opens", [True, False])
def test_side_and_reduce_only_must_fit_the_position(rig, side, opens):
    """Opening as reduce-only, or reducing without it, is refused when it is submitted."""
    index = INDEX[side] if opens else 3 - INDEX[side]
    rig.send(submitted(side=side, position_idx=index, reduce_only=opens))
    assert (rig.last_reply().outcome, rig.last_reply().code) == (Outcome.INVALID, "POSITION_IDX")


@SIDES
def test_reduce_only_never_asks_for_more_than_there_is_to_reduce(side):
    rig = Rig()
    rig.venue.opening = {("BTCUSDT", 0): -side.sign * D("0.4")}
    rig.open_market()
    for key in ("first", "second"):
        order = dict(order_qty=D("0.3"), params=RESTING, duration_s=60)
        rig.send(submitted(idempotency_key=key, side=side, reduce_only=True, **order))
    run(rig, 5)
    assert [entry.order.qty for entry in rig.venue.orders.values()] == [D("0.3"), D("0.1")]
    assert all(entry.order.reduce_only for entry in rig.venue.orders.values())


def stranger(name=""):
    execution = fill(client_order_id=name, venue_order_id="v9", exec_id="s1", last_qty=D("0.1"))
    return OrderFilled(at_ns=0, fill=execution)


@pytest.mark.parametrize("name", ["", "by-hand", "x-9-9"])
def test_a_strangers_fill_is_booked_to_neither_position_and_blocks(rig, name):
    rig.send(stranger(name))
    assert "linear:BTCUSDT:0" not in rig.engine.state.ledgers
    assert ledger(rig, 1).net_qty == ledger(rig, 2).net_qty == 0
    assert "booked to neither" in rig.engine.state.markets["linear:BTCUSDT"].blocked
    assert ("ORPHAN_FILL" if name == "x-9-9" else "EXECUTION_UNEXPLAINED") in rig.alerts()


def test_a_fill_without_our_id_is_booked_to_its_position_once_it_is_known_whose_it_is(rig):
    rig.send(submitted(position_idx=1, params=RESTING))
    rig.tick(1)
    rig.venue.create(rig.pending.pop(), now_ns=rig.now_ns)
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="", venue_order_id="v1", last_qty=D("0.1"))))
    assert rig.engine.state.markets["linear:BTCUSDT"].blocked
    rig.send(OrderAcked(at_ns=0, client_order_id="x-1-1", venue_order_id="v1", sent_sha256=""))
    assert ledger(rig, 1).net_qty == D("0.1")
    assert rig.parent().cum_qty == D("0.1")
    assert rig.engine.state.markets["linear:BTCUSDT"].blocked == ""
    assert rig.engine.state.unplaced == []


@pytest.mark.parametrize("hedge", [True, False])
def test_an_account_in_another_mode_than_configured_blocks_the_symbol_with_a_clear_text(hedge):
    rig = Rig(position_idx=1 if hedge else 0, hedge_mode=not hedge)
    rig.send(submitted(position_idx=0 if hedge else 1))
    rig.open_market()
    run(rig, 5)
    blocked = rig.engine.state.markets["linear:BTCUSDT"].blocked
    assert f"position mode is {'hedge' if hedge else 'one-way'}" in blocked
    assert "P1 assumes" in blocked
    assert rig.alerts().count("POSITION_MODE") == 1
    assert rig.venue.orders == {}


@pytest.mark.parametrize("hedge_mode", [True, False])
@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_position_index_of_the_other_mode_is_refused_when_it_is_submitted(hedge_mode, is_read, index):
    rig = Rig(position_idx=1 if hedge_mode else 0)
    if is_read:
        rig.open_market()
    rig.send(submitted(side=Side.SELL if index == 2 else Side.BUY, position_idx=index))
    reply = rig.last_reply()
    if hedge_mode is bool(index):
        assert reply.outcome is Outcome.ACCEPTED
        return
    assert (reply.outcome, reply.code) == (Outcome.INVALID, "POSITION_IDX")
    hint = "must be 1 for long, 2 for short" if hedge_mode else "has one position: leave it out"
    assert hint in reply.text
    assert rig.engine.state.parents == {}


@pytest.mark.parametrize("hedge_mode", [True, False])
def test_an_account_that_is_not_as_configured_is_refused_with_both_named(hedge_mode):
    rig = Rig(position_idx=0 if hedge_mode else 1, hedge_mode=hedge_mode)
    rig.open_market()
    for index in (0, 1):
        rig.send(submitted(position_idx=index))
        assert rig.last_reply().code == "POSITION_IDX"
        assert f"venue.position_mode is {'hedge' if hedge_mode else 'one_way'}" in rig.last_reply().text
    assert rig.engine.state.markets["linear:BTCUSDT"].blocked == ""


@pytest.mark.parametrize(
    ("category", "symbol"),
    [(Category.INVERSE, "BTCUSD"), (Category.LINEAR, "BTCPERP"), (Category.SPOT, "BTCUSDT")],
)
def test_hedge_mode_is_of_perpetuals_in_usdt_only(category, symbol):
    rig = Rig(position_idx=1)
    rig.send(submitted(category=category, symbol=symbol, position_idx=1))
    assert rig.last_reply().outcome is Outcome.INVALID
    rig.send(submitted(category=category, symbol=symbol, position_idx=0))
    assert rig.last_reply().outcome is Outcome.ACCEPTED


def test_a_journal_that_names_no_mode_relies_on_what_the_venue_showed():
    rig = Rig()
    rig.hedge_mode = None
    rig.start()
    rig.send(submitted(position_idx=1))
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    rig.open_market()
    rig.send(submitted(position_idx=1, idempotency_key="k2"))
    assert rig.last_reply().code == "POSITION_IDX"


def test_an_account_that_went_back_to_one_position_books_a_strangers_fill_to_it():
    """What was traded in hedge mode before says nothing of today."""
    rig = Rig(position_idx=1)
    rig.open_market()
    rig.send(submitted(position_idx=1, duration_s=60, params=StrategyParams(interval_s=60, passiveness=D(0))))
    run(rig, 100, fill_all=True)
    assert rig.parent().is_final
    sold = dict(side=Side.SELL, reduce_only=True, idempotency_key="back")
    rig.send(
        submitted(
            position_idx=1, **sold, duration_s=60, params=StrategyParams(interval_s=60, passiveness=D(0))
        )
    )
    run(rig, 100, fill_all=True)
    assert rig.parent("P2").is_final
    rig.venue.orders.clear()
    rig.venue.opening = {("BTCUSDT", 0): D(0)}
    rig.hedge_mode = False
    rig.restart()
    rig.streams_live()
    run(rig, 2)
    assert not rig.engine.state.markets["linear:BTCUSDT"].hedged
    rig.send(stranger())
    assert ledger(rig, 0).net_qty == D("0.1")
    assert rig.engine.state.unplaced == []
    assert "booked to neither" not in rig.engine.state.markets["linear:BTCUSDT"].blocked


@pytest.mark.parametrize("hedge", [True, False])
def test_what_the_venue_showed_outweighs_what_is_configured(hedge):
    rig = Rig(position_idx=1 if hedge else 0, hedge_mode=not hedge)
    rig.open_market()
    rig.send(stranger())
    assert bool(rig.engine.state.unplaced) is hedge
    assert ("linear:BTCUSDT:0" in rig.engine.state.ledgers) is not hedge


def test_a_stranger_from_before_the_first_reading_is_part_of_what_we_began_with():
    rig = Rig(position_idx=1)
    rig.venue.opening["BTCUSDT", 1] = D("0.1")
    rig.send(stranger())
    assert rig.engine.state.ledgers == {}
    rig.open_market()
    assert rig.engine.state.markets["linear:BTCUSDT"].blocked == ""
    assert ledger(rig, 1).position_qty == D("0.1")
    assert rig.engine.state.unplaced == []


def told(qty, index=0):
    report = PositionReport(category=Category.LINEAR, symbol="BTCUSDT", position_idx=index, qty=D(qty))
    return PositionUpdated(at_ns=0, report=report)


def reads(rig):
    return len(rig.commands(Reconcile))


def test_a_position_told_by_the_stream_only_brings_the_next_read_forward():
    rig = Rig()
    rig.open_market()
    before = reads(rig)
    rig.send(told("0.1"))
    assert rig.engine.state.ledgers["linear:BTCUSDT:0"].position_qty == 0
    rig.fire_until(rig.now_ns + 2 * NS_PER_S)
    assert reads(rig) == before + 1


def test_a_position_told_before_its_fill_causes_no_read():
    rig = Rig()
    rig.open_market()
    rig.send(submitted(params=RESTING))
    run(rig, 1)
    before = reads(rig)
    rig.send(told("0.1"))
    rig.send(OrderFilled(at_ns=0, fill=fill(last_qty=D("0.1"))))
    rig.fire_until(rig.now_ns + 2 * NS_PER_S)
    assert reads(rig) == before
    rig.send(told("0.1"))
    rig.send(told("5", index=1))  # never read: nothing to compare with
    rig.fire_until(rig.now_ns + 2 * NS_PER_S)
    assert reads(rig) == before


def rearm(rig):
    rig.send(RearmRequested(at_ns=0, request_id="h", operator="ann", reason="looked"))


@SIDES
def test_a_rearm_takes_the_venues_next_reading_for_the_position_and_says_so(side):
    rig = Rig()
    rig.open_market()
    rig.send(submitted(side=side, params=RESTING, duration_s=600))
    run(rig, 2)
    rig.venue.opening[("BTCUSDT", 0)] = D(3)  # somebody trades by hand
    for _ in range(12):
        rig.send(told("3"))
        run(rig, 2)
    assert "POSITION_DIFFERS" in rig.alerts()
    held = rig.engine.state.ledgers["linear:BTCUSDT:0"]
    rearm(rig)
    assert held.position_qty is None
    assert rig.engine.state.markets["linear:BTCUSDT"].blocked == ""
    rig.settle()
    assert held.position_qty == 3
    details = [command.detail for command in rig.commands(RaiseAlert) if command.code is AlertCode.REARMED]
    assert any("position in linear:BTCUSDT:0 is 3" in detail for detail in details)
    blocked_before = rig.alerts().count("POSITION_DIFFERS")
    run(rig, 40)
    assert rig.alerts().count("POSITION_DIFFERS") == blocked_before


def test_a_reading_asked_for_before_the_rearm_is_not_taken():
    rig = Rig()
    rig.open_market()
    rig.engine.state.markets["linear:BTCUSDT"].blocked = "test"
    rig.fire_until(rig.now_ns + 40 * NS_PER_S)
    (old,) = [each for each in rig.pending if isinstance(each, Reconcile)]
    rig.pending.clear()
    late = rig.venue.answer_reconcile(old, now_ns=rig.now_ns)
    rig.now_ns += NS_PER_S
    rearm(rig)
    for event in late:
        rig.send(event)
    assert rig.engine.state.ledgers["linear:BTCUSDT:0"].position_qty is None
    rig.settle()
    assert rig.engine.state.ledgers["linear:BTCUSDT:0"].position_qty == 0
