"""What calls may cost, and what they have cost: no call leaves that could break a cap, whatever the server says later.

A call is reserved at its worst before it leaves and settled at its price when it is over. The server's own count is
believed unless it says less than is possible. Prices and caps are US dollars; a bill is compared with an order's
value as if its quote coin were worth one.
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Final

from executor.domain.advice import Failure, Usage
from executor.domain.advice_terms import Caps, Prices
from executor.domain.errors import InvariantViolation
from executor.domain.timeline import NS_PER_HOUR, utc_day
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Money

TOKENS_PER_CALL_MAX: Final = 100_000_000
"""More than any model reads or writes in one call; a larger count is taken for this."""

_PER_MILLION: Final = Decimal("0.000001")
_BYTES_PER_TOKEN_MAX: Final = 16
"""No tokenizer packs more bytes into a token, averaged over a question of JSON and plain text; four are usual."""
_FRAME_TOKENS: Final = 64
"""Room for what a server puts around the messages."""
_BPS_KEPT: Final = Decimal("0.0001")
_FREE: Final = frozenset(
    {
        Failure.UNREACHABLE,
        Failure.RATE_LIMITED,
        Failure.NOT_AUTHORISED,
        Failure.NOT_ON_TAPE,
        Failure.CROWDED,
        Failure.UNWRITTEN,
    }
)


class OverBudget(StrEnum):
    """Why a call may not be made."""

    PARENT_CALLS = "PARENT_CALLS"
    HOUR_CALLS = "HOUR_CALLS"
    DAY_CALLS = "DAY_CALLS"
    PARENT_COST = "PARENT_COST"
    HOUR_COST = "HOUR_COST"
    DAY_COST = "DAY_COST"


@dataclass(slots=True, kw_only=True)
class Bill:
    """Money spent (US dollars) and calls begun."""

    cost: Decimal = ZERO
    calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """A call that is under way, at the most that it can cost (US dollars)."""

    parent_id: str
    worst_cost: Money


@dataclass(slots=True, kw_only=True)
class Spend:
    """All that was spent, as the engine remembers it.

    Parameters
    ----------
    hour, day
        Number of the UTC hour and day that the bills beside them belong to, counted from 1970-01-01. They never go
        back, so a clock that does opens no cap again.
    parents
        Bills by parent.
    reserved
        Calls under way, by decision.
    """

    hour: int = 0
    hour_bill: Bill = field(default_factory=Bill)
    day: int = 0
    day_bill: Bill = field(default_factory=Bill)
    parents: dict[str, Bill] = field(default_factory=dict)
    reserved: dict[str, Reserved] = field(default_factory=dict)


def cost(usage: Usage, prices: Prices) -> Money:
    """Price of a call, US dollars: (prompt - cached) at one price, cached at another, completion at a third."""
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    fresh = usage.prompt_tokens - cached
    millions = fresh * prices.prompt + cached * prices.cached + usage.completion_tokens * prices.completion
    return Money(millions * _PER_MILLION)


def estimate_tokens(text_bytes: int) -> int:
    """Most tokens that a text can be: one for each byte of its UTF-8, and what is put around it.

    Tokenizers that work on bytes make no token of less than one. Usual text has a quarter of that.
    """
    return text_bytes + _FRAME_TOKENS


def least_tokens(text_bytes: int) -> int:
    """Fewest tokens that a text can honestly be counted as."""
    return int((Decimal(text_bytes) / _BYTES_PER_TOKEN_MAX).to_integral_value(ROUND_CEILING))


def believed(usage: Usage | None, prompt_bytes: int, reply_bytes: int) -> Usage:
    """Take a server's count, or our own estimate for each part that is missing or less than is possible.

    Parameters
    ----------
    usage
        What the server said; None if it said nothing.
    prompt_bytes, reply_bytes
        Length of the messages that were sent and of the reply, UTF-8.

    Returns
    -------
    Usage
        `reported` only if both counts are the server's.
    """
    told = usage is not None and usage.reported
    prompt = usage.prompt_tokens if usage is not None and told else -1
    completion = usage.completion_tokens if usage is not None and told else -1
    prompt_ok, completion_ok = prompt >= least_tokens(prompt_bytes), completion >= least_tokens(reply_bytes)
    cached = usage.cached_tokens if usage is not None and prompt_ok else 0
    prompt = min(prompt if prompt_ok else estimate_tokens(prompt_bytes), TOKENS_PER_CALL_MAX)
    completion = completion if completion_ok else estimate_tokens(reply_bytes)
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=min(max(cached, 0), prompt),
        completion_tokens=min(completion, TOKENS_PER_CALL_MAX),
        reported=prompt_ok and completion_ok,
    )


def worst_cost(prompt_bytes: int, completion_tokens_max: int, prices: Prices) -> Money:
    """Most that a call can cost at an honest server, US dollars: nothing cached, and the longest answer allowed."""
    return Money(
        (
            estimate_tokens(prompt_bytes) * max(prices.prompt, prices.cached)
            + completion_tokens_max * prices.completion
        )
        * _PER_MILLION
    )


def cost_of_failure(failure: Failure, reserved: Money) -> Money:
    """What a call without a reply counts as, US dollars: its reservation, unless no model can have worked on it."""
    return Money(ZERO) if failure in _FREE else reserved


def why_not(spend: Spend, caps: Caps, worst: Money, now_ns: int, parent_id: str) -> OverBudget | None:
    """Say which cap a call could break; None if it may be made. Calls under way count at their worst.

    Parameters
    ----------
    worst
        Most that the call can cost, US dollars.
    """
    bill = spend.parents.get(parent_id, Bill())
    same_hour, same_day = now_ns // NS_PER_HOUR <= spend.hour, utc_day(now_ns) <= spend.day
    hour_bill = spend.hour_bill if same_hour else Bill()
    day_bill = spend.day_bill if same_day else Bill()
    under_way = [call for call in spend.reserved.values() if call.parent_id == parent_id]
    of_parent = sum((call.worst_cost for call in under_way), ZERO) + worst
    of_all = sum((call.worst_cost for call in spend.reserved.values()), ZERO) + worst
    checks = (
        (OverBudget.PARENT_CALLS, bill.calls + 1, caps.parent_calls_max),
        (OverBudget.HOUR_CALLS, hour_bill.calls + 1, caps.hour_calls_max),
        (OverBudget.DAY_CALLS, day_bill.calls + 1, caps.day_calls_max),
        (OverBudget.PARENT_COST, bill.cost + of_parent, caps.parent_cost_max),
        (OverBudget.HOUR_COST, hour_bill.cost + of_all, caps.hour_cost_max),
        (OverBudget.DAY_COST, day_bill.cost + of_all, caps.day_cost_max),
    )
    return next((code for code, would_be, most in checks if would_be > most), None)


def reserve(spend: Spend, decision_id: str, parent_id: str, worst: Money, now_ns: int) -> None:
    """Count a call that is about to leave, at the most that it can cost (US dollars).

    Raises
    ------
    InvariantViolation
        If the decision has a call under way.
    """
    if decision_id in spend.reserved:
        raise InvariantViolation(f"{decision_id} has a call under way")
    for bill in _bills(spend, parent_id, now_ns):
        bill.calls += 1
    spend.reserved[decision_id] = Reserved(parent_id=parent_id, worst_cost=worst)


def settle(spend: Spend, decision_id: str, actual: Money, now_ns: int) -> bool:
    """Put what a call has cost (US dollars) in the place of its reservation; False if it was settled before.

    It counts in the hour and day in which it is over.
    """
    call = spend.reserved.pop(decision_id, None)
    if call is None:
        return False
    for bill in _bills(spend, call.parent_id, now_ns):
        bill.cost += max(actual, ZERO)
    return True


def bill_bps(bill: Money, notional: Money) -> Bps | None:
    """Money spent on advice relative to the value of the order, basis points; None for an order without a value."""
    return Bps((bill * BPS_PER_UNIT / notional).quantize(_BPS_KEPT)) if notional > ZERO else None


def _bills(spend: Spend, parent_id: str, now_ns: int) -> tuple[Bill, Bill, Bill]:
    """Bills that a call counts in at this instant; those of an hour and a day gone by are put away."""
    hour, day = now_ns // NS_PER_HOUR, utc_day(now_ns)
    if hour > spend.hour:
        spend.hour, spend.hour_bill = hour, Bill()
    if day > spend.day:
        spend.day, spend.day_bill = day, Bill()
    return spend.hour_bill, spend.day_bill, spend.parents.setdefault(parent_id, Bill())
