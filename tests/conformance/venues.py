"""The servers the rows play on: at most one of each setting at a time in a test process, started when wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import Final

from Crypto.PublicKey import RSA

from sandbox.bybit_server import Credentials, FlowSettings, RunningServer, SandboxOptions
from tests.conformance.calls import Setting
from tests.sandbox.venue_support import venue_in_thread

ACCOUNTS: Final = 60
"""Of one server: with all that it knows it answers `/_truth`, and so it is exchanged when each has had its row."""
ACCOUNTS_OF_A_ROW_MAX: Final = 2
"""A row that must see nothing of other accounts needs another one."""
RSA_BITS: Final = 1024
ADDRESS_REQUESTS_MAX: Final = 25


class Venue:
    """One running server, with accounts nobody has used yet.

    Parameters
    ----------
    server
        The server.
    credentials
        Keys of its accounts, handed out once each.
    rsa_keys
        Credentials that verify with a public key, each with the private key in PEM.
    """

    def __init__(
        self,
        server: RunningServer,
        credentials: list[Credentials],
        rsa_keys: Iterator[tuple[Credentials, str]],
    ) -> None:
        self.server: Final = server
        self._credentials = credentials
        self._rsa_keys = rsa_keys
        self.ccxt_markets: object = None

    @property
    def is_used_up(self) -> bool:
        """Whether so many accounts have been handed out that a row might not find enough."""
        return len(self._credentials) < ACCOUNTS_OF_A_ROW_MAX

    def fresh_key(self) -> Credentials:
        """Return an API key of an account that has done nothing yet."""
        return self._credentials.pop()

    def fresh_rsa_key(self) -> tuple[Credentials, str]:
        """Return a key of the RSA kind and its private half."""
        return next(self._rsa_keys)


class Venues:
    """Every server of this process, by setting."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._open: dict[Setting, Venue] = {}
        self._ends: dict[Setting, ExitStack] = {}

    def of(self, setting: Setting) -> Venue:
        """Return the server of a setting, with as many accounts as a row takes that nobody has used."""
        before = self._open.get(setting)
        if before is None or before.is_used_up:
            if before is not None:
                self._ends[setting].close()
            self._ends[setting] = self._stack.enter_context(ExitStack())
            self._open[setting] = self._start(setting)
            self._open[setting].ccxt_markets = before and before.ccxt_markets
        return self._open[setting]

    @cached_property
    def _private_keys(self) -> tuple[RSA.RsaKey, ...]:
        return tuple(RSA.generate(RSA_BITS) for _ in range(2))

    def _start(self, setting: Setting) -> Venue:
        keys = tuple(Credentials(key=f"key{n}", secret=f"secret-{n}", uid=2000 + n) for n in range(ACCOUNTS))
        rsa_keys = []
        if setting is Setting.QUIET:
            for n in range(20):
                private = self._private_keys[n % 2]
                public_pem = private.public_key().export_key().decode()
                entry = Credentials(key=f"rsa{n}", secret="", uid=9000 + n, public_key_pem=public_pem)
                rsa_keys.append((entry, private.export_key().decode()))
        options = SandboxOptions(
            seed=7,
            credentials=(*keys, *(entry for entry, _ in rsa_keys)),
            address_requests_max=ADDRESS_REQUESTS_MAX if setting is Setting.STRICT else 0,
            flow=FlowSettings(frozen=setting is not Setting.LIVELY),
        )
        server = self._ends[setting].enter_context(venue_in_thread(options))
        return Venue(server, list(keys), itertools.cycle(rsa_keys))
