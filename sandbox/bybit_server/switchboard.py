"""Every open WebSocket by stream: counted, and cut, stalled or spoken to from outside."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sandbox.bybit_server.clock import NS_PER_S, Clock
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.refusal import parameter_error

STREAMS: Final = ("public", "private", "trade")
CUT_EVERY_MIN_S: Final = 0.05


class Switchboard:
    """The connections of all streams.

    A stream is named ``private``, ``trade``, or ``public`` with the category behind a dot; the name
    ``public`` alone means all public ones.

    Parameters
    ----------
    clock
        Times the periodic cuts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[Connection, str] = {}
        self._stalled_streams: set[str] = set()
        self._cuts: dict[str, tuple[int, int]] = {}
        self.opened: Final[Counter[str]] = Counter()

    def enter(self, connection: Connection, stream: str) -> None:
        """Count a connection in."""
        self._streams[connection] = stream
        self.opened[stream] += 1
        if any(_belongs(stream, name) for name in self._stalled_streams):
            connection.line.stall.lower()

    def leave(self, connection: Connection) -> None:
        """Count a connection out."""
        self._streams.pop(connection, None)

    def on(self, name: str) -> list[Connection]:
        """Return the connections of a stream, or of all streams if the name is empty."""
        return [each for each, stream in self._streams.items() if not name or _belongs(stream, name)]

    def open_counts(self) -> dict[str, int]:
        """Return how many connections are open, by stream."""
        return dict(Counter(self._streams.values()))

    def close(self, name: str, code: int = 0) -> int:
        """Close the connections of a stream, with a close code, or cut them if it is 0; return how many."""
        connections = self.on(name)
        for connection in connections:
            if code:
                connection.close(code)
            else:
                connection.abort()
        return len(connections)

    def stall(self, name: str, *, future: bool) -> int:
        """Make connections half-open: nothing arrives, nothing leaves, nobody is told. Returns how many.

        With ``future``, connections made later are half-open from the start as well.
        """
        if future:
            self._stalled_streams.add(name)
        connections = self.on(name)
        for connection in connections:
            connection.line.stall.lower()
        return len(connections)

    def inject(self, name: str, payload: bytes, *, binary: bool, copies: int) -> int:
        """Send a crafted frame, any number of times, to everyone on a stream; return how many listen."""
        connections = self.on(name)
        for connection in connections:
            connection.send_frame(payload, binary=binary, copies=copies)
        return len(connections)

    def inject_bytes(self, name: str, raw: bytes) -> int:
        """Put bytes onto the wire of everyone on a stream, frame or not; return how many listen."""
        connections = self.on(name)
        for connection in connections:
            connection.send_bytes(raw)
        return len(connections)

    def cut_every(self, name: str, every_s: float) -> None:
        """Cut a stream again and again."""
        if every_s < CUT_EVERY_MIN_S:
            raise parameter_error(f"every must be at least {CUT_EVERY_MIN_S} s")
        every_ns = int(every_s * NS_PER_S)
        self._cuts[name] = (self._clock.monotonic_ns() + every_ns, every_ns)

    def poll(self) -> None:
        """Make the cuts that are due."""
        now_ns = self._clock.monotonic_ns()
        for name, (due_ns, every_ns) in list(self._cuts.items()):
            if now_ns >= due_ns:
                self._cuts[name] = (now_ns + every_ns, every_ns)
                self.close(name)

    def heal(self) -> None:
        """End all stalls and periodic cuts."""
        self._stalled_streams.clear()
        self._cuts.clear()
        for connection in self._streams:
            connection.line.stall.lift()


def _belongs(stream: str, name: str) -> bool:
    return stream == name or stream.startswith(f"{name}.")
