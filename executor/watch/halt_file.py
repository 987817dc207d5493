"""The latch file: the stop, written down where daemon, sentinel and `executor kill` see it without each other.

While it lies in the data directory nothing is opened. Whoever pulls the stop writes it before anything else;
only a running daemon removes it, when a person has re-armed. A stop that is pulled again keeps the pulls before it:
who was first, and which orders each of them found, is what a person wants to know afterwards.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from executor.watch.durable import read_small, replace_file, sync_directory

NAME: Final = "halt.json"
FILE_BYTES_MAX: Final = 1_048_576
TEXT_CHARS_MAX: Final = 500
ORDERS_MAX: Final = 200
ORDER_CHARS_MAX: Final = 160
EARLIER_MAX: Final = 9
"""Pulls that are kept beside the newest; of more than that the first stays, and the newest of the others."""
LOCK_S_MAX: Final = 1.0
"""A writer that was stopped while it held the lock must not hold up a stop, seconds."""
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
    earlier
        The pulls before this one that nobody has cleared, the first one first.
    """

    halt_id: str
    at: str
    operator: str
    reason: str
    orders: tuple[str, ...] = ()
    earlier: tuple["Halt", ...] = ()

    @property
    def first(self) -> "Halt":
        """Who stopped first, and why."""
        return self.earlier[0] if self.earlier else self

    @property
    def told(self) -> str:
        """Why everything is stopped, for people: the first reason, and who pulled the stop last."""
        if not self.earlier:
            return self.reason
        between = len(self.earlier) - 1
        again = f"{between} more, the last by {self.operator}" if between else self.operator
        return f"{self.first.reason}; then {again}: {self.reason}"


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
    """Pull the stop: write the latch file, durably; a stop that is pulled already keeps its pulls beside this one.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with _alone(data_dir):
        present = _read(halt_path(data_dir))
        before = () if present is None else (*present.earlier, replace(present, earlier=()))
        if len(before) > EARLIER_MAX:
            before = (before[0], *before[1 - EARLIER_MAX :])
        _write(data_dir, replace(halt, earlier=before))


def name_orders(data_dir: Path, halt_id: str, orders: Iterable[str]) -> bool:
    """Add the orders that were found to the pull for which they were cancelled; tells whether it is still there.

    Orders that another process has named for the same pull stay named.

    Raises
    ------
    OSError
        If the file cannot be written; what was in it is untouched.
    """
    named = tuple(orders)

    def add(halt: Halt) -> Halt:
        if halt.halt_id != halt_id:
            return halt
        return replace(halt, orders=tuple(dict.fromkeys((*halt.orders, *named))))

    with _alone(data_dir):
        present = _read(halt_path(data_dir))
        if present is None or halt_id not in {each.halt_id for each in (present, *present.earlier)}:
            return False
        _write(data_dir, replace(add(present), earlier=tuple(map(add, present.earlier))))
        return True


def read_halt(data_dir: Path) -> Halt | None:
    """Read the latch file; None only if there is none. A file that says nothing readable is a stop all the same."""
    return _read(halt_path(data_dir))


def remove_halt(data_dir: Path, halt_id: str) -> bool:
    """Remove the latch file if it is still this pull of the stop; tells whether none is left.

    It is first given a name of our own and read under that one: a stop pulled at this very moment is put back.
    A newer pull stays, without those that are cleared.

    Raises
    ------
    OSError
        If it cannot be removed; it is where it was.
    """
    with _alone(data_dir):
        return _remove(data_dir, halt_id)


def _remove(data_dir: Path, halt_id: str) -> bool:
    path = halt_path(data_dir)
    present = _read(path)
    if present is None:
        return True
    if present.halt_id != halt_id:
        _forget(data_dir, present, halt_id)
        return False
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
    if not removed:
        newer = _read(path)
        if newer is not None:
            _forget(data_dir, newer, halt_id)
    sync_directory(data_dir)
    return removed and not os.path.lexists(path)


def _forget(data_dir: Path, present: Halt, halt_id: str) -> None:
    """Take a pull that a person has cleared, and those before it, out of a stop that was pulled again."""
    ids = [each.halt_id for each in present.earlier]
    if halt_id in ids:
        _write(data_dir, replace(present, earlier=present.earlier[ids.index(halt_id) + 1 :]))


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


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Keep the other writers of the latch file out while it is read and written anew, by a lock on its directory.

    Without the lock the work goes on after `LOCK_S_MAX`: a stop matters more than a name in it.
    """
    try:
        handle = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        end_s = time.monotonic() + LOCK_S_MAX
        while not _locked(handle) and time.monotonic() < end_s:
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _write(data_dir: Path, halt: Halt) -> None:
    body = {**_shortened(halt), "earlier": [_shortened(each) for each in halt.earlier]}
    replace_file(halt_path(data_dir), json.dumps(body, indent=1).encode("ascii"), durable=True)


def _shortened(halt: Halt) -> dict[str, object]:
    body = asdict(halt)
    del body["earlier"]
    orders = [order.encode("ascii", "replace").decode() for order in halt.orders[:ORDERS_MAX]]
    return body | {"orders": [order[:ORDER_CHARS_MAX] for order in orders]}


def _read(path: Path) -> Halt | None:
    try:
        raw = read_small(path, FILE_BYTES_MAX)
        if raw is None:
            return None
        body = json.loads(raw)
        halt = _halt_of(body)
        earlier = body.get("earlier", []) if isinstance(body, dict) else []
        pulls = tuple(map(_halt_of, earlier)) if isinstance(earlier, list) else (None,)
        if halt is None or None in pulls:
            return _unreadable(path, "another form")
        return replace(halt, earlier=tuple(each for each in pulls if each is not None))
    except (OSError, ValueError, RecursionError) as error:
        return _unreadable(path, f"{type(error).__name__}: {error}")


def _halt_of(body: object) -> Halt | None:
    match body:
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
            return None


def _unreadable(path: Path, why: str) -> Halt:
    try:
        entry = path.lstat()
        which = f"{entry.st_ino}-{entry.st_mtime_ns}"
    except OSError:
        which = "unknown"
    reason = f"{NAME} is there and cannot be read ({why[:200]})"
    return Halt(halt_id=f"{UNREADABLE}-{which}", at="", operator="unknown", reason=reason)
