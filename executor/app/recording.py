"""Public streams followed for a while and kept word by word: no key, no engine, no journal, no order."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import uvloop

from config.settings import Settings
from executor.app.paper import public_access
from executor.domain.commands import Subscribe
from executor.domain.errors import ConfigError
from executor.domain.events import Event, InstrumentLoaded, InstrumentMissing, StreamChanged
from executor.domain.orders import Category
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_S
from executor.domain.units import install_decimal_context
from executor.runtime.clock import Clock
from executor.runtime.market_recorder import CaptureCounts, MarketRecorder
from executor.venues.bybit.public_side import PublicSide
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.transport import new_session

Market = tuple[Category, str]
Told = Callable[[float, CaptureCounts], None]

_LOOK_S: Final = 0.25
_RECV_WINDOW_MS: Final = 5_000


@dataclass(slots=True)
class Away:
    """A stretch in which the stream of a category was lost; it lasted to the end where `to_ns` is None."""

    category: Category
    from_ns: int
    to_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What was recorded.

    Attributes
    ----------
    asked_to_end
        Whether it ended before its time, because somebody asked.
    """

    elapsed_s: float
    asked_to_end: bool
    counts: CaptureCounts
    away: tuple[Away, ...]


class NotListedError(ConfigError):
    """The venue has no such symbol."""


@dataclass(slots=True)
class _Heard:
    """What the public side tells while it is recorded."""

    now_ns: Callable[[], int]
    log: Log
    listed: set[Market] = field(default_factory=set)
    unlisted: str = ""
    away: list[Away] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        match event:
            case InstrumentLoaded():
                self.listed.add((event.instrument.category, event.instrument.symbol))
            case InstrumentMissing() if (event.category, event.symbol) in self.listed:
                self.log("symbol not listed any more", symbol=event.symbol, detail=event.detail)
            case InstrumentMissing():
                self.unlisted = self.unlisted or event.detail
            case StreamChanged(category=Category() as category, live=False):
                self.away.append(Away(category, self.now_ns()))
            case StreamChanged(category=Category() as category):
                for each in self.away:
                    if each.category is category and each.to_ns is None:
                        each.to_ns = self.now_ns()
            case _:
                pass


def run_recording(
    settings: Settings, markets: Sequence[Market], folder: Path, for_s: float | None, told: Told, log: Log
) -> Session:
    """Record until the time is over, or Ctrl-C or TERM.

    Parameters
    ----------
    folder
        Where the files go; made when the first frame comes.
    for_s
        None records until somebody asks to end.
    told
        Told a few times a second how long it has been recorded, and what became of what was heard.

    Raises
    ------
    NotListedError
        If the venue has no such symbol; nothing is recorded then.
    """
    install_decimal_context()

    async def until_asked() -> Session:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for asked in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(asked, stop.set)
        return await record(settings, markets, folder, for_s, told, log, stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(until_asked())


async def record(
    settings: Settings,
    markets: Sequence[Market],
    folder: Path,
    for_s: float | None,
    told: Told,
    log: Log,
    stop: asyncio.Event,
) -> Session:
    """Record until the time is over or `stop` is set; what was heard is in the files when this returns."""
    clock, access = Clock(), public_access(settings)
    time, heard = ServerTime(clock), _Heard(clock.now_ns, log)
    started_ns = clock.now_ns()

    def elapsed_s() -> float:
        return (clock.now_ns() - started_ns) / NS_PER_S

    async with AsyncExitStack() as stack:
        recorder = stack.enter_context(MarketRecorder(folder, clock.now_ns, log, close_s_max=None))
        queries = Queries(access, Signer("", "", _RECV_WINDOW_MS), clock, time, "")
        stack.callback(queries.close)
        public = PublicSide(
            http=await stack.enter_async_context(new_session(access.hosts)),
            access=access,
            queries=queries,
            clock=clock,
            time=time,
            log=log,
            random=Random(started_ns),  # noqa: S311 - spreads reconnects, guards nothing
            keeper=recorder,
        )
        for category, symbol in markets:
            public.subscribe(Subscribe(category=category, symbol=symbol))
        following, asked = asyncio.create_task(public.run(heard)), asyncio.create_task(stop.wait())
        try:
            while not (stop.is_set() or heard.unlisted or following.done()):
                told(elapsed_s(), recorder.counts)
                left_s = None if for_s is None else for_s - elapsed_s()
                if left_s is not None and left_s <= 0:
                    break
                wait_s = _LOOK_S if left_s is None else min(_LOOK_S, left_s)
                await asyncio.wait({following, asked}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            away = tuple(heard.away)
        finally:
            following.cancel()
            asked.cancel()
            await asyncio.gather(following, asked, return_exceptions=True)
        if following.done() and not following.cancelled():
            following.result()
        if heard.unlisted:
            raise NotListedError(heard.unlisted)
        lasted_s = elapsed_s()
    return Session(elapsed_s=lasted_s, asked_to_end=stop.is_set(), counts=recorder.counts, away=away)
