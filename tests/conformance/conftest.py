"""Sums the run up in one line: how many rows, how many passed, and by which client."""

from collections import Counter

from tests.conformance.calls import versions
from tests.conformance.table import TABLE

_CLIENT_OF = {call.name: call.client for call in TABLE}


def pytest_terminal_summary(terminalreporter):
    ran, passed = Counter(), Counter()
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            _, _, name = report.nodeid.partition("::test_call[")
            client = _CLIENT_OF.get(name.removesuffix("]"))
            if client is not None and (report.when == "call" or outcome != "passed"):
                ran[client] += 1
                passed[client] += outcome == "passed"
    if not ran:
        return
    by_client = ", ".join(f"{client} {passed[client]}/{ran[client]}" for client in ran)
    libraries = ", ".join(f"{name} {number}" for name, number in versions().items())
    terminalreporter.write_line(
        f"conformance: {ran.total()} rows, {passed.total()} passed; by client {by_client}; {libraries}"
    )
