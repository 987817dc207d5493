"""Binance through ccxt's own classes over real sockets, against a stand-in written from its documentation."""

import pytest

from config.secrets import Secret
from config.venues import VenueTable
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
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
    VenueStatus,
)
from executor.domain.orders import TimeInForce
from executor.sentinel.elsewhere import VenueSweep
from executor.venues.through_ccxt import binance_dialect
from tests.builders import D
from tests.venues.binance_bench import LINEAR, SPOT, binance_bench
from tests.venues.binance_standin import KEY, SECRET

pytestmark = pytest.mark.process
BOTH = pytest.mark.parametrize("market", [SPOT, LINEAR], ids=["spot", "linear"])


UNCLEAR = [
    ("before", {"act": "drop"}),
    ("after", {"act": "drop"}),
    ("after", {"act": "delay", "delay_s": 0.6}),
    ("after", {"act": "raw", "status": 502, "text": "<html>", "kind": "text/html"}),
    (
        "after",
        {"act": "code", "status": 503, "code": -1000, "msg": "Unknown error, please check your request."},
    ),
    ("before", {"act": "code", "status": 503, "code": -1008}),
    ("after", {"act": "code", "code": -1006}),
    ("after", {"act": "code", "code": -1007}),
    ("after", {"act": "code", "code": -1021}),
    ("after", {"act": "code", "status": 500, "code": -1102}),
    ("after", {"act": "code", "status": 200, "code": -1102}),
    ("after", {"act": "code", "code": -2010, "msg": "Duplicate order sent."}),
    ("after", {"act": "code", "code": -4116}),
    ("after", {"act": "code", "code": -2013}),
    ("after", {"act": "code", "code": -999_999}),
    ("after", {"act": "raw", "text": ""}),
    ("after", {"act": "raw", "text": "[]"}),
    ("after", {"act": "raw", "text": '{"orderId": 7, "clientOrderId": "another"}'}),
    ("after", {"act": "raw", "text": '{"orderId": "7", "clientOr'}),
]


@BOTH
async def test_an_answer_that_proves_nothing_is_unknown_and_nothing_is_sent_twice(market):
    async with binance_bench(market, timeout_s=0.4) as desk:
        for when, fault in UNCLEAR:
            order = desk.order()
            desk.account.fault(when=when, **fault)
            assert isinstance(await desk.place(order), OrderOutcomeUnknown), fault
            (answer,) = await desk.query(order)
            assert isinstance(answer, OrderUpdated if when == "after" else OrderAbsent), fault
        assert len(desk.account.orders) == sum(when == "after" for when, _ in UNCLEAR)
        assert len(desk.account.sent()) == len(UNCLEAR)


REFUSED = {
    "far": ({"px": D("100.0")}, -1013, -4024, False),
    "funds": ({"qty": D("101")}, -2010, -2019, True),
    "would take": ({"px": D("60200.0")}, -2010, -5022, False),
}


@BOTH
async def test_a_refusal_in_words_of_the_documentation_is_believed(market):
    async with binance_bench(market) as desk:
        for over, spot_code, linear_code, unfunded in REFUSED.values():
            event = await desk.place(desk.order(**over))
            wanted = spot_code if market == SPOT else linear_code
            assert (type(event), event.code, event.fatal, event.unfunded) == (
                OrderRejected,
                wanted,
                False,
                unfunded,
            )
        for code, fatal in ((-1102, False), (-1121, False), (-1022, True), (-1002, True)):
            desk.account.fault("code", when="before", code=code)
            event = await desk.place(desk.order())
            assert (type(event), event.code, event.fatal) == (OrderRejected, code, fatal)
        assert desk.account.orders == []


@BOTH
async def test_a_limit_of_requests_refuses_nothing_and_is_heeded(market):
    async with binance_bench(market) as desk:
        desk.account.fault("code", code=-1003, status=429)
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert len(desk.account.sent()) == 1
        desk.account.fault("code", path="order", method="GET", when="before", code=-1003, status=418)
        assert isinstance((await desk.query(desk.order()))[0], OrderQueryFailed)
        asked = len(desk.account.requests)
        (failed,) = await desk.query(desk.order())
        assert failed.detail == "other bars our address"
        assert len(desk.account.requests) == asked


@BOTH
async def test_cancels_race_get_lost_and_are_ignored(market):
    async with binance_bench(market) as desk:
        filled, part, lost, unclear, ignored = orders = [desk.order(qty=D("0.010")) for _ in range(5)]
        for order in orders:
            assert isinstance(await desk.place(order), OrderAcked)
        desk.account.fill(filled.client_order_id)
        assert isinstance(await desk.cancel(filled), CancelFoundNothing)
        desk.account.fill(part.client_order_id, "0.004")
        assert isinstance(await desk.cancel(part), CancelAcked)
        fill, update = await desk.query(part)
        assert (fill.fill.last_qty, update.status, update.cum_qty) == (
            D("0.004"),
            VenueStatus.CANCELED,
            D("0.004"),
        )
        desk.account.fault("drop", method="DELETE")
        assert isinstance(await desk.cancel(lost), CancelOutcomeUnknown)
        assert (await desk.query(lost))[-1].status is VenueStatus.CANCELED
        assert len(desk.account.sent(method="DELETE")) == 3
        desk.account.fault("code", method="DELETE", when="before", code=-2011, msg="CANCEL_REJECTED")
        assert isinstance(await desk.cancel(unclear), CancelOutcomeUnknown)
        desk.account.ignored_cancels = 1
        assert isinstance(await desk.cancel(ignored), CancelAcked)
        assert (await desk.query(ignored))[-1].status is VenueStatus.NEW
        *events, done = await desk.reconcile()
        assert set(done.open_client_order_ids) == {unclear.client_order_id, ignored.client_order_id}
        names = [event.fill.client_order_id for event in events if isinstance(event, OrderFilled)]
        assert names == [filled.client_order_id, part.client_order_id]


@BOTH
async def test_an_order_that_takes_at_once_is_booked_with_its_fee(market):
    async with binance_bench(market) as desk:
        order = desk.order(px=D("60200.0"), time_in_force=TimeInForce.IOC, reduce_only=market == LINEAR)
        assert isinstance(await desk.place(order), OrderAcked)
        fill, update = await desk.query(order)
        assert (fill.fill.liquidity.value, update.status) == ("TAKER", VenueStatus.FILLED)
        assert (fill.fill.fee, fill.fill.fee_coin) == (
            (D("0.000001"), "BTC") if market == SPOT else (D("0.012"), "USDT")
        )
        gone = desk.order(time_in_force=TimeInForce.IOC)
        await desk.place(gone)
        (update,) = await desk.query(gone)
        assert update.status is VenueStatus.CANCELED
        if market == LINEAR:
            assert "reduceOnly=true" in desk.account.sent()[0]
            assert (await desk.reconcile())[-1].positions[0].qty == D("0.001")


HALF = ("", "{}", "null", "[{}]", '{"code":0}')


@BOTH
async def test_a_read_that_misses_anything_has_failed(market):
    trades = "myTrades" if market == SPOT else "userTrades"
    async with binance_bench(market) as desk:
        for path in ("openOrders", trades, "account" if market == SPOT else "positionRisk"):
            for text in HALF:
                desk.account.fault("raw", path=path, method="GET", text=text)
                (*_, last) = await desk.reconcile()
                assert isinstance(last, ReconcileFailed), (path, text)
        for path in ("order", "openOrders", "allOrders", trades):
            desk.account.fault("raw", path=path, method="GET", text="{}")
            (answer,) = await desk.query(desk.order())
            assert isinstance(answer, OrderQueryFailed), path
        assert isinstance((await desk.reconcile())[-1], Reconciled)


@BOTH
async def test_absence_needs_every_look_and_a_fill_that_is_not_shown_yet_is_waited_for(market):
    async with binance_bench(market) as desk:
        order = desk.order(qty=D("0.010"))
        await desk.place(order)
        desk.account.fault("code", path="order", method="GET", when="before", code=-2013)
        (update,) = await desk.query(order)  # denied by one look, shown by another
        assert update.status is VenueStatus.NEW
        desk.account.fill(order.client_order_id)
        held, desk.account.trades = desk.account.trades, []
        (answer,) = await desk.query(order)
        assert isinstance(answer, OrderQueryFailed)
        desk.account.trades = held
        fill, update = await desk.query(order)
        assert (fill.fill.last_qty, update.status) == (D("0.010"), VenueStatus.FILLED)
        desk.account.orders.clear()  # executions of an order that nobody shows prove no absence
        (*_, answer) = await desk.query(order)
        assert isinstance(answer, OrderQueryFailed)


@BOTH
async def test_executions_are_read_page_by_page_and_told_once(market, monkeypatch):
    monkeypatch.setattr(binance_dialect, "_PAGE", 3)
    async with binance_bench(market) as desk:
        order = desk.order(qty=D("0.100"))
        await desk.place(order)
        for _ in range(7):
            desk.account.fill(order.client_order_id, "0.010")
        *fills, update = await desk.query(order)
        assert (len(fills), update.cum_qty) == (7, D("0.070"))
        fortnight_ms = 14 * 86_400_000
        *events, _ = await desk.reconcile(since_ms=desk.account.trades[0]["time"] - fortnight_ms)
        told = [event.fill.exec_id for event in events if isinstance(event, OrderFilled)]
        assert told == [event.fill.exec_id for event in fills]


@BOTH
async def test_what_ccxt_would_send_otherwise_than_approved_does_not_leave(market, monkeypatch):
    async with binance_bench(market) as desk:
        await desk.place(desk.order())
        kind = type(desk.venue._inside._exchange)
        plain_sign = kind.sign
        for wrong in ({"quantity": "0.002"}, {"icebergQty": "0.001"}, {"side": "SELL"}):

            def sign(self, path, api="public", method="GET", params=None, *rest, wrong=wrong, **named):
                return plain_sign(self, path, api, method, {**(params or {}), **wrong}, *rest, **named)

            with monkeypatch.context() as patch:
                patch.setattr(kind, "sign", sign)
                refused = await desk.place(desk.order())
                assert (type(refused), refused.code) == (OrderRejected, -1)
                assert isinstance(await desk.cancel(desk.order()), CancelOutcomeUnknown)
        assert len(desk.account.sent()) == 1
        assert desk.account.sent(method="DELETE") == []


async def test_an_account_in_hedge_mode_is_noticed():
    async with binance_bench(LINEAR) as desk:
        desk.account.hedged, desk.account.position = True, D("0.5")
        refused = await desk.place(desk.order())
        assert (type(refused), refused.code, refused.fatal) == (OrderRejected, -4061, True)
        assert "one-way is needed" in refused.text
        failed = (await desk.reconcile())[-1]
        assert isinstance(failed, ReconcileFailed)
        assert "hedge mode" in failed.detail


@BOTH
async def test_the_sentinel_clears_it(market):
    async with binance_bench(market) as desk:
        for _ in range(3):
            await desk.place(desk.order())
        desk.account.fault("raw", path="openOrders", method="GET", text="{}")
        desk.account.fault("drop", method="DELETE", when="before")
        desk.account.ignored_cancels = 1
        table = VenueTable(
            name="other",
            exchange="binance" if market == SPOT else "binanceusdm",
            key=Secret(KEY),
            secret=Secret(SECRET),
            password=None,
            rest_url=desk.server.rest_url,
            testnet=False,
            poll_s=1,
            markets={market: "BTC/USDT" if market == SPOT else "BTC/USDT:USDT"},
        )
        sweep = VenueSweep(table, lambda *_, **__: None, confirm_s=0.1, timeout_s=1.0)
        await sweep.run()
        assert (len(sweep.found), sweep.may_remain, desk.account.open()) == (3, [], [])
