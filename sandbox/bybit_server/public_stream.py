"""The public WebSocket door of one category: subscriptions, and what is pushed to whom when."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Final

from sandbox.bybit_server.book_feed import INTERVALS_NS, BookFeed
from sandbox.bybit_server.clock import NS_PER_MS, now_ms
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import FaultBoard
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.market import Market, PublicTrade
from sandbox.bybit_server.stream_control import (
    Subscriptions,
    decode_message,
    negative_control,
    positive_control,
)
from sandbox.bybit_server.tickers import ticker_push

TICKER_INTERVALS_NS: Final = {"linear": 100 * NS_PER_MS, "spot": 50 * NS_PER_MS}
TRADES_PER_MESSAGE_MAX: Final = 1024
SPOT_ARGS_MAX: Final = 10
IDLE_S: Final = 600.0


class TickerFeed:
    """The ticker stream of one symbol: contracts tell what changed, spot tells everything again."""

    def __init__(self, market: Market, server_ms: int) -> None:
        self._market = market
        self._shown = ticker_push(market, server_ms)
        self._interval_ns = TICKER_INTERVALS_NS[market.instrument.category]
        self._due_ns = 0

    def snapshot(self, server_ms: int) -> JsonObject:
        """Return all fields."""
        return self._frame("snapshot", self._shown, server_ms)

    def poll(self, now_ns: int, server_ms: int) -> JsonObject | None:
        """Return the fields that changed since the last push, if a push is due."""
        if now_ns < self._due_ns:
            return None
        self._due_ns = now_ns + self._interval_ns
        fresh = ticker_push(self._market, server_ms)
        changed = {key: value for key, value in fresh.items() if self._shown.get(key) != value}
        self._shown = fresh
        if not changed:
            return None
        if self._market.instrument.is_spot:
            return self.snapshot(server_ms)
        return self._frame("delta", {"symbol": self._market.instrument.symbol, **changed}, server_ms)

    def _frame(self, kind: str, data: JsonObject, server_ms: int) -> JsonObject:
        item = self._market.instrument
        topic = f"tickers.{item.symbol}"
        if item.is_spot:
            return {"topic": topic, "ts": server_ms, "type": kind, "cs": self._market.seq, "data": data}
        return {"topic": topic, "type": kind, "data": data, "cs": self._market.seq, "ts": server_ms}


class PublicStream:
    """All public connections of one category.

    Parameters
    ----------
    exchange
        The venue shown.
    category
        ``linear``, ``spot``, ...
    faults
        Rules that drop, delay or double messages; a dropped book change is a gap for every subscriber.
    ack_delay_ms
        How long control answers and first snapshots take: clients register their callbacks after sending.
    """

    def __init__(self, exchange: Exchange, category: str, faults: FaultBoard, ack_delay_ms: float) -> None:
        self._exchange = exchange
        self._faults = faults
        self._category = category
        self._ack_delay_ms = ack_delay_ms
        self._subscriptions = Subscriptions()
        self._books: dict[str, BookFeed] = {}
        self._tickers: dict[str, TickerFeed] = {}
        self._trades: dict[str, list[JsonObject]] = {}
        self.halted = False
        exchange.trade_sinks.append(self._on_trade)

    async def serve(self, connection: Connection) -> None:
        """Talk to one client until it leaves."""
        try:
            while (text := await connection.read(IDLE_S)) is not None:
                self._on_text(connection, text)
        finally:
            self._subscriptions.forget(connection)

    def poll(self) -> None:
        """Push everything that is due."""
        if self.halted:
            return
        clock = self._exchange.clock
        now_ns, server_ms = clock.monotonic_ns(), now_ms(clock)
        for topic, rows in self._trades.items():
            for start in range(0, len(rows), TRADES_PER_MESSAGE_MAX):
                chunk = rows[start : start + TRADES_PER_MESSAGE_MAX]
                self._push({"topic": topic, "type": "snapshot", "ts": server_ms, "data": chunk})
        self._trades.clear()
        feeds: dict[str, BookFeed] | dict[str, TickerFeed]
        for feeds in (self._books, self._tickers):
            for topic in [topic for topic in feeds if not self._subscriptions.of(topic)]:
                del feeds[topic]
            for feed in feeds.values():
                message = feed.poll(now_ns, server_ms)
                if message is not None:
                    self._push(message)

    def restart(self) -> None:
        """Tell every book subscriber that the service has started anew."""
        server_ms = now_ms(self._exchange.clock)
        for feed in self._books.values():
            self._push(feed.restart(server_ms))

    def abort_all(self) -> None:
        """Cut every connection that has subscribed to something."""
        for connection in self._subscriptions.connections():
            connection.abort()

    def _push(self, message: JsonObject) -> None:
        topic = str(message["topic"])
        text = json.dumps(message, separators=(",", ":"))
        fault = self._faults.strike("public", topic=topic)
        copies = 1 if fault is None else {"drop": 0, "dup": 2}.get(fault.act, 1)
        delay_ms = 0.0 if fault is None else fault.delay_s * 1000
        for connection in self._subscriptions.of(topic) * copies:
            connection.send_text(text, delay_ms)

    def _on_trade(self, market: Market, trade: PublicTrade) -> None:
        item = market.instrument
        topic = f"publicTrade.{item.symbol}"
        if item.category != self._category or not self._subscriptions.of(topic):
            return
        row: JsonObject = {
            "T": trade.time_ms,
            "s": item.symbol,
            "S": trade.side.value,
            "v": item.qty_text(trade.qty),
            "p": item.px_text(trade.px),
            "L": trade.tick_direction,
            "i": trade.exec_id,
            "BT": False,
            "RPI": False,
            "seq": trade.seq,
        }
        if item.is_spot:
            del row["L"]
        self._trades.setdefault(topic, []).append(row)

    def _on_text(self, connection: Connection, text: str) -> None:
        message = decode_message(connection, text)
        if message is None:
            return
        op, req_id = message.get("op"), message.get("req_id")
        args = message.get("args") if isinstance(message.get("args"), list) else []
        topics = [str(arg) for arg in args] if isinstance(args, list) else []
        match op:
            case "ping":
                connection.send(
                    positive_control(connection, "ping", req_id, ret_msg="pong"), self._ack_delay_ms
                )
            case "subscribe":
                self._subscribe(connection, topics, req_id)
            case "unsubscribe":
                for topic in topics:
                    self._subscriptions.remove(connection, topic)
                connection.send(self._ack(connection, "unsubscribe", req_id), self._ack_delay_ms)
            case _:
                connection.send(
                    negative_control(connection, str(op), req_id, "error:invalid op"), self._ack_delay_ms
                )

    def _subscribe(self, connection: Connection, topics: list[str], req_id: object) -> None:
        refusal = ""
        if self._category == "spot" and len(topics) > SPOT_ARGS_MAX:
            refusal = "args size >10"
        for topic in topics:
            if not refusal and self._first_message(topic) is None:
                refusal = f"error:handler not found,topic:{topic}"
            if not refusal and connection in self._subscriptions.of(topic):
                refusal = f"error:already subscribed,topic:{topic}"
        if refusal or not topics:
            text = refusal or "error:args is empty"
            connection.send(negative_control(connection, "subscribe", req_id, text), self._ack_delay_ms)
            return
        connection.send(self._ack(connection, "subscribe", req_id), self._ack_delay_ms)
        for topic in topics:
            first = self._first_message(topic)
            self._subscriptions.add(connection, topic)
            message = first() if first is not None else None
            if message is not None:
                connection.send(message, self._ack_delay_ms)

    def _ack(self, connection: Connection, op: str, req_id: object) -> JsonObject:
        return positive_control(connection, op, req_id, ret_msg=op if self._category == "spot" else "")

    def _first_message(self, topic: str) -> Callable[[], JsonObject | None] | None:
        """Return what makes the first data message of a topic, or None for an unknown topic."""
        kind, _, rest = topic.partition(".")
        depth, _, depth_symbol = rest.partition(".")
        symbol = depth_symbol if kind == "orderbook" else rest
        market = self._exchange.markets.get((self._category, symbol))
        if market is None:
            return None
        server_ms = now_ms(self._exchange.clock)
        if kind == "orderbook" and depth.isdecimal() and int(depth) in INTERVALS_NS:
            return partial(self._first_book, topic, market, int(depth), server_ms)
        if kind == "tickers":
            return partial(self._first_ticker, topic, market, server_ms)
        return (lambda: None) if kind == "publicTrade" else None

    def _first_ticker(self, topic: str, market: Market, server_ms: int) -> JsonObject:
        return self._tickers.setdefault(topic, TickerFeed(market, server_ms)).snapshot(server_ms)

    def _first_book(self, topic: str, market: Market, depth: int, server_ms: int) -> JsonObject:
        if topic not in self._books:
            self._books[topic] = BookFeed(market, depth)
        return self._books[topic].snapshot(server_ms)
