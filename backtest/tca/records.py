"""An analysis of cost for machines: plain JSON values, and a line for each order or fill as CSV."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, TextIO

from backtest.tca.groups import CONFIDENCE, QUANTILES, Analysis, Figure, FillGroup, Group, Mean, Outlier
from backtest.tca.measures import KEYS, MEASURES, paper_value
from backtest.tca.sources import Costs, OrderCost, marked_fills
from executor.domain.timeline import iso_utc
from executor.domain.units import BPS_PER_UNIT
from impact.tca.mark_outs import MARK_OUTS_S

_PLACES: Final = 6
_ORDER_COLUMNS: Final = (
    "source", "order", *KEYS, "start", "end", "order_qty", "cum_qty", "value", "traded_value", "arrival_px", "avg_px",
    "orders_sent", "marks_pending", *(f"{each.name}_bps" if each.name not in {
        "inside_share", "fill_rate", "maker_share", "participation_pct", "duration_s"} else each.name
        for each in MEASURES),
)  # fmt: skip
_FILL_COLUMNS: Final = (
    "source", "order", "client_order_id", "exec_id", "time", "symbol", "side", "waited", "qty", "px", "value", "fee",
    "mid_px", "far_touch_px", "spread_captured_bps", *(f"mark_out_{each}s_bps" for each in MARK_OUTS_S), "is_whole",
)  # fmt: skip


def analysis_record(costs: Costs, found: Analysis) -> dict[str, object]:
    """Everything that was found; bps: positive is a cost, of mark-outs, spread captured and advice a gain."""
    return {
        "sources": [str(path) for path in costs.sources],
        "remarks": list(costs.remarks),
        "orders": len(costs.orders),
        "uncosted": costs.uncosted,
        "unfinished": costs.unfinished,
        "confidence": CONFIDENCE,
        "quantiles": list(QUANTILES),
        "all": _group(found.whole),
        "by": {name: [_group(each) for each in groups] for name, groups in found.groups.items()},
        "fills": [_fills(each) for each in found.fills],
        "outliers": [_outlier(costs, each) for each in found.outliers],
    }


def write_orders(file: TextIO, costs: Costs) -> None:
    """Write a line for each order."""
    writer = csv.DictWriter(file, _ORDER_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_order_line(costs, one) for one in costs.orders)


def write_fills(file: TextIO, costs: Costs) -> int:
    """Write a line for each fill of the orders; gives their number. Folders of results have theirs in `trades.csv`."""
    writer = csv.DictWriter(file, _FILL_COLUMNS, lineterminator="\n")
    writer.writeheader()
    wanted = {(one.source, one.name) for one in costs.orders}
    count = 0
    for number, path in enumerate(costs.sources):
        if path.is_dir():
            continue
        for fill in marked_fills(path):
            if (number, str(fill["parent_id"])) in wanted:
                writer.writerow(_fill_line(path, fill))
                count += 1
    return count


def _group(group: Group) -> dict[str, object]:
    figures = {name: _figure(each) for name, each in group.figures.items()}
    return {
        "key": group.key,
        "orders": group.orders,
        "value": round(group.value, _PLACES),
        "figures": figures,
    }


def _figure(figure: Figure) -> dict[str, object]:
    return {
        "orders": figure.orders,
        "blocks": figure.blocks,
        **_mean(figure.equal),
        "weighted": None if figure.weighted is None else _mean(figure.weighted),
        "quantiles": [round(each, _PLACES) for each in figure.quantiles],
    }


def _mean(mean: Mean) -> dict[str, float | None]:
    return {name: None if value is None else round(value, _PLACES) for name, value in asdict(mean).items()}


def _fills(group: FillGroup) -> dict[str, object]:
    marks = {name: None if each is None else _mean(each) for name, each in group.mark_outs.items()}
    return {
        "waited": group.waited,
        "fills": group.fills,
        "value": round(group.notional, _PLACES),
        "mark_outs": marks,
    }


def _outlier(costs: Costs, outlier: Outlier) -> dict[str, object]:
    one = outlier.order
    return {
        "source": str(costs.sources[one.source]),
        "order": one.name,
        "algorithm": one.algorithm,
        "symbol": KEYS["symbol"](one),
        "side": one.report.side,
        "start": iso_utc(one.start_ns),
        "cost_bps": outlier.cost_bps,
        "distance": round(outlier.distance, 2),
    }


def _order_line(costs: Costs, one: OrderCost) -> dict[str, object]:
    report = one.report
    figures = (_shown(each.of(one)) for each in MEASURES)
    return {
        "source": str(costs.sources[one.source]),
        "order": one.name,
        **{name: key(one) for name, key in KEYS.items()},
        "start": iso_utc(one.start_ns),
        "end": iso_utc(one.end_ns),
        "order_qty": report.order_qty,
        "cum_qty": report.cum_qty,
        "value": round(paper_value(one), _PLACES),
        "traded_value": report.cum_notional,
        "arrival_px": _shown(report.arrival_px),
        "avg_px": _shown(report.avg_px),
        "orders_sent": report.orders_sent,
        "marks_pending": report.marks_pending,
        **dict(zip(_ORDER_COLUMNS[-len(MEASURES) :], figures, strict=True)),
    }


def _fill_line(path: Path, fill: Mapping[str, object]) -> dict[str, object]:
    ts_ns, side = int(str(fill["ts_exchange_ns"])), int(str(fill["side"]))
    return {
        "source": str(path),
        "order": fill["parent_id"],
        "client_order_id": fill["client_order_id"],
        "exec_id": fill["exec_id"],
        "time": iso_utc(ts_ns),
        "symbol": f"{fill['category']} {fill['symbol']}",
        "side": "BUY" if side > 0 else "SELL",
        "waited": fill["waited"],
        "qty": fill["qty"],
        "px": fill["px"],
        "value": fill["notional"],
        "fee": _shown(fill["fee"]),
        "mid_px": _shown(fill["mid_px"]),
        "far_touch_px": _shown(fill["far_touch_px"]),
        "is_whole": fill["is_whole"],
        **dict(_moves(fill, side)),
    }


def _moves(fill: Mapping[str, object], side: int) -> Iterator[tuple[str, object]]:
    """Moves from the price to the mid before the fill and to those after it, basis points; empty where not known."""
    px = fill["px"]
    assert isinstance(px, float), "a column of numbers"
    named = [("spread_captured", "mid_px"), *((f"mark_out_{each}s", f"mid_{each}s") for each in MARK_OUTS_S)]
    for name, column in named:
        mid_px = fill[column]
        if isinstance(mid_px, float):
            yield f"{name}_bps", round(side * (mid_px - px) / px * float(BPS_PER_UNIT), _PLACES)
        else:
            yield f"{name}_bps", ""


def _shown(value: object) -> object:
    return "" if value is None else value
