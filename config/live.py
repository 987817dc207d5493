"""What trading with real money asks for: two signs, and every money limit in so many words."""

from collections.abc import Mapping
from typing import Final

from config.hosts import Mode
from config.problems import Problem
from config.written import Layer, Written
from executor.domain.limits import MONEY_LIMITS

LIVE_ENV: Final = "EXECUTOR_LIVE_CONFIRM"
LIVE_WORDS: Final = "I-TRADE-REAL-MONEY"


def sign_problems(
    mode_in_files: Written | None, environ: Mapping[str, str], *, yes_live: bool
) -> list[Problem]:
    """Ask for both signs of live trading: the mode in a file, and the words in the environment or the flag."""
    is_in_file = mode_in_files is not None and mode_in_files.text == Mode.LIVE
    is_confirmed = yes_live or environ.get(LIVE_ENV) == LIVE_WORDS
    if is_in_file and is_confirmed:
        return []
    missing = ["the one in a file"] * (not is_in_file) + ["the confirmation"] * (not is_confirmed)
    return [
        Problem(
            code="LIVE_NOT_CONFIRMED",
            where="executor.mode = live",
            got=f"a live mode without {' and '.join(missing)}",
            allowed=f'both: mode = "live" in a file, and {LIVE_ENV}={LIVE_WORDS} (or --yes-live)',
            next_step=f'first write mode = "live" under [executor] in a file, then export {LIVE_ENV}={LIVE_WORDS}',
        )
    ]


def missing_money_limits(layer: Layer) -> list[str]:
    """Name the money limits that nobody wrote."""
    given = layer.get("limits", {})
    return [name for name in MONEY_LIMITS if name not in given]


def missing_limit(name: str) -> Problem:
    """Say that live trading has no default for a money limit."""
    return Problem(
        code="CONFIG_MISSING",
        where=f"limits.{name}",
        got="nothing",
        allowed="a positive amount of quote currency; live mode has no default for a money limit",
        next_step=f"write {name} under [limits] in your --config file",
    )
