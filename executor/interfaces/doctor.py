"""Everything that trading needs, looked at one thing after the other: this machine first, then the venue.

Nothing is changed and no order is sent; a running daemon is not disturbed. Each finding is told as soon as it is made.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final

from config.problems import ConfigProblems
from config.secrets import missing_credentials
from config.settings import Settings
from executor.domain.finding import Finding, Verdict, fine
from executor.interfaces.control_file import read_control_file
from executor.interfaces.pulse import DAEMON_SILENCE_S_MAX, SENTINEL_SILENCE_S_MAX, standstill, why_silent
from executor.interfaces.token import FILE_NAME, read_token
from executor.watch.halt_file import read_halt
from executor.watch.heartbeat import (
    SENTINEL_NAME,
    Unreadable,
    process_lives,
    read_heartbeat,
    this_boot,
)

CHECKS: Final[Mapping[str, str]] = {
    "settings": "the settings can be used; the mode's hosts are the only ones they name",
    "key": "a key pair is given, in a place that only we can read",
    "daemon": "no daemon runs in the data directory, or one whose heartbeat is fresh",
    "control token": "the token of the control interface is strong and can be read by us alone",
    "sentinel": "the process that cancels everything when the daemon falls silent is heard",
    "other venues": "every venue in `venues.file` has a key, and is one of which is known what its answers prove",
}
"""The checks of this module, in the order in which they are told."""
REQUESTS_MAX: Final = 20
"""How many of the venue's answers a whole look may wait for, each for the length of one request."""

Tell = Callable[[Finding], None]


def look_at_home(settings: Settings) -> Iterator[Finding]:
    """Look at what lies in the data directory besides the journal."""
    data_dir = settings.executor.data_dir
    yield fine(
        "settings",
        f"profile {settings.profile}, mode {settings.executor.mode.value}, {settings.venue.rest_url}",
    )
    keys = settings.credentials
    if keys is None and not settings.lacks_key:
        yield fine("key", "none is needed: nothing is signed")
    elif keys is None:
        problem = missing_credentials(settings.executor.mode, settings.other_keys)
        yield Finding(
            check="key",
            verdict=Verdict.FAIL,
            code=problem.code,
            found=f"no key in {problem.where}: {problem.got}",
            allowed=problem.allowed,
            next_step=problem.next_step,
        )
    else:
        yield fine("key", f"given by {keys.origin}")
    yield _daemon(data_dir)
    yield _token(settings.control.token_file or data_dir / FILE_NAME)
    yield _sentinel(data_dir, needed=settings.sentinel.enabled)


def latch_file(data_dir: Path) -> str | None:
    """Why the latch file stops everything; None if there is none."""
    halt = read_halt(data_dir)
    return None if halt is None else f"{halt.told} ({halt.first.operator} {halt.first.at})".strip()


async def tell_all(findings: AsyncIterator[Finding], tell: Tell, limit_s: float) -> None:
    """Tell findings as they come; what does not come in time is a finding too."""
    try:
        async with asyncio.timeout(limit_s):
            # Closed here and now, so that what it holds open does not outlive the loop.
            async with aclosing(findings) as stream:  # type: ignore[type-var]
                async for finding in stream:
                    tell(finding)
    except TimeoutError:
        tell(
            Finding(
                check="rest",
                verdict=Verdict.FAIL,
                code="TOO_SLOW",
                found=f"not everything was looked at within {limit_s:g} s",
                allowed="a venue that answers",
                next_step="check the network, then try again",
            )
        )


def _daemon(data_dir: Path) -> Finding:
    left = read_control_file(data_dir)
    if left is None:
        return fine("daemon", f"none runs in {data_dir}")
    if process_lives(left.pid):
        why = standstill(data_dir, left.pid)
        if not why:
            return fine("daemon", f"pid {left.pid}, version {left.version}, {left.url}")
        return Finding(
            check="daemon",
            verdict=Verdict.FAIL,
            code="DAEMON_HUNG",
            found=f"pid {left.pid} is there, but {why}",
            allowed=f"a heartbeat within {DAEMON_SILENCE_S_MAX:g} s",
            next_step="`executor kill` cancels every order without it; then end it"
            f" (`kill -9 {left.pid}`) and start it anew",
        )
    return Finding(
        check="daemon",
        verdict=Verdict.WARN,
        code="DAEMON_DIED",
        found=f"pid {left.pid} has ended without taking its control file away",
        allowed="a daemon that runs, or one that has ended as it should",
        next_step="orders may be open: start it again with `executor run`, or `executor kill`; its log says more",
    )


def _token(path: Path) -> Finding:
    if not path.exists() and not path.is_symlink():
        return fine("control token", "none yet; the daemon makes one at its start")
    try:
        read_token(path)
    except ConfigProblems as error:
        problem = error.problems[0]
        return Finding(
            check="control token",
            verdict=Verdict.FAIL,
            code=problem.code,
            found=f"{problem.where}: {problem.got}",
            allowed=problem.allowed,
            next_step=problem.next_step,
        )
    return fine("control token", str(path))


def _sentinel(data_dir: Path, *, needed: bool) -> Finding:
    try:
        beat = read_heartbeat(data_dir / SENTINEL_NAME)
        why = why_silent(beat, this_boot(), time.monotonic_ns())
        pid = 0 if beat is None else beat.pid
    except Unreadable as error:
        why, pid = str(error), 0
    if not why:
        return fine("sentinel", f"pid {pid} is heard")
    if not needed:
        return fine("sentinel", f"not needed (sentinel.enabled = false): {why}")
    if read_control_file(data_dir) is None:
        return fine("sentinel", f"{why}; no daemon runs, and `executor run` starts one beside it")
    return Finding(
        check="sentinel",
        verdict=Verdict.WARN,
        code="SENTINEL_SILENT",
        found=why,
        allowed=f"a beat within {SENTINEL_SILENCE_S_MAX:g} s; without it nothing is opened",
        next_step="wait some seconds if the daemon has just started; otherwise read sentinel.log, or start one"
        " with `executor sentinel`",
    )
