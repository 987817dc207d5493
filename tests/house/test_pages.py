"""The pages that a script writes are what their sources say now, and its check sees when they are not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.table import TABLE
from tests.faults.catalogue import FAULTS, WAIVED

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = (
    "configuration.md",
    "states.md",
    "strategies.md",
    "metrics.md",
    "refusals.md",
    "alerts.md",
    "exit-codes.md",
    "checks.md",
    "advice.md",
    "cli.md",
    "http.md",
    "parent-states.svg",
    "child-states.svg",
)

of_each_script = pytest.mark.parametrize(
    ("script", "folder", "names"),
    [
        pytest.param("generate.py", DOCS / "reference", REFERENCE, id="generate"),
        pytest.param("conformance.py", DOCS, ("conformance.md",), id="conformance"),
        pytest.param("faults.py", DOCS, ("faults.md",), id="faults"),
    ],
)


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DOCS / script, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@of_each_script
def test_only_changed_and_missing_pages_fail_the_check(
    script: str, folder: Path, names: tuple[str, ...], tmp_path: Path
) -> None:
    """`make lint` checks the pages themselves; here it is seen what that check sees."""
    same, missing, changed = names[2:], names[1:2], names[:1]
    for name in (*same, *changed):
        (tmp_path / name).write_bytes((folder / name).read_bytes() + b"\n" * (name in changed))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = run(script, "--check", "--folder", tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before, "a check writes nothing"
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        str(tmp_path / name) for name in (*changed, *missing)
    ]
    assert all(line.endswith(f": run python docs/{script}") for line in lines)


def test_the_page_of_conformance_numbers_every_row_once() -> None:
    numbers = re.findall(r"^\| (\d+) \| (?:pybit|ccxt)", (DOCS / "conformance.md").read_text(), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(TABLE) + 1))


def test_every_fault_is_played_or_waived_with_a_reason() -> None:
    rows = re.findall(
        r"^\| (\d+) \| [^|]+ \| ([^|]+) \| ([^|]*) \|$", (DOCS / "faults.md").read_text(), re.MULTILINE
    )
    assert [int(number) for number, _, _ in rows] == list(FAULTS)
    for number, shown, files in rows:
        assert shown.startswith("waived: ") == (int(number) in WAIVED) == (not files.strip())
