"""What can be traded and in which steps: the only place that rounds."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from executor.domain.orders import Category, Side
from executor.domain.units import ZERO, Money, Price, Quantity, is_plain


def notional(category: Category, qty: Decimal, px: Decimal) -> Money:
    """Value of a quantity in quote units; an inverse contract is worth one quote unit at any price."""
    return Money(qty if category is Category.INVERSE else qty * px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Trading rules of one symbol.

    Parameters
    ----------
    tick_size
        Price step, > 0, quote per base.
    qty_step
        Quantity step, > 0, base units.
    min_order_qty, max_order_qty
        Bounds of one limit order, base units.
    min_notional
        Smallest order value, quote units; zero where the venue has none.
    """

    category: Category
    symbol: str
    base_coin: str
    quote_coin: str
    tick_size: Price
    qty_step: Quantity
    min_order_qty: Quantity
    max_order_qty: Quantity
    min_notional: Money
    trading: bool = True

    def __post_init__(self) -> None:
        """Refuse rules that would make rounding meaningless."""
        for name in ("tick_size", "qty_step", "max_order_qty"):
            value: Decimal = getattr(self, name)
            if not is_plain(value) or value <= ZERO:
                raise ValueError(f"{self.symbol}: {name} must be a positive plain number, got {value}")
        for name in ("min_order_qty", "min_notional"):
            value = getattr(self, name)
            if not is_plain(value) or value < ZERO:
                raise ValueError(
                    f"{self.symbol}: {name} must be a plain number and not negative, got {value}"
                )

    def round_qty(self, qty: Decimal) -> Quantity:
        """Round a quantity down to `qty_step`; never up, so rounding can not over-fill."""
        return Quantity((qty / self.qty_step).to_integral_value(ROUND_FLOOR) * self.qty_step)

    def round_px(self, side: Side, px: Decimal) -> Price:
        """Round a price to `tick_size` toward the passive side: down for a buy, up for a sell.

        The result is therefore never worse than `px` for our own order.
        """
        mode = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return Price((px / self.tick_size).to_integral_value(mode) * self.tick_size)

    def is_on_step(self, qty: Decimal) -> bool:
        """Tell whether a quantity is a whole number of steps."""
        return qty % self.qty_step == ZERO

    def is_on_tick(self, px: Decimal) -> bool:
        """Tell whether a price is a whole number of ticks."""
        return px % self.tick_size == ZERO

    def notional(self, qty: Decimal, px: Decimal) -> Money:
        """Value of a quantity in quote units; an inverse contract is worth one quote unit."""
        return notional(self.category, qty, px)

    def smallest_qty(self, px: Decimal) -> Quantity:
        """Smallest quantity on the step that the venue accepts at this price."""
        floor = self._floor_qty(px)
        rounded = self.round_qty(floor)
        return rounded if rounded >= floor else Quantity(rounded + self.qty_step)

    def is_dust(self, qty: Decimal, px: Decimal) -> bool:
        """Tell whether a remainder is too small to be ordered at this price: below `smallest_qty`."""
        floor = self._floor_qty(px)
        if qty >= floor + self.qty_step:
            return False  # nearly always, and rounding is what takes long
        return qty < floor or qty < self.smallest_qty(px)

    def _floor_qty(self, px: Decimal) -> Decimal:
        by_value = self.min_notional if self.category is Category.INVERSE else self.min_notional / px
        return max(self.min_order_qty, self.qty_step, by_value)
