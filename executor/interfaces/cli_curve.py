"""`executor data volume-curve`: how a week's volume spreads over its hours, out of what is stored."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.curves import SUFFIX, USUAL_CURVES, write_curve
from config.problems import place, quoted
from executor.domain.timeline import iso_utc
from executor.domain.units import Quantity, parse_plain, plain
from executor.domain.volume_curve import CURVE_NAME_CHARS_MAX, VolumeCurve, is_curve_name
from executor.interfaces.cli_data import USUAL_ROOT, Root, data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.options import AsJson
from executor.interfaces.output import emit_json, progress_on_terminal, say, show, show_rich
from executor.runtime.clock import Clock

if TYPE_CHECKING:
    from rich.table import Table

    from backtest.dataset.hourly import HourlyDay
    from backtest.volume_curve import Estimated, Mean, Tracked

_BAR_CHARS: Final = 24
_QTY_DIGITS: Final = 6


def volume_curve(
    symbol: Annotated[
        str, typer.Option("--symbol", help="Instrument, such as BTCUSDT, or VENUE/CATEGORY/SYMBOL.")
    ],
    data: Root = USUAL_ROOT,
    venue: Annotated[str | None, typer.Option("--venue", help="Venue, where a symbol is of several.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="linear, inverse or spot.")] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3_660, help="Only the last so many whole days.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the curve; usually that of the file, or the symbol.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to make, such as var/curves/btcusdt.json.", dir_okay=False),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Page with pictures to make.", dir_okay=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate how a week's volume spreads over its hours: mean shares with standard errors, by day and by hour.

    Only whole days count: recorded trades that span 23 hours, or every candle of a day with its volume. With few days
    the usual curve is kept in part (docs/data.md). An order follows it with --strategy vwap --curve NAME.
    """
    for target in (out, html):
        if target is not None and target.exists() and not overwrite:
            raise failed(
                ExitCode.USAGE, "TARGET", place(target), "a file that is there", "a new file",
                "name another one, or add --overwrite",
            )  # fmt: skip
    called = _name(name, out, symbol)
    with data_errors():
        found, label = _days(data, symbol, venue, category)
        whole = [one for one in found if one.hourly_qty is not None]
        left_out = [one for one in found if one.hourly_qty is None]
        whole = whole[-days:] if days is not None else whole
        if not whole:
            raise failed(
                ExitCode.REFUSED, "DATA", place(data), _reasons(left_out) or f"no volume of {label}",
                "one whole day of trades, or of candles with a volume",
                "bring whole days: `executor data fetch`, then `executor data import`",
            )  # fmt: skip
        made, check = _made(whole)
        curve = VolumeCurve(
            name=called,
            weights_ppm=_ppm(made),
            week_qty=None if made.week_qty.mean is None else _qty(made.week_qty.mean),
        )
        remarks = [f"{one.day}: left out, {one.why}" for one in left_out]
        if html is not None:
            _write_page(html, label, made, check, remarks)
    if out is not None:
        _write(out, curve, made, label)
    if as_json:
        emit_json(_record(curve, label, made, check, left_out))
        return
    _tell(label, made, check, remarks)
    if out is not None:
        show(f"written {place(out)}: executor submit --strategy vwap --curve {_named(curve, out)}")
    if html is not None:
        show(f"written {place(html)}")


def _name(name: str | None, out: Path | None, symbol: str) -> str:
    wanted = name
    if wanted is None:
        wanted = (symbol.rpartition("/")[2] if out is None else out.name.removesuffix(SUFFIX)).lower()
    if not is_curve_name(wanted):
        raise failed(
            ExitCode.USAGE, "CURVE", "--name", quoted(wanted), f"1 to {CURVE_NAME_CHARS_MAX} of a-z 0-9 - _",
            "give it another name",
        )  # fmt: skip
    return wanted


def _days(data: Path, symbol: str, venue: str | None, category: str | None) -> tuple[list["HourlyDay"], str]:
    """Read every day of the instrument; gives its name as well."""
    from backtest.dataset.hourly import find_stream, hourly_days  # noqa: PLC0415 - brings pyarrow
    from executor.interfaces.cli_recorded import read_instrument  # noqa: PLC0415

    of_venue, of_category, of_symbol = read_instrument(symbol, venue, category)
    stream = find_stream(data, of_symbol, venue=of_venue, category=of_category)
    with progress_on_terminal("reading days") as told:
        days = list(hourly_days(data, stream, told))
    return days, f"{stream.venue}/{stream.category}/{stream.symbol}"


def _made(whole: list["HourlyDay"]) -> tuple["Estimated", "Tracked"]:
    from backtest.volume_curve import DayVolume, estimate, tracked  # noqa: PLC0415 - brings numpy

    volumes = [
        DayVolume(day=one.day, hourly_qty=one.hourly_qty) for one in whole if one.hourly_qty is not None
    ]
    return estimate(volumes), tracked(volumes)


def _ppm(made: "Estimated") -> tuple[int, ...]:
    from strategies.volume_curve import whole_ppm  # noqa: PLC0415 - with the packages of the extra

    return whole_ppm(made.shares)


def _qty(value: float) -> Quantity:
    return Quantity(parse_plain(f"{value:.{_QTY_DIGITS}f}"))


def _reasons(left_out: list["HourlyDay"]) -> str:
    return "; ".join(f"{one.day}: {one.why}" for one in left_out[:3])


def _write(out: Path, curve: VolumeCurve, made: "Estimated", label: str) -> None:
    told: dict[str, str | int] = {
        "instrument": label,
        "days": made.days,
        "first": made.first.isoformat(),
        "last": made.last.isoformat(),
        "written": iso_utc(Clock().now_ns()),
    }
    try:
        write_curve(out, curve, told)
    except OSError as error:
        raise _unwritten(out, error) from error


def _write_page(html: Path, label: str, made: "Estimated", check: "Tracked", remarks: list[str]) -> None:
    from backtest.curve_page import curve_page  # noqa: PLC0415 - brings plotly

    text = curve_page(f"Volume curve of {label}", made, check, remarks)
    try:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritten(html, error) from error


def _unwritten(path: Path, error: OSError) -> Exception:
    return failed(
        ExitCode.REFUSED, "TARGET", place(path), error.strerror or str(error),
        "a folder that is there, is ours and has room", "make room, or name another file",
    )  # fmt: skip


def _named(curve: VolumeCurve, out: Path) -> str:
    return curve.name if out == USUAL_CURVES / f"{curve.name}{SUFFIX}" else str(out)


def _record(
    curve: VolumeCurve, label: str, made: "Estimated", check: "Tracked", left_out: list["HourlyDay"]
) -> dict[str, object]:
    """The same for machines."""
    from backtest.volume_curve import PSEUDO_DAYS  # noqa: PLC0415 - brings numpy

    return {
        "name": curve.name,
        "instrument": label,
        "days": made.days,
        "first": made.first.isoformat(),
        "last": made.last.isoformat(),
        "pseudo_days": PSEUDO_DAYS,
        "week_qty": None if curve.week_qty is None else plain(curve.week_qty),
        "week_qty_standard_error": made.week_qty.standard_error,
        "weights_ppm": list(curve.weights_ppm),
        "shares": list(made.shares),
        "standard_errors": list(made.standard_errors),
        "hours": [asdict(row) for row in made.hours],
        "week": [asdict(row) for row in made.week],
        "tracking_error_pct": asdict(check),
        "left_out": [{"day": one.day.isoformat(), "source": one.source, "why": one.why} for one in left_out],
    }


def _tell(label: str, made: "Estimated", check: "Tracked", remarks: list[str]) -> None:
    from backtest.curve_page import tracked_rows  # noqa: PLC0415 - brings numpy

    plural = "day" if made.days == 1 else "days"
    show(f"{label}: {made.days} whole {plural}, {made.first} to {made.last}")
    for line in remarks:
        say(line)
    show_rich(_hour_table(made))
    show_rich(_week_table(made))
    if made.week_qty.mean is not None:
        show(f"a usual week: {_mean(made.week_qty, 1.0, 3)} base units")
    show("tracking error of an order over a whole day, % of the order (root mean square over its hours):")
    for name, one in tracked_rows(check):
        show(f"  {name}: {_mean(one, 1.0, 2)}{'' if one.count else ' (there is no other day)'}")


def _hour_table(made: "Estimated") -> "Table":
    from rich.table import Table  # noqa: PLC0415 - slow to import

    table = Table(title="share of the day's volume, %, by hour (UTC)")
    for column in ("hour", "weekdays", "used", "weekends", "used"):
        table.add_column(column, justify="right")
    table.add_column("used on weekdays")
    most = max(row.used_weekday for row in made.hours)
    for row in made.hours:
        table.add_row(
            f"{row.hour:02d}",
            _mean(row.weekday, 100.0, 2),
            f"{100 * row.used_weekday:.2f}",
            _mean(row.weekend, 100.0, 2),
            f"{100 * row.used_weekend:.2f}",
            "█" * round(_BAR_CHARS * row.used_weekday / most),
        )
    return table


def _week_table(made: "Estimated") -> "Table":
    from rich.table import Table  # noqa: PLC0415 - slow to import

    from backtest.curve_page import DAY_NAMES  # noqa: PLC0415 - brings numpy

    table = Table(title="volume of a day over that of a mean day of its week")
    for column in ("day", "whole days", "whole weeks", "mean", "used"):
        table.add_column(column, justify="right")
    table.add_column("")
    most = max(row.used for row in made.week)
    for row in made.week:
        table.add_row(
            DAY_NAMES[row.day],
            str(row.days),
            str(row.ratio.count),
            _mean(row.ratio, 1.0, 3),
            f"{row.used:.3f}",
            "█" * round(_BAR_CHARS * row.used / most),
        )
    return table


def _mean(one: "Mean", times: float, digits: int) -> str:
    """A mean with its standard error, in words."""
    if one.mean is None:
        return "-"
    text = f"{times * one.mean:.{digits}f}"
    return text if one.standard_error is None else f"{text} ± {times * one.standard_error:.{digits}f}"
