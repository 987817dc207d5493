"""A venue that answers slowly while streams come and go: what nobody has a use for any more holds nothing up."""

import asyncio

import pytest
from aiohttp import web

from executor.domain.events import (
    Event,
    ExecutionUnexplained,
    OrderAbsent,
    OrderFilled,
    OrderUpdated,
    Reconciled,
    ReconcileFailed,
)
from executor.domain.orders import Category
from tests.venues.queries_bench import at_time, exchange_desk, listed, scripted_desk
from tests.venues.test_queries_complete import NOW_MS, execution, order_row

EXECUTIONS = "/v5/execution/list"
OPEN = "/v5/order/realtime"


class Slow:
    """Holds the answers to one path back until it is let go; everything else is empty."""

    def __init__(self, path):
        self.path, self.held, self.let_go, self.came = path, 0, asyncio.Event(), asyncio.Event()

    def __call__(self, path, _query):
        if path == "/v5/market/time":
            return at_time(NOW_MS)
        return self._hold if path == self.path else listed()

    async def _hold(self, _request):
        self.held += 1
        self.came.set()
        await self.let_go.wait()
        return web.json_response({"retCode": 0, "result": {"list": [], "nextPageCursor": ""}})


async def test_a_newer_read_of_everything_does_not_wait_behind_those_of_lost_streams():
    slow = Slow(EXECUTIONS)
    async with scripted_desk(slow, timeout_s=20) as (script, desk), asyncio.timeout(15):
        reads = []
        for _ in range(8):
            slow.came.clear()
            reads.append(asyncio.create_task(desk.reconcile()))
            await slow.came.wait()
        *given_up, newest = reads
        for (failed,) in await asyncio.gather(*given_up):
            assert isinstance(failed, ReconcileFailed)
            assert "newer" in failed.detail
        assert not newest.done()
        slow.let_go.set()
        assert isinstance((await newest)[-1], Reconciled)
        assert slow.held == 8, "none was asked on for after it was given up"
        assert len(script.of("/v5/position/list")) == 1


async def test_a_read_that_was_given_up_before_it_began_asks_nothing():
    slow = Slow(EXECUTIONS)
    async with scripted_desk(slow, timeout_s=20) as (script, desk), asyncio.timeout(15):
        slow.let_go.set()
        answers = await asyncio.gather(*(desk.reconcile() for _ in range(20)))
        assert [type(each[-1]) for each in answers] == [ReconcileFailed] * 19 + [Reconciled]
        asked = [each[-1].asked_ns for each in answers]
        assert asked == sorted(asked)
        assert len(script.of(EXECUTIONS)) == 1


async def test_reads_of_two_categories_do_not_disturb_each_other():
    slow = Slow(EXECUTIONS)
    async with scripted_desk(slow, timeout_s=20) as (_, desk), asyncio.timeout(15):
        linear = asyncio.create_task(desk.reconcile())
        await slow.came.wait()
        inverse = asyncio.create_task(desk.reconcile("BTCUSD", category=Category.INVERSE))
        slow.let_go.set()
        for read in (linear, inverse):
            assert isinstance((await read)[-1], Reconciled)


async def test_who_no_longer_waits_for_a_read_ends_it():
    slow = Slow(EXECUTIONS)
    async with scripted_desk(slow, timeout_s=20) as (script, desk), asyncio.timeout(15):
        read = asyncio.create_task(desk.reconcile())
        await slow.came.wait()
        read.cancel()
        await asyncio.gather(read, return_exceptions=True)
        assert read.cancelled()
        slow.let_go.set()
        assert isinstance((await desk.reconcile())[-1], Reconciled)
        assert len(script.of("/v5/position/list")) == 1


async def test_a_question_about_an_order_that_waits_already_does_not_make_the_line_longer():
    """The engine asks again after a minute; a venue that is slower than that must not be asked more and more."""
    slow = Slow(EXECUTIONS)
    async with scripted_desk(slow, timeout_s=20) as (script, desk), asyncio.timeout(15):
        first = asyncio.create_task(desk.look_for("x-1-1"))
        await slow.came.wait()
        asked_ns = desk.clock.now_ns()
        again = [asyncio.create_task(desk.look_for(name)) for name in ["x-1-1", "x-1-2"] * 5]
        await asyncio.sleep(0)
        slow.let_go.set()
        (absent,) = await first
        assert isinstance(absent, OrderAbsent)
        assert absent.asked_ns < asked_ns
        told = await asyncio.gather(*again)
        assert [len(events) for events in told] == [1, 1] + [0] * 8
        assert all(events[0].asked_ns >= asked_ns for events in told[:2]), (
            "asked after the question, not before"
        )
        assert len(script.of(EXECUTIONS)) == 3


async def test_a_question_that_was_given_up_in_line_leaves_the_line():
    slow = Slow(EXECUTIONS)
    async with scripted_desk(slow, timeout_s=20) as (_, desk), asyncio.timeout(15):
        first = asyncio.create_task(desk.look_for("x-1-1"))
        await slow.came.wait()
        waiting = asyncio.create_task(desk.look_for("x-1-2"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        slow.let_go.set()
        assert len(await desk.look_for("x-1-2")) == 1
        await first


async def test_after_a_stream_that_came_and_went_a_slow_exchange_is_read_once():
    async with exchange_desk(access={"timeout_s": 5.0}) as (exchange, desk), asyncio.timeout(30):
        await desk.queries.measure_time()
        await exchange.fault("delay", path=EXECUTIONS, delay=0.3, times=None)
        reads = []
        for _ in range(10):
            reads.append(asyncio.create_task(desk.reconcile()))
            await exchange.control("GET", "/_wire")
        answers = await asyncio.gather(*reads)
        assert [isinstance(each[-1], Reconciled) for each in answers] == [False] * 9 + [True]
        wire = (await exchange.control("GET", "/_wire"))["requests"]
        assert sum(entry["path"] == "/v5/position/list" for entry in wire) == 1


# ---------------------------------------------------------------- one row that cannot be read


def rows_with(bad, path):
    def answer(asked, _query):
        if asked == "/v5/market/time":
            return at_time(NOW_MS)
        if asked == path == OPEN:
            return listed(order_row("x-1-1", "New"), bad, order_row("x-1-3", "New"))
        if asked == path == EXECUTIONS:
            return listed(execution("x-1-1", NOW_MS, 1), bad, execution("x-1-1", NOW_MS, 3))
        return listed(bad) if asked == path else listed()

    return answer


@pytest.mark.parametrize(
    "bad",
    [
        order_row("x-1-2") | {"qty": "NaN"},
        {"orderLinkId": "x-1-2"},
        order_row("x-1-2") | {"side": 7},
        7,
        None,
    ],
)
async def test_45_one_unreadable_order_makes_the_whole_read_incomplete(bad):
    async with scripted_desk(rows_with(bad, OPEN)) as (_, desk):
        events: list[Event] = await desk.reconcile()
        assert [type(event) for event in events] == [ReconcileFailed], "not even the rows that could be read"


async def test_45_an_unreadable_order_of_somebody_else_costs_nothing():
    bad = order_row("theirs-1") | {"qty": "NaN"}
    async with scripted_desk(rows_with(bad, OPEN)) as (_, desk):
        *orders, done = await desk.reconcile()
        assert [event.client_order_id for event in orders if isinstance(event, OrderUpdated)] == [
            "x-1-1",
            "x-1-3",
        ]
        assert (type(done), done.foreign_open_orders) == (Reconciled, 1)


@pytest.mark.parametrize("bad", [{"symbol": "BTCUSDT", "side": "Both", "size": "1"}, {"size": "1"}, 7])
async def test_45_one_unreadable_position_makes_the_whole_read_incomplete(bad):
    async with scripted_desk(rows_with(bad, "/v5/position/list")) as (_, desk):
        assert [type(event) for event in await desk.reconcile()] == [ReconcileFailed]


async def test_45_one_unreadable_execution_blocks_its_symbol_and_hides_none_of_the_others():
    bad = execution("x-1-1", NOW_MS, 2, qty="-1")
    async with scripted_desk(rows_with(bad, EXECUTIONS)) as (_, desk):
        *events, done = await desk.reconcile()
        assert isinstance(done, Reconciled)
        assert [event.fill.exec_id for event in events if isinstance(event, OrderFilled)] == ["e-1", "e-3"]
        (strange,) = [event for event in events if isinstance(event, ExecutionUnexplained)]
        assert (strange.exec_id, strange.symbol, strange.kind[:10]) == ("e-2", "BTCUSDT", "unreadable")


@pytest.mark.parametrize("bad", [{"execQty": "1"}, {"symbol": "BTCUSDT"}, 7])
async def test_45_an_execution_that_does_not_even_say_which_it_is_makes_the_read_incomplete(bad):
    async with scripted_desk(rows_with(bad, EXECUTIONS)) as (_, desk):
        assert [type(event) for event in await desk.reconcile()] == [ReconcileFailed]
