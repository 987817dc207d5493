"""The key of the model's server: kept apart from the exchange's, read in the same careful way, and never shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.problems import Problem, place
from config.secrets import ADVISER_ENV, ENV_NAMES, Secret, open_private

KEY_LEN: Final = (8, 512)
KEY_FORM: Final = "the key alone: printable ASCII without blanks and quotes"
_PLAIN: Final = re.compile(r"\A[!#-&(-_a-~]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviserKey:
    """The key, and where it came from."""

    key: Secret
    origin: str


def read_adviser_key(
    key_file: Path | None, environ: Mapping[str, str]
) -> tuple[AdviserKey | None, list[Problem]]:
    """Read the key; None without problems means that none was given."""
    if key_file is not None and ADVISER_ENV in environ:
        where = f"environment {ADVISER_ENV} and adviser.api_key_file"
        return None, [
            _problem("SECRET_TWICE", where, "a key from two places", "one place", "remove one of them")
        ]
    if key_file is not None:
        raw, problem = open_private(key_file)
        if problem is not None:
            return None, [problem]
        value = raw.decode("ascii", "replace").removesuffix("\n")
        return _checked(value, place(key_file), f"file {key_file}", environ)
    if ADVISER_ENV in environ:
        return _checked(environ[ADVISER_ENV], f"environment {ADVISER_ENV}", "environment", environ)
    return None, []


def _checked(
    value: str, where: str, origin: str, environ: Mapping[str, str]
) -> tuple[AdviserKey | None, list[Problem]]:
    problem = _why_not(value, where, environ)
    if problem is not None:
        return None, [problem]
    return AdviserKey(key=Secret(value), origin=origin), []


def _why_not(value: str, where: str, environ: Mapping[str, str]) -> Problem | None:
    """Find what is wrong with a key, from the most telling cause to the least."""
    if not value.strip():
        return _problem("SECRET_EMPTY", where, "an empty value", KEY_FORM, "write the key, or give none")
    if value != value.strip():
        return _problem(
            "SECRET_BLANK", where, "a blank or line end around the value", "the value alone", "remove it"
        )
    if value[0] in "\"'`" or value[-1] in "\"'`":
        return _problem(
            "SECRET_QUOTED", where, "quotes around the value", "the value alone", "remove the quotes"
        )
    if not _PLAIN.match(value):
        return _problem("SECRET_FORM", where, "other characters", KEY_FORM, "copy it again")
    if not KEY_LEN[0] <= len(value) <= KEY_LEN[1]:
        allowed = f"{KEY_LEN[0]} to {KEY_LEN[1]} characters"
        return _problem(
            "SECRET_LENGTH", where, f"{len(value)} characters", allowed, "copy the whole value again"
        )
    for name in (name for pair in ENV_NAMES.values() for name in pair):
        if environ.get(name, "").strip() == value:
            return _problem(
                "SECRET_SHARED",
                where,
                f"the value of {name}",
                "the key of the model's server, never one of the exchange",
                "give the model's own key, and change the exchange's if it was ever sent to the model's server",
            )
    return None


def _problem(code: str, where: str, got: str, allowed: str, next_step: str) -> Problem:
    return Problem(code=code, where=where, got=got, allowed=allowed, next_step=next_step)
