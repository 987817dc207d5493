"""Where news come from: RSS and Atom, from a file or an address, and JSON lines in a file that grows.

Everything is read up to a number of bytes and within a time; what is broken raises `NewsBroken` and nothing else. Feeds
are taken apart in a process of their own: a document can be made so that this takes seconds, in which no other thread
would get its turn.
"""

import asyncio
import io
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from executor.adviser.news import NewsBroken, NewsSource

FEED_BYTES_MAX: Final = 524_288
FETCH_S_MAX: Final = 10.0
GROWTH_BYTES_MAX: Final = 262_144
"""Most that is read of a growing file at one look; the rest waits for the next."""
LINE_BYTES_MAX: Final = 16_384
_JSON_LINES: Final = ".jsonl"
_FETCHED: Final = ("http", "https")
_Texts = Sequence[tuple[str, int | None]]


def source_of(place: str) -> NewsSource:
    """Make the source that a configured address or path stands for."""
    if "://" in place:
        return FeedAddress(place)
    path = Path(place)
    return GrowingFile(path) if path.suffix == _JSON_LINES else FeedFile(path)


class FeedAddress:
    """A feed at an address. No redirect, no proxy, no compression."""

    def __init__(self, url: str, fetch_s_max: float = FETCH_S_MAX) -> None:
        self._url = url
        self._fetch_s_max = fetch_s_max
        parts = urlsplit(url)
        self.name = parts.hostname or "feed"
        self._is_fetched = parts.scheme in _FETCHED

    async def read(self) -> _Texts:
        """Fetch and read the feed."""
        if not self._is_fetched:
            raise NewsBroken("only http and https are read")
        try:
            async with asyncio.timeout(self._fetch_s_max):
                return await _taken_apart(await self._fetch())
        except TimeoutError:
            raise NewsBroken(f"not read within {self._fetch_s_max:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NewsBroken(type(error).__name__) from None

    async def _fetch(self) -> bytes:
        async with (
            aiohttp.ClientSession(
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
            ) as session,
            session.get(self._url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise NewsBroken(f"status {response.status}")
            if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                raise NewsBroken("a compressed feed, which was not asked for")
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > FEED_BYTES_MAX:
                    raise NewsBroken(f"more than {FEED_BYTES_MAX} bytes")
            return bytes(body)


class FeedFile:
    """A feed in a file that somebody else writes."""

    def __init__(self, path: Path, read_s_max: float = FETCH_S_MAX) -> None:
        self._path = path
        self._read_s_max = read_s_max
        self.name = path.name

    async def read(self) -> _Texts:
        """Read the file."""
        try:
            async with asyncio.timeout(self._read_s_max):
                return await _taken_apart(await asyncio.to_thread(self._read))
        except TimeoutError:
            raise NewsBroken(f"not read within {self._read_s_max:g} s") from None

    def _read(self) -> bytes:
        with _opened(self._path) as source:
            raw = source.read(FEED_BYTES_MAX + 1)
        if len(raw) > FEED_BYTES_MAX:
            raise NewsBroken(f"more than {FEED_BYTES_MAX} bytes")
        return raw


class GrowingFile:
    """JSON lines that somebody appends: objects with a `text`, one a line.

    What is there at the first look is old and left out, unless the file was not there before. A file that was replaced
    or cut off is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name
        self._file: tuple[int, int] | None = None
        self._offset = 0
        self._has_looked = False

    async def read(self) -> _Texts:
        """Read the whole lines that came since the last look."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> _Texts:
        try:
            with _opened(self._path) as source:
                self._find_place(os.fstat(source.fileno()))
                source.seek(self._offset)
                raw = source.read(GROWTH_BYTES_MAX)
        finally:
            self._has_looked = True
        end = raw.rfind(b"\n") + 1
        if not end and len(raw) > LINE_BYTES_MAX:
            self._offset += len(raw)
            raise NewsBroken(f"a line of more than {LINE_BYTES_MAX} bytes")
        self._offset += end
        texts = [_line_text(line) for line in raw[:end].splitlines() if line.strip()]
        found = [(text, None) for text in texts if text is not None]
        if texts and not found:
            raise NewsBroken('no line such as {"text": "..."}')
        return found

    def _find_place(self, status: os.stat_result) -> None:
        file = (status.st_dev, status.st_ino)
        if self._file is None:
            self._offset = 0 if self._has_looked else status.st_size
        elif file != self._file or status.st_size < self._offset:
            self._offset = 0
        self._file = file


async def _taken_apart(raw: bytes) -> _Texts:
    """Have a document read by `executor.adviser.feed_document`, which ends when nobody waits for it any more."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "executor.adviser.feed_document"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},  # it has no use for a key
        )
    except OSError as error:
        raise NewsBroken(error.strerror or str(error)) from None
    try:
        out, _ = await process.communicate(raw)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        texts, broken = msgspec.json.decode(out, type=tuple[list[tuple[str, int | None]], str])
    except msgspec.MsgspecError:
        raise NewsBroken("a document that cannot be taken apart") from None
    if broken:
        raise NewsBroken(broken)
    return texts


def _line_text(line: bytes) -> str | None:
    if len(line) > LINE_BYTES_MAX:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text = found.get("text") if isinstance(found, dict) else None
    return text if isinstance(text, str) else None


def _opened(path: Path) -> io.BufferedReader:
    """Open a regular file without waiting for anybody."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NewsBroken(error.strerror or "an unreadable file") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NewsBroken("not a regular file")
    return os.fdopen(handle, "rb")
