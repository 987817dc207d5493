"""Other venues of the settings: read, refused if they cannot be traded safely, and opened beside Bybit."""

import importlib.util
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from config.hosts import LOOPBACK, Mode
from config.schema import PositionMode
from config.settings import Settings
from config.venues import VenueTable, read_venues
from executor.domain.errors import ConfigError
from executor.domain.finding import Finding, Verdict, fine
from executor.domain.orders import Category, client_order_id
from executor.domain.ports import Log
from executor.runtime.clock import Clock
from executor.runtime.lock import ProcessLock, key_lock_path
from executor.runtime.venue_counts import VenueCounts
from executor.venues.through_ccxt.dialect import Dialect
from executor.venues.through_ccxt.dialects import DIALECTS
from executor.venues.through_ccxt.gateway import CcxtVenue
from executor.venues.through_ccxt.terms import OtherVenue
from risk.turnstile import Turnstile

_MANY: Final = 36**4 - 1
"""Parents, and children of one, that a name must have room for."""


async def open_elsewhere(
    stack: AsyncExitStack,
    settings: Settings,
    environ: Mapping[str, str],
    instance: str,
    clock: Clock,
    turnstile: Turnstile,
    log: Log,
) -> dict[str, CcxtVenue]:
    """Open every other venue of the settings, by name; nothing is asked of them yet.

    Raises
    ------
    ConfigError
        If one cannot be traded safely, with words.
    AlreadyRunning
        If another daemon holds an account there.
    """
    venues = {}
    for terms, dialect in _wanted(settings, environ, instance):
        where = terms.rest_url or terms.exchange
        stack.enter_context(ProcessLock(key_lock_path(where, terms.api_key)))
        log("another venue is traded", venue=terms.name, exchange=terms.exchange, markets=len(terms.markets))
        venues[terms.name] = await stack.enter_async_context(
            CcxtVenue(terms, dialect, instance=instance, clock=clock, turnstile=turnstile, log=log)
        )
    return venues


def counted_elsewhere(venues: Mapping[str, CcxtVenue]) -> list[VenueCounts]:
    """How the ways to other venues stand, for the metrics."""
    return [
        VenueCounts(
            venue=name,
            answered=venue.counted.answered,
            unanswered=venue.counted.unanswered,
            barred=venue.counted.barred,
            read_ns=venue.counted.read_ns,
        )
        for name, venue in venues.items()
    ]


def look_elsewhere(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """What the doctor says of other venues, without asking them anything."""
    if settings.venues.file is None:
        return [fine("other venues", "none is configured")]
    try:
        wanted = _wanted(settings, environ, settings.executor.instance)
    except ConfigError as error:
        return [
            Finding(
                check="other venues",
                verdict=Verdict.FAIL,
                code="VENUES",
                found=str(error),
                allowed="venues that can be traded safely (docs/other-venues.md)",
                next_step="correct the file, or unset venues.file",
            )
        ]
    return [
        fine("other venues", f"{terms.name}: {terms.exchange}, {len(terms.markets)} markets, a key is given")
        for terms, _ in wanted
    ]


def _wanted(
    settings: Settings, environ: Mapping[str, str], instance: str
) -> list[tuple[OtherVenue, Dialect]]:
    file: Path | None = settings.venues.file
    if file is None:
        return []
    tables = read_venues(file, settings.executor.mode, environ)
    if importlib.util.find_spec("ccxt") is None:
        raise ConfigError(
            "venues.file names other venues, which need ccxt: install it with"
            " `pip install 'bybit-executor[reference]'`, or unset venues.file"
        )
    return [_terms(table, settings, instance) for table in tables]


def _terms(table: VenueTable, settings: Settings, instance: str) -> tuple[OtherVenue, Dialect]:
    dialect = DIALECTS.get(table.exchange)
    if dialect is None:
        raise ConfigError(
            f"venue {table.name}: nobody has written down what the answers of {table.exchange} prove, nor how an order"
            f" is found there by our own id whether it is open or closed; there is {', '.join(sorted(DIALECTS))}"
        )
    mode = settings.executor.mode
    hosts = {
        Mode.SANDBOX: frozenset(LOOPBACK),
        Mode.TESTNET: dialect.test_hosts,
        Mode.LIVE: dialect.hosts,
    }[mode]
    if not hosts:
        raise ConfigError(f"venue {table.name}: {table.exchange} has no test environment that ccxt reaches")
    home = settings.credentials
    if (
        table.exchange == "bybit"
        and home is not None
        and home.api_key == table.key
        and table.rest_url in {"", settings.venue.rest_url}
    ):
        raise ConfigError(
            f"venue {table.name} is the account that is traded already; orders would be counted twice"
        )
    is_linear = any(category is Category.LINEAR for category, _ in table.markets)
    if is_linear and settings.venue.position_mode is PositionMode.HEDGE:
        raise ConfigError(f"venue {table.name}: contracts of other venues need venue.position_mode = one_way")
    foreign = sorted({str(category) for category, _ in table.markets if category not in dialect.categories})
    if foreign:
        raise ConfigError(
            f"venue {table.name}: no {' and no '.join(foreign)} markets are traded by way of {table.exchange};"
            f" give them a table of their own with another exchange ({', '.join(sorted(DIALECTS))})"
        )
    longest = client_order_id(instance, _MANY, _MANY)
    try:
        is_same = dialect.read(dialect.written(longest)) == longest
    except ValueError as error:
        raise ConfigError(f"venue {table.name} takes no order ids like ours: {error}") from error
    if not is_same:
        raise ConfigError(f"venue {table.name}: our order ids cannot be read back there, such as {longest}")
    terms = OtherVenue(
        name=table.name,
        exchange=table.exchange,
        api_key=table.key.reveal(),
        api_secret=table.secret.reveal(),
        api_password="" if table.password is None else table.password.reveal(),
        rest_url=table.rest_url,
        testnet=table.testnet,
        hosts=hosts,
        markets=table.markets,
        poll_s=float(table.poll_s),
        request_timeout_s=float(settings.venue.request_timeout_s),
        recv_window_ms=settings.timings.recv_window_ms,
    )
    return terms, dialect
