"""Volatility over horizons, what trades tell, and regimes."""

from itertools import pairwise
from math import exp, sqrt
from random import Random

import pytest

from impact.order_flow.information import trade_information
from impact.order_flow.regime import fit_regimes, regime_probabilities
from impact.order_flow.volatility import PricePoint, realised_volatility, two_scales_volatility

SECOND = 1_000_000_000


def walk(seed, count=7_200, step=1e-4, noise=0.0):
    """Log price of a random walk by the second, seen with a bounce of its own each time."""
    chance, value, points = Random(seed), 0.0, []
    for second in range(count):
        value += chance.gauss(0.0, step)
        points.append(PricePoint(second * SECOND, 100 * exp(value + chance.choice((noise, -noise)))))
    return points


def test_volatility_is_the_same_over_every_horizon_of_a_random_walk():
    points = walk(1)
    true_pct = 100 * 1e-4 * sqrt(3_600)
    for step_s in (1, 5, 30):
        error = true_pct / sqrt(2 * len(points) / step_s)
        assert realised_volatility(points, step_s * SECOND) == pytest.approx(true_pct, abs=3.5 * error)


def test_the_bounce_between_bid_and_ask_is_no_volatility_for_two_scales():
    points = walk(2, noise=3e-4)
    true_pct = 100 * 1e-4 * sqrt(3_600)
    assert realised_volatility(points, SECOND) > 3 * true_pct
    assert two_scales_volatility(points, SECOND, 60) == pytest.approx(true_pct, rel=0.25)


def test_two_scales_agree_with_one_where_nothing_bounces():
    points = walk(3)
    plain = realised_volatility(points, SECOND)
    assert two_scales_volatility(points, SECOND, 10) == pytest.approx(plain, rel=0.1)


def test_prices_between_steps_are_the_last_that_were_seen():
    points = [PricePoint(0, 100.0), PricePoint(15, 101.0), PricePoint(30, 102.0)]
    once = realised_volatility(points, 10)
    # At 0, 10, 20, 30 the last prices are 100, 100, 101, 102.
    at_steps = [PricePoint(at, px) for at, px in ((0, 100.0), (10, 100.0), (20, 101.0), (30, 102.0))]
    assert once == realised_volatility(at_steps, 10)


def test_too_short_a_time_has_no_volatility():
    assert realised_volatility([], 1) is None
    assert realised_volatility([PricePoint(0, 1.0), PricePoint(5, 1.0)], 10) is None
    assert two_scales_volatility([PricePoint(at, 1.0 + at) for at in range(10)], 1, 10) is None
    assert two_scales_volatility([PricePoint(at, 1.0 + at % 2) for at in range(10)], 1, 2) is None
    for wrong in ([PricePoint(1, 1.0), PricePoint(0, 1.0)], [PricePoint(0, 0.0)]):
        with pytest.raises(ValueError, match=r"prices|time"):
            realised_volatility(wrong, 1)
    with pytest.raises(ValueError, match="step"):
        realised_volatility([], 0)
    with pytest.raises(ValueError, match="two steps"):
        two_scales_volatility([], 1, 1)


def test_hasbrouck_1991_finds_what_a_trade_tells():
    """Moves answer the surprise of a trade alone; sides follow each other with correlation 0.3, news has sd 2."""
    chance, sides = Random(4), [1.0]
    for _ in range(8_000):
        sides.append(sides[-1] if chance.random() < 0.65 else -sides[-1])
    surprises = [sides[0], *(now - 0.3 * before for before, now in pairwise(sides))]
    moves = [one + chance.gauss(0.0, 2.0) for one in surprises]
    found = trade_information(moves, sides, lags=5)
    assert found.permanent == pytest.approx(1.0, abs=0.2)
    assert found.share == pytest.approx(0.185336, abs=0.06)


def test_moves_without_a_trade_in_them_tell_nothing():
    chance = Random(5)
    sides = [chance.choice((1.0, -1.0)) for _ in range(3_000)]
    found = trade_information([chance.gauss(0.0, 1.0) for _ in sides], sides, lags=3)
    assert found.permanent == pytest.approx(0.0, abs=0.15)
    assert found.share < 0.02


def test_an_autoregression_needs_trades_that_differ():
    with pytest.raises(ValueError, match="too few"):
        trade_information([0.0] * 5, [1.0] * 5)
    with pytest.raises(ValueError, match="zeros"):
        trade_information([float(i % 7) for i in range(100)], [1.0] * 100)


def two_states(seed, count=600):
    """Calm and wild by turns: staying with probability 0.97, means 0 and 3, deviations 1 and 1.5; and a second
    feature."""
    chance, state, states, rows = Random(seed), 0, [], []
    for _ in range(count):
        state = state if chance.random() < 0.97 else 1 - state
        states.append(state)
        rows.append((chance.gauss(3.0 * state, 1.0 + 0.5 * state), chance.gauss(-state, 1.0)))
    return states, rows


def test_regimes_are_recovered():
    states, rows = two_states(6)
    found = fit_regimes(rows, 2)
    assert found.settled
    assert [means[0] for means in found.means] == pytest.approx([0.0, 3.0], abs=0.25)
    assert [sqrt(one[0]) for one in found.variances] == pytest.approx([1.0, 1.5], abs=0.25)
    assert found.moves[0][0] == pytest.approx(0.97, abs=0.025)
    guessed = [row.index(max(row)) for row in regime_probabilities(found, rows)]
    assert sum(a == b for a, b in zip(guessed, states, strict=True)) > 0.95 * len(states)


def test_each_round_is_at_least_as_likely_as_the_one_before():
    _, rows = two_states(7, 150)
    reached = [fit_regimes(rows, 3, rounds_max=rounds).log_likelihood for rounds in range(1, 12)]
    assert reached == sorted(reached)
    assert reached[-1] > reached[0]


def test_three_regimes_are_probabilities_in_order():
    _, rows = two_states(8, 200)
    found = fit_regimes(rows, 3)
    assert [means[0] for means in found.means] == sorted(means[0] for means in found.means)
    assert sum(found.start) == pytest.approx(1)
    for row in (*found.moves, *regime_probabilities(found, rows)):
        assert sum(row) == pytest.approx(1)
        assert min(row) >= 0


def test_the_same_regimes_come_from_the_same_observations():
    _, rows = two_states(9, 100)
    assert fit_regimes(rows) == fit_regimes(list(rows))


@pytest.mark.parametrize("wrong", [[(0.0,)] * 9, [(1.0,)] * 40, [(float("nan"),)] * 40, [()] * 40])
def test_what_has_no_regimes_is_refused(wrong):
    with pytest.raises(ValueError, match=r"few|vary|features"):
        fit_regimes(wrong)


def test_a_number_of_regimes_has_bounds():
    _, rows = two_states(1, 100)
    for states in (1, 5):
        with pytest.raises(ValueError, match="2 to 4"):
            fit_regimes(rows, states)
    with pytest.raises(ValueError, match="features of the fit"):
        regime_probabilities(fit_regimes(rows), [(1.0,)])


def test_regimes_agree_with_hmmlearn_where_it_is_installed():
    """Both climb the same likelihood from the same beginning, so they end in the same place."""
    pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed (the extra `regime`)")
    from backtest.flow import fit_by_hmmlearn

    _, rows = two_states(6)
    ours, theirs = fit_regimes(rows, 2), fit_by_hmmlearn(rows, 2)
    assert theirs.log_likelihood == pytest.approx(ours.log_likelihood, rel=1e-6)
    for name in ("means", "variances", "moves"):
        for one, other in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert one == pytest.approx(other, abs=1e-2)
