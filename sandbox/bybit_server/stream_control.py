"""Control messages that all sockets have in common, and the book of who has subscribed to what."""

from __future__ import annotations

import json
from typing import Final

from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.fields import JsonObject

IDLE_MIN_S: Final = 30.0
IDLE_MAX_S: Final = 600.0


class Subscriptions:
    """Connections by topic."""

    def __init__(self) -> None:
        self._by_topic: dict[str, dict[Connection, None]] = {}

    def of(self, topic: str) -> tuple[Connection, ...]:
        """Return the subscribers of a topic."""
        return tuple(self._by_topic.get(topic, ()))

    def add(self, connection: Connection, topic: str) -> None:
        """Subscribe."""
        self._by_topic.setdefault(topic, {})[connection] = None

    def remove(self, connection: Connection, topic: str) -> None:
        """Unsubscribe; unknown pairs are ignored."""
        subscribers = self._by_topic.get(topic)
        if subscribers is not None:
            subscribers.pop(connection, None)
            if not subscribers:
                del self._by_topic[topic]

    def forget(self, connection: Connection) -> None:
        """Unsubscribe a connection from everything."""
        for topic in list(self._by_topic):
            self.remove(connection, topic)

    def topics(self, connection: Connection) -> list[str]:
        """Return what a connection has subscribed to."""
        return [topic for topic, subscribers in self._by_topic.items() if connection in subscribers]

    def connections(self) -> list[Connection]:
        """Return every subscriber once."""
        return list(
            {connection: None for subscribers in self._by_topic.values() for connection in subscribers}
        )


def decode_message(connection: Connection, text: str) -> JsonObject | None:
    """Return a message as an object; otherwise complain to the client and return None."""
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if isinstance(message, dict):
        return message
    connection.send(
        {
            "success": False,
            "ret_msg": f"Failed to decode incoming data:{text[:64]}",
            "conn_id": connection.conn_id,
        }
    )
    return None


def positive_control(connection: Connection, op: str, req_id: object, ret_msg: str = "") -> JsonObject:
    """Return a success; the request id comes back with the type it had, or not at all."""
    return _control(connection, op, req_id, ret_msg, success=True)


def negative_control(connection: Connection, op: str, req_id: object, ret_msg: str) -> JsonObject:
    """Return a failure."""
    return _control(connection, op, req_id, ret_msg, success=False)


def _control(connection: Connection, op: str, req_id: object, ret_msg: str, *, success: bool) -> JsonObject:
    message: JsonObject = {"success": success, "ret_msg": ret_msg, "conn_id": connection.conn_id}
    if req_id is not None:
        message["req_id"] = req_id
    message["op"] = op
    return message


def option_verdict(connection: Connection, topics: list[str], *, success: bool) -> JsonObject:
    """Return the option stream's answer to a subscription, which has a shape of its own."""
    told: JsonObject = {"failTopics": [] if success else topics, "successTopics": topics if success else []}
    return {"success": success, "conn_id": connection.conn_id, "data": told, "type": "COMMAND_RESP"}


def option_pong(server_ms: int) -> JsonObject:
    """Return the option stream's pong."""
    return {"args": [str(server_ms)], "op": "pong"}


def idle_limit_s(text: str) -> float:
    """Return how long a socket may be silent, as ``max_active_time`` asks: ``30s`` to ``10m``, by default 10 min."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdecimal()) or unit not in {"s", "m"}:
        return IDLE_MAX_S
    return min(IDLE_MAX_S, max(IDLE_MIN_S, float(int(number) * (60 if unit == "m" else 1))))
