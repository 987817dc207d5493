"""Which alarms reach people: each at once, repeats summed up, floods cut and counted, nothing lost silently."""

from hypothesis import given
from hypothesis import strategies as st

from executor.domain.commands import Severity
from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from executor.runtime.alarms import Alarm
from executor.runtime.notices import AGAIN_NS, CRITICAL_PER_MIN_MAX, PER_MIN_MAX, Notices

T0 = 1_700_000_000 * NS_PER_S


def alarm(
    at_ns: int = T0, code: str = "HALT", parent_id: str = "", severity: Severity = Severity.CRITICAL
) -> Alarm:
    return Alarm(
        number=1, at_ns=at_ns, severity=severity, code=code, parent_id=parent_id, detail="what happened"
    )


def usual(least: Severity = Severity.WARNING) -> Notices:
    return Notices(least=least, name="executor a1 (live)")


def test_an_alarm_is_told_at_once_with_its_words() -> None:
    notice = usual().take(alarm(parent_id="P1"))
    assert notice is not None
    assert notice.title == "executor a1 (live): CRITICAL HALT P1"
    assert "what happened" in notice.text
    assert "2023-11-14T22:13:20" in notice.text


def test_what_is_less_than_asked_for_is_not_told() -> None:
    assert usual().take(alarm(severity=Severity.INFO)) is None
    assert usual(Severity.INFO).take(alarm(severity=Severity.INFO)) is not None
    assert usual(Severity.CRITICAL).take(alarm(severity=Severity.WARNING)) is None


def test_the_same_again_is_counted_and_told_once_at_the_end() -> None:
    notices = usual()
    assert notices.take(alarm()) is not None
    for second in (1, 2, 3):
        assert notices.take(alarm(T0 + second * NS_PER_S)) is None
    assert notices.due(T0 + AGAIN_NS - 1) == []
    (told,) = notices.due(T0 + AGAIN_NS)
    assert "3 more of the same" in told.text
    assert notices.due(T0 + 2 * AGAIN_NS) == []


def test_another_order_or_another_code_is_another_alarm() -> None:
    notices = usual()
    assert notices.take(alarm(parent_id="P1")) is not None
    assert notices.take(alarm(parent_id="P2")) is not None
    assert notices.take(alarm(parent_id="P1", code="SHORTFALL")) is not None


def test_a_flood_is_cut_and_counted() -> None:
    notices = usual()
    told = [
        notices.take(alarm(T0, parent_id=f"P{number}", severity=Severity.WARNING))
        for number in range(PER_MIN_MAX + 7)
    ]
    assert sum(one is not None for one in told) == PER_MIN_MAX
    assert notices.due(T0 + NS_PER_S) == []
    (flood,) = notices.due(T0 + NS_PER_MIN)
    assert flood.title.endswith("7 more alarms")


def test_a_flood_of_warnings_takes_no_room_from_a_halt() -> None:
    notices = usual()
    for number in range(PER_MIN_MAX + 100):
        notices.take(alarm(T0, "ORDER_REJECTED", f"P{number}", Severity.WARNING))
    assert notices.take(alarm(T0)) is not None
    critical = [notices.take(alarm(T0, "OVER_FILL", f"P{number}")) for number in range(100)]
    assert sum(one is not None for one in critical) < CRITICAL_PER_MIN_MAX, "a flood of halts is one, too"


def test_what_has_grown_worse_is_told_again() -> None:
    notices = usual()
    assert notices.take(alarm(severity=Severity.WARNING)) is not None
    assert notices.take(alarm()) is not None
    assert notices.take(alarm()) is None


def test_a_halt_after_a_person_has_rearmed_is_news() -> None:
    notices = usual()
    assert notices.take(alarm()) is not None
    assert notices.take(alarm(T0 + NS_PER_S)) is None
    assert notices.take(alarm(T0 + 2 * NS_PER_S, "REARMED", severity=Severity.INFO)) is None
    again = notices.take(alarm(T0 + 3 * NS_PER_S))
    assert again is not None
    assert "1 more of the same" in again.text


@given(
    st.lists(
        st.tuples(st.integers(0, 3_600), st.sampled_from("ABC"), st.sampled_from(["", "P1", "P2"])),
        max_size=80,
    )
)
def test_every_alarm_is_told_counted_in_a_later_one_or_counted_in_a_flood(
    raised: list[tuple[int, str, str]],
) -> None:
    notices = usual()
    told = again = held = 0
    for second, code, parent_id in sorted(raised):
        at_ns = T0 + second * NS_PER_S
        for owed in notices.due(at_ns):
            again += int(owed.text.split("\n")[-2].split()[0]) if "more of the same" in owed.text else 0
            held += int(owed.text.split()[0]) if owed.code == "FLOOD" else 0
        notice = notices.take(alarm(at_ns, code, parent_id))
        if notice is not None:
            told += 1
            again += int(notice.text.split("\n")[-2].split()[0]) if "more of the same" in notice.text else 0
    for minute in range(1, 30):
        for owed in notices.due(T0 + 3_600 * NS_PER_S + minute * NS_PER_MIN):
            again += int(owed.text.split("\n")[-2].split()[0]) if "more of the same" in owed.text else 0
            held += int(owed.text.split()[0]) if owed.code == "FLOOD" else 0
    assert told + again + held == len(raised)
