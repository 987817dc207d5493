"""The questions of `executor submit` without an order: one after another, each answer checked as an option is."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from config.problems import ConfigProblems, Problem
from executor.domain.orders import Category, ResidualRule
from executor.interfaces.client import Client, Json
from executor.interfaces.failure import CommandFailed
from executor.interfaces.models import USUAL_STRATEGY
from executor.interfaces.output import console_on, say
from executor.interfaces.plan_telling import ask_plan, tell_plan
from strategies.reads import READS

if TYPE_CHECKING:
    from rich.console import Console

_TOGETHER: Final = "STRATEGY_PARAM"
"""A strategy and its parameters do not go together."""
Check = Callable[[Json], None]
"""Raises `ConfigProblems` where an order, as fields of a request, cannot be used."""
EXTEND: Final = ResidualRule.EXTEND.value.lower()
_LIKELY: Final[Json] = {
    "symbol": "BTCUSDT", "side": "buy", "qty": "1", "residual": "leave", "duration": "1h",
}  # fmt: skip
"""Stands for what is not asked yet while one answer is checked; nothing of it is ever sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    field: str
    words: str
    usual: str = ""
    """Taken for an empty answer; "" for none."""
    may_be_empty: bool = False


_QUESTIONS: Final = (
    _Question(field="symbol", words="Symbol, such as BTCUSDT"),
    _Question(
        field="category",
        words=f"Market: {', '.join(each.value for each in Category)}",
        usual=Category.LINEAR.value,
    ),
    _Question(field="side", words="Side: buy or sell"),
    _Question(
        field="qty",
        words="Quantity: base coin (BTC of BTCUSDT); on inverse the number of contracts",
    ),
    _Question(field="duration", words="How long from now, such as 30s, 5m or 4h", usual="1h"),
    _Question(field="strategy", words=f"Strategy: {', '.join(READS)}", usual=USUAL_STRATEGY),
    _Question(
        field="residual",
        words="The rest at the deadline: leave it unfilled, cross (take it from the book), or extend the time",
        usual="leave",
    ),
    _Question(field="limit_price", words="Worst price ever paid or taken; empty for none", may_be_empty=True),
)
_SHARE: Final = _Question(
    field="participation", words="Share of the market's volume, own trades included", usual="0.1"
)
_DISPLAY: Final = _Question(
    field="display", words="Quantity shown at a time; empty for a tenth of the order", may_be_empty=True
)
_OF_STRATEGY: Final = {
    "pov": _SHARE,
    "venue-pov": _SHARE,
    "iceberg": _DISPLAY,
    "venue-iceberg": _DISPLAY,
    "sniper": _Question(field="trigger_price", words="Price at which it takes what is displayed, or a better one"),
}  # fmt: skip
"""What a strategy is asked about beside what every order is."""
_EXTENSION: Final = _Question(field="extend", words="Longest extension, such as 10m")


def can_ask(*, as_json: bool) -> bool:
    """Whether somebody sits there who could answer: never where input or remarks go elsewhere than to a terminal."""
    return not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def ask_order(client: Client, check: Check) -> Json:
    """Ask for an order until it can be used; gives the fields of a request.

    Raises
    ------
    ConfigProblems
        If the answers do not go together.
    """
    console = console_on(sys.stderr)
    say("A new order. Nothing is sent before you have seen its plan and said yes; Ctrl-C leaves.")
    body: Json = {}
    for question in _QUESTIONS:
        _ask(console, question, body, check)
        if question.field == "residual" and body["residual"] == EXTEND:
            _ask(console, _EXTENSION, body, check)
        if question.field == "strategy" and body["strategy"] in _OF_STRATEGY:
            _ask(console, _OF_STRATEGY[str(body["strategy"])], body, check)
    check(body)
    if client.get("/v1/status").get("adviser") is not None:
        body["advised"] = _yes(console, "Ask the language model how to work it?", usual=True)
    return body


def shown_and_wanted(client: Client, body: Json, key: str) -> bool:
    """Show what an order would do and cost, and which limits stand in its way; then ask whether to send it.

    Raises
    ------
    typer.Exit
        With REFUSED if it would be refused.
    """
    try:
        tell_plan(ask_plan(client, body, key), None, as_json=False)
    except CommandFailed as error:
        say("There is no plan of it:")
        for problem in error.problems:
            say(problem.line())
    say(f"The same without questions: {_command(body)}")
    return _yes(console_on(sys.stderr), "Send this order?", usual=False)


def _ask(console: "Console", question: _Question, body: Json, check: Check) -> None:
    """Ask until the answer can be used, and keep it."""
    while True:
        answer = _answer(console, question)
        if not answer and question.may_be_empty:
            return
        problems = _problems_of(question.field, {**_LIKELY, **body, question.field: answer}, check)
        if not problems:
            body[question.field] = answer
            return
        for problem in problems:
            say(problem.line())


def _problems_of(field: str, body: Json, check: Check) -> list[Problem]:
    """What is wrong with one field; what several get wrong together is looked at when all are there."""
    try:
        check(body)
    except ConfigProblems as error:
        where = f"--{field.replace('_', '-')}"
        return [each for each in error.problems if each.where == where and each.code != _TOGETHER]
    return []


def _answer(console: "Console", question: _Question) -> str:
    usual = f" [{question.usual}]" if question.usual else ""
    try:
        return console.input(f"{question.words}{usual}: ", markup=False).strip() or question.usual
    except EOFError:
        raise typer.Abort from None


def _yes(console: "Console", words: str, *, usual: bool) -> bool:
    """Ask for a yes or a no; what is neither is asked again."""
    meant = {"y": True, "yes": True, "n": False, "no": False}
    usual_word = "yes" if usual else "no"
    while True:
        answer = _answer(console, _Question(field="", words=f"{words} yes or no", usual=usual_word)).lower()
        if answer in meant:
            return meant[answer]


def _command(body: Json) -> str:
    words = ["executor", "submit"]
    for field, value in body.items():
        flag = field.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{flag}")
        else:
            words += [f"--{flag}", shlex.quote(str(value))]
    return " ".join(words)
