"""One execution of one of our orders: the authority for quantity."""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.instrument import notional
from executor.domain.orders import Category, Liquidity, Side
from executor.domain.units import ZERO, Money, Price, Quantity, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """An execution as the venue reported it.

    Parameters
    ----------
    client_order_id
        Empty when the venue does not say (then `venue_order_id` identifies the order).
    fee
        In `fee_coin`; positive is a cost, negative a rebate.
    ts_exchange_ns
        Execution time by the venue's clock, UTC.
    """

    category: Category
    symbol: str
    exec_id: str
    client_order_id: str
    venue_order_id: str
    side: Side
    last_qty: Quantity
    last_px: Price
    fee: Money
    fee_coin: str
    liquidity: Liquidity
    ts_exchange_ns: int

    @property
    def key(self) -> str:
        """What makes an execution unique: category, symbol and the venue's id."""
        return f"{self.category}:{self.symbol}:{self.exec_id}"

    @property
    def notional(self) -> Money:
        """Value of the execution, quote units."""
        return notional(self.category, self.last_qty, self.last_px)

    @property
    def coin_qty(self) -> Decimal:
        """Coin that an inverse execution is worth, quantity over price; zero for all others, whose quantity says it."""
        return self.last_qty / self.last_px if self.category is Category.INVERSE else ZERO

    @property
    def content(self) -> str:
        """What must be equal in every copy of the same execution; trailing zeros are not part of it."""
        return f"{self.side}:{plain(self.last_qty.normalize())}:{plain(self.last_px.normalize())}"
