"""A journal is read without its daemon: as it stands, changed in nothing, and with nothing left beside it."""

import shutil

import pytest

from executor.domain.errors import JournalError
from executor.runtime.audit import audit
from executor.runtime.integrity import DAMAGE
from executor.runtime.journal import Journal
from executor.runtime.premises import look_at_journal
from executor.runtime.reading import read_past_run
from tests.runtime.drives import JournaledRig, sha256, wander


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """A journal that was ended in good order, and the same one as a killed daemon leaves it; and the state of both."""
    clean, killed = tmp_path_factory.mktemp("clean"), tmp_path_factory.mktemp("killed")
    with Journal.open(clean / "journal.db", create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 25)
        journal.commit()
        for path in clean.iterdir():
            shutil.copy(path, killed / path.name)
    return clean, killed, rig.engine.state


@pytest.mark.parametrize(
    "read",
    [audit, read_past_run, lambda path: look_at_journal(path, 10.0)],
    ids=["audit", "report", "doctor"],
)
def test_reading_leaves_nothing_beside_a_journal_that_was_ended_in_good_order(stories, tmp_path, read):
    path = shutil.copy(stories[0] / "journal.db", tmp_path / "journal.db")
    before = sha256(path)
    assert read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["journal.db"]
    assert sha256(path) == before


@pytest.mark.parametrize("which", [0, 1], ids=["ended", "killed"])
def test_what_was_committed_last_is_read_also_from_the_log_of_a_killed_daemon(stories, tmp_path, which):
    for path in stories[which].iterdir():
        shutil.copy(path, tmp_path / path.name)
    assert (tmp_path / "journal.db-wal").exists() is bool(which)
    assert audit(tmp_path / "journal.db").identical
    past = read_past_run(tmp_path / "journal.db")
    assert past.state == stories[2]
    for parent in past.state.parents.values():
        report = past.report(parent)
        assert (report["parent_id"], report["status"]) == (parent.order.parent_id, parent.status)


def test_a_daemon_that_starts_during_an_audit_is_no_damage(stories, tmp_path, monkeypatch):
    path = shutil.copy(stories[0] / "journal.db", tmp_path / "journal.db")

    def disturbed(*_):
        (tmp_path / "journal.db-wal").touch()
        return "a page of another time"

    monkeypatch.setattr("executor.runtime.audit.first_difference", disturbed)
    with pytest.raises(JournalError, match="a daemon has opened it") as caught:
        audit(path)
    assert caught.value.code == "DB_LOCKED"


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"x" * 200])
def test_what_is_no_journal_is_an_error_with_a_code(tmp_path, content):
    path = tmp_path / "journal.db"
    with pytest.raises(JournalError) as caught:
        read_past_run(path)
    assert caught.value.code == "DB_MISSING"
    path.write_bytes(content)
    with pytest.raises(JournalError) as caught:
        read_past_run(path)
    assert caught.value.code.startswith("DB_")
    assert not isinstance(caught.value, DAMAGE)
