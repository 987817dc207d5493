"""What `executor plan` tells people: the order, its cost, its slices as bars, and what stands in its way."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from executor.interfaces.output import show, show_rich

if TYPE_CHECKING:
    from rich.table import Table

_BAR_CHARS: Final = 30
_ROWS_MAX: Final = 24
"""Rows of the schedule on a terminal; a longer plan is told in groups of slices."""

Told = Mapping[str, Any]


def show_plan(told: Told) -> None:
    """Print a plan, as the daemon tells it, on standard output."""
    show(_heading(told))
    if told["refused"]:
        show(f"it would be REFUSED now: {told['refused']}")
    show_rich(_costs(told))
    many = len(told["slices"])
    show(
        f"{many} slice{'s' if many != 1 else ''}, done {told['done'] or 'nobody knows when'};"
        f" share of the volume {told['participation_pct']:.2f} %, at most {told['participation_most_pct']:.2f} %"
    )
    show_rich(_slices(told))
    if told["limits"]:
        show_rich(_limits(told))
    if told["frontier"]:
        show_rich(_frontier(told))
    if told["alternatives"]:
        show_rich(_alternatives(told))
    if told["worst_case"]:
        show(f"at most, whatever a model advises: {_worst(told['worst_case'])}")
    for line in told["remarks"]:
        show(f"- {line}")


def _heading(told: Told) -> str:
    order, figures = told["order"], told["figures"]
    limit = f", limit {order['limit_price']}" if order["limit_price"] else ""
    model = told["model"]
    calibrated = f", calibration {model['calibration']}" if model["calibration"] else ", not calibrated"
    return "\n".join(
        (
            (
                f"{order['side']} {order['qty']} {order['unit']} of {order['category']} {order['symbol']} by"
                f" {order['strategy']}{limit}, {order['start']} to {order['deadline']}, residual {order['residual']}"
            ),
            (
                f"market ({figures['source']}): price {figures['price']}, spread {figures['spread_bps']:.2f} bps,"
                f" volatility {figures['volatility_hourly_pct']:.3f} %"
                f" and volume {figures['volume_hourly']:.6g} an hour"
            ),
            f"model: {model['name']}{calibrated}",
        )
    )


def _table(title: str, *columns: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415 - slow to import, and only needed for tables

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _costs(told: Told) -> "Table":
    cost = told["cost"]
    table = _table("expected cost", "", "bps", "quote")
    if cost is None:
        table.add_row("nothing is expected to be done", "-", "-")
        return table
    unit = cost["notional_quote"] / 10_000.0

    def row(name: str, bps: float | None) -> None:
        table.add_row(name, "-", "-") if bps is None else table.add_row(
            name, f"{bps:.2f}", f"{bps * unit:.2f}"
        )

    row("impact", cost["impact_bps"])
    row("  at the least plausible", cost["impact_low_bps"])
    row("  at the greatest", cost["impact_high_bps"])
    row("spread", cost["spread_bps"])
    row("fees", cost["fees_bps"])
    row("expected", cost["expected_bps"])
    row("risk (one standard deviation)", cost["risk_bps"])
    row("interval from", cost["low_bps"])
    row("         to", cost["high_bps"])
    for one in cost["remaining"]:
        row(f"displaced {one['after_s']:g} s after the end", one["bps"])
    return table


def _slices(told: Told) -> "Table":
    rows = _grouped(told["slices"])
    table = _table("", "from (UTC)", "quantity", "sum", "share %", "")
    most = max((float(one["expected_qty"]) for one in rows), default=0.0)
    table.columns[-1].justify = "left"
    for one in rows:
        qty = float(one["expected_qty"])
        bar = "█" * round(_BAR_CHARS * qty / most) if most else ""
        table.add_row(
            one["start"].replace("T", " ").rstrip("Z"),
            one["expected_qty"],
            one["cum_qty"],
            f"{one['participation_pct']:.2f}",
            bar,
        )
    return table


def _grouped(slices: Sequence[Told]) -> list[Told]:
    """Rows for a terminal: slices one by one, or several of them as one, quantities summed and shares at their most."""
    width = -(-len(slices) // _ROWS_MAX) or 1
    if width == 1:
        return list(slices)
    rows: list[Told] = []
    before = 0.0
    for first in range(0, len(slices), width):
        group = slices[first : first + width]
        cum = float(group[-1]["cum_qty"])
        rows.append(
            {
                "start": group[0]["start"],
                "expected_qty": f"{cum - before:.8g}",
                "cum_qty": group[-1]["cum_qty"],
                "participation_pct": max(one["participation_pct"] for one in group),
            }
        )
        before = cum
    return rows


def _limits(told: Told) -> "Table":
    table = _table("what it would run into", "what", "it", "")
    table.columns[1].justify = table.columns[2].justify = "left"
    for one in told["limits"]:
        table.add_row(one["what"], one["severity"], one["detail"])
    return table


def _frontier(told: Told) -> "Table":
    table = _table("efficient frontier of arrival-price", "kappa T", "urgency", "expected bps", "risk bps")
    for one in told["frontier"]:
        table.add_row(
            f"{one['kappa_t']:g}",
            one["urgency"] or "-",
            f"{one['expected_bps']:.2f}",
            f"{one['risk_bps']:.2f}",
        )
    return table


def _alternatives(told: Told) -> "Table":
    table = _table(
        "the same order by other strategies",
        "strategy", "expected bps", "from", "to", "risk bps", "share at most %", "left",
    )  # fmt: skip
    own = {"strategy": told["order"]["strategy"], **told}
    for one in (own, *told["alternatives"]):
        cost = one["cost"]
        figures = (
            ("-",) * 4
            if cost is None
            else tuple(f"{cost[name]:.2f}" for name in ("expected_bps", "low_bps", "high_bps", "risk_bps"))
        )
        table.add_row(one["strategy"], *figures, f"{one['participation_most_pct']:.2f}", one["left_qty"])
    return table


def _worst(worst: Told) -> str:
    timing = worst["timing_bps"]
    return (
        f"{float(worst['ahead_pct']):.1f} % ahead of the schedule or {float(worst['behind_pct']):.1f} % behind,"
        f" {worst['participation_times']} times a slice, {float(worst['crossing_bps']):.1f} bps by crossing,"
        f" {'without bound' if timing is None else f'{float(timing):.1f} bps'} by timing,"
        f" {worst['bill_max']} US dollars of answers"
    )
