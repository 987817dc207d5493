"""Faults of the create path: an order leaves once, and what became of it is found out, never guessed."""

import ssl
from dataclasses import replace
from urllib.parse import urlsplit

import msgspec
import pytest

from executor.domain.order_state import ChildStatus
from executor.domain.orders import ResidualRule, Side, StrategyParams
from executor.domain.parent_state import ParentStatus
from sandbox.bybit_server.fields import Fields
from tests.builders import D
from tests.faults.certificates import Authority, Door
from tests.faults.plays import buying, buys_on
from tests.faults.stage import CREATE, KEY, TIMINGS, link_id, stage
from tests.faults.ways import at, both_ways, cancel, over

pytestmark = pytest.mark.process

ONE_SLICE = dict(order_qty=D("0.01"), duration_s=4, params=StrategyParams(interval_s=4, passiveness=D(0)))

LONG_SLICE = dict(order_qty=D("0.01"), duration_s=8, params=StrategyParams(interval_s=8, passiveness=D(0)))


async def play_create(tmp_path, *acts, way="rest", adopted, creates=None, access=None):
    """Submit one crossing child under the given faults of the create, sent either way.

    Neither stream nor queries tell anything until the doubt was seen; then the queries must end it. `adopted`: the
    first child is the order in the end; otherwise it is proved absent.
    """
    timings = replace(TIMINGS, reconcile_s=30)
    async with stage(tmp_path, access={**over(way), **(access or {})}, timings=timings) as played:
        for act in acts:
            await played.levers.fault(**at(way, "create"), **act)
        await played.levers.fault("drop", on="private", times=None)
        about_it = dict(path="/v5/execution/list", match={"linkId": "x-*"})
        await played.levers.fault("status", status=500, times=None, **about_it)
        parent = await played.submit(**ONE_SLICE)
        await played.until(lambda: parent.children)
        first = played.state.children[parent.children[0]]
        await played.until(lambda: first.status is ChildStatus.UNKNOWN)
        assert first.open_qty == first.order.qty, "a child in doubt keeps its reservation"
        assert "OUTCOME_UNKNOWN" in played.alerts()
        await played.levers.heal()
        await played.finish(parent)
        await played.proved()
        await played.check()
        if adopted:
            assert first.cum_qty > 0
            assert len(parent.children) == 1
        else:
            assert first.status is ChildStatus.REJECTED
            assert first.cum_qty == 0
        sent = await played.levers.sent("create")
        assert creates is None or len(sent) == creates


@both_ways
async def test_01_timeout_of_an_accepted_order(tmp_path, way):
    await play_create(tmp_path, dict(act="drop"), way=way, adopted=True, creates=1)


@both_ways
async def test_02_timeout_of_an_order_that_never_arrived(tmp_path, way):
    async with stage(tmp_path, access=over(way)) as played:
        await played.levers.fault("drop", when="before_apply", **at(way, "create"))
        parent = await played.submit(**{**ONE_SLICE, "duration_s": 12, "order_qty": D("0.02")})
        await played.until(lambda: parent.children)
        first = played.state.children[parent.children[0]]
        await played.until(lambda: first.status is ChildStatus.UNKNOWN)
        sent_ns = first.sent_ns
        await played.until(lambda: first.status is ChildStatus.REJECTED)
        timings = played.timings
        waited_s = (first.done_ns - sent_ns) / 1e9
        assert waited_s >= timings.recv_window_ms / 1000 + timings.absence_margin_s + 2 * timings.query_gap_s
        await played.finish(parent)
        await played.check()
        assert parent.status is ParentStatus.COMPLETE, "another child took its place"


@both_ways
async def test_03_accepted_after_our_patience_and_inside_the_window(tmp_path, way):
    late = dict(act="delay", when="before_apply", delay=1.2)
    await play_create(tmp_path, late, way=way, adopted=True, creates=1, access=dict(request_timeout_s=0.4))


@both_ways
async def test_04_arrives_after_the_window(tmp_path, way):
    async with stage(tmp_path, access=dict(request_timeout_s=0.5, **over(way))) as played:
        await played.levers.fault("delay", when="before_apply", delay=2.5, **at(way, "create"))
        parent = await played.submit(**{**ONE_SLICE, "duration_s": 12})
        await played.until(lambda: parent.children)
        first = played.state.children[parent.children[0]]
        await played.until(lambda: first.status is ChildStatus.REJECTED)
        await played.finish(parent)
        await played.check()
        refused = [
            entry["retCode"] for entry in await played.levers.sent("create") if link_id(entry) == name(first)
        ]
        assert refused == [10002], "the venue itself refused what came too late"


@both_ways
async def test_05_held_by_a_partition_and_delivered_when_it_ends(tmp_path, way):
    async with stage(tmp_path, access=dict(request_timeout_s=0.4, **over(way)), silence_s_max=4.0) as played:
        parent = await played.submit(
            order_qty=D("0.02"), duration_s=8, params=StrategyParams(interval_s=3, passiveness=D(0))
        )
        await played.until(lambda: parent.cum_qty > 0)
        begins_ns = parent.schedule.slices[1].start_ns
        await played.until(lambda: played.state.now_ns > begins_ns - 250_000_000)
        await played.levers.do("hold", s=1.2)
        await played.until(lambda: len(parent.children) == 2)
        second = played.state.children[parent.children[1]]
        await played.until(lambda: second.status is ChildStatus.UNKNOWN)
        assert second.open_qty == second.order.qty
        assert [link_id(entry) for entry in await played.levers.sent("create")].count(name(second)) <= 1
        await played.until(lambda: second.seen or second.status is ChildStatus.REJECTED)
        assert second.seen, "it was delivered inside its window: it is an order"
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert second.cum_qty == second.order.qty
        assert len(parent.children) == 2


async def test_06_accepted_and_invisible_for_a_time(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.do("lag", ms=3_000)
        await played.levers.fault("drop", path=CREATE)
        await played.levers.fault("drop", on="private", times=None)
        parent = await played.submit(**ONE_SLICE)
        await played.until(lambda: parent.children)
        first = played.state.children[parent.children[0]]
        await played.until(lambda: first.status is ChildStatus.UNKNOWN)
        await played.until(lambda: first.seen, 20)
        await played.levers.heal()
        await played.levers.do("lag", ms=0)
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert len(await played.levers.wire(CREATE)) == 1


@both_ways
async def test_07_the_connection_ends_after_acceptance(tmp_path, way):
    await play_create(tmp_path, dict(act="reset"), way=way, adopted=True, creates=1)


async def test_07_gateway_error_after_acceptance(tmp_path):
    await play_create(tmp_path, dict(act="status", status=502), adopted=True, creates=1)


async def test_08_gateway_error_before_acceptance(tmp_path):
    await play_create(tmp_path, dict(act="status", status=503, when="before_apply"), adopted=False)


@both_ways
@pytest.mark.parametrize("when", ["after_apply", "before_apply"])
async def test_09_server_timeout(tmp_path, way, when):
    act = dict(act="retCode", retCode=10000, retMsg="Server Timeout", when=when)
    await play_create(tmp_path, act, way=way, adopted=when == "after_apply")


@both_ways
async def test_10_a_return_code_never_seen(tmp_path, way):
    act = dict(act="retCode", retCode=999_999, retMsg="?")
    await play_create(tmp_path, act, way=way, adopted=True, creates=1)


GARBAGE = {
    "empty": "",
    "html": "<html><body>Bad gateway</body></html>",
    "cut": '{"retCode":0,"retMsg":"OK","result":{"orderId":"1","orderL',
    "not an object": "[0]",
    "code as text": '{"retCode":"0","retMsg":"OK","result":{}}',
    "deep": "[" * 50_000,
    "half a character": '{"retCode":0,"retMsg":"\\ud800","result":{}}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
async def test_11_unreadable_answer(tmp_path, body):
    await play_create(tmp_path, dict(act="body_raw", body_raw=body), adopted=True, creates=1)


SPOILED = {
    "gzip broken": dict(act="gzip_broken"),
    "cut in the middle": dict(act="truncate"),
    "damaged": dict(act="corrupt"),
    "another content type": dict(act="content_type", content_type="text/html"),
    "half closed": dict(act="half_close"),
}


@pytest.mark.parametrize("act", SPOILED.values(), ids=SPOILED.keys())
async def test_11_spoiled_answer(tmp_path, act):
    await play_create(tmp_path, act, adopted=True, creates=1)


FRAMES = {
    "no JSON": dict(act="body_raw", body_raw="oops"),
    "empty object": dict(act="frame_raw", frame_raw="{}"),
    "no text": dict(act="frame_hex", frame_hex="c328"),
    "cut": dict(act="truncate"),
    "damaged": dict(act="corrupt"),
}


@pytest.mark.parametrize("act", FRAMES.values(), ids=FRAMES.keys())
async def test_11_spoiled_frame(tmp_path, act):
    await play_create(tmp_path, act, way="websocket", adopted=True, creates=1)


@pytest.mark.parametrize(
    "body",
    [
        '{"retCode":0,"retMsg":"OK","result":{"orderId":"1","orderLinkId":"somebody-else"}}',
        '{"retCode":0,"retMsg":"OK"}',
        '{"retCode":0,"retMsg":"OK","result":{"orderId":null,"orderLinkId":null}}',
    ],
    ids=["other id", "no result", "nulls"],
)
async def test_12_accepted_but_not_under_our_id(tmp_path, body):
    await play_create(tmp_path, dict(act="body_raw", body_raw=body), adopted=True, creates=1)


@pytest.mark.parametrize(
    ("way", "told"),
    [("rest", True), ("websocket", True), ("rest", False)],
    ids=["told by the stream", "told before the acknowledgement", "found by a query"],
)
async def test_13_acknowledged_and_then_rejected(tmp_path, way, told):
    async with stage(tmp_path, access=over(way)) as played:
        await played.levers.do("reject_next", count=1)
        if not told:
            await played.levers.fault("drop", on="private", times=None)
        parent = await played.submit(**LONG_SLICE)
        await played.until(lambda: parent.children)
        first = played.state.children[parent.children[0]]
        await played.until(lambda: first.status is ChildStatus.REJECTED)
        await played.levers.heal()
        await played.until(lambda: first.acked_ns)  # the stream may tell of the rejection first
        assert (first.final_qty, first.cum_qty, first.open_qty) == (0, 0, 0), (
            "nothing filled, nothing reserved"
        )
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert parent.status is ParentStatus.COMPLETE, "another child took its place"
        assert len(parent.children) == 2


async def test_14_fill_before_the_acknowledgement(tmp_path):
    async with stage(tmp_path, access=dict(request_timeout_s=3.0)) as played:
        await played.levers.fault("delay", path=CREATE, delay=1.5)
        parent = await played.submit(**ONE_SLICE)
        await played.until(lambda: parent.children)
        first = played.state.children[parent.children[0]]
        await played.until(lambda: first.cum_qty > 0)
        assert first.acked_ns == 0, "booked at once, without waiting for the acknowledgement"
        await played.until(lambda: first.acked_ns)
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert len(await played.levers.wire(CREATE)) == 1


@pytest.mark.parametrize(("act", "heard"), [("reset", 0), ("reset", 120), ("drop", 20)])
async def test_15_connection_ends_in_the_request_body(tmp_path, act, heard):
    await play_create(tmp_path, dict(act=act, when="mid_request", bytes=heard), adopted=False)


async def test_16_idle_connections_are_closed_all_the_time(tmp_path):
    async with stage(tmp_path) as played:
        closed, creates = 0, []
        for _ in range(4):  # in doubt the daemon opens nothing, so that one round may be a quiet one
            parents = []
            for _ in range(8):
                parent = await played.submit(
                    order_qty=D("0.02"), duration_s=6, residual=ResidualRule.LEAVE,
                    params=StrategyParams(interval_s=1, passiveness=D(0)),
                )  # fmt: skip
                parents.append(parent)
                await played.let_pass(0.07)
            while played.state.now_ns < parents[0].order.deadline_ns:
                closed += (await played.levers.do("close_idle"))["closed"]
                await played.let_pass(0.01)
            for parent in parents:
                await played.finish(parent)
            creates = await played.levers.sent("create")
            if len(creates) > 5:
                break
        await played.proved()
        await played.check()
        assert closed > 5
        assert len(creates) > 5
        assert len({link_id(entry) for entry in creates}) == len(creates), (
            "at most one request for each order"
        )


@both_ways
async def test_17_duplicate_id_for_an_order_that_got_in(tmp_path, way):
    answer = dict(act="retCode", retCode=110072, retMsg="OrderLinkedID is duplicate")
    await play_create(tmp_path, answer, way=way, adopted=True, creates=1)


async def test_18_duplicate_id_of_another_order(tmp_path):
    async with stage(tmp_path) as played:
        await played.until(lambda: played.state.private_live)
        body = dict(
            category="linear", symbol="BTCUSDT", side="Buy", orderType="Limit", qty="0.005", price="40000",
            timeInForce="GTC", orderLinkId="x-1-1", positionIdx=0, reduceOnly=False,
        )  # fmt: skip
        account = played.exchange.accounts[KEY.uid]
        await played.levers.fault("drop", on="private", match={"topic": "order*"}, times=None)
        played.exchange.create(account, Fields.from_body(msgspec.json.encode(body)))
        await played.levers.do("cancel", orderLinkId="x-1-1")  # one that is open would be seen before
        parent = await played.submit(**ONE_SLICE)
        await played.until(lambda: played.state.latched and "ORDER_CONFLICT" in played.alerts())
        assert parent.cum_qty == 0
        await played.let_pass(0.5)
        assert len(await played.levers.wire(CREATE)) == 1, "after the halt nothing more leaves"


@pytest.mark.parametrize("when", ["before_apply", "after_apply"])
async def test_19_redirected_create(tmp_path, when):
    """Whether the order was taken before the redirection is found out by asking; nobody else hears of it."""
    async with stage(tmp_path) as played:
        await played.levers.fault("redirect", path=CREATE, when=when)
        parent = await played.submit(**LONG_SLICE)
        await played.until(lambda: parent.children)
        first = played.state.children[parent.children[0]]
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert first.status is (ChildStatus.REJECTED if when == "before_apply" else ChildStatus.FILLED)
        assert await played.levers.elsewhere() == []


async def test_19_redirected_queries(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("drop", path=CREATE)
        await played.levers.fault("drop", on="private", times=None)
        await played.levers.fault("redirect", path="/v5/*", match={"method": "GET"}, times=None)
        parent = await played.submit(**ONE_SLICE)
        await played.let_pass(2.0)
        assert not parent.children, "nothing is opened while nothing can be read"
        await played.levers.heal()
        await played.levers.fault("redirect", path="/v5/*", match={"method": "GET"}, times=6)
        await played.finish(parent)
        await played.proved()
        await played.check()
        assert await played.levers.elsewhere() == []


async def test_21_a_reducing_order_split_by_the_venue(tmp_path):
    async with stage(tmp_path) as played:
        bought = await played.submit(**ONE_SLICE)
        await played.finish(bought)
        played.limit_order_qty(D("0.004"))
        parent = await played.submit(**ONE_SLICE, side=Side.SELL, reduce_only=True)
        await played.finish(parent)
        await played.proved()
        await played.check()
        rows = [
            row for row in (await played.levers.truth())["orders"] if row["orderLinkId"] in parent.children
        ]
        assert len(rows) == 3, "one request, three orders under one id"
        assert parent.cum_qty == D("0.01")
        assert parent.status is ParentStatus.COMPLETE
        assert not played.state.latched
        assert len(parent.children) == 1


@pytest.mark.parametrize("kind", ["expired", "self-signed", "of another host"])
async def test_22_a_bad_certificate_lets_nothing_out(tmp_path, monkeypatch, kind):
    """The venue shows a bad certificate for a while: nothing is said to it, and plain text is no way either."""
    authority = Authority(tmp_path)
    trusted = authority.publish()
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=trusted))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", trusted)
    async with stage(tmp_path, started=False) as played:
        plain_port = urlsplit(played.levers.server.rest_url).port
        async with Door(plain_port, authority.context("good")) as door:
            played.access = dict(
                rest_url=f"https://127.0.0.1:{door.port}",
                public_ws_url=f"wss://127.0.0.1:{door.port}",
                private_ws_url=f"wss://127.0.0.1:{door.port}",
            )
            await played.start()
            hungry = await buying(played)
            await buys_on(played, hungry)
            await door.swap(authority.context(kind))
            before, admitted = len(await played.levers.wire()), door.admitted
            await played.let_pass(4.0)
            assert door.admitted == admitted, "no handshake was completed"
            assert len(await played.levers.wire()) == before, "and nothing came any other way"
            assert not played.state.private_live
            assert any("certificate" in str(line).lower() for line in played.lines), played.lines
            await door.swap(authority.context("good"))
            await buys_on(played, hungry, 30)
            await cancel(played, hungry)
            await played.finish(hungry)
            await played.proved()
            await played.check()
            await played.end()


def name(child):
    return child.order.client_order_id
