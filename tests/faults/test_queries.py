"""Faults of queries and reconciliation: an error is never "not there", and an incomplete read proves nothing."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs

import pytest

from executor.domain.order_state import ChildStatus
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.runtime.clock import Clock
from executor.venues.bybit.account_checks import Wanted, judge
from executor.venues.bybit.account_rows import ONE_WAY
from executor.venues.bybit.account_watch import AccountWatch
from executor.venues.bybit.queries import WINDOW_MS
from sandbox.bybit_server import Credentials
from sandbox.bybit_server.fields import Fields
from tests.builders import D
from tests.faults.plays import blocked, buying, buys_on, market, opens_nothing, position_qty
from tests.faults.stage import CREATE, KEY, stage
from tests.faults.ways import cancel

pytestmark = pytest.mark.process
STRANGER = Credentials(key="strangers-key", secret="strangers-secret-0123456789", uid=7)

ORDER_QUERIES = "/v5/order/*"
EXECUTIONS = "/v5/execution/list"


def fill_in_pieces(played, child, pieces):
    """Fill a resting order in many executions at once, while the venue's clock shows the same millisecond."""
    exchange = played.exchange
    (order,) = exchange.accounts[KEY.uid].by_link[child.order.client_order_id]
    for _ in range(pieces):
        exchange.fill_resting(order, order.instrument.lots(D("0.001")), order.px)
    exchange.flush()


async def test_61_second_page_of_the_executions_fails(tmp_path):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting(order_qty=D("0.120"))
        await played.levers.fault("drop", on="private", times=None)
        await played.levers.fault("status", path=EXECUTIONS, status=500, match={"nth": 2}, times=1)
        fill_in_pieces(played, child, 120)
        await played.until(lambda: child.is_released, 30)
        assert child.cum_qty == parent.order.order_qty
        await played.check()


def page(cursor, *rows):
    """An answer of the venue with a page of a list."""
    result = {"category": "linear", "list": list(rows), "nextPageCursor": cursor}
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1})


@pytest.mark.parametrize(
    "fault",
    [
        dict(act="body_raw", body_raw=page("again"), content_type="application/json"),
        dict(act="retCode", retCode=10001, retMsg="cursor expired", match={"nth": 2}),
        dict(act="truncate"),
    ],
    ids=["the pages go in a circle", "the cursor expires", "cut"],
)
async def test_61_pages_of_the_complete_read(tmp_path, fault):
    """A hundred and twenty orders of somebody else make three pages; the child stands on one of them."""
    async with stage(tmp_path) as played:
        account = played.exchange.accounts[KEY.uid]
        resting = dict(
            category="linear", symbol="BTCUSDT", side="Buy", orderType="Limit", qty="0.001", price="50000",
            timeInForce="GTC",
        )  # fmt: skip
        for _ in range(120):
            played.exchange.create(account, Fields(resting))
        _, child = await played.submit_resting()
        await played.levers.do("ignore_cancels", count=1_000)  # in doubt the daemon cancels; here in vain
        await played.levers.fault(path="/v5/order/realtime", times=None, **fault)
        await played.until(lambda: "RECONCILE_FAILED" in played.alerts())
        assert not child.is_final
        for _ in range(0 if "match" in fault else 25):
            assert played.state.reconciled["linear"] is False
            assert not child.is_final, "nothing is inferred from a list that is not whole"
            assert child.open_qty == child.order.qty
            await played.let_pass(0.1)
        await played.levers.do("ignore_cancels", count=0)
        await played.levers.heal()
        await played.until(lambda: played.state.reconciled["linear"])
        await played.until(lambda: child.is_released)
        await played.check()


async def test_62_query_older_than_the_stream(tmp_path):
    async with stage(tmp_path) as played:
        _, child = await played.submit_resting()
        await played.let_pass(2.5)
        await played.levers.do("lag", ms=2_000)  # queries show the order, and not yet what becomes of it
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.004")
        await played.until(lambda: child.cum_qty == D("0.004"))
        for _ in range(20):
            await played.let_pass(0.1)
            assert child.cum_qty == D("0.004")
            assert child.status is ChildStatus.PARTIALLY_FILLED
        await played.let_pass(2.0)
        assert child.status is ChildStatus.PARTIALLY_FILLED
        await played.check()


@asynccontextmanager
async def watched_account(played, every_s=0.3):
    """The look at key and account that the daemon takes every hour, taken more often."""
    queries = played.life.venue.account
    key = await queries.key()
    wanted = Wanted(
        strict=False, category=None, position_indices=ONE_WAY, allow_unbound_key=True, user_id=key.user_id
    )
    watch = AccountWatch(queries, wanted, "REGULAR_MARGIN", Clock(), played.log, every_s=every_s)
    task = asyncio.create_task(watch.run(played.life.runtime.post))
    try:
        yield wanted
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_63_the_key_opens_another_account(tmp_path):
    async with stage(tmp_path, options=dict(credentials=(KEY, STRANGER))) as played:
        hungry = await buying(played)
        async with watched_account(played) as wanted:
            await played.let_pass(1.0)
            assert not played.state.latched, "the right account is left in peace"
            swapped = Credentials(key=KEY.key, secret=KEY.secret, uid=STRANGER.uid)
            played.exchange.keys[KEY.key] = swapped
            await played.until(lambda: played.state.latched)
            assert "ACCOUNT" in played.state.latch_reason
            await played.let_pass(0.2)
            await opens_nothing(played, 2.0)
            findings = judge(await played.life.venue.account.facts(), wanted, 0)
            refused = [finding.code for finding in findings if finding.verdict.name == "FAIL"]
            assert refused, "no start with this key"
        played.exchange.keys[KEY.key] = KEY
        await cancel(played, hungry)
        await played.finish(hungry)
        await played.proved()
        await played.check()


async def test_64_order_in_the_history_only(tmp_path):
    async with stage(tmp_path) as played:
        _, child = await played.submit_resting()
        await played.levers.fault("drop", on="private", times=None)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.levers.do("restart")
        await played.until(lambda: child.status is ChildStatus.FILLED)
        await played.proved()
        await played.check()


async def test_65_restart_of_the_venue_empties_the_closed_list(tmp_path):
    async with stage(tmp_path) as played:
        parent = await played.submit(
            order_qty=D("0.03"), duration_s=6, params=StrategyParams(interval_s=2, passiveness=D(0))
        )
        await played.until(lambda: parent.cum_qty > 0)
        await played.levers.fault("drop", on="private", times=None)
        for _ in range(6):
            await played.levers.do("restart")
            await played.let_pass(0.5)
        await played.levers.heal()
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert parent.cum_qty == parent.order.order_qty


@pytest.mark.parametrize(
    ("hours", "fate"),
    [
        (25, "filled"),
        (25, "cancelled"),
        (8 * 24, "cancelled after a part"),
        (8 * 24, "open"),
        (40 * 24, "filled"),
        (40 * 24, "cancelled after a part"),
        (40 * 24, "cancelled"),
    ],
)
async def test_66_down_for_long(tmp_path, hours, fate):
    """The daemon ends with a child open; what becomes of it is found when everything but its executions is old."""
    filled = {"filled": "0.010", "cancelled after a part": "0.004", "cancelled": "0", "open": "0.003"}[fate]
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting()
        parent_id, name = parent.order.parent_id, child.order.client_order_id
        await played.let_pass(0.3)
        await played.end()
        if fate != "open" and filled != "0":
            await played.levers.do("fill", orderLinkId=name, qty=filled)
        if fate.startswith("cancelled"):
            await played.levers.do("cancel", orderLinkId=name)
        await played.levers.do("restart")  # the list of the recently closed is empty
        await played.sleep_through(hours)
        if fate == "open":
            await played.levers.do("fill", orderLinkId=name, qty=filled)
        await played.levers.control("DELETE", "/_wire")
        await played.start()
        parent, child = played.state.parents[parent_id], played.state.children[name]
        await played.finish(parent)
        await played.until(lambda: child.is_released)
        assert child.cum_qty == parent.cum_qty == D(filled)
        assert child.status is (ChildStatus.FILLED if fate == "filled" else ChildStatus.CANCELED)
        assert parent.status is (ParentStatus.COMPLETE if fate == "filled" else ParentStatus.EXPIRED)
        assert not played.state.latched
        assert await played.levers.sent("create") == []
        await played.check()
        await played.until(lambda: played.state.reconciled.get("linear"))
        await covered(played, hours)


async def covered(played, hours):
    """The executions were asked for without a gap, in questions that the venue answers."""
    asked = [parse_qs(entry["raw"]) for entry in await played.levers.wire(EXECUTIONS)]
    spans = sorted({(int(q["startTime"][0]), int(q["endTime"][0])) for q in asked if "startTime" in q})
    assert all(end_ms - start_ms <= WINDOW_MS + 1_000 for start_ms, end_ms in spans)
    reached_ms = spans[0][0]
    for start_ms, end_ms in spans:
        assert start_ms <= reached_ms, "a gap between two windows"
        reached_ms = max(reached_ms, end_ms)
    assert reached_ms - spans[0][0] >= hours * 3_600_000


async def test_66_a_cancelled_order_that_the_venue_forgot(tmp_path):
    """Cancelled without a fill more than a day ago: it is in no list any more, and ends by proof all the same."""
    async with stage(tmp_path) as played:
        await played.levers.fault("drop", on="private", times=None)
        parent, child = await played.submit_resting()
        await played.levers.do("cancel", orderLinkId=child.order.client_order_id)
        await played.levers.do("age", hours=25)
        await played.levers.do("restart")
        await played.until(lambda: child.is_released, 20)
        assert child.status is ChildStatus.CANCELED
        assert child.cum_qty == child.open_qty == 0
        assert len(await played.levers.sent("cancel")) >= 1, (
            "a cancel that found nothing is part of the proof"
        )
        await cancel(played, parent)
        await played.finish(parent)
        await played.check()


async def test_67_many_executions_of_one_moment_across_pages(tmp_path):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting(order_qty=D("0.230"))
        await played.levers.fault("drop", on="private", times=None)
        fill_in_pieces(played, child, 230)
        await played.until(lambda: child.is_released, 30)
        assert child.cum_qty == parent.order.order_qty
        await played.check()


@pytest.mark.parametrize("heard", [True, False], ids=["stream hears it", "stream is deaf"])
@pytest.mark.parametrize("side", ["Buy", "Sell"])
async def test_68_somebody_trades_by_hand(tmp_path, heard, side):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await buys_on(played, hungry)
        if not heard:
            await played.levers.fault("drop", on="private", times=None)
        await played.levers.do("external", symbol="BTCUSDT", side=side, qty="0.5")
        polled_s = played.timings.reconcile_s
        await played.until(lambda: market(played).blocked, polled_s + 5.5)
        ordered, held = len(hungry.children), await position_qty(played)
        await played.let_pass(0.2)
        await opens_nothing(played, 2.0)
        assert "SYMBOL_BLOCKED" in hungry.waiting
        assert len(hungry.children) - ordered <= 1
        assert await position_qty(played) == held, "never put right by trading"
        await played.levers.heal()
        await cancel(played, hungry)
        await played.finish(hungry)
        await played.proved()
        await played.check()


@pytest.mark.parametrize("difference", ["0.5", "-0.5"])
async def test_68_a_position_that_no_execution_explains(tmp_path, difference):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        account = played.exchange.accounts[KEY.uid]
        item = played.exchange.markets["linear", "BTCUSDT"].instrument
        account.position(item, 0).size += D(difference)
        await blocked(played, hungry, "POSITION_DIFFERS")
        held = await position_qty(played)
        await opens_nothing(played, 1.0)
        assert await position_qty(played) == held, "never put right by trading"
        await cancel(played, hungry)
        await played.finish(hungry)
        await played.proved()
        await played.check()


async def test_69_a_slow_reconciliation_and_the_next_one(tmp_path):
    async with stage(tmp_path, access=dict(request_timeout_s=8.0)) as played:
        parent, child = await played.submit_resting()
        await played.levers.fault("delay", path="/v5/order/realtime", delay=5.0, match={"nth": 1})
        await played.let_pass(2.5)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.until(lambda: child.status is ChildStatus.FILLED)
        await played.let_pass(5.0)
        assert child.status is ChildStatus.FILLED
        await played.check()
        assert len(await played.levers.wire(CREATE)) == 1
        assert parent.cum_qty == parent.order.order_qty


@pytest.mark.parametrize("path", ["/v5/order/realtime", "/v5/order/history", EXECUTIONS])
async def test_61_errors_count_for_nothing(tmp_path, path):
    """An order that is there, while one of the three questions about it cannot be answered: it stays reserved."""
    async with stage(tmp_path) as played:
        await played.levers.fault("drop", path=CREATE)
        await played.levers.fault("drop", on="private", times=None)
        await played.levers.fault("status", path=path, status=500, times=None, match={"linkId": "x-*"})
        parent = await played.submit(
            order_qty=D("0.01"), duration_s=60, residual=ResidualRule.LEAVE, limit_px=D(55_000),
            params=StrategyParams(interval_s=60, passiveness=D(1)),
        )  # fmt: skip
        await played.until(lambda: parent.children)
        child = played.state.children[parent.children[0]]
        await played.let_pass(9.0)  # window, margin and rounds would long be over
        assert child.status not in {ChildStatus.REJECTED, ChildStatus.CANCELED}
        assert child.open_qty == child.order.qty
        assert len(parent.children) == 1
        await played.levers.heal()
        # Where the book was lost meanwhile, the order paused: then the venue has the cancel first.
        await played.until(lambda: child.status in {ChildStatus.NEW, ChildStatus.CANCELED})
        await played.check()
