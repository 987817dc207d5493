"""Where the venue is and how we are let in: the settings as the venue takes them."""

from dataclasses import fields
from urllib.parse import urlsplit

from config.hosts import LOOPBACK, URLS, Mode, VenueUrls
from config.settings import Settings
from executor.venues.bybit.access import Access, Way


def access_of(settings: Settings) -> Access:
    """Where the venue is and how we are let in."""
    keys = settings.require()
    return Access(
        rest_url=settings.venue.rest_url,
        public_ws_url=settings.venue.public_ws_url,
        private_ws_url=settings.venue.private_ws_url,
        trade_ws_url=trade_ws_url(settings),
        hosts=hosts_of(settings.executor.mode),
        order_entry=Way(settings.venue.order_entry.value),
        dcp=settings.venue.dcp_window_s > 0,
        status_feed=settings.executor.mode is Mode.LIVE,
        api_key=keys.api_key.reveal(),
        api_secret=keys.api_secret.reveal(),
        request_timeout_s=float(settings.venue.request_timeout_s),
        book_depth=settings.market.book_depth,
        route_levels=settings.market.route_levels,
        conflate_ms=settings.market.conflate_ms,
    )


def trade_ws_url(settings: Settings) -> str:
    """Where orders go over a connection: the host of the private stream; demo trading has no such place."""
    return "" if settings.executor.mode is Mode.DEMO else settings.venue.private_ws_url


def hosts_of(mode: Mode) -> frozenset[str]:
    """The only hosts of a mode; in sandbox mode this machine's own."""
    if mode is Mode.SANDBOX:
        return frozenset(LOOPBACK)
    urls = URLS[mode]
    named = (urlsplit(getattr(urls, field.name)).hostname for field in fields(VenueUrls))
    return frozenset(host for host in named if host is not None)
