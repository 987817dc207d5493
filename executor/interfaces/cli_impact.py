"""`executor impact`: calibrate models of impact, keep and choose parameters, score forecasts, measure order flow.

What needs the packages of the extra `backtest`, or the engine, is imported inside the commands.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.load import locate_data_dir
from config.problems import place, quoted
from executor.domain.errors import ConfigError
from executor.interfaces.cli_data import USUAL_ROOT, Root, data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.impact_words import (
    ScoredWith,
    flow_record,
    flow_words,
    kept_record,
    kept_table,
    score_record,
    score_words,
    version_words,
)
from executor.interfaces.kept_parameters import FOLDER, KEPT_USUAL, KeptParameters, read_kept
from executor.interfaces.operator_name import operator_name
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, progress_on_terminal, said_if_long, say, show, show_rich
from executor.runtime.clock import Clock
from impact.calibration import KINDS, WINDOW_TRADES, WINDOW_USUAL, Calibrated, calibrate
from impact.estimation.metaorders import TRADERS_USUAL, synthetic_metaorders
from impact.estimation.observed import Observed
from impact.models import read_model
from impact.order_flow.regime import fit_regimes
from impact.parameters import ParameterVersion
from impact.protocol import ImpactModel, Pace
from impact.scoring import FIT_SHARE_USUAL, SHARE_USUAL, score, split_by_time
from impact.square_root import SquareRoot

if TYPE_CHECKING:
    from executor.runtime.past_orders import PastOrder

_OWN, _HMMLEARN = "own", "hmmlearn"
_WINDOW_MAX: Final = 1_000_000

Symbol = Annotated[str, typer.Option("--symbol", help="Instrument, such as BTCUSDT.")]
Venue = Annotated[str | None, typer.Option("--venue", help="Its venue, where several are known.")]
OfCategory = Annotated[
    str | None, typer.Option("--category", help="linear, inverse or spot, where several are known.")
]
KeptIn = Annotated[
    Path | None,
    typer.Option("--kept", help="Folder of the calibrations: impact in the data directory.", file_okay=False),
]
Journals = Annotated[
    list[Path], typer.Argument(metavar="JOURNAL...", help="Journals, or folders of journals.")
]

impact_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Models of market impact; order flow.",
)


@impact_app.command("calibrate", short_help="Estimate the parameters of a model, and keep them.")
def calibrate_model(
    symbol: Symbol,
    venue: Venue = None,
    category: OfCategory = None,
    from_journal: Annotated[
        list[Path] | None,
        typer.Option("--from-journal", help="Own orders out of a journal, or a folder of them; may be repeated."),
    ] = None,
    from_store: Annotated[
        bool, typer.Option("--from-store", help="Orders made up from the public trades of the store.")
    ] = False,
    data: Root = USUAL_ROOT,
    model: Annotated[str, typer.Option("--model", help=f"Kind of model: {', '.join(KINDS)}.")] = KINDS[0],
    window: Annotated[
        int | None,
        typer.Option(
            "--window", min=1, max=_WINDOW_MAX,
            help=f"How many of the newest orders count: {WINDOW_USUAL} own ones, {WINDOW_TRADES} made up.",
        ),
    ] = None,
    traders: Annotated[
        int, typer.Option("--traders", min=1, max=10_000, help="With --from-store: to how many trades are dealt out.")
    ] = TRADERS_USUAL,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32, help="Of that draw.")] = 0,
    kept: KeptIn = None,
    kept_max: Annotated[
        int, typer.Option("--kept-max", min=1, max=10_000, help="How many calibrations of an instrument are kept.")
    ] = KEPT_USUAL,
    use_within_pct: Annotated[
        float | None,
        typer.Option(
            "--use-within-pct", min=0.0, max=1_000.0,
            help="Use it at once if no estimate is further than this from the one that a person chose last.",
        ),
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Estimate the parameters of a model of impact, each with its standard error, and keep them as a new version.

    From own orders (--from-journal): what the price did while they were worked, and after. From public trades
    (--from-store): trades are dealt out to imagined traders, whose runs of one side are orders. Nothing is kept
    where the orders do not tell the parameters, or where a round trip would earn by them. The new version is used
    when a person says so (`executor impact use`), or with --use-within-pct.
    """
    if bool(from_journal) == from_store:
        raise _usage(
            "--from-journal, --from-store", "both or neither", "one of them: where the orders come from"
        )
    folder = _folder(kept, profile, config)
    if from_journal:
        chosen = _own_orders(_journals(from_journal), symbol, venue, category)
        instrument, orders, pace = (
            chosen[0].instrument,
            [one.observed() for one in chosen],
            _middle_pace(chosen),
        )
        known, limit, source = [one for one in orders if one is not None], WINDOW_USUAL, "journal"
    else:
        instrument, known, pace = _made_up(data, symbol, venue, category, traders, seed)
        limit, source = WINDOW_TRADES, "trades"
    taken = window or limit
    with said_if_long(f"estimating {model} from {min(len(known), taken)} orders"):
        found = _calibrated(model, known, taken)
    version = _version(found, instrument, source, taken, pace)
    parameters = KeptParameters(folder)
    with _keeping(folder):
        path = parameters.save(version, kept_max)
        refused = (
            "no --use-within-pct was given"
            if use_within_pct is None
            else parameters.use_within(version, use_within_pct / 100.0, Clock().now_ns())
        )
    if as_json:
        emit_json(
            {**version.as_record(), "file": str(path), "in_use": not refused, "not_used_because": refused}
        )
        return
    show(version_words(version))
    show(f"kept as {place(path)}")
    if refused:
        show(f"not in use: {refused}; `executor impact use {version.version_id}`")
    else:
        show("in use from now on")


@impact_app.command("show", short_help="List the calibrations that are kept.")
def show_kept(
    symbol: Annotated[str | None, typer.Option("--symbol", help="Only this instrument.")] = None,
    kept: KeptIn = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the calibrations that are kept, oldest first: estimates, standard errors, and which is in use."""
    folder = _folder(kept, profile, config)
    with _keeping(folder):
        every = KeptParameters(folder).listed()
    listed = [one for one in every if symbol in {None, one.version.symbol}]
    if as_json:
        emit_json([kept_record(one) for one in listed])
        return
    if not listed:
        say(f"nothing is kept in {place(folder)}; next: executor impact calibrate")
        return
    show_rich(kept_table(listed))


@impact_app.command(short_help="Look whether a file of parameters, or a model, may be used.")
def check(
    what: Annotated[
        str, typer.Argument(metavar="FILE|MODEL", help="A kept file, or a model as --impact takes it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Look whether parameters may be used: unchanged since they were made, and no round trip earns by them."""
    path = Path(what)
    if path.suffix == ".json" or path.is_file():
        with _keeping(path):
            version = read_kept(path)
        if as_json:
            emit_json({"ok": True, **version.as_record()})
        else:
            show(
                f"{version_words(version)}\nsound: unchanged since it was made, and no round trip earns by it"
            )
        return
    try:
        model = read_model(what)
    except ValueError as error:
        raise failed(
            ExitCode.REFUSED,
            "MODEL",
            "MODEL",
            str(error),
            "a model by which no round trip earns",
            "choose other parameters",
        ) from error
    name = "none" if model is None else model.name
    if as_json:
        emit_json({"ok": True, "model": name})
    else:
        show(f"{name}: sound, no round trip earns by it")


@impact_app.command(short_help="Choose the calibration that is to be used.")
def use(
    version: Annotated[str, typer.Argument(metavar="ID", help="Id of a calibration, or its beginning.")],
    kept: KeptIn = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Who; your user name if not given.")
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Choose the calibration of an instrument that is to be used from now on.

    Whoever reads it next uses it: an order that is being worked goes on with what it began with.
    """
    folder = _folder(kept, profile, config)
    with _keeping(folder):
        chosen = KeptParameters(folder).use(version, operator or operator_name(), Clock().now_ns())
    if as_json:
        emit_json({**chosen.as_record(), "in_use": True})
    else:
        show(f"{version_words(chosen)}\nin use from now on")


@impact_app.command("score", short_help="Hold forecasts of cost against what own orders paid.")
def score_forecasts(
    journals: Journals,
    symbol: Symbol,
    venue: Venue = None,
    category: OfCategory = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Model as --impact takes it; else the one in use, else square-root."),
    ] = None,
    promised_pct: Annotated[
        float,
        typer.Option("--promised-pct", min=50.0, max=99.0, help="Share of outcomes an interval is to hold."),
    ] = SHARE_USUAL * 100,
    fit_pct: Annotated[
        float,
        typer.Option(
            "--fit-pct", min=10.0, max=90.0, help="Share of the orders, the earlier, to learn from."
        ),
    ] = FIT_SHARE_USUAL * 100,
    kept: KeptIn = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say how good forecasts of cost are: bias, calibration, and how many outcomes their intervals hold.

    Each order is forecast by its first plan and the market as the engine knew it then. What share crosses the
    spread, and how much wider the intervals must be, is learned from the earlier orders; only the later ones are
    scored. Fees are no part of either side. Orders from the time of the calibration in use are told: it may have been
    fitted to them, and what was fitted to an order is no forecast of it. So are orders that were at work at the same
    time, which met the same market: errors take each for an observation of its own.
    """
    promised, fitted = promised_pct / 100.0, fit_pct / 100.0
    past = _own_orders(_journals(journals), symbol, venue, category)
    chosen, version = _chosen_model(model, _folder(kept, profile, config), past[0].instrument)
    z = NormalDist().inv_cdf((1.0 + promised) / 2.0)
    try:
        earlier, later = split_by_time(past, lambda one: one.started_ns, fitted)
        crossing = 1.0 - sum(one.maker_share for one in earlier) / len(earlier) if earlier else 1.0
        before = [one.forecast(chosen, crossing, z) for one in earlier]
        after = [one.forecast(chosen, crossing, z) for one in later]
        unknown = before.count(None) + after.count(None)
        found = score(
            [one for one in before if one is not None], [one for one in after if one is not None], promised
        )
    except ValueError as error:
        raise failed(
            ExitCode.REFUSED, "SCORE", "executor impact score", str(error),
            "more orders, begun at different times, in a market that was watched", "give more journals",
        ) from error  # fmt: skip
    told = ScoredWith(
        model=chosen.name,
        calibration="" if version is None else version.version_id,
        crossing=crossing,
        not_forecast=unknown,
        of_calibration=0 if version is None else sum(_is_of(version, one) for one in later),
        beside_others=sum(at >= len(earlier) for at in _beside_others([*earlier, *later])),
    )
    if as_json:
        emit_json(score_record(found, told))
    else:
        show(score_words(found, told))


@impact_app.command(short_help="Measure the order flow of a recording.")
def flow(
    symbol: Symbol,
    venue: Venue = None,
    category: OfCategory = None,
    data: Root = USUAL_ROOT,
    step: Annotated[
        list[float] | None,
        typer.Option("--step", min=0.1, max=3_600.0, help="Interval in seconds; may be repeated: 1 and 10."),
    ] = None,
    regimes: Annotated[
        int,
        typer.Option(
            "--regimes", min=0, max=4, help="How many regimes to tell apart: 2 to 4; 0 looks for none."
        ),
    ] = 0,
    engine: Annotated[
        str, typer.Option("--engine", help="What fits regimes: own, or hmmlearn (the extra `regime`).")
    ] = _OWN,
    as_json: AsJson = False,
) -> None:
    """Measure order flow: imbalance, response of the price, spreads, toxicity, volatility, information, regimes.

    Spreads are full spreads. Intervals without a trade or a quote are part of every figure.
    """
    if engine not in {_OWN, _HMMLEARN}:
        raise _usage("--engine", engine, f"{_OWN} or {_HMMLEARN}")
    if regimes == 1:
        raise _usage("--regimes", "1", "2 to 4, or 0 for none")
    with data_errors(), said_if_long("reading and measuring"):
        from backtest.flow import fit_by_hmmlearn, measure  # noqa: PLC0415 - brings numpy and pyarrow
        from backtest.tape import read_tape  # noqa: PLC0415

        tape = read_tape(data, symbol, venue=venue, category=category)
        try:
            found = measure(
                tape, sorted(step or (1.0, 10.0)), regimes, fit_regimes if engine == _OWN else fit_by_hmmlearn
            )
        except ImportError as error:
            if not str(error.name).startswith(_HMMLEARN):
                raise
            raise failed(
                ExitCode.USAGE, "PACKAGES", "--engine", _HMMLEARN, "the package of the extra `regime`",
                "pip install 'bybit-executor[regime]', or --engine own",
            ) from error  # fmt: skip
        except ValueError as error:
            raise _refused("executor impact flow", error) from error
    if as_json:
        emit_json(flow_record(tape, found))
    else:
        show(flow_words(tape, found))


def _folder(kept: Path | None, profile: str, config: Path | None) -> Path:
    return kept or locate_data_dir(profile, config, os.environ)[0] / FOLDER


def _journals(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders by what lies in them."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.db")) if path.is_dir() else [path]
        if not inside:
            raise _usage("JOURNAL", place(path), "a journal, or a folder with journals (*.db)")
        found += inside
    return found


def _own_orders(
    paths: Sequence[Path], symbol: str, venue: str | None, category: str | None
) -> list["PastOrder"]:
    """Own orders of one instrument, out of journals."""
    from executor.domain.units import install_decimal_context  # noqa: PLC0415
    from executor.runtime.past_orders import each_journal  # noqa: PLC0415 - brings the engine with it

    install_decimal_context()
    with progress_on_terminal("journals") as told:
        every = list(each_journal(paths, told))
    chosen = [one for one in every if _is_meant(one.instrument, symbol, venue, category)]
    names = sorted({one.instrument for one in chosen})
    if len(names) == 1:
        return chosen
    if not every:
        raise failed(
            ExitCode.REFUSED,
            "ORDERS",
            "JOURNAL",
            f"{len(paths)} {'journal' if len(paths) == 1 else 'journals'} without a finished order that was filled",
            "orders that began, were filled and have ended",
            "work some orders first (`executor submit`), or give other journals",
        )
    raise failed(
        ExitCode.REFUSED,
        "ORDERS",
        "--symbol",
        quoted(symbol) if not names else ", ".join(names),
        "one instrument of which orders were filled; there are "
        + (", ".join(sorted({one.instrument for one in every})) or "none"),
        "correct --symbol, or say --venue and --category",
    )


def _is_meant(instrument: str, symbol: str, venue: str | None, category: str | None) -> bool:
    of_venue, of_category, of_symbol = instrument.split("/")
    return of_symbol == symbol and venue in {None, of_venue} and category in {None, of_category}


def _middle_pace(orders: Sequence["PastOrder"]) -> Pace:
    """Volatility and volume in the middle of those under which the orders began."""
    paces = [one.pace for one in orders if one.pace is not None]
    if not paces:
        raise failed(
            ExitCode.REFUSED,
            "ORDERS",
            "--from-journal",
            f"{len(orders)} orders, none in a market that had been watched",
            "orders that began when volatility and volume were known",
            "give other journals",
        )
    middle = len(paces) // 2
    return Pace(
        sorted(one.volatility_hourly_pct for one in paces)[middle],
        sorted(one.volume_hourly_qty for one in paces)[middle],
    )


def _made_up(
    data: Path, symbol: str, venue: str | None, category: str | None, traders: int, seed: int
) -> tuple[str, list[Observed], Pace]:
    """Orders made up from the trades of the store."""
    with data_errors(), said_if_long("reading the trades"):
        from backtest.tape import read_tape  # noqa: PLC0415 - brings numpy and pyarrow

        tape = read_tape(data, symbol, venue=venue, category=category)
        try:
            pace = tape.pace()
            orders = synthetic_metaorders(tape.prints, pace, seed, traders)
        except ValueError as error:
            raise _refused("--from-store", error) from error
    stream = tape.stream
    return "/".join((stream.venue, stream.category, stream.symbol)), orders, pace


def _calibrated(kind: str, orders: Sequence[Observed], window: int) -> Calibrated:
    if kind not in KINDS:
        raise _usage("--model", kind, ", ".join(KINDS))
    try:
        return calibrate(kind, orders, window)
    except ValueError as error:
        raise _refused("executor impact calibrate", error) from error


def _version(found: Calibrated, instrument: str, source: str, window: int, pace: Pace) -> ParameterVersion:
    venue, category, symbol = instrument.split("/")
    return ParameterVersion(
        model=found.model,
        venue=venue,
        category=category,
        symbol=symbol,
        source=source,
        from_ns=found.orders[0].ended_ns,
        to_ns=found.orders[-1].ended_ns,
        made_ns=Clock().now_ns(),
        orders=len(found.orders),
        window=window,
        size_low=min(one.size for one in found.orders),
        size_high=max(one.size for one in found.orders),
        volatility_hourly_pct=pace.volatility_hourly_pct,
        volume_hourly_qty=pace.volume_hourly_qty,
        estimates=found.estimates,
    )


def _is_of(version: ParameterVersion, one: "PastOrder") -> bool:
    """Whether an order was at work in the time whose orders a calibration was made of."""
    return one.started_ns <= version.to_ns and one.last_ns >= version.from_ns


def _beside_others(orders: Sequence["PastOrder"]) -> set[int]:
    """Numbers of those orders, given in order of their start, that were at work while another one of them was."""
    beside: set[int] = set()
    longest = 0
    for number, one in enumerate(orders[1:], start=1):
        if one.started_ns < orders[longest].last_ns:
            beside |= {longest, number}
        if one.last_ns > orders[longest].last_ns:
            longest = number
    return beside


def _chosen_model(
    written: str | None, folder: Path, instrument: str
) -> tuple[ImpactModel, ParameterVersion | None]:
    """The model that was named, else that of the calibration in use, which comes with it, else the usual one."""
    if written is None:
        with _keeping(folder):
            kept = KeptParameters(folder)
            return kept.model_in_use(instrument) or SquareRoot(), kept.in_use(instrument)
    try:
        model = read_model(written)
    except ValueError as error:
        raise _usage("--model", str(error), "a model of impact") from error
    if model is None:
        raise _usage("--model", written, "a model of impact")
    return model, None


@contextmanager
def _keeping(folder: Path) -> Iterator[None]:
    """Turn what is wrong with the folder of the calibrations into what an operator reads."""
    try:
        yield
    except ConfigError as error:
        raise failed(
            ExitCode.REFUSED,
            "PARAMETERS",
            place(folder),
            str(error),
            "calibrations as they were written, by which no round trip earns",
            "`executor impact show` lists the ids; of a file that cannot be used: take it away, and calibrate again",
        ) from error
    except OSError as error:
        raise failed(
            ExitCode.REFUSED,
            "FILE",
            place(folder),
            str(error.strerror or error),
            "a folder of ours with room in it",
            "choose another one with --kept",
        ) from error


def _refused(where: str, error: ValueError) -> CommandFailed:
    return failed(
        ExitCode.REFUSED,
        "CALIBRATION",
        where,
        str(error),
        "orders that tell the parameters of a sound model; nothing was kept",
        "give more orders, a larger --window, or another --model",
    )


def _usage(where: str, got: str, allowed: str) -> CommandFailed:
    return failed(ExitCode.USAGE, "USAGE", where, quoted(got), allowed, "executor impact --help")
