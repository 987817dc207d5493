"""What the adapter promises besides its answers: when it asked, that it asks once, and what it looks at last."""

import dataclasses

import pytest

import executor.venues.bybit.order_entry as order_entry
from executor.domain.errors import LocalProtocolError
from executor.domain.events import CancelFoundNothing, OrderAbsent, OrderAcked, OrderQueryFailed
from tests.builders import D
from tests.venues.test_gateway import raw_server
from tests.venues.venue_bench import bench

pytestmark = pytest.mark.process
DELAY_S = 0.2
DELAY_NS = int(DELAY_S * 1_000_000_000)


@pytest.mark.parametrize("path", ["/v5/execution/list", "/v5/order/history"])
async def test_absence_carries_the_instant_before_its_first_question(path):
    async with bench(timeout_s=5) as desk:
        await desk.fault("delay", path=path, when="after_apply", delay=DELAY_S)
        before_ns = desk.venue._clock.now_ns()
        (absent,) = await desk.query(desk.order())
        after_ns = desk.venue._clock.now_ns()
        assert isinstance(absent, OrderAbsent)
        assert before_ns <= absent.asked_ns <= after_ns - DELAY_NS


async def test_a_cancel_that_finds_nothing_carries_the_instant_before_it_was_sent():
    async with bench(timeout_s=5) as desk:
        await desk.fault("delay", path="/v5/order/cancel", when="after_apply", delay=DELAY_S)
        before_ns = desk.venue._clock.now_ns()
        nothing = await desk.cancel(desk.order())
        after_ns = desk.venue._clock.now_ns()
        assert isinstance(nothing, CancelFoundNothing)
        assert before_ns <= nothing.asked_ns <= after_ns - DELAY_NS


async def test_a_read_of_the_account_carries_the_instant_before_it_began():
    async with bench(timeout_s=5) as desk:
        await desk.fault("delay", path="/v5/position/list", when="after_apply", delay=DELAY_S)
        before_ns = desk.venue._clock.now_ns()
        *_, done = await desk.reconcile()
        after_ns = desk.venue._clock.now_ns()
        assert before_ns <= done.asked_ns <= after_ns - DELAY_NS


async def test_the_query_client_repeats_nothing_and_follows_nothing():
    async with bench() as desk:
        client = desk.venue._queries._http
        assert client.max_retries == 1
        assert client.retry_codes == {-999}
        assert client.force_retry is False
        assert client.log_requests is False
        assert client.client.trust_env is False
        assert client.client.max_redirects == 0


@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"],
        [
            b'HTTP/1.1 200 OK\r\nContent-Length: 32\r\nConnection: close\r\n\r\n{"retCode":10006,"retMsg":"busy"}'
        ],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnot"],
        [],
    ],
    ids=["502", "busy", "unreadable", "cut"],
)
async def test_a_question_that_fails_is_sent_once(answer):
    async with raw_server(answer) as (heard, base), bench(access={"rest_url": base}) as desk:
        (failed,) = await desk.query(desk.order())
        assert isinstance(failed, OrderQueryFailed)
        assert len(heard) == 1


LIES = {
    "more": {"qty": D("0.002")},
    "dearer": {"px": D("60000.1")},
    "another name": {"client_order_id": "x-1-99"},
    "another symbol": {"symbol": "ETHUSDT"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_bytes_that_do_not_say_what_was_approved_never_leave(monkeypatch, lie):
    async with bench() as desk:
        order = desk.order()
        true_fields = order_entry.create_fields
        with monkeypatch.context() as patch:
            patch.setattr(
                order_entry, "create_fields", lambda order: true_fields(dataclasses.replace(order, **lie))
            )
            with pytest.raises(LocalProtocolError):
                await desk.place(order)
        assert await desk.wire() == []
        assert await desk.truth() == []
        assert isinstance(await desk.place(order), OrderAcked)
