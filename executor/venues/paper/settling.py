"""Charges the simulated account with funding: each settlement once, whether it was heard or missed.

What the ticker said is charged at once. What was missed, because the stream was lost or no process ran, is asked for
where anybody may ask. A settlement that the venue does not know, or no mark price of it, is said and not charged.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.orders import Category
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_MS, NS_PER_S, iso_utc
from executor.domain.units import Money, Price
from executor.runtime.clock import Clock
from executor.venues.bybit.funding_queries import FundingQueries
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.ticker_sync import TickerSync
from executor.venues.paper.account import Account, Funded, Key
from executor.venues.paper.funding import FundingWatch, Settlement

_AFTER_NS: Final = NS_PER_S
"""What was executed before a settlement may be heard after it; by then it was."""
_AGAIN_S: Final = 20.0
_SOON_MS: Final = 600_000
"""How long the venue may take until it lists a settlement."""


class Settling:
    """Fundings of one account.

    Parameters
    ----------
    keep
        Writes a record down and applies it.
    hear
        Lets the desk of a symbol say what it has to say by now.
    """

    def __init__(
        self,
        *,
        account: Account,
        queries: FundingQueries,
        clock: Clock,
        time: ServerTime,
        keep: Callable[[Funded], None],
        hear: Callable[[Key], None],
        log: Log,
    ) -> None:
        self._account = account
        self._queries = queries
        self._clock = clock
        self._time = time
        self._keep = keep
        self._hear = hear
        self._log = log
        self._watches: dict[Key, FundingWatch] = {}
        self._heard: dict[Key, dict[int, Settlement]] = {}
        self._missed: set[Key] = set()
        self._due: dict[Key, None] = {}
        self._woken = asyncio.Event()

    def look_back(self, key: Key) -> None:
        """Have what was missed of a contract charged, too."""
        if key[0] is Category.LINEAR:
            self._missed.add(key)
            self._want(key)

    def ticker(self, key: Key, ticker: TickerSync) -> None:
        """Look at a contract's ticker after a message."""
        if key[0] is not Category.LINEAR:
            return
        settled = self._watches.setdefault(key, FundingWatch()).look(ticker, self._time.now_ms())
        if settled is not None:
            self._heard.setdefault(key, {})[settled.at_ms] = settled
            if settled.rate is None:
                self._missed.add(key)
            self._want(key)

    async def run(self) -> None:
        """Charge what is due until cancelled."""
        told, loop = "", asyncio.get_running_loop()
        for key in self._account.contracts:
            self.look_back(key)
        while True:
            if not self._due:
                self._woken.clear()
                await self._woken.wait()
            key = next(iter(self._due))
            del self._due[key]
            try:
                open_yet = await self._settle(key)
            except (TransportError, RemoteProtocolError) as error:
                if str(error) != told:
                    told = str(error)
                    self._log("funding not readable", level="warning", symbol=key[1], error=told)
                open_yet = True
            if open_yet:
                loop.call_later(_AGAIN_S, self._want, key)

    def _want(self, key: Key) -> None:
        self._due[key] = None
        self._woken.set()

    async def _settle(self, key: Key) -> bool:
        """Charge a contract with all that is due, the oldest first; whether something has to wait."""
        first_ns = self._account.first_execution_ns(key)
        heard = dict(self._heard.get(key, {}))
        if first_ns is None:
            self._forget(key, heard)
            return False
        since_ms = max(self._account.funded_ms(key), first_ns // NS_PER_MS + self._time.offset_ms)
        now_ms, looks_back = self._time.now_ms(), key in self._missed
        due = dict(heard)
        if looks_back:
            for at_ms, rate in await self._queries.rates(*key, since_ms + 1, now_ms):
                known = due.get(at_ms)
                if known is None or known.rate is None:
                    due[at_ms] = Settlement(at_ms=at_ms, rate=rate)
        for at_ms in sorted(at_ms for at_ms in due if at_ms > since_ms):
            if not await self._charge(key, due[at_ms]):
                return True
            heard.setdefault(at_ms, due[at_ms])
        self._forget(key, heard)
        if looks_back:
            self._missed.discard(key)
        return False

    async def _charge(self, key: Key, settled: Settlement) -> bool:
        """Charge one settlement, or say why not; False if it is too early to tell."""
        category, symbol = key
        at_ns = self._time.our_ns(settled.at_ms)
        wait_ns = at_ns + _AFTER_NS - self._clock.now_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / NS_PER_S)
        self._hear(key)
        if not self._account.position_qty_at(key, at_ns):
            return True
        rate, mark_px = settled.rate, settled.mark_px
        if rate is not None and mark_px is None:
            mark_px = await self._queries.mark_px(category, symbol, settled.at_ms)
        if rate is None or mark_px is None:
            if self._time.now_ms() - settled.at_ms < _SOON_MS:
                return False
            self._log(
                "paper funding not charged",
                level="warning",
                symbol=symbol,
                settled=iso_utc(at_ns),
                unknown="rate" if rate is None else "mark price",
            )
            return True
        qty = self._account.position_qty_at(key, at_ns)
        record = Funded(
            category=category,
            symbol=symbol,
            settled_ms=settled.at_ms,
            rate=rate,
            mark_px=Price(mark_px),
            qty=qty,
            paid=Money(qty * mark_px * rate),
        )
        self._keep(record)
        self._log(
            "paper funding",
            symbol=symbol,
            settled=iso_utc(at_ns),
            rate=str(rate),
            mark_px=str(mark_px),
            position=str(qty),
            paid=str(record.paid),
        )
        return True

    def _forget(self, key: Key, done: dict[int, Settlement]) -> None:
        left = self._heard.get(key, {})
        for at_ms in done:
            left.pop(at_ms, None)
