"""What must be there before anything is opened, and what happens when it goes: streams, venue, sentinel, prices."""

import pytest

from executor.domain.commands import CancelOrder, PlaceOrder, RefuseOrder
from executor.domain.events import (
    CoinBalance,
    OrderAbsent,
    OrderQueryFailed,
    OrderRejected,
    SentinelChanged,
    Stream,
    StreamChanged,
    VenueRestricted,
    WalletUpdated,
)
from executor.domain.limits import Limits
from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.runtime import record
from tests.builders import D, submitted
from tests.engine.one_child import NAME
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))
RESTING = StrategyParams(interval_s=60, passiveness=D(1))


def at_work(side=Side.BUY, **over):
    rig = Rig(**over)
    if rig.sentinel_required:
        rig.send(SentinelChanged(at_ns=0, alive=True, detail="heard"))
    rig.open_market()
    rig.send(submitted(side=side, duration_s=600, params=RESTING))
    run(rig, 2)
    assert rig.parent().status is ParentStatus.EXECUTING
    return rig


def run(rig, seconds):
    for _ in range(seconds):
        rig.tick(1)
        rig.settle()


def paused_for(rig, reason, code):
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.parent().reason is reason
    assert code in rig.parent().waiting
    run(rig, 2)
    assert not any(entry.is_open for entry in rig.venue.orders.values())
    before = len(rig.commands(PlaceOrder))
    run(rig, 8)
    assert len(rig.commands(PlaceOrder)) == before


def goes_on(rig):
    run(rig, 8)
    assert rig.parent().status is ParentStatus.EXECUTING
    assert [entry.is_open for entry in rig.venue.orders.values()] == [False] * (len(rig.venue.orders) - 1) + [
        True
    ]
    assert len(rig.venue.orders) > 1


@SIDES
def test_a_dead_feed_of_another_family_pauses_nobody(side):
    rig = at_work(side)
    rig.send(
        StreamChanged(at_ns=0, stream=Stream.PUBLIC, category=Category.SPOT, live=False, detail="closed")
    )
    run(rig, 3)
    assert rig.parent().status is ParentStatus.EXECUTING
    assert rig.commands(CancelOrder) == []


@pytest.mark.parametrize(
    ("stream", "code"), [(Stream.PUBLIC, "PUBLIC_STREAM_DOWN"), (Stream.TRADE, "ORDER_ENTRY_DOWN")]
)
@SIDES
def test_a_lost_stream_pauses_and_its_return_lets_the_parent_go_on(side, stream, code):
    rig = at_work(side)
    rig.stream(stream, live=False)
    paused_for(rig, Reason.STREAM_LOST, code)
    rig.stream(stream, live=True)
    goes_on(rig)


def test_a_public_stream_without_a_family_is_relied_on_by_nobody():
    rig = at_work()
    rig.send(StreamChanged(at_ns=0, stream=Stream.PUBLIC, category=None, live=True, detail=""))
    assert rig.parent().status is ParentStatus.PAUSED


def test_orders_cannot_be_sent_before_the_way_for_them_is_known():
    rig = Rig()
    rig.open_market()
    rig.stream(Stream.TRADE, live=True)
    rig.restart()
    assert not rig.engine.state.trade_live
    rig.open_market()
    assert rig.engine.state.trade_live


@SIDES
def test_a_restriction_pauses_until_its_end_and_then_the_parent_goes_on_by_itself(side):
    rig = at_work(side)
    rig.send(VenueRestricted(at_ns=0, until_ns=rig.now_ns + 10 * NS_PER_S, detail="ban"))
    rig.send(VenueRestricted(at_ns=0, until_ns=rig.now_ns + 30 * NS_PER_S, detail="ban"))
    rig.send(VenueRestricted(at_ns=0, until_ns=rig.now_ns + 20 * NS_PER_S, detail="shorter"))
    assert rig.alerts().count("VENUE_RESTRICTED") == 1
    paused_for(rig, Reason.VENUE_RESTRICTED, "VENUE_RESTRICTED")
    run(rig, 12)
    assert rig.parent().status is ParentStatus.PAUSED
    run(rig, 10)
    goes_on(rig)


def test_a_restriction_is_remembered_over_a_restart_and_looked_at_when_it_ends():
    rig = at_work()
    until_ns = rig.now_ns + 60 * NS_PER_S
    rig.send(VenueRestricted(at_ns=0, until_ns=until_ns, detail="maintenance"))
    rig.restart()
    assert rig.timers["restricted"] == until_ns
    rig.open_market()
    assert rig.parent().status is ParentStatus.PAUSED
    written = record.encode_state(rig.engine.state)
    assert record.decode_state(written) == rig.engine.state


@SIDES
def test_a_silent_sentinel_pauses_where_it_is_required(side):
    rig = at_work(side, sentinel_required=True)
    rig.send(SentinelChanged(at_ns=0, alive=False, detail="silent for 9 s"))
    assert rig.alerts().count("SENTINEL_SILENT") == 1
    paused_for(rig, Reason.SENTINEL_SILENT, "SENTINEL_SILENT")
    rig.send(SentinelChanged(at_ns=0, alive=True, detail="heard"))
    goes_on(rig)


def test_a_silent_sentinel_changes_nothing_where_it_is_not_required():
    rig = at_work()
    rig.send(SentinelChanged(at_ns=0, alive=False, detail=""))
    run(rig, 2)
    assert rig.parent().status is ParentStatus.EXECUTING
    assert rig.alerts() == []


def test_nothing_starts_before_the_required_sentinel_was_heard():
    rig = Rig(sentinel_required=True)
    rig.open_market()
    rig.send(submitted())
    run(rig, 5)
    assert rig.parent().status is ParentStatus.INITIALIZED
    assert "SENTINEL_SILENT" in rig.parent().waiting


@SIDES
@pytest.mark.parametrize("factor", ["1.021", "0.979"])
def test_a_second_opinion_too_far_away_pauses_and_is_told_once(side, factor):
    rig = at_work(side)
    rig.say("elsewhere", rig.mid * D(factor))
    rig.say("elsewhere", rig.mid * D(factor))
    assert rig.alerts().count("REFERENCE_DISAGREES") == 1
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.parent().reason is Reason.REFERENCE_DOUBT
    for _ in range(3):
        rig.say("elsewhere", rig.mid * D(factor))
        run(rig, 1)
    assert rig.alerts().count("REFERENCE_DISAGREES") == 1
    assert not any(entry.is_open for entry in rig.venue.orders.values())
    rig.say("elsewhere", rig.mid)
    goes_on(rig)
    rig.say("elsewhere", rig.mid * D(factor))
    assert rig.alerts().count("REFERENCE_DISAGREES") == 2


def test_a_fat_finger_in_the_book_is_seen_by_the_second_opinion():
    rig = at_work()
    rig.opinion = False
    rig.say("mark", rig.mid)
    rig.mid *= 2
    rig.book()
    assert rig.parent().status is ParentStatus.PAUSED
    assert "REFERENCE_DISAGREES" in rig.alerts()


@pytest.mark.parametrize("silence", ["old", "withdrawn", "NaN"])
def test_too_few_fresh_opinions_pause(silence):
    rig = at_work()
    rig.opinion = False
    if silence == "old":
        run(rig, 9)
        assert rig.parent().status is ParentStatus.EXECUTING
        run(rig, 3)
    else:
        rig.say("mark", None if silence == "withdrawn" else D("NaN"))
        run(rig, 1)
    paused_for(rig, Reason.REFERENCE_DOUBT, "REFERENCE_MISSING")
    rig.opinion = True
    rig.book()
    goes_on(rig)


def test_opinions_about_an_unknown_symbol_are_nothing():
    rig = Rig(limits=Limits(references_min=0))
    rig.say("mark", D(1))
    assert rig.engine.state.markets == {}


@SIDES
def test_a_crossing_order_keeps_within_the_band_and_rests_where_the_far_side_is_beyond_it(side):
    for beyond in (D(5), D(-5)):
        rig = Rig()
        far = D(50_000) if side is Side.SELL else D("50000.1")
        edge = far + side.sign * beyond
        rig.band = {"max_buy_px": edge} if side is Side.BUY else {"min_sell_px": edge}
        rig.open_market()
        rig.send(submitted(side=side, params=StrategyParams(interval_s=60, passiveness=D(0))))
        run(rig, 2)
        orders = [entry.order for entry in rig.venue.orders.values()]
        if beyond > 0:
            assert [order.px for order in orders] == [edge]
        else:
            assert orders == []  # even its resting place is beyond the band: the gate says so
            assert {code for each in rig.commands(RefuseOrder) for code in each.codes} == {"PRICE_BAND"}


def test_the_wallet_is_kept_for_people():
    rig = Rig()
    for qty in ("5", "7"):
        balance = CoinBalance(coin="USDT", wallet_qty=D(qty), locked_qty=D(1))
        rig.send(WalletUpdated(at_ns=0, balances=(balance,)))
    assert rig.engine.state.wallet["USDT"].wallet_qty == D(7)


# ---------------------------------------------------------------- refusals of the venue


def refused(rig, **over):
    rig.tick(1)
    (create,) = [each for each in rig.pending if isinstance(each, PlaceOrder)]
    rig.pending.clear()
    name = create.approved.order.client_order_id
    usual = dict(at_ns=0, client_order_id=name, code=10006, text="too many", fatal=False)
    rig.send(OrderRejected(**{**usual, **over}))


def waiting_for_its_first():
    rig = Rig()
    rig.open_market()
    rig.send(submitted(duration_s=600, params=RESTING))
    return rig


def test_after_a_refusal_the_venue_is_asked_once_more_before_another_child():
    rig = waiting_for_its_first()
    refused(rig)
    assert [type(each).__name__ for each in rig.pending] == ["QueryOrder"]
    for _ in range(12):
        rig.pending.clear()
        rig.send(OrderQueryFailed(at_ns=0, client_order_id=NAME, detail="502"))
        rig.tick(1)
    assert len(rig.commands(PlaceOrder)) == 1
    assert rig.parent().waiting == ("VENUE_REJECTED",)
    rig.send(OrderAbsent(at_ns=0, client_order_id=NAME, asked_ns=rig.child(1).done_ns - 1))
    rig.tick(1)
    assert len(rig.commands(PlaceOrder)) == 1
    rig.settle()
    rig.tick(1)
    assert len(rig.commands(PlaceOrder)) == 2


def test_a_restart_asks_again_about_a_refused_order():
    rig = waiting_for_its_first()
    refused(rig)
    rig.restart()
    assert NAME in [getattr(each, "client_order_id", "") for each in rig.pending]
    run(rig, 1)
    assert rig.parent().unread == ""


def test_a_refused_order_that_is_there_after_all_halts_and_is_reserved():
    rig = waiting_for_its_first()
    rig.tick(1)
    (create,) = [each for each in rig.pending if isinstance(each, PlaceOrder)]
    rig.pending.clear()
    rig.venue.create(create, now_ns=rig.now_ns)
    rig.venue.mail.clear()
    rig.send(OrderRejected(at_ns=0, client_order_id=NAME, code=10006, text="", fatal=False))
    assert rig.child(1).open_qty == 0
    rig.answer(rig.pending.pop(0))
    assert rig.engine.state.latched
    assert rig.child(1).open_qty == create.approved.order.qty


def test_an_account_that_cannot_pay_pauses_the_parent_at_once():
    rig = waiting_for_its_first()
    refused(rig, code=110007, text="ab not enough", unfunded=True)
    assert rig.parent().status is ParentStatus.PAUSED
    assert rig.parent().reason is Reason.INSUFFICIENT_FUNDS
    assert "ab not enough" in rig.parent().detail
    run(rig, 30)
    assert len(rig.commands(PlaceOrder)) == 1
