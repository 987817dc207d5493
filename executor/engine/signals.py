"""Signals of markets: collected where a strategy of an open parent reads them, and shown to it.

Nothing is computed for a market of which no open parent reads any signal. What is collected begins with the first
snapshot after such a parent was accepted, and ends with the last such parent.
"""

from decimal import Decimal

from executor.domain.commands import Outcome, Reply
from executor.domain.decision import Style
from executor.domain.events import ContractUpdated, ExchangeFlowCounted, PositionsLiquidated
from executor.domain.market import ContractFigures, MarketSnapshot
from executor.domain.orders import ParentOrder, Side
from executor.domain.signals import NO_SIGNALS, Signals
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, is_plain
from executor.engine.desk import Desk
from executor.engine.state import ChildState, EngineState, MarketState, ParentState, market_key
from risk.circuit import volatility_hourly_pct, volume_hourly_qty
from strategies.signals.collected import (
    NOTHING_KNOWN,
    Collected,
    Since,
    interrupted,
    observe,
    shown,
    take_liquidations,
)
from strategies.signals.exchange_flow import COUNTS_MIN, Flow
from strategies.signals.exchange_flow import observe as observe_flow
from strategies.signals.queue import ahead_after
from strategies.signals.readers import Kind, Kinds, signals_collected, signals_read


def collect(desk: Desk, market: MarketState, snapshot: MarketSnapshot, parents: list[ParentState]) -> None:
    """Take in a sound snapshot for what its open parents read."""
    wanted: Kinds | None = None
    for parent in parents:
        kinds = signals_collected(parent.order.strategy, parent.order.params.wrappers)
        if kinds:
            wanted = kinds if wanted is None else wanted | kinds
    if wanted is None:
        market.signals = None
        return
    if not all(
        map(is_plain, (snapshot.best_bid, snapshot.best_bid_qty, snapshot.best_ask, snapshot.best_ask_qty))
    ):
        interrupt(market)
        return
    market.signals = observe(
        market.signals or Collected(),
        wanted,
        desk.now_ns,
        snapshot,
        traded_qty=market.traded_qty,
        figures=market.figures,
    )
    if Kind.QUEUE in wanted:
        for parent in parents:
            if Kind.QUEUE in _kinds_of(parent.order):
                _follow_queue(desk.state, parent, snapshot, market.signals.since)


def signals_of(state: EngineState, order: ParentOrder, market: MarketState) -> Signals:
    """What an order's strategy is shown."""
    kinds = _kinds_of(order)
    if not kinds:
        return NO_SIGNALS
    estimates = market.estimates
    known = estimates.observed_ns >= state.timings.volatility_warmup_s * NS_PER_S
    coin = market.instrument.base_coin if market.instrument is not None else ""
    return shown(
        market.signals,
        kinds,
        state.now_ns,
        volatility_hourly_pct=volatility_hourly_pct(estimates) if known else None,
        volume_hourly_qty=volume_hourly_qty(estimates) if known else None,
        figures=market.figures,
        flow=state.exchange_flows.get(coin),
    )


def interrupt(market: MarketState) -> None:
    """The book was lost, or the process: what was watched has a hole."""
    if market.signals is not None:
        market.signals = interrupted(market.signals)


def on_contract(desk: Desk, event: ContractUpdated) -> None:
    """Keep what the ticker of a contract says; a figure without a meaning is none."""
    market = desk.state.markets.get(market_key(event.category, event.symbol))
    if market is None:
        return
    market.figures = ContractFigures(
        at_ns=desk.now_ns,
        funding_rate=event.funding_rate if is_plain(event.funding_rate) else None,
        next_funding_ns=event.next_funding_ns,
        open_interest=event.open_interest if _is_above_zero(event.open_interest) else None,
        mark_px=event.mark_px if _is_above_zero(event.mark_px) else None,
        index_px=event.index_px if _is_above_zero(event.index_px) else None,
    )


def on_liquidated(desk: Desk, event: PositionsLiquidated) -> None:
    """Keep where positions were liquidated, if that is collected."""
    market = desk.state.markets.get(market_key(event.category, event.symbol))
    if market is None or market.signals is None:
        return
    sound = [each for each in event.positions if _is_above_zero(each.px) and _is_above_zero(each.qty)]
    market.signals = take_liquidations(market.signals, desk.now_ns, sound)


def on_exchange_flow(desk: Desk, event: ExchangeFlowCounted) -> None:
    """Keep how much went to exchanges of a coin whose market is known: a signal needs a day of counts."""
    if not event.coin or not is_plain(event.net_qty) or event.span_s <= 0:
        text = "a count names a coin, a number and the time it was counted over"
        desk.out.append(_reply(event, Outcome.INVALID, "FLOW", text))
        return
    known = {one.instrument.base_coin for one in desk.state.markets.values() if one.instrument is not None}
    if event.coin not in known:
        text = f"nothing is kept of {event.coin}: no order was ever given in a market of it"
        desk.out.append(_reply(event, Outcome.INVALID, "FLOW", text))
        return
    flows = desk.state.exchange_flows
    flows[event.coin] = observe_flow(
        flows.get(event.coin) or Flow(), desk.now_ns, event.net_qty, event.span_s * NS_PER_S
    )
    text = f"{flows[event.coin].counts} counts of {event.coin} so far; a signal from {COUNTS_MIN} on"
    desk.out.append(_reply(event, Outcome.ACCEPTED, "", text))


def _kinds_of(order: ParentOrder) -> Kinds:
    return signals_read(order.strategy, order.params.wrappers)


def _reply(event: ExchangeFlowCounted, outcome: Outcome, code: str, text: str) -> Reply:
    return Reply(request_id=event.request_id, outcome=outcome, parent_id="", code=code, text=text)


def _follow_queue(state: EngineState, parent: ParentState, snapshot: MarketSnapshot, since: Since) -> None:
    """Bring the estimate of what stands before a resting order up to a snapshot."""
    for name in parent.live:
        child = state.children[name]
        if child.style is Style.REST and child.seen and not child.is_final:
            _follow(child, snapshot, since)


def _follow(child: ChildState, snapshot: MarketSnapshot, since: Since) -> None:
    side, px = child.order.side, child.order.px
    level_qty = snapshot.best_bid_qty if side is Side.BUY else snapshot.best_ask_qty
    if child.queue_px != px or child.order.qty > child.queue_qty:
        # It came to this price, was moved there, or was made larger: it stands last.
        child.queue_px, child.queue_ahead_qty = px, None
        since = NOTHING_KNOWN
    child.queue_qty = child.order.qty
    if snapshot.touch(side) != px:
        return  # nobody says how much is shown there
    traded_qty = since.sold_qty if side is Side.BUY else since.bought_qty
    child.queue_ahead_qty = ahead_after(child.queue_ahead_qty, level_qty, child.open_qty, traded_qty)


def _is_above_zero(value: Decimal | None) -> bool:
    return value is not None and is_plain(value) and value > ZERO
