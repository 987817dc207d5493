"""What stands against each limit: the largest of many, nothing for what nobody set."""

from dataclasses import replace
from decimal import Decimal

import pytest

from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.units import Money, Price, Quantity
from executor.engine.engine import Engine
from executor.engine.state import EngineState
from executor.runtime.limits_in_use import limits_in_use
from tests.engine.test_baskets import buy, open_rig
from tests.runtime.telemetry_scene import fill, parent, scene

D = Decimal


@pytest.fixture
def state() -> EngineState:
    return scene()


def used(of: EngineState) -> dict[str, tuple[Decimal, str]]:
    return {each.limit: (each.used, each.place) for each in limits_in_use(of)}


def test_counts_and_money(state: EngineState) -> None:
    state.markets["linear:BTCUSDT"].instrument = Instrument(
        category=Category.LINEAR,
        symbol="BTCUSDT",
        base_coin="BTC",
        quote_coin="USDT",
        tick_size=Price(D("0.1")),
        qty_step=Quantity(D("0.001")),
        min_order_qty=Quantity(D("0.001")),
        max_order_qty=Quantity(D(1_000)),
        min_notional=Money(D(5)),
    )
    found = used(state)
    assert found["orders_per_min_max"] == (2, "")
    assert found["orders_per_day_max"] == (50, "")
    assert found["open_notional_max"] == (100, ""), "one child of 1 at 100"
    assert found["day_notional_max"] == (0, "")
    engine = Engine(state)
    engine.on_event(fill("1"))
    found = used(state)
    assert found["open_notional_max"] == (50, "")
    assert found["day_notional_max"] == (50, "")


def test_of_parents_the_one_that_uses_most(state: EngineState) -> None:
    for number, repeats, ordered in ((1, 3, 40), (2, 7, 20)):
        one = parent(number)
        one.amends, one.ordered_qty = repeats, D(ordered)
        state.parents[f"p{number}"] = one
    state.open_parents = ["p1", "p2"]
    found = used(state)
    assert found["children_per_parent_max"] == (7, "p2")
    assert found["amplification_max"] == (4, "p1")


@pytest.mark.parametrize("name", ["open_notional_max", "day_loss_max", "position_notional_max"])
def test_a_limit_that_nobody_set_has_no_row(state: EngineState, name: str) -> None:
    assert name in used(state)
    state.limits = replace(state.limits, **{name: None})
    assert name not in used(state)


def test_a_gain_uses_nothing_of_the_loss(state: EngineState) -> None:
    assert used(state)["day_loss_max"] == (0, "")
    assert all(each.ratio == each.used / each.allowed for each in limits_in_use(state))


def test_what_open_parents_could_come_to_stands_against_the_limits_over_several() -> None:
    rig = open_rig(
        parents_gross_notional_max=D(100_000),
        parents_net_notional_max=D(90_000),
        symbol_net_notional_max=D(80_000),
    )
    rig.send(buy("0.4", idempotency_key="k1"))
    rig.settle()
    found = used(rig.engine.state)
    assert found["parents_gross_notional_max"] == (D("20000.02"), ""), "0.4 at a mid of 50000.05"
    assert found["parents_net_notional_max"] == (D("20000.02"), "")
    assert found["symbol_net_notional_max"] == (D("20000.02"), "linear:BTCUSDT")


def test_limits_over_several_that_nobody_set_have_no_row(state: EngineState) -> None:
    assert (
        not {"parents_gross_notional_max", "parents_net_notional_max", "symbol_net_notional_max"}
        & used(state).keys()
    )
