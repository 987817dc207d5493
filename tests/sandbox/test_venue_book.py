"""The matching book: price-time priority, times in force, and what must hold after any history."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sandbox.bybit_server.book import End, Match, OrderBook, Side, TimeInForce

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK, POST_ONLY = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY


def asks_at(*levels):
    book = OrderBook()
    for number, (px, lots) in enumerate(levels):
        book.submit(f"ask{number}", SELL, px, lots, GTC)
    return book


def test_best_price_first_then_oldest_first():
    book = asks_at((101, 5), (100, 3), (100, 4))
    outcome = book.submit("buy", BUY, 101, 9, GTC)
    assert outcome.matches == (Match("ask1", 100, 3), Match("ask2", 100, 4), Match("ask0", 101, 2))
    assert outcome.end is End.FILLED
    assert book.asks.levels(9) == [(101, 3)]


def test_gtc_rests_what_is_left_at_its_own_price():
    book = asks_at((100, 3))
    outcome = book.submit("buy", BUY, 100, 5, GTC)
    assert (outcome.end, outcome.leaves_lots) == (End.RESTS, 2)
    assert book.bids.levels(9) == [(100, 2)]
    assert not book.asks.levels(9)


def test_ioc_drops_what_is_left():
    book = asks_at((100, 3))
    assert book.submit("buy", BUY, 100, 5, IOC).end is End.REMAINDER_DROPPED
    assert book.bids.best() is None


def test_fok_is_all_or_nothing():
    book = asks_at((100, 3), (101, 3))
    assert book.submit("buy", BUY, 100, 5, FOK).end is End.NOT_ALL_FILLABLE
    assert book.asks.levels(9) == [(100, 3), (101, 3)]
    assert book.submit("buy", BUY, 101, 6, FOK).end is End.FILLED


def test_post_only_never_takes():
    book = asks_at((100, 3))
    assert book.submit("buy", BUY, 100, 1, POST_ONLY).end is End.WOULD_TAKE
    assert book.submit("buy", BUY, 99, 1, POST_ONLY).end is End.RESTS


def test_amending_down_keeps_the_place_and_up_loses_it():
    book = asks_at((100, 3), (100, 3), (100, 3))
    book.amend("ask0", 100, 2, GTC)
    book.amend("ask1", 100, 4, GTC)
    matches = book.submit("buy", BUY, 100, 9, IOC).matches
    assert [match.maker_id for match in matches] == ["ask0", "ask2", "ask1"]


def test_amending_the_price_through_the_market_trades():
    book = asks_at((100, 3))
    book.submit("bid", BUY, 99, 5, GTC)
    outcome = book.amend("bid", 100, 5, GTC)
    assert outcome.matches == (Match("ask0", 100, 3),)
    assert book.bids.levels(9) == [(100, 2)]


def test_cancelling_twice_finds_nothing_the_second_time():
    book = asks_at((100, 3))
    assert book.cancel("ask0") == 3
    assert book.cancel("ask0") is None


def test_affordable_lots_spend_no_more_than_the_budget():
    book = asks_at((100, 3), (110, 3))
    assert book.affordable_lots(BUY, 110, 300 + 219) == 4
    assert book.affordable_lots(BUY, 105, 10_000) == 3


@given(
    st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(90, 110), st.integers(1, 20)), max_size=60)
)
def test_equal_histories_give_equal_books(history):
    books = OrderBook(), OrderBook()
    for number, (side, px, lots) in enumerate(history):
        outcomes = [book.submit(f"o{number}", side, px, lots, GTC) for book in books]
        assert outcomes[0] == outcomes[1]
    assert books[0].bids.levels(99) == books[1].bids.levels(99)


class BookHistory(RuleBasedStateMachine):
    """Any mix of submissions, cancels and amendments, beside an account of every lot."""

    def __init__(self):
        super().__init__()
        self.book = OrderBook()
        self.count = 0
        self.resting_lots = 0
        self.live: list[str] = []

    def absorb(self, order_id, outcome, lots):
        traded = sum(match.lots for match in outcome.matches)
        self.resting_lots -= traded
        assert traded + outcome.leaves_lots == lots
        if outcome.end is End.RESTS:
            self.resting_lots += outcome.leaves_lots
            self.live.append(order_id)
        self.live = [name for name in self.live if self.book.find(name) is not None]

    @rule(
        side=st.sampled_from(list(Side)),
        px=st.integers(95, 105),
        lots=st.integers(1, 30),
        tif=st.sampled_from(list(TimeInForce)),
    )
    def submit(self, side, px, lots, tif):
        self.count += 1
        order_id = f"o{self.count}"
        fillable = self.book.fillable_lots(side, px, lots)
        head = self.book.half(side.opposite).head()
        outcome = self.book.submit(order_id, side, px, lots, tif)
        if outcome.matches:
            assert outcome.matches[0].maker_id == head.order_id
            prices = [match.px_ticks * side.sign for match in outcome.matches]
            assert prices == sorted(prices)
        if tif in {TimeInForce.GTC, TimeInForce.IOC}:
            assert sum(match.lots for match in outcome.matches) == fillable
        self.absorb(order_id, outcome, lots)

    @rule(pick=st.integers(0, 50))
    def cancel(self, pick):
        if self.live:
            order_id = self.live.pop(pick % len(self.live))
            self.resting_lots -= self.book.cancel(order_id)

    @rule(pick=st.integers(0, 50), px=st.integers(95, 105), lots=st.integers(1, 30))
    def amend(self, pick, px, lots):
        if self.live:
            order_id = self.live.pop(pick % len(self.live))
            self.resting_lots -= self.book.find(order_id).lots
            self.absorb(order_id, self.book.amend(order_id, px, lots, GTC), lots)

    @invariant()
    def never_crossed(self):
        bid, ask = self.book.bids.best(), self.book.asks.best()
        assert bid is None or ask is None or bid < ask

    @invariant()
    def quantity_is_conserved(self):
        halves = (self.book.bids, self.book.asks)
        assert sum(lots for half in halves for _, lots in half.levels(999)) == self.resting_lots
        for half in halves:
            for px, lots in half.levels(999):
                assert lots == sum(resting.lots for resting in half.queue(px)) == half.total(px)

    @invariant()
    def levels_are_sorted(self):
        bids = [px for px, _ in self.book.bids.levels(999)]
        asks = [px for px, _ in self.book.asks.levels(999)]
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))


TestBookHistory = BookHistory.TestCase
