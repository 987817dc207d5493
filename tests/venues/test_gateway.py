"""The gateway over real sockets: what each answer, and each missing answer, is taken to prove.

Numbers in the names of cases are rows of the fault catalogue. The exchange's log of what arrived is the judge
of what was sent.
"""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest

from executor.advice.context import MarketContext
from executor.domain.commands import Subscribe
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    InstrumentLoaded,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderQueryFailed,
    OrderRejected,
    OrderUpdated,
    Reconciled,
    ReconcileFailed,
    Stream,
    StreamChanged,
    VenueStatus,
)
from executor.domain.orders import Category
from tests.builders import D
from tests.venues.venue_bench import Heard, bench
from tests.venues.wire_rows import ORDER

pytestmark = pytest.mark.process
BTC = Subscribe(category=Category.LINEAR, symbol="BTCUSDT")


# ---------------------------------------------------------------- A. create


async def test_a_create_is_acknowledged_found_and_cancelled():
    async with bench() as desk:
        order = desk.order()
        acked = await desk.place(order)
        assert isinstance(acked, OrderAcked)
        (sent,) = await desk.wire()
        assert json.loads(sent["raw"])["orderLinkId"] == order.client_order_id
        (update,) = await desk.query(order)
        assert (update.status, update.venue_order_id) == (VenueStatus.NEW, acked.venue_order_id)
        assert (update.qty, update.px, update.cum_qty) == (order.qty, order.px, D(0))
        assert isinstance(await desk.cancel(order), CancelAcked)
        (update,) = await desk.query(order)
        assert update.status is VenueStatus.CANCELED


@pytest.mark.parametrize(
    ("when", "fault", "accepted"),
    [
        ("after_apply", {"act": "delay", "delay": 1.5}, True),
        ("before_apply", {"act": "drop", "delay": 1.5}, False),
        ("after_apply", {"act": "drop"}, True),
        ("before_apply", {"act": "drop"}, False),
        ("after_apply", {"act": "status", "status": 502}, True),
        ("before_apply", {"act": "status", "status": 503}, False),
        ("after_apply", {"act": "status", "status": 403}, True),
        ("after_apply", {"act": "retCode", "retCode": 10000}, True),
        ("before_apply", {"act": "retCode", "retCode": 10000}, False),
        ("after_apply", {"act": "retCode", "retCode": 999999}, True),
        ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":0,"retMsg":"OK","resu'}, True),
        ("after_apply", {"act": "body_raw", "body_raw": "<html>502</html>"}, True),
        ("after_apply", {"act": "body_raw", "body_raw": ""}, True),
        ("after_apply", {"act": "body_raw", "body_raw": "null"}, True),
        ("after_apply", {"act": "body_raw", "body_raw": "[]"}, True),
        ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":"0"}'}, True),
        ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":false}'}, True),
        ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":0}'}, True),
        ("after_apply", {"act": "body_raw", "body_raw": "[" * 200_000}, True),
        ("after_apply", {"act": "body_raw", "body_raw": "[" * 900_000}, True),
        (
            "after_apply",
            {"act": "body_raw", "body_raw": '{"retCode":0,"result":{"orderLinkId":"other","orderId":"1"}}'},
            True,
        ),
        (
            "after_apply",
            {"act": "body_raw", "body_raw": '{"retCode":0,"result":{"orderLinkId":"x-1-1","orderId":7}}'},
            True,
        ),
        (
            "after_apply",
            {"act": "body_raw", "body_raw": '{"retCode":0,"result":{"orderLinkId":"x-1-1","orderId":"\\ud800"}}'},
            True,
        ),
        ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":10016,"retMsg":"\\ud800"}'}, True),
        ("after_apply", {"act": "reset"}, True),
        ("before_apply", {"act": "reset"}, False),
        ("after_apply", {"act": "status", "status": 307}, True),
    ],
    ids=[
        "1 timeout accepted", "2 timeout not accepted", "1 cut accepted", "2 cut not accepted",
        "7 5xx after", "8 5xx before", "403", "9 10000 after", "9 10000 before", "10 never seen",
        "11 truncated", "11 html", "11 empty", "11 null", "11 list", "11 code as text", "11 code as bool",
        "12 no result", "11 nested", "11 large", "12 other id", "12 id of another type", "12 id not writable",
        "11 text not writable", "15 reset accepted", "15 reset not accepted", "19 redirect",
    ],
)  # fmt: skip
async def test_an_unclear_answer_is_unknown_and_nothing_is_sent_twice(when, fault, accepted):
    async with bench() as desk:
        order = desk.order()
        await desk.fault(when=when, match={"linkId": order.client_order_id}, **fault)
        event = await desk.place(order)
        assert isinstance(event, OrderOutcomeUnknown), event
        event.detail.encode()
        assert (
            len(await desk.wire()) <= 1
        )  # a create that is cut while it is delayed may never be written down
        assert len(await desk.truth()) == accepted
        (answer,) = await desk.query(order)
        if fault.get("status") == 403:
            assert isinstance(answer, OrderQueryFailed)
            assert "bars our address" in answer.detail
        elif accepted:
            assert isinstance(answer, OrderUpdated)
            assert answer.client_order_id == order.client_order_id
        else:
            assert isinstance(answer, OrderAbsent)


@pytest.mark.parametrize(
    ("code", "fatal"), [(110007, False), (10001, False), (10006, False), (10003, True), (10010, True)]
)
async def test_a_definitive_refusal(code, fatal):
    async with bench() as desk:
        await desk.fault("retCode", when="before_apply", retCode=code, retMsg="no \ud83d\ude00")
        event = await desk.place(desk.order())
        assert (type(event), event.code, event.fatal) == (OrderRejected, code, fatal)
        assert await desk.truth() == []


async def test_17_a_duplicate_id_is_unknown_and_found():
    async with bench() as desk:
        order = desk.order()
        assert isinstance(await desk.place(order), OrderAcked)
        assert isinstance(await desk.place(order), OrderOutcomeUnknown)
        (update,) = await desk.query(order)
        assert update.status is VenueStatus.NEW
        assert len(await desk.truth()) == 1


async def test_16_idle_connections_that_are_closed_cause_no_second_send():
    async with bench() as desk:
        for number in range(1, 7):
            if number % 2:
                await desk.fault("drop", match={"linkId": f"x-1-{number}"})
            await desk.place(desk.order())
        names = [json.loads(entry["raw"])["orderLinkId"] for entry in await desk.wire()]
        assert names == [f"x-1-{number}" for number in range(1, 7)]


PIECE_S = 0.02


@asynccontextmanager
async def raw_server(answers):
    """A server that answers each request with given pieces of bytes; yields what it heard, and where it is."""
    heard, working = [], set()

    async def serve(reader, writer):
        working.add(asyncio.current_task())
        try:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in answers:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(PIECE_S)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield heard, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*working)


async def test_19_a_redirect_is_not_followed_and_the_key_goes_nowhere_else():
    async with raw_server([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]) as (elsewhere, url):
        head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {url}/v5/order/create\r\n"
        head += "Content-Length: 0\r\nConnection: close\r\n\r\n"
        async with raw_server([head.encode()]) as (heard, base), bench(access={"rest_url": base}) as desk:
            order = desk.order()
            assert isinstance(await desk.place(order), OrderOutcomeUnknown)
            assert isinstance(await desk.cancel(order), CancelOutcomeUnknown)
            (failed,) = await desk.query(order)
            assert isinstance(failed, OrderQueryFailed)
            assert len(heard) == 3
            assert elsewhere == []


async def test_an_answer_that_comes_in_pieces_is_one_answer():
    body = b'{"retCode":0,"retMsg":"OK","result":{"orderId":"v1","orderLinkId":"x-1-1"}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with (
        raw_server([head, body[:30], body[30:50], body[50:]]) as (_, base),
        bench(access={"rest_url": base}) as desk,
    ):
        assert isinstance(await desk.place(desk.order()), OrderAcked)


async def test_a_broken_compression_is_unknown():
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"
    async with raw_server([head]) as (_, base), bench(access={"rest_url": base}) as desk:
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)


async def test_a_closed_turnstile_and_an_old_ticket_send_nothing():
    async with bench() as desk:
        await desk.place(desk.order(), ticket=5)
        assert isinstance(await desk.place(desk.order(), ticket=5), OrderNotSent)
        assert isinstance(await desk.place(desk.order(), ticket=6, halt_epoch=-1), OrderNotSent)
        desk.turnstile.follow(1, closed=True)
        assert isinstance(await desk.place(desk.order(), ticket=7), OrderNotSent)
        assert len(await desk.wire()) == 1
        assert isinstance(await desk.cancel(desk.order()), CancelFoundNothing)


async def test_a_halt_stops_a_create_that_still_waits_for_a_connection():
    async with bench(timeout_s=5) as desk:
        await desk.fault("delay", path="/v5/order/cancel", when="before_apply", delay=0.4, times=None)
        cancels = [asyncio.create_task(desk.cancel(desk.order())) for _ in range(32)]
        await asyncio.sleep(0)
        create = asyncio.create_task(desk.place(desk.order()))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not create.done()
        desk.turnstile.follow(1, closed=True)
        assert isinstance(await create, OrderNotSent)
        await asyncio.gather(*cancels)
        assert await desk.wire() == []


# ---------------------------------------------------------------- B. cancel


async def test_23_26_a_cancel_after_the_fill_finds_nothing_and_the_fill_is_read_first():
    async with bench() as desk:
        order = desk.order()
        await desk.place(order)
        await desk.do("fill", orderLinkId=order.client_order_id)
        assert isinstance(await desk.cancel(order), CancelFoundNothing)
        fill, update = await desk.query(order)
        assert (type(fill), fill.fill.last_qty) == (OrderFilled, order.qty)
        assert (update.status, update.cum_qty) == (VenueStatus.FILLED, order.qty)


async def test_24_an_acknowledged_cancel_that_does_nothing_leaves_the_order_open():
    async with bench() as desk:
        order = desk.order()
        await desk.place(order)
        await desk.do("ignore_cancels", count=1)
        assert isinstance(await desk.cancel(order), CancelAcked)
        (update,) = await desk.query(order)
        assert update.status is VenueStatus.NEW


@pytest.mark.parametrize("act", [{"act": "drop"}, {"act": "status", "status": 502}, {"act": "retCode"}])
async def test_25_a_cancel_that_was_not_answered_is_unknown(act):
    async with bench() as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault(path="/v5/order/cancel", **act)
        assert isinstance(await desk.cancel(order), CancelOutcomeUnknown)
        (update,) = await desk.query(order)
        assert update.status is VenueStatus.CANCELED


async def test_27_a_cancelled_order_tells_what_it_filled():
    async with bench() as desk:
        order = desk.order(qty=D("0.010"))
        await desk.place(order)
        await desk.do("fill", orderLinkId=order.client_order_id, qty="0.004")
        await desk.cancel(order)
        fill, update = await desk.query(order)
        assert fill.fill.last_qty == update.cum_qty == D("0.004")
        assert update.status is VenueStatus.CANCELED


# ---------------------------------------------------------------- C. private stream


async def test_34_messages_and_their_duplicates_arrive_as_events():
    async with bench() as desk, desk.running() as heard:
        await heard.one(StreamChanged, stream=Stream.PRIVATE, live=True)
        order = desk.order()
        for topic in ("order", "execution"):
            await desk.control(
                "POST", "/_fault", {"on": "private", "match": {"topic": topic}, "act": "dup", "times": None}
            )
        await desk.place(order)
        await desk.do("fill", orderLinkId=order.client_order_id)
        fills = await heard.until(
            lambda events: len(found := [e for e in events if isinstance(e, OrderFilled)]) >= 2 and found
        )
        assert len({event.fill.exec_id for event in fills}) == 1
        await heard.one(OrderUpdated, status=VenueStatus.FILLED)


async def test_a_cut_stream_is_lost_and_comes_back():
    async with bench() as desk, desk.running() as heard:
        await heard.one(StreamChanged, stream=Stream.PRIVATE, live=True)
        assert (await desk.control("POST", "/_fault", {"on": "private", "act": "close"}))["closed"] == 1
        await heard.one(StreamChanged, stream=Stream.PRIVATE, live=False)
        await heard.until(
            lambda events: (
                [e.live for e in events if isinstance(e, StreamChanged) and e.stream is Stream.PRIVATE]
                == [True, False, True]
            )
        )


async def silent_socket(answers=True):
    """A private stream that greets politely and then never says a word, nor closes."""
    from aiohttp import WSMsgType, web

    hold = asyncio.Event()

    async def serve(request):
        socket = web.WebSocketResponse(autoping=False, autoclose=False)
        await socket.prepare(request)
        greeted = 0
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            asked = json.loads(frame.data)
            if asked["op"] == "subscribe":
                verdict = {"success": answers, "ret_msg": "no", "op": "subscribe", "req_id": asked["req_id"]}
                await socket.send_json(verdict)
                greeted += 1
            elif asked["op"] == "auth":
                await socket.send_json({"success": True, "op": "auth"})
                greeted += 1
            if greeted == 2 and answers:
                break
        if answers:
            await hold.wait()
        return socket

    app = web.Application()
    app.router.add_get("/v5/private", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, hold, f"ws://127.0.0.1:{runner.addresses[0][1]}"


async def test_46_a_half_open_socket_is_noticed():
    runner, hold, url = await silent_socket()
    try:
        async with (
            bench(access={"private_ws_url": url}, ping_every_s=0.1, silence_s_max=0.3) as desk,
            desk.running() as heard,
        ):
            loop = asyncio.get_running_loop()
            await heard.one(StreamChanged, stream=Stream.PRIVATE, live=True)
            began = loop.time()
            lost = await heard.one(StreamChanged, stream=Stream.PRIVATE, live=False)
            assert "silent" in lost.detail
            assert loop.time() - began < 0.3 + 0.1 + 0.5 + 0.6
    finally:
        hold.set()
        await runner.cleanup()


def test_46_silence_is_noticed_within_ten_seconds_by_the_usual_constants():
    from executor.venues.bybit import stream

    look = stream.PING_EVERY_S / stream._LOOKS_PER_PING
    assert stream.SILENCE_S_MAX + look + stream._CLOSE_S_MAX <= 10
    assert stream.PING_EVERY_S < stream.SILENCE_S_MAX


async def test_48_a_refused_subscription_is_not_live():
    runner, hold, url = await silent_socket(answers=False)
    try:
        async with bench(access={"private_ws_url": url}) as desk, desk.running() as heard:
            desk.venue.subscribe(BTC)
            await heard.one(InstrumentLoaded)
            assert not [
                e for e in heard.events if isinstance(e, StreamChanged) and e.live and e.stream == "PRIVATE"
            ]
    finally:
        hold.set()
        await runner.cleanup()


async def test_49_a_wrong_key_is_not_live():
    async with bench(access={"api_secret": "wrong"}) as desk, desk.running() as heard:
        desk.venue.subscribe(BTC)
        await heard.one(InstrumentLoaded)
        assert not [e for e in heard.events if isinstance(e, StreamChanged) and e.stream == "PRIVATE"]
        assert (await desk.place(desk.order())).fatal


@pytest.mark.parametrize("turns", range(4))
async def test_a_venue_that_is_stopped_while_its_clock_is_doubted_stops(turns):
    async with bench() as desk:
        heard = Heard()
        task = asyncio.create_task(desk.venue.run(heard))
        await heard.one(StreamChanged, stream="PRIVATE", live=True)
        desk.venue._standing.clock_doubted.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        _, unended = await asyncio.wait({task}, timeout=20)
        assert not unended
        assert task.cancelled()


# ---------------------------------------------------------------- D. public data


async def test_a_symbol_is_followed():
    async with bench(frozen=False) as desk, desk.running() as heard:
        desk.venue.subscribe(BTC)
        rules = (await heard.one(InstrumentLoaded)).instrument
        assert (rules.symbol, rules.tick_size) == ("BTCUSDT", D("0.1"))
        market = (await heard.one(BookUpdated)).market
        assert market.best_bid < market.best_ask
        await heard.until(
            lambda events: [e for e in events if isinstance(e, BookUpdated) and e.market.traded_qty > 0]
        )


async def test_the_surroundings_of_what_is_followed_and_of_nothing_else():
    async with bench(frozen=False) as desk, desk.running() as heard:
        empty = desk.venue.context(BTC.category, BTC.symbol)
        assert empty == MarketContext(at_ns=empty.at_ns)
        desk.venue.subscribe(BTC)
        await heard.until(
            lambda events: [e for e in events if isinstance(e, BookUpdated) and e.market.traded_qty > 0]
        )
        told = desk.venue.context(BTC.category, BTC.symbol)
        assert (len(told.bids), len(told.asks)) == (5, 5)
        assert told.bids[0].px < told.asks[0].px
        assert told.trades[0].qty > 0
        other = desk.venue.context(BTC.category, "NOSUCHUSDT")
        assert other == MarketContext(at_ns=other.at_ns)


async def test_55_a_gap_loses_the_book_and_the_next_connection_brings_it_back():
    async with bench(frozen=False) as desk, desk.running() as heard:
        desk.venue.subscribe(BTC)
        await heard.one(BookUpdated)
        match = {"topic": "orderbook.50.BTCUSDT"}
        await desk.control("POST", "/_fault", {"on": "public", "match": match, "act": "drop"})
        lost = await heard.one(BookLost)
        assert "gap" in lost.detail
        after = heard.events.index(lost)
        await heard.until(lambda events: [e for e in events[after:] if isinstance(e, BookUpdated)])


async def test_55_a_restart_of_the_service_is_taken_as_a_snapshot():
    async with bench(frozen=False) as desk, desk.running() as heard:
        desk.venue.subscribe(BTC)
        await heard.one(BookUpdated)
        await desk.do("restart")
        seen = len(heard.events)
        await heard.until(lambda events: [e for e in events[seen:] if isinstance(e, BookUpdated)])
        assert not [e for e in heard.events if isinstance(e, BookLost)]


@pytest.mark.parametrize("order", [["NOPEUSDT", "BTCUSDT"], ["BTCUSDT", "NOPEUSDT"]])
async def test_an_unknown_symbol_does_not_cost_the_others_their_data(order):
    async with bench(frozen=False) as desk, desk.running() as heard:
        for symbol in order:
            desk.venue.subscribe(Subscribe(category=Category.LINEAR, symbol=symbol))
        await heard.one(BookUpdated)
        await desk.do("cut_public")
        lost = await heard.one(StreamChanged, stream=Stream.PUBLIC, live=False)
        after = heard.events.index(lost)
        await heard.until(lambda events: [e for e in events[after:] if isinstance(e, BookUpdated)])


# ---------------------------------------------------------------- E. queries and reconciliation


async def test_a_reconciliation_reads_orders_fills_and_positions():
    async with bench() as desk:
        first, second, foreign = (
            desk.order(),
            desk.order(qty=D("0.010")),
            desk.order(client_order_id="hand-1"),
        )
        for order in (first, second, foreign):
            await desk.place(order)
        await desk.do("fill", orderLinkId=second.client_order_id, qty="0.004")
        *events, done = await desk.reconcile()
        assert isinstance(done, Reconciled)
        assert sorted(done.open_client_order_ids) == [first.client_order_id, second.client_order_id]
        assert done.foreign_open_orders == 1
        assert [(report.symbol, report.qty) for report in done.positions] == [("BTCUSDT", D("0.004"))]
        assert {type(event) for event in events} == {OrderUpdated, OrderFilled}


async def first_page(desk, name="x-9-9", cursor="two"):
    """Let the next read of open orders be a page that names another."""
    row = {**ORDER, "orderLinkId": name}
    page = {"retCode": 0, "result": {"list": [row], "nextPageCursor": cursor}}
    await desk.fault(
        "body_raw", path="/v5/order/realtime", when="before_apply", body_raw=json.dumps(page), times=1
    )


async def test_all_pages_are_read():
    async with bench() as desk:
        await first_page(desk, "x-9-1", "two")
        await first_page(desk, "x-9-2", "three")
        await first_page(desk, "x-9-3", "")
        done = (await desk.reconcile())[-1]
        assert isinstance(done, Reconciled)
        assert done.open_client_order_ids == ("x-9-1", "x-9-2", "x-9-3")


@pytest.mark.parametrize(
    "fault",
    [
        {"act": "retCode", "retCode": 10016},
        {"act": "status", "status": 502},
        {"act": "status", "status": 403},
        {"act": "status", "status": 200},
        {"act": "drop"},
        {"act": "body_raw", "body_raw": ""},
        {"act": "body_raw", "body_raw": "[]"},
        {"act": "body_raw", "body_raw": "null"},
        {"act": "body_raw", "body_raw": "{}"},
        {"act": "body_raw", "body_raw": '{"retCode":0,"result":[]}'},
        {"act": "body_raw", "body_raw": '{"retCode":0,"result":{}}'},
        {"act": "body_raw", "body_raw": '{"retCode":0,"result":{"list":{}}}'},
        {"act": "body_raw", "body_raw": '{"result":{"list":[]}}'},
        {"act": "body_raw", "body_raw": '{"retCode":null,"result":{"list":[]}}'},
        {"act": "body_raw", "body_raw": '{"retCode":"","result":{"list":[]}}'},
        {"act": "body_raw", "body_raw": '{"retCode":1,"result":{"list":[]}}'},
        {"act": "body_raw", "body_raw": '{"retCode":10016,"retMsg":"\\ud800"}'},
        {"act": "body_raw", "body_raw": '{"retCode":0,"result":{"list":[{}]}}'},
        {"act": "body_raw", "body_raw": '{"retCode":0,"result":{"list":[7]}}'},
        {
            "act": "body_raw",
            "body_raw": '{"retCode":0,"result":{"list":[],"nextPageCursor":"a"}}',
            "times": 2,
        },
        {"act": "body_raw", "body_raw": "[" * 200_000},
    ],
    ids=lambda fault: (
        f"{fault['act']} {fault.get('body_raw', '')[:40]}{fault.get('retCode', '')}{fault.get('status', '')}"
    ),
)
@pytest.mark.parametrize("path", ["/v5/execution/list", "/v5/order/realtime"])
async def test_61_an_incomplete_read_proves_nothing(path, fault):
    async with bench() as desk:
        await desk.fault(path=path, **{"when": "before_apply", **fault})
        (event,) = await desk.query(desk.order())
        assert isinstance(event, OrderQueryFailed), event
        event.detail.encode()
        await desk.control("DELETE", "/_fault")
        await desk.fault(path=path, **{"when": "before_apply", **fault})
        (event,) = await desk.reconcile()
        assert isinstance(event, ReconcileFailed), event
        event.detail.encode()


async def test_61_a_failing_second_page():
    async with bench() as desk:
        await first_page(desk)
        await desk.fault("retCode", path="/v5/order/realtime", when="before_apply")
        (event,) = await desk.reconcile()
        assert isinstance(event, ReconcileFailed)
        assert "10016" in event.detail
        assert isinstance((await desk.reconcile())[-1], Reconciled)


async def test_65_a_wiped_list_of_closed_orders_leaves_the_history():
    async with bench() as desk:
        order = desk.order()
        await desk.place(order)
        await desk.cancel(order)
        await desk.do("restart")
        (update,) = await desk.query(order)
        assert update.status is VenueStatus.CANCELED


@pytest.mark.parametrize("offset_ms", [-3_000, 3_000])
async def test_81_a_venue_clock_that_differs_is_met_by_the_offset(offset_ms):
    async with bench(options={"clock_offset_ms": offset_ms}) as desk, desk.running() as heard:
        await heard.one(StreamChanged, stream=Stream.PRIVATE, live=True)
        order = desk.order()
        assert isinstance(await desk.place(order), OrderAcked)
        (update,) = await desk.query(order)
        assert isinstance(update, OrderUpdated)
