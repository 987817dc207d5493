"""Paper trading over real sockets: a local exchange's public streams, and an account that exists here only."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import aiohttp
import pytest

from backtest.dataset.rows import DTYPES, Kind
from config.load import load_settings
from executor.app.paper import paper_terms, public_access
from executor.app.start import started
from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, Outcome, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import JournalError
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelAcked,
    CancelFoundNothing,
    DrainPolicy,
    InstrumentMissing,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderNotSent,
    OrderRejected,
    OrderUpdated,
    Reconciled,
    ReplaceAcked,
    ShutdownRequested,
    Stream,
    StreamChanged,
    VenueStatus,
)
from executor.domain.orders import Category, Liquidity, Replacement, ResidualRule, StrategyParams, TimeInForce
from executor.engine.engine import Engine
from executor.engine.report import parent_facts
from executor.interfaces.control import DaemonInfo
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from executor.venues.paper.account_file import AccountFile
from executor.venues.paper.venue import PaperVenue
from impact.shortfall import as_json, make_report
from risk.turnstile import Turnstile
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server
from sandbox.bybit_server.recorded_market import PlaySettings
from sandbox.bybit_server.recording import find_recording
from simulation.replay import codes
from simulation.replay.terms import ReplayTerms
from simulation.replay.twin import ReplayTwin
from tests.builders import D, new_order, submitted
from tests.faults.stage import LIMITS, NAP_S, TIMINGS
from tests.sandbox.played_days import T0_NS, row, snapshot, store
from tests.venues.venue_bench import Heard

BTC = dict(category=Category.LINEAR, symbol="BTCUSDT")


class Bench:
    """An exchange, and one paper account after the other in its market."""

    def __init__(self, server, folder, **settings) -> None:
        self.server, self.folder, self.lines = server, folder, []
        environ = {
            "EXECUTOR_VENUE__REST_URL": server.rest_url,
            "EXECUTOR_VENUE__PUBLIC_WS_URL": server.ws_url,
            **{f"EXECUTOR_PAPER__{name.upper()}": value for name, value in settings.items()},
        }
        self.settings = load_settings("paper", None, environ, yes_live=False)
        self.turnstile = Turnstile()
        self._tickets, self._names = itertools.count(1), itertools.count(1)

    def log(self, message, **fields):
        self.lines.append((message, fields))

    async def do(self, what, **fields):
        body = {"do": what, "symbol": "BTCUSDT", **fields}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.server.control_url}/_ex", json=body) as response,
        ):
            assert response.status == 200, await response.text()

    async def quote(self, side, px, qty):
        await self.do("quote", side=side, price=px, qty=qty)

    async def trade(self, side, px, qty):
        await self.do("trade", side=side, price=px, qty=qty)

    @asynccontextmanager
    async def venue(self, clock=None):
        """One life of the account."""
        with AccountFile(self.folder / "paper.jsonl") as file:
            async with PaperVenue(
                access=public_access(self.settings),
                instance="x",
                clock=clock or Clock(),
                turnstile=self.turnstile,
                log=self.log,
                seed=1,
                terms=paper_terms(self.settings.paper),
                file=file,
            ) as venue:
                yield venue

    @asynccontextmanager
    async def life(self, symbol="BTCUSDT"):
        """One life, with the market of a symbol followed."""
        async with self.venue() as venue:
            self.account, heard = venue, Heard()
            task = asyncio.create_task(venue.run(heard))
            venue.subscribe(Subscribe(category=Category.LINEAR, symbol=symbol))
            try:
                await heard.one(BookUpdated)
                yield heard
                assert not task.done(), task.exception()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def approved(self, order, **over):
        return replace(Approved(order=order, ticket=next(self._tickets), halt_epoch=0), **over)

    async def place(self, **over):
        order = new_order(
            **{**dict(client_order_id=f"x-1-{next(self._names)}", px=D("65000"), qty=D("0.1")), **over}
        )
        return order, await self.account.place(self.approved(order))

    async def reconcile(self):
        return await self.account.reconcile(
            Reconcile(category=Category.LINEAR, symbols=("BTCUSDT",), since_ms=0)
        )


@asynccontextmanager
async def bench(folder, **settings):
    options = SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)
    async with running_server(options) as server:
        there = Bench(server, folder, **settings)
        for side, px, qty in (
            ("Buy", "65000", "2"),
            ("Buy", "64999", "3"),
            ("Sell", "65001", "1"),
            ("Sell", "65002", "4"),
        ):
            await there.quote(side, px, qty)
        yield there


async def test_an_order_waits_in_the_queue_that_is_seen_and_is_filled_by_public_trades(tmp_path):
    async with bench(tmp_path) as there, there.life() as heard:
        assert [event.stream for event in heard.events if isinstance(event, StreamChanged) and event.live][
            :2
        ] == [
            Stream.PRIVATE,
            Stream.TRADE,
        ]
        order, acked = await there.place()
        assert isinstance(acked, OrderAcked)
        assert acked.venue_order_id.startswith("paper-")
        await heard.one(OrderUpdated, client_order_id=order.client_order_id, status=VenueStatus.NEW)
        await there.trade("Sell", "65000", "1.95")
        await there.quote("Buy", "65000", "1")
        await there.trade("Sell", "65000", "0.08")
        filled = await heard.one(OrderFilled)
        fill = filled.fill
        assert (fill.last_qty, fill.last_px, fill.liquidity) == (D("0.03"), D("65000"), Liquidity.MAKER)
        assert fill.fee == D("0.03") * 65_000 * D("0.0002")
        assert fill.exec_id.startswith("paper-")
        new = Replacement(
            client_order_id=order.client_order_id,
            parent_id="P1",
            **BTC,
            side=order.side,
            qty=D("0.05"),
            px=order.px,
        )
        assert isinstance(await there.account.replace(there.approved(new)), ReplaceAcked)
        await there.trade("Sell", "64999", "1")
        done = await heard.one(OrderUpdated, client_order_id=order.client_order_id, status=VenueStatus.FILLED)
        assert (done.qty, done.cum_qty) == (D("0.05"), D("0.05"))
        # Nothing of it ever reached the exchange.
        assert not any(account.orders for account in there.server.exchange.accounts.values())


async def test_an_order_that_takes_walks_the_book_and_what_it_took_stays_taken(tmp_path):
    async with bench(tmp_path) as there, there.life() as heard:
        buy = dict(px=D("65002"), time_in_force=TimeInForce.IOC)
        await there.place(**buy, qty=D("1.5"))
        await there.place(**buy, qty=D("4"))
        await heard.until(lambda events: sum(isinstance(event, OrderFilled) for event in events) == 3)
        fills = [event.fill for event in heard.events if isinstance(event, OrderFilled)]
        assert [(fill.last_px, fill.last_qty) for fill in fills] == [
            (D("65001"), D("1")), (D("65002"), D("0.5")), (D("65002"), D("3.5")),
        ]  # fmt: skip
        last = await heard.one(OrderUpdated, client_order_id="x-1-2", status=VenueStatus.CANCELED)
        assert (last.cum_qty, last.detail) == (D("3.5"), "nothing more within the limit price")
        done = (await there.reconcile())[-1]
        assert isinstance(done, Reconciled)
        assert done.positions[0].qty == D("5.0")


async def test_what_cannot_be_is_refused_and_what_was_halted_is_not_sent(tmp_path):
    async with bench(tmp_path, balance="1000") as there, there.life() as heard:
        _, poor = await there.place(qty=D("1"))
        assert isinstance(poor, OrderRejected)
        assert poor.unfunded
        _, odd = await there.place(qty=D("0.0005"))
        assert isinstance(odd, OrderRejected)
        assert not odd.unfunded
        _, other = await there.place(symbol="NOSUCHUSDT")
        assert isinstance(other, OrderRejected)
        order, _ = await there.place()
        cancel = CancelOrder(**BTC, client_order_id=order.client_order_id)
        assert isinstance(await there.account.cancel(cancel), CancelAcked)
        assert isinstance(await there.account.cancel(cancel), CancelFoundNothing)
        there.account.subscribe(Subscribe(category=Category.INVERSE, symbol="BTCUSD"))
        assert "not simulated" in (await heard.one(InstrumentMissing)).detail
        assert [
            type(event) for event in await there.account.query(QueryOrder(**BTC, client_order_id="x-9-9"))
        ] == [OrderAbsent]
        there.turnstile.follow(1, closed=True)
        _, halted = await there.place()
        assert isinstance(halted, OrderNotSent)


async def test_a_lost_stream_costs_no_order_and_no_place(tmp_path):
    async with bench(tmp_path) as there, there.life() as heard:
        order, _ = await there.place()
        await there.trade("Sell", "65000", "2")
        await there.quote("Buy", "65000", "1")
        await there.trade("Sell", "65000", "0.04")
        await heard.one(OrderFilled)
        await there.do("cut_public")
        await heard.one(BookLost)
        before = len(heard.events)
        await heard.until(lambda events: any(isinstance(event, BookUpdated) for event in events[before:]))
        # 0.96 of others are seen at the price after the reconnect, and all of them came later.
        await there.trade("Sell", "65000", "0.06")
        await heard.one(OrderUpdated, client_order_id=order.client_order_id, status=VenueStatus.FILLED)
        events = await there.account.query(QueryOrder(**BTC, client_order_id=order.client_order_id))
        assert [type(event) for event in events] == [OrderFilled, OrderFilled, OrderUpdated]


async def test_a_restart_finds_the_orders_and_the_position(tmp_path):
    async with bench(tmp_path) as there:
        async with there.life() as heard:
            await there.place(px=D("65001"), qty=D("0.3"), time_in_force=TimeInForce.IOC)
            order, _ = await there.place()
            await heard.one(OrderUpdated, client_order_id=order.client_order_id, status=VenueStatus.NEW)
        async with there.life() as heard:
            *told, done = await there.reconcile()
            assert [event.fill.last_qty for event in told if isinstance(event, OrderFilled)] == [D("0.3")]
            assert (done.open_client_order_ids, done.foreign_open_orders) == ((order.client_order_id,), 0)
            assert done.positions[0].qty == D("0.3")
            await there.trade("Sell", "64999", "3")
            fill = (await heard.one(OrderFilled)).fill
            assert (fill.exec_id, fill.last_px, fill.last_qty) == ("paper-2", D("65000"), D("0.1"))
        async with there.venue() as venue:
            there.account = venue
            gone = CancelOrder(**BTC, client_order_id=order.client_order_id)
            assert isinstance(await venue.cancel(gone), CancelFoundNothing)


@asynccontextmanager
async def daemon(there, symbol="BTCUSDT"):
    """A whole daemon but for its interfaces."""
    clock = Clock()
    with Journal.open(there.folder / "journal.db", create=True, instance="x") as journal:
        async with there.venue(clock) as venue:
            engine = Engine(journal.recover())
            there.turnstile = Turnstile()
            venue._turnstile = there.turnstile
            runtime = LiveRuntime(
                engine=engine,
                journal=journal,
                venue=venue,
                clock=clock,
                turnstile=there.turnstile,
                log=there.log,
            )
            settings = replace(there.settings, limits=LIMITS, timings=TIMINGS)
            info = DaemonInfo(version="test", instance="x", venue="bybit-paper", profile="paper", pid=1)
            runtime.post(started(settings, info, None))
            stop = asyncio.Event()
            drain = ShutdownRequested(at_ns=0, policy=DrainPolicy.LEAVE)
            task = asyncio.create_task(runtime.run(stop, drain, 5.0))
            try:
                yield runtime
            finally:
                stop.set()
                await task


async def until(condition, deadline_s=40.0):
    async with asyncio.timeout(deadline_s):
        while not (found := condition()):
            assert not asyncio.current_task().cancelling()
            await asyncio.sleep(NAP_S)
        return found


async def test_a_parent_works_to_completion_through_a_lost_stream_and_a_restart(tmp_path):
    options = SandboxOptions(address_requests_max=0)
    async with running_server(options) as server:
        there = Bench(server, tmp_path)
        async with daemon(there) as runtime:
            event = submitted(
                request_id="r1", idempotency_key="k1", order_qty=D("0.06"), duration_s=9, seed=1,
                residual=ResidualRule.CROSS, params=StrategyParams(interval_s=3, passiveness=D("0.5")),
            )  # fmt: skip
            reply = await runtime.ask(event, "r1")
            assert reply.outcome is Outcome.ACCEPTED, reply
            state = runtime.engine.state
            await until(lambda: state.parents[reply.parent_id].cum_qty)
            await there.do("cut_public")
        async with daemon(there) as runtime:
            state = runtime.engine.state
            parent = state.parents[reply.parent_id]
            await until(lambda: parent.is_final)
            report = make_report(parent_facts(state, parent))
        assert parent.cum_qty == D("0.06"), there.lines[-10:]
        assert as_json(report)["venue"] == "bybit-paper"
        async with there.venue() as venue:
            fills = [fill for entry in venue.account.orders.values() for fill in entry.executions]
            assert sum(fill.last_qty for fill in fills) == D("0.06")
            assert venue.account.position_qty((Category.LINEAR, "BTCUSDT")) == D("0.06")
            assert venue.account.open_orders() == []
            assert {fill.key for fill in fills} == set(state.executions)
        assert not any(account.orders for account in server.exchange.accounts.values())


RECORDED = [
    *snapshot([(1000, 50), (999, 70), (998, 10)], [(1002, 40), (1003, 60), (1005, 9)]),
    row(300, Kind.TRADE, -1, 1000, 30),
    row(300, Kind.LEVEL, 1, 1000, 20),
    row(300, Kind.LEVEL, 1, 1001, 5),
    row(600, Kind.TRADE, -1, 1000, 25),
    row(600, Kind.LEVEL, 1, 1000, 1),
    row(600, Kind.LEVEL, 1, 1001, 0),
    row(900, Kind.LEVEL, -1, 1002, 0),
    row(900, Kind.LEVEL, -1, 1003, 55),
    row(1200, Kind.TRADE, -1, 997, 12),
    row(1200, Kind.LEVEL, 1, 1000, 0),
    row(1200, Kind.LEVEL, 1, 999, 0),
    row(1200, Kind.LEVEL, 1, 998, 8),
    row(1500, Kind.LEVEL, -1, 1001, 25),
    row(60_000, Kind.LEVEL, 1, 900, 1),
]
TRIED = [
    ("x-1-1", 1000, 10, "PostOnly"),
    ("x-1-2", 998, 4, "PostOnly"),
    ("x-1-3", 1003, 45, "IOC"),
    ("x-1-4", 1001, 30, "PostOnly"),
]
"""Three that rest and one that takes, all sent before anything else happens; 1 tick is 0.1 and 1 lot 0.01."""


def replayed():
    """What the replay venue makes of it without latencies: fills by order, as price, quantity and whether it waited."""
    twin = ReplayTwin(ReplayTerms(), start_ns=T0_NS)
    twin.feed(SimpleNamespace(**dict(zip(DTYPES, zip(*RECORDED, strict=True), strict=True))), final=True)
    twin.advance(T0_NS)
    for number, (_, px, lots, tif) in enumerate(TRIED):
        twin.place(number, 1, px, lots, codes.IOC if tif == "IOC" else codes.POST_ONLY)
    twin.advance(T0_NS + 120_000_000_000)
    return sorted(
        (TRIED[answer.order_id][0], D(answer.px) / 10, D(answer.qty) / 100, answer.detail == codes.MAKER)
        for answer in twin.answers()
        if answer.kind == codes.FILLED
    )


MOMENTS = [
    (T0_NS + at_ms * 1_000_000, bid_ticks, ask_ticks)
    for at_ms, bid_ticks, ask_ticks in (
        (300, 1001, 1002),
        (600, 1000, 1002),
        (900, 1000, 1003),
        (1200, 998, 1003),
        (1500, 998, 1001),
    )
]
"""Every moment at which something is recorded, with the touch after it; each moves, since that is told at once."""


APART_S = 2 * ReplayTerms().print_lag_ns / 1_000_000_000
"""What is nearer may belong together, as a print and what it takes off the book."""


def is_shown(events, touch):
    """Whether the last book that was heard has this touch."""
    last = next(event.market for event in reversed(events) if isinstance(event, BookUpdated))
    return {name: getattr(last, name) for name in touch} == touch


async def test_paper_on_a_played_recording_fills_as_its_replay_does(tmp_path):
    # Played so slowly that nothing moves by itself: moments that a busy machine shows as one are other moments.
    recording = find_recording(store(tmp_path / "store", RECORDED), "ABCUSDT")
    speed = Fraction(1, 1_000)
    settings = PlaySettings(recording=recording, speed=speed, say=lambda text: None)
    expected = replayed()
    assert len(expected) == 6
    async with running_server(SandboxOptions(played=settings)) as server:
        flow = server.exchange.flows["linear", "ABCUSDT"]
        there = Bench(server, tmp_path)
        async with there.life("ABCUSDT") as heard:
            for name, px, lots, tif in TRIED:
                terms = dict(px=D(px) / 10, qty=D(lots) / 100, time_in_force=TimeInForce(tif))
                await there.place(client_order_id=name, symbol="ABCUSDT", **terms)
            for at_ns, bid_ticks, ask_ticks in MOMENTS:
                flow.advance(int((at_ns + 1_000 - flow.recorded_ns(0)) / speed))
                touch = {"best_bid": D(bid_ticks) / 10, "best_ask": D(ask_ticks) / 10}
                await heard.until(lambda events, touch=touch: is_shown(events, touch))
                await asyncio.sleep(APART_S)

            def fills(events):
                return sorted(
                    (fill.client_order_id, fill.last_px, fill.last_qty, fill.liquidity is Liquidity.MAKER)
                    for fill in (event.fill for event in events if isinstance(event, OrderFilled))
                )

            await heard.until(lambda events: len(fills(events)) >= len(expected))
            assert fills(heard.events) == expected


async def test_an_account_that_cannot_be_written_ends_the_venue_and_tells_nothing(tmp_path, monkeypatch):
    async with bench(tmp_path) as there, there.venue() as venue:
        there.account, heard = venue, Heard()
        task = asyncio.create_task(venue.run(heard))
        venue.subscribe(Subscribe(**BTC))
        await heard.one(BookUpdated)

        def full(_records):
            raise JournalError("no space left on device")

        monkeypatch.setattr(venue._file, "write", full)
        order = there.approved(new_order(px=D("65000"), qty=D("0.1")))
        waiting = asyncio.create_task(venue.place(order))
        with pytest.raises(ExceptionGroup) as caught:
            await task
        assert caught.group_contains(JournalError, match="no space left")
        assert not any(isinstance(event, OrderUpdated | OrderFilled) for event in heard.events)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
