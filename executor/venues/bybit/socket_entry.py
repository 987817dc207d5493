"""Order requests over the venue's trade socket: one frame per logical send, answers matched by id.

The connection is kept up by `Stream`. A frame that left is never repeated: when the connection ends, or no
answer comes in time, everything in flight is unanswered. An answer without an id, or with one nobody waits
for, is matched to nothing.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from random import Random

import aiohttp

from executor.domain.errors import Disconnected, LocalProtocolError, RemoteProtocolError
from executor.domain.ports import Log
from executor.runtime.clock import Clock
from executor.venues.bybit.answers import Answer, NotSent, Unanswered, printable, read_answer
from executor.venues.bybit.order_bytes import Act, Framer
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.standing import Standing
from executor.venues.bybit.stream import (
    PING_EVERY_S,
    SILENCE_S_MAX,
    Message,
    RequestRefused,
    Stream,
)

_PATH = "/v5/trade"
_AUTH_AHEAD_MS = 10_000
_AUTH_S_MAX = 10.0
_ALREADY_IN = 20001


class SocketEntry:
    """Sends order requests over one connection.

    Parameters
    ----------
    http
        A session of `transport.new_session` without a time limit.
    url
        Scheme, host and port of the socket.
    timeout_s
        Longest time an answer may take, seconds.
    on_change
        Told when orders can be sent this way and when no longer, with the reason.
    """

    is_http = False

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        url: str,
        signer: Signer,
        time: ServerTime,
        clock: Clock,
        standing: Standing,
        timeout_s: float,
        on_change: Callable[[bool, str], None],
        log: Log,
        random: Random,
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
    ) -> None:
        self._signer = signer
        self._framer = Framer(f"{clock.now_ns():x}", signer.recv_window_ms)
        self._time = time
        self._standing = standing
        self._timeout_s = timeout_s
        self._on_change = on_change
        self._requests = 0
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._live = asyncio.Event()
        self.wanted = asyncio.Event()
        self.unmatched = 0
        self.stream = Stream(
            http=http,
            url=f"{url}{_PATH}",
            join=self._join,
            on_message=self._on_stray,
            on_reply=self._on_reply,
            on_lost=self._on_lost,
            log=log,
            random=random,
            ping_every_s=ping_every_s,
            silence_s_max=silence_s_max,
        )

    def why_not(self) -> str:
        """Why nothing can be sent this way at the moment; empty if it can."""
        return "" if self._live.is_set() and self.stream.is_open else "the order socket is not connected"

    async def wait_live(self, timeout_s: float) -> None:
        """Have the connection made, and wait until orders can be sent this way or the time is up."""
        self.wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._live.wait()

    async def send(self, act: Act, body: bytes, why_void: Callable[[], str] | None = None) -> Answer:
        """Send one frame and wait for its answer.

        Parameters
        ----------
        why_void
            Asked immediately before the frame is written: why it may not leave any more.

        Raises
        ------
        NotSent
            If not one byte of it left.
        Unanswered
            If it may have left, and no answer could be read.
        """
        self._requests += 1
        request_id = self._framer.request_id(self._requests)
        frame = self._framer.frame(act, self._requests, self._time.now_ms(), body)
        if frame.count(body) != 1:
            raise LocalProtocolError("the frame does not carry the checked bytes once")
        refusal = self.why_not() or ("" if why_void is None else why_void())
        if refusal:
            raise NotSent(refusal)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            async with asyncio.timeout(self._timeout_s):
                await self.stream.send(frame)  # up to here nothing else has run since the last look
                message = await future
            header = message.get("header")
            return read_answer(message, "data", header if isinstance(header, dict) else {})
        except (Disconnected, aiohttp.ClientError, TimeoutError, OSError, RemoteProtocolError) as error:
            raise Unanswered(printable(f"{type(error).__name__}: {error}")) from error
        finally:
            self._waiting.pop(request_id, None)

    async def _join(self, stream: Stream) -> None:
        self._requests += 1
        request_id = self._framer.request_id(self._requests)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        # Whether the venue echoes the id of an authentication is not certain; its kind names it just as well.
        self._waiting[request_id] = self._waiting["auth"] = future
        asked = {
            "reqId": request_id,
            "op": "auth",
            "args": self._signer.socket_auth(self._time.now_ms() + _AUTH_AHEAD_MS),
        }
        try:
            await stream.send(json.dumps(asked).encode())
            async with asyncio.timeout(_AUTH_S_MAX):
                answer = read_answer(await future, "data", {})
        finally:
            self._waiting.pop(request_id, None)
            self._waiting.pop("auth", None)
        if answer.code not in (0, _ALREADY_IN):
            self._standing.on_code(answer.code, answer.text)
            raise RequestRefused("auth", answer.code, answer.text)
        self._live.set()
        self._on_change(True, "joined")

    def _on_reply(self, message: Message) -> None:
        kind = message.get("op")
        if kind == "pong":
            return
        request_id = message.get("reqId")
        if request_id is None and kind == "auth":
            request_id = kind
        future = self._waiting.get(request_id) if isinstance(request_id, str) else None
        if future is None or future.done():
            self._on_stray(message)
        else:
            future.set_result(message)

    def _on_stray(self, _message: object) -> None:
        self.unmatched += 1

    def _on_lost(self, detail: str) -> None:
        was_live = self._live.is_set()
        self._live.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Disconnected(detail))
        if was_live:
            self._on_change(False, detail)
