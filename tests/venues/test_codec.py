"""The codec is total: a row becomes a value the journal can hold, or one named error, and never hides another."""

import copy
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import (
    ExecutionUnexplained,
    OrderFilled,
    OrderUpdated,
    PaymentCharged,
    VenueStatus,
)
from executor.domain.orders import Category, Liquidity, Side
from executor.runtime import record
from executor.venues.bybit.codec import (
    decode_execution,
    decode_instrument,
    decode_order,
    decode_position,
    decode_rows,
    decode_wallet,
)
from executor.venues.bybit.codec_public import PublicTrade, decode_trade
from tests.venues.wire_rows import EXECUTION, LINEAR, ORDER, POSITION, SPOT, TRADE

D = Decimal

DECODERS = {
    "order": (decode_order, ORDER),
    "execution": (decode_execution, EXECUTION),
    "position": (lambda row: decode_position(row, Category.LINEAR), POSITION),
    "linear": (lambda row: decode_instrument(row, Category.LINEAR), LINEAR),
    "inverse": (lambda row: decode_instrument(row, Category.INVERSE), LINEAR),
    "spot": (lambda row: decode_instrument(row, Category.SPOT), SPOT),
    "trade": (decode_trade, TRADE),
}
ORDER_NEEDS = "symbol orderLinkId orderId orderStatus side qty price cumExecQty updatedTime category"
EXECUTION_NEEDS = "symbol execId orderId side execQty execPrice execFee execTime isMaker execType category"
LINEAR_NEEDS = """symbol baseCoin quoteCoin status lotSizeFilter priceFilter
lotSizeFilter.qtyStep lotSizeFilter.minOrderQty lotSizeFilter.maxOrderQty priceFilter.tickSize"""
NEEDED = {
    name: words.split()
    for name, words in {
        "order": ORDER_NEEDS,
        "execution": EXECUTION_NEEDS,
        "position": "symbol positionIdx size",
        "linear": LINEAR_NEEDS,
        "inverse": "lotSizeFilter.qtyStep lotSizeFilter.maxOrderQty",
        "spot": "lotSizeFilter.basePrecision lotSizeFilter.minOrderQty priceFilter.tickSize",
        "trade": "v p S",
    }.items()
}
NUMBERS = {
    "order": ["qty", "price", "cumExecQty"],
    "execution": ["execQty", "execPrice", "execFee"],
    "position": ["size"],
    "linear": ["lotSizeFilter.qtyStep", "lotSizeFilter.maxOrderQty", "priceFilter.tickSize"],
    "spot": ["lotSizeFilter.basePrecision", "lotSizeFilter.minOrderAmt"],
    "trade": ["v", "p"],
}
BAD_NUMBERS = [
    "NaN", "nan", "Infinity", "-Infinity", "1e3", "1E-3", "+1", " 1", "1 ", "1_000", "1,5", "0x10", ".5", "5.", "١٢",
    "9" * 40, "0." + "1" * 40, "1" * 19, "--1", "1.2.3", "one", 1, 1.5, True, ["1"], {"a": 1},
]  # fmt: skip


def without(row, path):
    changed = copy.deepcopy(row)
    *outer, last = path.split(".")
    for key in outer:
        changed = changed[key]
    changed.pop(last, None)
    return changed if not outer else {**copy.deepcopy(row), outer[0]: changed}


def put(row, path, value):
    changed = copy.deepcopy(row)
    *outer, last = path.split(".")
    target = changed
    for key in outer:
        target = target[key]
    target[last] = value
    return changed


# ---------------------------------------------------------------- what is documented decodes


def test_an_order_of_the_stream():
    assert decode_order(ORDER) == OrderUpdated(
        at_ns=0,
        category=Category.LINEAR,
        symbol="BTCUSDT",
        client_order_id="x-1-1",
        venue_order_id="9aac161b-8ed6-450d-9cab-c5cc67c21784",
        status=VenueStatus.NEW,
        side=Side.BUY,
        qty=D("0.010"),
        px=D("50000.1"),
        cum_qty=D("0.000"),
        updated_ms=1672364262457,
        detail="New UNKNOWN EC_NoError",
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("New", VenueStatus.NEW),
        ("Untriggered", VenueStatus.NEW),
        ("Triggered", VenueStatus.NEW),
        ("PartiallyFilled", VenueStatus.PARTIALLY_FILLED),
        ("Filled", VenueStatus.FILLED),
        ("Cancelled", VenueStatus.CANCELED),
        ("PartiallyFilledCanceled", VenueStatus.CANCELED),
        ("Deactivated", VenueStatus.CANCELED),
        ("Rejected", VenueStatus.REJECTED),
    ],
)
def test_every_status_an_order_of_ours_can_have(word, status):
    assert decode_order({**ORDER, "orderStatus": word}).status is status


@pytest.mark.parametrize("word", ["Created", "Canceled", "new", "", "PendingCancel"])
def test_any_other_status_has_no_meaning(word):
    with pytest.raises(RemoteProtocolError, match="orderStatus"):
        decode_order({**ORDER, "orderStatus": word})


def test_an_order_of_a_query_takes_the_category_of_the_request():
    row = without(ORDER, "category")
    assert decode_order(row, Category.SPOT).category is Category.SPOT
    with pytest.raises(RemoteProtocolError):
        decode_order(row)


def test_an_execution_of_the_stream():
    fill = decode_execution(EXECUTION).fill
    assert (fill.exec_id, fill.client_order_id) == ("0ab1bdf7-4219-438b-b30a-32ec863018f7", "")
    assert (fill.side, fill.last_qty, fill.last_px) == (Side.SELL, D("0.5"), D("95900.1"))
    assert (fill.fee, fill.fee_coin, fill.liquidity) == (D("26.3725275"), "USDT", Liquidity.TAKER)
    assert fill.ts_exchange_ns == 1746270400353_000_000


def test_a_rebate_is_negative_and_a_maker_is_a_maker():
    fill = decode_execution({**EXECUTION, "execFee": "-0.5", "isMaker": True}).fill
    assert (fill.fee, fill.liquidity) == (D("-0.5"), Liquidity.MAKER)


@pytest.mark.parametrize("kind", ["Funding", "Settle"])
def test_what_moves_money_only_fills_nothing(kind):
    told = decode_execution({**EXECUTION, "execType": kind, "execQty": "", "execFee": "-0.5"})
    assert isinstance(told, PaymentCharged)
    assert (told.kind, told.amount, told.px) == (kind, D("-0.5"), D("95900.1"))


@pytest.mark.parametrize(
    "kind",
    ["AdlTrade", "BustTrade", "Delivery", "BlockTrade", "MovePosition", "CorporateAction", "UNKNOWN", "x"],
)
def test_what_moves_a_position_without_an_order_is_told(kind):
    told = decode_execution({**EXECUTION, "execType": kind})
    assert isinstance(told, ExecutionUnexplained)
    assert (told.symbol, told.exec_id, told.kind) == (EXECUTION["symbol"], EXECUTION["execId"], kind)


def test_a_public_trade_says_who_took_and_when():
    usual = PublicTrade(side=Side.BUY, qty=D("0.001"), px=D("16578.50"), at_ms=1672304486865)
    assert decode_trade(TRADE) == usual
    assert decode_trade({**TRADE, "S": "Sell"}).side is Side.SELL
    for stamp in (None, "1672304486865", -1, 1.5, True, 10**30):
        assert decode_trade({**TRADE, "T": stamp}) == msgspec.structs.replace(usual, at_ms=0)
    for word in ("buy", "", "None"):
        with pytest.raises(RemoteProtocolError, match="side"):
            decode_trade({**TRADE, "S": word})


@pytest.mark.parametrize(
    ("side", "size", "qty"), [("Buy", "0.5", "0.5"), ("Sell", "2", "-2"), ("", "0", "0")]
)
def test_positions_are_signed(side, size, qty):
    report = decode_position({**POSITION, "side": side, "size": size}, Category.LINEAR)
    assert (report.qty, report.position_idx) == (D(qty), 0)


def test_a_position_with_a_size_and_no_side_has_no_meaning():
    for side in ("", "None", None, 1):
        with pytest.raises(RemoteProtocolError, match="side"):
            decode_position({**POSITION, "side": side}, Category.LINEAR)


def test_an_order_without_a_price_is_a_market_order_or_unreadable():
    assert decode_order({**ORDER, "price": "", "orderType": "Market"}).px == 0
    assert decode_order({**ORDER, "price": "60000", "orderType": "Market"}).px == 60_000
    for price in ("", None):
        with pytest.raises(RemoteProtocolError, match="price"):
            decode_order({**ORDER, "price": price})


@pytest.mark.parametrize(("decode", "row"), [(decode_order, ORDER), (decode_execution, EXECUTION)])
def test_a_row_about_an_option_is_nothing(decode, row):
    assert decode({**row, "category": "option", "symbol": "BTC-6JAN23-17500-C"}) is None
    with pytest.raises(RemoteProtocolError, match="category"):
        decode({**row, "category": "futures"})


def test_a_wallet_names_what_changed():
    coin = {"coin": "BTC", "walletBalance": "-0.5", "locked": "0.1", "equity": ""}
    told = decode_wallet({"coin": [coin, {"coin": "USDT", "walletBalance": "7"}], "totalEquity": ""})
    assert [(one.coin, one.wallet_qty, one.locked_qty) for one in told.balances] == [
        ("BTC", D("-0.5"), D("0.1")),
        ("USDT", 7, 0),
    ]
    for broken in ({}, {"coin": {}}, {"coin": [7]}, {"coin": [{**coin, "walletBalance": ""}]}):
        with pytest.raises(RemoteProtocolError):
            decode_wallet(broken)


def test_the_largest_order_of_a_spot_symbol_by_either_name():
    lots = {key: value for key, value in SPOT["lotSizeFilter"].items() if key != "maxLimitOrderQty"}
    older = {**SPOT, "lotSizeFilter": {**lots, "maxOrderQty": "71"}}
    assert decode_instrument(older, Category.SPOT).max_order_qty == 71
    with pytest.raises(RemoteProtocolError, match="maxLimitOrderQty"):
        decode_instrument(put(SPOT, "lotSizeFilter.maxLimitOrderQty", ""), Category.SPOT)


def test_instruments():
    linear = decode_instrument(LINEAR, Category.LINEAR)
    assert (linear.tick_size, linear.qty_step, linear.min_notional) == (D("0.10"), D("0.001"), 5)
    assert (linear.min_order_qty, linear.max_order_qty, linear.trading) == (D("0.001"), 1190, True)
    spot = decode_instrument(SPOT, Category.SPOT)
    assert (spot.qty_step, spot.max_order_qty, spot.min_notional) == (D("0.000001"), 83, 5)
    inverse = put(put(LINEAR, "lotSizeFilter.minNotionalValue", ""), "lotSizeFilter.qtyStep", "1")
    assert decode_instrument(inverse, Category.INVERSE).min_notional == 0
    assert not decode_instrument({**LINEAR, "status": "PreLaunch"}, Category.LINEAR).trading
    for step in ("0", "0.000"):
        with pytest.raises(RemoteProtocolError):
            decode_instrument(put(LINEAR, "lotSizeFilter.qtyStep", step), Category.LINEAR)


# ---------------------------------------------------------------- what is broken is named


@pytest.mark.parametrize("value", ["missing", None, [], {}, "\ud800", "a\nb", "x" * 5_000])
@pytest.mark.parametrize(("name", "path"), [(name, path) for name in NEEDED for path in NEEDED[name]])
def test_a_needed_field_that_is_gone_or_strange(name, path, value):
    decode, row = DECODERS[name]
    with pytest.raises(RemoteProtocolError):
        decode(without(row, path) if value == "missing" else put(row, path, value))


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=str)
@pytest.mark.parametrize(("name", "path"), [(name, path) for name in NUMBERS for path in NUMBERS[name]])
def test_a_number_not_written_plainly(name, path, value):
    decode, row = DECODERS[name]
    with pytest.raises(RemoteProtocolError):
        decode(put(row, path, value))


@pytest.mark.parametrize("value", ["-1", "0", "0.000"])
@pytest.mark.parametrize("path", ["execQty", "execPrice"])
def test_an_execution_of_nothing(path, value):
    with pytest.raises(RemoteProtocolError):
        decode_execution(put(EXECUTION, path, value))


@pytest.mark.parametrize(
    "value", ["", "1.5", "-1", "1e3", "9" * 19, "9" * 40, "٣", -1, 2**63, 2**70, 10**40, 1.5, True, None]
)
@pytest.mark.parametrize(
    ("name", "path"), [("order", "updatedTime"), ("execution", "execTime"), ("position", "positionIdx")]
)
def test_a_whole_number_that_is_none_or_too_large(name, path, value):
    decode, row = DECODERS[name]
    with pytest.raises(RemoteProtocolError):
        decode(put(row, path, value))


def test_whole_numbers_may_be_text_or_number():
    assert decode_order({**ORDER, "updatedTime": 5}).updated_ms == 5
    assert decode_position({**POSITION, "positionIdx": "2"}, Category.LINEAR).position_idx == 2


@pytest.mark.parametrize("value", ["buy", "BUY", "", "None", None, 1])
@pytest.mark.parametrize("name", ["order", "execution"])
def test_an_unknown_side(name, value):
    decode, row = DECODERS[name]
    with pytest.raises(RemoteProtocolError):
        decode({**row, "side": value})


def test_unknown_fields_and_missing_optional_ones_change_nothing():
    assert decode_order({**ORDER, "new": {"x": [1]}}) == decode_order(ORDER)
    bare = {key: ORDER[key] for key in NEEDED["order"]}
    assert decode_order(bare).status is VenueStatus.NEW
    assert decode_order({**bare, "rejectReason": "\ud800", "cancelType": 7}).detail.startswith("New")


def test_one_bad_row_does_not_hide_the_others():
    rows = [ORDER, None, {**ORDER, "qty": "NaN"}, 7, {**ORDER, "orderLinkId": "x-1-2"}, [ORDER], {}]
    good, bad = decode_rows(rows, decode_order)
    assert [order.client_order_id for order in good] == ["x-1-1", "x-1-2"]
    assert len(bad) == 5
    assert decode_rows([{**EXECUTION, "category": "option"}], decode_execution) == ([], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(BAD_NUMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", DECODERS)
def test_any_json_is_a_value_that_can_be_written_down_or_a_named_error(name):
    decode, row = DECODERS[name]

    @given(changes=st.dictionaries(st.sampled_from(sorted(row)), JSON, max_size=4), bare=st.booleans())
    @example(changes={"symbol": "\ud800"}, bare=False)
    def holds(changes, bare):
        spoiled = changes if bare else {**row, **changes}
        try:
            value = decode(spoiled)
        except RemoteProtocolError as error:
            str(error).encode()
        else:
            if isinstance(value, OrderFilled | OrderUpdated):
                body = record.encode_event(value)
                assert record.decode_event(type(value).__name__, body) == value

    holds()


@given(rows=st.lists(JSON, max_size=5))
def test_any_list_is_split_into_what_is_read_and_what_is_not(rows):
    for decode, _ in DECODERS.values():
        good, bad = decode_rows(rows, decode)
        assert len(good) + len(bad) <= len(rows)
