"""A market maker: quotes both sides of the mid, wider when prices move or it holds much, and leans against its stock.

With I the inventory less its target, L the limit, V the running mean of |change of the mid| between looks (bps of it):

    spread = base + volatility_weight V + inventory_weight base |I| / L          (bps of the mid)
    middle = mid - skew (spread / 2) I / L
    size   = base size (L -/+ I) / L                                             (bids / asks)

Further levels stand a step behind each other. Every look takes the old quotes back and sends new ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.agents.ticks import ceil_ticks
from simulation.book.messages import CANCEL, LIMIT
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketMakerParams:
    """How a market maker quotes.

    Parameters
    ----------
    base_spread_bps
        Full spread of a calm market without inventory, basis points of the mid.
    volatility_ratio
        Basis points added to the spread for each basis point of V.
    memory_ratio
        Share of V that is kept at each look, 0-1.
    inventory_ratio
        The spread is so much of the base wider at the limit.
    skew_ratio
        At the limit the middle lies so many half spreads away from the mid.
    quote_qty
        Lots of one level without inventory.
    levels_count
        Levels of each side.
    step_bps
        Distance of two levels, basis points of the mid.
    limit_qty
        Most lots away from the target.
    target_qty
        Inventory that it wants, lots; below zero: what it begins with.
    every_ns
        Between two looks, nanoseconds.
    withdraw_bps
        With V above this it quotes nothing, until V is below half of it; 0 is never.
    away
        Stretches of its own clock, (from, until) in nanoseconds, in which it quotes nothing.
    asset
        What it quotes.
    """

    base_spread_bps: float = 50.0
    volatility_ratio: float = 2.0
    memory_ratio: float = 0.9
    inventory_ratio: float = 1.0
    skew_ratio: float = 1.0
    quote_qty: int = 10
    levels_count: int = 1
    step_bps: float = 10.0
    limit_qty: int = 100
    target_qty: int = -1
    every_ns: int = 1_000_000_000
    withdraw_bps: float = 0.0
    away: tuple[tuple[int, int], ...] = ()
    asset: int = 0

    def __post_init__(self) -> None:
        amounts = (
            self.volatility_ratio,
            self.inventory_ratio,
            self.skew_ratio,
            self.step_bps,
            self.withdraw_bps,
        )
        wanted(
            self.base_spread_bps > 0.0 and min(amounts) >= 0.0, "a spread above zero, and nothing below it"
        )
        wanted(0.0 <= self.memory_ratio < 1.0, "a memory of 0 to 1")
        wanted(
            min(self.quote_qty, self.levels_count, self.limit_qty, self.every_ns) > 0,
            "sizes and times above zero",
        )
        wanted(self.levels_count <= 100, "at most 100 levels")


class MarketMaker:
    """Quotes one asset."""

    hears_fills = False

    def __init__(self, params: MarketMakerParams) -> None:
        self._params = params
        self._mid2 = 0
        self._volatility_bps = 0.0
        self._target_qty = params.target_qty
        self._withdrawn = False

    def start(self, draws: Draws) -> int:
        """Come within the first interval, so that not all makers quote at one instant."""
        return 1 + draws.below(min(self._params.every_ns, 1 << 32))

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Take the quotes back, and quote anew."""
        params, asset, now_ns = self._params, self._params.asset, view.now_ns
        intents: list[Intent] = [(CANCEL, 0, 0, 0, 0, 0, order_id) for order_id in view.open_orders]
        position_qty = view.position_qty(asset)
        if self._target_qty < 0:
            self._target_qty = position_qty
        mid2 = view.mid2(asset)
        self._feel(mid2)
        if not self._withdrawn and not any(begin <= now_ns < end for begin, end in params.away):
            self._quote(intents, mid2 * 0.5, position_qty - self._target_qty)
        intents.append((WAKE_AT, 0, 0, 0, 0, 0, now_ns + params.every_ns))
        return intents

    def _feel(self, mid2: int) -> None:
        """Learn how much the mid moves."""
        params = self._params
        if self._mid2:
            moved_bps = abs(mid2 - self._mid2) * 10_000.0 / self._mid2
            self._volatility_bps += (1.0 - params.memory_ratio) * (moved_bps - self._volatility_bps)
        self._mid2 = mid2
        if params.withdraw_bps:
            calm_bps = params.withdraw_bps * 0.5 if self._withdrawn else params.withdraw_bps
            self._withdrawn = self._volatility_bps > calm_bps

    def _quote(self, intents: list[Intent], mid: float, inventory_qty: int) -> None:
        params = self._params
        limit_qty = params.limit_qty
        leaning = inventory_qty / limit_qty
        base_bps = params.base_spread_bps
        spread_bps = base_bps + params.volatility_ratio * self._volatility_bps
        spread_bps = spread_bps + params.inventory_ratio * base_bps * abs(leaning)
        half = mid * spread_bps / 20_000.0
        middle = mid - params.skew_ratio * half * leaning
        step = mid * params.step_bps / 10_000.0
        bid_room, ask_room = limit_qty - inventory_qty, limit_qty + inventory_qty
        bid_qty = min(params.quote_qty * bid_room // limit_qty, bid_room) if bid_room > 0 else 0
        ask_qty = min(params.quote_qty * ask_room // limit_qty, ask_room) if ask_room > 0 else 0
        asset, top, bottom = params.asset, middle - half, middle + half
        if bid_qty <= 0:
            bid_room = 0
        if ask_qty <= 0:
            ask_room = 0
        for level in range(params.levels_count):
            if bid_room > 0:
                # Toward zero is down for every price that can be bid.
                px = int(top - step * level)
                qty = bid_qty if bid_qty < bid_room else bid_room  # noqa: FURB136 - a third of the time
                bid_room -= qty
                if px > 0:
                    intents.append((LIMIT, asset, 1, qty, px, 0, 0))
            if ask_room > 0:
                px = ceil_ticks(bottom + step * level)
                qty = ask_qty if ask_qty < ask_room else ask_room  # noqa: FURB136 - as above
                ask_room -= qty
                if px > 0:
                    intents.append((LIMIT, asset, -1, qty, px, 0, 0))
