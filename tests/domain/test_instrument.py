"""The only place that rounds: never to our disadvantage, never more than was asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.orders import Category, Side
from tests.builders import D, instrument

STEPS = st.sampled_from([D("0.1"), D("0.001"), D("1"), D("25"), D("0.00000001"), D("0.0003"), D("1E-18")])
PLAIN = st.decimals(min_value=0, max_value=10**9, places=18, allow_nan=False) | st.decimals(
    min_value=0, max_value=10**6, places=2, allow_nan=False
)
RULES = st.builds(
    lambda tick, step, lots, notional, category: instrument(
        tick_size=tick, qty_step=step, min_order_qty=step * lots, min_notional=notional, category=category
    ),
    STEPS,
    STEPS,
    st.integers(0, 50),
    st.sampled_from([D(0), D(1), D(5), D("7.77"), D(10_000)]),
    st.sampled_from(list(Category)),
)


@given(RULES, PLAIN)
def test_quantity_is_rounded_down_by_less_than_a_step(rules, qty):
    rounded = rules.round_qty(qty)
    assert rules.is_on_step(rounded)
    assert rounded <= qty < rounded + rules.qty_step
    assert rules.round_qty(rounded) == rounded


@given(RULES, PLAIN, st.sampled_from(list(Side)))
def test_price_is_rounded_toward_the_passive_side_by_less_than_a_tick(rules, px, side):
    rounded = rules.round_px(side, px)
    assert rules.is_on_tick(rounded)
    assert side.sign * (rounded - px) <= 0, "never worse than asked"
    assert abs(rounded - px) < rules.tick_size
    assert rules.round_px(side, rounded) == rounded


@given(RULES, PLAIN.filter(lambda px: px >= D("0.0001")))
def test_smallest_quantity_is_accepted_and_one_step_less_is_not(rules, px):
    least = rules.smallest_qty(px)

    def accepted(qty):
        return qty > 0 and qty >= rules.min_order_qty and rules.notional(qty, px) >= rules.min_notional

    assert rules.is_on_step(least)
    assert accepted(least)
    assert not accepted(least - rules.qty_step)
    assert not rules.is_dust(least, px)
    assert rules.is_dust(least - rules.qty_step, px)


@given(
    RULES,
    PLAIN.filter(lambda px: px >= D("0.0001")),
    PLAIN,
    st.integers(-3, 3),
    st.sampled_from([D(0), D("0.3")]),
)
def test_dust_is_what_is_less_than_the_smallest_quantity(rules, px, qty, steps, part):
    near = max(rules.smallest_qty(px) + (steps + part) * rules.qty_step, D(0))
    for each in (qty, near):
        assert rules.is_dust(each, px) is (each < rules.smallest_qty(px))


def test_notional_of_an_inverse_contract_is_one_quote_unit():
    assert instrument().notional(D("0.1"), D(50_000)) == D(5_000)
    assert instrument(category=Category.INVERSE).notional(D(100), D(50_000)) == D(100)


def test_examples():
    rules = instrument()
    assert rules.round_qty(D("0.12399")) == D("0.123")
    assert rules.round_px(Side.BUY, D("50000.19")) == D("50000.1")
    assert rules.round_px(Side.SELL, D("50000.11")) == D("50000.2")
    assert rules.smallest_qty(D(50_000)) == D("0.001")
    assert rules.smallest_qty(D(3_000)) == D("0.002")


@pytest.mark.parametrize("name", ["tick_size", "qty_step", "max_order_qty"])
@pytest.mark.parametrize("value", ["0", "-1", "NaN", "sNaN", "Infinity", "1E+18", "1E-19"])
def test_steps_that_would_make_rounding_meaningless_are_refused(name, value):
    with pytest.raises(ValueError, match=f"BTCUSDT: {name} must be a positive"):
        instrument(**{name: D(value)})


@pytest.mark.parametrize("name", ["min_order_qty", "min_notional"])
@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity", "1E+18"])
def test_minimum_that_means_nothing_is_refused(name, value):
    with pytest.raises(ValueError, match=f"BTCUSDT: {name} must be a plain number"):
        instrument(**{name: D(value)})
    assert getattr(instrument(**{name: D(0)}), name) == 0
