"""Asking the venue to cancel by itself: set, read back, and told when it is not so."""

from contextlib import asynccontextmanager

import aiohttp
import pytest

from executor.runtime.clock import Clock
from executor.venues.bybit.dcp import PRODUCTS, arm_dcp
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from sandbox.bybit_server import Credentials, FlowSettings, SandboxOptions, running_server

KEY = Credentials()


@asynccontextmanager
async def exchange():
    async with running_server(
        SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)
    ) as server:
        yield server


async def arm(server, window_s=10):
    lines = []
    async with aiohttp.ClientSession() as http:
        confirmed = await arm_dcp(
            http,
            server.rest_url,
            Signer(KEY.key, KEY.secret, 5_000),
            ServerTime(Clock()),
            window_s,
            lambda message, **fields: lines.append((message, fields)),
        )
    return confirmed, lines


async def fault(server, path, **act):
    body = {"match": {"path": path}, "when": "before_apply", "times": None, **act}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{server.control_url}/_fault", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_the_window_is_set_for_both_products_and_read_back():
    async with exchange() as server:
        confirmed, lines = await arm(server)
    assert confirmed == frozenset(PRODUCTS), lines
    assert all("cancels by itself" in message for message, _ in lines)


@pytest.mark.parametrize(
    "act",
    [
        {"act": "retCode", "retCode": 10005, "retMsg": "Permission denied"},
        {"act": "status", "status": 502},
        {"act": "body_raw", "body_raw": "[]"},
        {"act": "drop"},
    ],
)
async def test_a_refusal_is_told_and_tolerated(act):
    async with exchange() as server:
        await fault(server, "/v5/order/disconnected-cancel-all", **act)
        confirmed, lines = await arm(server)
    assert confirmed == frozenset()
    assert sum("does not take the disconnect window" in message for message, _ in lines) == 2
    assert sum("not in force" in message for message, _ in lines) == 2


async def test_what_cannot_be_read_back_is_not_believed():
    async with exchange() as server:
        await fault(server, "/v5/account/query-dcp-info", act="status", status=500)
        confirmed, lines = await arm(server)
    assert confirmed == frozenset()
    assert "cannot be read back" in lines[-1][0]
