"""Language models as traders: a market of them is played, recorded, and played again from the recording.

What needs the packages of the extra `backtest` is imported inside the command: the daemon starts without them.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import place
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, say, show

if TYPE_CHECKING:
    from backtest.market.ledger_store import LedgerStore
    from backtest.market.model_agents import CallBill, Voice
    from backtest.market.model_market import ModelMarket, ModelRun
    from config.settings import Settings
    from executor.adviser.tape import TapeWriter
    from executor.domain.advice_terms import AdviserTerms
    from simulation.agents.language_model import LanguageModelAgent

USUAL_STRATEGIES: Final = (
    "value,value,momentum,market_maker,optimist,pessimist,speculator,contrarian,default,default"
)
AGENTS_MAX: Final = 1_000
TURNS_MAX: Final = 100_000
SEED_MAX: Final = 2**64 - 1
_ANSWER_TOKENS: Final = 120
_BYTES_PER_TOKEN: Final = 4
_FACTS_BYTES: Final = 1_000
_HELP: Final = "executor simulate models --help, docs/model-agents.md"


def play_models(
    strategies: Annotated[
        str, typer.Option("--strategies", help="One agent for each name, with commas between.")
    ] = USUAL_STRATEGIES,
    turns: Annotated[
        int,
        typer.Option(
            "--turns", min=1, max=TURNS_MAX, help="Turns of each agent, and dividends until redemption."
        ),
    ] = 15,
    turn_s: Annotated[
        int,
        typer.Option("--turn-s", min=1, max=86_400, help="Length of a turn; a later answer has missed it."),
    ] = 60,
    first_px: Annotated[
        int,
        typer.Option(
            "--first-px", min=1, max=10**9, help="First price, ticks of 0.01; a share is worth 2800."
        ),
    ] = 2_800,
    information: Annotated[
        str, typer.Option("--information", help="What agents know of the worth: value, process or none.")
    ] = "process",
    short: Annotated[bool, typer.Option("--short", help="Let agents sell what they have borrowed.")] = False,
    noise: Annotated[int, typer.Option("--noise", min=0, max=AGENTS_MAX, help="Noise traders by rule.")] = 3,
    makers: Annotated[
        int, typer.Option("--makers", min=0, max=AGENTS_MAX, help="Market makers by rule.")
    ] = 1,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=SEED_MAX, help="Of everything that is drawn.")
    ] = 1,
    record: Annotated[
        Path | None, typer.Option("--record", help="New file for every call to the model.", dir_okay=False)
    ] = None,
    tape: Annotated[
        Path | None, typer.Option("--tape", help="Ask nobody: play such a file again.", dir_okay=False)
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="New file for every trade and movement.", dir_okay=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Spend without being asked.")] = False,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let language models trade with each other and with traders by rule.

    The model is that of [adviser] in the settings. Its caps of a day hold for the whole run, those of a parent order
    for each agent.

    Ends with 9 if the tape does not fit the questions, with 7 if no question had a usable answer.
    """
    from backtest.market.model_agents import ModelDesk, bill_lines  # noqa: PLC0415
    from backtest.market.model_market import ModelMarket, play  # noqa: PLC0415
    from simulation.agents.language_model import Information  # noqa: PLC0415

    names = tuple(name.strip() for name in strategies.split(","))
    _check(names, information, record, tape)
    for option, file in (("--record", record), ("--ledger", ledger)):
        if file is not None and file.exists():
            raise _wrong(option, f"{place(file)}, which is there", "a new file", "name another one")
    market = ModelMarket(
        seed=seed,
        strategies=names,
        turns=turns,
        turn_ns=turn_s * 1_000_000_000,
        first_px=first_px,
        information=Information(information),
        short=short,
        noise_count=noise,
        maker_count=makers,
    )
    settings = adviser_settings(profile, config, asks=tape is None)
    with ExitStack() as stack:
        wanted = [(name, turns) for name in names]
        voice, terms, recording = stack.enter_context(opened_voice(wanted, settings, record, tape, yes=yes))
        store = stack.enter_context(_ledger(ledger, market))
        progress = stack.enter_context(progress_on_terminal("playing turns"))
        desk = ModelDesk(voice, terms, recording, settings.adviser.max_tokens)
        run = play(
            market,
            desk,
            ledger=store,
            after_turn=lambda turn: progress(turn, turns),
            finish=(lambda _: None) if store is None else store.finish,
        )
    if as_json:
        emit_json(_record(market, run, desk.bill))
    else:
        show("\n".join([*_lines(market, run), *bill_lines(desk.bill, run.agents)]))
    say_what_is_missing(voice, run.agents)


def _check(names: tuple[str, ...], information: str, record: Path | None, tape: Path | None) -> None:
    from simulation.agents.language_model import Information  # noqa: PLC0415
    from simulation.agents.strategy_words import STRATEGY_WORDS  # noqa: PLC0415

    known = ", ".join(STRATEGY_WORDS)
    for name in names:
        if name not in STRATEGY_WORDS:
            raise _wrong("--strategies", name, f"names among {known}", _HELP)
    if len(names) > AGENTS_MAX:
        raise _wrong("--strategies", f"{len(names)} names", f"at most {AGENTS_MAX}", _HELP)
    if information not in set(Information):
        raise _wrong("--information", information, f"one of {', '.join(Information)}", _HELP)
    if record is not None and tape is not None:
        raise _wrong("--record and --tape", "both", "one of them: a tape asks nobody", _HELP)


def adviser_settings(profile: str, config: Path | None, *, asks: bool) -> "Settings":
    """Read the settings; with `asks` a model must be named that is asked."""
    from config.load import load_settings  # noqa: PLC0415

    settings = load_settings(profile, config, os.environ, yes_live=False)
    settings.require()
    if asks and not settings.adviser.asks:
        allowed = "enabled = true and tape = live, by --config or --profile"
        raise _wrong("[adviser]", "no model that is asked", allowed, "name a model, or play a --tape")
    return settings


@contextmanager
def opened_voice(
    turns: Sequence[tuple[str, int]],
    settings: "Settings",
    record: Path | None,
    tape: Path | None,
    *,
    yes: bool,
) -> Iterator[tuple["Voice", "AdviserTerms", "TapeWriter | None"]]:
    """Open who answers: the voice, its terms, and where calls are written down.

    Parameters
    ----------
    turns
        Strategy of each trader, and how many turns it has.
    record, tape
        File for every call, or one to play again; None is none.
    yes
        Whether money may be spent without being asked.
    """
    from backtest.market.model_agents import LiveVoice, TapeVoice  # noqa: PLC0415
    from executor.adviser.tape import TapeError, TapeWriter, read_tape  # noqa: PLC0415
    from executor.app.advising import client_of, terms_of  # noqa: PLC0415 - brings the whole daemon with it
    from executor.runtime.clock import Clock  # noqa: PLC0415

    terms = terms_of(settings.adviser, "")
    caps = terms.caps
    # A simulated hour goes by in seconds: the day's caps hold for the run.
    caps = replace(caps, hour_calls_max=caps.day_calls_max, hour_cost_max=caps.day_cost_max)
    terms = replace(terms, caps=caps)
    try:
        if tape is not None:
            lines = tuple(read_tape(tape))
            model = lines[0].model if lines else terms.model
            yield TapeVoice(lines, model), replace(terms, model=model), None
            return
        _agree(turns, terms, yes=yes)
        with ExitStack() as stack:
            writer = None if record is None else stack.enter_context(TapeWriter(record))
            wire = LiveVoice(lambda: client_of(settings, Clock().now_ns), at_once=terms.questions_max)
            yield stack.enter_context(wire), terms, writer
    except TapeError as error:
        raise failed(
            ExitCode.USAGE, "TAPE", place(tape or record or Path()), str(error), "a file of recorded calls", _HELP
        ) from error  # fmt: skip


def _agree(turns: Sequence[tuple[str, int]], terms: "AdviserTerms", *, yes: bool) -> None:
    """Say what the calls are going to cost, and go on only if that is wanted; a model of one's own costs nothing."""
    from executor.advice.budget import cost  # noqa: PLC0415
    from executor.domain.advice import Usage  # noqa: PLC0415
    from simulation.agents.strategy_words import instructions  # noqa: PLC0415

    text_bytes = sum((len(instructions(name).encode()) + _FACTS_BYTES) * count for name, count in turns)
    calls = sum(count for _, count in turns)
    tokens = Usage(
        prompt_tokens=text_bytes // _BYTES_PER_TOKEN,
        cached_tokens=0,
        completion_tokens=calls * _ANSWER_TOKENS,
        reported=False,
    )
    bill = cost(tokens, terms.prices)
    most = f"{terms.caps.day_calls_max} calls or {terms.caps.day_cost_max:f} US dollars"
    say(f"about {calls} calls for about {bill:.4f} US dollars; never more than {most}")
    if yes or not bill:
        return
    if not sys.stdin.isatty():
        raise _wrong(
            "--yes", "nothing", "--yes, since real calls cost real money and nobody can be asked here", _HELP
        )
    say("Type yes to spend it:")
    if sys.stdin.readline().strip() != "yes":
        raise typer.Abort


@contextmanager
def _ledger(path: Path | None, market: "ModelMarket") -> Iterator["LedgerStore | None"]:
    if path is None:
        yield None
        return
    from backtest.market.ledger_store import LedgerError, LedgerStore  # noqa: PLC0415
    from backtest.market.model_market import SCALE  # noqa: PLC0415

    participants = len(market.strategies) + market.noise_count + market.maker_count
    try:
        with LedgerStore(path, participants, 1, SCALE) as store:
            yield store
    except LedgerError as error:
        raise failed(
            ExitCode.USAGE, "LEDGER", place(path), str(error), "a new file in a folder of ours", _HELP
        ) from error


def _lines(market: "ModelMarket", run: "ModelRun") -> list[str]:
    worth = market.process.redemption_px
    done = run.summary
    lines = [
        f"{market.turns} turns from {market.first_px} ticks to {run.pxs[-1]}, a share is worth {worth}",
        f"{done.messages} messages, {done.trades} trades, {done.refused} refused",
        f"{'trader':<24}{'orders':>8}{'holds':>8}{'late':>8}{'invalid':>9}{'worth at the end':>20}",
    ]
    for number, name in enumerate(run.names):
        count = run.agents[number].counts if number < len(run.agents) else None
        cells = (
            ("", "", "", "")
            if count is None
            else (count.orders, count.holds, count.late, count.invalid.total())
        )
        counted = f"{cells[0]:>8}{cells[1]:>8}{cells[2]:>8}{cells[3]:>9}"
        lines.append(f"{name:<24}{counted}{_dollars(run.worth[number]):>20}")
    return [*lines, f"events {done.event_hash}"]


def _dollars(units: int) -> str:
    from backtest.market.model_market import SCALE  # noqa: PLC0415

    return f"{units // (100 * SCALE):,}"


def _record(market: "ModelMarket", run: "ModelRun", bill: "CallBill") -> dict[str, object]:
    return {
        "seed": market.seed,
        "turns": market.turns,
        "pxs": list(run.pxs),
        "volumes_qty": list(run.volumes_qty),
        "messages": run.summary.messages,
        "trades": run.summary.trades,
        "refused": run.summary.refused,
        "event_hash": run.summary.event_hash,
        "traders": [{"name": name, "worth": worth} for name, worth in zip(run.names, run.worth, strict=True)],
        "turns_of_models": turns_record(run.agents),
        "bill": bill_record(bill),
    }


def turns_record(agents: Iterable["LanguageModelAgent"]) -> list[dict[str, object]]:
    """Tell machines what came of the turns of each agent."""
    return [
        {
            "asked": agent.counts.asked,
            "orders": agent.counts.orders,
            "holds": agent.counts.holds,
            "late": agent.counts.late,
            "invalid": dict(sorted(agent.counts.invalid.items())),
            "failed": dict(sorted(agent.counts.failed.items())),
        }
        for agent in agents
    ]


def bill_record(bill: "CallBill") -> dict[str, object]:
    """Tell machines what asking has come to."""
    return {
        "calls": bill.calls,
        "unasked": dict(sorted(bill.unasked.items())),
        "failed": dict(sorted(bill.failed.items())),
        "prompt_tokens": bill.prompt_tokens,
        "cached_tokens": bill.cached_tokens,
        "completion_tokens": bill.completion_tokens,
        "estimated": bill.estimated,
        "usd": f"{bill.usd:f}",
    }


def say_what_is_missing(voice: "Voice", agents: Sequence["LanguageModelAgent"]) -> None:
    """End with what is wrong: questions that are not on the tape, or a model that never answered."""
    from backtest.market.model_agents import TapeVoice  # noqa: PLC0415

    if isinstance(voice, TapeVoice) and (voice.misses or voice.left()):
        say(
            f"TAPE: {voice.misses} questions are not on the tape, {voice.left()} calls of it were not asked for; next:"
            " give the options and the --config it was recorded with"
        )
        raise typer.Exit(ExitCode.AUDIT_DIFFERS)
    if agents and not any(agent.counts.orders + agent.counts.holds for agent in agents):
        say(
            "MODEL: no question had a usable answer; next: `executor doctor`, with the same --profile and --config,"
            " asks one question and says what is wrong"
        )
        raise typer.Exit(ExitCode.UNREACHABLE)


def _wrong(where: str, got: str, allowed: str, next_step: str) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", where, got, allowed, next_step)
