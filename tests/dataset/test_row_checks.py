"""Each fault of rows is found where it is, and sound rows are not accused."""

import numpy as np
import pytest

from backtest.dataset.book import Book
from backtest.dataset.check import Checker, Origin, Premises, lone_bounds
from backtest.dataset.faults import MEANING, Fault, Findings
from backtest.dataset.rows import Flag, Kind
from tests.dataset.written import T0_NS, lines_of, rows_of

SNAP, LAST, GAP = int(Flag.SNAPSHOT), int(Flag.LAST), int(Flag.GAP)
SECOND = 1_000_000_000


def row(number, kind=Kind.LEVEL, side=1, px=100, qty=5, *, flags=LAST, seq=0, lag=1_000_000, at=None):
    exch = T0_NS + number * SECOND if at is None else at
    return (exch, exch + lag, int(kind), side, px, qty, 0, seq, flags)


def begin(px=100):
    return [
        row(0, Kind.CLEAR, 0, 0, 0, flags=SNAP),
        row(0, side=1, px=px, flags=SNAP),
        row(0, side=-1, px=px + 1, flags=SNAP | LAST),
    ]


def checked(rows, *, drop=False, pieces=1, **premises):
    found = Findings(1_000)
    checker = Checker(found=found, premises=Premises(**premises))
    rows = rows_of(*rows)
    ident = np.where(rows.kind == Kind.TRADE, rows.seq, 0)
    kept = []
    for part in np.array_split(np.arange(len(rows)), pieces):
        origin = Origin(
            sources=("x",), source=np.zeros(len(part), np.int64), line=part + 1, ident=ident[part]
        )
        kept.append(checker.feed(rows.take(part), origin, drop=drop))
    return found, kept


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_sound_day_has_no_fault(pieces):
    day = begin() + [row(n, px=100 - n % 3, seq=n) for n in range(1, 30)]
    day += [row(30 + n, Kind.TRADE, px=100 + n % 2, seq=1 + n) for n in range(30)]
    found, _ = checked(day, pieces=pieces, trades_numbered=True)
    assert found.by_name() == {}
    assert set(MEANING) == set(Fault)


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize(
    ("faulty", "fault"),
    [
        (row(20, px=0), "ZERO_PRICE"),
        (row(20, Kind.TRADE, qty=0), "ZERO_QTY"),
        (row(20, px=-5), "NEGATIVE"),
        (row(20, qty=-5), "NEGATIVE"),
        (row(20, px=102), "CROSSED"),
        (row(20, px=101), "LOCKED"),
        (row(20, lag=61 * SECOND), "LAG"),
        (row(20, lag=-61 * SECOND), "LAG"),
        (row(20, at=T0_NS), "TIME_BACK"),
        (row(20, px=5_000), "FAR_PRICE"),
    ],
)
def test_each_fault_is_found_at_its_row(faulty, fault, pieces):
    before = begin() + [row(n, px=90 + n % 5) for n in range(1, 20)]
    found, kept = checked([*before, faulty], pieces=pieces, px_low=50.0, px_high=1_000.0)
    assert (fault, len(before) + 1) in lines_of(found)
    assert {line for _, line in lines_of(found)} == {len(before) + 1}
    marked = kept[-1][0].flags[-1] & Flag.SUSPECT
    assert bool(marked) is (fault not in {"CROSSED", "LOCKED"})


def test_a_trade_far_from_its_neighbours_is_found():
    day = [row(n, Kind.TRADE, px=100 + n % 2, seq=n + 1) for n in range(40)]
    day[17] = row(17, Kind.TRADE, px=230, seq=18)
    assert lines_of(checked(day, trades_numbered=True)[0]) == {("FAR_PRICE", 18)}


@pytest.mark.parametrize("pieces", [1, 4, 20])
def test_trade_ids_that_come_again_or_are_missing(pieces):
    ids = [1, 2, 3, 3, 5, 6, 9, 2, 10]
    day = [row(n, Kind.TRADE, seq=seq) for n, seq in enumerate(ids)]
    found, _ = checked(day, pieces=pieces, trades_numbered=True)
    assert lines_of(found) == {
        ("DUPLICATE_TRADE", 4),
        ("MISSING_TRADES", 5),
        ("MISSING_TRADES", 7),
        ("DUPLICATE_TRADE", 8),
    }
    found, _ = checked(day, trades_numbered=True, void_ids=(4, 7, 8))
    assert found.by_name() == {"DUPLICATE_TRADE": 2}
    assert checked(day)[0].by_name() == {"DUPLICATE_TRADE": 2}


def test_one_receive_time_in_the_future_is_blamed_and_not_what_follows():
    day = [row(n) for n in range(20)]
    day[4] = row(4, lag=20 * SECOND)
    found, _ = checked(day)
    assert {line for _, line in lines_of(found)} == {5}
    assert found.by_name() == {"RECEIVED_BACK": 1, "LAG": 1}


def test_a_late_message_among_prompt_ones_is_doubtful_even_if_order_holds():
    day = [row(10 * n) for n in range(20)]
    day[0] = row(0, lag=1 * SECOND)
    assert lines_of(checked(day)[0]) == {("LAG", 1)}
    assert checked(day, recv_known=False)[0].by_name() == {}


def test_gaps_are_told_but_for_a_beginning_without_a_snapshot():
    day = [
        row(0, Kind.CLEAR, 0, 0, 0, flags=GAP),
        row(1),
        row(2, Kind.CLEAR, 0, 0, 0, flags=GAP),
        row(3, px=102),
    ]
    found, _ = checked([*day, row(4, side=-1, px=101)])
    assert lines_of(found) == {("GAP", 3)}
    assert dict(found.notes) == {"the book begins without a snapshot": 1}


def test_steps_of_the_rules_are_held_against_the_rows():
    day = [*begin(), row(1, px=95, qty=10), row(2, px=90, qty=3)]
    found, _ = checked(day, tick_multiple=5, lot_multiple=5)
    assert lines_of(found) == {("OFF_TICK", 3), ("OFF_LOT", 5)}


def test_repair_leaves_out_what_is_useless_alone_and_keeps_the_marks_of_its_message():
    day = [*begin(), row(1, px=99, flags=0), row(1, px=5_000, flags=LAST), row(2, lag=61 * SECOND), row(3)]
    found, kept = checked(day, drop=True, px_low=50.0, px_high=1_000.0)
    (rows, dropped) = kept[0]
    assert dropped == 1
    assert rows.px.tolist() == [0, 100, 101, 99, 100, 100]
    assert rows.flags[3] & Flag.LAST
    assert rows.flags[4] & Flag.SUSPECT
    untouched, kept = checked(day, px_low=50.0, px_high=1_000.0)
    assert found.by_name() == {"RECEIVED_BACK": 1, "LAG": 1, "FAR_PRICE": 1}
    assert untouched.by_name() == {"CROSSED": 3, "RECEIVED_BACK": 1, "LAG": 1, "FAR_PRICE": 1}
    assert len(kept[0][0]) == len(day)


@pytest.mark.parametrize(
    ("prices", "bounds"),
    [
        ([90, 100, 110], None),
        ([1, 5, 20, 90, 400, 1_500], None),
        ([90, 95, 100, 105, 110, 5_000], (90.0, 110.0)),
        ([1, 90, 95, 100, 105, 110], (90.0, 110.0)),
        ([100, 10_000], None),
    ],
)
def test_prices_that_stand_alone(prices, bounds):
    assert lone_bounds(np.array(prices)) == bounds


def test_many_far_prices_are_no_lone_ones():
    assert lone_bounds(np.array([*range(90, 120), *range(5_000, 5_010)])) is None


def test_the_book_answers_for_best_prices_as_a_sorted_one_does():
    generator = np.random.default_rng(5)
    book = Book()
    for _ in range(5_000):
        side, px, qty = (
            int(generator.choice([1, -1])),
            int(generator.integers(1, 60)),
            int(generator.integers(0, 3)),
        )
        book.apply(Kind.LEVEL, side, px, qty, 0)
        assert book.best_bid == max(book.bids, default=None)
        assert book.best_ask == min(book.asks, default=None)
        assert len(book._best_bids) < 400


def test_orders_add_to_levels_and_leave_them():
    book = Book()
    for kind, qty in ((Kind.ADD, 5), (Kind.ADD, 3), (Kind.REDUCE, 2), (Kind.EXECUTE, 1), (Kind.DELETE, 5)):
        book.apply(kind, -1, 100, qty, 0)
    assert (book.bids, book.asks, book.touch()) == ({}, {}, None)
    book.apply_all(rows_of(*begin(), row(1, Kind.TRADE), row(1, px=99)))
    assert (book.touch(), book.sound) == ((100, 5, 101, 5), True)
