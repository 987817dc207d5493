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
    missing, steps = [], []
    if not is_in_file:
        missing.append("the one in a file (the environment alone does not count)")
        steps.append('use --profile live, or write mode = "live" under [executor] in a file of yours')
    if not is_confirmed:
        missing.append("the confirmation of this very start")
        steps.append(f"export {LIVE_ENV}={LIVE_WORDS}, or add --yes-live")
    return [
        Problem(
            code="LIVE_NOT_CONFIRMED",
            where="executor.mode = live"
            if mode_in_files is None
            else f"executor.mode ({mode_in_files.where})",
            got=f"real money with {len(steps)} of 2 signs missing: {' and '.join(missing)}",
            allowed=f'two signs: mode = "{Mode.LIVE}" in a file, and {LIVE_ENV}={LIVE_WORDS} or --yes-live',
            next_step="; ".join(steps),
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
