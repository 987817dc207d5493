"""One order as a simulated venue keeps it, and how it tells of it."""

from dataclasses import dataclass, field
from decimal import Decimal

from executor.domain.errors import InvariantViolation
from executor.domain.events import Event, OrderFilled, OrderUpdated, VenueStatus
from executor.domain.fills import Fill
from executor.domain.orders import Liquidity, NewOrder
from executor.domain.units import ZERO, Money, Price, Quantity


@dataclass(slots=True, kw_only=True)
class VenueOrder:
    """An order and what became of it.

    Parameters
    ----------
    order
        As it stands, amendments included.
    cum_qty
        Executed so far, base units.
    ahead_qty
        What trades first at its price, base units.
    version
        Counts what changed, so that an older message can be told from a newer one.
    """

    order: NewOrder
    venue_order_id: str
    status: VenueStatus = VenueStatus.NEW
    cum_qty: Decimal = ZERO
    ahead_qty: Decimal = ZERO
    version: int = 1
    executions: list[Fill] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in {VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED}

    @property
    def leaves_qty(self) -> Quantity:
        """What can still trade, base units."""
        return Quantity(self.order.qty - self.cum_qty) if self.is_open else Quantity(ZERO)

    def fill(
        self, *, exec_id: str, qty: Quantity, px: Price, fee: Decimal, liquidity: Liquidity, at_ns: int
    ) -> list[Event]:
        """Execute a part of it, or all.

        Raises
        ------
        InvariantViolation
            If that is more than it has left.
        """
        if not ZERO < qty <= self.leaves_qty:
            raise InvariantViolation(f"{self.order.client_order_id}: {qty} of {self.leaves_qty} executed")
        fill = Fill(
            category=self.order.category,
            symbol=self.order.symbol,
            exec_id=exec_id,
            client_order_id=self.order.client_order_id,
            venue_order_id=self.venue_order_id,
            side=self.order.side,
            last_qty=qty,
            last_px=px,
            fee=Money(fee),
            fee_coin="",
            liquidity=liquidity,
            ts_exchange_ns=at_ns,
        )
        self.executions.append(fill)
        self.cum_qty += qty
        self.version += 1
        done = self.cum_qty == self.order.qty
        self.status = VenueStatus.FILLED if done else VenueStatus.PARTIALLY_FILLED
        return [OrderFilled(at_ns=0, fill=fill), self.update()]

    def end(self, detail: str) -> OrderUpdated:
        """Take it out of the market; what was executed stays."""
        self.status = VenueStatus.CANCELED
        self.version += 1
        return self.update(detail=detail)

    def update(self, *, detail: str = "", asked_ns: int = 0) -> OrderUpdated:
        """Say how it stands.

        Parameters
        ----------
        asked_ns
            When the question was sent that this answers; 0 for the stream.
        """
        return OrderUpdated(
            at_ns=0,
            category=self.order.category,
            symbol=self.order.symbol,
            client_order_id=self.order.client_order_id,
            venue_order_id=self.venue_order_id,
            status=self.status,
            side=self.order.side,
            qty=self.order.qty,
            px=self.order.px,
            cum_qty=Quantity(self.cum_qty),
            updated_ms=self.version,
            detail=detail,
            asked_ns=asked_ns,
        )

    def executed_since(self, since_ns: int) -> list[Event]:
        """Its executions from an instant on, oldest first."""
        return [OrderFilled(at_ns=0, fill=one) for one in self.executions if one.ts_exchange_ns >= since_ns]
