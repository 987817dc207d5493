"""`executor simulate --distributed`: the agents of a scenario in processes of their own, over a wire, by the clock.

The hub serves the market out of a folder, and when it has closed, everything happens again out of what came in: that
is checked, and measured like any run.
"""

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from config.problems import place, quoted
from executor.interfaces.cli_data import data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.output import emit_json, progress_on_terminal, say, show_rich

if TYPE_CHECKING:
    from backtest.market.network.hosting import Outcome, Replayed
    from backtest.market.scenarios import Scenario
    from backtest.market.study import RunStudy

_HELP = "docs/market-network.md, From executor simulate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for.

    Parameters
    ----------
    folder
        New folder for what happens; None keeps nothing.
    duration_s
        How long the market is open once everybody is there, seconds; None is the scenario's own time.
    processes
        Among how many processes the agents are dealt out.
    html
        New file for a page of the run; None writes none.
    """

    folder: Path | None
    duration_s: float | None
    processes: int
    html: Path | None


def run(scenario: "Scenario", seed: int, wishes: Wishes, others: Sequence[str], *, as_json: bool) -> None:
    """Serve a scenario, and tell what it came to.

    Parameters
    ----------
    others
        Options that were given and mean nothing here.
    """
    if others:
        raise failed(
            ExitCode.USAGE,
            "USAGE",
            "--distributed",
            f"with {', '.join(others)}",
            "a run without these",
            _HELP,
        )
    duration_s = wishes.duration_s or scenario.run.steps * scenario.run.step_s
    wanted = scenario.sized(None, max(10, math.ceil(duration_s / scenario.run.step_s)))
    count = sum(group.count for group in wanted.agents)
    processes = min(wishes.processes, count)
    if not as_json:
        say(
            f"{count} agents in {processes} processes, for {duration_s:g} s by the clock; Ctrl-C closes the market"
        )
    with _folder(wishes.folder) as folder, data_errors():
        from backtest.market.network.hosting import Host, replayed  # noqa: PLC0415 - brings ZeroMQ
        from backtest.market.network.terms import HubTerms  # noqa: PLC0415

        host = Host(folder, wanted, seed, HubTerms())
        with progress_on_terminal(f"{wanted.name}, over the wire") as told:
            asyncio.run(
                host.serve(
                    duration_s=duration_s,
                    workers=processes,
                    told=lambda seconds: told(min(round(seconds), round(duration_s)), round(duration_s)),
                )
            )
        again = replayed(folder)
    if len(again.outcome.never_came) == count:
        raise failed(
            ExitCode.REFUSED, "MARKET", "--distributed", "processes that ended before their agents sat down",
            "agents that take their seats", "run it with --record DIR and look at what the processes wrote above",
        )  # fmt: skip
    try:
        study = again.market.measured()
    except ValueError as error:
        raise failed(
            ExitCode.REFUSED,
            "NOTHING_MEASURED",
            wanted.name,
            quoted(str(error)),
            "a market with both sides, that is open for some steps",
            "keep it open for longer (--duration-s)",
        ) from error
    _tell(study, again, processes, wishes.html, as_json=as_json)
    problems = [
        *again.problems,
        *(f"the agent of seat {seat} never sat down" for seat in again.outcome.never_came),
    ]
    if problems:
        raise failed(
            ExitCode.REFUSED,
            "MARKET",
            "--distributed",
            quoted("; ".join(problems)),
            "a market that adds up",
            _HELP,
        )


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        yield wanted
        return
    with TemporaryDirectory(prefix="executor-market-") as folder:
        yield Path(folder)


def _tell(
    study: "RunStudy",
    again: "Replayed",
    processes: int,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    from executor.interfaces import simulate_views as views  # noqa: PLC0415 - slow to import

    scenario = again.market.scenario
    if html is not None:
        from backtest.market.market_page import market_page  # noqa: PLC0415

        try:
            with html.open("x", encoding="utf-8") as file:
                file.write(market_page(scenario, study, again.market.kinds, verdicts=(), facts=None))
        except OSError as error:
            raise failed(
                ExitCode.USAGE,
                "FILE",
                place(html),
                str(error.strerror or error),
                "a new file",
                "choose another name",
            ) from error
    if as_json:
        record = views.run_record(scenario, study)
        emit_json(
            {**record, "engine": "distributed", "wire": _wire(again.outcome, processes, again.problems)}
        )
        return
    for table in views.run_tables(scenario, study, again.market.kinds, "Python, agents over a wire"):
        show_rich(table)
    show_rich(views.wire_table(_wire(again.outcome, processes, again.problems)))


def _wire(outcome: "Outcome", processes: int, problems: Sequence[str]) -> dict[str, object]:
    counts = outcome.desk["counts"]
    return {
        "processes": processes,
        "open_s": outcome.closed_ns / 1e9,
        "everybody_there_s": outcome.seated_ns / 1e9,
        "messages_at_the_hub": counts.get("messages", 0),
        "entries": outcome.entries,
        "events": outcome.events,
        "event_hash": outcome.event_hash,
        "ledger_head": outcome.ledger_head,
        "never_came": list(outcome.never_came),
        "problems": list(problems),
    }
