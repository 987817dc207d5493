"""Commands about the daemon as a whole: status, report, halt, rearm."""

import getpass
import time
from typing import Annotated, Final

import typer

from executor.interfaces.cli_orders import parent_path, read_options
from executor.interfaces.client import Client, Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.follow import progress_line, progress_table
from executor.interfaces.models import StopBody
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile, TokenFile, Url, connect
from executor.interfaces.output import cell, emit_json, show, show_rich
from executor.interfaces.sentences import sentence

POLL_S: Final = 0.2
LISTED_MAX: Final = 20
BLIND: Final = frozenset({"UNRECONCILED", "PRIVATE_STREAM_DOWN"})
"""Doubts in which the venue's orders are not known."""
UNREAD: Final = "the venue could not be read"
RESTARTABLE: Final = ("bybit-sandbox",)
"""Venues that forget everything when they are started anew."""

Reason = Annotated[str | None, typer.Option("--reason", help="Why; one line.")]
Operator = Annotated[str | None, typer.Option("--operator", help="Who; your user name if not given.")]


def status(
    parent: Annotated[
        str | None, typer.Argument(metavar="[PARENT]", help="One parent order in full.")
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the daemon and open orders, or one order in full."""
    path = "/v1/status" if parent is None else parent_path(parent)
    answer = connect(profile, config, url, token_file).get(path)
    if as_json:
        emit_json(answer)
    elif parent is None:
        _show_status(answer)
    else:
        show_rich(progress_table(answer))


def report(
    parent: Annotated[str, typer.Argument(metavar="PARENT", help="Id of the parent order.")],
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the cost report of a parent order."""
    path = f"{parent_path(parent)}/report"
    answer = connect(profile, config, url, token_file).get(path)
    if as_json:
        emit_json(answer)
        return
    from executor.interfaces.terminal import report_table  # noqa: PLC0415 - brings rich

    show_rich(report_table(answer))


def halt(
    reason: Reason = None,
    operator: Operator = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, max=300, help="Seconds to wait for proof.")
    ] = 10.0,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Stop everything and wait for the proof.

    Opens nothing more, cancels every open order, and waits until the venue has proved that nothing is open.
    Exit code 0 if it is proved, 3 if orders may remain (docs/reference/exit-codes.md).
    """
    body = _stop_body(reason or "halt from the command line", operator)
    client = connect(profile, config, url, token_file)
    before = _open_children(client.get("/v1/status"))
    client.post("/v1/halt", body)
    state = _wait_for_proof(client, timeout)
    left = _open_children(state)[:LISTED_MAX]
    unread = "" if _is_venue_read(state) else UNREAD
    if left:
        doubt = f" ({unread})" if unread else ""
        names = ", ".join(
            f"{cell(child.get('client_order_id'))} {cell(child.get('symbol'))}" for child in left
        )
        raise failed(
            ExitCode.ORDERS_MAY_REMAIN,
            "ORDERS_MAY_REMAIN",
            "halt",
            f"halted; {len(left)} child orders not proved finished after {timeout:g} s{doubt}: {names}",
            "none",
            "the daemon goes on cancelling; look at the venue, and at `executor status`",
        )
    if as_json:
        emit_json(
            {"halted": True, "were_open": len(before), "unproved_children": [], "venue_read": not unread}
        )
    elif unread:
        show(f"halted; nothing is open as far as the journal knows; {unread}")
    elif before:
        show(f"halted; all {len(before)} open child orders are proved finished")
    else:
        show("halted; nothing was open")


def rearm(
    reason: Reason = None,
    operator: Operator = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Clear the stop; --reason is required."""
    body = _stop_body(reason, operator)
    answer = connect(profile, config, url, token_file).post("/v1/rearm", body)
    if as_json:
        emit_json(answer)
    else:
        show(f"{answer['outcome']}: {answer['text']}")


def _stop_body(reason: str | None, operator: str | None) -> Json:
    body: Json = {"operator": operator if operator is not None else getpass.getuser()}
    if reason is not None:
        body["reason"] = reason
    read_options(StopBody, body)
    return body


def _open_children(state: Json) -> list[Json]:
    children = state["unproved_children"]
    return children if isinstance(children, list) else []


def _is_venue_read(state: Json) -> bool:
    """Tell whether the daemon knows the venue's side, and not its own journal only."""
    why_not, reconciled = state["why_not_ready"], state["reconciled"]
    doubts = set(why_not) & BLIND if isinstance(why_not, list) else BLIND
    return bool(reconciled) and not doubts


def _wait_for_proof(client: Client, timeout_s: float) -> Json:
    """Ask until no child order may be open, or the time is over; gives the last state."""
    end = time.monotonic() + timeout_s
    while True:
        state = client.get("/v1/status")
        if not _open_children(state) or time.monotonic() >= end:
            return state
        time.sleep(POLL_S)


def _show_status(answer: Json) -> None:
    daemon = answer["daemon"]
    assert isinstance(daemon, dict), "the daemon describes itself as an object"
    halted = f"HALTED: {cell(answer['halt_reason'])}" if answer["halted"] else "not halted"
    ready = "ready" if answer["ready"] else "not ready"
    show(
        f"executor {cell(daemon['version'])} instance {cell(daemon['instance'])} on {cell(daemon['venue'])}"
        f" (profile {cell(daemon['profile'])}, pid {cell(daemon['pid'])}): {ready}; {halted}"
    )
    for line in _trouble(answer):
        show(line)
    parents = answer["open_parents"]
    if isinstance(parents, list) and parents:
        for parent in parents:
            show(progress_line(parent))
    else:
        show(f"no open parent orders ({cell(answer['parents'])} in all)")


def _trouble(answer: Json) -> list[str]:
    """Say what keeps the daemon from trading, or is not explained; nothing when all is well."""
    why_not, markets, orphans = answer["why_not_ready"], answer["markets"], answer["orphan_fills"]
    lines = [f"not ready: {sentence(code)}" for code in why_not] if isinstance(why_not, list) else []
    blocked = [market for market in markets if market["blocked"]] if isinstance(markets, list) else []
    lines += [f"blocked: {cell(market['market'])}: {cell(market['blocked'])}" for market in blocked]
    if orphans:
        lines.append(f"orphan fills: {cell(orphans)} at the venue that belong to no order of ours")
    daemon = answer["daemon"]
    if (blocked or orphans) and isinstance(daemon, dict) and daemon["venue"] in RESTARTABLE:
        lines.append("hint: if the sandbox was restarted, begin anew with `executor run --new`")
    return lines
