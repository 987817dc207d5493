"""What was put into simulated orders is found again, within the errors that are told; where nothing was, nothing is."""

from dataclasses import replace
from math import exp, fsum, log
from random import Random

import pytest

from impact.estimation.metaorders import synthetic_metaorders, with_mids
from impact.estimation.observed import Observed, newest
from impact.estimation.size_law import fit_factor, fit_size_law
from impact.estimation.two_parts import fit_two_parts
from impact.estimation.wearing_off import fit_recovery, fit_slow_decay
from impact.order_flow.prints import Print
from impact.protocol import Pace
from tests.impact.made_orders import (
    SECOND,
    TAPE_PACE,
    athl_orders,
    linear_tape,
    linear_tape_factor,
    recovering,
    size_law_orders,
    slowly_decaying,
    wearing_orders,
)


def test_square_root_law_is_recovered_from_20_000_orders():
    orders = size_law_orders(1)
    law = fit_size_law(orders)
    assert abs(law.factor - 0.9) < 3 * law.factor_error
    assert abs(law.exponent - 0.5) < 3 * law.exponent_error
    assert law.factor_error < 0.1
    assert law.exponent_error < 0.02
    assert law.misfit < 2.0
    given = fit_factor(orders, 0.5)
    assert abs(given.factor - 0.9) < 3 * given.factor_error < 0.1


def test_logarithms_of_the_positive_impacts_would_double_the_factor():
    """The negative control: the same orders, the regression of logarithms that drops what is below zero."""
    positive = [(log(one.size), log(one.peak)) for one in size_law_orders(1) if one.peak > 0]
    count = len(positive)
    mean_x, mean_y = (fsum(column) / count for column in zip(*positive, strict=True))
    slope = fsum((x - mean_x) * (y - mean_y) for x, y in positive) / fsum(
        (x - mean_x) ** 2 for x, _ in positive
    )
    assert exp(mean_y - slope * mean_x) / 0.9 == pytest.approx(2.1, abs=0.25)


def test_told_errors_are_how_far_the_law_varies():
    """Of 40 samples 38 are expected within 1.96 errors; 33 is where chance ends."""
    within = 0
    for seed in range(40):
        law = fit_size_law(size_law_orders(seed, 600, participation=1.0))
        within += abs(law.exponent - 0.5) < 1.96 * law.exponent_error
    assert within >= 33


def test_almgren_thum_hauptmann_li_2005_is_recovered_from_30_000_orders():
    parts = fit_two_parts(*athl_orders(2))
    assert abs(parts.gamma - 0.314) < 3 * parts.gamma_error
    assert abs(parts.eta - 0.142) < 3 * parts.eta_error
    assert parts.beta == pytest.approx(0.60, abs=0.04)
    assert abs(parts.beta - 0.6) < 3 * parts.beta_error


def test_almgren_chriss_2001_linear_coefficients_are_recovered():
    orders, _ = athl_orders(3, 5_000, gamma=1.5, eta=0.8, beta=1.0)
    bare = [replace(one, after=()) for one in orders]
    with pytest.raises(ValueError, match="0 orders that took time"):
        fit_two_parts(bare)
    flat, factors = athl_orders(3, 5_000, gamma=1.5, eta=0.8, beta=1.0)
    parts = fit_two_parts(flat, factors, beta=1.0)
    assert abs(parts.gamma - 1.5) < 3 * parts.gamma_error
    assert abs(parts.eta - 0.8) < 3 * parts.eta_error
    assert parts.beta_error == 0.0


def test_resilience_of_obizhaeva_wang_is_recovered():
    found = fit_recovery(wearing_orders(4, recovering(rho=200.0, lasting=1.0, passing=3.0)))
    assert abs(found.rho_per_day - 200.0) < 4 * found.rho_error < 60
    assert abs(found.lasting - 1.0) < 4 * found.lasting_error < 0.2
    assert abs(found.passing - 3.0) < 4 * found.passing_error < 0.2


def test_a_slow_decay_is_recovered():
    found = fit_slow_decay(wearing_orders(5, slowly_decaying(factor=0.3, power=0.4)))
    assert abs(found.power - 0.4) < 4 * found.power_error < 0.02
    assert abs(found.factor - 0.3) < 4 * found.factor_error < 0.02


def test_what_does_not_wear_off_has_no_resilience():
    for seed in (6, 7, 8):
        with pytest.raises(ValueError, match=r"wear off|bound"):
            fit_recovery(wearing_orders(seed, lambda size, _days, _since: 3.0 * size, count=300))


def test_orders_made_up_from_a_tape_show_the_impact_that_is_in_it():
    orders = synthetic_metaorders(linear_tape(7), TAPE_PACE, seed=1)
    law = fit_size_law(orders)
    assert abs(law.exponent - 1.0) < 3 * law.exponent_error < 0.3
    line = fit_factor(orders, 1.0)
    assert abs(line.factor - linear_tape_factor()) < 4 * line.factor_error
    assert line.factor_error < 0.1 * line.factor


def test_a_tape_with_shuffled_signs_shows_no_law():
    tape = linear_tape(8)
    signs = [one.sign for one in tape]
    Random(9).shuffle(signs)
    shuffled = [replace(one, sign=sign) for one, sign in zip(tape, signs, strict=True)]
    with pytest.raises(ValueError, match="told from noise"):
        fit_size_law(synthetic_metaorders(shuffled, TAPE_PACE, seed=1))


def test_made_up_orders_keep_quantity_side_and_time():
    """One trader: runs of one side are the orders; the first may have begun before, the last is cut off."""
    tape = [
        Print(SECOND * at, sign, 100.0, qty, 100.0 + at)
        for at, (sign, qty) in enumerate(
            [(1, 9.0), (-1, 1.0), (-1, 2.0), (1, 4.0), (1, 1.0), (1, 1.0), (-1, 7.0)]
        )
    ]
    first, second = synthetic_metaorders(tape, Pace(1.0, 10.0), seed=0, traders=1)
    assert [one.size * 240 for one in (first, second)] == pytest.approx([3.0, 6.0])
    assert [one.days * 86_400 for one in (first, second)] == pytest.approx([1.0, 2.0])
    unit = Pace(1.0, 10.0).volatility_daily_bps / 10_000
    assert first.peak == pytest.approx(-log(103 / 101) / unit)
    assert second.peak == pytest.approx(log(106 / 103) / unit)
    assert first.paid == pytest.approx(-log(100 / 101) / unit)
    assert [days * 86_400 for days, _ in first.after] == pytest.approx([0.25, 1.0])
    # The mid at an instant is the one before the next trade: 2.25 s is seen at 3 s, 3 s at 4 s.
    assert [move for _, move in first.after] == pytest.approx(
        [-log(103 / 101) / unit, -log(104 / 101) / unit]
    )
    assert second.after == ((pytest.approx(0.5 / 86_400), pytest.approx(log(106 / 103) / unit)),)


def test_the_draw_of_traders_depends_on_the_seed_alone():
    tape = linear_tape(10, 300)
    once, again, other = (synthetic_metaorders(tape, TAPE_PACE, seed) for seed in (1, 1, 2))
    assert once == again != other


def test_mids_are_halfway_between_the_last_prices_of_either_side():
    tape = [
        Print(0, 1, 101.0, 1.0),
        Print(1, -1, 99.0, 1.0),
        Print(2, 1, 103.0, 1.0),
        Print(3, 1, 1.0, 1.0, 7.0),
    ]
    assert [one.mid_px for one in with_mids(tape)] == [100.0, 7.0]
    with pytest.raises(ValueError, match="mid"):
        synthetic_metaorders(tape, TAPE_PACE, 1)
    with pytest.raises(ValueError, match="traders"):
        synthetic_metaorders([], TAPE_PACE, 1, traders=0)


def test_a_law_of_another_exponent_is_refused():
    with pytest.raises(ValueError, match=r"exponent 0\.2 does not fit"):
        fit_factor(size_law_orders(11, 4_000, factor=20.0), 0.2)


def test_orders_of_one_size_show_no_growth():
    same = [replace(one, size=0.01) for one in size_law_orders(11, 500, factor=5.0)]
    with pytest.raises(ValueError, match="about one size"):
        fit_size_law(same)


def test_few_orders_are_refused():
    with pytest.raises(ValueError, match="too few"):
        fit_size_law(size_law_orders(12, 49))
    with pytest.raises(ValueError, match="needed"):
        fit_recovery([])
    with pytest.raises(ValueError, match="one factor"):
        fit_two_parts(size_law_orders(12, 40), [1.0])


def test_the_window_holds_the_newest():
    orders = size_law_orders(13, 10)
    assert newest(list(reversed(orders)), 3) == orders[-3:]
    with pytest.raises(ValueError, match="window"):
        newest(orders, 0)


@pytest.mark.parametrize(
    "wrong", [{"size": 0.0}, {"days": -1.0}, {"peak": float("nan")}, {"after": ((1.0, float("inf")),)}]
)
def test_what_is_no_order_is_refused(wrong):
    with pytest.raises(ValueError, match=r"order|moves"):
        Observed(**{"ended_ns": 0, "size": 1.0, "days": 1.0, **wrong})
