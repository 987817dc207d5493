"""The composition root: the only place that knows every part, and the only one that names a venue."""

import asyncio
import gc
import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from config.hosts import LOOPBACK, URLS, Mode, VenueUrls
from config.problems import ConfigProblems, Problem
from config.schema import PositionMode
from config.settings import Settings
from executor.domain.commands import Reply
from executor.domain.errors import ConfigError, InvariantViolation, JournalError, LocalProtocolError, Overflow
from executor.domain.events import DrainPolicy, EngineStarted, Event, ShutdownRequested
from executor.domain.finding import Finding, Verdict
from executor.domain.orders import Category, base36
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_MS, NS_PER_S, iso_utc
from executor.domain.units import install_decimal_context
from executor.engine.engine import Engine
from executor.engine.state import EngineState
from executor.interfaces.api import build_app, serve
from executor.interfaces.control import ControlBusy, DaemonInfo
from executor.interfaces.control_file import ControlFile, control_url, remove_control_file, write_control_file
from executor.interfaces.doctor import REQUESTS_MAX, Tell, latch_file, look_at_home, tell_all
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.token import FILE_NAME as TOKEN_NAME
from executor.interfaces.token import ensure_token
from executor.interfaces.version import version
from executor.runtime.account_record import NAME as ACCOUNT_NAME
from executor.runtime.account_record import read_account, write_account
from executor.runtime.audit import AuditResult, audit
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.latch import latch_in_journal
from executor.runtime.live import LiveRuntime
from executor.runtime.lock import AccountLock, ProcessLock, key_lock_path
from executor.runtime.log import LineLog
from executor.runtime.open_parents import say_left_open, say_resuming
from executor.runtime.premises import judge_latch, look_at_disk, look_at_file_system, look_at_journal
from executor.sentinel.spawn import keeping_sentinel
from executor.venues.accompanied import AccompaniedVenue, Companion
from executor.venues.bybit.access import Access, Way
from executor.venues.bybit.account_checks import Wanted, judge
from executor.venues.bybit.account_rows import HEDGE, ONE_WAY
from executor.venues.bybit.account_watch import AccountWatch
from executor.venues.bybit.dcp import arm_dcp
from executor.venues.bybit.examination import Examination
from executor.venues.bybit.gateway import BybitVenue
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.transport import new_session
from executor.venues.reference.poller import References, factories
from executor.watch.vigil import Vigil
from risk.turnstile import Turnstile

JOURNAL_NAME = "journal.db"
CLOCK_ERROR_MS_MAX = 500
ACCOUNT_S_MAX = 10.0
"""Well below the time of silence that the sentinel allows to a daemon that is starting, seconds."""


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
    # A category whose first complete read is under way, or was begun anew with the stream, has no entry yet.
    followed = {*state.reconciled, *state.reconciling, *(name.partition(":")[0] for name in state.markets)}
    checks = (
        (state.latched, "HALTED"),
        (state.draining, "DRAINING"),
        (not state.private_live, "PRIVATE_STREAM_DOWN"),
        (not state.trade_live, "ORDER_ENTRY_DOWN"),
        (state.restricted_until_ns > state.now_ns, "VENUE_RESTRICTED"),
        (state.sentinel_required and not state.sentinel_alive, "SENTINEL_SILENT"),
        (any(not state.reconciled.get(category, False) for category in followed), "UNRECONCILED"),
    )
    return tuple(code for holds, code in checks if holds)


def run_daemon(
    settings: Settings, profile: str, *, init: bool, new: bool, sentinel_words: Sequence[str] | None
) -> int:
    """Run the daemon until it is asked to end; returns the exit code.

    Parameters
    ----------
    init
        Whether a missing journal may be created; on the sandbox it always may.
    new
        Whether an existing journal is put aside first; on the sandbox only, whose exchange forgets everything
        when it is started anew.
    sentinel_words
        Words after `executor sentinel` that lead to the same account and data directory; None starts no sentinel.

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
        return runner.run(_run(settings, profile, init=init, new=new, sentinel_words=sentinel_words))


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
        trade_ws_url=trade_ws_url(settings),
        hosts=hosts_of(settings.executor.mode),
        order_entry=Way(settings.venue.order_entry.value),
        dcp=settings.venue.dcp_window_s > 0,
        status_feed=settings.executor.mode is Mode.LIVE,
        api_key=keys.api_key.reveal(),
        api_secret=keys.api_secret.reveal(),
        request_timeout_s=float(settings.venue.request_timeout_s),
        book_depth=settings.market.book_depth,
        conflate_ms=settings.market.conflate_ms,
    )


def trade_ws_url(settings: Settings) -> str:
    """Where orders go over a connection: the host of the private stream; demo trading has no such place."""
    return "" if settings.executor.mode is Mode.DEMO else settings.venue.private_ws_url


def hosts_of(mode: Mode) -> frozenset[str]:
    """The only hosts of a mode; in sandbox mode this machine's own."""
    if mode is Mode.SANDBOX:
        return frozenset(LOOPBACK)
    urls = URLS[mode]
    named = (urlsplit(getattr(urls, field.name)).hostname for field in fields(VenueUrls))
    return frozenset(host for host in named if host is not None)


async def _run(
    settings: Settings, profile: str, *, init: bool, new: bool, sentinel_words: Sequence[str] | None
) -> int:
    clock = Clock()
    log = LineLog(clock.now_ns, settings.log.level.value, as_json=settings.log.format.value == "json")
    access = access_of(settings)
    references = factories(settings.references.exchanges)
    refuse_file_system(settings, log)
    async with AsyncExitStack() as stack:
        stack.enter_context(ProcessLock(settings.executor.data_dir / "executor.lock"))
        stack.enter_context(ProcessLock(key_lock_path(access.rest_url, access.api_key)))
        vigil = Vigil(
            settings.executor.data_dir,
            silence_s_max=float(settings.sentinel.silence_s_max),
            now_text=lambda: iso_utc(clock.now_ns()),
            log=log,
        )
        begin_watch(vigil)
        stack.callback(vigil.abandon)
        if new:
            put_journal_aside(settings, log)
        journal = stack.enter_context(open_journal(settings, clock, init=init))
        state = recover(journal, clock)
        turnstile = Turnstile(vigil.why_closed)
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
        companions: list[Companion] = [await check_account(venue, settings, clock, log)]
        lock_account(stack, access, settings, log)
        if references:
            companions.append(References(references, float(settings.references.poll_s), log))
        if settings.venue.dcp_window_s:
            await set_dcp(venue, access, settings, clock, log)
        if sentinel_words is not None and settings.sentinel.enabled:
            await stack.enter_async_context(
                keeping_sentinel(settings.executor.data_dir, sentinel_words, os.environ, log)
            )
        runtime = LiveRuntime(
            engine=Engine(state),
            journal=journal,
            venue=AccompaniedVenue(venue, companions),
            clock=clock,
            turnstile=turnstile,
            log=log,
            vigil=vigil,
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
        say_resuming(state, log)
        gc.freeze()
        return await _until_stopped(runtime, journal, clock, settings, vigil, log)


def begin_watch(vigil: Vigil) -> None:
    """Say that a daemon is starting, before anything that takes time.

    Raises
    ------
    ConfigError
        If the data directory takes no heartbeat: the sentinel would fire.
    """
    try:
        vigil.start()
    except OSError as error:
        raise ConfigError(f"the heartbeat cannot be written: {error}") from error


async def set_dcp(venue: BybitVenue, access: Access, settings: Settings, clock: Clock, log: Log) -> None:
    """Ask the venue to cancel by itself when our connection is lost, if it does so for this account."""
    time, now_ns, error_ms = ServerTime(clock), clock.now_ns(), await venue.clock_error_ms()
    if error_ms is not None:
        time.learn(now_ns, now_ns, now_ns // NS_PER_MS + error_ms)
    signer = Signer(access.api_key, access.api_secret, settings.timings.recv_window_ms)
    async with new_session(access.hosts, access.request_timeout_s) as http:
        await arm_dcp(http, access.rest_url, signer, time, settings.venue.dcp_window_s, log)


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
        sentinel_required=settings.sentinel.enabled,
        seed=secrets.randbits(53),
        hedge_mode=settings.venue.position_mode is PositionMode.HEDGE,
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


def refuse_file_system(settings: Settings, log: Log) -> None:
    """Look what the data directory lies on before a database is opened there.

    Raises
    ------
    JournalError
        In live mode, if it is a network or a memory file system.
    """
    finding = look_at_file_system(settings.executor.data_dir, strict=settings.executor.mode is Mode.LIVE)
    if finding.verdict is Verdict.FAIL:
        raise JournalError(f"{finding.found}; {finding.next_step}", finding.code)
    if finding.verdict is Verdict.WARN:
        log(f"{finding.code}: {finding.found}", level="warning")


def wanted_of(settings: Settings, category: Category | None = None) -> Wanted:
    """What the operator decided about the account, and which one it was so far."""
    hedge = settings.venue.position_mode is PositionMode.HEDGE
    return Wanted(
        strict=settings.executor.mode is Mode.LIVE,
        category=category,
        position_indices=HEDGE if hedge else ONE_WAY,
        allow_unbound_key=settings.venue.allow_unbound_key,
        user_id=read_account(settings.executor.data_dir),
    )


async def check_account(venue: BybitVenue, settings: Settings, clock: Clock, log: Log) -> AccountWatch:
    """Judge the key and the account before anything is sent; gives the watch that goes on doing so.

    Raises
    ------
    ConfigProblems
        Everything that forbids the start; in live mode every doubt does.
    """
    wanted = wanted_of(settings)
    facts = await venue.account.facts(limit_s=ACCOUNT_S_MAX)
    problems = []
    for finding in judge(facts, wanted, clock.now_ns() // NS_PER_S):
        if finding.verdict is Verdict.FAIL:
            problems.append(problem_of(finding))
        elif finding.verdict is Verdict.WARN:
            log(f"{finding.code}: {finding.found}", level="warning", next=finding.next_step)
    if problems:
        raise ConfigProblems(problems)
    if wanted.user_id is None and not isinstance(facts.key, str):
        write_account(settings.executor.data_dir, facts.key.user_id)
        wanted = wanted_of(settings)
    margin_mode = "" if isinstance(facts.settings, str) else facts.settings.margin_mode
    return AccountWatch(venue.account, wanted, margin_mode, clock, log)


def lock_account(stack: AsyncExitStack, access: Access, settings: Settings, log: Log) -> None:
    """See to it that nobody else on this machine works the account, with whatever key, until the stack is left.

    Raises
    ------
    AlreadyRunning
        If somebody does.
    """
    user_id = read_account(settings.executor.data_dir)
    if user_id is None:
        text = "ACCOUNT_NOT_LOCKED: the venue did not say whose the key is; only this key and data directory are locked"
        log(text, level="warning", next="see that no other daemon works the same account")
        return
    stack.enter_context(AccountLock(access.rest_url, user_id))


def problem_of(finding: Finding) -> Problem:
    """A finding in the form in which a start is refused."""
    return Problem(
        code=finding.code,
        where=finding.check,
        got=finding.found,
        allowed=finding.allowed,
        next_step=finding.next_step,
    )


def run_doctor(
    settings: Settings, category: Category, symbol: str, tell: Tell, *, set_position_mode: bool
) -> None:
    """Look at everything that trading needs, and tell each finding as soon as it is made.

    Parameters
    ----------
    set_position_mode
        Whether the symbol is first switched to the configured position mode; nothing else is ever changed.
    """
    install_decimal_context()
    data_dir = settings.executor.data_dir
    for finding in look_at_home(settings):
        tell(finding)
    tell(look_at_file_system(data_dir, strict=settings.executor.mode is Mode.LIVE))
    tell(look_at_disk(data_dir))
    journal, latched = look_at_journal(data_dir / JOURNAL_NAME, float(settings.venue.request_timeout_s))
    tell(journal)
    tell(judge_latch((latch_file(data_dir), latched)))
    if settings.credentials is not None:
        asyncio.run(_examine(settings, category, symbol, tell, set_position_mode=set_position_mode))


async def _examine(
    settings: Settings, category: Category, symbol: str, tell: Tell, *, set_position_mode: bool
) -> None:
    access = access_of(settings)
    examination = Examination(
        access,
        settings.timings.recv_window_ms,
        wanted_of(settings, category),
        category,
        symbol,
        settings.venue.dcp_window_s,
    )
    try:
        if set_position_mode:
            tell(await examination.set_position_mode())
        await tell_all(examination.run(), tell, REQUESTS_MAX * access.request_timeout_s)
    finally:
        examination.close()


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
    path.with_name(ACCOUNT_NAME).unlink(missing_ok=True)
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
    runtime: LiveRuntime, journal: Journal, clock: Clock, settings: Settings, vigil: Vigil, log: LineLog
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
