"""Names and prices of other exchanges: what counts as the same market, and what as a price."""

from decimal import Decimal

import pytest

from executor.domain.orders import Category
from executor.venues.reference.opinions import mid_of_book, unified_symbol
from tests.builders import instrument


@pytest.mark.parametrize(
    ("category", "symbol", "base", "quote", "unified"),
    [
        (Category.SPOT, "BTCUSDT", "BTC", "USDT", "BTC/USDT"),
        (Category.LINEAR, "BTCUSDT", "BTC", "USDT", "BTC/USDT:USDT"),
        (Category.LINEAR, "BTCPERP", "BTC", "USDC", "BTC/USDC:USDC"),
        (Category.LINEAR, "BTCUSDT-26DEC25", "BTC", "USDT", None),
        (Category.LINEAR, "BTC-26DEC25", "BTC", "USDC", None),
        (Category.INVERSE, "BTCUSD", "BTC", "USD", "BTC/USD:BTC"),
        (Category.INVERSE, "BTCUSDZ25", "BTC", "USD", None),
    ],
)
def test_the_same_market_elsewhere(category, symbol, base, quote, unified):
    rules = instrument(category=category, symbol=symbol, base_coin=base, quote_coin=quote)
    assert unified_symbol(rules) == unified


@pytest.mark.parametrize(
    ("bid", "ask", "mid"),
    [
        (60000.1, 60000.2, "60000.15"),
        (60000, 60000, "60000"),
        (1e-07, 3e-07, "0.0000002"),
        (0.1, 0.2, "0.15"),
        (123456789.25, 123456789.75, "123456789.5"),
    ],
)
def test_the_middle_is_exact_in_the_digits_that_were_printed(bid, ask, mid):
    assert mid_of_book({"bids": [[bid, 1.0]], "asks": [[ask, 2.0, 7]]}) == Decimal(mid)


@pytest.mark.parametrize(
    "book",
    [
        {},
        {"bids": [], "asks": [[1.0, 1.0]]},
        {"bids": [[1.0, 1.0]]},
        {"bids": None, "asks": None},
        {"bids": [[]], "asks": [[1.0]]},
        {"bids": [["1"]], "asks": [["2"]]},
        {"bids": [[None]], "asks": [[2.0]]},
        {"bids": [[float("nan")]], "asks": [[2.0]]},
        {"bids": [[1.0]], "asks": [[float("inf")]]},
        {"bids": [[0.0]], "asks": [[2.0]]},
        {"bids": [[-1.0]], "asks": [[2.0]]},
        {"bids": [[3.0]], "asks": [[2.0]]},
        {"bids": [[1e25]], "asks": [[2e25]]},
        {"bids": [[1e-25]], "asks": [[1e-25]]},
        {"bids": [7], "asks": [8]},
    ],
    ids=str,
)
def test_what_is_no_price_is_no_opinion(book):
    with pytest.raises(ValueError, match=r"\w"):
        mid_of_book(book)
