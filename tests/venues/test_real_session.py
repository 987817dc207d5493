"""A recorded session of the real venue through codec and books: every frame is read, every book is rebuilt, and the
venue's own tickers agree with them.
"""

import json
import sys
import zipfile
from bisect import bisect_right
from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from executor.domain.orders import Category
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec_control import ControlReply
from executor.venues.bybit.codec_frames import Ignored, decode_frame
from executor.venues.bybit.codec_public import BookFrame, PublicTrades, TickerFrame
from executor.venues.bybit.ticker_sync import TickerSync
from tests.venues.recordings import bybit, needs_real_data, session, touch_frames
from tests.venues.rest_replies import decode_reply

pytestmark = needs_real_data
TOUCH = ("bid1Price", "ask1Price")
PATH = "/v5/market/instruments-info"


class Replay:
    """The session, taken in frame by frame as the feeds do."""

    def __init__(self) -> None:
        self.books, self.tickers = {}, defaultdict(TickerSync)
        self.kinds, self.traded = Counter(), Counter()
        self.states, self.shown = defaultdict(list), []
        for record in session():
            if record["t"] == "recv":
                self._take(record["conn"], decode_frame(record["data"]))

    def _take(self, conn, frame):
        self.kinds[type(frame).__name__] += 1
        match frame:
            case BookFrame():
                book = self.books.setdefault((conn, frame.data.s), BookSync(frame.data.s, 200))
                book.apply(frame)
                assert book.sound
                assert book.best_bid < book.best_ask
                assert (len(book.bids), len(book.asks)) == (200, 200)
                self.states[conn, frame.data.s].append((frame.data.seq, (book.best_bid, book.best_ask)))
            case TickerFrame():
                ticker = self.tickers[conn, frame.symbol]
                ticker.apply(frame)
                if frame.numbers.keys() & set(TOUCH):
                    touch = tuple(ticker.number(name) for name in TOUCH)
                    self.shown.append(((conn, frame.symbol), frame.cs, touch))
            case PublicTrades():
                assert not frame.bad
                self.traded[conn, frame.symbol] += len(frame.trades)


@pytest.fixture(scope="module")
def replay():
    return Replay()


def test_every_frame_of_the_session_is_read(replay):
    assert replay.kinds == {
        "BookFrame": 2_148,
        "TickerFrame": 839,
        "PublicTrades": 120,
        Ignored.__name__: 96,
        ControlReply.__name__: 24,
    }
    assert sum(replay.traded.values()) == 347
    assert len(replay.books) == 6


def test_the_tickers_merge_into_mark_and_index(replay):
    contracts = [ticker for (conn, _), ticker in replay.tickers.items() if conn == "BYBIT.ws.2"]
    coins = [ticker for (conn, _), ticker in replay.tickers.items() if conn == "BYBIT.ws.3"]
    assert (len(contracts), len(coins)) == (4, 2)
    for ticker in contracts:
        mark, index = ticker.number("markPrice"), ticker.number("indexPrice")
        assert abs(mark / index - 1) < Decimal("0.01")
    assert all(ticker.number("usdIndexPrice") > 0 for ticker in coins)


def agreement(replay, shift=0):
    """Counts of ticker frames: equal and all where the book stood still, equal and all where it moved,
    without two ends.

    `shift` spoils the join on purpose, by so many book states.
    """
    still, moved, without = [], [], 0
    for key, cs, touch in replay.shown:
        states = replay.states[key]
        place = bisect_right([seq for seq, _ in states], cs)
        if not 0 < place < len(states) or not 0 < place + shift < len(states):
            without += 1
            continue
        before, after = states[place + shift - 1][1], states[place + shift][1]
        if before == after:
            still.append(touch == before)
        else:
            moved.append(all(shown in ends for shown, *ends in zip(touch, before, after, strict=True)))
    return sum(still), len(still), sum(moved), len(moved), without


def test_the_books_and_the_tickers_show_the_same_touch_at_the_same_moment(replay, capsys):
    """A ticker's `cs` and a book's `seq` count one sequence of the matching engine, per symbol.

    A book frame is pushed every 100 ms and a ticker too, at other moments, so the two numbers never meet
    exactly. What is compared for each ticker frame that names a touch price: the merged bid and ask price of
    the ticker against the last book state with `seq <= cs` and the first with `seq > cs`, the two ends of the
    100 ms in which the ticker was made.

    Where both ends show the same prices, nothing but a move away and back within the interval could make the
    ticker differ: it must equal them, both prices. Where a price moved in the interval, the ticker's must be
    the one of either end, each side for itself. A ticker before the first or after the last book state has no
    two ends and is not compared.

    Sizes are not compared: they change several times within 100 ms. The market of the recording was calm, so the test
    shows beside it that the comparison tells moments apart: joined one book state too early or too late, it fails.
    """
    still_equal, still, moved_equal, moved, without = agreement(replay)
    with capsys.disabled():
        sys.stdout.write(
            f"\nticker touch = book touch: {still_equal} of {still} where the book stood still, "
            f"{moved_equal} of {moved} at either end where it moved; {without} without two ends\n"
        )
    assert (still_equal, moved_equal) == (still, moved)
    assert still + moved + without == len(replay.shown)
    assert (still > 600, moved > 5, without < 10) == (True, True, True)


@pytest.mark.parametrize("shift", [-50, -5, -1, 1, 5, 50])
def test_a_comparison_with_another_moment_fails(replay, shift):
    still_equal, still, moved_equal, moved, _ = agreement(replay, shift)
    assert still_equal + moved_equal < still + moved


def test_the_instruments_of_the_session_are_all_read():
    found = {}
    for record in session():
        if record["t"] == "http":
            category = Category(json.loads(record["data"])["result"]["category"])
            found[category] = decode_reply(PATH, category, record["data"])
    assert {category: (len(reply.values), reply.bad) for category, reply in found.items()} == {
        Category.LINEAR: (800, ()),
        Category.SPOT: (557, ()),
    }
    for reply in found.values():
        assert all(rules.trading and rules.qty_step > 0 and rules.tick_size > 0 for rules in reply.values)
        assert len({rules.symbol for rules in reply.values}) == len(reply.values)
    (btc,) = [rules for rules in found[Category.LINEAR].values if rules.symbol == "BTCUSDT"]
    assert (btc.quote_coin, btc.tick_size, btc.qty_step) == ("USDT", Decimal("0.10"), Decimal("0.001"))


@pytest.mark.parametrize(("name", "count"), [("linear-20250613", 198), ("spot-20250613", 139)])
def test_recorded_touches_apply_without_a_break(name, count):
    books, applied = {}, 0
    for text in touch_frames(name):
        frame = decode_frame(text)
        book = books.setdefault(frame.topic, BookSync(frame.data.s, 1))
        book.apply(frame)
        assert book.best_bid < book.best_ask
        applied += 1
    assert applied == count


def test_a_recorded_deep_book_applies_without_a_break():
    book, kinds = BookSync("XRPUSDT", 500), []
    (archive,) = (bybit() / "ob500").glob("*.zip")
    with zipfile.ZipFile(archive) as packed:
        for line in packed.read(packed.namelist()[0]).decode().splitlines():
            frame = decode_frame(line)
            book.apply(frame)
            kinds.append(frame.type)
            assert (len(book.bids), len(book.asks)) == (500, 500)
    assert kinds == ["snapshot"] + ["delta"] * 49
