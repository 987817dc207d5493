"""The venue itself: accounts, markets, the life of an order, and the crowd. Pure, synchronous, no sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from random import Random
from typing import Final

from sandbox.bybit_server.accounts import DEFAULT_BALANCES, Account, Credentials
from sandbox.bybit_server.admission import (
    admitted_lots,
    check_funds,
    check_open_orders,
    price_within_band,
    protection_price,
    reducing_room,
)
from sandbox.bybit_server.book import End, Match, Outcome, Side, TimeInForce
from sandbox.bybit_server.clock import NS_PER_MS, Clock, now_ms
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.flow import BackgroundFlow, FlowSettings
from sandbox.bybit_server.ids import IdSource
from sandbox.bybit_server.instruments import Instrument, SymbolKey, catalogue, listed_instruments
from sandbox.bybit_server.market import Market, PublicTrade
from sandbox.bybit_server.order_requests import (
    NewOrder,
    check_value,
    find_market,
    read_amendment,
    read_category,
    read_new_order,
)
from sandbox.bybit_server.orders import CancelType, Order, RejectReason
from sandbox.bybit_server.outbox import Outbox, PrivateMessage
from sandbox.bybit_server.refusal import RefusalError, parameter_error
from sandbox.bybit_server.settlement import settle_fill

PrivateSink = Callable[[list[PrivateMessage]], None]
TradeSink = Callable[[Market, PublicTrade], None]


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
    ) -> None:
        self.clock: Final = clock
        self.ids: Final = IdSource(seed, clock.now_ns() // NS_PER_MS)
        self.keys: Final = {entry.key: entry for entry in credentials}
        self.accounts: Final = {entry.uid: Account(entry.uid, balances) for entry in self.keys.values()}
        listed = catalogue(listed_instruments() if instruments is None else instruments)
        self.markets: Final = {key: Market(instrument) for key, instrument in listed.items()}
        self.private_sinks: Final[list[PrivateSink]] = []
        self.trade_sinks: Final[list[TradeSink]] = []
        self._outboxes = {uid: Outbox(account) for uid, account in self.accounts.items()}
        self.query_lag_ms = 0
        self._working: dict[str, Order] = {}
        settings = flow or FlowSettings()
        self.flows: Final = {
            key: BackgroundFlow(
                self,
                market,
                Random(f"{seed}.{key[0]}.{key[1]}"),  # noqa: S311 - a market needs seeds, not secrets
                settings,
                clock.now_ns(),
            )
            for key, market in self.markets.items()
        }

    def marks(self) -> dict[SymbolKey, Decimal]:
        """Return the mark price of every symbol."""
        return {key: market.mark_px for key, market in self.markets.items()}

    def advance(self) -> None:
        """Let the crowd live until the clock's time."""
        now_ns = self.clock.now_ns()
        for flow in self.flows.values():
            flow.advance(now_ns)
        self.flush()

    # ---- requests of clients -------------------------------------------------------------------------

    def create(self, account: Account, fields: Fields) -> JsonObject:
        """Accept an order and match it; the answer says only that it was accepted."""
        market = find_market(self.markets, fields)
        wish = read_new_order(market, fields)
        if wish.link_id and wish.link_id in account.by_link:
            raise RefusalError(110072, "OrderLinkedID is duplicate")
        check_open_orders(account, market.instrument)
        order = self._draft(account, market, wish)
        check_funds(account, order, self.marks())
        account.admit(order)
        if order.lots:
            outcome = market.book.submit(
                order.order_id, order.side, market.instrument.ticks(order.px), order.lots, order.tif
            )
            self._apply(account, market, order, outcome)
        else:
            self._end(account, order, CancelType.UNKNOWN, RejectReason.NO_FULL_FILL)
        self._outboxes[account.uid].touched(order)
        self.flush()
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def amend(self, account: Account, fields: Fields) -> JsonObject:
        """Change price or total quantity of a working order."""
        market, order = self._find_open(account, fields, "order not exists or too late to replace")
        instrument = market.instrument
        amendment = read_amendment(instrument, fields)
        px = order.px if amendment.px is None else price_within_band(market, order.side, amendment.px)
        qty = order.qty if amendment.qty is None else amendment.qty
        if order.reduce_only:
            qty = min(qty, order.cum_qty + reducing_room(account, instrument, without=order))
        if px == order.px and qty == order.qty:
            raise parameter_error("order not modified")
        if qty <= order.cum_qty:
            if instrument.is_spot:
                raise RefusalError(170313, "The quantity cannot be lower than the filled quantity.")
            raise RefusalError(110064, "The order quantity must be larger than the filled quantity")
        if not order.reduce_only:
            check_value(instrument, qty * px)
        before = (order.px, order.qty, order.lots)
        order.px, order.qty, order.lots = px, qty, instrument.lots(qty)
        try:
            check_funds(account, order, self.marks())
        except RefusalError:
            order.px, order.qty, order.lots = before
            raise
        order.updated_ms = now_ms(self.clock)
        order.seq = market.next_seq()
        outcome = market.book.amend(order.order_id, instrument.ticks(px), order.leaves_lots, order.tif)
        self._apply(account, market, order, outcome)
        self._outboxes[account.uid].touched(order)
        self.flush()
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def cancel(self, account: Account, fields: Fields) -> JsonObject:
        """Withdraw a working order."""
        _, order = self._find_open(account, fields, "order not exists or too late to cancel")
        self.cancel_order(order, CancelType.BY_USER, RejectReason.PER_CANCEL_REQUEST)
        self.flush()
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def cancel_all(self, account: Account, fields: Fields) -> JsonObject:
        """Withdraw every working order of a symbol or coin."""
        category = read_category(fields)
        symbol, base, settle = (fields.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
        if category in {"linear", "inverse"} and not (symbol or base or settle):
            raise parameter_error("params error: symbol, baseCoin or settleCoin is required")
        if symbol:
            find_market(self.markets, fields)
        chosen = []
        for order in list(account.open_orders.values()):
            item = order.instrument
            if item.category != category:
                continue
            wanted = (
                (symbol, item.symbol)
                if symbol
                else (base, item.base_coin)
                if base
                else (settle, item.quote_coin)
            )
            if not wanted[0] or wanted[0] == wanted[1]:
                chosen.append(order)
        for order in chosen:
            self.cancel_order(order, CancelType.BY_USER, RejectReason.PER_CANCEL_REQUEST)
        self.flush()
        rows = [{"orderId": order.order_id, "orderLinkId": order.link_id} for order in chosen]
        return {"list": rows, "success": "1"}

    # ---- the crowd -----------------------------------------------------------------------------------

    def crowd_add(self, market: Market, order_id: str, side: Side, px_ticks: int, lots: int) -> None:
        """Rest an anonymous order; what crosses trades first."""
        market.next_seq()
        outcome = market.book.submit(order_id, side, px_ticks, lots, TimeInForce.GTC)
        self._settle(market, side, None, outcome.matches)

    def crowd_take(self, market: Market, side: Side, limit_ticks: int, lots: int) -> None:
        """Trade for an anonymous participant, immediately or not at all."""
        outcome = market.book.submit("~taker", side, limit_ticks, lots, TimeInForce.IOC)
        self._settle(market, side, None, outcome.matches)

    def crowd_cancel(self, market: Market, order_id: str) -> None:
        """Withdraw an anonymous order."""
        market.next_seq()
        market.book.cancel(order_id)

    # ---- shared with the operator's interventions ------------------------------------------------------

    def cancel_order(self, order: Order, cancel_type: CancelType, reason: RejectReason) -> None:
        """Take a working order out of its book and end it. The caller flushes."""
        market = self.markets[order.instrument.key]
        market.book.cancel(order.order_id)
        market.next_seq()
        self._end(self.accounts[order.uid], order, cancel_type, reason)

    def fill_resting(self, order: Order, lots: int, px: Decimal) -> None:
        """Fill a working order against an anonymous taker, at a price of the caller's choice. The caller flushes."""
        market = self.markets[order.instrument.key]
        match = market.book.take_from(order.order_id, lots)
        self._settle(market, order.side.opposite, None, (match,), px)

    def flush(self) -> None:
        """Tell the listeners everything that has changed."""
        marks = self.marks()
        seqs = {key: market.seq for key, market in self.markets.items()}
        messages = [message for outbox in self._outboxes.values() for message in outbox.drain(marks, seqs)]
        if messages:
            for sink in self.private_sinks:
                sink(messages)

    # ---- the life of an order --------------------------------------------------------------------------

    def _draft(self, account: Account, market: Market, wish: NewOrder) -> Order:
        item = market.instrument
        edge = protection_price(market, wish.side)
        px = edge if wish.px is None else price_within_band(market, wish.side, wish.px)
        qty, lots = admitted_lots(market, account, wish, px)
        order_id = self.ids.order_id(item.category)
        stamp_ms = now_ms(self.clock)
        return Order(
            order_id=order_id,
            link_id=wish.link_id or (str(int(order_id) + 1) if item.is_spot else ""),
            uid=account.uid,
            instrument=item,
            side=wish.side,
            order_type="Market" if wish.px is None else "Limit",
            tif=wish.tif,
            px=px,
            qty=qty,
            lots=lots,
            reduce_only=wish.reduce_only,
            close_on_trigger=wish.close_on_trigger,
            market_unit=wish.market_unit,
            smp_type=wish.smp_type,
            created_ms=stamp_ms,
            updated_ms=stamp_ms,
            last_px_on_created=market.last_px,
            seq=market.next_seq(),
        )

    def _find_open(self, account: Account, fields: Fields, late_text: str) -> tuple[Market, Order]:
        market = find_market(self.markets, fields)
        order_id, link_id = fields.text("orderId"), fields.text("orderLinkId")
        if not (order_id or link_id):
            raise parameter_error("params error: OrderId or orderLinkId is required")
        order = account.orders.get(order_id) if order_id else account.by_link.get(link_id)
        if order is None or not order.is_open or order.instrument.key != market.instrument.key:
            if market.instrument.is_spot:
                raise RefusalError(170213, "Order does not exist.")
            raise RefusalError(110001, late_text)
        return market, order

    def _apply(self, account: Account, market: Market, order: Order, outcome: Outcome) -> None:
        self._settle(market, order.side, order, outcome.matches)
        self._working.pop(order.order_id, None)
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
            case End.REMAINDER_DROPPED | End.FILLED:
                # "Filled" with the order still open is the crumb of an order by value.
                reason = RejectReason.NO_FULL_FILL if is_spot else RejectReason.NO_IMMEDIATE_QTY
                self._end(account, order, CancelType.UNKNOWN, reason)

    def _end(self, account: Account, order: Order, cancel_type: CancelType, reason: RejectReason) -> None:
        order.end(cancel_type, reason, now_ms(self.clock))
        self._working.pop(order.order_id, None)
        account.retire(order)
        self._outboxes[account.uid].touched(order)

    def _settle(
        self,
        market: Market,
        taker_side: Side,
        taker: Order | None,
        matches: tuple[Match, ...],
        forced_px: Decimal | None = None,
    ) -> None:
        """Turn matches into public trades and into fills of the clients on either side."""
        if not matches:
            return
        seq, at_ms = market.next_seq(), now_ms(self.clock)
        instrument = market.instrument
        clients: dict[int, Account] = {}
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
                account = clients.setdefault(order.uid, self.accounts[order.uid])
                execution = settle_fill(account, market, order, trade, is_maker=order is maker)
                self._outboxes[order.uid].executed(execution)
                if not order.is_open:
                    self._working.pop(order.order_id, None)
        for account in clients.values():
            self._trim_reduce_only(account, market)

    def _trim_reduce_only(self, account: Account, market: Market) -> None:
        """Cancel resting reduce-only orders that no longer have a position to reduce."""
        if market.instrument.is_spot:
            return
        position = account.position(market.instrument)
        room = abs(position.size)
        for order in account.open_in(market.instrument.key):
            if not order.reduce_only or order.order_id not in self._working:
                continue
            if order.side is position.side or order.leaves_qty > room:
                self.cancel_order(order, CancelType.BY_REDUCE_ONLY, RejectReason.OTHERS)
            else:
                room -= order.leaves_qty
