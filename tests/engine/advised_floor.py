"""A trading floor with a model at hand: an engine, several symbols, a model venue, and a clock that only moves on.

It decides nothing about advice: whoever plays on it says what comes back to each question, and when. Every event and
its commands pass by a judge.
"""

import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from random import Random

from executor.domain.advice_terms import AdviserTerms
from executor.domain.commands import (
    CancelOrder,
    Command,
    PlaceOrder,
    QueryOrder,
    Reconcile,
    ReplaceOrder,
    Reply,
    RequestAdvice,
    SetTimer,
)
from executor.domain.events import (
    RULES_NOW,
    BookUpdated,
    EngineStarted,
    Event,
    InstrumentLoaded,
    ReferenceUpdated,
    Stream,
    StreamChanged,
    TimerFired,
)
from executor.domain.instrument import Instrument
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Category, TimeInForce
from executor.domain.timeline import NS_PER_S
from executor.engine.engine import Engine
from executor.engine.state import ParentState
from executor.runtime import record
from tests.builders import T0, D, instrument, snapshot, submitted
from tests.engine.model_venue import ModelVenue

Witness = Callable[["Floor", Event, tuple[Command, ...]], None]
Model = Callable[["Floor", RequestAdvice], None]
WARM_UP_S = 11


@contextmanager
def told_when_it_fails(seed: int, path: str):
    """Say how a life that broke is played again."""
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            sys.stderr.write(f"\nagain: EXECUTOR_LIFE={seed} .venv/bin/pytest {path} -k one_life\n")


@dataclass(kw_only=True)
class Stall:
    """One symbol: its rules, its book, and what others trade in a second.

    `spread_ticks` is the width of the book, `heard` says whether its data arrives at all, and `shown` is the touch that
    was told last, bid and ask.
    """

    rules: Instrument
    mid_px: Decimal
    volume_per_s: Decimal
    spread_ticks: int = 1
    heard: bool = True
    traded_from_ns: int = T0
    shown: tuple[Decimal, Decimal] = (D(0), D(0))

    @property
    def bid_px(self) -> Decimal:
        return self.rules.tick_size * (self.mid_px // self.rules.tick_size)

    @property
    def ask_px(self) -> Decimal:
        return self.bid_px + self.spread_ticks * self.rules.tick_size


def stalls() -> list[Stall]:
    """One of each kind, with prices and steps of different sizes."""
    ether = dict(base_coin="ETH", tick_size=D("0.01"), qty_step=D("0.01"), min_order_qty=D("0.01"))
    sol = dict(base_coin="SOL", tick_size=D("0.01"), qty_step=D("0.001"))
    dollars = dict(quote_coin="USD", tick_size=D("0.5"), qty_step=D(1), min_order_qty=D(1))
    contracts = dict(**dollars, max_order_qty=D(1_000_000), min_notional=D(0))
    return [
        Stall(rules=instrument(), mid_px=D(50_000), volume_per_s=D(50)),
        Stall(rules=instrument(symbol="ETHUSDT", **ether), mid_px=D(3_000), volume_per_s=D(800)),
        Stall(
            rules=instrument(category=Category.SPOT, symbol="SOLUSDT", **sol),
            mid_px=D(150),
            volume_per_s=D(9_000),
        ),
        Stall(
            rules=instrument(category=Category.INVERSE, symbol="BTCUSD", **contracts),
            mid_px=D(50_100),
            volume_per_s=D(900_000),
        ),
    ]


@dataclass(kw_only=True)
class Fills:
    """How orders fill: whether at once and whole, and else how often and how much of them in each look."""

    whole: bool = False
    share: float = 0.4


@dataclass(kw_only=True)
class Floor:
    """Everything at one place; `settle` and `pass_time` are what a play is made of. Timers may lag, as live ones do."""

    terms: AdviserTerms | None
    chance: Random
    limits: Limits = field(default_factory=Limits)
    timings: Timings = field(default_factory=Timings)
    fills: Fills = field(default_factory=Fills)
    symbols: int = 4
    lag_ns_max: int = 0
    witness: Witness = lambda floor, event, commands: None
    model: Model = lambda floor, request: None

    def __post_init__(self) -> None:
        self.engine = Engine()
        self.venue = ModelVenue()
        self.stalls = stalls()[: self.symbols]
        self.now_ns = T0
        self.timers: dict[str, int] = {}
        self.pending: list[Command] = []
        self.due: list[tuple[int, int, Event]] = []
        self.numbers = count()
        self.replies: list[Reply] = []
        self.events = 0
        self.keys = 0
        self.start()

    # ---------------------------------------------------------------- the engine

    def start(self) -> None:
        self.timers.clear()
        started = EngineStarted(
            at_ns=0, version="t", instance="x", venue="model", limits=self.limits, timings=self.timings,
            sentinel_required=False, seed=1, adviser=self.terms, rules=RULES_NOW,
        )  # fmt: skip
        self.send(started)

    def open(self) -> None:
        """Make everything ready for trading: rules, streams, one reading of the account, warm books."""
        for stall in self.stalls:
            self.send(InstrumentLoaded(at_ns=0, instrument=stall.rules))
        self.streams()
        self.settle()
        for _ in range(WARM_UP_S):
            self.pass_time(NS_PER_S)

    def streams(self) -> None:
        for category in dict.fromkeys(stall.rules.category for stall in self.stalls):
            self.send(StreamChanged(at_ns=0, stream=Stream.PUBLIC, category=category, live=True, detail=""))
        for stream in (Stream.TRADE, Stream.PRIVATE):
            self.send(StreamChanged(at_ns=0, stream=stream, category=None, live=True, detail=""))

    def restart(self) -> None:
        """Kill the engine and bring it back from what was written down; what was under way is gone."""
        self.engine = Engine(record.decode_state(record.encode_state(self.engine.state)))
        self.pending.clear()
        self.start()
        self.streams()

    def send(self, event: Event) -> tuple[Command, ...]:
        stamped = replace(event, at_ns=self.now_ns)
        commands = self.engine.on_event(stamped)
        self.events += 1
        self.witness(self, stamped, commands)
        for command in commands:
            match command:
                case SetTimer():
                    lag_ns = self.chance.randint(0, self.lag_ns_max) if self.lag_ns_max else 0
                    self.timers[command.key] = command.at_ns + lag_ns
                case RequestAdvice():
                    self.model(self, command)
                case Reply():
                    self.replies.append(command)
                case PlaceOrder() | ReplaceOrder() | CancelOrder() | QueryOrder() | Reconcile():
                    self.pending.append(command)
                case _:
                    pass
        return commands

    # ---------------------------------------------------------------- people

    def submit(self, stall: Stall, **order: object) -> str:
        """Hand in a parent order; empty if it is not taken."""
        self.keys += 1
        rules = stall.rules
        usual = dict(
            request_id=f"r{self.keys}", idempotency_key=f"k{self.keys}", category=rules.category,
            symbol=rules.symbol, advised=True,
        )  # fmt: skip
        self.send(submitted(**{**usual, **order}))
        return self.replies[-1].parent_id

    def parents(self) -> list[ParentState]:
        return list(self.engine.state.parents.values())

    # ---------------------------------------------------------------- time

    def later(self, at_ns: int, event: Event) -> None:
        """Let something happen at an instant."""
        heappush(self.due, (max(at_ns, self.now_ns), next(self.numbers), event))

    def pass_time(self, span_ns: int, *, books: bool = True) -> None:
        """Let time pass: timers first at their instants, then what is due; books at the end."""
        end_ns = self.now_ns + span_ns
        while True:
            key = min(self.timers, key=lambda name: self.timers[name], default=None)
            timer_ns = end_ns + 1 if key is None else self.timers[key]
            event_ns = self.due[0][0] if self.due else end_ns + 1
            if min(timer_ns, event_ns) > end_ns:
                break
            self.now_ns = max(self.now_ns, min(timer_ns, event_ns))
            if timer_ns <= event_ns:
                del self.timers[key]
                self.send(TimerFired(at_ns=0, key=key))
            else:
                self.send(heappop(self.due)[2])
            if self.fills.whole:
                self.settle()
        self.now_ns = end_ns
        if books:
            self.books()

    def books(self) -> None:
        """Show every book that is heard of, and what others say of the price."""
        for stall in self.stalls:
            if stall.heard:
                self.book(stall)

    def book(self, stall: Stall) -> None:
        rules, stall.shown = stall.rules, (stall.bid_px, stall.ask_px)
        where = dict(category=rules.category, symbol=rules.symbol)
        seen = self.engine.state.markets.get(f"{rules.category}:{rules.symbol}")
        told = seen.opinions.get("mark") if seen is not None else None
        if told is None or self.now_ns - told.at_ns > 4 * NS_PER_S:
            self.send(ReferenceUpdated(at_ns=0, source="mark", px=stall.mid_px, **where))
        traded_qty = stall.volume_per_s * (self.now_ns - stall.traded_from_ns) / NS_PER_S
        market = replace(
            snapshot(str(stall.bid_px), str(stall.ask_px), **where),
            traded_qty=traded_qty,
            traded_notional=traded_qty * stall.mid_px,
            ts_exchange_ns=self.now_ns,
        )
        self.send(BookUpdated(at_ns=0, market=market))
        if self.fills.whole:
            self.settle()

    # ---------------------------------------------------------------- the venue

    def settle(self) -> None:
        """Let the venue take every command, fill what fills, and deliver all it has to say."""
        while self.pending or self.venue.mail:
            for command in self.pending[:]:
                self.pending.remove(command)
                self.answer(command)
            self.trade()
            mail, self.venue.mail = self.venue.mail, []
            for event in mail:
                self.send(event)

    def answer(self, command: Command) -> None:
        match command:
            case PlaceOrder():
                entry = self.venue.create(command, now_ns=self.now_ns)
                self.send(self.venue.acked(entry))
                if entry.order.time_in_force is TimeInForce.IOC:
                    self.venue.fill(entry, self.part(entry))
                    self.venue.end(entry)
            case ReplaceOrder():
                self.send(self.venue.answer_replace(command, now_ns=self.now_ns))
            case CancelOrder():
                self.send(self.venue.answer_cancel(command, now_ns=self.now_ns))
            case QueryOrder():
                for event in self.venue.answer_query(command, now_ns=self.now_ns):
                    self.send(event)
            case Reconcile():
                for event in self.venue.answer_reconcile(command, now_ns=self.now_ns):
                    self.send(event)

    def trade(self) -> None:
        """Fill resting orders: all of each, or by chance a part of some."""
        for parent in self.engine.state.open_parents:
            for name in self.engine.state.parents[parent].live:
                entry = self.venue.orders.get(name)
                if (
                    entry is not None
                    and entry.is_open
                    and self.chance.random() < (1 if self.fills.whole else self.fills.share)
                ):
                    self.venue.fill(entry, self.part(entry))

    def part(self, entry) -> Decimal:
        """How much of an order fills at a time: a number of steps, nothing and everything included."""
        left = entry.order.qty - entry.executed
        if self.fills.whole:
            return left
        rules = next(each.rules for each in self.stalls if each.rules.symbol == entry.order.symbol)
        share = self.chance.choice((D("0.1"), D("0.5"), D("0.9"), D(1), D(1)))
        return max(rules.round_qty(left * share), rules.qty_step)
