"""The compiled book as Python sees it: its memory, and its messages as methods that are machine code."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from simulation.book import layout
from simulation.book.book import BookTerms
from simulation.book.messages import Outcome
from simulation.kept_code import KeptCode, Place, beside

SOURCES: Final = beside(__file__, "messages.py", "layout.py", "machine.py")
"""Of the compiled book, for code that is compiled together with it."""

_OUTCOME: Final = Struct(f"{layout.OUTCOME_WIDTH}q")
_LINE: Final = 64
_new: Final = tuple.__new__  # a market of Python agents waits for these: `_make` takes twice as long
_MASK: Final = (1 << 64) - 1
_OPTIONAL: Final = {"limit": 2, "market": 0, "cancel": 0, "amend": 0, "stop": 0, "leaves": 0}
_NUMBERS: Final = {
    "limit": 8,
    "market": 5,
    "cancel": 2,
    "amend": 4,
    "stop": 7,
    "leaves": 2,
    "play": 3,
    "depth": 3,
    "state_hash": 1,
}
_SEEN_MAX: Final = 1 << 10


def _define() -> Mapping[str, Callable[..., int]]:
    from simulation.book import machine  # noqa: PLC0415 - brings the compiler

    return {
        "limit": machine.limit_at,
        "market": machine.market_at,
        "cancel": machine.cancel_at,
        "amend": machine.amend_at,
        "stop": machine.stop_at,
        "leaves": machine.leaves_at,
        "play": machine.play_at,
        "depth": machine.depth_at,
        "state_hash": machine.state_hash_at,
    }


BOOK: Final = KeptCode("book", _NUMBERS, _define, sources=SOURCES, methods=_OPTIONAL)
"""`BOOK.linked()` compiles where nothing is kept: some seconds, once on a machine."""

Memory = npt.NDArray[np.int64]


def room(count: int) -> Memory:
    """Numbers that begin with a line of the cache; the system gives memory only for what is written."""
    memory = np.zeros(count + _LINE // 8, dtype=np.int64)
    first = -(memory.ctypes.data // 8) % (_LINE // 8)
    return memory[first : first + count]


def make_registers(terms: BookTerms) -> tuple[Memory, Sequence[Memory]]:
    """Make an empty book.

    Returns
    -------
    tuple
        Its registers, at whose address it lies, and all the memory that they speak of.
    """
    registers = room(layout.REGISTERS)
    orders = room((terms.orders_max + 1) * layout.ORDER_BYTES // 8)
    slots = room((terms.ids_max + 1) // 2)
    outcomes = room(terms.outcomes_max * layout.OUTCOME_WIDTH)
    seen = room(2 * _SEEN_MAX)
    registers[layout.ORDERS] = orders.ctypes.data
    registers[layout.SLOTS] = slots.ctypes.data
    registers[layout.OUTCOMES] = outcomes.ctypes.data
    registers[layout.SEEN] = seen.ctypes.data
    registers[layout.BEST_ASK] = layout.NO_ASK
    registers[layout.MASK] = terms.window - 1
    registers[layout.ORDERS_MAX] = terms.orders_max
    registers[layout.IDS_MAX] = terms.ids_max
    registers[layout.OUTCOMES_MAX] = terms.outcomes_max
    memory = [orders, slots, outcomes, seen]
    for ladder in range(layout.LADDERS, layout.REGISTERS, layout.LADDER_WIDTH):
        levels = room(terms.window * layout.LEVEL_BYTES // 8)
        rows = [room(max(1, terms.window >> shift)) for shift in (6, 12, 18)]
        registers[ladder + layout.LEVELS] = levels.ctypes.data
        for row, place in zip(rows, (layout.BITS, layout.BITS_64, layout.BITS_4096), strict=True):
            registers[ladder + place] = row.ctypes.data
        memory += [levels, *rows]
    return registers, (outcomes, seen, *memory)


class NativeBook:
    """`book.OrderBook`, compiled. Its messages are machine code, which is called like a method.

    Attributes
    ----------
    limit, market, cancel, amend, stop, leaves
        As `book.OrderBook` has them. A number beyond 64 bits raises OverflowError.
    registers
        For code that is compiled together with the book; `layout` says what they are.
    """

    def __init__(self, terms: BookTerms | None = None) -> None:
        self.registers, memory = make_registers(terms or BookTerms())
        self._place = Place(self.registers.ctypes.data, self.registers, memory)
        self._told = memoryview(self.registers)  # type: ignore[arg-type]
        self._outcomes = memoryview(memory[0]).cast("B")  # type: ignore[arg-type]
        self._seen = memoryview(memory[1])  # type: ignore[arg-type]
        methods = BOOK.methods(self._place)
        self.limit = methods["limit"]
        self.market = methods["market"]
        self.cancel = methods["cancel"]
        self.amend = methods["amend"]
        self.stop = methods["stop"]
        self.leaves = methods["leaves"]

    def play(self, messages: Memory) -> int:
        """Do a list of messages in compiled code; nothing is kept of what they cause but the last.

        Parameters
        ----------
        messages
            Rows of `layout.MESSAGE_WIDTH` numbers.

        Returns
        -------
        int
            Number of outcomes.
        """
        if messages.dtype != np.int64 or messages.shape[1:] != (layout.MESSAGE_WIDTH,):
            raise ValueError(f"messages are rows of {layout.MESSAGE_WIDTH} whole numbers of 64 bits")
        rows = np.ascontiguousarray(messages)
        return BOOK.linked()["play"](self._place, rows.ctypes.data, len(rows))

    @property
    def outcomes(self) -> list[Outcome]:
        """What the last message caused, in order."""
        part = self._outcomes[: self._told[layout.TOLD] * _OUTCOME.size]
        return [_new(Outcome, numbers) for numbers in _OUTCOME.iter_unpack(part)]

    def plain_outcomes(self) -> Iterator[tuple[int, ...]]:
        """Give the outcomes of the last message as plain tuples, once and before the next one."""
        return _OUTCOME.iter_unpack(self._outcomes[: self._told[layout.TOLD] * _OUTCOME.size])

    @property
    def best_bid(self) -> int:
        """Highest price bid in ticks; 0 is none."""
        return self._told[layout.BEST_BID]

    @property
    def best_ask(self) -> int:
        """Lowest price asked in ticks; 0 is none."""
        px = self._told[layout.BEST_ASK]
        return px if px != layout.NO_ASK else 0

    @property
    def last_px(self) -> int:
        """Price of the last trade in ticks; 0 is none yet."""
        return self._told[layout.LAST_PX]

    def depth(self, side: int, levels: int) -> list[tuple[int, int]]:
        """List the best levels of a side, best first: price in ticks, and lots shown there; 1024 at most."""
        found = BOOK.linked()["depth"](self._place, side, min(levels, _SEEN_MAX))
        seen = self._seen[: 2 * found].tolist()
        return list(zip(seen[::2], seen[1::2], strict=True))

    def state_hash(self) -> int:
        """Sum up all that the book holds, in 64 bits."""
        return BOOK.linked()["state_hash"](self._place) & _MASK
