"""Reading a journal beside its daemon or after it: nothing is changed, and nothing is left behind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import apsw
import msgspec

from executor.domain.advice import AdviceRecord
from executor.domain.errors import ExecutorError, JournalError
from executor.engine.engine import Engine
from executor.engine.report import parent_facts
from executor.engine.state import EngineState, ParentState
from executor.runtime import record
from executor.runtime.integrity import DAMAGE, SCHEMA_VERSION, explained, last_checkpoint, rows
from executor.runtime.tables import decisions_in
from impact.shortfall import as_json, make_report


def open_to_read(path: Path) -> apsw.Connection:
    """Open a journal for reading.

    A clean end takes the write-ahead log away. Where there is none the file is whole by itself and is read as one that
    does not change: then SQLite makes no files of its own beside it. Where there is one, a daemon runs or was killed:
    what was committed last lies in it, so it must be read, and the files stay for the next start.

    Raises
    ------
    apsw.Error
        If it cannot be opened.
    """
    has_log = path.with_name(f"{path.name}-wal").exists()
    address = f"{path.absolute().as_uri()}?{'mode=ro' if has_log else 'immutable=1'}"
    return apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def state_in(db: apsw.Connection) -> EngineState:
    """The state that a journal ends in: the newest checkpoint and the events after it."""
    seq, state = last_checkpoint(db)
    engine = Engine(state)
    for link in rows(db, seq):
        engine.on_event(record.decode_event(link.kind, link.event))
    return engine.state


class PastRun:
    """What a journal says when nobody else says anything."""

    def __init__(
        self,
        state: EngineState,
        reports: Mapping[str, bytes],
        decisions: Mapping[str, Sequence[AdviceRecord]],
    ) -> None:
        self.state = state
        self._reports = reports
        self._decisions = decisions

    def report(self, parent: ParentState) -> Mapping[str, object]:
        """The stored cost report of a parent, or one as of the last event; an advised one's with its `decisions`."""
        name = parent.order.parent_id
        stored = self._reports.get(name) if parent.is_final else None
        report: dict[str, object] = (
            as_json(make_report(parent_facts(self.state, parent)))
            if stored is None
            else msgspec.json.decode(stored)
        )
        return report if parent.advice is None else report | {"decisions": self._decisions.get(name, ())}


def read_past_run(path: Path) -> PastRun:
    """Read a whole journal into memory, as it stands at this moment.

    Raises
    ------
    JournalError
        If it is not there, or cannot be read or trusted.
    """
    if not path.is_file():
        raise JournalError(f"{path}: no such file; name a journal.db that is there", "DB_MISSING")
    try:
        db = open_to_read(path)
        try:
            return _past_run(db, path)
        finally:
            db.close()
    except JournalError:
        raise
    except ExecutorError as error:
        raise JournalError(f"{path}: cannot be replayed: {error}", "DB_REPLAY") from error
    except (apsw.Error, *DAMAGE) as error:
        raise explained(path, error) from error


def _past_run(db: apsw.Connection, path: Path) -> PastRun:
    db.execute("BEGIN")  # one snapshot: a daemon may begin to write meanwhile
    version = db.execute("SELECT value FROM meta WHERE key='schema_version'").fetchone()
    if version != (str(SCHEMA_VERSION),):
        raise JournalError(f"{path}: schema {version}, this code knows {SCHEMA_VERSION}", "DB_NEWER")
    stored = cast("list[tuple[str, bytes]]", db.execute("SELECT parent_id, body FROM reports").fetchall())
    state = state_in(db)
    advised = [name for name, parent in state.parents.items() if parent.advice is not None]
    return PastRun(state, dict(stored), {name: decisions_in(db, name) for name in advised})
