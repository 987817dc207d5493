"""Funding: who pays whom at the next instant, and who had therefore better trade before it.

Whoever holds a perpetual at the funding instant pays or gets the rate; a second earlier or later it is nothing. Above
zero longs pay shorts.
"""

from typing import Final

from executor.domain.timeline import NS_PER_MIN

RATE_HIGH: Final = 0.0005
"""+0.05 % for one interval: a sale is worth hastening and a purchase worth putting off; about one day in twenty."""
RATE_LOW: Final = -0.0003
"""-0.03 % for one interval: the mirror. Rates below zero are rarer, so less is unusual."""
WINDOW_NS: Final = 30 * NS_PER_MIN
"""How long before the instant the rate counts: it is a forecast, and firm only near the end of its interval."""


def early_side(rate: float | None, next_ns: int | None, now_ns: int) -> int | None:
    """Sign of the side that had better trade before the funding instant, the other one after it; 0 where neither.

    At a high rate whoever sells before it holds less that pays; whoever buys after it begins without paying. At a low
    rate the reverse. None where rate or instant are not known, or the instant has passed.
    """
    if rate is None or next_ns is None or next_ns <= now_ns:
        return None
    if next_ns - now_ns > WINDOW_NS:
        return 0
    if rate >= RATE_HIGH:
        return -1
    return 1 if rate <= RATE_LOW else 0
