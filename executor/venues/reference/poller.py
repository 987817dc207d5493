"""Asking other exchanges for their prices, through ccxt, in a thread of its own.

ccxt is large: importing it takes a second, and reading an exchange's list of markets computes for some hundred
milliseconds. So it gets a thread with a loop of its own, is imported there and nowhere else, and the trading tasks
never wait for it. An exchange that fails says so once, as an opinion of None, and is tried again at growing distances;
nothing that it does ends the daemon.
"""

import asyncio
import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from executor.domain.errors import ConfigError, Overflow
from executor.domain.events import Event, InstrumentLoaded, ReferenceUpdated
from executor.domain.orders import Category
from executor.domain.ports import Log, Post
from executor.domain.units import Price
from executor.venues.reference.opinions import mid_of_book, unified_symbol

DEADLINE_S: Final = 5.0
MARKETS_S_MAX: Final = 60.0
BACK_OFF_S_MAX: Final = 300.0
_LEVELS: Final = 20
_STOP_S_MAX: Final = 5.0

Exchange = Any
"""An exchange of ccxt's asynchronous kind; the library has no types."""
Key = tuple[Category, str]


def factories(names: Sequence[str]) -> dict[str, Callable[[], Exchange]]:
    """How to make each exchange, by its ccxt id; ccxt itself is not imported.

    Raises
    ------
    ConfigError
        If ccxt is not installed, or knows no such exchange.
    """
    if not names:
        return {}
    spec = importlib.util.find_spec("ccxt")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "references.exchanges asks other exchanges for prices, which needs ccxt: install it with"
            " `pip install 'bybit-executor[reference]'`, or write references.exchanges = []"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "async_support"
    unknown = [
        name
        for name in names
        if not (name.isidentifier() and name[0] != "_" and (folder / f"{name}.py").is_file())
    ]
    if unknown:
        raise ConfigError(f"references.exchanges: ccxt knows no exchange {', '.join(unknown)}")
    return {name: _factory(name) for name in names}


def _factory(name: str) -> Callable[[], Exchange]:
    def make() -> Exchange:
        import ccxt.async_support  # noqa: PLC0415 - slow to import, and only ever in the thread of the references

        return getattr(ccxt.async_support, name)(
            {"enableRateLimit": True, "timeout": int(DEADLINE_S * 1_000)}
        )

    return make


class References:
    """Posts the middle of other exchanges' books for every symbol whose rules were loaded.

    Parameters
    ----------
    sources
        Name and maker of each exchange; the maker is called in the thread of the references.
    poll_s
        Distance of two questions to one exchange, seconds.
    """

    def __init__(
        self,
        sources: Mapping[str, Callable[[], Exchange]],
        poll_s: float,
        log: Log,
        deadline_s: float = DEADLINE_S,
        back_off_s_max: float = BACK_OFF_S_MAX,
    ) -> None:
        self._sources = dict(sources)
        self._poll_s = poll_s
        self._log = log
        self._deadline_s = deadline_s
        self._back_off_s_max = back_off_s_max
        self._markets: dict[Key, str] = {}

    def notice(self, event: Event) -> None:
        """Take in a symbol whose rules were loaded."""
        if isinstance(event, InstrumentLoaded):
            name = unified_symbol(event.instrument)
            if name is not None:
                self._markets[event.instrument.category, event.instrument.symbol] = name

    async def run(self, post: Post) -> None:
        """Ask until cancelled; all connections are closed when it ends."""
        loop = asyncio.get_running_loop()

        def hand_over(event: ReferenceUpdated) -> None:
            try:
                post(event)
            except Overflow:
                self._log("reference price dropped: the inbox is full", level="warning", source=event.source)

        def say(message: str, **fields: object) -> None:
            loop.call_soon_threadsafe(lambda: self._log(message, **fields))

        stop = _Stop()
        polls = [
            _Poll(self, name, make, lambda event: loop.call_soon_threadsafe(hand_over, event), say)
            for name, make in self._sources.items()
        ]
        thread = threading.Thread(target=stop.run, args=(polls,), name="references", daemon=True)
        thread.start()
        try:
            await asyncio.Event().wait()
        finally:
            stop.set()
            await asyncio.to_thread(thread.join, _STOP_S_MAX)

    def markets(self) -> list[tuple[Key, str]]:
        """The symbols to ask about, with their unified names."""
        return list(self._markets.items())

    def back_off_s(self, failures: int) -> float:
        """How long after so many failures in a row to ask again."""
        return float(min(self._poll_s * 2 ** min(failures, 16), self._back_off_s_max))

    @property
    def poll_s(self) -> float:
        """Distance of two questions, seconds."""
        return self._poll_s

    @property
    def deadline_s(self) -> float:
        """Longest time of one question, seconds."""
        return self._deadline_s


class _Stop:
    """Runs the polls in the calling thread until another thread says stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def run(self, polls: Sequence["_Poll"]) -> None:
        asyncio.run(self._main(polls))

    async def _main(self, polls: Sequence["_Poll"]) -> None:
        with self._lock:
            if self._stopped:
                return
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.create_task(self._all(polls))
        await asyncio.wait({self._task})
        # ccxt leaves requests behind that others of the same call have failed beside; they would open connections anew.
        strays = asyncio.all_tasks() - {asyncio.current_task()}
        for stray in strays:
            stray.cancel()
        await asyncio.gather(*strays, return_exceptions=True)
        for poll in polls:
            await poll.close()
        if not self._task.cancelled():
            self._task.result()

    @staticmethod
    async def _all(polls: Sequence["_Poll"]) -> None:
        async with asyncio.TaskGroup() as group:
            for poll in polls:
                group.create_task(poll.run())

    def set(self) -> None:
        with self._lock:
            self._stopped = True
            if self._task is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._task.cancel)


class _Poll:
    """Asks one exchange about all symbols, over and over."""

    def __init__(
        self,
        references: References,
        source: str,
        make: Callable[[], Exchange],
        tell: Callable[[ReferenceUpdated], object],
        say: Log,
    ) -> None:
        self._references = references
        self._source = source
        self._make = make
        self._exchange: Exchange | None = None
        self._tell = tell
        self._say = say
        self._failures: dict[Key, int] = {}
        self._due_s: dict[Key, float] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        exchange = self._exchange = self._made()
        while exchange is not None:
            await self._round(exchange)
            await asyncio.sleep(self._references.poll_s)

    async def close(self) -> None:
        """Close all connections, when nothing is asked any more."""
        if self._exchange is not None:
            await self._exchange.close()

    def _made(self) -> Exchange | None:
        try:
            return self._make()
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            self._say("reference exchange unusable", level="error", source=self._source, error=str(error))
            return None

    async def _round(self, exchange: Exchange) -> None:
        now_s = asyncio.get_running_loop().time()
        for key, name in self._references.markets():
            if self._due_s.get(key, 0.0) > now_s:
                continue
            try:
                px = await self._ask(exchange, name)
            except _failures() as error:
                self._on_failure(key, f"{type(error).__name__}: {error}"[:200])
            else:
                self._failures.pop(key, None)
                self._post(key, px)

    async def _ask(self, exchange: Exchange, name: str) -> Price:
        async with asyncio.timeout(MARKETS_S_MAX):
            markets = await exchange.load_markets()
        if name not in markets:
            raise ValueError(f"no market {name}")
        async with asyncio.timeout(self._references.deadline_s):
            book = await exchange.fetch_order_book(name, _LEVELS)
        return mid_of_book(book)

    def _on_failure(self, key: Key, text: str) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self._due_s[key] = asyncio.get_running_loop().time() + self._references.back_off_s(failures)
        if failures == 1:
            self._say("no reference price", level="warning", source=self._source, symbol=key[1], error=text)
            self._post(key, None)

    def _post(self, key: Key, px: Price | None) -> None:
        category, symbol = key
        self._tell(ReferenceUpdated(at_ns=0, category=category, symbol=symbol, source=self._source, px=px))


def _failures() -> tuple[type[BaseException], ...]:
    """Everything that a foreign exchange's answer, or ccxt's reading of it, may raise."""
    from ccxt.base.errors import BaseError  # noqa: PLC0415 - slow to import, and only ever in this thread

    return (
        BaseError,
        OSError,
        TimeoutError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    )
