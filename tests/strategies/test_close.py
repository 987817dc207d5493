"""Close: late, and done by the deadline."""

from math import isclose

import pytest

from executor.domain.decision import Style
from executor.domain.orders import StrategyParams, Urgency
from executor.domain.timeline import NS_PER_S
from strategies.arrival_price import trajectory
from strategies.close import Close, late
from tests.builders import T0, D, instrument, parent_order, view

CLOSE = Close()


def plan(order):
    return CLOSE.plan(
        order=order, instrument=instrument(), reference_px=D(50_000), start_ns=T0, end_ns=order.deadline_ns,
        cum_qty=D(0),
    )  # fmt: skip


@pytest.mark.parametrize("urgency", Urgency)
def test_it_is_the_mirror_of_arrival_price(urgency):
    for kappa_t in (1.0, 2.0, 4.0):
        for share in (0.0, 0.25, 0.5, 0.9, 1.0):
            assert isclose(late(kappa_t)(share), 1.0 - trajectory(kappa_t)(1.0 - share), abs_tol=1e-12)
    sizes = [piece.qty for piece in plan(parent_order(order_qty=D(10), urgency=urgency)).slices]
    assert sizes == sorted(sizes)
    assert sizes[-1] > D(1)


def test_the_less_urgent_the_later():
    lasts = [plan(parent_order(order_qty=D(10), urgency=urgency)).slices[-1].qty for urgency in Urgency]
    assert lasts == sorted(lasts, reverse=True)
    assert lasts[0] > lasts[-1]


def test_the_last_slice_takes_what_is_left_however_passive_the_order_is():
    order = parent_order(order_qty=D(10), params=StrategyParams(passiveness=D(1)))
    schedule = plan(order)
    done = schedule.slices[-2].target_qty

    def wish(seconds, cum):
        return CLOSE.decide(
            view(schedule, order=order, now_ns=T0 + seconds * NS_PER_S, cum=str(cum), base=str(cum))
        )

    assert wish(535, schedule.slices[-3].target_qty).style is Style.REST, (
        "a slice before the last rests to its end"
    )
    assert wish(565, done).style is Style.REST
    last = wish(571, done)
    assert (last.style, last.qty) == (Style.CROSS, schedule.slices[-1].qty)
