"""What holds between a hub and its agents: how often to speak, how much, and after which silence somebody is gone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTerms:
    """Limits of one hub.

    Parameters
    ----------
    beat_ms
        How often each side gives a sign of life.
    silent_ms
        After how long without any message a side is taken for gone; three beats or more.
    per_s, burst
        Messages allowed to each seat each second, and at once after a silence.
    book_ms
        A changed book is published at most so often: whatever changes between is told by the next one.
    levels
        Levels of each side that are told, at most 32.
    queue_max
        Messages that wait for one slow reader, in either direction and for each of its sockets.
    trades_kept, fills_kept
        Trades of each asset, and fills of each seat, that can be asked for again.
    strangers_max
        Connections without a seat whose question is kept; the oldest is forgotten.
    """

    beat_ms: int = 500
    silent_ms: int = 3_000
    per_s: int = 200
    burst: int = 400
    book_ms: int = 20
    levels: int = 10
    queue_max: int = 1_000
    trades_kept: int = 1_024
    fills_kept: int = 1_024
    strangers_max: int = 256

    def __post_init__(self) -> None:
        """Refuse terms under which a healthy agent would be taken for dead, or nothing could be said."""
        if self.beat_ms < 1 or self.silent_ms < 3 * self.beat_ms:
            raise ValueError(
                f"silent_ms is at least three beats, got {self.silent_ms} with beat_ms {self.beat_ms}"
            )
        if not 1 <= self.levels <= 32 or self.book_ms < 1:
            raise ValueError(
                f"levels are 1 to 32 and book_ms is 1 or more, got {self.levels} and {self.book_ms}"
            )
        smallest = min(self.queue_max, self.trades_kept, self.fills_kept, self.strangers_max)
        if smallest < 1 or self.queue_max > 100_000:
            raise ValueError(f"what is kept is 1 or more, and queue_max at most 100 000: {self}")
