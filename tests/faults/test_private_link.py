"""Faults of the private connection: silence, refusals, flapping and floods are noticed, and what was missed is read."""

import asyncio
import os
import zlib
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest

from executor.domain.commands import Outcome
from executor.domain.events import PauseRequested
from executor.domain.order_state import ChildStatus
from executor.domain.orders import ResidualRule
from executor.domain.parent_state import ParentStatus, Reason
from executor.runtime.live import INBOX_MAX
from executor.venues.bybit import stream
from tests.builders import D
from tests.faults.plays import buying, buys_on, complete, opens_nothing
from tests.faults.stage import TIMINGS, stage

pytestmark = pytest.mark.process

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"


def test_46_the_usual_times_notice_a_half_open_socket_within_ten_seconds():
    looks_s = stream.PING_EVERY_S / stream._LOOKS_PER_PING
    assert stream.SILENCE_S_MAX + looks_s + stream._CLOSE_S_MAX <= 10


async def test_46_half_open_socket(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        await played.levers.fault("stall", on="private", future=True)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.001")
        await played.until(lambda: not played.state.private_live, 10.0)
        await played.until(lambda: hungry.status is ParentStatus.PAUSED, 3.0)
        assert hungry.reason is Reason.STREAM_LOST
        await opens_nothing(played, 1.5)
        await played.levers.heal()
        await buys_on(played, hungry)
        assert child.cum_qty == D("0.001"), "what the silence hid is booked"
        await played.levers.do("freeze", on=True)
        await played.proved()
        await played.check()


async def test_47_an_acknowledged_order_that_the_stream_does_not_show(tmp_path):
    async with stage(tmp_path, timings=replace(TIMINGS, reconcile_s=60)) as played:
        await played.levers.fault("silence_topics", on="private")
        _, child = await played.submit_resting()
        name = child.order.client_order_id
        asked = [entry for entry in await played.levers.wire("/v5/order/realtime") if name in entry["raw"]]
        assert asked, "found by the question about it, not by a complete read"
        assert played.state.private_live, "the connection itself is alive"
        await played.check()


async def test_47_a_fill_under_silent_topics(tmp_path):
    async with stage(tmp_path) as played:
        _, child = await played.submit_resting()
        await played.levers.fault("silence_topics", on="private")
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.until(lambda: child.status is ChildStatus.FILLED)
        assert played.state.private_live
        assert child.cum_qty == D("0.01")
        await played.check()


async def test_48_subscription_never_acknowledged(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_ACK_S_MAX", 0.8)
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.fault("no_ack", on="private")
        await played.levers.fault("close", on="private")
        await played.until(lambda: not played.state.private_live)
        before = (await played.levers.connects())["private"]
        await opens_nothing(played, 3.0)
        assert not played.state.private_live, "not live without the acknowledgement"
        tries = (await played.levers.connects())["private"] - before
        assert 1 <= tries <= 4, "retried, with waits that grow"
        await played.levers.heal()
        await buys_on(played, hungry)
        await played.levers.do("freeze", on=True)
        await played.check()


@pytest.mark.parametrize("code", [10003, 10004, 33004])
async def test_49_authentication_refused_at_a_reconnect(tmp_path, code):
    async with stage(tmp_path) as played:
        await buying(played)
        await played.levers.do("freeze", on=True)
        await played.proved()
        await played.levers.fault("auth_fail", on="private", code=code, times=None)
        await played.levers.fault("close", on="private")
        await played.until(lambda: played.state.latched, 5.0)
        assert "AUTH" in played.state.latch_reason
        assert "HALT" in played.alerts()
        await played.let_pass(0.3)  # what was on its way has arrived
        before = len(await played.levers.wire())
        connects = (await played.levers.connects())["private"]
        await opens_nothing(played, 2.0)
        signed = [
            entry for entry in (await played.levers.wire())[before:] if "x-bapi-sign" in entry["headers"]
        ]
        assert len(signed) <= 1, [entry["path"] for entry in signed]
        assert (await played.levers.connects())["private"] == connects, "no storm of attempts"


async def flapping(played, every_s, length_s):
    """Let the private connection be cut again and again; connections made meanwhile, and the gaps between them."""
    begin = (await played.levers.connects())["private"]
    found, times = begin, []
    await played.levers.fault("cut", on="private", every=every_s)
    loop = asyncio.get_running_loop()
    end_s = loop.time() + length_s
    while loop.time() < end_s:
        await played.let_pass(0.05)
        now = (await played.levers.connects())["private"]
        if now > found:
            found = now
            times.append(loop.time())
    await played.levers.heal()
    return found - begin, [b - a for a, b in pairwise(times)]


async def test_50_connection_flapping(tmp_path):
    async with stage(tmp_path) as played:
        await played.until(lambda: played.state.private_live)
        made, gaps = await flapping(played, 0.15, 8.0)
        assert 3 <= made <= 7, "attempts back off"
        assert gaps[-1] > gaps[0]
        parent = await complete(played, duration_s=4, residual=ResidualRule.CROSS)
        assert parent.cum_qty == parent.order.order_qty


@pytest.mark.skipif(not FULL, reason="ten minutes; the short form is above")
@pytest.mark.timeout(700)
async def test_50_ten_minutes_of_flapping(tmp_path):
    async with stage(tmp_path) as played:
        await played.until(lambda: played.state.private_live)
        made, gaps = await flapping(played, 2.0, 600.0)
        assert made / 2 < 100, "five minutes stay far below the venue's 500"
        assert len({round(gap, 2) for gap in gaps[-20:]}) > 5, "spread in time"
        await complete(played)


def rows_of(qty_rows):
    """A frame of order rows that are none of ours, as large as wanted."""
    row = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "of-another", "orderId": "1"}
    return msgspec.json.encode({"topic": "order", "data": [row] * qty_rows}).decode()


def bomb():
    """A frame that claims to be compressed, although nobody agreed to that: 200 kB that would be 200 MB."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = deflate.compress(b'{"topic":"order","data":[' + b" " * 200_000_000) + deflate.flush()
    return b"\xc1\x7f" + len(payload).to_bytes(8, "big") + payload


FLOODS = {
    "five megabytes": lambda: dict(frame_raw='{"topic":"order","data":["' + "x" * 5_000_000 + '"]}'),
    "a hundred thousand rows": lambda: dict(frame_raw=rows_of(100_000)),
    "invalid UTF-8": lambda: dict(frame_hex="7b22746f706963223a22c3282262"),
    "binary": lambda: dict(frame_hex="1f8b0800" + "00" * 64, binary=True),
    "a compressed bomb": lambda: dict(wire_hex=bomb().hex()),
}
"""What ends the connection."""


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
async def test_51_frames_that_end_the_connection(tmp_path, flood):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        before = (await played.levers.connects())["private"]
        await played.levers.do("ignore_cancels", count=1_000)  # so that something is left to be filled
        await played.levers.fault("inject", on="private", **flood())
        await played.until(lambda: not played.state.private_live, 5.0)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.001")
        await played.levers.do("ignore_cancels", count=0)
        await buys_on(played, hungry)
        assert (await played.levers.connects())["private"] == before + 1
        assert child.cum_qty == D("0.001")
        await played.levers.do("freeze", on=True)
        await played.proved()
        await played.check()


async def test_51_nesting_without_end(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        deep = '{"topic":"order","data":' + "[" * 200_000 + "]" * 200_000 + "}"
        await played.levers.fault("inject", on="private", frame_raw=deep)
        await played.until(lambda: "RECONCILE_FAILED" in played.alerts(), 5.0)
        await buys_on(played, hungry)
        await played.levers.do("freeze", on=True)
        await played.check()


BURST = 500_000 if FULL else 50_000


def burst_of_fills(number):
    """Frames of a thousand times the same execution, and how many to send for so many messages."""
    row = dict(
        category="linear", symbol="BTCUSDT", execId="burst", execPrice="60000", execQty="0.001", orderId="1",
        orderLinkId="", isMaker=True, side="Buy", execTime="1760000000000", execFee="0", feeCurrency="USDT",
        execType="Trade", seq=1,
    )  # fmt: skip
    frame = msgspec.json.encode({"topic": "execution", "creationTime": 1, "data": [row] * 1_000}).decode()
    return dict(frame_raw=frame, copies=number // 1_000)


async def test_52_burst_of_messages(tmp_path):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting()
        runtime = played.life.runtime
        deepest = turns = 0

        async def look():
            nonlocal deepest, turns
            while True:
                deepest, turns = max(deepest, runtime._inbox.qsize()), turns + 1
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            looking = group.create_task(look())
            await played.levers.fault("inject", on="private", **burst_of_fills(BURST))
            await played.until(lambda: deepest > 1_000)
            begun = turns
            request = PauseRequested(at_ns=0, request_id="p", parent_id=parent.order.parent_id)
            reply = await runtime.ask(request, "p")
            looking.cancel()
        assert reply.outcome is Outcome.ACCEPTED, "an operator is answered"
        assert turns > begun, "and everything else has its turn"
        assert deepest <= INBOX_MAX, "the queue is bounded"
        await played.until(lambda: child.is_final, 30.0)
        await played.until(lambda: played.state.private_live, 20.0)
        await played.until(lambda: played.state.reconciled.get("linear"), 20.0)
        await played.proved()
        await played.check()


async def test_52_what_finds_no_room_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr("executor.runtime.live.INBOX_MAX", 200)
    async with stage(tmp_path) as played:
        _, child = await played.submit_resting()
        before = (await played.levers.connects())["private"]
        await played.levers.do("ignore_cancels", count=1_000)
        await played.levers.fault("inject", on="private", **burst_of_fills(1_000))
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.001")
        await played.until(lambda: any("Overflow" in str(fields) for _, fields in played.lines))
        await played.levers.do("ignore_cancels", count=0)
        await played.until(lambda: child.cum_qty == D("0.001"))
        await played.until(lambda: played.state.reconciled.get("linear"), 20.0)
        assert (await played.levers.connects())["private"] > before
        await played.proved()
        await played.check()
