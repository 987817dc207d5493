"""The disk and the journal, looked at beside a running daemon: nothing is changed, and damage is told."""

import hashlib
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from executor.domain.events import EngineStarted, HaltRequested, RearmRequested
from executor.domain.finding import Verdict
from executor.domain.limits import Limits, Timings
from executor.engine.engine import Engine
from executor.engine.state import EngineState
from executor.runtime.integrity import SCHEMA_VERSION
from executor.runtime.journal import Journal
from executor.runtime.premises import (
    MEMORY_FILE_SYSTEMS,
    NETWORK_FILE_SYSTEMS,
    file_system_of,
    judge_file_system,
    judge_latch,
    look_at_disk,
    look_at_file_system,
    look_at_journal,
)

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:5 / /proc rw,nosuid - proc proc rw
40 22 0:44 / /mnt/share rw,relatime - nfs4 server:/export rw,vers=4.2
41 40 0:45 / /mnt/share/local rw - xfs /dev/sdb1 rw
42 22 0:46 / /mnt/with\\040blank rw - fuse.sshfs me@host: rw
43 22 0:47 / /tmp rw - tmpfs tmpfs rw
44 22 8:2 / /tmp rw - btrfs /dev/sdc1 rw
a line of another form
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/executor", "ext4"),
        ("/", "ext4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/deep/er", "nfs4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/share/local/x", "xfs"),
        ("/mnt/with blank/x", "fuse.sshfs"),
        ("/tmp/x", "btrfs"),
    ],
)
def test_the_deepest_and_newest_mount_counts(path, kind):
    assert file_system_of(Path(path), MOUNTS) == kind


def test_a_list_that_says_nothing():
    assert file_system_of(Path("/var"), "") == ""


@pytest.mark.parametrize("kind", [*sorted(NETWORK_FILE_SYSTEMS), "fuse.sshfs", "fuse.anything"])
def test_a_network_refuses_with_real_money(kind):
    assert judge_file_system(kind, Path("/x"), strict=True).code == "DB_NETWORK"
    assert judge_file_system(kind, Path("/x"), strict=True).verdict is Verdict.FAIL
    assert judge_file_system(kind, Path("/x"), strict=False).verdict is Verdict.WARN


@pytest.mark.parametrize("kind", sorted(MEMORY_FILE_SYSTEMS))
def test_memory_refuses_with_real_money(kind):
    assert judge_file_system(kind, Path("/x"), strict=True).code == "DB_IN_MEMORY"
    assert judge_file_system(kind, Path("/x"), strict=False).verdict is Verdict.WARN


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "fuseblk", ""])
def test_a_local_disk_is_fine(kind):
    assert judge_file_system(kind, Path("/x"), strict=True).verdict is Verdict.OK


def test_this_machines_own_list_can_be_read(tmp_path: Path):
    assert look_at_file_system(tmp_path, strict=False).check == "file system"


def test_the_disk_is_written_and_nothing_stays(tmp_path: Path):
    assert look_at_disk(tmp_path).verdict in {Verdict.OK, Verdict.WARN}
    assert list(tmp_path.iterdir()) == []
    assert look_at_disk(tmp_path / "not" / "there").verdict is Verdict.OK
    assert list(tmp_path.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.write_text("")
    finding = look_at_disk(blocked)
    assert (finding.verdict, finding.code) == (Verdict.FAIL, "DISK_UNWRITABLE")


@pytest.mark.parametrize(
    ("free", "verdict"), [(2 << 30, Verdict.OK), (500 << 20, Verdict.WARN), (50 << 20, Verdict.FAIL)]
)
def test_room(tmp_path: Path, monkeypatch, free, verdict):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": free}))
    assert look_at_disk(tmp_path).verdict is verdict


# ---------------------------------------------------------------- journal


HALT = HaltRequested(at_ns=0, request_id="h", operator="ann", reason="looks wrong")
REARM = RearmRequested(at_ns=0, request_id="r", operator="ann", reason="looked into it")


START = EngineStarted(
    at_ns=0,
    version="t",
    instance="x1",
    venue="model",
    limits=Limits(),
    timings=Timings(),
    sentinel_required=False,
    seed=1,
)


class Writer:
    """An engine that writes down every event, as the daemon does."""

    def __init__(self, journal):
        self.journal, self.engine, self.now_ns = journal, Engine(EngineState()), 1_760_000_000_000_000_000
        self.send(START)

    def send(self, event):
        self.now_ns += 1_000_000
        stamped = replace(event, at_ns=self.now_ns)
        commands = self.engine.on_event(stamped)
        self.journal.append(stamped, commands, self.engine.touched, self.engine.state)
        self.journal.commit()


def told(path: Path, *events):
    """A journal that holds these events, closed."""
    with Journal.open(path, create=True, instance="x1") as journal:
        writer = Writer(journal)
        for event in events:
            writer.send(event)


def test_no_journal_yet(tmp_path: Path):
    finding, latched = look_at_journal(tmp_path / "journal.db", 5)
    assert (finding.verdict, latched) == (Verdict.OK, None)


def test_a_whole_journal_is_looked_at_without_a_trace(tmp_path: Path):
    path = tmp_path / "journal.db"
    told(path)
    before = hashlib.sha256(path.read_bytes()).digest()
    finding, latched = look_at_journal(path, 5)
    assert (finding.verdict, latched) == (Verdict.OK, None)
    assert "instance x1" in finding.found
    assert (hashlib.sha256(path.read_bytes()).digest(), [each.name for each in tmp_path.iterdir()]) == (
        before,
        ["journal.db"],
    )


def test_the_latch_is_read_out_of_the_journal(tmp_path: Path):
    told(tmp_path / "halted.db", HALT)
    told(tmp_path / "cleared.db", HALT, REARM)
    _, reason = look_at_journal(tmp_path / "halted.db", 5)
    assert reason is not None
    assert "looks wrong" in reason
    assert look_at_journal(tmp_path / "cleared.db", 5)[1] is None


def test_a_running_daemon_writes_on_while_its_journal_is_looked_at(tmp_path: Path):
    path = tmp_path / "journal.db"
    with Journal.open(path, create=True, instance="x1") as journal:
        writer = Writer(journal)
        writer.send(HALT)
        finding, reason = look_at_journal(path, 5)
        assert finding.verdict is Verdict.OK
        assert reason is not None
        writer.send(REARM)
        assert look_at_journal(path, 5)[1] is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal SET event = x'7b7d' WHERE seq = 1",
        "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)",
        "UPDATE meta SET value = '1:00' WHERE key = 'head'",
        f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema_version'",
        "UPDATE meta SET value = 'x' WHERE key = 'schema_version'",
        "DROP TABLE meta",
        "DROP TABLE journal",
    ],
)
def test_damage_is_told_with_a_code(tmp_path: Path, damage):
    path = tmp_path / "journal.db"
    told(path, HALT)
    db = apsw.Connection(str(path))
    db.execute(damage)
    db.close()
    finding, latched = look_at_journal(path, 5)
    assert (finding.verdict, latched) == (Verdict.FAIL, None)
    assert finding.code.startswith("DB_")
    assert finding.next_step


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be looked at" * 40])
def test_a_file_of_another_kind(tmp_path: Path, content):
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    assert look_at_journal(path, 5)[0].verdict is Verdict.FAIL
    assert look_at_journal(tmp_path, 5)[0].verdict is Verdict.FAIL


def test_a_look_that_takes_too_long_is_broken_off_and_said(tmp_path: Path, monkeypatch):
    path = tmp_path / "journal.db"
    told(path)
    monkeypatch.setattr("executor.runtime.premises._STEPS_BETWEEN_LOOKS", 1)
    finding, _ = look_at_journal(path, -1)
    assert (finding.verdict, finding.code) == (Verdict.WARN, "DB_NOT_READ")


def test_the_latch_is_one_finding_whoever_says_so():
    assert judge_latch((None, None)).verdict is Verdict.OK
    for reasons in (("a", None), (None, "a"), ("a", "a")):
        finding = judge_latch(reasons)
        assert (finding.verdict, finding.code) == (Verdict.FAIL, "HALTED")
        assert finding.found.count("a") == "the stop is latched: a".count("a")
    assert "a; b" in judge_latch(("a", "b")).found
