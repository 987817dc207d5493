"""A market at one glance: what the ticker and the candles of an hour tell, and what is refused or left unknown."""

from math import log, sqrt

import pytest
from builders import instrument

from executor.domain.errors import RemoteProtocolError
from executor.domain.timeline import NS_PER_MS
from executor.engine.plan_preview import unknown_figures
from executor.engine.state import EngineState
from executor.venues.bybit.market_look import market_seen
from risk.circuit import volatility_hourly_pct, volume_hourly_qty

NOW_MS = 1_760_000_040_000
RULES = instrument()
TICKER = {
    "symbol": "BTCUSDT", "bid1Price": "49999.9", "bid1Size": "1.5", "ask1Price": "50000.1", "ask1Size": "2",
}  # fmt: skip


def candle(minutes_ago, close="50000", volume="30"):
    start = NOW_MS // 60_000 * 60_000 - minutes_ago * 60_000
    return [str(start), "1", "1", "1", close, volume, "1"]


def candles(count=61):
    """Newest first, as the venue lists them; the price goes up and down by a tenth of a per cent."""
    return [candle(ago, "50050" if ago % 2 else "50000") for ago in range(count)]


def seen(ticker=None, rows=None):
    return market_seen(
        RULES, [TICKER if ticker is None else ticker], candles() if rows is None else rows, NOW_MS * NS_PER_MS
    )


def test_touch_volatility_and_volume_are_told():
    market = seen()
    assert (str(market.snapshot.best_bid), str(market.snapshot.best_ask_qty)) == ("49999.9", "2")
    assert volume_hourly_qty(market.estimates) == pytest.approx(1_800)
    assert volatility_hourly_pct(market.estimates) == pytest.approx(
        100 * log(50_050 / 50_000) * sqrt(60), rel=1e-6
    )
    assert unknown_figures(EngineState(), market) == ()


def test_the_minute_that_is_not_over_does_not_count():
    rows = candles()
    rows[0] = candle(0, "99999", "1000000")
    assert seen(rows=rows).estimates == seen().estimates


@pytest.mark.parametrize(
    ("rows", "unknown"),
    [
        (candles(10), ("volatility", "volume")),
        ([], ("volatility", "volume")),
        ([candle(ago, volume="0") for ago in range(20)], ("volatility", "volume")),
        ([candle(ago) for ago in range(20)], ("volatility",)),
    ],
)
def test_what_the_candles_do_not_tell_stays_unknown(rows, unknown):
    assert unknown_figures(EngineState(), seen(rows=rows)) == unknown


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": "ETHUSDT"}, {"bid1Price": "0"}, {"bid1Price": ""}, {"ask1Price": "NaN"},
        {"ask1Price": "49999.9"}, {"bid1Size": "-1"},
    ],
)  # fmt: skip
def test_a_ticker_that_is_none_is_refused(wrong):
    with pytest.raises(RemoteProtocolError):
        seen(TICKER | wrong)


@pytest.mark.parametrize(
    "rows",
    [
        [["1760000000000"]], ["candle"], [candle(0), candle(2)], [candle(0), candle(0)],
        [*candles()[:20], candle(20, "-1")], [*candles()[:20], candle(20, volume="much")],
    ],
)  # fmt: skip
def test_candles_that_are_none_are_refused(rows):
    with pytest.raises(RemoteProtocolError):
        seen(rows=rows)


def test_two_tickers_are_refused():
    with pytest.raises(RemoteProtocolError):
        market_seen(RULES, [TICKER, TICKER], candles(), NOW_MS * NS_PER_MS)
