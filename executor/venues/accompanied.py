"""A venue with companions: tasks that run beside it, see what it posts, and post into the same inbox."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.events import Event
from executor.domain.orders import NewOrder, Replacement
from executor.domain.ports import Post, Venue


class Companion(Protocol):
    """Something that runs as long as the venue does."""

    def notice(self, event: Event) -> None:
        """See an event that the venue posts, before the engine does; returns at once."""

    async def run(self, post: Post) -> None:
        """Work until cancelled."""


class AccompaniedVenue:
    """Passes everything on to the venue, and runs the companions beside it."""

    def __init__(self, venue: Venue, companions: Sequence[Companion]) -> None:
        self._venue = venue
        self._companions = tuple(companions)

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request."""
        return await self._venue.place(approved)

    async def replace(self, approved: Approved[Replacement]) -> Event:
        """Send one amend request."""
        return await self._venue.replace(approved)

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request."""
        return await self._venue.cancel(command)

    async def query(self, command: QueryOrder) -> list[Event]:
        """Ask everything about one order."""
        return await self._venue.query(command)

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Read everything of one category."""
        return await self._venue.reconcile(command)

    def subscribe(self, command: Subscribe) -> None:
        """Follow a symbol."""
        self._venue.subscribe(command)

    async def run(self, post: Post) -> None:
        """Keep the venue and its companions up until cancelled."""

        def noticed(event: Event) -> None:
            for companion in self._companions:
                companion.notice(event)
            post(event)

        async with asyncio.TaskGroup() as group:
            group.create_task(self._venue.run(noticed))
            for companion in self._companions:
                group.create_task(companion.run(post))
