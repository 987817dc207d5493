"""Waits, tickers, references and maintenance: what the feeds decide, without sockets and without waiting."""

from random import Random

import pytest

from executor.domain.errors import Overflow, RemoteProtocolError
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_MIN, NS_PER_MS, NS_PER_S
from executor.venues.bybit.backoff import Backoff
from executor.venues.bybit.codec_public import Maintenance, TickerFrame
from executor.venues.bybit.reference_feed import ReferenceFeed
from executor.venues.bybit.status_feed import restricted_until_ns
from executor.venues.bybit.ticker_sync import TickerSync
from tests.builders import D
from tests.venues.scripted_socket import Inbox


@pytest.mark.parametrize("joined_s", [0.0, 2.0, 29.0, 31.0])
@pytest.mark.parametrize("seed", range(5))
def test_50_a_connection_that_flaps_for_an_hour_never_comes_near_the_venues_limit(joined_s, seed):
    """Six connections at once must stay far below 500 attempts in any 5 minutes."""
    backoff, now_s, attempts = Backoff(Random(seed)), 0.0, []
    while now_s < 3_600:
        attempts.append(now_s)
        now_s += joined_s + backoff.next_s(joined_s, turned_away=False)
    busiest = max(sum(start <= at < start + 300 for at in attempts) for start in attempts)
    assert busiest * 6 <= 350


def test_waits_grow_and_a_steady_connection_pardons_them():
    backoff = Backoff(Random(1))
    waits = [backoff.next_s(0.0, turned_away=False) for _ in range(20)]
    assert waits[0] < 1
    assert all(5 <= wait <= 15 for wait in waits[5:])
    assert len(set(waits)) == 20
    assert backoff.next_s(31.0, turned_away=False) <= 0.3


def test_79_who_is_turned_away_comes_back_after_a_minute_at_the_earliest():
    backoff = Backoff(Random(1), steps_s=(0.01,))
    assert all(
        60 <= backoff.next_s(joined_s, turned_away=True) <= 90 for joined_s in (0.0, 100.0) for _ in range(20)
    )


def ticker(snapshot=False, **numbers):
    return TickerFrame(symbol="X", snapshot=snapshot, numbers=numbers, cs=1)


def test_a_ticker_keeps_what_is_not_named_and_forgets_what_is_empty():
    sync = TickerSync()
    with pytest.raises(RemoteProtocolError, match="snapshot"):
        sync.apply(ticker(markPrice=D(1)))
    sync.apply(ticker(True, markPrice=D(1), indexPrice=D(2)))
    sync.apply(ticker(markPrice=None))
    assert (sync.number("markPrice"), sync.number("indexPrice"), sync.number("other")) == (None, 2, None)
    sync.apply(ticker(True, markPrice=D(3)))
    assert (sync.number("markPrice"), sync.number("indexPrice")) == (3, None)
    sync.lose()
    with pytest.raises(RemoteProtocolError):
        sync.apply(ticker(indexPrice=D(1)))


class Rig:
    """References of one symbol, with a hand on the clock."""

    def __init__(self, category=Category.LINEAR, quote_coin="USDT") -> None:
        self.now_ns, self.inbox = NS_PER_S * 1_000, Inbox()
        self.feed = ReferenceFeed(
            category=category, symbol="X", quote_coin=quote_coin, now_ns=lambda: self.now_ns, post=self.inbox
        )

    def take(self, after_s=0.0, snapshot=False, **numbers):
        self.now_ns += int(after_s * NS_PER_S)
        self.feed.take(ticker(snapshot, **numbers))

    @property
    def told(self):
        return [(event.source, event.px) for event in self.inbox.events]


def test_a_reference_is_told_when_it_changes_and_at_most_once_a_second():
    rig = Rig()
    rig.take(snapshot=True, markPrice=D(100))
    for number in range(1, 30):
        rig.take(0.1, markPrice=D(100 + number))
    assert rig.told == [("mark", 100), ("mark", 110), ("mark", 120)]


def test_a_reference_that_stands_still_is_told_every_three_seconds_while_messages_come():
    rig = Rig()
    rig.take(snapshot=True, markPrice=D(100))
    for _ in range(70):
        rig.take(0.1, lastPrice=None)
    assert rig.told == [("mark", 100)] * 3


def test_a_reference_without_a_value_is_withdrawn_once():
    rig = Rig()
    rig.take(snapshot=True, markPrice=D(100), indexPrice=D(0))
    for _ in range(3):
        rig.take(5, markPrice=None)
    rig.take(5, markPrice=D(7))
    assert rig.told == [("mark", 100), ("mark", None), ("mark", 7)]


def test_a_lost_connection_withdraws_what_was_told_even_if_there_was_no_room():
    rig = Rig()
    rig.take(snapshot=True, markPrice=D(100), indexPrice=D(99))
    rig.inbox.is_full = True
    with pytest.raises(Overflow):
        rig.feed.lose()
    rig.inbox.is_full = False
    rig.feed.lose()
    rig.feed.lose()
    assert rig.told == [("mark", 100), ("index", 99), ("mark", None), ("index", None)]


def test_a_reference_that_found_no_room_is_told_with_the_next_message():
    rig = Rig()
    rig.inbox.is_full = True
    rig.take(snapshot=True, markPrice=D(100))
    rig.inbox.is_full = False
    rig.take(0.1, lastPrice=None)
    assert rig.told == [("mark", 100)]


MIN_MS = NS_PER_MIN // NS_PER_MS


def notice(state="scheduled", begin_min=100, end_min=130):
    return Maintenance(
        notice_id="n", title="t", state=state, begin_ms=begin_min * MIN_MS, end_ms=end_min * MIN_MS
    )


@pytest.mark.parametrize(
    ("state", "now_min", "end_min", "until_min"),
    [
        ("scheduled", 0, 130, 0),
        ("scheduled", 89, 130, 0),
        ("scheduled", 90, 130, 130),
        ("scheduled", 129, 130, 130),
        ("scheduled", 90, 0, 110),
        ("ongoing", 50, 130, 130),
        ("ongoing", 140, 130, 150),
        ("ongoing", 140, 0, 150),
        ("completed", 110, 130, 0),
        ("canceled", 110, 130, 0),
    ],
)
def test_when_a_maintenance_restricts_us(state, now_min, end_min, until_min):
    assert restricted_until_ns(notice(state, end_min=end_min), now_min * NS_PER_MIN) == until_min * NS_PER_MIN
