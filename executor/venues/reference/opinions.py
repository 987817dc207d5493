"""What another exchange calls our symbol, and the middle of its book. Pure; any exchange in ccxt's unified form."""

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite

from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.places import bare_symbol
from executor.domain.units import ZERO, Price, is_plain

_SIDES = ("bids", "asks")


def unified_symbol(instrument: Instrument) -> str | None:
    """The name of the same market in ccxt's unified form; None where no other market is the same.

    Spot `BTCUSDT` is `BTC/USDT`, the linear perpetual `BTC/USDT:USDT` (`BTCPERP`: `BTC/USDC:USDC`), the inverse one
    `BTC/USD:BTC`. A contract with a delivery date has a name of another form and no counterpart.
    """
    base, quote, symbol = instrument.base_coin, instrument.quote_coin, bare_symbol(instrument.symbol)
    match instrument.category:
        case Category.SPOT:
            return f"{base}/{quote}"
        case Category.LINEAR:
            perpetual = symbol in {f"{base}{quote}", f"{base}PERP"}
            return f"{base}/{quote}:{quote}" if perpetual else None
        case Category.INVERSE:
            return f"{base}/{quote}:{base}" if symbol == f"{base}{quote}" else None


def mid_of_book(book: Mapping[str, object]) -> Price:
    """The middle between the best bid and the best ask.

    Parameters
    ----------
    book
        `{"bids": [[px, qty], …], "asks": …}`, best first, prices as floats.

    Raises
    ------
    ValueError
        If a side is empty, a price is no positive number, or the book is crossed.
    """
    touch = []
    for side in _SIDES:
        levels = book.get(side)
        if not isinstance(levels, list) or not levels or not isinstance(levels[0], list | tuple):
            raise ValueError(f"no {side}")
        px = levels[0][0] if levels[0] else None
        if not isinstance(px, float | int) or not isfinite(px) or px <= 0:
            raise ValueError(f"{side} begin at {str(px)[:40]}")
        touch.append(Decimal(repr(px)))
    bid, ask = touch
    if bid > ask:
        raise ValueError(f"a crossed book: {bid} above {ask}")
    mid = (bid + ask) / 2
    if not is_plain(mid) or mid <= ZERO:
        raise ValueError(f"a middle of {mid}")
    return Price(mid)
