"""Whether a daemon says that it is ready: never before every followed category was read completely."""

import pytest

from executor.app.daemon import standing_doubts
from executor.engine.state import EngineState, MarketState


def state(**over):
    return EngineState(**{**dict(private_live=True, trade_live=True), **over})


@pytest.mark.parametrize(
    ("known", "ready"),
    [
        ({}, True),
        ({"reconciling": {"linear": 1}}, False),
        ({"markets": {"linear:BTCUSDT": MarketState()}}, False),
        ({"markets": {"linear:BTCUSDT": MarketState()}, "reconciling": {"linear": 1}}, False),
        ({"markets": {"linear:BTCUSDT": MarketState()}, "reconciled": {"linear": False}}, False),
        ({"markets": {"linear:BTCUSDT": MarketState()}, "reconciled": {"linear": True}}, True),
        (
            {"markets": dict.fromkeys(["linear:A", "spot:A"], MarketState()), "reconciled": {"linear": True}},
            False,
        ),
        ({"reconciled": {"linear": True}, "reconciling": {"linear": 7}}, True),
    ],
)
def test_ready_needs_a_complete_read_of_each_category(known, ready):
    assert standing_doubts(state(**known)) == (() if ready else ("UNRECONCILED",))


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"latched": True}, "HALTED"),
        ({"draining": True}, "DRAINING"),
        ({"private_live": False}, "PRIVATE_STREAM_DOWN"),
        ({"trade_live": False}, "ORDER_ENTRY_DOWN"),
        ({"restricted_until_ns": 1}, "VENUE_RESTRICTED"),
        ({"sentinel_required": True}, "SENTINEL_SILENT"),
    ],
)
def test_each_other_obstacle_is_named(over, code):
    assert standing_doubts(state(**over)) == (code,)
