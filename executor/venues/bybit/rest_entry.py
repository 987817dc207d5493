"""Order requests over signed REST: one request per logical send, the checked bytes, never a hidden retry."""

from collections.abc import Callable, Mapping

import aiohttp

from executor.domain.errors import RemoteProtocolError
from executor.domain.timeline import NS_PER_MS
from executor.runtime.clock import Clock
from executor.venues.bybit.answers import (
    Answer,
    NotSent,
    Unanswered,
    parse_answer,
    printable,
    read_answer,
)
from executor.venues.bybit.order_bytes import Act
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.standing import Standing
from executor.venues.bybit.transport import LAST_LOOK, HostForbidden

_PATH = {act: f"/v5/order/{act.value}" for act in Act}
_TIME_PATH = "/v5/market/time"
_ANSWER_BYTES_MAX = 1 << 20
_OK = 200
_JSON = "application/json"


class RestEntry:
    """Sends order requests, each as an HTTP request of its own.

    Parameters
    ----------
    http
        A session of `transport.new_session`, with the time a request may take.
    """

    is_http = True

    def __init__(
        self,
        http: aiohttp.ClientSession,
        rest_url: str,
        signer: Signer,
        time: ServerTime,
        clock: Clock,
        standing: Standing,
    ) -> None:
        self._http = http
        self._url = rest_url
        self._signer = signer
        self._time = time
        self._clock = clock
        self._standing = standing

    def why_not(self) -> str:
        """Why nothing can be sent this way at the moment; empty if it can."""
        return "our address is barred" if self._standing.is_banned else ""

    async def send(self, act: Act, body: bytes, why_void: Callable[[], str] | None = None) -> Answer:
        """Sign and send one order request, as `send_to` does."""
        return await self.send_to(_PATH[act], body, why_void)

    async def send_to(self, path: str, body: bytes, why_void: Callable[[], str] | None = None) -> Answer:
        """Sign and send one request.

        Parameters
        ----------
        why_void
            Asked when the connection stands ready: why the request may not leave any more.

        Raises
        ------
        NotSent
            If not one byte of it left.
        Unanswered
            If it may have left, and no answer could be read.
        """
        refusal = self.why_not()
        if refusal:
            raise NotSent(refusal)
        headers = self._signer.headers(self._time.now_ms(), body)
        token = LAST_LOOK.set(why_void)
        try:
            async with self._http.post(
                f"{self._url}{path}", data=body, headers=headers, allow_redirects=False
            ) as response:
                return read_answer(await self._read(response), "result", response.headers)
        except (HostForbidden, aiohttp.ClientConnectorError) as error:
            raise NotSent(_name(error)) from error  # the connection was never made
        except (aiohttp.ClientError, TimeoutError, OSError, RemoteProtocolError) as error:
            raise Unanswered(_name(error)) from error
        finally:
            LAST_LOOK.reset(token)

    async def measure_time(self) -> None:
        """Measure the venue's clock once.

        Raises
        ------
        aiohttp.ClientError, TimeoutError, TransportError, RemoteProtocolError, ValueError
            If it could not be asked, or did not answer readably.
        """
        await self._standing.admit_query()
        sent_ns = self._clock.now_ns()
        async with self._http.get(f"{self._url}{_TIME_PATH}", allow_redirects=False) as response:
            message = await self._read(response)
        received_ns = self._clock.now_ns()
        result = message.get("result")
        if not isinstance(result, dict):
            raise RemoteProtocolError("an answer without a time")
        jump_ms = self._time.learn(sent_ns, received_ns, int(str(result.get("timeNano"))) // NS_PER_MS)
        if jump_ms:
            self._standing.on_clock_jump(jump_ms)

    async def _read(self, response: aiohttp.ClientResponse) -> Mapping[str, object]:
        """Read a whole body, which may come in pieces, up to a bound."""
        raw = b""
        try:
            async for piece in response.content.iter_any():
                raw += piece
                if len(raw) > _ANSWER_BYTES_MAX:
                    raise RemoteProtocolError(f"an answer of more than {_ANSWER_BYTES_MAX} bytes")
        finally:
            if response.status != _OK:
                self._standing.on_http_status(response.status, printable(raw.decode(errors="replace")))
        if response.status != _OK:
            raise RemoteProtocolError(f"HTTP {response.status}")
        if response.content_type != _JSON:
            # Whoever sends this is not known to be the venue, whatever stands in it.
            raise RemoteProtocolError(f"an answer of type {printable(response.content_type)}")
        return parse_answer(raw)


def _name(error: BaseException) -> str:
    return printable(f"{type(error).__name__}: {error}")
