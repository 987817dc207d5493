"""Orders and tapes whose impact is known, because it was put in."""

from math import exp, sqrt
from random import Random

from impact.estimation.observed import Observed
from impact.kernel import exponential_means
from impact.order_flow.prints import Print
from impact.protocol import Pace

SECOND = 1_000_000_000


def size_law_orders(seed, count=20_000, factor=0.9, exponent=0.5, participation=0.1, low=-4.0):
    """Orders at a tenth of the market's speed: the market's own moves grow with their time, and so with their
    size."""
    chance, orders = Random(seed), []
    for number in range(count):
        size = 10 ** chance.uniform(low, -1.0)
        days = size / participation
        peak = factor * size**exponent + chance.gauss(0.0, sqrt(days))
        orders.append(Observed(ended_ns=number * SECOND, size=size, days=days, peak=peak))
    return orders


def athl_orders(seed, count=30_000, gamma=0.314, eta=0.142, beta=0.6):
    """Orders by the model of Almgren and others (2005), with (shares / volume)^(1/4) of each; noise by sigma and
    time."""
    chance, orders, liquidity = Random(seed), [], []
    for number in range(count):
        size, days = 10 ** chance.uniform(-3.0, -0.7), chance.uniform(0.05, 1.0)
        factor = chance.lognormvariate(5.0, 0.6) ** 0.25
        lasting = gamma * size * factor + chance.gauss(0.0, sqrt(days))
        paid = lasting / 2 + eta * (size / days) ** beta + chance.gauss(0.0, sqrt(days / 12))
        liquidity.append(factor)
        orders.append(
            Observed(ended_ns=number * SECOND, size=size, days=days, paid=paid, after=((days / 2, lasting),))
        )
    return orders, liquidity


def wearing_orders(seed, left, count=800, noise=0.05):
    """Orders of which `left(size, days, since)` is left; the market's own moves go on from one look to the next."""
    chance, orders = Random(seed), []
    for number in range(count):
        size, days = 10 ** chance.uniform(-3.0, -1.0), chance.uniform(0.001, 0.02)
        moved = chance.gauss(0.0, noise * sqrt(days))
        peak, since, after = left(size, days, 0.0) + moved, 0.0, []
        for lag in (0.25 * days, days, 4.0 * days):
            moved += chance.gauss(0.0, noise * sqrt(lag - since))
            since = lag
            after.append((lag, left(size, days, lag) + moved))
        orders.append(Observed(ended_ns=number * SECOND, size=size, days=days, peak=peak, after=tuple(after)))
    return orders


def recovering(rho, lasting, passing):
    def left(size, days, since):
        return size * (lasting + passing * exponential_means(rho * days)[0] * exp(-rho * since))

    return left


def slowly_decaying(factor, power):
    def left(size, days, since):
        rest = 1.0 - power
        return factor * size * ((days + since) ** rest - since**rest) / (rest * days)

    return left


TAPE_PACE = Pace(0.6, 3_600.0)


def linear_tape(seed, count=15_000, impact=1e-5, noise=1e-5):
    """Trades of random side, one a second and one unit on average, each of which moves the mid for good by its
    size."""
    chance, value, tape = Random(seed), 0.0, []
    for second in range(count):
        sign, qty = chance.choice((1, -1)), chance.lognormvariate(-0.5, 1.0)
        mid = 100 * exp(value)
        tape.append(Print(second * SECOND, sign, mid, qty, mid))
        value += impact * sign * qty + chance.gauss(0.0, noise)
    return tape


def linear_tape_factor(impact=1e-5):
    """What a law of exponent 1 should find in it: the move by a day's volume in daily standard deviations."""
    return impact * TAPE_PACE.volume_daily_qty / (TAPE_PACE.volatility_daily_bps / 10_000)
