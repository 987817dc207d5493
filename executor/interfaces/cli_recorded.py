"""Orders in recorded books: `executor backtest run`, and several strategies held against each other.

What needs the packages of the extra `backtest` is imported inside the commands: the daemon starts without them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import quoted
from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import BPS_PER_UNIT
from executor.interfaces import cli_agents, strategy_options
from executor.interfaces.cli_data import USUAL_ROOT, data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, said_if_long, say, show

if TYPE_CHECKING:
    from backtest.journals import KeptJournals
    from backtest.recorded import Conditions, Errand, PlanError, Worked
    from backtest.recording import Recording
    from backtest.results import Run
    from backtest.run import MakeAdviser
    from config.settings import Settings
    from executor.domain.events import ParentSubmitted
    from impact.protocol import ImpactModel
    from simulation.replay.spoken import ReplayVenue
    from simulation.replay.terms import Delay, ReplayTerms

MEASURED: Final = "measured"
NOBODY: Final = "none"
ERRANDS_MAX: Final = 100_000
OF_RECORDINGS: Final = (
    "data", "symbol", "venue", "category", "start", "every", "until", "queue", "maker_fee", "taker_fee",
    "requests_per_s", "price_band_bps", "print_lag_ms", "over_gaps", "impact", "seed", "twin", "out", "journals",
    "adviser", "record_calls", "record", "overwrite", "yes",
)  # fmt: skip
"""Options without effect in a market of agents."""
OF_AGENTS: Final = ("scenario", "seeds", "processes")
"""Options without effect anywhere else."""
_LATENCY_MS_MAX: Final = 60_000
_USUAL_FEED_MS: Final = "5"
_SIDES: Final = {"buy": (Side.BUY,), "sell": (Side.SELL,), "both": (Side.BUY, Side.SELL)}
_QUEUES: Final = {"risk-averse": 0, "proportional": 1, "square": 2, "cube": 3, "log": 4}
REQUESTS_PER_S: Final = 10
"""What the venue lets in of a kind, for usual accounts."""
BAND_BPS: Final = {Category.LINEAR: 100, Category.INVERSE: 100, Category.SPOT: 50}
"""Bybit's bands for BTCUSDT: nothing that is stored says that of another instrument."""
REQUESTS_MAX: Final = 1_000
BAND_BPS_MAX: Final = 10_000
PRINT_LAG_MS: Final = 50
PRINT_LAG_MS_MAX: Final = 60_000
_LATENCY_FORM: Final = "milliseconds such as 10, several equally likely ones such as 5,10,40, or measured"
_FEED_FORM: Final = f"{_LATENCY_FORM}, or measured:5 (its quickest messages took 5 ms)"

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", envvar="EXECUTOR_MARKET_DATA", help="Folder of the store: var/market.", file_okay=False
    ),
]
Symbol = Annotated[
    str | None,
    typer.Option(
        "--symbol",
        help="Recorded instruments, with commas; where a name is stored twice: VENUE/CATEGORY/SYMBOL.",
    ),
]
Venue = Annotated[str | None, typer.Option("--venue", help="Its venue, where several are stored.")]
OfCategory = Annotated[
    str | None, typer.Option("--category", help="linear, inverse or spot, where several are stored.")
]
Start = Annotated[
    str | None,
    typer.Option("--start", help="When the first order begins, such as 2026-08-09T10:00:00Z; else at once."),
]
Every = Annotated[
    str | None, typer.Option("--every", help="One more order after each such time, such as 5m.")
]
Until = Annotated[
    str | None, typer.Option("--until", help="With --every: no order begins after this instant.")
]
Warmup = Annotated[
    str, typer.Option("--warmup", help="How long the engine watches the market before it gets an order.")
]
LatencyFeed = Annotated[
    str | None,
    typer.Option("--latency-feed", help=f"From the book to us: {_FEED_FORM}; else as recorded, or 5."),
]
LatencyOrder = Annotated[
    str, typer.Option("--latency-order", help="From us to the venue, as --latency-feed.")
]
LatencyResponse = Annotated[
    str, typer.Option("--latency-response", help="From the venue to us, as --latency-feed.")
]
Queue = Annotated[
    str,
    typer.Option("--queue", help=f"Who leaves the queue ahead of a resting order: {', '.join(_QUEUES)}."),
]
RequestsPerS = Annotated[
    int,
    typer.Option(
        "--requests-per-s", min=0, max=REQUESTS_MAX,
        help="So many requests of a kind (create, amend, cancel) are let in a second; 0 is no limit.",
    ),
]  # fmt: skip
PriceBand = Annotated[
    int | None,
    typer.Option(
        "--price-band-bps", min=0, max=BAND_BPS_MAX,
        help="Orders further beyond mark or last price are refused, basis points: 100, spot 50; 0 is no band.",
    ),
]  # fmt: skip
PrintLag = Annotated[
    int,
    typer.Option(
        "--print-lag-ms", min=0, max=PRINT_LAG_MS_MAX,
        help="How much later than the change of a level the print that made it may come; 0 is not at all.",
    ),
]  # fmt: skip
OverGaps = Annotated[
    bool, typer.Option("--over-gaps", help="Work orders where something is missing in the recording.")
]
Impact = Annotated[
    str,
    typer.Option(
        "--impact",
        help="What own fills would have moved the price, beside the cost: none, square-root, square-root:FACTOR or"
        " another model of docs/impact.md.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="New folder for summary, orders and trades, and a journal of each order."),
]
JournalsMax = Annotated[
    int | None,
    typer.Option(
        "--journals",
        min=0,
        help="With --out: keep the journals of so many filled orders, the cheapest and the dearest; else of all.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32, help="Of everything that is drawn.")]
Twin = Annotated[
    bool, typer.Option("--twin", help="Use the slow, obvious venue instead of the compiled one.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed, but for the order.

    Parameters
    ----------
    day
        The one day of the recording that is looked at, of those that are stored; None takes all.
    """

    data: Path | None
    symbol: str | None
    venue: str | None
    category: str | None
    sides: str
    start: str | None
    every: str | None
    until: str | None
    warmup: str
    latency_feed: str | None
    latency_order: str
    latency_response: str
    queue: str
    impact: str
    maker_fee: Decimal
    taker_fee: Decimal
    over_gaps: bool
    seed: int
    twin: bool
    profile: str
    config: Path | None
    requests_per_s: int = REQUESTS_PER_S
    price_band_bps: int | None = None
    print_lag_ms: int = PRINT_LAG_MS
    day: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is going to be worked, where and on which terms."""

    recording: "Recording"
    conditions: "Conditions"
    order: "ParentSubmitted"
    starts: list[int]
    sides: tuple[Side, ...]
    every_s: int | None
    twin: bool

    def run_of(self, all_worked: "Sequence[Worked]") -> "Run":
        """Put what was worked beside where and how."""
        from backtest.results import Run  # noqa: PLC0415

        return Run(
            recording=self.recording, conditions=self.conditions, worked=all_worked, every_s=self.every_s
        )

    def errands(
        self,
        policies: Sequence[str],
        make_adviser: "MakeAdviser | None" = None,
        own: str = "",
        before: int = 0,
    ) -> "list[Errand]":
        """Every order by every policy.

        Parameters
        ----------
        own
            Names the order's own strategy where there are no policies.
        before
            Moments that were numbered already.
        """
        from backtest.policies import POLICIES  # noqa: PLC0415
        from backtest.recorded import Errand  # noqa: PLC0415

        return [
            Errand(
                number=number,
                start_ns=start_ns,
                order=replace(
                    POLICIES[policy](self.order, self.conditions.seed + number) if policy else self.order,
                    side=side,
                ),
                policy=policy or own,
                make_adviser=make_adviser,
            )
            for number, start_ns in enumerate(self.starts, start=1 + before)
            for side in self.sides
            for policy in policies or ("",)
        ]


def run(
    context: typer.Context,
    qty: Annotated[str, typer.Option("--qty", help="Size of each order, base units (inverse: contracts).")],
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Recorded instrument, or VENUE/CATEGORY/SYMBOL.")
    ] = None,
    market: cli_agents.MarketKind = cli_agents.RECORDED,
    scenario: cli_agents.ScenarioName = None,
    seeds: cli_agents.Seeds = None,
    processes: cli_agents.Processes = None,
    data: Data = None,
    venue: Venue = None,
    category: OfCategory = None,
    side: Annotated[str, typer.Option("--side", help="buy, sell or both.")] = "buy",
    duration: Annotated[str, typer.Option("--duration", help="How long an order is worked.")] = "5m",
    strategy: strategy_options.Strategy = None,
    interval: Annotated[str, typer.Option("--interval", help="Length of one slice.")] = "20s",
    urgency: Annotated[str, typer.Option("--urgency", help="LOW, MEDIUM or HIGH.")] = "MEDIUM",
    residual: Annotated[
        str, typer.Option("--residual", help="What is left at the end: cross, leave or extend.")
    ] = "cross",
    extend: Annotated[str | None, typer.Option("--extend", help="Longest extension, with extend.")] = None,
    participation: strategy_options.Participation = None,
    max_participation: strategy_options.MaxParticipation = None,
    display: strategy_options.Display = None,
    randomize_display: strategy_options.RandomizeDisplay = None,
    peg: strategy_options.Peg = None,
    peg_offset_ticks: strategy_options.PegOffsetTicks = None,
    max_reprices: strategy_options.MaxReprices = None,
    max_chase: strategy_options.MaxChase = None,
    give_up: strategy_options.GiveUp = None,
    trigger_price: strategy_options.TriggerPrice = None,
    trigger_qty: strategy_options.TriggerQty = None,
    risk_aversion: strategy_options.RiskAversion = None,
    curve: strategy_options.Curve = None,
    session_weights: strategy_options.SessionWeights = None,
    wrappers: strategy_options.Wrappers = None,
    start: Start = None,
    every: Every = None,
    until: Until = None,
    warmup: Warmup = "60s",
    adviser: Annotated[
        str,
        typer.Option(
            "--adviser",
            help="none, uninformed, unchanged, silent, late, tape:FILE (recorded with --record), or model (the one of"
            " [adviser]: real calls).",
        ),
    ] = NOBODY,
    record_calls: Annotated[
        Path | None,
        typer.Option("--record", help="With model: write the calls down, to be played with tape:FILE."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --record: replace a file that is there.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With model: do not ask before money is spent.")] = False,
    latency_feed: LatencyFeed = None,
    latency_order: LatencyOrder = "10",
    latency_response: LatencyResponse = "10",
    queue: Queue = "risk-averse",
    maker_fee: Annotated[str, typer.Option("--maker-fee", help="Basis points.")] = "2",
    taker_fee: Annotated[str, typer.Option("--taker-fee", help="Basis points.")] = "5.5",
    requests_per_s: RequestsPerS = REQUESTS_PER_S,
    price_band_bps: PriceBand = None,
    print_lag_ms: PrintLag = PRINT_LAG_MS,
    over_gaps: OverGaps = False,
    impact: Impact = "none",
    seed: Seed = 1,
    twin: Twin = False,
    out: Out = None,
    journals: JournalsMax = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Work orders in recorded books with the live engine: its strategies, its gate, its journal.

    Each order has an engine and a venue of its own, so that the orders of a day do not disturb each other. Limits are
    those of --config, or the usual ones; second opinions about the price are asked for by none, as a recording has one
    venue. Two runs of the same command write the same bytes.

    The recorded market does not react. A fill of a resting order rests on a model of its queue unless somebody is
    recorded to have traded beyond its price, or the data is order by order; how many do is said.

    With --market agents: in simulated markets that react (--scenario), one for each seed (--seeds), each beside the
    same market without the order, so that its own impact is measured, not modelled (docs/execution-in-agents.md).

    Ends with 1 if no order came to an end that can be measured, with 9 if a question is not on the tape that is played.
    """
    from executor.interfaces.cli_backtest import MODEL, read_bps, read_order  # noqa: PLC0415
    from executor.interfaces.models import USUAL_STRATEGY  # noqa: PLC0415

    check_profile(context, config, asks_model=adviser == MODEL)
    strategy = strategy or USUAL_STRATEGY
    terms = {
        "side": "buy", "qty": qty, "duration": duration, "interval": interval, "strategy": strategy,
        "urgency": urgency, "residual": residual, "extend": extend, "participation": participation,
        "max_participation": max_participation, "display": display, "randomize_display": randomize_display,
        "peg": peg, "peg_offset_ticks": peg_offset_ticks, "max_reprices": max_reprices, "max_chase": max_chase,
        "give_up": give_up, "trigger_price": trigger_price, "trigger_qty": trigger_qty,
        "risk_aversion": risk_aversion, "curve": curve, "session_weights": session_weights, "wrappers": wrappers,
    }  # fmt: skip
    told = {name: value for name, value in terms.items() if value is not None}
    if cli_agents.is_agents(market):
        cli_agents.refuse_given(context, OF_RECORDINGS, "nothing with --market agents")
        in_agents = cli_agents.InAgents(
            scenario=scenario, seeds=seeds, processes=processes, warmup=warmup, latency_feed=latency_feed,
            latency_order=latency_order, latency_response=latency_response, profile=profile, config=config,
        )  # fmt: skip
        cli_agents.run_in_agents(in_agents, {**told, "side": side}, read_order(told), side, as_json=as_json)
        return
    cli_agents.refuse_given(context, OF_AGENTS, "nothing without --market agents")
    order = read_order(told)
    wanted = Wanted(
        data=data, symbol=symbol, venue=venue, category=category, sides=side, start=start, every=every, until=until,
        warmup=warmup, latency_feed=latency_feed, latency_order=latency_order, latency_response=latency_response,
        queue=queue, impact=impact, maker_fee=read_bps("--maker-fee", maker_fee),
        taker_fee=read_bps("--taker-fee", taker_fee), over_gaps=over_gaps, seed=seed, twin=twin, profile=profile,
        config=config, requests_per_s=requests_per_s, price_band_bps=price_band_bps,
        print_lag_ms=print_lag_ms,
    )  # fmt: skip
    with data_errors():
        from backtest.results import run_record, write_results  # noqa: PLC0415
        from executor.interfaces.recorded_words import run_words  # noqa: PLC0415

        (one, *more) = _each_recording(wanted, [order])
        if more:
            raise _wrong(
                "--symbol", symbol or "", "one instrument; `executor backtest compare` takes several"
            )
        plan, settings = _with_terms(make_plan(*one), wanted, adviser)
        with _advising(
            plan, settings, adviser, strategy, record_calls, yes=yes, overwrite=overwrite
        ) as make_adviser:
            errands = plan.errands((), make_adviser, own=strategy)
            with _journals(out, journals) as kept:
                all_worked = worked_all(plan, errands, kept)
        record = run_record(plan.run_of(all_worked))
        if out is not None:
            write_results(out, record, all_worked)
        if as_json:
            emit_json(record)
        else:
            show(run_words(record, all_worked))
        missed = sum(one.drive.missed for one in all_worked if one.drive is not None)
        if missed:
            say(f"TAPE: {missed} questions are not on the tape; next: give the options it was recorded with")
            raise typer.Exit(ExitCode.AUDIT_DIFFERS)
        if all(one.drive is None for one in all_worked):
            raise typer.Exit(ExitCode.REFUSED)


def compare_policies(
    wanted: Wanted,
    orders: "Sequence[ParentSubmitted]",
    names: str,
    *,
    out: Path | None,
    journals: int | None,
    as_json: bool,
) -> None:
    """Hold several policies against each other on the same orders, in one recording or in several.

    Parameters
    ----------
    orders
        One for each recording, or one for all.
    """
    with data_errors():
        from backtest.contest import ContestError, contest  # noqa: PLC0415
        from backtest.results import contest_record, write_results  # noqa: PLC0415
        from executor.interfaces.recorded_words import contest_words  # noqa: PLC0415

        policies = policies_named(names)
        if wanted.every is None:
            raise _wrong("--every", "nothing", "the time from one order to the next, such as 5m")
        plans = [make_plan(one, order) for one, order in _each_recording(wanted, orders)]
        every_s = plans[0].every_s
        assert every_s is not None, "it was given"
        befores = [0, *accumulate(len(plan.starts) for plan in plans)][:-1]
        with _journals(out, journals) as kept:
            runs = [
                plan.run_of(worked_all(plan, plan.errands(policies, before=before), kept))
                for plan, before in zip(plans, befores, strict=True)
            ]
            all_worked = [one for run in runs for one in run.worked]
            try:
                firsts = [before + 1 for before in befores]
                found = contest(all_worked, every_s=every_s, firsts=firsts)
            except ContestError as error:
                reasons = sorted({one.failure for one in all_worked if one.failure})
                more = f"{': ' if reasons else ''}{'; '.join(reasons[:3])}"
                raise failed(
                    ExitCode.REFUSED, "TOO_FEW", "the comparison", str(error),
                    "orders enough to tell chance from difference",
                    f"a longer recording, a shorter --duration or --every{more}",
                ) from error  # fmt: skip
        record = contest_record(found, runs)
        if out is not None:
            write_results(out, record, all_worked)
        if as_json:
            emit_json({name: value for name, value in record.items() if name != "parents"})
        else:
            show(contest_words(record, found))


def _each_recording(
    wanted: Wanted, orders: "Sequence[ParentSubmitted]"
) -> "Iterator[tuple[Wanted, ParentSubmitted]]":
    """Pair every recording that was named with its order."""
    if wanted.symbol is None:
        raise _wrong(
            "--symbol", "nothing", "the recorded instrument, such as BTCUSDT, or several with commas"
        )
    names = wanted.symbol.split(",")
    if len(orders) not in {1, len(names)}:
        raise _wrong(
            "--qty", f"{len(orders)} sizes for {len(names)} instruments", "one for all, or one for each"
        )
    for number, name in enumerate(names):
        venue, category, symbol = read_instrument(name, wanted.venue, wanted.category)
        yield replace(wanted, symbol=symbol, venue=venue, category=category), orders[number % len(orders)]


def read_instrument(
    text: str, venue: str | None = None, category: str | None = None
) -> tuple[str | None, str | None, str]:
    """Read SYMBOL, whose venue and category are said elsewhere or left open, or VENUE/CATEGORY/SYMBOL.

    Raises
    ------
    CommandFailed
        If it is neither.
    """
    parts = text.split("/")
    if len(parts) not in {1, 3} or not all(parts):
        raise _wrong("--symbol", text, "SYMBOL, or VENUE/CATEGORY/SYMBOL")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else (venue, category, text)


def check_profile(context: typer.Context, config: Path | None, *, asks_model: bool) -> None:
    """Refuse a profile that would be without effect: the usual limits hold unless a file says others.

    Raises
    ------
    CommandFailed
        If one was typed, and nothing is read of it.
    """
    source = context.get_parameter_source("profile")
    if source is not None and source.name == "COMMANDLINE" and config is None and not asks_model:
        raise _wrong(
            "--profile",
            str(context.params.get("profile")),
            "nothing without --config or a model that is asked: limits are the usual ones",
            "leave it out, or give the settings that are meant with --config",
        )


def check_wanted(wanted: Wanted) -> None:
    """Read everything that can be read without looking at the data.

    Raises
    ------
    CommandFailed, ConfigProblems
        If something is wrong that no recording could make right.
    """
    if wanted.sides not in _SIDES:
        raise _wrong("--side", wanted.sides, ", ".join(_SIDES))
    if wanted.queue not in _QUEUES:
        raise _wrong("--queue", wanted.queue, ", ".join(_QUEUES))
    _read_impact(wanted.impact)
    _read_instants(wanted)
    if wanted.until is not None and wanted.every is None:
        raise _wrong("--until", wanted.until, "nothing without --every: one order begins at --start")
    if wanted.latency_feed is not None:
        _read_feed(wanted.latency_feed)
    for name, text in (("order", wanted.latency_order), ("response", wanted.latency_response)):
        _delay(f"--latency-{name}", text)
        if (
            text == MEASURED
            and wanted.latency_feed not in {None, MEASURED}
            and not _is_measured(wanted.latency_feed)
        ):
            raise _wrong(
                f"--latency-{name}",
                text,
                "milliseconds: it is the feed's delay, and --latency-feed is not measured",
            )


def make_plan(wanted: Wanted, order: "ParentSubmitted") -> Plan:
    """Find the data, the terms and the instants.

    Raises
    ------
    CommandFailed
        If one of them cannot be had.
    """
    from backtest.recorded import Conditions, PlanError, plan_starts  # noqa: PLC0415
    from backtest.recording import find_recording  # noqa: PLC0415
    from executor.domain.limits import Limits, Timings  # noqa: PLC0415
    from simulation.frictions import Charges  # noqa: PLC0415

    check_wanted(wanted)
    if wanted.symbol is None:
        raise _wrong("--symbol", "nothing", "the recorded instrument, such as BTCUSDT")
    instants = _read_instants(wanted)
    root = wanted.data or USUAL_ROOT
    venue, category, symbol = read_instrument(wanted.symbol, wanted.venue, wanted.category)
    recording = find_recording(root, symbol, venue=venue, category=category, day=wanted.day)
    terms = _terms(wanted, recording)
    if terms.feed.measured:
        recording = recording.with_clock(_read_feed(_feed_text(wanted, recording))[1])
    limits, timings = Limits(), Timings()
    if wanted.config is not None:
        from config.load import load_settings  # noqa: PLC0415

        settings = load_settings(wanted.profile, wanted.config, os.environ, yes_live=False)
        limits, timings = settings.limits, settings.timings
    conditions = Conditions(
        terms=terms,
        charges=Charges(
            maker_fee_rate=wanted.maker_fee / BPS_PER_UNIT, taker_fee_rate=wanted.taker_fee / BPS_PER_UNIT
        ),
        limits=replace(limits, references_min=0),
        timings=timings,
        warmup_s=instants["warmup"] or 0,
        over_gaps=wanted.over_gaps,
        seed=wanted.seed,
        impact=_read_impact(wanted.impact),
    )
    ours = replace(order, symbol=recording.rules.symbol, category=recording.rules.category)
    try:
        starts = plan_starts(
            recording,
            conditions,
            ours,
            start_ns=instants["start"],
            every_s=instants["every"],
            until_ns=instants["until"],
        )
    except PlanError as error:
        raise _of_plan(error) from error
    if len(starts) > ERRANDS_MAX:
        raise _wrong("--every", f"{len(starts)} orders", f"at most {ERRANDS_MAX}")
    return Plan(
        recording=recording,
        conditions=conditions,
        order=ours,
        starts=starts,
        sides=_SIDES[wanted.sides],
        every_s=instants["every"],
        twin=wanted.twin,
    )


def worked_all(
    plan: Plan,
    errands: "Sequence[Errand]",
    journals: "KeptJournals | None" = None,
) -> "list[Worked]":
    """Work all orders, with a bar on a terminal."""
    from backtest.live_model import CapReached  # noqa: PLC0415
    from backtest.recorded import PlanError, work  # noqa: PLC0415

    if not plan.twin:
        ready_venue()
    done: list[Worked] = []
    opener = journals.opened if journals is not None else (lambda _errand: nullcontext())
    try:
        with progress_on_terminal("working orders") as progress:
            progress(0, len(errands))
            for one in work(plan.recording, plan.conditions, errands, make_venue(plan.twin), opener):
                done.append(one)
                if journals is not None:
                    journals.ended(one)
                progress(len(done), len(errands))
    except PlanError as error:
        raise _of_plan(error) from error
    except CapReached as error:
        if not done:
            raise failed(
                ExitCode.REFUSED,
                "CAP",
                "[adviser]",
                str(error),
                "room for one order at least",
                "raise the caps",
            ) from error
        say(f"CAP at [adviser]: {error}; the {len(done)} orders until then are told")
    return done


@contextmanager
def _journals(out: Path | None, most: int | None) -> "Iterator[KeptJournals | None]":
    """Make the folder of the results and keep journals in it; if it comes to nothing, none stays."""
    from backtest.journals import KeptJournals  # noqa: PLC0415

    if out is None:
        if most is not None:
            raise _wrong(
                "--journals", "given", "nothing without --out", "name a folder with --out, or leave it out"
            )
        yield None
        return
    kept = KeptJournals(_fresh(out), most)
    try:
        yield kept
    except CommandFailed:
        kept.discard()
        raise


def _read_impact(text: str) -> "ImpactModel | None":
    from impact.models import FORM, read_model  # noqa: PLC0415

    try:
        return read_model(text)
    except ValueError as error:
        raise _wrong("--impact", text, FORM, f"{error.__cause__}; docs/impact.md has the models") from error


def ready_venue() -> None:
    """Bring the compiled venue, and say so where that takes long: it is compiled once on a machine."""
    from simulation.replay.native import VENUE  # noqa: PLC0415

    with said_if_long("compiling the replay venue, once on this machine: this takes about half a minute"):
        VENUE.linked()


def make_venue(twin: bool) -> "Callable[[ReplayTerms], ReplayVenue]":
    """Choose the venue: the obvious one, or the compiled one."""
    if twin:
        from simulation.replay.twin import ReplayTwin  # noqa: PLC0415

        return ReplayTwin
    from simulation.replay.machine import ReplayMachine  # noqa: PLC0415

    return ReplayMachine


def _read_instants(wanted: Wanted) -> dict[str, int | None]:
    """Read the times that were typed; seconds, and nanoseconds of instants."""
    from executor.interfaces.cli_backtest import in_flags  # noqa: PLC0415
    from executor.interfaces.models import WindowBody  # noqa: PLC0415

    given = {"start": wanted.start, "every": wanted.every, "until": wanted.until, "warmup": wanted.warmup}
    body = in_flags(WindowBody, {name: value for name, value in given.items() if value is not None})
    return {name: getattr(body, name) for name in given}


def _terms(wanted: Wanted, recording: "Recording") -> "ReplayTerms":
    from simulation.replay.terms import ReplayTerms  # noqa: PLC0415
    from simulation.replay_venue import CONFLATE_NS  # noqa: PLC0415

    texts = {"feed": _feed_text(wanted, recording), "order": wanted.latency_order}
    texts["response"] = wanted.latency_response
    for name, text in texts.items():
        if _is_measured(text) and not recording.recv_known:
            raise _wrong(f"--latency-{name}", text, "milliseconds: this recording has no receiver's times")
    band_bps = wanted.price_band_bps
    return ReplayTerms(
        feed=_read_feed(texts["feed"])[0],
        entry=_delay("--latency-order", texts["order"]),
        answer=_delay("--latency-response", texts["response"]),
        queue_model=_QUEUES[wanted.queue],
        price_band_bps=BAND_BPS[recording.rules.category] if band_bps is None else band_bps,
        requests_per_s_max=wanted.requests_per_s,
        print_lag_ns=wanted.print_lag_ms * NS_PER_MS,
        conflate_ns=CONFLATE_NS,
        prices_only=True,
        seed=wanted.seed,
    )


def _feed_text(wanted: Wanted, recording: "Recording") -> str:
    return wanted.latency_feed or (MEASURED if recording.recv_known else _USUAL_FEED_MS)


def _is_measured(text: str | None) -> bool:
    return text is not None and text.partition(":")[0] == MEASURED


def _read_feed(text: str) -> "tuple[Delay, int | None]":
    """Read the delay of the feed, and what its quickest messages took where that is said, nanoseconds."""
    if not _is_measured(text) or text == MEASURED:
        return _delay("--latency-feed", text), None
    quickest = _delay("--latency-feed", text.partition(":")[2], _FEED_FORM)
    if quickest.samples_ns or quickest.measured:
        raise _wrong("--latency-feed", text, _FEED_FORM)
    return _delay("--latency-feed", MEASURED), quickest.constant_ns


def _delay(option: str, text: str, form: str = _LATENCY_FORM) -> "Delay":
    from executor.domain.units import parse_plain  # noqa: PLC0415
    from simulation.replay.terms import Delay  # noqa: PLC0415

    if text == MEASURED:
        return Delay(measured=True)
    try:
        values_ms = [parse_plain(part.removesuffix("ms")) for part in text.split(",")]
    except ValueError:
        raise _wrong(option, text, form) from None
    if max(values_ms) > _LATENCY_MS_MAX:
        raise _wrong(option, text, f"at most {_LATENCY_MS_MAX} ms")
    values_ns = tuple(int(value * NS_PER_MS) for value in values_ms)
    return Delay(constant_ns=values_ns[0]) if len(values_ns) == 1 else Delay(samples_ns=values_ns)


def _with_terms(plan: Plan, wanted: Wanted, adviser: str) -> "tuple[Plan, Settings | None]":
    """Add terms and wording of the questions to a plan, where somebody is asked."""
    from executor.interfaces.cli_backtest import MODEL, TAPE, adviser_terms, optional_settings  # noqa: PLC0415

    if adviser == NOBODY:
        return plan, None
    if adviser == "foresight":
        raise _wrong("--adviser", adviser, "one that knows no more than the recording: nobody made its drift")
    settings = optional_settings(wanted.profile, wanted.config, adviser)
    terms, template = adviser_terms(settings, None, None)
    # A tape gives what its model gave, and its results are the same to the last byte.
    name = MODEL if adviser.startswith(TAPE) else adviser
    conditions = replace(plan.conditions, adviser=terms, template=template, adviser_name=name)
    return replace(plan, conditions=conditions), settings


@contextmanager
def _advising(
    plan: Plan,
    settings: "Settings | None",
    adviser: str,
    strategy: str,
    record_calls: Path | None,
    *,
    yes: bool,
    overwrite: bool,
) -> "Iterator[MakeAdviser | None]":
    """Make what makes the adviser of each order; None for nobody."""
    from executor.interfaces.cli_backtest import adviser_of, check_record  # noqa: PLC0415

    if record_calls is not None:
        check_record(record_calls, adviser, overwrite=overwrite)
    terms = plan.conditions.adviser
    if terms is None:
        yield None
        return

    def estimate(make: "MakeAdviser") -> tuple[int, Decimal]:
        errands = plan.errands((), make, own=strategy)
        sample = worked_all(plan, errands[:1])[0].drive
        return (
            (0, Decimal(0)) if sample is None else (sample.calls * len(errands), sample.bill * len(errands))
        )

    with adviser_of(adviser, terms, settings, estimate, record_calls, yes=yes) as make_adviser:
        yield make_adviser


def policies_named(names: str) -> list[str]:
    """Read names of policies, with commas.

    Raises
    ------
    CommandFailed
        If there are fewer than two, one twice, or one that nobody knows.
    """
    from backtest.policies import POLICIES  # noqa: PLC0415

    found = [name.strip().upper() for name in names.split(",")]
    if len(found) < 2 or len(set(found)) != len(found) or not set(found) <= set(POLICIES):
        raise _wrong("--strategies", names, f"two or more, each once, of {', '.join(POLICIES)}")
    return found


def _fresh(out: Path) -> Path:
    """Make the folder for the results.

    Raises
    ------
    CommandFailed
        If there is something in it: results of two runs in one folder would be told apart by nobody.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise _wrong("--out", str(out), "a new or empty folder", "name another one, or empty it")
    except OSError as error:
        raise _wrong("--out", f"{out}: {error.strerror}", "a folder of ours", "name another one") from error
    return out


def _of_plan(error: "PlanError") -> CommandFailed:
    return failed(ExitCode.USAGE, "PLAN", error.where, error.got, error.allowed, error.next_step)


def _wrong(
    where: str, got: str, allowed: str, next_step: str = "the same command with --help, docs/backtest.md"
) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", where, quoted(got), allowed, next_step)
