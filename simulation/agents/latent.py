"""Investors who wait with a price in mind: the slow liquidity behind the few quotes that a book shows at any time.

Each has a side, some lots and a reservation price. Of a whole population only those nearest to the price stand in the
book. Who would trade close to the price has done so already: their number grows in proportion to the distance, from
nothing at the price (B. Toth et al., Physical Review X 1, 2011; J. Donier, J. Bonart, I. Mastromatteo and
J.-P. Bouchaud, Quantitative Finance 15, 2015). That is put in here and does not emerge: each side has L y lots a tick
at a distance of y ticks, with

    L = investors * mean lots / reach^2        and so an order of Q lots moves the price by sqrt(2 Q / L)

if nobody else trades for good and nobody comes back.

Nothing ties the price to a value. News moves all reservation prices alike, by the change of the value and never
towards it. Beyond that each investor thinks again now and then: who waits changes its price by an error of its own, and
trades at once if it now agrees with the market; who has traded comes back with another intention around the price of
that moment. As this is slow, who was met by a large order is missed for long, and its impact fades slowly.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from simulation.agents.checks import wanted
from simulation.agents.news_turn import NewsTurn
from simulation.agents.quotes import requoted
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentParams:
    """A population of investors.

    Parameters
    ----------
    investors_count
        How many there are, of both sides together.
    order_max_qty
        Each wants 1 .. so many lots, each alike.
    reach_ticks
        Farthest reservation price of a new intention from the price of the moment, ticks; up to there the density
        grows in proportion to the distance.
    shown_count
        So many investors of each side, those nearest to the price, stand in the book.
    mean_think_ns
        Mean time until one investor thinks again, exponential, nanoseconds: the memory of the market.
    opinion_ticks
        Standard deviation of what thinking again adds to the price of who still waits, ticks.
    every_ns
        Longest time between two looks, nanoseconds.
    settle_ns
        Time after news in which only quotes that get out of the way are moved, nanoseconds (`news_turn`).
    asset
        What they trade.
    """

    investors_count: int = 5_000
    order_max_qty: int = 20
    reach_ticks: int = 1_000
    shown_count: int = 15
    mean_think_ns: int = 23_400_000_000_000
    opinion_ticks: int = 100
    every_ns: int = 5_000_000_000
    settle_ns: int = 10_000_000
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(1 <= self.investors_count <= 1_000_000, "1 to 1000000 investors")
        wanted(1 <= self.shown_count <= 200, "1 to 200 investors of each side in the book")
        wanted(1 <= self.order_max_qty < 1 << 32 and self.reach_ticks >= 1, "one lot and one tick or more")
        wanted(self.opinion_ticks >= 0, "an error of zero or more")
        wanted(
            self.investors_count <= self.mean_think_ns <= 1 << 47 and min(self.every_ns, self.settle_ns) > 0,
            "times above zero, and thinking that takes its time",
        )


class LatentInvestors:
    """The whole population, on one account.

    Distances are kept, not prices: an intention of side s at price p has the key s (m - p), where m is what news has
    made of the first price. The smaller the key, the nearer to a trade, on either side.
    """

    hears_fills = True

    def __init__(self, params: LatentParams) -> None:
        self._params = params
        self._draws: Draws | None = None
        self._turn = NewsTurn(params.settle_ns)
        self._origin_px = 0
        self._side: list[int] = []
        self._key: list[int] = []
        self._leaves: list[int] = []
        self._waiting: dict[int, list[tuple[int, int]]] = {1: [], -1: []}
        self._think_ns = 0

    def start(self, draws: Draws) -> int:
        """Be there from the beginning."""
        self._draws = draws
        params = self._params
        self._think_ns = 1 + draws.wait_ns(params.mean_think_ns // params.investors_count)
        return 1

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Take note of trades and news, let some think again, and show who is nearest."""
        params, now_ns = self._params, view.now_ns
        if not self._side:
            self._settle_in(view)
        for _, _, side, _, qty, _, _ in view.fills:
            self._traded(side, qty)
        self._turn.hear(view.told, now_ns)
        while self._think_ns <= now_ns:
            self._think_again(view)
        intents: list[Intent] = []
        # What is on its way is in no list of open orders: to send it again would show it twice.
        if not view.in_flight:
            for side in self._turn.sides(now_ns):
                intents += requoted(view, params.asset, side, self._shown(side))
        later_ns = now_ns + params.every_ns if not view.in_flight else now_ns + params.settle_ns
        intents.append((WAKE_AT, 0, 0, 0, 0, 0, self._turn.next_ns(now_ns, later_ns)))
        return intents

    def _settle_in(self, view: MarketView) -> None:
        """Fill the population: a market that opens has a history in which everybody close to the price has traded."""
        params, draws = self._params, self._draws
        assert draws is not None, "an agent is started before it is woken"
        self._origin_px = view.mid2(params.asset) // 2
        for number in range(params.investors_count):
            side, away, qty = draws.sign(), draws.uniform(), 1 + draws.below(params.order_max_qty)
            self._side.append(side)
            self._key.append(self._distance(away))
            self._leaves.append(qty)
            self._waiting[side].append((self._key[number], number))
        self._waiting[1].sort()
        self._waiting[-1].sort()

    def _distance(self, away: float) -> int:
        """Distance of a new intention, ticks: density in proportion to it, out of an even number of [0, 1)."""
        return 1 + int(self._params.reach_ticks * sqrt(away))

    def _traded(self, side: int, qty: int) -> None:
        """Give what was filled to those nearest to the price: price priority met them first."""
        waiting = self._waiting[side]
        while qty and waiting:
            number = waiting[0][1]
            part_qty = min(qty, self._leaves[number])
            self._leaves[number] -= part_qty
            qty -= part_qty
            if not self._leaves[number]:
                del waiting[0]

    def _think_again(self, view: MarketView) -> None:
        params, draws = self._params, self._draws
        assert draws is not None, "an agent is started before it is woken"
        self._think_ns += draws.wait_ns(params.mean_think_ns // params.investors_count)
        # The same numbers are drawn whatever becomes of them: two markets that differ by one order stay comparable.
        number, side, away = draws.below(params.investors_count), draws.sign(), draws.uniform()
        qty, error = 1 + draws.below(params.order_max_qty), draws.normal()
        if self._leaves[number]:
            side = self._side[number]
            waiting = self._waiting[side]
            del waiting[bisect_left(waiting, (self._key[number], number))]
            key = self._key[number] - round(params.opinion_ticks * side * error)
        else:
            middle2 = 2 * (self._origin_px + self._turn.moved_ticks)
            # From half a tick a buyer goes down and a seller up: neither has the better of it.
            key = self._distance(away) - (-side * (middle2 - view.mid2(params.asset)) // 2)
            self._side[number], self._leaves[number] = side, qty
            waiting = self._waiting[side]
        # Nobody goes further than to the best of the other side, a tick from it: they are one account, and what stands
        # between them in the book is met first.
        across = self._waiting[-side]
        self._key[number] = max(key, 1 - across[0][0]) if across else key
        insort(waiting, (self._key[number], number))

    def _shown(self, side: int) -> Iterator[tuple[int, int]]:
        """Prices and lots of those nearest to the price, ticks, the nearest first."""
        middle_px = self._origin_px + self._turn.moved_ticks
        for key, number in self._waiting[side][: self._params.shown_count]:
            yield middle_px - side * key, self._leaves[number]
