"""Several parents asked for at once: all are accepted, or none is; and what is asked of all of them later.

One event, one entry of the journal. After that each parent lives by itself.
"""

from collections import Counter
from typing import Final

from executor.domain.commands import Outcome, Reply
from executor.domain.events import (
    BasketSteered,
    BasketSubmitted,
    BasketVerb,
    CancelRequested,
    ParentSubmitted,
    PauseRequested,
    ResumeRequested,
)
from executor.domain.parent_state import ParentStatus
from executor.engine.desk import Desk
from executor.engine.exposure import are_priced, why_not_together
from executor.engine.state import BasketState, EngineState, ParentState
from executor.engine.verbs import accept, on_cancel, on_pause, on_resume, why_refused_alone
from risk.joint import Bounds

Refusal = tuple[int | None, Outcome, str, str]
"""Number of the order from 0 (None: the basket as a whole), outcome, code and text."""
_DONE: Final = {BasketVerb.PAUSE: "paused", BasketVerb.RESUME: "resumed", BasketVerb.CANCEL: "cancelling"}


def on_basket(desk: Desk, event: BasketSubmitted) -> list[ParentState]:
    """Accept every order of a basket, or none; the same key with the same body names the first one again."""
    state = desk.state
    earlier = state.basket_keys.get(event.idempotency_key)
    if earlier is not None:
        same = state.baskets[earlier].body_sha256 == event.body_sha256
        outcome = Outcome.REPEATED if same else Outcome.CONFLICT
        text = "this basket was accepted before" if same else "this key was used with another basket"
        _reply(desk, event.request_id, outcome, earlier, "IDEMPOTENCY_KEY", text)
        return []
    found = basket_refusals(state, event)
    if found:
        _, outcome, code, _ = found[0]
        _reply(desk, event.request_id, outcome, "", code, "; ".join(_told(each) for each in found))
        return []
    basket_id = f"B{state.next_basket_no}"
    state.next_basket_no += 1
    parents = [accept(desk, order, basket_id) for order in event.orders]
    # Before all have a price none is cleared: what is looked at together begins together, or not at all.
    cleared = are_priced(state, event.orders)
    for parent in parents:
        parent.cleared = cleared
    state.baskets[basket_id] = BasketState(
        basket_id=basket_id,
        name=event.name,
        idempotency_key=event.idempotency_key,
        body_sha256=event.body_sha256,
        created_ns=desk.now_ns,
        parents=tuple(parent.order.parent_id for parent in parents),
        gross_notional_max=event.gross_notional_max,
        net_notional_max=event.net_notional_max,
    )
    state.basket_keys[event.idempotency_key] = basket_id
    text = f"accepted, {len(parents)} orders"
    _reply(desk, event.request_id, Outcome.ACCEPTED, basket_id, "ACCEPTED", text)
    return parents


def basket_refusals(state: EngineState, event: BasketSubmitted) -> list[Refusal]:
    """Everything that speaks against a basket, order by order; nothing is changed."""
    if not event.orders:
        return [(None, Outcome.INVALID, "NOTHING", "it has no orders")]
    found: list[Refusal] = []
    keys = Counter(order.idempotency_key for order in event.orders)
    for number, order in enumerate(event.orders):
        earlier = state.idempotency.get(order.idempotency_key)
        if earlier is not None or keys[order.idempotency_key] > 1:
            text = "the key of this order was used before"
            found.append((number, Outcome.CONFLICT, "IDEMPOTENCY_KEY", text))
        refusal = why_refused_alone(state, order)
        if refusal is not None:
            found.append((number, *refusal))
        against = _opposite(event.orders, number)
        if against is not None:
            text = f"order {against + 1} of the basket works the other side of {order.symbol}"
            found.append((number, Outcome.CONFLICT, "OPPOSITE", text))
    own = Bounds(gross_max=event.gross_notional_max, net_max=event.net_notional_max)
    beyond = why_not_together(state, event.orders, own)
    if beyond:
        found.append((None, Outcome.INVALID, "JOINT_LIMITS", beyond))
    return found


def on_steered(desk: Desk, event: BasketSteered) -> list[ParentState]:
    """Pause, resume or cancel every open parent of a basket; asked again it does what is still to be done."""
    basket = desk.state.baskets.get(event.basket_id)
    if basket is None:
        _reply(desk, event.request_id, Outcome.NOT_FOUND, event.basket_id, "BASKET", "no such basket")
        return []
    parents = [desk.state.parents[name] for name in basket.parents]
    still_open = [parent for parent in parents if not parent.is_final]
    if not still_open:
        text = "all its orders have ended"
        _reply(desk, event.request_id, Outcome.REPEATED, event.basket_id, "ENDED", text)
        return []
    replies = [_steer(desk, event, parent) for parent in still_open]
    done = sum(reply.outcome is Outcome.ACCEPTED for reply in replies)
    outcomes = [reply.outcome for reply in replies]
    best = next((one for one in (Outcome.ACCEPTED, Outcome.REPEATED) if one in outcomes), outcomes[0])
    first = replies[outcomes.index(best)]
    others = Counter(reply.text for reply in replies if reply.outcome is not Outcome.ACCEPTED)
    told = [f"{done} of {len(still_open)} open orders {_DONE[event.verb]}"] if done else []
    told += [text if count == len(replies) else f"{count}: {text}" for text, count in others.items()]
    _reply(desk, event.request_id, best, event.basket_id, first.code, "; ".join(told))
    return still_open


def _steer(desk: Desk, event: BasketSteered, parent: ParentState) -> Reply:
    """Ask one parent, and take its answer from the desk: the basket answers once, for all."""
    at_ns, request_id, name = event.at_ns, event.request_id, parent.order.parent_id
    before = len(desk.out)
    if event.verb is BasketVerb.CANCEL and parent.goal is ParentStatus.CANCELED:
        return Reply(
            request_id=request_id,
            outcome=Outcome.REPEATED,
            parent_id=name,
            code="CANCELING",
            text="it was being cancelled already",
        )
    match event.verb:
        case BasketVerb.PAUSE:
            on_pause(desk, PauseRequested(at_ns=at_ns, request_id=request_id, parent_id=name))
        case BasketVerb.RESUME:
            on_resume(desk, ResumeRequested(at_ns=at_ns, request_id=request_id, parent_id=name))
        case BasketVerb.CANCEL:
            on_cancel(desk, CancelRequested(at_ns=at_ns, request_id=request_id, parent_id=name))
    (place,) = [at for at in range(before, len(desk.out)) if isinstance(desk.out[at], Reply)]
    reply = desk.out.pop(place)
    assert isinstance(reply, Reply)
    return reply


def _opposite(orders: tuple[ParentSubmitted, ...], number: int) -> int | None:
    """The first order of the basket that works the other side of an order's position; None if there is none."""
    this = orders[number]
    position = (this.category, this.symbol, this.position_idx)
    return next(
        (
            at
            for at, other in enumerate(orders)
            if (other.category, other.symbol, other.position_idx) == position and other.side is not this.side
        ),
        None,
    )


def _told(refusal: Refusal) -> str:
    number, _, code, text = refusal
    return f"{code}: {text}" if number is None else f"order {number + 1}: {code}: {text}"


def _reply(desk: Desk, request_id: str, outcome: Outcome, basket_id: str, code: str, text: str) -> None:
    desk.out.append(Reply(request_id=request_id, outcome=outcome, parent_id=basket_id, code=code, text=text))
