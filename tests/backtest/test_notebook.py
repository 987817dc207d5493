"""The notebook of the examples runs without a network, and what stands in it is what its cells print."""

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_notebook_runs_from_import_to_tear_sheet_and_prints_what_it_shows(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    before = Path.cwd()
    text = runpy.run_path(str(ROOT / "docs" / "notebook.py"))["filled"]()
    kept = (ROOT / "examples" / "backtest.ipynb").read_text(encoding="utf-8")
    assert Path.cwd() == before
    for ran, shown in zip(json.loads(text)["cells"], json.loads(kept)["cells"], strict=True):
        assert ran == shown
    assert text == kept, "python docs/notebook.py writes it"
    for folder in ("run", "compared"):
        assert f"{folder}/tear_sheet.html" in text
