"""Simulated markets of agents: run one, check what a scenario says it shows, and hold its facts against recorded books.

What needs the packages of the extra `backtest` is imported inside the commands: the daemon starts without them.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import place
from executor.interfaces import simulate_distributed as distributed
from executor.interfaces import simulate_voices as voices
from executor.interfaces.cli_data import data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, say, show, show_rich

if TYPE_CHECKING:
    from collections.abc import Callable

    from backtest.market.build import Market
    from backtest.market.compiled import CompiledScenario
    from backtest.market.expected import SeedResult, Verdict
    from backtest.market.recorded_facts import RecordedFacts
    from backtest.market.scenarios import Scenario
    from backtest.market.side_by_side import SideBySide
    from backtest.market.study import RunStudy
    from simulation.phenomena.metaorder_impact import MetaorderImpact

SEED_MAX: Final = 2**64 - 1
SEEDS_MAX: Final = 1_000
PROCESSES_MAX: Final = 64
_HELP: Final = "executor simulate --help, docs/simulate.md"

simulate_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Simulated markets of agents (docs/simulate.md).",
)

ScenarioName = Annotated[
    str,
    typer.Option("--scenario", help="Name of a scenario (`simulate list`), or a file of that form (.toml)."),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        min=1,
        max=SEEDS_MAX,
        help="Runs, with the seeds from --seed on; with --check the scenario's.",
    ),
]
Processes = Annotated[
    int | None,
    typer.Option("--processes", min=1, max=PROCESSES_MAX, help="Runs at once; else one for each processor."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Store of recordings (`executor data import`), for facts beside the simulated ones."
    ),
]
Recorded = Annotated[
    list[str] | None,
    typer.Option(
        "--recorded", help="SYMBOL or VENUE/CATEGORY/SYMBOL of a recording in --data; can be repeated."
    ),
]


@simulate_app.callback()
def simulate(
    context: typer.Context,
    scenario: ScenarioName = "default",
    agents: Annotated[
        int | None, typer.Option("--agents", min=1, help="Agents in all; the groups that scale share them.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=10, help="Steps of a run.")] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=SEED_MAX, help="Of everything that is drawn.")
    ] = 1,
    seeds: Seeds = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Run every seed and say whether the scenario shows what it says it shows."
        ),
    ] = False,
    facts: Annotated[
        bool, typer.Option("--facts", help="Show all stylised facts with gates and a price that has none.")
    ] = False,
    data: Data = None,
    recorded: Recorded = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page of the first run.")] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", help="New folder for quotes, trades, events and the ledger of the first run."
        ),
    ] = None,
    processes: Processes = None,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Let the first run take as long as it simulates.")
    ] = False,
    speed: Annotated[
        float,
        typer.Option("--speed", min=0.01, max=10_000.0, help="Of --real-time: simulated seconds in one."),
    ] = 1.0,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compiled",
            help="Run in the compiled market: the same events sooner, where the scenario allows.",
        ),
    ] = False,
    is_distributed: Annotated[
        bool,
        typer.Option(
            "--distributed", help="Agents in --processes of their own, over ZeroMQ, in real time, once."
        ),
    ] = False,
    duration_s: Annotated[
        float | None,
        typer.Option(
            "--duration-s",
            min=1.0,
            max=86_400.0,
            help="Of --distributed, seconds; else --steps by the clock.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Who answers for language-model traders: rules, or live asks that of [adviser]."
        ),
    ] = voices.RULES,
    tape: Annotated[
        Path | None,
        typer.Option("--tape", help="Ask nobody: play a recording of calls again.", dir_okay=False),
    ] = None,
    calls: Annotated[
        Path | None, typer.Option("--calls", help="New file for every call to the model.", dir_okay=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Spend without being asked.")] = False,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run a market, and say what emerged.

    Ends with 1 where --check finds what the scenario says it does not; with 9 if a --tape does not fit the questions,
    and with 7 if no question to a model had a usable answer.
    """
    if context.invoked_subcommand is not None:
        return
    from backtest.market.scenarios import load  # noqa: PLC0415 - brings numpy with it

    wanted = load(scenario).sized(agents, steps)
    who = voices.WhoAnswers(model=model, tape=tape, calls=calls, yes=yes, profile=profile, config=config)
    if is_distributed:
        others = {
            "--check": check, "--seeds": seeds is not None, "--facts": facts, "--data": data, "--recorded": recorded,
            "--real-time": real_time, "--compiled": compiled, "--model": not who.by_rules, "--calls": calls,
        }  # fmt: skip
        distributed.run(
            wanted,
            seed,
            distributed.Wishes(
                folder=record, duration_s=duration_s, processes=processes or _processors(), html=html
            ),
            [name for name, is_wanted in others.items() if is_wanted],
            as_json=as_json,
        )
        return
    if duration_s is not None:
        raise _alone("--duration-s", "without --distributed", "--distributed beside it")
    if compiled and (real_time or record is not None):
        raise _alone("--compiled", "with --real-time or --record", "without these: the engine does both")
    if (recorded or data) and not (facts or check):
        raise _alone("--recorded", "without --facts", "--facts or --check beside it")
    beside = _recordings(data, recorded or [])
    count = seeds or (wanted.run.seeds if check else 1)
    with voices.answering(wanted, who, count + check) as answered:
        pace = speed if real_time else None
        study, market = (
            _compiled(wanted, seed, answered, quiet=as_json)
            if compiled
            else _first(wanted, seed, record, pace, answered, quiet=as_json)
        )
    kinds = market.kinds
    at_once = processes or _processors()
    results = _results(wanted, study, range(seed, seed + count), at_once, compiled=compiled)
    table, impact = (
        _facts(wanted, results, beside) if facts or (check and wanted.facts is not None) else (None, None)
    )
    verdicts = _verdicts(wanted, results, table, seed, at_once, compiled=compiled) if check else {}
    models = voices.told_of_models(market.agents, answered)
    engine = "compiled" if compiled else "Python"
    _tell(wanted, study, kinds, results, table, impact, verdicts, models, engine, as_json=as_json)
    if not as_json:
        voices.say_of_models(market.agents, answered)
    if html is not None:
        _write_page(html, wanted, study, kinds, verdicts.get("", ()), table)
    voices.end_if_missing(market.agents, answered)
    missed = [name for name, found in verdicts.items() if not all(one.holds for one in found)]
    gates = [] if table is None or not check else [number for number, one in table.passed.items() if not one]
    if missed or gates or not study.conserved:
        raise typer.Exit(ExitCode.REFUSED)


@simulate_app.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """List the scenarios that come with the executor."""
    from backtest.market.scenarios import load, names  # noqa: PLC0415

    known = [load(name) for name in names()]
    if as_json:
        emit_json([{"name": one.name, "title": one.title, "expects": one.expects} for one in known])
        return
    from rich.table import Table  # noqa: PLC0415 - slow to import

    table = Table()
    for head in ("scenario", "agents", "steps", "what it shows"):
        table.add_column(head, overflow="fold")
    for one in known:
        table.add_row(
            one.name,
            str(sum(group.count for group in one.agents)),
            f"{one.run.steps} x {one.run.step_s:g} s",
            one.expects,
        )
    show_rich(table)


@simulate_app.command("show", short_help="Show a scenario: its file as it is.")
def show_scenario(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a scenario, or a file (.toml).")],
    as_json: AsJson = False,
) -> None:
    """Show a scenario: its file as it is, or with --json everything in it, defaults included."""
    from backtest.market.scenarios import load, path_of  # noqa: PLC0415

    found = load(name)
    if as_json:
        emit_json(found.model_dump(mode="json"))
    else:
        show(path_of(name).read_text())


@simulate_app.command("recorded", short_help="Show the stylised facts of recorded books.")
def recorded_books(
    data: Annotated[Path, typer.Option("--data", help="Store of recordings (`executor data import`).")],
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL...", help="SYMBOL or VENUE/CATEGORY/SYMBOL.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show the stylised facts of recorded books beside the gates, without a simulation."""
    from backtest.market.negative_controls import figures_of_independent_market  # noqa: PLC0415
    from backtest.market.side_by_side import side_by_side  # noqa: PLC0415
    from executor.interfaces.simulate_views import facts_table  # noqa: PLC0415

    control = ("an i.i.d. price", figures_of_independent_market())
    found = side_by_side(None, _recordings(data, symbols), control)
    if as_json:
        emit_json(found.record())
    else:
        show_rich(facts_table(found))


@simulate_app.command("calibrate", short_help="Set parameters of a scenario from history.")
def calibrate(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV of candles as Yahoo or Bybit give them, or the folder of a store with --symbol.",
        ),
    ],
    scenario: ScenarioName = "default",
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Of a recording, where FILE is a store.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="New file for the scenario; else it is printed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set volatility, spread and rates of a scenario from history, and say how."""
    from backtest.market.calibrating import calibrated, history_of  # noqa: PLC0415
    from backtest.market.scenarios import load  # noqa: PLC0415

    try:
        with data_errors():
            found = calibrated(load(scenario), history_of(file, symbol))
    except ValueError as error:
        raise failed(
            ExitCode.USAGE,
            "HISTORY",
            place(file),
            str(error),
            "candles with a time and a close, or a store with --symbol",
            "docs/simulate.md, Calibrating",
        ) from error
    if out is not None:
        _new(out, found.toml())
    if as_json:
        emit_json({"changes": [one.record() for one in found.changes], "scenario": found.toml()})
        return
    for one in found.changes:
        say(one.words())
    if out is None:
        show(found.toml())
    else:
        say(f"written: {out}; next: `executor simulate --scenario {out}`")


def _processors() -> int:
    return max(1, min(PROCESSES_MAX, os.cpu_count() or 1))


def _first(
    scenario: "Scenario",
    seed: int,
    record: Path | None,
    pace: float | None,
    answered: voices.Answering | None,
    *,
    quiet: bool,
) -> tuple["RunStudy", "Market"]:
    """Run the first seed, which is shown in full."""
    from backtest.market.build import build  # noqa: PLC0415
    from backtest.market.keeping import Keeping  # noqa: PLC0415

    mind = None if answered is None else answered.desk
    if record is None:
        market = build(scenario, seed, mind=mind)
        return _run(market, pace, quiet=quiet), market
    with Keeping(record, scenario) as kept:
        market = build(scenario, seed, events=kept.events, ledger=kept.ledger, mind=mind)
        study = _run(market, pace, quiet=quiet)
        kept.finish(market, study)
    return study, market


def _compiled(
    scenario: "Scenario", seed: int, answered: voices.Answering | None, *, quiet: bool
) -> tuple["RunStudy", "CompiledScenario"]:
    """Run the first seed in the compiled market; what cannot be is refused, with everybody's name."""
    from backtest.market.compiled import compiled_scenario, not_compiled  # noqa: PLC0415

    problems = not_compiled(scenario)
    if problems:
        raise failed(
            ExitCode.USAGE,
            "NOT_COMPILED",
            "--compiled",
            "; ".join(problems),
            "a scenario without that",
            "run it without --compiled: the events are the same",
        )
    market = compiled_scenario(scenario, seed, mind=None if answered is None else answered.desk)
    if not quiet:
        say(
            f"in the compiled market; compiled: {', '.join(market.compiled) or 'nobody'}; "
            f"called in Python: {', '.join(market.called) or 'nobody'}"
        )
    with progress_on_terminal(scenario.name) as told:
        try:
            return market.run(_silent if quiet else told), market
        except OverflowError as error:
            raise failed(
                ExitCode.REFUSED,
                "NOT_COMPILED",
                scenario.name,
                str(error),
                "sums of 64 bits",
                "run it without --compiled",
            ) from error
        except ValueError as error:
            raise _nothing(scenario, error) from error


def _alone(where: str, got: str, allowed: str) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", where, got, allowed, _HELP)


def _run(market: "Market", pace: float | None, *, quiet: bool) -> "RunStudy":
    with progress_on_terminal(market.scenario.name) as told:
        say_step = _silent if quiet else told
        try:
            return market.run(say_step) if pace is None else _paced(market, pace, say_step)
        except ValueError as error:
            raise _nothing(market.scenario, error) from error


def _paced(market: "Market", speed: float, told: "Callable[[int, int], None]") -> "RunStudy":
    """Run in real time; a market that is too slow for that says how far it fell behind."""
    from backtest.market.pace import PacedMarket  # noqa: PLC0415

    paced = PacedMarket(market.engine, speed)
    with asyncio.Runner() as runner:
        study = market.run(told, lambda until_ns: runner.run(paced.run(until_ns)))
    say(
        f"in real time, {speed:g} simulated seconds in one; at most {paced.lag_max_ns / 1e9:.3f} of them behind"
    )
    return study


def _silent(_done: int, _all: int) -> None:
    """Tell nobody how far it is."""


def _results(
    scenario: "Scenario", first: "RunStudy", seeds: range, processes: int, *, compiled: bool
) -> list["SeedResult"]:
    from backtest.market.expected import kept, run_seeds  # noqa: PLC0415

    if len(seeds) == 1:
        return [kept(first)]
    with progress_on_terminal(f"{scenario.name}, {len(seeds)} seeds") as told:
        try:
            return [kept(first), *run_seeds(scenario, seeds[1:], processes, told, compiled=compiled)]
        except ValueError as error:
            raise _nothing(scenario, error) from error


def _nothing(scenario: "Scenario", error: ValueError) -> CommandFailed:
    return failed(
        ExitCode.REFUSED,
        "NOTHING_MEASURED",
        scenario.name,
        str(error),
        "a market with both sides, that runs for some steps",
        "run more steps, or add agents that quote",
    )


def _recordings(data: Path | None, names: list[str]) -> list["RecordedFacts"]:
    from backtest.market.recorded_facts import recorded_facts  # noqa: PLC0415

    if names and data is None:
        raise failed(ExitCode.USAGE, "USAGE", "--recorded", names[0], "--data FOLDER beside it", _HELP)
    found: list[RecordedFacts] = []
    if data is None:
        return found
    for name in names:
        venue, _, rest = name.partition("/")
        category, _, symbol = rest.partition("/")
        with data_errors():
            if symbol:
                found.append(recorded_facts(data, symbol, venue=venue, category=category))
            else:
                found.append(recorded_facts(data, name))
    return found


def _facts(
    scenario: "Scenario", results: list["SeedResult"], beside: list["RecordedFacts"]
) -> tuple["SideBySide", "MetaorderImpact | None"]:
    from backtest.market.expected import figures_of  # noqa: PLC0415
    from backtest.market.negative_controls import figures_of_independent_market  # noqa: PLC0415
    from backtest.market.side_by_side import side_by_side  # noqa: PLC0415
    from simulation.phenomena.stylised_facts import GATES, Target  # noqa: PLC0415

    part = scenario.facts
    target = None
    if part is not None and part.target is not None:
        target = Target(spread_bps=part.target.spread_bps, one_tick_share=part.target.one_tick_share)
    figures, impact = figures_of(results, target)
    found = side_by_side(
        figures,
        beside,
        ("an i.i.d. price", figures_of_independent_market()),
        name=scenario.name,
        seeds=len(results),
        steps=results[0].steps,
        gates=part.gates if part is not None else tuple(gate.number for gate in GATES),
    )
    return found, impact


def _verdicts(
    scenario: "Scenario",
    results: list["SeedResult"],
    table: "SideBySide | None",
    seed: int,
    processes: int,
    *,
    compiled: bool,
) -> dict[str, tuple["Verdict", ...]]:
    """Hold the scenario and its variants against what they expect; the scenario itself is the empty name."""
    from backtest.market.expected import run_seeds, verdicts  # noqa: PLC0415

    if not scenario.expect and not scenario.variant and table is None:
        raise failed(
            ExitCode.USAGE,
            "NOTHING_EXPECTED",
            scenario.name,
            "--check",
            "a scenario that expects something",
            _HELP,
        )
    found = {"": verdicts(scenario.expect, results)}
    for variant in scenario.variant:
        varied = scenario.varied(variant)
        with progress_on_terminal(f"{scenario.name}, {variant.name}") as told:
            seeds = range(seed, seed + len(results))
            others = run_seeds(varied, seeds, processes, told, compiled=compiled)
        found[variant.name] = verdicts(variant.expect, others)
    return found


def _tell(
    scenario: "Scenario",
    study: "RunStudy",
    kinds: tuple[str, ...],
    results: list["SeedResult"],
    table: "SideBySide | None",
    impact: "MetaorderImpact | None",
    verdicts: dict[str, tuple["Verdict", ...]],
    models: dict[str, object] | None,
    engine: str,
    *,
    as_json: bool,
) -> None:
    from executor.interfaces import simulate_views as views  # noqa: PLC0415

    if as_json:
        told = {**views.run_record(scenario, study), "engine": engine}
        told["seeds"] = [
            {
                "seed": one.seed,
                "event_hash": one.event_hash,
                "measures": {name.value: value for name, value in one.measures.items()},
            }
            for one in results
        ]
        told["models"] = models
        told["facts"] = None if table is None else table.record()
        told["impact"] = None if impact is None else views.impact_record(impact)
        told["expected"] = {
            name or scenario.name: [one.record() for one in found] for name, found in verdicts.items()
        }
        emit_json(told)
        return
    for one in views.run_tables(scenario, study, kinds, engine):
        show_rich(one)
    if len(results) > 1:
        show_rich(views.seeds_table(f"{len(results)} seeds", results))
    if impact is not None:
        show_rich(views.impact_table(impact))
    if table is not None:
        show_rich(views.facts_table(table))
    for name, found in verdicts.items():
        if found:
            show_rich(views.verdict_table(f"{scenario.name} {name}".strip(), found))


def _write_page(
    path: Path,
    scenario: "Scenario",
    study: "RunStudy",
    kinds: tuple[str, ...],
    verdicts: tuple["Verdict", ...],
    table: "SideBySide | None",
) -> None:
    from backtest.market.market_page import market_page  # noqa: PLC0415

    _new(path, market_page(scenario, study, kinds, verdicts=verdicts, facts=table))
    say(f"written: {path}")


def _new(path: Path, text: str) -> None:
    """Write a file that is not there yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise failed(
            ExitCode.USAGE,
            "FILE",
            place(path),
            str(error.strerror or error),
            "a file that is not there yet, in a folder that is",
            "choose another name",
        ) from error
