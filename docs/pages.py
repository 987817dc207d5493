"""Pages that are written by a script: its command line, which writes them or compares them, and their tables."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

Pages = Mapping[str, Callable[[], str]]
"""What makes the text of each page, by the name of its file."""


def run(script: Path, what: str, pages: Pages, folder: Path, arguments: Sequence[str]) -> int:
    """Run the command line of a script that writes pages; returns the exit code.

    Parameters
    ----------
    script
        The script itself, which a page that differs is to be written with.
    what
        What it does, for ``--help``.
    folder
        Where the pages are unless the command line says otherwise.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page differs")
    parser.add_argument(
        "--folder", type=Path, default=folder, help="where the pages are (default: %(default)s)"
    )
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        write(pages, chosen.folder)
        return 0
    names = differing(pages, chosen.folder)
    for name in names:
        sys.stderr.write(
            f"{chosen.folder / name} is not what its sources say: run python docs/{script.name}\n"
        )
    return 1 if names else 0


def differing(pages: Pages, folder: Path) -> list[str]:
    """Name the pages whose file in `folder` is missing or has another text."""
    return [
        name
        for name, make in pages.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def write(pages: Pages, folder: Path) -> None:
    """Write every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in pages.items():
        (folder / name).write_text(make(), encoding="utf-8")


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Draw a table; a bar inside a cell does not end it."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
