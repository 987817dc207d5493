"""Tables of comma-separated text, column by column; no layout that is read here quotes or escapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.rows import Ints, Mask
from backtest.dataset.sources import blocks, head_of
from backtest.dataset.ticks import exact

COLUMNS_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Some rows of a file.

    Parameters
    ----------
    source
        Name of the file.
    line
        Line of each row, from 1.
    columns
        Texts by name of column.
    """

    source: str
    line: Ints
    columns: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.line)

    def texts(self, name: str) -> tuple[str, ...]:
        """One column as it was written."""
        return self.columns[name]

    def numbers(self, name: str, scale: int, found: Findings, bad: Mask) -> Ints:
        """One column as whole numbers at a decimal scale; rows where it is none are told and marked in `bad`."""
        read = exact(self.columns[name], scale)
        try:
            values = read.at(scale)
        except OverflowError:
            limit = np.int64(2**63 - 1) // np.int64(10 ** max(scale - read.scale, 0))
            beyond = np.abs(read.values) > limit
            self.tell(Fault.BAD_NUMBER, name, beyond, found)
            bad |= beyond
            values = np.where(beyond, 0, read.values) * np.int64(10 ** max(scale - read.scale, 0))
        if read.bad is not None:
            self.tell(Fault.BAD_NUMBER, name, read.bad, found)
            bad |= read.bad
        return values

    def tell(self, fault: Fault, name: str, where: Mask, found: Findings) -> None:
        """Tell of a fault in one column at some rows."""
        texts = self.columns[name]
        for place in np.flatnonzero(where).tolist():
            found.add(fault, self.source, int(self.line[place]), f"{name} {texts[place][:40]!r}")


def header_of(path: Path) -> list[str]:
    """Give the first line of a file as names of columns; empty if it cannot be read."""
    first = head_of(path).split(b"\n", 1)[0].rstrip(b"\r")
    return first.decode("latin-1").split(",")


def tables(
    path: Path,
    found: Findings,
    wanted: Sequence[str],
    *,
    header: Sequence[str] | None = None,
    member: str | None = None,
) -> Iterator[Table]:
    """Read a file in pieces; lines with another number of fields are told and left out.

    Parameters
    ----------
    wanted
        Columns that are needed.
    header
        Names of the columns where the file has no line of them.
    member
        File within an archive.

    Raises
    ------
    DataError
        If a column is missing, or the file is damaged.
    """
    names = list(header) if header is not None else None
    for number, block in blocks(path, member):
        lines = block
        if names is None:
            names = lines[0].decode("latin-1").split(",")
            lines, number = lines[1:], number + 1  # noqa: PLW2901 - the header is gone
            missing = [name for name in wanted if name not in names]
            if missing or len(names) > COLUMNS_MAX:
                raise DataError(
                    f"{path}:1",
                    f"the column {missing[0] if missing else COLUMNS_MAX} is missing",
                    "the first line must name the columns",
                )
        width, rows, at = len(names), [], []
        for place, line in enumerate(lines, start=number):
            fields = line.decode("latin-1").split(",")
            if len(fields) == width:
                rows.append(fields)
                at.append(place)
            elif line.strip():
                found.add(
                    Fault.UNREADABLE, path.name, place, f"{len(fields)} fields where there should be {width}"
                )
        if rows:
            columns = list(zip(*rows, strict=True))
            yield Table(
                source=path.name,
                line=np.array(at, np.int64),
                columns={name: columns[names.index(name)] for name in names},
            )
