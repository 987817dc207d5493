"""Where the pictures come from: one daemon's streams, opened anew whenever they end, and the verbs it is asked.

For looking only, the daemon is asked for a session that may do nothing else: it refuses every verb itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final, Protocol

import aiohttp

from config.problems import ConfigProblems
from config.secrets import Secret
from executor.interfaces.client import Client, Endpoint
from executor.interfaces.failure import CommandFailed

Json = dict[str, Any]
ALL: Final = "/v1/stream"
"""The picture of everything; that of one order is below it."""
AGAIN_S: Final = 0.5
"""Before a stream that ended is opened anew, at first; twice as long each time."""
AGAIN_S_MAX: Final = 8.0
SILENT_S_MAX: Final = 15.0
"""A stream on which nothing comes for so long is given up."""
PICTURE_BYTES_MAX: Final = 16 * 1024 * 1024
_END: Final = b"\n\n"
_MARK: Final = b"data: "


class Feed(Protocol):
    """What the board needs of a daemon."""

    @property
    def trouble(self) -> str:
        """Why nothing is heard; empty if something is."""
        ...

    def pictures(self, path: str) -> AsyncIterator[Json]:
        """Give pictures as they come; ends only where there is no such order."""
        ...

    async def ask(self, path: str, body: Json) -> Json:
        """Ask for a change, or fail as `Client.post` does."""
        ...


class DaemonFeed:
    """The feed of a running daemon.

    Parameters
    ----------
    find
        Finds the daemon; asked again whenever it is not there any more, because it may begin anew at another address.
    read_only
        Whether to ask it for a session that may only look.
    """

    def __init__(self, find: Callable[[], Endpoint], *, read_only: bool) -> None:
        self._find = find
        self._read_only = read_only
        self._found: Endpoint | None = None
        self._one_finds = asyncio.Lock()
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why nothing is heard; empty if something is."""
        return self._trouble

    async def pictures(self, path: str) -> AsyncIterator[Json]:
        """Give pictures as they come, and begin again when they end; ends only where there is no such order."""
        wait_s = AGAIN_S
        while True:
            try:
                async for picture in self._stream(path):
                    wait_s, self._trouble = AGAIN_S, ""
                    yield picture
                self._trouble = "the daemon has ended the stream"
            except _NoSuchOrder:
                return
            except (CommandFailed, ConfigProblems) as error:
                self._found = None
                self._trouble = error.problems[0].line()
            except aiohttp.ClientResponseError as error:
                # Refused by a daemon that is there, such as one with too many viewers: only where our session is over
                # is another asked for, since each new one may end that of somebody else.
                if error.status == HTTPStatus.UNAUTHORIZED:
                    self._found = None
                self._trouble = f"the daemon refuses: {error.status} {error.message}"
            except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
                self._found = None
                self._trouble = str(error) or type(error).__name__
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, AGAIN_S_MAX)

    async def ask(self, path: str, body: Json) -> Json:
        """Ask for a change.

        Raises
        ------
        CommandFailed
            As `Client.post` does.
        ConfigProblems
            If the daemon's token cannot be read.
        """
        endpoint = await self._endpoint()
        return await asyncio.to_thread(Client(endpoint).post, path, body)

    async def leave(self) -> None:
        """End the session for looking only; without one do nothing."""
        if self._read_only and self._found is not None:
            with suppress(CommandFailed, ConfigProblems):
                await asyncio.to_thread(Client(self._found).post, "/v1/board/leave", {})

    async def _stream(self, path: str) -> AsyncIterator[Json]:
        """Read one stream to its end; of pictures that came together only the last counts."""
        endpoint = await self._endpoint()
        limits = aiohttp.ClientTimeout(total=None, sock_connect=SILENT_S_MAX, sock_read=SILENT_S_MAX)
        headers = {"Authorization": f"Bearer {endpoint.token.reveal()}"}
        async with (
            aiohttp.ClientSession(timeout=limits, trust_env=False) as session,
            session.get(f"{endpoint.url}{path}", headers=headers, allow_redirects=False) as response,
        ):
            if response.status == 404:
                raise _NoSuchOrder
            response.raise_for_status()
            rest = b""
            async for chunk in response.content.iter_any():
                *whole, rest = (rest + chunk).split(_END)
                if len(rest) > PICTURE_BYTES_MAX:
                    raise ValueError(f"a picture of more than {PICTURE_BYTES_MAX} bytes")
                if whole:
                    yield _read_picture(whole[-1])

    async def _endpoint(self) -> Endpoint:
        async with self._one_finds:
            if self._found is None:
                self._found = await asyncio.to_thread(self._enter)
            return self._found

    def _enter(self) -> Endpoint:
        """Find the daemon, and change its token for that of a session that may only look, where that is wanted."""
        endpoint = self._find()
        if not self._read_only:
            return endpoint
        client = Client(endpoint)
        code = client.post("/v1/board/codes", {"read_only": True})["code"]
        token = client.post("/board/session", {"code": code})["token"]
        return replace(endpoint, token=Secret(str(token)))


class _NoSuchOrder(Exception):  # noqa: N818 - an answer, not a fault
    """The daemon knows no such order."""


def _read_picture(event: bytes) -> Json:
    """Read one event of a stream.

    Raises
    ------
    ValueError
        If it is not a picture.
    """
    picture = json.loads(event.removeprefix(_MARK))
    if not isinstance(picture, dict):
        raise ValueError("the daemon sent something that is not a picture")  # noqa: TRY004 - wrong text, not a wrong type
    return picture
