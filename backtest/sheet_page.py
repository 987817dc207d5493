"""The page of a tear sheet: tables that need no script, pictures that need no network, and no text that is obeyed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from importlib.resources import files
from typing import Final

import msgspec

from backtest.sheet_data import Market, Parent
from backtest.sheet_figures import PARTS, Figure

_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:;"
    " form-action 'none'; base-uri 'none'"
)
"""The browser itself refuses every address, whatever the library would ask for.

A window that opens is beyond its reach: so sheet.js shows none of the library's buttons, one of which opens a service.
"""
_COLUMNS: Final = (
    "order", "symbol", "start", "side", "policy", "status", "ordered", "filled", "arrival", "average", "cost bps",
    *PARTS, "against VWAP bps", "participation %", "waited", "fills", "of the queue model", "impact model bps",
    "funding", "funding bps", "failure",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a page shows.

    Parameters
    ----------
    heading
        What it is about.
    figures
        Pictures of the whole, by name; `captions` says what each shows.
    orders
        Pictures of single orders, by the name of the order.
    remarks
        What the reader of these pictures must know.
    """

    heading: str
    note: str
    warnings: Sequence[str]
    summary: Sequence[str]
    table: str
    figures: Mapping[str, Figure]
    captions: Mapping[str, str]
    orders: Mapping[str, Figure]
    remarks: Sequence[str]
    parents: Sequence[Parent]
    markets: Sequence[Market]


def page(sheet: Sheet, library: str) -> str:
    """Write the page.

    Parameters
    ----------
    library
        Source of plotly's script.
    """
    body = [
        f"<h1>{escape(sheet.heading)}</h1>",
        *(f'<p class="soft">{escape(line)}</p>' for line in sheet.summary),
        notices(sheet.warnings, sheet.note),
        f"<h2>Cost</h2>{sheet.table}",
        charts(sheet.captions, sheet.figures),
        _one_order(sheet),
        "<h2>Every order</h2>",
        table(_COLUMNS, map(_order_cells, sheet.parents)),
        "<h2>Settings</h2>",
        *(table(("setting", "value"), _settings(market), "wide settings") for market in sheet.markets),
    ]
    return document(sheet.heading, body, sheet.figures, library, list(sheet.orders.values()))


def document(
    heading: str,
    body: Iterable[str],
    figures: Mapping[str, Figure],
    library: str,
    orders: Sequence[Figure] = (),
) -> str:
    """Put a page together that opens without a network.

    Parameters
    ----------
    body
        Pieces of HTML.
    figures, orders
        Pictures that the body has places for, by name; and those of single orders, in the order of their chooser.
    library
        Source of plotly's script.
    """
    script = files("backtest").joinpath("sheet.js").read_text(encoding="utf-8")
    style = files("backtest").joinpath("sheet.css").read_text(encoding="utf-8")
    values = {"sheet": dict(figures), "orders": list(orders)}
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)}</title>\n<style>\n{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + f'\n<script type="application/json" id="figures">{_inert(values)}</script>'
        f"\n<script>{library}</script>\n<script>\n{script}</script>\n</body></html>\n"
    )


def table(columns: Iterable[str], lines: Iterable[Iterable[str]], look: str = "wide") -> str:
    """Write a table; cells are plain text."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in line) for line in lines)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="{look}"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _inert(values: object) -> str:
    """JSON in which no tag can begin, so that no text ends the element that holds it."""
    return msgspec.json.encode(values).decode().replace("<", "\\u003c")


def notices(warnings: Iterable[str], note: str) -> str:
    """Write what a reader must know first."""
    told = "".join(f"<p><strong>Warning</strong> {escape(one)}</p>" for one in warnings)
    return f'<div class="warnings">{told}<p>{escape(note)}</p></div>'


def charts(captions: Mapping[str, str], figures: Iterable[str]) -> str:
    """Make places for pictures, each with what it shows."""
    return f'<div class="pair">{"".join(_chart(name, captions[name]) for name in figures)}</div>'


def _chart(name: str, caption: str) -> str:
    return (
        f'<figure><div class="chart" data-figure="{escape(name)}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _one_order(sheet: Sheet) -> str:
    if not sheet.orders:
        return ""
    options = "".join(f"<option>{escape(name)}</option>" for name in sheet.orders)
    remarks = "".join(f'<p class="soft">{escape(line)}</p>' for line in sheet.remarks)
    return (
        f'<h2>One order</h2><p><label>Order <select id="order" autocomplete="off">{options}</select></label></p>'
        f'<figure><div class="chart" id="one-order"></div></figure>{remarks}'
    )


def _order_cells(parent: Parent) -> Iterable[str]:
    report = parent.report
    cost = report.parts_bps() or {}
    modelled = parent.fills_by_ground.get("queue-model")
    return (
        parent.name,
        report.symbol,
        parent.start,
        report.side,
        parent.policy,
        f"{report.status} {report.reason}".strip(),
        _plain(report.order_qty),
        _plain(report.cum_qty),
        _plain(report.arrival_px),
        _plain(report.avg_px),
        _plain(report.arrival_shortfall_bps),
        *(_plain(cost.get(part)) for part in PARTS),
        _plain(report.vwap_slippage_bps),
        _plain(report.participation_pct),
        _plain(report.maker_share),
        str(parent.fills),
        "0" if modelled is None else str(modelled.fills),
        _plain(parent.impact_model_bps),
        _plain(parent.funding_quote),
        _plain(parent.funding_bps),
        parent.failure,
    )


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def _settings(market: Market) -> Iterable[tuple[str, str]]:
    yield from _settings_of({**market.recording, **market.conditions})


def _settings_of(values: Mapping[str, object], before: str = "") -> Iterable[tuple[str, str]]:
    for key, value in values.items():
        name = before + key.replace("_", " ")
        match value:
            case dict():
                yield from _settings_of(value, f"{name} ")
            case list():
                yield name, ", ".join(map(str, value)) or "none"
            case bool():
                yield name, "yes" if value else "no"
            case None:
                yield name, "none"
            case _:
                yield name, str(value)
