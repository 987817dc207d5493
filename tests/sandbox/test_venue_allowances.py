"""Allowances and the watch over disconnect protection, with a clock that moves only when told to."""

import pytest

from sandbox.bybit_server.clock import NS_PER_S, ManualClock, now_ms
from sandbox.bybit_server.dcp_watch import DcpWatch
from sandbox.bybit_server.rate_limit import AddressLimit, RollingLimits
from sandbox.bybit_server.refusal import RefusalError


def test_a_batch_is_granted_as_many_orders_as_are_left():
    clock = ManualClock()
    limits = RollingLimits(clock)
    assert limits.visit("u", 10, weight=5).granted == 5
    second = limits.visit("u", 10, weight=8)
    assert (second.granted, second.remaining, second.exceeded) == (5, 0, False)
    assert second.reset_ms > now_ms(clock)
    third = limits.visit("u", 10, weight=1)
    assert (third.granted, third.exceeded) == (0, True)
    with pytest.raises(RefusalError) as caught:
        third.refuse_if_exceeded()
    assert caught.value.code == 10006
    clock.advance_ms(999)
    assert limits.visit("u", 10).exceeded
    clock.advance_ms(2)
    assert limits.visit("u", 10, weight=10).granted == 10


@pytest.mark.parametrize(("shared", "left"), [(True, 8), (False, 9)])
def test_doors_share_an_allowance_or_not(shared, left):
    limits = RollingLimits(ManualClock(), shared=shared)
    limits.visit("u", 10, transport="rest")
    assert limits.visit("u", 10, transport="trade").remaining == left


def test_the_reset_stamp_is_always_ahead_when_over():
    clock = ManualClock()
    limits = RollingLimits(clock)
    for step_ms in (0, 1, 400, 998):
        clock.advance_ms(step_ms)
        allowance = limits.visit("u", 1)
        assert allowance.exceeded == (step_ms > 0 and allowance.granted == 0)
        if allowance.exceeded:
            assert allowance.reset_ms > now_ms(clock)


def test_an_address_is_banned_for_its_visits_or_by_order():
    clock = ManualClock()
    limit = AddressLimit(clock, requests_max=2, ban_s=600)
    assert [limit.admits("a") for _ in range(3)] == [True, True, False]
    assert limit.admits("b")
    clock.advance_ms(599_000)
    assert not limit.admits("a")
    clock.advance_ms(1_001)
    assert limit.admits("a")
    limit.ban_all(10)
    assert not limit.admits("b")
    clock.advance_ms(10_001)
    assert limit.admits("b")
    limit.ban_all(10)
    limit.unban()
    assert limit.admits("c")


def test_a_ban_by_order_holds_without_a_limit():
    limit = AddressLimit(ManualClock(), requests_max=0, ban_s=1)
    assert limit.admits("a")
    limit.ban_all(5)
    assert not limit.admits("a")


def test_protection_counts_from_the_loss_of_the_last_holder():
    clock = ManualClock()
    watch = DcpWatch(clock)
    assert watch.lost_since_ns(1, "dcp.future") is None
    watch.held(1, "order", "x")
    watch.held(1, "dcp.future", "a")
    watch.held(1, "dcp.future", "b")
    assert watch.is_held(1, "dcp.future")
    assert not watch.is_held(1, "dcp.spot")
    watch.lost(1, "dcp.future", "a")
    assert watch.lost_since_ns(1, "dcp.future") is None
    clock.advance_ms(2_000)
    watch.lost(1, "dcp.future", "b")
    lost_ns = watch.lost_since_ns(1, "dcp.future")
    assert lost_ns == clock.monotonic_ns()
    clock.advance_ms(1_000)
    watch.lost(1, "dcp.future", "b")
    assert watch.lost_since_ns(1, "dcp.future") == lost_ns
    assert clock.monotonic_ns() - lost_ns == NS_PER_S
    watch.held(1, "dcp.future", "c")
    assert watch.lost_since_ns(1, "dcp.future") is None
    assert watch.lost_since_ns(2, "dcp.future") is None
