"""Which hosts each mode may reach: the wall between play money and real money.

The transport checks the same table again before it connects.
"""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from config.problems import MASK

NEWS_FILES: Final = (".xml", ".rss", ".atom", ".jsonl")
URL_LEN_MAX: Final = 512
ENDPOINTS: Final = ("/chat/completions", "/completions", "/responses", "/models")
"""What a client adds to the address of a model's server by itself."""
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Mode(StrEnum):
    """What the executor trades against."""

    SANDBOX = "sandbox"
    TESTNET = "testnet"
    DEMO = "demo"
    PAPER = "paper"
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
    Mode.PAPER: VenueUrls(
        rest_url="https://api.bybit.com",
        public_ws_url="wss://stream.bybit.com",
        private_ws_url="",
    ),
    Mode.LIVE: VenueUrls(
        rest_url="https://api.bybit.com",
        public_ws_url="wss://stream.bybit.com",
        private_ws_url="wss://stream.bybit.com",
    ),
}
"""The only hosts of each mode; in sandbox mode the host must be a loopback address, the port is free. In paper mode
any host may be read from, since nothing is ever sent to it but questions that need no key."""


def why_not_host(mode: Mode, field: str, url: str) -> str | None:
    """Say which addresses are allowed if `url` may not be used for `field` in this mode; None if it may."""
    expected = str(getattr(URLS[mode], field))
    if not expected:
        return f"nothing: mode {mode} has no private side at any venue" if url else None
    scheme = urlsplit(expected).scheme
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"an address such as {expected}"
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    has_credentials = "@" in parts.netloc
    if mode is Mode.PAPER:
        # Without TLS only this machine is what it says it is.
        is_near = parts.scheme == scheme[:-1] and parts.hostname in LOOPBACK and port
        if is_bare and not has_credentials and parts.hostname and (parts.scheme == scheme or is_near):
            return None
        near = f"{scheme[:-1]}:// with a loopback host and a port"
        return f"{scheme}:// with any host and no path, such as {expected}, or {near}"
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


def why_not_model_url(url: str) -> str | None:
    """Say why an address may not be the one of a model's server; None if it may.

    A key and what an order is about go there, so without TLS only to this machine or a private network.
    """
    parts = _address(url)
    if parts is None or parts.query or parts.fragment:
        return "no address such as https://host/v1, without credentials and query"
    if parts.scheme == "http" and not _is_near(parts.hostname or ""):
        return "http:// to a host that is neither loopback nor private"
    return None


def without_endpoint(url: str) -> str | None:
    """Give the address of a model's server without what a client adds to it; None if nothing of that is in it."""
    bare = url.rstrip("/")
    return next((bare.removesuffix(end) for end in ENDPOINTS if bare.endswith(end)), None)


def why_not_news_source(source: str) -> str | None:
    """Say why texts may not be read from somewhere; None if they may."""
    if not source.isprintable() or not 0 < len(source) <= URL_LEN_MAX:
        return "no address and no path"
    if "://" in source:
        return None if _address(source) else "no http:// or https:// address without credentials"
    return None if source.endswith(NEWS_FILES) else f"a path that does not end in {', '.join(NEWS_FILES)}"


def _address(url: str) -> SplitResult | None:
    """Take an address apart; None if it is not one of http or https, or carries credentials."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > URL_LEN_MAX:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    fits = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and port != 0
    return parts if fits else None


def _is_near(host: str) -> bool:
    """Whether a host is this machine, in a private network, or named as containers are."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_loopback or address.is_private
