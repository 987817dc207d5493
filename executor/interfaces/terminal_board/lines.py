"""Lines of text with a few styles: what comes from outside is escaped, cut and padded here, and is never markup."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from config.problems import printable

Told = Mapping[str, Any]
"""A picture as the daemon sent it, or a part of one."""
Part = str | tuple[str, str]
"""Text, or text and its style."""
Figure = tuple[str, str, str]
"""Name, value and style of the value."""

GOOD: Final = "$text-success"
LOOK: Final = "$text-warning"
BAD: Final = "bold $text-error"
QUIET: Final = "$text-muted"
STRONG: Final = "bold"
PLAIN: Final = ""
_GAP: Final = 2
_FIGURE_CHARS_MIN: Final = 36


def line(*parts: Part) -> Content:
    """Put parts of a line together; no character of them moves a cursor or is read as markup."""
    return Content.assemble(
        *(printable(part) if isinstance(part, str) else (printable(part[0]), part[1]) for part in parts)
    )


def page(lines: Iterable[Content]) -> Content:
    """Put lines below each other."""
    return Content("\n").join(lines)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Bring text to a width in columns of a terminal: padded, or cut with a sign that something is missing."""
    text = printable(text)
    length = cell_len(text)
    if length > width:
        return f"{set_cell_size(text, width - 1)}…" if width > 1 else set_cell_size(text, width)
    return " " * (width - length) + text if right else text + " " * (width - length)


def beside(left: Sequence[Content], right: Sequence[Content], width: int) -> list[Content]:
    """Put two blocks beside each other; the left one is padded to a width."""
    rows = max(len(left), len(right))
    padded = [*left, *[Content("")] * (rows - len(left))]
    others = [*right, *[Content("")] * (rows - len(right))]
    return [
        one.pad_right(max(width - one.cell_length, 0)) + other
        for one, other in zip(padded, others, strict=True)
    ]


def figure_lines(figures: Sequence[Figure], width: int) -> list[Content]:
    """Lay out figures in as many columns as there is room for, each with its name before it."""
    columns = max(width // _FIGURE_CHARS_MIN, 1)
    room = (width - _GAP * (columns - 1)) // columns
    rows = []
    for start in range(0, len(figures), columns):
        parts: list[Part] = []
        for name, value, style in figures[start : start + columns]:
            told = printable(value)
            name_room = min(cell_len(name), max(room - cell_len(told) - 1, 0))
            value_room = room - name_room - 1
            parts += [
                (fit(name, name_room), QUIET),
                " ",
                (fit(told, value_room, right=True), style),
                " " * _GAP,
            ]
        rows.append(line(*parts[:-1]))
    return rows


def bar(done: float | None, due: float | None, width: int, style: str = GOOD) -> Content:
    """Draw a share as a bar of blocks; a mark stands where it is due to be."""
    share = min(max(done or 0.0, 0.0), 1.0)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
    drawn += "·" * (width - len(drawn))
    if due is None or width < 1:
        return line((drawn, style))
    at = min(int(min(max(due, 0.0), 1.0) * width), width - 1)
    return line((drawn[:at], style), ("│", LOOK), (drawn[at + 1 :], style))
