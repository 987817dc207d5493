"""The only way to the model's server: one host, no redirect, no compression, no more bytes than allowed.

It stands below the SDK, so that nothing the SDK does by itself gets out (headers from the environment, notes about this
machine), and nothing a server sends gets in but a whole, small JSON text with status 200. The key is put into the
request here and is known to no object above. Imported where a call is made: it brings the HTTP library with it.
"""

import json
from collections.abc import Callable
from typing import Final

import httpx2

from executor.advice.calls import printable_detail
from executor.domain.advice import Failure

MODELS_BYTES_MAX: Final = 4_194_304
"""Longest list of models that is read; those of resellers have some hundreds of entries."""
ERROR_TEXT_BYTES_MAX: Final = 8_192
REQUEST_ID_LEN_MAX: Final = 128
_SENT: Final = frozenset({"host", "content-type", "content-length", "accept", "user-agent", "connection"})
_KEPT: Final = "x-request-id"
_KEY_WINDOW: Final = 8
"""A text that holds so many characters of the key in a row holds too many."""
_BY_STATUS: Final = {
    401: Failure.NOT_AUTHORISED,
    402: Failure.NOT_AUTHORISED,
    403: Failure.NOT_AUTHORISED,
    408: Failure.TIMEOUT,
    429: Failure.RATE_LIMITED,
}


class Unanswered(Exception):  # noqa: N818 - what a server does is no error of ours; it never leaves the room
    """Carries a failure from where it is noticed to where the call ends."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends to one origin and reads whole answers up to a number of bytes.

    Parameters
    ----------
    origin
        The address whose scheme, host and port are the only ones reached.
    reveal
        Gives the key, or nothing if the server asks for none.
    bytes_max
        Longest body that is read.
    """

    def __init__(
        self, inner: httpx2.AsyncBaseTransport, origin: str, reveal: Callable[[], str] | None, bytes_max: int
    ) -> None:
        self._inner = inner
        self._origin = _place(httpx2.URL(origin))
        self._reveal = reveal
        self._bytes_max = bytes_max

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request and read its whole answer.

        Raises
        ------
        Unanswered
            If the answer is not a JSON text with status 200 within the bounds.
        """
        if _place(request.url) != self._origin:
            raise Unanswered(Failure.PROTOCOL, "another host was to be asked")
        key = self._reveal() if self._reveal is not None else ""
        response = await self._inner.handle_async_request(self._outgoing(request, key))
        try:
            is_fine = response.status_code == httpx2.codes.OK
            is_plain = _is_plain(response.headers)
            if is_fine and not is_plain:
                raise Unanswered(Failure.PROTOCOL, "a compressed answer, which was not asked for")
            body_max = self._bytes_max if request.method == "POST" else MODELS_BYTES_MAX
            body = await _read(response, body_max if is_fine else ERROR_TEXT_BYTES_MAX, cut=not is_fine)
        finally:
            await response.aclose()
        if not is_fine:
            raise _status(response.status_code, body if is_plain else b"", key)
        _refuse_kind(response.headers)
        if key and _holds(key, body):
            raise Unanswered(Failure.PROTOCOL, "the answer holds our key")
        request_id = response.headers.get(_KEPT, "")
        headers = {"content-type": "application/json"}
        if request_id and request_id.isascii() and not _shows(key, request_id):
            headers[_KEPT] = printable_detail(request_id)[:REQUEST_ID_LEN_MAX]
        return httpx2.Response(200, headers=headers, content=body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    def _outgoing(self, request: httpx2.Request, key: str) -> httpx2.Request:
        headers = [(name, value) for name, value in request.headers.multi_items() if name.lower() in _SENT]
        headers.append(("accept-encoding", "identity"))
        if key:
            headers.append(("authorization", f"Bearer {key}"))
        return httpx2.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )


def _place(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host.lower(), url.port or (443 if url.scheme == "https" else 80)


async def _read(response: httpx2.Response, bytes_max: int, *, cut: bool) -> bytes:
    """Read a body; one that is longer is cut, or refused."""
    body = bytearray()
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    async for piece in response.stream:
        body += piece
        if len(body) > bytes_max:
            if cut:
                return bytes(body[:bytes_max])
            raise Unanswered(Failure.TOO_LARGE, f"more than {bytes_max} bytes")
    return bytes(body)


def _is_plain(headers: httpx2.Headers) -> bool:
    return headers.get("content-encoding", "").strip().lower() in ("", "identity")


def _refuse_kind(headers: httpx2.Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Unanswered(Failure.PROTOCOL, "an answer of another type than application/json")


def _status(status: int, body: bytes, key: str) -> Unanswered:
    failure = _BY_STATUS.get(status) or (Failure.SERVER_ERROR if status >= 500 else Failure.PROTOCOL)
    # A server that refuses a key likes to show it.
    text = "" if failure is Failure.NOT_AUTHORISED else _said(body)
    if _shows(key, text):
        text = ""
    return Unanswered(failure, printable_detail(f"status {status} {text}"))


def _said(body: bytes) -> str:
    """What an error says in the usual form; nothing if it has another."""
    try:
        error = json.loads(body)["error"]
        message = error if isinstance(error, str) else error["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return message if isinstance(message, str) else ""


def _holds(key: str, body: bytes) -> bool:
    """Whether a JSON text holds the key, in whatever spelling: most characters can be written in several."""
    try:
        spelt = json.dumps(json.loads(body), ensure_ascii=True)
    except (ValueError, RecursionError):
        spelt = ""  # no JSON; whoever reads it next refuses it
    return key.encode() in body or json.dumps(key)[1:-1] in spelt


def _shows(key: str, text: str) -> bool:
    """Whether a text holds a piece of the key that is long enough to matter."""
    size = min(_KEY_WINDOW, len(key))
    return bool(key) and any(key[start : start + size] in text for start in range(len(key) - size + 1))
