"""Fills of orders that the journal has forgotten: their parents do not go on, and no id is given twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.commands import PlaceOrder, RaiseAlert
from executor.domain.events import EngineStarted, OrderFilled, RearmRequested
from executor.domain.limits import Limits
from executor.domain.orders import StrategyParams, client_order_id, order_numbers
from executor.domain.parent_state import ParentStatus, Reason
from tests.builders import D, fill, submitted
from tests.engine.rig import Rig
from tests.engine.two_markets import TwoMarkets, routed


class OldRig(Rig):
    """As before there was this rule."""

    def send(self, event):
        if isinstance(event, EngineStarted):
            object.__setattr__(event, "rules", 1)
        return super().send(event)


def working(rig):
    """A parent that has had a fill and waits for its next slice."""
    rig.open_market()
    rig.send(submitted(order_qty=D("0.4"), duration_s=600, params=StrategyParams(interval_s=60)))
    for _ in range(5):
        rig.tick(1)
        rig.settle()
    assert rig.commands(PlaceOrder)
    return rig


def forgotten(rig, name):
    """A fill of an order of ours that the journal does not know."""
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id=name, exec_id=f"late-{name}", last_qty=D("0.2"))))


def rearm(rig):
    rig.venue.opening["BTCUSDT", 0] = rig.venue.opening.get(("BTCUSDT", 0), D(0)) + D("0.2")
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="looked"))


def run(rig, seconds):
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()


def test_a_parent_with_a_forgotten_fill_is_cancelled_by_the_rearm_and_orders_nothing_more():
    rig = working(Rig())
    forgotten(rig, "x-1-9")
    run(rig, 3)
    sent = len(rig.commands(PlaceOrder))
    rearm(rig)
    run(rig, 200)
    parent = rig.engine.state.parents["P1"]
    assert (parent.status, parent.reason) == (ParentStatus.CANCELED, Reason.LOST_FILL)
    assert len(rig.commands(PlaceOrder)) == sent
    told = [alert.detail for alert in rig.commands(RaiseAlert) if alert.code == "REARMED"]
    assert "P1 is being cancelled, its order x-1-9 is not known" in told[0]


def test_by_the_former_rules_it_went_on():
    rig = working(OldRig())
    forgotten(rig, "x-1-9")
    run(rig, 3)
    sent = len(rig.commands(PlaceOrder))
    rearm(rig)
    run(rig, 200)
    assert len(rig.commands(PlaceOrder)) > sent


@pytest.mark.parametrize("name", ["x-9-9", "y-1-9", "x-1", "x-1-", "x--1", "x-1-A", "by-hand"])
def test_the_parents_of_other_orders_go_on(name):
    rig = working(Rig())
    forgotten(rig, name)
    run(rig, 3)
    sent = len(rig.commands(PlaceOrder))
    rearm(rig)
    run(rig, 200)
    assert len(rig.commands(PlaceOrder)) > sent


def test_the_number_of_a_forgotten_parent_is_given_to_no_other():
    rig = Rig()
    rig.open_market()
    forgotten(rig, "x-z-1")
    rearm(rig)
    run(rig, 3)
    rig.send(submitted())
    assert list(rig.engine.state.parents) == ["P36"]


@given(
    instance=st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
    parent_no=st.integers(0, 36**8),
    child_no=st.integers(0, 36**5),
)
def test_numbers_are_read_out_of_every_id_that_is_given(instance, parent_no, child_no):
    name = client_order_id(instance, parent_no, child_no)
    assert order_numbers(instance, name) == (parent_no, child_no)
    assert order_numbers(f"{instance}0", name) is None


@given(st.text())
def test_any_other_text_has_no_numbers_or_those_it_says(text):
    found = order_numbers("x", text)
    if found is not None:
        assert [int(part, 36) for part in text.split("-")[1:]] == list(found)


def test_a_leg_takes_its_routed_order_with_it_and_nobody_gets_its_rest():
    limits = Limits(
        order_gap_s_min=D(1), orders_per_s_max=20, orders_per_min_max=1_000, volatility_hourly_pct_max=D(50)
    )
    rig = TwoMarkets(limits=limits)
    rig.open_market()
    rig.send(routed())

    def pass_time(seconds):
        for _ in range(seconds):
            rig.settle()
            rig.tick(1, volume="50")

    pass_time(5)
    state = rig.engine.state
    leg = next(state.parents[name] for name in state.open_parents if state.parents[name].route_id == "R1")
    forgotten(rig, client_order_id("x", leg.order.parent_no, 99))
    sent = len(rig.commands(PlaceOrder))
    pass_time(60)
    assert (rig.route("R1").status, rig.route("R1").reason) == (ParentStatus.CANCELED, Reason.LOST_FILL)
    assert state.open_parents == []
    rearm(rig)
    pass_time(60)
    assert len(rig.commands(PlaceOrder)) == sent
