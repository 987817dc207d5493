"""`executor tca`: what many orders have cost, out of journals and results of backtests.

What needs the packages of the extra `backtest` is imported inside the command: the daemon starts without them.
"""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from config.load import locate_data_dir
from config.problems import place, quoted
from executor.domain.timeline import NS_PER_S
from executor.interfaces.cli_data import data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, say, show, show_rich

if TYPE_CHECKING:
    from backtest.tca.groups import Analysis
    from backtest.tca.sources import Costs

KEYS_TOLD: Final = "algorithm, symbol, side, size, hour, venue, status"


def tca(
    journals: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[JOURNAL...]",
            help="Journals, folders of journals, or results of backtests; the profile's own journal if none is given.",
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            help=f"What orders are put together by: {KEYS_TOLD}; with commas one after the other, a+b crossed.",
        ),
    ] = "algorithm",
    since: Annotated[
        str | None, typer.Option("--since", help="Orders that began at this instant or later, UTC.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Orders that began before this instant, UTC.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write one page that opens without a network.", dir_okay=False),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write a line for each order.", dir_okay=False)
    ] = None,
    fills: Annotated[
        Path | None, typer.Option("--fills", help="Write a line for each fill, as CSV.", dir_okay=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    whole_chain: Annotated[
        bool, typer.Option("--whole-chain", help="Check the chain of every journal from its first row.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out journals that cannot be trusted, and say so.")
    ] = False,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Sum up what many orders have cost.

    Cost against arrival with its interval, the seven parts of the shortfall, benchmarks, mark-outs after the fills, and
    orders that cost unlike the others. Journals are only read; one that a running daemon writes is read as it stands.
    docs/cost-analysis.md defines every figure.
    """
    wanted = {"--html": html, "--csv": csv, "--fills": fills}
    for flag, path in wanted.items():
        _check_place(flag, path, overwrite=overwrite)
    since_ns, until_ns = _instant("--since", since), _instant("--until", until)
    with data_errors():
        from backtest.tca.groups import analyse, keys_of  # noqa: PLC0415 - brings numpy
        from backtest.tca.sources import read_costs  # noqa: PLC0415

        try:
            keys = keys_of(by)
        except ValueError as error:
            told = "some of these, with commas, or + to cross them"
            raise _usage("--by", quoted(str(error)), KEYS_TOLD, told) from error
        with progress_on_terminal("reading") as progress:
            costs = read_costs(
                journals or [_own_journal(profile, config)],
                whole_chain=whole_chain,
                skip_broken=skip_broken,
                progress=progress,
            )
        _choose(costs, since_ns, until_ns)
        found = analyse(costs, keys)
        written = _write(costs, found, html, csv, fills)
    if as_json:
        from backtest.tca.records import analysis_record  # noqa: PLC0415

        emit_json(
            analysis_record(costs, found) | {"written": {flag: str(path) for flag, path in written.items()}}
        )
        return
    _show(costs, found)
    for path in written.values():
        say(f"{place(path)} is written")


def _choose(costs: "Costs", since_ns: int | None, until_ns: int | None) -> None:
    """Keep the orders that began within a time; there must be one."""
    began = len(costs.orders)
    costs.orders = [
        one
        for one in costs.orders
        if (since_ns is None or one.start_ns >= since_ns) and (until_ns is None or one.start_ns < until_ns)
    ]
    if costs.orders:
        return
    if began:
        asked = f"none of {began} orders began within --since and --until"
        raise failed(
            ExitCode.REFUSED, "ORDERS", "executor tca", asked, "a time with orders", "choose a longer time"
        )
    left = f"{costs.unfinished} unfinished, {costs.uncosted} that never began"
    remarks = f"; {'; '.join(costs.remarks)}" if costs.remarks else ""
    raise failed(
        ExitCode.REFUSED,
        "ORDERS",
        "executor tca",
        f"no order that has ended with a cost ({left}{remarks})",
        "journals in which an order has ended",
        "`executor report PARENT` tells the cost of one that is at work",
    )


def _write(
    costs: "Costs", found: "Analysis", html: Path | None, csv: Path | None, fills: Path | None
) -> dict[str, Path]:
    """Write the files that were asked for; gives them by their flags."""
    written: dict[str, Path] = {}
    if html is not None:
        from backtest.tca.page import page_of  # noqa: PLC0415 - brings plotly

        text = page_of(costs, found)
        _fill_file("--html", html, lambda file: file.write(text))
        written["--html"] = html
    if csv is not None or fills is not None:
        from backtest.tca.records import write_fills, write_orders  # noqa: PLC0415

        if csv is not None:
            _fill_file("--csv", csv, lambda file: write_orders(file, costs))
            written["--csv"] = csv
        if fills is not None:
            _fill_file("--fills", fills, lambda file: write_fills(file, costs))
            written["--fills"] = fills
    return written


def _fill_file(flag: str, path: Path, fill: Callable[[TextIO], object]) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            fill(file)
        unfinished.replace(path)
    except OSError as error:
        got = f"{place(path)}: {error.strerror}"
        raise _usage(flag, got, "a file in a folder of ours", "name another one") from error


def _show(costs: "Costs", found: "Analysis") -> None:
    from backtest.tca.summary import summary_lines  # noqa: PLC0415
    from executor.interfaces.tca_tables import analysis_tables  # noqa: PLC0415 - brings rich

    for line in summary_lines(costs):
        show(line)
    for remark in costs.remarks:
        say(f"WARNING {remark}")
    for table in analysis_tables(costs, found):
        show("")
        show_rich(table)


def _own_journal(profile: str, config: Path | None) -> Path:
    """The journal of a profile's data directory."""
    from executor.app.journal import JOURNAL_NAME  # noqa: PLC0415 - brings the engine with it

    path = locate_data_dir(profile, config, os.environ)[0] / JOURNAL_NAME
    if not path.is_file():
        raise failed(
            ExitCode.REFUSED,
            "ORDERS",
            "executor tca",
            f"{place(path)}: no such file",
            "a journal",
            "name journals or results, or another --profile",
        )
    say(f"read from {place(path)}")
    return path


def _check_place(flag: str, path: Path | None, *, overwrite: bool) -> None:
    if path is not None and path.exists() and not overwrite:
        raise _usage(
            flag, f"{place(path)}, which is there", "a new file", "name another one, or add --overwrite"
        )


def _instant(flag: str, text: str | None) -> int | None:
    """Read a day or an instant of UTC; nanoseconds."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _usage(flag, quoted(text), *_INSTANTS) from error
    if found.tzinfo is None and text != str(_day_of(text)):
        raise _usage(flag, quoted(text), *_INSTANTS)
    return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1_000) * (NS_PER_S // 1_000)


_INSTANTS: Final = (
    "a day such as 2026-01-31, or an instant with its zone such as 2026-01-31T08:00Z",
    "type it in one of these forms",
)


def _day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _usage(flag: str, got: str, allowed: str, next_step: str) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", flag, got, allowed, next_step)
