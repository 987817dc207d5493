"""An order in doubt for more than half a minute is told as critical: once, and within seconds."""

import asyncio
from types import SimpleNamespace

import pytest

from executor.app.doubts import LOOK_S, DoubtWatch
from executor.domain.commands import AlertCode, Severity
from executor.domain.order_state import ChildStatus
from executor.domain.timeline import NS_PER_S
from executor.runtime.alarms import Alarms
from executor.runtime.long_doubts import DOUBT_S_MAX, LongDoubts
from executor.runtime.telemetry import Telemetry
from tests.engine.one_child import OneChild


@pytest.fixture
def rig():
    """A rig with one order whose request was not answered."""
    rig = OneChild()
    rig.doubted()
    assert rig.only.status is ChildStatus.UNKNOWN
    assert rig.alerts().count("OUTCOME_UNKNOWN") == 1, "the doubt itself is told at once"
    return rig


def at(seconds):
    return (1_000 + seconds) * NS_PER_S


def test_a_doubt_that_lasts_is_told_once_and_never_before_its_time(rig):
    doubts, state = LongDoubts(), rig.engine.state
    assert doubts.look(state, at(0)) == []
    assert doubts.look(state, at(DOUBT_S_MAX)) == []
    (alarm,) = doubts.look(state, at(DOUBT_S_MAX + 1))
    assert (alarm.severity, alarm.code) == (Severity.CRITICAL, AlertCode.OUTCOME_UNKNOWN)
    assert alarm.parent_id == rig.only.order.parent_id
    assert f"{rig.only.order.client_order_id} has been in doubt for 31 s" in alarm.detail
    assert doubts.look(state, at(300)) == []


def test_the_next_doubt_of_the_same_order_counts_from_its_own_beginning(rig):
    doubts, state = LongDoubts(), rig.engine.state
    doubts.look(state, at(0))
    assert doubts.look(state, at(40))
    rig.only.status = ChildStatus.NEW
    assert doubts.look(state, at(41)) == []
    rig.only.status = ChildStatus.UNKNOWN
    assert doubts.look(state, at(42)) == []
    assert doubts.look(state, at(72)) == []
    assert len(doubts.look(state, at(73))) == 1


async def test_the_daemon_looks_often_enough_and_boards_people_and_metrics_have_it(rig):
    alarms, logged, told = Alarms(), [], []
    alarms.tell(told.append)
    runtime = SimpleNamespace(
        engine=rig.engine, alarms=alarms, telemetry=Telemetry(lambda: rig.engine.state, lambda: int(at(0)))
    )
    times = iter([at(0), at(DOUBT_S_MAX + LOOK_S)])
    looked = asyncio.Event()

    def now_ns():
        value = next(times, None)
        if value is None:
            looked.set()
            return at(DOUBT_S_MAX + 5)
        return int(value)

    watch = DoubtWatch(lambda: runtime, now_ns, lambda text, **more: logged.append((text, more)))
    task = asyncio.create_task(watch.run(lambda _event: None))
    async with asyncio.timeout(60):
        await looked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert LOOK_S <= 4, "with the second in which notices go out, people know within five"
    assert [(one.code, one.severity) for one in told] == [("OUTCOME_UNKNOWN", Severity.CRITICAL)]
    assert alarms.latest[-1].at_ns == int(at(DOUBT_S_MAX + LOOK_S))
    assert [more["level"] for _, more in logged] == ["error"]
