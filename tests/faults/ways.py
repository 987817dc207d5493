"""Both ways in which orders are sent, so that a fault is played on either; and parents that make the engine amend."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from executor.domain.events import CancelRequested
from executor.domain.orders import ResidualRule, StrategyParams
from tests.builders import D

WAYS = ("rest", "websocket")
both_ways = pytest.mark.parametrize("way", WAYS)

CLIMBING = dict(
    order_qty=D("0.04"),
    duration_s=14,
    residual=ResidualRule.LEAVE,
    params=StrategyParams(interval_s=3, passiveness=D(1)),
)
"""A parent whose second slice wants twice as much, at the touch."""


def over(way):
    """How a daemon is let in that sends its orders that way."""
    return dict(order_entry=way)


def at(way, kind):
    """Where a rule strikes that is about one kind of order request."""
    return (
        dict(on="rest", path=f"/v5/order/{kind}") if way == "rest" else dict(on="trade", path=f"order.{kind}")
    )


@asynccontextmanager
async def rising(played, bps=4, every_s=0.25):
    """Let the market rise all the time: bids that rest are left behind, and never filled by the crowd."""

    async def rise():
        while True:
            await played.levers.do("jump", bps=bps)
            await asyncio.sleep(every_s)

    task = asyncio.create_task(rise())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def climbing(played):
    """Give a parent whose second slice wants twice as much at a rising touch; returns it after its first amendment."""
    for _ in range(3):
        parent = await played.submit(**CLIMBING)
        await played.until(lambda: parent.children)  # noqa: B023 - waited for here and now
        child = played.state.children[parent.children[0]]
        await played.until(lambda: child.is_final or (child.replaced_ns and child.pending is None))  # noqa: B023
        if not child.is_final:
            return parent, child
        await cancel(played, parent)
        await played.finish(parent)
    raise AssertionError("somebody sold to each of three resting orders")


async def shrinking(played, **more):
    """Give a parent whose second slice wants less than its first, at one price far below the market.

    Which slice is larger is drawn; parents are tried until it is the first one. Returns parent and child.
    """
    for _ in range(20):
        parent, child = await played.submit_resting(
            order_qty=D("0.02"),
            duration_s=9,
            params=StrategyParams(
                interval_s=4, passiveness=D(1), catch_up=False, randomize_size_pct=50
            ),
            **more,
        )  # fmt: skip
        first, *more_slices = parent.schedule.slices
        if more_slices and first.qty > more_slices[0].qty:  # one that begins late has one slice only
            return parent, child
        await cancel(played, parent)
        await played.finish(parent)
        await played.let_pass(0.15)  # inside the venue's allowance of creates
    raise AssertionError("twenty schedules, and none of them shrinks")


async def cancel(played, parent):
    """Ask for the end of a parent, as an operator does."""
    name = parent.order.parent_id
    event = CancelRequested(at_ns=0, request_id=f"c{name}", parent_id=name)
    return await played.life.runtime.ask(event, event.request_id)
