"""What the engine wants done, as lines of the log; what concerns no person is not said."""

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

_LEVELS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "error"}


def say(command: Command, log: Log) -> None:
    """Write the line of one command, if it has one."""
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
