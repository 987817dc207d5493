"""Where the venue is and how we are let in: addresses, keys, time-outs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One account at one environment.

    Parameters
    ----------
    rest_url
        Scheme, host and port, without a path.
    public_ws_url, private_ws_url
        The same for the streams; paths are added.
    request_timeout_s
        Longest time a request may take, seconds.
    book_depth
        Depth of the order book stream: 1, 50 or 200 levels.
    conflate_ms
        Shortest time between two market snapshots for the engine, milliseconds.
    """

    rest_url: str
    public_ws_url: str
    private_ws_url: str
    api_key: str
    api_secret: str = field(repr=False)
    request_timeout_s: float = 5.0
    book_depth: int = 50
    conflate_ms: int = 100
