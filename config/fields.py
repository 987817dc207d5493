"""How a written value becomes a typed one: the kinds of fields the schema is made of.

Each kind is a pydantic validator that takes `Written` and either gives the value or raises with the code and
the allowed form; the loader adds where it stood.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from config import forms
from config.problems import printable
from config.written import Form, Written

NUMBER_NEXT = "write the number in plain digits, inside the range"
RANGE_NEXT = "choose a value inside the range"
PATH_CHARS_MAX = 1_024
T = TypeVar("T")


def refuse(code: str, allowed: str, next_step: str) -> NoReturn:
    """Refuse the value under validation.

    Raises
    ------
    PydanticCustomError
        Always; the loader turns it into a `Problem`.
    """
    raise PydanticCustomError(code, "not allowed", {"allowed": allowed, "next": next_step})


@dataclass(frozen=True, slots=True)
class Kind(BeforeValidator):
    """A validator that can say in words what it takes, for the page about the settings."""

    form: str = ""


def number(low: str, high: str, code: str = "CONFIG_NUMBER", why: str = "") -> Kind:
    """Decimal from `low` to `high`, both included.

    Parameters
    ----------
    code, why
        Used when it is out of that range: what it contradicts.
    """
    least, most = Decimal(low), Decimal(high)
    span = f"{low} to {high}"

    def read(written: Written) -> Decimal:
        value = _read(forms.read_number, written, f"{forms.NUMBER_FORM}, from {span}")
        if not least <= value <= most:
            refuse(code, _span(span, why), RANGE_NEXT)
        return value

    return Kind(read, form=span)


def whole(low: int, high: int, code: str = "CONFIG_NUMBER", why: str = "") -> Kind:
    """Whole number from `low` to `high`, both included; `code` and `why` as in `number`."""

    def read(written: Written) -> int:
        allowed = f"{forms.WHOLE_FORM}, from {low} to {high}"
        if written.form is Form.STRING:
            refuse("CONFIG_NUMBER", f"{allowed}, without quotes", NUMBER_NEXT)
        value = _read(forms.read_whole, written, allowed)
        if not low <= value <= high:
            refuse(code, _span(f"{low} to {high}", why), RANGE_NEXT)
        return value

    return Kind(read, form=f"whole number, {low} to {high}")


def whole_or_zero(low: int, high: int) -> Kind:
    """Whole number from `low` to `high`, both included, or 0, which switches off."""

    def read(written: Written) -> int:
        allowed = f"0 (off), or {forms.WHOLE_FORM}, from {low} to {high}"
        if written.form is Form.STRING:
            refuse("CONFIG_NUMBER", f"{allowed}, without quotes", NUMBER_NEXT)
        value = _read(forms.read_whole, written, allowed)
        if value != 0 and not low <= value <= high:
            refuse("CONFIG_NUMBER", f"0 (off), or {low} to {high}", RANGE_NEXT)
        return value

    return Kind(read, form=f"whole number, 0 (off) or {low} to {high}")


def one_of_numbers(values: tuple[int, ...]) -> Kind:
    """One of a few whole numbers."""

    def read(written: Written) -> int:
        allowed = f"one of {', '.join(str(value) for value in values)}, without quotes"
        if written.form is Form.STRING or written.text not in {str(value) for value in values}:
            refuse("CONFIG_NUMBER", allowed, "choose one of them")
        return int(written.text)

    return Kind(read, form=f"one of {', '.join(str(value) for value in values)}")


def choice(values: type[StrEnum]) -> Kind:
    """One of the words of an enumeration."""
    allowed = f"one of {', '.join(values)}"

    def read(written: Written) -> StrEnum:
        if written.form not in (Form.STRING, Form.ENV) or written.text not in list(values):
            refuse("CONFIG_CHOICE", allowed, "write one of these words, in quotes")
        return values(written.text)

    return Kind(read, form=f"one of {', '.join(values)}")


def boolean() -> Kind:
    """`true` or `false`, and no other word for them."""

    def read(written: Written) -> bool:
        if written.form not in (Form.BARE, Form.ENV) or written.text not in ("true", "false"):
            refuse("CONFIG_BOOL", "true or false, without quotes", "write one of these two words")
        return written.text == "true"

    return Kind(read, form="true or false")


def words(count_max: int, allowed: str, is_allowed: Callable[[str], bool]) -> Kind:
    """A list of different words that each pass a test; in the environment they are joined by commas."""
    form = f'a list such as ["one", "two"] of at most {count_max}, none twice, each {allowed}'

    def read(written: Written) -> tuple[str, ...]:
        items = written.items
        if written.form is Form.ENV:
            items = tuple(written.text.split(",")) if written.text else ()
        elif written.form is not Form.LIST:
            refuse("CONFIG_LIST", form, "write the list in square brackets, each word in quotes")
        if len(items) > count_max or len(set(items)) != len(items) or not all(map(is_allowed, items)):
            refuse("CONFIG_LIST", form, "correct the words or remove those that are not allowed")
        return items

    return Kind(read, form=form)


def duration_s(low_s: int, high_s: int) -> Kind:
    """Duration with a unit, in seconds, from `low_s` to `high_s`, both included."""

    def read(written: Written) -> int:
        allowed = f"{forms.DURATION_FORM}, from {low_s}s to {high_s}s"
        if written.form not in (Form.STRING, Form.ENV):
            refuse("CONFIG_DURATION", f"{allowed}, in quotes", "write the unit")
        try:
            value = forms.read_duration_s(written.text)
        except ValueError:
            refuse("CONFIG_DURATION", allowed, "write digits and the unit without a blank")
        if not low_s <= value <= high_s:
            refuse("CONFIG_DURATION", allowed, "choose a duration inside the range")
        return value

    return Kind(read, form=f"duration with a unit, {low_s}s to {high_s}s")


def text(code: str, allowed: str, is_allowed: Callable[[str], bool]) -> Kind:
    """Text that passes a test."""

    def read(written: Written) -> str:
        if written.form not in (Form.STRING, Form.ENV) or not is_allowed(written.text):
            refuse(code, allowed, "write it in the allowed form, in quotes")
        return written.text

    return Kind(read, form=allowed)


def path() -> Kind:
    """A path of a file or directory; whether it exists is not asked here."""

    def read(written: Written) -> Path:
        is_usable = 0 < len(written.text) <= PATH_CHARS_MAX and printable(written.text) == written.text
        if written.form not in (Form.STRING, Form.ENV) or not is_usable:
            refuse("CONFIG_PATH", "a path in quotes, without control characters", "write the path")
        return Path(written.text)

    return Kind(read, form="a path")


def _span(span: str, why: str) -> str:
    return f"{span}: {why}" if why else f"from {span}"


def _read(reader: Callable[[str], T], written: Written, allowed: str) -> T:
    """Read a number, also when it was written as text; tables, lists and booleans are refused by their form."""
    try:
        return reader(written.text)
    except ValueError:
        refuse("CONFIG_NUMBER", allowed, NUMBER_NEXT)
