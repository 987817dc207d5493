"""The latch file: the stop, written down where daemon, sentinel and `executor kill` see it without each other.

While it lies in the data directory nothing is opened. Whoever pulls the stop writes it before anything else;
only a running daemon removes it, when a person has re-armed.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from executor.watch.durable import read_small, replace_file, sync_directory

NAME: Final = "halt.json"
FILE_BYTES_MAX: Final = 65_536
TEXT_CHARS_MAX: Final = 500
ORDERS_MAX: Final = 200
UNREADABLE: Final = "unreadable"
"""How the id of a pull begins that left a file which says nothing; the file itself tells it from every other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """One pull of the stop.

    Parameters
    ----------
    halt_id
        Tells this pull from every other.
    at
        When, UTC, for people.
    operator
        Who pulled it: `sentinel`, `kill`, `executor`, or a person.
    orders
        Orders that were found open afterwards and cancelled, as far as they were read; at most `ORDERS_MAX` are named.
    """

    halt_id: str
    at: str
    operator: str
    reason: str
    orders: tuple[str, ...] = ()


def new_halt(at: str, operator: str, reason: str) -> Halt:
    """Make a pull of the stop with an id of its own."""
    return Halt(
        halt_id=f"{os.getpid()}-{time.monotonic_ns()}-{at}",
        at=at,
        operator=operator,
        reason=reason[:TEXT_CHARS_MAX],
    )


def halt_path(data_dir: Path) -> Path:
    """Where the latch file of a data directory lies."""
    return data_dir / NAME


def write_halt(data_dir: Path, halt: Halt) -> None:
    """Write the latch file, durably.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    body = asdict(replace(halt, orders=halt.orders[:ORDERS_MAX]))
    replace_file(halt_path(data_dir), json.dumps(body, indent=1).encode("ascii"), durable=True)


def read_halt(data_dir: Path) -> Halt | None:
    """Read the latch file; None only if there is none. A file that says nothing readable is a stop all the same."""
    return _read(halt_path(data_dir))


def remove_halt(data_dir: Path, halt_id: str) -> bool:
    """Remove the latch file if it is still this pull of the stop; tells whether none is left.

    It is first given a name of our own and read under that one: a stop pulled at this very moment is put back.

    Raises
    ------
    OSError
        If it cannot be removed; it is where it was.
    """
    path = halt_path(data_dir)
    present = _read(path)
    if present is None or present.halt_id != halt_id:
        return present is None
    aside = path.with_name(f".{NAME}.{os.getpid()}.{time.monotonic_ns()}.aside")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True
    removed = False
    try:
        taken = _read(aside)
        if taken is not None and taken.halt_id == halt_id:
            aside.unlink()
            removed = True
    finally:
        if not removed:
            _put_back(aside, path)
    sync_directory(data_dir)
    return removed and not os.path.lexists(path)


def _put_back(aside: Path, path: Path) -> None:
    """Give a latch file its name again, unless another pull has taken the place already."""
    try:
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError:
        aside.unlink(missing_ok=True)
    except OSError:  # a directory, or a file system without links
        aside.rename(path)
    else:
        aside.unlink()


def _read(path: Path) -> Halt | None:
    try:
        raw = read_small(path, FILE_BYTES_MAX)
        if raw is None:
            return None
        match json.loads(raw):
            case {
                "halt_id": str(halt_id),
                "at": str(at),
                "operator": str(operator),
                "reason": str(reason),
                "orders": list(orders),
            }:
                return Halt(
                    halt_id=halt_id,
                    at=at,
                    operator=operator[:TEXT_CHARS_MAX],
                    reason=reason[:TEXT_CHARS_MAX],
                    orders=tuple(str(order) for order in orders),
                )
            case _:
                return _unreadable(path, "another form")
    except (OSError, ValueError, RecursionError) as error:
        return _unreadable(path, f"{type(error).__name__}: {error}")


def _unreadable(path: Path, why: str) -> Halt:
    try:
        entry = path.lstat()
        which = f"{entry.st_ino}-{entry.st_mtime_ns}"
    except OSError:
        which = "unknown"
    reason = f"{NAME} is there and cannot be read ({why[:200]})"
    return Halt(halt_id=f"{UNREADABLE}-{which}", at="", operator="unknown", reason=reason)
