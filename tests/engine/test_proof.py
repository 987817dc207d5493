"""What frees a reservation and what does not: a story for each piece of evidence that is missing."""

from dataclasses import replace

import pytest

import executor.engine.planner as planner
from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.errors import InvariantViolation
from executor.domain.events import (
    CancelAcked,
    CancelRequested,
    HaltRequested,
    OrderAcked,
    OrderFilled,
    OrderNotSent,
    OrderRejected,
    PauseRequested,
    RearmRequested,
    VenueStatus,
)
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Side
from executor.engine.ledger import open_notional
from executor.engine.state import live_children
from tests.builders import D, fill, submitted
from tests.engine.one_child import NAME, OneChild
from tests.engine.rig import Rig
from tests.engine.test_scenarios import run

C = ChildStatus
WINDOW_S = 20
GAP_S = 2


@pytest.fixture
def rig():
    return OneChild()


@pytest.fixture
def doubted(rig):
    """A create that was never answered, and whose window has passed."""
    rig.doubted()
    rig.wait(WINDOW_S)
    return rig


def rounds(rig, count, gap_s=GAP_S):
    for _ in range(count):
        rig.absent()
        rig.tick(gap_s)


def still_reserved(rig, status=C.UNKNOWN):
    assert rig.only.status is status
    assert rig.only.open_qty == rig.only.order.qty
    assert rig.parent().live == [NAME]


def test_proof_of_absence_is_complete_with_cancel_and_three_rounds(doubted):
    doubted.cancel_finds_nothing()
    rounds(doubted, 2)
    still_reserved(doubted)
    doubted.absent()
    assert (doubted.only.status, doubted.only.detail) == (C.REJECTED, "proved absent")
    assert doubted.only.open_qty == 0
    assert NAME not in doubted.parent().live


def test_proof_needs_the_cancel(doubted):
    rounds(doubted, 12)
    still_reserved(doubted)


def test_proof_needs_the_rounds(doubted):
    doubted.cancel_finds_nothing()
    still_reserved(doubted)
    doubted.wait(30)
    still_reserved(doubted)


def test_cancel_asked_inside_the_window_is_no_evidence_however_late_its_answer(rig):
    rig.doubted()
    early_ns = rig.now_ns + (WINDOW_S - 1) * 1_000_000_000
    rig.wait(WINDOW_S + 5)
    rig.cancel_finds_nothing(early_ns)
    rounds(rig, 5)
    still_reserved(rig)


def test_round_asked_inside_the_window_is_no_evidence_however_late_its_answer(rig):
    rig.doubted()
    early_ns = rig.now_ns + (WINDOW_S - 1) * 1_000_000_000
    rig.wait(WINDOW_S + 5)
    rig.cancel_finds_nothing()
    for _ in range(5):
        rig.absent(early_ns)
        rig.tick(GAP_S)
    still_reserved(rig)


def test_an_error_is_no_round_and_spoils_those_before(doubted):
    doubted.cancel_finds_nothing()
    rounds(doubted, 2)
    doubted.query_fails()
    doubted.tick(GAP_S)
    rounds(doubted, 2)
    still_reserved(doubted)
    doubted.absent()
    assert doubted.only.status is C.REJECTED


def test_rounds_closer_than_the_gap_count_as_one(doubted):
    doubted.cancel_finds_nothing()
    rounds(doubted, 4, gap_s=0.4)
    still_reserved(doubted)


def test_a_doubt_counts_the_window_from_itself(rig):
    rig.wait(WINDOW_S + 5)  # the request may have hung in a queue all that time
    rig.doubted()
    rig.cancel_finds_nothing()
    rounds(rig, 4)
    still_reserved(rig)


def test_a_restart_counts_the_window_anew_and_forgets_the_cancel(doubted):
    doubted.cancel_finds_nothing()
    doubted.restart()
    doubted.pending.clear()
    doubted.cancel_finds_nothing()
    rounds(doubted, 4)
    still_reserved(doubted)
    doubted.wait(WINDOW_S)
    rounds(doubted, 4)
    still_reserved(doubted)
    doubted.cancel_finds_nothing()
    rounds(doubted, 1)
    assert doubted.only.status is C.REJECTED


def test_a_restart_forgets_the_rounds(doubted):
    doubted.cancel_finds_nothing()
    rounds(doubted, 2)
    doubted.restart()
    doubted.wait(WINDOW_S)
    doubted.cancel_finds_nothing()
    rounds(doubted, 2)
    still_reserved(doubted)
    doubted.absent()
    assert doubted.only.status is C.REJECTED


def test_an_order_found_after_rounds_is_adopted_with_its_whole_reservation(doubted):
    doubted.cancel_finds_nothing()
    rounds(doubted, 2)
    doubted.tell(doubted.arrive())
    still_reserved(doubted, C.NEW)


def test_cancel_acknowledgement_frees_nothing(rig):
    rig.shown()
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    rig.send(CancelAcked(at_ns=0, client_order_id=NAME))
    still_reserved(rig, C.PENDING_CANCEL)
    assert not rig.parent().is_final


@pytest.mark.parametrize("answer", ["rejected", "not sent"])
@pytest.mark.parametrize("status", [C.NEW, C.PARTIALLY_FILLED, C.PENDING_CANCEL])
def test_refusal_of_an_order_that_was_seen_frees_nothing_and_is_looked_into(rig, status, answer):
    entry = rig.shown()
    if status is not C.NEW:
        rig.venue.fill(entry, D("0.01"))
        for event in rig.venue.mail:
            rig.send(event)
    if status is C.PENDING_CANCEL:
        rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    assert rig.only.status is status
    asked = rig.questions()
    if answer == "rejected":
        rig.send(OrderRejected(at_ns=0, client_order_id=NAME, code=10006, text="busy", fatal=False))
        assert rig.questions() == asked + 1
    else:
        rig.send(OrderNotSent(at_ns=0, client_order_id=NAME, detail="halt"))
    assert rig.only.status is status
    assert rig.only.cum_qty + rig.only.open_qty == entry.order.qty
    assert rig.parent().live == [NAME]


def refused(rig):
    rig.send(OrderRejected(at_ns=0, client_order_id=NAME, code=10006, text="busy", fatal=False))
    assert rig.only.status is C.REJECTED
    assert rig.parent().live == []
    rig.pending.clear()


def proved_absent(rig):
    rig.doubted()
    rig.wait(WINDOW_S)
    rig.cancel_finds_nothing()
    rounds(rig, 2)
    rig.absent()
    rig.pending.clear()
    assert rig.only.status is C.REJECTED


@pytest.mark.parametrize("believed_gone", [refused, proved_absent])
@pytest.mark.parametrize("sign_of_life", ["update", "fill", "acknowledgement"])
def test_an_order_believed_gone_that_lives_halts_is_reserved_and_cancelled(rig, believed_gone, sign_of_life):
    believed_gone(rig)
    epoch = rig.engine.state.halt_epoch
    entry = rig.venue.create(rig.create, now_ns=rig.now_ns)
    executed = D(0)
    match sign_of_life:
        case "update":
            rig.send(rig.venue.update_of(entry))
        case "acknowledgement":
            rig.send(rig.venue.acked(entry))
        case _:
            executed = D("0.01")
            rig.venue.fill(entry, executed)
            rig.send(next(event for event in rig.venue.mail if isinstance(event, OrderFilled)))
    assert rig.engine.state.latched
    assert rig.engine.state.halt_epoch == epoch + 1
    assert "ORDER_CONFLICT" in rig.alerts()
    assert rig.only.cum_qty == executed
    assert rig.only.open_qty == entry.order.qty - executed
    assert NAME in rig.parent().live
    assert [command.client_order_id for command in rig.pending if isinstance(command, CancelOrder)].count(
        NAME
    )
    rig.settle()
    run(rig, 30, fill_share=0)
    assert not entry.is_open
    assert rig.only.cum_qty == entry.executed
    assert NAME not in rig.parent().live


def test_what_the_venue_said_before_it_rejected_an_order_may_arrive_after_that(rig):
    entry = rig.arrive()
    before = rig.venue.update_of(entry)
    rig.venue.end(entry, VenueStatus.REJECTED)
    rig.tell(entry)
    assert rig.only.status is C.REJECTED
    rig.send(rig.venue.acked(entry))
    rig.send(replace(before, updated_ms=entry.version))
    assert not rig.engine.state.latched
    assert (rig.only.status, rig.only.final_qty, rig.only.open_qty) == (C.REJECTED, 0, 0)
    assert NAME not in rig.parent().live


def test_an_order_that_revives_after_its_parent_ended_counts_and_is_ended(rig):
    refused(rig)
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    assert rig.parent().is_final
    entry = rig.shown()
    assert open_notional(rig.engine.state) == entry.order.qty * entry.order.px
    run(rig, 30, fill_share=0)
    assert not entry.is_open
    assert open_notional(rig.engine.state) == 0


def test_an_order_the_venue_forgot_while_we_were_away_ends_at_last(rig):
    rig.shown()
    del rig.venue.orders[NAME]
    rig.restart()
    rig.now_ns += 25 * 3_600 * 1_000_000_000
    rig.open_market()
    run(rig, 120, fill_share=0)
    assert rig.only.is_final
    assert rig.only.open_qty == 0
    assert rig.parent().is_final
    assert not rig.engine.state.latched


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("ticks", "ours"), [(1, False), (0, True), (-1, True)])
def test_a_found_order_may_have_a_better_price_and_not_a_worse_one(side, ticks, ours):
    rig = OneChild(side)
    rig.doubted()
    entry = rig.arrive()
    px = entry.order.px + side.sign * ticks * D("0.1")
    rig.send(replace(rig.venue.update_of(entry), px=px))
    assert rig.engine.state.latched is not ours
    assert (rig.only.status is C.NEW) is ours
    assert rig.only.open_qty == entry.order.qty


@pytest.mark.parametrize("side", list(Side))
def test_a_found_order_of_the_other_side_or_symbol_is_not_ours(side):
    for change in (
        {"side": Side(-side)},
        {"symbol": "ETHUSDT"},
    ):
        rig = OneChild(side)
        entry = rig.arrive()
        rig.send(replace(rig.venue.update_of(entry), **change))
        assert rig.engine.state.latched
        assert "ORDER_CONFLICT" in rig.alerts()


def test_older_news_of_an_order_is_not_believed(rig):
    entry = rig.shown()
    now = rig.venue.update_of(entry)
    rig.send(replace(now, updated_ms=9))
    rig.send(replace(now, updated_ms=8, status=VenueStatus.CANCELED))
    still_reserved(rig, C.NEW)
    rig.send(replace(now, updated_ms=9, status=VenueStatus.PARTIALLY_FILLED, cum_qty=D("0.05")))
    rig.send(replace(now, updated_ms=9, status=VenueStatus.CANCELED, cum_qty=D("0.01")))
    still_reserved(rig, C.PARTIALLY_FILLED)


def test_a_status_is_no_quantity_the_reservation_waits_for_the_fills(rig):
    entry = rig.shown()
    rig.venue.fill(entry, entry.order.qty)
    rig.tell(entry)
    still_reserved(rig, C.FILLED)
    rig.send(OrderFilled(at_ns=0, fill=entry.executions[0]))
    assert rig.parent().live == []
    assert rig.only.open_qty == 0


def test_an_id_is_never_used_twice():
    rig = OneChild(params=submitted().params)
    entry = rig.shown()
    rig.venue.fill(entry, entry.order.qty)
    rig.engine.state.children["x-1-2"] = replace(rig.only)
    with pytest.raises(InvariantViolation, match="used before"):
        run(rig, 60)


def test_the_planner_refuses_what_exceeds_the_parent_whatever_the_gate_says(monkeypatch):
    def careless(order, look, limits, ticket):
        return Approved(order=replace(order, qty=order.qty * 100), ticket=ticket, halt_epoch=look.halt_epoch)

    monkeypatch.setattr(planner, "judge", careless)
    rig = Rig()
    rig.open_market()
    with pytest.raises(InvariantViolation, match="exceed"):
        rig.send(submitted())


def test_each_halt_makes_older_approvals_void(rig):
    state = rig.engine.state
    assert rig.create.approved.halt_epoch == state.halt_epoch == 0
    halt = HaltRequested(at_ns=0, request_id="h", operator="ann", reason="r")
    rig.send(halt)
    rig.send(halt)
    assert state.halt_epoch == 1


def test_a_fill_before_any_answer_keeps_the_rest_reserved_through_a_late_refusal(rig):
    entry = rig.arrive()
    rig.venue.fill(entry, D("0.01"))
    rig.send(rig.venue.mail[0])
    rig.send(OrderRejected(at_ns=0, client_order_id=NAME, code=10006, text="busy", fatal=False))
    assert rig.only.status is C.PARTIALLY_FILLED
    assert rig.only.open_qty == entry.order.qty - D("0.01")


def test_a_fill_without_our_id_is_booked_once_the_acknowledgement_names_its_order(rig):
    entry = rig.arrive()
    rig.venue.fill(entry, D("0.01"))
    (execution,) = entry.executions
    rig.send(OrderFilled(at_ns=0, fill=replace(execution, client_order_id="")))
    assert rig.parent().cum_qty == 0
    rig.send(OrderAcked(at_ns=0, client_order_id=NAME, venue_order_id=entry.venue_order_id, sent_sha256=""))
    assert rig.parent().cum_qty == D("0.01")
    rig.send(OrderFilled(at_ns=0, fill=execution))
    assert rig.parent().cum_qty == D("0.01")
    assert rig.engine.state.ledgers["linear:BTCUSDT:0"].net_qty == D("0.01")


def test_a_fill_of_a_stranger_is_not_ours(rig):
    rig.shown()
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="", venue_order_id="v77")))
    assert rig.parent().cum_qty == 0
    assert not rig.engine.state.latched


def test_a_seen_order_the_venue_no_longer_shows_needs_a_cancel_that_missed_and_the_margin_after_it(rig):
    margin_s = rig.timings.absence_margin_s
    entry = rig.shown()
    rig.wait(WINDOW_S)
    rounds(rig, 6)
    assert sum(isinstance(command, CancelOrder) for command in rig.pending) >= 1
    still_reserved(rig, C.PENDING_CANCEL)
    rig.cancel_finds_nothing()
    rounds(rig, 5)
    still_reserved(rig, C.PENDING_CANCEL)  # what became of it may show late
    rig.wait(margin_s)
    rounds(rig, 2)
    still_reserved(rig, C.PENDING_CANCEL)
    rig.absent()
    assert rig.only.status is C.CANCELED
    assert rig.only.open_qty == 0
    assert rig.only.cum_qty == entry.executed == 0
    assert not rig.engine.state.latched


def test_a_seen_order_that_shows_again_spoils_the_proof_of_its_end(rig):
    entry = rig.shown()
    rig.wait(WINDOW_S)
    rig.absent()
    rig.cancel_finds_nothing()
    rig.wait(rig.timings.absence_margin_s)
    rounds(rig, 2)
    rig.tell(entry)
    rounds(rig, 4)
    still_reserved(rig, C.PENDING_CANCEL)


def test_an_order_that_revived_after_its_parent_ended_is_pursued_over_a_restart(rig):
    refused(rig)
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="r"))
    entry = rig.shown()
    assert rig.parent().is_final
    assert NAME in live_children(rig.engine.state)
    rig.wait(10)
    before = len(rig.commands(CancelOrder))
    assert before >= 2  # asked for until it is proved gone
    rig.restart()
    assert rig.engine.state.latched
    assert NAME in live_children(rig.engine.state)
    assert rig.questions()
    rig.open_market()
    run(rig, 30, fill_share=0)
    assert not entry.is_open
    assert live_children(rig.engine.state) == []
