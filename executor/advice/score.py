"""Whether advice was any good: predicted against actual impact, and what following it was worth against the schedule.

Figures only; nothing is decided by them. A mean of few periods says nothing, so its standard error stands beside it.
Impact is compared once for each order; one comparison is mostly what the market did meanwhile.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.orders import Category, Side
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Money

_PCT: Final = Decimal(100)
_KEPT: Final = Decimal("0.0001")
_PAIR: Final = 2
USUAL_FILLS_MIN: Final = 5
"""Fills without advice from which on their mean counts as the usual cost."""


@dataclass(slots=True, kw_only=True)
class ImpactScore:
    """Running comparison of predicted with realised impact; exact sums in basis points.

    Keep one for the estimate and one for the estimate times the advised adjustment: the difference says whether the
    adjustment helps.

    Parameters
    ----------
    inside
        Predictions whose range held the realised impact.
    ranged
        Predictions that had a range.
    """

    count: int = 0
    predicted_sum: Decimal = ZERO
    realised_sum: Decimal = ZERO
    distance_sum: Decimal = ZERO
    ranged: int = 0
    inside: int = 0

    @property
    def mean_predicted_bps(self) -> Bps | None:
        """Mean of the predictions; None without data."""
        return _mean(self.predicted_sum, self.count)

    @property
    def mean_realised_bps(self) -> Bps | None:
        """Mean of what came of them; None without data."""
        return _mean(self.realised_sum, self.count)

    @property
    def mean_error_bps(self) -> Bps | None:
        """Mean of realised minus predicted: positive if impact is predicted too small; None without data."""
        return _mean(self.realised_sum - self.predicted_sum, self.count)

    @property
    def mean_distance_bps(self) -> Bps | None:
        """Mean distance of realised from predicted; None without data."""
        return _mean(self.distance_sum, self.count)

    @property
    def scale(self) -> Decimal | None:
        """Factor that would have made the predictions right on average: sum of realised over sum of predicted.

        A ratio of sums, because a fit of logarithms would have to drop every negative realised impact and be biased by
        that. None without data, or if the predictions sum to nothing.
        """
        return (self.realised_sum / self.predicted_sum).quantize(_KEPT) if self.predicted_sum else None

    @property
    def coverage_pct(self) -> Decimal | None:
        """Share of the ranges that held the realised impact, per cent; None without a range.

        A range made for p per cent is calibrated if this comes to p (T. Gneiting, F. Balabdaoui, A. Raftery,
        "Probabilistic forecasts, calibration and sharpness", J. R. Statist. Soc. B 69(2), 2007).
        """
        return (self.inside * _PCT / self.ranged).quantize(_KEPT) if self.ranged else None


def add_impact(
    score: ImpactScore,
    *,
    predicted_bps: Decimal,
    low_bps: Decimal | None,
    high_bps: Decimal | None,
    realised_bps: Decimal,
) -> None:
    """Take in one prediction and what came of it; basis points against the same benchmark, positive is a cost."""
    score.count += 1
    score.predicted_sum += predicted_bps
    score.realised_sum += realised_bps
    score.distance_sum += abs(realised_bps - predicted_bps)
    if low_bps is not None and high_bps is not None:
        score.ranged += 1
        score.inside += low_bps <= realised_bps <= high_bps


@dataclass(slots=True, kw_only=True)
class UsualCost:
    """What trading by the schedule alone costs: sums over the fills outside of any advice, quote units.

    Parameters
    ----------
    cost_sum
        Distance of the fills from the mid before each, and fees; positive is a cost.
    """

    count: int = 0
    cost_sum: Decimal = ZERO
    notional_sum: Decimal = ZERO

    @property
    def bps(self) -> Bps | None:
        """Cost of the traded value, basis points; None without a fill."""
        return _ratio_bps(self.cost_sum, self.notional_sum)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisedPeriod:
    """A period in which one directive was in force: what was done, and what the schedule alone had due.

    Parameters
    ----------
    schedule_qty, cum_qty
        Quantity that the schedule had due in the period (its pro-rata quantity at the end minus at the start), and
        quantity that was filled in it; base units, contracts of one quote unit for inverse.
    schedule_value, cum_value
        Sum over the due quantities of quantity times mid when due, and over the fills of quantity times price: quote
        units. For inverse contracts of quantity over mid, and quantity over price: coin.
    fees
        Of the fills, quote units; positive is a cost.
    start_px, end_px
        Mid when the period began and when it ended, quote per base, > 0.
    spread_bps
        Width of the touch when it began.
    bill
        What the advice itself cost, quote units.
    """

    side: Side
    category: Category
    schedule_qty: Decimal
    schedule_value: Decimal
    cum_qty: Decimal
    cum_value: Decimal
    fees: Decimal
    start_px: Decimal
    end_px: Decimal
    spread_bps: Decimal
    bill: Money


def value_add(period: AdvisedPeriod, usual_cost_bps: Decimal) -> Money:
    """What following the advice was worth against the schedule, quote units; positive is money saved.

    The schedule is the paper portfolio (A. Perold, "The implementation shortfall: paper versus reality", J. Portfolio
    Management 14(3), 1988): it has the quantity s due in the period, worth V at the mids when due. Advice traded x for
    X and paid the fees F; what it did more (or less) than was due is marked at the mid M at the end, where the schedule
    takes over. What is traded by the schedule costs c against the mid, also what it still has to do then, so that
    advice is spared that cost on what it traded itself: on N, its value. With b = +1 for a buy, -1 for a sell and B the
    bill:

        value = b (V - X + (x - s) M) + c N - F - B

    Inverse contracts pay in coin; with V and X in coin and P the mid at the start, in quote units:

        value = b (X - V - (x - s) / M) P + c N - F - B

    Advice that changes nothing is worth minus its bill where prices stand still; where they move, the schedule's own
    steps about its pro-rata quantity are noise of both signs. Periods are not drawn by lot: advice comes when the
    adviser finds something to say, so that the mean of many is a description, not proof of a cause.

    Parameters
    ----------
    usual_cost_bps
        c: what the schedule's own trading costs against the mid, fees included, of the traded value.
    """
    more: Decimal = period.cum_qty - period.schedule_qty
    if period.category is Category.INVERSE:
        gain = (period.cum_value - period.schedule_value - more / period.end_px) * period.start_px
    else:
        gain = period.schedule_value - period.cum_value + more * period.end_px
    spared = _traded(period) * usual_cost_bps / BPS_PER_UNIT
    return Money(period.side.sign * gain + spared - period.fees - period.bill)


def _traded(period: AdvisedPeriod) -> Decimal:
    """Value of what was filled, quote units."""
    return period.cum_qty if period.category is Category.INVERSE else period.cum_value


def _due(period: AdvisedPeriod) -> Decimal:
    """Value of what the schedule had due, quote units."""
    return period.schedule_qty if period.category is Category.INVERSE else period.schedule_value


@dataclass(slots=True, kw_only=True)
class AdviceScore:
    """Running value of advice over periods in which something was due or done; the usual cost is asked for when read.

    A period's value is A + c N with N what was traded in it, so sums of A and N do for any usual cost c, also one that
    is known only later.

    Parameters
    ----------
    value_sum, traded_sum, notional_sum
        Of A, of N, and of S, the larger of what was due and what was traded: quote units. Bills without a period are
        in the first.
    value_square_sum, value_traded_sum, traded_square_sum, value_notional_sum, traded_notional_sum, notional_square_sum
        Of A A, A N, N N, A S, N S and S S, for the standard error.
    touch_cost_sum
        What the traded quantity would have cost at the touch: half the spread, and the fees that were paid; quote
        units.
    """

    count: int = 0
    value_sum: Decimal = ZERO
    traded_sum: Decimal = ZERO
    notional_sum: Decimal = ZERO
    value_square_sum: Decimal = ZERO
    value_traded_sum: Decimal = ZERO
    traded_square_sum: Decimal = ZERO
    value_notional_sum: Decimal = ZERO
    traded_notional_sum: Decimal = ZERO
    notional_square_sum: Decimal = ZERO
    touch_cost_sum: Decimal = ZERO

    @property
    def touch_cost_bps(self) -> Bps | None:
        """Usual cost to assume while none was measured: half the spread, and the fees paid; None without a fill.

        So fees are taken to be the same with and without advice, and the schedule to take everything from the book.
        """
        return _ratio_bps(self.touch_cost_sum, self.traded_sum)

    def value(self, usual_cost_bps: Decimal) -> Money:
        """Value of all periods, quote units, bills taken off; positive is money saved."""
        return Money(self.value_sum + usual_cost_bps / BPS_PER_UNIT * self.traded_sum)

    def value_bps(self, usual_cost_bps: Decimal, order_value: Money | None = None) -> Bps | None:
        """Value of all periods, basis points; None without data.

        Parameters
        ----------
        order_value
            What it is relative to, quote units; None takes what was due or traded in the periods, whichever is more in
            each: the only base that periods of several orders share.
        """
        base = self.notional_sum if order_value is None else order_value
        return _ratio_bps(self.value(usual_cost_bps), base) if self.notional_sum else None

    def standard_error_bps(self, usual_cost_bps: Decimal, order_value: Money | None = None) -> Bps | None:
        """Standard error of `value_bps`, basis points, on the same base; None for fewer than two periods.

        Of a ratio of sums (W. Cochran, "Sampling Techniques", 3rd ed. 1977, section 6.4): with v the periods' values
        and R their sum over that of S, sqrt(n / (n - 1) * sum of (v - R S)^2) over the sum of S. On another base it is
        the same money over that. What is uncertain about the usual cost is not in it. A value within twice this is not
        distinguishable from nothing.
        """
        if self.count < _PAIR or not self.notional_sum:
            return None
        c = usual_cost_bps / BPS_PER_UNIT
        squares = self.value_square_sum + 2 * c * self.value_traded_sum + c * c * self.traded_square_sum
        crossed = self.value_notional_sum + c * self.traded_notional_sum
        ratio = self.value(usual_cost_bps) / self.notional_sum
        spread = max(squares - 2 * ratio * crossed + ratio * ratio * self.notional_square_sum, ZERO)
        error = (spread * self.count / (self.count - 1)).sqrt()
        return _ratio_bps(error, self.notional_sum if order_value is None else order_value)


def add_period(score: AdviceScore, period: AdvisedPeriod) -> None:
    """Take in one period; one in which nothing was due and nothing done counts its bill only."""
    value, traded = value_add(period, ZERO), _traded(period)
    size = max(_due(period), traded)
    score.value_sum += value
    if size <= ZERO:
        return
    score.count += 1
    score.traded_sum += traded
    score.notional_sum += size
    score.value_square_sum += value * value
    score.value_traded_sum += value * traded
    score.traded_square_sum += traded * traded
    score.value_notional_sum += value * size
    score.traded_notional_sum += traded * size
    score.notional_square_sum += size * size
    score.touch_cost_sum += period.spread_bps / 2 / BPS_PER_UNIT * traded + period.fees


def add_bill(score: AdviceScore, bill: Money) -> None:
    """Take in what answers cost (quote units) that no period has followed."""
    score.value_sum -= bill


def add_usual(usual: UsualCost, *, cost: Decimal, traded: Money) -> None:
    """Take in a fill outside of any advice: what it cost against the mid, fees included, and its value; quote units."""
    usual.count += 1
    usual.cost_sum += cost
    usual.notional_sum += traded


def _mean(total: Decimal, count: int) -> Bps | None:
    return Bps((total / count).quantize(_KEPT)) if count else None


def _ratio_bps(part: Decimal, whole: Decimal) -> Bps | None:
    return Bps((part * BPS_PER_UNIT / whole).quantize(_KEPT)) if whole else None


@dataclass(slots=True, kw_only=True)
class Worth:
    """All that is known of what advice was worth, about one parent or in one market.

    Parameters
    ----------
    usual
        What the schedule alone cost.
    plain, adjusted
        Estimates of impact, as they were told and times the adjustment that was advised.
    """

    score: AdviceScore = field(default_factory=AdviceScore)
    usual: UsualCost = field(default_factory=UsualCost)
    plain: ImpactScore = field(default_factory=ImpactScore)
    adjusted: ImpactScore = field(default_factory=ImpactScore)


class CostSource(StrEnum):
    """Where a usual cost is from: enough fills without advice, or an assumption for want of them."""

    MEASURED = "MEASURED"
    TOUCH = "TOUCH"


def usual_cost(usual: UsualCost, score: AdviceScore) -> tuple[Bps | None, CostSource]:
    """The usual cost to reckon with, basis points of the traded value, and where it is from.

    Measured is the mean over the fills outside of any advice. While they are fewer than `USUAL_FILLS_MIN`, which may
    all have rested or all have crossed, the schedule is assumed to take at the touch.
    """
    if usual.count < USUAL_FILLS_MIN:
        return score.touch_cost_bps, CostSource.TOUCH
    return usual.bps, CostSource.MEASURED
