"""The sentinel as a process: one per data directory, ended by SIGTERM or SIGINT."""

import asyncio
import os
import signal

from config.stop import StopSettings
from executor.domain.timeline import iso_utc
from executor.runtime.clock import Clock
from executor.runtime.lock import ProcessLock
from executor.runtime.log import LineLog
from executor.sentinel.account import confirm_s, open_account
from executor.sentinel.elsewhere import sweeps_elsewhere
from executor.sentinel.place import LOCK_NAME
from executor.sentinel.watcher import Ending, Watcher


def run_sentinel(settings: StopSettings, *, ends_with_daemon: bool) -> Ending:
    """Watch the daemon of a data directory.

    Raises
    ------
    AlreadyRunning
        If another sentinel watches it.
    ConfigError
        If the lock file cannot be made, or the file of other venues cannot be read.
    """
    clock = Clock()
    log = LineLog(clock.now_ns, settings.log.level.value, as_json=settings.log.format.value == "json")
    with ProcessLock(settings.data_dir / LOCK_NAME):
        watcher = Watcher(
            settings.data_dir,
            silence_s_max=float(settings.sentinel.silence_s_max),
            open_venue=lambda: open_account(settings),
            confirm_s=confirm_s(settings),
            algorithms=settings.algorithms,
            elsewhere=sweeps_elsewhere(settings, os.environ, log),
            ends_with_daemon=ends_with_daemon,
            now_text=lambda: iso_utc(clock.now_ns()),
            log=log,
        )
        return asyncio.run(_until_stopped(watcher))


async def _until_stopped(watcher: Watcher) -> Ending:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await watcher.run(stop)
