"""The page of faults is what the tests say: every number once, and the check sees when it is not."""

import re
import subprocess
import sys
from pathlib import Path

from tests.faults.catalogue import FAULTS, WAIVED

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs" / "faults.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_page_is_up_to_date() -> None:
    result = run("--check")
    assert result.returncode == 0, result.stderr


def test_changed_or_missing_page_fails_the_check(tmp_path: Path) -> None:
    copy = tmp_path / "faults.md"
    missing = run("--check", "--page", str(copy))
    copy.write_text(PAGE.read_text().replace("waived:", "played:", 1))
    changed = run("--check", "--page", str(copy))
    assert (missing.returncode, changed.returncode) == (1, 1)
    assert "run python docs/faults.py" in changed.stderr


def test_every_fault_is_played_or_waived_with_a_reason() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(FAULTS)
    for number, shown, files in rows:
        assert shown.startswith("waived: ") == (int(number) in WAIVED) == (not files.strip())
