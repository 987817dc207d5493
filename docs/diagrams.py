"""State machines as SVG: a box for each state that goes on, arrows between them, and in each box how it may end.

Nothing is loaded from elsewhere, and the same table gives the same bytes.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar
from xml.sax.saxutils import escape

Status = TypeVar("Status", bound=StrEnum)
Point = tuple[float, float]

_UNIT: Final = (128.0, 112.0)
_BOX: Final = (176.0, 62.0)
_PILL: Final = (78.0, 15.0)
_MARGIN: Final = 16.0
_PAIR: Final = 2
"""Pills in a row."""
_ENDS: Final = ("#1a7f4b", "#a15c00", "#5b4bc4", "#b3261e")
_STYLE: Final = (
    "text{font-family:system-ui,sans-serif;fill:#1d2430}.name{font-size:12px;font-weight:600}"
    ".end{font-size:9px;fill:#fff;font-weight:600}.note{font-size:11px}"
    ".box{fill:#eef2f8;stroke:#51617a;stroke-width:1.2}.way{stroke:#51617a;stroke-width:1.4;fill:none}"
)


def state_diagram(
    title: str, moves: Mapping[Status, Mapping[Status, str]], places: Mapping[str, Point]
) -> str:
    """Draw a table of moves.

    Parameters
    ----------
    places
        Column and row of each state that is in the middle of things; a state without one is an end.

    Raises
    ------
    ValueError
        If a state has no place and yet leads to one that has.
    """
    inner = [state for state in moves if state in places]
    ends = [state for state in moves if state not in places]
    for state in ends:
        if any(target in places for target in moves[state]):
            raise ValueError(f"{state} goes on and has no place in the diagram")
    if set(places) != {str(state) for state in inner} or len(ends) > len(_ENDS):
        raise ValueError(f"{title}: the places are not those of the table's states")
    colors = dict(zip(ends, _ENDS, strict=False))
    centers = {state: _center(places[state]) for state in inner}
    width = max(x for x, _ in centers.values()) + _BOX[0] / 2 + _MARGIN
    height = max(y for _, y in centers.values()) + _BOX[1] / 2 + _MARGIN + 34
    parts = [_way(centers, moves, one, other) for one, other in _neighbours(inner, moves)]
    parts += [
        _box(state, centers[state], [end for end in ends if end in moves[state]], colors) for state in inner
    ]
    x, y = centers[inner[0]]
    parts.append(
        f'<circle cx="{x - _BOX[0] / 2 + 11:g}" cy="{y - _BOX[1] / 2 + 14:g}" r="4" fill="#1d2430">'
        "<title>every order begins here</title></circle>"
    )
    parts.append(_legend(ends, moves, colors, height - 20))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}">\n<style>{_STYLE}</style>\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#51617a"/></marker></defs>\n'
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _center(place: Point) -> Point:
    return (
        _MARGIN + _BOX[0] / 2 + place[0] * _UNIT[0],
        _MARGIN + _BOX[1] / 2 + place[1] * _UNIT[1],
    )


def _neighbours(
    inner: list[Status], moves: Mapping[Status, Mapping[Status, str]]
) -> list[tuple[Status, Status]]:
    """Pairs of states between which there is a way, in one direction or in both."""
    return [
        (one, other)
        for place, one in enumerate(inner)
        for other in inner[place + 1 :]
        if other in moves[one] or one in moves[other]
    ]


def _way(
    centers: Mapping[Status, Point],
    moves: Mapping[Status, Mapping[Status, str]],
    one: Status,
    other: Status,
) -> str:
    """Draw one line with a tip for each direction; what moves an order along is told to whoever points at it."""
    start, end = _edge(centers[one], centers[other]), _edge(centers[other], centers[one])
    tips, told = "", []
    if other in moves[one]:
        tips += ' marker-end="url(#tip)"'
        told.append(f"{one} to {other}: {moves[one][other]}")
    if one in moves[other]:
        tips += ' marker-start="url(#tip)"'
        told.append(f"{other} to {one}: {moves[other][one]}")
    return (
        f'<path class="way" d="M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"{tips}>'
        f"<title>{escape('; '.join(told))}</title></path>"
    )


def _edge(center: Point, toward: Point) -> Point:
    """Where the line between two boxes leaves the first one."""
    dx, dy = toward[0] - center[0], toward[1] - center[1]
    share = min(
        (_BOX[0] / 2 + 3) / abs(dx) if dx else float("inf"),
        (_BOX[1] / 2 + 3) / abs(dy) if dy else float("inf"),
    )
    return center[0] + dx * share, center[1] + dy * share


def _box(state: Status, center: Point, ends: list[Status], colors: Mapping[Status, str]) -> str:
    left, top = center[0] - _BOX[0] / 2, center[1] - _BOX[1] / 2
    parts = [
        f'<rect class="box" x="{left:g}" y="{top:g}" width="{_BOX[0]:g}" height="{_BOX[1]:g}" rx="8"/>',
        f'<text class="name" x="{center[0]:g}" y="{top + 18:g}" text-anchor="middle">{escape(str(state))}</text>',
    ]
    if not ends:
        parts.append(
            f'<text class="note" x="{center[0]:g}" y="{top + 42:g}" text-anchor="middle">never ends from here</text>'
        )
    for number, end in enumerate(ends):
        row, column = divmod(number, _PAIR)
        in_row = min(_PAIR, len(ends) - row * _PAIR)
        x = center[0] + (column - in_row / 2) * (_PILL[0] + 4) + 2
        parts.append(_pill(str(end), (x, top + 25 + row * (_PILL[1] + 2)), colors[end]))
    return "".join(parts)


def _pill(text: str, corner: Point, color: str) -> str:
    x, y = corner
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{_PILL[0]:g}" height="{_PILL[1]:g}" rx="7" fill="{color}"/>'
        f'<text class="end" x="{x + _PILL[0] / 2:g}" y="{y + 11:g}" text-anchor="middle">{escape(text)}</text>'
    )


def _legend(
    ends: list[Status],
    moves: Mapping[Status, Mapping[Status, str]],
    colors: Mapping[Status, str],
    y: float,
) -> str:
    """Say what the pills are, and where an end is not quite one."""
    parts = [f'<text class="note" x="{_MARGIN:g}" y="{y + 11:g}">How it may end:</text>']
    x = _MARGIN + 96
    for end in ends:
        parts.append(_pill(str(end), (x, y), colors[end]))
        x += _PILL[0] + 6
    late = [f"{end} may still become {target}" for end in ends for target in moves[end]]
    if late:
        parts.append(f'<text class="note" x="{x + 4:g}" y="{y + 11:g}">{escape("; ".join(late))}</text>')
    return "".join(parts)
