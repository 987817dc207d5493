"""Traders without intelligence: they come by chance, buy or sell by chance, and forget their oldest order.

After D. Gode and S. Sunder (J. Political Economy 101, 1993) and J. D. Farmer et al. (PNAS 102, 2005). One such agent
can stand for a crowd: it then sends several orders at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.book.messages import CANCEL, LIMIT, MARKET
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseParams:
    """What a noise trader does.

    Parameters
    ----------
    mean_wait_ns
        Mean time between two looks, exponential, nanoseconds.
    orders_count
        Messages of one look.
    market_bps
        How many of 10 000 messages are market orders.
    cancel_bps
        How many take the oldest own order back; all others are limit orders.
    reach_ticks
        A limit order is 1 .. reach ticks from the best price across, each alike.
    order_max_qty
        An order is of 1 .. so many lots, each alike.
    open_max_count
        With so many open orders nothing but cancels is sent.
    asset
        What it trades.
    """

    mean_wait_ns: int = 1_000_000_000
    orders_count: int = 1
    market_bps: int = 2_000
    cancel_bps: int = 3_000
    reach_ticks: int = 20
    order_max_qty: int = 10
    open_max_count: int = 50
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(
            self.mean_wait_ns > 0 and 1 <= self.orders_count <= 1_000,
            "a waiting time, and 1 to 1000 messages",
        )
        wanted(
            min(self.market_bps, self.cancel_bps) >= 0 and self.market_bps + self.cancel_bps <= 10_000,
            "shares of 0 to 10000 basis points that leave room for each other",
        )
        wanted(
            1 <= self.reach_ticks < 1 << 16 and 1 <= self.order_max_qty < 1 << 16, "1 to 65535 ticks and lots"
        )
        wanted(self.open_max_count > 0, "room for an order")


class NoiseTrader:
    """A zero-intelligence trader, or a crowd of them."""

    hears_fills = False

    def __init__(self, params: NoiseParams) -> None:
        self._params = params
        self._market_below = params.market_bps * 65_536 // 10_000
        self._cancel_below = (params.market_bps + params.cancel_bps) * 65_536 // 10_000
        self._draws: Draws | None = None

    def start(self, draws: Draws) -> int:
        """Come by chance."""
        self._draws = draws
        return draws.wait_ns(self._params.mean_wait_ns)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Send some messages, each out of one random word: 16 bits each for kind, price and size, one for the side."""
        params, draws = self._params, self._draws
        assert draws is not None, "an agent is started before it is woken"
        asset, open_max_count = params.asset, params.open_max_count
        market_below, cancel_below = self._market_below, self._cancel_below
        reach_ticks, max_qty = params.reach_ticks, params.order_max_qty
        bid, ask = view.bid(asset), view.ask(asset)
        if not bid or not ask:
            last_px = view.last_px(asset)
            bid, ask = bid or last_px, ask or last_px
        open_orders = view.open_orders
        count = len(open_orders)
        oldest = iter(open_orders)
        intents: list[Intent] = []
        for word in draws.words(params.orders_count):
            kind = word & 0xFFFF
            if market_below <= kind < cancel_below or count >= open_max_count:
                order_id = next(oldest, 0)
                if order_id:
                    intents.append((CANCEL, 0, 0, 0, 0, 0, order_id))
                    count -= 1
                continue
            side = -1 if word >> 63 else 1
            qty = 1 + ((word >> 32 & 0xFFFF) * max_qty >> 16)
            if kind < market_below:
                intents.append((MARKET, asset, side, qty, 0, 0, 0))
                continue
            away_ticks = 1 + ((word >> 16 & 0xFFFF) * reach_ticks >> 16)
            px = ask - away_ticks if side > 0 else bid + away_ticks
            if px > 0:
                intents.append((LIMIT, asset, side, qty, px, 0, 0))
                count += 1
        intents.append((WAKE_AT, 0, 0, 0, 0, 0, view.now_ns + draws.wait_ns(params.mean_wait_ns)))
        return intents
