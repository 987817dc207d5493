"""How fast the pure engine is, without and with the journal, and how long one call takes at the worst.

One parent is worked by TWAP against a market that moves and an exchange that answers honestly: every call
of `on_event` is timed. Run it with `python -m benchmarks.engine [--events N] [--json]`.
"""

import argparse
import gc
import json
import sys
import tempfile
from collections import deque
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from time import perf_counter_ns

from executor.domain.commands import CancelOrder, Command, PlaceOrder, Reconcile, ReplaceOrder, SetTimer
from executor.domain.events import (
    RULES_NOW,
    BookUpdated,
    CancelAcked,
    EngineStarted,
    Event,
    InstrumentLoaded,
    OrderAcked,
    OrderFilled,
    OrderUpdated,
    ParentSubmitted,
    PositionReport,
    Reconciled,
    ReplaceAcked,
    Stream,
    StreamChanged,
    TimerFired,
    VenueStatus,
)
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.limits import Limits, Timings
from executor.domain.market import MarketSnapshot
from executor.domain.orders import (
    Category,
    Liquidity,
    NewOrder,
    Replacement,
    ResidualRule,
    Side,
    StrategyParams,
    Urgency,
)
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Money, Price, Quantity, install_decimal_context
from executor.engine.engine import Engine
from executor.runtime.journal import Journal, needs_commit

START_NS = 1_700_000_000 * NS_PER_S
STEP_NS = 100_000_000
BUDGET_US = 100.0
_TICK = Decimal("0.1")


class Market:
    """A seeded random walk of the touch, ten snapshots a second, and an exchange that fills what rests."""

    def __init__(self) -> None:
        self._random = Random(7)  # noqa: S311 - a benchmark
        self.now_ns = START_NS
        self._bid = Decimal("50000.0")
        self._traded = Decimal(0)
        self._timers: dict[str, int] = {}
        self._answers: deque[Event] = deque()
        self._open: dict[str, NewOrder] = {}
        self._fills = 0

    def next_event(self) -> Event:
        """What happens next."""
        if self._answers:
            return replace(self._answers.popleft(), at_ns=self.now_ns)
        due = min(((at_ns, key) for key, at_ns in self._timers.items()), default=(self.now_ns + STEP_NS, ""))
        if due[0] < self.now_ns + STEP_NS and due[1]:
            del self._timers[due[1]]
            self.now_ns = max(self.now_ns, due[0])
            return TimerFired(at_ns=self.now_ns, key=due[1])
        self.now_ns += STEP_NS
        if self._open and self._random.random() < 0.05:
            self._fill(*self._open.popitem())
        return self._snapshot()

    def take(self, commands: tuple[Command, ...]) -> None:
        """Answer what the engine asked for."""
        for command in commands:
            match command:
                case SetTimer():
                    self._timers[command.key] = command.at_ns
                case PlaceOrder():
                    self._accept(command.approved.order)
                case ReplaceOrder():
                    self._amend(command.approved.order)
                case CancelOrder():
                    order = self._open.pop(command.client_order_id, None)
                    self._answers.append(CancelAcked(at_ns=0, client_order_id=command.client_order_id))
                    if order is not None:
                        self._answers.append(_update(order, VenueStatus.CANCELED, 0))
                case Reconcile():
                    self._answers.append(self._reconciled(command))
                case _:
                    pass

    def _snapshot(self) -> BookUpdated:
        self._bid += _TICK * self._random.randint(-2, 2)
        self._traded += Decimal(self._random.randint(0, 900)) / 1_000
        market = MarketSnapshot(
            category=Category.LINEAR,
            symbol="BTCUSDT",
            best_bid=Price(self._bid),
            best_bid_qty=Quantity(Decimal(3)),
            best_ask=Price(self._bid + _TICK),
            best_ask_qty=Quantity(Decimal(3)),
            traded_qty=Quantity(self._traded),
            traded_notional=Money(self._traded * self._bid),
            ts_exchange_ns=self.now_ns,
        )
        return BookUpdated(at_ns=self.now_ns, market=market)

    def _accept(self, order: NewOrder) -> None:
        self._open[order.client_order_id] = order
        name = order.client_order_id
        self._answers.append(OrderAcked(at_ns=0, client_order_id=name, venue_order_id=name, sent_sha256=""))
        self._answers.append(_update(order, VenueStatus.NEW, 0))
        if order.time_in_force.value == "IOC":
            self._fill(*self._open.popitem())

    def _amend(self, new: Replacement) -> None:
        name = new.client_order_id
        self._answers.append(ReplaceAcked(at_ns=0, client_order_id=name))
        if name in self._open:
            self._open[name] = replace(self._open[name], qty=new.qty, px=new.px)
            self._answers.append(_update(self._open[name], VenueStatus.NEW, 0))

    def _fill(self, _name: str, order: NewOrder) -> None:
        self._fills += 1
        fill = Fill(
            category=order.category,
            symbol=order.symbol,
            exec_id=f"e{self._fills}",
            client_order_id=order.client_order_id,
            venue_order_id=order.client_order_id,
            side=order.side,
            last_qty=order.qty,
            last_px=order.px,
            fee=Money(Decimal("0.1")),
            fee_coin="",
            liquidity=Liquidity.MAKER,
            ts_exchange_ns=self.now_ns,
        )
        self._answers.append(OrderFilled(at_ns=0, fill=fill))
        self._answers.append(_update(order, VenueStatus.FILLED, 1))

    def _reconciled(self, command: Reconcile) -> Reconciled:
        flat = PositionReport(category=command.category, symbol="BTCUSDT", position_idx=0, qty=Decimal(0))
        return Reconciled(
            at_ns=0,
            category=command.category,
            asked_ns=self.now_ns,
            open_client_order_ids=tuple(self._open),
            foreign_open_orders=0,
            positions=(flat,) if not self._fills else (),
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events to work in each run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    words = parser.parse_args()
    install_decimal_context()
    rows = [_measure(words.events, journalled=False), _measure(words.events, journalled=True)]
    if words.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    sys.stdout.write(
        f"{'journal':<10}{'events':>10}{'events/s':>12}{'p50 us':>10}{'p99 us':>10}{'max us':>10}{'orders':>8}\n"
    )
    for row in rows:
        sys.stdout.write(
            f"{row['journal']:<10}{row['events']:>10}{row['events_per_s']:>12.0f}{row['p50_us']:>10.1f}"
            f"{row['p99_us']:>10.1f}{row['max_us']:>10.1f}{row['orders']:>8}\n"
        )
    verdict = "within" if float(rows[0]["p99_us"]) <= BUDGET_US else "OVER"
    sys.stdout.write(f"one call of on_event, 99th percentile: {verdict} the budget of {BUDGET_US:.0f} us\n")


def _measure(events: int, *, journalled: bool) -> dict[str, str | int | float]:
    engine, market = Engine(), Market()
    orders = 0
    spans: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        journal = (
            Journal.open(Path(folder) / "journal.db", create=True, instance="bench") if journalled else None
        )
        queue = deque(_opening())
        gc.collect()
        gc.freeze()  # as the daemon does
        began = perf_counter_ns()
        for _ in range(events):
            event = queue.popleft() if queue else market.next_event()
            start = perf_counter_ns()
            commands = engine.on_event(event)
            spans.append(perf_counter_ns() - start)
            if journal is not None:
                journal.append(event, commands, engine.touched, engine.state)
                if needs_commit(event, commands):
                    journal.commit()
            orders += sum(1 for command in commands if isinstance(command, PlaceOrder | ReplaceOrder))
            market.take(commands)
        total_ns = perf_counter_ns() - began
        if journal is not None:
            journal.close()
    spans.sort()
    return {
        "journal": "on" if journalled else "off",
        "events": events,
        "events_per_s": events / (total_ns / 1e9),
        "p50_us": spans[len(spans) // 2] / 1e3,
        "p99_us": spans[len(spans) * 99 // 100] / 1e3,
        "max_us": spans[-1] / 1e3,
        "orders": orders,
    }


def _opening() -> list[Event]:
    """Everything before the first snapshot: a ready venue and one parent that lasts."""
    rules = Instrument(
        category=Category.LINEAR,
        symbol="BTCUSDT",
        base_coin="BTC",
        quote_coin="USDT",
        tick_size=Price(_TICK),
        qty_step=Quantity(Decimal("0.001")),
        min_order_qty=Quantity(Decimal("0.001")),
        max_order_qty=Quantity(Decimal(1_000)),
        min_notional=Money(Decimal(5)),
    )
    limits = Limits(
        references_min=0,
        volatility_hourly_pct_max=Decimal(100),
        price_collar_bps_max=Decimal(2_000),
        children_per_hour_max=100_000,
        children_per_parent_max=1_000_000,
        day_notional_max=Decimal(10) ** 12,
        position_notional_max=Decimal(10) ** 12,
        day_loss_max=Decimal(10) ** 12,
    )
    return [
        EngineStarted(
            at_ns=START_NS,
            version="",
            instance="bench",
            venue="bench",
            limits=limits,
            timings=Timings(),
            sentinel_required=False,
            seed=1,
            marks_fills=True,
            rules=RULES_NOW,
        ),
        InstrumentLoaded(at_ns=START_NS, instrument=rules),
        StreamChanged(at_ns=START_NS, stream=Stream.PUBLIC, category=Category.LINEAR, live=True, detail=""),
        StreamChanged(at_ns=START_NS, stream=Stream.TRADE, category=None, live=True, detail=""),
        StreamChanged(at_ns=START_NS, stream=Stream.PRIVATE, category=None, live=True, detail=""),
        ParentSubmitted(
            at_ns=START_NS,
            request_id="",
            idempotency_key="bench",
            body_sha256="",
            category=Category.LINEAR,
            symbol="BTCUSDT",
            side=Side.BUY,
            order_qty=Quantity(Decimal(200)),
            duration_s=14_400,
            residual=ResidualRule.CROSS,
            extend_s=0,
            limit_px=None,
            urgency=Urgency.MEDIUM,
            strategy="twap",
            params=StrategyParams(interval_s=30),
            reduce_only=False,
            position_idx=0,
            decision_px=None,
            seed=1,
        ),
    ]


def _update(order: NewOrder, status: VenueStatus, executed: int) -> OrderUpdated:
    return OrderUpdated(
        at_ns=0,
        category=order.category,
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        venue_order_id=order.client_order_id,
        status=status,
        side=order.side,
        qty=order.qty,
        px=order.px,
        cum_qty=Quantity(order.qty * executed),
        updated_ms=1 + executed,
        detail="",
    )


if __name__ == "__main__":
    main()
