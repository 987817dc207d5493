"""Traders who cut large orders into small ones: what makes the signs of trades remember for so long.

Lengths follow a power law, so that now and then an order goes on for very long (F. Lillo, S. Mike and J. D. Farmer,
Physical Review E 71, 2005: with an exponent alpha the autocorrelation of signs fades as lag^-(alpha - 1)).

Who is told of news can also act on it: such an order goes the way the value went, and what it does to the price stays.
Impact goes with the square root of size. So an order whose impact is to be a given part of what the news is worth grows
with the square of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.agents.power_law import pareto
from simulation.draws import Draws
from simulation.market.protocol import Intent, MarketView, market, wake_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSplitterParams:
    """What a splitter does.

    Parameters
    ----------
    mean_idle_ns
        Mean time between two large orders, exponential, nanoseconds.
    mean_wait_ns
        Mean time between two pieces of one, exponential, nanoseconds.
    tail_ratio
        alpha of P(pieces > n) = (n / least)^-alpha, above 1.
    pieces_min_count, pieces_max_count
        Shortest and longest order, pieces.
    piece_qty
        A piece is of 1 .. so many lots, each alike.
    touch_bps
        Of what is quoted at the best price across, a piece takes at most so many basis points; 0 asks nobody.
    news_bps
        Of 10 000 changes of the value that it is told of while it works nothing, it acts on so many: it begins an
        order that way at once.
    news_every_ns
        How often it looks for news while it works nothing, nanoseconds.
    news_ticks
        An order on news is (change of the value / this)^2 times as long as another, and never shorter than the
        shortest, ticks; 0 is as long as any other.
    asset
        What it trades.
    """

    mean_idle_ns: int = 60_000_000_000
    mean_wait_ns: int = 1_000_000_000
    tail_ratio: float = 1.5
    pieces_min_count: int = 1
    pieces_max_count: int = 2_000
    piece_qty: int = 5
    touch_bps: int = 0
    news_bps: int = 0
    news_every_ns: int = 5_000_000_000
    news_ticks: float = 0.0
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(min(self.mean_idle_ns, self.mean_wait_ns, self.news_every_ns) > 0, "times above zero")
        wanted(1.0 < self.tail_ratio < 10.0, "an exponent above 1")
        wanted(1 <= self.pieces_min_count <= self.pieces_max_count, "lengths in order")
        wanted(self.piece_qty >= 1, "a piece of one lot or more")
        wanted(
            0 <= self.touch_bps <= 10_000 and 0 <= self.news_bps <= 10_000,
            "shares of 0 to 10000 basis points",
        )
        wanted(0.0 <= self.news_ticks < 1e9, "a change of the value of zero or more")


@dataclass(frozen=True, slots=True)
class WorkedOrder:
    """A large order from its first piece to its last.

    Parameters
    ----------
    side
        +1 or -1.
    begun_ns, ended_ns
        When its first and its last piece were sent, by the agent's clock.
    """

    side: int
    begun_ns: int
    ended_ns: int


class OrderSplitter:
    """Works one large order after the other, with market orders.

    Attributes
    ----------
    worked
        What has been finished.
    """

    hears_fills = False

    def __init__(self, params: OrderSplitterParams) -> None:
        self._params = params
        self._draws: Draws | None = None
        self._side = 1
        self._left = 0
        self._begun_ns = 0
        self._due_ns = 0
        self._value_px = 0.0
        self.worked: list[WorkedOrder] = []

    def start(self, draws: Draws) -> int:
        """Wait for the first order."""
        self._draws = draws
        self._due_ns = draws.wait_ns(self._params.mean_idle_ns)
        return self._next_ns(0)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Send the next piece; with the last one, wait for the next order."""
        params, draws, now_ns = self._params, self._draws, view.now_ns
        assert draws is not None, "an agent is started before it is woken"
        news_ticks = 0.0
        if params.news_bps:
            news_ticks = self._heard(view, draws)
            if now_ns < self._due_ns and not news_ticks:
                return (wake_at(self._next_ns(now_ns)),)
        if not self._left:
            self._side = (1 if news_ticks > 0.0 else -1) if news_ticks else draws.sign()
            self._left = self._pieces(draws, news_ticks)
            self._begun_ns = now_ns
        qty = 1 + draws.below(params.piece_qty)
        if params.touch_bps:
            shown = view.depth(params.asset, -self._side, 1)
            qty = min(qty, max(1, shown[0][1] * params.touch_bps // 10_000)) if shown else qty
        self._left -= 1
        if self._left:
            later_ns = draws.wait_ns(params.mean_wait_ns)
        else:
            self.worked.append(WorkedOrder(self._side, self._begun_ns, now_ns))
            later_ns = draws.wait_ns(params.mean_idle_ns)
        self._due_ns = now_ns + later_ns
        return [market(params.asset, self._side, qty), wake_at(self._next_ns(now_ns))]

    def _next_ns(self, now_ns: int) -> int:
        """Say when to look next: when a piece or an order is due, or for news before that."""
        params = self._params
        if self._left or not params.news_bps:
            return self._due_ns
        return min(self._due_ns, now_ns + params.news_every_ns)

    def _heard(self, view: MarketView, draws: Draws) -> float:
        """Say which change of the value it acts on, ticks; 0 is none."""
        found = 0.0
        for _, _, asset, value_px in view.told:
            if asset == self._params.asset:
                # Before the first news the price is all that is known of the value.
                before_px = self._value_px or view.mid2(asset) * 0.5
                self._value_px = value_px
                if not self._left and draws.below(10_000) < self._params.news_bps:
                    found = value_px - before_px
        return found

    def _pieces(self, draws: Draws, news_ticks: float) -> int:
        params = self._params
        length = params.pieces_min_count * pareto(draws, params.tail_ratio)
        if news_ticks and params.news_ticks:
            ratio = news_ticks / params.news_ticks
            length = max(float(params.pieces_min_count), length * (ratio * ratio))
        # Cut before it is rounded: a change of the value can be as large as it likes.
        length = min(float(params.pieces_max_count), length)
        return int(length) + (length > int(length))
