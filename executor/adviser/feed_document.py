"""One RSS or Atom document taken apart; run as a process: the document on standard input, its texts on standard output.

The process may use little memory and little time, so that no document can do more than end it.
"""

import calendar
import html
import io
import json
import re
import resource
import sys
from collections.abc import Iterator
from time import struct_time
from typing import Any, Final

from executor.adviser.news import TEXT_LEN_MAX, NewsBroken
from executor.domain.timeline import NS_PER_S

ENTRIES_MAX: Final = 50
CPU_S_MAX: Final = 10
MEMORY_BYTES_MAX: Final = 1 << 30
_OWN_ENTITIES: Final = b"<!ENTITY"
_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_Feed = Any
"""What feedparser makes of a document; the library has no types."""


def read_feed(raw: bytes) -> list[tuple[str, int | None]]:
    """Read an RSS or Atom document: title and summary of its entries with their dates, the oldest first.

    Raises
    ------
    NewsBroken
        If it is none, or defines entities of its own, of which a few can stand for gigabytes.
    """
    if _OWN_ENTITIES in raw.upper() or b"\x00" in raw:
        raise NewsBroken("a document with entities of its own, or no text")
    import feedparser  # type: ignore[import-untyped]  # noqa: PLC0415 - nothing but a document needs it

    try:
        found: _Feed = feedparser.parse(io.BytesIO(raw), sanitize_html=True, resolve_relative_uris=False)
        entries = list(_entries(found))
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        raise NewsBroken("no feed that can be read") from None
    if not entries and not found.get("version"):
        raise NewsBroken("neither RSS nor Atom")
    return entries[::-1]


def _entries(found: _Feed) -> Iterator[tuple[str, int | None]]:
    for entry in found.entries[:ENTRIES_MAX]:
        parts = (entry.get("title"), entry.get("summary"))
        plain = [
            html.unescape(_TAG.sub(" ", part[: 4 * TEXT_LEN_MAX])).strip()
            for part in parts
            if isinstance(part, str)
        ]
        said = entry.get("published_parsed") or entry.get("updated_parsed")
        said_ns = calendar.timegm(said) * NS_PER_S if isinstance(said, struct_time) else None
        yield " - ".join(part for part in plain if part), said_ns


def main() -> None:
    """Read standard input; write the texts, and what is wrong with the document where something is."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    try:
        result: tuple[list[tuple[str, int | None]], str] = (read_feed(sys.stdin.buffer.read()), "")
    except NewsBroken as error:
        result = ([], str(error))
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
