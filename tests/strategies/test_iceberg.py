"""Iceberg: what is shown, and what follows it."""

from dataclasses import replace

from executor.domain.decision import Style, Why, Working
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_S
from strategies.iceberg import Iceberg, display_qty
from tests.builders import T0, D, instrument, parent_order, view

ICEBERG = Iceberg()


def moment(cum="0", *, qty="1", working=None, seconds=1, seed=1, limit=None, rules=None, **params):
    order = parent_order(order_qty=D(qty), params=StrategyParams(**params), seed=seed, limit_px=limit)
    rules = rules or instrument()
    plan = ICEBERG.plan(
        order=order,
        instrument=rules,
        reference_px=D(50_000),
        start_ns=T0,
        end_ns=order.deadline_ns,
        cum_qty=D(0),
    )
    return view(plan, now_ns=T0 + seconds * NS_PER_S, order=order, instrument=rules, cum=cum, working=working)


def test_it_shows_its_part_at_the_touch_and_never_takes():
    for seconds in (1, 300, 599):
        wish = ICEBERG.decide(moment(display_qty=D("0.05"), seconds=seconds))
        assert (wish.style, wish.qty, wish.px) == (Style.REST, D("0.05"), D("50000.0"))
        assert wish.why is Why.DISPLAY_RESTING


def test_what_is_shown_stays_until_it_is_filled_also_when_it_follows_the_touch():
    shown = Working(style=Style.REST, px=D("49999.0"), leaves_qty=D("0.02"))
    wish = ICEBERG.decide(moment("0.03", display_qty=D("0.05"), working=shown))
    assert (wish.qty, wish.px) == (D("0.02"), D("50000.0"))
    assert ICEBERG.decide(moment("0.05", display_qty=D("0.05"))).qty == D("0.05")


def test_a_tenth_is_shown_of_an_order_that_says_nothing():
    assert display_qty(moment()) == D("0.1")


def test_sizes_are_drawn_anew_for_each_part_from_the_seed_alone():
    sizes = [
        display_qty(moment(str(cum / D(100)), display_qty=D("0.1"), display_randomize_pct=40))
        for cum in range(50)
    ]
    assert all(D("0.06") <= size <= D("0.14") for size in sizes)
    assert len(set(sizes)) > 10
    again = [
        display_qty(moment(str(cum / D(100)), display_qty=D("0.1"), display_randomize_pct=40))
        for cum in range(50)
    ]
    other = [
        display_qty(moment(str(cum / D(100)), display_qty=D("0.1"), display_randomize_pct=40, seed=2))
        for cum in range(50)
    ]
    assert sizes == again != other


def test_a_part_below_the_minimum_is_raised_to_it_and_a_rest_below_it_joins_the_last_part():
    rules = instrument(min_notional=D(500))
    assert display_qty(moment(display_qty=D("0.001"), rules=rules)) == D("0.010")
    assert display_qty(moment("0.95", display_qty=D("0.045"), rules=rules)) == D("0.050")
    assert display_qty(moment("0.94", display_qty=D("0.045"), rules=rules)) == D("0.045")


def test_it_rests_at_the_limit_price_where_the_touch_is_beyond_it():
    assert ICEBERG.decide(moment(limit=D("49990"))).px == D("49990")


def test_dust_that_nobody_accepts_waits():
    assert ICEBERG.decide(moment("0.9995")).why is Why.BELOW_MINIMUM
    assert replace(moment(), now_ns=T0 + 600 * NS_PER_S).schedule.slices[0].target_qty == D(1)
