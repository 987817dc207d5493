"""The seams between the engine's shell and the outside. A venue takes approved orders only."""

from typing import Protocol

from executor.domain.advice import AdviceRecord
from executor.domain.algo import NewAlgo
from executor.domain.approval import Approved
from executor.domain.commands import (
    CancelOrder,
    QueryAlgo,
    QueryOrder,
    Reconcile,
    RequestAdvice,
    StopAlgo,
    Subscribe,
)
from executor.domain.events import Event
from executor.domain.orders import NewOrder, Replacement


class Post(Protocol):
    """Where a venue puts what it has to tell; never blocks.

    Raises
    ------
    executor.domain.errors.Overflow
        When the inbox is full: the caller must drop its connection and start over, not the event.
    """

    def __call__(self, event: Event) -> None:
        """Hand an event to the engine."""


class Log(Protocol):
    """Where the shell says what it does; structured, without secrets."""

    def __call__(self, message: str, **fields: object) -> None:
        """Write one line."""


class Counsel(Protocol):
    """Somebody who can be asked about a parent."""

    async def ask(self, request: RequestAdvice) -> Event:
        """Bring back an answer or its failure, by the deadline of the question or soon after it; never raises."""

    def heard(self, record: AdviceRecord, heard_ns: int) -> None:
        """Learn that an answer was worked at an instant (UTC), and what it came to."""


class VirtualCounsel(Protocol):
    """Somebody who can be asked about a parent while the clock stands still."""

    def answer(self, request: RequestAdvice, at_ns: int) -> tuple[Event, int]:
        """Say what comes back to a question of that instant, and after how many nanoseconds."""


class Venue(Protocol):
    """A place where orders can be worked. Every method ends by itself and answers with events."""

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request, at most once, and say what is known of its outcome."""

    async def replace(self, approved: Approved[Replacement]) -> Event:
        """Send one amend request, at most once, and say what is known of its outcome."""

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request and say what is known of its outcome."""

    async def query(self, command: QueryOrder) -> list[Event]:
        """Ask everything about one order."""

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Read everything of one category; the last event says whether it was complete."""

    def subscribe(self, command: Subscribe) -> None:
        """Keep the engine informed about one symbol from now on."""

    async def run(self, post: Post) -> None:
        """Keep the connections up and post what they bring, until cancelled."""


class AlgoVenue(Protocol):
    """A venue that works strategy orders by itself. Every method ends by itself and answers with events."""

    async def place_algo(self, approved: Approved[NewAlgo]) -> Event:
        """Send one create request, at most once, and say what is known of its outcome."""

    async def stop_algo(self, command: StopAlgo) -> Event:
        """Send one stop request and say what is known of its outcome."""

    async def query_algo(self, command: QueryAlgo) -> list[Event]:
        """Ask everything about one strategy order and the orders that it has made."""
