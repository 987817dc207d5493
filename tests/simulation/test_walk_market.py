"""The walking market: a function of its seed, with the moments it promises."""

from dataclasses import replace
from decimal import Decimal
from itertools import islice, pairwise
from math import sqrt
from statistics import fmean, pstdev

import pytest

from executor.domain.market import MarketSnapshot
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from simulation.moments import PublicTrade
from simulation.walk_market import Walk, WalkMarket
from tests.builders import T0, instrument

RULES = instrument()
WALK = Walk(instrument=RULES, start_px=Decimal(50_000), step_ns=NS_PER_S, volatility_hourly_pct=1.0)


def moments(walk=WALK, seed=1, count=2_000):
    return list(islice(WalkMarket(walk, seed=seed, start_ns=T0), count))


def books(happened):
    return [one for one in happened if isinstance(one, MarketSnapshot)]


def trades(happened):
    return [one for one in happened if isinstance(one, PublicTrade)]


def test_a_seed_is_a_market():
    assert moments() == moments()
    assert moments(seed=1) != moments(seed=2)


def test_everything_comes_in_order_of_time_and_books_come_every_step():
    happened = moments()
    times = [one.ts_exchange_ns for one in happened]
    assert times == sorted(times)
    looks = [one.ts_exchange_ns for one in books(happened)]
    assert looks == [T0 + (number + 1) * NS_PER_S for number in range(len(looks))]


def test_the_book_keeps_to_ticks_and_steps_and_to_its_widest_spread():
    seen = set()
    for book in books(moments()):
        assert RULES.is_on_tick(book.best_bid)
        assert RULES.is_on_tick(book.best_ask)
        assert book.best_bid_qty > 0 < book.best_ask_qty
        assert RULES.is_on_step(book.best_bid_qty)
        assert RULES.is_on_step(book.best_ask_qty)
        seen.add((book.best_ask - book.best_bid) / RULES.tick_size)
    assert seen == {1, 2, 3}


def test_the_path_has_the_volatility_that_was_asked_for():
    """The standard error of a deviation over n steps is its value over sqrt(2 n): four of them."""
    moves = []
    for seed in range(4):
        mids = [float(book.mid_px) for book in books(moments(seed=seed, count=4_500))]
        moves += [after - before for before, after in pairwise(mids)]
    wanted = 500 / sqrt(3_600)
    assert pstdev(moves) == pytest.approx(wanted, rel=4 / sqrt(2 * len(moves)))


def test_drift_moves_the_path_by_as_much_as_it_says_and_can_be_asked_for():
    market = WalkMarket(replace(WALK, volatility_hourly_pct=0.0, drift_bps_per_min=6.0), seed=3, start_ns=T0)
    looks = books(islice(market, 3_000))
    signs = set()
    for before, after in pairwise(looks):
        drift = market.drift_bps_per_min(before.ts_exchange_ns)
        assert abs(drift) == 6.0
        signs.add(drift)
        moved = float(after.mid_px - before.mid_px)
        assert moved == pytest.approx(drift / 60 / 10_000 * 50_000, abs=0.21)  # half ticks of both spreads
    assert signs == {-6.0, 6.0}


def test_a_market_without_drift_has_none():
    market = WalkMarket(WALK, seed=3, start_ns=T0)
    assert all(market.drift_bps_per_min(T0 + second * NS_PER_S) == 0 for second in range(100))


def test_asking_for_the_drift_does_not_change_the_market():
    walk = replace(WALK, drift_bps_per_min=6.0)
    asked = WalkMarket(walk, seed=5, start_ns=T0)
    assert asked.drift_bps_per_min(T0 + 3_600 * NS_PER_S)
    assert list(islice(asked, 500)) == moments(walk, seed=5, count=500)


def test_trades_come_as_often_and_as_large_as_they_should_on_the_book_that_stands():
    happened = moments(replace(WALK, through_share=0.25), count=6_000)
    book, beyond = None, []
    for one in happened:
        if isinstance(one, MarketSnapshot):
            book = one
        elif book is not None:
            beyond.append(one.side.sign * (one.px - book.far_touch(one.side)) / RULES.tick_size)
            assert RULES.is_on_step(one.qty)
    assert set(beyond) == {0, 1}
    assert fmean(map(float, beyond)) == pytest.approx(0.25, abs=4 * 0.433 / sqrt(len(beyond)))
    prints = trades(happened)
    seconds = len(books(happened))
    assert len(prints) == pytest.approx(2 * seconds, abs=4 * sqrt(2 * seconds))
    assert fmean(float(one.qty) for one in prints) == pytest.approx(0.5, rel=4 / sqrt(len(prints)))
    assert {one.side for one in prints} == set(Side)


def test_the_book_counts_what_was_traded():
    happened = moments(count=500)
    last = next(index for index in reversed(range(500)) if isinstance(happened[index], MarketSnapshot))
    prints = trades(happened[:last])
    assert happened[last].traded_qty == sum(one.qty for one in prints)
    assert happened[last].traded_notional == sum(one.qty * one.px for one in prints)


def test_a_price_does_not_walk_below_its_floor():
    low = replace(WALK, start_px=Decimal("0.6"), volatility_hourly_pct=5_000.0)
    assert min(book.best_bid for book in books(moments(low))) > 0


@pytest.mark.parametrize(
    "over",
    [
        dict(start_px=Decimal(0)),
        dict(step_ns=0),
        dict(volatility_hourly_pct=-1.0),
        dict(volatility_hourly_pct=float("nan")),
        dict(drift_bps_per_min=float("inf")),
        dict(drift_hold_s=0.0),
        dict(redraws_per_s=0.0),
        dict(trades_per_s=0.0),
        dict(spread_ticks_max=0),
        dict(touch_qty=Decimal(0)),
        dict(trade_qty=Decimal("0.0001")),
        dict(through_share=1.1),
    ],
)
def test_a_walk_without_a_meaning_is_refused(over):
    with pytest.raises(ValueError, match="cannot walk"):
        replace(WALK, **over)


def test_a_finer_step_keeps_the_rate_of_trades():
    happened = moments(replace(WALK, step_ns=100 * NS_PER_MS), count=6_000)
    seconds = len(books(happened)) / 10
    assert len(trades(happened)) == pytest.approx(2 * seconds, abs=4 * sqrt(2 * seconds))
