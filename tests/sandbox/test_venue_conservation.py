"""Whatever two clients and the crowd do to each other, every lot and every coin is accounted for."""

from contextlib import suppress
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.refusal import RefusalError
from tests.sandbox.venue_support import Bench

SIDES = st.sampled_from(["Buy", "Sell"])
PRICES = st.integers(-20, 20).map(lambda ticks: str(Decimal("65000.0") + ticks * Decimal("0.1")))
SIZES = st.integers(1, 3000).map(lambda lots: str(lots * Decimal("0.001")))
TIFS = st.sampled_from(["GTC", "IOC", "FOK", "PostOnly"])
CATEGORIES = st.sampled_from(["linear", "spot"])


class VenueHistory(RuleBasedStateMachine):
    """Random orders, amendments and cancels of two accounts beside an anonymous crowd."""

    def __init__(self):
        super().__init__()
        self.bench = Bench()
        self.accounts = (self.bench.account, self.bench.other)

    def attempt(self, call, *arguments, **fields):
        with suppress(RefusalError):
            call(*arguments, **fields)

    @rule(
        who=st.integers(0, 1),
        side=SIDES,
        qty=SIZES,
        px=PRICES,
        tif=TIFS,
        category=CATEGORIES,
        reduces=st.booleans(),
    )
    def limit(self, who, side, qty, px, tif, category, reduces):
        account = self.accounts[who]
        fields = {"timeInForce": tif, "category": category, "reduceOnly": reduces}
        self.attempt(self.bench.send, side, qty, px, account=account, **fields)

    @rule(who=st.integers(0, 1), side=SIDES, qty=SIZES, category=CATEGORIES)
    def market(self, who, side, qty, category):
        amount = {"marketUnit": "baseCoin"} if category == "spot" else {}
        self.attempt(self.bench.send, side, qty, account=self.accounts[who], category=category, **amount)

    @rule(amount=st.integers(5, 5000), side=SIDES)
    def spot_by_value(self, amount, side):
        self.attempt(self.bench.send, side, str(amount), category="spot", marketUnit="quoteCoin")

    @rule(side=SIDES, qty=SIZES, px=PRICES, category=CATEGORIES)
    def crowd(self, side, qty, px, category):
        self.bench.crowd(side, px, qty, category)
        self.bench.exchange.flush()

    @rule(who=st.integers(0, 1), pick=st.integers(0, 20), qty=SIZES, px=PRICES, cancels=st.booleans())
    def change(self, who, pick, qty, px, cancels):
        account = self.accounts[who]
        orders = list(account.open_orders.values())
        if not orders:
            return
        order = orders[pick % len(orders)]
        fields = type(self).fields_of(order, qty=qty, price=px)
        self.attempt(self.bench.exchange.cancel if cancels else self.bench.exchange.amend, account, fields)

    @staticmethod
    def fields_of(order, **changes):
        from sandbox.bybit_server.fields import Fields

        category, symbol = order.instrument.key
        return Fields({"category": category, "symbol": symbol, "orderId": order.order_id, **changes})

    @invariant()
    def orders_are_the_sum_of_their_executions(self):
        for account in self.accounts:
            filled = dict.fromkeys(account.orders, Decimal(0))
            for execution in account.executions:
                filled[execution.order.order_id] += execution.qty
            for order in account.orders.values():
                assert order.cum_qty == filled[order.order_id]
                assert order.by_value or order.cum_qty <= order.qty

    @invariant()
    def open_orders_and_the_book_agree(self):
        for account in self.accounts:
            for order in account.orders.values():
                resting = self.bench.market(*order.instrument.key).book.find(order.order_id)
                assert (resting is not None) == order.is_open == (order.order_id in account.open_orders)
                if resting is not None:
                    assert (resting.lots, resting.side) == (order.leaves_lots, order.side)
                    assert order.instrument.px(resting.px_ticks) == order.px

    @invariant()
    def positions_and_money_follow_from_executions(self):
        for account in self.accounts:
            size, usdt, btc = Decimal(0), Decimal(1_000_000), Decimal(10)
            for execution in account.executions:
                sign = execution.order.side.sign
                if execution.order.instrument.is_spot:
                    usdt -= sign * execution.value
                    btc += sign * execution.qty
                else:
                    size += sign * execution.qty
                    usdt += execution.pnl
                if execution.fee_coin == "BTC":
                    btc -= execution.fee
                else:
                    usdt -= execution.fee
            assert account.position(self.bench.market().instrument).size == size
            assert (account.balances["USDT"], account.balances["BTC"]) == (usdt, btc)
            assert usdt >= 0
            assert btc >= 0
            assert account.locked("USDT") <= usdt
            assert account.locked("BTC") <= btc

    @invariant()
    def reduce_only_orders_only_reduce(self):
        for account in self.accounts:
            position = account.position(self.bench.market().instrument)
            reducing = [o for o in account.open_orders.values() if o.reduce_only]
            assert sum(o.leaves_qty for o in reducing) <= abs(position.size)
            assert all(o.side is not position.side for o in reducing)

    @invariant()
    def the_tape_is_the_volume(self):
        for market in self.bench.exchange.markets.values():
            assert sum(trade.qty for trade in market.trades) == market.volume
            bid, ask = market.book.half(Side.BUY).best(), market.book.half(Side.SELL).best()
            assert bid is None or ask is None or bid < ask


TestVenueHistory = VenueHistory.TestCase
TestVenueHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
