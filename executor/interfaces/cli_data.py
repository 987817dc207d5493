"""`executor data`: bring, read, check, list and convert recorded market data.

What needs the packages of the extra `backtest` is imported inside the commands: the daemon starts without them.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import place, quoted
from executor.domain.orders import Category
from executor.domain.timeline import iso_utc
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.kinds import SYMBOL_FORM
from executor.interfaces.options import AsJson
from executor.interfaces.output import cell, emit_json, page_width, progress_on_terminal, say, show
from executor.runtime.clock import Clock

if TYPE_CHECKING:
    from backtest.dataset.faults import Findings
    from backtest.dataset.gather import RuleSteps
    from backtest.dataset.importers.protocol import Options
    from backtest.dataset.intake import Stored

DAYS_MAX: Final = 3_660
_SYMBOL: Final = re.compile(r"\A[A-Z0-9][A-Z0-9-]{2,31}\Z", re.ASCII)

Root = Annotated[
    Path, typer.Option("--data", envvar="EXECUTOR_MARKET_DATA", help="Folder of the store.", file_okay=False)
]
USUAL_ROOT: Final = Path("var/market")
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, or folders of files.")]
OfCategory = Annotated[
    str | None, typer.Option("--category", help="linear, inverse or spot, where the file leaves it open.")
]
OfSymbol = Annotated[str | None, typer.Option("--symbol", help="Instrument, where the file leaves it open.")]
Named = Annotated[str | None, typer.Option("--importer", help="Reads the files with this importer.")]
Examples = Annotated[int, typer.Option("--places", min=0, max=100_000, help="Places told of each fault.")]

data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Recorded market data: bring, read, check, convert."
)


@data_app.command("import", short_help="Read files of one recording into the store.")
def import_files(
    files: Files,
    data: Root = USUAL_ROOT,
    category: OfCategory = None,
    symbol: OfSymbol = None,
    importer: Named = None,
    tick: Annotated[str | None, typer.Option("--tick", help="Tick size of the rules; needs --lot.")] = None,
    lot: Annotated[str | None, typer.Option("--lot", help="Lot size of the rules; needs --tick.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Leave out rows that a fault of their own makes useless.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write over days that are stored.")] = False,
    places: Examples = 5,
    as_json: AsJson = False,
) -> None:
    """Read files of one recording into the store, and say what is wrong with them.

    Files that belong together (book and trades of a day, the pieces of a capture) are given together and merged by
    receive time. Faulty rows are kept and marked, or with --repair left out; both are counted.
    """
    brought = bring(
        files,
        data,
        category=category,
        symbol=symbol,
        importer=importer,
        tick=tick,
        lot=lot,
        repair=repair,
        replace=replace,
        places=places,
    )
    if as_json:
        emit_json(brought.as_json())
        return
    tell_brought(brought)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import did.

    Attributes
    ----------
    days
        What was stored, each with its path and its figures.
    dropped
        Rows that a repair left out; None where nothing was to be repaired.
    warnings
        What may be wrong with steps that nobody said.
    """

    days: list[dict[str, object]]
    dropped: int | None
    found: "Findings"
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The same for machines."""
        return {
            "days": self.days,
            "dropped_rows": self.dropped or 0,
            "warnings": list(self.warnings),
            **_of_findings(self.found),
        }


def bring(
    files: list[Path],
    data: Path,
    *,
    category: str | None = None,
    symbol: str | None = None,
    importer: str | None = None,
    tick: str | None = None,
    lot: str | None = None,
    repair: bool = False,
    replace: bool = False,
    places: int = 5,
) -> Brought:
    """Read files of one recording into the store.

    Raises
    ------
    CommandFailed
        If an option means nothing, a file cannot be read, or a day is there already.
    """
    options, steps = _options(category, symbol), _steps(tick, lot)
    with data_errors():
        from backtest.dataset.faults import Findings  # noqa: PLC0415 - brings numpy and pyarrow
        from backtest.dataset.intake import Intake  # noqa: PLC0415
        from backtest.dataset.klines import are_klines, import_klines  # noqa: PLC0415

        candles = [path for path in files if are_klines(path)]
        rows = _expanded([path for path in files if path not in candles])
        _check_importer(importer)
        found = Findings(places)
        warnings: tuple[str, ...] = ()
        done: list[dict[str, object]] = []
        for path in candles:
            target, count = import_klines(data, path, options, found)
            done.append({"stored": str(target), "rows": count, "faults": found.by_name()})
        dropped = 0
        if rows:
            intake = Intake(data, options, rules=steps, repair=repair, replace=replace, examples_max=places)
            with progress_on_terminal("reading", in_bytes=True) as told:
                outcome = intake.run(rows, importer, told)
            found.merge(outcome.found.values())
            dropped, warnings = outcome.dropped_rows, outcome.doubts
            done += map(_of_day, outcome.stored)
            done += [{"stored": str(path), "rows": count} for path, count in outcome.funding]
    return Brought(days=done, dropped=dropped if repair else None, found=found, warnings=warnings)


def _of_day(day: "Stored") -> dict[str, object]:
    info = day.info
    finer = {
        name: f"{unit} ({where})"
        for name, unit, where, step in (
            ("stored_tick", info.tick_size, info.tick_from, day.tick),
            ("stored_lot", info.lot_size, info.lot_from, day.lot),
        )
        if unit != step
    }
    return {
        "stored": str(day.path),
        "rows": info.rows,
        "kinds": info.counts,
        "tick": f"{day.tick} ({day.steps_from})",
        "lot": f"{day.lot} ({day.steps_from})",
        **finer,
        "carried": info.carried_rows,
        "faults": info.faults,
    }


def tell_brought(brought: Brought) -> None:
    """Say what was stored, and what is wrong with it."""
    for each in brought.days:
        show(
            f"stored {each['stored']}: {cell({k.replace('_', ' '): v for k, v in each.items() if k != 'stored'})}"
        )
    if brought.dropped is not None:
        show(f"{brought.dropped} rows left out by --repair")
    for text in brought.warnings:
        show(f"WARNING        {text}")
    _tell(brought.found)


@data_app.command(short_help="Say what is wrong with files, or with the store.")
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files; without any, the store.")
    ] = None,
    data: Root = USUAL_ROOT,
    category: OfCategory = None,
    symbol: OfSymbol = None,
    importer: Named = None,
    tick: Annotated[str | None, typer.Option("--tick", help="Tick size of the rules; needs --lot.")] = None,
    lot: Annotated[str | None, typer.Option("--lot", help="Lot size of the rules; needs --tick.")] = None,
    places: Examples = 20,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with files, or with every stored day; changes nothing. Ends with 1 if anything is."""
    options, steps = _options(category, symbol), _steps(tick, lot)
    with data_errors():
        from backtest.dataset.faults import Findings  # noqa: PLC0415 - brings numpy and pyarrow
        from backtest.dataset.intake import Intake  # noqa: PLC0415
        from backtest.dataset.klines import are_klines, import_klines  # noqa: PLC0415
        from backtest.dataset.store import catalogue  # noqa: PLC0415
        from backtest.dataset.stored import check_day  # noqa: PLC0415

        found = Findings(places)
        _check_importer(importer)
        if files:
            candles = [path for path in files if are_klines(path)]
            for path in candles:
                import_klines(None, path, options, found)
            if rows := _expanded([path for path in files if path not in candles]):
                with progress_on_terminal("checking", in_bytes=True) as told:
                    outcome = Intake(None, options, rules=steps, examples_max=places).run(
                        rows, importer, told
                    )
                found.merge(outcome.found.values())
        else:
            days = [day for day in catalogue(data) if symbol in {None, day.stream.symbol}]
            if not days:
                raise _nothing_there(data)
            with progress_on_terminal("checking") as told:
                for number, day in enumerate(days):
                    told(number, len(days))
                    found.merge([check_day(data, day, places)])
    if as_json:
        emit_json({"ok": not found.counts, **_of_findings(found)})
    else:
        _tell(found)
    raise typer.Exit(ExitCode.REFUSED if found.counts else ExitCode.OK)


@data_app.command(short_help="List what the store holds.")
def info(
    data: Root = USUAL_ROOT,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also kinds of rows, units, importers and clocks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what the store holds: instruments, under each its days with the exchange's times that they span.

    A day is one of the receiver's time; funding and candles lie beside the days.
    """
    with data_errors():
        from backtest.dataset.store import catalogue, read_info  # noqa: PLC0415 - brings pyarrow
        from backtest.dataset.tables import tables_in  # noqa: PLC0415
        from executor.interfaces.store_words import store_words  # noqa: PLC0415

        days = [(day, read_info(day.path)) for day in catalogue(data)]
        tables = tables_in(data)
        if as_json:
            import msgspec  # noqa: PLC0415

            emit_json(
                [
                    {"day": day.name, "path": str(day.path), **msgspec.to_builtins(known)}
                    for day, known in days
                ]
                + [
                    {
                        "table": f"{table.stream.venue}/{table.stream.category}/{table.stream.symbol}/{table.kind}",
                        "path": str(table.path),
                        "rows": table.rows,
                        "first_ns": table.first_ns,
                        "last_ns": table.last_ns,
                    }
                    for table in tables
                ]
            )
            return
        if not days and not tables:
            raise _nothing_there(data)
        show(store_words(data, days, tables, page_width(), verbose=verbose))


@data_app.command(short_help="Bring days of Bybit's public archives.")
def fetch(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Instrument, for example BTCUSDT.")],
    start: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD, UTC.")],
    end: Annotated[str | None, typer.Option("--to", help="Last day; usually the first.")] = None,
    category: Annotated[str, typer.Option("--category", help="linear, inverse or spot.")] = "linear",
    what: Annotated[str, typer.Option("--what", help="trades, books or both.")] = "both",
    into: Annotated[Path, typer.Option("--into", help="Folder for the files.", file_okay=False)] = Path(
        "var/archive"
    ),
    trades_url: Annotated[
        str | None, typer.Option("--trades-url", envvar="EXECUTOR_TRADES_URL", help="Archive of trades.")
    ] = None,
    books_url: Annotated[
        str | None, typer.Option("--books-url", envvar="EXECUTOR_BOOKS_URL", help="Archive of order books.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring days of Bybit's public archives; what was begun is gone on with, what is here is not brought again.

    Ends with 1 if a day is not in the archive, 7 if an archive cannot be reached.
    """
    if not _SYMBOL.match(symbol):
        raise _usage("SYMBOL", "SYMBOL", symbol, SYMBOL_FORM)
    if category not in set(Category):
        raise _usage("CATEGORY", "--category", category, ", ".join(Category))
    if what not in {"trades", "books", "both"}:
        raise _usage("WHAT", "--what", what, "trades, books, both")
    first = _day("--from", start)
    last = first if end is None else _day("--to", end)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if not 0 < len(days) <= DAYS_MAX:
        raise _usage("DAYS", "--to", str(end), f"a day from {start} on, at most {DAYS_MAX} days")
    if last.isoformat() > iso_utc(Clock().now_ns())[: len("2026-01-01")]:
        raise _usage(
            "DAYS", "--from" if end is None else "--to", last.isoformat(), "a day that has begun, UTC"
        )
    whats = ("trades", "books") if what == "both" else (what,)
    with data_errors():
        from backtest.dataset.fetch import BOOKS_URL, TRADES_URL, Archive  # noqa: PLC0415

        archive = Archive(trades_url=trades_url or TRADES_URL, books_url=books_url or BOOKS_URL)
        wanted = [
            (each, day, into / each / category / symbol, archive.addresses(each, category, symbol, day))
            for day in days
            for each in whats
        ]
        records: list[dict[str, object]] = []
        asyncio.run(_bring(wanted, records, (lambda _text: None) if as_json else show))
    if as_json:
        emit_json({"files": records})
    else:
        show(f"{sum(each['path'] is not None for each in records)} of {len(records)} files are here")
    raise typer.Exit(ExitCode.OK if all(each["path"] for each in records) else ExitCode.REFUSED)


async def _bring(
    wanted: list[tuple[str, date, Path, list[str]]],
    records: list[dict[str, object]],
    tell: Callable[[str], None],
) -> None:
    """Bring one file after the other; each is told and recorded as it is here."""
    import aiohttp  # noqa: PLC0415 - slow to import

    from backtest.dataset.fetch import Fetcher  # noqa: PLC0415
    from executor.interfaces.version import version  # noqa: PLC0415

    headers = {"User-Agent": f"bybit-executor/{version()}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        fetcher = Fetcher(session, say=say)
        for what, day, folder, urls in wanted:
            name = f"{what} of {day.isoformat()}"
            with progress_on_terminal(name, in_bytes=True) as told:
                got = await fetcher.fetch(urls, folder, told)
            if got is None:
                records.append({"what": name, "path": None, "size": 0, "resumed_at": 0, "proof": "not there"})
                tell(f"{name}: not in the archive")
                continue
            records.append(
                {
                    "what": name,
                    "path": str(got.path),
                    "size": got.size,
                    "resumed_at": got.resumed_at,
                    "proof": got.proof,
                }
            )
            tell(f"{name}: {place(got.path)}, {got.size} bytes from {got.resumed_at} on ({got.proof})")


@data_app.command(short_help="Write a stored day as CSV or for hftbacktest.")
def convert(
    day: Annotated[Path, typer.Argument(metavar="ROWS", help="A rows.parquet of the store.")],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="File to make: .csv, or .npz for hftbacktest.")
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write a stored day as CSV, or as the arrays that hftbacktest reads."""
    if target.suffix not in {".csv", ".npz"}:
        raise _usage("TARGET", "TARGET", str(target), "a name that ends with .csv or .npz")
    if target.exists() and not overwrite:
        raise failed(
            ExitCode.USAGE, "TARGET", "TARGET", f"{place(target)}, which is there", "a new file",
            "name another one, or add --overwrite",
        )  # fmt: skip
    with data_errors(), _writing(target):
        from backtest.dataset.convert import to_csv, to_hftbacktest  # noqa: PLC0415 - brings pyarrow

        if target.suffix == ".csv":
            with progress_on_terminal("writing", in_bytes=True) as told:
                count = to_csv(day, target, told)
            show(f"{count} rows in {place(target)}")
            return
        with progress_on_terminal("writing"):
            count, moved_ns = to_hftbacktest(day, target)
    show(f"{count} events in {place(target)}")
    if moved_ns:
        say(f"the receiver's clock was behind: its times were moved by {moved_ns} ns")


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Say in one line why a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise failed(
            ExitCode.REFUSED, "TARGET", place(target), error.strerror or str(error),
            "a folder that is there, is ours and has room", "make the folder, make room, or name another file",
        ) from error  # fmt: skip


@contextmanager
def data_errors() -> Iterator[None]:
    """Turn what is wrong with a file into what an operator reads."""
    from backtest.dataset.errors import DataError, UnreachableError  # noqa: PLC0415

    try:
        yield
    except DataError as error:
        away = isinstance(error, UnreachableError)
        raise failed(
            ExitCode.UNREACHABLE if away else ExitCode.REFUSED,
            "UNREACHABLE" if away else "DATA",
            error.where,
            error.reason,
            error.allowed,
            error.next_step,
        ) from error


def _nothing_there(data: Path) -> Exception:
    return failed(
        ExitCode.REFUSED,
        "DATA",
        place(data),
        "no stored day",
        "a store",
        "`executor data import FILE... --data FOLDER`",
    )


def _usage(code: str, where: str, got: str, allowed: str) -> Exception:
    return failed(ExitCode.USAGE, code, where, quoted(got), allowed, "executor data --help")


def _options(category: str | None, symbol: str | None) -> "Options":
    if category is not None and category not in set(Category):
        raise _usage("CATEGORY", "--category", category, ", ".join(Category))
    if symbol is not None and not _SYMBOL.match(symbol):
        raise _usage("SYMBOL", "--symbol", symbol, SYMBOL_FORM)
    with data_errors():
        from backtest.dataset.importers.protocol import Options  # noqa: PLC0415 - brings numpy
    return Options(category=category, symbol=symbol)


def _check_importer(named: str | None) -> None:
    from backtest.dataset.importers.registry import all_importers  # noqa: PLC0415 - brings numpy

    names = [each.name for each in all_importers()]
    if named is not None and named not in names:
        raise _usage("IMPORTER", "--importer", named, ", ".join(names))


def _steps(tick: str | None, lot: str | None) -> "RuleSteps | None":
    if tick is None and lot is None:
        return None
    read: list[Fraction] = []
    for flag, text in (("--tick", tick), ("--lot", lot)):
        try:
            number = Decimal(text or "")
        except InvalidOperation:
            number = Decimal(0)
        if not number.is_finite() or number <= 0 or abs(number.adjusted()) > 18:
            raise _usage("STEP", flag, text or "", "both --tick and --lot, positive numbers")
        read.append(Fraction(number))
    with data_errors():
        from backtest.dataset.gather import RuleSteps  # noqa: PLC0415 - brings numpy
    return RuleSteps(tick=read[0], lot=read[1])


def _day(flag: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _usage("DAY", flag, text, "YYYY-MM-DD") from None


def _expanded(paths: list[Path]) -> list[Path]:
    """Take folders apart, unless a folder is itself a recording."""
    from backtest.dataset.importers.coinbase import Coinbase  # noqa: PLC0415 - brings numpy

    files: list[Path] = []
    for path in paths:
        if path.is_dir() and not Coinbase().sniff(path):
            files += sorted(
                each for each in path.rglob("*") if each.is_file() and not each.name.startswith(".")
            )
        else:
            files.append(path)
    return files


def _of_findings(found: "Findings") -> dict[str, object]:
    return {
        "faults": found.by_name(),
        "notes": dict(found.notes),
        "places": [each.record() for each in found.all_places()],
    }


def _tell(found: "Findings") -> None:
    from backtest.dataset.faults import MEANING, Fault  # noqa: PLC0415

    for each in found.all_places():
        show(f"{each.source}:{each.line}: {each.fault}: {each.text}")
    for text, count in found.notes.items():
        say(f"note: {text} ({count})")
    if not found.counts:
        show("no fault found")
    for name, count in found.by_name().items():
        show(f"{count} x {name}: {MEANING[Fault(name)]}")
