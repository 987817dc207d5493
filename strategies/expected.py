"""What an order is expected to do if nothing but the usual happens: its plan, held against the volume to be expected.

A strategy that keeps to a schedule does its slices. One that follows the market's volume does its share of what is to
be expected. One that only rests, or waits for a price, has no time of its own: nothing is made up for it but how soon
it could be over. Nothing here knows of own fills: it is asked before there are any.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.decision import Schedule, View
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import ParentOrder, ResidualRule
from executor.domain.signals import Signals
from executor.domain.timeline import NS_PER_HOUR
from executor.domain.units import ONE, ZERO, Quantity
from impact.protocol import Execution, Pace
from strategies.base import strategy_of
from strategies.pov import PARTICIPATION
from strategies.venue_orders import VENUE_ICEBERG, VENUE_POV

EXECUTIONS_MAX: Final = 240
"""Most pieces of a plan that a model of impact is shown; slices of one so long are put together."""
_SIDE_SHARE: Final = Decimal("0.5")
"""Share of the market's volume that trades against one side of the book, while neither prevails."""
_FORESEEN_HOURS_MAX: Final = 24 * 366
"""A year: of an order that rests and could not be over by then, nothing is said."""


class Timing(StrEnum):
    """What decides when an order trades."""

    SCHEDULE = "schedule"
    VOLUME = "volume"
    RESTING = "resting"
    TRIGGER = "trigger"


_TIMINGS: Final = {
    "pov": Timing.VOLUME,
    VENUE_POV: Timing.VOLUME,
    "iceberg": Timing.RESTING,
    VENUE_ICEBERG: Timing.RESTING,
    "chase": Timing.RESTING,
    "sniper": Timing.TRIGGER,
}
"""Of the strategies that have no schedule of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSlice:
    """One slice and what is to be expected of it.

    Parameters
    ----------
    planned_qty
        What the plan has for it, base units.
    expected_qty
        What is expected to be done in it; for an order without a time of its own an even share, as a measure.
    others_qty
        Volume of others to be expected meanwhile.
    """

    start_ns: int
    end_ns: int
    planned_qty: Decimal
    expected_qty: Decimal
    others_qty: Decimal

    @property
    def participation(self) -> Decimal:
        """Own share of everything that is expected to trade, 0-1."""
        whole = self.expected_qty + self.others_qty
        return self.expected_qty / whole if whole else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPath:
    """How an order is expected to go.

    Parameters
    ----------
    schedule
        The plan; of an order without a time of its own a measure of progress.
    residual_qty
        What is expected to be left at the deadline and to be taken then, by the residual rule.
    left_qty
        What is expected to be left for good, base units.
    done_ns
        When it is expected to have done what it does; the earliest that it could be where it rests; None where
        nothing can be said.
    """

    timing: Timing
    schedule: Schedule
    slices: tuple[ExpectedSlice, ...]
    residual_qty: Decimal
    left_qty: Decimal
    done_ns: int | None

    @property
    def merged(self) -> int:
        """Slices that were put together with others."""
        return self.schedule.asked - len(self.schedule.slices)

    @property
    def expected_qty(self) -> Decimal:
        """What is expected to be done, the residual included."""
        return sum((one.expected_qty for one in self.slices), self.residual_qty)


def timing_of(strategy: str) -> Timing:
    """What decides when an order of this strategy trades."""
    return _TIMINGS.get(strategy, Timing.SCHEDULE)


def expected_path(
    order: ParentOrder,
    instrument: Instrument,
    market: MarketSnapshot,
    pace: Pace,
    *,
    cross_spread_bps_max: Decimal,
    price_collar_bps_max: Decimal,
) -> ExpectedPath:
    """Say how an order is expected to go, from its start to its deadline.

    Parameters
    ----------
    pace
        Volume and volatility to be expected, which are those of lately.
    cross_spread_bps_max, price_collar_bps_max
        As a strategy is shown them.
    """
    schedule = _planned(order, instrument, market, pace, cross_spread_bps_max, price_collar_bps_max)
    hourly = Decimal(repr(pace.volume_hourly_qty))
    timing = timing_of(order.strategy)
    others = [hourly * (piece.end_ns - piece.start_ns) / NS_PER_HOUR for piece in schedule.slices]
    wanted = _by_volume if timing is Timing.VOLUME else _by_schedule
    done = wanted(order, instrument, market, schedule, others)
    slices = tuple(
        ExpectedSlice(
            start_ns=piece.start_ns,
            end_ns=piece.end_ns,
            planned_qty=piece.qty,
            expected_qty=qty,
            others_qty=volume,
        )
        for piece, qty, volume in zip(schedule.slices, done, others, strict=True)
    )
    if timing is Timing.VOLUME:
        slices = _until_done(slices)
    left = order.order_qty - sum(done, ZERO)
    taken = order.residual is ResidualRule.CROSS and order.params.participation_max is None
    residual = instrument.round_qty(left) if taken else Quantity(ZERO)
    if instrument.is_dust(residual, market.mid_px):
        residual = Quantity(ZERO)
    return ExpectedPath(
        timing=timing,
        schedule=schedule,
        slices=slices,
        residual_qty=residual,
        left_qty=left - residual,
        done_ns=_done_ns(order, timing, slices, residual, hourly),
    )


def executions(order: ParentOrder, path: ExpectedPath) -> list[Execution]:
    """What a model of impact is shown of a path: each slice evenly over its time, and what is taken at the deadline.

    Slices of a long plan are put together, so that the work is bounded.
    """
    width = -(-len(path.slices) // EXECUTIONS_MAX) or 1
    told = []
    for first in range(0, len(path.slices), width):
        group = path.slices[first : first + width]
        qty = sum((one.expected_qty for one in group), ZERO)
        if qty:
            start_ns = group[0].start_ns
            told.append(Execution(start_ns, order.side.sign * float(qty), group[-1].end_ns - start_ns))
    if path.residual_qty:
        told.append(Execution(order.deadline_ns, order.side.sign * float(path.residual_qty)))
    return told


def _planned(
    order: ParentOrder,
    instrument: Instrument,
    market: MarketSnapshot,
    pace: Pace,
    cross_spread_bps_max: Decimal,
    price_collar_bps_max: Decimal,
) -> Schedule:
    """The plan, divided by the market as the strategy does when its first slice begins."""
    strategy = strategy_of(order)
    schedule = strategy.plan(
        order=order,
        instrument=instrument,
        reference_px=market.mid_px,
        start_ns=order.start_ns,
        end_ns=order.deadline_ns,
        cum_qty=Quantity(ZERO),
    )
    if not schedule.slices:
        return schedule
    view = View(
        now_ns=schedule.slices[0].start_ns,
        order=order,
        instrument=instrument,
        market=market,
        schedule=schedule,
        cum_qty=Quantity(ZERO),
        slice_base_qty=Quantity(ZERO),
        working=None,
        cross_spread_bps_max=cross_spread_bps_max,
        price_collar_bps_max=price_collar_bps_max,
        market_qty=Quantity(ZERO),
        plan_market_qty=Quantity(ZERO),
        slice_market_qty=Quantity(ZERO),
        last_slice_market_qty=Quantity(ZERO),
        arrival_px=market.mid_px,
        signals=Signals(
            volatility_hourly_pct=pace.volatility_hourly_pct, volume_hourly_qty=pace.volume_hourly_qty
        ),
    )
    return strategy.revise(view) or schedule


def _by_schedule(
    order: ParentOrder,
    instrument: Instrument,
    market: MarketSnapshot,
    schedule: Schedule,
    others: list[Decimal],
) -> list[Decimal]:
    """What each slice does: its quantity and what was missed, as far as the cap on participation has room.

    With c the cap and V what others have traded by its end, c / (1 - c) V may be done by then.
    """
    cap, times = order.params.participation_max, _times(order)
    done: list[Decimal] = []
    cum, volume = ZERO, ZERO
    for piece, more in zip(schedule.slices, others, strict=True):
        volume += more
        qty = min(piece.target_qty - cum, times * piece.qty)
        if cap is not None:
            qty = min(qty, cap / (ONE - cap) * volume - cum)
        cum += _ordered(instrument, market, qty, done)
    return done


def _by_volume(
    order: ParentOrder,
    instrument: Instrument,
    market: MarketSnapshot,
    schedule: Schedule,
    others: list[Decimal],
) -> list[Decimal]:
    """What each slice does: the share of the volume until its start, at most so many times that of the slice before."""
    share = PARTICIPATION if order.params.participation is None else order.params.participation
    times = _times(order)
    done: list[Decimal] = []
    cum, volume, whole_before = ZERO, ZERO, ZERO
    for more in others:
        due = share / (ONE - share) * volume - cum
        cum += _ordered(
            instrument, market, min(due, times * share * whole_before, order.order_qty - cum), done
        )
        volume += more
        whole_before = more + done[-1]
    return done


def _until_done(slices: tuple[ExpectedSlice, ...]) -> tuple[ExpectedSlice, ...]:
    """Leave out what comes after the last slice that does something."""
    busy = [number for number, one in enumerate(slices) if one.expected_qty]
    return slices[: busy[-1] + 1] if busy else slices


def _times(order: ParentOrder) -> Decimal:
    return order.params.catch_up_max if order.params.catch_up else ONE


def _ordered(instrument: Instrument, market: MarketSnapshot, qty: Decimal, done: list[Decimal]) -> Decimal:
    """Note what can be ordered of a wish: whole steps, and nothing below the venue's minimum."""
    whole = instrument.round_qty(max(qty, ZERO))
    done.append(ZERO if instrument.is_dust(whole, market.mid_px) else whole)
    return done[-1]


def _done_ns(
    order: ParentOrder, timing: Timing, slices: tuple[ExpectedSlice, ...], residual: Decimal, hourly: Decimal
) -> int | None:
    """When it is expected to be over; for one that rests, how soon it could be."""
    match timing:
        case Timing.TRIGGER:
            return None
        case Timing.RESTING:
            fastest_h = order.order_qty / (_SIDE_SHARE * hourly)
            return order.start_ns + int(fastest_h * NS_PER_HOUR) if fastest_h <= _FORESEEN_HOURS_MAX else None
        case Timing.SCHEDULE | Timing.VOLUME:
            ends = [one.end_ns for one in slices if one.expected_qty]
            if residual or not ends:
                return order.deadline_ns
            return ends[-1]
