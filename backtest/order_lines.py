"""Child orders as they leave, written so that two runs can be held against each other byte for byte."""

from dataclasses import dataclass
from typing import Final

import msgspec

from executor.domain.timeline import iso_utc

_KINDS: Final = {"PlaceOrder": "create", "ReplaceOrder": "amend", "CancelOrder": "cancel"}
_SIDES: Final = {1: "BUY", -1: "SELL"}
_commands = msgspec.json.Decoder(list[tuple[str, msgspec.Raw]])


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One request about a child order.

    Parameters
    ----------
    at_ns
        Instant at which the engine decided it, UTC.
    kind
        create, amend or cancel.
    body
        The whole command as the journal holds it.
    """

    at_ns: int
    kind: str
    body: bytes

    def fields(self) -> dict[str, str]:
        """What a person wants to know of it; empty where a cancel has no such thing."""
        command = msgspec.json.decode(self.body)
        order = command["approved"]["order"] if "approved" in command else command
        side = order.get("side")
        return {
            "at": iso_utc(self.at_ns),
            "kind": self.kind,
            "client_order_id": order["client_order_id"],
            "side": "" if side is None else _SIDES[side],
            "qty": order.get("qty", ""),
            "price": order.get("px", ""),
            "time_in_force": order.get("time_in_force", ""),
        }

    def words(self) -> str:
        """The same on one line."""
        told = self.fields()
        terms = f" {told['side']} {told['qty']} at {told['price']} {told['time_in_force']}".rstrip()
        return f"{told['kind']} {told['client_order_id']}{terms if told['side'] else ''}, {told['at']}"


def orders_in(at_ns: int, commands: bytes) -> list[OrderLine]:
    """The requests about child orders among the commands of one event, in order."""
    return [
        OrderLine(at_ns, _KINDS[kind], bytes(body))
        for kind, body in _commands.decode(commands)
        if kind in _KINDS
    ]


def questions_in(commands: bytes) -> dict[str, bytes]:
    """The questions to the adviser among the commands of one event, each with all that it asks, by its decision."""
    found = {}
    for kind, body in _commands.decode(commands):
        if kind == "RequestAdvice":
            found[str(msgspec.json.decode(body)["decision_id"])] = bytes(body)
    return found


def timers_in(commands: bytes) -> dict[str, int]:
    """The timers that commands set: when each is due."""
    found = {}
    for kind, body in _commands.decode(commands):
        if kind == "SetTimer":
            told = msgspec.json.decode(body)
            found[told["key"]] = told["at_ns"]
    return found
