"""No dynamic arbitrage: the violations of Gatheral, of Huberman and Stanzl, of Alfonsi, Schied and Slynko.

Costs are of one unit bought and sold in a market of unit volatility and volume; below zero a round trip earns.
"""

import itertools
from dataclasses import dataclass
from math import exp, log2, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.almgren_chriss import AlmgrenChriss
from impact.hybrid import Hybrid
from impact.kernel import ExponentialKernel, PowerKernel, best_trades, exponential_means
from impact.kyle import Kyle
from impact.models import build_model, read_model
from impact.obizhaeva_wang import ObizhaevaWang
from impact.propagator import Propagator
from impact.protocol import NS_PER_DAY, Execution, Pace
from impact.validator import (
    GAMMA_LEAST,
    UNIT_PACE,
    find_violation,
    refuse_arbitrage,
    round_trip_cost,
)
from tests.impact.laws import MODELS, TWO_SIDED


def two_legs(days, days_out):
    """Buy one evenly, then sell it evenly."""
    entry_ns = round(days * NS_PER_DAY)
    return [Execution(0, 1.0, entry_ns), Execution(entry_ns, -1.0, round(days_out * NS_PER_DAY))]


def blocks(count):
    return [*(Execution(number, 1.0) for number in range(count)), Execution(count, -float(count))]


def pulses(count, share, duty):
    """Buy one evenly within a day, sell it in short pulses within a share of a day."""
    apart_ns = round(share * NS_PER_DAY / count)
    burst_ns = max(1, round(apart_ns * duty))
    return [
        Execution(0, 1.0, NS_PER_DAY),
        *(
            Execution(NS_PER_DAY + (number + 1) * apart_ns - burst_ns, -1.0 / count, burst_ns)
            for number in range(count)
        ),
    ]


def propagator(kernel, delta):
    return Propagator(factor=1.0, kernel=kernel, delta=delta)


def test_exponential_decay_under_a_square_root_earns():
    trip = two_legs(1.0, 0.02)
    curved, straight = (propagator(ExponentialKernel(1.0), delta) for delta in (0.5, 1.0))
    assert round_trip_cost(curved, trip, UNIT_PACE) == pytest.approx(-0.18772022, abs=5e-9)
    assert round_trip_cost(straight, trip, UNIT_PACE) == pytest.approx(0.23872142, abs=5e-9)
    assert find_violation(curved).cost < 0
    assert find_violation(straight) is None


@pytest.mark.parametrize(("gamma", "cost"), [(0.3, -0.587959), (0.2, -0.929524), (0.5, 0.708330)])
def test_power_decay_under_a_square_root(gamma, cost):
    """Ten days in and a hundredth of a day out is the worst of two even legs with times between those."""
    model = propagator(PowerKernel(gamma), 0.5)
    assert round_trip_cost(model, two_legs(10.0, 0.01), UNIT_PACE) == pytest.approx(cost, abs=5e-7)
    grid = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
    least = min(round_trip_cost(model, two_legs(one, other), UNIT_PACE) for one in grid for other in grid)
    assert least == pytest.approx(cost, abs=5e-7)


@pytest.mark.parametrize(("count", "cost"), [(4, 2.0), (10, -13.377223), (50, -871.446609)])
def test_permanent_square_root_earns(count, cost):
    root, line = Kyle(factor=1.0, exponent=0.5), Kyle(factor=1.0)
    assert round_trip_cost(root, blocks(count), UNIT_PACE) == pytest.approx(cost, abs=5e-7)
    assert round_trip_cost(line, blocks(count), UNIT_PACE) == pytest.approx(count * (count + 1) / 2)
    assert find_violation(root).cost == pytest.approx(-13.377223, abs=5e-7)
    assert find_violation(line) is None


def test_permanent_impact_paid_halfway():
    """Paid at the middle of its own move, a linear one costs a round trip nothing and a square root earns."""
    line = AlmgrenChriss(gamma=1.0, eta=0.0)
    assert round_trip_cost(line, blocks(10), UNIT_PACE) == pytest.approx(0.0, abs=1e-9)
    root = Kyle(factor=1.0, exponent=0.5)
    steps = root.along(blocks(10), UNIT_PACE)
    halfway = sum(
        own.signed_qty * (step.before_bps + step.after_bps) / 2
        for own, step in zip(blocks(10), steps, strict=True)
    )
    assert halfway == pytest.approx(-34.188612, abs=5e-7)


def test_square_roots_that_two_even_legs_pass_are_caught_in_pulses():
    """With gamma = delta = 1/2 no two even legs earn; selling in twenty short pulses does."""
    model = propagator(PowerKernel(0.5), 0.5)
    assert all(
        round_trip_cost(model, two_legs(one, other), UNIT_PACE) > 0
        for one in (0.001, 0.1, 1.0, 10.0)
        for other in (0.001, 0.1, 1.0, 10.0)
    )
    costs = [round_trip_cost(model, pulses(count, 0.1, 1e-3), UNIT_PACE) for count in (1, 5, 20, 80)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 0 > costs[-1]
    found = find_violation(model)
    assert found.cost < -0.25
    assert round_trip_cost(model, found.trip, UNIT_PACE) == pytest.approx(found.cost)
    assert "20 sales" in found.reason


def test_pulses_trade_for_nothing_as_they_are_cut_finer():
    """What N pulses of length N^-a pay and leave under v^delta and t^-gamma, both to a power of N below zero."""
    gamma, delta, power = 0.6, 0.8, 1.5
    paid, left = [], []
    for count in (10, 100, 1000):
        burst_ns = round(NS_PER_DAY * count**-power / 1e3)
        model, one = propagator(PowerKernel(gamma), delta), Execution(0, 1.0 / count, burst_ns)
        paid.append(count * one.signed_qty * model.along([one], UNIT_PACE)[0].paid_bps)
        left.append(count * model.remaining_bps([one], UNIT_PACE, NS_PER_DAY))
    for told, rate in ((paid, -delta + power * (gamma + delta - 1)), (left, (1 - delta) * (1 - power))):
        assert rate < 0
        assert told[1] / told[0] == pytest.approx(10**rate, rel=1e-3)
        assert told[2] / told[1] == pytest.approx(10**rate, rel=1e-3)


@pytest.mark.parametrize(
    ("gamma", "delta", "why"),
    [
        (0.3, 0.5, "gamma \\+ delta >= 1"),
        (0.4, 0.7, "gamma >= 0.415037"),
        (0.6, 0.8, "short pulses"),
        (0.9, 0.5, "short pulses"),
        (0.5, 1.2, "short pulses"),
    ],
)
def test_every_power_but_one_is_refused_with_its_reason(gamma, delta, why):
    for shift_days in (0.0, 1e-4):
        with pytest.raises(ValueError, match=why):
            refuse_arbitrage(propagator(PowerKernel(gamma, shift_days), delta))
    assert find_violation(propagator(PowerKernel(gamma), 1.0)) is None


def test_least_exponent_of_a_decay():
    assert GAMMA_LEAST == 2 - log2(3) == pytest.approx(0.415037, abs=5e-7)


@dataclass(frozen=True)
class Shaped:
    """A kernel by any function, to try the validator on."""

    shape: object

    @property
    def parameters(self):
        return {}

    def value(self, days):
        return self.shape(days)

    def integrals(self, days):
        step = days / 200
        values = [self.shape(step * (number + 0.5)) for number in range(200)]
        first = step * sum(values)
        return first, step * sum((days - step * (number + 0.5)) * one for number, one in enumerate(values))


GRID = [0.25 * number for number in range(41)]


@pytest.mark.parametrize(
    ("kernel", "wrong", "least"),
    [
        (lambda lag: exp(-lag * lag), 20, -8.5e4),
        (lambda lag: 1 / (1 + lag * lag), 12, -0.619),
        (lambda lag: exp(-lag), 0, 0.0208),
        (lambda lag: (1 + lag) ** -0.5, 0, 0.0155),
    ],
)
def test_kernels_that_are_not_convex_sell_while_buying(kernel, wrong, least):
    trades = best_trades(kernel, GRID, 1.0)
    assert sum(trades) == pytest.approx(1.0, abs=1e-3)
    assert sum(trade < 0 for trade in trades) == wrong
    assert min(trades) == pytest.approx(least, rel=0.02)


def test_a_model_with_such_a_kernel_is_refused():
    bell = propagator(Shaped(lambda days: 1 / (1 + 100 * days * days)), 1.0)
    with pytest.raises(ValueError, match="not convex"):
        refuse_arbitrage(bell)
    with pytest.raises(ValueError, match="wear off"):
        refuse_arbitrage(propagator(Shaped(lambda days: 1 + days), 1.0))
    assert find_violation(propagator(Shaped(lambda days: 1 / (1 + days)), 1.0)) is None


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.name)
def test_sound_models_pass(model):
    assert refuse_arbitrage(model) is model


def test_a_hybrid_is_as_sound_as_its_model():
    with pytest.raises(ValueError, match="linear in the quantity"):
        refuse_arbitrage(Hybrid(model=Kyle(factor=1.0, exponent=0.5), factor=1.0, weight=0.5))


@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 1),
            st.sampled_from([1, -1]),
            st.integers(0, 10**13),
            st.sampled_from([0, 10**9, 10**11, 10**13]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_no_round_trip_that_is_drawn_earns_by_a_sound_model(legs):
    at_ns, trip = 0, []
    for qty, sign, gap_ns, over_ns in legs:
        at_ns += gap_ns
        trip.append(Execution(at_ns, sign * qty, over_ns))
        at_ns += over_ns
    rest = -sum(one.signed_qty for one in trip)
    if abs(rest) < 1e-9:
        return
    trip.append(Execution(at_ns, rest))
    for model in TWO_SIDED:
        paid = [
            own.signed_qty * step.paid_bps
            for own, step in zip(trip, model.along(trip, UNIT_PACE), strict=True)
        ]
        assert sum(paid) >= -1e-6 * sum(map(abs, paid)), model.name


@pytest.mark.parametrize(
    "text",
    ["kyle:factor=1,exponent=0.5", "propagator:1,0.5,10,0.5", "propagator:factor=1,rho_per_day=24,delta=0.5",
     "hybrid:factor=1,weight=0.5,of=kyle:1,0.6"],
)  # fmt: skip
def test_what_is_read_by_name_went_through_the_validator(text):
    with pytest.raises(ValueError, match="lets a round trip earn money"):
        read_model(text)


def test_what_a_calibration_found_went_through_it_too():
    with pytest.raises(ValueError, match="lets a round trip earn money"):
        build_model("propagator", {"factor": 0.4, "gamma": 0.5, "shift_s": 30.0, "delta": 0.6})
    assert build_model("propagator", {"factor": 0.4, "gamma": 0.5, "shift_s": 30.0}).delta == 1.0


def test_what_is_no_round_trip_has_no_cost_as_one():
    with pytest.raises(ValueError, match="sells what it bought"):
        round_trip_cost(Kyle(factor=1.0), [Execution(0, 1.0)], UNIT_PACE)


@given(st.floats(0, 50), st.floats(0.05, 0.95), st.sampled_from([0.0, 1e-5, 0.1]))
def test_integrals_of_the_kernels(days, gamma, shift):
    """Against the integrals by their definition, over a time that is cut where the kernel is steep."""
    for kernel in (PowerKernel(gamma, shift), ExponentialKernel(1.0 + gamma)):
        first, second = kernel.integrals(days)
        cuts = [days * (number / 2_000) ** 4 for number in range(2_001)]
        strips = [
            (kernel.value((one + later) / 2) * (later - one), (one + later) / 2)
            for one, later in itertools.pairwise(cuts)
            if later > one
        ]
        assert first == pytest.approx(sum(strip for strip, _ in strips), rel=0.05, abs=1e-12)
        assert second == pytest.approx(sum(strip * (days - at) for strip, at in strips), rel=0.05, abs=1e-12)


def test_small_times_keep_their_digits():
    for shift, days in ((1.0, 0.99e-4), (1.0, 1.01e-4), (1e-3, 0.99e-7), (1e-3, 1.01e-7)):
        first, second = PowerKernel(0.5, shift).integrals(days)
        slope = -0.5 / shift
        assert first == pytest.approx(days * (1 + slope * days / 2), rel=1e-8)
        assert second == pytest.approx(days * days * (0.5 + slope * days / 6), rel=1e-6)
    low, high = exponential_means(0.99999e-4), exponential_means(1.00001e-4)
    assert low == pytest.approx(high, rel=1e-8)


def test_what_is_done_at_once_needs_a_finite_kernel_and_a_linear_law():
    pace = Pace(1.0, 1.0)
    for model in (propagator(PowerKernel(0.5), 1.0), propagator(PowerKernel(0.5, 0.1), 0.5)):
        with pytest.raises(ValueError, match="at once"):
            model.along([Execution(0, 1.0)], pace)
    done = propagator(PowerKernel(0.5, 0.1), 1.0).along([Execution(0, 1.0)], UNIT_PACE)[0]
    assert (done.before_bps, done.after_bps, done.paid_bps) == pytest.approx((0.0, 1.0, 0.5))


def test_a_propagator_with_one_exponential_is_the_book_that_fills_up():
    """Two forms of one model: the same cost, execution by execution."""
    pace, half_life_s = Pace(0.6, 1_000.0), 300.0
    rho = 0.6931471805599453 * 86_400 / half_life_s
    one, other = (
        propagator(ExponentialKernel(rho), 1.0),
        ObizhaevaWang(passing=1.0, half_life_s=half_life_s),
    )
    done = [
        Execution(0, 3.0, 10**11), Execution(10**11, 2.0), Execution(10**11, -1.0), Execution(5 * 10**11, 4.0, 10**11)
    ]  # fmt: skip
    for left, right in zip(one.along(done, pace), other.along(done, pace), strict=True):
        assert (left.before_bps, left.after_bps, left.paid_bps) == pytest.approx(
            (right.before_bps, right.after_bps, right.paid_bps), rel=1e-9, abs=1e-9
        )
    later_ns = 9 * 10**11
    assert one.remaining_bps(done, pace, later_ns) == pytest.approx(other.remaining_bps(done, pace, later_ns))


def test_what_means_nothing_is_refused():
    for bad in (
        lambda: PowerKernel(0.0),
        lambda: PowerKernel(1.0),
        lambda: PowerKernel(0.5, -1.0),
        lambda: ExponentialKernel(0.0),
        lambda: ExponentialKernel(nan),
        lambda: propagator(PowerKernel(0.5), 0.0),
        lambda: Propagator(factor=-1.0, kernel=PowerKernel(0.5)),
        lambda: best_trades(lambda _lag: 0.0, GRID, 1.0),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            bad()


def test_unit_market():
    assert UNIT_PACE.volatility_daily_bps == pytest.approx(1.0)
    assert UNIT_PACE.volume_daily_qty == pytest.approx(1.0)
    assert Pace(1.0, 2.0).volatility_daily_bps == pytest.approx(100 * sqrt(24))
