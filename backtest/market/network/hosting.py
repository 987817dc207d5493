"""A hub with everything around it: a scenario becomes a market with empty chairs, and a folder keeps what happened.

In the folder: `seats/NNN.json` for each agent (with its token, readable by the owner alone), `entries.bin` with all
that came in, `ledger.sqlite`, `status.json` while the hub runs, and `outcome.json` when it has closed. `check` trusts
none of it: it lets the market happen again and adds the ledger up.
"""

import asyncio
import os
import signal
import struct
import subprocess
import sys
from asyncio import Task
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, cast

import msgspec
import zmq.asyncio

from backtest.market.build import SCALE, Market, build
from backtest.market.ledger_store import LedgerStore, audit
from backtest.market.network.agent import SeatFile, make_runner
from backtest.market.network.desk import Desk
from backtest.market.network.hub import Hub
from backtest.market.network.identity import make_token
from backtest.market.network.messages import Why
from backtest.market.network.terms import HubTerms
from backtest.market.network.trading_floor import Absent, Entry, NewRows, TradingFloor
from backtest.market.scenarios import AgentsPart, Scenario, parse
from executor.domain.errors import ConfigError
from executor.domain.timeline import NS_PER_S
from simulation.clearing.ledger import Ledger
from simulation.market.protocol import NEVER

SEATS_MAX: Final = 1_000
STATUS_EVERY_S: Final = 1.0
ARRIVALS_S_MAX: Final = 120.0
"""How long agents in processes of their own are waited for."""
_ARRIVALS_EVERY_S: Final = 0.2
_WARM_UP_SHARE_MAX: Final = 0.25
"""Of a market that is open for a short time, so much at most is not measured."""
_LENGTH: Final = struct.Struct("!I")
_ENTRY: Final = msgspec.msgpack.Decoder(Entry)
_PRIVATE: Final = 0o600


class Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a market was opened with; enough to let it happen again.

    Parameters
    ----------
    scenario
        Whole.
    seed
        Of everything that is drawn.
    orders, market
        Where the hub listens.
    """

    scenario: dict[str, Any]
    seed: int
    orders: str
    market: str


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a market came to.

    Parameters
    ----------
    closed_ns
        When, by the market's clock.
    event_hash, events
        SHA-256 of all events, and how many there were.
    entries
        How many messages changed something.
    ledger_head
        Hash over all rows of the ledger.
    open_orders
        Left in the books; there is none.
    breaches
        What does not hold although it must always, in words; there is none.
    failed
        Agents of this process that failed: seat and words.
    desk
        What the desk counted.
    seated_ns
        When everybody was there, by the market's clock, if that was waited for.
    never_came
        Seats that were waited for in vain.
    """

    closed_ns: int
    event_hash: str
    events: int
    entries: int
    ledger_head: str
    open_orders: int
    breaches: list[str]
    failed: dict[int, str]
    desk: dict[str, Any]
    seated_ns: int = 0
    never_came: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chair:
    """A place in the market.

    Parameters
    ----------
    group
        Of the agent that belongs there.
    absent
        Who sits there meanwhile.
    """

    group: AgentsPart
    absent: Absent


def furnish(
    scenario: Scenario, seed: int, ledger: Ledger | None, entries: Callable[[Entry], None] | None = None
) -> tuple[TradingFloor, list[Chair]]:
    """Make the market of a scenario with nobody in it.

    Raises
    ------
    ConfigError
        If it has more seats than a hub serves.
    """
    _, floor, chairs = _furnish(scenario, seed, ledger, entries)
    return floor, chairs


def _furnish(
    scenario: Scenario, seed: int, ledger: Ledger | None, entries: Callable[[Entry], None] | None = None
) -> tuple[Market, TradingFloor, list[Chair]]:
    seats = sum(group.count for group in scenario.agents)
    if seats > SEATS_MAX:
        raise ConfigError(
            f"a hub serves {SEATS_MAX} seats, the scenario has {seats}; next: fewer with --agents"
        )
    chairs: list[Chair] = []

    def sit(group: AgentsPart) -> Absent:
        chairs.append(Chair(group, Absent()))
        return chairs[-1].absent

    rows = NewRows()
    market = build(scenario, seed, events=rows, ledger=ledger, seated=sit)
    absent = {number: chair.absent for number, chair in enumerate(chairs)}
    return market, TradingFloor(market.engine, absent, rows, entries), chairs


class Host:
    """Serves one market out of a folder.

    Parameters
    ----------
    folder
        New or empty.
    scenario
        What the market is.
    seed
        Of everything that is drawn.
    terms
        Limits of the hub.
    orders_address, market_address
        Where to listen.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Scenario,
        seed: int,
        terms: HubTerms,
        orders_address: str = "tcp://127.0.0.1:*",
        market_address: str = "tcp://127.0.0.1:*",
    ) -> None:
        self.folder = folder
        self._scenario = scenario
        self._seed = seed
        self._terms = terms
        self._addresses = (orders_address, market_address)
        self._hub: Hub | None = None

    def close(self) -> None:
        """Let `serve` end."""
        if self._hub is not None:
            self._hub.close()

    async def serve(
        self,
        *,
        duration_s: float | None = None,
        processes: int = 0,
        with_tasks: bool = False,
        workers: int = 0,
        told: Callable[[float], None] = lambda _seconds: None,
    ) -> Outcome:
        """Serve until it is closed.

        Parameters
        ----------
        duration_s
            How long; None is until `close`, SIGINT or SIGTERM.
        processes
            The agents of so many seats are started as processes of their own.
        with_tasks
            Whether those of all other seats are tasks of this process; else they are waited for.
        workers
            Among so many processes all agents are dealt out, each a task of one; time counts once everybody is there.
            In the place of `processes` and `with_tasks`.
        told
            Called now and then with the seconds that count.

        Raises
        ------
        ConfigError
            If the folder is not empty.
        """
        if self.folder.exists() and any(self.folder.iterdir()):
            raise ConfigError(f"{self.folder} is not empty; next: name a new folder, each keeps one market")
        (self.folder / "seats").mkdir(parents=True)
        seats = sum(group.count for group in self._scenario.agents)
        entries = _EntriesFile(self.folder / "entries.bin")
        context = zmq.asyncio.Context()
        agents: list[Task[Why]] = []
        children: list[subprocess.Popen[bytes]] = []
        ledger = LedgerStore(self.folder / "ledger.sqlite", seats, self._scenario.assets, SCALE)
        try:
            with ledger, entries:
                floor, chairs = furnish(self._scenario, self._seed, ledger, entries)
                tokens = [make_token() for _ in chairs]
                desk = Desk(floor, tokens, self._terms)
                async with Hub(desk, self._terms, *self._addresses, context=context) as hub:
                    self._hub = hub
                    files = self._write_seats(hub, chairs, tokens)
                    children += [_start([file]) for file in files[:processes]]
                    children += [_start(files[place::workers]) for place in range(workers)]
                    if with_tasks:
                        agents += [
                            asyncio.create_task(
                                make_runner(_seat(file)).run(context, hub.orders_address, hub.market_address)
                            )
                            for file in files[processes:]
                        ]
                    arrivals = _Arrivals(desk, children if workers else None)
                    await self._live(hub, desk, floor, duration_s, told, arrivals)
                await _ended(agents, self._terms.silent_ms / 1_000)
                outcome = Outcome(
                    closed_ns=floor.now_ns,
                    event_hash=floor.digest(),
                    events=floor.events,
                    entries=entries.count,
                    ledger_head=ledger.finish(floor.house),
                    open_orders=floor.open_orders,
                    breaches=floor.breaches(),
                    failed={
                        processes + place: f"{type(task.exception()).__name__}: {task.exception()}"
                        for place, task in enumerate(agents)
                        if not task.cancelled() and task.exception() is not None
                    },
                    desk=desk.status(),
                    seated_ns=round(arrivals.seated_s * NS_PER_S),
                    never_came=arrivals.never_came,
                )
        finally:
            for task in agents:
                task.cancel()
            _end(children, self._terms.silent_ms / 1_000)
            context.destroy(linger=500)
        _write(self.folder / "outcome.json", msgspec.json.encode(outcome))
        (self.folder / "status.json").unlink(missing_ok=True)
        return outcome

    async def _live(
        self,
        hub: Hub,
        desk: Desk,
        floor: TradingFloor,
        duration_s: float | None,
        told: Callable[[float], None],
        arrivals: "_Arrivals",
    ) -> None:
        loop = asyncio.get_running_loop()
        serving = asyncio.create_task(hub.serve())
        with _closed_by_signals(loop, hub):
            while not serving.done():
                passed_s = hub.now_ns / NS_PER_S
                arrivals.look(passed_s)
                told(passed_s - arrivals.seated_s if arrivals.is_over else 0.0)
                said = {
                    "pid": os.getpid(),
                    "now_s": round(passed_s, 3),
                    "events": floor.events,
                    **desk.status(),
                }
                _write(self.folder / "status.json", msgspec.json.encode(said))
                left_s = STATUS_EVERY_S if arrivals.is_over else _ARRIVALS_EVERY_S
                if duration_s is not None and arrivals.is_over:
                    left_s = min(left_s, arrivals.seated_s + duration_s - passed_s)
                if arrivals.nobody_came:
                    left_s = 0.0
                if left_s <= 0:
                    hub.close()
                await asyncio.wait({serving}, timeout=max(0.01, left_s))
        await serving

    def _write_seats(self, hub: Hub, chairs: Sequence[Chair], tokens: Sequence[bytes]) -> list[Path]:
        opened = Opened(
            scenario=self._scenario.model_dump(mode="json"),
            seed=self._seed,
            orders=hub.orders_address,
            market=hub.market_address,
        )
        _write(self.folder / "opened.json", msgspec.json.encode(opened))
        files = []
        for seat, (chair, token) in enumerate(zip(chairs, tokens, strict=True)):
            group = chair.group
            given = SeatFile(
                seat=seat,
                token=token.hex(),
                orders=hub.orders_address,
                market=hub.market_address,
                kind=group.kind,
                params=asdict(cast("Any", group.parameters())),
                come_ns=round(group.come_s * NS_PER_S),
                leave_ns=NEVER if group.leave_s is None else round(group.leave_s * NS_PER_S),
                seed=self._seed,
                report=str((self.folder / f"agent-{seat:03}.json").absolute()),
            )
            files.append(self.folder / "seats" / f"{seat:03}.json")
            _write(files[-1], msgspec.json.encode(given))
        return files


class _Arrivals:
    """Whether everybody is there from whom time counts.

    Parameters
    ----------
    desk
        Knows who is there.
    children
        Processes whose agents are waited for, while one of them lives; None waits for nobody.

    Attributes
    ----------
    is_over
        Whether nobody is waited for any more.
    seated_s
        Since when, seconds of the market's clock.
    never_came
        Seats that were waited for in vain.
    nobody_came
        Whether these are all.
    """

    def __init__(self, desk: Desk, children: "Sequence[subprocess.Popen[bytes]] | None") -> None:
        self._desk = desk
        self._children = children
        self.is_over = children is None
        self.seated_s = 0.0
        self.never_came: tuple[int, ...] = ()
        self.nobody_came = False

    def look(self, passed_s: float) -> None:
        """See who is there now."""
        if self.is_over:
            return
        status: dict[str, Any] = self._desk.status()
        missing = tuple(seat["seat"] for seat in status["seats"] if not seat["present"])
        is_vain = passed_s >= ARRIVALS_S_MAX or all(
            child.poll() is not None for child in self._children or ()
        )
        if not missing or is_vain:
            self.is_over, self.seated_s, self.never_came = True, passed_s, missing
            self.nobody_came = len(missing) == len(status["seats"])


@dataclass(frozen=True, slots=True)
class Replayed:
    """A market that has closed, and has happened once more.

    Parameters
    ----------
    market
        As it then stands. What was before everybody was there counts as its warming up, and a quarter of the rest at
        most.
    outcome
        What was found at its end.
    problems
        What does not agree, in words.
    """

    market: Market
    outcome: Outcome
    problems: list[str]


def check(folder: Path) -> tuple[Outcome, list[str]]:
    """Let a market happen again out of what came in, and add its ledger up; gives what does not agree, in words.

    Raises
    ------
    ConfigError
        If the folder holds no market that has closed.
    """
    again = replayed(folder)
    return again.outcome, again.problems


def replayed(folder: Path) -> Replayed:
    """Let a market happen again out of what came in, and add its ledger up.

    Raises
    ------
    ConfigError
        If the folder holds no market that has closed.
    """
    try:
        opened = msgspec.json.decode((folder / "opened.json").read_bytes(), type=Opened)
        outcome = msgspec.json.decode((folder / "outcome.json").read_bytes(), type=Outcome)
        entries = list(_read_entries((folder / "entries.bin").read_bytes()))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"{folder} holds no market that has closed: {error}; next: name another one"
        ) from error
    scenario = parse(opened.scenario, str(folder))
    # As long as it was open, and not as long as was meant: how often accounts are looked at goes by that.
    open_s = (outcome.closed_ns - outcome.seated_ns) / NS_PER_S
    took = {
        "warm_up_s": outcome.seated_ns / NS_PER_S + min(scenario.run.warm_up_s, open_s * _WARM_UP_SHARE_MAX),
        "steps": max(1, -(-outcome.closed_ns // round(scenario.run.step_s * NS_PER_S))),
    }
    part = scenario.run.model_copy(update=took)
    market, floor, _ = _furnish(scenario.model_copy(update={"run": part}), opened.seed, None)
    for entry in entries:
        floor.enter(entry)
    floor.advance(outcome.closed_ns)
    found = list(outcome.breaches)
    if floor.digest() != outcome.event_hash:
        found.append(f"the same entries gave other events: {floor.digest()} and not {outcome.event_hash}")
    if outcome.open_orders or floor.open_orders:
        found.append(f"{outcome.open_orders} orders are open in a market that has closed")
    audited = audit(folder / "ledger.sqlite", outcome.ledger_head)
    return Replayed(market, outcome, [*found, *audited.problems])


def read_status(folder: Path) -> dict[str, Any]:
    """Read how a market stands, or how it ended.

    Raises
    ------
    ConfigError
        If there is none in the folder.
    """
    for name in ("status.json", "outcome.json"):
        try:
            said: dict[str, Any] = msgspec.json.decode((folder / name).read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigError(
                f"{folder / name} cannot be read: {error}; next: name another folder"
            ) from error
        return said
    raise ConfigError(f"no market was ever served out of {folder}; next: name the --folder of the hub")


class _EntriesFile:
    """Keeps entries in a file, each after its length."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._file = self._path.open("xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        self._file.close()

    def __call__(self, entry: Entry, /) -> None:
        assert self._file is not None, "entries come while the market is served"
        self.count += 1
        body = msgspec.msgpack.encode(entry)
        self._file.write(_LENGTH.pack(len(body)) + body)


def _read_entries(data: bytes) -> Iterator[Entry]:
    start = 0
    while start < len(data):
        (length,) = _LENGTH.unpack_from(data, start)
        start += _LENGTH.size
        entry: Entry = _ENTRY.decode(data[start : start + length])
        yield entry
        start += length


def _seat(file: Path) -> SeatFile:
    return msgspec.json.decode(file.read_bytes(), type=SeatFile)


def _start(files: Sequence[Path]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "backtest.market.network.agent", *map(str, files)]
    # In a session of its own: Ctrl-C is for the hub, which tells everybody.
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - ourselves


async def _ended(agents: "Sequence[Task[Why]]", most_s: float) -> None:
    """Wait for tasks that have been told that the market is closed; who does not listen is ended."""
    if agents:
        _, deaf = await asyncio.wait(agents, timeout=most_s)
        for task in deaf:
            task.cancel()
        if deaf:
            await asyncio.wait(deaf)


def _end(children: "Sequence[subprocess.Popen[bytes]]", most_s: float) -> None:
    """Wait for processes that have been told; who does not listen is ended."""
    for child in children:
        try:
            child.wait(most_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def _closed_by_signals(loop: asyncio.AbstractEventLoop, hub: Hub) -> Iterator[None]:
    wanted = (signal.SIGINT, signal.SIGTERM)
    for one in wanted:
        loop.add_signal_handler(one, hub.close)
    try:
        yield
    finally:
        for one in wanted:
            loop.remove_signal_handler(one)


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole; only its owner can read it."""
    scratch = path.with_suffix(".part")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
        file.write(data)
    scratch.replace(path)
