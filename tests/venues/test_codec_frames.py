"""One function reads any text frame: each documented message has its form, everything else has one named error."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import OrderFilled, OrderUpdated, PositionUpdated, WalletUpdated
from executor.domain.orders import Side
from executor.venues.bybit.codec import FastExecution
from executor.venues.bybit.codec_control import ControlReply
from executor.venues.bybit.codec_frames import AccountFrame, Ignored, decode_frame
from executor.venues.bybit.codec_public import (
    BookFrame,
    LiquidatedPosition,
    LiquidationsFrame,
    PriceLimitFrame,
    PublicTrades,
    StatusFrame,
    TickerFrame,
    decode_book_text,
)
from tests.venues.wire_rows import EXECUTION, ORDER, POSITION, TRADE

D = Decimal
FAST = {
    key: EXECUTION[key]
    for key in ["category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "side"]
}
FAST |= {"orderLinkId": "", "execTime": "1716800399334", "seq": 1}
BOOK = (
    '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT","b":[["30247.20","30.028"],'
    '["30240.00","0"]],"a":[["30248.70","0"]],"u":177400507,"seq":66544703342},"cts":1687940967464}'
)
TICKER = {"symbol": "BTCUSDT", "markPrice": "66666.60", "indexPrice": "", "fundingRate": "-0.005"}
NOTICE = {
    "id": "4d95b2a0",
    "title": "upgrade",
    "state": "scheduled",
    "begin": "1751596200000",
    "end": "1751598000000",
}


def message(topic, data, **more):
    return json.dumps({"topic": topic, "type": "snapshot", "ts": 1, "data": data, **more})


FRAMES = {
    "book": BOOK,
    "trades": message("publicTrade.BTCUSDT", [TRADE]),
    "ticker": message("tickers.BTCUSDT", TICKER, cs=9532239429),
    "kline": message("kline.5.BTCUSDT", [{"start": 1}]),
    "limit": message(
        "priceLimit.BTCUSDT", {"symbol": "BTCUSDT", "buyLmt": "105878.10", "sellLmt": "103781.60"}
    ),
    "liquidations": message(
        "allLiquidation.BTCUSDT", [{"T": 1, "s": "BTCUSDT", "S": "Buy", "v": "0.006", "p": "82396.90"}]
    ),
    "status": message("system.status", [NOTICE]),
    "order": message("order", [ORDER]),
    "execution": message("execution", [EXECUTION]),
    "fast": message("execution.fast", [FAST]),
    "position": message("position", [{**POSITION, "category": "linear"}]),
    "wallet": message("wallet", [{"coin": [{"coin": "BTC", "walletBalance": "1", "locked": "0"}]}]),
    "ack": '{"success":true,"ret_msg":"","op":"subscribe","conn_id":"c","req_id":"subscribe-1"}',
}
FORMS = {
    "book": BookFrame,
    "trades": PublicTrades,
    "ticker": TickerFrame,
    "kline": Ignored,
    "limit": PriceLimitFrame,
    "liquidations": LiquidationsFrame,
    "status": StatusFrame,
    "ack": ControlReply,
}


@pytest.mark.parametrize("name", FRAMES)
def test_each_message_has_its_form(name):
    assert type(decode_frame(FRAMES[name])) is FORMS.get(name, AccountFrame)


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("text", "op", "ok", "code", "told", "request_id"),
    [
        ('{"success":true,"ret_msg":"","op":"subscribe","conn_id":"c","req_id":"a"}', "subscribe", True, None, "", "a"),
        ('{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":7,"op":"subscribe"}', "subscribe", True, None, "subscribe", "7"),  # noqa: E501
        ('{"success":true,"ret_msg":"","op":"auth","conn_id":"c-p"}', "auth", True, None, "", ""),
        ('{"op":"auth","success":false,"retCode":10003,"retMsg":"Invalid apikey"}', "auth", False, 10003, "Invalid apikey", ""),  # noqa: E501
        ('{"success":false,"ret_msg":"error:handler not found,topic:X","req_id":"b","op":"subscribe"}', "subscribe", False, None, "error:handler not found,topic:X", "b"),  # noqa: E501
        ('{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"1","op":"ping"}', "pong", True, None, "pong", "1"),
        ('{"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"c"}', "pong", True, None, "", "test"),
        ('{"args":["1675418560633"],"op":"pong"}', "pong", True, None, "", ""),
        ('{"retCode":0,"retMsg":"OK","op":"pong","data":["1711002002529"],"connId":"c"}', "pong", True, 0, "OK", ""),
        ('{"retCode":0,"retMsg":"OK","op":"auth","connId":"c"}', "auth", True, 0, "OK", ""),
        ('{"reqId":"t","retCode":0,"retMsg":"OK","op":"order.create","data":{"orderId":"o"},"header":{}}', "order.create", True, 0, "OK", "t"),  # noqa: E501
        ('{"reqId":"t","retCode":170131,"retMsg":"Insufficient balance.","op":"order.create","data":{}}', "order.create", False, 170131, "Insufficient balance.", "t"),  # noqa: E501
        ('{"success":true,"conn_id":"c","data":{"failTopics":[],"successTopics":["x"]},"type":"COMMAND_RESP"}', "subscribe", True, None, "", ""),  # noqa: E501
        ('{"success":true,"conn_id":"c","data":{"failTopics":["y"],"successTopics":["x"]},"type":"COMMAND_RESP"}', "subscribe", False, None, "refused: ['y']", ""),  # noqa: E501
        ('{"success":false,"ret_msg":"\\ud800","op":"auth"}', "auth", False, None, "\\ud800", ""),
    ],
)  # fmt: skip
def test_every_shape_of_an_answer(text, op, ok, code, told, request_id):
    reply = decode_frame(text)
    assert isinstance(reply, ControlReply)
    assert (reply.op, reply.ok, reply.code, reply.text, reply.request_id) == (op, ok, code, told, request_id)
    reply.text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"op":7,"success":true}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","success":"true"}',
        '{"op":"subscribe","success":1}',
        '{"op":"auth","retCode":"0"}',
        '{"op":"auth","retCode":true}',
        '{"op":"\\ud800","success":true}',
        '{"type":"COMMAND_RESP"}',
    ],
)
def test_an_answer_that_says_neither_yes_nor_no(text):
    with pytest.raises(RemoteProtocolError):
        decode_frame(text)


# ---------------------------------------------------------------- public data


def test_a_book_message_of_either_order_of_keys_is_the_same():
    usual = decode_frame(BOOK)
    assert decode_book_text(BOOK) == usual
    turned = dict(reversed(json.loads(BOOK).items()))
    assert decode_frame(json.dumps(turned, indent=1)) == usual
    assert decode_frame(json.dumps({"new": [1.5], **turned})) == usual
    assert usual.data.b == [("30247.20", "30.028"), ("30240.00", "0")]


@pytest.mark.parametrize(
    "spoiled",
    [
        BOOK.replace('"u":177400507', '"u":1,"u":177400507'),
        BOOK.replace('"topic":', '"topic":"x","topic":', 1),
        BOOK.replace('"s":"BTCUSDT"', '"s":"ETHUSDT","s":"BTCUSDT"'),
        BOOK.replace('"a":[', '"a":[],"a":['),
        BOOK.replace('"u":177400507', '"u":NaN'),
        BOOK.replace('"u":177400507', '"u":-1'),
        BOOK.replace('"u":177400507', '"u":1.5'),
        BOOK.replace('"u":177400507', '"u":' + "9" * 5_000),
        BOOK.replace('"u":177400507', '"u":' + "9" * 40),
        BOOK.replace('"30.028"', "30.028"),
        BOOK.replace('"30.028"', "Infinity"),
        BOOK.replace('"30.028"', '"30.028","1"'),
        BOOK.replace('["30240.00","0"]', '["30240.00"]'),
        BOOK.replace('["30240.00","0"]', "null"),
        BOOK.replace('["30240.00","0"]', ",".join(['["30240.00","0"]'] * 3_000)),
        BOOK[:-1],
        BOOK + "}",
    ],
)
def test_a_book_message_that_contradicts_itself(spoiled):
    assert spoiled != BOOK
    with pytest.raises(RemoteProtocolError):
        decode_frame(spoiled)


def test_a_ticker_tells_missing_from_empty():
    ticker = decode_frame(FRAMES["ticker"])
    assert ticker.numbers == {"markPrice": D("66666.60"), "indexPrice": None}
    assert (ticker.symbol, ticker.snapshot, ticker.cs) == ("BTCUSDT", True, 9532239429)
    for value in ("-1", "NaN", 1.5, None, "1" * 40, {}):
        with pytest.raises(RemoteProtocolError):
            decode_frame(message("tickers.BTCUSDT", {**TICKER, "markPrice": value}))


TERMS = ("fundingRate", "nextFundingTime", "openInterest")


def test_a_ticker_tells_the_terms_of_a_contract():
    told = decode_frame(
        message("tickers.BTCUSDT", dict(zip(TERMS, ("-0.005", "1760342400000", "492373.72"), strict=True)))
    )
    assert told.terms == dict(zip(TERMS, (D("-0.005"), D(1760342400000), D("492373.72")), strict=True))
    assert (told.numbers, told.bad) == ({}, ())
    nothing = decode_frame(message("tickers.BTCUSDT", dict.fromkeys(TERMS, "")))
    assert (nothing.terms, nothing.bad) == (dict.fromkeys(TERMS), ())
    assert decode_frame(message("tickers.BTCUSDT", {"symbol": "BTCUSDT"})).terms == {}


@pytest.mark.parametrize("key", TERMS)
@pytest.mark.parametrize("value", ["1e-4", "NaN", "--1", 1.5, None, {}, "9" * 40, "\ud800"])
def test_a_term_that_cannot_be_read_is_named_and_costs_no_price(key, value):
    told = decode_frame(message("tickers.BTCUSDT", {**TICKER, "openInterest": "7", key: value}))
    assert told.numbers["markPrice"] == D("66666.60")
    assert told.terms == {"fundingRate": D("-0.005"), "openInterest": 7, key: None}
    (error,) = told.bad
    assert key in str(error)


def test_liquidations_are_told_one_by_one():
    rows = [{"T": 5, "S": "Sell", "v": "2", "p": "99"}, {"S": "Buy", "v": "1", "p": "0"}, 7]
    told = decode_frame(message("allLiquidation.BTCUSDT", rows))
    assert told.positions == (LiquidatedPosition(position=Side.SELL, qty=D(2), px=D(99), at_ms=5),)
    assert len(told.bad) == 2


def test_liquidations_are_added_by_the_side_of_the_position():
    rows = [{"S": side, "v": qty, "p": "1"} for side, qty in (("Buy", "1"), ("Sell", "2"), ("Buy", "0.5"))]
    told = decode_frame(message("allLiquidation.BTCUSDT", [*rows, {"S": "long", "v": "9", "p": "1"}]))
    assert (told.long_qty, told.short_qty, len(told.bad)) == (D("1.5"), 2, 1)


def test_price_limits_and_notices():
    limit = decode_frame(FRAMES["limit"])
    assert (limit.max_buy_px, limit.min_sell_px) == (D("105878.10"), D("103781.60"))
    (notice,) = decode_frame(FRAMES["status"]).notices
    assert (notice.state, notice.begin_ms, notice.end_ms) == ("scheduled", 1751596200000, 1751598000000)
    broken = decode_frame(message("system.status", [{**NOTICE, "state": "maybe"}, NOTICE, 7]))
    assert (len(broken.notices), len(broken.bad)) == (1, 2)


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("liquidation.BTCUSDT", "liquidation, retired by the venue"),
        ("orderbook.rpi.BTCUSDT", "orderbook.rpi"),
        ("orderbook.full.BTCUSDT", "orderbook.full"),
        ("kline.1.BTCUSDT", "kline"),
        ("greeks", "greeks"),
        ("dcp.future", "dcp"),
    ],
)
def test_what_has_no_use_is_named(topic, kind):
    assert decode_frame(message(topic, {"x": 1})) == Ignored(kind=kind)


@pytest.mark.parametrize(
    "topic", ["", "orders", "order.futures", "execution.slow", "book.BTCUSDT", "system.news", 7, "\ud800"]
)
def test_a_topic_that_was_never_heard_of(topic):
    with pytest.raises(RemoteProtocolError, match="topic"):
        decode_frame(message(topic, []))


# ---------------------------------------------------------------- the account


@pytest.mark.parametrize("topic", ["order", "order.linear", "order.spot"])
def test_a_private_topic_by_either_of_its_names(topic):
    (event,) = decode_frame(message(topic, [ORDER])).events
    assert (type(event), event.client_order_id) == (OrderUpdated, "x-1-1")


def test_private_rows_are_read_one_by_one_and_the_bad_ones_say_whose_they_are():
    rows = [ORDER, {**ORDER, "qty": "NaN"}, 7, {**ORDER, "orderLinkId": 7}, {**ORDER, "category": "option"}]
    frame = decode_frame(message("order", rows))
    assert len(frame.events) == 1
    assert [row.client_order_id for row in frame.bad] == ["x-1-1", None, None]


def test_fills_fast_fills_positions_and_wallets():
    kinds = {
        name: type(decode_frame(FRAMES[name]).events[0])
        for name in ("execution", "fast", "position", "wallet")
    }
    assert kinds == {
        "execution": OrderFilled,
        "fast": FastExecution,
        "position": PositionUpdated,
        "wallet": WalletUpdated,
    }
    fast = decode_frame(message("execution.fast.linear", [FAST])).events[0]
    assert (fast.client_order_id, fast.last_qty, fast.ts_exchange_ns) == ("", D("0.5"), 1716800399334 * 10**6)


# ---------------------------------------------------------------- nothing else


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "null", "7", "[]", '"x"', "{", "Failed to decode incoming data:EOF", "[" * 100_000, "\ud800", "\x00",
        '{"topic":' * 5_000, '{"topic":"order","topic":"wallet","data":[]}', '{"topic":"order","data":[{"a":1,"a":2}]}',
        '{"topic":"order","data":[NaN]}', '{"topic":"order","data":[-Infinity]}', '{"topic":"order","data":' + "9" * 5_000 + "}",  # noqa: E501
        '{"topic":"order"}', '{"topic":"order","data":null}', '{"topic":"order","data":"x"}', '{"topic":null,"data":[]}',  # noqa: E501
        json.dumps({"topic": "order", "data": [1] * 100_000}),
    ],
    ids=lambda text: ascii(text[:40]),
)  # fmt: skip
def test_what_is_no_message_is_one_named_error(text):
    with pytest.raises(RemoteProtocolError) as raised:
        decode_frame(text)
    str(raised.value).encode()


PIECES = st.sampled_from(
    ['""', "null", "NaN", "-1", '"-1"', "1e999", "9" * 400, '"' + "9" * 40 + '"', '"\\ud800"', "[]", "{}", "true", "[[[[", '"0"']  # noqa: E501
)  # fmt: skip


@settings(max_examples=400)
@given(
    name=st.sampled_from(sorted(FRAMES)),
    cuts=st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 40), PIECES | st.text(max_size=6)), max_size=4
    ),
)
@example(name="book", cuts=[(0, 2_000, "\ud800")])
def test_a_damaged_frame_is_read_or_named(name, cuts):
    text = FRAMES[name]
    for start, length, piece in cuts:
        at = start % (len(text) + 1)
        text = text[:at] + piece + text[at + length :]
    try:
        decode_frame(text)
    except RemoteProtocolError as error:
        str(error).encode()


TREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["NaN", "-1", "9" * 40, "1e5"]),  # noqa: E501
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_with_other_values_is_read_or_named(name):
    whole = json.loads(FRAMES[name])

    @given(
        outer=st.dictionaries(st.sampled_from(sorted(whole)), TREE, max_size=2),
        inner=st.dictionaries(st.sampled_from(["b", "u", "s", "orderLinkId", "qty", "v", "S", "coin", "size"]), TREE),
        where=st.booleans(),
    )  # fmt: skip
    def holds(outer, inner, where):
        changed = json.loads(FRAMES[name])
        data = changed.get("data")
        if where and data:
            (data[0] if isinstance(data, list) else data).update(inner)
        try:
            decode_frame(json.dumps({**changed, **outer}))
        except RemoteProtocolError as error:
            str(error).encode()

    holds()
