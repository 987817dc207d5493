"""Commands that show the journal row by row: from a place on, or its end as it grows. Nothing is changed."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

import typer

from config.load import locate_data_dir
from executor.interfaces.cli_orders import read_options
from executor.interfaces.client import Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed
from executor.interfaces.journal_body import ROWS_USUAL, JournalQuery
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    ConfigFile,
    Profile,
    TokenFile,
    Url,
    connect,
)
from executor.interfaces.output import cell, emit_json, printable_lines, say, show
from executor.runtime.journal_bounds import LOOKED_AT_MAX, ROWS_MAX

AGAIN_S: Final = 0.5
_CHARS_MAX: Final = 160

journal_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show the journal row by row, beside its daemon or without one.",
)
Kind = Annotated[str | None, typer.Option("--kind", help="Only events of this kind, such as OrderFilled.")]
Parent = Annotated[str | None, typer.Option("--parent", help="Only what names this parent order.")]
Ask = Callable[[dict[str, str]], Json]


@journal_app.command("show")
def show_rows(
    after: Annotated[int, typer.Option("--after", min=0, help="Rows after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=ROWS_MAX, help="At most so many.")] = ROWS_USUAL,
    kind: Kind = None,
    parent: Parent = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show rows from a place on.

    A row is an event, the commands that it caused, and the first digits of its hash; --json shows them whole.
    """
    ask = _asking(profile, config, url, token_file)
    wanted = _wanted(kind, parent)
    rows: list[Json] = []
    while True:
        page = ask({**wanted, "after": str(after), "limit": str(limit - len(rows))})
        rows += _rows(page)
        after = _number(page, "next_after")
        if page["at_end"] or len(rows) == limit:
            break
    if as_json:
        emit_json({**page, "rows": rows})
        return
    for row in rows:
        show(_line(row))
    if not page["at_end"]:
        say(f"there is more: --after {cell(page['next_after'])}")


@journal_app.command()
def tail(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=ROWS_MAX, help="The last so many rows.")
    ] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the journal grows.")] = False,
    kind: Kind = None,
    parent: Parent = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the last rows; with --follow also what comes.

    With --kind or --parent they are sought among the last 20000 rows of the journal. With --json each row is one line.
    """
    ask = _asking(profile, config, url, token_file)
    wanted = _wanted(kind, parent)
    head = _number(ask({"after": str(2**62), "limit": "1"}), "head")
    span = LOOKED_AT_MAX if wanted else limit
    after = max(head - span, 0)
    rows: list[Json] = []
    for page in _pages(ask, after, wanted):
        rows, after = [*rows, *_rows(page)][-limit:], _number(page, "next_after")
    _tell(rows, as_json=as_json)
    while follow:
        time.sleep(AGAIN_S)
        for page in _pages(ask, after, wanted):
            after = _number(page, "next_after")
            _tell(_rows(page), as_json=as_json)


def _wanted(kind: str | None, parent: str | None) -> dict[str, str]:
    wanted = {name: value for name, value in (("kind", kind), ("parent", parent)) if value is not None}
    read_options(JournalQuery, dict(wanted))
    return wanted


def _asking(profile: str, config: Path | None, url: str | None, token_file: Path | None) -> Ask:
    """Ask the daemon; where none runs, read the file that it has left."""

    def of_daemon(wanted: dict[str, str]) -> Json:
        return client.get(f"/v1/journal?{urlencode(wanted)}")

    try:
        client = connect(profile, config, url, token_file)
        client.get("/v1/limits")
    except CommandFailed as error:
        if url is not None or error.problems[0].code != "DAEMON_NOT_RUNNING":
            raise
        return _of_file(profile, config, error)
    return of_daemon


def _of_file(profile: str, config: Path | None, error: CommandFailed) -> Ask:
    import msgspec  # noqa: PLC0415 - for this way only

    from executor.app.journal import JOURNAL_NAME  # noqa: PLC0415 - brings the engine with it
    from executor.domain.units import install_decimal_context  # noqa: PLC0415
    from executor.interfaces.answers import ApiRefusal  # noqa: PLC0415
    from executor.interfaces.journal_doors import names_of, page_view  # noqa: PLC0415
    from executor.runtime.journal_page import journal_page  # noqa: PLC0415
    from executor.runtime.reading import read_past_run  # noqa: PLC0415

    path = locate_data_dir(profile, config, os.environ)[0] / JOURNAL_NAME
    if not path.is_file():
        raise error
    install_decimal_context()
    say(f"no daemon runs; this is read from {path}")

    def of_file(wanted: dict[str, str]) -> Json:
        query = JournalQuery.model_validate(wanted)
        try:
            names = names_of(read_past_run(path).state, query.parent) if query.parent else ()
        except ApiRefusal as refused:
            raise CommandFailed(ExitCode.REFUSED, list(refused.problems)) from None
        page = journal_page(path, after=query.after, limit=query.limit, kind=query.kind, names=names)
        shown: Json = json.loads(msgspec.json.encode(page_view(page)))
        return shown

    return of_file


def _pages(ask: Ask, after: int, wanted: dict[str, str]) -> Iterator[Json]:
    """Ask for page after page up to the end of the journal."""
    while True:
        page = ask({**wanted, "after": str(after), "limit": str(ROWS_MAX)})
        yield page
        if page["at_end"]:
            return
        after = _number(page, "next_after")


def _rows(page: Json) -> list[Json]:
    rows = page["rows"]
    assert isinstance(rows, list), "the rows are a list"
    return rows


def _number(page: Json, name: str) -> int:
    value = page[name]
    assert isinstance(value, int), f"{name} is a number"
    return value


def _tell(rows: list[Json], *, as_json: bool) -> None:
    for row in rows:
        show(json.dumps(row) if as_json else _line(row))


def _line(row: Json) -> str:
    """One row in one line: number, instant, kind, hash, what the event says, and the kinds of its commands."""
    commands, event = row["commands"], row["event"]
    assert isinstance(commands, list)
    assert isinstance(event, dict)
    said = {name: value for name, value in event.items() if name != "at_ns"}
    text = json.dumps(said, separators=(",", ":"))
    if len(text) > _CHARS_MAX:
        text = f"{text[:_CHARS_MAX]}…"
    names = ", ".join(str(one["kind"]) for one in commands)
    line = f"{row['seq']} {cell(row['at'])} {row['kind']} {str(row['hash'])[:12]} {text}"
    return printable_lines(f"{line} -> {names}" if names else line)
