"""The order that a submission is."""

from executor.domain.events import ParentSubmitted
from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_S


def order_of(
    event: ParentSubmitted, now_ns: int, *, parent_id: str = "plan", parent_no: int = 0
) -> ParentOrder:
    """The order that comes of a submission at an instant, or would: one that is only planned has no number."""
    start_ns = max(event.start_ns, now_ns)
    return ParentOrder(
        parent_id=parent_id,
        parent_no=parent_no,
        category=event.category,
        symbol=event.symbol,
        side=event.side,
        order_qty=event.order_qty,
        limit_px=event.limit_px,
        start_ns=start_ns,
        deadline_ns=start_ns + event.duration_s * NS_PER_S,
        residual=event.residual,
        extend_s=event.extend_s,
        urgency=event.urgency,
        strategy=event.strategy,
        params=event.params,
        reduce_only=event.reduce_only,
        position_idx=event.position_idx,
        decision_px=event.decision_px,
        seed=event.seed,
    )
