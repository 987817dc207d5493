"""What a contract's past fundings were: rates that were settled, and mark prices of the time. Public questions."""

from decimal import Decimal
from typing import Final

from pybit.unified_trading import HTTP

from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.orders import Category
from executor.venues.bybit.access import Access
from executor.venues.bybit.ask import Asker, Manners
from executor.venues.bybit.codec import as_row
from executor.venues.bybit.codec_fields import number, signed, text, whole
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer

_PAGE: Final = 200
_PAGES_MAX: Final = 100


class FundingQueries:
    """Asks for settled rates, and for marks of the past."""

    def __init__(self, access: Access, signer: Signer, time: ServerTime) -> None:
        self._market = Asker(access, signer, time, Manners(), signed=False)

    def close(self) -> None:
        """Give the connection back."""
        self._market.close()

    async def rates(
        self, category: Category, symbol: str, from_ms: int, to_ms: int
    ) -> list[tuple[int, Decimal]]:
        """When a contract's funding was settled in a stretch of time, and at which rates; the oldest first.

        Raises
        ------
        TransportError, RemoteProtocolError
            If any of it could not be read.
        """
        found: dict[int, Decimal] = {}
        for _ in range(_PAGES_MAX):
            if from_ms > to_ms:
                return sorted(found.items())
            rows = await self._market.rows(
                HTTP.get_funding_rate_history,
                category=category.value,
                symbol=symbol,
                startTime=from_ms,
                endTime=to_ms,
                limit=_PAGE,
            )
            for each in rows:
                row = as_row(each)
                at_ms = whole(row, "fundingRateTimestamp")
                if text(row, "symbol") != symbol or not from_ms <= at_ms <= to_ms:
                    raise RemoteProtocolError(
                        f"a funding of {text(row, 'symbol')} at {at_ms} was not asked for"
                    )
                found[at_ms] = signed(row, "fundingRate")
            if len(rows) < _PAGE:
                return sorted(found.items())
            to_ms = min(found) - 1
        raise TransportError(f"more than {_PAGES_MAX} pages of fundings")

    async def mark_px(self, category: Category, symbol: str, at_ms: int) -> Decimal | None:
        """The mark price at the beginning of a minute; None if the venue does not know it.

        Raises
        ------
        TransportError, RemoteProtocolError
            If it could not be read.
        """
        rows = await self._market.rows(
            HTTP.get_mark_price_kline,
            category=category.value,
            symbol=symbol,
            interval="1",
            start=at_ms,
            end=at_ms,
            limit=1,
        )
        for row in rows:
            if not isinstance(row, list) or len(row) < 2:
                raise RemoteProtocolError("a candle that is none")
            named = {"start": row[0], "open": row[1]}
            if whole(named, "start") == at_ms:
                return number(named, "open") or None
        return None
