"""Arbitrary histories of a clearing house: to the last unit, nothing is made, lost, or spent twice.

After every step everything is counted again from the open orders and from the rows of the ledger; what is admitted is
compared with a plain reckoning: on a cash account of what all its orders could cost, on margin of all that it holds and
could come to hold, valued from nothing. `EXECUTOR_CAMPAIGN=full` takes tens of thousands of steps.
"""

import os
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulation.clearing.house import ClearingHouse
from simulation.clearing.income import apply_funding, charge_interest, charge_loans, pay_dividend, redeem
from simulation.clearing.ledger import MemoryLedger, added_up
from simulation.clearing.liquidation import liquidations, write_off
from simulation.clearing.refusals import Refusal
from simulation.clearing.rules import ClearingRules, MarginTerms

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
PARTICIPANTS, ASSETS, PERPETUAL = 5, 3, 2
ON_MARGIN = (3, 4)
TERMS = MarginTerms(initial_bps=4_000, maintenance_bps=2_000, short=True)
PX = st.integers(1, 120)
QTY = st.integers(1, 40)
WHO = st.integers(0, PARTICIPANTS - 1)
WHAT = st.integers(0, ASSETS - 1)
SIDE = st.sampled_from((1, -1))


class ClearingHistory(RuleBasedStateMachine):
    @initialize(
        scale=st.sampled_from((1, 7, 100)),
        taker=st.sampled_from((0, 500, 3_333, 250_000)),
        rebate=st.sampled_from((-1, 0, 1)),
        apart=st.booleans(),
        lendable=st.integers(0, 60),
    )
    def open_the_market(self, scale, taker, rebate, apart, lendable):
        rules = ClearingRules(
            taker_fee_ppm=taker,
            maker_fee_ppm=rebate * taker // 2,
            lendable_lots=(lendable, lendable),
            margin_only=frozenset({PERPETUAL}),
            income_apart=apart,
        )
        self.ledger = MemoryLedger()
        self.house = ClearingHouse(PARTICIPANTS, ASSETS, scale, rules, self.ledger)
        self.orders = {}
        self.next = 1
        for who in range(PARTICIPANTS):
            self.house.deposit(0, who, 3_000 * scale)
            for asset in (0, 1):
                self.house.deliver(0, who, asset, 50)
        for who in ON_MARGIN:
            self.house.set_terms(who, TERMS)
        for asset in range(ASSETS):
            self.house.mark(asset, 60)

    def _could_cost(self, who, px, qty):
        rules = self.house.rules
        rate = Fraction(max(rules.taker_fee_ppm, rules.maker_fee_ppm), 1_000_000)
        return qty * (px * self.house.scale + ceil(px * self.house.scale * rate))

    def _why_refused(self, who, asset, side, qty, px):
        """The reason that a cash account must be told, by a reckoning of its own."""
        if asset == PERPETUAL:
            return Refusal.MARGIN_ACCOUNT
        mine = [order for order in self.orders.values() if order["who"] == who and order["side"] == side]
        if side > 0:
            cost = sum(self._could_cost(who, order["px"], order["qty"]) for order in mine)
            too_much = cost + self._could_cost(who, px, qty) > self.house.cash[who]
            return Refusal.CASH if too_much else None
        open_lots = sum(order["qty"] for order in mine if order["asset"] == asset)
        return Refusal.SHARES if open_lots + qty > self.house.shares[asset][who] else None

    def _farthest(self, who, asset, more=()):
        """Lots of an asset that an account holds if all its orders of the worse side are filled."""
        held = self.house.shares[asset][who]
        lots = [order["side"] * order["qty"] for order in self.orders.values() if order["who"] == who]
        which = [order["asset"] for order in self.orders.values() if order["who"] == who]
        mine = [*(one for one, of in zip(lots, which, strict=True) if of == asset), *more]
        return max(abs(held + sum(one for one in mine if one * side > 0)) for side in (1, -1))

    def _why_refused_on_margin(self, who, asset, side, qty, px):
        """The reason that an account on margin must be told, everything valued anew."""
        house, rules = self.house, self.house.rules
        marks, scale = house.marks, house.scale
        if side < 0:
            sold = sum(
                order["qty"]
                for order in self.orders.values()
                if (order["who"], order["asset"], order["side"]) == (who, asset, -1)
            )
            left = house.shares[asset][who] - sold
            borrowed = max(0, qty - left) - max(0, -left)
            if borrowed and asset != PERPETUAL and house.lent[asset] + borrowed > rules.lendable_lots[asset]:
                return Refusal.LENDABLE
        rate = Fraction(max(rules.taker_fee_ppm, rules.maker_fee_ppm), 1_000_000)
        loss = qty * (ceil(px * scale * rate) + max(0, side * (px - marks[asset])) * scale)
        worth = house.free[who] + sum(house.shares[one][who] * marks[one] for one in range(ASSETS)) * scale
        before = [self._farthest(who, one) for one in range(ASSETS)]
        after = [self._farthest(who, one, (side * qty,) * (one == asset)) for one in range(ASSETS)]
        need_bps = TERMS.initial_bps if after != before else TERMS.maintenance_bps
        exposure = sum(lots * px for lots, px in zip(after, marks, strict=True)) * scale
        return Refusal.MARGIN if (worth - loss) * 10_000 < exposure * need_bps else None

    @rule(who=WHO, asset=WHAT, side=SIDE, qty=QTY, px=PX)
    def enter(self, who, asset, side, qty, px):
        why = self._why_refused_on_margin if who in ON_MARGIN else self._why_refused
        expected = why(who, asset, side, qty, px)
        refusal = self.house.admit(self.next, who, asset, side, qty, px)
        assert refusal is expected
        if refusal is None:
            self.orders[self.next] = {"who": who, "asset": asset, "side": side, "qty": qty, "px": px}
        self.next += 1

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), qty=QTY, px=PX)
    def amend(self, data, qty, px):
        number = data.draw(st.sampled_from(sorted(self.orders)))
        order = self.orders[number]
        before = self.house.reserved(number)
        if self.house.amend(number, qty, px) is None:
            order.update(qty=qty, px=px)
        else:
            assert self.house.reserved(number) == before

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def cancel(self, data):
        number = data.draw(st.sampled_from(sorted(self.orders)))
        assert self.house.release(number) == self.orders.pop(number)["qty"]

    def _pairs(self):
        return [
            (buy, sell)
            for buy, bid in self.orders.items()
            if bid["side"] > 0
            for sell, ask in self.orders.items()
            if ask["side"] < 0 and ask["asset"] == bid["asset"] and ask["px"] <= bid["px"]
        ]

    @precondition(lambda self: self._pairs())
    @rule(data=st.data(), whole=st.booleans(), buyer_takes=st.booleans())
    def trade(self, data, whole, buyer_takes):
        buy, sell = data.draw(st.sampled_from(self._pairs()))
        bid, ask = self.orders[buy], self.orders[sell]
        most = min(bid["qty"], ask["qty"])
        qty = most if whole else data.draw(st.integers(1, most))
        px = data.draw(st.integers(ask["px"], bid["px"]))
        self.house.settle(self.next, *((buy, sell) if buyer_takes else (sell, buy)), px, qty)
        for number in (buy, sell):
            self.orders[number]["qty"] -= qty
            if self.orders[number]["qty"] == 0:
                del self.orders[number]

    @rule(asset=WHAT, px=PX)
    def mark(self, asset, px):
        self.house.mark(asset, px)

    @rule(asset=WHAT, amount=st.integers(0, 9), lots=st.integers(1, 7))
    def dividend(self, asset, amount, lots):
        pay_dividend(self.house, 0, asset, amount, lots)

    @rule(credit=st.integers(0, 50_000), debit=st.integers(0, 90_000))
    def interest(self, credit, debit):
        charge_interest(self.house, 0, credit, debit)

    @rule(rate=st.integers(-20_000, 20_000))
    def funding(self, rate):
        apply_funding(self.house, 0, PERPETUAL, rate)

    @rule(asset=WHAT, fee=st.integers(0, 20_000))
    def loans(self, asset, fee):
        charge_loans(self.house, 0, asset, fee)

    @rule()
    def liquidate(self):
        """Participant 0 trades with whoever is liquidated, as far as its money and shares go."""
        house = self.house
        for call in liquidations(house):
            for number in [one for one, order in self.orders.items() if order["who"] == call.participant]:
                house.release(number)
                del self.orders[number]
            px, before = house.marks[call.asset], house.exposure(call.participant)
            taker, maker = self.next, self.next + 1
            self.next += 2
            if house.admit(maker, 0, call.asset, -call.side, call.qty, px) is not None:
                continue
            assert (
                house.admit_liquidation(taker, call.participant, call.asset, call.side, call.qty, px) is None
            )
            house.settle(0, taker, maker, px, call.qty)
            assert house.exposure(call.participant) == before - call.qty * px * house.scale
        for who in ON_MARGIN:
            if all(not up[who] and not down[who] for up, down in zip(house.up, house.down, strict=True)):
                write_off(house, 0, who)
                assert house.cash[who] >= 0

    @invariant()
    def nothing_is_made_or_lost(self):
        if not hasattr(self, "house"):
            return
        house = self.house
        assert house.breaches() == []
        again = added_up(PARTICIPANTS, ASSETS, house.scale, self.ledger.trades, self.ledger.transfers)
        assert (again.cash, again.shares) == (house.cash, house.shares)
        for who in range(PARTICIPANTS):
            assert set(house.open_orders(who)) == {
                n for n, order in self.orders.items() if order["who"] == who
            }
            if who not in ON_MARGIN:
                assert house.free[who] >= 0
                assert all(held[who] >= 0 for held in house.shares)

    def teardown(self):
        if not hasattr(self, "house"):
            return
        house = self.house
        for number in self.orders:
            house.release(number)
        for who in range(PARTICIPANTS):
            assert house.free[who] == house.cash[who]
        for asset in range(ASSETS):
            redeem(house, 1, asset, 28, 3)
            assert sum(map(abs, house.shares[asset])) == 0
        assert house.breaches() == []


TestClearingHistory = ClearingHistory.TestCase
if FULL:
    TestClearingHistory = pytest.mark.timeout(1_800)(TestClearingHistory)
TestClearingHistory.settings = settings(
    max_examples=400 if FULL else 25, stateful_step_count=200 if FULL else 40, deadline=None
)
