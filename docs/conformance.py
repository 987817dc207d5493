"""Write docs/conformance.md: the list of calls that pybit and ccxt make against the local exchange.

    python docs/conformance.py            write the page
    python docs/conformance.py --check    exit 1 if the page is not what the list says

Run from the root of the project, where ``tests`` is.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Final

from pages import run, table

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.conformance.calls import Call, Client, Kind, versions  # noqa: E402 - the tests are not installed
from tests.conformance.table import subjects  # noqa: E402

HEADS: Final = ("#", "client", "version", "call", "endpoint or topic", "kind", "what is asserted")


def page() -> str:
    """Return the page: counts by client, then one table for each subject, numbered throughout."""
    installed = versions()
    calls = [call for rows in subjects() for call in rows.calls]
    lines = [
        "# Conformance of the local exchange",
        "",
        "<!-- Written by docs/conformance.py from tests/conformance. Change that, then run it again. -->",
        "",
        "The two public client libraries, unmodified, are pointed at the local exchange and make the calls of this",
        f"list: {len(calls)} of them. Each row is one test (`pytest tests/conformance`); a row asserts what the",
        "library makes of the answer in its own code, and that it means what was done.",
        "",
        table(("client", "version", "happy", "refused", "rows"), _counts(calls, installed)),
    ]
    number = 0
    for rows in subjects():
        numbered = []
        for call in rows.calls:
            number += 1
            numbered.append(_row(number, call, installed))
        lines += ["", f"## {rows.subject}", "", table(HEADS, numbered)]
    return "\n".join(lines) + "\n"


def _counts(calls: list[Call], installed: dict[str, str]) -> list[tuple[str, ...]]:
    counted = Counter((call.client, call.kind) for call in calls)
    rows = [
        (
            client.value,
            installed[client.library],
            str(counted[client, Kind.HAPPY]),
            str(counted[client, Kind.REFUSED]),
            str(counted[client, Kind.HAPPY] + counted[client, Kind.REFUSED]),
        )
        for client in Client
    ]
    happy = sum(counted[client, Kind.HAPPY] for client in Client)
    return [*rows, ("all", "", str(happy), str(len(calls) - happy), str(len(calls)))]


def _row(number: int, call: Call, installed: dict[str, str]) -> tuple[str, ...]:
    return (
        str(number),
        call.client.value,
        installed[call.client.library],
        f"`{call.method}`",
        f"`{call.target}`",
        call.kind.value,
        call.promise,
    )


if __name__ == "__main__":
    what = "Write the list of conformance rows."
    raise SystemExit(run(Path(__file__), what, {"conformance.md": page}, ROOT / "docs", sys.argv[1:]))
