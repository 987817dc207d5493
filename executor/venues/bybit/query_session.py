"""The wall around pybit's HTTP client: given hosts and no others, and a request that can be given up from outside.

pybit sends through a session of `requests`, which would follow redirects, take proxies and passwords from the
environment, and wait for ever for an answer that comes byte by byte. Here every connection passes one adapter, which
refuses another host before a name is looked up, and which can end the connection in use.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from urllib3._base_connection import BaseHTTPConnection

_SCHEMES: Final = ("https://", "http://")


class HostRefused(requests.exceptions.InvalidURL):
    """An address leads to a host that this environment must not reach, or a proxy is in between."""


class _Pool(HTTPConnectionPool):
    """Connections to one host; remembers the one that was taken last."""

    taken: "BaseHTTPConnection | None" = None

    def _get_conn(self, timeout: float | None = None) -> "BaseHTTPConnection":
        self.taken = super()._get_conn(timeout)
        return self.taken


class _SecurePool(_Pool, HTTPSConnectionPool):
    """The same over TLS."""


class WalledAdapter(HTTPAdapter):
    """Sends one request at a time, to the given hosts only.

    Parameters
    ----------
    hosts
        The only hosts that may be reached.
    """

    def __init__(self, hosts: frozenset[str]) -> None:
        super().__init__(max_retries=0)
        self._hosts = hosts
        self._is_over = False
        self._pool: ConnectionPool | None = None
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> ConnectionPool:
        """Find the connections to a request's host; every request comes through here before anything is connected.

        Raises
        ------
        HostRefused
            If its host is none of the given ones, or a proxy is in between.
        requests.exceptions.ConnectionError
            If it was given up meanwhile.
        """
        if self._is_over:
            raise requests.exceptions.ConnectionError("given up before it was sent")
        pool = super().get_connection_with_tls_context(request, verify, None, cert)
        if pool.host not in self._hosts or proxies:
            raise HostRefused(f"{pool.host!r} is not a host of this environment, or a proxy leads there")
        self._pool = pool
        return pool

    def give_up(self) -> None:
        """End the connection in use, from another thread, whatever is still to come over it; send nothing more."""
        self._is_over = True
        taken = self._pool.taken if isinstance(self._pool, _Pool) else None
        wire = taken.sock if isinstance(taken, HTTPConnection) else None
        if wire is not None:
            with suppress(OSError):  # it has ended by itself
                # TLS's own shutdown is not made for another thread than the one that reads.
                socket.socket.shutdown(wire, socket.SHUT_RDWR)


def wall_in(session: requests.Session, hosts: frozenset[str]) -> WalledAdapter:
    """Put a session behind the wall: no other hosts, no redirects, nothing of the environment, no cookies kept.

    Returns
    -------
    WalledAdapter
        Through which all of its connections go.
    """
    adapter = WalledAdapter(hosts)
    for scheme in _SCHEMES:
        session.mount(scheme, adapter)
    session.trust_env = False
    session.max_redirects = 0
    session.proxies.clear()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return adapter
