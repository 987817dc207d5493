"""Another venue through ccxt over real sockets: what each answer, and each missing answer, is taken to prove.

The other venue is a second local exchange, reached with ccxt's own class; its log of what arrived is the judge of what
was sent. Every story that both gateways can tell is told by both, and must come out alike.
"""

import pytest

from executor.domain.commands import Subscribe
from executor.domain.errors import TransportError
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    InstrumentLoaded,
    InstrumentMissing,
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
    WalletUpdated,
)
from executor.domain.orders import Category, Side, TimeInForce
from executor.venues.through_ccxt import bybit_dialect
from tests.builders import D
from tests.venues.other_bench import other_bench
from tests.venues.venue_bench import bench

pytestmark = pytest.mark.process


async def test_a_create_is_acknowledged_found_and_cancelled():
    async with other_bench() as desk:
        order = desk.order()
        acked = await desk.place(order)
        assert isinstance(acked, OrderAcked)
        assert acked.venue_order_id.endswith("@other")
        assert len(await desk.wire()) == 1
        (update,) = await desk.query(order)
        assert (update.status, update.venue_order_id) == (VenueStatus.NEW, acked.venue_order_id)
        assert (update.symbol, update.qty, update.px, update.cum_qty) == (
            "BTCUSDT@other",
            order.qty,
            order.px,
            D(0),
        )
        assert isinstance(await desk.cancel(order), CancelAcked)
        (update,) = await desk.query(order)
        assert update.status is VenueStatus.CANCELED
        assert isinstance(await desk.cancel(order), CancelFoundNothing)


UNCLEAR = [
    ("before_apply", {"act": "drop"}, False),
    ("after_apply", {"act": "drop"}, True),
    ("after_apply", {"act": "reset"}, True),
    ("before_apply", {"act": "reset"}, False),
    ("after_apply", {"act": "half_close"}, True),
    ("after_apply", {"act": "status", "status": 502}, True),
    ("before_apply", {"act": "status", "status": 503}, False),
    ("after_apply", {"act": "status", "status": 307}, True),
    ("after_apply", {"act": "status", "status": 400}, True),
    ("after_apply", {"act": "retCode", "retCode": 10000}, True),
    ("before_apply", {"act": "retCode", "retCode": 110079}, False),
    ("after_apply", {"act": "retCode", "retCode": 110072}, True),
    ("after_apply", {"act": "retCode", "retCode": 999999}, True),
    ("after_apply", {"act": "truncate", "bytes": 12}, True),
    ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":0,"retMsg":"OK","resu'}, True),
    ("after_apply", {"act": "body_raw", "body_raw": "<html>502</html>"}, True),
    ("after_apply", {"act": "body_raw", "body_raw": ""}, True),
    ("after_apply", {"act": "body_raw", "body_raw": "null"}, True),
    ("after_apply", {"act": "body_raw", "body_raw": "[]"}, True),
    ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":"0"}'}, True),
    ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":0}'}, True),
    ("after_apply", {"act": "body_raw", "body_raw": "[" * 200_000}, True),
    (
        "after_apply",
        {"act": "body_raw", "body_raw": '{"retCode":0,"result":{"orderLinkId":"other","orderId":"1"}}'},
        True,
    ),
    ("after_apply", {"act": "delay", "delay": 0.8}, True),
]


async def tell_unclear(desk):
    """Every answer that proves nothing, and what a question about the order says then."""
    told = []
    for when, fault, accepted in UNCLEAR:
        order = desk.order()
        await desk.fault(when=when, match={"linkId": order.client_order_id}, **fault)
        event = await desk.place(order)
        event.detail.encode()
        answers = await desk.query(order)
        told.append((type(event), [type(each) for each in answers], accepted))
    return told, await desk.wire(), await desk.truth()


async def test_an_answer_that_proves_nothing_is_unknown_and_nothing_is_sent_twice():
    async with other_bench(timeout_s=0.4) as other, bench(timeout_s=0.4) as usual:
        told, wire, truth = await tell_unclear(other)
        for (event, answers, accepted), (_, fault, _) in zip(told, UNCLEAR, strict=True):
            assert event is OrderOutcomeUnknown, fault
            assert answers == [OrderUpdated if accepted else OrderAbsent], fault
        assert len(wire) <= len(UNCLEAR)
        assert len({entry["raw"] for entry in wire}) == len(wire)
        assert len(truth) == sum(accepted for *_, accepted in UNCLEAR)
        # After a 5xx our own gateway leaves the venue alone for a moment; the rest is said alike.
        pairs = list(zip((await tell_unclear(usual))[0], told, strict=True))
        said = [(own, there) for own, there in pairs if own[0] is not OrderNotSent]
        assert len(said) >= 8
        assert all(own == there for own, there in said)


async def tell_refusals(desk):
    told = []
    for code in (110007, 10001, 170131, 110003, 10003, 10010):
        await desk.fault("retCode", when="before_apply", retCode=code, retMsg="no \ud83d\ude00")
        event = await desk.place(desk.order())
        told.append((type(event), event.code, event.fatal, event.unfunded))
    return told


async def test_a_refusal_is_believed_where_the_venue_and_ccxt_both_say_so():
    async with other_bench() as other, bench() as usual:
        told = await tell_refusals(other)
        assert {kind for kind, *_ in told} == {OrderRejected}
        assert await other.truth() == []
        assert await tell_refusals(usual) == told


async def test_a_refusal_that_ccxt_sorts_elsewhere_proves_nothing():
    # 10006 is a refusal to our own gateway; to ccxt it is a rate limit, said by whoever stands in front of the venue.
    async with other_bench() as desk, desk.running() as heard:
        await desk.fault("retCode", when="before_apply", retCode=10006, retMsg="Too many visits")
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        await heard.until(lambda events: any(type(each).__name__ == "VenueRestricted" for each in events))
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert len(await desk.wire()) == 1


async def tell_cancels(desk):
    """Cancels that race, that nobody answers, that do nothing."""
    told = []
    filled = desk.order(qty=D("0.010"))
    await desk.place(filled)
    await desk.do("fill", orderLinkId=filled.client_order_id)
    told += [await desk.cancel(filled), *await desk.query(filled)]
    part = desk.order(qty=D("0.010"))
    await desk.place(part)
    await desk.do("fill", orderLinkId=part.client_order_id, qty="0.004")
    told += [await desk.cancel(part), *await desk.query(part)]
    ignored = desk.order()
    await desk.place(ignored)
    await desk.do("ignore_cancels", count=1)
    told += [await desk.cancel(ignored), *await desk.query(ignored)]
    orders = [desk.order() for _ in range(3)]
    for order in orders:
        await desk.place(order)
    for order, act in zip(
        orders, ({"act": "drop"}, {"act": "retCode"}, {"act": "status", "status": 502}), strict=True
    ):
        await desk.fault(path="/v5/order/cancel", **act)
        told += [await desk.cancel(order), *await desk.query(order)]
    told += [*await desk.reconcile()]
    return told


def bare(event):
    """An event without what differs between two exchanges: ids and times of theirs, and the venue's name."""
    name = type(event).__name__
    match event:
        case OrderUpdated():
            symbol = event.symbol.partition("@")[0]
            return (
                name,
                symbol,
                event.client_order_id,
                event.status,
                event.side,
                event.qty,
                event.px,
                event.cum_qty,
            )
        case OrderFilled(fill=fill):
            symbol = fill.symbol.partition("@")[0]
            what = fill.side, fill.last_qty, fill.last_px, fill.fee, fill.fee_coin, fill.liquidity
            return name, symbol, fill.client_order_id, *what
        case Reconciled():
            held = [(each.symbol.partition("@")[0], each.position_idx, each.qty) for each in event.positions]
            return name, event.category, sorted(event.open_client_order_ids), event.foreign_open_orders, held
        case _:
            return name, event.client_order_id


async def test_the_same_story_of_cancels_and_fills_gives_the_same_events():
    # One way of sending only, as there is elsewhere: our own gateway sends a cancel by the other where it has one.
    async with other_bench() as other, bench(access={"trade_ws_url": ""}) as usual:
        told = [bare(event) for event in await tell_cancels(other)]
        own = [bare(event) for event in await tell_cancels(usual)]
        assert (told[:15], sorted(map(repr, told[15:]))) == (own[:15], sorted(map(repr, own[15:])))
        kinds = [each[0] for each in told]
        assert kinds.count("CancelOutcomeUnknown") == 3
        assert (
            kinds.count("OrderFilled") == 4
        )  # two that were asked for, and the same two by the complete read


async def test_spot_is_read_and_traded_like_contracts():
    async with other_bench() as desk:
        order = desk.order(category=Category.SPOT, qty=D("0.01"))
        assert isinstance(await desk.place(order), OrderAcked)
        await desk.do("fill", orderLinkId=order.client_order_id)
        fill, update = await desk.query(order)
        assert (fill.fill.last_qty, fill.fill.fee_coin, update.status) == (
            D("0.01"),
            "BTC",
            VenueStatus.FILLED,
        )
        *_, wallet, done = await desk.reconcile(category=Category.SPOT)
        assert {balance.coin for balance in wallet.balances} == {"BTC@other", "USDT@other"}
        assert (type(wallet), done.venue, done.positions) == (WalletUpdated, "other", ())


async def test_a_read_that_misses_anything_has_failed():
    async with other_bench() as desk:
        for path in ("/v5/order/realtime", "/v5/execution/list", "/v5/position/list"):
            for body in ('{"retCode":0,"result":{}}', '{"retCode":0,"result":{"list":[{}]}}', "{}", ""):
                await desk.fault("body_raw", path=path, body_raw=body)
                (*_, last) = await desk.reconcile()
                assert isinstance(last, ReconcileFailed), (path, body)
                assert last.venue == "other"
        (*_, last) = await desk.reconcile()
        assert isinstance(last, Reconciled)
        order = desk.order()
        for path in ("/v5/order/realtime", "/v5/execution/list", "/v5/order/history"):
            await desk.fault("body_raw", path=path, body_raw='{"retCode":0,"result":{}}')
            (answer,) = await desk.query(order)
            assert isinstance(answer, OrderQueryFailed), path


async def test_all_pages_are_read_and_orders_of_others_are_counted(monkeypatch):
    monkeypatch.setattr(bybit_dialect, "_PAGE", 2)
    async with other_bench() as desk:
        for number in range(5):
            await desk.place(desk.order(client_order_id=f"y-1-{number}"))
        for _ in range(3):
            assert isinstance(await desk.place(desk.order()), OrderAcked)
        (*_, done) = await desk.reconcile()
        assert (len(done.open_client_order_ids), done.foreign_open_orders) == (3, 5)


async def test_what_ccxt_would_send_otherwise_than_approved_does_not_leave(monkeypatch):
    async with other_bench() as desk:
        kind = type(desk.venue._inside._exchange)
        plain_sign = kind.sign

        def sign(self, path, api="public", method="GET", params=None, headers=None, body=None):
            params = dict(params or {})
            if "order/create" in path:
                params["qty"] = "0.002"
            return plain_sign(self, path, api, method, params, headers, body)

        with monkeypatch.context() as patch:
            patch.setattr(kind, "sign", sign)
            refused = await desk.place(desk.order())
            assert (type(refused), refused.code) == (OrderRejected, -1)
            assert "0.002" in refused.text
        assert await desk.wire() == []
        with pytest.raises(Exception, match="nobody asked for this"):
            await desk.venue._room.ask(
                lambda: desk.venue._inside._exchange.cancel_all_orders("BTC/USDT:USDT")
            )
        assert await desk.wire("/v5/order/cancel-all") == []


async def test_a_halt_stops_a_create_and_nothing_is_amended():
    async with other_bench() as desk:
        await desk.place(desk.order(), ticket=5)
        assert isinstance(await desk.place(desk.order(), ticket=5), OrderNotSent)
        desk.turnstile.follow(1, closed=True)
        assert isinstance(await desk.place(desk.order(), ticket=7), OrderNotSent)
        assert len(await desk.wire()) == 1


async def test_a_venue_that_bars_us_is_left_alone_and_one_that_is_not_there_is_said():
    async with other_bench() as desk:
        await desk.fault("status", path="/v5/order/realtime", status=403, when="before_apply")
        (failed,) = await desk.query(desk.order())
        assert isinstance(failed, OrderQueryFailed)
        asked = len((await desk.control("GET", "/_wire"))["requests"])
        (failed,) = await desk.query(desk.order())
        assert failed.detail == "other bars our address"
        counted = desk.venue.counted
        assert (counted.barred, counted.unanswered, counted.answered) == (1, 2, 0)
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert isinstance(await desk.cancel(desk.order()), CancelOutcomeUnknown)
        assert len((await desk.control("GET", "/_wire"))["requests"]) == asked
    with pytest.raises(TransportError, match="ExchangeNotAvailable"):
        async with other_bench(terms={"rest_url": "http://127.0.0.1:9"}):
            pass


SPOT = Subscribe(category=Category.SPOT, symbol="BTCUSDT@other")
LINEAR = Subscribe(category=Category.LINEAR, symbol="BTCUSDT@other")


async def test_markets_and_orders_are_followed_and_no_fill_is_lost_or_told_twice():
    async with other_bench(frozen=False) as desk, desk.running() as heard:
        desk.venue.subscribe(LINEAR)
        desk.venue.subscribe(Subscribe(category=Category.LINEAR, symbol="NOSUCH@other"))
        rules = (await heard.one(InstrumentLoaded)).instrument
        assert (rules.symbol, rules.tick_size, rules.qty_step) == ("BTCUSDT@other", D("0.1"), D("0.001"))
        await heard.one(
            StreamChanged, stream=Stream.PUBLIC, category=Category.LINEAR, live=True, venue="other"
        )
        assert desk.venue.counted.read_ns["market linear"] > 0
        await heard.one(StreamChanged, stream=Stream.PRIVATE, live=True, venue="other")
        await heard.one(StreamChanged, stream=Stream.TRADE, live=True, venue="other")
        market = (await heard.one(BookUpdated)).market
        assert market.best_bid < market.best_ask
        order = desk.order(qty=D("0.010"))
        await desk.fault("drop", match={"linkId": order.client_order_id})
        assert isinstance(await desk.place(order), OrderOutcomeUnknown)
        await heard.one(OrderUpdated, client_order_id=order.client_order_id, status=VenueStatus.NEW)
        for qty in ("0.004", "0.001", "0.005"):
            await desk.fault("reset", path="/v5/execution/list", when="before_apply")
            await desk.do("fill", orderLinkId=order.client_order_id, qty=qty)
        done = await heard.one(OrderUpdated, client_order_id=order.client_order_id, status=VenueStatus.FILLED)
        fills = [each.fill for each in heard.events if isinstance(each, OrderFilled)]
        names = [each.exec_id for each in fills]
        assert len(names) == len(set(names)) == 3
        assert sum(each.last_qty for each in fills) == done.cum_qty == D("0.010")
        await desk.fault("status", path="/v5/market/orderbook", status=500, times=None, when="before_apply")
        await heard.one(BookLost, symbol="BTCUSDT@other")
        assert (await heard.one(InstrumentMissing)).symbol == "NOSUCH@other"
        assert len(await desk.wire()) == 1


async def test_an_immediate_order_that_took_is_told_with_its_fill():
    async with other_bench(frozen=False) as desk, desk.running() as heard:
        desk.venue.subscribe(SPOT)
        market = (await heard.one(BookUpdated)).market
        far = market.best_ask + D(200)
        order = desk.order(category=Category.SPOT, qty=D("0.001"), px=far, time_in_force=TimeInForce.IOC)
        assert isinstance(await desk.place(order), OrderAcked)
        fill = (await heard.one(OrderFilled)).fill
        assert (fill.client_order_id, fill.last_qty, fill.liquidity.value) == (
            order.client_order_id,
            order.qty,
            "TAKER",
        )
        await heard.one(OrderUpdated, client_order_id=order.client_order_id, status=VenueStatus.FILLED)
        crossing = desk.order(category=Category.SPOT, qty=D("0.001"), px=far, side=Side.BUY)
        await desk.place(crossing)  # post-only: it ends without a fill
        await heard.one(OrderUpdated, client_order_id=crossing.client_order_id)
        assert len([each for each in heard.events if isinstance(each, OrderFilled)]) == 1
