"""How long a strategy takes to decide: each strategy alone, and one with each wrapper about it.

The moments are those of one order of ten minutes, a second apart, resting and crossing, with and without an order at
work and with every signal known. Each call is timed alone by the processor time of this thread, so that what else runs
on the machine does not count as deciding; `capped` (the limit on participation) and both clock readings are part of the
figure. The bar is 50 microseconds for 99 calls of 100. Undisturbed is each moment at the quickest of its rounds: what a
busy machine adds, by sharing caches and cores, is not in it.
"""

import gc
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from statistics import quantiles
from typing import Final

from executor.domain.decision import Style, View, Working
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category, ParentOrder, Peg, ResidualRule, Side, StrategyParams, Urgency
from executor.domain.signals import LiquidationCluster, Signals
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Money, Price, Quantity, install_decimal_context
from strategies.base import STRATEGIES, WRAPPERS, strategy_of
from strategies.sizing import capped

BAR_US: Final = 50.0
ROUNDS: Final = 30
_T0: Final = 1_700_000_000 * NS_PER_S
_DURATION_S: Final = 600
_CAP: Final = {"participation_max": Decimal("0.2")}
_CHOSEN: Final[dict[str, dict[str, object]]] = {
    "pov": {"participation": Decimal("0.1")},
    "iceberg": {"display_qty": Quantity(Decimal("0.05")), "display_randomize_pct": 30},
    "chase": {"peg": Peg.MID, "chase_bps_max": Decimal(20)},
    "sniper": {"trigger_qty": Quantity(Decimal("0.5"))},
}
_RULES: Final = Instrument(
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


def moments(strategy: str, wrappers: tuple[str, ...] = ()) -> list[View]:
    """Views of one order, a second apart, half of them with an order at work."""
    order = ParentOrder(
        parent_id="P1", parent_no=1, category=Category.LINEAR, symbol="BTCUSDT", side=Side.BUY,
        order_qty=Quantity(Decimal(10)), limit_px=Price(Decimal(50_100)), start_ns=_T0,
        deadline_ns=_T0 + _DURATION_S * NS_PER_S, residual=ResidualRule.CROSS, extend_s=0, urgency=Urgency.MEDIUM,
        strategy=strategy, params=_params(strategy, wrappers), reduce_only=False, position_idx=0, decision_px=None,
        seed=1,
    )  # fmt: skip
    schedule = strategy_of(order).plan(
        order=order, instrument=_RULES, reference_px=Price(Decimal(50_000)), start_ns=_T0,
        end_ns=order.deadline_ns, cum_qty=Quantity(Decimal(0)),
    )  # fmt: skip
    looks = []
    for second in range(_DURATION_S):
        index = schedule.slice_at(_T0 + second * NS_PER_S)
        base = schedule.slices[index - 1].target_qty if index > 0 else Quantity(Decimal(0))
        bid = Price(Decimal(50_000) + Decimal(second % 7) / 10)
        traded = Decimal(second) / 2
        looks.append(
            View(
                now_ns=_T0 + second * NS_PER_S,
                order=order,
                instrument=_RULES,
                market=MarketSnapshot(
                    category=Category.LINEAR, symbol="BTCUSDT", best_bid=bid, best_bid_qty=Quantity(Decimal(2)),
                    best_ask=Price(bid + Decimal("0.3")), best_ask_qty=Quantity(Decimal(2)),
                    traded_qty=Quantity(traded), traded_notional=Money(traded * bid), ts_exchange_ns=_T0,
                ),
                schedule=schedule,
                cum_qty=base,
                slice_base_qty=base,
                working=Working(style=Style.REST, px=bid, leaves_qty=Quantity(Decimal("0.1"))) if second % 2 else None,
                cross_spread_bps_max=Decimal(20),
                price_collar_bps_max=Decimal(100),
                market_qty=Quantity(traded + base),
                plan_market_qty=Quantity(traded + base),
                slice_market_qty=Quantity(Decimal(second % 60) / 2),
                last_slice_market_qty=Quantity(Decimal(30)),
                arrival_px=Price(Decimal(50_000)),
                signals=_signals(),
            )
        )  # fmt: skip
    return looks


def _params(strategy: str, wrappers: tuple[str, ...]) -> StrategyParams:
    chosen = {**_CHOSEN.get(strategy, {}), **_CAP}
    names = {field.name for field in fields(StrategyParams)}
    usual = {name: getattr(StrategyParams(), name) for name in names}
    return StrategyParams(**{**usual, **chosen, "wrappers": wrappers})


def _signals() -> Signals:
    return Signals(
        volatility_hourly_pct=0.6, volume_hourly_qty=1_800.0, volatility_fast_ratio=1.1, volatility_slow_ratio=0.9,
        volume_ratio=1.2, order_flow_imbalance=0.4, trade_imbalance=0.2, book_imbalance=-0.1, microprice_bps=0.01,
        spread_ratio=1.0, depth_ratio=1.1, funding_rate=0.0006, next_funding_ns=_T0 + 300 * NS_PER_S,
        mark_premium_bps=1.5, open_interest_change_pct=1.0, price_change_pct=0.1, liquidated_long_ratio=0.05,
        liquidated_short_ratio=0.01, cascade=0, cluster_below=LiquidationCluster(px=49_900.0, qty=3.0),
        cluster_above=LiquidationCluster(px=50_150.0, qty=2.0), exchange_flow=0.5,
    )  # fmt: skip


def measured_us(looks: Sequence[View]) -> list[list[float]]:
    """Processor time of each decision, round by round, microseconds."""
    strategy = strategy_of(looks[0].order)
    rounds = []
    for _ in range(ROUNDS):
        taken = []
        for look in looks:
            begun = time.thread_time_ns()
            capped(look, strategy.decide(look))
            taken.append((time.thread_time_ns() - begun) / 1_000)
        rounds.append(taken)
    return rounds


def main() -> None:
    """Tell the middle and the slow end of each, and whether the bar is kept."""
    install_decimal_context()
    gc.disable()
    calls = ROUNDS * _DURATION_S
    _tell(f"{platform.python_implementation()} {platform.python_version()}, {calls} calls each")
    _tell(f"{'strategy':<34}{'p50 us':>9}{'p99 us':>9}{'undisturbed p99 us':>20}")
    cases: list[tuple[str, tuple[str, ...]]] = [(name, ()) for name in STRATEGIES]
    cases += [("twap", (wrapper,)) for wrapper in WRAPPERS]
    cases.append(("vwap", tuple(WRAPPERS)))
    worst = 0.0
    for strategy, wrappers in cases:
        rounds = measured_us(moments(strategy, wrappers))
        cuts = quantiles([taken for each in rounds for taken in each], n=100)
        quiet = quantiles([min(times) for times in zip(*rounds, strict=True)], n=100)[98]
        more = "all" if len(wrappers) > 1 else "".join(wrappers)
        name = f"{strategy} + {more}" if more else strategy
        _tell(f"{name:<34}{cuts[49]:>9.1f}{cuts[98]:>9.1f}{quiet:>20.1f}")
        worst = max(worst, cuts[98])
    verdict = "kept" if worst <= BAR_US else "MISSED"
    _tell(f"bar of {BAR_US:g} us at p99: {verdict}, the worst is {worst:.1f} us")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
