"""A made-up question: of the form and the length of a true one, about an order that nobody has given.

With it a model is tried before it is asked in earnest. Its figures are round, and none of them is of this account.
"""

from decimal import Decimal
from typing import Final

from executor.advice.context import MarketContext
from executor.advice.prompt import Message, Template, render
from executor.domain.advice_facts import (
    AdviceFacts,
    BandFacts,
    ImpactFacts,
    MarketFacts,
    OrderFacts,
    ProgressFacts,
)
from executor.domain.advice_terms import Band
from executor.domain.orders import Category, Side, Urgency
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Price, Quantity

_AT_NS: Final = 1_800_000_000 * NS_PER_S
_MID: Final = Price(Decimal(50_000))


def specimen_facts(band: Band) -> AdviceFacts:
    """Make up an order half done and on schedule in a calm market, within the configured band."""
    return AdviceFacts(
        decision_id="P0-1",
        parent_id="P0",
        parent_version=1,
        order=OrderFacts(
            symbol="BTCUSDT",
            category=Category.LINEAR,
            side=Side.BUY,
            order_qty=Quantity(Decimal(2)),
            cum_qty=Quantity(Decimal(1)),
            leaves_qty=Quantity(Decimal(1)),
            deadline_ns=1_800 * NS_PER_S,
            duration_ns=3_600 * NS_PER_S,
            decision_px=_MID,
            limit_px=None,
            strategy="twap",
            urgency=Urgency.MEDIUM,
        ),
        progress=ProgressFacts(
            executed_pct=Decimal(50),
            elapsed_pct=Decimal(50),
            ahead_pct=Decimal(0),
            avg_px=_MID,
            shortfall_bps=Decimal(0),
            twap_px=_MID,
            vs_twap_bps=Decimal(0),
            slice_qty=Quantity(Decimal("0.1")),
            slices_left=10,
            working_qty=Quantity(Decimal(0)),
        ),
        market=MarketFacts(
            mid_px=_MID,
            spread_bps=Decimal("0.2"),
            best_bid=Price(Decimal("49999.5")),
            best_bid_qty=Quantity(Decimal(2)),
            best_ask=Price(Decimal("50000.5")),
            best_ask_qty=Quantity(Decimal(2)),
            volatility_hourly_pct=Decimal("0.5"),
            volume_per_min_qty=Decimal(10),
            mean_px_5min=_MID,
            regime="CALM",
        ),
        band=BandFacts(**{name: getattr(band, name) for name in BandFacts.__slots__}),
        impact=ImpactFacts(estimate_bps=Decimal(3), low_bps=Decimal(2), high_bps=Decimal(5)),
    )


def specimen_messages(template: Template, facts: AdviceFacts, within_ms: int) -> tuple[Message, ...]:
    """Write the question, with the wording that the true ones have."""
    return render(template, facts, MarketContext(at_ns=_AT_NS), None, within_ms)
