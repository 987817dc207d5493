"""Scores of forecasts: intervals that hold what they promise are told to, and others are not."""

from dataclasses import replace
from random import Random

import pytest

from impact.scoring import Forecast, calibration_bins, coverage, split_by_time, widening
from impact.scoring import score as score_parts

Z90 = 1.6448536


def score(forecasts, promised=0.9, fit_share=0.5):
    return score_parts(*split_by_time(forecasts, lambda one: one.at_ns, fit_share), promised)


def forecasts(seed, count=400, slope=1.0, noise=1.0, heavy=False):
    """Realised cost is slope times the prediction and noise times the risk that was foretold."""
    chance, made = Random(seed), []
    for number in range(count):
        predicted, risk = chance.uniform(0.5, 20.0), chance.uniform(5.0, 20.0)
        draw = chance.gauss(0.0, 1.0)
        if heavy:
            draw /= (chance.gammavariate(1.5, 1.0) / 1.5) ** 0.5
        made.append(
            Forecast(
                name=str(number),
                at_ns=number,
                predicted_bps=predicted,
                low_bps=predicted - Z90 * risk,
                high_bps=predicted + Z90 * risk,
                realised_bps=slope * predicted + noise * risk * draw,
            )
        )
    return made


def test_honest_forecasts_hold():
    seen = score(forecasts(1, 2_000))
    assert seen.plain.holds
    assert seen.widened.holds
    assert seen.widening == pytest.approx(1.0, abs=0.1)
    assert abs(seen.bias_bps) < 3 * seen.bias_error_bps
    constant, slope = seen.line.coefficients
    assert abs(slope - 1.0) < 3 * seen.line.standard_errors[1]
    assert abs(constant) < 3 * seen.line.standard_errors[0]
    assert (seen.fitted, seen.plain.count) == (1_000, 1_000)


def test_a_risk_told_too_small_is_seen_and_widened():
    seen = score(forecasts(2, noise=2.5))
    assert not seen.plain.holds
    assert seen.plain.share < 0.6
    assert seen.widened.holds
    assert seen.widening == pytest.approx(2.5, rel=0.2)


def test_heavy_tails_are_covered_too():
    assert score(forecasts(3, heavy=True)).widened.holds


def test_costs_that_are_twice_the_prediction_are_seen():
    seen = score(forecasts(4, 2_000, slope=2.0))
    assert seen.bias_bps > 4 * seen.bias_error_bps
    assert abs(seen.line.coefficients[1] - 2.0) < 3 * seen.line.standard_errors[1]


def test_later_orders_teach_nothing_about_the_widening():
    ones = forecasts(5)
    spoiled = [replace(one, realised_bps=1e6) if one.at_ns >= 200 else one for one in ones]
    assert score(spoiled).widening == score(ones).widening
    assert score(spoiled).widened.share == 0.0


def test_orders_of_one_instant_are_not_parted():
    together = [replace(one, at_ns=one.at_ns // 150) for one in forecasts(6)]
    assert score(together).fitted == 300


def test_a_widened_interval_holds_a_further_order():
    """Over many small samples the promise is kept on average, whatever the tails."""
    held = 0
    for seed in range(300):
        *known, further = forecasts(100 + seed, 40, heavy=True)
        held += further.reach <= widening(known, 0.8)
    assert held / 300 == pytest.approx(0.8, abs=0.07)


def test_each_side_of_an_interval_counts_by_itself():
    one = Forecast(name="x", at_ns=0, predicted_bps=2.0, low_bps=1.0, high_bps=6.0, realised_bps=4.0)
    assert one.reach == 0.5
    assert replace(one, realised_bps=0.0).reach == 2.0


def test_bins_are_in_order_with_their_errors():
    bins = calibration_bins(forecasts(7), 5)
    assert [one.count for one in bins] == [80] * 5
    assert [one.predicted_bps for one in bins] == sorted(one.predicted_bps for one in bins)
    assert all(abs(one.realised_bps - one.predicted_bps) < 4 * one.error_bps for one in bins)


def test_coverage_counts_and_its_bounds_are_wilsons():
    some = [
        replace(one, realised_bps=one.predicted_bps + (at >= 81) * 1e9)
        for at, one in enumerate(forecasts(8, 90))
    ]
    seen = coverage(some, 0.9)
    assert (seen.inside, seen.count, seen.share) == (81, 90, 0.9)
    # R: prop.test(81, 90, correct = FALSE)
    assert (seen.low, seen.high) == pytest.approx((0.8208, 0.9464), abs=2e-4)
    assert seen.holds


def test_predictions_that_are_all_the_same_have_no_line():
    assert (
        score([replace(one, predicted_bps=3.0, low_bps=-30.0, high_bps=40.0) for one in forecasts(9)]).line
        is None
    )


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: coverage([], 0.9), "no order"),
        (lambda: widening(forecasts(1, 8), 0.9), "too few"),
        (lambda: widening(forecasts(1, 8), 1.0), "share"),
        (lambda: score(forecasts(1, 12)), "too few"),
        (lambda: score(forecasts(1, 8)), "too few"),
        (lambda: score(forecasts(1), fit_share=1.0), "share"),
        (lambda: calibration_bins(forecasts(1, 4)), "too few"),
        (lambda: replace(forecasts(1)[0], low_bps=99.0), "within its interval"),
        (lambda: score_parts(forecasts(1)[200:], forecasts(1)[:200]), "comes after"),
        (lambda: replace(forecasts(1)[0], realised_bps=float("nan")), "finite"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, why):
    with pytest.raises(ValueError, match=why):
        call()
