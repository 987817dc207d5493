"""What a row is given: a fresh account on a venue, both libraries pointed at it, and the operator's hands."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from decimal import Decimal
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest

from sandbox.bybit_server import Credentials
from tests.conformance.calls import Client, Setting
from tests.conformance.venues import Venue
from tests.sandbox.venue_support import RawClient, poll_until

# The libraries are imported when a row uses them: who only reads the list need not wait for them.
if TYPE_CHECKING:
    import ccxt
    import pybit.unified_trading

D = Decimal
BTC: Final = {"category": "linear", "symbol": "BTCUSDT"}
ETH: Final = {"category": "linear", "symbol": "ETHUSDT"}
XRP: Final = {"category": "linear", "symbol": "XRPUSDT"}
SPOT: Final = {"category": "spot", "symbol": "BTCUSDT"}
INVERSE: Final = {"category": "inverse", "symbol": "BTCUSD"}
BTC_SWAP: Final = "BTC/USDT:USDT"
ETH_SWAP: Final = "ETH/USDT:USDT"
XRP_SWAP: Final = "XRP/USDT:USDT"
BTC_SPOT: Final = "BTC/USDT"
BTC_INVERSE: Final = "BTC/USD:BTC"
MAKER: Final = D("0.0002")
TAKER: Final = D("0.00055")
SPOT_FEE: Final = D("0.001")
FLOATS: Final = pytest.approx
LEFTOVERS: Final = (
    {"category": "linear", "settleCoin": "USDT"},
    {"category": "inverse", "settleCoin": "BTC"},
    {"category": "spot"},
    {"category": "spot", "orderFilter": "StopOrder"},
)
CCXT_MODULES: Final = {
    Client.CCXT: "ccxt",
    Client.CCXT_ASYNC: "ccxt.async_support",
    Client.CCXT_PRO: "ccxt.pro",
}
WSS_HOST: Final = re.compile(r"^wss://[^/]+")


class Awaited:
    """The synchronous ccxt client with the manners of the asynchronous one, so that a row is written once."""

    def __init__(self, exchange: ccxt.bybit) -> None:
        self._exchange = exchange

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._exchange, name)
        if not callable(value):
            return value

        async def call(*positional: Any, **named: Any) -> Any:
            return value(*positional, **named)

        return call


@contextmanager
def quiet_threads() -> Iterator[list[str]]:
    """Take note of exceptions that end threads of pybit, by class name, instead of failing the test."""
    died: list[str] = []
    before = threading.excepthook

    def note(details: threading.ExceptHookArgs) -> None:
        died.append(details.exc_type.__name__)

    threading.excepthook = note
    try:
        yield died
    finally:
        threading.excepthook = before


class Stage:
    """One row's account and clients. Whatever it opens, it closes."""

    def __init__(self, venue: Venue, setting: Setting) -> None:
        self.venue: Final = venue
        self.setting: Final = setting
        self.server: Final = venue.server
        self.key: Final[Credentials] = venue.fresh_key()
        self._numbers = iter(range(1000))
        self._exits = ExitStack()

    def close(self) -> None:
        """Withdraw what the row has left on the books, undo interventions, close sockets and sessions."""
        self._exits.close()
        self.control("DELETE", "/_fault")
        if self.setting is Setting.QUIET:
            for scope in LEFTOVERS:
                self.raw.post("/v5/order/cancel-all", scope)

    # ---- the operator ----------------------------------------------------------------------------------

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the control port."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.control_url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer: dict[str, Any] = json.loads(response.read())
        except urllib.error.HTTPError as error:
            pytest.fail(f"the operator's {body} was not understood: {error.read().decode()}")
        return answer

    def do(self, what: str, **fields: Any) -> dict[str, Any]:
        """Let the operator intervene."""
        return self.control("POST", "/_ex", {"do": what, **fields})

    def fault(self, **rule: Any) -> None:
        """Put up a rule of misbehaviour; it is taken down when the row ends."""
        self.control("POST", "/_fault", rule)

    def lay_book(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], **where: str) -> None:
        """Replace the anonymous orders of a symbol by these levels of price and quantity."""
        self.do("clear_crowd", **where)
        for side, levels in (("Buy", bids), ("Sell", asks)):
            for px, qty in levels:
                self.do("quote", **where, side=side, price=px, qty=qty)

    def btc_book(self) -> None:
        """Lay 64999.9 x 1, 64999.0 x 5 under 65000.1 x 0.02, 65000.5 x 0.5, 65010 x 5."""
        self.lay_book(
            [("64999.9", "1"), ("64999.0", "5")],
            [("65000.1", "0.02"), ("65000.5", "0.5"), ("65010.0", "5")],
            **BTC,
        )

    def spot_book(self) -> None:
        """Lay 64999.9 x 1, 64990 x 2 under 65000.1 x 0.01, 65001 x 2."""
        self.lay_book([("64999.9", "1"), ("64990", "2")], [("65000.1", "0.01"), ("65001", "2")], **SPOT)

    def inverse_book(self) -> None:
        """Lay 64999.5 x 10000 under 65000.5 x 2000, 65010 x 50000, in dollars."""
        self.lay_book([("64999.5", "10000")], [("65000.5", "2000"), ("65010", "50000")], **INVERSE)

    def print_trade(self, px: str, qty: str, side: str = "Buy", **where: str) -> None:
        """Let two strangers trade at a price, leaving no trace on the book."""
        self.do("quote", **where, side="Sell" if side == "Buy" else "Buy", price=px, qty=qty)
        self.do("trade", **where, side=side, price=px, qty=qty)

    @contextmanager
    def clock_moved(self, offset_ms: int) -> Iterator[None]:
        """Set the venue's clock off by so much for a while."""
        self.do("clock", offset_ms=offset_ms)
        try:
            yield
        finally:
            self.do("clock", offset_ms=0)

    def truth(self) -> dict[str, Any]:
        """Return the venue's own books of this account."""
        books: dict[str, Any] = self.control("GET", "/_truth")["accounts"][str(self.key.uid)]
        return books

    def truth_of(self, order_id: str) -> dict[str, Any]:
        """Return what the venue's own books say of one order of this account."""
        found: dict[str, Any] = next(row for row in self.truth()["orders"] if row["orderId"] == order_id)
        return found

    def link(self) -> str:
        """Return an order link id nobody has used."""
        return f"{self.key.key}-{next(self._numbers)}"

    # ---- pybit -----------------------------------------------------------------------------------------

    @cached_property
    def raw(self) -> RawClient:
        """A client of no library, for cleaning up."""
        return RawClient(self.server.rest_url, self.key)

    @cached_property
    def http(self) -> pybit.unified_trading.HTTP:
        """pybit's REST client, told not to retry by itself."""
        return self.pybit_http(retry_codes={-999}, max_retries=1)

    def pybit_http(self, **options: Any) -> pybit.unified_trading.HTTP:
        """Return a REST client of pybit for the row's account, or for the one in ``options``."""
        identity = {"api_key": self.key.key, "api_secret": self.key.secret}
        session = import_module("pybit.unified_trading").HTTP(**{**identity, **options})
        session.endpoint = self.server.rest_url
        self._exits.callback(session.client.close)
        return session

    @property
    def invalid_request(self) -> type[Exception]:
        """What pybit raises for a code of the venue."""
        return import_module("pybit.exceptions").InvalidRequestError

    @property
    def failed_request(self) -> type[Exception]:
        """What pybit raises for an HTTP status, and for a body that is not JSON."""
        return import_module("pybit.exceptions").FailedRequestError

    def refusal(self, call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
        """Return code and text of the ``InvalidRequestError`` with which a call of pybit must end."""
        with pytest.raises(self.invalid_request) as caught:
            call(**arguments)
        error: Any = caught.value
        return error.status_code, error.message

    def socket(self, channel: str, *, waits: bool = True, **options: Any) -> Any:
        """Return a socket of pybit: a public category, ``private`` or ``trade``; ``waits`` until it may be used."""
        import pybit.unified_trading as client

        ws_url = self.server.ws_url

        class LocalSocket(client.WebSocket):
            def _connect(self, url: str) -> None:
                super()._connect(WSS_HOST.sub(ws_url, url))

        class LocalTrading(client.WebSocketTrading):
            def _connect(self, url: str) -> None:
                super()._connect(WSS_HOST.sub(ws_url, url))

        if channel in {"private", "trade"}:
            options = {"api_key": self.key.key, "api_secret": self.key.secret, **options}
        if channel == "trade":
            socket = LocalTrading(testnet=False, **options)
        else:
            socket = LocalSocket(testnet=False, channel_type=channel, **options)
        self._exits.callback(socket.exit)
        if waits and channel in {"private", "trade"}:
            poll_until(lambda: socket.auth)
        return socket

    # ---- ccxt ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def ccxt_client(self, client: Client, *, loads: bool = True, **settings: Any) -> AsyncIterator[Any]:
        """Open a ccxt client of the wanted kind, with its markets loaded unless ``loads`` is false."""
        if loads and settings and self.venue.ccxt_markets is None:
            async with self.ccxt_client(client):
                pass  # markets are loaded by a client of the usual settings, whichever row comes first
        exchange = import_module(CCXT_MODULES[client]).bybit(self.ccxt_config(**settings))
        polite = Awaited(exchange) if client is Client.CCXT else exchange
        try:
            if loads and self.venue.ccxt_markets is None:
                await polite.load_markets()
                self.venue.ccxt_markets = (exchange.markets, exchange.currencies)
            elif loads:
                exchange.set_markets(*self.venue.ccxt_markets)
            yield polite
        finally:
            if client is Client.CCXT:
                exchange.session.close()
            else:
                await exchange.close()

    def ccxt_pro(self, **settings: Any) -> Any:
        """Open ``ccxt.pro.bybit`` (an asynchronous context)."""
        return self.ccxt_client(Client.CCXT_PRO, **settings)

    def ccxt_config(self, **settings: Any) -> dict[str, Any]:
        """Return the constructor argument that points ccxt at the venue; nothing else of it is touched."""
        rest, ws = self.server.rest_url, self.server.ws_url
        return {
            "apiKey": self.key.key,
            "secret": self.key.secret,
            "enableRateLimit": False,
            "verify": False,  # no certificates to read: the venue speaks plain HTTP
            "urls": {
                "api": {
                    **dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest),
                    "ws": {
                        "public": {c: f"{ws}/v5/public/{c}" for c in ("spot", "linear", "inverse", "option")},
                        "private": {
                            "spot": {"unified": f"{ws}/v5/private", "nonUnified": f"{ws}/spot/private/v3"},
                            "contract": f"{ws}/v5/private",
                            "usdc": f"{ws}/trade/option/usdc/private/v1",
                            "trade": f"{ws}/v5/trade",
                        },
                    },
                }
            },
            "options": {"fetchMarkets": {"types": ["spot", "linear", "inverse"]}},
            **settings,
        }

    async def ccxt_refusal(self, error_name: str, attempt: Any) -> str:
        """Return the text of the ccxt error of exactly this class with which an awaitable must end."""
        with pytest.raises(import_module("ccxt").BaseError) as caught:
            await attempt
        assert type(caught.value).__name__ == error_name, repr(caught.value)
        return str(caught.value)
