"""The page of a plan: its slices, the volume beside them, what it costs by which strategy, and every row as a table."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from backtest.sheet_figures import Figure, label
from backtest.sheet_page import charts, document, notices, table

_BLUE, _GREY, _AMBER = "#3b82f6", "#94a3b8", "#f59e0b"
_CAPTIONS: Final = {
    "slices": "What each slice is expected to do (bars), and what is done by its end (line).",
    "share": "Own share of everything that is expected to trade in each slice, per cent.",
    "cost": "Expected cost by strategy, basis points; bars are the interval, the market's own moves included.",
    "frontier": "Arrival-price from even to almost at once: expected cost against risk, basis points.",
}

Told = Mapping[str, Any]


def plan_page(told: Told) -> str:
    """Write the page of a plan as `executor plan --json` tells it."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - heavy, and nobody else needs it

    order, figures = told["order"], told["figures"]
    heading = f"{order['side']} {order['qty']} {order['symbol']} by {order['strategy']}"
    when = f"{order['start']} to {order['deadline']}, residual {order['residual']}"
    pictures = {"slices": _slices(told["slices"]), "share": _shares(told["slices"])}
    if told["cost"] is not None:
        pictures["cost"] = _costs(told)
    if told["frontier"]:
        pictures["frontier"] = _frontier(told["frontier"])
    warnings = [f"{one['what']}: {one['detail']}" for one in told["limits"]]
    if told["refused"]:
        warnings.insert(0, f"it would be refused now: {told['refused']}")
    body = [
        f"<h1>{escape(heading)}</h1>",
        f'<p class="soft">{escape(when)}; model {escape(told["model"]["name"])}</p>',
        notices(warnings, "A plan, not an order: nothing was sent. " + ". ".join(told["remarks"]) + "."),
        charts(_CAPTIONS, pictures),
        "<h2>Expected cost</h2>",
        table(("part", "basis points", "quote units"), _cost_rows(told["cost"])),
        "<h2>Market</h2>",
        table(("figure", "value"), ((name, str(value)) for name, value in figures.items() if value is not None)),
        "<h2>Slices</h2>",
        table(
            ("from", "to", "planned", "expected", "sum", "share %"),
            (
                (
                    one["start"], one["end"], one["planned_qty"], one["expected_qty"], one["cum_qty"],
                    f"{one['participation_pct']:.3f}",
                )
                for one in told["slices"]
            ),
        ),
    ]  # fmt: skip
    return document(heading, body, pictures, get_plotlyjs())


def _cost_rows(cost: Told | None) -> list[tuple[str, str, str]]:
    if cost is None:
        return [("nothing is expected to be done", "-", "-")]
    unit = cost["notional_quote"] / 10_000.0
    names = {
        "impact_bps": "impact", "spread_bps": "spread", "fees_bps": "fees", "expected_bps": "expected",
        "risk_bps": "risk, one standard deviation", "low_bps": "interval from", "high_bps": "interval to",
    }  # fmt: skip
    return [
        (words, "-", "-") if cost[name] is None else (words, f"{cost[name]:.3f}", f"{cost[name] * unit:.2f}")
        for name, words in names.items()
    ]


def _slices(slices: Sequence[Told]) -> Figure:
    starts = [one["start"] for one in slices]
    done: Figure = {
        "type": "scatter", "mode": "lines", "name": "done", "yaxis": "y2", "line": {"color": _AMBER, "shape": "hv"},
        "x": [*starts[:1], *(one["end"] for one in slices)],
        "y": [*([0.0] if starts else []), *(float(one["cum_qty"]) for one in slices)],
    }  # fmt: skip
    bars: Figure = {
        "type": "bar", "name": "slice", "marker": {"color": _BLUE}, "x": starts,
        "y": [float(one["expected_qty"]) for one in slices],
    }  # fmt: skip
    figure = _figure([bars, done], "UTC", "quantity of a slice")
    figure["layout"]["yaxis2"] = {  # type: ignore[index]
        "overlaying": "y", "side": "right", "rangemode": "tozero", "title": {"text": "done"}, "showgrid": False,
    }  # fmt: skip
    return figure


def _shares(slices: Sequence[Told]) -> Figure:
    bars: Figure = {
        "type": "bar", "name": "share", "marker": {"color": _GREY}, "x": [one["start"] for one in slices],
        "y": [one["participation_pct"] for one in slices],
    }  # fmt: skip
    return _figure([bars], "UTC", "share, %")


def _costs(told: Told) -> Figure:
    own = {"strategy": told["order"]["strategy"], "cost": told["cost"]}
    rows = [one for one in (own, *told["alternatives"]) if one["cost"] is not None]
    points: Figure = {
        "type": "scatter", "mode": "markers", "name": "expected", "marker": {"color": _BLUE, "size": 9},
        "x": [one["cost"]["expected_bps"] for one in rows], "y": [label(one["strategy"]) for one in rows],
        "error_x": {
            "type": "data", "symmetric": False, "color": _GREY,
            "array": [one["cost"]["high_bps"] - one["cost"]["expected_bps"] for one in rows],
            "arrayminus": [one["cost"]["expected_bps"] - one["cost"]["low_bps"] for one in rows],
        },
    }  # fmt: skip
    return _figure([points], "bps", "")


def _frontier(points: Sequence[Told]) -> Figure:
    line: Figure = {
        "type": "scatter", "mode": "lines+markers+text", "name": "arrival-price", "line": {"color": _BLUE},
        "x": [one["risk_bps"] for one in points], "y": [one["expected_bps"] for one in points],
        "text": [label(one["urgency"] or f"{one['kappa_t']:g}") for one in points], "textposition": "top right",
    }  # fmt: skip
    return _figure([line], "risk, bps", "expected cost, bps")


def _figure(data: list[Figure], below: str, left: str) -> Figure:
    axes = {"xaxis": {"title": {"text": below}}, "yaxis": {"title": {"text": left}}}
    return {"data": data, "layout": axes}
