"""`executor impact published`: figures of the literature beside what this build reckons."""

from collections import Counter
from typing import Annotated, Final

import typer

from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.options import AsJson
from executor.interfaces.output import emit_json, say, show_rich

_DIGITS: Final = 9


def published(
    paper: Annotated[
        str | None, typer.Option("--paper", help="Only papers whose name holds this text, such as Kyle.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reckon the figures that papers have printed, and say whether ours are the same.

    The models that price orders, and the solutions that plans and simulations are judged by, are held against the
    tables of the papers they are from. Nothing is connected to and nothing is written. Exit code 1 if a figure differs.
    """
    from executor.interfaces.published import figures  # noqa: PLC0415 - all of theory, for this command only

    chosen = [one for one in figures() if paper is None or paper.casefold() in one.paper.casefold()]
    if not chosen:
        names = ", ".join(dict.fromkeys(one.paper for one in figures()))
        raise typer.BadParameter(f"no paper is called {paper!r}; there are {names}", param_hint="--paper")
    rows = [(one, one.reckoned, abs(one.reckoned - one.printed) <= one.within) for one in chosen]
    wrong = sum(not same for _, _, same in rows)
    if as_json:
        emit_json(
            {
                "figures": [
                    {
                        "paper": one.paper, "what": one.what, "printed": one.printed, "reckoned": found,
                        "within": one.within, "same": same,
                    }
                    for one, found, same in rows
                ],
                "differ": wrong,
            }
        )  # fmt: skip
    else:
        from rich.table import Table  # noqa: PLC0415 - slow to import

        table = Table(
            "paper", "figure", "printed", "reckoned", "same", title="Published figures", title_justify="left"
        )
        for one, found, same in rows:
            table.add_row(
                one.paper,
                one.what,
                f"{one.printed:.{_DIGITS}g}",
                f"{found:.{_DIGITS}g}",
                "yes" if same else "NO",
            )
        show_rich(table)
        counts = Counter(one.paper for one, _, _ in rows)
        papers = "1 paper" if len(counts) == 1 else f"{len(counts)} papers"
        say(f"{len(rows)} figures of {papers}, {wrong} of them not the same")
    if wrong:
        raise typer.Exit(ExitCode.REFUSED)
