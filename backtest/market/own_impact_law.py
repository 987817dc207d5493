"""What our own orders do to the price of a market of agents: by size, while they are worked, and afterwards.

A move is told in standard deviations of a day's return of the market that is left alone, and a size in volumes of a
day of it, so that

    peak = Y (Q / V)^delta

can be held against what is known of real markets. Many orders share the undisturbed market of their seed: errors come
from leaving out one group of seeds after the other, not from the number of orders.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum, isfinite, log, sqrt
from typing import Final

from backtest.market.with_and_without import LOOKS, OwnMove, SeedMoves
from impact.estimation.least_squares import fit_linear
from impact.estimation.separable import fit_separable

AFTER: Final = (1.5, 2.0, 5.0)
"""Looks whose share of the peak is told."""
EXPONENT_BOUNDS: Final = (0.02, 1.6)
EXPONENT_GATE: Final = (0.40, 0.65)
FACTOR_GATE: Final = (0.3, 1.5)
LOG_R_SQUARED_MIN: Final = 0.9
DURATION_GAP_MAX: Final = 0.25
LEFT_AT_TWO_GATE: Final = (0.5, 0.85)
SIZES_GATE: Final = (1e-4, 1e-1)
DECAY_POWERS: Final = (0.25, 0.22)
"""Exponents b of z^(1-b) - (z-1)^(1-b) that were measured of real large orders."""
_BLOCKS_MAX: Final = 20
_SEEDS_MIN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSize:
    """Orders of one size.

    Parameters
    ----------
    count
        How many moved the price and came to an end.
    peak, peak_error
        Mean move at the last execution, standard deviations of a day, and its error.
    peak_bps
        The same in basis points.
    curve
        Mean move at each of `LOOKS`, standard deviations of a day.
    cost_bps
        Mean arrival shortfall.
    filled_share
        Mean over all orders.
    """

    size: float
    count: int
    peak: float
    peak_error: float
    peak_bps: float
    curve: tuple[float, ...]
    cost_bps: float
    filled_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A number and its standard error by leaving out groups of seeds; None where it is not in the data."""

    value: float
    error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One bound and what was found; it is met if it is known and lies within.

    Parameters
    ----------
    bound
        In words.
    """

    name: str
    bound: str
    found: Told | None
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnImpactLaw:
    """What the orders of all seeds show.

    Parameters
    ----------
    day_volatility
        Standard deviation of a day's log return, of the undisturbed markets.
    day_qty
        Their mean volume of a day, lots.
    sizes
        All durations together, by size.
    exponent, factor
        Of the law; None where no power fits at all.
    log_r_squared
        Of the logarithm of the mean peaks on that of the sizes; None where a mean is not above zero.
    duration_gap
        Largest |Y of a duration / Y of another one - 1| at the common exponent; None with one duration.
    left
        At each of `AFTER`: mean move over mean peak.
    untouched
        Whether every path was the undisturbed one until our order was given.
    orders, failures
        How many orders there were, and how many of them came to no end that can be measured.
    gates
        Those of a simulated market.
    """

    seeds: int
    day_volatility: float
    day_qty: float
    sizes: tuple[AtSize, ...]
    exponent: Told | None
    factor: Told | None
    log_r_squared: float | None
    duration_gap: float | None
    left: tuple[Told | None, ...]
    untouched: bool
    orders: int
    failures: int
    gates: tuple[Gate, ...]


def own_impact_law(found: Sequence[SeedMoves]) -> OwnImpactLaw:
    """Put the orders of all seeds together.

    Raises
    ------
    ValueError
        If there are fewer than ten seeds, their markets do not move at all, or a size was never executed.
    """
    if len(found) < _SEEDS_MIN:
        raise ValueError(f"{len(found)} seeds are too few: {_SEEDS_MIN} are needed")
    variance = fsum(one.day_variance for one in found) / len(found)
    if not variance > 0.0:
        raise ValueError("the market without our orders does not move: there is no scale for a move")
    sigma = sqrt(variance)
    everyone = [order for one in found for order in one.orders]
    sizes = _by_size(everyone, sigma)
    law = _fitted(sizes)
    without = [[*found[:at], *found[at + width :]] for at, width in _blocks(found)]
    exponent = _told(law and law[1], [_law_of(part, 1) for part in without])
    factor = _told(law and law[0], [_law_of(part, 0) for part in without])
    left = tuple(_told(_left(found, z), [_left(part, z) for part in without]) for z in AFTER)
    result = OwnImpactLaw(
        seeds=len(found),
        day_volatility=sigma,
        day_qty=fsum(one.day_qty for one in found) / len(found),
        sizes=sizes,
        exponent=exponent,
        factor=factor,
        log_r_squared=_log_r_squared(sizes),
        duration_gap=_duration_gap(everyone, sigma, law),
        left=left,
        untouched=all(one.untouched for one in found),
        orders=len(everyone),
        failures=sum(one.moves is None for one in everyone),
        gates=(),
    )
    return replace(result, gates=_gates(result))


def _by_size(orders: Sequence[OwnMove], sigma: float) -> tuple[AtSize, ...]:
    return tuple(
        _at_size(size, orders, sigma) for size in sorted({one.size for one in orders if one.size is not None})
    )


def _at_size(size: float, orders: Sequence[OwnMove], sigma: float) -> AtSize:
    of_size = [one for one in orders if one.size == size]
    moved = [one for one in of_size if one.moves is not None]
    if len(moved) < 2:
        raise ValueError(
            f"of {len(of_size)} orders of {size:g} of a day's volume {len(moved)} came to an end"
        )
    curves = [[move / sigma for move in one.moves or ()] for one in moved]
    curve = tuple(fsum(column) / len(curves) for column in zip(*curves, strict=True))
    at_end = LOOKS.index(1.0)
    peak = curve[at_end]
    spread = fsum((one[at_end] - peak) ** 2 for one in curves) / (len(curves) - 1)
    costs = [one.cost_bps for one in moved if one.cost_bps is not None]
    return AtSize(
        size=size,
        count=len(moved),
        peak=peak,
        peak_error=sqrt(spread / len(curves)),
        peak_bps=peak * sigma * 10_000.0,
        curve=curve,
        cost_bps=fsum(costs) / len(costs),
        filled_share=fsum(one.filled_share for one in of_size) / len(of_size),
    )


def _fitted(sizes: Sequence[AtSize]) -> tuple[float, float] | None:
    """Factor and exponent, fitted to the means themselves, so that one below zero is no hindrance."""
    if any(one.peak_error <= 0.0 for one in sizes):
        return None
    try:
        fit = fit_separable(
            lambda delta: [[one.size**delta for one in sizes]],
            [one.peak for one in sizes],
            [one.peak_error**-2 for one in sizes],
            EXPONENT_BOUNDS,
            variances_known=True,
        )
    except ValueError:
        return None
    return fit.coefficients[0], fit.shape


def _blocks(found: Sequence[SeedMoves]) -> Iterator[tuple[int, int]]:
    """Groups of neighbouring seeds of which each is left out once: where it begins, and how long it is."""
    count = min(_BLOCKS_MAX, len(found))
    edges = [len(found) * at // count for at in range(count + 1)]
    for begin, end in pairwise(edges):
        yield begin, end - begin


def _law_of(part: Sequence[SeedMoves], which: int) -> float | None:
    sigma = sqrt(fsum(one.day_variance for one in part) / len(part))
    everyone = [order for one in part for order in one.orders]
    try:
        law = _fitted(_by_size(everyone, sigma))
    except ValueError:
        return None
    return None if law is None else law[which]


def _left(part: Sequence[SeedMoves], z: float) -> float | None:
    """Mean move at z over mean move at the end, all orders together."""
    moved = [one.moves for seed in part for one in seed.orders if one.moves is not None]
    peak = fsum(moves[LOOKS.index(1.0)] for moves in moved)
    return fsum(moves[LOOKS.index(z)] for moves in moved) / peak if peak > 0.0 else None


def _told(value: float | None, without: Sequence[float | None]) -> Told | None:
    """Add the standard error by the jackknife; it is unknown where a part alone shows nothing."""
    if value is None:
        return None
    known = [one for one in without if one is not None]
    if len(known) < len(without):
        return Told(value=value, error=None)
    count = len(known)
    mean = fsum(known) / count
    return Told(value=value, error=sqrt(fsum((one - mean) ** 2 for one in known) * (count - 1) / count))


def _log_r_squared(sizes: Sequence[AtSize]) -> float | None:
    if any(one.peak <= 0.0 for one in sizes):
        return None
    logs = [log(one.size) for one in sizes]
    return fit_linear([[1.0] * len(logs), logs], [log(one.peak) for one in sizes]).r_squared


def _duration_gap(orders: Sequence[OwnMove], sigma: float, law: tuple[float, float] | None) -> float | None:
    durations = sorted({one.policy for one in orders})
    if len(durations) < 2 or law is None:
        return None
    factors = []
    for duration in durations:
        of_it = [one for one in orders if one.policy == duration]
        try:
            sizes = _by_size(of_it, sigma)
        except ValueError:
            return None
        powers = [one.size ** law[1] for one in sizes]
        weights = [one.peak_error**-2 if one.peak_error else 0.0 for one in sizes]
        below = fsum(w * p * p for w, p in zip(weights, powers, strict=True))
        if not below:
            return None
        above = fsum(w * p * one.peak for w, p, one in zip(weights, powers, sizes, strict=True))
        factors.append(above / below)
    least, most = min(factors), max(factors)
    return most / least - 1.0 if least > 0.0 else None


def decay(z: float, power: float) -> float:
    """What a linear propagator with t^-power leaves of the peak at z times the duration of an even order, z >= 1."""
    rest = 1.0 - power
    return float(z**rest - (z - 1.0) ** rest)


def _gates(found: OwnImpactLaw) -> tuple[Gate, ...]:
    sizes = [one.size for one in found.sizes]
    least, most = SIZES_GATE
    return (
        Gate(
            name="sizes Q/V",
            bound=f"{least:g} to {most:g}",
            found=Told(value=min(sizes), error=None),
            met=min(sizes) <= least * 1.001 and max(sizes) >= most * 0.999,
        ),
        _between("exponent delta", found.exponent, EXPONENT_GATE),
        _between("factor Y", found.factor, FACTOR_GATE),
        _known(
            "R2 of the logarithms",
            found.log_r_squared,
            f"above {LOG_R_SQUARED_MIN:g}",
            lambda one: one > LOG_R_SQUARED_MIN,
        ),
        _known(
            "peak by duration, difference",
            found.duration_gap,
            f"at most {DURATION_GAP_MAX:g}",
            lambda one: one <= DURATION_GAP_MAX,
        ),
        _between("left at z = 2", found.left[AFTER.index(2.0)], LEFT_AT_TWO_GATE),
    )


def _between(name: str, found: Told | None, gate: tuple[float, float]) -> Gate:
    low, high = gate
    met = found is not None and isfinite(found.value) and low <= found.value <= high
    return Gate(name=name, bound=f"{low:g} to {high:g}", found=found, met=met)


def _known(name: str, value: float | None, bound: str, holds: Callable[[float], bool]) -> Gate:
    return Gate(
        name=name,
        bound=bound,
        found=None if value is None else Told(value=value, error=None),
        met=value is not None and holds(value),
    )
