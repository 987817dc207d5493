"""Every reason to refuse, one at a time: a situation that may pass, and exactly one thing wrong with it.

Where one wrong thing can not help causing a second reason, the companion is written beside it.
"""

from dataclasses import replace

import pytest

from executor.domain.approval import Approved
from executor.domain.limits import MONEY_LIMITS, Limits
from executor.domain.orders import Category, Side, TimeInForce
from executor.domain.timeline import NS_PER_S
from risk.gate import Refused, judge, size_cap
from risk.refusals import REFUSAL_TEXT
from risk.refusals import RefusalCode as Code
from tests.builders import T0, D, instrument, new_order, parent_order, snapshot
from tests.risk.gate_cases import gate_view, opinion

NAN = D("NaN")
WIDE = snapshot("49949.9", "50050.1")
AT_20_BPS = snapshot("49950", "50050")
OTHER_SYMBOL = snapshot(symbol="ETHUSDT")
TAKING = new_order(time_in_force=TimeInForce.IOC)


def codes(order=None, view=None, limits=None):
    verdict = judge(order or new_order(), view or gate_view(), limits or Limits(), 1)
    return set(verdict.codes) if isinstance(verdict, Refused) else set()


def at(**over):
    return dict(view=gate_view(**over))


def under(**over):
    return dict(limits=Limits(**over))


def together(used, volume):
    """An order of 0.1 under a limit of 10 % on what all parents of the symbol take."""
    view = gate_view(symbol_used_qty=D(used), symbol_volume_qty=D(volume))
    return dict(view=view, **under(symbol_participation_pct_max=D(10)))


def selling(**over):
    return dict(order=new_order(side=Side.SELL), **at(parent=parent_order(side=Side.SELL), **over))


def held(index, side, *, reduce_only=False, hedged=True, **over):
    """An order of one of two positions that are kept apart."""
    mine = dict(position_idx=index, side=side, reduce_only=reduce_only)
    return dict(order=new_order(**mine), **at(parent=parent_order(**mine), hedged=hedged, **over))


REFUSED = [
    (at(latched=True), {Code.HALTED}),
    (at(draining=True), {Code.DRAINING}),
    (at(reconciled=False), {Code.UNRECONCILED}),
    (at(private_live=False), {Code.PRIVATE_STREAM_DOWN}),
    (at(public_live=False), {Code.PUBLIC_STREAM_DOWN}),
    (at(blocked="ORPHAN_FILL"), {Code.SYMBOL_BLOCKED}),
    (at(instrument=None), {Code.INSTRUMENT_UNKNOWN}),
    (at(instrument=instrument(symbol="ETHUSDT")), {Code.INSTRUMENT_UNKNOWN}),
    (at(instrument=instrument(category=Category.SPOT)), {Code.INSTRUMENT_UNKNOWN}),
    (at(instrument=instrument(trading=False)), {Code.INSTRUMENT_NOT_TRADING}),
    (dict(order=new_order(qty=NAN)), {Code.INPUT_UNSOUND}),
    (dict(order=new_order(qty=0.1)), {Code.INPUT_UNSOUND}),
    (dict(order=new_order(qty=None)), {Code.INPUT_UNSOUND}),
    (dict(order=new_order(px=D("Infinity"))), {Code.INPUT_UNSOUND}),
    (dict(order=new_order(px=D("1E+18"))), {Code.INPUT_UNSOUND}),
    (dict(order=new_order(qty=D("1E-19"))), {Code.INPUT_UNSOUND}),
    (at(same_side_open_qty=NAN), {Code.INPUT_UNSOUND}),
    (at(same_side_open_qty=D(-1)), {Code.INPUT_UNSOUND}),
    (under(participation_pct_max=NAN), {Code.INPUT_UNSOUND}),
    (under(symbol_participation_pct_max=NAN), {Code.INPUT_UNSOUND}),
    (under(parents_net_notional_max=D("-1")), {Code.INPUT_UNSOUND}),
    (together("9.900001", "100"), {Code.SYMBOL_PARTICIPATION}),
    (together("0", "0"), {Code.VOLUME_UNKNOWN}),
    (together("-1", "100"), {Code.INPUT_UNSOUND}),
    (dict(together("0", "100"), view=gate_view(symbol_volume_qty=None)), {Code.VOLUME_UNKNOWN}),
    (under(participation_pct_max=None), {Code.INPUT_UNSOUND}),
    (under(day_loss_max=D("-1")), {Code.INPUT_UNSOUND}),
    (under(child_notional_max=D("Infinity")), {Code.INPUT_UNSOUND}),
    (at(market=None), {Code.BOOK_MISSING}),
    (at(market=OTHER_SYMBOL), {Code.BOOK_MISSING}),
    (at(market=snapshot(category=Category.SPOT)), {Code.BOOK_MISSING}),
    (at(book_ns=None), {Code.BOOK_STALE}),
    (at(book_ns=T0 - 2 * NS_PER_S - 1), {Code.BOOK_STALE}),
    (at(book_ns=T0 + 1), {Code.BOOK_STALE}),
    (at(market=snapshot("50000", "50000")), {Code.BOOK_CROSSED}),
    (at(market=snapshot("50000.1", "50000")), {Code.BOOK_CROSSED}),
    (at(market=snapshot("0", "50000")), {Code.BOOK_CROSSED}),
    (at(market=snapshot("NaN", "50000")), {Code.BOOK_CROSSED}),
    (at(benchmark_px=None), {Code.BENCHMARK_UNKNOWN}),
    (at(benchmark_px=D(0)), {Code.BENCHMARK_UNKNOWN}),
    (at(benchmark_px=NAN), {Code.BENCHMARK_UNKNOWN}),
    (at(volatility_hourly_pct=None), {Code.VOLATILITY_UNKNOWN}),
    (at(volatility_hourly_pct=D("-0.1")), {Code.VOLATILITY_UNKNOWN}),
    (at(volatility_hourly_pct=D("sNaN")), {Code.VOLATILITY_UNKNOWN}),
    (at(volatility_hourly_pct=D("5.000000000000000001")), {Code.VOLATILITY_HIGH}),
    (at(expected_volume_qty=None), {Code.VOLUME_UNKNOWN}),
    (at(expected_volume_qty=D(0)), {Code.VOLUME_UNKNOWN}),
    (at(expected_volume_qty=D("0.999999999999999999")), {Code.PARTICIPATION}),
    (dict(order=new_order(qty=D(0))), {Code.QTY_NOT_POSITIVE, Code.QTY_BELOW_MINIMUM}),
    (dict(order=new_order(qty=D("-0.1"))), {Code.QTY_NOT_POSITIVE, Code.QTY_BELOW_MINIMUM}),
    (dict(order=new_order(qty=D("0.1005"))), {Code.QTY_OFF_STEP}),
    (at(instrument=instrument(min_order_qty=D("0.101"))), {Code.QTY_BELOW_MINIMUM}),
    (at(instrument=instrument(min_notional=D("5000.01"))), {Code.QTY_BELOW_MINIMUM}),
    (at(instrument=instrument(max_order_qty=D("0.099"))), {Code.QTY_ABOVE_MAXIMUM}),
    (
        dict(order=new_order(px=D(0))),
        {Code.PX_NOT_POSITIVE, Code.QTY_BELOW_MINIMUM, Code.PRICE_COLLAR, Code.PRICE_BENCHMARK},
    ),
    (dict(order=new_order(px=D("50000.05"))), {Code.PX_OFF_TICK}),
    (dict(order=new_order(px=D("49499.9")), **at(benchmark_px=D(49500))), {Code.PRICE_COLLAR}),
    (dict(order=new_order(px=D("50500.2")), **at(benchmark_px=D(50500))), {Code.PRICE_COLLAR}),
    (at(benchmark_px=D(50600)), {Code.PRICE_BENCHMARK}),
    (at(benchmark_px=D(49400)), {Code.PRICE_BENCHMARK}),
    (at(parent=parent_order(limit_px=D("49999.9"))), {Code.LIMIT_PRICE}),
    (at(parent=parent_order(limit_px=NAN)), {Code.LIMIT_PRICE}),
    (
        dict(
            order=new_order(side=Side.SELL), **at(parent=parent_order(side=Side.SELL, limit_px=D("50000.1")))
        ),
        {Code.LIMIT_PRICE},
    ),
    (dict(order=TAKING, **at(market=WIDE)), {Code.SPREAD_WIDE}),
    (under(child_notional_max=D("4999.999999")), {Code.CHILD_NOTIONAL}),
    (under(child_notional_max=None), {Code.CHILD_NOTIONAL}),
    (dict(order=new_order(side=Side.SELL)), {Code.WRONG_SIDE}),
    (dict(order=new_order(parent_id="P2")), {Code.WRONG_SIDE}),
    (dict(order=new_order(position_idx=1)), {Code.WRONG_SIDE, Code.POSITION_SIDE}),
    (dict(order=new_order(reduce_only=True), **at(position_qty=D(-1))), {Code.WRONG_SIDE}),
    (at(trade_live=False), {Code.ORDER_ENTRY_DOWN}),
    (at(restricted_until_ns=T0 + 1), {Code.VENUE_RESTRICTED}),
    (at(sentinel_alive=False), {Code.SENTINEL_SILENT}),
    (at(opinions=()), {Code.REFERENCE_MISSING}),
    (at(opinions=(opinion(at_ns=T0 - 10 * NS_PER_S - 1),)), {Code.REFERENCE_MISSING}),
    (at(opinions=(opinion(at_ns=T0 + 1),)), {Code.REFERENCE_MISSING}),
    (under(references_min=2), {Code.REFERENCE_MISSING}),
    (at(opinions=(opinion(), opinion("51000.06"))), {Code.REFERENCE_DISAGREES}),
    (at(opinions=(opinion(), opinion("49000.04"))), {Code.REFERENCE_DISAGREES}),
    (at(opinions=(opinion("NaN"),)), {Code.INPUT_UNSOUND}),
    (at(opinions=(opinion("0"),)), {Code.INPUT_UNSOUND}),
    (under(reference_gap_bps_max=NAN), {Code.INPUT_UNSOUND}),
    (under(second_opinion_age_s_max=D(-1)), {Code.INPUT_UNSOUND}),
    (at(market=snapshot(max_buy_px=D("49999.9"))), {Code.PRICE_BAND}),
    (at(market=snapshot(max_buy_px=NAN)), {Code.INPUT_UNSOUND}),
    (at(market=snapshot(max_buy_px=D(0))), {Code.INPUT_UNSOUND}),
    (selling(market=snapshot(min_sell_px=D("50000.1"))), {Code.PRICE_BAND}),
    (at(hedged=True), {Code.POSITION_SIDE}),
    (held(1, Side.BUY, reduce_only=True, position_qty=D(-1)), {Code.POSITION_SIDE}),
    (held(1, Side.SELL, position_qty=D(1)), {Code.POSITION_SIDE}),
    (held(2, Side.SELL, reduce_only=True, position_qty=D(1)), {Code.POSITION_SIDE}),
    (held(2, Side.BUY, position_qty=D(-1)), {Code.POSITION_SIDE}),
    (held(3, Side.BUY), {Code.POSITION_SIDE}),
    (held(1, Side.BUY, hedged=False), {Code.POSITION_SIDE}),
    (held(1, Side.SELL, reduce_only=True, position_qty=D("0.099")), {Code.REDUCE_ONLY_EXCEEDS}),
    (held(2, Side.BUY, reduce_only=True, position_qty=D("-0.099")), {Code.REDUCE_ONLY_EXCEEDS}),
    (
        held(1, Side.SELL, reduce_only=True, position_qty=D(1), reduce_open_qty=D("0.901")),
        {Code.REDUCE_ONLY_EXCEEDS},
    ),
    (at(reduce_open_qty=NAN), {Code.INPUT_UNSOUND}),
    (dict(order=new_order(symbol="ETHUSDT")), {Code.WRONG_SIDE, Code.INSTRUMENT_UNKNOWN, Code.BOOK_MISSING}),
    (at(parent_worst_case_qty=D("0.901")), {Code.OVER_PARENT}),
    (at(parent_worst_case_qty=D("-0.1")), {Code.OVER_PARENT}),
    (at(parent_worst_case_qty=NAN), {Code.OVER_PARENT}),
    (at(parent=parent_order(order_qty=NAN)), {Code.OVER_PARENT, Code.AMPLIFICATION}),
    (at(parent_last_order_ns=T0 - 5 * NS_PER_S + 1), {Code.ORDER_GAP}),
    (at(parent_last_order_ns=T0 + 1), {Code.ORDER_GAP}),
    (at(orders_last_s=2), {Code.ORDERS_PER_SECOND}),
    (at(orders_last_min=20), {Code.ORDERS_PER_MINUTE}),
    (at(orders_day=5_000), {Code.ORDERS_PER_DAY}),
    (at(orders_day=-1), {Code.ORDERS_PER_DAY}),
    (at(parent_children=1_000), {Code.REPEAT_PARENT}),
    (at(children_last_hour=900), {Code.REPEAT_HOUR}),
    (at(parent_ordered_qty=D("19.901")), {Code.AMPLIFICATION}),
    (at(parent_ordered_qty=NAN), {Code.AMPLIFICATION}),
    (at(positions_compared=False), {Code.POSITION_UNCONFIRMED}),
    (at(position_qty=None), {Code.POSITION_UNKNOWN}),
    (at(position_qty=NAN), {Code.POSITION_UNKNOWN}),
    (at(position_qty=D("99.901")), {Code.POSITION_NOTIONAL}),
    (at(position_qty=D(90), same_side_open_qty=D("9.901")), {Code.POSITION_NOTIONAL}),
    (under(position_notional_max=None), {Code.POSITION_NOTIONAL}),
    (at(open_notional=D("495000.000001")), {Code.OPEN_NOTIONAL}),
    (at(open_notional=None), {Code.OPEN_NOTIONAL}),
    (at(open_notional=D(-1)), {Code.OPEN_NOTIONAL}),
    (under(open_notional_max=None), {Code.OPEN_NOTIONAL}),
    (at(day_notional=D("9995000.000001")), {Code.DAY_NOTIONAL}),
    (at(day_notional=NAN), {Code.DAY_NOTIONAL}),
    (under(day_notional_max=None), {Code.DAY_NOTIONAL}),
    (at(day_pnl=D(-50_000)), {Code.DAY_LOSS}),
    (at(day_pnl=None), {Code.DAY_LOSS}),
    (under(day_loss_max=None), {Code.DAY_LOSS}),
]


@pytest.mark.parametrize(("wrong", "expected"), REFUSED)
def test_one_wrong_thing_is_named_and_nothing_else(wrong, expected):
    assert codes(**wrong) == expected


def test_every_code_has_its_case_and_its_sentence():
    cases = set().union(*(expected for _, expected in REFUSED))
    assert cases == set(Code) - {Code.QTY_BELOW_FILLED}  # of amendments alone: `test_amendment_gate.py`
    assert REFUSAL_TEXT.keys() == set(Code)
    assert len(set(REFUSAL_TEXT.values())) == len(REFUSAL_TEXT)


AT_THE_LIMIT = [
    dict(),
    at(restricted_until_ns=T0),
    at(sentinel_required=False, sentinel_alive=False),
    at(opinions=(opinion(at_ns=T0 - 10 * NS_PER_S),)),
    at(opinions=(opinion("51000.051"),)),
    at(opinions=(opinion("49000.049"),)),
    at(opinions=(opinion(), opinion("1", at_ns=T0 - 11 * NS_PER_S))),
    dict(view=gate_view(opinions=()), limits=Limits(references_min=0)),
    at(market=snapshot(max_buy_px=D("50000.0"), min_sell_px=D("50000.1"))),
    selling(market=snapshot(max_buy_px=D("49999.9"), min_sell_px=D("50000.0"))),
    held(1, Side.BUY),
    held(2, Side.SELL),
    held(1, Side.SELL, reduce_only=True, position_qty=D("0.1")),
    held(2, Side.BUY, reduce_only=True, position_qty=D("-1"), reduce_open_qty=D("0.9")),
    at(book_ns=T0 - 2 * NS_PER_S),
    at(volatility_hourly_pct=D(5)),
    at(volatility_hourly_pct=D(0)),
    at(expected_volume_qty=D(1)),
    at(instrument=instrument(min_order_qty=D("0.1"))),
    at(instrument=instrument(min_notional=D(5000))),
    at(instrument=instrument(max_order_qty=D("0.1"))),
    dict(order=new_order(px=D("49500")), **at(market=AT_20_BPS, benchmark_px=D(50000))),
    dict(order=new_order(px=D("50500")), **at(market=AT_20_BPS, benchmark_px=D(50000))),
    at(parent=parent_order(limit_px=D(50000))),
    dict(order=new_order(side=Side.SELL), **at(parent=parent_order(side=Side.SELL, limit_px=D(50000)))),
    dict(order=TAKING, **at(market=AT_20_BPS)),
    at(market=WIDE),
    under(child_notional_max=D(5000)),
    at(parent_worst_case_qty=D("0.9")),
    at(parent_last_order_ns=T0 - 5 * NS_PER_S),
    at(orders_last_s=1),
    at(orders_last_min=19),
    at(orders_day=4_999),
    at(parent_children=999),
    at(children_last_hour=899),
    at(parent_ordered_qty=D("19.9")),
    at(position_qty=D("99.9")),
    at(position_qty=D(90), same_side_open_qty=D("9.9")),
    at(open_notional=D(495_000)),
    at(day_notional=D(9_995_000)),
    at(day_pnl=D("-49999.999999")),
]


@pytest.mark.parametrize("exact", AT_THE_LIMIT)
def test_at_the_limit_an_order_passes(exact):
    assert codes(**exact) == set()


def test_all_reasons_are_collected():
    found = codes(
        new_order(qty=D("0.1005")),
        gate_view(latched=True, market=None, day_pnl=None),
        Limits(child_notional_max=None),
    )
    assert found == {Code.HALTED, Code.QTY_OFF_STEP, Code.BOOK_MISSING, Code.CHILD_NOTIONAL, Code.DAY_LOSS}


def test_refusal_tells_the_situation():
    verdict = judge(new_order(), gate_view(latched=True), Limits(), 1)
    assert isinstance(verdict, Refused)
    assert "BUY 0.1 BTCUSDT @ 50000.0" in verdict.detail
    assert "book 50000.0/50000.1" in verdict.detail
    without = judge(new_order(), gate_view(market=None), Limits(), 1)
    assert isinstance(without, Refused)
    assert "no book" in without.detail


@pytest.mark.parametrize("missing", MONEY_LIMITS)
def test_a_missing_money_limit_refuses(missing):
    assert len(codes(**under(**{missing: None}))) == 1


SPENT = dict(day_pnl=D(-1_000_000), day_notional=D("1E+9"))


@pytest.mark.parametrize(("side", "position"), [(Side.BUY, "-0.1"), (Side.BUY, "-500"), (Side.SELL, "0.1")])
def test_exit_stays_possible_under_every_account_limit(side, position):
    """The limits on position, day's value and day's loss stop opening, never the way out."""
    order = new_order(side=side)
    view = gate_view(position_qty=D(position), parent=parent_order(side=side), **SPENT)
    limits = Limits(position_notional_max=D(0))
    verdict = judge(order, view, limits, 9)
    assert verdict == Approved(order=order, ticket=9, halt_epoch=3)
    none_given = replace(limits, position_notional_max=None, day_notional_max=None, day_loss_max=None)
    assert codes(order, view, none_given) == set()


@pytest.mark.parametrize(
    "over", [dict(position_qty=D("-0.099")), dict(position_qty=D("-0.1"), same_side_open_qty=D("0.001"))]
)
def test_one_step_past_flat_is_no_exit(over):
    """What is open on the same side counts: two exits together must not turn the position round."""
    assert codes(**at(**SPENT, **over)) == {Code.DAY_NOTIONAL, Code.DAY_LOSS}


@pytest.mark.parametrize("position", ["-0.1", "-500"])
def test_what_was_sold_of_spot_is_no_position_that_a_purchase_leaves(position):
    spot = dict(category=Category.SPOT)
    market = dict(
        instrument=instrument(**spot),
        parent=parent_order(**spot),
        market=snapshot(**spot),
        position_qty=D(position),
    )
    assert codes(new_order(**spot), gate_view(**market)) == set()
    assert codes(new_order(**spot), gate_view(**market, **SPENT)) == {Code.DAY_NOTIONAL, Code.DAY_LOSS}
    none_given = Limits(position_notional_max=None, day_notional_max=None, day_loss_max=None)
    assert codes(new_order(**spot), gate_view(**market), none_given) == {
        Code.POSITION_NOTIONAL,
        Code.DAY_NOTIONAL,
        Code.DAY_LOSS,
    }


def test_exit_is_still_held_to_every_other_limit():
    view = gate_view(position_qty=D(-10), orders_last_s=2, open_notional=D(500_000))
    assert codes(view=view) == {Code.ORDERS_PER_SECOND, Code.OPEN_NOTIONAL}


def test_spot_and_inverse_orders_are_valued_by_their_own_rule():
    inverse = dict(category=Category.INVERSE)
    rules = instrument(
        **inverse, qty_step=D(1), min_order_qty=D(1), max_order_qty=D(1_000_000), min_notional=D(0)
    )
    parent = parent_order(**inverse, order_qty=D(500_000))
    view = gate_view(
        instrument=rules, parent=parent, market=snapshot(**inverse), expected_volume_qty=D("1E+7")
    )
    assert codes(new_order(**inverse, qty=D(100_000)), view) == set()
    assert codes(new_order(**inverse, qty=D(100_001)), view) == {Code.CHILD_NOTIONAL}


def test_cap_is_the_smallest_of_all_size_limits():
    px = D(50_000)
    assert size_cap(gate_view(), Limits(), Side.BUY, px) == D(1)
    assert size_cap(gate_view(expected_volume_qty=D(5)), Limits(), Side.BUY, px) == D("0.5")
    assert size_cap(gate_view(parent_worst_case_qty=D("0.7")), Limits(), Side.BUY, px) == D("0.3")
    assert size_cap(gate_view(), Limits(child_notional_max=D(20_049)), Side.BUY, px) == D("0.4")
    assert size_cap(gate_view(open_notional=D(490_000)), Limits(), Side.BUY, px) == D("0.2")
    assert size_cap(gate_view(position_qty=D("99.9")), Limits(), Side.BUY, px) == D("0.1")
    assert size_cap(gate_view(instrument=instrument(max_order_qty=D("0.05"))), Limits(), Side.BUY, px) == D(
        "0.05"
    )


def test_cap_of_an_exit_leaves_room_for_what_is_already_open():
    """A short of 10 with 8 being bought back: with no room for a long, 2 more may be bought and no more."""
    view = gate_view(position_qty=D(-10), same_side_open_qty=D(8), parent=parent_order(order_qty=D(100)))
    view = replace(view, expected_volume_qty=D(1_000))
    limits = Limits(position_notional_max=D(0), child_notional_max=D("1E+9"), open_notional_max=D("1E+9"))
    cap = size_cap(view, limits, Side.BUY, D(50_000))
    assert cap == D(2)
    assert codes(new_order(qty=cap), view, limits) == set()
    assert codes(new_order(qty=cap + D("0.001")), view, limits) == {Code.POSITION_NOTIONAL}


@pytest.mark.parametrize(
    "unknown", [dict(instrument=None), dict(expected_volume_qty=None), dict(parent_worst_case_qty=D(2))]
)
def test_cap_is_zero_where_nothing_may_be_ordered(unknown):
    assert size_cap(gate_view(**unknown), Limits(), Side.BUY, D(50_000)) == 0
    assert size_cap(gate_view(), Limits(), Side.BUY, D(0)) == 0


def test_cap_ignores_a_limit_that_is_missing():
    """The gate then refuses and names it; the cap must not hide that behind a zero."""
    none = Limits(child_notional_max=None, open_notional_max=None, position_notional_max=None)
    assert size_cap(gate_view(position_qty=None, open_notional=None), none, Side.BUY, D(50_000)) == D(1)
