"""When the daemon counts as fallen: every rule, with times as plain numbers."""

import pytest

from executor.sentinel.judge import START_S_MAX, Sighting, Verdict, judge
from executor.watch.heartbeat import Heartbeat, Life

S = 1_000_000_000
SILENCE_S = 8.0


def beat(**over):
    usual = dict(boot_id="b", pid=7, start_id="7-1", count=3, mono_ns=100 * S, life=Life.RUNNING, detail="")
    return Heartbeat(**{**usual, **over})


def seen(**over):
    usual = dict(beat=beat(), is_there=True, lives=True, boot_id="b", now_ns=101 * S, awake_ns=0)
    return Sighting(**{**usual, **over})


def verdict(**over):
    return judge(seen(**over), SILENCE_S).verdict


@pytest.mark.parametrize(
    ("now_s", "expected"),
    [(100, Verdict.BEATING), (108, Verdict.BEATING), (108.001, Verdict.FALLEN), (900, Verdict.FALLEN)],
)
def test_silence_is_counted_from_the_last_beat(now_s, expected):
    assert verdict(now_ns=int(now_s * S)) is expected


@pytest.mark.parametrize("lives", [True, False])
def test_a_process_that_is_gone_has_the_same_time_to_come_back(lives):
    assert verdict(lives=lives, now_ns=107 * S) is Verdict.BEATING
    fallen = judge(seen(lives=lives, now_ns=109 * S), SILENCE_S)
    assert fallen.verdict is Verdict.FALLEN
    assert ("stands still" in fallen.reason) is lives
    assert ("is gone" in fallen.reason) is not lives


def test_a_sentinel_that_has_just_woken_up_listens_first():
    assert verdict(now_ns=500 * S, awake_ns=495 * S) is Verdict.BEATING
    assert verdict(now_ns=504 * S, awake_ns=495 * S) is Verdict.FALLEN


def test_a_clean_end_is_calm_for_ever_and_an_unclean_one_is_not_waited_for():
    assert verdict(beat=beat(life=Life.ENDED), lives=False, now_ns=10**6 * S) is Verdict.ENDED
    assert verdict(beat=beat(life=Life.FAILED, detail="JournalError: disk"), now_ns=100 * S) is Verdict.FALLEN


def test_an_end_in_another_boot_counts_as_well():
    assert verdict(beat=beat(life=Life.ENDED, boot_id="a"), now_ns=1 * S) is Verdict.ENDED


def test_a_beat_of_another_boot_means_a_daemon_that_lost_its_power():
    """Its stamp says nothing: it may lie far ahead of this boot's clock."""
    old = beat(boot_id="a", mono_ns=10**6 * S)
    assert verdict(beat=old, now_ns=7 * S, lives=True) is Verdict.BEATING
    assert verdict(beat=old, now_ns=9 * S, lives=True) is Verdict.FALLEN


def test_a_starting_daemon_has_more_time_as_long_as_it_lives():
    starting = beat(life=Life.STARTING)
    assert verdict(beat=starting, now_ns=int((100 + START_S_MAX) * S)) is Verdict.BEATING
    assert verdict(beat=starting, now_ns=int((100.1 + START_S_MAX) * S)) is Verdict.FALLEN
    assert verdict(beat=starting, now_ns=109 * S, lives=False) is Verdict.FALLEN
    assert judge(seen(beat=starting, now_ns=150 * S), 60.0).verdict is Verdict.BEATING


def test_no_daemon_at_all_is_nothing_to_act_upon():
    assert verdict(beat=None, is_there=False, lives=False, now_ns=10**6 * S) is Verdict.NEVER_SEEN


def test_a_heartbeat_that_cannot_be_read_is_doubt_and_doubt_cancels():
    assert verdict(beat=None, now_ns=8 * S) is Verdict.BEATING
    assert verdict(beat=None, now_ns=9 * S) is Verdict.FALLEN


def test_a_stamp_ahead_of_the_clock_is_no_silence():
    assert verdict(beat=beat(mono_ns=200 * S)) is Verdict.BEATING
