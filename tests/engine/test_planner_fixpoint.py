"""What was realised once is not asked for again: the planner's fix-point, at one instant and over a slice.

The rig carries every command out honestly. Then the same question is put once more with nothing changed, and
nothing may leave: no order, no cancel, no refusal.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.commands import CancelOrder, PlaceOrder, RefuseOrder
from executor.domain.events import InstrumentLoaded, TimerFired
from executor.domain.limits import Limits
from executor.domain.orders import Side, StrategyParams, TimeInForce
from executor.domain.timeline import NS_PER_S
from tests.builders import D, instrument, submitted
from tests.engine.rig import Rig

LEAVES = (PlaceOrder, CancelOrder, RefuseOrder)
LIMITS = st.builds(
    Limits,
    order_gap_s_min=st.sampled_from([D(5), D(1), D(0)]),
    child_notional_max=st.sampled_from([D(100_000), D(5_000)]),
    open_notional_max=st.sampled_from([D(500_000), D(4_000)]),
    position_notional_max=st.sampled_from([D(5_000_000), D(20_000)]),
    participation_pct_max=st.sampled_from([D(10), D("0.1")]),
    orders_per_min_max=st.sampled_from([20, 2]),
)
PARAMS = st.builds(
    StrategyParams,
    interval_s=st.sampled_from([5, 20, 60]),
    randomize_size_pct=st.sampled_from([0, 40]),
    catch_up=st.booleans(),
    passiveness=st.none() | st.sampled_from([D(0), D("0.5"), D(1)]),
    reprice_ticks=st.integers(1, 3),
)
FILLS = st.sampled_from([D(0), D(0), D("0.3"), D(1)])


def carry_out(rig, share):
    """Everything honestly: what rests fills by a share, what takes fills by it and ends."""
    rig.settle()
    for entry in list(rig.venue.orders.values()):
        if entry.is_open:
            qty = (entry.order.qty * share).quantize(D("0.001"))
            if qty:
                rig.venue.fill(entry, qty)
            if entry.order.time_in_force is TimeInForce.IOC:
                rig.venue.end(entry)
    rig.settle()


def leaving(rig):
    return [command for command in rig.log if isinstance(command, LEAVES)]


@given(
    LIMITS,
    PARAMS,
    st.sampled_from(list(Side)),
    st.integers(1, 3_000).map(lambda lots: lots * D("0.001")),
    st.none() | st.integers(-30, 30).map(lambda ticks: D(50_000) + ticks * D("0.1")),
    st.lists(st.tuples(st.integers(-5, 5), FILLS), min_size=1, max_size=25),
)
def test_asking_again_at_the_same_instant_changes_nothing(limits, params, side, qty, limit_px, seconds):
    rig = Rig(limits=limits)
    rig.open_market()
    rig.send(submitted(side=side, order_qty=qty, limit_px=limit_px, params=params))
    for move, share in seconds:
        rig.tick(1, move=str(move * D("0.1")))
        carry_out(rig, share)
        before = leaving(rig)
        rig.send(TimerFired(at_ns=0, key="parent:P1"))
        rig.book()
        rig.settle()
        assert leaving(rig) == before


CUTS = [
    dict(),
    dict(child_notional_max=D(5_000)),
    dict(participation_pct_max=D("0.1")),
    dict(open_notional_max=D(4_000)),
]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("gap_s", [D(0), D(5)])
def test_resting_order_cut_by_a_limit_keeps_its_place(cut, side, gap_s):
    """A successor would be cut to the same size, so replacing it would only lose its place in the queue."""
    rig = Rig(limits=Limits(order_gap_s_min=gap_s, **cut))
    rig.open_market()
    params = StrategyParams(interval_s=60, passiveness=D(1))
    rig.send(submitted(side=side, order_qty=D(1), duration_s=60, params=params))
    rig.tick(1)
    carry_out(rig, D(0))
    (order,) = [entry.order for entry in rig.venue.orders.values()]
    assert (order.qty < 1) == bool(cut)
    before = leaving(rig)
    for _ in range(40):
        rig.tick(1)
        carry_out(rig, D(0))
    assert leaving(rig) == before


def test_resting_order_grows_when_a_successor_would_be_larger():
    """After half of it filled, the room of the value limit is free again and is used, once the gap is over."""
    rig = Rig(limits=Limits(child_notional_max=D(5_000)))
    rig.open_market()
    rig.send(submitted(order_qty=D(1), duration_s=60, params=StrategyParams(interval_s=60, passiveness=D(1))))
    rig.tick(1)
    carry_out(rig, D("0.5"))
    started_ns = rig.now_ns
    assert len(rig.venue.orders) == 1
    while len(rig.venue.orders) == 1:
        rig.tick(1)
        carry_out(rig, D(0))
    assert rig.now_ns - started_ns >= 4 * NS_PER_S
    first, second = rig.venue.orders.values()
    assert not first.is_open
    assert second.order.qty == first.order.qty == D("0.1") or second.order.qty == D("0.099")


def test_size_limit_below_the_venues_minimum_is_named_by_the_gate():
    """Of the 300 that trade in a slice these shares are 0.00012 and 0.0012: no step, and one step worth too little."""
    for pct in ("0.00004", "0.0004"):
        rig = Rig(limits=Limits(participation_pct_max=D(pct)))
        rig.open_market()
        rig.send(InstrumentLoaded(at_ns=0, instrument=instrument(min_notional=D(100))))
        rig.send(submitted(duration_s=60, params=StrategyParams(interval_s=60)))
        rig.tick(1)
        carry_out(rig, D(0))
        assert rig.venue.orders == {}
        assert {code for command in rig.commands(RefuseOrder) for code in command.codes} == {"PARTICIPATION"}
