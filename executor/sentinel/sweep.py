"""Cancelling until it is proved: cancel everything, read every page anew, and again, until nothing is there.

Each part of the account is swept by itself, so that trouble with one does not hold up the others; a ban holds up all.
A cancel-all takes at most 500 orders and is carried out later than it is answered, so its answer proves nothing:
only a complete read without an open order does. A request of the daemon that was still on its way can be accepted
for as long as the venue takes such requests; so an empty account is read once more after that time.

Positions are left as they are. Conditional orders, take-profits and stop-losses are orders: they are cancelled too.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from executor.domain.ports import Log
from executor.sentinel.venue import SCOPES, OpenOrder, Scope, SweepVenue, Trouble, VenueTrouble

BAN_S: Final = 600.0
"""How long a barred address must be silent, seconds; asking in between makes it longer."""
STRATEGIES: Final = "strategy orders"
_SETTLE_S: Final = 0.15
_PAUSE_S: Final = 0.25
_PAUSE_S_MAX: Final = 5.0
_KEY_PAUSE_S: Final = 30.0
_TELL_EVERY_S: Final = 30.0
_SINGLY_FROM_ROUND: Final = 2
_SINGLY_MAX: Final = 20
_DESCRIBE_S_MAX: Final = 3.0


class Wait(Protocol):
    """Lets time pass, seconds."""

    async def __call__(self, seconds: float, /) -> None:
        """Return after that time."""


class Sweep:
    """One sweep of an account.

    Parameters
    ----------
    confirm_s
        Time after the first proof at which everything is read once more, seconds: longer than the venue takes a
        request that was signed before.
    wait, clock_s
        How time passes, and a monotonic clock in seconds.
    algorithms
        Whether strategy orders of the venue were switched on. They are looked for and stopped in any case; where they
        were not, a venue that will not say counts as one that has none.
    """

    def __init__(
        self,
        venue: SweepVenue,
        log: Log,
        *,
        confirm_s: float,
        wait: Wait = asyncio.sleep,
        clock_s: Callable[[], float] = time.monotonic,
        algorithms: bool = False,
    ) -> None:
        self._venue = venue
        self._log = log
        self._confirm_s = confirm_s
        self._wait = wait
        self._clock_s = clock_s
        self._algorithms = algorithms
        self._barred_until_s = 0.0
        self._told: dict[str, tuple[str, float]] = {}
        self.found: dict[str, str] = {}
        """Orders that were seen or taken for cancelling, in order of appearance: id, and a text for people."""
        self.remaining: dict[str, tuple[OpenOrder, ...] | None] = dict.fromkeys(
            (*(scope.name for scope in SCOPES), STRATEGIES), None
        )
        """For each part of the account what the last complete read showed; None before the first."""

    async def run(self) -> None:
        """Cancel until nothing is open, as often as it takes; ends only with the proof."""
        self._log(
            "cancelling every open order: limit, conditional, take-profit and stop-loss orders of linear, inverse"
            " and spot, and stopping every strategy order; positions are left as they are",
            level="warning",
        )
        while True:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._clear_strategies())
                for scope in SCOPES:
                    group.create_task(self._clear(scope))
            self._log(
                "no order is open: every page of every category was read and is empty", orders=len(self.found)
            )
            await self._wait(self._confirm_s)
            if await self._is_still_empty():
                self._log(
                    "a second read after all requests have expired is empty too", orders=len(self.found)
                )
                return
            self._log("an order appeared after the first proof; cancelling again", level="warning")

    async def describe(self) -> None:
        """Ask once what the orders were that were cancelled before they were read; what is not learnt stays an id."""
        for scope in SCOPES:
            with suppress(VenueTrouble, TimeoutError):
                async with asyncio.timeout(_DESCRIBE_S_MAX):
                    texts = await self._venue.recent_texts(scope)
                    self.found |= {name: text for name, text in texts.items() if name in self.found}

    @property
    def may_remain(self) -> list[str]:
        """What is not proved gone, for people; empty after the proof."""
        lines = []
        for name, orders in self.remaining.items():
            if orders is None:
                lines.append(f"{name}: could not be read")
            else:
                lines += [order.text for order in orders]
        return lines

    async def _clear(self, scope: Scope) -> None:
        """Cancel and read one part of the account until a read shows nothing."""
        pause_s, turn = _PAUSE_S, 0
        known: tuple[OpenOrder, ...] = ()
        while True:
            try:
                await self._until_not_barred()
                await self._cancel(scope, known, turn)
                await self._wait(_SETTLE_S)
                orders = tuple(await self._venue.open_orders(scope))
            except VenueTrouble as error:
                await self._after_trouble(scope.name, error, pause_s)
                pause_s = min(pause_s * 2, _PAUSE_S_MAX)
                continue
            self.remaining[scope.name] = orders
            self.found |= {order.order_id: order.text for order in orders}
            if not orders:
                return
            self._tell(scope.name, f"{len(orders)} orders are still open, cancelling again")
            # As long as it gets fewer the venue is working on it; otherwise it is given more time.
            pause_s = _PAUSE_S if len(orders) < len(known) else min(pause_s * 2, _PAUSE_S_MAX)
            if turn:
                await self._wait(pause_s)
            known, turn = orders, turn + 1

    async def _cancel(self, scope: Scope, known: tuple[OpenOrder, ...], turn: int) -> None:
        """Send the cancel requests of one round; what the venue refuses to do in one way is tried in another."""
        requests = list(scope.sweeps)
        if scope.category != "spot":
            requests += [{"symbol": symbol} for symbol in sorted({order.symbol for order in known})]
        for which in requests:
            try:
                taken = await self._venue.cancel_all(scope.category, which)
            except VenueTrouble as error:
                if error.trouble is not Trouble.REFUSED:
                    raise
                self._tell(scope.name, f"cancel-all {dict(which)} refused: {error}")
            else:
                self.found = taken | self.found
        if turn >= _SINGLY_FROM_ROUND:
            for order in known[:_SINGLY_MAX]:
                try:
                    await self._venue.cancel(order)
                except VenueTrouble as error:
                    if error.trouble is not Trouble.REFUSED:
                        raise
                    self._tell(scope.name, f"cancel of {order.text} refused: {error}")

    async def _clear_strategies(self) -> None:
        """Stop strategy orders until a read shows none: no cancel of orders ends what goes on making them."""
        pause_s = _PAUSE_S
        while True:
            strategies = await self._read_strategies()
            self.remaining[STRATEGIES] = strategies
            self.found |= {each.order_id: each.text for each in strategies}
            if not strategies:
                return
            self._tell(STRATEGIES, f"{len(strategies)} strategy orders are still at work, stopping them")
            for each in strategies:
                try:
                    await self._until_not_barred()
                    await self._venue.stop_strategy(each)
                except VenueTrouble as error:
                    if error.trouble is not Trouble.REFUSED:
                        await self._after_trouble(STRATEGIES, error, pause_s)
                        break
                    self._tell(STRATEGIES, f"stop of {each.text} refused: {error}")
            await self._wait(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_S_MAX)

    async def _read_strategies(self) -> tuple[OpenOrder, ...]:
        """Read the strategy orders at work, as often as it takes."""
        pause_s = _PAUSE_S
        while True:
            try:
                await self._until_not_barred()
                return tuple(await self._venue.open_strategies())
            except VenueTrouble as error:
                if error.trouble in {Trouble.REFUSED, Trouble.KEY} and not self._algorithms:
                    self._tell(STRATEGIES, f"not shown here, and never switched on: {error}")
                    return ()
                await self._after_trouble(STRATEGIES, error, pause_s)
                pause_s = min(pause_s * 2, _PAUSE_S_MAX)

    async def _is_still_empty(self) -> bool:
        self.remaining[STRATEGIES] = strategies = await self._read_strategies()
        if strategies:
            return False
        for scope in SCOPES:
            orders = await self._read(scope)
            self.remaining[scope.name] = orders
            if orders:
                return False
        return True

    async def _read(self, scope: Scope) -> tuple[OpenOrder, ...]:
        """Read one part of the account, as often as it takes."""
        pause_s = _PAUSE_S
        while True:
            try:
                await self._until_not_barred()
                return tuple(await self._venue.open_orders(scope))
            except VenueTrouble as error:
                await self._after_trouble(scope.name, error, pause_s)
                pause_s = min(pause_s * 2, _PAUSE_S_MAX)

    async def _after_trouble(self, name: str, error: VenueTrouble, pause_s: float) -> None:
        """Tell what is wrong and let the time pass that it asks for."""
        match error.trouble:
            case Trouble.BANNED:
                if self._clock_s() >= self._barred_until_s:
                    self._barred_until_s = self._clock_s() + BAN_S
                    self._log(
                        f"the venue bars this address: no request for {BAN_S:g} s; orders may remain open until then",
                        level="error",
                        detail=str(error),
                    )
                return
            case Trouble.HELD_BACK:
                return
            case Trouble.CLOCK:
                self._venue.forget_time()
            case Trouble.KEY:
                self._tell(
                    name,
                    f"the venue refuses our key: {error}; nothing can be cancelled with it",
                    level="error",
                )
                await self._wait(_KEY_PAUSE_S)
                return
            case Trouble.BUSY:
                pause_s = max(pause_s, 1.0)
            case Trouble.UNREACHED | Trouble.REFUSED:
                pass
        self._tell(name, f"{error.trouble.value}; trying again: {error}", level="warning")
        await self._wait(pause_s)

    async def _until_not_barred(self) -> None:
        rest_s = self._barred_until_s - self._clock_s()
        if rest_s > 0:
            await self._wait(rest_s)
        self._venue.lift_ban()

    def _tell(self, name: str, text: str, level: str = "info") -> None:
        """Log a sentence about a part of the account, and not again and again."""
        last, at_s = self._told.get(name, ("", 0.0))
        if text != last or self._clock_s() - at_s >= _TELL_EVERY_S:
            self._told[name] = (text, self._clock_s())
            self._log(f"{name}: {text}", level=level)
