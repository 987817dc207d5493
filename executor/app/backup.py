"""Taking a backup of a data directory, while its daemon runs or after it."""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.settings import Settings
from executor.adviser.tape import FILE_NAME as TAPE_NAME
from executor.app.advising import tape_path
from executor.app.backup_folder import (
    BESIDE,
    FORM,
    MANIFEST,
    SMALL,
    Manifest,
    check_files,
    copy_file,
    digest_of,
    is_elsewhere,
    read_manifest,
    write_manifest,
)
from executor.app.journal import JOURNAL_NAME
from executor.domain.errors import ConfigError, JournalError
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.interfaces.version import version
from executor.runtime.account_record import read_account
from executor.runtime.clock import Clock
from executor.runtime.journal_copy import JournalEnd, copy_journal, read_through
from executor.watch.durable import sync_directory

Tell = Callable[[str, int, int], None]
"""What is being done, how much of it, and how much it is in all."""
SPARE_BYTES: Final = 64 << 20
_DRAFT: Final = ".unfinished-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that was taken.

    Parameters
    ----------
    removed
        Older backups of the same account that were removed.
    same_disk
        Whether it lies on the file system of the data directory.
    """

    folder: Path
    manifest: Manifest
    removed: tuple[Path, ...]
    same_disk: bool


def make_backup(settings: Settings, root: Path, keep: int | None, tell: Tell) -> Backup:
    """Copy journal, tape and account into a new folder below `root`, read the copy through, and only then name it.

    Parameters
    ----------
    keep
        How many backups of this account are left in `root`, this one included; None leaves all.

    Raises
    ------
    ConfigError
        If it cannot lie there.
    JournalError
        If the journal is missing or damaged, or the copy is not what it should be; nothing is left behind then.
    """
    data_dir = settings.executor.data_dir
    source = data_dir / JOURNAL_NAME
    if not source.is_file():
        raise JournalError(
            f"{source}: there is no journal; a backup is made of a data directory that was traded from",
            "DB_MISSING",
        )
    _check_place(root, data_dir, source)
    now_ns = Clock().now_ns()
    draft = root / f"{_DRAFT}{secrets.token_hex(4)}"
    try:
        draft.mkdir(mode=0o700)
        end = _fill(settings, draft, tell)
        if is_elsewhere(end.venue, settings.executor.mode.value):
            raise ConfigError(
                f"{source} was written on {end.venue}, the settings say {settings.executor.mode.value}: name the"
                " profile of that data directory"
            )
        manifest = _manifest(settings, draft, end, now_ns)
        write_manifest(draft, manifest)
        check_files(draft, manifest)
        sync_directory(draft)
        folder = root / f"{end.instance}-{_stamp(now_ns)}"
        if folder.exists():
            raise ConfigError(f"{folder} is there already: wait a second, and make the next one")
        draft.rename(folder)
        sync_directory(root)
    except OSError as error:
        raise JournalError(f"{root}: the backup cannot be written: {error.strerror}", "DB_COPY") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Backup(
        folder=folder,
        manifest=manifest,
        removed=() if keep is None else _prune(root, manifest, keep),
        same_disk=folder.stat().st_dev == data_dir.stat().st_dev,
    )


def _check_place(root: Path, data_dir: Path, source: Path) -> None:
    if root.resolve().is_relative_to(data_dir.resolve()):
        raise ConfigError(
            f"{root} lies in the data directory {data_dir}: what takes one away takes the other, too; choose another"
            " place, best another disk"
        )
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise ConfigError(f"{root} cannot be used: {error.strerror}; choose another place") from error
    wanted = source.stat().st_size + SPARE_BYTES
    if free < wanted:
        raise ConfigError(f"{root} has {free >> 20} MB of room, {wanted >> 20} MB are needed: make room")


def _fill(settings: Settings, draft: Path, tell: Tell) -> JournalEnd:
    """Copy the journal first: what is beside it may then hold more, and never less, than it names."""
    data_dir = settings.executor.data_dir
    copy = draft / JOURNAL_NAME
    copy_journal(data_dir / JOURNAL_NAME, copy, lambda done, total: tell("copying", done, total))
    for name in BESIDE:
        path = tape_path(settings) if name == TAPE_NAME else data_dir / name
        if path.is_file():
            copy_file(path, draft / name, whole_lines=True)
    for name in SMALL:
        if (data_dir / name).is_file():
            copy_file(data_dir / name, draft / name)
    return read_through(copy, lambda done, total: tell("checking", done, total))


def _manifest(settings: Settings, draft: Path, end: JournalEnd, now_ns: int) -> Manifest:
    return Manifest(
        form=FORM,
        made=iso_utc(now_ns),
        version=version(),
        mode=settings.executor.mode.value,
        venue=end.venue,
        instance=end.instance,
        user_id=read_account(draft) or "",
        head_seq=end.seq,
        head_sha256=end.sha256,
        files={path.name: digest_of(path) for path in sorted(draft.iterdir())},
    )


def _stamp(now_ns: int) -> str:
    return iso_utc(now_ns // NS_PER_S * NS_PER_S)[:19].replace("-", "").replace(":", "") + "Z"


def _prune(root: Path, newest: Manifest, keep: int) -> tuple[Path, ...]:
    """Remove the oldest backups of the same journal; a folder with anything else in it stays as it is."""
    found: list[tuple[str, Path, Manifest]] = []
    for path in root.glob(f"*/{MANIFEST}"):
        try:
            manifest = read_manifest(path.parent)
        except ConfigError:
            continue
        if (manifest.instance, manifest.mode) == (newest.instance, newest.mode):
            found.append((manifest.made, path.parent, manifest))
    removed = []
    for _, folder, manifest in sorted(found, key=lambda each: (each[0], each[1].name))[:-keep]:
        if {each.name for each in folder.iterdir()} != {MANIFEST, *manifest.files}:
            continue
        (folder / MANIFEST).unlink()  # first: what is left of it can no longer be taken for a backup
        for name in manifest.files:
            (folder / name).unlink()
        folder.rmdir()
        removed.append(folder)
    return tuple(removed)
