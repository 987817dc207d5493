"""Counting order creations and amendments over the account; the gate compares the counts with the message budget."""

from bisect import bisect_right

from executor.domain.timeline import NS_PER_HOUR, utc_day
from executor.engine.state import EngineState


def count_order(state: EngineState) -> None:
    """Record that an order is created or amended now."""
    times = state.order_times_ns
    del times[: bisect_right(times, state.now_ns - NS_PER_HOUR)]
    times.append(state.now_ns)
    today = utc_day(state.now_ns)
    if state.day != today:
        state.day, state.orders_day = today, 0
    state.orders_day += 1


def count_since(state: EngineState, span_ns: int) -> int:
    """Orders created or amended within the last `span_ns` (at most an hour)."""
    times = state.order_times_ns
    return len(times) - bisect_right(times, state.now_ns - span_ns)
