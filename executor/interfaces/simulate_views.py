"""Simulated markets on a terminal: what a run showed, who earned what, and facts beside those of recorded books."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from rich.table import Table
from rich.text import Text

from backtest.market.expected import SeedResult, Verdict
from backtest.market.scenarios import Scenario
from backtest.market.side_by_side import SideBySide, bound_words
from backtest.market.study import AgentResult, Measure, RunStudy
from simulation.phenomena.agent_graph import by_kind
from simulation.phenomena.metaorder_impact import MetaorderImpact

_SECONDS: Final = 1e9
_EDGES_TOLD: Final = 12


def run_record(scenario: Scenario, study: RunStudy) -> dict[str, object]:
    """Give one run for machines."""
    return {
        "scenario": scenario.name,
        "seed": study.seed,
        "steps": scenario.run.steps,
        "agents": sum(group.count for group in scenario.agents),
        "event_hash": study.summary.event_hash,
        "messages": study.summary.messages,
        "trades": study.summary.trades,
        "refused": study.summary.refused,
        "faults": [fault.text for fault in study.summary.faults],
        "measures": {name.value: value for name, value in study.measures.items()},
        "bubbles": [
            {
                "start_s": one.start_ns / _SECONDS,
                "peak_s": one.peak_ns / _SECONDS,
                "end_s": one.end_ns / _SECONDS,
                "duration_s": one.duration_s,
                "peak": one.peak,
                "open": one.open,
            }
            for one in study.bubbles
        ],
        "figures": {name.value: value for name, value in study.figures.items()},
        "performance": [
            {
                "number": one.number,
                "name": one.name,
                "kind": one.kind,
                "cash": one.cash,
                "position_qty": one.position_qty,
                "refused": one.refused,
                "gain_bps": one.gain_bps,
                **{name: getattr(one.performance, name) for name in one.performance.__dataclass_fields__},
            }
            for one in study.agents
        ],
        "graph": {
            "density": study.graph.density,
            "reciprocity": study.graph.reciprocity,
            "maker_concentration": study.graph.maker_concentration,
            "edges": [
                {"taker": one.taker, "maker": one.maker, "trades": one.trades, "value": one.value}
                for one in study.graph.edges
            ],
        },
    }


def run_tables(scenario: Scenario, study: RunStudy, kinds: Sequence[str], engine: str) -> Iterator[Table]:
    """Lay one run out; `engine` says what ran it."""
    yield _pairs(f"{scenario.title}: seed {study.seed}", [("engine", engine), *_summary(study)])
    yield _pairs("What emerged", [(name.value, _number(value)) for name, value in study.measures.items()])
    if study.bubbles:
        yield _bubbles(study)
    yield _performance(study.agents)
    yield _graph(study, kinds)


def wire_table(said: Mapping[str, object]) -> Table:
    """Lay out what a market over a wire came to, beside what every run has."""
    rows = [(name.replace("_", " "), str(value)) for name, value in said.items() if name != "problems"]
    return _pairs("Over the wire", [*rows, ("checked", str(said["problems"] or "the same events once more"))])


def verdict_table(title: str, verdicts: Sequence[Verdict]) -> Table:
    """Lay out what a scenario expects and what was found."""
    table = Table(title=title, title_justify="left")
    for head in ("expected", "measure", "statistic", "found", "bounds", ""):
        table.add_column(head, overflow="fold")
    for one in verdicts:
        expect = one.expect
        bounds = " to ".join(
            "any" if bound is None else f"{bound:g}" for bound in (expect.at_least, expect.at_most)
        )
        statistic = (
            f"{expect.share:.0%} of the seeds inside" if expect.statistic == "share" else expect.statistic
        )
        found = "-" if one.value is None else _number(one.value)
        table.add_row(
            Text(expect.says),
            expect.measure.value,
            statistic,
            found,
            bounds,
            "holds" if one.holds else "FAILS",
        )
    return table


def seeds_table(title: str, results: Sequence[SeedResult]) -> Table:
    """Lay out the measures of many runs: least, median and most."""
    table = Table(title=title, title_justify="left")
    table.add_column("measure")
    for head in ("runs", "least", "median", "most"):
        table.add_column(head, justify="right")
    for measure in Measure:
        values = [one.measures[measure] for one in results if measure in one.measures]
        if values:
            shown = (min(values), median(values), max(values))
            table.add_row(measure.value, str(len(values)), *map(_number, shown))
    return table


def facts_table(found: SideBySide) -> Table:
    """Lay out facts: simulated, recorded, gate and control."""
    title = "Stylised facts"
    if found.simulated is not None:
        title += f": {found.simulated}, medians over {found.seeds} seeds of {found.steps} steps"
    table = Table(title=title, title_justify="left")
    table.add_column("gate", overflow="fold")
    table.add_column("figure")
    if found.simulated is not None:
        table.add_column("simulated", justify="right")
    for name in found.recordings:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("bounds", justify="right")
    table.add_column(found.control, justify="right", overflow="fold")
    last = 0
    for row in found.rows:
        gate = ""
        if row.gate.number != last:
            last = row.gate.number
            word = {True: "passed", False: "FAILED", None: ""}[found.passed.get(last)]
            gate = f"{last} {row.gate.name}{': ' if word else ''}{word}"
        cells = [gate, row.bound.figure.value]
        if found.simulated is not None:
            cells.append(_marked(row.simulated, inside=row.bound.holds(row.simulated)))
        cells += ["-" if value is None else _number(value) for value in row.recorded]
        cells.append(bound_words(row.bound))
        cells.append(_marked(row.control, inside=row.bound.holds(row.control)))
        table.add_row(*map(Text, cells))
    return table


def impact_table(found: MetaorderImpact) -> Table:
    """Lay out what large orders did to the price, bin by bin, and the fitted law."""
    law = found.law
    title = (
        f"Impact of large orders: I = {law.factor:.2f} (+-{law.factor_error:.2f}) sigma"
        f" (Q/V)^{law.exponent:.3f} (+-{law.exponent_error:.3f}), misfit {law.misfit:.2f}"
    )
    table = Table(title=title, title_justify="left")
    for head in ("Q/V", "orders", "impact, sigma", "error", "law"):
        table.add_column(head, justify="right")
    for one in law.bins:
        cells = (f"{one.size:.2e}", str(one.count), f"{one.mean:.4f}", f"{one.mean_error:.4f}")
        table.add_row(*cells, f"{law.peak(one.size):.4f}")
    left = "-" if found.left_at_two is None else f"{found.left_at_two:.2f}"
    decay = "-" if found.decay is None else f"{found.decay.power:.2f} (+-{found.decay.power_error:.2f})"
    table.caption = f"left one duration after the end: {left}; exponent of the decay: {decay}"
    table.caption_justify = "left"
    return table


def impact_record(found: MetaorderImpact) -> dict[str, object]:
    """Give the law of impact for machines."""
    return {
        "factor": found.law.factor,
        "factor_error": found.law.factor_error,
        "exponent": found.law.exponent,
        "exponent_error": found.law.exponent_error,
        "misfit": found.law.misfit,
        "log_r_squared": found.log_r_squared,
        "duration_gap": found.duration_gap,
        "left_at_two": found.left_at_two,
        "decay_exponent": None if found.decay is None else found.decay.power,
        "decay_exponent_error": None if found.decay is None else found.decay.power_error,
        "bins": [
            {"size": one.size, "orders": one.count, "impact": one.mean, "error": one.mean_error}
            for one in found.law.bins
        ],
    }


def by_group(agents: Iterable[AgentResult]) -> dict[tuple[str, str], list[AgentResult]]:
    """Put agents together by group and kind."""
    groups: dict[tuple[str, str], list[AgentResult]] = defaultdict(list)
    for one in agents:
        groups[one.name, one.kind].append(one)
    return dict(groups)


def _summary(study: RunStudy) -> list[tuple[str, str]]:
    summary = study.summary
    return [
        ("simulated time", f"{summary.at_ns / _SECONDS:g} s"),
        ("messages", str(summary.messages)),
        ("trades", str(summary.trades)),
        ("refused", str(summary.refused)),
        ("agents that failed", "; ".join(fault.text for fault in summary.faults[:3]) or "none"),
        ("accounts", "conserved" if study.conserved else "NOT CONSERVED"),
        ("hash of all events", summary.event_hash),
    ]


def _pairs(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("value", overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _bubbles(study: RunStudy) -> Table:
    table = Table(title="Bubbles", title_justify="left")
    for head in ("start", "peak", "end", "duration", "price over value at the peak"):
        table.add_column(head, justify="right")
    for one in study.bubbles:
        times = [f"{at / _SECONDS:g} s" for at in (one.start_ns, one.peak_ns, one.end_ns)]
        if one.open:
            times[2] = "goes on"
        table.add_row(*times, f"{one.duration_s:g} s", f"{1.0 + one.peak:.3f}")
    return table


def _performance(agents: Sequence[AgentResult]) -> Table:
    table = Table(title="Performance by group: medians", title_justify="left")
    for head in ("group", "kind"):
        table.add_column(head)
    heads = (
        *(
            "agents",
            "gain bps",
            "return %",
            "volatility %",
            "Sharpe",
            "Sortino",
            "drawdown %",
            "VaR bps",
            "ES bps",
        ),
        *("hits", "win", "loss", "inventory", "fills"),
    )
    for head in heads:
        table.add_column(head, justify="right")
    for (name, kind), group in by_group(agents).items():
        told = [one.performance for one in group]
        table.add_row(
            name,
            kind,
            str(len(group)),
            _median(one.gain_bps for one in group),
            _median((one.total_return for one in told), 100.0),
            _median((one.volatility for one in told), 100.0),
            _median(one.sharpe for one in told),
            _median(one.sortino for one in told),
            _median((one.drawdown for one in told), 100.0),
            _median((one.value_at_risk for one in told), 10_000.0),
            _median((one.expected_shortfall for one in told), 10_000.0),
            _median(one.hit_rate for one in told),
            _median(one.average_win for one in told),
            _median(one.average_loss for one in told),
            _median(one.inventory_last for one in told),
            _median(float(one.fills) for one in told),
        )
    return table


def _graph(study: RunStudy, kinds: Sequence[str]) -> Table:
    graph = study.graph
    table = Table(
        title=f"Who trades with whom: {graph.density:.0%} of all pairs, concentration of makers"
        f" {graph.maker_concentration:.3f}",
        title_justify="left",
    )
    for head in ("taker", "maker"):
        table.add_column(head)
    table.add_column("share of value", justify="right")
    values: Mapping[tuple[str, str], float] = by_kind(graph, kinds)
    total = sum(values.values())
    for (taker, maker), value in sorted(values.items(), key=lambda item: -item[1])[:_EDGES_TOLD]:
        table.add_row(taker, maker, f"{value / total:.1%}")
    return table


def _median(values: Iterable[float | None], unit: float = 1.0) -> str:
    known = [value for value in values if value is not None]
    return _number(median(known) * unit) if known else "-"


def _number(value: float) -> str:
    if value == round(value) and abs(value) < 1e9:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"


def _marked(value: float | None, *, inside: bool) -> str:
    return "-" if value is None else f"{_number(value)}{'' if inside else ' !'}"
