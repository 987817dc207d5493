"""What own executions pay by a model: two thirds of the peak however an order is cut, and both sides alike."""

from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, isclose, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.displacement import Displacement, Execution, Pace, average_bps, estimate_paid
from impact.models import read_model
from impact.square_root import Y_HIGH, Y_LOW, Y_USUAL, SquareRoot, estimate

PIECES = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40)
PACES = st.builds(Pace, st.floats(0.001, 50), st.floats(0.01, 1e8))
FACTORS = st.floats(0.05, 5)


def executions(pieces, sign=1):
    return [Execution(number, sign * qty) for number, qty in enumerate(pieces)]


@given(PIECES, PACES, FACTORS)
def test_however_an_order_is_cut_it_pays_two_thirds_of_the_peak(pieces, pace, factor):
    whole = sum(pieces)
    peak = factor * pace.volatility_hourly_pct * 100 * sqrt(whole / pace.volume_hourly_qty)
    paid = average_bps(SquareRoot(factor), executions(pieces), pace, whole)
    assert isclose(paid, peak * 2 / 3, rel_tol=1e-9)
    assert isclose(paid, average_bps(SquareRoot(factor), executions([whole]), pace, whole), rel_tol=1e-9)


@given(PIECES, PACES, FACTORS)
def test_a_sale_pays_what_a_purchase_pays(pieces, pace, factor):
    model, whole = SquareRoot(factor), sum(pieces)
    bought, sold = executions(pieces), executions(pieces, -1)
    assert average_bps(model, bought, pace, whole) == average_bps(model, sold, pace, whole) > 0
    last = model.displaced(bought[:-1], bought[-1], pace)
    mirrored = model.displaced(sold[:-1], sold[-1], pace)
    assert mirrored == Displacement(-last.before_bps, -last.after_bps, -last.paid_bps)


@given(PIECES, PACES)
def test_each_execution_begins_where_the_one_before_ended_and_pays_in_between(pieces, pace):
    done = executions(pieces)
    steps = [SquareRoot().displaced(done[:number], own, pace) for number, own in enumerate(done)]
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
    pieces = [share * 500 * part for part in (0.1, 0.3, 0.05, 0.55)]
    done = executions(pieces)
    last = SquareRoot(factor).displaced(done[:-1], done[-1], Pace(volatility_pct, 500.0))
    assert isclose(last.after_bps, peak_bps, rel_tol=1e-5)


def test_by_hand():
    """Sigma 1 %, V 100: the first 1 goes from 0 to 10 bps and pays 2/3 of it, the next 3 go on to 20 and pay 15 5/9."""
    model, done = SquareRoot(1.0), executions([1, 3])
    pace = Pace(1.0, 100.0)
    first, second = model.displaced([], done[0], pace), model.displaced(done[:1], done[1], pace)
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


@dataclass(frozen=True)
class Resilience:
    """Linear impact that wears off (Obizhaeva and Wang, Journal of Financial Markets 16, 2013), as a further model."""

    decay_per_s: float
    bps_per_unit: float = 1.0
    name = "resilience"

    def displaced(self, earlier, own, pace):
        left = (one.signed_qty * exp(-self.decay_per_s * (own.at_ns - one.at_ns) / 1e9) for one in earlier)
        before = self.bps_per_unit * sum(left)
        after = before + self.bps_per_unit * own.signed_qty
        return Displacement(before, after, (before + after) / 2)

    def bounds(self):
        return self, self


@pytest.mark.parametrize(
    ("rho", "first", "middle", "cost"),
    [
        (0.5, 40_000.0, 20_000.0, 0.4),
        (2, 25_000.0, 50_000.0, 0.25),
        (10, 8_333.3333, 83_333.3333, 1 / 12),
        (20, 4_545.4545, 90_909.0909, 1 / 22),
    ],
)
def test_a_model_with_decay_fits_into_the_same_form(rho, first, middle, cost):
    """The best way to work an order in such a book is known: a block at either end and an even rate between them."""
    total, pieces = 100_000.0, 1_000
    sizes = [first, *[middle / pieces] * pieces, first]
    times = [0, *(int((n + 0.5) / pieces * 1e9) for n in range(pieces)), 1_000_000_000]
    done = [Execution(at_ns, qty) for at_ns, qty in zip(times, sizes, strict=True)]
    paid = average_bps(Resilience(rho), done, Pace(1.0, 1.0), total)
    assert isclose(paid / total, cost, rel_tol=1e-4)


def test_names_are_read_and_written_back():
    assert read_model("none") is None
    assert read_model("square-root") == SquareRoot(Y_USUAL)
    model = read_model("square-root:1.25")
    assert model == SquareRoot(1.25)
    assert read_model(model.name) == model


@pytest.mark.parametrize(
    "text",
    ["", "linear", "square-root:", "square-root:0", "square-root:-1", "square-root:nan", "square-root:1e3",
     "square-root:11", "None", "square-root:1:2", "square-root:1..2"],
)  # fmt: skip
def test_a_name_that_means_nothing_is_refused(text):
    with pytest.raises(ValueError, match="square-root:FACTOR"):
        read_model(text)


@pytest.mark.parametrize("pace", [(nan, 1), (1, inf), (0, 1), (1, 0), (-1, 1)])
def test_a_market_of_which_nothing_is_known_is_none(pace):
    with pytest.raises(ValueError, match="above zero"):
        Pace(*pace)


def test_nonsense_is_refused():
    pace = Pace(1.0, 1.0)
    with pytest.raises(ValueError, match="order of time"):
        average_bps(SquareRoot(), [Execution(2, 1.0), Execution(1, 1.0)], pace, 2)
    with pytest.raises(ValueError, match="one side"):
        average_bps(SquareRoot(), [Execution(1, 1.0), Execution(2, -1.0)], pace, 2)
    for qty in (0.0, nan, inf):
        with pytest.raises(ValueError, match="has a quantity"):
            Execution(1, qty)
    for factor in (0.0, -1.0, nan):
        with pytest.raises(ValueError, match="above zero"):
            SquareRoot(factor)
