"""The private stream over real sockets, against a server that misbehaves. Numbers are rows of the fault catalogue."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from random import Random

import aiohttp
import pytest

from executor.domain.events import OrderFilled, OrderUpdated, PositionUpdated, StreamChanged, WalletUpdated
from executor.runtime.clock import Clock
from executor.venues.bybit import stream as stream_room
from executor.venues.bybit.access import Access
from executor.venues.bybit.account_feed import AccountFeed
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from tests.builders import D
from tests.venues.scripted_socket import Inbox, polite, scripted
from tests.venues.wire_rows import EXECUTION, ORDER, POSITION

pytestmark = pytest.mark.process
WALLET = {"coin": [{"coin": "BTC", "walletBalance": "1", "locked": "0.25"}]}


class Told:
    """What the feed reported beside its events."""

    def __init__(self) -> None:
        self.inbox, self.unreadable, self.refused, self.lines = Inbox(), [], [], []
        self._logged = asyncio.Event()

    async def until_logged(self):
        async with asyncio.timeout(30):
            await self._logged.wait()

    @property
    def live(self):
        return [event.live for event in self.inbox.of(StreamChanged)]

    def log(self, message, **fields):
        self.lines.append((message, fields))
        self._logged.set()


@asynccontextmanager
async def feeding(answer=polite, **more):
    """A feed that runs against a scripted server; quick pings, no wait worth speaking of before a new attempt."""
    quick = dict(ping_every_s=0.1, silence_s_max=0.5)
    access = {name: more.pop(name) for name in ("dcp",) if name in more}
    async with scripted(answer) as there, aiohttp.ClientSession() as http:
        told = Told()
        urls = dict(rest_url=there.url, public_ws_url=there.url, private_ws_url=there.url)
        feed = AccountFeed(
            http=http,
            access=Access(**urls, api_key="k", api_secret="s", **access),
            signer=Signer("k", "s", 5_000),
            time=ServerTime(Clock()),
            post=told.inbox,
            prefix="x-",
            on_unreadable=told.unreadable.append,
            on_auth_refused=lambda code, text: told.refused.append((code, text)),
            log=told.log,
            random=Random(1),
            **{**quick, **more},
        )
        task = asyncio.create_task(feed.stream.run())
        try:
            yield there, told, feed
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def joined(told, times=1):
    await told.inbox.until(lambda _: told.live.count(True) >= times)


def push(topic, *rows):
    return {"id": "1", "topic": topic, "creationTime": 1, "data": list(rows)}


async def test_all_four_topics_arrive_in_one_subscription_as_events():
    async with feeding() as (there, told, _):
        await joined(told)
        assert [asked["args"] for asked in there.asked if asked["op"] == "subscribe"] == [
            ["order", "execution", "position", "wallet"]
        ]
        await there.say(push("order", ORDER, {**ORDER, "orderLinkId": "by-hand"}))
        await there.say(push("execution", EXECUTION), push("position", {**POSITION, "category": "linear"}))
        await there.say(push("wallet", WALLET))
        (wallet,) = await told.inbox.until(lambda inbox: inbox.of(WalletUpdated))
        assert [(coin.coin, coin.wallet_qty, coin.locked_qty) for coin in wallet.balances] == [
            ("BTC", 1, D("0.25"))
        ]
        assert [event.client_order_id for event in told.inbox.of(OrderUpdated)] == ["x-1-1"]
        assert len(told.inbox.of(OrderFilled)) == 1
        assert [event.report.qty for event in told.inbox.of(PositionUpdated)] == [D("0.5")]
        assert told.unreadable == []


@pytest.mark.parametrize("answers", [True, False])
async def test_the_venues_own_cancelling_is_armed_apart_and_may_be_refused(answers):
    def answer(asked):
        verdict = polite(asked)
        return verdict | {"success": answers} if str(asked.get("args")).count("dcp") else verdict

    async with feeding(answer, dcp=True) as (there, told, _):
        await there.until(lambda there: "dcp.spot" in there.topics)
        await joined(told)
        assert there.topics == ["order", "execution", "position", "wallet", "dcp.future", "dcp.spot"]
        await there.say(push("dcp.future", {"product": "DERIVATIVES"}), push("wallet", WALLET))
        await told.inbox.until(lambda inbox: inbox.of(WalletUpdated))
        assert told.live == [True]
        assert (len(told.lines), told.unreadable) == (0 if answers else 2, [])


async def test_arming_that_is_never_acknowledged_costs_only_itself(monkeypatch):
    monkeypatch.setattr(stream_room, "_ACK_S_MAX", 0.1)

    def answer(asked):
        return None if "dcp" in str(asked.get("args")) else polite(asked)

    async with feeding(answer, dcp=True) as (there, told, _):
        await there.until(lambda there: "dcp.spot" in there.topics)
        async with asyncio.timeout(30):
            while len(told.lines) < 2:
                told._logged.clear()
                await told._logged.wait()
        await there.say(push("wallet", WALLET))
        await told.inbox.until(lambda inbox: inbox.of(WalletUpdated))
        assert (there.connects, told.live, told.unreadable) == (1, [True], [])


@pytest.mark.parametrize("qty", ["-1", "NaN", "9" * 40, "1e3", "", None, 5, "0." + "1" * 30])
async def test_44_a_quantity_that_is_none_is_told_and_hides_nothing(qty):
    async with feeding() as (there, told, _):
        await joined(told)
        await there.say(
            push("order", {**ORDER, "qty": qty}, ORDER), push("execution", {**EXECUTION, "execQty": qty})
        )
        await there.say(push("execution", EXECUTION))
        await told.inbox.until(lambda inbox: inbox.of(OrderFilled))
        assert len(told.inbox.of(OrderUpdated)) == 1
        assert len(told.unreadable) == 2
        assert told.live == [True]


async def test_45_fields_that_are_new_are_ignored_and_fields_that_are_gone_are_told():
    async with feeding() as (there, told, _):
        await joined(told)
        gone = {key: value for key, value in ORDER.items() if key != "cumExecQty"}
        theirs = {**gone, "orderLinkId": "by-hand"}
        await there.say(push("order", gone, theirs, {**ORDER, "new": {"x": [1.5]}}, {**ORDER, "price": None}))
        await told.inbox.until(lambda inbox: inbox.of(OrderUpdated))
        assert ["cumExecQty" in str(error) for error in told.unreadable] == [True, False]


@pytest.mark.parametrize(
    "frame",
    [
        "Failed to decode incoming data:x",
        "[" * 50_000,
        "[]",
        '{"topic":"order"}',
        '{"topic":"secret","data":[]}',
        json.dumps(push("order", *[0] * 20_000)),
        '{"topic":"order","data":[NaN]}',
        '{"a":1,"a":2}',
    ],
    ids=lambda frame: frame[:20],
)  # fmt: skip
async def test_51_a_frame_that_cannot_be_read_is_told_and_the_stream_goes_on(frame):
    async with feeding() as (there, told, feed):
        await joined(told)
        await there.say(frame, push("wallet", WALLET))
        await told.inbox.until(lambda inbox: inbox.of(WalletUpdated))
        assert (len(told.unreadable), feed.stream.bad_frames, told.live) == (1, 1, [True])


@pytest.mark.parametrize("frame", ["x" * 5_000_000, b"\x00" * 10], ids=["5 MB", "binary"])
async def test_51_a_frame_that_is_too_large_or_no_text_ends_the_connection(frame):
    async with feeding() as (there, told, feed):
        await joined(told)
        with suppress(ConnectionError):  # it may be gone before the last byte was sent
            await there.say(frame)
        await joined(told, times=2)
        assert told.live == [True, False, True]
        assert feed.stream.connects == 2


async def test_51_bytes_that_are_no_text_end_the_connection():
    async with feeding() as (there, told, _):
        await joined(told)
        from aiohttp import WSMsgType

        await there.sockets[-1].send_frame(b'{"topic":"order\xff"}', WSMsgType.TEXT)
        await joined(told, times=2)
        assert told.live == [True, False, True]


async def test_47_pongs_alone_keep_the_stream_live():
    """That the topics are silent is the engine's to notice: it asks about every order the stream does not show."""
    async with feeding() as (there, told, _):
        await joined(told)
        await there.until(lambda there: [asked["op"] for asked in there.asked].count("ping") > 10)
        assert told.live == [True]


async def test_46_silence_ends_the_connection():
    def answer(asked):
        return None if asked["op"] == "ping" else polite(asked)

    async with feeding(answer) as (_, told, _feed):
        await joined(told, times=2)
        lost = next(event for event in told.inbox.of(StreamChanged) if not event.live)
        assert "silent" in lost.detail


@pytest.mark.parametrize("unanswered", ["auth", "subscribe"])
async def test_48_without_both_acknowledgements_it_is_not_live(unanswered, monkeypatch):
    monkeypatch.setattr(stream_room, "_ACK_S_MAX", 0.3)

    def answer(asked):
        return None if asked["op"] == unanswered else polite(asked)

    async with feeding(answer) as (there, told, _):
        await there.until(lambda there: there.connects >= 2)
        assert told.live == []
        assert told.refused == []


async def test_48_a_refused_subscription_is_tried_again():
    def answer(asked):
        return polite(asked) | ({"success": False, "ret_msg": "no"} if asked["op"] == "subscribe" else {})

    async with feeding(answer) as (there, told, _):
        await there.until(lambda there: there.connects >= 2)
        assert (told.live, told.refused) == ([], [])


REFUSALS = [
    ({"success": False, "retCode": 10003, "retMsg": "Invalid apikey"}, (10003, "Invalid apikey")),
    ({"success": False, "retCode": 33004, "retMsg": "expired"}, (33004, "expired")),
    ({"success": False, "ret_msg": "error sign"}, (0, "error sign")),
]


@pytest.mark.parametrize(("verdict", "told_code"), REFUSALS)
async def test_49_79_a_refused_key_is_told_at_once_and_not_tried_in_a_storm(verdict, told_code):
    def answer(asked):
        return {"op": "auth", **verdict} if asked["op"] == "auth" else polite(asked)

    async with feeding(answer) as (there, told, _):
        await there.until(lambda there: there.connects >= 1)
        await told.until_logged()  # the loss is logged after everything was told
        assert told.refused == [told_code]
        assert len(told.unreadable) == 1
        assert (told.live, there.connects) == ([], 1)
        assert there.topics == []


async def test_49_a_refusal_for_a_passing_cause_is_tried_again_and_halts_nothing():
    verdicts = [{"success": False, "retCode": 10016, "retMsg": "busy"}]

    def answer(asked):
        return polite(asked) | (verdicts.pop() if asked["op"] == "auth" and verdicts else {})

    async with feeding(answer) as (_, told, _feed):
        await joined(told)
        assert told.refused == []


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011])
async def test_50_a_closed_connection_is_made_anew(code):
    async with feeding() as (there, told, _):
        await joined(told)
        if code == 1006:
            there.sockets[-1]._req.transport.abort()
        else:
            await there.close(code)
        await joined(told, times=2)
        assert told.live == [True, False, True]


async def test_50_a_connection_that_breaks_a_rule_of_theirs_is_not_made_anew_at_once():
    async with feeding() as (there, told, _):
        await joined(told)
        await there.close(1008)
        await told.inbox.until(lambda _: told.live == [True, False])
        await asyncio.wait([asyncio.create_task(there.until(lambda there: there.connects > 1))], timeout=1.0)
        assert there.connects == 1


async def test_52_an_inbox_without_room_ends_the_connection_and_begins_anew():
    """Nothing is dropped in silence: the loss is told as soon as there is room, and the next joining resynchronises."""
    async with feeding() as (there, told, feed):
        await joined(told)
        told.inbox.is_full = True
        await there.say(*[push("execution", EXECUTION)] * 50)
        await told.until_logged()
        assert not feed.stream.is_open
        told.inbox.is_full = False
        await joined(told, times=2)
        assert told.live == [True, False, True]
        assert told.inbox.of(OrderFilled) == []


async def test_54_the_fast_stream_is_not_asked_for_and_not_booked():
    async with feeding() as (there, told, _):
        await joined(told)
        fast = {
            key: EXECUTION[key]
            for key in [
                "category",
                "symbol",
                "execId",
                "execPrice",
                "execQty",
                "orderId",
                "isMaker",
                "side",
                "execTime",
            ]
        }
        await there.say(push("execution.fast", fast | {"orderLinkId": ""}), push("wallet", WALLET))
        await told.inbox.until(lambda inbox: inbox.of(WalletUpdated))
        assert "execution.fast" not in there.topics
        assert (told.inbox.of(OrderFilled), told.unreadable) == ([], [])
