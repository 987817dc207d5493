"""An analysis of cost as tables on a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from backtest.tca.groups import Analysis, FillGroup, Group, Outlier
from backtest.tca.measures import BENCHMARKS, PARTS, PREDICTED, mark_name
from backtest.tca.sources import Costs
from backtest.tca.summary import interval, mark_cell
from executor.domain.timeline import iso_utc
from impact.tca.mark_outs import MARK_OUTS_S

_EXECUTION = (*BENCHMARKS, "spread_captured", "fees_traded", "reversion")
_SHARES = ("maker_share", "fill_rate", "participation_pct", "duration_s")


def analysis_tables(costs: Costs, found: Analysis) -> Iterator[Table]:
    """Lay an analysis out: cost, parts, benchmarks and mark-outs by group, then fills and outliers."""
    for name, groups in found.groups.items():
        shown = groups if len(groups) == 1 else [*groups, found.whole]
        yield _costs(name, shown)
        if any("total" in group.figures for group in shown):
            yield _means(
                f"What it is made of, by {name}: mean, bps of the value at the decision, from the decision price on",
                shown,
                (*PARTS, "total"),
                "total",
            )
        yield _means(
            f"Fills against benchmarks, by {name}: mean, bps of what was traded", shown, _EXECUTION, "cost"
        )
        yield _means(f"Execution, by {name}: mean", shown, _advised(shown, _SHARES), "cost", sign="")
        if any("predicted" in group.figures for group in shown):
            yield _means(
                f"Foretold when they began, by {name}: mean, bps without fees; share inside the interval",
                shown,
                PREDICTED,
                "predicted",
            )
        if any(mark_name(MARK_OUTS_S[0]) in group.figures for group in shown):
            yield _marks(f"Mark-outs, by {name}: bps of what was traded, above zero is a gain", shown)
    if found.fills:
        yield _fills(found.fills)
    if found.outliers:
        yield _outliers(costs, found.outliers)


def _costs(name: str, groups: Sequence[Group]) -> Table:
    heads = (
        name,
        "orders",
        "value",
        "mean",
        "95 % interval",
        "by value",
        "95 % interval",
        "5 %",
        "median",
        "95 %",
    )
    lines = []
    for group in groups:
        cost = group.figures["cost"]
        low, middle, high = cost.quantiles[0], cost.quantiles[2], cost.quantiles[-1]
        weighted = "" if cost.weighted is None else f"{cost.weighted.mean:+.3f}"
        lines.append(
            (
                _named(group), str(group.orders), f"{group.value:.0f}", f"{cost.equal.mean:+.3f}",
                interval(cost.equal) or "-", weighted, interval(cost.weighted) or "-",
                *(f"{each:+.3f}" for each in (low, middle, high)),
            )
        )  # fmt: skip
    return _table(
        f"Cost by {name}: bps of the value at arrival, from the mid at the start on, fees included",
        heads,
        lines,
    )


def _means(title: str, groups: Sequence[Group], names: Sequence[str], counted: str, sign: str = "+") -> Table:
    lines = []
    for group in groups:
        figures = group.figures
        count = str(figures[counted].orders) if counted in figures else "0"
        means = (f"{figures[name].equal.mean:{sign}.3f}" if name in figures else "-" for name in names)
        lines.append((_named(group), count, *means))
    return _table(title, ("", "orders", *(name.replace("_", " ") for name in names)), lines)


def _advised(groups: Sequence[Group], names: Sequence[str]) -> tuple[str, ...]:
    """The names, and the value of advice where an order was advised."""
    advised = any("advice_value" in group.figures for group in groups)
    return (*names, "advice_value") if advised else tuple(names)


def _marks(title: str, groups: Sequence[Group]) -> Table:
    lines = []
    for group in groups:
        found = [group.figures.get(mark_name(horizon_s)) for horizon_s in MARK_OUTS_S]
        known = max((each.orders for each in found if each is not None), default=0)
        cells = (mark_cell(None if each is None else each.weighted) or "-" for each in found)
        lines.append((_named(group), str(known), *cells))
    return _table(title, ("", "orders", *(f"{horizon_s} s" for horizon_s in MARK_OUTS_S)), lines)


def _fills(groups: Sequence[FillGroup]) -> Table:
    lines = [
        (
            "waited" if each.waited else "took",
            str(each.fills),
            f"{each.notional:.0f}",
            *(mark_cell(each.mark_outs[mark_name(horizon_s)]) or "-" for horizon_s in MARK_OUTS_S),
        )
        for each in groups
    ]
    heads = ("", "fills", "value", *(f"{horizon_s} s" for horizon_s in MARK_OUTS_S))
    return _table("Mark-outs of fills that waited, and of fills that took: bps", heads, lines)


def _outliers(costs: Costs, outliers: Sequence[Outlier]) -> Table:
    lines = [
        (
            each.order.name,
            each.order.algorithm,
            each.order.report.side,
            each.order.report.symbol,
            iso_utc(each.order.start_ns),
            f"{each.cost_bps:+.3f}",
            f"{each.distance:+.1f}",
            costs.sources[each.order.source].name,
        )
        for each in outliers
    ]
    heads = ("order", "algorithm", "side", "symbol", "start", "bps", "robust deviations", "in")
    return _table("Orders that cost unlike the others", heads, lines)


def _named(group: Group) -> str:
    return " ".join(group.key.values()) or "all"


def _table(title: str, heads: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    table = Table(title=Text(title), title_justify="left", show_edge=False, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(Text(head), justify="right" if number else "left", no_wrap=True)
    for line in lines:
        table.add_row(*map(Text, line))
    return table
