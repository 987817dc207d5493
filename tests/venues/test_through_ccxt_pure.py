"""What ccxt's errors and rows are taken to say, without a venue: a closed world of classes, and no guessed number."""

import importlib
import inspect

import ccxt
import pytest

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import PositionReport, VenueStatus
from executor.domain.orders import Category, Liquidity
from executor.venues.bybit.return_codes import CreateOutcome, judge_create
from executor.venues.through_ccxt.bybit_dialect import BybitDialect
from executor.venues.through_ccxt.dialect import RawAnswer
from executor.venues.through_ccxt.rows import (
    MarketUnusable,
    Tape,
    read_fill,
    read_instrument,
    read_order,
    read_positions,
    read_touch,
)
from executor.venues.through_ccxt.verdicts import BARRING, REFUSING, Leaning, is_barring, leaning_of
from tests.builders import D

ERRORS = importlib.import_module("ccxt.base.errors")
CLASSES = {
    name: kind
    for name, kind in inspect.getmembers(ERRORS, inspect.isclass)
    if issubclass(kind, BaseException) and kind.__module__ == "ccxt.base.errors"
}
SAYS_NO = {
    "AuthenticationError", "PermissionDenied", "AccountNotEnabled", "AccountSuspended", "RestrictedLocation",
    "BadRequest", "BadSymbol", "OperationRejected", "MarketClosed", "ManualInteractionNeeded", "InsufficientFunds",
    "InvalidOrder", "OrderImmediatelyFillable", "OrderNotFillable", "ContractUnavailable",
}  # fmt: skip
PROVES_NOTHING = {
    "BaseError", "ExchangeError", "ArgumentsRequired", "NoChange", "MarginModeAlreadySet", "InvalidAddress",
    "AddressPending", "OrderNotFound", "OrderNotCached", "DuplicateOrderId", "NotSupported", "InvalidProxySettings",
    "ExchangeClosedByUser", "OperationFailed", "NetworkError", "DDoSProtection", "RateLimitExceeded",
    "ExchangeNotAvailable", "OnMaintenance", "InvalidNonce", "ChecksumError", "RequestTimeout", "BadResponse",
    "NullResponse", "CancelPending", "UnsubscribeError",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_of_ccxt_is_judged(name):
    assert name in SAYS_NO | PROVES_NOTHING, (
        "a class that nobody has judged: it proves nothing until somebody does"
    )
    error = CLASSES[name]("said so")
    assert leaning_of(error) is (Leaning.REFUSED if name in SAYS_NO else Leaning.SILENT)
    assert is_barring(error) is (name in {"RateLimitExceeded", "DDoSProtection"})


def test_no_class_is_judged_that_does_not_exist_or_by_its_ancestors():
    assert CLASSES.keys() >= REFUSING | BARRING

    class Unheard(ERRORS.InvalidOrder):
        pass

    class InvalidOrder(Exception):  # noqa: N818 - of another house, and called the same
        pass

    assert leaning_of(Unheard()) is leaning_of(InvalidOrder()) is leaning_of(TimeoutError()) is Leaning.SILENT


def test_ccxt_takes_a_double_id_for_a_refusal_and_we_do_not():
    """The reason why a class alone proves nothing."""
    exact = ccxt.bybit().exceptions["exact"]
    assert exact["110072"] is ERRORS.InvalidOrder
    assert leaning_of(exact["110072"]()) is Leaning.REFUSED
    assert judge_create(110072) is CreateOutcome.UNKNOWN


MARKET = {
    "symbol": "BTC/USDT",
    "base": "BTC",
    "quote": "USDT",
    "spot": True,
    "active": True,
    "precision": {"amount": "0.0001", "price": "0.1"},
    "limits": {"amount": {"min": "0.001", "max": None}, "cost": {"min": "5", "max": None}},
}
SWAP = MARKET | {"symbol": "BTC/USDT:USDT", "spot": False, "swap": True, "linear": True, "contractSize": "1"}
TICK, PLACES, DIGITS = 4, 2, 3


def test_rules_are_read_in_steps_and_in_decimal_places():
    rules = read_instrument(MARKET, Category.SPOT, "BTCUSDT@other", TICK)
    assert (rules.tick_size, rules.qty_step, rules.min_order_qty) == (D("0.1"), D("0.0001"), D("0.001"))
    assert (rules.min_notional, rules.symbol, rules.trading) == (D(5), "BTCUSDT@other", True)
    places = MARKET | {"precision": {"amount": "4", "price": "-1"}}
    rules = read_instrument(places, Category.SPOT, "BTCUSDT@other", PLACES)
    assert (rules.tick_size, rules.qty_step) == (D(10), D("0.0001"))
    assert not read_instrument(SWAP | {"active": False}, Category.LINEAR, "X@other", TICK).trading


@pytest.mark.parametrize(
    ("market", "category", "mode", "words"),
    [
        (SWAP | {"contractSize": "0.01"}, Category.LINEAR, TICK, "contracts of one unit"),
        (SWAP | {"contractSize": None}, Category.LINEAR, TICK, "one contract is None"),
        (SWAP | {"linear": False, "inverse": True}, Category.LINEAR, TICK, "an inverse contract"),
        (SWAP | {"swap": False, "future": True}, Category.LINEAR, TICK, "no linear perpetual"),
        (SWAP, Category.SPOT, TICK, "no spot market"),
        (SWAP, Category.INVERSE, TICK, "not traded here"),
        (MARKET, Category.SPOT, DIGITS, "significant digits"),
        (
            MARKET | {"precision": {"amount": "0.0001", "price": None}},
            Category.SPOT,
            TICK,
            "no step of price",
        ),
        (MARKET | {"precision": {"amount": "nan", "price": "1"}}, Category.SPOT, TICK, "amount"),
        (MARKET | {"precision": {"amount": 0.1, "price": "1"}}, Category.SPOT, TICK, "amount"),
        (MARKET | {"limits": None}, Category.SPOT, TICK, "limits"),
        (MARKET | {"precision": {"amount": "0", "price": "1"}}, Category.SPOT, TICK, "qty_step"),
    ],
)
def test_a_market_that_is_not_understood_is_refused_with_words(market, category, mode, words):
    with pytest.raises(MarketUnusable, match=words):
        read_instrument(market, category, "BTCUSDT@other", mode)


ORDER = {
    "id": "7", "status": "open", "side": "buy", "amount": "2", "filled": "0.5", "price": "10",
    "timestamp": "1700000000000", "lastUpdateTimestamp": "1700000000001",
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("open", "0", VenueStatus.NEW), ("open", "1", VenueStatus.PARTIALLY_FILLED),
        ("closed", "2", VenueStatus.FILLED), ("closed", "1", VenueStatus.CANCELED),
        ("canceled", "2", VenueStatus.FILLED), ("expired", "0", VenueStatus.CANCELED),
        ("rejected", "0", VenueStatus.REJECTED), ("canceling", "0", VenueStatus.NEW),
    ],
)  # fmt: skip
def test_a_closed_order_is_full_or_ended_short(status, filled, expected):
    row = ORDER | {"status": status, "filled": filled}
    update = read_order(row, Category.SPOT, "BTCUSDT@other", "x-1-1", "other", 9)
    assert (update.status, update.venue_order_id, update.updated_ms) == (expected, "7@other", 1700000000001)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "odd"}, {"status": None}, {"side": "long"}, {"amount": None}, {"filled": None}, {"filled": "3"},
        {"filled": "-1"}, {"amount": 2.0}, {"amount": "2_0"}, {"amount": "NaN"}, {"amount": "1e30"}, {"id": None},
        {"id": ""}, {"lastUpdateTimestamp": None, "timestamp": None}, {"lastUpdateTimestamp": "soon"},
    ],
)  # fmt: skip
def test_an_order_that_lacks_anything_is_no_order(wrong):
    with pytest.raises(RemoteProtocolError):
        read_order(ORDER | wrong, Category.SPOT, "BTCUSDT@other", "x-1-1", "other", 9)


FILL = {
    "id": "e1", "order": "7", "side": "sell", "amount": "0.5", "price": "10", "timestamp": "1700000000000",
    "takerOrMaker": "maker", "fees": [{"cost": "-0.001", "currency": "BNB"}],
}  # fmt: skip


def test_a_fill_keeps_its_fee_in_the_coin_it_was_taken_in():
    fill = read_fill(FILL, Category.SPOT, "BTCUSDT@other", "", "other").fill
    assert (fill.fee, fill.fee_coin, fill.liquidity) == (D("-0.001"), "BNB", Liquidity.MAKER)
    assert (fill.key, fill.venue_order_id) == ("spot:BTCUSDT@other:e1", "7@other")
    none = read_fill(FILL | {"fees": [], "fee": {"cost": None}}, Category.SPOT, "X@other", "", "other").fill
    assert (none.fee, none.fee_coin) == (0, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"takerOrMaker": None}, {"amount": "0"}, {"price": None}, {"order": None}, {"id": None}, {"timestamp": None},
        {"fees": [{"cost": "1", "currency": None}]}, {"fees": [{"cost": "1", "currency": "A"}] * 2},
        {"fees": [{"cost": "x", "currency": "A"}]},
    ],
)  # fmt: skip
def test_a_fill_that_lacks_anything_is_no_fill(wrong):
    with pytest.raises(RemoteProtocolError):
        read_fill(FILL | wrong, Category.SPOT, "BTCUSDT@other", "", "other")


def test_positions_are_told_of_every_market_that_was_asked_for():
    names = {"BTC/USDT:USDT": "BTCUSDT@other", "ETH/USDT:USDT": "ETHUSDT@other"}
    row = {"symbol": "BTC/USDT:USDT", "side": "short", "contracts": "0.5"}
    assert {(each.symbol, each.position_idx, each.qty) for each in read_positions([row], names)} == {
        ("BTCUSDT@other", 0, D("-0.5")),
        ("ETHUSDT@other", 0, D(0)),
    }
    both = read_positions([row, row | {"side": "long"}], {"BTC/USDT:USDT": "B@other"})
    assert [each.position_idx for each in both] == [2, 1]
    assert all(isinstance(each, PositionReport) for each in both)
    with pytest.raises(RemoteProtocolError):
        read_positions([row | {"side": None}], names)


def test_the_touch_is_found_whatever_the_order_of_levels():
    book = {"bids": [[9.5, 1.0], [10.0, 2.0]], "asks": [[10.2, 3.0], [10.1, 4.0]]}
    assert read_touch(book) == (D("10.0"), D("2.0"), D("10.1"), D("4.0"))
    for wrong in (
        {"bids": []},
        {"asks": None},
        {"bids": [[11.0, 1.0]]},
        {"bids": [[float("nan"), 1.0]]},
        {"bids": [[1]]},
    ):
        with pytest.raises(RemoteProtocolError):
            read_touch(book | wrong)


def test_public_trades_are_counted_once_and_not_before_the_feed_began():
    tape = Tape()
    rows = [
        {"id": str(n), "amount": "1", "price": "10", "side": "buy" if n % 2 else "sell"} for n in range(6)
    ]
    tape.take(rows[:2])
    assert tape.traded_qty == 0
    tape.take(rows[:4])
    tape.take(rows[1:6])
    assert (tape.traded_qty, tape.traded_notional, tape.bought_qty) == (D(4), D(40), D(2))


@pytest.mark.parametrize(
    ("url", "text", "whole"),
    [
        ("/v5/order/realtime?x=1", '{"retCode":0,"result":{"list":[]}}', True),
        ("/v5/order/realtime", '{"retCode":0,"result":{}}', False),
        ("/v5/order/realtime", '{"retCode":0}', False),
        ("/v5/order/realtime", '{"retCode":10001,"result":{"list":[]}}', False),
        ("/v5/order/realtime", '{"result":{"list":[]}}', False),
        ("/v5/order/realtime", '{"retCode":"0","result":{"list":[]}}', False),
        ("/v5/order/realtime", "[]", False),
        ("/v5/order/realtime", "", False),
        ("/v5/market/time", '{"retCode":0,"result":{"timeNano":"1"}}', True),
    ],
)
def test_an_answer_without_its_list_is_not_an_empty_one(url, text, whole):
    answer = RawAnswer(status=200, content_type="application/json; charset=utf-8", text=text)
    assert (BybitDialect().why_not_whole(f"https://x{url}", answer) == "") is whole
    elsewhere = RawAnswer(status=200, content_type="text/html", text=text)
    assert BybitDialect().why_not_whole(f"https://x{url}", elsewhere)
