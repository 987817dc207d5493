"""When an order that was held to be gone turns out to exist: keep it in sight, and stop."""

from executor.domain.commands import AlertCode, Severity
from executor.domain.parent_state import Reason
from executor.engine.desk import Desk
from executor.engine.halt import halt
from executor.engine.state import ChildState, EngineState


def keep_live(state: EngineState, child: ChildState) -> None:
    """Put a child that is not proved finished back among those that are watched, also of an ended parent."""
    parent = state.parents[child.order.parent_id]
    name = child.order.client_order_id
    if child.is_released or name in parent.live:
        return
    parent.live.append(name)
    if parent.is_final and parent.order.parent_id not in state.revived_parents:
        state.revived_parents.append(parent.order.parent_id)


def revive(desk: Desk, child: ChildState) -> None:
    """A refused or absent-proved order exists after all: our belief was wrong, so reserve it whole and stop."""
    if child.final_qty is None:
        return  # known already; its end is being sought
    detail = f"{child.order.client_order_id} exists at the venue although it was held to be {child.detail}"
    child.final_qty = None
    keep_live(desk.state, child)
    desk.alert(Severity.CRITICAL, AlertCode.ORDER_CONFLICT, child.order.parent_id, detail)
    halt(desk, Reason.ORDER_CONFLICT, detail)
    desk.send_cancel(child)
