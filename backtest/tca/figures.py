"""The pictures of an analysis of cost, as plotly understands them."""

from collections.abc import Sequence
from typing import Final, TypeVar

from backtest.sheet_figures import Axes, Figure, label
from backtest.tca.groups import FillGroup, Group, Mean
from backtest.tca.measures import PARTS, mark_name, paper_value
from backtest.tca.sources import OrderCost
from impact.tca.mark_outs import MARK_OUTS_S

_COLOURS: Final = ("#3b82f6", "#f59e0b", "#10b981", "#ec4899", "#8b5cf6", "#14b8a6", "#ef4444", "#84cc16")
_PART_COLOURS: Final = dict(
    zip(PARTS, ("#8b5cf6", "#f59e0b", "#ef4444", "#ec4899", "#3b82f6", "#14b8a6", "#94a3b8"), strict=True)
)
_BINS: Final = 60
_T = TypeVar("_T")
_DRAWN_MAX: Final = 5_000
"""More points than this are thinned: nobody can see them, and a page would become heavy."""


def parts_of(groups: Sequence[Group]) -> Figure:
    """What the mean cost of each group is made of."""
    known = [group for group in groups if "total" in group.figures]
    names = [_name(group) for group in known]
    data: list[Figure] = [
        {
            "type": "bar", "name": part, "x": names, "y": [group.figures[part].equal.mean for group in known],
            "marker": {"color": _PART_COLOURS[part]},
        }
        for part in PARTS
    ]  # fmt: skip
    return {"data": data, "layout": {"barmode": "relative", **_axes("", "mean, bps of the order's value")}}


def means_of(groups: Sequence[Group]) -> Figure:
    """Mean cost of each group with its interval, where there is one."""
    known = [group.figures["cost"].equal for group in groups]
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "markers", "name": "mean", "x": [_name(group) for group in groups],
            "y": [each.mean for each in known], "marker": {"size": 9, "color": _COLOURS[0]},
            "error_y": _bars(known),
        }
    ]  # fmt: skip
    return {"data": data, "layout": {"showlegend": False, **_axes("", "mean cost, bps")}}


def distribution(orders: Sequence[OrderCost]) -> Figure:
    """How many orders cost what, by algorithm."""
    costs: dict[str, list[float]] = {}
    for one in orders:
        assert one.report.arrival_shortfall_bps is not None, "orders without a cost are not among them"
        costs.setdefault(one.algorithm, []).append(one.report.arrival_shortfall_bps)
    every = [cost for each in costs.values() for cost in each]
    low, high = min(every), max(every)
    size = (high - low) / _BINS or 1.0
    data: list[Figure] = [
        {
            "type": "histogram", "name": label(name), "x": _thinned(values), "opacity": 0.6,
            "marker": {"color": _COLOURS[number % len(_COLOURS)]},
            "xbins": {"start": low, "end": high + size, "size": size},
        }
        for number, (name, values) in enumerate(costs.items())
    ]  # fmt: skip
    return {
        "data": data,
        "layout": {"barmode": "overlay", **_axes("cost, bps of the value at arrival", "orders")},
    }


def mark_outs_of(groups: Sequence[Group], fills: Sequence[FillGroup]) -> Figure:
    """Mark-outs by horizon, of each group and of all fills that waited or took; above zero is a gain."""
    lines = {
        _name(group): {name: group.figures[name].weighted for name in _MARKS if name in group.figures}
        for group in groups
    }
    lines |= {f"all fills that {'waited' if each.waited else 'took'}": each.mark_outs for each in fills}
    data: list[Figure] = []
    for number, (name, marks) in enumerate(lines.items()):
        known = [
            (horizon_s, mean)
            for horizon_s in MARK_OUTS_S
            if (mean := marks.get(mark_name(horizon_s))) is not None
        ]
        data.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": name,
                "x": [horizon_s for horizon_s, _ in known], "y": [mean.mean for _, mean in known],
                "error_y": _bars([mean for _, mean in known]),
                "line": {"color": _COLOURS[number % len(_COLOURS)]},
            }
        )  # fmt: skip
    axes = _axes("after the fill, seconds", "mark-out, bps of the traded value")
    axes["xaxis"] |= {
        "type": "log",
        "tickvals": list(MARK_OUTS_S),
        "ticktext": [str(each) for each in MARK_OUTS_S],
    }
    return {"data": data, "layout": dict(axes)}


def by_size(orders: Sequence[OrderCost]) -> Figure:
    """Value of each order against what it cost."""
    shown = _thinned(list(orders))
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "markers", "name": "order", "x": [paper_value(one) for one in shown],
            "y": [one.report.arrival_shortfall_bps for one in shown], "text": [label(one.name) for one in shown],
            "marker": {"color": _COLOURS[0], "opacity": 0.5},
        }
    ]  # fmt: skip
    axes = _axes("value at arrival, quote units", "cost, bps")
    axes["xaxis"] |= {"type": "log"}
    return {"data": data, "layout": {"showlegend": False, **axes}}


_MARKS: Final = tuple(mark_name(horizon_s) for horizon_s in MARK_OUTS_S)


def _bars(means: Sequence[Mean]) -> Figure:
    """Bars of intervals; none where there is no interval."""
    up = [0.0 if each.high is None else each.high - each.mean for each in means]
    down = [0.0 if each.low is None else each.mean - each.low for each in means]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": "#94a3b8"}


def _thinned(values: list[_T]) -> list[_T]:
    step = len(values) // _DRAWN_MAX + 1
    return values[::step]


def _name(group: Group) -> str:
    return label(" ".join(group.key.values()) or "all")


def _axes(x: str, y: str) -> Axes:
    return {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}}
