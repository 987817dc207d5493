"""What happens in the room of one ccxt venue: orders are sent and questions asked, one exchange for both."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.errors import LocalProtocolError, RemoteProtocolError, TransportError
from executor.domain.events import (
    CancelAcked,
    CancelOutcomeUnknown,
    Event,
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
)
from executor.domain.instrument import Instrument
from executor.domain.orders import Category, NewOrder, Side
from executor.domain.timeline import NS_PER_S
from executor.domain.units import plain
from executor.runtime.clock import Clock
from executor.venues.through_ccxt.dialect import Dialect, Exchange
from executor.venues.through_ccxt.reading import Reader, failures, told
from executor.venues.through_ccxt.rows import MarketUnusable, order_id_at
from executor.venues.through_ccxt.terms import OtherVenue
from executor.venues.through_ccxt.verdicts import Leaning, is_barring, leaning_of
from executor.venues.through_ccxt.walled import ACT, LAST_ANSWER, Act, make_exchange

T = TypeVar("T")
UNVERIFIED: Final = -1
"""Return code of ours for an order that ccxt would have sent otherwise than it was approved."""
_QUEUE_S_MAX: Final = 2.0
_BANNED: Final = frozenset({403, 418})
_SIDES: Final = {Side.BUY: "buy", Side.SELL: "sell"}


class Inside:
    """One exchange, in the thread that made it.

    Parameters
    ----------
    on_barred
        Told, in the room's thread, what a venue said that asks for fewer requests, and whether it bars our address.
    """

    def __init__(
        self,
        terms: OtherVenue,
        dialect: Dialect,
        prefix: str,
        clock: Clock,
        on_barred: Callable[[str, bool], None],
    ) -> None:
        self._terms = terms
        self._dialect = dialect
        self._clock = clock
        self._on_barred = on_barred
        self._exchange: Exchange = make_exchange(dialect, terms)
        self.reader = Reader(self._exchange, dialect, terms, prefix, clock)

    async def close(self) -> None:
        """Close all connections."""
        session = self._exchange.session
        await self._exchange.close()
        await session.close()

    async def load(self) -> None:
        """Read the list of markets and the venue's clock.

        Raises
        ------
        TransportError
            If they could not be read.
        """
        await self.asked(self._exchange.load_markets)
        await self.asked(self.reader.measure_time)

    async def asked(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Ask something.

        Raises
        ------
        TransportError
            If there was no whole answer.
        """
        try:
            return await question()
        except failures() as error:
            self._note(error)
            raise TransportError(told(error)) from error

    async def rules(self, category: Category, symbol: str, *, anew: bool) -> Instrument:
        """The rules of a symbol.

        Raises
        ------
        TransportError
            If they could not be read.
        MarketUnusable
            If they do not fit, or there is no such market.
        """
        try:
            return await self.asked(lambda: self.reader.instrument(category, symbol, anew=anew))
        except TransportError as error:
            if isinstance(error.__cause__, MarketUnusable):
                raise error.__cause__ from None
            raise

    async def place(self, approved: Approved[NewOrder], why_void: Callable[[], str]) -> Event:
        """Send one create request, at most once, and say what its answer proves."""
        order = approved.order
        name = order.client_order_id
        try:
            unified = self.reader.unified(order.category, order.symbol)
            market = self.reader.market(order.category, order.symbol)
            self._dialect.written(name)
        except failures() as error:
            return OrderNotSent(at_ns=0, client_order_id=name, detail=told(error))
        act = Act(
            lambda request: self._dialect.check_create(request, approved, market), self._in_time(why_void)
        )
        raised = await self._do(
            act,
            lambda: self._exchange.create_order(
                unified,
                "limit",
                _SIDES[order.side],
                plain(order.qty),
                plain(order.px),
                dict(self._dialect.create_params(order)),
            ),
        )
        if isinstance(raised, LocalProtocolError) and not act.left:
            # Counted as a refusal, so that a venue at which nothing can be sent as approved pauses the order.
            return _refused(order, f"not sent, {raised}")
        if not act.left:
            return OrderNotSent(at_ns=0, client_order_id=name, detail=_words(raised))
        if act.answer is None:
            return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=_words(raised))
        return self._proved(order, act, raised)

    def _proved(self, order: NewOrder, act: Act, error: BaseException | None) -> Event:
        """What an answer proves: its own words and the class that ccxt made of it must agree."""
        unknown = OrderOutcomeUnknown(at_ns=0, client_order_id=order.client_order_id, detail=_words(error))
        assert act.answer is not None
        try:
            event = self._dialect.created(order, act.answer, hashlib.sha256(act.body.encode()).hexdigest())
        except RemoteProtocolError as failure:
            return OrderOutcomeUnknown(
                at_ns=0, client_order_id=order.client_order_id, detail=f"{failure}; {unknown.detail}"
            )
        if isinstance(event, OrderRejected):
            agrees = error is not None and leaning_of(error) is Leaning.REFUSED
            return event if agrees else unknown
        if isinstance(event, OrderAcked):
            if error is not None:
                return unknown
            return OrderAcked(
                at_ns=0,
                client_order_id=event.client_order_id,
                venue_order_id=order_id_at(event.venue_order_id, self._terms.name),
                sent_sha256=event.sent_sha256,
            )
        return event

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request and say what its answer proves."""
        name = command.client_order_id
        asked_ns = self._clock.now_ns()
        try:
            unified = self.reader.unified(command.category, command.symbol)
            market = self.reader.market(command.category, command.symbol)
            written = self._dialect.written(name)
        except failures() as error:
            return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=told(error))
        act = Act(lambda request: self._dialect.check_cancel(request, written, market), str)
        params = dict(self._dialect.cancel_params(written))
        raised = await self._do(act, lambda: self._exchange.cancel_order(None, unified, params))
        unknown = CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=_words(raised))
        if act.answer is None:
            return unknown
        try:
            event = self._dialect.cancelled(command, act.answer, asked_ns)
        except RemoteProtocolError:
            return unknown
        return unknown if isinstance(event, CancelAcked) and raised is not None else event

    async def _do(self, act: Act, send: Callable[[], Coroutine[Any, Any, object]]) -> BaseException | None:
        """Let one act happen; gives what ccxt raised."""
        kinds: tuple[type[BaseException], ...] = (LocalProtocolError, *failures())
        token = ACT.set(act)
        try:
            await send()
        except kinds as error:
            self._note(error)
            return error
        finally:
            ACT.reset(token)
        return None

    def _in_time(self, why_void: Callable[[], str]) -> Callable[[], str]:
        """Neither may an order leave that was voided, nor one that waited for others until the market had moved."""
        end_ns = self._clock.now_ns() + int(_QUEUE_S_MAX * NS_PER_S)

        def look() -> str:
            late = self._clock.now_ns() > end_ns
            return why_void() or (
                f"it waited more than {_QUEUE_S_MAX:g} s for its turn at the venue" if late else ""
            )

        return look

    def _note(self, error: BaseException) -> None:
        answer = LAST_ANSWER.get()
        is_ban = answer is not None and answer.status in _BANNED
        if is_ban or is_barring(error):
            self._on_barred(told(error), is_ban)


def _refused(order: NewOrder, text: str) -> OrderRejected:
    return OrderRejected(
        at_ns=0, client_order_id=order.client_order_id, code=UNVERIFIED, text=text, fatal=False
    )


def _words(error: BaseException | None) -> str:
    return "the answer proves nothing" if error is None else told(error)
