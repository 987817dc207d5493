"""Thousands of histories by a weighted random walk, from where it is interesting: an open market, parents at work.

Hypothesis finds the smallest history; this finds the deep ones. The same deeds, the same invariants after
every step, the same healing at the end; and it must really have seen what it claims to cover.
"""

import os
import sys
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal
from random import Random

import pytest

from executor.domain.events import OrderFilled, VenueStatus
from executor.domain.order_state import CHILD_FINAL, ChildStatus
from executor.domain.orders import ResidualRule, Side, Terms
from executor.domain.parent_state import ParentStatus, Reason
from executor.engine.engine import Engine
from executor.engine.state import live_children
from executor.runtime import record
from executor.runtime.audit import audit
from executor.runtime.journal import Journal, needs_commit
from tests.engine.invariants import check_always, heal_and_check
from tests.engine.world import World

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
HISTORIES = 20_000 if FULL else 80
CHUNK = 200
STEPS = 60
JOURNALED_EVERY = 25

SOMETIMES = {
    "booked fill",
    "partial fill",
    "child FILLED",
    "child CANCELED with a part",
    "child REJECTED",
    "UNKNOWN adopted",
    "absence proved",
    "late fill after a final status",
    "final but not released",
    "duplicate fill",
    "restart with a live child",
    "halt with a live child",
    "amendment applied",
    "parent EXPIRED",
    "parent COMPLETE",
    "dust left",
    "amend applied",
    "amend proved not applied",
    "amend ended by the order's end",
    "fill while terms are in doubt",
    "cancel while terms are in doubt",
    "restart while terms are in doubt",
    "paused by a second opinion",
    "one-way",
    "hedge",
    "inverse",
    "both sides",
    "two parents at work",
}


class Watcher:
    """Notes what a walk has seen, by comparing each look with the one before."""

    def __init__(self, world: World, seen: Counter) -> None:
        self.world = world
        self.found: set[str] = set()
        self.seen = seen
        self.children: dict[str, tuple[ChildStatus, Decimal]] = {}
        self.pending: dict[str, int] = {}
        self.asked: dict[str, Terms] = {}

    def note(self, what: str) -> None:
        if what not in self.found:
            self.found.add(what)
            self.seen[what] += 1

    def look(self) -> None:
        state = self.world.rig.engine.state
        for name, child in state.children.items():
            before, cum_qty = self.children.get(name, (ChildStatus.PENDING_NEW, Decimal(0)))
            self.children[name] = (child.status, child.cum_qty)
            self._look_at(child, before, cum_qty)
            self._look_at_terms(name, child, cum_qty)
        for name, parent in state.parents.items():
            version = self.pending.pop(name, None)
            if parent.pending is not None:
                self.pending[name] = parent.version
            elif version is not None and parent.version > version and not parent.is_final:
                self.note("amendment applied")
            if parent.status is ParentStatus.EXPIRED:
                self.note("parent EXPIRED")
            if parent.status is ParentStatus.COMPLETE:
                self.note("parent COMPLETE")
            if parent.reason is Reason.REFERENCE_DOUBT:
                self.note("paused by a second opinion")
            if parent.reason is Reason.DUST_LEFT:
                self.note("dust left")
        if sum(bool(state.parents[name].live) for name in state.open_parents) > 1:
            self.note("two parents at work")

    def _look_at_terms(self, name, child, cum_qty) -> None:
        asked = self.asked.pop(name, None)
        if asked is not None and child.terms == asked:
            self.note("amend applied")
        elif asked is not None and child.lapsed == asked:
            self.note("amend proved not applied")
        elif asked is not None and child.is_final:
            self.note("amend ended by the order's end")
        if child.pending is None or child.is_final:
            return
        self.asked[name] = child.pending
        if child.cum_qty > cum_qty:
            self.note("fill while terms are in doubt")
        if child.status is ChildStatus.PENDING_CANCEL:
            self.note("cancel while terms are in doubt")

    def _look_at(self, child, before, cum_qty) -> None:
        status = child.status
        if child.cum_qty > cum_qty:
            self.note("booked fill")
            if before in CHILD_FINAL:
                self.note("late fill after a final status")
        if status is ChildStatus.PARTIALLY_FILLED:
            self.note("partial fill")
        if status is ChildStatus.FILLED:
            self.note("child FILLED")
        if status is ChildStatus.CANCELED and Decimal(0) < child.cum_qty < child.order.qty:
            self.note("child CANCELED with a part")
        if status is ChildStatus.REJECTED:
            self.note("absence proved" if child.detail == "proved absent" else "child REJECTED")
        if before is ChildStatus.UNKNOWN and status not in {ChildStatus.UNKNOWN, ChildStatus.REJECTED}:
            self.note("UNKNOWN adopted")
        if child.is_final and not child.is_released:
            self.note("final but not released")


class Walk:
    """One history: a seed is all there is to it."""

    def __init__(self, seed: int, seen: Counter) -> None:
        self.chance = Random(seed)
        self.world = World(self.chance.choice(["one-way"] * 4 + ["hedge", "inverse"]))
        seen[self.world.kind] += 1
        self.watcher = Watcher(self.world, seen)
        self.parents: list[str] = []
        self.deeds = self._deeds()

    def go(self) -> None:
        world, chance = self.world, self.chance
        world.side = chance.choice(list(Side))
        self.watcher.seen[f"side {world.side.name}"] += 1
        if chance.random() < 0.95:
            world.rig.open_market()
            if chance.random() < 0.3:
                self.follow()
        for _ in range(chance.choice([1, 1, 2, 3])):
            self.submit()
        weights = [weight for weight, _ in self.deeds]
        for _ in range(STEPS):
            chance.choices(self.deeds, weights)[0][1]()
            check_always(world.rig)
            self.watcher.look()
        world.late_creates.clear()
        world.late_amends.clear()
        heal_and_check(world.rig, self.watcher.look)

    def _deeds(self):
        chance, world = self.chance, self.world
        return [
            (10, lambda: world.time_passes(chance.choice([0.2, 1, 1, 3]), chance.randint(-20, 20))),
            (18, self.carry_out),
            (16, self.mail),
            (12, self.fill),
            (2, self.venue_ends),
            (1, self.submit),
            (0.7, lambda: world.pause(self.parent())),
            (2, lambda: world.resume(self.parent())),
            (0.5, lambda: world.cancel(self.parent())),
            (1.5, self.amend),
            (0.4, self.halt),
            (0.8, world.rearm),
            (0.4, world.lose_book),
            (0.3, lambda: world.private_stream(live=False)),
            (0.8, lambda: world.private_stream(live=True)),
            (1.5, world.late_create_arrives),
            (1.5, world.late_amend_arrives),
            (0.3, lambda: world.trade_stream(live=False)),
            (0.8, lambda: world.trade_stream(live=True)),
            (0.2, lambda: world.restricted(chance.randint(1, 5))),
            (0.3, world.opinion_differs),
            (0.8, world.opinion_agrees),
            (1, world.all_honest),
            (0.8, self.restart),
        ]

    def pick(self) -> int:
        return self.chance.randint(0, 1_000)

    def lots(self) -> Decimal:
        return self.chance.randint(1, 400) * Decimal("0.001")

    def parent(self) -> str:
        return self.chance.choice(self.parents)

    def fill(self) -> None:
        """Mostly a part of one of our slices; else all of it."""
        whole = self.chance.random() < 0.45
        self.world.venue_fills(self.pick(), self.chance.randint(1, 12) * Decimal("0.001"), whole)

    def submit(self) -> None:
        chance = self.chance
        name = self.world.submit(
            qty=chance.choice([self.lots(), chance.randint(1, 25) * Decimal("0.001")]),
            duration_s=chance.randint(10, 90),
            interval_s=chance.randint(1, 20),
            passiveness=chance.choice([Decimal(0), Decimal("0.5"), Decimal(1)]),
            residual=chance.choice(list(ResidualRule)),
            catch_up=chance.random() < 0.5,
            dust=chance.choice([Decimal(0), Decimal("0.0004")]),
            spread_pct=chance.choice([0, 30]),
        )
        self.parents.append(name)

    def follow(self) -> None:
        """An order rests, the touch has moved away from it, and what became of its amendment is open."""
        world, chance = self.world, self.chance
        rest = dict(duration_s=90, interval_s=30, passiveness=Decimal(1), residual=ResidualRule.LEAVE)
        self.parents.append(
            world.submit(qty=Decimal("0.3"), **rest, catch_up=True, dust=Decimal(0), spread_pct=0)
        )
        for _ in range(5):
            world.time_passes(1, 0)
            world.all_honest()
        world.time_passes(1, 5 * world.side.sign)
        self.watcher.look()
        world.carry_out(0, chance.choice(["answer", "ack lost", "lost", "lost", "late"]))
        self.watcher.look()
        if chance.random() < 0.15:
            self.restart()
        for _ in range(chance.choice([0, 9])):  # nine seconds are enough to prove it
            world.time_passes(1, 0)
            world.all_honest()
            check_always(world.rig)
            self.watcher.look()

    def amend(self) -> None:
        chance = self.chance
        self.world.amend(
            self.parent(),
            chance.choice([None, self.lots()]),
            chance.choice([None, chance.randint(-10, 60)]),
            chance.choice([None, Decimal(49990), Decimal(50010)]),
        )

    def carry_out(self) -> None:
        fate = self.chance.choice(["answer"] * 6 + ["ack lost", "lost", "late", "refused"])
        self.world.carry_out(self.pick(), fate)

    def mail(self) -> None:
        mail = self.world.rig.venue.mail
        if not mail:
            return
        pick = self.pick()
        fate = self.chance.choice(["deliver"] * 4 + ["twice", "drop", "keep"])
        event = mail[pick % len(mail)]
        known = isinstance(event, OrderFilled) and (
            fate == "twice" or event.fill.key in self.world.rig.engine.state.executions
        )
        self.world.mail_arrives(pick, fate)
        if known and fate != "drop":
            self.watcher.note("duplicate fill")

    def venue_ends(self) -> None:
        self.world.venue_ends(self.pick(), self.chance.choice([VenueStatus.CANCELED, VenueStatus.REJECTED]))

    def halt(self) -> None:
        if live_children(self.world.rig.engine.state):
            self.watcher.note("halt with a live child")
        self.world.halt()

    def restart(self) -> None:
        if live_children(self.world.rig.engine.state):
            self.watcher.note("restart with a live child")
        if self.watcher.asked:
            self.watcher.note("restart while terms are in doubt")
        self.world.restart()


def write_down(walk: Walk, path) -> None:
    """The history through a real journal: the same commands again, the same state back, an audit that agrees."""
    engine = Engine()
    with Journal.open(path, create=True, instance="x") as journal:
        journal.recover()
        for kind, (body, commands) in zip(walk.world.rig.kinds, walk.world.rig.journal, strict=True):
            event = record.decode_event(kind, body)
            again = engine.on_event(event)
            assert record.encode_commands(again) == commands, event
            journal.append(event, again, engine.touched, engine.state)
            if needs_commit(event, again):
                journal.commit()
        journal.commit()
    written = record.encode_state(walk.world.rig.engine.state)
    assert record.encode_state(engine.state) == written
    with Journal.open(path, create=False) as journal:
        assert record.encode_state(journal.recover()) == written
    result = audit(path)
    assert result.identical, result.first_difference
    assert result.events == len(walk.world.rig.journal)


@contextmanager
def told_when_it_fails(seed: int, walk: Walk):
    """Say which history broke, and how it ended."""
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            rig = walk.world.rig
            told = [
                f"{kind} {body.decode()}"
                for kind, (body, _) in zip(rig.kinds, rig.journal, strict=True)
                if kind != "BookUpdated"
            ]
            sys.stderr.write("\n".join([f"seed {seed}; its last events:", *told[-15:], ""]))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_no_history_breaks_an_invariant_and_the_walk_goes_everywhere(first, tmp_path):
    seen: Counter = Counter()
    for seed in range(first, min(first + CHUNK, HISTORIES)):
        walk = Walk(seed, seen)
        with told_when_it_fails(seed, walk):
            walk.go()
            if seed % JOURNALED_EVERY == 0:
                write_down(walk, tmp_path / f"{seed}.db")
    seen["both sides"] = min(seen["side BUY"], seen["side SELL"])
    assert not [what for what in sorted(SOMETIMES) if not seen[what]], seen
