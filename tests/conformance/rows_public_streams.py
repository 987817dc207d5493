"""Rows about public streams: books of every depth, trades, tickers, candles, liquidations, bands, notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.calls import REFUSED, Rows, Setting
from tests.conformance.sockets import assert_pings
from tests.conformance.stage import (
    BTC,
    ETH,
    INVERSE,
    SPOT,
    Stage,
    quiet_threads,
)
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Public streams heard by pybit", "public stream")


class Heard(list[dict[str, Any]]):
    """Messages in the order of their arrival; ``hear`` is the callback."""

    def hear(self, message: dict[str, Any]) -> None:
        # The library hands out its own book again and again: what it was at this moment is kept.
        data = message["data"]
        kept = (
            {**data, **{side: sorted(data[side]) for side in ("b", "a") if side in data}}
            if isinstance(data, dict)
            else list(data)
        )
        self.append({**message, "data": kept})

    def first(self, wanted: Callable[[dict[str, Any]], bool] = lambda message: True) -> dict[str, Any]:
        """Wait for a message that is wanted and return it."""
        found: dict[str, Any] = poll_until(lambda: next((each for each in list(self) if wanted(each)), None))
        return found


def levels(message: dict[str, Any], side: str) -> dict[str, str]:
    """Return quantity by price of one side."""
    return dict(message["data"][side])


def book_row(depth: int, channel: str, where: dict[str, str], lay: str, px: str, qty: str) -> None:
    """Add the row of one depth and category: the laid book comes first, then a new level, then without it."""

    def act(stage: Stage) -> None:
        getattr(stage, lay)()
        heard = Heard()
        stage.socket(channel).orderbook_stream(depth, where["symbol"], heard.hear)
        first = heard.first()
        assert first["type"] == "snapshot"
        assert first["topic"] == f"orderbook.{depth}.{where['symbol']}"
        assert max(map(float, levels(first, "b"))) < min(map(float, levels(first, "a")))
        assert px not in levels(first, "b")
        stage.do("quote", **where, side="Buy", price=px, qty=qty)
        grown = heard.first(lambda message: px in levels(message, "b"))
        assert float(levels(grown, "b")[px]) == float(qty)
        assert grown["data"]["u"] > first["data"]["u"]
        stage.do("trade", **where, side="Sell", price=px, qty=qty)
        heard.first(
            lambda message: message["data"]["u"] > grown["data"]["u"] and px not in levels(message, "b")
        )

    act.__name__ = f"{channel} book {depth}"
    act.__doc__ = (
        f"The {depth}-level book of {channel} starts with what was laid; a new best bid of {qty} at {px} appears in "
        "it and, once traded, is gone."
    )
    ROWS.pybit_ws("orderbook_stream", f"orderbook.{depth}.{where['symbol']}")(act)


for _depth in (1, 50, 200, 1000):
    book_row(_depth, "linear", BTC, "btc_book", "65000.00", "0.7")
    book_row(_depth, "spot", SPOT, "spot_book", "65000.0", "0.3")
    book_row(_depth, "inverse", INVERSE, "inverse_book", "65000.00", "700")


@ROWS.pybit_ws("orderbook_stream", "orderbook.50.BTCUSDT", setting=Setting.LIVELY)
def lively_book_stays_sound(stage: Stage) -> None:
    """Through 200 messages of a busy book the copy is never crossed nor deeper than 50, and ``u`` rises by one."""
    heard = Heard()
    stage.socket("linear").orderbook_stream(50, "BTCUSDT", heard.hear)
    poll_until(lambda: len(heard) >= 200, 20.0)
    messages = list(heard)
    for message in messages:
        assert max(map(float, levels(message, "b"))) < min(map(float, levels(message, "a")))
        assert max(len(message["data"]["b"]), len(message["data"]["a"])) <= 50
    numbers = [message["data"]["u"] for message in messages]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@ROWS.pybit_ws("orderbook_stream", "orderbook.50.*", setting=Setting.LIVELY)
def several_symbols_on_one_socket(stage: Stage) -> None:
    """Two symbols in one subscription are told apart by topic."""
    heard = Heard()
    stage.socket("linear").orderbook_stream(50, ["ETHUSDT", "XRPUSDT"], heard.hear)
    assert heard.first(lambda message: message["topic"].endswith("XRPUSDT"))["data"]["s"] == "XRPUSDT"
    assert heard.first(lambda message: message["topic"].endswith("ETHUSDT"))["data"]["s"] == "ETHUSDT"


@ROWS.pybit_ws("orderbook_stream", "orderbook.50.BTCUSDT")
def book_after_a_restart_of_the_service(stage: Stage) -> None:
    """A snapshot with ``u`` 1 replaces the library's book, and deltas go on from there."""
    stage.btc_book()
    heard = Heard()
    stage.socket("linear").orderbook_stream(50, "BTCUSDT", heard.hear)
    heard.first()
    stage.do("restart")
    fresh = heard.first(lambda message: message["data"]["u"] == 1)
    assert levels(fresh, "b")["64999.90"] == "1.000"
    stage.do("quote", **BTC, side="Buy", price="65000.0", qty="0.2")
    assert heard.first(lambda message: "65000.00" in levels(message, "b"))["data"]["u"] == 2


@ROWS.pybit_ws("trade_stream", "publicTrade.BTCUSDT")
def trades(stage: Stage) -> None:
    """A trade made is a trade heard: price, quantity, taker's side, and a tick direction on contracts."""
    stage.btc_book()
    heard = Heard()
    socket = stage.socket("linear")
    socket.trade_stream("BTCUSDT", heard.hear)
    subscribed(socket)
    stage.do("trade", **BTC, side="Buy", price="65000.1", qty="0.004")
    (trade,) = heard.first()["data"]
    assert (trade["p"], trade["v"], trade["S"], trade["s"]) == ("65000.10", "0.004", "Buy", "BTCUSDT")
    assert trade["L"] in {"PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick"}
    assert (trade["BT"], trade["RPI"]) == (False, False)


@ROWS.pybit_ws("trade_stream", "publicTrade.BTCUSDT")
def spot_trades(stage: Stage) -> None:
    """A spot trade has an id of digits and no tick direction."""
    stage.spot_book()
    heard = Heard()
    socket = stage.socket("spot")
    socket.trade_stream("BTCUSDT", heard.hear)
    subscribed(socket)
    stage.do("trade", **SPOT, side="Sell", price="64999.9", qty="0.004")
    (trade,) = heard.first()["data"]
    assert (trade["p"], trade["v"], trade["S"]) == ("64999.9", "0.004000", "Sell")
    assert trade["i"].isdigit()
    assert "L" not in trade


@ROWS.pybit_ws("trade_stream", "publicTrade.BTCUSD")
def inverse_trades(stage: Stage) -> None:
    """An inverse trade counts dollars."""
    stage.inverse_book()
    heard = Heard()
    socket = stage.socket("inverse")
    socket.trade_stream("BTCUSD", heard.hear)
    subscribed(socket)
    stage.do("trade", **INVERSE, side="Buy", price="65000.5", qty="300")
    (trade,) = heard.first()["data"]
    assert (trade["p"], trade["v"], trade["s"]) == ("65000.50", "300", "BTCUSD")


def subscribed(socket: Any) -> None:
    """Wait until the venue has had time to note a subscription: its next control answer has come."""
    heard = Heard()
    socket.ticker_stream("BTCUSD" if "inverse" in socket.endpoint else "BTCUSDT", heard.hear)
    heard.first()


@ROWS.pybit_ws("ticker_stream", "tickers.BTCUSDT")
def ticker(stage: Stage) -> None:
    """The ticker merged by the library shows the new last price after a trade and the new best bid after a quote."""
    stage.btc_book()
    heard = Heard()
    stage.socket("linear").ticker_stream("BTCUSDT", heard.hear)
    first = heard.first()["data"]
    assert (first["bid1Price"], first["ask1Price"]) == ("64999.90", "65000.10")
    assert {"markPrice", "indexPrice", "openInterest", "fundingRate", "nextFundingTime"} <= set(first)
    stage.do("quote", **BTC, side="Buy", price="65000.0", qty="0.2")
    stage.do("trade", **BTC, side="Buy", price="65000.1", qty="0.004")
    last = heard.first(lambda m: (m["data"]["bid1Price"], m["data"]["lastPrice"]) == ("65000.00", "65000.10"))
    assert last["data"]["bid1Size"] == "0.200"


@ROWS.pybit_ws("ticker_stream", "tickers.BTCUSDT")
def spot_ticker(stage: Stage) -> None:
    """A spot ticker has last price and index and no bid or ask."""
    stage.spot_book()
    heard = Heard()
    stage.socket("spot").ticker_stream("BTCUSDT", heard.hear)
    data = heard.first()["data"]
    assert {"lastPrice", "usdIndexPrice", "volume24h"} <= set(data)
    assert not {"bid1Price", "ask1Price"} & set(data)


@ROWS.pybit_ws("ticker_stream", "tickers.BTCUSD")
def inverse_ticker(stage: Stage) -> None:
    """An inverse ticker shows its touch in dollars per bitcoin and sizes in dollars."""
    stage.inverse_book()
    heard = Heard()
    stage.socket("inverse").ticker_stream("BTCUSD", heard.hear)
    data = heard.first()["data"]
    assert (data["ask1Price"], data["ask1Size"]) == ("65000.50", "2000")


@ROWS.pybit_ws("kline_stream", "kline.1.BTCUSDT")
def candles(stage: Stage) -> None:
    """A candle closes at the trade just made, spans its minute inclusively and is confirmed once that is over."""
    stage.btc_book()
    heard = Heard()
    stage.socket("linear").kline_stream(1, "BTCUSDT", heard.hear)
    stage.do("trade", **BTC, side="Buy", price="65000.1", qty="0.004")

    def has_traded(each: dict[str, Any]) -> bool:
        (candle,) = each["data"]  # one without trades stands where the last one closed
        return candle["close"] == "65000.10" and float(candle["volume"]) >= 0.004

    message = heard.first(has_traded)
    (candle,) = message["data"]
    assert candle["end"] == candle["start"] + 59_999
    assert (candle["interval"], candle["confirm"]) == ("1", message["ts"] > candle["end"])
    assert float(candle["low"]) <= 65000.1 <= float(candle["high"])


@ROWS.pybit_ws("all_liquidation_stream", "allLiquidation.BTCUSDT")
def liquidations(stage: Stage) -> None:
    """A liquidated long is told as Buy with its quantity and bankruptcy price."""
    heard = Heard()
    socket = stage.socket("linear")
    socket.all_liquidation_stream("BTCUSDT", heard.hear)
    subscribed(socket)
    stage.do("liquidation", **BTC, side="Buy", qty="0.006", price="64000")
    (row,) = heard.first()["data"]
    assert (row["s"], row["S"], row["v"], row["p"]) == ("BTCUSDT", "Buy", "0.006", "64000.00")


@ROWS.pybit_ws("price_limit_stream", "priceLimit.BTCUSDT")
def price_limits(stage: Stage) -> None:
    """The streamed band is the band that REST gives."""
    stage.btc_book()
    heard = Heard()
    stage.socket("linear").price_limit_stream("BTCUSDT", heard.hear)
    data = heard.first()["data"]
    limits = stage.http.get_price_limit(**BTC)["result"]
    assert (data["buyLmt"], data["sellLmt"]) == (limits["buyLmt"], limits["sellLmt"])


@ROWS.pybit_ws("system_status_stream", "system.status")
def maintenance_is_announced(stage: Stage) -> None:
    """An announcement of maintenance is heard with its state and times."""
    heard = Heard()
    socket = stage.socket("misc/status")
    socket.system_status_stream(heard.hear)

    def announced() -> dict[str, Any] | None:
        stage.do("maintenance", state="scheduled", begin_ms=1_900_000_000_000, end_ms=1_900_000_060_000)
        return next((row for message in list(heard) for row in message["data"]), None)

    row = poll_until(announced)
    stage.do("maintenance", state="completed")
    assert (row["state"], row["begin"], row["end"]) == ("scheduled", "1900000000000", "1900000060000")


@ROWS.pybit_ws("unsubscribe", "tickers.BTCUSDT")
def unsubscribed(stage: Stage) -> None:
    """After an unsubscription the topic may be subscribed anew and starts with a snapshot."""
    stage.btc_book()
    heard = Heard()
    socket = stage.socket("linear")
    socket.ticker_stream("BTCUSDT", heard.hear)
    heard.first()
    socket.unsubscribe("tickers.BTCUSDT")
    poll_until(lambda: "tickers.BTCUSDT" not in socket.callback_directory)
    again = Heard()
    socket.ticker_stream("BTCUSDT", again.hear)
    assert again.first()["data"]["symbol"] == "BTCUSDT"


@ROWS.pybit_ws("orderbook_stream", "orderbook.500.BTCUSDT", REFUSED)
def depth_that_is_not_offered(stage: Stage) -> None:
    """Depth 500 is refused; no message of it ever comes and the library closes its socket."""
    stage.btc_book()
    heard = Heard()
    socket = stage.socket("linear")
    with quiet_threads():
        socket.orderbook_stream(500, "BTCUSDT", heard.hear)
        poll_until(lambda: not socket.is_connected())
    assert heard == []


@ROWS.pybit_ws("orderbook_stream", "orderbook.50.ETHUSDT")
def reconnects_after_an_abort(stage: Stage) -> None:
    """With ``retries=0`` a socket that is cut comes back, and its book is the venue's of now."""
    stage.lay_book([("3499", "1")], [("3501", "1")], **ETH)
    heard = Heard()
    socket = stage.socket("linear", retries=0)
    socket.orderbook_stream(50, "ETHUSDT", heard.hear)
    heard.first()
    stage.do("cut_public")
    stage.lay_book([("3498", "2")], [("3502", "2")], **ETH)
    back = heard.first(lambda message: "3498.00" in levels(message, "b"))
    assert set(levels(back, "b")) == {"3498.00"}
    assert socket.is_connected()


@ROWS.pybit_ws("ticker_stream", "tickers.ETHUSDT")
def survives_an_outage(stage: Stage) -> None:
    """While the venue takes no connections the library tries on with ``retries=0``, and then hears again."""
    heard = Heard()
    socket = stage.socket("linear", retries=0)
    socket.ticker_stream("ETHUSDT", heard.hear)
    heard.first()
    stage.do("refuse_connect", s=0.5, cut=True)
    poll_until(lambda: not socket.is_connected())
    known = len(heard)
    poll_until(lambda: len(heard) > known)
    assert socket.is_connected()


@ROWS.pybit_ws("liquidation_stream", "liquidation.BTCUSDT", REFUSED)
def retired_topic(stage: Stage) -> None:
    """The retired liquidation topic is refused, and the library closes its socket."""
    with quiet_threads():
        socket = stage.socket("linear")
        socket.liquidation_stream("BTCUSDT", print)
        poll_until(lambda: not socket.is_connected())


@ROWS.pybit_ws("orderbook_stream", "orderbook.50.*", REFUSED)
def eleven_spot_topics(stage: Stage) -> None:
    """More than ten spot topics in one request are refused as a whole."""
    with quiet_threads():
        socket = stage.socket("spot")
        socket.orderbook_stream(50, ["BTCUSDT", *(f"COIN{n}USDT" for n in range(10))], print)
        poll_until(lambda: not socket.is_connected())


@ROWS.pybit_ws("ticker_stream", "tickers.BTCUSDT", REFUSED)
def topic_twice(stage: Stage) -> None:
    """The library itself refuses to subscribe the same topic twice; the first goes on."""
    stage.btc_book()
    heard = Heard()
    socket = stage.socket("linear")
    socket.ticker_stream("BTCUSDT", heard.hear)
    heard.first()
    with pytest.raises(Exception, match="already subscribed"):
        socket.ticker_stream("BTCUSDT", heard.hear)
    assert socket.is_connected()


@ROWS.pybit_ws("order_stream", "order", REFUSED)
def private_topic_on_a_public_socket(stage: Stage) -> None:
    """The library itself refuses a private topic on a public socket."""
    with pytest.raises(Exception, match="does not match channel_type"):
        stage.socket("linear").order_stream(print)


@ROWS.pybit_ws("ticker_stream", "tickers.BTCUSDT")
def pings(stage: Stage) -> None:
    """Frames and texts of ping are answered on a public socket."""
    assert_pings(stage.socket("linear", ping_interval=0.3, ping_timeout=0.2))
    assert_pings(stage.socket("spot", ping_interval=0.3, ping_timeout=0.2))
