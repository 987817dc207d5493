"""What every importer is: it tells its files by their content, and reads them in batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backtest.dataset.faults import Findings
from backtest.dataset.gather import Batch
from executor.domain.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a file may leave open; None leaves it to the importer.

    Parameters
    ----------
    category
        linear, inverse or spot.
    symbol
        For files that name none, and against which others are held.
    """

    category: str | None = None
    symbol: str | None = None


class Importer(Protocol):
    """Reads the files of one import, one after the other; what it learned from one helps with the next.

    Attributes
    ----------
    name
        Stands in the metadata of what is stored.
    instruments
        Trading rules that the files held, by category and symbol.
    """

    name: str
    instruments: dict[tuple[str, str], Instrument]

    def sniff(self, path: Path) -> bool:
        """Tell by its first bytes whether a file, or a folder, has this layout."""
        ...

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read a file in its own order.

        Raises
        ------
        DataError
            If it is damaged, or does not say what it must.
        """
        ...
