"""The settings of an emergency stop: few, and not hindered by what is wrong with the others."""

from dataclasses import replace
from pathlib import Path

import pytest
from config_files import LIVE_ENV, MONEY

from config.problems import ConfigProblems
from config.stop import load_stop_settings


def load(tmp_path: Path, text: str = "", environ: dict[str, str] | None = None, profile: str = "sandbox"):
    path = tmp_path / "extra.toml"
    path.write_text(text)
    return load_stop_settings(profile, path, environ or {})


def test_the_sandbox_needs_nothing(tmp_path: Path):
    settings, remarks = load(tmp_path)
    assert remarks == ()
    assert settings.rest_url == "http://127.0.0.1:8765"
    assert settings.data_dir == Path("var/sandbox")
    assert settings.recv_window_ms == 5_000
    assert settings.sentinel.silence_s_max == 8


@pytest.mark.parametrize(
    "text",
    [
        '[limits]\nday_loss_max = "nonsense"\n',
        "[limits]\nfoo = 1\n",
        "[nonsense]\nx = 1\n",
        '[log]\nlevel = "loud"\n',
        "[sentinel]\nsilence_s_max = 1\n",
        "[timings]\nrecv_window_ms = 5\n",
        "[venue]\nrequest_timeout_s = 0\n",
    ],
)
def test_what_is_wrong_elsewhere_is_only_remarked(tmp_path: Path, text: str):
    settings, remarks = load(tmp_path, text)
    usual, _ = load(tmp_path)
    assert replace(settings, log=usual.log) == usual
    # A value of a setting that is not used here is not even looked at.
    assert len(remarks) == (0 if "[limits]" in text else 1)


def test_a_wrong_useful_value_is_remarked_and_the_usual_one_taken(tmp_path: Path):
    settings, (remark,) = load(tmp_path, "[sentinel]\nsilence_s_max = 1\n")
    assert settings.sentinel.silence_s_max == 8
    assert remark.code == "CONFIG_CONFLICT"


def test_real_money_needs_no_second_sign_to_be_stopped(tmp_path: Path):
    keys = {name: value for name, value in LIVE_ENV.items() if name.startswith("BYBIT")}
    settings, _ = load(tmp_path, MONEY, keys, "live")
    assert settings.rest_url == "https://api.bybit.com"
    assert settings.credentials.api_key.reveal() == keys["BYBIT_API_KEY"]


@pytest.mark.parametrize(
    ("text", "environ", "profile", "code"),
    [
        ('[venue]\nrest_url = "https://api.bybit.com.evil.example"\n', {}, "sandbox", "CONFIG_HOST"),
        ("", {}, "testnet", "SECRET_MISSING"),
        ('[executor]\nmode = "lively"\n', {}, "sandbox", "CONFIG_CHOICE"),
        ('[executor]\ndata_dir = ""\n', {}, "sandbox", "CONFIG_PATH"),
        ("[executor\n", {}, "sandbox", "CONFIG_SYNTAX"),
        ("", {}, "prod", "CONFIG_READ"),
    ],
)
def test_what_cancelling_needs_must_be_right(
    tmp_path: Path, text: str, environ: dict[str, str], profile: str, code: str
):
    with pytest.raises(ConfigProblems) as caught:
        load(tmp_path, text, environ, profile)
    assert [problem.code for problem in caught.value.problems] == [code]
