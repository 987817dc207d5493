"""Agents of Python's own in a compiled market: what one of them sees there, and how its answer is handed over.

They see what `simulation.market.view` shows, and are answered as `simulation.market.engine` answers them.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, cast

from simulation.book.messages import NUMBER_MAX
from simulation.book.native import NativeBook
from simulation.compiled_market import layout
from simulation.market.information import Inbox
from simulation.market.protocol import WAKE_AT, Fill, Intent, OpenOrder, Told

NUMBERS: Final = 7
"""Of an intent."""
_BITS: Final = NUMBER_MAX.bit_length()
_NO_INTENT: Final = (-1, 0, 0, 0, 0, 0, 0)
"""A row that stands for whatever is none."""
_AGENT_NUMBERS: Final = layout.AGENT_BYTES // 8

Answer = tuple["array[int]", int, int]
"""Intents one behind the other; when to be woken by the own clock, 0 is never; how much of it was no answer."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A compiled market as Python reads it.

    Parameters
    ----------
    book
        Of its asset.
    registers, agents
        `layout`: what is kept once, and for each participant.
    own
        Where `list_own` lists the open orders of a participant, and says how many there are.
    scale
        Money of one tick times one lot.
    """

    book: NativeBook
    registers: "memoryview[int]"
    agents: "memoryview[int]"
    own: "memoryview[int]"
    list_own: Callable[[int], int]
    scale: int


class OwnOrders(Mapping[int, OpenOrder]):
    """Open orders of one participant, read from the book when somebody asks for them.

    Parameters
    ----------
    memory
        Of the market.
    participant
        Whose they are.
    """

    __slots__ = ("_memory", "_participant", "_place")

    def __init__(self, memory: Memory, participant: int) -> None:
        self._memory = memory
        self._participant = participant
        self._place = _AGENT_NUMBERS * participant + layout.OPEN_ORDERS

    def __len__(self) -> int:
        """How many there are."""
        return self._memory.agents[self._place]

    def __iter__(self) -> Iterator[int]:
        """Give their numbers, oldest first."""
        yield from self._rows()[:: layout.OWN_WIDTH]

    def __getitem__(self, order_id: int) -> OpenOrder:
        """Return one of them."""
        rows = self._rows()
        for place in range(0, len(rows), layout.OWN_WIDTH):
            if rows[place] == order_id:
                return (0, rows[place + 1], rows[place + 2], rows[place + 3])
        raise KeyError(order_id)

    def _rows(self) -> list[int]:
        memory = self._memory
        if not memory.agents[self._place]:
            return []
        return memory.own[: layout.OWN_WIDTH * memory.list_own(self._participant)].tolist()


class CalledView:
    """A `MarketView` of one participant.

    Parameters
    ----------
    memory
        Of the market.
    participant
        Whose view it is.
    inboxes
        What it is told beyond prices.

    Attributes
    ----------
    asked_ns
        Instant at which what is seen left the market.
    fills
        Nobody hears of fills here.
    """

    __slots__ = (
        *("_agents", "_inboxes", "_memory", "_place"),
        *("asked_ns", "fills", "now_ns", "open_orders", "participant", "scale"),
    )

    def __init__(self, memory: Memory, participant: int, inboxes: Sequence[Inbox]) -> None:
        self.participant = participant
        self.now_ns = 0
        self.asked_ns = 0
        self.scale = memory.scale
        self.fills: Sequence[Fill] = ()
        self.open_orders: Mapping[int, OpenOrder] = OwnOrders(memory, participant)
        self._memory = memory
        self._agents = memory.agents
        self._place = _AGENT_NUMBERS * participant
        self._inboxes = inboxes

    def bid(self, asset: int) -> int:
        """Return the best bid, ticks; 0 if there is none."""
        return self._memory.book.best_bid if not asset else _no_asset(asset)

    def ask(self, asset: int) -> int:
        """Return the best ask, ticks; 0 if there is none."""
        return self._memory.book.best_ask if not asset else _no_asset(asset)

    def mid2(self, asset: int) -> int:
        """Return twice the mid, ticks; twice the last price while a side is empty."""
        bid, ask = self.bid(asset), self.ask(asset)
        return bid + ask if bid and ask else 2 * self._memory.registers[layout.LAST_PX]

    def last_px(self, asset: int) -> int:
        """Return the price of the last trade, ticks; before any, the asset's first price."""
        return self._memory.registers[layout.LAST_PX] if not asset else _no_asset(asset)

    def depth(self, asset: int, side: int, levels: int) -> Sequence[tuple[int, int]]:
        """Return (px, qty) of the best levels of bids (+1) or asks (-1), best first."""
        return self._memory.book.depth(side, levels) if not asset else [(_no_asset(asset), 0)]

    def volume_qty(self, asset: int) -> int:
        """Return lots traded since the beginning."""
        return self._memory.registers[layout.VOLUME_QTY] if not asset else _no_asset(asset)

    def signed_qty(self, asset: int) -> int:
        """Return lots that takers bought less lots that takers sold since the beginning."""
        return self._memory.registers[layout.SIGNED_QTY] if not asset else _no_asset(asset)

    @property
    def cash(self) -> int:
        """Money free to be spent."""
        return self._agents[self._place + layout.FREE]

    def position_qty(self, asset: int) -> int:
        """Return lots owned."""
        return self._agents[self._place + layout.SHARES] if not asset else _no_asset(asset)

    @property
    def in_flight(self) -> int:
        """How many own intents have not reached the market yet."""
        return self._agents[self._place + layout.IN_FLIGHT]

    @property
    def refused(self) -> int:
        """How many own intents the market has refused so far."""
        return self._agents[self._place + layout.REFUSED_OWN]

    @property
    def told(self) -> Sequence[Told]:
        """What the agent was told since it last asked, in order of publication."""
        inboxes = self._inboxes
        if len(inboxes) == 1:
            return inboxes[0].collect(self.asked_ns)
        return sorted(chain.from_iterable(inbox.collect(self.asked_ns) for inbox in inboxes))


def answered(intents: object, now_ns: int, intents_max: int) -> Answer:
    """Take an agent's answer apart, as `simulation.market.engine` does.

    Parameters
    ----------
    intents
        What it returned.
    now_ns
        By its clock.
    intents_max
        What comes beyond is refused.

    Raises
    ------
    Exception
        Whatever an agent's own objects raise where they are looked at: the agent has failed.
    """
    if intents.__class__ is not list and intents.__class__ is not tuple:
        return array("q"), 0, 1
    wanted = cast("Sequence[Intent]", intents)
    clock_ns = refusals = 0
    if wanted:
        last: Any = wanted[-1]  # of somebody else's code
        if last.__class__ is tuple and last and last[0] == WAKE_AT:
            wanted = wanted[:-1]
            at_ns = last[-1]
            if len(last) == NUMBERS and at_ns.__class__ is int and now_ns < at_ns:
                clock_ns = min(at_ns, layout.LATEST_NS)
            else:
                refusals = 1
    if len(wanted) > intents_max:
        wanted = wanted[:intents_max]
        refusals += 1
    return _in_numbers(wanted), clock_ns, refusals


def _in_numbers(intents: Sequence[Intent]) -> "array[int]":
    """Put intents one behind the other; what is none becomes a row that is none either."""
    try:
        if not intents or set(map(len, intents)) == {NUMBERS}:
            numbers = list(chain.from_iterable(intents))
            # A sum of whole numbers is one; of anything else it is something else, or there is none.
            if sum(numbers).__class__ is int:
                return array("q", numbers)
    except Exception:  # noqa: BLE001, S110 - what stands there may be somebody else's code: one after the other, then
        pass
    return array("q", chain.from_iterable(map(_row, intents)))


def _row(intent: Intent) -> Intent:
    try:
        what, asset, side, qty, px, tif, extra = intent
        bits = what | asset | side & 3 | qty | px | tif | extra
        if bits.__class__ is int and bits >> _BITS == 0:
            return (what, asset, side if side in (1, -1) else 0, qty, px, tif, extra)
    except Exception:  # noqa: BLE001, S110 - likewise
        pass
    return _NO_INTENT


def _no_asset(asset: int) -> int:
    raise IndexError(f"there is one asset, and no number {asset}")
