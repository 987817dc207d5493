"""Stories a trader can read: a book, an order, and what must leave."""

from dataclasses import replace
from decimal import Decimal as D
from itertools import pairwise

import pytest

from executor.domain.commands import (
    CancelOrder,
    Outcome,
    PlaceOrder,
    QueryOrder,
    Reconcile,
    RefuseOrder,
    StoreReport,
)
from executor.domain.events import (
    AmendRequested,
    BookLost,
    CancelRequested,
    DrainPolicy,
    HaltRequested,
    InstrumentLoaded,
    InstrumentMissing,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderQueryFailed,
    OrderRejected,
    PauseRequested,
    RearmRequested,
    ResumeRequested,
    ShutdownRequested,
    Stream,
    VenueStatus,
)
from executor.domain.limits import Limits
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams, TimeInForce
from executor.domain.parent_state import ParentStatus, Reason
from tests.builders import fill, instrument, submitted
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))


def amend(**over):
    usual = dict(
        at_ns=0,
        request_id="a",
        parent_id="P1",
        order_qty=None,
        limit_px=None,
        clear_limit_px=False,
        deadline_ns=None,
        urgency=None,
        strategy=None,
        params=None,
        expected_version=None,
    )
    return AmendRequested(**{**usual, **over})


@pytest.fixture
def rig():
    rig = Rig()
    rig.open_market()
    return rig


def run(rig, seconds, *, fill_share=1):
    """Let the market run; resting orders fill by a share each second, crossing ones at once and whole."""
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()
        for entry in list(rig.venue.orders.values()):
            if not entry.is_open:
                continue
            if entry.order.time_in_force is TimeInForce.IOC:
                rig.venue.fill(entry, entry.order.qty)
            elif fill_share:
                rig.venue.fill(entry, (entry.order.qty * D(fill_share)).quantize(D("0.001")))
        rig.settle()


@SIDES
def test_parent_rests_first_and_completes_exactly(rig, side):
    rig.send(submitted(side=side))
    run(rig, 125)
    parent = rig.parent()
    assert parent.status is ParentStatus.COMPLETE
    assert parent.cum_qty == D(1)
    assert sum(entry.executed for entry in rig.venue.orders.values()) == D(1)
    assert all(entry.order.time_in_force is TimeInForce.POST_ONLY for entry in rig.venue.orders.values())
    assert len(rig.venue.orders) == 6
    assert len(rig.commands(StoreReport)) == 1


@SIDES
def test_slice_that_does_not_fill_at_rest_is_crossed_at_its_end(rig, side):
    rig.send(submitted(side=side))
    run(rig, 18, fill_share=0)
    kinds = [entry.order.time_in_force for entry in rig.venue.orders.values()]
    assert kinds == [TimeInForce.POST_ONLY, TimeInForce.IOC]
    first, second = rig.venue.orders.values()
    assert first.status is VenueStatus.CANCELED
    assert side.sign * (second.order.px - rig.mid) > 0
    assert rig.parent().cum_qty == first.order.qty


def test_orders_of_a_parent_are_at_least_the_gap_apart(rig):
    rig.send(submitted(params=StrategyParams(interval_s=10, passiveness=D(0))))
    run(rig, 125)
    children = sorted(rig.engine.state.children.values(), key=lambda child: child.created_ns)
    gaps = [b.created_ns - a.created_ns for a, b in pairwise(children)]
    assert min(gaps) >= 5_000_000_000


def test_large_slice_is_cut_to_the_value_limit():
    rig = Rig()
    rig.open_market()
    rig.send(
        submitted(order_qty=D(60), params=StrategyParams(interval_s=60, passiveness=D(0)), duration_s=60)
    )
    run(rig, 2)
    (entry,) = rig.venue.orders.values()
    # 10 % of what a minute trades is 30 BTC; the value cap of 100 000 allows 1.997 at 50 050.1.
    assert entry.order.px == D("50050.1")
    assert entry.order.qty == D("1.997")


@SIDES
def test_deadline_with_rule_leave_expires_short(rig, side):
    rig.send(
        submitted(
            side=side, residual=ResidualRule.LEAVE, params=StrategyParams(interval_s=20, passiveness=D(1))
        )
    )
    run(rig, 130, fill_share=0)
    parent = rig.parent()
    assert parent.status is ParentStatus.EXPIRED
    assert parent.cum_qty == 0
    assert not any(entry.is_open for entry in rig.venue.orders.values())


@SIDES
def test_deadline_with_rule_cross_takes_the_rest(rig, side):
    rig.send(
        submitted(
            side=side, residual=ResidualRule.CROSS, params=StrategyParams(interval_s=20, passiveness=D(1))
        )
    )
    run(rig, 140, fill_share=0)
    assert rig.parent().status is ParentStatus.COMPLETE
    assert list(rig.venue.orders.values())[-1].order.time_in_force is TimeInForce.IOC


@SIDES
def test_deadline_with_rule_cross_expires_when_the_rest_cannot_be_taken_in_its_window(rig, side):
    limit_px = D(50_000) - side.sign * 10
    rig.send(submitted(side=side, limit_px=limit_px, params=StrategyParams(interval_s=20, passiveness=D(1))))
    run(rig, 145, fill_share=0)
    assert rig.parent().goal is None
    run(rig, 15, fill_share=0)
    assert rig.parent().status is ParentStatus.EXPIRED
    assert not any(entry.is_open for entry in rig.venue.orders.values())


@SIDES
def test_deadline_with_rule_extend_goes_on_and_then_expires(rig, side):
    rig.send(
        submitted(
            side=side,
            residual=ResidualRule.EXTEND,
            extend_s=60,
            params=StrategyParams(interval_s=20, passiveness=D(1)),
        )
    )
    run(rig, 150, fill_share=0)
    assert rig.parent().status is ParentStatus.EXECUTING
    run(rig, 40, fill_share=0)
    assert rig.parent().status is ParentStatus.EXPIRED


@SIDES
def test_limit_price_is_never_crossed(rig, side):
    rig.send(
        submitted(
            side=side,
            limit_px=D(50000) - side.sign * 10,
            params=StrategyParams(interval_s=20, passiveness=D("0.5")),
        )
    )
    run(rig, 60, fill_share=0)
    assert rig.venue.orders
    limit_px = rig.parent().order.limit_px
    assert all(side.sign * (entry.order.px - limit_px) <= 0 for entry in rig.venue.orders.values())


@SIDES
def test_dust_is_reported_and_never_ordered(rig, side):
    rig.send(submitted(side=side, order_qty=D("1.00005")))
    run(rig, 130)
    parent = rig.parent()
    assert parent.status is ParentStatus.COMPLETE
    assert parent.reason is Reason.DUST_LEFT
    assert parent.leaves_qty == D("0.00005")


@SIDES
def test_pause_cancels_and_resume_spreads_the_rest(rig, side):
    rig.send(submitted(side=side))
    run(rig, 5, fill_share=0)
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    run(rig, 30, fill_share=0)
    assert rig.parent().status is ParentStatus.PAUSED
    assert not any(entry.is_open for entry in rig.venue.orders.values())
    before = len(rig.venue.orders)
    rig.send(ResumeRequested(at_ns=0, request_id="q", parent_id="P1"))
    run(rig, 100)
    assert len(rig.venue.orders) > before
    assert rig.parent().status is ParentStatus.COMPLETE


def test_pause_before_the_start_resumes_to_the_start():
    rig = Rig()
    rig.send(submitted())
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    assert rig.parent().status is ParentStatus.PAUSED
    rig.send(ResumeRequested(at_ns=0, request_id="q", parent_id="P1"))
    assert rig.parent().status is ParentStatus.INITIALIZED


@SIDES
def test_amended_quantity_waits_for_the_working_child_and_never_falls_below_the_fills(rig, side):
    rig.send(submitted(side=side))
    run(rig, 3, fill_share=0)
    (entry,) = rig.venue.orders.values()
    rig.send(amend(order_qty=D("0.1")))
    assert rig.parent().status is ParentStatus.ADJUSTING
    assert rig.parent().order.order_qty == D(1)
    rig.venue.fill(entry, entry.order.qty)  # the fill wins the race against the cancel
    rig.settle()
    assert rig.parent().order.order_qty == entry.order.qty == rig.parent().cum_qty
    assert rig.parent().status is ParentStatus.COMPLETE


def test_amended_deadline_limit_and_params_make_a_new_plan(rig):
    rig.send(submitted())
    run(rig, 3)
    version = rig.parent().version
    rig.send(
        amend(
            deadline_ns=rig.now_ns + 300_000_000_000,
            limit_px=D(50100),
            params=StrategyParams(interval_s=30),
            expected_version=version,
        )
    )
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    run(rig, 2)
    schedule = rig.parent().schedule
    assert len(schedule.slices) == 10
    assert rig.parent().order.limit_px == D(50100)
    rig.send(amend(limit_px=D(50200), expected_version=version))
    assert rig.last_reply().outcome is Outcome.VERSION


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "NOTHING"),
        ({"deadline_ns": 5}, "TIME"),
        ({"strategy": "wizard"}, "STRATEGY"),
        ({"order_qty": D("0.0001")}, "QTY"),
    ],
)
def test_impossible_amendments_are_refused(rig, change, code):
    rig.send(submitted())
    run(rig, 3)
    rig.send(amend(**change))
    assert (rig.last_reply().outcome, rig.last_reply().code) == (Outcome.INVALID, code)


@SIDES
def test_cancel_ends_only_when_the_child_is_proved_gone(rig, side):
    rig.send(submitted(side=side))
    run(rig, 3, fill_share=0)
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    assert rig.parent().status is ParentStatus.EXECUTING
    assert rig.commands(CancelOrder)
    rig.settle()
    assert rig.parent().status is ParentStatus.CANCELED
    rig.send(CancelRequested(at_ns=0, request_id="d", parent_id="P1"))
    assert rig.last_reply().outcome is Outcome.STATE


@SIDES
def test_fill_that_arrives_before_the_acknowledgement_is_booked_once(rig, side):
    rig.send(submitted(side=side))
    rig.tick(1)
    place = rig.pending.pop()
    entry = rig.venue.create(place, now_ns=rig.now_ns)
    rig.venue.fill(entry, entry.order.qty)
    fill_event = next(event for event in rig.venue.mail if isinstance(event, OrderFilled))
    rig.send(fill_event)
    rig.send(fill_event)
    assert rig.parent().cum_qty == entry.order.qty
    rig.send(rig.venue.acked(entry))
    rig.settle()
    assert rig.parent().cum_qty == entry.order.qty


@SIDES
def test_late_fill_after_cancel_is_booked_and_the_reservation_waits_for_it(rig, side):
    rig.send(submitted(side=side))
    run(rig, 3, fill_share=0)
    (entry,) = rig.venue.orders.values()
    rig.venue.fill(entry, D("0.05"))
    late = [event for event in rig.venue.mail if isinstance(event, OrderFilled)]
    rig.venue.mail = [event for event in rig.venue.mail if not isinstance(event, OrderFilled)]
    rig.venue.end(entry)
    for event in rig.venue.mail:
        rig.send(event)
    rig.venue.mail.clear()
    child = rig.child(1)
    assert child.status is ChildStatus.CANCELED
    assert child.open_qty == D("0.05")
    assert rig.parent().live == ["x-1-1"]
    rig.send(late[0])
    assert rig.parent().cum_qty == D("0.05")
    assert rig.parent().live == []


def test_late_fill_after_the_end_of_the_parent_is_booked(rig):
    rig.send(submitted(residual=ResidualRule.LEAVE))
    run(rig, 3, fill_share=0)
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    rig.settle()
    assert rig.parent().status is ParentStatus.CANCELED
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-1-1", last_qty=D("0.01"))))
    assert rig.parent().status is ParentStatus.CANCELED
    assert rig.parent().cum_qty == D("0.01")
    assert len(rig.commands(StoreReport)) == 2


def test_over_fill_is_booked_and_halts(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-1-1", last_qty=D(5))))
    assert rig.parent().cum_qty == D(5)
    assert rig.engine.state.latched
    assert "OVER_FILL" in rig.alerts()


def test_conflicting_copy_of_a_fill_keeps_the_first_and_blocks_the_symbol(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-1-1", last_qty=D("0.01"))))
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-1-1", last_qty=D("0.02"))))
    assert rig.parent().cum_qty == D("0.01")
    assert "FILL_CONFLICT" in rig.alerts()
    before = len(rig.venue.orders)
    run(rig, 60, fill_share=0)
    assert len(rig.venue.orders) == before
    assert any("SYMBOL_BLOCKED" in command.codes for command in rig.commands(RefuseOrder))


def test_same_exec_id_on_another_symbol_is_another_fill(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-1-1", last_qty=D("0.01"))))
    rig.send(OrderFilled(at_ns=0, fill=fill(symbol="ETHUSDT", client_order_id="other", last_qty=D(3))))
    assert len(rig.engine.state.executions) == 2
    assert rig.parent().cum_qty == D("0.01")


@SIDES
def test_unanswered_order_that_exists_is_adopted_without_a_second_send(rig, side):
    rig.send(submitted(side=side))
    rig.tick(1)
    place = rig.pending.pop()
    entry = rig.venue.create(place, now_ns=rig.now_ns)
    rig.venue.mail.clear()
    rig.send(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail="timeout"))
    assert rig.child(1).status is ChildStatus.UNKNOWN
    assert rig.child(1).open_qty == entry.order.qty
    rig.settle()
    assert rig.child(1).status is ChildStatus.NEW
    assert len(rig.venue.orders) == 1


def test_unanswered_order_that_never_arrived_is_released_only_by_the_full_proof(rig):
    rig.send(submitted(duration_s=600))
    rig.tick(1)
    rig.pending.clear()
    rig.send(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail="timeout"))
    for second in range(19):
        rig.settle()
        rig.tick(1)
        assert rig.child(1).status is ChildStatus.UNKNOWN, second
        assert rig.parent().live == ["x-1-1"]
    for _ in range(21):
        rig.settle()
        rig.tick(1)
    assert rig.child(1).status is ChildStatus.REJECTED
    assert rig.child(1).detail == "proved absent"
    assert len(rig.engine.state.children) > 1


def test_errors_are_never_proof_of_absence(rig):
    rig.send(submitted(duration_s=600))
    rig.tick(1)
    rig.pending.clear()
    rig.send(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail="timeout"))
    for _ in range(100):
        for command in rig.pending:
            if isinstance(command, QueryOrder):
                rig.send(OrderQueryFailed(at_ns=0, client_order_id="x-1-1", detail="HTTP 502"))
            elif isinstance(command, CancelOrder):
                rig.send(rig.venue.answer_cancel(command, now_ns=rig.now_ns))
        rig.pending.clear()
        rig.tick(1)
    assert rig.child(1).status is ChildStatus.UNKNOWN
    assert len(rig.engine.state.children) == 1


def test_rejections_in_a_row_pause_the_parent(rig):
    rig.send(submitted(duration_s=600))
    for _ in range(60):
        rig.tick(1)
        for command in list(rig.pending):
            if isinstance(command, PlaceOrder):
                name = command.approved.order.client_order_id
                rig.send(OrderRejected(at_ns=0, client_order_id=name, code=110017, text="no", fatal=False))
                rig.pending.remove(command)
        rig.settle()
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.parent().reason is Reason.VENUE_REJECTS
    assert len(rig.engine.state.children) == 3


def test_fatal_rejection_halts_at_once(rig):
    rig.send(submitted())
    rig.tick(1)
    rig.pending.clear()
    rig.send(OrderRejected(at_ns=0, client_order_id="x-1-1", code=10003, text="bad key", fatal=True))
    assert rig.engine.state.latched
    assert len(rig.commands(PlaceOrder)) == 1


@SIDES
def test_halt_cancels_everything_and_survives_restart_until_rearmed(rig, side):
    rig.send(submitted(side=side))
    run(rig, 3, fill_share=0)
    rig.send(HaltRequested(at_ns=0, request_id="h", operator="ann", reason="test"))
    rig.settle()
    assert not any(entry.is_open for entry in rig.venue.orders.values())
    rig.restart()
    rig.open_market()
    assert rig.engine.state.latched
    rig.send(ResumeRequested(at_ns=0, request_id="r", parent_id="P1"))
    assert rig.last_reply().outcome is Outcome.LOCKED
    rig.send(submitted(side=side, idempotency_key="k2"))
    assert rig.last_reply().outcome is Outcome.LOCKED
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason=" "))
    assert rig.last_reply().outcome is Outcome.INVALID
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="looked into it"))
    assert rig.parent().status is ParentStatus.PAUSED
    rig.send(ResumeRequested(at_ns=0, request_id="r", parent_id="P1"))
    run(rig, 110)
    assert rig.parent().status is ParentStatus.COMPLETE


def test_lost_book_cancels_and_goes_on_when_it_is_back(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.send(BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="gap"))
    assert rig.parent().status is ParentStatus.PAUSED
    rig.settle()
    assert not any(entry.is_open for entry in rig.venue.orders.values())
    run(rig, 125)
    assert rig.parent().status is ParentStatus.COMPLETE


def test_book_that_stops_is_stale_after_two_seconds(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.fire_until(rig.now_ns + 3_000_000_000)
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.parent().reason is Reason.BOOK_LOST


def test_private_stream_loss_opens_nothing_until_reconciled(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.stream(Stream.PRIVATE, live=False)
    rig.settle()
    before = len(rig.venue.orders)
    for _ in range(20):
        rig.tick(1)
        rig.settle()
    assert len(rig.venue.orders) == before
    rig.stream(Stream.PRIVATE, live=True)
    rig.tick(1)
    assert len(rig.venue.orders) == before
    rig.settle()
    run(rig, 110)
    assert rig.parent().status is ParentStatus.COMPLETE


def test_volatility_pauses_until_a_person_resumes(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    for sign in (1, -1, 1, -1):
        rig.tick(1, move=str(sign * 400))
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.parent().reason is Reason.VOLATILITY
    assert "VOLATILITY" in rig.alerts()
    run(rig, 5)
    assert rig.parent().status is ParentStatus.PAUSED


def test_wide_spread_rests_instead_of_crossing(rig):
    rig.book(spread="200")
    rig.send(submitted(params=StrategyParams(interval_s=20, passiveness=D(0))))
    for _ in range(10):
        rig.now_ns += 1_000_000_000
        rig.book(volume="5", spread="200")
        rig.settle()
    assert {entry.order.time_in_force for entry in rig.venue.orders.values()} == {TimeInForce.POST_ONLY}


@SIDES
def test_restart_between_commit_and_send_keeps_the_reservation_and_finds_the_truth(rig, side):
    rig.send(submitted(side=side, duration_s=600))
    rig.tick(1)
    assert isinstance(rig.pending[-1], PlaceOrder)
    rig.restart()
    assert rig.child(1).status is ChildStatus.UNKNOWN
    rig.open_market()
    for _ in range(45):
        rig.tick(1)
        rig.settle()
    assert rig.child(1).status is ChildStatus.REJECTED
    assert "x-1-1" not in rig.venue.orders
    assert rig.venue.orders


def test_shutdown_by_policy_cancel_leaves_nothing_and_the_parent_goes_on_after_restart(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.send(ShutdownRequested(at_ns=0, policy=DrainPolicy.CANCEL))
    rig.settle()
    assert not any(entry.is_open for entry in rig.venue.orders.values())
    rig.restart()
    rig.open_market()
    run(rig, 110)
    assert rig.parent().status is ParentStatus.COMPLETE


def test_shutdown_by_policy_leave_cancels_nothing(rig):
    rig.send(submitted())
    run(rig, 3, fill_share=0)
    rig.send(ShutdownRequested(at_ns=0, policy=DrainPolicy.LEAVE))
    rig.settle()
    assert [entry.is_open for entry in rig.venue.orders.values()] == [True]


def test_order_found_with_other_terms_is_not_adopted(rig):
    rig.send(submitted())
    run(rig, 2, fill_share=0)
    (entry,) = rig.venue.orders.values()
    rig.send(replace(rig.venue.update_of(entry), qty=D(9), updated_ms=99))
    assert rig.engine.state.latched
    assert "ORDER_CONFLICT" in rig.alerts()
    assert rig.parent().reason is Reason.ORDER_CONFLICT


def test_stale_update_changes_nothing(rig):
    rig.send(submitted())
    run(rig, 2, fill_share=0)
    (entry,) = rig.venue.orders.values()
    old = rig.venue.update_of(entry)
    rig.venue.fill(entry, D("0.05"))
    rig.settle()
    rig.send(old)
    assert rig.child(1).status is ChildStatus.PARTIALLY_FILLED


def test_orphan_fill_under_our_prefix_blocks_the_symbol_until_rearmed(rig):
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-9-9", last_qty=D("0.01"))))
    rig.send(submitted())
    run(rig, 10)
    assert rig.venue.orders == {}
    assert "ORPHAN_FILL" in rig.alerts()
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="known"))
    run(rig, 30)
    assert rig.venue.orders


def test_position_difference_that_lasts_blocks_the_symbol():
    rig = Rig()
    rig.open_market()
    rig.send(submitted(duration_s=600))
    run(rig, 3, fill_share=0)
    rig.venue.fill(next(iter(rig.venue.orders.values())), D("0.01"))
    rig.settle()
    honest = rig.venue.answer_reconcile

    def with_a_stranger(command, *, now_ns):
        *events, done = honest(command, now_ns=now_ns)
        position = done.positions[0]
        return [*events, replace(done, positions=(replace(position, qty=position.qty + D(7)),))]

    rig.venue.answer_reconcile = with_a_stranger
    run(rig, 50, fill_share=0)
    assert "POSITION_DIFFERS" in rig.alerts()
    assert rig.engine.state.markets["linear:BTCUSDT"].blocked


def test_position_of_a_symbol_added_later_is_read_before_it_is_traded(rig):
    rig.send(InstrumentLoaded(at_ns=0, instrument=instrument(symbol="ETHUSDT")))
    rig.send(submitted(idempotency_key="eth", symbol="ETHUSDT"))
    (asked,) = [command for command in rig.pending if isinstance(command, Reconcile)]
    assert asked.symbols == ("BTCUSDT", "ETHUSDT")


def test_spot_is_reconciled_without_positions(rig):
    rig.send(submitted(idempotency_key="spot", category=Category.SPOT))
    rig.send(InstrumentLoaded(at_ns=0, instrument=instrument(category=Category.SPOT)))
    rig.settle()
    ledger = rig.engine.state.ledgers["spot:BTCUSDT:0"]
    assert ledger.position_qty == 0
    rig.send(submitted(idempotency_key="spot2", category=Category.SPOT, reduce_only=True))
    assert rig.last_reply().code == "CATEGORY"


def test_symbol_that_does_not_exist_fails_its_parents_with_a_reason():
    rig = Rig()
    rig.send(submitted(symbol="BTCUSTD"))
    rig.send(InstrumentMissing(at_ns=0, category=Category.LINEAR, symbol="BTCUSTD", detail="no such symbol"))
    assert rig.parent().status is ParentStatus.FAILED
    assert rig.parent().reason is Reason.INSTRUMENT_UNUSABLE
    assert "NO_SUCH_SYMBOL" in rig.alerts()


def test_quantity_beyond_the_limits_on_the_whole_fails_before_its_first_child(rig):
    rig.send(submitted(order_qty=D(1_000_000)))
    assert rig.parent().status is ParentStatus.FAILED
    assert rig.parent().reason is Reason.BEYOND_LIMITS
    assert "position_notional_max" in rig.parent().detail
    assert rig.commands(PlaceOrder) == []


def test_closing_a_large_position_is_not_held_against_the_position_limit():
    rig = Rig()
    rig.open_market()
    rig.engine.state.ledgers["linear:BTCUSDT:0"].opening_qty = D(500)
    rig.send(submitted(side=Side.SELL, order_qty=D(500), duration_s=3_600))
    rig.tick(1)
    assert rig.parent().status in {ParentStatus.ACTIVE, ParentStatus.EXECUTING}


def test_order_too_large_for_the_volume_is_told_but_worked(rig):
    rig.send(submitted(order_qty=D(90)))
    assert "TOO_FAST" in rig.alerts()
    assert "can be traded in 120 s within 10 %" in rig.parent().detail
    assert rig.parent().status in {ParentStatus.ACTIVE, ParentStatus.EXECUTING}


def test_limit_price_far_from_the_market_waits_and_says_so(rig):
    rig.send(submitted(limit_px=D(1)))
    run(rig, 5)
    assert rig.venue.orders == {}
    assert rig.parent().waiting == ("LIMIT_PRICE",)
    assert rig.commands(RefuseOrder) == []


def test_rearm_says_what_it_cleared(rig):
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="look"))
    assert "nothing was halted or blocked" in rig.last_reply().text
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-9-9", last_qty=D("0.01"))))
    rig.send(HaltRequested(at_ns=0, request_id="h", operator="bob", reason="odd"))
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="known"))
    text = rig.last_reply().text
    assert "bob: odd" in text
    assert "1 fills without an order" in text
    assert "linear:BTCUSDT" in text


def test_same_key_same_body_is_the_same_parent_and_another_body_conflicts(rig):
    rig.send(submitted())
    rig.send(submitted(request_id="r2"))
    assert (rig.last_reply().outcome, rig.last_reply().parent_id) == (Outcome.REPEATED, "P1")
    rig.send(submitted(request_id="r3", body_sha256="other"))
    assert rig.last_reply().outcome is Outcome.CONFLICT
    assert len(rig.engine.state.parents) == 1


def test_opposite_parent_on_the_same_symbol_is_refused(rig):
    rig.send(submitted())
    rig.send(submitted(idempotency_key="k2", side=Side.SELL))
    assert (rig.last_reply().outcome, rig.last_reply().code) == (Outcome.CONFLICT, "OPPOSITE")


def test_repeat_throttle_pauses_until_rearmed():
    rig = Rig(limits=Limits(children_per_parent_max=2))
    rig.open_market()
    rig.send(submitted(duration_s=600))
    run(rig, 80)
    assert rig.parent().reason is Reason.REPEAT_THROTTLE
    assert len(rig.venue.orders) == 2
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="fine"))
    rig.send(ResumeRequested(at_ns=0, request_id="r", parent_id="P1"))
    run(rig, 30)
    assert len(rig.venue.orders) > 2


def test_same_events_give_the_same_bytes():
    def story():
        rig = Rig()
        rig.open_market()
        rig.send(
            submitted(params=StrategyParams(interval_s=10, randomize_size_pct=20, randomize_timing_pct=20))
        )
        run(rig, 60, fill_share="0.4")
        rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
        run(rig, 5)
        rig.send(ResumeRequested(at_ns=0, request_id="q", parent_id="P1"))
        run(rig, 80, fill_share="0.3")
        return rig.journal

    assert story() == story()


@SIDES
def test_over_filled_parent_never_counts_as_complete(rig, side):
    rig.send(submitted(side=side))
    run(rig, 3, fill_share=0)
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-1-1", side=side, last_qty=D(5))))
    run(rig, 10, fill_share=0)
    assert rig.parent().status is ParentStatus.FAILED
    assert rig.parent().reason is Reason.OVER_FILLED
    assert rig.parent().cum_qty == D(5)


def test_accepted_extension_holds_while_the_old_child_is_still_being_proved_gone(rig):
    rig.send(submitted(residual=ResidualRule.LEAVE, params=StrategyParams(interval_s=20, passiveness=D(1))))
    run(rig, 118, fill_share=0)
    rig.pending.clear()
    rig.send(amend(deadline_ns=rig.now_ns + 600_000_000_000))
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    rig.tick(2.5)  # past the old deadline, and the cancel is not answered yet
    rig.tick(1)
    run(rig, 20, fill_share=0)
    assert rig.parent().status in {ParentStatus.ACTIVE, ParentStatus.EXECUTING}
    assert rig.parent().order.deadline_ns > rig.now_ns


def test_rule_extend_never_crosses_what_is_left_even_when_its_end_is_noticed_late(rig):
    rig.send(
        submitted(
            residual=ResidualRule.EXTEND, extend_s=1, params=StrategyParams(interval_s=20, passiveness=D(1))
        )
    )
    run(rig, 112, fill_share=0)
    parent = rig.parent()
    for entry in rig.venue.orders.values():
        rig.venue.end(entry)
    parent.retry_ns = parent.order.deadline_ns - 1_000_000  # as after a refusal: nothing is at work
    rig.settle()
    rig.now_ns = parent.order.deadline_ns + 2_000_000_000
    rig.book(volume="5")
    run(rig, 10, fill_share=0)
    assert {entry.order.time_in_force for entry in rig.venue.orders.values()} == {TimeInForce.POST_ONLY}
    assert rig.parent().status is ParentStatus.EXPIRED


def test_resume_does_not_skip_a_waiting_amendment(rig):
    rig.send(submitted(duration_s=600, params=StrategyParams(interval_s=300, passiveness=D(1))))
    rig.tick(1)
    place = next(command for command in rig.pending if isinstance(command, PlaceOrder))
    rig.pending.clear()
    rig.venue.create(place, now_ns=rig.now_ns)
    rig.venue.mail.clear()
    rig.send(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail="timeout"))
    rig.send(amend(order_qty=D("0.7"), limit_px=D(49_990)))
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    rig.send(ResumeRequested(at_ns=0, request_id="q", parent_id="P1"))
    rig.pending = [command for command in rig.pending if not isinstance(command, CancelOrder)]
    run(rig, 30, fill_share=0)
    assert rig.parent().pending is None
    assert rig.parent().order.limit_px == D(49_990)
    assert all(entry.order.px <= D(49_990) for entry in rig.venue.orders.values() if entry.is_open)
