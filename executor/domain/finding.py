"""What a look at the premises of trading found: one line for people, one object for machines."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FOUND_AT: Final = 25
"""Column at which the line for people says what was found."""


class Verdict(StrEnum):
    """How good or bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    check
        Which of the checks listed in docs/reference/checks.md this is.
    code
        Stable, upper case; `OK` where all is well.
    found, allowed
        What is there, and what would be right; `allowed` is empty where all is well.
    next_step
        What a person does now; empty where nothing is to be done.
    """

    check: str
    verdict: Verdict
    code: str
    found: str
    allowed: str = ""
    next_step: str = ""

    def line(self) -> str:
        """One line for people."""
        head = f"{self.verdict:<4}  {self.check:<18} {self.found}"
        if self.verdict is Verdict.OK:
            return head
        return f"{head} [{self.code}; allowed: {self.allowed}] → {self.next_step}"

    def record(self) -> dict[str, str]:
        """One object for machines."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "code": self.code,
            "found": self.found,
            "allowed": self.allowed,
            "next": self.next_step,
        }


def fine(check: str, found: str) -> Finding:
    """Say that all is well."""
    return Finding(check=check, verdict=Verdict.OK, code="OK", found=found)
