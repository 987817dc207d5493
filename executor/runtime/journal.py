"""The durable record: every event with the commands it caused, hash-chained, and tables for people beside it.

One connection, WAL, `synchronous=FULL`. An event, its commands and everything it changed are one
transaction; commands are carried out only after their commit. A failed commit is fatal: nothing is retried
and nothing goes on in memory.
"""

from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

import apsw

from executor.domain.advice import AdviceRecord
from executor.domain.commands import Command, SetTimer
from executor.domain.errors import JournalError
from executor.domain.events import (
    BookUpdated,
    ContractUpdated,
    Event,
    ExchangeFlowCounted,
    PositionsLiquidated,
    ReferenceUpdated,
    TimerFired,
)
from executor.engine.engine import Engine, Touched
from executor.engine.state import EngineState
from executor.runtime import record
from executor.runtime.integrity import (
    DAMAGE,
    GENESIS,
    HEAD,
    RESTORE_RECIPE,
    SCHEMA_VERSION,
    chain_hash,
    check_form,
    check_head,
    check_library,
    check_link,
    checkpoint_hash,
    explained,
    hash_at,
    is_as_written,
    last_checkpoint,
    rows,
)
from executor.runtime.tables import decisions_in, first_difference, marks_schema, write_touched

CHECKPOINT_EVERY: Final = 20_000
_KEPT: Final = "checkpoint:"
"""Names a checkpoint of an older version from which this one went on: without it no audit could go the same way."""

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

_DECISIONS: Final = """
CREATE TABLE IF NOT EXISTS decisions (
    decision_id TEXT PRIMARY KEY, parent_id TEXT NOT NULL, decided_ns INTEGER NOT NULL, outcome TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
"""
"""Came with advice; a journal from before gets it when it is opened."""


class Journal:
    """The open database of one daemon. Use `Journal.open`."""

    def __init__(self, connection: apsw.Connection, path: Path, instance: str) -> None:
        self.instance = instance
        self._db = connection
        self._path = path
        self._seq = 0
        self._hash = GENESIS
        self._since_checkpoint = 0
        self._handed_over = 0
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
        check_library()
        if path.is_symlink():
            raise JournalError(f"{path}: is a symbolic link; give the real path", "DB_SYMLINK")
        fresh = not path.exists()
        if fresh and not create:
            raise JournalError(
                f"{path}: there is no journal. If this account was never traded from here, start once with --init;"
                f" otherwise restore it from a backup, because orders of ours may be open.",
                "DB_MISSING",
            )
        if fresh and not instance:
            raise JournalError("a new journal needs an instance name", "DB_INSTANCE")
        if not fresh and not path.is_file():
            raise JournalError(f"{path}: is not a file; give the path of the journal", "DB_NOT_A_FILE")
        try:
            flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if fresh else 0)
            connection = apsw.Connection(str(path), flags=flags)
        except apsw.Error as error:
            raise explained(path, error) from error
        try:
            # A refusal must leave the file as it is: what waits in the write-ahead log stays there.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            if fresh:
                path.chmod(0o600)
                _configure(connection, path)
                _create(connection, instance)
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
            name = check_form(connection, path)
        except (apsw.Error, *DAMAGE) as error:
            connection.close()
            raise explained(path, error) from error
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
            self._db.execute(_DECISIONS)
            self._db.execute(marks_schema())
            if self._handed_over:
                self._db.execute(
                    "INSERT OR IGNORE INTO meta VALUES (?, '')", (f"{_KEPT}{self._handed_over}",)
                )
        except (apsw.Error, *DAMAGE) as error:
            raise explained(self._path, error) from error
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

    def decisions(self, parent_id: str) -> list[AdviceRecord]:
        """Every question about a parent and what became of it, oldest first."""
        return decisions_in(self._db, parent_id)

    def commit(self) -> None:
        """Make everything appended so far durable.

        Raises
        ------
        JournalError
            If the disk refused. Never retried.
        """
        if self._failed:
            raise JournalError("the journal failed earlier; nothing is written any more", "DB_FAILED")
        if not self._dirty:
            return
        try:
            head = f"{self._seq}:{self._hash.hex()}"
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (HEAD, head))
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
            raise JournalError("the journal failed earlier; nothing is written any more", "DB_FAILED")
        if not self._dirty:
            self._db.execute("BEGIN IMMEDIATE")
            self._dirty = True

    def _checkpoint(self, seq: int, state: EngineState) -> None:
        body = record.encode_state(state)
        self._db.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?,?,?)", (seq, body, checkpoint_hash(seq, body))
        )
        self._db.execute(
            "DELETE FROM checkpoints WHERE seq < ? AND ? || seq NOT IN (SELECT key FROM meta)",
            (seq - 3 * CHECKPOINT_EVERY, _KEPT),
        )
        self._since_checkpoint = 0

    def _fail(self, error: Exception) -> NoReturn:
        self._failed = True
        raise JournalError(f"the journal cannot be written: {error}", "DB_FAILED") from error

    def _recover(self) -> EngineState:
        start, state = last_checkpoint(self._db)
        if start and not is_as_written(self._db, start, state):
            self._handed_over = start
        engine = Engine(state)
        self._seq, self._hash = start, hash_at(self._db, start)
        for link in rows(self._db, start):
            check_link(self._hash, self._seq, link)
            commands = engine.on_event(record.decode_event(link.kind, link.event))
            if record.encode_commands(commands) != link.commands:
                raise JournalError(
                    f"journal row {link.seq} ({link.kind}): this version of the code decides differently;"
                    " start the version that wrote it, let its parents end, then upgrade",
                    "DB_OTHER_VERSION",
                )
            self._seq, self._hash = link.seq, link.hash
            self._since_checkpoint += 1
        check_head(self._db, self._seq, self._hash)
        difference = first_difference(self._db, engine.state)
        if difference:
            raise JournalError(f"table and journal disagree: {difference}. {RESTORE_RECIPE}")
        return engine.state


_MAY_WAIT = (
    BookUpdated,
    ContractUpdated,
    ExchangeFlowCounted,
    PositionsLiquidated,
    ReferenceUpdated,
    TimerFired,
)


def needs_commit(event: Event, commands: tuple[Command, ...]) -> bool:
    """Whether an event must be durable at once; plain market data and timers without effect may wait."""
    return have_effect(commands) or not isinstance(event, _MAY_WAIT)


def have_effect(commands: tuple[Command, ...]) -> bool:
    """Whether commands do more than set timers: those end with the process, and a start sets them anew."""
    return any(not isinstance(command, SetTimer) for command in commands)


def _configure(db: apsw.Connection, path: Path) -> None:
    mode = db.execute("PRAGMA journal_mode=WAL").fetchone()
    db.execute("PRAGMA synchronous=FULL")
    full = db.execute("PRAGMA synchronous").fetchone()
    if mode != ("wal",) or full != (2,):
        raise JournalError(
            f"{path}: the file system does not support WAL with full sync ({mode}, {full})", "DB_FILE_SYSTEM"
        )


def _create(db: apsw.Connection, instance: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute(_SCHEMA)
    db.execute(_DECISIONS)
    db.execute(marks_schema())
    db.execute(
        "INSERT INTO meta VALUES ('schema_version', ?), ('instance', ?)", (str(SCHEMA_VERSION), instance)
    )
    db.execute("COMMIT")
