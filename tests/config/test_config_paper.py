"""Settings of paper trading: any public address, no key, and nothing that would need a private side."""

from pathlib import Path

import pytest
from config_files import LIVE_ENV, load, only, problems_of

from config.problems import ConfigProblems
from config.stop import load_stop_settings
from executor.app.paper import paper_terms, public_access
from simulation.replay import codes


def test_the_profile_needs_no_key_and_reads_none(tmp_path: Path):
    settings = load(tmp_path, environ=LIVE_ENV, profile="paper")
    assert settings.credentials is None
    assert not settings.lacks_key
    assert load(tmp_path, profile="testnet").lacks_key
    access = public_access(settings)
    assert access.hosts == {"api.bybit.com", "stream.bybit.com"}
    assert (access.private_ws_url, access.trade_ws_url, access.api_key, access.api_secret) == ("", "", "", "")
    terms = paper_terms(settings.paper)
    assert (terms.round_trip_s, terms.replay.queue_model) == (0.03, codes.RISK_AVERSE)


@pytest.mark.parametrize(
    ("rest", "public"),
    [
        ("https://api-testnet.bybit.com", "wss://stream-testnet.bybit.com"),
        ("https://api.bytick.com/", "wss://stream.bytick.com:443"),
        ("http://127.0.0.1:8765", "ws://localhost:8765"),
    ],
)
def test_any_public_address_will_do(tmp_path: Path, rest: str, public: str):
    text = f'[venue]\nrest_url = "{rest}"\npublic_ws_url = "{public}"\n'
    assert load(tmp_path, text, profile="paper").venue.rest_url == rest.rstrip("/")


@pytest.mark.parametrize(
    "line",
    [
        'rest_url = "http://api.bybit.com"',
        'rest_url = "http://127.0.0.1"',
        'rest_url = "https://user:pass@api.bybit.com"',
        'rest_url = "https://api.bybit.com/v5"',
        'public_ws_url = "https://stream.bybit.com"',
        'private_ws_url = "wss://stream.bybit.com"',
    ],
)
def test_no_address_without_tls_and_none_of_a_private_side(tmp_path: Path, line: str):
    assert only(problems_of(tmp_path, f"[venue]\n{line}\n", profile="paper")).code == "CONFIG_HOST"


@pytest.mark.parametrize(
    "text",
    [
        '[venue]\nposition_mode = "hedge"\n',
        "[venue]\ndcp_window_s = 10\n",
        '[venue]\norder_entry = "websocket"\n',
        "[market]\nbook_depth = 1\n",
        "[sentinel]\nenabled = true\n",
    ],
)
def test_what_needs_a_venue_that_knows_us_is_refused(tmp_path: Path, text: str):
    assert only(problems_of(tmp_path, text, profile="paper")).code == "CONFIG_CONFLICT"


def test_a_key_file_is_not_wanted(tmp_path: Path):
    problem = only(problems_of(tmp_path, '[venue]\napi_key_file = "some.key"\n', profile="paper"))
    assert problem.code == "SECRET_UNWANTED"


def test_an_emergency_stop_says_that_there_is_no_account(tmp_path: Path):
    with pytest.raises(ConfigProblems) as caught:
        load_stop_settings("paper", None, {})
    problem = only(list(caught.value.problems))
    assert (problem.code, "executor halt" in problem.next_step) == ("NO_ACCOUNT", True)


def test_the_page_shows_how_to_use_a_local_exchange(tmp_path: Path):
    page = (Path(__file__).parents[2] / "docs/paper.md").read_text("utf-8")
    _, text = page.split("```toml\n", 1)
    settings = load(tmp_path, text.partition("```")[0], profile="paper")
    assert public_access(settings).hosts == {"127.0.0.1"}
    assert settings.venue.rest_url == "http://127.0.0.1:8765"
