"""What the gate may look at: one moment of one parent's world, and the order an amendment would change.

None means "not known", which is always a reason to refuse.
"""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot, SecondOpinion
from executor.domain.orders import NewOrder, ParentOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """All that the gate may look at.

    Parameters
    ----------
    trade_live
        Whether orders can be sent now.
    restricted_until_ns
        Until when the venue bars us or is closed, UTC nanoseconds; 0 when it never did.
    book_ns
        When the engine last saw a sound book of the symbol, UTC nanoseconds.
    opinions
        What other sources say of the price, fresh or not.
    benchmark_px
        Five-minute exponential mean of mids.
    expected_volume_qty
        Market volume expected over one slice of the parent, base units.
    parent_worst_case_qty
        Booked fills plus all unproven quantity of the parent, without the order at hand.
    parent_ordered_qty
        Sum of all quantity ever ordered for the parent, amendments included.
    parent_children
        Children and amendments of the parent since a person last re-armed.
    positions_compared
        Whether our positions in the symbol were held against the venue's since we began to listen, and agreed.
    hedged
        Whether the venue keeps a long and a short position of this symbol apart.
    position_qty
        Signed position of the instrument (of this position index), base units.
    same_side_open_qty
        Open and unproven quantity on the order's side in the instrument, all parents, base units.
    reduce_open_qty
        The part of it that may only reduce the position.
    day_pnl
        Result of the UTC day, fees included, marked at mid; negative is a loss, quote units.
    symbol_used_qty
        What all parents of the instrument have filled within the window of `symbol_participation_pct_max`, and have
        open or unproven, both sides, base units; nothing is read where there is no such limit.
    symbol_volume_qty
        Market volume expected over that window, base units.
    """

    now_ns: int
    latched: bool
    halt_epoch: int
    draining: bool
    reconciled: bool
    private_live: bool
    public_live: bool
    trade_live: bool
    restricted_until_ns: int
    sentinel_required: bool
    sentinel_alive: bool
    blocked: str
    parent: ParentOrder
    instrument: Instrument | None
    market: MarketSnapshot | None
    book_ns: int | None
    opinions: tuple[SecondOpinion, ...]
    benchmark_px: Decimal | None
    volatility_hourly_pct: Decimal | None
    expected_volume_qty: Decimal | None
    parent_worst_case_qty: Decimal
    parent_ordered_qty: Decimal
    parent_children: int
    parent_last_order_ns: int
    orders_last_s: int
    orders_last_min: int
    orders_day: int
    children_last_hour: int
    positions_compared: bool
    hedged: bool
    position_qty: Decimal | None
    same_side_open_qty: Decimal
    reduce_open_qty: Decimal
    open_notional: Decimal | None
    day_notional: Decimal | None
    day_pnl: Decimal | None
    symbol_used_qty: Decimal
    symbol_volume_qty: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A working order that an amendment would change.

    Parameters
    ----------
    order
        The order on the terms in force.
    filled_qty
        What is booked of it, base units.
    """

    order: NewOrder
    filled_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What would be true if the gate says yes.

    Parameters
    ----------
    order
        The order as it would stand at the venue.
    open_qty
        What of it could still execute, base units.
    more_qty, more_notional
        How much more could be open than now while the answer is awaited; base units, quote units.
    """

    order: NewOrder
    open_qty: Decimal
    more_qty: Decimal
    more_notional: Decimal
