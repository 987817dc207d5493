"""Where a symbol is traded: its name says so. `BTCUSDT` is Bybit's, `BTCUSDT@kraken` that of a venue called kraken.

Bybit is the venue without a name. Everything that is true of a venue as a whole (its streams, what was read of its
account) is kept by place: a product family of one venue.
"""

import re
from typing import Final

from executor.domain.orders import Category

MARK: Final = "@"
VENUE_FORM: Final = "1 to 16 characters a-z and 0-9, beginning with a letter"
_VENUE: Final = re.compile(r"\A[a-z][a-z0-9]{0,15}\Z", re.ASCII)


def is_venue_name(name: str) -> bool:
    """Whether a venue other than Bybit may be called so."""
    return bool(_VENUE.match(name))


def venue_of(symbol: str) -> str:
    """The name of the venue a symbol is traded at; empty for Bybit."""
    return symbol.partition(MARK)[2]


def bare_symbol(symbol: str) -> str:
    """A symbol without the name of its venue."""
    return symbol.partition(MARK)[0]


def at_venue(symbol: str, venue: str) -> str:
    """The name of a symbol at a venue; Bybit's is the symbol itself."""
    return f"{symbol}{MARK}{venue}" if venue else symbol


def place_of(category: Category, symbol: str) -> str:
    """The product family of a venue that a symbol belongs to: `spot`, or `spot@kraken`."""
    return at_venue(category.value, venue_of(symbol))


def place_of_market(market_name: str) -> str:
    """The same of a market's key, which is `category:symbol`."""
    category, _, symbol = market_name.partition(":")
    return at_venue(category, venue_of(symbol))


def category_of(place: str) -> Category:
    """The product family of a place."""
    return Category(bare_symbol(place))
