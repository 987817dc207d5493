"""Write docs/life-of-a-parent.md: one parent order from submission to report, told from the rows of its journal.

    python docs/life.py            work the order in a market from a seed and write the page
    python docs/life.py --check    exit 1 if the rows are not those of the page

The same engine, the same journal and the same seed give the same rows; no text of this page is made up but the words
between them.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
from pages import run, table

from backtest.run import INSTANCE, START_NS, Scene, drive
from backtest.scenes import RULES, START_PX, USUAL_TERMS
from executor.domain.events import ParentSubmitted
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams, Urgency
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Quantity
from executor.runtime.journal import Journal
from simulation.walk_market import Walk

FOLDER: Final = Path(__file__).resolve().parent
NAME: Final = "life-of-a-parent.md"
SEED: Final = 5
"""Of a market in which the order meets a refused post-only order, an amendment, a cancel and a crossing."""
QTY: Final = Decimal("1.2")
DURATION_S: Final = 30
SLICE_S: Final = 10
WARMUP_S: Final = 15
_SIDES: Final = {side.sign: side.name.lower() for side in Side}
_QUIET: Final = frozenset({"SetTimer"})
_SHOWN: Final = ("PlaceOrder", "ReplaceOrder", "CancelOrder", "PublishMove", "StoreReport")
"""What must happen in this life; a page without one of them would tell too little."""
_PAGE: Final = """\
# Life of a parent order

<!-- Written by docs/life.py from a run of the engine. Change that, then run it again. -->

Buy {qty} BTCUSDT within {duration} seconds, in even slices of {slice}, and cross what is left at the end. Below is
what stood in the journal afterwards. The market is drawn from a seed and the clock is virtual; engine, gate and
journal are those that trade. Words: [concepts.md](concepts.md). Which file does what:
[architecture.md](architecture.md#life-of-a-parent-order).

## Before it came

The daemon had watched the market for {warmup} s. What it is allowed, what the venue's rules are, which streams are
live and what the venue holds were events too, and so are rows:

{before}

Nothing opens before `Reconciled`: positions and open orders as the venue holds them.

## From submission to report

Time is counted from the submission. {quiet} rows are left out: books, and timers in which nothing was commanded but
the next timer.

{rows}

How to read it:

- **An event and what it caused are one row**, committed before anything is carried out. After a crash the row is
  there, or nothing was sent.
- **`PlaceOrder` holds an approval.** The gate has seen this order, at this price, under this ticket; nothing else
  can reach the wire.
- **An acknowledgement proves nothing.** `OrderAcked` says that the venue has read the request; `OrderUpdated` and
  `OrderFilled`, from the account's own stream, say what became of it.
- **A post-only order that would have taken is cancelled by the venue.** The slice is not lost: what it wanted is
  still wanted, and is asked for again.
- **`ReplaceOrder` follows the market** without a moment in which no order is there.
- **When the time to rest is over, what is still wanted is taken.** The resting order is cancelled first; only when
  that is proved does the crossing one leave, so that both can never fill.
- **A fill is booked once.** {repeated}
- **A move `A` → `B`** is one of the parent's [states](reference/states.md).

One command as it stands in the file:

```json
{place}
```

## Its child orders

{children}

## Its fills

{fills}

## Its report

{status} ({reason}): {cum_qty} of {qty} at {avg_px} on average, {arrival_px} at arrival. In basis points of the value
at the decision:

{parts}

`executor report P1` prints it, `executor audit` replays all rows and compares every command, `executor tca` sums up
many such reports ([cost-analysis.md](cost-analysis.md)).
"""


class Row(NamedTuple):
    """A row of the journal."""

    seq: int
    at_ns: int
    kind: str
    event: Mapping[str, Any]
    commands: Sequence[tuple[str, Mapping[str, Any]]]

    @property
    def names(self) -> list[str]:
        """Commands of the row."""
        return [name for name, _ in self.commands]


class Life(NamedTuple):
    """What was left on the disk."""

    rows: Sequence[Row]
    children: Sequence[tuple[str, ...]]
    fills: Sequence[tuple[str, ...]]
    report: Mapping[str, Any]


def lived() -> Life:
    """Work the order and read its journal.

    Raises
    ------
    ValueError
        If something that the page tells about did not happen.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        with Journal.open(path, create=True, instance=INSTANCE) as journal:
            drive(_scene(), SEED, journal=journal)
        life = _read(path)
    done = {name for row in life.rows for name in row.names}
    missing = [name for name in _SHOWN if name not in done]
    if missing or not any("CROSS" in child for child in life.children):
        raise ValueError(f"seed {SEED} shows no {', '.join(missing) or 'crossing'}: choose another")
    return life


def page() -> str:
    """Give the page."""
    life = lived()
    submitted = next(number for number, row in enumerate(life.rows) if row.kind == "ParentSubmitted")
    told = [row for row in life.rows[submitted:] if _matters(row)]
    return _PAGE.format(
        qty=QTY,
        duration=DURATION_S,
        slice=SLICE_S,
        warmup=WARMUP_S,
        before=table(
            ("row", "event", "what it says", "commands"),
            (
                (str(row.seq), f"`{row.kind}`", _said(row), _commanded(row))
                for row in life.rows[:submitted]
                if row.kind != "BookUpdated"
            ),
        ),
        quiet=len(life.rows) - submitted - len(told),
        rows=table(
            ("row", "s", "event", "what it says", "commands"),
            (
                (
                    str(row.seq),
                    f"{(row.at_ns - life.rows[submitted].at_ns) / NS_PER_S:.2f}",
                    f"`{row.kind}`",
                    _said(row),
                    _commanded(row),
                )
                for row in told
            ),
        ),
        repeated=_repeated(life.rows),
        place=json.dumps(_first(told, "PlaceOrder"), indent=1),
        children=table(
            ("id", "state", "how", "quantity", "price", "filled", "the venue's word"), life.children
        ),
        fills=table(("id", "child", "quantity", "price", "fee", "waited or took", "row"), life.fills),
        status=life.report["status"],
        reason=life.report["reason"],
        cum_qty=life.report["cum_qty"],
        avg_px=life.report["avg_px"],
        arrival_px=life.report["arrival_px"],
        parts=table(("part", "bps"), ((name, str(bps)) for name, bps in life.report["split_bps"].items())),
    )


def _scene() -> Scene:
    order = ParentSubmitted(
        at_ns=0,
        request_id="",
        idempotency_key="",
        body_sha256="",
        category=Category.LINEAR,
        symbol=RULES.symbol,
        side=Side.BUY,
        order_qty=Quantity(QTY),
        duration_s=DURATION_S,
        residual=ResidualRule.CROSS,
        extend_s=0,
        limit_px=None,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(interval_s=SLICE_S),
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=SEED,
    )
    walk = Walk(instrument=RULES, start_px=START_PX, step_ns=NS_PER_S, volatility_hourly_pct=1.5)
    return Scene(walk=walk, parents=(order,), terms=USUAL_TERMS, warmup_s=WARMUP_S)


def _read(path: Path) -> Life:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = [
            Row(seq, at_ns - START_NS, kind, json.loads(event), json.loads(commands))
            for seq, at_ns, kind, event, commands in db.execute(
                "SELECT seq, at_ns, kind, event, commands FROM journal ORDER BY seq"
            )
        ]
        children = db.execute(
            "SELECT client_order_id, status, style, qty, px, cum_qty, detail FROM children ORDER BY created_ns"
        ).fetchall()
        fills = db.execute(
            "SELECT exec_id, client_order_id, last_qty, last_px, fee, liquidity, CAST(seq AS TEXT) FROM fills"
            " ORDER BY seq"
        ).fetchall()
        ((report,),) = db.execute("SELECT body FROM reports").fetchall()
        return Life(rows, children, fills, json.loads(report))
    finally:
        db.close()


def _matters(row: Row) -> bool:
    return bool(set(row.names) - _QUIET) or row.kind not in {"BookUpdated", "TimerFired"}


def _said(row: Row) -> str:
    """Tell the part of an event that a reader wants."""
    event = row.event
    match row.kind:
        case "EngineStarted":
            return f"venue {event['venue']}, instance {event['instance']}, the limits in force"
        case "InstrumentLoaded":
            rules = event["instrument"]
            return f"{rules['symbol']}: tick {rules['tick_size']}, step {rules['qty_step']}"
        case "StreamChanged":
            return f"{event['stream'].lower()} stream {'live' if event['live'] else 'lost'}"
        case "Reconciled":
            held = ", ".join(f"{one['symbol']} {one['qty']}" for one in event["positions"])
            return f"no open orders, position {held}" if not event["open_client_order_ids"] else held
        case "ParentSubmitted":
            side = _SIDES[event["side"]]
            return (
                f"{side} {event['order_qty']} {event['symbol']}, {event['duration_s']} s, {event['residual']}"
            )
        case "OrderAcked":
            return f"{event['client_order_id']} is {event['venue_order_id']} at the venue"
        case "OrderUpdated":
            why = f": {event['detail']}" if event["detail"] else ""
            filled = f"filled {event['cum_qty']} of {event['qty']} at {event['px']}"
            return f"{event['client_order_id']} {event['status']}, {filled}{why}"
        case "OrderFilled":
            fill = event["fill"]
            return f"{fill['client_order_id']} {fill['last_qty']} at {fill['last_px']}, {fill['liquidity'].lower()}"
        case "TimerFired":
            return str(event["key"])
        case "BookUpdated":
            return "a new book"
        case _:
            return str(event.get("client_order_id", ""))


def _commanded(row: Row) -> str:
    return "; ".join(_told(name, body) for name, body in row.commands if name not in _QUIET)


def _told(name: str, body: Mapping[str, Any]) -> str:
    match name:
        case "PlaceOrder" | "ReplaceOrder":
            order = body["approved"]["order"]
            terms = " ".join(str(order[key]) for key in ("qty", "px", "time_in_force") if order.get(key))
            return f"**`{name}`** {order['client_order_id']} {terms}"
        case "CancelOrder":
            return f"**`{name}`** {body['client_order_id']}"
        case "PublishMove":
            return f"`{body['source']}` → `{body['target']}` ({body['reason']})"
        case "Reply":
            return f"`Reply` {body['outcome']} {body['parent_id']}"
        case _:
            return f"`{name}`"


def _repeated(rows: Sequence[Row]) -> str:
    """Point at an execution that was told twice."""
    seen: dict[str, int] = {}
    for row in rows:
        if row.kind == "OrderFilled":
            name = str(row.event["fill"]["exec_id"])
            if name in seen:
                return (
                    f"Row {row.seq} is the execution of row {seen[name]} again, read back by a reconciliation:\n"
                    "  known by its id, it changes nothing."
                )
            seen[name] = row.seq
    raise ValueError(f"seed {SEED} shows no execution that is told twice: choose another")


def _first(rows: Sequence[Row], name: str) -> Mapping[str, Any]:
    return {name: next(body for row in rows for each, body in row.commands if each == name)}


if __name__ == "__main__":
    what = "Write the page about the life of a parent order."
    raise SystemExit(run(Path(__file__), what, {NAME: page}, FOLDER, sys.argv[1:]))
