"""What a stop and a start say of the parents that are open: which go on, which wait, how they are kept still."""

import pytest

from executor.domain.commands import PlaceOrder
from executor.domain.events import BookLost, CancelRequested, HaltRequested, PauseRequested
from executor.domain.orders import Category, Side, StrategyParams
from executor.runtime.open_parents import say_left_open, say_resuming
from tests.builders import D, submitted
from tests.engine.rig import Rig


@pytest.fixture
def rig():
    rig = Rig()
    rig.open_market()
    params = StrategyParams(interval_s=20, passiveness=D(0))
    for number in (1, 2):
        rig.send(submitted(idempotency_key=f"k{number}", side=Side.SELL, order_qty=D(number), params=params))
    rig.tick(1)
    (first, *_) = rig.commands(PlaceOrder)
    rig.settle()
    rig.venue.fill(rig.venue.orders[first.approved.order.client_order_id], D("0.1"))
    rig.settle()
    return rig


def said(say, rig):
    lines = []
    say(rig.engine.state, lambda message, **fields: lines.append((message, fields)))
    return lines


def pause(rig, name):
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id=name))


def test_a_start_names_the_parents_it_goes_on_with(rig):
    ((line, fields),) = said(say_resuming, rig)
    assert line == "resuming 2 parents: P1 sell 1 BTCUSDT (0.1 filled), P2 sell 2 BTCUSDT (0 filled)"
    assert "executor pause" in fields["next"]


def test_a_start_tells_those_that_wait_for_a_person_from_those_that_go_on(rig):
    pause(rig, "P2")
    rig.send(BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="gap"))
    (going, _), (still, fields) = said(say_resuming, rig)
    assert going == "resuming 1 parent: P1 sell 1 BTCUSDT (0.1 filled, paused: BOOK_LOST)"
    assert still == "1 parent paused: P2 sell 2 BTCUSDT (0 filled, paused: OPERATOR)"
    assert fields["next"] == "to go on: `executor resume`"


def test_after_a_halt_nobody_goes_on(rig):
    rig.send(HaltRequested(at_ns=0, request_id="h", operator="ann", reason="stop"))
    ((line, fields),) = said(say_resuming, rig)
    assert line.startswith("2 parents paused: P1 ")
    assert fields["next"] == "to go on: `executor rearm`, then `executor resume`"
    assert said(say_left_open, rig) == []


def test_a_stop_names_what_the_next_start_goes_on_with_and_how_to_prevent_it(rig):
    pause(rig, "P2")
    ((line, fields),) = said(say_left_open, rig)
    assert line == "1 parent left open: P1 sell 1 BTCUSDT (0.1 filled); the next start goes on from here"
    assert fields["level"] == "warning"
    assert all(f"`executor {verb}`" in fields["next"] for verb in ("pause", "cancel", "halt", "kill"))


def test_what_is_ending_is_not_resumed(rig):
    for name in ("P1", "P2"):
        rig.send(CancelRequested(at_ns=0, request_id="c", parent_id=name))
    assert [line for line, _ in said(say_resuming, rig)] == []
    assert said(say_left_open, rig) == []


def test_nothing_is_said_where_nothing_is_open():
    rig = Rig()
    assert said(say_resuming, rig) == said(say_left_open, rig) == []
