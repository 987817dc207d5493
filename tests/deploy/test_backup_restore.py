"""A backup is one whole moment of a journal, and a restore deletes nothing and takes nobody else's place."""

import json
import stat
import tempfile
from pathlib import Path

import apsw
import pytest

from config.load import load_settings
from executor.app.backup import make_backup
from executor.app.backup_folder import MANIFEST, digest_of, read_manifest
from executor.app.restore import restore_backup
from executor.domain.errors import AlreadyRunning, ConfigError, JournalError
from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from executor.runtime import record
from executor.runtime.account_record import read_account, write_account
from executor.runtime.audit import audit
from executor.runtime.journal import Journal
from executor.runtime.lock import ProcessLock
from tests.runtime.drives import JournaledRig, wander


def settings_at(data_dir, **others):
    environ = {"EXECUTOR_EXECUTOR__DATA_DIR": str(data_dir), **others}
    return load_settings("sandbox", None, environ, yes_live=False)


def silent(_what, _done, _total):
    pass


@pytest.fixture
def home(tmp_path):
    """A data directory with a journal in the midst of its work, a tape whose last line is torn, and an account."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with Journal.open(home / "journal.db", create=True, instance="tst1") as journal:
        wander(JournaledRig(journal), 2, 25)
    write_account(home, "4711")
    (home / "advice.jsonl").write_bytes(b'{"a": 1}\n{"b": 2}\n{"torn')
    (home / "control.token").write_text("secret")
    return home


@pytest.fixture
def taken(home, tmp_path):
    return make_backup(settings_at(home), tmp_path / "kept", None, silent)


def restore(settings, folder, *, over_newer=False):
    return restore_backup(settings, folder, silent, over_newer=over_newer)


def test_a_backup_holds_all_that_is_needed_and_no_secret_and_its_manifest_says_what(home, taken):
    assert {path.name for path in taken.folder.iterdir()} == {
        "journal.db", "advice.jsonl", "account.json", MANIFEST,
    }  # fmt: skip
    manifest = read_manifest(taken.folder)
    assert (manifest.instance, manifest.mode, manifest.user_id) == ("tst1", "sandbox", "4711")
    assert manifest.files["journal.db"] == digest_of(taken.folder / "journal.db")
    found = audit(taken.folder / "journal.db")
    assert found.identical
    assert (found.events, found.head_sha256) == (manifest.head_seq, manifest.head_sha256)
    assert (taken.folder / "advice.jsonl").read_bytes() == b'{"a": 1}\n{"b": 2}\n'
    assert stat.S_IMODE(taken.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in taken.folder.iterdir()} == {0o600}


def test_a_copy_taken_while_the_journal_is_written_is_one_moment_of_it(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with Journal.open(home / "journal.db", create=True, instance="tst1") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 10)
        journal.commit()
        seqs = []

        def meanwhile(what, _done, _total):
            if what == "copying":
                wander(rig, len(seqs) + 3, 2)
                journal.commit()
                seqs.append(noted(home / "journal.db"))

        before = noted(home / "journal.db")
        made = make_backup(settings_at(home), tmp_path / "kept", None, meanwhile)
        assert seqs
        assert seqs[-1] > before
        assert made.manifest.head_seq == before, "what was written meanwhile is not in it"
        wander(rig, 99, 3)
        journal.commit()
    assert audit(made.folder / "journal.db").identical
    assert audit(home / "journal.db").identical, "and the daemon has noticed nothing"


def noted(path):
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    ((head,),) = db.execute("SELECT value FROM meta WHERE key='head'").fetchall()
    db.close()
    return int(head.partition(":")[0])


def test_a_damaged_journal_gives_no_backup_and_leaves_nothing(home, tmp_path):
    db = apsw.Connection(str(home / "journal.db"))
    db.execute("UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 3")
    db.close()
    with pytest.raises(JournalError, match="row 3 was changed"):
        make_backup(settings_at(home), tmp_path / "kept", None, silent)
    assert list((tmp_path / "kept").iterdir()) == []
    with pytest.raises(JournalError, match="no journal"):
        make_backup(settings_at(tmp_path / "elsewhere"), tmp_path / "kept", None, silent)
    with pytest.raises(ConfigError, match="lies in the data directory"):
        make_backup(settings_at(home), home / "kept", None, silent)


def test_only_the_newest_of_this_account_are_kept_and_a_folder_with_something_else_in_it_stays(
    home, taken, tmp_path
):
    root = taken.folder.parent
    taken.folder.rename(root / "tst1-20200101T000000Z")
    other = root / "tst1-20200102T000000Z"
    for name, made in (
        ("tst1-20200101T000000Z", "2020-01-01T00:00:00Z"),
        (other.name, "2020-01-02T00:00:00Z"),
    ):
        source = root / "tst1-20200101T000000Z"
        target = root / name
        if target != source:
            target.mkdir()
            for path in source.iterdir():
                (target / path.name).write_bytes(path.read_bytes())
        body = json.loads((target / MANIFEST).read_text())
        (target / MANIFEST).write_text(json.dumps(body | {"made": made}))
    (other / "notes.txt").write_text("mine")
    stranger = root / "stranger"
    stranger.mkdir()
    (stranger / MANIFEST).write_text("{}")
    made = make_backup(settings_at(home), root, 1, silent)
    assert made.removed == (root / "tst1-20200101T000000Z",)
    assert {path.name for path in root.iterdir()} == {made.folder.name, other.name, "stranger"}


def test_a_restore_puts_it_back_to_the_byte_and_what_was_there_aside(home, taken, tmp_path):
    state = recovered(home / "journal.db")
    before = digest_of(home / "journal.db")
    (home / "journal.db-wal").write_bytes(b"left by a daemon that was killed")
    done = restore(settings_at(home), taken.folder)
    assert done.aside == home / "before-restore.1"
    assert digest_of(done.aside / "journal.db") == before
    assert (done.aside / "journal.db-wal").read_bytes().startswith(b"left by")
    assert not (home / "journal.db-wal").exists(), "the log of another database would spoil this one"
    assert digest_of(home / "journal.db") == taken.manifest.files["journal.db"]
    assert recovered(home / "journal.db") == state
    assert read_account(home) == "4711"
    assert (home / "control.token").read_text() == "secret"
    assert restore(settings_at(home), taken.folder).aside == home / "before-restore.2"

    new = tmp_path / "new"
    new.mkdir()
    assert restore(settings_at(new), taken.folder).aside is None
    assert recovered(new / "journal.db") == state
    assert not [path.name for path in new.iterdir() if path.name.startswith(".")]


def recovered(path):
    with Journal.open(path, create=False) as journal:
        return record.encode_state(journal.recover())


def test_a_restore_takes_nobody_elses_place(home, taken, tmp_path):
    new = tmp_path / "new"
    new.mkdir()
    with ProcessLock(new / "executor.lock"), pytest.raises(AlreadyRunning):
        restore(settings_at(new), taken.folder)
    write_account(new, "815")
    with pytest.raises(ConfigError, match=r"account 4711.*815 is traded from here"):
        restore(settings_at(new), taken.folder)
    body = json.loads((taken.folder / MANIFEST).read_text())
    (taken.folder / MANIFEST).write_text(json.dumps(body | {"mode": "testnet"}))
    with pytest.raises(ConfigError, match="mode testnet"):
        restore(settings_at(home), taken.folder)
    assert not (new / "journal.db").exists()


def test_going_back_behind_a_journal_that_can_be_read_is_asked_for_twice(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with Journal.open(home / "journal.db", create=True, instance="tst1") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 10)
        journal.commit()
        taken = make_backup(settings_at(home), tmp_path / "kept", None, silent)
        wander(rig, 3, 3)
    with pytest.raises(ConfigError, match="goes further"):
        restore(settings_at(home), taken.folder)
    assert restore(settings_at(home), taken.folder, over_newer=True).aside is not None


@pytest.mark.parametrize("name", ["journal.db", "advice.jsonl", "account.json"])
def test_a_backup_that_is_not_what_was_copied_is_refused_and_nothing_is_moved(home, taken, name):
    path = taken.folder / name
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    before = digest_of(home / "journal.db")
    with pytest.raises(JournalError, match="size or SHA-256"):
        restore(settings_at(home), taken.folder)
    assert digest_of(home / "journal.db") == before
    assert not list(home.glob("before-restore*"))
    path.unlink()
    with pytest.raises(JournalError, match="is missing"):
        restore(settings_at(home), taken.folder)


def test_a_manifest_is_read_strictly(taken):
    path = taken.folder / MANIFEST
    body = json.loads(path.read_text())
    for wrong, said in (
        (body | {"form": 2}, "form 2, this version knows 1"),
        (body | {"head_seq": "7"}, "cannot be read"),
        ({"form": 1}, "cannot be read"),
        (
            body | {"files": {**body["files"], "../../etc/passwd": body["files"]["journal.db"]}},
            "does not hold",
        ),
        (body | {"files": {}}, "no journal"),
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(ConfigError, match=said):
            read_manifest(taken.folder)
    path.unlink()
    with pytest.raises(ConfigError, match="is no backup"):
        read_manifest(taken.folder)


def test_a_latched_stop_goes_along_and_one_that_is_there_stays(home, tmp_path):
    (home / "halt.json").write_text('{"first": 1}')
    made = make_backup(settings_at(home), tmp_path / "kept", None, silent)
    assert "halt.json" in made.manifest.files
    new = tmp_path / "new"
    new.mkdir()
    restore(settings_at(new), made.folder)
    assert (new / "halt.json").read_text() == '{"first": 1}'
    (home / "halt.json").write_text('{"second": 2}')
    restore(settings_at(home), made.folder)
    assert (home / "halt.json").read_text() == '{"second": 2}'


def test_the_commands_say_where_it_lies_and_end_with_the_code_that_fits(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(home))
    assert main(["backup", str(tmp_path / "kept"), "--keep", "2", "--json"]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert told["instance"] == "tst1"
    assert Path(told["folder"]).is_dir()
    with ProcessLock(home / "executor.lock"):
        assert main(["restore", told["folder"]]) == ExitCode.ALREADY_RUNNING
    assert main(["restore", str(tmp_path / "kept")]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert told["folder"] in said, "the backup that may be meant is named"
    assert main(["restore", told["folder"]]) == ExitCode.OK
    assert "before-restore.1" in capsys.readouterr().err
    (home / "journal.db").unlink()
    assert main(["backup", str(tmp_path / "kept")]) == ExitCode.DURABILITY


def test_a_tape_that_lies_on_another_disk_is_put_aside_where_it_lies(home):
    """A file cannot be moved between file systems; what was there of it stays beside its place."""
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == home.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=elsewhere) as other_disk:
        tape = Path(other_disk) / "calls.jsonl"
        tape.write_bytes(b'{"a": 1}\n')
        settings = settings_at(home, EXECUTOR_ADVISER__TAPE_FILE=str(tape))
        taken = make_backup(settings, home.parent / "kept", None, silent)
        tape.write_bytes(b'{"a": 1}\n{"b": 2}\n')
        done = restore(settings, taken.folder)
        assert done.aside is not None
        assert tape.read_bytes() == b'{"a": 1}\n'
        aside = tape.with_name(f"calls.jsonl.{done.aside.name}")
        assert aside.read_bytes() == b'{"a": 1}\n{"b": 2}\n'
        assert (done.aside / "journal.db").is_file()
        assert audit(home / "journal.db").identical
