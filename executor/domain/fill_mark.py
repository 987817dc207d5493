"""One fill with the book before it and the mids after it: what is kept of each for the analysis of cost."""

from dataclasses import dataclass, field
from decimal import Decimal

from executor.domain.orders import Category, Liquidity, Side
from executor.domain.units import ZERO


@dataclass(slots=True, kw_only=True)
class FillMark:
    """A fill, what it cost, and the mid at fixed horizons after it.

    Parameters
    ----------
    qty
        Base units; contracts of one quote unit for inverse.
    notional
        Value, quote units.
    ts_exchange_ns
        Of the execution by the venue's clock, UTC.
    fee
        Quote units, positive is a cost; None in a coin without a price here.
    mid_px, far_touch_px
        Mid and best price of the other side before the fill, quote per base; None if the book before it is not known.
    spread, temporary, permanent
        What it adds to these parts of its order's cost: quote units, coin for inverse contracts
        (`impact.tca.fill_costs`).
    mids
        Mid at each horizon that has passed, in order; None where the book was not known then.
    """

    parent_id: str
    client_order_id: str
    category: Category
    symbol: str
    exec_id: str
    side: Side
    liquidity: Liquidity
    qty: Decimal
    px: Decimal
    notional: Decimal
    ts_exchange_ns: int
    fee: Decimal | None = None
    mid_px: Decimal | None = None
    far_touch_px: Decimal | None = None
    spread: Decimal = ZERO
    temporary: Decimal = ZERO
    permanent: Decimal = ZERO
    mids: list[Decimal | None] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What makes the execution unique, as `Fill.key`."""
        return f"{self.category}:{self.symbol}:{self.exec_id}"

    def gain(self, from_px: Decimal, to_px: Decimal) -> Decimal:
        """Value of a move to the one who filled, quote units at the price of the fill; prices are quote per base."""
        return self.side.sign * (to_px - from_px) * self.notional / self.px
