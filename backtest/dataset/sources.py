"""Lines out of plain, gzip, zstd and zip files, in little memory, and bounded against files that unpack without end."""

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Final, cast

import pyarrow as pa

from backtest.dataset.errors import WHOLE_FILE, DataError

CHUNK_BYTES: Final = 1 << 20
LINE_BYTES_MAX: Final = 64 << 20
UNPACKED_FREE_BYTES: Final = 256 << 20
UNPACKED_RATIO_MAX: Final = 300
_BOM: Final = b"\xef\xbb\xbf"
_BROKEN: Final = (
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    pa.ArrowException,
    OSError,
)


_read_told: ContextVar[Callable[[int], None] | None] = ContextVar("read_told", default=None)


@contextmanager
def counting(told: Callable[[int], None]) -> Iterator[None]:
    """Have it told how many bytes were read of recordings, each time some were: as they lie on disk, packed."""
    before = _read_told.set(told)
    try:
        yield
    finally:
        _read_told.reset(before)


class _Counted(io.BufferedReader):
    """A file that tells how much of it is read."""

    def __init__(self, path: Path, told: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and tell."""
        data = super().read(size)
        self._told(len(data))
        return data


def size_of(path: Path) -> int:
    """Bytes of a recording on disk, a folder's files together; 0 if it is not there."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def refuse_what_is_no_file(path: Path) -> None:
    """Refuse a pipe, a device or a socket: to read one may last for ever.

    Raises
    ------
    DataError
        If it is one.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(
            path, "is no regular file", "name a file, or a folder of files", allowed="a regular file"
        )


def sha256_of(path: Path) -> str:
    """Fingerprint of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def members(path: Path) -> list[str]:
    """Names of the files in a zip archive.

    Raises
    ------
    DataError
        If it is damaged.
    """
    with _said(path), zipfile.ZipFile(path) as archive:
        return archive.namelist()


def head_of(path: Path, size: int = 4096) -> bytes:
    """Give the first bytes of what a file unpacks to (of an archive, its first file), after a byte order mark.

    Empty if it cannot be read.
    """
    try:
        with opened(path) as file:
            return file.read(size + len(_BOM)).removeprefix(_BOM)[:size]
    except DataError:
        return b""


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[IO[bytes]]:
    """Open what a file unpacks to, told by its first bytes and not by its name.

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    refuse_what_is_no_file(path)
    told = _read_told.get()
    with _said(path), path.open("rb") if told is None else _Counted(path, told) as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield cast("IO[bytes]", unpacked)
        elif magic == b"\x28\xb5\x2f\xfd":
            with pa.CompressedInputStream(raw, "zstd") as stream:
                yield cast("IO[bytes]", stream)
        elif magic[:2] == b"PK":
            with zipfile.ZipFile(raw) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir()]
                if not names or (member is not None and member not in names):
                    raise DataError(
                        path, "the archive does not hold the file that is looked for", "get it again"
                    )
                with archive.open(member or names[0]) as unpacked_member:
                    yield unpacked_member
        else:
            yield raw


def blocks(path: Path, member: str | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Give lines in blocks, with the number of the first line of each; ends of line and a byte order mark are gone.

    Raises
    ------
    DataError
        If the file is damaged or cut short (what was read before is then not to be trusted as a day), holds a line
        of more than 64 MiB, or unpacks to more than 300 times its size.
    """
    bound = UNPACKED_FREE_BYTES + UNPACKED_RATIO_MAX * path.stat().st_size
    total, number, rest = 0, 1, b""
    try:
        with opened(path, member) as file:
            while chunk := file.read(CHUNK_BYTES):
                total += len(chunk)
                if total > bound:
                    raise DataError(
                        path,
                        f"unpacks to more than {bound} bytes",
                        "do not trust it: get it from its source again",
                        allowed=f"at most {UNPACKED_RATIO_MAX} times its size",
                    )
                first = number == 1 and not rest
                *lines, rest = (rest + (chunk.removeprefix(_BOM) if first else chunk)).split(b"\n")
                if len(rest) > LINE_BYTES_MAX:
                    raise DataError(
                        f"{path}:{number + len(lines)}",
                        f"a line of more than {LINE_BYTES_MAX} bytes",
                        "this is no text file of records",
                        allowed="text, one record a line",
                    )
                if lines:
                    yield number, [line.rstrip(b"\r") for line in lines]
                    number += len(lines)
    except DataError as error:
        if number > 1 and not error.reason.startswith(("unpacks", "a line")):
            error.reason += f" (after line {number - 1})"
        raise
    if rest.strip():
        yield number, [rest.rstrip(b"\r")]


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn what the unpackers raise into one error that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(
            path, "there is no such file", "look at the path", allowed="a file that is there"
        ) from None
    except _BROKEN as error:
        raise DataError(
            path,
            f"damaged or cut short: {error or type(error).__name__}",
            "get it again; nothing of it was stored",
            allowed=WHOLE_FILE,
        ) from error
