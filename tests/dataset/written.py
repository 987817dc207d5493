"""Small recordings written by the tests themselves, in the layouts of others, and how they are read."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np

from backtest.dataset.faults import Findings
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake, Outcome
from backtest.dataset.rows import DTYPES, Rows
from backtest.dataset.store import read_rows

T0_MS = 1_700_000_000_000
T0_NS = T0_MS * 1_000_000


def rows_of(*tuples: tuple[int, ...]) -> Rows:
    """Rows out of tuples in the order of the columns."""
    columns = np.array(tuples, np.int64).reshape(-1, len(DTYPES)).T
    return Rows(
        **{name: column.astype(dtype) for (name, dtype), column in zip(DTYPES.items(), columns, strict=True)}
    )


def taken_in(tmp_path: Path, *files: Path, **options) -> tuple[Outcome, dict[str, Rows]]:
    """Import files into a fresh store; gives what was stored, by symbol and day."""
    named = {key: options.pop(key) for key in ("category", "symbol") if key in options}
    outcome = Intake(tmp_path / "store", Options(**named), **options).run(list(files))
    return outcome, {f"{each.stream.symbol} {each.day}": read_rows(each.path) for each in outcome.stored}


def faults(outcome: Outcome) -> dict[str, int]:
    """What was found."""
    return outcome.everything().by_name()


def lines_of(found: Findings) -> set[tuple[str, int]]:
    """Fault and line of every place."""
    return {(str(each.fault), each.line) for each in found.all_places()}


def book_message(u: int, bids, asks, *, kind="delta", symbol="ABCUSDT", ms=0, seq=0, depth=500) -> str:
    """One book message of Bybit."""
    message = {
        "topic": f"orderbook.{depth}.{symbol}",
        "type": kind,
        "ts": T0_MS + ms,
        "data": {"s": symbol, "b": bids, "a": asks, "u": u, "seq": seq or u},
        "cts": T0_MS + ms,
    }
    return json.dumps(message, separators=(",", ":"))


def written(path: Path, text: str | bytes) -> Path:
    """Write a file, packed as its name says."""
    data = text.encode() if isinstance(text, str) else text
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.name.removesuffix(".zip"), data)
    else:
        path.write_bytes(data)
    return path
