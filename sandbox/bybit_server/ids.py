"""Identifiers in the shapes of the venue, made from a seed and counters, so that two runs name things alike."""

from __future__ import annotations

import hashlib
import uuid

SPOT_ORDER_ID_FIRST = 1_321_003_749_386_327_552
SPOT_EXEC_ID_FIRST = 2_100_000_000_007_764_263


class IdSource:
    """Counter-based identifiers.

    Parameters
    ----------
    seed
        Two sources with equal seeds give equal sequences.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counters: dict[str, int] = {}

    def order_id(self, category: str) -> str:
        """Return the next order id: a version-4 UUID for contracts, 19 digits for spot."""
        count = self._count(f"order.{category}")
        if category == "spot":
            # Steps of two: the number in between names the order when the client gave no link id.
            return str(SPOT_ORDER_ID_FIRST + 2 * count)
        return self._uuid("order", count, 4)

    def exec_id(self, category: str) -> str:
        """Return the next execution id: a version-5 UUID for contracts, digits for spot."""
        count = self._count(f"exec.{category}")
        return str(SPOT_EXEC_ID_FIRST + count) if category == "spot" else self._uuid("exec", count, 5)

    def connection_id(self) -> str:
        """Return the next WebSocket connection id."""
        return self._uuid("connection", self._count("connection"), 4)

    def trace_id(self) -> str:
        """Return the next 32-digit trace id of an answer."""
        return self._uuid("trace", self._count("trace"), 4).replace("-", "")

    def _count(self, kind: str) -> int:
        count = self._counters.get(kind, 0)
        self._counters[kind] = count + 1
        return count

    def _uuid(self, kind: str, count: int, version: int) -> str:
        digest = hashlib.sha256(f"{self._seed}.{kind}.{count}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=version))
