"""The operator's acts upon orders, positions, money and rules: the books stay whole, and the client is told."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.account_queries import positions, wallet_balance
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.instruments import instrument_shape
from sandbox.bybit_server.order_queries import executions, open_orders, order_history
from tests.sandbox.venue_support import refusal_of


def size(bench, index=0):
    return bench.account.position(bench.market().instrument, index).size


@pytest.fixture
def long(bench):
    bench.crowd("Sell", "65000", "2")
    bench.send("Buy", "2")
    bench.messages.clear()
    return bench


def test_an_order_is_rejected_after_its_ack(bench):
    order = bench.send("Buy", "1", "64900")
    bench.do("reject", orderLinkId=order.link_id, reason="EC_ReachRiskPriceLimit")
    row = bench.heard("order")[-1]
    assert (row["orderStatus"], row["rejectReason"]) == ("Rejected", "EC_ReachRiskPriceLimit")
    assert (row["leavesQty"], bench.market().book.find(order.order_id)) == ("0.000", None)
    assert bench.account.margins("USDT").orders == 0
    assert bench.ask(order_history, orderLinkId=order.link_id)["list"][0]["orderStatus"] == "Rejected"
    assert refusal_of(bench.do, "reject", orderLinkId=order.link_id) == 10001


def test_the_next_orders_are_acknowledged_and_rejected(bench):
    bench.crowd("Sell", "65000", "2")
    bench.do("reject_next", count=2)
    first, second, third = (bench.send("Buy", "0.5") for _ in range(3))
    assert [order.status.value for order in (first, second, third)] == ["Rejected", "Rejected", "Filled"]
    assert [row["orderStatus"] for row in bench.heard("order")] == ["Rejected", "Rejected", "Filled"]
    assert size(bench) == Decimal("0.5")


def test_a_cancel_is_acknowledged_and_forgotten(bench):
    order = bench.send("Buy", "1", "64900")
    named = {"orderLinkId": order.link_id}
    bench.do("ignore_cancels", count=1)
    assert bench.ask(Exchange.cancel, **named)["orderId"] == order.order_id
    assert order.is_open
    bench.ask(Exchange.cancel, **named)
    assert order.status.value == "Cancelled"


@pytest.mark.parametrize("filled_before", ["0", "0.4", "1"])
def test_an_order_is_filled_beyond_its_quantity(bench, filled_before):
    order = bench.send("Buy", "1", "64900")
    if Decimal(filled_before):
        bench.take("Sell", "64900", filled_before)
    bench.do("overfill", orderLinkId=order.link_id, qty="1.25", price="64890")
    total = Decimal(filled_before) + Decimal("1.25")
    fills = bench.ask(executions, orderLinkId=order.link_id)["list"]
    assert sum(Decimal(fill["execQty"]) for fill in fills) == total > order.qty
    assert (order.status.value, order.cum_qty, order.leaves_qty) == ("Filled", total, 0)
    assert size(bench) == total
    assert bench.market().book.find(order.order_id) is None
    assert bench.heard("order")[-1]["cumExecQty"] == f"{total:.3f}"


def test_an_overfill_is_more_than_what_is_left(bench):
    order = bench.send("Buy", "1", "64900")
    assert refusal_of(bench.do, "overfill", orderLinkId=order.link_id, qty="1") == 10001


def test_the_owner_trades_by_hand(long):
    answer = long.do("external", symbol="BTCUSDT", side="Sell", qty="0.5", price="65100")
    assert size(long) == Decimal("1.5")
    (row,) = [row for row in long.heard("order") if row["orderId"] == answer["orderId"]]
    assert (row["orderLinkId"], row["orderStatus"]) == ("", "Filled")
    (fill,) = long.ask(executions, orderId=answer["orderId"])["list"]
    assert (fill["execId"], fill["execType"], fill["orderLinkId"]) == (answer["execId"], "Trade", "")
    assert [kind for kind in long.kinds() if kind != "order"][-2:] == ["position", "wallet"]


def test_an_execution_of_any_kind_is_booked_and_pushed(long):
    before = long.account.balances["USDT"]
    long.do("execution", symbol="BTCUSDT", side="Buy", qty="2", execType="Surprise", fee="3.5")
    row = long.heard("execution")[-1]
    assert (row["execType"], row["execFee"], row["orderType"]) == ("Surprise", "3.5", "UNKNOWN")
    assert long.account.balances["USDT"] == before - Decimal("3.5")
    assert size(long) == 2
    assert long.heard("execution.fast") == []
    listed = long.ask(executions, execType="Surprise")["list"]
    assert [fill["execId"] for fill in listed] == [row["execId"]]


def test_a_late_fill_of_an_ended_order_and_an_id_used_twice(bench):
    order = bench.send("Buy", "1", "64900")
    bench.ask(Exchange.cancel, orderLinkId=order.link_id)
    bench.do("execution", orderLinkId=order.link_id, qty="0.3", execId="same")
    bench.do("execution", orderLinkId=order.link_id, qty="0.4", price="64890", execId="same")
    fills = bench.ask(executions, orderLinkId=order.link_id)["list"]
    assert [(fill["execId"], fill["execQty"]) for fill in fills] == [("same", "0.400"), ("same", "0.300")]
    assert (order.status.value, order.cum_qty, size(bench)) == ("Cancelled", Decimal("0.7"), Decimal("0.7"))


def test_a_liquidation_ends_orders_and_position(long):
    resting = long.send("Buy", "1", "64000")
    long.send("Sell", "1", "66000", reduceOnly=True)
    answer = long.do("liquidate", symbol="BTCUSDT")
    assert size(long) == 0
    assert {o.cancel_type.value for o in (resting,)} == {"CancelAllBeforeLiq"}
    assert long.account.open_orders == {}
    (fill,) = long.ask(executions, execType="BustTrade")["list"]
    assert (fill["orderId"], fill["execQty"], fill["side"]) == (answer["orderId"], "2.000", "Sell")
    assert fill["createType"] == "CreateByLiq"
    assert Decimal(fill["execPrice"]) == Decimal("58500.00")
    assert refusal_of(long.do, "liquidate", symbol="BTCUSDT") == 10001


def test_a_deleveraging_takes_a_part(long):
    closing = long.send("Sell", "1", "65500", reduceOnly=True)
    opening = long.send("Buy", "1", "64000")
    long.do("adl", symbol="BTCUSDT", qty="0.75", price="65010")
    assert size(long) == Decimal("1.25")
    assert closing.cancel_type.value == "CancelByPrepareAdl"
    assert opening.is_open
    (fill,) = long.ask(executions, execType="AdlTrade")["list"]
    assert (fill["execQty"], fill["execPrice"], fill["closedSize"]) == ("0.750", "65010.00", "0.75")


def test_funding_is_paid_by_longs_to_shorts(long):
    long.crowd("Buy", "65000", "2")
    long.send("Sell", "1", account=long.other)
    mine, theirs = long.account.balances["USDT"], long.other.balances["USDT"]
    assert long.do("funding", symbol="BTCUSDT", rate="0.0002") == {"positions": 2, "rate": "0.0002"}
    paid = 2 * Decimal(65000) * Decimal("0.0002")
    assert long.account.balances["USDT"] == mine - paid
    assert long.other.balances["USDT"] == theirs + paid / 2
    row = next(row for row in long.heard("execution") if row["execType"] == "Funding")
    assert (row["execFee"], row["execQty"], row["orderType"]) == ("26", "2.000", "UNKNOWN")
    assert (row["orderLinkId"], row["side"], row["feeRate"]) == ("", "Buy", "0.0002")
    assert row["execId"] not in {fast["execId"] for fast in long.heard("execution.fast")}
    long.do("funding", symbol="BTCUSDT", rate="-0.0002")
    assert long.account.balances["USDT"] == mine


def test_rules_change_while_orders_stand(bench):
    standing = bench.send("Buy", "0.123", "64900.10")
    bench.do("instrument", symbol="BTCUSDT", tickSize="0.50", qtyStep="0.010", minNotional="1000")
    assert refusal_of(bench.send, "Buy", "0.123", "64900.00") == 10001
    assert refusal_of(bench.send, "Buy", "0.12", "64900.10") == 10001
    assert refusal_of(bench.send, "Buy", "0.01", "64900.00") == 110094
    assert bench.send("Buy", "0.12", "64900.50").is_open
    bench.take("Sell", "64000", "0.2")
    assert (standing.cum_qty, standing.px) == (Decimal("0.08"), Decimal("64900.10"))
    shape = instrument_shape(bench.market().instrument)
    assert (shape["priceFilter"]["tickSize"], shape["lotSizeFilter"]["qtyStep"]) == ("0.50", "0.010")
    assert shape["lotSizeFilter"]["minNotionalValue"] == "1000"
    bench.do("instrument", symbol="BTCUSDT", tickSize="0.10", qtyStep="0.001", minNotional="5")
    assert bench.send("Buy", "0.001", "64900.10").is_open
    with pytest.raises(ValueError, match="multiples"):
        bench.do("instrument", symbol="BTCUSDT", tickSize="0.15")


@pytest.mark.parametrize(
    ("category", "status", "code"),
    [("linear", "Closed", 110074), ("linear", "PreLaunch", 110074), ("spot", "Closed", 170151)],
)
def test_a_symbol_that_does_not_trade_takes_no_orders(bench, category, status, code):
    bench.do("instrument", category=category, symbol="BTCUSDT", status=status)
    assert refusal_of(bench.send, "Buy", "0.1", "64900", category=category) == code
    bench.do("instrument", category=category, symbol="BTCUSDT", status="Trading")
    assert bench.send("Buy", "0.1", "64900", category=category).is_open


def test_a_symbol_that_winds_down_lets_positions_be_closed(long):
    long.do("instrument", symbol="BTCUSDT", status="Delivering")
    assert refusal_of(long.send, "Buy", "0.1", "64900") == 110074
    assert long.send("Sell", "1", "65500", reduceOnly=True).is_open


def test_money_comes_and_goes(bench):
    bench.do("balance", coin="USDT", amount="12.5")
    assert bench.heard("wallet")[-1]["coin"][0]["walletBalance"] == "12.5"
    assert refusal_of(bench.send, "Buy", "1", "64900") == 110007
    entry = bench.ask(wallet_balance, accountType="UNIFIED", coin="USDT")["list"][0]["coin"][0]
    assert entry["walletBalance"] == "12.5"
    bench.do("balance", coin="USDT", amount="7", uid=2)
    assert bench.other.balances["USDT"] == 7


def test_acts_about_nothing_are_refused(bench):
    for name, fields in (
        ("external", {"symbol": "NOPE", "side": "Buy", "qty": "1"}),
        ("external", {"symbol": "BTCUSDT", "side": "Buy", "qty": "0"}),
        ("external", {"symbol": "BTCUSDT", "qty": "1"}),
        ("external", {"symbol": "BTCUSDT", "side": "Buy", "qty": "1", "positionIdx": 1}),
        ("adl", {"symbol": "BTCUSDT", "qty": "1"}),
        ("reject", {"orderLinkId": "nobody"}),
        ("visible_lag", {"endpoint": "weather", "ms": 1}),
        ("balance", {"amount": "1"}),
        ("balance", {"coin": "USDT", "amount": "1", "uid": 404}),
        ("instrument", {"symbol": "BTCUSDT", "status": "Napping"}),
    ):
        assert refusal_of(bench.do, name, **fields) == 10001


def test_in_hedge_mode_acts_say_which_position(bench):
    from sandbox.bybit_server.account_settings import switch_mode

    bench.ask(switch_mode, mode=3)
    bench.do("external", symbol="BTCUSDT", side="Buy", qty="2", price="65000")
    bench.do("external", symbol="BTCUSDT", side="Sell", qty="3", price="65000")
    assert (size(bench, 1), size(bench, 2)) == (2, -3)
    bench.do("liquidate", symbol="BTCUSDT", positionIdx=2)
    assert (size(bench, 1), size(bench, 2)) == (2, 0)
    assert {row["positionIdx"] for row in bench.ask(positions)["list"]} == {1, 2}


def test_lagging_queries_show_what_was(bench):
    bench.do("visible_lag", endpoint="realtime", ms=5000)
    order = bench.send("Buy", "1", "64900")
    named = {"orderLinkId": order.link_id}
    assert bench.ask(open_orders, **named)["list"] == []
    assert bench.ask(open_orders)["list"] == []
    bench.clock.advance_ms(3000)
    bench.take("Sell", "64900", "0.4")
    bench.clock.advance_ms(2500)
    for query in (named, {}):
        (row,) = bench.ask(open_orders, **query)["list"]
        assert (row["orderStatus"], row["cumExecQty"]) == ("New", "0.000")
    assert [fill["execQty"] for fill in bench.ask(executions, **named)["list"]] == ["0.400"]
    bench.ask(Exchange.cancel, **named)
    bench.clock.advance_ms(2500)
    (row,) = bench.ask(open_orders)["list"]
    assert (row["orderStatus"], row["cumExecQty"]) == ("PartiallyFilled", "0.400")
    assert bench.ask(order_history, **named)["list"][0]["orderStatus"] == "Cancelled"
    bench.clock.advance_ms(6000)
    assert bench.ask(open_orders)["list"] == []
    bench.do("lag", ms=0)


def test_an_order_from_before_the_lag_keeps_its_look(bench):
    order = bench.send("Buy", "1", "64900")
    bench.clock.advance_ms(1000)
    bench.do("lag", ms=4000)
    bench.take("Sell", "64900", "1")
    assert order.status.value == "Filled"
    bench.clock.advance_ms(3500)
    (row,) = bench.ask(open_orders)["list"]
    assert row["orderStatus"] == "New"
    assert bench.ask(executions)["list"] == []
    assert bench.ask(order_history)["list"] == []
    bench.clock.advance_ms(1000)
    assert bench.ask(open_orders)["list"] == []
    assert len(bench.ask(executions)["list"]) == len(bench.ask(order_history)["list"]) == 1


@pytest.mark.parametrize(
    ("hours", "unfilled", "filled", "fills"),
    [(23, 1, 2, 2), (25, 0, 2, 2), (24 * 8, 0, 2, 2), (24 * 729, 0, 2, 2), (24 * 731, 0, 0, 0)],
)
def test_what_the_venue_remembers_and_for_how_long(bench, hours, unfilled, filled, fills):
    never = bench.send("Buy", "1", "64900")
    partly = bench.send("Buy", "1", "64950")
    bench.take("Sell", "64950", "0.4")
    whole = bench.send("Buy", "0.2", "64960")
    bench.take("Sell", "64960", "0.2")
    for order in (never, partly):
        bench.ask(Exchange.cancel, orderLinkId=order.link_id)
    bench.do("age", hours=hours)
    seen = {row["orderLinkId"] for row in bench.ask(order_history)["list"]}
    assert len(seen & {never.link_id}) == unfilled
    assert len(seen & {partly.link_id, whole.link_id}) == filled
    assert len(bench.ask(order_history, orderLinkId=never.link_id)["list"]) == unfilled
    assert len(bench.ask(executions)["list"]) == fills
    assert len(bench.ask(executions, orderLinkId=whole.link_id)["list"]) == fills // 2
    bench.do("age", hours=0)
    assert len(bench.ask(order_history)["list"]) == 3


def test_time_itself_has_the_same_effect(bench):
    order = bench.send("Buy", "1", "64900")
    bench.ask(Exchange.cancel, orderLinkId=order.link_id)
    bench.clock.advance_ms(24 * 3_600_000)
    assert len(bench.ask(order_history)["list"]) == 1
    bench.clock.advance_ms(1)
    assert bench.ask(order_history)["list"] == []


def test_every_act_is_on_the_control_port(control):
    import urllib.error

    for name in ("reject", "overfill", "execution", "liquidate", "adl", "instrument", "key", "balance"):
        body = {"do": name, "symbol": "NOPE", "orderLinkId": "nobody", "key": "nobody"}
        with pytest.raises(urllib.error.HTTPError) as caught:
            control("POST", "/_ex", body)
        with caught.value as error:
            assert "not known" not in error.read().decode()
    assert control("POST", "/_ex", {"do": "age", "hours": 0}) == {"hours": 0}
