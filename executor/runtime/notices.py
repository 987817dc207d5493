"""Which alarms are told to people, and in which words: each at once, the same one again only summed up, never a flood.

Pure: time is an argument. Who carries the words is in `messengers`.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from executor.domain.commands import AlertCode, Severity
from executor.domain.timeline import NS_PER_MIN, NS_PER_S, iso_utc
from executor.runtime.alarms import Alarm

AGAIN_NS: Final = 10 * NS_PER_MIN
"""How long the same alarm about the same order is only counted."""
PER_MIN_MAX: Final = 20
"""Notices of one minute; what is beyond is counted and told in one at its end."""
CRITICAL_PER_MIN_MAX: Final = 40
"""The same, where it is critical: a flood of warnings takes no room from a halt."""
KINDS_MAX: Final = 1_000
_ORDER: Final = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Words for people.

    Parameters
    ----------
    title
        One line.
    text
        What happened, in a few lines.
    """

    at_ns: int
    severity: Severity
    code: str
    parent_id: str
    title: str
    text: str


@dataclass(slots=True)
class _Told:
    until_ns: int
    last: Alarm
    again: int = 0


@dataclass(slots=True, kw_only=True)
class Notices:
    """What was told lately.

    Parameters
    ----------
    least
        Severity from which on alarms are told.
    name
        How this daemon is called in a title.
    """

    least: Severity
    name: str
    _told: dict[tuple[str, str, Severity], _Told] = field(default_factory=dict)
    _times_ns: deque[int] = field(default_factory=deque)
    _held_back: int = 0

    def take(self, alarm: Alarm) -> Notice | None:
        """Say what people are to be told of an alarm now; None if it is too small, known, or one too many."""
        if alarm.code == AlertCode.REARMED:
            self._begin_anew()
        if _ORDER.index(alarm.severity) < _ORDER.index(self.least):
            return None
        key = (alarm.code, alarm.parent_id, alarm.severity)
        told = self._told.get(key)
        if told is not None and alarm.at_ns < told.until_ns:
            told.again, told.last = told.again + 1, alarm
            return None
        again = 0 if told is None else told.again
        self._told[key] = _Told(alarm.at_ns + AGAIN_NS, alarm)
        if len(self._told) > KINDS_MAX:
            del self._told[next(iter(self._told))]
        return self._of(alarm, again) if self._has_room(alarm.at_ns, alarm.severity) else None

    def _begin_anew(self) -> None:
        """After a person has rearmed, a halt is news again: what was told of it is summed up no further."""
        for key, told in self._told.items():
            if key[0] == AlertCode.HALT:
                told.until_ns = 0

    def due(self, now_ns: int) -> list[Notice]:
        """Say what is owed by now: alarms that came again, and how many were held back in a flood."""
        owed = []
        for key, told in list(self._told.items()):
            if now_ns < told.until_ns:
                continue
            del self._told[key]
            if told.again:
                owed.append(self._of(told.last, told.again))
        if self._held_back and self._has_room(now_ns):
            owed.append(
                Notice(
                    at_ns=now_ns,
                    severity=Severity.CRITICAL,
                    code="FLOOD",
                    parent_id="",
                    title=f"{self.name}: {self._held_back} more alarms",
                    text=f"{self._held_back} alarms were not told one by one; `executor status` and the log have them.",
                )
            )
            self._held_back = 0
        return owed

    def heartbeat(self, now_ns: int, standing: str) -> Notice:
        """Say that all is as it is, so that silence is not taken for peace."""
        return Notice(
            at_ns=now_ns,
            severity=Severity.INFO,
            code="HEARTBEAT",
            parent_id="",
            title=f"{self.name}: alive",
            text=f"{standing} ({iso_utc(now_ns)})",
        )

    def _has_room(self, now_ns: int, severity: Severity | None = None) -> bool:
        """Whether another may go out now; counts what is held back where it is an alarm of some severity."""
        while self._times_ns and self._times_ns[0] <= now_ns - NS_PER_MIN:
            self._times_ns.popleft()
        most = CRITICAL_PER_MIN_MAX if severity is Severity.CRITICAL else PER_MIN_MAX
        if len(self._times_ns) >= most:
            self._held_back += severity is not None
            return False
        self._times_ns.append(now_ns)
        return True

    def _of(self, alarm: Alarm, again: int) -> Notice:
        more = (
            f"\n{again} more of the same in the last {AGAIN_NS // NS_PER_S // 60} minutes." if again else ""
        )
        about = f" {alarm.parent_id}" if alarm.parent_id else ""
        return Notice(
            at_ns=alarm.at_ns,
            severity=alarm.severity,
            code=alarm.code,
            parent_id=alarm.parent_id,
            title=f"{self.name}: {alarm.severity} {alarm.code}{about}",
            text=f"{alarm.detail}{more}\n{iso_utc(alarm.at_ns)}",
        )
