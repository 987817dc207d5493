"""What several parents could come to together: the sums themselves, whatever is filled, held or on the other side."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.algo import AlgoKind, AlgoTerms, NewAlgo
from executor.domain.limits import Limits
from executor.domain.orders import Side, TimeInForce
from risk.gate import Refused, judge_algo
from risk.joint import Bounds, Exposure, Stake, exposure, why_beyond
from risk.refusals import RefusalCode
from tests.builders import D, new_order, parent_order
from tests.risk.gate_cases import gate_view

NAMES = ("gross", "net", "symbol")
VALUES = st.integers(0, 50).map(D)
BOUNDS = Bounds(gross_max=D(99), net_max=D(99), symbol_net_max=D(99))
SIDES = st.sampled_from(list(Side))


def stake(whole, side=Side.BUY, market="linear:BTCUSDT", **over):
    usual = dict(
        market=market, position=f"{market}:0", side=side, can_exit=True, whole=D(whole), left=D(whole)
    )
    return Stake(**{**usual, **over})


@st.composite
def books(draw):
    """Stakes on up to three positions, one side each, and what is held there."""
    stakes, held = [], {}
    for market in ("linear:BTCUSDT", "linear:ETHUSDT", "spot:BTCUSDT"):
        side = draw(SIDES)
        wholes = draw(st.lists(VALUES, max_size=3))
        stakes += [stake(whole, side, market, can_exit=not market.startswith("spot")) for whole in wholes]
        if draw(st.booleans()):
            held[f"{market}:0"] = draw(st.integers(-60, 60).map(D))
    return stakes, held


def test_both_sides_add_up_and_the_larger_one_is_the_net():
    found = exposure([stake(7), stake(3), stake(4, Side.SELL, "linear:ETHUSDT")], {})
    assert (found.gross, found.net) == (14, 10)
    assert found.reach == {("linear:BTCUSDT", Side.BUY): 10, ("linear:ETHUSDT", Side.SELL): 4}


def test_what_leaves_a_position_opens_nothing_but_spot_has_none_to_leave():
    held = {"linear:BTCUSDT:0": D(-5)}
    assert exposure([stake(5)], held).gross == 0
    assert exposure([stake(8)], held).gross == 3
    assert exposure([stake(8)], {}).gross == 8
    assert exposure([stake(5, can_exit=False)], held).gross == 5
    assert exposure([stake(8)], {"linear:BTCUSDT:0": D(4)}).reach["linear:BTCUSDT", Side.BUY] == 12


@given(books(), st.data())
def test_a_fill_changes_no_sum(book, data):
    stakes, held = book
    before = exposure(stakes, held)
    for at, one in enumerate(stakes):
        part = D(data.draw(st.integers(0, int(one.left))))
        stakes[at] = replace(one, left=one.left - part)
        if one.position in held:
            held[one.position] += one.side.sign * part
    after = exposure(stakes, held)
    assert (after.gross, after.net) == (before.gross, before.net)
    known = {place for place in before.reach if f"{place[0]}:0" in held}
    assert all(after.reach[place] == before.reach[place] for place in known)


@given(books())
def test_the_mirror_has_the_same_sums(book):
    stakes, held = book
    there = exposure(stakes, held)
    back = exposure(
        [replace(one, side=Side(-one.side)) for one in stakes], {name: -v for name, v in held.items()}
    )
    assert (there.gross, there.net) == (back.gross, back.net)
    assert there.reach == {(market, Side(-side)): value for (market, side), value in back.reach.items()}
    assert there.net <= there.gross <= sum((one.whole for one in stakes), D(0))


@given(books(), VALUES, SIDES)
def test_one_more_is_refused_exactly_where_a_sum_grows_beyond_its_bound(book, whole, side):
    stakes, held = book
    before = exposure(stakes, held)
    after = exposure([*stakes, stake(whole, side)], held)
    bounds = Bounds(gross_max=D(60), net_max=D(45), symbol_net_max=D(40))
    sums = [(before.gross, after.gross, 60), (before.net, after.net, 45)]
    sums += [(before.reach.get(place, D(0)), value, 40) for place, value in after.reach.items()]
    beyond = any(new > most and new > old for old, new, most in sums)
    assert bool(why_beyond(before, after, bounds, NAMES)) is beyond
    assert why_beyond(before, after, Bounds(), NAMES) == ""
    assert not Bounds().any_given


def test_the_words_name_every_limit_that_binds():
    text = why_beyond(Exposure(), exposure([stake(100)], {}), BOUNDS, NAMES)
    assert text.count("could come to 100 in quote units") == 3
    assert all(f"{name} is 99" in text for name in NAMES)
    assert "the long position in BTCUSDT" in text


@pytest.mark.parametrize(
    ("terms", "used", "passes"),
    [
        (AlgoTerms(kind=AlgoKind.POV, duration_s=900, interval_s=30, rate_pct=D(5), window_s=60), 5, True),
        (AlgoTerms(kind=AlgoKind.POV, duration_s=900, interval_s=30, rate_pct=D(5), window_s=60), 6, False),
        (AlgoTerms(kind=AlgoKind.ICEBERG, display_qty=D("0.5")), "9.5", True),
        (AlgoTerms(kind=AlgoKind.ICEBERG, display_qty=D("0.5")), "9.6", False),
    ],
)
def test_a_strategy_order_counts_with_its_rate_or_its_largest_piece(terms, used, passes):
    look = gate_view(parent=parent_order(order_qty=D(100)), symbol_used_qty=D(used), symbol_volume_qty=D(100))
    wish = NewAlgo(order=new_order(qty=D(1), time_in_force=TimeInForce.IOC), terms=terms)
    verdict = judge_algo(wish, look, Limits(symbol_participation_pct_max=D(10)), 1)
    codes = verdict.codes if isinstance(verdict, Refused) else ()
    assert (RefusalCode.SYMBOL_PARTICIPATION not in codes) is passes
