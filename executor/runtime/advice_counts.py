"""From the record of a question to what is counted of it: which series grow, and by how much."""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.advice.budget import OverBudget
from executor.advice.ruling import Clip
from executor.advice.tally import ADAPTED
from executor.domain.advice import AdviceOutcome, AdviceRecord, Failure, Unusable
from executor.domain.units import ZERO
from executor.runtime import metrics
from executor.runtime.metrics import Metric

OVER_BUDGET: Final = "OVER_BUDGET"
OTHER: Final = "other"

_CAPS: Final = frozenset(cap.value for cap in OverBudget)
_FAILURES: Final = frozenset({*(failure.value for failure in Failure), "RESTARTED"})
_FLAWS: Final = frozenset(flaw.value for flaw in Unusable)
_CLIPS: Final = frozenset(clip.value for clip in Clip)
_OBSTACLES: Final = frozenset({"BREAKER_OPEN", "CROWDED"})


class Token(StrEnum):
    """What tokens were for, as a label."""

    PROMPT = "prompt"
    CACHED = "cached"
    COMPLETION = "completion"


Count = tuple[Metric, tuple[str, ...], Decimal | int]


def counts_of_ending(record: AdviceRecord) -> Iterator[Count]:
    """What the end of a question counts as, once for each question."""
    outcome = record.outcome
    yield metrics.ADVICE_OUTCOMES, (outcome.value, record.trigger.value), 1
    if outcome in ADAPTED:
        yield metrics.ADVICE_ADAPTATIONS, (), 1
    match outcome:
        case AdviceOutcome.LATE | AdviceOutcome.BRIDGED:
            yield metrics.ADVICE_LATE, (), 1
            if outcome is AdviceOutcome.BRIDGED:
                yield metrics.ADVICE_BRIDGED, (), 1
        case AdviceOutcome.UNUSABLE:
            yield metrics.ADVICE_INVALID, (_known(record.reason, _FLAWS),), 1
        case AdviceOutcome.FAILED:
            yield metrics.ADVICE_FAILED, (_known(record.reason, _FAILURES),), 1
        case AdviceOutcome.NOT_ASKED if record.reason in _CAPS:
            yield metrics.ADVICE_NOT_ASKED, (OVER_BUDGET,), 1
            yield metrics.ADVICE_OVER_BUDGET, (record.reason,), 1
        case AdviceOutcome.NOT_ASKED:
            yield metrics.ADVICE_NOT_ASKED, (_known(record.reason, _OBSTACLES),), 1
        case AdviceOutcome.APPLIED | AdviceOutcome.WITHOUT_EFFECT:
            action = OTHER if record.action is None else record.action.value
            yield metrics.ADVICE_ANSWERED, (action,), 1
        case AdviceOutcome.ENDED:
            pass
    for clip in record.clips:
        yield metrics.ADVICE_CLIPPED, (_known(clip, _CLIPS),), 1


def counts_of_call(record: AdviceRecord) -> Iterator[Count]:
    """What a call has used up; nothing while nothing has come back."""
    if record.usage is not None:
        yield metrics.ADVICE_TOKENS, (Token.PROMPT,), record.usage.prompt_tokens
        yield metrics.ADVICE_TOKENS, (Token.CACHED,), record.usage.cached_tokens
        yield metrics.ADVICE_TOKENS, (Token.COMPLETION,), record.usage.completion_tokens
    if record.cost > ZERO:
        yield metrics.ADVICE_COST, (), record.cost


def _known(code: str, codes: frozenset[str]) -> str:
    return code if code in codes else OTHER
