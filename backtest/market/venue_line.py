"""The line to a venue that keeps the book: one message of JSON a line, either way, strictly in turn.

The messages are in docs/sandbox.md. The venue speaks for itself: what it says is checked for its form, and is believed.
"""

import os
from typing import Final, Protocol

import msgspec

from executor.domain.errors import ExecutorError

VERSION: Final = 1
PIECE_BYTES: Final = 1 << 16


class LineEnded(ExecutorError):  # noqa: N818 - it is how a venue says good-bye
    """Nobody is at the other end."""


class Go(msgspec.Struct, array_like=True, tag="go", forbid_unknown_fields=True, frozen=True):
    """Live until an instant.

    Parameters
    ----------
    since_ns
        Nanoseconds of the agents' own time, from 0: when the last moment ended. Until then nothing has happened.
    until_ns
        When this one ends.
    bid_px, ask_px
        Best prices now, ticks; 0 is none.
    taken
        What others took by then: the taker's side, and lots of each order, in order.
    gone
        Orders that others withdrew after that.
    """

    since_ns: int
    until_ns: int
    bid_px: int
    ask_px: int
    taken: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    gone: tuple[int, ...]


class Did(msgspec.Struct, array_like=True, tag="did", forbid_unknown_fields=True, frozen=True):
    """It was done.

    Parameters
    ----------
    bid_px, ask_px
        Best prices now, ticks; 0 is none.
    leaves_qty
        Of an order: lots that did not trade; of a withdrawal: lots that were withdrawn.
    happened
        In order: whose order it met, 0 for somebody else's; at which price; how many lots traded, none if that order
        was one's own and was withdrawn instead.
    """

    bid_px: int
    ask_px: int
    leaves_qty: int
    happened: tuple[tuple[int, int, int], ...]


class No(msgspec.Struct, array_like=True, tag="no", forbid_unknown_fields=True, frozen=True):
    """It was not done, and this is why."""

    bid_px: int
    ask_px: int
    why: str


class Levels(msgspec.Struct, array_like=True, tag="levels", forbid_unknown_fields=True, frozen=True):
    """The best levels of a side, best first: price in ticks, lots."""

    levels: tuple[tuple[int, int], ...]


Said = Go | Did | No | Levels


class Line(Protocol):
    """What is said to the venue, and heard."""

    def send(self, word: str, *numbers: int) -> None:
        """Send a message."""

    def receive(self) -> Said:
        """Wait for the next one."""


class PipeLine:
    """A line over two file descriptors.

    Parameters
    ----------
    hears, says
        Where the venue's messages come from, and where ours go.
    """

    def __init__(self, hears: int, says: int) -> None:
        self._hears: Final = hears
        self._says: Final = says
        self._held = b""
        self._decode: Final = msgspec.json.Decoder(Said).decode
        self._encode: Final = msgspec.json.Encoder().encode

    def send(self, word: str, *numbers: int) -> None:
        """Send a message.

        Raises
        ------
        LineEnded
            If the venue has gone.
        """
        rest = memoryview(self._encode((word, *numbers)) + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._says, rest) :]
        except (BrokenPipeError, ConnectionResetError):
            raise LineEnded("the venue has gone") from None

    def receive(self) -> Said:
        """Wait for the next message, without end: the venue is in no hurry.

        Raises
        ------
        LineEnded
            If the venue has gone.
        ValueError
            If it says what has no such form.
        """
        while (end := self._held.find(b"\n")) < 0:
            try:
                piece = os.read(self._hears, PIECE_BYTES)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise LineEnded("the venue has gone")
            self._held += piece
        line, self._held = self._held[:end], self._held[end + 1 :]
        said: Said = self._decode(line)
        return said
