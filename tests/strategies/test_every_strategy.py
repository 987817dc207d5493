"""What holds of every strategy at any moment, whatever it was asked for."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from executor.domain.decision import Style
from executor.domain.timeline import NS_PER_S
from strategies.base import STRATEGIES, keeps_schedule, strategy_of
from strategies.pov import due_qty
from strategies.reads import READS
from strategies.sizing import capped
from tests.builders import T0, D, instrument, parent_order
from tests.strategies.any_moment import (
    BID,
    DURATION_S,
    STEP,
    any_moment,
    any_params,
    in_other_units,
    mirrored,
)

SEEDS = st.integers(0, 2**32)


def decided(look):
    return capped(look, strategy_of(look.order).decide(look))


@given(SEEDS)
def test_a_plan_sums_to_what_is_left_in_whole_steps_and_runs_from_start_to_end(seed):
    rng = Random(seed)
    name = rng.choice(list(STRATEGIES))
    params = any_params(rng, name)
    steps = rng.randint(1, 50_000)
    done = rng.randint(0, steps)
    end_ns = T0 + rng.randint(1, 20_000) * NS_PER_S
    order = parent_order(strategy=name, params=params, order_qty=STEP * steps, deadline_ns=end_ns)
    schedule = STRATEGIES[name].plan(
        order=order, instrument=instrument(min_notional=D(0)), reference_px=BID, start_ns=T0, end_ns=end_ns,
        cum_qty=STEP * done,
    )  # fmt: skip
    assert sum((piece.qty for piece in schedule.slices), D(0)) == STEP * (steps - done)
    targets = [schedule.base_qty, *(piece.target_qty for piece in schedule.slices)]
    assert all(before < after for before, after in pairwise(targets))
    assert targets[-1] == order.order_qty
    for before, after in pairwise(schedule.slices):
        assert before.start_ns < before.end_ns == after.start_ns
    if schedule.slices:
        assert (schedule.slices[0].start_ns, schedule.slices[-1].end_ns) == (T0, end_ns)


@given(SEEDS)
def test_a_moment_with_another_filled_quantity_is_else_the_same(seed):
    rng = Random(seed)
    look = any_moment(rng)
    cum_qty = STEP * rng.randint(-1_000, 1_000)
    assert look.as_if_filled(cum_qty) == replace(look, cum_qty=cum_qty)


@given(SEEDS)
def test_a_wish_is_whole_within_the_order_and_within_its_limit_price(seed):
    look = any_moment(Random(seed))
    wish = decided(look)
    order, rules, market = look.order, look.instrument, look.market
    assert wish.wake_ns > look.now_ns
    if wish.style is Style.WAIT:
        assert (wish.qty, wish.px) == (0, None)
        return
    assert D(0) < wish.qty <= look.leaves_qty
    assert rules.is_on_step(wish.qty)
    assert rules.is_on_tick(wish.px)
    assert look.working or not rules.is_dust(wish.qty, wish.px)
    assert order.limit_px is None or order.side.sign * (wish.px - order.limit_px) <= 0
    from_far = order.side.sign * (wish.px - market.far_touch(order.side))
    if wish.style is Style.REST:
        assert from_far < 0 or look.working, "it would trade at once"
    else:
        assert from_far >= 0
        assert market.spread_bps <= look.cross_spread_bps_max


@given(SEEDS)
def test_the_market_is_never_given_more_than_the_share_that_is_allowed(seed):
    look = any_moment(Random(seed))
    wish, cap = decided(look), look.order.params.participation_max
    assume(cap is not None and wish.style is not Style.WAIT)
    if look.working is not None and wish.qty == look.working.leaves_qty:
        assume(look.cum_qty + wish.qty <= cap * (look.market_qty + wish.qty))  # it was within before
    assert look.cum_qty + wish.qty <= cap * (look.market_qty + wish.qty)


@given(SEEDS)
def test_nothing_is_done_before_its_time(seed):
    look = any_moment(Random(seed))
    wish = decided(look)
    if look.schedule.slices and look.now_ns < look.schedule.slices[0].start_ns:
        assert wish.style is Style.WAIT
    if wish.style is Style.WAIT or look.now_ns >= look.schedule.slices[-1].end_ns:
        return
    if keeps_schedule(look.order):
        piece = look.schedule.slices[look.schedule.slice_at(look.now_ns)]
        assert look.cum_qty + wish.qty <= piece.target_qty
    elif look.order.strategy == "pov":
        assert look.cum_qty + wish.qty <= due_qty(look), "never ahead of the market"


@given(SEEDS)
def test_the_same_moment_leads_to_the_same_wish(seed):
    look = any_moment(Random(seed))
    assert decided(look) == decided(look)


@given(SEEDS)
def test_buying_and_selling_are_mirror_images(seed):
    look = any_moment(Random(seed), min_notional=0)
    wish, other = decided(look), decided(mirrored(look))
    assert (other.style, other.qty, other.why, other.wake_ns) == (
        wish.style,
        wish.qty,
        wish.why,
        wish.wake_ns,
    )
    if wish.px is None:
        assert other.px is None
        return
    apart = abs(other.px - (2 * look.market.mid_px - wish.px))
    if wish.style is Style.REST:
        assert apart == 0
    else:
        # How far a crossing order may go is a share of the far touch, which is dearer for a buy.
        most: Decimal = (look.market.best_ask - look.market.best_bid) / 1_000
        assert apart <= most + look.instrument.tick_size


@given(SEEDS, st.integers(-4, 4), st.integers(-4, 4))
def test_other_units_change_nothing(seed, qty_power, px_power):
    look = any_moment(Random(seed))
    wish, scaled = decided(look), decided(in_other_units(look, qty_power, px_power))
    assert (scaled.style, scaled.why, scaled.wake_ns) == (wish.style, wish.why, wish.wake_ns)
    assert scaled.qty == wish.qty * D(10) ** qty_power
    assert scaled.px == (None if wish.px is None else wish.px * D(10) ** px_power)


@given(SEEDS)
def test_nothing_is_wanted_of_an_order_that_is_over(seed):
    look = any_moment(Random(seed))
    if look.now_ns >= T0 + DURATION_S * NS_PER_S:
        assert decided(look).style is Style.WAIT


def test_every_strategy_says_what_it_reads():
    assert STRATEGIES.keys() <= READS.keys()
