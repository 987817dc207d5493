"""How much of each limit is used right now: for the metrics, the board and whoever asks.

Nothing is decided here; the gate counts for itself, each time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from executor.domain.timeline import NS_PER_HOUR, NS_PER_MIN, NS_PER_S, utc_day
from executor.domain.units import ZERO
from executor.engine.exposure import open_exposure
from executor.engine.ledger import day_notional, day_pnl, open_notional
from executor.engine.state import EngineState
from executor.engine.throttle import count_since


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """One limit and what stands against it.

    Parameters
    ----------
    limit
        Its name in the configuration.
    used, allowed
        In the limit's own unit, which its name says; `allowed` is positive.
    place
        Symbol or parent that uses most of it, where it holds for each; "" where it holds for all together.
    """

    limit: str
    used: Decimal
    allowed: Decimal
    place: str = ""

    @property
    def ratio(self) -> Decimal:
        """Used over allowed, >= 0; 1 is exhausted."""
        return self.used / self.allowed


def limits_in_use(state: EngineState) -> tuple[LimitUse, ...]:
    """List every limit that fills up over time or with size; a money limit that nobody set has no row."""
    return tuple(use for use in _all(state) if use.allowed > ZERO)


def _all(state: EngineState) -> Iterator[LimitUse]:
    limits = state.limits
    for name, used, allowed in (
        ("orders_per_s_max", count_since(state, NS_PER_S), limits.orders_per_s_max),
        ("orders_per_min_max", count_since(state, NS_PER_MIN), limits.orders_per_min_max),
        ("children_per_hour_max", count_since(state, NS_PER_HOUR), limits.children_per_hour_max),
        (
            "orders_per_day_max",
            state.orders_day if state.day == utc_day(state.now_ns) else 0,
            limits.orders_per_day_max,
        ),
    ):
        yield LimitUse(limit=name, used=Decimal(used), allowed=Decimal(allowed))
    for name, money, most in (
        ("open_notional_max", open_notional(state), limits.open_notional_max),
        ("day_notional_max", day_notional(state), limits.day_notional_max),
        ("day_loss_max", max(-day_pnl(state), ZERO), limits.day_loss_max),
    ):
        if most is not None:
            yield LimitUse(limit=name, used=money, allowed=most)
    if limits.position_notional_max is not None:
        value, place = max(_positions(state), default=(ZERO, ""))
        yield LimitUse(
            limit="position_notional_max", used=value, allowed=limits.position_notional_max, place=place
        )
    yield from _of_several(state)
    yield from _of_parents(state)


def _of_several(state: EngineState) -> Iterator[LimitUse]:
    """What all open parents could come to together, against the limits of that which are set."""
    limits = state.limits
    gross, net, symbol_net = (
        limits.parents_gross_notional_max,
        limits.parents_net_notional_max,
        limits.symbol_net_notional_max,
    )
    if gross is None and net is None and symbol_net is None:
        return
    found = open_exposure(state)
    if gross is not None:
        yield LimitUse(limit="parents_gross_notional_max", used=found.gross, allowed=gross)
    if net is not None:
        yield LimitUse(limit="parents_net_notional_max", used=found.net, allowed=net)
    if symbol_net is not None:
        value, place = max(
            ((value, market) for (market, _), value in found.reach.items()), default=(ZERO, "")
        )
        yield LimitUse(limit="symbol_net_notional_max", used=value, allowed=symbol_net, place=place)


def _positions(state: EngineState) -> Iterator[tuple[Decimal, str]]:
    """Absolute value of every position at the mid; one not read yet, or without a book, has none to tell."""
    for name, ledger in state.ledgers.items():
        place = name.rpartition(":")[0]
        market = state.markets.get(place)
        if (
            ledger.position_qty is None
            or market is None
            or market.snapshot is None
            or market.instrument is None
        ):
            continue
        yield abs(market.instrument.notional(ledger.position_qty, market.snapshot.mid_px)), place


def _of_parents(state: EngineState) -> Iterator[LimitUse]:
    children, ordered = (ZERO, ""), (ZERO, "")
    for name in state.open_parents:
        parent = state.parents[name]
        children = max(children, (Decimal(parent.repeats - parent.children_at_rearm), name))
        times = (parent.ordered_qty - parent.ordered_at_rearm_qty) / parent.order.order_qty
        ordered = max(ordered, (times, name))
    limits = state.limits
    yield LimitUse(
        limit="children_per_parent_max",
        used=children[0],
        allowed=Decimal(limits.children_per_parent_max),
        place=children[1],
    )
    yield LimitUse(
        limit="amplification_max", used=ordered[0], allowed=limits.amplification_max, place=ordered[1]
    )
