"""What the ticker of a contract says of its fundings: at which rate and mark one was settled when its time came. Pure.

A ticker announces the next settlement. When it announces a later one, and the time of the earlier has come, that one
was settled at what was said last. What was said too long before, because the stream was lost meanwhile, is not taken
for it: then the instant is known and nothing else.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from executor.venues.bybit.codec_public import FUNDING_RATE, NEXT_FUNDING_TIME
from executor.venues.bybit.ticker_sync import TickerSync

FRESH_MS: Final = 60_000
"""How old what was said of a settlement may be when its time comes."""
EARLY_MS: Final = 2_000
"""How far the venue's clock, as it is known here, may be behind its ticker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One funding whose time has come, by the venue's clock; rate and mark price are None where nobody said them."""

    at_ms: int
    rate: Decimal | None = None
    mark_px: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Announced:
    next_ms: int
    rate: Decimal
    mark_px: Decimal
    said_ms: int


class FundingWatch:
    """Follows the ticker of one contract."""

    def __init__(self) -> None:
        self._announced: _Announced | None = None

    def look(self, ticker: TickerSync, now_ms: int) -> Settlement | None:
        """Look at the ticker after a message; gives a settlement whose time has come. Times are the venue's."""
        next_ms, rate, mark_px = (
            ticker.number(name) for name in (NEXT_FUNDING_TIME, FUNDING_RATE, "markPrice")
        )
        if not next_ms or rate is None or not mark_px:
            return None
        before, self._announced = self._announced, _Announced(int(next_ms), rate, mark_px, now_ms)
        if before is None or self._announced.next_ms <= before.next_ms or now_ms + EARLY_MS < before.next_ms:
            return None
        if before.said_ms < before.next_ms - FRESH_MS:
            return Settlement(at_ms=before.next_ms)
        return Settlement(at_ms=before.next_ms, rate=before.rate, mark_px=before.mark_px)
