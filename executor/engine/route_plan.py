"""The plan of a routed order: its slices in time, and how a quantity would be divided over the books of its legs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from executor.domain.decision import Schedule
from executor.domain.events import RouteSubmitted
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder, Side
from executor.domain.routing import RoutedOrder, RouteLeg
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Price, Quantity
from executor.engine.state import MarketState
from strategies.base import strategy_of
from strategies.routing import Division, Offer, cost, divide


@dataclass(frozen=True, slots=True, kw_only=True)
class LegPreview:
    """What a leg would do.

    Parameters
    ----------
    mid_px, effective_px
        Middle of its book, and the price of taking with everything that is paid beside it; quote per base.
    slice_qty, whole_qty
        Its parts of the first slice and of the whole order, were they divided by the books of this instant; base units.
    alone_bps
        What taking the first slice in this leg alone would cost against the first leg's mid, basis points.
    """

    leg: RouteLeg
    mid_px: Price
    effective_px: Decimal
    slice_qty: Quantity
    whole_qty: Quantity
    alone_bps: Bps


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePreview:
    """A routed order before it is sent.

    Parameters
    ----------
    slice_bps
        What taking the first slice as it would be divided would cost against the first leg's mid, basis points.
    """

    schedule: Schedule
    legs: tuple[LegPreview, ...]
    slice_bps: Bps


def routed_order(event: RouteSubmitted, number: int, now_ns: int) -> RoutedOrder:
    """The order that comes of a submission now."""
    start_ns = max(event.start_ns, now_ns)
    return RoutedOrder(
        route_id=f"R{number}",
        route_no=number,
        side=event.side,
        order_qty=event.order_qty,
        limit_px=event.limit_px,
        start_ns=start_ns,
        deadline_ns=start_ns + event.duration_s * NS_PER_S,
        residual=event.residual,
        extend_s=event.extend_s,
        urgency=event.urgency,
        strategy=event.strategy,
        params=event.params,
        seed=event.seed,
        basis_bps_max=event.basis_bps_max,
        hysteresis_bps=event.hysteresis_bps,
    )


def offer_of(market: MarketState, leg: RouteLeg, side: Side) -> Offer:
    """What a leg would trade with now, by the book that is shown; it must have one, and rules."""
    assert market.snapshot is not None
    assert market.instrument is not None
    book = market.snapshot
    buys = side is Side.BUY
    qty, deeper = (book.best_ask_qty, book.deeper_asks) if buys else (book.best_bid_qty, book.deeper_bids)
    return Offer(
        instrument=market.instrument,
        levels=((book.far_touch(side), qty), *deeper),
        fee_bps=leg.taker_fee_bps,
        carry_bps=leg.carry_bps,
    )


def plan_of(order: RoutedOrder, markets: Sequence[MarketState], cum_qty: Decimal, start_ns: int) -> Schedule:
    """Spread what is left over the time that is left, in the finest steps of the legs and in slices fit for each."""
    rules, mid_px = _finest_rules(markets, max(order.order_qty - cum_qty, ZERO))
    whole = ParentOrder(
        parent_id=order.route_id,
        parent_no=order.route_no,
        category=rules.category,
        symbol=rules.symbol,
        side=order.side,
        order_qty=order.order_qty,
        limit_px=order.limit_px,
        start_ns=start_ns,
        deadline_ns=order.deadline_ns,
        residual=order.residual,
        extend_s=order.extend_s,
        urgency=order.urgency,
        strategy=order.strategy,
        params=order.params,
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=order.seed,
    )
    return strategy_of(whole).plan(
        order=whole,
        instrument=rules,
        reference_px=mid_px,
        start_ns=start_ns,
        end_ns=max(order.deadline_ns, start_ns),
        cum_qty=Quantity(cum_qty),
    )


def preview_route(
    order: RoutedOrder, legs: Sequence[RouteLeg], markets: Sequence[MarketState], now_ns: int
) -> RoutePreview:
    """Show how a routed order would be spread over its time, and divided by the books of this instant.

    Raises
    ------
    ValueError
        If a leg can not be compared with the others, or a market is not known.
    """
    _check_comparable(markets)
    schedule = plan_of(order, markets, ZERO, max(now_ns, order.start_ns))
    first = schedule.slices[0].qty if schedule.slices else Quantity(ZERO)
    names = [f"{leg.category}:{leg.symbol}" for leg in legs]
    offers = {
        name: offer_of(market, leg, order.side)
        for name, market, leg in zip(names, markets, legs, strict=True)
    }
    piece = divide(first, order.side, offers, limit_px=order.limit_px)
    whole = divide(order.order_qty, order.side, offers, limit_px=order.limit_px)
    mids = [market.snapshot.mid_px for market in markets if market.snapshot is not None]
    found = []
    for name, leg, mid_px in zip(names, legs, mids, strict=True):
        alone = {name: first}
        found.append(
            LegPreview(
                leg=leg,
                mid_px=mid_px,
                effective_px=offers[name].effective_px(order.side, offers[name].levels[0][0]),
                slice_qty=piece[name],
                whole_qty=whole[name],
                alone_bps=_bps(alone, order.side, offers, mids[0]),
            )
        )
    return RoutePreview(
        schedule=schedule, legs=tuple(found), slice_bps=_bps(piece, order.side, offers, mids[0])
    )


def _bps(division: Division, side: Side, offers: dict[str, Offer], mid_px: Decimal) -> Bps:
    """Cost of taking a division against a mid, basis points of its value there; zero of nothing."""
    paper = sum(division.values(), ZERO) * mid_px
    return Bps(side.sign * (cost(division, side, offers) - paper) * BPS_PER_UNIT / paper if paper else ZERO)


def _check_comparable(markets: Sequence[MarketState]) -> None:
    coins = set()
    for market in markets:
        if market.instrument is None or market.snapshot is None:
            raise ValueError("the rules or the book of a leg are not known")
        coins.add((market.instrument.base_coin, market.instrument.quote_coin))
    if len(coins) > 1:
        told = " and ".join(sorted(f"{base}/{quote}" for base, quote in coins))
        raise ValueError(f"the legs are in {told}: their prices can not be compared")


def _finest_rules(markets: Sequence[MarketState], leaves: Decimal) -> tuple[Instrument, Price]:
    """Rules of the leg with the finest steps, with the largest minimum of all legs where that leaves a slice at all."""
    pairs = [
        (each.instrument, each.snapshot.mid_px)
        for each in markets
        if each.instrument is not None and each.snapshot is not None
    ]
    finest, mid_px = min(pairs, key=lambda pair: pair[0].qty_step)
    least = max(rules.smallest_qty(px) for rules, px in pairs)
    if least > leaves:
        return finest, mid_px
    return replace(finest, min_order_qty=max(finest.min_order_qty, least)), mid_px
