"""Public trades as measures take them, and the fills of one taker's order put together again."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite


@dataclass(frozen=True, slots=True)
class Print:
    """A public trade.

    Parameters
    ----------
    at_ns
        Exchange's time, UTC.
    sign
        +1 where the taker bought, -1 where the taker sold.
    px
        Quote units per base unit, > 0.
    qty
        Base units, > 0.
    mid_px
        Middle of the touch just before, quote units per base unit; None where no book was kept.
    """

    at_ns: int
    sign: int
    px: float
    qty: float
    mid_px: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no trade."""
        if self.sign not in {1, -1}:
            raise ValueError(f"a taker buys (1) or sells (-1), got {self.sign}")
        for value in (self.px, self.qty, 1.0 if self.mid_px is None else self.mid_px):
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"a trade has a price and a quantity above zero, got {self}")

    @property
    def signed_qty(self) -> float:
        """Quantity with the sign of the taker."""
        return self.sign * self.qty

    @property
    def value(self) -> float:
        """Quote units."""
        return self.px * self.qty


def collapse(prints: Iterable[Print]) -> list[Print]:
    """Put together the neighbours of one instant and one side: the fills of one order that swept the book.

    Venues tell a sweep fill by fill. Taken as trades of their own they make signs look far more alike than they are
    (autocorrelation 0.8 where it is 0.6), and every fill but the first look as if it traded far from the mid. What
    comes out has the whole quantity, the mean price by quantity, and the mid before the first fill.

    Raises
    ------
    ValueError
        If time goes back.
    """
    sweeps: list[Print] = []
    for each in prints:
        if not sweeps or (each.at_ns, each.sign) != (sweeps[-1].at_ns, sweeps[-1].sign):
            if sweeps and each.at_ns < sweeps[-1].at_ns:
                raise ValueError("prints in order of time are wanted")
            sweeps.append(each)
            continue
        whole = sweeps[-1]
        qty = whole.qty + each.qty
        sweeps[-1] = replace(whole, qty=qty, px=(whole.value + each.value) / qty)
    return sweeps
