"""Identifiers in the shapes of the venue, made from a seed and counters, so that two runs name things alike."""

from __future__ import annotations

import hashlib
import uuid

SPOT_ORDER_ID_FIRST = 1_321_003_749_386_327_552
SPOT_EXEC_ID_FIRST = 2_100_000_000_007_764_263
EPOCH_STEP = 1_000
"""Spot identifiers reserved for each millisecond of the exchange's start."""


class IdSource:
    """Counter-based identifiers.

    Parameters
    ----------
    seed, epoch_ms
        Two sources with equal seeds and epochs give equal sequences. The epoch is the start of the exchange:
        an exchange that is started anew must not name its executions like the one before.
    """

    def __init__(self, seed: int, epoch_ms: int = 0) -> None:
        self._seed = seed
        self._epoch_ms = epoch_ms
        self._counters: dict[str, int] = {}

    def order_id(self, category: str) -> str:
        """Return the next order id: a version-4 UUID for contracts, 19 digits for spot."""
        count = self._count(f"order.{_family(category)}")
        if category == "spot":
            # Steps of two: the number in between names the order when the client gave no link id.
            return str(SPOT_ORDER_ID_FIRST + EPOCH_STEP * self._epoch_ms + 2 * count)
        return self._uuid("order", count, 4)

    def exec_id(self, category: str) -> str:
        """Return the next execution id: a version-5 UUID for contracts, digits for spot."""
        count = self._count(f"exec.{_family(category)}")
        if category == "spot":
            return str(SPOT_EXEC_ID_FIRST + EPOCH_STEP * self._epoch_ms + count)
        return self._uuid("exec", count, 5)

    def strategy_id(self) -> str:
        """Return the next strategy id: a version-4 UUID."""
        return self._uuid("strategy", self._count("strategy"), 4)

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
        digest = hashlib.sha256(f"{self._seed}.{self._epoch_ms}.{kind}.{count}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=version))


def _family(category: str) -> str:
    """All contracts are numbered together, so that no two of them share an id."""
    return "spot" if category == "spot" else "contract"
