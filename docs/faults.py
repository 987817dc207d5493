"""Write docs/faults.md: every fault of wire and venue by number, and the tests that play it.

    python docs/faults.py            write the page
    python docs/faults.py --check    exit 1 if the page is not what the tests say

Run from the root of the project, where ``tests`` is.
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "faults.md"
PLAYS: Final = ROOT / "tests" / "faults"
NUMBER: Final = re.compile(r"test_(\d\d)_(\w+)")
sys.path.insert(0, str(ROOT))

from tests.faults.catalogue import FAULTS, WAIVED  # noqa: E402 - the tests are not installed

HEADS: Final = ("#", "what goes wrong", "played as", "in")


def plays() -> dict[int, list[tuple[str, str]]]:
    """Return what is played, in plain words, and in which file, by number of the fault."""
    found = defaultdict(list)
    for path in sorted(PLAYS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            name = NUMBER.fullmatch(node.name) if isinstance(node, ast.AsyncFunctionDef) else None
            if name:
                found[int(name[1])].append((name[2].replace("_", " "), path.name))
    return found


def page() -> str:
    """Return the page."""
    played = plays()
    seen = len(set(played) & set(FAULTS))
    counted = (
        f"What goes wrong between the daemon and an exchange, in {len(FAULTS)} numbers: {seen} are played,"
        f" {len(WAIVED)} waived."
    )
    lines = [
        "# Faults of wire and venue",
        "",
        "<!-- Written by docs/faults.py from tests/faults. Change that, then run it again. -->",
        "",
        counted,
        "A whole daemon (engine, journal, runtime, Bybit client) works against the local exchange over real sockets",
        "while the fault happens. Each test states its own outcome; after each of them the following holds as well, by",
        "what the exchange knows: every execution is booked once with its quantity and price; no parent can execute",
        "more than its quantity; each order left at most once; nothing is left in doubt; the journal replays to the",
        "same state.",
        "",
        "`make test` plays one variant of each test, `make faults` all of them (each way to send, before and after the",
        "order was taken, every damaged body), `make campaign` 2 000 seeded lives with several faults at once.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "| " + " | ".join("---" for _ in HEADS) + " |",
    ]
    for number, what in FAULTS.items():
        shown = "; ".join(title for title, _ in played.get(number, [])) or f"waived: {WAIVED[number]}"
        files = ", ".join(f"`{name}`" for name in sorted({name for _, name in played.get(number, [])}))
        lines.append(f"| {number} | {what} | {shown} | {files} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the list of faults that are played.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page differs")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page is (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        chosen.page.write_text(page(), encoding="utf-8")
        return 0
    if chosen.page.is_file() and chosen.page.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"{chosen.page} differs from the tests: run python docs/faults.py\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
