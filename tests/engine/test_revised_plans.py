"""Plans that the market changes: once for each slice, the whole and its end stay, and a replay does the same."""

import pytest

from executor.domain.orders import StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.domain.volume_curve import HOURS_PER_WEEK, VolumeCurve
from executor.engine.engine import Engine
from executor.runtime import record
from strategies.volume_curve import whole_ppm
from tests.builders import D, submitted
from tests.engine.rig import Rig

USUAL_VOLUME = VolumeCurve(
    name="flat", weights_ppm=whole_ppm([1.0] * HOURS_PER_WEEK), week_qty=D(5 * 3_600 * HOURS_PER_WEEK)
)
"""Five a second, which is what the rig's market trades."""
BY_VOLUME = dict(strategy="vwap", curve=USUAL_VOLUME)
BY_RISK = dict(strategy="arrival-price", risk_aversion=D("0.001"))


def working(*, strategy, order_qty="12", **params):
    rig = Rig()
    rig.open_market()
    for second in range(60):
        rig.tick(1, move="2" if second % 2 else "-2")
    rig.send(
        submitted(
            strategy=strategy,
            order_qty=D(order_qty),
            duration_s=240,
            params=StrategyParams(interval_s=20, passiveness=D(0), **params),
        )
    )
    rig.settle()
    return rig


def watched(rig, seconds, volume="5", move="2"):
    """Let the market go on; gives each plan that was in force, with the slice in which it came."""
    parent = rig.parent()
    plans = [(0, parent.schedule)]
    for second in range(seconds):
        rig.tick(1, volume=volume, move=move if second % 2 else f"-{move}")
        rig.settle()
        for entry in [one for one in rig.venue.orders.values() if one.is_open]:
            rig.venue.fill(entry, entry.order.qty)
        rig.settle()
        if parent.schedule != plans[-1][1]:
            plans.append((parent.slice_no, parent.schedule))
    return plans


def sizes(schedule):
    return [one.qty for one in schedule.slices]


def test_a_usual_market_leaves_the_plan_by_volume():
    assert len(watched(working(**BY_VOLUME), 200)) == 1


@pytest.mark.parametrize(("volume", "sign"), [("25", 1), ("0.5", -1)])
def test_a_market_that_trades_more_or_less_changes_the_next_slice(volume, sign):
    rig = working(**BY_VOLUME)
    plans = watched(rig, 30, volume=volume)
    assert [index for index, _ in plans] == [0, 1]
    before, after = sizes(plans[0][1]), sizes(plans[1][1])
    assert after[0] == before[0]
    assert sign * (after[1] - before[1]) > 0
    assert sum(after) == sum(before) == 12


def test_a_plan_by_risk_is_made_by_the_market_that_it_begins_in():
    rig = working(**BY_RISK)
    made = sizes(rig.parent().schedule)
    assert made[0] > 2 * made[-1], "not even: the volatility of the beginning is known"
    even = working(strategy="twap").parent().schedule
    assert [one.end_ns for one in rig.parent().schedule.slices] == [one.end_ns for one in even.slices]


def test_a_wilder_market_hurries_what_is_left_at_most_once_a_slice():
    rig = working(**BY_RISK)
    plans = watched(rig, 100, move="20")
    indexes = [index for index, _ in plans[1:]]
    assert indexes, "nothing was revised"
    assert indexes == sorted(set(indexes))
    first, last = plans[0][1], plans[1][1]
    index = indexes[0]
    assert last.slices[:index] == first.slices[:index]
    assert last.slices[index].qty > first.slices[index].qty


@pytest.mark.parametrize("how", [BY_VOLUME, BY_RISK])
def test_an_order_with_a_changing_plan_is_done_in_time(how):
    rig = working(**how)
    watched(rig, 120, volume="25", move="20")
    watched(rig, 130, volume="2", move="2")
    assert rig.parent().status is ParentStatus.COMPLETE
    assert rig.parent().cum_qty == 12


@pytest.mark.parametrize("how", [BY_VOLUME, BY_RISK])
def test_a_replay_makes_the_same_plans_byte_for_byte(how):
    rig = working(**how)
    plans = watched(rig, 90, volume="25", move="20")
    assert len(plans) > 1
    again = Engine()
    for kind, (event, commands) in zip(rig.kinds, rig.journal, strict=True):
        assert record.encode_commands(again.on_event(record.decode_event(kind, event))) == commands
    assert record.encode_state(again.state) == record.encode_state(rig.engine.state)


@pytest.mark.parametrize("how", [BY_VOLUME, BY_RISK])
def test_a_restart_in_the_middle_goes_on_with_the_plan_in_force(how):
    rig = working(**how)
    watched(rig, 50, volume="25", move="20")
    schedule = rig.parent().schedule
    rig.restart()
    assert rig.parent().schedule == schedule
    assert rig.parent().order.params.curve == how.get("curve")
