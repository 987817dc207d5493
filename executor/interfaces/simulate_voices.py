"""Who answers for the language-model traders of a scenario: written rules, a model that is asked, or a recording.

What needs the packages of the extra `backtest` is imported inside the functions: the daemon starts without them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from config.problems import place
from executor.domain.timeline import NS_PER_S
from executor.interfaces.cli_models import (
    adviser_settings,
    bill_record,
    opened_voice,
    say_what_is_missing,
    turns_record,
)
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.output import say

if TYPE_CHECKING:
    from backtest.market.model_agents import ModelDesk, Voice
    from backtest.market.scenarios import Scenario
    from simulation.agents.language_model import LanguageModelAgent
    from simulation.market.protocol import Agent

RULES: Final = "rules"
LIVE: Final = "live"
_HELP: Final = "docs/model-agents.md, In a scenario"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoAnswers:
    """What was asked for on the command line.

    Parameters
    ----------
    model
        `rules` or `live`.
    tape
        Recording to be played; None asks.
    calls
        New file for every call; None keeps none.
    yes
        Whether money may be spent without being asked.
    """

    model: str
    tape: Path | None
    calls: Path | None
    yes: bool
    profile: str
    config: Path | None

    @property
    def by_rules(self) -> bool:
        """Whether nobody is asked and nothing is played."""
        return self.model == RULES and self.tape is None


@dataclass(frozen=True, slots=True)
class Answering:
    """An open voice, and the desk through which all traders of a run ask."""

    voice: "Voice"
    desk: "ModelDesk"


@contextmanager
def answering(scenario: "Scenario", who: WhoAnswers, runs: int) -> Iterator[Answering | None]:
    """Open who answers; None are written rules.

    Parameters
    ----------
    runs
        How many markets are going to run: a model is asked in one.

    Raises
    ------
    CommandFailed
        If the options do not go together.
    """
    _check(scenario, who, runs)
    if who.by_rules:
        yield None
        return
    from backtest.market.model_agents import ModelDesk  # noqa: PLC0415

    settings = adviser_settings(who.profile, who.config, asks=who.tape is None)
    with opened_voice(_turns(scenario), settings, who.calls, who.tape, yes=who.yes) as (voice, terms, writer):
        yield Answering(voice, ModelDesk(voice, terms, writer, settings.adviser.max_tokens))


def told_of_models(agents: Sequence["Agent"], answered: Answering | None) -> dict[str, object] | None:
    """What the model traders of a run did and cost, for machines; None without any."""
    models = _models(agents)
    if not models:
        return None
    bill = None if answered is None else bill_record(answered.desk.bill)
    return {"turns": turns_record(models), "bill": bill}


def say_of_models(agents: Sequence["Agent"], answered: Answering | None) -> None:
    """Tell people the same."""
    from backtest.market.model_agents import CallBill, bill_lines  # noqa: PLC0415

    models = _models(agents)
    if models:
        bill = CallBill() if answered is None else answered.desk.bill
        for line in bill_lines(bill, models)[: 1 if answered is None else None]:
            say(line)


def end_if_missing(agents: Sequence["Agent"], answered: Answering | None) -> None:
    """End with what is wrong if a recording did not fit, or a model never answered."""
    if answered is not None:
        say_what_is_missing(answered.voice, _models(agents))


def _models(agents: Sequence["Agent"]) -> list["LanguageModelAgent"]:
    from simulation.agents.language_model import LanguageModelAgent  # noqa: PLC0415

    return [agent for agent in agents if isinstance(agent, LanguageModelAgent)]


def _turns(scenario: "Scenario") -> list[tuple[str, int]]:
    """Strategy of each model trader, and how many turns it has."""
    from backtest.market.written_rules import ModelTraderParams  # noqa: PLC0415

    found = []
    end_ns = round(scenario.run.steps * scenario.run.step_s * NS_PER_S)
    for group in scenario.agents:
        params = group.parameters()
        if isinstance(params, ModelTraderParams):
            turns = max(0, end_ns - params.first_ns) // params.turn_ns + 1
            found += [(params.strategy, turns)] * group.count
    return found


def _check(scenario: "Scenario", who: WhoAnswers, runs: int) -> None:
    if who.model not in (RULES, LIVE):
        raise _wrong("--model", who.model, f"{RULES} or {LIVE}", _HELP)
    if who.tape is not None and (who.model == LIVE or who.calls is not None):
        raise _wrong("--tape", "with --model live or --calls", "a tape alone: it asks nobody", _HELP)
    if who.calls is not None and who.by_rules:
        raise _wrong("--calls", "without --model live", "--model live beside it: rules call nobody", _HELP)
    if who.calls is not None and who.calls.exists():
        raise _wrong("--calls", f"{place(who.calls)}, which is there", "a new file", "name another one")
    if who.by_rules:
        return
    if runs > 1:
        raise _wrong("--seeds", f"{runs} runs", "one run where a model is asked or a tape is played", _HELP)
    if not _turns(scenario):
        raise _wrong(
            "--model", scenario.name, "a scenario with agents of kind language-model", "--scenario mixed"
        )


def _wrong(where: str, got: str, allowed: str, next_step: str) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", where, got, allowed, next_step)
