"""Open interest and price together: whether a move is made by new positions or by old ones that close."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from executor.domain.timeline import NS_PER_MIN

HORIZON_NS: Final = 15 * NS_PER_MIN
SAMPLE_NS: Final = NS_PER_MIN
SAMPLES_MAX: Final = 1 + HORIZON_NS // SAMPLE_NS
INTEREST_PCT_MIN: Final = 0.5
"""Change of the open interest below which no regime is seen."""
PRICE_PCT_MIN: Final = 0.1
"""Change of the price below which no regime is seen."""
_PER_CENT: Final = 100.0
_LATE_NS: Final = 2 * NS_PER_MIN  # after a hole in the samples a quarter of an hour may not be called one


class Regime(StrEnum):
    """Who makes the price move."""

    NEW_LONGS = "NEW_LONGS"
    NEW_SHORTS = "NEW_SHORTS"
    SHORTS_CLOSE = "SHORTS_CLOSE"
    LONGS_CLOSE = "LONGS_CLOSE"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What is remembered: instants with open interest (base units) and mid, one a minute, oldest first."""

    samples: tuple[tuple[int, float, float], ...] = ()


def observe(old: Interest, at_ns: int, open_interest: float, mid_px: float) -> Interest:
    """Take in what the ticker says; between samples (one minute) nothing changes."""
    if old.samples and at_ns - old.samples[-1][0] < SAMPLE_NS:
        return old
    return Interest(samples=(*old.samples, (at_ns, open_interest, mid_px))[-SAMPLES_MAX:])


def changes_pct(
    state: Interest, at_ns: int, open_interest: float, mid_px: float
) -> tuple[float, float] | None:
    """Change of open interest and of price over a quarter of an hour, per cent; None without a sample that old."""
    for then_ns, interest, px in reversed(state.samples):
        age_ns = at_ns - then_ns
        if age_ns >= HORIZON_NS - SAMPLE_NS:
            if age_ns > HORIZON_NS + _LATE_NS or interest <= 0.0:
                return None
            return (open_interest / interest - 1.0) * _PER_CENT, (mid_px / px - 1.0) * _PER_CENT
    return None


def regime(interest_pct: float, price_pct: float) -> Regime:
    """Name the regime of two changes.

    More open interest means that positions are opened, less that they are closed; the price tells which side is in a
    hurry. NONE where either hardly moved.
    """
    if abs(interest_pct) < INTEREST_PCT_MIN or abs(price_pct) < PRICE_PCT_MIN:
        return Regime.NONE
    if interest_pct > 0.0:
        return Regime.NEW_LONGS if price_pct > 0.0 else Regime.NEW_SHORTS
    return Regime.SHORTS_CLOSE if price_pct > 0.0 else Regime.LONGS_CLOSE
