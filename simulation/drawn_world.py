"""A world that is drawn one moment ahead: a market that is an iterator, a venue that answers at once, wires between.

It is never ahead of the clock by more than that moment, so that who knows the market by its generator can know only
what has happened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder, Subscribe
from executor.domain.errors import LocalProtocolError
from executor.domain.events import BookUpdated, Event
from executor.domain.market import MarketSnapshot
from simulation.frictions import Latencies
from simulation.moments import MarketMoment, PublicTrade

Request = PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | Reconcile | Subscribe


class PromptVenue(Protocol):
    """A venue that is told of everything in order of time, and answers at once."""

    def follow(self, moment: MarketMoment) -> list[Event]:
        """Something happened in the market: what it does to our orders."""

    def take(self, request: Request, *, asked_ns: int, at_ns: int) -> list[Event]:
        """Take in a request that was sent at one instant and arrives at another."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A request reaches the venue."""

    request: Request
    asked_ns: int


_Item = Event | MarketMoment | _Arrival


class DrawnWorld:
    """A market and a venue behind wires of constant length.

    Parameters
    ----------
    market
        What happens, in order of time and not before the start; it may end.
    """

    def __init__(
        self, *, market: Iterator[MarketMoment], venue: PromptVenue, latencies: Latencies, start_ns: int
    ) -> None:
        self.now_ns = start_ns
        self._market = market
        self._venue = venue
        self._latencies = latencies
        self._heap: list[tuple[int, int, _Item]] = []
        self._numbers = count()
        self._begun = False

    def send(self, request: Request, at_ns: int) -> None:
        """Take a request that leaves us at an instant."""
        self._push(at_ns + self._latencies.entry_ns, _Arrival(request, at_ns))

    def advance(self, until_ns: int) -> Event | None:
        """Go on to an instant, but not beyond the first thing that is heard.

        Raises
        ------
        LocalProtocolError
            If something is due in the past: the market is out of order.
        """
        if not self._begun:
            self._begun = True
            self._draw()
        while self._heap and self._heap[0][0] <= until_ns:
            self.now_ns, _, item = heappop(self._heap)
            match item:
                case PublicTrade() | MarketSnapshot():
                    self._tell(self._venue.follow(item))
                    if isinstance(item, MarketSnapshot):
                        at_ns = self.now_ns + self._latencies.feed_ns
                        self._push(at_ns, BookUpdated(at_ns=at_ns, market=item))
                    self._draw()
                case _Arrival():
                    self._tell(self._venue.take(item.request, asked_ns=item.asked_ns, at_ns=self.now_ns))
                case _:
                    return item
        self.now_ns = max(self.now_ns, until_ns)
        return None

    def _draw(self) -> None:
        """Take the next moment of the market: one at a time, so that it is never ahead of the clock."""
        moment = next(self._market, None)
        if moment is not None:
            self._push(moment.ts_exchange_ns, moment)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            self._push(self.now_ns + self._latencies.answer_ns, event)

    def _push(self, at_ns: int, item: _Item) -> None:
        if at_ns < self.now_ns:
            raise LocalProtocolError(f"{type(item).__name__} is due {self.now_ns - at_ns} ns ago")
        heappush(self._heap, (at_ns, next(self._numbers), item))
