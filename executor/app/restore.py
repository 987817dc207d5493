"""Putting a backup in the place of a data directory. What was there is put aside, and never deleted."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.settings import Settings
from executor.adviser.tape import FILE_NAME as TAPE_NAME
from executor.app.advising import tape_path
from executor.app.backup import SPARE_BYTES, Tell
from executor.app.backup_folder import (
    Manifest,
    check_files,
    copy_file,
    digest_of,
    is_elsewhere,
    read_manifest,
)
from executor.app.journal import JOURNAL_NAME
from executor.domain.errors import ConfigError, JournalError
from executor.runtime.account_record import NAME as ACCOUNT_NAME
from executor.runtime.account_record import read_account
from executor.runtime.journal_copy import JournalEnd, noted_end, read_through
from executor.runtime.lock import ProcessLock
from executor.venues.paper.account_file import NAME as PAPER_NAME
from executor.watch.durable import sync_directory
from executor.watch.halt_file import NAME as HALT_NAME

_SIDE_FILES: Final = ("-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done.

    Parameters
    ----------
    aside
        Folder with what was there before; None if nothing was. A tape outside the data directory is put aside where it
        lies.
    """

    manifest: Manifest
    aside: Path | None
    end: JournalEnd


def restore_backup(settings: Settings, source: Path, tell: Tell, *, over_newer: bool) -> Restored:
    """Check a backup whole, put aside what is in its place, and put the backup there.

    Parameters
    ----------
    over_newer
        Whether a journal of the same instance that goes further than the backup may be put aside.

    Raises
    ------
    AlreadyRunning
        If a daemon holds the data directory.
    ConfigError
        If it is no backup, of another account or environment, or an older one than what is there.
    JournalError
        If the backup is not whole, or cannot be put there.
    """
    data_dir = settings.executor.data_dir
    manifest = read_manifest(source)
    with ExitStack() as stack:
        stack.enter_context(ProcessLock(data_dir / "executor.lock"))
        _check_account(settings, manifest)
        _check_newer(data_dir / JOURNAL_NAME, manifest, over_newer=over_newer)
        check_files(source, manifest)
        drafts = _drafts(settings, manifest)
        try:
            _check_room(data_dir, manifest)
            _copy_in(source, manifest, drafts)
            end = _checked(drafts[JOURNAL_NAME], manifest, tell)
            aside = _put_aside(settings)
            _put_in_place(settings, drafts)
        except OSError as error:
            raise JournalError(
                f"{data_dir}: the backup cannot be put there: {error.strerror}", "DB_COPY"
            ) from error
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
    return Restored(manifest=manifest, aside=aside, end=end)


def _check_account(settings: Settings, manifest: Manifest) -> None:
    mode = settings.executor.mode.value
    if manifest.mode != mode or is_elsewhere(manifest.venue, mode):
        raise ConfigError(
            f"the backup is of mode {manifest.mode} ({manifest.venue or 'no daemon ever started'}), the settings say"
            f" {mode}: name the profile that it was made with"
        )
    present = read_account(settings.executor.data_dir)
    if present is not None and manifest.user_id and present != manifest.user_id:
        raise ConfigError(
            f"the backup is of account {manifest.user_id}, {settings.executor.data_dir / ACCOUNT_NAME} says that"
            f" {present} is traded from here: name the data directory of that account"
        )


def _check_newer(path: Path, manifest: Manifest, *, over_newer: bool) -> None:
    """Refuse to go back behind a journal that can still be read: it knows orders that the backup does not."""
    if over_newer or not path.is_file():
        return
    try:
        instance, seq = noted_end(path)
    except JournalError:
        return  # damaged: this is what a backup is for
    if instance == manifest.instance and seq > manifest.head_seq:
        raise ConfigError(
            f"{path} can be read and goes further (row {seq}) than the backup (row {manifest.head_seq}): it knows"
            " orders that the backup does not. Try it with `executor audit` first; --over-newer puts it aside all"
            " the same"
        )


def _places(settings: Settings) -> Callable[[str], Path]:
    data_dir = settings.executor.data_dir
    return lambda name: tape_path(settings) if name == TAPE_NAME else data_dir / name


def _drafts(settings: Settings, manifest: Manifest) -> dict[str, Path]:
    """Name the copies until they have their places: names that nobody reads."""
    place = _places(settings)
    found = {name: place(name) for name in manifest.files}
    return {name: path.with_name(f".{path.name}.restoring") for name, path in found.items()}


def _copy_in(source: Path, manifest: Manifest, drafts: dict[str, Path]) -> None:
    """Copy everything beside its place."""
    for name, draft in drafts.items():
        draft.unlink(missing_ok=True)
        copy_file(source / name, draft)
        if digest_of(draft) != manifest.files[name]:
            raise JournalError(f"{source / name}: changed while it was copied", "BACKUP_DAMAGED")


def _check_room(data_dir: Path, manifest: Manifest) -> None:
    wanted = sum(kept.size_bytes for kept in manifest.files.values()) + SPARE_BYTES
    free = shutil.disk_usage(data_dir).free
    if free < wanted:
        raise ConfigError(f"{data_dir} has {free >> 20} MB of room, {wanted >> 20} MB are needed: make room")


def _checked(draft: Path, manifest: Manifest, tell: Tell) -> JournalEnd:
    end = read_through(draft, lambda done, total: tell("checking", done, total))
    if (end.instance, end.seq, end.sha256) != (manifest.instance, manifest.head_seq, manifest.head_sha256):
        raise JournalError(
            "the journal of the backup is not the one that its manifest names", "BACKUP_DAMAGED"
        )
    return end


def _present(settings: Settings) -> Iterator[Path]:
    """Files in the places of a backup's. A latched stop stays where it is: only a person clears it."""
    place = _places(settings)
    names = (
        JOURNAL_NAME,
        *(JOURNAL_NAME + suffix for suffix in _SIDE_FILES),
        TAPE_NAME,
        PAPER_NAME,
        ACCOUNT_NAME,
    )
    return (path for path in map(place, names) if path.exists())


def _put_aside(settings: Settings) -> Path | None:
    """Move what is there into a folder of its own: the log of a database beside another one would spoil it.

    A tape that is kept elsewhere, on another disk perhaps, stays beside its place and takes the folder's name.
    """
    found = list(_present(settings))
    if not found:
        return None
    data_dir = settings.executor.data_dir
    number = 1
    while (folder := data_dir / f"before-restore.{number}").exists():
        number += 1
    folder.mkdir(mode=0o700)
    for path in found:
        if path.parent == data_dir:
            path.rename(folder / path.name)
        else:
            path.rename(path.with_name(f"{path.name}.{folder.name}"))
            sync_directory(path.parent)
    sync_directory(folder)
    sync_directory(data_dir)
    return folder


def _put_in_place(settings: Settings, drafts: dict[str, Path]) -> None:
    """Give the copies their names, the journal last: without it no daemon trades from here."""
    place = _places(settings)
    for name in sorted(drafts, key=lambda each: each == JOURNAL_NAME):
        target = place(name)
        if name == HALT_NAME and target.exists():
            continue
        drafts[name].rename(target)
        sync_directory(target.parent)
