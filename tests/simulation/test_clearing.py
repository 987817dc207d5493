"""The clearing house: what it reserves, what it refuses, and that a trade moves both sides or none."""

import numpy as np
import pytest

from executor.domain.errors import InvariantViolation
from simulation.clearing.house import ClearingHouse
from simulation.clearing.income import (
    PeriodCharges,
    apply_funding,
    charge_interest,
    charge_loans,
    charge_period,
    pay_dividend,
    redeem,
)
from simulation.clearing.ledger import CASH, Kind, MemoryLedger, Trade, added_up
from simulation.clearing.liquidation import liquidations, write_off
from simulation.clearing.refusals import Refusal
from simulation.clearing.rules import ClearingRules, MarginTerms, protection_px

ANN, BOB, EVE = 0, 1, 2
BUY, SELL = 1, -1


def market(rules=None, *, scale=1, assets=1, cash=100_000, shares=100):
    ledger = MemoryLedger()
    house = ClearingHouse(3, assets, scale, rules, ledger)
    for participant in (ANN, BOB, EVE):
        house.deposit(0, participant, cash)
        for asset in range(assets):
            house.deliver(0, participant, asset, shares)
    return house, ledger


def sound(house, ledger):
    """Nothing was lost, every reservation follows from open orders, and the rows give the same accounts."""
    assert house.breaches() == []
    again = added_up(3, len(house.shares), house.scale, ledger.trades, ledger.transfers)
    assert again.cash == house.cash
    assert again.shares == house.shares


def admitted(house, *order):
    assert house.admit(*order) is None


# Trades


def test_a_trade_moves_shares_money_and_fees_of_both_sides():
    house, ledger = market(ClearingRules(taker_fee_ppm=1_000, maker_fee_ppm=-400), scale=10)
    admitted(house, 1, ANN, 0, SELL, 5, 100)
    admitted(house, 2, BOB, 0, BUY, 5, 100)
    house.settle(7, 2, 1, 100, 5)
    # 5 lots x 100 ticks x 10 = 5 000; the taker pays 5, the maker gets 2.
    assert (house.cash[ANN], house.cash[BOB], house.cash[house.numbers.house]) == (105_002, 94_995, 3)
    assert (house.shares[0][ANN], house.shares[0][BOB]) == (95, 105)
    assert house.free[:2] == [105_002, 94_995]
    assert Trade(*ledger.trades[0])[:4] == (7, 7, 0, 100)
    assert (Trade(*ledger.trades[0]).buy_fee, Trade(*ledger.trades[0]).sell_fee) == (5, -2)
    sound(house, ledger)


@pytest.mark.parametrize("buyer_takes", [True, False])
def test_the_taker_pays_the_takers_fee_whichever_side_it_is(buyer_takes):
    house, ledger = market(ClearingRules(taker_fee_ppm=10_000))
    admitted(house, 1, ANN, 0, SELL, 1, 1_000)
    admitted(house, 2, BOB, 0, BUY, 1, 1_000)
    house.settle(0, *((2, 1) if buyer_takes else (1, 2)), 1_000, 1)
    row = Trade(*ledger.trades[0])
    assert (row.taker_side, row.buy_fee, row.sell_fee) == ((1, 10, 0) if buyer_takes else (-1, 0, 10))
    sound(house, ledger)


def test_a_better_price_and_a_partial_fill_free_exactly_what_they_did_not_need():
    house, ledger = market(ClearingRules(taker_fee_ppm=1_500))
    admitted(house, 1, ANN, 0, BUY, 10, 333)
    # The fee on 333 is 0.4995: one unit is kept ready for each lot.
    assert house.free[ANN] == 100_000 - 10 * 334
    admitted(house, 2, BOB, 0, SELL, 10, 300)
    house.settle(0, 1, 2, 300, 4)
    assert house.cash[ANN] == 100_000 - 1_200 - 2  # 1.8, half up
    assert house.free[ANN] == house.cash[ANN] - 6 * 334
    assert house.reserved(1) == (6, 6 * 334)
    assert house.release(1) == 6
    assert house.free[ANN] == house.cash[ANN]
    assert house.reserved(1) == (0, 0)
    sound(house, ledger)


def test_many_small_fills_never_cost_more_than_was_reserved():
    house, ledger = market(ClearingRules(taker_fee_ppm=500_000), cash=100)
    # Each lot is worth 1 and its fee 0.5, which rounds up to 1: 50 lots may cost 100, all that there is.
    admitted(house, 1, ANN, 0, BUY, 50, 1)
    assert house.free[ANN] == 0
    admitted(house, 2, BOB, 0, SELL, 50, 1)
    for _ in range(50):
        house.settle(0, 1, 2, 1, 1)
    assert (house.cash[ANN], house.free[ANN], house.cash[house.numbers.house]) == (0, 0, 50)
    sound(house, ledger)


def test_a_trade_with_oneself_costs_its_fees_and_moves_nothing_else():
    house, ledger = market(ClearingRules(taker_fee_ppm=10_000, maker_fee_ppm=-5_000))
    admitted(house, 1, ANN, 0, SELL, 3, 100)
    admitted(house, 2, ANN, 0, BUY, 3, 110)
    house.settle(0, 2, 1, 100, 3)
    assert (house.cash[ANN], house.free[ANN], house.shares[0][ANN]) == (100_000 - 3 + 1, 99_998, 100)
    assert (house.up[0][ANN], house.down[0][ANN]) == (100, 100)  # -1.5 rounds to -1: half up
    sound(house, ledger)


@pytest.mark.parametrize(
    ("taker", "maker", "px", "qty"),
    [
        pytest.param(2, 1, 100, 6, id="more than the maker has left"),
        pytest.param(3, 1, 100, 5, id="more than the taker has left"),
        pytest.param(2, 1, 99, 5, id="below the seller's limit"),
        pytest.param(2, 1, 111, 5, id="above the buyer's limit"),
        pytest.param(2, 1, 100, 0, id="nothing"),
        pytest.param(2, 1, 100, -1, id="less than nothing"),
        pytest.param(2, 1, 100, 1.0, id="no whole quantity"),
        pytest.param(2, 1, 100.5, 1, id="no whole price"),
        pytest.param(2, 3, 100, 1, id="two buyers"),
        pytest.param(1, 4, 100, 1, id="two sellers"),
        pytest.param(2, 5, 100, 1, id="another asset"),
        pytest.param(2, 9, 100, 1, id="an order that is not open"),
        pytest.param(9, 1, 100, 1, id="a taker that is not open"),
        pytest.param(2, 2, 110, 1, id="one order with itself"),
    ],
)
def test_a_trade_that_the_orders_do_not_allow_moves_nothing(taker, maker, px, qty):
    house, ledger = market(assets=2)
    admitted(house, 1, ANN, 0, SELL, 5, 100)
    admitted(house, 2, BOB, 0, BUY, 9, 110)
    admitted(house, 3, EVE, 0, BUY, 4, 110)
    admitted(house, 4, EVE, 0, SELL, 4, 100)
    admitted(house, 5, EVE, 1, SELL, 4, 100)
    before = [list(house.cash), list(house.free), [list(held) for held in house.shares], len(ledger.trades)]
    with pytest.raises(InvariantViolation):
        house.settle(0, taker, maker, px, qty)
    assert before == [house.cash, house.free, house.shares, len(ledger.trades)]
    assert house.reserved(1)[0] == 5
    sound(house, ledger)


# What is refused


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ((1, -1, 0, BUY, 1, 1), Refusal.UNKNOWN_PARTICIPANT),
        ((1, 3, 0, BUY, 1, 1), Refusal.UNKNOWN_PARTICIPANT),
        ((1, ANN, -1, BUY, 1, 1), Refusal.UNKNOWN_ASSET),
        ((1, ANN, 2, BUY, 1, 1), Refusal.UNKNOWN_ASSET),
        ((1, ANN, 0, 0, 1, 1), Refusal.BAD_SIDE),
        ((1, ANN, 0, 2, 1, 1), Refusal.BAD_SIDE),
        ((1, ANN, 0, BUY, 0, 1), Refusal.BAD_QTY),
        ((1, ANN, 0, SELL, -3, 1), Refusal.BAD_QTY),
        ((1, ANN, 0, BUY, 1.5, 1), Refusal.BAD_QTY),
        ((1, ANN, 0, BUY, True, 1), Refusal.BAD_QTY),
        ((1, ANN, 0, BUY, np.int64(5), 1), Refusal.BAD_QTY),
        ((1, ANN, 0, BUY, 51, 1), Refusal.QTY_MAX),
        ((1, ANN, 0, BUY, 1, 0), Refusal.BAD_PX),
        ((1, ANN, 0, BUY, 1, -7), Refusal.BAD_PX),
        ((1, ANN, 0, SELL, 1, 99.5), Refusal.BAD_PX),
        ((1, ANN, 0, BUY, 1, float("nan")), Refusal.BAD_PX),
        ((9, ANN, 0, BUY, 1, 1), Refusal.DUPLICATE_ORDER),
        ((1, ANN, 0, BUY, 10, 10_001), Refusal.CASH),
        ((1, ANN, 0, SELL, 21, 1), Refusal.SHARES),
        ((1, ANN, 1, BUY, 1, 1), Refusal.MARGIN_ACCOUNT),
    ],
)
def test_an_order_is_refused_with_its_reason_and_reserves_nothing(order, reason):
    rules = ClearingRules(order_qty_max=50, margin_only=frozenset({1}))
    ledger = MemoryLedger()
    house = ClearingHouse(3, 2, 1, rules, ledger)
    house.deposit(0, ANN, 100_000)
    house.deliver(0, ANN, 0, 20)
    house.deposit(0, BOB, 100)
    admitted(house, 9, BOB, 0, BUY, 1, 1)
    assert house.admit(*order) is reason
    assert reason.sentence
    assert (house.free[ANN], house.up[0][ANN], house.down[0][ANN]) == (100_000, 20, 20)
    sound(house, ledger)


def test_cash_and_shares_that_an_open_order_has_reserved_are_not_there_for_another():
    house, ledger = market(cash=1_000, shares=10)
    admitted(house, 1, ANN, 0, BUY, 6, 100)
    assert house.admit(2, ANN, 0, BUY, 5, 100) is Refusal.CASH
    admitted(house, 2, ANN, 0, BUY, 4, 100)
    assert house.admit(3, ANN, 0, BUY, 1, 1) is Refusal.CASH
    admitted(house, 4, ANN, 0, SELL, 7, 100)
    assert house.admit(5, ANN, 0, SELL, 4, 100) is Refusal.SHARES
    house.release(4)
    admitted(house, 5, ANN, 0, SELL, 10, 100)
    sound(house, ledger)


def test_what_was_bought_and_what_was_earned_can_be_used_at_once():
    house, ledger = market(cash=1_000, shares=0)
    house.deliver(0, BOB, 0, 10)
    admitted(house, 1, BOB, 0, SELL, 10, 100)
    admitted(house, 2, ANN, 0, BUY, 10, 100)
    house.settle(0, 2, 1, 100, 10)
    admitted(house, 3, ANN, 0, SELL, 10, 90)
    admitted(house, 4, BOB, 0, BUY, 20, 100)
    sound(house, ledger)


def test_an_amendment_reserves_anew_or_changes_nothing():
    house, ledger = market(cash=1_000, shares=10)
    admitted(house, 1, ANN, 0, BUY, 5, 100)
    assert house.amend(1, 11, 100) is Refusal.CASH
    assert (house.reserved(1), house.free[ANN]) == ((5, 500), 500)
    assert house.amend(1, 10, 100) is None
    assert house.free[ANN] == 0
    assert house.amend(1, 2, 0) is Refusal.BAD_PX
    assert house.amend(1, 2, 50) is None
    assert (house.free[ANN], house.up[0][ANN]) == (900, 12)
    assert house.amend(7, 1, 1) is Refusal.UNKNOWN_ORDER
    admitted(house, 2, ANN, 0, SELL, 10, 100)
    assert house.amend(2, 11, 100) is Refusal.SHARES
    assert house.reserved(2)[0] == 10
    sound(house, ledger)


def test_an_order_that_is_not_open_cannot_be_released():
    house, _ = market()
    admitted(house, 1, ANN, 0, BUY, 1, 1)
    house.release(1)
    with pytest.raises(InvariantViolation, match="order 1"):
        house.release(1)


def test_a_market_order_has_a_worst_price_and_not_less_than_a_tick():
    assert (protection_px(BUY, 1_000), protection_px(SELL, 1_000)) == (1_100, 900)
    assert (protection_px(BUY, 101), protection_px(SELL, 101)) == (112, 90)
    assert (protection_px(SELL, 3, 10_000), protection_px(BUY, 3, 0)) == (1, 3)
    with pytest.raises(ValueError, match="no price"):
        protection_px(BUY, 0)


@pytest.mark.parametrize(
    "terms",
    [
        {"taker_fee_ppm": -1},
        {"taker_fee_ppm": 1_000_001},
        {"maker_fee_ppm": -1},
        {"taker_fee_ppm": 100, "maker_fee_ppm": -101},
        {"order_qty_max": 0},
        {"lendable_lots": (-1,)},
    ],
)
def test_rules_that_would_make_money_are_refused(terms):
    with pytest.raises(ValueError, match=r"."):
        ClearingRules(**terms)


def test_a_house_without_sense_is_refused():
    for sizes in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ValueError, match="1 or more"):
            ClearingHouse(*sizes)
    with pytest.raises(ValueError, match="not there"):
        ClearingHouse(1, 1, 1, ClearingRules(lendable_lots=(1, 2)))
    for margins in ((0, 0), (5_000, 6_000), (100_001, 1)):
        with pytest.raises(ValueError, match="maintenance"):
            MarginTerms(initial_bps=margins[0], maintenance_bps=margins[1])
    house, _ = market()
    for bad in (-1, 1.5):
        with pytest.raises(ValueError, match="whole number"):
            house.deposit(0, ANN, bad)
        with pytest.raises(ValueError, match="whole number"):
            house.deliver(0, ANN, 0, bad)
    with pytest.raises(ValueError, match="no participant"):
        house.deposit(0, 3, 1)


# Margin


def on_margin(rules=None, *, initial_bps=5_000, maintenance_bps=2_500, short=True, cash=1_000, shares=0):
    house, ledger = market(rules or ClearingRules(lendable_lots=(50,)), cash=0, shares=0)
    house.deposit(0, ANN, cash)
    house.deliver(0, ANN, 0, shares)
    house.deposit(0, BOB, 1_000_000)
    house.deliver(0, BOB, 0, 1_000)
    terms = MarginTerms(initial_bps=initial_bps, maintenance_bps=maintenance_bps, short=short)
    house.set_terms(ANN, terms)
    return house, ledger


def trade(house, number, buyer, seller, qty, px, asset=0):
    admitted(house, number, seller, asset, SELL, qty, px)
    admitted(house, number + 1, buyer, asset, BUY, qty, px)
    house.settle(number, number + 1, number, px, qty)


def test_leverage_buys_twice_the_cash_and_not_a_lot_more():
    house, ledger = on_margin()
    assert house.admit(1, ANN, 0, BUY, 20, 100) is Refusal.NO_MARK
    house.mark(0, 100)
    assert house.admit(1, ANN, 0, BUY, 21, 100) is Refusal.MARGIN
    trade(house, 1, ANN, BOB, 20, 100)
    assert (house.cash[ANN], house.equity(ANN), house.exposure(ANN)) == (-1_000, 1_000, 2_000)
    assert house.admit(3, ANN, 0, BUY, 1, 100) is Refusal.MARGIN
    admitted(house, 3, ANN, 0, SELL, 20, 100)  # it can only reduce
    sound(house, ledger)


def test_open_orders_count_as_if_they_were_filled():
    house, ledger = on_margin()
    house.mark(0, 100)
    admitted(house, 1, ANN, 0, BUY, 15, 100)
    assert house.admit(2, ANN, 0, BUY, 6, 100) is Refusal.MARGIN
    admitted(house, 2, ANN, 0, SELL, 15, 100)  # the other direction: not both can be reached at once
    house.release(1)
    admitted(house, 3, ANN, 0, BUY, 20, 100)
    sound(house, ledger)


def test_an_order_through_the_mark_is_charged_with_what_it_would_lose():
    house, ledger = on_margin()
    house.mark(0, 100)
    # 10 lots at 150 lose 500 at once: 500 are left for 1 000 of exposure.
    assert house.admit(1, ANN, 0, BUY, 11, 150) is Refusal.MARGIN
    admitted(house, 1, ANN, 0, BUY, 10, 150)
    admitted(house, 2, BOB, 0, SELL, 10, 150)
    house.settle(0, 1, 2, 150, 10)
    assert (house.equity(ANN), house.free[ANN]) == (500, house.cash[ANN])
    sound(house, ledger)


def test_short_selling_needs_permission_and_lendable_shares():
    house, ledger = on_margin(short=False)
    house.mark(0, 10)
    assert house.admit(1, ANN, 0, SELL, 1, 10) is Refusal.SHARES
    house.set_terms(ANN, MarginTerms(initial_bps=5_000, short=True))
    assert house.admit(1, ANN, 0, SELL, 51, 10) is Refusal.LENDABLE
    admitted(house, 1, ANN, 0, SELL, 30, 10)
    house.set_terms(EVE, MarginTerms(initial_bps=5_000, short=True))
    house.deposit(0, EVE, 1_000)
    assert house.admit(2, EVE, 0, SELL, 21, 10) is Refusal.LENDABLE
    admitted(house, 2, EVE, 0, SELL, 20, 10)
    assert house.lent == [50]
    house.release(1)
    assert house.lent == [20]
    sound(house, ledger)


def test_a_short_position_is_carried_and_bought_back():
    house, ledger = on_margin()
    house.mark(0, 100)
    trade(house, 1, BOB, ANN, 10, 100)
    assert (house.cash[ANN], house.shares[0][ANN], house.lent) == (2_000, -10, [10])
    assert house.admit(3, ANN, 0, SELL, 11, 100) is Refusal.MARGIN
    trade(house, 3, ANN, BOB, 4, 90)
    assert (house.shares[0][ANN], house.lent) == (-6, [6])
    trade(house, 5, ANN, BOB, 8, 90)
    assert (house.shares[0][ANN], house.lent, house.equity(ANN)) == (2, [0], 1_120)
    sound(house, ledger)


def test_only_what_reduces_may_use_the_room_between_the_margins():
    house, ledger = on_margin()
    house.mark(0, 100)
    trade(house, 1, ANN, BOB, 20, 100)
    house.mark(0, 70)
    # Worth 400 with 1 400 held: above maintenance (350), below initial (700).
    assert not house.below_maintenance(ANN)
    assert liquidations(house) == []
    assert house.admit(3, ANN, 0, BUY, 1, 70) is Refusal.MARGIN
    assert house.admit_liquidation(3, ANN, 0, SELL, 1, 70) is Refusal.NOT_LIQUIDATED
    admitted(house, 3, ANN, 0, SELL, 20, 70)
    assert house.admit(4, ANN, 0, SELL, 21, 70) is Refusal.MARGIN
    sound(house, ledger)


def test_an_account_below_maintenance_is_brought_back_to_the_initial_margin():
    house, ledger = on_margin()
    house.mark(0, 100)
    trade(house, 1, ANN, BOB, 20, 100)
    house.mark(0, 65)
    assert house.below_maintenance(ANN)
    (order,) = liquidations(house)
    # Worth 300 with 1 300 held: 600 may be held, so that 700, eleven lots, must go.
    assert (order.participant, order.asset, order.side, order.qty) == (ANN, 0, SELL, 11)
    assert house.admit(3, ANN, 0, SELL, 11, 65) is Refusal.MARGIN
    assert house.admit_liquidation(3, ANN, 0, BUY, 1, 65) is Refusal.NOT_LIQUIDATED
    assert house.admit_liquidation(3, ANN, 0, SELL, 21, 65) is Refusal.NOT_LIQUIDATED
    assert house.admit_liquidation(3, BOB, 0, SELL, 1, 65) is Refusal.NOT_LIQUIDATED
    assert house.admit_liquidation(3, ANN, 0, SELL, 11, 60) is None
    assert house.admit_liquidation(3, ANN, 0, SELL, 1, 60) is Refusal.DUPLICATE_ORDER
    admitted(house, 4, BOB, 0, BUY, 11, 65)
    house.settle(0, 3, 4, 65, 11)
    assert liquidations(house) == []
    assert house.equity(ANN) * 2 >= house.exposure(ANN)
    sound(house, ledger)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ((3, 9, 0, SELL, 1, 1), Refusal.UNKNOWN_PARTICIPANT),
        ((3, ANN, 9, SELL, 1, 1), Refusal.UNKNOWN_ASSET),
        ((3, ANN, 0, SELL, 0, 1), Refusal.BAD_QTY),
        ((3, ANN, 0, SELL, 1, 0), Refusal.BAD_PX),
        ((3, ANN, 0, 5, 1, 1), Refusal.NOT_LIQUIDATED),
    ],
)
def test_a_liquidation_without_sense_is_refused(order, reason):
    house, _ = on_margin()
    house.mark(0, 100)
    trade(house, 1, ANN, BOB, 20, 100)
    house.mark(0, 60)
    assert house.admit_liquidation(*order) is reason


def test_a_short_that_is_ruined_is_bought_back_and_the_house_bears_its_debt():
    house, ledger = on_margin()
    house.mark(0, 100)
    trade(house, 1, BOB, ANN, 20, 100)
    house.mark(0, 200)
    (order,) = liquidations(house)
    assert (order.side, order.qty) == (BUY, 20)
    with pytest.raises(ValueError, match="still holds"):
        write_off(house, 0, ANN)
    assert house.admit_liquidation(3, ANN, 0, BUY, 20, 210) is None
    admitted(house, 4, BOB, 0, SELL, 20, 200)
    house.settle(0, 3, 4, 200, 20)
    assert house.cash[ANN] == -1_000
    assert write_off(house, 5, ANN) == 1_000
    assert (house.cash[ANN], house.cash[house.numbers.house]) == (0, -1_000)
    assert write_off(house, 5, ANN) == 0
    assert ledger.transfers[-1][2] == Kind.WRITE_OFF
    sound(house, ledger)


def test_the_largest_position_is_liquidated_first():
    house, ledger = market(ClearingRules(), assets=2, cash=0, shares=0)
    house.deposit(0, ANN, 1_000)
    house.deposit(0, BOB, 1)
    for asset in (0, 1):
        house.deliver(0, BOB, asset, 1_000)
        house.mark(asset, 100)
    house.set_terms(ANN, MarginTerms(initial_bps=5_000, maintenance_bps=4_000))
    trade(house, 1, ANN, BOB, 6, 100, asset=0)
    trade(house, 3, ANN, BOB, 14, 100, asset=1)
    house.mark(1, 70)
    # Worth 580 with 600 and 980 held: 1 160 may be held, so that 420, six lots at 70, must go.
    (order,) = liquidations(house)
    assert (order.asset, order.side, order.qty) == (1, SELL, 6)
    sound(house, ledger)


def test_an_amendment_that_the_book_does_not_take_can_always_be_taken_back():
    house, ledger = on_margin()
    house.mark(0, 100)
    admitted(house, 1, ANN, 0, BUY, 20, 100)
    house.mark(0, 150)  # the same order asks for more margin now
    assert house.amend(1, 5, 90) is None
    assert house.amend(1, 20, 100) is None
    assert house.reserved(1) == (20, 0)
    assert house.amend(1, 21, 100) is Refusal.MARGIN
    assert house.amend(1, 5, 90) is None
    admitted(house, 2, ANN, 0, BUY, 1, 90)  # what the amendment had freed is in use
    assert house.amend(1, 20, 100) is Refusal.MARGIN
    assert house.reserved(1)[0] == 5
    admitted(house, 3, BOB, 0, SELL, 1, 90)
    house.release(2)
    assert house.amend(1, 6, 90) is None
    house.settle(0, 3, 1, 90, 1)
    assert house.amend(1, 5, 90) is None
    sound(house, ledger)


def test_terms_are_not_changed_under_open_orders():
    house, _ = on_margin()
    house.mark(0, 100)
    admitted(house, 1, ANN, 0, BUY, 1, 100)
    with pytest.raises(ValueError, match="open orders"):
        house.set_terms(ANN, MarginTerms())
    for bad in (0, -1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="mark"):
            house.mark(0, bad)


# Income


def test_a_dividend_is_paid_by_the_lot_and_its_remainder_goes_to_the_house():
    house, ledger = market(cash=0, shares=0)
    for participant, lots in ((ANN, 1), (BOB, 2), (EVE, 4)):
        house.deliver(0, participant, 0, lots)
    pay_dividend(house, 5, 0, 1, 2)
    # 0.5, 1 and 2 are paid as 1, 1 and 2; 3.5 is owed in all, which is 4.
    assert (house.cash[:3], house.cash[house.numbers.house]) == ([1, 1, 2], 0)
    pay_dividend(house, 6, 0, 1, 5)
    # 0.2, 0.4 and 0.8 are paid as 0, 0 and 1; 1.4 is owed, which is 1.
    assert (house.cash[:3], house.cash[house.numbers.house]) == ([1, 1, 3], 0)
    pay_dividend(house, 6, 0, 3, 8)
    # 0.375, 0.75 and 1.5 are paid as 0, 1 and 2; 2.625 is owed, which is 3.
    pay_dividend(house, 6, 0, 2, 8)
    # 0.25, 0.5 and 1 are paid as 0, 1 and 1; 1.75 is owed: 2.
    pay_dividend(house, 6, 0, 3, 7)
    # 3/7, 6/7 and 12/7 are paid as 0, 1 and 2; 3 is owed.
    pay_dividend(house, 6, 0, 5, 8)
    # 0.625, 1.25 and 2.5 are paid as 1, 1 and 3; 4.375 is owed, which is 4: the house gives one.
    assert (house.cash[:3], house.cash[house.numbers.house]) == ([2, 5, 11], -1)
    assert [row for row in ledger.transfers if row[2] == Kind.ROUNDING]
    sound(house, ledger)


def test_who_is_short_pays_the_dividend_and_the_loan():
    house, ledger = on_margin()
    house.mark(0, 100)
    trade(house, 1, BOB, ANN, 10, 100)
    pay_dividend(house, 2, 0, 3)
    assert house.cash[ANN] == 2_000 - 30
    charge_loans(house, 3, 0, 10_000)
    assert house.cash[ANN] == 1_970 - 10
    assert house.cash[BOB] == 1_000_000 - 1_000 + 1_010 * 3
    sound(house, ledger)


def test_income_that_is_kept_apart_buys_nothing():
    house, ledger = market(ClearingRules(income_apart=True), cash=100, shares=10)
    pay_dividend(house, 1, 0, 50)
    charge_interest(house, 1, 100_000, 0)
    assert house.free[ANN] == 100
    assert house.cash[house.numbers.income(ANN)] == 510
    assert house.admit(1, ANN, 0, BUY, 1, 101) is Refusal.CASH
    sound(house, ledger)


def test_interest_is_paid_on_money_and_charged_on_debt():
    house, ledger = on_margin()
    house.mark(0, 100)
    trade(house, 1, ANN, BOB, 15, 100)
    assert house.cash[ANN] == -500
    charge_interest(house, 2, 1_000, 30_000)
    assert house.cash[ANN] == -515
    assert house.cash[BOB] == 1_001_500 + 1_002  # 1 001.5, half up
    sound(house, ledger)


def test_funding_passes_from_longs_to_shorts():
    rules = ClearingRules(margin_only=frozenset({0}))
    house, ledger = market(rules, cash=10_000, shares=0)
    for participant in (ANN, BOB, EVE):
        house.set_terms(participant, MarginTerms(initial_bps=1_000, maintenance_bps=500, short=True))
    house.mark(0, 1_000)
    trade(house, 1, ANN, BOB, 4, 1_000)
    trade(house, 3, EVE, BOB, 3, 1_000)
    assert house.lent == [7]  # no loan is needed: nothing can be lent here
    apply_funding(house, 5, 0, 100)
    # Longs pay 0.4 and 0.3, which is nothing; the short gets 0.7, which is 1, out of the house's account.
    assert house.cash[:3] == [6_000, 17_001, 7_000]
    apply_funding(house, 6, 0, -10_000)
    assert house.cash[:3] == [6_040, 16_931, 7_030]
    assert house.cash[house.numbers.house] == -1
    sound(house, ledger)


def test_a_period_is_settled_as_a_whole():
    rules = ClearingRules(lendable_lots=(50, 0), margin_only=frozenset({1}))
    house, ledger = market(rules, assets=2, cash=0, shares=0)
    for participant in (ANN, BOB):
        house.deposit(0, participant, 10_000)
        house.set_terms(participant, MarginTerms(initial_bps=5_000, short=True))
    house.deliver(0, EVE, 0, 10)
    for asset in (0, 1):
        house.mark(asset, 100)
    trade(house, 1, BOB, ANN, 10, 100)
    trade(house, 3, ANN, BOB, 20, 100, asset=1)
    before = list(house.cash[:3])
    charge_period(house, 5, PeriodCharges(credit_ppm=1_000, loan_ppm=10_000, funding_ppm=(0, -5_000)))
    # Interest on 9 000 and 11 000, a loan of 1 000 at a hundredth, funding of 2 000 at 50 of 10 000 to the long.
    assert [now - was for now, was in zip(house.cash[:3], before, strict=True)] == [9 - 10 + 10, 11 - 10, 0]
    sound(house, ledger)


def test_redemption_pays_every_share_and_closes_the_asset():
    house, ledger = on_margin(cash=10_000)
    house.mark(0, 100)
    trade(house, 1, BOB, ANN, 10, 100)
    admitted(house, 3, BOB, 0, SELL, 1, 100)
    with pytest.raises(ValueError, match="open orders"):
        redeem(house, 4, 0, 28)
    house.release(3)
    redeem(house, 4, 0, 57, 2)
    assert house.cash[ANN] == 11_000 - 285
    assert house.cash[BOB] == 999_000 + 28_785
    assert house.shares[0] == [0] * house.numbers.accounts
    assert house.lent == [0]
    assert house.admit(5, BOB, 0, BUY, 1, 1) is Refusal.CLOSED
    assert house.admit(5, ANN, 0, BUY, 1, 1) is Refusal.CLOSED
    sound(house, ledger)


@pytest.mark.parametrize(
    "payment",
    [
        lambda house: pay_dividend(house, 0, 0, -1),
        lambda house: pay_dividend(house, 0, 0, 1, 0),
        lambda house: pay_dividend(house, 0, 5, 1),
        lambda house: charge_interest(house, 0, -1, 0),
        lambda house: charge_loans(house, 0, 0, -1),
        lambda house: charge_loans(house, 0, 0, 1),
        lambda house: apply_funding(house, 0, 0, 1),
        lambda house: redeem(house, 0, 0, -1),
        lambda house: redeem(house, 0, 0, 1, 0),
    ],
)
def test_a_payment_without_sense_is_refused_and_moves_nothing(payment):
    house, ledger = market()
    before = list(house.cash)
    with pytest.raises(ValueError, match=r"."):
        payment(house)
    assert house.cash == before
    sound(house, ledger)


def test_funding_is_not_charged_on_what_was_delivered_from_outside():
    house, _ = market(ClearingRules(margin_only=frozenset({0})))
    with pytest.raises(ValueError, match="delivered"):
        apply_funding(house, 0, 0, 1)


def test_a_loss_of_a_single_unit_or_lot_is_found():
    house, _ = market()
    assert house.conserved()
    house.cash[ANN] += 1
    assert not house.conserved()
    assert "made or lost" in house.breaches()[0]
    house.cash[ANN] -= 1
    house.free[BOB] -= 1
    assert "reserved" in house.breaches()[0]
    house.free[BOB] += 1
    house.shares[0][EVE] -= 1
    assert not house.conserved()
    assert added_up(3, 1, 1, [], [(0, 1, 1, 4, 0, CASH, 5)]).cash[0] == 5
