"""Which hosts each mode may reach: the wall between play money and real money.

The transport checks the same table again before it connects.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from config.problems import MASK

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Mode(StrEnum):
    """What the executor trades against."""

    SANDBOX = "sandbox"
    TESTNET = "testnet"
    DEMO = "demo"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueUrls:
    """Base addresses, without a path: queries and orders, public market data, private order data."""

    rest_url: str
    public_ws_url: str
    private_ws_url: str


URLS: Final[dict[Mode, VenueUrls]] = {
    Mode.SANDBOX: VenueUrls(
        rest_url="http://127.0.0.1:8765",
        public_ws_url="ws://127.0.0.1:8765",
        private_ws_url="ws://127.0.0.1:8765",
    ),
    Mode.TESTNET: VenueUrls(
        rest_url="https://api-testnet.bybit.com",
        public_ws_url="wss://stream-testnet.bybit.com",
        private_ws_url="wss://stream-testnet.bybit.com",
    ),
    Mode.DEMO: VenueUrls(
        rest_url="https://api-demo.bybit.com",
        public_ws_url="wss://stream.bybit.com",
        private_ws_url="wss://stream-demo.bybit.com",
    ),
    Mode.LIVE: VenueUrls(
        rest_url="https://api.bybit.com",
        public_ws_url="wss://stream.bybit.com",
        private_ws_url="wss://stream.bybit.com",
    ),
}
"""The only hosts of each mode; in sandbox mode the host must be a loopback address, the port is free."""


def why_not_host(mode: Mode, field: str, url: str) -> str | None:
    """Say which addresses are allowed if `url` may not be used for `field` in this mode; None if it may."""
    expected = str(getattr(URLS[mode], field))
    scheme = urlsplit(expected).scheme
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"an address such as {expected}"
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    has_credentials = "@" in parts.netloc
    if mode is Mode.SANDBOX:
        if is_bare and not has_credentials and parts.scheme == scheme and parts.hostname in LOOPBACK and port:
            return None
        return f"{scheme}:// with a loopback host ({', '.join(LOOPBACK)}), a port and no path, such as {expected}"
    is_host = parts.hostname == urlsplit(expected).hostname and port in (None, 443)
    if is_bare and not has_credentials and parts.scheme == scheme and is_host:
        return None
    return f"{expected} (mode {mode} reaches no other host; no path, no credentials, no IP address)"


def without_credentials(url: str) -> str:
    """Show an address with the credentials in it masked."""
    head, separator, tail = url.rpartition("@")
    if not separator:
        return url
    scheme, mark, _ = head.partition("://")
    return f"{scheme}{mark}{MASK}@{tail}" if mark else f"{MASK}@{tail}"
