"""The desk at which one event is worked: the state, the commands so far, and what was touched.

All other modules of the engine change the state through here or through the records themselves, in one
thread, in one call; nothing survives the call but the state.
"""

from dataclasses import dataclass, field

from executor.domain.advice import AdviceRecord
from executor.domain.commands import (
    AlertCode,
    CancelOrder,
    Command,
    PublishMove,
    QueryOrder,
    RaiseAlert,
    SetTimer,
    Severity,
)
from executor.domain.fills import Fill
from executor.domain.order_state import ChildStatus, check_child_move
from executor.domain.parent_state import ParentStatus, Reason, check_parent_move
from executor.domain.timeline import NS_PER_S
from executor.engine.state import ChildState, EngineState, ParentState

QUESTION_NS_MAX = 60 * NS_PER_S
"""Time after which an unanswered question counts as lost."""


@dataclass(slots=True)
class Desk:
    """One call of the engine.

    Parameters
    ----------
    parents, children, fills, decisions
        What was touched, in order, for whoever keeps tables of it.
    """

    state: EngineState
    out: list[Command] = field(default_factory=list)
    parents: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    decisions: list[AdviceRecord] = field(default_factory=list)

    @property
    def now_ns(self) -> int:
        """The instant of the event being worked."""
        return self.state.now_ns

    def set_timer(self, key: str, at_ns: int) -> None:
        """Wake up at the instant, unless an earlier or equal wake-up of the same name is already set."""
        due = self.state.timers.get(key)
        if due is not None and due <= at_ns:
            return
        self.state.timers[key] = at_ns
        self.out.append(SetTimer(key=key, at_ns=at_ns))

    def alert(self, severity: Severity, code: AlertCode, parent_id: str, detail: str) -> None:
        """Tell people."""
        self.out.append(RaiseAlert(severity=severity, code=code, parent_id=parent_id, detail=detail))

    def move_parent(self, parent: ParentState, target: ParentStatus, reason: Reason) -> None:
        """Change a parent's state by the table, and publish it."""
        check_parent_move(parent.status, target)
        self.out.append(
            PublishMove(parent_id=parent.order.parent_id, source=parent.status, target=target, reason=reason)
        )
        parent.status = target
        parent.reason = reason
        self.parents[parent.order.parent_id] = None

    def move_child(self, child: ChildState, target: ChildStatus, detail: str) -> None:
        """Change a child's state by the table; staying is no move."""
        if target is not child.status:
            check_child_move(child.status, target)
            child.status = target
        child.detail = detail
        if child.is_final and not child.done_ns:
            child.done_ns = self.now_ns
        self.children[child.order.client_order_id] = None

    def cancel(self, child: ChildState, detail: str) -> None:
        """Ask the venue to cancel a child; asks again on a timer until its end is proved."""
        if child.is_final or child.status is ChildStatus.PENDING_CANCEL:
            return
        if child.status is not ChildStatus.UNKNOWN:
            self.move_child(child, ChildStatus.PENDING_CANCEL, detail)
        elif child.cancel_sent_ns:
            return
        self.send_cancel(child)

    def send_cancel(self, child: ChildState) -> None:
        """Send a cancel request now and watch over it."""
        order = child.order
        child.cancel_sent_ns = self.now_ns
        child.cancels += 1
        self.children[order.client_order_id] = None
        self.out.append(
            CancelOrder(category=order.category, symbol=order.symbol, client_order_id=order.client_order_id)
        )
        self.watch(child, self.state.timings.recancel_s)

    def query(self, child: ChildState) -> None:
        """Ask the venue everything about a child, unless a question is under way; watch that an answer comes."""
        order = child.order
        self.watch(child, self.state.timings.query_gap_s)
        if child.asked_ns and self.now_ns - child.asked_ns < QUESTION_NS_MAX:
            return
        child.asked_ns = self.now_ns
        self.out.append(
            QueryOrder(category=order.category, symbol=order.symbol, client_order_id=order.client_order_id)
        )

    def watch(self, child: ChildState, wait_s: int) -> None:
        """Look at a child again after a time."""
        self.set_timer(f"child:{child.order.client_order_id}", self.now_ns + wait_s * NS_PER_S)
