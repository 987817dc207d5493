"""The file of other venues: one table for each, checked whole when it is read. Keys come from the environment alone."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from config.hosts import LOOPBACK, Mode
from config.problems import ConfigProblems, Problem, place, quoted
from config.secrets import Secret
from executor.domain.orders import Category
from executor.domain.places import VENUE_FORM, is_venue_name

BYTES_MAX: Final = 65_536
VENUES_MAX: Final = 8
MARKETS_MAX: Final = 32
POLL_S: Final = (1, 60)
MODES: Final = frozenset({Mode.SANDBOX, Mode.TESTNET, Mode.LIVE})
"""Modes in which other venues can be traded; in the others no order goes anywhere, or only to Bybit's play money."""
_SYMBOL: Final = re.compile(r"\A[A-Z0-9]{3,24}\Z", re.ASCII)
_ENV: Final = re.compile(r"\A[A-Z][A-Z0-9_]{2,63}\Z", re.ASCII)
_EXCHANGE: Final = re.compile(r"\A[a-z][a-z0-9]{1,31}\Z", re.ASCII)
_FORM: Final = "a table for each venue as in docs/other-venues.md"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the file of one venue."""

    exchange: str
    key_env: str
    secret_env: str
    password_env: str = ""
    rest_url: str = ""
    poll_s: int = 1
    spot: dict[str, str] = msgspec.field(default_factory=dict)
    linear: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTable:
    """One other venue, as it was written; the keys are those of the environment.

    Parameters
    ----------
    name
        What stands behind the `@` of its symbols.
    exchange
        Its id in ccxt.
    rest_url
        Address of a stand-in on this machine, in sandbox mode; empty in all others.
    testnet
        Whether it is the venue's test environment.
    markets
        ccxt's symbol of each of our markets.
    poll_s
        Distance of two looks at a market, seconds.
    """

    name: str
    exchange: str
    key: Secret
    secret: Secret
    password: Secret | None
    rest_url: str
    testnet: bool
    poll_s: int
    markets: Mapping[tuple[Category, str], str] = field(default_factory=dict)


def read_venues(path: Path, mode: Mode, environ: Mapping[str, str]) -> tuple[VenueTable, ...]:
    """Read the file.

    Raises
    ------
    ConfigProblems
        VENUES with every problem found; no value of a key is in it.
    """
    if mode not in MODES:
        raise _problem(path, f"mode {mode}", f"no other venues in mode {mode}")
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
        if len(raw) > BYTES_MAX:
            raise _problem(path, f"more than {BYTES_MAX} bytes")
        tables = tomllib.loads(raw.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _problem(path, quoted(str(error))) from error
    if not 0 < len(tables) <= VENUES_MAX:
        raise _problem(path, f"{len(tables)} venues", f"1 to {VENUES_MAX}")
    found, problems = [], []
    for name, table in tables.items():
        try:
            found.append(_venue(name, table, mode, environ))
        except ValueError as error:
            problems.append(_entry(path, f"{name}: {error}"))
    if problems:
        raise ConfigProblems(problems)
    return tuple(found)


def _venue(name: str, table: object, mode: Mode, environ: Mapping[str, str]) -> VenueTable:
    if not is_venue_name(name):
        raise ValueError(f"a venue is called by {VENUE_FORM}")
    try:
        told = msgspec.convert(table, _Table)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    if not _EXCHANGE.match(told.exchange):
        raise ValueError("exchange is a lower-case name of ccxt, such as binance")
    if not POLL_S[0] <= told.poll_s <= POLL_S[1]:
        raise ValueError(f"poll_s is {POLL_S[0]} to {POLL_S[1]}")
    markets = {
        (category, symbol): unified
        for category, named in ((Category.SPOT, told.spot), (Category.LINEAR, told.linear))
        for symbol, unified in named.items()
    }
    if not 0 < len(markets) <= MARKETS_MAX:
        raise ValueError(f"{len(markets)} markets in spot and linear; 1 to {MARKETS_MAX} are needed")
    for (_, symbol), unified in markets.items():
        if not _SYMBOL.match(symbol) or not 3 <= len(unified) <= 40 or "/" not in unified:
            raise ValueError(f'{quoted(symbol)} = {quoted(unified)}; it is such as BTCUSDT = "BTC/USDT"')
    why = _why_not_url(mode, told.rest_url)
    if why:
        raise ValueError(f"rest_url is {why}")
    return VenueTable(
        name=name,
        exchange=told.exchange,
        key=_from_environment(told.key_env, environ),
        secret=_from_environment(told.secret_env, environ),
        password=_from_environment(told.password_env, environ) if told.password_env else None,
        rest_url=told.rest_url.rstrip("/"),
        testnet=mode is Mode.TESTNET,
        poll_s=told.poll_s,
        markets=markets,
    )


def _why_not_url(mode: Mode, url: str) -> str:
    """What an address must be; empty if it is. A sandbox never speaks with the world, and no other mode with one."""
    if mode is not Mode.SANDBOX:
        return "for mode sandbox alone" if url else ""
    try:
        parts = urlsplit(url)
        near = parts.scheme == "http" and parts.hostname in LOOPBACK and parts.port
    except ValueError:
        near = None
    return "" if near and "@" not in url else "http:// with a loopback host and a port in mode sandbox"


def _from_environment(name: str, environ: Mapping[str, str]) -> Secret:
    if not _ENV.match(name):
        raise ValueError("key_env, secret_env and password_env name variables of the environment")
    value = environ.get(name, "").strip()
    if not value:
        raise ValueError(f"the environment has no {name}")
    return Secret(value)


def _entry(path: Path, got: str, allowed: str = _FORM) -> Problem:
    return Problem(
        code="VENUES",
        where=place(path),
        got=got,
        allowed=allowed,
        next_step="correct the file, or unset venues.file",
    )


def _problem(path: Path, got: str, allowed: str = _FORM) -> ConfigProblems:
    return ConfigProblems([_entry(path, got, allowed)])
