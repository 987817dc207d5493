"""What the command line prints: results on standard output, remarks on standard error, nothing that moves a cursor."""

import json
import os
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from config.problems import Problem, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


PIPE_WIDTH: Final = 200
PAGE_WIDTH: Final = 100
"""Width of a page of text where no terminal says another one."""
_PAGE_WIDTH_MIN: Final = 60


def prepare_streams() -> None:
    """Let text that the terminal cannot show come out escaped instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def emit_json(value: object) -> None:
    """Print one JSON value for machines; ASCII only, so that it survives any terminal."""
    _write(sys.stdout, f"{json.dumps(value, indent=2)}\n")


def say(text: str) -> None:
    """Print a remark for people on standard error."""
    _write(sys.stderr, f"{printable_lines(text)}\n")


def show(text: str) -> None:
    """Print a result for people on standard output."""
    _write(sys.stdout, f"{printable_lines(text)}\n")


def page_width() -> int:
    """Width to which text is wrapped: what COLUMNS says, else the terminal's, else that of a page."""
    return max(shutil.get_terminal_size((PAGE_WIDTH, 0)).columns, _PAGE_WIDTH_MIN)


def wrapped(text: str, width: int, indent: str = "") -> str:
    """Break a line at its words, so that it fits; what follows the first line is indented."""
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, break_on_hyphens=False, replace_whitespace=False
    )
    return "\n".join(lines)


def show_rich(renderable: "RenderableType", width: int | None = None) -> None:
    """Print a table on standard output; where that is no terminal, nothing is cut or padded.

    Parameters
    ----------
    width
        Width of the page; None takes the terminal's, or without one what the table needs.
    """
    console = console_on(sys.stdout)
    if width is not None:
        console.width = width
    elif not sys.stdout.isatty():
        console.width = max(console.width, PIPE_WIDTH)
    with console.capture() as capture:
        console.print(renderable)
    text = capture.get()
    if not sys.stdout.isatty():
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    _write(sys.stdout, text)


@contextmanager
def progress_on_terminal(what: str, *, in_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error while long work goes on; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import DownloadColumn, Progress  # noqa: PLC0415 - slow to import, for terminals only

    columns = (*Progress.get_default_columns(), *[DownloadColumn()] * in_bytes)
    with Progress(*columns, console=console_on(sys.stderr), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def line_on_terminal() -> Iterator[Callable[[str], None]]:
    """Show a line on standard error that is written over as work goes on; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.live import Live  # noqa: PLC0415 - slow to import, for terminals only
    from rich.text import Text  # noqa: PLC0415

    with Live(console=console_on(sys.stderr), transient=True, auto_refresh=False) as line:
        yield lambda text: line.update(Text(printable(text)), refresh=True)


@contextmanager
def said_if_long(text: str, after_s: float = 2.0) -> Iterator[None]:
    """Say what is waited for on standard error, once, where it takes longer than a moment."""
    timer = threading.Timer(after_s, say, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def tell_problems(problems: Iterable[Problem], *, as_json: bool) -> None:
    """Print what was refused and why: one line each on standard error, or one JSON object on standard output."""
    if as_json:
        emit_json({"error": [problem.record() for problem in problems]})
        return
    for problem in problems:
        say(problem.line())


def printable_lines(text: str) -> str:
    """Escape control characters, except line ends that we wrote ourselves."""
    return "\n".join(printable(line) for line in text.split("\n"))


def cell(value: object) -> str:
    """Show a value of an answer in a table cell."""
    match value:
        case None:
            return "-"
        case {"utc": str(utc)}:
            return printable(utc)
        case list() | tuple():
            return ", ".join(cell(item) for item in value) or "-"
        case Mapping():
            return ", ".join(f"{printable(str(key))} {cell(inner)}" for key, inner in value.items()) or "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return printable(str(value)) or "-"


def console_on(stream: TextIO) -> "Console":
    """Make a console that interprets no markup in data."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only needed for tables

    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=False)


def _write(stream: TextIO, text: str) -> None:
    """Write and flush; when the reader is gone the rest is dropped and the command ends as it would have."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
