"""The surroundings of a question: what is written of them, imbalance and session by hand."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.context import (
    NEWS_MAX,
    NOT_CONFIGURED,
    Level,
    Liquidation,
    MarketContext,
    RecentTrade,
    Session,
    context_document,
    imbalance,
    news_document,
    session_at,
)
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_HOUR, NS_PER_S
from tests.adviser.questions import context, news_item
from tests.builders import T0, D


def test_the_written_form_is_fixed():
    document = context_document(context())
    assert list(document) == [
        *("bids", "asks", "imbalance", "last_trades", "volume_1min_qty", "funding_rate", "funding_in_s"),
        *("open_interest_change_pct", "liquidations", "exchange_flow", "session"),
    ]
    assert document["bids"] == [[str(px), "1.5"] for px in (50000, 49999, 49998, 49997, 49996)]
    assert document["asks"] == [[f"{px}.1", "0.5"] for px in (50000, 50001, 50002, 50003, 50004)]
    assert document["imbalance"] == "0.5"
    assert document["last_trades"][0] == ["SELL", "50000", "0.25", "0.0"]
    assert [row[3] for row in document["last_trades"]] == [f"{age}.0" for age in range(10)]
    assert document["volume_1min_qty"] == "9.75"
    assert document["funding_rate"] == "0.0001"
    assert document["funding_in_s"] == "3600"
    assert document["open_interest_change_pct"] == "-0.52"
    assert document["liquidations"] == {
        "long_qty": "0.75",
        "short_qty": "0",
        "span_s": "300",
        "nearest_bps": "100.01",
    }
    assert document["exchange_flow"] == {"source": "flows.example", "net_qty": "-120.5", "span_s": "3600"}
    assert document["session"] == "overnight"


def test_what_nobody_gathered_is_null():
    document = context_document(MarketContext(at_ns=T0))
    assert {key for key, value in document.items() if value is None} == {
        *("imbalance", "volume_1min_qty", "funding_rate", "funding_in_s", "open_interest_change_pct"),
        *("liquidations", "exchange_flow"),
    }
    assert document["bids"] == document["asks"] == document["last_trades"] == []


def test_liquidations_are_counted_for_five_minutes_and_by_side():
    def forced(position, px, qty, age_s):
        return Liquidation(position=position, px=D(px), qty=D(qty), at_ns=T0 - round(age_s * NS_PER_S))

    rows = (
        forced(Side.BUY, 40_000, "1", 0),
        forced(Side.BUY, 45_000, "0.5", 300),
        forced(Side.SELL, 60_000, "0.25", 10),
        forced(Side.SELL, 50_001, "9", 300.1),
        forced(Side.SELL, 50_001, "9", -1),
    )
    document = context_document(context(liquidations=rows))["liquidations"]
    assert document == {"long_qty": "1.5", "short_qty": "0.25", "span_s": "300", "nearest_bps": "1000.01"}
    assert context_document(context(liquidations=()))["liquidations"]["nearest_bps"] is None
    assert context_document(context(liquidations=rows, bids=()))["liquidations"]["nearest_bps"] is None


def test_the_largest_figures_and_the_smallest_prices_can_be_written():
    huge, tiny = D(10**15 - 1), D("1e-18")
    rows = tuple(Liquidation(position=Side.BUY, px=huge, qty=huge, at_ns=T0) for _ in range(1_000))
    level = (Level(px=tiny, qty=huge),)
    document = context_document(context(liquidations=rows, bids=level, asks=level, volume_1min_qty=huge))
    assert document["liquidations"]["nearest_bps"] == "1000000000000000"
    assert document["liquidations"]["long_qty"] == "999999999999999000"


@pytest.mark.parametrize("figure", [D("NaN"), D("Infinity"), D("1e15"), D("1e-19"), 1.5, "1"])
def test_figures_without_a_meaning_are_refused_where_they_are_gathered(figure):
    for wrong in (
        dict(funding_rate=figure),
        dict(volume_1min_qty=figure),
        dict(bids=(Level(px=figure, qty=D(1)),)),
        dict(trades=(RecentTrade(side=Side.BUY, px=D(1), qty=figure, at_ns=0),)),
    ):
        with pytest.raises(ValueError, match="without a meaning"):
            MarketContext(at_ns=T0, **wrong)


def test_prices_of_nothing_and_endless_lists_are_refused():
    with pytest.raises(ValueError, match="at the price 0"):
        MarketContext(at_ns=T0, asks=(Level(px=D(0), qty=D(1)),))
    with pytest.raises(ValueError, match="-1 at the price 1"):
        MarketContext(at_ns=T0, asks=(Level(px=D(1), qty=D(-1)),))
    forced = Liquidation(position=Side.BUY, px=D(1), qty=D(1), at_ns=T0)
    with pytest.raises(ValueError, match="1001 liquidations"):
        MarketContext(at_ns=T0, liquidations=(forced,) * 1_001)


def levels(*quantities):
    return [Level(px=D(100), qty=D(qty)) for qty in quantities]


def test_imbalance_by_hand():
    assert imbalance(levels("3"), levels("1")) == D("0.5")
    assert imbalance(levels("1", "2"), levels("2", "1")) == 0
    assert imbalance(levels("1"), []) == 1
    assert imbalance([], levels("1")) == -1
    assert imbalance([], []) is None
    assert imbalance(levels("0"), levels("0")) is None


QUANTITIES = st.lists(st.decimals(min_value=0, max_value=10**9, places=8), max_size=6)


@given(QUANTITIES, QUANTITIES)
def test_imbalance_is_bounded_and_turns_with_the_sides(bids, asks):
    value = imbalance(levels(*bids), levels(*asks))
    mirrored = imbalance(levels(*asks), levels(*bids))
    if value is None:
        assert mirrored is None
        assert not sum(bids) + sum(asks)
    else:
        assert -1 <= value <= 1
        assert mirrored == -value


@pytest.mark.parametrize(
    ("clock", "session"),
    [
        ("00:00:00", Session.ASIA),
        ("07:59:59", Session.ASIA),
        ("08:00:00", Session.EUROPE),
        ("13:59:59", Session.EUROPE),
        ("14:00:00", Session.US),
        ("20:59:59", Session.US),
        ("21:00:00", Session.OVERNIGHT),
        ("23:59:59", Session.OVERNIGHT),
    ],
)
def test_session_by_the_clock(clock, session):
    for day in ("2024-02-29", "2026-07-01", "1970-01-01"):
        at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
        assert session_at(round(at.timestamp()) * NS_PER_S) is session


@given(st.integers(0, 2**62))
def test_every_instant_has_the_session_of_the_same_hour_next_day(at_ns):
    assert session_at(at_ns) is session_at(at_ns + 24 * NS_PER_HOUR)


def test_news_is_newest_first_and_bounded():
    items = [news_item(text=f"news {age}", age_s=age) for age in (50, 10, 30, *range(100, 120))]
    rows = news_document(items, T0)
    assert len(rows) == NEWS_MAX
    assert [row["age_s"] for row in rows[:3]] == ["10", "30", "50"]
    assert rows[0] == {"source": "Example Wire", "age_s": "10", "text": "news 10"}


def test_no_news_is_not_the_same_as_no_source_of_news():
    assert news_document(None, T0) == NOT_CONFIGURED == "none configured"
    assert news_document([], T0) == []


def test_news_from_the_future_is_fresh():
    assert news_document([news_item(age_s=-100)], T0)[0]["age_s"] == "0"
