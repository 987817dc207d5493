"""The command about advice: what a model was asked about an order, what it said, and what became of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import quoted
from executor.interfaces import figures
from executor.interfaces.cli_orders import parent_path
from executor.interfaces.client import Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    ConfigFile,
    ParentName,
    Profile,
    TokenFile,
    Url,
    connect,
)
from executor.interfaces.output import cell, emit_json, page_width, show, show_rich, wrapped
from executor.interfaces.past import past_decisions, past_run

if TYPE_CHECKING:
    from rich.table import Table

SECOND_CHARS: Final = len("2026-11-20T12:00:00")


def decisions(
    parent: ParentName,
    decision: Annotated[
        str | None, typer.Argument(metavar="[DECISION]", help="One question in full: P1-7, or its number 7.")
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List what a model advised on an order.

    For each question to the language model, the newest last: when and why it was asked, how it ended, what was advised
    and what held of it. Without a daemon it is read from the journal.
    """
    path = f"{parent_path(parent)}/decisions"
    try:
        answer = connect(profile, config, url, token_file).get(path)
    except CommandFailed as error:
        answer = past_decisions(past_run(profile, config, url, error), parent)
    listed = answer["decisions"]
    assert isinstance(listed, list), "the decisions are a list"
    if decision is not None:
        one = _find(listed, parent, decision)
        if as_json:
            emit_json(one)
        else:
            show_rich(decision_table(one), page_width())
    elif as_json:
        emit_json(answer)
    elif answer["advised"]:
        width = page_width()
        show("\n".join(wrapped(line, width, "    ") for line in head_lines(answer)))
        if listed:
            show_rich(decisions_table(listed), width)
            for line in reasoning_lines(listed):
                show(wrapped(line, width, "    "))
        else:
            show("no question has ended yet")
    else:
        show(f"{parent} is not advised: no model is asked about it")


def head_lines(answer: Json) -> list[str]:
    """What is said before the questions: the most that advice can do to the order, and what it was worth so far."""
    lines = []
    worst, worth = answer.get("worst_case"), answer.get("worth")
    if isinstance(worst, Mapping):
        lines += [_bounds_title(worst), *(f"  - {cell(line)}" for line in worst["text"])]
        if worst["earlier_bounds"]:
            lines.append(
                f"  - before these it had others, {cell(worst['earlier_bounds'])} time(s):"
                " ADVICE_BOUNDED in the log names each"
            )
    if isinstance(worth, Mapping):
        lines += ["What it was worth:", f"  - {cell(worth['text'])}", *_impact_line(worth["impact"])]
    return lines


def _bounds_title(worst: Mapping[str, object]) -> str:
    """Say what the bounds are of: the plan in force, and since when they are known."""
    if worst["known_since"] is None:
        return "The most that advice can do to it by the plan in force:"
    since = cell(worst["known_since"])[:SECOND_CHARS].replace("T", " ")
    return f"The most that advice can do to it by the plan in force, known since {since} UTC:"


def _impact_line(impact: object) -> list[str]:
    """What was said of impact beforehand, and how far the mids have moved, which is more than impact."""
    if not isinstance(impact, Mapping):
        return []
    told, low, high, adjusted, moved = (
        figures.amount(impact[f"{name}_bps"])
        for name in ("predicted", "low", "high", "adjusted", "mid_slippage")
    )
    came = (
        "how far the mids moved is known when it is completed"
        if impact["mid_slippage_bps"] is None
        else f"at the fills the mids were {moved} bps worse than then, most of which is what the market did anyway"
    )
    asked = cell(impact["decision_id"])
    leaned = f"as the model adjusted it {adjusted}"
    return [f"  - impact told with {asked}: {told} bps ({low} to {high}), {leaned}; {came}"]


def decisions_table(listed: list[Json]) -> "Table":
    """Lay out one row of a few lines for each question, within 80 columns.

    When and why it was asked; how it ended, after what time, for how much; what was advised, what held, every
    difference between the two, and what was filled until the next question.
    """
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("question", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("advised, and what held", overflow="fold")
    for each in listed:
        asked = cell(each["asked"])[:SECOND_CHARS].replace("T", " ")
        reason = [cell(each["reason"])] if each["reason"] else []
        cells = (
            [cell(each["decision_id"]), asked, cell(each["trigger"])],
            [cell(each["outcome"]), *reason, _took(each), _cost(each)],
            [
                f"advised: {_advised(each)}",
                f"held: {cell(each['held'])}",
                *(f"why: {text}" for text in _why(each)),
                f"filled until the next: {cell(each['filled_until_next'])}",
            ],
        )
        table.add_row(*(Text("\n".join(lines)) for lines in cells), end_section=True)
    return table


def decision_table(each: Json) -> "Table":
    """Lay out one question in full, as two columns."""
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415

    rows = (
        ("decision", cell(each["decision_id"])),
        ("trigger", cell(each["trigger"])),
        ("asked", cell(each["asked"])),
        ("decided", cell(each["decided"])),
        ("outcome", _outcome(each)),
        ("detail", cell(each["detail"] or None)),
        ("advised", _advised(each)),
        ("what held", cell(each["held"])),
        *((("why", text)) for text in _why(each)),
        ("filled until the next", cell(each["filled_until_next"])),
        ("reasoning", cell(each["reasoning"] or None)),
        ("risk assessment", cell(each["risk_assessment"] or None)),
        ("mid price", figures.price(each["mid_price"])),
        ("filled by then", cell(each["filled"])),
        ("expected impact, bps", _impact(each)),
        ("model", cell(each["model"] or None)),
        ("tokens", _tokens(each["usage"])),
        ("cost, US dollars", f"{_at_most(each)}{figures.price(each['cost_usd'])}"),
        ("took", _took(each)),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for title, text in rows:
        table.add_row(Text(title), Text(text))
    return table


def _find(listed: list[Json], parent: str, decision: str) -> Json:
    """Find one question.

    Raises
    ------
    CommandFailed
        DECISION if there is none of that name.
    """
    names = {decision, f"{parent}-{decision}"}
    found = next((each for each in listed if each["decision_id"] in names), None)
    if found is None:
        known = (
            f"{listed[0]['decision_id']} to {listed[-1]['decision_id']}" if listed else "there are none yet"
        )
        raise failed(
            ExitCode.REFUSED,
            "DECISION",
            "DECISION",
            quoted(decision),
            f"a question that has ended: {cell(known)}",
            f"`executor decisions {parent}` lists them",
        )
    return found


def _outcome(each: Json) -> str:
    reason = f" ({cell(each['reason'])})" if each["reason"] else ""
    return f"{cell(each['outcome'])}{reason}"


def _advised(each: Json) -> str:
    if each["action"] is None:
        return "-"
    rate, wishes = each["rate"], each["wishes"]
    others = [cell(wish) for wish in wishes] if isinstance(wishes, list) else []
    speed = [] if rate is None else [f"at {figures.price(rate)} times the schedule's speed"]
    return ", ".join([cell(each["action"]), *speed, *others, f"sure {cell(each['confidence'])}"])


def reasoning_lines(listed: list[Json]) -> list[str]:
    """Give the model's own words for each of its answers, in full."""
    told = [each for each in listed if each["reasoning"]]
    if not told:
        return []
    words = (f'  {cell(each["decision_id"])}: "{cell(each["reasoning"])}"' for each in told)
    return ["What the model gave as its reasons:", *words]


def _cost(each: Json) -> str:
    return f"{_at_most(each)}${figures.amount(each['cost_usd'])}"


def _at_most(each: Json) -> str:
    """Mark a cost that nobody has counted."""
    return "at most " if each["cost_at_most"] is True else ""


def _why(each: Json) -> list[str]:
    why = each["why"]
    return [cell(text) for text in why] if isinstance(why, list) else []


def _took(each: Json) -> str:
    return "-" if each["latency_ms"] is None else f"{cell(each['latency_ms'])} ms"


def _impact(each: Json) -> str:
    if each["impact_bps"] is None:
        return "-"
    return f"{cell(each['impact_bps'])} ({cell(each['impact_low_bps'])} to {cell(each['impact_high_bps'])})"


def _tokens(usage: object) -> str:
    match usage:
        case {
            "prompt_tokens": prompt,
            "cached_tokens": cached,
            "completion_tokens": completion,
            "reported": told,
        }:
            source = "" if told else ", estimated"
            return (
                f"{cell(prompt)} asked ({cell(cached)} of them cached), {cell(completion)} answered{source}"
            )
        case _:
            return "-"
