"""Signals that only a market of perpetual contracts has, on constructed data."""

from math import exp

import pytest

from executor.domain.timeline import NS_PER_HOUR, NS_PER_MIN, NS_PER_S
from strategies.signals import clusters, exchange_flow, funding, liquidations, open_interest
from strategies.signals.open_interest import Regime
from tests.builders import T0, D

NEXT = T0 + NS_PER_HOUR
BEFORE = NEXT - 10 * NS_PER_MIN


@pytest.mark.parametrize(
    ("rate", "now_ns", "early"),
    [
        (0.0005, BEFORE, -1),
        (0.00049, BEFORE, 0),
        (-0.0003, BEFORE, 1),
        (-0.00029, BEFORE, 0),
        (0.002, NEXT - funding.WINDOW_NS, -1),
        (0.002, NEXT - funding.WINDOW_NS - 1, 0),
        (0.002, NEXT, None),
        (None, BEFORE, None),
    ],
)
def test_a_high_rate_is_for_selling_before_and_a_low_one_for_buying_before(rate, now_ns, early):
    assert funding.early_side(rate, NEXT, now_ns) == early


def test_funding_at_an_unknown_instant_is_no_signal():
    assert funding.early_side(0.01, None, BEFORE) is None


def watched(pulses, *, seconds=200, slope=0.0, quiet_from=120):
    """A market that trades 10 a second; `pulses` by second are (longs, shorts)."""
    state = liquidations.Liquidations()
    for i in range(seconds):
        longs, shorts = pulses.get(i, (0.0, 0.0))
        mid_px = 100.0 + slope * max(i - quiet_from, 0)
        state = liquidations.observe(
            state, T0 + i * NS_PER_S, long_qty=longs, short_qty=shorts, traded_qty=10.0, mid_px=mid_px
        )
    return state


LONGS = dict.fromkeys(range(180, 200), (3.0, 0.0))
SHORTS = dict.fromkeys(range(180, 200), (0.0, 3.0))


def test_a_cascade_of_longs_presses_down_and_one_of_shorts_up():
    assert liquidations.cascade(watched(LONGS, slope=-0.1)) == -1
    assert liquidations.cascade(watched(SHORTS, slope=0.1)) == 1
    assert liquidations.long_ratio(watched(LONGS)) == pytest.approx(liquidations.short_ratio(watched(SHORTS)))


def test_liquidations_against_the_move_few_or_usual_ones_are_no_cascade():
    assert liquidations.cascade(watched(LONGS, slope=0.1)) == 0
    assert liquidations.cascade(watched({199: (1.0, 0.0)}, slope=-0.1)) == 0
    always = dict.fromkeys(range(200), (3.0, 0.0))
    assert liquidations.cascade(watched(always, slope=-0.1)) == 0
    assert liquidations.cascade(watched({})) == 0


def test_liquidations_are_unknown_before_a_minute_was_watched():
    early = watched(LONGS, seconds=60)
    assert liquidations.cascade(early) is liquidations.long_ratio(early) is None


def test_clusters_are_found_on_both_sides_of_the_price():
    state, at_ns = clusters.Clusters(), T0
    for px, qty in [(98.03, 5.0), (98.04, 4.0), (101.0, 6.0), (99.5, 0.1)]:
        at_ns += NS_PER_S
        state = clusters.observe(state, at_ns, px, qty)
    below, above = clusters.nearest(state, 100.0)
    assert below.px == pytest.approx(98.03, rel=clusters.WIDTH)
    assert below.qty == pytest.approx(9.0, rel=1e-2)
    assert above.px == pytest.approx(101.0, rel=clusters.WIDTH)
    assert clusters.nearest(state, 97.0)[0] is None
    assert clusters.nearest(clusters.Clusters(), 100.0) == (None, None)


def test_a_cluster_fades_in_an_hour_and_the_number_of_classes_is_bounded():
    state = clusters.observe(clusters.Clusters(), T0, 100.0, 8.0)
    state = clusters.observe(state, T0 + NS_PER_HOUR, 110.0, 1.0)
    assert clusters.nearest(state, 105.0)[0].qty == pytest.approx(4.0)
    for number in range(100):
        state = clusters.observe(state, T0 + NS_PER_HOUR, 100.0 * exp(0.002 * number), 1.0 + number)
    assert len(state.classes) == clusters.CLASSES_MAX
    assert min(qty for _, qty in state.classes) > 30.0


@pytest.mark.parametrize(("px", "qty"), [(0.0, 1.0), (1.0, 0.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_a_liquidation_without_a_price_or_a_quantity_is_refused(px, qty):
    with pytest.raises(ValueError, match="no liquidation"):
        clusters.observe(clusters.Clusters(), T0, px, qty)


@pytest.mark.parametrize(
    ("interest_pct", "price_pct", "named"),
    [
        (1.0, 1.0, Regime.NEW_LONGS),
        (1.0, -1.0, Regime.NEW_SHORTS),
        (-1.0, 1.0, Regime.SHORTS_CLOSE),
        (-1.0, -1.0, Regime.LONGS_CLOSE),
        (0.49, 1.0, Regime.NONE),
        (1.0, -0.09, Regime.NONE),
    ],
)
def test_the_four_regimes_of_open_interest(interest_pct, price_pct, named):
    assert open_interest.regime(interest_pct, price_pct) is named


def test_changes_are_counted_over_a_quarter_of_an_hour_and_not_across_a_hole():
    state = open_interest.Interest()
    for minute in range(16):
        state = open_interest.observe(state, T0 + minute * NS_PER_MIN, 1_000.0 + minute, 50.0)
    now_ns = T0 + 15 * NS_PER_MIN
    interest_pct, price_pct = open_interest.changes_pct(state, now_ns, 1_020.0, 51.0)
    assert interest_pct == pytest.approx(100 * (1_020 / 1_001 - 1))
    assert price_pct == pytest.approx(2.0)
    assert open_interest.changes_pct(state, T0 + 60 * NS_PER_MIN, 1_020.0, 51.0) is None
    fresh = open_interest.observe(open_interest.Interest(), T0, 1.0, 1.0)
    assert open_interest.changes_pct(fresh, T0 + 13 * NS_PER_MIN, 1.0, 1.0) is None


def test_open_interest_is_sampled_once_a_minute_and_bounded():
    state = open_interest.Interest()
    for second in range(3_600):
        state = open_interest.observe(state, T0 + second * NS_PER_S, 1.0, 1.0)
    assert len(state.samples) == open_interest.SAMPLES_MAX
    assert state.samples[-1][0] - state.samples[-2][0] == NS_PER_MIN


def counted(*nets, span_ns=NS_PER_HOUR):
    state = exchange_flow.Flow()
    for number, net in enumerate(nets):
        state = exchange_flow.observe(state, T0 + number * span_ns, D(net), span_ns)
    return state


def test_unusual_arrivals_speak_for_a_falling_price_and_departures_for_a_rising_one():
    usual = [100, -100] * 12
    now_ns = T0 + 24 * NS_PER_HOUR
    arriving = exchange_flow.pressure(counted(*usual, 300), now_ns)
    leaving = exchange_flow.pressure(counted(*usual, -300), now_ns)
    assert arriving == pytest.approx(-3.0, rel=0.05)
    assert leaving == pytest.approx(3.0, rel=0.05)


def test_exchange_flow_is_unknown_when_young_old_or_always_the_same():
    usual = [100, -100] * 12
    assert exchange_flow.pressure(counted(*usual[:19]), T0 + 19 * NS_PER_HOUR) is None
    assert exchange_flow.pressure(counted(*usual), T0 + 26 * NS_PER_HOUR) is None
    assert exchange_flow.pressure(counted(*[5] * 30), T0 + 30 * NS_PER_HOUR) is None
    for net, span_ns in ((D("nan"), NS_PER_HOUR), (D(1), 0)):
        with pytest.raises(ValueError, match="no count"):
            exchange_flow.observe(exchange_flow.Flow(), T0, net, span_ns)
