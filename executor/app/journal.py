"""The journal of a data directory: opened, recovered from, put aside, replayed."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from config.hosts import Mode
from config.settings import Settings
from executor.domain.errors import ConfigError
from executor.domain.orders import base36
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_MS, NS_PER_S, iso_utc
from executor.domain.units import install_decimal_context
from executor.engine.state import EngineState
from executor.interfaces.version import version
from executor.runtime.account_record import NAME as ACCOUNT_NAME
from executor.runtime.audit import AuditResult, audit
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.venues.bybit.account_checks import CLOCK_ERROR_MS_MAX
from executor.venues.paper.account_file import NAME as PAPER_NAME

JOURNAL_NAME: Final = "journal.db"
_PLAY: Final = (Mode.SANDBOX, Mode.PAPER)
"""Where no order of a lost journal can be open at a real venue."""


def open_journal(settings: Settings, clock: Clock, *, init: bool) -> Journal:
    """Open the journal of the data directory; a new one is named after the second of its making."""
    return Journal.open(
        settings.executor.data_dir / JOURNAL_NAME,
        create=init or settings.executor.mode in _PLAY,
        instance=f"{settings.executor.instance}{base36(clock.now_ns() // NS_PER_S)}",
    )


def recover(journal: Journal, clock: Clock) -> EngineState:
    """Rebuild the state from the journal.

    Raises
    ------
    ConfigError
        If this machine's clock is behind the journal: the engine's time would stand still.
    """
    state = journal.recover()
    if clock.now_ns() < state.now_ns - CLOCK_ERROR_MS_MAX * NS_PER_MS:
        raise ConfigError(
            f"CLOCK_BACK: this machine's clock says {iso_utc(clock.now_ns())}, the journal ends at"
            f" {iso_utc(state.now_ns)}; set the clock (NTP) and start again"
        )
    return state


def put_journal_aside(settings: Settings, log: Log) -> None:
    """Rename the journal so that a new one is begun; nothing is deleted.

    Raises
    ------
    ConfigError
        On any venue but the sandbox and paper, where orders of the old journal could still be open.
    """
    if settings.executor.mode not in _PLAY:
        raise ConfigError(
            "--new is for the sandbox and paper only: on a real venue the journal is what knows our orders"
        )
    path = settings.executor.data_dir / JOURNAL_NAME
    path.with_name(ACCOUNT_NAME).unlink(missing_ok=True)
    paper = path.with_name(PAPER_NAME)
    if not (path.exists() or paper.exists()):
        return
    number = 1
    while any(_aside(part, number).exists() for part in (path, paper)):
        number += 1
    if paper.exists():
        paper.rename(_aside(paper, number))
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            aside = _aside(path, number)
            part.rename(aside.with_name(aside.name + suffix))
    log("journal put aside", path=_aside(path, number))


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def run_audit(path: Path, progress: Callable[[int, int], None] | None = None) -> AuditResult:
    """Replay a journal through the core and compare every command, byte for byte."""
    install_decimal_context()
    return audit(path, progress, version())
