"""What a person says of one other venue: which it is, how we are let in, and which of its markets are traded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from executor.domain.orders import Category

Market = tuple[Category, str]
"""A category and our symbol in it, without the name of the venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVenue:
    """One account at one venue that is reached through ccxt.

    Parameters
    ----------
    name
        What stands behind the `@` of its symbols.
    exchange
        The venue's id in ccxt.
    api_password
        A third part of the key, where the venue has one.
    rest_url
        Address in place of the venue's own; empty takes those that ccxt knows.
    testnet
        Whether ccxt's addresses of the venue's test environment are taken.
    hosts
        The only hosts that may be reached.
    markets
        The venue's unified ccxt symbol of each of our markets.
    poll_s
        Distance of two looks at a market, and at the account while an order is at work, seconds.
    request_timeout_s
        Longest time a request may take, seconds.
    recv_window_ms
        Age at which the venue must refuse a request, milliseconds.
    """

    name: str
    exchange: str
    api_key: str
    api_secret: str = field(repr=False)
    api_password: str = field(default="", repr=False)
    rest_url: str = ""
    testnet: bool = False
    hosts: frozenset[str]
    markets: Mapping[Market, str]
    poll_s: float = 1.0
    request_timeout_s: float = 10.0
    recv_window_ms: int = 5_000
