"""The page of a simulated run: price against value, spread and depth, returns, who earned, who traded with whom."""

from collections.abc import Sequence
from html import escape
from math import cos, pi, sin
from typing import Any, Final

import numpy as np

from backtest.market.expected import Verdict
from backtest.market.scenarios import Scenario
from backtest.market.side_by_side import SideBySide, bound_words
from backtest.market.study import RunStudy
from backtest.sheet_figures import Figure
from backtest.sheet_page import charts, document, notices, table
from simulation.phenomena.series import autocorrelations
from simulation.phenomena.trace import Floats, held

_BLUE, _GREY, _AMBER, _RED, _GREEN = "#3b82f6", "#94a3b8", "#f59e0b", "#ef4444", "#22c55e"
_POINTS_MAX: Final = 2_000
_EDGES_MAX: Final = 400
_BINS: Final = 60
_CAPTIONS: Final = {
    "price": "Mid and fundamental value, ticks; bubbles are shaded.",
    "book": "Spread, basis points (left), and quantity on the best five levels of both sides, lots (right).",
    "returns": "Returns of the mid over one step, basis points.",
    "tails": "How often a return is at least so many standard deviations away, beside a normal one.",
    "memory": "Autocorrelation of the size of returns, by lag.",
    "equity": "What each group made of its money, per cent: a box over its agents.",
    "graph": "Who trades with whom: a line is as wide as the value that went between two agents.",
}


def market_page(
    scenario: Scenario,
    study: RunStudy,
    kinds: Sequence[str],
    *,
    verdicts: Sequence[Verdict] = (),
    facts: SideBySide | None = None,
) -> str:
    """Write the page of one run, with what was found over many where that is known."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - heavy, and nobody else needs it

    pictures = {
        "price": _price(study),
        "book": _book(study),
        "returns": _returns(study),
        "tails": _tails(study),
        "memory": _memory(study),
        "equity": _equity(study),
        "graph": _graph(study, kinds),
    }
    heading = f"{scenario.title}: {scenario.name}, seed {study.seed}"
    warnings = [f"{one.expect.says}: not found" for one in verdicts if not one.holds]
    if not study.conserved:
        warnings.append("the accounts together do not hold what was put in")
    warnings += [f"agent {fault.participant} failed: {fault.text}" for fault in study.summary.faults]
    body = [
        f"<h1>{escape(heading)}</h1>",
        f'<p class="soft">{escape(scenario.expects)}</p>',
        notices(warnings, "A simulated market: nobody's money was in it."),
        charts(_CAPTIONS, pictures),
        "<h2>What emerged</h2>",
        table(("measure", "value"), ((name.value, f"{value:.6g}") for name, value in study.measures.items())),
    ]
    if study.bubbles:
        body += ["<h2>Bubbles</h2>", _bubbles(study)]
    if verdicts:
        body += ["<h2>Expected and found</h2>", _verdicts(verdicts)]
    if facts is not None:
        body += ["<h2>Stylised facts</h2>", _facts(facts)]
    body += ["<h2>Performance</h2>", _performance(study)]
    body += [f'<p class="soft">hash of all events: {study.summary.event_hash}</p>']
    return document(heading, body, pictures, get_plotlyjs())


def _bubbles(study: RunStudy) -> str:
    return table(
        ("start s", "peak s", "end s", "duration s", "price over value"),
        (
            (
                f"{one.start_ns / 1e9:g}",
                f"{one.peak_ns / 1e9:g}",
                "goes on" if one.open else f"{one.end_ns / 1e9:g}",
                f"{one.duration_s:g}",
                f"{1.0 + one.peak:.3f}",
            )
            for one in study.bubbles
        ),
    )


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    return table(
        ("expected", "measure", "statistic", "found", "holds"),
        (
            (
                one.expect.says,
                one.expect.measure.value,
                one.expect.statistic,
                "-" if one.value is None else f"{one.value:.6g}",
                "yes" if one.holds else "NO",
            )
            for one in verdicts
        ),
    )


def _facts(facts: SideBySide) -> str:
    heads = ("gate", "figure", "simulated", *facts.recordings, "bounds", facts.control)
    return table(
        heads,
        (
            (
                f"{row.gate.number} {row.gate.name}",
                row.bound.figure.value,
                _cell(row.simulated),
                *map(_cell, row.recorded),
                bound_words(row.bound),
                _cell(row.control),
            )
            for row in facts.rows
        ),
    )


def _performance(study: RunStudy) -> str:
    heads = (
        *("agent", "group", "kind", "return %", "CAGR %", "volatility %", "Sharpe", "Sortino", "drawdown %"),
        *("VaR bps", "ES bps", "hits", "win", "loss", "inventory", "largest", "fills", "fees"),
    )
    rows = []
    for one in study.agents[:_EDGES_MAX]:
        told = one.performance
        rows.append(
            (
                str(one.number),
                one.name,
                one.kind,
                _cell(told.total_return, 100.0),
                _cell(told.cagr, 100.0),
                _cell(told.volatility, 100.0),
                _cell(told.sharpe),
                _cell(told.sortino),
                _cell(told.drawdown, 100.0),
                _cell(told.value_at_risk, 10_000.0),
                _cell(told.expected_shortfall, 10_000.0),
                _cell(told.hit_rate),
                _cell(told.average_win),
                _cell(told.average_loss),
                _cell(told.inventory_last),
                _cell(told.inventory_max),
                str(told.fills),
                _cell(told.fees),
            )
        )
    return table(heads, rows)


def _cell(value: float | None, unit: float = 1.0) -> str:
    return "-" if value is None else f"{value * unit:.4g}"


def _price(study: RunStudy) -> Figure:
    bars = study.bars
    seconds = _thin(bars.at_ns / 1e9)
    data: list[dict[str, Any]] = [_line("mid", seconds, _thin(bars.mid_px), _BLUE)]
    if len(bars.value_px):
        data.append(_line("value", seconds, _thin(bars.value_px), _AMBER))
    figure = _figure(data, "seconds", "ticks")
    figure["layout"]["shapes"] = [  # type: ignore[index]
        {
            "type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "x0": one.start_ns / 1e9,
            "x1": one.end_ns / 1e9, "fillcolor": _RED, "opacity": 0.15, "line": {"width": 0},
        }
        for one in study.bubbles
    ]  # fmt: skip
    return figure


def _book(study: RunStudy) -> Figure:
    trace, at_ns = study.trace, study.bars.at_ns
    every = max(1, len(at_ns) // _POINTS_MAX)
    looked_ns = at_ns[::every]
    seconds = (looked_ns / 1e9).tolist()
    spread = held(trace.quote_ns, 10_000.0 * trace.spread_px / trace.mid_px, looked_ns)
    data = [_line("spread", seconds, spread.tolist(), _BLUE)]
    for name, depth, colour in (("bids", trace.bid_depth_qty, _GREEN), ("asks", trace.ask_depth_qty, _RED)):
        line = _line(name, seconds, held(trace.quote_ns, depth, looked_ns).tolist(), colour)
        data.append({**line, "yaxis": "y2", "opacity": 0.6})
    figure = _figure(data, "seconds", "spread, bps")
    figure["layout"]["yaxis2"] = {  # type: ignore[index]
        "overlaying": "y", "side": "right", "rangemode": "tozero", "title": {"text": "lots"}, "showgrid": False,
    }  # fmt: skip
    return figure


def _returns(study: RunStudy) -> Figure:
    seconds = _thin(study.bars.at_ns[1:] / 1e9)
    return _figure(
        [_line("return", seconds, _thin(study.bars.returns * 10_000.0), _GREY)], "seconds", "basis points"
    )


def _tails(study: RunStudy) -> Figure:
    returns = study.bars.returns
    deviation = float(returns.std())
    if not deviation:
        return _figure([], "standard deviations", "share of steps")
    sizes = np.abs(returns - returns.mean()) / deviation
    at = np.linspace(0.0, max(6.0, float(sizes.max())), _BINS)
    shares = [float((sizes >= one).mean()) for one in at]
    normal = np.abs(np.random.default_rng(0).standard_normal(1_000_000))
    usual = [float((normal >= one).mean()) for one in at]
    data = [
        _line("simulated", at.tolist(), [one or None for one in shares], _BLUE),
        _line("normal", at.tolist(), [one or None for one in usual], _GREY),
    ]
    figure = _figure(data, "standard deviations", "share of steps")
    figure["layout"]["yaxis"]["type"] = "log"  # type: ignore[index]
    return figure


def _memory(study: RunStudy) -> Figure:
    returns = study.bars.returns
    lags = min(200, len(returns) - 1)
    found = autocorrelations(np.abs(returns), lags)
    signed = autocorrelations(returns, lags)
    if found is None or signed is None:
        return _figure([], "lag, steps", "autocorrelation")
    steps = list(range(1, lags + 1))
    data = [
        _line("size of returns", steps, found[1:].tolist(), _BLUE),
        _line("returns", steps, signed[1:].tolist(), _GREY),
    ]
    return _figure(data, "lag, steps", "autocorrelation")


def _equity(study: RunStudy) -> Figure:
    groups = list(dict.fromkeys(one.name for one in study.agents))
    returns = {
        name: [100.0 * one.performance.total_return for one in study.agents if one.name == name]
        for name in groups
    }
    data = [
        {"type": "box", "name": name, "y": values, "boxpoints": "outliers"}
        for name, values in returns.items()
    ]
    return _figure(data, "", "return, %")


def _graph(study: RunStudy, kinds: Sequence[str]) -> Figure:
    """Draw agents on a circle, those of a kind side by side."""
    order = sorted(range(len(kinds)), key=lambda number: (kinds[number], number))
    place = {
        number: (cos(2.0 * pi * at / len(order)), sin(2.0 * pi * at / len(order)))
        for at, number in enumerate(order)
    }
    edges = [one for one in study.graph.edges if one.taker != one.maker][:_EDGES_MAX]
    most = max((one.value for one in edges), default=1.0)
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "showlegend": False, "hoverinfo": "skip",
            "x": [place[one.taker][0], place[one.maker][0]], "y": [place[one.taker][1], place[one.maker][1]],
            "line": {"width": 0.3 + 5.0 * one.value / most, "color": _GREY}, "opacity": 0.5,
        }
        for one in edges
    ]  # fmt: skip
    for kind in dict.fromkeys(kinds[number] for number in order):
        members = [number for number in order if kinds[number] == kind]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": kind, "marker": {"size": 9},
                "x": [place[one][0] for one in members], "y": [place[one][1] for one in members],
                "text": [f"{kind} {one}" for one in members],
            }
        )  # fmt: skip
    figure = _figure(data, "", "")
    figure["layout"]["xaxis"]["visible"] = False  # type: ignore[index]
    figure["layout"]["yaxis"] = {"visible": False, "scaleanchor": "x"}  # type: ignore[index]
    return figure


def _thin(values: Floats) -> list[float]:
    every = max(1, len(values) // _POINTS_MAX)
    return [float(one) for one in values[::every]]


def _line(name: str, x: Sequence[float], y: Sequence[float | None], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": list(y),
        "line": {"color": colour, "width": 1},
    }  # fmt: skip


def _figure(data: list[dict[str, Any]], below: str, left: str) -> Figure:
    axes = {"xaxis": {"title": {"text": below}}, "yaxis": {"title": {"text": left}}}
    return {"data": data, "layout": axes}
