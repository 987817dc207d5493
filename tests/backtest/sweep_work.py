"""Works that a cell of a sweep can be sent to in another process; none of them trades."""

import os
import signal
from pathlib import Path

from backtest.sweep_cell import Cell, Outcome

WAIT_S = 40


def cells(root, count, start=1):
    """Cells without a market: what they write goes into a folder."""
    return [
        Cell(number=number, root=Path(root), terms={"seed": str(number)}, data="")
        for number in range(start, start + count)
    ]


def tries(cell):
    """How often somebody began to work a cell."""
    return len(list(cell.root.glob(f"{cell.number}-*")))


def _begin(cell, who=""):
    (cell.root / f"{cell.number}-{os.getpid()}{who}").touch()


def deadly(cell):
    """Die with cell 2, always, and with cell 3 the first time; make a mistake with cell 4."""
    _begin(cell)
    if cell.number == 2 or (cell.number == 3 and tries(cell) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if cell.number == 4:
        raise ZeroDivisionError("a mistake")
    return Outcome([{"number": cell.number}])


def patient(cell):
    """Say on which node of a Ray cluster the work goes on, and wait for leave to end it."""
    import ray

    from tests.process.processes import wait_until

    _begin(cell, f"-{ray.get_runtime_context().get_node_id()}")
    wait_until((cell.root / "go").exists, "leave to end", deadline_s=WAIT_S)
    return Outcome([{"number": cell.number}])
