"""Whether advice was any good: predicted against actual impact, and what following it was worth against the schedule.

Figures only; nothing is decided by them. A mean of few periods says nothing, so its standard error stands beside it.
"""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.instrument import notional
from executor.domain.orders import Category, Side
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Money

_PCT = Decimal(100)
_KEPT = Decimal("0.0001")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisedPeriod:
    """A period in which one directive was in force: what was done, and what the schedule alone would have done.

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
    usual_cost_bps
        What the schedule's own trading costs against the mid, fees included: its mean over periods without advice.
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
    usual_cost_bps: Decimal
    bill: Money


def value_add(period: AdvisedPeriod) -> Money:
    """What following the advice was worth against the schedule, quote units; positive is money saved.

    The schedule is the paper portfolio (A. Perold, "The implementation shortfall: paper versus reality", J. Portfolio
    Management 14(3), 1988): it trades its due quantity s at the mids when due, worth V, at its usual cost c. Advice
    traded x for X and paid the fees F; what it did more (or less) than the schedule is worth the mid M at the end,
    where the schedule takes over. With b = +1 for a buy, -1 for a sell and B the bill of the advice:

        value = b (V - X + (x - s) M) + c V - F - B

    Inverse contracts pay in coin; with V and X in coin and P the mid at the start, in quote units:

        value = b (X - V - (x - s) / M) P + c s - F - B

    Periods are not drawn by lot: advice comes when the adviser finds something to say, so that the mean of many is a
    description, not proof of a cause.
    """
    more: Decimal = period.cum_qty - period.schedule_qty
    paper = _paper_notional(period)
    if period.category is Category.INVERSE:
        gain = (period.cum_value - period.schedule_value - more / period.end_px) * period.start_px
    else:
        gain = period.schedule_value - period.cum_value + more * period.end_px
    usual = paper * period.usual_cost_bps / BPS_PER_UNIT
    return Money(period.side.sign * gain + usual - period.fees - period.bill)


def _paper_notional(period: AdvisedPeriod) -> Decimal:
    """Value of what the schedule had due, quote units."""
    return period.schedule_qty if period.category is Category.INVERSE else period.schedule_value


@dataclass(slots=True, kw_only=True)
class AdviceScore:
    """Running value of advice over periods in which something was due or done.

    Parameters
    ----------
    value_sum, notional_sum
        Quote units.
    bps_sum, bps_square_sum
        Of each period's own value in basis points, for the standard error.
    """

    count: int = 0
    value_sum: Decimal = ZERO
    notional_sum: Decimal = ZERO
    bps_sum: Decimal = ZERO
    bps_square_sum: Decimal = ZERO

    @property
    def value_bps(self) -> Bps | None:
        """Value of all periods relative to what was traded in them, basis points; None without data."""
        if not self.notional_sum:
            return None
        return Bps((self.value_sum * BPS_PER_UNIT / self.notional_sum).quantize(_KEPT))

    @property
    def standard_error_bps(self) -> Bps | None:
        """Standard error of the mean of the periods' values, basis points; None for fewer than two.

        A value within twice this is not distinguishable from nothing.
        """
        if self.count < 2:
            return None
        squares = max(self.bps_square_sum - self.bps_sum * self.bps_sum / self.count, ZERO)
        return Bps((squares / (self.count * (self.count - 1))).sqrt().quantize(_KEPT))


def add_period(score: AdviceScore, period: AdvisedPeriod) -> None:
    """Take in one period; one in which nothing was due and nothing done counts its bill only."""
    value = value_add(period)
    traded = notional(period.category, period.cum_qty, period.start_px)
    size = max(_paper_notional(period), traded)
    score.value_sum += value
    if size <= ZERO:
        return
    bps = value * BPS_PER_UNIT / size
    score.count += 1
    score.notional_sum += size
    score.bps_sum += bps
    score.bps_square_sum += bps * bps


def _mean(total: Decimal, count: int) -> Bps | None:
    return Bps((total / count).quantize(_KEPT)) if count else None
