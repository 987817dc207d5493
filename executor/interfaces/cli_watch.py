"""Commands about the daemon as a whole: status, report, halt, rearm."""

import time
from dataclasses import replace
from typing import Annotated, Final

import typer

from executor.interfaces.cli_basket import show_basket
from executor.interfaces.cli_orders import check_one_named, parent_path, read_options
from executor.interfaces.cli_route import is_route, route_line, show_route
from executor.interfaces.client import KILL, Client, Json
from executor.interfaces.command_words import REARM
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.follow import ended_line, progress_line, progress_table
from executor.interfaces.models import StopBody
from executor.interfaces.operator_name import operator_name
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    BasketName,
    ConfigFile,
    Profile,
    TokenFile,
    Url,
    connect,
)
from executor.interfaces.output import cell, emit_json, show, show_rich
from executor.interfaces.past import past_parents, past_report, past_run
from executor.interfaces.sentences import sentence

POLL_S: Final = 0.2
LISTED_MAX: Final = 20
PARENTS_LISTED_MAX: Final = 20
BLIND: Final = frozenset({"UNRECONCILED", "PRIVATE_STREAM_DOWN"})
"""Doubts in which the venue's orders are not known."""
UNREAD: Final = "the venue could not be read just now"

Reason = Annotated[str | None, typer.Option("--reason", help="Why; one line.")]
Operator = Annotated[str | None, typer.Option("--operator", help="Who; your user name if not given.")]


def status(
    parent: Annotated[
        str | None, typer.Argument(metavar="[PARENT]", help="One parent order in full.")
    ] = None,
    basket: BasketName = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the daemon and open orders, one order, or a basket.

    P1 is an order of one market, R1 one of several.
    """
    if basket is not None:
        check_one_named("status", parent, basket)
        show_basket(connect(profile, config, url, token_file), basket, as_json=as_json)
        return
    if parent is not None and is_route(parent):
        show_route(connect(profile, config, url, token_file), parent, as_json=as_json)
        return
    path = "/v1/status" if parent is None else parent_path(parent)
    answer = connect(profile, config, url, token_file).get(path)
    if as_json:
        emit_json(answer)
    elif parent is None:
        _show_status(answer)
    else:
        show_rich(progress_table(answer))


def list_parents(
    every: Annotated[
        bool, typer.Option("--all", help=f"All of them, and not the newest {PARENTS_LISTED_MAX} only.")
    ] = False,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List parent orders, the newest first, and how each has ended.

    Without a daemon they are read from the journal.
    """
    try:
        answer = connect(profile, config, url, token_file).get("/v1/parents")
    except CommandFailed as error:
        answer = past_parents(past_run(profile, config, url, error))
    if as_json:
        emit_json(answer)
        return
    parents = answer["parents"]
    assert isinstance(parents, list), "the parents are a list"
    shown = parents if every else parents[:PARENTS_LISTED_MAX]
    for parent in shown:
        show(ended_line(parent))
    if not parents:
        show("no parent orders yet")
    elif len(shown) < len(parents):
        show(f"{len(parents) - len(shown)} older ones: `executor list --all`")


def report(
    parent: Annotated[str, typer.Argument(metavar="PARENT", help="Id of the parent order.")],
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the cost report of a parent order.

    Without a daemon it is read from the journal.
    """
    if is_route(parent):
        show_route(connect(profile, config, url, token_file), parent, as_json=as_json)
        return
    path = f"{parent_path(parent)}/report"
    try:
        answer = connect(profile, config, url, token_file).get(path)
    except CommandFailed as error:
        answer = past_report(past_run(profile, config, url, error), parent)
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
    Exit code 0 if every child order is proved finished, 3 if some may remain (docs/reference/exit-codes.md).
    """
    body = _stop_body(reason or "halt from the command line", operator)
    client = connect(profile, config, url, token_file)
    listed = client.post("/v1/halt", body).get("were_open")
    before = listed if isinstance(listed, list) else None
    try:
        state = _wait_for_proof(client, timeout)
    except CommandFailed as error:
        raise _unproved(error) from None
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
            {
                "halted": True,
                "were_open": None if before is None else len(before),
                "unproved_children": [],
                "venue_read": not unread,
            }
        )
    elif unread:
        show(f"halted; every child order that ever left is proved finished; {unread}")
    elif before is None:
        show("halted; every child order is proved finished")
    elif before:
        show(f"halted; all {len(before)} open child orders are proved finished")
    else:
        show("halted; nothing was open")


def _unproved(error: CommandFailed) -> CommandFailed:
    """Say that the stop is pulled although the daemon no longer tells what became of the orders."""
    problem = error.problems[0]
    return CommandFailed(
        ExitCode.ORDERS_MAY_REMAIN,
        [
            replace(
                problem,
                got=f"the daemon took the stop and then went silent: {problem.got}",
                next_step=f"look at the venue; {KILL}",
            )
        ],
    )


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
    body: Json = {"operator": operator if operator is not None else operator_name()}
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
    if answer["ready"] and _blocked(answer):
        ready = f"ready, except {', '.join(cell(market['market']) for market in _blocked(answer))} (blocked)"
    show(
        f"executor {cell(daemon['version'])} instance {cell(daemon['instance'])} on {cell(daemon['venue'])}"
        f" (profile {cell(daemon['profile'])}, pid {cell(daemon['pid'])}): {ready}; {halted}"
    )
    for line in _trouble(answer):
        show(line)
    routes = answer.get("open_routes")
    for route in routes if isinstance(routes, list) else []:
        show(route_line(route))
    parents = answer["open_parents"]
    if isinstance(parents, list) and parents:
        for parent in parents:
            show(progress_line(parent))
    else:
        ended = "; `executor list` shows how they ended" if answer["parents"] else ""
        show(f"no open parent orders ({cell(answer['parents'])} in all{ended})")


def _blocked(answer: Json) -> list[Json]:
    """List the markets in which nothing may be opened."""
    markets = answer["markets"]
    return [market for market in markets if market["blocked"]] if isinstance(markets, list) else []


def _trouble(answer: Json) -> list[str]:
    """Say what keeps the daemon from trading, or is not explained; nothing when all is well."""
    why_not, orphans = answer["why_not_ready"], answer["orphan_fills"]
    lines = [f"not ready: {sentence(code)}" for code in why_not] if isinstance(why_not, list) else []
    blocked = _blocked(answer)
    lines += [f"blocked: {cell(market['market'])}: {cell(market['blocked'])}" for market in blocked]
    if orphans:
        lines.append(f"orphan fills: {cell(orphans)} at the venue that belong to no order of ours")
    adviser = answer.get("adviser")
    if isinstance(adviser, dict) and adviser["breaker"] == "OPEN":
        left_s = adviser["asked_again_in_s"]
        until = f"nobody asks it for {cell(left_s)} s more" if left_s else "the next question tries it"
        lines.append(f"the model is silent: {until}, the schedules decide")
    if blocked or orphans:
        lines.append(
            f"nothing is opened there until a person has looked at the account and cleared it: {REARM}"
        )
    return lines
