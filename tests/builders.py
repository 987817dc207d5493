"""Builders of domain values for tests: everything has a usual value, a test names what matters to it."""

from decimal import Decimal

from executor.domain.decision import Schedule, View, Working
from executor.domain.events import ParentSubmitted
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
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
from executor.domain.timeline import NS_PER_S

T0 = 1_700_000_000 * NS_PER_S
D = Decimal


def instrument(**over):
    usual = dict(
        category=Category.LINEAR,
        symbol="BTCUSDT",
        base_coin="BTC",
        quote_coin="USDT",
        tick_size=D("0.1"),
        qty_step=D("0.001"),
        min_order_qty=D("0.001"),
        max_order_qty=D("1000"),
        min_notional=D("5"),
    )
    return Instrument(**{**usual, **over})


def snapshot(bid="50000.0", ask="50000.1", *, traded="0", px=None, **over):
    usual = dict(
        category=Category.LINEAR,
        symbol="BTCUSDT",
        best_bid=D(bid),
        best_bid_qty=D("2"),
        best_ask=D(ask),
        best_ask_qty=D("2"),
        traded_qty=D(traded),
        traded_notional=D(traded) * D(px or bid),
        ts_exchange_ns=T0,
    )
    return MarketSnapshot(**{**usual, **over})


def parent_order(**over):
    usual = dict(
        parent_id="P1",
        parent_no=1,
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        order_qty=D("1"),
        limit_px=None,
        start_ns=T0,
        deadline_ns=T0 + 600 * NS_PER_S,
        residual=ResidualRule.CROSS,
        extend_s=0,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(),
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=1,
    )
    return ParentOrder(**{**usual, **over})


def new_order(**over):
    usual = dict(
        client_order_id="x-1-1",
        parent_id="P1",
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        qty=D("0.1"),
        px=D("50000.0"),
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        position_idx=0,
    )
    return NewOrder(**{**usual, **over})


def submitted(**over):
    usual = dict(
        at_ns=T0,
        request_id="r1",
        idempotency_key="k1",
        body_sha256="b1",
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        order_qty=D("1"),
        duration_s=120,
        residual=ResidualRule.CROSS,
        extend_s=0,
        limit_px=None,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(interval_s=20),
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=1,
    )
    return ParentSubmitted(**{**usual, **over})


def fill(**over):
    usual = dict(
        category=Category.LINEAR,
        symbol="BTCUSDT",
        exec_id="e1",
        client_order_id="x-1-1",
        venue_order_id="v1",
        side=Side.BUY,
        last_qty=D("0.1"),
        last_px=D("50000"),
        fee=D("1"),
        fee_coin="",
        liquidity=Liquidity.MAKER,
        ts_exchange_ns=T0,
    )
    return Fill(**{**usual, **over})


def view(schedule: Schedule, *, now_ns=T0, cum="0", base="0", working: Working | None = None, **over):
    usual = dict(
        now_ns=now_ns,
        order=parent_order(),
        instrument=instrument(),
        market=snapshot(),
        schedule=schedule,
        cum_qty=D(cum),
        slice_base_qty=D(base),
        working=working,
        cross_spread_bps_max=D(20),
        price_collar_bps_max=D(10_000),
    )
    return View(**{**usual, **over})
