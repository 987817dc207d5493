"""Faults of the market data: without a sound, fresh book that others confirm nothing is opened."""

from dataclasses import replace

import pytest

from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO
from sandbox.bybit_server.book import Side
from tests.builders import D
from tests.faults.plays import buying, buys_on, market, opens_nothing
from tests.faults.stage import CREATE, LIMITS, stage

pytestmark = pytest.mark.process


async def paused(played, parent, reason, seconds=1.5):
    """Wait until a parent has paused for a reason, and see that nothing is opened meanwhile."""
    await played.until(lambda: parent.status is ParentStatus.PAUSED and parent.reason is reason)
    await played.let_pass(0.1)  # what was on its way has arrived
    await opens_nothing(played, seconds)


async def shows_the_true_book(played):
    """Wait until the daemon's touch is that of the venue, whose market stands still."""
    await played.levers.do("freeze", on=True)
    book = played.exchange.markets["linear", "BTCUSDT"]
    tick = book.instrument.tick_size

    def agrees():
        seen = market(played).snapshot
        bid, ask = (best(book, side) * tick for side in ("Buy", "Sell"))
        return (seen.best_bid, seen.best_ask) == (bid, ask)

    await played.until(agrees)
    await played.levers.do("freeze", on=False)


def best(venue_market, side):
    """Best price of one side of the venue's own book, ticks."""
    return venue_market.book.half(Side(side)).best()


async def test_55_gap_in_the_deltas(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        before = (await played.levers.connects())["public.linear"]
        await played.levers.do("book", fault="gap", symbol="BTCUSDT", depth=50)
        await played.until(lambda: market(played).book_ns is None)
        sent = len(hungry.children)
        await played.until(lambda: market(played).book_ns is not None)
        assert len(hungry.children) == sent, "nothing is opened until the book is read anew"
        assert (await played.levers.connects())["public.linear"] == before + 1
        await buys_on(played, hungry)
        await shows_the_true_book(played)


async def test_55_replayed_delta(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        for _ in range(3):
            await played.levers.do("book", fault="replay", symbol="BTCUSDT", depth=50)
            await played.let_pass(0.3)
        await buys_on(played, hungry)
        await shows_the_true_book(played)


async def test_55_the_venue_restarts_its_books(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.do("book", fault="restart", symbol="BTCUSDT")
        await buys_on(played, hungry)
        await shows_the_true_book(played)


@pytest.mark.parametrize("sick", ["crossed", "locked", "one_sided", "empty"])
async def test_56_sick_book(tmp_path, sick):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        passive = await played.submit(duration_s=300, order_qty=D("0.01"), limit_px=None)
        await played.levers.do("book", fault=sick, symbol="BTCUSDT", depth=50, s=600)
        await paused(played, hungry, Reason.BOOK_LOST)
        assert passive.status is ParentStatus.PAUSED or not passive.started_ns
        await played.levers.heal()
        await buys_on(played, hungry)
        await shows_the_true_book(played)


async def test_56_one_side_of_the_market_is_gone(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.do("freeze", on=True)
        await played.levers.do("clear_crowd", category="linear", symbol="BTCUSDT")
        await paused(played, hungry, Reason.BOOK_LOST)
        await played.levers.do("freeze", on=False)
        await buys_on(played, hungry)
        await played.check()


async def test_57_stale_book_with_fresh_heartbeats(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.do("halt_feed", on=True)
        await played.until(lambda: hungry.status is ParentStatus.PAUSED)
        assert 2 <= (played.state.now_ns - market(played).book_ns) / NS_PER_S < 3, "at two seconds of age"
        await paused(played, hungry, Reason.BOOK_LOST)
        assert played.state.public_live["linear"], "pongs went on"
        await played.levers.do("halt_feed", on=False)
        await buys_on(played, hungry)
        await played.check()


async def test_57_one_stale_book_among_fresh_messages(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.do("book", fault="stale", symbol="BTCUSDT", s=600)
        await paused(played, hungry, Reason.BOOK_LOST)
        await played.levers.heal()
        await buys_on(played, hungry)


NARROW = replace(LIMITS, reference_gap_bps_max=D(200))


@pytest.mark.parametrize("bps", [5_000, -5_000])
async def test_58_fat_finger_of_half_the_price(tmp_path, bps):
    async with stage(tmp_path, limits=NARROW) as played:
        hungry = await buying(played)
        venue = played.exchange.markets["linear", "BTCUSDT"]
        mark_px = venue.mark_px
        await played.levers.fault(
            "edit", on="public", match={"topic": "tickers.BTCUSDT"}, times=None,
            edit={"markPrice": str(mark_px), "indexPrice": str(mark_px)},
        )  # fmt: skip
        await played.levers.do("jump", bps=bps, symbol="BTCUSDT")
        await played.until(lambda: abs(venue.last_px / mark_px - 1) > D("0.3"), 20)
        dear = [
            child for child in played.state.children.values() if abs(child.order.px / mark_px - 1) > D("0.05")
        ]
        assert not dear, "nothing is sent at a price that nobody else confirms"
        await played.until(lambda: hungry.status is ParentStatus.PAUSED)
        await opens_nothing(played, 1.5)
        assert "REFERENCE_DISAGREES" in played.alerts() or "VOLATILITY" in played.alerts()


ODD_PRICES = {"half": "0.5", "half as much again": "1.5", "a quintillion": None}


@pytest.mark.parametrize("factor", ODD_PRICES.values(), ids=ODD_PRICES.keys())
async def test_58_a_reference_far_away(tmp_path, factor):
    async with stage(tmp_path, limits=NARROW) as played:
        hungry = await buying(played)
        mark_px = played.exchange.markets["linear", "BTCUSDT"].mark_px
        px = "100000000000000000" if factor is None else str((mark_px * D(factor)).quantize(D("0.1")))
        await played.levers.fault(
            "edit", on="public", match={"topic": "tickers.BTCUSDT"}, edit={"markPrice": px}, times=None
        )
        await paused(played, hungry, Reason.REFERENCE_DOUBT)
        assert played.alerts().count("REFERENCE_DISAGREES") == 1
        await played.levers.heal()
        await played.levers.do("cut_public")
        await buys_on(played, hungry)


@pytest.mark.parametrize("px", ["0", "1" + "0" * 18, "1e18", "NaN"])
async def test_58_references_that_are_no_price(tmp_path, px):
    limits = replace(NARROW, second_opinion_age_s_max=D(2))
    async with stage(tmp_path, limits=limits) as played:
        hungry = await buying(played)
        edit = {"markPrice": px, "indexPrice": px}
        await played.levers.fault(
            "edit", on="public", match={"topic": "tickers.BTCUSDT"}, edit=edit, times=None
        )
        await paused(played, hungry, Reason.REFERENCE_DOUBT)
        await played.levers.heal()
        await played.levers.do("cut_public")
        await buys_on(played, hungry)


async def test_58_prints_far_away_move_no_order(tmp_path):
    async with stage(tmp_path, limits=NARROW) as played:
        hungry = await buying(played)
        mark_px = played.exchange.markets["linear", "BTCUSDT"].mark_px
        for px in ("0", "1000000000000000000", "1e18", "-5", str(mark_px * 2), str(mark_px / 2)):
            await played.levers.fault(
                "edit", on="public", match={"topic": "publicTrade.BTCUSDT"}, edit={"p": px}, times=2
            )
        await buys_on(played, hungry)
        await buys_on(played, hungry)
        assert all(abs(child.order.px / mark_px - 1) < D("0.02") for child in played.state.children.values())


async def test_59_rules_change_while_an_order_is_worked(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played, order_qty=D("12"))
        await played.levers.do("instrument", symbol="BTCUSDT", qtyStep="0.01", tickSize="0.5")
        await played.until(lambda: market(played).instrument.qty_step == D("0.01"), 12.0)
        refused = [entry for entry in await played.levers.wire(CREATE) if entry["retCode"]]
        assert 1 <= len(refused) <= 3, "read again after the first reject, and no loop"
        assert market(played).instrument.tick_size == D("0.5")
        filled, before = hungry.cum_qty, len(hungry.children)
        await played.until(lambda: hungry.cum_qty > filled)
        for name in hungry.children[before:]:
            order = played.state.children[name].order
            assert order.qty % D("0.01") == ZERO == order.px % D("0.5"), "rounded to the new steps"
        await played.check()


async def test_59_the_smallest_notional_grows_beyond_a_child(tmp_path):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        await played.levers.do("instrument", symbol="BTCUSDT", minNotional="1000")
        await played.until(lambda: market(played).instrument.min_notional == D(1_000), 12.0)
        refused = [entry for entry in await played.levers.wire(CREATE) if entry["retCode"]]
        assert 1 <= len(refused) <= 3
        filled, before = hungry.cum_qty, len(hungry.children)
        await played.until(lambda: hungry.cum_qty > filled)
        for name in hungry.children[before:]:
            order = played.state.children[name].order
            assert order.qty * order.px >= 1_000, "children grow to what the venue takes"


@pytest.mark.parametrize("status", ["PreLaunch", "Closed"])
async def test_60_symbol_stops_trading(tmp_path, status):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        await played.levers.do("instrument", symbol="BTCUSDT", status=status)
        await played.until(lambda: not market(played).instrument.trading, 12.0)
        await opens_nothing(played, 2.0)
        await played.finish(hungry)
        assert hungry.status is ParentStatus.FAILED
        assert hungry.reason is Reason.INSTRUMENT_UNUSABLE
        assert "no longer lists" in hungry.detail, "the text says what happened"
        assert "NO_SUCH_SYMBOL" in played.alerts()
        await played.until(lambda: child.is_released)
        refused = [entry for entry in await played.levers.wire(CREATE) if entry["retCode"]]
        assert len(refused) <= 3, "no loop"
        await played.check()


async def test_60_symbol_that_does_not_trade_is_not_begun(tmp_path):
    async with stage(tmp_path) as played:
        await played.levers.do("instrument", symbol="BTCUSDT", status="PreLaunch")
        parent = await played.submit(duration_s=60)
        await played.finish(parent)
        assert (parent.status, parent.reason) == (ParentStatus.FAILED, Reason.INSTRUMENT_UNUSABLE)
        assert await played.levers.wire(CREATE) == []
