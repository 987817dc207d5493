"""The venue itself: accounts, markets, the life of an order, and the crowd. Pure, synchronous, no sockets."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from decimal import Decimal
from random import Random
from typing import Final

from sandbox.bybit_server.accounts import DEFAULT_BALANCES, Account, Credentials
from sandbox.bybit_server.admission import (
    check_funds,
    market_price,
    price_within_band,
    promised_to_close,
)
from sandbox.bybit_server.amending import amend_waiting, amend_working
from sandbox.bybit_server.book import End, Match, Outcome, Side, TimeInForce
from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S, Clock, now_ms
from sandbox.bybit_server.dcp import DisconnectGuard
from sandbox.bybit_server.dcp_watch import DcpWatch
from sandbox.bybit_server.drafting import draft_orders
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.flow import FlowSettings, crowd
from sandbox.bybit_server.funding import FundingCalendar, pay_funding
from sandbox.bybit_server.ids import IdSource
from sandbox.bybit_server.instruments import Instrument, SymbolKey, catalogue, listed_instruments
from sandbox.bybit_server.keys import KeyRing
from sandbox.bybit_server.market import Market, PublicTrade
from sandbox.bybit_server.market_source import MarketSource, MatchSink, SourceFactory
from sandbox.bybit_server.mischief import Mischief
from sandbox.bybit_server.notices import NoticeBoard
from sandbox.bybit_server.order_requests import (
    find_market,
    read_amendment,
    read_category,
)
from sandbox.bybit_server.orders import TRADE, CancelType, Order, RejectReason, Status
from sandbox.bybit_server.outbox import Outbox, PrivateMessage
from sandbox.bybit_server.position_stops import follow_position, forget_stop, put_stops
from sandbox.bybit_server.positions import Position
from sandbox.bybit_server.price_history import PriceHistory
from sandbox.bybit_server.refusal import RefusalError, parameter_error
from sandbox.bybit_server.settlement import settle_fill
from sandbox.bybit_server.strategy_desk import StrategyDesk
from sandbox.bybit_server.triggers import TriggerDesk
from sandbox.bybit_server.visibility import QueryLag

PrivateSink = Callable[[list[PrivateMessage]], None]
TradeSink = Callable[[Market, PublicTrade], None]
LiquidationSink = Callable[[Market, Side, Decimal, Decimal], None]

CANCEL_ALL_MAX: Final = 500
BY_USER: Final = "CreateByUser"
STOP_CREATE_TYPES: Final = {"TakeProfit": "CreateByTakeProfit", "StopLoss": "CreateByStopLoss"}


class Exchange:
    """Everything the venue knows and does.

    Parameters
    ----------
    clock
        Stamps orders and trades, and drives the crowd.
    seed
        Two exchanges with equal seeds and equal histories of requests are equal.
    flow
        Options of the crowd.
    credentials
        API keys; keys with the same uid share an account.
    balances
        Opening balance of every account, by coin.
    instruments
        Symbols listed; all known ones by default.
    source
        Makes whoever makes the markets; by default the seeded crowd that ``flow`` describes.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 7,
        flow: FlowSettings | None = None,
        credentials: Iterable[Credentials] = (Credentials(),),
        balances: Mapping[str, Decimal] = DEFAULT_BALANCES,
        instruments: Iterable[Instrument] | None = None,
        source: SourceFactory | None = None,
    ) -> None:
        self.clock: Final = clock
        self.ids: Final = IdSource(seed, clock.now_ns() // NS_PER_MS)
        self.keys: Final = {entry.key: entry for entry in credentials}
        self.key_ring: Final = KeyRing(self.keys)
        hedged = {entry.uid for entry in self.keys.values() if entry.hedged}
        self.accounts: Final = {
            entry.uid: Account(entry.uid, balances, hedged=entry.uid in hedged)
            for entry in self.keys.values()
        }
        listed = catalogue(listed_instruments() if instruments is None else instruments)
        self.markets: Final = {
            key: Market(instrument, Random(f"{seed}.{key[0]}.{key[1]}.reference"))  # noqa: S311 - needs a seed
            for key, instrument in listed.items()
        }
        self.private_sinks: Final[list[PrivateSink]] = []
        self.trade_sinks: Final[list[TradeSink]] = []
        self.match_sinks: Final[list[MatchSink]] = []
        self.liquidation_sinks: Final[list[LiquidationSink]] = []
        self.notices: Final = NoticeBoard()
        self.dcp_watch: Final = DcpWatch(clock)
        self.dcp: Final = DisconnectGuard(clock, self.dcp_watch)
        self.price_history: Final = PriceHistory()
        self.mischief: Final = Mischief()
        self.query_lag: Final = QueryLag(clock)
        self.aged_ms = 0
        self._outboxes = {uid: Outbox(account) for uid, account in self.accounts.items()}
        self._dirty: dict[int, Outbox] = {}
        self._triggers = TriggerDesk()
        self._working: dict[str, Order] = {}
        self._funding = FundingCalendar(self.markets, now_ms(clock))
        self._last_s = -1
        self.strategies: Final = StrategyDesk(self, Random(f"{seed}.strategies"))  # noqa: S311 - needs a seed
        make = source or crowd(flow or FlowSettings())
        self.flows: Final[dict[SymbolKey, MarketSource]] = {
            key: make(
                self,
                market,
                Random(f"{seed}.{key[0]}.{key[1]}"),  # noqa: S311 - a market needs seeds, not secrets
                clock.monotonic_ns(),
            )
            for key, market in self.markets.items()
        }

    def marks(self) -> dict[SymbolKey, Decimal]:
        """Return the mark price of every symbol."""
        return {key: market.mark_px for key, market in self.markets.items()}

    def advance(self) -> None:
        """Let the crowd live until the clock's time, and do what is due by then."""
        # A wall clock that is set back by the operator must not make the markets stand still.
        steady_ns, now_ns = self.clock.monotonic_ns(), self.clock.now_ns()
        for flow in self.flows.values():
            flow.advance(steady_ns)
        at_s = now_ns // NS_PER_S
        if at_s != self._last_s:
            self._last_s = at_s
            for market in self.markets.values():
                market.measure_premium(at_s)
            for market in self._funding.due(now_ns // NS_PER_MS):
                if market.is_played:
                    continue
                pay_funding(self, market, market.premium.funding_rate())
        for uid, product in self.dcp.due():
            for order in list(self.accounts[uid].open_orders.values()):
                if order.instrument.category in product.categories and order.is_open:
                    self.cancel_order(order, CancelType.BY_DCP, RejectReason.NO_ERROR)
        self.strategies.advance(steady_ns)
        self.flush()

    # ---- requests of clients -------------------------------------------------------------------------

    def create(self, account: Account, fields: Fields, create_type: str = BY_USER) -> JsonObject:
        """Accept an order and match it; the answer says only that it was accepted."""
        orders = draft_orders(self, account, fields)
        rejection = self.mischief.next_rejection()
        for order in orders:
            order.create_type = create_type
        market = self.markets[orders[0].instrument.key]
        for order in orders:
            account.admit(order)
            if rejection is not None:
                self.reject_order(order, rejection)
            elif order.trigger is not None:
                self._triggers.add(order)
            else:
                self._enter(account, market, order)
            self.changed(order)
        self.flush()
        return {"orderId": orders[0].order_id, "orderLinkId": orders[0].link_id}

    def amend(self, account: Account, fields: Fields) -> JsonObject:
        """Change price, total quantity, trigger or attached stops of an open order."""
        market, order = self._find_open(account, fields, "order not exists or too late to replace")
        amendment = read_amendment(market, fields, reduce_only=order.reduce_only)
        if order.is_working:
            amend_working(self, account, market, order, amendment)
        else:
            amend_waiting(self, market, order, amendment)
        self.changed(order)
        self.flush()
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def cancel(self, account: Account, fields: Fields) -> JsonObject:
        """Withdraw an open order."""
        _, order = self._find_open(account, fields, "order not exists or too late to cancel")
        if not self.mischief.ignores_cancel():
            self.cancel_order(order, CancelType.BY_USER, RejectReason.PER_CANCEL_REQUEST)
            self.flush()
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def cancel_all(self, account: Account, fields: Fields) -> JsonObject:
        """Withdraw every open order of a symbol, a base coin or a settle coin, five hundred at a time."""
        category = read_category(fields)
        symbol, base, settle = (fields.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
        if category in {"linear", "inverse"} and not (symbol or base or settle):
            raise parameter_error("params error: symbol, baseCoin or settleCoin is required")
        if symbol:
            find_market(self.markets, fields)
        kind = fields.text("orderFilter") or ("Order" if category == "spot" else "")
        stop_kind = fields.text("stopOrderType")
        chosen: list[Order] = []
        for order in account.open_orders.values():
            item = order.instrument
            if item.category != category or kind not in {"", order.order_filter}:
                continue
            if stop_kind and stop_kind != order.stop_order_type:
                continue
            if symbol:
                wanted = item.symbol == symbol
            elif base:
                wanted = item.base_coin == base
            else:
                wanted = settle in {"", item.settle_coin}
            if wanted and len(chosen) < CANCEL_ALL_MAX:
                chosen.append(order)
        for order in chosen:
            # A stop of a position may have gone with an order before it.
            if order.is_open and not self.mischief.ignores_cancel():
                self.cancel_order(order, CancelType.BY_USER, RejectReason.PER_CANCEL_REQUEST)
        self.flush()
        rows = [{"orderId": order.order_id, "orderLinkId": order.link_id} for order in chosen]
        return {"list": rows, "success": "1"}

    # ---- the crowd -----------------------------------------------------------------------------------

    def crowd_add(self, market: Market, order_id: str, side: Side, px_ticks: int, lots: int) -> None:
        """Rest an anonymous order; what crosses trades first."""
        market.next_seq()
        outcome = market.book.submit(order_id, side, px_ticks, lots, TimeInForce.GTC)
        self.settle(market, side, None, outcome.matches)

    def crowd_take(self, market: Market, side: Side, limit_ticks: int, lots: int) -> None:
        """Trade for an anonymous participant, immediately or not at all."""
        outcome = market.book.submit("~taker", side, limit_ticks, lots, TimeInForce.IOC)
        self.settle(market, side, None, outcome.matches)

    def crowd_cancel(self, market: Market, order_id: str) -> None:
        """Withdraw an anonymous order."""
        market.next_seq()
        market.book.cancel(order_id)

    def crowd_trade(self, market: Market, side: Side, matches: tuple[Match, ...]) -> None:
        """Print trades that an anonymous taker made elsewhere; clients among the makers are filled."""
        self.settle(market, side, None, matches)

    def crowd_fund(self, market: Market, rate: Decimal) -> None:
        """Let every position of a market pay or receive funding."""
        pay_funding(self, market, rate)

    # ---- shared with the operator's interventions and the venue's own duties ----------------------------

    def outbox(self, account: Account) -> Outbox:
        """Return where to note what an account is to be told at the next flush."""
        box = self._outboxes[account.uid]
        self._dirty[account.uid] = box
        return box

    def changed(self, order: Order) -> None:
        """Note a new state of an order."""
        self.outbox(self.accounts[order.uid]).touched(order)
        if self.query_lag.is_on:
            self.query_lag.note(order)

    def new_order(
        self,
        account: Account,
        market: Market,
        side: Side,
        qty: Decimal,
        px: Decimal,
        *,
        position_idx: int = 0,
        order_type: str = "Market",
    ) -> Order:
        """Return an order that no request of the client made; it is not registered anywhere yet."""
        item = market.instrument
        stamp_ms = now_ms(self.clock)
        return Order(
            order_id=self.ids.order_id(item.category),
            link_id="",
            uid=account.uid,
            instrument=item,
            side=side,
            order_type=order_type,
            tif=TimeInForce.IOC,
            px=px,
            qty=qty,
            lots=item.lots(qty),
            created_ms=stamp_ms,
            updated_ms=stamp_ms,
            last_px_on_created=market.last_px,
            seq=market.next_seq(),
            position_idx=position_idx,
        )

    def wait_for_trigger(self, account: Account, order: Order) -> None:
        """Register a conditional order of the venue's own making."""
        account.admit(order)
        self._triggers.add(order)
        self.changed(order)

    def cancel_order(self, order: Order, cancel_type: CancelType, reason: RejectReason) -> None:
        """Take an open order out of its book or its wait, and end it. The caller flushes."""
        market = self.markets[order.instrument.key]
        self._withdraw(market, order)
        self._end(self.accounts[order.uid], order, cancel_type, reason)

    def reject_order(self, order: Order, reason: RejectReason) -> None:
        """Refuse an order that was acknowledged. The caller flushes."""
        self._withdraw(self.markets[order.instrument.key], order)
        account = self.accounts[order.uid]
        order.reject(reason, now_ms(self.clock))
        account.retire(order)
        if order.closes_position:
            forget_stop(account, order)
        self.changed(order)

    def fill_resting(self, order: Order, lots: int, px: Decimal) -> None:
        """Fill a working order against an anonymous taker, at a price of the caller's choice. The caller flushes."""
        market = self.markets[order.instrument.key]
        match = market.book.take_from(order.order_id, lots)
        self.settle(market, order.side.opposite, None, (match,), px)

    def fill_beyond(
        self,
        order: Order,
        lots: int,
        px: Decimal,
        *,
        is_maker: bool,
        kind: str = TRADE,
        exec_id: str = "",
    ) -> None:
        """Book a fill the matching never made, whatever the order has left. The caller flushes.

        It leaves no trace on the public tape.
        """
        market = self.markets[order.instrument.key]
        account = self.accounts[order.uid]
        if lots >= order.leaves_lots:
            self._withdraw(market, order)
        elif order.order_id in self._working:
            market.book.take_from(order.order_id, lots)
        trade = PublicTrade(
            exec_id=exec_id or self.ids.exec_id(order.instrument.category),
            px=px,
            qty=order.instrument.qty(lots),
            side=order.side.opposite if is_maker else order.side,
            time_ms=now_ms(self.clock),
            seq=market.next_seq(),
            tick_direction="ZeroPlusTick",
        )
        execution = settle_fill(account, market, order, trade, is_maker=is_maker, kind=kind, beyond=True)
        self.outbox(account).executed(execution)
        self.changed(order)
        self.after_fill(account, market, order)

    def rework(self, account: Account, market: Market, order: Order) -> None:
        """Give a working order the price and the quantity it now has in its book too. The caller flushes."""
        self._working.pop(order.order_id, None)
        own = self._own_opposite(account, order)
        px_ticks = order.instrument.ticks(order.px)
        outcome = market.book.amend(order.order_id, px_ticks, order.leaves_lots, order.tif, own)
        self._work(account, market, order, outcome, own)

    def after_fill(self, account: Account, market: Market, order: Order) -> None:
        """Bring what depends on a position into line with it."""
        if market.instrument.is_spot:
            return
        position = account.position(market.instrument, order.position_idx)
        if order.closes_position and not order.is_open:
            forget_stop(account, order)
        if order.stops is not None and position.side is order.side:
            stops, order.stops = order.stops, None
            put_stops(self, account, position, stops)
        follow_position(self, position)
        self._trim_reduce_only(account, position)

    def flush(self) -> None:
        """Wake the orders whose price has come, and tell the listeners everything that has changed."""
        while self._triggers and (order := self._triggers.due(self.markets)) is not None:
            self._wake(order)
        if not self._dirty:
            return
        marks = self.marks()
        boxes, self._dirty = self._dirty, {}
        messages = [message for box in boxes.values() for message in box.drain(self.markets, marks)]
        if messages:
            for sink in self.private_sinks:
                sink(messages)

    # ---- the life of an order --------------------------------------------------------------------------

    def _find_open(self, account: Account, fields: Fields, late_text: str) -> tuple[Market, Order]:
        market = find_market(self.markets, fields)
        item = market.instrument
        order_id, link_id = fields.text("orderId"), fields.text("orderLinkId")
        if not (order_id or link_id):
            raise parameter_error("params error: OrderId or orderLinkId is required")
        kind = (fields.text("orderFilter") or "Order") if item.is_spot else ""
        for order in account.named(order_id, link_id):
            if order.is_open and order.instrument.key == item.key and kind in {"", order.order_filter}:
                return market, order
        if item.is_spot:
            raise RefusalError(170213, "Order does not exist.")
        raise RefusalError(110001, late_text)

    def _wake(self, order: Order) -> None:
        """Send a conditional order whose price has come into the book, if it is still good for it."""
        account, market = self.accounts[order.uid], self.markets[order.instrument.key]
        self._triggers.remove(order)
        order.status = Status.TRIGGERED
        order.updated_ms = now_ms(self.clock)
        order.create_type = STOP_CREATE_TYPES.get(order.stop_order_type, "CreateByStopOrder")
        self.outbox(account).passed(order)
        if self.query_lag.is_on:
            self.query_lag.note(order)
        if order.is_market:
            order.px = market_price(market, order.side, None)
        item = order.instrument
        if order.reduce_only or order.close_on_trigger:
            position = account.position(item, order.position_idx)
            room = abs(position.size) - promised_to_close(account, position)
            if room <= 0 or position.side is order.side:
                self._end(account, order, CancelType.BY_REDUCE_ONLY, RejectReason.NO_ERROR)
                return
            order.qty = min(order.qty or room, room)
            order.lots = item.lots(order.qty)
        elif order.by_value:
            budget = int(order.qty // (item.tick * item.step))
            order.lots = market.book.affordable_lots(order.side, item.ticks(order.px), budget)
        order.status = Status.NEW
        try:
            order.px = price_within_band(market, order.side, order.px)
            check_funds(account, order, self.marks())
        except RefusalError:
            self.reject_order(order, RejectReason.OTHERS)
            return
        self._enter(account, market, order)
        self.changed(order)

    def _enter(self, account: Account, market: Market, order: Order) -> None:
        """Bring a new order to the book."""
        if not order.lots:
            self._end(account, order, CancelType.UNKNOWN, RejectReason.NO_FULL_FILL)
            return
        own = self._own_opposite(account, order)
        px_ticks = market.instrument.ticks(order.px)
        outcome = market.book.submit(order.order_id, order.side, px_ticks, order.lots, order.tif, own)
        self._work(account, market, order, outcome, own)

    def _own_opposite(self, account: Account, order: Order) -> Container[str]:
        """Return the account's orders that this one must not trade with, empty without self-match prevention."""
        if order.smp_type == "None":
            return ()
        opposite = order.side.opposite
        return {o.order_id for o in account.open_in(order.instrument.key) if o.side is opposite}

    def _work(
        self, account: Account, market: Market, order: Order, outcome: Outcome, own: Container[str]
    ) -> None:
        """Settle an outcome; where the order stands before one of its own account, take out who has to go."""
        while outcome.end is End.MEETS_OWN:
            self.settle(market, order.side, order, outcome.matches)
            head = market.book.half(order.side.opposite).head()
            maker = self._working.get(head.order_id) if head is not None else None
            if maker is not None and maker.order_id in own:
                if order.smp_type in {"CancelMaker", "CancelBoth"}:
                    maker.smp_order_id = order.order_id
                    self.cancel_order(maker, CancelType.BY_SMP, RejectReason.BY_SELF_MATCH)
                if order.smp_type in {"CancelTaker", "CancelBoth"}:
                    order.smp_order_id = maker.order_id
                    self._end(account, order, CancelType.BY_SMP, RejectReason.BY_SELF_MATCH)
                    return
            px_ticks = market.instrument.ticks(order.px)
            outcome = market.book.submit(
                order.order_id, order.side, px_ticks, order.leaves_lots, order.tif, own
            )
        self._apply(account, market, order, outcome)

    def _apply(self, account: Account, market: Market, order: Order, outcome: Outcome) -> None:
        self.settle(market, order.side, order, outcome.matches)
        if not order.is_open:
            return
        is_spot = order.instrument.is_spot
        match outcome.end:
            case End.RESTS:
                self._working[order.order_id] = order
            case End.WOULD_TAKE:
                self._end(account, order, CancelType.UNKNOWN, RejectReason.POST_ONLY_WILL_TAKE)
            case End.NOT_ALL_FILLABLE:
                self._end(account, order, CancelType.UNKNOWN, RejectReason.NOT_ENOUGH_QTY)
            case End.REMAINDER_DROPPED | End.FILLED | End.MEETS_OWN:
                # "Filled" with the order still open is the crumb of an order by value.
                reason = RejectReason.NO_FULL_FILL if is_spot else RejectReason.NO_IMMEDIATE_QTY
                self._end(account, order, CancelType.UNKNOWN, reason)

    def _withdraw(self, market: Market, order: Order) -> None:
        self._triggers.remove(order)
        if self._working.pop(order.order_id, None) is not None:
            market.book.cancel(order.order_id)
        order.seq = market.next_seq()

    def _end(self, account: Account, order: Order, cancel_type: CancelType, reason: RejectReason) -> None:
        order.end(cancel_type, reason, now_ms(self.clock))
        account.retire(order)
        if order.closes_position:
            forget_stop(account, order)
        self.changed(order)

    def settle(
        self,
        market: Market,
        taker_side: Side,
        taker: Order | None,
        matches: tuple[Match, ...],
        forced_px: Decimal | None = None,
    ) -> None:
        """Turn matches into public trades and into fills of the clients on either side. The caller flushes."""
        if not matches:
            return
        for hear in self.match_sinks:
            hear(market, taker_side, matches)
        seq, at_ms = market.next_seq(), now_ms(self.clock)
        instrument = market.instrument
        filled: dict[str, Order] = {}
        for match in matches:
            px = instrument.px(match.px_ticks) if forced_px is None else forced_px
            trade = market.record_trade(
                exec_id=self.ids.exec_id(instrument.category),
                px=px,
                qty=instrument.qty(match.lots),
                side=taker_side,
                time_ms=at_ms,
                seq=seq,
            )
            for sink in self.trade_sinks:
                sink(market, trade)
            maker = self._working.get(match.maker_id)
            for order in (maker, taker):
                if order is None:
                    continue
                account = self.accounts[order.uid]
                execution = settle_fill(account, market, order, trade, is_maker=order is maker)
                self.outbox(account).executed(execution)
                filled[order.order_id] = order
                if not order.is_open:
                    self._working.pop(order.order_id, None)
        for order in filled.values():
            if self.query_lag.is_on:
                self.query_lag.note(order)
            self.after_fill(self.accounts[order.uid], market, order)

    def _trim_reduce_only(self, account: Account, position: Position) -> None:
        """Cancel resting reduce-only orders that no longer have a position to reduce."""
        room = abs(position.size)
        for order in account.open_in(position.instrument.key):
            if not order.reduce_only or order.order_id not in self._working:
                continue
            if order.position_idx != position.index:
                continue
            if order.side is position.side or order.leaves_qty > room:
                self.cancel_order(order, CancelType.BY_REDUCE_ONLY, RejectReason.OTHERS)
            else:
                room -= order.leaves_qty
