"""Other venues of the settings: refused at the start with words where they could not be traded safely."""

import pytest

from config.load import load_settings
from config.secrets import SANDBOX_KEY
from executor.app.elsewhere import look_elsewhere, open_elsewhere
from executor.domain.errors import ConfigError
from executor.domain.finding import Verdict

VENUES = """
[other]
exchange = "bybit"
key_env = "OTHER_KEY"
secret_env = "OTHER_SECRET"
rest_url = "http://127.0.0.1:9"
[other.linear]
BTCUSDT = "BTC/USDT:USDT"
"""
KEYS = {"OTHER_KEY": "k-canary-123456", "OTHER_SECRET": "s-canary-123456"}


def settings_of(tmp_path, venues=VENUES, more=""):
    file = tmp_path / "venues.toml"
    file.write_text(venues)
    extra = tmp_path / "extra.toml"
    extra.write_text(f'[venues]\nfile = "{file}"\n{more}')
    return load_settings("sandbox", extra, {}, yes_live=False)


def finding(settings, environ=KEYS):
    (found,) = look_elsewhere(settings, environ)
    return found


async def test_without_a_file_there_is_no_other_venue():
    settings = load_settings("sandbox", None, {}, yes_live=False)
    (told,) = look_elsewhere(settings, {})
    assert (told.verdict, told.found) == (Verdict.OK, "none is configured")
    assert await open_elsewhere(None, settings, {}, "x", None, None, None) == {}


def test_a_venue_that_can_be_traded_is_said(tmp_path):
    found = finding(settings_of(tmp_path))
    assert (found.verdict, found.found) == (Verdict.OK, "other: bybit, 1 markets, a key is given")


@pytest.mark.parametrize(
    ("old", "new", "more", "environ", "words"),
    [
        ('"bybit"', '"kraken"', "", KEYS, "nobody has written down what the answers of kraken prove"),
        ('"bybit"', '"binance"', "", KEYS, "no linear markets are traded by way of binance"),
        ("", "", '[venue]\nposition_mode = "hedge"\n', KEYS, "need venue.position_mode = one_way"),
        ("", "", "", {}, "the environment has no OTHER_KEY"),
        (
            "http://127.0.0.1:9",
            "http://127.0.0.1:8765",
            "",
            KEYS | {"OTHER_KEY": SANDBOX_KEY},
            "traded already",
        ),
    ],
)
def test_a_venue_that_cannot_be_traded_safely_is_refused(tmp_path, old, new, more, environ, words):
    found = finding(settings_of(tmp_path, VENUES.replace(old, new) if old else VENUES, more), environ)
    assert (found.verdict, found.code) == (Verdict.FAIL, "VENUES")
    assert words in found.found
    assert not any(value in found.found for value in KEYS.values())


async def test_the_start_refuses_what_the_doctor_does(tmp_path):
    settings = settings_of(tmp_path, VENUES.replace('"bybit"', '"kraken"'))
    with pytest.raises(ConfigError, match="nobody has written down"):
        await open_elsewhere(None, settings, KEYS, "x", None, None, None)
