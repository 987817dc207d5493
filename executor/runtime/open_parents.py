"""What becomes of open parents over a stop and a start, said in the log: nobody may be surprised by a resumed order."""

from executor.domain.orders import Side
from executor.domain.parent_state import ParentStatus
from executor.domain.ports import Log
from executor.domain.units import plain
from executor.engine.parent import goes_on_by_itself
from executor.engine.state import EngineState, ParentState

_KEEP_THEM_STILL = "`executor pause`, `executor cancel` or `executor halt`"


def say_resuming(state: EngineState, log: Log) -> None:
    """At a start: which parents are traded on, and which wait for a person."""
    parents = [state.parents[name] for name in state.open_parents]
    going = [parent for parent in parents if goes_on_by_itself(state, parent)]
    still = [parent for parent in parents if parent.goal is None and not goes_on_by_itself(state, parent)]
    if going:
        log(
            f"resuming {_count(going)}: {_listed(going)}",
            next=f"to keep one from trading: {_KEEP_THEM_STILL}",
        )
    if still:
        first = "`executor rearm`, then " if state.latched else ""
        log(f"{_count(still)} paused: {_listed(still)}", next=f"to go on: {first}`executor resume`")


def say_left_open(state: EngineState, log: Log) -> None:
    """At a stop: which parents the next start goes on with, and how it is kept from that."""
    going = [
        parent
        for parent in (state.parents[name] for name in state.open_parents)
        if goes_on_by_itself(state, parent)
    ]
    if going:
        log(
            f"{_count(going)} left open: {_listed(going)}; the next start goes on from here",
            level="warning",
            next=f"to prevent that: {_KEEP_THEM_STILL} before a stop, `executor kill` after it",
        )


def _count(parents: list[ParentState]) -> str:
    return "1 parent" if len(parents) == 1 else f"{len(parents)} parents"


def _listed(parents: list[ParentState]) -> str:
    return ", ".join(_named(parent) for parent in parents)


def _named(parent: ParentState) -> str:
    order = parent.order
    side = "buy" if order.side is Side.BUY else "sell"
    text = f"{order.parent_id} {side} {plain(order.order_qty)} {order.symbol}"
    state = f"{plain(parent.cum_qty)} filled"
    if parent.status is ParentStatus.PAUSED:
        state += f", paused: {parent.reason}"
    return f"{text} ({state})"
