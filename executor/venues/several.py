"""Several venues as one: every command goes to the venue that its symbol names, and each is told of by itself.

A venue that fails, or does not answer, answers for itself alone. What is said of a symbol whose venue is not configured
here proves nothing: its orders may well be there.
"""

import asyncio
from collections.abc import Mapping

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import Overflow
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelOutcomeUnknown,
    ContractUpdated,
    Event,
    InstrumentLoaded,
    InstrumentMissing,
    OrderNotSent,
    OrderQueryFailed,
    PositionsLiquidated,
    ReconcileFailed,
    ReferenceUpdated,
    ReplaceNotSent,
)
from executor.domain.orders import Category, NewOrder, Replacement
from executor.domain.places import at_venue, bare_symbol, venue_of
from executor.domain.ports import Post, Venue
from executor.domain.timeline import NS_PER_S

HOME = "bybit"
"""How Bybit is called where it gives a second opinion about another venue's price."""


class SeveralVenues:
    """Bybit, and other venues by their names.

    Parameters
    ----------
    home
        Where symbols without a venue's name are traded.
    others
        By the name that stands behind the `@`.
    """

    def __init__(self, home: Venue, others: Mapping[str, Venue]) -> None:
        self._home = home
        self._others = dict(others)
        self._followed: set[tuple[Category, str]] = set()
        self._overheard: set[tuple[Category, str]] = set()
        self._rules: dict[tuple[Category, str], InstrumentLoaded] = {}
        self._later: list[Event] = []
        self._something_later = asyncio.Event()
        self._opined_ns: dict[tuple[Category, str, str], int] = {}

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request, at most once."""
        venue = self._venue(approved.order.symbol)
        if venue is None:
            return OrderNotSent(
                at_ns=0,
                client_order_id=approved.order.client_order_id,
                detail=_unknown(approved.order.symbol),
            )
        return await venue.place(approved)

    async def replace(self, approved: Approved[Replacement]) -> Event:
        """Send one amend request, at most once."""
        venue = self._venue(approved.order.symbol)
        if venue is None:
            return ReplaceNotSent(
                at_ns=0,
                client_order_id=approved.order.client_order_id,
                detail=_unknown(approved.order.symbol),
            )
        return await venue.replace(approved)

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request."""
        venue = self._venue(command.symbol)
        if venue is None:
            return CancelOutcomeUnknown(
                at_ns=0, client_order_id=command.client_order_id, detail=_unknown(command.symbol)
            )
        return await venue.cancel(command)

    async def query(self, command: QueryOrder) -> list[Event]:
        """Ask everything about one order."""
        venue = self._venue(command.symbol)
        if venue is None:
            return [
                OrderQueryFailed(
                    at_ns=0, client_order_id=command.client_order_id, detail=_unknown(command.symbol)
                )
            ]
        return await venue.query(command)

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Read everything of one category of one venue."""
        venue = self._venue(command.symbols[0])
        if venue is None:
            # Of when it was asked nothing needs to be known: no answer is older than its question.
            never_ns = (1 << 63) - 1
            return [
                ReconcileFailed(
                    at_ns=0,
                    category=command.category,
                    asked_ns=never_ns,
                    detail=_unknown(command.symbols[0]),
                    venue=venue_of(command.symbols[0]),
                )
            ]
        return await venue.reconcile(command)

    def subscribe(self, command: Subscribe) -> None:
        """Follow a symbol; of another venue's, the same one at Bybit is listened to for a second opinion."""
        venue = self._venue(command.symbol)
        key = command.category, command.symbol
        self._followed.add(key)
        if venue is None:
            self._say_later(
                InstrumentMissing(
                    at_ns=0,
                    category=command.category,
                    symbol=command.symbol,
                    detail=_unknown(command.symbol),
                )
            )
            return
        if key in self._overheard:
            self._overheard.remove(key)
            if key in self._rules:
                self._say_later(self._rules[key])
        venue.subscribe(command)
        bare = command.category, bare_symbol(command.symbol)
        if bare not in self._followed and bare not in self._overheard:
            self._overheard.add(bare)
            self._home.subscribe(Subscribe(category=bare[0], symbol=bare[1]))

    async def run(self, post: Post) -> None:
        """Keep all venues up until cancelled."""

        def opining(event: Event) -> None:
            if not self._is_overheard(event):
                post(event)
            if isinstance(event, BookUpdated):
                self._opine(event, post)

        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_later(post))
            for venue in (self._home, *self._others.values()):
                group.create_task(venue.run(opining))

    def _venue(self, symbol: str) -> Venue | None:
        name = venue_of(symbol)
        return self._others.get(name) if name else self._home

    def _is_overheard(self, event: Event) -> bool:
        """Whether it is of a market at Bybit that is listened to for its price alone."""
        match event:
            case BookUpdated():
                key = event.market.category, event.market.symbol
            case InstrumentLoaded():
                key = event.instrument.category, event.instrument.symbol
                self._rules[key] = event
            case (
                BookLost()
                | InstrumentMissing()
                | ReferenceUpdated()
                | ContractUpdated()
                | PositionsLiquidated()
            ):
                key = event.category, event.symbol
            case _:
                return False
        return key in self._overheard

    def _opine(self, event: BookUpdated, post: Post) -> None:
        """Let a market's middle be a second opinion about the same symbol at the other venues, once a second."""
        market = event.market
        source = venue_of(market.symbol)
        for name in ("", *self._others):
            about = market.category, at_venue(bare_symbol(market.symbol), name)
            if name == source or about not in self._followed:
                continue
            key = *about, source
            if market.ts_exchange_ns - self._opined_ns.get(key, 0) < NS_PER_S:
                continue
            try:
                post(
                    ReferenceUpdated(
                        at_ns=0,
                        category=about[0],
                        symbol=about[1],
                        source=source or HOME,
                        px=market.mid_px,
                    )
                )
            except Overflow:
                return  # an opinion that is missed only grows old
            self._opined_ns[key] = market.ts_exchange_ns

    def _say_later(self, event: Event) -> None:
        self._later.append(event)
        self._something_later.set()

    async def _tell_later(self, post: Post) -> None:
        while True:
            await self._something_later.wait()
            self._something_later.clear()
            while self._later:
                try:
                    post(self._later[0])
                except Overflow:
                    await asyncio.sleep(1)
                    continue
                self._later.pop(0)


def _unknown(symbol: str) -> str:
    return f"{symbol}: no venue {venue_of(symbol)} is configured"
