"""Faults of the private stream's messages: every fill is booked exactly once, however it arrives or fails to."""

import shutil

import msgspec
import pytest

from executor.domain.commands import Outcome
from executor.domain.events import CancelRequested, RearmRequested
from executor.domain.order_state import ChildStatus
from executor.domain.parent_state import ParentStatus, Reason
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.operations import Operator
from tests.builders import D
from tests.faults.plays import (
    Monotone,
    blocked,
    buying,
    buys_on,
    complete,
    market,
    opens_nothing,
    position_qty,
)
from tests.faults.stage import CREATE, INSTANCE, KEY, stage

pytestmark = pytest.mark.process


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
async def test_33_execution_messages_lost(tmp_path, share):
    async with stage(tmp_path) as played:
        await played.levers.fault("drop", on="private", match={"topic": "execution*", "p": share}, times=None)
        parent = await complete(played)
        assert parent.status is ParentStatus.COMPLETE


async def test_33_every_private_message_lost(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("drop", on="private", times=None)
        parent = await complete(played)
        assert parent.cum_qty == parent.order.order_qty


async def test_34_every_message_a_hundred_times(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("dup", on="private", copies=100, times=None)
        seen = Monotone(played)
        parent = await complete(played)
        assert parent.status is ParentStatus.COMPLETE
        assert seen.events > 100 * len(parent.children)


async def test_35_messages_in_any_order(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("reorder", on="private", window=50, within=0.7)
        seen = Monotone(played)
        parent = await complete(played)
        assert parent.status is ParentStatus.COMPLETE
        assert set(parent.children) <= seen.final


async def test_35_the_end_of_an_order_before_its_fills(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("delay", on="private", match={"topic": "execution*"}, delay=2.0, times=None)
        await played.levers.do("lag", ms=2_000)
        parent, child = await played.submit_resting()
        seen = Monotone(played)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id, qty="0.004")
        await played.levers.do("cancel", orderLinkId=child.order.client_order_id)
        await played.until(lambda: child.is_final)
        assert child.cum_qty == 0
        assert child.final_qty == D("0.004")
        assert child.open_qty == D("0.004"), "what is known to be filled stays reserved until it is booked"
        await played.until(lambda: child.is_released)
        assert child.cum_qty == parent.cum_qty == D("0.004")
        assert child.order.client_order_id in seen.final
        await played.levers.do("lag", ms=0)
        await played.check()


async def test_36_the_same_execution_by_stream_and_by_query(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("delay", on="private", match={"topic": "execution*"}, delay=0.8, times=None)
        await played.levers.fault("delay", path="/v5/execution/list", delay=0.4, times=None)
        parent = await complete(played)
        assert parent.status is ParentStatus.COMPLETE
        await played.let_pass(1.0)  # the late copies arrive after the queries told of them
        await played.check()


@pytest.mark.parametrize("change", [{"execQty": "0.009"}, {"execPrice": "54000"}], ids=["quantity", "price"])
async def test_37_the_same_execution_with_other_numbers(tmp_path, change):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.levers.fault(
            "edit", on="private", match={"topic": "execution*", "linkId": name}, edit=change, keep=True
        )
        await played.levers.do("fill", orderLinkId=name, qty="0.004")
        await blocked(played, hungry, "FILL_CONFLICT")
        assert child.cum_qty == D("0.004"), "the first is kept"
        assert child.cum_notional == D("0.004") * child.order.px
        await played.check()


async def test_38_the_same_execution_id_on_two_symbols(tmp_path):
    async with stage(tmp_path) as played:
        ether = played.exchange.markets["linear", "ETHUSDT"]
        px = (ether.mark_px * D("0.92")).quantize(D(1))
        _, first = await played.submit_resting()
        _, second = await played.submit_resting(symbol="ETHUSDT", order_qty=D("0.05"), limit_px=px)
        for child in (first, second):
            order = child.order
            await played.levers.do(
                "execution", orderLinkId=order.client_order_id, qty=str(order.qty), price=str(order.px),
                execId="one-id-for-two",
            )  # fmt: skip
        await played.until(lambda: first.status is second.status is ChildStatus.FILLED)
        assert {"linear:BTCUSDT:one-id-for-two", "linear:ETHUSDT:one-id-for-two"} <= set(
            played.state.executions
        )
        await played.proved()
        await played.check()


async def test_39_a_fill_of_an_order_by_hand(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        before = set(played.state.executions)
        act = await played.levers.do("external", symbol="BTCUSDT", side="Sell", qty="0.007")
        await blocked(played, hungry, "EXECUTION_UNEXPLAINED")
        key = f"linear:BTCUSDT:{act['execId']}"
        assert key in set(played.state.executions) - before, "stored"
        assert [orphan.key for orphan in played.state.orphans] == [key]
        await played.until(lambda: not any(name for name in hungry.live))
        held = played.state.ledgers["linear:BTCUSDT:0"].position_qty
        assert held == await position_qty(played), "and counted in the position"
        await played.check()


async def test_39_a_fill_under_our_own_prefix(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.fault("drop", on="private", match={"topic": "order*"}, times=None)
        place_behind_our_back(played, "x-99-1")
        await played.levers.do("fill", orderLinkId="x-99-1", qty="0.005")
        await blocked(played, hungry, "ORPHAN_FILL")
        (orphan,) = played.state.orphans
        assert (orphan.client_order_id, orphan.last_qty) == ("x-99-1", D("0.005"))


async def test_39_an_open_order_under_our_own_prefix(tmp_path):
    async with stage(tmp_path) as played:
        await buying(played)
        place_behind_our_back(played, "x-99-1")
        await played.until(lambda: "x-99-1 is open at the venue" in played.state.latch_reason)
        await gone(played, "x-99-1")
        await opens_nothing(played, 2.0)


async def gone(played, name):
    """Wait until an order is no longer open at the exchange."""
    await played.until_truth(
        lambda truth: all(
            row["status"] in {"Cancelled", "PartiallyFilledCanceled"}
            for row in truth["orders"]
            if row["orderLinkId"] == name
        )
    )


def place_behind_our_back(played, name):
    """Rest an order under an id of our own that this daemon never gave."""
    body = dict(
        category="linear", symbol="BTCUSDT", side="Buy", orderType="Limit", qty="0.005", price="55000",
        timeInForce="GTC", orderLinkId=name, positionIdx=0, reduceOnly=False,
    )  # fmt: skip
    played.exchange.create(played.exchange.accounts[KEY.uid], Fields.from_body(msgspec.json.encode(body)))


async def test_40_a_fill_of_an_order_made_before_the_journal_was_restored(tmp_path):
    async with stage(tmp_path, started=False) as played:
        await played.start()
        await played.until(lambda: played.state.private_live)
        await played.end()
        backup = tmp_path / "backup.db"
        shutil.copy(played.journal_path, backup)
        await played.start()
        _, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.end()
        for rest in tmp_path.glob("journal.db*"):
            rest.unlink()
        shutil.copy(backup, played.journal_path)
        await played.levers.fault(
            "drop", path="/v5/order/realtime", times=None
        )  # so that it is not seen before
        await played.start()
        assert name not in played.state.children
        await played.submit(order_qty=D("0.01"), duration_s=300)  # wants to buy, but not yet
        await played.until(lambda: played.state.private_live)
        await played.levers.do("fill", orderLinkId=name, qty="0.004")
        await played.until(lambda: played.state.orphans)
        (orphan,) = played.state.orphans
        assert (orphan.client_order_id, orphan.last_qty) == (name, D("0.004"))
        assert market(played).blocked.startswith("ORPHAN_FILL")
        await opens_nothing(played, 2.0)
        await played.levers.heal()
        await played.until(lambda: f"{name} is open at the venue" in played.state.latch_reason)
        await gone(played, name)
        await opens_nothing(played, 2.0)


async def test_41_a_fill_after_the_end_of_its_order(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.fault("delay", on="private", match={"topic": "execution*"}, delay=3.0, times=None)
        await played.levers.do("lag", ms=3_000)
        parent, child = await played.submit_resting(duration_s=2)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.until(lambda: child.is_final)
        assert child.cum_qty == 0, "the end is known before the fill"
        assert child.open_qty == child.order.qty, "and nothing is released"
        await played.finish(parent)
        await played.until(lambda: child.is_released)
        await played.check()
        assert parent.cum_qty == parent.order.order_qty


@pytest.mark.parametrize("told", [True, False], ids=["by the stream", "by a query"])
async def test_41_a_fill_thirty_hours_after_the_end(tmp_path, told):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.life.runtime.ask(
            CancelRequested(at_ns=0, request_id="c", parent_id=parent.order.parent_id), "c"
        )
        await played.finish(parent)
        assert parent.cum_qty == 0
        await played.levers.do("age", hours=30)
        if not told:
            await played.levers.fault("drop", on="private", times=None)
        await played.levers.do("execution", orderLinkId=name, qty="0.004", price="55000")
        await played.until(lambda: parent.cum_qty == D("0.004"))
        assert child.cum_qty == D("0.004")
        assert parent.status is ParentStatus.CANCELED
        report = played.life.runtime.report(parent.order.parent_id)
        assert D(str(report["cum_qty"])) == D("0.004"), "the report is made again"


async def test_42_the_venue_fills_more_than_was_ordered(tmp_path):
    async with stage(tmp_path) as played:
        parent, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.levers.do("fill", orderLinkId=name, qty="0.004")
        await played.levers.do("overfill", orderLinkId=name, qty="0.009")
        await played.until(lambda: child.cum_qty == D("0.013"))
        assert parent.cum_qty == D("0.013"), "all of it is booked"
        await played.finish(parent)
        assert parent.status is ParentStatus.FAILED
        assert parent.reason is Reason.OVER_FILLED
        assert {"OVER_FILL", "HALT"} <= set(played.alerts())
        assert played.state.latched
        await opens_nothing(played, 1.0)
        await played.check(over_fill=True)


async def test_43_what_moves_money_only(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        for kind in ("Funding", "Settle"):
            act = dict(symbol="BTCUSDT", side="Buy", qty="0.5", execType=kind, fee="0.3")
            await played.levers.do("execution", **act)
            await buys_on(played, hungry)
            await buys_on(played, hungry)
            assert market(played).blocked == ""
        assert not {"EXECUTION_UNEXPLAINED", "POSITION_DIFFERS", "RECONCILE_FAILED"} & set(played.alerts())


MOVES = ("AdlTrade", "BustTrade", "Delivery", "BlockTrade", "MovePosition", "FutureSpread")
UNKNOWN = ("CorporateAction", "SomethingNew")


async def test_43_what_moves_a_position_or_is_not_known(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        for number, kind in enumerate((*MOVES, *UNKNOWN)):
            bought = hungry.cum_qty
            act = dict(symbol="BTCUSDT", side="Buy", qty="0.005", price="65000", execType=kind)
            found = await played.levers.do("execution", **act)
            if not number:
                await blocked(played, hungry, "EXECUTION_UNEXPLAINED")
            await played.until(lambda kind=kind: kind in market(played).blocked)
            assert f"linear:BTCUSDT:{found['execId']}" in played.state.unexplained
            assert played.alerts().count("EXECUTION_UNEXPLAINED") == number + 1
            assert not played.state.latched
            await rearm(played)
            assert market(played).blocked == ""
        assert hungry.cum_qty >= bought
        await buys_on(played, hungry)
        await played.levers.do("freeze", on=True)
        await played.check()


async def rearm(played):
    """Let a person look and go on."""
    event = RearmRequested(at_ns=0, request_id="a", operator="ann", reason="looked into")
    reply = await played.life.runtime.ask(event, "a")
    assert reply.outcome is Outcome.ACCEPTED


async def test_43_a_liquidation_that_names_our_order_fills_nothing(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.levers.do(
            "execution", orderLinkId=name, qty="0.001", price="55000", execType="BustTrade"
        )
        await blocked(played, hungry, "EXECUTION_UNEXPLAINED")
        assert child.cum_qty == 0


async def quarantined(played, damages, topic="execution*"):
    """Damage the message about each of several fills; all are booked by query, with an alert, and life goes on."""
    hungry = await buying(played)
    parents = []
    for damage in damages:
        parent, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.levers.fault(on="private", match={"topic": topic, "linkId": name}, **damage)
        parents.append(parent)
        await played.let_pass(0.12)  # the venue takes ten orders a second
    asked = len(await played.levers.wire("/v5/execution/list"))
    for parent in parents:  # all at once: the daemon withdraws its orders when something cannot be read
        Operator(played.exchange).fill(Fields({"orderLinkId": parent.children[0]}))
    await played.until(lambda: "RECONCILE_FAILED" in played.alerts(), 2.0)
    for parent in parents:
        await played.finish(parent)
        assert parent.cum_qty == D("0.01")
    assert len(unreadable(played)) >= len(damages)
    await buys_on(played, hungry)
    assert market(played).blocked == ""
    assert len(await played.levers.wire("/v5/execution/list")) > asked, "REST was consulted"
    await played.levers.do("freeze", on=True)
    await played.proved()
    await played.check()


def unreadable(played):
    """What the log says of rows that could not be read."""
    return [fields for text, fields in played.lines if text == "private row not readable"]


async def test_44_odd_quantities(tmp_path):
    odd = ("0", "-0.01", "NaN", "Infinity", "0.01" + "0" * 40, "9" * 40, "1e-3", "0,001", "", "\u0660.\u0661")
    async with stage(tmp_path) as played:
        await quarantined(played, [dict(act="edit", edit={"execQty": text}) for text in odd])


async def test_44_odd_quantities_of_an_order(tmp_path):
    async with stage(tmp_path) as played:
        damages = [dict(act="edit", edit={"cumExecQty": text}) for text in ("-0.01", "NaN", "1e-3")]
        await quarantined(played, damages, "order*")


BAD_FORMS = (
    dict(act="edit", edit={"execQty": None}),
    dict(act="edit", rename={"execPrice": "price_of_execution"}),
    dict(act="edit", set={"execId": None}),
    dict(act="edit", set={"execQty": 0.001}),
    dict(act="edit", set={"isMaker": "true"}),
    dict(act="edit", set={"symbol": {}}),
    dict(act="edit", set={"side": "Hold"}),
    dict(act="truncate"),
    dict(act="corrupt"),
    dict(act="frame_raw", frame_raw='{"topic":"execution","data":[1,"x",null]}'),
)


async def test_45_rows_and_frames_of_another_form(tmp_path):
    async with stage(tmp_path) as played:
        await quarantined(played, BAD_FORMS)


async def test_45_unknown_fields_are_ignored(tmp_path):
    async with stage(tmp_path) as played:
        _, child = await played.submit_resting()
        extra = {"brandNew": {"deep": [1, 2]}, "execQty2": "7"}
        await played.levers.fault(
            "edit", on="private", set=extra, rename={"execValue": "notional"}, times=None
        )
        await played.levers.fault("status", path="/v5/execution/list", status=500, times=None)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.until(lambda: child.status is ChildStatus.FILLED)
        assert child.cum_qty == D("0.01"), "from the stream alone"
        assert not unreadable(played)


async def test_45_one_row_that_can_never_be_read_does_not_stop_the_others(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        await played.levers.fault("drop", on="private", times=None)
        act = await played.levers.do(
            "execution", symbol="BTCUSDT", side="Buy", qty="0.005", price="60000", execType="Odd\x07Kind"
        )
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.until(lambda: child.status is ChildStatus.FILLED)
        await blocked(played, hungry, "EXECUTION_UNEXPLAINED")
        assert f"linear:BTCUSDT:{act['execId']}" in played.state.unexplained
        assert played.state.reconciled["linear"], "everything else is read as ever"
        ether = await played.submit(symbol="ETHUSDT", order_qty=D("0.05"))
        await played.finish(ether)
        assert ether.cum_qty == ether.order.order_qty, "another symbol is not concerned"


async def test_53_a_fill_of_an_order_of_ours_before_its_rules_are_read(tmp_path):
    async with stage(tmp_path) as played:
        _, child = await played.submit_resting()
        await played.end()
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.levers.fault("status", path="/v5/market/instruments-info", status=500, times=3)
        await played.start()
        child = played.state.children[child.order.client_order_id]
        await played.until(lambda: child.status is ChildStatus.FILLED)
        assert child.cum_qty == D("0.01")
        await played.proved()
        await played.check()
        assert len(await played.levers.wire(CREATE)) == 1
        assert INSTANCE in child.order.client_order_id


async def test_54_fast_executions_without_our_id(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        row = dict(
            category="linear", symbol="BTCUSDT", execId="fast-1", execPrice="55000", execQty="0.01",
            orderId=child.venue_order_id, orderLinkId="", isMaker=True, side="Buy", execTime="1760000000000",
            seq=1,
        )  # fmt: skip
        frame = msgspec.json.encode({"topic": "execution.fast", "creationTime": 1, "data": [row]}).decode()
        await played.levers.fault("inject", on="private", frame_raw=frame)
        await buys_on(played, hungry)
        assert child.cum_qty == 0, "ignored by design: the same comes again with its fee"
        assert "linear:BTCUSDT:fast-1" not in played.state.executions
        assert market(played).blocked == ""
        assert not unreadable(played)
        await played.levers.do("fill", orderLinkId=child.order.client_order_id)
        await played.until(lambda: child.status is ChildStatus.FILLED)
        assert child.cum_qty == D("0.01")
