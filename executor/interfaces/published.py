"""Figures that papers have printed, beside what this build reckons: whether the mathematics here is theirs.

Each row names a paper, what is told there, the figure, and how near ours has to be: a millionth of it where the paper's
formula is closed, half a unit of the last digit where a rounded table was printed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, sqrt
from typing import Final

from impact.almgren_chriss import eta_adjusted, kappa, kappa_discrete
from impact.decay import relaxed
from impact.kernel import ExponentialKernel, PowerKernel, best_trades
from impact.kyle import Kyle, continuous_impact, many_auctions, single_auction
from impact.obizhaeva_wang import best_blocks, best_cost, even_cost, greatest_saving
from impact.propagator import Propagator
from impact.protocol import NS_PER_DAY, Execution
from impact.theory import almgren_chriss_2001 as ac
from impact.theory.almgren_2003 import NoDeadline
from impact.theory.athl_2005 import EvenOrder, best_duration_days
from impact.theory.bertsimas_lo_1998 import BuyingPlan
from impact.theory.cartea_jaimungal import (
    Liquidation,
    acquired_qty,
    drift_gain,
    drift_speed,
    share_following_speed,
)
from impact.theory.gatheral_schied_2011 import PriceDependent
from impact.theory.gueant import ConvexCost
from impact.validator import UNIT_PACE, round_trip_cost
from simulation.present_value import Dividend, perpetual_value, redeemed_value

_CLOSED: Final = 1e-6
_KERNEL_TIMES: Final = tuple(0.25 * number for number in range(41))
_AC: Final = ac.Terms(order_qty=1e6, deadline=5.0, sigma=0.95, epsilon=0.0625, gamma=2.5e-7, eta=2.5e-6)
_FALLING: Final = ac.Terms(
    order_qty=1e6, deadline=5.0, sigma=0.95, epsilon=0.0625, gamma=2.5e-7, eta=2.5e-6, alpha=0.02
)
_CJP: Final = Liquidation(
    order_qty=1.0, deadline=1.0, temporary=1e-3, permanent=1e-3, left_fine=0.1, held_fine=1e-3
)
_GUEANT: Final = ConvexCost(
    order_qty=2e5, deadline=1.0, volume=4e6, sigma=0.6, eta=0.1, phi=0.75, psi=0.004, risk_aversion=5e-6
)
_DIVIDEND: Final = Dividend(base=1.4, variation=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One printed figure.

    Parameters
    ----------
    paper
        Authors and year.
    what
        What it is of, with its unit.
    printed
        As the paper, or an exact evaluation of its formula, has it.
    reckoned
        Ours.
    within
        How far ours may be from it, in its unit.
    """

    paper: str
    what: str
    printed: float
    reckoned: float
    within: float


def figures() -> tuple[Figure, ...]:
    """Every figure, paper by paper."""
    return (
        *_almgren_chriss(),
        *_almgren(),
        *_books(),
        *_auctions(),
        *_no_arbitrage(),
        *_further(),
    )


def _almgren_chriss() -> Iterator[Figure]:
    of = _Paper("Almgren-Chriss 2001")
    for aversion, first, mean, deviation in (
        (0.0, 200_000.0, 662_500.0, 1_040_672.8593),
        (1e-6, 458_044.4456, 911_226.9863, 603_430.6688),
        (2e-6, 571_401.1543, 1_140_715.1671, 449_367.6525),
        (-2e-7, 89_943.5631, 717_958.1043, 1_258_654.3249),
    ):
        plan = ac.best_holdings(_AC, aversion, 5)
        told = ac.outcome(_AC, plan)
        yield of(f"lambda {aversion:g}: first trade, shares", first, plan[0] - plan[1])
        yield of(f"lambda {aversion:g}: expected cost E, $", mean, told.mean)
        yield of(f"lambda {aversion:g}: standard deviation, $", deviation, told.deviation)
    hurry = kappa_discrete(1e-6, 0.95, eta_adjusted(2.5e-6, 2.5e-7, 1.0), 1.0)
    yield of("kappa at lambda 1e-06, per day", 0.6070761632470627, hurry)
    yield of("E in closed form at lambda 1e-06, $", 911_226.9863, ac.closed_form(_AC, 1e-6, 5).mean)
    yield of("kappa of continuous trading, per day", 0.60083276, kappa(1e-6, 0.95, 2.5e-6))
    yield of("E of continuous trading, $", 964_537.15, ac.continuous(_AC, 1e-6).mean)
    yield of("U at lambda 1e-06, $", 1_275_355.5584, _utility(_AC, 1e-6))
    at_risk = ac.least_value_at_risk(_AC, 5, 1.645)[1]
    yield of("least E + 1.645 sd, $", 1_877_206.70, at_risk.mean + 1.645 * at_risk.deviation)
    yield of("drift 0.02: held after the first day, shares", 546_342.287, _drifting(1))
    yield of("best in lots of 10,000: U, $", 1_275_449.5, ac.best_lots(_AC, 1e-6, 5, 1e4)[1])


def _almgren() -> Iterator[Figure]:
    of = _Paper("Almgren 2003")
    for power, days, mean, deviation in (
        (0.5, 1.842016, 22.1042, 105.1289),
        (1.0, 2.236068, 11.1803, 105.7371),
    ):
        sale = NoDeadline(order_qty=1e5, sigma=1.0, eta=0.5 / 1e5**power, exponent=power, risk_aversion=1e-6)
        yield of(f"k {power:g}: time scale, days", days, sale.time_scale, 1e-6)
        yield of(f"k {power:g}: E, $1000", mean, sale.mean / 1e3, 5e-5)
        yield of(
            f"k {power:g}: standard deviation, $1000",
            deviation,
            sqrt(sale.variance) / 1e3,
            5e-5,
        )
        left = 27.0 / 64.0 if power < 1.0 else exp(-1.0)
        yield of(f"k {power:g}: share left after it", left, sale.left_share(sale.time_scale))
    of = _Paper("Almgren-Thum-Hauptmann-Li 2005")
    for stock, ratio, sigma, lasting, cost in (
        ("IBM", 1728 / 6.561, 157.0, 19.8597, 24.6384),
        ("DRI", 168 / 1.929, 226.0, 21.6787, 32.0122),
    ):
        order = EvenOrder(
            volume_share=0.1, shares_over_volume=ratio, sigma_daily_bps=sigma, duration_days=0.2
        )
        yield of(f"{stock}: permanent impact, bps", lasting, order.permanent_bps, 5e-5)
        yield of(f"{stock}: cost over 0.2 days, bps", cost, order.cost_bps, 5e-5)
        temporary = cost - lasting / 2.0
        yield of(f"{stock}: temporary impact, bps", temporary, order.temporary_bps, 1e-4)
    yield of(
        "IBM at $100: best duration at lambda 1e-06, days",
        0.17647451,
        best_duration_days(0.1, 157.0, 65_610_000.0, 1e-6),
    )


def _books() -> Iterator[Figure]:
    of = _Paper("Obizhaeva-Wang 2013")
    for rho_t, block, cost, even in (
        (0.5, 40_000.0, 400_000.0, 426_122.6),
        (2.0, 25_000.0, 250_000.0, 283_833.8),
        (20.0, 4_545.4545, 45_454.5455, 47_500.0),
    ):
        yield of(f"rho T {rho_t:g}: block, shares", block, best_blocks(1e5, rho_t)[0], 5e-4)
        yield of(f"rho T {rho_t:g}: cost, $", cost, best_cost(1e5, rho_t, 1e-4), 5e-4)
        yield of(
            f"rho T {rho_t:g}: cost of an even rate, $",
            even,
            even_cost(1e5, rho_t, 1e-4),
            0.05,
        )
    yield of("greatest saving, %", 12.2308, 100.0 * greatest_saving()[1], 5e-5)
    yield of("at rho T", 2.687999, greatest_saving()[0])


def _auctions() -> Iterator[Figure]:
    of = _Paper("Kyle 1985")
    one, two = single_auction(4.0, 1000.0), many_auctions(1.0, 1.0, 2)
    yield of("one auction: lambda, $ a share", 0.001, one.auctions[0].price_impact)
    yield of("one auction: beta, shares per $", 500.0, one.auctions[0].intensity)
    yield of("one auction: variance left, $^2", 2.0, one.auctions[0].variance_after)
    yield of("one auction: profit, $", 1000.0, one.profit)
    yield of("two auctions: lambda of the second", 0.588227, two.auctions[1].price_impact, 5e-7)
    for count, profit in ((2, 0.620555), (3, 0.687104), (10, 0.843888), (100, 0.971441)):
        yield of(
            f"{count} auctions: profit",
            profit,
            many_auctions(1.0, 1.0, count).profit,
            1e-6,
        )
    yield of("without end: lambda", 1.0, continuous_impact(1.0, 1.0))
    of = _Paper("Bertsimas-Lo 1998")
    plan = BuyingPlan(theta=5e-5)
    yield of("excess cost of even pieces, $", 262_500.0, plan.excess_cost(1e5, 20))
    yield of("first of 20 even pieces, shares", 5_000.0, plan.trade(1e5, 0.0, 19))


def _no_arbitrage() -> Iterator[Figure]:
    of = _Paper("Gatheral 2010")
    for label, kernel, days, days_out, cost in (
        ("exponential decay, 1 day in, 0.02 out", ExponentialKernel(1.0), 1.0, 0.02, -0.18772022),
        ("t^-0.3, 10 days in, 0.01 out", PowerKernel(0.3), 10.0, 0.01, -0.587959),
        ("t^-0.5, 10 days in, 0.01 out", PowerKernel(0.5), 10.0, 0.01, 0.708330),
    ):
        trip = (
            Execution(0, 1.0, round(days * NS_PER_DAY)),
            Execution(round(days * NS_PER_DAY), -1.0, round(days_out * NS_PER_DAY)),
        )
        model = Propagator(factor=1.0, kernel=kernel, delta=0.5)
        yield of(
            f"square root of the speed, {label}: cost",
            cost,
            round_trip_cost(model, trip, UNIT_PACE),
            5e-7,
        )
    of = _Paper("Huberman-Stanzl 2004")
    blocks = (*(Execution(number, 1.0) for number in range(10)), Execution(10, -10.0))
    for exponent, cost in ((0.5, -13.377223), (1.0, 55.0)):
        auction = Kyle(factor=1.0, exponent=exponent)
        yield of(
            f"permanent impact q^{exponent:g}, ten bought and sold: cost",
            cost,
            round_trip_cost(auction, blocks, UNIT_PACE),
            5e-7,
        )
    of = _Paper("Alfonsi-Schied-Slynko 2012")
    for label, shape, wrong in (
        ("e^(-t^2)", _bell, 20.0),
        ("1 / (1 + t^2)", _hill, 12.0),
        ("(1 + t)^-0.5", PowerKernel(0.5, 1.0).value, 0.0),
    ):
        yield of(
            f"decay {label}: sales among 41 trades of the best purchase",
            wrong,
            float(sum(one < 0.0 for one in best_trades(shape, _KERNEL_TIMES, 1.0))),
            0.5,
        )
    of = _Paper("Bouchaud and others 2018")
    for z, left in ((2.0, 0.68179), (5.0, 0.51527), (10.0, 0.42726)):
        yield of(f"decay 0.25: share left after {z:g} times", left, relaxed(z, 0.25), 5e-6)


def _further() -> Iterator[Figure]:
    of = _Paper("Gatheral-Schied 2011")
    for sigma, cost in ((0.1, 1.47911448), (1.0, 1.47271477)):
        sale = PriceDependent(risk_aversion=1.0, sigma=sigma)
        yield of(f"sigma {sigma:g}: cost", cost, sale.cost(1.0, 1.0, 1.0), 5e-9)
        yield of(
            f"sigma {sigma:g}: cost without a look at the price",
            1.5 - 1.0 / 48.0,
            sale.cost_fixed(1.0, 1.0, 1.0),
        )
    yield of("speed at the start", 1.25, PriceDependent(risk_aversion=1.0, sigma=1.0).speed(1.0, 1.0, 1.0))
    of = _Paper("Cartea-Jaimungal-Penalva 2015")
    yield of("left after half of the time", 0.44715206, _CJP.left_qty(0.5), 5e-9)
    yield of("speed at the start", 1.305853, _CJP.speed(0.0), 5e-7)
    yield of("bought where only the rest is fined", 1.0 / 1.01, acquired_qty(1.0, 1.0, 1.0, 1e-3, 0.1))
    yield of("speed of a purchase with a drift", 1.5, drift_speed(1.0, 1.0, 0.002, 1e-3))
    yield of("what the drift gains", 8.333333e-5, drift_gain(1.0, 0.002, 1e-3))
    yield of(
        "speed between an even rate and a share of the volume",
        110.0,
        share_following_speed(
            50.0, 0.5, share=0.1, volume_now=1200.0, volume_expected=1000.0, temporary=1e-3, share_fine=1e-3
        ),
    )
    of = _Paper("Gueant 2016")
    yield of("cost and risk of the best way", 8_399.94, sum(_GUEANT.cost()), 0.84)
    yield of("left after half of the time", 16_322.22, _GUEANT.left_qty(0.5), 1.63)
    yield of("cost and risk of an even rate", 14_914.7425, sum(_GUEANT.even_cost()), 1e-3)
    of = _Paper("Lopez-Lira 2025")
    for chance, value in ((0.5, 28.0), (0.8, 40.0), (0.9, 44.0), (0.2, 16.0), (0.1, 12.0)):
        yield of(
            f"value where the greater dividend comes with {chance:g}",
            value,
            perpetual_value(_DIVIDEND.expected(chance), 0.05),
        )
    yield of("value of 15 dividends alone", 14.531521, redeemed_value(1.4, 0.05, 15, 0.0))


@dataclass(frozen=True, slots=True)
class _Paper:
    """Makes the rows of one paper."""

    name: str

    def __call__(self, what: str, printed: float, reckoned: float, within: float | None = None) -> Figure:
        reach = _CLOSED * abs(printed) if within is None else within
        return Figure(paper=self.name, what=what, printed=printed, reckoned=reckoned, within=reach)


def _utility(terms: ac.Terms, aversion: float) -> float:
    return ac.outcome(terms, ac.best_holdings(terms, aversion, 5)).utility(aversion)


def _drifting(day: int) -> float:
    return ac.best_holdings(_FALLING, 1e-6, 5)[day]


def _bell(lag: float) -> float:
    return exp(-lag * lag)


def _hill(lag: float) -> float:
    return 1.0 / (1.0 + lag * lag)
