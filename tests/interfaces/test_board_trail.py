"""Trails stay a few hundred points long however long an order lives, and keep its whole life."""

from itertools import pairwise

from control_double import START_NS, ControlDouble, add_market, add_parent

from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from executor.interfaces.board_trail import FIELDS, PARENTS_MAX, POINTS_MAX, Trails


def world():
    control = ControlDouble()
    add_market(control.state)
    return control, add_parent(control.state)


def test_a_point_holds_price_progress_and_cost_as_they_stand():
    control, parent = world()
    trails = Trails()
    trails.sample(control.state, control.now_ns())
    (point,) = trails.of(parent.order.parent_id)
    told = dict(zip(FIELDS, point, strict=True))
    market = control.state.markets[parent.market_key].snapshot
    assert told["mid"] == float(market.mid_px)
    assert told["bid"] < told["mid"] < told["ask"]
    assert told["done"] == float(parent.cum_qty / parent.order.order_qty)
    assert told["at_ms"] == control.now_ns() // 1_000_000


def test_without_a_book_the_price_is_not_known():
    control, parent = world()
    control.state.markets[parent.market_key].book_ns = None
    trails = Trails()
    trails.sample(control.state, control.now_ns())
    told = dict(zip(FIELDS, trails.of(parent.order.parent_id)[0], strict=True))
    assert told["mid"] is told["shortfall_bps"] is None


def test_a_long_life_is_thinned_out_and_stays_whole():
    control, parent = world()
    trails = Trails()
    seconds = 20_000
    for second in range(seconds):
        trails.sample(control.state, START_NS + second * NS_PER_S)
    points = trails.of(parent.order.parent_id)
    assert POINTS_MAX / 3 < len(points) <= POINTS_MAX
    times = [point[0] for point in points]
    assert times == sorted(times)
    assert times[0] == START_NS // 1_000_000
    steps = [after - before for before, after in pairwise(times)]
    assert max(steps) <= 2 * min(steps)
    assert times[-1] >= (START_NS + seconds * NS_PER_S) // 1_000_000 - max(steps) - 1_000


def test_of_too_many_orders_the_one_that_ended_first_is_forgotten():
    control, first = world()
    trails = Trails()
    trails.sample(control.state, control.now_ns())
    first.status = ParentStatus.COMPLETE
    control.state.open_parents.remove(first.order.parent_id)
    for number in range(PARENTS_MAX):
        add_parent(control.state, f"X{number}")
    trails.sample(control.state, control.now_ns())
    assert trails.of(first.order.parent_id) == []
    assert all(trails.of(f"X{number}") for number in range(PARENTS_MAX))
