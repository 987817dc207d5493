"""An intermediary: stands between those who come and those who go, holds little, and passes on what stays with it.

Its middle is a line in what it holds: every lot it has bought lowers it, every lot it has sold raises it, by a fixed
step, and news moves it along. It stands on both sides of that middle with some lots, a step apart:

    middle = first price + news - step (position - first position)

So it has no opinion where the price belongs. Who buys and sells again leaves it where it was; who only buys drives it
up to where others sell. Quotes that would cross those of others trade with them: so it gets rid of what it holds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.agents.news_turn import NewsTurn
from simulation.agents.quotes import requoted
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class IntermediaryParams:
    """How it quotes.

    Parameters
    ----------
    half_spread_ticks
        From the middle to its best quote, ticks.
    step_ticks
        By so much a lot moves its middle, and so far its quotes of one lot each are apart, ticks.
    levels_count
        Quotes of each side.
    every_ns
        Longest time between two looks, nanoseconds.
    settle_ns
        Time after news in which only quotes that get out of the way are moved, nanoseconds (`news_turn`).
    asset
        What it trades.
    """

    half_spread_ticks: int = 4
    step_ticks: int = 4
    levels_count: int = 5
    every_ns: int = 5_000_000_000
    settle_ns: int = 10_000_000
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(self.half_spread_ticks >= 1 and self.step_ticks >= 1, "a spread and a step above zero")
        wanted(1 <= self.levels_count <= 100, "1 to 100 quotes of each side")
        wanted(min(self.every_ns, self.settle_ns) > 0, "times above zero")


class Intermediary:
    """Quotes one asset."""

    hears_fills = True

    def __init__(self, params: IntermediaryParams) -> None:
        self._params = params
        self._turn = NewsTurn(params.settle_ns)
        self._first_px = 0
        self._first_qty = 0

    def start(self, draws: Draws) -> int:
        """Be there from the beginning; nothing is drawn."""
        return 1

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Quote around the middle."""
        params, now_ns = self._params, view.now_ns
        if not self._first_px:
            self._first_px, self._first_qty = view.mid2(params.asset) // 2, view.position_qty(params.asset)
        self._turn.hear(view.told, now_ns)
        intents: list[Intent] = []
        if not view.in_flight:
            held_qty = view.position_qty(params.asset) - self._first_qty
            middle_px = self._first_px + self._turn.moved_ticks - params.step_ticks * held_qty
            for side in self._turn.sides(now_ns):
                intents += requoted(view, params.asset, side, self._quotes(side, middle_px))
        later_ns = now_ns + params.every_ns if not view.in_flight else now_ns + params.settle_ns
        intents.append((WAKE_AT, 0, 0, 0, 0, 0, self._turn.next_ns(now_ns, later_ns)))
        return intents

    def _quotes(self, side: int, middle_px: int) -> Iterator[tuple[int, int]]:
        params = self._params
        for level in range(params.levels_count):
            yield middle_px - side * (params.half_spread_ticks + params.step_ticks * level), 1
