"""The pictures of a tear sheet, as plotly understands them: plain values, and text with nothing in it to be obeyed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from itertools import accumulate
from math import ceil, floor, fsum, log10
from typing import Final

from backtest.grounds import Ground
from backtest.sheet_data import Contest, Parent, Summary, Trade
from backtest.sheet_trace import Trace

Figure = dict[str, object]
Axes = dict[str, dict[str, object]]
PARTS: Final = ("delay", "spread", "drift", "opportunity", "fees")
_COLOURS: Final = ("#3b82f6", "#f59e0b", "#10b981", "#ec4899", "#8b5cf6", "#14b8a6", "#ef4444", "#84cc16")
_PART_COLOURS: Final = dict(zip(PARTS, ("#8b5cf6", "#f59e0b", "#3b82f6", "#ec4899", "#94a3b8"), strict=True))
_GROUND_MARKS: Final = {
    Ground.TAKEN.value: "x",
    Ground.PRINT_THROUGH.value: "diamond",
    Ground.BOOK_REACHED.value: "square",
    Ground.ORDER_LEVEL.value: "circle",
    Ground.QUEUE_MODEL.value: "circle-open",
}
_NS_PER_S: Final = 1e9
_BINS: Final = 40
_TICKS: Final = 6
_MARGIN: Final = 0.08
_NO_SPAN: Final = 1e-4


def label(text: object) -> str:
    """Text for a picture; plotly reads tags and entities in it."""
    return escape(str(text), quote=False)


def histogram(summary: Summary) -> Figure:
    """Cost of the orders: how many cost what, by policy, with the mean of each."""
    data: list[Figure] = []
    shapes: list[Figure] = []
    costs = _costs(summary)
    every = [cost for each in costs.values() for cost in each]
    low, high = (min(every), max(every)) if every else (0.0, 1.0)
    size = (high - low) / _BINS or 1.0
    for number, (policy, values) in enumerate(costs.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        data.append(
            {
                "type": "histogram", "name": label(policy), "x": values, "opacity": 0.6,
                "marker": {"color": colour}, "xbins": {"start": low, "end": high + size, "size": size},
            }
        )  # fmt: skip
        if values:
            shapes.append(_upright(fsum(values) / len(values), colour))
    axes = _axes("cost, bps of the value at arrival", "orders")
    fullest = max((max(_counts(values, low, size)) for values in costs.values() if values), default=1)
    axes["yaxis"]["dtick"] = max(1, ceil(fullest / _TICKS))  # orders are whole
    return _figure(data, {"barmode": "overlay", "shapes": shapes, **axes})


def share_below(summary: Summary) -> Figure:
    """Cost of the orders: the share of them that cost no more."""
    data: list[Figure] = []
    for number, (policy, values) in enumerate(_costs(summary).items()):
        data.append(
            {
                "type": "scatter", "mode": "lines", "name": label(policy),
                "x": [*sorted(values)[:1], *sorted(values)],
                "y": [n / len(values) for n in range(len(values) + 1)],
                "line": {"shape": "hv", "color": _COLOURS[number % len(_COLOURS)]},
            }
        )  # fmt: skip
    axes = _axes("cost, bps of the value at arrival", "share of orders that cost no more")
    axes["yaxis"]["range"] = [0.0, 1.05]
    return _figure(data, axes)


def parts(summary: Summary) -> Figure:
    """What the cost is made of: mean of each policy."""
    names = summary.policies()
    means = {name: mean_parts([one for one in summary.parents if one.policy == name]) for name in names}
    known = {name: found for name, found in means.items() if found is not None}
    data: list[Figure] = [
        {
            "type": "bar", "name": part, "x": [label(name) for name in known],
            "y": [found[part] for found in known.values()], "marker": {"color": _PART_COLOURS[part]},
        }
        for part in PARTS
    ]  # fmt: skip
    return _figure(data, {"barmode": "relative", **_axes("", "mean cost, bps")})


def mean_parts(parents: Sequence[Parent]) -> dict[str, float] | None:
    """Mean of each part of the cost, basis points; None where no order has one."""
    found = [one for one in (parent.report.parts_bps() for parent in parents) if one is not None]
    if not found:
        return None
    return {part: fsum(float(one[part]) for one in found) / len(found) for part in PARTS}


def participation(summary: Summary) -> Figure:
    """Share of the market's volume that an order was, against what it cost."""
    data: list[Figure] = []
    for number, policy in enumerate(summary.policies()):
        shown = [
            one
            for one in summary.parents
            if one.policy == policy
            and one.report.participation_pct
            and one.report.arrival_shortfall_bps is not None
        ]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": label(policy),
                "x": [_number(one.report.participation_pct) for one in shown],
                "y": [_number(one.report.arrival_shortfall_bps) for one in shown],
                "text": [label(one.name) for one in shown],
                "marker": {"color": _COLOURS[number % len(_COLOURS)]},
            }
        )  # fmt: skip
    axes = _axes("participation, % of the public volume meanwhile", "cost, bps")
    ticks = _decades([float(one.report.participation_pct or 0) for one in summary.parents])
    axes["xaxis"] |= {
        "type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks],
        "range": [log10(ticks[0]) - _MARGIN, log10(ticks[-1]) + _MARGIN],
    }  # fmt: skip
    return _figure(data, axes)


def duels(contest: Contest) -> Figure:
    """Differences of mean cost with their intervals; left of zero the first is cheaper."""
    pairs = contest.pairs[::-1]
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "markers", "name": "difference", "x": [one.mean for one in pairs],
            "y": [label(f"{one.first} - {one.second}") for one in pairs],
            "error_x": {
                "type": "data", "symmetric": False, "array": [one.high - one.mean for one in pairs],
                "arrayminus": [one.mean - one.low for one in pairs], "color": "#94a3b8",
            },
            "marker": {"size": 9, "color": [_COLOURS[2] if one.cheaper else _COLOURS[0] for one in pairs]},
        }
    ]  # fmt: skip
    layout = _axes("difference of mean cost, bps", "")
    return _figure(data, {**layout, "shapes": [_upright(0.0, "#94a3b8")], "showlegend": False})


def differences(contest: Contest) -> Figure:
    """Difference of each pair at each moment."""
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "markers", "name": label(f"{one.first} - {one.second}"),
            "x": [each["number"] for each in contest.each],
            "y": [each[one.first] - each[one.second] for each in contest.each],
            "marker": {"color": _COLOURS[number % len(_COLOURS)]},
        }
        for number, one in enumerate(contest.pairs)
    ]  # fmt: skip
    return _figure(data, _axes("moment", "difference of cost, bps"))


def one_order(parent: Parent, trades: Sequence[Trade], trace: Trace | None) -> Figure:
    """Price with orders and fills, schedule against executed, and participation, one above the other."""
    first_ns = trades[0].ts_exchange_ns if trades else 0
    start_ns = first_ns if trace is None else trace.start_ns
    data = [] if trace is None else [_mid(trace), _orders(trace)]
    data += _fills(trades, start_ns)
    if parent.report.arrival_px is not None:
        data.append(_arrival(data, parent.report.arrival_px))
    data += _progress(trades, trace, start_ns)
    if trace is not None:
        data.append(_share(trades, trace))
    if trace is None:
        panels = _panels("the first fill", {"price": (0.45, 1.0), "quantity": (0.0, 0.38)})
    else:
        panels = _panels(
            "the order", {"price": (0.5, 1.0), "quantity": (0.22, 0.44), "participation, %": (0.0, 0.16)}
        )
    panels["yaxis"] |= _prices(parent, trades, trace)
    return _figure(data, {"height": 720, **panels})


def _prices(parent: Parent, trades: Sequence[Trade], trace: Trace | None) -> dict[str, object]:
    """The axis of prices: what traded and where the book was. A limit far away, of an order that takes, is cut off."""
    arrival = [] if parent.report.arrival_px is None else [parent.report.arrival_px]
    shown = [
        *arrival,
        *(one.px for one in trades),
        *(() if trace is None else (one.mid_px for one in trace.touches)),
    ]
    places = max((-int(one.px.as_tuple().exponent) for one in trades), default=0)
    found: dict[str, object] = {"tickformat": f",.{max(places, 0)}f"}
    if shown:
        low, high = float(min(shown)), float(max(shown))
        margin = _MARGIN * (high - low) or abs(high) * _NO_SPAN
        found["range"] = [low - margin, high + margin]
    return found


def _panels(since: str, domains: dict[str, tuple[float, float]]) -> Axes:
    """Axes of pictures above each other with one axis of time below the last."""
    axes: Axes = {
        f"yaxis{number if number > 1 else ''}": {"title": {"text": title}, "domain": list(domain)}
        for number, (title, domain) in enumerate(domains.items(), start=1)
    }
    return {**axes, "xaxis": {"title": {"text": f"seconds since {since}"}, "anchor": f"y{len(domains)}"}}


def _mid(trace: Trace) -> Figure:
    return {
        "type": "scatter", "mode": "lines", "name": "mid", "x": [_s(one.at_ns, trace) for one in trace.touches],
        "y": [float(one.mid_px) for one in trace.touches], "line": {"shape": "hv", "color": "#94a3b8", "width": 1.2},
    }  # fmt: skip


def _orders(trace: Trace) -> Figure:
    """Every order as a line at its price for as long as it stood; gaps between them are nulls."""
    x: list[float | None] = []
    y: list[float | None] = []
    for child in trace.children:
        for (at_ns, px), (until_ns, _) in zip(
            child.prices, [*child.prices[1:], (child.done_ns, None)], strict=True
        ):
            x += [_s(at_ns, trace), _s(until_ns, trace)]
            y += [float(px), float(px)]
        x.append(None)
        y.append(None)
    return {
        "type": "scatter", "mode": "lines", "name": "child orders", "x": x, "y": y, "connectgaps": False,
        "line": {"color": _COLOURS[0], "width": 3}, "opacity": 0.6,
    }  # fmt: skip


def _fills(trades: Sequence[Trade], start_ns: int) -> list[Figure]:
    grounds = list(dict.fromkeys(one.ground for one in trades))
    found: list[Figure] = []
    for ground in grounds:
        shown = [one for one in trades if one.ground == ground]
        found.append(
            {
                "type": "scatter", "mode": "markers", "name": label(f"fill: {ground}"),
                "x": [_since(one.ts_exchange_ns, start_ns) for one in shown], "y": [float(one.px) for one in shown],
                "text": [label(f"{one.qty:f} {one.liquidity}") for one in shown],
                "marker": {"size": 9, "color": _COLOURS[1], "symbol": _GROUND_MARKS.get(ground, "star")},
            }
        )  # fmt: skip
    return found


def _progress(trades: Sequence[Trade], trace: Trace | None, start_ns: int) -> list[Figure]:
    sums = list(accumulate((one.qty for one in trades), initial=Decimal(0)))
    times = [0.0, *(_since(one.ts_exchange_ns, start_ns) for one in trades)]
    done: Figure = {
        "type": "scatter", "mode": "lines", "name": "executed", "yaxis": "y2",
        "x": times, "y": [float(one) for one in sums], "line": {"shape": "hv", "color": _COLOURS[2]},
    }  # fmt: skip
    if trace is None:
        return [done]
    planned: Figure = {
        "type": "scatter", "mode": "lines", "name": "schedule", "yaxis": "y2",
        "x": [_s(at_ns, trace) for at_ns, _ in trace.planned], "y": [float(qty) for _, qty in trace.planned],
        "line": {"dash": "dot", "color": _COLOURS[4]},
    }  # fmt: skip
    return [planned, done]


def _share(trades: Sequence[Trade], trace: Trace) -> Figure:
    """Our fills over the public volume since the order came, per cent; nothing while nobody has traded."""
    x, y = [], []
    before = trace.touches[0].traded_qty if trace.touches else Decimal(0)
    ours, at = Decimal(0), 0
    for touch in trace.touches:
        while at < len(trades) and trades[at].ts_exchange_ns <= touch.at_ns:
            ours += trades[at].qty
            at += 1
        if touch.traded_qty > before:
            x.append(_s(touch.at_ns, trace))
            y.append(round(float(ours / (touch.traded_qty - before) * 100), 4))
    return {
        "type": "scatter", "mode": "lines", "name": "participation", "yaxis": "y3", "x": x, "y": y,
        "line": {"color": _COLOURS[3]},
    }  # fmt: skip


def _costs(summary: Summary) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {policy: [] for policy in summary.policies()}
    for one in summary.parents:
        cost = _number(one.report.arrival_shortfall_bps)
        if cost is not None:
            found[one.policy].append(cost)
    return found


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _s(at_ns: int, trace: Trace) -> float:
    return _since(at_ns, trace.start_ns)


def _since(at_ns: int, start_ns: int) -> float:
    return round((at_ns - start_ns) / _NS_PER_S, 3)


def _upright(at: float, colour: str) -> Figure:
    return {
        "type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1,
        "line": {"color": colour, "dash": "dash", "width": 1.5},
    }  # fmt: skip


def _arrival(drawn: Sequence[Figure], px: Decimal) -> Figure:
    """The arrival price over all the time that is drawn."""
    times = [at for one in drawn for at in _listed(one["x"]) if isinstance(at, float)]
    return {
        "type": "scatter", "mode": "lines", "name": "arrival", "x": [0.0, max(times, default=1.0)],
        "y": [float(px), float(px)], "line": {"color": "#ef4444", "dash": "dash", "width": 1},
    }  # fmt: skip


def _listed(values: object) -> list[object]:
    return values if isinstance(values, list) else []


def _decades(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of each power of ten, from below the least value to above the greatest; zeros do not count."""
    above = [value for value in values if value > 0.0] or [1.0]
    powers = range(floor(log10(min(above))), floor(log10(max(above))) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    ticks.append(10.0**powers.stop)
    first = max(number for number, tick in enumerate(ticks) if tick <= min(above))
    last = min(number for number, tick in enumerate(ticks) if tick >= max(above))
    return ticks[first : last + 1]


def _counts(values: Sequence[float], low: float, size: float) -> Sequence[int]:
    """How many values each bar of a histogram has."""
    return list(Counter(int((value - low) / size) for value in values).values())


def _axes(x: str, y: str) -> Axes:
    return {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}}


def _figure(data: list[Figure], layout: Mapping[str, object]) -> Figure:
    return {"data": data, "layout": layout}
