"""A state in which one parent works, for tests of what people are shown."""

from decimal import Decimal

from executor.domain.decision import Schedule, Slice, Style
from executor.domain.events import (
    CoinBalance,
    OrderFilled,
)
from executor.domain.fills import Fill
from executor.domain.market import MarketSnapshot, SecondOpinion
from executor.domain.order_state import ChildStatus
from executor.domain.orders import (
    Category,
    Liquidity,
    NewOrder,
    ParentOrder,
    ResidualRule,
    Side,
    StrategyParams,
    TimeInForce,
    Urgency,
)
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MIN, NS_PER_MS, NS_PER_S, utc_day
from executor.domain.units import Money, Price, Quantity
from executor.engine.state import Benchmarks, ChildState, EngineState, MarketState, ParentState

D = Decimal
NOW_NS = 1_000 * NS_PER_MIN
MARKET = {"category": "linear", "symbol": "BTCUSDT"}


def parent(number: int, status: ParentStatus = ParentStatus.EXECUTING, finished_ns: int = 0) -> ParentState:
    """A parent of 10, 4 filled at 100, half its time gone, arrival 100, mid 101, market volume 16."""
    return ParentState(
        order=ParentOrder(
            parent_id=f"p{number}",
            parent_no=number,
            category=Category.LINEAR,
            symbol="BTCUSDT",
            side=Side.BUY,
            order_qty=Quantity(D(10)),
            limit_px=None,
            start_ns=NOW_NS - 50 * NS_PER_S,
            deadline_ns=NOW_NS + 50 * NS_PER_S,
            residual=ResidualRule.LEAVE,
            extend_s=0,
            urgency=Urgency.MEDIUM,
            strategy="twap",
            params=StrategyParams(),
            reduce_only=False,
            position_idx=0,
            decision_px=None,
            seed=1,
        ),
        status=status,
        reason=Reason.CHILD_SENT,
        created_ns=NOW_NS - 60 * NS_PER_S,
        idempotency_key="",
        body_sha256="",
        decision_px=D(100),
        arrival_px=D(100),
        started_ns=NOW_NS - 50 * NS_PER_S,
        finished_ns=finished_ns,
        schedule=Schedule(
            base_qty=Quantity(D(0)),
            slices=(
                Slice(
                    start_ns=NOW_NS - 50 * NS_PER_S,
                    end_ns=NOW_NS + 50 * NS_PER_S,
                    qty=Quantity(D(10)),
                    target_qty=Quantity(D(10)),
                ),
            ),
            asked=1,
        ),
        cum_qty=D(4),
        cum_notional=D(400),
        benchmarks=Benchmarks(
            market_qty=D(16), market_notional=D(1600), last_mid_px=D(101), last_mid_ns=NOW_NS - NS_PER_S
        ),
    )


def new_order(name: str = "x-1-1", time_in_force: TimeInForce = TimeInForce.POST_ONLY) -> NewOrder:
    return NewOrder(
        client_order_id=name,
        parent_id="p1",
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        qty=Quantity(D(1)),
        px=Price(D(100)),
        time_in_force=time_in_force,
        reduce_only=False,
        position_idx=0,
    )


def child(name: str = "x-1-1", status: ChildStatus = ChildStatus.NEW, created_ns: int = NOW_NS) -> ChildState:
    return ChildState(
        order=new_order(name),
        style=Style.REST,
        status=status,
        created_ns=created_ns,
        sent_ns=created_ns,
        arrival_mid_px=D(100),
    )


def fill(exec_id: str, client_order_id: str = "x-1-1") -> OrderFilled:
    return OrderFilled(
        at_ns=NOW_NS,
        fill=Fill(
            category=Category.LINEAR,
            symbol="BTCUSDT",
            exec_id=exec_id,
            client_order_id=client_order_id,
            venue_order_id="v1",
            side=Side.BUY,
            last_qty=Quantity(D("0.5")),
            last_px=Price(D(100)),
            fee=Money(D("0.01")),
            fee_coin="USDT",
            liquidity=Liquidity.MAKER,
            ts_exchange_ns=NOW_NS,
        ),
    )


def scene() -> EngineState:
    """One parent at work with one child, two orders in the last minute, fifty today."""
    one = parent(1)
    one.children = one.live = ["x-1-1"]
    return EngineState(
        now_ns=NOW_NS,
        parents={"p1": one},
        open_parents=["p1"],
        children={"x-1-1": child()},
        public_live={"linear": True},
        trade_live=True,
        wallet={"USDT": CoinBalance(coin="USDT", wallet_qty=D("1234.5"), locked_qty=D(0))},
        reconciled={"linear": True, "spot": False},
        order_times_ns=[NOW_NS - 61 * NS_PER_S, NOW_NS - 59 * NS_PER_S, NOW_NS],
        orders_day=50,
        day=utc_day(NOW_NS),
        started_ns=NOW_NS - NS_PER_MIN,
        markets={
            "linear:BTCUSDT": MarketState(
                snapshot=MarketSnapshot(
                    category=Category.LINEAR,
                    symbol="BTCUSDT",
                    best_bid=Price(D("99.9")),
                    best_bid_qty=Quantity(D(1)),
                    best_ask=Price(D("100.1")),
                    best_ask_qty=Quantity(D(1)),
                    traded_qty=Quantity(D(1)),
                    traded_notional=Money(D(100)),
                    ts_exchange_ns=NOW_NS,
                ),
                book_ns=NOW_NS - 1_500 * NS_PER_MS,
                opinions={"mark": SecondOpinion(px=Price(D(101)), at_ns=NOW_NS)},
            )
        },
    )


def page_of(telemetry):
    """The page of metrics, written without a loop: it only gives others their turn."""
    writing = telemetry.page()
    while True:
        try:
            writing.send(None)
        except StopIteration as done:
            return done.value
