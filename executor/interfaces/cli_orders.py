"""Commands about parent orders: submit, pause, resume, amend, cancel."""

import re
import secrets
from dataclasses import replace
from functools import partial
from typing import Annotated, Final

import typer

from config.curves import USUAL_CURVES, curve_fields, find_curve
from config.problems import ConfigProblems, quoted
from executor.interfaces.cli_route import (
    Hysteresis,
    LegCarry,
    LegFees,
    MaxBasis,
    Route,
    amend_route,
    check_route,
    is_route,
    route_verb,
    show_route_plan,
    submit_route,
)
from executor.interfaces.client import Client, Json
from executor.interfaces.command_words import in_command_words
from executor.interfaces.confirm import confirm_live
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.follow import follow, progress_line
from executor.interfaces.kinds import PARENT_ID
from executor.interfaces.models import AmendBody, Body, SubmitBody, read_body
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    BasketName,
    ConfigFile,
    ParentName,
    Profile,
    SomeParent,
    TokenFile,
    Url,
    connect,
)
from executor.interfaces.order_questions import ask_order, can_ask, shown_and_wanted
from executor.interfaces.output import cell, emit_json, say, show, show_rich
from executor.interfaces.plan_telling import ask_plan, tell_plan
from executor.interfaces.strategy_options import (
    Curve,
    Display,
    GiveUp,
    MaxChase,
    MaxParticipation,
    MaxReprices,
    Participation,
    Peg,
    PegOffsetTicks,
    RandomizeDisplay,
    RiskAversion,
    SessionWeights,
    Strategy,
    TriggerPrice,
    TriggerQty,
    Wrappers,
)
from executor.interfaces.verdict import failed_at_once, first_verdict, never_began, tick_remark, why_it_ended

KEY_FORM: Final = "1 to 64 characters A-Z a-z 0-9 _ -"
_KEY: Final = re.compile(r"\A[A-Za-z0-9_-]{1,64}\Z", re.ASCII)

QTY_HELP: Final = (
    "{} to trade, such as 1.5: base coin on linear and spot (BTC of BTCUSDT); on inverse the number of contracts,"
    " each worth one unit of the quote currency (USD of BTCUSD)."
)

Qty = Annotated[str | None, typer.Option("--qty", help=QTY_HELP.format("Required. Total"))]
NewQty = Annotated[str | None, typer.Option("--qty", help=QTY_HELP.format("New total"))]
NewDuration = Annotated[str | None, typer.Option("--duration", help="How long from now: 30s, 5m, 4h.")]
NewDeadline = Annotated[str | None, typer.Option("--deadline", help="Until when: 2026-11-20T12:00:00Z.")]
Duration = Annotated[
    str | None,
    typer.Option("--duration", help="How long from its start: 30s, 5m, 4h; this or --deadline is required."),
]
Deadline = Annotated[
    str | None,
    typer.Option("--deadline", help="Until when: 2026-11-20T12:00:00Z; this or --duration is required."),
]
LimitPrice = Annotated[
    str | None,
    typer.Option(
        "--limit-price",
        help="Worst price ever paid or taken; between two ticks it works as the one on the safe side.",
    ),
]
Urgency = Annotated[
    str | None,
    typer.Option(
        "--urgency",
        help="How soon it crosses the spread, and how early arrival-price works: LOW, MEDIUM (a new order's) or HIGH.",
    ),
]
Interval = Annotated[
    str | None, typer.Option("--interval", help="Length of one slice; a new order's is 60s.")
]
Passiveness = Annotated[
    str | None,
    typer.Option(
        "--passiveness",
        help="Share of a slice spent resting, 0 to 1; a new order's goes by urgency: LOW 0.9, MEDIUM 0.7, HIGH 0.3.",
    ),
]
RandomizeSize = Annotated[
    int | None, typer.Option("--randomize-size", help="Per cent, 0 to 50; a new order's is 0.")
]
RandomizeTiming = Annotated[
    int | None, typer.Option("--randomize-timing", help="Per cent, 0 to 50; a new order's is 0.")
]
CatchUp = Annotated[
    bool | None,
    typer.Option("--catch-up/--no-catch-up", help="Work what was missed later; a new order does."),
]
MaxCatchUp = Annotated[
    str | None,
    typer.Option("--max-catch-up", help="Cap of a slice, multiple of its size; a new order's is 2."),
]
RepriceTicks = Annotated[
    int | None,
    typer.Option(
        "--reprice-ticks",
        help="Ticks the touch may move away before a resting order follows; a new order's is 1.",
    ),
]


def submit(
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Required. Instrument, such as BTCUSDT.")
    ] = None,
    side: Annotated[str | None, typer.Option("--side", help="Required. buy or sell.")] = None,
    qty: Qty = None,
    residual: Annotated[
        str | None,
        typer.Option("--residual", help="Required. The rest at the deadline: cross, leave or extend."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="When it begins: 2026-11-20T12:00:00Z; usually at once.")
    ] = None,
    duration: Duration = None,
    deadline: Deadline = None,
    extend: Annotated[str | None, typer.Option("--extend", help="Longest extension, with extend.")] = None,
    category: Annotated[
        str | None, typer.Option("--category", help="linear (usual), inverse or spot.")
    ] = None,
    limit_price: LimitPrice = None,
    decision_price: Annotated[
        str | None, typer.Option("--decision-price", help="Price at which you decided, for the report.")
    ] = None,
    urgency: Urgency = None,
    strategy: Strategy = None,
    interval: Interval = None,
    passiveness: Passiveness = None,
    randomize_size: RandomizeSize = None,
    randomize_timing: RandomizeTiming = None,
    catch_up: CatchUp = None,
    max_catch_up: MaxCatchUp = None,
    reprice_ticks: RepriceTicks = None,
    participation: Participation = None,
    max_participation: MaxParticipation = None,
    display: Display = None,
    randomize_display: RandomizeDisplay = None,
    peg: Peg = None,
    peg_offset_ticks: PegOffsetTicks = None,
    max_reprices: MaxReprices = None,
    max_chase: MaxChase = None,
    give_up: GiveUp = None,
    trigger_price: TriggerPrice = None,
    trigger_qty: TriggerQty = None,
    risk_aversion: RiskAversion = None,
    curve: Curve = None,
    session_weights: SessionWeights = None,
    wrappers: Wrappers = None,
    route: Route = None,
    leg_fees: LegFees = None,
    leg_carry: LegCarry = None,
    max_basis: MaxBasis = None,
    hysteresis: Hysteresis = None,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Never open or turn a position.")
    ] = False,
    position_idx: Annotated[
        int | None, typer.Option("--position-idx", help="0 one-way, 1 or 2 hedge.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the randomised plan.")] = None,
    advised: Annotated[
        bool | None,
        typer.Option(
            "--advised/--no-advised",
            help="Ask the language model how to work it; usual where the daemon has one.",
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="Name of this intent; a repeat makes no second order."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Send nothing: say what the order would do and cost (`executor plan`)."
        ),
    ] = False,
    yes_live: Annotated[
        str | None,
        typer.Option("--yes-live", help="Confirms an order with real money: 'SYMBOL QTY' once more."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow it to its end, then print its report.")
    ] = False,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait", help="Do not look for up to 2 s whether the accepted order fails at once or begins."
        ),
    ] = False,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Submit a parent order; without options it asks.

    It asks only on a terminal, shows the plan, and sends nothing before a yes. Elsewhere --symbol (or --route), --side,
    --qty, --residual and one of --duration and --deadline are required. An order that is accepted and fails at once (no
    such symbol, beyond the limits) ends with 1. With --wait the code is 0 if everything was filled, 1 if not
    (docs/reference/exit-codes.md).
    """
    if wait and no_wait:
        raise failed(
            ExitCode.USAGE, "USAGE", "--wait and --no-wait", "both", "one of the two", "leave one of them out"
        )
    body = _given(
        symbol=symbol,
        side=side,
        qty=qty,
        residual=residual,
        start=start,
        duration=duration,
        deadline=deadline,
        extend=extend,
        category=category,
        limit_price=limit_price,
        decision_price=decision_price,
        urgency=urgency,
        strategy=strategy,
        interval=interval,
        passiveness=passiveness,
        randomize_size=randomize_size,
        randomize_timing=randomize_timing,
        catch_up=catch_up,
        max_catch_up=max_catch_up,
        reprice_ticks=reprice_ticks,
        participation=participation,
        max_participation=max_participation,
        display=display,
        randomize_display=randomize_display,
        peg=peg,
        peg_offset_ticks=peg_offset_ticks,
        max_reprices=max_reprices,
        max_chase=max_chase,
        give_up=give_up,
        trigger_price=trigger_price,
        trigger_qty=trigger_qty,
        risk_aversion=risk_aversion,
        curve=read_curve_option(curve),
        session_weights=session_weights,
        wrappers=wrappers,
        reduce_only=reduce_only or None,
        position_idx=position_idx,
        seed=seed,
        advised=advised,
        route=route,
        leg_fees=leg_fees,
        leg_carry=leg_carry,
        max_basis=max_basis,
        hysteresis=hysteresis,
    )
    asks = not body and can_ask(as_json=as_json)
    if route is not None:
        check_route(body)
    elif not asks:
        read_options(SubmitBody, body)
    key = idempotency_key_of(idempotency_key, secrets.token_hex(16))
    client = connect(profile, config, url, token_file)
    if asks:
        body = ask_order(client, partial(read_options, SubmitBody))
    if route is not None:
        if dry_run:
            show_route_plan(client, body, as_json=as_json)
        else:
            submit_route(client, body, key, wait=wait, yes_live=yes_live, as_json=as_json)
        return
    if dry_run:
        tell_plan(ask_plan(client, body, key), None, as_json=as_json)
        return
    if asks and not shown_and_wanted(client, body, key):
        say("nothing was sent")
        return
    client.refuse_if_hung("/v1/parents")
    confirm_live(client, f"{body['symbol']} {body['qty']}", yes_live)
    answer = _submit(client, body, key)
    parent_id = str(answer["parent_id"])
    say(f"accepted as {parent_id} (idempotency key {key})")
    if not wait:
        view = None if no_wait else first_verdict(client, parent_id)
        if view is not None and never_began(view):
            raise failed_at_once(view)
        _print(
            answer if view is None else answer | {"parent": view},
            as_json=as_json,
            told_limit="limit_price" in body,
        )
        return
    _wait(client, parent_id, as_json=as_json)


def pause(
    parent: SomeParent = None,
    basket: BasketName = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Stop a parent order, or a basket, from trading for now."""
    check_one_named("pause", parent, basket)
    _steer(connect(profile, config, url, token_file), parent, basket, "pause", as_json=as_json)


def resume(
    parent: SomeParent = None,
    basket: BasketName = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a paused parent order, or a basket, go on."""
    check_one_named("resume", parent, basket)
    _steer(connect(profile, config, url, token_file), parent, basket, "resume", as_json=as_json)


def cancel(
    parent: SomeParent = None,
    basket: BasketName = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End a parent order, or a basket; what is filled stays."""
    check_one_named("cancel", parent, basket)
    _steer(connect(profile, config, url, token_file), parent, basket, "cancel", as_json=as_json)


def amend(
    parent: ParentName,
    qty: NewQty = None,
    limit_price: LimitPrice = None,
    clear_limit_price: Annotated[
        bool, typer.Option("--clear-limit-price", help="Trade at any price.")
    ] = False,
    duration: NewDuration = None,
    deadline: NewDeadline = None,
    urgency: Urgency = None,
    strategy: Strategy = None,
    interval: Interval = None,
    passiveness: Passiveness = None,
    randomize_size: RandomizeSize = None,
    randomize_timing: RandomizeTiming = None,
    catch_up: CatchUp = None,
    max_catch_up: MaxCatchUp = None,
    reprice_ticks: RepriceTicks = None,
    participation: Participation = None,
    max_participation: MaxParticipation = None,
    display: Display = None,
    randomize_display: RandomizeDisplay = None,
    peg: Peg = None,
    peg_offset_ticks: PegOffsetTicks = None,
    max_reprices: MaxReprices = None,
    max_chase: MaxChase = None,
    give_up: GiveUp = None,
    trigger_price: TriggerPrice = None,
    trigger_qty: TriggerQty = None,
    risk_aversion: RiskAversion = None,
    curve: Curve = None,
    session_weights: SessionWeights = None,
    wrappers: Wrappers = None,
    expected: Annotated[
        int | None, typer.Option("--version", help="Refuse if the parent is at another version.")
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Change a live parent order.

    What is not named stays as it is. A duration counts from now.
    """
    if is_route(parent):
        unread = _given(
            strategy=strategy,
            interval=interval,
            passiveness=passiveness,
            randomize_size=randomize_size,
            randomize_timing=randomize_timing,
            catch_up=catch_up,
            max_catch_up=max_catch_up,
            reprice_ticks=reprice_ticks,
            participation=participation,
            max_participation=max_participation,
            display=display,
            randomize_display=randomize_display,
            peg=peg,
            peg_offset_ticks=peg_offset_ticks,
            max_reprices=max_reprices,
            max_chase=max_chase,
            give_up=give_up,
            trigger_price=trigger_price,
            trigger_qty=trigger_qty,
            risk_aversion=risk_aversion,
            curve=curve,
            session_weights=session_weights,
            wrappers=wrappers,
        )
        change = _given(
            qty=qty,
            limit_price=limit_price,
            clear_limit_price=clear_limit_price or None,
            duration=duration,
            deadline=deadline,
            urgency=urgency,
            version=expected,
        )
        amend_route(connect(profile, config, url, token_file), parent, change, tuple(unread), as_json=as_json)
        return
    body = _given(
        qty=qty,
        limit_price=limit_price,
        clear_limit_price=clear_limit_price or None,
        duration=duration,
        deadline=deadline,
        urgency=urgency,
        strategy=strategy,
        interval=interval,
        passiveness=passiveness,
        randomize_size=randomize_size,
        randomize_timing=randomize_timing,
        catch_up=catch_up,
        max_catch_up=max_catch_up,
        reprice_ticks=reprice_ticks,
        participation=participation,
        max_participation=max_participation,
        display=display,
        randomize_display=randomize_display,
        peg=peg,
        peg_offset_ticks=peg_offset_ticks,
        max_reprices=max_reprices,
        max_chase=max_chase,
        give_up=give_up,
        trigger_price=trigger_price,
        trigger_qty=trigger_qty,
        risk_aversion=risk_aversion,
        curve=read_curve_option(curve),
        session_weights=session_weights,
        wrappers=wrappers,
        version=expected,
    )
    read_options(AmendBody, body)
    _verb(connect(profile, config, url, token_file), parent, "amend", body, as_json=as_json)


def read_curve_option(text: str | None) -> Json | None:
    """Read the curve that was named, as a request carries it; None if none was.

    Raises
    ------
    ConfigProblems
        If there is no such curve, or its file cannot be used.
    """
    return None if text is None else curve_fields(find_curve(text, USUAL_CURVES))


def read_options(model: type[Body], values: Json) -> None:
    """Check what was typed before anything is sent.

    Raises
    ------
    ConfigProblems
        With every problem found, in the words of the command line.
    """
    try:
        read_body(model, values, flag)
    except ConfigProblems as error:
        raise ConfigProblems(in_command_words(problem) for problem in error.problems) from None


def flag(field: str) -> str:
    """Name a field the way the command line spells it."""
    return f"--{field.replace('_', '-')}"


def parent_path(parent: str) -> str:
    """Give the path of a parent order.

    Raises
    ------
    CommandFailed
        USAGE if it is not an id.
    """
    if not PARENT_ID.match(parent):
        form = "the id that `executor status` shows"
        raise failed(ExitCode.USAGE, "PARENT", "PARENT", quoted(parent), form, "copy the id")
    return f"/v1/parents/{parent}"


def _steer(client: Client, parent: str | None, basket: str | None, verb: str, *, as_json: bool) -> None:
    """Ask something of one parent, or of all of a basket."""
    if basket is not None:
        from executor.interfaces.cli_basket import steer_basket  # noqa: PLC0415 - it needs this module

        steer_basket(client, basket, verb, as_json=as_json)
    elif parent is not None and is_route(parent):
        route_verb(client, parent, verb, {}, as_json=as_json)
    elif parent is not None:
        _verb(client, parent, verb, {}, as_json=as_json)


def _given(**values: object) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def check_one_named(command: str, parent: str | None, basket: str | None) -> None:
    """Refuse a command that names both an order and a basket, or neither.

    Raises
    ------
    CommandFailed
        USAGE.
    """
    if (parent is None) == (basket is None):
        got = "neither" if parent is None else "both"
        where = f"executor {command}"
        raise failed(ExitCode.USAGE, "USAGE", where, got, "PARENT or --basket", "name one of the two")


def idempotency_key_of(given: str | None, usual: str) -> str:
    """Take the key that was given, or the usual one.

    Raises
    ------
    CommandFailed
        USAGE if it has another form.
    """
    if given is None:
        return usual
    if not _KEY.match(given):
        raise failed(
            ExitCode.USAGE, "IDEMPOTENCY", "--idempotency-key", quoted(given), KEY_FORM, "choose another key"
        )
    return given


def _submit(client: Client, body: Json, key: str) -> Json:
    """Send the order once; if the answer does not arrive, find out what became of it."""
    try:
        return client.post("/v1/parents", body, {"Idempotency-Key": key})
    except KeyboardInterrupt:
        raise _fate(client, key, ExitCode.INTERRUPTED, "INTERRUPTED") from None
    except CommandFailed as error:
        if error.problems[0].code not in ("CONNECTION_LOST", "NO_ANSWER", "TIMEOUT", "INTERNAL"):
            raise
        raise _fate(client, key, error.exit_code, error.problems[0].code) from None


def _fate(client: Client, key: str, exit_code: ExitCode, code: str) -> CommandFailed:
    """Say whether an order whose answer is missing was accepted."""
    found = "it is not known whether the order was accepted"
    try:
        parents = client.get("/v1/parents")["parents"]
    except CommandFailed:
        parents = None
    if isinstance(parents, list):
        ids = [str(parent["id"]) for parent in parents if parent.get("idempotency_key") == key]
        found = f"the order WAS accepted as {ids[0]}" if ids else "the order was not accepted so far"
    return failed(
        exit_code,
        code,
        "submit",
        found,
        "an answer of the daemon",
        f"repeat the same command with --idempotency-key {key}: that never makes a second order",
    )


def _verb(client: Client, parent: str, verb: str, body: Json, *, as_json: bool) -> None:
    answer = client.post(f"{parent_path(parent)}/{verb}", body)
    _print(answer, as_json=as_json, told_limit="limit_price" in body)


def _print(answer: Json, *, as_json: bool, told_limit: bool) -> None:
    """Print the answer to a request; `told_limit` says that it named a limit price, which may lie between two ticks."""
    parent = answer.get("parent")
    if as_json:
        emit_json(answer)
    else:
        show(f"{answer['outcome']} {answer['parent_id']}: {answer['text']}")
        if isinstance(parent, dict):
            show(progress_line(parent))
    remark = tick_remark(parent) if told_limit and isinstance(parent, dict) else ""
    if remark:
        say(remark)


def _wait(client: Client, parent_id: str, *, as_json: bool) -> None:
    """Follow a parent, print its report, and end with an exit code that says whether it was filled."""
    try:
        view = follow(client, parent_id)
    except KeyboardInterrupt:
        raise failed(
            ExitCode.INTERRUPTED,
            "INTERRUPTED",
            parent_id,
            "Ctrl-C while watching; the order WAS accepted and goes on",
            "patience",
            f"`executor status {parent_id}`, `executor cancel {parent_id}`",
        ) from None
    except CommandFailed as error:
        told = f"the order WAS accepted as {parent_id} and goes on while the daemon works"
        raise CommandFailed(
            error.exit_code, [replace(each, got=f"{told}; {each.got}") for each in error.problems]
        ) from None
    report = _report(client, parent_id)
    if never_began(view) and not as_json:
        show(
            f"{parent_id} {cell(view['status'])} ({cell(view['reason'])}), nothing was sent: {why_it_ended(view)}"
        )
    elif as_json:
        emit_json({"parent": view, "report": report})
    elif report is None:
        show(progress_line(view))
    else:
        from executor.interfaces.terminal import report_table  # noqa: PLC0415 - brings rich

        show_rich(report_table(report))
    raise typer.Exit(ExitCode.OK if view["status"] == "COMPLETE" else ExitCode.REFUSED)


def _report(client: Client, parent_id: str) -> Json | None:
    try:
        return client.get(f"{parent_path(parent_id)}/report")
    except CommandFailed as error:
        if error.problems[0].code != "REPORT":
            raise
        return None
