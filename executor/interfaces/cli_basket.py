"""Commands about baskets: several parent orders out of one file, accepted together or not at all."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from config.load import limits_of
from config.problems import Problem, quoted
from executor.interfaces.basket_body import BasketBody
from executor.interfaces.basket_file import BasketFile, read_basket
from executor.interfaces.cli_orders import flag, idempotency_key_of, read_options
from executor.interfaces.client import Client, Json
from executor.interfaces.confirm import confirm_live
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.follow import progress_line
from executor.interfaces.kinds import PARENT_ID
from executor.interfaces.models import BODY_BYTES_MAX
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile, TokenFile, Url, connect
from executor.interfaces.output import cell, emit_json, say, show

_UNKNOWN_FATE: Final = ("CONNECTION_LOST", "NO_ANSWER", "TIMEOUT", "INTERNAL")


def basket(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The orders, one a line, below a header.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only check the file; no daemon is needed, nothing is sent.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="What the basket is called; the file's name if not given.")
    ] = None,
    gross_notional_max: Annotated[
        str | None,
        typer.Option("--gross-notional-max", help="Most that all its orders may come to, quote units."),
    ] = None,
    net_notional_max: Annotated[
        str | None,
        typer.Option(
            "--net-notional-max",
            help="Most that the orders of one side may come to by themselves, quote units.",
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            help="Name of this intent; the file's content if not given, so that the same file is never worked twice.",
        ),
    ] = None,
    yes_live: Annotated[
        str | None,
        typer.Option("--yes-live", help="Confirms orders with real money: 'N orders' with their number."),
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Submit the orders of a CSV file, all or none.

    The header names fields of an order as in `executor submit`, with underscores: symbol, side, qty, residual and one
    of duration and deadline are required. An empty cell is the usual value, a line that begins with # a remark. Every
    line is checked before the first order is accepted.
    """
    read = read_basket(file)
    body: Json = {
        "name": file.stem[:64] if name is None else name,
        "orders": list(read.orders),
        "gross_notional_max": gross_notional_max,
        "net_notional_max": net_notional_max,
    }
    body = {field: value for field, value in body.items() if value is not None}
    read_options(BasketBody, body)
    _check_size(read, body)
    if check:
        _tell_checked(read, _budget_words(read, profile, config), as_json=as_json)
        return
    key = idempotency_key_of(idempotency_key, f"file-{read.sha256[:48]}")
    client = connect(profile, config, url, token_file)
    client.refuse_if_hung("/v1/baskets")
    confirm_live(client, f"{len(read.orders)} orders", yes_live)
    answer = _submit(client, read, body, key)
    if as_json:
        emit_json(answer)
        return
    show(f"{answer['outcome']} {answer['basket_id']}: {answer['text']}")
    _show_parents(answer.get("basket"))
    say(f"`executor status --basket {cell(answer['basket_id'])}` shows how they stand")


def show_basket(client: Client, basket_id: str, *, as_json: bool) -> None:
    """Print a basket and a line for each of its parents."""
    answer = client.get(basket_path(basket_id))
    if as_json:
        emit_json(answer)
        return
    counts = answer["by_status"]
    told = (
        ", ".join(f"{cell(n)} {cell(status)}" for status, n in counts.items())
        if isinstance(counts, dict)
        else ""
    )
    bounds = [
        f"{word} at most {cell(answer[field])}"
        for word, field in (("gross", "gross_notional_max"), ("net", "net_notional_max"))
        if answer[field] is not None
    ]
    show(f"{cell(answer['id'])} {cell(answer['name'])}: {'; '.join([told, *bounds])}")
    _show_parents(answer)


def steer_basket(client: Client, basket_id: str, verb: str, *, as_json: bool) -> None:
    """Ask the same of all open parents of a basket, and print how they stand."""
    answer = client.post(f"{basket_path(basket_id)}/{verb}", {})
    if as_json:
        emit_json(answer)
        return
    show(f"{answer['outcome']} {answer['basket_id']}: {answer['text']}")
    _show_parents(answer.get("basket"))


def basket_path(basket_id: str) -> str:
    """Give the path of a basket.

    Raises
    ------
    CommandFailed
        USAGE if it is not an id.
    """
    if not PARENT_ID.match(basket_id):
        form = "the id that `executor basket` printed"
        raise failed(ExitCode.USAGE, "BASKET", "--basket", quoted(basket_id), form, "copy the id")
    return f"/v1/baskets/{basket_id}"


def _show_parents(view: object) -> None:
    parents = view.get("parents") if isinstance(view, dict) else None
    for parent in parents or []:
        show(progress_line(parent))


def _check_size(read: BasketFile, body: Json) -> None:
    size = len(json.dumps(body).encode())
    if size > BODY_BYTES_MAX:
        raise failed(
            ExitCode.USAGE,
            "SIZE",
            str(read.path),
            f"a request of {size} bytes",
            f"at most {BODY_BYTES_MAX} bytes",
            "part the file; a volume curve named on every line takes the most room",
        )


def _budget_words(read: BasketFile, profile: str, config: Path | None) -> str:
    """Say that a minute's budget of orders cannot carry all of them; empty if it can."""
    from executor.engine.plan_together import budget_hindrance, orders_per_min  # noqa: PLC0415 - here alone
    from executor.interfaces.basket_body import read_orders  # noqa: PLC0415
    from executor.interfaces.choices import params_of  # noqa: PLC0415

    orders = read_orders(read.orders, read.where)
    found = budget_hindrance(
        limits_of(profile, config, os.environ),
        [orders_per_min(one.strategy, params_of(one)) for one in orders],
    )
    return "" if found is None else f"{found.what}: {found.detail}"


def _tell_checked(read: BasketFile, warning: str, *, as_json: bool) -> None:
    summary = read.summary()
    if as_json:
        emit_json(summary | {"checked": True, "warning": warning})
        return
    show(f"{len(read.orders)} orders can be submitted; nothing was sent")
    if warning:
        say(warning)
    sums = summary["symbols"]
    for each in sums if isinstance(sums, list) else []:
        show(f"{cell(each['side'])} {cell(each['qty'])} {cell(each['symbol'])}")


def _submit(client: Client, read: BasketFile, body: Json, key: str) -> Json:
    """Send the basket once; what the daemon says of an order is told with its place in the file."""
    try:
        return client.post("/v1/baskets", body, {"Idempotency-Key": key})
    except CommandFailed as error:
        if error.problems[0].code in _UNKNOWN_FATE:
            step = "repeat the same command with the same file: that never makes a second order"
            raise CommandFailed(
                error.exit_code, [replace(each, next_step=step) for each in error.problems]
            ) from None
        raise CommandFailed(error.exit_code, [_in_file(read, each) for each in error.problems]) from None


def _in_file(read: BasketFile, problem: Problem) -> Problem:
    """Name the line of the file for a place in the request."""
    if problem.where == flag("orders"):
        return replace(problem, where=str(read.path))
    head, _, rest = problem.where.removeprefix("/orders/").partition("/")
    if not problem.where.startswith("/orders/") or not head.isdigit() or int(head) >= len(read.orders):
        return problem
    return replace(problem, where=read.where(int(head), rest))
