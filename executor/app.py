"""The composition root: the only place that knows every part, and the only one that names a venue."""

import asyncio
import gc
import os
import secrets
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from config.hosts import Mode
from config.settings import Settings
from executor.domain.commands import Reply
from executor.domain.errors import ConfigError, InvariantViolation, JournalError, LocalProtocolError, Overflow
from executor.domain.events import EngineStarted, Event, ShutdownRequested
from executor.domain.orders import base36
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_MS, NS_PER_S, iso_utc
from executor.domain.units import install_decimal_context
from executor.engine.engine import Engine
from executor.engine.state import EngineState
from executor.interfaces.api import build_app, serve
from executor.interfaces.control import ControlBusy, DaemonInfo
from executor.interfaces.control_file import ControlFile, control_url, remove_control_file, write_control_file
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.token import FILE_NAME as TOKEN_NAME
from executor.interfaces.token import ensure_token
from executor.interfaces.version import version
from executor.runtime.audit import AuditResult, audit
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.latch import latch_in_journal
from executor.runtime.live import LiveRuntime
from executor.runtime.lock import ProcessLock, account_lock_path
from executor.runtime.log import LineLog
from executor.venues.bybit.access import Access
from executor.venues.bybit.gateway import BybitVenue
from risk.turnstile import Turnstile

JOURNAL_NAME = "journal.db"
CLOCK_ERROR_MS_MAX = 500


class Daemon:
    """A running daemon as the interfaces see it."""

    def __init__(self, runtime: LiveRuntime, clock: Clock, info: DaemonInfo) -> None:
        self._runtime = runtime
        self._clock = clock
        self._info = info

    @property
    def state(self) -> EngineState:
        """What the engine remembers; only to be read."""
        return self._runtime.engine.state

    @property
    def info(self) -> DaemonInfo:
        """Which daemon this is."""
        return self._info

    def now_ns(self) -> int:
        """The present by the clock that stamps events."""
        return self._clock.now_ns()

    async def ask(self, event: Event) -> Reply:
        """Hand an operator's request to the engine and wait for its reply."""
        try:
            return await self._runtime.ask(event, str(getattr(event, "request_id", "")))
        except Overflow as error:
            raise ControlBusy(str(error)) from error

    def report(self, parent_id: str) -> Mapping[str, object] | None:
        """The cost report of a parent."""
        return self._runtime.report(parent_id)

    def metrics_page(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text form."""
        return self._runtime.telemetry.page()

    def ready(self) -> tuple[bool, tuple[str, ...]]:
        """Whether new parents can be worked, and why not."""
        reasons = standing_doubts(self.state)
        return not reasons, reasons


def standing_doubts(state: EngineState) -> tuple[str, ...]:
    """Why nothing could be opened now, whatever the parent."""
    checks = (
        (state.latched, "HALTED"),
        (state.draining, "DRAINING"),
        (not state.private_live, "PRIVATE_STREAM_DOWN"),
        (any(not done for done in state.reconciled.values()), "UNRECONCILED"),
    )
    return tuple(code for holds, code in checks if holds)


def run_daemon(settings: Settings, profile: str, *, init: bool, new: bool) -> int:
    """Run the daemon until it is asked to end; returns the exit code.

    Parameters
    ----------
    init
        Whether a missing journal may be created; on the sandbox it always may.
    new
        Whether an existing journal is put aside first; on the sandbox only, whose exchange forgets everything
        when it is started anew.

    Raises
    ------
    ConfigError, JournalError, AlreadyRunning
        If it cannot start; nothing was sent.
    """
    if not __debug__:
        raise ConfigError(
            "the executor does not run under `python -O`: its assertions are part of its safety"
        )
    install_decimal_context()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, profile, init=init, new=new))


def run_audit(path: Path, progress: Callable[[int, int], None] | None = None) -> AuditResult:
    """Replay a journal through the core and compare every command, byte for byte."""
    install_decimal_context()
    return audit(path, progress)


def access_of(settings: Settings) -> Access:
    """Where the venue is and how we are let in."""
    keys = settings.require()
    return Access(
        rest_url=settings.venue.rest_url,
        public_ws_url=settings.venue.public_ws_url,
        private_ws_url=settings.venue.private_ws_url,
        api_key=keys.api_key.reveal(),
        api_secret=keys.api_secret.reveal(),
        request_timeout_s=float(settings.venue.request_timeout_s),
        book_depth=settings.market.book_depth,
        conflate_ms=settings.market.conflate_ms,
    )


async def _run(settings: Settings, profile: str, *, init: bool, new: bool) -> int:
    clock = Clock()
    log = LineLog(clock.now_ns, settings.log.level.value, as_json=settings.log.format.value == "json")
    access = access_of(settings)
    async with AsyncExitStack() as stack:
        stack.enter_context(ProcessLock(settings.executor.data_dir / "executor.lock"))
        stack.enter_context(ProcessLock(account_lock_path(access.rest_url, access.api_key)))
        if new:
            put_journal_aside(settings, log)
        journal = stack.enter_context(open_journal(settings, clock, init=init))
        state = recover(journal, clock)
        turnstile = Turnstile()
        venue = await stack.enter_async_context(
            BybitVenue(
                access=access,
                instance=journal.instance,
                recv_window_ms=settings.timings.recv_window_ms,
                clock=clock,
                turnstile=turnstile,
                log=log,
                seed=secrets.randbits(32),
            )
        )
        await check_clock(venue, settings, log)
        runtime = LiveRuntime(
            engine=Engine(state), journal=journal, venue=venue, clock=clock, turnstile=turnstile, log=log
        )
        info = DaemonInfo(
            version=version(),
            instance=journal.instance,
            venue=f"bybit-{settings.executor.mode.value}",
            profile=profile,
            pid=os.getpid(),
        )
        runtime.post(started(settings, info))
        url = await _serve(stack, settings, Daemon(runtime, clock, info))
        log(
            "executor started",
            venue=info.venue,
            instance=info.instance,
            control=url,
            metrics=f"{url}/metrics",
        )
        gc.freeze()
        return await _until_stopped(runtime, journal, clock, settings, log)


def open_journal(settings: Settings, clock: Clock, *, init: bool) -> Journal:
    """Open the journal of the data directory; a new one is named after the second of its making."""
    return Journal.open(
        settings.executor.data_dir / JOURNAL_NAME,
        create=init or settings.executor.mode is Mode.SANDBOX,
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


def started(settings: Settings, info: DaemonInfo) -> EngineStarted:
    """The first event of an incarnation; it is in the inbox before anybody can ask for anything."""
    return EngineStarted(
        at_ns=0,
        version=info.version,
        instance=info.instance,
        venue=info.venue,
        limits=settings.limits,
        timings=settings.timings,
        seed=secrets.randbits(53),
    )


async def _serve(stack: AsyncExitStack, settings: Settings, daemon: Daemon) -> str:
    """Open the control interface and leave its address where the command line finds it."""
    data_dir = settings.executor.data_dir
    token_file = settings.control.token_file or data_dir / TOKEN_NAME
    app = build_app(daemon, ensure_token(token_file))
    port = await stack.enter_async_context(serve(app, settings.control.host, settings.control.port))
    url = control_url(settings.control.host, port)
    info = daemon.info
    write_control_file(
        data_dir,
        ControlFile(url=url, pid=info.pid, version=info.version, token_file=str(token_file.absolute())),
    )
    stack.callback(remove_control_file, data_dir, info.pid)
    return url


async def check_clock(venue: BybitVenue, settings: Settings, log: Log) -> None:
    """Compare this machine's clock with the venue's before anything is sent.

    Raises
    ------
    ConfigError
        In live mode, if the clocks differ by more than half a second or could not be compared.
    """
    error_ms = await venue.clock_error_ms()
    if error_ms is not None and abs(error_ms) <= CLOCK_ERROR_MS_MAX:
        return
    measured = "could not be measured" if error_ms is None else f"is {error_ms} ms"
    text = f"CLOCK_OFFSET: the venue's clock minus ours {measured}, allowed are {CLOCK_ERROR_MS_MAX} ms either way"
    if settings.executor.mode is Mode.LIVE:
        raise ConfigError(f"{text}; set this machine's clock (NTP) and start again")
    log(text, level="warning")


def put_journal_aside(settings: Settings, log: Log) -> None:
    """Rename the journal so that a new one is begun; nothing is deleted.

    Raises
    ------
    ConfigError
        On any venue but the sandbox, where orders of the old journal could still be open.
    """
    if settings.executor.mode is not Mode.SANDBOX:
        raise ConfigError(
            "--new is for the sandbox only: on a real venue the journal is what knows our orders"
        )
    path = settings.executor.data_dir / JOURNAL_NAME
    if not path.exists():
        return
    number = 1
    while path.with_name(f"{path.stem}.{number}{path.suffix}").exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.stem}.{number}{path.suffix}{suffix}"))
    log("journal put aside", path=path.with_name(f"{path.stem}.{number}{path.suffix}"))


async def _until_stopped(
    runtime: LiveRuntime, journal: Journal, clock: Clock, settings: Settings, log: LineLog
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(ExitCode.INTERRUPTED)
        log("stopping", policy=settings.shutdown.policy.value)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        clean = await runtime.run(
            stop, ShutdownRequested(at_ns=0, policy=settings.shutdown.policy), float(settings.shutdown.drain)
        )
    except BaseExceptionGroup as group:
        first = first_error(group)
        text = f"{type(first).__name__}: {first}"
        log("stopped by a failure", level="error", error=text)
        if isinstance(first, InvariantViolation | LocalProtocolError | AssertionError):
            latch_in_journal(journal, clock, text)
            log(
                "halted until a person re-arms",
                level="error",
                next="executor rearm --operator NAME --reason TEXT",
            )
        _list_remaining(runtime, log)
        return int(ExitCode.DURABILITY if isinstance(first, JournalError) else ExitCode.ORDERS_MAY_REMAIN)
    _list_remaining(runtime, log)
    log("stopped", clean=clean)
    return int(ExitCode.OK if clean else ExitCode.ORDERS_MAY_REMAIN)


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error inside a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _list_remaining(runtime: LiveRuntime, log: LineLog) -> None:
    for name in runtime.remaining():
        log("order may remain open", level="warning", id=name)
