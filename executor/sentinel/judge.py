"""When has the daemon fallen silent? A pure answer: all times are arguments.

The daemon is judged by its heartbeat alone, never by the venue. So a maintenance or a ban, during which the daemon
goes on beating, can never be mistaken for its death; and a daemon that dies during a maintenance is still noticed,
and what it left is cancelled as soon as the venue answers again.

Silence is counted from the last beat, but never from before the sentinel itself was awake: one that has just been
started, or that was stopped and goes on, first gives the daemon a whole time of silence in which to be heard.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from executor.watch.heartbeat import Heartbeat, Life

START_S_MAX: Final = 30.0
"""Silence allowed to a daemon that is starting, seconds: it reads its journal and compares clocks before it beats."""
_NS_PER_S: Final = 1_000_000_000


class Verdict(Enum):
    """What the sentinel believes of the daemon."""

    NEVER_SEEN = "no daemon was ever seen here"
    ENDED = "the daemon has ended as it should"
    BEATING = "the daemon is heard"
    FALLEN = "the daemon has fallen silent, or ended as it should not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and the reason in a sentence."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is known of the daemon at one moment.

    Parameters
    ----------
    beat
        The last whole beat that was read; None if there never was one.
    is_there
        Whether there is a heartbeat file, readable or not.
    lives
        Whether a process of the daemon's id exists.
    boot_id
        The present boot.
    now_ns, awake_ns
        Monotonic clock now, and when the sentinel last woke up: its start, or the end of a stop of its own.
    """

    beat: Heartbeat | None
    is_there: bool
    lives: bool
    boot_id: str
    now_ns: int
    awake_ns: int


def judge(seen: Sighting, silence_s_max: float) -> Judgement:
    """Say what has become of the daemon."""
    beat = seen.beat
    if beat is None:
        if not seen.is_there:
            return Judgement(verdict=Verdict.NEVER_SEEN, reason="no daemon has left a heartbeat here")
        return _by_silence(seen.now_ns - seen.awake_ns, silence_s_max, "its heartbeat file cannot be read")
    if beat.life is Life.ENDED:
        return Judgement(verdict=Verdict.ENDED, reason=f"the daemon (pid {beat.pid}) ended: {beat.detail}")
    if beat.life is Life.FAILED:
        return Judgement(
            verdict=Verdict.FALLEN,
            reason=f"the daemon (pid {beat.pid}) ended as it should not: {beat.detail or 'no reason given'}",
        )
    is_of_this_boot = beat.boot_id == seen.boot_id
    since_ns = max(beat.mono_ns, seen.awake_ns) if is_of_this_boot else seen.awake_ns
    limit_s = silence_s_max
    if not is_of_this_boot:
        state = "its last beat is from before this machine was started anew"
    elif not seen.lives:
        state = f"its process {beat.pid} is gone"
    elif beat.life is Life.STARTING:
        limit_s = max(silence_s_max, START_S_MAX)
        state = f"its process {beat.pid} is there and has not finished its start"
    else:
        state = f"its process {beat.pid} is there, but its order loop stands still"
    return _by_silence(seen.now_ns - since_ns, limit_s, state)


def _by_silence(silence_ns: int, limit_s: float, state: str) -> Judgement:
    silence_s = silence_ns / _NS_PER_S
    if silence_s <= limit_s:
        return Judgement(verdict=Verdict.BEATING, reason=f"last heard {max(silence_s, 0.0):.1f} s ago")
    return Judgement(verdict=Verdict.FALLEN, reason=f"the daemon was silent for {silence_s:.1f} s; {state}")
