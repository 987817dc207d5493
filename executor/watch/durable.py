"""Small files that are seen whole or not at all, and that survive a loss of power once they were written."""

import os
import time
from pathlib import Path
from typing import Final

MODE: Final = 0o600


def replace_file(path: Path, content: bytes, *, durable: bool) -> None:
    """Put a file in the place of another one in a single step.

    Parameters
    ----------
    durable
        Whether the content and its name are on the disk when this returns.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    try:
        with os.fdopen(handle, "wb") as output:
            output.write(content)
            output.flush()
            if durable:
                os.fsync(output.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Bring the names of a directory onto the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_small(path: Path, bytes_max: int) -> bytes | None:
    """Read a regular file; None if there is none.

    Raises
    ------
    OSError
        If it is there and cannot be read, is a link, or is longer than `bytes_max`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as source:
        content = source.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise OSError(f"{path} is longer than {bytes_max} bytes")
    return content
