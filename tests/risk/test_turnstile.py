from hypothesis import given
from hypothesis import strategies as st

from executor.domain.approval import Approved
from risk.turnstile import Turnstile


def ticket(number, epoch=0):
    return Approved(order="an order", ticket=number, halt_epoch=epoch)


def test_each_ticket_passes_once_and_in_order():
    turnstile = Turnstile()
    assert turnstile.why_closed(ticket(1)) == ""
    assert "ticket 1 was used" in turnstile.why_closed(ticket(1))
    assert turnstile.why_closed(ticket(5)) == ""
    assert "overtaken by 5" in turnstile.why_closed(ticket(3))


def test_ticket_zero_never_passes():
    assert Turnstile().why_closed(ticket(0))


def test_halt_voids_what_was_approved_before_and_a_closed_turnstile_lets_nothing_through():
    turnstile = Turnstile()
    turnstile.follow(1, closed=True)
    assert turnstile.why_closed(ticket(1, epoch=1)) == "opening is closed"
    turnstile.follow(1, closed=False)
    assert turnstile.why_closed(ticket(1, epoch=0)) == "a halt came after the approval"
    assert turnstile.why_closed(ticket(1, epoch=1)) == ""


def test_refused_ticket_is_not_used_up():
    turnstile = Turnstile()
    turnstile.follow(0, closed=True)
    assert turnstile.why_closed(ticket(1))
    turnstile.follow(0, closed=False)
    assert turnstile.why_closed(ticket(1)) == ""


STEPS = st.lists(
    st.tuples(st.just("pass"), st.integers(0, 6), st.integers(0, 2))
    | st.tuples(st.just("follow"), st.integers(0, 2), st.booleans()),
    max_size=40,
)


@given(STEPS)
def test_no_ticket_passes_twice_backwards_closed_or_across_a_halt(steps):
    turnstile = Turnstile()
    epoch, closed, passed = 0, False, []
    for kind, first, second in steps:
        if kind == "follow":
            epoch, closed = first, second
            turnstile.follow(epoch, closed=closed)
        elif not turnstile.why_closed(ticket(first, second)):
            assert not closed
            assert second == epoch
            passed.append(first)
        else:
            assert closed or second != epoch or first <= max(passed, default=0)
    assert passed == sorted(set(passed))


def test_asking_whether_an_approval_is_void_uses_no_ticket():
    turnstile = Turnstile()
    assert turnstile.why_void(ticket(1)) == ""
    assert turnstile.why_closed(ticket(1)) == ""
    assert turnstile.why_void(ticket(1)) == "", "the last look comes after the ticket was used"
    turnstile.follow(1, closed=False)
    assert turnstile.why_void(ticket(1)) == "a halt came after the approval"


def test_what_somebody_outside_forbids_is_asked_at_every_look():
    reasons = ["", "halt.json is there", ""]
    turnstile = Turnstile(lambda: reasons.pop(0))
    first, second = ticket(1), ticket(2)
    assert turnstile.why_closed(first) == ""
    assert turnstile.why_closed(second) == "halt.json is there"
    assert turnstile.why_closed(second) == ""
