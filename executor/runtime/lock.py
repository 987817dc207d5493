"""One daemon per data directory and per account: operating-system locks that end with the process."""

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from executor.domain.errors import AlreadyRunning, ConfigError


def account_lock_path(venue_url: str, api_key: str) -> Path:
    """The lock file of an account: the same for every data directory of this user on this machine."""
    digest = hashlib.sha256(f"{venue_url}\n{api_key}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"bybit-executor-{os.getuid()}" / f"{digest}.lock"


class ProcessLock:
    """Holds a lock file; a second holder is told who has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises
        ------
        AlreadyRunning
            If another process has it; the message names its pid.
        ConfigError
            If the file cannot be made, or is a symbolic link.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Never removed: a lock file that is deleted can be held twice.
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"the lock file {self._path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise AlreadyRunning(f"pid {holder} holds {self._path}") from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        os.close(self._handle)
