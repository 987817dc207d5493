"""Questions for tests: usual facts and surroundings, of which a test names what matters to it."""

import json
from dataclasses import replace

from executor.advice.context import ExchangeFlow, Level, Liquidation, MarketContext, NewsItem, RecentTrade
from executor.advice.facts import snapshot_hash
from executor.adviser.template_files import load_template
from executor.domain.advice import Action, AdviceOutcome
from executor.domain.advice_facts import (
    AdviceFacts,
    BandFacts,
    ImpactFacts,
    MarketFacts,
    OrderFacts,
    PastDecision,
    ProgressFacts,
)
from executor.domain.orders import Category, Side, Urgency
from executor.domain.timeline import NS_PER_S
from tests.builders import T0, D

STRATEGIES = frozenset({"vwap", "pov"})
TEMPLATE = load_template()


def facts(**over):
    usual = dict(
        decision_id="P1-7",
        parent_id="P1",
        parent_version=1,
        order=OrderFacts(
            symbol="BTCUSDT",
            category=Category.LINEAR,
            side=Side.BUY,
            order_qty=D("25.000"),
            cum_qty=D("10.250"),
            leaves_qty=D("14.750"),
            deadline_ns=7_500 * NS_PER_S + 999_999_999,
            duration_ns=14_400 * NS_PER_S,
            decision_px=D("49990.05"),
            limit_px=None,
            strategy="twap",
            urgency=Urgency.MEDIUM,
        ),
        progress=ProgressFacts(
            executed_pct=D("41"),
            elapsed_pct=D("47.916666666666666666"),
            ahead_pct=D("-6.916666666666666666"),
            avg_px=D("50001.234567890123456789"),
            shortfall_bps=D("2.23776"),
            twap_px=D("50000"),
            vs_twap_bps=D("0.2469"),
            slice_qty=D("0.104"),
            slices_left=125,
            working_qty=D("0.052"),
        ),
        market=MarketFacts(
            mid_px=D("50000.05"),
            spread_bps=D("0.0199999800000199999800"),
            best_bid=D("50000.0"),
            best_bid_qty=D("2.000"),
            best_ask=D("50000.1"),
            best_ask_qty=D("1.250"),
            volatility_hourly_pct=D("0.35123456"),
            volume_per_min_qty=D("12.345678901234"),
            mean_px_5min=D("49998.765432109876"),
            regime="NORMAL",
        ),
        band=BandFacts(
            rate_min=D("0.5"),
            rate_max=D("2.0"),
            slice_times_max=D(2),
            ahead_pct_max=D(10),
            behind_pct_max=D(10),
            wait_s_max=60,
            confidence_min=D("0.5"),
            strategies=("vwap", "pov"),
            cancel_allowed=False,
        ),
        impact=ImpactFacts(estimate_bps=D("3.456"), low_bps=D("1.2"), high_bps=D("7.891")),
        recent_decisions=(
            PastDecision(
                decision_id="P1-6",
                action=Action.PASSIVE,
                confidence=D("0.62"),
                outcome=AdviceOutcome.APPLIED,
                filled_pct_since=D("0.4166666"),
                mid_moved_bps=D("-1.2345"),
            ),
        ),
    )
    return AdviceFacts(**{**usual, **over})


def context(**over):
    usual = dict(
        at_ns=T0,
        bids=tuple(Level(px=D(50_000) - step, qty=D("1.5")) for step in range(7)),
        asks=tuple(Level(px=D("50000.1") + step, qty=D("0.5")) for step in range(7)),
        trades=tuple(
            RecentTrade(side=Side.SELL, px=D(50_000), qty=D("0.25"), at_ns=T0 - number * NS_PER_S)
            for number in range(12)
        ),
        volume_1min_qty=D("9.75"),
        funding_rate=D("0.0001"),
        next_funding_ns=T0 + 3_600 * NS_PER_S,
        open_interest_change_pct=D("-0.517"),
        liquidations=(Liquidation(position=Side.BUY, px=D(49_500), qty=D("0.75"), at_ns=T0 - NS_PER_S),),
        exchange_flow=ExchangeFlow(source="flows.example", net_qty=D("-120.5"), span_ns=3_600 * NS_PER_S),
    )
    return MarketContext(**{**usual, **over})


def news_item(text="Exchange lists a new coin", source="Example Wire", age_s=42):
    return NewsItem(source=source, at_ns=T0 - age_s * NS_PER_S, text=text)


def changed(old, group, **over):
    """The facts with fields of one group replaced."""
    return replace(old, **{group: replace(getattr(old, group), **over)})


def reply(**over):
    """A valid reply to the usual question, as keys and values."""
    usual = dict(
        decision_id="P1-7",
        snapshot_hash=snapshot_hash(facts()),
        action="PASSIVE",
        strategy=None,
        quantity=None,
        order_type=None,
        limit_price=None,
        rate=None,
        wait_seconds=None,
        confidence="0.8",
        impact_adjustment="1",
        reasoning="The spread is wide.",
        risk_assessment="The price may run away.",
    )
    return {**usual, **over}


def as_bytes(document) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
