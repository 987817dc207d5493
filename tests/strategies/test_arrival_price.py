"""Arrival price with a risk aversion: the published trajectories in lots, and what the market makes of the rest."""

from dataclasses import replace
from itertools import accumulate, pairwise
from math import inf, isclose, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.signals import NO_SIGNALS, Signals
from executor.domain.timeline import NS_PER_HOUR
from impact.almgren_chriss import ETA_LINEAR
from strategies.arrival_price import kappa_hourly, within
from strategies.base import STRATEGIES
from tests.builders import T0, D, instrument, parent_order, snapshot, view
from tests.strategies.test_vwap import checked

ARRIVAL = STRATEGIES["arrival-price"]
CALM = Signals(volatility_hourly_pct=0.5, volume_hourly_qty=2_000.0)
SHARES = instrument(
    tick_size=D("0.01"), qty_step=D(1), min_order_qty=D(1), max_order_qty=D(10_000_000), min_notional=D(0)
)
PUBLISHED = {
    "1e-6": (458_044.4456, 252_101.3350, 141_956.7316, 85_755.6862, 62_141.8016),
    "2e-6": (571_401.1543, 245_666.0315, 106_637.0926, 48_652.3442, 27_643.3774),
}
"""By risk aversion (1/$) the trades of a million shares in five days (R. Almgren and N. Chriss, J. Risk 3(2), 2001)."""


def ordered(aversion="0.00003", *, hours=1, qty="300", interval_s=300, **over):
    more = {name: over.pop(name) for name in ("participation_max", "randomize_size_pct") if name in over}
    params = StrategyParams(
        interval_s=interval_s, risk_aversion=None if aversion is None else D(aversion), **more
    )
    return parent_order(
        strategy="arrival-price",
        params=params,
        order_qty=D(qty),
        deadline_ns=T0 + hours * NS_PER_HOUR,
        **over,
    )


def planned(order, rules=None, px="50000", name="arrival-price"):
    return STRATEGIES[name].plan(
        order=order,
        instrument=rules or instrument(),
        reference_px=D(px),
        start_ns=order.start_ns,
        end_ns=order.deadline_ns,
        cum_qty=D(0),
    )


def at(order, schedule, index=0, signals=CALM, **over):
    now_ns = schedule.slices[index].start_ns
    return view(schedule, now_ns=now_ns, order=order, signals=signals, **over)


@pytest.mark.parametrize("aversion", PUBLISHED)
@pytest.mark.parametrize("side", list(Side))
def test_almgren_chriss_2001_trade_lists_in_lots(aversion, side):
    """Their market: 50 $, 0.95 $ a root of a day, a temporary impact of 2.375e-6 $ day in intervals of a day."""
    volatility = 0.95
    volume = ETA_LINEAR * volatility / 2.375e-6 / 24
    signals = Signals(
        volatility_hourly_pct=100 * volatility / 50 / 24**0.5,
        volume_hourly_qty=volume,
    )
    order = ordered(aversion, hours=120, qty="1000000", interval_s=86_400, side=side)
    schedule = planned(order, SHARES, "50")
    seen = at(order, schedule, signals=signals, instrument=SHARES, market=snapshot("49.99", "50.01"))
    revised = ARRIVAL.revise(seen)
    assert sum(one.qty for one in revised.slices) == 1_000_000
    done = accumulate(PUBLISHED[aversion])
    for one, published, target in zip(revised.slices, PUBLISHED[aversion], done, strict=True):
        assert abs(float(one.qty) - published) <= 1.0
        assert abs(float(one.target_qty) - target) <= 1.0


@pytest.mark.parametrize("spread_pct", [0, 30])
def test_without_aversion_to_risk_it_is_twap_exactly(spread_pct):
    order = ordered("0.000000000000000001", randomize_size_pct=spread_pct)
    schedule = planned(order)
    assert schedule == planned(order, name="twap")
    for index in range(len(schedule.slices)):
        assert ARRIVAL.revise(at(order, schedule, index)) is None


def test_much_aversion_does_it_early_in_whole_lots():
    order = ordered("1")
    revised = checked(planned(order), ARRIVAL.revise(at(order, planned(order))), 0)
    assert revised.slices[0].qty > D("0.99") * order.order_qty


def test_the_cap_on_participation_holds_back_the_beginning():
    """A twentieth of 2,000 an hour is 8.33 in five minutes; what is cut is done later, and all of it is done."""
    order = ordered("1", qty="60", participation_max=D("0.05"))
    revised = checked(planned(order), ARRIVAL.revise(at(order, planned(order))), 0)
    sizes = [float(one.qty) for one in revised.slices]
    assert all(isclose(size, 8.333, abs_tol=0.01) for size in sizes[:7])
    assert max(sizes) < 8.34
    slow = ordered("1", qty="600", participation_max=D("0.05"))
    assert ARRIVAL.revise(at(slow, planned(slow))) is None, "even is the slowest that ends in time"


def test_volatility_hurries_and_a_dry_market_slows_what_is_left():
    order = ordered()
    schedule = ARRIVAL.revise(at(order, planned(order)))
    usual = [float(one.qty) for one in schedule.slices]
    wild = checked(
        schedule, ARRIVAL.revise(at(order, schedule, 3, replace(CALM, volatility_hourly_pct=4.0))), 3
    )
    assert float(wild.slices[3].qty) > 1.2 * usual[3]
    dry = checked(schedule, ARRIVAL.revise(at(order, schedule, 3, replace(CALM, volume_hourly_qty=200.0))), 3)
    assert float(dry.slices[3].qty) < 0.9 * usual[3]
    left = sum(usual[3:])
    assert all(float(one.qty) >= left / 9 * 0.99 for one in (wild.slices[3], dry.slices[3])), (
        "never slower than even"
    )


def test_a_market_that_stays_as_it_is_changes_nothing():
    """The trajectory is consistent in time: solved again on the way it is the same."""
    order = ordered()
    schedule = ARRIVAL.revise(at(order, planned(order)))
    assert schedule is not None
    for index in range(len(schedule.slices)):
        assert ARRIVAL.revise(at(order, schedule, index)) is None
        slightly = replace(CALM, volatility_hourly_pct=0.5 * 1.1)
        assert ARRIVAL.revise(at(order, schedule, index, slightly)) is None, "it does not flap"


@pytest.mark.parametrize(
    "signals",
    [
        NO_SIGNALS,
        replace(CALM, volatility_hourly_pct=None),
        replace(CALM, volume_hourly_qty=None),
        replace(CALM, volatility_hourly_pct=0.0),
        replace(CALM, volume_hourly_qty=0.0),
        replace(CALM, volatility_hourly_pct=nan),
        replace(CALM, volume_hourly_qty=inf),
    ],
)
def test_what_is_not_known_of_the_market_leaves_the_plan(signals):
    order = ordered("1")
    assert ARRIVAL.revise(at(order, planned(order), signals=signals)) is None


def test_an_urgency_names_a_trajectory_that_the_market_does_not_change():
    order = ordered(None)
    schedule = planned(order)
    assert schedule.slices[0].qty > planned(order, name="twap").slices[0].qty
    assert ARRIVAL.revise(at(order, schedule, 2, replace(CALM, volatility_hourly_pct=9.0))) is None


def test_the_hurry_is_that_of_the_paper_and_has_a_unit():
    """kappa^2 = lambda sigma V / c in the limit of short slices; another unit of quantity changes nothing."""
    order = ordered()
    seen = at(order, planned(order))
    daily = 0.005 * 24**0.5 * 50_000.05
    expected = (3e-5 * daily * 2_000 * 24 / ETA_LINEAR) ** 0.5 / 24
    assert isclose(kappa_hourly(seen, 1e-3), expected, rel_tol=1e-4)
    contracts = replace(CALM, volume_hourly_qty=2_000.0 * 50_000.05)
    inverse = at(order, planned(order), signals=contracts, instrument=instrument(category=Category.INVERSE))
    assert isclose(kappa_hourly(inverse, 1e-3), kappa_hourly(seen, 1e-3), rel_tol=1e-9)


@given(
    st.sampled_from(["0.0000001", "0.00001", "0.001", "1", "1000000"]),
    st.floats(1e-3, 20.0),
    st.floats(1e-3, 1e9),
    st.integers(0, 11),
    st.integers(12, 10**6),
    st.sampled_from([0, 40]),
)
def test_any_market_leaves_a_plan_that_is_exact_and_never_slower_than_even(
    aversion, volatility_pct, volume_qty, index, steps, spread_pct
):
    order = ordered(aversion, qty=str(D("0.001") * steps), randomize_size_pct=spread_pct)
    schedule = planned(order)
    index = min(index, len(schedule.slices) - 1)
    signals = Signals(volatility_hourly_pct=volatility_pct, volume_hourly_qty=volume_qty)
    seen = at(order, schedule, index, signals)
    revised = ARRIVAL.revise(seen)
    mirrored = ARRIVAL.revise(replace(seen, order=replace(order, side=Side.SELL)))
    assert mirrored == revised
    if revised is None:
        return
    checked(schedule, revised, index)
    if not spread_pct:
        sizes = [int(one.qty / D("0.001")) for one in revised.slices[index:]]
        assert all(later <= earlier + 1 for earlier, later in pairwise(sizes)), "early rather than late"


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.floats(0.001, 2.0))
def test_cut_parts_sum_to_the_whole_and_come_later(parts, most):
    falling = sorted(parts, reverse=True)
    cut = within(falling, most)
    assert isclose(sum(cut), sum(falling), abs_tol=1e-12)
    assert max(cut) <= max(most, sum(falling) / len(falling)) + 1e-12
    for done, before in zip(accumulate(cut), accumulate(falling), strict=True):
        assert done <= before + 1e-12
