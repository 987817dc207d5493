"""Every row of the two state tables is walked by a story, and no story walks what is not in them.

The stories below drive the engine through the rig. A spy notes the moves the engine makes; it changes none.
"""

import pytest

import executor.engine.desk as desk_module
from executor.domain.commands import CancelOrder, PlaceOrder, ReplaceOrder
from executor.domain.events import (
    AmendRequested,
    CancelFoundNothing,
    CancelRequested,
    InstrumentLoaded,
    InstrumentMissing,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderRejected,
    PauseRequested,
    ResumeRequested,
    VenueStatus,
)
from executor.domain.order_state import CHILD_MOVES, ChildStatus
from executor.domain.orders import Category, ResidualRule, StrategyParams
from executor.domain.parent_state import PARENT_MOVES, ParentStatus
from tests.builders import D, fill, instrument, submitted
from tests.engine.rig import Rig

C, P = ChildStatus, ParentStatus


class Story(Rig):
    """A rig with one parent and the few verbs the stories need."""

    def __init__(self, *, ready=True, **over):
        super().__init__()
        if ready:
            self.open_market()
        self.send(submitted(**over))

    def sent(self, *, settle=False):
        """Let the first child leave; returns what the venue would hold of it."""
        self.tick(1)
        place = next(command for command in self.pending if isinstance(command, PlaceOrder))
        self.pending.remove(place)
        entry = self.venue.create(place, now_ns=self.now_ns)
        if settle:
            self.settle()
        else:
            self.venue.mail.clear()
        return entry

    def unknown(self):
        entry = self.sent()
        self.send(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail="timeout"))
        self.pending.clear()
        return entry

    def tell(self, entry):
        """Deliver only the latest status of an order."""
        self.venue.mail.clear()
        self.send(self.venue.update_of(entry))

    def partly(self, qty="0.01", exec_id="e1"):
        """Deliver an execution alone, without any status."""
        self.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-1-1", last_qty=D(qty), exec_id=exec_id)))

    def pause(self):
        self.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))

    def resume(self):
        self.send(ResumeRequested(at_ns=0, request_id="p", parent_id="P1"))

    def cancel(self):
        self.send(CancelRequested(at_ns=0, request_id="p", parent_id="P1"))

    def delist(self):
        self.send(InstrumentMissing(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="gone"))

    def amend(self, **over):
        usual = dict(
            order_qty=None, limit_px=None, deadline_ns=None, urgency=None, strategy=None, params=None
        )
        changed = {**usual, **over}
        self.send(
            AmendRequested(
                at_ns=0,
                request_id="a",
                parent_id="P1",
                clear_limit_px=False,
                expected_version=None,
                **changed,
            )
        )

    def run(self, seconds):
        for _ in range(seconds):
            self.tick(1)
            self.settle()


ONE_SLICE = dict(duration_s=60, params=StrategyParams(interval_s=60))


def seen_late_by_every_status():
    """The first that is heard of an order is a fill, its end, or a refusal."""
    Story().sent(settle=True)
    story = Story()
    story.sent()
    story.partly()
    story = Story()
    entry = story.sent()
    story.partly(str(entry.order.qty))
    story = Story()
    entry = story.sent()
    story.venue.end(entry)
    story.tell(entry)
    story = Story()
    story.sent()
    story.send(OrderRejected(at_ns=0, client_order_id="x-1-1", code=1, text="no", fatal=False))


def shown_and_then_anything():
    for status in (VenueStatus.CANCELED, VenueStatus.REJECTED):
        story = Story()
        story.venue.end(story.sent(settle=True), status)
        story.settle()
    story = Story()
    story.partly(str(story.sent(settle=True).order.qty))
    story = Story()
    story.sent(settle=True)
    story.pause()


def filled_in_part_and_then_anything():
    for fate in ("filled", "ended", "cancelled"):
        story = Story()
        entry = story.sent(settle=True)
        story.venue.fill(entry, D("0.01"))
        story.settle()
        if fate == "filled":
            story.venue.fill(entry, entry.order.qty)
        elif fate == "ended":
            story.venue.end(entry)
        else:
            story.pause()
        story.settle()


def cancel_under_way():
    story = Story()
    entry = story.sent(settle=True)
    story.pause()
    story.venue.fill(entry, entry.order.qty)
    story.settle()
    story = Story()
    story.sent()
    story.pause()
    story.send(OrderRejected(at_ns=0, client_order_id="x-1-1", code=1, text="no", fatal=False))
    story = Story()
    story.sent()
    story.pause()
    story.send(CancelFoundNothing(at_ns=0, client_order_id="x-1-1", asked_ns=story.now_ns))


def unknown_ends_by_proof():
    story = Story()
    story.tell(story.unknown())
    story = Story()
    story.unknown()
    story.partly()
    story = Story()
    story.partly(str(story.unknown().order.qty))
    story = Story()
    entry = story.unknown()
    story.venue.end(entry)
    story.tell(entry)
    story = Story()
    story.unknown()
    story.send(OrderRejected(at_ns=0, client_order_id="x-1-1", code=1, text="no", fatal=False))


def unknown_order_is_found_while_its_parent_wants_it_gone():
    story = Story()
    entry = story.unknown()
    story.pause()
    assert [command for command in story.pending if isinstance(command, CancelOrder)]
    story.tell(entry)
    assert story.child(1).status is C.PENDING_CANCEL


def replacing():
    """A child that rests and of which other terms are asked for."""
    story = Story(duration_s=600, params=StrategyParams(interval_s=60, passiveness=D(1)))
    entry = story.sent(settle=True)
    story.run(10)
    story.mid += 1
    story.tick(1)
    assert story.child(1).status is C.PENDING_REPLACE
    (command,) = [each for each in story.pending if isinstance(each, ReplaceOrder)]
    story.pending.remove(command)
    return story, entry, command


def other_terms_asked_for():
    story, entry, command = replacing()
    story.answer(command)
    story.settle()
    assert story.child(1).status is C.NEW
    story.venue.fill(entry, D("0.01"))
    story.settle()
    story.run(10)
    story.mid += 1
    story.tick(1)
    assert story.child(1).status is C.PENDING_REPLACE
    story.run(1)
    assert story.child(1).status is C.PARTIALLY_FILLED
    for status in (VenueStatus.CANCELED, VenueStatus.REJECTED):
        story, entry, _ = replacing()
        story.venue.end(entry, status)
        story.tell(entry)
    story, entry, _ = replacing()
    story.partly(str(entry.order.qty))
    story, _, _ = replacing()
    story.pause()


def late_fill_of_a_cancelled_order():
    story = Story()
    entry = story.sent(settle=True)
    story.venue.end(entry)
    story.settle()
    assert story.parent().status is P.ACTIVE
    story.partly(str(entry.order.qty))
    assert story.child(1).status is C.FILLED


def before_the_start():
    Story(ready=False).cancel()
    story = Story(ready=False)
    story.pause()
    story.resume()
    story = Story(ready=False, duration_s=5)
    story.fire_until(story.now_ns + 40_000_000_000)
    assert story.parent().status is P.EXPIRED
    story = Story(ready=False)
    story.open_market()
    story = Story(ready=False)
    story.delist()
    assert story.parent().status is P.FAILED
    story = Story(ready=False)
    story.open_market(warmup_s=1)
    story.send(InstrumentLoaded(at_ns=0, instrument=instrument(trading=False)))
    assert story.parent().status is P.FAILED


def idle(**over):
    """A parent that is ACTIVE: its first child was ended by the venue, the gap is not over."""
    story = Story(**over)
    entry = story.sent(settle=True)
    story.venue.fill(entry, D("0.01"))
    story.venue.end(entry)
    story.settle()
    assert story.parent().status is P.ACTIVE
    return story


def between_two_children():
    story = idle()
    story.pause()
    story.resume()
    idle().cancel()
    story = idle()
    story.amend(order_qty=D("0.01"))
    assert story.parent().status is P.COMPLETE
    story = idle(residual=ResidualRule.LEAVE, duration_s=5)
    story.run(5)
    assert story.parent().status is P.EXPIRED
    idle().delist()


def a_child_at_work():
    for verb in (Story.pause, Story.cancel, Story.delist):
        story = Story()
        story.sent(settle=True)
        verb(story)
        story.settle()
    story = Story(**ONE_SLICE)
    entry = story.sent(settle=True)
    story.venue.fill(entry, entry.order.qty)
    story.settle()
    assert story.parent().status is P.COMPLETE


def adjusting(**over):
    story = Story(**{**ONE_SLICE, **over})
    entry = story.sent(settle=True)
    story.amend(limit_px=D(49_000))
    assert story.parent().status is P.ADJUSTING
    return story, entry


def while_the_old_child_is_being_cancelled():
    story, _ = adjusting()
    story.settle()
    story, _ = adjusting()
    story.pause()
    story, entry = adjusting()
    story.venue.fill(entry, entry.order.qty)
    story.settle()
    assert story.parent().status is P.COMPLETE
    for verb in (Story.cancel, Story.delist):
        story, _ = adjusting()
        verb(story)
        story.settle()
        assert story.parent().is_final
    story, _ = adjusting(residual=ResidualRule.LEAVE, duration_s=3)
    for _ in range(4):
        story.tick(1)
    story.settle()
    assert story.parent().status is P.EXPIRED


def during_a_pause():
    for end in ("filled", "cancelled", "expired", "delisted"):
        story = Story(**{**ONE_SLICE, "residual": ResidualRule.LEAVE})
        entry = story.sent(settle=True)
        story.pause()
        if end == "filled":
            story.venue.fill(entry, entry.order.qty)
        story.settle()
        if end == "cancelled":
            story.cancel()
        elif end == "expired":
            story.run(70)
        elif end == "delisted":
            story.delist()
        assert story.parent().is_final


STORIES = [
    seen_late_by_every_status,
    shown_and_then_anything,
    filled_in_part_and_then_anything,
    cancel_under_way,
    unknown_ends_by_proof,
    unknown_order_is_found_while_its_parent_wants_it_gone,
    other_terms_asked_for,
    late_fill_of_a_cancelled_order,
    before_the_start,
    between_two_children,
    a_child_at_work,
    while_the_old_child_is_being_cancelled,
    during_a_pause,
]


@pytest.fixture
def walked(monkeypatch):
    rows = set()
    for name in ("check_child_move", "check_parent_move"):
        check = getattr(desk_module, name)

        def note(source, target, check=check):
            check(source, target)
            rows.add((source, target))

        monkeypatch.setattr(desk_module, name, note)
    return rows


def test_every_row_is_walked_or_explained(walked):
    for story in STORIES:
        story()
    table = {
        (source, target)
        for moves in (CHILD_MOVES, PARENT_MOVES)
        for source, row in moves.items()
        for target in row
    }
    assert table == walked
