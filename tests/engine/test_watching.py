"""Who asks when nothing is heard: watches on children, reads of the account, and what a loss makes forgotten."""

from dataclasses import replace

import pytest

from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile
from executor.domain.events import (
    AccountUnreadable,
    CancelRequested,
    ExecutionUnexplained,
    OrderFilled,
    PauseRequested,
    RearmRequested,
    ReconcileFailed,
    Stream,
    VenueStatus,
)
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from tests.builders import D, submitted
from tests.engine.one_child import NAME, OneChild
from tests.engine.rig import Rig
from tests.engine.test_scenarios import run

C = ChildStatus
LINEAR = "linear"
OVERLAP_MS = 60_000


@pytest.fixture
def rig():
    return OneChild()


def private(rig, *, live):
    rig.stream(Stream.PRIVATE, live=live)


def taken(rig, kind):
    """Commands of a kind that are on their way; taken off it."""
    found = [command for command in rig.pending if isinstance(command, kind)]
    rig.pending = [command for command in rig.pending if not isinstance(command, kind)]
    return found


def read_under_way(rig):
    """Let time pass until the account is being read."""
    for _ in range(60):
        rig.tick(1)
        found = taken(rig, Reconcile)
        if found:
            return found[-1]
    raise AssertionError("the account is never read")


def cancels(rig):
    return len(rig.commands(CancelOrder))


# ---------------------------------------------------------------- one child


def test_an_acknowledged_order_that_no_stream_shows_is_asked_for(rig):
    entry = rig.arrive()
    rig.send(rig.venue.acked(entry))
    rig.wait(2)
    assert rig.questions() == 0
    rig.wait(2)
    assert rig.questions() == 1


def test_a_final_order_with_fills_missing_is_asked_for_until_they_come(rig):
    entry = rig.shown()
    rig.venue.fill(entry, D("0.05"))
    rig.venue.end(entry, VenueStatus.CANCELED)
    rig.tell(entry)
    assert rig.only.status is C.CANCELED
    rig.wait(2)
    assert rig.questions() == 1
    rig.query_fails()
    rig.wait(3)
    assert rig.questions() == 2
    rig.send(OrderFilled(at_ns=0, fill=entry.executions[0]))
    assert rig.only.is_released


def test_a_cancel_without_proof_is_sent_again_and_told_once(rig):
    rig.shown()
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    assert cancels(rig) == 1
    rig.wait(2)
    assert cancels(rig) == 1
    rig.wait(2)
    assert cancels(rig) == 2
    rig.wait(30)
    assert 5 <= cancels(rig) <= 13
    assert rig.alerts().count("CANCEL_UNPROVED") == 1
    assert rig.only.status is C.PENDING_CANCEL


def test_an_unanswered_question_is_not_asked_again_before_it_counts_as_lost(rig):
    rig.doubted()
    rig.wait(50)
    assert rig.questions() == 1
    rig.wait(20)
    assert rig.questions() == 2


def test_an_order_in_doubt_is_asked_for_again_after_every_error(rig):
    rig.doubted()
    for _ in range(5):
        rig.query_fails()
        rig.wait(3)
    assert rig.questions() >= 5


# ---------------------------------------------------------------- reading the account


@pytest.mark.parametrize("shown", [True, False])
def test_a_read_that_does_not_show_an_order_makes_us_ask_for_it(rig, shown):
    entry = rig.shown()
    command = read_under_way(rig)
    asked = rig.questions()
    *_, done = rig.venue.answer_reconcile(command, now_ns=rig.now_ns)
    assert done.open_client_order_ids == (NAME,)
    rig.send(done if shown else replace(done, open_client_order_ids=()))
    assert rig.questions() == asked + (not shown)
    assert rig.only.status is C.NEW
    assert rig.only.open_qty == entry.order.qty


def test_an_order_that_was_shown_in_answer_to_a_question_may_be_asked_for_again(rig):
    entry = rig.shown()
    for expected in (1, 2):
        *_, done = rig.venue.answer_reconcile(read_under_way(rig), now_ns=rig.now_ns)
        rig.send(replace(done, open_client_order_ids=()))
        assert rig.questions() == expected
        rig.tell(entry)  # what the stream tells is no answer
        rig.send(replace(done, open_client_order_ids=()))
        assert rig.questions() == expected
        rig.send(replace(rig.venue.update_of(entry), asked_ns=rig.now_ns))


def test_a_read_asked_before_the_order_left_says_nothing_of_it():
    rig = Rig()
    rig.open_market()
    command = read_under_way(rig)
    *_, done = rig.venue.answer_reconcile(command, now_ns=rig.now_ns)
    rig.tick(1)
    rig.send(submitted())
    rig.tick(1)
    assert rig.child(1).sent_ns > done.asked_ns
    rig.send(done)
    assert rig.commands(QueryOrder) == []


def test_a_failed_read_closes_and_is_tried_again(rig):
    entry = rig.shown()
    rig.venue.fill(entry, entry.order.qty)
    command = read_under_way(rig)
    cursor_ms = rig.engine.state.exec_cursor_ms[LINEAR]
    rig.send(ReconcileFailed(at_ns=0, category=Category.LINEAR, asked_ns=rig.now_ns, detail="HTTP 502"))
    assert rig.alerts().count("RECONCILE_FAILED") == 1
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.engine.state.exec_cursor_ms[LINEAR] == cursor_ms
    rig.tick(3)
    (again,) = taken(rig, Reconcile)
    assert again == command
    rig.pending.append(again)
    rig.settle()
    rig.tick(1)
    assert rig.parent().status in {ParentStatus.ACTIVE, ParentStatus.EXECUTING}


def test_the_cursor_follows_complete_reads_with_an_overlap(rig):
    rig.shown()
    for _ in range(90):  # the first minute's reads begin where this incarnation began
        rig.tick(1)
        rig.settle()
    command = read_under_way(rig)
    asked_ns = rig.now_ns
    *events, done = rig.venue.answer_reconcile(command, now_ns=asked_ns)
    rig.wait(4)  # the answer takes its time: what happened meanwhile is not in it
    for event in [*events, done]:
        rig.send(event)
    expected_ms = asked_ns // NS_PER_MS - OVERLAP_MS
    assert rig.engine.state.exec_cursor_ms[LINEAR] == expected_ms
    assert read_under_way(rig).since_ms == expected_ms


def test_what_could_not_be_read_of_the_account_closes_until_the_next_complete_read(rig):
    entry = rig.shown()
    rig.venue.fill(entry, entry.order.qty)
    rig.send(AccountUnreadable(at_ns=0, category=Category.LINEAR, detail="a row"))
    assert rig.parent().status is ParentStatus.PAUSED
    assert "RECONCILE_FAILED" in rig.alerts()
    run(rig, 10)
    assert rig.parent().status in {ParentStatus.ACTIVE, ParentStatus.EXECUTING}


def test_a_read_begun_before_it_does_not_make_good_what_could_not_be_read(rig):
    rig.shown()
    old = read_under_way(rig)
    answer = rig.venue.answer_reconcile(old, now_ns=rig.now_ns)
    rig.send(AccountUnreadable(at_ns=0, category=Category.LINEAR, detail="a row"))
    for event in answer:
        rig.send(event)
    assert not rig.engine.state.reconciled[LINEAR]
    rig.tick(2)
    (new,) = taken(rig, Reconcile)
    assert not rig.engine.state.reconciled[LINEAR]
    rig.pending.append(new)
    rig.settle()
    assert rig.engine.state.reconciled[LINEAR]


def test_an_execution_that_fills_no_order_blocks_its_symbol_until_rearmed():
    rig = Rig()
    rig.open_market()
    strange = ExecutionUnexplained(
        at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", exec_id="z1", kind="AdlTrade"
    )
    rig.send(strange)
    rig.send(submitted(duration_s=600))
    run(rig, 20)
    assert rig.venue.orders == {}
    assert rig.alerts().count("EXECUTION_UNEXPLAINED") == 1
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="known"))
    rig.send(strange)  # every complete read shows it again
    run(rig, 60)
    assert rig.venue.orders
    assert rig.alerts().count("EXECUTION_UNEXPLAINED") == 1


# ---------------------------------------------------------------- losses


def test_a_lost_stream_makes_the_last_read_worthless():
    rig = Rig()
    rig.open_market()
    rig.send(submitted(duration_s=600))
    run(rig, 3)
    before = len(rig.commands(PlaceOrder))
    assert before
    private(rig, live=False)
    private(rig, live=True)
    for _ in range(30):
        rig.tick(1)
        taken(rig, Reconcile)
        rig.settle()
    assert len(rig.commands(PlaceOrder)) == before
    assert "UNRECONCILED" in rig.parent().waiting


def test_a_read_begun_before_the_loss_neither_blocks_nor_replaces_the_one_after(rig):
    rig.shown()
    old = read_under_way(rig)
    answer = rig.venue.answer_reconcile(old, now_ns=rig.now_ns)
    private(rig, live=False)
    rig.tick(1)
    private(rig, live=True)
    (new,) = taken(rig, Reconcile)
    for event in answer:
        rig.send(event)
    rig.tick(1)
    assert "UNRECONCILED" in rig.parent().waiting
    assert not rig.engine.state.reconciled.get(LINEAR)
    rig.pending.append(new)
    rig.settle()
    rig.tick(1)
    assert rig.engine.state.reconciled[LINEAR]


def test_a_restart_takes_nothing_of_the_outside_for_granted():
    rig = Rig()
    rig.open_market()
    rig.send(submitted(duration_s=600))
    run(rig, 3)
    rig.restart()
    told = {"PRIVATE_STREAM_DOWN", "PUBLIC_STREAM_DOWN", "UNRECONCILED", "BOOK_MISSING"}
    assert told <= set(rig.parent().waiting)
    assert rig.parent().status is ParentStatus.PAUSED


@pytest.mark.parametrize("missing", ["public", "private", "read", "book"])
def test_after_a_restart_each_of_them_is_needed_before_anything_opens(missing):
    rig = Rig()
    rig.open_market()
    rig.send(submitted(duration_s=600))
    run(rig, 3)
    rig.restart()
    rig.now_ns += 30 * NS_PER_S
    before = len(rig.commands(PlaceOrder))
    for stream in Stream:
        if stream.value.lower() != missing:
            rig.stream(stream, live=True)
    for _ in range(20):
        if missing == "read":
            taken(rig, Reconcile)
        rig.settle()
        if missing == "book":
            rig.fire_until(rig.now_ns + NS_PER_S)
            rig.now_ns += NS_PER_S
        else:
            rig.tick(1)
    assert len(rig.commands(PlaceOrder)) == before
    rig.open_market(warmup_s=2)
    run(rig, 40)
    assert len(rig.commands(PlaceOrder)) > before


def test_a_read_under_way_at_a_restart_is_asked_for_anew(rig):
    rig.shown()
    read_under_way(rig)
    rig.restart()
    assert taken(rig, Reconcile) == []
    private(rig, live=True)
    assert len(taken(rig, Reconcile)) == 1


def test_a_timer_of_the_last_process_is_not_waited_for(rig):
    rig.doubted()
    rig.restart()
    asked = rig.questions()
    rig.query_fails()
    rig.wait(4)
    assert rig.questions() > asked


def test_a_cancelled_order_that_was_never_answered_is_unknown_after_a_restart(rig):
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    if rig.only.status is C.PENDING_NEW:
        rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    assert rig.only.status is C.PENDING_CANCEL
    rig.restart()
    assert rig.only.status is C.UNKNOWN
    assert rig.only.open_qty == rig.only.order.qty


def test_a_cancelled_order_that_was_seen_stays_so_over_a_restart_and_is_asked_for(rig):
    entry = rig.shown()
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    rig.restart()
    assert rig.only.status is C.PENDING_CANCEL
    assert rig.only.open_qty == entry.order.qty
    assert any(isinstance(command, QueryOrder) for command in rig.pending)


def test_a_resting_order_is_asked_for_after_a_restart(rig):
    entry = rig.shown()
    rig.venue.fill(entry, entry.order.qty)  # while we were away
    rig.venue.mail.clear()
    rig.restart()
    rig.settle()
    assert rig.only.status is C.FILLED
    assert rig.parent().cum_qty == entry.order.qty


def test_what_others_did_before_the_first_start_is_never_asked_for():
    """It is in the opening position; read as well it would look like a fill that nobody explains."""
    rig = Rig()
    rig.open_market()
    first = [command for command in rig.log if isinstance(command, Reconcile)]
    assert first
    assert all(command.since_ms == rig.engine.state.started_ns // 1_000_000 for command in first)
    rig.tick(31)
    rig.settle()
    asked = [command for command in rig.log if isinstance(command, Reconcile)]
    assert len(asked) > len(first)
    assert min(command.since_ms for command in asked) == first[0].since_ms
