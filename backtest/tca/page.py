"""An analysis of cost as one page that opens without a network; the same journals, the same bytes."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from backtest.sheet_figures import Figure
from backtest.sheet_page import charts, document, notices, table
from backtest.tca.figures import by_size, distribution, mark_outs_of, means_of, parts_of
from backtest.tca.groups import Analysis, FillGroup, Group
from backtest.tca.measures import BENCHMARKS, KEYS, PARTS, PREDICTED, mark_name
from backtest.tca.sources import Costs
from backtest.tca.summary import interval, mark_cell, summary_lines
from executor.domain.timeline import iso_utc
from impact.tca.mark_outs import MARK_OUTS_S

NOTE: Final = (
    "Costs are basis points of the order's value at arrival (parts: at the decision), positive is a cost; of mark-outs"
    " and spread captured it is a gain. docs/cost-analysis.md defines every figure."
)
_MEAN: Final = ("mean", "interval", "by value", "interval")
_COST: Final = ("orders", "value", *_MEAN, "median", "5 %", "95 %")
_EXECUTION: Final = (
    *BENCHMARKS, "spread_captured", "fees_traded", "maker_share", "fill_rate", "participation_pct",
)  # fmt: skip
_CAPTIONS: Final = {
    "means": "Mean cost against arrival, fees included; bars: 95 % intervals, where there are blocks enough for one.",
    "parts": "What the mean cost is made of, over the orders of which the book before every fill is known.",
    "marks": "The mid after the fills against their prices; above zero the price went our way.",
    "distribution": "Cost of the orders.",
    "size": "Size against cost, order by order.",
}


def page_of(costs: Costs, found: Analysis) -> str:
    """Write the page."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - heavy, and nobody else needs it

    first = next(iter(found.groups.values()), [found.whole])
    figures: dict[str, Figure] = {
        "means": means_of(first),
        "parts": parts_of(first),
        "marks": mark_outs_of(first, found.fills),
        "distribution": distribution(costs.orders),
        "size": by_size(costs.orders),
    }
    heading = f"Cost of {len(costs.orders)} orders"
    body = [
        f"<h1>{heading}</h1>",
        *(f'<p class="soft">{escape(line)}</p>' for line in summary_lines(costs)),
        notices(costs.remarks, NOTE),
        charts(_CAPTIONS, figures),
    ]
    for name, groups in {"all orders": [found.whole], **found.groups}.items():
        body += [f"<h2>{escape(name)}</h2>", *_tables(groups)]
    if found.fills:
        body += [
            "<h2>Fills</h2>",
            table(("fills that", "fills", "value", *_marks()), map(_fill_cells, found.fills)),
        ]
    if found.outliers:
        body += ["<h2>Outliers</h2>", _outliers(costs, found)]
    return document(heading, body, figures, get_plotlyjs())


def _tables(groups: Sequence[Group]) -> Iterable[str]:
    keys = tuple(groups[0].key) or ("orders of",)
    yield table((*keys, *_COST), map(_cost_cells, groups))
    for names, counted in (((*PARTS, "total"), "total"), (_EXECUTION, "cost")):
        yield table((*keys, "orders", *names), (_mean_cells(group, names, counted) for group in groups))
    if any("predicted" in group.figures for group in groups):
        yield table(
            (*keys, "orders", *PREDICTED), (_mean_cells(group, PREDICTED, "predicted") for group in groups)
        )
    yield table((*keys, "orders", *_marks(), "reversion"), map(_mark_cells, groups))


def _key_cells(group: Group) -> tuple[str, ...]:
    return tuple(group.key.values()) or ("all",)


def _cost_cells(group: Group) -> tuple[str, ...]:
    cost = group.figures["cost"]
    return (
        *_key_cells(group),
        str(group.orders),
        f"{group.value:.0f}",
        f"{cost.equal.mean:+.3f}",
        interval(cost.equal),
        "" if cost.weighted is None else f"{cost.weighted.mean:+.3f}",
        interval(cost.weighted),
        *(f"{cost.quantiles[at]:+.3f}" for at in (2, 0, 4)),
    )


def _mean_cells(group: Group, names: Sequence[str], counted: str) -> tuple[str, ...]:
    figures = group.figures
    count = str(figures[counted].orders) if counted in figures else "0"
    return (
        *_key_cells(group),
        count,
        *(f"{figures[name].equal.mean:+.3f}" if name in figures else "" for name in names),
    )


def _mark_cells(group: Group) -> tuple[str, ...]:
    names = (*map(mark_name, MARK_OUTS_S), "reversion")
    found = [group.figures.get(name) for name in names]
    known = max((each.orders for each in found if each is not None), default=0)
    return (
        *_key_cells(group),
        str(known),
        *(mark_cell(None if each is None else each.weighted) for each in found),
    )


def _fill_cells(group: FillGroup) -> tuple[str, ...]:
    marks = (mark_cell(group.mark_outs[mark_name(each)]) for each in MARK_OUTS_S)
    return ("waited" if group.waited else "took", str(group.fills), f"{group.notional:.0f}", *marks)


def _marks() -> tuple[str, ...]:
    return tuple(f"{each} s" for each in MARK_OUTS_S)


def _outliers(costs: Costs, found: Analysis) -> str:
    columns = ("order", *KEYS, "start", "cost bps", "robust deviations", "source")
    return table(
        columns,
        (
            (
                each.order.name, *(key(each.order) for key in KEYS.values()), iso_utc(each.order.start_ns),
                f"{each.cost_bps:+.3f}", f"{each.distance:+.1f}", str(costs.sources[each.order.source]),
            )
            for each in found.outliers
        ),
    )  # fmt: skip
