"""Replaying a whole journal through the core: the same events must give the same commands, byte for byte.

So must the checkpoints, but for one thing: those of an older version lack what the state has come to hold since. The
start before it, which is in the chain, says that it was an older one.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import apsw
import msgspec

from executor.domain.errors import InvariantViolation, JournalError
from executor.domain.events import EngineStarted
from executor.engine.engine import Engine
from executor.engine.state import EngineState
from executor.runtime import record
from executor.runtime.integrity import DAMAGE, GENESIS, chain_hash, rows
from executor.runtime.reading import open_to_read
from executor.runtime.tables import first_difference


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit found.

    Parameters
    ----------
    first_difference
        Row at which the replay, the chain, a checkpoint or a table first differs; None when all is identical.
    """

    events: int
    commands: int
    checkpoints: int
    identical: bool
    first_difference: str | None
    head_sha256: str


def audit(
    path: Path, progress: Callable[[int, int], None] | None = None, version: str | None = None
) -> AuditResult:
    """Replay the journal from its first row; the database is opened read-only.

    Parameters
    ----------
    progress
        Called now and then with rows done and rows in all.
    version
        Of this code, to know checkpoints of older versions by; None goes by the form of what they wrote alone.

    Raises
    ------
    JournalError
        If the file cannot be read as a journal.
    """
    if not path.is_file():
        raise JournalError(f"{path}: no such file; name a journal.db that is there", "DB_MISSING")
    log = path.with_name(f"{path.name}-wal")
    was_written = log.exists()
    try:
        db = open_to_read(path)
    except apsw.Error as error:
        raise JournalError(f"{path}: {error}", "DB_UNUSABLE") from error
    try:
        db.execute("BEGIN")  # one view of a journal that may be growing
        total = db.execute("SELECT count(*) FROM journal").fetchone()
        checkpoints = {
            int(seq): bytes(body) for seq, body in db.execute("SELECT seq, state FROM checkpoints")
        }
        head = db.execute("SELECT value FROM meta WHERE key='head'").fetchone()
        result = _replay(
            db, total[0] if total else 0, checkpoints, head[0] if head else "", progress, version
        )
    except (apsw.Error, *DAMAGE) as error:
        raise JournalError(f"{path}: {type(error).__name__}: {error}") from error
    finally:
        db.close()
    if not result.identical and log.exists() and not was_written:
        raise JournalError(
            f"{path}: a daemon has opened it while it was read; run the audit when that one has ended",
            "DB_LOCKED",
        )
    return result


def _replay(
    db: apsw.Connection,
    total: int,
    checkpoints: dict[int, bytes],
    head: str,
    progress: Callable[[int, int], None] | None,
    version: str | None,
) -> AuditResult:
    engine, is_older = Engine(), False
    previous, events, sent, checked = GENESIS, 0, 0, 0
    difference = None
    for link in rows(db, 0):
        if link.seq != events + 1:
            difference = f"row {events + 1} is missing"
            break
        if chain_hash(previous, link.seq, link.at_ns, link.kind, link.event, link.commands) != link.hash:
            difference = f"row {link.seq} ({link.kind}) breaks the hash chain"
            break
        try:
            event = record.decode_event(link.kind, link.event)
            commands = engine.on_event(event)
        except (InvariantViolation, *DAMAGE) as error:
            difference = f"row {link.seq} ({link.kind}) cannot be replayed: {type(error).__name__}: {error}"
            break
        if record.encode_commands(commands) != link.commands:
            difference = f"row {link.seq} ({link.kind}): the replay commands something else"
            break
        if isinstance(event, EngineStarted):
            is_older = version not in {None, event.version} or record.encode_event(event) != link.event
        if link.seq in checkpoints:
            checked += 1
            if not _holds(checkpoints[link.seq], engine.state, is_older=is_older):
                difference = f"checkpoint {link.seq} holds another state than the replay"
                break
            if is_older:  # whoever started from it began with what it holds, and no more
                engine = Engine(record.decode_state(checkpoints[link.seq]))
        previous, events, sent = link.hash, link.seq, sent + len(commands)
        if progress is not None and events % 1_000 == 0:
            progress(events, total)
    if difference is None and events and head != f"{events}:{previous.hex()}":
        difference = f"row {events} is the last, the head says {head.partition(':')[0] or 'nothing'}"
    if difference is None:
        difference = first_difference(db, engine.state) or None
    return AuditResult(
        events=events,
        commands=sent,
        checkpoints=checked,
        identical=difference is None,
        first_difference=difference,
        head_sha256=bytes(previous).hex(),
    )


def _holds(checkpoint: bytes, state: EngineState, *, is_older: bool) -> bool:
    """Whether a checkpoint is the state; one of an older version may lack fields, and nothing else."""
    if record.encode_state(state) == checkpoint:
        return True
    if not is_older:
        return False
    try:
        return _agrees(msgspec.json.decode(checkpoint), state)
    except DAMAGE:
        return False


def _agrees(written: object, value: object) -> bool:
    """Whether what was written is a value, as far as it was written."""
    if is_dataclass(value):
        names = {field.name for field in fields(value)}
        return (
            isinstance(written, dict)
            and written.keys() <= names
            and all(_agrees(each, getattr(value, name)) for name, each in written.items())
        )
    if isinstance(value, dict):
        return (
            isinstance(written, dict)
            and written.keys() == {str(name) for name in value}
            and all(_agrees(written[str(name)], each) for name, each in value.items())
        )
    if isinstance(value, list | tuple):
        return (
            isinstance(written, list)
            and len(written) == len(value)
            and all(_agrees(old, new) for old, new in zip(written, value, strict=True))
        )
    return bool(written == msgspec.to_builtins(value))
