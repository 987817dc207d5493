"""Limits while the daemon runs: a person may tighten one, nobody may loosen one.

What was tightened holds over restarts, whatever the settings say by then, and over `rearm`: a stop is no reason to
allow more. It ends when a person starts the daemon with the words for that.
"""

from executor.domain.commands import AlertCode, Outcome, Reply, Severity
from executor.domain.events import LimitsReleased, LimitTightened
from executor.domain.limits import Tightened, limit_of, tightest, why_not_tighter
from executor.domain.units import plain
from executor.engine import bounds
from executor.engine.desk import Desk
from executor.engine.state import ParentState


def on_asked(desk: Desk, event: LimitTightened | LimitsReleased) -> list[ParentState]:
    """Do what a person asks about limits; gives the parents to be looked at again."""
    if isinstance(event, LimitTightened):
        return _tighten(desk, event)
    _release(desk, event)
    return []


def _tighten(desk: Desk, event: LimitTightened) -> list[ParentState]:
    """Tighten a limit, or say why not. What is at the venue stays there until it is done, moved or cancelled."""
    state = desk.state
    if not event.reason.strip() or not event.operator.strip():
        _reply(desk, event, Outcome.INVALID, "REASON", "an operator and a reason are needed")
        return []
    why_not = why_not_tighter(state.limits, event.limit, event.value)
    if why_not:
        _reply(desk, event, Outcome.INVALID, "LIMIT_LOOSER", why_not)
        return []
    before = limit_of(state.limits, event.limit)
    if before == event.value:
        _reply(desk, event, Outcome.REPEATED, "TIGHTENED", f"{event.limit} is {plain(event.value)} already")
        return []
    made = Tightened(
        limit=event.limit,
        value=event.value,
        before=before,
        operator=event.operator,
        reason=event.reason,
        at_ns=desk.now_ns,
    )
    state.tightened[event.limit] = made
    state.limits = tightest(state.limits, [made])
    text = (
        f"{event.limit} is {plain(event.value)} now; it was {'no limit' if before is None else plain(before)}"
    )
    desk.alert(Severity.INFO, AlertCode.LIMITS_MOVED, "", f"{event.operator}: {event.reason}; {text}")
    _reply(desk, event, Outcome.ACCEPTED, "TIGHTENED", text)
    open_parents = [state.parents[name] for name in state.open_parents]
    for parent in open_parents:
        bounds.bound(desk, parent)
    return open_parents


def _release(desk: Desk, event: LimitsReleased) -> None:
    """Forget what was tightened; the start that follows brings the limits of the settings."""
    names = ", ".join(f"{each.limit} {plain(each.value)}" for each in desk.state.tightened.values())
    desk.state.tightened.clear()
    text = f"let go: {names}" if names else "nothing was tightened"
    desk.alert(Severity.INFO, AlertCode.LIMITS_MOVED, "", f"{event.operator}: {event.reason}; {text}")


def _reply(desk: Desk, event: LimitTightened, outcome: Outcome, code: str, text: str) -> None:
    desk.out.append(Reply(request_id=event.request_id, outcome=outcome, parent_id="", code=code, text=text))
