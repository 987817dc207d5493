"""Counts the faults that are played, by number, and prints the count when the tests have run.

Most faults come in variants: over REST and over the socket, before and after the order was taken, each damaged body.
`make faults` (`EXECUTOR_CAMPAIGN=full`) plays all of them; otherwise one of each test is played, another from
test to test, so that every way is used.
"""

import os
import re
from collections import defaultdict

from tests.faults.catalogue import FAULTS, WAIVED

NUMBER = re.compile(r"test_(\d{2,3})_")
_PLAYED: dict[int, bool] = {}


def pytest_collection_modifyitems(config, items):
    if os.environ.get("EXECUTOR_CAMPAIGN") == "full" or "::" in "".join(config.args):
        return
    variants = defaultdict(list)
    for item in items:
        if item.nodeid.startswith("tests/faults/test_") and NUMBER.search(item.nodeid):
            variants[item.nodeid.partition("[")[0]].append(item)
    left_out = {
        id(item)
        for turn, group in enumerate(variants.values())
        for place, item in enumerate(group)
        if place != turn % len(group)
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


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
