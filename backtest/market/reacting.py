"""What orders in markets of agents came to: what each way of working them cost, and how far it moved the price.

All ways meet the same markets, seed by seed: what a market did to all of them cancels in their differences. Both sides
of a seed count as one observation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum
from typing import Final

from backtest.blocks import holm
from backtest.market.executing import LOT, TICK, Stage
from backtest.market.own_impact_law import AFTER, OwnImpactLaw, Told, decay
from backtest.market.with_and_without import LOOKS, OwnMove, SeedMoves
from backtest.statistics import Paired, paired
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import plain

NOTE: Final = (
    "A simulation: the market consists of agents that follow rules. What holds in it says something about these rules,"
    " and nothing for certain about a real market. docs/execution-in-agents.md says what is measured and how."
)
_BPS: Final = 10_000.0
_LEVEL: Final = 0.05
SEEDS_MIN: Final = 10
"""With fewer seeds no difference is called one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPolicy:
    """One way to work an order.

    Parameters
    ----------
    orders, ended
        How many there were, and how many came to an end that can be measured.
    filled_share
        Mean over all of them, 0-1.
    cost
        Arrival shortfall with fees, basis points; None with fewer than two seeds.
    moves
        Own move at each of `LOOKS`, basis points.
    left
        At each of `AFTER`: mean move over mean move at the end; None where the price was not moved with the order.
    failures
        Why orders came to no end, in words, each once.
    """

    name: str
    orders: int
    ended: int
    filled_share: float
    cost: Paired | None
    moves: tuple[Paired, ...] | None
    left: tuple[float | None, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Cost of the first less cost of the second, basis points; negative favours the first.

    Parameters
    ----------
    p_holm
        With all differences of the comparison allowed for; None where all pairs differ by the same.
    """

    first: str
    second: str
    found: Paired
    p_holm: float | None

    @property
    def cheaper(self) -> str | None:
        """Who was cheaper; None where chance is not excluded."""
        found = self.found
        if (
            found.pairs < SEEDS_MIN
            or self.p_holm is None
            or self.p_holm >= _LEVEL
            or found.low <= 0 <= found.high
        ):
            return None
        return self.first if found.mean < 0 else self.second


def policies_of(found: Sequence[SeedMoves]) -> list[OfPolicy]:
    """Sum up every way to work the orders, in the order in which they were named."""
    names = list(dict.fromkeys(one.policy for seed in found for one in seed.orders))
    return [_of_policy(name, found) for name in names]


def _of_policy(name: str, found: Sequence[SeedMoves]) -> OfPolicy:
    by_seed = [[one for one in seed.orders if one.policy == name] for seed in found]
    every = [one for orders in by_seed for one in orders]
    costs = [cost for orders in by_seed if (cost := _mean_cost(orders)) is not None]
    moved = [
        [fsum(one.moves[at] for one in orders if one.moves) / len(orders) * _BPS for at in range(len(LOOKS))]
        for orders in by_seed
        if orders and all(one.moves is not None for one in orders)
    ]
    moves = tuple(paired(column) for column in zip(*moved, strict=True)) if len(moved) > 1 else None
    peak = 0.0 if moves is None else moves[LOOKS.index(1.0)].mean
    return OfPolicy(
        name=name,
        orders=len(every),
        ended=sum(one.cost_bps is not None for one in every),
        filled_share=fsum(one.filled_share for one in every) / len(every),
        cost=paired(costs) if len(costs) > 1 else None,
        moves=moves,
        left=tuple(
            None if moves is None or peak <= 0.0 else moves[LOOKS.index(z)].mean / peak for z in AFTER
        ),
        failures=tuple(sorted({one.failure for one in every if one.failure})),
    )


def _mean_cost(orders: Sequence[OwnMove]) -> float | None:
    costs = [one.cost_bps for one in orders if one.cost_bps is not None]
    return fsum(costs) / len(costs) if costs and len(costs) == len(orders) else None


def differences(found: Sequence[SeedMoves]) -> list[Difference]:
    """Hold every pair of policies against each other, over the seeds in which both came to an end.

    Raises
    ------
    ValueError
        If there are fewer than two such seeds for a pair.
    """
    names = list(dict.fromkeys(one.policy for seed in found for one in seed.orders))
    costs = {
        name: {
            seed.seed: cost
            for seed in found
            if (cost := _mean_cost([one for one in seed.orders if one.policy == name])) is not None
        }
        for name in names
    }
    pairs = list(combinations(names, 2))
    made = []
    for first, second in pairs:
        both = [seed for seed in costs[first] if seed in costs[second]]
        if len(both) < 2:
            raise ValueError(f"{first} and {second} came to an end together in {len(both)} markets")
        made.append(paired([costs[first][seed] - costs[second][seed] for seed in both]))
    known = [one.p_value for one in made if one.p_value is not None]
    adjusted = iter(holm(known))
    return [
        Difference(
            first=first,
            second=second,
            found=one,
            p_holm=None if one.p_value is None else next(adjusted),
        )
        for (first, second), one in zip(pairs, made, strict=True)
    ]


# ------------------------------------------------------------------ as JSON has it


def stage_record(stage: Stage) -> dict[str, object]:
    """Describe the market and the wires."""
    scenario, latencies, limits = stage.scenario, stage.latencies, stage.limits
    return {
        "scenario": scenario.name,
        "agents": sum(group.count for group in stage.others.agents),
        "tick_size": plain(TICK),
        "qty_step": plain(LOT),
        "taker_fee_ppm": scenario.fees.taker_ppm,
        "maker_fee_ppm": scenario.fees.maker_ppm,
        "day_s": scenario.run.day_s,
        "fill_s": scenario.run.warm_up_s,
        "warmup_s": stage.warmup_s,
        "latency_ms": {
            "feed": latencies.feed_ns / NS_PER_MS,
            "order": latencies.entry_ns / NS_PER_MS,
            "response": latencies.answer_ns / NS_PER_MS,
        },
        "participation_pct_max": plain(limits.participation_pct_max),
    }


def run_record(stage: Stage, order: Mapping[str, object], found: Sequence[SeedMoves]) -> dict[str, object]:
    """Give all orders and what they come to together."""
    return {
        "market": stage_record(stage),
        "order": dict(order),
        "seeds": len(found),
        "untouched_until_the_order": all(seed.untouched for seed in found),
        "looks": list(LOOKS),
        "policies": [_policy_record(one) for one in policies_of(found)],
        "each": [
            {
                "seed": seed.seed,
                "policy": one.policy,
                "side": one.side,
                "order_qty": one.order_qty,
                "filled_share": one.filled_share,
                "cost_bps": one.cost_bps,
                "moves_bps": None if one.moves is None else [move * _BPS for move in one.moves],
                "failure": one.failure,
                "event_hash": one.event_hash,
            }
            for seed in found
            for one in seed.orders
        ],
        "note": NOTE,
    }


def _policy_record(one: OfPolicy) -> dict[str, object]:
    return {
        "policy": one.name,
        "orders": one.orders,
        "ended": one.ended,
        "filled_share": one.filled_share,
        "cost_bps": None if one.cost is None else _paired_record(one.cost),
        "own_move_bps": None if one.moves is None else [_paired_record(move) for move in one.moves],
        "left": dict(zip((f"{z:g}" for z in AFTER), one.left, strict=True)),
        "failures": list(one.failures),
    }


def _paired_record(one: Paired) -> dict[str, object]:
    return {
        "mean": one.mean,
        "standard_error": one.standard_error,
        "low": one.low,
        "high": one.high,
        "confidence": one.confidence,
    }


def differences_record(found: Sequence[Difference]) -> list[dict[str, object]]:
    """Give the differences of all pairs."""
    return [
        {
            "first": one.first,
            "second": one.second,
            **_paired_record(one.found),
            "seeds": one.found.pairs,
            "p": one.found.p_value,
            "p_holm": one.p_holm,
            "cheaper": one.cheaper,
        }
        for one in found
    ]


def law_record(stage: Stage, order: Mapping[str, object], found: OwnImpactLaw) -> dict[str, object]:
    """Give the law of our own impact, and the gates."""
    return {
        "market": stage_record(stage),
        "order": dict(order),
        "seeds": found.seeds,
        "orders": found.orders,
        "failures": found.failures,
        "untouched_until_the_order": found.untouched,
        "day_volatility_pct": found.day_volatility * 100.0,
        "day_qty": found.day_qty,
        "looks": list(LOOKS),
        "sizes": [
            {
                "size": one.size,
                "orders": one.count,
                "filled_share": one.filled_share,
                "peak_sigma": one.peak,
                "peak_sigma_error": one.peak_error,
                "peak_bps": one.peak_bps,
                "cost_bps": one.cost_bps,
                "curve_sigma": list(one.curve),
            }
            for one in found.sizes
        ],
        "exponent": _told_record(found.exponent),
        "factor": _told_record(found.factor),
        "log_r_squared": found.log_r_squared,
        "duration_gap": found.duration_gap,
        "left": {f"{z:g}": _told_record(one) for z, one in zip(AFTER, found.left, strict=True)},
        "left_by_law": {f"b={b:g}": {f"{z:g}": decay(z, b) for z in AFTER} for b in (0.25, 0.22)},
        "gates": [
            {"name": one.name, "bound": one.bound, "found": _told_record(one.found), "met": one.met}
            for one in found.gates
        ],
        "note": NOTE,
    }


def _told_record(one: Told | None) -> dict[str, object] | None:
    return None if one is None else {"value": one.value, "standard_error": one.error}
