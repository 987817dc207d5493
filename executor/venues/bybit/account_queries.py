"""Asking Bybit about the key and the account behind it, and the one setting of it that may be changed.

For the start, for the hourly look, and for `executor doctor`. Nothing here sends an order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from pybit.unified_trading import HTTP

from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.events import CoinBalance
from executor.domain.orders import Category
from executor.venues.bybit.account_rows import (
    HEDGE,
    ONE_WAY,
    AccountFacts,
    AccountSettings,
    Dcp,
    FeeRates,
    KeyFacts,
    decode_account,
    decode_balances,
    decode_dcp,
    decode_fees,
    decode_key,
    decode_position_mode,
)
from executor.venues.bybit.ask import Asker, QueryRefused

T = TypeVar("T")

FACTS_S_MAX: Final = 60.0
_TOO_LATE: Final = "no answer in time"
_MODE_NUMBERS: Final = {ONE_WAY: 0, HEDGE: 3}
_MODE_ALREADY_SET: Final = 110_025
_SYMBOL: Final = {Category.LINEAR: "BTCUSDT", Category.INVERSE: "BTCUSD"}


class AccountQueries:
    """Reads one account through one `Asker`."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def facts(
        self,
        category: Category = Category.LINEAR,
        symbol: str | None = None,
        limit_s: float = FACTS_S_MAX,
    ) -> AccountFacts:
        """Read everything that is judged before trading; never raises because of the venue.

        Parameters
        ----------
        symbol
            Whose position mode is read; None takes one that always exists. Spot has no positions.
        limit_s
            Longest time of the whole read, seconds.
        """
        end_s = asyncio.get_running_loop().time() + limit_s
        indices: frozenset[int] | str | None = None
        key = await _until(end_s, self.key)
        settings = await _until(end_s, self.settings)
        if category is not Category.SPOT:
            ask_mode = partial(self.position_mode, category, symbol or _SYMBOL[category])
            mode = await _until(end_s, ask_mode)
            indices = mode if isinstance(mode, str) else mode[0]
        return AccountFacts(key=key, settings=settings, position_indices=indices)

    async def key(self) -> KeyFacts:
        """What the key may do (user/query-api)."""
        return decode_key(await self._asker.result(HTTP.get_api_key_information))

    async def settings(self) -> AccountSettings:
        """Margin mode and kind of the account (account/info)."""
        return decode_account(await self._asker.result(HTTP.get_account_info))

    async def balances(self) -> tuple[CoinBalance, ...]:
        """Every coin that is not zero (account/wallet-balance)."""
        return decode_balances(await self._asker.rows(HTTP.get_wallet_balance, accountType="UNIFIED"))

    async def fees(self, category: Category, symbol: str) -> FeeRates:
        """Maker and taker rate of a symbol (account/fee-rate)."""
        rows = await self._asker.rows(HTTP.get_fee_rates, category=category.value, symbol=symbol)
        return decode_fees(rows, symbol)

    async def dcp(self) -> tuple[Dcp, ...]:
        """What the venue does when our connection is lost (account/query-dcp-info)."""
        return decode_dcp(await self._asker.result(HTTP.query_dcp_info))

    async def position_mode(self, category: Category, symbol: str) -> tuple[frozenset[int], str]:
        """Position indices in use in a symbol, and its leverage (position/list)."""
        rows = await self._asker.rows(HTTP.get_positions, category=category.value, symbol=symbol, limit=200)
        return decode_position_mode(rows)

    async def switch_position_mode(self, category: Category, symbol: str, indices: frozenset[int]) -> None:
        """Set the position mode of a symbol; being in that mode already is a success.

        Raises
        ------
        QueryRefused
            If a position or an open order forbids it, or the symbol knows no such mode.
        """
        try:
            await self._asker.result(
                HTTP.switch_position_mode,
                category=category.value,
                symbol=symbol,
                mode=_MODE_NUMBERS[indices],
            )
        except QueryRefused as error:
            if error.code != _MODE_ALREADY_SET:
                raise


async def _until(end_s: float, ask: Callable[[], Awaitable[T]]) -> T | str:
    """Ask, and wait until an instant of the loop's clock; gives the sentence that says why there is no answer."""
    if asyncio.get_running_loop().time() >= end_s:
        return _TOO_LATE
    try:
        async with asyncio.timeout_at(end_s):
            return await ask()
    except TimeoutError:
        return _TOO_LATE
    except (TransportError, RemoteProtocolError) as error:
        return str(error)
