"""How fast many orders are summed up: 10,000 orders with 1,000,000 fills, read from a journal and laid out.

A journal is made with reports and fills as the daemon writes them, of orders that overlap. Reading, grouping by five
keys and the page are timed apart. Run it with `python -m benchmarks.tca [--orders N] [--fills N] [--json]`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from time import perf_counter

import apsw
import msgspec

from backtest.tca.groups import analyse, keys_of
from backtest.tca.page import page_of
from backtest.tca.sources import Costs, read_costs
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, Side
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.domain.units import install_decimal_context
from executor.runtime.journal import Journal
from impact.shortfall import ParentFacts, as_json, make_report
from impact.tca.fill_costs import FillCosts
from impact.tca.mark_outs import MARK_OUTS_S, MarkSums, mark_outs

START_NS = 1_700_000_000 * NS_PER_S
EVERY_S, LIVES_S = 30, 300
BUDGET_S = 5.0
BY = "algorithm,symbol,side,size,hour"
_PX = Decimal(50_000)
_STRATEGIES = ("twap", "vwap", "pov", "arrival-price")
_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tca", description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000, help="orders that have ended")
    parser.add_argument("--fills", type=int, default=1_000_000, help="fills of all of them together")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    words = parser.parse_args()
    install_decimal_context()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        write_journal(path, words.orders, words.fills // words.orders)
        row = _measure(path)
    if words.json:
        sys.stdout.write(json.dumps(row) + "\n")
        return
    sys.stdout.write(
        f"{row['orders']} orders, {row['fills']} fills: read {row['read_s']:.2f} s,"
        f" grouped by {BY} {row['group_s']:.2f} s, page {row['page_s']:.2f} s\n"
    )
    verdict = "within" if row["read_s"] + row["group_s"] <= BUDGET_S else "OVER"
    sys.stdout.write(f"read and grouped: {verdict} the budget of {BUDGET_S:.0f} s\n")


def _measure(path: Path) -> dict[str, float]:
    began = perf_counter()
    costs = read_costs([path])
    read = perf_counter()
    found = analyse(costs, keys_of(BY))
    grouped = perf_counter()
    text = page_of(costs, found)
    ended = perf_counter()
    assert text, "a page has text"
    return {
        "orders": len(costs.orders),
        "fills": _fills(costs),
        "read_s": read - began,
        "group_s": grouped - read,
        "page_s": ended - grouped,
    }


def _fills(costs: Costs) -> int:
    return sum(each.fills for each in costs.fills)


def write_journal(path: Path, orders: int, fills_each: int) -> None:
    """Make a journal with reports and fills; its chain of events is empty."""
    chance = Random(11)  # noqa: S311 - a benchmark
    with Journal.open(path, create=True, instance="bench"):
        pass
    db = apsw.Connection(str(path))
    db.execute("PRAGMA synchronous=OFF")
    db.execute("BEGIN")
    for number in range(orders):
        facts, fills = _order(number, fills_each, chance)
        started_ns = facts.started_ns
        db.execute(
            "INSERT INTO parents VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                facts.parent_id, "COMPLETE", "ALL_FILLED", "linear", facts.symbol, facts.side.name,
                str(facts.order_qty), str(facts.cum_qty), str(facts.cum_notional), started_ns, facts.finished_ns,
            ),
        )  # fmt: skip
        body = msgspec.json.encode(as_json(make_report(facts)))
        db.execute("INSERT INTO reports VALUES (?,?,?)", (facts.parent_id, facts.finished_ns, body))
        db.executemany(f"INSERT INTO marks VALUES ({','.join('?' * 24)})", fills)  # noqa: S608 - of our own making
    db.execute("COMMIT")
    db.close()


_Row = tuple[str | int | float, ...]


def _order(number: int, fills_each: int, chance: Random) -> tuple[ParentFacts, list[_Row]]:
    """One order of equal fills with mids that wander after them, and its fills as rows."""
    name, side = f"P{number}", chance.choice(list(Side))
    started_ns = START_NS + number * EVERY_S * NS_PER_S
    qty = Decimal(chance.choice((1, 10, 100))) / 1_000
    sums, spread, rows = MarkSums(), Decimal(0), []
    notional = Decimal(0)
    for step, (px, mid_px, mids) in enumerate(_paths(fills_each, chance)):
        value = qty * px
        notional += value
        spread += side.sign * qty * (px - mid_px)
        for index, after_px in enumerate(mids):
            sums.fills[index] += 1
            sums.notional[index] += value
            sums.gain[index] += side.sign * (after_px - px) * qty
        at_ns = started_ns + step * LIVES_S * NS_PER_S // fills_each
        rows.append(
            (
                "linear", "BTCUSDT", f"{number:08d}-{step:06d}-0000-000000000000", name, f"bench-{number}-{step // 4}",
                side.sign, 1, at_ns, float(qty), float(px), float(value), 0.01, float(mid_px), float(mid_px),
                float(spread), 0.0, 0.0, 1, *map(float, mids),
            )
        )  # fmt: skip
    cum_qty = qty * fills_each
    facts = ParentFacts(
        parent_id=name,
        venue="bench",
        category=Category.LINEAR,
        symbol=_SYMBOLS[number % len(_SYMBOLS)],
        strategy=_STRATEGIES[number % len(_STRATEGIES)],
        side=side,
        status=ParentStatus.COMPLETE,
        reason=Reason.ALL_FILLED,
        order_qty=cum_qty,
        cum_qty=cum_qty,
        cum_notional=notional,
        fees=notional / 5_000,
        decision_px=_PX,
        arrival_px=_PX,
        end_px=_PX + chance.randrange(-50, 50),
        started_ns=started_ns,
        finished_ns=started_ns + LIVES_S * NS_PER_S,
        market_qty=cum_qty * 50,
        market_notional=cum_qty * 50 * _PX,
        mid_twap_px=_PX,
        children_by_status=((ChildStatus.FILLED, fills_each // 4),),
        filled_by_status=((ChildStatus.FILLED, cum_qty),),
        orders_sent=fills_each // 4,
        maker_qty=cum_qty,
        spread_captured=-spread,
        leaves_is_dust=False,
        fill_costs=FillCosts(qty=cum_qty, spread=spread),
        mark_outs=mark_outs([(started_ns, sums)]),
    )
    return facts, rows


def _paths(count: int, chance: Random) -> Iterator[tuple[Decimal, Decimal, list[Decimal]]]:
    """Price, mid before, and mids after each fill."""
    for _ in range(count):
        mid_px = _PX + chance.randrange(-100, 100)
        yield mid_px - 1, mid_px, [mid_px + chance.randrange(-20, 20) for _ in MARK_OUTS_S]


if __name__ == "__main__":
    main()
