"""The page of the conformance list is what the list says, and the check sees when it is not."""

import re
import subprocess
import sys
from pathlib import Path

from tests.conformance.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs" / "conformance.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_page_is_up_to_date() -> None:
    result = run("--check")
    assert result.returncode == 0, result.stderr


def test_changed_or_missing_page_fails_the_check(tmp_path: Path) -> None:
    copy = tmp_path / "conformance.md"
    missing = run("--check", "--page", str(copy))
    copy.write_text(PAGE.read_text().replace("| happy |", "| refused |", 1))
    changed = run("--check", "--page", str(copy))
    assert (missing.returncode, changed.returncode) == (1, 1)
    assert "run python docs/conformance.py" in changed.stderr


def test_page_numbers_every_row_once() -> None:
    numbers = re.findall(r"^\| (\d+) \| (?:pybit|ccxt)", PAGE.read_text(), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(TABLE) + 1))
