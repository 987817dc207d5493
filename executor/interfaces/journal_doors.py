"""The route that pages through the journal, and how a row of it is shown."""

import asyncio
from collections.abc import Mapping

import msgspec
from aiohttp import web
from multidict import MultiMapping

from config.problems import quoted
from executor.domain.errors import JournalError
from executor.domain.orders import client_order_id
from executor.domain.timeline import iso_utc
from executor.engine.state import EngineState
from executor.interfaces.answers import refusal
from executor.interfaces.control import Control
from executor.interfaces.journal_body import JournalQuery
from executor.interfaces.models import read_body
from executor.interfaces.remedies import ANSWER_REMEDY
from executor.runtime.integrity import Link
from executor.runtime.journal_page import JournalPage

Json = dict[str, object]


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
