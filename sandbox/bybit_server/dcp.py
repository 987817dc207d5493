"""Disconnect protection: which product of which account is cancelled when its connections stay away too long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.bybit_server.clock import NS_PER_S, Clock
from sandbox.bybit_server.dcp_watch import DcpWatch


@dataclass(frozen=True, slots=True)
class DcpProduct:
    """A product of the setting, the topic that arms it, and the categories it covers."""

    name: str
    topic: str
    categories: frozenset[str]


PRODUCTS: Final[Mapping[str, DcpProduct]] = {
    product.name: product
    for product in (
        DcpProduct("DERIVATIVES", "dcp.future", frozenset({"linear", "inverse"})),
        DcpProduct("SPOT", "dcp.spot", frozenset({"spot"})),
        DcpProduct("OPTIONS", "dcp.option", frozenset({"option"})),
    )
}


class DisconnectGuard:
    """Windows in seconds by user and product, counted from when the last subscribed connection left.

    Parameters
    ----------
    clock
        Counts on its monotonic scale.
    watch
        Knows which connections hold the protection back.
    """

    def __init__(self, clock: Clock, watch: DcpWatch) -> None:
        self._clock = clock
        self._watch = watch
        self._windows_s: dict[tuple[int, str], int] = {}
        self._fired: dict[tuple[int, str], int] = {}

    def set_window(self, uid: int, product: str, window_s: int) -> None:
        """Switch the protection of a product on, or change its window."""
        self._windows_s[uid, product] = window_s

    def windows_s(self, uid: int) -> dict[str, int]:
        """Return the windows of a user by product."""
        return {product: window for (owner, product), window in self._windows_s.items() if owner == uid}

    def due(self) -> list[tuple[int, DcpProduct]]:
        """Return whose orders are to be cancelled, each departure once."""
        if not self._windows_s:
            return []
        now_ns = self._clock.monotonic_ns()
        found = []
        for (uid, name), window_s in self._windows_s.items():
            product = PRODUCTS[name]
            since_ns = self._watch.lost_since_ns(uid, product.topic)
            if since_ns is None or self._fired.get((uid, name)) == since_ns:
                continue
            if now_ns - since_ns >= window_s * NS_PER_S:
                self._fired[uid, name] = since_ns
                found.append((uid, product))
        return found
