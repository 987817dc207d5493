"""Faults of cancelling and amending: a cancel's acknowledgement is no cancellation, and fills come first."""

from dataclasses import replace
from itertools import pairwise

import pytest

from executor.domain.order_state import ChildStatus
from executor.domain.parent_state import ParentStatus
from executor.engine.state import worst_case_qty
from executor.sentinel.sweep import Sweep
from executor.sentinel.venue import SweepVenue
from sandbox.bybit_server import FlowSettings
from sandbox.bybit_server.fields import Fields
from tests.builders import D
from tests.faults.plays import HUNGRY
from tests.faults.stage import CREATE, KEY, LIMITS, TIMINGS, link_id, stage
from tests.faults.ways import at, both_ways, cancel, climbing, over, rising, shrinking

pytestmark = pytest.mark.process
RARELY_READ = replace(TIMINGS, reconcile_s=30, recv_window_ms=1_000)
CALM = dict(flow=FlowSettings(volatility_hourly=0.0004, intensity=0.3))


async def ended(played, parent, child):
    """Wait for the proved end of a parent and its child, and check the books."""
    await played.finish(parent)
    await played.until(lambda: child.is_released)
    await played.check()


@both_ways
async def test_23_cancel_loses_the_race_against_a_fill(tmp_path, way):
    async with stage(tmp_path, access=over(way)) as played:
        parent, child = await played.submit_resting()
        await played.levers.fault("delay", when="before_apply", delay=0.5, **at(way, "cancel"))
        await cancel(played, parent)
        await played.until(lambda: child.status is ChildStatus.PENDING_CANCEL)
        name = child.order.client_order_id
        await played.levers.do("fill", orderLinkId=name)
        await played.levers.do("lost_race", orderLinkId=name)
        await ended(played, parent, child)
        assert child.status is ChildStatus.FILLED
        assert parent.cum_qty == parent.order.order_qty


@both_ways
async def test_25_cancel_times_out_and_was_applied(tmp_path, way):
    async with stage(tmp_path, access=over(way)) as played:
        parent, child = await played.submit_resting()
        await played.levers.fault("drop", **at(way, "cancel"))
        await played.levers.fault("drop", on="private", match={"topic": "order*"}, times=None)
        await cancel(played, parent)
        await ended(played, parent, child)
        assert child.status is ChildStatus.CANCELED
        assert parent.status is ParentStatus.CANCELED


@both_ways
async def test_26_cancel_finds_nothing_because_the_order_was_filled(tmp_path, way):
    async with stage(tmp_path, access=over(way)) as played:
        parent, child = await played.submit_resting()
        await played.levers.fault("drop", on="private", times=None)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        assert child.cum_qty == 0
        await cancel(played, parent)
        await ended(played, parent, child)
        codes = [entry["retCode"] for entry in await played.levers.sent("cancel")]
        assert codes[0] == 110001
        assert child.status is ChildStatus.FILLED
        assert parent.cum_qty == parent.order.order_qty


async def test_27_cancelled_with_a_partial_fill(tmp_path):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.levers.fault("drop", on="private", match={"topic": "execution*"}, times=None)
        await played.levers.do("fill", orderLinkId=name, qty="0.004")
        await cancel(played, parent)
        await ended(played, parent, child)
        assert child.status is ChildStatus.CANCELED
        assert child.final_qty == child.cum_qty == D("0.004"), (
            "released only when the fill it hides is booked"
        )
        assert parent.cum_qty == D("0.004")


@both_ways
async def test_24_cancels_acknowledged_and_forgotten(tmp_path, way):
    async with stage(tmp_path, access=over(way)) as played:
        parent, child = await played.submit_resting()
        await played.levers.do("ignore_cancels", count=3)
        await cancel(played, parent)
        await played.until(lambda: "CANCEL_UNPROVED" in played.alerts())
        assert child.status is ChildStatus.PENDING_CANCEL
        assert child.open_qty == child.order.qty, "an acknowledged cancel releases nothing"
        assert not parent.is_final
        await ended(played, parent, child)
        assert child.status is ChildStatus.CANCELED
        sent_ms = [entry["time"] for entry in await played.levers.sent("cancel")]
        assert len(sent_ms) == 4
        gaps_ms = [after - before for before, after in pairwise(sent_ms)]
        assert min(gaps_ms) >= played.timings.recancel_s * 1_000 / 2, "not in a hurry"
        assert played.alerts().count("CANCEL_UNPROVED") == 1


async def blind(played):
    """Let neither stream nor queries tell anything of our orders."""
    await played.levers.fault("drop", on="private", times=None)
    about_it = dict(path="/v5/order/realtime", match={"linkId": "x-*"})
    await played.levers.fault("status", status=500, times=None, **about_it)


@both_ways
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
async def test_28_amend_to_more_without_an_answer(tmp_path, way, applied):
    limits = replace(LIMITS, order_gap_s_min=D(2))
    async with (
        stage(tmp_path, access=over(way), limits=limits, timings=RARELY_READ, options=CALM) as played,
        rising(played),
    ):
        parent, child = await climbing(played)
        await blind(played)
        when = "after_apply" if applied else "before_apply"
        await played.levers.fault("drop", when=when, **at(way, "amend"))
        await played.until(lambda: child.pending is not None)
        old, new = child.terms, child.pending
        assert new.qty == 2 * old.qty
        assert child.open_qty == new.qty, "the larger of both is reserved"
        await played.until(lambda: "OUTCOME_UNKNOWN" in played.alerts())
        for _ in range(10):
            assert child.pending == new
            assert child.open_qty == new.qty
            assert worst_case_qty(played.state, parent) <= parent.order.order_qty
            await played.let_pass(0.05)
        await played.levers.heal()
        await played.until(lambda: child.pending != new)
        assert child.lapsed == (None if applied else new)
        assert new in (child.terms, child.former) if applied else child.terms == old
        assert child.amendable is applied, "an amendment that failed is not tried again"
        await cancel(played, parent)
        await played.finish(parent)
        await played.proved()
        await played.check()


@pytest.mark.parametrize(("way", "applied"), [("rest", False), ("websocket", True)])
async def test_28_amend_to_less_without_an_answer(tmp_path, way, applied):
    access = dict(request_timeout_s=0.5, **over(way))
    async with stage(tmp_path, access=access, timings=RARELY_READ) as played:
        parent, child = await shrinking(played)
        await blind(played)
        when = "after_apply" if applied else "before_apply"
        await played.levers.fault("drop", when=when, **at(way, "amend"))
        await played.until(lambda: child.pending is not None)
        old, new = child.terms, child.pending
        assert new.qty < old.qty
        await played.until(lambda: "OUTCOME_UNKNOWN" in played.alerts())
        assert child.open_qty == old.qty, "the larger of both is reserved"
        await played.levers.heal()
        await played.until(lambda: child.pending is None)
        assert child.terms == (new if applied else old)
        await cancel(played, parent)
        await played.finish(parent)
        await played.proved()
        await played.check()


PATIENT = dict(request_timeout_s=3.0)
"""Access of one who waits for the answer to a request that is held up, so that meanwhile something can happen to it."""


async def amending(played, way, **act):
    """Have an amendment on its way that a rule holds up; returns parent, child, and the terms asked for."""
    parent, child = await shrinking(played)
    await played.levers.fault("delay", when="before_apply", **at(way, "amend"), **act)
    await played.until(lambda: child.status is ChildStatus.PENDING_REPLACE)
    return parent, child, child.pending


@both_ways
async def test_28_filled_while_the_amendment_is_on_its_way(tmp_path, way):
    async with stage(tmp_path, access=PATIENT | over(way)) as played:
        parent, child, _ = await amending(played, way, delay=0.8)
        qty = child.order.qty
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.finish(parent)
        await played.until(lambda: child.is_released)
        await played.check()
        assert child.status is ChildStatus.FILLED
        assert parent.cum_qty == child.cum_qty == qty
        assert [entry["retCode"] for entry in await played.levers.sent("amend")] == [110001]


async def test_28_partly_filled_while_the_amendment_is_on_its_way(tmp_path):
    async with stage(tmp_path, access=PATIENT) as played:
        parent, child, new = await amending(played, "rest", delay=0.8)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.002")
        await played.until(lambda: child.cum_qty == D("0.002"))
        await played.until(lambda: child.pending is None)
        assert child.terms == new, "the new total counts what was filled before"
        assert child.open_qty == new.qty - D("0.002")
        await cancel(played, parent)
        await played.finish(parent)
        await played.proved()
        await played.check()


@both_ways
async def test_28_cancelled_while_the_amendment_is_on_its_way(tmp_path, way):
    async with stage(tmp_path, access=PATIENT | over(way)) as played:
        parent, child, _ = await amending(played, way, delay=0.8)
        await cancel(played, parent)
        await ended(played, parent, child)
        assert child.status is ChildStatus.CANCELED
        assert child.cum_qty == 0


@both_ways
async def test_28_the_amendment_arrives_after_its_window(tmp_path, way):
    access = dict(request_timeout_s=0.5, **over(way))
    async with stage(tmp_path, access=access, timings=RARELY_READ, silence_s_max=4.0) as played:
        parent, child, new = await amending(played, way, delay=1.5)
        old = child.terms
        await played.until(lambda: "OUTCOME_UNKNOWN" in played.alerts())
        assert child.open_qty == max(old.qty, new.qty)
        await played.until(lambda: child.pending is None, 20)
        assert child.terms == old
        await cancel(played, parent)
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert [entry["retCode"] for entry in await played.levers.sent("amend")] == [10002]


@both_ways
async def test_29_amend_below_what_is_filled(tmp_path, way):
    async with stage(
        tmp_path, access=PATIENT | over(way), timings=replace(TIMINGS, reconcile_s=30)
    ) as played:
        parent, child = await shrinking(played)
        name, old = child.order.client_order_id, child.terms
        new_qty = parent.schedule.slices[1].qty
        await played.levers.fault("drop", on="private", times=None)  # the daemon does not know of the fill
        await played.levers.fault("delay", when="before_apply", delay=0.8, **at(way, "amend"))
        await played.until(lambda: child.pending is not None)
        await played.levers.do("fill", orderLinkId=name, qty=str(new_qty))
        await played.until(lambda: child.pending is None)
        assert [entry["retCode"] for entry in await played.levers.sent("amend")] == [110064]
        assert child.terms == old, "the order is what it was"
        assert not child.amendable
        await played.levers.heal()
        await cancel(played, parent)
        await played.finish(parent)
        await played.proved()
        await played.check()
        amended = [entry for entry in await played.levers.sent("amend") if link_id(entry) == name]
        assert len(amended) == 1, "no loop"


async def test_30_twelve_hundred_orders_go_before_the_sweep_ends(tmp_path):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting()
        account = played.exchange.accounts[KEY.uid]
        account.credit("USDT", 10**9)
        await played.end()
        for symbol, px, qty in (
            ("BTCUSDT", "50000", "0.001"),
            ("ETHUSDT", "2500", "0.01"),
            ("XRPUSDT", "0.5", "20"),
        ):
            for _ in range(400):
                played.exchange.create(
                    account,
                    Fields({
                        "category": "linear", "symbol": symbol, "side": "Buy", "orderType": "Limit", "qty": qty,
                        "price": px, "timeInForce": "GTC",
                    }),
                )  # fmt: skip
        assert len(account.open_orders) == 1_201
        async with SweepVenue(
            rest_url=played.levers.server.rest_url, api_key=KEY.key, api_secret=KEY.secret,
            recv_window_ms=played.timings.recv_window_ms, timeout_s=5.0,
        ) as venue:  # fmt: skip
            sweep = Sweep(venue, played.log, confirm_s=2.0)
            await sweep.run()
        assert not account.open_orders
        assert sweep.may_remain == []
        assert len(sweep.found) == 1_201
        rounds = [
            entry for entry in await played.levers.wire("/v5/order/cancel-all") if "USDT" in entry["raw"]
        ]
        assert len(rounds) >= 3, "five hundred at a time"
        await played.start()
        child = played.state.children[child.order.client_order_id]
        await played.until(lambda: child.is_released)
        assert child.status is ChildStatus.CANCELED
        await cancel(played, played.state.parents[parent.order.parent_id])
        await played.finish(played.state.parents[parent.order.parent_id])
        await played.check()


@both_ways
async def test_31_cancels_go_on_while_creates_are_throttled(tmp_path, way):
    async with stage(tmp_path, access=over(way)) as played:
        parent, child = await played.submit_resting()
        throttled = dict(
            retCode=10006, retMsg="Too many visits. Exceeded the API Rate Limit.", when="before_apply"
        )
        await played.levers.fault("retCode", times=None, **throttled, **at(way, "create"))
        await played.levers.fault("retCode", times=2, **throttled, **at(way, "cancel"))
        hungry = [await played.submit(**HUNGRY) for _ in range(3)]
        await played.until(lambda: all(order.children for order in hungry))
        asked_ns = played.state.now_ns
        await cancel(played, parent)
        await played.finish(parent)
        assert child.status is ChildStatus.CANCELED
        assert (child.done_ns - asked_ns) / 1e9 < 5.0, "two refusals, and then at once"
        assert sum(order.cum_qty for order in hungry) == 0, "creates are throttled all the while"
        refused = len(await played.levers.sent("create"))
        assert refused <= 3 + 3 * 4, "they are not hammered either"
        await played.levers.heal()
        for order in hungry:
            await cancel(played, order)
            await played.finish(order)
        await played.proved()
        await played.check()


@pytest.mark.parametrize(
    "kind", ["CancelByDCP", "CancelByPrepareAdl", "CancelBySmp", "CancelBySettle", "CancelByAdmin"]
)
async def test_32_the_venue_cancels_our_order(tmp_path, kind):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting()
        before = len(await played.levers.wire(CREATE))
        await played.levers.do("cancel", orderLinkId=child.order.client_order_id, cancelType=kind)
        await played.until(lambda: child.status is ChildStatus.CANCELED)
        assert kind in child.detail, "the reason is kept"
        await played.until(lambda: child.is_released)
        assert child.cum_qty == 0
        assert len(await played.levers.wire(CREATE)) - before <= 1, "no blind resend"
        await cancel(played, parent)
        await played.finish(parent)
        await played.proved()
        await played.check()
