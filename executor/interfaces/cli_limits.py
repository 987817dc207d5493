"""Commands about the limits of a running daemon: show what holds and how much of it is used, and tighten one."""

from typing import Annotated

import typer

from executor.interfaces.cli_orders import read_options
from executor.interfaces.client import Json
from executor.interfaces.limit_body import TightenBody
from executor.interfaces.operator_name import operator_name
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    ConfigFile,
    Profile,
    TokenFile,
    Url,
    connect,
)
from executor.interfaces.output import cell, emit_json, show, show_rich

limits_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Show the limits in force and their use; tighten one.",
)


@limits_app.callback()
def limits(
    context: typer.Context,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the limits in force, how much of each is used, and what was tightened."""
    if context.invoked_subcommand is not None:
        return
    answer = connect(profile, config, url, token_file).get("/v1/limits")
    if as_json:
        emit_json(answer)
    else:
        _show(answer)


@limits_app.command()
def tighten(
    limit: Annotated[str, typer.Argument(metavar="NAME", help="Such as child_notional_max.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="In the limit's own unit.")],
    reason: Annotated[str | None, typer.Option("--reason", help="Why; one line.")] = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Who; your user name if not given.")
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Tighten a limit of the running daemon; --reason is required.

    A value that would loosen it is refused. It holds over restarts and over `executor rearm`, whatever the settings
    say, until the daemon is started with `executor run --release-limits REASON`. What is at the venue stays there.
    """
    body: Json = {
        "limit": limit,
        "value": value,
        "operator": operator if operator is not None else operator_name(),
    }
    if reason is not None:
        body["reason"] = reason
    read_options(TightenBody, body)
    answer = connect(profile, config, url, token_file).post("/v1/limits/tighten", body)
    if as_json:
        emit_json(answer)
    else:
        show(f"{cell(answer['outcome'])}: {cell(answer['text'])}")


def _show(answer: Json) -> None:
    from rich.table import Table  # noqa: PLC0415 - slow to import, for this table only

    rows = answer["limits"]
    assert isinstance(rows, list), "the limits are a list"
    table = Table(box=None, pad_edge=False)
    table.add_column("limit", no_wrap=True)
    for name in ("bound", "value", "used", "share"):
        table.add_column(name, no_wrap=True, justify="left" if name == "bound" else "right")
    table.add_column("where")
    table.add_column("tightened")
    for row in rows:
        share, made = row["share"], row["tightened"]
        table.add_row(
            cell(row["limit"]),
            cell(row["bound"]),
            "no limit" if row["value"] is None else cell(row["value"]),
            cell(row["used"]) if row["used"] is not None else "",
            "" if share is None else f"{share:.1%}",
            cell(row["place"]) if row["place"] else "",
            "" if made is None else _tightened(made),
        )
    show_rich(table)


def _tightened(made: Json) -> str:
    before = "no limit" if made["before"] is None else cell(made["before"])
    return f"from {before} by {cell(made['operator'])}, {cell(made['at'])}: {cell(made['reason'])}"
