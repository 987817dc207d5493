"""The terms under which a model is asked: how often, how long, for how much. An incarnation has one set."""

from dataclasses import dataclass, field
from decimal import Decimal

from executor.adviser.band import Band
from executor.adviser.breaker import BreakerRules
from executor.adviser.budget import Caps, Prices
from executor.domain.advice_facts import Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """What makes a question come before its time.

    Parameters
    ----------
    spread_times, volatility_times
        Growth of spread and volatility since the last question, as multiples.
    schedule_pct
        Distance from the schedule, per cent of the parent.
    drought_s
        Time without a fill while something is at work, seconds.
    """

    spread_times: Decimal = Decimal(3)
    volatility_times: Decimal = Decimal("1.5")
    schedule_pct: Decimal = Decimal(5)
    drought_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviserTerms:
    """Everything the engine must know to ask.

    Parameters
    ----------
    model, model_aliases
        Name that is asked, and the names under which it may answer.
    template_sha256
        Which wording the questions have, for the record.
    interval_s, min_gap_s
        Time between two questions about a parent, and the least time before one that something has triggered.
    deadline_ms
        Longest time an answer may take; half a slice's interval if that is shorter.
    questions_max
        Questions out at the same time, over all parents.
    prompt_bytes_max, tokens_max
        Longest question that is sent, bytes of UTF-8, and longest answer, tokens.
    fallback
        Schedule that takes over when a question has no usable answer; empty keeps the one in force.
    alike
        How much may have changed for an earlier advice to stand in for one late answer.
    """

    model: str
    model_aliases: tuple[str, ...] = ()
    template_sha256: str = ""
    interval_s: int = 60
    min_gap_s: int = 10
    deadline_ms: int = 8_000
    questions_max: int = 4
    prompt_bytes_max: int = 32_768
    tokens_max: int = 2_000
    fallback: str = ""
    caps: Caps
    prices: Prices
    band: Band = field(default_factory=Band)
    breaker: BreakerRules = field(default_factory=BreakerRules)
    triggers: Triggers = field(default_factory=Triggers)
    alike: Tolerance = field(
        default_factory=lambda: Tolerance(
            mid_bps_max=Decimal(10), spread_bps_max=Decimal(5), progress_pct_max=Decimal(5)
        )
    )
