"""What the board's charts show of the past: a few hundred points of each parent, thinned out as it grows older.

A chart is for eyes: when a trail is full, every second point goes, and from then on a point is taken half as often.
Points are kept as bare numbers side by side, a fifth of what they would take as objects.
"""

from array import array
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Final

from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.engine.report import running_shortfall_bps, schedule_progress
from executor.engine.state import EngineState, ParentState, market_key

POINTS_MAX: Final = 720
PARENTS_MAX: Final = 400
FIELDS: Final = ("at_ms", "mid", "bid", "ask", "done", "scheduled", "shortfall_bps", "average")
"""What a point holds, in this order; None where it is not known."""
Point = tuple[float | None, ...]
_WIDTH: Final = len(FIELDS)


@dataclass(slots=True)
class _Trail:
    every_ns: int = NS_PER_S
    next_ns: int = 0
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def take(self, point: Point) -> None:
        self.values.extend(nan if value is None else value for value in point)
        if len(self.values) >= POINTS_MAX * _WIDTH:
            kept = array("d")
            for start in range(0, len(self.values), 2 * _WIDTH):
                kept.extend(self.values[start : start + _WIDTH])
            self.values = kept
            self.every_ns *= 2


class Trails:
    """The trails of all parents that were seen alive by this process."""

    def __init__(self) -> None:
        self._trails: dict[str, _Trail] = {}

    def sample(self, state: EngineState, now_ns: int) -> None:
        """Take a point of every open parent whose turn it is."""
        for name in state.open_parents:
            trail = self._trails.get(name)
            if trail is None:
                trail = self._trails[name] = _Trail()
                if len(self._trails) > PARENTS_MAX:
                    self._forget(state)
            if now_ns < trail.next_ns:
                continue
            trail.next_ns = now_ns + trail.every_ns
            trail.take(_point(state, state.parents[name], now_ns))

    def of(self, parent_id: str) -> list[Point]:
        """The points of a parent, oldest first; empty where this process never saw it alive."""
        trail = self._trails.get(parent_id)
        if trail is None:
            return []
        known = iter([None if isnan(value) else value for value in trail.values])
        return list(zip(*[known] * _WIDTH, strict=True))

    def _forget(self, state: EngineState) -> None:
        """Forget the one that ended longest ago; what is open stays."""
        for name in self._trails:
            if state.parents[name].is_final:
                del self._trails[name]
                return


def _point(state: EngineState, parent: ParentState, now_ns: int) -> Point:
    market = state.markets.get(market_key(parent.order.category, parent.order.symbol))
    snapshot = None if market is None or market.book_ns is None else market.snapshot
    progress = schedule_progress(parent, now_ns)
    shortfall = None if snapshot is None else running_shortfall_bps(parent, snapshot.mid_px)
    return (
        now_ns // NS_PER_MS,
        None if snapshot is None else float(snapshot.mid_px),
        None if snapshot is None else float(snapshot.best_bid),
        None if snapshot is None else float(snapshot.best_ask),
        float(progress.done_ratio),
        None if progress.scheduled_ratio is None else float(progress.scheduled_ratio),
        None if shortfall is None else float(shortfall),
        None if parent.avg_px is None else float(parent.avg_px),
    )
