"""What makes a journal trustworthy: its chain of hashes, its form, and what is said when it is not.

Everything here only reads.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import apsw
import msgspec

from executor.domain.errors import JournalError
from executor.engine.state import EngineState
from executor.runtime import record

SCHEMA_VERSION: Final = 1
SQLITE_MIN: Final = (3, 51, 3)
GENESIS: Final = b"\0" * 32
HEAD: Final = "head"
_TAIL_CHECKED: Final = 1_000

RESTORE_RECIPE: Final = (
    "Nothing was changed. Copy the damaged files away, restore the last backup of the database, run"
    " `executor audit` on it, and start again: what happened since is read from the venue."
)


DAMAGE: Final = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.SQLError,
    msgspec.MsgspecError,
    KeyError,
    TypeError,
    ValueError,
    ArithmeticError,
)
"""What reading a damaged file raises: from SQLite, from the text in it, or from a row of another form."""


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the journal."""

    seq: int
    at_ns: int
    kind: str
    event: bytes
    commands: bytes
    hash: bytes


def chain_hash(previous: bytes, seq: int, at_ns: int, kind: str, event: bytes, commands: bytes) -> bytes:
    """Hash of a row: SHA-256 over the previous hash and everything in the row."""
    digest = hashlib.sha256(previous)
    for part in (str(seq).encode(), str(at_ns).encode(), kind.encode(), event, commands):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def checkpoint_hash(seq: int, body: bytes) -> bytes:
    """Hash of a checkpoint: of the state and of the row it belongs to."""
    return hashlib.sha256(f"{seq}:".encode() + body).digest()


def rows(db: apsw.Connection, after_seq: int) -> Iterator[Link]:
    """Rows of the journal in order, after a sequence number."""
    query = "SELECT seq, at_ns, kind, event, commands, hash FROM journal WHERE seq > ? ORDER BY seq"
    for row in db.execute(query, (after_seq,)):
        seq, at_ns, kind, event, commands, digest = cast("tuple[int, int, str, bytes, bytes, bytes]", row)
        yield Link(seq, at_ns, kind, event, commands, digest)


def check_library() -> None:
    """Refuse a SQLite with known faults in its write-ahead log."""
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < SQLITE_MIN:
        raise JournalError(
            f"SQLite {apsw.sqlite_lib_version()} is too old; {SQLITE_MIN} or later is needed", "DB_LIBRARY"
        )


def check_form(db: apsw.Connection, path: Path) -> str:
    """Check that an open database is a whole journal of a version we know; gives its instance."""
    if db.readonly("main"):
        raise JournalError(
            f"{path}: cannot be written; check owner and permissions. Nothing was changed.", "DB_READ_ONLY"
        )
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != ("ok",):
        raise JournalError(f"{path}: damaged ({verdict}). {RESTORE_RECIPE}")
    try:
        meta = {str(key): str(value) for key, value in db.execute("SELECT key, value FROM meta")}
    except apsw.SQLError as error:
        raise JournalError(
            f"{path}: is a database, but not a journal of this program. {RESTORE_RECIPE}", "DB_FOREIGN"
        ) from error
    version = int(meta.get("schema_version", "0"))
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path}: written by a newer version (schema {version}, this code knows {SCHEMA_VERSION})."
            " Start the newer version. Nothing was changed.",
            "DB_NEWER",
        )
    if version < 1 or "instance" not in meta:
        raise JournalError(f"{path}: has no schema version or instance. {RESTORE_RECIPE}")
    return meta["instance"]


def last_checkpoint(db: apsw.Connection) -> tuple[int, EngineState]:
    """Read the newest checkpoint: its row and the state; a fresh state when there is none."""
    row = db.execute("SELECT seq, state, sha256 FROM checkpoints ORDER BY seq DESC LIMIT 1").fetchone()
    if row is None:
        return 0, EngineState()
    seq, body, digest = row
    if checkpoint_hash(seq, body) != digest:
        raise JournalError(f"checkpoint {seq} is damaged. {RESTORE_RECIPE}")
    return seq, record.decode_state(body)


def is_as_written(db: apsw.Connection, seq: int, state: EngineState) -> bool:
    """Whether a checkpoint has all that the state it was read into would be written with: none of an older version."""
    row = db.execute("SELECT sha256 FROM checkpoints WHERE seq=?", (seq,)).fetchone()
    return row == (checkpoint_hash(seq, record.encode_state(state)),)


def hash_at(db: apsw.Connection, seq: int) -> bytes:
    """Hash of a row, after checking the chain over the rows before it."""
    if seq == 0:
        return GENESIS
    first = max(seq - _TAIL_CHECKED, 0)
    previous, number = GENESIS if first == 0 else None, first
    for link in rows(db, first):
        if link.seq > seq:
            break
        if previous is not None:
            check_link(previous, number, link)
        previous, number = link.hash, link.seq
    if previous is None or number != seq:
        raise JournalError(f"journal row {seq} is missing. {RESTORE_RECIPE}")
    return bytes(previous)


def check_link(previous: bytes, number: int, link: Link) -> None:
    """Check that a row follows the one before it, unchanged."""
    if link.seq != number + 1:
        raise JournalError(f"journal row {number + 1} is missing. {RESTORE_RECIPE}")
    if chain_hash(previous, link.seq, link.at_ns, link.kind, link.event, link.commands) != link.hash:
        raise JournalError(f"journal row {link.seq} was changed after it was written. {RESTORE_RECIPE}")


def check_head(db: apsw.Connection, seq: int, digest: bytes) -> None:
    """Hold the last row against the note every commit leaves: rows missing at the end break no chain."""
    row = db.execute("SELECT value FROM meta WHERE key=?", (HEAD,)).fetchone()
    found = row is None if seq == 0 else row == (f"{seq}:{digest.hex()}",)
    if not found:
        raise JournalError(f"the journal ends at row {seq}, its head says {row}. {RESTORE_RECIPE}")


def explained(path: Path, error: BaseException) -> JournalError:
    """Say what to do about an error: only damage calls for the backup."""
    if isinstance(error, DAMAGE):
        return JournalError(f"{path}: {type(error).__name__}: {error}. {RESTORE_RECIPE}")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        code, advice = "DB_LOCKED", "another program holds it: end that program, then start again"
    else:
        code, advice = "DB_UNUSABLE", "check the path, its owner and permissions, and the disk"
    return JournalError(f"{path}: {type(error).__name__}: {error}; {advice}. Nothing was changed.", code)
