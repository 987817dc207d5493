"""The venue's rules of a symbol change while parents work: plans by the new ones, no order while it does not trade."""

import pytest

from executor.domain.commands import PlaceOrder, RefuseOrder
from executor.domain.events import InstrumentLoaded, InstrumentMissing
from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from tests.builders import D, instrument, submitted
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))


def at_work(side, seconds=3):
    """Six slices of 0.166 or 0.167."""
    rig = Rig()
    rig.open_market()
    rig.send(submitted(side=side, duration_s=120, params=StrategyParams(interval_s=20, passiveness=D(0))))
    run(rig, seconds)
    return rig


def run(rig, seconds):
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()
        for entry in list(rig.venue.orders.values()):
            rig.venue.fill(entry, entry.order.qty)
        rig.settle()


def load(rig, **over):
    rig.rules = instrument(**over)
    rig.send(InstrumentLoaded(at_ns=0, instrument=rig.rules))


@SIDES
def test_a_coarser_step_makes_the_plan_anew_and_no_child_is_off_it(side):
    rig = at_work(side)
    before = rig.parent().schedule
    done_qty = rig.parent().cum_qty
    assert done_qty
    sent = len(rig.commands(PlaceOrder))
    load(rig, qty_step=D("0.05"), min_order_qty=D("0.05"))
    rig.tick(1)
    after = rig.parent().schedule
    assert after is not before
    assert after.base_qty == done_qty
    assert all(piece.qty % D("0.05") == 0 for piece in after.slices[:-1])
    run(rig, 130)
    later = [command.approved.order for command in rig.commands(PlaceOrder)[sent:]]
    assert later
    assert all(order.qty % D("0.05") == 0 for order in later)
    assert rig.parent().status is ParentStatus.COMPLETE
    assert rig.parent().leaves_qty < D("0.05")


def test_the_same_rules_read_again_change_no_plan():
    rig = at_work(Side.BUY)
    before = rig.parent().schedule
    load(rig)
    rig.tick(1)
    assert rig.parent().schedule is before
    assert not rig.parent().replan


def test_rules_that_change_before_the_first_plan_need_no_second_one():
    rig = Rig()
    rig.open_market(warmup_s=1)
    rig.send(submitted())
    load(rig, qty_step=D("0.01"))
    assert not rig.parent().replan


@SIDES
def test_a_symbol_that_does_not_trade_gets_no_order_until_it_does(side):
    rig = at_work(side)
    sent = len(rig.commands(PlaceOrder))
    load(rig, trading=False)
    run(rig, 40)
    assert len(rig.commands(PlaceOrder)) == sent
    assert "INSTRUMENT_NOT_TRADING" in rig.parent().waiting
    assert {code for each in rig.commands(RefuseOrder) for code in each.codes} == {"INSTRUMENT_NOT_TRADING"}
    load(rig)
    run(rig, 40)
    assert len(rig.commands(PlaceOrder)) > sent


@SIDES
def test_a_symbol_that_is_gone_ends_its_parents_once_nothing_is_open(side):
    rig = Rig()
    rig.open_market()
    rig.send(submitted(side=side, duration_s=120, params=StrategyParams(interval_s=60, passiveness=D(1))))
    rig.tick(1)
    rig.settle()
    (entry,) = rig.venue.orders.values()
    gone = InstrumentMissing(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="delisted")
    rig.send(gone)
    assert not rig.parent().is_final
    rig.settle()
    assert not entry.is_open
    assert rig.parent().status is ParentStatus.FAILED
    assert rig.parent().reason is Reason.INSTRUMENT_UNUSABLE
    assert rig.parent().detail == "delisted"
    rig.send(submitted(idempotency_key="again"))
    rig.tick(1)
    assert rig.parent("P2").status is ParentStatus.FAILED
