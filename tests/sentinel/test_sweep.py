"""Cancelling everything over real sockets, against an exchange that does not make it easy."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from executor.sentinel.sweep import BAN_S, Sweep
from executor.sentinel.venue import OPEN_PATH, SCOPES, SweepVenue
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server
from sandbox.bybit_server.fields import Fields
from tests.sentinel.hand import KEY, LINEAR, RESTING, SECRET, open_of, place, send

CONFIRM_S = 777.0


class Bench:
    """An exchange, a sweep of its account, and time that passes at once but is written down."""

    def __init__(self, server, venue):
        self.server, self.waited, self.lines, self.clock_s = server, [], [], 0.0
        self.on_wait, self.ban_is_over = {}, asyncio.Event()
        self.sweep = Sweep(
            venue,
            lambda message, **_: self.lines.append(message),
            confirm_s=CONFIRM_S,
            wait=self.wait,
            clock_s=lambda: self.clock_s,
        )

    async def wait(self, seconds, /):
        self.waited.append(seconds)
        hook = self.on_wait.pop(seconds, None)
        if hook is not None:
            await hook()
        if BAN_S / 2 < seconds <= BAN_S:
            await self.ban_is_over.wait()
        self.clock_s += seconds
        await asyncio.sleep(0)

    async def run(self):
        async with asyncio.timeout(50):
            await self.sweep.run()

    @property
    def account(self):
        (account,) = self.server.exchange.accounts.values()
        return account

    async def control(self, method, path, body=None):
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.server.control_url + path, json=body) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def fault(self, act, path="/v5/order/*", when="before_apply", times=1, **more):
        match = {"path": path, **more.pop("match", {})}
        return await self.control(
            "POST", "/_fault", {"match": match, "when": when, "act": act, "times": times, **more}
        )

    async def open(self):
        (account,) = (await self.control("GET", "/_truth"))["accounts"].values()
        return open_of(account)

    async def requests(self):
        wire = (await self.control("GET", "/_wire"))["requests"]
        return [entry["path"] for entry in wire]

    def rest(self, symbol, px, count, category="linear", qty="1"):
        """Rest many orders past the allowance of requests."""
        for _ in range(count):
            fields = {**LINEAR, "category": category, "symbol": symbol, "qty": qty, "price": px}
            self.server.exchange.create(self.account, Fields(fields))


@asynccontextmanager
async def bench():
    options = SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)
    async with (
        running_server(options) as server,
        SweepVenue(
            rest_url=server.rest_url, api_key=KEY, api_secret=SECRET, recv_window_ms=5_000, timeout_s=5.0
        ) as venue,
    ):
        yield Bench(server, venue)


async def test_orders_of_every_kind_are_cancelled_and_named():
    async with bench() as there:
        await place(there.server.rest_url)
        assert len(await there.open()) == len(RESTING)
        await there.run()
        assert await there.open() == []
        assert len(there.sweep.found) == len(RESTING)
        assert there.sweep.may_remain == []
        assert "positions are left as they are" in there.lines[0]
        assert there.waited[-1] == CONFIRM_S


async def test_an_empty_account_is_proved_empty():
    async with bench() as there:
        await there.run()
        assert there.sweep.found == {}
        assert set(there.sweep.remaining) == {*(scope.name for scope in SCOPES), "strategy orders"}


async def test_twelve_hundred_orders_go_five_hundred_at_a_time():
    async with bench() as there:
        there.account.credit("USDT", 10**9)
        for symbol, px, qty in (
            ("BTCUSDT", "50000", "0.001"),
            ("ETHUSDT", "3000", "0.01"),
            ("XRPUSDT", "0.5", "20"),
        ):
            there.rest(symbol, px, 400, qty=qty)
        assert len(await there.open()) == 1_200
        await there.run()
        assert await there.open() == []
        assert len(there.sweep.found) == 1_200
        assert any("still open, cancelling again" in line for line in there.lines)


async def test_a_category_of_many_pages_is_read_to_the_end():
    """The orders that are not in a sweep's coin stand behind the first page."""
    async with bench() as there:
        there.rest("ETHUSD", "2000", 70, category="inverse", qty="10")
        there.rest("BTCUSD", "50000", 70, category="inverse", qty="10")
        await there.fault("retCode", path="/v5/order/cancel-all", times=3, retCode=10001, retMsg="no")
        await there.run()
        assert await there.open() == []
        assert len(there.sweep.found) == 140


async def test_what_cancel_all_refuses_is_cancelled_one_by_one():
    async with bench() as there:
        await place(there.server.rest_url)
        await there.fault("retCode", path="/v5/order/cancel-all", times=None, retCode=10001, retMsg="no")
        await there.run()
        assert await there.open() == []
        assert (await there.requests()).count("/v5/order/cancel") == len(RESTING)


@pytest.mark.parametrize(
    ("act", "more"),
    [
        ("status", {"status": 502}),
        ("status", {"status": 429}),
        ("retCode", {"retCode": 10016, "retMsg": "Server error."}),
        ("retCode", {"retCode": 10006, "retMsg": "Too many visits!"}),
        ("retCode", {"retCode": 10000, "retMsg": "Server Timeout"}),
        ("drop", {}),
        ("reset", {}),
        ("body_raw", {"body_raw": "<html>maintenance</html>"}),
        ("body_raw", {"body_raw": "[]"}),
        ("body_raw", {"body_raw": "[" * 100_000}),
    ],
)
@pytest.mark.parametrize("when", ["before_apply", "after_apply"])
async def test_a_storm_of_failures_is_ridden_out(act, more, when):
    async with bench() as there:
        await place(there.server.rest_url)
        await there.fault(act, when=when, times=20, match={"p": 0.6}, **more)
        await there.run()
        assert await there.open() == []
        assert any("trying again" in line for line in there.lines)
        assert max(seconds for seconds in there.waited if seconds != CONFIRM_S) <= 5.0


async def test_a_barred_address_is_silent_for_ten_minutes():
    async with bench() as there:
        await place(there.server.rest_url)
        await there.fault("status", status=403, times=1)
        asked = []

        async def count():
            asked.extend([len(await there.requests()) for _ in range(30)])
            there.ban_is_over.set()

        there.on_wait[BAN_S] = count
        await there.run()
        assert await there.open() == []
        assert sum("bars this address" in line for line in there.lines) == 1
        assert max(there.waited) >= BAN_S - 1
        # Requests of the other parts of the account may have been on their way; none is begun afterwards.
        # Each reads the clock first; strategy orders are read state by state.
        assert asked[-1] - len(RESTING) <= 2 * (len(SCOPES) + 1) + 2
        assert asked[10] == asked[-1]


async def test_a_refused_key_is_told_and_tried_again_slowly():
    async with bench() as there:
        await place(there.server.rest_url, ("linear USDT",))
        await there.fault("retCode", retCode=10003, retMsg="API key is invalid.", times=2)
        await there.run()
        assert await there.open() == []
        assert any("refuses our key: 10003" in line for line in there.lines)
        assert 30.0 in there.waited


async def test_a_clock_that_disagrees_is_compared_again():
    async with bench() as there:
        await place(there.server.rest_url, ("linear USDT",))
        await there.fault("retCode", retCode=10002, retMsg="invalid request", times=3)
        await there.run()
        assert await there.open() == []
        assert any("clocks disagree" in line for line in there.lines)


def page(rows, cursor):
    return json.dumps(
        {"retCode": 0, "retMsg": "OK", "result": {"list": rows, "nextPageCursor": cursor}, "time": 1}
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (page([], "same"), "came twice"),
        (page([{"orderId": "", "symbol": "BTCUSDT", "orderStatus": "New"}], ""), "cannot be read"),
        (page([{"orderId": "1", "symbol": "BTCUSDT"}], ""), "cannot be read"),
        (page(["BTCUSDT"], ""), "cannot be read"),
        (page(None, ""), "without list or cursor"),
        (page([], None), "without list or cursor"),
        (page([], 7), "without list or cursor"),
    ],
)
async def test_a_page_that_is_not_whole_proves_nothing(body, text):
    async with bench() as there:
        await there.fault("body_raw", path=OPEN_PATH, body_raw=body, content_type="application/json", times=8)
        await there.run()
        assert any(text in line for line in there.lines), there.lines


async def test_rows_of_ended_orders_do_not_hold_up_the_proof():
    ended = [{"orderId": "1", "symbol": "BTCUSDT", "orderStatus": "Cancelled"}]
    async with bench() as there:
        await there.fault(
            "body_raw", path=OPEN_PATH, body_raw=page(ended, ""), content_type="application/json", times=None
        )
        await there.run()
        assert there.sweep.may_remain == []


async def test_an_order_that_arrives_after_the_first_proof_is_found_by_the_second():
    async with bench() as there:
        there.on_wait[CONFIRM_S] = lambda: place(there.server.rest_url, ("spot conditional",))
        await there.run()
        assert await there.open() == []
        assert any("appeared after the first proof" in line for line in there.lines)
        assert there.waited.count(CONFIRM_S) == 2


async def test_what_may_remain_is_told_when_the_time_is_up():
    async with bench() as there:
        await place(there.server.rest_url, ("linear USDT", "spot"))
        await there.fault("retCode", path="/v5/order/cancel*", times=None, retCode=10001, retMsg="no")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await there.sweep.run()
        assert len(there.sweep.may_remain) == 2
        assert all("BTCUSDT" in line for line in there.sweep.may_remain)
        assert len(await there.open()) == 2


TWAP = {
    "category": "UTA_USDT",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "strategyType": "twap",
    "size": "0.100",
    "duration": 300,
    "interval": 30,
    "triggerPrice": "90000",
}


async def strategies_of(there):
    (account,) = (await there.control("GET", "/_truth"))["accounts"].values()
    return [strategy for strategy in account["strategies"] if strategy["open"]]


async def test_strategy_orders_are_stopped_because_no_cancel_of_orders_ends_them():
    async with bench() as there:
        for kind in ({}, {"triggerPrice": ""}):
            answer = await send(there.server.rest_url, "/v5/strategy/create", {**TWAP, **kind})
            assert answer["retCode"] == 0, answer
        assert len(await strategies_of(there)) == 2
        await there.run()
        assert await strategies_of(there) == []
        assert len(there.sweep.found) == 2
        assert any("twap" in text for text in there.sweep.found.values())
        assert there.sweep.may_remain == []


async def test_a_stop_that_is_forgotten_is_sent_until_the_strategy_is_gone():
    async with bench() as there:
        await send(there.server.rest_url, "/v5/strategy/create", TWAP)
        await there.control("POST", "/_ex", {"do": "ignore_cancels", "count": 2})
        await there.fault("drop", path="/v5/strategy/stop", when="before_apply")
        await there.run()
        assert await strategies_of(there) == []
        assert (await there.requests()).count("/v5/strategy/stop") >= 4


@pytest.mark.parametrize("switched_on", [False, True])
async def test_a_venue_that_shows_no_strategy_orders_is_believed_only_where_none_were_switched_on(
    switched_on,
):
    async with bench() as there:
        there.sweep._algorithms = switched_on
        await there.fault("retCode", path="/v5/strategy/list", times=8, retCode=10001)
        await there.run()
        asked = (await there.requests()).count("/v5/strategy/list")
        assert (asked > 6) is switched_on, asked
        assert any("never switched on" in line for line in there.lines) is not switched_on
