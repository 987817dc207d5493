"""What proves an amendment refused, and what does not: until then the larger quantity stays reserved."""

from dataclasses import replace

import pytest

from executor.domain.commands import QueryOrder, ReplaceOrder
from executor.domain.events import OrderFilled, OrderQueryFailed, ReplaceAcked, ReplaceRejected
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Side, StrategyParams, Terms
from executor.domain.timeline import NS_PER_S
from executor.engine.desk import QUESTION_NS_MAX
from tests.builders import D, submitted
from tests.engine.following import Following
from tests.engine.one_child import NAME
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))
WINDOW_S = 20
GONE = ReplaceRejected(at_ns=0, client_order_id=NAME, code=110001, text="gone", gone=True)


def ask_for_twice_as_much(rig, unanswered=True):
    """The planner never asks for more; the engine must hold for any other quantity too."""
    command = rig.unanswered() if unanswered else rig.move()
    rig.pending.clear()
    qty = rig.old.qty * 2
    rig.only.pending = Terms(qty=qty, px=rig.only.pending.px)
    changed = replace(command.approved.order, qty=qty)
    return replace(command, approved=replace(command.approved, order=changed)), qty


def questions_fail(rig, seconds):
    for _ in range(seconds):
        rig.tick(1)
        for command in [each for each in rig.pending if isinstance(each, QueryOrder)]:
            rig.pending.remove(command)
            rig.send(OrderQueryFailed(at_ns=0, client_order_id=NAME, detail="timeout"))


# ---------------------------------------------------------------- what the stream tells


def test_old_terms_in_late_mail_prove_nothing_while_a_question_is_under_way():
    rig = Following()
    late = rig.venue.update_of(rig.entry)
    command, qty = ask_for_twice_as_much(rig)
    rig.venue.amend(command)  # in force there; its own message is late as well
    rig.send(OrderQueryFailed(at_ns=0, client_order_id=NAME, detail="timeout"))
    questions_fail(rig, WINDOW_S + 2)
    rig.fire_until(rig.now_ns + 2 * NS_PER_S)
    asked_ns = rig.only.asked_ns
    assert asked_ns
    rig.send(late)
    assert rig.only.pending is not None
    assert rig.only.open_qty == qty
    assert rig.only.asked_ns == asked_ns  # it is still under way
    rig.read()
    assert rig.only.terms == command.approved.order.terms
    assert not rig.engine.state.latched


def test_the_venues_clock_proves_nothing():
    rig = Following()
    _, qty = ask_for_twice_as_much(rig)
    ahead_ms = rig.now_ns // 1_000_000 + 10 * WINDOW_S * 1_000
    rig.send(replace(rig.venue.update_of(rig.entry), updated_ms=ahead_ms))
    assert rig.only.open_qty == qty
    rig.send(replace(rig.venue.update_of(rig.entry), updated_ms=ahead_ms, asked_ns=rig.now_ns))
    assert rig.only.open_qty == qty


def test_a_question_that_is_never_answered_is_asked_again():
    rig = Following()
    ask_for_twice_as_much(rig)
    asked_ns = rig.only.asked_ns
    rig.fire_until(asked_ns + QUESTION_NS_MAX - 1)
    rig.tell()
    assert not [each for each in rig.pending if isinstance(each, QueryOrder)]
    rig.fire_until(asked_ns + QUESTION_NS_MAX + 2 * NS_PER_S)
    assert [each for each in rig.pending if isinstance(each, QueryOrder)]
    rig.settle()
    assert rig.only.pending is None


# ---------------------------------------------------------------- what is read


@SIDES
@pytest.mark.parametrize("late_enough", [False, True])
def test_only_a_reading_that_began_when_the_request_was_too_old_proves_the_old_terms(side, late_enough):
    rig = Following(side)
    _, qty = ask_for_twice_as_much(rig)
    from_ns = rig.only.replace_sent_ns + WINDOW_S * NS_PER_S
    rig.now_ns = from_ns + 5 * NS_PER_S
    rig.read(from_ns if late_enough else from_ns - 1)
    assert (rig.only.pending is None) is late_enough
    assert rig.only.open_qty == (rig.old.qty if late_enough else qty)


def test_an_amendment_that_was_acknowledged_and_never_applied_ends():
    rig = Following()
    rig.move()
    rig.send(ReplaceAcked(at_ns=0, client_order_id=NAME))
    rig.wait(WINDOW_S - 1)
    assert rig.only.pending is not None
    rig.wait(4)
    assert rig.only.pending is None
    assert rig.only.order.qty == rig.old.qty


# ---------------------------------------------------------------- the venue knows no such open order


def test_what_was_asked_before_the_refusal_does_not_prove_the_old_terms():
    rig = Following()
    ask_for_twice_as_much(rig, unanswered=False)
    asked_ns = rig.now_ns
    rig.now_ns += NS_PER_S
    rig.send(GONE)
    rig.read(asked_ns)
    assert rig.only.pending is not None
    rig.tell()
    assert rig.only.pending is not None
    rig.read()
    assert rig.only.pending is None
    assert rig.only.terms == rig.old


def test_a_refusal_asks_anew_although_a_question_is_under_way():
    rig = Following()
    rig.unanswered()
    assert rig.only.asked_ns
    rig.pending.clear()
    rig.now_ns += 1
    rig.send(GONE)
    assert [each for each in rig.pending if isinstance(each, QueryOrder)]
    assert rig.only.asked_ns == rig.now_ns


def test_a_restart_after_a_refusal_waits_until_nothing_can_be_on_its_way():
    rig = Following()
    ask_for_twice_as_much(rig, unanswered=False)
    rig.send(GONE)
    rig.restart()
    restarted_ns = rig.now_ns
    rig.now_ns += NS_PER_S
    rig.read()
    assert rig.only.pending is not None
    rig.now_ns = restarted_ns + WINDOW_S * NS_PER_S
    rig.read()
    assert rig.only.pending is None


# ---------------------------------------------------------------- one amendment after another


def test_what_proved_one_amendment_refused_says_nothing_of_the_next():
    rig = Following()
    command = rig.move()
    rig.send(GONE)
    rig.venue.amend(command)  # it was taken after all
    rig.settle()
    assert rig.only.terms == command.approved.order.terms
    rig.wait(10)
    rig.move()
    rig.read()
    assert rig.only.pending is not None
    assert rig.only.status is ChildStatus.PENDING_REPLACE


def test_the_window_of_one_amendment_is_not_that_of_the_next():
    rig = Following()
    command = rig.unanswered()
    rig.venue.amend(command)
    rig.settle()
    assert rig.only.terms == command.approved.order.terms
    rig.wait(WINDOW_S + 5)
    rig.move()
    rig.read()
    assert rig.only.pending is not None
    assert len(rig.commands(ReplaceOrder)) == 2


# ---------------------------------------------------------------- terms that are shown


def test_a_quantity_that_goes_back_halts():
    rig = Following()
    command, qty = ask_for_twice_as_much(rig)
    rig.venue.amend(command)
    rig.tell()
    assert (rig.only.terms.qty, rig.only.former) == (qty, rig.old)
    rig.entry.order = replace(rig.entry.order, qty=rig.old.qty, px=rig.old.px)
    rig.entry.version += 1
    rig.tell()
    assert rig.engine.state.latched
    assert "ORDER_CONFLICT" in rig.alerts()


@SIDES
def test_a_price_that_goes_back_to_our_advantage_is_believed_and_told(side):
    rig = Following(side)
    rig.answer(rig.move())
    rig.settle()
    assert rig.only.former == rig.old
    rig.entry.order = replace(rig.entry.order, px=rig.old.px)
    rig.entry.version += 1
    rig.tell()
    assert rig.only.terms == rig.old
    assert "TERMS_MOVED" in rig.alerts()
    assert not rig.engine.state.latched


@SIDES
def test_a_quantity_that_only_the_new_terms_have_shows_them_in_force_at_whatever_price(side):
    """The venue moved the new order to its band, beyond the old price."""
    rig = Following(side)
    command, qty = ask_for_twice_as_much(rig)
    rig.venue.amend(command)
    moved = rig.old.px - side.sign
    rig.entry.order = replace(rig.entry.order, px=moved)
    rig.tell()
    assert not rig.engine.state.latched
    assert rig.only.pending is None
    assert rig.only.terms == Terms(qty=qty, px=moved)


def reducing():
    rig = Rig()
    rig.venue.opening = {("BTCUSDT", 0): D(-2)}
    rig.open_market()
    rig.send(
        submitted(reduce_only=True, duration_s=600, params=StrategyParams(interval_s=60, passiveness=D(1)))
    )
    rig.tick(1)
    rig.settle()
    (entry,) = rig.venue.orders.values()
    return rig, entry


def test_terms_that_the_old_order_could_have_become_leave_the_new_ones_in_doubt():
    """Moved to the band, or the new one cut to the old quantity and moved: nothing says which."""
    rig, entry = reducing()
    child = rig.child(1)
    for _ in range(10):
        rig.tick(1)
        rig.settle()
    rig.mid += 1
    rig.tick(1)
    assert child.status is ChildStatus.PENDING_REPLACE
    child.pending = Terms(qty=child.order.qty * 2, px=child.pending.px)
    qty = child.pending.qty
    entry.order = replace(entry.order, px=entry.order.px - 1)
    entry.version += 1
    rig.send(rig.venue.update_of(entry))
    assert child.order.px == entry.order.px
    assert child.open_qty == qty
    assert not rig.engine.state.latched


def test_a_reduce_only_order_that_grows_halts():
    rig, entry = reducing()
    ours = rig.child(1).terms
    entry.order = replace(entry.order, qty=ours.qty * 2)
    entry.version += 1
    rig.send(rig.venue.update_of(entry))
    assert rig.engine.state.latched
    assert "ORDER_CONFLICT" in rig.alerts()
    assert rig.child(1).terms == ours


def test_a_cut_below_what_was_executed_is_nobodys_doing():
    rig, entry = reducing()
    ours = rig.child(1).terms
    half = ours.qty / 2
    rig.venue.fill(entry, half)
    rig.settle()
    entry.order = replace(entry.order, qty=half - D("0.001"))
    rig.send(rig.venue.update_of(entry))
    assert rig.engine.state.latched
    assert "ORDER_CONFLICT" in rig.alerts()


@pytest.mark.parametrize("within", [True, False])
def test_a_fill_beyond_the_old_quantity_shows_a_refused_amendment_in_force(within):
    """It is believed; where the parent has no room for it, everything stops."""
    rig = Following(order_qty=D("0.1"), duration_s=600 if within else 60)
    command, qty = ask_for_twice_as_much(rig, unanswered=False)
    rig.send(ReplaceRejected(at_ns=0, client_order_id=NAME, code=10006, text="too many", gone=False))
    assert rig.only.open_qty == rig.old.qty
    rig.venue.amend(command)
    rig.venue.fill(rig.entry, qty)
    rig.venue.mail = [event for event in rig.venue.mail if isinstance(event, OrderFilled)]
    (filled,) = rig.venue.mail
    rig.send(filled)
    assert rig.only.order.qty == rig.only.cum_qty == qty
    assert rig.parent().cum_qty == qty
    assert rig.engine.state.latched is not within
    assert "OVER_FILL" not in rig.alerts() if within else "OVER_FILL" in rig.alerts()
