"""A value investor: buys what costs less than it is worth by a margin, sells what costs more, and otherwise waits.

With F what it was last told the asset is worth, times its own belief: it buys at an ask of F (1 - discount) or less,
and sells at a bid of F (1 + premium) or more. One order at a time, at the touch, for a share of its cash at most; what
is not filled waits there for its patience, and then it looks again. An optimist believes in more than it is told, a
pessimist in less; with `trend_ratio` above zero belief also follows the price, which is what bubbles are made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.book.messages import CANCEL, LIMIT
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueParams:
    """How a value investor decides.

    Parameters
    ----------
    discount_bps
        It buys at so much below value or less, basis points of the value.
    premium_bps
        It sells at so much above value or more, basis points of the value.
    cash_bps
        Most of its free cash for one order to buy, and of its lots for one to sell, basis points.
    belief_bps
        What it believes in, basis points of what it is told: 10 000 as it is, 12 000 an optimist, 8 000 a pessimist.
    trend_ratio
        Added to the belief for each share by which the price has risen since the last look; 0 is no such feeling.
    order_max_qty
        Most lots of one order.
    mean_wait_ns
        Mean time between two looks, exponential, nanoseconds.
    patience_ns
        How long an order waits, and how long it rests after one, nanoseconds.
    value_px
        What it holds for the value until it is told something, ticks; 0 waits for that.
    asset
        What it trades.
    """

    discount_bps: int = 1_000
    premium_bps: int = 1_000
    cash_bps: int = 3_000
    belief_bps: int = 10_000
    trend_ratio: float = 0.0
    order_max_qty: int = 1_000
    mean_wait_ns: int = 5_000_000_000
    patience_ns: int = 10_000_000_000
    value_px: float = 0.0
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(
            0 <= self.discount_bps < 10_000 and self.premium_bps >= 0,
            "a discount below all, a premium of 0 or more",
        )
        wanted(
            0 < self.cash_bps <= 10_000 and self.belief_bps > 0, "a share of 1 to 10000, a belief above zero"
        )
        wanted(
            min(self.order_max_qty, self.mean_wait_ns, self.patience_ns) > 0, "a size and times above zero"
        )
        wanted(self.value_px >= 0.0 and self.trend_ratio >= 0.0, "a value and a feeling not below zero")


class ValueInvestor:
    """Trades one asset on what it is told of its value."""

    hears_fills = False

    def __init__(self, params: ValueParams) -> None:
        self._params = params
        self._draws: Draws | None = None
        self._value_px = params.value_px
        self._mid2 = 0
        self._waits_until_ns = 0

    def start(self, draws: Draws) -> int:
        """Come by chance."""
        self._draws = draws
        return draws.wait_ns(self._params.mean_wait_ns)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Compare price and value."""
        params, draws, now_ns = self._params, self._draws, view.now_ns
        assert draws is not None, "an agent is started before it is woken"
        for _, _, asset, value in view.told:
            if asset == params.asset:
                self._value_px = value
        wake = (WAKE_AT, 0, 0, 0, 0, 0, now_ns + draws.wait_ns(params.mean_wait_ns))
        mid2 = view.mid2(params.asset)
        risen = mid2 / self._mid2 - 1.0 if self._mid2 else 0.0
        self._mid2 = mid2
        if now_ns < self._waits_until_ns or self._value_px <= 0.0:
            return (wake,)
        believed = self._value_px * params.belief_bps / 10_000.0 * (1.0 + params.trend_ratio * risen)
        intents: list[Intent] = [(CANCEL, 0, 0, 0, 0, 0, order_id) for order_id in view.open_orders]
        order = self._order(view, believed)
        if order is not None:
            intents.append(order)
            self._waits_until_ns = now_ns + params.patience_ns
        intents.append(wake)
        return intents

    def _order(self, view: MarketView, believed: float) -> Intent | None:
        params, asset = self._params, self._params.asset
        ask, bid = view.ask(asset), view.bid(asset)
        if ask and ask * 10_000.0 <= believed * (10_000 - params.discount_bps):
            qty = view.cash // 10_000 * params.cash_bps // (ask * view.scale)
            side, px = 1, ask
        elif bid and bid * 10_000.0 >= believed * (10_000 + params.premium_bps):
            qty = max(1, view.position_qty(asset) * params.cash_bps // 10_000)
            side, px = -1, bid
        else:
            return None
        qty = min(qty, params.order_max_qty)
        if qty <= 0 or (side < 0 and view.position_qty(asset) < qty):
            return None
        return (LIMIT, asset, side, qty, px, 0, 0)
