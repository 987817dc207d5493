import numpy as np
import pytest

from backtest.market.negative_controls import (
    CONTROLS,
    figures_of_control,
    figures_of_independent_market,
)
from impact.estimation.observed import Observed
from simulation.phenomena.metaorder_impact import left_at, metaorder_impact
from simulation.phenomena.series import (
    added_up,
    autocorrelations,
    excess_kurtosis,
    fading_exponent,
    fano,
    hill,
)
from simulation.phenomena.stylised_facts import GATES, Figure, facts_of_orders, facts_of_returns, medians

S = 1_000_000_000
LONG = dict(series=5, length=20_000)


def failed(figures):
    return {gate.number for gate in GATES if gate.measurable(figures) and not gate.passed(figures)}


@pytest.mark.parametrize("name", CONTROLS)
def test_prices_without_the_facts_fail_the_gates_made_for_them(name):
    assert failed(figures_of_control(name, **LONG)) >= set(CONTROLS[name][1])


def test_garch_passes_the_gates_that_it_should_pass():
    assert failed(figures_of_control("GARCH normal", **LONG)) == {2, 3}


def test_fat_tails_alone_do_not_cluster():
    figures = figures_of_control("iid t3", **LONG)
    assert 2.0 < figures[Figure.HILL_5] < 4.0
    assert failed(figures) == {4}


def test_a_market_in_which_nothing_depends_on_anything_fails_all_that_it_has():
    figures = figures_of_independent_market(series=3, length=20_000)
    assert failed(figures) == {2, 3, 4, 5, 6, 8, 9}
    assert figures[Figure.FANO] == pytest.approx(1.0, abs=0.1)
    assert abs(figures[Figure.SIGN_ACF_1]) < 0.05


def test_stochastic_volatility_with_a_long_memory_passes_gates_1_to_4():
    # Volatility is the product of factors that last from 2 to 2048 steps, as in multifractal models of prices.
    runs = []
    for seed in range(5):
        draws = np.random.default_rng(seed)
        volatility = np.ones(20_000)
        for scale in (2.0**k for k in range(1, 12)):
            changes = np.flatnonzero(draws.random(20_000) < 1.0 / scale)
            factors = draws.choice((0.7, 1.3), 20_001)
            volatility *= factors[np.searchsorted(changes, np.arange(20_000), side="right")]
        runs.append(facts_of_returns(volatility * draws.standard_normal(20_000)))
    assert failed(medians(runs)) == set()


def test_kurtosis_of_two_points_and_of_a_normal_sample():
    assert excess_kurtosis(np.array([1.0, -1.0] * 10)) == pytest.approx(-2.0)
    assert excess_kurtosis(np.ones(5)) is None
    assert abs(excess_kurtosis(np.random.default_rng(1).standard_normal(200_000))) < 0.06


def test_hill_of_an_exact_power_tail():
    # At the quantiles of a Pareto law of exponent 3 the estimate is its exponent but for the coarseness of the grid.
    quantiles = (np.arange(1, 100_001) / 100_001.0) ** (-1.0 / 3.0)
    assert hill(quantiles, 0.05) == pytest.approx(3.0, rel=2e-3)
    assert hill(np.concatenate((quantiles, np.zeros(100_000))), 0.05) == pytest.approx(3.0, rel=2e-3)
    assert hill(quantiles[:100], 0.05) is None
    with pytest.raises(ValueError, match="no tail"):
        hill(quantiles, 0.0)


def test_autocorrelations_against_the_sums_written_out():
    values = np.random.default_rng(2).standard_normal(500)
    centred = values - values.mean()
    expected = [
        (centred[lag:] * centred[: 500 - lag]).mean() / (centred * centred).mean() for lag in range(1, 6)
    ]
    assert autocorrelations(values, 5)[1:] == pytest.approx(expected)
    assert autocorrelations(np.ones(10), 3) is None
    with pytest.raises(ValueError, match="no lag"):
        autocorrelations(values, 500)


def test_exponent_of_an_exact_power():
    correlations = np.concatenate(([1.0], np.arange(1.0, 101.0) ** -0.35))
    assert fading_exponent(correlations, 1, 100) == pytest.approx(0.35)
    assert fading_exponent(-correlations, 1, 100) is None
    with pytest.raises(ValueError, match="no lags"):
        fading_exponent(correlations, 1, 101)


def test_sums_over_groups_leave_out_what_is_over():
    assert added_up(np.arange(7.0), 3).tolist() == [3.0, 12.0]


def test_fano_of_a_clock_is_nothing_and_of_bursts_what_they_hold():
    assert fano(np.arange(0, 100 * S, S), 10 * S) == pytest.approx(0.0)
    # Windows hold 0 and 20 events by turns: mean 10, variance 100.
    bursts = np.concatenate([np.full(20, 20 * S * k + 5 * S) for k in range(50)])
    assert fano(np.concatenate(([0], bursts)), 10 * S) == pytest.approx(10.0, rel=0.02)
    assert fano(np.zeros(0, np.int64), S) is None


def test_fano_of_a_self_exciting_process():
    # Hawkes with mu = .5, branching .8 and beta = 1 has a Fano factor of 14.624 in windows of 10.
    draws = np.random.default_rng(3)
    waits, chances = draws.exponential(size=400_000).tolist(), draws.random(400_000).tolist()
    at, rate, times = 0.0, 0.5, []
    for wait, chance in zip(waits, chances, strict=True):
        step = wait / rate
        later = 0.5 + (rate - 0.5) * np.exp(-step)
        at += step
        accepted = chance * rate <= later
        rate = later + 0.8 if accepted else later
        if accepted:
            times.append(at)
    assert len(times) / at == pytest.approx(2.5, rel=0.03)
    assert fano((np.array(times) * S).astype(np.int64), 10 * S) == pytest.approx(14.624, rel=0.06)


def test_signs_of_split_orders_remember_as_their_lengths_say():
    # Orders of Pareto length with exponent 1.5 leave signs whose autocorrelation fades as lag^-.5.
    draws = np.random.default_rng(4)
    count, traders = 1_000_000, 10
    who = draws.integers(0, traders, count).tolist()
    lengths = np.ceil((1.0 - draws.random(count)) ** (-1.0 / 1.5)).astype(int).tolist()
    sides = draws.choice((-1.0, 1.0), count).tolist()
    side, left, signs = [1.0] * traders, [1] * traders, []
    for at, trader in enumerate(who):
        signs.append(side[trader])
        left[trader] -= 1
        if not left[trader]:
            side[trader], left[trader] = sides[at], lengths[at]
    fading = autocorrelations(np.array(signs[count // 4 :]), 1000)
    assert fading_exponent(fading, 20, 1000) == pytest.approx(0.5, abs=0.15)


def made_orders(exponent, count=4_000, kept=0.68):
    draws = np.random.default_rng(5)
    sizes = 10.0 ** draws.uniform(-3.0, -1.0, count)
    days = 10.0 ** draws.uniform(-2.0, -1.0, count)
    impacts = 0.9 * sizes**exponent
    noise = draws.standard_normal((count, 2)) * 0.3 * np.sqrt(days)[:, None]
    return [
        Observed(
            ended_ns=number,
            size=size,
            days=day,
            peak=impact + first,
            after=((day, kept * impact + first + second),),
        )
        for number, (size, day, impact, (first, second)) in enumerate(
            zip(sizes.tolist(), days.tolist(), impacts.tolist(), noise.tolist(), strict=True)
        )
    ]


def test_orders_with_square_root_impact_pass_the_impact_gate():
    found = metaorder_impact(made_orders(0.5))
    assert found.law.exponent == pytest.approx(0.5, abs=3 * found.law.exponent_error)
    assert found.law.factor == pytest.approx(0.9, abs=3 * found.law.factor_error)
    assert found.left_at_two == pytest.approx(0.68, abs=0.05)
    figures = facts_of_orders(found)
    assert next(gate for gate in GATES if gate.number == 7).passed(figures)


def test_linear_impact_fails_the_impact_gate():
    figures = facts_of_orders(metaorder_impact(made_orders(1.0)))
    assert figures[Figure.IMPACT_EXPONENT] == pytest.approx(1.0, abs=0.05)
    assert not next(gate for gate in GATES if gate.number == 7).passed(figures)


def test_impact_that_is_looked_at_too_late_is_not_told():
    orders = made_orders(0.5, count=100)
    assert left_at(orders, 5.0) is None
    with pytest.raises(ValueError, match="not ended"):
        left_at(orders, 1.0)


def test_a_gate_without_a_figure_is_not_passed():
    for gate in GATES:
        inside = {bound.figure: max(bound.low, min(bound.high, 1e9)) for bound in gate.bounds}
        assert gate.passed(inside)
        for bound in gate.bounds:
            assert not gate.passed({name: value for name, value in inside.items() if name != bound.figure})


def test_a_median_asks_for_more_than_half_of_the_runs():
    runs = [{Figure.FANO: 1.0}, {Figure.FANO: 3.0}, {}]
    assert medians(runs) == {Figure.FANO: 2.0}
    assert medians([*runs, {}]) == {}


def test_returns_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        facts_of_returns(np.array([0.0, np.nan] * 100))
    assert facts_of_returns(np.zeros(200)) == {}
