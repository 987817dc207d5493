"""Orders of ours in markets of agents: the live engine on a seat of its own, and the same market without it.

A seed makes the market. Worked twice from one seed, with our order and without it, all agents draw the same numbers:
until our first order reaches the book both are the same market to the last event, and afterwards the difference of
their mids is what we did to the price, directly and by what the others made of it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from multiprocessing import get_context
from typing import Final, TypeVar

from backtest.market.build import SCALE, build
from backtest.market.scenarios import Scenario
from backtest.run import START_NS, Drive, DriveError, measured, open_engine
from executor.domain.events import ParentSubmitted
from executor.domain.instrument import Instrument
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Money, Price, Quantity, install_decimal_context
from executor.engine.engine import Engine
from executor.runtime.journal import Journal
from executor.runtime.virtual import VirtualRuntime
from simulation.agent_seat import EmptySeat, SeatRecord
from simulation.agent_world import ASSET, AgentWorld, check_account
from simulation.book.book import OrderBook
from simulation.book.twin import TwinBook
from simulation.frictions import Latencies
from simulation.market.engine import SimulationEngine

TICK: Final = Price(Decimal("0.01"))
LOT: Final = Quantity(Decimal(1))
"""What one tick and one lot of a scenario are for the engine: quote units and base units."""
SYMBOL: Final = "AGENTS"
EVERY_NS: Final = NS_PER_S
"""The mid is looked at so often."""
_QTY_MAX: Final = Quantity(Decimal(1_000_000_000))
_CASH_RATIO: Final = 4
"""A buyer begins with so many times the value of its order at the first price."""

RULES: Final = Instrument(
    category=Category.SPOT,
    symbol=SYMBOL,
    base_coin=SYMBOL,
    quote_coin="USD",
    tick_size=TICK,
    qty_step=LOT,
    min_order_qty=LOT,
    max_order_qty=_QTY_MAX,
    min_notional=Money(Decimal(0)),
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything about a drive but its order and its seed.

    Parameters
    ----------
    scenario
        Whose institutions are left out: our engine is the institution.
    latencies
        Of our wires.
    limits
        They may ask for no second opinion about the price: a market of agents is one venue.
    warmup_s
        Time in which the engine watches the market before anything is ordered, seconds; the time in which the book
        fills (`warm_up_s` of the scenario) comes before it.
    grace_s
        Time after the last deadline in which the order must have ended, seconds.
    book
        Makes the book of the market.
    """

    scenario: Scenario
    latencies: Latencies = field(default_factory=Latencies)
    limits: Limits = field(default_factory=lambda: Limits(references_min=0))
    timings: Timings = field(default_factory=Timings)
    warmup_s: int = 60
    grace_s: int = 120
    book: Callable[[], OrderBook] = TwinBook

    def __post_init__(self) -> None:
        """Refuse a stage on which nothing could be measured."""
        if self.limits.references_min or self.warmup_s < 0 or self.grace_s < 0:
            raise ValueError("a market of agents has no second opinions, and no time below zero")
        if not self.others.agents:
            raise ValueError(f"{self.scenario.name}: without its institutions nobody is left in the market")

    @property
    def others(self) -> Scenario:
        """The scenario without its institutions."""
        groups = tuple(group for group in self.scenario.agents if group.kind != "institution")
        if len(groups) == len(self.scenario.agents):
            return self.scenario
        kept = {group.name for group in groups}
        expected = tuple(one for one in self.scenario.expect if one.group is None or one.group in kept)
        return self.scenario.model_copy(update={"agents": groups, "expect": expected, "variant": ()})

    @property
    def open_ns(self) -> int:
        """When the engine begins to watch, nanoseconds of the market's time."""
        return round(self.scenario.run.warm_up_s * NS_PER_S)

    @property
    def start_ns(self) -> int:
        """When the order is given, nanoseconds of the market's time."""
        return self.open_ns + self.warmup_s * NS_PER_S


class Mids:
    """Looks at the mid at even times; an empty side leaves the price of the last trade in its place.

    Attributes
    ----------
    px
        Ticks, look by look, from 0 on.
    """

    def __init__(self, market: SimulationEngine, every_ns: int = EVERY_NS) -> None:
        self.px: list[float] = []
        self._market = market
        self._every_ns = every_ns
        market.at(0, self._look)

    def _look(self, at_ns: int) -> int:
        self.px.append(self._market.exchange.mid2(ASSET) / 2.0)
        return at_ns + self._every_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What a market did, with our order or without one.

    Parameters
    ----------
    mid_px
        Every second from 0 on, ticks.
    volume_qty
        Lots traded from the instant of the order to the end.
    event_hash
        Of all events.
    """

    mid_px: tuple[float, ...]
    volume_qty: int
    event_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedInAgents:
    """One order in one market.

    Parameters
    ----------
    drive
        None where it came to no end that can be measured.
    failure
        Why, in words; empty where it did.
    filled_share
        Of the order, 0-1.
    last_fill_ns
        Instant of the last execution, nanoseconds of the market's time; None without any.
    path
        None where nobody asked for it.
    refused
        Messages of ours that the market did not let through.
    """

    seed: int
    policy: str
    drive: Drive | None
    failure: str
    filled_share: float
    last_fill_ns: int | None
    path: Path | None
    refused: int

    @property
    def cost_bps(self) -> float | None:
        """Arrival shortfall with fees; None where there is none."""
        return None if self.drive is None else float(self.drive.cost_bps)


@dataclass(slots=True)
class _Seated:
    market: SimulationEngine
    participant: int
    record: SeatRecord
    mids: Mids
    before: tuple[int, int]


def _seated(stage: Stage, order: ParentSubmitted | None, seed: int) -> _Seated:
    """Put the market together, with an account for us in it, up to the instant at which the engine begins to watch."""
    scenario = stage.others
    participant = sum(group.count for group in scenario.agents)
    record = SeatRecord(participant)
    market = build(scenario, seed, events=record, ledger=record, book=stage.book, taped=False).engine
    qty = 0 if order is None else int(order.order_qty / LOT)
    cash = _CASH_RATIO * qty * round(scenario.value.px) * SCALE
    market.add_agent(EmptySeat(), cash=cash, positions_qty=(qty,), name="executor")
    mids = Mids(market)
    market.run(until_ns=stage.open_ns)
    return _Seated(market, participant, record, mids, (cash, qty))


def quiet(stage: Stage, seed: int, until_ns: int) -> Path:
    """Run the market of a seed without our order.

    Parameters
    ----------
    until_ns
        Of the market's time.
    """
    seated = _seated(stage, None, seed)
    return _path(stage, seated, until_ns)


def _path(stage: Stage, seated: _Seated, until_ns: int, volume_qty: int | None = None) -> Path:
    market = seated.market
    if volume_qty is None:
        market.run(until_ns=stage.start_ns)
        volume_qty = market.exchange.volumes_qty[ASSET]
    summary = market.run(until_ns=max(until_ns, market.now_ns))
    return Path(
        mid_px=tuple(seated.mids.px),
        volume_qty=market.exchange.volumes_qty[ASSET] - volume_qty,
        event_hash=summary.event_hash,
    )


def work_in_agents(
    stage: Stage,
    order: ParentSubmitted,
    seed: int,
    *,
    policy: str = "",
    until_ns: int | None = None,
    journal: Journal | None = None,
) -> WorkedInAgents:
    """Work one order in the market of a seed.

    Parameters
    ----------
    order
        In base units of `LOT`; symbol and category are set here.
    policy
        Name of how it is worked, for those who compare.
    until_ns
        Let the market go on to this instant of its own time, and keep its path; None stops with the order.
    journal
        Written as the live engine writes it.

    Raises
    ------
    executor.domain.errors.InvariantViolation
        If the account that the house keeps for us and what we were told differ by the smallest unit.
    """
    install_decimal_context()
    seated = _seated(stage, order, seed)
    market = seated.market
    world = AgentWorld(
        market=market,
        participant=seated.participant,
        record=seated.record,
        rules=RULES,
        epoch_ns=START_NS,
        latencies=stage.latencies,
    )
    runtime = VirtualRuntime(engine=Engine(), world=world, start_ns=world.now_ns, journal=journal)
    open_engine(
        runtime,
        RULES,
        venue="agents",
        limits=stage.limits,
        timings=stage.timings,
        terms=None,
        seed=seed,
    )
    runtime.run(START_NS + stage.start_ns - 1)
    volume_qty = market.exchange.volumes_qty[ASSET]
    ours = replace(
        order, request_id="p1", idempotency_key="p1", symbol=RULES.symbol, category=RULES.category, seed=seed
    )
    runtime.post(ours, START_NS + stage.start_ns)
    last_s = order.duration_s + order.extend_s + stage.timings.residual_window_s + stage.grace_s
    runtime.run(
        START_NS + stage.start_ns + last_s * NS_PER_S,
        lambda state: bool(state.parents) and not state.open_parents,
    )
    runtime.finish()
    drive, failure = None, ""
    try:
        drive = measured(runtime, seed, 1)
    except DriveError as error:
        failure = str(error)
    path = None if until_ns is None else _path(stage, seated, until_ns, volume_qty)
    check_account(world, market, seated.participant, seated.before, RULES)
    fills = [fill for one in world.orders for fill in one.executions]
    filled_qty = sum(fill.last_qty for fill in fills)
    return WorkedInAgents(
        seed=seed,
        policy=policy,
        drive=drive,
        failure=failure,
        filled_share=float(filled_qty / order.order_qty),
        last_fill_ns=max((fill.ts_exchange_ns for fill in fills), default=0) - START_NS if fills else None,
        path=path,
        refused=market.exchange.refused[seated.participant],
    )


def spread_out(work: Callable[[int], _T], seeds: Sequence[int], processes: int) -> Iterator[_T]:
    """Do something for every seed, in the order of the seeds: how many processes share the work changes nothing.

    Parameters
    ----------
    work
        Can be sent to another process.
    """
    if processes <= 1:
        yield from map(work, seeds)
        return
    # Fresh processes: a fork would take along whatever this one has open.
    with ProcessPoolExecutor(min(processes, len(seeds)), get_context("spawn")) as pool:
        yield from pool.map(work, seeds)
