"""Where the simulated account lies: one record a line, on the disk before anybody hears of it."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
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
        self._sound_bytes = 0
        self._failure = ""
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
        self._cut(sound)

    def write(self, records: Iterable[Record]) -> None:
        """Add records; they are on the disk when this returns.

        After a failure nothing more is written: what of it came onto the disk is taken off, and were that to fail, too,
        it is the end of the file, which the next start reads as such.

        Raises
        ------
        JournalError
            If they are not: nobody may be told what they say.
        """
        if self._failure:
            raise self._broken(self._failure)
        lines = b"".join(self._encoder.encode(record) + b"\n" for record in records)
        after = self._sound_bytes + len(lines)
        try:
            while lines:
                lines = lines[os.write(self._handle, lines) :]
            os.fsync(self._handle)
        except OSError as error:
            self._failure = error.strerror or str(error)
            with suppress(OSError):
                self._cut(self._sound_bytes)
            raise self._broken(self._failure) from error
        self._sound_bytes = after

    @property
    def is_broken(self) -> bool:
        """Whether a write has failed, so that nothing more can happen to the account."""
        return bool(self._failure)

    def _cut(self, sound_bytes: int) -> None:
        """Take off what comes after the last sound record."""
        os.ftruncate(self._handle, sound_bytes)
        os.lseek(self._handle, 0, os.SEEK_END)
        self._sound_bytes = sound_bytes

    def _broken(self, why: str) -> JournalError:
        return JournalError(f"{self._path}: {why}; the simulated account cannot be kept")


def _keep_name(path: Path) -> None:
    """Bring the name of a file onto the disk, too."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
