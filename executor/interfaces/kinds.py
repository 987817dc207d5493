"""The kinds of values a request may carry: numbers as plain text, words of enumerations, durations, instants.

Each is a pydantic validator that gives a domain value or refuses with a code and the allowed form.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Final, NoReturn

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from config import forms
from executor.domain.orders import (
    PARTICIPATION_BOUNDS,
    RANDOMIZE_PCT_MAX,
    Category,
    GiveUp,
    Peg,
    ResidualRule,
    Side,
    Urgency,
)
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Quantity, plain
from executor.domain.volume_curve import (
    HOURS_PER_WEEK,
    SESSION_WEIGHT_MAX,
    SESSION_WEIGHT_MIN,
    WHOLE_PPM,
    Session,
    SessionWeights,
    VolumeCurve,
)

DURATION_S_MAX: Final = 30 * 86_400
SEED_MAX: Final = 2**63 - 1
SYMBOL_FORM: Final = (
    "3 to 24 capital letters and digits, such as BTCUSDT; at another venue with its name,"
    " such as BTCUSDT@kraken"
)
TIME_FORM: Final = "RFC 3339 with a zone, such as 2026-11-20T12:00:00Z"
PARENT_ID: Final = re.compile(r"\A[A-Za-z0-9_-]{1,64}\Z", re.ASCII)

_SYMBOL: Final = re.compile(r"\A[A-Z0-9]{3,24}(?:@[a-z][a-z0-9]{0,15})?\Z", re.ASCII)
_CURVE_FIELDS: Final = frozenset({"name", "weights_ppm", "week_qty"})
_INSTANT: Final = re.compile(
    r"\A\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)


def refuse(code: str, allowed: str, next_step: str) -> NoReturn:
    """Refuse the value under validation.

    Raises
    ------
    PydanticCustomError
        Always.
    """
    raise PydanticCustomError(code, "not allowed", {"allowed": allowed, "next": next_step})


@dataclass(frozen=True, slots=True)
class Form(BeforeValidator):
    """Reads a value, and says in JSON Schema which values it reads: what is written is not always what it becomes."""

    written: Mapping[str, object] = field(default_factory=dict)


def plain_number(code: str, unit: str, bounds: tuple[str, str] | None = None) -> Form:
    """Decimal as plain text, inside `bounds` or, without them, above zero.

    A JSON number is refused because it may have been rounded on its way here.
    """
    span = "above 0" if bounds is None else f"{bounds[0]} to {bounds[1]}"
    allowed = f'a plain decimal in quotes such as "1.5", {span} ({unit})'

    def read(value: object) -> Decimal:
        if not isinstance(value, str):
            refuse(f"{code}_FORM", allowed, "send the number as text in plain digits")
        try:
            number = forms.read_number(value)
        except ValueError:
            refuse(
                f"{code}_FORM", allowed, "no sign, exponent, separator or blank; up to 18 digits each side"
            )
        if bounds is None and number == ZERO:
            refuse(f"{code}_ZERO", allowed, "give more than zero")
        if bounds is not None and not Decimal(bounds[0]) <= number <= Decimal(bounds[1]):
            refuse(f"{code}_RANGE", allowed, "choose a value inside the range")
        return number

    return Form(
        read, written={"type": "string", "pattern": r"^\d{1,18}(\.\d{1,18})?$", "description": allowed}
    )


def whole(low: int, high: int) -> Form:
    """Whole JSON number from `low` to `high`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            refuse("NUMBER", f"a whole number from {low} to {high}", "choose a value inside the range")
        return value

    return Form(read, written={"type": "integer", "minimum": low, "maximum": high})


def word(values: dict[str, Enum]) -> Form:
    """One of a few words, spelt exactly so."""
    allowed = f"one of {', '.join(values)}"

    def read(value: object) -> Enum:
        if not isinstance(value, str) or value not in values:
            refuse("ENUM", allowed, "write one of these words exactly so")
        return values[value]

    return Form(read, written={"type": "string", "enum": list(values)})


def duration(low_s: int) -> Form:
    """Duration with a unit, or whole seconds, from `low_s` to 30 days; seconds."""

    def read(value: object) -> int:
        allowed = f"{forms.DURATION_FORM}, or whole seconds; {low_s}s to {DURATION_S_MAX // 3_600}h"
        if isinstance(value, str):
            try:
                seconds = forms.read_duration_s(value)
            except ValueError:
                refuse("TIME", allowed, "write digits and the unit without a blank")
        elif isinstance(value, int) and not isinstance(value, bool):
            seconds = value
        else:
            refuse("TIME", allowed, "write digits and the unit without a blank")
        if not low_s <= seconds <= DURATION_S_MAX:
            refuse("TIME", allowed, "choose a duration inside the range")
        return seconds

    in_words = {"type": "string", "pattern": r"^([1-9]\d{0,6}|0)[smh]$", "description": forms.DURATION_FORM}
    in_seconds = {"type": "integer", "minimum": low_s, "maximum": DURATION_S_MAX, "description": "seconds"}
    return Form(read, written={"anyOf": [in_words, in_seconds]})


def read_instant(value: object) -> int:
    """Read an instant; UTC nanoseconds."""
    if not isinstance(value, str) or not _INSTANT.match(value):
        refuse("TIME", TIME_FORM, "write date, time and zone")
    whole_text, _, fraction = value.replace(" ", "T").upper().partition(".")
    digits = re.match(r"\d*", fraction)
    nanos = int((digits[0] if digits else "").ljust(9, "0")) if fraction else 0
    zone = fraction[len(digits[0]) :] if digits and fraction else ""
    try:
        instant = datetime.fromisoformat(whole_text + zone)
    except ValueError:
        refuse("TIME", TIME_FORM, "write a date and a time that exist")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    elapsed = instant - epoch
    return (elapsed.days * 86_400 + elapsed.seconds) * NS_PER_S + nanos


def _read_symbol(value: object) -> str:
    if not isinstance(value, str) or not _SYMBOL.match(value):
        refuse("SYMBOL", SYMBOL_FORM, "write the venue's name of the instrument")
    return value


def _read_curve(value: object) -> VolumeCurve:
    """Read a curve as `executor data volume-curve` writes it."""
    allowed = (
        f"an object with name, weights_ppm ({HOURS_PER_WEEK} whole numbers above 0 that sum to {WHOLE_PPM}) and,"
        " where it is known, week_qty (text)"
    )
    if not isinstance(value, dict) or not {"name", "weights_ppm"} <= set(value) <= _CURVE_FIELDS:
        refuse("CURVE", allowed, "send the curve itself; the command line reads it from a file")
    name, weights, week_qty = value["name"], value["weights_ppm"], value.get("week_qty")
    if not isinstance(name, str) or not isinstance(weights, list) or not isinstance(week_qty, str | None):
        refuse("CURVE", allowed, "send text, a list and text")
    try:
        week = None if week_qty is None else Quantity(forms.read_number(week_qty))
        return VolumeCurve(name=name, weights_ppm=tuple(weights), week_qty=week)
    except ValueError as error:
        refuse("CURVE", allowed, str(error))


def _read_session_weights(value: object) -> SessionWeights:
    """Read weights of sessions: an object, or text such as asia=0.5,us=2."""
    names = ", ".join(Session)
    span = f"{plain(SESSION_WEIGHT_MIN)} to {plain(SESSION_WEIGHT_MAX)}"
    allowed = f"weights of {names}, each {span} as text, such as asia=0.5,us=2; what is not named has 1"
    pairs = [one.partition("=")[::2] for one in value.split(",")] if isinstance(value, str) else None
    told = dict(pairs) if pairs is not None else value
    if not isinstance(told, dict) or not told or len(told) < len(pairs or told):
        refuse("SESSION", allowed, "name one session at least, each once")
    if not set(told) <= set(Session) or not all(isinstance(one, str) for one in told.values()):
        refuse("SESSION", allowed, f"name sessions of {names}")
    try:
        return SessionWeights(**{str(name): forms.read_number(one) for name, one in told.items()})
    except ValueError:
        refuse("SESSION", allowed, f"choose weights of {span}")


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        refuse("FIELD", "true or false", "send a JSON boolean without quotes")
    return value


SIDES: Final[dict[str, Enum]] = {"buy": Side.BUY, "sell": Side.SELL}

QTY: Final = plain_number("QTY", "base units")
PX: Final = plain_number("PRICE", "quote per base unit")
PASSIVENESS: Final = plain_number("NUMBER", "share of a slice spent resting", ("0", "1"))
CATCH_UP_MAX: Final = plain_number("NUMBER", "multiple of a slice", ("1", "100"))
SIDE: Final = word(SIDES)
CATEGORY: Final = word({item.value: item for item in Category})
RESIDUAL: Final = word({item.value: item for item in ResidualRule})
URGENCY: Final = word({item.value: item for item in Urgency})
SYMBOL: Final = Form(
    _read_symbol,
    written={"type": "string", "pattern": f"^{_SYMBOL.pattern[2:-2]}$", "description": SYMBOL_FORM},
)
FLAG: Final = BeforeValidator(_read_flag)
INSTANT: Final = Form(
    read_instant, written={"type": "string", "format": "date-time", "description": TIME_FORM}
)
DURATION: Final = duration(1)
PCT: Final = whole(0, RANDOMIZE_PCT_MAX)
SHARE: Final = plain_number(
    "NUMBER", "share of the market's volume", (plain(PARTICIPATION_BOUNDS[0]), plain(PARTICIPATION_BOUNDS[1]))
)
CHASE_BPS: Final = plain_number("NUMBER", "basis points", ("0.01", "10000"))
RISK_AVERSION: Final = plain_number("NUMBER", "1 / quote unit")
CURVE: Final = Form(_read_curve, written={"type": "object", "description": "a volume curve"})
SESSION_WEIGHTS: Final = Form(
    _read_session_weights, written={"type": "string", "description": "weights, such as asia=0.5,us=2"}
)
PEG: Final = word({item.value: item for item in Peg})
GIVE_UP: Final = word({item.value: item for item in GiveUp})
