"""One call out of the tape, for whoever wants to read what was asked and what came back.

A tape grows by some kilobytes with each question and is asked for what is young, so it is read from its end, and no
further back than `SEARCHED_BYTES_MAX`.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from executor.adviser.tape import LINE_BYTES_MAX, Line, TapeError, read_line

SEARCHED_BYTES_MAX: Final = 256 * 1024 * 1024
_STEP_BYTES: Final = 262_144


def past_call(
    path: Path, parent_id: str, decision_id: str, searched_bytes_max: int = SEARCHED_BYTES_MAX
) -> Line | None:
    """Find the latest call about a decision; None if the tape has none. Reads a file: not for the event loop.

    Parameters
    ----------
    searched_bytes_max
        How far back from the end of the tape is read, bytes.

    Raises
    ------
    TapeError
        If the tape cannot be read, or the line found is not whole.
    """
    mark = f'"decision_id":{json.dumps(decision_id)}'.encode("ascii")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise TapeError(f"{path}: {error.strerror}") from error
    try:
        for raw in _lines_from_end(handle, searched_bytes_max):
            if mark not in raw:
                continue
            found = read_line(raw, str(path))
            if isinstance(found, Line) and (found.decision_id, found.parent_id) == (decision_id, parent_id):
                return found
    except OSError as error:
        raise TapeError(f"{path}: {error.strerror}") from error
    finally:
        os.close(handle)
    return None


def _lines_from_end(handle: int, most: int) -> Iterator[bytes]:
    """Whole lines, the last first; what is after the last line feed is still being written and left out."""
    end = os.fstat(handle).st_size
    least = max(end - most, 0)
    rest, is_last = b"", True
    while end > least:
        begin = max(least, end - _STEP_BYTES)
        parts = (os.pread(handle, end - begin, begin) + rest).split(b"\n")
        rest, end = parts[0], begin
        if len(rest) > LINE_BYTES_MAX:
            return
        whole = parts[1:-1] if is_last else parts[1:]
        is_last = is_last and len(parts) == 1
        yield from reversed(whole)
    if least == 0 and not is_last:
        yield rest
