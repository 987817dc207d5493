"""Which rows of the journal somebody asks for."""

import re
from typing import Annotated, Final, get_args

from config.written import nearest
from executor.domain.events import Event
from executor.interfaces.kinds import PARENT_ID, Form, refuse
from executor.interfaces.models import Body
from executor.runtime.journal_bounds import ROWS_MAX

ROWS_USUAL: Final = 100
SEQ_MAX: Final = 2**62
KINDS: Final = tuple(sorted(kind.__name__ for kind in get_args(Event)))
_DIGITS: Final = re.compile(r"\A\d{1,19}\Z", re.ASCII)


def _digits(low: int, high: int) -> Form:
    allowed = f"a whole number from {low} to {high}"

    def read(value: object) -> int:
        if not isinstance(value, str) or not _DIGITS.match(value) or not low <= int(value) <= high:
            refuse("NUMBER", allowed, "choose a value inside the range")
        return int(value)

    return Form(read, written={"type": "integer", "minimum": low, "maximum": high})


def _read_kind(value: object) -> str:
    if not isinstance(value, str) or value not in KINDS:
        known = nearest(value, KINDS, "a kind of event") if isinstance(value, str) else "a kind of event"
        refuse("ENUM", known, "write its name exactly so; /openapi.json lists them")
    return value


def _read_parent(value: object) -> str:
    if not isinstance(value, str) or not PARENT_ID.match(value):
        refuse("PARENT", "the id of a parent order, such as P1", "list the parents with GET /v1/parents")
    return value


class JournalQuery(Body):
    """Which rows of the journal: those after a number, at most so many, of one kind, about one parent order."""

    after: Annotated[int, _digits(0, SEQ_MAX)] = 0
    limit: Annotated[int, _digits(1, ROWS_MAX)] = ROWS_USUAL
    kind: Annotated[str, Form(_read_kind, written={"type": "string", "enum": list(KINDS)})] = ""
    parent: Annotated[
        str, Form(_read_parent, written={"type": "string", "pattern": f"^{PARENT_ID.pattern[2:-2]}$"})
    ] = ""
