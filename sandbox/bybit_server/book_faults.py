"""Books that no honest exchange would show: crossed, locked, one-sided, empty or stale, for a while."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.clock import NS_PER_S, Clock

Window = dict[int, int]
KINDS: Final = ("crossed", "locked", "one_sided", "empty", "stale")
PHANTOM_LOTS: Final = 1


class Distortions:
    """What is wrong with which topic, until when.

    A distortion is put upon the window that a feed looks at, so that the stream itself stays sound: its
    changes lead a client exactly to the distorted book, and back when the time is over.

    Parameters
    ----------
    clock
        Measures how long they last.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: dict[str, tuple[str, int]] = {}

    def put(self, topic: str, kind: str, length_s: float) -> None:
        """Distort a topic, in place of what was wrong with it before."""
        self._kinds[topic] = (kind, self._clock.monotonic_ns() + int(length_s * NS_PER_S))

    def kind(self, topic: str) -> str:
        """Return what is wrong with a topic at this moment, empty for nothing."""
        kind, until_ns = self._kinds.get(topic, ("", 0))
        if kind and self._clock.monotonic_ns() >= until_ns:
            del self._kinds[topic]
            return ""
        return kind

    def clear(self) -> None:
        """Put everything right."""
        self._kinds.clear()


def distorted(windows: dict[Side, Window], kind: str, depth: int) -> dict[Side, Window]:
    """Return the two sides (lots by ticks) as a distortion shows them, with at most ``depth`` levels each."""
    bids, asks = windows[Side.BUY], windows[Side.SELL]
    match kind:
        case "crossed" | "locked" if asks:
            px = min(asks) + (1 if kind == "crossed" else 0)
            kept = sorted(bids, reverse=True)[: depth - 1]
            return {Side.BUY: {px: PHANTOM_LOTS, **{level: bids[level] for level in kept}}, Side.SELL: asks}
        case "one_sided":
            return {Side.BUY: bids, Side.SELL: {}}
        case "empty":
            return {Side.BUY: {}, Side.SELL: {}}
        case _:
            return windows
