"""What a venue charges an account, as far as somebody knows."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFees:
    """Rates of one symbol, and where they come from.

    Parameters
    ----------
    maker_bps, taker_bps
        Of what waited and of what took, basis points of the value; a rebate is below zero.
    source
        Who says so, in words that follow "by".
    """

    maker_bps: Decimal
    taker_bps: Decimal
    source: str
