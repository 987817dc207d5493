"""Where the simulated account lies: one record a line, on the disk before anybody hears of it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from executor.domain.errors import JournalError
from executor.venues.paper.account import Record

NAME: Final = "paper.jsonl"
_MODE: Final = 0o600


class AccountFile:
    """The records of one account. Use inside `with`, and read what is there before writing more.

    Parameters
    ----------
    path
        Made if there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._decoder = msgspec.json.Decoder(Record)
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> Self:
        """Open the file.

        Raises
        ------
        JournalError
            If it cannot be opened.
        """
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
            _keep_name(self._path)
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    def read(self) -> Iterator[Record]:
        """Give all records, the oldest first.

        A last line without its end was being written when the process died: nobody has heard of it, and it is
        taken off.

        Raises
        ------
        JournalError
            If any other line cannot be read.
        """
        sound = 0
        with os.fdopen(os.dup(self._handle), "rb") as source:
            source.seek(0)
            for number, line in enumerate(source, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    yield self._decoder.decode(line)
                except msgspec.MsgspecError as error:
                    raise self._broken(f"line {number}: {error}") from error
                sound += len(line)
        os.ftruncate(self._handle, sound)
        os.lseek(self._handle, 0, os.SEEK_END)

    def write(self, records: Iterable[Record]) -> None:
        """Add records; they are on the disk when this returns.

        Raises
        ------
        JournalError
            If they are not: nobody may be told what they say.
        """
        lines = b"".join(self._encoder.encode(record) + b"\n" for record in records)
        try:
            while lines:
                lines = lines[os.write(self._handle, lines) :]
            os.fsync(self._handle)
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error

    def _broken(self, why: str) -> JournalError:
        return JournalError(f"{self._path}: {why}; the simulated account cannot be kept")


def _keep_name(path: Path) -> None:
    """Bring the name of a file onto the disk, too."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
