"""What others do in the account, and what the venue does to it: booked, kept, told, and cleared by a person."""

import pytest

from executor.domain.commands import PlaceOrder, RaiseAlert, RefuseOrder, Severity
from executor.domain.events import ExecutionUnexplained, OrderFilled, RearmRequested
from executor.domain.orders import Category, Side, StrategyParams
from executor.engine.ledger import day_notional
from executor.engine.state import OrphanFill
from tests.builders import D, fill, submitted
from tests.engine.rig import Rig

LEDGER = "linear:BTCUSDT:0"
MARKET = "linear:BTCUSDT"
SIDES = pytest.mark.parametrize("side", list(Side))


@pytest.fixture
def rig():
    rig = Rig()
    rig.open_market()
    return rig


def run(rig, seconds):
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()


def by_hand(side=Side.BUY, name="", exec_id="s1", qty="0.3"):
    execution = fill(
        side=side, client_order_id=name, venue_order_id="hand", exec_id=exec_id, last_qty=D(qty), fee=D(2)
    )
    return OrderFilled(at_ns=0, fill=execution)


def rearm(rig):
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="ann", reason="my own trade"))


def opens_nothing(rig):
    rig.send(submitted(duration_s=600, params=StrategyParams(interval_s=60, passiveness=D(0))))
    run(rig, 10)
    assert rig.commands(PlaceOrder) == []
    assert {code for each in rig.commands(RefuseOrder) for code in each.codes} == {"SYMBOL_BLOCKED"}


@SIDES
@pytest.mark.parametrize(
    ("name", "code"),
    [("", "EXECUTION_UNEXPLAINED"), ("by-hand", "EXECUTION_UNEXPLAINED"), ("x-9-9", "ORPHAN_FILL")],
)
def test_a_strangers_fill_is_booked_kept_and_told(rig, side, name, code):
    before = day_notional(rig.engine.state)
    rig.send(by_hand(side, name))
    state = rig.engine.state
    assert state.ledgers[LEDGER].position_qty == side.sign * D("0.3")
    assert state.ledgers[LEDGER].day_fees == 2
    assert day_notional(state) - before == D("0.3") * 50_000
    key = f"{MARKET}:s1"
    assert state.orphans == [
        OrphanFill(key=key, client_order_id=name, venue_order_id="hand", symbol="BTCUSDT", last_qty=D("0.3"))
    ]
    assert list(state.unattributed) == ([] if name else [key])
    (alert,) = rig.commands(RaiseAlert)
    assert (alert.severity, alert.code) == (Severity.CRITICAL, code)
    assert key in alert.detail
    assert state.markets[MARKET].blocked.startswith(f"{code}: ")
    opens_nothing(rig)


def test_a_repeat_of_it_is_booked_and_told_once_also_after_a_rearm(rig):
    for _ in range(3):
        rig.send(by_hand())
    rig.venue.opening["BTCUSDT", 0] = D("0.3")
    assert rig.alerts().count("EXECUTION_UNEXPLAINED") == 1
    rearm(rig)
    run(rig, 2)
    rig.send(by_hand())
    state = rig.engine.state
    assert state.orphans == []
    assert state.ledgers[LEDGER].position_qty == D("0.3")
    assert state.markets[MARKET].blocked == ""
    assert rig.alerts().count("EXECUTION_UNEXPLAINED") == 1


def test_several_are_all_kept_and_the_first_block_stands(rig):
    for number in (1, 2, 3):
        rig.send(by_hand(exec_id=f"s{number}", qty="0.1"))
    state = rig.engine.state
    assert [orphan.key for orphan in state.orphans] == [f"{MARKET}:s{number}" for number in (1, 2, 3)]
    assert state.ledgers[LEDGER].position_qty == D("0.3")
    assert f"{MARKET}:s1 " in state.markets[MARKET].blocked
    rearm(rig)
    assert "3 fills without an order" in rig.last_reply().text


# ---------------------------------------------------------------- what the venue does of its own accord


def unexplained(kind, side=None, exec_id="z1", qty="0.4"):
    moved = None
    if side is not None:
        moved = fill(
            side=side, client_order_id="", venue_order_id="", exec_id=exec_id, last_qty=D(qty), fee=D(3)
        )
    return ExecutionUnexplained(
        at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", exec_id=exec_id, kind=kind, fill=moved
    )


@SIDES
@pytest.mark.parametrize("kind", ["AdlTrade", "BustTrade"])
def test_a_deleveraging_or_liquidation_moves_the_position_once_and_blocks(rig, side, kind):
    """The venue's position then agrees with ours: the block is for what happened, and not for a difference."""
    rig.send(unexplained(kind, side))
    rig.send(unexplained(kind, side))
    rig.venue.opening["BTCUSDT", 0] = side.sign * D("0.4")
    ledger = rig.engine.state.ledgers[LEDGER]
    assert ledger.position_qty == side.sign * D("0.4")
    assert ledger.day_fees == 3
    assert rig.alerts().count("EXECUTION_UNEXPLAINED") == 1
    assert rig.engine.state.markets[MARKET].blocked == f"EXECUTION_UNEXPLAINED: {kind} z1"
    run(rig, 60)
    assert "POSITION_DIFFERS" not in rig.alerts()
    assert not ledger.differs_since_ns
    opens_nothing(rig)


def test_one_that_can_not_be_read_moves_nothing_and_the_difference_is_found(rig):
    rig.send(unexplained("Delivery"))
    assert rig.engine.state.ledgers[LEDGER].position_qty == 0
    assert rig.engine.state.markets[MARKET].blocked == "EXECUTION_UNEXPLAINED: Delivery z1"
    rig.venue.opening["BTCUSDT", 0] = D("0.4")
    run(rig, 60)
    assert rig.engine.state.ledgers[LEDGER].difference_qty == D("0.4")


def test_where_long_and_short_are_kept_apart_it_is_booked_to_neither():
    rig = Rig(position_idx=1)
    rig.open_market()
    rig.send(unexplained("AdlTrade", Side.SELL))
    state = rig.engine.state
    assert all(ledger.net_qty == 0 for ledger in state.ledgers.values())
    assert LEDGER not in state.ledgers
    assert state.markets[MARKET].blocked
