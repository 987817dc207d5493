"""Orders made up from public trades: who traded is not told, so trades are dealt out to imagined traders.

Each trade goes to one of N traders by a seeded draw, and what a trader does on one side without a change is held to
be one order. On real trades these orders follow the square-root law as those of true accounts do, since it is the
order in which signs and moves come that carries it; with the signs shuffled they show no impact at all (G.
Maitrier, G. Loeper and J.-P. Bouchaud, Generating realistic metaorders from public data, 2025).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from random import Random
from typing import Final

from impact.estimation.observed import Observed
from impact.order_flow.prints import Print
from impact.protocol import NS_PER_DAY, Pace

TRADERS_USUAL: Final = 20
TRADES_MIN: Final = 2
"""Trades of an order: a single one has taken no time."""
LAGS: Final = (0.25, 1.0, 4.0)
"""When the price is looked at after an order has ended, in multiples of the time it took."""
_BPS: Final = 10_000.0


@dataclass(slots=True)
class _Run:
    sign: int
    first: int
    last: int
    count: int = 0
    qty: float = 0.0
    value: float = 0.0


def with_mids(prints: Sequence[Print]) -> list[Print]:
    """Give each trade the mid just before it, where nobody kept a book: halfway between the last two sides.

    The mean of the last price at which a taker bought and the last at which one sold; trades before both are known
    are left out. Trades that have a mid keep it. It takes the bounce between bid and ask out of the moves, which
    would otherwise look like impact.
    """
    last: dict[int, float] = {}
    known: list[Print] = []
    for each in prints:
        if each.mid_px is not None:
            known.append(each)
        elif len(last) == 2:
            known.append(Print(each.at_ns, each.sign, each.px, each.qty, (last[1] + last[-1]) / 2.0))
        last[each.sign] = each.px
    return known


def synthetic_metaorders(
    prints: Sequence[Print], pace: Pace, seed: int, traders: int = TRADERS_USUAL, trades_min: int = TRADES_MIN
) -> list[Observed]:
    """Deal trades out and see what each imagined order did to the mid.

    Peak is the move of the mid from just before the first trade to just before the next trade of anybody after the
    last one, which is the mid that the last one left. `after` looks again at `LAGS`, as far as the trades go. Runs
    that the end of the trades cuts off, and those at their beginning, which may have begun before, are left out.

    Parameters
    ----------
    prints
        In order of time, one for each taker's order (`collapse`), each with a mid (`with_mids`).
    pace
        Volatility and volume of the time in which they were.
    seed
        Of the draw.
    traders
        N, >= 1; more of them make longer orders that take part less.
    trades_min
        Orders of fewer trades are left out.

    Raises
    ------
    ValueError
        If a trade has no mid, or there is no trader.
    """
    if traders < 1 or trades_min < 1:
        raise ValueError(f"{traders} traders with {trades_min} trades")
    mids = [each.mid_px for each in prints]
    if any(mid is None for mid in mids):
        raise ValueError("every trade needs the mid before it")
    logs = [log(mid) for mid in mids if mid is not None]
    chance = Random(f"{seed}:traders")  # noqa: S311 - imagined traders are no cryptography
    running: dict[int, _Run] = {}
    unit = pace.volatility_daily_bps / _BPS
    orders: list[Observed] = []
    for at, each in enumerate(prints):
        trader = int(chance.random() * traders)
        run = running.get(trader)
        if run is None or run.sign != each.sign:
            if run is not None and run.count >= trades_min and run.first >= 0:
                orders.append(_observed(run, prints, logs, unit, pace))
            # Of the first run of a trader nobody knows how long it had been going on.
            run = running[trader] = _Run(each.sign, at if trader in running else -1, at)
        run.last = at
        run.count += 1
        run.qty += each.qty
        run.value += each.value
    return orders


def _observed(run: _Run, prints: Sequence[Print], logs: Sequence[float], unit: float, pace: Pace) -> Observed:
    """What a finished run did; after its last trade there is at least the one that ended it."""
    begun_ns, ended_ns = prints[run.first].at_ns, prints[run.last].at_ns
    start = logs[run.first]
    after: list[tuple[float, float]] = []
    for lag in LAGS if ended_ns > begun_ns else ():
        lag_ns = round(lag * (ended_ns - begun_ns))
        at = _first_after(prints, run.last + 1, ended_ns + lag_ns)
        if at is None:
            break
        after.append((lag_ns / NS_PER_DAY, run.sign * (logs[at] - start) / unit))
    return Observed(
        ended_ns=ended_ns,
        size=run.qty / pace.volume_daily_qty,
        days=(ended_ns - begun_ns) / NS_PER_DAY,
        peak=run.sign * (logs[run.last + 1] - start) / unit,
        paid=run.sign * (log(run.value / run.qty) - start) / unit,
        after=tuple(after),
    )


def _first_after(prints: Sequence[Print], begin: int, at_ns: int) -> int | None:
    """Find the first trade later than an instant: its mid is the one that was in force at that instant."""
    at = bisect_right(prints, at_ns, lo=begin, key=lambda each: each.at_ns)
    return at if at < len(prints) else None
