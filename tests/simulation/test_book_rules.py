"""The rules of the order book, each with numbers reckoned by hand, on the plain and on the compiled one."""

import pytest

from simulation.book import messages as m
from simulation.book.book import BookTerms
from simulation.book.native import NativeBook
from simulation.book.twin import TwinBook

BOTH = pytest.mark.parametrize("kind", [TwinBook, NativeBook])
pytestmark = [BOTH, pytest.mark.timeout(600)]
BUY, SELL = m.BUY, m.SELL


def filled(book):
    """Maker, price and lots of each fill of the last message."""
    return [(each.maker_order_id, each.px, each.qty) for each in book.outcomes if each.kind == m.FILL]


def told(book):
    """Kind, reason and order of each outcome of the last message."""
    return [(each.kind, each.reason, each.order_id) for each in book.outcomes]


def test_a_taker_walks_the_levels_and_each_queue_in_order(kind):
    book = kind()
    book.limit(1, 1, SELL, 101, 5)
    book.limit(2, 2, SELL, 100, 3)
    book.limit(3, 3, SELL, 100, 4)
    assert (book.best_bid, book.best_ask, book.depth(SELL, 9)) == (0, 100, [(100, 7), (101, 5)])
    assert book.limit(4, 4, BUY, 101, 9) == 4
    assert filled(book) == [(2, 100, 3), (3, 100, 4), (1, 101, 2)]
    assert book.outcomes[-1] == m.Outcome(m.FILL, 0, 4, 4, BUY, 101, 2, 0, 1, 1, 3)
    assert (book.last_px, book.leaves(1), book.leaves(2)) == (101, 3, 0)


def test_what_a_market_order_does_not_find_is_canceled(kind):
    book = kind()
    book.limit(1, 1, BUY, 99, 2)
    assert book.market(2, 2, SELL, 5) == 3
    assert told(book) == [(m.ACCEPTED, 0, 2), (m.FILL, 0, 2), (m.CANCELED, m.NOTHING_LEFT, 2)]
    assert book.market(3, 2, SELL, 5) == 2
    assert (book.best_bid, book.outcomes[-1].qty) == (0, 5)


def test_an_iceberg_shows_its_next_piece_at_the_back_of_the_queue(kind):
    book = kind()
    book.limit(1, 1, SELL, 100, 7, m.GTC, 3)
    book.limit(2, 2, SELL, 100, 4)
    assert (book.depth(SELL, 1), book.leaves(1)) == ([(100, 7)], 7)
    book.market(3, 3, BUY, 12)
    assert filled(book) == [(1, 100, 3), (2, 100, 4), (1, 100, 3), (1, 100, 1)]
    assert book.outcomes[-1].qty == 1, "there was no more"


def test_an_amendment_keeps_its_place_only_when_it_shrinks_at_its_price(kind):
    book = kind()
    for order_id in (1, 2, 3):
        book.limit(order_id, order_id, BUY, 100, 10)
    assert book.amend(1, 100, 10) == 1, "nothing changes, and so does not its place"
    assert book.amend(1, 100, 4) == 1
    assert book.amend(2, 100, 11) == 1
    assert (book.depth(BUY, 1), book.leaves(2)) == ([(100, 25)], 11)
    book.market(9, 9, SELL, 16)
    assert filled(book) == [(1, 100, 4), (3, 100, 10), (2, 100, 2)]
    book.limit(10, 10, SELL, 102, 3)
    assert book.amend(2, 102, 5) == 2
    assert (filled(book), book.best_bid, book.leaves(2)) == ([(10, 102, 3)], 102, 2)


def test_an_iceberg_that_shrinks_loses_what_is_hidden_first(kind):
    book = kind()
    book.limit(1, 1, BUY, 100, 10, m.GTC, 4)
    book.amend(1, 100, 5)
    assert (book.depth(BUY, 1), book.leaves(1)) == ([(100, 4)], 5)
    book.amend(1, 100, 3)
    assert (book.depth(BUY, 1), book.leaves(1)) == ([(100, 3)], 3)


def test_time_in_force(kind):
    book = kind()
    book.limit(1, 1, SELL, 100, 5)
    book.limit(2, 2, SELL, 101, 5)
    assert book.limit(3, 3, BUY, 100, 1, m.POST_ONLY) == -m.WOULD_TAKE
    assert book.limit(3, 3, BUY, 101, 11, m.FOK) == -m.NOT_FILLABLE
    assert book.limit(3, 1, BUY, 101, 10, m.FOK) == -m.NOT_FILLABLE, "its own order is not there for it"
    assert book.depth(SELL, 9) == [(100, 5), (101, 5)]
    assert book.limit(3, 3, BUY, 100, 6, m.IOC) == 3
    assert told(book)[-1] == (m.CANCELED, m.NOTHING_LEFT, 3)
    assert book.limit(4, 3, BUY, 101, 5, m.FOK) == 2
    assert book.limit(5, 3, BUY, 100, 1, m.POST_ONLY) == 1
    book.limit(6, 3, SELL, 110, 1)
    assert book.amend(5, 110, 1) == -m.WOULD_TAKE
    assert book.best_bid == 100


def test_whoever_would_trade_with_himself_loses_the_order_that_waits(kind):
    book = kind()
    book.limit(1, 7, SELL, 100, 5, m.GTC, 2)
    book.limit(2, 8, SELL, 100, 5)
    assert book.limit(3, 7, BUY, 100, 3) == 3
    assert told(book) == [(m.ACCEPTED, 0, 3), (m.CANCELED, m.SELF_TRADE, 1), (m.FILL, 0, 3)]
    assert book.outcomes[1].qty == 5, "what was hidden too"
    assert filled(book) == [(2, 100, 3)]


def test_stops_come_one_after_the_other_by_trigger_and_then_by_age(kind):
    book = kind()
    for order_id, px in ((1, 101), (2, 102), (3, 103), (4, 104)):
        book.limit(order_id, 1, SELL, px, 1)
    book.stop(10, 2, BUY, 102, 0, 1)  # comes when 102 is traded
    book.stop(11, 3, BUY, 101, 104, 1)  # comes first, and trades 102
    book.stop(12, 4, BUY, 101, 104, 1)
    book.stop(13, 5, BUY, 105, 0, 1)
    assert book.leaves(10) == 1
    book.market(20, 6, BUY, 1)
    assert told(book) == [
        (m.ACCEPTED, 0, 20),
        (m.FILL, 0, 20),
        (m.TRIGGERED, 0, 11),
        (m.FILL, 0, 11),
        (m.TRIGGERED, 0, 12),
        (m.FILL, 0, 12),
        (m.TRIGGERED, 0, 10),
        (m.FILL, 0, 10),
    ]
    assert filled(book) == [(1, 101, 1), (2, 102, 1), (3, 103, 1), (4, 104, 1)]
    assert book.cancel(13) == 1
    assert book.cancel(12) == -m.ORDER_ENDED


def test_of_a_buy_and_a_sell_stop_the_older_comes_first(kind):
    book = kind()
    book.limit(1, 1, SELL, 100, 9)
    book.limit(2, 1, BUY, 90, 9)
    book.stop(3, 2, SELL, 100, 95, 2)
    book.stop(4, 3, BUY, 99, 0, 2)
    book.market(5, 4, BUY, 1)
    assert [each.order_id for each in book.outcomes if each.kind == m.TRIGGERED] == [3, 4]
    assert filled(book) == [(1, 100, 1), (3, 95, 2)], "the older one rests, and the younger one takes it"
    assert book.amend(3, 1, 1) == -m.ORDER_ENDED
    book.stop(6, 2, SELL, 50, 0, 1)
    assert book.amend(6, 40, 1) == -m.IS_STOP


def test_order_ids_are_used_once_and_what_nobody_knows_is_refused(kind):
    book = kind(BookTerms(ids_max=100))
    book.limit(1, 1, BUY, 100, 5)
    assert book.limit(1, 1, BUY, 100, 5) == -m.ORDER_ID_USED
    book.cancel(1)
    assert book.market(1, 1, BUY, 5) == -m.ORDER_ID_USED
    assert book.limit(100, 1, BUY, 100, 5) == -m.ORDER_ID_RANGE
    assert book.cancel(50) == -m.UNKNOWN_ORDER
    assert book.cancel(-3) == -m.ORDER_ID_RANGE
    assert book.limit(2, 1, BUY, 100, 0) == -m.BAD_QTY
    assert book.limit(2, 1, BUY, 100, 5) == 1, "a refused message uses no id"


def test_the_ladder_moves_with_the_market_and_refuses_what_is_too_far(kind):
    book = kind(BookTerms(window=64))
    order_id = 0
    for px in range(100, 100_000, 997):
        for _ in range(3):
            order_id += 1
            assert book.limit(order_id, 1, BUY, px - order_id % 3, 5) == 1
        assert book.limit(order_id + 1, 1, BUY, px + 100, 5) == -m.PX_TOO_FAR
        assert book.outcomes[0].reason == m.PX_TOO_FAR
        assert book.limit(order_id + 1, 1, SELL, px + 62, 5) == -m.PX_TOO_FAR, "64 ticks from the lowest"
        assert book.limit(order_id + 1, 1, SELL, px + 61, 5) == 1
        assert book.limit(order_id + 2, 1, BUY, px + 900, 5, m.IOC) == 3, "what does not rest may be anywhere"
        order_id += 2
        assert book.depth(BUY, 9) == [(px, 5), (px - 1, 5), (px - 2, 5)]
        for old in range(order_id - 4, order_id - 1):
            assert book.cancel(old) == 1
    assert (book.best_bid, book.best_ask) == (0, 0)


def test_a_full_book_says_so_and_lets_in_what_does_not_rest(kind):
    book = kind(BookTerms(orders_max=2))
    book.limit(1, 1, BUY, 100, 5)
    book.stop(2, 1, SELL, 90, 0, 5)
    assert book.limit(3, 2, BUY, 100, 5) == -m.NO_ROOM
    assert "orders_max" in m.REASON_WORDS[book.outcomes[0].reason]
    assert book.stop(3, 2, BUY, 100, 0, 5) == -m.NO_ROOM
    assert book.market(3, 2, SELL, 1) == 2
    book.cancel(2)
    assert book.limit(4, 2, BUY, 100, 5) == 1


def test_a_message_that_would_cause_too_much_has_its_rest_canceled_and_stops_wait(kind):
    book = kind(BookTerms(outcomes_max=16))
    book.limit(1, 1, SELL, 100, 40, m.GTC, 1)
    book.stop(2, 2, BUY, 100, 0, 1)
    assert book.limit(3, 3, BUY, 100, 15, m.FOK) == -m.NO_ROOM
    assert book.market(3, 3, BUY, 30) == 16
    assert told(book)[-1] == (m.CANCELED, m.NO_ROOM, 3)
    assert (book.outcomes[-1].qty, book.leaves(1), book.leaves(2)) == (16, 26, 1)
    assert book.limit(4, 4, BUY, 90, 1) == 3
    assert told(book) == [(m.ACCEPTED, 0, 4), (m.TRIGGERED, 0, 2), (m.FILL, 0, 2)]


def test_a_fill_or_kill_is_let_in_as_long_as_it_surely_finds_room(kind):
    book = kind(BookTerms(outcomes_max=16))
    for order_id in range(1, 30):
        book.limit(order_id, 1, SELL, 99 + order_id, 1)
    assert book.limit(50, 2, BUY, 200, 15, m.FOK) == -m.NO_ROOM
    assert book.limit(50, 2, BUY, 200, 14, m.FOK) == 15
    assert (book.outcomes[-1].leaves, book.best_ask) == (0, 114)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 100},
        {"window": 32},
        {"orders_max": 0},
        {"ids_max": 1},
        {"outcomes_max": 15},
    ],
)
def test_terms_that_no_book_can_keep_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind(BookTerms(**wrong))
