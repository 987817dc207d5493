"""A second copy of a journal: taken while a daemon writes or after it, and read through before it is trusted.

The copy is one moment of the journal. SQLite's own online backup is used, within one reading transaction, so that a
daemon that goes on writing neither waits nor spoils it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from executor.domain.errors import JournalError
from executor.domain.events import EngineStarted
from executor.runtime import record
from executor.runtime.integrity import (
    DAMAGE,
    GENESIS,
    check_form,
    check_head,
    check_library,
    check_link,
    explained,
    rows,
)
from executor.runtime.reading import open_to_read

Progress = Callable[[int, int], None]
_PAGES_A_STEP: Final = 2_000
_ROWS_BETWEEN_LOOKS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEnd:
    """Where a journal ends, and whose it is.

    Parameters
    ----------
    instance
        Identity under which it names its orders.
    venue
        What the last daemon called its venue, such as bybit-testnet; empty if none has started.
    seq, sha256
        Number and hash of its last row; 0 and the hash before the first row where it has none.
    """

    instance: str
    venue: str
    seq: int
    sha256: str


def copy_journal(source: Path, target: Path, progress: Progress) -> None:
    """Copy a journal, of a daemon that runs or has ended, into a new file that only its owner may read.

    Parameters
    ----------
    progress
        Called now and then with pages done and pages in all.

    Raises
    ------
    JournalError
        If it is missing, or cannot be read or written.
    """
    check_library()
    if not source.is_file():
        raise JournalError(f"{source}: no such file", "DB_MISSING")
    try:
        target.touch(mode=0o600, exist_ok=False)
        reading = open_to_read(source)
        try:
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM meta").fetchone()  # from here on it is one moment
            _copy(reading, target, progress)
        finally:
            reading.close()
    except apsw.Error as error:
        raise explained(source, error) from error
    except OSError as error:
        raise JournalError(f"{target}: {error.strerror}", "DB_COPY") from error


def _copy(reading: apsw.Connection, target: Path, progress: Progress) -> None:
    writing = apsw.Connection(str(target))
    try:
        with writing.backup("main", reading, "main") as copying:
            while not copying.done:
                copying.step(_PAGES_A_STEP)
                progress(copying.page_count - copying.remaining, copying.page_count)
        # One file, whole by itself: a copy is carried about without what SQLite keeps beside a database.
        writing.execute("PRAGMA synchronous=FULL")
        writing.execute("PRAGMA journal_mode=DELETE").fetchone()
    finally:
        writing.close()


def read_through(path: Path, progress: Progress) -> JournalEnd:
    """Read a journal that nobody writes from its first row to its last, and say where it ends.

    Pages, form, every link of the chain and the note of the last commit are checked; nothing is changed.

    Parameters
    ----------
    progress
        Called now and then with rows done and rows in all.

    Raises
    ------
    JournalError
        If it is not whole, or newer than this code.
    """
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        raise explained(path, error) from error
    try:
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        instance = check_form(db, path)
        total = db.execute("SELECT max(seq) FROM journal").fetchone()
        in_all = int(total[0] or 0) if total else 0
        seq, digest = 0, GENESIS
        for link in rows(db, 0):
            check_link(digest, seq, link)
            seq, digest = link.seq, bytes(link.hash)
            if seq % _ROWS_BETWEEN_LOOKS == 0:
                progress(seq, in_all)
        check_head(db, seq, digest)
        progress(seq, in_all)
        return JournalEnd(instance=instance, venue=_venue(db), seq=seq, sha256=digest.hex())
    except (apsw.Error, *DAMAGE) as error:
        raise explained(path, error) from error
    finally:
        db.close()


def noted_end(path: Path) -> tuple[str, int]:
    """Give the instance of a journal and the number of its last row, as its last commit has noted them.

    Raises
    ------
    JournalError
        If they cannot be read.
    """
    try:
        db = open_to_read(path)
        try:
            meta = {
                str(key): str(value)
                for key, value in db.execute("SELECT key, value FROM meta WHERE key != ''")
            }
        finally:
            db.close()
        return meta["instance"], int(meta.get("head", "0:").partition(":")[0])
    except (apsw.Error, *DAMAGE) as error:
        raise explained(path, error) from error


def _venue(db: apsw.Connection) -> str:
    name = EngineStarted.__name__
    row = db.execute("SELECT event FROM journal WHERE kind=? ORDER BY seq DESC LIMIT 1", (name,)).fetchone()
    if row is None:
        return ""
    event = record.decode_event(name, bytes(row[0]))
    return event.venue if isinstance(event, EngineStarted) else ""
