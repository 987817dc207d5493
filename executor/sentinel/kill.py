"""The kill: pull the stop and cancel everything now, from any terminal, whatever the daemon is doing."""

import asyncio
import os
from dataclasses import dataclass

from config.secrets import make_private_dir
from config.stop import StopSettings
from executor.domain.errors import ConfigError
from executor.domain.ports import Log
from executor.domain.timeline import iso_utc
from executor.runtime.clock import Clock
from executor.sentinel.account import confirm_s, open_account
from executor.sentinel.elsewhere import VenueSweep, sweeps_elsewhere
from executor.sentinel.sweep import Sweep
from executor.watch.halt_file import halt_path, name_orders, new_halt, write_halt


@dataclass(frozen=True, slots=True, kw_only=True)
class KillResult:
    """What a kill has done.

    Parameters
    ----------
    latch_error
        Why the latch file could not be written; empty if it was. Without it a running daemon may open again.
    cancelled
        Orders that were found and are proved gone, or of which `may_remain` speaks.
    may_remain
        What is not proved gone.
    """

    latch_file: str
    latch_error: str
    cancelled: tuple[str, ...]
    may_remain: tuple[str, ...]

    @property
    def proved(self) -> bool:
        """Whether nothing is open, and nothing will be opened."""
        return not self.may_remain and not self.latch_error


def kill_everything(
    settings: StopSettings, log: Log, *, operator: str, reason: str, deadline_s: float
) -> KillResult:
    """Write the latch file, then cancel until nothing is open or the time is up.

    Parameters
    ----------
    deadline_s
        Time for the proof, seconds.

    Raises
    ------
    ConfigProblems
        DATA_DIR if there is no place for the latch file and none can be made.
    """
    make_private_dir(settings.data_dir)
    return asyncio.run(_kill(settings, log, operator, reason, deadline_s))


async def _kill(
    settings: StopSettings, log: Log, operator: str, reason: str, deadline_s: float
) -> KillResult:
    path = str(halt_path(settings.data_dir).absolute())
    halt = new_halt(iso_utc(Clock().now_ns()), operator, reason)
    latch_error = ""
    try:
        write_halt(settings.data_dir, halt)
        log("the latch file is written: no daemon opens anything until a person re-arms", path=path)
    except OSError as error:
        latch_error = str(error)
        log("the latch file cannot be written; cancelling all the same", level="error", error=latch_error)
    unread: list[str] = []
    try:
        others = sweeps_elsewhere(settings, os.environ, log)()
    except ConfigError as error:  # what cannot be cancelled there must not keep anybody from cancelling here
        others, unread = [], [f"other venues: {error}"]
    async with open_account(settings) as venue:
        sweep = Sweep(venue, log, confirm_s=confirm_s(settings), algorithms=settings.algorithms)
        sweeps: tuple[Sweep | VenueSweep, ...] = (sweep, *others)
        try:
            async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as group:
                for each in sweeps:
                    group.create_task(each.run())
            may_remain = unread
            await sweep.describe()
        except TimeoutError:
            may_remain = [line for each in sweeps for line in each.may_remain] + unread
            may_remain = may_remain or ["the second read, after all requests have expired, was not finished"]
    found = [text for each in sweeps for text in each.found.values()]
    if not latch_error:
        try:
            name_orders(settings.data_dir, halt.halt_id, found)
        except OSError as error:
            log(
                "the names of the orders cannot be added to the latch file", level="warning", error=str(error)
            )
    return KillResult(
        latch_file=path,
        latch_error=latch_error,
        cancelled=tuple(found),
        may_remain=tuple(may_remain),
    )
