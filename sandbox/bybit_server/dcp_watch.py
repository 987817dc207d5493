"""Who holds back disconnect protection: private connections that subscribed ``dcp.*``, and when the last left."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from sandbox.bybit_server.clock import Clock

DCP_TOPICS: Final = ("dcp.future", "dcp.spot", "dcp.option")


class DcpWatch:
    """Holders of protection by user and topic.

    Parameters
    ----------
    clock
        Stamps the departures on its monotonic scale.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._holders: dict[tuple[int, str], set[Hashable]] = {}
        self._lost_ns: dict[tuple[int, str], int] = {}

    def held(self, uid: int, topic: str, holder: Hashable) -> None:
        """Note a connection that subscribed; topics other than ``dcp.*`` are ignored."""
        if topic in DCP_TOPICS:
            self._holders.setdefault((uid, topic), set()).add(holder)
            self._lost_ns.pop((uid, topic), None)

    def lost(self, uid: int, topic: str, holder: Hashable) -> None:
        """Note a connection that left or unsubscribed; the last one starts the count."""
        holders = self._holders.get((uid, topic), set())
        if holder in holders:
            holders.discard(holder)
            if not holders:
                self._lost_ns[uid, topic] = self._clock.monotonic_ns()

    def is_held(self, uid: int, topic: str) -> bool:
        """Tell whether at least one connection is there."""
        return bool(self._holders.get((uid, topic)))

    def lost_since_ns(self, uid: int, topic: str) -> int | None:
        """Return when the last connection went, on the monotonic clock.

        None while one is there, and as long as there has never been one: protection is not armed then.
        """
        return self._lost_ns.get((uid, topic))
