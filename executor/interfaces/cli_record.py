"""`executor data record`: follow public streams for a while, and bring what was said into the store."""

import os
import re
import shutil
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.forms import read_duration_s
from config.load import load_settings
from config.problems import place, quoted
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.interfaces.cli_data import USUAL_ROOT, Brought, Root, bring, data_errors, tell_brought
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.kinds import SYMBOL_FORM
from executor.interfaces.options import AsJson, ConfigFile
from executor.interfaces.output import cell, emit_json, line_on_terminal, say
from executor.runtime.clock import Clock

if TYPE_CHECKING:
    from config.settings import Settings
    from executor.app.recording import Session
    from executor.runtime.market_recorder import CaptureCounts

USUAL_CAPTURES: Final = Path("var/capture")
SECONDS_MAX: Final = 31 * 86_400
_SECOND: Final = len("2026-01-01T00:00:00")
_SYMBOL: Final = re.compile(r"\A[A-Z0-9][A-Z0-9-]{2,31}\Z", re.ASCII)
_DURATION_FORM: Final = "a duration such as 90s, 10m or 2h, at most 31 days"

Market = Annotated[
    str,
    typer.Option(
        "--profile", "-p", envvar="EXECUTOR_PROFILE", help="Whose market: paper (usual) is the real one."
    ),
]


def record(
    symbols: Annotated[
        list[str], typer.Option("--symbol", help="Instrument, for example BTCUSDT; again for each other one.")
    ],
    category: Annotated[str, typer.Option("--category", help="linear, inverse or spot.")] = "linear",
    lasting: Annotated[
        str | None, typer.Option("--for", help="How long: 90s, 10m, 2h. Without it, until Ctrl-C or TERM.")
    ] = None,
    profile: Market = "paper",
    config: ConfigFile = None,
    data: Root = USUAL_ROOT,
    captures: Annotated[
        Path, typer.Option("--captures", help="Folder for the raw capture.", file_okay=False)
    ] = USUAL_CAPTURES,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the raw capture when it is stored.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write over days that are stored.")] = False,
    as_json: AsJson = False,
) -> None:
    """Record public streams for a while, and bring what was said into the store, as `import` does.

    No key is needed and no order can be sent. The raw capture is kept until it is stored; one that was cut off, or
    cannot be stored, is read by `executor data import FOLDER`.
    """
    wanted = _markets(category, symbols)
    for_s = None if lasting is None else _seconds(lasting)
    settings = load_settings(profile, config, os.environ, yes_live=False)
    now_ns = Clock().now_ns()
    with data_errors():
        from backtest.dataset.intake import Intake  # noqa: F401, PLC0415 - its packages are needed in the end

        if not replace:
            _refuse_stored_days(data, wanted, now_ns, for_s)
    folder = captures / f"{iso_utc(now_ns)[:_SECOND].replace(':', '-')}Z-{os.getpid()}"
    later = join(["executor", "data", "import", str(folder), "--data", str(data)] + ["--replace"] * replace)
    say(
        f"recording {', '.join(symbols)} ({category}) from {settings.venue.public_ws_url} into {place(folder)}"
    )
    session = _recorded(settings, wanted, folder, for_s)
    _tell_session(session)
    if not session.counts.frames:
        raise failed(
            ExitCode.UNREACHABLE,
            "RECORD",
            settings.venue.public_ws_url,
            "no message",
            "a market that is heard",
            "look at the remarks above, and at `venue` in the settings",
        )
    brought: Brought | None = None
    try:
        brought = bring([folder], data, replace=replace)
    finally:
        if brought is None or not brought.days:
            say(f"nothing was stored; the capture is in {place(folder)}, and `{later}` stores it")
    if not keep and brought.days:
        shutil.rmtree(folder)
    elif brought.days:
        say(f"the capture is in {place(folder)}")
    if as_json:
        emit_json({"session": _as_json(session, folder if folder.exists() else None), **brought.as_json()})
    else:
        tell_brought(brought)
    raise typer.Exit(ExitCode.OK if brought.days else ExitCode.REFUSED)


def _recorded(
    settings: "Settings", markets: "list[tuple[Category, str]]", folder: Path, for_s: float | None
) -> "Session":
    """Record, with a line on the terminal that says how it goes."""
    from executor.app.recording import NotListedError, run_recording  # noqa: PLC0415 - brings the venues with it

    span = "" if for_s is None else f" of {for_s:.0f} s"

    def log(message: str, **fields: object) -> None:
        said = {name: value for name, value in fields.items() if name != "level"}
        say(f"{message}: {cell(said)}" if said else message)

    with line_on_terminal() as line:

        def told(elapsed_s: float, counts: "CaptureCounts") -> None:
            line(f"{elapsed_s:.0f} s{span}: {_of_counts(counts)}")

        try:
            return run_recording(settings, markets, folder, for_s, told, log)
        except NotListedError as error:
            if folder.exists():
                shutil.rmtree(folder)
            raise failed(
                ExitCode.REFUSED, "SYMBOL", "--symbol", str(error), SYMBOL_FORM, "look at the name"
            ) from error


def _of_counts(counts: "CaptureCounts") -> str:
    return (
        f"{counts.frames} messages, {counts.written_bytes} bytes, {counts.dropped} dropped"
        + f", {counts.errors} times refused by the disk" * bool(counts.errors)
    )


def _tell_session(session: "Session") -> None:
    ended = "ended as asked" if session.asked_to_end else "ended"
    say(f"{ended} after {session.elapsed_s:.1f} s: {_of_counts(session.counts)}")
    for away in session.away:
        until = "the end" if away.to_ns is None else iso_utc(away.to_ns)
        say(
            f"GAP: the stream of {away.category} was lost from {iso_utc(away.from_ns)} to {until};"
            " what was said meanwhile is missing"
        )


def _as_json(session: "Session", folder: Path | None) -> dict[str, object]:
    counts = session.counts
    return {
        "elapsed_s": round(session.elapsed_s, 3),
        "asked_to_end": session.asked_to_end,
        "messages": counts.frames,
        "bytes": counts.written_bytes,
        "dropped": counts.dropped,
        "errors": counts.errors,
        "gaps": [
            {
                "category": away.category,
                "from": iso_utc(away.from_ns),
                "to": None if away.to_ns is None else iso_utc(away.to_ns),
            }
            for away in session.away
        ],
        "capture": None if folder is None else str(folder),
    }


def _markets(category: str, symbols: list[str]) -> "list[tuple[Category, str]]":
    if category not in set(Category):
        raise _usage("CATEGORY", "--category", category, ", ".join(Category))
    for symbol in symbols:
        if not _SYMBOL.match(symbol):
            raise _usage("SYMBOL", "--symbol", symbol, SYMBOL_FORM)
    return [(Category(category), symbol) for symbol in dict.fromkeys(symbols)]


def _seconds(text: str) -> float:
    try:
        seconds = read_duration_s(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= SECONDS_MAX:
        raise _usage("DURATION", "--for", text, _DURATION_FORM)
    return float(seconds)


def _refuse_stored_days(
    data: Path, markets: "list[tuple[Category, str]]", now_ns: int, for_s: float | None
) -> None:
    """Find out before recording whether a day could not be stored in the end."""
    from backtest.dataset.gather import Stream  # noqa: PLC0415 - brings numpy
    from backtest.dataset.store import DAY_NS, day_of, day_path  # noqa: PLC0415

    last_ns = now_ns + int((for_s or 0) * NS_PER_S)
    for category, symbol in markets:
        for number in range(now_ns // DAY_NS, last_ns // DAY_NS + 1):
            path = day_path(data, Stream("bybit", category.value, symbol), day_of(number * DAY_NS))
            if path.exists():
                raise failed(
                    ExitCode.REFUSED,
                    "STORED",
                    place(path),
                    "a day that is stored already",
                    "a day that is not stored yet",
                    "--data FOLDER for another store, or --replace to write over it",
                )


def _usage(code: str, where: str, got: str, allowed: str) -> Exception:
    return failed(ExitCode.USAGE, code, where, quoted(got), allowed, "executor data record --help")
