"""Money of inverse contracts and of spot fees: what the account sums, and what the limits see."""

import pytest

from executor.domain.events import OrderFilled, PaymentCharged
from executor.domain.fills import Fill
from executor.domain.orders import Category, Liquidity, Side, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from executor.engine.accounts import book_ledger, book_payment, fee_in_quote
from executor.engine.ledger import day_notional, day_pnl, open_notional
from executor.engine.report import parent_facts, running_shortfall_bps
from executor.engine.state import EngineState, MarketState
from impact.shortfall import make_report
from tests.builders import T0, D, fill, instrument, snapshot, submitted
from tests.engine.rig import Rig

SIDES = pytest.mark.parametrize("side", list(Side))
RULES = instrument(
    category=Category.INVERSE,
    symbol="BTCUSD",
    quote_coin="USD",
    qty_step=D(1),
    min_order_qty=D(1),
    max_order_qty=D(1_000_000),
    min_notional=D(0),
)


def coin_fill(px, qty=10_000, side=Side.BUY, **over) -> Fill:
    usual = dict(category=Category.INVERSE, symbol="BTCUSD", side=side, last_qty=D(qty), last_px=D(px))
    return fill(**{**usual, "fee": D("0.0001"), "fee_coin": "BTC", **over})


def state_with(mid="50000", rules=RULES):
    half = D(mid) / 100_000
    book = snapshot(D(mid) - half, D(mid) + half, category=rules.category, symbol=rules.symbol)
    market = MarketState(instrument=rules, snapshot=book)
    return EngineState(now_ns=T0, markets={f"{rules.category}:{rules.symbol}": market})


@SIDES
def test_result_of_a_round_trip_is_paid_in_coin_and_counted_at_the_mid(side):
    """10,000 bought at 40,000 and sold at 50,000 bring 10,000 (1/40,000 - 1/50,000) = 0.05 BTC, 3,125 at 62,500."""
    state = state_with("62500")
    book_ledger(state, coin_fill(40_000, side=side, fee=D(0)), 0)
    book_ledger(state, coin_fill(50_000, side=Side(-side), fee=D(0)), 0)
    assert day_pnl(state) == side.sign * 3_125
    assert day_notional(state) == 20_000


@SIDES
def test_an_open_position_is_marked_at_the_mid(side):
    """10,000 held from 40,000 at 50,000: 0.05 BTC, 2,500 in quote units; the fee of 0.0001 BTC was 4 at its fill."""
    state = state_with("50000")
    book_ledger(state, coin_fill(40_000, side=side), 0)
    assert day_pnl(state) == side.sign * 2_500 - 4


@SIDES
def test_an_inverse_parent_is_worked_to_its_end_and_reported(side):
    rig = Rig(rules=RULES)
    rig.open_market()
    rig.traded = D(0)
    size = D(2_000)
    rig.send(
        submitted(
            category=Category.INVERSE,
            symbol="BTCUSD",
            side=side,
            order_qty=size,
            params=StrategyParams(interval_s=20, passiveness=D(1)),
        )
    )
    for _ in range(160):
        rig.tick(1, volume="5000", move="0.5")
        rig.settle()
        state = rig.engine.state
        assert open_notional(state) == sum((c.open_qty for c in state.children.values()), D(0))
        for entry in list(rig.venue.orders.values()):
            rig.venue.fill(entry, entry.order.qty)
        rig.settle()
    parent = rig.parent()
    assert parent.status is ParentStatus.COMPLETE
    assert parent.cum_qty == parent.cum_notional == size
    coins = sum((f.last_qty / f.last_px for e in rig.venue.orders.values() for f in e.executions), D(0))
    assert parent.cum_coin_qty == coins
    assert parent.avg_px == size / coins
    facts = parent_facts(rig.engine.state, parent)
    report = make_report(facts)
    assert abs(report.avg_px - parent.avg_px) < D("1e-11")
    assert abs(report.vwap_px - 50_000) < 1
    bps = running_shortfall_bps(parent, facts.end_px)
    by_hand = side.sign * (size / facts.arrival_px - coins) / (size / facts.arrival_px) * 10_000
    assert abs(bps - by_hand) < D("1e-20")
    # The rig's venue names no coin for its fees of 0.01: for these contracts that is the base coin.
    assert facts.fees > 450 * len(facts.children_by_status)


SPOT = instrument(category=Category.SPOT)


def spot_fill(side, fee, coin, **over):
    return fill(
        category=Category.SPOT, side=side, last_qty=D(1), last_px=D(50_000), fee=D(fee), fee_coin=coin, **over
    )


def test_a_spot_fee_in_the_base_coin_makes_the_holding_smaller_and_counts_once():
    state = state_with("50000", SPOT)
    book_ledger(state, spot_fill(Side.BUY, "0.001", "BTC"), 0)
    ledger = state.ledgers["spot:BTCUSDT:0"]
    assert ledger.net_qty == D("0.999")
    assert ledger.day_fees == 50
    assert day_pnl(state) == -50


def test_a_spot_fee_in_quote_leaves_the_holding():
    state = state_with("50000", SPOT)
    book_ledger(state, spot_fill(Side.SELL, "30", "USDT"), 0)
    assert state.ledgers["spot:BTCUSDT:0"].net_qty == D(-1)
    assert day_pnl(state) == -30


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("execution", "fee"),
    [
        (spot_fill(Side.BUY, "0.001", "BTC"), D(50)),
        (spot_fill(Side.SELL, "30", "USDT"), D(30)),
        (spot_fill(Side.BUY, "2", "MNT"), None),
        (fill(fee=D(3), fee_coin="USDT"), D(3)),
        (coin_fill(40_000), D(4)),
        (coin_fill(40_000, fee_coin=""), D(4)),
    ],
)
def test_fees_are_converted_at_the_price_of_their_fill_also_before_the_rules_are_read(execution, fee, known):
    rules = {Category.SPOT: SPOT, Category.INVERSE: RULES, Category.LINEAR: instrument()}[execution.category]
    state = state_with(rules=rules) if known else EngineState(now_ns=T0)
    assert fee_in_quote(state, execution) == fee


def test_a_fee_in_a_third_coin_is_kept_by_coin_and_the_report_says_so():
    rig = Rig()
    rig.open_market()
    rig.send(submitted())
    rig.tick(1)
    rig.settle()
    for number in ("a", "b"):
        one = fill(
            exec_id=number, last_qty=D("0.01"), fee=D("0.5"), fee_coin="MNT", liquidity=Liquidity.MAKER
        )
        rig.send(OrderFilled(at_ns=0, fill=one))
    assert rig.parent().other_fees == {"MNT": D(1)}
    facts = parent_facts(rig.engine.state, rig.parent())
    assert facts.fees == 0
    assert facts.other_fees == (("MNT", D(1)),)


def payment(amount, exec_id="f1", **over):
    usual = dict(
        at_ns=T0,
        category=Category.INVERSE,
        symbol="BTCUSD",
        exec_id=exec_id,
        kind="Funding",
        amount=D(amount),
        px=D(50_000),
        ts_exchange_ns=T0,
    )
    return PaymentCharged(**{**usual, **over})


def test_funding_costs_the_day_once_and_changes_no_quantity():
    """10,000 held from 50,000 at 50,000 bring nothing; 0.001 BTC paid at 50,000 are 50, 0.0004 received are 20."""
    state = state_with("50000")
    book_ledger(state, coin_fill(50_000, fee=D(0)), 0)
    for _ in range(3):
        book_payment(state, payment("0.001"))
    assert day_pnl(state) == -50
    book_payment(state, payment("-0.0004", exec_id="f2"))
    assert day_pnl(state) == -30
    (ledger,) = state.ledgers.values()
    assert ledger.net_qty == 10_000
    assert day_notional(state) == 10_000


def test_funding_of_a_linear_contract_is_in_quote_units_and_ends_with_the_day():
    state = EngineState(now_ns=T0)
    book_payment(state, payment("1.5", category=Category.LINEAR, symbol="BTCUSDT"))
    assert day_pnl(state) == D("-1.5")
    state.now_ns = T0 + 86_400 * NS_PER_S
    assert day_pnl(state) == 0
