"""A sweep: the cells that are missing are worked, wherever there is room, and each result is kept at once.

Who does the work is behind one small port; what is worked, kept and told is the same for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from backtest.beside import many
from backtest.dataset.errors import DataError
from backtest.dataset.instruments import rules_path
from backtest.dataset.store import Day, catalogue, read_info
from backtest.results import NOTE
from backtest.sweep_cell import Cell, Engine, Work
from backtest.sweep_plan import Grid
from backtest.sweep_rows import Folder, Summary
from executor.interfaces.version import version

MANIFEST: Final = "sweep.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What became of a cell.

    Parameters
    ----------
    summary
        None if it is faulty; `error` says why.
    reused
        Whether the result was there before.
    """

    cell: Cell
    summary: Summary | None
    error: str | None
    reused: bool


def plan_cells(grid: Grid) -> list[Cell]:
    """Make the cells of a grid over the recordings as they are."""
    stored = catalogue(grid.root)
    marks: dict[tuple[str, str | None], str] = {}
    for terms in grid.terms:
        key = terms["symbol"], terms.get("day")
        if key not in marks:
            marks[key] = _mark(grid.root, stored, *key)
    return grid.cells(marks)


def _mark(root: Path, stored: Sequence[Day], symbol: str, day: str | None) -> str:
    """Hash what is known of the days that a symbol may mean, their sources among it, and the program's version."""
    found = sha256(version().encode())
    for one in stored:
        stream = one.stream
        names = {stream.symbol, f"{stream.venue}/{stream.category}/{stream.symbol}"}
        if symbol in names and day in {None, one.day.isoformat()}:
            rules = rules_path(root, stream)
            found.update(one.name.encode())
            found.update(rules.read_bytes() if rules.exists() else b"")
            try:
                found.update(msgspec.json.encode(read_info(one.path)))
            except DataError as error:
                found.update(str(error).encode())  # its cell will say so
    return found.hexdigest()


def sweep(
    cells: Sequence[Cell],
    folder: Folder,
    work: Work,
    engine: Engine,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Swept]:
    """Work what is missing; what failed before is tried again.

    Returns
    -------
    list of Swept
        In the order of the cells.
    """
    folder.make()
    missing = [cell for cell in cells if not folder.has(cell)]
    done, errors = len(cells) - len(missing), dict[str, str]()
    progress(done, len(cells))
    for cell, outcome in engine(work, missing) if missing else ():
        if outcome.error is None:
            folder.keep(cell, outcome.rows)
        else:
            errors[cell.name] = outcome.error
            folder.note_fault(cell, outcome.error)
        done += 1
        progress(done, len(cells))
    worked = {cell.name for cell in missing}
    found = [
        Swept(
            cell=cell,
            summary=None if cell.name in errors else folder.summary(cell),
            error=errors.get(cell.name),
            reused=cell.name not in worked,
        )
        for cell in cells
    ]
    folder.write(MANIFEST, sweep_record(found))
    return found


def sweep_record(found: Sequence[Swept]) -> dict[str, object]:
    """Everything about a sweep, but for what was there before: a sweep that was interrupted ends like any other."""
    return {
        "cells": [_cell_record(one) for one in found],
        "orders": sum(one.summary.orders for one in found if one.summary is not None),
        "faulty": sum(one.error is not None for one in found),
        "note": NOTE,
        "warnings": warnings(found),
    }


def _cell_record(one: Swept) -> dict[str, object]:
    record: dict[str, object] = {
        "number": one.cell.number,
        "name": one.cell.name,
        "asked": dict(one.cell.terms),
    }
    if one.summary is None:
        return {**record, "error": one.error}
    return {
        **record,
        "orders": one.summary.orders,
        "ended": one.summary.ended,
        "arrival_shortfall_bps": one.summary.mean_bps,
        "unfilled": one.summary.unfilled,
        "partly_filled": one.summary.partly_filled,
        "fills": one.summary.fills,
        "queue_model_fills": one.summary.queue_model_fills,
        "impact_model_bps": one.summary.impact_bps,
        "impact_model_unknown": one.summary.impact_unknown,
    }


def warnings(found: Sequence[Swept]) -> list[str]:
    """What a reader must know before believing the figures."""
    told = []
    sums = [one.summary for one in found if one.summary is not None]
    fills, modelled = sum(one.fills for one in sums), sum(one.queue_model_fills for one in sums)
    if modelled:
        told.append(f"{modelled} of {fills} fills come from a queue model, not from prints alone")
    short = sum(one.orders - one.ended for one in sums)
    if short:
        told.append(f"{many(short, 'order')} came to no end that can be measured; they are in no mean")
    unfilled, partly = sum(one.unfilled for one in sums), sum(one.partly_filled for one in sums)
    if unfilled or partly:
        told.append(
            f"{many(unfilled, 'order')} without any fill and {partly} filled in part: in the means, what was not filled"
            " counts at the mid at the order's end, without spread and fee"
        )
    if any(one.impact_bps is not None or one.impact_unknown for one in sums):
        told.append("what the impact model says is beside the cost and not in it")
    unknown = sum(one.impact_unknown for one in sums)
    if unknown:
        told.append(f"the impact model can say nothing of {many(unknown, 'order')}; their rows say why")
    if len(sums) > 1:
        told.append(
            f"{len(sums)} cells were tried: the best of them is best partly by chance; hold it against a baseline with"
            " `executor backtest compare`, on days that no choice has seen"
        )
    return told


def varying(cells: Sequence[Cell]) -> list[str]:
    """Names of the terms in which cells differ, in the order of the file."""
    names: Mapping[str, None] = dict.fromkeys(name for cell in cells for name in cell.terms)
    return [name for name in names if len({cell.terms.get(name) for cell in cells}) > 1]
