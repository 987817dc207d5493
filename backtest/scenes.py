"""The simulated market of a comparison: one linear contract, a seeded walk, and one order in it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from backtest.run import Scene
from executor.advice.prompt import Template
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.events import ParentSubmitted
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, Money, Price, Quantity
from simulation.frictions import Charges
from simulation.walk_market import Walk

RULES: Final = Instrument(
    category=Category.LINEAR,
    symbol="BTCUSDT",
    base_coin="BTC",
    quote_coin="USDT",
    tick_size=Price(Decimal("0.1")),
    qty_step=Quantity(Decimal("0.001")),
    min_order_qty=Quantity(Decimal("0.001")),
    max_order_qty=Quantity(Decimal(1_000)),
    min_notional=Money(Decimal(5)),
)
START_PX: Final = Price(Decimal(50_000))
_PLENTY: Final = Money(Decimal(1_000))
USUAL_TERMS: Final = AdviserTerms(
    model="scripted",
    interval_s=20,
    deadline_ms=4_000,
    tokens_max=800,
    caps=Caps(
        parent_cost_max=_PLENTY,
        hour_cost_max=_PLENTY,
        day_cost_max=_PLENTY,
        parent_calls_max=10_000,
        hour_calls_max=10_000,
        day_calls_max=10_000,
    ),
    prices=Prices(
        prompt=Money(Decimal("0.15")), cached=Money(Decimal("0.075")), completion=Money(Decimal("0.6"))
    ),
)
"""Terms where no settings are given: caps that never bind, and prices as a small model has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What can be chosen about a market and the order in it.

    Parameters
    ----------
    maker_fee_bps, taker_fee_bps
        Of the value; negative is a rebate.
    """

    order: ParentSubmitted
    terms: AdviserTerms
    template: Template
    volatility_hourly_pct: float
    spread_ticks_max: int
    drift_bps_per_min: float
    maker_fee_bps: Decimal
    taker_fee_bps: Decimal

    def scene(self) -> Scene:
        """Make it.

        Raises
        ------
        ValueError
            If such a market cannot be.
        """
        return Scene(
            walk=Walk(
                instrument=RULES,
                start_px=START_PX,
                step_ns=NS_PER_S,
                volatility_hourly_pct=self.volatility_hourly_pct,
                spread_ticks_max=self.spread_ticks_max,
                drift_bps_per_min=self.drift_bps_per_min,
            ),
            parents=(self.order,),
            terms=self.terms,
            template=self.template,
            charges=Charges(
                maker_fee_rate=self.maker_fee_bps / BPS_PER_UNIT,
                taker_fee_rate=self.taker_fee_bps / BPS_PER_UNIT,
            ),
        )
