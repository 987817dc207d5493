"""A compiled market with the face of `simulation.market.engine`: looked at on its way, with its accounts to be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from simulation.book.native import NativeBook
from simulation.clearing.rules import ClearingRules
from simulation.compiled_market.market import Account, CompiledMarket
from simulation.market.engine import RunSummary
from simulation.market.values import ValuePath


@dataclass(frozen=True, slots=True)
class CompiledHouse:
    """Accounts of a compiled market at one instant; the house's own follows those of the participants.

    Parameters
    ----------
    cash
        Money by account.
    shares
        Lots by asset and account.
    put_in
        Money and lots that were put in before the run.
    """

    cash: Sequence[int]
    shares: Sequence[Sequence[int]]
    scale: int
    rules: ClearingRules
    put_in: tuple[int, int]

    def conserved(self) -> bool:
        """Whether all accounts together hold what was put in."""
        return (sum(self.cash), sum(self.shares[0])) == self.put_in


@dataclass(frozen=True, slots=True)
class CompiledExchange:
    """Book and accounts of a compiled market at one instant.

    Parameters
    ----------
    first_pxs, last_pxs
        Before the first trade, and of the last one, ticks.
    refused
        Messages by participant that were not let through.
    """

    house: CompiledHouse
    books: Sequence[NativeBook]
    first_pxs: Sequence[int]
    last_pxs: Sequence[int]
    refused: Sequence[int]


class CompiledEngine:
    """Runs a compiled market and looks at it on the way.

    Parameters
    ----------
    market
        With everybody in it, not begun.
    names
        Of its participants.
    put_in
        Money and lots that they begin with, all together.
    """

    def __init__(self, market: CompiledMarket, names: Sequence[str], put_in: tuple[int, int]) -> None:
        self._market = market
        self.names = tuple(names)
        self._put_in = put_in
        self._due: list[tuple[int, int, Callable[[int], int | None]]] = []
        self._count = 0

    @property
    def seed(self) -> int:
        """Of everything that is drawn."""
        return self._market.seed

    @property
    def now_ns(self) -> int:
        """Simulated time reached, nanoseconds."""
        return self._market.now_ns

    @property
    def values(self) -> Sequence[ValuePath]:
        """What the asset is worth."""
        return (self._market.value,)

    @property
    def exchange(self) -> CompiledExchange:
        """What is in the book and in the accounts now."""
        market = self._market
        accounts: list[Account] = [market.account(number) for number in range(len(self.names) + 1)]
        return CompiledExchange(
            house=CompiledHouse(
                cash=[one.cash for one in accounts],
                shares=([one.shares for one in accounts],),
                scale=market.scale,
                rules=market.rules,
                put_in=self._put_in,
            ),
            books=(market.book,),
            first_pxs=(market.first_px,),
            last_pxs=(market.last_px,),
            refused=[market.refused(number) for number in range(len(self.names))],
        )

    def at(self, at_ns: int, action: Callable[[int], int | None]) -> None:
        """Have something done before whatever happens at an instant; what it returns is when again, or None.

        Raises
        ------
        ValueError
            If the instant has passed.
        """
        if at_ns < self.now_ns:
            raise ValueError(f"{at_ns} ns has passed, it is {self.now_ns}")
        self._count += 1
        heappush(self._due, (at_ns, self._count, action))

    def run(self, *, until_ns: int) -> RunSummary:
        """Go on until an instant; can be called again."""
        market, due = self._market, self._due
        market.open()
        while due and due[0][0] <= until_ns:
            at_ns, _, action = heappop(due)
            if at_ns > market.now_ns:
                market.run(until_ns=at_ns - 1)
            again_ns = action(at_ns)
            if again_ns is not None:
                self.at(max(again_ns, at_ns + 1), action)
        return market.run(until_ns=until_ns)

    def summary(self) -> RunSummary:
        """Say what the run has come to so far."""
        return self._market.summary()
