"""Sending orders over signed REST: one request per logical send, the checked bytes, never a hidden retry."""

import hashlib
import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
import msgspec

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    Event,
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
)
from executor.domain.orders import NewOrder
from executor.runtime.clock import Clock
from executor.venues.bybit.codec import create_fields
from executor.venues.bybit.return_codes import CreateOutcome, cancel_found_nothing, judge_create
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from risk.turnstile import Turnstile
from risk.wire import check_create_bytes

CREATE_PATH = "/v5/order/create"
CANCEL_PATH = "/v5/order/cancel"
TIME_PATH = "/v5/market/time"
_ANSWER_BYTES_MAX = 1 << 20


_LAST_LOOK: ContextVar[Callable[[], str] | None] = ContextVar("_LAST_LOOK", default=None)


class NotSent(Exception):  # noqa: N818 - reads as what happened
    """A request was dropped before its first byte."""


class GuardedRequest(aiohttp.ClientRequest):
    """A request that asks once more whether it may leave when its connection stands ready."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write the request, unless it was forbidden while it waited for a connection."""
        look = _LAST_LOOK.get()
        refusal = "" if look is None else look()
        if refusal:
            raise NotSent(refusal)
        return await super().send(conn)


@dataclass(frozen=True, slots=True)
class Answer:
    """A readable answer of the venue."""

    code: int
    text: str
    result: dict[str, object]


class OrderEntry:
    """Creates and cancels orders.

    Parameters
    ----------
    http
        A client without redirects, proxies and retries, whose requests are `GuardedRequest`s.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        rest_url: str,
        signer: Signer,
        time: ServerTime,
        clock: Clock,
        turnstile: Turnstile,
    ) -> None:
        self._http = http
        self._url = rest_url
        self._signer = signer
        self._time = time
        self._clock = clock
        self._turnstile = turnstile

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request and say what its answer proves.

        The bytes are built, held against the approval, signed and sent as they are. The ticket is used up
        here, and looked at once more when the connection is there, because waiting for one takes time.
        """
        order = approved.order
        body = msgspec.json.encode(create_fields(order))
        check_create_bytes(body, approved)
        headers = self._signer.headers(self._time.now_ms(), body)

        refusal = self._turnstile.why_closed(approved)
        if refusal:
            return OrderNotSent(at_ns=0, client_order_id=order.client_order_id, detail=refusal)
        token = _LAST_LOOK.set(lambda: self._turnstile.why_void(approved))
        try:
            answer = await self._post(CREATE_PATH, body, headers)
        except NotSent as error:
            return OrderNotSent(at_ns=0, client_order_id=order.client_order_id, detail=str(error))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return OrderOutcomeUnknown(at_ns=0, client_order_id=order.client_order_id, detail=_name(error))
        finally:
            _LAST_LOOK.reset(token)
        return _created(order, answer, hashlib.sha256(body).hexdigest())

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request and say what its answer proves."""
        name = command.client_order_id
        body = msgspec.json.encode(
            {"category": command.category.value, "symbol": command.symbol, "orderLinkId": name}
        )
        asked_ns = self._clock.now_ns()
        try:
            answer = await self._post(CANCEL_PATH, body, self._signer.headers(self._time.now_ms(), body))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=_name(error))
        if answer.code == 0:
            return CancelAcked(at_ns=0, client_order_id=name)
        if cancel_found_nothing(answer.code):
            return CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)
        return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=f"{answer.code}: {answer.text}")

    async def measure_time(self) -> None:
        """Measure the venue's clock once.

        Raises
        ------
        aiohttp.ClientError, TimeoutError, ValueError
            If it did not answer readably.
        """
        sent_ns = self._clock.now_ns()
        async with self._http.get(f"{self._url}{TIME_PATH}", allow_redirects=False) as response:
            answer = _read(await _body(response))
        self._time.learn(sent_ns, self._clock.now_ns(), int(str(answer.result["timeNano"])) // 1_000_000)

    async def _post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        async with self._http.post(
            f"{self._url}{path}", data=body, headers=headers, allow_redirects=False
        ) as response:
            raw = await _body(response)
            if response.status != 200:
                raise ValueError(f"HTTP {response.status}")
            return _read(raw)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read a whole body, which may come in pieces, up to a bound."""
    raw = b""
    async for piece in response.content.iter_any():
        raw += piece
        if len(raw) > _ANSWER_BYTES_MAX:
            raise ValueError(f"an answer of more than {_ANSWER_BYTES_MAX} bytes")
    return raw


def _read(raw: bytes) -> Answer:
    try:
        parsed = json.loads(raw)
    except RecursionError as error:
        raise ValueError("an answer nested too deeply") from error
    if not isinstance(parsed, dict) or type(parsed.get("retCode")) is not int:
        raise ValueError("answer without a return code")
    result = parsed.get("result")
    return Answer(
        code=parsed["retCode"],
        text=_plain(parsed.get("retMsg", "")),
        result=result if isinstance(result, dict) else {},
    )


def _created(order: NewOrder, answer: Answer, sent_sha256: str) -> Event:
    name = order.client_order_id
    outcome = judge_create(answer.code)
    detail = f"{answer.code}: {answer.text}"
    if outcome is CreateOutcome.UNKNOWN:
        return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=detail)
    if outcome is not CreateOutcome.ACCEPTED:
        fatal = outcome is CreateOutcome.FATAL
        return OrderRejected(at_ns=0, client_order_id=name, code=answer.code, text=answer.text, fatal=fatal)
    venue_order_id = answer.result.get("orderId")
    is_id = isinstance(venue_order_id, str) and venue_order_id.isascii() and 0 < len(venue_order_id) <= 64
    if answer.result.get("orderLinkId") != name or not is_id:
        return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail="accepted, but not under our id")
    return OrderAcked(
        at_ns=0, client_order_id=name, venue_order_id=str(venue_order_id), sent_sha256=sent_sha256
    )


def _plain(text: object) -> str:
    """Shorten a text of the venue to what can be written down."""
    return str(text)[:200].encode(errors="backslashreplace").decode()


def _name(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
