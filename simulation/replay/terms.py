"""On which terms a recording is played: latencies, queue model, limits."""

from dataclasses import dataclass, field
from typing import Final

from simulation.replay import codes

_SAMPLES_MAX: Final = 65_536
_NS_MAX: Final = 1 << 60
_BAND_BPS_MAX: Final = 65_535
PRINT_LAG_NS: Final = 50_000_000
_MODELS: Final = (codes.RISK_AVERSE, codes.PROPORTIONAL, codes.SQUARE, codes.CUBE, codes.LOGARITHMIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long one way of the wire takes.

    Parameters
    ----------
    constant_ns
        Used where nothing else is given.
    samples_ns
        A distribution as a list of equally likely values, one drawn for each message from the seed.
    measured
        What the recording shows: for the feed, receive time less exchange time of each row; for orders and answers,
        the latest such difference.
    """

    constant_ns: int = 0
    samples_ns: tuple[int, ...] = ()
    measured: bool = False

    def __post_init__(self) -> None:
        """Refuse answers from the future, and two sources at once."""
        if self.constant_ns < 0 or any(value < 0 for value in self.samples_ns):
            raise ValueError("a latency must not be negative")
        if max(self.constant_ns, *self.samples_ns, 0) > _NS_MAX:
            raise ValueError("a latency must be below thirty-six years")
        if self.measured and self.samples_ns:
            raise ValueError("a latency is measured or sampled, not both")
        if len(self.samples_ns) > _SAMPLES_MAX:
            raise ValueError(f"at most {_SAMPLES_MAX} samples, got {len(self.samples_ns)}")

    @property
    def source(self) -> int:
        """CONSTANT, SAMPLED or MEASURED."""
        if self.measured:
            return codes.MEASURED
        return codes.SAMPLED if self.samples_ns else codes.CONSTANT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayTerms:
    """On which terms a recording is played.

    Parameters
    ----------
    feed, entry, answer
        From the exchange's book to us, from us to the exchange, and from the exchange's order desk to us.
    queue_model
        RISK_AVERSE, PROPORTIONAL, SQUARE, CUBE or LOGARITHMIC.
    price_band_bps
        A buy further above, or a sell further below, mark or last price is refused; 0 is no band.
    print_lag_ns
        How much later than the change of the book the print of what made it may come (R15); 0 is not at all.
    open_orders_max
        Resting orders at one time.
    requests_per_s_max
        Of each kind (create, amend, cancel) in any second; 0 is no limit.
    order_px_max, order_qty_max
        Ticks and lots. The compiled venue takes no more than the usual ones.
    conflate_ns
        Least time between two wake-ups by the touch.
    prices_only
        A wake-up by the touch needs a price to move; otherwise a size is enough.
    seed
        Of the sampled latencies.
    keeps_taken
        What we took of the recorded book stays taken until the recording takes it away. False lets the same lots be
        taken again and again: only for comparison with engines that assume no impact.
    """

    feed: Delay = field(default_factory=Delay)
    entry: Delay = field(default_factory=Delay)
    answer: Delay = field(default_factory=Delay)
    queue_model: int = codes.RISK_AVERSE
    print_lag_ns: int = PRINT_LAG_NS
    price_band_bps: int = 0
    open_orders_max: int = 500
    requests_per_s_max: int = 0
    order_px_max: int = 1 << 44
    order_qty_max: int = 1 << 40
    conflate_ns: int = 0
    prices_only: bool = False
    seed: int = 0
    keeps_taken: bool = True

    def __post_init__(self) -> None:
        """Refuse terms that mean nothing."""
        if self.queue_model not in _MODELS:
            raise ValueError(f"no such queue model: {self.queue_model}")
        most = {"price_band_bps": _BAND_BPS_MAX, "conflate_ns": _NS_MAX, "print_lag_ns": _NS_MAX}
        for name in (*most, "requests_per_s_max", "seed"):
            value = getattr(self, name)
            if value < 0:
                raise ValueError(f"{name} must not be negative, got {value}")
            if value > most.get(name, value):
                raise ValueError(f"{name} must not be above {most[name]}, got {value}")
        if self.open_orders_max < 1 or self.order_px_max < 1 or self.order_qty_max < 1:
            raise ValueError("there must be room for an order")
