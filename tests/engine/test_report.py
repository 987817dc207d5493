"""From the engine's state to the facts of a report: every number comes from the right place."""

from decimal import Decimal

import pytest

from executor.domain.decision import Schedule, Slice, Style
from executor.domain.instrument import Instrument
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
from executor.engine.report import parent_facts, running_shortfall_bps, schedule_progress
from executor.engine.state import Benchmarks, ChildState, EngineState, MarketState, ParentState
from impact.shortfall import make_report

D = Decimal


def order(side: Side = Side.BUY) -> ParentOrder:
    return ParentOrder(
        parent_id="p1",
        parent_no=1,
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=side,
        order_qty=Quantity(D(10)),
        limit_px=None,
        start_ns=0,
        deadline_ns=100 * NS_PER_S,
        residual=ResidualRule.LEAVE,
        extend_s=0,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(),
        reduce_only=False,
        position_idx=0,
        decision_px=Price(D(99)),
        seed=1,
    )


def child(name: str, status: ChildStatus, filled: str, px: str) -> ChildState:
    return ChildState(
        order=NewOrder(
            client_order_id=name,
            parent_id="p1",
            category=Category.LINEAR,
            symbol="BTCUSDT",
            side=Side.BUY,
            qty=Quantity(D(4)),
            px=Price(D(px)),
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=False,
            position_idx=0,
        ),
        style=Style.REST,
        status=status,
        created_ns=NS_PER_S,
        sent_ns=NS_PER_S,
        arrival_mid_px=D(100),
        cum_qty=D(filled),
        cum_notional=D(filled) * D(px),
        maker_qty=D(filled) / 2,
        fees=D("0.1"),
        spread_captured=D("0.25"),
    )


def state_with(side: Side = Side.BUY) -> tuple[EngineState, ParentState]:
    """A parent of 10 that filled 4 @ 100 and 2 @ 101 and ended at 60 s; the market traded 24 for 2,406."""
    parent = ParentState(
        order=order(side),
        status=ParentStatus.EXPIRED,
        reason=Reason.DEADLINE,
        created_ns=0,
        idempotency_key="",
        body_sha256="",
        decision_px=D(99),
        arrival_px=D(100),
        started_ns=10 * NS_PER_S,
        finished_ns=60 * NS_PER_S,
        schedule=Schedule(
            base_qty=Quantity(D(0)),
            slices=(
                Slice(start_ns=0, end_ns=100 * NS_PER_S, qty=Quantity(D(10)), target_qty=Quantity(D(10))),
            ),
            asked=1,
        ),
        cum_qty=D(6),
        cum_notional=D(602),
        children=["a", "b", "c"],
        benchmarks=Benchmarks(
            market_qty=D(24),
            market_notional=D(2406),
            mid_integral=D(100) * 40 * NS_PER_S,
            mid_time_ns=40 * NS_PER_S,
            last_mid_px=D(105),
            last_mid_ns=50 * NS_PER_S,
        ),
    )
    children = (
        child("a", ChildStatus.FILLED, "4", "100"),
        child("b", ChildStatus.CANCELED, "2", "101"),
        child("c", ChildStatus.REJECTED, "0", "101"),
    )
    state = EngineState(
        venue="testnet",
        now_ns=70 * NS_PER_S,
        parents={"p1": parent},
        children={each.order.client_order_id: each for each in children},
        markets={
            "linear:BTCUSDT": MarketState(
                instrument=Instrument(
                    category=Category.LINEAR,
                    symbol="BTCUSDT",
                    base_coin="BTC",
                    quote_coin="USDT",
                    tick_size=Price(D("0.1")),
                    qty_step=Quantity(D("0.001")),
                    min_order_qty=Quantity(D("0.001")),
                    max_order_qty=Quantity(D(1000)),
                    min_notional=Money(D(5)),
                )
            )
        },
    )
    return state, parent


def test_facts_come_from_parent_children_and_benchmarks() -> None:
    state, parent = state_with()
    facts = parent_facts(state, parent)
    assert facts.venue == "testnet"
    assert facts.status is ParentStatus.EXPIRED
    assert (facts.order_qty, facts.cum_qty, facts.cum_notional) == (D(10), D(6), D(602))
    assert (facts.decision_px, facts.arrival_px, facts.end_px) == (D(99), D(100), D(105))
    assert facts.fees == D("0.3")
    assert facts.maker_qty == D(3)
    assert facts.spread_captured == D("0.75")
    assert facts.orders_sent == 3
    assert facts.children_by_status == (
        (ChildStatus.FILLED, 1),
        (ChildStatus.CANCELED, 1),
        (ChildStatus.REJECTED, 1),
    )
    assert facts.filled_by_status == ((ChildStatus.FILLED, D(4)), (ChildStatus.CANCELED, D(2)))
    assert sum((qty for _, qty in facts.filled_by_status), D(0)) == facts.cum_qty


def test_market_vwap_leaves_our_prints_out() -> None:
    state, parent = state_with()
    report = make_report(parent_facts(state, parent))
    assert report.vwap_px is not None
    assert abs(report.vwap_px - (D(2406) - 602) / (24 - 6)) < D("1e-11")
    assert report.participation_pct == 25


def test_mid_twap_counts_the_last_mid_until_the_end() -> None:
    """40 s at 100, then 105 in force from 50 s to the end at 60 s; nothing after the end counts."""
    state, parent = state_with()
    assert parent_facts(state, parent).mid_twap_px == (D(100) * 40 + D(105) * 10) / 50


def test_live_parent_is_measured_up_to_the_last_event() -> None:
    state, parent = state_with()
    parent.finished_ns = 0
    facts = parent_facts(state, parent)
    assert facts.finished_ns == 70 * NS_PER_S
    assert facts.mid_twap_px == (D(100) * 40 + D(105) * 20) / 60


def test_parent_without_a_market_has_no_benchmarks() -> None:
    state, parent = state_with()
    parent.benchmarks = Benchmarks()
    state.markets.clear()
    facts = parent_facts(state, parent)
    assert facts.mid_twap_px is None
    assert facts.end_px is None
    assert not facts.leaves_is_dust
    report = make_report(facts)
    assert report.shortfall_bps is None
    assert report.vwap_px is None
    assert report.participation_pct is None


@pytest.mark.parametrize(("cum_qty", "is_dust"), [("6", False), ("9.96", True), ("10", False)])
def test_remainder_below_the_venues_minimum_is_dust(cum_qty: str, is_dust: bool) -> None:
    """The venue takes 5 quote units and more; 0.04 at 105 is 4.2. Nothing left is not dust."""
    state, parent = state_with()
    parent.cum_qty = D(cum_qty)
    assert parent_facts(state, parent).leaves_is_dust is is_dust


def test_child_that_never_left_is_not_counted_as_sent() -> None:
    state, parent = state_with()
    state.children["c"].sent_ns = 0
    facts = parent_facts(state, parent)
    assert facts.orders_sent == 2
    assert sum(count for _, count in facts.children_by_status) == 3


def test_running_shortfall_values_the_rest_at_the_mid() -> None:
    """(602 + 4 x 102 - 10 x 100) / 1000 = 1 % = 100 bp for a buy; a sell earns the same."""
    _, buy = state_with()
    _, sell = state_with(Side.SELL)
    assert running_shortfall_bps(buy, D(102)) == 100
    assert running_shortfall_bps(sell, D(102)) == -100


def test_running_shortfall_is_the_arrival_shortfall_without_fees() -> None:
    state, parent = state_with()
    for each in state.children.values():
        each.fees = D(0)
    report = make_report(parent_facts(state, parent))
    assert running_shortfall_bps(parent, D(105)) == report.arrival_shortfall_bps


def test_running_shortfall_is_unknown_before_the_arrival() -> None:
    _, parent = state_with()
    parent.arrival_px = None
    assert running_shortfall_bps(parent, D(102)) is None


def test_progress_compares_fills_with_an_even_execution() -> None:
    _, parent = state_with()
    progress = schedule_progress(parent, 75 * NS_PER_S)
    assert progress.done_ratio == D("0.6")
    assert progress.scheduled_ratio == D("0.75")
    assert progress.deviation_ratio == D("-0.15")


def test_progress_without_a_plan_knows_only_what_is_done() -> None:
    _, parent = state_with()
    parent.schedule = None
    progress = schedule_progress(parent, 75 * NS_PER_S)
    assert progress.done_ratio == D("0.6")
    assert progress.scheduled_ratio is None
    assert progress.deviation_ratio is None
