"""One daemon per data directory and per account: operating-system locks that end with the process.

A data directory is locked by a file in it. A key is locked before anything is asked, by a file in the directory for
temporary files; but an account can have many keys, and two processes two such directories. So as soon as the venue has
said whose the key is, the account itself is locked: by a name in the kernel's own space of socket names, which all
processes of the machine share, whatever their user, directories and mounts are. Only a network namespace of its own,
such as a container's, has names of its own.
"""

import errno
import fcntl
import hashlib
import os
import socket
import struct
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from executor.domain.errors import AlreadyRunning, ConfigError

_WAITING_MAX: Final = 128
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of the other end of a local socket, `SO_PEERCRED` of unix(7)."""


def key_lock_path(venue_url: str, api_key: str) -> Path:
    """The lock file of a key: the same for every data directory of this user with the same temporary directory."""
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


class AccountLock:
    """Holds an account of a venue on this machine; a second holder is told who has it.

    Parameters
    ----------
    venue_url
        Address of the venue; the same number elsewhere is another account.
    user_id
        The venue's number of the account.
    """

    def __init__(self, venue_url: str, user_id: str) -> None:
        self._host = urlsplit(venue_url).netloc.lower()
        self._user_id = user_id
        digest = hashlib.sha256(f"{self._host}\n{user_id}".encode()).hexdigest()[:32]
        self._name = f"\0bybit-executor-{digest}"
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Take the account.

        Raises
        ------
        AlreadyRunning
            If another process has it; the message names its pid.
        ConfigError
            If this machine does not let the name be taken.
        """
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind(self._name)
            held.listen(_WAITING_MAX)
        except OSError as error:
            held.close()
            if error.errno == errno.EADDRINUSE:
                raise AlreadyRunning(
                    f"{self._holder()} works account {self._user_id} of {self._host} already, with this key or another"
                ) from None
            raise ConfigError(f"account {self._user_id} cannot be locked: {error.strerror}") from error
        self._socket = held
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        if self._socket is not None:
            self._socket.close()

    def _holder(self) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.setblocking(False)
            try:
                asking.connect(self._name)
                raw = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            except OSError:  # it has just let go, or too many have asked
                return "another process"
        pid = _CREDENTIALS.unpack(raw)[0]
        return f"pid {pid}" if pid else "a process of another container"
