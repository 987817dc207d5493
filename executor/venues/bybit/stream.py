"""One WebSocket connection that is kept up: connect, join, read, ping, and start over with back-off.

It is live only while something was heard within the last ten seconds, the time to notice and to close
included. What is read is handed on as parsed
JSON; frames that cannot be parsed are counted and skipped, oversize frames end the connection.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp

from executor.domain.errors import Disconnected, Overflow, RemoteProtocolError
from executor.domain.ports import Log

Message = dict[str, object]

PING_EVERY_S = 3.0
SILENCE_S_MAX = 8.0
_LOOKS_PER_PING = 3
_CLOSE_S_MAX = 0.5
_ACK_S_MAX = 10.0
_ROOM_S = 0.05
_FRAME_BYTES_MAX = 4 << 20
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0


class Stream:
    """Keeps one connection up.

    Parameters
    ----------
    join
        Called with a fresh connection; authenticates and subscribes, and returns when both are acknowledged.
    on_message
        Called with each message that is not a control frame.
    on_lost
        Called when a connection that had joined has ended, with the reason.
    log
        Told of every connection that failed or ended.
    random
        Seeded; spreads reconnects in time.
    ping_every_s, silence_s_max
        Time between two pings, and time without a word after which the connection counts as lost, seconds.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        url: str,
        join: Callable[["Stream"], Awaitable[None]],
        on_message: Callable[[Message], None],
        on_lost: Callable[[str], None],
        log: Log,
        random: Random,
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
    ) -> None:
        self._ping_every_s = ping_every_s
        self._silence_s_max = silence_s_max
        self._http = http
        self._url = url
        self._join = join
        self._on_message = on_message
        self._on_lost = on_lost
        self._log = log
        self._random = random
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._acks: dict[str, asyncio.Future[Message]] = {}
        self._requests = 0
        self._heard_s = 0.0
        self.connects = 0
        self.bad_frames = 0

    async def run(self) -> None:
        """Connect for ever; ends only by cancellation, which a time-out inside must not hide."""
        failures = 0
        task = asyncio.current_task()
        while task is None or not task.cancelling():  # closing a socket can swallow a cancellation
            began_s = asyncio.get_running_loop().time()
            try:
                await self._connect_once()
            except (
                aiohttp.ClientError,
                OSError,
                TimeoutError,
                Disconnected,
                RemoteProtocolError,
                Overflow,
            ) as error:
                detail = f"{type(error).__name__}: {error}"[:200]
                self._log("stream lost", level="warning", url=self._url, error=detail)
                await self._tell_lost(detail)
            steady = asyncio.get_running_loop().time() - began_s > _STEADY_S
            failures = 0 if steady else min(failures + 1, len(_BACKOFF_S) - 1)
            await asyncio.sleep(_BACKOFF_S[failures] * self._random.uniform(0.5, 1.5))

    async def request(self, op: str, args: list[str | int] | list[str]) -> Message:
        """Send an operation and wait for its acknowledgement.

        Raises
        ------
        Disconnected, RemoteProtocolError
            If there is no connection, or the venue says no.
        """
        if self._socket is None:
            raise Disconnected("no connection")
        self._requests += 1
        name = f"{op}-{self._requests}"
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._acks[op if op == "auth" else name] = future
        await self._socket.send_str(json.dumps({"req_id": name, "op": op, "args": args}))
        try:
            answer = await asyncio.wait_for(future, _ACK_S_MAX)
        finally:
            self._acks.pop(op if op == "auth" else name, None)
        if answer.get("success") is not True:
            raise RemoteProtocolError(f"{op} refused: {str(answer.get('ret_msg'))[:100]!r}")
        return answer

    async def drop(self) -> None:
        """End the connection; `run` makes a new one."""
        if self._socket is not None:
            await self._socket.close()

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
        # A peer that has gone silent will not answer the closing either: do not wait long for it.
        timeout = aiohttp.ClientWSTimeout(ws_close=_CLOSE_S_MAX)
        async with self._http.ws_connect(
            self._url, max_msg_size=_FRAME_BYTES_MAX, autoping=True, timeout=timeout
        ) as socket:
            self._socket = socket
            self.connects += 1
            self._heard_s = asyncio.get_running_loop().time()
            try:
                async with asyncio.TaskGroup() as group:
                    reader = group.create_task(self._read(socket))
                    pinger = group.create_task(self._ping(socket))
                    await self._join(self)
                    await reader
                    pinger.cancel()
            except* (
                aiohttp.ClientError,
                OSError,
                TimeoutError,
                Disconnected,
                RemoteProtocolError,
                Overflow,
            ) as group_error:
                raise _first(group_error) from group_error
            finally:
                self._socket = None
                for future in self._acks.values():
                    future.cancel()
                self._acks.clear()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            self._heard_s = asyncio.get_running_loop().time()
            if frame.type is aiohttp.WSMsgType.TEXT:
                self._take(frame.data)
        raise Disconnected(f"closed by the venue ({socket.close_code})")

    async def _ping(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await socket.send_str('{"op":"ping"}')
            for _ in range(_LOOKS_PER_PING):
                await asyncio.sleep(self._ping_every_s / _LOOKS_PER_PING)
                if loop.time() - self._heard_s > self._silence_s_max:
                    raise Disconnected(f"silent for {self._silence_s_max} s")

    def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            self.bad_frames += 1
            return
        if not isinstance(message, dict):
            self.bad_frames += 1
        elif "topic" in message:
            self._on_message(message)
        elif message.get("op") in {"auth", "subscribe", "unsubscribe"}:
            name = "auth" if message.get("op") == "auth" else str(message.get("req_id", ""))
            future = self._acks.get(name)
            if future is not None and not future.done():
                future.set_result(message)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
