"""Arrival price (implementation shortfall): early rather than late, so that the price has less time to run away.

The trajectory of Almgren and Chriss (J. Risk 3(2), 2001): x(t) / X = sinh(kappa (T - t)) / sinh(kappa T) is left at t.
An urgency names kappa T. A risk aversion lambda (1 / quote unit: what a unit of variance of the cost is worth) gives it
from the market: 2 (cosh(kappa tau) - 1) / tau^2 = lambda sigma^2 / eta, with tau the length of a slice, sigma the
volatility and eta the temporary impact, linear in speed as `impact.almgren_chriss` has it. Both are looked at again at
the start of every slice. More volatility hurries the rest, less volume slows it; it is never slower than even.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, isfinite, sinh, sqrt
from typing import Final

from executor.domain.decision import Schedule, View
from executor.domain.orders import ParentOrder, Urgency
from executor.domain.timeline import NS_PER_HOUR
from executor.domain.units import ONE
from impact.almgren_chriss import ETA_LINEAR, holdings, kappa_discrete
from strategies.schedule import Shape, divided_anew, plan_seed
from strategies.twap import Twap

URGENCY: Final = {Urgency.LOW: 1.0, Urgency.MEDIUM: 2.0, Urgency.HIGH: 4.0}
"""kappa T by urgency: how many times the natural trading time 1/kappa fits into the duration; 0 would be even."""

_HOURS_PER_DAY: Final = 24.0
_PCT: Final = 100.0


class ArrivalPrice(Twap):
    """The trajectory of a risk aversion, or of one that an urgency stands for."""

    def shape(self, order: ParentOrder, start_ns: int, end_ns: int) -> Shape | None:
        """What is done after a share of the time; even for a risk aversion, until the market is looked at."""
        return trajectory(URGENCY[order.urgency]) if order.params.risk_aversion is None else None

    def revise(self, view: View) -> Schedule | None:
        """Divide what is left anew as volatility and volume are now; None leaves it as it is."""
        schedule, index = view.schedule, view.schedule.slice_at(view.now_ns)
        if index < 0 or not schedule.slices:
            return None
        start_ns, end_ns = schedule.slices[0].start_ns, schedule.slices[-1].end_ns
        tau_h = (end_ns - start_ns) / len(schedule.slices) / NS_PER_HOUR
        kappa_h = kappa_hourly(view, tau_h)
        if kappa_h is None:
            return None
        slices = len(schedule.slices) - index
        left = holdings(1.0, kappa_h, [number * tau_h for number in range(slices + 1)])
        parts = [before - after for before, after in pairwise(left)]
        return divided_anew(
            schedule,
            index,
            within(parts, _most_of_slice(view, index, tau_h)),
            instrument=view.instrument,
            reference_px=view.market.mid_px,
            randomize_size_pct=view.order.params.randomize_size_pct,
            seed=plan_seed(view.order.seed, start_ns),
        )


def kappa_hourly(view: View, tau_h: float) -> float | None:
    """Hurry of an order's risk aversion in the market of this instant, 1 / hour; None where something is not known.

    With sigma the volatility in quote units per unit of quantity and root of a day, and V the volume of a day, eta is
    c sigma / V: trading as fast as the whole market costs c times a day's volatility.

    Parameters
    ----------
    tau_h
        Length of a slice, hours, > 0.
    """
    aversion, signals = view.order.params.risk_aversion, view.signals
    volatility_pct, volume_qty = signals.volatility_hourly_pct, signals.volume_hourly_qty
    if aversion is None or volatility_pct is None or volume_qty is None:
        return None
    if not (isfinite(volatility_pct) and isfinite(volume_qty) and volatility_pct > 0.0 and volume_qty > 0.0):
        return None
    value = float(view.instrument.notional(ONE, view.market.mid_px))
    sigma = volatility_pct / _PCT * sqrt(_HOURS_PER_DAY) * value
    eta = ETA_LINEAR * sigma / (volume_qty * _HOURS_PER_DAY)
    return kappa_discrete(float(aversion), sigma, eta, tau_h / _HOURS_PER_DAY) / _HOURS_PER_DAY


def within(parts: Sequence[float], most: float) -> list[float]:
    """Cut parts to a largest one, and let later ones do what is cut; where even parts exceed it, even ones are given.

    Parameters
    ----------
    parts
        Never rising, any unit.
    most
        In that unit, > 0; infinite where there is no bound.
    """
    bound = max(most, fsum(parts) / len(parts))
    given, carried = [], 0.0
    for part in parts:
        one = min(part + carried, bound)
        carried += part - one
        given.append(one)
    return given


def trajectory(kappa_t: float) -> Shape:
    """Done after a share u of the time: 1 - sinh(kappa T (1 - u)) / sinh(kappa T).

    It is the optimal trajectory x(t)/X = sinh(kappa (T - t)) / sinh(kappa T) for linear impact and a price of constant
    volatility; in expectation it costs more than an even schedule, and its cost varies less.

    Parameters
    ----------
    kappa_t
        kappa times the duration, > 0.
    """
    return lambda share: 1.0 - sinh(kappa_t * (1.0 - share)) / sinh(kappa_t)


def _most_of_slice(view: View, index: int, tau_h: float) -> float:
    """Largest part of what is left that one slice may do under the order's cap on participation."""
    cap, volume_qty = view.order.params.participation_max, view.signals.volume_hourly_qty
    if cap is None or volume_qty is None:
        return 1.0
    slices = view.schedule.slices
    done_qty = slices[index - 1].target_qty if index else view.schedule.base_qty
    return float(cap) * volume_qty * tau_h / float(slices[-1].target_qty - done_qty)
