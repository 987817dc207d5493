"""Who works the strategy orders: TWAP, chase, iceberg and POV, each sending ordinary orders of the account.

What the venue documents is done as documented. What it does not say is decided here, and marked UNCONFIRMED on
`docs/sandbox.md`: how a quantity that does not divide is spread, when a limit order of a TWAP is given up, what is sent
when an iceberg's price has moved.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.clock import NS_PER_S, now_ms
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import ZERO, short
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.orders import CancelType, RejectReason
from sandbox.bybit_server.refusal import RefusalError, parameter_error
from sandbox.bybit_server.strategies import (
    CHASE,
    CREATE_TYPES,
    TWAP,
    Ended,
    State,
    Strategy,
    SubOrder,
    Wish,
)
from sandbox.bybit_server.strategy_requests import OPPOSITE, TRADED, find_strategy_market, read_wish

if TYPE_CHECKING:
    from sandbox.bybit_server.exchange import Exchange

NOISE: Final = 0.2
REPRICE_NS: Final = NS_PER_S
CHASE_FAILURES_MAX: Final = 5
POV_FAILURES_MAX: Final = 6
NO_FUNDS: Final = frozenset({110007, 110012, 170131})
NOTHING_TO_REDUCE: Final = 110017


class StrategyDesk:
    """All strategy orders of the venue.

    Parameters
    ----------
    rng
        Chance behind the sizes of a TWAP that asks for it.
    """

    def __init__(self, exchange: Exchange, rng: Random) -> None:
        self._exchange = exchange
        self._rng = rng
        self._now_ns = 0
        self._steady_ns: int | None = None
        self.pace = 1.0
        """How many times faster than the clock strategies live, so that a test need not wait for minutes."""
        self.of: Final[dict[int, dict[str, Strategy]]] = {uid: {} for uid in exchange.accounts}

    def create(self, account: Account, fields: Fields) -> JsonObject:
        """Take a strategy order; its first order follows with the next moment of the venue."""
        exchange = self._exchange
        market = find_strategy_market(exchange.markets, fields)
        wish = read_wish(market, fields, hedged=account.is_hedged(market.instrument))
        stamp_ms = now_ms(exchange.clock)
        strategy = Strategy(
            strategy_id=exchange.ids.strategy_id(),
            uid=account.uid,
            wish=wish,
            state=State.RUNNING if wish.trigger is None else State.UNTRIGGERED,
            created_ms=stamp_ms,
            updated_ms=stamp_ms,
            next_ns=self._now_ns,
        )
        self.of[account.uid][strategy.strategy_id] = strategy
        if wish.trigger is None:
            self._begin(strategy)
        return {"strategyId": strategy.strategy_id, "result": None}

    def stop(self, account: Account, fields: Fields) -> JsonObject:
        """End a strategy for good; what is open of its orders is cancelled."""
        strategy = self.of[account.uid].get(fields.text("strategyId"))
        if strategy is None or not strategy.is_open:
            raise parameter_error("params error: strategy is not running")
        if not self._exchange.mischief.ignores_cancel():
            self._end(strategy, Ended.BY_USER)
            self._exchange.flush()
        return {"strategyId": strategy.strategy_id}

    def advance(self, steady_ns: int) -> None:
        """Do what is due by an instant of the monotonic clock. The caller flushes."""
        before, self._steady_ns = self._steady_ns, steady_ns
        if before is not None:
            self._now_ns += int((steady_ns - before) * self.pace)
        for book in self.of.values():
            for strategy in [each for each in book.values() if each.is_open]:
                self._work(strategy)

    # ---- one strategy --------------------------------------------------------------------------------

    def _begin(self, strategy: Strategy) -> None:
        wish = strategy.wish
        strategy.state = State.RUNNING
        strategy.started_ms = strategy.updated_ms = now_ms(self._exchange.clock)
        strategy.next_ns = self._now_ns
        strategy.end_ns = self._now_ns + wish.duration_s * NS_PER_S
        if wish.kind == TWAP:
            strategy.plan = self._twap_plan(wish)

    def _twap_plan(self, wish: Wish) -> list[Decimal]:
        """Even pieces on the step, noisy if asked for; the last one takes what is left of the size."""
        item = wish.instrument
        orders = wish.duration_s // wish.interval_s
        even = wish.size / orders
        plan: list[Decimal] = []
        for left in range(orders, 1, -1):
            noise = Decimal(str(1 + self._rng.uniform(-NOISE, NOISE))) if wish.is_random else Decimal(1)
            room = wish.size - sum(plan, ZERO) - item.qty_min * (left - 1)
            plan.append(min(max(item.qty(item.lots(even * noise)), item.qty_min), room))
        return [*plan, wish.size - sum(plan, ZERO)]

    def _work(self, strategy: Strategy) -> None:
        market = self._exchange.markets[strategy.wish.instrument.key]
        wish = strategy.wish
        if strategy.state is State.UNTRIGGERED:
            assert wish.trigger is not None
            if not wish.trigger.is_met(market.last_px):
                return
            self._begin(strategy)
        guard = wish.guard_px
        beyond = guard is not None and (market.last_px - guard) * wish.side.sign >= 0
        if wish.kind == TWAP and beyond:
            self._end(strategy, Ended.REACHED_LIMIT_PRICE)
            return
        while strategy.is_open and strategy.next_ns <= self._now_ns:
            match wish.kind:
                case "twap":
                    self._twap(strategy, market)
                case "pov":
                    self._pov(strategy, market)
                case _:
                    self._iceberg(strategy, market, paused=beyond and guard != market.last_px)

    def _twap(self, strategy: Strategy, market: Market) -> None:
        """Send the next piece. What did not fill is sent once more, and then dropped."""
        wish = strategy.wish
        by_limit = wish.distance is not None or wish.distance_e4 is not None
        half_ns = wish.interval_s * NS_PER_S // 2
        last = strategy.orders[-1] if strategy.orders else None
        if by_limit and last is not None and not strategy.retried and last.is_open:
            strategy.next_ns += wish.interval_s * NS_PER_S - half_ns
            self._withdraw(strategy)
            self._retry(strategy, market, last)
            return
        self._withdraw(strategy)
        if not strategy.plan:
            self._end(strategy, Ended.NORMALLY)
            return
        strategy.retried = False
        sent = self._send(strategy, market, strategy.plan.pop(0), self._limit_px(wish, market), "GTC")
        if by_limit and sent.is_open:
            strategy.next_ns += half_ns
            return
        strategy.next_ns += wish.interval_s * NS_PER_S
        if sent.cum_qty < sent.qty:
            self._retry(strategy, market, sent)

    def _retry(self, strategy: Strategy, market: Market, failed: SubOrder) -> None:
        strategy.retried = True
        left = failed.qty - failed.cum_qty
        if strategy.is_open and left >= market.instrument.qty_min:
            px = self._limit_px(strategy.wish, market)
            self._send(strategy, market, left, px, "GTC", retry_of=failed.order_id)

    def _iceberg(self, strategy: Strategy, market: Market, *, paused: bool) -> None:
        """Keep one order at its price; a chase is an iceberg of one piece that only ever makes."""
        wish = strategy.wish
        strategy.next_ns = self._now_ns + REPRICE_NS
        left = strategy.leaves_qty
        if left <= 0:
            self._end(strategy, Ended.NORMALLY)
            return
        working = strategy.working
        px = wish.limit_px or self._limit_px(wish, market)
        if paused or px is None:
            self._withdraw(strategy)
            return
        if working is not None and working.order is not None:
            if working.order.px == px:
                return
            self._withdraw(strategy)
            left = strategy.leaves_qty
            if left <= 0:
                return
        sent = self._send(
            strategy, market, min(wish.sub_qty, left), px, "PostOnly" if wish.post_only else "GTC"
        )
        if sent.order is not None and not sent.is_open and not sent.cum_qty:
            strategy.failures += 1
            if wish.kind == CHASE and strategy.failures >= CHASE_FAILURES_MAX:
                self._end(strategy, Ended.FAILURES_IN_ROW)
            return
        strategy.failures = 0
        if not sent.is_open and sent.cum_qty:
            strategy.next_ns = self._now_ns  # filled at once: the next piece follows

    def _pov(self, strategy: Strategy, market: Market) -> None:
        """Sample the market, send its share, until size or time is used up."""
        wish = strategy.wish
        self._withdraw(strategy)
        if wish.interval_s and strategy.leaves_qty <= 0:
            self._end(strategy, Ended.POV_QTY)
            return
        if wish.duration_s and self._now_ns >= strategy.end_ns:
            self._end(strategy, Ended.POV_DURATION)
            return
        item = wish.instrument
        own = wish.side
        book = market.book
        if wish.mode == TRADED:
            since_ms = now_ms(self._exchange.clock) - wish.window_s * 1000
            seen = sum((trade.qty for trade in market.trades if trade.time_ms >= since_ms), ZERO)
        else:
            half = book.half(own.opposite if wish.mode == OPPOSITE else own)
            seen = item.qty(sum(lots for _, lots in half.levels(wish.depth)))
        qty = item.qty(item.lots(seen * wish.rate_pct / 100))
        if wish.interval_s:
            qty = min(qty, strategy.leaves_qty)
        strategy.next_ns += max(wish.interval_s, 1) * NS_PER_S
        if qty >= item.qty_min:
            px, tif = None, "GTC"
            if wish.mode != TRADED:
                best = book.half(own.opposite if wish.mode == OPPOSITE else own).best()
                px, tif = (
                    (None if best is None else item.px(best)),
                    ("IOC" if wish.mode == OPPOSITE else "PostOnly"),
                )
            sent = self._send(strategy, market, qty, px, tif)
            failed = not sent.is_open and not sent.cum_qty
            strategy.failures = strategy.failures + 1 if failed else 0
            if strategy.is_open and strategy.failures >= POV_FAILURES_MAX:
                self._end(strategy, Ended.POV_FAILURES)
        if strategy.is_open and not wish.interval_s:
            self._end(strategy, Ended.POV_ONE_TIME)

    # ---- its orders ----------------------------------------------------------------------------------

    def _limit_px(self, wish: Wish, market: Market) -> Decimal | None:
        """Return the price of a limit order, None for a market order or where there is no best price."""
        item = market.instrument
        if wish.kind == TWAP and wish.distance is None and wish.distance_e4 is None:
            return None
        best_ticks = market.book.half(wish.side.opposite if wish.takes else wish.side).best()
        if best_ticks is None:
            return None
        best = item.px(best_ticks)
        away = wish.distance if wish.distance is not None else best * Decimal(wish.distance_e4 or 0) / 10_000
        px = item.px(max(1, item.ticks(best - wish.side.sign * away)))
        guard = wish.guard_px
        if guard is not None and wish.kind != TWAP and (px - guard) * wish.side.sign > 0:
            return None
        return px

    def _send(
        self,
        strategy: Strategy,
        market: Market,
        qty: Decimal,
        px: Decimal | None,
        tif: str,
        *,
        retry_of: str = "",
    ) -> SubOrder:
        """Send one order as the account would, and keep what became of it."""
        exchange, wish = self._exchange, strategy.wish
        account = exchange.accounts[strategy.uid]
        item = market.instrument
        body: JsonObject = {
            "category": item.category,
            "symbol": item.symbol,
            "side": wish.side.value,
            "orderType": "Market" if px is None else "Limit",
            "qty": short(qty),
            "positionIdx": wish.position_idx,
            "reduceOnly": wish.reduce_only,
        }
        if px is not None:
            body |= {"price": item.px_text(px), "timeInForce": tif}
        elif item.is_spot:
            body |= {"marketUnit": "baseCoin"}
        stamp_ms = now_ms(exchange.clock)
        try:
            ack = exchange.create(account, Fields(body), create_type=CREATE_TYPES[wish.kind])
        except RefusalError as refusal:
            sub = SubOrder(
                order_id=exchange.ids.order_id(item.category),
                qty=qty,
                created_ms=stamp_ms,
                retry_of=retry_of,
                code=refusal.code,
                text=refusal.text,
            )
            self._note(strategy, sub)
            if refusal.code in NO_FUNDS:
                self._end(strategy, Ended.NO_BALANCE)
            elif refusal.code == NOTHING_TO_REDUCE:
                self._end(strategy, Ended.NOTHING_TO_REDUCE)
            return sub
        order = account.orders[str(ack["orderId"])]
        sub = SubOrder(order_id=order.order_id, qty=qty, created_ms=stamp_ms, order=order, retry_of=retry_of)
        self._note(strategy, sub)
        return sub

    def _note(self, strategy: Strategy, sub: SubOrder) -> None:
        strategy.orders.append(sub)
        strategy.updated_ms = max(strategy.updated_ms, now_ms(self._exchange.clock))

    def _withdraw(self, strategy: Strategy) -> None:
        for sub in strategy.orders:
            if sub.order is not None and sub.order.is_open:
                self._exchange.cancel_order(sub.order, CancelType.BY_USER, RejectReason.PER_CANCEL_REQUEST)

    def _end(self, strategy: Strategy, why: Ended) -> None:
        self._withdraw(strategy)
        strategy.state, strategy.ended = State.TERMINATED, why
        strategy.ended_ms = strategy.updated_ms = now_ms(self._exchange.clock)
