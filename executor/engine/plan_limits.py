"""Which limits an order would run into on its way, said before it is sent; the gate looks at each child anew."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.orders import ParentOrder, Side
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, plain
from executor.engine.markets import expected_volume_qty, volatility_pct
from executor.engine.preview import beyond_limits, beyond_position
from executor.engine.state import EngineState, MarketState
from strategies.expected import ExpectedPath, Timing
from strategies.venue_orders import VENUE_STRATEGIES

_PCT: Final = Decimal(100)


class Severity(StrEnum):
    """What becomes of an order: it fails at once, it waits, or it goes on in smaller or later pieces."""

    FAILS = "fails"
    WAITS = "waits"
    SLOWER = "slower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindrance:
    """Something that an order would run into.

    Parameters
    ----------
    what
        Name of the limit, or of the rule of the venue.
    detail
        One sentence with the figures.
    """

    what: str
    severity: Severity
    detail: str


def hindrances(
    state: EngineState, market: MarketState, order: ParentOrder, path: ExpectedPath
) -> tuple[Hindrance, ...]:
    """Say what an order would run into as things are, the gravest first; positions are those that are known."""
    found = [
        *_whole(state, market, order, path),
        *_circuits(state, market, order, path),
        *_pieces(state, market, order, path),
    ]
    return gravest_first(found)


def gravest_first(found: Iterable[Hindrance]) -> tuple[Hindrance, ...]:
    """Order hindrances by what becomes of the order."""
    return tuple(sorted(found, key=lambda one: list(Severity).index(one.severity)))


def _whole(
    state: EngineState, market: MarketState, order: ParentOrder, path: ExpectedPath
) -> list[Hindrance]:
    """What is said against the order as a whole."""
    found = []
    assert market.instrument is not None
    assert market.snapshot is not None
    if market.instrument.is_dust(order.order_qty, market.snapshot.mid_px):
        least = market.instrument.smallest_qty(market.snapshot.mid_px)
        text = f"{plain(order.order_qty)} is below the {plain(least)} that the venue accepts"
        found.append(Hindrance(what="venue minimum", severity=Severity.FAILS, detail=text))
    if order.reduce_only:
        text = beyond_position(
            state, order.category, order.symbol, order.side, order.position_idx, order.order_qty
        )
        if text:
            found.append(Hindrance(what="reduce_only", severity=Severity.FAILS, detail=text))
    text = beyond_limits(state, order, market, order.order_qty)
    if text:
        name = next((one for one in ("position_notional_max", "day_notional_max") if one in text), "limits")
        found.append(Hindrance(what=name, severity=Severity.FAILS, detail=text))
    seconds = max((order.deadline_ns - order.start_ns) // NS_PER_S, 1)
    volume = expected_volume_qty(state, market, seconds)
    pct = state.limits.participation_pct_max
    if volume is not None and order.order_qty > volume * pct / _PCT:
        text = (
            f"at the recent volume about {volume * pct / _PCT:.3f} of {plain(order.order_qty)} can be traded in"
            f" {seconds} s within {plain(pct)} % of the market"
        )
        found.append(Hindrance(what="participation_pct_max", severity=Severity.SLOWER, detail=text))
    if path.left_qty and not market.instrument.is_dust(path.left_qty, market.snapshot.mid_px):
        text = f"{plain(path.left_qty.normalize())} of {plain(order.order_qty)} is expected to be left at the deadline"
        what = "participation_max" if order.params.participation_max is not None else "time"
        found.append(Hindrance(what=what, severity=Severity.SLOWER, detail=text))
    return found


def _circuits(
    state: EngineState, market: MarketState, order: ParentOrder, path: ExpectedPath
) -> list[Hindrance]:
    """What would hold it as the market is now."""
    found, limits = [], state.limits
    assert market.snapshot is not None
    volatility = volatility_pct(state, market)
    if volatility is not None and volatility > limits.volatility_hourly_pct_max:
        text = f"volatility is {volatility:.2f} % an hour, {plain(limits.volatility_hourly_pct_max)} pauses the order"
        found.append(Hindrance(what="volatility_hourly_pct_max", severity=Severity.WAITS, detail=text))
    spread = market.snapshot.spread_bps
    if spread > limits.cross_spread_bps_max and path.timing is not Timing.RESTING:
        text = f"the spread is {spread:.2f} bps, nothing is taken above {plain(limits.cross_spread_bps_max)}"
        found.append(Hindrance(what="cross_spread_bps_max", severity=Severity.WAITS, detail=text))
    limit, far = order.limit_px, market.snapshot.far_touch(order.side)
    if limit is not None and order.side.sign * (far - limit) > ZERO:
        word = "ask" if order.side is Side.BUY else "bid"
        gap = abs(far - limit) / market.snapshot.mid_px * BPS_PER_UNIT
        text = (
            f"the best {word} is {gap:.1f} bps beyond the limit price {plain(limit)}:"
            " until it comes back it only rests"
        )
        found.append(Hindrance(what="limit_price", severity=Severity.WAITS, detail=text))
    return found


def _strategy_order(state: EngineState, market: MarketState, order: ParentOrder) -> list[Hindrance]:
    """What cuts a strategy order of the venue, which is open as a whole from its first piece on."""
    assert market.instrument is not None
    assert market.snapshot is not None
    most = state.limits.open_notional_max
    if most is None:
        return []
    cap = most / market.instrument.notional(ONE, market.snapshot.mid_px)
    if order.order_qty <= cap:
        return []
    text = (
        f"a strategy order is open as a whole, and at most {cap:.6g} may be ({plain(most)} quote): it takes all of the"
        f" time all the same, and the rest of {plain(order.order_qty)} follows only if there is time for another"
    )
    return [Hindrance(what="open_notional_max", severity=Severity.SLOWER, detail=text)]


def _pieces(
    state: EngineState, market: MarketState, order: ParentOrder, path: ExpectedPath
) -> list[Hindrance]:
    """What cuts its children, or says how many there may be."""
    if order.strategy in VENUE_STRATEGIES:
        return _strategy_order(state, market, order)
    if not path.slices:
        return []
    assert market.instrument is not None
    assert market.snapshot is not None
    found, limits, rules = [], state.limits, market.instrument
    largest = max(one.expected_qty for one in path.slices)
    unit = rules.notional(ONE, market.snapshot.mid_px)
    volume = expected_volume_qty(state, market, order.params.interval_s)
    caps: list[tuple[str, Decimal | None, str]] = [
        ("max_order_qty", rules.max_order_qty, "the venue's largest order"),
        (
            "participation_pct_max",
            None if volume is None else limits.participation_pct_max / _PCT * volume,
            f"{plain(limits.participation_pct_max)} % of the volume of {order.params.interval_s} s",
        ),
    ]
    for name in ("child_notional_max", "open_notional_max"):
        value: Decimal | None = getattr(limits, name)
        caps.append(
            (name, None if value is None else value / unit, "" if value is None else f"{plain(value)} quote")
        )
    for name, cap, said in caps:
        if cap is not None and largest > cap:
            text = f"the largest slice is {plain(largest.normalize())}, one child at most {cap:.6g} ({said})"
            found.append(Hindrance(what=name, severity=Severity.SLOWER, detail=text))
    shortest_ns = min(one.end_ns - one.start_ns for one in path.slices)
    if path.timing is not Timing.TRIGGER and shortest_ns < limits.order_gap_s_min * NS_PER_S:
        text = f"a slice is {shortest_ns / NS_PER_S:g} s, and children are {plain(limits.order_gap_s_min)} s apart"
        found.append(Hindrance(what="order_gap_s_min", severity=Severity.SLOWER, detail=text))
    if len(path.slices) > limits.children_per_parent_max:
        text = f"{len(path.slices)} slices, and after {limits.children_per_parent_max} children a person must re-arm"
        found.append(Hindrance(what="children_per_parent_max", severity=Severity.WAITS, detail=text))
    return found
