"""Forced orders: how much of what trades is liquidations, and whether they feed on one another.

Bybit tells every liquidation. A liquidated long is sold into the market, so it presses the price down, where the next
longs are liquidated; shorts are the mirror.
"""

from dataclasses import dataclass
from typing import Final

from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from strategies.signals.fading import NO_MEAN, Mean, fade, mean_after

HALF_LIFE_NS: Final = 20 * NS_PER_S
USUAL_HALF_LIFE_NS: Final = 30 * NS_PER_MIN
WARM_UP_NS: Final = NS_PER_MIN
CASCADE_SHARE: Final = 0.05
"""Share of what trades from which liquidations move the price and do not only follow it."""
CASCADE_TIMES: Final = 4.0
"""How many times the usual they must be; a market in which a twentieth of all trades is always forced is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidations:
    """What is remembered.

    Parameters
    ----------
    long_qty, short_qty, traded_qty
        Fading sums: liquidated longs and shorts, everything that was traded; base units.
    usual_long_qty, usual_short_qty
        Means of the first two over time.
    mid_px
        Mid at `at_ns`; `mean_mid_px` is its mean over the last seconds.
    """

    at_ns: int = 0
    long_qty: float = 0.0
    short_qty: float = 0.0
    traded_qty: float = 0.0
    usual_long_qty: Mean = NO_MEAN
    usual_short_qty: Mean = NO_MEAN
    mid_px: float = 0.0
    mean_mid_px: Mean = NO_MEAN


def observe(
    old: Liquidations, at_ns: int, *, long_qty: float, short_qty: float, traded_qty: float, mid_px: float
) -> Liquidations:
    """Take in what was liquidated and traded since the last observation, base units, and the mid."""
    if not old.at_ns:
        return Liquidations(at_ns=at_ns, mid_px=mid_px)
    elapsed_ns = at_ns - old.at_ns
    left = fade(elapsed_ns, HALF_LIFE_NS)
    return Liquidations(
        at_ns=at_ns,
        long_qty=old.long_qty * left + long_qty,
        short_qty=old.short_qty * left + short_qty,
        traded_qty=old.traded_qty * left + traded_qty,
        usual_long_qty=mean_after(old.usual_long_qty, old.long_qty, elapsed_ns, USUAL_HALF_LIFE_NS),
        usual_short_qty=mean_after(old.usual_short_qty, old.short_qty, elapsed_ns, USUAL_HALF_LIFE_NS),
        mid_px=mid_px,
        mean_mid_px=mean_after(old.mean_mid_px, old.mid_px, elapsed_ns, HALF_LIFE_NS),
    )


def long_ratio(state: Liquidations) -> float | None:
    """Liquidated longs as a share of what was traded; None before a minute was watched or where nothing traded."""
    return _share(state, state.long_qty)


def short_ratio(state: Liquidations) -> float | None:
    """Liquidated shorts as a share of what was traded; None as for longs."""
    return _share(state, state.short_qty)


def cascade(state: Liquidations) -> int | None:
    """-1 while liquidations of longs press the price down, 1 while those of shorts press it up, 0 otherwise.

    All three must hold of one side: it is a large share of what trades, it is many times its own usual, and the mid is
    beyond its mean of the last seconds in the direction in which it presses. None where the shares are not known.
    """
    longs, shorts = long_ratio(state), short_ratio(state)
    if longs is None or shorts is None:
        return None
    lean_px = state.mid_px - state.mean_mid_px.value
    if shorts > longs:
        return int(_feeds(shorts, state.short_qty, state.usual_short_qty) and lean_px > 0.0)
    return -int(_feeds(longs, state.long_qty, state.usual_long_qty) and lean_px < 0.0)


def _feeds(share: float, qty: float, usual: Mean) -> bool:
    return share >= CASCADE_SHARE and qty >= CASCADE_TIMES * usual.value


def _share(state: Liquidations, qty: float) -> float | None:
    if state.mean_mid_px.observed_ns < WARM_UP_NS or state.traded_qty <= 0.0:
        return None
    return qty / state.traded_qty
