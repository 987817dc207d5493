"""Checking what is stored: the same reading as at import, over rows that were written."""

from decimal import Decimal
from pathlib import Path

import numpy as np

from backtest.dataset.check import Checker, Origin, Premises, lone_bounds
from backtest.dataset.faults import Findings
from backtest.dataset.instruments import read_rules
from backtest.dataset.rows import Kind
from backtest.dataset.store import Day, read_info, stream_rows


def check_day(root: Path, day: Day, examples_max: int = 20) -> Findings:
    """Find what is wrong with a stored day; lines are rows of the day, from 1.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    info, found = read_info(day.path), Findings(examples_max)
    rules = read_rules(root, day.stream)
    ruled = rules is not None and rules.tick_from == "rules"
    tick = (rules.tick_size if ruled and rules is not None else None) or Decimal(info.tick_size)
    lot = (rules.qty_step if ruled and rules is not None else None) or Decimal(info.lot_size)
    distinct = np.empty(0, np.int64)
    for rows in stream_rows(day.path):
        priced = ~np.isin(rows.kind, (Kind.MARK, Kind.FUNDING, Kind.CLEAR, Kind.HALT))
        distinct = np.union1d(distinct, rows.px[priced])
    bounds = lone_bounds(distinct)
    checker = Checker(
        found=found,
        premises=Premises(
            tick_multiple=max(1, int(tick / Decimal(info.tick_size))),
            lot_multiple=max(1, int(lot / Decimal(info.lot_size))),
            px_low=None if bounds is None else bounds[0],
            px_high=None if bounds is None else bounds[1],
            recv_known=info.recv_known,
            trades_numbered=info.trades_numbered,
            void_ids=info.void_ids,
        ),
    )
    first = 1
    for rows in stream_rows(day.path):
        # Several sources of one day were merged by time, so a store has one order only.
        numbered = np.arange(first, first + len(rows), dtype=np.int64)
        ident = (
            np.where(rows.kind == Kind.TRADE, rows.seq, 0)
            if info.trades_numbered
            else np.zeros_like(numbered)
        )
        origin = Origin(sources=(day.name,), source=np.zeros(len(rows), np.int64), line=numbered, ident=ident)
        checker.feed(rows, origin)
        first += len(rows)
    for name, count in info.left_out.items():
        found.note(f"left out at import: {name}", count)
    return found
