"""What a newcomer does: the demonstration, from an empty directory, and what must not be loaded on the way."""

import json
import subprocess
import sys
from decimal import Decimal

import pytest

from benchmarks.startup import heavy_modules
from executor.runtime.audit import audit


@pytest.mark.process
@pytest.mark.timeout(180)
def test_demo_completes_and_prints_its_report_and_its_journal_audits(tmp_path):
    command = [sys.executable, "-m", "executor.interfaces.cli", "demo", "--seconds", "24", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    report = printed.get("report", printed)
    assert report["status"] == "COMPLETE"
    assert Decimal(report["cum_qty"]) == Decimal(report["order_qty"]) > 0
    assert "/metrics" in done.stderr
    result = audit(tmp_path / "var" / "sample-run" / "journal.db")
    assert result.identical
    assert result.commands > 10


@pytest.mark.parametrize("module", ["executor.interfaces.cli", "executor.app.start"])
def test_start_path_loads_nothing_heavy(module):
    assert heavy_modules(module) == []
