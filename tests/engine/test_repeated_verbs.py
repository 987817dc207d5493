"""A pause of what is paused and a resume of what works are answered as done; limits are held up before the warm-up."""

from decimal import Decimal

import pytest

from executor.domain.commands import Outcome
from executor.domain.events import CancelRequested, InstrumentLoaded, PauseRequested, ResumeRequested
from executor.domain.parent_state import ParentStatus, Reason
from tests.builders import submitted
from tests.engine.rig import Rig


def pause(rig: Rig) -> Outcome:
    rig.send(PauseRequested(at_ns=0, request_id="r", parent_id="P1"))
    return rig.last_reply().outcome


def resume(rig: Rig) -> Outcome:
    rig.send(ResumeRequested(at_ns=0, request_id="r", parent_id="P1"))
    return rig.last_reply().outcome


def test_pause_and_resume_are_symmetric():
    rig = Rig()
    rig.open_market()
    rig.send(submitted())
    rig.settle()
    before = rig.parent().version
    assert resume(rig) is Outcome.REPEATED
    assert "was not paused" in rig.last_reply().text
    assert rig.parent().version == before
    assert (pause(rig), pause(rig)) == (Outcome.ACCEPTED, Outcome.REPEATED)
    assert rig.parent().version == before + 1
    rig.settle()
    assert (resume(rig), resume(rig)) == (Outcome.ACCEPTED, Outcome.REPEATED)
    assert rig.parent().version == before + 2


def test_neither_is_done_to_a_parent_that_is_ending():
    rig = Rig()
    rig.open_market()
    rig.send(submitted())
    rig.settle()
    rig.tick(1)
    assert rig.parent().live, "the cancel must wait for a child"
    rig.send(CancelRequested(at_ns=0, request_id="r", parent_id="P1"))
    assert (pause(rig), rig.last_reply().code) == (Outcome.STATE, "ENDING")
    assert (resume(rig), rig.last_reply().code) == (Outcome.STATE, "ENDING")


def test_a_pause_by_a_doubt_becomes_a_pause_by_the_person():
    rig = Rig()
    rig.open_market()
    rig.send(submitted())
    rig.settle()
    rig.opinion = False
    rig.fire_until(rig.now_ns + 20_000_000_000)
    rig.tick(20)
    assert rig.parent().status is ParentStatus.PAUSED
    assert pause(rig) is Outcome.ACCEPTED
    assert rig.parent().reason is Reason.OPERATOR


@pytest.mark.parametrize(("qty", "status"), [("1000", ParentStatus.FAILED), ("1", ParentStatus.INITIALIZED)])
def test_what_the_limits_never_allow_fails_before_the_warm_up(qty: str, status: ParentStatus):
    rig = Rig()
    rig.send(InstrumentLoaded(at_ns=0, instrument=rig.rules))
    rig.streams_live()
    rig.settle()
    rig.tick(1)
    rig.send(submitted(order_qty=Decimal(qty)))
    rig.settle()
    rig.tick(1)
    assert rig.parent().status is status
    if status is ParentStatus.FAILED:
        assert (rig.parent().reason, rig.parent().started_ns) == (Reason.BEYOND_LIMITS, 0)
    else:
        assert rig.parent().waiting == ("VOLATILITY_UNKNOWN",)
        assert rig.parent().leaves_qty == Decimal(1)
