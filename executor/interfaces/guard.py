"""What every request must pass before a route sees it: host, origin, token, form, size and time.

The interface listens on loopback only; these checks keep a web page in the operator's browser, another user
of the machine and a broken client from trading.
"""

import asyncio
import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from config.problems import ConfigProblems, quoted
from config.secrets import Secret
from executor.interfaces.answers import ApiRefusal, refusal
from executor.interfaces.board_access import BoardAccess, Scope
from executor.interfaces.crowd import CONNECTIONS_MAX, Crowd
from executor.interfaces.models import BODY_BYTES_MAX
from executor.interfaces.strict_json import JSON_FORM, JsonProblem, read_json_object

OPEN_PATHS: Final = frozenset(
    {"/health", "/metrics", "/openapi.json", "/docs", "/docs/page.css", "/", "/board", "/board/session"}
)
"""What needs no token: it tells nothing that moves money, and takes nothing but a code that is good once."""
OPEN_FOLDER: Final = "/board/"
"""The files of the board's page."""
QUERIED: Final = frozenset({"/v1/journal"})
"""Routes that read a query; every other one under /v1/ takes none."""
STREAMS: Final = "/v1/stream"
"""Answers that last: they do not count as requests at work."""
LEAVE_PATH: Final = "/v1/board/leave"
"""The one request that changes something and is for those who only look, too."""
HOST_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
OVERRIDE_HEADERS: Final = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
CLOSE: Final[dict[str, str]] = {hdrs.CONNECTION: "close"}
SCOPE: Final = web.RequestKey("scope", Scope)
BODY: Final = web.RequestKey("body", dict[str, object])

_LOG: Final = logging.getLogger("executor.api")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """Bounds of the interface: requests worked at once, connections, seconds for a body, seconds for an answer.

    Those who may operate and all others each have their own: whoever has no token, or may only look, takes no place
    from a halt.
    """

    requests_max: int = 32
    connections_max: int = CONNECTIONS_MAX
    body_s_max: float = 5.0
    answer_s_max: float = 10.0


def guard(token: Secret, limits: GuardLimits, access: BoardAccess, crowd: Crowd) -> Middleware:
    """Make the middleware that stands before all routes.

    Parameters
    ----------
    token
        Whoever has it may do everything.
    access
        Sessions of browsers.
    crowd
        Told of each request that is at work, and of those who have brought a token.
    """
    expected = f"Bearer {token.reveal()}".encode()
    at_work = dict.fromkeys(Scope, 0)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        crowd.begin(request)
        try:
            return await admitted(request, handler)
        finally:
            crowd.end(request)

    async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_form(request)
            scope = request[SCOPE] = _check_token(request, expected, access)
        except ApiRefusal as error:
            return error.response()
        if request.path not in OPEN_PATHS:
            crowd.know(request)
        lasts = request.path.startswith(STREAMS)
        if request.path != "/health" and not lasts and at_work[scope] >= limits.requests_max:
            return _too_many(limits).response()
        at_work[scope] += not lasts
        try:
            _check_route(request)
            _check_scope(request)
            if request.method == hdrs.METH_POST:
                request[BODY] = await _read_body(request, limits)
            return await handler(request)
        except ApiRefusal as error:
            return error.response()
        except ConfigProblems as error:
            return ApiRefusal(422, error.problems).response()
        except web.HTTPException as error:
            return _of_http(error, request).response()
        except Exception:  # noqa: BLE001 - the outermost frame of a request: logged, and told as an id only
            opaque_id = secrets.token_hex(8)
            _LOG.exception("request failed: id %s", opaque_id)
            return _failed(opaque_id).response()
        finally:
            at_work[scope] -= not lasts

    return middleware


async def plain_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Say nothing about the software, and keep answers out of caches."""
    response.headers[hdrs.SERVER] = "executor"
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"


def _check_form(request: web.Request) -> None:
    """Refuse requests that are meant for another server, come from a web page, or try tricks."""
    if request.version < (1, 1):
        raise refusal(400, "HTTP", "request line", "HTTP/1.0", "HTTP/1.1", "use a current client")
    for name in (*OVERRIDE_HEADERS, hdrs.UPGRADE):
        if name in request.headers:
            raise refusal(400, "HTTP", f"header {name}", "a value", "no such header", "remove it")
    port = _own_port(request)
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) != 1 or hosts[0].lower() not in {f"{name}:{port}" for name in HOST_NAMES}:
        got = quoted(hosts[0]) if len(hosts) == 1 else f"{len(hosts)} of them"
        raise refusal(403, "HOST", "header Host", got, f"127.0.0.1:{port}", "address the daemon itself")
    if request.headers.get(hdrs.ORIGIN, f"http://{hosts[0]}") != f"http://{hosts[0]}":
        raise refusal(
            403,
            "ORIGIN",
            "header Origin",
            "another",
            "none, or that of this daemon's own page",
            "other web pages may not use this interface",
        )
    if request.path.startswith("/v1/") and request.query_string and request.path not in QUERIED:
        # What it says is not said again: somebody may have put a token there.
        raise refusal(400, "FIELD", "query", "a query", "no query", "send fields in the body")


def _own_port(request: web.Request) -> int:
    transport = request.transport
    address = None if transport is None else transport.get_extra_info("sockname")
    return int(address[1]) if address else 0


def _check_token(request: web.Request, expected: bytes, access: BoardAccess) -> Scope:
    """Say what the caller may do. Compares in constant time; the answer does not say what was wrong."""
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    got = given[0].encode("utf-8", "surrogateescape") if len(given) == 1 else b""
    if hmac.compare_digest(got, expected):
        return Scope.OPERATE
    if request.path in OPEN_PATHS or request.path.startswith(OPEN_FOLDER):
        return Scope.READ
    scope = access.scope_of(given[0].removeprefix("Bearer ")) if len(given) == 1 else None
    if scope is not None:
        return scope
    raise refusal(
        401,
        "AUTH",
        "header Authorization",
        "no valid token",
        "Bearer and the content of the token file",
        "read the path of the token file from control.json",
        {hdrs.WWW_AUTHENTICATE: "Bearer"},
    )


def _check_scope(request: web.Request) -> None:
    """Refuse what changes something to those who may only look."""
    open_ = request.path in OPEN_PATHS or request.path == LEAVE_PATH
    if request[SCOPE] is Scope.READ and request.method != hdrs.METH_GET and not open_:
        raise refusal(
            403,
            "READ_ONLY",
            "session",
            "a session for looking only",
            "a session that may operate",
            "open the board by `executor board` without --read-only",
        )


def _check_route(request: web.Request) -> None:
    """Answer unknown paths and methods before their bodies are read."""
    error = request.match_info.http_exception
    if error is not None:
        raise error


async def _read_body(request: web.Request, limits: GuardLimits) -> dict[str, object]:
    """Read and parse the body: JSON, small, soon."""
    kind = request.headers.get(hdrs.CONTENT_TYPE, "")
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise refusal(
            415, "CONTENT_TYPE", "header Content-Type", quoted(kind), "application/json", "send JSON in UTF-8"
        )
    if hdrs.CONTENT_ENCODING in request.headers:
        raise refusal(
            415, "CONTENT_TYPE", "header Content-Encoding", "a value", "none", "send the body uncompressed"
        )
    try:
        async with asyncio.timeout(limits.body_s_max):
            raw = await request.read()
    except TimeoutError:
        raise refusal(
            408,
            "SLOW",
            "body",
            "an incomplete body",
            f"the whole body within {limits.body_s_max:g} s",
            "send it again",
            CLOSE,
        ) from None
    except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError):
        raise refusal(
            400, "HTTP", "body", "a broken transfer", "a well-formed request", "send it again", CLOSE
        ) from None
    try:
        return read_json_object(raw)
    except JsonProblem as problem:
        raise refusal(
            400, "JSON_STRICT", problem.where, problem.reason, JSON_FORM, "correct the body"
        ) from None


def _of_http(error: web.HTTPException, request: web.Request) -> ApiRefusal:
    """Bring the server's own refusals into our form."""
    path = quoted(request.path)
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return refusal(
                405, "METHOD", path, request.method, allowed, "use that method", {hdrs.ALLOW: allowed}
            )
        case web.HTTPRequestEntityTooLarge():
            got = "a larger body"
            return refusal(
                413,
                "SIZE",
                "body",
                got,
                f"at most {BODY_BYTES_MAX} bytes",
                "send less",
                CLOSE,
            )
        case web.HTTPNotFound():
            return refusal(404, "ROUTE", path, "an unknown path", "a documented route", "correct the path")
        case _:
            return refusal(
                error.status, "HTTP", path, error.reason, "a well-formed request", "correct the request"
            )


def _too_many(limits: GuardLimits) -> ApiRefusal:
    return refusal(
        429,
        "BUSY",
        "connection",
        "too many requests at once",
        f"at most {limits.requests_max} at once",
        "wait a second and ask again",
        {hdrs.RETRY_AFTER: "1"},
    )


def _failed(opaque_id: str) -> ApiRefusal:
    return refusal(
        500,
        "INTERNAL",
        "daemon",
        f"failure {opaque_id}",
        "nothing is known about the outcome",
        "look for this id in the log of the daemon; repeat only with the same Idempotency-Key",
    )
