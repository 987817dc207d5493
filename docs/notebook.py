"""Write into examples/backtest.ipynb what its cells print.

    python docs/notebook.py            run the cells and keep what they print
    python docs/notebook.py --check    exit 1 if they print something else

It needs the packages of the extra `backtest`, and no notebook server.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pages import run

FOLDER: Final = Path(__file__).resolve().parents[1] / "examples"
NAME: Final = "backtest.ipynb"


def filled() -> str:
    """Run the cells of code one after the other, and give the notebook with what each prints."""
    notebook = json.loads((FOLDER / NAME).read_text(encoding="utf-8"))
    names: dict[str, object] = {"__name__": "__main__"}
    with elsewhere():
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        for number, cell in enumerate(cells, start=1):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)  # noqa: S102 - it is ours
            cell["execution_count"] = number
            cell["outputs"] = outputs(printed.getvalue())
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Have everything written into a folder that is taken away, and come back."""
    usual, tempdir = Path.cwd(), tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = tempdir
            os.chdir(usual)


def outputs(text: str) -> list[dict[str, object]]:
    """Write what a cell has printed as a notebook has it."""
    lines = text.splitlines(keepends=True)
    return [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []


if __name__ == "__main__":
    what = "Write into the notebook of the examples what its cells print."
    raise SystemExit(run(Path(__file__), what, {NAME: filled}, FOLDER, sys.argv[1:]))
