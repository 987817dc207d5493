"""`executor plan`: what an order would do and cost, before anything is sent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import typer

from config import forms
from config.load import locate_data_dir
from config.problems import ConfigProblems, Problem, place, quoted
from executor.interfaces.cli_orders import (
    CatchUp,
    Deadline,
    Duration,
    Interval,
    LimitPrice,
    MaxCatchUp,
    Passiveness,
    Qty,
    RandomizeSize,
    RandomizeTiming,
    RepriceTicks,
    Urgency,
    flag,
    read_curve_option,
    read_options,
)
from executor.interfaces.client import Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.kept_parameters import FOLDER
from executor.interfaces.models import read_body
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    ConfigFile,
    Profile,
    TokenFile,
    Url,
    connect,
)
from executor.interfaces.plan_body import PlanBody
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

_VENUE: Final = "bybit"


def plan(
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
        str | None, typer.Option("--decision-price", help="As submit takes it; no part of a plan.")
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
            "--advised/--no-advised", help="Whether the daemon's model would be asked: its worst case."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Model of impact, as `executor impact check` takes it; else the calibration in use, else square-root.",
        ),
    ] = None,
    crossing: Annotated[
        str | None,
        typer.Option(
            "--crossing", help="Share that takes liquidity, 0 to 1, where it is known from past orders."
        ),
    ] = None,
    maker_fee: Annotated[
        str | None, typer.Option("--maker-fee", help="Basis points, such as 2; a rebate is below zero.")
    ] = None,
    taker_fee: Annotated[str | None, typer.Option("--taker-fee", help="Basis points, such as 5.5.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Price the other strategies as well.")] = False,
    from_store: Annotated[
        Path | None,
        typer.Option("--from-store", help="Take the market from a store of recordings.", file_okay=False),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="With --from-store: as it stood then; usually at its end.")
    ] = None,
    venue: Annotated[
        str | None, typer.Option("--venue", help="Whose recording or calibration, where several are known.")
    ] = None,
    price: Annotated[
        str | None, typer.Option("--price", help="Tell the market instead of asking a daemon: its mid.")
    ] = None,
    spread_bps: Annotated[
        str | None, typer.Option("--spread-bps", help="With --price: spread, basis points.")
    ] = None,
    volatility: Annotated[
        str | None,
        typer.Option(
            "--volatility", help="Per cent an hour, instead of what was watched; needed with --price."
        ),
    ] = None,
    volume: Annotated[
        str | None,
        typer.Option(
            "--volume", help="Base units an hour, instead of what was watched; needed with --price."
        ),
    ] = None,
    qty_step: Annotated[
        str | None, typer.Option("--qty-step", help="With --price: step of quantities.")
    ] = None,
    min_qty: Annotated[
        str | None, typer.Option("--min-qty", help="With --price: smallest order, base units.")
    ] = None,
    min_value: Annotated[
        str | None, typer.Option("--min-value", help="With --price: smallest order, quote units; 0 for none.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Page with pictures to make.", dir_okay=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the page if it is there.")] = False,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what an order would do and cost; nothing is sent. The options are those of `executor submit`.

    The figures are the running daemon's, those of a recording (--from-store), or told (--price and what it asks for).
    What is missing is asked for by name. Nothing is accepted and nothing is kept.
    """
    if html is not None and html.exists() and not overwrite:
        raise failed(
            ExitCode.USAGE, "TARGET", place(html), "a file that is there", "a new file",
            "name another one, or add --overwrite",
        )  # fmt: skip
    body: Json = {
        name: value
        for name, value in (
            ("symbol", symbol), ("side", side), ("qty", qty), ("residual", residual), ("start", start),
            ("duration", duration), ("deadline", deadline), ("extend", extend), ("category", category),
            ("limit_price", limit_price), ("decision_price", decision_price), ("urgency", urgency),
            ("strategy", strategy), ("interval", interval), ("passiveness", passiveness),
            ("randomize_size", randomize_size), ("randomize_timing", randomize_timing), ("catch_up", catch_up),
            ("max_catch_up", max_catch_up), ("reprice_ticks", reprice_ticks), ("participation", participation),
            ("max_participation", max_participation), ("display", display),
            ("randomize_display", randomize_display), ("peg", peg), ("peg_offset_ticks", peg_offset_ticks),
            ("max_reprices", max_reprices), ("max_chase", max_chase), ("give_up", give_up),
            ("trigger_price", trigger_price), ("trigger_qty", trigger_qty), ("risk_aversion", risk_aversion),
            ("curve", read_curve_option(curve)), ("session_weights", session_weights), ("wrappers", wrappers),
            ("reduce_only", reduce_only or None), ("position_idx", position_idx), ("seed", seed),
            ("advised", advised), ("model", model), ("crossing", crossing), ("maker_fee", maker_fee),
            ("taker_fee", taker_fee), ("compare", compare or None), ("volatility", volatility), ("volume", volume),
        )
        if value is not None
    }  # fmt: skip
    read_options(PlanBody, body)
    told = {
        "--price": price, "--spread-bps": spread_bps, "--qty-step": qty_step, "--min-qty": min_qty,
        "--min-value": min_value,
    }  # fmt: skip
    _one_source(told, from_store, at, venue)
    if from_store is None and price is None:
        with _other_sources_named():
            view = ask_plan(connect(profile, config, url, token_file), body)
    else:
        view = _alone(body, told, from_store, at, venue, profile, config)
    tell_plan(view, html, as_json=as_json)


@contextmanager
def _other_sources_named() -> Iterator[None]:
    """Where no daemon runs, name first what plans without one."""
    try:
        yield
    except CommandFailed as error:
        first = error.problems[0]
        if first.code != "DAEMON_NOT_RUNNING":
            raise
        step = (
            f"--price (it asks for the rest) or --from-store plans without a daemon; else {first.next_step}"
        )
        raise CommandFailed(error.exit_code, [replace(first, next_step=step)]) from error


def _one_source(
    told: dict[str, str | None], from_store: Path | None, at: str | None, venue: str | None
) -> None:
    """See that the figures come from one place."""
    named = [name for name, value in told.items() if value is not None]
    if from_store is not None and named:
        raise _usage(f"--from-store and {named[0]}", "both", "one of the two")
    if named and told["--price"] is None:
        raise _usage(
            named[0], "given without --price", "all of them, or none", "add --price, or leave it out"
        )
    if at is not None and from_store is None:
        raise _usage("--at", "given without --from-store", "an instant of a recording")
    if venue is not None and from_store is None and not named:
        raise _usage(
            "--venue", "given without --from-store or --price", "whose recording or calibration is meant",
            "leave it out: a daemon plans for the venue that it trades at",
        )  # fmt: skip


def _alone(
    body: Json,
    told: dict[str, str | None],
    from_store: Path | None,
    at: str | None,
    venue: str | None,
    profile: str,
    config: Path | None,
) -> Json:
    """Plan without a daemon."""
    from executor.interfaces.kinds import read_instant  # noqa: PLC0415 - here alone
    from executor.interfaces.plan_sources import (  # noqa: PLC0415 - brings the engine with it
        Place,
        ToldFigures,
        plan_by_figures,
        plan_by_recording,
    )
    from executor.runtime.clock import Clock  # noqa: PLC0415

    read = read_body(PlanBody, body, flag)
    kept = locate_data_dir(profile, config, os.environ)[0] / FOLDER
    where = Place(profile=profile, config=config, kept=kept, venue=venue or _VENUE)
    if from_store is not None:
        try:
            at_ns = None if at is None else read_instant(at)
        except ValueError as error:
            raise _usage("--at", quoted(str(at)), "an instant such as 2026-11-20T12:00:00Z") from error
        return plan_by_recording(read, from_store, where, at_ns, venue)
    figures = ToldFigures(
        price=_number("--price", told["--price"]),
        spread_bps=_number("--spread-bps", told["--spread-bps"]),
        qty_step=_number("--qty-step", told["--qty-step"]),
        min_qty=_number("--min-qty", told["--min-qty"]),
        min_value=_number("--min-value", told["--min-value"]),
    )
    try:
        return plan_by_figures(read, figures, where, Clock().now_ns())
    except ValueError as error:
        raise _usage("--price and the other figures", quoted(str(error)), "figures of a market") from error


def _number(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return forms.read_number(text)
    except ValueError as error:
        raise _usage(name, quoted(text), "a number in plain digits") from error


def _usage(where: str, got: str, allowed: str, next_step: str = "correct it") -> ConfigProblems:
    return ConfigProblems([Problem(code="USAGE", where=where, got=got, allowed=allowed, next_step=next_step)])
