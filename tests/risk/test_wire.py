"""The last look at the bytes: only a request that says exactly what was approved may be signed."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.approval import Approved
from executor.domain.errors import LocalProtocolError
from executor.domain.orders import Category, Replacement, Side, TimeInForce
from executor.domain.units import plain
from risk.wire import check_amend_bytes, check_create_bytes
from tests.builders import D, new_order


def approved(**over):
    return Approved(order=new_order(**over), ticket=1, halt_epoch=0)


def content(order):
    said = {
        "category": order.category.value,
        "symbol": order.symbol,
        "side": "Buy" if order.side is Side.BUY else "Sell",
        "orderType": "Limit",
        "qty": plain(order.qty),
        "price": plain(order.px),
        "timeInForce": order.time_in_force.value,
        "orderLinkId": order.client_order_id,
    }
    if order.category is not Category.SPOT:
        said |= {"positionIdx": order.position_idx, "reduceOnly": order.reduce_only}
    return said


USUAL = approved()
SAID = content(USUAL.order)
BODY = json.dumps(SAID).encode()


def refused(body, ticket=USUAL):
    with pytest.raises(LocalProtocolError):
        check_create_bytes(body, ticket)


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("time_in_force", list(TimeInForce))
def test_bytes_that_say_what_was_approved_pass(category, side, time_in_force):
    ticket = approved(category=category, side=side, time_in_force=time_in_force)
    check_create_bytes(json.dumps(content(ticket.order)).encode(), ticket)


def test_reduce_only_and_position_pass_where_approved():
    ticket = approved(reduce_only=True, position_idx=2)
    check_create_bytes(json.dumps(content(ticket.order)).encode(), ticket)


def test_spacing_and_trailing_zeros_change_nothing():
    spaced = json.dumps(SAID | {"qty": "0.10", "price": "50000"}, indent=2).encode()
    check_create_bytes(spaced, USUAL)


WRONG = [
    ("category", "spot"),
    ("category", "inverse"),
    ("symbol", "ETHUSDT"),
    ("symbol", "btcusdt"),
    ("symbol", None),
    ("symbol", ["BTCUSDT"]),
    ("side", "Sell"),
    ("side", "buy"),
    ("side", 1),
    ("orderType", "Market"),
    ("timeInForce", "IOC"),
    ("timeInForce", "GTC"),
    ("orderLinkId", "x-1-2"),
    ("orderLinkId", ""),
    ("qty", "0.101"),
    ("qty", "0.099"),
    ("qty", "1"),
    ("qty", "-0.1"),
    ("qty", "+0.1"),
    ("qty", "1e-1"),
    ("qty", "1E-1"),
    ("qty", "NaN"),
    ("qty", "Infinity"),
    ("qty", " 0.1"),
    ("qty", "0.1\n"),
    ("qty", ".1"),
    ("qty", "0,1"),
    ("qty", "0_0.1"),
    ("qty", "\u0660.\u0661"),
    ("qty", ""),
    ("qty", 0.1),
    ("qty", None),
    ("qty", True),
    ("qty", ["0.1"]),
    ("price", "50000.1"),
    ("price", "49999.9"),
    ("price", "5e4"),
    ("price", "0"),
    ("price", 50000),
    ("price", None),
    ("positionIdx", 1),
    ("positionIdx", False),
    ("positionIdx", 0.0),
    ("positionIdx", "0"),
    ("positionIdx", None),
    ("reduceOnly", True),
    ("reduceOnly", 0),
    ("reduceOnly", "false"),
    ("reduceOnly", None),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_one_changed_value_is_refused(key, value):
    refused(json.dumps(SAID | {key: value}).encode())


@pytest.mark.parametrize("key", SAID)
def test_one_missing_key_is_refused(key):
    refused(json.dumps({name: value for name, value in SAID.items() if name != key}).encode())


@pytest.mark.parametrize(
    "added",
    [
        {"closeOnTrigger": True},
        {"isLeverage": 1},
        {"takeProfit": "1"},
        {"orderId": "1"},
        {"marketUnit": "baseCoin"},
        {"": ""},
        {"Qty": "0.1"},
    ],
)
def test_one_added_key_is_refused(added):
    refused(json.dumps(SAID | added).encode())


@pytest.mark.parametrize("key", SAID)
def test_a_key_given_twice_is_refused_even_with_the_same_value(key):
    twice = json.dumps(SAID)[:-1] + f", {json.dumps(key)}: {json.dumps(SAID[key])}}}"
    assert json.loads(twice) == SAID
    refused(twice.encode())


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_constants_that_are_not_json_are_refused(constant):
    refused(BODY.replace(b'"0.1"', constant))


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"{",
            b"null",
            b"[]",
            b'"text"',
            b"1",
            b"{}",
            b"\xff\xfe",
            BODY[:-1],
            BODY + b"}",
            BODY + BODY,
        ),
        pytest.param(b"[" * 100_000, id="nested too deep"),
        pytest.param(b'{"qty": ' + b"9" * 5_000 + b"}", id="a number beyond reading"),
        pytest.param(BODY.decode().encode("utf-16"), id="another encoding"),
        pytest.param(BODY.decode().encode("utf-32-le"), id="another encoding without a mark"),
        pytest.param(b"\xef\xbb\xbf" + BODY, id="byte order mark"),
    ],
)
def test_broken_bytes_are_refused(body):
    refused(body)


def test_spot_request_carries_no_position_and_reduces_nothing():
    spot = approved(category=Category.SPOT)
    said = content(spot.order)
    refused(json.dumps(said | {"positionIdx": 0, "reduceOnly": False}).encode(), spot)
    refused(json.dumps(said).encode(), approved(category=Category.SPOT, reduce_only=True))
    refused(json.dumps(said).encode(), approved(category=Category.SPOT, position_idx=1))


@pytest.mark.parametrize("over", [dict(qty=D(0)), dict(px=D(0)), dict(qty=D("-0.1")), dict(qty=D("1E-19"))])
def test_an_approval_that_can_not_be_said_is_refused(over):
    ticket = approved(**over)
    refused(json.dumps(content(ticket.order)).encode(), ticket)


def read(body):
    """What the bytes say, with every key kept, for the comparison of contents."""

    def pairs(found):
        return sorted((key, repr(value)) for key, value in found)

    said = json.loads(body.decode(), object_pairs_hook=pairs)
    number = {"qty": Decimal, "price": Decimal}
    return [(key, number.get(key, str)(value.strip("'")) if key in number else value) for key, value in said]


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(BODY) - 1), st.integers(0, 255), st.sampled_from(["set", "drop", "add"])
        ),
        min_size=1,
        max_size=3,
    )
)
def test_mutated_bytes_pass_only_if_they_say_the_same(mutations):
    body = bytearray(BODY)
    for place, byte, how in mutations:
        at = place % len(body)
        if how == "set":
            body[at] = byte
        elif how == "drop":
            del body[at]
        else:
            body.insert(at, byte)
    try:
        check_create_bytes(bytes(body), USUAL)
    except LocalProtocolError:
        return
    assert read(bytes(body)) == read(BODY)


@given(
    st.sampled_from(["symbol", "qty", "price", "side", "orderLinkId", "timeInForce"]),
    st.text("0123456789.eE+-BTCUSDbuyselx\u0660 ", max_size=12),
)
def test_any_other_text_is_refused(key, text):
    body = json.dumps(SAID | {key: text}).encode()
    if key in {"qty", "price"}:
        try:
            same = text.isascii() and set(text) <= set("0123456789.") and Decimal(text) == Decimal(SAID[key])
            same = same and not text.startswith(".") and not text.endswith(".")
        except ArithmeticError:
            same = False
    else:
        same = text == SAID[key]
    if same:
        check_create_bytes(body, USUAL)
    else:
        refused(body)


@given(qty=st.integers(1, 10**9), px=st.integers(1, 10**9), off=st.sampled_from([-1, 1]))
def test_one_step_or_one_tick_off_is_refused(qty, px, off):
    ticket = approved(qty=qty * D("0.001"), px=px * D("0.1"))
    check_create_bytes(json.dumps(content(ticket.order)).encode(), ticket)
    for over in (dict(qty=(qty + off) * D("0.001")), dict(px=(px + off) * D("0.1"))):
        refused(json.dumps(content(replace(ticket.order, **over))).encode(), ticket)


NEW = Replacement(
    client_order_id="x-1-1",
    parent_id="P1",
    category=Category.LINEAR,
    symbol="BTCUSDT",
    side=Side.SELL,
    qty=D("0.3"),
    px=D("50001.5"),
)
AMEND = Approved(order=NEW, ticket=1, halt_epoch=0)
AMEND_SAID = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "orderLinkId": "x-1-1",
    "qty": "0.3",
    "price": "50001.5",
}


def amend_refused(said):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    with pytest.raises(LocalProtocolError):
        check_amend_bytes(body, AMEND)


def test_amend_bytes_that_say_what_was_approved_pass():
    check_amend_bytes(json.dumps(AMEND_SAID).encode(), AMEND)


@pytest.mark.parametrize("key", list(AMEND_SAID))
def test_amend_bytes_need_every_key(key):
    amend_refused({name: value for name, value in AMEND_SAID.items() if name != key})


@pytest.mark.parametrize("key", ["orderId", "side", "triggerPrice", "takeProfit", "positionIdx"])
def test_amend_bytes_with_another_key_are_refused(key):
    amend_refused({**AMEND_SAID, key: ""})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("category", "spot"),
        ("symbol", "ETHUSDT"),
        ("orderLinkId", "x-1-2"),
        ("qty", "0.31"),
        ("qty", 0.3),
        ("qty", "3e-1"),
        ("qty", "-0.3"),
        ("price", "50001.50001"),
        ("price", None),
    ],
)
def test_amend_bytes_that_say_anything_else_are_refused(key, value):
    amend_refused({**AMEND_SAID, key: value})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"qty":"0.3","qty":"0.3"}', b'{"qty":NaN}'])
def test_amend_bytes_that_are_no_strict_object_are_refused(body):
    amend_refused(body)


@pytest.mark.parametrize("over", [dict(qty=D(0)), dict(px=D(0))])
def test_an_amendment_to_nothing_is_refused_even_if_it_was_approved(over):
    bad = Approved(order=replace(NEW, **over), ticket=1, halt_epoch=0)
    said = {**AMEND_SAID, "qty": plain(bad.order.qty), "price": plain(bad.order.px)}
    with pytest.raises(LocalProtocolError):
        check_amend_bytes(json.dumps(said).encode(), bad)
