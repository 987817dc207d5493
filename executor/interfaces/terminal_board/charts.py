"""Small charts of block characters: an area over time with a line and fills on it, a book, and bars from the middle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from textual.content import Content

from executor.interfaces.terminal_board.lines import BAD, GOOD, LOOK, QUIET, STRONG, Part, fit, line
from executor.interfaces.terminal_board.wording import amount, moment

Point = tuple[float, float | None]
"""Instant, milliseconds since 1970, and the value there; None where it is not known."""
_AREA: Final = "$text-primary"
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_LABEL_CHARS: Final = 10
_ROOM: Final = 0.06
"""Share of the range that stays free above and below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A fill on a chart.

    Parameters
    ----------
    at_ms
        Milliseconds since 1970.
    maker
        Whether most of it was filled while resting.
    """

    at_ms: float
    value: float
    maker: bool


def chart(
    title: str,
    area: Sequence[Point],
    width: int,
    height: int,
    *,
    above: Sequence[Point] = (),
    dots: Sequence[Dot] = (),
    show: Callable[[float], str] = amount,
    limits: tuple[float, float] | None = None,
) -> list[Content]:
    """Draw one series as an area, another as a line on it, and fills as dots.

    Parameters
    ----------
    width, height
        Columns in all, and rows of the area.
    limits
        Lowest and highest value that are drawn; None takes them from the values.
    """
    columns = width - _LABEL_CHARS
    heading = line((fit(title, width), STRONG))
    times = [point[0] for point in (*area, *above)] + [dot.at_ms for dot in dots]
    between = limits or _range([point[1] for point in (*area, *above)] + [dot.value for dot in dots])
    if not times or between is None or columns < 1:
        return [heading, line(("no data yet", QUIET)), *[Content("")] * height]
    first_ms, last_ms = min(times), max(times)
    low, high = between
    drawn = _columns(area, first_ms, last_ms, columns)
    lined = _columns(above, first_ms, last_ms, columns)
    cells = [[_cell(value, low, high, row, height) for value in drawn] for row in range(height)]
    for at, value in enumerate(lined):
        if value is not None:
            cells[_row(value, low, high, height)][at] = ("─", LOOK)
    for dot in dots:
        at = _column(dot.at_ms, first_ms, last_ms, columns)
        cells[_row(dot.value, low, high, height)][at] = ("●", GOOD) if dot.maker else ("○", BAD)
    labels = {0: high, height // 2: (low + high) / 2, height - 1: low}
    labels[height // 2] = high - (high - low) * (height // 2 + 0.5) / height
    rows = [
        line(*_joined(row), " ", (fit(show(labels[at]) if at in labels else "", _LABEL_CHARS - 1), QUIET))
        for at, row in enumerate(cells)
    ]
    ends = fit(moment(last_ms), max(columns - 8, 0), right=True)
    return [heading, *rows, line((f"{moment(first_ms)}{ends}", QUIET))]


def book(
    title: str, bids: Sequence[Sequence[float]], asks: Sequence[Sequence[float]], width: int, rows: int
) -> list[Content]:
    """Draw what is displayed on both sides, the asks above the bids, the touch in the middle."""
    heading = line((fit(title, width), STRONG))
    each = max(rows // 2, 1)
    levels = [(level, BAD) for level in reversed(asks[:each])] + [(level, GOOD) for level in bids[:each]]
    most = max((level[1] for level, _ in levels), default=0.0)
    if most <= 0:
        return [heading, line(("no book", QUIET)), *[Content("")] * rows]
    room = max(width - 20, 1)
    return [
        heading,
        *(
            line(
                fit(amount(price, 9), 10, right=True),
                " ",
                ("█" * max(round(qty / most * room), 1), style.removeprefix("bold ")),
                f" {amount(qty, 4)}",
            )
            for (price, qty), style in levels
        ),
    ]


def centred_bar(value: float, most: float, width: int) -> list[Part]:
    """Draw a bar from the middle: a cost to the right, a gain to the left."""
    half = max(width // 2, 1)
    size = min(round(abs(value) / most * half), half) if most > 0 else 0
    left, right = (size, 0) if value < 0 else (0, size)
    return [
        " " * (half - left),
        ("█" * left, GOOD),
        ("│", QUIET),
        ("█" * right, LOOK),
        " " * (half - right),
    ]


def _range(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None and isfinite(value)]
    if not known:
        return None
    low, high = min(known), max(known)
    room = (high - low or abs(high) * 0.001 or 1.0) * _ROOM
    return low - room, high + room


def _column(at_ms: float, first_ms: float, last_ms: float, columns: int) -> int:
    if last_ms <= first_ms:
        return columns - 1
    return min(int((at_ms - first_ms) / (last_ms - first_ms) * columns), columns - 1)


def _columns(points: Sequence[Point], first_ms: float, last_ms: float, columns: int) -> list[float | None]:
    """Give each column the latest value at its end; a column without a point keeps the one before it."""
    found: dict[int, float | None] = {}
    for at_ms, value in points:
        found[_column(at_ms, first_ms, last_ms, columns)] = value
    held: float | None = None
    values = []
    end = max(found, default=-1)
    for at in range(columns):
        held = found.get(at, held) if at <= end else None
        values.append(held)
    return values


def _row(value: float, low: float, high: float, height: int) -> int:
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return height - 1 - min(int(share * height), height - 1)


def _cell(value: float | None, low: float, high: float, row: int, height: int) -> tuple[str, str]:
    if value is None:
        return " ", ""
    eighths = min(max((value - low) / (high - low), 0.0), 1.0) * height * 8
    here = min(max(round(eighths) - (height - 1 - row) * 8, 0), 8)
    return _BLOCKS[here], _AREA


def _joined(cells: Sequence[tuple[str, str]]) -> list[Part]:
    """Put neighbours of one style together."""
    parts: list[tuple[str, str]] = []
    for char, style in cells:
        if parts and parts[-1][1] == style:
            parts[-1] = (parts[-1][0] + char, style)
        else:
            parts.append((char, style))
    return list(parts)
