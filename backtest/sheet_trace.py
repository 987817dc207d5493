"""How one order went, out of its journal: the book it saw, the orders it sent, the schedule it followed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final

import apsw

from backtest.dataset.errors import DataError
from backtest.order_lines import orders_in
from executor.domain.decision import Schedule
from executor.domain.errors import ExecutorError
from executor.domain.events import BookUpdated
from executor.engine.engine import Engine
from executor.runtime import record
from executor.runtime.integrity import DAMAGE, rows
from executor.runtime.reading import open_to_read

POINTS_MAX: Final = 1_200
"""More points of a book than this are thinned: nobody can see them, and a page would become heavy."""


@dataclass(frozen=True, slots=True)
class Touch:
    """The book at one instant of the exchange's clock, and the public volume since the feed began."""

    at_ns: int
    mid_px: Decimal
    traded_qty: Decimal


@dataclass(frozen=True, slots=True)
class Child:
    """One order at the venue: its prices, each from the instant at which it was sent, until it was done."""

    client_order_id: str
    prices: tuple[tuple[int, Decimal], ...]
    done_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How one order went.

    Parameters
    ----------
    start_ns, end_ns
        From its submission to the last event of its journal, our clock.
    touches
        From its submission on; thinned, but no extreme is lost.
    planned
        Quantity that should have been filled by an instant, base units; straight between the points.
    """

    start_ns: int
    end_ns: int
    touches: tuple[Touch, ...]
    children: tuple[Child, ...]
    planned: tuple[tuple[int, Decimal], ...]


def read_trace(path: Path) -> Trace:
    """Go through a journal of one order once more.

    Raises
    ------
    DataError
        If it cannot be read or replayed, or holds no order.
    """
    try:
        db = open_to_read(path)
        try:
            return _traced(db)
        finally:
            db.close()
    except (ExecutorError, apsw.Error, *DAMAGE) as error:
        raise DataError(
            path,
            f"cannot be replayed: {error}",
            "`executor audit FILE` says where it breaks; or take it away",
        ) from error


def _traced(db: apsw.Connection) -> Trace:
    engine = Engine()
    touches: list[Touch] = []
    plans: list[tuple[int, Schedule]] = []
    prices: dict[str, list[tuple[int, Decimal]]] = {}
    start_ns = end_ns = 0
    for link in rows(db, 0):
        event = record.decode_event(link.kind, link.event)
        engine.on_event(event)
        end_ns = link.at_ns
        if isinstance(event, BookUpdated):
            market = event.market
            touches.append(Touch(market.ts_exchange_ns, market.mid_px, market.traded_qty))
        for order in orders_in(link.at_ns, link.commands):
            told = order.fields()
            if told["price"]:
                prices.setdefault(told["client_order_id"], []).append((link.at_ns, Decimal(told["price"])))
        for parent in engine.state.parents.values():
            start_ns = parent.created_ns
            if parent.schedule is not None and (not plans or plans[-1][1] is not parent.schedule):
                plans.append((link.at_ns, parent.schedule))
    if not start_ns:
        raise ValueError("no order was ever submitted")
    done = dict(db.execute("SELECT client_order_id, done_ns FROM children"))
    first = max((n for n, touch in enumerate(touches) if touch.at_ns <= start_ns), default=0)
    return Trace(
        start_ns=start_ns,
        end_ns=end_ns,
        touches=tuple(thinned(touches[first:])),
        children=tuple(
            Child(name, tuple(steps), int(done.get(name) or 0) or end_ns) for name, steps in prices.items()
        ),
        planned=tuple(_planned(plans, end_ns)),
    )


def _planned(plans: Sequence[tuple[int, Schedule]], end_ns: int) -> Iterator[tuple[int, Decimal]]:
    """Draw every schedule for as long as it was in force, the last one to its own end."""
    last_ns = max((end_ns, *(piece.end_ns for _, plan in plans[-1:] for piece in plan.slices)))
    for (from_ns, plan), (until_ns, _) in pairwise([*plans, (last_ns, None)]):
        assert plan is not None, "only the end has none"
        bends = {at for piece in plan.slices for at in (piece.start_ns, piece.end_ns)}
        for at_ns in sorted({from_ns, until_ns, *(at for at in bends if from_ns < at < until_ns)}):
            yield at_ns, plan.pro_rata_qty(at_ns)


def thinned(touches: Sequence[Touch], points_max: int = POINTS_MAX) -> list[Touch]:
    """Leave out points between the first, the lowest, the highest and the last of each stretch."""
    if len(touches) <= points_max:
        return list(touches)
    stretches = points_max // 4
    kept: set[int] = set()
    for number in range(stretches):
        stretch = range(number * len(touches) // stretches, (number + 1) * len(touches) // stretches)
        kept |= {stretch[0], stretch[-1]}
        kept.add(min(stretch, key=lambda at: touches[at].mid_px))
        kept.add(max(stretch, key=lambda at: touches[at].mid_px))
    return [touches[at] for at in sorted(kept)]
