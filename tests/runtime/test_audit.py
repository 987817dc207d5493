"""An audit replays a journal and names the first row that is not what it was."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import fields, is_dataclass

import apsw
import msgspec
import pytest

from executor.domain.errors import JournalError
from executor.engine.engine import Engine
from executor.runtime import record
from executor.runtime.audit import audit
from executor.runtime.integrity import GENESIS, chain_hash, checkpoint_hash, rows
from executor.runtime.journal import Journal
from tests.runtime.drives import JournaledRig, sha256, tell_story, wander


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A journal with a checkpoint in its middle."""
    path = tmp_path_factory.mktemp("story") / "journal.db"
    with Journal.open(path, create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 20)
        journal.checkpoint(rig.engine.state)
        wander(rig, 3, 15)
    return path


@pytest.fixture
def copy(story, tmp_path):
    return shutil.copy(story, tmp_path / "journal.db")


def change(path, *statements):
    db = apsw.Connection(str(path))
    for statement, values in statements:
        db.execute(statement, values)
    db.close()


def chained_anew(path, row, **changed):
    """Change a row and forge every hash after it, as somebody would who knows the code."""
    db = apsw.Connection(str(path))
    previous = GENESIS
    for link in list(rows(db, 0)):
        kind, event, commands = link.kind, link.event, link.commands
        if link.seq == row:
            kind, event = changed.get("kind", kind), changed.get("event", event)
            commands = changed.get("commands", commands)
        previous = chain_hash(previous, link.seq, link.at_ns, kind, event, commands)
        db.execute(
            "UPDATE journal SET kind=?, event=?, commands=?, hash=? WHERE seq=?",
            (kind, event, commands, previous, link.seq),
        )
        last = link.seq
    db.execute("UPDATE meta SET value=? WHERE key='head'", (f"{last}:{previous.hex()}",))
    db.close()


def row_of(path, kind):
    db = apsw.Connection(str(path))
    (seq,) = db.execute("SELECT min(seq) FROM journal WHERE kind=? AND seq > 40", (kind,)).fetchone()
    (event,) = db.execute("SELECT event FROM journal WHERE seq=?", (seq,)).fetchone()
    db.close()
    return seq, event


def test_a_true_story_is_identical_and_the_file_stays_as_it_was(copy):
    before, heard = sha256(copy), []
    result = audit(copy, lambda done, total: heard.append((done, total)))
    assert (result.identical, result.first_difference, result.checkpoints) == (True, None, 1)
    db = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
    count, head = db.execute("SELECT count(*), hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    (head,) = db.execute("SELECT hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    commands = sum(len(msgspec.json.decode(body)) for (body,) in db.execute("SELECT commands FROM journal"))
    db.close()
    assert (result.events, result.commands, result.head_sha256) == (count, commands, head.hex())
    assert sha256(copy) == before


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 60", 60),
        ("UPDATE journal SET kind = 'BookLost' WHERE seq = 60", 60),
        ("UPDATE journal SET event = CAST(event || ' ' AS BLOB) WHERE seq = 60", 60),
        ("UPDATE journal SET commands = CAST('[]' || ' ' AS BLOB) WHERE seq = 60", 60),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 60", 60),
        ("DELETE FROM journal WHERE seq = 60", 60),
        ("DELETE FROM journal WHERE seq = 1", 1),
    ],
)
def test_a_changed_row_is_named(copy, statement, row):
    change(copy, (statement, ()))
    result = audit(copy)
    assert not result.identical
    assert f"row {row}" in result.first_difference
    assert result.events == row - 1


def test_swapped_rows_are_named(copy):
    change(
        copy,
        ("UPDATE journal SET seq = -1 WHERE seq = 60", ()),
        ("UPDATE journal SET seq = 60 WHERE seq = 61", ()),
        ("UPDATE journal SET seq = 61 WHERE seq = -1", ()),
    )
    assert "row 60" in audit(copy).first_difference


def test_rows_missing_at_the_end_are_named(copy):
    change(copy, ("DELETE FROM journal WHERE seq > (SELECT max(seq) - 3 FROM journal)", ()))
    assert "is the last" in audit(copy).first_difference


def test_a_forged_chain_does_not_hide_another_decision(copy):
    chained_anew(copy, 60, commands=b'[["Reply",{}]]')
    assert audit(copy).first_difference.startswith("row 60 (")
    assert "commands something else" in audit(copy).first_difference


@pytest.mark.parametrize(
    "forged", [{"kind": "Nonsense"}, {"event": b"{"}, {"event": b"\xff"}, {"kind": "EngineStarted"}]
)
def test_a_forged_row_that_cannot_be_replayed_is_named(copy, forged):
    chained_anew(copy, 60, **forged)
    result = audit(copy)
    assert result.first_difference.startswith("row 60 (")
    assert "cannot be replayed" in result.first_difference


def test_a_forged_fill_is_named_by_what_follows(copy):
    seq, event = row_of(copy, "OrderFilled")
    fill = msgspec.json.decode(event)
    fill["fill"]["last_qty"] = str(float(fill["fill"]["last_qty"]) * 2)
    chained_anew(copy, seq, event=msgspec.json.encode(fill))
    result = audit(copy)
    assert not result.identical


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE checkpoints SET state = CAST(state || ' ' AS BLOB)", "checkpoint"),
        ("DELETE FROM fills WHERE rowid = (SELECT min(rowid) FROM fills)", "fill"),
        ("UPDATE fills SET last_qty = '9' WHERE rowid = (SELECT min(rowid) FROM fills)", "fill"),
        ("UPDATE parents SET cum_qty = '9' WHERE parent_id = 'P1'", "parent P1"),
        ("UPDATE children SET cum_qty = '9' WHERE client_order_id = 'x-1-1'", "child x-1-1"),
        (
            (
                "INSERT INTO parents SELECT 'P77', status, reason, category, symbol, side, order_qty, cum_qty,"
                " cum_notional, created_ns, finished_ns FROM parents LIMIT 1"
            ),
            "P77",
        ),
    ],
)
def test_changed_tables_and_checkpoints_are_named(copy, statement, told):
    change(copy, (statement, ()))
    assert told in audit(copy).first_difference


@pytest.mark.parametrize("content", [b"", b"hello\n" * 100, b"SQLite format 3\0" + b"\0" * 200])
def test_what_is_no_journal_is_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(JournalError):
        audit(path)
    assert path.read_bytes() == content


def test_no_file_and_a_directory_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(JournalError, match="no such file"):
            audit(path)
    assert list(tmp_path.iterdir()) == []


YOUNGER = {
    "EngineStarted": {"marks_fills", "impact_model"},
    "EngineState": {"marks_fills", "exchange_flows", "impact_model"},
    "ParentState": {"slice_market_base_qty", "cleared", "forecast"},
    "ChildState": {"looked_ns"},
}
"""Fields that an older version did not know; the replay gives most of those of parents and children other values."""


def without_younger(value):
    if is_dataclass(value):
        younger = YOUNGER.get(type(value).__name__, set())
        names = [field.name for field in fields(value) if field.name not in younger]
        return {name: without_younger(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: without_younger(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_younger(each) for each in value]
    return msgspec.to_builtins(value)


def as_older(path, *, spoil=lambda body: None):
    """Make it a journal whose start and checkpoint an older version wrote, with its last row the checkpoint's."""
    db = apsw.Connection(str(path))
    seq, body = db.execute("SELECT seq, state FROM checkpoints").fetchone()
    state = without_younger(record.decode_state(body))
    spoil(state)
    body = msgspec.json.encode(state)
    db.execute("UPDATE checkpoints SET state=?, sha256=?", (body, checkpoint_hash(seq, body)))
    (event,) = db.execute("SELECT event FROM journal WHERE seq=1").fetchone()
    db.close()
    started = without_younger(record.decode_event("EngineStarted", event))
    chained_anew(path, 1, event=msgspec.json.encode(started))


def test_a_checkpoint_of_an_older_version_is_held_to_what_it_says(copy):
    as_older(copy)
    result = audit(copy)
    assert (result.identical, result.first_difference, result.checkpoints) == (True, None, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.update(instance="y"),
        lambda state: state.update(nonsense=1),
        lambda state: state["parents"].popitem(),
        lambda state: state["parents"].update(P77=next(iter(state["parents"].values()))),
        lambda state: state["open_parents"].append("P77"),
        lambda state: next(iter(state["children"].values())).update(cum_qty="9"),
        lambda state: state.update(children=[]),
    ],
)
def test_a_changed_checkpoint_of_an_older_version_is_named(copy, spoil):
    as_older(copy, spoil=spoil)
    assert audit(copy).first_difference.startswith("checkpoint ")


def test_a_checkpoint_of_this_version_lacks_nothing(copy):
    db = apsw.Connection(str(copy))
    seq, body = db.execute("SELECT seq, state FROM checkpoints").fetchone()
    db.close()
    lacking = msgspec.json.encode(without_younger(record.decode_state(body)))
    change(copy, ("UPDATE checkpoints SET state=?, sha256=?", (lacking, checkpoint_hash(seq, lacking))))
    assert audit(copy).first_difference == f"checkpoint {seq} holds another state than the replay"
    assert audit(copy, version="t").first_difference is not None
    assert audit(copy, version="younger").identical


def test_what_goes_on_from_an_older_version_can_be_audited_for_good(tmp_path, monkeypatch):
    """What the older one did not note is not there later; its checkpoint stays, so that an audit goes the same way."""
    monkeypatch.setattr("executor.runtime.journal.CHECKPOINT_EVERY", 20)
    path = tmp_path / "journal.db"
    with Journal.open(path, create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 20)
        journal.checkpoint(rig.engine.state)
    change(path, ("DELETE FROM checkpoints WHERE seq < (SELECT max(seq) FROM checkpoints)", ()))
    as_older(path)
    with Journal.open(path, create=False) as journal:
        rig.book_keeper, rig.engine = journal, Engine(journal.recover())
        rig.pending.clear()
        rig.start()
        wander(rig, 4, 15)
    result = audit(path)
    assert (result.identical, result.first_difference) == (True, None)
    assert result.checkpoints >= 4  # the older one's, and those of the last rows
    with Journal.open(path, create=False) as journal:
        assert record.encode_state(journal.recover()) == record.encode_state(rig.engine.state)


DRIVE = """
import sys
from pathlib import Path
from executor.domain.units import install_decimal_context
install_decimal_context()
from tests.runtime.drives import tell_story
tell_story(Path(sys.argv[1]), seed=5, steps=30)
"""


@pytest.mark.process
def test_two_processes_with_other_hash_seeds_write_the_same_bytes(tmp_path):
    contents = []
    for seed in ("0", "4242"):
        path = tmp_path / f"{seed}.db"
        subprocess.run(
            [sys.executable, "-c", DRIVE, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            check=True,
            timeout=50,
        )
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        contents.append(
            [
                list(db.execute(f"SELECT * FROM {name} ORDER BY 1"))
                for name in ("journal", "parents", "children")
            ]
        )
        db.close()
    here = tell_story(tmp_path / "here.db", seed=5, steps=30)
    assert contents[0] == contents[1]
    assert len(contents[0][0]) == len(here.journal) > 100
    assert [(row[3], row[4]) for row in contents[0][0]] == here.journal


def test_the_engine_replays_what_a_checkpoint_holds(story):
    db = apsw.Connection(str(story), flags=apsw.SQLITE_OPEN_READONLY)
    seq, state = db.execute("SELECT seq, state FROM checkpoints").fetchone()
    engine = Engine()
    for link in rows(db, 0):
        if link.seq <= seq:
            engine.on_event(record.decode_event(link.kind, link.event))
    db.close()
    assert hashlib.sha256(record.encode_state(engine.state)).digest() == hashlib.sha256(state).digest()
