"""Strategy orders: orders that the venue itself cuts into pieces and works, as one child of a parent."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.instrument import Instrument
from executor.domain.orders import NewOrder
from executor.domain.units import ONE, ZERO, Quantity

NOISE: Final = Decimal("0.2")
"""How far the venue moves the size of a piece when asked to make them uneven, as a share of the even size."""

NOTHING: Final = Quantity(ZERO)


class AlgoKind(StrEnum):
    """The kinds of strategy orders that are offered as routes."""

    TWAP = "twap"
    ICEBERG = "iceberg"
    POV = "pov"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoTerms:
    """How the venue is to work a strategy order.

    Parameters
    ----------
    duration_s, interval_s
        How long it works and how often it sends a piece, seconds; zero for an iceberg, which has neither.
    noisy
        Whether a TWAP makes its pieces uneven, by at most a fifth.
    display_qty
        Size of one piece of an iceberg, base units; zero for the others.
    rate_pct
        Share of the market's volume that a POV takes, per cent; zero for the others.
    window_s
        Time over which a POV counts the market's volume, seconds; zero for the others.
    """

    kind: AlgoKind
    duration_s: int = 0
    interval_s: int = 0
    noisy: bool = False
    display_qty: Quantity = NOTHING
    rate_pct: Decimal = ZERO
    window_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlgo:
    """A strategy order as it would leave.

    Parameters
    ----------
    order
        What is traded: `qty` is the whole, `px` the price beyond which the venue is told to stop or wait.
    """

    order: NewOrder
    terms: AlgoTerms


def pieces(terms: AlgoTerms, qty: Decimal) -> int:
    """How many orders the venue sends for a quantity, retries not counted.

    Raises
    ------
    ValueError
        If the terms do not say it.
    """
    if terms.kind is AlgoKind.ICEBERG:
        if terms.display_qty <= ZERO:
            raise ValueError("an iceberg shows a positive quantity")
        whole, rest = divmod(qty, terms.display_qty)
        return int(whole) + (1 if rest else 0)
    if terms.interval_s <= 0 or terms.duration_s < terms.interval_s:
        raise ValueError(f"{terms.kind} of {terms.duration_s} s with an interval of {terms.interval_s} s")
    return terms.duration_s // terms.interval_s


def largest_piece(terms: AlgoTerms, qty: Quantity, rules: Instrument) -> Quantity:
    """The most that one order of the venue could be, on the step; base units.

    A TWAP's even piece is rounded up and may be noisy, and what does not divide may come on top of one. A POV follows a
    volume that nobody knows before: it could send the whole at once.
    """
    match terms.kind:
        case AlgoKind.ICEBERG:
            return min(terms.display_qty, qty)
        case AlgoKind.POV:
            return qty
        case AlgoKind.TWAP:
            number = pieces(terms, qty)
            even = rules.round_qty(Quantity(qty / number))
            top = rules.round_qty(Quantity(even * (ONE + NOISE))) if terms.noisy else even
            return min(qty, Quantity(top + (qty - even * number)))


def least_piece(terms: AlgoTerms, qty: Quantity, rules: Instrument) -> Quantity:
    """The least that one planned order of a TWAP could be, on the step; of the others their piece, as planned."""
    if terms.kind is not AlgoKind.TWAP:
        return largest_piece(terms, qty, rules)
    even = Quantity(qty / pieces(terms, qty))
    return rules.round_qty(Quantity(even * (ONE - NOISE)) if terms.noisy else even)
