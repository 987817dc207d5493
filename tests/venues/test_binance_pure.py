"""What each word of Binance is taken to prove, and what may leave; without a socket."""

import json
from itertools import pairwise
from urllib.parse import urlencode

import pytest

from executor.domain.approval import Approved
from executor.domain.errors import LocalProtocolError
from executor.domain.events import OrderOutcomeUnknown, OrderRejected
from executor.domain.orders import Category, TimeInForce
from executor.venues.through_ccxt import binance_words as words
from executor.venues.through_ccxt.binance_dialect import BinanceSpotDialect, BinanceUsdmDialect
from executor.venues.through_ccxt.dialect import RawAnswer, Request
from executor.venues.through_ccxt.verdicts import Leaning, leaning_of
from tests.builders import D, new_order

SPOT, USDM = BinanceSpotDialect(), BinanceUsdmDialect()
ORDER_URL = {
    "binance": "https://api.binance.com/api/v3/order",
    "binanceusdm": "https://fapi.binance.com/fapi/v1/order",
}
NEVER_REFUSED = (
    -1000,
    -1001,
    -1003,
    -1006,
    -1007,
    -1008,
    -1010,
    -1015,
    -1016,
    -1020,
    -1021,
    -1099,
    -2011,
    -2013,
    -4116,
)


def said(code, msg="words", status=400):
    text = json.dumps({"code": code, "msg": msg})
    return RawAnswer(status=status, content_type="application/json;charset=UTF-8", text=text)


def proved(dialect, answer):
    (category,) = dialect.categories
    return dialect.created(new_order(category=category), answer, "sha")


@pytest.mark.parametrize("dialect", [SPOT, USDM], ids=["spot", "linear"])
def test_a_refusal_needs_a_code_of_the_documentation_and_a_status_of_a_refusal(dialect):
    refused = {code for code in range(-6000, 1) if isinstance(proved(dialect, said(code)), OrderRejected)}
    assert refused == dialect._refused | dialect._fatal
    assert not refused & {*NEVER_REFUSED, words.NEW_ORDER_REJECTED}
    for status in (403, 409, 418, 429, 500, 502, 503, 504):
        with pytest.raises(Exception, match=f"HTTP {status}"):
            proved(dialect, said(-1102, status=status))
    for text in ("", "[]", "{}", '{"code":"-1102"}', '{"code":-1102.0}', '{"code":true}', "<html>"):
        with pytest.raises(Exception, match="an answer"):
            proved(dialect, RawAnswer(status=400, content_type="application/json", text=text))


def test_a_rejected_new_order_is_believed_by_its_message_and_at_spot_alone():
    for msg, fatal in words.REJECTED_BECAUSE.items():
        event = proved(SPOT, said(-2010, msg))
        assert (type(event), event.fatal, event.unfunded) == (OrderRejected, fatal, msg == words.NO_FUNDS)
        assert isinstance(proved(USDM, said(-2010, msg)), OrderOutcomeUnknown)
    for msg in ("Duplicate order sent.", "NEW_ORDER_REJECTED", "", "market is closed."):
        assert isinstance(proved(SPOT, said(-2010, msg)), OrderOutcomeUnknown)


@pytest.mark.process
@pytest.mark.parametrize("dialect", [SPOT, USDM], ids=["spot", "linear"])
def test_what_ccxt_makes_of_each_refusal_agrees_with_it(dialect):
    """A refusal that its class does not agree with would never be one: the tables hold none of those."""
    import ccxt

    exchange = getattr(ccxt, dialect.exchange)()

    def leaning(code, msg="words"):
        body = json.dumps({"code": code, "msg": msg})
        with pytest.raises(ccxt.BaseError) as caught:
            exchange.handle_errors(
                400, "", ORDER_URL[dialect.exchange], "POST", {}, body, json.loads(body), {}, ""
            )
        return leaning_of(caught.value)

    assert {
        code for code in dialect._refused | dialect._fatal if leaning(code) is not Leaning.REFUSED
    } == set()
    if dialect is SPOT:
        assert {leaning(-2010, msg) for msg in words.REJECTED_BECAUSE} == {Leaning.REFUSED}
    for code in (-1000, -1001, -1003, -1006, -1007, -1008, -1010, -1015, -1021, -2011, -2013):
        assert leaning(code) is Leaning.SILENT, code


def test_ids_have_a_form_that_both_families_take():
    for dialect in (SPOT, USDM):
        assert dialect.read(dialect.written("x-1-1")) == "x-1-1"
        for name in ("", "a" * 37, "a b", "a/b", "a:b", "a.b", "é", "a\n", "autoclose-1", "adl_autoclose"):
            with pytest.raises(ValueError, match="is no id"):
                dialect.written(name)


CREATE = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "newClientOrderId": "x-1-1",
    "newOrderRespType": "RESULT",
    "type": "LIMIT",
    "timeInForce": "IOC",
    "quantity": "0.0010",
    "price": "60000.0",
}
STAMP = {"timestamp": "1700000000000", "recvWindow": "5000", "signature": "ab"}
MARKET = {"id": "BTCUSDT", "spot": True}


def checked(dialect, told, *, method="POST", url=None, over=None):
    (category,) = dialect.categories
    wanted = dict(
        client_order_id="x-1-1",
        category=category,
        time_in_force=TimeInForce.IOC,
        px=D(60000),
        qty=D("0.001"),
    )
    order = new_order(**(wanted | (over or {})))
    body = told if isinstance(told, str) else urlencode(told | STAMP)
    request = Request(method=method, url=url or ORDER_URL[dialect.exchange], headers={}, body=body)
    dialect.check_create(request, Approved(order=order, ticket=1, halt_epoch=0), MARKET)


def test_only_what_was_approved_may_leave():
    linear = CREATE | {"reduceOnly": "false", "positionSide": "BOTH"}
    maker = {key: value for key, value in CREATE.items() if key != "timeInForce"} | {"type": "LIMIT_MAKER"}
    checked(SPOT, CREATE)
    checked(SPOT, maker, over={"time_in_force": TimeInForce.POST_ONLY})
    checked(USDM, linear)
    checked(USDM, linear | {"timeInForce": "GTX"}, over={"time_in_force": TimeInForce.POST_ONLY})
    checked(USDM, linear | {"reduceOnly": "true"}, over={"reduce_only": True})
    wrong = [
        *(CREATE | {key: "7"} for key in CREATE),
        *({key: value for key, value in CREATE.items() if key != left} for left in CREATE),
        CREATE | {"quantity": "1e-3"},
        CREATE | {"price": ""},
        CREATE | {"stopPrice": "1"},
        CREATE | {"timeInForce": "GTC"},
        CREATE | {"newOrderRespType": "ACK"},
        "",
        urlencode(CREATE),
        urlencode(CREATE | STAMP) + "&side=BUY",
        urlencode({"side": "BUY"}) + "&" + urlencode(CREATE | STAMP),
        urlencode(STAMP | CREATE),
        urlencode(CREATE | STAMP | {"timestamp": "-1"}),
    ]
    for told in wrong:
        with pytest.raises(LocalProtocolError):
            checked(SPOT, told)
    for told in (CREATE, linear | {"positionSide": "LONG"}, linear | {"reduceOnly": "true"}):
        with pytest.raises(LocalProtocolError):
            checked(USDM, told)
    for more in (
        {"method": "PUT"},
        {"url": ORDER_URL["binance"] + "?symbol=BTCUSDT"},
        {"url": "https://api.binance.com/api/v3/order/test"},
        {"url": ORDER_URL["binanceusdm"]},
        {"over": {"reduce_only": True}},
    ):
        with pytest.raises(LocalProtocolError):
            checked(SPOT, CREATE, **more)


def test_only_that_cancel_may_leave():
    right = {"symbol": "BTCUSDT", "origClientOrderId": "x-1-1"}
    wrong = (right | {"orderId": "7"}, right | {"symbol": "ETHUSDT"}, {"symbol": "BTCUSDT"})

    def cancel(told, method="DELETE", body="", path="order"):
        url = f"https://api.binance.com/api/v3/{path}?{urlencode(told | STAMP)}"
        SPOT.check_cancel(Request(method=method, url=url, headers={}, body=body), "x-1-1", MARKET)

    cancel(right)
    for told in wrong:
        with pytest.raises(LocalProtocolError):
            cancel(told)
    for more in ({"method": "POST"}, {"body": "symbol=BTCUSDT"}, {"path": "openOrders"}):
        with pytest.raises(LocalProtocolError):
            cancel(right, **more)


@pytest.mark.parametrize(
    ("path", "text", "whole"),
    [
        ("openOrders", "[]", True),
        ("openOrders", "{}", False),
        ("allOrders", '{"code":0}', False),
        ("myTrades", "null", False),
        ("positionRisk", '[{"symbol":"B","positionAmt":"0","positionSide":"BOTH"}]', True),
        ("positionRisk", '[{"symbol":"B","positionAmt":"0","positionSide":"LONG"}]', False),
        ("positionRisk", "[{}]", False),
        ("positionRisk", "[7]", False),
        ("depth", '{"bids":[],"asks":[]}', True),
        ("depth", '{"bids":[]}', False),
        ("account", "{}", False),
        ("exchangeInfo", '{"symbols":[]}', True),
        ("time", '{"serverTime":1}', True),
        ("order", '{"code":-2013}', False),
        ("order", "[]", False),
    ],
)
def test_an_answer_without_its_list_is_not_an_empty_one(path, text, whole):
    answer = RawAnswer(status=200, content_type="application/json", text=text)
    for dialect, root in ((SPOT, "api/v3"), (USDM, "fapi/v3")):
        url = f"https://api.binance.com/{root}/{path}?symbol=BTCUSDT"
        assert (dialect.why_not_whole(url, answer) == "") is whole
        refused = RawAnswer(status=400, content_type="application/json", text=text)
        assert dialect.why_not_whole(url, refused)


def test_windows_are_no_longer_than_what_is_answered_and_leave_no_gap():
    day_ms = 86_400_000
    for dialect, longest_ms in ((SPOT, day_ms), (USDM, 7 * day_ms)):
        windows = list(dialect._windows(0, 30 * day_ms))
        assert (windows[0][0], windows[-1][1]) == (0, 30 * day_ms)
        assert all(end - start < longest_ms for start, end in windows)
        assert all(before[1] == after[0] for before, after in pairwise(windows))
        assert list(dialect._windows(10, 5)) == [(4, 5)]


def test_each_family_is_traded_under_its_own_name():
    assert (SPOT.categories, USDM.categories) == ({Category.SPOT}, {Category.LINEAR})
    assert USDM.test_hosts == frozenset()
