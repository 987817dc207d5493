"""The whole daemon with a parent that the venue works by itself: lost answers, lost fills, a dropped tail, restarts."""

from decimal import Decimal

import pytest

from executor.domain.events import CancelRequested, HaltRequested
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus
from tests.builders import D
from tests.faults.stage import stage

pytestmark = pytest.mark.process
CREATE, STOP = "/v5/strategy/create", "/v5/strategy/stop"
TWAP = dict(
    strategy="venue-twap",
    order_qty=D("0.3"),
    duration_s=3_600,
    residual=ResidualRule.LEAVE,
    params=StrategyParams(interval_s=120),
)


async def at_work(played, pace=1, **over):
    """A daemon that may use strategy orders, and a parent whose strategy order is at work."""
    played.venue_algorithms = True
    await played.start()
    await played.levers.do("strategy_pace", times=pace)
    parent = await played.submit(**{**TWAP, **over})
    await played.until(lambda: parent.children)
    return parent


async def executed(played):
    """What the exchange holds of all its strategies: executed, and how many are at work."""
    told = (await played.levers.truth())["strategies"]
    return sum(Decimal(each["executedSize"]) for each in told), sum(each["open"] for each in told)


async def books_agree(played, parent):
    await played.until(lambda: not played.state.held)
    filled, _ = await executed(played)
    assert parent.cum_qty == filled
    assert not played.state.unattributed
    assert not any(market.blocked for market in played.state.markets.values())
    assert not {"ORPHAN_FILL", "EXECUTION_UNEXPLAINED", "OVER_FILL", "HALT"} & set(played.alerts())


@pytest.mark.parametrize(
    ("category", "symbol"),
    [(Category.LINEAR, "BTCUSDT"), (Category.SPOT, "BTCUSDT")],
)
async def test_the_venue_works_the_whole_and_every_fill_finds_its_parent(tmp_path, category, symbol):
    async with stage(tmp_path, started=False) as played:
        parent = await at_work(played, pace=1_000, category=category, symbol=symbol)
        await played.finish(parent)
        assert parent.status is ParentStatus.COMPLETE
        assert parent.cum_qty == D("0.3")
        await books_agree(played, parent)
        assert len(await played.levers.wire(CREATE)) == len(parent.children)


async def test_an_iceberg_is_worked_and_stopped_by_a_cancel(tmp_path):
    async with stage(tmp_path, started=False) as played:
        params = StrategyParams(interval_s=30, display_qty=D("0.05"))
        parent = await at_work(played, strategy="venue-iceberg", params=params)
        await played.until(lambda: parent.cum_qty > 0)
        played.life.runtime.post(CancelRequested(at_ns=0, request_id="c", parent_id=parent.order.parent_id))
        await played.finish(parent)
        assert (await executed(played))[1] == 0
        await books_agree(played, parent)


async def test_a_lost_answer_of_the_create_is_found_and_nothing_is_sent_again(tmp_path):
    async with stage(tmp_path, started=False) as played:
        await played.levers.fault("drop", path=CREATE, when="after_apply")
        parent = await at_work(played, pace=1_000)
        child = played.state.children[parent.children[0]]
        await played.finish(parent)
        assert "OUTCOME_UNKNOWN" in played.alerts()
        assert child.venue_order_id
        assert parent.cum_qty == D("0.3")
        await books_agree(played, parent)
        assert len(await played.levers.wire(CREATE)) == 1


async def test_fills_that_the_stream_never_told_are_read(tmp_path):
    async with stage(tmp_path, started=False) as played:
        await played.levers.fault("drop", on="private", match={"topic": "execution*"}, times=None)
        parent = await at_work(played, pace=1_000)
        await played.finish(parent)
        assert parent.cum_qty == D("0.3")
        await books_agree(played, parent)


async def test_a_dropped_tail_is_sent_anew_as_long_as_there_is_time(tmp_path):
    async with stage(tmp_path, started=False) as played:
        parent = await at_work(played, pace=300)
        await played.until(lambda: parent.cum_qty > 0)
        await played.levers.do("reject_next", count=500)  # each piece, and its retry, comes to nothing
        await played.until(lambda: played.state.children[parent.children[0]].is_final)
        await played.levers.do("reject_next", count=0)
        await played.until(lambda: len(parent.children) > 1)
        first = played.state.children[parent.children[0]]
        assert first.final_qty < D("0.3")
        assert "ALGO_ENDED_SHORT" in played.alerts()
        played.life.runtime.post(CancelRequested(at_ns=0, request_id="c", parent_id=parent.order.parent_id))
        await played.finish(parent)
        await books_agree(played, parent)


async def test_a_halt_stops_the_strategy_however_often_the_stop_is_lost(tmp_path):
    async with stage(tmp_path, started=False) as played:
        parent = await at_work(played)
        await played.until(lambda: parent.cum_qty > 0)
        await played.levers.fault("drop", path=STOP, when="before_apply", times=2)
        played.life.runtime.post(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))
        child = played.state.children[parent.children[0]]
        await played.until(lambda: child.is_released)
        assert (await executed(played))[1] == 0
        assert parent.status is ParentStatus.PAUSED
        assert len(await played.levers.wire(STOP)) >= 3
        assert child.cum_qty == (await executed(played))[0]


async def test_a_restart_midway_loses_no_fill_and_leaves_one_strategy_at_most(tmp_path):
    async with stage(tmp_path, started=False) as played:
        parent = await at_work(played, pace=60)
        await played.until(lambda: parent.cum_qty > 0)
        before = parent.cum_qty
        await played.end()
        await played.let_pass(1.5)
        await played.start()
        parent = played.state.parents[parent.order.parent_id]
        await played.until(lambda: parent.cum_qty > before)
        assert (await executed(played))[1] <= 1
        await played.levers.do("strategy_pace", times=1_000)
        await played.finish(parent)
        assert parent.cum_qty == D("0.3")
        await books_agree(played, parent)
        assert all(played.state.children[name].status is not ChildStatus.UNKNOWN for name in parent.children)
