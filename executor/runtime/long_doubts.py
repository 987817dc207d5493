"""Orders in doubt for long: what a request without an answer becomes when the venue does not explain it soon.

Each doubt is an alarm at once, a warning: most are over within seconds. One that lasts is told again, as critical.
"""

from typing import Final

from executor.domain.commands import AlertCode, RaiseAlert, Severity
from executor.domain.order_state import ChildStatus
from executor.domain.timeline import NS_PER_S
from executor.engine.state import EngineState, live_children

DOUBT_S_MAX: Final = 30
"""How long an order may be in doubt before that is told as critical, seconds."""


class LongDoubts:
    """Since when orders are in doubt, as far as this process has seen, and of which it was told."""

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}
        self._told: set[str] = set()

    def look(self, state: EngineState, now_ns: int) -> list[RaiseAlert]:
        """Give an alarm for each order whose doubt has lasted too long since the last look; once for each doubt."""
        doubtful = {
            name for name in live_children(state) if state.children[name].status is ChildStatus.UNKNOWN
        }
        self._since_ns = {name: self._since_ns.get(name, now_ns) for name in sorted(doubtful)}
        self._told &= doubtful
        late = [
            name
            for name, since_ns in self._since_ns.items()
            if name not in self._told and now_ns - since_ns > DOUBT_S_MAX * NS_PER_S
        ]
        self._told.update(late)
        return [_alarm(state, name, (now_ns - self._since_ns[name]) // NS_PER_S) for name in late]


def _alarm(state: EngineState, name: str, lasted_s: int) -> RaiseAlert:
    order = state.children[name].order
    return RaiseAlert(
        severity=Severity.CRITICAL,
        code=AlertCode.OUTCOME_UNKNOWN,
        parent_id=order.parent_id,
        detail=(
            f"{name} has been in doubt for {lasted_s} s: the venue has not proved whether it exists; its"
            f" {order.qty} {order.symbol} stay reserved"
        ),
    )
