"""The start of the daemon: every part is made, put together and handed to the loop."""

import asyncio
import gc
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Final

import uvloop

from config.hosts import Mode
from config.schema import PositionMode
from config.settings import Settings
from executor.app.access import access_of
from executor.app.advising import advising, tape_path
from executor.app.daemon import Daemon, standing_doubts
from executor.app.doubts import DoubtWatch
from executor.app.elsewhere import counted_elsewhere, open_elsewhere
from executor.app.ending import stop_on_signals, until_stopped
from executor.app.journal import JOURNAL_NAME, open_journal, put_journal_aside, recover
from executor.app.notifying import notifying
from executor.app.paper import open_paper
from executor.app.premises import check_account, check_clock, lock_account, refuse_file_system
from executor.app.recalibrating import recalibrations
from executor.domain.advice_terms import AdviserTerms
from executor.domain.errors import ConfigError
from executor.domain.events import RULES_NOW, EngineStarted, LimitsReleased
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_MS, iso_utc
from executor.domain.units import install_decimal_context
from executor.engine.engine import Engine
from executor.interfaces.api import build_app, serve
from executor.interfaces.control import DaemonInfo
from executor.interfaces.control_file import ControlFile, control_url, remove_control_file, write_control_file
from executor.interfaces.kept_parameters import FOLDER, KeptParameters
from executor.interfaces.token import FILE_NAME as TOKEN_NAME
from executor.interfaces.token import ensure_token
from executor.interfaces.version import version
from executor.runtime.clock import Clock
from executor.runtime.live import LiveRuntime
from executor.runtime.lock import ProcessLock, key_lock_path
from executor.runtime.log import LineLog
from executor.runtime.market_recorder import MarketRecorder
from executor.runtime.metrics import CalibrationOutcome
from executor.runtime.open_parents import say_resuming
from executor.runtime.telemetry import Telemetry
from executor.sentinel.spawn import keeping_sentinel
from executor.venues.accompanied import AccompaniedVenue, Companion
from executor.venues.bybit.access import Access
from executor.venues.bybit.dcp import arm_dcp
from executor.venues.bybit.gateway import BybitVenue
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.transport import new_session
from executor.venues.paper.venue import PaperVenue
from executor.venues.reference.poller import References, factories
from executor.venues.several import SeveralVenues
from executor.venues.through_ccxt.gateway import CcxtVenue
from executor.watch.supervisor import Supervisor
from executor.watch.vigil import Vigil
from impact.square_root import SquareRoot
from risk.turnstile import Turnstile

WITHOUT_ALGORITHMS: Final = frozenset({Mode.DEMO, Mode.PAPER})
"""Modes in which the venue works no strategy orders."""


def run_daemon(
    settings: Settings,
    profile: str,
    *,
    init: bool,
    new: bool,
    sentinel_words: Sequence[str] | None,
    release: LimitsReleased | None = None,
) -> int:
    """Run the daemon until it is asked to end; returns the exit code.

    Parameters
    ----------
    init
        Whether a missing journal may be created; on the sandbox and on paper it always may.
    new
        Whether an existing journal is put aside first; on the sandbox only, whose exchange forgets everything
        when it is started anew, and on paper, where the simulated account is put aside with it.
    sentinel_words
        Words after `executor sentinel` that lead to the same account and data directory; None starts no sentinel.
    release
        Who lets go of limits that were tightened while an earlier daemon ran, and why; None leaves them tight.

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
        return runner.run(
            _run(settings, profile, init=init, new=new, sentinel_words=sentinel_words, release=release)
        )


async def _run(
    settings: Settings,
    profile: str,
    *,
    init: bool,
    new: bool,
    sentinel_words: Sequence[str] | None,
    release: LimitsReleased | None,
) -> int:
    clock = Clock()
    log = LineLog(clock.now_ns, settings.log.level.value, as_json=settings.log.format.value == "json")
    references = factories(settings.references.exchanges)
    refuse_file_system(settings, log)
    async with AsyncExitStack() as stack:
        stack.enter_context(ProcessLock(settings.executor.data_dir / "executor.lock"))
        is_paper = settings.executor.mode is Mode.PAPER
        access = None if is_paper else access_of(settings)
        if access is not None:
            stack.enter_context(ProcessLock(key_lock_path(access.rest_url, access.api_key)))
        vigil = Vigil(
            settings.executor.data_dir,
            silence_s_max=float(settings.sentinel.silence_s_max),
            now_text=lambda: iso_utc(clock.now_ns()),
            log=log,
            supervisor=Supervisor(os.environ),
        )
        begin_watch(vigil)
        stack.callback(vigil.abandon)
        if new:
            put_journal_aside(settings, log)
        journal = stack.enter_context(open_journal(settings, clock, init=init))
        state = recover(journal, clock)
        turnstile = Turnstile(vigil.why_closed)
        keeper = keeping_market(stack, settings, clock, log)
        venue: BybitVenue | PaperVenue
        runtime: LiveRuntime
        companions: list[Companion] = []
        if access is None:
            venue = await open_paper(stack, settings, journal.instance, clock, turnstile, log, keeper)
            await check_clock(venue, settings, log)
        else:
            venue = await _open_bybit(
                stack, access, settings, journal.instance, clock, turnstile, log, keeper
            )
            companions.append(await check_account(venue, settings, clock, log))
            lock_account(stack, access, settings, log)
            if settings.venue.dcp_window_s:
                await set_dcp(venue, access, settings, clock, log)
        elsewhere = await open_elsewhere(stack, settings, os.environ, journal.instance, clock, turnstile, log)
        if references:
            companions.append(References(references, float(settings.references.poll_s), log))
        if sentinel_words is not None and settings.sentinel.enabled:
            await stack.enter_async_context(
                keeping_sentinel(settings.executor.data_dir, sentinel_words, os.environ, log)
            )
        companions += _beside(settings, journal.instance, clock, log, lambda: runtime)
        advised = await advising(stack, settings, venue.context, clock.now_ns, log)
        if advised is not None:
            companions += advised.companions
        runtime = LiveRuntime(
            engine=Engine(state),
            journal=journal,
            venue=AccompaniedVenue(SeveralVenues(venue, elsewhere), companions),
            clock=clock,
            turnstile=turnstile,
            log=log,
            counsel=None if advised is None else advised.counsel,
            vigil=vigil,
            algos=venue if isinstance(venue, BybitVenue) else None,
        )
        info = DaemonInfo(
            version=version(),
            instance=journal.instance,
            venue=f"bybit-{settings.executor.mode.value}",
            profile=profile,
            pid=os.getpid(),
        )
        _acquaint(runtime.telemetry, info, venue, keeper, elsewhere)
        _say_without_algorithms(settings, log)
        _begin(runtime, started(settings, info, None if advised is None else advised.terms), release, log)
        stop = stop_on_signals(settings, log)  # before anybody can know that there is a daemon to be stopped
        url = await _serve(
            stack,
            settings,
            Daemon(
                runtime,
                clock,
                info,
                None if advised is None else advised.door,
                KeptParameters(settings.executor.data_dir / FOLDER),
                venue.look,
                venue.context,
                venue.fees,
                None if advised is None else tape_path(settings),
                settings.executor.data_dir / JOURNAL_NAME,
            ),
        )
        log(
            "executor started",
            venue=info.venue,
            instance=info.instance,
            control=url,
            metrics=f"{url}/metrics",
        )
        say_resuming(state, log)
        gc.freeze()
        return await until_stopped(stop, runtime, journal, clock, settings, vigil, log)


def _beside(
    settings: Settings, instance: str, clock: Clock, log: Log, runtime: Callable[[], LiveRuntime]
) -> list[Companion]:
    """What runs beside the venue and needs the runtime, which is made later: doubts, calibrations, notices."""

    def standing() -> str:
        state = runtime().engine.state
        doubts = ", ".join(standing_doubts(state)) or "ready"
        return f"{doubts}; {len(state.open_parents)} open parent orders"

    def count_calibration(outcome: CalibrationOutcome) -> None:
        runtime().telemetry.on_calibration(outcome)

    def count_notice(way: str, outcome: str) -> None:
        runtime().telemetry.on_notice(way, outcome)

    return [
        DoubtWatch(runtime, clock.now_ns, log),
        *recalibrations(
            settings.impact,
            settings.executor.data_dir,
            log,
            count_calibration,
        ),
        *notifying(
            settings,
            f"executor {instance} ({settings.executor.mode.value})",
            lambda: runtime().alarms,
            clock.now_ns,
            standing,
            count_notice,
            log,
        ),
    ]


def _acquaint(
    telemetry: Telemetry,
    info: DaemonInfo,
    venue: BybitVenue | PaperVenue,
    keeper: MarketRecorder | None,
    elsewhere: Mapping[str, CcxtVenue],
) -> None:
    """Show the metrics where to look for what is not in the engine's state."""
    link = venue.link_figures if isinstance(venue, BybitVenue) else None
    telemetry.introduce(info.version, info.venue, link)
    telemetry.follow_venues(lambda: counted_elsewhere(elsewhere))
    if keeper is not None:
        telemetry.follow_capture(lambda: keeper.counts)


def _begin(runtime: LiveRuntime, event: EngineStarted, release: LimitsReleased | None, log: Log) -> None:
    """Post the first events of an incarnation; says which limits are tighter than the settings say."""
    tightened = runtime.engine.state.tightened.values()
    if tightened and release is not None:
        runtime.post(release)
    for each in tightened:
        log(
            "a tightened limit holds, whatever the settings say"
            if release is None
            else "a tightened limit is let go",
            level="warning",
            limit=each.limit,
            value=each.value,
            operator=each.operator,
            reason=each.reason,
            at=iso_utc(each.at_ns),
        )
    runtime.post(event)


def _say_without_algorithms(settings: Settings, log: Log) -> None:
    if settings.venue.algorithms and settings.executor.mode in WITHOUT_ALGORITHMS:
        log(
            "the venue offers no strategy orders in this mode: venue.algorithms has no effect",
            level="warning",
            mode=settings.executor.mode.value,
        )


async def _open_bybit(
    stack: AsyncExitStack,
    access: Access,
    settings: Settings,
    instance: str,
    clock: Clock,
    turnstile: Turnstile,
    log: Log,
    keeper: MarketRecorder | None,
) -> BybitVenue:
    venue = await stack.enter_async_context(
        BybitVenue(
            access=access,
            instance=instance,
            recv_window_ms=settings.timings.recv_window_ms,
            clock=clock,
            turnstile=turnstile,
            log=log,
            seed=secrets.randbits(32),
            keeper=keeper,
        )
    )
    await check_clock(venue, settings, log)
    return venue


def keeping_market(
    stack: AsyncExitStack | ExitStack, settings: Settings, clock: Clock, log: Log
) -> MarketRecorder | None:
    """Begin to record the public streams, if the settings ask for it."""
    folder = settings.market.record_dir
    if folder is None:
        return None
    log("recording the public streams", folder=str(folder))
    return stack.enter_context(MarketRecorder(folder, clock.now_ns, log))


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


def started(settings: Settings, info: DaemonInfo, adviser: AdviserTerms | None) -> EngineStarted:
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
        adviser=adviser,
        venue_algorithms=settings.venue.algorithms and settings.executor.mode not in WITHOUT_ALGORITHMS,
        marks_fills=True,
        impact_model=SquareRoot().name,
        rules=RULES_NOW,
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
