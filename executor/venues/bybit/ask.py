"""One way of asking Bybit, through pybit: a client of its own, one request at a time, all pages or an error.

pybit's own retries and request logging are off; what its session may reach is walled in. It blocks, so each call runs
in a thread. Its session is not made for several threads at once; therefore every class of questions has its own
`Asker` with one thread, and an urgent question never waits behind a long read of another class. A question that takes
too long, or that nobody waits for any more, has its connection ended, so that it holds no thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from executor.domain.errors import TransportError
from executor.venues.bybit.access import Access
from executor.venues.bybit.answers import reset_ms_of
from executor.venues.bybit.codec_fields import Row
from executor.venues.bybit.query_session import wall_in
from executor.venues.bybit.return_codes import AUTH_REFUSED, RATE_LIMITED
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer, without_signed

_PAGES_MAX = 1_000
_NO_RETRY = {-999}
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429
_THREAD_NAME: Final = "bybit-questions"

Question = Callable[..., object]
"""A method of pybit's client that has not met its client yet, such as `HTTP.get_positions`."""


async def _at_once() -> None:
    """Let a request leave at once."""


def _untold(_code: int, _text: str) -> None:
    """Tell nobody."""


def _ban_untold(_text: str) -> None:
    """Tell nobody."""


def _limit_untold(_reset_ms: int | None) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What is done around every request.

    Parameters
    ----------
    admit
        Waits until the address may send one more request; raises `TransportError` if that is too long.
    on_ban
        Told the text of a 403: the venue bars our address.
    on_auth_refused
        Told code and text of an answer that refuses our key.
    on_rate_limit
        Told of an answer that we ask too often, and from when on again by the venue's clock, milliseconds; None if that
        cannot be read.
    on_code
        Told code and text of every other answer that has a code; 0 is success with a signed question.
    """

    admit: Callable[[], Awaitable[None]] = _at_once
    on_ban: Callable[[str], None] = _ban_untold
    on_auth_refused: Callable[[int, str], None] = _untold
    on_rate_limit: Callable[[int | None], None] = _limit_untold
    on_code: Callable[[int, str], None] = _untold


class QueryRefused(TransportError):  # noqa: N818 - reads as what happened
    """The venue answered with an error code instead of what was asked."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class _Client(HTTP):  # type: ignore[misc]
    """pybit, signing with our signer and the venue's time instead of the wall clock."""

    def sign_with(self, signer: Signer, time: ServerTime) -> None:
        """Take the signer and the clock to use."""
        self._signer, self._server_time = signer, time

    def _prepare_headers(self, payload: str, recv_window: int, content_type: str = "") -> dict[str, str]:
        return self._signer.headers(self._server_time.now_ms(), payload.encode())


class Asker:
    """Asks one class of questions, one after the other.

    Parameters
    ----------
    signed
        Whether the answers say anything about our key; a success with a public question does not.
    """

    def __init__(
        self, access: Access, signer: Signer, time: ServerTime, manners: Manners, *, signed: bool = True
    ) -> None:
        self._signed = signed
        self._access = access
        self._signer = signer
        self._time = time
        self._manners = manners
        self._one = asyncio.Lock()
        self._is_closed = False
        self._begin()

    def close(self) -> None:
        """Give connections and thread back; nothing can be asked any more."""
        self._is_closed = True
        self._give_up()

    async def rows(self, question: Question, **parameters: str | int) -> list[object]:
        """All pages of one list.

        Raises
        ------
        TransportError
            If any page failed, or the pages do not end.
        """
        rows: list[object] = []
        cursors: set[str] = set()
        for _ in range(_PAGES_MAX):
            page = await self.result(question, **parameters)
            listed = page.get("list")
            if not isinstance(listed, list):
                raise TransportError("an answer without a list")
            rows += listed
            cursor = page.get("nextPageCursor")
            if not isinstance(cursor, str) or not cursor:
                return rows
            if cursor in cursors:
                raise TransportError("the pages go in a circle")
            cursors.add(cursor)
            parameters["cursor"] = cursor
        raise TransportError(f"more than {_PAGES_MAX} pages")

    async def result(self, question: Question, **parameters: str | int) -> Row:
        """The `result` object of one answer.

        Raises
        ------
        TransportError
            If there was no whole answer; `QueryRefused` if the venue answered with an error code.
        """
        answer = await self._answer(question, parameters)
        # pybit takes an answer without a return code for a success; here it proves nothing.
        if not isinstance(answer, dict) or type(answer.get("retCode")) is not int or answer["retCode"]:
            raise TransportError("an answer without a return code")
        if self._signed:
            self._manners.on_code(0, "")
        result = answer.get("result")
        if not isinstance(result, dict):
            raise TransportError("an answer without a result")
        return result

    async def _answer(self, question: Question, parameters: dict[str, str | int]) -> object:
        async with self._one:
            await self._manners.admit()
            if self._is_closed:
                raise TransportError("nothing is asked any more")
            asked = partial(question, self._client, **parameters)
            try:
                # The client's own limit counts from one byte to the next; a trickle must end too.
                async with asyncio.timeout(2 * self._access.request_timeout_s):
                    return await asyncio.get_running_loop().run_in_executor(self._thread, asked)
            except asyncio.CancelledError:
                self._begin_anew()
                raise
            except (InvalidRequestError, FailedRequestError) as error:
                # `from None`: what pybit says of it repeats the request, and our key with it.
                raise self._refused(error) from None
            except (
                requests.RequestException,
                TimeoutError,
                # pybit trusts the form of an answer and fails over one that has another
                ValueError,
                LookupError,
                TypeError,
                AttributeError,
                RecursionError,
            ) as error:
                if isinstance(error, TimeoutError):
                    self._begin_anew()
                raise TransportError(_cause(error)) from error

    def _refused(self, error: InvalidRequestError | FailedRequestError) -> TransportError:
        code = error.status_code
        text = without_signed(str(error.message)).encode(errors="backslashreplace").decode()
        if type(code) is not int:
            return TransportError(f"a return code that is no number: {str(code)[:40]!r}")
        failed = isinstance(error, FailedRequestError)  # pybit's own word, or an HTTP status
        if failed and code == _FORBIDDEN:
            self._manners.on_ban(text)
        elif code in AUTH_REFUSED or (failed and code == _UNAUTHORIZED):
            self._manners.on_auth_refused(code, text)
        elif not failed and code == RATE_LIMITED:
            headers = error.resp_headers
            self._manners.on_rate_limit(reset_ms_of(headers) if isinstance(headers, Mapping) else None)
        elif not failed or code == _TOO_MANY:
            self._manners.on_code(code, text)
        return QueryRefused(code, text)

    def _begin(self) -> None:
        """Make client and thread; the first connection is made by the first question."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=_THREAD_NAME)
        self._client = _Client(
            api_key=self._signer.api_key,
            api_secret=self._access.api_secret,
            recv_window=self._signer.recv_window_ms,
            timeout=self._access.request_timeout_s,
            retry_codes=_NO_RETRY,
            max_retries=1,
            force_retry=False,
            log_requests=False,
        )
        self._client.sign_with(self._signer, self._time)
        self._client.endpoint = self._access.rest_url
        self._wall = wall_in(self._client.client, self._access.hosts)

    def _begin_anew(self) -> None:
        """Give up what is under way: the next question has another client and another thread."""
        self._give_up()
        self._begin()

    def _give_up(self) -> None:
        self._wall.give_up()  # a thread ends with its connection
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._client.client.close()


def _cause(error: Exception) -> str:
    """Why there was no answer; of a connection that did not come about only the innermost reason is worth telling."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectionError) and reason is not None:
        return f"no connection ({str(reason).rpartition(': ')[2]})"
    return f"{type(error).__name__}: {error}"
