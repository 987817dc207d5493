"""Strategy orders over real sockets: what each answer, and each missing answer, is taken to prove."""

import itertools
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from executor.domain.algo import AlgoKind, AlgoTerms, NewAlgo
from executor.domain.approval import Approved
from executor.domain.commands import QueryAlgo, StopAlgo
from executor.domain.errors import LocalProtocolError
from executor.domain.events import (
    AlgoOrdersSeen,
    CancelAcked,
    CancelOutcomeUnknown,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderQueryFailed,
    OrderRejected,
    OrderUpdated,
    VenueStatus,
)
from executor.domain.orders import Category, Side, TimeInForce
from executor.runtime.clock import Clock
from executor.venues.bybit import algo_entry
from risk.algo_wire import check_algo_bytes
from tests.builders import D, new_order
from tests.venues.venue_bench import bench

pytestmark = pytest.mark.process
CREATE, STOP, LIST, ORDERS = (f"/v5/strategy/{word}" for word in ("create", "stop", "list", "order-list"))
TWAP = AlgoTerms(kind=AlgoKind.TWAP, duration_s=300, interval_s=30)
ICEBERG = AlgoTerms(kind=AlgoKind.ICEBERG, display_qty=D("0.1"))
POV = AlgoTerms(kind=AlgoKind.POV, duration_s=900, interval_s=30, rate_pct=D("5.00"), window_s=60)
_names = itertools.count(1)


def algo(terms=TWAP, **over):
    usual = dict(
        client_order_id=f"x-9-{next(_names)}", qty=D("0.3"), px=D("66000"), time_in_force=TimeInForce.IOC
    )
    return NewAlgo(order=new_order(**{**usual, **over}), terms=terms)


def asked(sent, strategy_id="", not_ids=(), since_ns=None, until_ns=None):
    since_ns = Clock().now_ns() - 5 * 10**9 if since_ns is None else since_ns
    until_ns = Clock().now_ns() + 20 * 10**9 if until_ns is None else until_ns
    return QueryAlgo(
        algo=sent, strategy_id=strategy_id, since_ns=since_ns, until_ns=until_ns, not_ids=not_ids
    )


@asynccontextmanager
async def at_work(**over):
    """An exchange with a book, and a way to place strategy orders on it."""
    async with bench(**over) as desk:
        tickets = itertools.count(10_000)

        async def place(sent):
            return await desk.venue.place_algo(Approved(order=sent, ticket=next(tickets), halt_epoch=0))

        desk.start = place
        for side, px in (("Sell", "65000"), ("Buy", "64990")):
            quote = {"do": "quote", "symbol": "BTCUSDT", "side": side, "price": px, "qty": "5"}
            await desk.control("POST", "/_ex", quote)
        yield desk


async def strategies(desk):
    (account,) = (await desk.control("GET", "/_truth"))["accounts"].values()
    return account["strategies"]


async def test_a_strategy_is_taken_read_with_its_orders_and_stopped():
    async with at_work() as desk:
        sent = algo()
        acked = await desk.start(sent)
        assert isinstance(acked, OrderAcked)
        (told,) = await strategies(desk)
        assert acked.venue_order_id == told["strategyId"]
        poll = desk.server.exchange.advance
        poll()
        seen, update = await desk.venue.query_algo(asked(sent, acked.venue_order_id))
        assert isinstance(seen, AlgoOrdersSeen)
        (told,) = await strategies(desk)
        assert list(seen.venue_order_ids) == told["orderIds"]
        assert (update.status, update.cum_qty, update.qty) == (
            VenueStatus.PARTIALLY_FILLED,
            D("0.03"),
            D("0.3"),
        )
        assert (update.px, update.side, update.client_order_id) == (
            D("66000"),
            Side.BUY,
            sent.order.client_order_id,
        )
        stop = StopAlgo(client_order_id=sent.order.client_order_id, strategy_id=acked.venue_order_id)
        assert isinstance(await desk.venue.stop_algo(stop), CancelAcked)
        _, update = await desk.venue.query_algo(asked(sent, acked.venue_order_id))
        assert (update.status, update.cum_qty) == (VenueStatus.CANCELED, D("0.03"))
        assert isinstance(await desk.venue.stop_algo(stop), CancelOutcomeUnknown)


@pytest.mark.parametrize("terms", [TWAP, ICEBERG, POV], ids=str)
@pytest.mark.parametrize("side", list(Side))
async def test_every_kind_is_taken_as_it_is_written(terms, side):
    async with at_work() as desk:
        px = D("66000") if side is Side.BUY else D("64000")
        sent = algo(terms, side=side, px=px)
        acked = await desk.start(sent)
        assert isinstance(acked, OrderAcked), acked
        found = await desk.venue.query_algo(asked(sent))
        assert found[-1].venue_order_id == acked.venue_order_id


@pytest.mark.parametrize(
    ("when", "fault", "taken"),
    [
        ("after_apply", {"act": "drop"}, True),
        ("before_apply", {"act": "drop"}, False),
        ("after_apply", {"act": "status", "status": 502}, True),
        ("after_apply", {"act": "retCode", "retCode": 999999}, True),
        ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":0,"result":{}}'}, True),
        ("after_apply", {"act": "body_raw", "body_raw": "[]"}, True),
    ],
)
async def test_an_unanswered_create_is_unknown_sent_once_and_found_by_what_it_asked_for(when, fault, taken):
    async with at_work() as desk:
        sent = algo()
        await desk.fault(path=CREATE, when=when, **fault)
        assert isinstance(await desk.start(sent), OrderOutcomeUnknown)
        wire = (await desk.control("GET", f"/_wire?path={CREATE}"))["requests"]
        assert len(wire) == 1
        found = await desk.venue.query_algo(asked(sent))
        assert isinstance(found[-1], OrderUpdated if taken else OrderAbsent)


async def test_a_lookalike_is_not_taken_for_ours_when_it_is_known_older_or_doubtful():
    async with at_work() as desk:
        first, second = algo(), algo()
        one = (await desk.start(first)).venue_order_id
        later_ns = Clock().now_ns() + 60 * 10**9
        assert isinstance((await desk.venue.query_algo(asked(second, not_ids=(one,))))[-1], OrderAbsent)
        assert isinstance((await desk.venue.query_algo(asked(second, since_ns=later_ns)))[-1], OrderAbsent)
        over_ns = Clock().now_ns() - 4 * 10**9
        assert isinstance((await desk.venue.query_algo(asked(second, until_ns=over_ns)))[-1], OrderAbsent)
        two = (await desk.start(second)).venue_order_id
        (doubt,) = await desk.venue.query_algo(asked(first))
        assert isinstance(doubt, OrderQueryFailed)
        assert "2 strategy orders could be" in doubt.detail
        found = await desk.venue.query_algo(asked(first, not_ids=(two,)))
        assert found[-1].venue_order_id == one
        other = algo(replace(TWAP, interval_s=60))
        assert isinstance((await desk.venue.query_algo(asked(other)))[-1], OrderAbsent)
        # Once all that could be ours have ended, whichever is ours can fill nothing any more.
        for sent, name in ((first, one), (second, two)):
            assert isinstance((await desk.venue.query_algo(asked(first)))[-1], OrderQueryFailed)
            await desk.venue.stop_algo(StopAlgo(client_order_id=sent.order.client_order_id, strategy_id=name))
        assert isinstance((await desk.venue.query_algo(asked(first)))[-1], OrderAbsent)


async def test_an_end_is_proved_only_when_its_orders_add_up_and_none_is_open():
    async with at_work() as desk:
        sent = algo(ICEBERG)
        name = (await desk.start(sent)).venue_order_id
        desk.server.exchange.advance()
        strategy = next(iter(desk.server.exchange.strategies.of.values()))[name]
        question = asked(sent, name)
        held = strategy.orders[-1].order
        strategy.state, before = 3, strategy.state
        _, update = await desk.venue.query_algo(question)
        assert (update.status, "have not ended" in update.detail) == (VenueStatus.NEW, True)
        strategy.state = before
        stop = StopAlgo(client_order_id=sent.order.client_order_id, strategy_id=name)
        await desk.venue.stop_algo(stop)
        held.cum_lots = 5  # the list of its orders runs ahead of, or behind, what it says itself
        strategy.orders.append(replace(strategy.orders[-1], order_id="again"))
        strategy.orders.pop()
        _, update = await desk.venue.query_algo(question)
        assert update.status is VenueStatus.CANCELED
        assert update.cum_qty == D("0.005")


async def test_fills_carry_no_id_of_ours_and_the_list_says_whose_they_are():
    async with at_work() as desk:
        sent = algo()
        name = (await desk.start(sent)).venue_order_id
        desk.server.exchange.advance()
        seen, _ = await desk.venue.query_algo(asked(sent, name))
        events = await desk.reconcile()
        (filled,) = [event for event in events if isinstance(event, OrderFilled)]
        assert filled.fill.client_order_id == ""
        assert filled.fill.venue_order_id in seen.venue_order_ids


async def test_a_strategy_of_many_orders_is_read_to_the_last_page():
    async with at_work() as desk:
        await desk.control("POST", "/_ex", {"do": "strategy_pace", "times": 1_000})
        sent = algo(replace(TWAP, duration_s=600, interval_s=5), qty=D("1.2"))
        name = (await desk.start(sent)).venue_order_id
        while any(each["open"] for each in await strategies(desk)):
            desk.server.exchange.advance()
        seen, update = await desk.venue.query_algo(asked(sent, name))
        assert len(seen.venue_order_ids) >= 120
        assert update.status is VenueStatus.FILLED
        wire = (await desk.control("GET", f"/_wire?path={ORDERS}"))["requests"]
        assert len(wire) >= 3


@pytest.mark.parametrize("path", [LIST, ORDERS])
async def test_a_question_that_fails_counts_for_nothing(path):
    async with at_work() as desk:
        sent = algo()
        name = (await desk.start(sent)).venue_order_id
        await desk.fault("retCode", path=path, when="after_apply", retCode=10016)
        (failed,) = await desk.venue.query_algo(asked(sent, name))
        assert isinstance(failed, OrderQueryFailed)
        assert isinstance((await desk.venue.query_algo(asked(sent, name)))[-1], OrderUpdated)


async def test_refusals_that_are_known_are_refusals_and_a_halt_lets_nothing_leave():
    async with at_work() as desk:
        refused = await desk.start(algo(replace(POV, window_s=59)))
        assert isinstance(refused, OrderRejected)
        assert refused.code == 60090
        assert refused.code in algo_entry.REFUSED_TERMS
        refused = await desk.start(algo(qty=D("0.009")))
        assert (isinstance(refused, OrderRejected), refused.code) == (True, 10001)
        desk.turnstile.follow(1, closed=False)
        assert isinstance(await desk.start(algo()), OrderNotSent)
        assert await strategies(desk) == []


@pytest.mark.parametrize("terms", [TWAP, ICEBERG, POV], ids=str)
def test_the_last_look_sees_every_change_of_a_byte_that_matters(terms):
    approved = Approved(order=algo(terms), ticket=1, halt_epoch=0)
    body = json.loads(algo_entry.algo_body(approved.order))
    check_algo_bytes(json.dumps(body).encode(), approved)
    for key, value in body.items():
        for wrong in ("Sell", "9", 9, True, None, "UTA_SPOT", {}):
            if wrong == value and type(wrong) is type(value):
                continue
            with pytest.raises(LocalProtocolError):
                check_algo_bytes(json.dumps({**body, key: wrong}).encode(), approved)
        with pytest.raises(LocalProtocolError):
            check_algo_bytes(json.dumps({k: v for k, v in body.items() if k != key}).encode(), approved)
    with pytest.raises(LocalProtocolError):
        check_algo_bytes(json.dumps({**body, "positionValue": "1"}).encode(), approved)


def test_a_dated_future_is_of_no_family_that_is_offered():
    dated = algo(symbol="BTCUSDT-31DEC27")
    approved = Approved(order=dated, ticket=1, halt_epoch=0)
    with pytest.raises(LocalProtocolError, match="family"):
        check_algo_bytes(algo_entry.algo_body(dated), approved)
    spot = Approved(order=algo(category=Category.SPOT), ticket=1, halt_epoch=0)
    assert b"UTA_SPOT" in algo_entry.algo_body(spot.order)
    check_algo_bytes(algo_entry.algo_body(spot.order), spot)
