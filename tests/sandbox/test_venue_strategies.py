"""Strategy orders of the venue: TWAP with its dropped tail, iceberg, chase and POV, their lists, and their stop."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.order_queries import executions, open_orders
from sandbox.bybit_server.strategy_queries import (
    create_strategy,
    list_strategies,
    list_strategy_orders,
    stop_strategy,
)
from tests.sandbox.venue_support import poll_until, refusal_of

LINEAR = {"category": "UTA_USDT", "symbol": "BTCUSDT", "side": "Buy"}
TWAP = {**LINEAR, "strategyType": "twap", "size": "0.300", "duration": 300, "interval": 30}
ICEBERG = {**LINEAR, "strategyType": "iceberg", "size": "0.300", "subSize": "0.100"}
POV = {
    **LINEAR,
    "strategyType": "pov",
    "size": "0.300",
    "duration": 900,
    "interval": 5,
    "povParams": {"mode": "TradedVolume", "participationRate": "10", "referenceWindow": "60"},
}


def passes(bench, seconds):
    """Let time pass in steps of a second."""
    for _ in range(seconds):
        bench.clock.advance_ms(1_000)
        bench.exchange.advance()


def starts(bench, **fields):
    name = bench.ask(create_strategy, **fields)["strategyId"]
    bench.exchange.advance()
    return name


def row(bench, name):
    (found,) = bench.ask(list_strategies, category="UTA_USDT", symbol="", strategyId=name)["list"]
    return found


def orders(bench, name):
    return bench.ask(list_strategy_orders, strategyId=name, pageSize="50")["list"][::-1]


def sellers(bench, qty="5", px="65000"):
    bench.crowd("Sell", px, qty)
    bench.crowd("Buy", "64990", "5")


def test_a_twap_sends_equal_market_orders_and_completes(bench):
    sellers(bench)
    name = starts(bench, **TWAP)
    assert (row(bench, name)["status"], len(orders(bench, name))) == (2, 1)
    passes(bench, 29)
    assert len(orders(bench, name)) == 1
    passes(bench, 272)
    told = row(bench, name)
    assert (told["status"], told["terminateType"], told["executedSize"]) == (3, 2, "0.3")
    subs = orders(bench, name)
    assert [sub["size"] for sub in subs] == ["0.03"] * 10
    assert {sub["status"] for sub in subs} == {"5"}
    fills = bench.ask(executions, limit=100)["list"]
    assert {fill["createType"] for fill in fills} == {"CreateByTWAP"}
    assert {fill["orderId"] for fill in fills} == {sub["orderId"] for sub in subs}
    assert {fill["orderLinkId"] for fill in fills} == {""}
    assert len([push for push in bench.heard("order") if push["createType"] == "CreateByTWAP"]) == 10


def test_a_failed_twap_child_is_tried_once_more_and_then_dropped_so_that_the_parent_ends_short(bench):
    sellers(bench, "0.075")
    name = starts(bench, **TWAP)
    passes(bench, 301)
    told = row(bench, name)
    assert (told["status"], told["executedSize"], told["size"]) == (3, "0.075", "0.3")
    subs = orders(bench, name)
    assert [sub["executedSize"] for sub in subs[:4]] == ["0.03", "0.03", "0.015", "0"]
    assert subs[3]["parentOrderId"] == subs[2]["orderId"]
    assert subs[3]["size"] == "0.015"
    assert (subs[3]["status"], subs[3]["code"] != 0) == ("3", True)


def test_a_noisy_twap_stays_within_a_fifth_and_sums_to_its_size(bench):
    sellers(bench)
    name = starts(bench, **{**TWAP, "size": "1.000"}, isRandom=True)
    passes(bench, 301)
    sizes = [Decimal(sub["size"]) for sub in orders(bench, name)]
    assert sum(sizes) == 1
    assert len(set(sizes)) > 3
    assert all(Decimal("0.079") <= size <= Decimal("0.12") for size in sizes[:-1])


def test_a_limit_twap_rests_and_its_rest_is_sent_once_more(bench):
    sellers(bench)
    name = starts(bench, **TWAP, chaseDistance="0.5")
    (sub,) = orders(bench, name)
    assert (sub["price"], sub["status"]) == ("64989.50", "2")
    passes(bench, 16)
    first, again = orders(bench, name)
    assert (first["status"], again["parentOrderId"], again["status"]) == ("7", first["orderId"], "2")
    passes(bench, 290)
    assert row(bench, name)["status"] == 3
    assert not bench.ask(open_orders)["list"]
    assert len(orders(bench, name)) == 20


def test_a_trigger_starts_it_and_the_stop_price_ends_it(bench):
    sellers(bench)
    name = starts(bench, **TWAP, triggerPrice="65100", maxChasePrice="65200")
    assert row(bench, name)["status"] == 6
    passes(bench, 60)
    assert orders(bench, name) == []
    bench.take("Buy", "65000", "5")
    bench.crowd("Sell", "65100", "3")
    bench.take("Buy", "65100", "0.1")
    passes(bench, 31)
    assert (row(bench, name)["isTriggered"], len(orders(bench, name))) == (True, 2)
    bench.take("Buy", "65100", "5")
    bench.crowd("Sell", "65200", "1")
    bench.take("Buy", "65200", "0.1")
    passes(bench, 1)
    assert (row(bench, name)["status"], row(bench, name)["terminateType"]) == (3, 24)


def test_an_iceberg_shows_one_piece_at_a_time_and_follows_the_touch(bench):
    sellers(bench)
    name = starts(bench, **ICEBERG)
    (shown,) = bench.ask(open_orders)["list"]
    assert (shown["qty"], shown["price"], shown["createType"]) == ("0.100", "64990.00", "CreateByIceBerg")
    bench.crowd("Buy", "64992", "1")
    passes(bench, 1)
    (shown,) = bench.ask(open_orders)["list"]
    assert shown["price"] == "64992.00"
    for _ in range(3):
        bench.take("Sell", "64992", "2")
        passes(bench, 1)
        bench.crowd("Buy", "64992", "1")
        passes(bench, 1)
    bench.take("Sell", "64992", "9")
    passes(bench, 2)
    told = row(bench, name)
    assert (told["status"], told["executedSize"]) == (3, "0.3")


def test_an_iceberg_waits_beyond_its_price_limit_and_a_fixed_one_never_moves(bench):
    sellers(bench)
    name = starts(bench, **ICEBERG, maxChasePrice="64989")
    assert orders(bench, name) == []
    assert row(bench, name)["status"] == 2
    fixed = starts(bench, **ICEBERG, limitPrice="64980")
    passes(bench, 5)
    assert [sub["price"] for sub in orders(bench, fixed)] == ["64980.00"]


def test_a_taking_iceberg_hits_the_other_side_piece_by_piece(bench):
    sellers(bench)
    name = starts(bench, **ICEBERG, chaseDistance="-1")
    passes(bench, 1)
    assert row(bench, name)["executedSize"] == "0.3"
    assert [sub["size"] for sub in orders(bench, name)] == ["0.1"] * 3


def test_a_chase_follows_the_touch_as_a_maker_and_gives_up_after_five_refusals_in_a_row(bench):
    sellers(bench)
    name = starts(bench, **LINEAR, strategyType="chaseOrder", size="0.1")
    (shown,) = bench.ask(open_orders)["list"]
    assert (shown["timeInForce"], shown["price"]) == ("PostOnly", "64990.00")
    bench.crowd("Buy", "64995", "1")
    passes(bench, 1)
    (shown,) = bench.ask(open_orders)["list"]
    assert shown["price"] == "64995.00"
    bench.do("reject_next", count=9)
    bench.crowd("Buy", "64996", "1")
    passes(bench, 4)
    assert row(bench, name)["status"] == 2
    passes(bench, 1)
    assert (row(bench, name)["status"], row(bench, name)["terminateType"]) == (3, 14)


def test_pov_follows_traded_volume_up_to_its_size(bench):
    sellers(bench)
    name = starts(bench, **POV)
    assert orders(bench, name) == []
    bench.take("Buy", "65000", "1")
    passes(bench, 5)
    assert [sub["size"] for sub in orders(bench, name)] == ["0.1"]
    for _ in range(4):
        bench.take("Buy", "65000", "0.5")
        passes(bench, 5)
    told = row(bench, name)
    assert (told["status"], told["terminateType"], told["executedSize"]) == (3, 28, "0.3")


def test_pov_by_liquidity_and_by_time(bench):
    sellers(bench)
    taking = {
        **POV,
        "povParams": {"mode": "OppositeSideLiquidity", "participationRate": "1", "depthReference": 1},
    }
    making = {
        **POV,
        "povParams": {"mode": "SameSideLiquidity", "participationRate": "1", "depthReference": 1},
    }
    first, second = starts(bench, **taking), starts(bench, **making)
    assert [sub["status"] for sub in orders(bench, first)] == ["5"]
    assert [sub["status"] for sub in orders(bench, second)] == ["2"]
    passes(bench, 5)
    assert [sub["status"] for sub in orders(bench, second)] == ["7", "2"]
    passes(bench, 900)
    told = row(bench, second)
    assert (told["status"], told["terminateType"]) == (3, 27)


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        (10001, {**TWAP, "duration": 299}),
        (10001, {**TWAP, "duration": 301}),
        (10001, {**TWAP, "interval": 7}),
        (10001, {**TWAP, "size": "0.009"}),
        (10001, {**TWAP, "category": "linear"}),
        (10001, {**TWAP, "strategyType": "vwap"}),
        (10001, {**ICEBERG, "subSize": "0.300"}),
        (10001, {**POV, "category": "UTA_SPOT"}),
        (60088, {**POV, "povParams": {"mode": "Volume", "participationRate": "10"}}),
        (60089, {**POV, "povParams": {**POV["povParams"], "participationRate": "0.5"}}),
        (60089, {**POV, "povParams": {**POV["povParams"], "participationRate": "5.25"}}),
        (60090, {**POV, "povParams": {"mode": "TradedVolume", "participationRate": "10"}}),
        (60093, {**POV, "duration": 899}),
        (60095, {**POV, "duration": 900, "interval": 901}),
    ],
)
def test_what_is_not_documented_is_refused(bench, code, fields):
    assert refusal_of(bench.ask, create_strategy, **fields) == code


def test_a_stop_cancels_what_is_open_and_cannot_be_repeated(bench):
    sellers(bench)
    name = starts(bench, **TWAP, chaseDistance="1")
    bench.ask(stop_strategy, strategyId=name)
    told = row(bench, name)
    assert (told["status"], told["terminateType"], told["terminateRemark"]) == (3, 1, "UserStop")
    assert not bench.ask(open_orders)["list"]
    assert refusal_of(bench.ask, stop_strategy, strategyId=name) == 10001
    passes(bench, 60)
    assert len(orders(bench, name)) == 1


def test_cancel_all_does_not_end_a_strategy(bench):
    """The reason for which a stop of everything must stop strategies too."""
    sellers(bench)
    name = starts(bench, **TWAP, chaseDistance="1")
    bench.ask(Exchange.cancel_all)
    assert not bench.ask(open_orders)["list"]
    passes(bench, 31)
    assert row(bench, name)["status"] == 2
    assert bench.ask(open_orders)["list"]


def test_without_funds_it_ends_with_the_reason(bench):
    sellers(bench, "500")
    bench.account.balances["USDT"] = Decimal(100)
    name = starts(bench, **{**TWAP, "size": "300"})
    assert (row(bench, name)["status"], row(bench, name)["terminateType"]) == (3, 3)


def test_lists_are_paged_and_an_account_sees_its_own(bench):
    sellers(bench, "90")
    names = [starts(bench, **TWAP) for _ in range(3)]
    first = bench.ask(list_strategies, category="UTA_USDT", pageSize=2)
    assert [found["strategyId"] for found in first["list"]] == names[:0:-1]
    rest = bench.ask(list_strategies, category="UTA_USDT", pageSize=2, cursor=first["nextCursor"])
    assert ([found["strategyId"] for found in rest["list"]], rest["nextCursor"]) == (names[:1], "")
    assert bench.ask(list_strategies, account=bench.other, category="UTA_USDT")["list"] == []
    assert bench.ask(list_strategy_orders, account=bench.other, strategyId=names[0])["list"] == []


def test_over_the_wire_and_faster_than_the_clock(raw, control):
    body = {**TWAP, "size": "0.100", "interval": 30}
    answer = raw.post("/v5/strategy/create", body)
    assert (answer["retCode"], answer["result"]["result"]) == (0, None)
    name = answer["result"]["strategyId"]
    control("POST", "/_ex", {"do": "strategy_pace", "times": 1_000})
    try:
        poll_until(lambda: not any(strategy["open"] for strategy in _of(control, raw, name)))
    finally:
        control("POST", "/_ex", {"do": "strategy_pace", "times": 1})
    (told,) = raw.get("/v5/strategy/list", f"strategyId={name}")["result"]["list"]
    subs = raw.get("/v5/strategy/order-list", f"strategyId={name}&pageSize=50")["result"]["list"]
    assert told["executedSize"] == str(sum(Decimal(sub["executedSize"]) for sub in subs).normalize())
    assert raw.post("/v5/strategy/stop", {"strategyId": name})["retCode"] == 10001


def _of(control, raw, name):
    mine = control("GET", "/_truth")["accounts"][str(raw.key.uid)]["strategies"]
    return [strategy for strategy in mine if strategy["strategyId"] == name]
