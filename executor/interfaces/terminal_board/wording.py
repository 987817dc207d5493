"""Figures and codes of a picture in the words of the board; what is not known is a dash."""

from datetime import UTC, datetime
from typing import Final

from executor.interfaces.terminal_board.lines import BAD, GOOD, LOOK, PLAIN

UNKNOWN: Final = "-"
_STATUS: Final = {
    "ACTIVE": GOOD, "EXECUTING": GOOD, "FILLED": GOOD, "COMPLETE": GOOD,
    "PAUSED": LOOK, "ADJUSTING": LOOK, "EXPIRED": LOOK, "CANCELED": LOOK,
    "FAILED": BAD, "REJECTED": BAD, "UNKNOWN": BAD,
}  # fmt: skip
_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_NS_PER_MS: Final = 1_000_000


def status_style(status: object) -> str:
    """Choose how a status is drawn."""
    return _STATUS.get(str(status), PLAIN)


def calm(code: object) -> str:
    """Show a code as words."""
    return str(code).lower().replace("_", " ")


def signed(value: object, digits: int = 2) -> str:
    """Show a number with its sign."""
    number = number_of(value)
    return UNKNOWN if number is None else f"{number:+.{digits}f}"


def bps(value: object) -> str:
    """Show basis points."""
    return UNKNOWN if number_of(value) is None else f"{signed(value)} bps"


def percent(share: object, digits: int = 1) -> str:
    """Show a share of one as per cent."""
    number = number_of(share)
    return UNKNOWN if number is None else f"{number * 100:.{digits}f} %"


def amount(value: object, digits: int = 6, unit: str = "") -> str:
    """Show a number with so many digits that mean something."""
    number = number_of(value)
    if number is None:
        return UNKNOWN
    told = f"{number / 1e6:.3g}M" if abs(number) >= 1e6 else f"{number:.{digits}g}"
    return f"{told}{unit}"


def fixed(value: object, digits: int, unit: str = "") -> str:
    """Show a number with so many decimals."""
    number = number_of(value)
    return UNKNOWN if number is None else f"{number:.{digits}f}{unit}"


def text_or(value: object, otherwise: str = UNKNOWN) -> str:
    """Show text as it came, or what stands for none."""
    return otherwise if value is None or value == "" else str(value)


def span(seconds: object) -> str:
    """Show a number of seconds in the two units that matter."""
    number = number_of(seconds)
    if number is None:
        return UNKNOWN
    left = int(number)
    for at, (size, name) in enumerate(_SPANS):
        if left >= size:
            told = f"{left // size} {name}"
            if at + 1 < len(_SPANS):
                below, next_name = _SPANS[at + 1]
                rest = left % size // below
                told += f" {rest} {next_name}" if rest else ""
            return told
    return "0 s"


def moment(at_ms: object) -> str:
    """Show an instant as the time of day in UTC."""
    number = number_of(at_ms)
    return UNKNOWN if number is None else datetime.fromtimestamp(number / 1000, UTC).strftime("%H:%M:%S")


def instant_ms(value: object) -> float | None:
    """Read an instant of a view, milliseconds since 1970."""
    match value:
        case {"ns": int(at_ns)}:
            return at_ns / _NS_PER_MS
        case _:
            return None


def number_of(value: object) -> float | None:
    """Read a number that came as one or as text; None for what is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
