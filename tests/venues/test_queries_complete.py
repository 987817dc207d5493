"""Reads of the account are complete or they are nothing: pages, windows of the past, clocks, balances."""

import itertools
from decimal import Decimal

import pytest
from pybit.unified_trading import HTTP

from executor.domain.events import (
    OrderAbsent,
    OrderFilled,
    OrderQueryFailed,
    OrderUpdated,
    Reconciled,
    ReconcileFailed,
    VenueStatus,
    WalletUpdated,
)
from executor.domain.orders import Category
from executor.venues.bybit.queries import WINDOW_MS, windows_of
from tests.venues.queries_bench import at_time, exchange_desk, listed, scripted_desk

DAY_MS = 86_400_000
NOW_MS = 1_760_000_000_000


def execution(name, at_ms, number, qty="0.001"):
    return {
        "symbol": "BTCUSDT",
        "orderId": f"v-{name}",
        "orderLinkId": name,
        "side": "Buy",
        "execId": f"e-{number}",
        "execPrice": "60000",
        "execQty": qty,
        "execType": "Trade",
        "execFee": "0.01",
        "feeCurrency": "USDT",
        "isMaker": False,
        "execTime": str(at_ms),
    }


def order_row(name, status="Filled", at_ms=NOW_MS):
    return {
        "symbol": "BTCUSDT",
        "orderId": f"v-{name}",
        "orderLinkId": name,
        "side": "Buy",
        "price": "60000",
        "qty": "0.001",
        "orderStatus": status,
        "orderType": "Limit",
        "cumExecQty": "0.001",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "createdTime": str(at_ms),
        "updatedTime": str(at_ms),
    }


class Past:
    """A venue that keeps executions, answers in seven-day windows, newest first, page by page."""

    def __init__(self, executions, *, server_ms=NOW_MS, page=50):
        self.executions = sorted(executions, key=lambda row: (-int(row["execTime"]), row["execId"]))
        self.server_ms, self.page = server_ms, page

    def __call__(self, path, query):
        if path == "/v5/market/time":
            return at_time(self.server_ms)
        if path != "/v5/execution/list":
            return listed()
        start_ms, end_ms = int(query["startTime"]), int(query["endTime"])
        if end_ms < start_ms or end_ms - start_ms > 7 * DAY_MS:
            return {"retCode": 10001, "retMsg": "The time range cannot exceed 7 days"}
        rows = [row for row in self.executions if start_ms <= int(row["execTime"]) <= end_ms]
        begin = int(query.get("cursor", "0"))
        end = begin + min(int(query.get("limit", "50")), self.page)
        return listed(*rows[begin:end], cursor=str(end) if end < len(rows) else "")


def fills(events):
    return [event.fill.exec_id for event in events if isinstance(event, OrderFilled)]


@pytest.mark.parametrize("days", [0, 1, 8, 40, 400])
async def test_66_after_a_long_absence_every_execution_since_the_cursor_is_read(days):
    span_ms = days * DAY_MS + 3_600_000
    step_ms = max(span_ms // 137, 1)
    rows = [execution("x-1-1", NOW_MS - age_ms, age_ms) for age_ms in range(0, span_ms, step_ms)]
    old = execution("x-1-1", NOW_MS - span_ms - 1, "before the cursor")
    async with scripted_desk(Past([*rows, old])) as (_, desk):
        since_ms = desk.now_ms() - span_ms
        events = await desk.reconcile(since_ms=since_ms - 5_000)
        assert isinstance(events[-1], Reconciled)
        found = set(fills(events))
        assert {row["execId"] for row in rows} <= found
        assert found <= {row["execId"] for row in rows} | {"e-before the cursor"}


@pytest.mark.parametrize("apart_ms", [-90 * DAY_MS, -120_000, 120_000, 90 * DAY_MS])
async def test_the_cursor_is_moved_into_the_venues_clock(apart_ms):
    """However far the clocks are apart, what happened after the cursor is read, and nothing of an hour before."""
    async with scripted_desk(lambda *_: listed()) as (script, desk):
        server_ms = desk.now_ms() + apart_ms
        rows = [
            execution("x-1-1", server_ms - 9_000, "new"),
            execution("x-1-1", server_ms - 3_600_000, "old"),
        ]
        script.answer = Past(rows, server_ms=server_ms)
        assert fills(await desk.reconcile(since_ms=desk.now_ms() - 10_000)) == ["e-new"]
        (query,) = script.of("/v5/execution/list")
        assert abs(int(query["startTime"]) - (server_ms - 10_000)) < 5_000
        assert len(script.of("/v5/market/time")) == 1
        await desk.reconcile()
        assert len(script.of("/v5/market/time")) == 1, "a known clock is not asked for again"


async def test_without_the_venues_clock_nothing_is_claimed():
    def answer(path, _):
        return {"result": {"timeNano": "soon"}} if path == "/v5/market/time" else listed()

    async with scripted_desk(answer) as (_, desk):
        (failed,) = await desk.reconcile()
        assert isinstance(failed, ReconcileFailed)


async def test_67_sixty_fills_of_one_millisecond_across_a_page_border():
    rows = [execution("x-1-1", NOW_MS - 1_000, number) for number in range(60)]
    async with scripted_desk(Past(rows, page=50)) as (script, desk):
        events = await desk.reconcile()
        assert sorted(fills(events)) == sorted(row["execId"] for row in rows)
        assert len(script.of("/v5/execution/list")) == 2


async def test_67_on_the_border_of_two_windows():
    async with scripted_desk(lambda *_: listed()) as (script, desk):
        server_ms = desk.now_ms()
        since_ms = server_ms - 10 * DAY_MS
        border = since_ms + WINDOW_MS
        rows = [execution("x-1-1", border + at_ms, at_ms) for at_ms in range(-30, 31)]
        script.answer = Past(rows, server_ms=server_ms)
        assert {row["execId"] for row in rows} == set(fills(await desk.reconcile(since_ms=since_ms)))


def test_windows_cover_the_span_without_a_hole():
    for since_ms, until_ms in itertools.product(
        (0, 5, NOW_MS), (0, 7, WINDOW_MS, 5 * WINDOW_MS + 3, NOW_MS + 1)
    ):
        windows = list(windows_of(since_ms, until_ms))
        assert windows[0][0] <= min(since_ms, until_ms)
        assert windows[-1][1] >= until_ms
        assert all(0 <= end_ms - start_ms <= 7 * DAY_MS for start_ms, end_ms in windows)
        assert all(later[0] <= earlier[1] for earlier, later in itertools.pairwise(windows))


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("path", ["/v5/order/realtime", "/v5/execution/list", "/v5/position/list"])
@pytest.mark.parametrize(
    "second",
    [
        {"retCode": 10001, "retMsg": "cursor invalid"},
        {"result": {"list": [], "nextPageCursor": "two"}},
        {"result": {"nextPageCursor": ""}},
        {"result": {"list": [{}], "nextPageCursor": ""}},
        b"<html>",
    ],
    ids=["expired", "circle", "no list", "bad row", "no json"],
)
async def test_61_a_second_page_that_fails_makes_the_read_incomplete(path, second):
    def answer(asked, query):
        if asked == "/v5/market/time":
            return at_time(NOW_MS)
        if asked != path:
            return listed()
        return second if "cursor" in query else listed(cursor="two")

    async with scripted_desk(answer) as (_, desk):
        (failed,) = await desk.reconcile()
        assert isinstance(failed, ReconcileFailed)
        if path != "/v5/position/list":
            (unknown,) = await desk.look_for("x-1-1")
            assert isinstance(unknown, OrderQueryFailed)


async def test_positions_are_read_in_both_directions_and_over_all_pages():
    def position(index, side, size):
        return {"symbol": "BTCUSDT", "positionIdx": index, "side": side, "size": size, "leverage": "10"}

    def answer(path, query):
        if path == "/v5/market/time":
            return at_time(NOW_MS)
        if path != "/v5/position/list":
            return listed()
        if "cursor" in query:
            return listed(position(2, "Sell", "0.2"))
        return listed(position(1, "Buy", "0.5"), cursor="two")

    async with scripted_desk(answer) as (_, desk):
        done = (await desk.reconcile())[-1]
        assert [(each.position_idx, str(each.qty)) for each in done.positions] == [(1, "0.5"), (2, "-0.2")]


# ---------------------------------------------------------------- one order


@pytest.mark.parametrize("where", ["open", "recently closed", "history"])
async def test_64_an_order_in_one_place_is_enough(where):
    def answer(path, query):
        here = {
            "open": path == "/v5/order/realtime" and "openOnly" not in query,
            "recently closed": query.get("openOnly") == "1",
            "history": path == "/v5/order/history",
        }[where]
        return listed(order_row("x-1-1")) if here else listed()

    async with scripted_desk(answer) as (_, desk):
        before_ns = desk.clock.now_ns()
        (update,) = await desk.look_for("x-1-1")
        assert (type(update), update.status) == (OrderUpdated, VenueStatus.FILLED)
        assert before_ns <= update.asked_ns <= desk.clock.now_ns()


async def test_66_a_filled_order_of_months_ago_is_found_by_the_time_of_its_fills():
    at_ms = NOW_MS - 40 * DAY_MS

    def answer(path, query):
        if path == "/v5/execution/list":
            return listed(execution("x-1-1", at_ms, 1))
        if path != "/v5/order/history" or "startTime" not in query:
            return listed()
        found = int(query["startTime"]) <= at_ms - DAY_MS and int(query["endTime"]) >= at_ms
        assert int(query["endTime"]) - int(query["startTime"]) <= 7 * DAY_MS
        return listed(order_row("x-1-1", at_ms=at_ms)) if found else listed()

    async with scripted_desk(answer) as (_, desk):
        fill, update = await desk.look_for("x-1-1")
        assert (fill.fill.exec_id, update.status) == ("e-1", VenueStatus.FILLED)


async def test_an_execution_without_a_trade_does_not_send_us_searching():
    def answer(path, _):
        if path == "/v5/execution/list":
            return listed({**execution("x-1-1", NOW_MS, 1), "execType": "BustTrade"})
        return listed()

    async with scripted_desk(answer) as (script, desk):
        unexplained, failed = await desk.look_for("x-1-1")
        assert unexplained.kind == "BustTrade"
        assert isinstance(failed, OrderQueryFailed)  # neither there nor absent: the question has no answer
        assert len(script.of("/v5/order/history")) == 1


async def test_nothing_anywhere_is_absence_with_the_instant_before_the_question():
    async with scripted_desk(lambda *_: listed()) as (_, desk):
        before_ns = desk.clock.now_ns()
        (absent,) = await desk.look_for("x-1-1")
        assert isinstance(absent, OrderAbsent)
        assert before_ns <= absent.asked_ns <= desk.clock.now_ns()


async def place(desk, name, **over):
    """Let the exchange hold an order of ours that rests."""
    fields = dict(
        symbol="BTCUSDT", side="Buy", orderType="Limit", qty="0.01", price="50000", timeInForce="GTC"
    )
    await desk.asker.result(HTTP.place_order, category="linear", orderLinkId=name, **{**fields, **over})


@pytest.mark.parametrize("hours", [0, 25, 8 * 24, 40 * 24])
async def test_66_the_local_exchange_after_hours_of_absence(hours):
    async with exchange_desk() as (exchange, desk):
        await place(desk, "x-1-1")
        await exchange.do("fill", orderLinkId="x-1-1", qty="0.004")
        await place(desk, "x-1-2")
        await exchange.do("fill", orderLinkId="x-1-2")
        await exchange.do("restart")
        await exchange.do("age", hours=hours)
        fill, update = await desk.look_for("x-1-2")
        assert (fill.fill.last_qty, update.status) == (Decimal("0.01"), VenueStatus.FILLED)
        events = await desk.reconcile(since_ms=desk.now_ms() - hours * 3_600_000 - 60_000)
        booked = [event.fill.last_qty for event in events if isinstance(event, OrderFilled)]
        assert sum(booked) == Decimal("0.014")
        assert events[-1].open_client_order_ids == ("x-1-1",)
        assert events[-1].positions[0].qty == Decimal("0.014")


async def test_65_a_canceled_order_is_found_after_a_restart_of_the_exchange_and_forgotten_after_a_day():
    async with exchange_desk() as (exchange, desk):
        await place(desk, "x-1-1")
        await desk.asker.result(HTTP.cancel_order, category="linear", symbol="BTCUSDT", orderLinkId="x-1-1")
        await exchange.do("restart")
        (update,) = await desk.look_for("x-1-1")
        assert update.status is VenueStatus.CANCELED
        await exchange.do("age", hours=25)
        (absent,) = await desk.look_for("x-1-1")
        assert isinstance(absent, OrderAbsent)


@pytest.mark.parametrize("endpoint", ["realtime", "history"])
async def test_64_one_list_that_lags_behind_does_not_hide_an_order_that_another_shows(endpoint):
    async with exchange_desk() as (exchange, desk):
        await place(desk, "x-1-1")
        if endpoint == "realtime":
            await desk.asker.result(
                HTTP.cancel_order, category="linear", symbol="BTCUSDT", orderLinkId="x-1-1"
            )
        await exchange.do("visible_lag", endpoint=endpoint, ms=60_000)
        (update,) = await desk.look_for("x-1-1")
        expected = VenueStatus.CANCELED if endpoint == "realtime" else VenueStatus.NEW
        assert update.status is expected


# ---------------------------------------------------------------- balances


async def test_spot_balances_come_before_the_end_of_the_read():
    async with exchange_desk() as (_, desk):
        *_, wallet, done = await desk.reconcile("BTCUSDT", category=Category.SPOT)
        assert (type(wallet), type(done)) == (WalletUpdated, Reconciled)
        assert {each.coin: str(each.wallet_qty) for each in wallet.balances} == {
            "BTC": "10",
            "USDT": "1000000",
        }
        *_, done = await desk.reconcile("BTCUSDT")
        assert isinstance(done, Reconciled)


async def test_a_coin_that_the_venue_does_not_list_is_zero_and_an_unreadable_wallet_is_a_failure():
    rules = {
        "symbol": "ABCUSDT",
        "baseCoin": "ABC",
        "quoteCoin": "USDT",
        "status": "Trading",
        "priceFilter": {"tickSize": "0.1"},
        "lotSizeFilter": {
            "basePrecision": "0.1",
            "minOrderQty": "0.1",
            "maxLimitOrderQty": "100",
            "minOrderAmt": "5",
        },
    }
    wallet = [{"coin": [{"coin": "USDT", "walletBalance": "-5.5", "locked": "1"}]}]

    def answer(path, _):
        if path == "/v5/market/time":
            return at_time(NOW_MS)
        if path == "/v5/market/instruments-info":
            return listed(rules)
        return listed(*wallet) if path == "/v5/account/wallet-balance" else listed()

    async with scripted_desk(answer) as (_, desk):
        *_, said, _ = await desk.reconcile("ABCUSDT", category=Category.SPOT)
        assert [(each.coin, str(each.wallet_qty), str(each.locked_qty)) for each in said.balances] == [
            ("ABC", "0", "0"),
            ("USDT", "-5.5", "1"),
        ]
        for bad in (
            [],
            [{}],
            [{"coin": [7]}],
            [{"coin": [{"coin": "USDT", "walletBalance": "", "locked": "0"}]}],
        ):
            wallet[:] = bad
            (failed,) = await desk.reconcile("ABCUSDT", category=Category.SPOT)
            assert isinstance(failed, ReconcileFailed), bad
