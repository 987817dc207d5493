"""The public WebSocket door of one category: subscriptions, and what is pushed to whom when."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.book_faults import Distortions
from sandbox.bybit_server.book_feed import BookFeed
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import FaultBoard, FaultEvent, Moment
from sandbox.bybit_server.feeds import EventFeed, Feed
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.market import Market, PublicTrade
from sandbox.bybit_server.public_topics import TopicTable
from sandbox.bybit_server.push_faults import PushDesk
from sandbox.bybit_server.stream_control import (
    Subscriptions,
    decode_message,
    negative_control,
    option_pong,
    option_verdict,
    positive_control,
)

SPOT_ARGS_MAX: Final = 10
OPTION: Final = "option"


class PublicStream:
    """All public connections of one category.

    Parameters
    ----------
    exchange
        The venue shown.
    category
        ``linear``, ``spot``, ..., or ``misc/status``.
    faults
        Rules that spoil messages; a dropped book change is a gap for every subscriber.
    ack_delay_ms
        How long control answers and first snapshots take: clients register their callbacks after sending.
    distortions
        What is to be wrong with books.
    """

    def __init__(
        self,
        exchange: Exchange,
        category: str,
        faults: FaultBoard,
        ack_delay_ms: float,
        distortions: Distortions,
    ) -> None:
        self._exchange = exchange
        self._faults = faults
        self._category = category
        self._ack_delay_ms = ack_delay_ms
        self._desk = PushDesk(faults, "public")
        self._table = TopicTable(category, exchange.markets, distortions)
        self._subscriptions = Subscriptions()
        self._feeds: dict[str, Feed] = {}
        self.halted = False
        exchange.trade_sinks.append(self._on_trade)
        exchange.liquidation_sinks.append(self.liquidated)

    async def serve(self, connection: Connection, idle_s: float) -> None:
        """Talk to one client until it leaves."""
        try:
            while (text := await connection.read(idle_s)) is not None:
                self._on_text(connection, text)
        finally:
            self._subscriptions.forget(connection)

    def poll(self) -> None:
        """Push everything that is due."""
        if self.halted:
            return
        clock = self._exchange.clock
        now_ns, server_ms = clock.monotonic_ns(), now_ms(clock)
        for topic in [topic for topic in self._feeds if not self._subscriptions.of(topic)]:
            del self._feeds[topic]
        for topic, feed in self._feeds.items():
            for message in feed.due(now_ns, server_ms):
                self._push(topic, message)

    def book_feeds(self, symbol: str, depth: int | None) -> dict[str, BookFeed]:
        """Return the book topics of a symbol that somebody hears, of all depths if ``depth`` is None."""
        return {
            topic: feed
            for topic, feed in self._feeds.items()
            if isinstance(feed, BookFeed)
            and topic.endswith(f".{symbol}")
            and depth in {None, int(topic.split(".")[1])}
        }

    def restart_books(self, symbol: str = "", depth: int | None = None) -> int:
        """Tell book subscribers that the service has started anew; return how many topics."""
        server_ms = now_ms(self._exchange.clock)
        chosen = (
            self.book_feeds(symbol, depth)
            if symbol
            else {topic: feed for topic, feed in self._feeds.items() if isinstance(feed, BookFeed)}
        )
        for topic, feed in chosen.items():
            self._push(topic, feed.restart(server_ms))
        return len(chosen)

    def tell(self, topic: str, row: JsonObject) -> None:
        """Pass an event on to the subscribers of a topic of events, if it has any."""
        feed = self._feeds.get(topic)
        if isinstance(feed, EventFeed):
            feed.add(row)

    def liquidated(self, market: Market, side: Side, qty: Decimal, px: Decimal) -> None:
        """Tell of a liquidation: the side of the position that ended, its size and bankruptcy price."""
        item = market.instrument
        if item.category != self._category:
            return
        row: JsonObject = {
            "T": now_ms(self._exchange.clock),
            "s": item.symbol,
            "S": side.value,
            "v": item.qty_text(qty),
            "p": item.px_text(px),
        }
        self.tell(f"allLiquidation.{item.symbol}", row)

    def abort_all(self) -> None:
        """Cut every connection that has subscribed to something."""
        for connection in self._subscriptions.connections():
            connection.abort()

    def _push(self, topic: str, message: JsonObject) -> None:
        event = FaultEvent(topics=(topic,), symbols=(topic.rpartition(".")[2],))
        self._desk.push([(message, self._subscriptions.of(topic))], event, 0.0)

    def _on_trade(self, market: Market, trade: PublicTrade) -> None:
        item = market.instrument
        topic = f"publicTrade.{item.symbol}"
        if item.category != self._category or topic not in self._feeds:
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
        self.tell(topic, row)

    def _on_text(self, connection: Connection, text: str) -> None:
        message = decode_message(connection, text)
        if message is None:
            return
        op, req_id = message.get("op"), message.get("req_id")
        args = message.get("args")
        topics = [str(arg) for arg in args] if isinstance(args, list) else []
        match op:
            case "ping":
                self._pong(connection, req_id)
            case "subscribe":
                self._subscribe(connection, topics, req_id)
            case "unsubscribe":
                for topic in topics:
                    self._subscriptions.remove(connection, topic)
                connection.send(self._ack(connection, "unsubscribe", req_id, topics), self._ack_delay_ms)
            case _:
                answer = negative_control(connection, str(op), req_id, "error:invalid op")
                connection.send(answer, self._ack_delay_ms)

    def _pong(self, connection: Connection, req_id: object) -> None:
        if self._faults.strike("public", Moment.PING) is not None:
            return
        if self._category == OPTION:
            pong = option_pong(now_ms(self._exchange.clock))
        else:
            pong = positive_control(connection, "ping", req_id, ret_msg="pong")
        connection.send(pong, self._ack_delay_ms)

    def _subscribe(self, connection: Connection, topics: list[str], req_id: object) -> None:
        if self._faults.strike("public", Moment.SUBSCRIBE, FaultEvent(topics=tuple(topics))) is not None:
            return
        refusal = self._refusal(connection, topics)
        if refusal:
            answer = negative_control(connection, "subscribe", req_id, refusal)
            if self._category == OPTION:
                answer = option_verdict(connection, topics, success=False)
            connection.send(answer, self._ack_delay_ms)
            return
        connection.send(self._ack(connection, "subscribe", req_id, topics), self._ack_delay_ms)
        server_ms = now_ms(self._exchange.clock)
        for topic in topics:
            if topic not in self._feeds:
                self._feeds[topic] = self._table.make(topic, server_ms)
            self._subscriptions.add(connection, topic)
            first = self._feeds[topic].first(server_ms)
            if first is not None:
                connection.send(first, self._ack_delay_ms)

    def _refusal(self, connection: Connection, topics: list[str]) -> str:
        """Return why a subscription is refused as a whole, or nothing."""
        if self._category == "spot" and len(topics) > SPOT_ARGS_MAX:
            return "args size >10"
        asked: set[str] = set()
        for topic in topics:
            if not self._table.knows(topic):
                return f"error:handler not found,topic:{topic}"
            if topic in asked or connection in self._subscriptions.of(topic):
                return f"error:already subscribed,topic:{topic}"
            asked.add(topic)
        return "" if topics else "error:args is empty"

    def _ack(self, connection: Connection, op: str, req_id: object, topics: list[str]) -> JsonObject:
        if self._category == OPTION:
            return option_verdict(connection, topics, success=True)
        return positive_control(connection, op, req_id, ret_msg=op if self._category == "spot" else "")
