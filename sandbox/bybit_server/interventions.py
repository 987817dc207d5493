"""What the operator may do to orders, positions, money and keys of the venue's clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import ZERO, parse_positive, short
from sandbox.bybit_server.funding import pay_funding
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.orders import TRADE, CancelType, Order, RejectReason
from sandbox.bybit_server.positions import Position
from sandbox.bybit_server.refusal import parameter_error
from sandbox.bybit_server.settlement import settle_payment
from sandbox.bybit_server.visibility import QUERIES

HOUR_MS: Final = 3_600_000
MOVES_POSITION: Final = frozenset(
    {TRADE, "AdlTrade", "BustTrade", "BlockTrade", "Delivery", "MovePosition", "FutureSpread"}
)
BUST: Final = "BustTrade"
ADL: Final = "AdlTrade"
STATUSES: Final = ("PreLaunch", "Trading", "Delivering", "Closed")

Act = Callable[[Fields], JsonObject]


class Interventions:
    """Acts upon the accounts of one exchange; each returns what it did.

    An act that does not name an order finds its account by ``uid`` or API ``key``, else takes the first one.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def table(self) -> dict[str, Act]:
        """Return the acts by name."""
        return {
            "reject": self.reject,
            "reject_next": self.reject_next,
            "ignore_cancels": self.ignore_cancels,
            "overfill": self.overfill,
            "external": self.external,
            "execution": self.execution,
            "funding": self.funding,
            "liquidate": self.liquidate,
            "adl": self.adl,
            "instrument": self.instrument,
            "age": self.age,
            "lag": self.lag,
            "visible_lag": self.visible_lag,
            "balance": self.balance,
            "key": self.key,
        }

    def reject(self, fields: Fields) -> JsonObject:
        """Reject an open order after its ack: ``orderLinkId`` or ``orderId``, optional ``reason`` (EC_...)."""
        order = self.find_order(fields)
        if not order.is_open:
            raise parameter_error("order is not open")
        self._exchange.reject_order(order, _reason(fields))
        self._exchange.flush()
        return {"orderId": order.order_id, "orderStatus": order.status.value}

    def reject_next(self, fields: Fields) -> JsonObject:
        """Acknowledge the next ``count`` creates and reject them at once, with ``reason``."""
        mischief, reason = self._exchange.mischief, _reason(fields)
        mischief.rejections = fields.whole("count", 1, 0, 10**6)
        mischief.rejection_reason = reason
        return {"count": mischief.rejections}

    def ignore_cancels(self, fields: Fields) -> JsonObject:
        """Acknowledge the next ``count`` cancels and forget them."""
        mischief = self._exchange.mischief
        mischief.ignored_cancels = fields.whole("count", 1, 0, 10**6)
        return {"count": mischief.ignored_cancels}

    def overfill(self, fields: Fields) -> JsonObject:
        """Execute ``qty`` of an order although it has less left, by default one step more; optional ``price``."""
        order = self.find_order(fields)
        item = order.instrument
        lots = item.lots(decimal(fields, "qty", order.leaves_qty + item.step))
        if lots <= order.leaves_lots:
            raise parameter_error("qty must be more than the order has left")
        self._exchange.fill_beyond(order, lots, decimal(fields, "price", order.px), is_maker=True)
        self._exchange.flush()
        return {"orderId": order.order_id, "cumExecQty": short(order.cum_qty)}

    def external(self, fields: Fields) -> JsonObject:
        """Let the account's owner trade by hand: ``symbol``, ``side``, ``qty``, optional ``price``, ``positionIdx``."""
        account, market = self._account(fields), self.find_market(fields)
        order = self._foreign_order(account, market, fields)
        account.admit(order)
        self._exchange.fill_beyond(order, order.lots, order.px, is_maker=False)
        self._exchange.flush()
        return {"orderId": order.order_id, "execId": order.executions[-1].exec_id}

    def execution(self, fields: Fields) -> JsonObject:
        """Book and push a crafted execution.

        Of an order (``orderLinkId`` or ``orderId``), or of one nobody knows (``symbol``, ``side``). ``execType``
        may be any text; the kinds of trade move the position, the others only the money by ``fee``. ``execId``
        may repeat an id.
        """
        exchange = self._exchange
        named = fields.text("orderLinkId") or fields.text("orderId")
        if named:
            order = self.find_order(fields)
            account, market = exchange.accounts[order.uid], exchange.markets[order.instrument.key]
        else:
            account, market = self._account(fields), self.find_market(fields)
            order = self._foreign_order(account, market, fields)
        item = order.instrument
        kind = fields.text("execType", TRADE)
        qty = decimal(fields, "qty", order.leaves_qty)
        px = decimal(fields, "price", order.px or market.mark_px)
        exec_id = fields.text("execId") or exchange.ids.exec_id(item.category)
        if kind in MOVES_POSITION:
            if not named:
                account.admit(order)
            if item.lots(qty) <= 0:
                raise parameter_error("qty must be positive")
            maker = fields.flag("isMaker")
            exchange.fill_beyond(order, item.lots(qty), px, kind=kind, is_maker=maker, exec_id=exec_id)
        else:
            if not named:
                order.order_type = "UNKNOWN"
            paid = settle_payment(
                account,
                market,
                order,
                exec_id=exec_id,
                kind=kind,
                qty=qty,
                px=px,
                fee=_signed(fields, "fee"),
                rate=ZERO,
                time_ms=now_ms(exchange.clock),
            )
            exchange.outbox(account).paid(paid)
        exchange.flush()
        return {"orderId": order.order_id, "execId": exec_id}

    def funding(self, fields: Fields) -> JsonObject:
        """Pay funding of a ``symbol`` now, at ``rate`` (by default the one its premium gives)."""
        market = self.find_market(fields)
        if not market.instrument.is_perpetual:
            raise parameter_error("symbol has no funding")
        rate = market.premium.funding_rate()
        if "rate" in fields.values:
            rate = _signed(fields, "rate")
        paid = pay_funding(self._exchange, market, rate)
        self._exchange.flush()
        return {"positions": paid, "rate": short(rate)}

    def liquidate(self, fields: Fields) -> JsonObject:
        """Liquidate a position: ``symbol``, optional ``positionIdx`` and ``price``; its symbol's orders go first."""
        exchange = self._exchange
        account, market, position = self._position(fields)
        for order in account.open_in(market.instrument.key):
            if order.is_open:
                exchange.cancel_order(order, CancelType.ALL_BEFORE_LIQ, RejectReason.NO_ERROR)
        px = decimal(fields, "price", _bust_px(position))
        side, qty = position.side, abs(position.size)
        assert side is not None
        order = self._forced_close(account, market, position, qty, px, "CreateByLiq", BUST)
        for sink in exchange.liquidation_sinks:
            sink(market, side, qty, px)
        exchange.flush()
        return {"orderId": order.order_id, "price": short(px)}

    def adl(self, fields: Fields) -> JsonObject:
        """Deleverage a position: ``symbol``, optional ``qty``, ``positionIdx``, ``price``; closing orders go first."""
        exchange = self._exchange
        account, market, position = self._position(fields)
        qty = min(decimal(fields, "qty", abs(position.size)), abs(position.size))
        for order in account.open_in(market.instrument.key):
            if order.is_working and order.reduce_only and order.position_idx == position.index:
                exchange.cancel_order(order, CancelType.BY_PREPARE_ADL, RejectReason.NO_ERROR)
        px = decimal(fields, "price", market.mark_px)
        order = self._forced_close(account, market, position, qty, px, "CreateByAdl_PassThrough", ADL)
        exchange.flush()
        return {"orderId": order.order_id, "size": short(abs(position.size))}

    def instrument(self, fields: Fields) -> JsonObject:
        """Change the rules of a symbol: ``tickSize``, ``qtyStep``, ``minNotional``, ``minQty``, ``status``.

        Orders that stand keep what they have. Steps can only become whole multiples of the listed ones.
        """
        market = self.find_market(fields)
        old = market.instrument
        status = fields.text("status", old.status)
        if status not in STATUSES:
            raise parameter_error(f"status must be one of {', '.join(STATUSES)}")
        market.instrument = replace(
            old,
            tick_size=decimal(fields, "tickSize", old.tick_size),
            qty_step=decimal(fields, "qtyStep", old.qty_step),
            notional_min=decimal(fields, "minNotional", old.notional_min),
            # The smallest order moves with the step, both ways.
            qty_min=decimal(fields, "minQty", decimal(fields, "qtyStep", old.qty_min)),
            status=status,
        )
        if (market.instrument.tick_size, market.instrument.qty_step) != (old.tick_size, old.qty_step):
            self._exchange.flows[old.key].regrid()
        return {"symbol": old.symbol, "status": status}

    def age(self, fields: Fields) -> JsonObject:
        """Let what is stored count as ``hours`` older than its stamps, for what the venue remembers of it."""
        self._exchange.aged_ms = fields.whole("hours", 0, 0, 10**6) * HOUR_MS
        return {"hours": self._exchange.aged_ms // HOUR_MS}

    def lag(self, fields: Fields) -> JsonObject:
        """Let all queries about orders and executions trail the matching by ``ms`` milliseconds."""
        for query in QUERIES:
            self._trail(query, fields.whole("ms", 0, 0, 600_000))
        return {"ms": fields.whole("ms", 0, 0, 600_000)}

    def visible_lag(self, fields: Fields) -> JsonObject:
        """Let one kind of query trail: ``endpoint`` realtime, history or execution, by ``ms`` milliseconds."""
        query = fields.text("endpoint")
        if query not in QUERIES:
            raise parameter_error(f"endpoint must be one of {', '.join(QUERIES)}")
        self._trail(query, fields.whole("ms", 0, 0, 600_000))
        return {"endpoint": query, "ms": fields.whole("ms", 0, 0, 600_000)}

    def balance(self, fields: Fields) -> JsonObject:
        """Set the wallet balance of a ``coin`` to ``amount``."""
        account, coin = self._account(fields), fields.text("coin")
        if not coin:
            raise parameter_error("coin is required")
        amount = decimal(fields, "amount", ZERO)
        account.credit(coin, amount - account.balances.get(coin, ZERO))
        self._exchange.outbox(account).paid_in(coin)
        self._exchange.flush()
        return {"coin": coin, "walletBalance": short(amount)}

    def key(self, fields: Fields) -> JsonObject:
        """Change the rights of an API ``key``: readOnly, permissions, ips, expiredAt, revoke."""
        name = fields.text("key")
        rights = self._exchange.key_ring.rights(name)
        rights.change(fields)
        return {"key": name, "revoke": rights.revoked, **rights.shape(now_ms(self._exchange.clock))}

    def find_order(self, fields: Fields) -> Order:
        """Return the order that ``orderId`` or ``orderLinkId`` names, in whichever account."""
        order_id, link_id = fields.text("orderId"), fields.text("orderLinkId")
        for account in self._exchange.accounts.values():
            found = account.named(order_id, link_id)
            if found:
                return next((order for order in found if order.is_open), found[0])
        raise parameter_error("order not exists")

    def find_market(self, fields: Fields) -> Market:
        """Return the market that ``category`` and ``symbol`` name, by default linear BTCUSDT."""
        key = (fields.text("category", "linear"), fields.text("symbol", "BTCUSDT"))
        market = self._exchange.markets.get(key)
        if market is None:
            raise parameter_error("symbol invalid")
        return market

    def _account(self, fields: Fields) -> Account:
        exchange = self._exchange
        uid = fields.whole("uid", 0, 0, 10**18)
        key = fields.text("key")
        if key in exchange.keys:
            uid = exchange.keys[key].uid
        account = exchange.accounts.get(uid) if uid or key else next(iter(exchange.accounts.values()))
        if account is None:
            raise parameter_error("there is no such account")
        return account

    def _position(self, fields: Fields) -> tuple[Account, Market, Position]:
        """Return the position an act is about: the one named, or the only one that is not flat."""
        account, market = self._account(fields), self.find_market(fields)
        held = [slot for slot in account.slots(market.instrument) if slot.size]
        if "positionIdx" in fields.values:
            index = fields.whole("positionIdx", 0, 0, 2)
            held = [slot for slot in held if slot.index == index]
        if not held:
            raise parameter_error("there is no such position")
        return account, market, held[0]

    def _foreign_order(self, account: Account, market: Market, fields: Fields) -> Order:
        """Return an order of the account that came through no interface of the client's."""
        item = market.instrument
        if fields.text("side") not in set(Side):
            raise parameter_error("side is required")
        side = Side(fields.text("side"))
        qty = decimal(fields, "qty", ZERO)
        if item.lots(qty) <= 0:
            raise parameter_error("qty must be positive")
        default_idx = 0
        if account.is_hedged(item):
            default_idx = 1 if side is Side.BUY else 2
        index = fields.whole("positionIdx", default_idx, 0, 2)
        if index not in {slot.index for slot in account.slots(item)} and not item.is_spot:
            raise parameter_error("position idx not match position mode")
        px = decimal(fields, "price", market.last_px)
        return self._exchange.new_order(account, market, side, qty, px, position_idx=index)

    def _forced_close(
        self,
        account: Account,
        market: Market,
        position: Position,
        qty: Decimal,
        px: Decimal,
        create_type: str,
        kind: str,
    ) -> Order:
        side = position.side
        assert side is not None
        order = self._exchange.new_order(account, market, side.opposite, qty, px, position_idx=position.index)
        order.create_type = create_type
        account.admit(order)
        self._exchange.fill_beyond(order, order.lots, px, kind=kind, is_maker=False)
        return order

    def _trail(self, query: str, lag_ms: int) -> None:
        """Set a lag; the first one begins with how everything looks before it."""
        lag = self._exchange.query_lag
        if not lag.is_on and lag_ms:
            for account in self._exchange.accounts.values():
                for order in account.open_orders.values():
                    lag.note(order)
        lag.set(query, lag_ms)


def decimal(fields: Fields, name: str, default: Decimal) -> Decimal:
    """Return a number of a control request, zero or more."""
    value = fields.values.get(name)
    if value is None:
        return default
    parsed = parse_positive(str(value))
    if parsed is None:
        raise parameter_error(f"{name} invalid")
    return parsed


def _signed(fields: Fields, name: str) -> Decimal:
    """Return a number of a control request that may be negative."""
    text = str(fields.values.get(name, "0"))
    parsed = parse_positive(text.removeprefix("-"))
    if parsed is None:
        raise parameter_error(f"{name} invalid")
    return -parsed if text.startswith("-") else parsed


def _reason(fields: Fields) -> RejectReason:
    return RejectReason(fields.text("reason", RejectReason.OTHERS.value))


def _bust_px(position: Position) -> Decimal:
    """Return the price at which the initial margin of a position is used up, on its tick."""
    item: Instrument = position.instrument
    sign = 1 if position.size > 0 else -1
    px = position.entry_px * (1 - sign / position.leverage)
    return item.px(max(1, item.ticks(px)))
