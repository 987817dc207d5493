"""What the strategy wants at any moment of a slice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.decision import Schedule, Slice, Style, Why, Working
from executor.domain.orders import Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from strategies.base import STRATEGIES
from strategies.twap import Twap, wanted_qty
from tests.builders import T0, D, instrument, parent_order, snapshot, view

TWAP = Twap()
MINUTE = 60 * NS_PER_S


def plan(order, cum="0", start_ns=T0, rules=None):
    return TWAP.plan(
        order=order,
        instrument=rules or instrument(),
        reference_px=D(50_000),
        start_ns=start_ns,
        end_ns=order.deadline_ns,
        cum_qty=D(cum),
    )


def moment(seconds=0, *, params=None, side=Side.BUY, limit=None, **over):
    order = parent_order(side=side, limit_px=limit, params=params or StrategyParams())
    return view(plan(order), now_ns=T0 + int(seconds * NS_PER_S), order=order, **over)


def at_work(qty="0.1", px="50000.0", style=Style.REST):
    return Working(style=style, px=D(px), leaves_qty=D(qty))


def test_it_is_the_strategy_named_twap():
    assert isinstance(STRATEGIES["twap"], Twap)


def test_plan_has_a_slice_for_every_interval():
    schedule = plan(parent_order(params=StrategyParams(interval_s=60)))
    assert [piece.qty for piece in schedule.slices] == [D("0.1")] * 10
    assert len(plan(parent_order(params=StrategyParams(interval_s=250))).slices) == 2
    assert len(plan(parent_order(params=StrategyParams(interval_s=3_600))).slices) == 1


def test_plan_covers_what_is_left():
    schedule = plan(parent_order(), cum="0.7", start_ns=T0 + 420 * NS_PER_S)
    assert schedule.base_qty == D("0.7")
    assert [piece.target_qty for piece in schedule.slices] == [D("0.8"), D("0.9"), D("1.0")]
    assert plan(parent_order(), cum="1").slices == ()
    assert plan(parent_order(), cum="1.2").slices == ()


def test_plan_depends_on_the_seed_and_the_start_alone():
    def spread(**over):
        return parent_order(params=StrategyParams(randomize_size_pct=30, randomize_timing_pct=30), **over)

    assert plan(spread()) == plan(spread(parent_id="P9", side=Side.SELL))
    assert plan(spread()) != plan(spread(seed=2))


def test_rests_for_its_share_of_the_slice_and_then_crosses():
    resting = TWAP.decide(moment(41.9))
    assert (resting.style, resting.qty, resting.why) == (Style.REST, D("0.1"), Why.SLICE_RESTING)
    assert resting.wake_ns == T0 + 42 * NS_PER_S
    crossing = TWAP.decide(moment(42))
    assert (crossing.style, crossing.qty, crossing.why) == (Style.CROSS, D("0.1"), Why.SLICE_CROSSING)
    assert crossing.wake_ns == T0 + 43 * NS_PER_S


def test_passiveness_zero_crosses_at_once_and_one_never_crosses():
    assert TWAP.decide(moment(0, params=StrategyParams(passiveness=D(0)))).style is Style.CROSS
    last = TWAP.decide(moment(59.999, params=StrategyParams(passiveness=D(1))))
    assert (last.style, last.wake_ns) == (Style.REST, T0 + MINUTE)


def test_waits_before_the_start_and_after_the_end():
    early = TWAP.decide(moment(-5))
    assert (early.style, early.why, early.wake_ns) == (Style.WAIT, Why.BEFORE_START, T0)
    assert TWAP.decide(moment(600)).why is Why.AFTER_END


def test_slice_that_is_done_waits_for_the_next():
    done = TWAP.decide(moment(30, cum_qty=D("0.1")))
    assert (done.style, done.why, done.wake_ns) == (Style.WAIT, Why.ON_SCHEDULE, T0 + MINUTE)


def test_plan_below_the_minimum_says_so():
    order = parent_order(order_qty=D("0.0005"))
    decision = TWAP.decide(view(plan(order), order=order))
    assert (decision.style, decision.why, decision.wake_ns) == (
        Style.WAIT,
        Why.BELOW_MINIMUM,
        order.deadline_ns,
    )


def test_rest_below_the_minimum_waits_unless_it_is_already_working():
    rules = instrument(min_notional=D(100))
    dust = dict(instrument=rules, cum_qty=D("0.099"))
    assert TWAP.decide(moment(10, **dust)).why is Why.BELOW_MINIMUM
    kept = TWAP.decide(moment(10, working=at_work("0.001"), **dust))
    assert (kept.style, kept.qty) == (Style.REST, D("0.001"))
    assert TWAP.decide(moment(50, working=at_work("0.001"), **dust)).why is Why.BELOW_MINIMUM


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, D(49_000)), (Side.SELL, None)])
def test_minimum_is_held_against_the_price_of_the_order_itself(side, limit):
    """A minimum of 99.99 is met by 0.002 at the far touch, but not at the price that would be sent."""
    rules = instrument(min_notional=D("99.99"))
    seconds = 10 if side is Side.BUY else 50
    wish = TWAP.decide(moment(seconds, side=side, limit=limit, instrument=rules, cum_qty=D("0.098")))
    assert wish.why is Why.BELOW_MINIMUM


def test_catch_up_adds_what_was_missed_up_to_its_cap():
    def wanted(slice_no, cum, base, **params):
        now = slice_no * 60 + 1
        return wanted_qty(
            moment(now, params=StrategyParams(**params), cum_qty=D(cum), slice_base_qty=D(base)), slice_no
        )

    assert wanted(0, "0", "0") == D("0.1")
    assert wanted(1, "0", "0") == D("0.2")
    assert wanted(5, "0", "0") == D("0.2"), "at most catch_up_max slices' worth"
    assert wanted(5, "0", "0", catch_up_max=D(4)) == D("0.4")
    assert wanted(5, "0", "0", catch_up_max=D(1)) == D("0.1")
    assert wanted(5, "0", "0", catch_up=False) == D("0.1")
    assert wanted(5, "0.15", "0.05") == D("0.1"), "what the slice has done counts against its cap"
    assert wanted(5, "0.15", "0.05", catch_up=False) == D(0)
    assert wanted(1, "0.15", "0.1") == D("0.05")
    assert wanted(1, "0.5", "0.5") == D(0), "ahead of the schedule"


@st.composite
def moments(draw):
    step = D("0.001")
    order = parent_order(
        side=draw(st.sampled_from(list(Side))),
        order_qty=step * draw(st.integers(1, 3_000)) + draw(st.sampled_from([D(0), D("0.0004")])),
        limit_px=draw(st.none() | st.integers(-300, 300).map(lambda ticks: D(50_000) + ticks * D("0.05"))),
        params=StrategyParams(
            interval_s=draw(st.integers(1, 300)),
            randomize_size_pct=draw(st.sampled_from([0, 50])),
            randomize_timing_pct=draw(st.sampled_from([0, 50])),
            catch_up=draw(st.booleans()),
            catch_up_max=draw(st.sampled_from([D(1), D("1.5"), D(10)])),
            passiveness=draw(st.none() | st.sampled_from([D(0), D("0.5"), D(1)])),
            reprice_ticks=draw(st.integers(1, 5)),
        ),
    )
    base = min(step * draw(st.integers(0, 3_500)), order.order_qty * 2)
    rules = instrument(min_notional=D(draw(st.sampled_from([0, 5, 500]))))
    working = draw(st.none() | st.builds(at_work, px=st.sampled_from(["49999.8", "50000.0", "50000.2"])))
    spread = step * 100 * draw(st.sampled_from([1, 2, 1_500]))
    return view(
        plan(order, rules=rules, cum=str(draw(st.sampled_from([D(0), base / 2])))),
        now_ns=T0 + draw(st.integers(-10, 599_999)) * 1_000_000,
        order=order,
        instrument=rules,
        market=snapshot(D(50_000), D(50_000) + spread),
        cum_qty=base + step * draw(st.integers(0, 500)),
        slice_base_qty=base,
        working=working,
    )


@given(moments())
def test_a_wish_is_whole_bounded_and_wakes_in_the_future(now):
    decision = TWAP.decide(now)
    assert decision.wake_ns > now.now_ns
    assert decision.wake_ns <= max(now.order.deadline_ns, now.now_ns + NS_PER_S)
    if decision.style is Style.WAIT:
        assert (decision.qty, decision.px) == (0, None)
        return
    rules, order = now.instrument, now.order
    assert rules.is_on_step(decision.qty)
    assert rules.is_on_tick(decision.px)
    assert D(0) < decision.qty
    assert now.cum_qty + decision.qty <= order.order_qty
    piece = now.schedule.slices[now.schedule.slice_at(now.now_ns)]
    assert now.cum_qty + decision.qty <= piece.target_qty, "never ahead of the schedule"
    done = now.cum_qty - now.slice_base_qty
    times = order.params.catch_up_max if order.params.catch_up else 1
    assert done + decision.qty <= times * piece.qty
    assert order.limit_px is None or order.side.sign * (decision.px - order.limit_px) <= 0
    assert now.working or not rules.is_dust(decision.qty, decision.px)
    assert decision.style is Style.REST or now.market.spread_bps <= now.cross_spread_bps_max
    if order.params.passiveness == 1:
        assert decision.style is Style.REST


@given(moments())
def test_holds_no_state(now):
    assert TWAP.decide(now) == Twap().decide(now)


def test_empty_plan_of_a_finished_parent_waits():
    order = parent_order()
    finished = view(Schedule(base_qty=D(1), slices=(), asked=1), order=order, cum="1")
    assert TWAP.decide(finished).style is Style.WAIT


def test_wish_in_a_slice_of_its_own_making():
    piece = Slice(start_ns=T0, end_ns=T0 + MINUTE, qty=D("0.3"), target_qty=D("0.3"))
    schedule = Schedule(base_qty=D(0), slices=(piece,), asked=1)
    assert TWAP.decide(view(schedule, order=parent_order(order_qty=D("0.3")))).qty == D("0.3")
