"""A basket as a CSV file: the header names fields of an order, each line is one order, an empty cell is usual."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final, get_args

from config.curves import USUAL_CURVES, curve_fields, find_curve
from config.problems import ConfigProblems, Problem, printable, quoted
from config.written import nearest
from executor.interfaces.basket_body import ORDERS_MAX, read_orders
from executor.interfaces.client import Json
from executor.interfaces.command_words import in_command_words
from executor.interfaces.kinds import DURATION, INSTANT
from executor.interfaces.models import SubmitBody

FILE_BYTES_MAX: Final = 1_000_000
_REQUIRED: Final = tuple(name for name, field in SubmitBody.model_fields.items() if field.is_required())
_BOM: Final = b"\xef\xbb\xbf"
_OTHER_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_FLAGS: Final = {"true": True, "false": False}
_COUNT_DIGITS_MAX: Final = 20
"""More than any count of an order may have; Python itself refuses to read some thousands."""
_NEW_FILE: Final = "save it as CSV in UTF-8, fields parted by commas or semicolons"


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketFile:
    """A file that was read, and where in it everything stands.

    Parameters
    ----------
    orders
        As a request carries them.
    lines
        Line of each order, from 1.
    columns
        Column of each field, from 1.
    sha256
        Of the file as it is: the same file is the same intent.
    """

    path: Path
    orders: tuple[Json, ...]
    lines: tuple[int, ...]
    columns: dict[str, int]
    sha256: str

    def where(self, number: int, field: str = "") -> str:
        """Name the place of an order, or of a field of it."""
        place = _line(self.path, self.lines[number])
        if field in self.columns:
            return _cell(place, self.columns[field], field)
        return f"{place} ({field})" if field else place

    def summary(self) -> dict[str, object]:
        """Say what the file holds, for a check: how many orders, and what each symbol comes to, by side."""
        sums: dict[tuple[str, str], Decimal] = {}
        for order in self.orders:
            key = str(order["symbol"]), str(order["side"])
            sums[key] = sums.get(key, Decimal(0)) + Decimal(str(order["qty"]))
        return {
            "file": str(self.path),
            "orders": len(self.orders),
            "symbols": [
                {"symbol": symbol, "side": side, "qty": str(qty)} for (symbol, side), qty in sums.items()
            ],
        }


def read_basket(path: Path) -> BasketFile:
    """Read a file and check every order of it.

    Raises
    ------
    ConfigProblems
        With every problem of every line: where it stands, what is wrong and how to mend it.
    """
    raw = _read_bytes(path)
    rows = _rows(path, _read_text(path, raw))
    if not rows:
        raise ConfigProblems([_problem(_line(path, 1), "no header", "a header line", f"name {_required()}")])
    header_line, header = rows[0]
    problems = _header_problems(path, header_line, header)
    if problems:
        raise ConfigProblems(problems)
    orders, lines = [], []
    for line, cells in rows[1:]:
        order, found = _order(path, line, header, cells)
        problems += found
        orders.append(order)
        lines.append(line)
    if not 1 <= len(orders) <= ORDERS_MAX:
        allowed = f"1 to {ORDERS_MAX} lines with orders below the header"
        problems.append(_problem(_line(path, header_line), f"{len(orders)} orders", allowed, "part the file"))
    columns = {name: at for at, name in enumerate(header, start=1)}
    found_file = BasketFile(
        path=path,
        orders=tuple(orders),
        lines=tuple(lines),
        columns=columns,
        sha256=hashlib.sha256(raw).hexdigest(),
    )
    _check_orders(found_file, problems)
    return found_file


def _check_orders(file: BasketFile, problems: list[Problem]) -> None:
    """Hold the orders against the form of a request; a line whose cells could not be read has told that already."""
    told = {_rank(file, problem)[0] for problem in problems}
    try:
        read_orders(file.orders, file.where)
    except ConfigProblems as error:
        found = [_in_cells(each) for each in error.problems if _rank(file, each)[0] not in told]
        problems = [*problems, *found]
    if problems:
        raise ConfigProblems(sorted(problems, key=lambda each: _rank(file, each)))


def _rank(file: BasketFile, problem: Problem) -> tuple[int, str]:
    words = problem.where.removeprefix(f"{printable(str(file.path))}:").split(" ")
    return (int(words[0]) if words[0].isdigit() else 0, problem.where)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        got = quoted(error.strerror or type(error).__name__)
        raise ConfigProblems(
            [_problem(printable(str(path)), got, "a file to read", "correct the path")]
        ) from None
    if len(raw) > FILE_BYTES_MAX:
        allowed = f"a file of at most {FILE_BYTES_MAX} bytes"
        raise ConfigProblems([_problem(printable(str(path)), "a larger file", allowed, "part the file")])
    return raw


def _read_text(path: Path, raw: bytes) -> str:
    if raw.startswith(_OTHER_BOMS):
        raise ConfigProblems([_problem(_line(path, 1), "text in UTF-16", "text in UTF-8", _NEW_FILE)])
    plain = raw.removeprefix(_BOM)
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError as error:
        line = plain[: error.start].count(b"\n") + 1
        raise ConfigProblems(
            [_problem(_line(path, line), "bytes that are not UTF-8", "text in UTF-8", _NEW_FILE)]
        ) from None


def _rows(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """Cells of every line that is neither empty nor a remark, with its number; the header says what parts them."""
    found: list[tuple[int, list[str]]] = []
    problems = []
    delimiter = ","
    for line, written in enumerate(text.splitlines(), start=1):
        if not written.strip(" ,;\t") or written.lstrip().startswith("#"):
            continue
        if not found:
            delimiter = ";" if ";" in written and "," not in written else ","
        try:
            (cells,) = csv.reader([written], delimiter=delimiter, strict=True)
        except csv.Error as error:
            allowed = "one line for each order, with quotes that are closed on it"
            problems.append(_problem(_line(path, line), quoted(str(error)), allowed, "correct the quotes"))
            continue
        found.append((line, [cell.strip() for cell in cells]))
    if problems:
        raise ConfigProblems(problems)
    return found


def _header_problems(path: Path, line: int, header: Sequence[str]) -> list[Problem]:
    problems = []
    fields = SubmitBody.model_fields
    for at, name in enumerate(header, start=1):
        where = f"{_line(path, line)} column {at}"
        if name not in fields:
            got = f"the column {quoted(name)}"
            allowed = nearest(name, fields, "an option of `executor submit`, with underscores")
            problems.append(_problem(where, got, allowed, "correct its name or remove it"))
        elif name in header[: at - 1]:
            problems.append(_problem(where, f"the column {name} again", "each column once", "remove it"))
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        got = f"no column {', '.join(missing)}"
        problems.append(_problem(_line(path, line), got, f"a header with {_required()}", "add it"))
    return problems


def _order(path: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> tuple[Json, list[Problem]]:
    """Turn the cells of a line into what a request carries."""
    if len(cells) != len(header):
        got = f"{len(cells)} cells"
        allowed = f"{len(header)} cells, as many as the header has columns"
        step = "add or remove cells; a comma within a cell needs quotes around it"
        return {}, [_problem(_line(path, line), got, allowed, step)]
    order: Json = {}
    problems = []
    for at, (name, cell) in enumerate(zip(header, cells, strict=True), start=1):
        if not cell:
            continue
        try:
            order[name] = _value(name, cell)
        except ConfigProblems as error:
            where = _cell(_line(path, line), at, name)
            problems += [_problem(where, each.got, each.allowed, each.next_step) for each in error.problems]
    return order, problems


def _value(name: str, cell: str) -> object:
    """Read a cell as the kind that its field has in a request."""
    if name == "curve":
        return curve_fields(find_curve(cell, USUAL_CURVES))
    field = SubmitBody.model_fields[name]
    kinds = get_args(field.annotation) or (field.annotation,)
    if bool in kinds:
        return _FLAGS.get(cell, cell)
    counts = int in kinds and not {id(DURATION), id(INSTANT)} & {id(each) for each in field.metadata}
    plain = cell.isascii() and cell.isdigit() and len(cell) <= _COUNT_DIGITS_MAX
    return int(cell) if counts and plain else cell


def _required() -> str:
    return f"{', '.join(_REQUIRED)}, and duration or deadline"


def _in_cells(problem: Problem) -> Problem:
    """Say a problem of a request in the words of somebody who wrote cells."""
    said = in_command_words(problem)
    return replace(problem, allowed=said.allowed, next_step=said.next_step)


def _cell(place: str, column: int, field: str) -> str:
    return f"{place} column {column} ({field})"


def _line(path: Path, line: int) -> str:
    return f"{printable(str(path))}:{line}"


def _problem(where: str, got: str, allowed: str, next_step: str) -> Problem:
    return Problem(code="BASKET_FILE", where=where, got=got, allowed=allowed, next_step=next_step)
