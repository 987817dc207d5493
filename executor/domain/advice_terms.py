"""The terms under which a model is asked: how often, how long, for how much. An incarnation has one set."""

from dataclasses import dataclass, field
from decimal import Decimal

from executor.domain.advice_facts import Tolerance
from executor.domain.units import ONE, ZERO, Money, is_plain

_PCT = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What advice may change, as configured.

    Parameters
    ----------
    confidence_min
        Advice that is less sure has no effect, 0-1.
    rate_min, rate_max
        Bounds of an advised speed, multiples of the schedule's; 0 < rate_min <= 1 <= rate_max.
    slice_times_max
        Most that may be done in one slice, a multiple of its quantity, >= 1.
    slice_times_min
        Smallest child that advice may cut an order to, a multiple of the slice's quantity, > 0: smaller ones would use
        up the number of orders that a parent may send.
    ahead_pct_max, behind_pct_max
        How far the order may be moved from its schedule, per cent of the parent's quantity, 0-100.
    wait_s_max
        Longest wait of one advice, seconds.
    act_until_pct
        Share of the duration after which nothing may slow the order down any more, per cent, 0-100.
    hold_s_max
        How long a directive stays in force without a newer one, seconds.
    cancel_allowed
        Whether advice may end a parent; without, advice to cancel pauses it.
    strategies
        Schedules that may be switched to.
    switches_max
        How often the schedule of one parent may be switched.
    """

    confidence_min: Decimal = Decimal("0.5")
    rate_min: Decimal = Decimal("0.5")
    rate_max: Decimal = Decimal(2)
    slice_times_max: Decimal = Decimal(2)
    slice_times_min: Decimal = Decimal("0.1")
    ahead_pct_max: Decimal = Decimal(10)
    behind_pct_max: Decimal = Decimal(10)
    wait_s_max: int = 60
    act_until_pct: Decimal = Decimal(90)
    hold_s_max: int = 120
    cancel_allowed: bool = False
    strategies: tuple[str, ...] = ()
    switches_max: int = 3

    def __post_init__(self) -> None:
        """Refuse a band that would not bind."""
        ranges = (
            ("confidence_min", ZERO, ONE),
            ("rate_min", Decimal("0.01"), ONE),
            ("rate_max", ONE, _PCT),
            ("slice_times_max", ONE, _PCT),
            ("slice_times_min", Decimal("0.01"), ONE),
            ("ahead_pct_max", ZERO, _PCT),
            ("behind_pct_max", ZERO, _PCT),
            ("act_until_pct", ZERO, _PCT),
        )
        for name, low, high in ranges:
            value: Decimal = getattr(self, name)
            if not is_plain(value) or not low <= value <= high:
                raise ValueError(f"{name} must be within {low} and {high}, got {value}")
        for name in ("wait_s_max", "hold_s_max", "switches_max"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a model charges, US dollars per million tokens.

    Parameters
    ----------
    cached
        For the part of the prompt that the provider had in its cache.
    """

    prompt: Money
    cached: Money
    completion: Money

    def __post_init__(self) -> None:
        """Refuse prices that would make a call look free of charge by mistake."""
        for name in ("prompt", "cached", "completion"):
            value: Decimal = getattr(self, name)
            if not is_plain(value) or value < ZERO:
                raise ValueError(f"a price must be a plain number and not negative: {name} {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Most that may be spent and asked for one parent, in one UTC hour and in one UTC day.

    Parameters
    ----------
    parent_cost_max, hour_cost_max, day_cost_max
        US dollars.
    parent_calls_max, hour_calls_max, day_calls_max
        Calls, answered or not.
    """

    parent_cost_max: Money
    hour_cost_max: Money
    day_cost_max: Money
    parent_calls_max: int
    hour_calls_max: int
    day_calls_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens and for how long.

    Parameters
    ----------
    failures_max
        Failures in a row that open it, >= 1.
    open_s, open_s_max
        First and longest back-off, seconds.
    growth
        Factor from one back-off to the next, >= 1.
    probe_s
        After this a probe of which nothing was heard is given up, seconds.
    """

    failures_max: int = 3
    open_s: int = 30
    open_s_max: int = 1_800
    growth: int = 2
    probe_s: int = 120

    def __post_init__(self) -> None:
        """Refuse rules under which it would never open, or never close."""
        if (
            min(self.failures_max, self.growth, self.open_s, self.probe_s) < 1
            or self.open_s_max < self.open_s
        ):
            raise ValueError(f"a breaker that would not work: {self}")


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
    alike: Tolerance = field(default_factory=Tolerance)
