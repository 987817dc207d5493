"""The board's routes: the page itself, the way in, and what is shown, as it stands and as it changes."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import msgspec
from aiohttp import hdrs, web
from pydantic import BeforeValidator

from executor.engine.state import ParentState
from executor.interfaces.answers import refusal
from executor.interfaces.board_access import CODE_S_MAX, BoardAccess, Scope
from executor.interfaces.board_trail import Trails
from executor.interfaces.board_views import detail, overview
from executor.interfaces.control import Control
from executor.interfaces.guard import BODY, SCOPE
from executor.interfaces.kinds import FLAG, refuse
from executor.interfaces.models import Body, EmptyBody, read_body

EVERY_S: Final = 1.0
"""Between two pictures that a viewer is sent."""
WRITE_S_MAX: Final = 30.0
"""A viewer that takes nothing for so long is cut off: it holds a place."""
VIEWERS_MAX: Final = 64
"""Streams at once; those who only look have half of them."""
FOLDER: Final = Path(__file__).parent / "board"
FILES: Final = {
    "board.css": "text/css",
    "board.js": "text/javascript",
    "charts.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_CODE: Final = re.compile(r"\A[A-Za-z0-9_-]{1,100}\Z", re.ASCII)


def _read_code(value: object) -> str:
    if not isinstance(value, str) or not _CODE.match(value):
        refuse("CODE", "the code as `executor board` printed it", "open the address that it printed")
    return value


class CodeBody(Body):
    """What is asked for a code: whether its holder may only look."""

    read_only: Annotated[bool, FLAG] = False


class SessionBody(Body):
    """What a browser hands in."""

    code: Annotated[str, BeforeValidator(_read_code)]


class Pictures:
    """What is shown, made once a second for all who look, and only while somebody does."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.trails = Trails()
        self._made: dict[str, bytes] = {}
        self._turn = asyncio.Condition()
        self._ended = False
        self.viewers = 0

    async def run(self) -> None:
        """Take points for the charts, and tell viewers that there is a new picture, once a second."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.trails.sample(self._control.state, self._control.now_ns())
            await self._next()

    async def end(self) -> None:
        """Let every viewer go."""
        self._ended = True
        await self._next()

    def overview(self, scope: Scope) -> bytes:
        """The picture of everything, for those who may do this."""
        return self._once(f"/{scope}", lambda: overview(self._control, scope.value))

    def detail(self, parent: ParentState) -> bytes:
        """The picture of one order."""
        return self._once(parent.order.parent_id, lambda: detail(self._control, parent, self.trails))

    async def turns(self) -> AsyncIterator[None]:
        """Once at once, then whenever there is a new picture; ends with the daemon."""
        while not self._ended:
            yield
            async with self._turn:
                await self._turn.wait()

    async def _next(self) -> None:
        self._made.clear()
        async with self._turn:
            self._turn.notify_all()

    def _once(self, name: str, make: Callable[[], object]) -> bytes:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = msgspec.json.encode(make())
        return made


class BoardDoors:
    """The handlers of the board.

    Parameters
    ----------
    known
        Finds the parent order that a request names, or refuses.
    """

    def __init__(
        self, control: Control, access: BoardAccess, known: Callable[[web.Request], ParentState]
    ) -> None:
        self._access = access
        self._known = known
        self._pictures = Pictures(control)

    def table(self) -> list[web.RouteDef]:
        """Give all routes."""
        return [
            web.get("/", self.front),
            web.get("/board", self.page),
            *(web.get(f"/board/{name}", self.file) for name in FILES),
            web.post("/board/session", self.session),
            web.post("/v1/board/codes", self.code),
            web.post("/v1/board/leave", self.leave),
            web.get("/v1/board", self.overview),
            web.get("/v1/board/{parent_id}", self.detail),
            web.get("/v1/stream", self.stream),
            web.get("/v1/stream/{parent_id}", self.stream_one),
        ]

    def attach(self, app: web.Application) -> None:
        """Take pictures while the application runs."""

        async def while_it_runs(_app: web.Application) -> AsyncIterator[None]:
            task = asyncio.create_task(self._pictures.run())
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        async def let_go(_app: web.Application) -> None:
            await self._pictures.end()

        app.cleanup_ctx.append(while_it_runs)
        app.on_shutdown.append(let_go)

    async def front(self, _request: web.Request) -> web.Response:
        """Send a browser that was given the bare address to the page."""
        return web.Response(status=302, headers={hdrs.LOCATION: "/board"} | HEADERS)

    async def page(self, _request: web.Request) -> web.Response:
        """Give the page; it holds no data and no secret."""
        return web.Response(
            body=_read("board.html"), content_type="text/html", charset="utf-8", headers=HEADERS
        )

    async def file(self, request: web.Request) -> web.Response:
        """Give one of the files of the page."""
        name = request.path.rpartition("/")[2]
        return web.Response(body=_read(name), content_type=FILES[name], charset="utf-8", headers=HEADERS)

    async def session(self, request: web.Request) -> web.Response:
        """Take a code and give the token of a session."""
        body = read_body(SessionBody, request[BODY])
        found = self._access.redeem(body.code)
        if found is None:
            raise refusal(
                401,
                "CODE",
                "code",
                "a code that is unknown, used or too old",
                f"a code that was not used yet and is younger than {CODE_S_MAX / 60:g} minutes",
                "run `executor board` again and open the address that it prints",
            )
        token, scope = found
        return web.json_response({"token": token, "access": scope.value})

    async def code(self, request: web.Request) -> web.Response:
        """Make a code that lets one browser in."""
        body = read_body(CodeBody, request[BODY])
        scope = Scope.READ if body.read_only else Scope.OPERATE
        return web.json_response({"code": self._access.new_code(scope), "good_for_s": CODE_S_MAX}, status=201)

    async def leave(self, request: web.Request) -> web.Response:
        """End the session that asks."""
        read_body(EmptyBody, request[BODY])
        self._access.end(_token_of(request))
        return web.json_response({"left": True})

    async def overview(self, request: web.Request) -> web.Response:
        """Show everything once."""
        return web.Response(body=self._pictures.overview(request[SCOPE]), content_type="application/json")

    async def detail(self, request: web.Request) -> web.Response:
        """Show one order once."""
        return web.Response(body=self._pictures.detail(self._known(request)), content_type="application/json")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Show everything as it changes: server-sent events, one picture a second."""
        return await self._stream(request, lambda: self._pictures.overview(request[SCOPE]))

    async def stream_one(self, request: web.Request) -> web.StreamResponse:
        """Show one order as it changes."""
        parent = self._known(request)
        return await self._stream(request, lambda: self._pictures.detail(parent))

    async def _stream(self, request: web.Request, picture: Callable[[], bytes]) -> web.StreamResponse:
        """Send pictures until viewer or daemon ends; who reads slowly misses some, and nothing piles up."""
        most = VIEWERS_MAX if request[SCOPE] is Scope.OPERATE else VIEWERS_MAX // 2
        if self._pictures.viewers >= most:
            raise refusal(
                429,
                "VIEWERS",
                "connection",
                "too many viewers at once",
                f"at most {most} streams at once",
                "close a board that nobody looks at",
                {hdrs.RETRY_AFTER: "5"},
            )
        self._pictures.viewers += 1
        token = _token_of(request)
        by_session = self._access.scope_of(token) is not None
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream"})
        try:
            await response.prepare(request)
            async for _ in self._pictures.turns():
                if by_session and self._access.scope_of(token) is None:
                    break
                async with asyncio.timeout(WRITE_S_MAX):
                    await response.write(b"data: " + picture() + b"\n\n")
        except ConnectionError:
            pass  # the viewer is gone
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # what it has not taken is not waited for
        finally:
            self._pictures.viewers -= 1
        return response


def _token_of(request: web.Request) -> str:
    return request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
