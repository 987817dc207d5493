"""Candles as pure arithmetic: calendar intervals, merging, holes, and the stream of an open and a closed one."""

from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.candles import INTERVALS, candle_at, candles
from sandbox.bybit_server.clock import NS_PER_S
from sandbox.bybit_server.instruments import listed_instruments
from sandbox.bybit_server.kline_feed import KlineFeed, PriceLimitFeed
from sandbox.bybit_server.market import MINUTE_MS, Candle, Market, minute_candle
from sandbox.bybit_server.price_history import INDEX, MARK, PriceHistory

D = Decimal
NOON_MS = 1_700_006_400_000 - 1_700_006_400_000 % (24 * 3_600_000) + 12 * 3_600_000


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def minute(start_ms, open_px, high_px, low_px, close_px, volume=1):
    return Candle(start_ms, D(open_px), D(high_px), D(low_px), D(close_px), D(volume), D(volume) * 100)


@pytest.mark.parametrize(
    ("name", "instant", "start", "end"),
    [
        ("1", "2026-03-04T05:06:07", "2026-03-04T05:06:00", "2026-03-04T05:07:00"),
        ("15", "2026-03-04T05:46:07", "2026-03-04T05:45:00", "2026-03-04T06:00:00"),
        ("720", "2026-03-04T13:00:00", "2026-03-04T12:00:00", "2026-03-05T00:00:00"),
        ("D", "2026-03-04T13:00:00", "2026-03-04T00:00:00", "2026-03-05T00:00:00"),
        ("W", "2026-03-04T13:00:00", "2026-03-02T00:00:00", "2026-03-09T00:00:00"),
        ("W", "2026-03-02T00:00:00", "2026-03-02T00:00:00", "2026-03-09T00:00:00"),
        ("M", "2026-02-28T23:59:59", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        ("M", "2026-12-31T00:00:00", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_intervals_start_and_end_with_the_calendar(name, instant, start, end):
    interval = INTERVALS[name]
    assert interval.start_of(at(instant)) == at(start)
    assert interval.end_of(at(start)) == at(end)


def test_minutes_merge_and_holes_are_flat():
    minutes = [
        minute(NOON_MS, 10, 12, 9, 11),
        minute(NOON_MS + MINUTE_MS, 11, 15, 11, 14),
        minute(NOON_MS + 11 * MINUTE_MS, 14, 14, 7, 8),
    ]
    rows = candles(minutes, D(1), INTERVALS["5"], NOON_MS + 16 * MINUTE_MS)
    assert [(row.start_ms - NOON_MS) // MINUTE_MS for row in rows] == [0, 5, 10, 15]
    prices = [tuple(map(int, (row.open_px, row.high_px, row.low_px, row.close_px))) for row in rows]
    assert prices == [(10, 15, 9, 14), (14, 14, 14, 14), (14, 14, 7, 8), (8, 8, 8, 8)]
    assert [int(row.volume) for row in rows] == [2, 0, 1, 0]
    assert minutes[0].volume == 1


def test_without_trades_there_is_one_flat_candle():
    (row,) = candles([], D(5), INTERVALS["60"], NOON_MS + 1)
    assert (row.start_ms, row.open_px, row.volume) == (NOON_MS, 5, 0)


@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 99)), min_size=1, max_size=40),
    st.sampled_from(["1", "3", "15", "60", "D"]),
)
def test_candles_follow_each_other_and_keep_the_volume(trades, name):
    minutes = {offset: minute(NOON_MS + offset * MINUTE_MS, px, px, px, px) for offset, px in sorted(trades)}
    rows = candles(minutes.values(), D(1), INTERVALS[name], NOON_MS + 600 * MINUTE_MS)
    assert sum(row.volume for row in rows) == len(minutes)
    for earlier, later in pairwise(rows):
        assert later.start_ms == INTERVALS[name].end_of(earlier.start_ms)
    for row in rows:
        assert row.low_px <= min(row.open_px, row.close_px) <= max(row.open_px, row.close_px) <= row.high_px


@pytest.fixture
def market():
    return Market(listed_instruments()[0])


def trade(market, at_ms, px, qty="0.010"):
    market.record_trade(exec_id="x", px=D(px), qty=D(qty), side=Side.BUY, time_ms=at_ms, seq=1)


def test_the_stream_tells_the_open_candle_and_closes_it_once(market):
    feed = KlineFeed(market, INTERVALS["1"], NOON_MS)
    trade(market, NOON_MS + 100, "65010.0")
    first = feed.due(NS_PER_S, NOON_MS + 200)[0]["data"][0]
    assert (first["open"], first["confirm"], first["volume"]) == ("65010.00", False, "0.01")
    assert feed.due(2 * NS_PER_S, NOON_MS + 1200) == []
    trade(market, NOON_MS + 1500, "65020.0")
    assert feed.due(2 * NS_PER_S + 1, NOON_MS + 1600) == []
    closed, opened = feed.due(62 * NS_PER_S, NOON_MS + MINUTE_MS + 10)
    assert (closed["data"][0]["confirm"], closed["data"][0]["close"]) == (True, "65020.00")
    assert closed["data"][0]["end"] == NOON_MS + MINUTE_MS - 1
    assert (opened["data"][0]["start"], opened["data"][0]["open"]) == (NOON_MS + MINUTE_MS, "65020.00")
    assert candle_at(market, INTERVALS["1"], NOON_MS - MINUTE_MS).open_px == market.open_px


def test_price_limits_are_due_every_300_ms(market):
    feed = PriceLimitFeed(market)
    due = [len(feed.due(step * NS_PER_S // 10, 0)) for step in range(7)]
    assert due == [1, 0, 0, 1, 0, 0, 1]


def test_prices_nobody_trades_at_have_a_history(market):
    history = PriceHistory()
    for offset_ms, px in ((0, 65_000), (30_000, 65_100), (59_999, 64_900), (60_000, 65_000)):
        market.mark_px = D(px)
        history.observe([market], NOON_MS + offset_ms)
    first, second = history.minutes(market.instrument.key, MARK)
    assert (first.open_px, first.high_px, first.low_px, first.close_px) == (65_000, 65_100, 64_900, 64_900)
    assert second.start_ms == NOON_MS + MINUTE_MS
    assert len(history.minutes(market.instrument.key, INDEX)) == 2
    assert history.minutes(("spot", "NOPE"), MARK) == ()


def test_a_clock_set_back_finds_its_minute_again_and_starts_stay_in_order():
    kept = deque(maxlen=3)
    for start_ms in (2, 4, 2, 3, 1):
        minute_candle(kept, start_ms * MINUTE_MS, D(start_ms)).volume += 1
    assert [(each.start_ms // MINUTE_MS, each.volume) for each in kept] == [(1, 1), (3, 1), (4, 1)]
    assert minute_candle(kept, 4 * MINUTE_MS, D(9)).open_px == 4
