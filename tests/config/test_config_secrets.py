"""C11: every way a key can be given wrongly, and that no error shows any part of it."""

import copy
import os
import pickle
from dataclasses import asdict
from pathlib import Path

import pytest
from config_files import load, only, problems_of

from config.problems import ConfigProblems, Problem
from config.secrets import Secret
from config.settings import effective

KEY = "kEyKeYkEyKeYkEyKeY"
SECRET = "sEcReTsEcReTsEcReTsEcReTsEcReTsEcReT"
NAMES = ("BYBIT_TESTNET_API_KEY", "BYBIT_TESTNET_API_SECRET")


def no_part_is_shown(problem: Problem) -> None:
    for value in (KEY, SECRET):
        for start in range(len(value) - 7):
            assert value[start : start + 8] not in problem.line()


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [
        ("", SECRET, "SECRET_EMPTY"),
        (KEY, "   ", "SECRET_EMPTY"),
        (KEY, f"{SECRET}\n", "SECRET_BLANK"),
        (f" {KEY}", SECRET, "SECRET_BLANK"),
        (f'"{KEY}"', SECRET, "SECRET_QUOTED"),
        (KEY, f"'{SECRET}'", "SECRET_QUOTED"),
        (KEY, f"{SECRET}é", "SECRET_FORM"),
        (KEY, f"{SECRET[:20]} {SECRET[20:]}", "SECRET_FORM"),
        (SECRET, KEY, "SECRET_SWAPPED"),
        (KEY[:5], SECRET, "SECRET_LENGTH"),
        (KEY, SECRET[:20], "SECRET_LENGTH"),
        (KEY, SECRET * 5, "SECRET_LENGTH"),
    ],
)
def test_values_in_the_environment(tmp_path: Path, key: str, secret: str, code: str):
    problem = only(
        problems_of(tmp_path, environ=dict(zip(NAMES, (key, secret), strict=True)), profile="testnet")
    )
    assert problem.code == code
    assert NAMES[0] in problem.where or NAMES[1] in problem.where
    no_part_is_shown(problem)


@pytest.mark.parametrize("given", NAMES)
def test_one_of_two_is_missing(tmp_path: Path, given: str):
    problem = only(problems_of(tmp_path, environ={given: SECRET}, profile="testnet"))
    assert problem.code == "SECRET_MISSING"
    assert problem.where == f"environment {NAMES[1 - NAMES.index(given)]}"


def test_none_at_all_is_said_when_keys_are_needed(tmp_path: Path):
    settings = load(tmp_path, profile="testnet")
    assert settings.credentials is None
    with pytest.raises(ConfigProblems, match="SECRET_MISSING at environment BYBIT_TESTNET_API_KEY"):
        settings.require()


def test_a_mode_looks_at_its_own_names_only(tmp_path: Path):
    environ = {"BYBIT_API_KEY": KEY, "BYBIT_API_SECRET": SECRET}
    assert load(tmp_path, environ=environ, profile="testnet").credentials is None
    assert load(tmp_path, environ=environ).require().api_key.reveal() == "sandbox-key"


@pytest.mark.parametrize(
    "text",
    [
        f'[venue]\napi_secret = "{SECRET}"\n',
        f'[credentials]\napi_key = "{KEY}"\napi_secret = "{SECRET}"\n',
        f'[control]\ntoken = "{SECRET}"\n',
    ],
)
def test_a_secret_in_a_settings_file(tmp_path: Path, text: str):
    problems = problems_of(tmp_path, text)
    assert "SECRET_INLINE" in [problem.code for problem in problems]
    for problem in problems:
        no_part_is_shown(problem)


def test_a_broken_line_with_a_secret_is_not_quoted(tmp_path: Path):
    problem = only(problems_of(tmp_path, f"[venue]\napi_secret = {SECRET}\n"))
    assert problem.code == "CONFIG_SYNTAX"
    no_part_is_shown(problem)


def test_a_secret_pasted_into_another_setting_is_masked(tmp_path: Path):
    environ = dict(zip(NAMES, (KEY, SECRET), strict=True))
    for value in (SECRET, f"{'x' * 60}{SECRET}", f"https://{KEY}:{SECRET}@api.bybit.com"):
        problems = problems_of(tmp_path, f'[log]\nlevel = "{value}"\n', environ, "testnet")
        assert problems
        for problem in problems:
            no_part_is_shown(problem)


def key_file(tmp_path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "keys"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def with_file(path: Path) -> str:
    return f'[venue]\napi_key_file = "{path}"\n'


@pytest.mark.parametrize(
    "text",
    [
        f"{KEY}\n{SECRET}\n",
        f"{KEY}\n{SECRET}",
        f'api_key = "{KEY}"\napi_secret = "{SECRET}"\n',
    ],
)
def test_both_forms_of_the_file(tmp_path: Path, text: str):
    credentials = load(tmp_path, with_file(key_file(tmp_path, text)), profile="testnet").require()
    assert (credentials.api_key.reveal(), credentials.api_secret.reveal()) == (KEY, SECRET)
    assert credentials.origin == f"file {tmp_path / 'keys'}"


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [
        (f"{KEY}\n{SECRET}\n", 0o644, "SECRET_MODE"),
        (f"{KEY}\n{SECRET}\n", 0o640, "SECRET_MODE"),
        ("", 0o600, "SECRET_EMPTY"),
        (" \n\n", 0o600, "SECRET_EMPTY"),
        (f"{KEY}\n", 0o600, "SECRET_READ"),
        (f"{KEY}\n{SECRET}\nmore\n", 0o600, "SECRET_READ"),
        (f"{KEY} \n{SECRET}\n", 0o600, "SECRET_BLANK"),
        (f"{KEY}\r\n{SECRET}\r\n", 0o600, "SECRET_BLANK"),
        (f'"{KEY}"\n{SECRET}\n', 0o600, "SECRET_QUOTED"),
        (f"{SECRET}\n{KEY}\n", 0o600, "SECRET_SWAPPED"),
        (f'api_key = "{KEY}"\n', 0o600, "SECRET_READ"),
        (f"api_key = {KEY}\napi_secret = {SECRET}\n", 0o600, "SECRET_READ"),
        (b"\xff\xfe\n\n", 0o600, "SECRET_READ"),
    ],
    ids=lambda value: value if str(value).startswith("SECRET") else "",
)
def test_bad_files(tmp_path: Path, text: str | bytes, mode: int, code: str):
    problems = problems_of(tmp_path, with_file(key_file(tmp_path, text, mode)), profile="testnet")
    assert {problem.code for problem in problems} == {code}
    for problem in problems:
        no_part_is_shown(problem)


def test_links_directories_pipes_and_missing_files(tmp_path: Path):
    real = key_file(tmp_path, f"{KEY}\n{SECRET}\n")
    link = tmp_path / "link"
    link.symlink_to(real)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (link, pipe, tmp_path, tmp_path / "none"):
        assert only(problems_of(tmp_path, with_file(path), profile="testnet")).code == "SECRET_READ"


def test_a_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = key_file(tmp_path, f"{KEY}\n{SECRET}\n")
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    assert only(problems_of(tmp_path, with_file(path), profile="testnet")).code == "SECRET_OWNER"


def test_two_places_are_one_too_many(tmp_path: Path):
    path = key_file(tmp_path, f"{KEY}\n{SECRET}\n")
    environ = dict(zip(NAMES, (KEY, SECRET), strict=True))
    assert only(problems_of(tmp_path, with_file(path), environ, "testnet")).code == "SECRET_TWICE"


def test_a_secret_shows_itself_to_nobody(tmp_path: Path):
    secret = Secret(SECRET)
    assert SECRET not in f"{secret} {secret!r} {[secret]} {vars(type(secret))}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert secret == Secret(SECRET)
    assert secret != Secret(KEY)
    settings = load(tmp_path, environ=dict(zip(NAMES, (KEY, SECRET), strict=True)), profile="testnet")
    shown = f"{settings!r} {[asdict(row) for row in effective(settings)]}"
    assert SECRET not in shown
    assert KEY not in shown


PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 4
    + "AAAA==\n-----END PRIVATE KEY-----\n"
)


def test_a_private_key_from_the_environment_and_from_a_file(tmp_path: Path):
    settings = load(tmp_path, environ=dict(zip(NAMES, (KEY, PEM), strict=True)), profile="testnet")
    assert settings.require().api_secret.reveal() == PEM
    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n{PEM}")
    key_file.chmod(0o600)
    settings = load(tmp_path, f'[venue]\napi_key_file = "{key_file}"', profile="testnet")
    assert settings.require().api_key.reveal() == KEY
    assert settings.require().api_secret.reveal() == PEM


@pytest.mark.parametrize(
    ("key", "pem", "code"),
    [
        (KEY, PEM.replace("BEGIN ", "BEGIN ENCRYPTED "), "SECRET_FORM"),
        (KEY, PEM[:60], "SECRET_FORM"),
        (KEY, PEM.replace("MIIE", "MI!E"), "SECRET_FORM"),
        (KEY[:5], PEM, "SECRET_LENGTH"),
        ("", PEM, "SECRET_EMPTY"),
    ],
)
def test_what_is_wrong_with_a_private_key_is_said_without_showing_it(tmp_path: Path, key, pem, code):
    problem = only(
        problems_of(tmp_path, environ=dict(zip(NAMES, (key, pem), strict=True)), profile="testnet")
    )
    assert problem.code == code
    assert "MIIE" not in problem.line()


def test_a_key_of_another_mode_is_named_and_never_read(tmp_path: Path):
    environ = {"BYBIT_API_KEY": KEY, "BYBIT_API_SECRET": SECRET}
    settings = load(tmp_path, "", environ, "testnet")
    assert settings.credentials is None
    with pytest.raises(ConfigProblems) as caught:
        settings.require()
    problem = only(list(caught.value.problems))
    assert problem.code == "SECRET_MISSING"
    assert "BYBIT_API_KEY, BYBIT_API_SECRET are of another mode" in problem.got
    assert "testnet" in problem.next_step
    no_part_is_shown(problem)
    with pytest.raises(ConfigProblems) as caught:
        load(tmp_path, "", {}, "testnet").require()
    assert only(list(caught.value.problems)).got == "nothing"
