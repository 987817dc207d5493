"""Histories in which the journal is put back to an earlier moment while the venue goes on from where it was.

What was sent since is forgotten: orders and amendments, filled, ended or still open, parents and legs of routed orders.
Still nothing of what is remembered is ever committed beyond its quantity, nothing stays open that nobody watches, and a
person who re-arms and resumes brings every order to its end. The venue refuses an id that it had before.
"""

import os
from collections import Counter
from decimal import Decimal

import pytest

from executor.domain.events import BasketVerb, OrderOutcomeUnknown, RouteSteered
from executor.domain.orders import Side
from executor.domain.parent_state import Reason
from executor.engine.engine import Engine
from executor.runtime import record
from tests.engine.model_venue import ModelVenue
from tests.engine.test_route_walk import RouteWalk
from tests.engine.test_walk import Walk, told_when_it_fails

TIMES = 50 if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else 1
FIRST = 100
STEPS = 80
ROUNDS = 60
SOMETIMES = {
    "journal put back",
    "an open order forgotten",
    "a fill forgotten",
    "an id used before",
    "a parent ended for it",
}


class UsedBefore(Exception):  # noqa: N818 - reads as what happened
    """The venue has an order under that id."""


class LongMemory(ModelVenue):
    """Refuses an id that it has had before, and notes of which order each one was."""

    def __init__(self):
        super().__init__()
        self.whose = {}

    def create(self, command, *, now_ns):
        order = command.approved.order
        if order.client_order_id in self.orders:
            raise UsedBefore
        self.whose[order.client_order_id] = self.engine_side(order.parent_id)
        return super().create(command, now_ns=now_ns)


class Restored:
    """What is added to a walk, of single parents or of routed orders."""

    def begin(self):
        rig = self.world.rig
        self.kept, self.kept_children, self.most = None, 0, {}
        rig.venue = LongMemory()
        rig.venue.engine_side = self.owner
        self.deeds += [(8, self.keep), (3, self.put_back), (1, self.world.rearm)]
        answer, create, late = rig.answer, self.world._create, self.world.late_create_arrives

        def refused(command, work):
            try:
                work()
            except UsedBefore:
                self.tell("an id used before")
                name = command.approved.order.client_order_id
                rig.send(OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail="110072"))

        rig.answer = lambda command: refused(command, lambda: answer(command))
        self.world._create = lambda command, fate: refused(command, lambda: create(command, fate))
        ours = [deed for deed in self.deeds if deed[1] != late]
        self.deeds = [*ours, (1.5, self.late_create_arrives)]

    def tell(self, what):
        self.met[what] += 1

    def owner(self, parent_id):
        """The routed order of a parent, or itself; with its beginning, since a number can be given twice."""
        parent = self.world.rig.engine.state.parents[parent_id]
        return parent.route_id or (parent_id, parent.created_ns)

    def late_create_arrives(self):
        try:
            self.world.late_create_arrives()
        except UsedBefore:
            self.tell("an id used before")

    def keep(self):
        state = self.world.rig.engine.state
        if self.kept is None and state.open_parents:
            self.kept, self.kept_children = record.encode_state(state), len(state.children)

    def put_back(self):
        rig = self.world.rig
        if self.kept is None or len(rig.engine.state.children) <= self.kept_children:
            return
        rig.engine = Engine(record.decode_state(self.kept))
        self.kept = None
        rig.pending.clear()
        rig.venue.mail.clear()
        self.world.late_creates.clear()
        self.world.late_amends.clear()
        for seen in (self.watcher.children, self.watcher.pending, self.watcher.asked):
            seen.clear()
        unknown = [entry for name, entry in rig.venue.orders.items() if name not in rig.engine.state.children]
        self.tell("journal put back")
        self.met["an open order forgotten"] += any(entry.is_open for entry in unknown)
        self.met["a fill forgotten"] += any(entry.executed for entry in unknown)
        rig.start()
        rig.streams_live()
        rig.settle()

    def look(self):
        """All that the venue ever took for an order, forgotten or not, is within the most that it was allowed."""
        rig = self.world.rig
        state = rig.engine.state
        committed = Counter()
        for name, entry in rig.venue.orders.items():
            committed[rig.venue.whose[name]] += entry.committed
        for owner, qty in committed.items():
            if isinstance(owner, str):
                order = state.routes[owner].order if owner in state.routes else None
            else:
                parent = state.parents.get(owner[0])
                order = parent.order if parent is not None and parent.created_ns == owner[1] else None
            if order is not None:
                most = self.most[owner] = max(self.most.get(owner, Decimal(0)), order.order_qty)
                assert qty <= most, (owner, qty, most)

    def go(self):
        world, chance, rig = self.world, self.chance, self.world.rig
        self.begin()
        world.side = chance.choice(list(Side))
        rig.open_market()
        for _ in range(chance.choice([1, 2])):
            self.submit()
        weights = [weight for weight, _ in self.deeds]
        for _ in range(STEPS):
            chance.choices(self.deeds, weights)[0][1]()
            self.look()
        world.late_creates.clear()
        world.late_amends.clear()
        rig.basis, rig.spot_lives = Decimal(0), True
        rig.say("elsewhere", None)
        rig.streams_live()
        rig.open_market(warmup_s=1)
        for number in range(ROUNDS):
            self.honest(number)
        state = rig.engine.state
        assert not [name for name, entry in rig.venue.orders.items() if entry.is_open]
        assert not [(name, state.parents[name].reason) for name in state.open_parents]
        assert not state.open_routes
        reasons = [one.reason for one in (*state.parents.values(), *state.routes.values())]
        self.met["a parent ended for it"] += Reason.LOST_FILL in reasons

    def honest(self, number):
        """Three seconds in which everything is answered; a person re-arms and resumes what waits for it."""
        world, rig = self.world, self.world.rig
        rig.settle()
        self.look()
        if number % 5 == 0:
            world.rearm()
            for name in list(rig.engine.state.open_parents):
                world.resume(name)
            for name in list(rig.engine.state.open_routes):
                verb = BasketVerb.RESUME
                rig.send(RouteSteered(at_ns=0, request_id="s", route_id=name, verb=verb))
        if number % 3 == 0:
            for entry in list(rig.venue.orders.values()):
                rig.venue.fill(entry, entry.order.qty)
            rig.settle()
            self.look()
        rig.tick(3, volume="50")
        self.look()


class RestoredParents(Restored, Walk):
    def __init__(self, seed, met):
        super().__init__(seed, Counter())
        self.met = met


class RestoredRoutes(Restored, RouteWalk):
    pass


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "histories"), [(RestoredParents, 40), (RestoredRoutes, 22)])
def test_a_journal_from_before_lets_nothing_be_filled_twice_and_nothing_be_left_open(kind, histories):
    met: Counter = Counter()
    for seed in range(FIRST, FIRST + histories * TIMES):
        walk = kind(seed, met)
        with told_when_it_fails(seed, walk):
            walk.go()
    if kind is RestoredParents:
        assert not [what for what in sorted(SOMETIMES) if not met[what]], met
    assert met["journal put back"]
