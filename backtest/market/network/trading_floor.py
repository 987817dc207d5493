"""The market that a hub owns: the engine of the simulation in real time, with what came in kept to be replayed.

Nothing enters but through `carry_out` and `withdraw`, each at an instant that never goes back, and both are written
down. So the same entries give the same events in a market made alike, on any machine, and one hash tells.
"""

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final, Protocol

from backtest.market.network.desk import SeatChanges
from backtest.market.network.messages import Market, Print, WireIntent, WireOrder
from simulation.book.messages import CANCELED, FILL, REASON_WORDS, REJECTED
from simulation.clearing.house import ClearingHouse
from simulation.clearing.refusals import Refusal
from simulation.draws import Draws
from simulation.market.engine import SimulationEngine
from simulation.market.events import NONSENSE, REFUSED, WIDTH, Event, EventSink, read
from simulation.market.exchange import Exchange
from simulation.market.protocol import NEVER, Intent, MarketView, Told

Entry = tuple[int, int, tuple[WireIntent, ...]]
"""What came in: instant, seat, intents; none is a withdrawal of all orders."""


_ROWS: Final = Struct(f"<{WIDTH}q")


class Entries(Protocol):
    """Keeps what came in."""

    def __call__(self, entry: Entry, /) -> None:
        """Keep one entry."""


class Absent:
    """The agent of a seat whose real one is elsewhere: it never asks for anything, and passes on what it is told."""

    hears_fills = False

    def __init__(self) -> None:
        self.told: list[Told] = []

    def start(self, draws: Draws) -> int:
        """Wait to be told something."""
        del draws
        return NEVER

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Keep what the seat is told."""
        self.told.extend(view.told)
        return ()


class TradingFloor:
    """One market in real time.

    Parameters
    ----------
    engine
        The market, not opened yet. Whoever acts through the hub has an `Absent` agent; others act by themselves.
    absent
        By seat: the agents of those who act through the hub.
    rows
        The sink with which the engine was made.
    entries
        Takes whatever comes in; None keeps none.
    """

    def __init__(
        self,
        engine: SimulationEngine,
        absent: Mapping[int, Absent],
        rows: "NewRows",
        entries: Entries | None = None,
    ) -> None:
        self._engine = engine
        self._absent = dict(absent)
        self._rows = rows
        self._entries = entries
        self._changes: dict[int, _Changes] = {}
        self._prints: dict[int, list[Print]] = {}

    @property
    def house(self) -> ClearingHouse:
        """Accounts, to be read."""
        return self._exchange.house

    @property
    def _exchange(self) -> Exchange:
        return self._engine.exchange

    @property
    def first_px(self) -> Sequence[int]:
        """Price of each asset before anything was traded, ticks."""
        return self._exchange.first_pxs

    @property
    def scale(self) -> int:
        """Money of one tick times one lot."""
        return self.house.scale

    @property
    def events(self) -> int:
        """How many there were."""
        return self._engine.log.count

    @property
    def now_ns(self) -> int:
        """The market's time, nanoseconds."""
        return self._engine.now_ns

    @property
    def open_orders(self) -> int:
        """How many wait, of all seats."""
        return sum(map(len, self._exchange.open_orders))

    def digest(self) -> str:
        """Hash of all events so far, hexadecimal."""
        return self._engine.log.digest()

    def carry_out(self, seat: int, intents: Sequence[WireIntent], at_ns: int) -> Sequence[tuple[int, str]]:
        """Carry out what a seat wants; gives order id (0: none) and reason of refusal for each intent."""
        at_ns = self._enter(at_ns, seat, tuple(intents))
        results = []
        for intent in intents:
            self._engine.inject(at_ns, seat, (intent,))
            self._engine.run(until_ns=at_ns)
            own = [event for event in self._note() if event.owner == seat]
            results.append(_result(own[0]) if own else (0, ""))
        return results

    def withdraw(self, seat: int, at_ns: int) -> None:
        """Cancel all orders of a seat; an entry only if there are any."""
        if self._exchange.open_orders[seat]:
            at_ns = self._enter(at_ns, seat, ())
            self._exchange.cancel_everything(at_ns, seat)
            self._note()

    def enter(self, entry: Entry) -> None:
        """Take an entry as it was kept."""
        at_ns, seat, intents = entry
        if intents:
            self.carry_out(seat, intents, at_ns)
        else:
            self.withdraw(seat, at_ns)

    def advance(self, at_ns: int) -> None:
        """Let the market's own time pass: dividends, news, and agents that act by themselves."""
        if at_ns > self._engine.now_ns:
            self._engine.run(until_ns=at_ns)
            self._note()

    def take_changes(self) -> Mapping[int, SeatChanges]:
        """Give what happened to each seat since the last call."""
        changes, self._changes = self._changes, {}
        summed = {seat: self._summed(seat, one) for seat, one in changes.items() if seat in self._absent}
        for seat, agent in self._absent.items():
            if agent.told:
                summed.setdefault(seat, SeatChanges()).told, agent.told = agent.told, []
        return summed

    def take_prints(self) -> Mapping[int, Sequence[Print]]:
        """Give the trades of each asset since the last call."""
        prints, self._prints = self._prints, {}
        return prints

    def market(self, asset: int, levels: int, now_ns: int, trades: int) -> Market:
        """Give what an asset's market is now."""
        exchange, book = self._exchange, self._exchange.books[asset]
        return Market(
            asset, now_ns, trades, tuple(book.depth(1, levels)), tuple(book.depth(-1, levels)),
            exchange.last_pxs[asset], exchange.volumes_qty[asset], exchange.signed_qty[asset],
        )  # fmt: skip

    def cash(self, seat: int) -> int:
        """Money of a seat that no open order has reserved."""
        return self.house.free[seat]

    def positions(self, seat: int) -> tuple[int, ...]:
        """Lots of a seat by asset."""
        return tuple(shares[seat] for shares in self.house.shares)

    def orders(self, seat: int) -> tuple[WireOrder, ...]:
        """Orders of a seat that wait."""
        waiting = self._exchange.open_orders[seat].items()
        return tuple((order_id, asset, side, px, qty) for order_id, (asset, side, px, qty) in waiting)

    def refused(self, seat: int) -> int:
        """Count the intents of a seat that the market has refused so far."""
        return self._exchange.refused[seat]

    def breaches(self) -> list[str]:
        """What does not hold although it must always, in words; the house's accounts and the books are compared."""
        found = self.house.breaches()
        for seat, waiting in enumerate(self._exchange.open_orders):
            for order_id, (asset, _, _, qty) in waiting.items():
                leaves = self._exchange.books[asset].leaves(order_id)
                if not leaves == qty == self.house.reserved(order_id)[0]:
                    found.append(f"order {order_id} of seat {seat}: {qty} lots open, {leaves} in the book")
        return found

    def _enter(self, at_ns: int, seat: int, intents: tuple[WireIntent, ...]) -> int:
        at_ns = max(at_ns, self._engine.now_ns)
        self.advance(at_ns)
        if self._entries is not None:
            self._entries((at_ns, seat, intents))
        return at_ns

    def _note(self) -> list[Event]:
        """Read what just happened, and note whom it concerns."""
        self._engine.log.digest()  # hands all rows on
        events = self._rows.take()
        for event in events:
            if event.kind == FILL:
                taker = (event.order_id, event.asset, event.side, event.px, event.qty, 0, event.at_ns)
                maker = (event.maker_order_id, event.asset, -event.side, event.px, event.qty, 1, event.at_ns)
                for owner, fill in ((event.owner, taker), (event.maker_owner, maker)):
                    change = self._changes.setdefault(owner, _Changes())
                    change.fills.append(fill)
                    change.orders.setdefault(fill[0], "")
                self._prints.setdefault(event.asset, []).append(
                    (event.px, event.qty, event.side, event.at_ns)
                )
            elif event.kind not in {REJECTED, REFUSED, NONSENSE}:
                why = REASON_WORDS[event.reason] if event.kind == CANCELED else ""
                self._changes.setdefault(event.owner, _Changes()).orders[event.order_id] = why
        return events

    def _summed(self, seat: int, change: "_Changes") -> SeatChanges:
        """Say of every order that was touched how it stands now."""
        summed = SeatChanges(fills=change.fills)
        waiting = self._exchange.open_orders[seat]
        for order_id, why in change.orders.items():
            order = waiting.get(order_id)
            if order is None:
                summed.ended.append((order_id, why))
            else:
                summed.waiting.append((order_id, *order))
        return summed


class _Changes:
    __slots__ = ("fills", "orders")

    def __init__(self) -> None:
        self.fills: list[tuple[int, int, int, int, int, int, int]] = []
        self.orders: dict[int, str] = {}


class NewRows:
    """A sink that keeps rows until they are read once.

    Parameters
    ----------
    sink
        Takes them too; None is nobody.
    """

    def __init__(self, sink: EventSink | None = None) -> None:
        self._sink = sink
        self._unread: list[bytes] = []

    def rows(self, block: bytes) -> None:
        """Take some rows."""
        self._unread.append(block)
        if self._sink is not None:
            self._sink.rows(block)

    def take(self) -> list[Event]:
        """Give all that were not given before."""
        unread, self._unread = self._unread, []
        return [read(row) for block in unread for row in _ROWS.iter_unpack(block)]


_NONSENSE_WORDS: Final = "no kind of message of this market"


def _result(event: Event) -> tuple[int, str]:
    """Order id and reason of refusal of an intent, out of the first thing that it caused."""
    if event.kind == REFUSED:
        return 0, Refusal(event.reason).sentence
    if event.kind == NONSENSE:
        return 0, _NONSENSE_WORDS
    if event.kind == REJECTED:
        return 0, REASON_WORDS[event.reason]
    return event.order_id, ""
