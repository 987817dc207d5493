"""VPIN: how one-sided volume is, bucket by bucket of equal volume, and how one-sided it looks by chance alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isfinite, pi, sqrt
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Bar:
    """Some trades in a row.

    Parameters
    ----------
    qty
        Traded, base units, >= 0.
    change
        Of the price from the end of the bar before to the end of this one, any unit.
    """

    qty: float
    change: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxicity:
    """VPIN and what of it is noise.

    Parameters
    ----------
    vpin
        0-1: mean over buckets of |bought - sold| / traded.
    floor
        What trades of equal size and random side would show: sqrt(2 / (pi N)) with N the trades in a bucket.
    buckets
        Number of whole buckets.
    """

    vpin: float
    floor: float
    buckets: int


def bought_share(change: float, change_sd: float) -> float:
    """Share of a bar's volume that is held to be bought: Z(change / sd), with Z the normal distribution function.

    Bulk classification (D. Easley, M. Lopez de Prado and M. O'Hara, Review of Financial Studies 25, 2012): no trade
    needs a side, only the price a change.

    Raises
    ------
    ValueError
        If `change_sd` is not above zero, or a number is not finite.
    """
    if not isfinite(change) or not isfinite(change_sd) or change_sd <= 0.0:
        raise ValueError(f"no share for a change of {change} where {change_sd} is usual")
    return _NORMAL.cdf(change / change_sd)


def bulk_bought(bars: Sequence[Bar]) -> list[tuple[float, float]]:
    """Bought and sold volume of each bar by `bought_share`, with the standard deviation of all the changes.

    Raises
    ------
    ValueError
        For fewer than two bars, a quantity below zero, or changes that do not vary.
    """
    count = len(bars)
    if count < 2 or not all(isfinite(bar.qty) and bar.qty >= 0.0 for bar in bars):
        raise ValueError("two bars at least are wanted, with quantities that are not below zero")
    mean = fsum(bar.change for bar in bars) / count
    change_sd = sqrt(fsum((bar.change - mean) ** 2 for bar in bars) / (count - 1))
    shares = [bought_share(bar.change, change_sd) for bar in bars]
    return [(share * bar.qty, (1.0 - share) * bar.qty) for share, bar in zip(shares, bars, strict=True)]


def trades_of_equal_size(qtys: Sequence[float]) -> float:
    """How many trades of equal size have the noise of these: (sum q)^2 / sum q^2, between 1 and their number.

    Raises
    ------
    ValueError
        If there is no trade, or one without a quantity.
    """
    if not qtys or not all(isfinite(one) and one > 0.0 for one in qtys):
        raise ValueError("trades with a quantity each are wanted")
    return fsum(qtys) ** 2 / fsum(one * one for one in qtys)


def vpin(flow: Iterable[tuple[float, float]], bucket_qty: float, trades: float) -> Toxicity | None:
    """Mean one-sidedness of buckets of equal volume; None where not one bucket is full.

    VPIN = sum over buckets of |bought - sold| / (n V), with n buckets of the volume V. A bar that ends beyond a
    bucket is cut in proportion. What is left over at the end fills no bucket and is not counted.

    Parameters
    ----------
    flow
        Bought and sold volume in order of time, base units.
    bucket_qty
        V, base units, > 0.
    trades
        How many trades of equal size the flow is worth (`trades_of_equal_size`), >= 1: the noise floor falls with
        their number in a bucket.

    Raises
    ------
    ValueError
        For a volume below zero, a bucket of none, or no trades.
    """
    if not isfinite(bucket_qty) or bucket_qty <= 0.0 or not trades >= 1.0:
        raise ValueError(f"no buckets of {bucket_qty} out of {trades} trades")
    one_sided: list[float] = []
    lean, total, room = 0.0, 0.0, bucket_qty
    for bought, sold in flow:
        if not (isfinite(bought) and isfinite(sold) and bought >= 0.0 and sold >= 0.0):
            raise ValueError(f"volumes are not below zero, got {bought} and {sold}")
        qty, rate = bought + sold, bought - sold
        total += qty
        rest = qty
        while rest >= room and rest:
            one_sided.append(abs(lean + rate * room / qty))
            rest, lean, room = rest - room, 0.0, bucket_qty
        if rest:
            lean, room = lean + rate * rest / qty, room - rest
    if not one_sided:
        return None
    per_bucket = trades * bucket_qty / total
    return Toxicity(
        vpin=fsum(one_sided) / (len(one_sided) * bucket_qty),
        floor=min(sqrt(2.0 / (pi * per_bucket)), 1.0),
        buckets=len(one_sided),
    )
