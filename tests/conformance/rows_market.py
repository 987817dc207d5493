"""Rows about what anybody may read by REST: time, instruments, books, tickers, trades, candles, funding, bands."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.stage import (
    BTC,
    BTC_INVERSE,
    BTC_SPOT,
    BTC_SWAP,
    ETH,
    ETH_SWAP,
    FLOATS,
    INVERSE,
    SPOT,
    XRP,
    XRP_SWAP,
    Stage,
)

ROWS = Rows("Market data", "market")
MINUTE_MS = 60_000
FUNDING_MS = 8 * 3600 * 1000


def _rows(answer: dict[str, Any]) -> list[Any]:
    assert answer["retCode"] == 0
    rows: list[Any] = answer["result"]["list"]
    return rows


@ROWS.pybit("get_server_time", "GET /v5/market/time")
def time_in_three_units(stage: Stage) -> None:
    """The seconds, the nanoseconds and the envelope's milliseconds name the same instant."""
    answer = stage.http.get_server_time()
    nanoseconds = int(answer["result"]["timeNano"])
    assert int(answer["result"]["timeSecond"]) == nanoseconds // 10**9
    assert abs(answer["time"] - nanoseconds // 10**6) < 1000


@ROWS.ccxt("fetch_time", "GET /v5/market/time")
async def server_time(stage: Stage, ccxt: Any) -> None:
    """The venue's time follows its clock: a clock set an hour ahead is read an hour ahead."""
    before = await ccxt.fetch_time()
    with stage.clock_moved(3_600_000):
        after = await ccxt.fetch_time()
    assert 3_600_000 <= after - before < 3_660_000


@ROWS.pybit("get_instruments_info", "GET /v5/market/instruments-info")
def linear_instrument(stage: Stage) -> None:
    """BTCUSDT perpetual has tick 0.10, step 0.001, minimum value 5 and funding every 480 minutes, as text."""
    (item,) = _rows(stage.http.get_instruments_info(**BTC))
    assert (item["contractType"], item["status"], item["settleCoin"]) == (
        "LinearPerpetual",
        "Trading",
        "USDT",
    )
    assert item["priceFilter"]["tickSize"] == "0.10"
    lot = item["lotSizeFilter"]
    assert (lot["qtyStep"], lot["minOrderQty"], lot["minNotionalValue"]) == ("0.001", "0.001", "5")
    assert (lot["maxOrderQty"], lot["maxMktOrderQty"]) == ("1190.000", "500.000")
    assert item["fundingInterval"] == 480


@ROWS.pybit("get_instruments_info", "GET /v5/market/instruments-info")
def spot_instrument(stage: Stage) -> None:
    """Spot BTCUSDT has base precision, quote precision and minimum amount, and the answer has no cursor."""
    answer = stage.http.get_instruments_info(**SPOT)
    (item,) = _rows(answer)
    lot = item["lotSizeFilter"]
    assert (lot["basePrecision"], lot["quotePrecision"], lot["minOrderAmt"]) == ("0.000001", "0.0000001", "5")
    assert "nextPageCursor" not in answer["result"]


@ROWS.pybit("get_instruments_info", "GET /v5/market/instruments-info")
def inverse_instrument(stage: Stage) -> None:
    """BTCUSD is an inverse perpetual counted in dollars (step 1) and settled in bitcoin."""
    (item,) = _rows(stage.http.get_instruments_info(**INVERSE))
    assert item["contractType"] == "InversePerpetual"
    assert (item["quoteCoin"], item["settleCoin"]) == ("USD", "BTC")
    assert item["lotSizeFilter"]["qtyStep"] == "1"


@ROWS.pybit("get_instruments_info", "GET /v5/market/instruments-info")
def instruments_by_page(stage: Stage) -> None:
    """Pages of one instrument, followed by cursor, give the same symbols as one page, and end with no cursor."""
    whole = [item["symbol"] for item in _rows(stage.http.get_instruments_info(category="linear", limit=1000))]
    paged, cursor = [], None
    while cursor != "":
        answer = stage.http.get_instruments_info(category="linear", limit=1, cursor=cursor)
        paged += [item["symbol"] for item in _rows(answer)]
        cursor = answer["result"]["nextPageCursor"]
    assert paged == whole
    assert {"BTCUSDT", "ETHUSDT", "XRPUSDT"} <= set(whole)


@ROWS.pybit("get_instruments_info", "GET /v5/market/instruments-info")
def no_instrument_is_prelaunch(stage: Stage) -> None:
    """The status filter is honoured: nothing is in PreLaunch, although by default everything is listed."""
    assert _rows(stage.http.get_instruments_info(category="linear", status="PreLaunch")) == []
    assert _rows(stage.http.get_instruments_info(category="linear")) != []


@ROWS.pybit("get_instruments_info", "GET /v5/market/instruments-info", REFUSED)
def instruments_of_no_category(stage: Stage) -> None:
    """A category the venue does not have is a parameter error."""
    assert stage.refusal(stage.http.get_instruments_info, category="futures")[0] == 10001


@ROWS.ccxt("load_markets", "GET /v5/market/instruments-info")
async def markets(stage: Stage, ccxt: Any) -> None:
    """Every market is there once, with its precision, limits, settlement coin and kind."""
    loaded = await ccxt.load_markets(True)
    assert {BTC_SWAP, ETH_SWAP, XRP_SWAP, BTC_SPOT, BTC_INVERSE} <= set(loaded)
    assert len({(market["id"], market["type"], market["subType"]) for market in loaded.values()}) == len(
        loaded
    )
    swap, spot, inverse = loaded[BTC_SWAP], loaded[BTC_SPOT], loaded[BTC_INVERSE]
    assert swap["precision"] == {"amount": 0.001, "price": 0.1}
    assert (swap["linear"], swap["settle"], swap["limits"]["amount"]["max"]) == (True, "USDT", 1190.0)
    assert (spot["spot"], spot["limits"]["cost"]["min"]) == (True, 5.0)
    assert spot["precision"]["amount"] == 0.000001
    assert (inverse["inverse"], inverse["settle"], inverse["contractSize"]) == (True, "BTC", 1.0)


@ROWS.ccxt("fetch_currencies", "GET /v5/asset/coin/query-info")
async def currencies(stage: Stage, ccxt: Any) -> None:
    """The coins of the listed markets are known, with a network and a precision each."""
    coins = await ccxt.fetch_currencies()
    assert {"BTC", "USDT", "ETH"} <= set(coins)
    assert coins["BTC"]["networks"]
    assert coins["BTC"]["precision"] == 1e-8


@ROWS.pybit("get_orderbook", "GET /v5/market/orderbook")
def linear_book(stage: Stage) -> None:
    """The laid levels come back exactly, bids falling and asks rising, with integer counters."""
    stage.btc_book()
    book = stage.http.get_orderbook(**BTC)["result"]
    assert book["b"] == [["64999.90", "1.000"], ["64999.00", "5.000"]]
    assert book["a"] == [["65000.10", "0.020"], ["65000.50", "0.500"], ["65010.00", "5.000"]]
    assert {type(book[name]) for name in ("ts", "u", "seq", "cts")} == {int}


@ROWS.pybit("get_orderbook", "GET /v5/market/orderbook")
def book_depth_by_category(stage: Stage) -> None:
    """Without a limit spot shows one level a side; with ``limit=2`` a contract shows two."""
    stage.btc_book()
    stage.spot_book()
    spot = stage.http.get_orderbook(**SPOT)["result"]
    assert (len(spot["b"]), len(spot["a"])) == (1, 1)
    linear = stage.http.get_orderbook(**BTC, limit=2)["result"]
    assert (len(linear["b"]), len(linear["a"])) == (2, 2)


@ROWS.pybit("get_orderbook", "GET /v5/market/orderbook")
def inverse_book(stage: Stage) -> None:
    """An inverse book counts dollars."""
    stage.inverse_book()
    book = stage.http.get_orderbook(**INVERSE)["result"]
    assert (book["s"], book["b"][0]) == ("BTCUSD", ["64999.50", "10000"])


@ROWS.ccxt("fetch_order_book", "GET /v5/market/orderbook")
async def book(stage: Stage, ccxt: Any) -> None:
    """Both sides are parsed into numbers in the right order, for a perpetual and for spot."""
    stage.btc_book()
    stage.spot_book()
    swap = await ccxt.fetch_order_book(BTC_SWAP)
    assert swap["bids"] == [[64999.9, 1.0], [64999.0, 5.0]]
    assert swap["asks"][0] == [65000.1, 0.02]
    spot = await ccxt.fetch_order_book(BTC_SPOT, 50)
    assert spot["asks"] == [[65000.1, 0.01], [65001.0, 2.0]]


@ROWS.pybit("get_orderbook", "GET /v5/market/orderbook", REFUSED)
def book_of_unknown_symbol(stage: Stage) -> None:
    """An unknown contract is 10001, an unknown spot pair is 170121."""
    assert stage.refusal(stage.http.get_orderbook, category="linear", symbol="NOPEUSDT")[0] == 10001
    assert stage.refusal(stage.http.get_orderbook, category="spot", symbol="NOPEUSDT")[0] == 170121


@ROWS.pybit("get_tickers", "GET /v5/market/tickers")
def linear_ticker(stage: Stage) -> None:
    """Touch, last price and sizes are the venue's; all figures are text; funding comes every 8 hours."""
    stage.btc_book()
    stage.print_trade("65000.0", "0.004", **BTC)
    (ticker,) = _rows(stage.http.get_tickers(**BTC))
    assert (ticker["bid1Price"], ticker["ask1Price"]) == ("64999.90", "65000.10")
    assert (ticker["bid1Size"], ticker["ask1Size"], ticker["lastPrice"]) == ("1.000", "0.020", "65000.00")
    assert {type(value) for value in ticker.values()} == {str}
    assert ticker["fundingIntervalHour"] == "8"
    assert int(ticker["nextFundingTime"]) % FUNDING_MS == 0


@ROWS.pybit("get_tickers", "GET /v5/market/tickers")
def spot_ticker(stage: Stage) -> None:
    """A spot ticker has touch and index price and nothing of a contract's fields."""
    stage.spot_book()
    (ticker,) = _rows(stage.http.get_tickers(**SPOT))
    assert (ticker["bid1Price"], ticker["ask1Price"]) == ("64999.9", "65000.1")
    assert "usdIndexPrice" in ticker
    assert not {"openInterestValue", "fundingRate", "markPrice"} & set(ticker)


@ROWS.pybit("get_tickers", "GET /v5/market/tickers")
def inverse_ticker(stage: Stage) -> None:
    """An inverse ticker has mark, index and open interest."""
    stage.inverse_book()
    (ticker,) = _rows(stage.http.get_tickers(**INVERSE))
    assert (ticker["symbol"], ticker["ask1Price"], ticker["ask1Size"]) == ("BTCUSD", "65000.50", "2000")
    assert float(ticker["markPrice"]) > 0
    assert "openInterestValue" in ticker


@ROWS.pybit("get_tickers", "GET /v5/market/tickers")
def all_tickers_of_a_category(stage: Stage) -> None:
    """Without a symbol every symbol of the category has one ticker."""
    tickers = _rows(stage.http.get_tickers(category="linear"))
    listed = _rows(stage.http.get_instruments_info(category="linear"))
    assert [each["symbol"] for each in tickers] == [each["symbol"] for each in listed]


@ROWS.ccxt("fetch_ticker", "GET /v5/market/tickers")
async def ticker(stage: Stage, ccxt: Any) -> None:
    """A perpetual's ticker is taken for a contract and a spot ticker for spot, each with its own touch."""
    stage.btc_book()
    stage.lay_book([("64990.0", "1")], [("65010.0", "1")], **SPOT)
    swap, spot = await ccxt.fetch_ticker(BTC_SWAP), await ccxt.fetch_ticker(BTC_SPOT)
    assert (swap["symbol"], swap["bid"], swap["ask"], swap["askVolume"]) == (BTC_SWAP, 64999.9, 65000.1, 0.02)
    assert swap["markPrice"] == FLOATS(65000, rel=0.05)
    assert (spot["symbol"], spot["bid"], spot["ask"]) == (BTC_SPOT, 64990.0, 65010.0)


@ROWS.ccxt("fetch_tickers", "GET /v5/market/tickers")
async def tickers(stage: Stage, ccxt: Any) -> None:
    """All perpetuals at once are told apart by symbol."""
    stage.btc_book()
    found = await ccxt.fetch_tickers([BTC_SWAP, ETH_SWAP])
    assert set(found) == {BTC_SWAP, ETH_SWAP}
    assert found[BTC_SWAP]["bid"] == 64999.9


@ROWS.ccxt("fetch_bids_asks", "GET /v5/market/tickers")
async def touch(stage: Stage, ccxt: Any) -> None:
    """Best bid and ask with their sizes are the laid ones."""
    stage.btc_book()
    found = await ccxt.fetch_bids_asks([BTC_SWAP])
    best = found[BTC_SWAP]
    assert (best["bid"], best["bidVolume"], best["ask"], best["askVolume"]) == (64999.9, 1.0, 65000.1, 0.02)


@ROWS.ccxt("fetch_funding_rate", "GET /v5/market/tickers")
async def funding_rate_of_now(stage: Stage, ccxt: Any) -> None:
    """The rate in force, its next time on the 8-hour grid and the mark price are read from the ticker."""
    now = await ccxt.fetch_funding_rate(BTC_SWAP)
    assert abs(now["fundingRate"]) <= 0.00375
    assert now["fundingTimestamp"] % FUNDING_MS == 0
    assert now["fundingTimestamp"] > now["timestamp"]
    assert now["interval"] == "8h"


@ROWS.pybit("get_public_trade_history", "GET /v5/market/recent-trade")
def linear_trades(stage: Stage) -> None:
    """The last public trade is the one just made: price, size, taker's side, and newest first."""
    stage.btc_book()
    stage.print_trade("65000.0", "0.007", "Sell", **BTC)
    stage.do("trade", **BTC, side="Buy", price="65000.1", qty="0.005")
    last, before = _rows(stage.http.get_public_trade_history(**BTC, limit=2))
    assert (last["price"], last["size"], last["side"]) == ("65000.10", "0.005", "Buy")
    assert (before["price"], before["size"], before["side"]) == ("65000.00", "0.007", "Sell")
    assert int(before["seq"]) < int(last["seq"])
    assert last["isBlockTrade"] is False


@ROWS.pybit("get_public_trade_history", "GET /v5/market/recent-trade")
def spot_trades(stage: Stage) -> None:
    """A spot trade has an id of digits, and at most 60 are given."""
    stage.spot_book()
    for _ in range(3):
        stage.print_trade("65000.0", "0.001", **SPOT)
    trades = _rows(stage.http.get_public_trade_history(**SPOT, limit=60))
    assert 3 <= len(trades) <= 60
    assert trades[0]["execId"].isdigit()
    assert (trades[0]["price"], trades[0]["size"]) == ("65000.0", "0.001000")


@ROWS.ccxt("fetch_trades", "GET /v5/market/recent-trade")
async def trades(stage: Stage, ccxt: Any) -> None:
    """Public trades come oldest first, with side, price, amount and cost."""
    stage.btc_book()
    stage.print_trade("65000.0", "0.004", "Sell", **BTC)
    trades = await ccxt.fetch_trades(BTC_SWAP, None, 5)
    last = trades[-1]
    assert (last["side"], last["price"], last["amount"], last["cost"]) == ("sell", 65000.0, 0.004, 260.0)
    assert [each["timestamp"] for each in trades] == sorted(each["timestamp"] for each in trades)


@ROWS.pybit("get_kline", "GET /v5/market/kline")
def candles(stage: Stage) -> None:
    """The newest one-minute candle comes first, holds the trade just made and starts on its minute."""
    stage.btc_book()
    stage.print_trade("65000.0", "0.004", **BTC)
    first, *rest = _rows(stage.http.get_kline(**BTC, interval=1))
    start, opened, high, low, close, volume, turnover = first
    assert int(start) % MINUTE_MS == 0
    assert close == "65000.00"
    assert float(low) <= min(float(opened), float(close)) <= float(high)
    assert float(volume) >= 0.004
    assert float(turnover) == FLOATS(float(volume) * 65000, rel=0.02)
    assert all(int(row[0]) < int(start) for row in rest)


@ROWS.pybit("get_kline", "GET /v5/market/kline")
def candles_of_every_interval(stage: Stage) -> None:
    """All thirteen intervals are served, and a candle's start lies on its interval's grid."""
    stage.btc_book()
    stage.print_trade("65000.0", "0.004", **BTC)
    for interval in ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M"):
        rows = _rows(stage.http.get_kline(**BTC, interval=interval))
        assert rows, interval
        if interval.isdecimal():
            assert int(rows[0][0]) % (int(interval) * MINUTE_MS) == 0


@ROWS.pybit("get_kline", "GET /v5/market/kline", REFUSED)
def candles_of_unknown_interval(stage: Stage) -> None:
    """An interval that does not exist is a parameter error."""
    assert stage.refusal(stage.http.get_kline, **BTC, interval="7")[0] == 10001


@ROWS.ccxt("fetch_ohlcv", "GET /v5/market/kline")
async def ohlcv(stage: Stage, ccxt: Any) -> None:
    """Candles come oldest first; the last closes at the trade just made."""
    stage.btc_book()
    stage.print_trade("65000.0", "0.004", **BTC)
    candles = await ccxt.fetch_ohlcv(BTC_SWAP, "1m")
    assert [row[0] for row in candles] == sorted(row[0] for row in candles)
    start, _, high, low, close, volume = candles[-1]
    assert start % MINUTE_MS == 0
    assert low <= close == 65000.0 <= high
    assert volume >= 0.004


@ROWS.pybit("get_funding_rate_history", "GET /v5/market/funding/history")
def funding_history(stage: Stage) -> None:
    """Past rates come newest first, eight hours apart."""
    rows = _rows(stage.http.get_funding_rate_history(**BTC, limit=5))
    times = [int(row["fundingRateTimestamp"]) for row in rows]
    assert len(rows) == 5
    assert {a - b for a, b in pairwise(times)} == {FUNDING_MS}
    assert all(abs(float(row["fundingRate"])) <= 0.00375 for row in rows)


@ROWS.pybit("get_funding_rate_history", "GET /v5/market/funding/history")
def funding_history_walked_back(stage: Stage) -> None:
    """``endTime`` alone gives the records up to it, so that history can be walked back."""
    newest = _rows(stage.http.get_funding_rate_history(**BTC, limit=3))
    end_ms = int(newest[-1]["fundingRateTimestamp"]) - 1
    older = _rows(stage.http.get_funding_rate_history(**BTC, endTime=end_ms, limit=3))
    assert int(older[0]["fundingRateTimestamp"]) == int(newest[-1]["fundingRateTimestamp"]) - FUNDING_MS


@ROWS.pybit("get_funding_rate_history", "GET /v5/market/funding/history", REFUSED)
def funding_history_from_a_start_only(stage: Stage) -> None:
    """``startTime`` without ``endTime`` is a parameter error."""
    assert stage.refusal(stage.http.get_funding_rate_history, **BTC, startTime=1_700_000_000_000)[0] == 10001


@ROWS.ccxt("fetch_funding_rate_history", "GET /v5/market/funding/history")
async def funding_history_parsed(stage: Stage, ccxt: Any) -> None:
    """Rates carry the unified symbol and stand on the 8-hour grid."""
    rates = await ccxt.fetch_funding_rate_history(BTC_SWAP, None, 4)
    assert len(rates) == 4
    assert {rate["symbol"] for rate in rates} == {BTC_SWAP}
    assert {rate["timestamp"] % FUNDING_MS for rate in rates} == {0}


@ROWS.pybit("get_open_interest", "GET /v5/market/open-interest")
def open_interest(stage: Stage) -> None:
    """Open interest counts both sides: twice the single figure; records are five minutes apart."""
    rows = _rows(stage.http.get_open_interest(**BTC, intervalTime="5min", limit=3))
    assert len(rows) == 3
    assert all(float(row["openInterest"]) == FLOATS(2 * float(row["singleOpenInterest"])) for row in rows)
    times = [int(row["timestamp"]) for row in rows]
    assert {a - b for a, b in pairwise(times)} == {5 * MINUTE_MS}


@ROWS.pybit("get_open_interest", "GET /v5/market/open-interest", REFUSED)
def open_interest_of_unknown_interval(stage: Stage) -> None:
    """An interval that does not exist is a parameter error."""
    assert stage.refusal(stage.http.get_open_interest, **BTC, intervalTime="2min")[0] == 10001


@ROWS.ccxt("fetch_open_interest", "GET /v5/market/open-interest")
async def open_interest_parsed(stage: Stage, ccxt: Any) -> None:
    """One figure in contracts of the symbol, the same as in the raw record."""
    interest = await ccxt.fetch_open_interest(BTC_SWAP)
    assert interest["symbol"] == BTC_SWAP
    assert interest["openInterestAmount"] == float(interest["info"]["openInterest"]) > 0


@ROWS.ccxt("fetch_open_interest_history", "GET /v5/market/open-interest")
async def open_interest_history(stage: Stage, ccxt: Any) -> None:
    """Hourly records stand on the hour, oldest first."""
    records = await ccxt.fetch_open_interest_history(BTC_SWAP, "1h", None, 3)
    times = [record["timestamp"] for record in records]
    assert len(times) == 3
    assert times == sorted(times)
    assert {time % 3_600_000 for time in times} == {0}


@ROWS.pybit("get_price_limit", "GET /v5/market/price-limit")
def price_limits(stage: Stage) -> None:
    """Highest buy and lowest sell stand one per cent around the mark on a contract, half of that around spot's index.

    The mean distance of the middle of the book from there, which other rows have a part in, widens a contract's band
    on its own side, and moves both ends of spot's.
    """
    stage.btc_book()
    stage.spot_book()
    for where, price, width in ((BTC, "markPrice", 0.01), (SPOT, "usdIndexPrice", 0.005)):
        middle = float(stage.http.get_tickers(**where)["result"]["list"][0][price])
        limits = stage.http.get_price_limit(**where)["result"]
        above = float(limits["buyLmt"]) / middle - 1 - width
        below = float(limits["sellLmt"]) / middle - 1 + width
        if where is BTC:
            assert -0.0005 < below < 0.0005 or -0.0005 < above < 0.0005
            assert below < 0.0005
            assert above > -0.0005
        else:
            assert above == FLOATS(below, abs=0.0005)


@ROWS.pybit("get_price_limit", "GET /v5/market/price-limit", REFUSED)
def price_limits_of_unknown_symbol(stage: Stage) -> None:
    """An unknown symbol is a parameter error."""
    assert stage.refusal(stage.http.get_price_limit, category="linear", symbol="NOPEUSDT")[0] == 10001


@ROWS.ccxt("fetch_ticker", "GET /v5/market/tickers", REFUSED)
async def symbol_the_venue_does_not_list(stage: Stage, ccxt: Any) -> None:
    """The library itself knows from the markets that there is no such symbol."""
    await stage.ccxt_refusal("BadSymbol", ccxt.fetch_ticker("NOPE/USDT:USDT"))


@ROWS.pybit("get_tickers", "GET /v5/market/tickers", REFUSED)
def ticker_of_unknown_symbol(stage: Stage) -> None:
    """An unknown symbol is a parameter error, with the symbol named in the text."""
    code, text = stage.refusal(stage.http.get_tickers, category="linear", symbol="NOPEUSDT")
    assert code == 10001
    assert "symbol" in text


@ROWS.pybit("get_orderbook", "GET /v5/market/orderbook")
def small_ticks(stage: Stage) -> None:
    """Prices and sizes are written with the places of each symbol's tick and step."""
    stage.lay_book([("0.5999", "100")], [("0.6001", "250.5")], **XRP)
    stage.lay_book([("3499.99", "2")], [("3500.01", "0.5")], **ETH)
    assert stage.http.get_orderbook(**XRP)["result"]["a"] == [["0.6001", "250.5"]]
    assert stage.http.get_orderbook(**ETH)["result"]["a"] == [["3500.01", "0.50"]]


@ROWS.pybit("get_mark_price_kline", "GET /v5/market/mark-price-kline")
def mark_candles(stage: Stage) -> None:
    """A candle of the mark price has five figures, without volume, and holds the mark."""
    newest = _rows(stage.http.get_mark_price_kline(**BTC, interval=1))[0]
    (ticker,) = _rows(stage.http.get_tickers(**BTC))
    assert len(newest) == 5
    assert newest[4] == ticker["markPrice"]


@ROWS.pybit("get_index_price_kline", "GET /v5/market/index-price-kline")
def index_candles(stage: Stage) -> None:
    """A candle of the index price has five figures and closes at the index."""
    newest = _rows(stage.http.get_index_price_kline(**BTC, interval=1))[0]
    (ticker,) = _rows(stage.http.get_tickers(**BTC))
    assert (len(newest), newest[4]) == (5, ticker["indexPrice"])


@ROWS.ccxt("fetch_ohlcv", "GET /v5/market/mark-price-kline")
async def mark_ohlcv(stage: Stage, ccxt: Any) -> None:
    """Candles of the mark price are parsed, the last one at the mark."""
    candles = await ccxt.fetch_ohlcv(BTC_SWAP, "1m", None, None, {"price": "mark"})
    ticker = await ccxt.fetch_ticker(BTC_SWAP)
    assert candles[-1][4] == ticker["markPrice"]


@ROWS.pybit("get_insurance", "GET /v5/market/insurance")
def insurance(stage: Stage) -> None:
    """The insurance pool of one coin is asked for and answered."""
    (row,) = stage.http.get_insurance(coin="USDT")["result"]["list"]
    assert (row["coin"], float(row["balance"]) > 0) == ("USDT", True)


@ROWS.pybit("get_announcement", "GET /v5/announcements/index")
def announcements(stage: Stage) -> None:
    """There are no announcements; without a language the request is refused."""
    result = stage.http.get_announcement(locale="en-US")["result"]
    assert (result["total"], result["list"]) == (0, [])
    assert stage.refusal(stage.http.get_announcement)[0] == 10001


@ROWS.ccxt("fetch_status", "GET /v5/system/status")
async def status(stage: Stage, ccxt: Any) -> None:
    """Status is ok, maintenance while announced as ongoing, and ok again when it is completed."""
    assert (await ccxt.fetch_status())["status"] == "ok"
    stage.do("maintenance", id=stage.key.key, state="ongoing")
    try:
        assert (await ccxt.fetch_status())["status"] == "maintenance"
    finally:
        stage.do("maintenance", id=stage.key.key, state="completed")
    assert (await ccxt.fetch_status())["status"] == "ok"


@ROWS.pybit("get_system_status", "GET /v5/system/status")
def announced_maintenance(stage: Stage) -> None:
    """An announced maintenance is listed with its state and times."""
    stage.do("maintenance", id=stage.key.key, state="scheduled", begin_ms=1_900_000_000_000)
    found = _rows(stage.http.get_system_status())
    stage.do("maintenance", id=stage.key.key, state="canceled")
    (mine,) = [row for row in found if row["id"] == stage.key.key]
    assert (mine["state"], mine["begin"]) == ("scheduled", "1900000000000")
