"""What is told of a contract's ticker, and how often."""

from executor.domain.errors import Overflow
from executor.domain.events import ContractUpdated, PositionsLiquidated
from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.venues.bybit.codec_public import LiquidatedPosition, decode_ticker
from executor.venues.bybit.contract_feed import CHANGED_NS, KEPT_NS, ContractFeed
from executor.venues.bybit.ticker_sync import TickerSync
from tests.builders import T0, D

WORDS = {
    "symbol": "BTCUSDT",
    "fundingRate": "0.0001",
    "nextFundingTime": "1700006400000",
    "openInterest": "5000.5",
    "markPrice": "50001",
    "indexPrice": "50000",
}


class Bench:
    """A feed, a clock that the test moves, and what was posted."""

    def __init__(self, category=Category.LINEAR):
        self.now_ns, self.posted, self.full = T0, [], False
        self.ticker = TickerSync()
        self.feed = ContractFeed(
            category=category,
            symbol="BTCUSDT",
            ticker=self.ticker,
            our_ns=lambda at_ms: at_ms * NS_PER_MS + 7,
            now_ns=lambda: self.now_ns,
            post=self.post,
        )

    def post(self, event):
        if self.full:
            raise Overflow("full")
        self.posted.append(event)

    def hear(self, after_ns=0, kind="delta", **words):
        self.now_ns += after_ns
        self.ticker.apply(decode_ticker("BTCUSDT", {"type": kind, "data": words, "cs": 1}))
        self.feed.tell()


def begun(**over):
    bench = Bench(**over)
    bench.hear(kind="snapshot", **WORDS)
    return bench


def test_all_figures_are_told_at_once_with_the_instant_on_our_clock():
    (told,) = begun().posted
    assert told == ContractUpdated(
        at_ns=0,
        category=Category.LINEAR,
        symbol="BTCUSDT",
        funding_rate=D("0.0001"),
        next_funding_ns=1_700_006_400_000 * NS_PER_MS + 7,
        open_interest=D("5000.5"),
        mark_px=D(50_001),
        index_px=D(50_000),
    )


def test_a_change_is_told_once_in_five_seconds_and_no_change_every_half_minute():
    bench = begun()
    bench.hear(CHANGED_NS - 1, markPrice="50002")
    assert len(bench.posted) == 1
    bench.hear(1, markPrice="50003")
    assert bench.posted[-1].mark_px == D(50_003)
    bench.hear(KEPT_NS - 1)
    assert len(bench.posted) == 2
    bench.hear(1)
    assert len(bench.posted) == 3


def test_what_the_ticker_takes_back_and_a_lost_connection_are_unknown():
    bench = begun()
    bench.hear(CHANGED_NS, fundingRate="", nextFundingTime="")
    told = bench.posted[-1]
    assert (told.funding_rate, told.next_funding_ns, told.open_interest) == (None, None, D("5000.5"))
    bench.ticker.lose()
    bench.feed.lose()
    assert (bench.posted[-1].open_interest, bench.posted[-1].mark_px) == (None, None)
    bench.feed.lose()
    assert len(bench.posted) == 3


def test_what_finds_no_room_is_told_by_the_next_message():
    bench = Bench()
    bench.full = True
    bench.hear(kind="snapshot", **WORDS)
    bench.full = False
    bench.hear(NS_PER_S)
    assert len(bench.posted) == 1


def test_a_coin_has_no_contract():
    assert begun(category=Category.SPOT).posted == []


def test_liquidations_are_told_with_their_prices():
    bench = Bench()
    bench.feed.tell_liquidations([])
    bench.feed.tell_liquidations([LiquidatedPosition(position=Side.BUY, qty=D(2), px=D(49_000), at_ms=0)])
    (told,) = bench.posted
    assert isinstance(told, PositionsLiquidated)
    assert [(row.position, row.qty, row.px) for row in told.positions] == [(Side.BUY, D(2), D(49_000))]
    bench.full = True
    bench.feed.tell_liquidations([LiquidatedPosition(position=Side.SELL, qty=D(1), px=D(1), at_ms=0)])
    assert len(bench.posted) == 1
