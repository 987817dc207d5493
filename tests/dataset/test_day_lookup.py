"""Which stored days a name means, and what is said where it means none: a few names, never the whole store."""

from datetime import date, timedelta

import pytest

from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.lookup import find_days
from backtest.dataset.store import day_path

FIRST = date(2026, 1, 1)


def stored(root, symbol, days=1, venue="bybit"):
    """Files of so many days; nobody looks into them here."""
    for number in range(days):
        path = day_path(root, Stream(venue, "linear", symbol), FIRST + timedelta(days=number))
        path.parent.mkdir(parents=True)
        path.touch()


def refusal(root, symbol, **chosen):
    with pytest.raises(DataError) as caught:
        find_days(root, symbol, **chosen)
    return caught.value.reason, caught.value.allowed


def test_all_days_or_one(tmp_path):
    stored(tmp_path, "BTCUSDT", 3)
    assert [each.day.day for each in find_days(tmp_path, "BTCUSDT")] == [1, 2, 3]
    (day,) = find_days(tmp_path, "BTCUSDT", venue="bybit", category="linear", day=date(2026, 1, 2))
    assert day.day == date(2026, 1, 2)


def test_a_day_that_is_missing_is_not_an_instrument_that_is(tmp_path):
    stored(tmp_path, "BTCUSDT", 3)
    assert refusal(tmp_path, "BTCUSDT", day=date(2026, 2, 1)) == (
        "nothing stored of bybit/linear/BTCUSDT on 2026-02-01",
        "2026-01-01, 2026-01-02, 2026-01-03",
    )
    stored(tmp_path, "ETHUSDT", 20)
    assert refusal(tmp_path, "ETHUSDT", day=date(2026, 2, 1))[1] == (
        "20 days from 2026-01-01 to 2026-01-20, the nearest 2026-01-18, 2026-01-19, 2026-01-20"
    )


def test_a_name_of_nothing_gets_what_is_there_or_what_is_like_it(tmp_path):
    assert refusal(tmp_path, "BTCUSDT")[1] == "nothing: the store is empty"
    stored(tmp_path, "BTCUSDT")
    assert refusal(tmp_path, "BTCUSD") == ("nothing stored of BTCUSD", "bybit/linear/BTCUSDT")
    for number in range(20):
        stored(tmp_path, f"X{number}X")
    assert refusal(tmp_path, "BTCUSD", venue="bybit", category="spot") == (
        "nothing stored of bybit/spot/BTCUSD",
        "one of 21 instruments, which `executor data info` lists; like it: bybit/linear/BTCUSDT",
    )


def test_a_name_of_two_is_not_guessed(tmp_path):
    stored(tmp_path, "BTCUSDT")
    stored(tmp_path, "BTCUSDT", venue="binance")
    assert refusal(tmp_path, "BTCUSDT") == (
        "BTCUSDT, a name that is stored more than once",
        "binance/linear/BTCUSDT, bybit/linear/BTCUSDT",
    )
    assert len(find_days(tmp_path, "BTCUSDT", venue="binance")) == 1
