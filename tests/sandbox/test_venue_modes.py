"""One-way and hedge mode: which requests fit which, and two positions of one symbol that know nothing of each other."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.account_queries import positions
from sandbox.bybit_server.account_settings import set_leverage, set_margin_mode, switch_mode
from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.flow import FlowSettings
from tests.sandbox.venue_support import refusal_of


@pytest.fixture
def hedged(bench):
    bench.ask(switch_mode, mode=3)
    for px in ("65000", "65001"):
        bench.crowd("Sell", px, "50")
    for px in ("64999", "64998"):
        bench.crowd("Buy", px, "50")
    return bench


def rows(bench, **fields):
    return {row["positionIdx"]: row for row in bench.ask(positions, **fields)["list"]}


def test_a_named_symbol_shows_one_row_or_two(bench):
    assert set(rows(bench)) == {0}
    bench.ask(switch_mode, mode=3)
    both = rows(bench)
    assert set(both) == {1, 2}
    assert {(row["side"], row["size"]) for row in both.values()} == {("", "0")}
    assert rows(bench, symbol=None, settleCoin="USDT") == {}


def test_long_and_short_live_side_by_side(hedged):
    hedged.send("Buy", "3", positionIdx=1)
    hedged.send("Sell", "2", positionIdx=2)
    both = rows(hedged)
    assert (both[1]["side"], both[1]["size"]) == ("Buy", "3")
    assert (both[2]["side"], both[2]["size"]) == ("Sell", "2")
    assert set(rows(hedged, symbol=None, settleCoin="USDT")) == {1, 2}
    hedged.send("Sell", "1", positionIdx=1, reduceOnly=True)
    hedged.send("Buy", "2", positionIdx=2)
    both = rows(hedged)
    assert (both[1]["size"], both[2]["size"]) == ("2", "0")


def test_the_closing_direction_never_opens(hedged):
    assert refusal_of(hedged.send, "Sell", "1", positionIdx=1) == 110017
    hedged.send("Buy", "1", positionIdx=1)
    order = hedged.send("Sell", "5", positionIdx=1)
    assert (order.qty, order.reduce_only) == (1, True)
    assert rows(hedged)[1]["size"] == "0"


def test_resting_closes_are_trimmed_by_their_own_position_only(hedged):
    hedged.send("Buy", "2", positionIdx=1)
    hedged.send("Sell", "2", positionIdx=2)
    close_long = hedged.send("Sell", "2", "65500", positionIdx=1, reduceOnly=True)
    close_short = hedged.send("Buy", "2", "64500", positionIdx=2, reduceOnly=True)
    # The close is given up by a fill of another kind: the owner sells by hand.
    hedged.do("external", symbol="BTCUSDT", side="Sell", qty="1", price="65000", positionIdx=1)
    assert close_long.cancel_type.value == "CancelByReduceOnly"
    assert close_short.is_open


@pytest.mark.parametrize(("mode", "index"), [(0, 1), (0, 2), (3, 0), (3, None)])
def test_an_index_of_the_other_mode_is_refused(bench, mode, index):
    if mode:
        bench.ask(switch_mode, mode=mode)
    assert refusal_of(bench.send, "Buy", "1", "64900", positionIdx=index) == 10001


def test_when_the_mode_can_be_switched(bench):
    assert refusal_of(bench.ask, switch_mode, mode=0) == 110025
    order = bench.send("Buy", "1", "64900")
    assert refusal_of(bench.ask, switch_mode, mode=3) == 110028
    bench.take("Sell", "64000", "1")
    assert order.status.value == "Filled"
    assert refusal_of(bench.ask, switch_mode, mode=3) == 110024
    assert refusal_of(bench.ask, switch_mode, symbol=None, coin="USDT", mode=3) == 110024
    assert bench.ask(switch_mode, symbol="ETHUSDT", mode=3) == {}
    assert refusal_of(bench.ask, switch_mode, symbol="ETHUSDT", mode=3) == 110025
    for symbol, category in (("BTCPERP", "linear"), ("BTCUSDT-31DEC27", "linear"), ("BTCUSD", "inverse")):
        assert refusal_of(bench.ask, switch_mode, symbol=symbol, category=category, mode=3) == 110029
    assert refusal_of(bench.ask, switch_mode, mode=1) == 10001
    assert refusal_of(bench.ask, switch_mode, symbol=None, mode=3) == 10001


def test_a_coin_switches_all_its_perpetuals(bench):
    assert bench.ask(switch_mode, symbol=None, coin="USDT", mode=3) == {}
    modes = {
        key: bench.account.is_hedged(market.instrument) for key, market in bench.exchange.markets.items()
    }
    hedged = {symbol for (_, symbol), mode in modes.items() if mode}
    assert hedged == {"BTCUSDT", "ETHUSDT", "XRPUSDT", "SOLUSDT", "DOGEUSDT"}
    assert not modes["spot", "BTCUSDT"]


def test_an_account_may_start_in_hedge_mode():
    exchange = Exchange(
        ManualClock(), flow=FlowSettings(frozen=True), credentials=(Credentials(hedged=True),)
    )
    (account,) = exchange.accounts.values()
    listed = positions(exchange, account, Fields({"category": "linear", "symbol": "ETHUSDT"}))["list"]
    assert [row["positionIdx"] for row in listed] == [1, 2]


def test_leverage_survives_a_switch_and_sides_differ_only_when_isolated(bench):
    bench.ask(set_leverage, buyLeverage="7", sellLeverage="7")
    bench.ask(switch_mode, mode=3)
    assert {row["leverage"] for row in rows(bench).values()} == {"7"}
    assert refusal_of(bench.ask, set_leverage, buyLeverage="5", sellLeverage="6") == 10001
    bench.ask(set_margin_mode, setMarginMode="ISOLATED_MARGIN")
    bench.ask(set_leverage, buyLeverage="5", sellLeverage="6")
    assert [row["leverage"] for row in rows(bench).values()] == ["5", "6"]
    bench.ask(set_margin_mode, setMarginMode="PORTFOLIO_MARGIN")
    assert refusal_of(bench.ask, set_leverage, buyLeverage="5", sellLeverage="5") == 110038


def test_each_side_counts_its_own_margin(hedged):
    hedged.send("Buy", "10", positionIdx=1)
    hedged.send("Sell", "10", positionIdx=2)
    held = hedged.account.margins("USDT").position
    assert held == (Decimal(65000) + Decimal(64999)) * 10 / 10
    hedged.send("Buy", "4", "64900", positionIdx=1)
    hedged.send("Sell", "6", "65100", positionIdx=2)
    assert hedged.account.margins("USDT").orders == (4 * Decimal(64900) + 6 * Decimal(65100)) / 10


def test_the_streams_say_which_position(hedged):
    hedged.messages.clear()
    hedged.send("Sell", "2", positionIdx=2)
    (position,) = hedged.heard("position")
    assert (position["positionIdx"], position["side"], position["size"]) == (2, "Sell", "2")
    (order,) = hedged.heard("order")
    assert order["positionIdx"] == 2
