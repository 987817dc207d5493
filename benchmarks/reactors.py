# ruff: noqa: PLC0415 - each client loads its own libraries only
"""Clients that do one thing: when the best ask falls to the limit, send an IOC buy. Ours, pybit and ccxt.pro.

Each runs in a process of its own, `python -m benchmarks.reactors NAME REST_URL WS_URL`, says "ready" when it may be
triggered, and ends when its standard input closes. Rivals decide with one comparison and send at once, as their
manuals show; ours goes the daemon's whole way: feed, inbox, engine, gate, journal, signer.
"""

import asyncio
import contextlib
import os
import re
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import uvloop

KEY, SECRET = "sandbox-key", "sandbox-secret-0123456789abcdef"
SYMBOL, QTY = "BTCUSDT", "0.001"
LIMIT = Decimal(60_000)


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _body(link_id: str, px: str) -> dict[str, object]:
    return {
        "category": "linear",
        "symbol": SYMBOL,
        "side": "Buy",
        "orderType": "Limit",
        "qty": QTY,
        "price": px,
        "timeInForce": "IOC",
        "orderLinkId": link_id,
        "positionIdx": 0,
        "reduceOnly": False,
    }


def _names() -> Callable[[], str]:
    stem, count = secrets.token_hex(4), iter(range(1, 1_000_000))
    return lambda: f"{stem}-{next(count)}"


def pybit_client(rest_url: str, ws_url: str, *, over_socket: bool) -> None:
    """React with pybit: its public WebSocket's callback sends through its HTTP client or its trade socket."""
    import pybit.unified_trading as unified

    class Local:
        def _connect(self, url: str) -> None:
            super()._connect(re.sub(r"^wss://[^/]+", ws_url, url))  # type: ignore[misc]

    class Public(Local, unified.WebSocket):  # type: ignore[misc]
        pass

    class Trade(Local, unified.WebSocketTrading):  # type: ignore[misc]
        pass

    http = unified.HTTP(api_key=KEY, api_secret=SECRET)
    http.endpoint = rest_url
    http.get_server_time()
    trade = Trade(testnet=False, api_key=KEY, api_secret=SECRET) if over_socket else None
    name, last = _names(), [Decimal(10**9)]

    def on_book(message: dict) -> None:  # type: ignore[type-arg]
        ask = min(Decimal(px) for px, _ in message["data"]["a"])
        if ask <= LIMIT < last[0]:
            body = _body(name(), str(ask))
            if trade is not None:
                trade.place_order(lambda _: None, **body)
            else:
                http.place_order(**body)
        last[0] = ask

    public = Public(testnet=False, channel_type="linear")
    public.orderbook_stream(50, SYMBOL, on_book)
    _ready()
    sys.stdin.read()
    os._exit(0)


async def ccxt_client(rest_url: str, ws_url: str, *, over_socket: bool) -> None:
    """React with ccxt.pro: watch the book, then create the order over REST or over its trade socket."""
    import ccxt.pro

    urls = {
        "api": {
            **dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest_url),
            "ws": {
                "public": {
                    kind: f"{ws_url}/v5/public/{kind}" for kind in ("spot", "linear", "inverse", "option")
                },
                "private": {
                    "spot": {"unified": f"{ws_url}/v5/private", "nonUnified": f"{ws_url}/spot/private/v3"},
                    "contract": f"{ws_url}/v5/private",
                    "usdc": f"{ws_url}/trade/option/usdc/private/v1",
                    "trade": f"{ws_url}/v5/trade",
                },
            },
        }
    }
    client = ccxt.pro.bybit(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "urls": urls,
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["linear"]}},
        }
    )
    symbol, name, last = "BTC/USDT:USDT", _names(), float("inf")
    await client.load_markets()
    await client.fetch_balance()  # its first private call asks what kind of account this is
    send = client.create_order_ws if over_socket else client.create_order
    limit = float(LIMIT)
    with contextlib.suppress(Exception):  # opens the trade socket; the order itself may be refused
        await send(symbol, "limit", "buy", 0.001, 1.0, {"orderLinkId": name(), "timeInForce": "IOC"})
    await client.watch_order_book(symbol, 50)
    _ready()
    while True:
        book = await client.watch_order_book(symbol, 50)
        ask = book["asks"][0][0] if book["asks"] else float("inf")
        if ask <= limit < last:
            await send(symbol, "limit", "buy", 0.001, ask, {"orderLinkId": name(), "timeInForce": "IOC"})
        last = ask


async def our_client(rest_url: str, ws_url: str, *, over_socket: bool, commit: bool) -> None:
    """React with the daemon: everything but its control interface."""
    from executor.domain.decision import Decision, Style, View, Why
    from executor.domain.events import DrainPolicy, EngineStarted, ParentSubmitted, ShutdownRequested
    from executor.domain.limits import Limits, Timings
    from executor.domain.orders import Category, ResidualRule, Side, StrategyParams, Urgency
    from executor.domain.timeline import NS_PER_S
    from executor.domain.units import Price, Quantity, install_decimal_context
    from executor.engine.engine import Engine
    from executor.runtime.clock import Clock
    from executor.runtime.journal import Journal
    from executor.runtime.live import LiveRuntime
    from executor.venues.bybit.access import Access, Way
    from executor.venues.bybit.gateway import BybitVenue
    from risk.turnstile import Turnstile
    from strategies.base import STRATEGIES
    from strategies.placement import wait
    from strategies.twap import Twap

    class OnTouch(Twap):
        """The rivals' rule as a strategy: buy one lot when the ask is at the limit."""

        def decide(self, view: View) -> Decision:
            if view.market.best_ask > LIMIT:
                return wait(Why.LIMIT_PRICE, view.now_ns + 60 * NS_PER_S)
            px, qty = Price(LIMIT), Quantity(Decimal(QTY))
            return Decision(
                style=Style.CROSS, qty=qty, px=px, why=Why.SLICE_CROSSING, wake_ns=view.now_ns + 60 * NS_PER_S
            )

    class Uncommitted(Journal):
        """The journal without its synchronous write, to show what that costs."""

        def commit(self) -> None:
            return

    install_decimal_context()
    STRATEGIES["on-touch"] = OnTouch()
    most = Decimal(10) ** 12
    limits = Limits(
        order_gap_s_min=Decimal("0.1"), orders_per_s_max=20, orders_per_min_max=1_200, orders_per_day_max=10**6,
        participation_pct_max=Decimal(100), children_per_parent_max=10**5, children_per_hour_max=10**5,
        amplification_max=Decimal(1000), volatility_hourly_pct_max=Decimal(100), price_collar_bps_max=Decimal(2_000),
        reference_gap_bps_max=Decimal(5_000),
        child_notional_max=most, open_notional_max=most, day_notional_max=most, position_notional_max=most,
        day_loss_max=most,
    )  # fmt: skip
    clock, turnstile = Clock(), Turnstile()
    access = Access(
        rest_url=rest_url, public_ws_url=ws_url, private_ws_url=ws_url, api_key=KEY, api_secret=SECRET,
        trade_ws_url=ws_url,
        order_entry=Way.WEBSOCKET if over_socket else Way.REST,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        kind = Journal if commit else Uncommitted
        journal = kind.open(Path(home) / "journal.db", create=True, instance=f"b{secrets.token_hex(3)}")
        venue = BybitVenue(
            access=access, instance=journal.instance, recv_window_ms=5_000, clock=clock, turnstile=turnstile,
            log=lambda _message, **_fields: None, seed=1,
        )  # fmt: skip
        async with venue:
            runtime = LiveRuntime(
                engine=Engine(journal.recover()), journal=journal, venue=venue, clock=clock, turnstile=turnstile,
                log=lambda _message, **_fields: None,
            )  # fmt: skip
            runtime.post(
                EngineStarted(
                    at_ns=0,
                    version="bench",
                    instance=journal.instance,
                    venue="bench",
                    limits=limits,
                    timings=Timings(volatility_warmup_s=1),
                    sentinel_required=False,
                    seed=1,
                )
            )
            stop = asyncio.Event()
            drain = ShutdownRequested(at_ns=0, policy=DrainPolicy.CANCEL)
            task = asyncio.create_task(runtime.run(stop, drain, 5.0))
            submitted = ParentSubmitted(
                at_ns=0, request_id="r", idempotency_key="k", body_sha256="b", category=Category.LINEAR, symbol=SYMBOL,
                side=Side.BUY, order_qty=Quantity(Decimal(10)), duration_s=3_600, residual=ResidualRule.LEAVE,
                extend_s=0, limit_px=Price(LIMIT), urgency=Urgency.HIGH, strategy="on-touch",
                params=StrategyParams(interval_s=3_600), reduce_only=False, position_idx=0, decision_px=None, seed=1,
            )  # fmt: skip
            await runtime.ask(submitted, "r")
            state = runtime.engine.state
            while not any(parent.status.value == "ACTIVE" for parent in state.parents.values()):
                if task.done():
                    task.result()
                await asyncio.sleep(0.05)
            _ready()
            await task


def main(name: str, rest_url: str, ws_url: str) -> None:
    """Run one client until standard input ends."""
    over_socket = "socket" in name
    if name.startswith("pybit"):
        pybit_client(rest_url, ws_url, over_socket=over_socket)
        return
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    if name.startswith("ccxt"):
        uvloop.run(ccxt_client(rest_url, ws_url, over_socket=over_socket))
    else:
        uvloop.run(our_client(rest_url, ws_url, over_socket=over_socket, commit="no commit" not in name))


if __name__ == "__main__":
    main(*sys.argv[1:4])
