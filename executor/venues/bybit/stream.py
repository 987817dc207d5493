"""One WebSocket connection that is kept up: connect, join, read, ping, and start over with back-off.

It is live only while something was heard within the last ten seconds, the time to notice and to close included. A time
in which this process itself stood still is no silence of the venue's: after it the venue gets one ping's time to be
heard. Everything that waits for the other end has an end: connecting, an acknowledgement, a ping, closing.
Frames are handed on decoded, in the order they came. A frame that cannot be read is told and skipped; one that is too
large, no text, or no UTF-8 ends the connection, and so does an inbox that has no room: what comes after a reconnect is
complete again, what comes after a gap is not.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from random import Random
from typing import Final

import aiohttp

from executor.domain.errors import Disconnected, Overflow, RemoteProtocolError
from executor.domain.ports import Log
from executor.venues.bybit.backoff import STEPS_S, Backoff
from executor.venues.bybit.codec_control import ControlReply
from executor.venues.bybit.codec_frames import Frame, decode_frame
from executor.venues.bybit.codec_json import parse_object

Message = dict[str, object]
Data = Frame
"""What `on_message` is called with: a frame that is no answer to a request."""

PING_EVERY_S: Final = 3.0
SILENCE_S_MAX: Final = 8.0
_LOOKS_PER_PING = 3
_CONNECT_S_MAX = 10.0
_CLOSE_S_MAX = 0.5
_ACK_S_MAX = 10.0
_ROOM_S = 0.05
_FRAME_BYTES_MAX = 1 << 20
_TURNED_AWAY_STATUS = frozenset({401, 403, 429})
_TURNED_AWAY_CLOSE = frozenset({1008, 1013})  # a rule of theirs was broken; come back later
_ENDINGS = (aiohttp.ClientError, OSError, TimeoutError, Disconnected, RemoteProtocolError, Overflow)


class RequestRefused(RemoteProtocolError):  # noqa: N818 - reads as what happened
    """The venue answered a request of ours with no; the code is None where it gives none."""

    def __init__(self, op: str, code: int | None, text: str) -> None:
        super().__init__(f"{op} refused: {'' if code is None else f'{code}: '}{text[:100]!r}")
        self.code = code
        self.text = text


class Unacknowledged(Disconnected):
    """No answer to a request came in time, over a connection that may be sound otherwise."""


class TurnedAway(RemoteProtocolError):  # noqa: N818 - reads as what happened
    """The venue does not want this connection: the next attempt comes late."""


class Stream:
    """Keeps one connection up.

    Parameters
    ----------
    join
        Called with a fresh connection; authenticates and subscribes, and returns when both are acknowledged.
    on_message
        Called with each decoded frame that has a topic.
    on_reply
        Called with each message that has none, on a socket whose answers are not acknowledgements of `request`.
    on_lost
        Called when a connection has ended, with the reason; again if it found no room.
    on_bad_frame
        Called with what could not be decoded.
    on_text
        Called with every text before it is read, as it came.
    log
        Told of every connection that failed or ended.
    random
        Seeded; spreads reconnects in time.
    ping_every_s, silence_s_max
        Time between two pings, and time without a word after which the connection counts as lost, seconds.
    steps_s
        Waits before the next attempt (see `backoff`), seconds.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        url: str,
        join: Callable[["Stream"], Awaitable[None]],
        on_message: Callable[[Data], None],
        on_lost: Callable[[str], None],
        log: Log,
        random: Random,
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
        steps_s: tuple[float, ...] = STEPS_S,
        on_bad_frame: Callable[[RemoteProtocolError], None] | None = None,
        on_reply: Callable[[Message], None] | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self._on_reply = on_reply
        self._on_text = on_text
        self._on_bad_frame = on_bad_frame
        self._ping_every_s = ping_every_s
        self._silence_s_max = silence_s_max
        self._http = http
        self._url = url
        self._join = join
        self._on_message = on_message
        self._on_lost = on_lost
        self._log = log
        self._backoff = Backoff(random, steps_s)
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._acks: dict[str, asyncio.Future[ControlReply]] = {}
        self._requests = 0
        self._heard_s = 0.0
        self._joined_s = inf
        self.connects = 0
        self.bad_frames = 0

    async def run(self) -> None:
        """Connect for ever; ends only by cancellation, which a time-out inside must not hide."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        while task is None or not task.cancelling():  # closing a socket can swallow a cancellation
            self._joined_s, turned_away = inf, False
            try:
                await self._connect_once()
            except _ENDINGS as error:
                turned_away = _is_turned_away(error)
                detail = f"{type(error).__name__}: {error}"[:200]
                self._log("stream lost", level="warning", url=self._url, error=detail)
                await self._tell_lost(detail)
            joined_s = max(loop.time() - self._joined_s, 0.0)
            await asyncio.sleep(self._backoff.next_s(joined_s, turned_away=turned_away))

    async def request(self, op: str, args: list[str | int] | list[str]) -> ControlReply:
        """Send an operation and wait for its acknowledgement.

        Raises
        ------
        RequestRefused
            If the venue says no.
        Unacknowledged
            If there is no answer in time.
        Disconnected
            If there is no connection.
        """
        if self._socket is None:
            raise Disconnected("no connection")
        self._requests += 1
        name = f"{op}-{self._requests}"
        future: asyncio.Future[ControlReply] = asyncio.get_running_loop().create_future()
        self._acks[name] = future
        try:
            async with asyncio.timeout(_ACK_S_MAX):  # `wait_for` may swallow a cancellation
                await self._socket.send_str(json.dumps({"req_id": name, "op": op, "args": args}))
                answer = await future
        except TimeoutError as error:
            raise Unacknowledged(f"{op} was not acknowledged in {_ACK_S_MAX:.0f} s") from error
        finally:
            self._acks.pop(name, None)
        if not answer.ok:
            raise RequestRefused(op, answer.code, answer.text)
        return answer

    @property
    def is_open(self) -> bool:
        """Whether a frame could be written."""
        return self._socket is not None and not self._socket.closed

    async def send(self, frame: bytes) -> None:
        """Write one text frame; its first byte leaves before anything else runs, or the call fails.

        Raises
        ------
        Disconnected
            If there is no connection: nothing was written.
        """
        if self._socket is None or self._socket.closed:
            raise Disconnected("no connection")
        await self._socket.send_frame(frame, aiohttp.WSMsgType.TEXT)

    async def drop(self) -> None:
        """End the connection; `run` makes a new one."""
        if self._socket is not None:
            await _close(self._socket)

    async def _tell_lost(self, detail: str) -> None:
        """Say that the connection is lost; waits for room, because nobody would say it again."""
        while True:
            try:
                self._on_lost(detail)
            except Overflow:
                await asyncio.sleep(_ROOM_S)
            else:
                return

    async def _connect_once(self) -> None:
        timeout = aiohttp.ClientWSTimeout(ws_close=_CLOSE_S_MAX)
        try:
            async with asyncio.timeout(_CONNECT_S_MAX):
                socket = await self._http.ws_connect(
                    self._url, max_msg_size=_FRAME_BYTES_MAX, autoping=True, timeout=timeout
                )
        except TimeoutError as error:
            raise Disconnected(f"no connection within {_CONNECT_S_MAX:.0f} s") from error
        try:
            self._socket = socket
            self.connects += 1
            self._heard_s = asyncio.get_running_loop().time()
            await self._live_on(socket)
        finally:
            self._socket = None
            for future in self._acks.values():
                future.cancel()
            self._acks.clear()
            await _close(socket)

    async def _live_on(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Join, and read until the connection ends."""
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(socket))
                pinger = group.create_task(self._ping(socket))
                await self._join(self)
                self._joined_s = asyncio.get_running_loop().time()
                await reader
                pinger.cancel()
        except* _ENDINGS as group_error:
            raise _first(group_error) from group_error

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        async for frame in socket:
            self._heard_s = loop.time()
            if frame.type is aiohttp.WSMsgType.TEXT:
                self._take(frame.data)
            elif frame.type is aiohttp.WSMsgType.ERROR:
                raise RemoteProtocolError(f"a frame that cannot be read: {frame.data}")
            else:
                raise RemoteProtocolError("a frame that is no text")
        raise _closed(socket.close_code)

    async def _ping(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        look_s = self._ping_every_s / _LOOKS_PER_PING
        while True:
            async with asyncio.timeout(self._silence_s_max):  # the peer may take nothing more
                await socket.send_str('{"op":"ping"}')
            for _ in range(_LOOKS_PER_PING):
                slept_s = loop.time()
                await asyncio.sleep(look_s)
                now_s = loop.time()
                stood_still_s = now_s - slept_s - look_s
                if stood_still_s > look_s:
                    self._forgive(stood_still_s, now_s)
                if now_s - self._heard_s > self._silence_s_max:
                    raise Disconnected(f"silent for {self._silence_s_max} s")
                if stood_still_s > look_s:
                    break

    def _forgive(self, stood_still_s: float, now_s: float) -> None:
        """Take a stop of this process out of the silence, as far as the venue needs to answer one ping.

        This process did not read then, and asked for nothing. The time in which it ran counts, so a machine that
        stops it again and again puts the end off, but not for ever.
        """
        enough_s = now_s - self._silence_s_max + self._ping_every_s
        self._heard_s = max(self._heard_s, min(self._heard_s + stood_still_s, enough_s))

    def _take(self, text: str) -> None:
        if self._on_text is not None:
            self._on_text(text)
        try:
            if self._on_reply is not None:
                message = parse_object(text)
                if "topic" not in message:
                    self._on_reply(message)
                    return
            frame = decode_frame(text)
        except RemoteProtocolError as error:
            self.bad_frames += 1
            if self._on_bad_frame is not None:
                self._on_bad_frame(error)
            return
        if isinstance(frame, ControlReply):
            self._acknowledge(frame)
        else:
            self._on_message(frame)

    def _acknowledge(self, reply: ControlReply) -> None:
        """Give an answer to whoever waits for it: by its id, or by its kind where the id is not echoed."""
        asked = [name for name in self._acks if name.rpartition("-")[0] == reply.op]
        name = reply.request_id
        if name not in asked and not name and len(asked) == 1:
            name = asked[0]
        future = self._acks.get(name)
        if future is not None and not future.done():
            future.set_result(reply)


async def _close(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Close politely, but do not wait long for a peer that does not answer, or that goes on and on talking."""
    with suppress(TimeoutError):
        async with asyncio.timeout(2 * _CLOSE_S_MAX):
            await socket.close()


def _closed(code: int | None) -> RemoteProtocolError | Disconnected:
    if code in _TURNED_AWAY_CLOSE:
        return TurnedAway(f"closed by the venue ({code})")
    return Disconnected(f"closed by the venue ({code})")


def _is_turned_away(error: BaseException) -> bool:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return error.status in _TURNED_AWAY_STATUS
    return isinstance(error, TurnedAway)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
