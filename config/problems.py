"""One problem in what somebody wrote, in the one form every surface prints: code, where, got, allowed, next step.

Values are quoted, cut and stripped of control characters here, so that no caller can forget to.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from executor.domain.errors import ConfigError

GOT_CHARS_MAX: Final = 80
MASK: Final = "********"
MASKED_LEN_MIN: Final = 6
_LINE: Final = re.compile(r"\A(.+?):(\d+)(?: column \d+)?\Z", re.DOTALL)
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """Replace every character that could move a cursor, hide text or reverse it by its escaped form."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in _UNPRINTABLE else char
        for char in text
    )


def quoted(value: object) -> str:
    """Show what was written: escaped, in double quotes if it was text, cut at 80 characters."""
    text = value if isinstance(value, str) else repr(value)
    cut = text if len(text) <= GOT_CHARS_MAX else f"{text[: GOT_CHARS_MAX - 1]}…"
    escaped = printable(cut)
    return f'"{escaped}"' if isinstance(value, str) else escaped


def place(path: Path) -> str:
    """Show where something lies: escaped and whole, since the end of a path is what tells."""
    return f'"{printable(str(path))}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why something that was written cannot be used.

    Parameters
    ----------
    code
        Stable, upper case.
    where
        `file:line`, an environment name, a flag or a JSON path.
    got
        What was found there, already quoted; secrets are masked.
    allowed
        The form or the values that would do.
    next_step
        What to do now.
    """

    code: str
    where: str
    got: str
    allowed: str
    next_step: str

    def line(self) -> str:
        """One line for people."""
        return printable(
            f"{self.code} at {self.where}: got {self.got}; allowed: {self.allowed}; next: {self.next_step}"
        )

    def record(self) -> dict[str, str]:
        """One object for machines."""
        return {
            "code": self.code,
            "where": self.where,
            "got": self.got,
            "allowed": self.allowed,
            "next": self.next_step,
        }

    def without(self, secrets: Iterable[str]) -> "Problem":
        """Take known secret values out of every text."""
        problem = self
        for secret in secrets:
            if len(secret) >= MASKED_LEN_MIN:
                problem = replace(
                    problem,
                    where=problem.where.replace(secret, MASK),
                    got=_without(problem.got, secret),
                    allowed=problem.allowed.replace(secret, MASK),
                    next_step=problem.next_step.replace(secret, MASK),
                )
        return problem


def in_file_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems the way a reader meets them: file by file and line by line, then what stands on no line."""
    listed = list(problems)
    places = [_LINE.match(problem.where) for problem in listed]
    files = list(dict.fromkeys(found[1] for found in places if found is not None))

    def rank(number: int) -> tuple[int, int]:
        found = places[number]
        return (len(files), 0) if found is None else (files.index(found[1]), int(found[2]))

    return [listed[number] for number in sorted(range(len(listed)), key=rank)]


def _without(got: str, secret: str) -> str:
    """Mask a secret in a quoted value, also where the cut left only its beginning."""
    if secret in got:
        return got.replace(secret, MASK)
    if got.endswith('…"'):
        for length in range(min(len(secret), len(got)), MASKED_LEN_MIN - 1, -1):
            if got[:-2].endswith(secret[:length]):
                return f'{got[: -2 - length]}{MASK}…"'
    return got


class ConfigProblems(ConfigError):  # noqa: N818 - the word says that there may be several
    """Every problem that was found, together.

    Parameters
    ----------
    problems
        At least one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.line() for problem in self.problems))
