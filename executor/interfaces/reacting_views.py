"""Orders in markets of agents on a terminal: costs, own moves, and the law of impact beside its gates."""

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from backtest.market.executing import Stage
from backtest.market.own_impact_law import AFTER, DECAY_POWERS, OwnImpactLaw, Told, decay
from backtest.market.reacting import NOTE, Difference, OfPolicy, stage_record
from backtest.market.with_and_without import LOOKS
from backtest.statistics import Paired


def heading(stage: Stage, order: Mapping[str, object], seeds: int, *, untouched: bool) -> str:
    """Say what was worked, and where."""
    market = stage_record(stage)
    latency = market["latency_ms"]
    assert isinstance(latency, dict), "three of them are told"
    told = ", ".join(f"{name} {value}" for name, value in order.items() if value is not None)
    same = (
        "every market was the one without the order until it was given"
        if untouched
        else "NOT EVERY market was the one without the order until it was given: these figures are worth nothing"
    )
    return "\n".join(
        [
            f"{market['scenario']}: {market['agents']} agents and the executor, {seeds} seeds; {same}",
            f"order: {told}",
            (
                f"latency: feed {latency['feed']:g} ms, orders {latency['order']:g} ms, responses"
                f" {latency['response']:g} ms; fees {market['taker_fee_ppm']} (taker) and {market['maker_fee_ppm']}"
                f" (maker) ppm; at most {market['participation_pct_max']} % of the volume"
            ),
        ]
    )


def policies_table(found: Sequence[OfPolicy]) -> Table:
    """Lay costs and own moves out."""
    table = Table(
        title="Cost and own move, basis points; move: with the order less without it, at so many durations"
    )
    for head in ("", "orders", "filled", "cost", *(f"{z:g}" for z in LOOKS), *(f"left {z:g}" for z in AFTER)):
        table.add_column(head, justify="left" if not head else "right")
    for one in found:
        moves = ["-"] * len(LOOKS) if one.moves is None else [_pm(move) for move in one.moves]
        table.add_row(
            one.name,
            f"{one.ended}/{one.orders}",
            f"{one.filled_share:.1%}",
            "-" if one.cost is None else _pm(one.cost),
            *moves,
            *("-" if left is None else f"{left:.2f}" for left in one.left),
        )
    return table


def failures_lines(found: Sequence[OfPolicy]) -> Iterator[str]:
    """Say why orders came to no end."""
    for one in found:
        for text in one.failures[:3]:
            yield f"{one.name}: {text}"


def differences_table(found: Sequence[Difference]) -> Table:
    """Lay out what one policy costs less or more than another."""
    table = Table(
        title="Difference of costs in the same markets, basis points; p is Holm's, which allows for all"
    )
    for head in ("", "seeds", "mean", "error", "95 % interval", "p", "cheaper"):
        table.add_column(head, justify="left" if not head else "right")
    for one in found:
        table.add_row(
            f"{one.first} - {one.second}",
            str(one.found.pairs),
            f"{one.found.mean:+.3f}",
            f"{one.found.standard_error:.3f}",
            f"{one.found.low:+.3f} to {one.found.high:+.3f}",
            _p(one.p_holm),
            one.cheaper or "cannot be said",
        )
    return table


def sizes_table(found: OwnImpactLaw) -> Table:
    """Lay the impact by size out."""
    table = Table(
        title=f"Own impact by size; a day is {found.day_qty:,.0f} lots and {found.day_volatility:.2%} of volatility"
    )
    for head in ("Q/V", "orders", "filled", "peak, sigma", "error", "peak, bps", "law", "cost, bps"):
        table.add_column(head, justify="right")
    for one in found.sizes:
        law = (
            "-"
            if found.factor is None or found.exponent is None
            else f"{found.factor.value * one.size**found.exponent.value:.4f}"
        )
        table.add_row(
            f"{one.size:.5f}",
            str(one.count),
            f"{one.filled_share:.1%}",
            f"{one.peak:+.4f}",
            f"{one.peak_error:.4f}",
            f"{one.peak_bps:+.2f}",
            law,
            f"{one.cost_bps:+.2f}",
        )
    return table


def curve_table(found: OwnImpactLaw) -> Table:
    """Lay out how the impact builds up and wears off, over the peak of each size."""
    table = Table(title="Own move over the peak, at so many durations since the order came")
    for head in ("Q/V", *(f"{z:g}" for z in LOOKS)):
        table.add_column(head, justify="right")
    for one in found.sizes:
        told = ["-"] * len(LOOKS) if one.peak <= 0.0 else [f"{move / one.peak:+.2f}" for move in one.curve]
        table.add_row(f"{one.size:.5f}", *told)
    for power in DECAY_POWERS:
        table.add_row(f"law, b = {power:g}", *("" if z < 1.0 else f"{decay(z, power):+.2f}" for z in LOOKS))
    return table


def gates_table(found: OwnImpactLaw) -> Table:
    """Lay the gates out, and what is met."""
    table = Table(title="Gates of a simulated market")
    for head in ("", "gate", "found", "met"):
        table.add_column(head)
    for one in found.gates:
        table.add_row(one.name, one.bound, _told(one.found), "yes" if one.met else "NO")
    for z, left in zip(AFTER, found.left, strict=True):
        if z != 2.0:
            table.add_row(f"left at z = {z:g}", "none", _told(left), "")
    return table


def closing(found: OwnImpactLaw | None = None) -> str:
    """Say what the figures are worth."""
    if found is None:
        return NOTE
    missed = [one.name for one in found.gates if not one.met]
    verdict = (
        "All gates are met."
        if not missed
        else f"NOT MET: {', '.join(missed)}. This market does not react to our orders as real ones are known to."
    )
    ended = f"{found.orders - found.failures} of {found.orders} orders moved the price and came to an end."
    return f"{ended} {verdict}\n{NOTE}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _pm(one: Paired) -> str:
    return f"{one.mean:+.2f} ± {one.standard_error:.2f}"


def _told(one: Told | None) -> str:
    if one is None:
        return "not in the data"
    return f"{one.value:.4g}" if one.error is None else f"{one.value:.3f} ± {one.error:.3f}"
