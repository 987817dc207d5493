"""What an order book is, whichever program keeps it: `twin.TwinBook`, plain Python, or `native.NativeBook`, compiled.

Both give the same outcomes and the same state hash for the same messages. The rules are in docs/market-book.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulation.book.messages import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTerms:
    """How large a book may become; whatever would exceed it is rejected.

    Parameters
    ----------
    window
        Ticks: prices of resting orders, and triggers of stops of a side, lie less than this apart. A power of two,
        64 to 2 ** 18. It moves with the market.
    orders_max
        Orders and stops that can wait at once, at most 2 ** 20.
    ids_max
        Order ids are below this, at most 2 ** 31. The compiled book takes 4 bytes for each, once it is used.
    outcomes_max
        Outcomes of one message, at least 16: the rest of a taker that would cause more is canceled, and stops that
        would be triggered wait for the end of the next message.
    """

    window: int = 1 << 16
    orders_max: int = 1 << 16
    ids_max: int = 1 << 26
    outcomes_max: int = 1 << 12

    def __post_init__(self) -> None:
        if self.window & (self.window - 1) or not 64 <= self.window <= 1 << 18:
            raise ValueError(f"window is a power of two from 64 to 2 ** 18, got {self.window}")
        if not 1 <= self.orders_max <= 1 << 20:
            raise ValueError(f"orders_max is within 1 and 2 ** 20, got {self.orders_max}")
        if not 2 <= self.ids_max <= 1 << 31:
            raise ValueError(f"ids_max is within 2 and 2 ** 31, got {self.ids_max}")
        if not 16 <= self.outcomes_max <= 1 << 20:
            raise ValueError(f"outcomes_max is within 16 and 2 ** 20, got {self.outcomes_max}")


class OrderBook(Protocol):
    """Price-time priority for one asset, in whole ticks and lots.

    Each message gives one number: how many outcomes it caused (a plain acceptance, cancel or amendment is 1), or the
    reason for which it was rejected with a minus sign. `outcomes` says what they are, until the next message.
    Positional arguments only: one of the two books is machine code.
    """

    def limit(
        self, order_id: int, owner: int, side: int, px: int, qty: int, tif: int = 0, display: int = 0, /
    ) -> int:
        """Trade up to a price, and let the rest wait if the time in force allows.

        Parameters
        ----------
        tif
            `messages.GTC`, IOC, FOK or POST_ONLY.
        display
            Lots that are shown at a time; 0 shows all.
        """

    def market(self, order_id: int, owner: int, side: int, qty: int, /) -> int:
        """Trade at any price; what finds nothing is canceled."""

    def cancel(self, order_id: int, /) -> int:
        """Take a waiting order or stop away."""

    def amend(self, order_id: int, px: int, qty: int, /) -> int:
        """Give a resting order another price, and another quantity that is left open (not: in all)."""

    def stop(self, order_id: int, owner: int, side: int, trigger_px: int, px_or_0: int, qty: int, /) -> int:
        """Have an order come when somebody trades at the trigger price or beyond: a limit, or with 0 a market order."""

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """What the last message caused, in order."""

    def plain_outcomes(self) -> Iterator[tuple[int, ...]]:
        """Give the outcomes of the last message as plain tuples, once and before the next one: the quickest way."""

    @property
    def best_bid(self) -> int:
        """Highest price bid in ticks; 0 is none."""

    @property
    def best_ask(self) -> int:
        """Lowest price asked in ticks; 0 is none."""

    @property
    def last_px(self) -> int:
        """Price of the last trade in ticks; 0 is none yet."""

    def depth(self, side: int, levels: int) -> Sequence[tuple[int, int]]:
        """List the best levels of a side, best first: price in ticks, and lots shown there."""

    def leaves(self, order_id: int) -> int:
        """Lots that an order or stop has open; 0 if it does not wait."""

    def state_hash(self) -> int:
        """Sum up all that the book holds, in 64 bits."""
