"""What predictions and advice were worth, against closed forms worked out by hand."""

import pytest

from executor.advice.score import (
    USUAL_FILLS_MIN,
    AdviceScore,
    AdvisedPeriod,
    CostSource,
    ImpactScore,
    UsualCost,
    add_bill,
    add_impact,
    add_period,
    add_usual,
    usual_cost,
    value_add,
)
from executor.domain.orders import Category, Side
from executor.domain.units import Money
from tests.builders import D


def period(**over):
    usual = dict(
        side=Side.BUY,
        category=Category.LINEAR,
        schedule_qty=D(2),
        schedule_value=D(202),  # 1 at 100 and 1 at 102
        cum_qty=D(2),
        cum_value=D(202),
        fees=D(0),
        start_px=D(100),
        end_px=D(102),
        spread_bps=D(4),
        bill=D(0),
    )
    return AdvisedPeriod(**{**usual, **over})


def test_doing_what_the_schedule_does_is_worth_nothing():
    assert value_add(period(), D(0)) == 0
    assert value_add(period(side=Side.SELL), D(0)) == 0


@pytest.mark.parametrize(("side", "value"), [(Side.BUY, 2), (Side.SELL, -2)])
def test_trading_earlier_in_a_rising_market_is_worth_the_rise_to_a_buyer(side, value):
    assert value_add(period(side=side, cum_value=D(200)), D(0)) == value  # both at 100 instead of 100 and 102


def test_what_was_not_done_is_marked_where_the_schedule_takes_over():
    assert (
        value_add(period(cum_qty=D(0), cum_value=D(0)), D(0)) == -2
    )  # bought later at 102: 204 instead of 202
    assert value_add(period(cum_qty=D(3), cum_value=D(300)), D(0)) == 4  # 306 - 300, less the schedule's 2


def test_what_trading_costs_is_compared_with_what_it_usually_costs():
    # 10 bps of the 202 that were traded are 0.202; 0.1 of fees and 0.02 of bill come off.
    assert value_add(period(fees=D("0.1"), bill=D("0.02")), D(10)) == D("0.082")
    # Nothing was traded: no cost was spared either, the schedule still has it before it.
    idle = period(cum_qty=D(0), cum_value=D(0), end_px=D(101), bill=D("0.02"))
    assert value_add(idle, D(10)) == D("-0.02")  # two due at 101 on average, marked at 101


def test_inverse_contracts_pay_in_coin():
    coins = dict(
        category=Category.INVERSE, schedule_qty=D(200), cum_qty=D(200), start_px=D(100), end_px=D(200)
    )
    early = period(**coins, schedule_value=D("1.5"), cum_value=D(2))  # 100 at 100 and 100 at 200; all at 100
    assert value_add(early, D(0)) == 50  # half a coin, at 100
    assert (
        value_add(period(**{**coins, "cum_qty": D(100)}, schedule_value=D("1.5"), cum_value=D(1)), D(0)) == 0
    )
    assert value_add(period(**coins, side=Side.SELL, schedule_value=D("1.5"), cum_value=D(2)), D(0)) == -50


def test_the_score_weighs_by_value_and_knows_how_sure_it_is():
    score = AdviceScore()
    assert (score.value_bps(D(0)), score.standard_error_bps(D(0)), score.touch_cost_bps) == (None, None, None)
    add_period(score, period(cum_value=D(200)))
    assert score.standard_error_bps(D(0)) is None
    add_period(score, period(cum_value=D(204)))
    assert (score.count, score.value(D(0))) == (2, 0)
    assert score.value_bps(D(0)) == 0
    # Values +2 and -2 of 202 and 204: sqrt(2 / 1 * (4 + 4)) = 4 of 406.
    assert score.standard_error_bps(D(0)) == (4 / D(406) * 10_000).quantize(D("0.0001"))


@pytest.mark.parametrize("usual", ["0", "3.5", "-2"])
def test_the_usual_cost_may_be_known_later(usual):
    """The sums give, for any usual cost, what reckoning period by period with it gives."""
    c = D(usual)
    lives = [
        period(cum_value=D(200), fees=D("0.02")),
        period(cum_qty=D(1), cum_value=D(103), bill=D("0.01")),
        period(side=Side.SELL, schedule_qty=D(1), schedule_value=D(100), cum_qty=D(3), cum_value=D(301)),
        period(schedule_qty=D(1), schedule_value=D(101), cum_qty=D(0), cum_value=D(0)),
    ]
    score = AdviceScore()
    for life in lives:
        add_period(score, life)
    values = [value_add(life, c) for life in lives]
    sizes = [max(life.schedule_value, life.cum_value) for life in lives]
    assert score.value(c) == sum(values)
    assert score.value_bps(c) == (sum(values) / sum(sizes) * 10_000).quantize(D("0.0001"))
    # Of another base: the same money over that, and so is its error.
    base = Money(sum(sizes) * 4)
    assert abs(score.value_bps(c, base) * 4 - score.value_bps(c)) < D("0.001")
    assert abs(score.standard_error_bps(c, base) * 4 - score.standard_error_bps(c)) < D("0.001")
    ratio = sum(values) / sum(sizes)
    squares = sum((v - ratio * size) ** 2 for v, size in zip(values, sizes, strict=True))
    error = (squares * 4 / 3).sqrt() / sum(sizes) * 10_000
    assert score.standard_error_bps(c) == error.quantize(D("0.0001"))


def test_a_period_of_nothing_counts_its_bill_only_as_does_a_bill_alone():
    score = AdviceScore()
    nothing = dict(schedule_qty=D(0), schedule_value=D(0), cum_qty=D(0), cum_value=D(0))
    add_period(score, period(**nothing, bill=D("0.3")))
    assert (score.count, score.value(D(0)), score.value_bps(D(0))) == (0, D("-0.3"), None)
    add_bill(score, D("0.1"))
    add_period(score, period())
    assert score.value_bps(D(0)) == (D("-0.4") / 202 * 10_000).quantize(D("0.0001"))


def test_the_usual_cost_is_measured_or_else_the_touch():
    usual, score = UsualCost(), AdviceScore()
    assert usual_cost(usual, score) == (None, CostSource.TOUCH)
    add_period(score, period(fees=D("0.0202")))
    assert usual_cost(usual, score) == (D(3), CostSource.TOUCH)  # half of 4 bps, and fees of 1 bp
    add_usual(usual, cost=D("-0.02"), traded=D(100))
    for number in range(1, USUAL_FILLS_MIN):
        assert usual_cost(usual, score) == (D(3), CostSource.TOUCH), f"{number} are too few"
        add_usual(usual, cost=D("0.03"), traded=D(100))
    # -0.02 and four times 0.03 of five times 100
    assert usual_cost(usual, score) == (D(2), CostSource.MEASURED)


def test_predictions_are_compared_with_what_came():
    score = ImpactScore()
    assert (score.mean_predicted_bps, score.mean_realised_bps) == (None, None)
    assert (score.mean_error_bps, score.mean_distance_bps, score.scale, score.coverage_pct) == (None,) * 4
    add_impact(score, predicted_bps=D(4), low_bps=D(2), high_bps=D(8), realised_bps=D(6))
    add_impact(score, predicted_bps=D(6), low_bps=D(3), high_bps=D(12), realised_bps=D(-3))
    add_impact(score, predicted_bps=D(2), low_bps=None, high_bps=D(5), realised_bps=D(3))
    assert (score.mean_predicted_bps, score.mean_realised_bps) == (4, 2)
    assert score.mean_error_bps == -2  # (2 - 9 + 1) / 3
    assert score.mean_distance_bps == 4
    assert score.scale == D("0.5")  # 6 of 12: a negative one is not left out
    assert score.coverage_pct == 50
    assert (score.count, score.ranged, score.inside) == (3, 2, 1)


def test_the_edges_of_a_range_belong_to_it():
    score = ImpactScore()
    for realised in (D(2), D(8), D("8.0001")):
        add_impact(score, predicted_bps=D(4), low_bps=D(2), high_bps=D(8), realised_bps=realised)
    assert score.inside == 2
