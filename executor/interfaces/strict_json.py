"""JSON as this executor accepts it: one object, no key twice, no NaN, nothing after it."""

import json
import re
from typing import Final, NoReturn

DEPTH_MAX: Final = 8
JSON_FORM: Final = (
    "one JSON object in UTF-8: every key once, no comments, no NaN or Infinity, nothing after it"
)


class JsonProblem(ValueError):  # noqa: N818 - it is shown as a problem
    """Why a text is not accepted.

    Parameters
    ----------
    position
        Offset in characters; None where it is the text as a whole.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        self.reason = reason
        self.position = position
        super().__init__(reason)

    @property
    def where(self) -> str:
        """The place, for people."""
        return "body" if self.position is None else f"body character {self.position}"


def read_json_object(raw: bytes) -> dict[str, object]:
    """Read one JSON object strictly.

    Raises
    ------
    JsonProblem
        With the position, where there is one.
    """
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise JsonProblem("a byte order mark", 0)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonProblem("bytes that are not UTF-8", error.start) from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _object_once(text, pairs),
            parse_constant=lambda word: _no_constant(text, word),
        )
    except JsonProblem:
        raise
    except json.JSONDecodeError as error:
        raise JsonProblem(error.msg, error.pos) from None
    except RecursionError:
        raise JsonProblem("values nested too deeply") from None
    except ValueError:
        raise JsonProblem("a number with too many digits") from None
    if not isinstance(value, dict):
        raise JsonProblem("something else than an object", 0)
    _check_text(value, 0)
    return value


def _object_once(text: str, pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise JsonProblem(f"a key twice: {json.dumps(twice)}", _second_place(text, json.dumps(twice)))
    return found


def _second_place(text: str, token: str) -> int | None:
    places = [match.start() for match in re.finditer(re.escape(token) + r"\s*:", text)]
    return places[1] if len(places) > 1 else None


def _no_constant(text: str, word: str) -> NoReturn:
    raise JsonProblem(f"{word}, which is not JSON", text.find(word))


def _check_text(value: object, depth: int) -> None:
    """Refuse deep nesting and text that cannot be written as UTF-8."""
    if depth > DEPTH_MAX:
        raise JsonProblem("values nested too deeply")
    match value:
        case str():
            if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
                raise JsonProblem("half of a surrogate pair")
        case dict():
            for key, inner in value.items():
                _check_text(key, depth + 1)
                _check_text(inner, depth + 1)
        case list():
            for inner in value:
                _check_text(inner, depth + 1)
        case _:
            pass
