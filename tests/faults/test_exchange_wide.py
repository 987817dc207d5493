"""Faults of the whole exchange: outages, bans, storms. Doubts are kept, nothing is opened, recovery is exact."""

import pytest

from executor.domain.order_state import ChildStatus
from executor.domain.orders import StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from tests.builders import D
from tests.faults.plays import buying, buys_on, opens_nothing
from tests.faults.stage import CREATE, stage

pytestmark = pytest.mark.process


async def test_70_full_outage(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        await played.levers.do("ignore_cancels", count=1_000)  # so that something is left to be filled
        await played.levers.fault("drop", on="private", times=None)
        await played.levers.do("lag", ms=60_000)
        await played.levers.fault("drop", path=CREATE)
        doubtful = await next_child(played, hungry)
        before = await played.levers.connects()
        await played.until(lambda: doubtful.status is ChildStatus.UNKNOWN)
        await played.levers.do("refuse_connect", s=600, cut=True)
        await played.levers.do("lag", ms=0)
        await played.until(lambda: hungry.status is ParentStatus.PAUSED)
        await opens_nothing(played, 6.5)
        assert doubtful.status is ChildStatus.UNKNOWN, "kept for as long as nothing is proved"
        assert doubtful.open_qty == doubtful.order.qty
        await played.levers.do("ignore_cancels", count=0)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.004")
        await played.levers.do("age", hours=6)
        await played.levers.heal()
        await buys_on(played, hungry, 25.0)
        connects = await played.levers.connects()
        for name in ("private", "public.linear"):
            assert connects[name] - before[name] <= 3, "no thundering herd"
        assert child.cum_qty == D("0.004")
        assert doubtful.status is ChildStatus.FILLED
        await played.levers.do("freeze", on=True)
        await played.proved()
        await played.check()


async def next_child(played, parent):
    """Wait for the next child of a parent."""
    sent = len(parent.children)
    await played.until(lambda: len(parent.children) > sent)
    return played.state.children[parent.children[sent]]


async def test_70_six_hours_away(tmp_path):
    async with stage(tmp_path) as played:
        _, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.end()
        await played.levers.do("fill", orderLinkId=name)
        await played.levers.do("restart")
        await played.levers.do("age", hours=6)
        await played.start()
        child = played.state.children[name]
        await played.until(lambda: child.status is ChildStatus.FILLED)
        await played.proved()
        await played.check()


async def with_notices(played):
    """Begin with a daemon that listens to the venue's announcements."""
    played.access["status_feed"] = True
    await played.start()
    hungry = await buying(played)
    assert (await played.levers.connects())["public.misc/status"] == 1
    return hungry


async def test_71_maintenance_announced(tmp_path):
    async with stage(tmp_path, started=False) as played:
        hungry = await with_notices(played)
        now_ms = played.state.now_ns // 1_000_000
        await played.levers.do("maintenance", state="scheduled", begin_ms=now_ms + 300_000, title="Upgrade")
        await played.until(lambda: hungry.reason is Reason.VENUE_RESTRICTED)
        assert hungry.status is ParentStatus.PAUSED, "before it begins"
        assert "VENUE_RESTRICTED" in played.alerts()
        assert any("Upgrade" in str(fields) for text, fields in played.lines if "RESTRICTED" in text)
        await opens_nothing(played, 2.0)


async def test_71_maintenance_unannounced(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.do("maintenance", state="ongoing", refuse=True)
        await played.until(lambda: hungry.reason is Reason.VENUE_RESTRICTED)
        await opens_nothing(played, 1.0)
        await played.levers.do("maintenance", state="completed")
        await buys_on(played, hungry)
        await played.levers.do("freeze", on=True)
        await played.proved()
        await played.check()


async def test_71_a_drop_of_less_than_ten_seconds(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        await played.levers.do("ignore_cancels", count=1_000)
        await played.levers.do("refuse_connect", s=2, cut=True)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.004")
        await played.until(lambda: hungry.status is ParentStatus.PAUSED)
        await opens_nothing(played, 1.0)
        await played.levers.do("ignore_cancels", count=0)
        await buys_on(played, hungry)
        assert child.cum_qty == D("0.004")
        await played.levers.do("freeze", on=True)
        await played.proved()
        await played.check()


async def test_72_ban_of_our_address(tmp_path):
    async with stage(tmp_path, started=False) as played:
        played.access["trade_ws_url"] = played.levers.server.ws_url
        await played.start()
        hungry = await buying(played)
        _, child = await played.submit_resting()
        await played.levers.do("ban", s=600)
        await played.until(lambda: "VENUE_RESTRICTED" in played.alerts())
        await played.until(lambda: hungry.status is ParentStatus.PAUSED)
        await played.until(lambda: "VENUE_RESTRICTED" in hungry.waiting)
        await played.let_pass(0.3)
        seen = await played.levers.wire()
        await played.until(lambda: child.is_final)
        assert child.status is ChildStatus.CANCELED, "cancelled through the trade socket"
        await played.let_pass(4.0)
        during = (await played.levers.wire())[len(seen) :]
        assert [entry["path"] for entry in during if entry["transport"] == "rest"] == []
        cancels = await played.levers.wire("order.cancel")
        assert cancels
        assert all(entry["transport"] == "trade" for entry in cancels)
        left_s = played.state.restricted_until_ns / 1e9 - played.state.now_ns / 1e9
        assert left_s > 590, "ten minutes and more"


async def test_73_storm_of_rate_limits(tmp_path):
    async with stage(tmp_path) as played:
        for path in ("/v5/order/*", "/v5/execution/list", "/v5/position/list"):
            await played.levers.do("storm", p=0.5, code=10006, path=path, on="rest")
        parent = await played.submit(
            order_qty=D("0.03"), duration_s=8, params=StrategyParams(interval_s=2, passiveness=D(0))
        )
        await played.let_pass(8.0)
        await played.levers.heal()
        await played.finish(parent, 60)
        await played.proved()
        await played.check()


async def test_74_one_way_partition(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        child = await next_child(played, hungry)
        await played.levers.do("one_way", s=600)
        sent = len(hungry.children)
        await played.until(lambda: not played.state.private_live, 10.0)
        last = played.state.children[hungry.children[-1]]
        await played.until(lambda: hungry.status is ParentStatus.PAUSED)
        assert len(hungry.children) <= sent + 1
        if last is not child and last.status is ChildStatus.UNKNOWN:
            assert last.open_qty == last.order.qty
        await played.let_pass(1.5)
        children = len(hungry.children)
        await played.let_pass(1.0)
        assert len(hungry.children) == children, "nothing is opened while nothing is heard"
        await played.levers.do("heal")
        await buys_on(played, hungry, 25.0)
        await played.levers.do("freeze", on=True)
        await played.proved()
        await played.check()
