"""Sending strategy orders: a create once and never again, and the stop that ends them.

The create request has no id of ours: the venue documents none. So what is not answered is not known, and only what it
shows of itself can tell (`algo_queries`). A stop is always allowed and harmless to repeat.
"""

from typing import Final

from executor.domain.algo import NewAlgo
from executor.domain.approval import Approved
from executor.domain.commands import StopAlgo
from executor.domain.events import (
    CancelAcked,
    CancelOutcomeUnknown,
    Event,
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
)
from executor.venues.bybit.algo_bytes import CREATE_PATH, STOP_PATH, algo_body, stop_body
from executor.venues.bybit.answers import Answer, NotSent, Unanswered
from executor.venues.bybit.order_bytes import Act
from executor.venues.bybit.rest_entry import RestEntry
from executor.venues.bybit.return_codes import UNFUNDED, CreateOutcome, judge_create
from executor.venues.bybit.standing import Standing
from risk.algo_wire import check_algo_bytes
from risk.turnstile import Turnstile

REFUSED_TERMS: Final = frozenset(range(60_088, 60_096))
"""Documented refusals of a POV's terms: nothing was taken."""
_ID_CHARS_MAX: Final = 64


class AlgoEntry:
    """Creates and stops strategy orders, each as a signed request of its own."""

    def __init__(self, rest: RestEntry, turnstile: Turnstile, standing: Standing) -> None:
        self._rest = rest
        self._turnstile = turnstile
        self._standing = standing

    async def place(self, approved: Approved[NewAlgo]) -> Event:
        """Send one create request, at most once, and say what its answer proves.

        Raises
        ------
        LocalProtocolError
            If the bytes that would leave do not say what was approved.
        """
        order = approved.order.order
        body = algo_body(approved.order)
        check_algo_bytes(body, approved)
        name = order.client_order_id
        refusal = (
            self._turnstile.why_closed(approved) or self._standing.why_not_open() or self._rest.why_not()
        )
        wait_s = 0.0 if refusal else self._standing.order_wait_s(Act.CREATE, order.category, http=True)
        if wait_s:
            refusal = f"rate limit: no room for another strategy order within {wait_s:.3f} s"
        if refusal:
            return OrderNotSent(at_ns=0, client_order_id=name, detail=refusal)
        try:
            answer = await self._rest.send_to(CREATE_PATH, body, lambda: self._turnstile.why_void(approved))
        except NotSent as error:
            return OrderNotSent(at_ns=0, client_order_id=name, detail=str(error))
        except Unanswered as error:
            return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=str(error))
        self._standing.on_code(answer.code, answer.text)
        return _created(name, answer)

    async def stop(self, command: StopAlgo) -> Event:
        """Send one stop request; whatever it is answered, the end is proved by asking."""
        name = command.client_order_id
        try:
            answer = await self._rest.send_to(STOP_PATH, stop_body(command), None)
        except (NotSent, Unanswered) as error:
            return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=str(error))
        self._standing.on_code(answer.code, answer.text)
        if answer.code == 0 and answer.result.get("strategyId") == command.strategy_id:
            return CancelAcked(at_ns=0, client_order_id=name)
        return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=f"{answer.code}: {answer.text}")


def _created(name: str, answer: Answer) -> Event:
    """What the answer to a create request proves; a code that is not known to refuse proves nothing."""
    outcome = judge_create(answer.code, answer.text)
    if answer.code in REFUSED_TERMS:
        outcome = CreateOutcome.REJECTED
    if outcome is CreateOutcome.UNKNOWN:
        detail = f"{answer.code}: {answer.text}"
        return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=detail)
    if outcome is not CreateOutcome.ACCEPTED:
        return OrderRejected(
            at_ns=0,
            client_order_id=name,
            code=answer.code,
            text=answer.text,
            fatal=outcome is CreateOutcome.FATAL,
            unfunded=answer.code in UNFUNDED,
        )
    strategy_id = answer.result.get("strategyId")
    is_id = isinstance(strategy_id, str) and strategy_id.isascii() and 0 < len(strategy_id) <= _ID_CHARS_MAX
    if not is_id or answer.result.get("result") is not None:
        return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail="accepted, but not as documented")
    return OrderAcked(at_ns=0, client_order_id=name, venue_order_id=str(strategy_id), sent_sha256="")
