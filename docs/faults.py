"""Write docs/faults.md: every fault of wire and venue by number, and the tests that play it.

    python docs/faults.py            write the page
    python docs/faults.py --check    exit 1 if the page is not what the tests say

Run from the root of the project, where ``tests`` is.
"""

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from pages import run, table

ROOT: Final = Path(__file__).resolve().parents[1]
PLAYS: Final = ROOT / "tests" / "faults"
NUMBER: Final = re.compile(r"test_(\d{2,3})_(\w+)")
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
    ]
    rows = []
    for number, what in FAULTS.items():
        shown = "; ".join(title for title, _ in played.get(number, [])) or f"waived: {WAIVED[number]}"
        files = ", ".join(f"`{name}`" for name in sorted({name for _, name in played.get(number, [])}))
        rows.append((str(number), what, shown, files))
    return "\n".join([*lines, table(HEADS, rows)]) + "\n"


if __name__ == "__main__":
    what = "Write the list of faults that are played."
    raise SystemExit(run(Path(__file__), what, {"faults.md": page}, ROOT / "docs", sys.argv[1:]))
