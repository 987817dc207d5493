"""`executor backup` and `executor restore`: a second copy of what a daemon knows, and the way back from it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.load import load_settings
from config.secrets import make_private_dir
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, say, show

if TYPE_CHECKING:
    from executor.app.backup import Tell


def backup(
    destination: Annotated[
        Path, typer.Argument(metavar="DEST", help="Directory in which a new folder with the backup is made.")
    ],
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=1, max=10_000, help="Leave so many backups of this account there, the newest."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy journal, tape and account, also beside a daemon.

    The copy is one moment of the journal. It is read through from its first row before it gets its name; the
    daemon does not wait. Readable by you alone, as the data directory is. Ends with 4 if the journal is missing
    or damaged.
    """
    # It trades nothing, so the second sign of live trading is not asked for.
    settings = load_settings(profile, config, os.environ, yes_live=True)
    from executor.app.backup import make_backup  # noqa: PLC0415 - brings the engine with it

    with _telling() as tell:
        made = make_backup(settings, destination, keep, tell)
    manifest = made.manifest
    if as_json:
        emit_json(
            {
                "folder": str(made.folder),
                "instance": manifest.instance,
                "head_seq": manifest.head_seq,
                "head_sha256": manifest.head_sha256,
                "bytes": sum(kept.size_bytes for kept in manifest.files.values()),
                "removed": [str(each) for each in made.removed],
                "same_disk": made.same_disk,
            }
        )
        return
    show(str(made.folder))
    say(f"{manifest.instance} on {manifest.mode}, to row {manifest.head_seq}, read through: whole")
    for folder in made.removed:
        say(f"removed, for --keep: {folder}")
    if made.same_disk:
        say("it lies on the disk of the data directory, which can take both with it: copy it elsewhere, too")


def restore(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder that `executor backup` made.")],
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    over_newer: Annotated[
        bool,
        typer.Option("--over-newer", help="Even if the journal that is here can be read and goes further."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of a data directory.

    What was there is put aside, never deleted. What has happened since the backup is read from the venue at the next
    start (docs/operations.md). Ends with 5 while a daemon holds the data directory, 2 if the backup is of another
    account or environment, 4 if it is not whole.
    """
    settings = load_settings(profile, config, os.environ, yes_live=True)
    make_private_dir(settings.executor.data_dir)
    from executor.app.restore import restore_backup  # noqa: PLC0415 - brings the engine with it

    with _telling() as tell:
        done = restore_backup(settings, source, tell, over_newer=over_newer)
    if as_json:
        emit_json(
            {
                "data_dir": str(settings.executor.data_dir),
                "made": done.manifest.made,
                "instance": done.end.instance,
                "head_seq": done.end.seq,
                "head_sha256": done.end.sha256,
                "aside": None if done.aside is None else str(done.aside),
            }
        )
        return
    show(
        f"{settings.executor.data_dir}: as of {done.manifest.made}, row {done.end.seq} of {done.end.instance}"
    )
    if done.aside is not None:
        say(f"what was there before lies in {done.aside}")
    say(
        "next: `executor run` (same --profile and --config). It first reads from the venue what has happened since.\n"
        "Orders sent after the backup are unknown to it: where they were filled it opens nothing in the symbol until\n"
        "you have looked (docs/operations.md, Restore)."
    )


@contextmanager
def _telling() -> "Iterator[Tell]":
    """Show how far copying and checking are."""
    with progress_on_terminal("copying and checking") as progress:
        yield lambda _what, done, total: progress(done, total)
