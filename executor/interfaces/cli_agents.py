"""Orders in markets of agents: `backtest run` and `compare` with --market agents, and `simulate impact`.

What needs the packages of the extra `backtest` is imported inside the commands: the daemon starts without them.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import quoted
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_MS
from executor.interfaces import strategy_options
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, said_if_long, say, show, show_rich

if TYPE_CHECKING:
    from backtest.market.executing import Stage
    from backtest.market.with_and_without import Orders, SeedMoves
    from executor.domain.events import ParentSubmitted

RECORDED: Final = "recorded"
AGENTS: Final = "agents"
USUAL_SEEDS: Final = "40"
_SIDES: Final = {"buy": (Side.BUY,), "sell": (Side.SELL,), "both": (Side.BUY, Side.SELL)}
_LATENCY_MS_MAX: Final = 60_000
_SIZES_MAX: Final = 50
_PLENTY: Final = Decimal(10) ** 12
_HELP: Final = "the same command with --help, docs/execution-in-agents.md"

MarketKind = Annotated[
    str,
    typer.Option(
        "--market", help="recorded (books of the store), or agents (a simulated market that reacts)."
    ),
]
ScenarioName = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        help="With --market agents: name of a scenario (`executor simulate list`), or a .toml file.",
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds", help="With --market agents: how many markets (40), or a range of seeds such as 100-139."
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        max=64,
        help="With --market agents: markets at once; else one for each processor.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InAgents:
    """What was typed about markets of agents, but for the orders.

    Parameters
    ----------
    latency_feed, latency_order, latency_response
        Milliseconds.
    """

    scenario: str | None
    seeds: str | None
    processes: int | None
    warmup: str
    latency_feed: str | None
    latency_order: str
    latency_response: str
    profile: str
    config: Path | None


def refuse_given(context: typer.Context, names: Sequence[str], why: str) -> None:
    """Refuse options that would be without effect.

    Parameters
    ----------
    names
        Of parameters.

    Raises
    ------
    CommandFailed
        If one of them was typed.
    """
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise _wrong(f"--{name.replace('_', '-')}", "given", why, "leave it out")


def is_agents(market: str) -> bool:
    """Tell which market was asked for.

    Raises
    ------
    CommandFailed
        If there is none of that name.
    """
    if market not in {RECORDED, AGENTS}:
        raise _wrong("--market", market, f"{RECORDED} or {AGENTS}")
    return market == AGENTS


def run_in_agents(
    wanted: InAgents, terms: Mapping[str, object], order: "ParentSubmitted", sides: str, *, as_json: bool
) -> None:
    """Work one order in the market of every seed, beside the same market without it.

    Parameters
    ----------
    terms
        Of the order, as they are told.
    """
    from backtest.market import reacting  # noqa: PLC0415 - brings numpy with it
    from backtest.market.with_and_without import Fixed  # noqa: PLC0415
    from executor.interfaces import reacting_views as views  # noqa: PLC0415

    name = str(terms["strategy"]).upper()
    _check_whole(order)
    orders = Fixed(orders=tuple((name, replace(order, side=side)) for side in _sides(sides)))
    stage, found = _worked(wanted, orders)
    if as_json:
        emit_json(reacting.run_record(stage, terms, found))
    else:
        _tell(stage, terms, found)
        show(views.closing())
    _end(found)


def compare_in_agents(
    wanted: InAgents,
    terms: Mapping[str, object],
    order: "ParentSubmitted",
    sides: str,
    policies: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Work one order in several ways, each alone in the market of every seed, and hold the costs against each other."""
    from backtest.market import reacting  # noqa: PLC0415
    from backtest.market.with_and_without import Fixed  # noqa: PLC0415
    from backtest.policies import POLICIES  # noqa: PLC0415
    from executor.interfaces import reacting_views as views  # noqa: PLC0415

    _check_whole(order)
    orders = Fixed(
        orders=tuple(
            (name, replace(POLICIES[name](order, order.seed), side=side))
            for name in policies
            for side in _sides(sides)
        )
    )
    stage, found = _worked(wanted, orders)
    try:
        duels = reacting.differences(found)
    except ValueError as error:
        raise failed(
            ExitCode.REFUSED, "TOO_FEW", "the comparison", str(error), "two markets at least in which both end",
            "more --seeds, or an order that can be worked to its end",
        ) from error  # fmt: skip
    if as_json:
        record = reacting.run_record(stage, terms, found)
        emit_json({**record, "differences": reacting.differences_record(duels)})
    else:
        _tell(stage, terms, found)
        show_rich(views.differences_table(duels))
        show(views.closing())
    _end(found)


def impact(
    scenario: Annotated[
        str,
        typer.Option(
            "--scenario", help="Name of a scenario (`simulate list`), or a file of that form (.toml)."
        ),
    ] = "default",
    seeds: Annotated[
        str, typer.Option("--seeds", help="How many markets, 10 at least, or a range such as 100-139.")
    ] = USUAL_SEEDS,
    smallest: Annotated[
        float, typer.Option("--smallest", min=1e-6, max=1.0, help="Smallest order, share of a day's volume.")
    ] = 1e-3,
    largest: Annotated[
        float, typer.Option("--largest", min=1e-6, max=1.0, help="Largest order, share of a day's volume.")
    ] = 1e-1,
    sizes: Annotated[
        int, typer.Option("--sizes", min=5, max=_SIZES_MAX, help="How many sizes, both ends included.")
    ] = 5,
    durations: Annotated[
        str, typer.Option("--durations", help="How long the orders are worked, with commas, such as 40m,80m.")
    ] = "40m",
    strategy: strategy_options.Strategy = None,
    interval: Annotated[str, typer.Option("--interval", help="Length of one slice.")] = "30s",
    processes: Processes = None,
    warmup: Annotated[
        str, typer.Option("--warmup", help="How long the engine watches the market before it gets an order.")
    ] = "60s",
    latency_feed: Annotated[str, typer.Option("--latency-feed", help="From the book to us, ms.")] = "5",
    latency_order: Annotated[str, typer.Option("--latency-order", help="From us to the market, ms.")] = "10",
    latency_response: Annotated[
        str, typer.Option("--latency-response", help="From the market to us, ms.")
    ] = "10",
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure what our own orders do to the price of a market of agents: by size, while they last, and afterwards.

    Orders of all sizes are worked by the live engine in the market of every seed, each alone, beside the same market
    without it; buys in odd seeds, sells in even ones. The difference of the mids is our impact. Fits its exponent, with
    a standard error from leaving out groups of seeds, and holds it against the gates of a simulated market. Limits are
    wide ones, so that large orders can be worked at all, unless --config says others.

    Ends with 1 if a gate is not met.
    """
    from backtest.market.own_impact_law import own_impact_law  # noqa: PLC0415 - brings numpy with it
    from backtest.market.reacting import law_record  # noqa: PLC0415
    from backtest.market.with_and_without import Design, sizes_between  # noqa: PLC0415
    from executor.interfaces import reacting_views as views  # noqa: PLC0415
    from executor.interfaces.cli_backtest import read_order  # noqa: PLC0415
    from executor.interfaces.models import USUAL_STRATEGY  # noqa: PLC0415

    each = [one.strip() for one in durations.split(",")]
    terms = {"side": "buy", "qty": "1", "interval": interval, "strategy": strategy or USUAL_STRATEGY}
    orders = [read_order({**terms, "duration": one}) for one in each]
    try:
        design = Design(
            order=orders[0],
            sizes=sizes_between(smallest, largest, sizes),
            durations_s=tuple(one.duration_s for one in orders),
        )
    except ValueError as error:
        raise _wrong("--smallest, --largest and --sizes", str(error), "sizes in their order") from error
    wanted = InAgents(
        scenario=scenario, seeds=seeds, processes=processes, warmup=warmup, latency_feed=latency_feed,
        latency_order=latency_order, latency_response=latency_response, profile=profile, config=config,
    )  # fmt: skip
    stage, found = _worked(wanted, design, wide=True)
    try:
        law = own_impact_law(found)
    except ValueError as error:
        raise failed(
            ExitCode.REFUSED, "NO_LAW", stage.scenario.name, str(error), "orders that trade, in 10 markets at least",
            "more --seeds, longer --durations, or a scenario with more volume",
        ) from error  # fmt: skip
    told = {**terms, "qty": f"{smallest:g} to {largest:g} of a day's volume", "duration": durations}
    told["side"] = "buy in odd seeds, sell in even ones"
    if as_json:
        emit_json(law_record(stage, told, law))
    else:
        show(views.heading(stage, told, law.seeds, untouched=law.untouched))
        for table in (views.sizes_table(law), views.curve_table(law), views.gates_table(law)):
            show_rich(table)
        show(views.closing(law))
    if not all(gate.met for gate in law.gates) or not law.untouched:
        raise typer.Exit(ExitCode.REFUSED)


def _worked(wanted: InAgents, orders: "Orders", *, wide: bool = False) -> "tuple[Stage, list[SeedMoves]]":
    """Work orders in the markets of all seeds, with a bar on a terminal."""
    from backtest.market.with_and_without import moves_of_seeds  # noqa: PLC0415
    from executor.interfaces.cli_backtest import read_seeds  # noqa: PLC0415

    stage = _stage(wanted, wide=wide)
    seeds = read_seeds(wanted.seeds or USUAL_SEEDS)
    processes = wanted.processes or max(1, os.cpu_count() or 1)
    found: list[SeedMoves] = []
    try:
        with progress_on_terminal(f"{stage.scenario.name}, {len(seeds)} seeds") as progress:
            progress(0, len(seeds))
            for one in moves_of_seeds(stage, orders, seeds, processes):
                found.append(one)
                progress(len(found), len(seeds))
    except ZeroDivisionError as error:
        raise failed(
            ExitCode.REFUSED, "NO_MARKET", stage.scenario.name, "a market without a price", "one with trades",
            "another scenario, or more agents",
        ) from error  # fmt: skip
    return stage, found


def _stage(wanted: InAgents, *, wide: bool) -> "Stage":
    from backtest.market.executing import Stage  # noqa: PLC0415
    from backtest.market.scenarios import load  # noqa: PLC0415
    from executor.interfaces.cli_backtest import in_flags  # noqa: PLC0415
    from executor.interfaces.models import WindowBody  # noqa: PLC0415
    from simulation.book.native import NativeBook  # noqa: PLC0415
    from simulation.frictions import Latencies  # noqa: PLC0415

    if wanted.scenario is None:
        raise _wrong("--scenario", "nothing", "a scenario: `executor simulate list` names them")
    scenario = load(wanted.scenario)
    limits, timings = _wide_limits() if wide else Limits(), Timings()
    if wanted.config is not None:
        from config.load import load_settings  # noqa: PLC0415

        settings = load_settings(wanted.profile, wanted.config, os.environ, yes_live=False)
        limits, timings = settings.limits, settings.timings
    latencies = Latencies(
        entry_ns=_latency_ns("--latency-order", wanted.latency_order),
        answer_ns=_latency_ns("--latency-response", wanted.latency_response),
        feed_ns=_latency_ns("--latency-feed", wanted.latency_feed or "5"),
    )
    with said_if_long("compiling the order book, once on this machine"):
        NativeBook()
    try:
        return Stage(
            scenario=scenario,
            latencies=latencies,
            limits=replace(limits, references_min=0),
            timings=timings,
            warmup_s=in_flags(WindowBody, {"warmup": wanted.warmup}).warmup,
            book=NativeBook,
        )
    except ValueError as error:
        raise _wrong("--scenario", wanted.scenario, str(error)) from error


def _wide_limits() -> Limits:
    """Limits under which an order of a tenth of a day's volume can be worked; the gate stands as it does live."""
    return Limits(
        participation_pct_max=Decimal(100),
        child_notional_max=_PLENTY,
        cross_spread_bps_max=Decimal(1_000),
        price_collar_bps_max=Decimal(2_000),
        shortfall_alert_bps=Decimal(10_000),
        volatility_hourly_pct_max=Decimal(1_000),
        orders_per_min_max=60,
        position_notional_max=_PLENTY,
        open_notional_max=_PLENTY,
        day_notional_max=_PLENTY,
        day_loss_max=_PLENTY,
        children_per_parent_max=100_000,
        children_per_hour_max=100_000,
        amplification_max=Decimal(1_000),
    )


def _latency_ns(option: str, text: str) -> int:
    from executor.domain.units import parse_plain  # noqa: PLC0415

    try:
        value_ms = parse_plain(text.removesuffix("ms"))
    except ValueError:
        raise _wrong(
            option, text, "milliseconds such as 10: in a market of agents they are constant"
        ) from None
    if not 0 <= value_ms <= _LATENCY_MS_MAX:
        raise _wrong(option, text, f"0 to {_LATENCY_MS_MAX} ms")
    return int(value_ms * NS_PER_MS)


def _check_whole(order: "ParentSubmitted") -> None:
    """Refuse a quantity that is no whole number of lots."""
    from backtest.market.executing import LOT  # noqa: PLC0415

    if order.order_qty % LOT:
        raise _wrong("--qty", f"{order.order_qty:f}", "whole lots, such as 100")


def _sides(text: str) -> tuple[Side, ...]:
    if text not in _SIDES:
        raise _wrong("--side", text, ", ".join(_SIDES))
    return _SIDES[text]


def _tell(stage: "Stage", terms: Mapping[str, object], found: "Sequence[SeedMoves]") -> None:
    from backtest.market.reacting import policies_of  # noqa: PLC0415
    from executor.interfaces import reacting_views as views  # noqa: PLC0415

    policies = policies_of(found)
    untouched = all(seed.untouched for seed in found)
    show(views.heading(stage, terms, len(found), untouched=untouched))
    show_rich(views.policies_table(policies))
    for line in views.failures_lines(policies):
        say(line)


def _end(found: "Sequence[SeedMoves]") -> None:
    """End with 1 where nothing came to an end, or the markets were not the same."""
    ended = any(one.cost_bps is not None for seed in found for one in seed.orders)
    if not ended or not all(seed.untouched for seed in found):
        raise typer.Exit(ExitCode.REFUSED)


def _wrong(where: str, got: str, allowed: str, next_step: str = _HELP) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", where, quoted(got), allowed, next_step)
