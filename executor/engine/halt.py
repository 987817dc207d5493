"""The stop: a latch that ends all opening at once and that only a person clears."""

from executor.domain.commands import AlertCode, Severity
from executor.domain.parent_state import PARENT_FINAL, ParentStatus, Reason
from executor.engine.desk import Desk
from executor.engine.state import live_children


def halt(desk: Desk, reason: Reason, text: str) -> None:
    """Latch the stop, pause every parent and cancel every child. Harmless when already latched.

    Approvals made before are void: they carry an older `halt_epoch`.
    """
    state = desk.state
    if not state.latched:
        state.latched = True
        state.latch_reason = text
        state.halt_epoch += 1
        desk.alert(Severity.CRITICAL, AlertCode.HALT, "", text)
    for parent_id in state.open_parents:
        parent = state.parents[parent_id]
        if parent.status is ParentStatus.FILLED:
            desk.move_parent(parent, ParentStatus.EXECUTING, Reason.FILL_BOOKED)
        if parent.status is ParentStatus.PAUSED:
            parent.reason = reason
        elif parent.status not in PARENT_FINAL:
            parent.resume_to_start = parent.status is ParentStatus.INITIALIZED
            desk.move_parent(parent, ParentStatus.PAUSED, reason)
    for name in live_children(state):
        desk.cancel(state.children[name], "halt")
