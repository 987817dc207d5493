"""`executor backtest report`: the results of a run or a comparison as one page.

What needs the packages of the extra `backtest` is imported inside the command: the daemon starts without them.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from config.problems import place, quoted
from executor.interfaces.cli_data import data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import AsJson
from executor.interfaces.output import emit_json, say

USUAL_NAME: Final = "tear_sheet.html"


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that --out of run or compare has written.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=f"File of the page: DIR/{USUAL_NAME}.", dir_okay=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the tear sheet of a run or a comparison: one HTML file that opens without a network.

    Cost and what it is made of, its distribution over the orders, participation, differences between strategies; of
    single orders the price with child orders and fills, and the schedule against what was executed; the settings, and
    every order's figures. The same results give the same bytes.
    """
    path = folder / USUAL_NAME if out is None else out
    if path.exists() and not overwrite:
        raise _wrong(path, "which is there", "a new file", "name another one with -o, or add --overwrite")
    with data_errors():
        from backtest.tear_sheet import tear_sheet  # noqa: PLC0415

        written = tear_sheet(folder)
        unfinished = path.with_name(f"{path.name}.part")
        try:
            unfinished.write_text(written.text, encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            raise _wrong(
                path, str(error.strerror), "a file in a folder of ours", "name another one with -o"
            ) from error
    if as_json:
        emit_json({"file": str(path), "orders": written.orders, "drawn": written.drawn})
    else:
        say(
            f"{place(path)}: {written.orders} orders, {written.drawn} of them drawn one by one; open it in a browser"
        )


def _wrong(path: Path, what: str, allowed: str, next_step: str) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", "--out", quoted(f"{path}: {what}"), allowed, next_step)
