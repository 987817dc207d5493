"""A market of agents over a wire: `executor market hub`, `agent`, `status` and `check`.

What needs the packages of the extra `backtest` is imported inside the commands: the daemon starts without them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.problems import place, quoted
from executor.interfaces.cli_data import data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.options import AsJson
from executor.interfaces.output import emit_json, line_on_terminal, say, show, show_rich

if TYPE_CHECKING:
    from backtest.market.network.hosting import Outcome

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the market.", file_okay=False)]

market_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A market of agents over a wire, served, joined and checked.",
)


@market_app.command()
def hub(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="New folder for what happens.", file_okay=False)
    ],
    scenario: Annotated[
        str, typer.Option("--scenario", help="Name of a scenario, or the path of a TOML file.")
    ] = "basic",
    agents: Annotated[
        int | None, typer.Option("--agents", min=1, max=1_000, help="How many agents, where it scales.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**63, help="Of everything that is drawn.")] = 1,
    duration_s: Annotated[
        float | None,
        typer.Option("--duration-s", min=0.1, help="How long, seconds; else until Ctrl-C or SIGTERM."),
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=0, max=1_000, help="Start so many agents as processes.")
    ] = 0,
    tasks: Annotated[
        bool,
        typer.Option("--tasks", help="Run all other agents inside this process; else they are waited for."),
    ] = False,
    silent_ms: Annotated[
        int,
        typer.Option("--silent-ms", min=300, help="Who says nothing for so long loses its open orders."),
    ] = 3_000,
    per_s: Annotated[
        int, typer.Option("--per-s", min=1, max=100_000, help="Messages allowed to each agent each second.")
    ] = 200,
    as_json: AsJson = False,
) -> None:
    """Serve a market in real time, on this machine alone.

    For each agent that is not started here there is a file in FOLDER/seats with its token: `executor market agent FILE`
    takes that seat. When the market closes, all orders are canceled, everybody is told, and all is counted again.

    Ends with 1 if anything does not agree.
    """
    with data_errors():
        import asyncio  # noqa: PLC0415

        from backtest.market.network.hosting import Host, check  # noqa: PLC0415
        from backtest.market.network.terms import HubTerms  # noqa: PLC0415
        from backtest.market.scenarios import load  # noqa: PLC0415

        wanted = load(scenario).sized(agents, None)
        beat_ms = min(500, silent_ms // 3)
        terms = HubTerms(silent_ms=silent_ms, beat_ms=beat_ms, per_s=per_s, burst=2 * per_s)
        host = Host(folder, wanted, seed, terms)
        say(f"serving {wanted.name} out of {folder}; Ctrl-C closes the market")
        with line_on_terminal() as line:
            asyncio.run(
                host.serve(
                    duration_s=duration_s,
                    processes=processes,
                    with_tasks=tasks,
                    told=lambda seconds: line(f"open for {seconds:.0f} s"),
                )
            )
        outcome, problems = check(folder)
    _tell(outcome, problems, as_json=as_json)


@market_app.command(short_help="Take a seat in a market that a hub serves.")
def agent(
    file: Annotated[
        Path, typer.Argument(metavar="SEAT.json", help="A file of FOLDER/seats.", dir_okay=False)
    ],
) -> None:
    """Take a seat in a market that `executor market hub` serves, until it closes.

    Ends with 1 if the seat is refused, 2 if the file cannot be used.
    """
    with data_errors():
        from backtest.market.network.agent import take_seat  # noqa: PLC0415
        from backtest.market.network.messages import Garbage, Why  # noqa: PLC0415

        try:
            why = take_seat(file)
        except Garbage as error:
            raise failed(
                ExitCode.UNREACHABLE, "HUB", place(file), quoted(str(error)), "a hub of this version",
                "use the executor that serves the market",
            ) from error  # fmt: skip
    if why not in {Why.CLOSED, Why.LEFT}:
        raise failed(
            ExitCode.REFUSED, "SEAT", place(file), why.name, "a seat of one's own in a market that is open",
            "`executor market status` shows who sits where; each start of a hub makes new files",
        )  # fmt: skip
    show("the market is closed" if why is Why.CLOSED else "left, as was asked")


@market_app.command(short_help="Show who takes part in a market, and how it goes.")
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Show who takes part in a market, what was refused, and what an operator should know."""
    with data_errors():
        from backtest.market.network.hosting import read_status  # noqa: PLC0415

        said = read_status(folder)
    if as_json:
        emit_json(said)
        return
    from rich.table import Table  # noqa: PLC0415 - slow to import, and only needed for tables

    desk = said.get("desk", said)
    show("closed" if desk["closed"] else f"open for {said['now_s']:.0f} s, process {said['pid']}")
    table = Table(box=None, pad_edge=False)
    for column in ("seat", "present", "orders", "fills", "messages", "refused"):
        table.add_column(column)
    for seat in desk["seats"]:
        counts = seat["counts"]
        refused = sum(count for name, count in counts.items() if name.startswith("refused"))
        figures = (seat["seat"], "yes" if seat["present"] else "no", seat["open_orders"], seat["fills"])
        table.add_row(*map(str, (*figures, seat["next_number"] - 1, refused)))
    show_rich(table)
    for name, count in desk["counts"].items():
        show(f"{name:40} {count}")
    for remark in desk["remarks"]:
        show(f"REMARK {remark}")


@market_app.command("check", short_help="Let a closed market happen again, and add it up.")
def check_market(folder: Folder, as_json: AsJson = False) -> None:
    """Let a market that has closed happen again, and add its ledger up from zero.

    Ends with 1 if anything does not agree.
    """
    with data_errors():
        from backtest.market.network.hosting import check  # noqa: PLC0415

        outcome, problems = check(folder)
    _tell(outcome, problems, as_json=as_json)


def _tell(outcome: "Outcome", problems: list[str], *, as_json: bool) -> None:
    """Show what a market came to; what does not agree ends the command."""
    failures = {str(seat): words for seat, words in outcome.failed.items()}
    if as_json:
        emit_json(
            {
                "closed_s": outcome.closed_ns / 1e9,
                "event_hash": outcome.event_hash,
                "events": outcome.events,
                "entries": outcome.entries,
                "trades": outcome.desk["trades"],
                "ledger_head": outcome.ledger_head,
                "failed_agents": failures,
                "counts": outcome.desk["counts"],
                "problems": problems,
            }
        )
    else:
        show(f"open for       {outcome.closed_ns / 1e9:.1f} s")
        show(f"events         {outcome.events}, SHA-256 {outcome.event_hash}")
        show(f"trades         {sum(outcome.desk['trades'])}")
        show(f"ledger         {outcome.ledger_head}")
        for seat, words in failures.items():
            show(f"FAILED         agent of seat {seat}: {words}")
        for problem in problems:
            show(f"PROBLEM        {problem}")
        if not problems:
            show(
                "checked        the same entries give the same events; cash and shares are conserved; no order is open"
            )
    if problems:
        raise failed(
            ExitCode.REFUSED, "MARKET", "executor market", quoted("; ".join(problems)), "a market that adds up",
            "keep the folder: it shows a fault of the program",
        )  # fmt: skip
