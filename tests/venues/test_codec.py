"""The codec is total: a row becomes a value the journal can hold, or one named error, and never hides another."""

import copy
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import ExecutionUnexplained, OrderFilled, OrderUpdated, VenueStatus
from executor.domain.orders import Category, Liquidity, Side, TimeInForce
from executor.runtime import record
from executor.venues.bybit.codec import (
    create_fields,
    decode_execution,
    decode_instrument,
    decode_order,
    decode_position,
    decode_rows,
    decode_trade,
)
from tests.builders import new_order
from tests.venues.wire_rows import EXECUTION, LINEAR, ORDER, POSITION, SPOT, TRADE

D = Decimal
REAL = os.environ.get("EXECUTOR_REAL_DATA")
needs_real_data = pytest.mark.skipif(not REAL, reason="EXECUTOR_REAL_DATA does not name recorded data")

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
        "position": "symbol positionIdx",
        "linear": LINEAR_NEEDS,
        "inverse": "lotSizeFilter.qtyStep lotSizeFilter.maxOrderQty",
        "spot": "lotSizeFilter.basePrecision lotSizeFilter.maxLimitOrderQty priceFilter.tickSize",
        "trade": "v p",
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


@pytest.mark.parametrize(
    "word", ["Untriggered", "Triggered", "Created", "Canceled", "new", "", "PendingCancel"]
)
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
    assert decode_execution({**EXECUTION, "execType": kind, "execQty": ""}) is None


@pytest.mark.parametrize(
    "kind",
    ["AdlTrade", "BustTrade", "Delivery", "BlockTrade", "MovePosition", "CorporateAction", "UNKNOWN", "x"],
)
def test_what_moves_a_position_without_an_order_is_told(kind):
    told = decode_execution({**EXECUTION, "execType": kind})
    assert isinstance(told, ExecutionUnexplained)
    assert (told.symbol, told.exec_id, told.kind) == (EXECUTION["symbol"], EXECUTION["execId"], kind)


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


def test_a_create_request_carries_exactly_what_the_gate_knows():
    assert create_fields(new_order(qty=D("1E-3"), reduce_only=True)) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": "0.001",
        "price": "50000.0",
        "timeInForce": "PostOnly",
        "orderLinkId": "x-1-1",
        "positionIdx": 0,
        "reduceOnly": True,
    }
    spot = create_fields(new_order(category=Category.SPOT, side=Side.SELL, time_in_force=TimeInForce.IOC))
    assert {"positionIdx", "reduceOnly"}.isdisjoint(spot)
    assert (spot["side"], spot["timeInForce"]) == ("Sell", "IOC")


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
    assert decode_rows([{**EXECUTION, "execType": "Funding"}], decode_execution) == ([], [])


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


# ---------------------------------------------------------------- recorded messages

ORDER_FILES = [
    "http_get_orders_history",
    "http_get_orders_realtime",
    "http_get_order_partially_filled_rejected",
]
ORDER_FILES += ["http_get_orders_history_with_duplicate", "ws_account_order", "ws_account_order_filled"]
ORDER_FILES += ["ws_account_order_partially_filled_rejected"]


def recorded(name):
    payload = json.loads((Path(REAL) / "bybit" / "payloads" / f"{name}.json").read_text())
    return payload.get("data") or payload["result"]["list"]


@needs_real_data
@pytest.mark.parametrize("name", ORDER_FILES)
def test_recorded_orders_decode(name):
    rows = recorded(name)
    good, bad = decode_rows(rows, lambda row: decode_order(row, Category.LINEAR))
    assert (len(good), bad) == (len(rows), [])


@needs_real_data
@pytest.mark.parametrize("name", ["http_get_executions", "ws_account_execution"])
def test_recorded_executions_decode(name):
    rows = recorded(name)
    good, bad = decode_rows(rows, lambda row: decode_execution(row, Category.LINEAR))
    assert (len(good), bad) == (len(rows), [])


@needs_real_data
def test_a_recorded_deleveraging_is_told_and_not_booked():
    good, bad = decode_rows(recorded("ws_account_execution_adl"), decode_execution)
    assert bad == []
    assert [(type(one), one.kind) for one in good] == [(ExecutionUnexplained, "AdlTrade")]


@needs_real_data
@pytest.mark.parametrize("name", ["http_get_positions", "http_get_positions_with_open_time"])
def test_recorded_positions_decode(name):
    rows = recorded(name)
    good, bad = decode_rows(rows, lambda row: decode_position(row, Category.LINEAR))
    assert (len(good), bad) == (len(rows), [])


@needs_real_data
@pytest.mark.parametrize("category", [Category.LINEAR, Category.INVERSE])
def test_recorded_instruments_decode(category):
    rows = recorded(f"http_get_instruments_{category}")
    good, bad = decode_rows(rows, lambda row: decode_instrument(row, category))
    assert (len(good), bad) == (len(rows), [])
    assert all(rules.qty_step > 0 for rules in good)


@needs_real_data
def test_recorded_spot_rules_of_an_older_form_are_refused_by_the_name_of_what_they_lack():
    good, bad = decode_rows(
        recorded("http_get_instruments_spot"), lambda row: decode_instrument(row, Category.SPOT)
    )
    assert good == []
    assert all("maxLimitOrderQty" in str(error) for error in bad)


@needs_real_data
def test_recorded_public_trades_decode():
    rows = recorded("ws_public_trade")
    good, bad = decode_rows(rows, decode_trade)
    assert (len(good), bad) == (len(rows), [])
