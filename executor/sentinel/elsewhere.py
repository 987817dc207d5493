"""Cancelling at other venues until it is proved, through ccxt: no code of the gateway that placed the orders.

Each venue has a thread, so that ccxt, which is slow to import, never keeps the sentinel from beating. Every open order
of every configured market is cancelled, those of others too, as at Bybit; again and again, until two complete reads of
all of them, far enough apart, show none. ccxt takes an answer without a list for an empty one, so the answer itself is
looked at too. Orders that wait for a trigger are not shown by most venues among the open ones; none of ours is of them.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from config.stop import StopSettings
from config.venues import VenueTable, read_venues
from executor.domain.errors import ConfigError
from executor.domain.ports import Log
from executor.sentinel.account import confirm_s

_PAUSE_S: Final = 0.25
_PAUSE_S_MAX: Final = 15.0
_TELL_EVERY: Final = 20
_OPTIONS: Final[Mapping[str, Mapping[str, object]]] = {
    "bybit": {
        "fetchMarkets": {"types": ["spot", "linear"]},
        "enableUnifiedMargin": False,
        "enableUnifiedAccount": True,
        "unifiedMarginStatus": 5,
    },
    "binance": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
    "binanceusdm": {"fetchMarkets": {"types": ["linear"]}, "fetchMargins": False},
}
_PATHS: Final[Mapping[str, Mapping[str, str]]] = {
    "binance": dict.fromkeys(("public", "private"), "/api/v3"),
    "binanceusdm": dict.fromkeys(("fapiPublic", "fapiPrivate"), "/fapi/v1"),
}
"""What stands behind the address of a stand-in, by kind of request, where that is not the same for all."""
_LIST_AT: Final = {"bybit": ("result", "list")}
"""Where an answer about open orders carries its list; elsewhere the answer is the list."""


class VenueSweep:
    """One sweep of one venue.

    Parameters
    ----------
    confirm_s
        Time after the first proof at which everything is read once more, seconds.
    timeout_s
        Longest time of one request, seconds.
    """

    def __init__(self, table: VenueTable, log: Log, *, confirm_s: float, timeout_s: float) -> None:
        self._table = table
        self._log = log
        self._confirm_s = confirm_s
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.found: dict[str, str] = {}
        """Orders that were seen, in order of appearance: id, and a text for people."""
        self.remaining: dict[str, tuple[str, ...] | None] = dict.fromkeys(table.markets.values(), None)
        """For each market what the last complete read showed; None before the first."""

    @property
    def may_remain(self) -> list[str]:
        """What is not proved gone, for people; empty after the proof."""
        lines: list[str] = []
        for market, orders in self.remaining.items():
            lines += [f"{self._table.name} {market}: could not be read"] if orders is None else list(orders)
        return lines

    async def run(self) -> None:
        """Cancel until nothing is open, as often as it takes; ends only with the proof."""
        self._loop = asyncio.get_running_loop()
        done = asyncio.Event()
        thread = threading.Thread(
            target=self._work, args=(done,), name=f"sweep {self._table.name}", daemon=True
        )
        thread.start()
        try:
            await done.wait()
        finally:
            self._stop.set()

    def _work(self, done: asyncio.Event) -> None:
        """Sweep in a thread, whatever goes wrong."""
        assert self._loop is not None
        pause_s, failures = _PAUSE_S, 0
        exchange: Any = None
        while not self._stop.is_set():
            try:
                if exchange is None:
                    exchange = self._exchange()
                if self._is_swept(exchange):
                    break
                failures, pause_s = 0, _PAUSE_S
            except _failures() as error:  # giving up would leave orders open
                failures += 1
                if failures % _TELL_EVERY == 1:
                    self._say(
                        "not reached, trying again", level="error", error=f"{type(error).__name__}: {error}"
                    )
                pause_s = min(pause_s * 2, _PAUSE_S_MAX)
            self._stop.wait(pause_s)
        if not self._stop.is_set():
            self._loop.call_soon_threadsafe(done.set)

    def _is_swept(self, exchange: Any) -> bool:  # noqa: ANN401 - ccxt has no types
        """Cancel once what is there; True if there was nothing, twice."""
        if self._cancel_all(exchange):
            return False
        self._say("no order is open; reading once more", orders=len(self.found))
        if self._stop.wait(self._confirm_s) or self._cancel_all(exchange):
            return False
        self._say("a second read is empty too", orders=len(self.found))
        return True

    def _cancel_all(self, exchange: Any) -> int:  # noqa: ANN401 - ccxt has no types
        """Read every market and cancel what is open; how many there were."""
        count = 0
        for market in self._table.markets.values():
            rows = exchange.fetch_open_orders(market)
            _check_whole(self._table.exchange, exchange.last_http_response, len(rows))
            texts = tuple(f"{self._table.name} {market} {_text(row)}" for row in rows)
            self.remaining[market] = texts
            count += len(rows)
            for row, text in zip(rows, texts, strict=True):
                if self._stop.is_set():
                    return count
                self.found[f"{self._table.name} {row['id']}"] = text
                self._cancel(exchange, str(row["id"]), market)
        return count

    def _cancel(self, exchange: Any, order_id: str, market: str) -> None:  # noqa: ANN401 - ccxt has no types
        from ccxt.base.errors import OrderNotFound  # noqa: PLC0415 - slow to import

        try:
            exchange.cancel_order(order_id, market)
        except OrderNotFound:
            return  # it ended meanwhile, as the next read shows

    def _exchange(self) -> Any:  # noqa: ANN401 - ccxt has no types
        import ccxt  # noqa: PLC0415 - slow to import, and only in this thread

        table = self._table
        given: dict[str, object] = {
            "apiKey": table.key.reveal(),
            "secret": table.secret.reveal(),
            "password": "" if table.password is None else table.password.reveal(),
            "enableRateLimit": True,
            "timeout": int(self._timeout_s * 1_000),
            "options": dict(_OPTIONS.get(table.exchange, {})),
        }
        exchange = getattr(ccxt, table.exchange)(given)
        exchange.has["fetchCurrencies"] = False
        exchange.session.max_redirects = 0
        if table.rest_url:
            paths = _PATHS.get(table.exchange, dict.fromkeys(exchange.urls["api"], ""))
            exchange.urls["api"] = {kind: f"{table.rest_url}{path}" for kind, path in paths.items()}
        elif table.testnet:
            exchange.set_sandbox_mode(True)
        exchange.load_markets()
        return exchange

    def _say(self, message: str, **fields: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(lambda: self._log(f"{self._table.name}: {message}", **fields))


def sweeps_elsewhere(
    settings: StopSettings, environ: Mapping[str, str], log: Log
) -> Callable[[], list[VenueSweep]]:
    """How to make a sweep of each other venue of the settings.

    Raises
    ------
    ConfigError
        If the file of venues cannot be read: nobody would cancel there.
    """
    if settings.venues_file is None:
        return list
    try:
        tables = read_venues(settings.venues_file, settings.mode, environ)
    except ConfigError as error:
        log(
            "orders at other venues can NOT be cancelled: the file of venues is not usable",
            level="error",
            error=str(error),
        )
        raise
    return lambda: [
        VenueSweep(
            table,
            log,
            confirm_s=confirm_s(settings),
            timeout_s=float(settings.request_timeout_s),
        )
        for table in tables
    ]


def _failures() -> tuple[type[BaseException], ...]:
    """Everything that a venue's answer, ccxt's reading of it, or a missing ccxt may raise."""
    usual = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)
    try:
        from ccxt.base.errors import BaseError  # noqa: PLC0415 - slow to import
    except ImportError:
        return (*usual, ImportError)
    return (*usual, BaseError)


def _check_whole(exchange: str, text: object, count: int) -> None:
    """Refuse an answer whose list is not there, or is longer than what ccxt made of it.

    Raises
    ------
    ValueError
        If it is so.
    """
    told: object = json.loads(str(text))
    for key in _LIST_AT.get(exchange, ()):
        told = told.get(key) if isinstance(told, dict) else None
    if not isinstance(told, list) or len(told) != count:
        raise ValueError("an answer about open orders without a whole list")


def _text(row: Mapping[str, Any]) -> str:
    return f"{row.get('side')} {row.get('amount')} @ {row.get('price')} ({row.get('clientOrderId') or row['id']})"
