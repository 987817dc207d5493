"""Cartea, Jaimungal and Penalva (2015), chapters 6, 7 and 9: fines on holding, a share of the volume, a drift."""

from dataclasses import replace
from itertools import pairwise

import pytest

from impact.theory.cartea_jaimungal import (
    Liquidation,
    acquired_qty,
    drift_gain,
    drift_speed,
    share_following_speed,
)

CHAPTER_6 = Liquidation(
    order_qty=1.0, deadline=1.0, temporary=1e-3, permanent=1e-3, left_fine=0.1, held_fine=1e-3
)
TABLE = {
    1e-3: ((0.70153853, 0.44715206, 0.22085846, 0.00844056), 1.305853),
    1e-2: ((0.45063728, 0.19790108, 0.07543086, 0.00261210), 3.172930),
    0.1: ((0.08208498, 0.00673770, 0.00055004, 0.00000829), None),
}
"""By the fine on holding: what is left after each quarter, and the speed at first."""


@pytest.mark.parametrize("fine", TABLE)
def test_chapter_6_table_of_holdings(fine):
    sale = replace(CHAPTER_6, held_fine=fine)
    left, speed = TABLE[fine]
    assert [sale.left_qty(quarter / 4) for quarter in range(1, 5)] == pytest.approx(left, abs=5e-9)
    assert sale.left_qty(0.0) == pytest.approx(1.0)
    if speed is not None:
        assert sale.speed(0.0) == pytest.approx(speed, abs=5e-7)


def test_speed_is_what_the_holdings_lose():
    for time in (0.1, 0.5, 0.9):
        slope = (CHAPTER_6.left_qty(time - 1e-6) - CHAPTER_6.left_qty(time + 1e-6)) / 2e-6
        assert CHAPTER_6.speed(time) == pytest.approx(slope, rel=1e-6)


def test_no_neighbour_of_the_way_costs_less():
    """Cost of a path in k, phi and alpha, by sums over a fine grid, against the same path bent a little."""
    steps = 1_000
    times = [number / steps for number in range(steps + 1)]

    def cost(path):
        paid = 0.0
        for before, after in pairwise(path):
            paid += 1e-3 * (before - after) ** 2 * steps + 1e-3 * ((before + after) / 2) ** 2 / steps
        return paid + (0.1 - 0.5e-3) * path[-1] ** 2

    best = [CHAPTER_6.left_qty(time) for time in times]
    for bent in (0.02, -0.02):
        for shape in (lambda time: time * (1 - time), lambda time: time):
            other = [left + bent * shape(time) for left, time in zip(best, times, strict=True)]
            assert cost(best) < cost(other)


def test_buying_with_a_fine_on_what_is_left_alone():
    assert acquired_qty(1.0, 1.0, 1.0, 1e-3, 0.1) == pytest.approx(1 / 1.01)
    assert acquired_qty(1.0, 0.5, 1.0, 1e-3, 1e9) == pytest.approx(0.5)


def test_chapter_9_between_an_even_rate_and_the_volume():
    even = share_following_speed(
        50.0, 0.5, share=0.1, volume_now=1200.0, volume_expected=1000.0, temporary=1e-3, share_fine=0.0
    )
    assert even == 100.0
    follows = share_following_speed(
        50.0, 0.5, share=0.1, volume_now=1200.0, volume_expected=1000.0, temporary=1e-3, share_fine=1e9
    )
    assert follows == pytest.approx(120.0)
    between = share_following_speed(
        50.0, 0.5, share=0.1, volume_now=1200.0, volume_expected=1000.0, temporary=1e-3, share_fine=1e-3
    )
    assert between == pytest.approx(110.0)


def test_constant_drift_gains_what_is_told():
    assert drift_speed(1.0, 1.0, 0.002, 1e-3) == pytest.approx(1.5)
    assert drift_gain(1.0, 0.002, 1e-3) == pytest.approx(8.333333e-5, rel=1e-6)
    steps = 2_000
    tau, left, speeds = 1 / steps, 1.0, []
    for number in range(steps):
        speed = drift_speed(left, 1 - number * tau, 0.002, 1e-3)
        speeds.append(speed)
        left -= speed * tau
    assert left == pytest.approx(0.0, abs=1e-6)
    assert speeds[-1] == pytest.approx(0.5, abs=2e-3)

    def cost(all_speeds):
        return sum(
            (1e-3 * speed * speed + 0.002 * (number + 0.5) * tau * speed) * tau
            for number, speed in enumerate(all_speeds)
        )

    assert cost([1.0] * steps) - cost(speeds) == pytest.approx(8.333333e-5, rel=2e-3)


def test_what_means_nothing_is_refused():
    for bad in (
        lambda: replace(CHAPTER_6, order_qty=0.0),
        lambda: replace(CHAPTER_6, permanent=-1.0),
        lambda: replace(CHAPTER_6, left_fine=1e-4),
        lambda: acquired_qty(1.0, 2.0, 1.0, 1.0, 1.0),
        lambda: acquired_qty(1.0, 0.5, 1.0, 0.0, 1.0),
        lambda: share_following_speed(
            1.0, 0.0, share=0.1, volume_now=1.0, volume_expected=1.0, temporary=1.0, share_fine=0.0
        ),
        lambda: drift_speed(1.0, 0.0, 0.0, 1.0),
        lambda: drift_gain(0.0, 0.0, 1.0),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            bad()
