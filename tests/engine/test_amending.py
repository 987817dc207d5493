"""A resting child follows the touch in place: what is sent, what is reserved meanwhile, and what ends the doubt."""

from dataclasses import replace
from itertools import pairwise

import pytest

from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, RefuseOrder, ReplaceOrder
from executor.domain.events import (
    BookUpdated,
    OrderFilled,
    PauseRequested,
    ReplaceAcked,
    ReplaceNotSent,
    ReplaceOutcomeUnknown,
    ReplaceRejected,
    VenueStatus,
)
from executor.domain.limits import Limits
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Side, StrategyParams, Terms
from executor.engine.ledger import open_notional
from executor.engine.state import worst_case_qty
from executor.runtime import record
from executor.runtime.journal import needs_commit
from tests.builders import D, snapshot, submitted
from tests.engine.following import Following
from tests.engine.one_child import NAME
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))
WINDOW_S = 20


@SIDES
def test_a_resting_child_follows_the_touch_in_place(side):
    rig = Following(side)
    command = rig.move()
    assert needs_commit(BookUpdated(at_ns=0, market=snapshot()), (command,))  # durable before its first byte
    new = command.approved.order
    assert (new.client_order_id, new.qty) == (NAME, rig.old.qty)
    assert side.sign * (new.px - rig.old.px) > 0
    assert rig.only.status is ChildStatus.PENDING_REPLACE
    assert rig.only.terms == rig.old
    rig.answer(command)
    assert rig.only.status is ChildStatus.PENDING_REPLACE  # acknowledged is not in force
    rig.settle()
    assert rig.only.status is ChildStatus.NEW
    assert rig.only.terms == new.terms
    assert rig.only.pending is None
    assert len(rig.commands(PlaceOrder)) == 1
    assert rig.commands(CancelOrder) == []
    rig.venue.fill(rig.entry, new.qty)
    rig.settle()
    assert rig.only.status is ChildStatus.FILLED
    assert rig.parent().cum_qty == new.qty


def test_an_amendment_counts_for_every_budget():
    rig = Following()
    before, orders = rig.parent().ordered_qty, len(rig.engine.state.order_times_ns)
    tickets = rig.engine.state.tickets
    command = rig.move()
    assert rig.parent().ordered_qty == before + command.approved.order.qty
    assert len(rig.engine.state.order_times_ns) == orders + 1
    assert rig.parent().repeats == 2
    assert command.approved.ticket == rig.engine.state.tickets == tickets + 1
    assert rig.parent().last_order_ns == rig.now_ns


def test_the_touch_is_followed_no_more_often_than_the_gap_and_a_tenth_of_a_slice():
    rig = Following()
    for _ in range(40):
        rig.mid += 1
        rig.tick(1)
        rig.settle()
    times = rig.engine.state.order_times_ns
    assert min(later - earlier for earlier, later in pairwise(times)) >= 6_000_000_000
    assert rig.entry.amends >= 4


@SIDES
@pytest.mark.parametrize("more", [True, False])
def test_the_larger_quantity_is_reserved_until_the_terms_are_proved(side, more):
    rig = Following(side)
    child, state = rig.only, rig.engine.state
    old = child.order.qty
    command = rig.move()
    # The planner asks for as much as before; the engine must hold for any other quantity too.
    new_qty = old * 2 if more else old / 2
    child.pending = Terms(qty=new_qty, px=child.pending.px)
    changed = replace(command.approved.order, qty=new_qty)
    command = replace(command, approved=replace(command.approved, order=changed))
    reserved = max(old, new_qty)
    dearest = max(child.order.px, child.pending.px)
    for event in (
        ReplaceAcked(at_ns=0, client_order_id=NAME),
        ReplaceOutcomeUnknown(at_ns=0, client_order_id=NAME, detail="reset"),
    ):
        assert child.open_qty == reserved
        assert worst_case_qty(state, rig.parent()) == reserved
        assert open_notional(state) == reserved * dearest
        rig.send(event)
    rig.venue.amend(command)
    rig.tell()
    assert child.open_qty == new_qty
    assert child.pending is None
    # More than the planner asked for is taken back; less is as good as what it wants now.
    assert child.status is (ChildStatus.PENDING_CANCEL if more else ChildStatus.NEW)


@SIDES
def test_lost_acknowledgement_of_an_applied_amendment_is_found_by_asking(side):
    rig = Following(side)
    command = rig.move()
    rig.venue.amend(command)
    rig.venue.mail.clear()
    rig.send(ReplaceOutcomeUnknown(at_ns=0, client_order_id=NAME, detail="timeout"))
    assert "OUTCOME_UNKNOWN" in rig.alerts()
    assert isinstance(rig.pending[-1], QueryOrder)
    rig.settle()
    assert rig.only.terms == command.approved.order.terms
    assert rig.only.status is ChildStatus.NEW
    assert len(rig.commands(ReplaceOrder)) == 1


@SIDES
def test_lost_amendment_is_unproved_until_the_venue_can_no_longer_take_it(side):
    rig = Following(side)
    rig.unanswered()
    for second in range(WINDOW_S):
        assert rig.only.status is ChildStatus.PENDING_REPLACE, second
        rig.wait(1)
    rig.wait(3)
    assert rig.only.pending is None
    assert rig.only.terms == rig.old or rig.only.is_final
    assert not rig.engine.state.latched


def test_amendment_that_arrives_late_inside_the_window_is_adopted():
    rig = Following()
    command = rig.unanswered()
    rig.wait(4)
    assert rig.only.terms == rig.old
    rig.venue.amend(command)
    rig.settle()
    assert rig.only.terms == command.approved.order.terms
    assert rig.only.status is ChildStatus.NEW


@SIDES
def test_amendment_below_what_is_filled_leaves_the_child_as_it_is_and_is_not_repeated(side):
    rig = Following(side)
    rig.move()
    rig.send(ReplaceRejected(at_ns=0, client_order_id=NAME, code=110064, text="below filled", gone=False))
    assert rig.only.terms == rig.old
    assert rig.only.status is ChildStatus.NEW
    assert rig.only.pending is None
    rig.wait(40)
    assert (
        len([each for each in rig.commands(ReplaceOrder) if each.approved.order.client_order_id == NAME]) == 1
    )
    assert rig.entry.status is VenueStatus.CANCELED  # the next try is cancel and a new child
    assert len(rig.commands(PlaceOrder)) == 2


def test_amendment_that_never_left_changes_nothing():
    rig = Following()
    rig.move()
    rig.send(ReplaceNotSent(at_ns=0, client_order_id=NAME, detail="closed"))
    assert rig.only.terms == rig.old
    assert rig.only.status is ChildStatus.NEW
    assert rig.only.open_qty == rig.old.qty


@SIDES
def test_amendment_that_lost_the_race_to_a_fill_is_asked_about(side):
    rig = Following(side)
    command = rig.move()
    rig.venue.fill(rig.entry, rig.old.qty)
    rig.venue.mail.clear()
    rig.answer(command)
    assert rig.only.pending is not None
    assert rig.only.open_qty == rig.old.qty
    rig.settle()
    assert rig.only.status is ChildStatus.FILLED
    assert rig.parent().cum_qty == rig.old.qty
    assert not rig.engine.state.latched


def test_the_venue_says_gone_but_shows_it_open_then_the_old_terms_stand():
    rig = Following()
    rig.move()
    rig.send(ReplaceRejected(at_ns=0, client_order_id=NAME, code=110001, text="gone", gone=True))
    assert rig.only.status is ChildStatus.PENDING_REPLACE
    rig.settle()
    assert rig.only.terms == rig.old
    assert rig.only.status is ChildStatus.NEW


@SIDES
def test_terms_held_to_be_refused_that_come_into_force_are_believed_without_a_halt(side):
    rig = Following(side)
    command = rig.move()
    rig.send(ReplaceRejected(at_ns=0, client_order_id=NAME, code=10006, text="too many", gone=False))
    rig.venue.amend(command)
    rig.tell()
    assert rig.only.terms == command.approved.order.terms
    assert "TERMS_MOVED" in rig.alerts()
    assert not rig.engine.state.latched


def test_late_terms_that_commit_more_than_the_parent_halt():
    rig = Following(order_qty=D(1), duration_s=60)
    command = rig.move()
    rig.send(ReplaceRejected(at_ns=0, client_order_id=NAME, code=10006, text="", gone=False))
    changed = replace(command.approved.order, qty=D("1.5"))
    rig.only.lapsed = changed.terms
    rig.venue.amend(replace(command, approved=replace(command.approved, order=changed)))
    rig.tell()
    assert rig.engine.state.latched
    assert "ORDER_CONFLICT" in rig.alerts()
    assert rig.only.open_qty == D("1.5")
    assert isinstance(rig.pending[-1], CancelOrder)


def test_terms_nobody_asked_for_halt():
    rig = Following()
    rig.entry.order = replace(rig.entry.order, qty=rig.old.qty * 2)
    rig.entry.version += 1
    rig.tell()
    assert rig.engine.state.latched
    assert "ORDER_CONFLICT" in rig.alerts()


def test_a_copy_of_old_news_of_the_same_instant_is_no_conflict():
    rig = Following()
    before = rig.venue.update_of(rig.entry)
    rig.answer(rig.move())
    rig.settle()
    rig.send(replace(before, updated_ms=rig.only.updated_ms))
    assert not rig.engine.state.latched
    assert rig.only.terms != rig.old


@SIDES
def test_fills_beyond_the_old_quantity_prove_the_new_terms(side):
    rig = Following(side)
    command = rig.move()
    qty = rig.old.qty * 2
    rig.only.pending = Terms(qty=qty, px=rig.only.pending.px)
    changed = replace(command.approved.order, qty=qty)
    rig.venue.amend(replace(command, approved=replace(command.approved, order=changed)))
    rig.venue.fill(rig.entry, qty - D("0.001"))
    (event,) = [each for each in rig.venue.mail if isinstance(each, OrderFilled)]
    rig.send(event)
    assert rig.only.terms == changed.terms
    assert rig.only.pending is None
    assert rig.only.open_qty == D("0.001")
    assert "OVER_FILL" not in rig.alerts()
    assert not rig.engine.state.latched


@SIDES
def test_a_cancel_may_be_sent_while_terms_are_in_doubt_and_its_proof_ends_both(side):
    rig = Following(side)
    rig.unanswered()
    rig.pending.clear()
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    assert rig.only.status is ChildStatus.PENDING_CANCEL
    assert rig.only.open_qty == rig.old.qty
    rig.settle()
    assert rig.only.status is ChildStatus.CANCELED
    assert rig.only.open_qty == 0


def test_a_restart_makes_an_unanswered_amendment_unknown_and_asks():
    rig = Following()
    command = rig.move()
    rig.restart()
    assert rig.only.status is ChildStatus.PENDING_CANCEL  # in doubt nothing may stay open
    assert rig.only.pending == command.approved.order.terms
    assert rig.only.replace_sent_ns == rig.now_ns
    assert [each for each in rig.pending if isinstance(each, QueryOrder)]
    rig.venue.amend(command)  # it had left before the process died
    rig.open_market(warmup_s=1)
    assert rig.only.terms == command.approved.order.terms
    assert rig.only.status is ChildStatus.CANCELED
    assert not rig.engine.state.latched
    written = record.encode_state(rig.engine.state)
    assert record.decode_state(written) == rig.engine.state


def test_amendment_refused_for_its_pace_waits_and_the_order_stays():
    rig = Following(limits=Limits(orders_per_min_max=1))
    rig.mid += 1
    rig.tick(1)
    refusals = rig.commands(RefuseOrder)
    assert refusals
    assert set(refusals[-1].codes) == {"ORDERS_PER_MINUTE"}
    assert rig.commands(CancelOrder) == []
    assert rig.entry.is_open
    count = len(refusals)
    rig.wait(10)
    assert len(rig.commands(RefuseOrder)) - count <= 4  # it waits longer each time


def test_amendment_refused_for_another_reason_takes_the_order_back():
    rig = Following()
    rig.engine.state.markets["linear:BTCUSDT"].blocked = "test"
    rig.mid += 1
    rig.tick(1)
    assert {"SYMBOL_BLOCKED"} == {code for each in rig.commands(RefuseOrder) for code in each.codes}
    assert [each for each in rig.pending if isinstance(each, CancelOrder)]


def test_price_moved_to_the_band_is_adopted_and_told():
    rig = Following()
    better = rig.old.px - 5
    rig.entry.order = replace(rig.entry.order, px=better)
    rig.entry.version += 1
    rig.tell()
    assert rig.only.order.px == better
    assert "TERMS_MOVED" in rig.alerts()
    assert not rig.engine.state.latched
    rig.tell()
    assert rig.alerts().count("TERMS_MOVED") == 1


@pytest.mark.parametrize("reduce_only", [True, False])
def test_only_a_reduce_only_order_may_be_cut_by_the_venue(reduce_only):
    rig = Rig()
    rig.venue.opening = {("BTCUSDT", 0): D(-2)}
    rig.open_market()
    rig.send(submitted(reduce_only=reduce_only, params=StrategyParams(interval_s=60, passiveness=D(1))))
    rig.tick(1)
    rig.settle()
    (entry,) = rig.venue.orders.values()
    assert entry.order.reduce_only is reduce_only
    less = entry.order.qty / 2
    entry.order = replace(entry.order, qty=less)
    entry.version += 1
    rig.send(rig.venue.update_of(entry))
    assert rig.engine.state.latched is not reduce_only
    assert rig.child(1).open_qty == (less if reduce_only else less * 2)
