"""Routed orders on the command line: what `submit`, `status` and the verbs do where an order has several markets."""

import re
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import ConfigProblems
from executor.interfaces import figures
from executor.interfaces.client import Client, Json
from executor.interfaces.command_words import in_command_words
from executor.interfaces.confirm import confirm_live
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.output import cell, emit_json, say, show, show_rich
from executor.interfaces.route_body import read_route
from executor.interfaces.sentences import shortly

if TYPE_CHECKING:
    from rich.table import Table

_POLL_S: Final = 0.5
_ROUTE_ID: Final = re.compile(r"\AR[0-9]{1,9}\Z", re.ASCII)

Route = Annotated[
    str | None,
    typer.Option(
        "--route",
        help="In place of --symbol: markets of one coin over which the order is divided, such as"
        " linear:BTCUSDT,spot:BTCUSDT (docs/routing.md).",
    ),
]
LegFees = Annotated[
    str | None,
    typer.Option(
        "--leg-fees",
        help="With --route: taker fees in basis points, such as linear:BTCUSDT=5.5,spot:BTCUSDT=10 (Bybit's usual).",
    ),
]
LegCarry = Annotated[
    str | None,
    typer.Option(
        "--leg-carry",
        help="With --route: what a trade in a leg costs until it is closed, such as funding, basis points.",
    ),
]
MaxBasis = Annotated[
    str | None,
    typer.Option(
        "--max-basis",
        help="With --route: how far a leg's mid may be from that of the first leg, basis points; usually any.",
    ),
]
Hysteresis = Annotated[
    str | None,
    typer.Option(
        "--hysteresis",
        help="With --route: what dividing anew within a slice must save, basis points; 1 if not given.",
    ),
]


def submit_route(
    client: Client, body: Json, key: str, *, wait: bool, yes_live: str | None, as_json: bool
) -> None:
    """Submit a routed order, print how it stands, and follow it to its end where that is wanted."""
    client.refuse_if_hung("/v1/routes")
    confirm_live(client, f"{body['route']} {body['qty']}", yes_live)
    answer = client.post("/v1/routes", body, {"Idempotency-Key": key})
    name = str(answer["route_id"])
    say(f"accepted as {name} (idempotency key {key})")
    if not wait:
        _print(answer, as_json=as_json)
        return
    view = client.get(f"/v1/routes/{name}")
    while not view["final"]:
        say(route_line(view))
        time.sleep(_POLL_S)
        view = client.get(f"/v1/routes/{name}")
    if as_json:
        emit_json(view)
    else:
        show_rich(route_table(view))
    raise typer.Exit(ExitCode.OK if view["status"] == "COMPLETE" else ExitCode.REFUSED)


def show_route_plan(client: Client, body: Json, *, as_json: bool) -> None:
    """Print how a routed order would be spread over time and divided now; nothing is sent."""
    view = client.post("/v1/route-plan", body)
    if as_json:
        emit_json(view)
    else:
        show_rich(plan_table(view))
    if view["refused"]:
        say(f"it would be refused: {cell(view['refused'])}")
        raise typer.Exit(ExitCode.REFUSED)


def check_route(body: Json) -> None:
    """Check what was typed before anything is sent.

    Raises
    ------
    ConfigProblems
        With every problem found, in the words of the command line.
    """
    try:
        read_route(body)
    except ConfigProblems as error:
        raise ConfigProblems(in_command_words(problem) for problem in error.problems) from None


def show_route(client: Client, name: str, *, as_json: bool) -> None:
    """Print a routed order and its legs."""
    answer = client.get(f"/v1/routes/{name}")
    if as_json:
        emit_json(answer)
    else:
        show_rich(route_table(answer))


def is_route(name: str) -> bool:
    """Whether a name is the id of a routed order."""
    return bool(_ROUTE_ID.match(name))


def amend_route(client: Client, name: str, change: Json, unread: tuple[str, ...], *, as_json: bool) -> None:
    """Change a routed order.

    Raises
    ------
    CommandFailed
        USAGE if something is to be changed that a routed order keeps.
    """
    if unread:
        flags = ", ".join(f"--{field.replace('_', '-')}" for field in unread)
        allowed = "--qty, --limit-price, --clear-limit-price, --duration, --deadline, --urgency, --version"
        raise failed(
            ExitCode.USAGE, "ROUTE", name, flags, allowed, "leave the others out, or submit another order"
        )
    route_verb(client, name, "amend", change, as_json=as_json)


def route_verb(client: Client, name: str, verb: str, body: Json, *, as_json: bool) -> None:
    """Ask something of a routed order, and print how it stands."""
    _print(client.post(f"/v1/routes/{name}/{verb}", body), as_json=as_json)


def route_line(view: Json) -> str:
    """One line about where a routed order stands."""
    report = view["report"]
    assert isinstance(report, dict)
    cost = report["cost"]
    bps = cost["bps"]["total"] if isinstance(cost, dict) else None
    legs = view["legs"]
    assert isinstance(legs, list)
    parts = ", ".join(
        f"{cell(leg['market'])} {cell(leg['filled'])}{_why(leg, final=bool(view['final']))}" for leg in legs
    )
    return (
        f"{cell(view['id'])} {cell(view['status'])} {cell(view['side'])} {cell(view['filled'])}/{cell(view['qty'])}"
        f" {cell(view['progress_pct'])} % (plan {cell(view['schedule_pct'])} %) avg"
        f" {figures.price(report['avg_price'])} cost {figures.amount(bps)} bps: {parts}"
    )


def route_table(view: Json) -> "Table":
    """Lay a routed order out: its sums, and a line for each leg."""
    from rich.table import Table  # noqa: PLC0415 - slow to import

    report, legs = view["report"], view["legs"]
    assert isinstance(report, dict)
    assert isinstance(legs, list)
    cost = report["cost"] if isinstance(report["cost"], dict) else {"bps": {}}
    parts = ", ".join(f"{name} {figures.amount(value)}" for name, value in cost["bps"].items())
    title = f"{cell(view['id'])} {cell(view['status'])} ({cell(view['reason'])})"
    sums = (
        f"{cell(view['side'])} {cell(view['filled'])} of {cell(view['qty'])},"
        f" average {figures.price(report['avg_price'])},"
        f" arrival {figures.price(report['arrival_price'])} ({cell(report['arrival_leg'])}),"
        f" fees {figures.amount(report['fees'])}; cost in basis points: {parts or '-'}"
    )
    detail = f"\n{cell(view['detail'])}" if view["detail"] else ""
    table = Table(title=title, caption=f"{sums}{detail}", title_justify="left", caption_justify="left")
    for name in ("leg", "filled", "share %", "average", "own arrival", "fees", "granted", "orders", "now"):
        table.add_column(name, justify="left" if name in {"leg", "now"} else "right", overflow="fold")
    for leg in legs:
        table.add_row(
            cell(leg["market"]),
            cell(leg["filled"]),
            cell(leg["share_pct"]),
            figures.price(leg["avg_price"]),
            figures.price(leg["arrival_price"]),
            figures.amount(leg["fees"]),
            cell(leg["granted"]),
            cell(leg["children"]),
            "" if view["final"] else _why(leg, final=False).strip(" ()"),
        )
    return table


def plan_table(view: Json) -> "Table":
    """Lay the plan of a routed order out: a line for each leg."""
    from rich.table import Table  # noqa: PLC0415 - slow to import

    legs, slices = view["legs"], view["slices"]
    assert isinstance(legs, list)
    assert isinstance(slices, list)
    sizes = [str(each["qty"]) for each in slices]
    least, most = (min(sizes, key=Decimal), max(sizes, key=Decimal)) if sizes else ("0", "0")
    told = f"{len(sizes)} slices of {least}{'' if least == most else f' to {most}'}"
    title = f"{cell(view['side'])} {cell(view['qty'])} by {cell(view['strategy'])}: {told}"
    caption = (
        f"taking the first slice so would cost {figures.amount(view['first_slice_bps'])} bps against the first leg's"
        " mid, fees included; the books decide anew before each slice"
    )
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for name in (
        "leg",
        "fee bps",
        "carry bps",
        "mid",
        "price with fees",
        "first slice",
        "whole",
        "alone bps",
    ):
        table.add_column(name, justify="left" if name == "leg" else "right", overflow="fold")
    for leg in legs:
        table.add_row(
            cell(leg["market"]),
            cell(leg["taker_fee_bps"]),
            cell(leg["carry_bps"]),
            figures.price(leg["mid_price"]),
            figures.price(leg["effective_price"]),
            cell(leg["first_slice_qty"]),
            cell(leg["whole_qty"]),
            figures.amount(leg["alone_bps"]),
        )
    return table


def _print(answer: Json, *, as_json: bool) -> None:
    if as_json:
        emit_json(answer)
        return
    show(f"{answer['outcome']} {answer['route_id']}: {answer['text']}")
    view = answer.get("route")
    if isinstance(view, dict):
        show(route_line(view))


def _why(leg: Json, *, final: bool) -> str:
    return "" if final or not leg["why_nothing"] else f" ({shortly([leg['why_nothing']])})"
