"""How the daemon ends: when it is asked to and when it fails, and what is said of the orders that may remain."""

import asyncio
import os
import signal

from config.settings import Settings
from executor.domain.errors import InvariantViolation, JournalError, LocalProtocolError
from executor.domain.events import DrainPolicy, ShutdownRequested
from executor.interfaces.exit_codes import ExitCode
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.latch import latch_in_journal
from executor.runtime.live import LiveRuntime
from executor.runtime.log import LineLog
from executor.runtime.open_parents import say_left_open
from executor.watch.vigil import Vigil


def stop_on_signals(settings: Settings, log: LineLog) -> asyncio.Event:
    """Have signals ask for an orderly end by setting an event; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(ExitCode.INTERRUPTED)
        log("stopping", policy=settings.shutdown.policy.value)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


async def until_stopped(
    stop: asyncio.Event,
    runtime: LiveRuntime,
    journal: Journal,
    clock: Clock,
    settings: Settings,
    vigil: Vigil,
    log: LineLog,
) -> int:
    """Work until the end is asked for, or a failure brings it; returns the exit code."""
    try:
        clean = await runtime.run(
            stop, ShutdownRequested(at_ns=0, policy=settings.shutdown.policy), float(settings.shutdown.drain)
        )
    except BaseExceptionGroup as group:
        first = first_error(group)
        text = f"{type(first).__name__}: {first}"
        vigil.end(clean=False, detail=text)
        log("stopped by a failure", level="error", error=text)
        if isinstance(first, InvariantViolation | LocalProtocolError | AssertionError):
            latch_in_journal(journal, clock, text)
            log(
                "halted until a person re-arms",
                level="error",
                next="executor rearm --operator NAME --reason TEXT",
            )
        else:
            say_left_open(runtime.engine.state, log)
        _list_remaining(runtime, log)
        return int(ExitCode.DURABILITY if isinstance(first, JournalError) else ExitCode.ORDERS_MAY_REMAIN)
    _list_remaining(runtime, log)
    say_left_open(runtime.engine.state, log)
    say_the_end(runtime, vigil, settings.shutdown.policy, clean=clean)
    log("stopped", clean=clean)
    return int(ExitCode.OK if clean else ExitCode.ORDERS_MAY_REMAIN)


def say_the_end(runtime: LiveRuntime, vigil: Vigil, policy: DrainPolicy, *, clean: bool) -> None:
    """Tell the sentinel how the daemon ended: orders that were left on purpose are left by it too."""
    if policy is DrainPolicy.LEAVE:
        vigil.end(clean=True, detail=f"{len(runtime.remaining())} orders were left open on purpose")
    elif clean:
        vigil.end(clean=True, detail="a clean shutdown, nothing is open")
    else:
        vigil.end(clean=False, detail=f"{len(runtime.remaining())} orders could not be proved cancelled")


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error inside a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _list_remaining(runtime: LiveRuntime, log: LineLog) -> None:
    for name in runtime.remaining():
        log("order may remain open", level="warning", id=name)
