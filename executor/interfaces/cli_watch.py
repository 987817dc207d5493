"""Commands about the daemon as a whole: status, report, halt, rearm."""

import getpass
import time
from typing import Annotated, Final

import typer

from executor.interfaces.cli_orders import flag, parent_path
from executor.interfaces.client import Client, Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.follow import progress_line, progress_table
from executor.interfaces.models import StopBody, read_body
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile, TokenFile, Url, connect
from executor.interfaces.output import cell, emit_json, show, show_rich

POLL_S: Final = 0.2
LISTED_MAX: Final = 20

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
    """Show the daemon and its open parent orders, or one parent order."""
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
    """Pull the stop: open nothing more, cancel everything, and wait for the proof that nothing is open."""
    body = _stop_body(reason or "halt from the command line", operator)
    client = connect(profile, config, url, token_file)
    before = _unproved(client)
    client.post("/v1/halt", body)
    left = _wait_for_proof(client, timeout)
    if left:
        names = ", ".join(
            f"{cell(child.get('client_order_id'))} {cell(child.get('symbol'))}" for child in left
        )
        raise failed(
            ExitCode.ORDERS_MAY_REMAIN,
            "ORDERS_MAY_REMAIN",
            "halt",
            f"halted; {len(left)} child orders not proved finished after {timeout:g} s: {names}",
            "none",
            "the daemon goes on cancelling; look at the venue, and at `executor status`",
        )
    if as_json:
        emit_json({"halted": True, "were_open": len(before), "unproved_children": []})
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
    """Clear the stop; a reason is required."""
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
    read_body(StopBody, body, flag)
    return body


def _unproved(client: Client) -> list[Json]:
    children = client.get("/v1/status")["unproved_children"]
    return children if isinstance(children, list) else []


def _wait_for_proof(client: Client, timeout_s: float) -> list[Json]:
    """Ask until no child order may be open, or the time is over; gives those that may."""
    end = time.monotonic() + timeout_s
    while True:
        left = _unproved(client)
        if not left or time.monotonic() >= end:
            return left[:LISTED_MAX]
        time.sleep(POLL_S)


def _show_status(answer: Json) -> None:
    daemon = answer["daemon"]
    assert isinstance(daemon, dict), "the daemon describes itself as an object"
    halted = f"HALTED: {cell(answer['halt_reason'])}" if answer["halted"] else "not halted"
    ready = "ready" if answer["ready"] else f"not ready: {cell(answer['why_not_ready'])}"
    show(
        f"executor {cell(daemon['version'])} instance {cell(daemon['instance'])} on {cell(daemon['venue'])}"
        f" (profile {cell(daemon['profile'])}, pid {cell(daemon['pid'])}): {ready}; {halted}"
    )
    parents = answer["open_parents"]
    if isinstance(parents, list) and parents:
        for parent in parents:
            show(progress_line(parent))
    else:
        show(f"no open parent orders ({cell(answer['parents'])} in all)")
