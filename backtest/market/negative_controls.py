"""Prices that lack what real ones have, so that a gate shows that it can fail: each is known by what it lacks.

A gate that lets one of these through for which it was made measures nothing.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from simulation.phenomena.stylised_facts import Figure, facts, facts_of_returns, medians
from simulation.phenomena.trace import Floats, Trace, cut

SERIES_USUAL: Final = 20
LENGTH_USUAL: Final = 20_000
_SHOCK_SHARE: Final = 0.05
_KEPT_SHARE: Final = 0.94
_BURN_IN: Final = 1_000
_STEP_BPS: Final = 1.0
_NS_PER_S: Final = 1_000_000_000
_TICK_PX: Final = 0.01
_FIRST_PX: Final = 100.0
_TRADES_PER_S: Final = 0.5
_SIZES_LOG_SD: Final = 2.0
"""Quoted sizes so uneven that what is quoted says nothing of where the price goes."""


def normal(seed: int, length: int) -> Floats:
    """Independent normal returns: no fat tails, no clustering."""
    return np.random.default_rng(seed).standard_normal(length)


def student_3(seed: int, length: int) -> Floats:
    """Independent returns of Student's distribution with 3 degrees of freedom: fat tails, no clustering."""
    return np.random.default_rng(seed).standard_t(3.0, length)


def garch_normal(seed: int, length: int) -> Floats:
    """Normal returns whose variance follows GARCH(1, 1) with .05 and .94: clustering, tails too thin."""
    draws = np.random.default_rng(seed).standard_normal(length + _BURN_IN).tolist()
    variance, found = 1.0, []
    for draw in draws:
        move = variance**0.5 * draw
        variance = (1.0 - _SHOCK_SHARE - _KEPT_SHARE) + _SHOCK_SHARE * move * move + _KEPT_SHARE * variance
        found.append(move)
    return np.array(found[_BURN_IN:])


def bounce(seed: int, length: int) -> Floats:
    """Moves of trade prices that hit bid and ask at random: they turn back."""
    draws = np.random.default_rng(seed)
    mids = np.cumsum(0.5 * draws.standard_normal(length + 1))
    return np.diff(mids + draws.choice((-1.0, 1.0), length + 1))


CONTROLS: Final[dict[str, tuple[Callable[[int, int], Floats], tuple[int, ...]]]] = {
    "iid normal": (normal, (2, 3, 4)),
    "iid t3": (student_3, (4,)),
    "GARCH normal": (garch_normal, (2, 3)),
    "bounce": (bounce, (1, 2)),
}
"""By name: what makes the returns, and the gates that must refuse them."""


def independent_market(seed: int, length: int) -> Trace:
    """Quotes once a second around an independent normal price, and trades of random side and time.

    It lacks everything: tails, clustering, volume that goes with moves, memory of signs, crowds of trades, and order
    flow that moves the price: gates 2, 3, 4, 5, 6, 8 and 9 must refuse it.
    """
    draws = np.random.default_rng(seed)
    mids = _FIRST_PX * np.exp(np.cumsum(draws.standard_normal(length) * _STEP_BPS * 1e-4))
    bids = np.floor(mids / _TICK_PX) * _TICK_PX
    at_ns = np.arange(length, dtype=np.int64) * _NS_PER_S
    count = int(draws.poisson(_TRADES_PER_S * length))
    trade_ns = np.sort(draws.integers(0, length * _NS_PER_S, count))
    signs = draws.choice((-1.0, 1.0), count)
    found = np.maximum(np.searchsorted(at_ns, trade_ns, side="right") - 1, 0)
    before = bids[found] + _TICK_PX / 2.0
    return Trace(
        tick_px=_TICK_PX,
        quote_ns=at_ns,
        bid_px=bids,
        bid_qty=draws.lognormal(0.0, _SIZES_LOG_SD, length),
        ask_px=bids + _TICK_PX,
        ask_qty=draws.lognormal(0.0, _SIZES_LOG_SD, length),
        trade_ns=trade_ns,
        trade_px=before + signs * _TICK_PX / 2.0,
        trade_qty=draws.integers(1, 20, count).astype(np.float64),
        trade_sign=signs,
        trade_mid_px=before,
    )


def figures_of_control(
    name: str, series: int = SERIES_USUAL, length: int = LENGTH_USUAL
) -> dict[Figure, float]:
    """Medians of the figures of one of `CONTROLS` over so many series."""
    draw = CONTROLS[name][0]
    return medians([facts_of_returns(draw(seed, length)) for seed in range(series)])


def figures_of_independent_market(
    series: int = SERIES_USUAL, length: int = LENGTH_USUAL
) -> dict[Figure, float]:
    """Medians of the figures of `independent_market` over so many runs."""
    runs = [independent_market(seed, length) for seed in range(series)]
    return medians([facts(run, cut(run, _NS_PER_S)) for run in runs])
