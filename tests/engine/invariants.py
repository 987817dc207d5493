"""What must hold of an engine and the model venue it trades on: after every step, and once all is answered."""

from decimal import Decimal

from executor.domain.order_state import ChildStatus
from executor.domain.parent_state import ParentStatus
from executor.engine.state import worst_case_qty
from executor.runtime import record
from tests.engine.rig import Rig


def nothing_is_over_committed(rig: Rig) -> None:
    """What the venue executed and still can, and what the engine reserves, stay within every parent."""
    state = rig.engine.state
    committed: dict[str, Decimal] = {}
    for entry in rig.venue.orders.values():
        name = entry.order.parent_id
        committed[name] = committed.get(name, Decimal(0)) + entry.committed
    for parent in state.parents.values():
        bound = parent.order.order_qty
        assert committed.get(parent.order.parent_id, Decimal(0)) <= bound
        assert worst_case_qty(state, parent) <= bound
        assert parent.cum_qty == sum((state.children[name].cum_qty for name in parent.children), Decimal(0))
        reserved = sum((state.children[name].open_qty for name in parent.children), Decimal(0))
        assert parent.cum_qty + reserved <= bound


def nothing_is_invented(rig: Rig) -> None:
    """No child is booked beyond what the venue executed of it."""
    for child in rig.engine.state.children.values():
        entry = rig.venue.orders.get(child.order.client_order_id)
        assert child.cum_qty <= (entry.executed if entry else Decimal(0))


def what_may_be_open_is_reserved(rig: Rig) -> None:
    """Whatever the venue could still do is booked or reserved."""
    for name, entry in rig.venue.orders.items():
        child = rig.engine.state.children[name]
        assert child.cum_qty + child.open_qty >= entry.committed, name


def final_means_nothing_is_open(rig: Rig) -> None:
    """A parent that has ended has nothing open at the venue."""
    state = rig.engine.state
    for parent in state.parents.values():
        assert parent.is_final == (parent.order.parent_id not in state.open_parents)
        if parent.status is ParentStatus.COMPLETE:
            assert parent.leaves_qty < Decimal("0.001")
        if parent.is_final:
            entries = [rig.venue.orders.get(name) for name in parent.children]
            assert not any(entry.is_open for entry in entries if entry)


def ledger_is_the_sum_of_what_was_executed(rig: Rig) -> None:
    """The ledger holds the signed sum of the booked fills, and only of them."""
    state = rig.engine.state
    booked: dict[str, Decimal] = {}
    for child in state.children.values():
        order = child.order
        name = f"{order.category}:{order.symbol}:{order.position_idx}"
        booked[name] = booked.get(name, Decimal(0)) + order.side.sign * child.cum_qty
    for name, qty in booked.items():
        ledger = state.ledgers.get(name)
        assert (ledger.net_qty if ledger else Decimal(0)) == qty, name
    assert (
        not set(state.ledgers)
        - set(booked)
        - {name for name, each in state.ledgers.items() if not each.net_qty}
    )


ALWAYS = (
    nothing_is_over_committed,
    nothing_is_invented,
    what_may_be_open_is_reserved,
    final_means_nothing_is_open,
    ledger_is_the_sum_of_what_was_executed,
)


def check_always(rig: Rig) -> None:
    for invariant in ALWAYS:
        invariant(rig)


def heal_and_check(rig: Rig, look=lambda: None) -> None:
    """Everything is answered honestly for some minutes; then nothing may be left unexplained."""
    rig.say("elsewhere", None)
    rig.streams_live()
    rig.open_market(warmup_s=1)
    for _ in range(60):
        rig.settle()
        look()
        rig.tick(3, volume="50")
    rig.settle()
    look()
    state = rig.engine.state
    for name, child in state.children.items():
        entry = rig.venue.orders.get(name)
        assert child.cum_qty == (entry.executed if entry else Decimal(0)), name
        assert child.status is not ChildStatus.UNKNOWN, name
        assert entry is None or not entry.is_open, name
    for parent in state.parents.values():
        assert parent.is_final, (parent.status, parent.reason, parent.goal)
        assert not parent.live
    check_always(rig)
    for body, commands in rig.journal:
        assert body
        assert commands
    written = record.encode_state(state)
    assert written == record.encode_state(record.decode_state(written))
