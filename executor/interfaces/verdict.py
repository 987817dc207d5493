"""What becomes of an order in the first moments after it was accepted: it works, it waits, or it has failed."""

import time
from typing import Final

from executor.domain.parent_state import ParentStatus, Reason
from executor.interfaces.client import Client, Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.output import cell
from executor.interfaces.remedies import END_REMEDY
from executor.interfaces.sentences import sentences

WAIT_S_MAX: Final = 2.0
POLL_S: Final = 0.1
WARMING_UP: Final = ["VOLATILITY_UNKNOWN"]
"""All that a sound order waits for on a symbol that nobody watched before: its limits have been looked at by then."""


def first_verdict(client: Client, parent_id: str, wait_s: float = WAIT_S_MAX) -> Json | None:
    """Look at a parent until it has begun, waits for the warm-up only, or has ended; gives its last view.

    None stands for a daemon that no longer answers; the order is accepted all the same.
    """
    end_s = time.monotonic() + wait_s
    while True:
        try:
            view = client.get(f"/v1/parents/{parent_id}")
        except CommandFailed:
            return None
        is_decided = view["status"] != ParentStatus.INITIALIZED or view["waiting"] == WARMING_UP
        if is_decided or time.monotonic() >= end_s:
            return view
        time.sleep(POLL_S)


def never_began(view: Json) -> bool:
    """Whether a parent failed before its first order."""
    children = view["children"]
    return view["status"] == ParentStatus.FAILED and isinstance(children, dict) and not children["total"]


def why_it_ended(view: Json) -> str:
    """Say what stopped a parent."""
    return cell(view.get("detail") or sentences(view["waiting"]) or "the daemon's log says more")


def failed_at_once(view: Json) -> CommandFailed:
    """Say that an order was accepted and has failed without sending anything, and what to do."""
    reason = str(view["reason"])
    allowed, next_step = "an order that can be worked", "look into the daemon's log"
    if reason in Reason.__members__ and Reason(reason) in END_REMEDY:
        allowed, next_step = END_REMEDY[Reason(reason)]
    return failed(
        ExitCode.REFUSED,
        reason,
        f"executor submit, parent {cell(view['id'])}",
        f"{cell(view['status'])}, nothing was sent: {why_it_ended(view)}",
        allowed,
        next_step,
    )


def tick_remark(view: Json) -> str:
    """Say that a limit price lies between two ticks; empty if it does not, or if the tick is not known."""
    works_as = view.get("limit_price_works_as")
    if works_as is None or works_as == view.get("limit_price"):
        return ""
    return (
        f"the limit price {cell(view['limit_price'])} lies between two ticks of {cell(view['tick_size'])}:"
        f" no order is worse than {cell(works_as)}"
    )
