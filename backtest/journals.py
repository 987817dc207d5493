"""Journals of single orders beside the results: of all of them, or only of those that somebody will want to look at."""

from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from shutil import rmtree
from typing import Final

from backtest.recorded import Errand, Worked
from backtest.run import INSTANCE
from executor.runtime.journal import Journal

JOURNALS: Final = "journals"
_BESIDE: Final = ("", "-wal", "-shm")
"""What SQLite puts beside a database, itself included."""


class KeptJournals:
    """Writes a journal of each order, as the daemon would, and keeps as many as are wanted.

    With a limit, those of the cheapest and of the dearest filled orders stay, half of the limit each, and those of all
    orders that were not filled or came to no end: what is unusual is what one looks at.

    Parameters
    ----------
    folder
        Of the results.
    most
        Filled orders whose journals are kept; None keeps all.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        self._folder = folder / JOURNALS
        self._most = most
        self._by_cost: list[tuple[Decimal, str]] = []

    @contextmanager
    def opened(self, errand: Errand) -> Iterator[Journal]:
        """Write one while an order is worked."""
        self._folder.mkdir(exist_ok=True)
        with Journal.open(self._path(errand.name), create=True, instance=INSTANCE) as journal:
            yield journal

    def ended(self, worked: Worked) -> None:
        """Decide what stays, with what an order came to; the one in the middle goes."""
        cost = None if worked.drive is None else worked.drive.reports[0].arrival_shortfall_bps
        if self._most is None or cost is None or not worked.fills:
            return
        # As it is printed: the tear sheet chooses by that.
        insort(self._by_cost, (round(cost, 4), worked.errand.name))
        if len(self._by_cost) > self._most:
            _, name = self._by_cost.pop(self._most // 2)
            for beside in _BESIDE:
                self._path(name, beside).unlink(missing_ok=True)

    def discard(self) -> None:
        """Take all of them away: what was begun and has no results is of no use, and in the way."""
        rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str, beside: str = "") -> Path:
        return self._folder / f"{name}.db{beside}"
