"""Any order of acknowledgements, fills, cancels, rejects, losses, duplicates, restarts and operators' verbs.

A model venue holds the truth. After every step: nothing is over-committed, nothing is booked that did not
happen, every move is legal (an illegal one raises). After healing: every fill is booked, nothing unknown or
open is left, every parent has ended or says why not.
"""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from executor.domain.events import VenueStatus
from executor.domain.orders import ResidualRule, Side
from tests.engine.invariants import check_always, heal_and_check
from tests.engine.world import World

LOTS = st.integers(1, 400).map(lambda lots: lots * Decimal("0.001"))
PICK = st.integers(0, 1_000)
ORDERS = dict(
    qty=LOTS,
    duration_s=st.integers(5, 60),
    interval_s=st.integers(1, 20),
    passiveness=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]),
    residual=st.sampled_from(list(ResidualRule)),
    catch_up=st.booleans(),
    dust=st.sampled_from([Decimal(0), Decimal("0.0004")]),
    spread_pct=st.sampled_from([0, 30]),
)


class Histories(RuleBasedStateMachine):
    parents = Bundle("parents")

    def __init__(self):
        super().__init__()
        self.world = World()

    @initialize(
        target=parents,
        side=st.sampled_from(list(Side)),
        start=st.sampled_from(["at work", "at work", "at work", "open", "closed"]),
        kind=st.sampled_from(["one-way", "one-way", "hedge", "inverse"]),
        **ORDERS,
    )
    def begin(self, side, start, kind, **order):
        """Mostly from an open market with a parent whose first child is on its way: there the fills are."""
        self.world = World(kind)
        self.world.side = side
        if start == "closed":
            return multiple()
        self.world.rig.open_market()
        if start == "open":
            return multiple()
        parent_id = self.world.submit(**order)
        self.world.time_passes(1, 0)
        return parent_id

    @rule(target=parents, **ORDERS)
    def submit(self, **order):
        return self.world.submit(**order)

    @rule(parent_id=parents)
    def pause(self, parent_id):
        self.world.pause(parent_id)

    @rule(parent_id=parents)
    def resume(self, parent_id):
        self.world.resume(parent_id)

    @rule(parent_id=parents)
    def cancel(self, parent_id):
        self.world.cancel(parent_id)

    @rule(
        parent_id=parents,
        qty=st.none() | LOTS,
        more_s=st.none() | st.integers(-10, 60),
        limit=st.none() | st.sampled_from([Decimal(49990), Decimal(50010)]),
    )
    def amend(self, parent_id, qty, more_s, limit):
        self.world.amend(parent_id, qty, more_s, limit)

    @rule()
    def halt(self):
        self.world.halt()

    @rule()
    def rearm(self):
        self.world.rearm()

    @rule(seconds=st.sampled_from([0.2, 1, 3]), move=st.integers(-20, 20))
    def time_passes(self, seconds, move):
        self.world.time_passes(seconds, move)

    @rule()
    def lose_book(self):
        self.world.lose_book()

    @rule(live=st.booleans())
    def private_stream(self, live):
        self.world.private_stream(live)

    @precondition(lambda self: self.world.rig.pending)
    @rule(
        pick=PICK,
        fate=st.sampled_from(["answer", "answer", "answer", "ack lost", "lost", "late", "refused"]),
    )
    def carry_out(self, pick, fate):
        self.world.carry_out(pick, fate)

    @precondition(lambda self: self.world.late_creates)
    @rule()
    def late_create_arrives(self):
        self.world.late_create_arrives()

    @precondition(lambda self: self.world.late_amends)
    @rule()
    def late_amend_arrives(self):
        self.world.late_amend_arrives()

    @rule(live=st.booleans())
    def trade_stream(self, live):
        self.world.trade_stream(live)

    @rule(agrees=st.booleans())
    def opinion(self, agrees):
        if agrees:
            self.world.opinion_agrees()
        else:
            self.world.opinion_differs()

    @rule(seconds=st.integers(1, 5))
    def restricted(self, seconds):
        self.world.restricted(seconds)

    @precondition(lambda self: self.world.rig.venue.orders)
    @rule(pick=PICK, qty=LOTS, whole=st.booleans())
    def venue_fills(self, pick, qty, whole):
        self.world.venue_fills(pick, qty, whole)

    @precondition(lambda self: self.world.rig.venue.orders)
    @rule(pick=PICK, status=st.sampled_from([VenueStatus.CANCELED, VenueStatus.REJECTED]))
    def venue_ends(self, pick, status):
        self.world.venue_ends(pick, status)

    @precondition(lambda self: self.world.rig.venue.mail)
    @rule(pick=PICK, fate=st.sampled_from(["deliver", "deliver", "twice", "drop", "keep"]))
    def mail_arrives(self, pick, fate):
        self.world.mail_arrives(pick, fate)

    @rule()
    def all_honest(self):
        self.world.all_honest()

    @rule()
    def restart(self):
        self.world.restart()

    @invariant()
    def holds(self):
        check_always(self.world.rig)

    def teardown(self):
        self.world.late_creates.clear()
        self.world.late_amends.clear()
        heal_and_check(self.world.rig)


Histories.TestCase.settings = settings(stateful_step_count=40)
TestHistories = Histories.TestCase
