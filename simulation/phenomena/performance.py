"""What an agent made of its money, by the measures that funds are told in; definitions with their edges.

Everything comes from two things that a market can tell of an agent: its equity at even times (cash and position at the
mid), and its fills. Ratios are per year of 365 days of simulated time. Where a figure has no meaning (no loss to divide
by, an equity that reached zero, a run without length) it is None, never 0 or infinity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, log, sqrt
from typing import Final

import numpy as np

from simulation.phenomena.trace import Floats

YEAR_NS: Final = 365 * 86_400 * 1_000_000_000
_GROWTH_MAX: Final = 50.0
"""Logarithm of the growth in a year beyond which a short run says nothing of a year."""


@dataclass(frozen=True, slots=True)
class AgentFill:
    """One execution of an agent.

    Parameters
    ----------
    at_ns
        Simulated time.
    signed_qty
        Above zero where the agent bought.
    px
        > 0.
    fee
        Paid, unit of price times quantity; below zero is a rebate.
    """

    at_ns: int
    signed_qty: float
    px: float
    fee: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Figures of one agent; shares are fractions, losses are positive.

    Parameters
    ----------
    total_return
        Last equity over first - 1.
    cagr
        Growth in a year at this pace: (last / first)^(year / span) - 1. None where the equity ended at zero, or the run
        is so short that the figure would be absurd.
    volatility
        Standard deviation of returns over a step (n - 1) times the root of steps in a year.
    sharpe
        Mean excess return over its standard deviation, times that root (W. Sharpe, J. Portfolio Management 21, 1994).
        None where returns do not vary.
    sortino
        The same over the root of the mean squared shortfall below the riskless return, all steps counted (F. Sortino
        and L. Price, J. Investing 3, 1994). None where no step fell short.
    drawdown
        Largest fall of the equity from its highest before, as a share of that.
    value_at_risk, expected_shortfall
        Of the loss over a step, at `confidence`: empirical quantile without a model, and mean of the losses from it on
        (C. Acerbi and D. Tasche, J. Banking and Finance 26, 2002). Below zero where even that step earned.
    hit_rate, average_win, average_loss
        Of fills that reduced the position: share that earned against the average cost, mean gain of those and mean loss
        of the others, after fees, money. None where there were none.
    inventory_mean, inventory_max, inventory_last
        Position: mean of the size over fills, the largest size, and the last with its sign.
    fills
        Number of executions.
    fees
        Paid in all, money.
    """

    total_return: float
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    drawdown: float
    value_at_risk: float | None
    expected_shortfall: float | None
    hit_rate: float | None
    average_win: float | None
    average_loss: float | None
    inventory_mean: float
    inventory_max: float
    inventory_last: float
    fills: int
    fees: float


def performance(
    equity: Floats,
    step_ns: int,
    fills: Sequence[AgentFill] = (),
    *,
    position: float = 0.0,
    position_px: float | None = None,
    riskless_yearly: float = 0.0,
    confidence: float = 0.95,
) -> Performance:
    """Measure one agent.

    Parameters
    ----------
    equity
        Cash and position at the mid at even times, money; the first above zero.
    step_ns
        Between two of them, > 0.
    fills
        In order of time.
    position, position_px
        What the agent held before its first fill, and what that cost; wanted where it held something.
    riskless_yearly
        Return of a year without risk, > -1.
    confidence
        Of value at risk and expected shortfall, 0-1.

    Raises
    ------
    ValueError
        For an equity without a beginning above zero, fewer than two instants, or a number that is not finite.
    """
    if len(equity) < 2 or not bool(np.isfinite(equity).all()) or equity[0] <= 0.0:
        raise ValueError("the equity begins above zero and has two finite values at least")
    if step_ns <= 0 or not 0.0 < confidence < 1.0 or not riskless_yearly > -1.0:
        raise ValueError("a step, a confidence between 0 and 1 and a riskless return above -1 are wanted")
    solvent = bool((equity > 0.0).all())
    returns = np.diff(equity) / equity[:-1] if solvent else None
    steps = YEAR_NS / step_ns
    riskless = exp(log(1.0 + riskless_yearly) / steps) - 1.0
    highest = np.maximum.accumulate(equity)
    closed = _closed(fills, position, position_px)
    wins = [gain for gain in closed if gain > 0.0]
    losses = [-gain for gain in closed if gain <= 0.0]
    sizes = _positions(fills, position)
    at_risk, shortfall = (None, None) if returns is None else tail_loss(returns, confidence)
    return Performance(
        total_return=float(equity[-1] / equity[0]) - 1.0,
        cagr=_yearly(equity, steps),
        volatility=_deviation(returns, steps),
        sharpe=None if returns is None else _ratio(returns - riskless, steps),
        sortino=None if returns is None else _downside_ratio(returns - riskless, steps),
        drawdown=float((1.0 - equity / highest).max()),
        value_at_risk=at_risk,
        expected_shortfall=shortfall,
        hit_rate=len(wins) / len(closed) if closed else None,
        average_win=sum(wins) / len(wins) if wins else None,
        average_loss=sum(losses) / len(losses) if losses else None,
        inventory_mean=sum(map(abs, sizes)) / len(sizes),
        inventory_max=max(map(abs, sizes)),
        inventory_last=sizes[-1],
        fills=len(fills),
        fees=sum(one.fee for one in fills),
    )


def tail_loss(returns: Floats, confidence: float) -> tuple[float, float]:
    """Value at risk and expected shortfall of losses.

    With n losses in order, the k = ceil(n (1 - confidence)) largest of them, at least one: the smallest of these is the
    value at risk, their mean the expected shortfall.
    """
    losses = np.sort(-returns)[::-1]
    # A product such as 100 x 0.05 may come out a hair above 5.
    count = max(1, int(np.ceil(len(losses) * (1.0 - confidence) - 1e-9)))
    return float(losses[count - 1]), float(losses[:count].mean())


def _yearly(equity: Floats, steps: float) -> float | None:
    if equity[-1] <= 0.0:
        return None
    growth = log(float(equity[-1] / equity[0])) * steps / (len(equity) - 1)
    return exp(growth) - 1.0 if abs(growth) <= _GROWTH_MAX else None


def _deviation(returns: Floats | None, steps: float) -> float | None:
    if returns is None or len(returns) < 2:
        return None
    return float(returns.std(ddof=1)) * sqrt(steps)


def _ratio(excess: Floats, steps: float) -> float | None:
    deviation = float(excess.std(ddof=1)) if len(excess) > 1 else 0.0
    return float(excess.mean()) / deviation * sqrt(steps) if deviation > 0.0 else None


def _downside_ratio(excess: Floats, steps: float) -> float | None:
    short = sqrt(float((np.minimum(excess, 0.0) ** 2).mean()))
    return float(excess.mean()) / short * sqrt(steps) if short > 0.0 else None


def _closed(fills: Sequence[AgentFill], position: float, position_px: float | None) -> list[float]:
    """Gain of each fill that reduced the position, against the average cost of what was held, less its fee."""
    if position and position_px is None:
        raise ValueError("what a position cost must be known to tell gains from losses")
    held, cost_px = position, position_px or 0.0
    gains = []
    for fill in fills:
        if not isfinite(fill.signed_qty) or not isfinite(fill.px) or not fill.signed_qty or fill.px <= 0.0:
            raise ValueError(f"no execution: {fill}")
        if held * fill.signed_qty >= 0.0:
            qty = abs(held) + abs(fill.signed_qty)
            cost_px = (abs(held) * cost_px + abs(fill.signed_qty) * fill.px) / qty
            held += fill.signed_qty
            continue
        less = min(abs(held), abs(fill.signed_qty))
        side = 1.0 if held > 0.0 else -1.0
        # Of a fill that turns the position round, the fee of the part that closes counts here.
        gains.append(side * less * (fill.px - cost_px) - fill.fee * less / abs(fill.signed_qty))
        turned = abs(fill.signed_qty) > abs(held)
        held += fill.signed_qty
        cost_px = fill.px if turned else cost_px
    return gains


def _positions(fills: Sequence[AgentFill], position: float) -> list[float]:
    sizes = [position]
    for fill in fills:
        sizes.append(sizes[-1] + fill.signed_qty)
    return sizes
