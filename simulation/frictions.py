"""What stands between a decision and its effect in a simulated market: time, fees, and a book that is not endless."""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.timeline import NS_PER_MS
from executor.domain.units import is_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """How long things are under way; constant, nanoseconds.

    Parameters
    ----------
    entry_ns
        From our command to the venue that acts upon it.
    answer_ns
        From the venue to us: answers, order updates and executions.
    feed_ns
        From a change of the book to us.
    """

    entry_ns: int = 10 * NS_PER_MS
    answer_ns: int = 10 * NS_PER_MS
    feed_ns: int = 5 * NS_PER_MS

    def __post_init__(self) -> None:
        """Refuse answers from the future."""
        if min(self.entry_ns, self.answer_ns, self.feed_ns) < 0:
            raise ValueError(f"a latency must not be negative: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """What trading costs at a simulated venue.

    Parameters
    ----------
    maker_fee_rate, taker_fee_rate
        Fee of an order that waited and of one that took, as a share of the value; negative is a rebate.
    walk_ticks
        An order that takes finds the touch's own size at the touch, and the same size again at every further step of
        this many ticks; >= 1.
    """

    maker_fee_rate: Decimal = Decimal("0.0002")
    taker_fee_rate: Decimal = Decimal("0.00055")
    walk_ticks: int = 1

    def __post_init__(self) -> None:
        """Refuse charges that mean nothing."""
        for name in ("maker_fee_rate", "taker_fee_rate"):
            value: Decimal = getattr(self, name)
            if not is_plain(value) or abs(value) >= 1:
                raise ValueError(f"{name} must be a share of the value, got {value}")
        if self.walk_ticks < 1:
            raise ValueError(f"walk_ticks must be at least 1, got {self.walk_ticks}")
