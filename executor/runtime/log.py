"""What the daemon says: one line per fact on standard error, for people or for machines. Never a secret."""

import json
import sys
from collections.abc import Callable
from typing import Final, TextIO

from executor.domain.timeline import iso_utc

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LineLog:
    """Writes lines of a level and above; a closed or full output never stops the daemon.

    Parameters
    ----------
    as_json
        One JSON object per line instead of text.
    """

    def __init__(
        self, now_ns: Callable[[], int], level: str, *, as_json: bool, output: TextIO | None = None
    ) -> None:
        self._now_ns = now_ns
        self._least = LEVELS[level]
        self._as_json = as_json
        self._output = output or sys.stderr
        self.lost = 0

    def __call__(self, message: str, **fields: object) -> None:
        """Write one line at level `info`, or at the level named by the field `level`."""
        level = str(fields.pop("level", "info"))
        if LEVELS.get(level, LEVELS["error"]) < self._least:
            return
        stamp = iso_utc(self._now_ns())
        if self._as_json:
            line = json.dumps({"at": stamp, "level": level, "message": message, **fields}, default=str)
        else:
            details = " ".join(f"{name}={_plain(value)}" for name, value in fields.items())
            line = f"{stamp} {level.upper():7} {_plain(message)} {details}".rstrip()
        try:
            self._output.write(f"{line}\n")
            self._output.flush()
        except (OSError, ValueError):
            self.lost += 1


def _plain(value: object) -> str:
    """Show a value on one line, without control characters."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in str(value))
