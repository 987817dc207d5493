"""Stories for journals: an engine driven by hand or by chance, every event written down as it happens."""

import hashlib
import random
from dataclasses import replace
from pathlib import Path

from executor.domain.events import (
    BookLost,
    CancelRequested,
    HaltRequested,
    OrderOutcomeUnknown,
    PauseRequested,
    RearmRequested,
    ResumeRequested,
    Stream,
)
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Category, ResidualRule, StrategyParams
from executor.runtime.journal import Journal, needs_commit
from tests.builders import D, submitted
from tests.engine.rig import Rig

LIMITS = Limits(order_gap_s_min=D(1), orders_per_s_max=20, orders_per_min_max=1_000)
TIMINGS = Timings(absence_margin_s=3, recv_window_ms=2_000, query_gap_s=1, confirm_s=1, recancel_s=1)


class JournaledRig(Rig):
    """A rig that writes every event into a journal and commits as the daemon does."""

    def __init__(self, journal: Journal) -> None:
        self.book_keeper = journal
        super().__init__(limits=LIMITS, timings=TIMINGS)

    def send(self, event):
        stamped = replace(event, at_ns=self.now_ns)
        commands = super().send(event)
        self.book_keeper.append(stamped, commands, self.engine.touched, self.engine.state)
        if needs_commit(stamped, commands):
            self.book_keeper.commit()
        return commands


def wander(rig: Rig, seed: int, steps: int) -> None:
    """Let a story happen by chance: operators, losses, fills in any size, a venue that forgets to answer."""
    chance = random.Random(seed)
    rig.open_market()
    for step in range(steps):
        match chance.randrange(9):
            case 0:
                rig.send(
                    submitted(
                        request_id=f"r{step}",
                        idempotency_key=f"k{step}",
                        order_qty=D(chance.randrange(1, 400)) / 1000,
                        duration_s=chance.choice([20, 60]),
                        residual=chance.choice([ResidualRule.CROSS, ResidualRule.LEAVE]),
                        params=StrategyParams(interval_s=5, passiveness=chance.choice([D(0), D("0.5")])),
                    )
                )
            case 1 if rig.engine.state.open_parents:
                name = chance.choice(rig.engine.state.open_parents)
                kind = chance.choice([PauseRequested, ResumeRequested, CancelRequested])
                rig.send(kind(at_ns=0, request_id="o", parent_id=name))
            case 2 if chance.random() < 0.2:
                rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))
                rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="r"))
            case 3 if chance.random() < 0.2:
                rig.send(BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="gap"))
            case 4 if chance.random() < 0.2:
                for live in (False, True):
                    rig.stream(Stream.PRIVATE, live=live)
            case 5 if rig.pending:
                command = rig.pending.pop(0)
                if type(command).__name__ == "PlaceOrder":
                    order = command.approved.order
                    rig.venue.create(command, now_ns=rig.now_ns)
                    rig.send(
                        OrderOutcomeUnknown(at_ns=0, client_order_id=order.client_order_id, detail="timeout")
                    )
                else:
                    rig.answer(command)
            case _:
                for entry in list(rig.venue.orders.values()):
                    if entry.is_open and chance.random() < 0.5:
                        rig.venue.fill(entry, D(chance.randrange(1, 50)) / 1000)
                rig.settle()
        rig.tick(chance.choice([0.5, 1, 3]), volume="50", move=str(chance.randrange(-5, 6)))


def tell_story(path: Path, seed: int = 1, steps: int = 40, *, instance: str = "x") -> Rig:
    """Write a journal with a story in it; closed cleanly."""
    with Journal.open(path, create=True, instance=instance) as journal:
        rig = JournaledRig(journal)
        wander(rig, seed, steps)
    return rig


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
