"""The heartbeat of a process: who it is, how often its heart has beaten, and when, by a clock nobody can set.

The stamp is `CLOCK_MONOTONIC`, which all processes of one boot share: a step of the wall clock changes nothing,
and a stamp of another boot is known by the boot's id. The file has one length and is overwritten in place, so
that a full disk does not stop it; a check sum tells a reader that it saw a beat half written.
"""

import json
import os
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from executor.watch.durable import MODE, read_small

DAEMON_NAME: Final = "heartbeat.json"
SENTINEL_NAME: Final = "sentinel.json"
FILE_BYTES: Final = 2_048
DETAIL_CHARS_MAX: Final = 300
_LOOKS: Final = 3
_CHECK: Final = b', "check": '
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Life(StrEnum):
    """What a process says of itself."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    ENDED = "ENDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One beat.

    Parameters
    ----------
    start_id
        Names one start of the process; another start has another one.
    count
        Number of beats since that start.
    mono_ns
        Monotonic clock at the beat, nanoseconds; means nothing in another boot.
    detail
        A sentence for people.
    facts
        What the process wants to know again after it was started anew.
    """

    boot_id: str
    pid: int
    start_id: str
    count: int
    mono_ns: int
    life: Life
    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class Unreadable(Exception):  # noqa: N818 - reads as what was found
    """A heartbeat file that is there and says nothing."""


def this_boot() -> str:
    """Name of the present boot of this machine."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def read_heartbeat(path: Path) -> Heartbeat | None:
    """Read a heartbeat; None if the file was never written.

    A reader may come in the middle of a write, which takes microseconds: it looks again at once.

    Raises
    ------
    Unreadable
        If the file is there and holds no whole beat.
    """
    for _ in range(_LOOKS - 1):
        with suppress(Unreadable):
            return _read_once(path)
    return _read_once(path)


def _read_once(path: Path) -> Heartbeat | None:
    try:
        raw = read_small(path, FILE_BYTES)
        if raw is None:
            return None
        text, _, check = raw.rstrip().rpartition(_CHECK)
        if check != b'"%08x"}' % zlib.crc32(text):
            raise Unreadable("a beat half written")
        match json.loads(text + b"}"):
            case {
                "boot_id": str(boot_id),
                "pid": int(pid),
                "start_id": str(start_id),
                "count": int(count),
                "mono_ns": int(mono_ns),
                "life": str(life),
                "detail": str(detail),
                "facts": dict(facts),
            }:
                return Heartbeat(
                    boot_id=boot_id,
                    pid=pid,
                    start_id=start_id,
                    count=count,
                    mono_ns=mono_ns,
                    life=Life(life),
                    detail=detail,
                    facts={str(name): str(value) for name, value in facts.items()},
                )
            case _:
                raise Unreadable("a beat of another form")
    except (OSError, ValueError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


class HeartbeatFile:
    """Writes the beats of this process.

    Parameters
    ----------
    mono_ns
        The monotonic clock, nanoseconds.
    """

    def __init__(self, path: Path, *, boot_id: str, mono_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._path = path
        self._boot_id = boot_id
        self._mono_ns = mono_ns
        self._handle = -1
        self._count = 0
        self._pid = os.getpid()
        self.start_id = f"{self._pid}-{mono_ns()}"

    def write(self, life: Life, detail: str = "", facts: Mapping[str, str] | None = None) -> int:
        """Beat once; gives the stamp that was written, monotonic nanoseconds.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        if self._handle < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._handle = os.open(self._path, flags, MODE)
        self._count += 1
        stamp_ns = self._mono_ns()
        beat = Heartbeat(
            boot_id=self._boot_id,
            pid=self._pid,
            start_id=self.start_id,
            count=self._count,
            mono_ns=stamp_ns,
            life=life,
            detail=detail[:DETAIL_CHARS_MAX],
            facts=facts or {},
        )
        text = json.dumps(asdict(beat)).encode("ascii").removesuffix(b"}")
        line = b'%s%s"%08x"}' % (text, _CHECK, zlib.crc32(text))
        if len(line) >= FILE_BYTES:
            raise OSError(f"a beat of {len(line)} bytes")
        os.pwrite(self._handle, line.ljust(FILE_BYTES - 1) + b"\n", 0)
        return stamp_ns

    def close(self) -> None:
        """Let the file go; what was written last stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def process_lives(pid: int) -> bool:
    """Whether a process of this id exists and has not ended; one that waits to be collected has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
