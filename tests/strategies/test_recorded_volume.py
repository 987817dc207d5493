"""VWAP on a recorded day: how well it tracks the day's volume, by the curve alone and corrected by what was traded.

Orders over twelve and four hours in 24 slices, one beginning every hour, each filled as planned. The level of
the market is taken from the same day, and from twice and half of it: a level that history has told too high or too low.
"""

import csv
import os
from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate
from math import fsum, isclose
from pathlib import Path

import pytest

from executor.domain.timeline import NS_PER_HOUR, NS_PER_MS, NS_PER_S
from executor.domain.volume_curve import HOURS_PER_WEEK, VolumeCurve
from impact.tracking import tracking_error
from strategies.base import STRATEGIES
from strategies.volume_curve import USUAL_CURVE, Expected, whole_ppm
from tests.builders import D, instrument, view
from tests.strategies.test_vwap import ordered, planned

ROOT = os.environ.get("EXECUTOR_REAL_DATA")
DAY_NS = 1_747_612_800 * NS_PER_S
"""19 May 2025."""
FLAT = VolumeCurve(name="flat", weights_ppm=whole_ppm([1.0] * HOURS_PER_WEEK))

pytestmark = pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA names no recordings")


@pytest.fixture(scope="module")
def traded():
    """Total quantity that the day has traded by an instant."""
    with (Path(ROOT) / "bybit" / "trades" / "1INCHUSDT_2025-05-19.csv").open() as file:
        rows = [(int(row["timestamp"]) * NS_PER_MS, float(row["volume"])) for row in csv.DictReader(file)]
    times = [at_ns for at_ns, _ in rows]
    totals = [0.0, *accumulate(qty for _, qty in rows)]
    return lambda at_ns: totals[bisect_left(times, at_ns)]


def error_of(traded, order):
    """Tracking error of one order that fills as planned, per cent."""
    schedule, vwap, begin = planned(order), STRATEGIES["vwap"], order.start_ns
    for index in range(1, len(schedule.slices)):
        at_ns, done = schedule.slices[index].start_ns, schedule.slices[index - 1].target_qty
        seen = view(
            schedule, now_ns=at_ns, order=order, cum=str(done), instrument=instrument(),
            plan_market_qty=D(repr(traded(at_ns) - traded(begin))) + done,
        )  # fmt: skip
        schedule = vwap.revise(seen) or schedule
    market = [traded(one.end_ns) - traded(one.start_ns) for one in schedule.slices]
    return tracking_error([float(one.qty) for one in schedule.slices], market).mean_pct


def mean_error(traded, curve, hours, slices):
    """Mean over orders that begin every hour."""
    orders = [
        ordered(
            curve, hours=hours, interval_s=hours * 3_600 // slices,
            start_ns=DAY_NS + hour * NS_PER_HOUR,
        )
        for hour in range(24 - hours)
    ]  # fmt: skip
    return fsum(error_of(traded, order) for order in orders) / len(orders)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (12, {"flat": 8.54, "usual": 10.63, "half": 8.00, "right": 7.97, "twice": 11.73}),
        (4, {"flat": 10.05, "usual": 10.04, "half": 9.51, "right": 9.04, "twice": 10.90}),
    ],
)
def test_tracking_error_as_measured(traded, hours, expected):
    level = traded(DAY_NS + 24 * NS_PER_HOUR) / Expected(USUAL_CURVE).between(
        DAY_NS, DAY_NS + 24 * NS_PER_HOUR
    )
    curves = {
        "flat": FLAT,
        "usual": USUAL_CURVE,
        **{
            name: replace(USUAL_CURVE, week_qty=D(f"{times * level:.2f}"))
            for name, times in (("half", 0.5), ("right", 1.0), ("twice", 2.0))
        },
    }
    found = {name: mean_error(traded, curve, hours, 24) for name, curve in curves.items()}
    assert all(isclose(found[name], value, abs_tol=0.005) for name, value in expected.items()), found
