"""Tables for people beside the journal: parents, children and fills as they stand, in the same transaction."""

from decimal import Decimal
from typing import Final

import apsw

from executor.domain.advice import AdviceRecord
from executor.domain.fill_mark import FillMark
from executor.domain.fills import Fill
from executor.domain.orders import Liquidity, Side
from executor.domain.units import plain
from executor.engine.engine import Touched
from executor.engine.state import ChildState, EngineState, ParentState
from executor.runtime.record import decode_decision, encode_decision
from impact.tca.mark_outs import MARK_OUTS_S


def write_touched(db: apsw.Connection, touched: Touched, state: EngineState, seq: int) -> None:
    """Write what one event changed."""
    for fill in touched.fills:
        db.execute("INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", _fill_row(fill, seq))
    for name in touched.children:
        db.execute(
            "INSERT OR REPLACE INTO children VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            _child_row(state.children[name]),
        )
    for decision in touched.decisions:
        db.execute(
            "INSERT INTO decisions VALUES (?,?,?,?,?) ON CONFLICT (decision_id) DO UPDATE SET body=excluded.body",
            _decision_row(decision),
        )
    for mark in touched.marks:
        db.execute(_MARK_SQL, _mark_row(mark))
    for name in touched.parents:
        db.execute(
            "INSERT OR REPLACE INTO parents VALUES (?,?,?,?,?,?,?,?,?,?,?)", _parent_row(state.parents[name])
        )


_MARK_SQL: Final = "INSERT OR REPLACE INTO marks VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"


def marks_schema() -> str:
    """SQL of the table of fills with the mids around them: statistics; the exact numbers are in `fills`."""
    mids = "".join(f", mid_{horizon_s}s REAL" for horizon_s in MARK_OUTS_S)
    return f"""CREATE TABLE IF NOT EXISTS marks (
    category TEXT NOT NULL, symbol TEXT NOT NULL, exec_id TEXT NOT NULL, parent_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL, side INTEGER NOT NULL, waited INTEGER NOT NULL, ts_exchange_ns INTEGER NOT NULL,
    qty REAL NOT NULL, px REAL NOT NULL, notional REAL NOT NULL, fee REAL, mid_px REAL, far_touch_px REAL,
    spread REAL NOT NULL, temporary REAL NOT NULL, permanent REAL NOT NULL, is_whole INTEGER NOT NULL{mids},
    PRIMARY KEY (category, symbol, exec_id)
) STRICT;
"""


def _mark_row(mark: FillMark) -> tuple[str | int | float | None, ...]:
    mids = [*mark.mids, *[None] * (len(MARK_OUTS_S) - len(mark.mids))]
    return (
        mark.category.value,
        mark.symbol,
        mark.exec_id,
        mark.parent_id,
        mark.client_order_id,
        mark.side.sign,
        int(mark.liquidity is Liquidity.MAKER),
        mark.ts_exchange_ns,
        float(mark.qty),
        float(mark.px),
        float(mark.notional),
        _real(mark.fee),
        _real(mark.mid_px),
        _real(mark.far_touch_px),
        float(mark.spread),
        float(mark.temporary),
        float(mark.permanent),
        int(len(mark.mids) == len(MARK_OUTS_S)),
        *map(_real, mids),
    )


def _real(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def decisions_in(db: apsw.Connection, parent_id: str) -> list[AdviceRecord]:
    """Every question about a parent and what became of it, oldest first."""
    query = "SELECT body FROM decisions WHERE parent_id=? ORDER BY rowid"
    return [decode_decision(bytes(body)) for (body,) in db.execute(query, (parent_id,))]


def _decision_row(decision: AdviceRecord) -> tuple[str | int | bytes, ...]:
    return (
        decision.decision_id,
        decision.parent_id,
        decision.decided_ns,
        decision.outcome.value,
        encode_decision(decision),
    )


def first_difference(db: apsw.Connection, state: EngineState) -> str:
    """Where the tables first disagree with the state about quantities; empty when they agree."""
    parents = dict(db.execute("SELECT parent_id, cum_qty || ' ' || cum_notional FROM parents"))
    for name, parent in state.parents.items():
        expected = f"{plain(parent.cum_qty)} {plain(parent.cum_notional)}"
        if parents.pop(name, None) != expected:
            return f"parent {name} has {expected} by the journal"
    children = dict(db.execute("SELECT client_order_id, qty || ' ' || cum_qty FROM children"))
    for name, child in state.children.items():
        expected = f"{plain(child.order.qty)} {plain(child.cum_qty)}"
        if children.pop(name, None) != expected:
            return f"child {name} has {expected} by the journal"
    fills: dict[str, tuple[str, Decimal, Decimal]] = {}
    for category, symbol, exec_id, side, qty, px in db.execute(
        "SELECT category, symbol, exec_id, side, last_qty, last_px FROM fills"
    ):
        fills[f"{category}:{symbol}:{exec_id}"] = (side, Decimal(qty), Decimal(px))
    for key, content in state.executions.items():
        side, qty, px = content.split(":")
        if fills.pop(key, None) != (Side(int(side)).name, Decimal(qty), Decimal(px)):
            return f"fill {key} is {content} by the journal"
    strangers = [*parents, *children, *fills]
    return f"{strangers[0]} is not in the journal" if strangers else ""


def _fill_row(fill: Fill, seq: int) -> tuple[str | int, ...]:
    return (
        fill.category.value,
        fill.symbol,
        fill.exec_id,
        fill.client_order_id,
        fill.venue_order_id,
        fill.side.name,
        plain(fill.last_qty),
        plain(fill.last_px),
        plain(fill.fee),
        fill.fee_coin,
        fill.liquidity.value,
        fill.ts_exchange_ns,
        seq,
    )


def _child_row(child: ChildState) -> tuple[str | int, ...]:
    return (
        child.order.client_order_id,
        child.order.parent_id,
        child.venue_order_id,
        child.status.value,
        child.style.value,
        plain(child.order.qty),
        plain(child.order.px),
        plain(child.cum_qty),
        plain(child.cum_notional),
        plain(child.fees),
        child.created_ns,
        child.done_ns,
        child.detail,
    )


def _parent_row(parent: ParentState) -> tuple[str | int, ...]:
    order = parent.order
    return (
        order.parent_id,
        parent.status.value,
        parent.reason.value,
        order.category.value,
        order.symbol,
        order.side.name,
        plain(order.order_qty),
        plain(parent.cum_qty),
        plain(parent.cum_notional),
        parent.created_ns,
        parent.finished_ns,
    )
