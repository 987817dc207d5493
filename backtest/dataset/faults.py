"""What can be wrong with recorded rows: the names, what each means, and the list of what was found where."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EXAMPLES_MAX: Final = 20


class Fault(StrEnum):
    """Name of a fault."""

    UNREADABLE = "UNREADABLE"
    BAD_NUMBER = "BAD_NUMBER"
    BAD_SIDE = "BAD_SIDE"
    WRONG_SYMBOL = "WRONG_SYMBOL"
    BAD_IDS = "BAD_IDS"
    MESSAGE_DIFFERS = "MESSAGE_DIFFERS"
    GAP = "GAP"
    CROSSED = "CROSSED"
    LOCKED = "LOCKED"
    TIME_BACK = "TIME_BACK"
    RECEIVED_BACK = "RECEIVED_BACK"
    LAG = "LAG"
    DUPLICATE_TRADE = "DUPLICATE_TRADE"
    MISSING_TRADES = "MISSING_TRADES"
    ZERO_PRICE = "ZERO_PRICE"
    ZERO_QTY = "ZERO_QTY"
    NEGATIVE = "NEGATIVE"
    FAR_PRICE = "FAR_PRICE"
    OFF_TICK = "OFF_TICK"
    OFF_LOT = "OFF_LOT"
    BOOK_DIFFERS = "BOOK_DIFFERS"


MEANING: Final[dict[Fault, str]] = {
    Fault.UNREADABLE: "the line cannot be read in the layout of its file; it is left out",
    Fault.BAD_NUMBER: "a price, quantity or time is no number that can be kept exactly; the row is left out",
    Fault.BAD_SIDE: "neither bid nor ask, neither buy nor sell; the row is left out",
    Fault.WRONG_SYMBOL: "belongs to another instrument than the file; the row is left out",
    Fault.BAD_IDS: "the update ids of a message contradict themselves or its other rows",
    Fault.MESSAGE_DIFFERS: "the row has another time than the other rows of its message",
    Fault.GAP: "update ids do not follow on: something is missing before this row",
    Fault.CROSSED: "after this row the best bid is above the best ask",
    Fault.LOCKED: "after this row the best bid equals the best ask",
    Fault.TIME_BACK: "the exchange's time is out of order",
    Fault.RECEIVED_BACK: "the receiver's time is out of order",
    Fault.LAG: "exchange and receiver disagree about the time by more than the bound",
    Fault.DUPLICATE_TRADE: "a trade id that was there before",
    Fault.MISSING_TRADES: "trade ids do not follow on: trades are missing before this one",
    Fault.ZERO_PRICE: "a price of zero",
    Fault.ZERO_QTY: "a trade or an order of no quantity",
    Fault.NEGATIVE: "a price or a quantity below zero",
    Fault.FAR_PRICE: "a price that stands alone, far from every other of its instrument",
    Fault.OFF_TICK: "a price that is no multiple of the tick size of the rules",
    Fault.OFF_LOT: "a quantity that is no multiple of the lot size of the rules",
    Fault.BOOK_DIFFERS: "the book that the source states is not what its messages make of the book before",
}

LEFT_OUT: Final = frozenset({Fault.UNREADABLE, Fault.BAD_NUMBER, Fault.BAD_SIDE, Fault.WRONG_SYMBOL})
"""Rows that have no place in the store, because a column could not be filled."""

REPAIRED_BY_DROPPING: Final = frozenset(
    {
        Fault.BAD_IDS,
        Fault.MESSAGE_DIFFERS,
        Fault.DUPLICATE_TRADE,
        Fault.ZERO_PRICE,
        Fault.ZERO_QTY,
        Fault.NEGATIVE,
        Fault.FAR_PRICE,
    }
)
"""Faults of one row alone: without it the rest is sound. The others are marked, dropping would hide them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault at one place.

    Parameters
    ----------
    fault
        Its name.
    source
        Name of the file, or of the stored day.
    line
        Line of the file, from 1, the header included; row of the stored day, from 1; 0 for the file as a whole.
    text
        What was found there.
    """

    fault: Fault
    source: str
    line: int
    text: str

    def record(self) -> dict[str, str | int]:
        """One object for machines."""
        return {"fault": str(self.fault), "source": self.source, "line": self.line, "text": self.text}


class Findings:
    """Everything that was noticed: all of it counted, the first places of each fault kept.

    Parameters
    ----------
    examples_max
        How many places are kept of each fault.
    """

    def __init__(self, examples_max: int = EXAMPLES_MAX) -> None:
        self._examples_max = examples_max
        self.counts: Counter[Fault] = Counter()
        self.notes: Counter[str] = Counter()
        self._kept: dict[Fault, list[Finding]] = {}

    def add(self, fault: Fault, source: str, line: int, text: str) -> None:
        """Count one fault, and keep its place while there is room."""
        self.counts[fault] += 1
        kept = self._kept.setdefault(fault, [])
        if len(kept) < self._examples_max:
            kept.append(Finding(fault=fault, source=source, line=line, text=text))

    def note(self, text: str, count: int = 1) -> None:
        """Count something worth saying that is no fault."""
        self.notes[text] += count

    def merge(self, others: Iterable["Findings"]) -> None:
        """Take over what others found."""
        for other in others:
            for fault, count in other.counts.items():
                self.counts[fault] += count
                kept = self._kept.setdefault(fault, [])
                kept.extend(other.places(fault)[: self._examples_max - len(kept)])
            self.notes.update(other.notes)

    def places(self, fault: Fault) -> list[Finding]:
        """The kept places of one fault."""
        return self._kept.get(fault, [])

    def all_places(self) -> list[Finding]:
        """Every kept place, file by file and line by line."""
        return sorted(
            (each for kept in self._kept.values() for each in kept),
            key=lambda each: (each.source, each.line, each.fault),
        )

    def by_name(self) -> dict[str, int]:
        """Counts with plain names, in the order of `Fault`."""
        return {str(fault): self.counts[fault] for fault in Fault if self.counts[fault]}
