"""Running estimates that the circuits and the gate need: volatility, mean price, volume. Pure arithmetic.

Statistics live in floats; the gate receives them as `Decimal` through `to_decimal`, which refuses NaN.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import exp, isfinite, log, sqrt

from executor.domain.timeline import NS_PER_S

_SAMPLE_NS = NS_PER_S
_HALF_LIFE_S = 300.0
_S_PER_HOUR = 3_600.0
_LN2 = log(2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Exponential means with a half-life of five minutes.

    Parameters
    ----------
    observed_ns
        Time covered so far, nanoseconds.
    variance_per_s
        Mean squared log return of the mid per second (sampled once a second).
    mean_mid_px
        Mean of the sampled mids, quote per base.
    volume_per_s
        Mean traded quantity per second, base units.
    """

    observed_ns: int = 0
    sample_ns: int = 0
    sample_mid_px: float = 0.0
    sample_traded_qty: float = 0.0
    variance_per_s: float = 0.0
    mean_mid_px: float = 0.0
    volume_per_s: float = 0.0


def observe(old: Estimates, at_ns: int, mid_px: Decimal | float, traded_qty: Decimal | float) -> Estimates:
    """Take in one snapshot; between samples (one second) nothing changes.

    The weight of a sample is 1 - 2^(-dt/300 s), but never less than its share of all time observed, so that
    the first minutes are a plain average: m <- m + w (x - m). The variance per second is the mean of
    r^2 / dt with r the log return over dt: realised variance (Andersen and Bollerslev 1998) with
    exponential weights.

    Parameters
    ----------
    traded_qty
        Running total of the traded quantity, base units, never falling.
    """
    elapsed_ns = at_ns - old.sample_ns
    if old.sample_ns and elapsed_ns < _SAMPLE_NS:
        return old
    mid, traded = float(mid_px), float(traded_qty)
    if not old.sample_ns:
        return Estimates(sample_ns=at_ns, sample_mid_px=mid, sample_traded_qty=traded, mean_mid_px=mid)
    elapsed_s = elapsed_ns / NS_PER_S
    observed_ns = old.observed_ns + elapsed_ns
    weight = max(1.0 - exp(-_LN2 * elapsed_s / _HALF_LIFE_S), elapsed_ns / observed_ns)
    log_return = log(mid / old.sample_mid_px)
    return Estimates(
        observed_ns=observed_ns,
        sample_ns=at_ns,
        sample_mid_px=mid,
        sample_traded_qty=traded,
        variance_per_s=_toward(old.variance_per_s, log_return * log_return / elapsed_s, weight),
        mean_mid_px=_toward(old.mean_mid_px, mid, weight),
        volume_per_s=_toward(old.volume_per_s, (traded - old.sample_traded_qty) / elapsed_s, weight),
    )


def volatility_hourly_pct(estimates: Estimates) -> float:
    """Realised volatility per square root of an hour, per cent: 100 sqrt(3600 s * variance per second)."""
    return 100.0 * sqrt(_S_PER_HOUR * estimates.variance_per_s)


def volume_hourly_qty(estimates: Estimates) -> float:
    """Speed of public trades, base units an hour."""
    return _S_PER_HOUR * estimates.volume_per_s


def to_decimal(value: float) -> Decimal | None:
    """Bring a statistic to the gate's world; None if it is not a finite number."""
    return Decimal(repr(value)) if isfinite(value) else None


def _toward(old: float, new: float, weight: float) -> float:
    return old + weight * (new - old)
