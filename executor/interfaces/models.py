"""What a request may say: its fields, their forms, and nothing else. Every problem is reported at once."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from config.problems import ConfigProblems, Problem, printable, quoted
from config.written import nearest
from executor.adviser.news import SOURCE_LEN_MAX, TEXT_LEN_MAX
from executor.domain.orders import Category, GiveUp, Peg, ResidualRule, Side, StrategyParams, Urgency
from executor.domain.timeline import NS_PER_MS
from executor.domain.volume_curve import SessionWeights, VolumeCurve
from executor.interfaces.choices import choice_problems, params_of
from executor.interfaces.kinds import (
    CATCH_UP_MAX,
    CATEGORY,
    CHASE_BPS,
    CURVE,
    DURATION,
    FLAG,
    GIVE_UP,
    INSTANT,
    PASSIVENESS,
    PCT,
    PEG,
    PX,
    QTY,
    RESIDUAL,
    RISK_AVERSION,
    SEED_MAX,
    SESSION_WEIGHTS,
    SHARE,
    SIDE,
    SYMBOL,
    TIME_FORM,
    URGENCY,
    Form,
    duration,
    plain_number,
    read_instant,
    refuse,
    whole,
)
from strategies.base import STRATEGIES, WRAPPERS
from strategies.venue_orders import VENUE_STRATEGIES

BODY_BYTES_MAX: Final = 65_536
REASON_CHARS_MAX: Final = 200
PUBLISHED_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""
USUAL: Final = StrategyParams()
USUAL_STRATEGY: Final = "twap"
_COIN_FORM: Final = re.compile(r"\A[A-Z0-9]{1,16}\Z", re.ASCII)
_M = TypeVar("_M", bound="Body")


def _read_line(value: object) -> str:
    """Read a short text of a person: one line, not blank."""
    allowed = f"one line of text, 1 to {REASON_CHARS_MAX} characters"
    if not isinstance(value, str) or not value.strip() or len(value) > REASON_CHARS_MAX:
        refuse("REASON", allowed, "say in a few words why")
    if printable(value) != value:
        refuse("REASON", f"{allowed}, without control characters", "write plain text")
    return value.strip()


def _read_strategy(value: object) -> str:
    names = (*STRATEGIES, *VENUE_STRATEGIES)
    if not isinstance(value, str) or value not in names:
        refuse("ENUM", f"one of {', '.join(names)}", "write one of these words exactly so")
    return value


def _read_wrappers(value: object) -> tuple[str, ...]:
    """Read names, each at most once: a list, or text with commas."""
    allowed = (
        f"each at most once, of {', '.join(WRAPPERS)}" if WRAPPERS else "none: there are no such signals"
    )
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        refuse("ENUM", f"names, {allowed}", "write a list of names")
    if not names or len(set(names)) < len(names) or not set(names) <= set(WRAPPERS):
        refuse("ENUM", f"names, {allowed}", "write each of these words exactly so")
    return tuple(names)


def _read_coin(value: object) -> str:
    if not isinstance(value, str) or not _COIN_FORM.match(value):
        refuse("COIN", "1 to 16 capital letters and digits, such as BTC", "write the coin as the venue does")
    return value


def _read_source(value: object) -> str:
    allowed = f"one line of text, 1 to {SOURCE_LEN_MAX} characters"
    if not isinstance(value, str) or not value.strip() or len(value) > SOURCE_LEN_MAX:
        refuse("SOURCE", allowed, "say in a word or two where the text comes from")
    if printable(value) != value:
        refuse("SOURCE", f"{allowed}, without control characters", "write plain text")
    return value.strip()


def _read_text(value: object) -> str:
    """Read what somebody reports; characters that nobody can see are taken out where it is shown."""
    allowed = f"a text of 1 to {TEXT_LEN_MAX} characters"
    if not isinstance(value, str) or not value.strip():
        refuse("TEXT", allowed, "write what was reported")
    if len(value) > TEXT_LEN_MAX:
        refuse("TEXT", allowed, "shorten it: only its beginning is shown")
    return value


def _read_published(value: object) -> int:
    """Read when something was written, RFC 3339 or milliseconds since 1970; UTC nanoseconds."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= PUBLISHED_MS_MAX:
        return value * NS_PER_MS
    try:
        return read_instant(value)
    except PydanticCustomError:
        refuse(
            "TIME",
            f"{TIME_FORM}; or whole milliseconds since 1970 as a number",
            "write when it was published, or leave the field out",
        )


_SOURCE: Final = Form(_read_source, written={"type": "string", "minLength": 1, "maxLength": SOURCE_LEN_MAX})
_TEXT: Final = Form(_read_text, written={"type": "string", "minLength": 1, "maxLength": TEXT_LEN_MAX})
_PUBLISHED: Final = Form(
    _read_published,
    written={
        "anyOf": [
            {"type": "string", "format": "date-time", "description": TIME_FORM},
            {
                "type": "integer",
                "minimum": 0,
                "maximum": PUBLISHED_MS_MAX,
                "description": "milliseconds since 1970",
            },
        ]
    },
)
_LINE: Final = Form(
    _read_line,
    written={
        "type": "string",
        "minLength": 1,
        "maxLength": REASON_CHARS_MAX,
        "description": "one line of text, without control characters",
    },
)
_COIN: Final = Form(
    _read_coin, written={"type": "string", "pattern": "^[A-Z0-9]{1,16}$", "description": "such as BTC"}
)
_FLOW: Final = plain_number("FLOW", "coins", ("0", "1000000000000"))
_STRATEGY: Final = Form(_read_strategy, written={"type": "string", "enum": [*STRATEGIES, *VENUE_STRATEGIES]})
_WRAPPERS: Final = Form(
    _read_wrappers,
    written={
        "anyOf": [
            {
                "type": "array",
                "items": {"type": "string", "enum": list(WRAPPERS)},
                "minItems": 1,
                "uniqueItems": True,
            },
            {"type": "string", "description": "the same as one text, with commas"},
        ]
    },
)
_VERSION: Final = whole(1, 1_000_000_000)


class Body(BaseModel):
    """What all requests share: no unknown fields, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ChoicesBody(Body):
    """What only some strategies read; what is absent is left to them."""

    participation: Annotated[Decimal | None, SHARE] = None
    max_participation: Annotated[Decimal | None, SHARE] = None
    display: Annotated[Decimal | None, QTY] = None
    randomize_display: Annotated[int | None, PCT] = None
    peg: Annotated[Peg | None, PEG] = None
    peg_offset_ticks: Annotated[int | None, whole(0, 1_000)] = None
    max_reprices: Annotated[int | None, whole(0, 1_000)] = None
    max_chase: Annotated[Decimal | None, CHASE_BPS] = None
    give_up: Annotated[GiveUp | None, GIVE_UP] = None
    trigger_price: Annotated[Decimal | None, PX] = None
    trigger_qty: Annotated[Decimal | None, QTY] = None
    risk_aversion: Annotated[Decimal | None, RISK_AVERSION] = None
    curve: Annotated[VolumeCurve | None, CURVE] = None
    session_weights: Annotated[SessionWeights | None, SESSION_WEIGHTS] = None
    wrappers: Annotated[tuple[str, ...] | None, _WRAPPERS] = None


class SubmitBody(ChoicesBody):
    """A new parent order."""

    symbol: Annotated[str, SYMBOL]
    side: Annotated[Side, SIDE]
    qty: Annotated[Decimal, QTY]
    residual: Annotated[ResidualRule, RESIDUAL]
    category: Annotated[Category, CATEGORY] = Category.LINEAR
    start: Annotated[int | None, INSTANT] = None
    duration: Annotated[int | None, DURATION] = None
    deadline: Annotated[int | None, INSTANT] = None
    extend: Annotated[int | None, DURATION] = None
    limit_price: Annotated[Decimal | None, PX] = None
    decision_price: Annotated[Decimal | None, PX] = None
    urgency: Annotated[Urgency, URGENCY] = Urgency.MEDIUM
    strategy: Annotated[str, _STRATEGY] = USUAL_STRATEGY
    interval: Annotated[int, DURATION] = USUAL.interval_s
    passiveness: Annotated[Decimal | None, PASSIVENESS] = USUAL.passiveness
    randomize_size: Annotated[int, PCT] = USUAL.randomize_size_pct
    randomize_timing: Annotated[int, PCT] = USUAL.randomize_timing_pct
    catch_up: Annotated[bool, FLAG] = USUAL.catch_up
    max_catch_up: Annotated[Decimal, CATCH_UP_MAX] = USUAL.catch_up_max
    reprice_ticks: Annotated[int, whole(1, 1_000)] = USUAL.reprice_ticks
    reduce_only: Annotated[bool, FLAG] = False
    position_idx: Annotated[int, whole(0, 2)] = 0
    seed: Annotated[int | None, whole(0, SEED_MAX)] = None
    advised: Annotated[bool | None, FLAG] = None
    """Whether a model is asked about it; None leaves it to the daemon, which asks wherever one is configured."""


class WindowBody(Body):
    """Instants and distances of orders in a recording."""

    start: Annotated[int | None, INSTANT] = None
    until: Annotated[int | None, INSTANT] = None
    every: Annotated[int | None, DURATION] = None
    warmup: Annotated[int, duration(0)] = 0


class AmendBody(ChoicesBody):
    """A change of a live parent; what is absent stays as it is."""

    qty: Annotated[Decimal | None, QTY] = None
    limit_price: Annotated[Decimal | None, PX] = None
    clear_limit_price: Annotated[bool, FLAG] = False
    duration: Annotated[int | None, DURATION] = None
    deadline: Annotated[int | None, INSTANT] = None
    urgency: Annotated[Urgency | None, URGENCY] = None
    strategy: Annotated[str | None, _STRATEGY] = None
    interval: Annotated[int | None, DURATION] = None
    passiveness: Annotated[Decimal | None, PASSIVENESS] = None
    randomize_size: Annotated[int | None, PCT] = None
    randomize_timing: Annotated[int | None, PCT] = None
    catch_up: Annotated[bool | None, FLAG] = None
    max_catch_up: Annotated[Decimal | None, CATCH_UP_MAX] = None
    reprice_ticks: Annotated[int | None, whole(1, 1_000)] = None
    version: Annotated[int | None, _VERSION] = None


class NewsBody(Body):
    """A text from outside for the model to read: who says it, what, and when it was written."""

    source: Annotated[str, _SOURCE]
    text: Annotated[str, _TEXT]
    published: Annotated[int | None, _PUBLISHED] = None


class FlowBody(Body):
    """How much of a coin went onto exchanges and off them within a time, as somebody counts it."""

    coin: Annotated[str, _COIN]
    source: Annotated[str, _SOURCE]
    inflow: Annotated[Decimal, _FLOW]
    outflow: Annotated[Decimal, _FLOW]
    span: Annotated[int, DURATION]


class EmptyBody(Body):
    """Pause, resume and cancel need no more than the name in the path."""


class StopBody(Body):
    """A halt or a re-arm: who does it and why."""

    reason: Annotated[str, _LINE]
    operator: Annotated[str, _LINE] = "operator"


def json_path(field: str) -> str:
    """Name a field the way an API client wrote it."""
    return f"/{field}"


def read_body(model: type[_M], values: dict[str, object], name: Callable[[str], str] = json_path) -> _M:
    """Read a request.

    Parameters
    ----------
    name
        How the reader calls a field: a JSON path, or a flag.

    Raises
    ------
    ConfigProblems
        With every problem found.
    """
    try:
        body = model.model_validate(values)
    except ValidationError as error:
        raise ConfigProblems(_problem(model, details, name) for details in error.errors()) from None
    problems = list(_submit_problems(body, name)) if isinstance(body, SubmitBody) else []
    if isinstance(body, AmendBody):
        problems = list(_amend_problems(body, name))
    if problems:
        raise ConfigProblems(problems)
    return body


def _problem(model: type[Body], details: ErrorDetails, name: Callable[[str], str]) -> Problem:
    field = str(details["loc"][0])
    context = details.get("ctx", {})
    if details["type"] == "missing":
        return _field(name(field), "nothing", "a value; the field is required", "add it")
    if details["type"] == "extra_forbidden":
        fields = model.model_fields
        known = nearest(field, fields, f"one of {', '.join(sorted(fields))}") if fields else "no fields"
        return _field(name(printable(field[:80])), "an unknown field", known, "correct its name or remove it")
    return Problem(
        code=details["type"].upper(),
        where=name(field),
        got=quoted(details["input"]),
        allowed=str(context.get("allowed", "a value of another type")),
        next_step=str(context.get("next", "correct the value")),
    )


def _submit_problems(body: SubmitBody, name: Callable[[str], str]) -> list[Problem]:
    """Check what only several fields together can get wrong."""
    problems = []
    if (body.duration is None) == (body.deadline is None):
        got = "neither" if body.duration is None else "both"
        where = f"{name('duration')} and {name('deadline')}"
        problems.append(_field(where, got, "exactly one of the two", "say how long, or until when"))
    if (body.residual is ResidualRule.EXTEND) != (body.extend is not None):
        got = "nothing" if body.extend is None else f"{body.extend}s with residual {body.residual}"
        problems.append(
            _field(name("extend"), got, "a duration with residual extend, and only then", "add or remove it")
        )
    if body.start is not None and body.deadline is not None and body.deadline <= body.start:
        where = f"{name('start')} and {name('deadline')}"
        problems.append(_field(where, "no time between", "a deadline after the start", "move one of the two"))
    problems += choice_problems(body, body.strategy, params_of(body), name)
    return problems


def _amend_problems(body: AmendBody, name: Callable[[str], str]) -> list[Problem]:
    problems = []
    if not body.model_fields_set - {"version"}:
        problems.append(
            _field(name("qty"), "no change", "at least one field to change", "say what to change")
        )
    if body.duration is not None and body.deadline is not None:
        where = f"{name('duration')} and {name('deadline')}"
        problems.append(_field(where, "both", "one of the two", "say how much longer, or until when"))
    if body.clear_limit_price and body.limit_price is not None:
        where = f"{name('limit_price')} and {name('clear_limit_price')}"
        problems.append(_field(where, "both", "one of the two", "set a limit price or clear it"))
    return problems


def _field(where: str, got: str, allowed: str, next_step: str) -> Problem:
    return Problem(code="FIELD", where=where, got=got, allowed=allowed, next_step=next_step)
