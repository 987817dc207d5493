"""What somebody wrote, before it means anything: the text of a value, how it was written, and where.

Two sources are read here: TOML files and environment variables. A file holds `[section]` headers and one
`key = value` per line; that is a small part of TOML on purpose, so that every value has a line to point at.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from config.problems import Problem, place, quoted

ENV_PREFIX: Final = "EXECUTOR_"
FILE_BYTES_MAX: Final = 262_144
LISTED_MAX: Final = 12
MULTI_LINE: Final = ('"""', "'''")
OTHER_ENV: Final = (
    "EXECUTOR_PROFILE",
    "EXECUTOR_LIVE_CONFIRM",
    "EXECUTOR_TOKEN_FILE",
    "EXECUTOR_CONTROL_URL",
    "EXECUTOR_REAL_DATA",
    "EXECUTOR_MARKET_DATA",
    "EXECUTOR_TRADES_URL",
    "EXECUTOR_BOOKS_URL",
    "EXECUTOR_CAMPAIGN",
    "EXECUTOR_ADVISER_API_KEY",
)
"""Names that begin like settings and are something else: they choose, confirm or point, but set no value."""

_HEADER: Final = re.compile(r"\A\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(?:#.*)?\Z")
_PAIR: Final = re.compile(r"\A\s*([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*\Z")
_POSITION: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)\Z")


class Form(StrEnum):
    """How a value was written."""

    STRING = "string"
    BARE = "bare"
    ENV = "environment"
    LIST = "list"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One value as it was written.

    Parameters
    ----------
    items
        What a list of texts holds; empty for every other form.
    """

    text: str
    form: Form
    where: str
    items: tuple[str, ...] = ()


Layer = dict[str, dict[str, Written]]
"""Section, key, value."""


def read_file(path: Path) -> tuple[Layer, list[Problem]]:
    """Read one configuration file; its values, and everything that is wrong with its form."""
    text = _read_text(path)
    if isinstance(text, Problem):
        return {}, [text]
    try:
        document = tomllib.loads(text, parse_float=str)
    except RecursionError:
        return {}, [_syntax(f"{path}:1", "values nested too deeply")]
    except ValueError as error:
        return {}, [_syntax_at(path, text, str(error))]
    return _layer(path, text, document)


def read_environment(environ: Mapping[str, str], keys: Iterable[str]) -> tuple[Layer, list[Problem]]:
    """Read the settings that environment variables give; `keys` are the known `section.key` names."""
    names = {f"{ENV_PREFIX}{key.replace('.', '__').upper()}": key for key in keys}
    layer: Layer = {}
    problems: list[Problem] = []
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or name in OTHER_ENV:
            continue
        if name in names:
            section, key = names[name].split(".")
            layer.setdefault(section, {})[key] = Written(
                text=environ[name], form=Form.ENV, where=f"environment {name}"
            )
        else:
            problems.append(
                Problem(
                    code="CONFIG_ENV_UNKNOWN",
                    where=f"environment {quoted(name)}",
                    got="a value for a setting that does not exist",
                    allowed=nearest(name.upper(), (*names, *OTHER_ENV)),
                    next_step="unset it, or correct its name",
                )
            )
    return layer, problems


def nearest(
    name: str, known: Iterable[str], otherwise: str = "a name of docs/reference/configuration.md"
) -> str:
    """Say which known name comes closest, or list them all if they are few; `otherwise` says where they all are."""
    import difflib  # noqa: PLC0415 - only needed when something is misspelt

    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not close and len(names) <= LISTED_MAX:
        return f"one of {', '.join(names)}"
    return f"nearest name: {close[0]}" if close else f"{otherwise}; none is like this one"


def _read_text(path: Path) -> str | Problem:
    """Read a file as text, or say in one line why it cannot be."""
    try:
        with path.open("rb") as source:
            raw = source.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = "a directory" if path.is_dir() else (error.strerror or "an unreadable file")
        return _unreadable(path, reason)
    except ValueError:
        return _unreadable(path, "a path with a NUL character")
    fault = _fault(raw)
    return raw.decode("utf-8") if fault is None else _unreadable(path, fault)


def _fault(raw: bytes) -> str | None:
    """Say what keeps bytes from being our kind of text; None if nothing does."""
    if len(raw) > FILE_BYTES_MAX:
        return f"more than {FILE_BYTES_MAX} bytes"
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "a byte order mark at the start"
    if b"\x00" in raw:
        return f"a NUL byte at offset {raw.index(0)}"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"bytes that are not UTF-8 at offset {error.start}"
    return None


def _unreadable(path: Path, reason: str) -> Problem:
    return Problem(
        code="CONFIG_READ",
        where=place(path),
        got=reason,
        allowed="a readable TOML file in UTF-8 without byte order mark",
        next_step="check the path and its permissions, or save the file as plain UTF-8",
    )


def _syntax(where: str, reason: str) -> Problem:
    return Problem(
        code="CONFIG_SYNTAX",
        where=where,
        got=reason,
        allowed="TOML: [section] headers and one `key = value` per line, each key once",
        next_step="correct that line",
    )


def _syntax_at(path: Path, text: str, message: str) -> Problem:
    """Turn the parser's message into a place; the line itself is not shown, it might hold a secret."""
    position = _POSITION.search(message)
    reason = _POSITION.sub("", message)
    if position is not None and position[1]:
        where = f"{path}:{position[1]} column {position[2]}"
    else:
        lines = text.splitlines() or [""]
        where = f"{path}:{len(lines)} column {len(lines[-1]) + 1}"
    if reason.startswith(("Cannot overwrite", "Cannot declare")):
        reason = f"a key or section that was already given ({reason})"
    return _syntax(where, quoted(reason))


def _pairs(text: str) -> Iterator[tuple[str, str, str, int]]:
    """Find section, key, value text and line number of every line that gives a value."""
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            section = header[1]
            continue
        pair = _PAIR.match(line)
        if pair is not None:
            yield section, pair[1], pair[2], number


def _layer(path: Path, text: str, document: dict[str, object]) -> tuple[Layer, list[Problem]]:
    """Join what the parser understood with the lines it stands on."""
    layer: Layer = {}
    problems: list[Problem] = []
    lines: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for section, key, value, number in _pairs(text):
        lines.setdefault((section, key), []).append((value, number))
    for section, table in document.items():
        if not isinstance(table, dict):
            number = lines.get(("", section), [("", 1)])[0][1]
            problems.append(_syntax(f"{path}:{number}", f"key {quoted(section)} outside a [section]"))
            continue
        for key, value in table.items():
            found = lines.get((section, key), [])
            if len(found) != 1 or found[0][0].startswith(MULTI_LINE):
                problems.append(
                    _syntax(str(path), f"{quoted(f'{section}.{key}')} not written as one `key = value` line")
                )
                continue
            raw, number = found[0]
            layer.setdefault(section, {})[key] = _written(value, raw, f"{path}:{number}")
        layer.setdefault(section, {})
    return layer, problems


def _written(value: object, raw: str, where: str) -> Written:
    """Keep the text that stands in the file, so that `1_000` or `1e3` is seen as it was written."""
    bare = raw.split("#", 1)[0].strip()
    match value:
        case bool():
            return Written(text=bare, form=Form.BARE, where=where)
        case str() if raw[:1] in {'"', "'"}:
            return Written(text=value, form=Form.STRING, where=where)
        case str() | int():
            return Written(text=bare, form=Form.BARE, where=where)
        case list() if all(isinstance(item, str) for item in value):
            return Written(
                text=json.dumps(value, ensure_ascii=False), form=Form.LIST, where=where, items=tuple(value)
            )
        case _:
            return Written(text=bare, form=Form.OTHER, where=where)
