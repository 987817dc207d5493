"""An exchange of ccxt behind a wall: nothing is changed at a venue that was not looked at byte by byte.

ccxt signs a request and hands it to `fetch`; there it is stopped. A question (GET) passes. Everything else passes only
as the one act that is under way in this task, once, after its bytes were held against what was approved, and it is
asked a last time, when its connection stands ready, whether it may leave. Retries, redirects, proxies of the
environment and foreign hosts are off. What comes back is kept as it came, because what ccxt makes of it is less.
"""

import importlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
import yarl

from executor.domain.errors import LocalProtocolError
from executor.venues.bybit.answers import NotSent
from executor.venues.bybit.transport import LAST_LOOK, new_session
from executor.venues.through_ccxt.dialect import Dialect, Exchange, RawAnswer, Request
from executor.venues.through_ccxt.terms import OtherVenue


class Incomplete(Exception):  # noqa: N818 - reads as what happened
    """An answer to a question that says less than all of it."""


class Act:
    """One request that changes something at the venue, from its making to its answer.

    Parameters
    ----------
    check
        Raises `LocalProtocolError` unless the request says exactly what is meant.
    why_void
        Asked when the connection stands ready: why it may not leave any more; empty if it may.
    """

    def __init__(self, check: Callable[[Request], None], why_void: Callable[[], str]) -> None:
        self._check = check
        self._why_void = why_void
        self._passed = False
        self.body = ""
        self.left = False
        """Whether a byte of it may have left."""
        self.answer: RawAnswer | None = None

    def admit(self, request: Request) -> None:
        """Look at the request before it goes anywhere.

        Raises
        ------
        LocalProtocolError
            If it is not the one that was meant, or a second one.
        """
        if self._passed:
            raise LocalProtocolError("a second request for one act")
        self._passed = True
        self._check(request)
        self.body = request.body

    def last_look(self) -> str:
        """Why it may not leave; if it may, it counts as having left from now on. It never leaves again."""
        if self.left:
            return "it has left already"
        refusal = self._why_void()
        if not refusal:
            self.left = True
        return refusal


ACT: Final[ContextVar[Act | None]] = ContextVar("ACT", default=None)
"""What the present task is about to change; None while it only asks."""
LAST_ANSWER: Final[ContextVar[RawAnswer | None]] = ContextVar("LAST_ANSWER", default=None)
"""The last answer that the present task got."""


def make_exchange(dialect: Dialect, terms: OtherVenue) -> Exchange:
    """Make the exchange; ccxt is imported here, so this belongs into a thread of its own."""
    kind: Any = getattr(importlib.import_module("ccxt.async_support"), dialect.exchange)
    plain_fetch = kind.fetch

    async def fetch(
        self: Exchange,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> object:
        request = Request(method=method, url=url, headers=headers or {}, body=body or "")
        act = None if method == "GET" else ACT.get()
        if act is not None:
            act.admit(request)
        elif method != "GET":
            raise LocalProtocolError(f"{method} {url.partition('?')[0]}: nobody asked for this")
        token = LAST_LOOK.set(None if act is None else act.last_look)
        LAST_ANSWER.set(None)
        try:
            parsed = await plain_fetch(self, url, method, headers, body)
        finally:
            LAST_LOOK.reset(token)
            if act is not None:
                act.answer = LAST_ANSWER.get()
        answer = LAST_ANSWER.get()
        if act is None and answer is not None:
            lack = dialect.why_not_whole(url, answer)
            if lack:
                raise Incomplete(lack)
        return parsed

    def on_rest_response(
        _: Exchange,
        code: int,
        __: str,
        ___: str,
        ____: str,
        headers: Mapping[str, str],
        body: str,
        *_____: object,
    ) -> str:
        kind_of = next((value for key, value in headers.items() if key.lower() == "content-type"), "")
        LAST_ANSWER.set(RawAnswer(status=code, content_type=kind_of, text=body))
        return body.strip()

    walled = type(
        f"Walled{dialect.exchange.capitalize()}",
        (kind,),
        {"fetch": fetch, "on_rest_response": on_rest_response, "number": str},
    )
    given: dict[str, object] = {
        "apiKey": terms.api_key,
        "secret": terms.api_secret,
        "password": terms.api_password,
        "enableRateLimit": True,
        "timeout": int(terms.request_timeout_s * 1_000),
        "session": _PlainSession(new_session(terms.hosts, terms.request_timeout_s)),
        "options": {**dialect.options(terms.recv_window_ms), "maxRetriesOnFailure": 0},
    }
    if terms.rest_url:
        given["urls"] = dialect.urls(terms.rest_url)
    exchange = walled(given)
    exchange.has["fetchCurrencies"] = False  # a question about deposits, which no trading needs
    if terms.testnet:
        exchange.set_sandbox_mode(True)
    return exchange


async def _look_first(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """The last look at a request without a body, which is not asked where bodies are written.

    Aiohttp sends a DELETE anew by itself if a connection that was used before breaks under it: it comes by here again.
    """
    look = LAST_LOOK.get()
    refusal = "" if look is None else look()
    if refusal:
        raise NotSent(refusal)
    return await handler(request)


class _PlainSession:
    """As much of a session as ccxt uses: no redirects and no proxies."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.headers: dict[str, str] = {}
        self.get = self._way("GET")
        self.post = self._way("POST")
        self.put = self._way("PUT")
        self.delete = self._way("DELETE")

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _way(self, method: str) -> Callable[..., object]:
        def send(url: yarl.URL, *, data: bytes | None, headers: Mapping[str, str], **_: object) -> object:
            look_first = (_look_first,) if method != "GET" and not data else ()
            return self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False, middlewares=look_first
            )

        return send
