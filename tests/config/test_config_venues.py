"""The file of other venues: read whole or refused with every problem, and no value of a key in any of them."""

import pytest

from config.hosts import Mode
from config.problems import ConfigProblems
from config.venues import read_venues
from executor.domain.orders import Category

KEYS = {"OTHER_KEY": "k-canary-123456", "OTHER_SECRET": "s-canary-123456"}
GOOD = """
[other]
exchange = "bybit"
key_env = "OTHER_KEY"
secret_env = "OTHER_SECRET"
rest_url = "http://127.0.0.1:9"
[other.spot]
BTCUSDT = "BTC/USDT"
[other.linear]
BTCUSDT = "BTC/USDT:USDT"
"""


def read(tmp_path, text, mode=Mode.SANDBOX, environ=KEYS):
    path = tmp_path / "venues.toml"
    path.write_text(text)
    return read_venues(path, mode, environ)


def test_a_venue_is_read_with_its_markets_and_keys(tmp_path):
    (venue,) = read(tmp_path, GOOD)
    assert (venue.name, venue.exchange, venue.poll_s) == ("other", "bybit", 1)
    assert venue.markets == {
        (Category.SPOT, "BTCUSDT"): "BTC/USDT",
        (Category.LINEAR, "BTCUSDT"): "BTC/USDT:USDT",
    }
    assert (venue.key.reveal(), venue.password) == ("k-canary-123456", None)
    (venue,) = read(tmp_path, GOOD.replace('rest_url = "http://127.0.0.1:9"', ""), Mode.LIVE)
    assert venue.rest_url == ""


@pytest.mark.parametrize(
    ("old", "new", "mode", "words"),
    [
        ("", "", Mode.PAPER, "no other venues in mode paper"),
        ("", "", Mode.DEMO, "no other venues in mode demo"),
        ("", "", Mode.LIVE, "rest_url is for mode sandbox alone"),
        ("127.0.0.1:9", "api.bybit.com:9", Mode.SANDBOX, "loopback"),
        ('rest_url = "http://127.0.0.1:9"', "", Mode.SANDBOX, "loopback"),
        ("[other", "[Other", Mode.SANDBOX, "a venue is called by"),
        ('exchange = "bybit"', "", Mode.SANDBOX, "exchange"),
        ('"bybit"', '"By bit"', Mode.SANDBOX, "lower-case"),
        ('exchange = "bybit"', 'exchange = "bybit"\nsecret = "s"', Mode.SANDBOX, "secret"),
        ("OTHER_KEY", "NO_SUCH_KEY", Mode.SANDBOX, "the environment has no NO_SUCH_KEY"),
        ("OTHER_KEY", "k-canary", Mode.SANDBOX, "name variables of the environment"),
        ('"BTC/USDT"', '"BTCUSDT"', Mode.SANDBOX, "it is such as"),
        ("BTCUSDT =", '"BTCUSDT@x" =', Mode.SANDBOX, "it is such as"),
        ('exchange = "bybit"', 'exchange = "bybit"\npoll_s = 0', Mode.SANDBOX, "poll_s"),
        ("[other.spot]", "[other.spot", Mode.SANDBOX, "VENUES"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_words(tmp_path, old, new, mode, words):
    with pytest.raises(ConfigProblems) as caught:
        read(tmp_path, GOOD.replace(old, new) if old else GOOD, mode)
    said = str(caught.value)
    assert words in said
    assert not any(value in said for value in KEYS.values())


def test_a_venue_without_markets_and_a_file_without_venues_are_refused(tmp_path):
    for text in ("", GOOD.partition("[other.spot]")[0]):
        with pytest.raises(ConfigProblems):
            read(tmp_path, text)
