"""The reference pages hold a row for everything that the code has: states, metrics, refusals, exit codes, settings."""

import inspect
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from config.schema import SECTIONS
from executor.adviser import preflight
from executor.domain.advice import Failure
from executor.domain.commands import AlertCode
from executor.domain.order_state import CHILD_MOVES
from executor.domain.parent_state import PARENT_MOVES
from executor.engine import verbs as engine_verbs
from executor.interfaces.alerts import ALERT_TEXT
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.remedies import ANSWER_REMEDY, END_REMEDY, REFUSAL_REMEDY
from executor.runtime.metrics import METRICS
from risk.refusals import RefusalCode

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
SVG = "{http://www.w3.org/2000/svg}"


def test_states_page_holds_every_move_with_its_reason() -> None:
    text = (REFERENCE / "states.md").read_text()
    for moves, picture in ((PARENT_MOVES, "parent-states.svg"), (CHILD_MOVES, "child-states.svg")):
        assert f"]({picture})" in text
        drawn = ET.parse(REFERENCE / picture).getroot()
        told = {part for title in drawn.iter(f"{SVG}title") for part in (title.text or "").split("; ")}
        ends = {end for end, targets in moves.items() if all(not moves[target] for target in targets)}
        for source, targets in moves.items():
            for target, reason in targets.items():
                assert f"| `{source}` | `{target}` | {reason} |" in text
                if target not in ends:
                    assert f"{source} to {target}: {reason}".split("; ")[0] in told


def test_each_state_is_drawn_with_the_ends_that_it_may_come_to() -> None:
    for moves, picture in ((PARENT_MOVES, "parent-states.svg"), (CHILD_MOVES, "child-states.svg")):
        drawn = ET.parse(REFERENCE / picture).getroot()
        words = [(part.get("class"), part.text or "") for part in drawn.iter(f"{SVG}text")]
        legend = words.index(("note", "How it may end:"))
        ends = {text for kind, text in words[legend:] if kind == "end"}
        shown: dict[str, set[str]] = {}
        for kind, text in words[:legend]:
            if kind == "name":
                inside = shown.setdefault(text, set())
            elif kind == "end":
                inside.add(text)
        assert {*shown, *ends} == {str(state) for state in moves}
        assert all(
            shown[state] == {str(each) for each in moves[state]} & ends for state in moves if state in shown
        )


def test_the_readme_counts_the_reasons_to_refuse() -> None:
    assert f"{len(RefusalCode)} published reasons to refuse" in (ROOT / "README.md").read_text()


def test_every_metric_refusal_and_exit_code_has_one_row() -> None:
    def first_cells(page: str, cell: int) -> list[str]:
        rows = re.findall(r"^\| (?!---)(.*) \|$", (REFERENCE / page).read_text(), re.MULTILINE)
        return [row.split(" | ")[cell].strip("`") for row in rows]

    metrics = first_cells("metrics.md", 0)
    assert [name for name in metrics if name.startswith("executor_")][: len(METRICS)] == [
        each.name for each in METRICS
    ]
    refusals = first_cells("refusals.md", 0)[1:]
    assert refusals[: len(RefusalCode)] == list(RefusalCode)
    assert {*END_REMEDY, *ANSWER_REMEDY} <= set(refusals)
    assert first_cells("exit-codes.md", 1)[1:] == [code.name for code in ExitCode]


def test_every_alert_has_a_row_with_what_to_do() -> None:
    assert list(ALERT_TEXT) == list(AlertCode)
    text = (REFERENCE / "alerts.md").read_text()
    for code, (what, help_text) in ALERT_TEXT.items():
        assert f"| `{code}` | {what} | {help_text} |" in text


def test_every_setting_has_a_row_with_what_is_allowed_and_what_it_does() -> None:
    text = (REFERENCE / "configuration.md").read_text()
    for name, model in SECTIONS.items():
        part = text.partition(f"## `[{name}]`\n")[2].partition("\n## ")[0]
        rows = [row.strip("| ").split(" | ") for row in re.findall(r"^\| `.*$", part, re.MULTILINE)]
        assert [row[0].strip("`") for row in rows] == list(model.model_fields)
        assert all(len(row) == 5 and row[1] and row[2] and len(row[4]) > 10 for row in rows), name


def test_every_reason_to_refuse_has_a_remedy() -> None:
    assert list(REFUSAL_REMEDY) == list(RefusalCode)
    assert all(len(text) > 10 for text in REFUSAL_REMEDY.values())
    verbs = inspect.getsource(engine_verbs)
    refused = set(
        re.findall(
            r"Outcome\.(?!ACCEPTED|REPEATED)[A-Z]+,\s*(?:event\.)?(?:parent_id,\s*)?\"([A-Z_]+)\"", verbs
        )
    )
    assert {"OPPOSITE", "POSITION_IDX", "HALTED", "ENDED", "PARENT"} <= refused | set(ANSWER_REMEDY)
    assert refused <= set(ANSWER_REMEDY), "a request that is refused says how to mend it"


def test_every_finding_about_the_model_has_a_row() -> None:
    text = (ROOT / "docs" / "doctor.md").read_text()
    rows = [row.split(" | ")[0] for row in re.findall(r"^\| `.*$", text, re.MULTILINE)]
    listed = {code for row in rows for code in re.findall(r"`([A-Z_]+)`", row)}
    written = set(re.findall(r'code="([A-Z_]+)"', inspect.getsource(preflight)))
    assert {"MODEL_UNKNOWN", "MODEL_LIST", "TAPE"} <= written
    # A tape and an unwritten question are no failures of a client.
    asked = {f"MODEL_{failure}" for failure in set(Failure) - {Failure.NOT_ON_TAPE, Failure.UNWRITTEN}}
    assert written | asked <= listed
