"""Sending orders: the one way in which a create, an amend or a cancel leaves, over whichever connection.

The bytes are built once, held against the approval, and sent as they are. The approval's ticket is used up
here and looked at once more when the connection stands ready, because waiting for one takes time. Nothing
that opens is ever sent twice. A cancel is always allowed, and harmless to repeat: it takes the other way when
the usual one is closed, gives no answer, or gives one that proves nothing.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.events import (
    CancelOutcomeUnknown,
    Event,
    OrderNotSent,
    OrderOutcomeUnknown,
    ReplaceNotSent,
    ReplaceOutcomeUnknown,
)
from executor.domain.orders import Category, NewOrder, Replacement
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock
from executor.venues.bybit.answers import Answer, NotSent, Unanswered, cancelled, created, replaced
from executor.venues.bybit.order_bytes import Act, amend_body, cancel_body, create_body
from executor.venues.bybit.return_codes import doubts_rules
from executor.venues.bybit.socket_entry import SocketEntry
from executor.venues.bybit.standing import Standing
from risk.turnstile import Turnstile
from risk.wire import check_amend_bytes, check_create_bytes

T = TypeVar("T")


class Door(Protocol):
    """One way of sending order requests: `RestEntry` or `SocketEntry`."""

    @property
    def is_http(self) -> bool:
        """Whether it counts against the address's budget of HTTP requests."""

    def why_not(self) -> str:
        """Why nothing can be sent this way at the moment; empty if it can."""

    async def send(self, act: Act, body: bytes, why_void: Callable[[], str] | None = None) -> Answer:
        """Send one request; raises `NotSent` or `Unanswered`."""


class OrderEntry:
    """Creates, amends and cancels orders.

    Parameters
    ----------
    door
        How orders are sent.
    spare
        The other way, for cancels only; None where there is none.
    cancel_s_max
        Longest time a cancel waits for room or for the spare way, seconds.
    on_rules_doubt
        Told of a symbol whose trading rules seem to have changed.
    """

    def __init__(
        self,
        *,
        door: Door,
        spare: Door | None,
        turnstile: Turnstile,
        standing: Standing,
        clock: Clock,
        cancel_s_max: float,
        on_rules_doubt: Callable[[Category, str], None],
    ) -> None:
        self._door = door
        self._spare = spare
        self._turnstile = turnstile
        self._standing = standing
        self._clock = clock
        self._cancel_s_max = cancel_s_max
        self._on_rules_doubt = on_rules_doubt
        self._waiting: dict[str, asyncio.Future[Event]] = {}

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request and say what its answer proves.

        Raises
        ------
        LocalProtocolError
            If the bytes that would leave do not say what was approved.
        """
        order = approved.order
        body = create_body(order)
        check_create_bytes(body, approved)
        try:
            answer = await self._open(Act.CREATE, order.category, body, approved)
        except NotSent as error:
            return OrderNotSent(at_ns=0, client_order_id=order.client_order_id, detail=str(error))
        except Unanswered as error:
            return OrderOutcomeUnknown(at_ns=0, client_order_id=order.client_order_id, detail=str(error))
        self._look_at_rules(order.category, order.symbol, answer)
        return created(order, answer, hashlib.sha256(body).hexdigest())

    async def replace(self, approved: Approved[Replacement]) -> Event:
        """Send one amend request and say what its answer proves.

        Raises
        ------
        LocalProtocolError
            If the bytes that would leave do not say what was approved.
        """
        order = approved.order
        body = amend_body(order)
        check_amend_bytes(body, approved)
        try:
            answer = await self._open(Act.AMEND, order.category, body, approved)
        except NotSent as error:
            return ReplaceNotSent(at_ns=0, client_order_id=order.client_order_id, detail=str(error))
        except Unanswered as error:
            return ReplaceOutcomeUnknown(at_ns=0, client_order_id=order.client_order_id, detail=str(error))
        self._look_at_rules(order.category, order.symbol, answer)
        return replaced(order, answer)

    async def cancel(self, command: CancelOrder) -> Event:
        """Send a cancel request, also by the spare way if the usual one proves nothing, and say what was proved.

        One that is asked for again while it waits for room is not sent again: both have the same answer.
        """
        name = command.client_order_id
        waiting = self._waiting.get(name)
        if waiting is not None:
            return await asyncio.shield(waiting)
        answer: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        try:
            event = await self._cancel(command, answer)
            answer.set_result(event)
        finally:
            answer.cancel()  # nobody waits on where none has come; one that has stays
        return event

    async def _cancel(self, command: CancelOrder, answer_to_all: asyncio.Future[Event]) -> Event:
        body = cancel_body(command)
        details: list[str] = []
        is_shut = False
        for door in (self._door, self._spare):
            if door is None:
                continue
            try:
                with self._joined(command.client_order_id, answer_to_all):
                    await self._wait_for_room(door, command.category, may_connect=is_shut)
                asked_ns = self._clock.now_ns()
                answer = await door.send(Act.CANCEL, body)
            except (NotSent, Unanswered) as error:
                details.append(str(error))
                is_shut = isinstance(error, NotSent) or self._standing.is_banned
                continue
            self._standing.on_answer(Act.CANCEL, command.category, answer)
            event = cancelled(command, answer, asked_ns)
            if not isinstance(event, CancelOutcomeUnknown):
                return event
            details.append(event.detail)
            is_shut = self._standing.is_banned
        return CancelOutcomeUnknown(
            at_ns=0, client_order_id=command.client_order_id, detail="; ".join(details)
        )

    async def _open(self, act: Act, category: Category, body: bytes, approved: Approved[T]) -> Answer:
        """Send what may enlarge a position, at most once.

        Raises
        ------
        NotSent, Unanswered
            As the door does; `NotSent` also when the ticket is void or the venue must be left alone.
        """
        refusal = (
            self._turnstile.why_closed(approved) or self._standing.why_not_open() or self._door.why_not()
        )
        if refusal:
            raise NotSent(refusal)
        wait_s = self._standing.order_wait_s(act, category, http=self._door.is_http)
        if wait_s:
            raise NotSent(f"rate limit: no room for another {act.value} within {wait_s:.3f} s")
        answer = await self._door.send(act, body, lambda: self._turnstile.why_void(approved))
        self._standing.on_answer(act, category, answer)
        return answer

    @contextmanager
    def _joined(self, client_order_id: str, answer: asyncio.Future[Event]) -> Iterator[None]:
        """Let others of the same order wait for this answer while none of its requests is on its way."""
        is_first = self._waiting.setdefault(client_order_id, answer) is answer
        try:
            yield
        finally:
            if is_first:
                del self._waiting[client_order_id]

    async def _wait_for_room(self, door: Door, category: Category, *, may_connect: bool) -> None:
        """Wait for the spare socket and for the request budget; a cancel does not grow stale.

        Parameters
        ----------
        may_connect
            Whether to wait for a spare socket that is not connected; otherwise it is made for the cancels to come.

        Raises
        ------
        NotSent
            If the time is up first.
        """
        end_ns = self._clock.now_ns() + int(self._cancel_s_max * NS_PER_S)
        if door is self._spare and isinstance(door, SocketEntry):
            door.wanted.set()
            if may_connect:
                await door.wait_live(self._cancel_s_max)
        refusal = door.why_not()
        if refusal:
            raise NotSent(refusal)
        while wait_s := self._standing.order_wait_s(Act.CANCEL, category, http=door.is_http):
            if self._clock.now_ns() + wait_s * NS_PER_S > end_ns:
                raise NotSent(f"rate limit: no room for another cancel within {wait_s:.3f} s")
            await asyncio.sleep(wait_s)

    def _look_at_rules(self, category: Category, symbol: str, answer: Answer) -> None:
        if doubts_rules(answer.code, answer.text):
            self._on_rules_doubt(category, symbol)
