"""Who reads which parameter, and which choices a strategy can not do without.

A parameter that is given and not read would be believed to work; so it is refused before anything is traded.
"""

from dataclasses import fields
from typing import Final

from executor.domain.orders import StrategyParams
from executor.domain.units import plain
from strategies.signals.readers import READ_BY_WRAPPER

EVERY: Final = frozenset({"interval_s", "reprice_ticks", "participation_max", "wrappers"})
"""Read for every strategy: by placement, planner and gate, not by the schedule."""
_OF_A_SCHEDULE: Final = EVERY | {
    "randomize_size_pct",
    "randomize_timing_pct",
    "catch_up",
    "catch_up_max",
    "passiveness",
}

READS: Final[dict[str, frozenset[str]]] = {
    "twap": _OF_A_SCHEDULE,
    "vwap": _OF_A_SCHEDULE | {"curve", "session_weights"},
    "arrival-price": _OF_A_SCHEDULE | {"risk_aversion"},
    "close": _OF_A_SCHEDULE,
    "pov": _OF_A_SCHEDULE - {"randomize_size_pct"} | {"participation"},
    "iceberg": EVERY | {"display_qty", "display_randomize_pct"},
    "chase": EVERY | {"peg", "peg_offset_ticks", "reprices_max", "chase_bps_max", "give_up"},
    "sniper": EVERY | {"trigger_px", "trigger_qty"},
    "adaptive": _OF_A_SCHEDULE,
    "venue-twap": frozenset({"interval_s", "randomize_size_pct"}),
    "venue-iceberg": frozenset({"interval_s", "display_qty"}),
    "venue-pov": frozenset({"interval_s", "participation"}),
}
"""Names of the fields of `StrategyParams` that each strategy reads."""
RESTS_FIRST: Final = frozenset({"twap", "vwap", "arrival-price", "close", "pov"})
"""Strategies whose slices rest first and take what is left; the wrapper `adaptive` is for them."""
_USUAL: Final = StrategyParams()
_NAMES: Final = tuple(field.name for field in fields(StrategyParams))


def unread(strategy: str, params: StrategyParams) -> tuple[str, ...]:
    """Name what is given and not read: everything that is not the usual and that the strategy does not know."""
    reads = READS[strategy]
    return tuple(
        name for name in _NAMES if name not in reads and getattr(params, name) != getattr(_USUAL, name)
    )


def readers(name: str) -> tuple[str, ...]:
    """Strategies that read a parameter."""
    return tuple(strategy for strategy, reads in READS.items() if name in reads)


def why_not(strategy: str, params: StrategyParams) -> str:
    """Why a strategy can not work with these parameters; empty if it can."""
    for name in unread(strategy, params):
        return f"{strategy} does not read {name}; that is for {', '.join(readers(name))}"
    if strategy == "sniper" and params.trigger_px is None and params.trigger_qty is None:
        return "sniper needs trigger_px, trigger_qty or both: without them it would take everything at once"
    misplaced = _why_not_wrapped(strategy, params.wrappers)
    if misplaced:
        return misplaced
    share, cap = params.participation, params.participation_max
    if share is not None and cap is not None and share > cap:
        return f"participation {plain(share)} is above participation_max {plain(cap)}"
    return ""


def _why_not_wrapped(strategy: str, wrappers: tuple[str, ...]) -> str:
    for name in wrappers:
        if name not in READ_BY_WRAPPER:
            return f"no wrapper {name!r}; there is {', '.join(READ_BY_WRAPPER)}"
    if len(set(wrappers)) < len(wrappers):
        return "each wrapper can be named once"
    if "adaptive" in wrappers and strategy == "adaptive":
        return "the strategy adaptive does by itself what the wrapper adaptive does"
    if "adaptive" in wrappers and strategy not in RESTS_FIRST:
        return f"the wrapper adaptive moves the turn from resting to taking, which {strategy} does not have"
    return ""
