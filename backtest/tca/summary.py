"""An analysis of cost in words: what was read, and how figures are written."""

from backtest.tca.groups import Mean
from backtest.tca.sources import Costs
from executor.domain.timeline import iso_utc


def many(count: int, noun: str) -> str:
    """Count things: 1 order, 2 orders."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def summary_lines(costs: Costs) -> list[str]:
    """Say what was read: how many orders, from when to when, out of what, and which are in no figure."""
    orders = costs.orders
    last_ns = max(one.end_ns for one in orders)
    read = f"from {many(len(costs.sources), 'source')}"
    lines = [f"{many(len(orders), 'order')}, {iso_utc(orders[0].start_ns)} to {iso_utc(last_ns)}, {read}"]
    if costs.unfinished or costs.uncosted:
        lines.append(
            f"in no figure: {costs.unfinished} orders without a final report, {costs.uncosted} that have no cost"
        )
    split = sum(one.report.split_bps is not None for one in orders)
    if split < len(orders):
        lines.append(f"in seven parts: {split} orders; of the others the book before every fill is not known")
    waiting = sum(one.report.marks_pending for one in orders)
    if waiting:
        lines.append(f"{waiting} fills still waited for a mark when their report was made")
    return lines


def interval(mean: Mean | None) -> str:
    """Bounds of a mean."""
    if mean is None or mean.low is None or mean.high is None:
        return ""
    return f"{mean.low:+.3f} to {mean.high:+.3f}"


def mark_cell(mean: Mean | None) -> str:
    """A mean with its standard error."""
    if mean is None:
        return ""
    return (
        f"{mean.mean:+.3f}"
        if mean.standard_error is None
        else f"{mean.mean:+.3f} ± {mean.standard_error:.3f}"
    )
