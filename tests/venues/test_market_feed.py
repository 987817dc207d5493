"""Public data over real sockets, against a server that misbehaves. Numbers are rows of the fault catalogue."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import aiohttp
import pytest

from executor.advice.context import MarketContext
from executor.domain.events import BookLost, BookUpdated, ReferenceUpdated, StreamChanged
from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_MIN
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.market_feed import MarketFeed
from executor.venues.bybit.server_time import ServerTime
from tests.builders import D
from tests.venues.scripted_socket import Inbox, polite, scripted

pytestmark = pytest.mark.process
BTC = "BTCUSDT"


@asynccontextmanager
async def feeding(
    answer=polite, *, category=Category.LINEAR, quote_coin="USDT", depth=50, clock=None, **more
):
    async with scripted(answer) as there, aiohttp.ClientSession() as http:
        inbox, lines = Inbox(), []
        clock = clock or Clock()
        urls = dict(rest_url=there.url, public_ws_url=there.url, private_ws_url=there.url)
        feed = MarketFeed(
            http=http,
            access=Access(**urls, api_key="k", api_secret="s", book_depth=depth, conflate_ms=1, **more),
            category=category,
            clock=clock,
            time=ServerTime(clock),
            post=inbox,
            log=lambda message, **fields: lines.append((message, fields)),
            random=Random(1),
            ping_every_s=0.1,
            silence_s_max=0.6,
        )
        await feed.add(BTC, quote_coin)
        task = asyncio.create_task(feed.stream.run())
        try:
            await inbox.until(lambda inbox: inbox.of(StreamChanged))
            yield there, inbox, feed, lines
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def book(kind, u, bids=(), asks=(), seq=1, depth=50):
    data = {"s": BTC, "b": [list(row) for row in bids], "a": [list(row) for row in asks], "u": u, "seq": seq}
    return {
        "topic": f"orderbook.{depth}.{BTC}",
        "type": kind,
        "ts": 2,
        "data": data,
        "cts": 1_700_000_000_000,
    }


WHOLE = book("snapshot", 10, [("100", "1"), ("99", "2")], [("101", "3")])


def ticker(kind, **fields):
    return {"topic": f"tickers.{BTC}", "type": kind, "data": {"symbol": BTC, **fields}, "cs": 1, "ts": 1}


async def test_levels_behind_the_touch_are_told_where_they_are_wanted():
    deep = book("snapshot", 10, [("100", "1"), ("98", "7"), ("99", "2")], [("101", "3"), ("103", "5")])
    async with feeding(route_levels=2) as (there, inbox, _, _):
        await there.say(deep)
        market = await shown(inbox)
        assert market.deeper_bids == ((99, 2), (98, 7))
        assert market.deeper_asks == ((103, 5),)
    async with feeding() as (there, inbox, _, _):
        await there.say(deep)
        assert (await shown(inbox)).deeper_bids == ()


async def shown(inbox, count=1):
    return (await inbox.until(lambda inbox: len(found := inbox.of(BookUpdated)) >= count and found))[
        count - 1
    ].market


async def test_what_is_required_and_what_is_wanted_is_asked_for():
    async with feeding() as (there, inbox, _, _lines):
        await there.until(lambda there: f"allLiquidation.{BTC}" in there.topics)
        assert [asked["args"] for asked in there.asked if asked["op"] == "subscribe"] == [
            ["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"],
            ["tickers.BTCUSDT"],
            ["priceLimit.BTCUSDT"],
            ["allLiquidation.BTCUSDT"],
        ]
        (joined,) = inbox.of(StreamChanged)
        assert (joined.live, joined.category) == (True, Category.LINEAR)


async def test_a_refused_topic_costs_only_itself():
    def answer(asked):
        known = asked["op"] != "subscribe" or asked["args"][0].startswith(
            ("orderbook", "publicTrade", "tickers")
        )
        return polite(asked) | {"success": known}

    async with feeding(answer) as (there, inbox, feed, lines):
        await there.until(lambda there: f"allLiquidation.{BTC}" in there.topics)
        await there.say(WHOLE, ticker("snapshot", markPrice="100.5"))
        assert (await shown(inbox)).max_buy_px is None
        await inbox.until(lambda inbox: inbox.of(ReferenceUpdated))
        await there.close()
        await inbox.until(
            lambda inbox: [event.live for event in inbox.of(StreamChanged)] == [True, False, True]
        )
        await there.until(lambda there: there.topics.count(f"allLiquidation.{BTC}") == 2)
        assert feed.tally.refused_topics == {f"priceLimit.{BTC}", f"allLiquidation.{BTC}"}
        assert [message for message, _ in lines].count("topic refused") == 2


@pytest.mark.parametrize(
    ("quote_coin", "wanted"),
    [("USDT", True), ("USDC", True), ("USD", True), ("EUR", False), ("RLUSD", False)],
)
async def test_a_coins_index_is_asked_for_where_it_is_in_the_same_money(quote_coin, wanted):
    async with feeding(category=Category.SPOT, quote_coin=quote_coin) as (there, inbox, _, _lines):
        await there.until(lambda there: f"priceLimit.{BTC}" in there.topics)
        assert (f"tickers.{BTC}" in there.topics) is wanted
        assert not [topic for topic in there.topics if topic.startswith("allLiquidation")]
        if wanted:
            await there.say(ticker("snapshot", usdIndexPrice="21120.24", lastPrice="1"))
            (told,) = await inbox.until(lambda inbox: inbox.of(ReferenceUpdated))
            assert (told.source, told.px, told.category) == ("index", D("21120.24"), Category.SPOT)


async def test_references_are_told_and_withdrawn_with_the_connection():
    async with feeding() as (there, inbox, _, _lines):
        await there.say(
            ticker("snapshot", markPrice="100.5", indexPrice="100.4"), ticker("delta", fundingRate="1")
        )
        await inbox.until(lambda inbox: len(inbox.of(ReferenceUpdated)) == 2)
        await there.close()
        await inbox.until(lambda inbox: len(inbox.of(ReferenceUpdated)) == 4)
        told = {(event.source, event.px) for event in inbox.of(ReferenceUpdated)}
        assert told == {("mark", D("100.5")), ("index", D("100.4")), ("mark", None), ("index", None)}


async def test_price_limits_and_liquidations_come_with_the_book():
    async with feeding() as (there, inbox, _, _lines):
        limit = {"symbol": BTC, "buyLmt": "105.5", "sellLmt": "95.5"}
        liquidated = [
            {"S": side, "v": qty, "p": "90"} for side, qty in (("Buy", "1"), ("Sell", "2"), ("Buy", "3"))
        ]
        await there.say({"topic": f"priceLimit.{BTC}", "ts": 1, "data": limit})
        await there.say(
            {"topic": f"allLiquidation.{BTC}", "type": "snapshot", "ts": 1, "data": liquidated}, WHOLE
        )
        market = await shown(inbox)
        assert (market.max_buy_px, market.min_sell_px) == (D("105.5"), D("95.5"))
        assert (market.liquidated_long_qty, market.liquidated_short_qty) == (4, 2)
        assert (market.best_bid, market.best_bid_qty, market.best_ask, market.best_ask_qty) == (
            100,
            1,
            101,
            3,
        )
        await there.close()
        await inbox.until(
            lambda inbox: [event.live for event in inbox.of(StreamChanged)] == [True, False, True]
        )
        await there.say(WHOLE)
        again = await shown(inbox, 2)
        assert (again.max_buy_px, again.liquidated_long_qty) == (None, 4)


@pytest.mark.parametrize(
    "broken",
    [
        book("delta", 12),
        book("delta", 10),
        book("delta", 9),
        book("delta", 11, seq=0),
        book("delta", 11, [("101", "1")]),
        book("delta", 11, [("NaN", "1")]),
        book("delta", 11, [("0", "1")]),
        book("delta", 11, [("99", "-1")]),
        book("x", 11),
    ],
    ids=["gap", "replay", "older", "sequence", "crossed", "no number", "price zero", "negative", "kind"],
)  # fmt: skip
async def test_55_56_a_broken_book_is_lost_and_comes_back_with_the_next_connection(broken):
    async with feeding() as (there, inbox, feed, _lines):
        await there.say(WHOLE)
        await shown(inbox)
        await there.say(broken, book("delta", 12, [("50", "1")]))
        await inbox.until(
            lambda inbox: [event.live for event in inbox.of(StreamChanged)] == [True, False, True]
        )
        assert inbox.of(BookLost)
        assert len(inbox.of(BookUpdated)) == 1
        await there.say(WHOLE)
        await shown(inbox, 2)
        assert feed.stream.connects == 2


async def test_55_a_restart_is_a_snapshot():
    async with feeding() as (there, inbox, _, _lines):
        await there.say(
            WHOLE, book("delta", 1, [("50", "1")], [("51", "1")]), book("delta", 2, [("50.5", "1")])
        )
        await inbox.until(
            lambda inbox: [event for event in inbox.of(BookUpdated) if event.market.best_bid == D("50.5")]
        )
        assert inbox.of(BookLost) == []


async def test_56_an_empty_side_loses_the_book_and_nothing_else():
    async with feeding() as (there, inbox, feed, _lines):
        await there.say(WHOLE)
        await shown(inbox)
        await there.say(book("delta", 11, [], [("101", "0")]), book("delta", 12, [("98", "1")]))
        (lost,) = await inbox.until(lambda inbox: inbox.of(BookLost))
        assert "one-sided" in lost.detail
        await there.say(book("delta", 13, [], [("103", "1")]))
        assert (await shown(inbox, 2)).best_ask == 103
        assert (feed.stream.connects, len(inbox.of(BookLost))) == (1, 1)


async def test_57_no_message_but_the_books_own_makes_it_fresh():
    async with feeding() as (there, inbox, _, _lines):
        await there.say(WHOLE)
        await shown(inbox)
        for number in range(20):
            trade = {"v": "1", "p": "100", "S": "Buy"}
            await there.say({"topic": f"publicTrade.{BTC}", "type": "snapshot", "ts": 1, "data": [trade]})
            await there.say(ticker("snapshot", markPrice=f"{100 + number}"))
        await there.until(lambda there: [asked["op"] for asked in there.asked].count("ping") > 12)
        assert len(inbox.of(BookUpdated)) == 1
        await there.say(book("delta", 11, [("100.5", "1")]))
        assert (await shown(inbox, 2)).traded_qty == 20


async def test_57_a_message_that_moves_nothing_says_after_a_second_that_the_book_is_fresh():
    async with feeding(depth=1) as (there, inbox, _, _lines):
        again = {**WHOLE, "topic": f"orderbook.1.{BTC}"}
        await there.say(again)
        await shown(inbox)
        async with asyncio.timeout(30):
            while len(inbox.of(BookUpdated)) < 2:
                await there.say(again)  # the same number each time: nothing has changed
        first, second, *_ = inbox.of(BookUpdated)
        assert first.market.best_bid == second.market.best_bid == 100
        assert inbox.of(BookLost) == []


async def test_46_a_silent_server_costs_the_book():
    def answer(asked):
        return None if asked["op"] == "ping" else polite(asked)

    async with feeding(answer) as (there, inbox, _, _lines):
        await there.say(WHOLE)
        await shown(inbox)
        (lost,) = await inbox.until(lambda inbox: inbox.of(BookLost))
        assert "silent" in lost.detail


async def test_the_surroundings_are_described_while_the_connection_lives():
    async with feeding() as (there, inbox, feed, _lines):
        assert feed.context("ETHUSDT").bids == feed.context(BTC).bids == ()
        await there.until(lambda there: f"allLiquidation.{BTC}" in there.topics)
        trades = [{"T": 1, "S": "Sell", "v": "2", "p": "99"}, {"S": "Buy", "v": "1", "p": "100"}]
        funding_ms = Clock().now_ns() // 10**6 + 3_600_000
        await there.say(
            {"topic": f"publicTrade.{BTC}", "type": "snapshot", "ts": 1, "data": trades},
            ticker("snapshot", fundingRate="-0.0001", nextFundingTime=str(funding_ms), openInterest="7"),
            ticker("delta", openInterest="many"),
            WHOLE,
        )
        await shown(inbox)
        told = feed.context(BTC)
        assert [(level.px, level.qty) for level in (*told.bids, *told.asks)] == [(100, 1), (99, 2), (101, 3)]
        assert [(trade.side, trade.px) for trade in told.trades] == [(Side.BUY, 100), (Side.SELL, 99)]
        assert told.trades[1].at_ns == 10**6 < told.trades[0].at_ns <= told.at_ns
        assert (told.funding_rate, told.next_funding_ns) == (D("-0.0001"), funding_ms * 10**6)
        assert (told.volume_1min_qty, told.liquidations) == (None, None)
        assert feed.tally.bad_messages == 1
        await there.close()
        await inbox.until(lambda inbox: inbox.of(BookLost))
        lost = feed.context(BTC)
        assert lost == MarketContext(at_ns=lost.at_ns)


class Ahead(Clock):
    """A clock that can be put forward."""

    ahead_ns = 0

    def now_ns(self):
        return super().now_ns() + self.ahead_ns


async def watched(there, feed, clock, connections):
    """Put the clock forward until whole spans of trades and liquidations were watched."""
    await there.until(lambda there: there.topics.count(f"allLiquidation.{BTC}") == connections)
    async with asyncio.timeout(30):
        while feed.context(BTC).liquidations is None:
            clock.ahead_ns += 5 * NS_PER_MIN
            await asyncio.sleep(0)


async def test_trades_and_liquidations_are_counted_from_the_moment_they_are_told():
    clock = Ahead()
    async with feeding(clock=clock) as (there, inbox, feed, _lines):
        await watched(there, feed, clock, 1)
        trades, liquidated = (
            [{"S": "Buy", "v": "2", "p": "100"}],
            [{"S": "Sell", "v": "3", "p": "90"}],
        )
        await there.say({"topic": f"publicTrade.{BTC}", "type": "snapshot", "ts": 1, "data": trades})
        await there.say(
            {"topic": f"allLiquidation.{BTC}", "type": "snapshot", "ts": 1, "data": liquidated}, WHOLE
        )
        await shown(inbox)
        told = feed.context(BTC)
        assert (told.volume_1min_qty, len(told.trades)) == (2, 1)
        assert [(row.position, row.qty, row.px) for row in told.liquidations] == [(Side.SELL, 3, 90)]
        await there.close()
        await inbox.until(lambda inbox: inbox.of(BookLost))
        assert (feed.context(BTC).volume_1min_qty, feed.context(BTC).liquidations) == (None, None)
        await watched(there, feed, clock, 2)
        assert (feed.context(BTC).volume_1min_qty, feed.context(BTC).liquidations) == (0, ())


async def test_liquidations_that_are_not_told_are_not_counted_as_none():
    def answer(asked):
        refused = asked["op"] == "subscribe" and asked["args"][0].startswith("allLiquidation")
        return polite(asked) | {"success": not refused}

    clock = Ahead()
    async with feeding(answer, clock=clock) as (there, inbox, feed, _lines):
        await there.until(lambda there: f"allLiquidation.{BTC}" in there.topics)
        await there.say(WHOLE)
        await shown(inbox)
        clock.ahead_ns += 10 * NS_PER_MIN
        assert (feed.context(BTC).volume_1min_qty, feed.context(BTC).liquidations) == (0, None)


async def test_52_a_burst_is_taken_in_order_and_the_engine_hears_little_of_it():
    async with feeding() as (there, inbox, _, _lines):
        await there.say(WHOLE)
        count = 20_000
        rows = [book("delta", 11 + number, [("99.5", str(1 + number))]) for number in range(count)]
        await there.say(*rows, book("delta", 11 + count, [("100.5", "1")]))
        await inbox.until(
            lambda inbox: [event for event in inbox.of(BookUpdated) if event.market.best_bid == D("100.5")],
            30,
        )
        assert inbox.of(BookLost) == []
        assert len(inbox.of(BookUpdated)) < 100


async def test_a_depth_the_venue_has_not_is_refused():
    with pytest.raises(ValueError, match="500"):
        async with feeding(depth=500):
            pass


async def test_strange_messages_are_counted_and_cost_nothing():
    async with feeding() as (there, inbox, feed, lines):
        await there.say(
            "Failed to decode", {"topic": "kline.1.BTCUSDT", "data": []}, {"topic": "x", "data": 1}
        )
        await there.say(
            ticker("delta", markPrice="1"), book("snapshot", 1) | {"topic": "orderbook.50.ETHUSDT"}, WHOLE
        )
        await shown(inbox)
        assert feed.tally.bad_messages == 5
        assert len(lines) == 1
        assert inbox.of(ReferenceUpdated) == []
