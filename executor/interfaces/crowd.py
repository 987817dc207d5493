"""How many connections the interface holds open at once, and which one goes when there are too many.

Anybody on this machine may open connections, and say nothing on them: without a bound they would take every file that
this process may open, and with them the connections to the venue. One on which nothing is at work makes room: first
those that never brought a token, then those that did, of each the one that is open for the longest.
"""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

CONNECTIONS_MAX: Final = 256


class Crowd:
    """The connections of one interface.

    Parameters
    ----------
    most
        So many are open at once; those that come in one turn of the event loop, a hundred at most, may be beyond it
        until the next comes.
    """

    def __init__(self, most: int = CONNECTIONS_MAX) -> None:
        self._most = most
        self._at_work: set[RequestHandler] = set()
        self._known: set[RequestHandler] = set()

    def begin(self, request: web.Request) -> None:
        """Note that a request is at work."""
        self._at_work.add(request.protocol)

    def know(self, request: web.Request) -> None:
        """Note that whoever asks has brought a token."""
        self._known.add(request.protocol)

    def end(self, request: web.Request) -> None:
        """Note that a request was answered."""
        self._at_work.discard(request.protocol)

    def admit(self, server: web.Server) -> asyncio.Protocol:
        """Make what speaks on a new connection, and make room for it."""
        held = [each for each in server.connections if each.transport is not None]
        self._known.intersection_update(held)
        too_many = len(held) + 1 - self._most
        if too_many > 0:
            idle = [each for each in held if each not in self._at_work]
            for each in sorted(idle, key=self._known.__contains__)[:too_many]:
                each.force_close()
        return server()
