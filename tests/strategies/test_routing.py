"""Dividing over several books: as cheap as the cheapest of all divisions, never too much, nothing unorderable."""

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from executor.domain.orders import Category, Side
from strategies.routing import LEGS_MAX, Offer, cost, divide, divide_again
from tests.builders import D, instrument

SIDES = st.sampled_from(Side)


def offer(*levels, fee="0", carry="0", step="1", least="1", symbol="A", category=Category.LINEAR):
    """An offer of whole units; prices and quantities as they are written."""
    rules = instrument(
        symbol=symbol, category=category, qty_step=D(step), min_order_qty=D(least), min_notional=D(0)
    )
    return Offer(
        instrument=rules,
        levels=tuple((D(px), D(qty)) for px, qty in levels),
        fee_bps=D(fee),
        carry_bps=D(carry),
    )


@st.composite
def books(draw, *, count_max=3, least_max=1):
    """Offers of several legs, and the side: prices get worse from level to level, around 100."""
    side = draw(SIDES)
    found = {}
    for number in range(draw(st.integers(1, count_max))):
        px, levels = 100 + side.sign * draw(st.integers(0, 4)), []
        for _ in range(draw(st.integers(1, 3))):
            levels.append((px, draw(st.integers(1, 4))))
            px += side.sign * draw(st.integers(1, 3))
        found[f"leg{number}"] = offer(
            *levels, fee=draw(st.integers(-20, 60)), least=draw(st.integers(1, least_max))
        )
    return side, found


def cheapest(qty, side, offers):
    """The cheapest of all divisions in whole units of what is displayed, by trying each: how much, and its cost."""
    parts = [range(min(qty, int(shown({name: each}))) + 1) for name, each in offers.items()]
    done, best = -1, None
    for each in product(*parts):
        sizes = dict(zip(offers, each, strict=True))
        if sum(each) > qty or any(0 < size < offers[name].least_qty() for name, size in sizes.items()):
            continue
        value = side.sign * cost({name: D(size) for name, size in sizes.items()}, side, offers)
        if (sum(each), -value) > (done, -best if best is not None else 0):
            done, best = sum(each), value
    return done, best


def shown(offers):
    return sum(size for each in offers.values() for _, size in each.levels)


@given(books(), st.integers(1, 8))
def test_it_costs_no_more_than_any_other_division(world, qty):
    side, offers = world
    assume(qty <= shown(offers))
    found = divide(D(qty), side, offers)
    done, best = cheapest(qty, side, offers)
    assert sum(found.values()) == done == qty
    assert side.sign * cost(found, side, offers) == best


@given(books(least_max=3), st.integers(1, 7))
def test_with_minima_it_does_as_much_and_costs_no_more(world, qty):
    side, offers = world
    assume(qty <= min(shown({name: each}) for name, each in offers.items()))
    found = divide(D(qty), side, offers)
    done, best = cheapest(qty, side, offers)
    assert sum(found.values()) == done
    assert side.sign * cost(found, side, offers) == best


STEPS = ("0.001", "0.01", "0.25", "1")


@given(books(count_max=4), st.decimals("0.001", "40", places=3), st.data())
def test_never_more_than_asked_and_each_part_can_be_ordered(world, qty, data):
    side, offers = world
    coarse = {}
    for name, each in offers.items():
        step, least = data.draw(st.sampled_from(STEPS)), data.draw(st.sampled_from(("0.001", "0.5", "2")))
        limits = {"symbol": name, "step": step, "least": least, "fee": each.fee_bps}
        coarse[name] = offer(*each.levels, **limits)
    limit_px = data.draw(st.none() | st.integers(95, 105).map(D))
    found = divide(qty, side, coarse, limit_px=limit_px)
    assert sum(found.values()) <= qty
    assert set(found) == set(coarse)
    for name, part in found.items():
        assert part == 0 or part >= coarse[name].least_qty()
        assert coarse[name].instrument.is_on_step(part)
    left = qty - sum(found.values())
    odd = max(max(each.least_qty(), each.instrument.qty_step) for each in coarse.values())
    assert left < odd, "only what fits no leg is left out"


@given(books(), st.integers(1, 12))
def test_buys_and_sells_are_mirror_images(world, qty):
    """With the prices mirrored about 100, and no fees, the parts are the same."""
    side, offers = world
    free = {name: offer(*each.levels) for name, each in offers.items()}
    mirrored = {name: offer(*((200 - px, size) for px, size in each.levels)) for name, each in free.items()}
    assert divide(D(qty), side, free) == divide(D(qty), Side(-side), mirrored)


def test_a_fee_can_be_worth_more_than_a_better_price():
    offers = {"cheap": offer(("100.00", 5), fee="10"), "dear": offer(("100.05", 5), fee="1")}
    assert divide(D(4), Side.BUY, offers) == {"cheap": 0, "dear": 4}
    assert divide(D(4), Side.SELL, offers) == {"cheap": 0, "dear": 4}


def test_what_a_trade_costs_until_it_is_closed_counts_like_a_fee():
    offers = {"perpetual": offer(("100", 5), carry="3"), "spot": offer(("100.02", 5))}
    assert divide(D(4), Side.BUY, offers)["spot"] == 4


def test_levels_of_several_books_are_taken_in_turn():
    offers = {"a": offer((100, 2), (102, 9)), "b": offer((101, 1), (103, 9))}
    assert divide(D(5), Side.BUY, offers) == {"a": 4, "b": 1}


def test_what_nobody_displays_is_divided_as_what_is_displayed():
    offers = {"a": offer((100, 3)), "b": offer((101, 1))}
    assert divide(D(12), Side.BUY, offers) == {"a": 9, "b": 3}


def test_beyond_the_limit_a_leg_rests_only_if_no_other_can_trade():
    offers = {"a": offer((100, 3)), "b": offer((105, 30))}
    assert divide(D(6), Side.BUY, offers, limit_px=D(102)) == {"a": 6, "b": 0}
    assert divide(D(6), Side.BUY, offers, limit_px=D(99)) == {"a": 6, "b": 0}


def test_less_than_the_smallest_order_of_any_leg_goes_nowhere():
    offers = {"a": offer((100, 3), least="2"), "b": offer((101, 3), least="4")}
    assert divide(D(1), Side.BUY, offers) == {"a": 0, "b": 0}
    assert divide(D(3), Side.BUY, offers) == {"a": 3, "b": 0}


def test_no_leg_at_all_gets_nothing():
    assert divide(D(1), Side.BUY, {}) == {}


def test_a_flicker_moves_nothing_and_a_real_difference_does():
    before = {"a": D(4), "b": D(0)}
    flicker = {"a": offer(("100.01", 9)), "b": offer(("100.00", 9))}
    assert divide(D(4), Side.BUY, flicker) == {"a": 0, "b": 4}
    again = divide_again(D(4), Side.BUY, flicker, before, hysteresis_bps=D(2))
    assert again == {"a": 4, "b": 0}
    apart = {"a": offer(("100.10", 9)), "b": offer(("100.00", 9))}
    assert divide_again(D(4), Side.BUY, apart, before, hysteresis_bps=D(2)) == {"a": 0, "b": 4}


def test_what_comes_on_top_goes_where_it_is_cheapest_while_the_rest_stays():
    offers = {"a": offer(("100.01", 9)), "b": offer(("100.00", 9))}
    found = divide_again(D(6), Side.BUY, offers, {"a": D(4)}, hysteresis_bps=D(2))
    assert found == {"a": 4, "b": 2}


def test_a_leg_that_offers_nothing_any_more_keeps_nothing():
    offers = {"b": offer(("100", 9))}
    assert divide_again(D(6), Side.BUY, offers, {"a": D(4), "b": D(2)}, hysteresis_bps=D(9)) == {"b": 6}


@given(books(), st.integers(1, 10), st.lists(st.integers(0, 10), min_size=3, max_size=3), st.integers(0, 50))
def test_again_costs_at_most_the_bound_more_and_does_as_much(world, qty, parts, bound_bps):
    side, offers = world
    before = dict(zip(offers, map(D, parts), strict=False))
    best = divide(D(qty), side, offers)
    found = divide_again(D(qty), side, offers, before, hysteresis_bps=D(bound_bps))
    assert sum(found.values()) == sum(best.values())
    more = side.sign * (cost(found, side, offers) - cost(best, side, offers))
    assert more <= D(bound_bps) / 10_000 * cost(best, side, offers)


def test_contracts_of_a_quote_unit_and_levels_that_are_none_are_refused():
    with pytest.raises(ValueError, match="no quantity of the coin"):
        offer((100, 1), category=Category.INVERSE)
    with pytest.raises(ValueError, match="needs levels"):
        offer()
    with pytest.raises(ValueError, match="needs levels"):
        offer((0, 1))
    with pytest.raises(ValueError, match="at most"):
        divide(D(1), Side.BUY, {str(number): offer((100, 1)) for number in range(LEGS_MAX + 1)})
