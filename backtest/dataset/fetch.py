"""Bybit's public archives: which file holds a day, and how it is brought here whole.

Trades lie under `<trades>/trading/<symbol>/<symbol><day>.csv.gz` and `<trades>/spot/<symbol>/<symbol>_<day>.csv.gz`,
order books under `<books>/orderbook/<category>/<symbol>/<day>_<symbol>_ob<levels>.data.zip`.
"""

import asyncio
import gzip
import hashlib
import re
import zipfile
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import aiohttp

from backtest.dataset.errors import UnreachableError
from backtest.dataset.sources import CHUNK_BYTES

TRADES_URL: Final = "https://public.bybit.com"
BOOKS_URL: Final = "https://quote-saver.bycsi.com"
DEPTHS: Final = (200, 500, 1000)
"""Levels of the archive's files: 200 in recent years, 500 before, 1000 for some."""
TRIES_MAX: Final = 6
WAIT_S_MAX: Final = 60.0
_MD5: Final = re.compile(r'\A"([0-9a-f]{32})"\Z')
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60)

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where the archives are."""

    trades_url: str = TRADES_URL
    books_url: str = BOOKS_URL

    def addresses(self, what: str, category: str, symbol: str, day: date) -> list[str]:
        """Addresses at which a day may lie, the likeliest first; `what` is trades or books."""
        stamp = day.isoformat()
        if what == "books":
            folder = f"{self.books_url.rstrip('/')}/orderbook/{category}/{symbol}"
            return [f"{folder}/{stamp}_{symbol}_ob{depth}.data.zip" for depth in DEPTHS]
        base = self.trades_url.rstrip("/")
        if category == "spot":
            return [f"{base}/spot/{symbol}/{symbol}_{stamp}.csv.gz"]
        return [f"{base}/trading/{symbol}/{symbol}{stamp}.csv.gz"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that is here now.

    Attributes
    ----------
    resumed_at
        Bytes that were here already; the whole size if nothing had to be brought.
    proof
        What it was held against: `md5` the server's, `crc` the archive's own.
    """

    path: Path
    url: str
    size: int
    resumed_at: int
    proof: str


class _LaterError(Exception):
    """The server asks for patience, or the line broke: try again."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Fetcher:
    """Brings one file after the other, with one connection.

    Parameters
    ----------
    session
        Client of the HTTP library.
    sleep
        Waits between tries.
    say
        Told of each try that came to nothing, and when the next one is.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._session, self._sleep, self._say = session, sleep, say

    async def fetch(self, urls: list[str], folder: Path, told: Told) -> Fetched | None:
        """Bring the first of some addresses that exists; None if none does.

        Raises
        ------
        UnreachableError
            If it cannot be brought whole after six tries, or the server refuses it.
        """
        for url in urls:
            found = await self._patiently(url, folder / url.rsplit("/", 1)[-1], told)
            if found is not None:
                return found
        return None

    async def _patiently(self, url: str, path: Path, told: Told) -> Fetched | None:
        here = _here(path, url)
        if here is not None:
            return here
        wait_s, reason = 1.0, ""
        for number in range(1, TRIES_MAX + 1):
            try:
                return await self._once(url, path, told)
            except (_LaterError, aiohttp.ClientError, TimeoutError) as error:
                reason = str(error) or f"no answer in time ({type(error).__name__})"
                asked = error.wait_s if isinstance(error, _LaterError) else None
            if number < TRIES_MAX:
                pause_s = min(wait_s if asked is None else asked, WAIT_S_MAX)
                self._say(f"{url}: {reason}; try {number + 1} of {TRIES_MAX} in {pause_s:g} s")
                await self._sleep(pause_s)
                wait_s *= 2
        raise UnreachableError(
            url,
            f"not brought after {TRIES_MAX} tries: {reason}",
            "look at the network and the address, or try later; what is here is gone on with",
        )

    async def _once(self, url: str, path: Path, told: Told) -> Fetched | None:
        """One try: go on behind what is here, if the server still has the same file."""
        part, mark = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.etag")
        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have and mark.exists():
            headers |= {"Range": f"bytes={have}-", "If-Range": mark.read_text()}
        async with self._session.get(url, headers=headers, timeout=_TIMEOUT) as answer:
            if answer.status == 404:
                return None
            if answer.status in _LATER:
                raise _LaterError(f"HTTP {answer.status}", _seconds(answer.headers.get("Retry-After")))
            if answer.status == 416:
                part.unlink(missing_ok=True)
                raise _LaterError("the part that was here is longer than the file", 0.0)
            if answer.status not in {200, 206}:
                raise UnreachableError(url, f"HTTP {answer.status}", "look at the address")
            etag = answer.headers.get("ETag", "")
            begin = _begin(answer.headers.get("Content-Range")) if answer.status == 206 else 0
            if begin not in {0, have}:
                part.unlink(missing_ok=True)
                raise _LaterError("the server went on at another place", 0.0)
            path.parent.mkdir(parents=True, exist_ok=True)
            if begin == 0:
                part.unlink(missing_ok=True)
            if etag and not etag.startswith("W/"):
                mark.write_text(etag)
            else:
                mark.unlink(missing_ok=True)
            total = begin + (answer.content_length or 0)
            done = begin
            with part.open("ab") as file:
                async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                    file.write(chunk)
                    done += len(chunk)
                    told(done, total)
            if answer.content_length is not None and done != total:
                raise _LaterError(f"{done} of {total} bytes came")
        proof = self._proved(url, part, etag)
        part.replace(path)
        mark.unlink(missing_ok=True)
        return Fetched(path=path, url=url, size=done, resumed_at=begin, proof=proof)

    def _proved(self, url: str, part: Path, etag: str) -> str:
        """Hold the file against the server's checksum where there is one, and against its own."""
        named = _MD5.match(etag)
        if named is not None:
            with part.open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            if digest != named[1]:
                part.unlink()
                raise _LaterError(f"checksum {digest}, the server says {named[1]}", 0.0)
        try:
            if url.endswith(".zip"):
                with zipfile.ZipFile(part) as archive:
                    broken = archive.testzip()
                if broken is not None:
                    raise zipfile.BadZipFile(broken)
            else:
                with gzip.open(part) as unpacked:
                    while unpacked.read(CHUNK_BYTES):
                        pass
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            part.unlink()
            raise _LaterError(f"the file that came is damaged: {error}", 0.0) from error
        return "crc" if named is None else "md5, crc"


def _here(path: Path, url: str) -> Fetched | None:
    if not path.exists():
        return None
    size = path.stat().st_size
    return Fetched(path=path, url=url, size=size, resumed_at=size, proof="here already")


def _begin(content_range: str | None) -> int:
    found = re.match(r"bytes (\d+)-", content_range or "")
    return int(found[1]) if found else -1


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdigit() else None
