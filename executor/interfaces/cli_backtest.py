"""Experiments in virtual time: a recorded session played again, and orders worked with and without advice."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from config.problems import ConfigProblems, quoted
from executor.domain.units import BPS_PER_UNIT
from executor.interfaces import cli_agents, cli_recorded
from executor.interfaces.command_words import in_command_words
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, say, show

if TYPE_CHECKING:
    from backtest.compare import Comparison, Pair
    from backtest.live_model import LiveModel
    from backtest.run import MakeAdviser, Scene
    from config.settings import Settings
    from executor.advice.prompt import Template
    from executor.adviser.tape import TapeWriter
    from executor.domain.advice_terms import AdviserTerms
    from executor.domain.events import ParentSubmitted
    from executor.interfaces.models import Body

_B = TypeVar("_B", bound="Body")
MODEL: Final = "model"
TAPE: Final = "tape:"
BYTES_PER_TOKEN: Final = 4
"""Of usual text; the bill of a scripted adviser counts a token for each byte."""
SEEDS_MAX: Final = 100_000
PROCESSES_MAX: Final = 64
_SIMULATED: Final = (
    "strategy", "seeds", "volatility", "spread", "drift", "ask_every", "deadline", "processes", "record", "overwrite",
    "yes",
)  # fmt: skip
"""Options of a comparison in simulated markets alone."""
_RECORDED: Final = (
    "data", "symbol", "venue", "category", "start", "every", "until", "warmup", "latency_feed", "latency_order",
    "latency_response", "queue", "over_gaps", "impact", "seed", "twin", "out", "journals", "requests_per_s",
    "price_band_bps", "print_lag_ms",
)  # fmt: skip
"""Options of a comparison in recorded books alone."""
_DOCTOR: Final = (
    "`executor doctor`, with the same --profile and --config, asks one question and says what is wrong"
)
HELP: Final = "the same command with --help, docs/backtest.md"
USUAL_DRIFT: Final = {"foresight": 20.0}
"""Drift where none is given, basis points a minute; who knows the drift needs one."""

backtest_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Experiments in virtual time (docs/backtest.md).",
)


@backtest_app.command(short_help="Play a recorded session again, and compare it.")
def session(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="Database of a daemon that has stopped.")
    ],
    tape: Annotated[
        Path | None,
        typer.Option("--tape", help="Its recorded calls; advice.jsonl beside the journal, if not given."),
    ] = None,
    latency: Annotated[
        str,
        typer.Option(
            "--latency", help="When answers come: taped (as they did), zero (at once), or x0.5, x2 and so on."
        ),
    ] = "taped",
    as_json: AsJson = False,
) -> None:
    """Play a recorded session again and compare every request about a child order, byte for byte.

    Market, venue and operators come from the journal; the advice comes from the tape alone, found by what was asked and
    heard after the taped latency. A session that asked nothing needs no tape. The first order that differs ends it,
    since the recorded venue has no answer to it.

    Ends with 0 if every order is the recorded one, 9 if one differs or a question is not on the tape.
    """
    from backtest.pace import read_pace  # noqa: PLC0415 - brings the engine with it
    from backtest.session import has_questions, replay_session  # noqa: PLC0415
    from executor.adviser.tape import FILE_NAME, TapeError, read_all  # noqa: PLC0415
    from executor.domain.units import install_decimal_context  # noqa: PLC0415
    from executor.interfaces.experiments import session_record, session_words  # noqa: PLC0415

    install_decimal_context()
    try:
        pace = read_pace(latency)
    except ValueError:
        raise _wrong(
            "--latency",
            latency,
            "taped, zero, or a factor from x0 to x1000 such as x0.5",
        ) from None
    calls = tape or journal.with_name(FILE_NAME)
    try:
        with progress_on_terminal("replaying") as progress:
            has_tape = tape is not None or calls.exists() or has_questions(journal)
            result = replay_session(journal, read_all(calls) if has_tape else (), pace, progress)
    except TapeError as error:
        raise _no_tape(error) from error
    if as_json:
        emit_json(session_record(result, latency))
    else:
        show(session_words(result, latency))
    raise typer.Exit(ExitCode.OK if result.identical else ExitCode.AUDIT_DIFFERS)


@backtest_app.command(short_help="Work the same orders in several ways.")
def compare(
    context: typer.Context,
    adviser: Annotated[
        str | None,
        typer.Option(
            "--adviser",
            help="uninformed (replies at random), unchanged (replies without effect), foresight (knows the drift),"
            " silent, late, tape:FILE (recorded with --record), or model (the one of [adviser]: real calls).",
        ),
    ] = None,
    strategies: Annotated[
        str | None,
        typer.Option(
            "--strategies",
            help="Instead of --adviser, in recorded books or markets of agents: two or more of TWAP, VWAP,"
            " ARRIVAL-PRICE, CROSS (all at arrival) and RANDOM, such as TWAP,CROSS,RANDOM.",
        ),
    ] = None,
    market: cli_agents.MarketKind = cli_agents.RECORDED,
    scenario: cli_agents.ScenarioName = None,
    side: Annotated[str, typer.Option("--side", help="buy or sell; with --strategies also both.")] = "buy",
    qty: Annotated[
        str,
        typer.Option(
            "--qty",
            help="Size of the order, BTC at 50000 USDT; with --strategies of each instrument, with commas.",
        ),
    ] = "0.4",
    duration: Annotated[str, typer.Option("--duration", help="How long it is worked.")] = "2m",
    interval: Annotated[str, typer.Option("--interval", help="Length of one slice.")] = "20s",
    strategy: Annotated[str, typer.Option("--strategy", help="As of executor submit.")] = "twap",
    seeds: Annotated[str, typer.Option("--seeds", help="How many pairs, or a range such as 100-139.")] = "40",
    volatility: Annotated[float, typer.Option("--volatility", help="Of the mid, per cent in an hour.")] = 0.5,
    spread: Annotated[
        int, typer.Option("--spread", min=1, max=1_000, help="Widest spread, ticks of 0.1 USDT.")
    ] = 3,
    drift: Annotated[
        float | None,
        typer.Option("--drift", help="Hidden drift, basis points a minute: 0, with foresight 20."),
    ] = None,
    maker_fee: Annotated[str, typer.Option("--maker-fee", help="Basis points.")] = "2",
    taker_fee: Annotated[str, typer.Option("--taker-fee", help="Basis points.")] = "5.5",
    ask_every: Annotated[
        int | None, typer.Option("--ask-every", min=1, max=86_400, help="Seconds between two questions: 20.")
    ] = None,
    deadline: Annotated[
        int | None,
        typer.Option("--deadline", min=1, max=60_000, help="Milliseconds an answer is waited for: 4000."),
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=1, max=PROCESSES_MAX, help="Processes that share the seeds.")
    ] = 1,
    record: Annotated[
        Path | None,
        typer.Option("--record", help="With model: write the calls down, to be played with tape:FILE."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --record: replace a file that is there.")
    ] = False,
    data: cli_recorded.Data = None,
    symbol: cli_recorded.Symbol = None,
    venue: cli_recorded.Venue = None,
    category: cli_recorded.OfCategory = None,
    start: cli_recorded.Start = None,
    every: cli_recorded.Every = None,
    until: cli_recorded.Until = None,
    warmup: cli_recorded.Warmup = "60s",
    latency_feed: cli_recorded.LatencyFeed = None,
    latency_order: cli_recorded.LatencyOrder = "10",
    latency_response: cli_recorded.LatencyResponse = "10",
    queue: cli_recorded.Queue = "risk-averse",
    requests_per_s: cli_recorded.RequestsPerS = cli_recorded.REQUESTS_PER_S,
    price_band_bps: cli_recorded.PriceBand = None,
    print_lag_ms: cli_recorded.PrintLag = cli_recorded.PRINT_LAG_MS,
    over_gaps: cli_recorded.OverGaps = False,
    impact: cli_recorded.Impact = "none",
    seed: cli_recorded.Seed = 1,
    twin: cli_recorded.Twin = False,
    out: cli_recorded.Out = None,
    journals: cli_recorded.JournalsMax = None,
    yes: Annotated[bool, typer.Option("--yes", help="With model: do not ask before money is spent.")] = False,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Work the same orders with and without advice, or by several strategies, pair by pair.

    With --adviser: in simulated markets, each from a seed. Prints what advice saved or lost in basis points, with a
    confidence interval, and what it cost. Terms (band, prices, caps) come from [adviser] where it is enabled, with
    model and with --config; else from defaults. The markets are random walks that react to nobody: they show that
    mechanics and measurement work, and what a given amount of knowledge would be worth in them. They never show a
    profit that a real market would pay.

    With --strategies and --market agents: in simulated markets that react (--scenario), one for each seed. Prints the
    mean difference of each pair of strategies in the same markets, and how far each moved the price
    (docs/execution-in-agents.md).

    With --strategies alone: in recorded books, an order every so often (--data, --symbol, --every). Prints the mean
    difference of each pair of strategies, with an interval from blocks of neighbouring orders, and which difference
    could have been seen at all.

    Ends with 7 if the model gave no usable answer at all, with 9 if a question is not on the tape that is played.
    """
    fees = read_bps("--maker-fee", maker_fee), read_bps("--taker-fee", taker_fee)
    if cli_agents.is_agents(market):
        cli_agents.refuse_given(
            context,
            sorted({*cli_recorded.OF_RECORDINGS, *_SIMULATED} - {"seeds", "processes"}),
            "nothing with --market agents",
        )
        if strategies is None:
            raise _wrong("--strategies", "nothing", "what is held against what, such as TWAP,POV,CROSS")
        in_agents = cli_agents.InAgents(
            scenario=scenario, seeds=seeds, processes=processes, warmup=warmup, latency_feed=latency_feed,
            latency_order=latency_order, latency_response=latency_response, profile=profile, config=config,
        )  # fmt: skip
        told = {"qty": qty, "duration": duration, "interval": interval}
        one = read_order({**told, "side": "buy"})
        told = {"strategies": strategies, "side": side, **told}
        names = cli_recorded.policies_named(strategies)
        cli_agents.compare_in_agents(in_agents, told, one, side, names, as_json=as_json)
        return
    cli_agents.refuse_given(context, ("scenario",), "nothing without --market agents")
    _check_mode(context, adviser, strategies)
    cli_recorded.check_profile(context, config, asks_model=adviser == MODEL)
    if adviser is None:
        assert strategies is not None, "one of the two was given"
        recorded = cli_recorded.Wanted(
            data=data, symbol=symbol, venue=venue, category=category, sides=side, start=start, every=every, until=until,
            warmup=warmup, latency_feed=latency_feed, latency_order=latency_order, latency_response=latency_response,
            queue=queue, impact=impact, maker_fee=fees[0], taker_fee=fees[1], over_gaps=over_gaps, seed=seed, twin=twin,
            profile=profile, config=config, requests_per_s=requests_per_s, price_band_bps=price_band_bps,
            print_lag_ms=print_lag_ms,
        )  # fmt: skip
        terms_of_each = {"side": "buy", "duration": duration, "interval": interval}
        orders = [read_order({**terms_of_each, "qty": one}) for one in qty.split(",")]
        cli_recorded.compare_policies(
            recorded, orders, strategies, out=out, journals=journals, as_json=as_json
        )
        return
    from backtest.scenes import Setting  # noqa: PLC0415 - brings the engine with it
    from executor.interfaces.experiments import comparison_record, comparison_words, counted  # noqa: PLC0415

    kind, chosen = _kind(adviser), read_seeds(seeds)
    settings = optional_settings(profile, config, kind)
    terms, template = adviser_terms(settings, ask_every, deadline)
    order = read_order(
        {"side": side, "qty": qty, "duration": duration, "interval": interval, "strategy": strategy}
    )
    try:
        scene = Setting(
            order=order,
            terms=terms,
            template=template,
            volatility_hourly_pct=volatility,
            spread_ticks_max=spread,
            drift_bps_per_min=USUAL_DRIFT.get(kind, 0.0) if drift is None else drift,
            maker_fee_bps=fees[0],
            taker_fee_bps=fees[1],
        ).scene()
    except ValueError as error:
        raise _wrong("the market", str(error), "numbers that make a market") from error
    if record is not None:
        check_record(record, kind, overwrite=overwrite)
    with adviser_of(kind, terms, settings, partial(_estimate, scene, len(chosen)), record, yes=yes) as make:
        found = _run(scene, chosen, make, 1 if kind == MODEL else processes)  # one model has one bill
    if as_json:
        emit_json(comparison_record(found, kind))
    else:
        show(comparison_words(found, kind))
    if found.missed:
        say(
            f"TAPE: {found.missed} questions are not on the tape; next: give the options, the seeds and the --config it"
            " was recorded with"
        )
        raise typer.Exit(ExitCode.AUDIT_DIFFERS)
    if kind == MODEL and found.questions and not found.usable:
        say(
            f"MODEL: none of {found.questions} questions had a usable answer: {counted(found.reasons)}; next: {_DOCTOR}"
        )
        raise typer.Exit(ExitCode.UNREACHABLE)


def _check_mode(context: typer.Context, adviser: str | None, strategies: str | None) -> None:
    """Refuse a comparison of nothing, of two things at once, and options that would be without effect."""
    if (adviser is None) == (strategies is None):
        got = "neither" if adviser is None else "both"
        raise _wrong("--adviser and --strategies", got, "one of them: what is held against what")
    ours, theirs = (_SIMULATED, "--adviser") if adviser is None else (_RECORDED, "--strategies")
    for name in ours:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise _wrong(f"--{name.replace('_', '-')}", "given", f"nothing without {theirs}", "leave it out")


def _run(scene: "Scene", seeds: Sequence[int], make: "MakeAdviser", processes: int) -> "Comparison":
    """Work all pairs; a cap that is reached ends it early, and what was measured until then is told."""
    from backtest.compare import summed, work_pairs  # noqa: PLC0415
    from backtest.live_model import CapReached  # noqa: PLC0415
    from backtest.run import DriveError  # noqa: PLC0415

    pairs: list[Pair] = []
    try:
        with progress_on_terminal("working pairs") as progress:
            for pair in work_pairs(scene, seeds, make, processes):
                pairs.append(pair)
                progress(len(pairs), len(seeds))
    except DriveError as error:
        raise failed(
            ExitCode.REFUSED, "DRIVE", "the simulated order", str(error), "an order that can be worked to its end",
            "make it smaller or longer, or the slices fewer",
        ) from error  # fmt: skip
    except CapReached as error:
        if len(pairs) < 2:
            raise failed(
                ExitCode.REFUSED, "CAP", "[adviser]", str(error), "room for two pairs at least",
                "raise the caps, or ask less often (--ask-every)",
            ) from error  # fmt: skip
        say(f"CAP at [adviser]: {error}; the {len(pairs)} pairs until then are told")
    return summed(pairs)


def _estimate(scene: "Scene", drives: int, make: "MakeAdviser") -> tuple[int, Decimal]:
    from backtest.run import drive  # noqa: PLC0415

    sample = drive(scene, 0, make)
    return sample.calls * drives, sample.bill * drives


@contextmanager
def adviser_of(
    kind: str,
    terms: "AdviserTerms",
    settings: "Settings | None",
    estimate: Callable[["MakeAdviser"], tuple[int, Decimal]],
    record: Path | None,
    *,
    yes: bool,
) -> Iterator["MakeAdviser"]:
    """Make what makes the adviser of each drive.

    Parameters
    ----------
    estimate
        Says about how many calls an adviser gets in all drives together, and what they cost at a byte to a token.
    """
    from backtest.live_model import NobodyAnswers  # noqa: PLC0415
    from executor.adviser.tape import TapeError, TapeWriter  # noqa: PLC0415

    try:
        if settings is not None and kind == MODEL:
            _agree(terms, estimate, settings, yes=yes)
            with ExitStack() as stack:
                tape = None if record is None else stack.enter_context(TapeWriter(_emptied(record)))
                yield stack.enter_context(_live(settings, terms, tape))
        else:
            yield _written_adviser(kind, terms.model)
    except TapeError as error:
        raise _no_tape(error) from error
    except NobodyAnswers as error:
        if record is not None:
            record.unlink(missing_ok=True)  # nothing is on it that was paid for
        raise failed(
            ExitCode.UNREACHABLE, f"MODEL_{error.last.failure}", "[adviser]", str(error), "a model that answers",
            _DOCTOR,
        ) from error  # fmt: skip


def _written_adviser(kind: str, model: str) -> "MakeAdviser":
    """Make what makes advisers that ask nobody: scripts by name, and tapes.

    Raises
    ------
    CommandFailed
        If there is no such adviser, or the tape cannot be read.
    """
    from backtest.kinds import Kind, KnownAdviser, TapedAdviser  # noqa: PLC0415
    from executor.adviser.tape import TapeError, read_tape  # noqa: PLC0415

    if not kind.startswith(TAPE):
        if kind not in set(Kind):
            raise _wrong("--adviser", kind, f"{', '.join(Kind)} or {TAPE}FILE")
        return KnownAdviser(Kind(kind), model)
    try:
        lines = tuple(read_tape(Path(kind.removeprefix(TAPE))))
    except TapeError as error:
        raise _no_tape(error) from error
    return TapedAdviser(lines, lines[0].model if lines else model)


def check_record(record: Path, kind: str, *, overwrite: bool) -> None:
    """Refuse a file for the calls where there are none to be written, or where others stand in it."""
    if kind != MODEL:
        raise _wrong(
            "--record", str(record), "nothing without --adviser model: other replies can be made again"
        )
    if record.exists() and not overwrite and (not record.is_file() or record.stat().st_size):
        raise _wrong(
            "--record",
            f"{record}, which is there",
            "a new file: what is in this one may have been paid for",
            "name another file, or add --overwrite",
        )


def _emptied(record: Path) -> Path:
    """Take away what is recorded in a file; one file holds the calls of one comparison."""
    try:
        record.unlink(missing_ok=True)
    except OSError as error:
        raise _wrong(
            "--record", f"{record}: {error.strerror}", "a file of ours", "name another file"
        ) from error
    return record


def _live(settings: "Settings", terms: "AdviserTerms", tape: "TapeWriter | None") -> "LiveModel":
    from backtest.live_model import LiveModel  # noqa: PLC0415
    from executor.app.advising import client_of  # noqa: PLC0415 - brings the whole daemon with it
    from executor.runtime.clock import Clock  # noqa: PLC0415

    return LiveModel(lambda: client_of(settings, Clock().now_ns), terms, tape)


def _agree(
    terms: "AdviserTerms",
    estimate: Callable[["MakeAdviser"], tuple[int, Decimal]],
    settings: "Settings",
    *,
    yes: bool,
) -> None:
    """Say what the calls are going to cost, and go on only if that is wanted; a model of one's own costs nothing."""
    from backtest.kinds import Kind, KnownAdviser  # noqa: PLC0415
    from executor.advice.capabilities import Capability  # noqa: PLC0415

    calls, bill = estimate(KnownAdviser(Kind.UNINFORMED, terms.model))
    caps = terms.caps
    thinks = Capability.REASONING in settings.adviser.capabilities().able
    thoughts = "; what the model thinks before its answer comes on top" if thinks else ""
    say(
        f"about {calls} calls for about {bill / BYTES_PER_TOKEN:.4f} US dollars"
        f" (four bytes to a token{thoughts}); never more than {caps.day_calls_max} calls or"
        f" {caps.day_cost_max:f} US dollars"
    )
    if yes or not bill:
        return
    if not sys.stdin.isatty():
        raise _wrong(
            "--yes", "nothing", "--yes, since real calls cost real money and nobody can be asked here"
        )
    say("Type yes to spend it:")
    if sys.stdin.readline().strip() != "yes":
        raise typer.Abort


def adviser_terms(
    settings: "Settings | None", ask_every: int | None, deadline: int | None
) -> tuple["AdviserTerms", "Template"]:
    """Give the terms of the questions and their wording: those of the settings, or the usual ones."""
    from backtest.scenes import USUAL_TERMS  # noqa: PLC0415
    from executor.adviser.template_files import DEFAULT, load_template  # noqa: PLC0415

    if settings is None:
        template = load_template(DEFAULT)
        terms = replace(USUAL_TERMS, template_sha256=template.sha256)
    else:
        from executor.app.advising import terms_of  # noqa: PLC0415 - brings the whole daemon with it

        template = load_template(settings.adviser.template_file or DEFAULT)
        terms = terms_of(settings.adviser, template.sha256)
    every_s = terms.interval_s if ask_every is None else ask_every
    return replace(
        terms,
        interval_s=every_s,
        min_gap_s=min(terms.min_gap_s, every_s),
        deadline_ms=terms.deadline_ms if deadline is None else deadline,
    ), template


def optional_settings(profile: str, config: Path | None, kind: str = "") -> "Settings | None":
    """The settings with a model, where they are asked for.

    Raises
    ------
    CommandFailed
        ADVISER if there is none to be asked.
    """
    if kind != MODEL and config is None:
        return None
    from config.load import load_settings  # noqa: PLC0415

    settings = load_settings(profile, config, os.environ, yes_live=False)
    settings.require()
    if kind == MODEL and not settings.adviser.asks:
        raise _wrong(
            "[adviser]", "no model that is asked", "enabled = true and tape = live, by --config or --profile"
        )
    return settings if settings.adviser.enabled else None


def read_order(wanted: Mapping[str, object]) -> "ParentSubmitted":
    """Read the order as `executor submit` does; one of BTCUSDT unless the caller says otherwise afterwards."""
    from executor.interfaces.cli_orders import read_curve_option  # noqa: PLC0415
    from executor.interfaces.intents import submitted  # noqa: PLC0415
    from executor.interfaces.models import SubmitBody  # noqa: PLC0415

    terms = {"residual": "cross", **wanted, "symbol": "BTCUSDT", "seed": 1}
    if isinstance(named := wanted.get("curve"), str):
        terms["curve"] = read_curve_option(named)
    body = in_flags(SubmitBody, terms)
    return submitted(body, request_id="", idempotency_key="x", now_ns=0, is_repeat=False, has_model=False)


def in_flags(model: type[_B], values: Mapping[str, object]) -> _B:
    """Read options as the fields of a request, and say what is wrong with them in the words of a command.

    Raises
    ------
    ConfigProblems
        With every problem found.
    """
    from executor.interfaces.cli_orders import flag  # noqa: PLC0415
    from executor.interfaces.models import read_body  # noqa: PLC0415

    try:
        return read_body(model, dict(values), flag)
    except ConfigProblems as error:
        raise ConfigProblems(in_command_words(problem) for problem in error.problems) from None


def read_seeds(text: str) -> range:
    """Read a number of seeds, which are then 1 to that, or the first and the last.

    Raises
    ------
    CommandFailed
        If it is none of both, or there are too few or too many.
    """
    first, dash, last = text.partition("-")
    try:
        found = range(int(first), int(last) + 1) if dash else range(1, int(first) + 1)
    except ValueError:
        found = range(0)
    if not 2 <= len(found) <= SEEDS_MAX:
        raise _wrong("--seeds", text, f"2 to {SEEDS_MAX}, or a range such as 100-139")
    return found


def _kind(text: str) -> str:
    from backtest.kinds import Kind  # noqa: PLC0415

    if text != MODEL and text not in set(Kind) and not text.removeprefix(TAPE) != text:
        raise _wrong("--adviser", text, f"{', '.join(Kind)}, {MODEL} or {TAPE}FILE")
    return text


def read_bps(option: str, text: str) -> Decimal:
    """Read a number of basis points; below zero it is a rebate."""
    from executor.domain.units import parse_plain  # noqa: PLC0415

    rebate = text.startswith("-")
    try:
        found = parse_plain(text.removeprefix("-"))
    except ValueError:
        raise _wrong(option, text, "a number such as 5.5, negative for a rebate") from None
    if found >= BPS_PER_UNIT:
        raise _wrong(option, text, f"less than {BPS_PER_UNIT:f}, which is all of the value")
    return -found if rebate else found


def _wrong(where: str, got: str, allowed: str, next_step: str = HELP) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", where, quoted(got), allowed, next_step)


def _no_tape(error: Exception) -> CommandFailed:
    return failed(
        ExitCode.USAGE,
        "TAPE",
        "the recorded calls",
        str(error),
        "a recording of this program",
        "it stands in the data directory as advice.jsonl, unless [adviser] tape_file says otherwise",
    )
