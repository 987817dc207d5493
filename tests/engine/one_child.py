"""A rig with one parent whose first child is on its way, and the answers a test may let the venue give."""

from executor.domain.commands import PlaceOrder, QueryOrder
from executor.domain.events import (
    CancelFoundNothing,
    OrderAbsent,
    OrderOutcomeUnknown,
    OrderQueryFailed,
)
from executor.domain.orders import Side, StrategyParams
from tests.builders import submitted
from tests.engine.model_venue import VenueOrder
from tests.engine.rig import Rig

NAME = "x-1-1"


class OneChild(Rig):
    def __init__(self, side: Side = Side.BUY, **over) -> None:
        super().__init__()
        self.open_market()
        self.send(
            submitted(**{"duration_s": 600, "side": side, "params": StrategyParams(interval_s=300), **over})
        )
        self.tick(1)
        self.create = next(command for command in self.pending if isinstance(command, PlaceOrder))
        self.pending.clear()

    @property
    def only(self):
        return self.child(1)

    def arrive(self) -> VenueOrder:
        """The create request reaches the venue; nothing of it is heard."""
        entry = self.venue.create(self.create, now_ns=self.now_ns)
        self.venue.mail.clear()
        return entry

    def shown(self) -> VenueOrder:
        """The order is in the book and the stream has said so."""
        entry = self.arrive()
        self.tell(entry)
        return entry

    def tell(self, entry: VenueOrder) -> None:
        self.send(self.venue.update_of(entry))
        self.venue.mail.clear()

    def doubted(self) -> None:
        self.send(OrderOutcomeUnknown(at_ns=0, client_order_id=NAME, detail="timeout"))

    def absent(self, asked_ns: int | None = None) -> None:
        asked_ns = self.now_ns if asked_ns is None else asked_ns
        self.send(OrderAbsent(at_ns=0, client_order_id=NAME, asked_ns=asked_ns))

    def cancel_finds_nothing(self, asked_ns: int | None = None) -> None:
        asked_ns = self.now_ns if asked_ns is None else asked_ns
        self.send(CancelFoundNothing(at_ns=0, client_order_id=NAME, asked_ns=asked_ns))

    def query_fails(self) -> None:
        self.send(OrderQueryFailed(at_ns=0, client_order_id=NAME, detail="HTTP 502"))

    def wait(self, seconds: int) -> None:
        """Time passes in which the venue answers nothing."""
        for _ in range(seconds):
            self.tick(1)
        self.pending.clear()

    def questions(self) -> int:
        return sum(command.client_order_id == NAME for command in self.commands(QueryOrder))
