"""The private WebSocket door: authentication, subscriptions, and pushes in the venue's order."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import FaultBoard, FaultEvent, Moment
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.instruments import CATEGORIES
from sandbox.bybit_server.outbox import PrivateMessage
from sandbox.bybit_server.push_faults import PushDesk
from sandbox.bybit_server.refusal import RefusalError
from sandbox.bybit_server.signature import authenticate_stream
from sandbox.bybit_server.stream_control import (
    Subscriptions,
    decode_message,
    negative_control,
    positive_control,
)

KINDS: Final = ("order", "execution", "execution.fast", "position")
WHOLE_TOPICS: Final = frozenset({*KINDS, "wallet", "greeks", "dcp.future", "dcp.spot", "dcp.option"})
CATEGORY_TOPICS: Final = {f"{kind}.{category}": kind for kind in KINDS for category in CATEGORIES}


class PrivateStream:
    """All private connections.

    Parameters
    ----------
    exchange
        The venue whose messages are pushed.
    faults
        Rules that drop, delay or double messages.
    ack_delay_ms
        How long control answers take.
    push_delay_ms
        How long a pushed message takes.
    """

    def __init__(
        self, exchange: Exchange, faults: FaultBoard, ack_delay_ms: float, push_delay_ms: float
    ) -> None:
        self._exchange = exchange
        self._faults = faults
        self._ack_delay_ms = ack_delay_ms
        self._push_delay_ms = push_delay_ms
        self._subscriptions = Subscriptions()
        self._desk = PushDesk(faults, "private")
        self._uids: dict[Connection, int] = {}
        exchange.private_sinks.append(self._on_messages)

    async def serve(self, connection: Connection, idle_s: float) -> None:
        """Talk to one client until it leaves."""
        try:
            while (text := await connection.read(idle_s)) is not None:
                self._on_text(connection, text)
        finally:
            uid = self._uids.pop(connection, None)
            for topic in self._subscriptions.topics(connection):
                if uid is not None:
                    self._exchange.dcp_watch.lost(uid, topic, connection)
            self._subscriptions.forget(connection)

    def publish(self, message: PrivateMessage) -> None:
        """Send one message to everyone of its user who wants it."""
        deliveries = []
        for topic in (message.kind, f"{message.kind}.{message.category}"):
            subscribers = [c for c in self._subscriptions.of(topic) if self._uids.get(c) == message.uid]
            if subscribers:
                deliveries.append((self._frame(message, topic), subscribers))
        if deliveries:
            self._desk.push(deliveries, _event(message), self._push_delay_ms)

    def _on_messages(self, messages: list[PrivateMessage]) -> None:
        for message in messages:
            self.publish(message)

    def _frame(self, message: PrivateMessage, topic: str) -> JsonObject:
        server_ms = now_ms(self._exchange.clock)
        frame: JsonObject = {"topic": topic, "creationTime": server_ms, "data": list(message.rows)}
        if message.kind == "execution.fast":
            return frame
        middle = {"wallet": "wallet"}.get(
            message.kind, "20000" if message.category == "spot" else message.symbol
        )
        tail = server_ms if message.kind == "wallet" else message.seq
        return {"id": f"{message.uid}_{middle}_{tail}", **frame}

    def _on_text(self, connection: Connection, text: str) -> None:
        message = decode_message(connection, text)
        if message is None:
            return
        op, req_id = message.get("op"), message.get("req_id")
        args = message.get("args")
        topics = [str(arg) for arg in args] if isinstance(args, list) else []
        match op:
            case "ping":
                if self._faults.strike("private", Moment.PING) is None:
                    stamp = str(now_ms(self._exchange.clock))
                    pong: JsonObject = {"op": "pong", "args": [stamp], "conn_id": connection.conn_id}
                    connection.send(
                        {"req_id": req_id, **pong} if req_id is not None else pong, self._ack_delay_ms
                    )
            case "auth":
                self._authenticate(connection, args, req_id)
            case "subscribe":
                self._subscribe(connection, topics, req_id)
            case "unsubscribe":
                for topic in topics:
                    self._subscriptions.remove(connection, topic)
                    if connection in self._uids:
                        self._exchange.dcp_watch.lost(self._uids[connection], topic, connection)
                connection.send(positive_control(connection, "unsubscribe", req_id), self._ack_delay_ms)
            case _:
                answer = negative_control(connection, str(op), req_id, "error:invalid op")
                connection.send(answer, self._ack_delay_ms)

    def _subscribe(self, connection: Connection, topics: list[str], req_id: object) -> None:
        if self._faults.strike("private", Moment.SUBSCRIBE, FaultEvent(topics=tuple(topics))) is not None:
            return
        refusal = self._refusal(connection, topics)
        if refusal:
            answer = negative_control(connection, "subscribe", req_id, refusal)
        else:
            answer = positive_control(connection, "subscribe", req_id)
            for topic in topics:
                self._subscriptions.add(connection, topic)
                self._exchange.dcp_watch.held(self._uids[connection], topic, connection)
        connection.send(answer, self._ack_delay_ms)

    def _authenticate(self, connection: Connection, args: object, req_id: object) -> None:
        exchange = self._exchange
        fault = self._faults.strike("private", Moment.AUTH)
        try:
            if fault is not None:
                raise RefusalError(fault.details.ret_code, fault.details.ret_text)
            server_ms = now_ms(exchange.clock)
            credentials = authenticate_stream(args, exchange.keys, server_ms)
            exchange.key_ring.rights(credentials.key).refuse_if_dead(server_ms)
        except RefusalError as refusal:
            connection.send(negative_control(connection, "auth", req_id, refusal.text), self._ack_delay_ms)
            return
        self._uids[connection] = credentials.uid
        connection.send(positive_control(connection, "auth", req_id), self._ack_delay_ms)

    def _refusal(self, connection: Connection, topics: list[str]) -> str:
        """Return why a subscription is refused, or nothing."""
        if connection not in self._uids:
            return "Request not authorized"
        held = self._subscriptions.topics(connection)
        kinds_whole = {topic for topic in [*held, *topics] if topic in WHOLE_TOPICS}
        kinds_split = {CATEGORY_TOPICS[topic] for topic in [*held, *topics] if topic in CATEGORY_TOPICS}
        for topic in topics:
            if topic not in WHOLE_TOPICS and topic not in CATEGORY_TOPICS:
                return f"error:handler not found,topic:{topic}"
            if topic in held:
                return f"error:already subscribed,topic:{topic}"
        if kinds_whole & kinds_split:
            return "subscription conflict"
        return "" if topics else "error:args is empty"


def _event(message: PrivateMessage) -> FaultEvent:
    links = tuple(str(row.get("orderLinkId", "")) for row in message.rows)
    symbols = tuple(str(row.get("symbol", message.symbol)) for row in message.rows)
    topics = (message.kind, f"{message.kind}.{message.category}")
    return FaultEvent(topics=topics, link_ids=links, symbols=symbols)
