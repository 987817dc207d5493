"""The orders of a minute, shared by many parents: nobody starves, and who must be done soon comes first."""

from collections import Counter

import pytest

from executor.domain.commands import PlaceOrder, RefuseOrder, ReplaceOrder
from executor.domain.limits import Limits
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from executor.engine.state import EngineState
from executor.engine.turns import join, leave, room_ns, turn_ns
from tests.builders import D, submitted
from tests.engine.rig import Rig


class Crowd(Rig):
    """Parents of one symbol, all of which want an order every few seconds; every order fills a little and ends."""

    def __init__(self, **limits):
        usual = dict(orders_per_s_max=20, orders_per_min_max=12, order_gap_s_min=D(1))
        super().__init__(limits=Limits(**{**usual, **limits}))
        self.open_market()

    def add(self, number, **over):
        usual = dict(
            request_id=f"r{number}", idempotency_key=f"k{number}", order_qty=D("1"), duration_s=600,
            params=StrategyParams(interval_s=5, passiveness=D(0)), residual=ResidualRule.LEAVE,
        )  # fmt: skip
        self.send(submitted(**{**usual, **over}))

    def run(self, seconds):
        """Every child is cancelled by the venue as soon as it is asked for, so that more is always wanted."""
        for _ in range(seconds):
            self.settle()
            for entry in [one for one in self.venue.orders.values() if one.is_open]:
                self.venue.fill(entry, min(entry.order.qty, D("0.002")))
                if entry.is_open:
                    self.venue.end(entry)
            self.settle()
            self.tick(1, volume="500")

    def placed(self, since=0):
        return Counter(
            command.approved.order.parent_id
            for command in self.log[since:]
            if isinstance(command, PlaceOrder)
        )


def test_a_scarce_budget_is_shared_in_turn():
    rig = Crowd()
    for number in range(1, 7):
        rig.add(number)
    rig.run(60)
    begun = len(rig.log)
    rig.run(240)
    counts = rig.placed(begun)
    assert len(counts) == 6
    assert sum(counts.values()) >= 40  # the budget is used: twelve a minute
    assert max(counts.values()) - min(counts.values()) <= 1


def test_who_is_near_the_deadline_comes_first_however_many_others_want_something():
    rig = Crowd(orders_per_min_max=6)
    for number in range(1, 6):
        rig.add(number)
    rig.run(120)
    rig.add(6, duration_s=50, order_qty=D("0.5"), residual=ResidualRule.CROSS)
    begun = len(rig.log)
    rig.run(80)
    counts = rig.placed(begun)
    assert counts["P6"] >= sum(counts.values()) - counts["P6"]  # one parent of six, and half of all orders
    assert all(rig.parent(f"P{number}").cum_qty > 0 for number in range(1, 6))


def test_a_restart_changes_nothing_about_whose_turn_it_is():
    rig = Crowd(orders_per_min_max=6)
    for number in range(1, 6):
        rig.add(number)
    rig.run(90)
    queued = list(rig.engine.state.queued)
    assert queued
    rig.restart()
    assert rig.engine.state.queued == queued


def test_a_lone_parent_waits_until_there_is_room_and_not_longer():
    rig = Crowd(orders_per_min_max=3)
    rig.add(1)
    rig.run(130)
    refusals = rig.commands(RefuseOrder)
    assert refusals
    assert all(set(one.codes) == {"ORDERS_PER_MINUTE"} for one in refusals)
    times = rig.engine.state.order_times_ns
    assert len(times) >= 7
    assert all(later - earlier < 61 * NS_PER_S for earlier, later in zip(times, times[3:], strict=False))
    assert all(later - earlier >= 60 * NS_PER_S for earlier, later in zip(times, times[3:], strict=False))


def queue(rig, *numbers):
    state: EngineState = rig.engine.state
    for number in numbers:
        join(state, rig.parent(f"P{number}"))
    return state


@pytest.mark.parametrize("amends", [False, True])
def test_an_amendment_waits_for_all_who_want_something_new(amends):
    rig = Crowd(orders_per_min_max=3)
    rig.add(1)
    rig.add(2)
    rig.run(3)
    state = queue(rig, 2)
    state.order_times_ns[:] = [state.now_ns - 30 * NS_PER_S, state.now_ns]
    rig.parent("P1").last_order_ns = state.now_ns - 50 * NS_PER_S  # it has not ordered for longest
    assert room_ns(state) == 0
    expected = state.now_ns + 30 * NS_PER_S if amends else 0
    assert turn_ns(state, rig.parent("P1"), amends=amends) == expected
    rig.parent("P1").last_order_ns -= 10 * NS_PER_S  # a minute has passed: it is its turn whatever it wants
    assert turn_ns(state, rig.parent("P1"), amends=amends) == 0
    leave(state, rig.parent("P2"))
    assert turn_ns(state, rig.parent("P1"), amends=amends) == 0


def test_who_no_longer_works_holds_nobody_up():
    rig = Crowd(orders_per_min_max=3)
    rig.add(1)
    rig.add(2)
    rig.run(3)
    state = queue(rig, 2)
    state.order_times_ns[:] = [state.now_ns, state.now_ns]
    rig.parent("P2").last_order_ns = 0
    assert turn_ns(state, rig.parent("P1")) > state.now_ns
    rig.parent("P2").status = ParentStatus.PAUSED
    assert turn_ns(state, rig.parent("P1")) == 0
    join(state, rig.parent("P1"))
    assert state.queued == ["P1"]


def test_one_order_a_second_is_not_kept_for_who_is_near_the_deadline():
    rig = Crowd(orders_per_s_max=1, orders_per_min_max=40)
    rig.add(1)
    rig.run(2)
    begun = len(rig.log)
    rig.add(2, duration_s=50, order_qty=D("0.5"), params=StrategyParams(interval_s=25, passiveness=D(0)))
    rig.run(40)
    counts = rig.placed(begun)
    assert counts["P2"] >= 2
    assert counts["P1"] >= 5  # one for each slice of its plan but the first


class Chasing(Crowd):
    """One parent more rests in the market, which moves away from it all the time."""

    def run(self, seconds):
        for number in range(seconds):
            self.mid = D("50000") + number % 7
            self.settle()
            for entry in [one for one in self.venue.orders.values() if one.is_open]:
                if entry.order.parent_id != "P7":
                    self.venue.fill(entry, min(entry.order.qty, D("0.002")))
                    if entry.is_open:
                        self.venue.end(entry)
            self.settle()
            self.tick(1, volume="500")


def test_who_has_one_long_slice_does_not_wait_for_all_that_are_behind_their_plan():
    rig = Chasing(orders_per_min_max=6)
    for number in range(1, 7):
        rig.add(number)
    rig.run(60)
    rig.add(7, params=StrategyParams(interval_s=600, passiveness=D(0)), order_qty=D("0.5"))
    begun = len(rig.log)
    rig.run(130)
    assert rig.placed(begun)["P7"] >= 1


def test_a_resting_order_follows_the_market_however_many_want_something_new():
    rig = Chasing(orders_per_min_max=6)
    for number in range(1, 7):
        rig.add(number)
    rig.add(7, params=StrategyParams(interval_s=600, passiveness=D(1)), order_qty=D("0.5"))
    rig.run(60)
    begun = len(rig.log)
    rig.run(300)
    moved = [one for one in rig.log[begun:] if isinstance(one, ReplaceOrder)]
    assert {one.approved.order.parent_id for one in moved} == {"P7"}
    assert len(moved) >= 2


def test_a_journal_from_before_the_queue_is_reckoned_without_it():
    rig = Crowd(orders_per_min_max=3)
    rig.add(1)
    rig.add(2)
    rig.run(3)
    state = queue(rig, 1, 2)
    assert turn_ns(state, rig.parent("P1"), amends=True) > 0
    state.rules = 0
    state.queued.clear()
    assert queue(rig, 1, 2).queued == []
    assert turn_ns(state, rig.parent("P1"), amends=True) == 0
