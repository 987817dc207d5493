"""The venue's clock as seen from here: our clock plus a measured offset."""

from executor.domain.timeline import NS_PER_MS
from executor.runtime.clock import Clock

_BEHIND_MS = 2
_KEEP = 8


class ServerTime:
    """Stamps requests with the venue's time, aimed slightly behind it (being ahead always fails)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: list[tuple[int, int]] = []
        self.offset_ms = 0

    def now_ms(self) -> int:
        """The venue's time by our estimate, milliseconds."""
        return self._clock.now_ns() // NS_PER_MS + self.offset_ms - _BEHIND_MS

    @property
    def is_measured(self) -> bool:
        """Whether the venue's clock was ever read."""
        return bool(self._samples)

    def learn(self, sent_ns: int, received_ns: int, server_ms: int) -> None:
        """Take in one measurement; the one with the shortest round trip of the last few counts."""
        middle_ms = (sent_ns + received_ns) // 2 // NS_PER_MS
        self._samples = [*self._samples[1 - _KEEP :], (received_ns - sent_ns, server_ms - middle_ms)]
        self.offset_ms = min(self._samples)[1]
