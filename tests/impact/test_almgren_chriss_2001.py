"""Almgren and Chriss (J. Risk 3(2), 2001), section 3: the numerical example and what follows from it.

X = 1e6 shares at 50, five days, five intervals, sigma 0.95 $/share/sqrt(day), epsilon 1/16, gamma 2.5e-7, eta 2.5e-6.
"""

from dataclasses import replace
from itertools import pairwise
from math import cosh, inf, isclose, nan, sinh, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.almgren_chriss import AlmgrenChriss, eta_adjusted, holdings, kappa, kappa_discrete
from impact.pre_trade import average_bps, timing_risk_bps
from impact.protocol import NS_PER_DAY, Execution, Pace
from impact.theory.almgren_chriss_2001 import (
    Outcome,
    Terms,
    best_holdings,
    best_lots,
    closed_form,
    continuous,
    least_value_at_risk,
    outcome,
)

PAPER = Terms(order_qty=1e6, deadline=5.0, sigma=0.95, epsilon=0.0625, gamma=2.5e-7, eta=2.5e-6)
TABLE = {
    0.0: (0.0, [200_000.0] * 5, 662_500.0, 1.083e12, 1_040_672.8593, 662_500.0),
    1e-6: (
        0.6070761632470627,
        [458_044.4456, 252_101.3350, 141_956.7316, 85_755.6862, 62_141.8016],
        911_226.9863, 3.64128572e11, 603_430.6688, 1_275_355.5584,
    ),
    2e-6: (
        0.8462971345012562,
        [571_401.1543, 245_666.0315, 106_637.0926, 48_652.3442, 27_643.3774],
        1_140_715.167, 2.01931287e11, 449_367.6525, 1_544_577.7414,
    ),
    -2e-7: (
        -0.2765615143805271,  # i times this: risk is sought
        [89_943.5631, 159_107.8523, 216_179.9447, 256_822.3614, 277_946.2785],
        717_958.1043, 1.58421071e12, 1_258_654.3249, 401_115.9623,
    ),
}  # fmt: skip
"""By risk aversion: kappa, trades, E, V, standard deviation, U."""
FRONTIER = {
    1e-7: (670_057.46, 961_622.90),
    5e-7: (768_132.81, 750_597.48),
    1e-6: (911_226.99, 603_430.67),
    2e-6: (1_140_715.17, 449_367.65),
    4e-6: (1_434_114.70, 311_520.29),
    1e-5: (1_845_211.26, 171_712.41),
}


def trades(plan):
    return [before - after for before, after in pairwise(plan)]


@pytest.mark.parametrize("aversion", TABLE)
def test_table_of_trades_cost_and_variance(aversion):
    hurry, sold, mean, variance, deviation, utility = TABLE[aversion]
    plan = best_holdings(PAPER, aversion, 5)
    assert kappa_discrete(aversion, 0.95, eta_adjusted(2.5e-6, 2.5e-7, 1.0), 1.0) == pytest.approx(
        hurry, rel=1e-9
    )
    assert trades(plan) == pytest.approx(sold, rel=1e-6)
    assert plan[0] == 1e6
    assert plan[-1] == 0.0
    assert sum(trades(plan)) == pytest.approx(1e6, abs=1e-6)
    found = outcome(PAPER, plan)
    assert (found.mean, found.variance, found.deviation) == pytest.approx(
        (mean, variance, deviation), rel=1e-6
    )
    assert found.utility(aversion) == pytest.approx(utility, rel=1e-6)


@pytest.mark.parametrize(
    ("aversion", "between"),
    [
        (0.0, [800_000.0, 600_000.0, 400_000.0, 200_000.0]),
        (1e-6, [541_955.5544, 289_854.2194, 147_897.4878, 62_141.8016]),
        (2e-6, [428_598.8457, 182_932.8143, 76_295.7216, 27_643.3774]),
        (-2e-7, [910_056.4369, 750_948.5846, 534_768.6399, 277_946.2785]),
    ],
)
def test_holdings_of_the_paper(aversion, between):
    assert best_holdings(PAPER, aversion, 5) == pytest.approx([1e6, *between, 0.0], rel=1e-6)


def test_half_life_is_the_time_to_a_share_of_1_over_e():
    hurry = kappa_discrete(1e-6, 0.95, eta_adjusted(2.5e-6, 2.5e-7, 1.0), 1.0)
    assert 1 / hurry == pytest.approx(1.647240, rel=1e-6)
    assert 1 / kappa_discrete(2e-6, 0.95, 2.375e-6, 1.0) == pytest.approx(1.181618, rel=1e-6)


def test_parts_of_the_even_sale_and_of_the_sale_at_once():
    even = outcome(PAPER, best_holdings(PAPER, 0.0, 5))
    assert even.mean == pytest.approx(125_000 + 62_500 + 475_000, rel=1e-12)
    assert outcome(replace(PAPER, epsilon=0.0), best_holdings(PAPER, 0.0, 5)).mean == pytest.approx(600_000)
    assert outcome(replace(PAPER, gamma=0.0), best_holdings(PAPER, 0.0, 5)).mean == pytest.approx(562_500)
    assert outcome(PAPER, [1e6, 0.0, 0.0, 0.0, 0.0, 0.0]) == Outcome(2_562_500.0, 0.0)
    assert even.utility(1e-6) == pytest.approx(1_745_500)
    assert even.utility(2e-6) == pytest.approx(2_828_500)


@pytest.mark.parametrize("aversion", [1e-7, 1e-6, 2e-6, 1e-5])
def test_sums_without_a_sum(aversion):
    told, summed = closed_form(PAPER, aversion, 5), outcome(PAPER, best_holdings(PAPER, aversion, 5))
    assert (told.mean, told.variance) == pytest.approx((summed.mean, summed.variance), rel=1e-12)


def test_trades_in_closed_form():
    hurry = kappa_discrete(1e-6, 0.95, 2.375e-6, 1.0)
    told = [
        1e6 * 2 * sinh(hurry / 2) / sinh(5 * hurry) * cosh(hurry * (5 - (number - 0.5)))
        for number in range(1, 6)
    ]
    assert trades(best_holdings(PAPER, 1e-6, 5)) == pytest.approx(told, rel=1e-12)


def test_no_other_plan_is_better():
    plan = best_holdings(PAPER, 1e-6, 5)
    least = outcome(PAPER, plan).utility(1e-6)
    for place in range(1, 5):
        for moved in (-1_000.0, 1_000.0):
            other = [left + moved * (number == place) for number, left in enumerate(plan)]
            assert outcome(PAPER, other).utility(1e-6) > least


def test_frontier():
    found = [outcome(PAPER, best_holdings(PAPER, aversion, 5)) for aversion in FRONTIER]
    for one, (mean, deviation) in zip(found, FRONTIER.values(), strict=True):
        assert one.mean == pytest.approx(mean, abs=0.005)
        assert one.deviation == pytest.approx(deviation, abs=0.005)
    slopes = [
        (after.mean - before.mean) / (before.deviation - after.deviation) for before, after in pairwise(found)
    ]
    assert all(before.mean < after.mean for before, after in pairwise(found))
    assert all(before.deviation > after.deviation for before, after in pairwise(found))
    assert slopes == sorted(slopes), "convex"


def test_least_value_at_risk():
    aversion, found = least_value_at_risk(PAPER, 5, 1.645)
    assert aversion == pytest.approx(1.694389e-6, rel=1e-6)
    assert found.mean + 1.645 * found.deviation == pytest.approx(1_877_206.70, abs=0.005)
    assert (found.mean, found.deviation) == pytest.approx((1_078_681.47, 485_425.68), rel=1e-7)
    assert kappa_discrete(aversion, 0.95, 2.375e-6, 1.0) == pytest.approx(0.782311, abs=5e-7)
    assert aversion == pytest.approx(1.645 / (2 * found.deviation), rel=1e-9)
    for other, told in ((0.0, 2_374_406.85), (1e-6, 1_903_870.44), (2e-6, 1_879_924.96)):
        worse = outcome(PAPER, best_holdings(PAPER, other, 5))
        assert worse.mean + 1.645 * worse.deviation == pytest.approx(told, abs=0.006)
    with pytest.raises(ValueError, match="above the mean"):
        least_value_at_risk(PAPER, 5, 0.0)


def test_drift_is_second_order():
    drifting = replace(PAPER, alpha=0.02)
    plan = best_holdings(drifting, 1e-6, 5)
    assert plan == pytest.approx([1e6, 546_342.287, 296_084.117, 154_127.386, 66_528.535, 0.0], abs=5e-4)
    assert pytest.approx(11_080.33, abs=0.005) == 0.02 / (2 * 1e-6 * 0.95**2)
    gain = outcome(drifting, best_holdings(PAPER, 1e-6, 5)).utility(1e-6) - outcome(drifting, plan).utility(
        1e-6
    )
    assert gain == pytest.approx(212.33, abs=0.005)
    with pytest.raises(ValueError, match="risk aversion above zero"):
        best_holdings(drifting, 0.0, 5)


def test_continuous_limit():
    assert kappa(1e-6, 0.95, 2.5e-6) == pytest.approx(0.60083276, rel=1e-7)
    assert kappa(2e-6, 0.95, 2.5e-6) == pytest.approx(0.84970583, rel=1e-7)
    one, two = continuous(PAPER, 1e-6), continuous(PAPER, 2e-6)
    assert (one.mean, one.deviation) == pytest.approx((964_537.15, 855_831.62), rel=1e-7)
    assert (two.mean, two.deviation) == pytest.approx((1_253_750.80, 727_626.60), rel=1e-7)
    fine = outcome(PAPER, best_holdings(PAPER, 1e-6, 1000))
    assert fine.mean == pytest.approx(one.mean, rel=2e-4)
    assert fine.deviation == pytest.approx(one.deviation, rel=2.5e-3)
    for bad in (lambda: continuous(PAPER, 0.0), lambda: closed_form(PAPER, 0.0, 5)):
        with pytest.raises(ValueError, match="above zero"):
            bad()


@pytest.mark.parametrize(
    ("aversion", "lot", "lots", "utility"),
    [
        (1e-6, 1e5, [5, 2, 1, 1, 1], 1_299_475.0),
        (1e-6, 5e4, [9, 5, 3, 2, 1], 1_276_793.75),
        (1e-6, 1e4, [46, 25, 14, 9, 6], 1_275_449.5),
        (2e-6, 1e4, [57, 25, 10, 5, 3], 1_544_803.0),
    ],
)
def test_best_whole_lots(aversion, lot, lots, utility):
    found, told = best_lots(PAPER, aversion, 5, lot)
    assert (found, told) == (lots, pytest.approx(utility, rel=1e-12))
    left = [1e6 - lot * sum(lots[:number]) for number in range(6)]
    assert outcome(PAPER, left).utility(aversion) == pytest.approx(utility, rel=1e-12)
    assert utility > outcome(PAPER, best_holdings(PAPER, aversion, 5)).utility(aversion)
    with pytest.raises(ValueError, match="whole lots"):
        best_lots(PAPER, aversion, 5, 3e5)


def test_monte_carlo_of_the_law_of_the_price():
    """Prices are drawn as the paper has them; the mean cost is E within three standard errors, so is the variance."""
    random, plan = Random(2001), best_holdings(PAPER, 1e-6, 5)
    costs = []
    for _ in range(4_000):
        moved = cost = 0.0
        for sold in trades(plan):
            cost += sold * (0.0625 + 2.5e-6 * sold - moved)
            moved += 0.95 * random.gauss(0, 1) - 2.5e-7 * sold
        costs.append(cost)
    mean = sum(costs) / len(costs)
    variance = sum((cost - mean) ** 2 for cost in costs) / (len(costs) - 1)
    told = outcome(PAPER, plan)
    assert abs(mean - told.mean) < 3 * told.deviation / sqrt(len(costs))
    assert abs(variance / told.variance - 1) < 3 * sqrt(2 / len(costs))


@given(st.integers(1, 60), st.floats(0.01, 1e7), st.floats(0.01, 10), st.floats(0.1, 100))
def test_without_risk_aversion_it_is_even_whatever_the_units(count, size, sigma, days):
    terms = Terms(order_qty=size, deadline=days, sigma=sigma, epsilon=0.0, gamma=0.0, eta=1e-3)
    assert trades(best_holdings(terms, 0.0, count)) == pytest.approx([size / count] * count, rel=1e-9)
    nearly = best_holdings(terms, 1e-15, count)
    assert nearly == pytest.approx(best_holdings(terms, 0.0, count), rel=1e-6, abs=1e-9 * size)


@given(st.floats(-7, -4), st.integers(2, 60), st.sampled_from([1.0, 100.0]), st.sampled_from([1.0, 24.0]))
def test_units_of_quantity_and_time_change_no_plan(power, count, lot, hours):
    """Lots for shares, hours for days: the same cost in money, and the same plan."""
    aversion, small = 10.0**power, replace(PAPER, gamma=1e-9)
    other = Terms(
        order_qty=small.order_qty / lot,
        deadline=small.deadline * hours,
        sigma=small.sigma * lot / sqrt(hours),
        epsilon=small.epsilon * lot,
        gamma=small.gamma * lot * lot,
        eta=small.eta * lot * lot * hours,
    )
    plan, again = best_holdings(small, aversion, count), best_holdings(other, aversion, count)
    assert [left * lot for left in again] == pytest.approx(plan, rel=1e-7, abs=1e-6)
    one, two = outcome(small, plan), outcome(other, again)
    assert (two.mean, two.variance) == pytest.approx((one.mean, one.variance), rel=1e-7)


@given(st.floats(-9, 0), st.integers(1, 300))
def test_holdings_fall_from_all_to_nothing_and_stay_under_the_even_line(power, count):
    terms = replace(PAPER, gamma=0.0)
    plan = best_holdings(terms, 10.0**power, count)
    even = best_holdings(terms, 0.0, count)
    assert plan[0] == 1e6
    assert plan[-1] == 0.0
    assert all(before >= after >= 0.0 for before, after in pairwise(plan))
    assert all(left <= line + 1e-6 for left, line in zip(plan, even, strict=True))


def test_half_the_spread_drops_out_of_the_plan():
    assert best_holdings(replace(PAPER, epsilon=9.0), 1e-6, 5) == best_holdings(PAPER, 1e-6, 5)


def test_the_model_of_this_market_charges_what_the_paper_does():
    """With sigma_d 1 unit and V_d 1 share, the coefficients are the paper's; eta is the paper's less gamma tau / 2."""
    pace = Pace(1.0 / (100.0 * sqrt(24.0)), 1.0 / 24.0)
    model = AlmgrenChriss(gamma=2.5e-7, eta=2.375e-6, beta=1.0, window_s=86_400.0)
    plan = best_holdings(PAPER, 1e-6, 5)
    sold = [Execution(number * NS_PER_DAY, -qty) for number, qty in enumerate(trades(plan))]
    paid = average_bps(model, sold, pace, 1e6) * 1e6
    assert paid + 62_500 == pytest.approx(911_226.9863, rel=1e-9)
    assert timing_risk_bps(sold, pace, 1e6) * 1e6 * 0.95 == pytest.approx(603_430.6688, rel=1e-9)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: kappa(-1.0, 1.0, 1.0),
        lambda: kappa(nan, 1.0, 1.0),
        lambda: kappa(1.0, 0.0, 1.0),
        lambda: kappa(1.0, 1.0, 0.0),
        lambda: eta_adjusted(1.0, 2.0, 1.0),
        lambda: eta_adjusted(1.0, -1.0, 1.0),
        lambda: kappa_discrete(nan, 1.0, 1.0, 1.0),
        lambda: kappa_discrete(-100.0, 1.0, 1.0, 1.0),
        lambda: holdings(1.0, 1.0, [0.0]),
        lambda: holdings(1.0, 1.0, [1.0, 2.0]),
        lambda: holdings(1.0, 1.0, [0.0, 1.0, 1.0]),
        lambda: holdings(1.0, inf, [0.0, 1.0]),
        lambda: holdings(1.0, -3.2, [0.0, 1.0]),
        lambda: replace(PAPER, order_qty=0.0),
        lambda: replace(PAPER, gamma=-1.0),
        lambda: replace(PAPER, alpha=nan),
        lambda: best_holdings(PAPER, 1e-6, 0),
        lambda: outcome(PAPER, [1e6, 5e5]),
        lambda: outcome(PAPER, [1e5, 0.0]),
        lambda: AlmgrenChriss(gamma=0.0, eta=0.0),
        lambda: AlmgrenChriss(gamma=-0.1),
        lambda: AlmgrenChriss(beta=0.0),
        lambda: AlmgrenChriss(beta=2.5),
        lambda: AlmgrenChriss(window_s=nan),
    ],
)
def test_what_means_nothing_is_refused(bad):
    with pytest.raises(ValueError, match=r"\w"):
        bad()


def test_a_very_great_hurry_neither_overflows_nor_loses_the_order():
    plan = holdings(1.0, 1e6, [0.0, 0.5, 1.0])
    assert plan == [1.0, 0.0, 0.0]
    assert isclose(holdings(1.0, 1e-12, [0.0, 0.25, 1.0])[1], 0.75, rel_tol=1e-9)
