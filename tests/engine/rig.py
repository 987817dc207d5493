"""Drives the engine with hand-made time: events in, commands out, timers fired when they are due."""

from dataclasses import replace
from decimal import Decimal

from executor.domain.advice_terms import AdviserTerms
from executor.domain.commands import (
    CancelOrder,
    Command,
    PlaceOrder,
    PublishMove,
    QueryOrder,
    RaiseAlert,
    Reconcile,
    ReplaceOrder,
    Reply,
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
from executor.domain.timeline import NS_PER_S
from executor.engine.engine import Engine
from executor.runtime import record
from tests.builders import T0, instrument, snapshot
from tests.engine.model_venue import ModelVenue


class Rig:
    """An engine, a model venue, and a clock that a test moves."""

    def __init__(
        self,
        limits: Limits | None = None,
        timings: Timings | None = None,
        *,
        rules: Instrument | None = None,
        position_idx: int = 0,
        sentinel_required: bool = False,
        hedge_mode: bool | None = None,
        adviser: AdviserTerms | None = None,
    ) -> None:
        self.adviser = adviser
        self.engine = Engine()
        self.venue = ModelVenue()
        self.rules = rules or instrument()
        self.sentinel_required = sentinel_required
        self.hedge_mode = bool(position_idx) if hedge_mode is None else hedge_mode
        if position_idx:
            self.venue.opening = {(self.rules.symbol, index): Decimal(0) for index in (1, 2)}
        self.now_ns = T0
        self.timers: dict[str, int] = {}
        self.pending: list[Command] = []
        self.log: list[Command] = []
        self.journal: list[tuple[bytes, bytes]] = []
        self.kinds: list[str] = []
        self.limits = limits or Limits()
        self.timings = timings or Timings()
        self.mid = Decimal(50_000)
        self.traded = Decimal(0)
        self.opinion = True
        self.band: dict[str, Decimal] = {}
        self.start()

    def start(self) -> None:
        self.timers.clear()
        self.send(
            EngineStarted(
                at_ns=0,
                version="t",
                instance="x",
                venue="model",
                limits=self.limits,
                timings=self.timings,
                sentinel_required=self.sentinel_required,
                seed=1,
                hedge_mode=self.hedge_mode,
                adviser=self.adviser,
                rules=RULES_NOW,
            )
        )

    def restart(self) -> None:
        """Kill the engine and bring it back from what was written down; commands on their way are gone."""
        self.engine = Engine(record.decode_state(record.encode_state(self.engine.state)))
        self.pending.clear()
        self.start()

    def open_market(self, warmup_s: int = 12) -> None:
        """Make everything ready for trading: rules, streams, reconciliation, a warm book."""
        self.send(InstrumentLoaded(at_ns=0, instrument=self.rules))
        self.streams_live()
        self.settle()
        for _ in range(warmup_s):
            self.tick(1)

    def streams_live(self) -> None:
        self.stream(Stream.PUBLIC, live=True)
        self.stream(Stream.TRADE, live=True)
        self.stream(Stream.PRIVATE, live=True)

    def stream(self, stream: Stream, *, live: bool) -> None:
        category = self.rules.category if stream is Stream.PUBLIC else None
        self.send(StreamChanged(at_ns=0, stream=stream, category=category, live=live, detail=""))

    def send(self, event: Event) -> tuple[Command, ...]:
        stamped = replace(event, at_ns=self.now_ns)
        commands = self.engine.on_event(stamped)
        self.journal.append((record.encode_event(stamped), record.encode_commands(commands)))
        self.kinds.append(type(stamped).__name__)
        for command in commands:
            self.log.append(command)
            if isinstance(command, SetTimer):
                self.timers[command.key] = command.at_ns
            elif isinstance(command, PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | Reconcile):
                self.pending.append(command)
        return commands

    def tick(self, seconds: float, *, volume: str = "5", move: str = "0") -> None:
        """Let time pass; the book is fresh at the end, timers fire on the way."""
        end_ns = self.now_ns + int(seconds * NS_PER_S)
        self.fire_until(end_ns)
        self.now_ns = end_ns
        self.mid += Decimal(move)
        self.book(volume=volume)

    def fire_until(self, end_ns: int) -> None:
        while True:
            due = [(at_ns, key) for key, at_ns in self.timers.items() if at_ns <= end_ns]
            if not due:
                return
            at_ns, key = min(due)
            self.now_ns = max(self.now_ns, at_ns)
            del self.timers[key]
            self.send(TimerFired(at_ns=0, key=key))

    def book(self, *, volume: str = "0", spread: str = "0.1") -> None:
        self.traded += Decimal(volume)
        half = Decimal(spread) / 2
        bid = (self.mid - half).quantize(Decimal("0.1"))
        if self.opinion:
            self.say("mark", self.mid)
        market = snapshot(
            str(bid),
            str(bid + Decimal(spread)),
            traded=str(self.traded),
            px="50000",
            category=self.rules.category,
            symbol=self.rules.symbol,
            **self.band,
        )
        self.send(BookUpdated(at_ns=0, market=market))

    def say(self, source: str, px: Decimal | None) -> None:
        """Let another source say what it sees."""
        rules = self.rules
        self.send(
            ReferenceUpdated(at_ns=0, category=rules.category, symbol=rules.symbol, source=source, px=px)
        )

    def settle(self) -> None:
        """Let the venue take every command honestly, and deliver all it has to say in order."""
        while self.pending or self.venue.mail:
            while self.pending:
                self.answer(self.pending.pop(0))
            mail, self.venue.mail = self.venue.mail, []
            for event in mail:
                self.send(event)

    def answer(self, command: Command) -> None:
        match command:
            case PlaceOrder():
                self.send(self.venue.acked(self.venue.create(command, now_ns=self.now_ns)))
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

    def commands(self, kind: type[Command]) -> list:
        return [command for command in self.log if isinstance(command, kind)]

    def alerts(self) -> list[str]:
        return [command.code.value for command in self.log if isinstance(command, RaiseAlert)]

    def moves(self) -> list[tuple[str, str]]:
        return [
            (command.source.value, command.target.value)
            for command in self.log
            if isinstance(command, PublishMove)
        ]

    def last_reply(self) -> Reply:
        return self.commands(Reply)[-1]

    def parent(self, parent_id: str = "P1"):
        return self.engine.state.parents[parent_id]

    def child(self, number: int):
        return self.engine.state.children[f"x-1-{number}"]
