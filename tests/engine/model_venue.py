"""An exchange reduced to what the engine can see of it, written apart from it, as the truth to test against.

It holds orders and executions, answers commands with events, and keeps what it has to tell in a bag from
which a test delivers in any order, twice, or never.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    Event,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderUpdated,
    PositionReport,
    Reconciled,
    ReplaceAcked,
    ReplaceRejected,
    VenueStatus,
)
from executor.domain.fills import Fill
from executor.domain.orders import Category, Liquidity, NewOrder, TimeInForce


@dataclass
class VenueOrder:
    order: NewOrder
    venue_order_id: str
    status: VenueStatus = VenueStatus.NEW
    executed: Decimal = Decimal(0)
    version: int = 1
    amends: int = 0
    executions: list[Fill] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status in {VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED}

    @property
    def committed(self) -> Decimal:
        """What has executed and what still can."""
        return self.order.qty if self.is_open else self.executed


class ModelVenue:
    def __init__(self) -> None:
        self.orders: dict[str, VenueOrder] = {}
        self.mail: list[Event] = []
        self.executions = 0
        # Positions from before, by symbol and position index; an index that is named here is reported.
        self.opening: dict[tuple[str, int], Decimal] = {}

    def create(self, command: PlaceOrder, *, now_ns: int) -> VenueOrder:
        """The request arrives; an identical second one under the same id is a double send."""
        order = command.approved.order
        assert order.client_order_id not in self.orders, "sent twice"
        entry = VenueOrder(order=order, venue_order_id=f"v{len(self.orders) + 1}")
        self.orders[order.client_order_id] = entry
        self.tell(entry)
        return entry

    def tell(self, entry: VenueOrder) -> None:
        self.mail.append(self.update_of(entry))

    def update_of(self, entry: VenueOrder) -> OrderUpdated:
        order = entry.order
        return OrderUpdated(
            at_ns=0,
            category=order.category,
            symbol=order.symbol,
            client_order_id=order.client_order_id,
            venue_order_id=entry.venue_order_id,
            status=entry.status,
            side=order.side,
            qty=order.qty,
            px=order.px,
            cum_qty=entry.executed,
            updated_ms=entry.version,
            detail="",
        )

    def fill(self, entry: VenueOrder, qty: Decimal) -> None:
        if not entry.is_open:
            return
        qty = min(qty, entry.order.qty - entry.executed)
        self.executions += 1
        execution = Fill(
            category=entry.order.category,
            symbol=entry.order.symbol,
            exec_id=f"e{self.executions}",
            client_order_id=entry.order.client_order_id,
            venue_order_id=entry.venue_order_id,
            side=entry.order.side,
            last_qty=qty,
            last_px=entry.order.px,
            fee=Decimal("0.01"),
            fee_coin="",
            liquidity=Liquidity.TAKER if entry.order.time_in_force is TimeInForce.IOC else Liquidity.MAKER,
            ts_exchange_ns=1,
        )
        entry.executions.append(execution)
        entry.executed += qty
        entry.version += 1
        done = entry.executed == entry.order.qty
        entry.status = VenueStatus.FILLED if done else VenueStatus.PARTIALLY_FILLED
        self.mail.append(OrderFilled(at_ns=0, fill=execution))
        self.tell(entry)

    def end(self, entry: VenueOrder, status: VenueStatus = VenueStatus.CANCELED) -> None:
        if entry.is_open:
            entry.status = status
            entry.version += 1
            self.tell(entry)

    def acked(self, entry: VenueOrder) -> OrderAcked:
        return OrderAcked(
            at_ns=0,
            client_order_id=entry.order.client_order_id,
            venue_order_id=entry.venue_order_id,
            sent_sha256="",
        )

    def amend(self, command: ReplaceOrder) -> bool:
        """Put new terms into force, unless the order is done or filled beyond them; a no-op is refused too."""
        new = command.approved.order
        entry = self.orders.get(new.client_order_id)
        if entry is None or not entry.is_open or new.qty <= entry.executed:
            return False
        assert (new.qty, new.px) != (entry.order.qty, entry.order.px), "amend that changes nothing"
        entry.order = replace(entry.order, qty=new.qty, px=new.px)
        entry.amends += 1
        entry.version += 1
        self.tell(entry)
        return True

    def answer_replace(self, command: ReplaceOrder, *, now_ns: int) -> Event:
        name = command.approved.order.client_order_id
        entry = self.orders.get(name)
        gone = entry is None or not entry.is_open
        if self.amend(command):
            return ReplaceAcked(at_ns=0, client_order_id=name)
        code = 110001 if gone else 110064
        return ReplaceRejected(at_ns=0, client_order_id=name, code=code, text="no", gone=gone)

    def answer_cancel(self, command: CancelOrder, *, now_ns: int) -> Event:
        entry = self.orders.get(command.client_order_id)
        if entry is None or not entry.is_open:
            return CancelFoundNothing(at_ns=0, client_order_id=command.client_order_id, asked_ns=now_ns)
        self.end(entry)
        return CancelAcked(at_ns=0, client_order_id=command.client_order_id)

    def answer_query(self, command: QueryOrder, *, now_ns: int) -> list[Event]:
        entry = self.orders.get(command.client_order_id)
        if entry is None:
            return [OrderAbsent(at_ns=0, client_order_id=command.client_order_id, asked_ns=now_ns)]
        shown = replace(self.update_of(entry), asked_ns=now_ns)
        return [*(OrderFilled(at_ns=0, fill=one) for one in entry.executions), shown]

    def answer_reconcile(self, command: Reconcile, *, now_ns: int) -> list[Event]:
        ours = [entry for entry in self.orders.values() if entry.order.category is command.category]
        events: list[Event] = [OrderFilled(at_ns=0, fill=one) for entry in ours for one in entry.executions]
        events += [replace(self.update_of(entry), asked_ns=now_ns) for entry in ours if entry.is_open]
        positions = []
        for symbol in () if command.category is Category.SPOT else command.symbols:  # spot has no positions
            held = [index for name, index in self.opening if name == symbol]
            for index in held or [0]:
                qty = sum(
                    (
                        entry.order.side.sign * entry.executed
                        for entry in ours
                        if (entry.order.symbol, entry.order.position_idx) == (symbol, index)
                    ),
                    self.opening.get((symbol, index), Decimal(0)),
                )
                positions.append(
                    PositionReport(category=command.category, symbol=symbol, position_idx=index, qty=qty)
                )
        done = Reconciled(
            at_ns=0,
            category=command.category,
            asked_ns=now_ns,
            open_client_order_ids=tuple(entry.order.client_order_id for entry in ours if entry.is_open),
            foreign_open_orders=0,
            positions=tuple(positions),
        )
        return [*events, done]
