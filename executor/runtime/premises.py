"""What this machine must offer: a disk of its own with room on it, and a journal that can be trusted.

Everything here only reads, apart from one small file that is written and removed; none of it disturbs a running daemon.
"""

import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from executor.domain.errors import ExecutorError, JournalError
from executor.domain.finding import Finding, Verdict, fine
from executor.runtime.integrity import (
    DAMAGE,
    SCHEMA_VERSION,
    check_head,
    explained,
    hash_at,
)
from executor.runtime.reading import open_to_read, state_in

CHECKS: Final = {
    "file system": "the data directory lies on a disk of this machine, where a database is safe",
    "disk": "the data directory can be written and has room",
    "journal": "the journal is whole: its pages, its newest thousand rows, and its head",
    "latch": "no stop is latched: nothing may be opened until a person re-arms",
}
"""The checks of this module, in the order in which they are told."""
NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "ncpfs", "coda", "ceph", "glusterfs"}
    | {
        "lustre",
        "beegfs",
        "gfs2",
        "ocfs2",
        "gpfs",
        "pvfs2",
        "orangefs",
        "davfs",
        "sshfs",
        "virtiofs",
        "vboxsf",
    }
    | {"fuse"}
)
"""Whose locks and flushes cannot be relied on; anything in user space (`fuse.…`) is one of them."""
MEMORY_FILE_SYSTEMS: Final = frozenset({"tmpfs", "ramfs"})
FREE_BYTES_MIN: Final = 1 << 30
FREE_BYTES_LEAST: Final = 100 << 20
_MOUNTS: Final = Path("/proc/self/mountinfo")
_STEPS_BETWEEN_LOOKS: Final = 100_000


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that a path lies on, in lower case; empty if it is not listed.

    Parameters
    ----------
    path
        Absolute and without links.
    mounts
        Text of `/proc/self/mountinfo` (`man 5 proc`). Of several mounts on one place the last one is in force.
    """
    best, found = -1, ""
    for line in mounts.splitlines():
        head, separator, tail = line.partition(" - ")
        fields = head.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = Path(_unescaped(fields[4]))
        depth = len(point.parts)
        if depth >= best and path.is_relative_to(point):
            best, found = depth, tail.split(" ")[0].lower()
    return found


def judge_file_system(kind: str, where: Path, *, strict: bool) -> Finding:
    """Judge the type of a file system; with real money (`strict`) a doubtful one refuses."""
    if kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse."):
        code, found = "DB_NETWORK", f"{where} lies on a network or user-space file system ({kind})"
    elif kind in MEMORY_FILE_SYSTEMS:
        code, found = (
            "DB_IN_MEMORY",
            f"{where} lies in memory ({kind}) and is gone after a restart of the machine",
        )
    else:
        return fine("file system", kind or "not listed")
    return Finding(
        check="file system",
        verdict=Verdict.FAIL if strict else Verdict.WARN,
        code=code,
        found=found,
        allowed="a disk of this machine",
        next_step="set executor.data_dir to a directory on a local disk",
    )


def look_at_file_system(data_dir: Path, *, strict: bool) -> Finding:
    """Look up what the data directory lies on."""
    where = data_dir.resolve()
    return judge_file_system(
        file_system_of(where, _MOUNTS.read_text(encoding="utf-8", errors="replace")), where, strict=strict
    )


def look_at_disk(data_dir: Path) -> Finding:
    """Write a small file, remove it, and look how much room is left."""
    if not data_dir.exists():
        return fine("disk", f"{data_dir.absolute()} is made at the first start")
    next_step = "check the owner and the permissions of executor.data_dir, and the disk"
    probe = data_dir / f".probe.{secrets.token_hex(4)}"
    try:
        handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, bytes(4_096))
            os.fsync(handle)
        finally:
            os.close(handle)
            probe.unlink()
        free = shutil.disk_usage(data_dir).free
    except OSError as error:
        return Finding(
            check="disk",
            verdict=Verdict.FAIL,
            code="DISK_UNWRITABLE",
            found=f"{data_dir}: {error.strerror or error}",
            allowed="a directory that can be written",
            next_step=next_step,
        )
    if free >= FREE_BYTES_MIN:
        return fine("disk", f"{data_dir.absolute()}: {free / (1 << 30):.1f} GiB free")
    return Finding(
        check="disk",
        verdict=Verdict.FAIL if free < FREE_BYTES_LEAST else Verdict.WARN,
        code="DISK_FULL",
        found=f"{data_dir.absolute()}: {free / (1 << 20):.0f} MiB free",
        allowed="1 GiB or more; a daemon whose journal cannot grow stops",
        next_step="free room on this disk",
    )


def look_at_journal(path: Path, deadline_s: float) -> tuple[Finding, str | None]:
    """Look whether the journal is whole, and why the stop is latched in it (None if it is not).

    Parameters
    ----------
    deadline_s
        Time after which the look at its pages is broken off, seconds.
    """
    if not path.exists():
        return fine("journal", f"none yet at {path}"), None
    try:
        db = open_to_read(path)
    except apsw.Error as error:
        return _broken(explained(path, error)), None
    try:
        return _look_into(db, path, deadline_s)
    except JournalError as error:
        return _broken(error), None
    except ExecutorError as error:
        return _broken(JournalError(f"{path}: cannot be replayed: {error}", "DB_REPLAY")), None
    except (apsw.Error, *DAMAGE) as error:
        return _broken(explained(path, error)), None
    finally:
        db.close()


def _look_into(db: apsw.Connection, path: Path, deadline_s: float) -> tuple[Finding, str | None]:
    db.set_busy_timeout(1_000)
    meta = {str(key): str(value) for key, value in db.execute("SELECT key, value FROM meta")}
    version = int(meta.get("schema_version", "0"))
    if version != SCHEMA_VERSION:
        raise JournalError(f"{path}: schema {version}, this code knows {SCHEMA_VERSION}", "DB_NEWER")
    with db:  # one snapshot: a running daemon writes on meanwhile
        ((last,),) = db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchall()
        seq = int(str(last))
        check_head(db, seq, hash_at(db, seq))
        state = state_in(db)
    latched = state.latch_reason if state.latched else None
    whole = _pages_are_whole(db, deadline_s)
    if whole is None:
        note = Finding(
            check="journal",
            verdict=Verdict.WARN,
            code="DB_NOT_READ",
            found=f"{seq} rows, the newest are whole; its pages were not all read within {deadline_s:g} s",
            allowed="a journal that is whole",
            next_step=f"executor audit {path} when the daemon is stopped",
        )
        return note, latched
    if not whole:
        raise JournalError(f"{path}: damaged pages")
    return fine("journal", f"{seq} rows of instance {meta.get('instance', '?')}, whole"), latched


def judge_latch(reasons: Sequence[str | None]) -> Finding:
    """Judge the places where the stop may be latched: each gives why, or None."""
    latched = [reason for reason in reasons if reason is not None]
    if not latched:
        return fine("latch", "no stop")
    return Finding(
        check="latch",
        verdict=Verdict.FAIL,
        code="HALTED",
        found=f"the stop is latched: {'; '.join(dict.fromkeys(latched))}",
        allowed="no stop",
        next_step="look into the reason, then `executor rearm --operator NAME --reason TEXT`",
    )


def _pages_are_whole(db: apsw.Connection, deadline_s: float) -> bool | None:
    """Whether SQLite finds every page in order; None if that took too long."""
    end_s = time.monotonic() + deadline_s
    db.set_progress_handler(lambda: time.monotonic() > end_s, _STEPS_BETWEEN_LOOKS)
    try:
        return db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except apsw.InterruptError:
        return None


def _broken(error: JournalError) -> Finding:
    return Finding(
        check="journal",
        verdict=Verdict.FAIL,
        code=error.code,
        found=str(error)[:300],
        allowed="a journal that is whole",
        next_step="keep the files, restore the last backup, and run `executor audit` on it",
    )


def _unescaped(text: str) -> str:
    """Mount points write blanks and backslashes as octal numbers."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
