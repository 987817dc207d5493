"""Watching one parent order until it ends."""

import sys
import time
from typing import TYPE_CHECKING, Final

from executor.interfaces.client import Client, Json
from executor.interfaces.output import cell, console_on, say

if TYPE_CHECKING:
    from rich.table import Table

POLL_S: Final = 0.5


def follow(client: Client, parent_id: str) -> Json:
    """Show the progress of a parent until its state is final; gives its last view.

    Raises
    ------
    CommandFailed
        If the daemon can no longer be reached; the parent itself is not affected.
    """
    path = f"/v1/parents/{parent_id}"
    if not sys.stderr.isatty():
        return _follow_lines(client, path)
    from rich.live import Live  # noqa: PLC0415 - slow to import, and only needed on a terminal

    view = client.get(path)
    with Live(progress_table(view), console=console_on(sys.stderr), auto_refresh=False) as live:
        while not view["final"]:
            time.sleep(POLL_S)
            view = client.get(path)
            live.update(progress_table(view), refresh=True)
    return view


def progress_line(view: Json) -> str:
    """One line about where a parent stands."""
    text = (
        f"{cell(view['id'])} {cell(view['status'])} {cell(view['side'])} {cell(view['filled'])}"
        f"/{cell(view['qty'])} {cell(view['symbol'])} {cell(view['progress_pct'])} %"
        f" (plan {cell(view['schedule_pct'])} %) avg {cell(view['avg_price'])}"
        f" cost {cell(view['shortfall_bps'])} bps"
    )
    return f"{text} waiting: {cell(view['waiting'])}" if view["waiting"] else text


def progress_table(view: Json) -> "Table":
    """Lay a parent out as two columns."""
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415

    rows = (
        ("parent", "id"),
        ("status", "status"),
        ("reason", "reason"),
        ("waiting for", "waiting"),
        ("side", "side"),
        ("symbol", "symbol"),
        ("quantity", "qty"),
        ("filled", "filled"),
        ("leaves", "leaves"),
        ("progress %", "progress_pct"),
        ("plan %", "schedule_pct"),
        ("ahead (+) or late (-) %", "deviation_pct"),
        ("average price", "avg_price"),
        ("arrival price", "arrival_price"),
        ("cost against arrival, bps", "shortfall_bps"),
        ("deadline", "deadline"),
        ("strategy", "strategy"),
        ("parameters", "params"),
        ("children", "children"),
        ("plan", "plan"),
        ("version", "version"),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    for title, key in rows:
        value = view.get(key)
        if key == "plan" and isinstance(value, dict):
            value = {name: inner for name, inner in value.items() if name != "schedule"}
        table.add_row(Text(title), Text(cell(value)))
    return table


def _follow_lines(client: Client, path: str) -> Json:
    """Without a terminal: one line whenever the state, the fills or the obstacles change."""
    last: object = None
    while True:
        view = client.get(path)
        changes = [view[name] for name in ("status", "filled", "waiting")]
        if changes != last:
            say(progress_line(view))
            last = changes
        if view["final"]:
            return view
        time.sleep(POLL_S)
