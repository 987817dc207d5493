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
UNREADABLE_ID: Final = "unreadable"


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
    try:
        raw = read_small(halt_path(data_dir), FILE_BYTES_MAX)
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
                return _unreadable("another form")
    except (OSError, ValueError, RecursionError) as error:
        return _unreadable(f"{type(error).__name__}: {error}")


def remove_halt(data_dir: Path, halt_id: str) -> bool:
    """Remove the latch file if it is still this pull of the stop; tells whether none is left."""
    halt = read_halt(data_dir)
    if halt is not None and halt.halt_id == halt_id:
        halt_path(data_dir).unlink(missing_ok=True)
        sync_directory(data_dir)
        return True
    return halt is None


def _unreadable(why: str) -> Halt:
    reason = f"{NAME} is there and cannot be read ({why[:200]})"
    return Halt(halt_id=UNREADABLE_ID, at="", operator="unknown", reason=reason)
