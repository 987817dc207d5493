"""What market data does to the engine: the latest book, the running estimates, the benchmarks of open parents."""

from dataclasses import replace
from decimal import Decimal

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import BookLost, BookUpdated, InstrumentLoaded, InstrumentMissing
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.places import place_of
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO
from executor.engine import markouts
from executor.engine.desk import Desk
from executor.engine.opinions import tell_disagreement
from executor.engine.positions import position_unknown
from executor.engine.reconcile import request_reconcile
from executor.engine.signals import collect, interrupt
from executor.engine.state import Benchmarks, EngineState, MarketState, ParentState, market_key, parents_of
from executor.engine.worth import on_mid
from risk.circuit import observe, to_decimal, volatility_hourly_pct

MIDS_KEPT_MAX = 64


def on_instrument(desk: Desk, event: InstrumentLoaded) -> list[ParentState]:
    """Take in the venue's rules of a symbol; when they have changed, schedules are made anew by them."""
    rules = event.instrument
    name = market_key(rules.category, rules.symbol)
    market = desk.state.markets.setdefault(name, MarketState())
    parents = parents_of(desk.state, rules.category, rules.symbol)
    if market.instrument not in {None, rules}:
        for parent in parents:
            parent.replan = parent.replan or parent.schedule is not None
    market.instrument = rules
    if position_unknown(desk.state, name):
        request_reconcile(desk, place_of(rules.category, rules.symbol))
    return parents


def on_instrument_missing(desk: Desk, event: InstrumentMissing) -> list[ParentState]:
    """End the parents of a symbol that does not exist, or no longer trades; one that was never known is forgotten."""
    parents = parents_of(desk.state, event.category, event.symbol)
    name = market_key(event.category, event.symbol)
    market = desk.state.markets.get(name)
    if market is not None and market.instrument is None:
        del desk.state.markets[name]
    elif market is not None and market.instrument is not None:
        market.instrument = replace(market.instrument, trading=False)
    for parent in parents:
        parent.detail = event.detail
        desk.alert(Severity.WARNING, AlertCode.NO_SUCH_SYMBOL, parent.order.parent_id, event.detail)
        if parent.goal is None:
            parent.goal, parent.goal_reason = ParentStatus.FAILED, Reason.INSTRUMENT_UNUSABLE
    return parents


def on_book(desk: Desk, event: BookUpdated) -> list[ParentState]:
    """Take in a snapshot; a crossed or empty one counts as a lost book."""
    snapshot = event.market
    market = desk.state.markets.setdefault(market_key(snapshot.category, snapshot.symbol), MarketState())
    if not ZERO < snapshot.best_bid < snapshot.best_ask:
        _lose(market)
        return parents_of(desk.state, snapshot.category, snapshot.symbol)
    traded_qty, traded_notional = _new_trades(market, snapshot)
    if market.marks_due and market.marks_due[0][0] < snapshot.ts_exchange_ns:
        markouts.take_due(desk, market, snapshot.ts_exchange_ns)
    market.snapshot = snapshot
    market.book_ns = desk.now_ns
    mid_px = snapshot.mid_px
    market.recent_mids.append((snapshot.ts_exchange_ns, mid_px))
    if len(market.recent_mids) > MIDS_KEPT_MAX:
        del market.recent_mids[0]
    if desk.state.marks_fills:
        market.recent_asks.append(snapshot.best_ask)
        if len(market.recent_asks) > MIDS_KEPT_MAX:
            del market.recent_asks[0]
    market.estimates = observe(market.estimates, desk.now_ns, mid_px, market.traded_qty)
    tell_disagreement(desk, market)
    parents = parents_of(desk.state, snapshot.category, snapshot.symbol)
    collect(desk, market, snapshot, parents)
    for parent in parents:
        if parent.started_ns:
            _add_trades(parent.benchmarks, snapshot.category, traded_qty, traded_notional)
            _advance(parent.benchmarks, mid_px, desk.now_ns)
            on_mid(parent, mid_px, desk.now_ns)
    return parents


def on_book_lost(desk: Desk, event: BookLost) -> list[ParentState]:
    """The book can not be trusted until the next sound snapshot."""
    market = desk.state.markets.setdefault(market_key(event.category, event.symbol), MarketState())
    _lose(market)
    interrupt(market)
    parents = parents_of(desk.state, event.category, event.symbol)
    for parent in parents:
        sums = parent.benchmarks
        if sums.last_mid_px is not None:
            _advance(sums, sums.last_mid_px, desk.now_ns)
            sums.last_mid_ns = 0  # no mid is in force until the book is back
    return parents


def _lose(market: MarketState) -> None:
    """From now on no mid is known, until the next sound book."""
    market.book_ns = None
    books = market.recent_mids
    if books and (not market.losses or market.losses[-1] != books[-1][0]):
        market.losses = [*(at_ns for at_ns in market.losses if at_ns >= books[0][0]), books[-1][0]]


def mid_before(market: MarketState, ts_exchange_ns: int) -> Decimal | None:
    """The last mid that is older than an instant of the venue's clock; None if none is kept.

    The book after a trade already shows what the trade did, and it can arrive before our fill does.
    """
    for at_ns, mid_px in reversed(market.recent_mids):
        if at_ns < ts_exchange_ns:
            return mid_px
    return None


def market_of(desk: Desk, parent: ParentState) -> MarketState:
    """What is known of the parent's symbol; to be read only."""
    name = market_key(parent.order.category, parent.order.symbol)
    return desk.state.markets.get(name) or MarketState()


def volatility_pct(state: EngineState, market: MarketState) -> Decimal | None:
    """Realised volatility per square root of an hour, per cent; None until it was observed long enough."""
    if market.estimates.observed_ns < state.timings.volatility_warmup_s * NS_PER_S:
        return None
    return to_decimal(volatility_hourly_pct(market.estimates))


def expected_volume_qty(state: EngineState, market: MarketState, horizon_s: int) -> Decimal | None:
    """Market volume expected over the horizon at the recent speed, base units; None until observed long enough."""
    if market.estimates.observed_ns < state.timings.volatility_warmup_s * NS_PER_S:
        return None
    return to_decimal(market.estimates.volume_per_s * horizon_s)


def mean_mid_px(state: EngineState, market: MarketState) -> Decimal | None:
    """Five-minute mean of mids; None until observed long enough."""
    if market.estimates.observed_ns < state.timings.volatility_warmup_s * NS_PER_S:
        return None
    return to_decimal(market.estimates.mean_mid_px)


def _new_trades(market: MarketState, snapshot: MarketSnapshot) -> tuple[Decimal, Decimal]:
    """Quantity and value traded since the last snapshot; the feed's totals begin at zero with each process."""
    if snapshot.traded_qty < market.feed_traded_qty:
        market.feed_traded_qty = market.feed_traded_notional = ZERO
    qty = snapshot.traded_qty - market.feed_traded_qty
    notional = snapshot.traded_notional - market.feed_traded_notional
    market.traded_qty += qty
    market.feed_traded_qty = snapshot.traded_qty
    market.feed_traded_notional = snapshot.traded_notional
    return qty, notional


def _add_trades(sums: Benchmarks, category: Category, qty: Decimal, turnover: Decimal) -> None:
    """Add public trades to the sums of a parent.

    Parameters
    ----------
    turnover
        Sum of quantity times price. Inverse contracts are worth one quote unit each and `qty` over their mean price
        in coin; within one snapshot, at most a second, prices differ too little for another mean to matter.
    """
    sums.market_qty += qty
    if category is not Category.INVERSE:
        sums.market_notional += turnover
        return
    sums.market_notional += qty
    if turnover > ZERO:
        sums.market_coin_qty += qty * qty / turnover


def _advance(sums: Benchmarks, mid_px: Decimal, at_ns: int) -> None:
    if sums.last_mid_px is not None and sums.last_mid_ns:
        elapsed_ns = at_ns - sums.last_mid_ns
        sums.mid_integral += sums.last_mid_px * elapsed_ns
        sums.mid_time_ns += elapsed_ns
    sums.last_mid_px = mid_px
    sums.last_mid_ns = at_ns
