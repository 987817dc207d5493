"""The sentinel's loop: look, judge, and when the daemon has fallen or the stop is pulled, cancel everything.

It polls two small files and writes two: its own heartbeat, which the daemon listens for, and the latch file. It
never opens the database. What it has already done survives a restart of its own in its heartbeat file, so that it
cancels once for each pull of the stop and leaves alone what a person orders by hand afterwards.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from pathlib import Path
from typing import Final

from executor.domain.ports import Log
from executor.sentinel.elsewhere import VenueSweep
from executor.sentinel.judge import Judgement, Sighting, Verdict, judge
from executor.sentinel.sweep import Sweep
from executor.sentinel.venue import SweepVenue
from executor.watch.durable import replace_file
from executor.watch.halt_file import Halt, name_orders, new_halt, read_halt, write_halt
from executor.watch.heartbeat import (
    DAEMON_NAME,
    SENTINEL_NAME,
    Heartbeat,
    HeartbeatFile,
    Life,
    Unreadable,
    process_lives,
    read_heartbeat,
    this_boot,
)

OPERATOR: Final = "sentinel"
METRICS_NAME: Final = "sentinel.prom"
LOOK_EVERY_S: Final = 0.25
OWN_STOP_S: Final = 1.0
"""Between two looks, seconds: whatever held this process up for longer may have held up the daemon as well."""
BEAT_EVERY_S: Final = 1.0
NEVER_SEEN_S_MAX: Final = 60.0
_BROKEN_PAUSE_S: Final = 1.0
_NS_PER_S: Final = 1_000_000_000
_SWEPT: Final = "swept"
_FALLEN: Final = "fallen"
_UNREADABLE: Final = "unreadable"


class Ending(Enum):
    """How a sentinel ends."""

    STOPPED = "it was asked to end"
    DAEMON_ENDED = "its daemon ended as it should"
    DAEMON_FELL = "its daemon fell, and everything is cancelled"
    UNFINISHED = "it was asked to end while orders could be open"


class Watcher:
    """One sentinel.

    Parameters
    ----------
    silence_s_max
        Silence of the daemon at which everything is cancelled, seconds.
    open_venue
        Makes a connection to the account.
    confirm_s
        See `Sweep`.
    ends_with_daemon
        Whether it ends when its daemon has ended, or has fallen and nothing is open any more.
    now_text
        The present for people, UTC.
    algorithms
        See `Sweep`.
    elsewhere
        Makes a sweep of each other venue.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        silence_s_max: float,
        open_venue: Callable[[], AbstractAsyncContextManager[SweepVenue]],
        confirm_s: float,
        ends_with_daemon: bool,
        now_text: Callable[[], str],
        log: Log,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        algorithms: bool = False,
        elsewhere: Callable[[], Sequence[VenueSweep]] = tuple,
    ) -> None:
        self._algorithms = algorithms
        self._elsewhere = elsewhere
        self._data_dir = data_dir
        self._silence_s_max = silence_s_max
        self._open_venue = open_venue
        self._confirm_s = confirm_s
        self._ends_with_daemon = ends_with_daemon
        self._now_text = now_text
        self._log = log
        self._mono_ns = mono_ns
        self._boot_id = this_boot()
        self._file = HeartbeatFile(data_dir / SENTINEL_NAME, boot_id=self._boot_id, mono_ns=mono_ns)
        self._began_ns = self._awake_ns = self._looked_ns = mono_ns()
        self._stood_still = False
        self._beaten_ns = 0
        self._beat: Heartbeat | None = None
        self._is_there = False
        self._verdict: Verdict | None = None
        self._swept_id = ""
        self._fallen_key = ""
        self._was_latched = True
        self._sweep: asyncio.Task[None] | None = None
        self._sweeping_id = ""
        self._swept_count = 0
        self._told_unwritable = ""

    async def run(self, stop: asyncio.Event) -> Ending:
        """Watch until asked to end, or until there is nothing left to watch."""
        self._remember()
        self._log(
            "watching: everything is cancelled when the daemon is silent for too long",
            silence_s_max=self._silence_s_max,
            data_dir=str(self._data_dir),
        )
        ending = Ending.STOPPED
        try:
            while not stop.is_set():
                over = self.look()
                if over is not None:
                    ending = over
                    break
                await _wait_for(stop, LOOK_EVERY_S)
            if ending is Ending.STOPPED and self._is_sweeping:
                ending = Ending.UNFINISHED
        finally:
            if self._sweep is not None:
                self._sweep.cancel()
                await asyncio.gather(self._sweep, return_exceptions=True)
            self._last_word(ending)
        self._log(
            f"the sentinel ends: {ending.value}", level="error" if ending is Ending.UNFINISHED else "info"
        )
        return ending

    def look(self) -> Ending | None:
        """Look once: judge, act, beat; gives how to end, if it is time to."""
        now_ns = self._mono_ns()
        self._notice_own_stop(now_ns)
        self._looked_ns = now_ns
        self._read_daemon()
        halt = read_halt(self._data_dir)
        self._notice_rearm(halt, now_ns)
        judgement = self._judge()
        self._tell(judgement)
        if judgement.verdict is Verdict.FALLEN and self._key != self._fallen_key:
            halt = self._fall(judgement, halt)
        elif halt is not None and halt.halt_id != self._swept_id and not self._is_sweeping:
            self._log("the stop is pulled", level="warning", operator=halt.operator, reason=halt.reason)
            self._begin(halt)
        elif halt is None and self._is_sweeping and judgement.verdict is Verdict.BEATING:
            self._log("a person re-armed: the sweep ends before its last proof", level="warning")
            self._drop_sweep()
        self._beat_own(now_ns, judgement)
        return self._over(judgement, halt)

    @property
    def _is_sweeping(self) -> bool:
        return self._sweep is not None and not self._sweep.done()

    @property
    def _key(self) -> str:
        """Names the last beat of the daemon: it falls once after each."""
        beat = self._beat
        return _UNREADABLE if beat is None else f"{beat.boot_id} {beat.start_id} {beat.count}"

    @property
    def _facts(self) -> dict[str, str]:
        """What a sentinel after this one must know: work that is not finished does not count as done."""
        return {_SWEPT: self._swept_id, _FALLEN: "" if self._is_sweeping else self._fallen_key}

    def _notice_own_stop(self, now_ns: int) -> None:
        """A stop of this process is no silence of the daemon's, which may have been stopped too.

        Only one between ordinary looks is excused, and not wholly: a machine that stops this process again and again
        must not keep it from ever noticing a fall.
        """
        gap_ns = now_ns - self._looked_ns
        stood_still_before, self._stood_still = self._stood_still, gap_ns > OWN_STOP_S * _NS_PER_S
        if stood_still_before or not self._stood_still:
            return
        excused_ns = gap_ns - int(LOOK_EVERY_S * _NS_PER_S)
        beat = self._beat
        heard_ns = beat.mono_ns if beat is not None and beat.boot_id == self._boot_id else 0
        self._awake_ns = min(max(self._awake_ns, heard_ns), self._looked_ns) + excused_ns
        self._log(
            f"the sentinel itself stood still for {gap_ns / _NS_PER_S:.1f} s, which is no silence of the daemon's",
            level="warning",
        )

    def _notice_rearm(self, halt: Halt | None, now_ns: int) -> None:
        """Listen anew when the latch is gone while no beat could ever be read: such silence has no beat to name it.

        So does a sentinel that starts and finds no latch, because a person may have re-armed before it came.
        """
        if halt is None and self._was_latched and self._fallen_key == _UNREADABLE:
            self._fallen_key = ""
            self._awake_ns = now_ns
        self._was_latched = halt is not None

    def _read_daemon(self) -> None:
        try:
            beat = read_heartbeat(self._data_dir / DAEMON_NAME)
        except Unreadable:
            self._is_there = True
            return
        if beat is not None:
            self._is_there = True
            if self._beat is not None and beat.start_id != self._beat.start_id:
                self._log("another daemon is watched now", pid=beat.pid)
            self._beat = beat

    def _judge(self) -> Judgement:
        seen = Sighting(
            beat=self._beat,
            is_there=self._is_there,
            lives=self._beat is not None and process_lives(self._beat.pid),
            boot_id=self._boot_id,
            now_ns=self._mono_ns(),
            awake_ns=self._awake_ns,
        )
        return judge(seen, self._silence_s_max)

    def _tell(self, judgement: Judgement) -> None:
        if judgement.verdict is not self._verdict:
            self._verdict = judgement.verdict
            fallen = judgement.verdict is Verdict.FALLEN
            self._log(f"{judgement.verdict.value}: {judgement.reason}", level="error" if fallen else "info")

    def _fall(self, judgement: Judgement, halt: Halt | None) -> Halt:
        """Pull the stop for a fallen daemon, unless it is pulled already, and cancel in either case."""
        self._fallen_key = self._key
        if halt is None:
            halt = new_halt(self._now_text(), OPERATOR, judgement.reason)
            self._write_halt(halt)
        if not self._is_sweeping:
            self._begin(halt)
        return halt

    def _write_halt(self, halt: Halt) -> None:
        """Write the latch file; if that fails everything is cancelled all the same."""
        try:
            write_halt(self._data_dir, halt)
        except OSError as error:
            if str(error) != self._told_unwritable:
                self._told_unwritable = str(error)
                self._log("the latch file cannot be written", level="error", error=str(error))

    def _begin(self, halt: Halt) -> None:
        self._sweeping_id = halt.halt_id
        self._sweep = asyncio.get_running_loop().create_task(self._cancel_everything(halt))

    async def _cancel_everything(self, halt: Halt) -> None:
        while True:
            async with self._open_venue() as venue:
                sweep = Sweep(venue, self._log, confirm_s=self._confirm_s, algorithms=self._algorithms)
                sweeps: tuple[Sweep | VenueSweep, ...] = (sweep, *self._elsewhere())
                try:
                    async with asyncio.TaskGroup() as group:
                        for each in sweeps:
                            group.create_task(each.run())
                    await sweep.describe()
                    break
                except Exception as error:  # noqa: BLE001 - whatever it is, giving up would leave orders open
                    self._log(
                        "the sweep broke off; beginning it again",
                        level="error",
                        error=f"{type(error).__name__}: {error}",
                    )
                    await asyncio.sleep(_BROKEN_PAUSE_S)
        self._swept_id = halt.halt_id
        found = [text for each in sweeps for text in each.found.values()]
        self._swept_count = len(found)
        try:
            name_orders(self._data_dir, halt.halt_id, found)
        except OSError as error:
            self._log(
                "the names of the orders cannot be added to the latch file", level="warning", error=str(error)
            )

    def _drop_sweep(self) -> None:
        assert self._sweep is not None
        self._sweep.cancel()
        self._swept_id = self._sweeping_id

    def _beat_own(self, now_ns: int, judgement: Judgement) -> None:
        if self._sweep is not None and self._sweep.done() and not self._sweep.cancelled():
            self._sweep.result()  # an error that could not be answered must end the sentinel, not be forgotten
        if now_ns - self._beaten_ns < BEAT_EVERY_S * _NS_PER_S and self._beaten_ns:
            return
        detail = "cancelling" if self._is_sweeping else judgement.reason
        try:
            self._beaten_ns = self._file.write(Life.RUNNING, detail, self._facts)
            replace_file(self._data_dir / METRICS_NAME, self._metrics(), durable=False)
            self._told_unwritable = ""
        except OSError as error:
            if str(error) != self._told_unwritable:
                self._told_unwritable = str(error)
                self._log("the sentinel's heartbeat cannot be written", level="error", error=str(error))

    def _metrics(self) -> bytes:
        """The sentinel's own figures in Prometheus' text form, for a textfile collector."""
        rows = (
            ("up", "The sentinel is running.", 1),
            (
                "daemon_fallen",
                "The daemon fell silent or ended as it should not.",
                self._verdict is Verdict.FALLEN,
            ),
            ("sweeping", "Everything is being cancelled.", self._is_sweeping),
            ("orders_cancelled", "Orders found by the last finished sweep.", self._swept_count),
        )
        lines = []
        for name, text, value in rows:
            full = f"executor_sentinel_{name}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} gauge", f"{full} {int(value)}"]
        return ("\n".join(lines) + "\n").encode("ascii")

    def _over(self, judgement: Judgement, halt: Halt | None) -> Ending | None:
        """Say whether a sentinel that lives with its daemon has done its work."""
        if not self._ends_with_daemon or self._is_sweeping:
            return None
        if halt is not None and halt.halt_id != self._swept_id:
            return None
        match judgement.verdict:
            case Verdict.ENDED:
                return Ending.DAEMON_ENDED
            case Verdict.FALLEN:
                beat = self._beat
                hangs = beat is not None and beat.boot_id == self._boot_id and process_lives(beat.pid)
                return None if hangs else Ending.DAEMON_FELL
            case Verdict.NEVER_SEEN:
                waited_s = (self._mono_ns() - self._began_ns) / _NS_PER_S
                return Ending.STOPPED if waited_s > NEVER_SEEN_S_MAX else None
            case Verdict.BEATING:
                return None

    def _remember(self) -> None:
        """Take over from the sentinel before this one what it had already done."""
        try:
            before = read_heartbeat(self._data_dir / SENTINEL_NAME)
        except Unreadable:
            before = None
        if before is not None:
            self._swept_id = before.facts.get(_SWEPT, "")
            self._fallen_key = before.facts.get(_FALLEN, "")

    def _last_word(self, ending: Ending) -> None:
        try:
            self._file.write(Life.ENDED, ending.value, self._facts)
            (self._data_dir / METRICS_NAME).unlink(missing_ok=True)
        except OSError as error:
            self._log("the sentinel's last heartbeat cannot be written", level="warning", error=str(error))
        self._file.close()


async def _wait_for(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
