"""Reading a rule from a request of the control plane, and refusing one that could never do what it says."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.faults import (
    ACTS,
    STANDING_ACTS,
    Fault,
    FaultBoard,
    FaultDetails,
    FaultMatch,
    Moment,
)
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.refusal import parameter_error

KNOWN_FIELDS: Final = frozenset(
    {"on", "match", "when", "act", "times", "delay", "overtake", "status", "retCode", "retMsg", "body_raw"}
    | {"content_type", "url", "answer", "bytes", "copies", "window", "within", "frame_raw", "frame_hex"}
    | {"binary", "code", "edit", "set", "rename", "keep"}
)
KNOWN_MATCHES: Final = frozenset({"method", "path", "topic", "linkId", "symbol", "nth", "p"})
NUMBER_MAX: Final = 10**9
CODE_RANGE: Final = (-(10**6), 10**7)
CLOSE_CODE_RANGE: Final = (1000, 4999)
AUTH_FAIL_CODE: Final = 10003


def put_up(board: FaultBoard, fields: Fields) -> Fault:
    """Add the rule that a control request describes.

    Raises
    ------
    RefusalError
        10001 for an unknown place, moment, act or field.
    """
    match = Fields(object_field(fields, "match"))
    _known(fields, KNOWN_FIELDS)
    _known(match, KNOWN_MATCHES)
    target, act = fields.text("on", "rest"), fields.text("act")
    if target not in ACTS:
        raise parameter_error(f"on must be one of {', '.join(ACTS)}")
    moments = ACTS[target].get(act)
    if moments is None:
        raise parameter_error(f"act {act!r} is not known on {target}")
    standard = Moment.AFTER if Moment.AFTER in moments else moments[0]
    when = fields.text("when", standard.value)
    if when not in {moment.value for moment in moments}:
        raise parameter_error(f"when must be {' or '.join(moments)} for {act} on {target}")
    if when == Moment.MID_REQUEST and set(match.values) & {"linkId", "symbol"}:
        raise parameter_error("in the middle of a request nobody has read which order it is about")
    return board.add(
        target=target,
        moment=Moment(when),
        act=act,
        match=FaultMatch(
            method=match.text("method"),
            path=match.text("path"),
            topic=match.text("topic"),
            link_id=match.text("linkId"),
            symbol=match.text("symbol"),
            nth=match.whole("nth", 0, 0, NUMBER_MAX),
            probability=number_field(match, "p", 1.0),
        ),
        details=details_of(fields, act, overtakes=target != "public"),
        times=_times(fields, act),
    )


def details_of(fields: Fields, act: str, *, overtakes: bool) -> FaultDetails:
    """Return how an act is to be carried out; ``overtakes`` is what a delay does when nothing is said."""
    usual = FaultDetails()
    code = fields.whole("code", AUTH_FAIL_CODE if act == "auth_fail" else usual.ret_code, *CODE_RANGE)
    return FaultDetails(
        delay_s=number_field(fields, "delay", 0.0),
        overtakes=fields.flag("overtake") if "overtake" in fields.values else overtakes,
        status=fields.whole("status", usual.status, 200, 599),
        ret_code=fields.whole("retCode", code, *CODE_RANGE),
        ret_msg=fields.text("retMsg", usual.ret_msg),
        body_raw=fields.text("body_raw", usual.body_raw),
        content_type=fields.text("content_type", usual.content_type),
        url=fields.text("url"),
        answer=fields.text("answer", usual.answer),
        bytes_kept=fields.whole("bytes", 0, 0, NUMBER_MAX) if "bytes" in fields.values else None,
        copies=fields.whole("copies", usual.copies, 0, 10**6),
        window=fields.whole("window", usual.window, 2, 10**5),
        within_s=number_field(fields, "within", usual.within_s),
        frame=frame_of(fields),
        binary=fields.flag("binary"),
        close_code=fields.whole("code", 0, *CLOSE_CODE_RANGE) if act == "close" else 0,
        patch=object_field(fields, "edit"),
        values=object_field(fields, "set"),
        rename=object_field(fields, "rename"),
        keeps_original=fields.flag("keep"),
    )


def frame_of(fields: Fields) -> bytes:
    """Return the bytes of a crafted frame: ``frame_raw`` as text, or ``frame_hex`` as hexadecimal digits."""
    if "frame_hex" not in fields.values:
        return fields.text("frame_raw").encode()
    return hex_field(fields, "frame_hex")


def hex_field(fields: Fields, name: str) -> bytes:
    """Return bytes that are written as hexadecimal digits."""
    try:
        return bytes.fromhex(fields.text(name))
    except ValueError as error:
        raise parameter_error(f"{name} must be hexadecimal digits") from error


def object_field(fields: Fields, name: str) -> JsonObject:
    """Return an object field, empty when absent."""
    value = fields.values.get(name, {})
    if not isinstance(value, dict):
        raise parameter_error(f"{name} must be an object")
    return value


def number_field(fields: Fields, name: str, default: float) -> float:
    """Return a number that is not negative."""
    value = fields.values.get(name)
    if value is None:
        return default
    try:
        number = float(str(value))
    except ValueError as error:
        raise parameter_error(f"{name} must be a number") from error
    if not 0.0 <= number < float("inf"):
        raise parameter_error(f"{name} must not be negative")
    return number


def _known(fields: Fields, names: frozenset[str]) -> None:
    """Refuse misspelt fields: a rule that quietly does nothing would make a test pass for no reason."""
    strange = sorted(set(fields.values) - names)
    if strange:
        raise parameter_error(f"{', '.join(strange)} not known in a fault")


def _times(fields: Fields, act: str) -> int | None:
    if "times" not in fields.values:
        return None if act in STANDING_ACTS else 1
    if fields.values["times"] is None:
        return None
    return fields.whole("times", 1, 1, NUMBER_MAX)
