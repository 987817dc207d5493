"""A cost report as a table that can be read at a glance in 80 columns.

It takes the JSON form (`impact.shortfall.as_json`), so that the command line prints what the API returns.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from rich.table import Table
from rich.text import Text

from executor.interfaces import figures

_DASH: Final = "-"
_PCT: Final = Decimal(100)
_PARTS: Final = ("delay", "trading", "opportunity", "fees")
_OF_TRADING: Final = {
    "spread": "spread",
    "temporary": "temporary impact",
    "permanent": "permanent impact",
    "timing": "timing",
}


def report_table(report: Mapping[str, object]) -> Table:
    """Lay out a cost report: result, prices, shortfall and its parts, benchmarks, execution, advice if any.

    Costs are positive, for a buy and for a sell; spread captured and value of advice when earned. Unknown values are
    dashes.

    Parameters
    ----------
    report
        A report as the API returns it: decimals as strings, unknown as None.
    """
    table = Table(
        title=Text(f"Cost report of {_word(report, 'parent_id')} on {_word(report, 'venue')}"),
        caption="bps: positive is a cost; of spread captured, mark-outs and value it is a gain",
        width=78,
        show_edge=False,
    )
    table.add_column("figure", ratio=2)
    table.add_column("value", justify="right", ratio=3)
    table.add_column("bps", justify="right", ratio=1, min_width=12, no_wrap=True)
    _group(table, "Result", _result(report))
    _group(table, "Prices", _prices(report))
    _group(table, "Shortfall", _shortfall(report))
    if report.get("predicted_model"):
        _group(table, "Foretold when it began", _foretold(report))
    _group(table, "Benchmarks", _benchmarks(report))
    _group(table, "Execution", _execution(report))
    marks = report.get("mark_outs")
    if isinstance(marks, list) and any(each["fills"] for each in marks):
        _group(table, "Mark-outs", _marks(report, marks))
    advice = _nested(report, "advice")
    if advice:
        _group(table, "Advice", _advice(advice))
    return table


_Row = tuple[str, str, str]


def _group(table: Table, heading: str, rows: list[_Row]) -> None:
    table.add_row(Text(heading, style="bold"))
    for number, (label, value, bps) in enumerate(rows, start=1):
        table.add_row(Text(f"  {label}"), Text(value), Text(bps), end_section=number == len(rows))


def _result(report: Mapping[str, object]) -> list[_Row]:
    left = _word(report, "leaves_qty") + (" (dust)" if report.get("leaves_is_dust") is True else "")
    order = " ".join(_word(report, name) for name in ("side", "order_qty", "symbol", "strategy"))
    return [
        ("order", order, ""),
        ("status", f"{_word(report, 'status')} ({_word(report, 'reason')})", ""),
        ("filled", f"{_word(report, 'cum_qty')} = {_per_cent(report, 'fill_rate')}", ""),
        ("left", left, ""),
    ]


def _prices(report: Mapping[str, object]) -> list[_Row]:
    names = (("decision", "decision_px"), ("arrival", "arrival_px"), ("average", "avg_px"), ("end", "end_px"))
    return [(label, _price(report, name), "") for label, name in names]


def _shortfall(report: Mapping[str, object]) -> list[_Row]:
    quote, bps = _nested(report, "shortfall_quote"), _nested(report, "shortfall_bps")
    split_quote, split_bps = _nested(report, "split_quote"), _nested(report, "split_bps")
    rows = [("total against decision", _amount(quote, "total"), _amount(bps, "total"))]
    for part in _PARTS:
        rows.append((f"  {part}", _amount(quote, part), _amount(bps, part)))
        if part == "trading" and split_bps:
            rows += [
                (f"    {label}", _amount(split_quote, name), _amount(split_bps, name))
                for name, label in _OF_TRADING.items()
            ]
    return [*rows, ("total against arrival", "", _amount(report, "arrival_shortfall_bps"))]


def _foretold(report: Mapping[str, object]) -> list[_Row]:
    """What a model of impact told of the cost, without fees, beside what it came to against arrival."""
    low, high = _amount(report, "predicted_low_bps"), _amount(report, "predicted_high_bps")
    version = report.get("predicted_version")
    model = _word(report, "predicted_model") + (f", calibration {version}" if version else "")
    return [
        ("impact and spread", f"interval {low} to {high}", _amount(report, "predicted_bps")),
        ("came to, without fees", "", _amount(report, "arrival_slippage_bps")),
        ("risk of the market", "", _amount(report, "predicted_risk_bps")),
        ("by", model, ""),
    ]


def _benchmarks(report: Mapping[str, object]) -> list[_Row]:
    return [
        ("VWAP without own", _price(report, "vwap_px"), _amount(report, "vwap_slippage_bps")),
        ("TWAP of mids", _price(report, "twap_px"), _amount(report, "twap_slippage_bps")),
        ("mid at the start", _price(report, "arrival_px"), _amount(report, "arrival_slippage_bps")),
        ("mid at the end", _price(report, "end_px"), _amount(report, "close_slippage_bps")),
        ("spread captured", _amount(report, "spread_captured_quote"), _amount(report, "spread_captured_bps")),
        ("fees of traded value", _amount(report, "fees_quote"), _amount(report, "fees_bps")),
    ]


def _execution(report: Mapping[str, object]) -> list[_Row]:
    counts = _nested(report, "children_by_status")
    children = ", ".join(f"{count} {status}" for status, count in counts.items())
    return [
        ("duration", _word(report, "duration_s", " s"), ""),
        ("orders sent", _word(report, "orders_sent"), ""),
        ("children", children or _word(report, "children"), ""),
        ("maker share", _per_cent(report, "maker_share"), ""),
        ("share of market volume", _word(report, "participation_pct", " %"), ""),
    ]


def _marks(report: Mapping[str, object], marks: Sequence[Mapping[str, object]]) -> list[_Row]:
    """What the mid did after the fills, against their prices; with the standard error where there is one."""
    rows = []
    for mark in marks:
        error = mark.get("standard_error_bps")
        fills = f"{_word(mark, 'fills')} fills" + ("" if error is None else f", ± {figures.amount(error)}")
        rows.append((f"after {_word(mark, 'horizon_s')} s", fills, _amount(mark, "gain_bps")))
    waiting = report.get("marks_pending")
    if waiting:
        rows.append(("still waiting", f"{waiting} fills", ""))
    return [*rows, ("came back since 1 s", "", _amount(report, "reversion_bps"))]


def _advice(advice: Mapping[str, object]) -> list[_Row]:
    counts = _nested(advice, "by_outcome")
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    acted = (
        f"{_word(advice, 'acted_on')} of {_word(advice, 'sent')} sent = {_per_cent(advice, 'acted_share')}"
    )
    at_most = "at most " if advice.get("cost_at_most") is True else ""
    return [
        ("questions", _word(advice, "questions"), ""),
        ("outcomes", outcomes or _DASH, ""),
        ("acted on", acted, ""),
        ("advice put into force", _word(advice, "adaptations", " times"), ""),
        ("schedule had to decide", _per_cent(advice, "fallback_rate"), ""),
        ("spent, US dollars", f"{at_most}{_amount(advice, 'cost_usd')}", _amount(advice, "cost_bps")),
        ("mean latency, answers", _word(advice, "mean_latency_ms", " ms"), ""),
        *_worth(_nested(advice, "worth")),
        *_worst(_nested(advice, "worst_case")),
    ]


def _worth(worth: Mapping[str, object]) -> list[_Row]:
    """What advice was worth, and the impact that was told beside how far the mids moved."""
    if not worth:
        return []
    impact = _nested(worth, "impact")
    fills = f"measured on {_word(worth, 'usual_cost_fills')} fills"
    source = {"MEASURED": fills, "TOUCH": "the touch is assumed"}.get(
        str(worth.get("usual_cost_from")), _DASH
    )
    reach = f"range {_amount(impact, 'low_bps')} to {_amount(impact, 'high_bps')}" if impact else _DASH
    return [
        ("value of following it", _amount(worth, "value_quote"), _amount(worth, "value_bps")),
        ("  standard error", f"{_word(worth, 'periods')} periods", _amount(worth, "standard_error_bps")),
        ("  usual cost", source, _amount(worth, "usual_cost_bps")),
        ("impact told beforehand", reach, _amount(impact, "predicted_bps")),
        ("  as adjusted", "", _amount(impact, "adjusted_bps")),
        ("  mids at the fills", "what the market did included", _amount(impact, "mid_slippage_bps")),
    ]


def _worst(worst: Mapping[str, object]) -> list[_Row]:
    """The most that advice could have done by the last plan, as it was known when that was made."""
    if not worst:
        return []
    switching = _nested(worst, "switching")
    return [
        ("worst: ahead / behind", _off(worst), ""),
        ("  in one slice", _word(worst, "slice_times", " times its quantity"), ""),
        ("  by crossing, no fees", "", _amount(worst, "crossing_bps")),
        ("  by timing", "", _bound(worst, "timing_bps")),
        ("if switched: moved by", _word(switching, "schedule_moved_pct", " %"), ""),
        ("  ahead / behind", _off(switching), ""),
        ("  in one slice", _word(switching, "slice_pct", " % of the order"), ""),
        ("  by timing", "", _bound(switching, "timing_bps")),
    ]


def _off(worst: Mapping[str, object]) -> str:
    return f"{_word(worst, 'ahead_pct', ' %')} / {_word(worst, 'behind_pct', ' %')}"


def _bound(worst: Mapping[str, object], name: str) -> str:
    return _amount(worst, name) if worst.get(name) is not None else "no bound"


def _word(values: Mapping[str, object], name: str, unit: str = "") -> str:
    value = values.get(name)
    return _DASH if value is None else f"{value}{unit}"


def _price(report: Mapping[str, object], name: str) -> str:
    return figures.price(report.get(name), report.get("tick_size"))


def _amount(values: Mapping[str, object], name: str) -> str:
    return figures.amount(values.get(name))


def _per_cent(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return _DASH if value is None else f"{Decimal(str(value)) * _PCT:.2f} %"


def _nested(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = values.get(name)
    return value if isinstance(value, Mapping) else {}
