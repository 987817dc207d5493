"""Starting a sentinel beside the daemon, and starting it again should it die.

It gets a session of its own, so that no signal to the daemon's group, terminal or process takes it along, and it
writes its lines into a file of the data directory, because it must outlive the daemon's terminal.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from config.secrets import ADVISER_ENV
from executor.domain.ports import Log
from executor.sentinel.place import sentinel_runs

LOG_NAME: Final = "sentinel.log"
LOG_BYTES_MAX: Final = 4 << 20
WITH_DAEMON: Final = "--ends-with-daemon"
_CLI: Final = "executor.interfaces.cli"
_CHECK_EVERY_S: Final = 1.0
_AGAIN_S: Final = 3.0


def spawn_sentinel(
    data_dir: Path, words: Sequence[str], environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start `executor sentinel` with these words in a session of its own.

    Raises
    ------
    OSError
        If its log or the process cannot be made.
    """
    path = data_dir / LOG_NAME
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".1.log"))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", _CLI, "sentinel", WITH_DAEMON, *words],
            # It asks no model: what it has no use for it is not given.
            env={name: value for name, value in environ.items() if name != ADVISER_ENV},
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
        )
    finally:
        os.close(handle)


@asynccontextmanager
async def keeping_sentinel(
    data_dir: Path, words: Sequence[str], environ: Mapping[str, str], log: Log
) -> AsyncIterator[None]:
    """Have a sentinel run as long as the daemon does; when that ends the sentinel decides for itself when to."""
    task = asyncio.get_running_loop().create_task(_keep(data_dir, words, environ, log))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep(data_dir: Path, words: Sequence[str], environ: Mapping[str, str], log: Log) -> None:
    child: subprocess.Popen[bytes] | None = None
    while True:
        if child is not None and child.poll() is not None:
            log("the sentinel ended", level="warning", pid=child.pid, exit_code=child.returncode)
            child = None
            await asyncio.sleep(_AGAIN_S)
        if child is None and not sentinel_runs(data_dir):
            try:
                child = spawn_sentinel(data_dir, words, environ)
                log("sentinel started", pid=child.pid, log=str(data_dir / LOG_NAME))
            except OSError as error:
                log("the sentinel cannot be started", level="error", error=str(error))
        await asyncio.sleep(_CHECK_EVERY_S)
