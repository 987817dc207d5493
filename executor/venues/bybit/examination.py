"""A look at everything about the venue that trading needs, for `executor doctor`. It reads; it never sends an order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Final

import aiohttp

from executor.domain.errors import ExecutorError, TransportError
from executor.domain.finding import Finding, Verdict, fine
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.domain.units import plain
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access, Way
from executor.venues.bybit.account_checks import CHECKS as ACCOUNT_CHECKS
from executor.venues.bybit.account_checks import Wanted, judge, judge_clock
from executor.venues.bybit.account_queries import AccountQueries
from executor.venues.bybit.ask import Asker, Manners
from executor.venues.bybit.handshake import shake_hands
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer

CHECKS: Final = {
    "rest": "the venue answers over HTTP",
    "clock": ACCOUNT_CHECKS["clock"],
    "instrument": "the symbol exists, is traded, and its rules can be read",
    "public stream": "the venue's public WebSocket takes a subscription",
    "private stream": "the venue's private WebSocket takes the key",
    "trade stream": "the WebSocket that takes orders takes the key, where `venue.order_entry` is websocket",
    **{name: text for name, text in ACCOUNT_CHECKS.items() if name != "clock"},
    "balances": "the wallet can be read, and holds something",
    "fees": "maker and taker rate of the symbol",
    "dead man's switch": "the venue's own cancel-on-disconnect, as `venue.dcp_window_s` says",
}
"""The checks of this module, in the order in which they are told."""
_OWN_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SHOWN_COINS: Final = 6
_TIME_SAMPLES: Final = 3


class Examination:
    """One visit to the venue.

    Parameters
    ----------
    dcp_window_s
        After how many seconds without us the venue shall cancel; 0 when it shall not.
    """

    def __init__(
        self,
        access: Access,
        recv_window_ms: int,
        wanted: Wanted,
        category: Category,
        symbol: str,
        dcp_window_s: int,
    ) -> None:
        self._access = access
        self._wanted = wanted
        self._category = category
        self._symbol = symbol
        self._dcp_window_s = dcp_window_s
        self._clock = Clock()
        self._time = ServerTime(self._clock)
        self._signer = Signer(access.api_key, access.api_secret, recv_window_ms)
        self._asker = Asker(access, self._signer, self._time, Manners())
        self._account = AccountQueries(self._asker)
        self._queries = Queries(access, self._signer, self._clock, self._time, "", Manners())

    def close(self) -> None:
        """Give all connections back."""
        self._asker.close()
        self._queries.close()

    async def run(self) -> AsyncIterator[Finding]:
        """Look at one thing after the other; what depends on something that failed is not looked at."""
        try:
            await self._measure_time()
        except ExecutorError as error:
            yield self._failed("rest", "UNREACHABLE", error)
            return
        yield fine("rest", self._access.rest_url)
        yield judge_clock(self._time.offset_ms, strict=self._wanted.strict)
        instrument = await self._instrument()
        yield instrument
        symbol_is_there = instrument.verdict is Verdict.OK
        if symbol_is_there:
            public = f"{self._access.public_ws_url}/v5/public/{self._category}"
            yield await self._stream("public stream", public, signed=False)
        yield await self._stream("private stream", f"{self._access.private_ws_url}/v5/private", signed=True)
        if self._access.order_entry is Way.WEBSOCKET:
            yield await self._stream("trade stream", f"{self._access.trade_ws_url}/v5/trade", signed=True)
        facts = await self._account.facts(self._category, self._symbol if symbol_is_there else None)
        for finding in judge(facts, self._wanted, self._clock.now_ns() // NS_PER_S):
            yield finding
        yield await self._balances()
        if symbol_is_there:
            yield await self._fees()
        yield await self._dcp()

    async def set_position_mode(self) -> Finding:
        """Switch the symbol to the configured position mode."""
        return await self._tried(
            "position mode",
            "POSITION_MODE_REFUSED",
            self._switch(),
            "close positions and orders of the symbol",
        )

    async def _switch(self) -> Finding:
        await self._measure_time()
        await self._account.switch_position_mode(self._category, self._symbol, self._wanted.position_indices)
        return fine("position mode", f"{self._symbol} is switched to the mode of venue.position_mode")

    async def _measure_time(self) -> None:
        for _ in range(_TIME_SAMPLES):
            await self._queries.measure_time()

    async def _stream(self, check: str, url: str, *, signed: bool) -> Finding:
        try:
            async with asyncio.timeout(self._access.request_timeout_s):
                signer = self._signer if signed else None
                topic = f"publicTrade.{self._symbol}"
                await shake_hands(self._access.hosts, url, topic, signer, self._time)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, TransportError) as error:
            return self._failed(check, "STREAM_REFUSED", error)
        return fine(check, url)

    async def _instrument(self) -> Finding:
        return await self._tried(
            "instrument", "INSTRUMENT_UNREADABLE", self._read_instrument(), "check --symbol and --category"
        )

    async def _read_instrument(self) -> Finding:
        rules = await self._queries.instrument(self._category, self._symbol)
        if rules is None:
            nearest = await self._queries.nearest_symbols(self._category, self._symbol)
            return Finding(
                check="instrument",
                verdict=Verdict.FAIL,
                code="NO_SUCH_SYMBOL",
                found=f"Bybit has no {self._category} symbol {self._symbol}",
                allowed=f"an existing symbol; nearest: {', '.join(nearest) or 'none'}",
                next_step="correct --symbol or --category",
            )
        if not rules.trading:
            return Finding(
                check="instrument",
                verdict=Verdict.FAIL,
                code="NOT_TRADING",
                found=f"{self._symbol} is not traded at the moment",
                allowed="a symbol that is traded",
                next_step="take another symbol, or wait until the venue trades it",
            )
        return fine(
            "instrument",
            f"{self._symbol}: tick {plain(rules.tick_size)}, step {plain(rules.qty_step)},"
            f" at least {plain(rules.min_order_qty)} and {plain(rules.min_notional)} {rules.quote_coin}",
        )

    async def _balances(self) -> Finding:
        return await self._tried("balances", "WALLET_UNREADABLE", self._read_balances(), "check the key")

    async def _read_balances(self) -> Finding:
        held = [each for each in await self._account.balances() if each.wallet_qty]
        if not held:
            return Finding(
                check="balances",
                verdict=Verdict.WARN,
                code="WALLET_EMPTY",
                found="nothing is in the account",
                allowed="something to trade with",
                next_step="fund the unified trading account",
            )
        shown = ", ".join(f"{plain(each.wallet_qty)} {each.coin}" for each in held[:_SHOWN_COINS])
        return fine("balances", shown + (", …" if len(held) > _SHOWN_COINS else ""))

    async def _fees(self) -> Finding:
        return await self._tried("fees", "FEES_UNREADABLE", self._read_fees(), "", Verdict.WARN)

    async def _read_fees(self) -> Finding:
        rates = await self._account.fees(self._category, self._symbol)
        return fine("fees", f"maker {rates.maker_rate:%}, taker {rates.taker_rate:%}")

    async def _dcp(self) -> Finding:
        return await self._tried("dead man's switch", "DCP_UNREADABLE", self._read_dcp(), "", Verdict.WARN)

    async def _read_dcp(self) -> Finding:
        switches = await self._account.dcp()
        product = "SPOT" if self._category is Category.SPOT else "DERIVATIVES"
        window_s = next((each.window_s for each in switches if each.product == product and each.on), 0)
        found = f"{product}: after {window_s} s" if window_s else f"{product}: off"
        if not self._dcp_window_s or window_s == self._dcp_window_s:
            return fine("dead man's switch", found)
        return Finding(
            check="dead man's switch",
            verdict=Verdict.WARN,
            code="DCP_OFF",
            found=found,
            allowed=f"after {self._dcp_window_s} s, as venue.dcp_window_s says",
            next_step="the daemon sets it at its start; only institutional accounts have it",
        )

    async def _tried(
        self,
        check: str,
        code: str,
        look: Awaitable[Finding],
        next_step: str,
        verdict: Verdict = Verdict.FAIL,
    ) -> Finding:
        try:
            return await look
        except ExecutorError as error:
            return self._failed(check, code, error, next_step, verdict)

    def _whom_to_ask(self) -> str:
        """What to look at when the venue does not answer: a local exchange is started, another one is looked up."""
        if self._access.hosts <= _OWN_HOSTS:
            return "start the local exchange with `executor sandbox`, or correct venue.rest_url and its port"
        return "check the network, the address and the venue's status page"

    def _failed(
        self,
        check: str,
        code: str,
        error: BaseException,
        next_step: str = "",
        verdict: Verdict = Verdict.FAIL,
    ) -> Finding:
        return Finding(
            check=check,
            verdict=verdict,
            code=code,
            found=(str(error) or type(error).__name__)[:200],
            allowed=f"an answer within {self._access.request_timeout_s:g} s",
            next_step=next_step or self._whom_to_ask(),
        )
