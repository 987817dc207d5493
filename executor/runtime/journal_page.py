"""A page of the journal, row by row in the order in which it was written, read beside its daemon.

A page is bounded three ways: in rows, in bytes, and in how many rows are looked at for it. Where a filter lets little
through a page may be empty and its cursor still goes on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import apsw

from executor.domain.errors import JournalError
from executor.runtime.integrity import DAMAGE, Link, explained
from executor.runtime.journal_bounds import BYTES_MAX, LOOKED_AT_MAX
from executor.runtime.reading import open_to_read

_QUERY: Final = (
    "SELECT seq, at_ns, kind, event, commands, hash FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """Some rows.

    Parameters
    ----------
    next_after
        Where the next page goes on: after this number.
    head
        Number of the last row that was written, zero if there is none.
    """

    rows: tuple[Link, ...]
    next_after: int
    head: int


def journal_page(
    path: Path, *, after: int, limit: int, kind: str = "", names: Sequence[str] = ()
) -> JournalPage:
    """Read the rows after a number.

    Parameters
    ----------
    limit
        At most so many rows, 1 to `ROWS_MAX`.
    kind
        Only events of this kind; empty for all.
    names
        Only rows whose event or commands name one of these; one that ends with "-" names all that begin so.

    Raises
    ------
    JournalError
        If the journal is not there, or cannot be read.
    """
    if not path.is_file():
        raise JournalError(f"{path}: no such file; name a journal.db that is there", "DB_MISSING")
    try:
        db = open_to_read(path)
        try:
            return _page(db, after, limit, kind, _naming(names))
        finally:
            db.close()
    except (apsw.Error, *DAMAGE) as error:
        raise explained(path, error) from error


def _naming(names: Sequence[str]) -> re.Pattern[bytes] | None:
    """What finds these names in JSON: each is a whole text, the end of a timer's key, or a beginning."""
    if not names:
        return None
    ends = (re.escape(name) + ("" if name.endswith("-") else '"') for name in names)
    return re.compile(rf'[":](?:{"|".join(ends)})'.encode())


def _page(
    db: apsw.Connection, after: int, limit: int, kind: str, naming: re.Pattern[bytes] | None
) -> JournalPage:
    db.execute("BEGIN")  # one snapshot: the daemon goes on writing
    (head,) = cast("tuple[int]", db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone())
    until = min(after + LOOKED_AT_MAX, head)
    found: list[Link] = []
    size = 0
    for row in db.execute(_QUERY, (after, until)):
        link = Link(*cast("tuple[int, int, str, bytes, bytes, bytes]", row))
        if (kind and link.kind != kind) or (
            naming and not (naming.search(link.event) or naming.search(link.commands))
        ):
            continue
        size += len(link.event) + len(link.commands)
        if found and size > BYTES_MAX:
            return JournalPage(rows=tuple(found), next_after=found[-1].seq, head=head)
        found.append(link)
        if len(found) == limit:
            return JournalPage(rows=tuple(found), next_after=link.seq, head=head)
    return JournalPage(rows=tuple(found), next_after=max(after, until), head=head)
