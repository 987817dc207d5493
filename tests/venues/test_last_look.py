"""What the adapter promises besides its answers: when it asked, that it asks once, and what it looks at last."""

import pytest

from executor.domain.events import CancelFoundNothing, OrderAbsent, OrderQueryFailed
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
        queries = desk.venue._queries
        for asker in (queries._market, queries._orders, queries._account, desk.venue._account):
            client = asker._client
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
