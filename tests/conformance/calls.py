"""One row of the conformance list: a call or stream of a public client library, and what must come of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tests.conformance.stage import Stage


class Client(StrEnum):
    """The front ends of the two libraries; each is code of its own there."""

    PYBIT = "pybit"
    PYBIT_WS = "pybit ws"
    CCXT = "ccxt"
    CCXT_ASYNC = "ccxt async"
    CCXT_PRO = "ccxt pro"

    @property
    def library(self) -> str:
        """The package that holds the client."""
        return self.value.split()[0]


class Kind(StrEnum):
    """Whether the venue is meant to do what it is asked."""

    HAPPY = "happy"
    REFUSED = "refused"


class Setting(StrEnum):
    """The venue a row plays on.

    On the quiet one nobody trades but the row itself, on books laid by hand; the lively one has a crowd; the
    strict one shuts out an address after a few requests.
    """

    QUIET = "quiet"
    LIVELY = "lively"
    STRICT = "strict"


Run: TypeAlias = Callable[["Stage"], Awaitable[None] | None]
HAPPY: Final = Kind.HAPPY
REFUSED: Final = Kind.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One row: who calls what, and the function that calls and asserts. ``promise`` is what it asserts, in words."""

    name: str
    client: Client
    method: str
    target: str
    kind: Kind
    promise: str
    run: Run
    setting: Setting = Setting.QUIET


class Rows:
    """Collects the rows of one subject; its methods are decorators, the docstring below them is the promise."""

    def __init__(self, subject: str, tag: str) -> None:
        self.subject: Final = subject
        self._tag = tag
        self.calls: Final[list[Call]] = []

    def pybit(
        self, method: str, target: str, kind: Kind = HAPPY, setting: Setting = Setting.QUIET
    ) -> Callable[[Run], Run]:
        """Add a row for ``pybit.unified_trading.HTTP``."""
        return self._row(Client.PYBIT, method, target, kind, setting)

    def pybit_ws(
        self, method: str, target: str, kind: Kind = HAPPY, setting: Setting = Setting.QUIET
    ) -> Callable[[Run], Run]:
        """Add a row for pybit's sockets."""
        return self._row(Client.PYBIT_WS, method, target, kind, setting)

    def ccxt_pro(
        self, method: str, target: str, kind: Kind = HAPPY, setting: Setting = Setting.QUIET
    ) -> Callable[[Run], Run]:
        """Add a row for ``ccxt.pro.bybit``."""
        return self._row(Client.CCXT_PRO, method, target, kind, setting)

    def plain(
        self, client: Client, method: str, target: str, kind: Kind = HAPPY, setting: Setting = Setting.QUIET
    ) -> Callable[[Run], Run]:
        """Add a row that opens its client itself, with other settings than usual."""
        return self._row(client, method, target, kind, setting)

    def ccxt(
        self, method: str, target: str, kind: Kind = HAPPY, setting: Setting = Setting.QUIET
    ) -> Callable[..., Callable[..., Awaitable[None]]]:
        """Add two rows, for ``ccxt.bybit`` and ``ccxt.async_support.bybit``: the function is given either client."""

        def add(act: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            for client in (Client.CCXT, Client.CCXT_ASYNC):
                self._add(client, method, target, kind, setting, _with_ccxt(act, client))
            return act

        return add

    def _row(
        self, client: Client, method: str, target: str, kind: Kind, setting: Setting
    ) -> Callable[[Run], Run]:
        def add(act: Run) -> Run:
            self._add(client, method, target, kind, setting, act)
            return act

        return add

    def _add(self, client: Client, method: str, target: str, kind: Kind, setting: Setting, act: Run) -> None:
        promise = " ".join((inspect.getdoc(act) or "").split())
        words = act.__name__.replace("_", " ")
        self.calls.append(
            Call(
                name=f"{client.value.replace(' ', '-')}: {self._tag}: {words}",
                client=client,
                method=method,
                target=target,
                kind=kind,
                promise=promise,
                run=act,
                setting=setting,
            )
        )


def versions() -> dict[str, str]:
    """Return the installed version of each library."""
    return {name: version(name) for name in sorted({client.library for client in Client})}


def _with_ccxt(act: Callable[..., Awaitable[None]], client: Client) -> Run:
    @wraps(act)
    async def run(stage: Stage) -> None:
        async with stage.ccxt_client(client) as exchange:
            await act(stage, exchange)

    return run
