"""The words of advice: what a model may be asked, what it may answer, and what became of each question.

A model proposes; code decides. Nothing here says how a question travels or what an answer is worth.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.units import Price, Quantity

REPLY_BYTES_MAX: Final = 16_384
"""Longest reply that is read at all."""
TEXT_LEN_MAX: Final = 1_000
"""Longest reasoning or risk assessment that is kept, characters."""


class Action(StrEnum):
    """What a model may advise."""

    AGGRESSIVE = "AGGRESSIVE"
    PASSIVE = "PASSIVE"
    WAIT = "WAIT"
    ACCELERATE = "ACCELERATE"
    DECELERATE = "DECELERATE"
    SWITCH_STRATEGY = "SWITCH_STRATEGY"
    CANCEL = "CANCEL"


class OrderKind(StrEnum):
    """How an advised order should work: rest at a limit price, or take liquidity."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class Unusable(StrEnum):
    """Why a reply has no effect."""

    TOO_LARGE = "TOO_LARGE"
    NOT_UTF8 = "NOT_UTF8"
    TOO_DEEP = "TOO_DEEP"
    NOT_JSON = "NOT_JSON"
    NOT_ONE_OBJECT = "NOT_ONE_OBJECT"
    KEY_TWICE = "KEY_TWICE"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    KEY_MISSING = "KEY_MISSING"
    BAD_TYPE = "BAD_TYPE"
    BAD_NUMBER = "BAD_NUMBER"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    BAD_ACTION = "BAD_ACTION"
    BAD_STRATEGY = "BAD_STRATEGY"
    BAD_ORDER_TYPE = "BAD_ORDER_TYPE"
    CONTRADICTION = "CONTRADICTION"
    OTHER_DECISION = "OTHER_DECISION"
    OTHER_SNAPSHOT = "OTHER_SNAPSHOT"
    OTHER_MODEL = "OTHER_MODEL"
    REFUSED = "REFUSED"
    TRUNCATED = "TRUNCATED"
    EMPTY = "EMPTY"


class Failure(StrEnum):
    """Why a question has no reply."""

    TIMEOUT = "TIMEOUT"
    UNREACHABLE = "UNREACHABLE"
    RATE_LIMITED = "RATE_LIMITED"
    SERVER_ERROR = "SERVER_ERROR"
    NOT_AUTHORISED = "NOT_AUTHORISED"
    PROTOCOL = "PROTOCOL"
    TOO_LARGE = "TOO_LARGE"
    NOT_ON_TAPE = "NOT_ON_TAPE"
    CROWDED = "CROWDED"
    UNWRITTEN = "UNWRITTEN"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A reply that is whole and in range; still only a proposal.

    Parameters
    ----------
    decision_id, snapshot_hash
        Echo of the question it answers.
    strategy
        Schedule to change to; for SWITCH_STRATEGY only.
    qty
        Largest size of the next child orders, base units; None leaves it to the schedule.
    order_kind, limit_px
        How they should work; None leaves it to the action and the schedule.
    rate
        Speed relative to the schedule; None takes the usual one of the action.
    wait_s
        How long nothing should be opened; for WAIT, None takes the longest allowed.
    confidence
        0-1.
    impact_adjustment
        Factor on the impact estimate, 0.5-2.0.
    """

    decision_id: str
    snapshot_hash: str
    action: Action
    strategy: str | None
    qty: Quantity | None
    order_kind: OrderKind | None
    limit_px: Price | None
    rate: Decimal | None
    wait_s: int | None
    confidence: Decimal
    impact_adjustment: Decimal
    reasoning: str
    risk_assessment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call cost in tokens; `reported` says whether the server told, else it is our own estimate.

    Parameters
    ----------
    cached_tokens
        Part of the prompt that the provider had in its cache, and charges less for.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reported: bool


class Trigger(StrEnum):
    """Why a question is asked now."""

    INTERVAL = "INTERVAL"
    SPREAD = "SPREAD"
    VOLATILITY = "VOLATILITY"
    SCHEDULE = "SCHEDULE"
    DROUGHT = "DROUGHT"
    NEWS = "NEWS"


class AdviceOutcome(StrEnum):
    """What became of a question; each has exactly one."""

    APPLIED = "APPLIED"
    WITHOUT_EFFECT = "WITHOUT_EFFECT"
    LATE = "LATE"
    BRIDGED = "BRIDGED"
    UNUSABLE = "UNUSABLE"
    FAILED = "FAILED"
    NOT_ASKED = "NOT_ASKED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRecord:
    """One question and what became of it, for people and for the questions that follow.

    Parameters
    ----------
    outcome
        APPLIED: something of the advice holds; WITHOUT_EFFECT: usable, but nothing of it may hold, or it changes
        nothing; LATE and BRIDGED: no answer by the deadline, and an earlier advice stood in for it in the second case;
        NOT_ASKED: a cap or the breaker forbade the call, and nothing of earlier advice holds any more; ENDED: the
        parent ended first.
    reason
        Code that says why: an `Unusable`, a `Failure`, why nothing was asked; empty where there is nothing to say.
    rate, wishes
        Speed that was advised, a multiple of the schedule's, None where none was named; and what else, in words.
    clips
        Every difference between what was advised and what holds, by name.
    held
        What holds instead or because of it, in words.
    mid_px, cum_qty
        When it was decided, quote per base and base units.
    impact_bps, impact_low_bps, impact_high_bps
        Expected impact of what was left, with the model's adjustment; None where it could not be estimated.
    cost
        Money, in the currency of the price table.
    cost_at_most
        Whether `cost` is not what was counted but the most that the call can have cost.
    latency_ns
        Time until something came back; 0 while nothing has.
    """

    decision_id: str
    parent_id: str
    trigger: Trigger
    asked_ns: int
    decided_ns: int
    outcome: AdviceOutcome
    reason: str
    detail: str
    action: Action | None
    confidence: Decimal | None
    rate: Decimal | None = None
    wishes: tuple[str, ...] = ()
    clips: tuple[str, ...]
    held: str
    reasoning: str
    risk_assessment: str
    mid_px: Price
    cum_qty: Decimal
    impact_bps: Decimal | None
    impact_low_bps: Decimal | None
    impact_high_bps: Decimal | None
    model: str
    usage: Usage | None
    cost: Decimal
    cost_at_most: bool = False
    latency_ns: int
