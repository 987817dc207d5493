"""The seat of somebody from outside in a market of agents: an account that no rule works, and what is heard of it.

Whoever sits there sends orders at instants of the simulated time (`SimulationEngine.at`). What they cause stands in
the rows of the event log and of the clearing house, and is picked out of them here; all rows are handed on unchanged.
"""

from collections import deque
from collections.abc import Sequence
from struct import Struct

from simulation.book.messages import FILL
from simulation.clearing.ledger import Ledger, TradeRow, TransferRow
from simulation.draws import Draws
from simulation.market.events import WIDTH, Event, EventSink, read
from simulation.market.protocol import NEVER, Intent, MarketView

_ROW = Struct(f"<{WIDTH}q")
_KIND_MASK = 0xFF


class EmptySeat:
    """An agent that never asks for anything by itself."""

    hears_fills = False

    def start(self, draws: Draws) -> int:
        """Never be woken; nothing is drawn."""
        return NEVER

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Ask for nothing."""
        return ()


class SeatRecord:
    """Reads along: rows of one participant, what it paid for its trades, and the value of all trades.

    Parameters
    ----------
    participant
        Whose rows are picked out.
    events, ledger
        Take all rows after us; None keeps none.

    Attributes
    ----------
    own
        Rows about the participant that nobody has taken yet, in order.
    fees
        Money that each of its trades cost it, in order, for as many trades as nobody has taken yet; below zero is a
        rebate.
    traded
        Price times lots of all trades of the first asset since the beginning, ticks times lots.
    """

    __slots__ = ("_events", "_ledger", "_participant", "fees", "own", "traded")

    def __init__(
        self, participant: int, *, events: EventSink | None = None, ledger: Ledger | None = None
    ) -> None:
        self._participant = participant
        self._events = events
        self._ledger = ledger
        self.own: deque[Event] = deque()
        self.fees: deque[int] = deque()
        self.traded = 0

    def rows(self, block: bytes) -> None:
        """Take some whole rows of events."""
        participant = self._participant
        for row in _ROW.iter_unpack(block):
            is_fill = row[1] & _KIND_MASK == FILL
            if is_fill and not row[1] >> 16 & 0xFFFFFFFF:
                self.traded += row[4] * row[5]
            if row[3] == participant or (is_fill and row[7] == participant):
                self.own.append(read(row))
        if self._events is not None:
            self._events.rows(block)

    def trade(self, row: TradeRow) -> None:
        """Take a settled trade."""
        if row[5] == self._participant:
            self.fees.append(row[10])
        elif row[6] == self._participant:
            self.fees.append(row[11])
        if self._ledger is not None:
            self._ledger.trade(row)

    def transfer(self, row: TransferRow) -> None:
        """Take another movement."""
        if self._ledger is not None:
            self._ledger.transfer(row)
