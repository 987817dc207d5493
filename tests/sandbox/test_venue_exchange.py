"""The life of an order, the money it moves, and the code for every refusal; no sockets."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.account_settings import set_leverage, switch_mode
from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.orders import CancelType
from sandbox.bybit_server.refusal import RefusalError


def refused(call, *args, **kwargs):
    with pytest.raises(RefusalError) as caught:
        call(*args, **kwargs)
    return caught.value.code


def named(order, **changes):
    return Fields({"category": "linear", "symbol": "BTCUSDT", "orderLinkId": order.link_id, **changes})


def test_a_resting_order_is_filled_in_two_parts_by_the_crowd(bench):
    order = bench.send("Buy", "1.000", "64990.00")
    assert (order.status.value, bench.kinds()) == ("New", ["order", "position", "wallet"])
    bench.messages.clear()
    bench.take("Sell", "64000", "0.400")
    assert order.status.value == "PartiallyFilled"
    assert bench.kinds() == ["execution.fast", "execution", "order", "position", "wallet"]
    bench.take("Sell", "64000", "5")
    assert (order.status.value, order.cum_qty) == ("Filled", Decimal("1.000"))
    fees = sum(execution.fee for execution in bench.account.executions)
    assert fees == Decimal(64990) * Decimal("0.0002")
    assert bench.account.balances["USDT"] == 1_000_000 - fees
    assert bench.account.position(order.instrument).size == 1


def test_a_makers_fast_execution_hides_its_link_id(bench):
    bench.send("Buy", "1", "64990.00")
    bench.take("Sell", "64000", "0.4")
    rows = {message.kind: message.rows[0] for message in bench.messages}
    assert rows["execution.fast"]["orderLinkId"] == ""
    assert rows["execution"]["orderLinkId"] == "link-0"
    assert rows["execution.fast"]["execId"] == rows["execution"]["execId"]


def test_the_public_trade_carries_the_execution_id(bench):
    bench.send("Buy", "1", "64990.00")
    bench.take("Sell", "64000", "0.4")
    assert bench.market().trades[-1].exec_id == bench.account.executions[-1].exec_id


def test_post_only_that_would_take_is_cancelled_after_the_ack(bench):
    bench.crowd("Sell", "65000", "1")
    order = bench.send("Buy", "0.5", "65000.0", timeInForce="PostOnly")
    row = next(message.rows[0] for message in bench.messages if message.kind == "order")
    assert (row["orderStatus"], row["cancelType"]) == ("Cancelled", "UNKNOWN")
    assert row["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"
    assert (row["cumExecQty"], row["leavesQty"]) == ("0.000", "0.000")
    assert not order.is_open


def test_ioc_remainder_is_cancelled_with_the_fill_kept(bench):
    bench.crowd("Sell", "65000", "0.3")
    order = bench.send("Buy", "1", "65000.0", timeInForce="IOC")
    assert (order.status.value, order.cum_qty) == ("Cancelled", Decimal("0.3"))
    assert order.reject_reason.value == "EC_NoImmediateQtyToFill"


def test_fok_without_enough_quantity_is_cancelled_whole(bench):
    bench.crowd("Sell", "65000", "0.3")
    order = bench.send("Buy", "1", "65000.0", timeInForce="FOK")
    assert (order.status.value, order.cum_qty) == ("Cancelled", 0)


def test_a_market_order_stops_at_its_protection_price(bench):
    bench.crowd("Sell", "65000", "0.3")
    bench.crowd("Sell", "66000", "5")
    order = bench.send("Buy", "1")
    assert (order.tif.value, order.px) == ("IOC", Decimal("65650.00"))
    assert (order.status.value, order.cum_qty) == ("Cancelled", Decimal("0.3"))
    assert refused(bench.send, "Buy", "1") == 10001


def test_a_contract_price_beyond_the_band_is_moved_to_it(bench):
    assert bench.send("Buy", "1", "70000.0").px == Decimal("65650.00")
    assert bench.send("Buy", "1", "60000.0").px == Decimal("60000.0")


def test_cancel_then_cancel_again(bench):
    order = bench.send("Buy", "1", "64000.0")
    bench.exchange.cancel(bench.account, named(order))
    assert order.cancel_type is CancelType.BY_USER
    assert order.reject_reason.value == "EC_PerCancelRequest"
    assert refused(bench.exchange.cancel, bench.account, named(order)) == 110001
    assert refused(bench.exchange.amend, bench.account, named(order, qty="2")) == 110001
    assert (
        refused(bench.exchange.cancel, bench.account, Fields({"category": "linear", "symbol": "BTCUSDT"}))
        == 10001
    )


def test_a_link_id_is_used_up_for_ever(bench):
    order = bench.send("Buy", "1", "64000.0", orderLinkId="once")
    assert refused(bench.send, "Buy", "1", "64000.0", orderLinkId="once") == 110072
    bench.exchange.cancel(bench.account, named(order))
    assert refused(bench.send, "Buy", "1", "64000.0", orderLinkId="once") == 110072


def test_amend_changes_what_is_named_and_refuses_what_makes_no_sense(bench):
    order = bench.send("Buy", "1", "64000.0")
    bench.exchange.amend(bench.account, named(order, qty="2"))
    assert (order.qty, order.px, order.leaves_qty) == (2, Decimal("64000.0"), 2)
    bench.exchange.amend(bench.account, named(order, price="64001.0"))
    assert order.px == Decimal("64001.0")
    assert refused(bench.exchange.amend, bench.account, named(order, qty="2")) == 10001
    bench.take("Sell", "60000", "1.5")
    assert refused(bench.exchange.amend, bench.account, named(order, qty="1.5")) == 110064
    bench.exchange.amend(bench.account, named(order, qty="1.6"))
    assert order.leaves_qty == Decimal("0.1")


def test_amending_a_post_only_order_into_the_market_cancels_it(bench):
    bench.crowd("Sell", "65000", "1")
    order = bench.send("Buy", "1", "64000.0", timeInForce="PostOnly")
    bench.exchange.amend(bench.account, named(order, price="65000.0"))
    assert order.reject_reason.value == "EC_PostOnlyWillTakeLiquidity"
    assert bench.market().book.find(order.order_id) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"qty": "0.0015"}, 10001),
        ({"qty": "0"}, 10001),
        ({"qty": "-1"}, 10001),
        ({"qty": "1e-3"}, 10001),
        ({"qty": "5000"}, 10001),
        ({"qty": None}, 10001),
        ({"price": "64000.05"}, 10001),
        ({"price": None}, 10001),
        ({"side": "buy"}, 10001),
        ({"symbol": "NOPEUSDT"}, 10001),
        ({"category": "what"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"timeInForce": "GTX"}, 10001),
        ({"timeInForce": "RPI"}, 110119),
        ({"orderLinkId": "x" * 37}, 10001),
        ({"orderLinkId": "with space"}, 10001),
        ({"triggerPrice": "60000", "triggerDirection": 1}, 110092),
        ({"triggerPrice": "66000", "triggerDirection": 2}, 110093),
        ({"symbol": "XRPUSDT", "price": "0.6", "qty": "8"}, 110094),
        ({"reduceOnly": True}, 110017),
        ({"qty": "1000", "price": "65000.0"}, 110007),
        ({"category": "spot", "qty": "0.00001", "price": "65000"}, 170140),
        ({"category": "spot", "qty": "0.0000011"}, 170137),
        ({"category": "spot", "qty": "0.001", "price": "64000.05"}, 170134),
        ({"category": "spot", "qty": "0.001", "price": "70000"}, 170193),
        ({"category": "spot", "qty": "50", "price": "64900"}, 170131),
        ({"category": "spot", "qty": "84", "price": "64900"}, 170124),
        ({"category": "spot", "qty": ""}, 170105),
        ({"category": "spot", "qty": "x"}, 170130),
        ({"category": "spot", "symbol": "NOPEUSDT"}, 170121),
        ({"category": "spot", "side": "x"}, 170117),
        ({"category": "spot", "orderType": "x"}, 170116),
        ({"category": "spot", "timeInForce": "x"}, 170115),
    ],
)
def test_bad_input_has_its_code(bench, changes, code):
    before = dict(bench.account.orders)
    body = {"qty": "0.001", "px": "64000.0", **changes}
    if "price" in body:
        body["px"] = body.pop("price")
        body.setdefault("orderType", "Limit")
    assert refused(bench.send, body.pop("side", "Buy"), body.pop("qty"), body.pop("px"), **body) == code
    assert bench.account.orders == before


def test_reduce_only_is_cut_down_and_follows_the_position(bench):
    bench.crowd("Sell", "65000", "1")
    bench.send("Buy", "1")
    assert refused(bench.send, "Buy", "1", "64000.0", reduceOnly=True) == 110017
    closing = bench.send("Sell", "3", "65010.0", reduceOnly=True)
    assert closing.qty == 1
    assert refused(bench.send, "Sell", "1", "65020.0", reduceOnly=True) == 110017
    bench.crowd("Buy", "64990", "1")
    bench.send("Sell", "1")
    assert closing.cancel_type is CancelType.BY_REDUCE_ONLY


def test_quantity_zero_closes_the_position(bench):
    bench.crowd("Sell", "65000", "0.7")
    bench.send("Buy", "0.7")
    bench.crowd("Buy", "64990", "5")
    order = bench.send("Sell", "0", reduceOnly=True, closeOnTrigger=True)
    assert (order.status.value, order.qty) == ("Filled", Decimal("0.7"))


def test_a_round_trip_moves_exactly_price_difference_minus_fees(bench):
    bench.crowd("Sell", "65000", "2")
    bench.send("Buy", "2")
    bench.crowd("Buy", "65100", "3")
    bench.send("Sell", "3")
    position = bench.account.position(bench.market().instrument)
    fees = (Decimal(65000) * 2 + Decimal(65100) * 3) * Decimal("0.00055")
    assert (position.size, position.entry_px) == (-1, Decimal(65100))
    assert bench.account.balances["USDT"] == 1_000_000 + 200 - fees


def test_two_clients_trade_with_each_other_and_share_the_execution_id(bench):
    bench.send("Buy", "1", "64990.0", account=bench.other)
    bench.send("Sell", "1", "64990.0")
    (maker,), (taker,) = bench.other.executions, bench.account.executions
    assert maker.exec_id == taker.exec_id
    assert (maker.is_maker, taker.is_maker) == (True, False)
    assert bench.exchange.accounts[2].position(maker.order.instrument).size == 1


def test_a_spot_market_buy_by_value_ends_with_a_crumb(bench):
    bench.crowd("Sell", "65000.3", "1", category="spot")
    order = bench.send("Buy", "100", category="spot")
    assert order.status.value == "PartiallyFilledCanceled"
    assert order.reject_reason.value == "EC_CancelForNoFullFill"
    fee = order.fees["BTC"]
    assert bench.account.balances["BTC"] == 10 + order.cum_qty - fee
    assert bench.account.balances["USDT"] == 1_000_000 - order.cum_value
    assert Decimal("99.9") < order.cum_value <= 100


def test_a_spot_sell_locks_the_coin_and_pays_the_fee_in_quote(bench):
    order = bench.send("Sell", "0.5", "65010.0", category="spot")
    assert bench.account.locked("BTC") == Decimal("0.5")
    bench.take("Buy", "65020", "0.2", category="spot")
    assert order.status.value == "PartiallyFilled"
    bench.exchange.cancel(bench.account, named(order, category="spot"))
    assert order.status.value == "PartiallyFilledCanceled"
    assert list(order.fees) == ["USDT"]
    assert bench.account.locked("BTC") == 0
    assert refused(bench.exchange.cancel, bench.account, named(order, category="spot")) == 170213


def test_cancel_all_takes_only_what_is_asked_for(bench):
    linear = [bench.send("Buy", "1", "64000.0") for _ in range(3)]
    spot = bench.send("Buy", "0.1", "64900.0", category="spot")
    answer = bench.exchange.cancel_all(bench.account, Fields({"category": "linear", "settleCoin": "USDT"}))
    assert [row["orderId"] for row in answer["list"]] == [order.order_id for order in linear]
    assert answer["success"] == "1"
    assert spot.is_open
    assert refused(bench.exchange.cancel_all, bench.account, Fields({"category": "linear"})) == 10001


def test_settings_that_change_nothing_say_so(bench):
    body = {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "5", "sellLeverage": "5"}
    assert set_leverage(bench.exchange, bench.account, Fields(body)) == {}
    assert refused(set_leverage, bench.exchange, bench.account, Fields(body)) == 110043
    body |= {"buyLeverage": "101", "sellLeverage": "101"}
    assert refused(set_leverage, bench.exchange, bench.account, Fields(body)) == 110013
    mode = {"category": "linear", "symbol": "BTCUSDT", "mode": 0}
    assert refused(switch_mode, bench.exchange, bench.account, Fields(mode)) == 110025


def test_equal_seeds_and_requests_give_equal_ids():
    ids = []
    for _ in range(2):
        exchange = Exchange(ManualClock(), seed=3)
        account = next(iter(exchange.accounts.values()))
        body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "1"}
        ack = exchange.create(account, Fields(body))
        ids.append((ack["orderId"], [execution.exec_id for execution in account.executions]))
    assert ids[0] == ids[1]


def test_five_hundred_working_orders_are_enough(bench):
    for _ in range(500):
        bench.send("Buy", "0.001", "64500.0")
    assert refused(bench.send, "Buy", "0.001", "64500.0") == 110020
    assert bench.send("Buy", "0.001", "64900.0", category="spot").is_open
