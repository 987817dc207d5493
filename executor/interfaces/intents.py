"""From a valid request to the event the engine will decide about. The instant is left to whoever stamps it."""

import hashlib
import json
from typing import Final

from config.problems import ConfigProblems, Problem
from executor.domain.events import (
    AmendRequested,
    ExchangeFlowCounted,
    HaltRequested,
    ParentSubmitted,
    RearmRequested,
)
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import Price, Quantity
from executor.engine.state import EngineState, ParentState
from executor.interfaces.choices import changed, choice_problems, names_choices, params_of
from executor.interfaces.kinds import DURATION_S_MAX
from executor.interfaces.models import AmendBody, ChoicesBody, FlowBody, StopBody, SubmitBody, json_path
from executor.interfaces.remedies import ANSWER_REMEDY

UNSTAMPED: Final = 0
_LATER: Final = ("advised", "start", *ChoicesBody.model_fields)
"""Fields that requests did not have from the beginning."""


def submitted(
    body: SubmitBody,
    *,
    request_id: str,
    idempotency_key: str,
    now_ns: int,
    is_repeat: bool,
    has_model: bool,
) -> ParentSubmitted:
    """Make the event of a new parent order.

    Parameters
    ----------
    is_repeat
        Whether the key was seen before; then a deadline may have passed meanwhile, since nothing new starts.
    has_model
        Whether the daemon has a model to ask.

    Raises
    ------
    ConfigProblems
        TIME if start or deadline are in the past or more than 30 days ahead; ADVISER if advice is wanted of nobody.
    """
    if body.advised and not has_model and not is_repeat:
        raise ConfigProblems([_no_model()])
    return ParentSubmitted(
        at_ns=UNSTAMPED,
        request_id=request_id,
        idempotency_key=idempotency_key,
        body_sha256=hashlib.sha256(_canonical(body)).hexdigest(),
        category=body.category,
        symbol=body.symbol,
        side=body.side,
        order_qty=Quantity(body.qty),
        duration_s=_duration_s(body, now_ns, is_repeat=is_repeat),
        residual=body.residual,
        extend_s=body.extend or 0,
        limit_px=None if body.limit_price is None else Price(body.limit_price),
        urgency=body.urgency,
        strategy=body.strategy,
        params=params_of(body),
        reduce_only=body.reduce_only,
        position_idx=body.position_idx,
        decision_px=None if body.decision_price is None else Price(body.decision_price),
        seed=_seed(idempotency_key) if body.seed is None else body.seed,
        advised=has_model if body.advised is None else body.advised,
        start_ns=_start_ns(body, now_ns, is_repeat=is_repeat),
    )


def amended(
    body: AmendBody, *, request_id: str, parent_id: str, state: EngineState, now_ns: int
) -> AmendRequested:
    """Make the event of an amendment; a duration counts from now, unnamed parameters keep their values.

    Raises
    ------
    ConfigProblems
        TIME if the new deadline is in the past or more than 30 days ahead; STRATEGY_PARAM if a parameter is named that
        its strategy does not read.
    """
    deadline_ns = body.deadline
    if deadline_ns is not None:
        check_instant("deadline", deadline_ns, now_ns)
    elif body.duration is not None:
        deadline_ns = now_ns + body.duration * NS_PER_S
    parent = state.parents.get(parent_id)
    params = _params(body, parent)
    return AmendRequested(
        at_ns=UNSTAMPED,
        request_id=request_id,
        parent_id=parent_id,
        order_qty=None if body.qty is None else Quantity(body.qty),
        limit_px=None if body.limit_price is None else Price(body.limit_price),
        clear_limit_px=body.clear_limit_price,
        deadline_ns=deadline_ns,
        urgency=body.urgency,
        strategy=body.strategy,
        params=params,
        expected_version=body.version,
    )


def halted(body: StopBody, request_id: str) -> HaltRequested:
    """Make the event of a stop."""
    return HaltRequested(at_ns=UNSTAMPED, request_id=request_id, operator=body.operator, reason=body.reason)


def rearmed(body: StopBody, request_id: str) -> RearmRequested:
    """Make the event of clearing a stop."""
    return RearmRequested(at_ns=UNSTAMPED, request_id=request_id, operator=body.operator, reason=body.reason)


def flow_counted(body: FlowBody, request_id: str) -> ExchangeFlowCounted:
    """Make the event of a count of coins that went onto exchanges and off them."""
    return ExchangeFlowCounted(
        at_ns=UNSTAMPED,
        request_id=request_id,
        coin=body.coin,
        source=body.source,
        net_qty=body.inflow - body.outflow,
        span_s=body.span,
    )


def _canonical(body: SubmitBody) -> bytes:
    """Write what was asked in one form, so that blanks and the order of keys do not make another request.

    Who says nothing of a field that came later says the same before and after there was one; who says nothing of advice
    says the same with and without a model.
    """
    silent = {name for name in _LATER if getattr(body, name) is None}
    said = body.model_dump(mode="json", exclude=silent)
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _no_model() -> Problem:
    allowed, next_step = ANSWER_REMEDY["ADVISER"]
    return Problem(
        code="ADVISER",
        where="/advised",
        got="true, and the daemon has no model to ask",
        allowed=allowed,
        next_step=next_step,
    )


def _seed(idempotency_key: str) -> int:
    """Draw the seed from the key: the same request gets the same randomness."""
    return int.from_bytes(hashlib.sha256(idempotency_key.encode()).digest()[:7], "big")


def _duration_s(body: SubmitBody, now_ns: int, *, is_repeat: bool) -> int:
    if body.duration is not None:
        return body.duration
    assert body.deadline is not None, "one of the two was checked to be there"
    if not is_repeat:
        check_instant("deadline", body.deadline, now_ns)
    return max((body.deadline - max(body.start or 0, now_ns)) // NS_PER_S, 1)


def _start_ns(body: SubmitBody, now_ns: int, *, is_repeat: bool) -> int:
    """When it is to begin, UTC nanoseconds; zero for at once."""
    if body.start is None:
        return 0
    if not is_repeat:
        check_instant("start", body.start, now_ns)
    return body.start


def check_instant(field: str, at_ns: int, now_ns: int) -> None:
    """Refuse an instant that is over, or too far ahead.

    Raises
    ------
    ConfigProblems
        TIME, naming the field.
    """
    ahead_s = (at_ns - now_ns) // NS_PER_S
    if 1 <= ahead_s <= DURATION_S_MAX:
        return
    raise ConfigProblems(
        [
            Problem(
                code="TIME",
                where=json_path(field),
                got=iso_utc(at_ns),
                allowed=f"an instant 1 second to 30 days after now ({iso_utc(now_ns)})",
                next_step=f"choose a later {field}" if ahead_s < 1 else f"choose an earlier {field}",
            )
        ]
    )


def _params(body: AmendBody, parent: ParentState | None) -> StrategyParams | None:
    """The parameters after an amendment; None if they stay, or if there is no such parent to amend."""
    if parent is None:
        return None
    strategy = body.strategy or parent.order.strategy
    if strategy == parent.order.strategy and not names_choices(body):
        return None
    params = changed(parent.order.params, body, strategy)
    problems = list(choice_problems(body, strategy, params, json_path))
    if problems:
        raise ConfigProblems(problems)
    return params
