"""Whatever two clients and the crowd do to each other, every lot and every coin is accounted for.

Goal: on linear, inverse and spot, in one-way and in hedge mode, with conditional orders, self-match prevention and
funding, the books add up to the last digit. Method: the expected equity is worked out from prices and quantities of
the executions alone, never from what the venue says it realised.
"""

from contextlib import suppress
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sandbox.bybit_server.account_settings import switch_mode
from sandbox.bybit_server.accounts import DEFAULT_BALANCES
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.refusal import RefusalError
from tests.sandbox.venue_support import Bench

MARKETS = {"linear": "BTCUSDT", "spot": "BTCUSDT", "inverse": "BTCUSD"}
SIDES = st.sampled_from(["Buy", "Sell"])
TICKS = st.integers(-20, 20)
PRICES = TICKS.map(lambda ticks: str(Decimal("65000.0") + ticks * Decimal("0.1")))
LOTS = st.integers(1, 3000)
TIFS = st.sampled_from(["GTC", "IOC", "FOK", "PostOnly"])
CATEGORIES = st.sampled_from(sorted(MARKETS))
INDEXES = st.sampled_from([1, 2])
WHO = st.integers(0, 1)


def quantity(category, lots):
    return str(lots * 100) if category == "inverse" else str(lots * Decimal("0.001"))


class VenueHistory(RuleBasedStateMachine):
    """Random orders, amendments, cancels and payments of two accounts beside an anonymous crowd.

    The second account holds both directions of the linear contract apart.
    """

    def __init__(self):
        super().__init__()
        self.bench = Bench()
        self.accounts = (self.bench.account, self.bench.other)
        self.bench.ask(switch_mode, self.bench.other, mode=3)

    def attempt(self, call, *arguments, **fields):
        with suppress(RefusalError):
            call(*arguments, **fields)

    def target(self, who, category, index):
        hedged = who == 1 and category == "linear"
        return {
            "account": self.accounts[who],
            "category": category,
            "symbol": MARKETS[category],
            "positionIdx": index if hedged else 0,
        }

    @rule(
        who=WHO,
        side=SIDES,
        lots=LOTS,
        px=PRICES,
        tif=TIFS,
        category=CATEGORIES,
        index=INDEXES,
        reduces=st.booleans(),
        smp=st.sampled_from(["None", "CancelMaker", "CancelTaker", "CancelBoth"]),
    )
    def limit(self, who, side, lots, px, tif, category, index, reduces, smp):
        fields = {"timeInForce": tif, "reduceOnly": reduces, "smpType": smp}
        target = self.target(who, category, index)
        self.attempt(self.bench.send, side, quantity(category, lots), px, **target, **fields)

    @rule(who=WHO, side=SIDES, lots=LOTS, category=CATEGORIES, index=INDEXES)
    def market(self, who, side, lots, category, index):
        amount = {"marketUnit": "baseCoin"} if category == "spot" else {}
        target = self.target(who, category, index)
        self.attempt(self.bench.send, side, quantity(category, lots), **target, **amount)

    @rule(who=WHO, side=SIDES, lots=LOTS, px=PRICES, category=CATEGORIES, index=INDEXES, rises=st.booleans())
    def conditional(self, who, side, lots, px, category, index, rises):
        fields = {"triggerPrice": px, "triggerDirection": 1 if rises else 2}
        if category == "spot":
            fields["orderFilter"] = "StopOrder"
        target = self.target(who, category, index)
        self.attempt(self.bench.send, side, quantity(category, lots), px, **target, **fields)

    @rule(
        who=WHO,
        side=SIDES,
        lots=LOTS,
        px=PRICES,
        index=INDEXES,
        category=st.sampled_from(["linear", "inverse"]),
    )
    def with_stops(self, who, side, lots, px, index, category):
        away = 1 if side == "Buy" else -1
        fields = {
            "takeProfit": str(Decimal(px) + away * Decimal("1.5")),
            "stopLoss": str(Decimal(px) - away * Decimal("1.5")),
        }
        target = self.target(who, category, index)
        self.attempt(self.bench.send, side, quantity(category, lots), px, **target, **fields)

    @rule(amount=st.integers(5, 5000), side=SIDES)
    def spot_by_value(self, amount, side):
        self.attempt(self.bench.send, side, str(amount), category="spot", marketUnit="quoteCoin")

    @rule(side=SIDES, lots=LOTS, px=PRICES, category=CATEGORIES)
    def crowd(self, side, lots, px, category):
        self.bench.crowd(side, px, quantity(category, lots), category, MARKETS[category])
        self.bench.exchange.flush()

    @rule(rate=st.integers(-40, 40), category=st.sampled_from(["linear", "inverse"]))
    def funding(self, rate, category):
        self.bench.do(
            "funding", category=category, symbol=MARKETS[category], rate=str(rate * Decimal("0.0001"))
        )

    @rule(who=WHO, pick=st.integers(0, 20), lots=LOTS, px=PRICES, cancels=st.booleans())
    def change(self, who, pick, lots, px, cancels):
        account = self.accounts[who]
        orders = list(account.open_orders.values())
        if not orders:
            return
        order = orders[pick % len(orders)]
        category, symbol = order.instrument.key
        named = {"category": category, "symbol": symbol, "orderId": order.order_id}
        if category == "spot":
            named["orderFilter"] = order.order_filter
        fields = Fields({**named, "qty": quantity(category, lots), "price": px})
        self.attempt(self.bench.exchange.cancel if cancels else self.bench.exchange.amend, account, fields)

    @invariant()
    def orders_are_the_sum_of_their_executions(self):
        for account in self.accounts:
            filled = dict.fromkeys(account.orders, Decimal(0))
            for execution in account.executions:
                if execution.kind == "Trade":
                    filled[execution.order.order_id] += execution.qty
            for order in account.orders.values():
                assert order.cum_qty == filled[order.order_id]
                assert order.by_value or order.cum_qty <= order.qty

    @invariant()
    def open_orders_and_the_book_agree(self):
        for account in self.accounts:
            for order in account.orders.values():
                resting = self.bench.market(*order.instrument.key).book.find(order.order_id)
                assert order.is_open == (order.order_id in account.open_orders)
                assert (resting is not None) == order.is_working
                if resting is not None:
                    assert (resting.lots, resting.side) == (order.leaves_lots, order.side)
                    assert order.instrument.px(resting.px_ticks) == order.px

    @invariant()
    def equity_follows_from_prices_and_quantities(self):
        marks = self.bench.exchange.marks()
        for account in self.accounts:
            expected = dict(DEFAULT_BALANCES)
            sizes = {}
            for execution in account.executions:
                order, item = execution.order, execution.order.instrument
                sign = order.side.sign
                expected[execution.fee_coin] -= execution.fee
                if execution.kind != "Trade":
                    continue
                if item.is_spot:
                    expected["USDT"] -= sign * execution.qty * execution.px
                    expected["BTC"] += sign * execution.qty
                    continue
                slot = (item.key, order.position_idx)
                sizes[slot] = sizes.get(slot, Decimal(0)) + sign * execution.qty
                if item.is_inverse:
                    expected["BTC"] += sign * (execution.qty / execution.px).quantize(Decimal("1E-18"))
                else:
                    expected["USDT"] -= sign * execution.qty * execution.px
            for (key, index), size in sizes.items():
                position = account.position(self.bench.market(*key).instrument, index)
                assert position.size == size
                assert index == 0 or (size >= 0) is (index == 1) or size == 0
                mark_px = marks[key]
                if key[0] == "inverse":
                    worth = (abs(size) / mark_px).quantize(Decimal("1E-18"))
                    expected["BTC"] -= worth if size > 0 else -worth
                else:
                    expected["USDT"] += size * mark_px
            for coin, amount in expected.items():
                assert account.equity(coin, marks) == amount
                assert account.locked(coin) <= account.balances[coin] or account.positions

    @invariant()
    def what_one_gains_in_funding_another_pays(self):
        paid = {}
        for account in self.accounts:
            for execution in account.executions:
                if execution.kind == "Funding":
                    item, sign = execution.order.instrument, execution.order.side.sign
                    share = execution.fee * sign / execution.qty
                    paid.setdefault((item.key, execution.fee_rate, execution.px), []).append(share)
        for shares in paid.values():
            assert max(shares) - min(shares) < Decimal("1E-8")

    @invariant()
    def reduce_only_orders_only_reduce(self):
        for account in self.accounts:
            for position in account.positions.values():
                reducing = [
                    order
                    for order in account.open_in(position.instrument.key)
                    if order.reduce_only and order.is_working and order.position_idx == position.index
                ]
                assert sum(order.leaves_qty for order in reducing) <= abs(position.size)
                assert all(order.side is not position.side for order in reducing)

    @invariant()
    def stops_belong_to_positions(self):
        for account in self.accounts:
            stops = {order for order in account.open_orders.values() if order.closes_position}
            held = set()
            for position in account.positions.values():
                for stop in (position.take_profit, position.stop_loss):
                    if stop is not None:
                        assert stop.qty == abs(position.size)
                        assert stop.side is not position.side
                        held.add(stop)
            assert held == stops

    @invariant()
    def the_tape_is_the_volume(self):
        for market in self.bench.exchange.markets.values():
            assert sum(trade.qty for trade in market.trades) == market.volume
            bid, ask = market.book.half(Side.BUY).best(), market.book.half(Side.SELL).best()
            assert bid is None or ask is None or bid < ask


TestVenueHistory = VenueHistory.TestCase
TestVenueHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
