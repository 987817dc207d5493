"""Fills of orders that the journal has forgotten: their parents do not go on, and no id is given twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.commands import PlaceOrder, RaiseAlert
from executor.domain.events import (
    EngineStarted,
    OrderFilled,
    OrderOutcomeUnknown,
    RearmRequested,
    VenueStatus,
)
from executor.domain.limits import Limits
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, Side, StrategyParams, client_order_id, order_numbers
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from tests.builders import D, fill, submitted
from tests.engine.model_venue import VenueOrder
from tests.engine.rig import Rig
from tests.engine.two_markets import TwoMarkets, routed

LIMITS = Limits(
    order_gap_s_min=D(1), orders_per_s_max=20, orders_per_min_max=1_000, volatility_hourly_pct_max=D(50)
)


def as_of(generation, kind):
    """A rig as it was before there was a rule."""

    class Former(kind):
        def send(self, event):
            if isinstance(event, EngineStarted):
                event = replace(event, rules=generation)
            return super().send(event)

    return Former


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
    rig = working(as_of(1, Rig)())
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
    rig = TwoMarkets(limits=LIMITS)
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


def at_work(kind=TwoMarkets):
    """A routed order with a fill; its next parent would be P2."""
    rig = kind(limits=LIMITS)
    rig.open_market()
    rig.send(routed())
    pass_time(rig, 5)
    assert rig.engine.state.next_parent_no == 2
    return rig


def pass_time(rig, seconds):
    for _ in range(seconds):
        rig.settle()
        rig.fills()
        rig.tick(1, volume="50")


def test_a_forgotten_leg_takes_the_routed_order_with_it_that_it_may_have_been_of():
    rig = at_work()
    forgotten(rig, "x-2-1")
    pass_time(rig, 120)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.CANCELED, Reason.LOST_FILL)
    assert sum(rig.filled()) + D("0.2") <= rig.route().order.order_qty


def test_by_the_former_rules_it_was_filled_beyond_its_quantity():
    rig = at_work(as_of(2, TwoMarkets))
    forgotten(rig, "x-2-1")
    pass_time(rig, 120)
    assert sum(rig.filled()) + D("0.2") > rig.route().order.order_qty


@pytest.mark.parametrize("other", [dict(side=Side.SELL), dict(symbol="ETHUSDT")])
def test_a_routed_order_of_another_side_or_market_goes_on(other):
    rig = at_work()
    rig.send(OrderFilled(at_ns=0, fill=fill(client_order_id="x-2-1", exec_id="late", **other)))
    pass_time(rig, 120)
    assert rig.route().status is ParentStatus.COMPLETE


def left_open(rig, name, *, category=Category.LINEAR):
    """An order that rests at the venue, and that the journal has never heard of."""
    known = next(iter(rig.venue.orders.values()))
    order = replace(known.order, client_order_id=name, category=category, px=D("49000"), qty=D("0.3"))
    rig.venue.orders[name] = VenueOrder(order=order, venue_order_id=f"v-{name}")
    rig.restart()
    rig.open_market()


@pytest.mark.parametrize(("name", "known"), [("x-1-zz", True), ("x-z-1", False)])
def test_an_open_order_that_is_not_known_stops_everything_and_is_cancelled(name, known):
    rig = working(Rig())
    left_open(rig, name)
    state = rig.engine.state
    assert state.latched
    assert name in state.latch_reason
    assert not rig.venue.orders[name].is_open
    assert (rig.parent().status is ParentStatus.CANCELED) is known
    assert state.next_parent_no == (2 if known else 36)
    run(rig, 40)
    assert rig.alerts().count("ORDER_CONFLICT") == 1


def test_a_cancel_that_did_not_arrive_is_repeated_by_the_next_complete_read():
    rig = working(Rig())
    left_open(rig, "x-1-zz")
    rig.venue.orders["x-1-zz"].status = VenueStatus.NEW
    run(rig, 2 * rig.timings.reconcile_s)
    assert not rig.venue.orders["x-1-zz"].is_open


def test_one_that_may_be_of_a_routed_order_ends_that():
    rig = at_work()
    left_open(rig, "x-2-1")
    pass_time(rig, 60)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.CANCELED, Reason.LOST_FILL)


@pytest.mark.parametrize("name", ["y-1-9", "x-1", "x-1-A", "by-hand"])
def test_an_open_order_of_another_making_is_left_alone(name):
    rig = working(Rig())
    left_open(rig, name)
    run(rig, 40)
    assert not rig.engine.state.latched
    assert rig.venue.orders[name].is_open


def test_by_the_former_rules_nobody_watched_an_open_order_that_was_not_known():
    rig = working(as_of(2, Rig)())
    left_open(rig, "x-1-zz")
    run(rig, 40)
    assert not rig.engine.state.latched
    assert rig.venue.orders["x-1-zz"].is_open


def at_venue(rig, name, status, **over):
    """What the venue says of an order under that id, asked anew."""
    known = next(iter(rig.venue.orders.values()))
    shown = rig.venue.update_of(
        replace(known, order=replace(known.order, client_order_id=name), status=status)
    )
    rig.send(replace(shown, venue_order_id=f"v-{name}", updated_ms=99, asked_ns=rig.now_ns, **over))


def one_unanswered(kind=Rig):
    """A parent whose only order was not answered; it is x-1-1 of 0.4."""
    rig = kind()
    rig.open_market()
    rig.send(submitted(order_qty=D("0.4"), duration_s=600, params=StrategyParams(interval_s=600)))
    rig.tick(1)
    name = rig.commands(PlaceOrder)[-1].approved.order.client_order_id
    rig.pending.clear()
    rig.send(OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail="110072"))
    rig.venue.orders[name] = VenueOrder(order=rig.commands(PlaceOrder)[-1].approved.order, venue_order_id="v")
    return rig, name


def test_an_id_that_was_used_before_stops_once_and_its_parent_ends():
    rig, name = one_unanswered()
    rig.now_ns += 20 * NS_PER_S - 1
    at_venue(rig, name, VenueStatus.CANCELED, qty=D("0.1"))
    assert rig.child(1).status is ChildStatus.UNKNOWN, "ours could still come"
    rig.now_ns += 1
    at_venue(rig, name, VenueStatus.CANCELED, qty=D("0.1"))
    assert rig.engine.state.latched
    assert rig.child(1).status is ChildStatus.REJECTED
    assert (rig.parent().status, rig.parent().reason) == (ParentStatus.CANCELED, Reason.LOST_FILL)


@pytest.mark.parametrize(
    ("status", "over"),
    [
        (VenueStatus.NEW, dict(qty=D("0.1"))),
        (VenueStatus.CANCELED, dict(qty=D("0.1"), cum_qty=D("0.05"))),
        (VenueStatus.CANCELED, dict(side=Side.SELL)),
        (VenueStatus.CANCELED, dict(symbol="ETHUSDT")),
    ],
)
def test_what_may_be_ours_all_the_same_stays_in_doubt(status, over):
    rig, name = one_unanswered()
    rig.now_ns += 60 * NS_PER_S
    at_venue(rig, name, status, **over)
    assert rig.engine.state.latched
    assert rig.child(1).status is not ChildStatus.REJECTED
    assert rig.child(1).open_qty == rig.child(1).order.qty


def test_by_the_former_rules_an_id_that_was_used_before_stopped_everything_for_ever():
    rig, name = one_unanswered(as_of(2, Rig))
    rig.now_ns += 60 * NS_PER_S
    at_venue(rig, name, VenueStatus.CANCELED, qty=D("0.1"))
    assert rig.child(1).status is ChildStatus.UNKNOWN


def test_the_end_of_an_order_whose_amendment_was_forgotten_is_believed():
    rig, name = one_unanswered()
    order = rig.child(1).order
    rig.send(rig.venue.acked(rig.venue.orders[name]))
    at_venue(rig, name, VenueStatus.NEW, px=order.px + 1)
    assert rig.engine.state.latched
    assert not rig.child(1).is_final
    at_venue(rig, name, VenueStatus.CANCELED, px=order.px + 1, cum_qty=D("0.1"))
    assert rig.child(1).status is ChildStatus.CANCELED
    assert rig.child(1).open_qty == D("0.1"), "its fill is still to come"
    rig.send(
        OrderFilled(at_ns=0, fill=fill(client_order_id=name, exec_id="e", last_qty=D("0.1"), side=order.side))
    )
    assert not rig.parent().live
    assert rig.parent().cum_qty == D("0.1")
