"""What the engine wants people to know: the latest alarms, and who is told of each as it is raised."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from executor.domain.commands import RaiseAlert, Severity

KEPT_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm.

    Parameters
    ----------
    number
        Counts up from 1 in this process.
    at_ns
        Of the event that raised it, UTC.
    parent_id
        "" where it concerns no parent.
    """

    number: int
    at_ns: int
    severity: Severity
    code: str
    parent_id: str
    detail: str


class Alarms:
    """The latest alarms of this process."""

    def __init__(self) -> None:
        self._kept: deque[Alarm] = deque(maxlen=KEPT_MAX)
        self._number = 0
        self._told: list[Callable[[Alarm], None]] = []

    def tell(self, whom: Callable[[Alarm], None]) -> None:
        """Have somebody told of each alarm from now on; it must return at once and never raise."""
        self._told.append(whom)

    def take(self, command: RaiseAlert, at_ns: int) -> None:
        """Keep an alarm, and tell everybody who wants to know."""
        self._number += 1
        alarm = Alarm(
            number=self._number,
            at_ns=at_ns,
            severity=command.severity,
            code=command.code.value,
            parent_id=command.parent_id,
            detail=command.detail,
        )
        self._kept.append(alarm)
        for whom in self._told:
            whom(alarm)

    @property
    def latest(self) -> Sequence[Alarm]:
        """Newest last, at most `KEPT_MAX`."""
        return tuple(self._kept)
