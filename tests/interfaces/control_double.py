"""A daemon without an engine: a real `EngineState`, scripted answers, and every event that was asked."""

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from executor.advice.context import MarketContext
from executor.adviser.news import News, NewsDoor, NewsFate
from executor.adviser.tape import Line
from executor.domain.commands import Outcome, Reply
from executor.domain.decision import Schedule, Slice, Style
from executor.domain.errors import JournalError
from executor.domain.events import Event, ParentSubmitted
from executor.domain.fees import KnownFees
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.order_state import ChildStatus
from executor.domain.orders import (
    Category,
    NewOrder,
    ParentOrder,
    ResidualRule,
    Side,
    StrategyParams,
    TimeInForce,
    Urgency,
)
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Money, Price, Quantity
from executor.engine.state import ChildState, EngineState, MarketState, ParentState
from executor.interfaces.control import ControlBusy, DaemonInfo
from executor.interfaces.version import version
from executor.runtime.alarms import Alarm, Alarms
from executor.runtime.journal_page import JournalPage, journal_page
from impact.parameters import ParameterVersion

START_NS = 1_800_000_000 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S


class ControlDouble:
    """What the interfaces ask of a daemon, answered from a script."""

    def __init__(self) -> None:
        self.state = EngineState(instance="tst", venue="sandbox", started_ns=START_NS, now_ns=START_NS)
        self.state.reconciled = {"linear": True}
        self.info = DaemonInfo(
            version=version(), instance="tst", venue="sandbox", profile="sandbox", pid=4711
        )
        self.at_ns = START_NS + 2 * MINUTE_NS
        self.asked: list[Event] = []
        self.replies: deque[Reply | Exception | None] = deque()
        self.looked: MarketState | Exception | None = None
        self.looks = 0
        self.known_fees: KnownFees | Exception | None = None
        self.calibrations: dict[str, ParameterVersion] = {}
        self.reports: dict[str, Mapping[str, object]] = {}
        self.why_not_ready: tuple[str, ...] = ()
        self.busy = False
        self.alarmed = Alarms()
        self.called: Line | Exception | None = None
        self.around: dict[str, MarketContext] = {}
        self.news = News(8, self.now_ns)
        self.door: NewsDoor | None = NewsDoor(self.news, self.now_ns)
        self.journal: Path | None = None
        self.was_asked = asyncio.Event()
        self.seen = threading.Event()

    async def all_asked(self, count: int) -> None:
        while len(self.asked) < count:
            self.was_asked.clear()
            await self.was_asked.wait()

    def now_ns(self) -> int:
        return self.at_ns

    def journal_page(self, *, after: int, limit: int, kind: str, names: Sequence[str]) -> JournalPage:
        if self.journal is None:
            raise JournalError("/secret/place: cannot be read", "DB_UNUSABLE")
        return journal_page(self.journal, after=after, limit=limit, kind=kind, names=names)

    def alarms(self) -> Sequence[Alarm]:
        return self.alarmed.latest

    def call_of(self, parent_id: str, decision_id: str) -> Line | None:
        if isinstance(self.called, Exception):
            raise self.called
        return self.called if self.called and self.called.decision_id == decision_id else None

    def surroundings(self, category: Category, symbol: str) -> MarketContext:
        return self.around.get(f"{category.value}:{symbol}", MarketContext(at_ns=self.at_ns))

    async def ask(self, event: Event) -> Reply:
        if self.busy:
            raise ControlBusy("inbox full")
        self.asked.append(event)
        self.was_asked.set()
        self.seen.set()
        answer = self.replies.popleft() if self.replies else _accepted(event)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Reply)
        if isinstance(event, ParentSubmitted) and answer.outcome is Outcome.ACCEPTED:
            self.state.idempotency[event.idempotency_key] = answer.parent_id
        return answer

    def report(self, parent_id: str) -> Mapping[str, object] | None:
        return self.reports.get(parent_id)

    def calibration(self, category: Category, symbol: str) -> ParameterVersion | None:
        return self.calibrations.get(symbol)

    async def look(self, category: Category, symbol: str) -> MarketState | None:
        self.looks += 1
        if isinstance(self.looked, Exception):
            raise self.looked
        return self.looked

    async def fees(self, category: Category, symbol: str) -> KnownFees | None:
        if isinstance(self.known_fees, Exception):
            raise self.known_fees
        return self.known_fees

    def hand_in_news(self, source: str, text: str, said_ns: int | None) -> NewsFate:
        return NewsFate.CLOSED if self.door is None else self.door.hand_in(source, text, said_ns)

    async def metrics_page(self) -> tuple[bytes, str]:
        return b"executor_up 1\n", "text/plain; version=0.0.4; charset=utf-8"

    def ready(self) -> tuple[bool, tuple[str, ...]]:
        return not self.why_not_ready, self.why_not_ready


def reply(outcome: Outcome, *, parent_id: str = "", code: str = "", text: str = "") -> Reply:
    return Reply(request_id="r", outcome=outcome, parent_id=parent_id, code=code, text=text)


def add_parent(
    state: EngineState,
    parent_id: str = "tst-1",
    status: ParentStatus = ParentStatus.EXECUTING,
    cum_qty: str = "4",
) -> ParentState:
    """A ten-minute buy of 10 at a limit of 101, 4 filled at 100.5, one child of 1 working."""
    order = ParentOrder(
        parent_id=parent_id,
        parent_no=1,
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        order_qty=Quantity(Decimal(10)),
        limit_px=Price(Decimal(101)),
        start_ns=START_NS,
        deadline_ns=START_NS + 10 * MINUTE_NS,
        residual=ResidualRule.LEAVE,
        extend_s=0,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(interval_s=120),
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=7,
    )
    pieces = tuple(
        Slice(
            start_ns=START_NS + number * 2 * MINUTE_NS,
            end_ns=START_NS + (number + 1) * 2 * MINUTE_NS,
            qty=Quantity(Decimal(2)),
            target_qty=Quantity(Decimal(2 * (number + 1))),
        )
        for number in range(5)
    )
    parent = ParentState(
        order=order,
        status=status,
        reason=Reason.CHILD_SENT,
        created_ns=START_NS,
        started_ns=START_NS,
        idempotency_key=f"key-{parent_id}",
        body_sha256="0" * 64,
        decision_px=Decimal(100),
        arrival_px=Decimal(100),
        schedule=Schedule(base_qty=Quantity(Decimal(0)), slices=pieces, asked=6),
        waiting=("SPREAD_WIDE",),
        cum_qty=Decimal(cum_qty),
        cum_notional=Decimal(cum_qty) * Decimal("100.5"),
    )
    child = ChildState(
        order=NewOrder(
            client_order_id=f"{parent_id}-1",
            parent_id=parent_id,
            category=Category.LINEAR,
            symbol="BTCUSDT",
            side=Side.BUY,
            qty=Quantity(Decimal(1)),
            px=Price(Decimal("100.5")),
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=False,
            position_idx=0,
        ),
        style=Style.REST,
        status=ChildStatus.NEW,
        created_ns=START_NS,
        sent_ns=START_NS,
        arrival_mid_px=Decimal(100),
    )
    state.parents[parent_id] = parent
    state.children[child.order.client_order_id] = child
    parent.children.append(child.order.client_order_id)
    if parent.is_final:
        parent.finished_ns = START_NS + MINUTE_NS
        child.status, child.final_qty = ChildStatus.CANCELED, Decimal(0)
    else:
        parent.live.append(child.order.client_order_id)
        state.open_parents.append(parent_id)
    return parent


def add_market(state: EngineState) -> None:
    snapshot = MarketSnapshot(
        category=Category.LINEAR,
        symbol="BTCUSDT",
        best_bid=Price(Decimal("100.9")),
        best_bid_qty=Quantity(Decimal(5)),
        best_ask=Price(Decimal("101.1")),
        best_ask_qty=Quantity(Decimal(5)),
        traded_qty=Quantity(Decimal(0)),
        traded_notional=Money(Decimal(0)),
        ts_exchange_ns=START_NS,
    )
    instrument = Instrument(
        category=Category.LINEAR,
        symbol="BTCUSDT",
        base_coin="BTC",
        quote_coin="USDT",
        tick_size=Price(Decimal("0.1")),
        qty_step=Quantity(Decimal("0.001")),
        min_order_qty=Quantity(Decimal("0.001")),
        max_order_qty=Quantity(Decimal(100)),
        min_notional=Money(Decimal(5)),
    )
    state.markets["linear:BTCUSDT"] = MarketState(instrument=instrument, snapshot=snapshot, book_ns=START_NS)


def _accepted(event: Event) -> Reply:
    parent_id = getattr(event, "parent_id", "tst-1")
    return Reply(
        request_id=event.request_id if hasattr(event, "request_id") else "",
        outcome=Outcome.ACCEPTED,
        parent_id=parent_id,
        code="ACCEPTED",
        text="accepted",
    )
