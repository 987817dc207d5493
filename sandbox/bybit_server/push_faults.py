"""How a pushed message goes wrong on its way: lost, doubled, late, in the wrong order, damaged or edited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, TypeAlias

from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.faults import Fault, FaultBoard, FaultEvent, Moment
from sandbox.bybit_server.fields import JsonObject

DAMAGE: Final = b"\x01"
Delivery: TypeAlias = tuple[JsonObject, Sequence[Connection]]
"""One form of a message, and who gets it in that form."""


class PushDesk:
    """Sends messages of one stream, past the rules in force.

    Parameters
    ----------
    faults
        The rules.
    target
        ``private`` or ``public``.
    """

    def __init__(self, faults: FaultBoard, target: str) -> None:
        self._faults = faults
        self._target = target

    def push(self, deliveries: Iterable[Delivery], event: FaultEvent, delay_ms: float) -> None:
        """Send a message; a rule strikes it in all its forms or in none."""
        fault = self._faults.strike(self._target, Moment.MESSAGE, event)
        for frame, connections in deliveries:
            if fault is None:
                text = encode(frame)
                for connection in connections:
                    connection.send_frame(text, delay_ms)
            else:
                self._spoil(fault, frame, connections, delay_ms)

    def _spoil(
        self, fault: Fault, frame: JsonObject, connections: Sequence[Connection], delay_ms: float
    ) -> None:
        details = fault.details
        match fault.act:
            case "drop" | "silence_topics":
                return
            case "close":
                for connection in connections:
                    if details.close_code:
                        connection.close(details.close_code)
                    else:
                        connection.abort()
                return
            case "dup":
                payloads = [encode(frame)] * details.copies
            case "corrupt":
                payloads = [damaged(encode(frame))]
            case "truncate":
                payloads = [cut_short(encode(frame), details.bytes_kept)]
            case "frame_raw" | "frame_hex":
                payloads = [details.frame]
            case "edit":
                edited = encode(edit_rows(frame, fault))
                payloads = [encode(frame), edited] if details.keeps_original else [edited]
            case _:
                payloads = [encode(frame)]
        send = partial(_send_all, connections, payloads, delay_ms, binary=details.binary)
        if fault.act == "reorder":
            self._hold(fault, send)
        elif details.delay_s and details.overtakes:
            asyncio.get_running_loop().call_later(details.delay_s, send)
        else:
            _send_all(connections, payloads, delay_ms + details.delay_s * 1000, binary=details.binary)

    def _hold(self, fault: Fault, send: partial[None]) -> None:
        """Keep a message until the window is full, then let all of it go in another order."""
        if not fault.held:
            asyncio.get_running_loop().call_later(fault.details.within_s, fault.release)
        fault.held.append(send)
        if len(fault.held) >= fault.details.window:
            before = list(fault.held)
            self._faults.rng.shuffle(fault.held)
            if fault.held == before:
                fault.held.reverse()
            fault.release()


def edit_rows(frame: JsonObject, fault: Fault) -> JsonObject:
    """Return a frame whose data rows are patched, set and renamed as a rule says."""
    details = fault.details
    data = frame.get("data")
    rows = data if isinstance(data, list) else [data]
    edited: list[object] = []
    for row in rows:
        if not isinstance(row, dict):
            edited.append(row)
            continue
        merged = merge_patch(row, details.patch)
        assert isinstance(merged, dict)
        named = {str(details.rename.get(name, name)): value for name, value in merged.items()}
        edited.append({**named, **details.values})
    return {**frame, "data": edited if isinstance(data, list) else edited[0]}


def merge_patch(value: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7386): null removes, objects merge, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged


def encode(frame: JsonObject) -> bytes:
    """Return a frame as compact JSON; exact figures of a patch become plain numbers."""
    return json.dumps(frame, separators=(",", ":"), default=float).encode()


def damaged(payload: bytes) -> bytes:
    """Return the payload with a control character in its middle, which no JSON text may hold."""
    middle = len(payload) // 2
    return payload[:middle] + DAMAGE + payload[middle + 1 :]


def cut_short(payload: bytes, kept: int | None) -> bytes:
    """Return the first bytes of a payload, by default its first half."""
    return payload[: len(payload) // 2 if kept is None else kept]


def _send_all(
    connections: Sequence[Connection], payloads: Sequence[bytes], delay_ms: float, *, binary: bool
) -> None:
    for connection in connections:
        for payload in payloads:
            connection.send_frame(payload, delay_ms, binary=binary)
