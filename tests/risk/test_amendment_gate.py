"""The gate for amendments: the order they make is held against the limits, and the larger of both terms counts."""

import pytest

from executor.domain.approval import Approved
from executor.domain.limits import Limits
from executor.domain.orders import Category, Replacement, Side
from executor.domain.timeline import NS_PER_S
from risk.gate import Refused, judge_replacement, order_cap
from risk.refusals import RefusalCode as Code
from risk.view import Standing
from tests.builders import T0, D, instrument, new_order, parent_order
from tests.risk.gate_cases import gate_view

NAN = D("NaN")


def new(**over):
    usual = dict(
        client_order_id="x-1-1",
        parent_id="P1",
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        qty=D("0.1"),
        px=D("50000.0"),
    )
    return Replacement(**{**usual, **over})


def standing(filled="0", **over):
    return Standing(order=new_order(**{"px": D("49999.0"), **over}), filled_qty=D(filled))


def view(**over):
    """The standing order of 0.1 is open."""
    open_now = dict(
        parent_worst_case_qty=D("0.1"),
        parent_ordered_qty=D("0.1"),
        same_side_open_qty=D("0.1"),
        open_notional=D("4999.9"),
    )
    return gate_view(**{**open_now, **over})


def verdict(order=None, old=None, look=None, limits=None):
    return judge_replacement(order or new(), old or standing(), look or view(), limits or Limits(), 5)


def codes(**kw):
    answer = verdict(**kw)
    return set(answer.codes) if isinstance(answer, Refused) else set()


def test_an_amendment_that_may_pass_is_approved_exactly_as_it_stands():
    order = new()
    answer = verdict(order=order)
    assert answer == Approved(order=order, ticket=5, halt_epoch=3)
    assert answer.order is order


REFUSED = [
    (dict(order=new(qty=NAN)), {Code.INPUT_UNSOUND}),
    (dict(order=new(px=None)), {Code.INPUT_UNSOUND}),
    (dict(old=Standing(order=new_order(), filled_qty=NAN)), {Code.INPUT_UNSOUND}),
    (dict(old=standing("0.2")), {Code.INPUT_UNSOUND}),
    (dict(old=standing("-0.1")), {Code.INPUT_UNSOUND}),
    (dict(limits=Limits(price_collar_bps_max=NAN)), {Code.INPUT_UNSOUND}),
    (dict(order=new(qty=D("0.04")), old=standing("0.04")), {Code.QTY_BELOW_FILLED}),
    (dict(order=new(client_order_id="x-1-2")), {Code.WRONG_SIDE}),
    (dict(order=new(parent_id="P2")), {Code.WRONG_SIDE}),
    (dict(order=new(symbol="ETHUSDT")), {Code.WRONG_SIDE}),
    (dict(order=new(side=Side.SELL)), {Code.WRONG_SIDE}),
    (dict(look=view(latched=True)), {Code.HALTED}),
    (dict(look=view(trade_live=False)), {Code.ORDER_ENTRY_DOWN}),
    (dict(order=new(px=D("50000.05"))), {Code.PX_OFF_TICK}),
    (dict(order=new(qty=D("0.1005"))), {Code.QTY_OFF_STEP}),
    (dict(order=new(px=D("50500.2")), look=view(benchmark_px=D(50500))), {Code.PRICE_COLLAR}),
    (dict(look=view(parent_last_order_ns=T0 - 5 * NS_PER_S + 1)), {Code.ORDER_GAP}),
    (dict(look=view(orders_last_s=2)), {Code.ORDERS_PER_SECOND}),
    (dict(look=view(parent_ordered_qty=D("19.901"))), {Code.AMPLIFICATION}),
    # Only the increase is new: 0.1 of the 0.2 is reserved already.
    (dict(order=new(qty=D("0.2")), look=view(parent_worst_case_qty=D("0.901"))), {Code.OVER_PARENT}),
    (dict(order=new(qty=D("0.2")), look=view(position_qty=D("99.801"))), {Code.POSITION_NOTIONAL}),
    (dict(look=view(open_notional=D("499999.9000001"))), {Code.OPEN_NOTIONAL}),
    (dict(limits=Limits(child_notional_max=D("4999.999"))), {Code.CHILD_NOTIONAL}),
    (dict(limits=Limits(participation_pct_max=D("0.99"))), {Code.PARTICIPATION}),
]


@pytest.mark.parametrize(("wrong", "expected"), REFUSED)
def test_one_wrong_thing_is_named_and_nothing_else(wrong, expected):
    assert codes(**wrong) == expected


AT_THE_LIMIT = [
    dict(order=new(qty=D("0.2")), look=view(parent_worst_case_qty=D("0.9"))),
    dict(look=view(parent_ordered_qty=D("19.9"))),
    dict(look=view(parent_ordered_qty=D("19.94")), old=standing("0.04")),
    dict(look=view(open_notional=D("499999.9"))),
    # A reduction frees nothing before it is proved, and needs nothing.
    dict(order=new(qty=D("0.05")), look=view(parent_worst_case_qty=D(1), open_notional=D("499997.5"))),
    dict(limits=Limits(child_notional_max=D(5000))),
]


@pytest.mark.parametrize("right", AT_THE_LIMIT)
def test_what_is_exactly_at_a_limit_passes(right):
    assert codes(**right) == set()


@pytest.mark.parametrize("more", ["0", "0.1"])
def test_a_reduce_only_order_may_not_grow_beyond_the_position(more):
    mine = dict(side=Side.SELL, reduce_only=True)
    look = view(parent=parent_order(**mine), position_qty=D("0.1"), reduce_open_qty=D("0.1"))
    order = new(side=Side.SELL, qty=D("0.1") + D(more))
    assert codes(order=order, old=standing(**mine), look=look) == (
        {Code.REDUCE_ONLY_EXCEEDS} if D(more) else set()
    )


def test_the_cap_of_a_single_order_knows_only_the_limits_of_one():
    look = view(parent_worst_case_qty=D(1), open_notional=D(500_000))
    assert order_cap(look, Limits(), D(50_000)) == D(1)
    assert order_cap(look, Limits(child_notional_max=D(20_049)), D(50_000)) == D("0.4")
    assert order_cap(view(instrument=instrument(max_order_qty=D("0.05"))), Limits(), D(50_000)) == D("0.05")
    assert order_cap(view(instrument=None), Limits(), D(50_000)) == 0
    assert order_cap(view(expected_volume_qty=None), Limits(), D(50_000)) == 0
    assert order_cap(view(), Limits(), D(0)) == 0
