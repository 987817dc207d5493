"""What the mid did after fills: mark-outs at fixed horizons, their standard errors, and how much came back.

The mark-out of a fill at the horizon h is b (M - p) / p x 10,000 bp, with p its price, M the mid in force h after it
and b = +1 for a buy, -1 for a sell: positive is a gain of whoever filled, as with spread captured, which is the same
thing with the mid before the fill. Over several fills it is weighted with their value. It is the negative of the
realised (half) spread of R. Huang and H. Stoll, "Dealer versus auction markets", J. Financial Economics 41(3), 1996.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final

from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ZERO

MARK_OUTS_S: Final = (1, 5, 10, 30, 60, 300)
"""Horizons, seconds."""
BLOCK_S_MIN: Final = 60
"""Fills within so many seconds, and within two horizons, count as one observation."""
BLOCKS_MIN: Final = 3
"""With fewer blocks no standard error is told."""
_EXACT: Final = Context(prec=160, rounding=ROUND_HALF_EVEN)
_FINE: Final = Decimal("1e-12")


def _zeros() -> list[Decimal]:
    return [ZERO] * len(MARK_OUTS_S)


@dataclass(slots=True, kw_only=True)
class MarkSums:
    """Sums over fills, for each horizon over those whose mark is known.

    Parameters
    ----------
    at_ns
        When the first of them was filled, UTC nanoseconds; 0 where an older version did not say.
    fills, notional, gain
        By horizon: how many, their value, and the value of the moves after them; quote units.
    back_notional, came_back
        Of fills whose first and last marks are known: their value, and that of the move between the two, positive
        where what had moved with the fill came back; quote units.
    """

    at_ns: int = 0
    fills: list[int] = field(default_factory=lambda: [0] * len(MARK_OUTS_S))
    notional: list[Decimal] = field(default_factory=_zeros)
    gain: list[Decimal] = field(default_factory=_zeros)
    back_notional: Decimal = ZERO
    came_back: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkOut:
    """A mark-out over fills.

    Parameters
    ----------
    fills
        How many have a known mark at this horizon.
    notional
        Their value, quote units.
    gain_bps
        Of that value; None without such a fill.
    standard_error_bps
        None for fewer than `BLOCKS_MIN` blocks.
    """

    horizon_s: int
    fills: int
    notional: Decimal
    gain_bps: Decimal | None
    standard_error_bps: Decimal | None


def mark_outs(sums: Sequence[tuple[int, MarkSums]]) -> tuple[MarkOut, ...]:
    """Sum mark-outs up, one for each horizon; nothing without sums.

    Fills that are close in time see the same later price. So they are put into blocks of two horizons, a minute at
    least, and the blocks are the observations (`ratio_error_bps`).

    Parameters
    ----------
    sums
        Of each child order, with the time of its fills (UTC nanoseconds).
    """
    if not sums:
        return ()
    with localcontext(_EXACT):
        return tuple(_one_horizon(sums, index, horizon_s) for index, horizon_s in enumerate(MARK_OUTS_S))


def reversion_bps(sums: Iterable[MarkSums]) -> Decimal | None:
    """How much of the move of the first second had come back at the last horizon, basis points of the value.

    Returns
    -------
    Decimal or None
        Positive where it came back, negative where the price went on; None without a fill of which both are known.
    """
    with localcontext(_EXACT):
        notional = came_back = ZERO
        for each in sums:
            notional += each.back_notional
            came_back += each.came_back
        return (came_back * BPS_PER_UNIT / notional).quantize(_FINE) if notional > ZERO else None


def ratio_error_bps(clusters: Sequence[tuple[Decimal, Decimal]]) -> Decimal | None:
    """Standard error of a ratio of sums, from independent clusters.

    With G and N the sums of a cluster, r = sum G / sum N, and C clusters:

        error^2 = C / (C - 1) sum (G - r N)^2 / (sum N)^2

    Source: W. Cochran, Sampling Techniques, 3rd ed. 1977, section 6.

    Parameters
    ----------
    clusters
        Gain and value of each, quote units.

    Returns
    -------
    Decimal or None
        Basis points; None for fewer than `BLOCKS_MIN` clusters or without value.
    """
    count = len(clusters)
    whole = sum((notional for _, notional in clusters), ZERO)
    if count < BLOCKS_MIN or whole <= ZERO:
        return None
    ratio = sum((gain for gain, _ in clusters), ZERO) / whole
    squares = sum(((gain - ratio * notional) ** 2 for gain, notional in clusters), ZERO)
    return ((squares * count / (count - 1)).sqrt() * BPS_PER_UNIT / whole).quantize(_FINE)


def _one_horizon(sums: Sequence[tuple[int, MarkSums]], index: int, horizon_s: int) -> MarkOut:
    block_ns = max(BLOCK_S_MIN, 2 * horizon_s) * NS_PER_S
    blocks: dict[int, tuple[Decimal, Decimal]] = {}
    for at_ns, each in sums:
        if each.fills[index]:
            gain, notional = blocks.get(at_ns // block_ns, (ZERO, ZERO))
            blocks[at_ns // block_ns] = gain + each.gain[index], notional + each.notional[index]
    gain = sum((one for one, _ in blocks.values()), ZERO)
    notional = sum((one for _, one in blocks.values()), ZERO)
    return MarkOut(
        horizon_s=horizon_s,
        fills=sum(each.fills[index] for _, each in sums),
        notional=notional,
        gain_bps=(gain * BPS_PER_UNIT / notional).quantize(_FINE) if notional > ZERO else None,
        standard_error_bps=ratio_error_bps(list(blocks.values())),
    )
