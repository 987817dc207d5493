"""What a backup is: a folder with copies, and a manifest that says of which account they are and what they hash to."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec

from executor.adviser.tape import FILE_NAME as TAPE_NAME
from executor.app.journal import JOURNAL_NAME
from executor.domain.errors import ConfigError, JournalError
from executor.runtime.account_record import NAME as ACCOUNT_NAME
from executor.venues.paper.account_file import NAME as PAPER_NAME
from executor.watch.halt_file import NAME as HALT_NAME

MANIFEST: Final = "manifest.json"
FORM: Final = 1
"""Of the manifest; a newer one is refused."""
BESIDE: Final = (TAPE_NAME, PAPER_NAME)
"""Files that are only ever added to: copied after the journal, to their last whole line."""
SMALL: Final = (ACCOUNT_NAME, HALT_NAME)
NAMES: Final = frozenset({JOURNAL_NAME, *BESIDE, *SMALL})
_CHUNK_BYTES: Final = 1 << 20
_MANIFEST_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file of a backup."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself.

    Parameters
    ----------
    made
        When, RFC 3339 UTC.
    version
        Of the executor that made it.
    mode
        sandbox, paper, testnet, demo or live.
    user_id
        The venue's number of the account; empty where the venue never said.
    head_seq, head_sha256
        Number and hash of the last row of the journal.
    """

    form: int
    made: str
    version: str
    mode: str
    venue: str
    instance: str
    user_id: str
    head_seq: int
    head_sha256: str
    files: Mapping[str, Kept]


def is_elsewhere(venue: str, mode: str) -> bool:
    """Whether a journal was written at a venue of Bybit that is not that of a mode."""
    return venue.startswith("bybit-") and venue != f"bybit-{mode}"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder, durably."""
    handle = os.open(
        folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        json.dump(asdict(manifest), output, indent=2)
        output.write("\n")
        output.flush()
        os.fsync(output.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises
    ------
    ConfigError
        If the folder is no backup, or one of a newer form.
    """
    path = folder / MANIFEST
    if not path.is_file():
        inside = sorted(each.parent.name for each in folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []
        told = f"; name one of the backups in it, such as {folder / inside[-1]}" if inside else ""
        raise ConfigError(f"{folder} is no backup of this program: it has no {MANIFEST}{told}")
    try:
        with path.open("rb") as source:
            body = msgspec.json.decode(source.read(_MANIFEST_BYTES_MAX))
        form = body["form"]
        if form != FORM:
            raise ConfigError(
                f"{path} is of form {form}, this version knows {FORM}: restore it with the version that made it"
            )
        manifest = msgspec.convert(body, Manifest)
    except (OSError, msgspec.MsgspecError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): take another backup") from error
    if JOURNAL_NAME not in manifest.files or not manifest.files.keys() <= NAMES:
        raise ConfigError(
            f"{path} names files that a backup does not hold, or no journal: take another backup"
        )
    return manifest


def digest_of(path: Path) -> Kept:
    """Hash a file, and count its bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source:
        while piece := source.read(_CHUNK_BYTES):
            digest.update(piece)
            size += len(piece)
    return Kept(sha256=digest.hexdigest(), size_bytes=size)


def copy_file(source: Path, target: Path, *, whole_lines: bool = False) -> None:
    """Copy a file into a new one of its owner alone, durably.

    Parameters
    ----------
    whole_lines
        Whether what stands behind the last line end is left out: somebody may be writing there.
    """
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with source.open("rb") as reading, os.fdopen(handle, "wb") as writing:
        end, held = 0, 0
        while piece := reading.read(_CHUNK_BYTES):
            last = piece.rfind(b"\n")
            if last >= 0:
                end = held + last + 1
            writing.write(piece)
            held += len(piece)
        writing.flush()
        if whole_lines:
            os.ftruncate(writing.fileno(), end)
        os.fsync(writing.fileno())


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hold every file against the manifest.

    Raises
    ------
    JournalError
        If one is missing or is not what was copied.
    """
    for name, kept in manifest.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise JournalError(f"{path}: is missing or no file: take another backup", "BACKUP_DAMAGED")
        if digest_of(path) != kept:
            raise JournalError(
                f"{path}: is not what was copied (size or SHA-256 differ): take another backup",
                "BACKUP_DAMAGED",
            )
