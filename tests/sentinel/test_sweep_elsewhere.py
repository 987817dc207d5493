"""The sentinel at another venue, over real sockets: everything is cancelled, and only a whole answer proves it."""

import asyncio

import pytest

from config.secrets import Secret
from config.stop import StopSettings
from config.venues import VenueTable
from executor.domain.errors import ConfigError
from executor.domain.orders import Category
from executor.sentinel.elsewhere import VenueSweep, sweeps_elsewhere
from tests.builders import D
from tests.venues.other_bench import MARKETS, other_bench
from tests.venues.venue_bench import KEY

pytestmark = pytest.mark.process


def sweep_of(url, lines):
    table = VenueTable(
        name="other",
        exchange="bybit",
        key=Secret(KEY.key),
        secret=Secret(KEY.secret),
        password=None,
        rest_url=url,
        testnet=False,
        poll_s=1,
        markets=MARKETS,
    )
    return VenueSweep(
        table,
        lambda message, **fields: lines.append((message, fields)),
        confirm_s=0.2,
        timeout_s=1.0,
    )


async def test_everything_is_cancelled_whatever_the_venue_answers_at_first():
    async with other_bench() as desk:
        for category, qty in ((Category.LINEAR, "0.001"), (Category.SPOT, "0.01")):
            for _ in range(3):
                await desk.place(desk.order(category=category, qty=D(qty)))
        await desk.place(desk.order(client_order_id="somebody-else"))
        await desk.do("ignore_cancels", count=2)
        for path, body in (
            ("/v5/order/realtime", '{"retCode":0,"result":{}}'),
            ("/v5/order/realtime", ""),
            ("/v5/order/cancel", '{"retCode":10000}'),
        ):
            await desk.fault("body_raw", path=path, body_raw=body)
        await desk.fault("drop", path="/v5/market/instruments-info", when="before_apply")
        lines = []
        sweep = sweep_of(desk.server.rest_url, lines)
        assert sweep.may_remain == [
            "other BTC/USDT: could not be read",
            "other BTC/USDT:USDT: could not be read",
        ]
        async with asyncio.timeout(30):
            await sweep.run()
        assert {order["status"] for order in await desk.truth()} == {"Cancelled"}
        assert (len(sweep.found), sweep.may_remain) == (7, [])
        assert any("x-1-1" in text for text in sweep.found.values())
        assert any("not reached" in message for message, _ in lines)


async def test_a_venue_that_only_answers_without_a_list_is_never_proved():
    async with other_bench() as desk:
        await desk.fault(
            "body_raw", path="/v5/order/realtime", body_raw='{"retCode":0,"result":{}}', times=None
        )
        sweep = sweep_of(desk.server.rest_url, [])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await sweep.run()
        assert len(sweep.may_remain) == 2


def test_a_file_of_venues_that_cannot_be_read_is_said_and_ends_the_start(tmp_path):
    settings = StopSettings(
        data_dir=tmp_path, rest_url="http://127.0.0.1:1", credentials=None, request_timeout_s=1,
        recv_window_ms=1_000, sentinel=None, log=None, venues_file=tmp_path / "none.toml",
    )  # fmt: skip
    lines = []
    with pytest.raises(ConfigError):
        sweeps_elsewhere(settings, {}, lambda message, **fields: lines.append(message))
    assert "can NOT be cancelled" in lines[0]
