"""What is remembered of a symbol's surroundings, with a hand on the clock: nothing is shown for more than it is."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.advice.context import LIQUIDATIONS_MAX, Level, MarketContext, context_document
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_MIN, NS_PER_MS, NS_PER_S
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec_frames import decode_frame
from executor.venues.bybit.codec_public import (
    BookData,
    BookFrame,
    LiquidatedPosition,
    PublicTrade,
    TickerFrame,
)
from executor.venues.bybit.scenery import Scenery
from executor.venues.bybit.ticker_sync import TickerSync
from tests.builders import T0, D

MS = T0 // NS_PER_MS
AHEAD_MS = 250  # by which the venue's clock is ahead of ours
HUGE = D(10**17)


def trade(at_s=0.0, qty=1, px=100, side=Side.BUY, at_ms=None):
    stamp_ms = MS + AHEAD_MS + int(at_s * 1_000) if at_ms is None else at_ms
    return PublicTrade(side=side, qty=D(qty), px=D(px), at_ms=stamp_ms)


def liquidation(at_s=0.0, qty=1, px=100, position=Side.BUY):
    return LiquidatedPosition(
        position=position, qty=D(qty), px=D(px), at_ms=MS + AHEAD_MS + int(at_s * 1_000)
    )


class Rig:
    """The surroundings of one symbol at seconds since `T0`, by our clock."""

    def __init__(self) -> None:
        self.ticker = TickerSync()
        self.scenery = Scenery(self.ticker, lambda at_ms: (at_ms - AHEAD_MS) * NS_PER_MS)
        self.book = BookSync("X", 50)
        self.book_s = 0.0

    def load(self, bids, asks, at_s=0.0):
        data = BookData(s="X", b=bids, a=asks, u=5, seq=5)
        self.book.apply(BookFrame(topic="orderbook.50.X", type="snapshot", ts=1, data=data, cts=1))
        self.book_s = at_s

    def watch(self, at_s=0.0):
        self.scenery.watch_trades(self.ns(at_s))
        self.scenery.watch_liquidations(self.ns(at_s))

    def tick(self, at_s=0.0, **terms):
        self.ticker.apply(TickerFrame(symbol="X", snapshot=True, numbers={}, cs=1, terms=terms))
        self.scenery.heard_ticker(self.ns(at_s))

    def trades(self, *rows, at_s):
        self.scenery.take_trades(rows, self.ns(at_s))

    def liquidations(self, *rows, at_s):
        self.scenery.take_liquidations(rows, self.ns(at_s))

    def at(self, at_s) -> MarketContext:
        told = self.scenery.context(self.book, self.ns(self.book_s), self.ns(at_s))
        assert told.at_ns == self.ns(at_s)
        json.dumps(context_document(told))  # whatever is told can be written into a question
        return told

    @staticmethod
    def ns(at_s):
        return T0 + int(at_s * NS_PER_S)


def test_of_nothing_an_empty_context_is_told():
    assert Rig().at(7) == MarketContext(at_ns=Rig.ns(7))


# ---------------------------------------------------------------- the book


def test_five_levels_of_each_side_best_first():
    rig = Rig()
    rig.load(
        [(str(px), f"0.{px}") for px in (95, 99, 93, 98, 94, 97, 96)],
        [(f"{px}.5", "2") for px in (105, 101, 104, 102, 103, 106)],
    )
    told = rig.at(1)
    assert told.bids == tuple(Level(px=D(px), qty=D(f"0.{px}")) for px in (99, 98, 97, 96, 95))
    assert [level.px for level in told.asks] == [D(f"{px}.5") for px in (101, 102, 103, 104, 105)]


def test_a_book_that_was_lost_or_grew_old_shows_no_levels():
    rig = Rig()
    rig.load([("99", "1")], [("101", "1")], at_s=10)
    assert rig.at(12).bids
    assert (rig.at(12.1).bids, rig.at(12.1).asks) == ((), ())
    rig.book.lose()
    assert (rig.at(10).bids, rig.at(10).asks) == ((), ())


def test_a_side_without_a_meaning_is_left_out_alone():
    rig = Rig()
    rig.load([("99", "1" + "0" * 17)], [("101", "1")])
    rig.trades(trade(), at_s=0)
    told = rig.at(0)
    assert (told.bids, len(told.asks), len(told.trades)) == ((), 1, 1)


# ---------------------------------------------------------------- trades


def test_the_last_ten_trades_newest_first_at_the_venues_instants_by_our_clock():
    rig = Rig()
    rig.trades(*(trade(number, px=100 + number, side=Side.SELL) for number in range(8)), at_s=9)
    rig.trades(*(trade(number, qty=number) for number in range(8, 12)), at_s=12.5)
    told = rig.at(13).trades
    assert [row.at_ns for row in told] == [Rig.ns(number) for number in range(11, 1, -1)]
    assert [(row.side, row.qty) for row in told[:4]] == [(Side.BUY, number) for number in (11, 10, 9, 8)]
    assert [(row.side, row.px) for row in told[4:]] == [
        (Side.SELL, 100 + number) for number in (7, 6, 5, 4, 3, 2)
    ]


@pytest.mark.parametrize("at_ms", [0, MS + 10**9])
def test_a_trade_without_an_instant_or_of_the_future_is_of_its_arrival(at_ms):
    rig = Rig()
    rig.trades(trade(at_ms=at_ms), at_s=5)
    assert rig.at(8).trades[0].at_ns == Rig.ns(5)


def test_a_trade_that_was_held_up_is_as_old_as_it_is():
    rig = Rig()
    rig.watch()
    rig.trades(trade(10, qty=3), trade(95, qty=4), at_s=100)
    assert [row.at_ns for row in rig.at(100).trades] == [Rig.ns(95), Rig.ns(10)]
    assert rig.at(100).volume_1min_qty == 4


def test_the_volume_is_of_the_last_minute_and_of_a_whole_one_only():
    rig = Rig()
    rig.watch()
    for second in range(200):
        rig.trades(trade(second, qty=1), trade(second + 0.9, qty=2), at_s=second + 0.95)
        expected = None if second < 60 else 60 * 3
        assert rig.at(second + 0.95).volume_1min_qty == expected
    assert rig.at(229).volume_1min_qty == 30 * 3
    assert rig.at(400).volume_1min_qty == 0


def test_the_volume_of_a_minute_is_remembered_in_few_numbers():
    rig = Rig()
    rig.watch()
    for tenth in range(30_000):
        rig.trades(trade(tenth / 10 - tenth % 59), at_s=tenth / 10)
    assert len(rig.scenery._qty_by_second) <= 121
    assert rig.at(3_000).volume_1min_qty > 0


def test_trades_across_a_lost_connection_are_neither_shown_nor_added():
    rig = Rig()
    rig.watch()
    rig.trades(trade(99, qty=5), at_s=100)
    rig.scenery.lose()
    assert (rig.at(101).trades, rig.at(101).volume_1min_qty) == ((), None)
    rig.watch(110)
    rig.trades(trade(111, qty=7), at_s=112)
    assert len(rig.at(112).trades) == 1
    assert (rig.at(169).volume_1min_qty, rig.at(170).volume_1min_qty) == (None, 7)


def test_a_trade_without_a_meaning_costs_what_it_is_part_of_and_passes_by():
    rig = Rig()
    rig.watch()
    rig.trades(trade(65, qty=HUGE), at_s=65)
    assert (rig.at(65).trades, rig.at(65).volume_1min_qty) == ((), None)
    rig.trades(*(trade(66) for _ in range(10)), at_s=66)
    assert len(rig.at(66).trades) == 10
    assert rig.at(125).volume_1min_qty == 10


# ---------------------------------------------------------------- funding


def test_funding_is_that_of_the_ticker_by_our_clock():
    rig = Rig()
    rig.tick(fundingRate=D("-0.0005"), nextFundingTime=D(MS + AHEAD_MS + 90_000))
    told = rig.at(60)
    assert (told.funding_rate, told.next_funding_ns) == (D("-0.0005"), Rig.ns(90))


def test_a_funding_that_is_over_is_no_next_one():
    rig = Rig()
    rig.tick(fundingRate=D("0.0005"), nextFundingTime=D(MS + AHEAD_MS + 90_000))
    assert rig.at(89.9).funding_rate == D("0.0005")
    assert (rig.at(90).funding_rate, rig.at(90).next_funding_ns) == (None, None)


def test_funding_of_a_ticker_that_fell_silent_is_not_shown():
    rig = Rig()
    rig.tick(fundingRate=D("0.0005"), nextFundingTime=D(MS + 10**7))
    assert rig.at(120).funding_rate == D("0.0005")
    assert (rig.at(120.1).funding_rate, rig.at(120.1).next_funding_ns) == (None, None)
    rig.tick(121, fundingRate=D("0.0006"), nextFundingTime=D(MS + 10**7))
    rig.scenery.lose()
    assert rig.at(121).funding_rate is None


@pytest.mark.parametrize(
    ("terms", "rate"),
    [
        ({"fundingRate": D(0), "nextFundingTime": D(0)}, 0),
        ({"fundingRate": D("0.01"), "nextFundingTime": None}, D("0.01")),
        ({"fundingRate": None, "nextFundingTime": None}, None),
        ({"fundingRate": -HUGE}, None),
        ({}, None),
    ],
)
def test_a_contract_may_have_no_funding_or_no_instant_of_it(terms, rate):
    rig = Rig()
    rig.tick(**terms)
    assert (rig.at(1).funding_rate, rig.at(1).next_funding_ns) == (rate, None)


# ---------------------------------------------------------------- open interest


def test_the_open_interest_is_compared_with_that_of_an_hour_ago():
    rig = Rig()
    for second in range(0, 2 * 3_600, 10):
        rig.tick(second, openInterest=D(1_000 + second))
        change_pct = rig.at(second).open_interest_change_pct
        if second < 3_600:
            assert change_pct is None
        else:
            before = 1_000 + (second - 3_600) // 60 * 60
            assert change_pct == (D(1_000 + second - before) / before * 100).quantize(D("0.0001"))


def test_samples_outlive_a_connection_and_are_few():
    rig = Rig()
    for minute in range(30):
        rig.tick(60 * minute, openInterest=D(100))
    rig.scenery.lose()
    rig.ticker.lose()
    assert rig.at(1_800).open_interest_change_pct is None
    for second in range(3_600, 20_000):
        rig.tick(second, openInterest=D(90))
        if second == 3_600:
            assert rig.at(3_600).open_interest_change_pct == -10
    assert len(rig.scenery._interest) <= 66
    assert rig.at(20_000).open_interest_change_pct == 0


def test_without_a_sample_that_is_an_hour_old_there_is_no_change():
    rig = Rig()
    rig.tick(openInterest=D(100))
    rig.tick(3_901, openInterest=D(90))
    assert rig.at(3_901).open_interest_change_pct is None
    assert rig.at(3_899).open_interest_change_pct == -10


@pytest.mark.parametrize(
    ("before", "after", "change_pct"),
    [
        (D(100), D("100.00004"), 0),
        (D(3), D(1), D("-66.6667")),
        (D(0), D(1), None),
        (D(1), None, None),
        (None, D(1), None),
        (D("0.000000000000000001"), D(10**17), None),
        (D(10**17), D(0), -100),
    ],
)
def test_a_change_is_a_number_of_a_few_places_or_none(before, after, change_pct):
    rig = Rig()
    rig.tick(openInterest=before)
    rig.tick(3_600, openInterest=after)
    assert rig.at(3_600).open_interest_change_pct == change_pct


def test_the_open_interest_of_a_silent_ticker_is_not_compared():
    rig = Rig()
    rig.tick(openInterest=D(100))
    rig.tick(3_600, openInterest=D(110))
    assert rig.at(3_720).open_interest_change_pct == 10
    assert rig.at(3_721).open_interest_change_pct is None


# ---------------------------------------------------------------- liquidations


def test_liquidations_of_five_watched_minutes():
    rig = Rig()
    rig.watch()
    rig.liquidations(liquidation(1, qty=9), liquidation(2, 3, 90, Side.SELL), at_s=2.5)
    assert rig.at(299).liquidations is None
    assert [row.qty for row in rig.at(300).liquidations] == [9, 3]
    (last,) = rig.at(302).liquidations
    assert (last.position, last.px, last.at_ns) == (Side.SELL, 90, Rig.ns(2))
    assert rig.at(303).liquidations == ()


def test_where_liquidations_are_not_told_there_is_no_count_of_them():
    rig = Rig()
    rig.scenery.watch_trades(Rig.ns(0))
    assert rig.at(1_000).liquidations is None
    rig.watch(1_000)
    assert rig.at(1_300).liquidations == ()
    rig.scenery.lose()
    assert rig.at(2_000).liquidations is None


def test_a_cascade_is_counted_up_to_a_bound():
    rig = Rig()
    rig.watch()
    for number in range(3 * LIQUIDATIONS_MAX):
        rig.liquidations(liquidation(300, qty=1 + number), at_s=300)
    counted = rig.at(5 * NS_PER_MIN // NS_PER_S).liquidations
    assert len(counted) == LIQUIDATIONS_MAX
    assert counted[-1].qty == 3 * LIQUIDATIONS_MAX


def test_liquidations_without_a_meaning_are_left_out_alone():
    rig = Rig()
    rig.watch()
    rig.liquidations(liquidation(299, px=HUGE), at_s=299)
    rig.trades(trade(299), at_s=299)
    told = rig.at(300)
    assert (told.liquidations, len(told.trades), told.volume_1min_qty) == (None, 1, 1)


# ---------------------------------------------------------------- whatever is told

FIGURE = st.sampled_from(["1", "0.5", "3", "0.000000000000000001", "999999999999999999", "999999999999999.5"])
STAMP = st.sampled_from([0, 1, 9 * 10**12]) | st.integers(MS - 400_000, MS + 8_000_000)
ROW = st.fixed_dictionaries({"T": STAMP, "S": st.sampled_from(["Buy", "Sell"]), "v": FIGURE, "p": FIGURE})
TERMS = st.fixed_dictionaries(
    {},
    optional={
        "fundingRate": FIGURE.map("-".__add__) | FIGURE | st.just(""),
        "nextFundingTime": STAMP.map(str),
        "openInterest": FIGURE | st.sampled_from(["0", "", "many"]),
    },
)
STEP = st.tuples(st.sampled_from([0.0, 0.3, 1.0, 59.0, 61.0, 299.0, 3_600.0]), st.integers(0, 5))


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(st.tuples(STEP, st.lists(ROW, max_size=4), TERMS), max_size=25),
    level=st.tuples(FIGURE, FIGURE),
)
def test_whatever_the_venue_tells_a_context_is_described_and_bounded(steps, level):
    """Every message goes through the decoder, so that it is one that can reach this room at all."""
    rig, at_s = Rig(), 0.0
    px, qty = level
    rig.load([(px, qty)], [])
    told_of, watched_s = [], None
    for (after_s, what), rows, terms in steps:
        at_s += after_s
        topic, data = ("publicTrade.X", rows) if what < 2 else ("allLiquidation.X", rows)
        if what < 3:
            frame = decode_frame(json.dumps({"topic": topic, "type": "snapshot", "ts": 1, "data": data}))
            if what < 2:
                rig.trades(*frame.trades, at_s=at_s)
                told_of += frame.trades
            else:
                rig.liquidations(*frame.positions, at_s=at_s)
        elif what == 3:
            frame = decode_frame(json.dumps({"topic": "tickers.X", "type": "snapshot", "data": terms}))
            rig.ticker.apply(frame)
            rig.scenery.heard_ticker(rig.ns(at_s))
        elif what == 4:
            rig.watch(at_s)
            watched_s = at_s
        else:
            rig.scenery.lose()
            told_of, watched_s = [], None
        told = rig.at(at_s)
        now_ns = rig.ns(at_s)
        assert all(row.at_ns <= now_ns for row in (*told.trades, *(told.liquidations or ())))
        assert told.trades == () or [row.qty for row in told.trades] == [
            trade.qty for trade in told_of[:-11:-1]
        ]
        assert told.next_funding_ns is None or told.next_funding_ns > now_ns
        if watched_s is None:
            assert (told.volume_1min_qty, told.liquidations) == (None, None)
