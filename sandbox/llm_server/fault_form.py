"""Reading a rule from a request of the control plane, and refusing one that could never do what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbox.llm_server.acts import ACTS, REQUIRED, Detail
from sandbox.llm_server.chat_request import CHAT_PATH
from sandbox.llm_server.faults import Fault, FaultBoard, FaultMatch

GENERAL_FIELDS: Final = frozenset({"act", "match", "times"})
MATCHES: Final = {
    "path": Detail(kind=str, default=CHAT_PATH),
    "model": Detail(kind=str, default=""),
    "decision_id": Detail(kind=str, default=""),
    "nth": Detail(kind=int, default=0, low=1, high=10**9),
    "p": Detail(kind=float, default=1.0, low=0, high=1),
}
TIMES: Final = Detail(kind=int, default=1, low=1, high=10**9)


class FormError(ValueError):
    """The request cannot be understood."""


def put_up(board: FaultBoard, fields: Mapping[str, object]) -> Fault:
    """Add the rule that a control request describes.

    Raises
    ------
    FormError
        An unknown act, field or value.
    """
    name = fields.get("act")
    act = ACTS.get(name) if isinstance(name, str) else None
    if act is None or not isinstance(name, str):
        raise FormError(f"act must be one of {', '.join(ACTS)}")
    _known(fields, GENERAL_FIELDS | set(act.details), name)
    matches = fields.get("match", {})
    if not isinstance(matches, dict):
        raise FormError("match must be an object")
    _known(matches, frozenset(MATCHES), "match")
    match = {key: read_detail(matches, key, detail) for key, detail in MATCHES.items()}
    path, model, decision_id = (str(match[key]) for key in ("path", "model", "decision_id"))
    nth, probability = match["nth"], match["p"]
    assert isinstance(nth, int)
    assert isinstance(probability, float)
    return board.add(
        name,
        FaultMatch(path=path, model=model, decision_id=decision_id, nth=nth, probability=probability),
        {key: read_detail(fields, key, detail) for key, detail in act.details.items()},
        _times(fields, standing=act.standing),
    )


def read_detail(fields: Mapping[str, object], name: str, detail: Detail) -> object:
    """Return a field as its description wants it.

    Raises
    ------
    FormError
        It is missing, of another type, or out of range.
    """
    if name not in fields:
        if detail.default is REQUIRED:
            raise FormError(f"{name} must be given" + _choices(detail))
        return detail.default
    value = fields[name]
    if detail.kind in {int, float}:
        number = _number(value, name)
        if detail.kind is int and number != int(number):
            raise FormError(f"{name} must be a whole number")
        if not detail.low <= number <= detail.high:
            raise FormError(f"{name} must be {detail.low:g} to {detail.high:g}")
        return int(number) if detail.kind is int else number
    if not isinstance(value, detail.kind):
        raise FormError(f"{name} must be of type {detail.kind.__name__}")
    if detail.choices and value not in detail.choices:
        raise FormError(f"{name} must be given" + _choices(detail))
    return value


def _times(fields: Mapping[str, object], *, standing: bool) -> int | None:
    if "times" not in fields:
        return None if standing else 1
    if fields["times"] is None:
        return None
    value = read_detail(fields, "times", TIMES)
    assert isinstance(value, int)
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, bool | dict | list) or value is None:
        raise FormError(f"{name} must be a number")
    try:
        number = float(str(value))
    except ValueError as error:
        raise FormError(f"{name} must be a number") from error
    if not abs(number) < float("inf"):
        raise FormError(f"{name} must be a number")
    return number


def _known(fields: Mapping[str, object], names: frozenset[str] | set[str], place: str) -> None:
    """Refuse misspelt fields: a rule that quietly does nothing would make a test pass for no reason."""
    strange = sorted(set(fields) - names)
    if strange:
        raise FormError(f"{', '.join(strange)} not known in {place}")


def _choices(detail: Detail) -> str:
    return f": one of {', '.join(detail.choices)}" if detail.choices else ""
