"""Sweeps put together, VPIN, spreads, Amihud and Kyle's lambda against published and worked numbers."""

from itertools import pairwise
from math import pi, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.order_flow.price_response import amihud, price_response
from impact.order_flow.prints import Print, collapse
from impact.order_flow.spreads import mean_spread, roll_spread, spread_parts
from impact.order_flow.toxicity import Bar, bought_share, bulk_bought, trades_of_equal_size, vpin

CHANGES = (0.0, 0.5, -0.5, 1.0, -2.0)
SHARES = (0.5, 0.691462, 0.308538, 0.841345, 0.02275)


def test_fills_of_one_instant_and_side_are_one_trade():
    fills = [
        Print(1, 1, 100.0, 1.0, 99.5),
        Print(1, 1, 101.0, 3.0, 99.5),
        Print(1, -1, 99.0, 2.0, 99.5),
        Print(2, -1, 99.0, 1.0, 99.5),
    ]
    assert collapse(fills) == [
        Print(1, 1, 100.75, 4.0, 99.5),
        Print(1, -1, 99.0, 2.0, 99.5),
        Print(2, -1, 99.0, 1.0, 99.5),
    ]
    with pytest.raises(ValueError, match="order of time"):
        collapse([fills[3], fills[0]])


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from((1, -1)), st.floats(1, 9), st.floats(0.1, 9))))
def test_putting_fills_together_loses_no_quantity_and_no_value(rows):
    fills = [Print(*row) for row in sorted(rows, key=lambda row: row[0])]
    trades = collapse(fills)
    for total in (lambda one: one.signed_qty, lambda one: one.value):
        assert sum(map(total, trades)) == pytest.approx(sum(map(total, fills)), abs=1e-9)
    assert all((a.at_ns, a.sign) != (b.at_ns, b.sign) for a, b in pairwise(trades))


def test_bulk_classification():
    for change, share in zip(CHANGES, SHARES, strict=True):
        assert bought_share(change, 1.0) == pytest.approx(share, abs=5e-7)
    bars = [Bar(qty, change) for qty, change in zip((1.0, 2.0, 3.0), (1.0, -1.0, 0.5), strict=True)]
    for bar, (bought, sold) in zip(bars, bulk_bought(bars), strict=True):
        assert bought + sold == pytest.approx(bar.qty)
        assert (bought > sold) == (bar.change > 0)


def test_vpin_by_bars_and_by_one_bucket():
    flow = [(share, 1.0 - share) for share in SHARES]
    each = vpin(flow, 1.0, 5)
    assert each.vpin == pytest.approx(0.480608, abs=1e-6)
    assert each.buckets == 5
    assert vpin(flow, 5.0, 5).vpin == pytest.approx(0.054362, abs=1e-6)
    assert vpin(flow, 6.0, 5) is None


@pytest.mark.parametrize(("trades", "floor"), [(100, 0.0798), (1_000, 0.0252)])
def test_a_fair_coin_shows_the_noise_floor(trades, floor):
    """Sides drawn with equal chance: what VPIN then shows is the floor that is told beside it."""
    chance = Random(trades)
    buckets = 400_000 // trades
    flow = [
        (bought, 1.0 - bought) for bought in (float(chance.random() < 0.5) for _ in range(trades * buckets))
    ]
    seen = vpin(flow, float(trades), trades_of_equal_size([1.0] * len(flow)))
    assert seen.floor == pytest.approx(floor, abs=5e-5)
    assert seen.vpin == pytest.approx(seen.floor, rel=4 * sqrt((pi / 2 - 1) / buckets))


def test_a_bar_longer_than_a_bucket_is_cut_in_proportion():
    seen = vpin([(3.0, 1.0), (0.0, 2.0)], 2.0, 2)
    assert (seen.buckets, seen.vpin) == (3, pytest.approx((0.5 + 0.5 + 1.0) / 3))


def test_unequal_trades_count_as_fewer():
    assert trades_of_equal_size([2.0] * 7) == pytest.approx(7)
    assert trades_of_equal_size([100.0, 1.0]) == pytest.approx(101**2 / 10_001)


def test_spread_of_a_trade_full_spread_convention():
    parts = spread_parts(Print(0, 1, 100.05, 1.0, 100.0), 100.03)
    assert (parts.effective_bps, parts.realised_bps, parts.impact_bps) == pytest.approx((10.0, 4.0, 6.0))
    sale = spread_parts(Print(0, -1, 99.95, 1.0, 100.0), 99.97)
    assert (sale.effective_bps, sale.realised_bps, sale.impact_bps) == pytest.approx((10.0, 4.0, 6.0))


@given(
    st.lists(
        st.tuples(st.sampled_from((1, -1)), st.floats(90, 110), st.floats(90, 110), st.floats(0.1, 9)),
        min_size=1,
    )
)
def test_effective_is_realised_and_impact(rows):
    trades = [Print(0, sign, px, qty, 100.0) for sign, px, _, qty in rows]
    parts = [spread_parts(one, later) for one, (_, _, later, _) in zip(trades, rows, strict=True)]
    whole = mean_spread(parts, [one.qty for one in trades])
    for one in (*parts, whole):
        assert one.effective_bps == pytest.approx(one.realised_bps + one.impact_bps, abs=1e-9)


def test_roll_finds_the_spread_in_the_bounce():
    """A random walk of 0.02 and a half-spread of 0.05 on either side by chance."""
    chance, mid, prices = Random(3), 100.0, []
    for _ in range(40_000):
        mid += chance.gauss(0.0, 0.02)
        prices.append(mid + (0.05 if chance.random() < 0.5 else -0.05))
    assert roll_spread(prices) == pytest.approx(0.1, abs=0.003)
    assert roll_spread([1.0, 2.0, 4.0, 8.0, 16.0]) is None


def test_amihud_leaves_out_times_without_trades():
    assert amihud([0.01, -0.02, 0.005, 0.0], [1e6, 4e6, 2e6, 5e5]) * 1e6 == pytest.approx(0.004375)
    assert amihud([0.5], [0.0]) is None
    with pytest.raises(ValueError, match="turnovers"):
        amihud([0.1], [-1.0])


def test_kyles_lambda_is_found_within_its_error():
    chance = Random(5)
    flow = [chance.gauss(0.0, 1_000.0) for _ in range(5_000)]
    found = price_response([2e-6 * x + chance.gauss(0.0, 1e-3) for x in flow], flow)
    slope, error = found.coefficients[1], found.standard_errors[1]
    assert abs(slope - 2e-6) < 3 * error
    assert error == pytest.approx(1e-3 / 1_000 / sqrt(5_000), rel=0.1)
    assert found.r_squared == pytest.approx(4e-6 / 5e-6, abs=0.02)


def test_errors_hold_where_noise_grows_with_the_flow():
    """Noise in proportion to the flow: the usual formula would say two thirds of the true error."""
    within = 0
    for seed in range(100):
        chance = Random(seed)
        flow = [chance.gauss(0.0, 1.0) for _ in range(100)]
        found = price_response([x + abs(x) * chance.gauss(0.0, 1.0) for x in flow], flow)
        within += abs(found.coefficients[1] - 1.0) < 1.96 * found.standard_errors[1]
    assert within >= 86


def test_a_flow_that_does_not_vary_is_refused():
    with pytest.raises(ValueError, match="told apart"):
        price_response([1.0, 2.0, 3.0, 4.0], [2.0] * 4)
    with pytest.raises(ValueError, match="zeros"):
        price_response([1.0, 2.0, 3.0], [0.0] * 3)
    with pytest.raises(ValueError, match="finite"):
        price_response([1.0, float("nan"), 3.0, 4.0], [1.0, 2.0, 3.0, 5.0])
    with pytest.raises(ValueError, match="more than 2"):
        price_response([1.0, 2.0], [1.0, 2.0])


@pytest.mark.parametrize(
    "wrong", [(0, 0, 1.0, 1.0), (0, 1, 0.0, 1.0), (0, 1, 1.0, -1.0), (0, 1, 1.0, 1.0, float("nan"))]
)
def test_what_is_no_trade_is_refused(wrong):
    with pytest.raises(ValueError, match=r"trade|taker"):
        Print(*wrong)


def test_what_measures_cannot_use_is_refused():
    with pytest.raises(ValueError, match="usual"):
        bought_share(1.0, 0.0)
    with pytest.raises(ValueError, match="two bars"):
        bulk_bought([Bar(1.0, 1.0)])
    with pytest.raises(ValueError, match="usual"):
        bulk_bought([Bar(1.0, 1.0), Bar(2.0, 1.0)])
    with pytest.raises(ValueError, match="below zero"):
        vpin([(-1.0, 2.0)], 1.0, 1)
    with pytest.raises(ValueError, match="no buckets"):
        vpin([], 0.0, 1)
    with pytest.raises(ValueError, match="mid"):
        spread_parts(Print(0, 1, 1.0, 1.0), 1.0)
    with pytest.raises(ValueError, match="weight"):
        mean_spread([], [1.0])
    with pytest.raises(ValueError, match="three"):
        roll_spread([1.0, 2.0])
    assert mean_spread([], []) is None
