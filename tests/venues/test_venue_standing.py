"""The venue as a whole when it is barred, refused, or sends its orders over a socket: what the engine gets to hear."""

import asyncio

import pytest

from executor.domain.commands import Subscribe
from executor.domain.errors import ConfigError
from executor.domain.events import (
    CancelAcked,
    HaltRequested,
    InstrumentLoaded,
    OrderAcked,
    OrderNotSent,
    OrderQueryFailed,
    OrderRejected,
    OrderUpdated,
    Stream,
    StreamChanged,
    VenueRestricted,
)
from executor.domain.orders import Category
from executor.venues.bybit.access import Way
from tests.builders import D
from tests.venues.venue_bench import bench

pytestmark = pytest.mark.process
BTC = Subscribe(category=Category.LINEAR, symbol="BTCUSDT")
OVER_SOCKET = {"order_entry": Way.WEBSOCKET}


async def arrived(desk, *paths):
    requests = (await desk.control("GET", "/_wire"))["requests"]
    return [entry for entry in requests if entry["path"] in paths]


async def test_orders_by_request_are_possible_as_soon_as_the_venue_runs():
    async with bench() as desk, desk.running() as heard:
        told = await heard.one(StreamChanged, stream=Stream.TRADE)
        assert (told.live, told.category) == (True, None)
        assert isinstance(await desk.place(desk.order()), OrderAcked)


async def test_orders_over_the_socket_need_it_live_and_the_engine_is_told():
    async with bench(access=OVER_SOCKET) as desk:
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        async with desk.running() as heard:
            await heard.one(StreamChanged, stream=Stream.TRADE, live=True)
            order = desk.order()
            assert isinstance(await desk.place(order), OrderAcked)
            assert len(await arrived(desk, "order.create")) == 1
            assert await desk.wire() == []
            desk.venue._trade.stream._socket._writer.transport.abort()
            await heard.one(StreamChanged, stream=Stream.TRADE, live=False)
            await heard.until(
                lambda events: (
                    [e.live for e in events if isinstance(e, StreamChanged) and e.stream is Stream.TRADE]
                    == [True, False, True]
                )
            )
            assert isinstance(await desk.cancel(order), CancelAcked)


async def test_72_a_ban_is_told_and_the_cancels_take_a_socket_that_was_not_there_before():
    async with bench(timeout_s=3.0) as desk, desk.running() as heard:
        order = desk.order()
        await desk.place(order)
        await desk.fault("status", path="/v5/order/realtime", when="before_apply", status=403)
        (failed,) = await desk.query(order)
        assert isinstance(failed, OrderQueryFailed)
        told = await heard.one(VenueRestricted)
        assert "bars our address" in told.detail
        before = len(await arrived(desk, "/v5/order/create", "/v5/order/cancel", "/v5/order/realtime"))
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert isinstance((await desk.query(order))[0], OrderQueryFailed)
        assert len(await arrived(desk, "order.cancel")) == 1
        after = len(await arrived(desk, "/v5/order/create", "/v5/order/cancel", "/v5/order/realtime"))
        assert after == before
        assert not [
            e
            for e in heard.events
            if isinstance(e, StreamChanged) and e.stream is Stream.TRADE and not e.live
        ]


async def test_73_a_question_too_many_holds_the_next_ones_back_and_no_cancel():
    async with bench() as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault("retCode", path="/v5/execution/list", when="before_apply", retCode=10006)
        (failed,) = await desk.query(order)
        assert isinstance(failed, OrderQueryFailed)
        asking = asyncio.create_task(desk.query(order))
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert len(await desk.wire("/v5/execution/list")) == 1
        assert not asking.done()
        assert isinstance((await asking)[-1], OrderUpdated)


async def test_79_a_key_that_queries_find_refused_halts_once_and_is_not_asked_about_again_and_again():
    async with bench() as desk, desk.running() as heard:
        await heard.one(StreamChanged, stream=Stream.PRIVATE, live=True)
        await desk.fault("retCode", path="/v5/order/realtime", when="before_apply", retCode=10010, times=None)
        await desk.fault("retCode", path="/v5/execution/list", when="before_apply", retCode=10010, times=None)
        for _ in range(5):
            assert isinstance((await desk.query(desk.order()))[0], OrderQueryFailed)
        halt = await heard.one(HaltRequested)
        assert (halt.operator, halt.request_id, halt.reason[:10]) == ("venue", "", "AUTH 10010")
        assert [type(e) for e in heard.events].count(HaltRequested) == 1
        asked = (await desk.control("GET", "/_fault"))["faults"]
        assert sum(fault["fired"] for fault in asked) == 1


async def test_59_rules_that_changed_are_read_again_when_an_order_is_refused_by_them():
    async with bench(frozen=False) as desk, desk.running() as heard:
        desk.venue.subscribe(BTC)
        await heard.one(InstrumentLoaded)
        refused = await desk.place(desk.order(qty=D("0.0015")))
        assert (type(refused), refused.code) == (OrderRejected, 10001)
        await heard.until(lambda events: [type(e) for e in events].count(InstrumentLoaded) == 2)


async def test_a_socket_for_orders_that_does_not_exist_is_refused_at_once():
    with pytest.raises(ConfigError, match="order_entry"):
        async with bench(access={**OVER_SOCKET, "trade_ws_url": ""}):
            pass
