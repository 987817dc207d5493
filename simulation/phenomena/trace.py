"""What a market left behind, as every measure takes it: its touch, its trades and, where there is one, its value.

A simulated run and a recorded book come in the same arrays and go through the same functions. Times are nanoseconds,
prices and quantities floats of any one unit; nothing here knows agents, orders or a file.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from impact.order_flow.imbalance import Quote, queue_change

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEVELS: Final = 5
"""Levels of the book that count as its depth."""


def _no_floats() -> Floats:
    return np.zeros(0)


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Arrays of one asset, each in order of time.

    Parameters
    ----------
    tick_px
        Step of the prices.
    quote_ns, bid_px, bid_qty, ask_px, ask_qty
        When the touch changed, and the touch.
    bid_depth_qty, ask_depth_qty
        Quantity on the best `LEVELS` levels at the same instants; empty where only the touch is known.
    trade_ns, trade_px, trade_qty, trade_sign
        Trades; the sign is the taker's.
    trade_mid_px
        Mid just before each trade.
    value_ns, value_px
        Fundamental value from each instant on; empty where nobody knows one, as in every recorded book.
    """

    tick_px: float
    quote_ns: Ints
    bid_px: Floats
    bid_qty: Floats
    ask_px: Floats
    ask_qty: Floats
    bid_depth_qty: Floats = field(default_factory=_no_floats)
    ask_depth_qty: Floats = field(default_factory=_no_floats)
    trade_ns: Ints = field(default_factory=_no_ints)
    trade_px: Floats = field(default_factory=_no_floats)
    trade_qty: Floats = field(default_factory=_no_floats)
    trade_sign: Floats = field(default_factory=_no_floats)
    trade_mid_px: Floats = field(default_factory=_no_floats)
    value_ns: Ints = field(default_factory=_no_ints)
    value_px: Floats = field(default_factory=_no_floats)

    def __post_init__(self) -> None:
        """Refuse arrays that no market can have left."""
        quotes = (self.bid_px, self.bid_qty, self.ask_px, self.ask_qty)
        trades = (self.trade_px, self.trade_qty, self.trade_sign, self.trade_mid_px)
        depths = (self.bid_depth_qty, self.ask_depth_qty)
        _alike("quotes", self.quote_ns, quotes)
        _alike("trades", self.trade_ns, trades)
        _alike("values", self.value_ns, (self.value_px,))
        if any(len(one) not in {0, len(self.quote_ns)} for one in depths):
            raise ValueError("depths are told at every quote or never")
        if not len(self.quote_ns):
            raise ValueError("a market without one quote leaves nothing to measure")
        if not np.isfinite(self.tick_px) or self.tick_px <= 0.0:
            raise ValueError(f"a tick of {self.tick_px}")
        positive = (self.bid_px, self.ask_px, self.trade_px, self.trade_qty, self.value_px)
        if any(bool((one <= 0.0).any()) for one in positive if len(one)):
            raise ValueError("prices, values and traded quantities are above zero")
        if bool((self.ask_px <= self.bid_px).any()):
            raise ValueError("the best ask is above the best bid")
        if not bool(np.isin(self.trade_sign, (1.0, -1.0)).all()):
            raise ValueError("a taker buys (1) or sells (-1)")

    @property
    def mid_px(self) -> Floats:
        """Middle of the touch at each quote."""
        return (self.bid_px + self.ask_px) / 2.0

    @property
    def spread_px(self) -> Floats:
        """Ask less bid at each quote."""
        return self.ask_px - self.bid_px

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last instant."""
        begins = [int(one[0]) for one in (self.quote_ns, self.trade_ns) if len(one)]
        ends = [int(one[-1]) for one in (self.quote_ns, self.trade_ns) if len(one)]
        return min(begins), max(ends)

    def imbalance(self) -> Floats:
        """What each quote adds to the order-flow imbalance, unit of the quantities; 0 for the first."""
        columns = (self.bid_px, self.bid_qty, self.ask_px, self.ask_qty)
        quotes = [Quote(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        changes = [queue_change(*pair) for pair in pairwise(quotes)]
        return np.array([0.0, *changes])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A trace cut into steps of equal length.

    Parameters
    ----------
    step_ns
        Length of a step.
    at_ns
        Beginning of the first step and the end of each: one more than there are steps.
    mid_px
        Mid at those instants.
    volume_qty, net_qty
        Traded in each step, and bought less sold by takers.
    trades
        Number of trades in each step.
    value_px
        Fundamental value at the instants; empty where there is none.
    """

    step_ns: int
    at_ns: Ints
    mid_px: Floats
    volume_qty: Floats
    net_qty: Floats
    trades: Floats
    value_px: Floats = field(default_factory=_no_floats)

    @property
    def returns(self) -> Floats:
        """Change of the log mid over each step."""
        return np.diff(np.log(self.mid_px))


def cut(trace: Trace, step_ns: int) -> Bars:
    """Cut a trace into whole steps from its first quote on.

    Raises
    ------
    ValueError
        If there are not two steps in it.
    """
    if step_ns <= 0:
        raise ValueError(f"a step of {step_ns} ns")
    first_ns, last_ns = int(trace.quote_ns[0]), trace.span_ns[1]
    count = (last_ns - first_ns) // step_ns
    if count < 2:
        raise ValueError(f"{count} steps of {step_ns} ns are too few to measure anything")
    at_ns = first_ns + step_ns * np.arange(count + 1, dtype=np.int64)
    # What happens at the end of a step belongs to it: the mid at that instant knows of it.
    inside = (trace.trade_ns > first_ns) & (trace.trade_ns <= at_ns[-1])
    number = (trace.trade_ns[inside] - first_ns - 1) // step_ns
    qty = trace.trade_qty[inside]
    return Bars(
        step_ns=step_ns,
        at_ns=at_ns,
        mid_px=held(trace.quote_ns, trace.mid_px, at_ns),
        volume_qty=_summed(number, qty, count),
        net_qty=_summed(number, qty * trace.trade_sign[inside], count),
        trades=_summed(number, np.ones(len(number)), count),
        value_px=held(trace.value_ns, trace.value_px, at_ns) if len(trace.value_ns) else _no_floats(),
    )


def summed(trace: Trace, values: Floats, bars: Bars) -> Floats:
    """Sum of what came with each quote over the steps of some bars."""
    first_ns = int(bars.at_ns[0])
    inside = (trace.quote_ns > first_ns) & (trace.quote_ns <= bars.at_ns[-1])
    return _summed(
        (trace.quote_ns[inside] - first_ns - 1) // bars.step_ns, values[inside], len(bars.at_ns) - 1
    )


def _summed(number: Ints, values: Floats, count: int) -> Floats:
    return np.asarray(np.bincount(number, weights=values, minlength=count), dtype=np.float64)


def held(times_ns: Ints, values: Floats, at_ns: Ints) -> Floats:
    """Value in force at each instant: the last at or before it; the first before all of them."""
    found = np.searchsorted(times_ns, at_ns, side="right") - 1
    return values[np.maximum(found, 0)]


def time_weights(trace: Trace) -> Floats:
    """How long each quote was in force, nanoseconds; the last one until the end of the trace."""
    ends = np.append(trace.quote_ns[1:], trace.span_ns[1])
    return np.maximum(ends - trace.quote_ns, 0).astype(np.float64)


def _alike(what: str, times_ns: Ints, columns: tuple[Floats, ...]) -> None:
    if any(len(one) != len(times_ns) for one in columns):
        raise ValueError(f"{what}: a value for every time is wanted")
    if bool((np.diff(times_ns) < 0).any()):
        raise ValueError(f"{what}: time goes back")
    if not all(bool(np.isfinite(one).all()) for one in columns):
        raise ValueError(f"{what}: a number is not finite")
