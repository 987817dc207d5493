"""Lists of orders, executions, closed positions and money: filters, windows, paging, and the keys of each category."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.account_queries import (
    account_info,
    account_instruments,
    fee_rate,
    spot_borrow_check,
    wallet_balance,
)
from sandbox.bybit_server.account_settings import set_margin_mode
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.order_queries import executions, open_orders, order_history
from sandbox.bybit_server.record_queries import closed_pnl, transaction_log
from tests.sandbox.venue_support import refusal_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ORDER_KEYS = {
    "orderId",
    "orderLinkId",
    "symbol",
    "price",
    "qty",
    "positionIdx",
    "orderStatus",
    "cumFeeDetail",
}


def links(result):
    return [row["orderLinkId"] for row in result["list"]]


def cancel(bench, order, **fields):
    bench.ask(Exchange.cancel, orderLinkId=order.link_id, **fields)


def test_each_category_has_its_own_keys(bench):
    for category, qty in (("linear", "0.1"), ("spot", "0.1"), ("inverse", "100")):
        symbol = "BTCUSD" if category == "inverse" else "BTCUSDT"
        order = bench.send("Buy", qty, "64900", category=category, symbol=symbol)
        (row,) = bench.ask(open_orders, category=category, symbol=symbol)["list"]
        assert set(row) >= ORDER_KEYS
        spot = category == "spot"
        assert {"createType", "tpslMode", "lastPriceOnCreated"} & set(row) == (
            set() if spot else {"createType", "tpslMode", "lastPriceOnCreated"}
        )
        assert {"basePrice", "ocoTriggerBy"} & set(row) == ({"basePrice", "ocoTriggerBy"} if spot else set())
        pushed = next(r for r in bench.heard("order") if r["orderId"] == order.order_id)
        assert set(pushed) == set(row) | {"category", "closedPnl", "feeCurrency"}


def test_windows_are_a_week_at_most(bench):
    now = bench.clock.now_ns() // 10**6
    for query in (order_history, executions, closed_pnl, transaction_log):
        assert refusal_of(bench.ask, query, startTime=now - 7 * DAY_MS - 1, endTime=now) == 10001
        assert refusal_of(bench.ask, query, startTime=now, endTime=now - 1) == 10001
        assert bench.ask(query, startTime=now - 7 * DAY_MS, endTime=now)["list"] == []


def test_windows_select_by_the_time_of_the_record(bench):
    start = bench.clock.now_ns() // 10**6
    made = []
    for _ in range(4):
        order = bench.send("Buy", "0.1", "64900")
        bench.take("Sell", "64900", "0.1")
        made.append(order.link_id)
        bench.clock.advance_ms(3 * DAY_MS)
    assert links(bench.ask(order_history)) == [made[3], made[2]]
    assert links(bench.ask(order_history, startTime=start)) == [made[2], made[1], made[0]]
    assert links(bench.ask(order_history, endTime=start + 4 * DAY_MS)) == [made[1], made[0]]
    assert links(bench.ask(executions, startTime=start + 1, endTime=start + 7 * DAY_MS)) == [made[2], made[1]]
    assert links(bench.ask(executions, orderLinkId=made[0])) == [made[0]]
    assert links(bench.ask(order_history, orderLinkId=made[0])) == [made[0]]
    rows = bench.ask(closed_pnl, startTime=start)["list"]
    assert rows == []


def test_filters_of_the_history(bench):
    gone = bench.send("Buy", "0.1", "64900")
    stop = bench.send("Buy", "0.1", "65050", triggerPrice="65100", triggerDirection=1)
    other = bench.send("Buy", "1", "3400", symbol="ETHUSDT")
    for order, symbol in ((gone, "BTCUSDT"), (stop, "BTCUSDT"), (other, "ETHUSDT")):
        cancel(bench, order, symbol=symbol)
    bench.crowd("Sell", "65000", "1")
    filled = bench.send("Buy", "1")
    ask = bench.ask
    assert links(ask(order_history)) == [filled.link_id, stop.link_id, gone.link_id]
    assert links(ask(order_history, orderStatus="Filled")) == [filled.link_id]
    assert links(ask(order_history, orderFilter="StopOrder")) == [stop.link_id]
    assert links(ask(order_history, symbol=None, baseCoin="ETH")) == [other.link_id]
    assert links(ask(order_history, symbol="ETHUSDT", orderLinkId=gone.link_id)) == [gone.link_id]
    assert links(ask(order_history, symbol=None, orderId=gone.order_id, orderLinkId="x")) == [gone.link_id]
    assert links(ask(executions, symbol="ETHUSDT", execType="Funding", orderId=filled.order_id)) == [
        filled.link_id
    ]
    assert links(ask(executions, execType="Funding")) == []
    assert links(ask(open_orders, openOnly=1)) == [filled.link_id, stop.link_id, gone.link_id]
    assert links(ask(open_orders, category="inverse")) == []


def test_executions_of_one_millisecond_are_all_paged(bench):
    for n in range(60):
        bench.crowd("Sell", str(65000 + n), "0.01")
    order = bench.send("Buy", "0.6")
    seen, cursor = [], ""
    while True:
        result = bench.ask(executions, limit="25", cursor=cursor)
        seen += [row["execId"] for row in result["list"]]
        cursor = result["nextPageCursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 60
    assert len({e.time_ms for e in order.executions}) == 1


def test_a_closed_position_tells_its_profit_after_fees(bench):
    bench.crowd("Sell", "65000", "2")
    bench.send("Buy", "2")
    bench.crowd("Buy", "65500", "1")
    order = bench.send("Sell", "1")
    (row,) = bench.ask(closed_pnl)["list"]
    fees = (Decimal(65000) + Decimal(65500)) * Decimal("0.00055")
    assert Decimal(row["closedPnl"]) == 500 - fees
    assert (row["orderId"], row["closedSize"], row["avgEntryPrice"], row["avgExitPrice"]) == (
        order.order_id,
        "1",
        "65000",
        "65500",
    )
    assert refusal_of(bench.ask, closed_pnl, category="spot") == 10001


def test_the_log_of_transactions_adds_up_to_the_wallet(bench):
    bench.crowd("Sell", "65000", "3")
    bench.send("Buy", "3")
    bench.crowd("Buy", "65500", "3")
    bench.send("Sell", "2")
    bench.crowd("Sell", "65000", "1", category="spot")
    bench.send("Buy", "0.5", category="spot", marketUnit="baseCoin")
    bench.do("funding", symbol="BTCUSDT", rate="0.0003")
    rows = bench.ask(transaction_log, category=None, symbol=None, limit="50")["list"]
    changes = {}
    for row in rows:
        changes[row["currency"]] = changes.get(row["currency"], 0) + Decimal(row["change"])
        fee = Decimal(row["fee"])
        paid = Decimal(row["funding"] or 0)
        assert Decimal(row["cashFlow"]) + paid - fee == Decimal(row["change"])
    for coin, opening in (("USDT", 1_000_000), ("BTC", 10)):
        newest = next(row for row in rows if row["currency"] == coin)
        assert opening + changes[coin] == bench.account.balances[coin] == Decimal(newest["cashBalance"])
    settled = bench.ask(transaction_log, category="linear", type="SETTLEMENT")["list"]
    assert [row["funding"] for row in settled] == ["-19.5"]


def test_rates_and_instruments_of_the_account(bench):
    (row,) = bench.ask(fee_rate)["list"]
    assert row == {"symbol": "BTCUSDT", "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}
    assert bench.ask(fee_rate, category="spot")["category"] == "spot"
    assert "category" not in bench.ask(fee_rate, category="inverse", symbol="BTCUSD")
    listed = bench.ask(account_instruments, category="inverse", symbol=None)["list"]
    kinds = {row["symbol"]: (row["contractType"], row["settleCoin"], row["quoteCoin"]) for row in listed}
    assert kinds == {
        "BTCUSD": ("InversePerpetual", "BTC", "USD"),
        "ETHUSD": ("InversePerpetual", "ETH", "USD"),
        "BTCUSDZ27": ("InverseFutures", "BTC", "USD"),
    }


def test_what_a_spot_balance_is_good_for(bench):
    bench.send("Buy", "1", "65000", category="spot")
    answer = bench.ask(spot_borrow_check, category="spot", side="Buy")
    assert Decimal(answer["maxTradeAmount"]) == 935_000
    assert bench.ask(spot_borrow_check, category="spot", side="Sell")["maxTradeQty"] == "10.000000"
    assert refusal_of(bench.ask, spot_borrow_check, side="Buy") == 10001


@pytest.mark.parametrize("mode", ["ISOLATED_MARGIN", "REGULAR_MARGIN"])
def test_isolated_accounts_have_no_account_wide_figures(bench, mode):
    bench.ask(set_margin_mode, setMarginMode=mode)
    assert bench.ask(account_info)["marginMode"] == mode
    wallet = bench.ask(wallet_balance, accountType="UNIFIED")["list"][0]
    isolated = mode == "ISOLATED_MARGIN"
    assert (wallet["totalAvailableBalance"] == "") is isolated
    assert (wallet["accountIMRate"] == "") is isolated
    assert wallet["totalEquity"] != ""
    assert refusal_of(bench.ask, set_margin_mode, setMarginMode="LOOSE") == 10001
