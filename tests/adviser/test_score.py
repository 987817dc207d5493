"""What predictions and advice were worth, against closed forms worked out by hand."""

import pytest

from executor.advice.score import AdviceScore, AdvisedPeriod, ImpactScore, add_impact, add_period, value_add
from executor.domain.orders import Category, Side
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
        usual_cost_bps=D(0),
        bill=D(0),
    )
    return AdvisedPeriod(**{**usual, **over})


def test_doing_what_the_schedule_does_is_worth_nothing():
    assert value_add(period()) == 0
    assert value_add(period(side=Side.SELL)) == 0


@pytest.mark.parametrize(("side", "value"), [(Side.BUY, 2), (Side.SELL, -2)])
def test_trading_earlier_in_a_rising_market_is_worth_the_rise_to_a_buyer(side, value):
    assert value_add(period(side=side, cum_value=D(200))) == value  # both at 100 instead of 100 and 102


def test_what_was_not_done_is_marked_where_the_schedule_takes_over():
    assert value_add(period(cum_qty=D(0), cum_value=D(0))) == -2  # bought later at 102: 204 instead of 202
    assert value_add(period(cum_qty=D(3), cum_value=D(300))) == 4  # 306 - 300, less the schedule's 2


def test_costs_of_both_sides_count():
    assert value_add(period(fees=D("0.1"), usual_cost_bps=D(10), bill=D("0.02"))) == D(
        "0.082"
    )  # 0.202 - 0.12


def test_inverse_contracts_pay_in_coin():
    coins = dict(
        category=Category.INVERSE, schedule_qty=D(200), cum_qty=D(200), start_px=D(100), end_px=D(200)
    )
    early = period(**coins, schedule_value=D("1.5"), cum_value=D(2))  # 100 at 100 and 100 at 200; all at 100
    assert value_add(early) == 50  # half a coin, at 100
    assert value_add(period(**{**coins, "cum_qty": D(100)}, schedule_value=D("1.5"), cum_value=D(1))) == 0
    assert value_add(period(**coins, side=Side.SELL, schedule_value=D("1.5"), cum_value=D(2))) == -50


def test_the_score_weighs_by_value_and_knows_how_sure_it_is():
    score = AdviceScore()
    assert (score.value_bps, score.standard_error_bps) == (None, None)
    add_period(score, period(cum_value=D(200)))
    assert score.standard_error_bps is None
    add_period(score, period(cum_value=D(204)))
    assert (score.count, score.value_sum, score.value_bps) == (2, 0, 0)
    each = 2 / D(202) * 10_000
    assert score.standard_error_bps == each.quantize(D("0.0001"))  # of +x and -x it is x


def test_a_period_of_nothing_counts_its_bill_only():
    score = AdviceScore()
    nothing = dict(schedule_qty=D(0), schedule_value=D(0), cum_qty=D(0), cum_value=D(0))
    add_period(score, period(**nothing, bill=D("0.3")))
    assert (score.count, score.value_sum, score.value_bps) == (0, D("-0.3"), None)
    add_period(score, period())
    assert score.value_bps == (D("-0.3") / 202 * 10_000).quantize(D("0.0001"))


def test_predictions_are_compared_with_what_came():
    score = ImpactScore()
    assert (score.mean_error_bps, score.mean_distance_bps, score.scale, score.coverage_pct) == (None,) * 4
    add_impact(score, predicted_bps=D(4), low_bps=D(2), high_bps=D(8), realised_bps=D(6))
    add_impact(score, predicted_bps=D(6), low_bps=D(3), high_bps=D(12), realised_bps=D(-3))
    add_impact(score, predicted_bps=D(2), low_bps=None, high_bps=D(5), realised_bps=D(3))
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
