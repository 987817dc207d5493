"""The wall around the HTTP client: given hosts and no others, and a last look before the first byte.

aiohttp repeats a request by itself only for idempotent methods on a connection that was used before; order
requests are POST. Redirects, proxies of the environment and cookies are off for every session made here.
"""

import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from executor.venues.bybit.answers import NotSent

LAST_LOOK: Final[ContextVar[Callable[[], str] | None]] = ContextVar("LAST_LOOK", default=None)
"""Says, when a request is about to be written, why it may not leave; empty if it may."""
_CONNECTIONS_MAX: Final = 32
_IDLE_S_MAX: Final = 60.0


class HostForbidden(aiohttp.ClientError):
    """An address leads to a host that this environment must not reach."""


class NotReached(aiohttp.ClientConnectorError):
    """No connection came about; says so without the inner life of the library."""

    def __str__(self) -> str:
        return f"no connection to {self.host}:{self.port} ({reason_of(self.os_error)})"


def reason_of(error: OSError) -> str:
    """Why a connection was not made, in the words of the operating system."""
    # The loop puts the address into the text; a number below zero is one of the name service.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


class GuardedRequest(aiohttp.ClientRequest):
    """A request that asks once more whether it may leave when its connection stands ready.

    The head of a request waits until its body is written, and between the two the loop may run others; therefore the
    question is asked where the body is written, with nothing in between.
    """

    async def write_bytes(
        self,
        writer: AbstractStreamWriter,
        conn: aiohttp.connector.Connection,
        content_length: int | None = None,
    ) -> None:
        """Write head and body, unless the request was forbidden while it waited."""
        look = LAST_LOOK.get()
        refusal = "" if look is None else look()
        if not refusal:
            return await super().write_bytes(writer, conn, content_length)
        if conn.protocol is not None:
            conn.protocol.set_exception(NotSent(refusal))  # whoever waits for the answer gets this instead
        return None


class WalledConnector(aiohttp.TCPConnector):
    """Connects to the given hosts only, for requests and for sockets."""

    def __init__(self, hosts: frozenset[str]) -> None:
        super().__init__(limit=_CONNECTIONS_MAX, keepalive_timeout=_IDLE_S_MAX)
        self._hosts = hosts

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> aiohttp.connector.Connection:
        """Hand out a connection to the request's host.

        Raises
        ------
        HostForbidden
            If the host is none of the given ones, or a proxy is in between.
        NotReached
            If nothing can be reached there.
        """
        if req.url.host not in self._hosts or req.proxy is not None:
            raise HostForbidden(f"{req.url.host!r} is not a host of this environment")
        try:
            return await super().connect(req, traces, timeout)
        except (aiohttp.ClientSSLError, NotReached):
            raise
        except aiohttp.ClientConnectorError as error:
            raise NotReached(*error.args) from error


def new_session(hosts: frozenset[str], timeout_s: float | None = None) -> aiohttp.ClientSession:
    """Make a client behind the wall; certificates are checked, as is aiohttp's default.

    Parameters
    ----------
    timeout_s
        Longest time for one request, seconds; None for sockets, which stay open.
    """
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        trust_env=False,
        connector=WalledConnector(hosts),
        request_class=GuardedRequest,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
