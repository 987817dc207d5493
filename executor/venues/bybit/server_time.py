"""The venue's clock as seen from here: our clock plus a measured offset."""

from typing import Final

from executor.domain.timeline import NS_PER_MS
from executor.runtime.clock import Clock

JUMP_MS_MAX: Final = 500
_BEHIND_MS: Final = 2
_KEEP: Final = 8


class ServerTime:
    """Stamps requests with the venue's time, aimed slightly behind it (being ahead always fails)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: list[tuple[int, int]] = []
        self.offset_ms = 0

    def now_ms(self) -> int:
        """The venue's time by our estimate, milliseconds."""
        return self._clock.now_ns() // NS_PER_MS + self.offset_ms - _BEHIND_MS

    def our_ns(self, server_ms: int) -> int:
        """What our clock shows at an instant of the venue's clock, nanoseconds."""
        return (server_ms - self.offset_ms) * NS_PER_MS

    @property
    def is_measured(self) -> bool:
        """Whether the venue's clock was ever read."""
        return bool(self._samples)

    def learn(self, sent_ns: int, received_ns: int, server_ms: int) -> int:
        """Take in one measurement; the one with the shortest round trip of the last few counts.

        A measurement is off by at most half its round trip. When two contradict each other by more than `JUMP_MS_MAX`
        beyond that, one of the clocks has jumped (a step, a machine that slept): what was known before is forgotten.

        Returns
        -------
        int
            How far the offset jumped, milliseconds; 0 if it did not.
        """
        trip_ns = received_ns - sent_ns
        offset_ms = server_ms - (sent_ns + received_ns) // 2 // NS_PER_MS
        jump_ms = 0
        if self._samples:
            best_trip_ns, best_ms = min(self._samples)
            doubt_ms = (trip_ns + best_trip_ns) // 2 // NS_PER_MS + 1
            if abs(offset_ms - best_ms) > JUMP_MS_MAX + doubt_ms:
                jump_ms = offset_ms - best_ms
                self._samples = []
        self._samples = [*self._samples[1 - _KEEP :], (trip_ns, offset_ms)]
        self.offset_ms = min(self._samples)[1]
        return jump_ms
