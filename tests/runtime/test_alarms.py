"""Alarms are kept, counted and told at once."""

from executor.domain.commands import AlertCode, RaiseAlert, Severity
from executor.runtime.alarms import KEPT_MAX, Alarms


def raised(detail: str) -> RaiseAlert:
    return RaiseAlert(severity=Severity.WARNING, code=AlertCode.SHORTFALL, parent_id="P1", detail=detail)


def test_the_latest_are_kept_and_numbered() -> None:
    alarms = Alarms()
    for number in range(KEPT_MAX + 5):
        alarms.take(raised(str(number)), number)
    assert len(alarms.latest) == KEPT_MAX
    assert alarms.latest[-1].number == KEPT_MAX + 5
    assert alarms.latest[0].detail == "5"
    assert alarms.latest[-1].at_ns == KEPT_MAX + 4


def test_whoever_wants_to_know_is_told_of_each() -> None:
    alarms = Alarms()
    told: list[int] = []
    alarms.take(raised("before"), 1)
    alarms.tell(lambda alarm: told.append(alarm.number))
    alarms.take(raised("after"), 2)
    assert told == [2]
