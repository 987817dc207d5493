"""One recording, met live or on paper, and in a backtest: the same orders, but for differences with a cause."""

from collections import Counter
from decimal import Decimal

import pytest

from benchmarks.parity import Cause, Child, Judge, Latencies, Told, compare, make_order, report
from executor.domain.orders import Category, Side, TimeInForce
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.runtime.audit import audit
from executor.venues.paper.account import Executed
from executor.venues.paper.account_file import NAME, AccountFile
from tests.backtest.recorded_days import store, wander
from tests.builders import D


@pytest.mark.process
def test_a_played_recording_and_its_backtest_give_the_same_children(tmp_path):
    data = store(tmp_path / "store", wander(30))
    order = make_order(Category.LINEAR, "BTCUSDT", Side.BUY, D("0.3"), duration_s=6, interval_s=2)
    done = compare(data, order, tmp_path, warmup_s=1)
    told = report(done)
    assert Counter(one.cause for one in done.differences)[Cause.UNEXPLAINED] == 0, told
    assert len(done.live) >= 3, told
    assert abs(len(done.live) - len(done.backtest)) <= len(done.differences), told
    for children in (done.live, done.backtest):
        assert sum(child.filled_qty for child in children) == D("0.3"), told
        assert {child.side for child in children} == {"BUY"}
    # The first order is decided on the same book at the same instant.
    first, other = done.live[0], done.backtest[0]
    assert abs(first.at_ns - other.at_ns) < NS_PER_S
    assert (first.qty, first.time_in_force) == (other.qty, other.time_in_force)
    assert audit(tmp_path / "live.db").identical
    assert audit(tmp_path / "backtest.db").identical


@pytest.mark.process
def test_paper_on_a_played_recording_and_its_backtest_give_the_same_children(tmp_path):
    data = store(tmp_path / "store", wander(30, seed=3))
    order = make_order(Category.LINEAR, "BTCUSDT", Side.SELL, D("0.3"), duration_s=4, interval_s=1)
    done = compare(data, order, tmp_path, warmup_s=3, paper=True)
    told, found = report(done), Counter(one.cause for one in done.differences)
    assert found[Cause.UNEXPLAINED] == 0, told
    # Nobody sees an order that exists on paper only.
    assert found[Cause.OWN_ORDER_SHOWN] == 0, told
    assert len(done.live) >= 3, told
    assert abs(len(done.live) - len(done.backtest)) <= len(done.differences), told
    for children in (done.live, done.backtest):
        assert sum(child.filled_qty for child in children) == D("0.3"), told
        assert {child.side for child in children} == {"SELL"}
        for child in children:
            if child.time_in_force == TimeInForce.POST_ONLY and not child.amends:
                assert child.value == child.filled_qty * child.px, "what waits is filled at its price"
    assert len(done.differences) < len(done.live), told
    first, other = done.live[0], done.backtest[0]
    assert (first.qty, first.time_in_force) == (other.qty, other.time_in_force)
    # What the account's file holds is what the journal was told.
    with AccountFile(tmp_path / NAME) as file:
        fills = [record.fill for record in file.read() if isinstance(record, Executed)]
    assert sum(fill.last_qty * fill.last_px for fill in fills) == sum(one.value for one in done.live)
    assert audit(tmp_path / "live.db").identical
    assert audit(tmp_path / "backtest.db").identical


def test_the_ways_of_paper_end_at_the_book_that_is_seen():
    seen = Latencies(feed_ns=10, entry_ns=50, answer_ns=7)
    assert seen.of_paper == Latencies(feed_ns=10, entry_ns=40, answer_ns=17)
    with pytest.raises(SystemExit, match="longer than the way"):
        assert Latencies(feed_ns=60, entry_ns=50, answer_ns=7).of_paper


def child(
    at_s=1.0, px="100.0", qty="1", *, side="BUY", filled="0", mean=None, moved=(), refused=0, end_s=3.0
):
    made = Child(int(at_s * NS_PER_S), side, D(qty), D(px), "PostOnly", refused=refused)
    made.filled_qty, made.end_ns = D(filled), int(end_s * NS_PER_S)
    made.value = made.filled_qty * D(mean or px)
    made.amends = [(int(at * NS_PER_S), D(to), D(qty)) for at, to in moved]
    return made


def causes(live, backtest, *, touches=(), moves=((0.0, "100.0", "100.1"),), trades=()):
    """What the judge says of two lists of children, by the number of the pair."""
    told = Told(start_ns=0, children=live, placed_ns={}, acked_ns={}, touches=stamped(touches))
    ways = Latencies(feed_ns=10 * NS_PER_MS, entry_ns=0, answer_ns=0)
    judge = Judge(told, ways, stamped(moves), [(int(at * NS_PER_S), D(px)) for at, px in trades])
    return {one.number: one.cause for one in judge.differences(live, backtest)}


def stamped(touches):
    return [(int(at * NS_PER_S), Decimal(bid), Decimal(ask)) for at, bid, ask in touches]


def test_equal_children_differ_in_nothing():
    assert causes([child(), child(2.0)], [child(1.004), child(2.1)]) == {}


def test_another_price_comes_from_a_touch_that_moved_in_between():
    moves = [(0.0, "100.0", "100.1"), (0.95, "99.9", "100.1")]
    assert causes([child(px="99.9")], [child()], moves=moves) == {1: Cause.TOUCH_MOVED}
    long_ago = [(0.0, "100.0", "100.1"), (0.1, "99.9", "100.1")]
    assert causes([child(px="99.9")], [child()], moves=long_ago) == {1: Cause.UNEXPLAINED}


def test_another_limit_of_a_taker_comes_from_the_touch_that_it_takes_from():
    moves = [(0.0, "100.0", "100.1"), (0.95, "99.8", "100.1")]
    one, other = child(px="99.7", side="SELL"), child(px="99.9", side="SELL")
    one.time_in_force = other.time_in_force = "IOC"
    assert causes([one], [other], moves=moves) == {1: Cause.TOUCH_MOVED}
    assert causes([other], [one], moves=moves) == {1: Cause.TOUCH_MOVED}
    one.px = D("99.4")
    assert causes([one], [other], moves=moves) == {1: Cause.UNEXPLAINED}
    one.px, one.side, other.side = D("99.7"), "BUY", "BUY"
    assert causes([one], [other], moves=moves) == {1: Cause.UNEXPLAINED}


def test_another_price_comes_from_an_order_of_ours_that_is_seen():
    moves = [(0.0, "100.0", "100.1"), (1.2, "99.9", "100.1")]
    first, touches = child(end_s=9.0), [(1.8, "100.0", "100.1")]
    found = causes([first, child(2.0, "100.0")], [first, child(2.0, "99.9")], moves=moves, touches=touches)
    assert found == {2: Cause.OWN_ORDER_SHOWN}


def test_another_fill_comes_from_the_queue_only_where_somebody_traded():
    filled = child(filled="0.4")
    assert causes([child()], [filled], trades=[(2.0, "100.0")]) == {1: Cause.QUEUE}
    assert causes([child()], [filled], trades=[(2.0, "100.1")]) == {1: Cause.UNEXPLAINED}
    assert causes([child()], [filled], trades=[(5.0, "100.0")]) == {1: Cause.UNEXPLAINED}


def test_amendments_part_where_the_touch_moved():
    moves = [(0.0, "100.0", "100.1"), (1.5, "99.9", "100.1"), (1.6, "100.0", "100.1")]
    moved = child(moved=[(1.55, "99.9"), (1.7, "100.0")])
    assert causes([moved], [child()], moves=moves) == {1: Cause.TOUCH_MOVED}
    assert causes([child(moved=[(1.55, "99.8")])], [child()], moves=moves) == {1: Cause.UNEXPLAINED}


def test_a_taker_finds_another_book():
    live, other = child(px="100.1", filled="1", mean="100.1"), child(px="100.1", filled="1", mean="100.0")
    live.time_in_force = other.time_in_force = "IOC"
    assert causes([live], [other]) == {1: Cause.BOOK}


def test_an_amendment_that_met_a_fill_is_told():
    assert causes([child(filled="1", refused=1)], [child(filled="1")]) == {1: Cause.RACE}


def test_other_quantities_and_numbers_follow_only_from_something_before():
    short = [child(), child(2.0, qty="0.6"), child(3.0)]
    long = [child(filled="0.4"), child(2.0)]
    assert causes(short, long, trades=[(2.0, "100.0")]) == {
        1: Cause.QUEUE,
        2: Cause.FOLLOWS,
        3: Cause.FOLLOWS,
    }
    assert causes([child(qty="0.6")], [child()]) == {1: Cause.UNEXPLAINED}
    assert causes([child(), child(2.0)], [child()]) == {2: Cause.UNEXPLAINED}
