"""What advice amounted to over the life of one order: how often it was asked for, how often it held, what it cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from executor.advice.budget import bill_bps
from executor.domain.advice import AdviceOutcome, AdviceRecord
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import Bps, Money, plain

ADAPTED: Final = frozenset({AdviceOutcome.APPLIED, AdviceOutcome.BRIDGED})
"""Outcomes after which something of an advice held."""
FELL_BACK: Final = frozenset(
    {AdviceOutcome.LATE, AdviceOutcome.UNUSABLE, AdviceOutcome.FAILED, AdviceOutcome.NOT_ASKED}
)
"""Outcomes in which the schedule decided because there was no usable answer."""

_RATIO_KEPT: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """All questions about one order together.

    Parameters
    ----------
    by_outcome
        How often each outcome came, those that never came left out.
    mean_latency_ms
        Over the calls that were answered, also too late or with something unusable; None without any.
    cost_at_most
        Whether something of the cost is not what was counted but the most that a call can have cost.
    cost_bps
        Of the order's value; None for an order without a value.
    """

    by_outcome: Mapping[AdviceOutcome, int]
    mean_latency_ms: int | None
    cost: Money
    cost_at_most: bool
    cost_bps: Bps | None

    @property
    def questions(self) -> int:
        """Questions, also those that were not sent."""
        return sum(self.by_outcome.values())

    @property
    def sent(self) -> int:
        """Questions that left."""
        return self.questions - self.by_outcome.get(AdviceOutcome.NOT_ASKED, 0)

    @property
    def acted_on(self) -> int:
        """Answers of which something held."""
        return self.by_outcome.get(AdviceOutcome.APPLIED, 0)

    @property
    def adaptations(self) -> int:
        """Times that something of an advice was put into force, an earlier one that stood in included.

        Whether it changed any order is another matter: what it asks for may be what the schedule does anyway.
        """
        return sum(self.by_outcome.get(outcome, 0) for outcome in ADAPTED)

    @property
    def acted_share(self) -> Decimal | None:
        """Answers of which something held, over the questions that left, 0-1."""
        return _share(self.acted_on, self.sent)

    @property
    def fallback_rate(self) -> Decimal | None:
        """Share of the questions in which the schedule decided for want of a usable answer, 0-1.

        A question that was out when the order ended decides nothing and is left out.
        """
        fell_back = sum(self.by_outcome.get(outcome, 0) for outcome in FELL_BACK)
        return _share(fell_back, self.questions - self.by_outcome.get(AdviceOutcome.ENDED, 0))


def tally(records: Sequence[AdviceRecord], *, cost: Money, notional: Money) -> Tally:
    """Add up what became of the questions about one order.

    Parameters
    ----------
    cost
        All that was spent on it, US dollars; calls whose answer is not in the records count as well.
    notional
        Value of the whole order, quote units; zero where it is not known.
    """
    counts = Counter(record.outcome for record in records)
    latencies = [
        record.latency_ns for record in records if record.usage is not None and record.latency_ns > 0
    ]
    return Tally(
        by_outcome={outcome: counts[outcome] for outcome in AdviceOutcome if counts[outcome]},
        mean_latency_ms=sum(latencies) // len(latencies) // NS_PER_MS if latencies else None,
        cost=cost,
        cost_at_most=any(record.cost_at_most for record in records),
        cost_bps=bill_bps(cost, notional),
    )


def as_json(found: Tally) -> dict[str, object]:
    """Write a tally as plain JSON values: money and shares as decimal strings, unknown as None."""
    return {
        "questions": found.questions,
        "sent": found.sent,
        "by_outcome": {outcome.value: count for outcome, count in found.by_outcome.items()},
        "acted_on": found.acted_on,
        "acted_share": _printed(found.acted_share),
        "adaptations": found.adaptations,
        "fallback_rate": _printed(found.fallback_rate),
        "cost_usd": plain(found.cost),
        "cost_at_most": found.cost_at_most,
        "cost_bps": _printed(found.cost_bps),
        "mean_latency_ms": found.mean_latency_ms,
    }


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(_RATIO_KEPT) if whole else None


def _printed(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
