"""Where an order should lie, and when it may take: never beyond the limit, never through a wide spread."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.decision import Schedule, Style, Why, Working
from executor.domain.orders import Side, StrategyParams, Urgency
from executor.domain.timeline import NS_PER_S
from strategies.placement import CROSS_CAP_BPS, PASSIVENESS, cross, rest, rest_until_ns, wait
from tests.builders import T0, D, instrument, parent_order, snapshot, view

EMPTY = Schedule(base_qty=D(0), slices=(), asked=1)
LATER = T0 + NS_PER_S


def look(side=Side.BUY, limit=None, reprice_ticks=1, **over):
    order = parent_order(side=side, limit_px=limit, params=StrategyParams(reprice_ticks=reprice_ticks))
    return view(EMPTY, order=order, **over)


def at_work(px, style=Style.REST):
    return Working(style=style, px=D(px), leaves_qty=D("0.1"))


def resting_px(**over):
    return rest(look(**over), D("0.1"), Why.SLICE_RESTING, LATER).px


def test_rests_at_the_touch():
    assert resting_px() == D("50000.0")
    assert resting_px(side=Side.SELL) == D("50000.1")


def test_rests_at_the_limit_where_that_is_more_passive():
    assert resting_px(limit=D("49990.05")) == D("49990.0")
    assert resting_px(side=Side.SELL, limit=D("50010.05")) == D("50010.1")
    assert resting_px(limit=D("60000")) == D("50000.0")


def test_limit_below_one_tick_waits():
    decision = rest(look(limit=D("0.05")), D("0.1"), Why.SLICE_RESTING, LATER)
    assert decision == wait(Why.LIMIT_PRICE, LATER)


@pytest.mark.parametrize(
    ("ticks", "lead_ticks", "follows"),
    [(1, 0, False), (1, 1, True), (3, 2, False), (3, 3, True), (3, -1, True)],
)
def test_resting_order_follows_the_touch_only_when_it_is_far_enough_away(ticks, lead_ticks, follows):
    for side in Side:
        touch = look(side=side).market.touch(side)
        ours = touch - side.sign * lead_ticks * D("0.1")
        px = resting_px(side=side, reprice_ticks=ticks, working=at_work(ours))
        assert (px == touch) == (follows or lead_ticks == 0)
        assert px in {touch, ours}


def test_order_that_is_taking_does_not_anchor_the_price():
    assert resting_px(reprice_ticks=9, working=at_work("49999.9", Style.CROSS)) == D("50000.0")


def test_crosses_up_to_the_cap():
    decision = cross(look(), D("0.1"), Why.SLICE_CROSSING)
    assert (decision.style, decision.px, decision.why) == (Style.CROSS, D("50050.1"), Why.SLICE_CROSSING)
    assert cross(look(side=Side.SELL), D("0.1"), Why.SLICE_CROSSING).px == D("49950.0")


def test_crossing_stops_at_the_limit():
    decision = cross(look(limit=D("50000.15")), D("0.1"), Why.SLICE_CROSSING)
    assert (decision.style, decision.px) == (Style.CROSS, D("50000.1"))


def test_limit_inside_the_spread_rests():
    decision = cross(look(limit=D("50000.0")), D("0.1"), Why.SLICE_CROSSING)
    assert (decision.style, decision.px, decision.why) == (Style.REST, D("50000.0"), Why.LIMIT_PRICE)


def test_wide_spread_rests_and_looks_again():
    decision = cross(look(market=snapshot("49949.9", "50050.1")), D("0.1"), Why.SLICE_CROSSING)
    assert (decision.style, decision.why, decision.wake_ns) == (Style.REST, Why.SPREAD_WIDE, T0 + NS_PER_S)
    assert cross(look(market=snapshot("49950", "50050")), D("0.1"), Why.SLICE_CROSSING).style is Style.CROSS


@pytest.mark.parametrize(
    ("given_share", "urgency", "share"),
    [
        (None, Urgency.LOW, "0.9"),
        (None, Urgency.MEDIUM, "0.7"),
        (None, Urgency.HIGH, "0.3"),
        (D(0), Urgency.LOW, "0"),
        (D("0.25"), Urgency.LOW, "0.25"),
        (D(1), Urgency.HIGH, "1"),
    ],
)
def test_resting_time_is_a_share_of_the_slice(given_share, urgency, share):
    order = parent_order(urgency=urgency, params=StrategyParams(passiveness=given_share))
    turn_ns = rest_until_ns(view(EMPTY, order=order), T0, T0 + 100 * NS_PER_S)
    assert turn_ns == T0 + int(100 * NS_PER_S * D(share))


def test_more_urgent_rests_less():
    assert PASSIVENESS[Urgency.LOW] > PASSIVENESS[Urgency.MEDIUM] > PASSIVENESS[Urgency.HIGH]


TICKS = st.integers(-2_000, 2_000).map(lambda ticks: ticks * D("0.1"))
MARKETS = st.tuples(TICKS, st.integers(1, 1_500)).map(
    lambda drawn: snapshot(D(50_000) + drawn[0], D(50_000) + drawn[0] + drawn[1] * D("0.1"))
)
LIMITS = st.none() | st.tuples(TICKS, st.sampled_from([D(0), D("0.05"), D("0.0999")])).map(
    lambda drawn: D(50_000) + drawn[0] + drawn[1]
)
WORKING = st.none() | st.tuples(st.sampled_from([Style.REST, Style.CROSS]), TICKS).map(
    lambda drawn: at_work(D(50_000) + drawn[1], drawn[0])
)


@given(st.sampled_from(list(Side)), MARKETS, LIMITS, WORKING, st.integers(0, 5), st.booleans())
def test_limit_touch_and_tick_are_never_broken(side, market, limit, working, reprice, taking):
    moment = look(side, limit, reprice, market=market, working=working)
    make = cross if taking else rest
    decision = make(moment, D("0.1"), Why.SLICE_RESTING, *([] if taking else [LATER]))
    assert decision.qty == D("0.1")
    assert instrument().is_on_tick(decision.px)
    assert limit is None or side.sign * (decision.px - limit) <= 0
    assert decision.wake_ns > moment.now_ns
    far = market.far_touch(side)
    if decision.style is Style.CROSS:
        assert taking
        assert market.spread_bps <= moment.cross_spread_bps_max
        assert side.sign * (decision.px - far) >= 0
        assert abs(decision.px - far) <= far * CROSS_CAP_BPS / 10_000
    else:
        assert side.sign * (decision.px - market.touch(side)) <= 0, "resting at or behind the touch"
    again = make(
        replace(moment, working=at_work(decision.px, decision.style)),
        D("0.1"),
        Why.SLICE_RESTING,
        *([] if taking else [LATER]),
    )
    assert (again.style, again.px) == (decision.style, decision.px), "done once, nothing is left to do"


def reflect(px):
    return None if px is None else D(100_000) - px


@given(MARKETS, LIMITS, WORKING, st.integers(0, 5), st.booleans())
def test_buy_and_sell_are_mirror_images(market, limit, working, reprice, taking):
    """Reflected prices give reflected orders; only the cap of a crossing order, a share of its price, differs."""
    mirrored_market = snapshot(reflect(market.best_ask), reflect(market.best_bid))
    mirrored_working = None if working is None else replace(working, px=reflect(working.px))
    buy = look(Side.BUY, limit, reprice, market=market, working=working, cross_spread_bps_max=D(15))
    sell = look(
        Side.SELL,
        reflect(limit),
        reprice,
        market=mirrored_market,
        working=mirrored_working,
        cross_spread_bps_max=D(15) * market.mid_px / mirrored_market.mid_px,
    )
    if taking:
        bought, sold = cross(buy, D("0.1"), Why.SLICE_CROSSING), cross(sell, D("0.1"), Why.SLICE_CROSSING)
    else:
        bought, sold = (rest(one, D("0.1"), Why.SLICE_RESTING, LATER) for one in (buy, sell))
    if abs(market.spread_bps - 15) < D("0.001"):
        return
    assert (bought.style, bought.qty, bought.why, bought.wake_ns) == (
        sold.style,
        sold.qty,
        sold.why,
        sold.wake_ns,
    )
    if bought.style is Style.REST:
        assert reflect(bought.px) == sold.px
    else:
        assert abs(reflect(bought.px) - sold.px) <= D("0.7")
