"""The simulated market as a whole: agents, their latencies and wake-ups, and time, which jumps from event to event.

Events are ordered by instant, then kind (the world, what reaches the market, who looks), then the order in which they
were set. An agent that is to look by its own clock at t is called at t less the latency of its feed, with the market of
that instant, and what it asks arrives at t plus the latency of its orders: nothing it acts on had not reached it.

An agent whose code fails is retired: its orders are canceled, the failure is kept, and the market goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from simulation.book.book import OrderBook
from simulation.book.messages import NO_REASON
from simulation.book.twin import TwinBook
from simulation.clearing.house import ClearingHouse
from simulation.clearing.income import pay_dividend
from simulation.clearing.ledger import Ledger, MemoryLedger
from simulation.clearing.rules import ClearingRules, MarginTerms
from simulation.draws import Draws, spawn
from simulation.market.accounts import EquityRecord
from simulation.market.events import NONSENSE, RETIRED, EventLog, EventSink, code, pack_row
from simulation.market.exchange import Exchange
from simulation.market.information import Board, Inbox, Listens
from simulation.market.margin import look_after_margin
from simulation.market.protocol import NEVER, WAKE_AT, Agent, Intent, MarketView
from simulation.market.tape import Tape
from simulation.market.values import ConstantValue, DividendValue, ValuePath
from simulation.market.view import LiveView

if TYPE_CHECKING:
    from simulation.phenomena.performance import Performance

NS_PER_S: Final = 1_000_000_000

_WORLD: Final = 0
_ARRIVES: Final = 1
_LOOKS: Final = 2

_TIMER: Final = 0
_FILL: Final = 1
_TOLD: Final = 2
"""Why an agent looks."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One thing that is traded.

    Parameters
    ----------
    first_px
        Price before the first trade, ticks.
    value
        What it is truly worth; None is `first_px` for ever.
    name
        For people.
    """

    first_px: int
    value: ValuePath | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.first_px < 1:
            raise ValueError(f"a first price is one tick or more, got {self.first_px}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How far an agent is from the market.

    Parameters
    ----------
    feed_ns
        From the market to the agent, nanoseconds.
    order_ns
        From the agent to the market, nanoseconds.
    jitter_ns
        Mean of what is added to `order_ns` at random, exponential; messages of one agent never overtake each other.
    """

    feed_ns: int = 0
    order_ns: int = 0
    jitter_ns: int = 0

    def __post_init__(self) -> None:
        if min(self.feed_ns, self.order_ns, self.jitter_ns) < 0:
            raise ValueError(f"nothing arrives before it was sent, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An agent's own failure.

    Parameters
    ----------
    at_ns
        Instant in the market.
    text
        Its kind and words.
    """

    at_ns: int
    participant: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run came to.

    Parameters
    ----------
    at_ns
        Simulated time reached.
    messages, trades, refused
        How many so far.
    faults
        Failures of agents, in order.
    event_hash
        SHA-256 of every event so far, hexadecimal.
    """

    at_ns: int
    messages: int
    trades: int
    refused: int
    faults: tuple[Fault, ...]
    event_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    agent: Agent
    name: str
    cash: int
    positions_qty: tuple[int, ...]
    latency: Latency
    listens: tuple[Listens, ...]
    terms: MarginTerms | None


@dataclass(slots=True)
class _Running:
    """What exists once the first event has been asked for."""

    exchange: Exchange
    views: list[LiveView]
    inboxes: list[list[Inbox]]
    timers: list[int]
    fill_timers: list[int]
    last_look_ns: list[int]
    last_arrival_ns: list[int]
    jitters: list[Draws]
    calls: list[Callable[[MarketView], Sequence[Intent]]]
    feeds_ns: list[int]
    orders_ns: list[int]
    jitters_ns: list[int]
    faults: list[Fault] = field(default_factory=list)


class SimulationEngine:
    """A market of agents.

    Parameters
    ----------
    seed
        Of everything that is drawn, 0 .. 2**64 - 1.
    assets
        What is traded, numbered in this order.
    rules
        Of the clearing house.
    scale
        Money of one tick times one lot.
    book
        Makes the book of an asset: `TwinBook`, or the compiled one.
    ledger
        Takes the house's rows.
    events
        Takes the rows of events; their hash is kept in any case.
    tape
        Records touch and trades.
    step_ns
        Length of one step of `run`, nanoseconds.
    sample_ns
        Distance of two looks at what everybody is worth, nanoseconds, for `performance_metrics`; None is never.
    margin_ns
        Distance of two looks at accounts on margin, nanoseconds.
    intents_max
        Most intents of one answer; what comes beyond is refused.
    look_gap_ns
        Least time between two looks of one agent, nanoseconds: nobody can stop time by looking again and again.
    """

    def __init__(
        self,
        seed: int,
        assets: Sequence[Asset],
        *,
        rules: ClearingRules | None = None,
        scale: int = 100,
        book: Callable[[], OrderBook] = TwinBook,
        ledger: Ledger | None = None,
        events: EventSink | None = None,
        tape: Tape | None = None,
        step_ns: int = NS_PER_S,
        sample_ns: int | None = None,
        margin_ns: int = NS_PER_S,
        intents_max: int = 1_000,
        look_gap_ns: int = 1_000,
    ) -> None:
        if not assets or min(step_ns, intents_max, look_gap_ns, margin_ns) <= 0:
            raise ValueError("a market has an asset, and a step, a number of intents and a gap above zero")
        self.seed = seed
        self.now_ns = 0
        self.values: list[ValuePath] = [
            ConstantValue(float(asset.first_px)) if asset.value is None else asset.value for asset in assets
        ]
        self.log = EventLog(events)
        self._assets = tuple(assets)
        self._rules, self._scale, self._ledger, self._book, self._tape = rules, scale, ledger, book, tape
        self._equity = None if sample_ns is None else EquityRecord(sample_ns)
        self._margin_ns = margin_ns
        self._step_ns, self._intents_max, self._look_gap_ns = step_ns, intents_max, look_gap_ns
        self._seats: list[_Seat] = []
        self._heap: list[tuple[int, int, int, int, object]] = []
        self._sequence = 0
        self._end_ns = 0
        self._running: _Running | None = None

    def add_agent(
        self,
        agent: Agent,
        *,
        cash: int = 0,
        positions_qty: Sequence[int] = (),
        latency: Latency | None = None,
        listens: Sequence[Listens] = (),
        terms: MarginTerms | None = None,
        name: str = "",
    ) -> int:
        """Give an agent a seat and an account; gives its number.

        Parameters
        ----------
        cash
            Money it begins with.
        positions_qty
            Lots of each asset it begins with; none of those not named.
        latency
            Its distance from the market; None is none.
        listens
            What it is told beyond prices.
        terms
            Its margin account; None is a cash account.
        name
            For people; by default its class.

        Raises
        ------
        ValueError
            If the run has begun, or it is given what cannot be.
        """
        if self._running is not None:
            raise ValueError("the market has opened: agents are added before the first run")
        if len(positions_qty) > len(self._assets) or any(one.asset >= len(self._assets) for one in listens):
            raise ValueError("positions or subscriptions of assets that are not there")
        self._seats.append(
            _Seat(
                agent=agent,
                name=name or type(agent).__name__,
                cash=cash,
                positions_qty=tuple(positions_qty),
                latency=latency or Latency(),
                listens=tuple(listens),
                terms=terms,
            )
        )
        return len(self._seats) - 1

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each participant."""
        return tuple(seat.name for seat in self._seats)

    @property
    def exchange(self) -> Exchange:
        """The books, the house and all open orders; it opens the market if that has not happened."""
        return self._open().exchange

    def at(self, at_ns: int, action: Callable[[int], int | None]) -> None:
        """Have something done to the market at an instant; what it returns is when to do it again, or None.

        Raises
        ------
        ValueError
            If the instant has passed.
        """
        if at_ns < self.now_ns:
            raise ValueError(f"{at_ns} ns has passed, it is {self.now_ns}")
        self._push(at_ns, _WORLD, -1, action)

    def inject(self, at_ns: int, participant: int, intents: Sequence[Intent]) -> None:
        """Let intents of a participant arrive at an instant that has not passed: those of somebody outside."""
        if at_ns < self.now_ns:
            raise ValueError(f"{at_ns} ns has passed, it is {self.now_ns}")
        running = self._open()
        running.views[participant].in_flight += len(intents)
        self._push(at_ns, _ARRIVES, participant, intents)

    @property
    def next_ns(self) -> int | None:
        """When something happens next; None if nothing is set."""
        self._open()
        return self._heap[0][0] if self._heap else None

    def run(self, *, until_ns: int | None = None, steps: int | None = None) -> RunSummary:
        """Go on until an instant, or for so many steps; can be called again.

        Raises
        ------
        ValueError
            If not one of the two is said, or the instant has passed.
        """
        if (until_ns is None) == (steps is None):
            raise ValueError("say until when, or for how many steps")
        end_ns = until_ns if until_ns is not None else self.now_ns + (steps or 0) * self._step_ns
        if end_ns < self.now_ns:
            raise ValueError(f"{end_ns} ns has passed, it is {self.now_ns}")
        self._go(self._open(), end_ns)
        self.now_ns = end_ns
        return self.summary()

    def summary(self) -> RunSummary:
        """Say what the run has come to so far."""
        running = self._open()
        return RunSummary(
            at_ns=self.now_ns,
            messages=running.exchange.messages,
            trades=running.exchange.trades,
            refused=sum(running.exchange.refused),
            faults=tuple(running.faults),
            event_hash=self.log.digest(),
        )

    def performance_metrics(self, participant: int, asset: int = 0) -> "Performance":
        """Measure what a participant made of its money (`simulation.phenomena.performance`).

        Parameters
        ----------
        asset
            Whose trades count for hit rate, gains and inventory; the equity is of all.

        Raises
        ------
        ValueError
            If the engine was not told to sample equity, or keeps no rows of trades.
        """
        if self._equity is None or not isinstance(self._ledger, MemoryLedger):
            raise ValueError("give the engine a sample_ns and a MemoryLedger to measure performance")
        positions_qty = self._seats[participant].positions_qty
        return self._equity.performance(
            participant,
            self._scale,
            asset,
            self._assets[asset].first_px,
            self._ledger.trades,
            positions_qty[asset] if asset < len(positions_qty) else 0,
        )

    def _open(self) -> _Running:
        """Make accounts, books and views, and ask every agent when it looks first."""
        if self._running is not None:
            return self._running
        if not self._seats:
            raise ValueError("nobody is in the market: add an agent first")
        for number, value in enumerate(self.values):
            value.start(self._stream("value", number))
        house = ClearingHouse(len(self._seats), len(self._assets), self._scale, self._rules, self._ledger)
        first_pxs = [asset.first_px for asset in self._assets]
        books = [self._book() for _ in self._assets]
        boards = [Board() for _ in self._assets]
        exchange = Exchange(house, books, boards, first_pxs, self.log, tape=self._tape)
        inboxes = [self._inboxes(number, seat, boards) for number, seat in enumerate(self._seats)]
        count = len(self._seats)
        running = _Running(
            exchange=exchange,
            views=[LiveView(exchange, number, inboxes[number]) for number in range(count)],
            inboxes=inboxes,
            timers=[NEVER] * count,
            fill_timers=[NEVER] * count,
            last_look_ns=[-self._look_gap_ns] * count,
            last_arrival_ns=[0] * count,
            jitters=[self._stream("jitter", number) for number in range(count)],
            calls=[seat.agent.on_wakeup for seat in self._seats],
            feeds_ns=[seat.latency.feed_ns for seat in self._seats],
            orders_ns=[seat.latency.order_ns for seat in self._seats],
            jitters_ns=[seat.latency.jitter_ns for seat in self._seats],
        )
        self._running = running
        for asset, first_px in enumerate(first_pxs):
            house.mark(asset, first_px)
            value = self.values[asset]
            if isinstance(value, DividendValue):
                self._pay_dividends(asset, value)
        for number, seat in enumerate(self._seats):
            house.deposit(0, number, seat.cash)
            for asset, qty in enumerate(seat.positions_qty):
                house.deliver(0, number, asset, qty)
            if seat.terms is not None:
                house.set_terms(number, seat.terms)
            if seat.agent.hears_fills:
                exchange.fills[number] = []
            for inbox in inboxes[number]:
                if inbox.listens.wakes:
                    self._ring(number, inbox)
            self._start(running, number, seat)
        if any(seat.terms is not None for seat in self._seats):
            self._push(self._margin_ns, _WORLD, -1, self._look_after_margin)
        if self._equity is not None:
            self._push(0, _WORLD, -1, self._sample)
        return running

    def _start(self, running: _Running, number: int, seat: _Seat) -> None:
        """Ask an agent when it looks first."""
        try:
            first_ns = seat.agent.start(self._stream("agent", number))
            if first_ns.__class__ is not int or first_ns < NEVER:
                raise ValueError(f"a first wake-up at {first_ns!r}")
        except Exception as error:  # noqa: BLE001 - of somebody else's code
            self._retire(running, number, 0, error)
            return
        if first_ns != NEVER:
            look_ns = max(0, first_ns - seat.latency.feed_ns)
            running.timers[number] = self._push(look_ns, _LOOKS, number, _TIMER)

    def _look_after_margin(self, at_ns: int) -> int:
        look_after_margin(at_ns, self.exchange)
        return at_ns + self._margin_ns

    def _sample(self, at_ns: int) -> int | None:
        if self._equity is None:
            return None
        self._equity.look(self.exchange)
        return at_ns + self._equity.every_ns

    def _stream(self, name: str, number: int) -> Draws:
        return Draws(spawn(self.seed, name, number))

    def _inboxes(self, number: int, seat: _Seat, boards: Sequence[Board]) -> list[Inbox]:
        return [
            Inbox(
                listens=listens,
                path=self.values[listens.asset],
                board=boards[listens.asset],
                draws=self._stream(f"signal {place}", number),
                feed_ns=seat.latency.feed_ns,
            )
            for place, listens in enumerate(seat.listens)
        ]

    def _ring(self, number: int, inbox: Inbox) -> None:
        """Wake an agent whenever a subscription has something for it."""
        horizon_ns = 60 * NS_PER_S

        def look(at_ns: int) -> int:
            due_ns = inbox.next_ns(at_ns, horizon_ns)
            if due_ns is None:
                return at_ns + horizon_ns
            self._push(due_ns, _LOOKS, number, _TOLD)
            return due_ns

        self._push(0, _WORLD, -1, look)

    def _pay_dividends(self, asset: int, value: DividendValue) -> None:
        def pay(at_ns: int) -> int | None:
            number = at_ns // value.period_ns
            amount = round(value.payment(number) * self._scale)
            pay_dividend(self.exchange.house, at_ns, asset, amount)
            return None if number == value.periods else at_ns + value.period_ns

        self._push(value.period_ns, _WORLD, -1, pay)

    def _push(self, at_ns: int, kind: int, participant: int, load: object) -> int:
        self._sequence = sequence = self._sequence + 1
        heappush(self._heap, (at_ns, kind, sequence, participant, load))
        return sequence

    def _go(self, running: _Running, end_ns: int) -> None:
        heap, exchange, views = self._heap, running.exchange, running.views
        timers, fill_timers, deliver, look = running.timers, running.fill_timers, exchange.deliver, self._look
        filled = exchange.filled
        self._end_ns = end_ns
        while heap and heap[0][0] <= end_ns:
            at_ns, kind, sequence, participant, load = heappop(heap)
            self.now_ns = at_ns
            if kind == _LOOKS:
                if load == _TIMER:
                    if timers[participant] != sequence:
                        continue
                    timers[participant] = NEVER
                elif load == _FILL:
                    fill_timers[participant] = NEVER
                look(running, participant, at_ns)
            elif kind == _ARRIVES:
                views[participant].in_flight -= len(load)  # type: ignore[arg-type]
                deliver(at_ns, participant, load)  # type: ignore[arg-type]
            else:
                again_ns = load(at_ns)  # type: ignore[operator]
                if again_ns is not None:
                    self._push(max(again_ns, at_ns + 1), _WORLD, -1, load)
            if filled:
                self._tell_fills(running, self.now_ns)

    def _tell_fills(self, running: _Running, at_ns: int) -> None:
        """Wake everybody who has been filled, once."""
        filled = running.exchange.filled
        for participant in filled:
            if running.fill_timers[participant] == NEVER:
                look_ns = max(at_ns, running.last_look_ns[participant] + self._look_gap_ns)
                running.fill_timers[participant] = self._push(look_ns, _LOOKS, participant, _FILL)
        filled.clear()

    def _look(self, running: _Running, participant: int, at_ns: int) -> None:
        """Call an agent, and send what it asks on its way."""
        view, fills = running.views[participant], running.exchange.fills
        running.last_look_ns[participant] = at_ns
        feed_ns = running.feeds_ns[participant]
        now_ns = at_ns + feed_ns
        view.asked_ns = at_ns
        view.now_ns = now_ns
        if fills[participant]:
            view.fills = fills[participant] or ()
            fills[participant] = []
        elif view.fills:
            view.fills = ()
        # Whatever an agent's own code does is its own failure: nobody else may be hurt by it. What it returns may be
        # code of its own, too.
        try:
            intents = running.calls[participant](view)
            if intents.__class__ is not list and intents.__class__ is not tuple:
                self._refuse(running, participant, at_ns)
                return
            if not intents:
                return
            last = intents[-1]
            wakes = last.__class__ is tuple and last and last[0] == WAKE_AT
        except Exception as error:  # noqa: BLE001 - of somebody else's code
            self._retire(running, participant, at_ns, error)
            return
        if wakes:
            intents = intents[:-1]
            clock_ns = last[-1]
            if len(last) == 7 and clock_ns.__class__ is int and clock_ns > now_ns:
                look_ns, earliest_ns = clock_ns - feed_ns, at_ns + self._look_gap_ns
                self._sequence = sequence = self._sequence + 1
                running.timers[participant] = sequence
                due_ns = look_ns if look_ns > earliest_ns else earliest_ns  # noqa: FURB136 - a third of the time
                heappush(self._heap, (due_ns, _LOOKS, sequence, participant, _TIMER))
            else:
                self._refuse(running, participant, at_ns)
            if not intents:
                return
        if len(intents) > self._intents_max:
            intents = intents[: self._intents_max]
            self._refuse(running, participant, at_ns)
        arrival_ns = now_ns + running.orders_ns[participant]
        jitter_ns = running.jitters_ns[participant]
        if jitter_ns:
            arrival_ns += int(jitter_ns * running.jitters[participant].exponential())
            arrival_ns = max(arrival_ns, running.last_arrival_ns[participant])
            running.last_arrival_ns[participant] = arrival_ns
        heap = self._heap
        if arrival_ns <= self._end_ns and (not heap or arrival_ns < heap[0][0]):
            # Nothing happens before it arrives: it would be the next event anyway.
            self.now_ns = arrival_ns
            running.exchange.deliver(arrival_ns, participant, intents)
            return
        view.in_flight += len(intents)
        self._sequence = sequence = self._sequence + 1
        # What is on its way is out of the agent's hands: its own list may change meanwhile.
        heappush(heap, (arrival_ns, _ARRIVES, sequence, participant, tuple(intents)))

    def _refuse(self, running: _Running, participant: int, at_ns: int) -> None:
        """Count an answer, or a part of one, that is none."""
        running.exchange.refuse(at_ns, participant, NONSENSE, NO_REASON, 0, 0)

    def _retire(self, running: _Running, participant: int, at_ns: int, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:500]
        running.faults.append(Fault(at_ns=at_ns, participant=participant, text=text))
        running.calls[participant] = _asks_nothing
        running.timers[participant] = NEVER
        # What is on its way was asked by somebody who is no longer trusted.
        kept = [event for event in self._heap if event[1] != _ARRIVES or event[3] != participant]
        self._heap[:] = kept
        heapify(self._heap)
        running.views[participant].in_flight = 0
        running.exchange.fills[participant] = None
        self.log.pending.extend(pack_row(at_ns, code(RETIRED, NO_REASON, 0, 0), 0, participant, 0, 0, 0, 0))
        running.exchange.cancel_everything(at_ns, participant)


def _asks_nothing(view: MarketView) -> Sequence[Intent]:
    """Answer in the place of an agent that failed."""
    return ()
