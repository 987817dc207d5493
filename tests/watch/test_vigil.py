"""The daemon's side of the watch, with a clock of the test's own."""

import pytest

from executor.domain.events import HaltRequested, SentinelChanged
from executor.watch.halt_file import new_halt, read_halt, write_halt
from executor.watch.heartbeat import (
    DAEMON_NAME,
    SENTINEL_NAME,
    HeartbeatFile,
    Life,
    read_heartbeat,
    this_boot,
)
from executor.watch.vigil import Vigil

S = 1_000_000_000


class Rig:
    def __init__(self, home):
        self.home, self.now_ns, self.lines = home, 1_000 * S, []
        self.vigil = self.new()
        self.sentinel = HeartbeatFile(home / SENTINEL_NAME, boot_id=this_boot(), mono_ns=lambda: self.now_ns)

    def new(self):
        return Vigil(
            self.home,
            silence_s_max=8.0,
            now_text=lambda: "now",
            log=lambda message, **_: self.lines.append(message),
            mono_ns=lambda: self.now_ns,
        )

    def beat(self, seconds=1.0, *, latched=False, reason=""):
        self.now_ns += int(seconds * S)
        return self.vigil.beat(latched=latched, reason=reason)

    @property
    def heard(self):
        return read_heartbeat(self.home / DAEMON_NAME)


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    rig.vigil.end(clean=True, detail="")
    rig.sentinel.close()


def test_it_starts_beats_and_ends(rig):
    rig.vigil.start()
    assert rig.heard.life is Life.STARTING
    assert rig.beat() == []
    assert (rig.heard.life, rig.heard.mono_ns) == (Life.RUNNING, rig.now_ns)
    rig.vigil.end(clean=True, detail="all done")
    assert (rig.heard.life, rig.heard.detail) == (Life.ENDED, "all done")
    rig.vigil.end(clean=False, detail="broken")
    assert rig.heard.life is Life.FAILED


def test_many_events_a_second_are_few_beats(rig):
    rig.vigil.start()
    rig.beat()
    count = rig.heard.count
    for _ in range(100):
        rig.beat(0.01)
    assert rig.heard.count - count == 4


def test_the_latch_file_is_a_halt_before_it_is_a_beat(rig):
    rig.vigil.start()
    rig.beat()
    write_halt(rig.home, new_halt("t", "sentinel", "the daemon was silent"))
    (event,) = rig.beat()
    assert event == HaltRequested(at_ns=0, request_id="", operator="sentinel", reason="the daemon was silent")
    assert rig.beat(latched=True, reason="the daemon was silent") == []
    assert read_halt(rig.home).operator == "sentinel"


def test_nothing_may_leave_while_the_latch_file_is_there_even_between_two_beats(rig):
    rig.vigil.start()
    rig.beat()
    assert rig.vigil.why_closed() == ""
    write_halt(rig.home, new_halt("t", "ann", "stop"))
    assert "halt.json" in rig.vigil.why_closed()


def test_nothing_that_was_approved_before_a_long_silence_may_leave(rig):
    rig.vigil.start()
    rig.beat()
    rig.now_ns += 4 * S
    assert rig.vigil.why_closed() == ""
    rig.now_ns += 1
    assert "stood still for 4.0 s" in rig.vigil.why_closed()
    rig.beat()
    assert rig.vigil.why_closed() == ""


def test_a_halt_of_the_daemon_writes_the_file_at_once_and_a_rearm_removes_it(rig):
    rig.vigil.start()
    rig.beat()
    assert rig.beat(0.001, latched=True, reason="looks wrong") == []
    halt = read_halt(rig.home)
    assert (halt.operator, halt.reason, halt.at) == ("executor", "looks wrong", "now")
    assert rig.beat(0.001, latched=False) == []
    assert read_halt(rig.home) is None


def test_a_stop_pulled_while_a_person_rearms_stays(rig):
    rig.vigil.start()
    rig.beat(latched=True, reason="looks wrong")
    rig.beat(latched=True, reason="looks wrong")
    later = new_halt("t", "kill", "no!")
    write_halt(rig.home, later)
    (event,) = rig.beat(0.001, latched=False)
    assert (event.operator, event.reason) == ("kill", "no!")
    assert read_halt(rig.home) == later


def test_a_daemon_that_starts_halted_has_the_file_whatever_became_of_it(rig):
    rig.vigil.start()
    rig.beat(latched=True, reason="of the day before")
    assert read_halt(rig.home).reason == "of the day before"


def test_the_sentinel_is_missed_after_ten_seconds_and_heard_again(rig):
    rig.vigil.start()
    assert rig.beat() == []
    rig.sentinel.write(Life.RUNNING)
    (event,) = rig.beat()
    assert (type(event), event.alive) == (SentinelChanged, True)
    assert rig.beat(9.0) == []
    (event,) = rig.beat(2.0)
    assert event.alive is False
    assert rig.beat() == []
    rig.sentinel.write(Life.RUNNING)
    (event,) = rig.beat()
    assert event.alive is True
    rig.sentinel.write(Life.ENDED)
    (event,) = rig.beat()
    assert event.alive is False


def test_a_sentinel_that_was_never_there_is_missed_after_ten_seconds(rig):
    rig.vigil.start()
    assert rig.beat(10.0) == []
    (event,) = rig.beat(0.5)
    assert event.alive is False


def test_a_half_written_beat_of_the_sentinel_is_not_its_death(rig):
    rig.vigil.start()
    rig.sentinel.write(Life.RUNNING)
    rig.beat()
    (rig.home / SENTINEL_NAME).write_bytes(b"{")
    assert rig.beat() == []
    (event,) = rig.beat(11.0)
    assert event.alive is False


@pytest.mark.parametrize(
    ("before", "expected"), [(None, Life.ENDED), (Life.ENDED, Life.ENDED), (Life.RUNNING, Life.STARTING)]
)
def test_a_start_that_came_to_nothing_leaves_the_verdict_about_the_last_daemon(rig, before, expected):
    if before is not None:
        file = HeartbeatFile(rig.home / DAEMON_NAME, boot_id=this_boot())
        file.write(before)
        file.close()
    rig.vigil.start()
    rig.vigil.abandon()
    assert rig.heard.life is expected


def test_a_directory_that_takes_no_files_is_told_once_and_stops_the_beat(rig):
    rig.vigil.start()
    rig.beat()
    count = rig.heard.count
    (rig.home / "halt.json").mkdir()
    (event,) = rig.beat()
    assert "cannot be read" in event.reason
    assert rig.heard.count == count + 1
