"""Write the reference pages that are drawn from the code: states, metrics, refusals, exit codes, checks.

    python docs/generate.py            write docs/reference/*.md
    python docs/generate.py --check    exit 1 and name the pages that differ

The project must be installed, or its root on PYTHONPATH.
"""

import argparse
import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from executor.domain.order_state import CHILD_FINAL, CHILD_MOVES
from executor.domain.parent_state import PARENT_FINAL, PARENT_MOVES
from executor.domain.timeline import NS_PER_MIN
from executor.interfaces.doctor import CHECKS as HOME_CHECKS
from executor.interfaces.exit_codes import ExitCode
from executor.runtime.metrics import METRICS
from executor.runtime.premises import CHECKS as PREMISES_CHECKS
from executor.runtime.telemetry import PARENT_SERIES_MAX, PARENT_SHOWN_AFTER_END_NS
from executor.venues.bybit.examination import CHECKS as VENUE_CHECKS
from risk.refusals import REFUSAL_TEXT

FOLDER: Final = Path(__file__).resolve().parent / "reference"
Status = TypeVar("Status", bound=StrEnum)
_NOTE: Final = "<!-- Written by docs/generate.py from `{source}`. Change that, then run it again. -->"


def states_page() -> str:
    """Draw both state machines and list every move with its reason."""
    return _page(
        "States",
        "executor/domain/parent_state.py, executor/domain/order_state.py",
        "What is not listed is illegal: the engine halts rather than make such a move.",
        "## Parent order",
        _diagram(PARENT_MOVES, PARENT_FINAL),
        _moves_table(PARENT_MOVES),
        "## Child order",
        _diagram(CHILD_MOVES, CHILD_FINAL),
        _moves_table(CHILD_MOVES),
    )


def metrics_page() -> str:
    """List every metric of the daemon."""
    rows = (
        (f"`{each.name}`", each.kind, each.unit, ", ".join(f"`{label}`" for label in each.labels), each.text)
        for each in METRICS
    )
    buckets = (
        (f"`{each.name}`", ", ".join(f"{bound:g}" for bound in each.buckets))
        for each in METRICS
        if each.buckets
    )
    return _page(
        "Metrics",
        "executor/runtime/metrics.py",
        "Served in Prometheus' text format. A figure that is not known is absent, never zero.",
        f"A parent has series while it lives and for {PARENT_SHOWN_AFTER_END_NS // NS_PER_MIN} minutes after, at most "
        f"{PARENT_SERIES_MAX} of them. Symbols and parents come from the engine's state; every other label takes its "
        "values from a short fixed list.",
        _table(("name", "kind", "unit", "labels", "meaning"), rows),
        "## Buckets of the histograms, seconds",
        _table(("name", "upper bounds"), buckets),
    )


def refusals_page() -> str:
    """List every reason for which the gate refuses an order."""
    return _page(
        "Refusals",
        "risk/refusals.py",
        "The gate looks at every child order before it leaves and collects all reasons that hold. A refused order "
        "is recorded and never sent. Limits named here are listed by `executor config show`.",
        _table(("code", "when"), ((f"`{code}`", text) for code, text in REFUSAL_TEXT.items())),
    )


def exit_codes_page() -> str:
    """List the exit codes of the command line with the text beside each."""
    texts = _texts_of_members(ExitCode)
    return _page(
        "Exit codes",
        "executor/interfaces/exit_codes.py",
        "How a command of `executor` ends.",
        _table(
            ("code", "name", "meaning"),
            ((str(int(code)), f"`{code.name}`", texts[code.name]) for code in ExitCode),
        ),
    )


def checks_page() -> str:
    """List everything that `executor doctor` looks at."""
    parts = (
        ("## This machine", {**HOME_CHECKS, **PREMISES_CHECKS}),
        ("## The venue", VENUE_CHECKS),
    )
    tables = (
        (head, _table(("check", "all is well when"), ((f"`{name}`", text) for name, text in checks.items())))
        for head, checks in parts
    )
    return _page(
        "What `executor doctor` looks at",
        "executor/interfaces/doctor.py, executor/runtime/premises.py, executor/venues/bybit/examination.py",
        "In this order; what depends on something that failed is left out. What to do about a finding: "
        "[../doctor.md](../doctor.md).",
        *(block for table in tables for block in table),
    )


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "states.md": states_page,
    "metrics.md": metrics_page,
    "refusals.md": refusals_page,
    "exit-codes.md": exit_codes_page,
    "checks.md": checks_page,
}


def differing(folder: Path) -> list[str]:
    """Name the pages whose file in `folder` is missing or is not what the code says now."""
    return [
        name
        for name, make in PAGES.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def write(folder: Path) -> None:
    """Write every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the reference pages that are drawn from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page differs")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where the pages are (default: %(default)s)"
    )
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        write(chosen.folder)
        return 0
    names = differing(chosen.folder)
    for name in names:
        sys.stderr.write(f"{chosen.folder / name} differs from the code: run python docs/generate.py\n")
    return 1 if names else 0


def _page(title: str, source: str, *blocks: str) -> str:
    return "\n\n".join((f"# {title}", _NOTE.format(source=source), *blocks)) + "\n"


def _diagram(moves: Mapping[Status, Mapping[Status, str]], final: Iterable[Status]) -> str:
    first = next(iter(moves))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {source} --> {target}" for source, targets in moves.items() for target in targets]
    lines += [f"    {status} --> [*]" for status in moves if status in set(final)]
    return "\n".join([*lines, "```"])


def _moves_table(moves: Mapping[Status, Mapping[Status, str]]) -> str:
    rows = [
        (f"`{source}`", f"`{target}`", reason)
        for source, targets in moves.items()
        for target, reason in targets.items()
    ]
    rows += [(f"`{source}`", "", "nothing follows") for source, targets in moves.items() if not targets]
    return _table(("from", "to", "when"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _texts_of_members(kind: type) -> dict[str, str]:
    """Read the string that stands under each member of an enumeration in its source."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for member, note in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name):
            assert isinstance(note, ast.Expr), f"{kind.__name__}.{member.targets[0].id} has no text"
            assert isinstance(note.value, ast.Constant)
            texts[member.targets[0].id] = str(note.value.value)
    return texts


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
