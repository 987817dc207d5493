"""What must be known of a venue before orders go there through ccxt, and what ccxt does not say.

ccxt makes the requests of a hundred venues alike, but not what they prove: which bytes an order becomes, which answers
refuse it, how an order is found by our own id, from when on a late request is turned away. A venue has a dialect, in
which somebody wrote that down, or nothing is sent to it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.errors import LocalProtocolError, RemoteProtocolError
from executor.domain.events import Event
from executor.domain.orders import Category, NewOrder

Exchange = Any
"""An exchange of ccxt's asynchronous kind; the library has no types."""
Row = Mapping[str, Any]
Fetch = Callable[..., Awaitable[Any]]
_OK: Final = 200
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it would leave: signed, whole."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An answer as it came."""

    status: int
    content_type: str
    text: str

    def parsed(self) -> object:
        """What a whole answer of status 200 says.

        Raises
        ------
        RemoteProtocolError
            If it is anything else.
        """
        if self.status != _OK:
            raise RemoteProtocolError(f"HTTP {self.status}")
        return self.json()

    def json(self) -> object:
        """What the answer says, whatever its status.

        Raises
        ------
        RemoteProtocolError
            If it is no JSON.
        """
        if not self.content_type.startswith(_JSON):
            raise RemoteProtocolError(f"an answer of type {self.content_type[:40]!r}")
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError("an answer that cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything a venue shows of one order; complete."""

    orders: Sequence[Row]
    trades: Sequence[Row]


class Dialect(Protocol):
    """One venue's ways."""

    @property
    def exchange(self) -> str:
        """The venue's id in ccxt."""

    @property
    def hosts(self) -> frozenset[str]:
        """Where the venue is."""

    @property
    def test_hosts(self) -> frozenset[str]:
        """Where its test environment is; empty where there is none that ccxt knows."""

    @property
    def categories(self) -> frozenset[Category]:
        """What can be traded under that id of ccxt's."""

    def options(self, recv_window_ms: int) -> Mapping[str, object]:
        """What ccxt is told at its making."""

    def urls(self, rest_url: str) -> Mapping[str, object]:
        """Addresses for an environment of our own."""

    def written(self, name: str) -> str:
        """Our order id as it stands at the venue, a pure function of it; raises `ValueError` if it cannot."""

    def read(self, text: str) -> str:
        """Our order id out of what stands at the venue; whatever else stands there, as it is."""

    def create_params(self, order: NewOrder) -> Mapping[str, object]:
        """What `create_order` is told beside symbol, side, quantity and price."""

    def cancel_params(self, name: str) -> Mapping[str, object]:
        """What `cancel_order` is told to find an order by our id."""

    def check_create(self, request: Request, approved: Approved[NewOrder], market: Row) -> None:
        """Refuse a request that does not say exactly what was approved; raises `LocalProtocolError`."""

    def check_cancel(self, request: Request, name: str, market: Row) -> None:
        """Refuse a request that does anything else than cancel that order; raises `LocalProtocolError`."""

    def created(self, order: NewOrder, answer: RawAnswer, sent_sha256: str) -> Event:
        """What the answer to a create proves; raises `RemoteProtocolError` if it cannot be read."""

    def cancelled(self, command: CancelOrder, answer: RawAnswer, asked_ns: int) -> Event:
        """What the answer to a cancel proves; raises `RemoteProtocolError` if it cannot be read."""

    def why_not_whole(self, url: str, answer: RawAnswer) -> str:
        """Why an answer to a question says less than everything it was asked for; empty if it is whole."""

    async def find(self, exchange: Exchange, symbol: str, name: str) -> Found:
        """Look for one order everywhere: open, closed, executions."""

    async def open_orders(self, exchange: Exchange, symbol: str) -> Sequence[Row]:
        """Read all open orders of a market."""

    async def trades_since(
        self, exchange: Exchange, symbol: str, since_ms: int, now_ms: int
    ) -> Sequence[Row]:
        """Read all executions of ours in a market from an instant on, both by the venue's clock, milliseconds."""

    def order_name(self, row: Row) -> str:
        """Our id of an order or an execution in ccxt's form; empty where the venue does not say."""


def unexpected(what: str, got: object, wanted: object) -> LocalProtocolError:
    """Say that a request is not what was approved."""
    return LocalProtocolError(f"request says {what}={str(got)[:80]!r}, approved was {wanted!r}")
