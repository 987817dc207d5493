"""What every model of impact must do: both sides alike, units without a meaning, nothing that cutting changes."""

from itertools import pairwise
from math import inf, isclose, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.almgren_chriss import AlmgrenChriss
from impact.hybrid import Hybrid
from impact.kyle import Kyle
from impact.pre_trade import average_bps, estimate_paid
from impact.protocol import Displacement, Execution, Pace
from impact.square_root import Y_HIGH, Y_LOW, Y_USUAL, SquareRoot, estimate
from tests.impact.laws import MODELS, NS_PER_MIN, ONE_SIDED, PACES, TWO_SIDED, UNSPLIT, evenly, plans

PIECES = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40)
FACTORS = st.floats(0.05, 5)
HOUR_NS = 60 * NS_PER_MIN


def executions(pieces, sign=1):
    return [Execution(number, sign * qty) for number, qty in enumerate(pieces)]


def mirrored(done):
    return [Execution(one.at_ns, -one.signed_qty, one.over_ns) for one in done]


def total(done):
    return sum(abs(one.signed_qty) for one in done)


@given(plans(), PACES)
def test_a_sale_pays_what_a_purchase_pays(bought, pace):
    for model in MODELS:
        sold = mirrored(bought)
        assert (
            average_bps(model, bought, pace, total(bought)) == average_bps(model, sold, pace, total(sold)) > 0
        )
        for up, down in zip(model.along(bought, pace), model.along(sold, pace), strict=True):
            assert down == Displacement(-up.before_bps, -up.after_bps, -up.paid_bps)
        later_ns = bought[-1].end_ns + HOUR_NS
        assert model.remaining_bps(bought, pace, later_ns) == -model.remaining_bps(sold, pace, later_ns) >= 0


@given(plans(), PACES, st.sampled_from([0.001, 0.1, 1000.0]))
def test_shares_or_lots_make_no_difference(done, pace, lot):
    for model in MODELS:
        in_lots = [Execution(one.at_ns, one.signed_qty / lot, one.over_ns) for one in done]
        lots_pace = Pace(pace.volatility_hourly_pct, pace.volume_hourly_qty / lot)
        assert isclose(
            average_bps(model, done, pace, total(done)),
            average_bps(model, in_lots, lots_pace, total(in_lots)),
            rel_tol=1e-9,
        )


@given(plans(), PACES, st.floats(0.1, 0.9), st.data())
def test_cutting_an_execution_in_two_changes_no_cost(done, pace, share, data):
    number = data.draw(st.integers(0, len(done) - 1))
    own, whole = done[number], total(done)
    first_ns = round(own.over_ns * share)
    qty = own.signed_qty * (first_ns / own.over_ns if own.over_ns else share)
    cut = [
        Execution(own.at_ns, qty, first_ns),
        Execution(own.at_ns + first_ns, own.signed_qty - qty, own.over_ns - first_ns),
    ]
    again = [*done[:number], *cut, *done[number + 1 :]]
    for model in UNSPLIT:
        if (
            isinstance(model, AlmgrenChriss | Hybrid)
            and 0 < min(first_ns, own.over_ns - first_ns) < NS_PER_MIN
        ):
            continue  # what is shorter than the window has the speed of its window
        # A cut of ten seconds in a day is told by the difference of integrals over the day: not to the last digit.
        assert isclose(
            average_bps(model, done, pace, whole), average_bps(model, again, pace, whole), rel_tol=1e-6
        )
        later_ns = done[-1].end_ns
        assert isclose(
            model.remaining_bps(done, pace, later_ns),
            model.remaining_bps(again, pace, later_ns),
            rel_tol=1e-6,
        )


@given(st.integers(1, 30), PACES)
def test_an_auction_charges_less_where_an_order_is_cut_and_says_by_how_much(count, pace):
    whole = average_bps(Kyle(factor=1.0), [Execution(0, 6.0)], pace, 6.0)
    cut = average_bps(Kyle(factor=1.0), executions([6.0 / count] * count), pace, 6.0)
    assert isclose(cut, whole * (1 + 1 / count) / 2, rel_tol=1e-9)


@given(plans(), PACES)
def test_volatility_twice_as_great_costs_twice_as_much(done, pace):
    for model in MODELS:
        wild = Pace(pace.volatility_hourly_pct * 2, pace.volume_hourly_qty)
        one, two = (average_bps(model, done, each, total(done)) for each in (pace, wild))
        assert isclose(two, 2 * one, rel_tol=1e-9)


@given(plans(), PACES)
def test_the_range_holds_the_estimate(done, pace):
    for model in MODELS:
        found = estimate_paid(model, done, pace, total(done))
        assert found.low_bps < found.estimate_bps * (1 + 1e-12)
        assert found.estimate_bps < found.high_bps * (1 + 1e-12)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.name)
def test_the_displacement_wears_off_and_begins_where_the_order_ended(model):
    done, pace = evenly(50.0, 30), Pace(0.6, 1_000.0)
    end_ns = done[-1].end_ns
    at_end = model.remaining_bps(done, pace, end_ns)
    assert isclose(at_end, model.along(done, pace)[-1].after_bps, rel_tol=1e-9)
    left = [
        model.remaining_bps(done, pace, end_ns + hours * HOUR_NS) for hours in (0, 0.01, 0.5, 1, 10, 1000)
    ]
    assert all(-1e-9 <= later <= one + 1e-9 for one, later in pairwise(left))
    assert model.remaining_bps([], pace, 0) == 0
    assert model.along([], pace) == []
    with pytest.raises(ValueError, match="after the last execution"):
        model.remaining_bps(done, pace, end_ns - 1)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.name)
def test_time_that_goes_back_is_refused(model):
    for done in (executions([1, 1])[::-1], [Execution(0, 1.0, 10), Execution(9, 1.0)]):
        with pytest.raises(ValueError, match="order of time"):
            average_bps(model, done, Pace(1.0, 1.0), 2)


@pytest.mark.parametrize("model", ONE_SIDED, ids=lambda one: one.name)
def test_a_law_of_orders_of_one_side_prices_no_round_trip(model):
    with pytest.raises(ValueError, match="one side"):
        average_bps(model, [Execution(1, 1.0), Execution(2, -1.0)], Pace(1.0, 1.0), 2)


@pytest.mark.parametrize("model", TWO_SIDED, ids=lambda one: one.name)
def test_who_buys_and_sells_pays(model):
    trip = [*evenly(5.0, 10), *evenly(5.0, 3, -1, 10 * NS_PER_MIN)]
    steps = model.along(trip, Pace(1.0, 1_000.0))
    assert sum(own.signed_qty * step.paid_bps for own, step in zip(trip, steps, strict=True)) > 0


@given(PIECES, PACES, FACTORS)
def test_however_an_order_is_cut_it_pays_two_thirds_of_the_peak(pieces, pace, factor):
    whole = sum(pieces)
    peak = factor * pace.volatility_hourly_pct * 100 * sqrt(whole / pace.volume_hourly_qty)
    paid = average_bps(SquareRoot(factor), executions(pieces), pace, whole)
    assert isclose(paid, peak * 2 / 3, rel_tol=1e-9)
    assert isclose(paid, average_bps(SquareRoot(factor), executions([whole]), pace, whole), rel_tol=1e-9)


@given(PIECES, PACES)
def test_each_execution_begins_where_the_one_before_ended_and_pays_in_between(pieces, pace):
    steps = SquareRoot().along(executions(pieces), pace)
    assert steps[0].before_bps == 0
    for one, later in pairwise(steps):
        assert isclose(one.after_bps, later.before_bps, rel_tol=1e-12)
    assert all(one.before_bps < one.paid_bps < one.after_bps for one in steps)


@given(st.floats(0.001, 1e4), PACES)
def test_it_is_the_law_that_the_daemon_reckons_with_before_an_order(qty, pace):
    found = estimate_paid(SquareRoot(), executions([qty]), pace, qty)
    told = estimate(
        qty=qty,
        volatility_hourly_pct=pace.volatility_hourly_pct,
        volume_hourly_qty=pace.volume_hourly_qty,
    )
    for name in ("estimate_bps", "low_bps", "high_bps"):
        assert isclose(getattr(found, name), getattr(told, name), rel_tol=1e-9)


@pytest.mark.parametrize(
    ("volatility_pct", "share", "factor", "peak_bps"),
    [(2.0, 0.01, 1.0, 20.0), (2.0, 0.10, 1.0, 63.2456), (4.0, 0.001, 0.9, 11.3842)],
)
def test_known_peaks_are_reached_by_the_last_execution(volatility_pct, share, factor, peak_bps):
    done = executions([share * 500 * part for part in (0.1, 0.3, 0.05, 0.55)])
    last = SquareRoot(factor).along(done, Pace(volatility_pct, 500.0))[-1]
    assert isclose(last.after_bps, peak_bps, rel_tol=1e-5)


def test_by_hand():
    """Sigma 1 %, V 100: the first 1 goes from 0 to 10 bps and pays 2/3 of it, the next 3 go on to 20 and pay 15 5/9."""
    model, done = SquareRoot(1.0), executions([1, 3])
    pace = Pace(1.0, 100.0)
    first, second = model.along(done, pace)
    assert (first.after_bps, second.before_bps, second.after_bps) == pytest.approx((10, 10, 20))
    assert (first.paid_bps, second.paid_bps) == pytest.approx((20 / 3, 140 / 9))
    assert average_bps(model, done, pace, 4) == pytest.approx(40 / 3)
    assert average_bps(model, done, pace, 8) == pytest.approx(20 / 3), "what was not done has paid nothing"
    assert average_bps(model, [], pace, 8) == 0


def test_the_range_holds_the_factor_that_was_chosen():
    for factor in (0.1, Y_USUAL, 4.0):
        low, high = SquareRoot(factor).bounds()
        assert low.factor <= min(factor, Y_LOW)
        assert high.factor >= max(factor, Y_HIGH)
        assert low.factor in {factor, Y_LOW}
        assert high.factor in {factor, Y_HIGH}


def test_an_adviser_is_believed_by_a_weight_and_within_limits():
    done, pace = evenly(50.0, 30), Pace(0.6, 1_000.0)
    plain = estimate_paid(AlmgrenChriss(), done, pace, 50.0)
    for factor, weight, scale in ((2.0, 0.25, 1.25), (0.5, 1.0, 0.5), (2.0, 0.0, 1.0), (1.0, 0.7, 1.0)):
        found = estimate_paid(Hybrid(model=AlmgrenChriss(), factor=factor, weight=weight), done, pace, 50.0)
        assert found.estimate_bps == pytest.approx(scale * plain.estimate_bps)
        assert found.low_bps == pytest.approx(min(1.0, factor) * plain.low_bps)
        assert found.high_bps == pytest.approx(max(1.0, factor) * plain.high_bps)
    for factor, weight in ((0.49, 0.5), (2.01, 0.5), (nan, 0.5), (1.0, -0.1), (1.0, 1.1), (1.0, nan)):
        with pytest.raises(ValueError, match=r"adviser's factor|weight"):
            Hybrid(model=AlmgrenChriss(), factor=factor, weight=weight)


def test_speed_is_told_by_the_window_of_what_has_no_duration():
    """Six fills within a minute are as fast as the minute that holds them, on their net quantity."""
    pace, model = Pace(1.0, 1_000.0), AlmgrenChriss(gamma=0.0, eta=1.0, beta=1.0, window_s=60.0)
    spread = model.along([Execution(0, 6.0, NS_PER_MIN)], pace)[0].paid_bps
    fills = [Execution(number * 10_000_000_000, 1.0) for number in range(6)]
    assert [one.paid_bps for one in model.along(fills, pace)] == pytest.approx([spread] * 6)
    washed = [*fills[:3], *mirrored(fills[3:])]
    assert [one.paid_bps for one in model.along(washed, pace)] == [0.0] * 6


@pytest.mark.parametrize("pace", [(nan, 1), (1, inf), (0, 1), (1, 0), (-1, 1)])
def test_a_market_of_which_nothing_is_known_is_none(pace):
    with pytest.raises(ValueError, match="above zero"):
        Pace(*pace)


def test_nonsense_is_refused():
    for qty in (0.0, nan, inf):
        with pytest.raises(ValueError, match="has a quantity"):
            Execution(1, qty)
    with pytest.raises(ValueError, match="ends after it began"):
        Execution(1, 1.0, -1)
    for qty in (0.0, -1.0, nan):
        with pytest.raises(ValueError, match="what was ordered"):
            average_bps(SquareRoot(), [Execution(1, 1.0)], Pace(1.0, 1.0), qty)
    for factor in (0.0, -1.0, nan):
        with pytest.raises(ValueError, match="above zero"):
            SquareRoot(factor)
