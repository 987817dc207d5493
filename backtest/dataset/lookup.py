"""Which stored days somebody means, and what is said where there are none."""

import difflib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

from backtest.dataset.errors import DataError
from backtest.dataset.store import Day, catalogue

LISTED_MAX: Final = 8
LIKE_MAX: Final = 3


def find_days(
    root: Path,
    symbol: str,
    *,
    venue: str | None = None,
    category: str | None = None,
    day: date | None = None,
) -> list[Day]:
    """Find the days of one instrument: all that are stored, or one.

    Raises
    ------
    DataError
        If there is none, or the name means more than one instrument.
    """
    stored = catalogue(root)
    named = [
        each
        for each in stored
        if each.stream.symbol == symbol
        and venue in {None, each.stream.venue}
        and category in {None, each.stream.category}
    ]
    name = "/".join(part for part in (venue, category, symbol) if part)
    if not named:
        raise DataError(
            root,
            f"nothing stored of {name}",
            "correct the name; `executor data import` brings recordings in",
            allowed=_held(stored, symbol),
        )
    streams = sorted({_name(each) for each in named})
    if len(streams) > 1:
        raise DataError(
            root,
            f"{name}, a name that is stored more than once",
            "say which: VENUE/CATEGORY/SYMBOL",
            allowed=_some(streams),
        )
    found = [each for each in named if day in {None, each.day}]
    if not found:
        days = [each.day.isoformat() for each in named]
        nearest = sorted(named, key=lambda each: abs((each.day - day).days) if day else 0)[:LIKE_MAX]
        raise DataError(
            root,
            f"nothing stored of {streams[0]} on {day}",
            "choose another day, or import that one",
            allowed=", ".join(days)
            if len(days) <= LISTED_MAX
            else f"{len(days)} days from {days[0]} to {days[-1]}, the nearest"
            f" {', '.join(sorted(each.day.isoformat() for each in nearest))}",
        )
    return found


def _held(stored: Sequence[Day], symbol: str) -> str:
    """All of a small store; of a large one what has a name like that."""
    names = sorted({_name(each) for each in stored})
    if len(names) <= LISTED_MAX:
        return ", ".join(names) or "nothing: the store is empty"
    like = difflib.get_close_matches(symbol, {each.stream.symbol for each in stored}, n=LIKE_MAX)
    meant = [name for one in like for name in names if name.endswith(f"/{one}")]
    return f"one of {len(names)} instruments, which `executor data info` lists" + (
        f"; like it: {_some(meant)}" if meant else ""
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED_MAX} more" if len(names) > LISTED_MAX else ""
    return f"{', '.join(names[:LISTED_MAX])}{more}"


def _name(day: Day) -> str:
    return f"{day.stream.venue}/{day.stream.category}/{day.stream.symbol}"
