"""A routed order over real sockets: spot and the perpetual of one coin, with answers that are lost and a restart."""

import pytest

from executor.domain.commands import Outcome
from executor.domain.events import CancelRequested
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, StrategyParams
from executor.domain.parent_state import ParentStatus
from tests.builders import D
from tests.engine.two_markets import leg, no_route_is_over_granted, routed
from tests.faults.stage import CREATE, stage

pytestmark = pytest.mark.process
QTY = D("0.06")


async def submit_route(played, **over):
    """Give a routed order that takes at once in each of its slices; spot is stated to be the cheaper leg by far."""
    usual = dict(
        order_qty=QTY,
        duration_s=8,
        params=StrategyParams(interval_s=2, passiveness=D(0)),
        legs=(leg(Category.LINEAR), leg(Category.SPOT, carry_bps=D(-500))),
    )
    event = routed(**{**usual, **over})
    reply = await played.life.runtime.ask(event, event.request_id)
    assert reply.outcome is Outcome.ACCEPTED, reply
    return played.state.routes[reply.parent_id]


def filled(played, category):
    return sum(
        (child.cum_qty for child in played.state.children.values() if child.order.category is category), D(0)
    )


async def test_a_lost_answer_and_a_restart_in_doubt_leave_the_sum_exact(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("drop", path=CREATE)
        await played.levers.fault("drop", on="private", times=None)
        about_it = dict(path="/v5/execution/list", match={"linkId": "x-*"})
        await played.levers.fault("drop", **about_it, times=None)  # so that the doubt stays
        await submit_route(played)
        children = played.state.children
        await played.until(lambda: any(each.status is ChildStatus.UNKNOWN for each in children.values()))
        no_route_is_over_granted(played.state)
        await played.end()
        await played.levers.heal()
        await played.start()
        route = played.state.routes["R1"]
        await played.until(lambda: route.is_final, 60.0)
        await played.proved()
        await played.check()
        no_route_is_over_granted(played.state)
        assert route.status is ParentStatus.COMPLETE, played.describe()
        assert filled(played, Category.SPOT) == QTY


async def test_a_leg_that_is_ended_leaves_the_rest_to_the_other(tmp_path):
    async with stage(tmp_path) as played:
        route = await submit_route(played)
        await played.until(lambda: filled(played, Category.SPOT) > 0)
        (name,) = route.legs[1].parents
        await played.life.runtime.ask(CancelRequested(at_ns=0, request_id="c", parent_id=name), "c")
        await played.until(lambda: route.is_final, 60.0)
        await played.proved()
        await played.check()
        no_route_is_over_granted(played.state)
        assert route.status is ParentStatus.COMPLETE, played.describe()
        assert route.legs[1].why_nothing.startswith("ENDED_")
        assert filled(played, Category.SPOT) + filled(played, Category.LINEAR) == QTY
        assert filled(played, Category.LINEAR) > 0
