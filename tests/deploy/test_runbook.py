"""No way to end, no halt and no alarm of the code is without its page in the runbook."""

import ast
from pathlib import Path

import pytest

from deploy.runbook import EXITS, HALTS, LOOK, alarms, page
from executor.domain.commands import AlertCode
from executor.interfaces.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
EXECUTOR = ROOT / "executor"
PULLS = {"halt", "HaltRequested", "new_halt"}
"""What pulls the stop: the engine's own function, the event that asks for it, and the latch on disk."""
DEFINES = {"engine/halt.py", "domain/events.py", "watch/halt_file.py"}
ALL = {
    **{code.name: entry for code, entry in EXITS.items()},
    **HALTS,
    **{code.value: entry for code, entry in alarms().items()},
}


def places_that_halt():
    """Every module that pulls the stop, with the reason for which the engine then pauses parents."""
    found = set()
    for path in EXECUTOR.rglob("*.py"):
        name = path.relative_to(EXECUTOR).as_posix()
        if name in DEFINES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PULLS):
                continue
            reasons = [
                each.attr for each in node.args if isinstance(each, ast.Attribute) and each.attr.isupper()
            ]
            found.add(" ".join([name, *reasons[:1]]))
    return found


def test_every_exit_code_has_its_section():
    assert set(EXITS) == set(ExitCode)
    for code in ExitCode:
        assert f"### Exit code {code.value}: {code.name}\n" in page()


def test_every_place_that_halts_has_its_section_and_no_section_is_of_a_place_that_is_gone():
    assert len(places_that_halt()) > 10
    named = [place for entry in HALTS.values() for place in entry.raised_by]
    assert len(named) == len(set(named))
    assert set(named) == places_that_halt()
    assert all(entry.raised_by for entry in HALTS.values())


def test_every_alarm_has_its_section():
    assert set(LOOK) == set(AlertCode)
    for code in AlertCode:
        assert f"### {code.value}\n" in page()


@pytest.mark.parametrize("name", ALL)
def test_a_section_says_what_it_means_what_to_look_at_and_what_to_do(name):
    entry = ALL[name]
    assert entry.means.endswith(".")
    assert entry.look
    assert entry.do
    assert all(each[-1] in ".?" for each in (*entry.look, *entry.do)), entry
