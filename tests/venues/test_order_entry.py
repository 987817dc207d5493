"""Both ways of sending orders under one list of demands: what each answer, and each missing answer, is taken to prove.

Numbers in the names of cases are rows of the fault catalogue. The exchange's log of what arrived is the judge of
what was sent, its books are the judge of what exists.
"""

import asyncio
import hashlib
import json

import pytest

import executor.venues.bybit.order_entry as order_entry
from executor.domain.errors import LocalProtocolError
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    HaltRequested,
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    ReplaceAcked,
    ReplaceNotSent,
    ReplaceOutcomeUnknown,
    ReplaceRejected,
    VenueRestricted,
)
from executor.domain.orders import Category
from executor.venues.bybit.access import Way
from tests.builders import D
from tests.venues.entry_bench import entry_desk

pytestmark = [pytest.mark.process]
both = pytest.mark.parametrize("way", Way)


def sent_body(entry):
    """The body that a request carried, whichever way it came."""
    raw = json.loads(entry["raw"])
    return raw["args"][0] if "args" in raw else raw


# ---------------------------------------------------------------- create


@both
async def test_a_create_leaves_once_with_the_approved_terms_and_is_acknowledged(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        acked = await desk.place(order)
        assert isinstance(acked, OrderAcked)
        (sent,) = await desk.wire()
        assert sent["path"] == ("/v5/order/create" if way is Way.REST else "order.create")
        body = sent_body(sent)
        assert (body["orderLinkId"], body["qty"], body["price"]) == (
            order.client_order_id,
            "0.002",
            "60000.0",
        )
        (open_order,) = await desk.truth()
        assert open_order["orderId"] == acked.venue_order_id
        exact = order_entry.create_body(order)
        assert exact.decode() in sent["raw"]
        assert acked.sent_sha256 == hashlib.sha256(exact).hexdigest()


UNCLEAR = {
    "1 late, accepted": ("after_apply", {"act": "delay", "delay": 4.0}, True),
    "1 dropped, accepted": ("after_apply", {"act": "drop"}, True),
    "2 dropped, not accepted": ("before_apply", {"act": "drop"}, False),
    "7 5xx after": ("after_apply", {"act": "status", "status": 502}, True),
    "7 5xx that looks like a yes": (
        "after_apply",
        {
            "act": "status",
            "status": 502,
            "body_raw": '{"retCode":0,"retMsg":"OK","result":{"orderId":"1","orderLinkId":"x-1-1"}}',
        },
        True,
    ),
    "8 5xx before": ("before_apply", {"act": "status", "status": 503}, False),
    "9 10000 after": ("after_apply", {"act": "retCode", "retCode": 10000}, True),
    "9 10000 before": ("before_apply", {"act": "retCode", "retCode": 10000}, False),
    "10 never seen": ("after_apply", {"act": "retCode", "retCode": 999999}, True),
    "duplicate request id": ("after_apply", {"act": "retCode", "retCode": 20006}, True),
    "restarting": ("after_apply", {"act": "retCode", "retCode": 10019}, True),
    "11 truncated": (
        "after_apply",
        {"act": "body_raw", "body_raw": '{"retCode":0,"retMsg":"OK","resu'},
        True,
    ),
    "11 html": ("after_apply", {"act": "body_raw", "body_raw": "<html>502</html>"}, True),
    "11 empty": ("after_apply", {"act": "body_raw", "body_raw": ""}, True),
    "11 null": ("after_apply", {"act": "body_raw", "body_raw": "null"}, True),
    "11 list": ("after_apply", {"act": "body_raw", "body_raw": "[]"}, True),
    "11 code as text": ("after_apply", {"act": "body_raw", "body_raw": '{"retCode":"0"}'}, True),
    "11 nested": ("after_apply", {"act": "body_raw", "body_raw": "[" * 200_000}, True),
    "11 text not writable": (
        "after_apply",
        {"act": "body_raw", "body_raw": '{"retCode":10016,"retMsg":"\\ud800"}'},
        True,
    ),
    "15 reset, accepted": ("after_apply", {"act": "reset"}, True),
    "15 reset, not accepted": ("before_apply", {"act": "reset"}, False),
}


@both
@pytest.mark.parametrize(("when", "fault", "accepted"), UNCLEAR.values(), ids=UNCLEAR)
async def test_an_unclear_answer_is_unknown_and_nothing_is_sent_twice(way, when, fault, accepted):
    if way is Way.WEBSOCKET and fault["act"] == "status":
        fault = {"act": "body_raw", "body_raw": "Bad gateway"}
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.fault(when=when, match={"linkId": order.client_order_id}, **fault)
        event = await desk.place(order)
        assert isinstance(event, OrderOutcomeUnknown), event
        event.detail.encode()
        arrived = await desk.wire()
        assert len(arrived) <= 1  # what is cut while it is held up may never be written down
        assert [row["orderLinkId"] for row in await desk.truth()] == [order.client_order_id] * accepted


@both
@pytest.mark.parametrize(
    ("code", "fatal"),
    [
        (110007, False),
        (10001, False),
        (10002, False),
        (10003, True),
        (10005, True),
        (10010, True),
        (33004, True),
        (-2015, True),
    ],
)
async def test_a_definitive_refusal(way, code, fatal):
    async with entry_desk(way) as desk:
        await desk.fault("retCode", when="before_apply", retCode=code, retMsg="no \U0001f600")
        event = await desk.place(desk.order())
        assert (type(event), event.code, event.fatal) == (OrderRejected, code, fatal)
        assert await desk.truth() == []


@both
async def test_17_a_duplicate_id_is_unknown(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        assert isinstance(await desk.place(order), OrderAcked)
        assert isinstance(await desk.place(order), OrderOutcomeUnknown)
        assert len(await desk.truth()) == 1


@both
async def test_78_another_position_mode_stops_everything_and_says_so(way):
    async with entry_desk(way) as desk:
        event = await desk.place(desk.order(position_idx=1))
        assert (type(event), event.code, event.fatal) == (OrderRejected, 10001, True)
        assert "position mode" in event.text


@both
async def test_59_a_refusal_by_rules_that_changed_has_them_read_again(way):
    async with entry_desk(way) as desk:
        event = await desk.place(desk.order(qty=D("0.0015")))
        assert (event.code, event.fatal) == (10001, False)
        assert desk.doubted == [(Category.LINEAR, "BTCUSDT")]
        await desk.place(desk.order())
        await desk.fault("retCode", when="before_apply", retCode=110007, retMsg="ab not enough for new order")
        await desk.place(desk.order())
        assert len(desk.doubted) == 1


# ---------------------------------------------------------------- the last look


@both
async def test_a_closed_turnstile_and_an_old_ticket_send_nothing(way):
    async with entry_desk(way) as desk:
        await desk.place(desk.order(), ticket=5)
        assert isinstance(await desk.place(desk.order(), ticket=5), OrderNotSent)
        assert isinstance(await desk.place(desk.order(), ticket=6, halt_epoch=-1), OrderNotSent)
        desk.turnstile.follow(1, closed=True)
        assert isinstance(await desk.place(desk.order(), ticket=7), OrderNotSent)
        assert isinstance(await desk.replace(desk.order()), ReplaceNotSent)
        assert len(await desk.wire()) == 1
        assert await desk.wire("amend") == []
        assert isinstance(await desk.cancel(desk.order()), CancelFoundNothing)


@both
async def test_a_halt_between_the_ticket_and_the_first_byte_sends_nothing(way, monkeypatch):
    async with entry_desk(way) as desk:
        door = desk.entry._door
        true_send = type(door).send

        async def halted_on_the_way(self, act, body, why_void=None):
            desk.turnstile.follow(1, closed=True)
            return await true_send(self, act, body, why_void)

        monkeypatch.setattr(type(door), "send", halted_on_the_way)
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert await desk.wire() == []
        assert await desk.truth() == []


LIES = {
    "more": lambda body: body.replace(b'"0.002"', b'"0.003"'),
    "dearer": lambda body: body.replace(b'"60000.0"', b'"60000.1"'),
    "another name": lambda body: body.replace(b"x-1-1", b"x-1-9"),
    "another symbol": lambda body: body.replace(b"BTCUSDT", b"ETHUSDT"),
    "a key twice": lambda body: body.replace(b'"qty"', b'"qty":"0.002","qty"'),
}


@both
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_bytes_that_do_not_say_what_was_approved_never_leave(way, lie, monkeypatch):
    async with entry_desk(way) as desk:
        order = desk.order()
        with monkeypatch.context() as patch:
            for name in ("create_body", "amend_body"):
                true = getattr(order_entry, name)
                patch.setattr(order_entry, name, lambda terms, true=true: lie(true(terms)))
            with pytest.raises(LocalProtocolError):
                await desk.place(order)
            with pytest.raises(LocalProtocolError):
                await desk.replace(order)
        assert await desk.wire() == []
        assert await desk.wire("amend") == []
        assert isinstance(await desk.place(order), OrderAcked)


# ---------------------------------------------------------------- amend


@both
async def test_an_amend_changes_the_terms(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.place(order)
        assert isinstance(await desk.replace(order, qty=D("0.004"), px=D("60001.0")), ReplaceAcked)
        (sent,) = await desk.wire("amend")
        assert sent_body(sent)["qty"] == "0.004"
        (row,) = await desk.truth()
        assert (D(row["qty"]), D(row["price"])) == (D("0.004"), D("60001.0"))


@both
@pytest.mark.parametrize("fault", [{"act": "drop"}, {"act": "retCode", "retCode": 10016}, {"act": "reset"}])
@pytest.mark.parametrize("when", ["before_apply", "after_apply"])
async def test_28_an_amend_that_was_not_answered_is_unknown_and_sent_once(way, when, fault):
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault(what="amend", when=when, **fault)
        event = await desk.replace(order, qty=D("0.004"))
        assert isinstance(event, ReplaceOutcomeUnknown), event
        assert len(await desk.wire("amend")) <= 1
        (row,) = await desk.truth()
        assert D(row["qty"]) == (D("0.004") if when == "after_apply" else order.qty)


@both
async def test_29_an_amend_below_what_is_filled_is_refused_and_the_order_is_not_gone(way):
    async with entry_desk(way) as desk:
        order = desk.order(qty=D("0.010"))
        await desk.place(order)
        await desk.do("fill", orderLinkId=order.client_order_id, qty="0.004")
        event = await desk.replace(order, qty=D("0.003"))
        assert (type(event), event.gone) == (ReplaceRejected, False)
        assert event.code in {110064, 10001}


@both
async def test_an_amend_of_an_order_that_is_over_finds_it_gone(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.do("fill", orderLinkId=order.client_order_id)
        event = await desk.replace(order, qty=D("0.004"))
        assert (type(event), event.code, event.gone) == (ReplaceRejected, 110001, True)


@both
@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (10001, "order not modified", ReplaceOutcomeUnknown),
        (34040, "not modified", ReplaceOutcomeUnknown),
        (110079, "order is being processed", ReplaceOutcomeUnknown),
        (10001, "Price invalid", ReplaceRejected),
        (110003, "Order price is out of permissible range", ReplaceRejected),
    ],
)
async def test_refusals_of_an_amend(way, code, text, kind):
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault("retCode", what="amend", when="before_apply", retCode=code, retMsg=text)
        event = await desk.replace(order)
        assert type(event) is kind
        assert kind is not ReplaceRejected or not event.gone


# ---------------------------------------------------------------- cancel


@both
async def test_a_cancel_is_acknowledged_and_a_second_one_finds_nothing(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.place(order)
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert isinstance(await desk.cancel(order), CancelFoundNothing)
        assert len(await desk.wire("cancel")) == 2


UNPROVED = [{"act": "drop"}, {"act": "retCode", "retCode": 10016}, {"act": "reset"}]


def other(way):
    return Way.WEBSOCKET if way is Way.REST else Way.REST


@both
@pytest.mark.parametrize("when", ["before_apply", "after_apply"])
@pytest.mark.parametrize("fault", UNPROVED)
async def test_25_a_cancel_that_proves_nothing_goes_the_other_way_as_well(way, fault, when):
    async with entry_desk(way, socket_runs=True) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault(what="cancel", when=when, times=None, **fault)
        event = await desk.cancel(order)
        assert isinstance(event, CancelAcked if when == "before_apply" else CancelFoundNothing), event
        assert len(await desk.wire("cancel", other(way))) == 1
        (row,) = await desk.truth()
        assert row["status"] == "Cancelled"


@both
@pytest.mark.parametrize("fault", UNPROVED)
async def test_25_a_cancel_that_proves_nothing_either_way_is_unknown_and_tells_both_reasons(way, fault):
    async with entry_desk(way, socket_runs=True) as desk:
        order = desk.order()
        await desk.place(order)
        for each in Way:
            await desk.fault(what="cancel", way=each, when="before_apply", times=None, **fault)
        event = await desk.cancel(order)
        assert isinstance(event, CancelOutcomeUnknown)
        assert len(event.detail.split("; ")) == 2
        assert {len(await desk.wire("cancel", each)) for each in Way} <= {0, 1}
        (row,) = await desk.truth()
        assert row["status"] == "New"


@pytest.mark.parametrize("fault", UNPROVED)
async def test_25_a_spare_socket_that_is_not_connected_is_not_waited_for_but_made(fault):
    async with entry_desk(Way.REST) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault(what="cancel", **fault)
        began_s = asyncio.get_running_loop().time()
        event = await desk.cancel(order)
        assert isinstance(event, CancelOutcomeUnknown)
        assert "not connected" in event.detail
        assert len(await desk.wire("cancel")) == 1
        assert desk.socket.wanted.is_set()
        if fault["act"] != "drop":
            assert asyncio.get_running_loop().time() - began_s < desk.entry._cancel_s_max


# ---------------------------------------------------------------- limits, bans, keys


@both
async def test_the_eleventh_create_of_a_second_is_not_sent_and_the_cancels_still_are(way):
    async with entry_desk(way) as desk:
        orders = [desk.order() for _ in range(11)]
        answers = await asyncio.gather(*(desk.place(order) for order in orders))
        assert [type(answer) for answer in answers] == [OrderAcked] * 10 + [OrderNotSent]
        assert "rate limit" in answers[-1].detail
        cancels = await asyncio.gather(*(desk.cancel(order) for order in orders[:10]))
        assert {type(answer) for answer in cancels} == {CancelAcked}
        assert len(await desk.wire()) == 10
        assert not [entry for entry in await desk.wire("cancel") if entry["retCode"] == 10006]


@both
async def test_31_cancels_beyond_their_allowance_wait_for_room_instead_of_being_refused(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        answers = [await desk.cancel(order) for _ in range(12)]
        assert {type(answer) for answer in answers} == {CancelFoundNothing}
        assert {entry["retCode"] for entry in await desk.wire("cancel")} == {110001}


@both
async def test_a_cancel_that_is_asked_for_again_while_it_waits_for_room_leaves_once(way):
    async with entry_desk(way) as desk:
        orders = [desk.order() for _ in range(13)]
        answers = await asyncio.gather(
            *(desk.cancel(order) for order in (*orders, *orders[10:], *orders[10:]))
        )
        assert [type(answer) for answer in answers] == [CancelFoundNothing] * 19
        assert answers[10:13] == answers[13:16] == answers[16:]
        assert len(await desk.wire("cancel")) == 13
        await desk.cancel(orders[0])
        assert len(await desk.wire("cancel")) == 14, "one that has left can be sent again"


@both
async def test_10006_holds_the_endpoint_back_until_its_reset_and_no_other(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault("retCode", when="before_apply", retCode=10006)
        refused = await desk.place(desk.order())
        assert (type(refused), refused.code, refused.fatal) == (OrderRejected, 10006, False)
        held = await desk.place(desk.order())
        assert (type(held), "rate limit" in held.detail) == (OrderNotSent, True)
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert len(await desk.wire()) == 2
        wait_s = desk.standing.order_wait_s(order_entry.Act.CREATE, Category.LINEAR, http=True)
        assert 0 < wait_s <= 1.1


@both
async def test_a_busy_venue_gets_a_pause_and_the_engine_is_told(way):
    async with entry_desk(way) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault("retCode", when="before_apply", retCode=10429)
        assert isinstance(await desk.place(desk.order()), OrderRejected)
        told = await desk.until(lambda: [event for event in desk.heard if isinstance(event, VenueRestricted)])
        assert len(told) == 1
        assert "10429" in told[0].detail
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert isinstance(await desk.replace(order, qty=D("0.004")), ReplaceNotSent)
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert len(await desk.wire()) == 2


@both
@pytest.mark.parametrize("code", [10003, 10005, 10010, 33004])
async def test_79_a_refused_key_halts_once_however_many_requests_hear_it(way, code):
    async with entry_desk(way) as desk:
        for each in Way:
            await desk.fault(
                "retCode", what="cancel", way=each, when="before_apply", retCode=code, times=None
            )
        for _ in range(4):
            assert isinstance(await desk.cancel(desk.order()), CancelOutcomeUnknown)
        halts = await desk.until(lambda: [event for event in desk.heard if isinstance(event, HaltRequested)])
        (halt,) = halts
        assert (halt.request_id, halt.operator) == ("", "venue")
        assert halt.reason.startswith(f"AUTH {code}")


@both
async def test_73_a_storm_of_10006_loses_no_create_and_doubles_none(way):
    async with entry_desk(way, options={"seed": 3}) as desk:
        await desk.fault("retCode", when="before_apply", retCode=10006, times=None, match={"p": 0.5})
        answers = {}
        for _ in range(8):
            order = desk.order()
            answers[order.client_order_id] = await desk.place(order)
            desk.limiter._buckets.clear()  # as if each came long after the one before
        acked = {name for name, answer in answers.items() if isinstance(answer, OrderAcked)}
        kinds = {type(answer) for answer in answers.values()}
        assert kinds == {OrderAcked, OrderRejected}
        assert {row["orderLinkId"] for row in await desk.truth()} == acked
        names = [sent_body(entry)["orderLinkId"] for entry in await desk.wire()]
        assert sorted(names) == sorted(answers)
