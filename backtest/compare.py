"""Is advice worth its bill? The same parents in the same markets, with and without it, pair by pair.

Both members of a pair have one seed: the market is the same to the last trade, so that what it does to both cancels and
what is left is what the advice did. Beside the gain stands what it cost.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from backtest.run import Drive, MakeAdviser, Scene, drive
from backtest.statistics import Paired, paired
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One seed, worked twice."""

    plain: Drive
    advised: Drive

    @property
    def gain_bps(self) -> Bps:
        """What advice saved, basis points of the value at arrival; negative is what it lost. Its bill is not in it."""
        return Bps(self.plain.cost_bps - self.advised.cost_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All pairs, and what they say together.

    Parameters
    ----------
    gain
        Of the pairs' gains, basis points.
    bill
        Of all advised drives, in the currency of the price table.
    bill_bps
        The same, basis points of the value that was worked, one unit of that currency taken for one of the quote's.
    calls
        Questions that were sent.
    outcomes
        What became of all questions, by name.
    """

    pairs: tuple[Pair, ...]
    gain: Paired
    bill: Money
    bill_bps: Bps
    calls: int
    outcomes: dict[str, int]

    @property
    def net_gain_bps(self) -> Decimal:
        """Mean gain less the bill, basis points."""
        return Decimal(repr(self.gain.mean)) - self.bill_bps


def compare(
    scene: Scene, seeds: Iterable[int], make_adviser: MakeAdviser, confidence: float = 0.95
) -> Comparison:
    """Work the parents of a scene twice in the market of each seed, and hold the costs against each other.

    Parameters
    ----------
    seeds
        One for each pair, all different, two at least.
    make_adviser
        Makes a fresh adviser for each advised drive.

    Raises
    ------
    ValueError
        If there are fewer than two seeds, or one of them twice: its pair would count as evidence twice.
    backtest.run.DriveError
        If a drive did not come to an end that could be measured.
    """
    chosen = tuple(seeds)
    if len(chosen) < 2 or len(set(chosen)) != len(chosen):
        raise ValueError(f"two different seeds are needed at least, and none twice: {chosen}")
    pairs = tuple(Pair(plain=drive(scene, seed), advised=drive(scene, seed, make_adviser)) for seed in chosen)
    advised = [pair.advised for pair in pairs]
    bill = sum((one.bill for one in advised), ZERO)
    outcomes: Counter[str] = Counter()
    for one in advised:
        outcomes.update(one.outcomes)
    return Comparison(
        pairs=pairs,
        gain=paired([float(pair.gain_bps) for pair in pairs], confidence),
        bill=Money(bill),
        bill_bps=Bps(bill * BPS_PER_UNIT / sum((one.paper_notional for one in advised), ZERO)),
        calls=sum(one.calls for one in advised),
        outcomes=dict(outcomes),
    )
