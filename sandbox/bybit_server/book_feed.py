"""The order book stream of one symbol at one depth: a window on the book, told as snapshots and changes."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.book_faults import Distortions, Window, distorted
from sandbox.bybit_server.clock import NS_PER_MS
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.market import Market

INTERVALS_NS: Final = {
    1: 10 * NS_PER_MS,
    50: 20 * NS_PER_MS,
    200: 100 * NS_PER_MS,
    1000: 200 * NS_PER_MS,
}
REPEAT_NS: Final = 3_000 * NS_PER_MS
UPDATE_ID_FIRST: Final = 18_521_288


class BookFeed:
    """State of one topic; all its subscribers see the same update ids.

    Parameters
    ----------
    market
        The market it shows.
    depth
        Levels per side: 1, 50, 200 or 1000.
    distortions
        What is to be wrong with the book shown, if anything.
    """

    def __init__(self, market: Market, depth: int, distortions: Distortions | None = None) -> None:
        self._market = market
        self._depth = depth
        self._distortions = distortions
        self._shown_distortion = ""
        self._replays_next = False
        self._interval_ns = INTERVALS_NS[depth]
        self._shown: dict[Side, Window] = {}
        self._shown_version = -1
        self._update_id = UPDATE_ID_FIRST + depth
        self._due_ns = 0
        self._last_push_ns = 0
        self._look()

    @property
    def topic(self) -> str:
        """The subscription text."""
        return f"orderbook.{self._depth}.{self._market.instrument.symbol}"

    def snapshot(self, server_ms: int) -> JsonObject:
        """Return the window as it was last told, sorted from the best price."""
        bids = sorted(self._shown[Side.BUY].items(), reverse=True)
        asks = sorted(self._shown[Side.SELL].items())
        return self._frame("snapshot", bids, asks, server_ms)

    def first(self, server_ms: int) -> JsonObject:
        """Return what a new subscriber gets."""
        return self.snapshot(server_ms)

    def due(self, now_ns: int, server_ms: int) -> list[JsonObject]:
        """Return the messages due now; a change told to be replayed comes twice."""
        message = self.poll(now_ns, server_ms)
        if message is None:
            return []
        copies = 2 if self._replays_next else 1
        self._replays_next = False
        return [message] * copies

    def poll(self, now_ns: int, server_ms: int) -> JsonObject | None:
        """Return what is due now: a change, at depth 1 a new snapshot, or nothing."""
        distortion = self._distortion()
        if now_ns < self._due_ns or distortion == "stale" or self._market.is_silent:
            return None
        self._due_ns = now_ns + self._interval_ns
        self._last_push_ns = self._last_push_ns or now_ns
        unchanged = self._market.book.version == self._shown_version
        if unchanged and distortion == self._shown_distortion:
            return self._repeat(now_ns, server_ms)
        before = self._shown
        self._look()
        changes = {side: _changes(before[side], self._shown[side]) for side in Side}
        if not any(changes.values()):
            return self._repeat(now_ns, server_ms)
        self._update_id += 1
        self._last_push_ns = now_ns
        if self._depth == 1:
            return self.snapshot(server_ms)
        return self._frame("delta", changes[Side.BUY], changes[Side.SELL], server_ms)

    def restart(self, server_ms: int) -> JsonObject:
        """Return the snapshot that marks a restart of the service."""
        self._update_id = 1
        self._look()
        return self.snapshot(server_ms)

    def skip(self) -> None:
        """Lose one update: the next one comes with an id that is one too high."""
        self._update_id += 1

    def replay_next(self) -> None:
        """Tell the next change twice, with the same id."""
        self._replays_next = True

    def _distortion(self) -> str:
        return "" if self._distortions is None else self._distortions.kind(self.topic)

    def _repeat(self, now_ns: int, server_ms: int) -> JsonObject | None:
        if self._depth != 1 or now_ns - self._last_push_ns < REPEAT_NS:
            return None
        self._last_push_ns = now_ns
        return self.snapshot(server_ms)

    def _look(self) -> None:
        book = self._market.book
        windows = {side: dict(book.half(side).levels(self._depth)) for side in Side}
        self._shown_distortion = self._distortion()
        self._shown = distorted(windows, self._shown_distortion, self._depth)
        self._shown_version = book.version

    def _frame(
        self, kind: str, bids: list[tuple[int, int]], asks: list[tuple[int, int]], server_ms: int
    ) -> JsonObject:
        data: JsonObject = {
            "s": self._market.instrument.symbol,
            "b": self._rows(bids),
            "a": self._rows(asks),
            "u": self._update_id,
            "seq": self._market.seq,
        }
        if self._depth == 1 or self._market.instrument.is_spot:
            return {"topic": self.topic, "ts": server_ms, "type": kind, "data": data, "cts": server_ms}
        return {"topic": self.topic, "type": kind, "ts": server_ms, "data": data, "cts": server_ms}

    def _rows(self, levels: list[tuple[int, int]]) -> list[list[str]]:
        item = self._market.instrument
        return [
            [item.px_text(item.px(px)), item.qty_text(item.qty(lots)) if lots else "0"] for px, lots in levels
        ]


def _changes(before: Window, after: Window) -> list[tuple[int, int]]:
    gone = [(px, 0) for px in before if px not in after]
    return gone + [(px, lots) for px, lots in after.items() if before.get(px) != lots]
