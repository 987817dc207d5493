"""No dynamic arbitrage: refuses a model by which buying and selling the same quantity would earn money.

In such a model the cheapest way to work an order is to trade against itself, and whoever searches for the cheapest way
finds that: an optimiser, a simulated agent, a calibration that fits noise. J. Gatheral (Quantitative Finance 10, 2010)
has the conditions for impact that wears off, G. Huberman and W. Stanzl (Econometrica 72, 2004) for impact that stays,
A. Alfonsi, A. Schied and A. Slynko (SIAM J. Financial Math. 3, 2012) for kernels. They are checked where a model's form
is known; besides, round trips of many shapes are tried on any model, also ones that trade one side in short pulses,
which two even legs do not show: with an exponent of 1/2 for the speed and for the decay those earn, and even legs do
not (compare G. Curato, J. Gatheral and F. Lillo, Quantitative Finance 17, 2017).

That holds of every propagator that is not linear. Let N pulses, each N^-a long, trade one unit under v^delta and
t^-gamma. Together they pay themselves N^(-delta + a (gamma + delta - 1)) and leave N^((1 - delta)(1 - a)): with
delta < 1 and 1 < a < delta / (gamma + delta - 1) both vanish, so that one side trades for nothing. With delta > 1 such
pulses move the price by trading almost nothing. So only delta = 1 passes; a search does not reach that limit.

A law of orders of one side refuses to price a round trip, so that none can earn by it.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum, isfinite, log2, sqrt
from typing import Final, TypeVar

from impact.hybrid import Hybrid
from impact.kernel import ExponentialKernel, PowerKernel, best_trades
from impact.kyle import Kyle
from impact.propagator import Propagator
from impact.protocol import NS_PER_DAY, Execution, ImpactModel, Pace

GAMMA_LEAST: Final = 2.0 - log2(3.0)
"""Least exponent of a power-law decay under a curved impact of the speed: 0.415037."""
UNIT_PACE: Final = Pace(1.0 / (100.0 * sqrt(24.0)), 1.0 / 24.0)
"""A market whose daily volatility is 1 basis point and whose daily volume is 1: coefficients act as they are."""
_WHOLES_NS: Final = (60_000_000_000, 3_600_000_000_000, NS_PER_DAY)
_SHARES: Final = (1.0, 0.3, 0.1, 0.02, 0.001)
_PULSES: Final = 20
_DUTY: Final = 1e-3
_BLOCKS: Final = 10
_ROUNDING: Final = 1e-9
_KERNEL_TRADES: Final = 25
_Model = TypeVar("_Model", bound=ImpactModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Why a model is refused.

    Parameters
    ----------
    reason
        For people.
    trip
        A round trip that earns; empty where only a condition is known to fail.
    cost
        What it costs with `UNIT_PACE`, basis points times quantity; below zero is earned.
    """

    reason: str
    trip: tuple[Execution, ...] = ()
    cost: float = 0.0


def refuse_arbitrage(model: _Model) -> _Model:
    """Give a model back if no round trip earns by it.

    Raises
    ------
    ValueError
        If one does.
    """
    found = find_violation(model)
    if found is not None:
        raise ValueError(f"{model.name} lets a round trip earn money: {found.reason}")
    return model


def find_violation(model: ImpactModel) -> Violation | None:
    """Say why a model is to be refused, with a round trip that earns most among those tried; None if it is sound."""
    if isinstance(model, Hybrid):
        return find_violation(model.model)
    condition = _failed_condition(model)
    worst, cost = _worst_trip(model)
    if worst:
        bought = fsum(one.signed_qty for one in worst if one.signed_qty > 0.0)
        tried = f"a round trip of {_shape(worst)} earns {-cost / bought:.6g} times the unit of its impact"
        return Violation(
            reason=f"{condition}; {tried}" if condition else tried,
            trip=worst,
            cost=cost,
        )
    return Violation(reason=condition) if condition else None


def round_trip_cost(model: ImpactModel, trip: Sequence[Execution], pace: Pace) -> float:
    """What a round trip costs: sum of quantity times displacement paid, basis points times quantity.

    Parameters
    ----------
    trip
        In order of time; what is bought is sold.

    Raises
    ------
    ValueError
        If it is no round trip, or the model cannot price it.
    """
    if abs(fsum(one.signed_qty for one in trip)) > _ROUNDING * fsum(abs(one.signed_qty) for one in trip):
        raise ValueError("a round trip sells what it bought")
    steps = model.along(trip, pace)
    return fsum(own.signed_qty * step.paid_bps for own, step in zip(trip, steps, strict=True))


def _failed_condition(model: ImpactModel) -> str:
    match model:
        case Kyle(exponent=exponent) if exponent != 1.0:
            return "impact that stays has to be linear in the quantity"
        case Propagator(kernel=ExponentialKernel(), delta=delta) if delta != 1.0:
            return "with an exponential decay, impact has to be linear in the speed"
        case Propagator(kernel=PowerKernel(gamma=gamma), delta=delta) if gamma + delta < 1.0:
            return f"a decay t^-{gamma:g} under a speed^{delta:g} needs gamma + delta >= 1"
        case Propagator(kernel=PowerKernel(gamma=gamma), delta=delta) if delta < 1.0 and gamma < GAMMA_LEAST:
            return f"a decay t^-{gamma:g} under a curved impact needs gamma >= {GAMMA_LEAST:.6f}"
        case Propagator(delta=delta) if delta != 1.0:
            return "where impact is not linear in the speed, short pulses move the price by what they do not pay for"
        case Propagator(kernel=kernel) if isfinite(kernel.value(0.0)):
            return next(filter(None, (_kernel_fault(model, whole / NS_PER_DAY) for whole in _WHOLES_NS)), "")
        case _:
            return ""


def _kernel_fault(model: Propagator, days: float) -> str:
    times = [days * number / (_KERNEL_TRADES - 1) for number in range(_KERNEL_TRADES)]
    values = [model.kernel.value(time) for time in times]
    if any(later > one * (1.0 + _ROUNDING) for one, later in itertools.pairwise(values)):
        return "a displacement has to wear off, not to grow"
    wrong = sum(one < -_ROUNDING for one in best_trades(model.kernel.value, times, 1.0))
    if wrong:
        return f"the decay is not convex: the best way to buy in {_KERNEL_TRADES} trades sells in {wrong} of them"
    return ""


def _worst_trip(model: ImpactModel) -> tuple[tuple[Execution, ...], float]:
    """The trip that earns most; empty if none does."""
    worst: tuple[Execution, ...] = ()
    least = 0.0
    for trip in _trips():
        try:
            steps = model.along(trip, UNIT_PACE)
        except ValueError:
            continue  # the model prices no such trip, so that nothing is earned by it
        parts = [own.signed_qty * step.paid_bps for own, step in zip(trip, steps, strict=True)]
        cost = fsum(parts)
        if cost < least and cost < -_ROUNDING * fsum(map(abs, parts)):
            worst, least = trip, cost
    return worst, least


def _trips() -> Iterator[tuple[Execution, ...]]:
    for whole_ns in _WHOLES_NS:
        for share in _SHARES:
            short_ns = round(whole_ns * share)
            yield (*_even(0, whole_ns, 1.0), *_even(whole_ns, short_ns, -1.0))
            yield (*_even(0, short_ns, 1.0), *_even(short_ns, whole_ns, -1.0))
            yield (*_even(0, whole_ns, 1.0), *_pulses(whole_ns, short_ns, -1.0))
            yield (*_pulses(0, short_ns, 1.0), *_even(short_ns, whole_ns, -1.0))
        yield (
            *_blocks(0, whole_ns, _BLOCKS, float(_BLOCKS)),
            *_blocks(whole_ns, whole_ns, 1, -float(_BLOCKS)),
        )
        yield (
            *_blocks(0, whole_ns, 1, float(_BLOCKS)),
            *_blocks(whole_ns, whole_ns, _BLOCKS, -float(_BLOCKS)),
        )


def _even(start_ns: int, over_ns: int, qty: float) -> Iterator[Execution]:
    yield Execution(start_ns, qty, over_ns)


def _pulses(start_ns: int, over_ns: int, qty: float) -> Iterator[Execution]:
    """Short bursts at even distances, the last of them at the end."""
    apart_ns = over_ns // _PULSES
    burst_ns = max(1, round(apart_ns * _DUTY))
    for number in range(1, _PULSES + 1):
        yield Execution(start_ns + number * apart_ns - burst_ns, qty / _PULSES, burst_ns)


def _blocks(start_ns: int, over_ns: int, count: int, qty: float) -> Iterator[Execution]:
    for number in range(count):
        yield Execution(start_ns + number * (over_ns // count), qty / count)


def _shape(trip: Sequence[Execution]) -> str:
    """Words for a trip: how many purchases and sales, over how long."""
    told = []
    for sign, noun in ((1.0, "purchase"), (-1.0, "sale")):
        side = [one for one in trip if sign * one.signed_qty > 0.0]
        busy_s = fsum(one.over_ns for one in side) / 1e9
        count = f"{len(side)} {noun}{'s' if len(side) > 1 else ''}"
        told.append(f"{count} ({busy_s:.6g} s of trading)")
    return " and ".join(told)
