"""The tear sheet of a run or a comparison: one page that opens without a network; the same results, the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backtest.blocks import blocked
from backtest.sheet_data import Contest, Parent, Results, Summary
from backtest.sheet_figures import (
    Figure,
    differences,
    duels,
    histogram,
    one_order,
    participation,
    parts,
    share_below,
)
from backtest.sheet_page import Sheet, page, table
from backtest.sheet_trace import read_trace

DRAWN_MAX: Final = 60
"""So many orders have a picture of their own; of more, the dearest and the cheapest halves of it."""
_CAPTIONS: Final = {
    "histogram": "Cost of the orders; dashed: the mean of each policy.",
    "share_below": "The share of the orders that cost no more.",
    "parts": (
        "What the cost is made of. Spread: fills against the mid of their moment (below zero is earned); drift: that"
        " mid against arrival; opportunity: what was not filled, at the price of the end."
    ),
    "participation": "The share of the public volume that an order was, against what it cost.",
    "duels": "Differences of mean cost with their intervals; green where a winner can be named.",
    "differences": "Differences of cost, moment by moment; the sides of a moment are one observation.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A page, and what is on it.

    Parameters
    ----------
    drawn
        Orders with a picture of their own.
    """

    text: str
    orders: int
    drawn: int


def tear_sheet(folder: Path, drawn_max: int = DRAWN_MAX) -> Written:
    """Make the page of a folder of results.

    Raises
    ------
    DataError
        If the folder holds no results, or a file in it cannot be trusted.
    """
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - heavy, and nobody else needs it

    results = Results(folder)
    summary = results.summary
    chosen = chosen_parents(summary.parents, drawn_max)
    orders = {f"{one.name} ({one.report.symbol})": _picture(results, one) for one in chosen}
    sheet = Sheet(
        heading=_heading(summary),
        note=summary.note,
        warnings=summary.warnings,
        summary=_lines(summary),
        table=_cost_table(summary) + ("" if summary.contest is None else _contest_table(summary.contest)),
        figures=_figures(summary),
        captions=_CAPTIONS,
        orders=orders,
        remarks=_remarks(results, chosen),
        parents=summary.parents,
        markets=summary.markets(),
    )
    return Written(text=page(sheet, get_plotlyjs()), orders=len(summary.parents), drawn=len(orders))


def chosen_parents(parents: Sequence[Parent], drawn_max: int) -> list[Parent]:
    """Choose the orders that have a picture: all that were filled at all, or the dearest and the cheapest."""
    filled = [one for one in parents if one.fills and one.report.arrival_shortfall_bps is not None]
    if len(filled) <= drawn_max:
        return filled
    by_cost = sorted(filled, key=lambda one: (one.report.arrival_shortfall_bps, one.name))
    cheapest = drawn_max // 2
    names = {one.name for one in (*by_cost[:cheapest], *by_cost[len(by_cost) - drawn_max + cheapest :])}
    return [one for one in filled if one.name in names]


def _picture(results: Results, parent: Parent) -> Figure:
    journal = results.journals.get(parent.name)
    return one_order(
        parent, results.trades.get(parent.name, ()), None if journal is None else read_trace(journal)
    )


def _figures(summary: Summary) -> dict[str, Figure]:
    found = {
        "histogram": histogram(summary),
        "share_below": share_below(summary),
        "parts": parts(summary),
        "participation": participation(summary),
    }
    if summary.contest is not None:
        found |= {"duels": duels(summary.contest), "differences": differences(summary.contest)}
    return found


def _heading(summary: Summary) -> str:
    names = [
        " ".join(str(market.recording.get(part, "")) for part in ("venue", "category", "symbol"))
        for market in summary.markets()
    ]
    what = "Orders" if summary.contest is None else " against ".join(summary.policies())
    return f"{what} in recorded books, {', '.join(names)}"


def _lines(summary: Summary) -> list[str]:
    lines = [
        "{category} {symbol}: recorded {from} to {to}".format_map(
            {part: market.recording.get(part, "") for part in ("category", "symbol", "from", "to")}
        )
        for market in summary.markets()
    ]
    grounds = ", ".join(f"{name} {one.fills}" for name, one in summary.fills_by_ground.items()) or "none"
    return [
        *lines,
        f"{summary.orders} orders, {summary.failed} without an end that can be measured",
        f"fills: {grounds}",
    ]


def _cost_table(summary: Summary) -> str:
    policies = summary.policies()
    beside = {"impact model, bps": _charged_cell, "funding, bps": _held_cell}
    cells = {name: [cell(summary, policy) for policy in policies] for name, cell in beside.items()}
    shown = {name: each for name, each in cells.items() if any(each)}
    lines = []
    for number, policy in enumerate(policies):
        orders = sum(one.policy == policy for one in summary.parents)
        told = (each[number] for each in shown.values())
        lines.append((policy, str(orders), *_mean_cells(summary, policy), *told))
    return table(("policy", "orders", "mean cost, bps", "interval", "confidence", "blocks", *shown), lines)


def _charged_cell(summary: Summary, policy: str) -> str:
    """What a model of impact charges a policy beside its cost; empty where none was asked."""
    found = summary.charged(policy)
    if found is None:
        return ""
    if found.mean is None or found.low is None or found.high is None:
        return "not known"
    return f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def _held_cell(summary: Summary, policy: str) -> str:
    """What holding has cost a policy beside its cost; empty where nobody was charged."""
    found = summary.held(policy)
    return f"{found.mean_bps:+.4f}" if found and found.orders_charged and found.mean_bps is not None else ""


def _mean_cells(summary: Summary, policy: str) -> tuple[str, ...]:
    """Mean cost and its interval: as the summary has them, or of a policy's own moments as a comparison draws them."""
    mean = summary.arrival_shortfall_bps
    contest = summary.contest
    if contest is not None and policy in contest.mean_cost_bps:
        costs = [each[policy] for each in contest.each]
        first = contest.pairs[0]
        found = blocked(costs, first.block, lengths=contest.lengths(), confidence=first.confidence)
        return _interval(contest.mean_cost_bps[policy], found.low, found.high, found.confidence, found.blocks)
    if contest is None and mean is not None:
        return _interval(mean.mean, mean.low, mean.high, mean.confidence, mean.blocks)
    return "", "", "", ""


def _interval(
    mean: float, low: float | None, high: float | None, confidence: float | None, blocks: int | None
) -> tuple[str, ...]:
    if low is None or high is None or confidence is None:
        return f"{mean:+.4f}", "too few moments", "", ""
    return f"{mean:+.4f}", f"{low:+.4f} to {high:+.4f}", f"{confidence:.0%}", str(blocks)


def _contest_table(contest: Contest) -> str:
    columns = (
        "difference", "mean, bps", "interval", "standard error", "p (Holm)", "p alone", "cheaper", "shown, bps",
    )  # fmt: skip
    lines = [
        (
            f"{one.first} - {one.second}", f"{one.mean:+.4f}", f"{one.low:+.4f} to {one.high:+.4f}",
            f"{one.standard_error:.4f}", f"{one.p_holm:.4f}", f"{one.p:.4f}",
            one.cheaper or "no difference can be shown",
            "" if one.smallest_shown is None else f"{one.smallest_shown:.4f}",
        )
        for one in contest.pairs
    ]  # fmt: skip
    told = (
        f"{contest.moments} moments that every policy ended, {contest.moments_left_out} left out; Holm's p allows for"
        f" all {contest.tests} tests. Shown: the true difference that would be seen with a probability of"
        f" {contest.pairs[0].power:.0%}."
    )
    return f'{table(columns, lines)}<p class="soft">{told}</p>'


def _remarks(results: Results, chosen: Sequence[Parent]) -> list[str]:
    told = [
        (
            "Book and fills stand at the exchange's time, orders at ours, which is later by what the wire takes."
            " A hollow circle is a fill that only the queue model knows of."
        ),
    ]
    if any(one.name not in results.journals for one in chosen):
        told.append(
            "Where no journal was kept (--journals) there is no book, no order and no schedule to be shown."
        )
    left_out = len(results.summary.parents) - len(chosen)
    if left_out:
        told.append(
            f"{left_out} orders have no picture: those without fills or without a cost, and the middle of more than"
            f" {len(chosen)}; the table has them all."
        )
    return told
