"""The durable record: every event with the commands it caused, hash-chained, and tables for people beside it.

One connection, WAL, `synchronous=FULL`. An event, its commands and everything it changed are one
transaction; commands are carried out only after their commit. A failed commit is fatal: nothing is retried
and nothing goes on in memory.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self, cast

import apsw
import msgspec

from executor.domain.commands import Command
from executor.domain.errors import JournalError
from executor.domain.events import BookUpdated, Event, TimerFired
from executor.engine.engine import Engine, Touched
from executor.engine.state import EngineState
from executor.runtime import record
from executor.runtime.tables import first_difference, write_touched

SCHEMA_VERSION: Final = 1
SQLITE_MIN: Final = (3, 51, 3)
CHECKPOINT_EVERY: Final = 20_000
GENESIS: Final = b"\0" * 32
_TAIL_CHECKED: Final = 1_000
_HEAD: Final = "head"

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL,
    event BLOB NOT NULL, commands BLOB NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY, state BLOB NOT NULL, sha256 BLOB NOT NULL) STRICT;
CREATE TABLE parents (
    parent_id TEXT PRIMARY KEY, status TEXT NOT NULL, reason TEXT NOT NULL, category TEXT NOT NULL,
    symbol TEXT NOT NULL, side TEXT NOT NULL, order_qty TEXT NOT NULL, cum_qty TEXT NOT NULL,
    cum_notional TEXT NOT NULL, created_ns INTEGER NOT NULL, finished_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE children (
    client_order_id TEXT PRIMARY KEY, parent_id TEXT NOT NULL, venue_order_id TEXT NOT NULL,
    status TEXT NOT NULL, style TEXT NOT NULL, qty TEXT NOT NULL, px TEXT NOT NULL, cum_qty TEXT NOT NULL,
    cum_notional TEXT NOT NULL, fees TEXT NOT NULL, created_ns INTEGER NOT NULL, done_ns INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE TABLE fills (
    category TEXT NOT NULL, symbol TEXT NOT NULL, exec_id TEXT NOT NULL, client_order_id TEXT NOT NULL,
    venue_order_id TEXT NOT NULL, side TEXT NOT NULL, last_qty TEXT NOT NULL, last_px TEXT NOT NULL,
    fee TEXT NOT NULL, fee_coin TEXT NOT NULL, liquidity TEXT NOT NULL, ts_exchange_ns INTEGER NOT NULL,
    seq INTEGER NOT NULL, PRIMARY KEY (category, symbol, exec_id)
) STRICT;
CREATE TABLE reports (parent_id TEXT PRIMARY KEY, at_ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
"""

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


class Journal:
    """The open database of one daemon. Use `Journal.open`."""

    def __init__(self, connection: apsw.Connection, path: Path, instance: str) -> None:
        self.instance = instance
        self._db = connection
        self._path = path
        self._seq = 0
        self._hash = GENESIS
        self._since_checkpoint = 0
        self._dirty = False
        self._failed = False

    @classmethod
    def open(cls, path: Path, *, create: bool, instance: str = "") -> Self:
        """Open the database, or create it.

        Parameters
        ----------
        create
            Whether a missing database may be created.
        instance
            Identity under which a new database names its orders.

        Raises
        ------
        JournalError
            If it is missing, damaged, newer than this code, read-only, or not a database. Nothing is written.
        """
        _check_sqlite()
        if path.is_symlink():
            raise JournalError(f"{path}: is a symbolic link; give the real path")
        fresh = not path.exists()
        if fresh and not create:
            raise JournalError(
                f"{path}: there is no journal. If this account was never traded from here, start once with --init;"
                f" otherwise restore it from a backup, because orders of ours may be open."
            )
        if fresh and not instance:
            raise JournalError("a new journal needs an instance name")
        if not fresh and not path.is_file():
            raise JournalError(f"{path}: is not a file; give the path of the journal")
        try:
            flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if fresh else 0)
            connection = apsw.Connection(str(path), flags=flags)
        except apsw.Error as error:
            raise _explained(path, error) from error
        try:
            # A refusal must leave the file as it is: what waits in the write-ahead log stays there.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            if fresh:
                path.chmod(0o600)
                _configure(connection, path)
                _create(connection, instance)
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
            name = _check(connection, path)
        except (apsw.Error, *DAMAGE) as error:
            connection.close()
            raise _explained(path, error) from error
        except JournalError:
            connection.close()
            raise
        return cls(connection, path, name)

    def __enter__(self) -> Self:
        """Use the journal in a with statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def recover(self) -> EngineState:
        """Rebuild the engine's state: the last checkpoint, then every event after it through the engine.

        Raises
        ------
        JournalError
            If the chain is broken, a command differs from what the engine says now, or the tables disagree.
            Nothing is written then.
        """
        try:
            state = self._recover()
            _configure(self._db, self._path)
        except (apsw.Error, *DAMAGE) as error:
            raise _explained(self._path, error) from error
        self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        return state

    def append(
        self, event: Event, commands: tuple[Command, ...], touched: Touched, state: EngineState
    ) -> None:
        """Write one event with its commands and what it changed. Durable after the next `commit`.

        Raises
        ------
        JournalError
            If the write failed. The journal can then not be used any more.
        """
        seq = self._seq + 1
        kind = type(event).__name__
        try:
            body, done = record.encode_event(event), record.encode_commands(commands)
            digest = chain_hash(self._hash, seq, event.at_ns, kind, body, done)
            self._begin()
            self._db.execute(
                "INSERT INTO journal VALUES (?,?,?,?,?,?)", (seq, event.at_ns, kind, body, done, digest)
            )
            write_touched(self._db, touched, state, seq)
            self._since_checkpoint += 1
            if self._since_checkpoint >= CHECKPOINT_EVERY:
                self._checkpoint(seq, state)
        except (apsw.Error, ArithmeticError, TypeError, ValueError) as error:
            self._fail(error)
        self._seq, self._hash = seq, digest

    def store_report(self, parent_id: str, at_ns: int, body: bytes) -> None:
        """Keep a parent's cost report."""
        try:
            self._begin()
            self._db.execute("INSERT OR REPLACE INTO reports VALUES (?,?,?)", (parent_id, at_ns, body))
        except apsw.Error as error:
            self._fail(error)

    def report(self, parent_id: str) -> bytes | None:
        """The stored report of a parent."""
        row = self._db.execute("SELECT body FROM reports WHERE parent_id=?", (parent_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def commit(self) -> None:
        """Make everything appended so far durable.

        Raises
        ------
        JournalError
            If the disk refused. Never retried.
        """
        if self._failed:
            raise JournalError("the journal failed earlier; nothing is written any more")
        if not self._dirty:
            return
        try:
            head = f"{self._seq}:{self._hash.hex()}"
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (_HEAD, head))
            self._db.execute("COMMIT")
        except apsw.Error as error:
            self._fail(error)
        self._dirty = False

    def checkpoint(self, state: EngineState) -> None:
        """Write the state down, so that the next start is quick."""
        try:
            self._begin()
            self._checkpoint(self._seq, state)
        except apsw.Error as error:
            self._fail(error)
        self.commit()

    def close(self) -> None:
        """Commit what is pending and let go of the file."""
        if not self._failed:
            self.commit()
        else:
            self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._db.close()

    def _begin(self) -> None:
        if self._failed:
            raise JournalError("the journal failed earlier; nothing is written any more")
        if not self._dirty:
            self._db.execute("BEGIN IMMEDIATE")
            self._dirty = True

    def _checkpoint(self, seq: int, state: EngineState) -> None:
        body = record.encode_state(state)
        self._db.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?,?,?)", (seq, body, checkpoint_hash(seq, body))
        )
        self._db.execute("DELETE FROM checkpoints WHERE seq < ?", (seq - 3 * CHECKPOINT_EVERY,))
        self._since_checkpoint = 0

    def _fail(self, error: Exception) -> NoReturn:
        self._failed = True
        raise JournalError(f"the journal cannot be written: {error}") from error

    def _recover(self) -> EngineState:
        start, state = _last_checkpoint(self._db)
        engine = Engine(state)
        self._seq, self._hash = start, _hash_at(self._db, start)
        for link in rows(self._db, start):
            _check_link(self._hash, self._seq, link)
            commands = engine.on_event(record.decode_event(link.kind, link.event))
            if record.encode_commands(commands) != link.commands:
                raise JournalError(
                    f"journal row {link.seq} ({link.kind}): this version of the code decides differently;"
                    " start the version that wrote it, let its parents end, then upgrade"
                )
            self._seq, self._hash = link.seq, link.hash
            self._since_checkpoint += 1
        _check_head(self._db, self._seq, self._hash)
        difference = first_difference(self._db, engine.state)
        if difference:
            raise JournalError(f"table and journal disagree: {difference}. {RESTORE_RECIPE}")
        return engine.state


def needs_commit(event: Event, commands: tuple[Command, ...]) -> bool:
    """Whether an event must be durable at once; plain market data and timers without effect may wait."""
    return bool(commands) or not isinstance(event, BookUpdated | TimerFired)


def rows(db: apsw.Connection, after_seq: int) -> Iterator[Link]:
    """Rows of the journal in order, after a sequence number."""
    query = "SELECT seq, at_ns, kind, event, commands, hash FROM journal WHERE seq > ? ORDER BY seq"
    for row in db.execute(query, (after_seq,)):
        seq, at_ns, kind, event, commands, digest = cast("tuple[int, int, str, bytes, bytes, bytes]", row)
        yield Link(seq, at_ns, kind, event, commands, digest)


def _check_sqlite() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < SQLITE_MIN:
        raise JournalError(f"SQLite {apsw.sqlite_lib_version()} is too old; {SQLITE_MIN} or later is needed")


def _configure(db: apsw.Connection, path: Path) -> None:
    mode = db.execute("PRAGMA journal_mode=WAL").fetchone()
    db.execute("PRAGMA synchronous=FULL")
    full = db.execute("PRAGMA synchronous").fetchone()
    if mode != ("wal",) or full != (2,):
        raise JournalError(f"{path}: the file system does not support WAL with full sync ({mode}, {full})")


def _create(db: apsw.Connection, instance: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute(_SCHEMA)
    db.execute(
        "INSERT INTO meta VALUES ('schema_version', ?), ('instance', ?)", (str(SCHEMA_VERSION), instance)
    )
    db.execute("COMMIT")


def _check(db: apsw.Connection, path: Path) -> str:
    if db.readonly("main"):
        raise JournalError(f"{path}: cannot be written; check owner and permissions. Nothing was changed.")
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != ("ok",):
        raise JournalError(f"{path}: damaged ({verdict}). {RESTORE_RECIPE}")
    try:
        meta = {str(key): str(value) for key, value in db.execute("SELECT key, value FROM meta")}
    except apsw.SQLError as error:
        raise JournalError(
            f"{path}: is a database, but not a journal of this program. {RESTORE_RECIPE}"
        ) from error
    version = int(meta.get("schema_version", "0"))
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path}: written by a newer version (schema {version}, this code knows {SCHEMA_VERSION})."
            " Start the newer version. Nothing was changed."
        )
    if version < 1 or "instance" not in meta:
        raise JournalError(f"{path}: has no schema version or instance. {RESTORE_RECIPE}")
    return meta["instance"]


def _last_checkpoint(db: apsw.Connection) -> tuple[int, EngineState]:
    row = db.execute("SELECT seq, state, sha256 FROM checkpoints ORDER BY seq DESC LIMIT 1").fetchone()
    if row is None:
        return 0, EngineState()
    seq, body, digest = row
    if checkpoint_hash(seq, body) != digest:
        raise JournalError(f"checkpoint {seq} is damaged. {RESTORE_RECIPE}")
    return seq, record.decode_state(body)


def _hash_at(db: apsw.Connection, seq: int) -> bytes:
    """Hash of a row, after checking the chain over the rows before it."""
    if seq == 0:
        return GENESIS
    first = max(seq - _TAIL_CHECKED, 0)
    previous, number = GENESIS if first == 0 else None, first
    for link in rows(db, first):
        if link.seq > seq:
            break
        if previous is not None:
            _check_link(previous, number, link)
        previous, number = link.hash, link.seq
    if previous is None or number != seq:
        raise JournalError(f"journal row {seq} is missing. {RESTORE_RECIPE}")
    return bytes(previous)


def _check_link(previous: bytes, number: int, link: Link) -> None:
    if link.seq != number + 1:
        raise JournalError(f"journal row {number + 1} is missing. {RESTORE_RECIPE}")
    if chain_hash(previous, link.seq, link.at_ns, link.kind, link.event, link.commands) != link.hash:
        raise JournalError(f"journal row {link.seq} was changed after it was written. {RESTORE_RECIPE}")


def _check_head(db: apsw.Connection, seq: int, digest: bytes) -> None:
    """Hold the last row against the note every commit leaves: rows missing at the end break no chain."""
    row = db.execute("SELECT value FROM meta WHERE key=?", (_HEAD,)).fetchone()
    found = row is None if seq == 0 else row == (f"{seq}:{digest.hex()}",)
    if not found:
        raise JournalError(f"the journal ends at row {seq}, its head says {row}. {RESTORE_RECIPE}")


def _explained(path: Path, error: BaseException) -> JournalError:
    """Say what to do about an error: only damage calls for the backup."""
    if isinstance(error, DAMAGE):
        return JournalError(f"{path}: {type(error).__name__}: {error}. {RESTORE_RECIPE}")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        advice = "another program holds it: end that program, then start again"
    else:
        advice = "check the path, its owner and permissions, and the disk"
    return JournalError(f"{path}: {type(error).__name__}: {error}; {advice}. Nothing was changed.")
