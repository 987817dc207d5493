"""What a sweep has cancelled is named: symbol, side, quantity and id, also of orders that were gone before a read."""

import asyncio
from decimal import Decimal

import pytest

from executor.sentinel.sweep import Sweep
from executor.sentinel.venue import SweepVenue, Trouble, VenueTrouble
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server
from tests.sentinel.hand import KEY, LINEAR, RESTING, SECRET, place, send


async def at_once(_seconds, /):
    await asyncio.sleep(0)


@pytest.fixture
async def server():
    options = SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)
    async with running_server(options) as running:
        yield running


@pytest.fixture
async def venue(server):
    async with SweepVenue(
        rest_url=server.rest_url, api_key=KEY, api_secret=SECRET, recv_window_ms=5_000, timeout_s=5.0
    ) as opened:
        yield opened


async def test_every_cancelled_order_is_named(server, venue):
    mine = {**LINEAR, "side": "Sell", "price": "80000", "qty": "0.25", "orderLinkId": "x-1-1"}
    assert (await send(server.rest_url, "/v5/order/create", mine))["retCode"] == 0
    await place(server.rest_url)
    sweep = Sweep(venue, lambda *_, **__: None, confirm_s=0.0, wait=at_once)
    await sweep.run()
    await sweep.describe()
    named = {tuple(text.split(" ")[:3]): text.split(" ")[3:] for text in sweep.found.values()}
    qty, name = named["linear", "BTCUSDT", "sell"]
    assert (Decimal(qty), name) == (Decimal("0.25"), "x-1-1")
    assert len(sweep.found) == len(RESTING) + 1
    for kind in RESTING.values():
        qty, _ = named[kind["category"], kind["symbol"], "buy"]
        assert Decimal(qty) == Decimal(kind["qty"])


async def test_names_that_cannot_be_learnt_do_not_hold_up_the_stop(server, venue, monkeypatch):
    await place(server.rest_url, ["linear USDT"])

    async def refuse(*_):
        raise VenueTrouble(Trouble.UNREACHED, "no")

    sweep = Sweep(venue, lambda *_, **__: None, confirm_s=0.0, wait=at_once)
    await sweep.run()
    monkeypatch.setattr(venue, "recent_texts", refuse)
    before = dict(sweep.found)
    await sweep.describe()
    assert sweep.found == before
    assert len(before) == 1
