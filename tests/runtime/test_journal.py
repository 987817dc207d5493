"""The journal on a real disk: what was committed is there again, what was damaged is refused untouched.

A damaged file is damaged in many ways; each must end in a refusal that says what to do, or, where the damage
met bytes that hold nothing the engine needs, in exactly the state that was written. SQLite may lay a `-shm`
beside the database to read it; the database and its `-wal` must keep every byte.
"""

import os
import random
import re
import resource
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import apsw
import pytest

import executor.runtime.journal as journal_module
from executor.domain.commands import SetTimer, Severity
from executor.domain.errors import JournalError
from executor.domain.events import BookUpdated, HaltRequested, OrderAcked, TimerFired
from executor.runtime import record
from executor.runtime.journal import Journal, needs_commit
from tests.builders import T0, snapshot
from tests.runtime.drives import JournaledRig, sha256, tell_story, wander

ADVICE = re.compile(
    r"restore the last backup|newer version|check |give the|--init|end that program|start the version"
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A journal with a story, a checkpoint in the middle, closed cleanly; and the state it ended in."""
    path = tmp_path_factory.mktemp("told") / "journal.db"
    with Journal.open(path, create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 15)
        journal.checkpoint(rig.engine.state)
        wander(rig, 3, 10)
    return path, record.encode_state(rig.engine.state)


@pytest.fixture
def copy(told, tmp_path):
    return shutil.copy(told[0], tmp_path / "journal.db")


def recovered(path):
    with Journal.open(path, create=False) as journal:
        return record.encode_state(journal.recover())


def refusal(path):
    """Open and recover; the refusal's text, after seeing that no byte changed."""
    files = [path.with_name(path.name + tail) for tail in ("", "-wal")]
    before = [kept(file) for file in files]
    with pytest.raises(JournalError) as caught:
        recovered(path)
    assert [kept(file) for file in files] == before
    text = str(caught.value)
    assert ADVICE.search(text), text
    return text


def kept(file):
    """What must not change; SQLite lays an empty log beside a database in order to read it."""
    return (
        "absent" if file.name.endswith("-wal") and file.exists() and not file.stat().st_size else sha256(file)
    )


def sql(path, *statements):
    db = apsw.Connection(str(path))
    for statement in statements:
        db.execute(statement)
    db.close()


# ---------------------------------------------------------------- what a journal is for


@pytest.mark.parametrize("seed", range(5))
def test_a_story_is_there_again(tmp_path, seed):
    path = tmp_path / "journal.db"
    rig = tell_story(path, seed, 25)
    with Journal.open(path, create=False) as journal:
        assert journal.instance == "x"
        state = journal.recover()
        assert state == rig.engine.state
        assert record.encode_state(state) == record.encode_state(rig.engine.state)


def test_the_chain_goes_on_after_a_restart_as_if_there_had_been_none(tmp_path):
    once, twice = tmp_path / "once.db", tmp_path / "twice.db"
    tell_story(once, 2, 20)
    with Journal.open(twice, create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        send = rig.send

        def reopen_now_and_then(event):
            commands = send(event)
            if len(rig.journal) % 40 == 0:
                rig.book_keeper.close()
                rig.book_keeper = Journal.open(twice, create=False)
                rig.engine.state = rig.book_keeper.recover()
            return commands

        rig.send = reopen_now_and_then
        wander(rig, 2, 20)
        rig.book_keeper.close()
        assert len(rig.journal) > 120
    assert chain(once) == chain(twice)


def chain(path):
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs="unix")
    hashes = [bytes(digest) for (digest,) in db.execute("SELECT hash FROM journal ORDER BY seq")]
    db.close()
    return hashes


def test_the_instance_is_kept_and_a_new_one_is_not_taken(tmp_path):
    path = tmp_path / "journal.db"
    Journal.open(path, create=True, instance="first").close()
    with Journal.open(path, create=True, instance="second") as journal:
        assert journal.instance == "first"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_from_before_there_was_advice_gets_its_table(tmp_path):
    path = tmp_path / "journal.db"
    Journal.open(path, create=True, instance="x").close()
    with closing(apsw.Connection(str(path))) as db:
        db.execute("DROP TABLE decisions")
    with Journal.open(path, create=False) as journal:
        journal.recover()
        assert journal.decisions("P1") == []


def test_a_report_is_kept(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open(path, create=True, instance="x") as journal:
        assert journal.report("P1") is None
        journal.store_report("P1", T0, b"first")
        journal.store_report("P1", T0, b"second")
    with Journal.open(path, create=False) as journal:
        assert (journal.report("P1"), journal.report("P2")) == (b"second", None)


def test_a_crash_loses_exactly_what_was_not_committed(tmp_path):
    path, copied = tmp_path / "journal.db", tmp_path / "after" / "journal.db"
    copied.parent.mkdir()
    with Journal.open(path, create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 15)
        journal.commit()
        durable = record.encode_state(rig.engine.state)
        last = len(rig.journal)
        for _ in range(3):
            event = BookUpdated(at_ns=rig.now_ns + 1, market=snapshot(traded="999"))
            commands = rig.engine.on_event(event)
            journal.append(event, commands, rig.engine.touched, rig.engine.state)
        for tail in ("", "-wal"):
            shutil.copy(f"{path}{tail}", f"{copied}{tail}")
    with Journal.open(copied, create=False) as journal:
        assert record.encode_state(journal.recover()) == durable
    assert len(chain(copied)) == last
    assert len(chain(path)) == last + 3


def test_recovery_from_a_checkpoint_equals_recovery_from_the_start(told, copy):
    sql(copy, "DELETE FROM checkpoints")
    assert recovered(copy) == recovered(shutil.copy(told[0], f"{copy}2") and copy.with_name("journal.db2"))


def test_a_checkpoint_is_written_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "CHECKPOINT_EVERY", 20)
    path = tmp_path / "journal.db"
    rig = tell_story(path, 2, 15)
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    seqs = [seq for (seq,) in db.execute("SELECT seq FROM checkpoints ORDER BY seq")]
    db.close()
    last = len(rig.journal) // 20 * 20
    assert seqs == [last - 60, last - 40, last - 20, last]
    assert recovered(path) == record.encode_state(rig.engine.state)


@pytest.mark.parametrize(
    ("event", "commands", "needed"),
    [
        (BookUpdated(at_ns=1, market=snapshot()), (), False),
        (TimerFired(at_ns=1, key="k"), (), False),
        (TimerFired(at_ns=1, key="k"), (Severity.INFO,), True),
        (TimerFired(at_ns=1, key="k"), (SetTimer(key="k", at_ns=2),), False),
        (TimerFired(at_ns=1, key="k"), (SetTimer(key="k", at_ns=2), Severity.INFO), True),
        (
            OrderAcked(at_ns=1, client_order_id="x", venue_order_id="v", sent_sha256=""),
            (SetTimer(key="k", at_ns=2),),
            True,
        ),
        (BookUpdated(at_ns=1, market=snapshot()), (Severity.INFO,), True),
        (HaltRequested(at_ns=1, request_id="r", operator="o", reason="r"), (), True),
    ],
)
def test_only_market_data_and_idle_timers_may_wait_for_the_disk(event, commands, needed):
    assert needs_commit(event, commands) is needed


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("seed", range(90))
def test_flipped_bytes_are_refused_or_meant_nothing(told, copy, seed):
    chance = random.Random(seed)
    size = copy.stat().st_size
    content = bytearray(copy.read_bytes())
    page = chance.randrange(size // 4096)
    for _ in range(chance.choice([1, 1, 8, 200])):
        content[page * 4096 + chance.randrange(4096)] ^= chance.randrange(1, 256)
    copy.write_bytes(content)
    before = sha256(copy)
    try:
        state = recovered(copy)
    except JournalError as error:
        told_what_to_do = bool(ADVICE.search(str(error)))
        assert (told_what_to_do, sha256(copy)) == (True, before)
    else:
        assert record.decode_state(state) == record.decode_state(told[1])


ROW = "(SELECT max(seq) - 5 FROM journal)"
CHANGES = {
    "changed event": f"UPDATE journal SET event = CAST(event || ' ' AS BLOB) WHERE seq = {ROW}",
    "changed commands": f"UPDATE journal SET commands = CAST('[] ' AS BLOB) WHERE seq = {ROW}",
    "changed kind": f"UPDATE journal SET kind = 'BookLost' WHERE seq = {ROW}",
    "changed time": f"UPDATE journal SET at_ns = at_ns - 1 WHERE seq = {ROW}",
    "changed hash": f"UPDATE journal SET hash = zeroblob(32) WHERE seq = {ROW}",
    "changed event before the checkpoint": "UPDATE journal SET event = CAST('{}' AS BLOB) WHERE seq = 30",
    "changed first row": "UPDATE journal SET event = CAST('{}' AS BLOB) WHERE seq = 1",
    "deleted row": f"DELETE FROM journal WHERE seq = {ROW}",
    "deleted last row": "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)",
    "deleted row before the checkpoint": "DELETE FROM journal WHERE seq = 30",
    "deleted all rows": "DELETE FROM journal",
    "deleted all rows after the checkpoint": "DELETE FROM journal WHERE seq > (SELECT seq FROM checkpoints)",
    "missing fill": "DELETE FROM fills WHERE rowid = (SELECT min(rowid) FROM fills)",
    "invented fill": "INSERT INTO fills SELECT category, symbol, 'e999', client_order_id, venue_order_id, side,"
    " last_qty, last_px, fee, fee_coin, liquidity, ts_exchange_ns, seq FROM fills LIMIT 1",
    "changed fill": "UPDATE fills SET last_px = '1' WHERE rowid = (SELECT min(rowid) FROM fills)",
    "nonsense fill": "UPDATE fills SET last_px = 'one' WHERE rowid = (SELECT min(rowid) FROM fills)",
    "changed parent": "UPDATE parents SET cum_qty = '999' WHERE parent_id = 'P1'",
    "missing parent": "DELETE FROM parents WHERE parent_id = 'P1'",
    "changed child": "UPDATE children SET cum_qty = '999' WHERE client_order_id = 'x-1-1'",
    "damaged checkpoint": "UPDATE checkpoints SET state = CAST(state || ' ' AS BLOB)",
    "damaged checkpoint hash": "UPDATE checkpoints SET sha256 = zeroblob(32)",
    "checkpoint of another row": "UPDATE checkpoints SET seq = seq - 1",
    "checkpoint from the future": "UPDATE checkpoints SET seq = 1000000",
    "newer schema": "UPDATE meta SET value = '2' WHERE key = 'schema_version'",
    "older schema": "UPDATE meta SET value = '0' WHERE key = 'schema_version'",
    "nonsense schema": "UPDATE meta SET value = 'one' WHERE key = 'schema_version'",
    "missing schema": "DELETE FROM meta WHERE key = 'schema_version'",
    "missing instance": "DELETE FROM meta WHERE key = 'instance'",
    "missing head": "DELETE FROM meta WHERE key = 'head'",
    "missing meta": "DROP TABLE meta",
    "missing journal": "DROP TABLE journal",
    "missing checkpoints": "DROP TABLE checkpoints",
    "missing fills": "DROP TABLE fills",
    "not utf-8": f"UPDATE journal SET kind = CAST(x'ff' AS TEXT) WHERE seq = {ROW}",
    "meta not utf-8": "UPDATE meta SET value = CAST(x'ff' AS TEXT) WHERE key = 'instance'",
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_change_behind_our_back_is_refused(copy, name, mode):
    sql(copy, CHANGES[name], f"PRAGMA journal_mode={mode}")
    refusal(copy)


def test_swapped_rows_are_refused(copy):
    sql(
        copy,
        f"UPDATE journal SET seq = -1 WHERE seq = {ROW} - 1",
        f"UPDATE journal SET seq = seq - 1 WHERE seq = {ROW}",
        f"UPDATE journal SET seq = {ROW} WHERE seq = -1",
    )
    refusal(copy)


def test_a_newer_schema_names_the_way_out(copy):
    sql(copy, CHANGES["newer schema"])
    assert "Start the newer version" in refusal(copy)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"\0" * 100 + raw[100:],
        lambda raw: b"\0" * 4096 + raw[4096:],
        lambda raw: raw[:4096],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-4096],
        lambda raw: raw[:-1],
        lambda raw: raw[:50],
        lambda raw: raw[:4096] + b"\0" * (len(raw) - 4096),
        lambda raw: raw[4096:],
        lambda _: b"",
        lambda _: b"\0" * 4096,
        lambda _: b"this is a text\n" * 300,
    ],
    ids=[
        "zeroed header",
        "zeroed first page",
        "one page left",
        "half",
        "a page short",
        "a byte short",
        "fifty bytes",
        "zeroed tail",
        "first page gone",
        "empty",
        "zeros",
        "text",
    ],
)
def test_a_broken_file_is_refused(copy, spoil):
    copy.write_bytes(spoil(copy.read_bytes()))
    refusal(copy)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_of_somebody_else_is_refused_and_not_converted(tmp_path, mode):
    path = tmp_path / "other.db"
    sql(path, f"PRAGMA journal_mode={mode}", "CREATE TABLE songs (name TEXT)")
    assert "not a journal" in refusal(path)


def test_a_missing_file_is_not_made_anew(tmp_path):
    path = tmp_path / "journal.db"
    assert "--init" in refusal(path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(JournalError, match="check the path"):
        Journal.open(tmp_path / "none" / "journal.db", create=True, instance="x")


def test_a_new_journal_without_a_name_leaves_no_file(tmp_path):
    with pytest.raises(JournalError, match="instance"):
        Journal.open(tmp_path / "journal.db", create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["journal.db", "nowhere"])
def test_a_symbolic_link_is_refused(copy, tmp_path, target):
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / target)
    for create in (False, True):
        with pytest.raises(JournalError, match="symbolic link"):
            Journal.open(link, create=create, instance="x")
    assert not (tmp_path / "nowhere").exists()


def test_a_directory_is_refused(tmp_path):
    assert "not a file" in refusal(tmp_path)


def test_a_file_that_may_not_be_written_is_refused(copy, monkeypatch):
    """Permissions do not bind root, so SQLite itself is asked for a read-only connection."""
    monkeypatch.setattr(apsw, "SQLITE_OPEN_READWRITE", apsw.SQLITE_OPEN_READONLY)
    assert "cannot be written" in refusal(copy)


def test_a_file_held_by_another_program_is_no_damage(copy):
    other = apsw.Connection(str(copy))
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        text = refusal(copy)
    finally:
        other.close()
    assert "end that program" in text
    assert "backup" not in text


# ---------------------------------------------------------------- the write-ahead log


@pytest.fixture
def crashed(tmp_path):
    """A journal as a crash leaves it: part of it in the database, part in the write-ahead log."""
    live, path = tmp_path / "live.db", tmp_path / "crashed.db"
    states = []
    with Journal.open(live, create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 10)
        journal.commit()
        states.append(record.encode_state(rig.engine.state))
        apsw_checkpoint(live)
        rig.tick(1)
        rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))
        states.append(record.encode_state(rig.engine.state))
        for tail in ("", "-wal"):
            shutil.copy(f"{live}{tail}", f"{path}{tail}")
    return path, states


def apsw_checkpoint(path):
    db = apsw.Connection(str(path))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_what_waits_in_the_log_is_recovered(crashed):
    path, states = crashed
    assert recovered(path) == states[1]


def test_a_refusal_leaves_the_log_as_it_is(crashed):
    path, _ = crashed
    shutil.copy(f"{path}-wal", f"{path}-kept")
    db = apsw.Connection(str(path))
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.execute("UPDATE parents SET cum_qty = '999' WHERE parent_id = 'P1'")
    db.close()
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    refusal(path)


def test_a_lost_log_is_an_earlier_day_never_another_story(crashed):
    """SQLite cannot know of a log that is gone: the journal is then as it was at the last checkpoint.

    Nothing in the file tells it from a backup, which must be accepted; the venue tells what happened since.
    """
    path, states = crashed
    path.with_name(path.name + "-wal").unlink()
    assert recovered(path) == states[0]


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_log_is_an_earlier_day_or_refused(crashed, seed):
    path, states = crashed
    log = path.with_name(path.name + "-wal")
    content = bytearray(log.read_bytes())
    chance = random.Random(seed)
    for _ in range(4):
        content[chance.randrange(len(content))] ^= 0xFF
    log.write_bytes(content)
    before = sha256(path)
    try:
        assert recovered(path) in earlier_states(states)
    except JournalError as error:
        told_what_to_do = bool(ADVICE.search(str(error)))
        assert (told_what_to_do, sha256(path)) == (True, before)


def earlier_states(states):
    """The log holds few commits; each ends in a state whose clock is one of the story's."""
    return Between(states)


class Between:
    def __init__(self, states):
        self.clocks = [record.decode_state(body).now_ns for body in states]

    def __contains__(self, body):
        return self.clocks[0] <= record.decode_state(body).now_ns <= self.clocks[1]


def test_a_journal_that_was_never_merged_is_nothing_without_its_log(tmp_path):
    live, path = tmp_path / "live.db", tmp_path / "journal.db"
    with Journal.open(live, create=True, instance="x") as journal:
        wander(JournaledRig(journal), 2, 2)
        shutil.copy(live, path)
    assert "not a journal" in refusal(path)


# ---------------------------------------------------------------- a disk that fails


class FailingFile(apsw.VFSFile):
    def __init__(self, disk, name, flags):
        self.disk = disk
        super().__init__("unix", name, flags)

    def xSync(self, flags):  # noqa: N802 - SQLite's name
        self.disk.attempt("sync")
        return super().xSync(flags)

    def xWrite(self, data, offset):  # noqa: N802 - SQLite's name
        self.disk.attempt("write")
        return super().xWrite(data, offset)


class FailingDisk(apsw.VFS):
    """The default disk of SQLite, until it is told what to fail at."""

    def __init__(self):
        self.fails, self.refused = "", 0
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802 - SQLite's name
        return FailingFile(self, name, flags)

    def attempt(self, what):
        if self.fails == what:
            self.refused += 1
            raise apsw.IOError(f"no {what}")


@pytest.fixture
def disk():
    before = apsw.vfs_names()[0]
    disk = FailingDisk()
    yield disk
    disk.unregister()
    apsw.set_default_vfs(before)


@pytest.mark.parametrize("what", ["sync", "write"])
def test_a_commit_that_fails_is_the_last(tmp_path, disk, what):
    path = tmp_path / "journal.db"
    journal = Journal.open(path, create=True, instance="x")
    rig = JournaledRig(journal)
    wander(rig, 2, 5)
    journal.commit()
    durable = record.encode_state(rig.engine.state)
    rows = len(rig.journal)
    disk.fails = what
    halt = HaltRequested(at_ns=rig.now_ns, request_id="h", operator="o", reason="r")
    commands = rig.engine.on_event(halt)

    def write_it_down():
        journal.append(halt, commands, rig.engine.touched, rig.engine.state)
        journal.commit()

    with pytest.raises(JournalError, match="cannot be written"):
        write_it_down()
    tried = disk.refused
    assert tried >= 1
    disk.fails = ""
    for call in (
        journal.commit,
        lambda: journal.append(halt, (), rig.engine.touched, rig.engine.state),
        lambda: journal.store_report("P1", T0, b""),
        lambda: journal.checkpoint(rig.engine.state),
    ):
        with pytest.raises(JournalError, match="failed earlier"):
            call()
    journal.close()
    assert disk.refused == tried
    # A disk that refuses to sync may have kept the bytes: the event is then there, whole, or it is not.
    assert recovered(path) in {durable, record.encode_state(rig.engine.state)}
    assert len(chain(path)) in {rows, rows + 1}


FULL_DISK = """
import resource, sys
from pathlib import Path
from executor.domain.errors import JournalError
from executor.domain.events import HaltRequested
from executor.domain.units import install_decimal_context
install_decimal_context()
from executor.runtime.journal import Journal
from tests.runtime.drives import JournaledRig, wander
path = Path(sys.argv[1])
journal = Journal.open(path, create=True, instance="x")
rig = JournaledRig(journal)
wander(rig, 2, 3)
limit = Path(f"{path}-wal").stat().st_size + 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
committed = len(rig.journal)
try:
    while True:
        rig.send(HaltRequested(at_ns=0, request_id="h", operator="o" * 500, reason="r" * 2_000))
        committed = len(rig.journal)
except JournalError as error:
    print(committed, error)
for call in (journal.commit, lambda: journal.checkpoint(rig.engine.state)):
    try:
        call()
    except JournalError:
        print("refused")
"""


@pytest.mark.process
@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on the size of files here")
def test_a_full_disk_loses_nothing_that_was_committed(tmp_path):
    path = tmp_path / "journal.db"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    first, *rest = done.stdout.splitlines()
    assert "cannot be written" in first
    assert rest == ["refused", "refused"]
    assert recovered(path)
    assert len(chain(path)) == int(first.split()[0]) > 20


def test_a_later_version_that_decides_differently_is_told_so(copy, monkeypatch):
    true_commands = record.encode_commands
    monkeypatch.setattr(record, "encode_commands", lambda commands: true_commands(commands) + b" ")
    assert "start the version that wrote it" in refusal(copy)


def test_a_time_that_no_column_holds_fails_closed(tmp_path):
    """Nothing of the kind passes the decoders; if it did, the journal must not go on without it."""
    with Journal.open(tmp_path / "journal.db", create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        event = replace(TimerFired(at_ns=0, key="k"), at_ns=2**70)
        with pytest.raises((JournalError, OverflowError)):
            journal.append(event, (), rig.engine.touched, rig.engine.state)
        with pytest.raises(JournalError, match="failed earlier"):
            journal.commit()
