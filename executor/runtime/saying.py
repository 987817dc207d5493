"""What the engine wants done, as lines of the log; what concerns no person is not said.

An order that is refused again for the same reasons is counted instead of said: a line tells the count at 10, 100 and so
on, and when something else becomes of the parent.
"""

from typing import Final

from executor.domain.commands import (
    Command,
    PlaceAlgo,
    PlaceOrder,
    PublishMove,
    RaiseAlert,
    RefuseOrder,
    ReplaceOrder,
    Severity,
)
from executor.domain.ports import Log

_TOLD_FROM: Final = 10
_LEVELS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "error"}


class Teller:
    """Writes the lines, and counts what would be a line again and again."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._refused: dict[str, tuple[tuple[str, ...], int]] = {}

    def say(self, command: Command) -> None:
        """Write the line of one command, if it has one."""
        match command:
            case RefuseOrder():
                if self._is_repeat(command):
                    return
            case PlaceOrder() | PlaceAlgo():
                self._end_count(
                    command.approved.order.parent_id
                    if isinstance(command, PlaceOrder)
                    else command.approved.order.order.parent_id
                )
            case PublishMove():
                self._end_count(command.parent_id)
            case _:
                pass
        _write(command, self._log)

    def _is_repeat(self, command: RefuseOrder) -> bool:
        codes, times = self._refused.get(command.parent_id, ((), 0))
        if codes != command.codes:
            self._end_count(command.parent_id)
            self._refused[command.parent_id] = (command.codes, 0)
            return False
        self._refused[command.parent_id] = (codes, times + 1)
        if times + 1 >= _TOLD_FROM and str(times + 1).strip("0") == "1":
            self._tell(command.parent_id, codes, times + 1)
        return True

    def _end_count(self, parent_id: str) -> None:
        codes, times = self._refused.pop(parent_id, ((), 0))
        if times:
            self._tell(parent_id, codes, times)

    def _tell(self, parent_id: str, codes: tuple[str, ...], times: int) -> None:
        self._log(
            "order refused again", level="warning", parent=parent_id, codes=",".join(codes), times=times
        )


def _write(command: Command, log: Log) -> None:
    match command:
        case PlaceOrder():
            order = command.approved.order
            log(
                "order sent",
                parent=order.parent_id,
                id=order.client_order_id,
                side=order.side.name,
                qty=order.qty,
                px=order.px,
                time_in_force=order.time_in_force.value,
            )
        case PlaceAlgo():
            order, terms = command.approved.order.order, command.approved.order.terms
            log(
                "strategy order sent",
                parent=order.parent_id,
                id=order.client_order_id,
                kind=terms.kind.value,
                side=order.side.name,
                qty=order.qty,
                px=order.px,
                duration_s=terms.duration_s,
                interval_s=terms.interval_s,
            )
        case ReplaceOrder():
            new = command.approved.order
            log("order amended", parent=new.parent_id, id=new.client_order_id, qty=new.qty, px=new.px)
        case RefuseOrder():
            log(
                "order refused",
                level="warning",
                parent=command.parent_id,
                codes=",".join(command.codes),
                detail=command.detail,
            )
        case PublishMove():
            log(
                "parent moved",
                parent=command.parent_id,
                source=command.source.value,
                target=command.target.value,
                reason=command.reason.value,
            )
        case RaiseAlert():
            level = _LEVELS[command.severity]
            log(f"ALERT {command.code}", level=level, parent=command.parent_id, detail=command.detail)
        case _:
            pass
