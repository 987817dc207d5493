"""Whether daemon and sentinel are heard: their heartbeats, judged for people who ask why nothing answers."""

import time
from pathlib import Path
from typing import Final

from executor.watch.heartbeat import (
    DAEMON_NAME,
    Heartbeat,
    Life,
    Unreadable,
    process_lives,
    read_heartbeat,
    this_boot,
)

SENTINEL_SILENCE_S_MAX: Final = 10.0
DAEMON_SILENCE_S_MAX: Final = 3.0
"""Six beats of a daemon that works; the sentinel waits longer, because it acts."""
START_S_MAX: Final = 30.0
"""A start reads the journal and compares clocks before the loop beats, seconds."""
_NS_PER_S: Final = 1_000_000_000


def why_silent(beat: Heartbeat | None, boot_id: str, now_mono_ns: int) -> str:
    """Why a sentinel does not count as alive; empty if it does."""
    if beat is None:
        return "never heard"
    if beat.boot_id != boot_id:
        return "not heard since this machine started"
    if beat.life in {Life.ENDED, Life.FAILED}:
        return f"it has ended ({beat.life.value})"
    age_s = (now_mono_ns - beat.mono_ns) / _NS_PER_S
    return "" if age_s <= SENTINEL_SILENCE_S_MAX else f"not heard for {age_s:.0f} s"


def why_hung(beat: Heartbeat | None, pid: int, boot_id: str, now_mono_ns: int) -> str:
    """Why the daemon of a process id stands still although its process is there; empty if nothing says so.

    Parameters
    ----------
    beat
        The last beat in the data directory; one of another process or boot says nothing about this daemon.
    """
    if beat is None or beat.pid != pid or beat.boot_id != boot_id:
        return ""
    if beat.life not in {Life.STARTING, Life.RUNNING}:
        return ""
    age_s = (now_mono_ns - beat.mono_ns) / _NS_PER_S
    limit_s = START_S_MAX if beat.life is Life.STARTING else DAEMON_SILENCE_S_MAX
    return "" if age_s <= limit_s else f"its last heartbeat was {age_s:.0f} s ago: it hangs or is stopped"


def standstill(data_dir: Path, pid: int) -> str:
    """Read the daemon's heartbeat and say why it counts as hung; empty if it does not, or if its process is gone."""
    if not process_lives(pid):
        return ""
    try:
        beat = read_heartbeat(data_dir / DAEMON_NAME)
    except Unreadable:
        return ""
    return why_hung(beat, pid, this_boot(), time.monotonic_ns())
