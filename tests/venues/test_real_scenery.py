"""The surroundings gathered from a recorded session of the real venue, against an obvious reading of the same frames.

The obvious reading takes each frame as a JSON object and knows nothing of decoders: levels in a dict that is sorted,
all trades in a list, the ticker's fields written over each other.
"""

import json
from collections import defaultdict
from decimal import Decimal

import pytest

from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec_frames import decode_frame
from executor.venues.bybit.codec_public import BookFrame, PublicTrades, TickerFrame
from executor.venues.bybit.scenery import Scenery
from executor.venues.bybit.ticker_sync import TickerSync
from tests.venues.recordings import needs_real_data, session

pytestmark = needs_real_data
D = Decimal
LOOK_EVERY = 20


class Obvious:
    """What one symbol's frames say, without any code of the house."""

    def __init__(self) -> None:
        self.sides, self.trades, self.fields = {"b": {}, "a": {}}, [], {}

    def take(self, message):
        topic, data = message["topic"].partition(".")[0], message["data"]
        whole = message["type"] == "snapshot"
        match topic:
            case "orderbook":
                for name, side in self.sides.items():
                    if whole:
                        side.clear()
                    side.update(data[name])
                    for px in [px for px, qty in side.items() if qty == "0"]:
                        del side[px]
            case "publicTrade":
                self.trades += data
            case "tickers":
                self.fields = data if whole else {**self.fields, **data}

    def levels(self, name):
        rows = [(D(px), D(qty)) for px, qty in self.sides[name].items()]
        return sorted(rows, reverse=name == "b")[:5]


class Followed:
    """The same symbol as the feed follows it."""

    def __init__(self, symbol, began_ns) -> None:
        self.book, self.ticker, self.book_ns = BookSync(symbol, 200), TickerSync(), 0
        self.scenery = Scenery(self.ticker, lambda at_ms: at_ms * NS_PER_MS)
        self.scenery.watch_trades(began_ns)
        self.scenery.watch_liquidations(began_ns)

    def take(self, frame, now_ns):
        match frame:
            case BookFrame():
                self.book.apply(frame)
                self.book_ns = now_ns
            case PublicTrades():
                self.scenery.take_trades(frame.trades, now_ns)
            case TickerFrame():
                self.ticker.apply(frame)
                self.scenery.heard_ticker(now_ns)

    def context(self, now_ns):
        return self.scenery.context(self.book, self.book_ns, now_ns)


class Watch:
    """The whole session, taken in side by side and compared at every twentieth frame."""

    def __init__(self) -> None:
        frames = [record for record in session() if record["t"] == "recv" and '"topic"' in record["data"]]
        began_ns = int(frames[0]["ts"] * NS_PER_S)
        self.obvious, self.followed = defaultdict(Obvious), {}
        self.looks, self.shown, self.began_ns = [], 0, began_ns
        for number, record in enumerate(frames):
            message = json.loads(record["data"])
            kind, *_, symbol = message["topic"].split(".")
            if kind == "kline":
                continue
            now_ns, key = int(record["ts"] * NS_PER_S), (record["conn"], symbol)
            self.obvious[key].take(message)
            followed = self.followed.setdefault(key, Followed(symbol, began_ns))
            followed.take(decode_frame(record["data"]), now_ns)
            if number % LOOK_EVERY == 0:
                self.compare(key, now_ns)
        self.ended_ns = now_ns

    def compare(self, key, now_ns):
        obvious, followed = self.obvious[key], self.followed[key]
        told = followed.context(now_ns)
        if now_ns - followed.book_ns <= 2 * NS_PER_S:
            self.shown += len(told.bids) == 5
            assert [(level.px, level.qty) for level in told.bids] == obvious.levels("b")
            assert [(level.px, level.qty) for level in told.asks] == obvious.levels("a")
            if told.bids:
                assert (told.bids[0].px, told.asks[0].px) == (followed.book.best_bid, followed.book.best_ask)
        assert [
            ({Side.BUY: "Buy", Side.SELL: "Sell"}[trade.side], trade.px, trade.qty, trade.at_ns)
            for trade in told.trades
        ] == [(row["S"], D(row["p"]), D(row["v"]), row["T"] * NS_PER_MS) for row in obvious.trades[:-11:-1]]
        fields = obvious.fields
        rate, next_ms = fields.get("fundingRate"), fields.get("nextFundingTime")
        assert told.funding_rate == (D(rate) if rate else None)
        assert told.next_funding_ns == (int(next_ms) * NS_PER_MS if next_ms else None)
        assert (told.volume_1min_qty, told.liquidations, told.open_interest_change_pct) == (None, None, None)
        self.looks.append(told)


@pytest.fixture(scope="module")
def watch():
    return Watch()


def test_the_surroundings_are_those_of_the_session_at_every_moment(watch):
    assert len(watch.looks) > 100
    assert watch.shown > 100
    assert sum(len(told.trades) == 10 for told in watch.looks) > 30
    for key, obvious in watch.obvious.items():
        watch.compare(key, watch.ended_ns)
        assert obvious.trades


def test_contracts_have_funding_and_coins_have_none(watch):
    contracts = [key for key in watch.followed if key[0] == "BYBIT.ws.2"]
    assert len(contracts) == 4
    for key, followed in watch.followed.items():
        told = followed.context(watch.ended_ns)
        assert (told.funding_rate is not None) is (key in contracts)
        if key in contracts:
            assert abs(told.funding_rate) < D("0.01")
            assert 0 < told.next_funding_ns - told.at_ns < 8 * 3_600 * NS_PER_S


def test_a_minute_after_its_begin_the_volume_is_that_of_the_session(watch):
    now_ns = watch.began_ns + 60 * NS_PER_S
    for key, followed in watch.followed.items():
        rows = [row for row in watch.obvious[key].trades if row["T"] // 1_000 > now_ns // NS_PER_S - 60]
        assert rows
        assert followed.context(now_ns).volume_1min_qty == sum(D(row["v"]) for row in rows)


def test_an_hour_later_the_open_interest_is_compared_with_that_of_the_session(watch):
    for key, followed in watch.followed.items():
        interest, later_ns = followed.ticker.number("openInterest"), watch.began_ns + 3_601 * NS_PER_S
        if interest is None:
            assert key[0] == "BYBIT.ws.3"
            continue
        first = followed.scenery._interest[0][1]
        assert abs(interest / first - 1) < D("0.01")
        assert interest == D(watch.obvious[key].fields["openInterest"])
        followed.scenery.heard_ticker(later_ns)
        change_pct = followed.context(later_ns).open_interest_change_pct
        assert change_pct == ((interest - first) / first * 100).quantize(D("0.0001"))
