"""Where the venue is and how we are let in: addresses, keys, time-outs."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from executor.domain.errors import ConfigError

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Way(StrEnum):
    """How orders are sent: each as a signed request of its own, or over one connection that stays open."""

    REST = "rest"
    WEBSOCKET = "websocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One account at one environment.

    Parameters
    ----------
    rest_url
        Scheme, host and port, without a path.
    public_ws_url, private_ws_url
        The same for the streams; paths are added.
    trade_ws_url
        The same for the socket that takes orders; empty where there is none (demo).
    hosts
        The only hosts that may be reached; the transport refuses every other, whatever an address says. This machine
        alone unless told otherwise.
    api_secret
        The shared secret of the key, or its private RSA key in PEM form.
    order_entry
        How orders are sent.
    request_timeout_s
        Longest time a request may take, seconds.
    book_depth
        Depth of the order book stream, levels.
    route_levels
        Levels behind the touch that the engine sees.
    conflate_ms
        Shortest time between two market snapshots for the engine, milliseconds.
    dcp
        Whether the private stream arms the venue's own cancelling of our orders when it is lost.
    status_feed
        Whether the venue announces maintenance on a stream (documented for the main environment alone).

    Raises
    ------
    ConfigError
        If an address leads to another host, or orders shall go over a socket that does not exist.
    """

    rest_url: str
    public_ws_url: str
    private_ws_url: str
    api_key: str
    api_secret: str = field(repr=False)
    trade_ws_url: str = ""
    hosts: frozenset[str] = LOOPBACK
    order_entry: Way = Way.REST
    request_timeout_s: float = 5.0
    book_depth: int = 50
    route_levels: int = 0
    conflate_ms: int = 100
    dcp: bool = False
    status_feed: bool = False

    def __post_init__(self) -> None:
        """Refuse what could never work, before anything is connected."""
        for url in (self.rest_url, self.public_ws_url, self.private_ws_url, self.trade_ws_url):
            host = urlsplit(url).hostname
            if url and host not in self.hosts:
                raise ConfigError(
                    f"{host!r} is not a host of this environment: {', '.join(sorted(self.hosts))}"
                )
        if self.order_entry is Way.WEBSOCKET and not self.trade_ws_url:
            raise ConfigError("this environment takes no orders over a WebSocket: order_entry must be rest")
