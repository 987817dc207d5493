"""All signals of one market: what is observed goes to each fold that is wanted, and each says what it knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from executor.domain.market import ContractFigures, ForcedClose, MarketSnapshot
from executor.domain.signals import Signals
from executor.domain.timeline import NS_PER_MIN
from impact.order_flow.imbalance import Quote, queue_imbalance
from strategies.signals import (
    clusters,
    exchange_flow,
    liquidations,
    open_interest,
    order_flow,
    touch,
    trade_flow,
    volatility,
    volume,
)
from strategies.signals.clusters import Clusters
from strategies.signals.exchange_flow import Flow
from strategies.signals.liquidations import Liquidations
from strategies.signals.open_interest import Interest
from strategies.signals.order_flow import OrderFlow
from strategies.signals.readers import Kind, Kinds
from strategies.signals.touch import TouchMeans
from strategies.signals.trade_flow import TradeFlow
from strategies.signals.volatility import Variances
from strategies.signals.volume import Volume

FIGURES_NS_MAX: Final = 2 * NS_PER_MIN
"""Age from which nothing that a ticker said is shown; it speaks many times a minute."""
_BPS: Final = 1e4
_TRADED: Final = frozenset({Kind.TRADE_FLOW, Kind.QUEUE, Kind.LIQUIDATIONS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Running totals of the feed at the last snapshot, base units; `bought_qty` is None where nobody says who took."""

    traded_qty: Decimal
    bought_qty: Decimal | None
    long_qty: Decimal
    short_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What happened since the snapshot before, base units; None where that is not known."""

    traded_qty: float | None = None
    bought_qty: float | None = None
    long_qty: float | None = None
    short_qty: float | None = None

    @property
    def sold_qty(self) -> float | None:
        """What takers sold."""
        if self.traded_qty is None or self.bought_qty is None:
            return None
        return max(self.traded_qty - self.bought_qty, 0.0)


NOTHING_KNOWN = Since()


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """States of the folds that are wanted; None where one is not.

    Parameters
    ----------
    quote
        Touch of the last snapshot; None after a hole.
    since
        What happened between the last two snapshots.
    """

    quote: Quote | None = None
    totals: Totals | None = None
    since: Since = NOTHING_KNOWN
    order_flow: OrderFlow | None = None
    trade_flow: TradeFlow | None = None
    touch: TouchMeans | None = None
    variances: Variances | None = None
    volume: Volume | None = None
    liquidations: Liquidations | None = None
    clusters: Clusters | None = None
    interest: Interest | None = None


def observe(
    old: Collected,
    kinds: Kinds,
    at_ns: int,
    market: MarketSnapshot,
    *,
    traded_qty: Decimal,
    figures: ContractFigures | None,
) -> Collected:
    """Take in a sound snapshot.

    Parameters
    ----------
    traded_qty
        All that was ever traded while somebody watched, never falling, base units.
    figures
        What the ticker said last.
    """
    quote = _quote(market)
    mid_px = quote.mid_px
    totals = Totals(
        traded_qty=market.traded_qty,
        bought_qty=market.bought_qty,
        long_qty=market.liquidated_long_qty,
        short_qty=market.liquidated_short_qty,
    )
    since = _since(old.totals, totals) if kinds & _TRADED else NOTHING_KNOWN
    return Collected(
        quote=quote,
        totals=totals,
        since=since,
        order_flow=order_flow.observe(old.order_flow or OrderFlow(), at_ns, quote)
        if Kind.ORDER_FLOW in kinds
        else None,
        trade_flow=_trade_flow(old.trade_flow, at_ns, since) if Kind.TRADE_FLOW in kinds else None,
        touch=touch.observe(old.touch or TouchMeans(), at_ns, quote) if Kind.TOUCH in kinds else None,
        variances=volatility.observe(old.variances or Variances(), at_ns, mid_px)
        if Kind.VOLATILITY in kinds
        else None,
        volume=volume.observe(old.volume or Volume(), at_ns, float(traded_qty))
        if Kind.VOLUME in kinds
        else None,
        liquidations=_liquidations(old.liquidations, at_ns, since, mid_px)
        if Kind.LIQUIDATIONS in kinds
        else None,
        clusters=(old.clusters or Clusters()) if Kind.CLUSTERS in kinds else None,
        interest=_with_interest(old.interest, at_ns, figures, mid_px)
        if Kind.OPEN_INTEREST in kinds
        else None,
    )


def take_liquidations(old: Collected, at_ns: int, positions: Sequence[ForcedClose]) -> Collected:
    """Take in positions that were liquidated, one by one with their prices."""
    state = old.clusters
    if state is None:
        return old
    for each in positions:
        state = clusters.observe(state, at_ns, float(each.px), float(each.qty))
    return replace(old, clusters=state)


def interrupted(old: Collected) -> Collected:
    """Begin anew after a hole: a sum across it would be no sum. What is a level and no flow outlives it."""
    return Collected(clusters=old.clusters, interest=old.interest)


def shown(
    state: Collected | None,
    kinds: Kinds,
    now_ns: int,
    *,
    volatility_hourly_pct: float | None,
    volume_hourly_qty: float | None,
    figures: ContractFigures | None,
    flow: Flow | None,
) -> Signals:
    """Put together what a strategy that reads these kinds is shown.

    Parameters
    ----------
    volatility_hourly_pct, volume_hourly_qty
        The engine's own estimates.
    flow
        Of the coin to exchanges.
    """
    known: dict[str, Any] = {}
    if Kind.ESTIMATES in kinds:
        known["volatility_hourly_pct"] = volatility_hourly_pct
        known["volume_hourly_qty"] = volume_hourly_qty
    if Kind.CONTRACT in kinds and figures is not None and now_ns - figures.at_ns <= FIGURES_NS_MAX:
        known["funding_rate"] = _number(figures.funding_rate)
        known["next_funding_ns"] = figures.next_funding_ns
        known["mark_premium_bps"] = _premium_bps(figures)
    if Kind.EXCHANGE_FLOW in kinds and flow is not None:
        known["exchange_flow"] = exchange_flow.pressure(flow, now_ns)
    if state is not None and state.quote is not None:
        known |= _of_book(state, state.quote)
        known |= _of_positions(state, state.quote.mid_px, now_ns, figures)
    return Signals(**known)


def _of_book(state: Collected, quote: Quote) -> dict[str, Any]:
    """What books and trades say."""
    known: dict[str, Any] = {}
    if state.order_flow is not None:
        known["order_flow_imbalance"] = order_flow.imbalance(state.order_flow)
    if state.trade_flow is not None:
        known["trade_imbalance"] = trade_flow.imbalance(state.trade_flow)
    if state.touch is not None:
        known["book_imbalance"] = queue_imbalance(quote)
        known["microprice_bps"] = touch.microprice_bps(quote)
        known["spread_ratio"] = touch.spread_ratio(state.touch)
        known["depth_ratio"] = touch.depth_ratio(state.touch)
    if state.variances is not None:
        known["volatility_fast_ratio"] = volatility.fast_ratio(state.variances)
        known["volatility_slow_ratio"] = volatility.slow_ratio(state.variances)
    if state.volume is not None:
        known["volume_ratio"] = volume.ratio(state.volume)
    return known


def _of_positions(
    state: Collected, mid_px: float, now_ns: int, figures: ContractFigures | None
) -> dict[str, Any]:
    """What liquidations and open interest say; a feed that never told of a liquidation may not tell of any."""
    known: dict[str, Any] = {}
    forced, totals = state.liquidations, state.totals
    if forced is not None and totals is not None and (totals.long_qty or totals.short_qty):
        known["liquidated_long_ratio"] = liquidations.long_ratio(forced)
        known["liquidated_short_ratio"] = liquidations.short_ratio(forced)
        known["cascade"] = liquidations.cascade(forced)
    if state.clusters is not None:
        known["cluster_below"], known["cluster_above"] = clusters.nearest(state.clusters, mid_px)
    interest = None if state.interest is None else _interest(figures, now_ns)
    if state.interest is not None and interest is not None:
        changes = open_interest.changes_pct(state.interest, now_ns, interest, mid_px)
        if changes is not None:
            known["open_interest_change_pct"], known["price_change_pct"] = changes
    return known


def _quote(market: MarketSnapshot) -> Quote:
    return Quote(
        float(market.best_bid),
        float(market.best_bid_qty),
        float(market.best_ask),
        float(market.best_ask_qty),
    )


def _since(old: Totals | None, new: Totals) -> Since:
    """Differences of running totals; where one has fallen, the feed began anew and nothing is known."""
    if old is None:
        return NOTHING_KNOWN
    return Since(
        traded_qty=_grown(old.traded_qty, new.traded_qty),
        bought_qty=_grown(old.bought_qty, new.bought_qty),
        long_qty=_grown(old.long_qty, new.long_qty),
        short_qty=_grown(old.short_qty, new.short_qty),
    )


def _grown(old: Decimal | None, new: Decimal | None) -> float | None:
    return None if old is None or new is None or new < old else float(new - old)


def _trade_flow(old: TradeFlow | None, at_ns: int, since: Since) -> TradeFlow:
    """Go on where it is known who took; begin anew where it is not."""
    bought, sold = since.bought_qty, since.sold_qty
    if bought is None or sold is None:
        return TradeFlow()
    return trade_flow.observe(old or TradeFlow(), at_ns, bought, sold)


def _liquidations(old: Liquidations | None, at_ns: int, since: Since, mid_px: float) -> Liquidations:
    longs, shorts, traded = since.long_qty, since.short_qty, since.traded_qty
    if longs is None or shorts is None or traded is None:
        return Liquidations()
    return liquidations.observe(
        old or Liquidations(),
        at_ns,
        long_qty=longs,
        short_qty=shorts,
        traded_qty=traded,
        mid_px=mid_px,
    )


def _interest(figures: ContractFigures | None, now_ns: int) -> float | None:
    if figures is None or now_ns - figures.at_ns > FIGURES_NS_MAX:
        return None
    return _number(figures.open_interest)


def _with_interest(
    old: Interest | None, at_ns: int, figures: ContractFigures | None, mid_px: float
) -> Interest:
    state, interest = old or Interest(), _interest(figures, at_ns)
    return state if interest is None else open_interest.observe(state, at_ns, interest, mid_px)


def _premium_bps(figures: ContractFigures) -> float | None:
    mark, index = _number(figures.mark_px), _number(figures.index_px)
    return None if mark is None or index is None or index <= 0.0 else (mark / index - 1.0) * _BPS


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
