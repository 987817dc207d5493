"""The daemon's side of the watch: it beats, looks at the latch file, and listens for the sentinel.

All of it happens in the order loop, after events were worked and when a tick came through the inbox: a loop that
hangs falls silent. Each beat first looks at the latch file, so a daemon that was stopped and goes on has looked
before it says that it lives. `why_closed` is asked before every opening byte: it refuses what was approved before
a long silence, and everything while the latch file is there.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from executor.domain.events import Event, HaltRequested, SentinelChanged
from executor.domain.ports import Log
from executor.watch.halt_file import halt_path, new_halt, read_halt, remove_halt, write_halt
from executor.watch.heartbeat import (
    DAEMON_NAME,
    SENTINEL_NAME,
    Heartbeat,
    HeartbeatFile,
    Life,
    Unreadable,
    read_heartbeat,
    this_boot,
)
from executor.watch.supervisor import ALIVE, READY, STOPPING, Supervisor

BEAT_EVERY_S: Final = 0.5
"""How often a tick goes through the inbox; a beat is written at most twice as often."""
SENTINEL_SILENCE_S_MAX: Final = 10.0
OPERATOR: Final = "executor"
_NS_PER_S: Final = 1_000_000_000
_BEAT_NS_MIN: Final = _NS_PER_S // 4


class Vigil:
    """One daemon's watch over itself and its sentinel.

    Parameters
    ----------
    silence_s_max
        Silence at which the sentinel cancels everything, seconds; after half of it nothing approved before may leave.
    now_text
        The present for people, UTC.
    mono_ns
        The monotonic clock, nanoseconds.
    supervisor
        The service manager that is told of each beat; None for none.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        silence_s_max: float,
        now_text: Callable[[], str],
        log: Log,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._halt_path = halt_path(data_dir)
        self._pause_ns_max = int(silence_s_max * _NS_PER_S / 2)
        self._now_text = now_text
        self._log = log
        self._mono_ns = mono_ns
        self._supervisor = supervisor or Supervisor({})
        self._boot_id = this_boot()
        self._file = HeartbeatFile(data_dir / DAEMON_NAME, boot_id=self._boot_id, mono_ns=mono_ns)
        self._began_ns = mono_ns()
        self._beaten_ns = self._began_ns
        self._latched = False
        self._seen_id = ""
        self._sentinel_alive: bool | None = None
        self._never_ns = self._began_ns - int(2 * SENTINEL_SILENCE_S_MAX * _NS_PER_S)
        self._last_heard_ns = self._never_ns
        self._before: Heartbeat | None = None
        self._is_running = False
        self._has_ended = False
        self._told = ""

    def start(self) -> None:
        """Say that a daemon is starting.

        Raises
        ------
        OSError
            If the heartbeat file cannot be written.
        """
        try:
            self._before = read_heartbeat(self._data_dir / DAEMON_NAME)
        except Unreadable as error:
            self._before = None
            self._log("the last daemon's heartbeat is not readable", level="warning", error=str(error))
        self._file.write(Life.STARTING, "the daemon is starting")

    def beat(self, *, latched: bool, reason: str) -> list[Event]:
        """Look at the latch file, beat, and listen for the sentinel; gives what the engine must know at once.

        Parameters
        ----------
        latched, reason
            Whether the engine's stop is latched, and why.
        """
        turned = latched is not self._latched
        now_ns = self._mono_ns()
        if self._is_running and not turned and now_ns - self._beaten_ns < _BEAT_NS_MIN:
            return []
        events: list[Event] = []
        try:
            if turned:
                self._follow(latched=latched, reason=reason)
            halt = read_halt(self._data_dir)
            if halt is not None:
                self._seen_id = halt.halt_id
                if not latched:
                    events.append(
                        HaltRequested(at_ns=0, request_id="", operator=halt.first.operator, reason=halt.told)
                    )
            self._beaten_ns = self._file.write(Life.RUNNING, "halted" if latched else "")
            self._supervisor.tell(*((ALIVE,) if self._is_running else (READY, ALIVE)))
            self._is_running = True
            self._told = ""
        except OSError as error:
            self._tell_once(f"the heartbeat or the latch file cannot be written: {error}")
        return events + self._listen(now_ns)

    def why_closed(self) -> str:
        """Why nothing may be opened at this moment; empty if it may."""
        silence_ns = self._mono_ns() - self._beaten_ns
        if silence_ns > self._pause_ns_max:
            return f"the order loop stood still for {silence_ns / _NS_PER_S:.1f} s"
        if self._halt_path.exists() or self._halt_path.is_symlink():
            return f"{self._halt_path.name} is there"
        return ""

    def end(self, *, clean: bool, detail: str) -> None:
        """Beat a last time: say that the daemon has ended, and whether as it should."""
        self._supervisor.tell(STOPPING)
        self._last_word(Life.ENDED if clean else Life.FAILED, detail)

    def abandon(self) -> None:
        """Say that this start came to nothing: the daemon before it counts again.

        If that one ended as it should, or there was none, nothing needs to be cancelled; otherwise the silence goes on.
        """
        if (
            not self._is_running
            and not self._has_ended
            and (self._before is None or self._before.life is Life.ENDED)
        ):
            self._last_word(Life.ENDED, "a start that came to nothing")
        else:
            self._file.close()

    @property
    def sentinel_alive(self) -> bool:
        """Whether the sentinel was heard when last listened for."""
        return self._sentinel_alive is True

    def _last_word(self, life: Life, detail: str) -> None:
        self._has_ended = True
        try:
            self._file.write(life, detail)
        except OSError as error:
            self._tell_once(f"the last heartbeat cannot be written: {error}")
        self._file.close()

    def _follow(self, *, latched: bool, reason: str) -> None:
        """Write the file after a halt of the daemon's own, or take it away after a person re-armed."""
        if latched and read_halt(self._data_dir) is None:
            halt = new_halt(self._now_text(), OPERATOR, reason)
            write_halt(self._data_dir, halt)
            self._seen_id = halt.halt_id
        if not latched and remove_halt(self._data_dir, self._seen_id):
            self._log("the latch file is removed", path=str(self._halt_path))
        self._latched = latched

    def _listen(self, now_ns: int) -> list[Event]:
        """Tell when the sentinel is heard, and when it has been silent for too long."""
        silence_ns = now_ns - self._heard_ns()
        alive = silence_ns <= SENTINEL_SILENCE_S_MAX * _NS_PER_S
        if alive is self._sentinel_alive:
            return []
        waiting_ns = now_ns - self._began_ns
        if not alive and self._sentinel_alive is None and waiting_ns <= SENTINEL_SILENCE_S_MAX * _NS_PER_S:
            return []
        self._sentinel_alive = alive
        if alive:
            return [SentinelChanged(at_ns=0, alive=True, detail="the sentinel is heard")]
        detail = f"the sentinel was not heard for more than {SENTINEL_SILENCE_S_MAX:g} s"
        return [SentinelChanged(at_ns=0, alive=False, detail=detail)]

    def _heard_ns(self) -> int:
        """Stamp of the sentinel's last beat; long ago if it never beat in this boot, or says that it has ended."""
        try:
            heard = read_heartbeat(self._data_dir / SENTINEL_NAME)
        except Unreadable:
            return self._last_heard_ns
        if heard is None or heard.boot_id != self._boot_id or heard.life is not Life.RUNNING:
            return self._never_ns
        self._last_heard_ns = heard.mono_ns
        return heard.mono_ns

    def _tell_once(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._log(text, level="error")
