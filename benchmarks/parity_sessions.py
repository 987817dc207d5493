"""An order worked while a recording is played: by the daemon's runtime, over real sockets, live or on paper."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

from config.load import load_settings
from executor.app.paper import paper_terms, public_access
from executor.domain.approval import Approved
from executor.domain.commands import Subscribe
from executor.domain.events import DrainPolicy, EngineStarted, Event, ParentSubmitted, ShutdownRequested
from executor.domain.limits import Limits, Timings
from executor.domain.orders import NewOrder
from executor.domain.timeline import NS_PER_MS
from executor.engine.engine import Engine
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from executor.venues.bybit.access import Access
from executor.venues.bybit.gateway import BybitVenue
from executor.venues.paper.account_file import NAME, AccountFile
from executor.venues.paper.venue import PaperVenue
from risk.turnstile import Turnstile
from sandbox.bybit_server import Credentials, RunningServer, SandboxOptions, running_server
from sandbox.bybit_server.clock import SystemClock
from sandbox.bybit_server.recorded_market import PlaySettings, RecordedMarket
from sandbox.bybit_server.recording import find_recording

SEED = 2
LIMITS = Limits(
    references_min=0,
    participation_pct_max=Decimal(100_000),
    volatility_hourly_pct_max=Decimal(1_000),
    order_gap_s_min=Decimal("0.2"),
    orders_per_s_max=50,
    orders_per_min_max=1_000,
)
"""Nothing that hangs on how long the market was watched: that is not what is compared."""
TIMINGS = Timings(volatility_warmup_s=1)
PAPER_ENTRY_MS: Final = 100
"""Longer than the feed takes, so that an order still has a way to go when the book that is seen is the exchange's."""
_PAPER: Final = {
    "EXECUTOR_PAPER__ENTRY_MS": str(PAPER_ENTRY_MS),
    "EXECUTOR_PAPER__BALANCE": "1000000000",
    "EXECUTOR_MARKET__BOOK_DEPTH": "50",
}
_NAP_S = 0.02
_START_S_MAX = 30.0

Session = tuple[int, dict[str, int]]
"""What leads from the clock of the journal to that of the recording, and when each order met a book."""
Venue = BybitVenue | PaperVenue
OpenVenue = Callable[[RunningServer, Clock, Turnstile], AbstractAsyncContextManager[Venue]]


async def live_session(data: Path, order: ParentSubmitted, folder: Path, *, warmup_s: int) -> Session:
    """Work an order at the exchange that plays the recording; the journal is `live.db` in a folder."""
    key, taken_ns = Credentials(), {}

    @asynccontextmanager
    async def opened(server: RunningServer, clock: Clock, turnstile: Turnstile) -> AsyncIterator[Venue]:
        access = Access(
            rest_url=server.rest_url,
            public_ws_url=server.ws_url,
            private_ws_url=server.ws_url,
            trade_ws_url=server.ws_url,
            api_key=key.key,
            api_secret=key.secret,
            request_timeout_s=5.0,
        )
        async with BybitVenue(
            access=access, instance="parity", recv_window_ms=5_000, clock=clock, turnstile=turnstile,
            log=_silent, seed=SEED,
        ) as venue:  # fmt: skip
            yield venue
        orders = server.exchange.accounts[key.uid].orders.values()
        taken_ns.update({one.link_id: one.created_ms * NS_PER_MS for one in orders})

    return await _session(data, order, folder, opened, warmup_s), taken_ns


class _TimedPaper(PaperVenue):
    """Paper trading that says when its orders met the book."""

    taken_ns: dict[str, int]

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one order to its desk, which it reaches after the way that is set."""
        self.taken_ns[approved.order.client_order_id] = self._clock.now_ns() + PAPER_ENTRY_MS * NS_PER_MS
        return await super().place(approved)


async def paper_session(data: Path, order: ParentSubmitted, folder: Path, *, warmup_s: int) -> Session:
    """Work an order on paper in the market that the exchange plays; the journal is `live.db` in a folder."""
    taken_ns: dict[str, int] = {}

    @asynccontextmanager
    async def opened(server: RunningServer, clock: Clock, turnstile: Turnstile) -> AsyncIterator[Venue]:
        urls = {"EXECUTOR_VENUE__REST_URL": server.rest_url, "EXECUTOR_VENUE__PUBLIC_WS_URL": server.ws_url}
        settings = load_settings("paper", None, _PAPER | urls, yes_live=False)
        with AccountFile(folder / NAME) as file:
            async with _TimedPaper(
                access=public_access(settings), instance="parity", clock=clock, turnstile=turnstile,
                log=_silent, seed=SEED, terms=paper_terms(settings.paper), file=file,
            ) as venue:  # fmt: skip
                venue.taken_ns = taken_ns
                yield venue
        if any(account.orders for account in server.exchange.accounts.values()):
            raise SystemExit("an order on paper has reached the exchange")

    return await _session(data, order, folder, opened, warmup_s), taken_ns


async def _session(data: Path, order: ParentSubmitted, folder: Path, opened: OpenVenue, warmup_s: int) -> int:
    """Play, watch, and work the order; gives what leads from the journal's clock to that of the recording."""
    played = find_recording(data, order.symbol, category=order.category.value)
    settings = PlaySettings(recording=played, say=lambda _text: None)
    clock, turnstile = Clock(), Turnstile()
    async with running_server(SandboxOptions(played=settings, address_requests_max=0)) as server:
        with Journal.open(folder / "live.db", create=True, instance="parity") as journal:
            async with opened(server, clock, turnstile) as venue:
                runtime = LiveRuntime(
                    engine=Engine(),
                    journal=journal,
                    venue=venue,
                    clock=clock,
                    turnstile=turnstile,
                    log=_silent,
                )
                await _drive(runtime, venue, order, warmup_s)
        market = server.exchange.flows[order.category.value, order.symbol]
        assert isinstance(market, RecordedMarket)
        return market.recorded_ns(SystemClock().monotonic_ns()) - clock.now_ns()


async def _drive(runtime: LiveRuntime, venue: Venue, order: ParentSubmitted, warmup_s: int) -> None:
    stop = asyncio.Event()
    runtime.post(
        EngineStarted(
            at_ns=0, version="", instance="parity", venue="played", limits=LIMITS, timings=TIMINGS,
            sentinel_required=False, seed=SEED,
        )
    )  # fmt: skip
    task = asyncio.create_task(
        runtime.run(stop, ShutdownRequested(at_ns=0, policy=DrainPolicy.CANCEL), drain_s=8.0)
    )

    async def until(condition: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                if task.done():
                    task.result()
                    raise SystemExit("the daemon ended by itself")
                await asyncio.sleep(_NAP_S)

    try:
        venue.subscribe(Subscribe(category=order.category, symbol=order.symbol))
        await until(lambda: _watches(runtime), _START_S_MAX)
        await asyncio.sleep(warmup_s)
        reply = await runtime.ask(order, order.request_id)
        state = runtime.engine.state
        if not reply.parent_id:
            raise SystemExit(f"the order was refused: {reply.text}")
        await until(lambda: state.parents[reply.parent_id].is_final, order.duration_s + _START_S_MAX)
    finally:
        stop.set()
        await task


def _watches(runtime: LiveRuntime) -> bool:
    return any(market.snapshot is not None for market in runtime.engine.state.markets.values())


def _silent(message: str, **fields: object) -> None:
    """Say nothing."""
