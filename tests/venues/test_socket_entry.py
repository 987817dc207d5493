"""The socket that takes orders: whose answer is whose, what a lost connection leaves open, when it is live."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    HaltRequested,
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    ReplaceOutcomeUnknown,
)
from executor.domain.orders import Category
from executor.venues.bybit.access import Way
from executor.venues.bybit.order_bytes import Act
from tests.venues.entry_bench import entry_desk, fake_trade

pytestmark = pytest.mark.process


def acceptance(asked, **over):
    name = asked["args"][0]["orderLinkId"]
    usual = {
        "reqId": asked["reqId"],
        "retCode": 0,
        "retMsg": "OK",
        "op": asked["op"],
        "data": {"orderId": "v1", "orderLinkId": name},
    }
    return json.dumps({key: value for key, value in {**usual, **over}.items() if value is not None})


async def faked(stack, answer, **more):
    heard, url = await stack.enter_async_context(fake_trade(answer))
    desk = await stack.enter_async_context(entry_desk(Way.WEBSOCKET, ws_url=url, **more))
    await desk.socket.wait_live(5.0)
    return heard, desk


async def test_a_frame_says_who_when_and_what():
    async with AsyncExitStack() as stack:
        heard, desk = await faked(stack, lambda asked: [acceptance(asked)])
        first, second = desk.order(), desk.order()
        assert isinstance(await desk.place(first), OrderAcked)
        assert isinstance(await desk.place(second), OrderAcked)
        one, two = heard
        assert one["op"] == "order.create"
        assert [request["args"][0]["orderLinkId"] for request in heard] == ["x-1-1", "x-1-2"]
        assert one["reqId"] != two["reqId"]
        assert len(one["reqId"]) <= 36
        header = one["header"]
        assert set(header) == {"X-BAPI-TIMESTAMP", "X-BAPI-RECV-WINDOW"}
        assert header["X-BAPI-RECV-WINDOW"] == "5000"
        assert header["X-BAPI-TIMESTAMP"].isdigit()


@pytest.mark.parametrize(
    "over",
    [
        {"reqId": None},
        {"reqId": "somebody-else"},
        {"reqId": 7},
        {"data": {"orderId": "v1", "orderLinkId": "x-9-9"}},
        {"data": {"orderId": 7, "orderLinkId": "x-1-1"}},
        {"data": {}},
        {"data": None},
        {"retCode": None},
        {"retCode": "0"},
        {"retCode": False},
        {"retCode": 20006, "retMsg": "Duplicate reqId", "data": {}},
    ],
    ids=str,
)
async def test_12_an_answer_that_is_not_plainly_ours_proves_nothing(over):
    async with AsyncExitStack() as stack:
        heard, desk = await faked(stack, lambda asked: [acceptance(asked, **over)])
        event = await desk.place(desk.order())
        assert isinstance(event, OrderOutcomeUnknown), event
        assert len(heard) == 1
        assert desk.socket.unmatched == ("reqId" in over)


@pytest.mark.parametrize("data", [{}, {"orderId": "v1", "orderLinkId": "x-9-9"}, None], ids=str)
async def test_an_amend_that_was_taken_for_another_order_is_unknown(data):
    async with AsyncExitStack() as stack:
        _, desk = await faked(stack, lambda asked: [acceptance(asked, data=data)])
        assert isinstance(await desk.replace(desk.order()), ReplaceOutcomeUnknown)


async def test_what_others_send_from_the_same_account_is_learnt_from_the_answers():
    said = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": "1700000000000"}
    async with AsyncExitStack() as stack:
        heard, desk = await faked(stack, lambda asked: [acceptance(asked, header=said)])
        assert isinstance(await desk.place(desk.order()), OrderAcked)
        wait_s = desk.standing.order_wait_s(Act.CREATE, Category.LINEAR, http=False)
        assert 0 < wait_s <= 1.1
        assert len(heard) == 1


async def test_answers_in_another_order_find_their_requests():
    held = []

    def answer(asked):
        held.append(asked)
        return [acceptance(one) for one in reversed(held)] if len(held) == 3 else []

    async with AsyncExitStack() as stack:
        _, desk = await faked(stack, answer)
        orders = [desk.order() for _ in range(3)]
        answers = await asyncio.gather(*(desk.place(order) for order in orders))
        assert [type(event) for event in answers] == [OrderAcked] * 3
        assert [event.client_order_id for event in answers] == [order.client_order_id for order in orders]


async def test_a_late_answer_and_a_second_one_are_matched_to_nothing():
    async with AsyncExitStack() as stack:
        late = []

        def answer(asked):
            late.append(acceptance(asked))
            return [] if len(late) == 1 else [late[0], late[-1], late[-1]]

        _, desk = await faked(stack, answer)
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        assert isinstance(await desk.place(desk.order()), OrderAcked)
        await desk.until(lambda: desk.socket.unmatched == 2)


async def test_a_lost_connection_leaves_everything_in_flight_unknown_at_once():
    async with AsyncExitStack() as stack:
        heard = []

        def answer(asked):
            heard.append(asked)
            return ["close"] if len(heard) == 3 else []

        _, desk = await faked(stack, answer, timeout_s=30.0)
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*(desk.place(desk.order()) for _ in range(3)))
        assert {type(event) for event in answers} == {OrderOutcomeUnknown}
        await desk.until(lambda: len(desk.changes) == 3)
        assert [live for live, _ in desk.changes] == [True, False, True]
        assert len(heard) == 3


async def test_while_it_is_not_live_a_create_is_not_sent_and_a_cancel_goes_by_rest():
    async with entry_desk(Way.WEBSOCKET, socket_runs=False) as desk:
        order = desk.order()
        refused = await desk.place(order)
        assert isinstance(refused, OrderNotSent)
        assert "not connected" in refused.detail
        assert isinstance(await desk.cancel(order), CancelFoundNothing)
        assert await desk.wire() == []
        assert len(await desk.wire("cancel", Way.REST)) == 1
        assert await desk.wire("cancel", Way.WEBSOCKET) == []


async def test_without_an_acknowledged_authentication_it_is_not_live():
    async with (
        fake_trade(lambda asked: [acceptance(asked)], greets=False) as (heard, url),
        entry_desk(Way.WEBSOCKET, ws_url=url) as desk,
    ):
        await desk.until(lambda: desk.socket.stream.is_open)
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert heard == []


async def test_79_a_refused_authentication_halts_once_and_is_not_live():
    async with entry_desk(Way.WEBSOCKET, secret="wrong") as desk:
        await desk.until(lambda: [event for event in desk.heard if isinstance(event, HaltRequested)])
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        await desk.until(lambda: desk.socket.stream.connects >= 2)
        (halt,) = [event for event in desk.heard if isinstance(event, HaltRequested)]
        assert halt.reason.startswith("AUTH 10004")


async def test_46_a_half_open_socket_is_noticed_and_what_is_in_flight_is_unknown():
    async with entry_desk(Way.WEBSOCKET, timeout_s=30.0, ping_every_s=0.1, silence_s_max=0.3) as desk:
        await desk.fault("drop", what="create")
        await desk.control("POST", "/_fault", {"on": "trade", "act": "no_pong"})
        async with asyncio.timeout(30):
            assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        assert (False, "Disconnected: silent for 0.3 s") in desk.changes


async def test_a_time_stamp_that_the_venue_refuses_has_its_clock_read():
    async with entry_desk(Way.WEBSOCKET, options={"clock_offset_ms": -60_000}) as desk:
        await desk.until(lambda: desk.socket.stream.connects)
        await desk.socket.wait_live(5.0)
        event = await desk.place(desk.order())
        assert (type(event), event.code) == (OrderRejected, 10002)
        assert desk.standing.clock_doubted.is_set()
        await desk.rest.measure_time()
        assert isinstance(await desk.place(desk.order()), OrderAcked)


async def test_the_spare_socket_takes_the_cancels_while_our_address_is_barred():
    async with entry_desk(Way.REST, socket_runs=True) as desk:
        order = desk.order()
        await desk.place(order)
        desk.standing.on_ban("access too frequent")
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert len(await desk.wire("cancel", Way.WEBSOCKET)) == 1
        assert await desk.wire("cancel", Way.REST) == []
        assert len(await desk.wire()) == 1
