"""Speed of public trades: whether the market trades more than it did."""

from dataclasses import dataclass
from typing import Final

from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from strategies.signals.fading import NO_MEAN, Mean, mean_after

RECENT_NS: Final = NS_PER_MIN
USUAL_NS: Final = 60 * NS_PER_MIN
WARM_UP_NS: Final = 10 * NS_PER_MIN
_SAMPLE_NS: Final = NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What is remembered.

    Parameters
    ----------
    traded_qty
        Running total at `at_ns`, base units.
    recent, usual
        Mean speeds with two half-lives, base units a second.
    """

    at_ns: int = 0
    traded_qty: float = 0.0
    recent: Mean = NO_MEAN
    usual: Mean = NO_MEAN


def observe(old: Volume, at_ns: int, traded_qty: float) -> Volume:
    """Take in the running total of what was traded, never falling; between samples (one second) nothing changes."""
    if not old.at_ns:
        return Volume(at_ns=at_ns, traded_qty=traded_qty)
    elapsed_ns = at_ns - old.at_ns
    if elapsed_ns < _SAMPLE_NS:
        return old
    per_s = (traded_qty - old.traded_qty) / (elapsed_ns / NS_PER_S)
    return Volume(
        at_ns=at_ns,
        traded_qty=traded_qty,
        recent=mean_after(old.recent, per_s, elapsed_ns, RECENT_NS),
        usual=mean_after(old.usual, per_s, elapsed_ns, USUAL_NS),
    )


def ratio(state: Volume) -> float | None:
    """Speed of the last minute over that of the last hour; None before ten minutes were watched."""
    if state.usual.observed_ns < WARM_UP_NS or state.usual.value <= 0.0:
        return None
    return state.recent.value / state.usual.value
