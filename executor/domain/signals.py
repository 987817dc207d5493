"""What is known about a market beside its book at this instant, as a strategy is shown it.

Every figure may be unknown, and then it is None: it is not collected, was not watched for long enough, was not heard of
lately, or the venue does not say it. None is no signal. It is never taken for zero, and a strategy that finds it does
what it would do without.

Figures are statistics and therefore floats; what a strategy sends is computed from the order in exact numbers. A figure
with a direction is positive where it speaks for a rising price.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationCluster:
    """A price about which forced orders were frequent lately.

    Parameters
    ----------
    px
        Middle of the cluster, quote per base.
    qty
        Quantity that was liquidated there lately, base units.
    """

    px: float
    qty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The signals of one symbol at one instant.

    Parameters
    ----------
    volatility_hourly_pct
        Realised volatility with a half-life of five minutes, per cent per square root of an hour.
    volume_hourly_qty
        Speed of public trades with a half-life of five minutes, base units an hour.
    volatility_fast_ratio, volatility_slow_ratio
        Realised volatility of half a minute and of the last five minutes over that of the last hour; 1 is usual.
    volume_ratio
        Speed of public trades of the last minute over that of the last hour; 1 is usual.
    order_flow_imbalance
        Order-flow imbalance of the last seconds in units of its own usual size; signed, 1 is usual, 2 is strong.
    trade_imbalance
        Bought minus sold over all that takers traded lately, -1 to 1.
    book_imbalance
        Quantity at the best bid minus that at the best ask over their sum, -1 to 1.
    microprice_bps
        Distance of the microprice from the mid, basis points; signed.
    spread_ratio
        Spread over its mean of the last minutes; 1 is usual.
    depth_ratio
        Quantity of both sides of the touch over its mean of the last minutes; 1 is usual.
    funding_rate
        What a long position pays at the next funding instant, as a share of its value (0.0005 is 0.05 %); negative
        where shorts pay.
    next_funding_ns
        That instant, UTC.
    mark_premium_bps
        Distance of the mark price from the index price, basis points; signed.
    open_interest_change_pct, price_change_pct
        Change of the open interest and of the mid over the same time, per cent; signed.
    liquidated_long_ratio, liquidated_short_ratio
        Liquidations of longs (forced sales) and of shorts (forced purchases) of the last seconds as a share of what was
        traded in the same time; 0 and above.
    cascade
        -1 while liquidations of longs feed on one another, 1 while those of shorts do, 0 while neither do.
    cluster_below, cluster_above
        Nearest clusters of liquidations below and above the mid.
    exchange_flow
        How many standard deviations less than usual flows to exchanges; positive where coins leave them.
    """

    volatility_hourly_pct: float | None = None
    volume_hourly_qty: float | None = None
    volatility_fast_ratio: float | None = None
    volatility_slow_ratio: float | None = None
    volume_ratio: float | None = None
    order_flow_imbalance: float | None = None
    trade_imbalance: float | None = None
    book_imbalance: float | None = None
    microprice_bps: float | None = None
    spread_ratio: float | None = None
    depth_ratio: float | None = None
    funding_rate: float | None = None
    next_funding_ns: int | None = None
    mark_premium_bps: float | None = None
    open_interest_change_pct: float | None = None
    price_change_pct: float | None = None
    liquidated_long_ratio: float | None = None
    liquidated_short_ratio: float | None = None
    cascade: int | None = None
    cluster_below: LiquidationCluster | None = None
    cluster_above: LiquidationCluster | None = None
    exchange_flow: float | None = None


NO_SIGNALS: Final = Signals()
"""Nothing is known."""
