"""One run of a sweep, what comes of it, and the port to those who work it: light enough for a process of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import msgspec

FORM: Final = 3
"""Of the results; another one makes other names, so that old results are never taken for new ones."""
_NAME_CHARS: Final = 16
RETRIES: Final = 2
"""So many times a cell is tried again whose worker has died."""
Row = dict[str, object]
"""Figures of one order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run of a sweep.

    Parameters
    ----------
    number
        In the order of the file, from 1.
    root
        Folder of the store.
    terms
        As written in the file, by the names of `sweep_plan.KEYS`; what is not there was not asked for.
    data
        Says which recording is meant, so that another one under the same name makes another cell.
    """

    number: int
    root: Path
    terms: Mapping[str, str]
    data: str

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process."""
        return cell_of, (self.number, self.root, dict(self.terms), self.data)

    @property
    def name(self) -> str:
        """Hash of everything that decides the result; where the store lies does not."""
        content = msgspec.json.encode([FORM, sorted(self.terms.items()), self.data])
        return sha256(content).hexdigest()[:_NAME_CHARS]

    @property
    def day(self) -> date | None:
        """The one day that it looks at."""
        return date.fromisoformat(self.terms["day"]) if "day" in self.terms else None


def cell_of(number: int, root: Path, terms: dict[str, str], data: str) -> Cell:
    """Make a cell whose terms nobody changes any more."""
    return Cell(number=number, root=root, terms=MappingProxyType(terms), data=data)


class Outcome(NamedTuple):
    """What became of a cell: rows, or the reason why there are none."""

    rows: Sequence[Row]
    error: str | None = None


Work = Callable[[Cell], Outcome]
"""Works one cell, in any process: the result depends on nothing but the cell and the data. What is wrong with the cell
is in the outcome; a worker that dies gives none, and an error that was not foreseen is raised."""


class Engine(Protocol):
    """Works cells somewhere, in any order."""

    def __call__(self, work: Work, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
        """Give each cell once, as it ends; one whose worker dies is tried again `RETRIES` times, then given up."""
        ...


def broken(error: BaseException) -> Outcome:
    """A cell in which something happened that nobody had foreseen: a fault of the program, not of the other cells."""
    return Outcome((), f"INTERNAL: {type(error).__name__}: {error}")


def lost(tries: int) -> Outcome:
    """A cell whose worker died each time."""
    return Outcome(
        (), f"WORKER: the process that worked it died {tries} times, without a word (killed, or no memory?)"
    )
