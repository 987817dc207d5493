"""The route that pages through the journal, and how a row of it is shown."""

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Final, get_args

import msgspec
from aiohttp import web
from multidict import MultiMapping

from config.problems import quoted
from config.written import nearest
from executor.domain.errors import JournalError
from executor.domain.events import Event
from executor.domain.orders import client_order_id
from executor.domain.timeline import iso_utc
from executor.engine.state import EngineState
from executor.interfaces.answers import refusal
from executor.interfaces.control import Control
from executor.interfaces.kinds import PARENT_ID, Form, refuse
from executor.interfaces.models import Body, read_body
from executor.interfaces.remedies import ANSWER_REMEDY
from executor.runtime.integrity import Link
from executor.runtime.journal_page import ROWS_MAX, JournalPage

ROWS_USUAL: Final = 100
SEQ_MAX: Final = 2**62
KINDS: Final = tuple(sorted(kind.__name__ for kind in get_args(Event)))
_DIGITS: Final = re.compile(r"\A\d{1,19}\Z", re.ASCII)
Json = dict[str, object]


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


class JournalDoors:
    """The handler."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._one_reads = asyncio.Lock()

    def table(self) -> list[web.RouteDef]:
        """Give all routes."""
        return [web.get("/v1/journal", self.journal)]

    async def journal(self, request: web.Request) -> web.Response:
        """Page through the journal: every event as it was worked, the commands it caused, and the hash of the row."""
        wanted = read_body(JournalQuery, _once_each(request.query), lambda field: f"query {field}")
        try:
            async with self._one_reads:
                told = await asyncio.to_thread(self._read, wanted)
        except JournalError:  # its words hold a path: the next commit says in the log what is wrong with it
            raise refusal(
                503,
                "JOURNAL",
                request.path,
                "the journal cannot be read just now",
                "a journal that can be read beside the daemon",
                "ask again; if it stays, read the log of the daemon and run `executor audit` on a copy",
                {"Retry-After": "1"},
            ) from None
        return web.Response(body=told, content_type="application/json")

    def _read(self, wanted: JournalQuery) -> bytes:
        names = names_of(self._control.state, wanted.parent) if wanted.parent else ()
        page = self._control.journal_page(
            after=wanted.after, limit=wanted.limit, kind=wanted.kind, names=names
        )
        return msgspec.json.encode(page_view(page))


def _once_each(query: MultiMapping[str]) -> dict[str, object]:
    """Take a query in which nothing is said twice."""
    for name in query:
        if len(query.getall(name)) > 1:
            raise refusal(
                400, "FIELD", f"query {quoted(name)}", "more than one", "each once", "remove all but one"
            )
    return dict(query)


def names_of(state: EngineState, parent_id: str) -> tuple[str, ...]:
    """How the journal names a parent order: by its id, and by what its child orders' ids begin with.

    Raises
    ------
    ApiRefusal
        404 if there is no such parent.
    """
    parent = state.parents.get(parent_id)
    if parent is None:
        raise refusal(404, "PARENT", "query parent", quoted(parent_id), *ANSWER_REMEDY["PARENT"])
    first = client_order_id(state.instance, parent.order.parent_no, 1)
    return parent_id, f"{first.rpartition('-')[0]}-"


def page_view(page: JournalPage) -> Json:
    """Show a page; `next_after` is the `after` of the next one, and `at_end` says that there is none yet."""
    return {
        "rows": [_row(link) for link in page.rows],
        "next_after": page.next_after,
        "at_end": page.next_after >= page.head,
        "head": page.head,
    }


def _row(link: Link) -> Mapping[str, object]:
    commands = msgspec.json.decode(link.commands, type=list[tuple[str, msgspec.Raw]])
    return {
        "seq": link.seq,
        "at": {"utc": iso_utc(link.at_ns), "ns": link.at_ns},
        "kind": link.kind,
        "event": msgspec.Raw(link.event),
        "commands": [{"kind": kind, "command": body} for kind, body in commands],
        "hash": link.hash.hex(),
    }
