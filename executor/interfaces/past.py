"""What can be told while no daemon runs: read from the journal it has left."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from config.load import locate_data_dir
from config.problems import quoted
from executor.domain.units import install_decimal_context
from executor.interfaces import advice_views, views
from executor.interfaces.client import Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.output import say

if TYPE_CHECKING:
    from executor.engine.state import ParentState
    from executor.runtime.reading import PastRun


def past_run(profile: str, config: Path | None, url: str | None, error: CommandFailed) -> "PastRun":
    """Read the journal of the data directory in place of a daemon that does not run.

    Parameters
    ----------
    error
        Why the daemon did not answer; raised again if the journal is no answer to that.
    """
    if url is not None or error.problems[0].code != "DAEMON_NOT_RUNNING":
        raise error
    from executor.app.journal import JOURNAL_NAME  # noqa: PLC0415 - brings the engine with it
    from executor.runtime.reading import read_past_run  # noqa: PLC0415

    path = locate_data_dir(profile, config, os.environ)[0] / JOURNAL_NAME
    if not path.is_file():
        raise error
    install_decimal_context()
    past = read_past_run(path)
    say(f"no daemon runs; this is read from {path}")
    return past


def past_report(past: "PastRun", parent_id: str) -> Json:
    """Give the cost report of a parent of the journal.

    Raises
    ------
    CommandFailed
        PARENT if it has no such parent.
    """
    parent = _known(past, parent_id)
    return views.report_view(past.report(parent), past.state, parent)


def past_decisions(past: "PastRun", parent_id: str) -> Json:
    """Give every question about a parent of the journal and what became of it, newest last.

    Raises
    ------
    CommandFailed
        PARENT if it has no such parent.
    """
    parent = _known(past, parent_id)
    return advice_views.decisions_view(past.report(parent), past.state, parent)


def past_parents(past: "PastRun") -> Json:
    """Show every parent of the journal as it stood at the last event."""
    return views.parents_view(past.state, past.state.now_ns)


def _known(past: "PastRun", parent_id: str) -> "ParentState":
    parent = past.state.parents.get(parent_id)
    if parent is None:
        raise failed(
            ExitCode.REFUSED,
            "PARENT",
            "PARENT",
            quoted(parent_id),
            "the id of a known parent",
            "`executor list` shows all of them",
        )
    return parent
