"""Request bodies and frames: exactly what was approved, whatever the numbers look like."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.errors import LocalProtocolError
from executor.domain.orders import Category, Replacement, Side, TimeInForce
from executor.venues.bybit.order_bytes import Act, Framer, amend_body, cancel_body, create_body
from risk.wire import check_amend_bytes, check_create_bytes
from tests.builders import D, new_order

NUMBERS = st.one_of(
    st.decimals(min_value=Decimal("1e-18"), max_value=Decimal(999999999999999999), places=18),
    st.integers(1, 10**17).map(Decimal),
    st.integers(1, 17).map(lambda digits: Decimal(f"1E+{digits}")),
    st.integers(1, 18).map(lambda digits: Decimal(f"1E-{digits}")),
)


def approved(order):
    return Approved(order=order, ticket=1, halt_epoch=0)


def replacement(**over):
    usual = dict(
        client_order_id="x-1-1",
        parent_id="P1",
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        qty=D("0.2"),
        px=D("50000.5"),
    )
    return Replacement(**{**usual, **over})


def test_a_create_carries_exactly_what_the_gate_knows():
    assert json.loads(create_body(new_order(qty=D("1E-3"), reduce_only=True))) == {
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
    spot = json.loads(
        create_body(new_order(category=Category.SPOT, side=Side.SELL, time_in_force=TimeInForce.IOC))
    )
    assert {"positionIdx", "reduceOnly"}.isdisjoint(spot)
    assert (spot["side"], spot["timeInForce"]) == ("Sell", "IOC")


@given(
    qty=NUMBERS,
    px=NUMBERS,
    side=st.sampled_from(Side),
    category=st.sampled_from(Category),
    time_in_force=st.sampled_from(TimeInForce),
    position_idx=st.integers(0, 2),
    reduce_only=st.booleans(),
    symbol=st.text('ABC1-"\\é', min_size=1, max_size=12),
    name=st.text("abz019-_", min_size=1, max_size=36),
)
def test_every_order_passes_the_check_of_its_bytes(
    qty, px, side, category, time_in_force, position_idx, reduce_only, symbol, name
):
    spot = category is Category.SPOT
    order = new_order(
        qty=qty,
        px=px,
        side=side,
        category=category,
        time_in_force=time_in_force,
        position_idx=0 if spot else position_idx,
        reduce_only=not spot and reduce_only,
        symbol=symbol,
        client_order_id=name,
    )
    body = create_body(order)
    check_create_bytes(body, approved(order))
    assert b"E+" not in body
    assert b"E-" not in json.loads(body)["qty"].encode()


@pytest.mark.parametrize("name", ['x","qty":"9', 'x"', "x\\", 'x"},"extra":{"a":"b'])
def test_a_name_that_breaks_out_of_its_quotes_never_passes_the_check(name):
    order = new_order(client_order_id=name)
    with pytest.raises(LocalProtocolError):
        check_create_bytes(create_body(order), approved(order))


@given(qty=NUMBERS, px=NUMBERS, category=st.sampled_from(Category))
def test_every_amend_passes_the_check_of_its_bytes(qty, px, category):
    order = replacement(qty=qty, px=px, category=category)
    check_amend_bytes(amend_body(order), approved(order))


def test_an_amend_names_both_terms_and_nothing_else():
    assert json.loads(amend_body(replacement())) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderLinkId": "x-1-1",
        "qty": "0.2",
        "price": "50000.5",
    }


def test_a_cancel_names_the_order():
    command = CancelOrder(category=Category.SPOT, symbol="BTCUSDT", client_order_id="x-1-1")
    assert json.loads(cancel_body(command)) == {
        "category": "spot",
        "symbol": "BTCUSDT",
        "orderLinkId": "x-1-1",
    }


@pytest.mark.parametrize("act", Act)
def test_a_frame_carries_the_body_as_it_is(act):
    framer = Framer("18ab7c", 5_000)
    body = create_body(new_order())
    frame = framer.frame(act, 17, 1_700_000_000_000, body)
    assert frame.count(body) == 1
    assert json.loads(frame) == {
        "reqId": "18ab7c-17",
        "header": {"X-BAPI-TIMESTAMP": "1700000000000", "X-BAPI-RECV-WINDOW": "5000"},
        "op": f"order.{act.value}",
        "args": [json.loads(body)],
    }
    assert framer.request_id(17) == "18ab7c-17"


def test_request_ids_stay_short_enough_for_ever():
    assert len(Framer(f"{2**63:x}", 5_000).request_id(10**18)) <= 36
