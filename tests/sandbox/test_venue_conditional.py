"""Orders that wait for a price, stops of a position, and the many ways to say at which price to trade."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.account_queries import positions
from sandbox.bybit_server.account_settings import set_limit_px_action, trading_stop
from sandbox.bybit_server.drafting import pre_check
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.order_queries import executions, open_orders, order_history
from tests.sandbox.venue_support import refusal_of

SPOT = {"category": "spot"}
RISES = {"triggerDirection": 1, "triggerPrice": "65100"}
FALLS = {"triggerDirection": 2, "triggerPrice": "64900"}


def states(bench, order):
    return [row["orderStatus"] for row in bench.heard("order") if row["orderId"] == order.order_id]


def by_filter(bench, kind, **fields):
    return [row["orderLinkId"] for row in bench.ask(open_orders, orderFilter=kind, **fields)["list"]]


def print_at(bench, px, category="linear"):
    """Let the crowd trade one small order at a price, so that the last price is there."""
    bench.crowd("Sell", px, "0.001", category=category)
    bench.take("Buy", px, "0.001", category=category)


def test_a_conditional_limit_order_wakes_and_rests(bench):
    order = bench.send("Buy", "1", "65050", **RISES)
    assert order.status.value == "Untriggered"
    assert bench.account.margins("USDT").orders == 0
    assert bench.market().book.find(order.order_id) is None
    print_at(bench, "65099")
    assert order.status.value == "Untriggered"
    print_at(bench, "65100")
    assert states(bench, order) == ["Untriggered", "Triggered", "New"]
    assert bench.market().book.find(order.order_id) is not None
    (row,) = bench.ask(open_orders)["list"]
    assert (row["triggerPrice"], row["triggerDirection"], row["triggerBy"]) == ("65100.00", 1, "LastPrice")
    assert (row["stopOrderType"], row["orderId"]) == ("Stop", order.order_id)


def test_a_conditional_market_order_fills_with_its_own_create_type(bench):
    order = bench.send("Sell", "1", **FALLS)
    bench.crowd("Buy", "64800", "3")
    bench.take("Sell", "64800", "0.5")
    assert states(bench, order) == ["Untriggered", "Triggered", "Filled"]
    (fill,) = bench.ask(executions, orderLinkId=order.link_id)["list"]
    assert (fill["createType"], fill["stopOrderType"], fill["execPrice"]) == (
        "CreateByStopOrder",
        "Stop",
        "64800.00",
    )


def test_the_mark_can_be_what_triggers(bench):
    order = bench.send("Buy", "1", "65050", **RISES, triggerBy="MarkPrice")
    print_at(bench, "65200")
    assert order.status.value == "Untriggered"
    bench.market().mark_px = Decimal(65100)
    bench.exchange.flush()
    assert order.status.value == "New"


@pytest.mark.parametrize(
    ("category", "status", "extra"),
    [("linear", "Cancelled", {}), ("spot", "Deactivated", {"orderFilter": "StopOrder"})],
)
def test_what_a_conditional_order_that_never_woke_is_called(bench, category, status, extra):
    order = bench.send("Buy", "0.1", "65050", category=category, **RISES, **extra)
    named = {"category": category, "orderLinkId": order.link_id}
    if category == "spot":
        assert refusal_of(bench.ask, Exchange.cancel, **named) == 170213
    bench.ask(Exchange.cancel, **named, **extra)
    assert (order.status.value, order.cancel_type.value) == (status, "CancelByUser")
    assert print_at(bench, "65200", category) is None
    assert order.status.value == status


def test_spot_shows_conditional_orders_only_when_asked(bench):
    plain = bench.send("Buy", "0.1", "64900", **SPOT)
    stop = bench.send("Buy", "0.1", "65050", **SPOT, **RISES, orderFilter="StopOrder")
    assert by_filter(bench, None, **SPOT) == [plain.link_id]
    assert by_filter(bench, "StopOrder", **SPOT) == [stop.link_id]
    assert bench.account.locked("USDT") == Decimal("6490.0")
    assert refusal_of(bench.send, "Buy", "0.1", "65050", **SPOT, **RISES) == 170130
    linear = bench.send("Buy", "1", "65050", **RISES)
    assert by_filter(bench, None) == [linear.link_id]
    assert by_filter(bench, "Order") == []


def test_a_woken_spot_order_without_funds_is_rejected(bench):
    order = bench.send("Buy", "10", "65050", **SPOT, **RISES, orderFilter="StopOrder")
    bench.do("balance", coin="USDT", amount="1000")
    print_at(bench, "65100", "spot")
    assert states(bench, order) == ["Untriggered", "Triggered", "Rejected"]


def test_a_spot_order_by_value_is_worked_out_when_it_wakes(bench):
    order = bench.send("Buy", "650", **SPOT, **RISES, orderFilter="tpslOrder")
    bench.crowd("Sell", "65100.0", "5", **SPOT)
    bench.take("Buy", "65100.0", "0.5", **SPOT)
    assert order.cum_value <= 650
    assert order.cum_qty == Decimal("0.009984")


def test_ten_conditional_orders_are_enough(bench):
    for _ in range(10):
        bench.send("Buy", "0.01", "65050", **RISES)
    assert refusal_of(bench.send, "Buy", "0.01", "65050", **RISES) == 110009
    assert bench.send("Buy", "0.01", "64900").is_open


def test_a_trigger_can_be_moved(bench):
    order = bench.send("Buy", "1", "65050", **RISES)

    def amend(**changes):
        return bench.ask(Exchange.amend, orderLinkId=order.link_id, **changes)

    amend(triggerPrice="65200", qty="2")
    print_at(bench, "65150")
    assert (order.status.value, order.qty) == ("Untriggered", 2)
    assert refusal_of(amend, triggerPrice="65100") == 110092
    print_at(bench, "65200")
    assert order.status.value == "New"


def test_a_closing_order_that_wakes_to_no_position_goes(bench):
    order = bench.send("Sell", "1", **FALLS, reduceOnly=True)
    print_at(bench, "64900")
    assert (order.status.value, order.cancel_type.value) == ("Cancelled", "CancelByReduceOnly")


# ---- stops of a position


@pytest.fixture
def long(bench):
    bench.crowd("Sell", "65000", "2")
    bench.send("Buy", "2", takeProfit="65500", stopLoss="64500")
    return bench


def stop_rows(bench):
    return {row["stopOrderType"]: row for row in bench.ask(open_orders)["list"]}


def test_stops_come_with_the_first_fill_and_close_the_position(long):
    (position,) = long.ask(positions)["list"]
    assert (position["takeProfit"], position["stopLoss"]) == ("65500.00", "64500.00")
    rows = stop_rows(long)
    assert set(rows) == {"TakeProfit", "StopLoss"}
    assert rows["StopLoss"]["createType"] == "CreateByStopLoss"
    assert (rows["StopLoss"]["qty"], rows["StopLoss"]["reduceOnly"]) == ("2.000", True)
    long.crowd("Buy", "64400", "5")
    long.take("Sell", "64400", "0.1")
    (position,) = long.ask(positions)["list"]
    assert (position["size"], position["takeProfit"], position["stopLoss"]) == ("0", "", "")
    ended = {row["stopOrderType"]: row for row in long.ask(order_history)["list"] if row["stopOrderType"]}
    assert ended["StopLoss"]["orderStatus"] == "Filled"
    assert ended["TakeProfit"]["cancelType"] == "CancelByTpSlTsClear"


def test_stops_follow_the_size_and_go_with_the_position(long):
    long.crowd("Buy", "64990", "5")
    long.send("Sell", "0.5")
    assert {row["qty"] for row in stop_rows(long).values()} == {"1.500"}
    long.send("Sell", "1.5")
    assert stop_rows(long) == {}


def test_stops_are_set_moved_and_taken_off(long):
    assert long.ask(trading_stop, takeProfit="65600", tpslMode="Full") == {}
    assert refusal_of(long.ask, trading_stop, takeProfit="65600") == 34040
    assert refusal_of(long.ask, trading_stop, takeProfit="64900") == 10001
    assert refusal_of(long.ask, trading_stop, stopLoss="65100") == 10001
    assert refusal_of(long.ask, trading_stop, stopLoss="64000", positionIdx=1) == 10001
    long.ask(trading_stop, stopLoss="0")
    assert set(stop_rows(long)) == {"TakeProfit"}
    (position,) = long.ask(positions)["list"]
    assert (position["takeProfit"], position["stopLoss"]) == ("65600.00", "")
    assert refusal_of(long.ask, trading_stop, symbol="ETHUSDT", stopLoss="1") == 10001


def test_stops_on_the_wrong_side_of_the_order_are_refused(bench):
    assert refusal_of(bench.send, "Buy", "1", "64900", stopLoss="64950") == 10001
    assert refusal_of(bench.send, "Sell", "1", "65100", takeProfit="65200") == 10001
    assert refusal_of(bench.send, "Sell", "1", "65100", takeProfit="64200", reduceOnly=True) == 10001


# ---- prices


@pytest.mark.parametrize(
    ("kind", "amount", "code"),
    [
        ("TickSize", "0", 110108),
        ("TickSize", "1.5", 110108),
        ("TickSize", "10001", 110108),
        ("Percent", "0.001", 110109),
        ("Percent", "10.01", 110109),
        ("Percent", "x", 110109),
        ("Furlong", "1", 10001),
    ],
)
def test_a_tolerance_out_of_range_has_its_code(bench, kind, amount, code):
    bench.crowd("Sell", "65000", "1")
    tolerance = {"slippageToleranceType": kind, "slippageTolerance": amount}
    assert refusal_of(bench.send, "Buy", "1", **tolerance) == code


@pytest.mark.parametrize(
    ("side", "kind", "amount", "limit"),
    [
        ("Buy", "TickSize", "100", "65010.00"),
        ("Sell", "TickSize", "100", "64980.00"),
        ("Buy", "Percent", "0.05", "65032.50"),
        ("Sell", "Percent", "0.05", "64957.60"),
        ("Buy", "Percent", "10", "65650.00"),
    ],
)
def test_a_tolerance_bounds_the_price_of_a_market_order(bench, side, kind, amount, limit):
    bench.crowd("Sell", "65000", "1")
    bench.crowd("Buy", "64990", "1")
    order = bench.send(side, "5", slippageToleranceType=kind, slippageTolerance=amount)
    assert (order.px, order.cum_qty) == (Decimal(limit), 1)
    row = bench.heard("order")[-1]
    assert (row["slippageToleranceType"], row["slippageTolerance"]) == (kind, amount)


def test_best_prices_are_looked_up_in_the_book(bench):
    for level, px in enumerate(("65000", "65001", "65002"), start=1):
        bench.crowd("Sell", px, "1")
        bench.crowd("Buy", str(65000 - 2 * level), "1")
    queue = bench.send("Buy", "0.1", "1", bboSideType="Queue", bboLevel="2")
    assert queue.px == Decimal(64996)
    across = bench.send("Buy", "0.1", "1", bboSideType="Counterparty", bboLevel="3")
    assert (across.px, across.status.value) == (Decimal(65002), "Filled")
    assert refusal_of(bench.send, "Buy", "0.1", "1", bboSideType="Queue", bboLevel="5") == 110118
    assert refusal_of(bench.send, "Buy", "0.1", "1", bboSideType="Queue", bboLevel="6") == 10001


def test_the_band_moves_a_price_or_refuses_it_as_the_account_likes(bench):
    assert bench.send("Buy", "1", "70000").px == Decimal("65650.00")
    bench.ask(set_limit_px_action, modifyEnable=False)
    assert refusal_of(bench.send, "Buy", "1", "70000") == 110003
    assert refusal_of(bench.send, "Sell", "1", "60000") == 110003
    bench.ask(set_limit_px_action, modifyEnable=True)
    assert bench.send("Sell", "0.001", "60000").px == Decimal("64350.10")


@pytest.mark.parametrize(("category", "code"), [("linear", 110119), ("spot", 170355)])
def test_retail_price_improvement_is_for_others(bench, category, code):
    assert refusal_of(bench.send, "Buy", "1", "64900", timeInForce="RPI", category=category) == code


# ---- self-match prevention


@pytest.mark.parametrize(
    ("smp_type", "maker", "taker", "filled"),
    [
        ("CancelMaker", "Cancelled", "New", "1.5"),
        ("CancelTaker", "New", "Cancelled", "0.5"),
        ("CancelBoth", "Cancelled", "Cancelled", "0.5"),
        ("None", "Filled", "New", "2.5"),
    ],
)
def test_who_goes_when_an_account_meets_itself(bench, smp_type, maker, taker, filled):
    bench.crowd("Sell", "65000", "0.5")
    own = bench.send("Sell", "1", "65000")
    bench.crowd("Sell", "65000", "1")
    incoming = bench.send("Buy", "3", "65000", smpType=smp_type)
    assert own.status.value == maker
    assert incoming.status.value in {taker, "PartiallyFilled" if taker == "New" else taker}
    assert incoming.cum_qty == Decimal(filled)
    gone = [order for order in (own, incoming) if order.status.value == "Cancelled"]
    for order in gone:
        assert (order.cancel_type.value, order.reject_reason.value) == ("CancelBySmp", "EC_BySelfMatch")
        assert order.smp_order_id == (own if order is incoming else incoming).order_id
    assert not any(e.order is own for e in bench.account.executions) or smp_type == "None"


def test_an_unknown_way_of_prevention_is_refused(bench):
    assert refusal_of(bench.send, "Buy", "1", "64900", smpType="CancelAll") == 10001


def test_an_amended_order_does_not_meet_its_own_side_either(bench):
    own = bench.send("Sell", "1", "65000")
    order = bench.send("Buy", "1", "64900", smpType="CancelMaker")
    bench.ask(Exchange.amend, orderLinkId=order.link_id, price="65000")
    assert (own.status.value, order.status.value, order.px) == ("Cancelled", "New", Decimal(65000))


# ---- closing what is too large for one order


def test_a_close_beyond_the_largest_order_is_split_under_one_link_id(bench):
    bench.do("balance", coin="USDT", amount="100000000")
    bench.crowd("Sell", "65000", "1200")
    for _ in range(3):
        bench.send("Buy", "400")
    bench.crowd("Buy", "64990", "1200")
    bench.send("Sell", "0", reduceOnly=True, closeOnTrigger=True, orderLinkId="all")
    rows = bench.ask(order_history, orderLinkId="all")["list"]
    assert sorted(row["qty"] for row in rows) == ["200.000", "500.000", "500.000"]
    fills = bench.ask(executions, orderLinkId="all")["list"]
    assert sum(Decimal(fill["execQty"]) for fill in fills) == 1200
    (position,) = bench.ask(positions)["list"]
    assert position["size"] == "0"


def test_a_check_beforehand_places_nothing(bench):
    body = {"side": "Buy", "orderType": "Limit", "qty": "10", "price": "64000"}
    answer = bench.ask(pre_check, **body)
    assert (answer["preImrE4"], answer["postImrE4"]) == (0, 640)
    assert bench.account.orders == {}
    assert refusal_of(bench.ask, pre_check, **{**body, "qty": "1000"}) == 110007
