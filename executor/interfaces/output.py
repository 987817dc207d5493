"""What the command line prints: results on standard output, remarks on standard error, nothing that moves a cursor."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from config.problems import Problem, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


PIPE_WIDTH: Final = 200


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


def show_rich(renderable: "RenderableType") -> None:
    """Print a table on standard output; where that is no terminal, nothing is cut or padded."""
    console = console_on(sys.stdout)
    if not sys.stdout.isatty():
        console.width = max(console.width, PIPE_WIDTH)
    with console.capture() as capture:
        console.print(renderable)
    text = capture.get()
    if not sys.stdout.isatty():
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    _write(sys.stdout, text)


@contextmanager
def progress_on_terminal(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error while long work goes on; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - slow to import, and only needed on a terminal

    with Progress(console=console_on(sys.stderr), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


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
