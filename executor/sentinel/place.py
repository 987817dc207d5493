"""The sentinel's place in a data directory: a lock that its process holds as long as it lives."""

import fcntl
import os
from pathlib import Path
from typing import Final

LOCK_NAME: Final = "sentinel.lock"


def sentinel_runs(data_dir: Path) -> bool:
    """Whether some process holds the sentinel's place for a data directory."""
    try:
        handle = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
