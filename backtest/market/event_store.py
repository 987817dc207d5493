"""Events of a simulated market in a file: a line that says what it is, then the rows, as they are hashed.

A row is eight integers of 64 bits, little-endian (`simulation.market.events`). The SHA-256 of all rows is the hash of
the run, so that a file can be held against what the run said of itself.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from struct import iter_unpack
from types import TracebackType
from typing import BinaryIO, Final, Self

from simulation.market.events import WIDTH, Event, read

HEADER: Final = b"executor market events 1\n"
ROW_BYTES: Final = 8 * WIDTH
_CHUNK_BYTES: Final = ROW_BYTES << 12


class EventFile:
    """Keeps rows of events in a new file; an `EventSink`.

    Parameters
    ----------
    path
        Where; nothing may be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Make the file.

        Raises
        ------
        FileExistsError
            If it exists: a recorded run is not written over.
        """
        self._file = self._path.open("xb")
        self._file.write(HEADER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def rows(self, block: bytes) -> None:
        """Keep some rows."""
        if self._file is None:
            raise ValueError(f"{self._path} is not open: use it in a with statement")
        self._file.write(block)


def read_events(path: Path) -> Iterator[Event]:
    """Read the events of a file, one after the other.

    Raises
    ------
    ValueError
        If it is no such file, or its last row is cut off.
    """
    for chunk in _chunks(path):
        for row in iter_unpack(f"<{WIDTH}q", chunk):
            yield read(row)


def hash_of(path: Path) -> str:
    """Give the hash of the run that a file holds, hexadecimal.

    Raises
    ------
    ValueError
        If it is no such file, or its last row is cut off.
    """
    found = sha256()
    for chunk in _chunks(path):
        found.update(chunk)
    return found.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            raise ValueError(f"{path} does not hold events of a market, or those of another version")
        while chunk := file.read(_CHUNK_BYTES):
            if len(chunk) % ROW_BYTES:
                raise ValueError(f"{path} ends within an event: the run that wrote it was cut off")
            yield chunk
