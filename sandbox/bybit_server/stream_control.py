"""Control messages that all sockets have in common, and the book of who has subscribed to what."""

from __future__ import annotations

import json

from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.fields import JsonObject


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
