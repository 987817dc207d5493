"""Counts the faults that are played, by number, and prints the count when the tests have run."""

import re

from tests.faults.catalogue import FAULTS, WAIVED

NUMBER = re.compile(r"test_(\d\d)_")
_PLAYED: dict[int, bool] = {}


def pytest_runtest_logreport(report):
    found = NUMBER.search(report.nodeid)
    if found and report.nodeid.startswith("tests/faults/") and report.when == "call":
        number = int(found.group(1))
        _PLAYED[number] = _PLAYED.get(number, True) and report.passed


def pytest_terminal_summary(terminalreporter):
    if not _PLAYED:
        return
    good = sorted(number for number, passed in _PLAYED.items() if passed)
    terminalreporter.write_line(
        f"faults of wire and venue: {len(good)} of {len(FAULTS)} played with their outcome, {len(WAIVED)} waived"
    )
    missing = sorted(set(FAULTS) - set(good) - set(WAIVED))
    if missing:
        terminalreporter.write_line(f"not played: {missing}")
    for number, reason in WAIVED.items():
        terminalreporter.write_line(f"waived {number} ({FAULTS[number]}): {reason}")
