"""Cutting a quantity into slices: exact in steps, never below the venue's minimum, seeded where random."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from math import fsum, inf
from random import Random
from typing import Final

from executor.domain.decision import Schedule, Slice
from executor.domain.instrument import Instrument
from executor.domain.units import ZERO, Price, Quantity

Shape = Callable[[float], float]
"""Share of the quantity that should be done (0-1, never falling) after a share of the time (0-1)."""

NEXT_SLICE_CHANGE_MIN: Final = 0.1
"""A schedule is divided anew only if its next slice changes by this share of itself; the others come in turn."""


def plan_seed(seed: int, start_ns: int) -> str:
    """Seed of the randomness of a plan, by the order's seed and the plan's start."""
    return f"{seed}:{start_ns}"


def make_schedule(
    *,
    instrument: Instrument,
    reference_px: Price,
    start_ns: int,
    end_ns: int,
    base_qty: Quantity,
    total_qty: Quantity,
    slices: int,
    randomize_size_pct: int,
    randomize_timing_pct: int,
    seed: str,
    shape: Shape | None = None,
) -> Schedule:
    """Spread a quantity over an interval: evenly, or by a shape.

    Parameters
    ----------
    reference_px
        Price at which the venue's minimum value is turned into a quantity, quote per base.
    base_qty
        Filled quantity that the plan starts from, base units.
    total_qty
        Quantity to plan, base units; rounded down to the step.
    slices
        Pieces asked for; fewer are made when a piece would be below the venue's minimum.
    randomize_size_pct, randomize_timing_pct
        Largest deviation from the usual size and start, per cent, 0-50.
    shape
        None spreads evenly.

    Returns
    -------
    Schedule
        Quantities are whole steps and sum exactly to the rounded total.
    """
    step = instrument.qty_step
    total_steps = int(instrument.round_qty(total_qty) / step)
    least_steps = int(instrument.smallest_qty(reference_px) / step)
    if total_steps < least_steps or end_ns <= start_ns:
        return Schedule(base_qty=base_qty, slices=(), asked=slices)
    count = max(1, min(slices, total_steps // least_steps))
    random = Random(seed)  # noqa: S311 - spreading orders in time is no cryptography
    ideals = [total_steps / count] * count
    if shape is not None:
        upto = [shape(number / count) for number in range(count + 1)]
        ideals = [total_steps * (after - before) for before, after in pairwise(upto)]
    steps = _split(total_steps, ideals, least_steps, randomize_size_pct, _deviations(count, random))
    starts = _starts(start_ns, end_ns, count, randomize_timing_pct, random)
    pieces = []
    target = base_qty
    for number, piece_steps in enumerate(steps):
        qty = Quantity(piece_steps * step)
        target = Quantity(target + qty)
        pieces.append(Slice(start_ns=starts[number], end_ns=starts[number + 1], qty=qty, target_qty=target))
    return Schedule(base_qty=base_qty, slices=tuple(pieces), asked=slices)


def divided_anew(
    schedule: Schedule,
    index: int,
    ideals: Sequence[float],
    *,
    instrument: Instrument,
    reference_px: Price,
    randomize_size_pct: int,
    seed: str,
) -> Schedule | None:
    """Divide what the slices from `index` on have to do in other parts: their times, their sum, all before them stay.

    So the schedule's quantity at the start of that slice and at its end stay, too, and with them every bound that is
    measured against it. None where nothing that matters would change, or a slice would be below the venue's minimum.

    Parameters
    ----------
    ideals
        Parts of each slice from `index` on, any unit, >= 0, not all zero.
    reference_px
        Price at which the venue's minimum value is turned into a quantity, quote per base.
    randomize_size_pct
        Largest deviation from the usual size, per cent, 0-50.
    seed
        That of the plan, so that every slice keeps its own deviation.
    """
    pieces = schedule.slices[index:]
    step = instrument.qty_step
    total_steps = int(sum((piece.qty for piece in pieces), ZERO) / step)
    least_steps = int(instrument.smallest_qty(reference_px) / step)
    whole = fsum(ideals)
    if len(pieces) < 2 or total_steps < len(pieces) * least_steps or not 0.0 < whole < inf:
        return None
    deviations = _deviations(len(schedule.slices), Random(seed))  # noqa: S311 - as above
    wanted = [total_steps * (ideal / whole) for ideal in ideals]
    steps = _split(total_steps, wanted, least_steps, randomize_size_pct, deviations[index:])
    now_steps = int(pieces[0].qty / step)
    if abs(steps[0] - now_steps) < max(NEXT_SLICE_CHANGE_MIN * now_steps, 1.0):
        return None
    target = schedule.slices[index - 1].target_qty if index else schedule.base_qty
    changed = []
    for piece, piece_steps in zip(pieces, steps, strict=True):
        qty = Quantity(piece_steps * step)
        target = Quantity(target + qty)
        changed.append(Slice(start_ns=piece.start_ns, end_ns=piece.end_ns, qty=qty, target_qty=target))
    return replace(schedule, slices=(*schedule.slices[:index], *changed))


def _split(
    total: int, ideals: list[float], least: int, spread_pct: int, deviations: list[float]
) -> list[int]:
    """Give every piece its least share, then the rest by (random) weight; largest remainders never needed.

    Cumulative flooring keeps the sum exact and every prefix within one step of its ideal.
    """
    count = len(ideals)
    weights = [
        max(ideal * (1 + spread_pct / 100 * deviation) - least, 0.0)
        for ideal, deviation in zip(ideals, deviations, strict=True)
    ]
    reached = list(accumulate(weights))
    if reached[-1] <= 0.0:
        reached = [float(number) for number in range(1, count + 1)]
    rest = total - count * least
    upto = [0, *(min(rest, int(rest * (part / reached[-1]))) for part in reached[:-1]), rest]
    return [least + after - before for before, after in pairwise(upto)]


def _deviations(count: int, random: Random) -> list[float]:
    """Random numbers within -1 and 1 whose sum is zero, so that no piece pays for the others beyond its bound."""
    drawn = [random.uniform(-1, 1) for _ in range(count)]
    mean = fsum(drawn) / count
    widest = max(1.0, *(abs(number - mean) for number in drawn))
    return [(number - mean) / widest for number in drawn]


def _starts(start_ns: int, end_ns: int, count: int, spread_pct: int, random: Random) -> list[int]:
    """Starts of the slices and the end of the last; the first start and the end are never moved."""
    length = (end_ns - start_ns) / count
    inner = [
        start_ns + round(length * (number + spread_pct / 100 * random.uniform(-1, 1)))
        for number in range(1, count)
    ]
    return [start_ns, *inner, end_ns]


def deviation_pct(seed: str, spread_pct: int) -> int:
    """Draw a deviation, per cent, whole and evenly within the spread to both sides."""
    return Random(seed).randint(-spread_pct, spread_pct)  # noqa: S311 - hiding a size is no cryptography
