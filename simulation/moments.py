"""What happens in a simulated market, one thing after the other: a public trade, or a new look of the book."""

from dataclasses import dataclass

from executor.domain.market import MarketSnapshot
from executor.domain.orders import Side
from executor.domain.units import Price, Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    """A trade between others; the side is the one that took."""

    side: Side
    px: Price
    qty: Quantity
    ts_exchange_ns: int


MarketMoment = PublicTrade | MarketSnapshot
"""Both carry `ts_exchange_ns`, when it happened."""
