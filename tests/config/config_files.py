"""Writing configuration files and collecting what is wrong with them."""

from collections.abc import Mapping
from pathlib import Path

from config.load import load_settings
from config.problems import ConfigProblems, Problem
from config.settings import Settings

LIVE_ENV = {
    "EXECUTOR_LIVE_CONFIRM": "I-TRADE-REAL-MONEY",
    "BYBIT_API_KEY": "AbCdEfGhIjKlMnOpQr",
    "BYBIT_API_SECRET": "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
}
MONEY = """
[limits]
child_notional_max = 2000
open_notional_max = 10000
position_notional_max = 50000
day_notional_max = 200000
day_loss_max = 1000
"""


def load(
    tmp_path: Path,
    text: str | bytes = "",
    environ: Mapping[str, str] | None = None,
    profile: str | Path = "sandbox",
    *,
    yes_live: bool = False,
) -> Settings:
    path = tmp_path / "extra.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(profile, path, environ or {}, yes_live)


def problems_of(
    tmp_path: Path,
    text: str | bytes = "",
    environ: Mapping[str, str] | None = None,
    profile: str | Path = "sandbox",
    *,
    yes_live: bool = False,
) -> list[Problem]:
    try:
        load(tmp_path, text, environ, profile, yes_live=yes_live)
    except ConfigProblems as error:
        for problem in error.problems:
            assert "\n" not in problem.line()
            assert all((problem.where, problem.got, problem.allowed, problem.next_step)), problem
        return list(error.problems)
    return []


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]
