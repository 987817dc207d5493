"""The desk at which one event is worked: the state, the commands so far, and what was touched.

All other modules of the engine change the state through here or through the records themselves, in one
thread, in one call; nothing survives the call but the state.
"""

from dataclasses import dataclass, field

from executor.domain.advice import AdviceRecord
from executor.domain.algo import NewAlgo
from executor.domain.commands import (
    AlertCode,
    CancelOrder,
    Command,
    PublishMove,
    QueryAlgo,
    QueryOrder,
    RaiseAlert,
    SetTimer,
    Severity,
    StopAlgo,
)
from executor.domain.fill_mark import FillMark
from executor.domain.fills import Fill
from executor.domain.order_state import ChildStatus, check_child_move
from executor.domain.parent_state import ParentStatus, Reason, check_parent_move
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.engine.state import ChildState, EngineState, ParentState

QUESTION_NS_MAX = 60 * NS_PER_S
"""Time after which an unanswered question counts as lost."""


@dataclass(slots=True)
class Desk:
    """One call of the engine.

    Parameters
    ----------
    parents, children, fills, decisions, marks
        What was touched, in order, for whoever keeps tables of it.
    """

    state: EngineState
    out: list[Command] = field(default_factory=list)
    parents: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    decisions: list[AdviceRecord] = field(default_factory=list)
    marks: list[FillMark] = field(default_factory=list)

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
        if child.algo is not None:
            self._stop_algo(child)
            return
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
        child.asked_ns = child.looked_ns = self.now_ns
        if child.algo is not None:
            self.out.append(
                QueryAlgo(
                    algo=NewAlgo(order=order, terms=child.algo),
                    strategy_id=child.venue_order_id,
                    since_ns=child.created_ns,
                    until_ns=self._taken_until_ns(child),
                    not_ids=() if child.venue_order_id else self._other_strategies(child),
                )
            )
            return
        self.out.append(
            QueryOrder(category=order.category, symbol=order.symbol, client_order_id=order.client_order_id)
        )

    def watch(self, child: ChildState, wait_s: int) -> None:
        """Look at a child again after a time."""
        self.set_timer(f"child:{child.order.client_order_id}", self.now_ns + wait_s * NS_PER_S)

    def _stop_algo(self, child: ChildState) -> None:
        """Stop a strategy order; without its id nothing can be stopped, and it is looked for instead."""
        if child.venue_order_id:
            command = StopAlgo(client_order_id=child.order.client_order_id, strategy_id=child.venue_order_id)
            self.out.append(command)
            self.watch(child, self.state.timings.recancel_s)
        else:
            self.query(child)

    def _other_strategies(self, child: ChildState) -> tuple[str, ...]:
        """Ids of the strategy orders of the symbol that are known to be other children."""
        return tuple(
            other.venue_order_id
            for other in self.state.children.values()
            if other.algo is not None
            and other is not child
            and other.venue_order_id
            and other.order.symbol == child.order.symbol
        )

    def _taken_until_ns(self, child: ChildState) -> int:
        """Until when the venue may have taken a request: until it refused it, or until its window and a margin end."""
        if child.done_ns:
            return child.done_ns
        timings = self.state.timings
        window_ns = timings.recv_window_ms * NS_PER_MS + timings.absence_margin_s * NS_PER_S
        return max(child.sent_ns, child.created_ns) + window_ns
