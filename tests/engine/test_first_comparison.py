"""Nothing is opened on a position that was not held against the venue's since we began to listen."""

from dataclasses import replace

import pytest

from executor.domain.commands import PlaceOrder, Reconcile
from executor.domain.events import OrderAcked, OrderFilled, RearmRequested, Reconciled, Stream
from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.engine.engine import Engine
from executor.engine.positions import POSITION_PATIENCE_S
from executor.runtime import record
from tests.builders import D, fill, instrument, submitted
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))
MARKET = "linear:BTCUSDT"
HELD = ("BTCUSDT", 0)


def crossing(rig, **over):
    rig.send(submitted(duration_s=600, params=StrategyParams(interval_s=20, passiveness=D(0)), **over))


def at_work(side=Side.BUY, held="0", **over):
    """A parent whose first child is done, so that the next one is due at any moment."""
    rig = Rig()
    rig.venue.opening[HELD] = D(held)
    rig.open_market()
    crossing(rig, side=side, **over)
    run(rig, 3)
    assert rig.engine.state.markets[MARKET].compared
    return rig


def run(rig, seconds):
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()
        for entry in list(rig.venue.orders.values()):
            rig.venue.fill(entry, entry.order.qty)
        rig.settle()


def away(rig, how):
    """We do not listen for a time, in which the account can change."""
    if how == "restart":
        rig.restart()
    else:
        rig.stream(Stream.PRIVATE, live=False)
    rig.tick(20)


def back(rig):
    rig.streams_live()
    rig.book()


HOW = pytest.mark.parametrize("how", ["restart", "private stream lost"])


@HOW
@SIDES
def test_a_position_that_does_not_agree_lets_nothing_be_opened_and_then_blocks(how, side):
    rig = at_work(side)
    sent = len(rig.commands(PlaceOrder))
    away(rig, how)
    rig.venue.opening[HELD] += 7
    back(rig)
    run(rig, POSITION_PATIENCE_S - 1)
    assert rig.engine.state.reconciled == {"linear": True}
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.parent().reason is Reason.STREAM_LOST
    assert rig.parent().waiting == ("PAUSED_STREAM_LOST", "POSITION_UNCONFIRMED")
    assert "POSITION_DIFFERS" not in rig.alerts()
    run(rig, 30)
    assert "POSITION_DIFFERS" in rig.alerts()
    assert len(rig.commands(PlaceOrder)) == sent
    assert set(rig.parent().waiting) == {"SYMBOL_BLOCKED", "POSITION_UNCONFIRMED"}


@HOW
@SIDES
def test_a_position_that_agrees_lets_the_parent_go_on_with_the_first_read(how, side):
    rig = at_work(side)
    sent = len(rig.commands(PlaceOrder))
    away(rig, how)
    back(rig)
    assert len(rig.commands(PlaceOrder)) == sent
    assert rig.parent().waiting == ("PAUSED_STREAM_LOST", "UNRECONCILED")
    rig.settle()
    assert rig.engine.state.markets[MARKET].compared
    run(rig, 20)
    assert len(rig.commands(PlaceOrder)) > sent


def test_a_fill_on_its_way_at_the_start_is_waited_for_and_blocks_nothing():
    rig = at_work()
    sent = len(rig.commands(PlaceOrder))
    rig.restart()
    rig.venue.opening[HELD] += 1  # as if an execution were not listed yet
    rig.tick(20)
    back(rig)
    rig.settle()
    rig.tick(1)
    assert "POSITION_UNCONFIRMED" in rig.parent().waiting
    rig.venue.opening[HELD] -= 1
    run(rig, POSITION_PATIENCE_S + 20)
    assert rig.engine.state.markets[MARKET].blocked == ""
    assert len(rig.commands(PlaceOrder)) > sent


def test_once_a_read_agreed_a_new_difference_stops_nothing_before_it_has_lasted():
    rig = at_work()
    assert rig.engine.state.markets[MARKET].compared
    rig.venue.opening[HELD] += 1
    rig.fire_until(rig.timers["reconcile:linear"])
    rig.book()
    rig.settle()
    assert rig.engine.state.ledgers[f"{MARKET}:0"].differs_since_ns
    assert rig.parent().status in {ParentStatus.ACTIVE, ParentStatus.EXECUTING}


@SIDES
def test_what_may_only_reduce_goes_on_before_anything_has_agreed(side):
    rig = at_work(side, held=str(-5 * side.sign), reduce_only=True)
    sent = len(rig.commands(PlaceOrder))
    rig.restart()
    rig.venue.opening[HELD] -= side.sign
    rig.tick(20)
    back(rig)
    run(rig, POSITION_PATIENCE_S - 1)
    assert not rig.engine.state.markets[MARKET].compared
    assert len(rig.commands(PlaceOrder)) > sent
    assert all(command.approved.order.reduce_only for command in rig.commands(PlaceOrder))


@SIDES
def test_a_parent_that_had_not_begun_does_not_begin_either(side):
    rig = Rig()
    rig.open_market()
    rig.restart()
    rig.venue.opening[HELD] = D(1)
    crossing(rig, side=side)
    rig.streams_live()
    run(rig, 4)
    assert rig.parent().status is ParentStatus.INITIALIZED
    assert "POSITION_UNCONFIRMED" in rig.parent().waiting
    assert rig.venue.orders == {}


def test_a_block_that_ends_without_a_person_does_not_replace_the_comparison():
    """An execution was a stranger's and turns out to be ours, while the position is still another."""
    rig = at_work()
    rig.restart()
    rig.venue.opening[HELD] += 1
    rig.tick(20)
    rig.streams_live()
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="", venue_order_id="v77", exec_id="z1")))
    market = rig.engine.state.markets[MARKET]
    assert market.blocked
    rig.settle()
    child = rig.child(1)
    child.venue_order_id = ""
    rig.send(
        OrderAcked(at_ns=0, client_order_id=child.order.client_order_id, venue_order_id="v77", sent_sha256="")
    )
    assert market.blocked == ""
    assert not market.compared
    rig.tick(1)
    assert "POSITION_UNCONFIRMED" in rig.parent().waiting


def test_after_a_rearm_the_next_reading_is_the_comparison():
    rig = at_work()
    rig.restart()
    rig.venue.opening[HELD] += 7
    rig.tick(20)
    back(rig)
    run(rig, 20)
    assert rig.engine.state.markets[MARKET].blocked
    sent = len(rig.commands(PlaceOrder))
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="by hand"))
    assert not rig.engine.state.markets[MARKET].compared
    assert len(rig.commands(PlaceOrder)) == sent
    run(rig, 30)
    assert len(rig.commands(PlaceOrder)) > sent


def test_a_symbol_that_a_read_does_not_show_is_not_compared_by_it():
    rig = at_work()
    rig.restart()
    rig.tick(20)
    back(rig)
    (asked,) = [command for command in rig.pending if isinstance(command, Reconcile)]
    rig.pending.remove(asked)
    *_, done = rig.venue.answer_reconcile(asked, now_ns=rig.now_ns)
    assert isinstance(done, Reconciled)
    rig.send(replace(done, positions=()))
    assert not rig.engine.state.markets[MARKET].compared
    assert "POSITION_UNCONFIRMED" in rig.parent().waiting


def test_of_spot_a_complete_read_is_enough():
    rig = Rig(rules=instrument(category=Category.SPOT))
    rig.open_market()
    assert rig.engine.state.markets["spot:BTCUSDT"].compared
    rig.restart()
    assert not rig.engine.state.markets["spot:BTCUSDT"].compared
    rig.streams_live()
    rig.settle()
    assert rig.engine.state.markets["spot:BTCUSDT"].compared


def test_a_replay_waits_for_the_comparison_in_the_same_words():
    rig = at_work()
    rig.restart()
    rig.venue.opening[HELD] += 7
    rig.fire_until(rig.now_ns + 20 * NS_PER_S)
    back(rig)
    run(rig, 20)
    again = Engine()
    for kind, (body, commands) in zip(rig.kinds, rig.journal, strict=True):
        assert record.encode_commands(again.on_event(record.decode_event(kind, body))) == commands
    assert record.encode_state(again.state) == record.encode_state(rig.engine.state)


def test_a_position_that_the_venue_does_not_show_is_told_and_opens_nothing(monkeypatch):
    rig = at_work()
    away(rig, "restart")
    whole = rig.venue.answer_reconcile

    def without_positions(command, *, now_ns):
        return [
            replace(event, positions=()) if isinstance(event, Reconciled) else event
            for event in whole(command, now_ns=now_ns)
        ]

    monkeypatch.setattr(rig.venue, "answer_reconcile", without_positions)
    back(rig)
    before, told = len(rig.commands(PlaceOrder)), rig.alerts().count("RECONCILE_FAILED")
    run(rig, 120)
    assert len(rig.commands(PlaceOrder)) == before
    assert rig.alerts().count("RECONCILE_FAILED") == told + 1
    monkeypatch.undo()
    run(rig, 60)
    assert len(rig.commands(PlaceOrder)) > before
