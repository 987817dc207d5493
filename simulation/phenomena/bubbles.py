"""Spells in which the price leaves the value behind, and falls from which it comes back or does not."""

from dataclasses import dataclass

import numpy as np

from simulation.phenomena.trace import Bars, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One spell of overvaluation.

    Parameters
    ----------
    start_ns, peak_ns, end_ns
        When the price left the value, was farthest above it, and came back; an open one ends with the run.
    peak
        Price over value - 1 at the peak.
    open
        Whether it had not ended when the run did.
    """

    start_ns: int
    peak_ns: int
    end_ns: int
    peak: float
    open: bool

    @property
    def duration_s(self) -> float:
        """From its start to its end."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """The deepest fall of the price within a given time.

    Parameters
    ----------
    start_ns, bottom_ns
        When the price was highest before it, and lowest in it.
    depth
        1 - lowest / highest, 0-1.
    recovered
        Share of the fall that the price had made good a given time after the bottom, or at the end of the run; above
        1 it is higher than before.
    """

    start_ns: int
    bottom_ns: int
    depth: float
    recovered: float


def bubbles(
    bars: Bars, overvalued: float = 0.10, back: float = 0.05, lasts_s: float = 0.0
) -> tuple[Bubble, ...]:
    """Find spells in which price over value - 1 goes above one bound and stays above a lower one.

    A spell begins where the price last was below the lower bound before it crossed the upper one, and ends where it is
    below the lower one again, so that noise around one bound makes no string of bubbles.

    Parameters
    ----------
    overvalued
        Bound that must be crossed, > `back`.
    back
        Bound below which it is over, >= 0.
    lasts_s
        Spells shorter than that are left out.

    Raises
    ------
    ValueError
        If the bars have no value, or the bounds are in the wrong order.
    """
    if not len(bars.value_px):
        raise ValueError("a bubble is told from the value, which nobody knows here")
    if not 0.0 <= back < overvalued:
        raise ValueError(f"a bubble begins above {overvalued:g} and ends below {back:g}")
    premium = bars.mid_px / bars.value_px - 1.0
    above = premium > back
    edges = np.diff(np.concatenate(([0], above.astype(np.int8), [0])))
    found = []
    for begin, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        top = int(begin + np.argmax(premium[begin:end]))
        if premium[top] <= overvalued:
            continue
        last = min(int(end), len(premium) - 1)
        one = Bubble(
            start_ns=int(bars.at_ns[begin]),
            peak_ns=int(bars.at_ns[top]),
            end_ns=int(bars.at_ns[last]),
            peak=float(premium[top]),
            open=int(end) == len(premium),
        )
        if one.duration_s >= lasts_s:
            found.append(one)
    return tuple(found)


def share_of_time(found: tuple[Bubble, ...], bars: Bars) -> float:
    """Share of a run that its bubbles lasted, 0-1."""
    return sum(one.end_ns - one.start_ns for one in found) / float(bars.at_ns[-1] - bars.at_ns[0])


def deepest_fall(bars: Bars, within_s: float, after_s: float) -> Fall:
    """Find the deepest fall within so much time, and what of it was made good so much later.

    Parameters
    ----------
    within_s
        Longest time from top to bottom, > 0.
    after_s
        Time after the bottom at which the price is looked at again, > 0.

    Raises
    ------
    ValueError
        If a time is not above zero.
    """
    if within_s <= 0.0 or after_s <= 0.0:
        raise ValueError("a fall takes some time, and so does what comes after it")
    width = max(1, round(within_s * 1e9 / bars.step_ns))
    highest = _highest(bars.mid_px, width)
    depth = 1.0 - bars.mid_px / highest
    bottom = int(np.argmax(depth))
    begin = max(0, bottom - width)
    top = begin + int(np.argmax(bars.mid_px[begin : bottom + 1]))
    later = min(len(bars.mid_px) - 1, bottom + round(after_s * 1e9 / bars.step_ns))
    fallen = float(bars.mid_px[top] - bars.mid_px[bottom])
    return Fall(
        start_ns=int(bars.at_ns[top]),
        bottom_ns=int(bars.at_ns[bottom]),
        depth=float(depth[bottom]),
        recovered=float(bars.mid_px[later] - bars.mid_px[bottom]) / fallen if fallen > 0.0 else 0.0,
    )


def _highest(values: Floats, width: int) -> Floats:
    """Highest of each value and the `width` before it."""
    padded = np.concatenate((np.full(width, -np.inf), values))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width + 1)
    return np.asarray(windows.max(axis=1), dtype=np.float64)
