"""What happened in a simulated market, event by event, and one number that stands for all of it.

An event is a row of eight 64-bit integers; the hash of a run is one SHA-256 over its rows, little-endian, in order. A
compiled market that writes the same rows has the same hash.
"""

from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple, Protocol

from simulation.book.messages import AMENDED

REFUSED: Final = AMENDED + 1
"""The clearing house did not let a message through; its reason is a `Refusal`."""
NONSENSE: Final = AMENDED + 2
"""What a participant sent is no message."""
RETIRED: Final = AMENDED + 3
"""A participant's own code failed: it is not woken again, and its orders are canceled."""

WIDTH: Final = 8
"""Integers of a row."""
pack_row: Final = Struct(f"<{WIDTH}q").pack
"""Make the bytes of a row out of its integers."""
_KEEP_BYTES: Final = 1 << 18


class Event(NamedTuple):
    """One row, taken apart.

    Parameters
    ----------
    at_ns
        Instant in the market.
    kind
        An outcome of the book (`simulation.book.messages`), or one of this module.
    reason
        Why, if it is a refusal or a cancel.
    side
        Of the order concerned; of a fill the taker's. 0 where there is none.
    px, qty
        As in `simulation.book.messages.Outcome`.
    maker_order_id, maker_owner
        Of a fill; elsewhere 0.
    """

    at_ns: int
    kind: int
    reason: int
    asset: int
    side: int
    order_id: int
    owner: int
    px: int
    qty: int
    maker_order_id: int
    maker_owner: int


def code(kind: int, reason: int, asset: int, side: int) -> int:
    """Put four small numbers into one: the second integer of a row."""
    return kind + (reason << 8) + (asset << 16) + ((side + 1) << 48)


def read(row: tuple[int, ...]) -> Event:
    """Take a row apart."""
    at_ns, packed, order_id, owner, px, qty, maker_order_id, maker_owner = row
    return Event(
        at_ns,
        packed & 0xFF,
        packed >> 8 & 0xFF,
        packed >> 16 & 0xFFFFFFFF,
        (packed >> 48) - 1,
        order_id,
        owner,
        px,
        qty,
        maker_order_id,
        maker_owner,
    )


class EventSink(Protocol):
    """Keeps rows of events."""

    def rows(self, block: bytes) -> None:
        """Take some whole rows, in order; `WIDTH` integers of 64 bits each, little-endian."""


class EventLog:
    """Takes rows, hashes them and hands them on.

    Parameters
    ----------
    sink
        Who keeps them; None keeps the hash alone.

    Attributes
    ----------
    pending
        Rows not hashed yet; the market puts whole ones in (`pack_row`).
    """

    __slots__ = ("_count", "_hash", "_sink", "pending")

    def __init__(self, sink: EventSink | None = None) -> None:
        self._sink = sink
        self._hash = sha256()
        self._count = 0
        self.pending = bytearray()

    def tidy(self) -> None:
        """Hash and hand on what is pending, if it is much."""
        if len(self.pending) >= _KEEP_BYTES:
            self._pass_on()

    def digest(self) -> str:
        """Hash of all events so far, hexadecimal."""
        self._pass_on()
        return self._hash.hexdigest()

    @property
    def count(self) -> int:
        """How many events there were."""
        return self._count + len(self.pending) // (8 * WIDTH)

    def _pass_on(self) -> None:
        pending = self.pending
        self._hash.update(pending)
        self._count += len(pending) // (8 * WIDTH)
        if self._sink is not None:
            self._sink.rows(bytes(pending))
        pending.clear()
