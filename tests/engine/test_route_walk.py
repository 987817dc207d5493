"""Routed orders by a weighted random walk: late fills, lost answers, restarts, legs that die, prices that cross.

The deeds and invariants are those of single parents; on top of them no routed order is ever granted or filled beyond
its quantity, every one of them ends, and what it filled is what its legs did.
"""

import os
from collections import Counter
from decimal import Decimal
from random import Random

import pytest

from executor.domain.events import (
    BasketVerb,
    InstrumentLoaded,
    InstrumentMissing,
    RouteAmended,
    RouteSteered,
    Stream,
    StreamChanged,
)
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams
from executor.domain.parent_state import Reason
from executor.engine.route_legs import open_parent, route_cum_qty
from tests.builders import instrument
from tests.engine.invariants import check_always, heal_and_check
from tests.engine.test_walk import Walk, told_when_it_fails, write_down
from tests.engine.two_markets import TwoMarkets, leg, no_route_is_over_granted, routed
from tests.engine.world import LIMITS, TIMINGS, World

HISTORIES = 4_000 if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else 14
CHUNK = 200
STEPS = 60
JOURNALED_EVERY = 20
SOMETIMES = {
    "COMPLETE",
    "EXPIRED",
    "CANCELED",
    "both legs filled",
    "taken back from a leg",
    "a second parent of a leg",
    "amended",
    "a leg died",
    "paused",
    "restart while a leg works",
}


class RouteWorld(World):
    """One perpetual and spot of the same coin."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = TwoMarkets(limits=LIMITS, timings=TIMINGS)


class RouteWalk(Walk):
    """One history of routed orders: a seed is all there is to it."""

    def __init__(self, seed: int, seen: Counter) -> None:
        super().__init__(seed, Counter())
        self.chance = Random(seed)
        self.world = RouteWorld()
        self.met = seen
        self.watcher.world = self.world
        self.deeds = [*self._deeds(), *self._route_deeds()]

    def go(self) -> None:
        world, chance = self.world, self.chance
        world.side = chance.choice(list(Side))
        world.rig.open_market()
        for _ in range(chance.choice([1, 1, 2])):
            self.submit()
        weights = [weight for weight, _ in self.deeds]
        for _ in range(STEPS):
            chance.choices(self.deeds, weights)[0][1]()
            self.check()
        world.late_creates.clear()
        world.late_amends.clear()
        world.rig.basis = Decimal(0)
        world.rig.spot_lives = True
        fills = chance.random() < 0.5
        heal_and_check(world.rig, self.fill_and_check if fills else self.check)
        for route in world.rig.engine.state.routes.values():
            assert route.is_final, (route.status, route.reason, route.goal)
            self.met[route.status.value] += 1

    def submit(self) -> None:
        """A routed order; on the other side of one that is open it is refused."""
        chance = self.chance
        self.world.keys += 1
        self.world.rig.send(
            routed(
                idempotency_key=f"k{self.world.keys}",
                side=self.world.side,
                order_qty=chance.choice([self.lots(), Decimal("0.0123456")]),
                duration_s=chance.randint(10, 90),
                residual=chance.choice(list(ResidualRule)),
                extend_s=20,
                legs=(leg(Category.LINEAR, fee="2"), leg(Category.SPOT, fee=chance.choice(["1", "4"]))),
                params=StrategyParams(
                    interval_s=chance.randint(2, 20),
                    passiveness=chance.choice([Decimal(0), Decimal("0.5"), Decimal(1)]),
                    catch_up=chance.random() < 0.5,
                ),
                hysteresis_bps=chance.choice([Decimal(0), Decimal(2)]),
            )
        )
        self.parents.append("P1")

    def check(self) -> None:
        rig = self.world.rig
        check_always(rig)
        no_route_is_over_granted(rig.engine.state, rig.venue)
        state = rig.engine.state
        for route in state.routes.values():
            filled = [sum(state.parents[name].cum_qty for name in each.parents) for each in route.legs]
            assert sum(filled) == route_cum_qty(state, route)
            self.note("both legs filled", all(filled))
            self.note("a second parent of a leg", any(len(each.parents) > 1 for each in route.legs))
            reasons = {state.parents[name].reason for each in route.legs for name in each.parents}
            self.note("taken back from a leg", Reason.REROUTED in reasons)
            self.note("a leg died", any("ENDED_" in each.why_nothing for each in route.legs))
            self.note("paused", route.status.value == "PAUSED")

    def fill_and_check(self) -> None:
        self.world.rig.fills()
        self.check()

    def note(self, what: str, so: object = True) -> None:
        self.met[what] += bool(so)

    def _route_deeds(self):
        chance, rig = self.chance, self.world.rig
        return [
            (4, self.prices_cross),
            (0.4, lambda: self.steer(BasketVerb.PAUSE)),
            (1.5, lambda: self.steer(BasketVerb.RESUME)),
            (0.3, lambda: self.steer(BasketVerb.CANCEL)),
            (1.5, self.amend_route),
            (0.3, self.leg_dies),
            (0.4, lambda: self.spot_stream(live=False)),
            (1.5, lambda: self.spot_stream(live=True)),
            (0.5, lambda: setattr(rig, "spot_lives", chance.random() < 0.7)),
        ]

    def name(self) -> str:
        return self.chance.choice(["R1", "R1", "R2"])

    def prices_cross(self) -> None:
        self.world.rig.basis = Decimal(self.chance.randint(-40, 40))

    def steer(self, verb: BasketVerb) -> None:
        self.world.rig.send(RouteSteered(at_ns=0, request_id="s", route_id=self.name(), verb=verb))

    def amend_route(self) -> None:
        chance, rig = self.chance, self.world.rig
        more_s = chance.choice([None, None, 30])
        rig.send(
            RouteAmended(
                at_ns=0,
                request_id="a",
                route_id=self.name(),
                order_qty=chance.choice([None, self.lots()]),
                limit_px=chance.choice([None, None, Decimal(49_990), Decimal(50_010)]),
                deadline_ns=None if more_s is None else rig.now_ns + more_s * 1_000_000_000,
            )
        )
        self.note("amended", rig.last_reply().code == "AMENDED")

    def leg_dies(self) -> None:
        """The venue stops trading a symbol, or a person ends what one leg does."""
        rig, chance = self.world.rig, self.chance
        if chance.random() < 0.5:
            rig.send(InstrumentMissing(at_ns=0, category=Category.SPOT, symbol="BTCUSDT", detail="gone"))
            return
        for route in rig.engine.state.routes.values():
            parents = [open_parent(rig.engine.state, each) for each in route.legs]
            mine = [parent.order.parent_id for parent in parents if parent is not None]
            if mine:
                self.world.cancel(chance.choice(mine))

    def spot_stream(self, *, live: bool) -> None:
        self.world.rig.send(
            StreamChanged(at_ns=0, stream=Stream.PUBLIC, category=Category.SPOT, live=live, detail="")
        )

    def restart(self) -> None:
        works = any(parent.live for parent in self.world.rig.engine.state.parents.values())
        self.note("restart while a leg works", works)
        self.world.restart()
        self.world.rig.streams_live()
        rules = instrument(
            category=Category.SPOT, qty_step=Decimal("0.000001"), min_order_qty=Decimal("0.000001")
        )
        self.world.rig.send(InstrumentLoaded(at_ns=0, instrument=rules))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_no_history_fills_a_routed_order_beyond_its_quantity_and_each_one_ends(first, tmp_path):
    seen: Counter = Counter()
    for seed in range(first, min(first + CHUNK, HISTORIES)):
        walk = RouteWalk(seed, seen)
        with told_when_it_fails(seed, walk):
            walk.go()
            if seed % JOURNALED_EVERY == 0:
                write_down(walk, tmp_path / f"{seed}.db")
    assert not [what for what in sorted(SOMETIMES) if not seen[what]], seen
